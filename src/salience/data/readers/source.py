"""What a source of rows is: columns, exact row count, and shards that any worker can read by itself.

A source is a sequence of *members* (files, or one frame), each with a schema and pieces of known length.
:class:`MemberSource` joins them: schemas united, pieces numbered as shards, batches cut to exactly the
rows asked for.
"""

import abc
import base64
import difflib
import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

import pyarrow as pa

from salience.data.readers.conform import conform
from salience.data.readers.schema import nulls, physical, rebatch, unite

WINDOW_BYTES = 32 << 20  # a window of a text file and what is parsed of it
PIECE_BYTES = 16 << 20  # of text that a reader gathers before it hands over what it has


class SourceError(ValueError):
    """Input that cannot be read: the message says what was given, what is allowed and what to do."""


@dataclass(frozen=True)
class Shard:
    """A part of a source: a descriptor, never data, small to pickle.

    Parameters
    ----------
    index : int
        Position among the shards of the source.
    path : str
        The file; ``""`` for data in memory.
    part : tuple of int
        Which part of it: row groups, a byte range or a row range, as the format has it.
    rows : int
        Exact number of rows.
    """

    index: int
    path: str
    part: tuple[int, ...]
    rows: int


@runtime_checkable
class Source(Protocol):
    """Rows to be read in batches, by one process or by many.

    Attributes
    ----------
    format : str
        ``"parquet"``, ``"csv"``, ``"frame"`` ...
    columns : tuple of str
    types : dict of str to str
        Physical type per column: "integer", "real", "boolean", "text", "time" or "list".
    rows : int
        Exact.
    held : int
        Bytes that reading takes beside the batches: pages, windows, whatever is kept in memory.
    notes : tuple of str
        What was odd and what was done about it.
    """

    format: str
    columns: tuple[str, ...]
    types: dict[str, str]
    rows: int
    held: int
    notes: tuple[str, ...]

    def shards(self) -> tuple[Shard, ...]:
        """Parts that can be read independently; the same on every machine."""
        ...

    def batches(
        self, shard: Shard, columns: Sequence[str], rows: int, most: int | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Batches of exactly `rows` rows each but the last of the shard, with these columns in this order.

        Of `rows` rows whose texts take more than `most` bytes, several batches are made.
        """
        ...

    def describe(self) -> dict[str, Any]:
        """JSON from which `open_described` opens an equal source on another machine, without a new pass."""
        ...


@dataclass
class Member(abc.ABC):
    """One file (or frame) of a source. A format is a subclass with `open` and `read`.

    Parameters
    ----------
    path : str
    schema : pyarrow.Schema
        The columns of this member as they are stored.
    pieces : sequence of (part, rows)
        Parts that can be read independently.
    notes : sequence of str
        About this member, without its path.
    options : dict
        JSON: what `read` must know (delimiter, encoding, ...).
    size : int
        Bytes, to notice that a file has changed; -1 when there is no file.
    """

    path: str
    schema: pa.Schema
    pieces: Sequence[tuple[tuple[int, ...], int]]
    notes: Sequence[str] = ()
    options: dict[str, Any] = field(default_factory=dict)
    size: int = -1

    #: Options that `open_source` may pass to `open`.
    accepts: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def open(cls, path: str, **options: Any) -> Self:
        """Look at a file: its schema, pieces and exact row count. Raises SourceError if it cannot be read."""
        raise SourceError(f"{path} cannot be opened as a {cls.__name__}: it is made from data in memory")

    @abc.abstractmethod
    def read(self, part: tuple[int, ...], columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        """Batches of at most about `rows` rows of one piece; `columns` are all in this member's schema.

        A batch has at most about `PIECE_BYTES` of text, unless one row has more.
        """

    def skips(self, column: str) -> bool:
        """Whether the column is of a type that `read_at` reads."""
        return False

    def skippable(self, part: tuple[int, ...], columns: Sequence[str], rows: int) -> list[str]:
        """Those of the columns of which `read_at` may read so many rows at once."""
        return []

    def read_at(
        self, part: tuple[int, ...], columns: Sequence[str], firsts: Sequence[int], rows: int
    ) -> Iterator[pa.RecordBatch | None]:
        """For each first row of a part: so many rows from there on, or None where that fails after all."""
        return iter([None] * len(firsts))

    @property
    def rows(self) -> int:
        """Exact number of rows of this member."""
        return sum(rows for _, rows in self.pieces)

    @property
    def held(self) -> int:
        """Bytes that `read` holds of all columns, beside the batches it gives."""
        return WINDOW_BYTES if self.path else 0

    def to_json(self) -> dict[str, Any]:
        """Everything `open` found out, so that another machine need not find it out again."""
        return {
            "path": self.path,
            "schema": base64.b64encode(self.schema.serialize().to_pybytes()).decode(),
            "pieces": [[list(part), rows] for part, rows in self.pieces],
            "notes": list(self.notes),
            "options": self.options,
            "size": self.size,
        }

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> Self:
        """The member described by `to_json`; SourceError when its file is gone or has another size."""
        path, size = found["path"], found["size"]
        if not os.path.exists(path):
            raise SourceError(
                f"{path} is not on this machine; every worker must see the files under the same path"
            )
        if os.path.getsize(path) != size:
            raise SourceError(
                f"{path} has changed: {os.path.getsize(path)} bytes, {size} when it was planned; plan again"
            )
        schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(found["schema"])))
        pieces = [(tuple(part), rows) for part, rows in found["pieces"]]
        return cls(path, schema, pieces, found["notes"], found["options"], size)


class MemberSource:
    """The rows of several members one after another, under the union of their columns.

    Parameters
    ----------
    format : str
    members : sequence of Member
        At least one.
    notes : sequence of str
        What was odd about the collection of files.
    cleanup : object, optional
        Kept alive as long as the source (a temporary file).

    Raises
    ------
    SourceError
        When there is no column.
    """

    def __init__(
        self, format: str, members: Sequence[Member], notes: Iterable[str] = (), cleanup: object = None
    ) -> None:
        self.format = format
        self._members = tuple(members)
        self._cleanup = cleanup
        self._remarks = tuple(notes)
        self._schema, oddities = unite([(member.path, member.schema) for member in members])
        if not len(self._schema):
            raise SourceError(
                f"{members[0].path or 'the data'} has no columns; give data with at least one named column"
            )
        self.columns: tuple[str, ...] = tuple(self._schema.names)
        self.types: dict[str, str] = {f.name: physical(f.type) for f in self._schema}
        self.rows: int = sum(member.rows for member in members)
        named = len(members) > 1
        said = [f"{m.path}: {note}" if named else note for m in members for note in m.notes]
        self.notes: tuple[str, ...] = (*self._remarks, *said, *oddities)
        self.held: int = max(member.held for member in members)
        owners = [(member, part, rows) for member in members for part, rows in member.pieces]
        self._owners = tuple(member for member, _, _ in owners)
        self._shards = tuple(Shard(i, m.path, tuple(part), n) for i, (m, part, n) in enumerate(owners))

    def shards(self) -> tuple[Shard, ...]:
        """Parts that can be read independently."""
        return self._shards

    def batches(
        self, shard: Shard, columns: Sequence[str], rows: int, most: int | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Batches of exactly `rows` rows each but the last of the shard; more of them where texts are long.

        Raises
        ------
        SourceError
            For an unknown column, no column, `rows` below 1, or a file that cannot be read any more.
        """
        unknown = [name for name in columns if name not in self.types]
        if unknown:
            raise SourceError(f"no column {near(unknown[0], self.columns)}")
        if not len(columns) or rows < 1:
            raise SourceError(
                f"columns={list(columns)}, rows={rows}: ask for at least one column and one row"
            )
        own = self._shards[shard.index] if 0 <= shard.index < len(self._shards) else None
        if own is None or (own.part, own.rows) != (shard.part, shard.rows):  # paths may differ by machine
            raise SourceError(f"{shard} is not a shard of this source; take one of source.shards()")
        return self._read(shard, columns, rows, most)

    def _read(
        self, shard: Shard, columns: Sequence[str], rows: int, most: int | None
    ) -> Iterator[pa.RecordBatch]:
        member = self._owners[shard.index]
        target = pa.schema([self._schema.field(name) for name in columns])
        stored = set(member.schema.names)
        present = [name for name in dict.fromkeys(columns) if name in stored]
        return rebatch(
            _conformed(member, shard, present, target, rows) if present else nulls(target, shard.rows, rows),
            rows,
            most,
        )

    def skips(self) -> bool:
        """Whether `pieces` can leave out what lies before them, in most columns of every file."""
        return all(2 * sum(map(m.skips, m.schema.names)) > len(m.schema.names) for m in self._members)

    def skippable(self, shard: Shard, columns: Sequence[str], rows: int) -> list[str]:
        """The columns of a shard in which `pieces` of so many rows can leave out what lies before them."""
        member = self._owners[shard.index]
        stored = set(member.schema.names)
        return member.skippable(shard.part, [name for name in columns if name in stored], rows)

    def pieces(
        self, shard: Shard, columns: Sequence[str], rows: int, numbers: Sequence[int]
    ) -> Iterator[pa.RecordBatch]:
        """The batches with these ascending numbers, of those that `batches` gives; what lies before and between
        them is left out where the format can. Text may be coded in one way and not in the other.
        """
        member = self._owners[shard.index]
        few = 4 * len(numbers) < numbers[-1]  # where many are wanted, reading on costs less than finding them
        quick = self.skippable(shard, columns, rows) if few else []
        others = [name for name in columns if name not in quick]
        ways = [self._skipping(member, shard, quick, rows, numbers)] if quick else []
        if others:
            ways.append(numbered(self.batches(shard, others, rows), numbers))
        for batches in zip(*ways, strict=True):
            found = {name: batch.column(name) for batch in batches for name in batch.schema.names}
            yield pa.RecordBatch.from_arrays([found[name] for name in columns], names=list(columns))

    def _skipping(
        self, member: Member, shard: Shard, columns: list[str], rows: int, numbers: Sequence[int]
    ) -> Iterator[pa.RecordBatch]:
        target = pa.schema([self._schema.field(name) for name in columns])
        firsts = [number * rows for number in numbers]
        for number, piece in zip(numbers, member.read_at(shard.part, columns, firsts, rows), strict=True):
            if piece is None:
                yield from numbered(self.batches(shard, columns, rows), [number])
            else:
                yield conform(piece, target)

    def describe(self) -> dict[str, Any]:
        """JSON for `open_described`."""
        members = [member.to_json() for member in self._members]
        return {"format": self.format, "members": members, "notes": list(self._remarks)}

    def __repr__(self) -> str:
        files = f"{len(self._members)} files, " if len(self._members) > 1 else ""
        return f"<{self.format} source: {files}{self.rows:,} rows x {len(self.columns)} columns>"


def _conformed(
    member: Member, shard: Shard, present: Sequence[str], target: pa.Schema, rows: int
) -> Iterator[pa.RecordBatch]:
    left = shard.rows
    for batch in member.read(shard.part, present, rows):
        try:
            conformed = conform(batch, target)
        except ValueError as error:
            raise SourceError(f"{member.path or 'the data'}: {error}") from error
        left -= len(batch)
        yield conformed
    if left:
        raise SourceError(
            f"{member.path} has {shard.rows - left:,} rows where {shard.rows:,} were announced (part "
            f"{shard.index}): it is damaged, or was written anew meanwhile"
        )


def check_unique(names: Iterable[str], path: str = "the data") -> None:
    """Raise a SourceError for a name that several columns have."""
    name, times = max(Counter(names).items(), key=lambda item: item[1], default=("", 0))
    if times > 1:
        raise SourceError(
            f"{path}: {times:,} columns are named {name!r}; rename them so that each name is unique"
        )


def numbered(batches: Iterable[pa.RecordBatch], numbers: Collection[int]) -> Iterator[pa.RecordBatch]:
    """The batches with these numbers; none after the last of them is read.

    Examples
    --------
    >>> list(numbered("abcde", [1, 3]))
    ['b', 'd']
    """
    last = max(numbers)
    for number, batch in enumerate(batches):
        if number in numbers:
            yield batch
        if number >= last:
            return


def near(given: str, names: Iterable[str]) -> str:
    """`given` in quotes, with the names it may have meant.

    Examples
    --------
    >>> near("clik", ["click", "user"])
    "'clik'; did you mean 'click'?"
    """
    names = list(names)
    close = difflib.get_close_matches(given, names, 3, 0.6)
    if close:
        return f"{given!r}; did you mean {' or '.join(map(repr, close))}?"
    more = ", ..." if len(names) > 8 else ""
    return f"{given!r}; there are {', '.join(map(repr, names[:8]))}{more}" if names else repr(given)
