"""Repairs, which are not of the paper: what each takes away."""

import numpy as np
import pytest
from sklearn.utils import check_random_state

from salience.measures.vectors import VectorError
from salience.vectors.iceberg.repairs import REPAIRS


@pytest.fixture(scope="module")
def base():
    rng = np.random.default_rng(0)
    return rng.normal(size=(500, 10)) + 7 + 20 * rng.normal(size=(500, 1)) * np.eye(10)[3]


def repaired(name, base):
    return REPAIRS[name](base, check_random_state(0))(base)


def test_centring_leaves_no_mean(base):
    assert repaired("center", base).mean(axis=0) == pytest.approx(np.zeros(10), abs=1e-5)


def test_normalising_leaves_length_one(base):
    assert np.linalg.norm(repaired("normalize", base), axis=1) == pytest.approx(np.ones(500), abs=1e-6)


def test_the_strongest_direction_is_taken_out(base):
    left = repaired("all-but-top", base)
    assert np.var(base, axis=0)[3] > 300
    assert np.var(left, axis=0)[3] < 0.1
    assert np.var(left, axis=0)[0] > 0.8


def test_queries_are_repaired_by_what_the_base_taught(base):
    repair = REPAIRS["center"](base, check_random_state(0))
    assert repair(np.zeros((1, 10)))[0] == pytest.approx(-base.mean(axis=0), rel=1e-5)


def test_a_zero_row_cannot_be_normalised(base):
    base = base.copy()
    base[2] = 0
    with pytest.raises(VectorError, match="row 2 is zero"):
        repaired("normalize", base)
