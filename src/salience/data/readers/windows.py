"""Bytes of a file a window at a time: plain, compressed or in another encoding, always delivered as UTF-8."""

import codecs
import io
import os
from typing import Any

import numpy as np
import pyarrow as pa

from salience.data.readers.source import SourceError

_WINDOW = 8 << 20
_LONGEST_RECORD = 256 << 20
#: Ending of a compressed file -> its codec.
CODECS = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2"}


def compression_of(path: str) -> str:
    """The ending of a compressed file, empty for one that is not."""
    ending = os.path.splitext(path)[1].lower()
    return ending if ending in CODECS else ""


def is_compressed(path: str) -> bool:
    """Whether the name of a file says that it is compressed (.gz, .zst, .bz2)."""
    return bool(compression_of(path))


def without_compression(path: str) -> str:
    """The name of a file without its compression suffix.

    Examples
    --------
    >>> without_compression("clicks.csv.gz")
    'clicks.csv'
    """
    return os.path.splitext(path)[0] if is_compressed(path) else path


# The marks that text in wide characters begins with; that of UTF-32 begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def encoding_of(path: str, encoding: str | None = None) -> str:
    """The encoding of a text file: the given one by Python's name for it, else what its first bytes tell, or UTF-8.

    Raises
    ------
    SourceError
        Python knows no such encoding, or it is none of text.

    Examples
    --------
    >>> encoding_of("clicks.csv", "Latin1"), encoding_of("clicks.csv", "utf-8-sig")
    ('iso8859-1', 'utf-8')
    >>> encoding_of("clicks.csv", "zlib")
    Traceback (most recent call last):
    salience.data.readers.source.SourceError: encoding='zlib' is no encoding of text (for clicks.csv); try ...
    """
    if encoding is None:
        with Window(path, size=4) as window:
            window.advance(0)
            head = window.data[: window.n].tobytes()
        return next((name for mark, name in _MARKS if head.startswith(mark)), "utf-8")
    try:
        "".encode(encoding)  # refuses codecs that turn bytes into bytes
        name = codecs.lookup(encoding).name
    except (LookupError, ValueError) as error:
        raise SourceError(
            f"encoding={encoding!r} is no encoding of text (for {path}); try 'utf-8', 'latin-1', 'cp1252' or 'utf-16'"
        ) from error
    return "utf-8" if name == "utf-8-sig" else name


class _Recoded(io.RawIOBase):
    """Another encoding read as UTF-8."""

    def __init__(self, handle: Any, encoding: str, path: str) -> None:
        self._handle, self._path, self._encoding = handle, path, encoding
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            raw = self._handle.read(1 << 20)
            try:
                self._rest = self._decoder.decode(raw, not raw).encode()
            except UnicodeError as error:  # of some codecs without a reason
                said = getattr(error, "reason", None) or error
                raise SourceError(
                    f"{self._path} is not {self._encoding}: {said}; give the encoding it is written in"
                ) from error
            if not raw:
                break
        n = min(len(buffer), len(self._rest))
        buffer[:n], self._rest = self._rest[:n], self._rest[n:]
        return n

    def close(self) -> None:
        self._handle.close()
        super().close()


class Window:
    """A growing, sliding view of a file's bytes; the caller says how many it has used up.

    Parameters
    ----------
    path : str
    encoding : str
        "utf-8", or any other that Python knows.
    first, stop : int
        Byte range; only for plain files.
    size : int
        Bytes held at once, unless one record is longer; 0: 8 MiB.

    Attributes
    ----------
    data : uint8 (capacity,)
    n : int
        Valid bytes of `data`.
    offset : int
        Position in the (decompressed, recoded) file of ``data[0]``.
    final : bool
        Nothing follows.
    """

    def __init__(
        self, path: str, encoding: str = "utf-8", first: int = 0, stop: int | None = None, size: int = 0
    ) -> None:
        self._path = path
        size = size or _WINDOW
        kind = CODECS.get(compression_of(path))
        self._handle: Any
        if kind:
            self._handle = pa.CompressedInputStream(pa.OSFile(path), kind)
        else:
            self._handle = open(path, "rb", buffering=0)  # noqa: SIM115 - closed by __exit__
            self._handle.seek(first)
        if encoding != "utf-8":
            self._handle = _Recoded(self._handle, encoding, path)
        self._left = None if stop is None else stop - first
        self.data = np.empty(size if stop is None else max(1, min(size, stop - first)), np.uint8)
        self.n = 0
        self.offset = first
        self.final = False

    def __enter__(self) -> "Window":
        return self

    def __exit__(self, *error: object) -> None:
        self._handle.close()

    def advance(self, used: int) -> None:
        """Drop the first `used` bytes and fill up from the file.

        Raises
        ------
        SourceError
            If the compressed data is broken, or a single record outgrows the memory allowed for one.
        """
        rest = self.n - used
        if used == 0 and self.n == len(self.data):
            if len(self.data) >= _LONGEST_RECORD:
                raise SourceError(
                    f"{self._path}: the record at byte {self.offset:,} is over {_LONGEST_RECORD >> 20} MB. "
                    "If a quote never closes, repair it, or pass quote=None to read quotes as text"
                )
            self.data = np.concatenate([self.data, np.empty_like(self.data)])
        elif used:
            self.data[:rest] = self.data[used : self.n].copy()
        self.offset += used
        self.n = rest
        while self.n < len(self.data) and not self.final:
            room = len(self.data) - self.n
            if self._left is not None:
                room = min(room, self._left)
            got = self._read(self.data.data[self.n : self.n + room]) if room else 0
            self.n += got
            if self._left is not None:
                self._left -= got
            self.final = got == 0

    def _read(self, room: memoryview) -> int:
        try:
            return int(self._handle.readinto(room))
        except OSError as error:
            raise SourceError(
                f"{self._path} cannot be decompressed: {error}. It may be truncated: write it again, or "
                "leave it out"
            ) from error


def check_utf8(data: np.ndarray, line: int, offset: int, path: str) -> None:
    """Raise a SourceError that says where bytes are not UTF-8.

    Parameters
    ----------
    data : uint8 (n,)
        Whole records.
    line : int
        Number of its first line.
    offset : int
        Position of ``data[0]`` in the file.
    path : str
    """
    if not len(data) or data.max() < 128:
        return
    try:
        codecs.decode(data.data, "utf-8")
    except UnicodeDecodeError as error:
        at = error.start
        line += int(np.count_nonzero(data[:at] == 10))
        raise SourceError(
            f"{path} is not UTF-8: byte 0x{data[at]:02x} at line {line:,} (byte {offset + at:,}). "
            "Pass the encoding it is written in, for example encoding='latin-1' or encoding='cp1252'"
        ) from error
