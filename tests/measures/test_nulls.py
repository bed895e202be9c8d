"""Drawn nulls: fixed margins, permutations, and the shift of OutRank."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import hypergeom
from sklearn.metrics import mutual_info_score

from salience.measures.contingency import Contingency
from salience.measures.information import corrected
from salience.measures.nulls import permutation_null, sample_tables, shift_null, shift_score
from salience.measures.nulltable import NullTable


@pytest.mark.parametrize(
    ("totals", "labels"),
    [([1, 2, 50, 300, 900], [400, 600, 253]), ([30] * 40, [36, 1164]), ([5, 700], [1, 1, 703])],
)
def test_sampled_tables_keep_both_margins_and_have_hypergeometric_cells(totals, labels):
    tables = sample_tables(totals, labels, 4000, 0)
    assert (tables.sum(axis=2) == totals).all()
    assert (tables.sum(axis=1) == labels).all()
    for v, a in enumerate(totals):
        for label, b in enumerate(labels):
            law, cell = hypergeom(sum(labels), b, a), tables[:, v, label]
            assert abs(cell.mean() - law.mean()) < 5 * law.std() / np.sqrt(4000) + 1e-12
            assert cell.var() == pytest.approx(law.var(), rel=0.15, abs=3e-3)


def test_values_may_be_left_out_but_not_invented():
    assert (sample_tables([3], [5, 5], 50, 0).sum(axis=(1, 2)) == 3).all()
    with pytest.raises(ValueError, match="margins must agree"):
        sample_tables([6], [2, 3], 1)


@pytest.mark.parametrize("card", [3, 400])
def test_the_mean_over_permutations_is_the_exact_null(card):
    rng = np.random.default_rng(card)
    table = Contingency.from_codes(rng.integers(0, card, 1000), rng.integers(0, 2, 1000))
    drawn = permutation_null(table, n=2000, rng=0)
    exact = corrected(table, NullTable(table.label_counts))
    assert abs(drawn.mean - exact.null) < 4 * drawn.sd / np.sqrt(2000)
    assert drawn.z == pytest.approx(exact.z, abs=0.2)
    assert drawn.p == pytest.approx(exact.p, abs=0.05)


def test_a_permutation_null_of_any_statistic_is_reproducible():
    table = Contingency.from_codes([0, 0, 1, 1, 2, 2], [0, 1, 0, 1, 0, 1])
    first, second = (
        permutation_null(table, n=20, rng=3, statistic=lambda t: float(t.counts.max())) for _ in range(2)
    )
    assert np.array_equal(first.values, second.values)
    assert first.p == 1.0
    assert permutation_null(Contingency.from_codes(range(6), [0, 1] * 3), n=5, rng=0).z == 0.0
    with pytest.raises(ValueError, match="at least 2"):
        permutation_null(table, n=1)


def by_definition(y, x):
    """The card's formula, value by value."""

    def entropy(values):
        p = np.unique(values, return_counts=True)[1] / len(values)
        return -(p @ np.log(p))

    y, x, n = np.asarray(y), np.asarray(x), len(x)
    total = 0.0
    for value in np.unique(x):
        rows = np.flatnonzero(x == value)
        if len(rows) > 1:
            total += len(rows) / n * (entropy(y[(rows + len(rows)) % n]) - entropy(y[rows]))
    return total


def test_the_examples_of_the_card():
    x, y = [0, 0, 1, 1, 0, 1, 1, 0], [0, 0, 2, 2, 0, 2, 0, 2]
    assert shift_score(y, x) == pytest.approx(0.130812, abs=5e-7)
    assert shift_score(y, x) + shift_null(y, x) == pytest.approx(0.130812, abs=5e-7)
    x, y = [0, 0, 0, 1, 1, 1], [0, 0, 2, 2, 2, 2]
    assert shift_score(y, x) == pytest.approx(0.0, abs=1e-12)
    assert shift_score(y, x) + shift_null(y, x) == pytest.approx(0.318257, abs=5e-7)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(-1, 30), st.integers(-1, 200)), min_size=1, max_size=80))
def test_the_fast_form_equals_the_definition(rows):
    y, x = np.array(rows).T
    if np.array_equal(x, y):
        assert shift_score(y, x) == pytest.approx(mutual_info_score(x, y), abs=1e-12)
    else:
        assert shift_score(y, x) == pytest.approx(by_definition(y, x), abs=1e-12)
        assert shift_null(y, x) == pytest.approx(mutual_info_score(x, y) - by_definition(y, x), abs=1e-12)


def test_equal_sums_are_not_identity_unless_compatibility_is_asked_for():
    x, y = np.array([0, 1, 1, 2, 0, 2]), np.array([2, 1, 0, 1, 1, 1])
    assert x.sum() == y.sum()
    assert shift_score(y, x) == pytest.approx(by_definition(y, x), abs=1e-12)
    assert shift_score(y, x, compat=True) == pytest.approx(mutual_info_score(x, y), abs=1e-12)


# Computed with mutual_info_estimator_numba of outrank 0.97.5 (float32); y, x and its score
PACKAGE = [
    ([0, 1, -1, 1, 0, 2, -1, 0], [0, 0, 1, 1, -1, -1, 1, 0], 0.265033),
    ([0, 0, 1, 1, 2, 2, 0, 1, 1], [0, 1, 0, 1, 2, 0, -1, -1, 1], 0.000000),
    ([3, 1, 0, 2, 2, 1, 0, 3, 3], [0, 0, 1, 1, 0, 0, 1, 1, 0], 0.154033),
    ([0, 1, 2, 3, 0, 1, 2, 3], [3, 2, 1, 0, 3, 2, 1, 0], 1.386294),
]


@pytest.mark.parametrize(("y", "x", "score"), PACKAGE)
def test_compatibility_reproduces_the_package(y, x, score):
    assert shift_score(y, x, compat=True) == pytest.approx(score, abs=2e-6)


def test_a_column_that_is_missing_everywhere_says_nothing():
    assert shift_score([-1, -1], [0, 1], compat=True) == 0.0
    assert shift_score([], []) == 0.0


@pytest.mark.parametrize(
    ("y", "x", "message"),
    [([0.5], [0], "integer codes"), ([0], [0, 1], "one batch"), ([0, 1], [-2, 0], "codes start at 0")],
)
def test_rows_that_are_no_codes_are_refused(y, x, message):
    with pytest.raises(ValueError, match=message):
        shift_score(y, x)
