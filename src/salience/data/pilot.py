"""A pilot of the rows: the values of each column, and how often each occurs.

The pilot is spread over the whole source, never its head: files are sorted by time or by label more often
than not. Of each piece only the distinct values and their counts are kept, and wide tables are surveyed a
group of columns at a time, so that memory stays bounded.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from salience.data.hashing import as_text, identities
from salience.data.readers.schema import is_long, value_bytes
from salience.data.readers.source import MemberSource, numbered

PILOT_ROWS = 1 << 18
PIECE_ROWS = 8192
_BATCH_VALUES = 1 << 22  # read at once
_MANY_SHARDS = 8
_READ_ROWS = 4_000_000  # to get at the pilot's rows; or an eighth of all rows


@dataclass(frozen=True)
class Values:
    """Distinct values of a column in the pilot, as stored, with their counts; identities of lists."""

    values: pa.Array
    counts: NDArray[np.int64]


def choose_pieces(shards: Sequence[Any], rows: int, seed: int, skips: bool = False) -> dict[int, set[int]]:
    """Which pieces of `PIECE_ROWS` rows make up the pilot: evenly spaced over all shards, the start drawn
    from the seed.

    Parameters
    ----------
    shards : sequence of Shard
    rows : int
        Of the pilot.
    seed : int
    skips : bool
        Whether a piece can be read without what lies before it in its shard. If not, and there are many shards,
        no piece lies so deep that the pilot becomes a scan.

    Returns
    -------
    dict of int to set of int
        Position of a shard -> numbers of its pieces.
    """
    counts = [-(-shard.rows // PIECE_ROWS) for shard in shards]
    total = sum(shard.rows for shard in shards)
    wanted = sum(counts) if total <= rows else max(1, -(-sum(counts) * rows // total))
    if len(shards) >= _MANY_SHARDS and not skips:
        readable = max(_READ_ROWS, total // 8)
        depth = max(1, readable // (min(len(shards), wanted) * PIECE_ROWS))
        counts = [min(count, depth) for count in counts]
    pieces = [(s, p) for s, count in enumerate(counts) for p in range(count)]
    wanted = min(wanted, len(pieces))
    start = np.random.default_rng(seed).random()
    chosen: dict[int, set[int]] = {}
    for at in (np.arange(wanted) + start) * len(pieces) / max(wanted, 1):
        s, p = pieces[int(at)]
        chosen.setdefault(s, set()).add(p)
    return chosen


def chosen_pieces(source: Any, rows: int, seed: int) -> dict[int, set[int]]:
    """`choose_pieces` of a source, which knows whether it skips."""
    skips = isinstance(source, MemberSource) and source.skips()
    return choose_pieces(source.shards(), rows, seed, skips)


def read_pieces(
    source: Any, shard: Any, columns: Sequence[str], chosen: Collection[int]
) -> Iterator[pa.RecordBatch]:
    """These pieces of `PIECE_ROWS` rows of a shard, in their order."""
    if isinstance(source, MemberSource):
        return source.pieces(shard, list(columns), PIECE_ROWS, sorted(chosen))
    return numbered(source.batches(shard, list(columns), PIECE_ROWS), chosen)


@dataclass
class Pilot:
    """Reads the pilot rows of a source, column by column.

    Attributes
    ----------
    rows : int
        Rows of the pilot.
    row_bytes : float
        Bytes of a row as read.
    """

    source: Any
    names: Sequence[str]
    memory: int  # that values may take
    seed: int
    size: int = PILOT_ROWS
    rows: int = 0
    row_bytes: float = 0.0

    def __post_init__(self) -> None:
        self._shards = self.source.shards()
        self._chosen = chosen_pieces(self.source, self.size, self.seed)
        self._wanted = max(1, sum(
            min(PIECE_ROWS, self._shards[s].rows - p * PIECE_ROWS) for s, pieces in self._chosen.items() for p in pieces
        ))  # fmt: skip

    def columns(self) -> Iterator[tuple[str, Values]]:
        """Every column with its values in the pilot, a group of columns in memory at a time."""
        for group in self._groups():
            folds: dict[str, list[tuple[pa.Array, NDArray[np.int64]]]] = {name: [] for name in group}
            shares = [_Share(self.memory / 4 / self._wanted) for _ in group]
            rows = 0
            with ThreadPoolExecutor(2) as pool:
                for batch in self.batches(group):
                    rows += batch.num_rows
                    parts = [share.take(array) for share, array in zip(shares, batch.columns, strict=True)]
                    for name, found in zip(group, pool.map(value_counts, parts), strict=True):
                        folds[name].append(found)
            self.rows = rows
            for name in group:
                yield name, _joined(folds.pop(name))

    def batches(self, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The pieces of the pilot, or parts of pieces where rows are long."""
        few = 1 << max(_BATCH_VALUES // len(names), 1).bit_length() - 1  # a power of two, like PIECE_ROWS
        for s, chosen in self._chosen.items():
            shard = self._shards[s]
            whole = len(chosen) * PIECE_ROWS >= shard.rows  # all of it: no need for small pieces
            if not whole and few >= PIECE_ROWS and len(self._skippable(shard, names)) == len(names):
                yield from read_pieces(self.source, shard, names, chosen)
                continue
            rows = min(few, 8 * PIECE_ROWS if whole else PIECE_ROWS)
            first = 0
            for batch in self.source.batches(shard, list(names), rows, self.memory // 4):
                if first // PIECE_ROWS > max(chosen):
                    break
                if whole or first // PIECE_ROWS in chosen:
                    yield batch
                first += batch.num_rows

    def _skippable(self, shard: Any, names: Sequence[str]) -> list[str]:
        """Columns of which a piece is no long text and can be read without what lies before it."""
        return (
            self.source.skippable(shard, names, PIECE_ROWS) if isinstance(self.source, MemberSource) else []
        )

    def _groups(self) -> list[list[str]]:
        """Columns are put together as long as their distinct values will fit, judged by the first piece; those that can
        be read from the middle of a file stay apart from the others.
        """
        groups: list[list[str]] = [[]]
        budget, held = self.memory / 2, 0.0  # while a group is decided on the next one is read
        first = next(iter(self.batches(self.names)), None)
        if first is None:
            return [list(self.names)]
        pieces = self._wanted / max(first.num_rows, 1)
        self.row_bytes = first.nbytes / max(first.num_rows, 1)
        quick = set(self._skippable(self._shards[next(iter(self._chosen))], self.names))
        for name in sorted(self.names, key=lambda name: name not in quick):
            values, counts = value_counts(first.column(name))
            size = 2.0 * pieces * (values.nbytes + counts.nbytes)  # twice: joining copies
            if groups[-1] and (held + size > budget or (groups[-1][0] in quick) != (name in quick)):
                groups.append([])
                held = 0.0
            groups[-1].append(name)
            held += size
        return groups


@dataclass
class _Share:
    """What a column of long texts may keep of its rows: as much for each, so that those kept are spread evenly."""

    row_bytes: float
    left: float = 0.0

    def take(self, array: pa.Array) -> pa.Array:
        """The array, or every so manieth row of it, as many as the share allows."""
        self.left += self.row_bytes * len(array)
        if not is_long(array.type) or array.nbytes <= self.left:
            return array
        sizes = value_bytes(array)
        rows = np.arange(0, len(array), max(1, int(np.ceil(sizes.sum() / self.left))))
        taken = np.cumsum(sizes[rows])
        fit = int(np.searchsorted(taken, self.left, side="right"))
        self.left -= float(taken[fit - 1]) if fit else 0.0
        return array.take(pa.array(rows[:fit]))


def value_counts(array: pa.Array) -> tuple[pa.Array, NDArray[np.int64]]:
    """Distinct values as stored (of nested ones: their identities) and how often each occurs."""
    if pa.types.is_nested(array.type):
        hashes, counts = np.unique(identities(array, "list", ())[0], return_counts=True)
        return pa.array(hashes), counts.astype(np.int64)
    if pa.types.is_dictionary(array.type) and not array.null_count:
        counts = np.bincount(np.asarray(array.indices), minlength=len(array.dictionary))
        there = np.flatnonzero(counts)
        values = array.dictionary if len(there) == len(counts) else array.dictionary.take(pa.array(there))
        return values, counts[there]
    try:
        counted = pc.value_counts(array)
    except pa.ArrowNotImplementedError:
        counted = pc.value_counts(as_text(array))
    values = counted.field("values")
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    return values, counted.field("counts").to_numpy(zero_copy_only=False).astype(np.int64)


def _joined(folds: list[tuple[pa.Array, NDArray[np.int64]]]) -> Values:
    if not folds:
        return Values(pa.nulls(0, pa.string()), np.empty(0, np.int64))
    return Values(
        pa.concat_arrays([values for values, _ in folds]), np.concatenate([counts for _, counts in folds])
    )
