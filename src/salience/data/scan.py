"""One pass over the rows, for any number of mergeable states: threads here, or the workers of a Dask cluster.

In one process the next block is read while threads work on this one; all states share the encoded columns. A
checkpoint (one file, replaced as a whole) makes the pass resumable after Ctrl-C, a crash or a kill. On a
cluster groups of shards are folded in the workers and the states are merged there, in a tree. Machines
without a cluster scan a part each (``shards="0/4"``), save their states, and `merge_states` joins the files.
"""

from __future__ import annotations

import functools
import json
import signal
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from salience.data.blocks import Block, Derivation, kept_rows
from salience.data.plan import Plan
from salience.data.readers import anywhere, open_described
from salience.data.readers.source import Shard
from salience.data.states import (
    Checkpoint,
    Cursor,
    State,
    load_state,
    merge_states,
    pack,
    save_state,
    shards_of_part,
    unpack,
)
from salience.parallel import reduce

__all__ = [
    "CHECKPOINT",
    "Cursor",
    "State",
    "load_state",
    "merge_states",
    "save_state",
    "scan",
    "shards_of_part",
]

CHECKPOINT = "scan.arrow"  # the file in the checkpoint directory
Progress = Callable[[int, int], None]


def scan(
    plan: Plan,
    states: Mapping[str, State],
    *,
    source: Any = None,
    derive: Sequence[Derivation] = (),
    columns: Sequence[str] | None = None,
    shards: str | Sequence[int] | None = None,
    client: Any = None,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    every: float = 20.0,
    progress: Progress | None = None,
    threads: int = 2,
) -> None:
    """Read the rows once and update every state with every block.

    Parameters
    ----------
    plan : Plan
        Fixes the blocks, so the result does not depend on `threads` or on the number of workers.
    states : mapping of str to State
        Filled in place.
    source : Source, optional
        Default: the files that `plan.source` describes. Needed for data in memory.
    derive : sequence of Derivation
        More columns, made from each block.
    columns : sequence of str, optional
        The columns to read from the source, those that derivations need included (labels are always read).
        Default: all columns of the plan.
    shards : str or sequence of int, optional
        Only a part of the rows: ``"0/4"`` is the first of four parts; or the indices of shards.
    client : distributed.Client, optional
        Scan in the workers of a cluster. They open the files themselves, under the same paths. Data in memory
        is first written to Parquet files in a temporary directory of this machine, which the workers must be
        able to read.
    checkpoint : path, optional
        A directory. The states are saved there every `every` seconds, on Ctrl-C and at the end. Not with
        `client`: a cluster repeats what a dead worker had done by itself.
    resume : bool
        Go on from the checkpoint if there is one.
    every : float
        Seconds between checkpoints.
    progress : callable, optional
        ``progress(rows done, rows in all)`` after each block (on a cluster: after each fold, about).
    threads : int
        Threads that update states. One more reads ahead.

    Raises
    ------
    ValueError
        The source is not the planned one or changed meanwhile; the checkpoint is of another plan or another
        scan; a label value that the plan has not seen.
    KeyboardInterrupt
        After the current block is finished and the checkpoint is safe.
    """
    chosen = shards_of_part(plan, shards)
    if threads < 1:
        raise ValueError(f"threads={threads}: at least one thread must update the states.")
    names = _columns_to_read(plan, columns)
    if source is not None and _cuts(source.shards()) != _cuts(plan.shards):
        raise ValueError(
            f"The source is not the one that was planned: {source.rows} rows in {len(source.shards())} "
            "shards, the plan has "
            f"{plan.rows} rows in {len(plan.shards)} shards. Plan it again with plan(source, ...)."
        )
    if source is None:
        source = _open_planned(plan)
    if client is not None:
        if checkpoint is not None:
            raise ValueError(
                "checkpoint= does not go with client=: a cluster repeats the folds of a dead worker by "
                "itself. To be safe against "
                "the death of this process too, scan parts (shards='0/4', ...), save each with "
                "save_state and merge the files."
            )
        _scan_on_cluster(plan, states, source, derive, names, chosen, client, progress)
        return
    keeper = (
        None if checkpoint is None else Checkpoint(Path(checkpoint) / CHECKPOINT, plan, states, chosen, every)
    )
    start = keeper.resume() if keeper is not None and resume else Cursor()
    _run(plan, source, chosen, states, derive, names, threads, start, keeper, progress)


