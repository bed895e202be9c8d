"""Records of delimited text, found without parsing: the two kernels of the CSV reader.

Quotes are special only where a field starts; a doubled quote inside is one quote; delimiters and newlines
inside quotes are text. Eight bytes are looked at together, so bytes that are no delimiter, quote or
newline cost next to nothing. Blank lines are no records, a record with another number of fields than the
header is ragged.
"""

import numpy as np
from numba import njit

from salience.data.words import ONES, count_lanes, equal_bytes, first_lane, load64

_NEWLINE = np.uint64(10) * ONES
_LF, _CR = 10, 13

#: Fields of the report of `index_records`.
USED, GOOD, RAGGED, BLANK, LINES, OPEN_AT = range(6)


@njit(nogil=True, cache=True)
def _closing(data, i, n, quote, pattern):  # type: ignore[no-untyped-def]
    """From inside a quoted field: (end of its closing quote or -1, newlines passed, quotes doubled)."""
    lines = 0
    doubled = False
    while i < n:
        if i + 8 <= n:
            word = load64(data, i)
            mask = equal_bytes(word, pattern)
            breaks = equal_bytes(word, _NEWLINE)
            if mask == 0:
                lines += count_lanes(breaks)
                i += 8
                continue
            lane = first_lane(mask)
            lines += count_lanes(breaks & ((np.uint64(1) << np.uint64(8 * lane)) - np.uint64(1)))
            i += lane
        elif data[i] != quote:
            lines += data[i] == _LF
            i += 1
            continue
        if i + 1 < n and data[i + 1] == quote:
            doubled = True
            i += 2
        else:
            return i + 1, lines, doubled
    return -1, lines, doubled


@njit(nogil=True, cache=True)
def index_records(data, n, final, delimiter, quote, expected, line, report, odd):  # type: ignore[no-untyped-def]
    """Count the records of ``data[:n]`` and find where the last whole one ends.

    Parameters
    ----------
    data : uint8
    n : int
    final : bool
        The end of `data` ends the last record.
    delimiter, quote : int
        Bytes; a quote of 255, which UTF-8 never has, means none.
    expected : int
        Fields of a good record.
    line : int
        Line number of ``data[0]``.
    report : int64 (6,), out
        USED bytes; GOOD, RAGGED and BLANK records; LINES passed; line where an unclosed quote opens, or 0.
    odd : int64 (k, 2), in and out
        (line, fields) of the first ragged records; rows with a line are left as they are.
    """
    delimiters, quotes = np.uint64(delimiter) * ONES, np.uint64(quote) * ONES
    report[:] = 0
    shown = 0
    while shown < len(odd) and odd[shown, 0]:
        shown += 1
    i = start = 0
    fields = 1
    here = line  # where the current record starts
    now = line
    while True:
        # plain stretches, eight bytes at a time
        while i + 8 <= n:
            word = load64(data, i)
            found = equal_bytes(word, delimiters)
            stop = equal_bytes(word, _NEWLINE) | equal_bytes(word, quotes)
            if stop == 0:
                fields += count_lanes(found)
                i += 8
                continue
            lane = first_lane(stop)
            fields += count_lanes(found & ((np.uint64(1) << np.uint64(8 * lane)) - np.uint64(1)))
            i += lane
            break
        else:
            while i < n and data[i] != _LF and data[i] != quote:
                fields += data[i] == delimiter
                i += 1
        if i < n and data[i] == quote:
            if i == start or data[i - 1] == delimiter:
                after, lines, _ = _closing(data, i + 1, n, quote, quotes)
                if after < 0 and final:
                    report[OPEN_AT] = now
                    return
                if after < 0:
                    break
                i = after
                now += lines
            else:
                i += 1  # a quote inside a field is text
            continue
        if i >= n and not final:
            break
        end = i
        if end > start and data[end - 1] == _CR:
            end -= 1
        if end == start and fields == 1:
            report[BLANK] += i < n
        elif fields == expected:
            report[GOOD] += 1
        else:
            report[RAGGED] += 1
            if shown < len(odd):
                odd[shown, 0] = here
                odd[shown, 1] = fields
                shown += 1
        if i >= n:
            report[USED] = n
            report[LINES] = now - line
            return
        i += 1
        start = i
        now += 1
        here = now
        fields = 1
        report[USED] = start
        report[LINES] = now - line


@njit(nogil=True, cache=True)
def split_records(data, n, final, delimiter, quote, expected, slots, starts, ends):  # type: ignore[no-untyped-def]
    """Cells of the good records of ``data[:n]``.

    Parameters
    ----------
    data, n, final, delimiter, quote, expected
        As for `index_records`.
    slots : int32 (expected,)
        Column of `starts` for each field, -1 for a field that is not wanted.
    starts, ends : int32 (rows, wanted), out

    Returns
    -------
    used : int
        Bytes up to the end of the last whole record (or the first that no longer fits).
    rows : int
        Rows written.
    """
    delimiters, quotes = np.uint64(delimiter) * ONES, np.uint64(quote) * ONES
    row = used = i = start = 0
    field = 0
    cell = 0  # where the current field starts
    while row < len(starts):
        word_end = i + 8 <= n
        mask = np.uint64(0)
        if word_end:
            word = load64(data, i)
            mask = equal_bytes(word, delimiters) | equal_bytes(word, _NEWLINE) | equal_bytes(word, quotes)
            if mask == 0:
                i += 8
                continue
        base = i
        moved = False
        # every marked byte of this word, or every byte of the last few
        while True:
            if word_end:
                if mask == 0:
                    break
                i = base + first_lane(mask)
                mask &= mask - np.uint64(1)
            elif i >= n and not final:
                break
            byte = data[i] if i < n else _LF
            if byte == quote:
                if i == cell:
                    after, _, doubled = _closing(data, i + 1, n, quote, quotes)
                    if after < 0:
                        return used, row  # the index pass has refused a final one
                    nxt = data[after] if after < n else _LF
                    if nxt == _CR and (after + 1 >= n or data[after + 1] == _LF):
                        nxt = _LF
                    if after >= n and not final:
                        return used, row
                    if nxt in (delimiter, _LF):
                        if field < expected and slots[field] >= 0:
                            starts[row, slots[field]] = i + 1
                            ends[row, slots[field]] = ~(after - 1) if doubled else after - 1
                        cell = -1  # this field is written
                    i = after
                    moved = True
                    break
                if not word_end:
                    i += 1
                continue
            if byte in (delimiter, _LF):
                end = i
                if byte == _LF and end > start and data[end - 1] == _CR:
                    end -= 1
                if cell >= 0 and field < expected and slots[field] >= 0:
                    starts[row, slots[field]] = cell
                    ends[row, slots[field]] = max(end, cell)
                field += 1
                if byte == _LF:
                    row += field == expected and not (end == start and field == 1)
                    field = 0
                    start = used = min(i + 1, n)
                    if i >= n:
                        return n, row
                    if row == len(starts):
                        return used, row
                cell = i + 1
            if not word_end:
                i += 1
        if moved:
            continue
        if not word_end:
            break
        i = base + 8
    return used, row
