"""Readers: anything tabular, opened once, read in batches of Arrow columns by any number of workers.

`open_source` takes a path, a directory, a glob, a list of paths, ``"-"`` or data in memory, and returns a
`Source`; `open_described` reopens one on another machine. Reading never executes anything that the data
says.
"""

import importlib
import os
from collections.abc import Iterator, Sequence
from typing import Any

from salience.data.files import unreadable
from salience.data.readers.source import Member, MemberSource, Shard, Source, SourceError, near

__all__ = ["Shard", "Source", "SourceError", "anywhere", "open_described", "open_source"]

#: Format -> module and class of its members; loaded when the first file of that format is opened.
FORMATS: dict[str, tuple[str, str]] = {
    "parquet": ("parquet", "ParquetMember"),
    "arrow": ("arrow", "ArrowMember"),
    "csv": ("csv", "CsvMember"),
    "ndjson": ("ndjson", "NdjsonMember"),
    "vw": ("vw", "VwMember"),
    "svmlight": ("svmlight", "SvmlightMember"),
    "lines": ("lines", "LinesMember"),
}
_ALIASES = {
    "tsv": "csv",
    "feather": "arrow",
    "ipc": "arrow",
    "jsonl": "ndjson",
    "libsvm": "svmlight",
    "txt": "lines",
    "csv-raw": "csv",
}


def _member_class(format: str) -> type[Member]:
    module, name = FORMATS[format]
    found: type[Member] = getattr(importlib.import_module(f"salience.data.readers.{module}"), name)
    return found


def open_source(anything: Any, format: str | None = None, label: Any = None, **options: Any) -> Source:
    """Open rows to be read in batches.

    Parameters
    ----------
    anything : object
        A path, a directory, a glob, a list of paths, ``"-"`` (standard input), a pandas, polars or pyarrow
        table, a dict of columns, a 2-D numpy array, a scipy sparse matrix, or an iterator (a generator) of
        such tables with the same columns, which is spooled to a temporary file. A source is returned as it is.
    format : str, optional
        "parquet", "arrow", "csv" (also TSV), "ndjson", "vw", "svmlight", "ob-vw", "ob-csv" or "ob-raw"; by
        default by extension, or by the layout of a directory. "lines" is plain text, a document a line; it is
        never guessed, since a text file may lie beside a table.
    label : str or array of length n, optional
        For formats whose target has no name (VW, svmlight): its name, "label" by default. For data in
        memory without the target: its values, read as the column "label".
    **options
        Of the format: CSV takes ``delimiter``, ``quote``, ``encoding`` and ``names``.

    Returns
    -------
    Source

    Raises
    ------
    SourceError
        Whatever cannot be read; the message says what to do.
    TypeError
        For an option that the format does not have.

    Examples
    --------
    >>> source = open_source({"user": ["u1", "u2", "u1"], "click": [1, 0, 1]})
    >>> source.rows, source.types
    (3, {'user': 'text', 'click': 'integer'})
    >>> [batch.num_rows for shard in source.shards() for batch in source.batches(shard, ["click"], 2)]
    [2, 1]
    """
    if isinstance(anything, MemberSource):
        return anything
    if isinstance(anything, Iterator):
        from salience.data.readers.iterated import spool_batches

        spooled = spool_batches(anything)
        member = _member_class(spooled.format).open(spooled.paths[0])
        return MemberSource(spooled.format, [member], spooled.notes, spooled.cleanup)
    if not _names_files(anything):
        from salience.data.readers.frames import open_frame

        if format not in (None, "frame") or options:
            raise TypeError(
                f"format={format!r} and {sorted(options)} are for files, not for a {type(anything).__name__}"
            )
        return MemberSource("frame", [open_frame(anything, label)])
    if isinstance(label, str):
        options = {"label": label, **options}
    return _open_files(anything, format, options)


def _names_files(anything: Any) -> bool:
    if isinstance(anything, str | os.PathLike):
        return True
    return isinstance(anything, list | tuple) and all(
        isinstance(path, str | os.PathLike) for path in anything
    )


def _open_files(
    given: str | os.PathLike | Sequence[Any], format: str | None, options: dict[str, Any]
) -> MemberSource:
    from salience.data.readers.layouts import LAYOUTS, layout_of
    from salience.data.readers.locate import locate

    format = _ALIASES.get(format or "", format)
    if format is not None and format not in FORMATS and format not in LAYOUTS:
        raise SourceError(f"format={near(format, [*FORMATS, *LAYOUTS, *_ALIASES])}")
    found = layout_of(given, format) or locate(given, format)
    member = _member_class(found.format)
    options = {**found.options, **options}
    if "label" in options and "label" not in member.accepts:
        del options["label"]  # the name of a column of the file; the plan looks for it
    unknown = sorted(set(options) - set(member.accepts))
    if unknown:
        allowed = ", ".join(member.accepts) or "none"
        raise TypeError(f"{found.format} has no option {unknown[0]!r}; its options are: {allowed}")
    odd = next((said for said in map(unreadable, found.paths) if said), None)
    if odd:  # inside a folder with a layout of its own
        raise SourceError(odd)
    try:
        members = [member.open(path, **options) for path in found.paths]
    except SourceError as error:
        raise SourceError(found.as_given(str(error))) from error
    return MemberSource(found.shown or found.format, members, found.notes, found.cleanup)


def anywhere(description: dict[str, Any]) -> dict[str, Any]:
    """A `describe()` with the whole paths of its files, for processes that were started in another folder.

    Examples
    --------
    >>> import os, tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp(), "clicks.csv")
    >>> _ = path.write_text("user,click\\nu1,1\\n")
    >>> source = open_source(os.path.relpath(path))
    >>> os.path.isabs(anywhere(source.describe())["members"][0]["path"])
    True
    """
    members = [{**member, "path": os.path.abspath(member["path"])} for member in description["members"]]
    return {**description, "members": members}


def open_described(description: dict[str, Any]) -> Source:
    """Reopen the source of a `describe()`, on any machine that sees the same files, without a new pass
    over them.

    Raises
    ------
    SourceError
        If a file is absent or has changed.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp(), "clicks.csv")
    >>> _ = path.write_text("user,click\\nu1,1\\n")
    >>> source = open_source(path)
    >>> open_described(source.describe()).shards() == source.shards()
    True
    """
    from salience.data.readers.layouts import LAYOUTS

    format = description["format"]
    member = _member_class(LAYOUTS.get(format, format))
    return MemberSource(
        format, [member.from_json(found) for found in description["members"]], description["notes"]
    )