def _columns_to_read(plan: Plan, columns: Sequence[str] | None) -> list[str]:
    wanted = [c.name for c in plan.columns] if columns is None else list(dict.fromkeys(columns))
    for name in wanted:
        plan.column(name)  # raises, with near names
    return list(dict.fromkeys([*wanted, *(label.name for label in plan.labels)]))


def _cuts(shards: Sequence[Shard]) -> list[tuple[tuple[int, ...], int]]:
    """What must agree with the plan; the paths may differ from machine to machine."""
    return [(shard.part, shard.rows) for shard in shards]


def _open_planned(plan: Plan) -> Any:
    if not all(shard.path for shard in plan.shards):
        raise ValueError("The plan is about data in memory, which cannot be reopened: give it as source=.")
    return _open(json.dumps(plan.source, sort_keys=True))


@functools.lru_cache(maxsize=4)
def _open(described: str) -> Any:
    """A worker folds many groups of shards of one source: opening (for CSV, a pass over the bytes) happens
    once.
    """
    return open_described(json.loads(described))


def _run(
    plan: Plan,
    source: Any,
    shards: Sequence[Shard],
    states: Mapping[str, State],
    derive: Sequence[Derivation],
    names: list[str],
    threads: int,
    start: Cursor = Cursor(),  # noqa: B008 - frozen
    keeper: Checkpoint | None = None,
    progress: Progress | None = None,
) -> None:
    """The loop of one process. `whole` says whether the states hold whole blocks only: then they may be
    saved.
    """
    derivations = _by_name(plan, derive)
    costs: dict[object, float] = {}
    total, cursor, whole = sum(shard.rows for shard in shards), start, True
    ahead = _read_ahead(_batches(plan, source, shards, names, start))
    with closing(ahead), ThreadPoolExecutor(threads) as pool, _patience() as interrupted:
        try:
            for batch, position, first in ahead:
                shard = shards[position]
                rows = batch.num_rows
                kept = kept_rows(plan, shard.index, first, rows)
                block = Block(batch, plan, (shard.index, first), derivations, kept)
                whole = False
                _update(states, block, pool, threads, costs)
                cursor, whole = Cursor(position, first + rows, cursor.done + rows), True
                if progress is not None:
                    progress(cursor.done, total)
                if interrupted():
                    raise KeyboardInterrupt
                if keeper is not None:
                    keeper.save_if_due(cursor)
        except KeyboardInterrupt:
            if keeper is not None and whole:
                keeper.save(cursor)
            raise
    if keeper is not None:
        keeper.save(Cursor(len(shards), 0, cursor.done))


def _by_name(plan: Plan, derive: Sequence[Derivation]) -> dict[str, Derivation]:
    own = {column.name for column in plan.columns} | {label.name for label in plan.labels}
    derivations: dict[str, Derivation] = {}
    for derivation in derive:
        for name in derivation.names:
            if name in own or name in derivations:
                raise ValueError(f"derive: there is a column {name!r} already; choose another name.")
            derivations[name] = derivation
    return derivations


def _batches(
    plan: Plan, source: Any, shards: Sequence[Shard], names: list[str], start: Cursor
) -> Iterator[tuple[pa.RecordBatch, int, int]]:
    """(batch, position of its shard, its first row), from the cursor on."""
    own = source.shards()
    for position, shard in enumerate(shards[start.position :], start.position):
        skip = start.row if position == start.position else 0
        first = 0
        if skip < shard.rows:
            for batch in source.batches(own[shard.index], names, plan.block_rows):
                if first >= skip:
                    yield batch, position, first
                first += batch.num_rows
            if first != shard.rows:
                raise ValueError(
                    f"{shard.path} has changed since the plan was made: shard {shard.index} has {first} "
                    "rows, the plan says "
                    f"{shard.rows}. Plan it again."
                )


def _read_ahead(items: Iterator[Any]) -> Generator[Any, None, None]:
    """The same items; the next one is made in a thread while the caller works on this one."""
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = reader.submit(next, items, None)
            yield item


