"""From contingency tables to a ranking: the score, its null, its interval and a verdict in one word.

Kept apart from the estimator so that a scan on a cluster, a merge of saved states and a test can all end here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from scipy.special import ndtri, stdtr

from salience.measures import association, information, nulls
from salience.measures.counting import Contingency
from salience.measures.resampling import q_values
from salience.tabular.streaming.heuristics import Heuristic

if TYPE_CHECKING:
    from salience.measures.counting import Item

LEAK_SHARE = 0.95  # of the label's entropy: nothing honest explains that much
NEAR_LEAK_SHARE = 0.8  # of the label's entropy; the petals of iris explain three quarters of the species
NEAR_LEAK_RATIO = 0.95  # of the variance of the bins of a number label: a correlation of about .985
ID_SHARE = 0.99  # distinct values per row that has one: the column names the row
ID_COVERAGE = 0.9  # of the rows have a value, if the column names the row
# Told from chance, undecided, not told from chance, not tested, not scored: a verdict's place before any value.
STANDING = {
    "leak": 0,
    "near-leak": 0,
    "signal": 0,
    "unsure": 1,
    "id": 3,
    "noise": 3,
    "unjudged": 4,
    "constant": 5,
}
NORMALIZATIONS = ("none", "label_entropy", "ami", "minmax")
MINMAX_NOTE = (
    "values are min-max scaled over all columns: 0 and 1 are always there, even among noise; the column null is what "
    "chance gets on that scale"
)
NULLS = ("analytic", "permute", "shift", "none")


def score_table(
    table: Contingency,
    null_table: information.NullTable,
    heuristic: Heuristic,
    null: str,
    *,
    permutations: int,
    seed: int,
) -> dict[str, float]:
    """Score one contingency table: ``mi, null, value, se, z, p``, ``tail``, the p-value that verdicts use, and ``mi_null``.

    ``null`` is in the unit of the score; ``mi_null`` is the mutual information that chance alone gives.

    The analytic null is exact for mutual information; any other statistic is judged against tables drawn with the
    same margins, since no closed form of its expectation is known. Ten draws cannot give a p below 1/11, so the
    verdict then rests on Student's t of the observed value against the draws, unless these are all equal.
    """
    info = information.corrected(table, null_table)
    if heuristic.name == "mi" and null == "analytic":
        return _row(info, info.null, info.score, info.se, info.z, info.p, info.p)
    assert callable(heuristic.statistic)
    raw = float(heuristic.statistic(table))
    nan = float("nan")
    se = info.se if heuristic.name == "mi" else nan
    if null == "none":
        return _row(info, 0.0, raw, se, nan, nan, nan)
    drawn = nulls.permutation_null(
        table, n=permutations, rng=np.random.default_rng(seed), statistic=heuristic.statistic
    )
    student = float(stdtr(permutations - 1, -drawn.z / np.sqrt(1 + 1 / permutations)))
    tail = student if drawn.sd else drawn.p
    se = info.se if heuristic.name == "mi" else drawn.sd
    return _row(info, drawn.mean, raw - drawn.mean, se, drawn.z, drawn.p, tail)


def _row(
    info: information.Information, null: float, value: float, se: float, z: float, p: float, tail: float
) -> dict[str, float]:
    chance = {"mi": info.mi, "mi_null": info.null}
    return {**chance, "null": null, "value": value, "se": se, "z": z, "p": p, "tail": tail}


def score_columns(
    tables: Mapping[Item, Contingency],
    kinds: Mapping[str, str],
    heuristic: Heuristic,
    *,
    null: str = "analytic",
    normalize: str = "none",
    permutations: int = 10,
    seed: int = 0,
    level: float = 0.95,
    alpha: float = 0.05,
    row_namers: Collection[str] = (),
    ordered: bool = False,
) -> pl.DataFrame:
    """Rank the columns of one label: those told from chance first, by their scores, then the others.

    A number column has two views, as values and as ordered bins; the better one counts (of those that chance does not
    give, if there are any) and its p-value pays for the choice (Bonferroni, two views).

    Parameters
    ----------
    tables : mapping of (name, view) to Contingency
    kinds : mapping of name to kind, for display ("text", "number", "control", ...)
    heuristic : Heuristic
        One that reads counts.
    null, normalize, permutations, seed
        As in :class:`~salience.tabular.ranking.StreamRanker`.
    level : float
        Coverage of ``lo`` and ``hi``.
    alpha : float
        False discovery rate below which a column counts as signal.
    row_namers : collection of str
        Columns of a kind that can name rows.
    ordered : bool
        Whether the classes are in order, as the bins of a number are.

    Returns
    -------
    polars.DataFrame
        One row per column, best first.
    """
    views: dict[str, list[tuple[str, Contingency]]] = defaultdict(list)
    for (name, view), table in tables.items():
        views[name].append((view, table))
    label_counts = next(iter(tables.values())).label_counts
    null_table = information.NullTable(label_counts)
    label_entropy = information.entropy(label_counts)
    rows = []
    for name, candidates in views.items():
        scored = [
            (score_table(t, null_table, heuristic, null, permutations=permutations, seed=seed), view, t)
            for view, t in candidates
        ]
        # a statistic that grows with the number of values would always choose the view that has more of them
        by = "value" if heuristic.name == "mi" or null == "none" else "z"
        level_of_view = alpha / len(candidates)
        best, view, table = max(scored, key=lambda s: (s[0]["tail"] < level_of_view, s[0][by]))
        values = next((t for v, t in candidates if v == "values"), table)
        best = dict(best, **{p: float(np.minimum(1.0, best[p] * len(candidates))) for p in ("p", "tail")})
        rows.append(
            {
                "column": name,
                **best,
                "view": view,
                "card": min(values.distinct, float(values.rows)),
                "coverage": values.coverage,
                "kind": kinds.get(name, "column"),
                "n": values.rows,
                "scale": _scale(table, best, normalize, label_entropy),
                "names_rows": name in row_namers and _names_rows(values),
                "ratio": _ratio(t for _, t in candidates) if ordered else 0.0,
            }
        )
    return _finish(rows, normalize, label_entropy, level, alpha, heuristic.better)


def _scale(table: Contingency, row: Mapping[str, float], normalize: str, label_entropy: float) -> float:
    if normalize == "label_entropy":
        return 1.0 / label_entropy if label_entropy > 0 else 1.0
    if normalize == "ami":
        room = 0.5 * (label_entropy + information.column_entropy(table)) - row["null"]
        return 1.0 / room if room > 1e-12 else 1.0
    return 1.0


def _names_rows(values: Contingency) -> bool:
    return values.distinct_share >= ID_SHARE and values.coverage >= ID_COVERAGE


def _ratio(views: Iterable[Contingency]) -> float:
    return float(np.fmax.reduce([association.correlation_ratio(table) for table in views]))


def _finish(
    rows: Sequence[Mapping[str, Any]],
    normalize: str,
    label_entropy: float,
    level: float,
    alpha: float,
    better: str,
) -> pl.DataFrame:
    half = float(ndtri(0.5 + level / 2))
    tail = np.array([r["tail"] for r in rows], dtype=float)
    q = q_values(tail)
    frame = pl.DataFrame(rows).with_columns(
        pl.Series("q", q), lo=pl.col("value") - half * pl.col("se"), hi=pl.col("value") + half * pl.col("se")
    )
    verdicts = [verdict(r, label_entropy, alpha) for r in frame.iter_rows(named=True)]
    flags = [v if v in ("constant", "leak") else None for v in verdicts]
    scaled = [(pl.col(c) * pl.col("scale")).alias(c) for c in ("value", "se", "lo", "hi", "null")]
    frame = frame.with_columns(
        pl.Series("verdict", verdicts), pl.Series("flag", flags, dtype=pl.Utf8)
    ).with_columns(scaled)
    if normalize == "minmax":
        frame = min_max(frame)
    frame = in_order(frame, better, alpha=alpha)
    first = ["column", "value", "rank", "se", "lo", "hi", "null", "z", "p", "q", "n", "flag"]
    return frame.select(*first, "mi", "view", "card", "coverage", "kind", "verdict")


def in_order(
    frame: pl.DataFrame, better: str, *, alpha: float = 0.05, by_value: bool = False
) -> pl.DataFrame:
    """Order the columns, best first, and number them: ``rank``.

    What is told from chance stands before what is not, whatever its value, and by value within; with many rows the value
    of a column of noise may well be above that of a weak one. Where nothing was tested the value alone counts.

    Parameters
    ----------
    frame : polars.DataFrame
        With ``value``, ``verdict`` and ``q``.
    better : {"high", "abs"}
        Whether the value or its size counts.
    alpha : float
        False discovery rate at which an undecided column still stands before the other ones.
    by_value : bool
        By value alone, even so.

    Examples
    --------
    >>> frame = pl.DataFrame({"value": [0.2, 0.1], "q": [0.4, 0.0], "verdict": ["noise", "signal"]})
    >>> in_order(frame, "high")["verdict"].to_list()
    ['signal', 'noise']
    """
    value = pl.col("value").abs() if better == "abs" else pl.col("value")
    standing = pl.col("verdict").replace_strict(STANDING, return_dtype=pl.Int8)
    standing += ((pl.col("verdict") == "unsure") & (pl.col("q") >= alpha)).cast(pl.Int8)
    if by_value or not frame["q"].is_finite().any():
        standing = pl.col("value").is_null()  # which the value says too
    by = [standing, value.fill_nan(None)]
    frame = frame.sort(by, descending=[False, True], maintain_order=True, nulls_last=True)
    return frame.with_columns(rank=pl.int_range(1, pl.len() + 1, dtype=pl.UInt32))


def min_max(frame: pl.DataFrame) -> pl.DataFrame:
    """Scale ``value, lo, hi, se`` to [0, 1] over all rows; ``null`` becomes what chance gets on that scale.

    Parameters
    ----------
    frame : polars.DataFrame
        Its values are net of the null, so chance is at 0.

    Examples
    --------
    >>> frame = pl.DataFrame({"value": [3.0, -1.0], "null": [5.0, 9.0]})
    >>> min_max(frame).rows()
    [(1.0, 0.25), (0.0, 0.25)]
    """
    values = frame["value"].drop_nans().drop_nulls().to_numpy()
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)
    span = high - low or 1.0
    places, widths = ("value", "lo", "hi", "q10", "q90"), ("se", "sd")
    scaled = [(pl.col(name) - low) / span for name in places if name in frame.columns]
    scaled += [pl.col(name) / span for name in widths if name in frame.columns]
    scaled += [pl.lit(-low / span).alias("null")] if "null" in frame.columns else []
    return frame.with_columns(scaled)


def verdict(row: Mapping[str, Any], label_entropy: float, alpha: float = 0.05) -> str:
    """Say in one word what a score means.

    ``constant`` (one value), ``leak`` (it explains more of the label than anything honest would), ``signal`` (above its null after
    correction for the number of columns, and the interval stays above zero), ``near-leak`` (the same, and it explains nearly
    everything), ``id`` (names the row and carries nothing), ``noise``, or ``unsure`` when the two tests disagree.
    """
    if row["card"] + (row["coverage"] < 1) <= 1:  # missing is a value
        return "constant"
    share = min(row["mi"], row["mi"] - row["mi_null"]) / label_entropy if label_entropy > 0 else 0.0
    if share >= LEAK_SHARE:
        return "leak"
    tested = np.isfinite(row["q"])
    beats, above = row["q"] < alpha, not row["lo"] <= 0
    if (beats and above) or not tested:
        if share >= NEAR_LEAK_SHARE or row["ratio"] >= NEAR_LEAK_RATIO:
            return "near-leak"
        return "signal" if tested else "unjudged"
    if row["names_rows"]:
        return "id"
    return "unsure" if beats or (above and row["p"] < alpha) else "noise"
