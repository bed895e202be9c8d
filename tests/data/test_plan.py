"""What a plan decides, and that it decides it from the whole source."""

from collections import Counter

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from table_source import TableSource

from salience.data.blocks import kept_rows
from salience.data.budget import LIBRARIES, Budget
from salience.data.columnplan import expected_distinct, heavy_values, quantile_edges
from salience.data.hashing import MISSING, hash_value
from salience.data.pilot import Pilot, choose_pieces
from salience.data.plan import ColumnPlan, Plan, parse_memory, plan
from salience.data.readers.parquet import ParquetMember
from salience.data.readers.source import Shard

RNG = np.random.default_rng(0)


def table(n=600, **more):
    return pa.table({"x": RNG.normal(size=n), "y": np.arange(n) % 2, **more})


# --- kinds---


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "2.5", "", "-3e2"] * 50, "number"),
        (["1"] * 98 + ["one"] * 2, "number"),
        (["1"] * 97 + ["one"] * 3, "text"),
        (["1"] * 98 + ["one"] * 2 + [""] * 900, "number"),
        (["red", "blue"] * 10, "text"),
        (["", "{}"] * 10, "text"),
        ([True, False] * 5, "number"),
        ([1, None] * 5, "number"),
        ([1.5, float("nan")] * 5, "number"),
        (np.array(["2020-01-01", "2021-05-01"] * 5, "datetime64[ns]"), "time"),
        ([["a"], ["a", "b"]] * 5, "list"),
    ],
)
def test_the_kind_follows_from_the_values(values, kind):
    values = pa.array(values)
    source = TableSource({"c": values, "y": np.arange(len(values)) % 2})
    assert plan(source, "y").column("c").kind == kind


def test_a_constant_and_an_empty_column_are_planned():
    planned = plan(TableSource(table(one=["a"] * 600, none=pa.nulls(600), empty=[""] * 600)), "y")
    assert [planned.column(name).distinct for name in ("one", "none", "empty")] == [1, 0, 0]
    assert [planned.column(name).coverage for name in ("one", "none", "empty")] == [1.0, 0.0, 0.0]
    assert all(planned.column(name).edges is None for name in ("one", "none", "empty"))


def test_labels_are_no_features_but_can_be_looked_up():
    planned = plan(TableSource(table()), "y")
    assert [c.name for c in planned.columns] == ["x"]
    assert planned.column("y").kind == "number"


def test_the_user_overrides_what_the_pilot_says():
    zips = [str(10000 + i) for i in range(600)]
    spec = {"zip": {"kind": "text", "cap": 77}, "x": {"edges": [0, 1]}}
    planned = plan(TableSource(table(zip=zips)), "y", spec=spec)
    assert (planned.column("zip").kind, planned.column("zip").cap) == ("text", 77)
    assert planned.column("x").edges.tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"ex": {"kind": "text"}}, "did you mean 'x'"),
        ({"x": {"type": "text"}}, "allowed are"),
        ({"x": {"kind": "category"}}, "'category' is unknown"),
        ({"x": {"edges": [1, 1]}}, "ascending"),
    ],
)
def test_a_wrong_override_is_refused(spec, message):
    with pytest.raises(ValueError, match=message):
        plan(TableSource(table()), "y", spec=spec)


# --- the pilot---


