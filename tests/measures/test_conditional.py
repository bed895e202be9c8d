"""What a column adds to another: against every rearrangement of the labels within the strata."""

from itertools import permutations, product

import numpy as np
import pytest

from salience.measures.conditional import added_information
from salience.measures.contingency import Contingency
from salience.measures.information import corrected
from salience.measures.nulltable import NullTable


def counted(a, b, y, classes):
    """Cells of (a, b), the stratum of each, and the labels of the strata."""
    keys, codes = np.unique(a * 1000 + b, return_inverse=True)
    cells = np.bincount(codes * classes + y, minlength=len(keys) * classes).reshape(-1, classes)
    strata = np.bincount(a * classes + y, minlength=(a.max() + 1) * classes).reshape(-1, classes)
    return Contingency.from_counts(cells), keys // 1000, strata


def entropy_of(*columns):
    counts = np.unique(np.stack(columns), axis=1, return_counts=True)[1] / len(columns[0])
    return -np.sum(counts * np.log(counts))


def conditional(a, b, y):
    return entropy_of(a, b) + entropy_of(a, y) - entropy_of(a, b, y) - entropy_of(a)


@pytest.mark.parametrize(
    ("labels", "classes"), [(([0, 0, 1, 1, 0], [1, 1, 1, 0]), 2), (([0, 1, 2, 2, 0], [1, 1, 0, 2]), 3)]
)
def test_null_and_deviation_are_those_of_all_rearrangements_within_the_strata(labels, classes):
    a = np.repeat([0, 1], [5, 4])
    b = np.array([0, 0, 1, 1, 2, 0, 1, 1, 1])
    found = added_information(*counted(a, b, np.concatenate(labels), classes))
    every = [
        conditional(a, b, np.array([*first, *second]))
        for first, second in product(permutations(labels[0]), permutations(labels[1]))
    ]
    assert found.mi == pytest.approx(conditional(a, b, np.concatenate(labels)))
    assert found.null == pytest.approx(np.mean(every))
    assert found.sd == pytest.approx(np.std(every), rel=1e-6)


def test_with_one_stratum_it_is_the_score_of_the_column():
    rng = np.random.default_rng(0)
    b, y = rng.integers(40, size=600), rng.integers(3, size=600)
    cells, strata, labels = counted(np.zeros(600, dtype=int), b, y, 3)
    found, alone = added_information(cells, strata, labels), corrected(cells, NullTable(cells.label_counts))
    for name in ("mi", "null", "sd", "z", "p", "se"):
        assert getattr(found, name) == pytest.approx(getattr(alone, name), rel=1e-3, abs=1e-12), name


def test_strata_of_one_class_and_of_one_cell_add_nothing():
    found = added_information(
        *counted(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 0]), np.array([1, 1, 0, 1]), 2)
    )
    assert (found.mi, found.score, found.p) == (0.0, 0.0, 1.0)


@pytest.mark.parametrize("rare", [False, True])
def test_noise_beside_a_strong_column_adds_nothing_on_average_and_p_is_even(rare):
    rng = np.random.default_rng(1)
    found = []
    for _ in range(150):
        x = rng.normal(size=2000)
        y = (rng.random(2000) < 1 / (1 + np.exp(3.0 * rare - 1.5 * x))).astype(int)
        a = np.searchsorted(np.linspace(-2, 2, 15), x)
        found.append(added_information(*counted(a, rng.integers(60, size=2000), y, 2)))
    scores, p = np.array([f.score for f in found]), np.array([f.p for f in found])
    assert abs(scores.mean()) < 3 * scores.std() / np.sqrt(150)
    assert np.std([f.z for f in found]) == pytest.approx(1, abs=0.15)
    assert 0.01 <= np.mean(p < 0.05) <= 0.1
    assert np.mean(np.abs(scores) < 1.96 * np.array([f.se for f in found])) > 0.9


def test_a_sample_of_cells_and_strata_is_right_within_its_error():
    rng = np.random.default_rng(2)
    a, b = rng.integers(300, size=20_000), rng.integers(100, size=20_000)
    effect = rng.normal(size=(300, 100))
    y = (rng.random(20_000) < 1 / (1 + np.exp(-effect[a, b]))).astype(int)
    cells, strata, labels = counted(a, b, y, 2)
    whole = added_information(cells, strata, labels).score
    far = []
    for _ in range(60):
        stays, kept = rng.random(300) < 0.5, rng.random(len(strata)) < 0.25
        some = Contingency(
            cells.keys[kept], cells.counts[kept], np.full(kept.sum(), 4.0), cells.label_counts, 0.25
        )
        at = np.where(stays, np.arange(300), -1)[strata[kept]]
        found = added_information(some, at, labels, np.full(300, 2.0))
        far.append((found.score - whole) / found.se)
    assert abs(np.mean(far)) < 3 / np.sqrt(60)
    assert np.mean(np.abs(far) < 1.96) > 0.85
