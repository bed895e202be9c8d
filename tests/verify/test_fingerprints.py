import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salience.verify.fingerprints import column_sum, fingerprint, from_sums, refuse_same_data

table = st.lists(
    st.tuples(
        st.one_of(st.none(), st.integers(-5, 5)), st.sampled_from(["a", "b", None, "ä"]), st.booleans()
    ),
    min_size=1,
    max_size=12,
)


def frame_of(rows):
    return pl.DataFrame(rows, schema={"n": pl.Int64, "t": pl.String, "b": pl.Boolean}, orient="row")


@settings(deadline=None, max_examples=50)
@given(table, st.randoms(use_true_random=False))
def test_the_order_of_rows_and_columns_does_not_matter(rows, random):
    shuffled = random.sample(rows, len(rows))
    assert fingerprint(frame_of(rows)) == fingerprint(frame_of(shuffled).select("b", "n", "t"))


@settings(deadline=None, max_examples=50)
@given(table)
def test_the_kind_of_frame_and_the_type_of_numbers_do_not_matter(rows):
    frame = frame_of(rows)
    floats = frame.with_columns(pl.col("n").cast(pl.Float64), pl.col("t").cast(pl.Categorical))
    assert fingerprint(frame) == fingerprint(floats) == fingerprint(frame.to_arrow())
    assert fingerprint(frame) == fingerprint(frame.to_pandas(use_pyarrow_extension_array=True))
    assert fingerprint(frame) == fingerprint(frame.with_columns(pl.col("n").cast(pl.String)))


def test_a_file_and_the_frame_in_memory_are_the_same(tmp_path):
    frame = pl.DataFrame({"a": [1.5, 2.0, None], "b": ["x", "y", None]})
    frame.write_parquet(tmp_path / "t.parquet")
    assert fingerprint(pl.read_parquet(tmp_path / "t.parquet")) == fingerprint(frame)
    assert fingerprint(pd.read_parquet(tmp_path / "t.parquet")) == fingerprint(frame)


@pytest.mark.parametrize(
    "other",
    [
        pl.DataFrame({"a": [1, 2, 4], "b": ["x", "y", "y"]}),
        pl.DataFrame({"a": [1, 2], "b": ["x", "y"]}),
        pl.DataFrame({"b": [1, 2, 3], "a": ["x", "y", "y"]}),
        pl.DataFrame({"a": [1, 2, 3], "b": ["x", "x", "y"]}),
        pl.DataFrame({"a": [1, 2, 3], "c": ["x", "y", "y"]}),
    ],
)
def test_other_data_have_another_fingerprint(other):
    assert fingerprint(pl.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "y"]})) != fingerprint(other)


def test_the_target_is_no_part_of_it_whatever_it_is_called():
    X = pl.DataFrame({"a": [1, 2, 3]})
    y = np.array(["u", "v", "v"])
    assert fingerprint(X, y) == fingerprint(X.with_columns(click=pl.Series(y)), "click")
    assert fingerprint(X, y) != fingerprint(X.with_columns(click=pl.Series(y)))
    assert fingerprint(X, y) == fingerprint(X, y[[0, 0, 0]])
    assert fingerprint(X, y).startswith("3x1-")


def test_an_array_is_the_frame_with_its_columns_numbered():
    X = np.arange(6.0).reshape(3, 2)
    assert fingerprint(X) == fingerprint(pl.DataFrame({"x0": X[:, 0], "x1": X[:, 1]}))


def test_sums_of_parts_make_the_fingerprint_of_the_whole():
    X = pl.DataFrame({"a": list(range(10)), "b": list("abcdefghij")})
    y = pl.Series([0, 1] * 5)
    parts = [slice(0, 3), slice(3, 10)]
    columns = {n: X[n] for n in X.columns}
    sums = {n: sum(column_sum(c[p].to_arrow()) for p in parts) % 2**64 for n, c in columns.items()}
    assert from_sums(sums, 10) == fingerprint(X, y)


def test_a_shared_fingerprint_is_refused_and_the_way_out_named():
    refuse_same_data(("a",), {"b"})
    with pytest.raises(ValueError, match=r"fingerprint b.*verify\(method, data\)"):
        refuse_same_data(("a", "b"), {"b"})
