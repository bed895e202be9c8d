"""svmlight / libsvm text: ``label [qid:3] 1:0.5 7:2 # comment``.

Up to 4096 ids every id is a column of numbers (an id that a line lacks is 0 there); beyond, a dense table
would be absurd, and the lines are read as two lists, ``ids`` and ``values``.
"""

import os
from collections.abc import Iterator, Sequence
from typing import Self

import numpy as np
import pyarrow as pa
from numba import njit

from salience.data.encoding import numbers
from salience.data.readers.cells import CELLS, text_column
from salience.data.readers.source import Member, SourceError
from salience.data.readers.windows import Window, is_compressed

_SHARD_BYTES = 64 << 20
_MOST_COLUMNS = 4096
_MOST_IDS = 1 << 28
_SPACE, _LF, _HASH, _COLON = 32, 10, 35, 58
_FULL, _BAD = -1, -2


@njit(nogil=True, cache=True)
def _split(data, n, final, ids, rows, cells, label, qid):  # type: ignore[no-untyped-def]
    """Tokens of whole lines.

    `ids` (t,) and `rows` (t,) get the id and the row of each token, `cells` (t, 2) the span of its value,
    `label` and `qid` (rows, 2) spans. Returns (bytes used, rows, tokens, lines passed, position of a bad
    token or -1).
    """
    i = used = row = tokens = lines = 0
    while i < n and row < len(label):
        end = i
        while end < n and data[end] != _LF:
            end += 1
        if end == n and not final:
            break
        stop = i
        while stop < end and data[stop] != _HASH:
            stop += 1
        at, kept, found = i, tokens, 0
        qid[row, 0] = qid[row, 1] = 0
        while True:
            while at < stop and data[at] <= _SPACE:
                at += 1
            if at >= stop:
                break
            word = at
            while at < stop and data[at] > _SPACE:
                at += 1
            found += 1
            if found == 1:
                label[row, 0], label[row, 1] = word, at
                continue
            ident = np.int64(0)
            k = word
            while k < at and 48 <= data[k] <= 57 and ident < (1 << 40):
                ident = ident * 10 + np.int64(data[k]) - 48
                k += 1
            if k == word and at - word > 4 and data[word] == 113 and data[word + 3] == _COLON:  # qid:
                qid[row, 0], qid[row, 1] = word + 4, at
                continue
            if k == word or k >= at or data[k] != _COLON:
                return used, row, kept, lines, word
            if tokens == len(ids):
                return used, row, kept, lines, -1
            ids[tokens], rows[tokens] = ident, row
            cells[tokens, 0], cells[tokens, 1] = k + 1, at
            tokens += 1
        row += found > 0
        lines += 1
        i = used = min(end + 1, n)
    return used, row, tokens, lines, -1


class _Tokens:
    """Room for the tokens of some lines, and the walk over a window."""

    def __init__(self, rows: int) -> None:
        self.label, self.qid = np.zeros((rows, 2), np.int32), np.zeros((rows, 2), np.int32)
        self._room(CELLS)

    def _room(self, tokens: int) -> None:
        self.ids, self.rows = np.empty(tokens, np.int64), np.empty(tokens, np.int32)
        self.cells = np.empty((tokens, 2), np.int32)

    def walk(self, window: Window, path: str, line: int) -> Iterator[tuple[np.ndarray, int, int, int, int]]:
        """(bytes, rows, tokens, bytes used, line after) until the window is at its end."""
        at = 0
        window.advance(0)
        while True:
            view = window.data[at : window.n]
            used, n, tokens, passed, bad = _split(
                view, len(view), window.final, self.ids, self.rows, self.cells, self.label, self.qid
            )
            if bad >= 0:
                word = view[bad : bad + 40].tobytes().split()[0].decode(errors="replace")
                raise SourceError(
                    f"{path}, line {line + passed:,}: {word!r} is not id:value; write ids as whole numbers"
                )
            line += passed
            if n:
                yield view, n, tokens, window.offset + at + used, line
            at += used
            if (
                not used
                and n == 0
                and self.ids.size < len(view)
                and tokens == 0
                and _whole_line(view, window.final)
            ):
                self._room(2 * self.ids.size)  # one line has more tokens than there was room for
            elif at >= window.n or n < len(self.label):
                if window.final and at >= window.n:
                    return
                window.advance(at)
                at = 0


def _whole_line(view: np.ndarray, final: bool) -> bool:
    return bool(len(view)) and (final or bool((view == _LF).any()))


