"""What was measured, in plain words; and whether the tree agrees with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from salience.vectors.iceberg.naming import short_names
from salience.vectors.iceberg.tree import Recommendation

__all__ = ["Verdict", "judged"]

NAMES = {"l2": "Euclidean distance (l2)", "ip": "the inner product (ip)", "cosine": "the cosine"}
CROWDED = 0.5  # of all queries: a row that stands in more lists than that is a hub


@dataclass(frozen=True)
class Verdict:
    """The last word is what was measured.

    Attributes
    ----------
    metric : str
        With the highest worth under exact search.
    tied : tuple of str
        Metrics that cannot be told from it: the interval of the difference touches 0.
    tree : str
        What the tree says.
    agrees : bool
        Whether the tree's metric is the best one or tied with it.
    words : tuple of str
    """

    metric: str
    tied: tuple[str, ...]
    tree: str
    agrees: bool
    words: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join(self.words)


def judged(
    table: pl.DataFrame,
    by_metric: pl.DataFrame,
    chance: float,
    unit: str,
    tree: Recommendation,
    crowds: Sequence[tuple[str, int, float]],
) -> Verdict:
    """Say what the tables mean.

    Parameters
    ----------
    table : polars.DataFrame
        Of the indexes: ``metric``, ``index``, ``params``, ``value``, ``recall``, the three losses.
    by_metric : polars.DataFrame
        Of exact search: ``metric``, ``value``, ``lo``, ``hi``, ``behind``, ``behind_lo``, ``behind_hi``.
    chance : float
        Worth of random answers.
    unit : str
    tree : Recommendation
    crowds : sequence of (metric, row, share)
        The row that stands in most lists, by every metric.
    """
    best = by_metric.row(int(by_metric["value"].arg_max() or 0), named=True)
    tied = tuple(
        row["metric"] for row in by_metric.rows(named=True)
        if row["metric"] != best["metric"] and row["behind_lo"] <= 0
    )  # fmt: skip
    words = [
        f"Exact search by {NAMES[best['metric']]} serves best: {unit} {best['value']:.3f} ({best['lo']:.3f} to "
        f"{best['hi']:.3f}; random answers {chance:.3f})."
        if not tied
        else f"Exact search by {' and '.join(NAMES[m] for m in (best['metric'], *tied))} cannot be told apart: {unit} "
        f"{best['value']:.3f} ({best['lo']:.3f} to {best['hi']:.3f}; random answers {chance:.3f})."
    ]
    if best["lo"] <= chance:
        words.append("That is no better than chance: the embedding does not hold what the task asks for.")
    words += [_loss(row) for row in by_metric.rows(named=True) if row["behind_lo"] > 0]
    words += [
        f"Row {row} stands in {share:.0%} of all lists by {NAMES[metric]}: a hub."
        for metric, row, share in crowds
        if share > CROWDED
    ]
    agrees = tree.metric in (best["metric"], *tied)
    words.append(_on_the_tree(tree, by_metric, best["metric"], agrees))
    rows = table.rows(named=True)
    words += [_on_the_index(name, row) for name, row in zip(short_names(rows), rows, strict=True)]
    return Verdict(best["metric"], tied, tree.metric, agrees, tuple(words))


def _loss(row: dict[str, Any]) -> str:
    return (
        f"By {NAMES[row['metric']]} it is {row['value']:.3f}, {row['behind']:.3f} less ({row['behind_lo']:.3f} to "
        f"{row['behind_hi']:.3f})."
    )


def _on_the_tree(tree: Recommendation, by_metric: pl.DataFrame, best: str, agrees: bool) -> str:
    close = [decision.question for decision in tree.path if decision.close]
    unsure = f" ({' and '.join(close)} was too close to call)" if close else ""
    if not agrees and tree.metric in by_metric["metric"].to_list():
        return (
            f"The published tree says {NAMES[tree.metric]}{unsure}; the measurement says {NAMES[best]}, and it is the "
            "measurement that counts."
        )
    if not agrees:
        return f"The published tree says {NAMES[tree.metric]}{unsure}, which was not measured."
    return (
        f"The published tree says {NAMES[tree.metric]}{unsure}; what was measured does not speak against it."
    )


def _on_the_index(name: str, row: dict[str, Any]) -> str:
    layers = ("embedding", "metric", "index")
    worst = max(layers, key=lambda layer: row[f"loss_{layer}"])
    losses = ", ".join(f"{layer} {row[f'loss_{layer}']:+.3f}" for layer in layers)
    return f"{name}: recall {row['recall']:.3f}, worth {row['value']:.3f}; most is lost to the {worst} ({losses})."
