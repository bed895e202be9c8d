"""Exact classes of the labels, from a pass over the label columns alone.

A rare third class must not be overlooked and a class must not appear in the middle of a scan, so a pilot is
not enough here.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from salience.data.columnplan import ColumnPlan, quantile_edges
from salience.data.encoding import numbers
from salience.data.hashing import MISSING, as_text, identities
from salience.data.pilot import Values, value_counts
from salience.data.readers.source import PIECE_BYTES

MOST_CLASSES = 256
BINNED_ABOVE = 20  # distinct numbers
_TRACKED = 4096  # distinct values that are counted one by one


@dataclass(frozen=True, eq=False)
class LabelPlan:
    """The classes of one label.

    Attributes
    ----------
    name : str
    kind : {"classes", "bins"}
        The values themselves, or quantile bins of a number with many values.
    classes : tuple of str
        Names, in ascending order; class i of the scan is ``classes[i]``.
    identities : uint64 (classes,)
        Of the values; empty for bins.
    edges : float64 (classes - 1,) or None
        Inner edges of the bins: class i is ``edges[i-1] <= y < edges[i]``.
    counts : int64 (classes,)
        Rows of each class in the whole source.
    missing : int
        Rows without a label. They are dropped.
    column : ColumnPlan
        How the label is read.
    """

    name: str
    kind: str
    classes: tuple[str, ...]
    identities: NDArray[np.uint64]
    edges: NDArray[np.float64] | None
    counts: NDArray[np.int64]
    missing: int
    column: ColumnPlan

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "name": self.name,
            "kind": self.kind,
            "classes": list(self.classes),
            "identities": [str(h) for h in self.identities.tolist()],
            "edges": None if self.edges is None else self.edges.tolist(),
            "counts": self.counts.tolist(),
            "missing": self.missing,
            "column": self.column.to_dict(),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> LabelPlan:
        """The inverse of `to_dict`."""
        return cls(
            name=content["name"],
            kind=content["kind"],
            classes=tuple(content["classes"]),
            identities=np.array([int(h) for h in content["identities"]], np.uint64),
            edges=None if content["edges"] is None else np.array(content["edges"], np.float64),
            counts=np.array(content["counts"], np.int64),
            missing=int(content["missing"]),
            column=ColumnPlan.from_dict(content["column"]),
        )


def plan_labels(
    source: Any,
    columns: Sequence[ColumnPlan],
    pilots: Mapping[str, Values],
    missing: tuple[str, ...],
    bins: int,
) -> tuple[LabelPlan, ...]:
    """Count the values of the label columns over all rows and make them classes.

    Parameters
    ----------
    source : Source
    columns : sequence of ColumnPlan
        Of the labels.
    pilots : mapping of str to Values
        Of the labels; the bins of a number with very many values come from there.
    missing : tuple of str
    bins : int
        Of a number with more than 20 distinct values.

    Raises
    ------
    ValueError
        A label without values, with one value, or with more than 256 texts.
    """
    tallies = [_Tally(column, missing, pilots[column.name], bins) for column in columns]
    names = [column.name for column in columns]
    for shard in source.shards():
        for batch in source.batches(shard, names, 65536, PIECE_BYTES):
            for tally in tallies:
                tally.add(batch.column(tally.column.name))
    return tuple(tally.finish() for tally in tallies)


@dataclass
class _Tally:
    """Counts the values of a label, one by one while they are few; then by bins."""

    column: ColumnPlan
    missing: tuple[str, ...]
    pilot: Values
    bins: int
    rows: int = 0
    absent: int = 0
    found: dict[int, list[Any]] = field(default_factory=dict)  # identity -> [count, number, name]
    edges: NDArray[np.float64] | None = None
    binned: NDArray[np.int64] | None = None

    @property
    def numeric(self) -> bool:
        return self.column.kind in ("number", "time")

    def add(self, array: pa.Array) -> None:
        values, counts = value_counts(array)
        hashes, _ = identities(values, self.column.kind, self.missing)
        number = (
            numbers(values, self.column.kind, self.missing) if self.numeric else np.full(len(values), np.nan)
        )
        self.rows += int(counts.sum())
        if self.binned is not None:
            self._add_to_bins(number, counts)
            return
        present = np.flatnonzero(hashes != MISSING)
        self.absent += int(counts.sum() - counts[present].sum())
        texts = None
        for at in present.tolist():
            entry = self.found.get(int(hashes[at]))
            if entry is None:
                texts = as_text(values) if texts is None else texts
                entry = self.found[int(hashes[at])] = [
                    0,
                    float(number[at]),
                    _name(texts[at].as_py(), float(number[at])),
                ]
            entry[0] += int(counts[at])
        if len(self.found) > (_TRACKED if self.numeric else MOST_CLASSES):
            self._overflow()

    def _overflow(self) -> None:
        if not self.numeric:
            raise _too_many_classes(self.column.name, [entry[2] for entry in self.found.values()])
        number = numbers(self.pilot.values, self.column.kind, self.missing)
        finite = np.isfinite(number)
        self.edges = quantile_edges(number[finite], self.pilot.counts[finite], self.bins)
        if self.edges is None:
            self.edges = self._edges_of_found()
        self.binned = np.zeros(len(self.edges) + 1, np.int64)
        self._bin_found()

    def _edges_of_found(self) -> NDArray[np.float64]:
        number = np.array([entry[1] for entry in self.found.values()])
        counts = np.array([entry[0] for entry in self.found.values()])
        finite = np.isfinite(number)
        edges = quantile_edges(number[finite], counts[finite], self.bins)
        return np.empty(0) if edges is None else edges

    def _bin_found(self) -> None:
        number = np.array([entry[1] for entry in self.found.values()])
        self._add_to_bins(number, np.array([entry[0] for entry in self.found.values()], np.int64))
        self.found.clear()

    def _add_to_bins(self, number: NDArray[np.float64], counts: NDArray[np.int64]) -> None:
        assert self.edges is not None
        assert self.binned is not None
        real = ~np.isnan(number)  # texts in a number label have no place among the bins: missing
        self.absent += int(counts[~real].sum())
        at = np.searchsorted(self.edges, number[real], side="right")
        self.binned += np.bincount(at, counts[real], len(self.binned)).astype(np.int64)

    def finish(self) -> LabelPlan:
        name = self.column.name
        distinct_numbers = sum(entry[1] == entry[1] for entry in self.found.values())
        if self.binned is None and distinct_numbers > BINNED_ABOVE:
            self.edges = self._edges_of_found()
            self.binned = np.zeros(len(self.edges) + 1, np.int64)
            self._bin_found()
        if self.binned is not None:
            assert self.edges is not None
            return self._plan("bins", _bin_names(self.edges), np.empty(0, np.uint64), self.binned)
        if not self.found:
            raise ValueError(
                f"The label {name!r} has no value in any of the {self.rows} rows (missing are: null, NaN and "
                f"{list(self.missing)}). Choose another label, or change missing=."
            )
        if len(self.found) == 1:
            (entry,) = self.found.values()
            raise ValueError(
                f"The label {name!r} is constant: {entry[2]!r} in all {entry[0]} rows that have one. "
                "Nothing can be told about it; "
                "choose another label, or data with at least two classes."
            )
        if len(self.found) > MOST_CLASSES:
            raise _too_many_classes(name, [entry[2] for entry in self.found.values()])
        order = sorted(self.found.items(), key=lambda item: _place(*item[1][1:]))
        counts = np.array([entry[0] for _, entry in order], np.int64)
        return self._plan(
            "classes",
            tuple(entry[2] for _, entry in order),
            np.array([h for h, _ in order], np.uint64),
            counts,
        )

    def _plan(
        self, kind: str, classes: tuple[str, ...], keys: NDArray[np.uint64], counts: NDArray[np.int64]
    ) -> LabelPlan:
        return LabelPlan(self.column.name, kind, classes, keys, self.edges, counts, self.absent, self.column)


def _place(number: float, name: str) -> tuple[bool, float, str]:
    """Numbers by size, then texts by name."""
    text = number != number
    return text, 0.0 if text else number, name


def _name(text: str, number: float) -> str:
    """One name for ``1``, ``1.0`` and ``"1.00"``."""
    if number.is_integer() and abs(number) < 2**53:
        return str(int(number)) if text not in ("true", "false") else text
    return text


def _bin_names(edges: NDArray[np.float64]) -> tuple[str, ...]:
    marks = [f"{edge:.6g}" for edge in edges]
    if not marks:
        return ("all",)
    return (
        f"< {marks[0]}",
        *(f"[{a}, {b})" for a, b in itertools.pairwise(marks)),
        f">= {marks[-1]}",
    )


def _too_many_classes(name: str, classes: Sequence[str]) -> ValueError:
    return ValueError(
        f"The label {name!r} has more than {MOST_CLASSES} classes ({', '.join(map(repr, classes[:3]))}, "
        "...). Is it an identifier? "
        f"Choose another label, group its rare values, or declare it a number (--as number:{name})."
    )
