"""Columns that name nearly every row, by chance: their p-values, over thousands of them."""

from __future__ import annotations

import numpy as np
import pytest

from salience.measures.contingency import Contingency
from salience.measures.information import corrected, mutual_information
from salience.measures.nulls import permutation_null
from salience.measures.nulltable import NullTable

LABELS = {
    "even": [0.5, 0.5],
    "3 %": [0.97, 0.03],
    "three": [0.5, 0.3, 0.2],
    "ten": [0.1] * 10,
    "one of ten": [0.64] + [0.04] * 9,
}


def pairs(n: int, share: float) -> np.ndarray:
    """Codes of n rows, of which a share has a value that another row has too."""
    x, twins = np.arange(n), int(n * share / 2)
    x[:twins] = x[twins : 2 * twins]
    return x


COLUMNS = {
    "unique": lambda n: np.arange(n),
    "one pair": lambda n: pairs(n, 2 / n),
    "1 % pairs": lambda n: pairs(n, 0.01),
    "10 % pairs": lambda n: pairs(n, 0.1),
    "pairs only": lambda n: pairs(n, 1.0),
    "half missing": lambda n: np.maximum(np.arange(n) - n // 2, 0),
    "zipf": lambda n: np.random.default_rng(3).zipf(1.1, n),
    "as many values as rows": lambda n: np.random.default_rng(3).integers(0, n, n),
    "few values": lambda n: np.random.default_rng(3).integers(0, 12, n),
}


def label(shares: list[float], n: int) -> np.ndarray:
    counts = np.round(np.array(shares) * n).astype(int)
    counts[0] += n - counts.sum()
    return np.repeat(np.arange(len(counts)), counts)


def thinned(table: Contingency, theta: float, rng: np.random.Generator) -> Contingency:
    keep = rng.random(len(table.keys)) < theta
    weight = np.full(int(keep.sum()), 1 / theta)
    return Contingency(table.keys[keep], table.counts[keep], weight, table.label_counts, theta=theta)


def chances(column: str, shares: list[float], n: int, columns: int, theta: float = 1.0) -> np.ndarray:
    """The p-values of columns that are dealt out at random."""
    rng, x, y = np.random.default_rng(1), COLUMNS[column](n), label(shares, n)
    null, found = NullTable(np.bincount(y)), []
    for _ in range(columns):
        table = Contingency.from_codes(x, rng.permutation(y))
        found.append(corrected(thinned(table, theta, rng) if theta < 1 else table, null).p)
    return np.array(found)


def at_most(p: np.ndarray, level: float) -> bool:
    """Whether no more p-values than the level says are below it, but for four standard errors."""
    return bool(np.mean(p <= level) <= level + 4 * np.sqrt(level / len(p)))


@pytest.mark.parametrize("column", COLUMNS)
def test_noise_is_found_no_more_often_than_the_level_says(column):
    by_label = {name: chances(column, shares, 600, 160) for name, shares in LABELS.items()}
    for name, p in by_label.items():
        assert at_most(p, 0.05), name
    together = np.concatenate(list(by_label.values()))
    assert at_most(together, 0.01)
    assert at_most(together, 0.001)


@pytest.mark.parametrize("column", ["10 % pairs", "zipf", "as many values as rows"])
def test_noise_is_found_no_more_often_where_values_are_sampled(column):
    for name in ("even", "three", "ten"):
        p = chances(column, LABELS[name], 4000, 100, theta=0.2)
        assert at_most(p, 0.05), name
        assert at_most(p, 0.01), name


@pytest.mark.parametrize("column", ["half missing", "zipf", "as many values as rows", "few values"])
def test_p_is_uniform_where_chance_gives_many_different_scores(column):
    p = chances(column, LABELS["three"], 600, 400)
    for level in (0.2, 0.5, 0.8):
        assert abs(np.mean(p <= level) - level) < 4 * np.sqrt(level * (1 - level) / 400)


def test_twins_of_one_class_are_told_from_chance():
    y = np.random.default_rng(0).integers(0, 10, 2000)
    x = pairs(2000, 0.02)
    y[:20] = y[20:40]
    table = Contingency.from_codes(x, y)
    assert corrected(table, NullTable(table.label_counts)).p < 1e-9


@pytest.mark.parametrize("shares", [[0.5, 0.5], [0.22, 0.78], [1 - 1e-5, 1e-5], [0.6, 0.3, 0.05, 0.03, 0.02]])
@pytest.mark.parametrize("n", [65_536, 400_000, 2_000_000])
def test_a_row_id_scores_exactly_nothing_however_many_rows_there_are(n, shares):
    y = np.random.default_rng(0).permutation(label(shares, n))
    counts = np.zeros((n, len(shares)), dtype=np.int64)
    counts[np.arange(n), y] = 1
    table = Contingency(np.arange(n, dtype=np.uint64), counts, np.ones(n), counts.sum(axis=0))
    got = corrected(table, NullTable(table.label_counts))
    assert (got.score, got.z, got.p, got.sd, got.se) == (0.0, 0.0, 1.0, 0.0, 0.0)


def test_a_sampled_row_id_scores_exactly_nothing_though_no_row_of_a_class_was_sampled():
    counts = np.zeros((1000, 3), dtype=np.int64)
    counts[np.arange(1000), np.arange(1000) % 2] = 1
    labels = np.array([49_990, 49_970, 40])
    table = Contingency(np.arange(1000, dtype=np.uint64), counts, np.full(1000, 100.0), labels, theta=0.01)
    got = corrected(table, NullTable(labels))
    assert (got.score, got.p, got.se) == (0.0, 1.0, 0.0)


def test_replicates_that_are_all_equal_do_not_make_a_value_certain():
    rng, y = np.random.default_rng(0), label([0.1] * 10, 200)
    same = [rng.permutation(y) for _ in range(300)]
    judged = [permutation_null(Contingency.from_codes(pairs(200, 0.01), own), rng=1) for own in same]
    assert any(null.sd == 0.0 and null.observed > null.mean for null in judged)
    assert max(null.z for null in judged) < 10


def test_a_statistic_that_permutation_leaves_as_it_is_differs_from_nothing_by_no_rounding():
    table = Contingency.from_codes(np.arange(5000), np.random.default_rng(0).integers(0, 3, 5000))
    for statistic in (mutual_information, lambda t: float((t.counts / t.label_counts).sum() / 7)):
        null = permutation_null(table, rng=0, statistic=statistic)
        assert (null.observed - null.mean, null.sd, null.z, null.p) == (0.0, 0.0, 0.0, 1.0)
