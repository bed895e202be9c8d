"""Against polars counting the same pairs: ``group_by(column, label).len()`` of every column, streaming."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator

import numpy as np
import polars as pl

from benchmarks.harness import Row, Settings, alternate
from benchmarks.scale_data import Wide, parquet
from salience.data.hashing import identities
from salience.data.plan import plan
from salience.data.scan import scan
from salience.measures.counting import CountState

ROWS, COLUMNS = 2_000_000, 50
_NO_CAP = 2**40


def benchmark(settings: Settings) -> Iterator[Row]:
    """One row: seconds to count all columns against the label, exactly."""
    rows = settings.scaled(ROWS)
    recipe = Wide(columns=COLUMNS, largest=rows // 2)
    file = parquet(settings.data, recipe, rows)
    names = list(recipe.cardinalities)
    # No cap and no bins: polars counts all values, so we do.
    how = plan(file, recipe.label, spec={name: {"cap": _NO_CAP, "edges": None} for name in names})

    def ours() -> CountState:
        state = CountState([(name, "values") for name in names], recipe.label, how)
        scan(how, {"counts": state}, columns=names, threads=settings.threads)
        return state

    def theirs() -> list[pl.DataFrame]:
        # Column by column, as one would write it; all at once it is slower and takes gigabytes.
        lazy = pl.scan_parquet(file)
        return [
            lazy.select(name, recipe.label)
            .group_by(name, recipe.label)
            .agg(pl.len())
            .collect(engine="streaming")
            for name in names
        ]

    state, frames = ours(), theirs()
    kinds = {column.name: column.kind for column in how.columns}
    same = sum(
        _equal(state, frame, name, kinds[name], recipe.label)
        for name, frame in zip(names, frames, strict=True)
    )
    own, peer = alternate(_timed(ours), _timed(theirs), settings.runs)
    threads = os.environ.get("POLARS_MAX_THREADS", pl.thread_pool_size())
    yield Row(
        f"count {COLUMNS} columns x {rows / 1e6:g} M against the label, Parquet, exactly; peer polars `group_by().len()`",
        own, peer, "s", "faster", same == len(names) and own < peer, f"counts of {same} of {len(names)} columns equal",
        f"{settings.threads} threads, polars {threads}; ours reads all columns in one pass",
    )  # fmt: skip


def _timed(call: Callable[[], object]) -> Callable[[], float]:
    def measure() -> float:
        start = time.perf_counter()
        call()
        return time.perf_counter() - start

    return measure


def _equal(state: CountState, frame: pl.DataFrame, name: str, kind: str, label: str) -> bool:
    """Are the counts those of polars, value by value? The label's classes are 0 and 1."""
    table = state.tables[name, "values"].contingency()
    hashes, codes = identities(frame[name].to_arrow(), kind)
    keys = hashes if codes is None else hashes[codes]
    place = np.searchsorted(table.keys, keys)
    if (place >= len(table.keys)).any() or (table.keys[place] != keys).any():
        return False
    counts = np.zeros_like(table.counts)
    counts[place, frame[label].to_numpy()] = frame["len"].to_numpy()
    return bool((counts == table.counts).all())
