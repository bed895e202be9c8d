"""CSV and TSV: one pass over the bytes for exact counts, then blocks of whole records as columns of strings.

Nothing is parsed by type (a column of integers may turn to text at row 200,000). Large plain files are
split into byte ranges that workers share; a compressed or recoded file is one shard.
"""

import codecs
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Self

import numpy as np
import pyarrow as pa

from salience.data.readers.cells import CELLS, text_column
from salience.data.readers.coding import Coder
from salience.data.readers.records import (
    BLANK,
    GOOD,
    LINES,
    OPEN_AT,
    RAGGED,
    USED,
    index_records,
    split_records,
)
from salience.data.readers.source import Member, SourceError
from salience.data.readers.windows import (
    Window,
    check_utf8,
    encoding_of,
    is_compressed,
    without_compression,
)

_SHARD_BYTES = 64 << 20
_LEAST_SHARD_BYTES = 4 << 20
_BATCH_CELLS = 1 << 21  # coded at once: 8 MB of codes, three times as much for dictionaries
_CODED_BYTES = 20  # of a cell: its code, and its part of the tables that give codes
MOST_ROWS = 1 << 16  # of a block
_SHOWN = 5
_RENAMED = 20  # columns that a note names
_DELIMITERS = ",;\t|"
_MINUTE = 1 << 16  # bytes looked at to guess the delimiter


