"""Batches that come one after another, from a generator: spooled to a file, since a ranking reads its rows more than once."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from salience.data.readers.conform import conform
from salience.data.readers.frames import open_frame
from salience.data.readers.locate import Found, temporary_file
from salience.data.readers.schema import unite
from salience.data.readers.source import SourceError


def spool_batches(batches: Iterator[Any]) -> Found:
    """Write tables to one temporary Parquet file, which is removed with the source that reads it.

    Parameters
    ----------
    batches : iterator of tables
        Each whatever `open_frame` takes, with the columns and types of the first.

    Raises
    ------
    SourceError
        No batch, one that is no table, or one with other columns or types than the first.

    Examples
    --------
    >>> from salience.data.readers import open_source
    >>> open_source({"a": [i, i + 1]} for i in range(3)).rows
    6
    """
    spooled = temporary_file("batches")
    writer: pq.ParquetWriter | None = None
    try:
        for number, batch in enumerate(batches):
            table = _table(batch, number)
            if writer is None:
                writer = pq.ParquetWriter(spooled.path, table.schema)
            writer.write_table(_as_first(table, writer.schema, number))
    finally:
        if writer is not None:
            writer.close()
    if writer is None:
        raise SourceError("the iterator has no batch; it may have been used up: make it anew")
    return Found([spooled.path], "parquet", ["read from an iterator of batches"], cleanup=[spooled])


def _table(batch: Any, number: int) -> pa.Table:
    try:
        member = open_frame(batch)
    except SourceError as error:
        raise SourceError(f"batch {number} of the iterator: {error}") from error
    names = member.schema.names
    plain, _ = unite([("", member.schema)])
    read = (piece for part, rows in member.pieces for piece in member.read(part, names, rows))
    return pa.Table.from_batches((_decoded(conform(piece, plain)) for piece in read), plain)


def _decoded(batch: pa.RecordBatch) -> pa.RecordBatch:
    columns = [c.dictionary_decode() if pa.types.is_dictionary(c.type) else c for c in batch.columns]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _as_first(table: pa.Table, schema: pa.Schema, number: int) -> pa.Table:
    if set(table.column_names) != set(schema.names):
        odd = sorted(set(table.column_names) ^ set(schema.names))
        raise SourceError(
            f"batch {number} of the iterator has other columns than the first: {', '.join(odd)}"
        )
    try:
        return table.select(schema.names).cast(schema)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise SourceError(
            f"batch {number} of the iterator does not fit the types of the first ({error}); give every batch the same "
            "types, e.g. all columns as text"
        ) from error
