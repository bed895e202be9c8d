"""One pass over the rows, for any number of mergeable states: threads here, or the workers of a Dask cluster.

In one process the next block is read while threads work on this one; all states share the encoded columns. A
checkpoint (one file, replaced as a whole) makes the pass resumable after Ctrl-C, a crash or a kill. On a
cluster groups of shards are folded in the workers and the states are merged there, in a tree. Machines
without a cluster scan a part each (``shards="0/4"``), save their states, and `merge_states` joins the files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from salience.data.blocks import Derivation
from salience.data.clusters import fold_on_cluster, open_planned
from salience.data.folding import Progress, fold
from salience.data.plan import Plan
from salience.data.readers.source import Shard
from salience.data.states import (
    Checkpoint,
    Cursor,
    State,
    load_state,
    merge_states,
    save_state,
    shards_of_part,
)

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
        source = open_planned(plan)
    if client is not None:
        if checkpoint is not None:
            raise ValueError(
                "checkpoint= does not go with client=: a cluster repeats the folds of a dead worker by "
                "itself. To be safe against "
                "the death of this process too, scan parts (shards='0/4', ...), save each with "
                "save_state and merge the files."
            )
        fold_on_cluster(plan, states, source, derive, names, chosen, client, progress)
        return
    keeper = (
        None if checkpoint is None else Checkpoint(Path(checkpoint) / CHECKPOINT, plan, states, chosen, every)
    )
    start = keeper.resume() if keeper is not None and resume else Cursor()
    fold(plan, source, chosen, states, derive, names, threads, start, keeper, progress)


def _columns_to_read(plan: Plan, columns: Sequence[str] | None) -> list[str]:
    wanted = [c.name for c in plan.columns] if columns is None else list(dict.fromkeys(columns))
    for name in wanted:
        plan.column(name)  # raises, with near names
    return list(dict.fromkeys([*wanted, *(label.name for label in plan.labels)]))


def _cuts(shards: Sequence[Shard]) -> list[tuple[tuple[int, ...], int]]:
    """What must agree with the plan; the paths may differ from machine to machine."""
    return [(shard.part, shard.rows) for shard in shards]
