"""Results on disk: one Parquet file, roles and provenance as JSON in its footer."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from salience.results.meta import Meta

__all__ = ["FORMAT", "load", "save", "sync", "written_beside"]

FORMAT = 1
FOOTER = b"salience"
REPLICATES = "__replicates__"  # a list of R float32 per row


@contextmanager
def written_beside(path: str | PathLike[str]) -> Iterator[Path]:
    """A path in the same folder to write to; renamed to `path` when all went well, deleted when not.

    The data is on the disk before the name is: a reader, or a crash, sees the old file or the new one.

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
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent)
    os.close(handle)
    beside = Path(name)
    try:
        yield beside
        sync(beside)
        beside.chmod(target.stat().st_mode if target.exists() else 0o666 & ~_umask())
        os.replace(beside, target)
        sync(target.parent)
    finally:
        beside.unlink(missing_ok=True)


def save(
    path: str | PathLike[str],
    frame: pl.DataFrame,
    roles: Mapping[str, Any],
    meta: Meta,
    replicates: NDArray[np.float32] | None = None,
) -> None:
    """Write a frame of scores with its roles, meta and replicates to one Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = frame.to_arrow()
    if replicates is not None:
        flat = pa.array(np.ascontiguousarray(replicates.T).reshape(-1))
        table = table.append_column(REPLICATES, pa.FixedSizeListArray.from_arrays(flat, replicates.shape[0]))
    footer = {"format": FORMAT, "kind": "Scores", "roles": dict(roles), "meta": meta.to_dict()}
    text = json.dumps(footer, ensure_ascii=False, allow_nan=False).encode()
    with written_beside(path) as beside:
        pq.write_table(table.replace_schema_metadata({FOOTER: text}), beside, compression="zstd")


def load(path: str | PathLike[str]) -> dict[str, Any]:
    """Read what :func:`save` wrote, as the arguments of ``Scores``.

    Raises
    ------
    FileNotFoundError
        When there is no file.
    ValueError
        When it is not Parquet, was not written by salience, or by a later version of the format.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no file {os.fspath(path)!r}")
    try:
        with pq.ParquetFile(path) as file:  # `read_table` imports pandas, where there is one
            table = file.read()
    except (pa.ArrowInvalid, OSError) as error:
        raise ValueError(f"{os.fspath(path)!r} is not a readable Parquet file: {error}") from error
    text = (table.schema.metadata or {}).get(FOOTER)
    if text is None:
        raise ValueError(
            f"{os.fspath(path)!r} is Parquet, but its footer holds no salience scores; "
            "read the frame yourself and pass it to Scores(frame, keys=...)"
        )
    footer = json.loads(text)
    if footer["format"] > FORMAT:
        raise ValueError(
            f"{os.fspath(path)!r} has format {footer['format']}, this salience reads to {FORMAT}: upgrade it"
        )
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
