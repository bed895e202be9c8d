"""Agreement of two rankings."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from salience.results import Meta, Scores
from salience.results.agreement import rank_biased_overlap


def slow_rbo(left, right, p=0.9):
    n = len(left)
    shares = [len(set(left[:d]) & set(right[:d])) / d for d in range(1, n + 1)]
    return sum((1 - p) * p**d * share for d, share in enumerate(shares)) + p**n * shares[-1]


@given(st.permutations(range(7)), st.permutations(range(7)))
def test_rbo_is_its_definition(left, right):
    assert rank_biased_overlap(np.array(left), np.array(right)) == pytest.approx(slow_rbo(left, right))


@given(st.lists(st.integers(0, 5), min_size=2, max_size=15), st.integers(1, 20))
def test_a_ranking_agrees_with_itself(values, k):
    scores = Scores.from_values(np.array(values, dtype=float))
    found = scores.compare(scores, k)
    assert (found.overlap, found.jaccard, found.common) == (1.0, 1.0, len(values))
    assert found.rbo == pytest.approx(1.0)
    assert found.kendall == pytest.approx(1.0) or len(set(values)) == 1


@given(st.data())
def test_correlations_are_those_of_scipy_and_agreement_is_symmetric(data):
    n = data.draw(st.integers(2, 12))
    pair = st.lists(st.integers(-3, 3), min_size=n, max_size=n).filter(lambda v: len(set(v)) > 1)
    x, y = np.array(data.draw(pair), float), np.array(data.draw(pair), float)
    a, b = Scores.from_values(x), Scores.from_values(y)
    found, back = a.compare(b, 3), b.compare(a, 3)
    assert found.kendall == pytest.approx(stats.kendalltau(x, y).statistic)
    assert found.spearman == pytest.approx(stats.spearmanr(x, y).statistic)
    assert (found.overlap, found.rbo) == (back.overlap, pytest.approx(back.rbo))


def test_opposite_rankings_disagree():
    a = Scores.from_values([1.0, 2.0, 3.0, 4.0])
    found = a.compare(Scores.from_values([4.0, 3.0, 2.0, 1.0]), k=2)
    assert (found.overlap, found.jaccard, found.kendall, found.spearman) == (0.0, 0.0, -1.0, -1.0)


def test_only_items_that_both_have_scored_are_compared():
    a = Scores.from_values({"x": 1.0, "y": 2.0, "z": 3.0, "w": float("nan")})
    b = Scores.from_values({"v": 9.0, "w": 8.0, "y": 2.0, "x": 1.0})
    found = a.compare(b)
    assert (found.common, found.only_left, found.only_right, found.k) == (2, 1, 2, 2)
    assert found.kendall == 1.0


def test_ranks_agree_whatever_is_better():
    high = Scores.from_values([1.0, 2.0, 3.0])
    assert high.compare(Scores.from_values([3.0, 2.0, 1.0], better="low")).kendall == 1.0
    assert high.compare(Scores.from_order(["x2", "x1", "x0"])).kendall == 1.0


def test_values_are_correlated_only_in_the_same_unit():
    def scores(unit):
        return Scores.from_values([1.0, 2.0, 4.0], meta=Meta(unit=unit))

    assert scores("nats").compare(scores("nats")).pearson == pytest.approx(1.0)
    assert scores("nats").compare(scores("bits")).pearson is None
    assert scores(None).compare(scores(None)).pearson is None


def test_unordered_pairs_meet_whichever_way_they_are_written():
    meta = Meta(symmetric=True)
    a = Scores.from_values([1.0, 2.0], [("x", "y"), ("x", "z")], keys=("a", "b"), item="pair", meta=meta)
    b = Scores.from_values([1.0, 2.0], [("y", "x"), ("z", "x")], keys=("a", "b"), item="pair", meta=meta)
    assert a.compare(b).common == 2


def test_what_cannot_be_compared_is_refused():
    a = Scores.from_values([1.0, 2.0])
    with pytest.raises(ValueError, match="different kinds"):
        a.compare(Scores.from_values([1.0, 2.0], keys="row", item="row"))
    with pytest.raises(ValueError, match="different types"):
        a.compare(Scores.from_values([1.0, 2.0], [0, 1]))
    with pytest.raises(ValueError, match="0 scored items are common"):
        a.compare(Scores.from_values({"p": 1.0, "q": 2.0}))
    with pytest.raises(ValueError, match="from 1 up"):
        a.compare(a, k=0)
