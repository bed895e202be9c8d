"""Vectors of a chosen dimension are what they say."""

import numpy as np
import pytest

from salience.data.generators import clustered_vectors, subspace_vectors
from salience.measures.dimension import local_dimension


def test_the_rank_is_that_of_the_matrix():
    X = subspace_vectors(300, 40, 7)
    assert X.dtype == np.float32
    assert np.linalg.matrix_rank(X, tol=1e-3) == 7
    assert np.linalg.norm(X, axis=1) == pytest.approx(np.ones(300), rel=1e-5)
    assert np.linalg.norm(subspace_vectors(300, 40, 7, normalise=False), axis=1).std() > 0.3


def test_dimension_rises_with_the_rank():
    found = [local_dimension(subspace_vectors(1500, 64, r), 50).mean() for r in (2, 8, 32)]
    assert found == sorted(found)


def test_clusters_differ_in_their_dimension_and_part_with_the_separation():
    X, groups = clustered_vectors(2000, 64, 10, 4.0)
    assert np.linalg.norm(X, axis=1) == pytest.approx(np.ones(2000), rel=1e-5)
    assert set(groups) == set(range(10))
    lid = local_dimension(X, 50)
    assert np.ptp([np.median(lid[groups == g]) for g in range(10)]) > 3
    centres = np.array([X[groups == g].mean(axis=0) for g in range(10)])
    assert np.mean((X @ centres.T).argmax(axis=1) == groups) > 0.98


def test_a_seed_is_one_data_set():
    assert np.array_equal(clustered_vectors(50, 32, 4, seed=1)[0], clustered_vectors(50, 32, 4, seed=1)[0])
    assert not np.array_equal(subspace_vectors(50, seed=1), subspace_vectors(50, seed=2))


@pytest.mark.parametrize(
    "call",
    [
        lambda: subspace_vectors(10, 4, 5),
        lambda: subspace_vectors(0, 4, 2),
        lambda: clustered_vectors(10, 16, 3, ranks=(2, 32)),
        lambda: clustered_vectors(10, 64, 0),
    ],
)
def test_what_cannot_be_drawn_is_refused(call):
    with pytest.raises(ValueError, match=r"at least 1|does not fit"):
        call()
