"""The statistics that transforms need, from one pass over the data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa

from salience.data.encoding import numbers
from salience.data.pilot import Pilot
from salience.tabular.transforms.derivation import number_columns
from salience.tabular.transforms.statistics import Statistics

if TYPE_CHECKING:
    from salience.data.blocks import Block
    from salience.data.plan import Plan

__all__ = ["ProfileState", "pilot_statistics"]


class ProfileState:
    """Bounds and counts of number columns, exactly, and a random sample of rows for everything else.

    The sample holds the `size` rows whose key is smallest; the key is a pseudo-random function of seed,
    shard and row. It is therefore the same whatever the order, the partition and the merge tree of the
    blocks.

    Parameters
    ----------
    columns : sequence of str
        Number columns.
    size : int, default 8192
        Rows of the sample. Memory is ``8 * size`` bytes per column. A quantile from the sample has a
        standard error of at most ``0.5 / sqrt(size)`` in rank (half a percent by default).
    seed : int, default 0
        Which sample.
    """

    def __init__(self, columns: Sequence[str], size: int = 8192, seed: int = 0) -> None:
        if size < 1:
            raise ValueError(f"size must be at least 1 row, got {size}")
        self.columns, self.size, self.seed = tuple(columns), size, seed
        self.keys = np.empty(0, dtype=np.uint64)  # (<= size,) ascending
        self.values = {c: np.empty(0) for c in self.columns}  # the sampled rows, in the order of the keys
        self.counts = {c: np.zeros(2, dtype=np.int64) for c in self.columns}  # finite, not finite
        self.bounds = {c: np.array([np.inf, -np.inf]) for c in self.columns}

    def parts(self, block: Block) -> Iterable[Callable[[], None]]:
        """One part per column."""
        keys = _row_keys(block.id[0], block.positions, self.seed)
        full = len(self.keys) == self.size
        chosen = np.flatnonzero(keys <= self.keys[-1]) if full else np.arange(len(keys))
        joined = np.concatenate([self.keys, keys[chosen]])
        order = np.argsort(joined, kind="stable")[: self.size]
        self.keys = joined[order]
        return [_of_column(name, partial(self._add, name, block, chosen, order)) for name in self.columns]

    def _add(self, name: str, block: Block, chosen: np.ndarray, order: np.ndarray) -> None:
        x = block.column(name).numeric
        if x is None:
            raise ValueError(f"column {name!r} holds no numbers; plan it as a number, or leave it out")
        self.values[name] = np.concatenate([self.values[name], x[chosen]])[order]
        finite = x[np.isfinite(x)]
        self.counts[name] += (len(finite), len(x) - len(finite))
        if len(finite):
            low, high = self.bounds[name]
            self.bounds[name] = np.array([min(low, finite.min()), max(high, finite.max())])

    def merge(self, other: Self) -> None:
        """Take up another state with the same configuration."""
        if (other.columns, other.size, other.seed) != (self.columns, self.size, self.seed):
            raise ValueError("two profiles can only be merged if their columns, size and seed are equal")
        joined = np.concatenate([self.keys, other.keys])
        order = np.argsort(joined, kind="stable")[: self.size]
        self.keys = joined[order]
        for c in self.columns:
            self.values[c] = np.concatenate([self.values[c], other.values[c]])[order]
            self.counts[c] = self.counts[c] + other.counts[c]
            (a, b), (x, y) = self.bounds[c], other.bounds[c]
            self.bounds[c] = np.array([min(a, x), max(b, y)])

    def empty(self) -> Self:
        """A fresh state with the same configuration."""
        return type(self)(self.columns, self.size, self.seed)

    def finalize(self) -> dict[str, Statistics]:
        """Statistics of every column; mean, deviation and quantiles are those of the sample."""
        made = {}
        for c in self.columns:
            (count, missing), (low, high) = self.counts[c].tolist(), self.bounds[c].tolist()
            bounds = {"minimum": low, "maximum": high} if count else {}
            made[c] = Statistics.from_values(self.values[c]).with_moments(
                count=count, missing=missing, **bounds
            )
        return made

    def to_arrow(self) -> pa.Table:
        """The content, one row per column."""
        return pa.table(
            {
                "column": pa.array(self.columns, pa.string()),
                "keys": pa.array([self.keys] * len(self.columns), pa.list_(pa.uint64())),
                "values": pa.array([self.values[c] for c in self.columns], pa.list_(pa.float64())),
                "counts": pa.array([self.counts[c] for c in self.columns], pa.list_(pa.int64())),
                "bounds": pa.array([self.bounds[c] for c in self.columns], pa.list_(pa.float64())),
            }
        )

    def load_arrow(self, table: pa.Table) -> None:
        """Replace the content by that of a table from `to_arrow`."""
        if tuple(table["column"].to_pylist()) != self.columns:
            raise ValueError(f"the table is of {table['column'].to_pylist()}, this profile of {self.columns}")
        for i, c in enumerate(self.columns):
            self.keys = _flat(table["keys"], i)
            self.values[c], self.counts[c], self.bounds[c] = (
                _flat(table[k], i) for k in ("values", "counts", "bounds")
            )


def pilot_statistics(source: Any, plan: Plan, columns: Iterable[str] | None = None) -> dict[str, Statistics]:
    """Statistics of number columns from the pilot of the plan, without a pass over the data.

    Parameters
    ----------
    source : Source
        That was planned.
    plan : Plan
        Its kinds, missing symbols and seed are used.
    columns : iterable of str, optional
        Number columns; all of them when not given.

    Returns
    -------
    dict
        From column to `Statistics` of the pilot. A `ProfileState` finds the exact bounds.
    """
    chosen = number_columns(plan, columns)
    pilot = Pilot(source, chosen, plan.pilot_bytes, plan.seed).columns() if chosen else ()
    return {c: Statistics.from_values(numbers(v.values, "number", plan.missing), v.counts) for c, v in pilot}


def _flat(column: pa.ChunkedArray, row: int) -> np.ndarray:
    return np.array(column[row].values.to_numpy(zero_copy_only=False))


def _of_column(name: str, part: partial[None]) -> partial[None]:
    part.column = name  # type: ignore[attr-defined]  # parts of one column run in one thread
    return part


def _row_keys(shard: int, positions: np.ndarray, seed: int) -> np.ndarray:
    # splitmix64 is a bijection, and (shard, row) fits into 64 bits without overlap: no two rows share a key
    key = (np.uint64(shard) << np.uint64(40)) ^ positions.astype(np.uint64)
    key = key + np.uint64((seed * 0x9E3779B97F4A7C15) % 2**64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        key = (key ^ (key >> np.uint64(shift))) * np.uint64(factor)
    mixed: np.ndarray = key ^ (key >> np.uint64(31))
    return mixed
