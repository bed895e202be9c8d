"""A block encodes its columns on demand, once, and by the decisions of the plan."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from table_source import TableSource

from salience.data import blocks, hashing
from salience.data.blocks import Block, Column, kept_rows
from salience.data.encoding import encode
from salience.data.hashing import MISSING, combine, hash_value
from salience.data.plan import plan

identities = st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 3), max_size=200)


def block_of(data, label=None, text=False, derivations=None, **options):
    source = TableSource(data, text=text)
    planned = plan(source, label, **options)
    (batch,) = source.batches(source.shards()[0], source.columns, source.rows)
    kept = kept_rows(planned, 0, 0, source.rows)
    return Block(batch, planned, (0, 0), derivations, kept)


class Pair:
    names = ("a AND b",)

    def __init__(self):
        self.calls = 0

    def derive(self, block, name):
        self.calls += 1
        return Column(combine(block.column("a").row_hashes(), block.column("b").row_hashes()))


class Doubled:
    names = ("2a",)

    def derive(self, block, name):
        numeric = 2 * block.column("a").numeric
        return Column(np.zeros(len(numeric), np.uint64), None, numeric)

    def edges(self, name):
        return np.array([3.0])


# --- columns ---


@settings(deadline=None)
@given(identities)
def test_coded_numbers_identities_in_the_order_of_first_appearance(values):
    column = Column(np.array(values, np.uint64)).coded()
    assert column.hashes.tolist() == list(dict.fromkeys(values))
    assert column.row_hashes().tolist() == values
    assert column.codes.dtype == np.int32


@settings(deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=9), st.data())
def test_coded_joins_codes_of_one_identity_and_drops_unused_ones(hashes, data):
    codes = data.draw(st.lists(st.integers(0, len(hashes) - 1), max_size=50))
    column = Column(np.array(hashes, np.uint64), np.array(codes, np.int32))
    dense = column.coded()
    assert dense.row_hashes().tolist() == column.row_hashes().tolist()
    assert dense.hashes.tolist() == list(dict.fromkeys(column.row_hashes().tolist()))


def test_many_distinct_identities_are_coded():
    hashes = np.random.default_rng(0).permutation(70_000).astype(np.uint64) << np.uint64(44)
    assert Column(hashes).coded().codes.tolist() == list(range(70_000))


def test_numbers_that_turn_to_text_keep_their_identity_as_text():
    values = [str(i % 7) for i in range(995)] + ["n/a", "?", "n/a", "", "8.0"]
    column = block_of({"c": values}).column("c")
    rows = column.row_hashes()
    assert rows[0] == hash_value(0, "number")
    assert rows[995] == rows[997] == hash_value("n/a", "text")
    assert rows[998] == MISSING
    assert rows[999] == hash_value(8, "number")
    assert np.isnan(column.numeric[995:999]).all()
    assert column.numeric[999] == 8.0


@pytest.mark.parametrize("text", [False, True])
def test_a_column_is_the_same_in_every_format(text):
    block = block_of({"c": [3, None, 4], "d": [0.5, 2.0, None], "e": ["x", "{}", None]}, text=text)
    expected = {"c": [3, None, 4], "d": [0.5, 2, None], "e": ["x", None, None]}
    for name, values in expected.items():
        kind = block.plan.column(name).kind
        assert block.column(name).row_hashes().tolist() == [int(hash_value(v, kind)) for v in values]


def test_dictionary_columns_keep_their_codes():
    values = pa.array(["b", None, "a", "b"]).dictionary_encode()
    column = block_of({"c": values}).column("c")
    assert column.codes is not None
    assert column.row_hashes().tolist() == [int(hash_value(v, "text")) for v in ["b", None, "a", "b"]]


def test_times_are_seconds():
    when = np.array(["1970-01-02", "NaT"], "datetime64[ns]")
    assert block_of({"c": when}).column("c").numeric.tolist()[0] == 86400.0


def test_a_column_is_encoded_once_whichever_thread_asks(monkeypatch):
    block, calls = block_of({"c": ["a", "b"] * 5000}), []
    encode = blocks.encode

    def counted(*arguments):
        calls.append(1)
        return encode(*arguments)

    monkeypatch.setattr(blocks, "encode", counted)
    start = threading.Barrier(4)

    def ask(_):
        start.wait()
        return block.column("c")

    with ThreadPoolExecutor(4) as pool:
        columns = list(pool.map(ask, range(4)))
    assert len(calls) == 1
    assert all(column is columns[0] for column in columns)


# --- bins ---


def test_binned_codes_are_ordered_and_missing_comes_last():
    values = [*range(100), None]
    column = block_of({"c": values}, bins=4).binned("c")
    assert np.bincount(column.codes).tolist() == [25, 25, 25, 25, 1]
    assert (np.diff(column.codes[:100]) >= 0).all()
    assert column.hashes.tolist() == [*(int(hash_value(i, "number")) for i in range(4)), int(MISSING)]


def test_infinite_numbers_go_to_the_outer_bins():
    codes = block_of({"c": [*map(float, range(100)), float("inf"), float("-inf")]}, bins=4).binned("c").codes
    assert codes[-2:].tolist() == [3, 0]


def test_a_column_without_bins_says_how_to_get_them():
    with pytest.raises(ValueError, match=r"'c' has no bins.*edges"):
        block_of({"c": ["a", "b"]}).binned("c")


# --- derivations ---


def test_a_derived_column_is_one_more_column():
    pair = Pair()
    block = block_of({"a": ["x", "x"], "b": ["u", "v"]}, derivations={"a AND b": pair})
    hashes = block.column("a AND b").row_hashes()
    assert hashes[0] == combine(hash_value("x", "text"), hash_value("u", "text"))
    assert hashes[0] != hashes[1]


def test_a_derived_column_is_kept_only_while_one_thread_works_on_it():
    pair = Pair()
    block = block_of({"a": ["x"], "b": ["u"]}, derivations={"a AND b": pair, "2a": Doubled(), "again": pair})
    block.column("a AND b")
    block.column("a AND b")
    assert pair.calls == 1
    block.column("again")
    block.column("a AND b")
    assert pair.calls == 3


def test_a_derivation_with_edges_can_be_binned():
    block = block_of({"a": [1, 2, None]}, derivations={"2a": Doubled()})
    assert block.binned("2a").codes.tolist() == [0, 1, 2]


def test_an_unknown_column_is_refused():
    with pytest.raises(ValueError, match="does not read a column 'nope'"):
        block_of({"a": [1]}).column("nope")


# --- labels ---


def test_labels_are_global_classes():
    block = block_of(
        {"y": [1.0, float("nan"), 0.0, 2.0], "color": ["red", "blue", "", "red"]}, ["y", "color"]
    )
    assert block.labels["y"].tolist() == [1, -1, 0, 2]
    assert block.labels["color"].tolist() == [1, 0, -1, 1]
    assert block.labels["y"].dtype == np.int32


def test_a_numeric_label_is_looked_up_in_its_bins():
    y = np.append(np.arange(100.0), np.nan)
    labels = block_of({"y": y}, "y", label_bins=4).labels["y"]
    assert np.bincount(labels[:100]).tolist() == [25] * 4
    assert labels[100] == -1


def test_a_label_value_that_the_plan_has_not_seen_is_named():
    block = block_of({"y": ["a", "b"]}, "y")
    later = Block(pa.record_batch({"y": ["a", "surprise"]}), block.plan, (0, 100))
    with pytest.raises(ValueError, match=r"'y' has the value 'surprise' in row 101 of shard 0.*\['a', 'b'\]"):
        _ = later.labels


# --- tokens and subsample ---


def test_tokens_index_the_vocabulary_of_the_plan():
    block = block_of({"t": ["a,b", None, "b", "{}", "c, b,a"]}, multivalue=["t"])
    tokens = block.tokens("t")
    named = [tokens.vocabulary[code] for code in tokens.codes]
    rows = [named[a:b] for a, b in zip(tokens.offsets, tokens.offsets[1:], strict=False)]
    assert rows == [["a", "b"], [], ["b"], [], ["c", "b", "a"]]


def test_tokens_of_list_columns():
    tokens = block_of({"t": [["a", "b"], [], None, ["b"]]}, multivalue=["t"]).tokens("t")
    assert tokens.vocabulary == ("b", "a")
    assert (tokens.codes.tolist(), tokens.offsets.tolist()) == ([1, 0, 0], [0, 2, 2, 2, 3])


def test_a_block_of_a_subsample_knows_where_its_rows_are_from():
    block = block_of({"c": list(range(1000))}, subsample=10)
    assert block.rows == 100
    assert block.column("c").numeric.tolist() == block.positions.tolist()


@pytest.mark.parametrize("kind", [pa.int8(), pa.int32(), pa.int64(), pa.uint16(), pa.uint64()])
def test_close_integers_are_coded_and_keep_their_identities(kind: pa.DataType) -> None:
    values = [5, None, 7, 5, 9, 100, 7, None] * 100
    array = pa.array(values, kind)
    hashes, codes, numbers = encode(array, "number", ("", "9"))
    plain, _ = hashing.identities(
        pa.array([None if v is None else str(v) for v in values]), "number", ("", "9")
    )
    assert codes is not None
    assert (hashes[codes] == plain).all()
    assert np.isnan(numbers()[[1, 4]]).all()


def test_integers_far_apart_are_hashed_one_by_one() -> None:
    ends = pa.array([-(2**63), 2**63 - 1] * 50)
    assert encode(ends, "number")[1] is None
    assert encode(pa.array([2**63, 2**63 + 1] * 50, pa.uint64()), "number")[1] is None
    assert encode(pa.array([3] * 10, pa.int64()), "number")[1].tolist() == [0] * 10
