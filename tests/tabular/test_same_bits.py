"""The same scores to the bit: on a cluster that loses a worker, in any number of threads, from rows in any order."""

from __future__ import annotations

import os
import signal

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from salience.data.plan import plan
from salience.data.readers import open_source
from salience.data.scan import scan
from salience.measures import association, information
from salience.measures.contingency import Contingency
from salience.measures.counting import CountState
from salience.measures.moments import MomentState
from salience.measures.nulltable import NullTable
from salience.parallel import cluster
from salience.tabular import StreamRanker
from salience.tabular.auditing import CopyState
from salience.tabular.profiling import SizeState
from salience.tabular.streaming.batches import BatchState
from salience.tabular.streaming.checksums import ChecksumState
from salience.tabular.streaming.combinationstate import CombinationState
from salience.tabular.streaming.parts import OriginState, Quarter, column_items
from salience.tabular.streaming.rowsample import SampleState
from salience.tabular.streaming.schedule import Schedule
from salience.tabular.streaming.similarity import SimilarityState
from salience.tabular.transforms.profile import ProfileState


def table(rows=24_000):
    """Columns of every sort: few values, thousands, sampled ones, numbers, lists, gaps, texts."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, rows)
    users = rng.integers(0, 9_000, rows)
    return pl.DataFrame(
        {
            "few": np.where(rng.random(rows) < 0.4, y, rng.integers(0, 3, rows)),
            "user": [f"u{u}" for u in users],
            "user number": users,
            "id": rng.permutation(rows),
            "amount": np.round(rng.lognormal(3, 1, rows) + y, 2),
            "gaps": [None if gap else float(v) for gap, v in zip(rng.random(rows) < 0.3, y, strict=True)],
            "tags": [",".join(f"t{t}" for t in rng.integers(0, 9, 1 + label)) for label in y],
            "y": y,
        }
    )


SPEC = {"user": {"kind": "text", "cap": 1024}, "id": {"kind": "text", "cap": 1024}}
RANKINGS = {
    "mutual information": {
        "controls": True,
        "transforms": "minimal",
        "multivalue": {"tags": ","},
        "spec": SPEC,
    },
    "pearson": {"heuristic": "pearson", "label": "amount"},
    "mi-numeric": {"heuristic": "mi-numeric"},
    "batches": {"null": "shift", "batch_size": 3000},
}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parts")
    for number, part in enumerate(table().iter_slices(1_500)):
        part.write_parquet(folder / f"{number:02}.parquet")
    return folder


@pytest.fixture(scope="module")
def client():
    with cluster(2) as client:
        yield client


def ranked(files, client=None, progress=None, **options):
    return (
        StreamRanker(**{"label": "y", **options}).fit(files, client=client, progress=progress).scores_.frame
    )


@pytest.mark.parametrize("which", RANKINGS)
def test_a_cluster_that_loses_a_worker_gives_the_same_scores(files, client, which):
    alone = ranked(files, **RANKINGS[which])
    killed = []

    def kill(done, total):
        if not killed and done < total:
            killed.append(next(iter(client.run(os.getpid).values())))
            os.kill(killed[0], signal.SIGKILL)

    assert ranked(files, client, kill, **RANKINGS[which]).equals(alone)
    assert killed


@pytest.mark.parametrize("classes", [2, 40])
@pytest.mark.parametrize("theta", [1.0, 0.7])
def test_no_measure_of_a_table_depends_on_the_threads_of_linear_algebra(classes, theta):
    rng = np.random.default_rng(0)
    whole = Contingency.from_codes(rng.integers(0, 30_000, 90_000), rng.integers(0, classes, 90_000))
    kept = rng.random(len(whole.keys)) < theta
    weight = np.full(int(kept.sum()), 1 / theta)
    part = Contingency(whole.keys[kept], whole.counts[kept], weight, whole.label_counts, theta=theta)
    measures = (
        lambda: information.corrected(part, NullTable(part.label_counts)),
        lambda: information.mutual_information(part),
        lambda: information.column_entropy(part),
        lambda: association.chi2(part),
        lambda: association.adjusted_mutual_information(part),
        lambda: association.log_loss_gain(part),
        lambda: association.correlation_ratio(part),
    )
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads, "blas"):
            found.append([measure() for measure in measures])
    assert found[0] == found[1]


def test_the_null_of_a_count_does_not_depend_on_the_counts_beside_it():
    labels = np.random.default_rng(0).integers(100, 9000, 40)
    together = NullTable(labels).expected(np.arange(1, 60))
    alone = [float(NullTable(labels).expected([count])[0]) for count in range(1, 60)]
    assert together.tolist() == alone


def states_of(planned):
    names, views = (
        ("few", "user number", "amount"),
        {"few": "values", "user number": "bins", "amount": "bins"},
    )
    blocks = [(s.index, first) for s in planned.shards for first in range(0, s.rows, planned.block_rows)]
    turns = {block: turn for turn, block in enumerate(blocks)}
    return {
        "counts": CountState(column_items(planned), "y", planned),
        "moments": MomentState(["amount", "gaps"], planned, "y", quantiles=False),
        "batches": BatchState(
            [("few", "values"), ("user", "values")], "y", 3, null="permute", batch_rows=300, min_rows=2
        ),
        "sample": SampleState(["user", "amount"], "y", 500, 0),
        "combinations": CombinationState(views, "y", 3, 2, Schedule(3, 2), turns),
        "similarity": SimilarityState(views, Schedule(3, 2), turns),
        "origin": OriginState([("few", "values"), ("amount", "bins")], planned, Quarter.of(planned), 4),
        "copies": CopyState(names, Quarter.of(planned).first_rows),
        "checksums": ChecksumState(names, "y"),
        "sizes": SizeState(names),
        "profile": ProfileState(["amount"], size=300),
    }


def bits(found):
    """What a state finalizes to, as something that is equal only if every bit is."""
    if isinstance(found, dict):
        return {key: bits(value) for key, value in found.items()}
    if isinstance(found, list | tuple):
        return [bits(value) for value in found]
    if isinstance(found, np.ndarray):
        return found.dtype.str, found.tobytes()
    if isinstance(found, float):
        return found.hex()
    if isinstance(found, pl.DataFrame):
        return [bits(column.to_list()) for column in found]
    if hasattr(found, "frame"):
        return bits(found.frame)
    return bits(vars(found)) if hasattr(found, "__dict__") else found


@pytest.fixture(scope="module")
def scanned(files):
    """The states of some shards each, as they are written, and what one pass over all gives."""
    source = open_source(files)
    planned = plan(source, "y", spec=SPEC, block_rows=700)
    pieces = []
    for shards in ([0, 1, 2], [3], [4, 5, 6, 7], [8, 9], list(range(10, 16))):
        states = states_of(planned)
        scan(planned, states, source=source, shards=shards, threads=1)
        pieces.append({name: state.to_arrow() for name, state in states.items()})
    together = states_of(planned)
    scan(planned, together, source=source, threads=2)
    return planned, pieces, {name: bits(state.finalize()) for name, state in together.items()}


@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_any_order_and_merge_tree_of_the_parts_gives_the_same_bits(scanned, data):
    planned, pieces, whole = scanned
    forest = []
    for number in data.draw(st.permutations(range(len(pieces)))):
        states = states_of(planned)
        for name, state in states.items():
            state.load_arrow(pieces[number][name])
        forest.append(states)
    while len(forest) > 1:
        a = forest.pop(data.draw(st.integers(0, len(forest) - 1)))
        b = forest.pop(data.draw(st.integers(0, len(forest) - 1)))
        for name, state in a.items():
            state.merge(b[name])
        forest.append(a)
    for name, state in forest[0].items():
        assert bits(state.finalize()) == whole[name], name
