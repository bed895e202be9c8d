"""Arrays in files of numpy, opened so that nothing in them is executed and what is wrong is said."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from salience.data.readers.source import SourceError

__all__ = ["not_an_array", "opened_npz", "refuse_large"]


@contextmanager
def opened_npz(path: Path, plain: str) -> Iterator[Any]:
    """An ``.npz``; what cannot be read, here or later inside the block, is a `SourceError`.

    Parameters
    ----------
    path : Path
    plain : str
        How arrays are saved without Python objects, for the error that finds some.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "a.npz")
    >>> np.savez(path, ages=np.arange(3))
    >>> with opened_npz(path, "np.savez(path, ages=ages)") as file:
    ...     file["ages"].tolist()
    [0, 1, 2]
    """
    if not zipfile.is_zipfile(path):
        raise SourceError(f"{path} is no .npz file (a zip of arrays), or it was cut off")
    try:
        with np.load(path, allow_pickle=False) as file:
            yield file
    except SourceError:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, MemoryError, OverflowError):
        raise SourceError(f"{path} is damaged: an array in it cannot be unpacked") from None
    except ValueError as error:
        raise not_an_array(path, error, plain) from None


def refuse_large(file: Any, names: Sequence[str], most: int, path: Path, advice: str) -> None:
    """Look at how large arrays of an opened ``.npz`` are before they are unpacked.

    Both the sizes in the zip and the shapes in the arrays' own headers count: numpy takes room by the latter.

    Raises
    ------
    SourceError
        Together they unpack to more than `most` bytes.
    """
    unpacked = {
        name: max(file.zip.getinfo(f"{name}.npy").file_size, _by_header(file, name)) for name in names
    }
    if sum(unpacked.values()) > most:
        largest = max(unpacked, key=unpacked.__getitem__)
        raise SourceError(
            f"{largest} in {path} unpacks to {unpacked[largest] / 2**30:,.2f} GiB, and there is room for {most / 2**30:,.2f}: "
            f"{advice}"
        )


def _by_header(file: Any, name: str) -> int:
    with file.zip.open(f"{name}.npy") as stream:
        version = np.lib.format.read_magic(stream)
        read = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, _, kind = read(stream)
    return math.prod(shape) * kind.itemsize


def not_an_array(path: Path, error: ValueError, plain: str) -> SourceError:
    """What numpy could not read, said with a way out."""
    if "pickle" in str(error) or "Python objects" in str(error):
        return SourceError(
            f"{path} holds Python objects (a pickle), which could run code when they are read; save plain arrays: {plain}"
        )
    return SourceError(f"{path} cannot be read as arrays: {error}")
