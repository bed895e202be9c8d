"""What the given memory is spent on: of what the libraries leave, a quarter for the states of a scan, an eighth for a block."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from salience.data.pilot import ColumnPlan

MOST_BLOCK_ROWS = 65536
FEWEST_BLOCK_ROWS = 4096
SMALLEST_CAP = 1024
_SLOTS_PER_VALUE = 2.1  # an open-addressing table that doubles is between a third and seven tenths full
_LIBRARIES = 448 << 20  # code, and what the allocators keep; measured, not wished for
_READER_BYTES = 256 << 10  # of a column in a Parquet reader: a page, a dictionary, a buffer
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


def with_caps(
    columns: Sequence[ColumnPlan], classes: Sequence[int], memory: int, given: Mapping[str, Mapping[str, Any]]
) -> list[ColumnPlan]:
    """Split the memory for states: columns that fit get what they need, the others share the rest."""
    value_bytes = _SLOTS_PER_VALUE * sum(8 + 8 * c for c in (classes or [1]))
    budget = _for_rows(memory, len(columns)) / 4
    needs = [1.5 * column.distinct + 64 for column in columns]  # half as many again: distinct is an estimate
    left, caps = budget / value_bytes, [0.0] * len(columns)
    order = sorted(range(len(columns)), key=needs.__getitem__)
    for place, i in enumerate(order):
        caps[i] = min(needs[i], left / (len(order) - place))
        left -= caps[i]
    spare = max(left, 0.0) / max(len(columns), 1)  # only when all fit
    return [
        replace(column, cap=int(given.get(column.name, {}).get("cap", max(SMALLEST_CAP, int(cap + spare)))))
        for column, cap in zip(columns, caps, strict=True)
    ]


def rows_of_a_block(row_bytes: float, columns: int, memory: int) -> int:
    """As many rows as an eighth of the memory holds: as read, once more for the block that is read ahead, and
    encoded.
    """
    fit = int(_for_rows(memory, columns) / 8 / (2 * row_bytes + _ENCODED_BYTES * columns + 1)) // 1024 * 1024
    return min(MOST_BLOCK_ROWS, max(FEWEST_BLOCK_ROWS, fit))


def _for_rows(memory: int, columns: int) -> float:
    return max(memory - _LIBRARIES - _READER_BYTES * columns, memory / 4)
