"""A small file of text read once: a ranking looks at its rows at least twice, and parsing them is what takes the time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa

from salience.data.budget import Budget
from salience.data.readers.schema import rebatch
from salience.data.readers.source import MemberSource, Shard, Source

TEXT_FORMATS = ("csv", "ndjson", "vw", "svmlight", "ob-vw", "ob-csv", "ob-raw")
_BATCH_ROWS = 65_536
_BYTES_PER_VALUE = 8  # of a code and its part of a dictionary, about


class HeldSource(MemberSource):
    """A source with its columns in memory, those with few values as codes and a dictionary.

    Parameters
    ----------
    source : MemberSource
    most : int
        Bytes that the columns may take.
    threads : int
        Shards that are read at once.

    Raises
    ------
    MemoryError
        They take more.
    """

    def __init__(self, source: MemberSource, most: int, threads: int = 2) -> None:
        self.__dict__.update(source.__dict__)
        names = list(source.columns)
        left = [most]

        def read(shard: Shard) -> pa.Table:
            batches = []
            for batch in source.batches(shard, names, _BATCH_ROWS, most):
                batches.append(batch)
                left[0] -= batch.nbytes  # about: two threads may count at once
                if left[0] < 0:
                    raise MemoryError
            columns = zip(*(batch.columns for batch in batches), strict=True)
            return pa.Table.from_arrays([_joined(list(column)) for column in columns], names=names)

        with ThreadPoolExecutor(threads) as pool:
            self._tables = list(pool.map(read, source.shards()))
        self.held = sum(table.nbytes for table in self._tables)

    def _read(
        self, shard: Shard, columns: Sequence[str], rows: int, most: int | None
    ) -> Iterator[pa.RecordBatch]:
        table = self._tables[shard.index].select(list(dict.fromkeys(columns)))
        return rebatch(table.to_batches(), rows, most)


def hold(source: Source, memory: int, threads: int = 2) -> Source:
    """The source itself, or one in memory if it is a text file that needs at most a third of what `memory` leaves.

    Parameters
    ----------
    source : Source
    memory : int
        Bytes that the process may use.
    threads : int

    Returns
    -------
    Source
        With the same shards, rows and description.
    """
    size = source.rows * len(source.columns) * _BYTES_PER_VALUE
    most = Budget(memory, len(source.columns), source.held).work // 3
    if not isinstance(source, MemberSource) or source.format not in TEXT_FORMATS or size > most:
        return source
    try:
        return HeldSource(source, most, threads)
    except MemoryError:  # texts are longer than most are
        return source


def _joined(parts: Sequence[pa.Array]) -> pa.Array:
    """One chunk of a column, under one dictionary."""
    if len(parts) == 1:
        return parts[0]
    if len({part.type for part in parts}) > 1:
        parts = [part.dictionary_decode() if pa.types.is_dictionary(part.type) else part for part in parts]
    return pa.chunked_array(parts).combine_chunks()
