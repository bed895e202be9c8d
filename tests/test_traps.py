"""The laws of the scan and its eight traps, each where a user would fall into it.

Law or trap -> test; those without a file are here.

| merge associative, commutative; any partition, order and tree, for every state of the house | test_every_state_keeps_the_laws |
| the same for a ranking, whatever its heuristic | test_a_ranking_joined_from_parts_is_that_of_the_whole |
| the same for random states, kill -9, clusters | data/test_scan, tabular/test_ranking, test_parallel |
| 1 the median over batches is blind to high cardinality | test_the_median_over_batches_is_blind_where_counts_see |
| 1 ... exactly as the package; taken at the end | tabular/test_outrank, tabular/test_batchlog, benchmarks/outrank_equality.py |
| 2 folding destroys the signal, sampling values does not | test_folding_values_loses_what_sampling_them_keeps |
| 2 heavy values are always kept | test_heavy_values_of_a_zipf_column_are_kept, measures/test_counting |
| 2 what is kept depends on the multiset alone; exact=True | measures/test_counting, tabular/test_ranking |
| 2 distinct counts and rare values come with it | tabular/test_profiling, tabular/test_rare |
| 3 the identity is the logical value | test_a_number_scores_alike_however_it_is_stored, data/test_hashing |
| 3 combining is ordered and never joins strings | test_pairs_of_values_that_read_alike_stay_apart, tabular/test_expand |
| 4 types are decided once | tabular/test_ranking, data/test_scan |
| 4 quoted newlines; one gz file is one shard | tabular/test_ranking, data/test_readers_csv |
| 5 the window of the exact null | test_the_windowed_null_is_the_whole_sum |
| 5 no shift of counts: tables with fixed margins | test_only_batches_have_a_shift, measures/test_nulls |
| 6 schedule by block id, halving, at most 200 finalists | tabular/test_schedule, tabular/test_interactions |
| 7 rows without a label | tabular/test_ranking |
| 7 an unseen label value is named | test_a_label_value_that_the_first_batch_lacked_is_named, data/test_scan |
| 7 controls are functions of seed and block | test_controls_do_not_depend_on_threads_or_other_options, tabular/test_controls |
| 8 thread limits are set before import | test_parallel |
"""

import dataclasses
import itertools
import random

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import hypergeom

from salience.data.plan import plan
from salience.data.readers import open_source
from salience.data.scan import scan
from salience.measures.counting import CountState
from salience.measures.information import NullTable
from salience.measures.moments import MomentState
from salience.tabular import StreamRanker
from salience.tabular.auditing import CopyState
from salience.tabular.profiling import SizeState
from salience.tabular.rare import TextLookup
from salience.tabular.rows import RowReference, RowState
from salience.tabular.streaming.batches import BatchState
from salience.tabular.streaming.checksums import ChecksumState
from salience.tabular.streaming.combinationstate import CombinationState
from salience.tabular.streaming.parts import Origin, OriginState
from salience.tabular.streaming.rowsample import SampleState
from salience.tabular.streaming.schedule import Schedule
from salience.tabular.streaming.similarity import SimilarityState
from salience.tabular.transforms.profile import ProfileState

SHARDS = 5


def bits(found):
    """What was found, down to the last bit, so that it can be compared."""
    if hasattr(found, "frame"):
        return bits(found.frame)
    if isinstance(found, pl.DataFrame):
        return [(name, bits(found[name].to_numpy())) for name in found.columns]
    if isinstance(found, np.ndarray):
        return found.tolist().__repr__() if found.dtype == object else (found.dtype.str, found.tobytes())
    if isinstance(found, dict):
        return {key: bits(value) for key, value in found.items()}
    if isinstance(found, list | tuple):
        return [bits(value) for value in found]
    if dataclasses.is_dataclass(found):
        return [bits(getattr(found, field.name)) for field in dataclasses.fields(found)]
    return repr(found)


# --- laws -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("laws")
    rng = np.random.default_rng(0)
    n = 3000
    y = rng.integers(0, 2, n)
    frame = pl.DataFrame(
        {
            "id": rng.integers(0, 2500, n),
            "town": rng.choice(["Rome", "Oslo", "", "Bern"], n),
            "x": rng.normal(size=n) + y,
            "z": rng.lognormal(size=n),
            "y": y,
        }
    )
    cuts = [0, 100, 900, 1500, 2950, n]
    for i, (a, b) in enumerate(itertools.pairwise(cuts)):
        frame[a:b].write_parquet(path / f"{i}.parquet")
    return path


@pytest.fixture(scope="module")
def planned(folder):
    source = open_source(folder)
    return plan(source, "y", spec={"id": {"kind": "text", "cap": 1024}}), source


