"""The exact answers that approximate ones are measured against, ties counted as right."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from salience.measures.neighbors import METRICS, nearest_by
from salience.vectors.indexes.base import normalised

__all__ = ["TIE", "Truth", "worse_by"]

Ids: TypeAlias = NDArray[np.int64]
Values: TypeAlias = NDArray[np.float64]

TIE = 1e-6  # relative difference up to which two rows are equally near


@dataclass(frozen=True)
class Truth:
    """The k exact neighbours of each query.

    Attributes
    ----------
    rows, queries : ndarray, shape (n, d), (m, d)
    metric : {"l2", "ip", "cosine"}
    ids : ndarray of int64, shape (m, k)
    last : ndarray of float64, shape (m,)
        How far the k-th is: a distance, or a similarity with the sign changed.
    own : ndarray of int64, shape (m,)
        The row that a query is and that does not count as its neighbour, or -1.
    equal : int
        Queries that equal some row.
    """

    rows: NDArray[Any]
    queries: NDArray[Any]
    metric: str
    ids: Ids
    last: Values
    own: Ids
    equal: int

    @classmethod
    def of(
        cls, rows: NDArray[Any], queries: NDArray[Any], k: int, metric: str, *, own: Ids | None = None,
        exclude_self: bool = False, progress: Callable[[int, int], None] | None = None,
    ) -> Truth:  # fmt: skip
        """Search exactly. `own` says which row each query is; else `exclude_self` looks for an equal one."""
        more = min(k + (exclude_self or own is not None), len(rows))
        found = nearest_by(
            rows, queries, more, metrics=tuple(dict.fromkeys(("l2", metric))), progress=progress
        )
        near, distances = found["l2"]
        equal = distances[:, 0] == 0
        if own is None:
            own = np.where(equal & exclude_self, near[:, 0], -1)
        ids = without(found[metric][0], own, k)
        last = worse_by(rows, queries, ids[:, -1:], metric)[:, 0]
        return cls(rows, queries, metric, ids, last, own, int(equal.sum()))

    @property
    def k(self) -> int:
        return int(self.ids.shape[1])

    @property
    def asked(self) -> int:
        """Neighbours to ask an index for, so that k remain without the query itself."""
        return self.k + bool((self.own >= 0).any())

    def hits(self, found: Ids) -> NDArray[np.int64]:
        """How many of the first k that an index found are right, shape (m,); `found` is what `asked` gave."""
        found = without(found, self.own, self.k)
        right = np.zeros(found.shape, dtype=bool)
        for place in range(self.k):
            right |= found == self.ids[:, place, None]
        right &= found >= 0
        unsure = np.flatnonzero(~right.all(axis=1))
        if unsure.size:
            far = worse_by(self.rows, self.queries[unsure], found[unsure], self.metric)
            last = self.last[unsure, None]
            right[unsure] |= far <= last + TIE * np.abs(last)
        return right.sum(axis=1)


def without(found: Ids, own: Ids, k: int) -> Ids:
    """The first k of each row that are not the query's own row; -1 where there are fewer."""
    others = found != own[:, None]
    others |= found < 0  # -1 says "nothing", not "itself"
    order = np.argsort(~others, axis=1, kind="stable")[:, :k]
    kept = np.where(np.take_along_axis(others, order, axis=1), np.take_along_axis(found, order, axis=1), -1)
    return np.pad(kept, ((0, 0), (0, k - kept.shape[1])), constant_values=-1)


def worse_by(rows: NDArray[Any], queries: NDArray[Any], ids: Ids, metric: str) -> Values:
    """How far rows are from queries in float64: a distance, or a similarity with the sign changed; -1: infinite."""
    far = np.full(ids.shape, np.inf)
    step = max(1, (1 << 22) // (ids.shape[1] * rows.shape[1]))
    for start in range(0, len(ids), step):
        part = slice(start, start + step)
        near = np.asarray(rows[np.maximum(ids[part], 0).ravel()], dtype=np.float32).reshape(
            *ids[part].shape, -1
        )
        far[part] = _FAR[metric](near, np.asarray(queries[part], dtype=np.float32))
    far[ids < 0] = np.inf
    return far


def _distance(near: NDArray[np.float32], queries: NDArray[np.float32]) -> Values:
    difference = near.astype(np.float64) - queries[:, None]
    return np.sqrt(np.einsum("qkd,qkd->qk", difference, difference))


def _product(near: NDArray[np.float32], queries: NDArray[np.float32]) -> Values:
    return -np.einsum("qkd,qd->qk", near, queries, dtype=np.float64)


def _cosine(near: NDArray[np.float32], queries: NDArray[np.float32]) -> Values:
    shape = near.shape
    return _product(normalised(near.reshape(-1, shape[2])).reshape(shape), normalised(queries))


_FAR: Mapping[str, Callable[[NDArray[np.float32], NDArray[np.float32]], Values]] = dict(
    zip(METRICS, (_distance, _product, _cosine), strict=True)
)