def test_the_pilot_is_spread_over_a_sorted_file():
    n = 400_000
    source = TableSource({"sorted": np.arange(n), "y": np.arange(n) * 2 // n}, cuts=(130_000, 300_000))
    planned = plan(source, "y")
    edges = planned.column("sorted").edges
    assert 200_000 <= planned.pilot_rows < n
    assert np.abs(edges - n * np.arange(1, 32) / 32).max() < n / 32
    assert planned.column("sorted").distinct == pytest.approx(n, rel=0.05)


def test_one_shard_is_not_read_from_its_head_only():
    chosen = choose_pieces([Shard(0, "", (0,), 10_000_000)], 1 << 18, seed=0)[0]
    assert len(chosen) >= 32
    assert max(chosen) - min(chosen) > 0.9 * 10_000_000 / 8192


def test_many_small_shards_all_contribute():
    shards = [Shard(i, "", (i,), 5000) for i in range(200)]
    chosen = choose_pieces(shards, 1 << 18, seed=3)
    assert sum(map(len, chosen.values())) * 5000 >= 200_000
    assert max(chosen) - min(chosen) > 190


def test_where_rows_can_be_skipped_many_shards_are_looked_into_as_deep_as_one():
    shards = [Shard(i, "", (i,), 1_000_000) for i in range(30)]
    deepest = {
        skips: max(map(max, choose_pieces(shards, 1 << 18, 0, skips).values())) for skips in (False, True)
    }
    assert deepest[False] * 8192 < 200_000  # else the pilot is a scan
    assert deepest[True] * 8192 > 900_000


def test_planning_a_parquet_file_decodes_no_whole_columns(tmp_path, monkeypatch):
    n = 1_600_000
    frame = pl.DataFrame({"sorted": np.arange(n), "y": np.arange(n) % 2})
    frame.write_parquet(tmp_path / "sorted.parquet", row_group_size=400_000)
    read = ParquetMember.read
    decoded = Counter()

    def counting(member, part, columns, rows):
        for batch in read(member, part, columns, rows):
            decoded.update(dict.fromkeys(columns, batch.num_rows))
            yield batch

    monkeypatch.setattr(ParquetMember, "read", counting)
    planned = plan(tmp_path / "sorted.parquet", "y")
    assert decoded == {"y": n}  # to count its classes
    assert planned.pilot_rows >= 200_000
    assert np.abs(planned.column("sorted").edges - n * np.arange(1, 32) / 32).max() < n / 32


@settings(deadline=None)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=60), st.integers(2, 40))
def test_edges_leave_no_bin_empty_and_isolate_heavy_values(values, bins):
    distinct, counts = np.unique(np.array(values, float), return_counts=True)
    edges = quantile_edges(distinct, counts, bins)
    if edges is None:
        assert len(distinct) == 1
        return
    assert (np.diff(edges) > 0).all()
    assert len(edges) + 1 <= 2 * bins
    at = np.searchsorted(edges, distinct, side="right")
    assert set(at) == set(range(len(edges) + 1))
    for value, count in zip(distinct, counts, strict=True):
        if count >= counts.sum() / bins:
            assert (at == np.searchsorted(edges, value, side="right")).sum() == 1


def test_a_column_of_few_numbers_is_not_binned():
    planned = plan(TableSource(table(few=np.arange(600) % 64, more=np.arange(600) % 65)), "y")
    assert planned.column("few").edges is None
    assert planned.column("more").edges is not None


def test_heavy_values_are_those_with_a_share_of_the_rows():
    values = ["hot"] * 300 + ["warm"] * 3 + [f"cold{i}" for i in range(3793)] + [None] * 904
    heavy = plan(TableSource({"c": values, "y": np.arange(5000) % 2}), "y").column("c").heavy
    assert set(heavy.tolist()) == {int(hash_value("hot", "text")), int(hash_value("warm", "text"))}
    assert MISSING not in heavy


def test_at_most_1024_values_are_heavy():
    keys = np.arange(3000, dtype=np.uint64)
    counts = np.arange(3000) + 100
    assert heavy_values(keys, counts, 3000).tolist() == list(range(3000 - 1024, 3000))


@pytest.mark.parametrize("distinct", [50, 5_000, 60_000])
def test_the_expected_number_of_distinct_values_is_near_the_truth(distinct):
    population = RNG.integers(0, distinct, 400_000)
    sample = population[:40_000]
    truth = len(np.unique(population))
    guess = expected_distinct(np.unique(sample, return_counts=True)[1], 10.0)
    assert guess == pytest.approx(truth, rel=0.25)


def test_wide_tables_are_surveyed_in_groups_with_the_same_outcome():
    wide = {f"c{i}": RNG.integers(0, 5000, 20_000).astype(str) for i in range(8)} | {
        "y": np.arange(20_000) % 2
    }
    small, large = (Pilot(TableSource(wide), list(wide), memory, 0) for memory in (1 << 21, 1 << 28))
    assert len(small._groups()) > len(large._groups()) == 1
    for (name, few), (other, all_) in zip(small.columns(), large.columns(), strict=True):
        assert name == other
        assert few.values.equals(all_.values)
        assert few.counts.tolist() == all_.counts.tolist()


