"""Does what should not matter not matter: order, names, units, the number of workers?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import narwhals as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray

from salience.results.scores import Scores
from salience.verify.check import Check, refuse_unknown
from salience.verify.checks.relations import interest_in, rank_correlation
from salience.verify.encoding import split_columns
from salience.verify.fitting import fit_scores, takes_workers
from salience.verify.sample import Sample


class Change(NamedTuple):
    """What should not matter: in words, done to a sample, and why it cannot be done to it (empty: it can)."""

    said: str
    of: Callable[[Sample, np.random.Generator], Sample]
    lacks: Callable[[Any, Sample], str] = lambda fit, sample: ""


def invariance(
    fit: Any,
    data: Any,
    under: Sequence[str] = ("row_order", "item_order", "relabel", "rescale", "n_jobs"),
    *,
    n: int = 3,
    threshold: float = 0.99,
    seed: int = 0,
) -> tuple[Check, ...]:
    """Does the same ranking come out when only something changes that should not matter?

    ============  =================================================================================
    "row_order"   the rows in another order
    "item_order"  the columns in another order
    "relabel"     the classes of the target, and the values of text columns, under other names
    "rescale"     the numeric columns in other units (times a power of two, so that nothing is rounded)
    "n_jobs"      another number of workers
    ============  =================================================================================

    Parameters
    ----------
    fit : callable (frame, label) -> Scores, or estimator with `scores_`
    data : pair (X, y), (frame, "target column"), or Sample
    under : sequence of str
    n : int
        Random changes of each kind.
    threshold : float
        For the rank correlation with the original ranking.
    seed : int
        The method gets the same seed every time.

    Returns
    -------
    tuple of Check
        One per kind, called "invariance: <kind>". `lo` and `hi` are the worst and the best of the `n`
        changes.
    """
    refuse_unknown(under, CHANGES, "change")
    sample = Sample.of(data)
    if len(sample.items) < 3:
        why = f"{len(sample.items)} columns have hardly an order; 3 are the least"
        return tuple(Check.not_run(f"invariance: {kind}", why) for kind in under)
    original = fit_scores(fit, sample, seed=seed)
    return tuple(_one(kind, fit, sample, original, n, threshold, seed) for kind in under)


def _one(kind: str, fit: Any, sample: Sample, original: Scores, n: int, threshold: float, seed: int) -> Check:
    name = f"invariance: {kind}"
    change = CHANGES[kind]
    reason = change.lacks(fit, sample)
    if reason:
        return Check.not_run(name, reason)
    correlations: list[float] = []
    moved: dict[str, float] = {}
    there = set(sample.items)
    items = [item for item in original.items if item in there]
    if not items:
        return Check.not_run(name, "the method scores none of the columns")
    own = _worth(original, items)
    for number in range(n):
        rng = np.random.default_rng((seed, 5, number))
        workers = None if kind != "n_jobs" else number + 2
        other = _worth(fit_scores(fit, change.of(sample, rng), seed=seed, workers=workers), items)
        # Two rankings that are constant are the same ranking, though they have no correlation.
        same = np.array_equal(np.nan_to_num(own, nan=-np.inf), np.nan_to_num(other, nan=-np.inf))
        correlations.append(1.0 if same else rank_correlation(own, other))
        for item, shift in zip(items, np.abs(_places(own) - _places(other)), strict=True):
            moved[item] = max(moved.get(item, 0.0), float(shift))
    most = max(moved, key=lambda item: moved[item])
    said = f"{most} moves most, by {moved[most]:g} places" if moved[most] else "no column moves"
    return Check.judged(
        name,
        statistic=min(correlations),
        lo=min(correlations),
        hi=max(correlations),
        reference=0.0,
        threshold=threshold,
        unit="rank correlation with the original, worst to best",
        why=f"{change.said}: {said}",
        settings={"n": n, "seed": seed},
        curve=pl.DataFrame({"item": list(moved), "places": list(moved.values())}),
    )


def _row_order(sample: Sample, rng: np.random.Generator) -> Sample:
    return sample.take(rng.permutation(len(sample)))


def _item_order(sample: Sample, rng: np.random.Generator) -> Sample:
    return sample.select([sample.items[i] for i in rng.permutation(len(sample.items))])


def _relabel(sample: Sample, rng: np.random.Generator) -> Sample:
    _, texts = split_columns(sample.frame)
    renamed = {name: _renamed(sample.frame[name], rng) for name in texts}
    changed = sample.with_columns(renamed) if renamed else sample
    if sample.task == "numbers":
        return changed
    classes, codes = np.unique(sample.target.astype(str), return_inverse=True)
    first = np.array(
        [sample.target[np.flatnonzero(codes == code)[0]] for code in range(len(classes))], sample.target.dtype
    )
    # Every class gets the name of another one: the names stay of the type the method was given.
    turn = int(rng.integers(1, len(classes))) if len(classes) > 1 else 0
    return changed.with_target(np.roll(first, turn)[codes])


def _rescale(sample: Sample, rng: np.random.Generator) -> Sample:
    numeric = [sample.frame[name] for name in sample.items if _is_numeric(sample.frame[name])]
    wide = [column if column.dtype.is_float() else column.cast(nw.Int64) for column in numeric]
    return sample.with_columns({column.name: column * int(2 ** rng.integers(1, 8)) for column in wide})


def _is_numeric(column: nw.Series[Any]) -> bool:
    return column.dtype.is_float() or column.dtype.is_signed_integer()


def _renamed(column: nw.Series[Any], rng: np.random.Generator) -> NDArray[Any]:
    values = pl.Series(column.name, column.to_arrow()).cast(pl.String)
    distinct = values.drop_nulls().unique().sort().to_list()
    names = dict(zip(distinct, (f"v{i}" for i in rng.permutation(len(distinct))), strict=True))
    return np.array([names.get(value) for value in values.to_list()], dtype=object)


def _needs_workers(fit: Any, sample: Sample) -> str:
    return "" if takes_workers(fit) else "the method takes no number of workers (n_jobs, threads or workers)"


def _needs_numbers(fit: Any, sample: Sample) -> str:
    return "" if any(_is_numeric(sample.frame[name]) for name in sample.items) else "no column is numeric"


def _needs_names(fit: Any, sample: Sample) -> str:
    named = sample.task == "classes" or split_columns(sample.frame)[1]
    return "" if named else "the target and all columns are numbers: there is nothing to rename"


CHANGES: dict[str, Change] = {
    "row_order": Change("with the rows in another order", _row_order),
    "item_order": Change("with the columns in another order", _item_order),
    "relabel": Change("with classes and values under other names", _relabel, _needs_names),
    "rescale": Change("with the numbers in other units", _rescale, _needs_numbers),
    "n_jobs": Change("with another number of workers", lambda sample, rng: sample, _needs_workers),
}


def _worth(scores: Scores, items: Sequence[str]) -> NDArray[np.float64]:
    """Interest in each item; differences below nine digits of the largest are rounding, not a ranking."""
    values = interest_in(items, scores)
    scale = np.nanmax(np.abs(values)) if np.isfinite(values).any() else 0.0
    return np.asarray(np.round(values / scale, 9) if scale > 0 else values)


def _places(worth: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.stats import rankdata

    return np.asarray(rankdata(-np.nan_to_num(worth, nan=-np.inf)))
