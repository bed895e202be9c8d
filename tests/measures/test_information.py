"""Mutual information and its exact null, against scikit-learn, permutations and simulation."""

from __future__ import annotations

from dataclasses import astuple
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_mutual_info_score, mutual_info_score
from sklearn.metrics.cluster import contingency_matrix
from sklearn.metrics.cluster import expected_mutual_information as sklearn_expected

from salience.measures.contingency import Contingency
from salience.measures.counting import CountTable
from salience.measures.hypergeometric import divergence
from salience.measures.information import (
    column_entropy,
    corrected,
    entropy,
    expected_mutual_information,
    mutual_information,
    normalize,
)
from salience.measures.nulls import sample_tables
from salience.measures.nulltable import NullTable

RNG = np.random.default_rng(0)
N = 16384
LABELS = {
    "balanced": lambda n: RNG.integers(0, 2, n),
    "3 %": lambda n: (RNG.random(n) < 0.03).astype(int),
    "3 classes": lambda n: RNG.choice(3, n, p=[0.5, 0.45, 0.05]),
}
COLUMNS = {
    **{f"card {c}": (lambda n, c=c: RNG.integers(0, c, n)) for c in (2, 100, 1000, 5000, 16000)},
    "zipf": lambda n: np.minimum(RNG.zipf(1.3, n), 10**6),
}


def scored(x, y):
    table = Contingency.from_codes(x, y)
    return corrected(table, NullTable(table.label_counts))


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("column", COLUMNS)
def test_null_and_mutual_information_equal_scikit_learn(column, label):
    x, y = COLUMNS[column](N), LABELS[label](N)
    got = scored(x, y)
    assert got.mi == pytest.approx(mutual_info_score(x, y), abs=1e-12)
    assert got.null == pytest.approx(sklearn_expected(contingency_matrix(x, y, sparse=True), N), abs=1e-10)


@pytest.mark.parametrize(("a", "b"), [(3, 700), (400, 400), (1, 5)])
def test_expected_information_of_two_histograms_equals_scikit_learn(a, b):
    x, y = RNG.integers(0, a, 3000), RNG.zipf(1.4, 3000) % b
    got = expected_mutual_information(np.bincount(x), np.bincount(y))
    assert got == pytest.approx(sklearn_expected(contingency_matrix(x, y, sparse=True), 3000), abs=1e-10)
    assert got == pytest.approx(expected_mutual_information(np.bincount(y), np.bincount(x)), abs=1e-13)


@settings(max_examples=40, deadline=None)
@given(
    totals=st.lists(st.integers(1, 30), min_size=1, max_size=12),
    shares=st.lists(st.integers(1, 9), min_size=2, max_size=4),
)
def test_small_supports_are_summed_whole(totals, shares):
    n = sum(totals)
    labels = np.bincount(RNG.choice(len(shares), n, p=np.array(shares) / sum(shares)), minlength=len(shares))
    x, y = np.repeat(np.arange(len(totals)), totals), np.repeat(np.arange(len(shares)), labels)
    null = NullTable(labels)
    expected = sklearn_expected(contingency_matrix(x, y, sparse=True), n)
    assert null.expected(totals).sum() == pytest.approx(expected, abs=1e-12)


def test_the_last_row_of_a_value_changes_its_expectation_by_the_step():
    for labels in ([300, 700], [20, 480, 500], [3, 997], [990, 10]):
        null, counts = NullTable(labels), np.array([1, 2, 3, 17, 250, 995, 999, 1000])
        got = null.moments(counts, np.ones(len(counts)))
        steps = 1000 * (null.expected(counts) - null.expected(counts - 1))
        assert np.allclose(got.step, steps, atol=1e-9), labels


CASES = {
    "dense": lambda n: RNG.integers(0, 4, n),
    "middle": lambda n: RNG.integers(0, 60, n),
    "sparse": lambda n: RNG.integers(0, 700, n),
    "zipf": lambda n: RNG.zipf(1.3, n) % 5000,
    "nearly all one value": lambda n: np.maximum(np.arange(n) - n + 40, 0) // 2,
}


