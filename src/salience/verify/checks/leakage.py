"""Does one item know too much? A column that was filled in after the outcome is found by what it achieves
alone."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from salience.results.scores import Scores
from salience.verify.bench import Bench
from salience.verify.check import Check
from salience.verify.checks.performance import ranked
from salience.verify.checks.relations import interest
from salience.verify.fingerprints import refuse_same_data
from salience.verify.intervals import mean_intervals


def leak(
    scores: Scores,
    bench: Bench | None = None,
    *,
    label_copy: float | None = None,
    candidates: int = 5,
    threshold: float = 0.9,
    level: float = 0.95,
    seed: int = 0,
) -> Check:
    """Is there an item that alone is as good as the label itself?

    Parameters
    ----------
    scores : Scores
        One ranking.
    bench : Bench, optional
        With a value that cannot be bettered (`perfect`); the best items are evaluated on it one at a time.
    label_copy : float, optional
        The score a copy of the label gets from the same method on the same data (see `controls`). Without a
        bench the scores themselves are compared with it.
    candidates : int
        How many of the best items are looked at.
    threshold : float
        The share of the way from the floor to perfection (or of the score of the label copy) that no item
        reaches alone.
    level : float
    seed : int

    Returns
    -------
    Check
        "fails" names the items that know too much; `curve` has all candidates.
    """
    if bench is not None:
        return _by_performance(scores, bench, candidates, threshold, level, seed)
    if label_copy is None:
        return Check.not_run(
            "leak", "there is neither a bench nor the score of a copy of the label to compare with"
        )
    if not (np.isfinite(label_copy) and label_copy != 0):
        return Check.not_run(
            "leak", f"a copy of the label scores {label_copy}: that is no scale to compare with"
        )
    shares = interest(scores) / (abs(label_copy) if scores.better != "low" else -abs(label_copy))
    named = [str(name) for name in scores.items]
    best = np.argsort(-np.nan_to_num(shares, nan=-np.inf), kind="stable")[:candidates]
    found = pl.DataFrame(
        {"item": [named[i] for i in best], "share": shares[best], "lo": shares[best], "hi": shares[best]}
    )
    return _judged(found, "of the score of a copy of the label", threshold, {"label copy": label_copy}, None)


def _by_performance(
    scores: Scores, bench: Bench, candidates: int, threshold: float, level: float, seed: int
) -> Check:
    refuse_same_data(scores.meta.data, bench.data)
    if bench.perfect is None:
        return Check.not_run(
            "leak", "the bench knows no perfect value, so no item can be near it", how=bench.how
        )
    best = ranked(scores, bench)[:candidates]
    keep = np.zeros((len(best) + 1, len(bench.items)), dtype=bool)
    keep[np.arange(1, len(best) + 1), best] = True
    values = bench.values(keep)
    way = bench.perfect - values[0].mean()
    if way == 0:
        return Check.not_run(
            "leak", "without any item the bench is perfect already: there is nothing to know", how=bench.how
        )
    found_alone = mean_intervals(list((values[1:] - values[0]) / way), None, level, seed)
    rows = [(str(bench.items[item]), *interval) for item, interval in zip(best, found_alone, strict=True)]
    found = pl.DataFrame(rows, schema=["item", "share", "lo", "hi"], orient="row")
    settings = {"candidates": candidates, "level": level, "seed": seed}
    return _judged(found, "of what there is to know", threshold, settings, bench.how)


def _judged(
    found: pl.DataFrame, of_what: str, threshold: float, settings: Mapping[str, object], how: str | None
) -> Check:
    worst = found.sort("share", descending=True, maintain_order=True).row(0, named=True)
    guilty = found.filter(pl.col("lo") > threshold)["item"].to_list()
    said = ", ".join(guilty) if guilty else worst["item"]
    return Check.judged(
        "leak",
        statistic=worst["share"],
        lo=worst["lo"],
        hi=worst["hi"],
        threshold=threshold,
        better="low",
        unit=f"share {of_what}",
        why=(
            f"{said} alone {'reach' if len(guilty) > 1 else 'reaches'} {worst['share']:.0%} {of_what}"
            f"{': make sure that is known before the outcome' if guilty else ''}"
        ),
        settings=settings,
        how=how,
        curve=found,
    )
