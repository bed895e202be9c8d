"""What a scan accumulates, and how it is kept on disk: Arrow tables, never pickles.

A states file is one Arrow IPC file with a row per state (its name, its class, its own table as IPC bytes)
and, in the schema's metadata, the digest of the plan, the shards that were scanned and, for a checkpoint,
where to go on. Nothing in it can name code to be imported: loading fills states that the caller has made.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self, runtime_checkable

import pyarrow as pa

from salience.data.plan import Plan
from salience.data.readers.source import Shard
from salience.results.checksums import CHECKSUM, ROOM, check, check_format
from salience.results.storage import written_beside

if TYPE_CHECKING:
    from salience.data.blocks import Block

FORMAT = 2
AGAIN = "count that part again"
_KEY = b"salience"


@runtime_checkable
class State(Protocol):
    """Something that rows are added to and that can be joined with what others made of other rows.

    Laws: `merge` is associative and commutative, and any partition, order and merge tree of the blocks gives
    a bit-identical `finalize`.
    """

    def parts(self, block: Block) -> Iterable[Callable[[], None]]:
        """Independent pieces of the update with one block. They touch disjoint memory: threads run them in
        any order.

        A part may have an attribute ``column``: parts of one column then run one after another in the same
        thread, so that what the first has derived serves the others.
        """
        ...

    def merge(self, other: Self) -> None:
        """Take up another state, in place."""
        ...

    def empty(self) -> Self:
        """A fresh state with the same configuration, small to pickle."""
        ...

    def to_arrow(self) -> pa.Table:
        """The content."""
        ...

    def load_arrow(self, table: pa.Table) -> None:
        """Fill an empty state with what `to_arrow` gave."""
        ...

    def finalize(self) -> Any:
        """The result."""
        ...


def shards_of_part(plan: Plan, part: str | Sequence[int] | None) -> tuple[Shard, ...]:
    """The shards of one part of a scan.

    Parameters
    ----------
    plan : Plan
    part : str or sequence of int or None
        ``"i/k"``: every k-th shard from the i-th, ``0 <= i < k``. None: all of them.

    Raises
    ------
    ValueError
        A part that does not exist.
    """
    if part is None:
        return plan.shards
    if isinstance(part, str):
        i, slash, k = part.partition("/")
        if not (slash and i.strip().isdigit() and k.strip().isdigit() and int(i) < int(k)):
            raise ValueError(
                f"shards={part!r}: write 'i/k' with 0 <= i < k, for example '0/4' for the first of four "
                "parts."
            )
        return plan.shards[int(i) :: int(k)]
    by_index = {shard.index: shard for shard in plan.shards}
    unknown = [index for index in part if index not in by_index]
    if unknown:
        raise ValueError(f"shards={unknown}: the plan has the shards 0 to {len(plan.shards) - 1}.")
    return tuple(by_index[index] for index in sorted(set(part)))


@dataclass(frozen=True)
class Cursor:
    """How far a scan has come.

    Attributes
    ----------
    position : int
        Index into the shards of this scan.
    row : int
        Rows of that shard that are in the states.
    done : int
        Rows of all shards that are in the states.
    """

    position: int = 0
    row: int = 0
    done: int = 0


def pack(state: State) -> pa.Buffer:
    """The content of a state as the bytes of an Arrow IPC stream."""
    table = state.to_arrow()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def unpack(state: State, content: Any) -> None:
    """Fill an empty state with the content that `pack` gave."""
    with pa.ipc.open_stream(content) as reader:
        state.load_arrow(reader.read_all())


def save_state(
    path: str | os.PathLike[str],
    states: Mapping[str, State],
    plan: Plan,
    *,
    shards: str | Sequence[int] | None,
    cursor: Cursor | None = None,
    extra: Mapping[str, Any] | None = None,
) -> None:
    """Write states to one Arrow IPC file: beside its final name first, on the disk for certain, then renamed.

    Parameters
    ----------
    path : path
        Replaced as a whole, or not at all: a crash at any moment leaves the file that was there.
    states : mapping of str to State
    plan : Plan
        The plan of the scan; only its digest is stored.
    shards : str or sequence of int or None
        The part that was scanned, as it was given to `scan`.
    cursor : Cursor, optional
        For a checkpoint: how far the scan of these shards has come.
    extra : mapping, optional
        Anything that JSON can hold, for whoever must make the states anew; `read_extra` gives it back.
    """
    path = Path(path)
    about: dict[str, Any] = {
        "format": FORMAT,
        "plan": plan.digest(),
        "shards": [shard.index for shard in shards_of_part(plan, shards)],
    }
    if extra is not None:
        about["extra"] = dict(extra)
    if cursor is not None:
        about["cursor"] = [cursor.position, cursor.row, cursor.done]
    fields = [("name", pa.string()), ("class", pa.string()), ("content", pa.large_binary())]
    schema = pa.schema(fields, metadata={_KEY: json.dumps(about), CHECKSUM: ROOM})
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_beside(path, sealed=True) as beside, pa.ipc.new_file(os.fspath(beside), schema) as writer:
        for name, state in states.items():  # one batch each: only one state is serialised at a time
            content = _large_binary(pack(state))
            row = [pa.array([name]), pa.array([type(state).__name__]), content]
            writer.write_batch(pa.record_batch(row, schema=schema))


def _large_binary(content: pa.Buffer) -> pa.Array:
    offsets = pa.array([0, content.size], pa.int64()).buffers()[1]
    return pa.LargeBinaryArray.from_buffers(pa.large_binary(), 1, [None, offsets, content])


def read_extra(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What `save_state` was given as `extra`; empty when nothing was.

    Raises
    ------
    ValueError
        Not a states file, or a damaged one.
    """
    extra: dict[str, Any] = _open(path)[1].get("extra", {})
    return extra


