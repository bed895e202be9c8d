"""A seeded sample of rows as a state of the scan, for the heuristics that need rows and not counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from salience.data.hashing import combine

if TYPE_CHECKING:
    from salience.data.blocks import Block

__all__ = ["SampleState"]


class SampleState:
    """A state of the scan: the rows with the smallest keys, a seeded sample that no partition or order changes.

    Parameters
    ----------
    names : sequence of str
        Columns to keep.
    label : str
    rows : int
        Size of the sample.
    seed : int
    numbers : bool, default=False
        Keep the numbers of the columns instead of the identities of their values.
    binned : sequence of str, default=()
        Columns of which the bins are kept.
    """

    def __init__(
        self,
        names: Iterable[str],
        label: str,
        rows: int,
        seed: int,
        numbers: bool = False,
        binned: Iterable[str] = (),
    ) -> None:
        self.names, self.label, self.rows, self.seed, self.numbers = tuple(names), label, rows, seed, numbers
        self.binned = frozenset(binned)
        self._keys = np.empty(0, dtype=np.uint64)
        self._labels = np.empty(0, dtype=np.int32)
        self._values = np.empty((0, len(self.names)), dtype=np.float64 if numbers else np.uint64)

    def parts(self, block: Block) -> list[Callable[[], None]]:
        """One piece: rows are kept or dropped as a whole."""
        return [partial(self._add, block)]

    def _add(self, block: Block) -> None:
        labels = block.labels[self.label]
        position = (np.uint64(block.id[0]) << np.uint64(40)) + block.positions.astype(np.uint64)
        keys = combine(np.full(block.rows, self.seed + 1, dtype=np.uint64), position)
        wanted = labels >= 0
        if len(self._keys) >= self.rows:
            wanted &= keys < self._keys[-1]
        chosen = np.flatnonzero(wanted)
        if len(chosen):
            values = np.stack([self._of(block, name)[chosen] for name in self.names], axis=1)
            self._take(keys[chosen], labels[chosen], values)

    def _of(self, block: Block, name: str) -> NDArray[Any]:
        column = block.binned(name) if name in self.binned else block.column(name)
        if not self.numbers:
            return column.row_hashes()
        return np.full(column.rows, np.nan) if column.numeric is None else column.numeric

    def _take(self, keys: NDArray[np.uint64], labels: NDArray[np.int32], values: NDArray[Any]) -> None:
        keys = np.concatenate([self._keys, keys])
        order = np.argsort(keys, kind="stable")[: self.rows]
        self._keys = keys[order]
        self._labels = np.concatenate([self._labels, labels])[order]
        self._values = np.concatenate([self._values, values])[order]

    def merge(self, other: Self) -> None:
        """Keep the smallest keys of both."""
        self._take(other._keys, other._labels, other._values)

    def empty(self) -> Self:
        """A state of the same configuration without rows."""
        return type(self)(self.names, self.label, self.rows, self.seed, self.numbers, self.binned)

    def to_arrow(self) -> pa.Table:
        """The rows kept."""
        values = {f"c{i}": self._values[:, i] for i in range(len(self.names))}
        return pa.table({"key": self._keys, "label": self._labels, **values})

    def load_arrow(self, table: pa.Table) -> None:
        """Replace the rows by those that `to_arrow` gave."""
        self._keys = table["key"].to_numpy().astype(np.uint64)
        self._labels = table["label"].to_numpy().astype(np.int32)
        held = self._values.dtype
        columns = [table[f"c{i}"].to_numpy().astype(held) for i in range(len(self.names))]
        self._values = np.stack(columns, axis=1) if columns else np.empty((len(self._keys), 0), dtype=held)

    def finalize(self) -> tuple[dict[str, NDArray[Any]], NDArray[np.int32]]:
        """Codes of every column in the sample (or its numbers, NaN where there is none), and the classes."""
        columns = dict(zip(self.names, self._values.T, strict=True))
        if self.numbers:
            return columns, self._labels
        codes = {name: np.unique(values, return_inverse=True)[1] for name, values in columns.items()}
        return {name: code.astype(np.int64) for name, code in codes.items()}, self._labels
