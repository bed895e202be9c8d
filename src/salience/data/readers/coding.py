"""From cells of a byte buffer to codes and dictionaries, without a string for every cell.

Most columns of a table of text have few values. Each distinct value of a column is copied once per batch; a column that turns
out to have many becomes plain text, in this batch and the following ones.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numba import njit

from salience.data.readers.cells import text_column
from salience.data.readers.source import PIECE_BYTES
from salience.data.words import load64
from salience.data.xxh64 import hash_bytes

_P1 = np.uint64(0x9E3779B97F4A7C15)
_BYTES_OF_A_VALUE = 16  # room in a dictionary, on average
_LONGEST = (
    512  # bytes of a value that is coded: a column of longer ones is plain, for it may have to become so
)


class Coder:
    """Collects batches of cells into one batch of columns.

    Parameters
    ----------
    columns : int
    rows : int
        Most rows of a batch.
    quote : int
        The byte that is doubled inside quotes.
    """

    def __init__(self, columns: int, rows: int, quote: int = 34) -> None:
        self._rows, self._quote = rows, quote
        most = max(64, rows // 4)
        slots = 1 << (2 * most - 1).bit_length()
        self._table = np.empty((columns, slots), np.int32)
        self._words = np.empty((columns, most), np.uint64)
        self._offsets = np.zeros((columns, most + 1), np.int64)
        self._text = np.empty((columns, most * _BYTES_OF_A_VALUE), np.uint8)
        self._plain = np.zeros(columns, np.bool_)
        self._start()

    def _start(self) -> None:
        self.filled = self._bytes = 0
        self._table[~self._plain] = -1
        self._codes = np.empty((len(self._plain), self._rows), np.int32)
        self._used = np.zeros(len(self._plain), np.int64)
        self._pieces: dict[int, list[pa.Array]] = {int(c): [] for c in np.flatnonzero(self._plain)}

    @property
    def room(self) -> int:
        """Rows that still fit; none when there is much text already."""
        return self._rows - self.filled if self._bytes < PIECE_BYTES else 0

    def add(self, data: np.ndarray, starts: np.ndarray, ends: np.ndarray, rows: int) -> None:
        """Take up `rows` rows of cells, at most `room`."""
        given_up = _code_cells(
            data, starts, ends, rows, self.filled, self._plain, self._codes, self._table, self._words,
            self._offsets, self._text, self._used,
        )  # fmt: skip
        if given_up:
            for column in np.flatnonzero(self._plain).tolist():
                if column not in self._pieces:
                    coded = self._coded(column, self.filled)
                    self._pieces[column] = [coded.dictionary_decode()] if self.filled else []
        for column, pieces in self._pieces.items():
            pieces.append(text_column(data, starts, ends, rows, column, self._quote))
            self._bytes += pieces[-1].nbytes
        self.filled += rows

    def finish(self) -> list[pa.Array]:
        """The columns of the batch; a new one begins."""
        columns = [
            _joined(self._pieces[c]) if c in self._pieces else self._coded(c, self.filled)
            for c in range(len(self._plain))
        ]
        self._start()
        return columns

    def _coded(self, column: int, rows: int) -> pa.DictionaryArray:
        used = self._used[column]
        offsets = self._offsets[column, : used + 1].copy()
        text = self._text[column, : offsets[-1]].copy()
        values = pa.LargeStringArray.from_buffers(int(used), pa.py_buffer(offsets), pa.py_buffer(text))
        codes = pa.Array.from_buffers(pa.int32(), rows, [None, pa.py_buffer(self._codes[column, :rows])])
        return pa.DictionaryArray.from_arrays(codes, values)


def _joined(pieces: list[pa.Array]) -> pa.Array:
    return pieces[0] if len(pieces) == 1 else pa.concat_arrays(pieces)


@njit(nogil=True, cache=True, inline="always")
def _word(data, a, size):  # type: ignore[no-untyped-def]
    """The bytes of a short cell as one word; of a long one, their hash."""
    if size > 8:
        return hash_bytes(data, a, a + size)
    if a + 8 <= len(data):
        # two shifts, as one by 64 would be none
        half = np.uint64(4 * (8 - size))
        return (load64(data, a) << half << half) >> half >> half
    word = np.uint64(0)
    for k in range(size):
        word |= np.uint64(data[a + k]) << np.uint64(8 * k)
    return word


@njit(nogil=True, cache=True)
def _code_cells(  # type: ignore[no-untyped-def]
    data, starts, ends, rows, first, plain, codes, table, words, offsets, text, used
):
    """Code the cells of the columns that are not plain; a column that has too many values becomes plain."""
    most = words.shape[1]
    mask = np.uint64(table.shape[1] - 1)
    given_up = 0
    for column in range(len(plain)):
        if plain[column]:
            continue
        count = used[column]
        # views: one index each in the loop
        begin, end, code_of = starts[:, column], ends[:, column], codes[column]
        slots, known, low_of, copied = table[column], words[column], offsets[column], text[column]
        for row in range(rows):
            a, b = np.int64(begin[row]), np.int64(end[row])
            if b < 0:  # doubled quotes: the value is not the bytes of the cell
                plain[column] = True
                break
            size = b - a
            word = _word(data, a, size)
            at = ((word + np.uint64(size)) * _P1) >> np.uint64(32)
            at &= mask
            code = slots[at]
            while code >= 0:
                low = low_of[code]
                if known[code] == word and low_of[code + 1] - low == size:
                    k = 0
                    if size > 8:  # a short cell is its word
                        while k < size and copied[low + k] == data[a + k]:
                            k += 1
                    if size <= 8 or k == size:
                        break
                at = (at + np.uint64(1)) & mask
                code = slots[at]
            if code < 0:
                low = low_of[count]
                if count == most or low + size > len(copied) or size > _LONGEST:
                    plain[column] = True
                    break
                for k in range(size):
                    copied[low + k] = data[a + k]
                low_of[count + 1] = low + size
                known[count] = word
                slots[at] = count
                code = count
                count += 1
            code_of[first + row] = code
        used[column] = count
        given_up += plain[column]
    return given_up