class CsvMember(Member):
    """One file of delimited text; a part is a byte range ``(first, stop)``."""

    accepts = ("delimiter", "quote", "encoding", "names")

    @classmethod
    def open(  # type: ignore[override]
        cls,
        path: str,
        *,
        delimiter: str | None = None,
        quote: str | None = '"',
        encoding: str | None = None,
        names: Sequence[str] | None = None,
    ) -> Self:
        """Find the columns, count the records and cut the file into shards.

        Parameters
        ----------
        path : str
        delimiter : str, optional
            One character; by default the one among ``, ; tab |`` that splits the first lines most evenly
            (.tsv: tab).
        quote : str or None
            ``None``: quotes are ordinary characters.
        encoding : str, optional
            By default UTF-8, with or without a byte order mark.
        names : sequence of str, optional
            Names of the columns when the file has no header (a first line equal to them is taken for one).

        Raises
        ------
        SourceError
            An empty file; not UTF-8; a quote that never closes; a wrong option.
        """
        encoding = encoding_of(path, encoding)
        quote_byte = 255 if quote is None else _one_byte(quote, "quote", path)
        with Window(path, encoding) as window:
            window.advance(0)
            start = _skip_bom(window, path)
            if delimiter is None:
                delimiter = _sniff(window.data[start : window.n], path, quote_byte)
            byte = _one_byte(delimiter, "delimiter", path)
            header, body = _first_record(window, start, byte, quote_byte, path)
            if any("\0" in name for name in header):
                raise SourceError(
                    f"{path} has NUL bytes in its header: it may be UTF-16 without a mark at its start; then pass "
                    "encoding='utf-16-le'"
                )
            notes: list[str] = []
            if names is None:
                columns, notes = _column_names(header)
            else:
                columns = list(names)
                if header != columns:
                    body = start
            found = _index(window, path, byte, quote_byte, len(columns), body, is_splittable(path, encoding))
            window_bytes = len(window.data)
        options = {
            "delimiter": byte, "quote": quote_byte, "encoding": encoding, "fields": len(columns),
            "window": window_bytes,
        }  # fmt: skip
        schema = pa.schema([(name, pa.large_string()) for name in columns])
        return cls(path, schema, found[0], [*notes, *found[1]], options, os.path.getsize(path))

    @property
    def held(self) -> int:
        """A window that is growing, and the codes of a batch."""
        fields = self.options["fields"]
        cells = fields * max(1, min(MOST_ROWS, _BATCH_CELLS // fields))
        return int(1.5 * self.options.get("window", 0)) + _CODED_BYTES * cells

    def read(self, part: tuple[int, ...], columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        """Batches of a byte range."""
        delimiter, quote, fields = (self.options[key] for key in ("delimiter", "quote", "fields"))
        slots = np.full(fields, -1, np.int32)
        for slot, name in enumerate(columns):
            slots[self.schema.get_field_index(name)] = slot
        rows = max(1, min(rows, _BATCH_CELLS // len(columns)))
        room = max(1, min(rows, CELLS // len(columns)))
        coder = Coder(len(columns), rows, quote)
        starts = np.empty((len(columns), room), np.int32).T  # cells are read by column
        ends = np.empty((len(columns), room), np.int32).T
        encoding = self.options["encoding"]
        whole = not is_splittable(self.path, encoding)
        first, stop = part
        with Window(self.path, encoding, 0 if whole else first, None if whole else stop) as window:
            window.advance(0)
            skip = first if whole else 0  # the header of a file that must be read from its start
            at = skip
            while True:
                view = window.data[at : window.n]
                wanted = min(room, coder.room)
                used, n = split_records(
                    view,
                    len(view),
                    window.final,
                    delimiter,
                    quote,
                    fields,
                    slots,
                    starts[:wanted],
                    ends[:wanted],
                )
                coder.add(view, starts, ends, n)
                at += used
                done = n < wanted and window.final
                if coder.filled and (done or not coder.room):
                    yield pa.RecordBatch.from_arrays(coder.finish(), names=list(columns))
                if n < wanted:
                    if done:
                        return
                    window.advance(at)
                    at = 0


def is_splittable(path: str, encoding: str) -> bool:
    """Whether a byte range of the file can be read by itself."""
    return encoding == "utf-8" and not is_compressed(path)


def _one_byte(character: str, option: str, path: str) -> int:
    if len(character.encode()) != 1 or character in "\r\n":
        raise SourceError(f"{option}={character!r} (for {path}): give one ASCII character, not a line break")
    return ord(character)


def _skip_bom(window: Window, path: str) -> int:
    if window.data[: min(window.n, 3)].tobytes() == codecs.BOM_UTF8:  # recoded or not
        return 3
    if not window.n:
        raise SourceError(
            f"{path} is empty: there is not even a header; give a file with a line of column names"
        )
    return 0


def _sniff(data: np.ndarray, path: str, quote: int) -> str:
    """The delimiter that gives most of the first records the same number of fields, and more than one."""
    if without_compression(path).lower().endswith((".tsv", ".tab")):
        return "\t"
    sample = data[:_MINUTE]
    best, delimiter = (0.0, 0), ","
    for candidate in _DELIMITERS:
        report, odd = np.zeros(6, np.int64), np.zeros((200, 2), np.int64)
        # no record has -1 fields: every one is reported with its count
        final = len(data) <= _MINUTE
        index_records(sample, len(sample), final, ord(candidate), quote, -1, 1, report, odd)
        counts = Counter(odd[odd[:, 0] > 0, 1].tolist())
        if not counts:
            continue
        fields, times = counts.most_common(1)[0]
        score = (times / counts.total(), fields)
        if fields > 1 and score > best:
            best, delimiter = score, candidate
    return delimiter


def _first_record(window: Window, start: int, delimiter: int, quote: int, path: str) -> tuple[list[str], int]:
    """Fields of the first record that is not blank, and where the next one begins (relative to the file)."""
    report, odd = np.zeros(6, np.int64), np.zeros((1, 2), np.int64)
    at = start
    while True:
        view = window.data[at : window.n]
        end = _line_end(view, window.final, delimiter, quote)
        if end is None:
            if window.final:
                raise SourceError(f"{path} holds only blank lines; give a file with a line of column names")
            window.advance(0)
            continue
        index_records(view, end, True, delimiter, quote, -1, 1, report, odd)
        if report[OPEN_AT]:
            raise SourceError(f"{path}: a quote in the header never closes; repair it or pass quote=None")
        if report[RAGGED]:
            fields = int(odd[0, 1])
            break
        at += end
    starts, ends = np.zeros((1, fields), np.int32), np.zeros((1, fields), np.int32)
    split_records(view, end, True, delimiter, quote, fields, np.arange(fields, dtype=np.int32), starts, ends)
    check_utf8(view[:end], 1, at, path)
    return [text_column(view, starts, ends, 1, i, quote)[0].as_py() for i in range(fields)], at + end


def _line_end(view: np.ndarray, final: bool, delimiter: int, quote: int) -> int | None:
    """End of the first record (its newline included), None when it does not end in this view."""
    report, odd = np.zeros(6, np.int64), np.zeros((0, 2), np.int64)
    stop = 0
    while stop < len(view):
        breaks = np.flatnonzero(view[stop : stop + 4096] == 10)
        for position in breaks + stop + 1:
            index_records(view, position, False, delimiter, quote, -1, 1, report, odd)
            if report[USED]:
                return int(position)
        stop += 4096
    return len(view) if final and len(view) else None


def _column_names(header: list[str]) -> tuple[list[str], list[str]]:
    """Unique names: an empty one becomes column_3, a repeated one name_2."""
    names: dict[str, None] = {}
    changed = []
    taken, last = set(header), dict.fromkeys(header, 1)
    for position, name in enumerate(header, 1):
        unique = stem = name or f"column_{position}"
        while unique in names or (unique != name and unique in taken):
            last[stem] = last.get(stem, 1) + 1  # the numbers before are taken
            unique = f"{stem}_{last[stem]}"
        if unique != name:
            changed.append(f"{name!r} (column {position}) is now {unique!r}")
        names[unique] = None
    if len(changed) > _RENAMED:
        changed = [*changed[:_RENAMED], f"... {len(changed) - _RENAMED:,} more"]
    return list(names), [
        f"columns without a name of their own were named: {', '.join(changed)}"
    ] if changed else []


def _index(
    window: Window, path: str, delimiter: int, quote: int, fields: int, body: int, split: bool
) -> tuple[list[tuple[tuple[int, ...], int]], list[str]]:
    """Pieces with their exact number of records, and notes on what was left out."""
    report, odd = np.zeros(6, np.int64), np.zeros((_SHOWN, 2), np.int64)
    line = 1 + int(np.count_nonzero(window.data[: body - window.offset] == 10))
    at = body - window.offset
    first, rows = body, 0
    # a small file is cut too, so that two threads can share it
    shard_bytes = min(_SHARD_BYTES, max(_LEAST_SHARD_BYTES, os.path.getsize(path) // 8))
    ragged = blank = zeros = 0
    pieces: list[tuple[tuple[int, ...], int]] = []
    while True:
        view = window.data[at : window.n]
        index_records(view, len(view), window.final, delimiter, quote, fields, line, report, odd)
        if report[OPEN_AT]:
            raise SourceError(
                f"{path}: the quote that opens a field at line {report[OPEN_AT]:,} never closes. Repair it, "
                "or pass quote=None if quotes are ordinary characters"
            )
        used, begin = int(report[USED]), line
        done = view[:used]
        check_utf8(done, begin, window.offset + at, path)
        zeros += int(np.count_nonzero(done == 0)) if used and done.min() == 0 else 0
        rows, ragged, blank = (
            rows + int(report[GOOD]),
            ragged + int(report[RAGGED]),
            blank + int(report[BLANK]),
        )
        line += int(report[LINES])
        stop = window.offset + at + used
        if (split and stop - first >= shard_bytes) or (window.final and stop > first):
            pieces.append(((first, stop), rows))
            first, rows = stop, 0
        if window.final:
            break
        window.advance(at + used)
        at = 0
    if ragged and not any(rows for _, rows in pieces):
        line, count = odd[0].tolist()
        raise SourceError(
            f"{path}: the header has {fields} fields and no other record has as many (line {line:,} has {count}); "
            f"is {chr(delimiter)!r} what separates them? Give the delimiter, or repair the header"
        )
    return pieces, _left_out(ragged, blank, zeros, fields, odd)


def _left_out(ragged: int, blank: int, zeros: int, fields: int, odd: np.ndarray) -> list[str]:
    notes = []
    if ragged:
        lines = [f"{line} ({count})" for line, count in odd.tolist() if line]
        more = ", ..." if ragged > len(lines) else ""
        rows = "row" if ragged == 1 else "rows"
        notes.append(f"{ragged} ragged {rows} left out, not {fields} fields: lines {', '.join(lines)}{more}")
    if blank:
        notes.append(f"{blank} blank line{'s' if blank > 1 else ''} left out")
    if zeros:
        notes.append(f"{zeros} NUL bytes kept as part of the text")
    return notes