def states_of(planned, source):
    views = {"id": "values", "town": "values", "x": "bins", "z": "bins"}
    turns = {(shard, 0): shard for shard in range(SHARDS)}
    columns = list(views)
    firsts = np.cumsum([0, *(shard.rows for shard in planned.shards)])
    found = scan_one(planned, source, OriginState([("town", "values")], planned, Origin(0), 1))
    rome = {"town": found.finalize()["town", "values"].keys[:2]}
    return {
        "counts": CountState([*views.items(), ("x", "values")], "y", planned),
        "moments": MomentState(["x", "z"], planned, "y", quantiles=False),
        "batches": BatchState([("id", "values"), ("x", "bins")], "y", 2, batch_rows=300, min_rows=50),
        "shifted": BatchState([("town", "values")], "y", 2, null="shift", batch_rows=300, min_rows=2),
        "sample": SampleState(columns, "y", 700, 0, binned=("x",)),
        "numbers": SampleState(["x", "z"], "y", 700, 0, numbers=True),
        "sizes": SizeState(columns),
        "checksums": ChecksumState(columns, "y"),
        "copies": CopyState(columns, dict(enumerate(firsts.tolist()))),
        "origins": OriginState([("town", "values")], planned, Origin(0), 1),
        "texts": TextLookup(rome),
        "profile": ProfileState(["x", "z"], size=500),
        "rows": RowState(planned, RowReference.from_pilot(source, planned), k=20),
        "pairs": CombinationState(views, "y", 2, 2, Schedule(6, 4, 0), turns, threads=1),
        "similarity": SimilarityState(views, Schedule(6, 4, 0), turns, threads=1),
    }


def scan_one(planned, source, state):
    scan(planned, {"one": state}, source=source, threads=1)
    return state


@pytest.fixture(scope="module")
def apart(planned):
    """Every state, filled from each shard on its own; and what one pass over all of them finds."""
    found, source = planned
    blank = states_of(found, source)
    pieces = []
    for shard in range(SHARDS):
        pieces.append({name: state.empty() for name, state in blank.items()})
        scan(found, pieces[-1], source=source, shards=[shard], threads=1)
    whole = {name: state.empty() for name, state in blank.items()}
    scan(found, whole, source=source, threads=2)
    contents = {name: [piece[name].to_arrow() for piece in pieces] for name in blank}
    return blank, contents, {name: bits(state.finalize()) for name, state in whole.items()}


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_every_state_keeps_the_laws(apart, seed):
    blank, contents, whole = apart
    chance = random.Random(seed)
    for name, state in blank.items():
        forest = []
        for table in contents[name]:
            forest.append(state.empty())
            forest[-1].load_arrow(table)
        while len(forest) > 1:
            chance.shuffle(forest)
            taken = forest.pop()
            if chance.random() < 0.3:  # on its way from another machine
                sent, taken = taken.to_arrow(), state.empty()
                taken.load_arrow(sent)
            forest[0].merge(taken)
        assert bits(forest[0].finalize()) == whole[name], name


@pytest.mark.parametrize(
    "options",
    [
        {"heuristic": "pearson"},
        {"heuristic": "spearman"},
        {"heuristic": "mi-numeric"},
        {"heuristic": "surrogate-lr", "focus": ["town", "x"]},
        {"null": "shift", "batch_size": 500},
        {"null": "permute", "controls": True},
        {"transforms": "minimal", "subfeatures": "x->town"},
    ],
    ids=str,
)
def test_a_ranking_joined_from_parts_is_that_of_the_whole(folder, tmp_path, options):
    for i in range(3):
        part = StreamRanker("y", **options).fit(folder, shards=f"{i}/3")
        part.save_state(tmp_path / f"{i}.state")
    joined = StreamRanker.from_states([tmp_path / f"{i}.state" for i in (2, 0, 1)])
    assert joined.scores_.frame.equals(StreamRanker("y", **options).fit(folder).scores_.frame)


# --- 1: the median over batches ---------------------------------------------------------------------------------------


def column_of_rates(rows, values, seed=0):
    """Ids whose rates of the label differ wildly, and the label."""
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, values, rows)
    return ids, (rng.random(rows) < rng.beta(0.3, 0.3, values)[ids]).astype(int)


def test_the_median_over_batches_is_blind_where_counts_see():
    ids, y = column_of_rates(400_000, 130_000)
    frame = pl.DataFrame({"user": ids, "y": y}).with_columns(pl.all().cast(pl.String))
    batches = StreamRanker("y", preset="outrank").fit(frame).scores_.frame
    stream = StreamRanker("y").fit(frame).scores_.frame
    assert stream["value"][0] > 0.1
    assert batches["value"][0] < 0.3 * stream["value"][0]
    assert stream["verdict"][0] == "signal"