def _update(
    states: Mapping[str, State], block: Block, pool: Executor, threads: int, costs: dict[object, float]
) -> None:
    """Run the parts of all states, those of one column one after another in one thread.

    What took longest in the block before (`costs`) comes first, so that no thread is left waiting for it.
    """
    _ = block.labels  # an unseen label value is one error here, not one in each thread
    groups: dict[object, list[Callable[[], None]]] = {}
    for state in states.values():
        for part in state.parts(block):
            groups.setdefault(getattr(part, "column", len(groups)), []).append(part)
    waiting = deque(sorted(groups, key=lambda name: -costs.get(name, 0.0)))

    def work() -> None:
        try:
            while True:
                try:
                    name = waiting.popleft()
                except IndexError:
                    return
                begun = time.perf_counter()
                for part in groups[name]:
                    part()
                costs[name] = time.perf_counter() - begun
        except BaseException:
            waiting.clear()
            raise

    if threads == 1:
        work()
        return
    working = [pool.submit(work) for _ in range(min(threads, len(waiting)))]
    for one in working:
        one.exception()  # wait for all: no thread may still write when an error leaves the scan
    for one in working:
        one.result()


@contextmanager
def _patience() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C into a wish that is asked for between blocks; the second interrupts at once."""
    asked = threading.Event()
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield asked.is_set  # somebody else handles Ctrl-C
        return

    def ask(number: int, frame: Any) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    signal.signal(signal.SIGINT, ask)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@dataclass(frozen=True)
class _Fold:
    """Scans a group of shards in a worker: small to pickle, opens the source itself, returns the states as
    bytes.
    """

    plan: Plan
    states: dict[str, State]
    derive: tuple[Derivation, ...]
    names: list[str]
    spool: _Spool | None

    def __call__(self, shards: Sequence[Shard]) -> dict[str, bytes]:
        states = {name: state.empty() for name, state in self.states.items()}
        source = self.spool or _open_planned(self.plan)
        _run(self.plan, source, shards, states, self.derive, self.names, threads=1)
        return {name: pack(state).to_pybytes() for name, state in states.items()}


@dataclass(frozen=True)
class _Merge:
    """Joins two results of `_Fold`, in a worker."""

    states: dict[str, State]

    def __call__(self, a: dict[str, bytes], b: dict[str, bytes]) -> dict[str, bytes]:
        merged = {}
        for name, state in self.states.items():
            left, right = state.empty(), state.empty()
            unpack(left, a[name])
            unpack(right, b[name])
            left.merge(right)
            merged[name] = pack(left).to_pybytes()
        return merged


@dataclass(frozen=True)
class _Spool:
    """Data in memory, as one Parquet file per shard, so that other processes read the same blocks."""

    directory: str
    plan: Plan

    def write(self, source: Any, shards: Sequence[Shard], names: list[str]) -> None:
        for shard in shards:
            writer = None
            for batch in source.batches(shard, names, self.plan.block_rows):
                writer = writer or pq.ParquetWriter(self._file(shard), batch.schema)
                writer.write_batch(batch, row_group_size=batch.num_rows)
            if writer is not None:
                writer.close()

    def shards(self) -> tuple[Shard, ...]:
        return self.plan.shards

    def batches(self, shard: Shard, columns: list[str], rows: int) -> Iterator[pa.RecordBatch]:
        """One row group of the file is one block."""
        file = pq.ParquetFile(self._file(shard))
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, columns).combine_chunks()
            yield from table.to_batches()

    def _file(self, shard: Shard) -> Path:
        return Path(self.directory) / f"{shard.index}.parquet"


def _scan_on_cluster(
    plan: Plan,
    states: Mapping[str, State],
    source: Any,
    derive: Sequence[Derivation],
    names: list[str],
    shards: Sequence[Shard],
    client: Any,
    progress: Progress | None,
) -> None:
    if not shards:
        return
    empty = {name: state.empty() for name, state in states.items()}
    total = sum(shard.rows for shard in shards)

    def tell(done: int, folds: int) -> None:
        if progress is not None:
            progress(total * done // folds, total)

    def take(result: dict[str, bytes]) -> None:
        for name, state in states.items():
            other = state.empty()
            unpack(other, result[name])
            state.merge(other)

    with tempfile.TemporaryDirectory(prefix="salience-") as directory:
        spool = None
        if not all(shard.path for shard in shards):
            spool = _Spool(directory, plan)
            spool.write(source, shards, names)
        else:
            plan = replace(plan, source=anywhere(plan.source))
        fold = _Fold(plan, empty, tuple(derive), names, spool)
        reduce(fold, shards, _Merge(empty), take, client=client, progress=tell)