class SvmlightMember(Member):
    """One svmlight file; a part is a byte range."""

    accepts = ("label",)

    @classmethod
    def open(cls, path: str, *, label: str = "label") -> Self:  # type: ignore[override]
        """Count the lines and find the ids.

        Raises
        ------
        SourceError
            A token that is not ``id:value`` (with its line), an id beyond 2**28, or no line at all.
        """
        room = _Tokens(1 << 16)
        seen = np.zeros(1 << 16, bool)
        pieces: list[tuple[tuple[int, ...], int]] = []
        split, first, rows, total, queries, stop = not is_compressed(path), 0, 0, 0, False, 0
        with Window(path) as window:
            for _, n, tokens, stop, line in room.walk(window, path, 1):
                ids = room.ids[:tokens]
                top = int(ids.max()) if tokens else 0
                if top >= _MOST_IDS:
                    raise SourceError(
                        f"{path}, before line {line:,}: id {top:,}; ids must be below {_MOST_IDS:,}"
                    )
                if top >= len(seen):
                    seen = np.concatenate([seen, np.zeros(max(len(seen), top + 1 - len(seen)), bool)])
                seen[ids] = True
                queries = queries or bool(room.qid[:n, 1].any())
                rows, total = rows + n, total + n
                if split and stop - first >= _SHARD_BYTES:
                    pieces.append(((first, stop), rows))
                    first, rows = stop, 0
        if rows:
            pieces.append(((first, stop), rows))
        if not total:
            raise SourceError(f"{path} holds no line of svmlight; one looks like '1 3:0.5 17:2'")
        found = np.flatnonzero(seen)
        names = [(label, pa.large_string()), *([("qid", pa.large_string())] if queries else [])]
        notes = []
        if len(found) <= _MOST_COLUMNS:
            names += [(str(i), pa.float64()) for i in found]
        else:
            notes = [f"{len(found):,} ids are too many for columns: read as the lists 'ids' and 'values'"]
            names += [("ids", pa.large_list(pa.int64())), ("values", pa.large_list(pa.float64()))]
        options = {"label": label, "wide": len(found) > _MOST_COLUMNS}
        return cls(path, pa.schema(names), pieces, notes, options, os.path.getsize(path))

    def read(self, part: tuple[int, ...], columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        """Batches of a byte range."""
        first, stop = part
        whole = is_compressed(self.path)
        wanted = [name for name in columns if pa.types.is_floating(self.schema.field(name).type)]
        room = _Tokens(max(1, min(rows, 1 << 16, 16 * CELLS // max(1, len(wanted)))))
        slots = np.full(1 + max([int(name) for name in wanted], default=0), -1, np.int64)
        slots[[int(name) for name in wanted]] = np.arange(len(wanted))
        with Window(self.path, first=0 if whole else first, stop=None if whole else stop) as window:
            for data, n, tokens, _, _ in room.walk(window, self.path, 1):
                found = dict(zip((self.options["label"], "qid"), (room.label, room.qid), strict=True))
                arrays = {
                    name: text_column(data, spans[:, :1], spans[:, 1:], n, 0)
                    for name, spans in found.items()
                    if name in columns
                }
                if len(arrays) < len(columns):
                    cells = room.cells
                    text = text_column(data, cells[:, :1], cells[:, 1:], tokens, 0)
                    values = np.nan_to_num(
                        numbers(text, "number", ()), nan=0.0, posinf=np.inf, neginf=-np.inf
                    )
                    arrays |= self._lists(room, n, tokens, values) if self.options["wide"] else {}
                    ids = room.ids[:tokens]
                    known = np.flatnonzero(ids < len(slots))
                    known = known[slots[ids[known]] >= 0]
                    dense = np.zeros((len(wanted), n))
                    dense[slots[ids[known]], room.rows[known]] = values[known]
                    arrays |= {name: pa.array(dense[slot]) for slot, name in enumerate(wanted)}
                yield pa.RecordBatch.from_arrays([arrays[name] for name in columns], names=list(columns))

    @staticmethod
    def _lists(room: _Tokens, n: int, tokens: int, values: np.ndarray) -> dict[str, pa.Array]:
        counts = np.bincount(room.rows[:tokens], minlength=n)
        offsets = pa.array(np.concatenate([[0], np.cumsum(counts)]), pa.int64())
        ids = pa.array(room.ids[:tokens].copy())
        return {
            "ids": pa.LargeListArray.from_arrays(offsets, ids),
            "values": pa.LargeListArray.from_arrays(offsets, pa.array(values)),
        }
