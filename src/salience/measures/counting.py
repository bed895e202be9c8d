"""Counting every column of a scan against the label.

A `CountTable` counts one column view in bounded memory, a `Contingency` is what it has counted, and a
`CountState` fills one table per column view in a single pass.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from salience.measures.contingency import Contingency
from salience.measures.counttable import CONTENT, CountTable, checked_class_counts, columns_of

__all__ = ["Contingency", "CountState", "CountTable", "Item"]

Item = tuple[str, str]
"""A column and one of its views: ``(name, "values" | "bins")``."""


class CountState:
    """One `CountTable` per column view, filled in one scan.

    Parameters
    ----------
    items : sequence of (name, view)
        ``view`` is ``"values"`` or ``"bins"``; names of the plan or of a derivation.
    label : str
        Name of one of the labels of the plan.
    plan : Plan
        Gives the classes of the label, and cap and heavy values of each column.
    derived_cap : int, default=8192
        Cap of the columns that are not in the plan (combinations and other derivations).

    Raises
    ------
    ValueError
        When the label is not in the plan, or a view is unknown.
    """

    def __init__(self, items: Sequence[Item], label: str, plan: Any, derived_cap: int = 8192) -> None:
        labels = {entry.name: entry for entry in plan.labels}
        if label not in labels:
            raise ValueError(
                f"the plan has no label {label!r}; it has {', '.join(map(repr, labels)) or 'none'}"
            )
        columns = {entry.name: entry for entry in plan.columns}
        self.label = label
        self.n_classes = len(labels[label].classes)
        self._limits: dict[Item, tuple[int, NDArray[np.uint64], int]] = {}
        for name, view in items:
            if view not in _VIEWS:
                raise ValueError(
                    f"view {view!r} of {name!r} is unknown; it must be one of {', '.join(map(repr, _VIEWS))}"
                )
            entry = columns.get(name)
            heavy = () if entry is None or view == "bins" or entry.heavy is None else entry.heavy
            cap = derived_cap if entry is None else max(int(entry.cap), 1024)
            expected = 0 if entry is None or view == "bins" else int(entry.distinct)
            self._limits[name, view] = (cap, np.asarray(heavy, dtype=np.uint64), expected)
        self.tables = {item: CountTable(self.n_classes, *limits) for item, limits in self._limits.items()}

    @property
    def items(self) -> tuple[Item, ...]:
        """The column views, in the order given."""
        return tuple(self.tables)

    def labels_of(self, block: Any) -> NDArray[np.int32]:
        """Class of each row, int32 (n,); rows of label -1 are not counted."""
        labels: NDArray[np.int32] = block.labels[self.label]
        return labels

    def parts(self, block: Any) -> Iterable[Callable[[], None]]:
        """Yield one piece of the update per column: its views are counted together, as they share its
        encoding."""
        labels = self.labels_of(block)
        of_labels = checked_class_counts(labels, self.n_classes)
        views: dict[str, list[str]] = {}
        for name, view in self.tables:
            views.setdefault(name, []).append(view)
        for name, wanted in views.items():
            part = partial(self._count, block, labels, of_labels, name, wanted)
            part.column = name  # type: ignore[attr-defined]  # the scan keeps pieces of one column together
            yield part

    def _count(
        self, block: Any, labels: NDArray[np.int32], of_labels: NDArray[np.int64], name: str, views: list[str]
    ) -> None:
        for view in views:
            self.tables[name, view].add(_VIEWS[view](block, name), labels, of_labels)

    def merge(self, other: CountState) -> None:
        """Add the counts of a state of the same items, label and plan."""
        self._check_items(other.items)
        for item, table in self.tables.items():
            table.merge(other.tables[item])

    def empty(self) -> CountState:
        """Return a state of the same configuration without counts."""
        fresh = object.__new__(type(self))
        fresh.label, fresh.n_classes, fresh._limits = self.label, self.n_classes, self._limits
        fresh.tables = {item: CountTable(self.n_classes, *limits) for item, limits in self._limits.items()}
        return fresh

    def to_arrow(self) -> pa.Table:
        """Return the content of all tables as one: ``item`` (its number), ``key``, ``counts``."""
        contents = [table.content() for table in self.tables.values()]
        sizes = [len(keys) for keys, _ in contents]
        counts = np.concatenate([counts.ravel() for _, counts in contents] or [np.zeros(0, dtype=np.int64)])
        table = pa.table(
            {
                "item": np.repeat(np.arange(len(sizes), dtype=np.int32), sizes),
                "key": np.concatenate([keys for keys, _ in contents] or [np.zeros(0, dtype=np.uint64)]),
                "counts": pa.FixedSizeListArray.from_arrays(counts, self.n_classes),
            }
        )
        headers = [{"item": list(item), **counts_of.header()} for item, counts_of in self.tables.items()]
        return table.replace_schema_metadata({CONTENT: json.dumps(headers)})

    def load_arrow(self, table: pa.Table) -> None:
        """Replace the content by that of a state of the same items, label and plan, written by `to_arrow`."""
        metadata = table.schema.metadata or {}
        if CONTENT.encode() not in metadata:
            raise ValueError(
                f"this Arrow table has no {CONTENT!r} metadata: it was not written by CountState.to_arrow"
            )
        headers = json.loads(metadata[CONTENT.encode()])
        self._check_items([tuple(header["item"]) for header in headers])
        keys, counts = columns_of(table, self.n_classes)
        edges = np.searchsorted(table["item"].to_numpy(), np.arange(len(headers) + 1))
        for number, header in enumerate(headers):
            piece = slice(edges[number], edges[number + 1])
            self.tables[tuple(header["item"])].load(header, keys[piece], counts[piece])

    def finalize(self) -> dict[Item, Contingency]:
        """Return the contingency of every column view."""
        return {item: table.contingency() for item, table in self.tables.items()}

    def _check_items(self, others: Iterable[Any]) -> None:
        different = set(self.tables) ^ set(others)
        if different:
            raise ValueError(f"the states hold different items; only one of them has {sorted(different)[:5]}")


_VIEWS: dict[str, Callable[[Any, str], Any]] = {
    "values": lambda block, name: block.column(name),
    "bins": lambda block, name: block.binned(name),
}
