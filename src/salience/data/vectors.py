"""Vectors from files: .npy (memory-mapped), .npz, Parquet or Arrow with a column of lists, folders of them; labels."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from salience.data.arrays import mapped_npy, opened_npz
from salience.data.files import kind_of, unreadable
from salience.data.readers.source import SourceError, near
from salience.results.storage import TEMPORARY, plain_errors

__all__ = ["read_labels", "read_vectors"]

PLAIN = "np.save(path, np.asarray(vectors, dtype=np.float32))"
IN_MEMORY = 256 << 20  # bytes of several files that are joined in memory, not on disk
MEMORY = 4 << 30  # bytes that vectors may take
_COPIES = 3  # of a table: as read, without its lists, as one array


def read_vectors(
    path: str | os.PathLike[str], column: str | None = None, *, memory: int = MEMORY
) -> NDArray[Any]:
    """Read vectors, one per row; nothing in the file is executed.

    Parameters
    ----------
    path : path
        ``.npy``, which is mapped and not read; ``.npz``; Parquet or Arrow; or a folder of these, joined in the order of
        their names.
    column : str, optional
        Array of an ``.npz``, or column of lists of a table; by default the only one. Of a table without lists the
        number columns are the dimensions.
    memory : int
        Bytes that reading may take. What is mapped takes none.

    Returns
    -------
    ndarray of shape (n, d)
        In the type of the file; floats of 16, 32 or 64 bits, or integers. Read only where it is mapped.

    Raises
    ------
    SourceError
        No such file, no numbers of two dimensions, Python objects (a pickle), lists of unequal length, an empty
        file, more than `memory`.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(f"{folder}/a.npy", np.eye(3, dtype=np.float32))
    ...     read_vectors(f"{folder}/a.npy").shape
    (3, 3)
    """
    given = Path(path)
    if not given.is_dir():
        return _checked(_reader(given)(given, column, memory), given)
    files = sorted(
        file for file in given.iterdir() if file.suffix.lower() in READERS and kind_of(file) != "folder"
    )
    if not files:
        raise SourceError(f"{given} has no file of vectors; those end in {', '.join(READERS)}")
    parts: list[NDArray[Any]] = []
    for file in files:
        held = sum(part.nbytes for part in parts if not isinstance(part, np.memmap))
        parts.append(_checked(_reader(file)(file, column, memory - held), file))
    for file, part in zip(files, parts, strict=True):
        if part.shape[1] != parts[0].shape[1]:
            raise SourceError(
                f"{file.name} has vectors of {part.shape[1]} dimensions, {files[0].name} of {parts[0].shape[1]}"
            )
    return parts[0] if len(parts) == 1 else _joined(parts)


def read_labels(path: str | os.PathLike[str], column: str | None = None) -> NDArray[Any]:
    """Read one label per vector: a one-dimensional ``.npy`` or ``.npz``, a column of a table, or text, one a line.

    Returns
    -------
    ndarray of shape (n,)
        Integers, or text.

    Raises
    ------
    SourceError
        No such file, more than one column without `column`, a label that is missing, Python objects.
    """
    given = Path(path)
    if given.suffix.lower() in (".npy", ".npz"):
        values = _reader(given)(given, column, MEMORY)
        values = values.ravel() if values.ndim == 2 and 1 in values.shape else values
    else:
        values = _column(given, column)
    if values.ndim != 1 or not len(values):
        raise SourceError(f"{given} has labels of the shape {values.shape}; there is one label per vector")
    return values


def _column(path: Path, column: str | None) -> NDArray[Any]:
    from salience.data.readers import open_source

    source = open_source(str(path), format="lines" if path.suffix.lower() == ".txt" else None)
    names = list(source.columns)
    if column is None and len(names) > 1:
        raise SourceError(f"{path} has several columns; name that of the labels: one of {', '.join(names)}")
    if column is not None and column not in names:
        raise SourceError(f"{path} has no column {near(column, names)}")
    read = (batch.column(0) for batch in _batches(source, [column or names[0]]))
    found = pa.chunked_array([b.dictionary_decode() if pa.types.is_dictionary(b.type) else b for b in read])
    if found.null_count:
        row = int(np.flatnonzero(found.is_null().to_numpy())[0])
        raise SourceError(f"{path} has no label at row {row}: every vector needs one")
    values = found.to_numpy()
    return values.astype(str) if values.dtype == object else values


def _batches(source: Any, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The columns of some thousand rows at a time."""
    for shard in source.shards():
        yield from source.batches(shard, names, 1 << 16)


def _npy(path: Path, column: str | None, memory: int) -> NDArray[Any]:
    return mapped_npy(path, PLAIN)


def _npz(path: Path, column: str | None, memory: int) -> NDArray[Any]:
    with opened_npz(path, PLAIN) as file:
        names = list(file.files)
        if column is not None and column not in names:
            raise SourceError(f"{path} has no array {near(column, names)}")
        if column is None and len(names) != 1:
            raise SourceError(f"{path} has several arrays; name one of {', '.join(names)}")
        name = column or names[0]
        file.refuse_large(
            [name], memory, "save it as .npy, which is mapped and not read, or give more memory"
        )
        return file[name]


