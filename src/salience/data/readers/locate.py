"""Which files are meant, and in which format: paths, directories, globs, lists, standard input."""

import difflib
import glob
import os
import shutil
import sys
import tempfile
import weakref
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from salience.data.readers.source import SourceError
from salience.data.readers.windows import without_compression

#: Format of a file by its extension (compression suffixes aside).
EXTENSIONS = {
    ".parquet": "parquet", ".pq": "parquet", ".arrow": "arrow", ".feather": "arrow", ".ipc": "arrow",
    ".arrows": "arrow", ".csv": "csv", ".tsv": "csv", ".tab": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson",
    ".vw": "vw", ".svm": "svmlight", ".svmlight": "svmlight", ".libsvm": "svmlight",
}  # fmt: skip
_MAGIC = ((b"PAR1", "parquet"), (b"ARROW1", "arrow"), (b"{", "ndjson"))


@dataclass
class Found:
    """Files to be read as one source.

    Parameters
    ----------
    paths : list of str
    format : str
    notes : list of str
    options : dict
        What a layout says about its files (names, namespaces), passed on to the format.
    shown : str
        Name of the layout, reported as the format of the source; by default `format`.
    cleanup : object
        Keeps a temporary file alive.
    """

    paths: list[str]
    format: str
    notes: list[str] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    shown: str = ""
    cleanup: object = None


def locate(given: str | os.PathLike | Sequence[str | os.PathLike], format: str | None) -> Found:
    """The files that `given` means, and the format to read them in.

    Parameters
    ----------
    given : path, directory, glob, list of paths, or "-"
    format : str, optional
        Read every file in this format instead of the one its extension says.

    Raises
    ------
    SourceError
        No such file (with near matches), nothing readable in a directory, files of several formats, or an
        extension that is not known.
    """
    if isinstance(given, str) and given == "-":
        return _spool(format)
    paths = [given] if isinstance(given, str | os.PathLike) else list(given)
    if not paths:
        raise SourceError("an empty list of files; give at least one path")
    files: list[str] = []
    notes: list[str] = []
    for path in paths:
        found, said = _expand(os.fspath(path), format)
        files += [name for name in found if name not in files]
        notes += said
    if format is None:
        formats = Counter(format_of(path) for path in files)
        if len(formats) > 1:
            told = ", ".join(f"{n} {name}" for name, n in formats.most_common())
            raise SourceError(
                f"the files have several formats ({told}); give files of one format, or say format="
            )
        format = next(iter(formats))
    return Found(files, format, notes)


def format_by_name(path: str) -> str | None:
    """Format of a file by its extension."""
    return EXTENSIONS.get(os.path.splitext(without_compression(path))[1].lower())


def format_of(path: str) -> str:
    """Format of a file by its extension, or by its first bytes when it has none."""
    known = format_by_name(path)
    if known:
        return known
    if "." not in os.path.basename(path) and os.path.isfile(path):
        with open(path, "rb") as file:
            head = file.read(8)
        for magic, name in _MAGIC[:2]:
            if head.startswith(magic):
                return name
    raise SourceError(
        f"{path}: the format is not known from its name. Pass format=, one of "
        f"{', '.join(sorted(set(EXTENSIONS.values())))}, or rename it; known extensions are "
        f"{' '.join(EXTENSIONS)}, those of text also with .gz, .zst or .bz2"
    )


def _expand(path: str, format: str | None) -> tuple[list[str], list[str]]:
    if os.path.isdir(path):
        return _walk(path, format)
    if os.path.exists(path):
        if not os.access(path, os.R_OK):
            raise SourceError(f"{path} may not be read by this user; change its permissions")
        return [path], []
    if glob.has_magic(path):
        matches = sorted(name for name in glob.glob(path, recursive=True) if os.path.isfile(name))
        if not matches:
            raise SourceError(
                f"no file matches {path!r}; quote the pattern so that the shell does not change it"
            )
        return matches, []
    raise SourceError(_absent(path))


def _absent(path: str) -> str:
    if "://" in path:
        return f"{path} is a URL; only local files are read: copy or mount it first"
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        return f"no file {path}: there is no folder {folder}"
    names = sorted(os.listdir(folder))
    name = os.path.basename(path)
    stem = name.split(".")[0]
    close = (
        difflib.get_close_matches(name, names, 3, 0.6)
        or [n for n in names if stem and n.startswith(stem)][:3]
    )
    hint = (
        f"did you mean {' or '.join(close)}?"
        if close
        else f"the folder holds {', '.join(names[:8]) or 'nothing'}"
    )
    return f"no file {path}; {hint}"


def _walk(folder: str, format: str | None) -> tuple[list[str], list[str]]:
    """Readable files of a directory in the order of their names; hidden and marker files are passed over."""
    files, strays = [], []
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "_")))
        for name in sorted(names):
            path = os.path.join(root, name)
            if name.startswith((".", "_")) or name.endswith(".crc"):
                continue
            try:
                format_of(path)
                files.append(path)
            except SourceError:
                strays.append(path)
    if format is not None and not files:
        files, strays = strays, []
    if not files:
        held = f"; it holds {', '.join(map(os.path.basename, strays[:5]))}" if strays else ": it is empty"
        raise SourceError(
            f"nothing to read in the folder {folder}{held}. Known extensions are {' '.join(EXTENSIONS)}"
        )
    if format is None:
        formats = Counter(map(format_of, files))
        main = formats.most_common(1)[0][0]
        strays += [path for path in files if format_of(path) != main]
        files = [path for path in files if format_of(path) == main]
    notes = []
    if strays:
        more = f" and {len(strays) - 3} more" if len(strays) > 3 else ""
        notes.append(
            f"skipped in {folder}: {', '.join(os.path.relpath(p, folder) for p in strays[:3])}{more}"
        )
    return files, notes


class _Spooled:
    """A temporary file that lives as long as this object."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._remove = weakref.finalize(self, os.unlink, path)


def temporary_file(what: str) -> _Spooled:
    """An empty file that is removed with the object that is returned; its path is ``.path``."""
    handle, path = tempfile.mkstemp(prefix=f"salience-{what}-")
    os.close(handle)
    return _Spooled(path)


def _spool(format: str | None) -> Found:
    """Standard input, copied to a file: the number of rows is needed before the first is read."""
    handle, path = tempfile.mkstemp(prefix="salience-stdin-")
    with os.fdopen(handle, "wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file, 1 << 20)
    with open(path, "rb") as file:
        head = file.read(8)
    suffix = ".gz" if head.startswith(b"\x1f\x8b") else ".zst" if head.startswith(b"\x28\xb5\x2f\xfd") else ""
    if suffix:
        os.rename(path, path + suffix)
    spooled = _Spooled(path + suffix)
    if not head:
        raise SourceError("standard input is empty; pipe a file into it, or give a path")
    if format is None:
        format = next((name for magic, name in _MAGIC if head.startswith(magic)), "csv")
    return Found([spooled.path], format, ["read from standard input"], cleanup=spooled)
