"""Arrays in files of numpy, opened so that nothing in them is executed and what is wrong is said."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from salience.data.readers.source import SourceError

__all__ = ["not_an_array", "opened_npz"]


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


def not_an_array(path: Path, error: ValueError, plain: str) -> SourceError:
    """What numpy could not read, said with a way out."""
    if "pickle" in str(error) or "Python objects" in str(error):
        return SourceError(
            f"{path} holds Python objects (a pickle), which could run code when they are read; save plain arrays: {plain}"
        )
    return SourceError(f"{path} cannot be read as arrays: {error}")
