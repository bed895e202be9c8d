"""The checksum of a file that is read back: SHA-256 of all of it, kept in the file itself.

A file leaves `ROOM` for it, a mark and 64 zeros, wherever its format keeps some text as it is: in the metadata of
Parquet and Arrow, under a key of JSON, in a comment of XML or zip. `seal` replaces the zeros by the checksum that the
file has with them, `check` compares. The file stays one that any reader of its format reads, and one file is renamed
at once, which a checksum beside it would not be.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import ZipFile

__all__ = ["CHECKSUM", "ROOM", "check", "check_format", "leave_room_in_zip", "read_json", "seal", "with_room"]

CHECKSUM = "checksum"  # its key, in metadata and in JSON
_MARK, _ZEROS = b"salience-sha256:", b"0" * 64
ROOM = (_MARK + _ZEROS).decode()
_FILLED = re.compile(re.escape(_MARK) + rb"[0-9a-f]{64}")
_PIECE = 1 << 20
AGAIN = "make it again with the command that wrote it"


def seal(path: str | PathLike[str]) -> None:
    """Put the checksum of a file into the last `ROOM` that is in it.

    Raises
    ------
    ValueError
        There is no room.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "a.json")
    >>> _ = path.write_text(with_room('{"rows": 3}'))
    >>> seal(path)
    >>> check(path)
    >>> _ = path.write_text(path.read_text().replace("3", "4", 1))
    >>> check(path)
    Traceback (most recent call last):
    ValueError: ...a.json is damaged or was changed: its content is not that of its checksum; make it again ...
    """
    with open(path, "r+b") as file:
        at = _place(file)
        if at is None:
            raise ValueError(f"{os.fspath(path)} leaves no room for a checksum")
        digest = _digest(file, at)
        file.seek(at + len(_MARK))
        file.write(digest)


def check(path: str | PathLike[str], again: str = AGAIN) -> None:
    """Refuse a file that is not what `seal` left; to be called before anything reads it.

    Parameters
    ----------
    path : path
    again : str
        What to do instead.

    Raises
    ------
    ValueError
        The file is damaged, was changed, or has no checksum.
    OSError
        It cannot be read.
    """
    with open(path, "rb") as file:
        at = _place(file)
        if at is None:
            raise ValueError(
                f"{os.fspath(path)} has no checksum of salience: it is damaged, or an older version or another "
                f"program wrote it; {again}"
            )
        digest = _digest(file, at)
        file.seek(at + len(_MARK))
        if file.read(len(_ZEROS)) != digest:
            raise ValueError(
                f"{os.fspath(path)} is damaged or was changed: its content is not that of its checksum; {again}"
            )


def check_format(path: str | PathLike[str], found: object, wanted: int, again: str = AGAIN) -> None:
    """Refuse a file of another version of its format.

    Examples
    --------
    >>> check_format("run.json", 1, 2, "make the run again")
    Traceback (most recent call last):
    ValueError: run.json was written by an older salience (format 1, this one reads 2); make the run again
    """
    if found == wanted:
        return
    newer = isinstance(found, int) and found > wanted
    age, remedy = ("a newer", "upgrade it to read this") if newer else ("an older", again)
    raise ValueError(
        f"{os.fspath(path)} was written by {age} salience (format {found}, this one reads {wanted}); {remedy}"
    )


def with_room(text: str) -> str:
    """The text of a JSON object with room for a checksum as its last key."""
    body = text.rstrip().removesuffix("}").rstrip()
    return f'{body}{"" if body.endswith("{") else ","}\n "{CHECKSUM}": "{ROOM}"\n}}\n'


def read_json(path: Path, again: str = AGAIN, *, version: tuple[str, int] | None = None) -> dict[str, Any]:
    """A JSON object that was written with `with_room` and `seal`, without its checksum.

    Parameters
    ----------
    path : Path
    again : str
        What to do instead when it cannot be read.
    version : tuple of str and int, optional
        The key of the version of its format, and the one that is read; a file without the key is none of ours.

    Raises
    ------
    ValueError
        It is no JSON (the place is given), no object, of another version, damaged or changed.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}: {error.msg}"
        raise ValueError(f"{path} is damaged ({where}); {again}") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is damaged (byte {error.start} is not UTF-8); {again}") from None
    except (ValueError, RecursionError) as error:  # a number of too many digits, too many brackets
        raise ValueError(f"{path} is damaged ({error}); {again}") from None
    if not isinstance(value, dict):
        raise ValueError(
            f"{path} is damaged (an object is expected, it holds a {type(value).__name__}); {again}"
        )
    if version is not None:
        key, wanted = version
        if key not in value:
            raise ValueError(f"{path} was not written by salience, or is damaged: it has no {key!r}; {again}")
        check_format(path, value[key], wanted, again)
    check(path, again)
    return {key: held for key, held in value.items() if key != CHECKSUM}


def leave_room_in_zip(path: str | PathLike[str]) -> None:
    """Leave room in the comment of a zip file, which `.npz` files and checkpoints of torch are."""
    with ZipFile(path, "a") as file:
        file.comment = ROOM.encode()


def _place(file: BinaryIO) -> int | None:
    """Where the last mark with its digits is, sought from the end: metadata stands there."""
    size = end = file.seek(0, os.SEEK_END)
    while end > 0:
        start = max(0, end - _PIECE)
        file.seek(start)
        held = file.read(min(size, end + len(ROOM)) - start)
        if found := [match.start() for match in _FILLED.finditer(held)]:
            return start + found[-1]
        end = start
    return None


def _digest(file: BinaryIO, at: int) -> bytes:
    """The checksum that a file has with zeros in place of it, as hexadecimal digits."""
    total = hashlib.sha256()
    file.seek(0)
    left = at + len(_MARK)
    while left and (piece := file.read(min(left, _PIECE))):
        total.update(piece)
        left -= len(piece)
    total.update(_ZEROS)
    file.seek(at + len(ROOM))
    while piece := file.read(_PIECE):
        total.update(piece)
    return total.hexdigest().encode()
