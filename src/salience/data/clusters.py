"""A scan on a Dask cluster: groups of shards are folded in the workers and the states merged there, in a tree."""

from __future__ import annotations

import functools
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from salience.data.blocks import Derivation
from salience.data.folding import Progress, fold
from salience.data.plan import Plan
from salience.data.readers import anywhere, open_described
from salience.data.readers.source import Shard
from salience.data.states import State, pack, unpack
from salience.parallel import reduce
from salience.results.storage import TEMPORARY, plain_errors

__all__ = ["fold_on_cluster", "open_planned"]


def fold_on_cluster(
    plan: Plan,
    states: Mapping[str, State],
    source: Any,
    derive: Sequence[Derivation],
    names: list[str],
    shards: Sequence[Shard],
    client: Any,
    progress: Progress | None,
) -> None:
    """Fill the states from these shards by the workers of `client`; data in memory goes to files first."""
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
            with plain_errors(directory, TEMPORARY):
                spool.write(source, shards, names)
        else:
            plan = replace(plan, source=anywhere(plan.source))
        one = _Fold(plan, empty, tuple(derive), names, spool)
        reduce(one, shards, _Merge(empty), take, client=client, progress=tell)


def open_planned(plan: Plan) -> Any:
    """The source that a plan describes. Raises ValueError where it was in memory."""
    if not all(shard.path for shard in plan.shards):
        raise ValueError("The plan is about data in memory, which cannot be reopened: give it as source=.")
    return _open(json.dumps(plan.source, sort_keys=True))


@functools.lru_cache(maxsize=4)
def _open(described: str) -> Any:
    """A worker folds many groups of shards of one source: opening (for CSV, a pass over the bytes) happens
    once.
    """
    return open_described(json.loads(described))


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
        source = self.spool or open_planned(self.plan)
        fold(self.plan, source, shards, states, self.derive, self.names, threads=1)
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
            for batch in source.batches(shard, names, self.plan.block_rows, self.plan.block_bytes):
                writer = writer or pq.ParquetWriter(self._file(shard), batch.schema)
                writer.write_batch(batch, row_group_size=batch.num_rows)
            if writer is not None:
                writer.close()

    def shards(self) -> tuple[Shard, ...]:
        return self.plan.shards

    def batches(
        self, shard: Shard, columns: list[str], rows: int, most: int | None = None
    ) -> Iterator[pa.RecordBatch]:
        """One row group of the file is one block."""
        file = pq.ParquetFile(self._file(shard))
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, columns).combine_chunks()
            yield from table.to_batches()

    def _file(self, shard: Shard) -> Path:
        return Path(self.directory) / f"{shard.index}.parquet"
