"""Texts wherever they are: in memory, in files larger than memory, or from a generator; read as often as needed."""

from __future__ import annotations

import functools
import itertools
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from salience.data.missing import is_missing
from salience.data.readers import Shard, anywhere, open_described, open_source
from salience.data.readers.frames import FrameMember
from salience.data.readers.locate import format_of
from salience.data.readers.source import MemberSource, SourceError

__all__ = ["Part", "TextPool", "Tick", "are_paths", "several"]

Tick = Callable[[int], None]

_ROWS = 1024  # read at once: documents can be long
_PART_ROWS = 1 << 15  # of a part, where that can be chosen
_SPOOL_ROWS = 4096
_SURROGATE = re.compile("[\ud800-\udfff]")


class Part(NamedTuple):
    """A run of rows that can be read by itself, and the number of its first row."""

    first: int
    shard: Shard


class TextPool:
    """The documents of one side, in order, as Arrow strings without nulls.

    Parameters
    ----------
    texts : object
        An iterable of strings, a column (NumPy, pandas, polars, Arrow), a table, or a path, glob or list of paths
        that :func:`salience.data.readers.open_source` reads.
    name : str
        What the documents are called in errors.
    column : str, optional
        The column of a table or file; by default ``text``, or the only one with text.

    Attributes
    ----------
    fleeting : bool
        Gone with this process: in memory, or a temporary file.

    Raises
    ------
    SourceError, TypeError, ValueError
        What is no text, by its row.

    Examples
    --------
    >>> pool = TextPool(["to be", "or not"], "raw")
    >>> pool.rows, [texts.to_pylist() for _, texts in pool.read(pool.parts())]
    (2, [['to be', 'or not']])
    """

    _described: dict[str, Any]

    def __init__(self, texts: Any, name: str, column: str | None = None) -> None:
        self.name = name
        self.fleeting = False
        self._opened_as = self._opened(texts, column)  # a temporary file lives as long as this does
        self.column = _text_column(self._opened_as, name, column)
        self._source = _as_texts(self._opened_as)
        if not self._source.rows:
            raise ValueError(f"{name} is empty: it has no document; give at least one")

    @property
    def rows(self) -> int:
        """How many documents there are."""
        return self._source.rows

    def parts(self) -> list[Part]:
        """Runs of rows for workers: small descriptors."""
        shards = self._source.shards()
        firsts = itertools.accumulate((shard.rows for shard in shards), initial=0)
        return [Part(first, shard) for first, shard in zip(firsts, shards, strict=False)]

    def read(self, parts: Iterable[Part], tick: Tick | None = None) -> Iterator[tuple[int, pa.Array]]:
        """The texts of these parts, some at a time, each with the number of its first row.

        Parameters
        ----------
        parts : iterable of Part
        tick : callable, optional
            Told after some rows how many they were.
        """
        for first, shard in parts:
            for batch in self._source.batches(shard, [self.column], _ROWS):
                yield first, self._checked(batch.column(0), first)
                first += batch.num_rows
                if tick is not None:
                    tick(batch.num_rows)

    def check_shared(self) -> None:
        """Refuse data in memory where workers are to read it."""
        self._source.describe()

    def take(self, rows: Sequence[int]) -> Iterator[str]:
        """The texts of these rows, ascending, read once from front to back."""
        wanted = iter(rows)
        row = next(wanted, None)
        for part in self.parts():
            if row is None or row >= part.first + part.shard.rows:
                continue
            for first, texts in self.read([part]):
                while row is not None and row < first + len(texts):
                    yield texts[row - first].as_py()
                    row = next(wanted, None)

    def _opened(self, texts: Any, column: str | None) -> Any:
        if isinstance(texts, TextPool):
            self.fleeting = texts.fleeting
            return texts._opened_as
        if isinstance(texts, str | os.PathLike) or are_paths(texts):
            return open_source(texts)
        if _is_table(texts) or isinstance(texts, MemberSource):
            self.fleeting = not isinstance(texts, MemberSource)
            return open_source(texts)
        if isinstance(texts, Mapping | bytes) or not isinstance(texts, Iterable):
            raise TypeError(
                f"{self.name} is a {type(texts).__name__}; give an iterable of strings, a column of text, a table "
                "or paths of files"
            )
        if isinstance(texts, Iterator):
            self.fleeting = True
            return self._spooled(texts)
        self.fleeting = True
        return _in_memory(self._array(texts, 0))

    def _spooled(self, texts: Iterator[Any]) -> Any:
        firsts = itertools.count(0, _SPOOL_ROWS)
        chunks = iter(lambda: list(itertools.islice(texts, _SPOOL_ROWS)), [])
        tables = ({"text": self._array(chunk, first)} for chunk, first in zip(chunks, firsts, strict=False))
        head = next(tables, None)
        if head is None:
            raise ValueError(f"{self.name} is empty: it has no document; give at least one")
        return open_source(itertools.chain([head], tables))

    def _array(self, texts: Any, first: int) -> pa.Array | pa.ChunkedArray:
        """A column of strings as Arrow; what is no string is named by its row."""
        if hasattr(texts, "to_arrow"):  # polars
            texts = texts.to_arrow()
        if isinstance(texts, pa.Array | pa.ChunkedArray):
            return texts
        values = texts.tolist() if isinstance(texts, np.ndarray) else list(texts)
        if not all(issubclass(kind, str) for kind in set(map(type, values))):
            row = next(i for i, value in enumerate(values) if not isinstance(value, str))
            raise self._no_text(first + row, values[row])
        try:
            return pa.array(values, pa.large_string())
        except UnicodeEncodeError:
            row = next(i for i, value in enumerate(values) if _SURROGATE.search(value))
            raise self._no_text(first + row, values[row]) from None

    def _checked(self, texts: pa.Array, first: int) -> pa.Array:
        if texts.null_count:
            row = first + int(np.flatnonzero(texts.is_null().to_numpy(zero_copy_only=False))[0])
            raise self._no_text(row, None)
        try:
            return texts.cast(pa.large_string())
        except pa.ArrowInvalid as error:
            raise ValueError(f"{self.name} has text that is not UTF-8 from row {first} on: {error}") from None

    def _no_text(self, row: int, value: Any) -> ValueError:
        found = f"not a string but the {type(value).__name__} {str(value)[:40]!r}"
        if is_missing(value):
            found = "null"
        elif isinstance(value, str):
            found = "a string that UTF-8 cannot hold"
        return ValueError(
            f"row {row} of {self.name} is {found}; every document is a string: leave such rows out"
        )

    @functools.cached_property
    def _source(self) -> Any:  # of one that comes from a pickle: a Dask scheduler need not have the files
        return open_described(self._described)

    def __getstate__(self) -> dict[str, Any]:
        described = anywhere(self._source.describe())  # data in memory refuses, and says why
        state = {name: value for name, value in self.__dict__.items() if name != "_source"}
        return {**state, "_described": described, "_opened_as": None}


