"""Interactions, affinity, which pairs are worth measuring, and who stands together: by the formulas, one by one."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from salience.tabular.dhondt.alliances import (
    affinity,
    found_alliances,
    interactions,
    relabelled,
    screened_pairs,
)

EFFECTS = np.array([[2.0, 1.0, -1.0, 0.0]])
PAIRS = [(0, 1), (0, 2), (1, 3)]
TOGETHER = np.array([[4.0, 0.5, 1.5]])  # e_01, e_02, e_13


def test_an_interaction_is_what_a_pair_has_beyond_its_members():
    found = interactions(EFFECTS, PAIRS, TOGETHER)[0]
    assert [found[pair] for pair in PAIRS] == [1.0, -0.5, 0.5]
    assert found[1, 0] == 1.0
    assert np.isnan(found[2, 3])


def test_affinity_is_the_interaction_over_the_three_effects():
    inside = interactions(EFFECTS, PAIRS, TOGETHER)
    absolute = affinity(EFFECTS, inside, "absolute")[0]
    assert [absolute[pair] for pair in PAIRS] == pytest.approx([1 / 7, 0.5 / 3.5, 0.5 / 2.5])
    same = affinity(EFFECTS, inside)[0]
    assert [same[pair] for pair in PAIRS] == pytest.approx([1 / 7, 0.0, 0.0])  # opposite signs; no effect
    assert absolute[2, 3] == 0


def test_pairs_are_those_of_the_largest_effects_up_to_a_number_and_those_required():
    effects = np.array([[5.0, -4.0, 0.1, 3.0]])
    assert screened_pairs(effects, 3, None)[0] == [(0, 1), (0, 3), (1, 3)]
    assert screened_pairs(effects, 3, 2)[0] == [(0, 1), (0, 3)]
    assert screened_pairs(effects, 3, 1, required=[(3, 2)])[0] == [(0, 1), (2, 3)]
    assert screened_pairs(effects, 3, 0)[0] == []
    assert screened_pairs(effects, None, None)[0] == list(combinations(range(4), 2))


@settings(deadline=None, max_examples=60)
@given(arrays(float, (6, 6), elements=st.floats(0, 1)), st.floats(0.05, 1))
def test_alliances_are_what_their_linkage_says(table, rho):
    likes = (table + table.T)[None] / 2
    components, complete = (found_alliances(likes, rho, linkage)[0] for linkage in ("components", "complete"))
    for i, j in combinations(range(6), 2):
        if likes[0, i, j] >= rho:
            assert components[i] == components[j]
        if complete[i] == complete[j]:
            assert likes[0, i, j] >= rho
            assert components[i] == components[j]


def test_alliances_that_stand_take_nobody_in():
    likes = np.ones((1, 4, 4))
    assert found_alliances(likes, 0.5, "components", np.array([0, -1, 0, -1])).tolist() == [[0, 1, 0, 1]]


def test_groups_are_numbered_by_their_first_members():
    assert relabelled(np.array([[7, 3, 7, 9]])).tolist() == [[0, 1, 0, 2]]
