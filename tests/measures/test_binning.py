"""Histograms of as many bins as the data can carry, and information from them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import mutual_info_score

from salience.measures import binned_information, number_of_bins
from salience.measures.binning import equal_width_codes


def worth(x, bins):
    """The criterion, written down once more."""
    counts = np.histogram(x, bins=bins)[0]
    counts = counts[counts > 0]
    return (counts * np.log(counts)).sum() + len(x) * np.log(bins) - (bins - 1 + np.log(bins) ** 2.5)


@pytest.mark.parametrize(
    "draw",
    [
        lambda rng: rng.normal(size=1000),
        lambda rng: rng.exponential(size=1000),
        lambda rng: rng.uniform(size=1000),
        lambda rng: np.concatenate(
            [rng.normal(size=300), rng.normal(40, 1, size=300)]
        ),  # most bins are empty
    ],
    ids=["normal", "exponential", "uniform", "two heaps"],
)
def test_the_number_of_bins_maximises_the_criterion(draw):
    x = draw(np.random.default_rng(0))
    best = max(range(2, 100), key=lambda bins: worth(x, bins))
    assert number_of_bins(x)[0] == best


def test_empty_bins_count_nothing():
    # in the package's Python version 0 ln 0 is NaN, and so is the criterion
    x = np.r_[np.zeros(50), 100.0]
    assert 2 <= number_of_bins(x)[0] <= 99


def test_a_constant_column_is_one_bin():
    assert number_of_bins(np.full(10, 3.0)) == 1
    assert equal_width_codes(np.full((1, 10), 3.0), [1]).tolist() == [[0] * 10]


def test_codes_are_those_of_a_histogram():
    x = np.random.default_rng(0).normal(size=500)
    for bins in (2, 7, 40):
        counts = np.bincount(equal_width_codes(x, [bins])[0], minlength=bins)
        assert counts.tolist() == np.histogram(x, bins=bins)[0].tolist()


@settings(max_examples=50, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), min_size=1, max_size=60),
    seed=st.integers(0, 100),
)
def test_information_is_that_of_the_table(rows, seed):
    x, y = np.array(rows).T
    order = np.random.default_rng(seed).permutation(len(x))
    found = binned_information([x, y], y, orders=np.array([np.arange(len(x)), order]))
    expected = [[mutual_info_score(column, y[o]) for column in (x, y)] for o in (np.arange(len(x)), order)]
    assert found == pytest.approx(np.array(expected), abs=1e-12)
