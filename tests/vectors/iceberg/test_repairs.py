"""Repairs, which are not of the paper: what each takes away."""

import numpy as np
import pytest
from sklearn.utils import check_random_state

from salience.measures.vectors import VectorError
from salience.vectors.iceberg import repairs
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


@pytest.mark.parametrize(("d", "taken"), [(3, 1), (199, 1), (250, 2)])
def test_a_hundredth_of_the_directions_is_taken_out_and_one_at_least(d, taken):
    base = np.random.default_rng(0).normal(size=(40, d)) * np.where(np.arange(d) < 2, 50.0, 1.0) + 3.0
    repair = REPAIRS["all-but-top"](base, check_random_state(0))
    assert repair.directions.shape == (taken, d)
    np.testing.assert_allclose(repair.directions @ repair.directions.T, np.eye(taken), atol=1e-12)
    assert (np.abs(repair.directions[:, :2]) ** 2).sum() == pytest.approx(taken, abs=0.1)
    assert repair(base).mean(axis=0) == pytest.approx(np.zeros(d), abs=1e-5)


def test_blocks_of_rows_are_repaired_alike(base, monkeypatch):
    whole = {name: repaired(name, base) for name in REPAIRS}
    monkeypatch.setattr(repairs, "BLOCK", 70)
    for name, found in whole.items():
        np.testing.assert_allclose(repaired(name, base), found, atol=1e-4)


def test_queries_are_repaired_by_what_the_base_taught(base):
    repair = REPAIRS["center"](base, check_random_state(0))
    assert repair(np.zeros((1, 10)))[0] == pytest.approx(-base.mean(axis=0), rel=1e-5)


def test_a_zero_row_cannot_be_normalised(base):
    base = base.copy()
    base[2] = 0
    with pytest.raises(VectorError, match="row 2 is zero"):
        repaired("normalize", base)


def test_a_zero_row_of_a_later_block_is_named_by_its_number(base, monkeypatch):
    monkeypatch.setattr(repairs, "BLOCK", 70)
    base = base.copy()
    base[205] = 0
    with pytest.raises(VectorError, match="row 205 is zero"):
        repaired("normalize", base)
