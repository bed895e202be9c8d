"""What a count table promises: a function of the multiset of rows, exact for what it keeps, bounded."""

from __future__ import annotations

import pickle
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salience.data.hashing import MISSING
from salience.measures.contingency import Contingency
from salience.measures.counting import CountState, CountTable


def hashed(values):
    return SimpleNamespace(hashes=np.asarray(values, dtype=np.uint64), codes=None)


def coded(values, padding=0):
    keys, codes = np.unique(np.asarray(values, dtype=np.uint64), return_inverse=True)
    unused = np.arange(1, padding + 1, dtype=np.uint64)
    return SimpleNamespace(hashes=np.concatenate([keys, unused]), codes=codes.astype(np.int32))


def spread(values):
    """Scatter small integers over the 64 bits (0 stays 0)."""
    return np.asarray(values, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)


def same(a: Contingency, b: Contingency) -> bool:
    return (
        a.keys.tobytes() == b.keys.tobytes()
        and a.counts.tobytes() == b.counts.tobytes()
        and a.weight.tobytes() == b.weight.tobytes()
        and a.label_counts.tobytes() == b.label_counts.tobytes()
        and (a.theta, a.checksum) == (b.theta, b.checksum)
    )


def counted(values, labels, n_classes=2, cap=1 << 20, heavy=(), encode=hashed):
    table = CountTable(n_classes, cap, heavy)
    table.add(encode(values), np.asarray(labels, dtype=np.int32))
    return table


ROWS = st.lists(st.tuples(st.integers(0, 40), st.integers(-1, 2)), max_size=120)


@settings(max_examples=150, deadline=None)
@given(
    rows=ROWS,
    seed=st.integers(0, 10_000),
    cap=st.integers(2, 12),
    heavy=st.sets(st.integers(0, 40), max_size=5),
)
def test_the_contingency_depends_on_the_multiset_of_rows_alone(rows, seed, cap, heavy):
    rng = np.random.default_rng(seed)
    values, labels = spread([v for v, _ in rows]), np.array([y for _, y in rows], dtype=np.int32)
    listed = spread(sorted(heavy))
    whole = counted(values, labels, 3, cap, listed).contingency()

    order = rng.permutation(len(rows))
    cuts = np.sort(rng.integers(0, len(rows) + 1, size=rng.integers(0, 5)))
    tables = []
    for piece in np.split(order, cuts):
        encode = [hashed, coded, lambda v: coded(v, padding=3), lambda v: coded(v, padding=500)][
            rng.integers(4)
        ]
        tables.append(counted(values[piece], labels[piece], 3, cap, listed, encode))
        if rng.random() < 0.3:
            tables[-1].add(hashed(values[:0]), labels[:0])
    while len(tables) > 1:
        mine = tables.pop(rng.integers(len(tables)))
        theirs = tables[rng.integers(len(tables))]
        if rng.random() < 0.5:
            fresh = theirs.empty()
            fresh.load_arrow(theirs.to_arrow())
            fresh.merge(mine)
            tables = [fresh if t is theirs else t for t in tables]
        else:
            theirs.merge(mine)
    assert same(whole, tables[0].contingency())


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, cap=st.integers(2, 12))
def test_the_threshold_is_the_largest_power_of_two_under_which_the_values_fit(rows, cap):
    values, labels = spread([v for v, _ in rows]), np.array([y for _, y in rows], dtype=np.int32)
    table = counted(values, labels, 3, cap)
    seen = np.unique(values[labels >= 0])
    fits = [k for k in range(64) if np.sum(seen <= np.uint64((2**64 - 1) >> k)) <= cap]
    assert table.halvings == fits[0]
    assert np.array_equal(table.contingency().keys, seen[seen <= np.uint64((2**64 - 1) >> fits[0])])


@pytest.mark.parametrize("encode", [hashed, coded])
def test_counts_are_exact_when_the_values_fit(encode):
    rng = np.random.default_rng(0)
    values, labels = spread(rng.integers(0, 3000, 50_000)), rng.integers(0, 3, 50_000)
    got = counted(values, labels, 3, encode=encode).contingency()
    expected = Contingency.from_codes(values, labels, 3)
    assert np.array_equal(got.keys, expected.keys)
    assert np.array_equal(got.counts, expected.counts)
    assert got.checksum == int(values.sum(dtype=np.uint64))


