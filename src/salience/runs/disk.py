"""Files that are whole or absent, and what a disk complains of in words a person can act on."""

from __future__ import annotations

import errno
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from salience.results.storage import written_beside

__all__ = ["jsonable", "plain_errors", "read_json_file", "write_whole"]


def write_whole(path: Path, write: Callable[[Path], Any]) -> Path:
    """Write beside, sync, rename, sync the folder: after a crash the file is the old, the new or absent."""
    with written_beside(path) as beside:
        write(beside)
    return path


class plain_errors:
    """Turn what the system says about a full or forbidden disk into what a person can do about it."""

    SAY: Mapping[int, str] = {
        errno.ENOSPC: "the disk is full; free some space or choose another folder with --output",
        errno.EDQUOT: "your disk quota is used up; free some space or choose another folder with --output",
        errno.EROFS: "that disk is read-only; choose another folder with --output",
        errno.EACCES: "the folder may not be written; choose another one with --output",
        errno.EPERM: "the folder may not be written; choose another one with --output",
        errno.ENOTDIR: "a part of that path is a file, not a folder; choose another folder with --output",
        errno.EEXIST: "a file of that name stands in the way; choose another folder with --output",
        errno.ENAMETOOLONG: "that name is too long for the disk; choose a shorter --name",
    }

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None: ...

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        # polars says what the system said only in the text of an exception of its own kind
        told = re.search(r"os error (\d+)", str(error)) if isinstance(error, Exception) else None
        if isinstance(error, OSError) or told:
            number = getattr(error, "errno", None) or (int(told[1]) if told else 0)
            said = self.SAY.get(number) or getattr(error, "strerror", None) or str(error)
            raise OSError(number, f"cannot write {self.path}: {said}") from error


def read_json_file(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is damaged: {error}") from None
    if not isinstance(value, dict):
        raise ValueError(f"{path} is damaged: an object is expected, it holds a {type(value).__name__}")
    return value


def jsonable(value: Any) -> Any:
    """Plain JSON: paths and enums as text, arrays as lists, NaN and infinities as null (JSON has none)."""
    if isinstance(value, Mapping):
        return {str(k): jsonable(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [jsonable(v) for v in value]
    if isinstance(value, float):
        return value if value - value == 0 else None
    if value is None or isinstance(value, bool | int | str):
        return value
    if hasattr(value, "tolist"):
        return jsonable(value.tolist())
    return str(value)
