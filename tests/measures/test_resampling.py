"""Bootstrap, permutation tests, intervals, false discovery rates."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from salience.measures.intervals import bootstrap_intervals
from salience.measures.resampling import bootstrap, bootstrap_mean, permutation_test, q_values


def test_the_standard_error_is_that_of_the_mean():
    x = np.random.default_rng(0).normal(size=400)
    expected = x.std() / 20
    assert bootstrap(np.mean, x, n=800, rng=0).se == pytest.approx(expected, rel=0.12)
    assert bootstrap_mean(x, n=2000, rng=0).se == pytest.approx(expected, rel=0.08)


def test_one_seed_gives_one_result():
    x = np.random.default_rng(0).normal(size=(50, 3))
    for make in (
        lambda: bootstrap(lambda a: a.mean(axis=0), x, n=20, rng=5),
        lambda: bootstrap_mean(x, n=20, rng=5),
    ):
        assert np.array_equal(make().replicates, make().replicates)
        assert make().replicates.shape == (20, 3)


def test_groups_are_drawn_whole():
    groups = np.repeat(np.arange(20), 30)
    values = np.random.default_rng(0).normal(size=20)[groups]
    plain, grouped = (bootstrap_mean(values, n=1500, groups=g, rng=0).se for g in (None, groups))
    assert grouped == pytest.approx(values[::30].std() / np.sqrt(20), rel=0.1)
    assert plain < grouped / 3
    assert bootstrap(np.mean, values, groups=groups, n=600, rng=0).se == pytest.approx(grouped, rel=0.15)


def test_paired_arrays_are_drawn_together_and_independent_ones_apart():
    a = np.random.default_rng(0).normal(size=300)

    def gap(x, y):
        return np.mean(x) - np.mean(y)

    assert bootstrap(gap, a, a + 1, n=100, rng=0).se < 1e-12
    assert bootstrap(gap, a, a + 1, n=600, paired=False, rng=0).se == pytest.approx(
        np.sqrt(2 / 300), rel=0.15
    )


def test_the_jackknife_of_means_is_the_general_one():
    x, groups = np.random.default_rng(1).exponential(size=30), np.arange(30) // 3
    for given in (None, groups):
        general = bootstrap(np.mean, x, n=10, groups=given, jackknife=True, rng=0).jackknife
        assert np.allclose(bootstrap_mean(x, n=10, groups=given, rng=0).jackknife, general)


@pytest.mark.parametrize("method", ["percentile", "basic", "bca"])
def test_intervals_equal_scipy(method):
    x = np.random.default_rng(2).exponential(size=60)
    ours = bootstrap_mean(x, n=20_000, rng=0).interval(0.9, method)
    theirs = stats.bootstrap((x,), np.mean, n_resamples=20_000, confidence_level=0.9, method=method, rng=0)
    assert np.allclose(ours, theirs.confidence_interval, atol=0.012)


def test_bca_covers_a_skewed_mean_better_than_the_percentile_interval():
    rng = np.random.default_rng(3)
    x = rng.lognormal(sigma=1.0, size=(25, 400))
    found = bootstrap_mean(x, n=800, rng=0)
    truth = np.exp(0.5)
    covered = {}
    for method in ("percentile", "bca"):
        low, high = found.interval(0.9, method)
        covered[method] = np.mean((low <= truth) & (truth <= high))
    assert covered["bca"] > covered["percentile"]
    assert covered["bca"] > 0.8


def test_a_constant_has_an_interval_of_no_width_in_every_method():
    found = bootstrap_mean(np.full(10, 2.0), n=50, rng=0)
    for method in ("percentile", "basic", "bca"):
        assert np.allclose(found.interval(0.95, method), (2.0, 2.0))


@pytest.mark.parametrize("paired", [False, True])
def test_permutation_tests_equal_scipy(paired):
    rng = np.random.default_rng(4)
    a = rng.normal(size=25)
    b = a - 0.3 + rng.normal(size=25)
    for alternative in ("two-sided", "greater", "less"):
        ours = permutation_test(a, b, n=2999, paired=paired, alternative=alternative, rng=0).p
        theirs = stats.permutation_test(
            (a, b), lambda x, y, axis: x.mean(axis=axis) - y.mean(axis=axis), vectorized=True, n_resamples=2999,
            permutation_type="samples" if paired else "independent", alternative=alternative, rng=0,
        ).pvalue  # fmt: skip
        assert ours == pytest.approx(theirs, abs=0.035)


def test_p_is_never_zero():
    assert (
        permutation_test(np.arange(20.0) + 100, np.arange(20.0), n=99, alternative="greater", rng=0).p == 0.01
    )


def test_q_values_equal_scipy_and_leave_out_what_was_not_tested():
    p = np.random.default_rng(5).random(200) ** 2
    assert np.allclose(q_values(p), stats.false_discovery_control(p))
    holes = np.insert(p, [0, 50], np.nan)
    assert np.isnan(q_values(holes)).sum() == 2
    assert np.allclose(q_values(holes)[~np.isnan(holes)], q_values(p))
    assert q_values([]).shape == (0,)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bootstrap(np.mean), "at least one array"),
        (lambda: bootstrap(np.mean, []), "at least one unit"),
        (lambda: bootstrap(np.mean, [1.0], n=1), "at least 2"),
        (lambda: bootstrap(np.mean, [1.0], [1.0, 2.0]), "paired=False"),
        (lambda: bootstrap(np.mean, [1.0], [1.0], paired=False, jackknife=True), "need paired=True"),
        (lambda: bootstrap_mean([1.0, np.nan]), "finite"),
        (lambda: bootstrap_mean([1.0, 2.0], groups=[1]), "a group for each of the 2 units"),
        (lambda: bootstrap_intervals([1.0, 2.0], 95), "between 0 and 1"),
        (lambda: bootstrap_intervals([1.0, 2.0], method="bc"), "'percentile', 'basic', 'bca'"),
        (lambda: bootstrap_intervals([1.0, 2.0], method="bca"), "needs estimate and jackknife"),
        (lambda: permutation_test([], [1.0]), "at least one unit"),
        (lambda: permutation_test([1.0], [1.0, 2.0], paired=True), "one length"),
        (lambda: permutation_test([1.0], [1.0], alternative="more"), "'greater', 'less'"),
        (lambda: q_values([1.5]), r"in \[0, 1\]"),
    ],
)
def test_misuse_is_explained(call, message):
    with pytest.raises(ValueError, match=message):
        call()