def test_the_values_that_are_kept_are_counted_over_all_rows():
    rng = np.random.default_rng(1)
    values, labels = spread(rng.integers(1, 20_000, 60_000)), rng.integers(0, 2, 60_000).astype(np.int32)
    table = CountTable(2, cap=500)
    for start in range(0, 60_000, 7_000):
        table.add(hashed(values[start : start + 7_000]), labels[start : start + 7_000])
    got, full = table.contingency(), Contingency.from_codes(values, labels, 2)
    assert len(got.keys) <= 500
    assert np.array_equal(got.counts, full.counts[np.isin(full.keys, got.keys)])
    assert np.array_equal(got.label_counts, full.label_counts)
    assert abs(got.distinct / full.distinct - 1) < 4 * got.distinct_error


def test_heavy_values_and_the_missing_value_stay_and_weigh_one():
    rng = np.random.default_rng(2)
    common = np.array([2**64 - 5], dtype=np.uint64)
    values = np.concatenate(
        [np.repeat(common, 50), spread(rng.integers(1, 9_000, 9_000)), np.repeat(MISSING, 950)]
    )
    table = counted(values, np.zeros(10_000), 1, cap=64, heavy=common).contingency()
    kept = dict(
        zip(
            table.keys.tolist(),
            zip(table.counts[:, 0].tolist(), table.weight.tolist(), strict=True),
            strict=True,
        )
    )
    assert table.theta < 0.1
    assert kept[int(common[0])] == (50, 1.0)
    assert kept[int(MISSING)] == (950, 1.0)
    assert table.coverage == pytest.approx(1 - 950 / 10_000)


def test_the_identity_zero_is_a_value_like_others():
    table = counted([0, 0, 7], [0, 1, 1]).contingency()
    assert table.keys.tolist() == [0, 7]
    assert table.counts.tolist() == [[1, 1], [0, 1]]


def test_unused_codes_and_unlabelled_rows_are_no_values():
    column = SimpleNamespace(
        hashes=np.array([3, 4, 5], dtype=np.uint64), codes=np.array([0, 2, 2], dtype=np.int32)
    )
    table = CountTable(2, 16)
    table.add(column, np.array([1, -1, -1], dtype=np.int32))
    assert table.contingency().keys.tolist() == [3]
    assert table.contingency().rows == 1


def test_calibrated_weights_reproduce_the_class_totals():
    rng = np.random.default_rng(3)
    values, labels = spread(rng.integers(1, 20_000, 30_000)), (rng.random(30_000) < 0.1).astype(np.int32)
    table = counted(values, labels, 2, cap=1024).contingency()
    assert not table.complete
    assert np.allclose(table.calibrated() @ table.counts, table.label_counts)
    assert table.sampling_variance(table.counts[:, 0] * 2.0) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(
    ("column", "labels", "message"),
    [
        (hashed([1, 2]), [0], "same block"),
        (hashed([1, 2]), [0, 2], r"classes 0\.\.1"),
        (hashed([1, 2]), [0, -2], r"classes 0\.\.1"),
        (SimpleNamespace(hashes=np.ones(1, np.uint64), codes=np.array([0, 1], np.int32)), [0, 0], "1 hashes"),
        (
            SimpleNamespace(hashes=np.ones(1, np.uint64), codes=np.array([0, -1], np.int32)),
            [0, 0],
            "codes run",
        ),
    ],
)
def test_rows_that_do_not_fit_are_refused(column, labels, message):
    with pytest.raises(ValueError, match=message):
        CountTable(2, 16).add(column, np.array(labels, dtype=np.int32))


@pytest.mark.parametrize(("classes", "cap"), [(0, 16), (2, 1)])
def test_impossible_configurations_are_refused(classes, cap):
    with pytest.raises(ValueError, match="at least"):
        CountTable(classes, cap)


def test_tables_of_different_plans_do_not_merge():
    with pytest.raises(ValueError, match="different plans"):
        CountTable(2, 16).merge(CountTable(2, 32))
    with pytest.raises(ValueError, match="different plans"):
        CountTable(2, 16, heavy=[1]).merge(CountTable(2, 16, heavy=[2]))


class _Block:
    def __init__(self, columns, labels):
        self.columns, self.labels = columns, {"y": np.asarray(labels, dtype=np.int32)}

    def column(self, name):
        return self.columns[name]

    def binned(self, name):
        return coded(self.columns[name].hashes % np.uint64(3))


def _state(plan, items=(("a", "values"), ("a", "bins"), ("b", "values"), ("a AND b", "values"))):
    return CountState(items, "y", plan)


