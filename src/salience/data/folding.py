"""The loop of one process over the rows: the next block is read while threads work on this one."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pyarrow as pa

from salience.data.blocks import Block, Derivation, kept_rows
from salience.data.plan import Plan
from salience.data.readers.source import Shard
from salience.data.states import Checkpoint, Cursor, State
from salience.stopping import patience, uninterrupted

__all__ = ["Progress", "fold"]

Progress = Callable[[int, int], None]


def fold(
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
    """Fill the states from these shards in one process, from `start` on; `keeper` saves them from time to time."""
    derivations = _by_name(plan, derive)
    costs: dict[object, float] = {}
    # whole: the states hold whole blocks only, and may be saved
    total, cursor, whole = sum(shard.rows for shard in shards), start, True
    ahead = _read_ahead(_batches(plan, source, shards, names, start))
    with closing(ahead), ThreadPoolExecutor(threads) as pool, patience() as stop_if_asked:
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
                stop_if_asked()
                if keeper is not None:
                    keeper.save_if_due(cursor)
        except KeyboardInterrupt:
            if keeper is not None and whole:
                with uninterrupted():
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
            for batch in source.batches(own[shard.index], names, plan.block_rows, plan.block_bytes):
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
