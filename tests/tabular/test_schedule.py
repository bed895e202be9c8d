from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from salience.tabular.streaming.schedule import (
    Schedule,
    halving_sizes,
    keep_best,
    unrank_combinations,
)


@given(
    n=st.integers(1, 400), budget=st.integers(1, 500), blocks=st.integers(0, 40), seed=st.integers(0, 2**40)
)
def test_evaluation_counts_never_differ_by_more_than_one_and_are_as_foretold(n, budget, blocks, seed):
    schedule = Schedule(n, budget, seed)
    counts = np.zeros(n, dtype=np.int64)
    for block in range(blocks):
        items = schedule.items(block)
        assert len(items) == min(n, budget)
        counts[items] += 1
    assert counts.max() - counts.min() <= 1
    np.testing.assert_array_equal(counts, schedule.evaluations(blocks))


@pytest.mark.parametrize("seed", [None, 0, 7, 2**63])
def test_one_round_over_the_items_is_a_permutation(seed):
    schedule = Schedule(n_items=1000, budget=100, seed=seed)
    seen = np.concatenate([schedule.items(block) for block in range(10)])
    np.testing.assert_array_equal(np.sort(seen), np.arange(1000))


def test_the_order_of_the_walk_depends_on_the_seed_and_not_on_the_call():
    one, two = Schedule(5000, 500, seed=1), Schedule(5000, 500, seed=2)
    np.testing.assert_array_equal(one.items(3), one.items(3))
    assert set(one.items(3)) != set(two.items(3))
    # a walk in own order would take neighbours
    assert np.abs(np.diff(one.items(0))).max() > 1


def test_a_space_of_eighty_five_million_triples_costs_no_memory():
    schedule = Schedule(comb(800, 3), budget=1000, seed=0)
    triples = unrank_combinations(schedule.items(123_456), 800, 3)
    assert triples.shape == (1000, 3)
    assert (np.diff(triples, axis=1) > 0).all()


def test_without_a_seed_it_is_the_least_evaluated_first_rule_of_outrank():
    n, budget = 11, 4
    counts: dict[int, int] = dict.fromkeys(range(n), 0)
    schedule = Schedule(n, budget, seed=None)
    for block in range(30):
        chosen = sorted(range(n), key=lambda i: counts[i])[:budget]
        for item in chosen:
            counts[item] += 1
        assert sorted(chosen) == schedule.items(block).tolist()


@pytest.mark.parametrize(("n", "k"), [(1, 1), (5, 1), (6, 2), (7, 3), (6, 6), (9, 4)])
def test_unranking_lists_the_combinations_in_order(n, k):
    got = unrank_combinations(np.arange(comb(n, k)), n, k)
    assert [tuple(row) for row in got.tolist()] == list(combinations(range(n), k))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: Schedule(3, 0), "at least 1"),
        (lambda: Schedule(-1, 5), "0 or more"),
        (lambda: unrank_combinations(np.arange(2), 3, 4), "between 1 and 3"),
        (lambda: unrank_combinations(np.array([10]), 4, 2), r"outside 0 \.\. 5"),
        (lambda: unrank_combinations(np.array([0]), 10_000, 9), "lower the order"),
        (lambda: halving_sizes(10, 0, 2), "at least 1"),
    ],
)
def test_impossible_requests_say_what_is_wrong(call, says):
    with pytest.raises(ValueError, match=says):
        call()


def test_halving_falls_geometrically_and_stops_at_the_finalists():
    sizes = halving_sizes(100_000, finalists=100, rounds=3)
    assert sizes == [100_000, 10_000, 1000]
    assert halving_sizes(50, finalists=100, rounds=3) == [50]


def test_an_item_never_scored_is_not_dropped():
    values = np.array([0.9, np.nan, 0.1, 0.8])
    assert keep_best(values, 2).tolist() == [0, 1]