# --- budget---


def test_columns_that_fit_get_what_they_need_and_the_others_share_the_rest():
    columns = [ColumnPlan("few", "number", distinct=100)]
    columns += [ColumnPlan(f"id{i}", "text", distinct=60_000) for i in range(3)]
    given = Budget(LIBRARIES + (8 << 20), 4)
    few, *others = (column.cap for column in given.caps(columns, [2], {}))
    assert few == 1024
    assert len(set(others)) == 1
    # a quarter is for states; a value takes 2.1 slots of 24 bytes
    assert others[0] == pytest.approx((given.work / 4 / 50.4 - 214) / 3, rel=0.01)


def test_no_cap_is_below_1024():
    columns = [ColumnPlan(f"id{i}", "text", distinct=3000) for i in range(60)]
    assert {column.cap for column in Budget(LIBRARIES, 60).caps(columns, [2], {})} == {1024}


def test_blocks_of_wide_tables_are_smaller():
    assert plan(TableSource(table()), "y").block_rows == 65536
    wide = {f"c{i}": ["some text"] * 200 for i in range(900)} | {"y": np.arange(200) % 2}
    assert 1024 <= plan(TableSource(wide), "y", memory="1GiB").block_rows < 4096


@pytest.mark.parametrize(
    ("text", "size"),
    [("1GiB", 2**30), ("512MB", 512 * 10**6), ("1.5 GiB", 3 * 2**29), ("2g", 2 * 10**9), (2**21, 2**21)],
)
def test_memory_is_read(text, size):
    assert parse_memory(text) == size


@pytest.mark.parametrize("text", ["much", "1 zebibyte", "", -5, "12", None])
def test_memory_that_makes_no_sense_is_refused(text):
    with pytest.raises(ValueError, match="'1GiB'"):
        parse_memory(text)


# --- labels---


def test_a_missing_label_is_counted_and_a_rare_third_class_kept():
    y = np.tile([0.0, 1.0], 5000)
    y[7:9] = np.nan
    y[9_001] = 2.0
    label = plan(TableSource({"x": np.arange(10_000), "y": y}, cuts=(5000,)), "y").labels[0]
    assert label.classes == ("0", "1", "2")
    assert label.counts.sum() == 9998
    assert (label.missing, label.counts[2]) == (2, 1)


