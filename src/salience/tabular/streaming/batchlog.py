"""Scores of items in batches, kept until the end.

The median of medians is not the median, so nothing is summarised before the end: a `BatchLog` keeps (batch,
item, score) and can be merged, saved, resumed.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

__all__ = ["AGGREGATES", "BatchLog"]

_COMPACT = 4096  # small pieces are joined so often: a piece costs some 700 bytes however short it is

AGGREGATES = ("median", "mean")


class BatchLog:
    """Scores of items in batches, kept one by one until somebody asks for the median.

    Parameters
    ----------
    measures : sequence of str
        Names of the numbers each (batch, item) brings. The first one is *the* score.

    Examples
    --------
    >>> log = BatchLog(("score",))
    >>> log.add(0, np.array([0, 1]), score=np.array([0.1, 0.5]))
    >>> log.add(1, np.array([0]), score=np.array([0.3]))
    >>> log.aggregate(n_items=3)["score"]
    array([0.2, 0.5, nan])
    >>> log.aggregate(n_items=3)["n_batches"]
    array([2, 1, 0])
    """

    def __init__(self, measures: Sequence[str] = ("score",)) -> None:
        self.measures = tuple(measures)
        self._pieces: list[tuple[NDArray[Any], ...]] = []
        self._recent: list[tuple[NDArray[Any], ...]] = []
        self._lock = threading.Lock()

    def add(self, batch: int, items: NDArray[np.integer[Any]], **measures: NDArray[np.float64]) -> None:
        """Note what one batch says about some items; any thread may call it.

        Parameters
        ----------
        batch : int
            What tells batches apart, the same however the stream was split among workers.
        items : ndarray of int, shape (m,)
        **measures : ndarray of float64, shape (m,)
            One array for each of ``self.measures``.
        """
        if set(measures) != set(self.measures):
            raise ValueError(f"This log keeps {self.measures}; got {tuple(measures)}.")
        items = np.asarray(items, dtype=np.int64)
        columns = [np.asarray(measures[name], dtype=np.float64) for name in self.measures]
        piece = (np.full(len(items), batch, dtype=np.int64), items, *columns)
        with self._lock:
            self._recent.append(piece)
            if len(self._recent) >= _COMPACT:
                self._compact()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_lock"}

    def __setstate__(self, content: dict[str, Any]) -> None:  # in a worker
        self.__dict__ |= content
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return sum(len(piece[0]) for piece in (*self._pieces, *self._recent))

    def merge(self, other: BatchLog) -> None:
        """Take over the records of another log of the same measures (batches must be distinct)."""
        if other.measures != self.measures:
            raise ValueError(f"Cannot merge a log of {other.measures} into one of {self.measures}.")
        self._pieces += [*other._pieces, *other._recent]

    def to_arrow(self) -> pa.Table:
        """All records: ``batch, item`` and the measures; sorted, so that equal logs are equal tables."""
        batch, item, *values = self._columns()
        order = np.lexsort((batch, item))
        named = {"batch": batch, "item": item, **dict(zip(self.measures, values, strict=True))}
        return pa.table({name: column[order] for name, column in named.items()})

    def load_arrow(self, table: pa.Table) -> None:
        """Replace the content by a table that `to_arrow` made."""
        names = ("batch", "item", *self.measures)
        self._pieces = [tuple(table[name].to_numpy() for name in names)] if table.num_rows else []
        self._recent = []

    def items(self) -> NDArray[np.int64]:
        """The items that were scored in some batch, ascending, without repetition."""
        return np.unique(self._columns()[1])

    def aggregate(self, n_items: int | None = None, how: str = "median") -> dict[str, NDArray[Any]]:
        """What all batches together say about each item.

        Parameters
        ----------
        n_items : int, optional
            Items are 0 .. n_items - 1; without it, one entry per item of `items()`, in that order.
        how : {"median", "mean"}

        Returns
        -------
        dict of ndarray, each of shape (n_items,)
            Each measure aggregated (NaN for an item no batch has scored); ``q10, q90`` and ``sd`` of the
            score over batches; ``n_batches``, int64.
        """
        if how not in AGGREGATES:
            raise ValueError(f"aggregate={how!r} is unknown; it must be one of {', '.join(AGGREGATES)}.")
        batch, item, *values = self._columns()
        if n_items is None:
            known, item = np.unique(item, return_inverse=True)
            n_items = len(known)
        counts = np.bincount(item, minlength=n_items).astype(np.int64)
        out: dict[str, NDArray[Any]] = {"n_batches": counts}
        for name, value in zip(self.measures, values, strict=True):
            out[name] = _median(item, value, counts) if how == "median" else _mean(batch, item, value, counts)
        score = values[0]
        ordered = score[np.lexsort((score, item))]
        out["q10"], out["q90"] = _quantile(ordered, counts, 0.1), _quantile(ordered, counts, 0.9)
        centre = _mean(batch, item, score, counts)
        spread = _mean(batch, item, (score - centre[item]) ** 2, counts)
        with np.errstate(invalid="ignore", divide="ignore"):
            out["sd"] = np.sqrt(np.where(counts > 1, spread * counts / (counts - 1), np.nan))
        return out

    def _compact(self) -> None:
        if self._recent:
            self._pieces.append(tuple(np.concatenate(c) for c in zip(*self._recent, strict=True)))
            self._recent = []

    def _columns(self) -> list[NDArray[Any]]:
        pieces = [*self._pieces, *self._recent]
        if not pieces:
            integers: list[NDArray[Any]] = [np.zeros(0, dtype=np.int64)] * 2
            return integers + [np.zeros(0)] * len(self.measures)
        return [np.concatenate(column) for column in zip(*pieces, strict=True)]


def _median(item: NDArray[Any], value: NDArray[Any], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    return _quantile(value[np.lexsort((value, item))], counts, 0.5)


def _mean(
    batch: NDArray[Any], item: NDArray[Any], value: NDArray[Any], counts: NDArray[np.int64]
) -> NDArray[np.float64]:
    # Sorted before adding: floating-point sums must not depend on the order in which batches came.
    order = np.lexsort((value, batch, item))
    sums = np.bincount(item[order], weights=value[order], minlength=len(counts))
    with np.errstate(invalid="ignore"):
        return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _quantile(ordered: NDArray[Any], counts: NDArray[np.int64], q: float) -> NDArray[np.float64]:
    """Linearly interpolated quantile within runs of ``ordered``, one run of ``counts[i]`` values per item."""
    if len(ordered) == 0:
        return np.full(len(counts), np.nan)
    ends = np.cumsum(counts)
    place = q * np.maximum(counts - 1, 0)
    below = np.floor(place).astype(np.int64)
    first = np.minimum(ends - counts + below, len(ordered) - 1)
    second = np.minimum(first + 1, np.maximum(ends - 1, 0))
    share = place - below
    # a + share * (b - a) would turn a median of two equal numbers into a rounding error
    value = np.where(share == 0, ordered[first], (1 - share) * ordered[first] + share * ordered[second])
    return np.where(counts > 0, value, np.nan)
