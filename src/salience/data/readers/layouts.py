"""Directories that are one data set by convention: the three layouts of Outbrain's OutRank.

=========  =====================================================  ==========================================
format     files                                                  what the side file says
=========  =====================================================  ==========================================
ob-vw      ``data.vw.gz`` (or ``data.vw``)                        ``vw_namespace_map.csv``: id, name[, f32]
ob-csv     ``data.csv``                                           ``dataset_desc.json``: data_features, names
ob-raw     ``raw_data/1_train/*/*`` (TSV parts)                   ``raw_data/0_header/header.csv``: names
=========  =====================================================  ==========================================
"""

import json
import os
from collections.abc import Callable
from typing import Any

from salience.data.files import read_whole
from salience.data.readers.locate import Found, matching
from salience.data.readers.source import SourceError

#: Layout -> the format its files are read in.
LAYOUTS = {"ob-vw": "vw", "ob-csv": "csv", "ob-raw": "csv", "ob-raw-dump": "csv"}


def layout_of(given: Any, format: str | None) -> Found | None:
    """The files of a directory that follows a layout (or is said to by `format`), else None.

    Raises
    ------
    SourceError
        When `format` names a layout whose files are not there.
    """
    if not isinstance(given, str | os.PathLike):
        if format in LAYOUTS:
            raise SourceError(f"format={format!r} is a directory; give its path")
        return None
    folder = os.fspath(given)
    if format in LAYOUTS:
        name = "ob-raw" if format == "ob-raw-dump" else format
        marker, read = _READERS[name]
        for needed in (folder, os.path.join(folder, marker)):
            if not os.path.exists(needed):
                raise SourceError(
                    f"format={format!r} needs {os.path.join(folder, marker)}, but {needed} does not exist"
                )
        return read(folder)
    if format is None and os.path.isdir(folder):
        for marker, read in _READERS.values():
            if os.path.exists(os.path.join(folder, marker)):
                return read(folder)
    return None


def _existing(folder: str, *names: str) -> str:
    for name in names:
        if os.path.exists(os.path.join(folder, name)):
            return os.path.join(folder, name)
    raise SourceError(
        f"{folder} has no {' or '.join(names)}; add it, or give the path of the data file and format="
    )


def read_namespaces(path: str) -> dict[str, list[str]]:
    """Namespace id -> [name, type] from lines ``id,name[,type]``; type "f32" means numbers.

    Raises
    ------
    SourceError
        For a line with fewer than two parts, or an id or name that comes twice.
    """
    found: dict[str, list[str]] = {}
    names: set[str] = set()
    for number, line in enumerate(_text_of(path).split("\n"), 1):
        parts = [part.strip() for part in line.split(",")]
        if parts == [""]:
            continue
        if len(parts) < 2 or not parts[0] or not parts[1]:
            raise SourceError(f"{path}, line {number}: {line.strip()!r}; write id,name or id,name,f32")
        if parts[0] in found or parts[1] in names:
            raise SourceError(
                f"{path}, line {number}: {parts[0]!r} or {parts[1]!r} is there already; keep one line"
            )
        found[parts[0]] = [parts[1], parts[2] if len(parts) > 2 else ""]
        names.add(parts[1])
    return found


def _text_of(path: str) -> str:
    try:
        return read_whole(path).decode("utf-8-sig")
    except (ValueError, OSError) as error:
        raise SourceError(f"{path} cannot be read as text: {error}; write it again as UTF-8") from error


def _read_vw(folder: str) -> Found:
    names = read_namespaces(os.path.join(folder, "vw_namespace_map.csv"))
    path = _existing(folder, "data.vw.gz", "data.vw", "data.vw.zst")
    return Found([path], "vw", options={"namespaces": names}, shown="ob-vw")


def _read_csv(folder: str) -> Found:
    path = os.path.join(folder, "dataset_desc.json")
    try:
        names = [str(feature["name"]) for feature in json.loads(_text_of(path))["data_features"]]
    except (json.JSONDecodeError, KeyError, TypeError, RecursionError) as error:
        raise SourceError(
            f'{path}: {error}; write {{"data_features": [{{"name": ..., "type": ...}}]}}'
        ) from error
    data = _existing(folder, "data.csv", "data.csv.gz")
    return Found([data], "csv", options={"names": names, "delimiter": ","}, shown="ob-csv")


def _read_raw(folder: str) -> Found:
    header = os.path.join(folder, "raw_data/0_header/header.csv")
    names = _text_of(header).strip().split("\t")
    pattern = os.path.join(folder, "raw_data/1_train/**")
    paths = [path for path in matching(pattern) if os.path.isfile(path)]
    paths = [path for path in paths if not os.path.basename(path).startswith("_")]
    if not paths:
        raise SourceError(f"{folder} has a header but no file in raw_data/1_train; add the parts of the dump")
    return Found(paths, "csv", options={"names": names, "delimiter": "\t"}, shown="ob-raw")


_READERS: dict[str, tuple[str, Callable[[str], Found]]] = {
    "ob-vw": ("vw_namespace_map.csv", _read_vw),
    "ob-csv": ("dataset_desc.json", _read_csv),
    "ob-raw": ("raw_data/0_header/header.csv", _read_raw),
}