def _table(path: Path, column: str | None, memory: int) -> NDArray[Any]:
    import polars as pl

    from salience.data.readers import open_source

    source = open_source(path)
    if not source.rows:
        raise SourceError(f"{path} has no rows")
    lists = [name for name, kind in source.types.items() if kind == "list"]
    numbers = [name for name, kind in source.types.items() if kind in ("integer", "real")]
    if column is not None and column not in source.columns:
        raise SourceError(f"{path} has no column {near(column, source.columns)}")
    if column is not None and column not in lists:
        raise SourceError(f"{column!r} in {path} holds no lists of numbers, but {source.types[column]}")
    if column is None and len(lists) > 1:
        raise SourceError(f"{path} has several columns of lists; name one of {', '.join(lists)}")
    if column is None and not lists and not numbers:
        raise SourceError(f"{path} has neither a column of lists nor columns of numbers")
    name = column or (lists[0] if lists else None)
    _refuse_table(path, [name] if name else numbers, memory)
    frame = pl.concat([pl.DataFrame(batch) for batch in _batches(source, [name] if name else numbers)])
    if name is None:
        return frame.to_numpy()
    values = frame.to_series()
    lengths = values.list.len()
    odd = np.flatnonzero((lengths != lengths.max()).fill_null(True).to_numpy())
    if len(odd):
        said = lengths.fill_null(0).to_list()[int(odd[0])]
        raise SourceError(
            f"row {odd[0]} of {name!r} in {path} has {said} numbers, others have {lengths.to_numpy().max()}"
        )
    flat = values.explode()
    if flat.null_count():
        row = int(np.flatnonzero(flat.is_null().to_numpy())[0]) // int(lengths[0])
        raise SourceError(f"row {row} of {name!r} in {path} has a number that is missing")
    return flat.to_numpy().reshape(len(values), -1)


def _refuse_table(path: Path, columns: Sequence[str], memory: int) -> None:
    """By how many numbers there are, which the footer of Parquet says; of Arrow the size of the file is looked at."""
    import pyarrow.parquet as pq

    if path.suffix.lower() in (".parquet", ".pq"):
        footer = pq.ParquetFile(path).metadata
        groups = [footer.row_group(i) for i in range(footer.num_row_groups)]
        chunks = [group.column(j) for group in groups for j in range(group.num_columns)]
        own = [chunk for chunk in chunks if chunk.path_in_schema.split(".")[0] in columns]
        size = sum(
            chunk.num_values * (4 if chunk.physical_type in ("FLOAT", "INT32") else 8) for chunk in own
        )
    else:
        size = path.stat().st_size
    if _COPIES * size > memory:
        raise SourceError(
            f"the vectors of {path} take {size / 2**30:,.2f} GiB, and {_COPIES} times that while they are read; there is room "
            f"for {max(memory, 0) / 2**30:,.2f}: save them as .npy, which is mapped and not read ({PLAIN}), or give more memory"
        )


#: How files of each kind are read.
READERS: dict[str, Callable[[Path, str | None, int], NDArray[Any]]] = {
    ".npy": _npy, ".npz": _npz, ".parquet": _table, ".pq": _table, ".arrow": _table, ".feather": _table,
    ".ipc": _table,
}  # fmt: skip


def _reader(path: Path) -> Callable[[Path, str | None, int], NDArray[Any]]:
    if path.suffix.lower() not in READERS:
        raise SourceError(f"{path}: vectors are read from {', '.join(READERS)} and from folders of these")
    if odd := unreadable(path):
        raise SourceError(odd)
    if not path.is_file():
        names = [file.name for file in path.parent.iterdir()] if path.parent.is_dir() else []
        raise SourceError(f"there is no file {near(path.name, names)} in {path.parent}")
    if not path.stat().st_size:
        raise SourceError(f"{path} is empty")
    return READERS[path.suffix.lower()]


def _checked(values: NDArray[Any], path: Path) -> NDArray[Any]:
    if values.dtype.kind not in "fiu" or values.itemsize > 8 or values.ndim != 2 or not values.size:
        raise SourceError(
            f"{path} holds {values.dtype} of the shape {values.shape}; vectors are numbers of the shape (n, d)"
        )
    return values


def _joined(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """One below the other; of much data in a temporary file that goes with the array."""
    kind = np.result_type(*parts)
    shape = (sum(map(len, parts)), parts[0].shape[1])
    if int(np.prod(shape)) * kind.itemsize <= IN_MEMORY:
        return np.concatenate(parts).astype(kind, copy=False)
    with tempfile.TemporaryFile() as file, plain_errors(Path(tempfile.gettempdir(), "vectors"), TEMPORARY):
        os.posix_fallocate(
            file.fileno(), 0, int(np.prod(shape)) * kind.itemsize
        )  # a full disk would kill later
        joined: NDArray[Any] = np.memmap(file, kind, "w+", shape=shape)
    first = 0
    for piece in _pieces(parts):
        joined[first : first + len(piece)] = piece
        first += len(piece)
    return joined


def _pieces(parts: Sequence[NDArray[Any]]) -> Iterator[NDArray[Any]]:
    for part in parts:
        for at in range(0, len(part), 1 << 16):
            yield part[at : at + (1 << 16)]