@pytest.mark.parametrize("label", ["balanced", "3 %", "3 classes"])
@pytest.mark.parametrize("column", CASES)
def test_the_null_has_mean_and_deviation_of_permuted_labels(column, label):
    n, replicates = 1500, 1500
    x, y = CASES[column](n), LABELS[label](n)
    table = Contingency.from_codes(x, y)
    got = scored(x, y)
    draws = sample_tables(table.totals, table.label_counts, replicates, 0)
    values = np.array([mutual_information(Contingency.from_counts(counts)) for counts in draws])
    assert abs(values.mean() - got.null) < 4 * values.std() / np.sqrt(replicates)
    assert got.sd == pytest.approx(values.std(), rel=0.08)


def test_p_is_uniform_for_noise_and_tiny_for_a_signal():
    p = np.array([scored(RNG.integers(0, 30, 800), RNG.integers(0, 2, 800)).p for _ in range(400)])
    for level in (0.05, 0.25, 0.5, 0.75):
        assert abs(np.mean(p < level) - level) < 4 * np.sqrt(level * (1 - level) / 400)
    y = RNG.integers(0, 2, 800)
    assert scored(np.where(RNG.random(800) < 0.3, y, RNG.integers(0, 2, 800)), y).p < 1e-6


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize(
    "values", [lambda n: np.arange(n), lambda n: np.zeros(n, dtype=int)], ids=["row id", "constant"]
)
def test_a_row_id_and_a_constant_score_exactly_nothing(values, label):
    got = scored(values(5000), LABELS[label](5000))
    assert (got.score, got.z, got.p, got.sd, got.se) == (0.0, 0.0, 1.0, 0.0, 0.0)


def test_a_constant_label_and_no_rows_give_nothing():
    assert scored(np.arange(10), np.zeros(10, dtype=int)).score == 0.0
    table = Contingency.from_codes(np.zeros(0, dtype=int), np.zeros(0, dtype=int), 2)
    assert astuple(corrected(table, NullTable(table.label_counts))) == (0, 0, 0, 0, 0, 1, 0)


def test_relabelling_the_values_and_reordering_the_rows_change_nothing():
    x, y = RNG.integers(0, 50, 2000), RNG.integers(0, 3, 2000)
    order, names = RNG.permutation(2000), RNG.permutation(10**6)[:50]
    for a, b in zip(astuple(scored(x, y)), astuple(scored(names[x[order]], y[order])), strict=True):
        assert a == pytest.approx(b, rel=1e-9, abs=1e-15)


@pytest.mark.parametrize(
    ("card", "effect"), [(2, 0.3), (20, 0.0), (20, 0.2), (500, 0.0), (500, 0.3), (3000, 0.2)]
)
def test_intervals_of_two_standard_errors_cover_the_mean_score(card, effect):
    rng = np.random.default_rng(card)
    results = []
    for _ in range(200):
        x = rng.integers(0, card, 2000)
        results.append(scored(x, (rng.random(2000) < 0.3 + effect * np.sin(x * 12.9898)).astype(int)))
    score, se = np.array([r.score for r in results]), np.array([r.se for r in results])
    assert se.mean() == pytest.approx(score.std(), rel=0.25)
    assert np.mean(np.abs(score - score.mean()) < 1.96 * se) > 0.9