def test_a_rare_class_outside_of_the_pilot_is_found():
    n = 700_000
    y = np.zeros(n, np.int64)
    y[::2] = 1
    chosen = choose_pieces([Shard(0, "", (0,), n)], 1 << 18, seed=0)[0]
    outside = next(p for p in range(n // 8192) if p not in chosen)
    y[outside * 8192 + 5] = 7
    label = plan(TableSource({"x": np.zeros(n), "y": y}), "y").labels[0]
    assert label.classes == ("0", "1", "7")
    assert label.counts[2] == 1


@pytest.mark.parametrize("text", [False, True])
def test_a_label_is_the_same_in_every_format(text):
    y = pa.array([0, 1, None, 1] * 30)
    label = plan(TableSource({"x": np.arange(120), "y": y}, text=text), "y").labels[0]
    assert label.classes == ("0", "1")
    assert label.identities.tolist() == [int(hash_value(0, "number")), int(hash_value(1, "number"))]
    assert (label.counts.tolist(), label.missing) == ([30, 60], 30)


@pytest.mark.parametrize("n", [1000, 30_000])
def test_a_numeric_label_with_many_values_is_binned(n):
    y = RNG.normal(size=n)
    y[:3] = np.nan
    label = plan(TableSource({"x": np.arange(n), "y": y}), "y", label_bins=4).labels[0]
    assert (label.kind, len(label.classes), label.missing) == ("bins", 4, 3)
    assert label.counts.tolist() == pytest.approx([n / 4] * 4, rel=0.02)
    at = np.searchsorted(label.edges, y[3:], side="right")
    assert np.bincount(at).tolist() == label.counts.tolist()


def test_twenty_numbers_are_classes_and_twenty_one_are_bins():
    y = np.arange(840)
    assert plan(TableSource({"x": y, "y": y % 20}), "y").labels[0].classes == tuple(map(str, range(20)))
    assert plan(TableSource({"x": y, "y": y % 21}), "y").labels[0].kind == "bins"


def test_several_labels_each_have_their_classes():
    planned = plan(TableSource(table(color=["red", "blue", None] * 200)), ["color", "y"])
    assert [(label.name, label.classes) for label in planned.labels] == [
        ("color", ("blue", "red")),
        ("y", ("0", "1")),
    ]
    assert "200 rows have no 'color'" in planned.notes[-1]


@pytest.mark.parametrize(
    ("data", "label", "message"),
    [
        ({"click": [0, 1], "x": [1, 2]}, "clik", "did you mean 'click'"),
        ({"y": [1, 1, None], "x": [1, 2, 3]}, "y", "constant: '1' in all 2 rows"),
        ({"y": [None, float("nan")], "x": [1, 2]}, "y", "no value in any of the 2 rows"),
        ({"y": [f"u{i}" for i in range(300)], "x": range(300)}, "y", "more than 256 classes"),
        ({"y": [["a"], ["b"]], "x": [1, 2]}, "y", "several values in a row"),
        ({"y": pa.array([], pa.int64()), "x": pa.array([], pa.int64())}, "y", "no rows"),
    ],
)
def test_a_label_that_cannot_be_explained_is_refused(data, label, message):
    with pytest.raises(ValueError, match=message):
        plan(TableSource({name: list(v) if isinstance(v, range) else v for name, v in data.items()}), label)


# --- multi-values, subsample, storage


def test_tokens_of_multi_value_columns_are_listed_by_frequency():
    data = {
        "tags": ["a,b", "b", "", "{}", "b, c"] * 4,
        "path": ["x-y", "x", "z-x", None, "y"] * 4,
        "y": [0, 1] * 10,
    }
    planned = plan(TableSource(data), "y", multivalue=["tags", "path"])
    assert planned.column("tags").vocabulary == ("b", "a", "c")
    assert (planned.column("path").separator, planned.column("path").vocabulary) == ("-", ("x", "y", "z"))
    assert planned.column("tags").kind == "list"


@pytest.mark.parametrize("shape", [(1, 100), (7, 100), (4096, 10_000)])
def test_the_subsample_is_one_row_of_k_however_the_blocks_lie(shape):
    k, n = shape
    planned = plan(TableSource(table()), "y", subsample=k)
    whole = kept_rows(planned, 3, 0, n)
    if k == 1:
        assert whole is None
        return
    assert np.array_equal(whole, np.concatenate([kept_rows(planned, 3, a, 50) for a in range(0, n, 50)]))
    assert all(whole[a : a + k].sum() == 1 for a in range(0, n - k, k))
    assert not np.array_equal(whole, kept_rows(planned, 4, 0, n))


def test_json_gives_back_the_same_plan_bit_by_bit():
    when = np.array(["2020-01-01"], "datetime64[ns]").repeat(600) + np.arange(600)
    rich = table(when=when, tags=["ä,b"] * 600, color=["red", "blue", None] * 200)
    planned = plan(
        TableSource(rich, cuts=(100,)), ["y", "color", "x"], multivalue={"tags": ","}, subsample=3, seed=5
    )
    again = Plan.from_json(planned.to_json())
    assert again == planned
    assert again.to_json() == planned.to_json()
    assert again.shards == planned.shards
    assert all(np.array_equal(a.heavy, b.heavy) for a, b in zip(again.columns, planned.columns, strict=True))
    assert plan(TableSource(rich, cuts=(100,)), "y").digest() != planned.digest()


@pytest.mark.parametrize(
    ("text", "message"), [("{}", "not the JSON of a plan"), ("[", "not the"), ('{"version": 99}', "99")]
)
def test_json_of_something_else_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        Plan.from_json(text)


def test_a_plan_prints_itself():
    text = str(plan(TableSource(table(zip=["a", "b", "c"] * 200)), "y"))
    assert "label y: classes 0 (300), 1 (300)" in text
    assert any(line.split()[:3] == ["zip", "text", "3"] for line in text.splitlines())


def test_the_plan_does_not_depend_on_how_often_it_is_made():
    source = TableSource(table())
    assert plan(source, "y").digest() == plan(source, "y").digest()
