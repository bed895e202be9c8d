"""Results on disk: one Parquet file, roles and provenance as JSON in its footer."""

from __future__ import annotations

import errno
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from salience.results.checksums import AGAIN, CHECKSUM, ROOM, check, check_format, seal
from salience.results.meta import Meta

__all__ = ["FORMAT", "TEMPORARY", "load", "plain_errors", "save", "save_frame", "sync", "written_beside"]

FORMAT = 2
FOOTER = b"salience"
REPLICATES = "__replicates__"  # a list of R float32 per row


TEMPORARY = "say TMPDIR=/another/folder before the command"


@contextmanager
def written_beside(path: str | PathLike[str], *, sealed: bool = False) -> Iterator[Path]:
    """A path in the same folder to write to; renamed to `path` when all went well, deleted when not.

    The data is on the disk before the name is: a reader, or a crash, sees the old file or the new one.

    Parameters
    ----------
    path : path
    sealed : bool
        What is written leaves room for a checksum (`salience.results.checksums`), which is put there.

    Raises
    ------
    OSError
        It cannot be written; the message says which file, why, and what to do.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     target = pathlib.Path(folder, "a.txt")
    ...     with written_beside(target) as beside:
    ...         _ = beside.write_text("all of it")
    ...     [p.name for p in pathlib.Path(folder).iterdir()]
    ['a.txt']
    """
    target = Path(path)
    if not target.parent.is_dir():
        raise FileNotFoundError(f"cannot write {target}: the folder {target.parent} does not exist")
    with plain_errors(target):
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent)
        os.close(handle)
        beside = Path(name)
        try:
            yield beside
            if sealed:
                seal(beside)
            sync(beside)
            beside.chmod(target.stat().st_mode if target.exists() else 0o666 & ~_umask())
            os.replace(beside, target)
            sync(target.parent)
        finally:
            beside.unlink(missing_ok=True)


class plain_errors:
    """Turn what the system says about a full or forbidden disk into what a person can do about it.

    Parameters
    ----------
    path : path
        What is being written.
    elsewhere : str
        How to say that it goes elsewhere.
    """

    SAY: Mapping[int, str] = {
        errno.ENOSPC: "the disk is full; free some space or {}",
        errno.EDQUOT: "your disk quota is used up; free some space or {}",
        errno.EFBIG: "files of that size are not allowed there; raise the limit (ulimit -f) or {}",
        errno.EROFS: "that disk is read-only; {}",
        errno.EACCES: "the folder may not be written; {}",
        errno.EPERM: "the folder may not be written; {}",
        errno.ENOTDIR: "a part of that path is a file, not a folder; {}",
        errno.EISDIR: "that is a folder, not a file; {}",
        errno.EEXIST: "a file of that name stands in the way; {}",
        errno.ENAMETOOLONG: "that name is too long for the disk; choose a shorter one",
    }

    def __init__(self, path: str | PathLike[str], elsewhere: str = "choose another folder") -> None:
        self.path, self.elsewhere = os.fspath(path), elsewhere

    def __enter__(self) -> None: ...

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        number = _system_error(error)
        if number is None or not self._is_about(getattr(error, "filename", None)):
            return
        said = self.SAY.get(number) or getattr(error, "strerror", None) or str(error)
        raise OSError(number, f"cannot write {self.path}: {said.format(self.elsewhere)}") from error

    def _is_about(self, named: Any) -> bool:
        """Whether a file that an error names is the one being written, not one that is read meanwhile."""
        if not isinstance(named, str | PathLike):
            return True
        named, path = Path(named), Path(self.path)
        beside = named.parent == path.parent and named.name.lstrip(".").startswith(path.name)
        return beside or named in (path, *path.parents)


def _system_error(error: BaseException | None) -> int | None:
    """The number of what the system complained of; None for any other error."""
    if isinstance(error, OSError) and error.errno:
        return error.errno
    # polars says what the system said only in the text of an exception, sometimes of its own kind
    told = re.search(r"os error (\d+)", str(error)) if isinstance(error, Exception) else None
    return int(told[1]) if told else 0 if isinstance(error, OSError) else None


def save(
    path: str | PathLike[str],
    frame: pl.DataFrame,
    roles: Mapping[str, Any],
    meta: Meta,
    replicates: NDArray[np.float32] | None = None,
) -> None:
    """Write a frame of scores with its roles, meta and replicates to one Parquet file."""
    import pyarrow as pa

    table = frame.to_arrow()
    if replicates is not None:
        flat = pa.array(np.ascontiguousarray(replicates.T).reshape(-1))
        table = table.append_column(REPLICATES, pa.FixedSizeListArray.from_arrays(flat, replicates.shape[0]))
    footer = {"format": FORMAT, "kind": "Scores", "roles": dict(roles), "meta": meta.to_dict()}
    text = json.dumps(footer, ensure_ascii=False, allow_nan=False).encode()
    _write(path, table.replace_schema_metadata({FOOTER: text}))


def save_frame(path: str | PathLike[str], frame: pl.DataFrame) -> None:
    """Write a plain frame to a Parquet file with a checksum; `check` it before it is read back."""
    _write(path, frame.to_arrow())


def _write(path: str | PathLike[str], table: Any) -> None:
    from pyarrow.parquet import ParquetWriter

    with (
        written_beside(path, sealed=True) as beside,
        ParquetWriter(beside, table.schema, compression="zstd") as out,
    ):
        out.write_table(table)
        out.add_key_value_metadata({CHECKSUM: ROOM})


def load(path: str | PathLike[str]) -> dict[str, Any]:
    """Read what :func:`save` wrote, as the arguments of ``Scores``.

    Raises
    ------
    FileNotFoundError
        When there is no file.
    ValueError
        When it is damaged, was not written by salience, or by another version of the format.
    """
    import pyarrow.parquet as pq

    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no file {os.fspath(path)!r}")
    check(path, f"{AGAIN}, or read it yourself and pass the frame to Scores(frame, keys=...)")
    with pq.ParquetFile(path) as file:  # `read_table` imports pandas, where there is one
        table = file.read()
    text = (table.schema.metadata or {}).get(FOOTER)
    if text is None:
        raise ValueError(
            f"{os.fspath(path)!r} is Parquet, but its footer holds no salience scores; "
            "read the frame yourself and pass it to Scores(frame, keys=...)"
        )
    footer = json.loads(text)
    check_format(path, footer["format"], FORMAT)
    replicates = None
    if REPLICATES in table.column_names:
        kind = table.schema.field(REPLICATES).type
        flat = table[REPLICATES].combine_chunks().flatten().to_numpy(zero_copy_only=False)
        replicates = flat.reshape(table.num_rows, kind.list_size).T
        table = table.drop_columns([REPLICATES])
    frame = pl.from_arrow(table.replace_schema_metadata(None))
    assert isinstance(frame, pl.DataFrame)  # a table never becomes a series
    roles = footer["roles"]
    return {
        "frame": frame,
        "keys": tuple(roles["keys"]),
        "by": tuple(roles["by"]),
        "item": roles["item"],
        "better": roles["better"],
        "replicates": replicates,
        "meta": Meta.from_dict(footer["meta"]),
    }


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
