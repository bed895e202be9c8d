"""Information of coded columns is that of their contingency tables."""

import numpy as np
import pytest
from sklearn.metrics import mutual_info_score
from sklearn.metrics.cluster import expected_mutual_information

from salience.measures.coded import coded_information


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 2000)
    X = np.column_stack([y, rng.integers(0, 5, 2000), np.arange(2000), np.zeros(2000, int), (y + 1) * 7 % 5])
    return X, y


@pytest.mark.parametrize("dtype", [np.int8, np.int32, np.int64, np.uint16])
@pytest.mark.parametrize("order", ["C", "F"])
def test_it_equals_scikit_learn(data, dtype, order):
    X, y = data
    if dtype == np.int8:
        X = X % 100
    found = coded_information(np.asarray(X, dtype=dtype, order=order), y)
    for column, mi in enumerate(found.mi):
        assert mi == pytest.approx(mutual_info_score(X[:, column], y), abs=1e-9)


def test_the_null_is_the_exact_expectation(data):
    X, y = data
    found = coded_information(X, y)
    for column in range(3):
        table = np.histogram2d(X[:, column], y, bins=(X[:, column].max() + 1, 3))[0].astype(np.int64)
        expected = expected_mutual_information(table[table.sum(axis=1) > 0], 2000)
        assert found.null[column] == pytest.approx(expected, abs=1e-10)
    assert np.array_equal(found.score, found.mi - found.null)


def test_threads_do_not_change_a_bit(data):
    X, y = data
    one, four = (coded_information(X, y, threads=t) for t in (1, 4))
    assert all(np.array_equal(a, b) for a, b in zip(one, four, strict=True))


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        ([[1.5], [2.0]], [0, 1], "integer codes"),
        ([[-1], [2]], [0, 1], "0 or more"),
        ([1, 2], [0, 1], r"\(n, d\)"),
        ([[1], [2]], [0], "shapes"),
        (np.empty((0, 2), int), np.empty(0, int), "n >= 1"),
    ],
)
def test_what_is_no_table_of_codes_is_refused(X, y, message):
    with pytest.raises(ValueError, match=message):
        coded_information(X, y)
