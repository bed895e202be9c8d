"""A small file of text read once: a ranking looks at its rows at least twice, and parsing them is what takes the time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.compute as pc

from salience.data.readers.schema import rebatch
from salience.data.readers.source import MemberSource, Shard, Source

TEXT_FORMATS = ("csv", "ndjson", "vw", "svmlight", "ob-vw", "ob-csv", "ob-raw")
_BATCH_ROWS = 65_536
_BYTES_PER_VALUE = 8  # of a code and its part of a dictionary, about


class HeldSource(MemberSource):
    """A source with its columns in memory, each with few values as codes and a dictionary.

    Parameters
    ----------
    source : MemberSource
    threads : int
        Columns are coded by so many threads while the next rows are read.
    """

    def __init__(self, source: MemberSource, threads: int = 2) -> None:
        self.__dict__.update(source.__dict__)
        names = list(source.columns)
        with ThreadPoolExecutor(threads) as pool:
            coding = [
                [
                    [pool.submit(_coded, c) for c in batch.columns]
                    for batch in source.batches(s, names, _BATCH_ROWS)
                ]
                for s in source.shards()
            ]
            shards = [[[column.result() for column in batch] for batch in batches] for batches in coding]
            self._tables = [
                pa.Table.from_arrays(list(pool.map(_joined, zip(*batches, strict=True))), names=names)
                for batches in shards
            ]

    def _read(self, shard: Shard, columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        table = self._tables[shard.index].select(list(dict.fromkeys(columns)))
        return rebatch(table.to_batches(), rows)


def hold(source: Source, memory: int, threads: int = 2) -> Source:
    """The source itself, or one in memory if it is a text file that needs at most a quarter of `memory` bytes.

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
    if not isinstance(source, MemberSource) or source.format not in TEXT_FORMATS or size > memory / 4:
        return source
    return HeldSource(source, threads)


def _coded(column: pa.Array) -> pa.Array:
    """Codes and a dictionary where that is smaller."""
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return column
    coded = pc.dictionary_encode(column)
    return coded if len(coded.dictionary) < len(column) / 4 else column


def _joined(parts: Sequence[pa.Array]) -> pa.Array:
    """One chunk of a column, under one dictionary."""
    if len(parts) == 1:
        return parts[0]
    if len({part.type for part in parts}) > 1:
        parts = [part.dictionary_decode() if pa.types.is_dictionary(part.type) else part for part in parts]
    return pa.chunked_array(parts).combine_chunks()
