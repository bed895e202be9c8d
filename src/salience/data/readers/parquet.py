"""Parquet files: row groups are shards, strings come as dictionaries, memory is about a page per column.

Column chunks are read through small buffers instead of as a whole (``pre_buffer`` would hold every chunk of a
row group at once). A reader holds one page and one dictionary per column asked for.
"""

import os
from collections.abc import Iterator, Sequence
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from salience.data.readers.source import Member, SourceError

_SHARD_ROWS = 1_000_000
_BUFFER = 64 * 1024


class ParquetMember(Member):
    """One Parquet file; a part lists row groups."""

    @classmethod
    def open(cls, path: str, **options: Any) -> Self:
        """Read the footer.

        Raises
        ------
        SourceError
            If the file is truncated, no Parquet file, or names a column twice.
        """
        with _reading(path), pq.ParquetFile(path) as file:
            schema, metadata = file.schema_arrow, file.metadata
            groups = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
            dictionaries = _dictionary_bytes(metadata)
        twice = sorted({name for name in schema.names if schema.names.count(name) > 1})
        if twice:
            raise SourceError(
                f"{path} has several columns named {twice[0]!r}; rename them so that each name is unique"
            )
        options = {"dictionaries": dictionaries}
        return cls(path, schema.remove_metadata(), pieces_of(groups), (), options, os.path.getsize(path))

    def read(self, part: tuple[int, ...], columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        """Batches of the given row groups."""
        # every batch takes over the whole dictionary: worth it only where that is smaller than the batch
        small = {name for name, size in self.options["dictionaries"].items() if size <= rows}
        text = [f.name for f in self.schema if f.name in columns and f.name in small and _is_string(f.type)]
        with (
            _reading(self.path),
            pq.ParquetFile(self.path, read_dictionary=text, pre_buffer=False, buffer_size=_BUFFER) as file,
        ):
            yield from file.iter_batches(
                rows, row_groups=list(part), columns=list(columns), use_threads=False
            )


def pieces_of(groups: Sequence[int]) -> list[tuple[tuple[int, ...], int]]:
    """Consecutive groups of rows joined to pieces of at most about a million rows; a larger group stands
    alone.

    Examples
    --------
    >>> pieces_of([600_000, 300_000, 200_000, 5_000_000, 1])
    [((0, 1), 900000), ((2,), 200000), ((3,), 5000000), ((4,), 1)]
    """
    pieces: list[tuple[tuple[int, ...], int]] = []
    for i, rows in enumerate(groups):
        if pieces and pieces[-1][1] + rows <= _SHARD_ROWS:
            pieces[-1] = ((*pieces[-1][0], i), pieces[-1][1] + rows)
        else:
            pieces.append(((i,), rows))
    return pieces


def _dictionary_bytes(metadata: pq.FileMetaData) -> dict[str, int]:
    """Compressed bytes of the largest dictionary of each text column, from at most three row groups."""
    found: dict[str, int] = {}
    last = metadata.num_row_groups - 1
    for i in sorted({0, last // 2, last}) if last >= 0 else []:
        group = metadata.row_group(i)
        for j in range(group.num_columns):
            chunk = group.column(j)
            if chunk.physical_type == "BYTE_ARRAY" and chunk.has_dictionary_page:
                size = chunk.data_page_offset - chunk.dictionary_page_offset
                found[chunk.path_in_schema] = max(size, found.get(chunk.path_in_schema, 0))
    return found


def _is_string(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


class _reading:
    """What pyarrow raises about a broken file, said as a SourceError."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError)):
            size = os.path.getsize(self.path) if os.path.exists(self.path) else 0
            raise SourceError(
                f"{self.path} ({size:,} bytes) cannot be read as Parquet: {error}. It may be truncated or "
                "still being written: write it again, or leave it out"
            ) from error
