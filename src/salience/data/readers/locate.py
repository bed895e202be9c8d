"""Which files are meant, and in which format: paths, directories, globs, lists, standard input."""

import difflib
import glob
import os
import sys
import tempfile
import weakref
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from salience.data.files import kind_of, piped, unreadable
from salience.data.readers.source import SourceError
from salience.data.readers.windows import CODECS, compression_of, without_compression

#: Format of a file by its extension (compression suffixes aside).
EXTENSIONS = {
    ".parquet": "parquet", ".pq": "parquet", ".arrow": "arrow", ".feather": "arrow", ".ipc": "arrow",
    ".arrows": "arrow", ".csv": "csv", ".tsv": "csv", ".tab": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson",
    ".vw": "vw", ".svm": "svmlight", ".svmlight": "svmlight", ".libsvm": "svmlight",
}  # fmt: skip
_MAGIC = ((b"PAR1", "parquet"), (b"ARROW1", "arrow"), (b"{", "ndjson"))
_PACKED = ((b"\x1f\x8b", ".gz"), (b"\x28\xb5\x2f\xfd", ".zst"), (b"BZh", ".bz2"))


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
    cleanup : sequence of Spooled
        Keeps temporary files alive.
    """

    paths: list[str]
    format: str
    notes: list[str] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    shown: str = ""
    cleanup: Sequence["Spooled"] = ()

    def as_given(self, message: str) -> str:
        """A message that names what was piped as people know it."""
        for copy in self.cleanup:
            message = message.replace(copy.path, copy.name or copy.path)
        return message


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
    paths = [given] if isinstance(given, str | os.PathLike) else list(given)
    if not paths:
        raise SourceError("an empty list of files; give at least one path")
    files: dict[str, None] = {}
    notes: list[str] = []
    spooled: dict[str, Spooled] = {}
    for path in [os.fspath(path) for path in paths]:
        if path == "-" or kind_of(path) == "pipe":
            copy = spool(path, format)
            spooled[copy.path] = copy
            found, said = [copy.path], [f"read from {copy.name}"]
        else:
            found, said = _expand(path, format)
        files |= dict.fromkeys(found)
        notes += said
    if format is None:
        formats = Counter(format_of(path) for path in files)
        if len(formats) > 1:
            counted = ", ".join(f"{n} {name}" for name, n in formats.most_common())
            raise SourceError(
                f"the files have several formats ({counted}); give files of one format, or say which one is meant"
            )
        format = next(iter(formats))
    return Found(list(files), format, notes, cleanup=list(spooled.values()))


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
        f"{path}: the format is not known from its name. Say which it is (the option format), one of "
        f"{', '.join(sorted(set(EXTENSIONS.values())))}, or rename it; known extensions are "
        f"{' '.join(EXTENSIONS)}, those of text also with .gz, .zst or .bz2"
    )


def matching(pattern: str) -> list[str]:
    """Files and pipes that a pattern matches, in the order of their names; ``**`` follows no links, which may lead in
    circles.
    """
    parts = Path(pattern).parts
    if "**" not in parts:
        found = glob.glob(pattern)
    else:
        fixed = next(i for i, part in enumerate(parts) if glob.has_magic(part))
        root, rest = Path(*parts[:fixed]), [*parts[fixed:], *(["*"] if parts[-1] == "**" else [])]
        names = (path.relative_to(root) for path in root.glob("/".join(rest)))
        found = [str(root / name) for name in names if not any(part.startswith(".") for part in name.parts)]
    return sorted(name for name in set(found) if kind_of(name) in ("file", "pipe"))


def _expand(path: str, format: str | None) -> tuple[list[str], list[str]]:
    kind = kind_of(path)
    if kind == "folder":
        return _walk(path, format)
    if kind == "file":
        if not os.access(path, os.R_OK):
            raise SourceError(f"{path} may not be read by this user; change its permissions")
        return [path], []
    if odd := unreadable(path):
        raise SourceError(odd)
    if glob.has_magic(path):
        matches = matching(path)
        files = [name for name in matches if kind_of(name) == "file"]
        if not files:
            raise SourceError(
                f"no file matches {path!r}; quote the pattern so that the shell does not change it"
            )
        return files, _skipped([f"{name} (a pipe)" for name in matches if name not in set(files)], path)
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
    formats: dict[str, str] = {}
    strays: list[str] = []

    def fail(error: OSError) -> None:
        raise SourceError(
            f"{error.filename} cannot be listed: {error.strerror}; change its permissions"
        ) from error

    for root, folders, names in os.walk(folder, onerror=fail):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "_")))
        strays += [f"{path} (a link)" for name in folders if os.path.islink(path := os.path.join(root, name))]
        for name in sorted(names):
            path = os.path.join(root, name)
            if name.startswith((".", "_")) or name.endswith(".crc"):
                continue
            kind = kind_of(path)
            if kind in ("circle", "dangling"):
                raise SourceError(f"{unreadable(path)}, or take the link out of {folder}")
            if kind != "file":
                strays.append(f"{path} (a {kind})")
                continue
            try:
                formats[path] = format_of(path)
            except SourceError:
                strays.append(path)
    if format is not None and not formats:
        formats = {path: format for path in strays if os.path.isfile(path)}
        strays = [path for path in strays if path not in formats]
    if not formats:
        held = f"; it holds {', '.join(map(os.path.basename, strays[:5]))}" if strays else ": it is empty"
        raise SourceError(
            f"nothing to read in the folder {folder}{held}. Known extensions are {' '.join(EXTENSIONS)}"
        )
    files = list(formats)
    if format is None:
        main = Counter(formats.values()).most_common(1)[0][0]
        strays += [path for path in files if formats[path] != main]
        files = [path for path in files if formats[path] == main]
    return files, _skipped([os.path.relpath(path, folder) for path in strays], folder)


def _skipped(names: Sequence[str], where: str) -> list[str]:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return [f"skipped in {where}: {', '.join(names[:3])}{more}"] if names else []


class Spooled:
    """A temporary file that lives as long as this object.

    Parameters
    ----------
    path : str
    name : str
        What people know it by.
    """

    def __init__(self, path: str, name: str = "") -> None:
        self.path, self.name = path, name
        self._remove = weakref.finalize(self, os.unlink, path)


def temporary_file(what: str, ending: str = "") -> Spooled:
    """An empty file that is removed with the object that is returned; its path is ``.path``."""
    handle, path = tempfile.mkstemp(prefix=f"salience-{what}-", suffix=ending)
    os.close(handle)
    return Spooled(path)


def spool(path: str, format: str | None) -> Spooled:
    """Standard input ("-") or a pipe, copied to a file: the number of rows is needed before the first is read.

    Its name says the format, by that of the pipe or by its first bytes, unless `format` is known.

    Raises
    ------
    SourceError
        Nothing came.
    """
    name = "standard input" if path == "-" else path
    copy = temporary_file("piped")
    chunks: Iterable[bytes] = (
        iter(lambda: sys.stdin.buffer.read(1 << 20), b"") if path == "-" else piped(path)
    )
    try:
        with open(copy.path, "wb") as file:
            for chunk in chunks:
                file.write(chunk)
    except ValueError as error:
        raise SourceError(str(error)) from error
    with open(copy.path, "rb") as file:
        head = file.read(8)
    if not head:
        raise SourceError(f"{name} is empty; pipe a file into it, or give a path")
    packed = compression_of(path) or next((end for magic, end in _PACKED if head.startswith(magic)), "")
    ending = os.path.splitext(without_compression(path))[1] if format_by_name(path) else ""
    if not ending and format is None:
        ending = f".{next((form for magic, form in _MAGIC if _unpacked(copy.path, packed).startswith(magic)), 'csv')}"
    named = Spooled(f"{copy.path}{ending}{packed}", name)
    os.rename(copy.path, named.path)
    copy._remove.detach()
    return named


def _unpacked(path: str, packed: str) -> bytes:
    """The first bytes of a file under its compression."""
    try:
        with pa.OSFile(path) as file:
            found: bytes = (pa.CompressedInputStream(file, CODECS[packed]) if packed else file).read(8)
            return found
    except OSError:
        return b""
