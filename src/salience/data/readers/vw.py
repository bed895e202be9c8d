"""Vowpal Wabbit text: a label, then namespaces of tokens; every namespace is a column.

``1 2.0 'tag|user u7 |words red blue`` has label 1 (its importance and tag are not read), user "u7" and words
"red-blue": several tokens are joined by "-", as OutRank does, so that a multi-value column can be split
again.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit

from salience.data.readers.cells import CELLS, text_column
from salience.data.readers.source import Member, SourceError
from salience.data.readers.windows import Window, check_utf8, encoding_of, is_compressed
from salience.data.xxh64 import hash_bytes

_SHARD_BYTES = 64 << 20
_TABLE = 8192  # slots of the table of namespaces, at most half full
_SPACE, _TAB, _LF, _CR, _BAR, _COLON = 32, 9, 10, 13, 124, 58


@njit(nogil=True, cache=True)
def _line_end(data, i, n):  # type: ignore[no-untyped-def]
    while i < n and data[i] != _LF:
        i += 1
    return i


@njit(nogil=True, cache=True)
def _next_bar(data, i, end):  # type: ignore[no-untyped-def]
    while i < end and data[i] != _BAR:
        i += 1
    return i


@njit(nogil=True, cache=True)
def _name_end(data, i, end):  # type: ignore[no-untyped-def]
    while i < end and data[i] != _SPACE and data[i] != _TAB and data[i] != _COLON and data[i] != _CR:
        i += 1
    return i


@njit(nogil=True, cache=True)
def _slot(keys, key):  # type: ignore[no-untyped-def]
    """Place of `key` in the open-addressing table, or of the empty slot (key 0) where it belongs."""
    size = np.uint64(len(keys))
    at = key % size
    while keys[at] != key and keys[at] != 0:
        at = (at + np.uint64(1)) % size
    return at


@njit(nogil=True, cache=True)
def _index(data, n, final, keys, fresh):  # type: ignore[no-untyped-def]
    """(bytes used, rows, lines that are no examples, new namespaces); new names' spans go into `fresh`."""
    i = used = rows = odd = new = 0
    while i < n:
        end = _line_end(data, i, n)
        if end == n and not final:
            break
        bar = _next_bar(data, i, end)
        if bar == end:
            for k in range(i, end):
                if data[k] > _SPACE:
                    odd += 1
                    break
        else:
            rows += 1
            while bar < end and new < len(fresh):
                stop = _name_end(data, bar + 1, end)
                at = _slot(keys, hash_bytes(data, bar + 1, stop))
                if keys[at] == 0:
                    keys[at] = hash_bytes(data, bar + 1, stop)
                    fresh[new, 0], fresh[new, 1] = bar + 1, stop
                    new += 1
                bar = _next_bar(data, stop, end)
        i = used = min(end + 1, n)
    return used, rows, odd, new


@njit(nogil=True, cache=True)
def _split(data, n, final, keys, slots, label, starts, ends):  # type: ignore[no-untyped-def]
    """(bytes used, rows): cells of the wanted namespaces, and of the label when `label` is a slot."""
    i = used = row = 0
    while i < n and row < len(starts):
        end = _line_end(data, i, n)
        if end == n and not final:
            break
        bar = _next_bar(data, i, end)
        if bar < end:
            starts[row, :] = 0
            ends[row, :] = 0
            if label >= 0:
                stop = i
                while stop < bar and data[stop] > _SPACE:
                    stop += 1
                starts[row, label], ends[row, label] = i, stop
            while bar < end:
                begin = _name_end(data, bar + 1, end)
                at = _slot(keys, hash_bytes(data, bar + 1, begin))
                while begin < end and data[begin] > _SPACE:  # a weight: ":2.0"
                    if data[begin] == _BAR:
                        break
                    begin += 1
                bar = _next_bar(data, begin, end)
                if keys[at] != 0 and slots[at] >= 0:
                    stop = bar
                    while begin < stop and data[begin] <= _SPACE:
                        begin += 1
                    while stop > begin and data[stop - 1] <= _SPACE:
                        stop -= 1
                    starts[row, slots[at]], ends[row, slots[at]] = begin, stop
            row += 1
        i = used = min(end + 1, n)
    return used, row


def _key(name: str) -> np.uint64:
    data = np.frombuffer(name.encode() or b" ", np.uint8)
    return np.uint64(hash_bytes(data, 0, len(name.encode())))


