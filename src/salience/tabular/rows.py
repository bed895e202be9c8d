"""Row ranking: which rows are unlike the others, by how empty, long and random their fields are, and
how that goes with the label.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import polars as pl
import pyarrow as pa

from salience.data.pilot import Pilot
from salience.results.meta import Meta
from salience.results.scores import Scores
from salience.tabular.streaming.naming import no_such_column
from salience.tabular.streaming.rowtexts import MEASURES, SCALE, measure_rows

if TYPE_CHECKING:
    from salience.data.blocks import Block
    from salience.data.plan import Plan

__all__ = ["RowReference", "RowReport", "RowState"]

BINS = 100
_ENTROPY = MEASURES.index("entropy")
_MOST_BITS = 8  # entropy of a byte
_SCORED = np.array([m != "blank" for m in MEASURES])  # blank is empty or braces: it would count twice
_SLICES = 2  # of a block, measured by different threads


@dataclass(frozen=True, eq=False)
class RowReference:
    """What rows usually look like: a histogram of each measure over a pilot.

    The outlier score of a row (a histogram-based outlier score) is ``sum over measures of -ln p(bin)``, with
    p the share of the pilot's rows in the same bin, one row added to each. It is high where a row looks as
    few others do. A fixed reference makes the score of a row independent of the rows that are read before it.

    Attributes
    ----------
    columns : tuple of str
        Fields that make up a row.
    counts : np.ndarray
        ``int64 (measures, BINS)``.
    """

    columns: tuple[str, ...]
    counts: np.ndarray

    @classmethod
    def from_pilot(cls, source: Any, plan: Plan, columns: Iterable[str] | None = None) -> RowReference:
        """Measure the rows of the plan's pilot.

        Parameters
        ----------
        source : Source
            That was planned.
        plan : Plan
        columns : iterable of str, optional
            All columns of the plan but the labels when not given.
        """
        known = [c.name for c in plan.columns]
        chosen = known if columns is None else list(dict.fromkeys(columns))
        for column in chosen:
            if column not in known:
                raise no_such_column(column, known, "columns")
        if not chosen:
            raise ValueError("a row needs at least one column; the plan has only labels")
        counts = np.zeros((len(MEASURES), BINS), dtype=np.int64)
        for batch in Pilot(source, chosen, plan.pilot_bytes, plan.seed).batches(chosen):
            bins = _bins(measure_rows([batch.column(c) for c in chosen], batch.num_rows), len(chosen))
            counts += _histograms(bins, np.zeros(len(bins), dtype=np.int64), 1)[:, 0]
        return cls(tuple(chosen), counts)

    def scores(self, sums: np.ndarray) -> np.ndarray:
        """Outlier score of rows, float64 (n,), from their sums (`measure_rows`)."""
        share = (self.counts + 1) / (self.counts.sum(axis=1, keepdims=True) + BINS)
        surprise = np.where(_SCORED[:, None], -np.log(share), 0.0)
        scores: np.ndarray = surprise[np.arange(len(MEASURES)), _bins(sums, len(self.columns))].sum(axis=1)
        return scores


@dataclass(frozen=True, eq=False)
class RowReport:
    """Result of a `RowState`.

    Attributes
    ----------
    scores : Scores
        The k rows with the highest outlier score: ``row`` (number in the source, from 0), ``value``,
        ``label`` and the measures.
    summary : pl.DataFrame
        ``label``, ``measure``, ``rows``, ``mean`` (exact), and ``q50``, ``q90``, ``q99`` (lower edges of the
        bins they lie in).
    histograms : pl.DataFrame
        ``label``, ``measure``, ``low``, ``high`` (edges of the bin), ``rows``; bins without a row are left
        out.
    """

    scores: Scores
    summary: pl.DataFrame
    histograms: pl.DataFrame


class RowState:
    """A state that measures rows, keeps histograms by label, and the k most unusual rows.

    All sums are of integers, and ties are broken by the number of the row: the result does not depend on the
    order, the partition or the merge tree of the blocks.

    Parameters
    ----------
    plan : Plan
        Of the scan.
    reference : RowReference
        From the pilot of the same source.
    label : str, optional
        The first label of the plan when not given; a plan without labels has one class.
    k : int, default 100
        Rows that are kept.
    """

    def __init__(self, plan: Plan, reference: RowReference, label: str | None = None, k: int = 100) -> None:
        if k < 1:
            raise ValueError(f"k is the number of rows that are kept, at least 1; got {k}")
        names = [target.name for target in plan.labels]
        if label is not None and label not in names:
            raise no_such_column(label, names, "label")
        self.plan, self.reference, self.k = plan, reference, k
        self.label = label if label is not None else (names[0] if names else None)
        classes = [] if self.label is None else [str(c) for c in plan.label(self.label).classes]
        self.classes = (*classes, None)  # the last one: rows without a label
        shape = (len(MEASURES), len(self.classes), BINS)
        self.counts = np.zeros(shape, dtype=np.int64)
        self.sums = np.zeros((len(self.classes), len(MEASURES)), dtype=np.int64)
        self.top = _Top.none()
        self._pending: list[tuple[np.ndarray, np.ndarray, _Top] | None] = []

    def parts(self, block: Block) -> Iterable[Callable[[], None]]:
        """A part for each slice of the block; what they find is taken up when all of them are done."""
        self._settle()
        cuts = np.linspace(0, block.rows, _SLICES + 1).astype(int)
        self._pending = [None] * _SLICES
        return [partial(self._measure, block, i, int(cuts[i]), int(cuts[i + 1])) for i in range(_SLICES)]

    def _measure(self, block: Block, slot: int, first: int, last: int) -> None:
        fields = [block.raw(c).slice(first, last - first) for c in self.reference.columns]
        sums = measure_rows(fields, last - first)
        classes = np.full(len(sums), len(self.classes) - 1, dtype=np.int64)
        if self.label is not None:
            label = block.labels[self.label][first:last]
            np.copyto(classes, label, where=label >= 0)
        totals = np.zeros_like(self.sums)
        np.add.at(totals, classes, sums)
        counts = _histograms(_bins(sums, len(self.reference.columns)), classes, len(self.classes))
        shards = np.full(len(sums), block.id[0], dtype=np.int64)
        found = _Top(self.reference.scores(sums), shards, block.positions[first:last], classes, sums)
        self._pending[slot] = (counts, totals, found.best(self.k))

    def _settle(self) -> None:
        for found in self._pending:
            if found is not None:
                self.counts += found[0]
                self.sums += found[1]
                self.top = self.top.joined(found[2]).best(self.k)
        self._pending = []

    def merge(self, other: Self) -> None:
        """Take up another state with the same configuration."""
        if (
            other.classes != self.classes
            or other.reference.columns != self.reference.columns
            or other.k != self.k
        ):
            raise ValueError("two row states can only be merged if their label, columns and k are equal")
        self._settle()
        other._settle()
        self.counts += other.counts
        self.sums += other.sums
        self.top = self.top.joined(other.top).best(self.k)

    def empty(self) -> Self:
        """A fresh state with the same configuration."""
        return type(self)(self.plan, self.reference, self.label, self.k)

    def to_arrow(self) -> pa.Table:
        """The content, one row."""
        self._settle()
        arrays = {"counts": self.counts, "sums": self.sums, **vars(self.top)}
        return pa.table({name: pa.array([array.ravel()]) for name, array in arrays.items()})

    def load_arrow(self, table: pa.Table) -> None:
        """Replace the content by that of a table from `to_arrow`."""
        flat = {
            name: np.array(table[name][0].values.to_numpy(zero_copy_only=False))
            for name in table.column_names
        }
        self._pending = []
        self.counts = flat.pop("counts").reshape(self.counts.shape)
        self.sums = flat.pop("sums").reshape(self.sums.shape)
        flat["measures"] = flat["measures"].reshape(-1, len(MEASURES))
        self.top = _Top(**flat)

    def finalize(self) -> RowReport:
        """The ranking, the summary and the histograms."""
        self._settle()
        return RowReport(self._scores(), self._summary(), self._histogram_frame())

    def _scores(self) -> Scores:
        rows = np.array([shard.rows for shard in self.plan.shards], dtype=np.int64)
        before = {
            s.index: int(first) for s, first in zip(self.plan.shards, np.cumsum(rows) - rows, strict=True)
        }
        values = self.top.measures / _units(len(self.reference.columns))
        numbers = [
            before[s] + p for s, p in zip(self.top.shards.tolist(), self.top.positions.tolist(), strict=True)
        ]
        frame = pl.DataFrame(
            {
                "row": pl.Series(numbers, dtype=pl.Int64),
                "value": self.top.scores,
                "label": pl.Series([self.classes[c] for c in self.top.classes.tolist()], dtype=pl.String),
                **{name: values[:, i] for i, name in enumerate(MEASURES)},
            }
        )
        meta = Meta(
            method="row ranking",
            params={"k": self.k, "columns": len(self.reference.columns)},
            rows=int(self.counts[0].sum()),
            unit="nats",
        )
        return Scores(frame, ("row",), item="row", better="high", meta=meta)

    def _summary(self) -> pl.DataFrame:
        rows = []
        highest = np.where(np.arange(len(MEASURES)) == _ENTROPY, _MOST_BITS, 1.0)
        for c, name in enumerate(self.classes):
            n = int(self.counts[0, c].sum())
            means = self.sums[c] / _units(len(self.reference.columns)) / max(n, 1)
            for m, measure in enumerate(MEASURES):
                if n:
                    reached = np.cumsum(self.counts[m, c])
                    q50, q90, q99 = (
                        float(np.searchsorted(reached, q * n) * highest[m] / BINS) for q in (0.5, 0.9, 0.99)
                    )
                    rows.append((name, measure, n, float(means[m]), q50, q90, q99))
        numbers = dict.fromkeys(("mean", "q50", "q90", "q99"), pl.Float64)
        schema = {"label": pl.String, "measure": pl.String, "rows": pl.Int64, **numbers}
        return pl.DataFrame(rows, schema=schema, orient="row")

    def _histogram_frame(self) -> pl.DataFrame:
        measure, klass, at = np.nonzero(self.counts)
        width = np.where(measure == _ENTROPY, _MOST_BITS, 1.0) / BINS
        return pl.DataFrame(
            {
                "label": pl.Series([self.classes[c] for c in klass.tolist()], dtype=pl.String),
                "measure": pl.Series([MEASURES[m] for m in measure.tolist()], dtype=pl.String),
                "low": at * width,
                "high": (at + 1) * width,
                "rows": self.counts[measure, klass, at],
            }
        )


@dataclass(frozen=True, eq=False)
class _Top:
    """Rows with their score; `best` puts the highest first, ties by shard and position."""

    scores: np.ndarray  # float64 (k,)
    shards: np.ndarray  # int64 (k,), like the next two
    positions: np.ndarray
    classes: np.ndarray
    measures: np.ndarray  # int64 (k, measures), sums over the fields

    @classmethod
    def none(cls) -> _Top:
        nothing = np.empty(0, dtype=np.int64)
        return cls(np.empty(0), nothing, nothing, nothing, np.empty((0, len(MEASURES)), dtype=np.int64))

    def joined(self, other: _Top) -> _Top:
        return _Top(
            *(
                np.concatenate([mine, theirs])
                for mine, theirs in zip(*map(_fields, (self, other)), strict=True)
            )
        )

    def best(self, k: int) -> _Top:
        candidates = np.arange(len(self.scores))
        if len(self.scores) > k:  # all that reach the k-th score: ties are settled below
            candidates = np.flatnonzero(self.scores >= np.partition(self.scores, -k)[-k])
        keys = (self.positions[candidates], self.shards[candidates], -self.scores[candidates])
        chosen = candidates[np.lexsort(keys)][:k]
        return _Top(*(array[chosen] for array in _fields(self)))


def _fields(top: _Top) -> tuple[np.ndarray, ...]:
    return top.scores, top.shards, top.positions, top.classes, top.measures


def _units(columns: int) -> np.ndarray:
    """What a sum over the fields of a row is divided by: float64 (measures,)."""
    units: np.ndarray = columns * np.where(np.arange(len(MEASURES)) == _ENTROPY, float(SCALE), 1.0)
    return units


def _bins(sums: np.ndarray, columns: int) -> np.ndarray:
    """Bin of every measure of every row, int64 (n, measures); computed in integers, so that no rounding
    moves an edge.
    """
    full = np.full(len(MEASURES), columns, dtype=np.int64)
    full[_ENTROPY] = columns * SCALE * _MOST_BITS
    bins: np.ndarray = np.clip(sums * BINS // full, 0, BINS - 1)
    return bins


def _histograms(bins: np.ndarray, classes: np.ndarray, count: int) -> np.ndarray:
    """int64 (measures, classes, BINS)."""
    flat = (np.arange(len(MEASURES)) * count + classes[:, None]) * BINS + bins
    size = len(MEASURES) * count * BINS
    histograms: np.ndarray = np.bincount(flat.ravel(), minlength=size).reshape(len(MEASURES), count, BINS)
    return histograms
