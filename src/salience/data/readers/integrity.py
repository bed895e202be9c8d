"""Damage in binary files: what pyarrow raises about it, and what it does not look at unless it is told to."""

import os
from typing import Any

import pyarrow as pa

from salience.data.readers.source import SourceError


class reading:
    """What goes wrong inside pyarrow while a file is read, said as a SourceError.

    Parameters
    ----------
    path : str
    what : str
        The format as people know it.
    """

    def __init__(self, path: str, what: str) -> None:
        self.path, self.what = path, what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        # damaged metadata make pyarrow ask for memory beyond all measure, or Python for a string of negative length
        if isinstance(
            error, pa.ArrowException | OSError | MemoryError | SystemError | UnicodeError | OverflowError
        ):
            size = os.path.getsize(self.path) if os.path.exists(self.path) else 0
            said = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise SourceError(
                f"{self.path} ({size:,} bytes) cannot be read as {self.what}: {said}. It may be damaged, truncated or "
                "still being written: write it again, or leave it out"
            ) from error


def checked(batch: pa.RecordBatch, path: str) -> pa.RecordBatch:
    """The batch itself, if each offset, code and character in it is sound: kernels follow them without looking.

    Raises
    ------
    SourceError
        With the name of the column.
    """
    try:
        batch.validate(full=True)
    except pa.ArrowInvalid:
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            _check_column(name, column, path)
        raise
    return batch


def _check_column(name: str, column: pa.Array, path: str) -> None:
    try:
        column.validate(full=True)
    except pa.ArrowInvalid as error:
        if "UTF8" in str(error):
            said, todo = (
                "holds bytes that are not UTF-8",
                "write it again as UTF-8, or declare it as bytes (binary)",
            )
        else:
            said, todo = "is damaged", "write the file again, or leave it out"
        raise SourceError(f"{path}: the column {name!r} {said} ({error}); {todo}") from error
