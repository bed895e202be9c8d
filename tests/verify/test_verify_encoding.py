import datetime as dt

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone

from salience.verify.encoding import DenseColumns, SparseColumns, split_columns

MIXED = {
    "n": [1.0, 2.0, None, 4.0],
    "b": [True, False, None, True],
    "t": ["u", "v", None, "u"],
    "d": [dt.date(2024, 1, day) for day in (1, 2, 3, 4)],
}


@pytest.mark.parametrize("kind", [pl.DataFrame, pd.DataFrame])
def test_columns_are_told_apart_in_every_kind_of_frame(kind):
    numbers, texts = split_columns(kind(MIXED))
    assert sorted(texts) == ["t"]
    assert np.isnan(numbers["n"][2])
    assert np.isnan(numbers["b"][2])
    assert texts["t"].null_count() == 0


def test_polars_and_pandas_are_encoded_alike():
    for encoder in (SparseColumns(), DenseColumns()):
        y = np.array([0, 1, 0, 1])
        a, b = (
            np.asarray(_dense(clone(encoder).fit_transform(kind(MIXED), y)))
            for kind in (pl.DataFrame, pd.DataFrame)
        )
        np.testing.assert_allclose(a, b)


def _dense(matrix):
    return matrix.toarray() if hasattr(matrix, "toarray") else matrix


def test_an_identifier_is_hashed_and_stays_narrow():
    X = pl.DataFrame({"id": [f"user{i}" for i in range(1000)], "few": ["a", "b"] * 500})
    encoder = SparseColumns(one_hot=10, slots=64).fit(X)
    encoded = encoder.transform(X)
    assert encoder.values_ == {"id": None, "few": ["a", "b"]}
    assert encoded.shape == (1000, 64 + 2)  # 1000 values fill all 64 slots
    assert encoded.nnz == 2000
    assert (encoder.transform(X[::-1]).toarray() == encoded.toarray()[::-1]).all()


def test_a_hashed_value_that_was_not_seen_is_left_out():
    encoder = SparseColumns(one_hot=2).fit(pl.DataFrame({"id": [f"u{i}" for i in range(20)]}))
    assert encoder.transform(pl.DataFrame({"id": ["u3", "never"]})).sum(axis=1).tolist() == [1.0, 0.0]


def test_the_same_value_in_two_hashed_columns_has_two_slots():
    X = pl.DataFrame({name: [f"v{i}" for i in range(50)] for name in ("p", "q")})
    encoded = SparseColumns(one_hot=5).fit_transform(X)
    assert np.diff(encoded.indptr).max() == 2


def test_a_value_that_was_not_seen_is_all_zeros_where_values_are_known():
    encoder = SparseColumns().fit(pl.DataFrame({"t": ["a", "b"]}))
    assert encoder.transform(pl.DataFrame({"t": ["c"]})).toarray().tolist() == [[0.0, 0.0]]


def test_an_identifier_does_not_leak_the_target_into_its_own_rows():
    rng = np.random.default_rng(0)
    X = pl.DataFrame({"id": [f"u{i}" for i in range(400)]})
    y = rng.integers(0, 2, 400)
    codes = DenseColumns().fit_transform(X, y)[:, 0]
    assert abs(np.corrcoef(codes, y)[0, 1]) < 0.2


@pytest.mark.parametrize("classes", [2, 3, 15])
def test_texts_become_numbers_for_any_number_of_classes(classes):
    rng = np.random.default_rng(1)
    y = rng.integers(0, classes, 300)
    X = pl.DataFrame({"t": [f"v{v}" for v in y], "n": rng.normal(size=300)})
    encoder = DenseColumns()
    fitted = encoder.fit_transform(X, y)
    assert fitted.shape == encoder.transform(X).shape == (300, 1 + (classes if classes == 3 else 1))
    assert np.isfinite(encoder.transform(X.with_columns(t=pl.lit("never seen")))).all()


@pytest.mark.parametrize(
    "frame",
    [pl.DataFrame({"bad": [[1], [2]]}), pd.DataFrame({"bad": [1, "x"]}), pl.DataFrame({"bad": [{"a": 1}]})],
)
def test_a_column_that_is_no_column_is_named(frame):
    with pytest.raises(ValueError, match="'bad'"):
        split_columns(frame)


def test_slots_must_be_a_power_of_two():
    with pytest.raises(ValueError, match="power of two"):
        SparseColumns(slots=100).fit(pl.DataFrame({"a": [1]}))
