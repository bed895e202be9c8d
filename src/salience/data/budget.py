"""What the given memory is spent on: of what the libraries leave, a quarter for the states of a scan, an eighth for a block."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from salience.data.columnplan import ColumnPlan

MOST_BLOCK_ROWS = 65536
FEWEST_BLOCK_ROWS = 1024
SMALLEST_CAP = 1024
_SLOTS_PER_VALUE = 2.1  # an open-addressing table that doubles is between a third and seven tenths full
LIBRARIES = 448 << 20  # code, kernels that are compiled by a first run, what allocators keep; measured
_LEAST_WORK = 32 << 20
_ENCODED_BYTES = 20  # of a value in a block: identity, code, number


def parse_memory(memory: str | int) -> int:
    """Bytes of ``"1GiB"``, ``"512MB"``, ``"800 kB"`` or a number of bytes.

    Examples
    --------
    >>> parse_memory("1GiB"), parse_memory("512MB"), parse_memory(5_000_000)
    (1073741824, 512000000, 5000000)
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(?:([kmgt]?)(i?)b?)?\s*", str(memory).lower())
    size = (
        0
        if match is None
        else int(float(match[1]) * (1024 if match[3] else 1000) ** " kmgt".index(match[2] or " "))
    )
    if size < 1 << 20:
        raise ValueError(
            f"memory={memory!r}: give at least 1 MiB, as bytes or with a unit, like '1GiB', '512MB' or "
            "1073741824."
        )
    return size


def room(memory: str | int, itself: int = 0) -> int:
    """Bytes that a given memory leaves for data, beside what a command takes itself.

    Raises
    ------
    ValueError
        It leaves nothing; the message says what is needed.

    Examples
    --------
    >>> room("1GiB") < 1 << 30
    True
    """
    itself = itself or LIBRARIES
    left = parse_memory(memory) - itself
    if left < _LEAST_WORK:
        raise ValueError(
            f"{megabytes(parse_memory(memory))} of memory are too little: give at least {megabytes(itself + _LEAST_WORK)}, of "
            f"which {megabytes(itself)} are for salience itself."
        )
    return left


def overspent(memory: str | int) -> str | None:
    """What to say when this process has used more than it was given at any time; None when it has not.

    Examples
    --------
    >>> overspent("1MiB")
    '...MB were used at the peak, more than the 2MB asked for'
    >>> overspent("1000TiB")
    """
    try:
        from resource import RUSAGE_SELF, getrusage
    except ImportError:  # Windows
        return None
    used = getrusage(RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    asked = parse_memory(memory)
    if used <= asked:
        return None
    return f"{megabytes(used)} were used at the peak, more than the {megabytes(asked)} asked for"


@dataclass(frozen=True)
class Budget:
    """What a given memory leaves for the rows and the counts of one table.

    Parameters
    ----------
    memory : int
        Bytes that the whole process may use: its largest resident set, mapped files included.
    columns : int
        That are read, labels included.
    held : int
        Bytes that reading takes beside the batches (`Source.held`).
    rows : int, optional
        Of the table: a column has no more values.

    Examples
    --------
    >>> Budget(1 << 30, 50).rows_of_a_block(400.0)
    40960
    >>> Budget(64 << 20, 50).needed([2]) > 64 << 20
    True
    """

    memory: int
    columns: int
    held: int = 0
    rows: int = MOST_BLOCK_ROWS

    @property
    def work(self) -> int:
        """What libraries and reader leave; below zero when they take more than there is."""
        return self.memory - LIBRARIES - self.held

    def needed(self, classes: Sequence[int]) -> int:
        """Least memory with which the smallest tables and blocks fit: for labels of so many classes."""
        counts = min(SMALLEST_CAP, self.rows) * self.columns * _value_bytes(classes)
        block = min(FEWEST_BLOCK_ROWS, self.rows) * 2 * _ENCODED_BYTES * self.columns
        return int(
            LIBRARIES + self.held + 2.5 * counts + 1.5 * block + _LEAST_WORK
        )  # counts are copied to be scored

    def check(self, classes: Sequence[int] = (2,)) -> None:
        """Refuse what cannot be kept.

        Raises
        ------
        ValueError
            The memory is less than `needed`; the message says what that is and what it is for.
        """
        needed = self.needed(classes)
        if self.memory >= needed:
            return
        parts = {
            "salience itself": LIBRARIES,
            "reading": self.held,
            "counts and blocks of rows": needed - LIBRARIES - self.held,
        }
        said = ", ".join(f"{megabytes(size)} for {what}" for what, size in parts.items())
        raise ValueError(
            f"{megabytes(self.memory)} of memory are too little for this table of {self.columns:,} columns: give at "
            f"least {megabytes(needed)} ({said})."
        )

    def caps(
        self, columns: Sequence[ColumnPlan], classes: Sequence[int], given: Mapping[str, Mapping[str, Any]]
    ) -> list[ColumnPlan]:
        """Split the memory for states: columns that fit get what they need, the others share the rest."""
        budget = max(self.work, 0) / 4
        # half as many again: distinct is an estimate
        needs = [1.5 * column.distinct + 64 for column in columns]
        left, caps = budget / _value_bytes(classes), [0.0] * len(columns)
        order = sorted(range(len(columns)), key=needs.__getitem__)
        for place, i in enumerate(order):
            caps[i] = min(needs[i], left / (len(order) - place))
            left -= caps[i]
        spare = max(left, 0.0) / max(len(columns), 1)  # only when all fit
        return [
            replace(
                column, cap=int(given.get(column.name, {}).get("cap", max(SMALLEST_CAP, int(cap + spare))))
            )
            for column, cap in zip(columns, caps, strict=True)
        ]

    def rows_of_a_block(self, row_bytes: float) -> int:
        """As many rows as an eighth of the memory holds: as read, once more for the block that is read ahead,
        and encoded.
        """
        fit = int(max(self.work, 0) / 8 / (2 * row_bytes + _ENCODED_BYTES * self.columns + 1)) // 1024 * 1024
        return min(MOST_BLOCK_ROWS, max(FEWEST_BLOCK_ROWS, fit))

    @property
    def bytes_of_a_pilot(self) -> int:
        """What the values of a pilot may take: they are gone before the states are there."""
        return max(self.work // 4, 1 << 20)

    @property
    def bytes_of_a_block(self) -> int:
        """Most bytes of text in a block: where rows are longer than the pilot's mean, it is cut."""
        return max(self.work // 8, 1 << 20)


def _value_bytes(classes: Sequence[int]) -> float:
    return _SLOTS_PER_VALUE * sum(8 + 8 * c for c in (classes or [1]))


def megabytes(size: float) -> str:
    """A size in megabytes, rounded up.

    Examples
    --------
    >>> megabytes(1_500_001)
    '2MB'
    """
    return f"{math.ceil(size / 10**6):,}MB"
