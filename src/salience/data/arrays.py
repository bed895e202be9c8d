"""Arrays in files of numpy, opened so that nothing in them is executed and what is wrong is said."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from salience.data.readers.source import SourceError

__all__ = ["mapped_npy", "opened_npz"]

# What numpy and zipfile raise about headers and members that somebody else made up.
_DAMAGE = (
    ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, MemoryError, OSError, RuntimeError,
    SyntaxError, TokenError, TypeError, ValueError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


def mapped_npy(path: Path, plain: str) -> NDArray[Any]:
    """The array of an ``.npy``, which is mapped and not read.

    Parameters
    ----------
    path : Path
    plain : str
        How arrays are saved without Python objects, for the error that finds some.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "a.npy")
    >>> np.save(path, np.arange(3))
    >>> mapped_npy(path, "np.save(path, ages)").tolist()
    [0, 1, 2]
    """
    if zipfile.is_zipfile(path):
        raise SourceError(f"{path} is a zip of arrays; name it .npz")
    try:
        return _sound(np.load(path, mmap_mode="r", allow_pickle=False), path)
    except SourceError:
        raise
    except _DAMAGE as error:
        raise _not_an_array(path, error, plain) from None


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
            yield _Members(file, path)
    except SourceError:
        raise
    except ValueError as error:
        raise _not_an_array(path, error, plain) from None
    except _DAMAGE as error:
        said = str(error).split("\n")[0] or type(error).__name__
        raise SourceError(f"{path} is damaged: an array in it cannot be unpacked ({said})") from None


class _Members:
    """The arrays of a zip by name; what else it has is not among them."""

    def __init__(self, file: Any, path: Path) -> None:
        self._file, self._path = file, path
        self.sizes = {
            info.filename[:-4]: info.file_size
            for info in file.zip.infolist()
            if info.filename.endswith(".npy")
        }
        self.files = list(self.sizes)

    def __getitem__(self, name: str) -> NDArray[Any]:
        found = self._file[f"{name}.npy"]
        if not isinstance(found, np.ndarray):
            raise SourceError(f"{name} in {self._path} is no array")
        return _sound(found, self._path)

    def refuse_large(self, names: Sequence[str], most: int, advice: str) -> None:
        """Look at how large arrays are before they are unpacked.

        Both the sizes in the zip and the shapes in the arrays' own headers count: numpy takes room by the latter.

        Raises
        ------
        SourceError
            Together they unpack to more than `most` bytes.
        """
        unpacked = {name: max(self.sizes[name], self._by_header(name)) for name in names}
        if sum(unpacked.values()) > most:
            largest = max(unpacked, key=unpacked.__getitem__)
            raise SourceError(
                f"{largest} in {self._path} unpacks to {unpacked[largest] / 2**30:,.2f} GiB, and there is room for "
                f"{most / 2**30:,.2f}: {advice}"
            )

    def _by_header(self, name: str) -> int:
        with self._file.zip.open(f"{name}.npy") as stream:
            try:
                version = np.lib.format.read_magic(stream)
            except ValueError:
                raise SourceError(f"{name} in {self._path} is no array") from None
            read = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            shape, _, kind = read(stream)
        return math.prod(shape) * kind.itemsize


def _sound(values: NDArray[Any], path: Path) -> NDArray[Any]:
    """The array itself, in the byte order of this machine, if its texts are texts."""
    if values.dtype.kind == "U" and values.size:
        letters = np.ascontiguousarray(values).view(
            np.uint32 if values.dtype.isnative else values.dtype.byteorder + "u4"
        )
        if ((letters > 0x10FFFF) | (letters >> 11 == 0x1B)).any():
            raise SourceError(
                f"{path} has texts of characters that do not exist: it is damaged; save it again"
            )
    return values if values.dtype.isnative else values.astype(values.dtype.newbyteorder("="))


def _not_an_array(path: Path, error: Exception, plain: str) -> SourceError:
    """What numpy could not read, said with a way out."""
    if "pickle" in str(error) or "Python objects" in str(error):
        return SourceError(
            f"{path} holds Python objects (a pickle), which could run code when they are read; save plain arrays: {plain}"
        )
    said = str(error).split("\n")[0] or type(error).__name__
    return SourceError(
        f"{path} cannot be read as arrays: {said}; it may be damaged or cut off: save it again"
    )
