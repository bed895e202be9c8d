"""Proportions: exact coverage, the numbers of the responsiveness paper, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import binom, binomtest

from salience.measures.proportions import clopper_pearson, draws_to_exclude, p_below, upper_bound


@pytest.mark.parametrize(("k", "n"), [(0, 10), (3, 10), (10, 10), (37, 500)])
def test_the_interval_is_that_of_scipy(k, n):
    exact = binomtest(k, n).proportion_ci(0.9, "exact")
    assert_allclose(clopper_pearson(k, n, 0.1), exact, atol=1e-12)


@pytest.mark.parametrize("p", [0.01, 0.3, 0.5, 0.97])
def test_coverage_is_never_below_its_level(p):
    n, k = 40, np.arange(41)
    low, high = clopper_pearson(k, n, 0.05)
    assert binom.pmf(k, n, p)[(low <= p) & (p <= high)].sum() >= 0.95


def test_29_misses_exclude_a_tenth_at_95_percent():
    assert draws_to_exclude(0.1, 0.05) == 29
    assert upper_bound(0, 29) < 0.1 < upper_bound(0, 28)
    assert p_below(0, 29, 0.1) < 0.05 < p_below(0, 28, 0.1)


def test_without_draws_nothing_is_known():
    assert clopper_pearson(0, 0) == (0.0, 1.0)
    assert upper_bound(0, 0) == 1.0


def test_effective_counts_need_not_be_whole():
    low, high = clopper_pearson(2.5, 9.75)
    assert 0 < low < 2.5 / 9.75 < high < 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: clopper_pearson(3, 2), "between 0 and the number"),
        (lambda: clopper_pearson(-1, 2), "between 0 and the number"),
        (lambda: clopper_pearson(1, 2, 1.0), "alpha=1.0"),
        (lambda: draws_to_exclude(0.0), "eps=0.0"),
    ],
)
def test_what_makes_no_sense_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
