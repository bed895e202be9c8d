"""Seats from votes: the laws of D'Hondt, and two other ways to the same seats."""

import apportionment.methods as peer
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salience.measures.apportion import (
    dhondt,
    gumbel_top_k,
    hamilton,
    highest_averages,
    jefferson,
    largest,
    sainte_lague,
)

VOTES = st.lists(st.integers(0, 50) | st.floats(0, 1e6), min_size=1, max_size=12)
SEATS = st.integers(1, 80)


def test_the_textbook_house():
    assert dhondt([100, 80, 30, 20], 8).tolist() == [4, 3, 1, 0]
    assert jefferson is dhondt


@settings(deadline=None)
@given(VOTES, SEATS)
def test_seats_add_up_and_nobody_has_less_than_the_whole_part_of_its_share(votes, seats):
    won = dhondt(votes, seats)
    v = np.array(votes, dtype=float)
    if not v.any():
        assert won.tolist() == [0] * len(v)
    else:
        assert won.sum() == seats
        assert (won >= np.floor(seats * v / v.sum() * (1 - 1e-12))).all()


@settings(deadline=None)
@given(VOTES, SEATS)
def test_one_more_seat_never_takes_one_away(votes, seats):
    assert (dhondt(votes, seats + 1) >= dhondt(votes, seats)).all()


@settings(deadline=None)
@given(st.lists(st.integers(0, 50), min_size=2, max_size=12), SEATS)
def test_merging_two_parties_costs_no_seat_and_wins_one_at_most(votes, seats):
    apart = dhondt(votes, seats)
    together = dhondt([votes[0] + votes[1], *votes[2:]], seats)
    if any(votes):
        assert apart[0] + apart[1] <= together[0] <= apart[0] + apart[1] + 1


@settings(deadline=None)
@given(VOTES, SEATS, st.integers(-300, 300))
def test_the_unit_of_the_votes_does_not_matter(votes, seats, exponent):
    scaled = np.ldexp(np.array(votes, dtype=float), exponent)
    kept = np.ldexp(scaled, -exponent) == votes  # nothing was lost to the smallest and largest floats
    if kept.all():
        assert dhondt(scaled, seats).tolist() == dhondt(votes, seats).tolist()


def test_the_multiplier_form_equals_the_heap_on_a_thousand_cases_with_ties():
    rng = np.random.default_rng(0)
    for case in range(1000):
        m, seats = rng.integers(1, 20), int(rng.integers(1, 200))
        votes = rng.integers(0, 6, m) if case % 2 else rng.pareto(1, m)
        for tie in ("stable", "random"):
            how = {"tie": tie, "random_state": case}
            assert np.array_equal(dhondt(votes, seats, **how), dhondt(votes, seats, form="heap", **how))


@pytest.mark.parametrize(
    ("ours", "name"), [(dhondt, "dhondt"), (sainte_lague, "saintelague"), (hamilton, "hamilton")]
)
def test_it_equals_the_package_apportionment(ours, name):
    rng = np.random.default_rng(1)
    for _ in range(200):
        votes = rng.integers(1, 10_000, rng.integers(2, 12))
        seats = int(rng.integers(1, 60))
        try:
            expected = peer.compute(name, votes.tolist(), seats, verbose=False, tiesallowed=False)
        except peer.TiesException:
            continue
        assert ours(votes, seats).tolist() == expected


def test_ties_go_to_the_earlier_party_or_to_a_drawn_one():
    assert dhondt([5, 5], 1).tolist() == [1, 0]
    drawn = [dhondt([5, 5], 1, tie="random", random_state=seed).tolist() for seed in range(400)]
    assert 150 < sum(won == [1, 0] for won in drawn) < 250


def test_the_order_of_the_parties_changes_no_expected_seats():
    votes = np.array([4.0, 2.0, 2.0, 4.0, 1.0])
    order = np.array([3, 1, 4, 0, 2])
    plain = np.mean([dhondt(votes, 4, tie="random", random_state=s) for s in range(1500)], axis=0)
    moved = np.mean([dhondt(votes[order], 4, tie="random", random_state=s) for s in range(1500)], axis=0)
    assert moved == pytest.approx(plain[order], abs=0.06)


def test_many_parliaments_at_once_are_those_one_by_one():
    rng = np.random.default_rng(2)
    votes, seats = rng.integers(0, 5, (50, 7)), rng.integers(0, 30, 50)
    found = highest_averages(votes, seats, 0.5)
    for row, s, won in zip(votes, seats, found, strict=True):
        assert won.tolist() == (sainte_lague(row, int(s)).tolist() if s else [0] * 7)


