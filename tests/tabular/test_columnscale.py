"""Columns are brought to one scale, chunk by chunk."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from salience.tabular.quickselection.scale import ColumnScale


def scaled(X, kind="standard", cuts=()):
    scale = ColumnScale(kind, X.shape[1])
    for part in np.split(np.arange(X.shape[0]), cuts):
        if part.size:
            scale.update(X[part])
    shift, factor = scale.shift_and_factor()
    return ((X.toarray() if sparse.issparse(X) else X) - shift) * factor


@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(0, 40), max_size=4).map(sorted), seed=st.integers(0, 99))
def test_any_cut_gives_the_same_scale(cuts, seed):
    X = np.random.default_rng(seed).normal(3, 2, size=(40, 5))
    np.testing.assert_allclose(scaled(X, cuts=cuts), (X - X.mean(0)) / X.std(0), atol=1e-10)


@pytest.mark.parametrize("kind", ["standard", "minmax"])
def test_a_sparse_matrix_is_scaled_as_its_dense_copy(kind):
    X = sparse.random_array((60, 8), density=0.3, format="csr", rng=np.random.default_rng(0))
    np.testing.assert_allclose(scaled(X, kind), scaled(X.toarray(), kind), atol=1e-12)


def test_minmax_goes_from_0_to_1():
    Z = scaled(np.random.default_rng(0).normal(size=(50, 3)), "minmax")
    np.testing.assert_allclose([Z.min(0), Z.max(0)], [[0, 0, 0], [1, 1, 1]], atol=1e-12)


def test_a_constant_column_is_0_even_where_its_variance_is_not():
    X = np.column_stack([np.full(7, 0.1), np.arange(7.0)])  # the mean of seven 0.1 is not 0.1
    scale = ColumnScale("standard", 2)
    scale.update(X)
    assert scale.constant.tolist() == [True, False]
    assert not scaled(X)[:, 0].any()


def test_whole_numbers_are_taken():
    X = np.arange(12, dtype=np.uint8).reshape(6, 2)
    np.testing.assert_allclose(scaled(X), scaled(X.astype(float)))


def test_numbers_too_large_for_their_spread_are_refused():
    with (
        pytest.raises(ValueError, match=r"1 column\(s\), first number 1, are too large"),
        np.errstate(all="ignore"),
    ):
        scaled(np.array([[0.0, 1e300], [1.0, -1e300]]))
