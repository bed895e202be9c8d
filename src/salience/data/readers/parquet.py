"""Parquet files: row groups are shards, strings come as dictionaries, memory is about a page per column.

Column chunks are read through small buffers instead of as a whole (``pre_buffer`` would hold every chunk of a
row group at once). A reader holds one page and one dictionary per column asked for.
"""

import os
from collections.abc import Iterator, Sequence
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from salience.data.readers.integrity import checked, reading
from salience.data.readers.schema import is_string
from salience.data.readers.source import Member, check_unique

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
        with reading(path, "Parquet"), pq.ParquetFile(path, pre_buffer=False, buffer_size=_BUFFER) as file:
            schema, metadata = file.schema_arrow, file.metadata
            groups = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
            if min(groups, default=0) < 0 or sum(groups) != metadata.num_rows:
                raise pa.ArrowInvalid(
                    f"{metadata.num_rows:,} rows are announced, and {sum(groups):,} in its parts"
                )
            dictionaries = _dictionary_bytes(file)
            check_unique(schema.names, path)
        options = {"dictionaries": dictionaries}
        return cls(path, schema.remove_metadata(), pieces_of(groups), (), options, os.path.getsize(path))

    def read(self, part: tuple[int, ...], columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        """Batches of the given row groups."""
        # every batch takes over the whole dictionary: worth it only where that is smaller than the batch
        small = {name for name, size in self.options["dictionaries"].items() if size <= rows}
        text = [name for name in columns if name in small and is_string(self.schema.field(name).type)]
        with (
            reading(self.path, "Parquet"),
            pq.ParquetFile(
                self.path,
                read_dictionary=text,
                pre_buffer=False,
                buffer_size=_BUFFER,
                page_checksum_verification=True,
            ) as file,
        ):
            for batch in file.iter_batches(
                rows, row_groups=list(part), columns=list(columns), use_threads=False
            ):
                yield checked(batch, self.path)


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


def _dictionary_bytes(file: pq.ParquetFile) -> dict[str, int]:
    """Compressed bytes of the largest dictionary of each text column, from at most three row groups."""
    found: dict[str, int] = {}
    schema, last = file.schema, file.metadata.num_row_groups - 1
    text = [j for j in range(len(schema)) if schema.column(j).physical_type == "BYTE_ARRAY"]
    for i in sorted({0, last // 2, last}) if last >= 0 and text else []:
        # nothing is read; but what is odd about the metadata of a column is an error here, and there the end of the process
        list(file.reader.iter_batches(0, [i], text, use_threads=False))
        group = file.metadata.row_group(i)
        for j in text:
            chunk = group.column(j)
            if chunk.has_dictionary_page:
                size = chunk.data_page_offset - chunk.dictionary_page_offset
                found[chunk.path_in_schema] = max(size, found.get(chunk.path_in_schema, 0))
    return found