@pytest.fixture
def plan():
    return SimpleNamespace(
        labels=(SimpleNamespace(name="y", kind="classes", classes=("no", "yes"), edges=None),),
        columns=(
            SimpleNamespace(name="a", distinct=0, cap=2048, heavy=None),
            SimpleNamespace(name="b", distinct=0, cap=1024, heavy=spread([1])),
        ),
    )


def _blocks(n=4, rows=900):
    rng = np.random.default_rng(0)
    for _ in range(n):
        columns = {name: hashed(spread(rng.integers(0, 2000, rows))) for name in ("a", "b", "a AND b")}
        yield _Block(columns, rng.integers(-1, 2, rows))


def test_a_state_gives_one_part_per_column_and_the_same_result_in_any_arrangement(plan):
    blocks = list(_blocks())
    whole, left, right = _state(plan), _state(plan), _state(plan).empty()
    for number, block in enumerate(blocks):
        parts = list(whole.parts(block))
        assert [part.column for part in parts] == ["a", "b", "a AND b"]
        for part in reversed(parts):
            part()
        for part in (left, right)[number % 2].parts(block):
            part()
    left.merge(pickle.loads(pickle.dumps(right)))
    stored = _state(plan)
    stored.load_arrow(left.to_arrow())
    stored.load_arrow(left.to_arrow())  # replaces, does not add
    assert list(whole.finalize()) == list(whole.items)
    for item, table in whole.finalize().items():
        assert same(table, left.finalize()[item])
        assert same(table, stored.finalize()[item])


def test_a_state_without_rows_round_trips(plan):
    stored = _state(plan)
    stored.load_arrow(_state(plan).to_arrow())
    assert all(len(table.keys) == 0 for table in stored.finalize().values())


def test_a_state_names_what_does_not_fit(plan):
    with pytest.raises(ValueError, match="no label 'z'; it has 'y'"):
        CountState([("a", "values")], "z", plan)
    with pytest.raises(ValueError, match="'values', 'bins'"):
        CountState([("a", "value")], "y", plan)
    with pytest.raises(ValueError, match="different items"):
        _state(plan).merge(_state(plan, items=[("a", "values")]))
    with pytest.raises(ValueError, match="was not written by"):
        _state(plan).load_arrow(_state(plan).to_arrow().replace_schema_metadata({}))


def test_counts_widen_before_one_could_overflow(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(0, 50, 4000)
    labels = rng.integers(0, 3, 4000).astype(np.int32)
    narrow, wide = CountTable(3, 64), CountTable(3, 64)
    narrow.add(hashed(values), labels)
    monkeypatch.setattr("salience.measures.counttable._MOST_NARROW", 1500)
    for part in np.array_split(np.arange(4000), 5):
        wide.add(hashed(values[part]), labels[part])
    assert wide.nbytes > narrow.nbytes
    np.testing.assert_array_equal(wide.contingency().counts, narrow.contingency().counts)
    narrow.merge(wide)  # both hold 4,000 rows: the sum is past the limit as well
    np.testing.assert_array_equal(narrow.contingency().counts, 2 * wide.contingency().counts)


def test_a_count_goes_past_32_bits() -> None:
    table = CountTable(2, 64)
    header = {"halvings": 0, "label_counts": [2**31 + 5, 0], "checksum": 0}
    table.load(header, np.array([7], dtype=np.uint64), np.array([[2**31 + 5, 0]], dtype=np.int64))
    table.add(hashed(np.array([1])), np.array([0], dtype=np.int32))
    assert table.contingency().counts.max() == 2**31 + 5


def test_a_table_without_counts_is_small_to_pickle_and_one_with_counts_keeps_them():
    table = CountTable(2, cap=1 << 20, heavy=[7], expected=1_000_000)
    assert len(pickle.dumps(table)) < 1000
    fresh = pickle.loads(pickle.dumps(table))
    rows = SimpleNamespace(hashes=np.arange(100, dtype=np.uint64), codes=None)
    for one in (table, fresh):
        one.add(rows, np.arange(100, dtype=np.int32) % 2)
    again = pickle.loads(pickle.dumps(fresh))
    for one in (fresh, again):
        assert one.to_arrow().equals(table.to_arrow(), check_metadata=True)
        assert (one.cap, one.expected, one.heavy.tolist()) == (
            table.cap,
            table.expected,
            table.heavy.tolist(),
        )
