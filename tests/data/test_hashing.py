"""The identity of a value: equal for equal logical values, whatever they are stored as."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from salience.data.encoding import numbers
from salience.data.hashing import MISSING, as_text, combine, hash_value, identities


def rows(array, kind, missing=("", "{}")):
    hashes, codes = identities(array, kind, missing)
    return hashes if codes is None else hashes[codes]


def oracle(data: bytes, seed: int) -> int:
    return xxhash.xxh64(data, seed=seed).intdigest()


FIXED = [  # frozen: a change here breaks every state on disk
    ("", "text", 0xEF46DB3751D8E999),
    ("a", "text", 0xD24EC4F1A98C6E5B),
    ("salience", "text", 0xCC89B930E962E295),
    ("ünïcode, and longer than thirty-two bytes", "text", 0xBD5483A32283291B),
    (0, "number", 0x22C76AFD15F0110F),
    (-1, "number", 0x0AD7F61289875125),
    (2**53 + 1, "number", 0xEA8CAD7B73D3A1A8),
    (0.1, "number", 0x64FEFC5EEA8FC2AD),
]


@pytest.mark.parametrize(("value", "kind", "expected"), FIXED)
def test_identity_of_fixed_values_never_changes(value, kind, expected):
    assert int(hash_value(value, kind)) == expected


def test_missing_is_an_ordinary_point_of_the_hash_space():
    assert int(MISSING) == oracle(b"", 5)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=70), min_size=1, max_size=20))
def test_text_equals_xxhash_bit_for_bit(values):
    expected = [oracle(v.encode(), 0) for v in values]
    for kind in (pa.string(), pa.large_string(), pa.string_view()):
        assert rows(pa.array(values, kind), "text", ()).tolist() == expected


@pytest.mark.parametrize("length", range(70))
def test_every_length_of_text_equals_xxhash(length):
    text = "".join(chr(97 + (7 * i + length) % 26) for i in range(length))
    assert int(hash_value(text, "text")) == oracle(text.encode(), 0)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1))
def test_integers_equal_xxhash_of_their_int64_bytes(values):
    expected = [oracle(v.to_bytes(8, "little", signed=True), 1) for v in values]
    assert rows(pa.array(values, pa.int64()), "number").tolist() == expected
    assert rows(pa.array([str(v) for v in values]), "number").tolist() == expected


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(allow_nan=False), min_size=1))
def test_floats_hash_alike_as_floats_and_as_their_text(values):
    stored = rows(pa.array(values, pa.float64()), "number")
    assert stored.tolist() == rows(pa.array([repr(v) for v in values]), "number").tolist()
    for value, found in zip(values, stored.tolist(), strict=True):
        if value != np.floor(value) or not -(2**63) <= value < 2**64:
            assert found == oracle(np.float64(value).tobytes(), 2)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_numbers_parse_text_to_the_nearest_float(values):
    assert numbers(pa.array([repr(v) for v in values]), "number").tolist() == values


@settings(max_examples=60, deadline=None)
@given(st.decimals(-(10**12), 10**12, allow_nan=False, places=3))
def test_decimals_hash_like_their_text(value):
    array = pa.array([value], pa.decimal128(20, 3))
    assert rows(array, "number").tolist() == rows(pa.array([str(value)]), "number").tolist()


@pytest.mark.parametrize(
    "same",
    [
        [
            1,
            1.0,
            True,
            "1",
            " 1",
            "1.0",
            "+1",
            "1.000",
            "1e0",
            "10e-1",
            np.int8(1),
            np.float32(1),
            Decimal("1.00"),
        ],
        [0, 0.0, -0.0, False, "0", "-0", "0.0", "000", "0e5"],
        [2.5, "2.5", "25e-1", "2.50", Decimal("2.5")],
        [2**63, float(2**63), str(2**63), "9223372036854775808.0"],
        [-(2**63), float(-(2**63)), str(-(2**63))],
        [float("inf"), "inf", "Infinity", "+INF"],
        [1e300, "1e300", "1E+300"],
    ],
)
def test_equal_numbers_have_one_identity(same):
    assert len({int(hash_value(value, "number")) for value in same}) == 1


@pytest.mark.parametrize(
    "text", ["", "-", ".", "e5", "1e", "1x", "0x10", "1_000", "--1", "1.2.3", "nano", "in", "infinitx"]
)
def test_what_is_no_number_keeps_its_identity_as_text(text):
    assert int(hash_value(text, "number")) == oracle(text.encode(), 0)
    assert np.isnan(numbers(pa.array([text]), "number", ())).all()


def test_large_ids_do_not_collide():
    ids = [2**53, 2**53 + 1, 2**63 - 1, 2**63, 2**63 + 1, 2**64 - 1, 2**64, 2**64 + 1, -1, 10**30, 10**30 + 1]
    assert len(set(rows(pa.array([str(i) for i in ids]), "number").tolist())) == len(ids)
    assert numbers(pa.array([str(10**30)]), "number").tolist() == [1e30]
    unsigned = pa.array([2**63, 2**64 - 1, 5], pa.uint64())
    assert rows(unsigned, "number").tolist() == rows(unsigned.cast(pa.string()), "number").tolist()


def test_a_number_column_may_turn_to_text():
    values = [str(i) for i in range(200_000)] + ["unknown"]
    found = rows(pa.array(values), "number")
    assert found[:-1].tolist() == rows(pa.array(range(200_000)), "number").tolist()
    assert found[-1] == hash_value("unknown", "text")


@pytest.mark.parametrize("array", [
    pa.array([1, 2, None]),
    pa.array([1.0, 2.0, np.nan]),
    pa.array(["1", "2", None]), pa.array([Decimal(1), Decimal(2), None]),

    pa.array([1, 2, None], pa.uint64()), pa.array([1, 2, None], pa.float32()),
    pa.array(["1", "2", None]).dictionary_encode(),
])  # fmt: skip
def test_a_column_planned_as_text_hashes_alike_however_stored(array):
    expected = [hash_value("1", "text"), hash_value("2", "text"), MISSING]
    assert rows(array, "text").tolist() == expected


@pytest.mark.parametrize("kind", ["text", "number", "time"])
def test_nulls_and_missing_symbols_are_missing(kind):
    assert (rows(pa.array([None, "", "{}", "NA"]), kind, ("", "{}", "NA")) == MISSING).all()
    assert (rows(pa.nulls(3), kind) == MISSING).all()


def test_a_missing_symbol_that_is_a_number_is_missing_however_written():
    for array in (
        pa.array(["-999", "-999.0", "1"]),
        pa.array([-999, -999, 1]),
        pa.array([-999.0, -999.0, 1.0]),
    ):
        assert (rows(array, "number", ("-999",)) == MISSING).tolist() == [True, True, False]
        assert np.isnan(numbers(array, "number", ("-999",))).tolist() == [True, True, False]


def test_nan_is_missing():
    assert (rows(pa.array([np.nan]), "number") == MISSING).all()
    assert (rows(pa.array(["nan", "NaN", "-nan"]), "number") == MISSING).all()


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("2024-02-29", dt.datetime(2024, 2, 29)),
        ("2024-02-29 13:45", dt.datetime(2024, 2, 29, 13, 45)),
        ("1969-12-31T23:59:59.5Z", dt.datetime(1969, 12, 31, 23, 59, 59, 500_000)),
        ("2024-01-01T02:30:00+02:30", dt.datetime(2024, 1, 1)),
        ("2023-12-31T22:00:00-0200", dt.datetime(2024, 1, 1)),
    ],
)
def test_times_written_as_text_hash_like_stored_times(text, when):
    stored = pa.array([when], pa.timestamp("us"))
    assert rows(pa.array([text]), "time").tolist() == rows(stored, "time").tolist()
    assert numbers(pa.array([text]), "time") == numbers(stored, "time")
    assert numbers(stored, "time")[0] == when.replace(tzinfo=dt.UTC).timestamp()


@pytest.mark.parametrize(
    "text", ["2024-13-01", "2024-1-01", "yesterday", "2024-01-01T", "2024-01-01 1", "20240101xx"]
)
def test_what_is_no_time_keeps_its_identity_as_text(text):
    assert hash_value(text, "time") == hash_value(text, "text")


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_the_unit_of_a_time_does_not_matter(unit):
    array = pa.array([dt.datetime(2024, 5, 6, 7, 8, 9)], pa.timestamp(unit))
    assert rows(array, "time") == hash_value("2024-05-06T07:08:09", "time")
    assert rows(pa.array([dt.date(2024, 5, 6)]), "time") == hash_value("2024-05-06", "time")


def test_a_dictionary_is_hashed_once_and_its_codes_kept():
    array = pa.array(["b", "a", None, "b", ""]).dictionary_encode()
    hashes, codes = identities(array, "text")
    assert len(hashes) == 4
    assert codes.dtype == np.int32
    assert hashes[codes].tolist() == [hash_value(v, "text") for v in ("b", "a", None, "b", None)]


def test_chunks_and_slices_give_the_rows_of_the_whole():
    whole = pa.array([None if i % 7 == 0 else f"v{i % 50}" for i in range(1000)])
    expected = rows(whole, "text").tolist()
    for array in (whole, whole.dictionary_encode(), whole.cast(pa.large_string())):
        chunked = pa.chunked_array([array.slice(0, 333), array.slice(333, 1), array.slice(334)])
        assert rows(chunked, "text").tolist() == expected
        assert rows(array.slice(100, 77), "text").tolist() == expected[100:177]
    counts = pa.array([None if i % 3 == 0 else i for i in range(100)])
    assert rows(counts.slice(13, 20), "number").tolist() == rows(counts, "number").tolist()[13:33]
    assert np.array_equal(
        numbers(counts.slice(13, 20), "number"), numbers(counts, "number")[13:33], equal_nan=True
    )


def test_an_empty_column_is_no_trouble():
    for kind in (
        pa.string(),
        pa.int64(),
        pa.float64(),
        pa.list_(pa.string()),
        pa.dictionary(pa.int32(), pa.string()),
    ):
        assert len(rows(pa.array([], kind), "text")) == 0
        assert len(rows(pa.chunked_array([], kind), "text")) == 0


def test_lists_are_ordered_and_empty_lists_missing():
    found = rows(pa.array([["a", "b"], ["b", "a"], ["a", "b"], [], None]), "list")
    assert found[0] == found[2] != found[1]
    assert (found[3:] == MISSING).all()
    assert rows(pa.array([[1, 2]], pa.list_(pa.int8(), 2)), "list") == rows(pa.array([[1.0, 2.0]]), "list")
    sliced = pa.array([["x"], ["a", "b"], ["b", "a"]]).slice(1)
    assert rows(sliced, "list").tolist() == found[:2].tolist()


def test_structs_have_an_identity():
    found = rows(pa.array([{"a": 1, "b": "x"}, {"a": 2, "b": "x"}, {"a": 1, "b": "x"}]), "text")
    assert found[0] == found[2] != found[1]


def test_combine_is_the_ordered_hash_of_both():
    a, b = hash_value("a", "text"), hash_value("bc", "text")
    expected = oracle(int(a).to_bytes(8, "little") + int(b).to_bytes(8, "little"), 4)
    assert int(combine(a, b)) == expected
    assert combine(a, b) != combine(b, a)
    assert combine(MISSING, a) != MISSING
    assert combine(MISSING, MISSING) == MISSING
    many = combine(np.array([a, b]), np.array([b, a]))
    assert many.tolist() == [combine(a, b), combine(b, a)]


def test_booleans_are_the_integers_zero_and_one():
    assert (
        rows(pa.array([True, False, None]), "number").tolist()
        == rows(pa.array([1, 0, None]), "number").tolist()
    )
    assert as_text(pa.array([True])).to_pylist() == ["true"]


def test_numbers_of_a_dictionary_follow_its_codes():
    array = pa.array(["1", None, "x", "2.5"]).dictionary_encode()
    assert np.array_equal(numbers(array, "number"), [1, np.nan, np.nan, 2.5], equal_nan=True)


def test_an_unknown_kind_is_named_with_those_allowed():
    with pytest.raises(ValueError, match=r"kind='category'.*'text', 'number'"):
        identities(pa.array([1]), "category")
    with pytest.raises(TypeError, match="not one number per row"):
        numbers(pa.array([[1]]), "number")