class VwMember(Member):
    """One VW file; a part is a byte range."""

    accepts = ("label", "namespaces", "encoding")

    @classmethod
    def open(  # type: ignore[override]
        cls,
        path: str,
        *,
        label: str = "label",
        namespaces: Mapping[str, Sequence[str]] | None = None,
        encoding: str | None = None,
    ) -> Self:
        """Count the examples and find the namespaces.

        Parameters
        ----------
        path : str
        label : str
            Name of the label's column.
        namespaces : dict of id to (name, type), optional
            Names of the columns; a namespace of type "f32" holds numbers. By default the namespaces of the
            file, under their own names (the one without a name is "features").
        encoding : str, optional

        Raises
        ------
        SourceError
            If no line is an example, or there are thousands of namespaces.
        """
        encoding = encoding_of(path, encoding)
        found: list[str] = []
        keys, fresh = np.zeros(_TABLE, np.uint64), np.zeros((_TABLE // 2, 2), np.int64)
        pieces: list[tuple[tuple[int, ...], int]] = []
        split = encoding == "utf-8" and not is_compressed(path)
        first = rows = odd = total = 0
        line = 1
        with Window(path, encoding) as window:
            at = 0
            while True:
                window.advance(at)
                used, n, strange, new = _index(window.data, window.n, window.final, keys, fresh)
                view = window.data[:used]
                check_utf8(view, line, window.offset, path)
                line += int(np.count_nonzero(view == _LF))
                found += [view[a:b].tobytes().decode() for a, b in fresh[:new]]
                if len(found) >= _TABLE // 2:
                    raise SourceError(
                        f"{path} has thousands of namespaces; is it VW? The first are {found[:5]}"
                    )
                rows, odd, total, at = rows + n, odd + strange, total + n, used
                stop = window.offset + used
                if (split and stop - first >= _SHARD_BYTES) or (window.final and stop > first):
                    pieces.append(((first, stop), rows))
                    first, rows = stop, 0
                if window.final:
                    break
        if not total:
            raise SourceError(f"{path} holds no VW example; a line looks like '1 |user u7 |words red blue'")
        columns, notes = _columns(found, label, namespaces)
        if odd:
            notes.append(f"{odd} lines without '|' left out")
        schema = pa.schema([(name, pa.large_string()) for name in columns])
        names = {name: ident for ident, name in zip([None, *_ids(found, namespaces)], columns, strict=True)}
        numbers = [name for name, kind in (namespaces or {}).values() if kind == "f32"]
        options = {"label": label, "ids": names, "numbers": numbers, "encoding": encoding}
        return cls(path, schema, pieces, notes, options, os.path.getsize(path))

    def read(self, part: tuple[int, ...], columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        """Batches of a byte range; a namespace that a line lacks is "", i.e. missing."""
        keys, slots = np.zeros(_TABLE, np.uint64), np.full(_TABLE, -1, np.int32)
        label = -1
        for column, name in enumerate(columns):
            ident = self.options["ids"][name]
            if ident is None:
                label = column
                continue
            place = _slot(keys, _key(ident))
            keys[place], slots[place] = _key(ident), column
        room = max(1, min(rows, CELLS // len(columns)))
        starts, ends = np.empty((room, len(columns)), np.int32), np.empty((room, len(columns)), np.int32)
        encoding = self.options["encoding"]
        whole = encoding != "utf-8" or is_compressed(self.path)
        first, stop = part
        with Window(self.path, encoding, 0 if whole else first, None if whole else stop) as window:
            window.advance(0)
            at = 0
            while True:
                view = window.data[at : window.n]
                used, n = _split(view, len(view), window.final, keys, slots, label, starts, ends)
                if n:
                    arrays = [
                        self._values(text_column(view, starts, ends, n, slot), name)
                        for slot, name in enumerate(columns)
                    ]
                    yield pa.RecordBatch.from_arrays(arrays, names=list(columns))
                at += used
                if n < room:
                    if window.final:
                        return
                    window.advance(at)
                    at = 0

    def _values(self, array: pa.Array, name: str) -> pa.Array:
        if name in self.options["numbers"]:  # "C:0.5" and "C=0.5" are the number 0.5
            return pc.replace_substring_regex(array, r"^[^\s]*[:=]", "")
        buffer = array.buffers()[2]
        spaced = buffer is not None and buffer.size and (np.frombuffer(buffer, np.uint8) == _SPACE).any()
        return pc.replace_substring_regex(array, r"\s+", "-") if spaced else array


def _ids(found: Sequence[str], namespaces: Mapping[str, Sequence[str]] | None) -> list[str]:
    return list(namespaces) if namespaces else list(found)


def _columns(
    found: Sequence[str], label: str, namespaces: Mapping[str, Sequence[str]] | None
) -> tuple[list[str], list[str]]:
    names = [namespaces[i][0] for i in namespaces] if namespaces else [name or "features" for name in found]
    if label in names:
        raise SourceError(
            f"the label would be named {label!r} like a namespace; pass label= with another name"
        )
    strange = [name for name in found if name not in namespaces] if namespaces else []
    notes = [f"namespaces without a name in the map left out: {', '.join(strange[:5])}"] if strange else []
    return [label, *names], notes
