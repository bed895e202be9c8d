"""Densities on a grid, and information from them: against KDEpy, against integrals, against a bug."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from KDEpy import FFTKDE
from KDEpy.bw_selection import improved_sheather_jones, scotts_rule, silvermans_rule
from scipy import integrate
from scipy.stats import norm
from sklearn.metrics import mutual_info_score

from salience.measures import bandwidths, class_information, joint_density, kernel_information
from salience.measures.density import standardised, ties


def bivariate(r, n=1000, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    return np.vstack([x, r * x + np.sqrt(1 - r**2) * rng.normal(size=n)])


# ---- bandwidths -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "peer"),
    [("silverman", silvermans_rule), ("scott", scotts_rule), ("isj-kdepy", improved_sheather_jones)],
)
def test_a_bandwidth_is_that_of_kdepy(rule, peer):
    samples = np.random.default_rng(0).gamma(3.0, size=(4, 700))
    assert bandwidths(samples, rule) == pytest.approx([peer(row[:, None]) for row in samples], rel=1e-12)


def test_the_fixed_point_of_a_normal_sample_is_near_the_best_width_for_it():
    samples = np.random.default_rng(0).normal(size=(20, 1000))
    assert bandwidths(samples, "isj").mean() == pytest.approx(1.06 * 1000 ** (-1 / 5), rel=0.1)


def test_kdepy_scales_the_fixed_point_by_the_wrong_range():
    samples = np.random.default_rng(0).normal(size=(20, 1000))
    assert (bandwidths(samples, "isj-kdepy") < 0.5 * bandwidths(samples, "isj")).all()


@settings(max_examples=20, deadline=None)
@given(scale=st.floats(1e-3, 1e3), shift=st.floats(-1e3, 1e3))
def test_the_fixed_point_goes_with_the_unit(scale, shift):
    sample = np.random.default_rng(0).normal(size=(1, 300))
    assert bandwidths(scale * sample + shift, "isj") == pytest.approx(
        scale * bandwidths(sample, "isj"), rel=1e-3
    )


@pytest.mark.parametrize("rule", ["silverman", "scott", "isj", "isj-kdepy"])
@pytest.mark.parametrize(
    "sample",
    [np.r_[np.zeros(90), np.ones(10)], np.arange(300) % 3, np.r_[np.zeros(99), 5.0]],
    ids=["two values", "genotypes", "one other value"],
)
def test_ties_have_a_bandwidth(rule, sample):
    assert 0 < bandwidths(sample[None], rule)[0] < np.inf


@pytest.mark.parametrize("rule", ["isj", "isj-kdepy"])
def test_ties_of_few_values_are_left_to_silverman(rule):
    whole = np.round(2 * np.random.default_rng(0).normal(size=(1, 3000)))
    assert bandwidths(whole, rule) == bandwidths(whole, "silverman")


def test_a_constant_sample_has_none():
    assert bandwidths(np.ones((1, 10)), "silverman") == 0


@pytest.mark.parametrize("rule", ["wide", -1.0, 0.0, np.inf])
def test_an_unknown_rule_is_refused(rule):
    with pytest.raises(ValueError, match="bandwidth="):
        bandwidths(np.zeros((1, 5)), rule)


# ---- densities ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("grid", [(300, 300), (128, 128), (65, 100)])
@pytest.mark.parametrize("h", [1.0, 0.3, 0.05])
def test_a_density_is_that_of_kdepy_on_the_same_grid(grid, h):
    x, y = bivariate(0.9)
    a, b, f = joint_density(x, y, bandwidth=h, grid=grid)
    points = np.column_stack([axis.ravel() for axis in np.meshgrid(a, b, indexing="ij")])
    theirs = FFTKDE(kernel="epa", norm=2, bw=h).fit(np.column_stack([x, y])).evaluate(points)
    assert np.abs(f - theirs.reshape(grid)).max() < 1e-10


def test_each_side_has_its_own_bandwidth():
    x, y = bivariate(0.5)
    a, b, f = joint_density(100 * x, y, grid=(64, 64))
    h = bandwidths(np.vstack([100 * x, y]))
    points = np.column_stack([axis.ravel() for axis in np.meshgrid(a / h[0], b / h[1], indexing="ij")])
    scaled = FFTKDE(kernel="epa", norm=2, bw=1.0).fit(np.column_stack([100 * x / h[0], y / h[1]]))
    assert np.abs(f - scaled.evaluate(points).reshape(64, 64) / (h[0] * h[1])).max() < 1e-10


def test_a_grid_of_the_package_fasthdmi_gives_its_information():
    x, y = standardised(bivariate(0.9))
    _, f = FFTKDE(kernel="epa", norm=2).fit(np.column_stack([x, y])).evaluate((300, 300))
    p = f.reshape(300, 300).clip(0)
    p = p / p.sum()
    there = p > 0
    theirs = (p[there] * np.log((p / np.outer(p.sum(1), p.sum(0)))[there])).sum()
    found = kernel_information(x, y, bandwidth=1.0, grid=(300, 300))
    assert found[0, 0] == pytest.approx(theirs, abs=1e-10)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.arange(5.0), np.arange(4.0), "one length"),
        (np.zeros((2, 2)), np.zeros((2, 2)), "one length"),
        ([], [], "one length"),
        ([1.0, np.nan, 2.0], [1.0, 2.0, 3.0], "finite"),
        ([1.0, 1.0, 1.0], [1.0, 2.0, 3.0], "constant"),
    ],
)
def test_what_has_no_density_is_refused(x, y, message):
    with pytest.raises(ValueError, match=message):
        joint_density(x, y)


# ---- information ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rule", "seen"), [("isj-kdepy", 0.838), ("silverman", 0.648), (1.0, 0.152)])
def test_a_correlation_of_nine_tenths_has_about_the_known_information(rule, seen):
    # the truth is .830: smoothing takes information away
    found = [
        kernel_information(x, y, bandwidth=rule, grid=(300, 300))[0, 0]
        for x, y in (standardised(bivariate(0.9, seed=seed)) for seed in range(5))
    ]
    assert np.mean(found) == pytest.approx(seen, abs=0.04)


def test_independent_columns_have_almost_none():
    rng = np.random.default_rng(0)
    found = kernel_information(standardised(rng.normal(size=(20, 1000))), rng.normal(size=1000))
    assert found.mean() < 0.03


def test_a_smaller_grid_changes_little():
    x = standardised(np.vstack([bivariate(r, seed=1)[1] for r in (0.2, 0.6, 0.9)]))
    y = bivariate(0.2, seed=1)[0]
    fine, coarse = (kernel_information(x, y, grid=grid) for grid in ((300, 300), (128, 128)))
    assert coarse == pytest.approx(fine, abs=0.01)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), r=st.floats(-0.95, 0.95))
def test_information_is_symmetric_and_never_negative(seed, r):
    x, y = standardised(bivariate(r, n=200, seed=seed))
    there, back = kernel_information(x, y), kernel_information(y, x)
    assert there[0, 0] == pytest.approx(back[0, 0], abs=1e-9)
    assert there[0, 0] >= 0


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), scale=st.floats(1e-3, 1e3), shift=st.floats(-10, 10))
def test_information_does_not_see_units(seed, scale, shift):
    x, y = bivariate(0.7, n=200, seed=seed)
    plain = kernel_information(x, y)[0, 0]
    assert kernel_information(-scale * x + shift, y)[0, 0] == pytest.approx(plain, abs=1e-6)


def test_many_columns_and_orders_at_once_are_those_one_by_one():
    rng = np.random.default_rng(0)
    columns, y = rng.normal(size=(19, 200)), rng.normal(size=200)
    orders = np.array([rng.permutation(200) for _ in range(3)])
    together = kernel_information(columns, y, orders=orders)
    for turn, order in enumerate(orders):
        alone = [kernel_information(column, y[order])[0, 0] for column in columns]
        assert together[turn] == pytest.approx(alone, abs=1e-12)


def test_constant_columns_have_no_information():
    y = np.random.default_rng(0).normal(size=50)
    assert kernel_information(np.vstack([np.ones(50), y]), y)[0, 0] == 0
    assert kernel_information(y, np.ones(50))[0, 0] == 0
    assert class_information(np.ones(50), np.arange(50) % 2)[0, 0] == 0


# ---- classes --------------------------------------------------------------------------------------------


def information_of_two_normals(m):
    """By quadrature: equal shares at -m and m, variance 1."""

    def integrand(t):
        one, two = norm.pdf(t, m), norm.pdf(t, -m)
        both = (one + two) / 2
        return (one * np.log(one / both) + two * np.log(two / both)) / 2

    return integrate.quad(integrand, -12, 12)[0]


@pytest.mark.parametrize("m", [0.25, 0.5, 1.0, 2.0])
def test_two_normal_classes_have_the_information_of_the_integral(m):
    rng = np.random.default_rng(0)
    g = np.arange(4000) % 2
    x = rng.normal(size=4000) + np.where(g, m, -m)
    assert class_information(standardised(x), g)[0, 0] == pytest.approx(
        information_of_two_normals(m), abs=0.02
    )


def test_classes_that_differ_in_spread_only_are_seen():
    # the package takes one number of each class's density, a constant: it is blind here and everywhere
    rng = np.random.default_rng(0)
    g = np.arange(1000) % 3
    x = rng.normal(size=1000) * np.array([0.5, 1.0, 2.0])[g]
    assert class_information(standardised(x), g)[0, 0] > 0.15
    assert class_information(standardised(x), rng.permutation(g))[0, 0] < 0.03


def entropy(p):
    return -p * np.log(p) - (1 - p) * np.log(1 - p)


@pytest.mark.parametrize("rule", ["silverman", "scott", "isj", 0.3, 1.0])
def test_a_spike_has_the_information_of_its_table_and_not_of_how_wide_it_is_smoothed(rule):
    # nine rows of ten are 0, as capital gains are; only how often they are 0 goes with the class
    rng = np.random.default_rng(0)
    g = rng.random(5000) < 0.25
    there = rng.random(5000) < np.where(g, 0.21, 0.05)
    x = standardised(np.where(there, rng.lognormal(8, 1.3, 5000), 0.0))
    truth = entropy(0.25 * 0.21 + 0.75 * 0.05) - 0.25 * entropy(0.21) - 0.75 * entropy(0.05)
    assert class_information(x, g)[0, 0] == pytest.approx(truth, abs=0.01)
    assert class_information(x, g, bandwidth=rule)[0, 0] == pytest.approx(truth, abs=0.01)
    orders = np.array([np.arange(5000), rng.permutation(5000)])
    found = class_information(np.vstack([x, x**2, g[None] * 1.0]), g, bandwidth=rule, orders=orders)
    assert found[0, 0] == class_information(x, g, bandwidth=rule)[0, 0]
    assert found[0, 2] == pytest.approx(entropy(g.mean()))
    assert found[1].max() < 0.01


def test_what_is_beside_a_spike_counts_too():
    rng = np.random.default_rng(0)
    g = np.arange(4000) % 2
    spike = rng.random(4000) < 0.5
    x = np.where(spike, 0.0, rng.normal(size=4000) + np.where(g, 1.0, -1.0))
    assert class_information(x, g)[0, 0] == pytest.approx(information_of_two_normals(1.0) / 2, abs=0.02)


@pytest.mark.parametrize("rule", ["silverman", "scott", "isj"])
def test_whole_numbers_have_no_more_information_than_their_table(rule):
    # years of education and an income: many rows make the bandwidth narrower than a year
    rng = np.random.default_rng(0)
    g = rng.random(20_000) < 0.1
    x = np.round(2 * rng.normal(size=20_000) + 10 + 2 * g)
    found = class_information(standardised(x), g, bandwidth=rule)[0, 0]
    table = mutual_info_score(x, g)
    assert 0.8 * table < found < 1.1 * table


def test_few_values_have_the_information_of_their_table():
    rng = np.random.default_rng(0)
    g = np.arange(3000) % 2
    x = np.where(rng.random(3000) < 0.4, 0, 1 + (rng.random(3000) < 0.4 + 0.2 * g))
    assert class_information(x, g)[0, 0] == pytest.approx(mutual_info_score(x, g), abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=30))
def test_an_atom_is_a_value_of_more_than_a_third(values):
    (value,), (step,) = ties([values])
    assert step == np.ptp(values) / max(len(set(values)) - 1, 1)
    times = np.bincount(values)
    if 3 * times.max() > len(values):
        assert times[int(value)] == times.max()
    else:
        assert np.isnan(value)


def test_classes_of_two_rows_are_left_out():
    rng = np.random.default_rng(0)
    g = np.r_[np.zeros(50, int), np.ones(50, int), [2, 2]]
    x = standardised(rng.normal(size=102) + 3 * g)
    assert class_information(x, g) > 0.3
    assert class_information(x[:, 48:52], g[48:52])[0, 0] == 0


def test_orders_of_the_classes_are_scored_one_by_one():
    rng = np.random.default_rng(0)
    g, x = np.arange(90) % 2, standardised(rng.normal(size=(4, 90)))
    orders = np.array([rng.permutation(90) for _ in range(3)])
    together = class_information(x, g, orders=orders)
    assert together == pytest.approx(np.vstack([class_information(x, g[order]) for order in orders]))
