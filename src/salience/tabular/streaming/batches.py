"""Scores taken batch by batch, and their median: OutRank's way of looking at a stream.

A batch sees some 16,384 rows, so a column with a hundred thousand values looks to it like one of
singletons: the median over batches is blind to high cardinality, which is why counts over the whole stream
are the default of `salience rank`. It is what the paper does, though, and it is the only place where a row
order matters.

"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Self

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from salience.measures import nulls
from salience.measures.counting import Contingency
from salience.measures.nulltable import NullTable
from salience.results.meta import Meta
from salience.results.scores import Scores
from salience.tabular.streaming.batchlog import AGGREGATES, BatchLog
from salience.tabular.streaming.jointcounts import above_chance, joint_counts

if TYPE_CHECKING:
    from salience.data.blocks import Block
    from salience.measures.counting import Item

__all__ = ["BATCH_NULLS", "BatchState", "batch_bounds"]


def batch_bounds(rows: int, batch_rows: int) -> list[tuple[int, int]]:
    """Split rows into batches of about ``batch_rows``, no row left over.

    The last rows of a block are not dropped, and they do not become a batch of three rows with a vote of
    its own: sizes differ by at most one.

    Examples
    --------
    >>> batch_bounds(10, 4)
    [(0, 5), (5, 10)]
    >>> batch_bounds(3, 4)
    [(0, 3)]
    """
    if batch_rows < 2:
        raise ValueError(f"batch_rows={batch_rows}; a batch needs at least 2 rows.")
    pieces = max(1, round(rows / batch_rows))
    cuts = [rows * i // pieces for i in range(pieces + 1)]
    return list(pairwise(cuts))


@dataclass(frozen=True)
class _Batch:
    """The labels of one batch, and what all its columns share."""

    key: int
    rows: NDArray[np.int64]
    labels: NDArray[np.int32]
    n_classes: int
    null_table: NullTable
    seed: tuple[int, int]


BatchNull = Callable[[NDArray[np.int32], int, _Batch], tuple[float, float, float]]


def _analytic(codes: NDArray[np.int32], card: int, batch: _Batch) -> tuple[float, float, float]:
    one = np.zeros((1, 1), dtype=np.int32)
    joint = joint_counts(codes[None], np.array([card]), batch.labels, batch.n_classes, one, threads=1)
    score, null = above_chance(joint, batch.null_table)
    return float(score[0]), float(joint.mi[0]), float(null[0])


def _plain(codes: NDArray[np.int32], card: int, batch: _Batch) -> tuple[float, float, float]:
    one = np.zeros((1, 1), dtype=np.int32)
    joint = joint_counts(codes[None], np.array([card]), batch.labels, batch.n_classes, one, threads=1)
    return float(joint.mi[0]), float(joint.mi[0]), 0.0


def _permuted(codes: NDArray[np.int32], card: int, batch: _Batch) -> tuple[float, float, float]:
    drawn = nulls.permutation_null(
        Contingency.from_codes(codes, batch.labels, batch.n_classes),
        n=10,
        rng=np.random.default_rng(batch.seed),
    )
    return drawn.observed - drawn.mean, drawn.observed, drawn.mean


def _shifted(codes: NDArray[np.int32], card: int, batch: _Batch) -> tuple[float, float, float]:
    # The shift takes neighbours for strangers. Shuffling the rows first makes them so, whatever order they
    # came in.
    shuffle = np.random.default_rng(batch.seed).permutation(len(codes))
    score = nulls.shift_score(codes[shuffle], batch.labels[shuffle])
    mi = _plain(codes, card, batch)[0]
    return score, mi, mi - score


BATCH_NULLS: Mapping[str, BatchNull] = {
    "analytic": _analytic,
    "permute": _permuted,
    "shift": _shifted,
    "none": _plain,
}


class BatchState:
    """A state of the scan that scores each column in each batch and takes the median at the end.

    Parameters
    ----------
    items : sequence of (name, view)
        Columns and their view, ``"values"`` or ``"bins"``.
    label : str
        One of the plan's labels.
    n_classes : int
        Classes of that label.
    null : {"analytic", "shift", "permute", "none"}
        What is subtracted: the exact expectation under random pairing; OutRank's shifted label, after
        shuffling the rows of the batch; the mean of 10 permutations; nothing.
    batch_rows : int
        Rows of a batch, about: a block is split evenly, so that no tail is left over.
    min_rows : int
        A batch with fewer labelled rows is counted, not scored; if all are, `finalize` raises.
    aggregate : {"median", "mean"}
        How the batches' scores become one.
    seed : int
        Seeds the shuffles and permutations, together with the batch, so the workers' number does not matter.

    Notes
    -----
    A batch in which the label is constant says nothing about any column. It is counted (``meta.extra``),
    never scored 0. A missing value is a value like any other. Scores are in nats.
    """

    def __init__(
        self,
        items: Sequence[Item],
        label: str,
        n_classes: int,
        *,
        null: str = "analytic",
        batch_rows: int = 16384,
        min_rows: int = 1024,
        aggregate: str = "median",
        seed: int = 0,
    ) -> None:
        if null not in BATCH_NULLS:
            raise ValueError(f"null={null!r} is unknown; it must be one of {', '.join(BATCH_NULLS)}.")
        if aggregate not in AGGREGATES:
            raise ValueError(
                f"aggregate={aggregate!r} is unknown; it must be one of {', '.join(AGGREGATES)}."
            )
        batch_bounds(0, batch_rows)
        self.items, self.label, self.n_classes = tuple(items), label, n_classes
        self.null, self.batch_rows, self.min_rows = null, batch_rows, min_rows
        self.aggregate, self.seed = aggregate, seed
        self.log = BatchLog(("score", "mi", "null"))
        self.counts = dict.fromkeys(("rows", "batches", "constant_label", "too_few", "rows_unscored"), 0)

    def empty(self) -> Self:
        """A state of the same configuration that has seen nothing."""
        return type(self)(
            self.items, self.label, self.n_classes, null=self.null, batch_rows=self.batch_rows,
            min_rows=self.min_rows, aggregate=self.aggregate, seed=self.seed,
        )  # fmt: skip

    def parts(self, block: Block) -> Iterator[Callable[[], None]]:
        """One piece of work per column; see :class:`salience.data.scan.State`."""
        batches = self._batches(block)
        if not batches:
            return

        def score(place: int) -> None:
            name, view = self.items[place]
            column = (block.binned(name) if view == "bins" else block.column(name)).coded()
            assert column.codes is not None
            for batch in batches:
                codes, card = _dense(column.codes[batch.rows])
                value, mi, null = BATCH_NULLS[self.null](codes, card, batch)
                self.log.add(
                    batch.key,
                    np.array([place]),
                    score=np.array([value]),
                    mi=np.array([mi]),
                    null=np.array([null]),
                )

        for place in range(len(self.items)):
            yield lambda place=place: score(place)  # type: ignore[misc]

    def _batches(self, block: Block) -> list[_Batch]:
        labels = block.labels[self.label]
        found = []
        for start, stop in batch_bounds(block.rows, self.batch_rows):
            rows = np.flatnonzero(labels[start:stop] >= 0) + start
            own = labels[rows]
            counts = np.bincount(own, minlength=self.n_classes)
            self.counts["rows"] += len(rows)
            if len(rows) < max(2, self.min_rows):
                reason = "too_few"
            elif (counts > 0).sum() < 2:
                reason = "constant_label"
            else:
                reason = "batches"
                key = (block.id[0] << 40) + block.id[1] + start
                table = NullTable(counts[counts > 0])
                found.append(_Batch(key, rows, own, self.n_classes, table, (self.seed, key)))
            self.counts[reason] += 1
            self.counts["rows_unscored"] += 0 if reason == "batches" else len(rows)
        return found

    def merge(self, other: BatchState) -> None:
        """Take over the batches of another state, in place."""
        self.log.merge(other.log)
        self.counts = {name: count + other.counts[name] for name, count in self.counts.items()}

    def to_arrow(self) -> pa.Table:
        """The content, as one table; the counts of batches are in its metadata."""
        counts = {name.encode(): str(count).encode() for name, count in self.counts.items()}
        return self.log.to_arrow().replace_schema_metadata(counts)

    def load_arrow(self, table: pa.Table) -> None:
        """Replace the content by a table that `to_arrow` made."""
        metadata = table.schema.metadata or {}
        self.counts = {name: int(metadata.get(name.encode(), b"0")) for name in self.counts}
        self.log.load_arrow(table)

    def finalize(self) -> Scores:
        """The aggregate over batches.

        Returns
        -------
        Scores
            Of columns: ``column, view, value, q10, q90, sd, n_batches, mi, null``; value in nats.

        Raises
        ------
        ValueError
            When no batch could be scored; the message says why and which option to change.
        """
        if not self.counts["batches"]:
            raise ValueError(self._nothing())
        found = self.log.aggregate(len(self.items), self.aggregate)
        frame = pl.DataFrame(
            {
                "column": [name for name, _ in self.items],
                "view": [view for _, view in self.items],
                "value": found["score"],
                **{name: found[name] for name in ("q10", "q90", "sd", "n_batches", "mi", "null")},
            }
        )
        views = len({name for name, _ in self.items}) < len(self.items)
        params = {
            "null": self.null, "batch_rows": self.batch_rows, "min_rows": self.min_rows, "aggregate":
            self.aggregate, "label": self.label,
        }  # fmt: skip
        return Scores(
            frame=frame,
            keys=("column", "view") if views else ("column",),
            item="column",
            better="high",
            meta=Meta(
                method="outrank-batches", params=params, seed=self.seed, unit="nats",
                rows=self.counts["rows"], warnings=self._warnings(), extra=self.counts,
            ),
        )  # fmt: skip

    def _warnings(self) -> tuple[str, ...]:
        said = {
            "constant_label": "batches have one label value only; they were left out, not scored 0",
            "too_few": f"batches have fewer than min_rows={self.min_rows} labelled rows; they were left out",
        }
        return tuple(f"{self.counts[name]} {text}" for name, text in said.items() if self.counts[name])

    def _nothing(self) -> str:
        rows = self.counts["rows"]
        if self.counts["constant_label"]:
            return (
                f"The label {self.label!r} is constant in each of the {self.counts['constant_label']} "
                f"batches of about {self.batch_rows} rows ({rows} rows): the file may be sorted by it. Raise "
                "the batch size, shuffle the file, or score over the whole stream (no batches)."
            )
        return (
            f"No batch has min_rows={self.min_rows} labelled rows; {rows} rows were kept in all. Lower "
            "min_rows, or lower the subsampling so that more rows are kept."
        )


def _dense(codes: NDArray[np.int32]) -> tuple[NDArray[np.int32], int]:
    """Codes of a block renumbered 0 .. card - 1 within a batch, and card."""
    present = np.zeros(int(codes.max()) + 1, dtype=bool)
    present[codes] = True
    number = np.cumsum(present, dtype=np.int32) - 1
    return number[codes].astype(np.int32), int(number[-1]) + 1
