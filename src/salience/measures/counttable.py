"""Contingency tables of columns of any cardinality in bounded memory, exactly mergeable.

A `CountTable` counts (value, class) pairs by the 64-bit identity of the value. When it would hold more than
``cap`` sampled values it halves a threshold on the identities and drops the values above it; the values of
the Plan's heavy list and the missing value always stay. With ``theta = 2**-k``, the final ``k`` is the
smallest one for which at most ``cap`` distinct values (that are not heavy) have an identity below ``2**64 >>
k``. It therefore depends on the multiset of rows alone, and so does the whole table: any order, partition and
merge tree of the rows gives the same bits.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from salience.data.hashing import MISSING
from salience.measures.contingency import Contingency
from salience.measures.hashtable import (
    CHECKSUM,
    LIGHT,
    OVER,
    USED,
    add_codes,
    add_counts,
    add_hashes,
    class_counts,
    sieve_of,
    tally,
)

__all__ = ["CONTENT", "CountTable", "checked_class_counts", "columns_of"]

_FIRST_SLOTS = 64
_MOST_NARROW = 2**31 - 1
_FILL = 0.7  # linear probing: 2.2 probes for a value that is there, 6 for a new one
CONTENT = "salience.count_table"
"""Key of the metadata of an Arrow table that holds counts."""


class CountTable:
    """Counts of (value, class) pairs of one column.

    Parameters
    ----------
    n_classes : int
        Classes of the label, at least 1.
    cap : int
        Most sampled values that the table may hold, at least 2.
    heavy : array-like of uint64, optional
        Identities that are always kept, beside the missing value; they do not count towards `cap`.
    expected : int, default=0
        Distinct values to make room for at once; a guess that is wrong costs time or memory, nothing else.

    Attributes
    ----------
    halvings : int
        How often the threshold was halved; `theta` is ``2**-halvings``.
    label_counts : ndarray of int64, shape (n_classes,)
        Rows of each class over all values, kept or not.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> hashes = np.array([5, 9], dtype=np.uint64)
    >>> column = SimpleNamespace(hashes=hashes, codes=np.array([0, 1, 1], dtype=np.int32))
    >>> table = CountTable(n_classes=2, cap=1024)
    >>> table.add(column, np.array([0, 1, -1], dtype=np.int32))
    >>> table.contingency().counts
    array([[1, 0], [0, 1]])
    """

    def __init__(self, n_classes: int, cap: int, heavy: ArrayLike = (), expected: int = 0) -> None:
        if n_classes < 1:
            raise ValueError(f"n_classes is {n_classes}; a table needs at least one class")
        if cap < 2:
            raise ValueError(
                f"cap is {cap}; a table must be allowed at least 2 values (a plan gives 1024 or more)"
            )
        self.n_classes = int(n_classes)
        self.cap = int(cap)
        listed = np.asarray(heavy, dtype=np.uint64).ravel()
        self.heavy: NDArray[np.uint64] = np.union1d(listed, np.array([MISSING], dtype=np.uint64))
        self.halvings = 0
        self.label_counts = np.zeros(self.n_classes, dtype=np.int64)
        self._sieve = sieve_of(self.heavy)
        self._state = np.zeros(3, dtype=np.int64)
        self.expected = int(expected)
        self._wide = False  # counts of 32 bits, until so many rows have been seen that one could overflow
        self._allocate(self._first_slots())

    def _first_slots(self) -> int:
        wanted = min(self.expected, self.cap) / _FILL
        return max(_FIRST_SLOTS, 1 << int(wanted).bit_length())

    @property
    def theta(self) -> float:
        """Share of the identities below the threshold."""
        return 2.0**-self.halvings

    @property
    def checksum(self) -> int:
        """Sum of the identities of all labelled rows modulo 2**64."""
        return int(self._state[CHECKSUM : CHECKSUM + 1].view(np.uint64)[0])

    @property
    def nbytes(self) -> int:
        """Bytes held by the table."""
        return self._counts.nbytes + self._keys.size * 8 + self._sieve.nbytes + self.heavy.nbytes

    def add(
        self, column: Any, labels: NDArray[np.int32], label_counts: NDArray[np.int64] | None = None
    ) -> None:
        """Count the rows of a block; rows with label -1 are skipped.

        Parameters
        ----------
        column : Column
            ``hashes`` uint64 of the local codes, with ``codes`` int32 ``(n,)``; or of the rows, with
            ``codes`` None.
        labels : ndarray of int32, shape (n,)
        label_counts : ndarray of int64, shape (n_classes,), optional
            `checked_class_counts` of the labels, where many columns share them.

        Raises
        ------
        ValueError
            When the lengths differ, or a label or a code is out of range.
        """
        hashes, codes = column.hashes, column.codes
        rows = len(hashes) if codes is None else len(codes)
        if len(labels) != rows:
            raise ValueError(
                f"the column has {rows} rows and the label {len(labels)}; they must be of the same block"
            )
        if rows == 0:
            return
        of_labels = checked_class_counts(labels, self.n_classes) if label_counts is None else label_counts
        self._widen_for(rows)
        if codes is None:
            self._run(lambda start, table: add_hashes(hashes, labels, start, *table), rows)
            self.label_counts += of_labels
            return
        if int(codes.max()) >= len(hashes) or int(codes.min()) < 0:
            raise ValueError(
                f"codes run from {codes.min()} to {codes.max()}, but there are {len(hashes)} hashes"
            )
        if len(hashes) * (self.n_classes + 1) <= max(rows // 2, 128):
            local = tally(codes, labels, len(hashes), self.n_classes)[:, 1:]
            self._add_rows(hashes, local)
            self._count_in(np.sum(hashes * local.sum(axis=1).astype(np.uint64), dtype=np.uint64))
        elif len(hashes) <= rows:
            self._run(lambda start, table: add_codes(codes, hashes, labels, start, *table), rows)
        else:
            by_row = hashes[codes]
            self._run(lambda start, table: add_hashes(by_row, labels, start, *table), rows)
        self.label_counts += of_labels

    def merge(self, other: CountTable) -> None:
        """Add the counts of another table of the same column.

        Raises
        ------
        ValueError
            When the two were not made for the same classes, cap and heavy values.
        """
        mine = (self.n_classes, self.cap, len(self.heavy))
        theirs = (other.n_classes, other.cap, len(other.heavy))
        if mine != theirs or not np.array_equal(self.heavy, other.heavy):
            raise ValueError(
                f"tables of different plans cannot be merged: (classes, cap, heavy values) is {mine} here "
                f"and {theirs} "
                "there; count both with the same Plan"
            )
        keys, counts = other.content()
        self._take(keys, counts, other.halvings, other.label_counts, other.checksum)

    def empty(self) -> CountTable:
        """Return a table of the same configuration without counts."""
        return CountTable(self.n_classes, self.cap, self.heavy, self.expected)

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Without counts, pickle the configuration alone: the room for the values expected is made anew."""
        if self.halvings or self.label_counts.any() or self._state.any():
            return super().__reduce_ex__(protocol)
        return type(self), (self.n_classes, self.cap, self.heavy, self.expected)

    def contingency(self) -> Contingency:
        """Return the counts as they stand, values in ascending order of identity."""
        keys, counts = self.content()
        weight = np.where(self._is_heavy(keys), 1.0, 1.0 / self.theta)
        return Contingency(keys, counts, weight, self.label_counts.copy(), self.theta, self.checksum)

    def to_arrow(self) -> pa.Table:
        """Return the content (not the configuration) as a table: ``key``, ``counts``."""
        keys, counts = self.content()
        table = pa.table(
            {"key": keys, "counts": pa.FixedSizeListArray.from_arrays(counts.ravel(), self.n_classes)}
        )
        return table.replace_schema_metadata({CONTENT: json.dumps(self.header())})

    def load_arrow(self, table: pa.Table) -> None:
        """Replace the content by that of a table with the same configuration, written by `to_arrow`.

        Raises
        ------
        ValueError
            When it is no such table, or one of another number of classes.
        """
        metadata = table.schema.metadata or {}
        if CONTENT.encode() not in metadata:
            raise ValueError(
                f"this Arrow table has no {CONTENT!r} metadata: it was not written by CountTable.to_arrow"
            )
        self.load(json.loads(metadata[CONTENT.encode()]), *columns_of(table, self.n_classes))

    def header(self) -> dict[str, Any]:
        """Return what belongs to the content beside keys and counts, as JSON can hold it."""
        return {
            "halvings": self.halvings,
            "label_counts": self.label_counts.tolist(),
            "checksum": self.checksum,
        }

    def load(self, header: dict[str, Any], keys: NDArray[np.uint64], counts: NDArray[np.int64]) -> None:
        labels = np.array(header["label_counts"], dtype=np.int64)
        if labels.shape != self.label_counts.shape:
            raise ValueError(f"the content has {len(labels)} classes, this table has {self.n_classes}")
        self.halvings = 0
        self.label_counts[:] = 0
        self._state[:] = 0
        self._wide = False
        self._allocate(self._first_slots())
        self._take(keys, counts, header["halvings"], labels, header["checksum"])

    def _take(
        self,
        keys: NDArray[np.uint64],
        counts: NDArray[np.int64],
        halvings: int,
        label_counts: NDArray[np.int64],
        checksum: int,
    ) -> None:
        self._widen_for(int(label_counts.sum()))
        if halvings > self.halvings:
            self._halve(halvings)
        self._add_rows(keys, counts)
        self.label_counts += label_counts
        self._count_in(np.uint64(checksum))

    def _widen_for(self, rows: int) -> None:
        """Make the counts as wide as they must be for so many more rows."""
        if not self._wide and int(self.label_counts.sum()) + rows > _MOST_NARROW:
            self._wide = True
            self._rebuild(self._slots, *self.content(ordered=False))

    def _add_rows(self, keys: NDArray[np.uint64], counts: NDArray[np.int64]) -> None:
        self._run(lambda start, table: add_counts(keys, counts, start, *table), len(keys))

    def _count_in(self, checksum: np.uint64) -> None:
        total = self._state[CHECKSUM : CHECKSUM + 1].view(np.uint64)
        total += checksum  # an array, so that it wraps around silently

    def _run(self, kernel: Callable[[int, tuple], tuple[int, int]], rows: int) -> None:
        """Call a kernel until it is through, making room or halving the threshold where it stops."""
        start = 0
        while True:
            configuration = (
                self._shift,
                self._limit,
                self.heavy,
                self._sieve,
                self.cap,
                self._room,
                self._state,
            )
            start, reason = kernel(start, (self._keys, self._counts, *configuration))
            if start >= rows:
                return
            if reason == OVER:
                self._halve(self.halvings + 1)
            else:
                self._rebuild(2 * self._slots, *self.content(ordered=False))

    def _halve(self, halvings: int) -> None:
        keys, counts = self.content(ordered=False)
        self.halvings = halvings
        stay = (keys <= self._limit) | self._is_heavy(keys)
        self._rebuild(self._slots, keys[stay], counts[stay])

    def _rebuild(self, slots: int, keys: NDArray[np.uint64], counts: NDArray[np.int64]) -> None:
        self._allocate(slots)
        self._state[[USED, LIGHT]] = 0
        self._add_rows(keys, counts)

    def _allocate(self, slots: int) -> None:
        self._slots = slots
        self._shift = np.uint64(64 - (slots.bit_length() - 1))
        self._room = int(slots * _FILL)
        # key and counts of a value side by side: one wait for memory, not two
        kind = np.dtype(np.int64 if self._wide else np.int32)
        per_word = 8 // kind.itemsize
        rows = np.zeros((slots + 1, 1 - (-self.n_classes // per_word)), dtype=np.uint64)
        self._keys = rows[:, 0]
        self._counts = rows.view(kind)[:, per_word : per_word + self.n_classes]

    @property
    def _limit(self) -> np.uint64:
        """The greatest identity below the threshold."""
        return np.uint64((2**64 - 1) >> self.halvings)

    def _is_heavy(self, keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
        at = np.minimum(np.searchsorted(self.heavy, keys), len(self.heavy) - 1)
        return self.heavy[at] == keys

    def content(self, ordered: bool = True) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """Return the identities, ascending unless `ordered` is false, and their counts ``(d, n_classes)``."""
        slots = np.flatnonzero(self._keys)
        keys = self._keys[slots]
        if len(slots) and slots[-1] == self._slots:
            keys[-1] = 0  # the last row belongs to the identity 0
        if ordered:
            order = np.argsort(keys)
            slots, keys = slots[order], keys[order]
        return keys, self._counts[slots].astype(np.int64)


def checked_class_counts(labels: NDArray[np.int32], n_classes: int) -> NDArray[np.int64]:
    """Rows of each class, int64 (n_classes,); rows with label -1 are left out.

    Raises
    ------
    ValueError
        When a label is no class.
    """
    if len(labels) and (int(labels.max()) >= n_classes or int(labels.min()) < -1):
        raise ValueError(
            f"labels run from {labels.min()} to {labels.max()}, but the table has the classes 0..{n_classes - 1} "
            "(and -1 for no label)"
        )
    return class_counts(labels, n_classes)


def columns_of(table: pa.Table, n_classes: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Return the keys and the counts ``(rows, n_classes)`` of a table with the columns ``key`` and
    ``counts``."""
    lists = table["counts"].combine_chunks()
    width = table.schema.field("counts").type.list_size
    if width != n_classes:
        raise ValueError(f"the content has {width} classes, this table has {n_classes}")
    return table["key"].to_numpy().astype(np.uint64), lists.flatten().to_numpy().reshape(-1, width)
