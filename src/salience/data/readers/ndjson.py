"""NDJSON: one JSON object a line; scalars and objects arrive as text, arrays of scalars as lists of text."""

import os
import re
from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import Any, Self

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.json as pj

from salience.data.readers.source import Member, SourceError
from salience.data.readers.windows import Window, check_utf8, encoding_of, is_compressed

_SHARD_BYTES = 64 << 20
_LISTS = {True: pa.large_list(pa.large_string()), False: pa.large_string()}
_REASON = re.compile(r"(?:.*changed from string to )?(.*?) in row (\d+)$", re.DOTALL)


class NdjsonMember(Member):
    """One NDJSON file; a part is a byte range.

    With the option ``strict``, which a reader of texts sets, what is no string is an error and does not become its text.
    """

    accepts = ("encoding",)

    @classmethod
    def open(cls, path: str, *, encoding: str | None = None) -> Self:  # type: ignore[override]
        """Find the fields of all objects and count them.

        Raises
        ------
        SourceError
            A line that is no JSON object, an empty file, not UTF-8.
        """
        encoding = encoding_of(path, encoding)
        split = encoding == "utf-8" and not is_compressed(path)
        lists: dict[str, bool | None] = {}  # field -> only flat arrays so far; None: only nulls
        pieces: list[tuple[tuple[int, ...], int]] = []
        first = rows = 0
        line = 1
        with Window(path, encoding) as window:
            window.advance(0)
            if window.data[:3].tobytes() == b"\xef\xbb\xbf":
                first = 3
            at = first
            while True:
                block, used, filled, lines = _whole_lines(window, at)
                check_utf8(block, line, window.offset + at, path)
                if filled:
                    _note_fields(block, path, line, filled, lists)
                rows += filled
                line += lines
                stop = window.offset + at + used
                if (split and stop - first >= _SHARD_BYTES) or (window.final and stop > first):
                    pieces.append(((first, stop), rows))
                    first, rows = stop, 0
                if window.final:
                    break
                window.advance(at + used)
                at = 0
        if not lists:
            raise SourceError(f'{path} holds no JSON object; give one object a line, like {{"click": 1}}')
        schema = pa.schema([(name, _LISTS[only is True]) for name, only in lists.items()])
        return cls(path, schema, pieces, (), {"encoding": encoding}, os.path.getsize(path))

    def read(self, part: tuple[int, ...], columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        """Batches of a byte range; a field that an object lacks is null."""
        schema = {
            name: pl.List(pl.String) if pa.types.is_large_list(self.schema.field(name).type) else pl.String()
            for name in columns
        }
        encoding = self.options["encoding"]
        strict = self.options.get("strict", False)
        whole = encoding != "utf-8" or is_compressed(self.path)
        first, stop = part
        row = sum(rows for (start, _), rows in self.pieces if start < first)
        with Window(self.path, encoding, 0 if whole else first, None if whole else stop, 4 << 20) as window:
            window.advance(0)
            at = first if whole else 0
            while True:
                block, used, filled, _ = _whole_lines(window, at)
                if filled:
                    if strict:
                        table = _strings(block, columns, self.path, row)
                    else:
                        table = _parse(block, schema, None, self.path, 1).select(list(columns)).to_arrow()
                    row += filled
                    for batch in table.to_batches(max_chunksize=rows):
                        yield batch.cast(pa.schema([self.schema.field(name) for name in columns]))
                if window.final:
                    return
                window.advance(at + used)
                at = 0


def _whole_lines(window: Window, at: int) -> tuple[np.ndarray, int, int, int]:
    """(bytes up to the last newline, bytes used, lines with an object, newlines)."""
    view = window.data[at : window.n]
    used = len(view)
    ends = np.flatnonzero(view == 10)
    if not window.final:
        used = int(ends[-1]) + 1 if len(ends) else 0
    block = view[:used]
    # a line is blank when nothing but spaces stands in it: only those shorter than a few bytes are looked at
    edges = np.concatenate([[-1], ends, [] if not used or block[-1] == 10 else [used]]).astype(np.int64)
    lengths = np.diff(edges) - 1
    short = np.flatnonzero(lengths < 3)
    blank = sum(not block[edges[i] + 1 : edges[i + 1]].tobytes().strip() for i in short)
    return block, used, len(lengths) - blank, len(ends)


def _parse(block: np.ndarray, schema: Any, infer: int | None, path: str, line: int) -> pl.DataFrame:
    try:
        return pl.read_ndjson(BytesIO(block.tobytes()), schema=schema, infer_schema_length=infer)
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        raise SourceError(
            f"{path}: a line from {line:,} on is no JSON object ({reason}). Give one object a line, like "
            '{"click": 1, "user": "u7"}'
        ) from error


def _strings(block: np.ndarray, columns: Sequence[str], path: str, first: int) -> pa.Table:
    """The columns, of which every value is a string or null; the error names the row that is not, from 0."""
    schema = pa.schema([(name, pa.large_string()) for name in columns])
    try:
        return pj.read_json(
            pa.py_buffer(block),
            pj.ReadOptions(use_threads=False, block_size=len(block) + 1),
            pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
        )
    except pa.ArrowInvalid as error:
        found = _REASON.match(str(error).removeprefix("JSON parse error: "))
        reason, row = (found[1], first + int(found[2])) if found else (str(error), first)
        raise SourceError(
            f"{path}: {', '.join(columns)} of row {row} is not a string ({reason}); leave such rows out"
        ) from error


def _note_fields(block: np.ndarray, path: str, line: int, filled: int, lists: dict[str, bool | None]) -> None:
    frame = _parse(block, None, None, path, line)
    if len(frame) != filled:
        raise SourceError(
            f"{path}: {filled} lines from line {line:,} on hold {len(frame)} objects; give one object a line"
        )
    for name, kind in frame.schema.items():
        if kind == pl.Null:
            lists.setdefault(name, None)
        else:
            flat = isinstance(kind, pl.List) and not isinstance(kind.inner, pl.List | pl.Struct)
            lists[name] = lists.get(name) is not False and flat
