"""Files that are whole or absent, and values that JSON can say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from salience.results.storage import written_beside

__all__ = ["jsonable", "write_whole"]


def write_whole(path: Path, write: Callable[[Path], Any], *, sealed: bool = False) -> Path:
    """Write beside, sync, rename, sync the folder: after a crash the file is the old, the new or absent."""
    with written_beside(path, sealed=sealed) as beside:
        write(beside)
    return path


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