def sampled(x, y, cap):
    table = CountTable(2, cap)
    identities = np.asarray(x, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    table.add(SimpleNamespace(hashes=identities, codes=None), y.astype(np.int32))
    return table.contingency()


def test_a_sampled_row_id_scores_exactly_nothing():
    y = LABELS["3 %"](30_000)
    table = sampled(np.arange(1, 30_001), y, 1024)
    got = corrected(table, NullTable(table.label_counts))
    assert table.theta < 0.1
    assert (got.score, got.se, got.p) == (0.0, 0.0, 1.0)
    assert got.mi == pytest.approx(entropy(np.bincount(y)), abs=1e-12)


def test_sampling_values_is_nearly_unbiased_and_says_its_error():
    gaps, errors = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        x = rng.integers(1, 8000, 40_000) + np.uint64(seed * 100_000)
        strength = np.random.default_rng(1).random(8000)[(x - np.uint64(seed * 100_000)).astype(int)]
        y = (rng.random(40_000) < strength).astype(int)
        full, part = sampled(x, y, 1 << 20), sampled(x, y, 600)
        exact = corrected(full, NullTable(full.label_counts))
        estimate = corrected(part, NullTable(part.label_counts))
        gaps.append(estimate.score - exact.score)
        errors.append(np.sqrt(estimate.se**2 - exact.se**2))
    assert abs(np.mean(gaps)) < 4 * np.std(gaps) / np.sqrt(60)
    assert np.mean(errors) == pytest.approx(np.std(gaps), rel=0.35)
    assert np.std(gaps) < 0.1 * exact.score


def test_a_sampled_noise_column_is_noise():
    z = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        x = rng.integers(1, 10_000, 20_000) + np.uint64(seed << 20)
        table = sampled(x, rng.integers(0, 2, 20_000), 700)
        z.append(corrected(table, NullTable(table.label_counts)).z)
    assert abs(np.mean(z)) < 4 / np.sqrt(40)
    assert 0.6 < np.std(z) < 1.4


def test_normalisations():
    x, y = RNG.integers(0, 40, 900), RNG.integers(0, 3, 900)
    table, got = Contingency.from_codes(x, y), scored(x, y)
    label = entropy(table.label_counts)
    ami = normalize(
        [got.score], "ami", label_entropy=label, entropies=[column_entropy(table)], null=[got.null]
    )
    assert ami[0] == pytest.approx(adjusted_mutual_info_score(x, y), abs=1e-10)
    assert normalize([0.2], "label_entropy", label_entropy=0.4)[0] == 0.5
    assert normalize([1.0, np.nan, 3.0], "minmax").tolist()[::2] == [0.0, 1.0]
    assert normalize([0.3, 0.3], "minmax").tolist() == [0.0, 0.0]
    with pytest.raises(ValueError, match="'none', 'label_entropy', 'ami', 'minmax'"):
        normalize([1.0], "max")
    with pytest.raises(ValueError, match="needs label_entropy and entropies and null"):
        normalize([1.0], "ami")


def test_the_divergence_keeps_its_digits_near_the_mean():
    for mu in (7.3, 1000.3, 1e9 + 0.5):
        k = np.round(mu * (1 + np.linspace(-0.11, 0.11, 12)))
        exact = [
            float(k_ * np.log1p((np.longdouble(k_) - mu) / mu) - (np.longdouble(k_) - mu))
            for k_ in k.astype(np.longdouble)
        ]
        assert np.allclose([divergence(k_, mu) for k_ in k], exact, rtol=1e-9 if mu > 1e6 else 1e-12)


def test_misuse_is_explained():
    table = Contingency.from_codes([0, 1, 1], [0, 1, 1])
    with pytest.raises(ValueError, match=r"NullTable\(table.label_counts\)"):
        corrected(table, NullTable([2, 2]))
    with pytest.raises(ValueError, match="add up to 3 rows and b_counts to 4"):
        expected_mutual_information([3], [4])
    with pytest.raises(ValueError, match="whole numbers"):
        expected_mutual_information([1.5], [1])
    with pytest.raises(ValueError, match="whole numbers"):
        NullTable([1, -1])
    with pytest.raises(ValueError, match="between 0 and that many"):
        NullTable([1, 1]).expected([3])
    with pytest.raises(ValueError, match="not negative"):
        entropy([1, -1])
