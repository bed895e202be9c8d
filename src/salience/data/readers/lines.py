"""Plain text: one document a line, as the column "text"; lines with nothing on them are passed over."""

import os
from collections.abc import Iterator, Sequence
from typing import Self

import numpy as np
import pyarrow as pa

from salience.data.readers.source import Member, SourceError
from salience.data.readers.windows import Window, check_utf8, encoding_of, is_compressed

_SHARD_BYTES = 64 << 20
_BLOCK_BYTES = 4 << 20
_BOM = b"\xef\xbb\xbf"


class LinesMember(Member):
    """One text file; a part is a byte range."""

    accepts = ("encoding",)

    @classmethod
    def open(cls, path: str, *, encoding: str | None = None) -> Self:  # type: ignore[override]
        """Count the lines that hold something.

        Raises
        ------
        SourceError
            A file without any text, or not in its encoding.
        """
        encoding = encoding_of(path, encoding)
        split = encoding == "utf-8" and not is_compressed(path)
        pieces: list[tuple[tuple[int, ...], int]] = []
        first = stop = rows = 0
        line = 1
        for block, stop in _blocks(path, encoding, 0, None):
            check_utf8(block, line, stop - len(block), path)
            line += int(np.count_nonzero(block == ord("\n")))
            rows += len(_texts(block, stop))
            if split and stop - first >= _SHARD_BYTES:
                pieces.append(((first, stop), rows))
                first, rows = stop, 0
        if stop > first:
            pieces.append(((first, stop), rows))
        pieces = [(part, filled) for part, filled in pieces if filled]
        if not pieces:
            raise SourceError(f"{path} holds no text; one document a line is read")
        schema = pa.schema([("text", pa.large_string())])
        return cls(path, schema, pieces, (), {"encoding": encoding}, os.path.getsize(path))

    def read(self, part: tuple[int, ...], columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        """Batches of a byte range."""
        encoding = self.options["encoding"]
        whole = encoding != "utf-8" or is_compressed(self.path)
        for block, stop in _blocks(self.path, encoding, *((0, None) if whole else part)):
            texts = _texts(block, stop)
            for at in range(0, len(texts), rows):
                array = pa.array(texts[at : at + rows], pa.large_string())
                yield pa.RecordBatch.from_arrays([array for _ in columns], names=list(columns))


def _blocks(path: str, encoding: str, first: int, stop: int | None) -> Iterator[tuple[np.ndarray, int]]:
    """Bytes of whole lines, and where in the file they end."""
    with Window(path, encoding, first, stop, _BLOCK_BYTES) as window:
        window.advance(0)
        while True:
            view = window.data[: window.n]
            ends = np.flatnonzero(view == ord("\n"))
            used = window.n if window.final else int(ends[-1]) + 1 if len(ends) else 0
            if used:
                yield view[:used], window.offset + used
            if window.final:
                return
            window.advance(used)


def _texts(block: np.ndarray, stop: int) -> list[str]:
    at_start = stop == len(block)  # only there such a mark is none of the text
    lines = block.tobytes().removeprefix(_BOM if at_start else b"").decode("utf-8").split("\n")
    return [text for line in lines if (text := line.rstrip("\r")).strip()]