# --- 2: bounded memory ------------------------------------------------------------------------------------------------


def value_and_error(frame, **options):
    row = StreamRanker("y", **options).fit(frame).scores_.frame.row(0, named=True)
    return row["value"], row["se"]


def test_folding_values_loses_what_sampling_them_keeps():
    ids, y = column_of_rates(300_000, 60_000)
    frame = pl.DataFrame({"user": ids, "y": y})
    spec = {"user": {"kind": "text", "cap": 4096}}
    truth, _ = value_and_error(frame, spec=spec, exact=True)
    sampled, se = value_and_error(frame, spec=spec)
    folded, _ = value_and_error(frame.with_columns(pl.col("user") % 4096), spec=spec)
    assert folded < 0.3 * truth
    assert abs(sampled - truth) < min(4 * se, 0.1 * truth)


def test_heavy_values_of_a_zipf_column_are_kept():
    rng = np.random.default_rng(1)
    values = 200_000
    share = 1 / np.arange(1, values + 1)
    ids = rng.choice(values, 300_000, p=share / share.sum())
    y = (rng.random(len(ids)) < rng.beta(0.5, 0.5, values)[ids]).astype(int)
    frame = pl.DataFrame({"user": ids, "y": y})
    spec = {"user": {"kind": "text", "cap": 4096}}
    truth, _ = value_and_error(frame, spec=spec, exact=True)
    sampled, se = value_and_error(frame, spec=spec)
    assert abs(sampled - truth) < 4 * se
    assert se < 0.05 * truth  # sampled alone, the luck of the five commonest ids would decide


# --- 3: identity ------------------------------------------------------------------------------------------------------


def test_a_number_scores_alike_however_it_is_stored(tmp_path):
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 40, 2000)
    y = (codes + rng.integers(0, 30, 2000) > 40).astype(int)
    spec = {"v": {"kind": "number"}}
    found = []
    for i, kind in enumerate((pl.Int8, pl.UInt64, pl.Float32, pl.Float64, pl.String)):
        path = tmp_path / f"{i}.parquet"
        pl.DataFrame({"v": codes, "y": y}).with_columns(pl.col("v").cast(kind)).write_parquet(path)
        found.append(StreamRanker("y", spec=spec).fit(path).scores_.frame)
    assert all(one.equals(found[0]) for one in found)


def test_pairs_of_values_that_read_alike_stay_apart():
    rng = np.random.default_rng(0)
    first = rng.integers(0, 2, 2000)
    # "a" + "bc" and "ab" + "c" are one string and two pairs
    frame = pl.DataFrame(
        {"l": np.where(first, "a", "ab"), "r": np.where(first, "bc", "c"), "y": first.astype(str)}
    )
    pair = StreamRanker("y", order=2).fit(frame).pairs_.frame.row(0, named=True)
    assert pair["mi"] == pytest.approx(np.log(2), abs=1e-3)


# --- 5: nulls ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "labels"), [(20_000, (37_000, 3_000)), (300, (99_990, 10)), (1, (7, 3))])
def test_the_windowed_null_is_the_whole_sum(count, labels):
    n = sum(labels)
    expected = 0.0
    for b in labels:
        k = np.arange(max(1, count + b - n), min(count, b) + 1)
        expected += (k / n * np.log(n * k / (count * b)) * hypergeom.pmf(k, n, count, b)).sum()
    counts = np.array([count])
    assert NullTable(np.array(labels)).expected(counts)[0] == pytest.approx(expected, rel=1e-7, abs=1e-15)


def test_only_batches_have_a_shift(folder):
    with pytest.raises(ValueError, match='null="permute"'):
        StreamRanker("y", null="shift", heuristic="cramers-v").fit(folder)


# --- 7: labels and controls -------------------------------------------------------------------------------------------


def test_a_label_value_that_the_first_batch_lacked_is_named():
    ranker = StreamRanker("y").partial_fit(pl.DataFrame({"v": ["a", "b"] * 50, "y": ["no", "yes"] * 50}))
    with pytest.raises(ValueError, match="'perhaps'"):
        ranker.partial_fit(pl.DataFrame({"v": ["a", "b"] * 50, "y": ["no", "perhaps"] * 50}))


def test_controls_do_not_depend_on_threads_or_other_options(folder):
    def controls(**options):
        frame = StreamRanker("y", controls=True, **options).fit(folder).scores_.frame
        return frame.filter(pl.col("kind") == "control").select("column", "value", "mi").sort("column")

    expected = controls(n_jobs=1)
    assert controls(n_jobs=3).equals(expected)
    hashed = pl.col("column") != "CONTROL-row-hash"  # which is one of the columns that are ranked
    assert controls(focus=["town"], transforms="minimal").filter(hashed).equals(expected.filter(hashed))
