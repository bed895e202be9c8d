"""Measures of association against scipy and scikit-learn."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import chi2_contingency, pearsonr, spearmanr
from scipy.stats.contingency import association
from sklearn.metrics import adjusted_mutual_info_score, homogeneity_score

from salience.measures.association import (
    adjusted_mutual_information,
    chi2,
    cramers_v,
    log_loss_gain,
    max_value_coverage,
    numeric_mutual_information,
    pearson,
    spearman,
    spearman_of_bins,
    theils_u,
)
from salience.measures.contingency import Contingency
from salience.measures.counting import CountTable

RNG = np.random.default_rng(0)
OF_TABLES = (chi2, cramers_v, theils_u, adjusted_mutual_information, max_value_coverage, log_loss_gain)


@pytest.fixture(params=[(3, 2), (40, 3), (300, 2)], ids=str)
def columns(request):
    card, classes = request.param
    x = RNG.integers(0, card, 1200)
    return x, np.where(RNG.random(1200) < 0.3, x % classes, RNG.integers(0, classes, 1200))


def test_table_measures_equal_scipy_and_scikit_learn(columns):
    x, y = columns
    table = Contingency.from_codes(x, y)
    assert chi2(table) == pytest.approx(chi2_contingency(table.counts, correction=False).statistic)
    assert cramers_v(table, bias_correction=False) == pytest.approx(
        association(table.counts, method="cramer")
    )
    assert theils_u(table) == pytest.approx(homogeneity_score(y, x))
    assert adjusted_mutual_information(table) == pytest.approx(adjusted_mutual_info_score(x, y), abs=1e-10)
    assert max_value_coverage(table) == pytest.approx(table.counts.max() / 1200)


def test_log_loss_gain_equals_leave_one_out_encoding_row_by_row(columns):
    x, y = columns
    gains = []
    for i in range(len(y)):
        others = y[(x == x[i]) & (np.arange(len(y)) != i)]
        base = (np.sum(y == y[i]) - 1) / (len(y) - 1)
        gains.append(np.log((np.sum(others == y[i]) + base) / (len(others) + 1)) - np.log(base))
    assert log_loss_gain(Contingency.from_codes(x, y)) == pytest.approx(np.mean(gains))


def test_correction_takes_the_bias_of_many_values_away():
    x, y = RNG.integers(0, 400, 2000), RNG.integers(0, 2, 2000)
    table = Contingency.from_codes(x, y)
    assert cramers_v(table, bias_correction=False) > 0.35
    assert cramers_v(table) < 0.15
    assert log_loss_gain(table) < 0
    assert abs(adjusted_mutual_information(table)) < 0.02


@pytest.mark.parametrize("measure", OF_TABLES, ids=lambda f: f.__name__)
def test_no_rows_one_value_and_one_class_score_nothing(measure):
    empty = Contingency.from_codes(np.zeros(0, dtype=int), np.zeros(0, dtype=int), 2)
    assert measure(empty) == 0.0
    if measure is not max_value_coverage:
        assert measure(Contingency.from_counts([[3, 4]])) == pytest.approx(0.0, abs=1e-12)
        assert measure(Contingency.from_counts([[3], [4]])) == pytest.approx(0.0, abs=1e-12)


def test_a_row_id_gains_no_log_loss():
    assert log_loss_gain(Contingency.from_codes(np.arange(100), RNG.integers(0, 2, 100))) == pytest.approx(
        0.0, abs=1e-12
    )


def test_measures_of_a_sampled_table_estimate_those_of_the_whole():
    x = RNG.integers(1, 6000, 60_000)
    y = (RNG.random(60_000) < RNG.random(6000)[x]).astype(np.int32)
    identities = x.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    tables = []
    for cap in (1 << 20, 1500):
        table = CountTable(2, cap)
        table.add(SimpleNamespace(hashes=identities, codes=None), y)
        tables.append(table.contingency())
    whole, part = tables
    assert part.theta < 0.5
    for measure in (chi2, cramers_v, theils_u, adjusted_mutual_information, log_loss_gain):
        assert measure(part) == pytest.approx(measure(whole), rel=0.1)


def test_correlations_equal_scipy_where_both_are_numbers():
    x = RNG.normal(size=500)
    y = np.round(x + RNG.normal(size=500), 1)
    holes_x, holes_y = x.copy(), y.copy()
    holes_x[:50], holes_y[40:70] = np.nan, np.nan
    assert pearson(holes_x, holes_y) == pytest.approx(pearsonr(x[70:], y[70:])[0])
    assert spearman(holes_x, holes_y) == pytest.approx(spearmanr(x[70:], y[70:])[0])


def test_binned_ranks_are_exact_for_the_bins():
    x, y = RNG.integers(0, 7, 800), RNG.integers(0, 5, 800)
    y = np.minimum(y, x)
    table = np.zeros((7, 5))
    np.add.at(table, (x, y), 1)
    assert spearman_of_bins(table) == pytest.approx(spearmanr(x, y)[0])


@pytest.mark.parametrize("correlation", [pearson, spearman])
def test_correlation_with_a_constant_or_with_nothing_is_zero(correlation):
    assert correlation([0.1 + 0.2] * 3 + [0.3], [1, 2, 3, 4]) == 0.0 or correlation is spearman
    assert correlation([5.0] * 4, [1, 2, 3, 4]) == 0.0
    assert correlation([np.nan, 1], [1, np.nan]) == 0.0
    assert correlation([1e200, 2e200, 3e200], [1, 2, 3]) == pytest.approx(1.0)


def test_numeric_information_finds_what_correlation_does_not_and_is_zero_for_noise():
    x = RNG.normal(size=3000)
    assert numeric_mutual_information(x, x**2 + 0.1 * RNG.normal(size=3000)).score > 0.5
    assert abs(numeric_mutual_information(x, RNG.normal(size=3000)).z) < 4
    noise = [
        numeric_mutual_information(RNG.normal(size=200), RNG.normal(size=200), bins=20).score
        for _ in range(60)
    ]
    assert abs(np.mean(noise)) < 4 * np.std(noise) / np.sqrt(60)


def test_numeric_information_of_a_gaussian_pair_is_near_the_formula():
    x = RNG.normal(size=50_000)
    y = 0.8 * x + 0.6 * RNG.normal(size=50_000)
    assert numeric_mutual_information(x, y).score == pytest.approx(-0.5 * np.log(1 - 0.64), rel=0.05)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pearson([1, 2], [1]), "one length"),
        (lambda: spearman([1, np.inf], [1, 2]), "x holds an infinite value"),
        (lambda: numeric_mutual_information([1, 2], [1, 2], bins=1), "at least 2 bins"),
        (lambda: spearman_of_bins([[1, -1]]), "counts of 0 or more"),
        (lambda: log_loss_gain(Contingency.from_counts([[1, 1]]), smoothing=0), "must be positive"),
        (lambda: Contingency.from_counts([[0.5]]), "whole numbers"),
        (lambda: Contingency.from_counts([1, 2]), "two-dimensional"),
        (lambda: Contingency.from_codes([1], [1, 2]), "one length"),
        (lambda: Contingency.from_codes([0.5], [1]), "integer codes"),
        (lambda: Contingency.from_codes([0], [3], 2), "has class 3, but n_classes is 2"),
    ],
)
def test_misuse_is_explained(call, message):
    with pytest.raises(ValueError, match=message):
        call()
