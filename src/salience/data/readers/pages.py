"""How large the pages of a Parquet column chunk are, read from their headers alone: a reader holds a page as a whole.

The footer says only how large a chunk is: two gigabytes may be two thousand pages, or one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

__all__ = ["Page", "pages"]

_HEAD = 4096  # bytes that are looked at for a header; statistics of long texts can make it longer
_LONGEST_HEAD = 16 << 20
_DATA, _DICTIONARY, _DATA_V2 = 0, 2, 3
_CODED = (2, 8)  # encodings of a page that holds places in the dictionary


class Page(NamedTuple):
    """One page.

    Attributes
    ----------
    dictionary : bool
        The distinct values of the chunk.
    coded : bool
        Holds places in the dictionary, not values.
    values : int
    stored, unpacked : int
        Bytes in the file, and when they are decompressed.
    """

    dictionary: bool
    coded: bool
    values: int
    stored: int
    unpacked: int


def pages(file: BinaryIO, start: int, size: int) -> Iterator[Page]:
    """The pages of a column chunk, none of which is read.

    Parameters
    ----------
    file : binary file
    start, size : int
        Where the chunk begins, and its bytes.

    Raises
    ------
    ValueError
        The bytes are no page headers (an encrypted column, say).
    """
    end = start + size
    while start < end:
        header, length = _header(file, start)
        kind, unpacked, stored = (number if type(number := header.get(i)) is int else -1 for i in (1, 2, 3))
        if min(kind, unpacked, stored) < 0:
            raise ValueError(f"no page header at byte {start}")
        inner = header.get({_DATA: 5, _DICTIONARY: 7, _DATA_V2: 8}.get(kind, -1), {})
        if inner:
            coded = kind != _DICTIONARY and inner.get(2 if kind == _DATA else 4) in _CODED
            yield Page(kind == _DICTIONARY, coded, int(inner.get(1, 0)), stored, unpacked)
        start += length + stored


def _header(file: BinaryIO, start: int) -> tuple[dict[int, Any], int]:
    """Fields of the header by number, and its length."""
    size = _HEAD
    while True:
        file.seek(start)
        reader = _Compact(file.read(size))
        try:
            return reader.struct(), reader.at
        except IndexError:
            if size >= _LONGEST_HEAD:
                raise ValueError(f"no page header at byte {start}") from None
            size *= 16


class _Compact:
    """Thrift's compact protocol: a struct whose fields have numbers, without any names."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
            if shift > 63:
                raise ValueError("no number of the compact protocol")

    def integer(self) -> int:
        value = self.varint()
        return (value >> 1) ^ -(value & 1)

    def skip(self, n: int) -> None:
        self.at += n
        if self.at > len(self.data):
            raise IndexError

    def struct(self) -> dict[int, Any]:
        fields: dict[int, Any] = {}
        number = 0
        while head := self.byte():
            number = number + (head >> 4) if head >> 4 else self.integer()
            fields[number] = self.value(head & 15)
        return fields

    def value(self, kind: int) -> Any:
        """A number or a struct; what has another type is passed over."""
        if kind in (1, 2):
            return kind == 1
        if kind in (4, 5, 6):
            return self.integer()
        if kind == 12:
            return self.struct()
        if kind not in (3, 7, 8):
            raise ValueError(f"type {kind} has no place in a page header")
        self.skip(1 if kind == 3 else 8 if kind == 7 else self.varint())
        return None
