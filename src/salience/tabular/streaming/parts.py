"""Count columns against where a row comes from instead of against a label: one of two files, or a part of one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from salience.data.blocks import Block
from salience.data.labels import LabelPlan
from salience.data.plan import Plan
from salience.measures.counting import Contingency, CountState, Item

ORIGIN = "\0origin"  # no column of a file can be called this


@dataclass(frozen=True)
class Origin:
    """The class of a row is the file it is in: every row of this scan has the class `number`."""

    number: int

    def __call__(self, block: Block) -> NDArray[np.int32]:
        return np.full(block.rows, self.number, dtype=np.int32)


@dataclass(frozen=True)
class Quarter:
    """The class of a row is which of `parts` equal stretches of the source it is in.

    Parameters
    ----------
    first_rows : dict of int to int
        Shard index to the number of rows before the shard.
    rows, parts : int
    """

    first_rows: dict[int, int]
    rows: int
    parts: int = 4

    @classmethod
    def of(cls, plan: Plan) -> Quarter:
        before = np.cumsum([0, *(shard.rows for shard in plan.shards)])
        return cls(
            {shard.index: int(n) for shard, n in zip(plan.shards, before[:-1], strict=True)}, plan.rows
        )

    def __call__(self, block: Block) -> NDArray[np.int32]:
        at = self.first_rows[block.id[0]] + block.positions
        return (at * self.parts // max(self.rows, 1)).astype(np.int32)


class _Relabelled:
    """A block whose only label is the origin of its rows."""

    def __init__(self, block: Block, classes: NDArray[np.int32]) -> None:
        self.column, self.binned, self.rows = block.column, block.binned, block.rows
        self.labels = {ORIGIN: classes}


class OriginState:
    """A state of the scan: a `CountState` whose classes are the origins of the rows.

    Parameters
    ----------
    items : sequence of (name, view)
    plan : Plan
    origin : callable
        ``Block -> int32 (rows,)``, class of each row.
    n_origins : int
    """

    def __init__(
        self,
        items: Sequence[Item],
        plan: Plan,
        origin: Callable[[Block], NDArray[np.int32]],
        n_origins: int,
    ) -> None:
        column = plan.columns[0]
        classes = tuple(str(i) for i in range(n_origins))
        none = np.zeros(n_origins, dtype=np.int64)
        label = LabelPlan(ORIGIN, "classes", classes, none.astype(np.uint64), None, none, 0, column)
        self._counts = CountState(items, ORIGIN, replace(plan, labels=(label,)))
        self._origin = origin

    def parts(self, block: Block) -> Iterable[Callable[[], None]]:
        """The pieces of the count state, with the origins as label."""
        return self._counts.parts(_Relabelled(block, self._origin(block)))

    def merge(self, other: OriginState) -> None:
        """Add the counts of another state."""
        self._counts.merge(other._counts)

    def empty(self) -> Self:
        """A state of the same configuration without counts."""
        fresh = object.__new__(type(self))
        fresh._counts, fresh._origin = self._counts.empty(), self._origin
        return fresh

    def to_arrow(self) -> pa.Table:
        """The counts."""
        return self._counts.to_arrow()

    def load_arrow(self, table: pa.Table) -> None:
        """Replace the counts by those that `to_arrow` gave."""
        self._counts.load_arrow(table)

    def finalize(self) -> dict[Item, Contingency]:
        """The contingency of every item with the origin."""
        return self._counts.finalize()


def column_items(plan: Plan, exclude: Sequence[str] = ()) -> list[Item]:
    """Every column of a plan with its views."""
    items: list[Item] = []
    for column in plan.columns:
        if column.name not in exclude:
            items.append((column.name, "values"))
            if column.edges is not None:
                items.append((column.name, "bins"))
    return items


def row_namers(plan: Plan) -> frozenset[str]:
    """Columns of a kind that can name rows: texts and whole numbers, but no amounts with fractions and no times."""
    return frozenset(c.name for c in plan.columns if c.kind == "text" or c.whole)


def described(plan: Plan) -> dict[str, Any]:
    """Kinds of the columns of a plan, by name."""
    return {column.name: column.kind for column in plan.columns}