def _open(
    path: str | os.PathLike[str], again: str = AGAIN
) -> tuple[pa.ipc.RecordBatchFileReader, dict[str, Any]]:
    check(path, again)  # Arrow may crash on what is damaged
    try:
        reader = pa.ipc.open_file(pa.memory_map(os.fspath(path)))
        about = json.loads(reader.schema.metadata[_KEY])
    except (pa.ArrowInvalid, KeyError, TypeError):
        raise ValueError(f"{path} is not a states file of salience; {again}") from None
    check_format(path, about["format"], FORMAT, again)
    return reader, about


def load_state(
    path: str | os.PathLike[str], states: Mapping[str, State], plan: Plan, *, again: str = AGAIN
) -> tuple[tuple[int, ...], Cursor | None]:
    """Fill states from a file that `save_state` wrote; they must be empty.

    Parameters
    ----------
    path : path
    states : mapping of str to State
        Made by the caller as for the scan that wrote the file: same names, same classes, same configuration.
    plan : Plan
    again : str
        What to do instead when it is damaged.

    Returns
    -------
    shards : tuple of int
        The shards that the file covers (with a cursor: is on its way to cover).
    cursor : Cursor or None

    Raises
    ------
    ValueError
        Not a states file, a damaged one, one of another plan, or one with other states.
    """
    reader, about = _open(path, again)
    if about["plan"] != plan.digest():
        raise ValueError(
            f"{path} belongs to another plan ({about['plan'][:12]}..., not {plan.digest()[:12]}...): "
            "its counts would not "
            "fit. Scan with the plan it was made with (plan.json of its run), or remove it and start again."
        )
    rows = [reader.get_batch(i) for i in range(reader.num_record_batches)]
    held = {row["name"][0].as_py(): row for row in rows}
    if held.keys() != states.keys():
        raise ValueError(
            f"{path} holds the states {sorted(held)}, but {sorted(states)} are wanted: it comes from a "
            "scan with other options."
        )
    for name, row in held.items():
        kind, wanted = row["class"][0].as_py(), type(states[name]).__name__
        if kind != wanted:
            raise ValueError(f"{path}: the state {name!r} is a {kind}, but a {wanted} is wanted.")
    for name, row in held.items():
        unpack(states[name], row["content"][0].as_buffer())
    cursor = Cursor(*about["cursor"]) if "cursor" in about else None
    return tuple(about["shards"]), cursor


def merge_states(
    paths: Sequence[str | os.PathLike[str]], states: Mapping[str, State], plan: Plan, *, partial: bool = False
) -> tuple[int, ...]:
    """Join the states of machines that each scanned other shards of one plan. This is `salience merge`.

    Parameters
    ----------
    paths : sequence of paths
        Files of `save_state`, in any order.
    states : mapping of str to State
        Empty ones; they hold the whole afterwards.
    plan : Plan
    partial : bool
        Accept that some shards are in none of the files.

    Returns
    -------
    tuple of int
        The shards that are covered, ascending.

    Raises
    ------
    ValueError
        A shard is in two files (it would count twice), or in none and `partial` is false, or a file is
        unfinished.
    """
    if not paths:
        raise ValueError("merge_states() got no files. Give the files that the parts of the scan wrote.")
    covered: dict[int, object] = {}
    for path in paths:
        loaded = {name: state.empty() for name, state in states.items()}
        shards, cursor = load_state(path, loaded, plan)
        if cursor is not None and cursor.position < len(shards):
            raise ValueError(f"{path} is the checkpoint of an unfinished scan. Resume that scan first.")
        twice = sorted(covered.keys() & set(shards))
        if twice:
            raise ValueError(
                f"{path} and {covered[twice[0]]} both hold shard {twice[0]}: its rows would count twice. "
                "Give each machine another part (shards='0/3', '1/3', '2/3') and merge each file once."
            )
        covered.update(dict.fromkeys(shards, path))
        for name, state in states.items():
            state.merge(loaded[name])
    absent = sorted({shard.index for shard in plan.shards} - covered.keys())
    if absent and not partial:
        raise ValueError(
            f"{len(absent)} of {len(plan.shards)} shards are in none of the files (the first: {absent[0]}). "
            "Add the missing files, or say partial=True to go on without those rows."
        )
    return tuple(sorted(covered))


@dataclass
class Checkpoint:
    """Saves the states of a running scan."""

    path: Path
    plan: Plan
    states: Mapping[str, State]
    shards: Sequence[Shard]
    every: float
    last: float = field(default_factory=time.monotonic)
    cost: float = 0.0  # seconds that the last one took

    def save(self, cursor: Cursor) -> None:
        start = time.monotonic()
        indices = [shard.index for shard in self.shards]
        save_state(self.path, self.states, self.plan, shards=indices, cursor=cursor)
        self.last = time.monotonic()
        self.cost = self.last - start

    def save_if_due(self, cursor: Cursor) -> None:
        # saving a large state must not take more than a tenth of the time
        pause = max(self.every, 10 * self.cost) if self.every > 0 else 0.0
        if time.monotonic() - self.last >= pause:
            self.save(cursor)

    def resume(self) -> Cursor:
        if not self.path.exists():
            return Cursor()
        covered, cursor = load_state(
            self.path, self.states, self.plan, again="remove it and start again, without resuming"
        )
        if cursor is None or covered != tuple(shard.index for shard in self.shards):
            raise ValueError(
                f"{self.path} is no checkpoint of this scan: it is about {len(covered)} shards, this "
                f"scan reads {len(self.shards)} "
                "(see shards=). Resume with the same part, or remove it and start again."
            )
        return cursor
