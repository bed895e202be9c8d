"""What a ranking was made from, for rankings that keep no counts: a sum of identities per column."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Self

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from salience.data.blocks import Block

__all__ = ["ChecksumState"]


class ChecksumState:
    """A state of the scan: per column the sum of the identities of its labelled rows modulo 2**64, and their number.

    Parameters
    ----------
    names : sequence of str
        Columns.
    label : str
        Rows without this label are left out, as in a count table.
    """

    def __init__(self, names: Iterable[str], label: str) -> None:
        self.names, self.label = tuple(names), label
        self._sums = np.zeros((len(self.names), 2), dtype=np.uint64)

    def parts(self, block: Block) -> Iterable[Callable[[], None]]:
        """One piece per column."""
        labelled = block.labels[self.label] >= 0
        for place, name in enumerate(self.names):
            part = partial(self._add, block, labelled, place, name)
            part.column = name  # type: ignore[attr-defined]  # so that one encoding serves all states
            yield part

    def _add(self, block: Block, labelled: np.ndarray, place: int, name: str) -> None:
        hashes = block.column(name).row_hashes()[labelled]
        self._sums[place] += np.array([np.add.reduce(hashes, dtype=np.uint64), len(hashes)], dtype=np.uint64)

    def merge(self, other: Self) -> None:
        """Add the sums of other rows."""
        self._sums += other._sums

    def empty(self) -> Self:
        """A state of the same configuration without rows."""
        return type(self)(self.names, self.label)

    def to_arrow(self) -> pa.Table:
        """The sums."""
        return pa.table({"sum": self._sums[:, 0], "rows": self._sums[:, 1]})

    def load_arrow(self, table: pa.Table) -> None:
        """Replace the sums by those that `to_arrow` gave."""
        self._sums = np.stack([table[c].to_numpy() for c in ("sum", "rows")], axis=1).astype(np.uint64)

    def finalize(self) -> tuple[dict[str, int], int]:
        """The sum of each column, and the labelled rows."""
        sums = {name: int(total) for name, total in zip(self.names, self._sums[:, 0], strict=True)}
        return sums, int(self._sums[0, 1]) if sums else 0
