"""The bootstrap over queries and seeds."""

import numpy as np
import pytest

from salience.measures.crossed import crossed_bootstrap_mean
from salience.measures.resampling import bootstrap_mean


def test_both_kinds_of_units_make_the_spread():
    rng = np.random.default_rng(0)
    found = [
        crossed_bootstrap_mean(2 * rng.normal(size=(100, 1)) + rng.normal(size=(1, 5)), n=400, rng=i).se ** 2
        for i in range(200)
    ]
    assert np.mean(found) == pytest.approx(
        4 / 100 + 1 / 5, rel=0.15
    )  # a plain draw of five seeds: 4/5 of the second


def test_one_repeat_is_the_plain_bootstrap():
    values = np.random.default_rng(0).normal(size=(50, 1))
    assert np.array_equal(
        crossed_bootstrap_mean(values, rng=3).replicates, bootstrap_mean(values[:, 0], rng=3).replicates
    )


def test_what_all_columns_share_cancels_in_differences():
    shared = np.random.default_rng(0).normal(size=(50, 3, 1))
    drawn = crossed_bootstrap_mean(shared + np.array([0.0, 0.25]), rng=0)
    assert drawn.replicates[:, 1] - drawn.replicates[:, 0] == pytest.approx(0.25)
    assert drawn.estimate[1] - drawn.estimate[0] == pytest.approx(0.25)


@pytest.mark.parametrize("shape", [(5,), (0, 3), (4, 0)])
def test_a_shape_without_units_or_repeats_is_refused(shape):
    with pytest.raises(ValueError, match="units, repeats"):
        crossed_bootstrap_mean(np.zeros(shape))