def several(target: Any, separate: bool) -> tuple[tuple[str, ...], list[Any]]:
    """The names and the sets of a target: one, a list of sets, or a mapping from names to sets.

    Paths are one set together, or one each when targets are kept separate.

    Examples
    --------
    >>> several(["a text", "another"], False)[0], several([["a text"], ["another"]], False)[0]
    (('target',), ('target 0', 'target 1'))
    """
    if isinstance(target, Mapping) and not _is_table(target):
        return tuple(map(str, target)), list(target.values())
    listed = isinstance(target, list | tuple) and len(target) > 0
    if listed and separate and are_paths(target):
        return tuple(map(os.fspath, target)), list(target)
    if listed and all(_is_set(some) for some in target):
        return tuple(f"target {i}" for i in range(len(target))), list(target)
    return ("target",), [target]


def _is_set(some: Any) -> bool:
    return not isinstance(some, str | bytes | os.PathLike) and (isinstance(some, Iterable) or _is_table(some))


def _is_table(texts: Any) -> bool:
    if isinstance(texts, Mapping):
        return False
    return isinstance(texts, pa.Table | pa.RecordBatch) or (
        hasattr(texts, "columns") and hasattr(texts, "shape")
    )


def are_paths(texts: Any) -> bool:
    """Whether a list holds paths: by their type, or strings that all end like files that can be read."""
    if not isinstance(texts, list | tuple) or not texts:
        return False
    return all(isinstance(text, os.PathLike) or (isinstance(text, str) and _is_path(text)) for text in texts)


def _is_path(text: str) -> bool:
    if any(mark in text for mark in " \n\t") and not os.path.exists(text):
        return False
    try:
        return bool(format_of(text))
    except (SourceError, OSError, ValueError):
        return False


def _in_memory(texts: pa.Array | pa.ChunkedArray) -> MemberSource:
    table = pa.table({"text": texts})
    slices = [table.slice(a, _PART_ROWS) for a in range(0, len(table), _PART_ROWS)] or [table]
    return MemberSource("frame", [FrameMember.wrap(some) for some in slices])


def _as_texts(source: Any) -> Any:
    """NDJSON in which a number does not become text, and Parquet by some thousand rows a part.

    A million texts, as tables are read, may be gigabytes.
    """
    if source.format not in ("ndjson", "parquet"):
        return source
    description = source.describe()
    for member in description["members"]:
        if source.format == "ndjson":
            member["options"] = {**member["options"], "strict": True}
            continue
        metadata = pq.read_metadata(member["path"])
        pieces: list[tuple[list[int], int]] = []
        for i in range(metadata.num_row_groups):
            rows = metadata.row_group(i).num_rows
            if pieces and pieces[-1][1] + rows <= _PART_ROWS:
                pieces[-1] = ([*pieces[-1][0], i], pieces[-1][1] + rows)
            elif rows:
                pieces.append(([i], rows))
        member["pieces"] = pieces
    return open_described(description)


def _text_column(source: Any, name: str, column: str | None) -> str:
    texts = [found for found, kind in source.types.items() if kind == "text"]
    if column is not None and column not in source.columns:
        if source.columns != ("text",):
            raise ValueError(f"{name} has no column {column!r}; it has {', '.join(source.columns)}")
        column = "text"  # a plain column of strings has no name of its own
    if column is None and len(texts) != 1 and "text" not in texts and len(source.columns) > 1:
        raise ValueError(
            f"which column of {name} holds the documents? Give column=, one of {', '.join(texts) or 'none'} "
            f"(columns with text; there are {', '.join(source.columns)})"
        )
    if column is None:
        column = "text" if "text" in texts else (texts or source.columns)[0]
    if source.types[column] != "text" and source.rows:
        raise ValueError(
            f"column {column!r} of {name} holds {source.types[column]} values from row 0 on, not strings"
        )
    return column