def test_large_houses_and_extreme_votes_are_exact():
    assert dhondt([1e308, 1e308, 1e-308], 5).tolist() == [3, 2, 0]
    assert dhondt([5e-324, 5e-324], 4).tolist() == [2, 2]
    assert dhondt([3.0, 1.0], 10**12).tolist() == [3 * 10**12 // 4, 10**12 // 4]


@pytest.mark.parametrize("method", [dhondt, sainte_lague, hamilton])
@pytest.mark.parametrize(
    ("votes", "seats", "message"),
    [
        ([1.0, -1.0], 3, "vote of party 1 is -1.0"),
        ([np.nan, 1.0], 3, "finite and not negative"),
        ([np.inf, 1.0], 3, "finite and not negative"),
        ([[1.0], [2.0]], 3, "must be a vector"),
        ([1.0, 2.0], 0, "whole number from 1 up"),
        ([1.0, 2.0], -4, "whole number from 1 up"),
        ([1.0, 2.0], 2.5, "whole number from 1 up"),
    ],
)
def test_bad_votes_and_seats_are_refused(method, votes, seats, message):
    with pytest.raises(ValueError, match=message):
        method(votes, seats)


@pytest.mark.parametrize(
    ("option", "message"),
    [({"tie": "loud"}, "'stable', 'random'"), ({"form": "bisection"}, "'multiplier', 'heap'")],
)
def test_an_unknown_option_is_answered_with_those_there_are(option, message):
    with pytest.raises(ValueError, match=message):
        dhondt([1, 2], 3, **option)


def test_parliaments_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="from 0 up"):
        highest_averages([[1.0, 2.0]], [-1])
    with pytest.raises(ValueError, match="offset"):
        highest_averages([1.0], 1, 1.0)
    with pytest.raises(ValueError, match=r"\(m,\) or \(n, m\)"):
        highest_averages(np.ones((1, 1, 1)), 1)


# ---- drawing: the k largest keys of log weights and Gumbel noise ------------------------------------------


def test_two_of_three_are_drawn_as_plackett_and_luce_say():
    rng = np.random.default_rng(0)
    drawn = np.zeros(3)
    for _ in range(20_000):
        drawn[gumbel_top_k(np.log([0.5, 0.3, 0.2]), 2, rng)] += 1
    assert drawn / 20_000 == pytest.approx([0.8393, 0.6750, 0.4857], abs=0.015)


@given(
    st.lists(st.just(-np.inf) | st.floats(-800, 800), min_size=1, max_size=30), st.data(), st.integers(0, 99)
)
def test_nothing_is_drawn_twice_and_minus_infinity_never(log_weights, data, seed):
    possible = sum(value > -np.inf for value in log_weights)
    if not possible:
        with pytest.raises(ValueError, match="1 to 0"):
            gumbel_top_k(log_weights, 1, seed)
        return
    k = data.draw(st.integers(1, possible))
    drawn = gumbel_top_k(log_weights, k, seed)
    assert len(set(drawn.tolist())) == k == len(drawn)
    assert np.isfinite(np.array(log_weights)[drawn]).all()
    assert np.array_equal(drawn, gumbel_top_k(log_weights, k, seed))


def test_all_items_can_be_drawn_and_a_common_constant_changes_nothing():
    weights = np.array([3.0, -1.0, 0.5])
    assert sorted(gumbel_top_k(weights, 3, 1)) == [0, 1, 2]
    assert np.array_equal(gumbel_top_k(weights, 3, 1), gumbel_top_k(weights + 700, 3, 1))


def test_equal_keys_go_to_the_earlier_item():
    assert largest(np.array([1.0, 2.0, 2.0, 2.0, 3.0]), 3).tolist() == [4, 1, 2]


@pytest.mark.parametrize(
    ("log_weights", "k", "message"),
    [
        ([[0.0]], 1, "a vector"),
        ([0.0, np.nan], 1, "item 1 has nan"),
        ([np.inf, 0.0], 1, "item 0 has inf"),
        ([0.0, -np.inf], 2, "from 1 to 1"),
        ([0.0, 1.0], 0, "from 1 to 2"),
        ([0.0, 1.0], 1.5, "from 1 to 2"),
        ([0.0, 1.0], True, "from 1 to 2"),
    ],
)
def test_draws_that_cannot_be_made_are_refused(log_weights, k, message):
    with pytest.raises(ValueError, match=message):
        gumbel_top_k(log_weights, k, 0)
