"""Keep rows class by class: so many of the best, or all above a level, and if wanted no two that stand together."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["Adjacency", "kept_above", "kept_rate", "scaled_by_class"]

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]


def scaled_by_class(values: Floats, codes: Codes) -> Floats:
    """From 0 for the lowest of each class to 1 for the highest; all 1 where they are equal, NaN stays NaN.

    Examples
    --------
    >>> scaled_by_class(np.array([1.0, 3.0, 2.0, 5.0, np.nan]), np.array([0, 0, 0, 1, 1])).tolist()
    [0.0, 1.0, 0.5, 1.0, nan]
    """
    scaled = np.full(len(values), np.nan)
    for c in np.unique(codes):
        here = (codes == c) & ~np.isnan(values)
        if here.any():
            low, high = values[here].min(), values[here].max()
            scaled[here] = (values[here] - low) / (high - low) if high > low else 1.0
    return scaled


class Adjacency:
    """Which rows stand together: neighbours in a graph, in either direction, and rows that are equal.

    Parameters
    ----------
    a, b : ndarray of int, shape (edges,)
    twins : ndarray of int, shape (n,)
        Equal rows have an equal number.
    """

    def __init__(self, a: NDArray[np.int32], b: NDArray[np.int32], twins: NDArray[np.int64]) -> None:
        ends, others = np.concatenate([a, b]), np.concatenate([b, a])
        order = np.argsort(ends, kind="stable")
        self._others = others[order]
        self._starts = np.searchsorted(ends[order], np.arange(len(twins) + 1))
        self.twins = twins

    def of(self, row: int) -> NDArray[np.int32]:
        """The neighbours of a row."""
        return self._others[self._starts[row] : self._starts[row + 1]]


def kept_rate(scaled: Floats, codes: Codes, rate: float, apart: Adjacency | None = None) -> Mask:
    """Keep ``ceil(rate * n_c)`` rows of each class `c`, at least 1; rows without a score never.

    With `apart`, a row is passed over while it stands beside one that is kept; what is then missing is taken from those
    that were passed over, equal rows last.

    Examples
    --------
    >>> kept_rate(np.array([0.1, 0.9, 0.5, 1.0]), np.array([0, 0, 0, 1]), 0.5).tolist()
    [False, True, True, True]
    """
    kept = np.zeros(len(scaled), dtype=bool)
    for c in np.unique(codes):
        rows = np.flatnonzero((codes == c) & ~np.isnan(scaled))
        best = rows[np.argsort(-scaled[rows], kind="stable")]
        # the small step back keeps 0.07 of 100 at 7: the product is 7.000000000000001
        quota = max(math.ceil(rate * int((codes == c).sum()) - 1e-9), 1)
        kept[(best if apart is None else _spread(best, quota, apart))[:quota]] = True
    return kept


def kept_above(scaled: Floats, codes: Codes, threshold: float, apart: Adjacency | None = None) -> Mask:
    """Keep the rows whose scaled score is at least `threshold`; of each class at least the best."""
    kept = np.zeros(len(scaled), dtype=bool)
    for c in np.unique(codes):
        rows = np.flatnonzero((codes == c) & ~np.isnan(scaled))
        best = rows[np.argsort(-scaled[rows], kind="stable")]
        best = best[: max(int((scaled[best] >= threshold).sum()), 1)]
        kept[best if apart is None else _apart(best, len(best), apart)] = True
    return kept


def _spread(best: NDArray[np.intp], quota: int, apart: Adjacency) -> NDArray[np.intp]:
    """The rows that stand apart, then the passed over, then those equal to one that was taken; each best first."""
    first = _apart(best, quota, apart)
    if len(first) >= quota:
        return first
    rest = best[~np.isin(best, first)]
    equal = np.isin(apart.twins[rest], apart.twins[first])
    _, where = np.unique(apart.twins[rest], return_index=True)
    repeated = np.ones(len(rest), dtype=bool)
    repeated[where] = False
    late = equal | repeated
    return np.concatenate([first, rest[~late], rest[late]])


def _apart(best: NDArray[np.intp], quota: int, apart: Adjacency) -> NDArray[np.intp]:
    """Go down the order and take a row when it is beside none that was taken, until there are enough."""
    passed = np.zeros(len(apart.twins), dtype=bool)
    seen: set[int] = set()
    taken: list[int] = []
    for row in best.tolist():
        twin = int(apart.twins[row])
        if passed[row] or twin in seen:
            continue
        taken.append(row)
        seen.add(twin)
        passed[apart.of(row)] = True
        if len(taken) == quota:
            break
    return np.array(taken, dtype=np.intp)
