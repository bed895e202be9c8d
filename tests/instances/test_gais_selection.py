"""Keeping rows class by class, and rows that do not stand together."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from salience.instances.gais.selection import Adjacency, kept_above, kept_rate, scaled_by_class

ALONE = np.empty(0, dtype=np.int32)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=120), st.floats(0.001, 1.0), st.integers(0, 99))
def test_as_many_rows_of_each_class_as_the_rate_says_rounded_up(codes, rate, seed):
    codes = np.array(codes)
    values = np.random.default_rng(seed).random(len(codes))
    kept = kept_rate(values, codes, rate)
    for c in np.unique(codes):
        here = codes == c
        wanted = max(int(np.ceil(rate * here.sum() - 1e-9)), 1)
        assert kept[here].sum() == wanted
        assert values[here & kept].min() >= (values[here & ~kept].max() if (here & ~kept).any() else 0)


def test_seven_percent_of_a_hundred_are_seven():
    assert kept_rate(np.arange(100.0), np.zeros(100, int), 0.07).sum() == 7


def test_ties_are_kept_in_the_order_of_the_rows():
    assert kept_rate(np.ones(6), np.zeros(6, int), 0.5).tolist() == [True] * 3 + [False] * 3


def test_rows_without_a_score_are_never_kept():
    values = np.array([np.nan, 0.2, np.nan, 0.1])
    assert kept_rate(values, np.zeros(4, int), 1.0).tolist() == [False, True, False, True]
    assert kept_above(values, np.zeros(4, int), 0.0).tolist() == [False, True, False, True]


def test_the_share_is_one_of_the_whole_class_though_some_rows_have_no_score():
    values = np.r_[np.full(5, np.nan), np.arange(5.0)]
    assert np.flatnonzero(kept_rate(values, np.zeros(10, int), 0.4)).tolist() == [6, 7, 8, 9]


def test_a_level_keeps_what_reaches_it_and_the_best_of_each_class():
    values, codes = np.array([0.2, 0.8, 0.5, 0.3, 0.1]), np.array([0, 0, 0, 1, 1])
    assert kept_above(values, codes, 0.5).tolist() == [False, True, True, True, False]


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=40), st.integers(0, 9))
def test_scaled_scores_keep_the_order_within_a_class(values, seed):
    values, codes = np.array(values), np.random.default_rng(seed).integers(0, 3, len(values))
    scaled = scaled_by_class(values, codes)
    for c in np.unique(codes):
        here = codes == c
        assert scaled[here].max() == 1.0
        assert scaled[here].min() == (0.0 if np.ptp(values[here]) > 0 else 1.0)
        order = np.argsort(values[here], kind="stable")
        assert (np.diff(scaled[here][order]) >= 0).all()


# ---- rows that stand apart ------------------------------------------------------------------------------


def test_a_row_beside_a_kept_one_is_passed_over():
    values = np.array([1.0, 0.9, 0.8, 0.7])
    chain = Adjacency(np.array([0], np.int32), np.array([1], np.int32), np.arange(4))
    assert kept_rate(values, np.zeros(4, int), 0.5, chain).tolist() == [True, False, True, False]
    other_way = Adjacency(np.array([1], np.int32), np.array([0], np.int32), np.arange(4))
    assert kept_rate(values, np.zeros(4, int), 0.5, other_way).tolist() == [True, False, True, False]


def test_a_neighbour_of_another_class_is_no_reason():
    pair = Adjacency(np.array([0], np.int32), np.array([1], np.int32), np.arange(2))
    assert kept_rate(np.array([1.0, 0.9]), np.array([0, 1]), 1.0, pair).all()


def test_what_is_missing_is_filled_up_with_equal_rows_last():
    """Rows 0 to 3 are equal, 4 stands beside 0: three places go to 0, then 4, then one more of the equal."""
    apart = Adjacency(np.array([0], np.int32), np.array([4], np.int32), np.array([0, 0, 0, 0, 1]))
    kept = kept_rate(np.array([1.0, 0.9, 0.8, 0.7, 0.1]), np.zeros(5, int), 0.6, apart)
    assert kept.tolist() == [True, True, False, False, True]


def test_a_level_is_not_filled_up():
    apart = Adjacency(ALONE, ALONE, np.array([0, 0, 1]))
    assert kept_above(np.array([1.0, 0.9, 0.8]), np.zeros(3, int), 0.5, apart).tolist() == [True, False, True]


@pytest.mark.parametrize("seed", range(5))
def test_no_two_kept_rows_stand_together_while_others_are_left(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 200, (2, 100)).astype(np.int32)
    apart = Adjacency(a, b, np.arange(200))
    kept = kept_rate(rng.random(200), np.zeros(200, int), 0.2, apart)
    assert kept.sum() == 40
    assert not (kept[a] & kept[b] & (a != b)).any()
