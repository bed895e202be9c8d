"""From effects to seats to values: each step by hand."""

import numpy as np
import pytest

from salience.tabular.dhondt.mandates import elect, project, within_groups

LABELS = np.array([[0, 0, 1, 2]])
RULES = {"seats": 10, "fine_seats": 10_000, "tie": "stable", "rng": np.random.default_rng(0)}


def test_votes_are_the_effect_and_what_interacts_inside():
    found = elect(
        np.array([[3.0, -1.0, 0.0, 0.0]]),
        np.array([[0.5, 0.0, 9.0, 0.0]]),
        LABELS,
        None,
        threshold=None,
        **RULES,
    )
    assert found.votes.tolist() == [[3.5, 1.0, 0.0, 0.0]]  # without an effect there is no side to vote for
    assert found.for_seats.tolist() == [[8, 0, 0, 0]]  # 10 * 3.5 / 4.5 = 7.8
    assert found.against_seats.tolist() == [[0, 2, 0, 0]]
    assert found.raw == pytest.approx(np.array([[3.0, -1.0, 0.0, 0.0]]))  # votes seat, effects are shared out


def test_the_house_is_split_half_up():
    found = elect(
        np.array([[3.0, -1.0]]),
        np.zeros((1, 2)),
        np.array([[0, 1]]),
        None,
        threshold=None,
        **{**RULES, "seats": 2},
    )
    assert (found.for_seats.sum(), found.against_seats.sum()) == (2, 0)  # 2 * .75 + .5 = 2


def test_votes_below_the_threshold_follow_the_mean_affinity_and_their_values_come_back():
    likes = np.zeros((1, 4, 4))
    likes[0, 3, 0] = likes[0, 0, 3] = 0.6  # column 3 likes one of the two members of group 0: .3 on average
    likes[0, 3, 2] = likes[0, 2, 3] = 0.1
    found = elect(np.array([[4.0, 3.0, -0.4, 0.0]]), np.zeros((1, 4)), LABELS, likes, threshold=0.1, **RULES)
    assert found.eligible.tolist() == [[True, True, False, False]]
    assert found.against_votes == pytest.approx(np.array([[0.3, 0.1, 0.0, 0.0]]))
    assert found.for_votes == pytest.approx(np.array([[4.0, 3.0, 0.0, 0.0]]))
    assert found.raw == pytest.approx(np.array([[4.0, 3.0, -0.4, 0.0]]), abs=2e-3)


def test_a_correction_is_shared_by_size_or_kept_apart():
    raw, target = np.array([[3.0, -1.0, 0.0]]), np.array([2.4])
    shared = project(raw, target, "redistribute", 0.1)
    assert shared.values == pytest.approx(np.array([[3.3, -0.9, 0.0]]))
    assert shared.ratio == pytest.approx([0.1])
    kept = project(raw, target, "residual", 0.1)
    assert kept.values.tolist() == raw.tolist()
    assert kept.residual == pytest.approx([0.4])
    assert project(raw, target, "auto", 0.11).residual.tolist() == [0.0]
    assert project(raw, target, "auto", 0.09).residual == pytest.approx([0.4])


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
def test_an_alliance_is_split_by_effects_interactions_and_beta(beta):
    effects = np.array([[2.0, 1.0, 5.0, -1.0]])
    inside = np.full((1, 4, 4), np.nan)
    inside[0, 0, 1] = inside[0, 1, 0] = -0.5
    found = within_groups(np.array([[6.0, 5.0, -1.0, 0.0]]), LABELS, effects, inside, 2.0, beta)
    start = np.array([2.0 + 2 * 0.5, 1.0 + 2 * 0.5])
    expected = start + (6.0 - start.sum()) * start**beta / (start**beta).sum()
    assert found == pytest.approx(np.array([[*expected, 5.0, -1.0]]))
