"""Parquet files: row groups are shards, strings come as dictionaries, memory is about a page per column.

Column chunks are read through small buffers instead of as a whole (``pre_buffer`` would hold every chunk of a
row group at once). A reader holds one page and one dictionary per column asked for; how large those are, the
headers of the pages say.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple, Self

import pyarrow as pa
import pyarrow.parquet as pq

from salience.data.readers.integrity import checked, reading
from salience.data.readers.pages import Page, pages
from salience.data.readers.schema import is_string
from salience.data.readers.slices import is_plain, rows_at
from salience.data.readers.source import PIECE_BYTES, Member, check_unique

_SHARD_ROWS = 1_000_000
_BUFFER = 64 * 1024
_PAGE = 1 << 20  # what writers make of a page, about
_LARGE = 8 << 20  # bytes of a chunk whose pages are looked at one by one
_SKIPPED = 64 << 20  # bytes of a row group: what skips may hold much of it
_LONG = 128  # bytes of a text that is better held once, in a dictionary


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
            _raise_if_odd(file, _looked_at(metadata, range(len(groups))), range(metadata.num_columns))
            dictionaries, held = _dictionary_bytes(metadata), _held(path, metadata)
            check_unique(schema.names, path)
        options = {"dictionaries": dictionaries, "held": held}
        return cls(path, schema.remove_metadata(), pieces_of(groups), (), options, os.path.getsize(path))

    @property
    def held(self) -> int:
        """A page, as stored and unpacked, a dictionary and a buffer of every column."""
        return int(self.options.get("held", 0))

    def read(self, part: tuple[int, ...], columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        """Batches of the given row groups."""
        texts = [name for name in columns if is_string(self.schema.field(name).type)]
        # every batch takes over the whole dictionary: worth it only where that is smaller than the batch
        sizes = self.options["dictionaries"]
        coded = {name for name in texts if sizes.get(name, rows + 1) <= rows}
        with reading(self.path, "Parquet"):
            with pq.ParquetFile(self.path, pre_buffer=False, buffer_size=_BUFFER) as file:
                metadata, found = file.metadata, _texts(self.path, file, part, columns)
            coded |= {name for name in texts if found[name].repeated}
            longest = sum(own.coded if name in coded else own.row for name, own in found.items())
            rows = max(1, min(rows, int(PIECE_BYTES / (longest or 1))))
            with pq.ParquetFile(
                self.path,
                metadata=metadata,
                read_dictionary=sorted(coded),
                pre_buffer=False,
                buffer_size=_BUFFER,
                page_checksum_verification=True,
            ) as file:
                for batch in file.iter_batches(
                    rows, row_groups=list(part), columns=list(columns), use_threads=False
                ):
                    yield checked(batch, self.path)

    def skips(self, column: str) -> bool:
        """Whether the column is of a plain type."""
        return is_plain(self.schema.field(column).type)

    def skippable(self, part: tuple[int, ...], columns: Sequence[str], rows: int) -> list[str]:
        """The columns of plain types in row groups that are not large; texts only where so many rows are no long ones."""
        plain = [name for name in columns if self.skips(name)]
        texts = [name for name in plain if is_string(self.schema.field(name).type)]
        with (
            reading(self.path, "Parquet"),
            pq.ParquetFile(self.path, pre_buffer=False, buffer_size=_BUFFER) as file,
        ):
            if max((file.metadata.row_group(i).total_byte_size for i in part), default=0) > _SKIPPED:
                return []
            found = _texts(self.path, file, part, texts) if texts else {}
        short = rows * sum(own.row for own in found.values()) <= PIECE_BYTES
        return plain if short else [name for name in plain if name not in found]

    def read_at(
        self, part: tuple[int, ...], columns: Sequence[str], firsts: Sequence[int], rows: int
    ) -> Iterator[pa.RecordBatch | None]:
        """Rows of a part, those before them skipped."""
        start = sum(n for other, n in self.pieces if other < part)
        yield from rows_at(self.path, columns, [start + first for first in firsts], rows)


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


def _raise_if_odd(file: pq.ParquetFile, groups: Iterable[int], columns: Sequence[int]) -> None:
    """Raise for odd metadata of these columns, which end the process when pyarrow is asked for them; reads nothing."""
    for i in groups if columns else ():
        list(file.reader.iter_batches(0, [i], list(columns), use_threads=False))


def _dictionary_bytes(metadata: pq.FileMetaData) -> dict[str, int]:
    """Compressed bytes of the largest dictionary of each text column."""
    found: dict[str, int] = {}
    for i in _looked_at(metadata, range(metadata.num_row_groups)):
        group = metadata.row_group(i)
        for j in range(group.num_columns):
            chunk = group.column(j)
            if chunk.physical_type == "BYTE_ARRAY" and chunk.has_dictionary_page:
                size = chunk.data_page_offset - chunk.dictionary_page_offset
                found[chunk.path_in_schema] = max(size, found.get(chunk.path_in_schema, 0))
    return found


class _Text(NamedTuple):
    """The texts of a column: bytes of a row in the page where they are longest, of a row when they are held in a
    dictionary, and whether that is better.
    """

    row: float = 0.0
    coded: float = 0.0
    repeated: bool = False


def _texts(
    path: str, opened: pq.ParquetFile, part: Sequence[int], columns: Sequence[str]
) -> dict[str, _Text]:
    """How long the texts of these row groups are, by column; nested ones by the name of the outermost field."""
    found: dict[str, _Text] = dict.fromkeys(columns, _Text())
    outermost = {}
    for j in range(len(opened.schema)):
        leaf = opened.schema.column(j)
        name = leaf.path if leaf.path in found else leaf.path.split(".")[0]
        if name in found and leaf.physical_type == "BYTE_ARRAY":
            outermost[j] = name
    looked_at = _looked_at(opened.metadata, part)
    _raise_if_odd(opened, looked_at, list(outermost))
    with open(path, "rb") as file:
        for i in looked_at:
            group = opened.metadata.row_group(i)
            for j, name in outermost.items() if group.num_rows else ():
                own, before = _text(file, group.column(j), group.num_rows), found[name]
                found[name] = _Text(
                    max(own.row, before.row), max(own.coded, before.coded), own.repeated or before.repeated
                )
    return found


def _text(file: BinaryIO, chunk: pq.ColumnChunkMetaData, rows: int) -> _Text:
    small = chunk.total_uncompressed_size < _LARGE
    most, entry, coded, repeated = 0.0, 0.0, 0.0, False
    if small and not chunk.has_dictionary_page:
        return _Text(chunk.total_uncompressed_size / rows)
    for page in _pages(file, chunk):
        if page.dictionary:
            entry, coded = page.unpacked / max(page.values, 1), page.unpacked / rows
            repeated = entry >= _LONG and page.values <= rows / 4
            if small:
                most = max(entry, chunk.total_uncompressed_size / rows)
                break
        else:
            most = max(most, entry if page.coded else page.unpacked / max(page.values, 1))
    return _Text(most * max(1.0, chunk.num_values / rows), coded, repeated)


def _looked_at(metadata: pq.FileMetaData, groups: Sequence[int]) -> set[int]:
    """Of many row groups the first, the middle, the last, the largest, and the one with the longest rows."""
    if len(groups) < 5:
        return set(groups)

    def size(i: int) -> int:
        return int(metadata.row_group(i).total_byte_size)

    longest = max(groups, key=lambda i: size(i) / max(metadata.row_group(i).num_rows, 1))
    return {groups[0], groups[len(groups) // 2], groups[-1], max(groups, key=size), longest}


def _pages(file: BinaryIO, chunk: pq.ColumnChunkMetaData) -> Iterator[Page]:
    """The pages of a chunk; one that is the whole chunk when its headers cannot be read."""
    start = chunk.dictionary_page_offset if chunk.has_dictionary_page else chunk.data_page_offset
    try:
        yield from pages(file, start, chunk.total_compressed_size)
    except (ValueError, OverflowError, RecursionError):
        size = chunk.total_uncompressed_size
        yield Page(False, False, chunk.num_values, chunk.total_compressed_size, size)


def _held(path: str, metadata: pq.FileMetaData) -> int:
    """Bytes that a reader of all columns holds."""
    looked_at = _looked_at(metadata, range(metadata.num_row_groups))
    with open(path, "rb") as file:
        return max((_held_of(file, metadata.row_group(i)) for i in looked_at), default=0)


def _held_of(file: BinaryIO, group: pq.RowGroupMetaData) -> int:
    total = 0
    for j in range(group.num_columns):
        chunk = group.column(j)
        stored, unpacked = chunk.total_compressed_size, chunk.total_uncompressed_size
        if unpacked < _LARGE:
            copies = 2 if chunk.physical_type == "BYTE_ARRAY" else 1  # a dictionary of texts is copied
            total += min(stored, _PAGE) + copies * min(unpacked, 2 * _PAGE)
            continue
        dictionary = data = 0
        for number, page in enumerate(_pages(file, chunk)):
            if page.dictionary:
                dictionary = _COPIES * page.unpacked
            else:
                data = max(data, page.stored + page.unpacked)
            if number > _SOME_PAGES and chunk.physical_type != "BYTE_ARRAY":
                break
        total += dictionary + data
    return total + group.num_columns * _BUFFER


_COPIES = 5  # of a dictionary: unpacked, decoded, and in the batches at work, ahead, and being made
_SOME_PAGES = 8  # of numbers: they all take the same, so a few pages are like the others
