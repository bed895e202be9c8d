"""Local intrinsic dimension: the analytic law, the hand case, duplicates, and what must not change it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ortho_group

from salience.data.generators import subspace_vectors
from salience.measures.dimension import dimension_of_distances, global_dimension, local_dimension
from salience.measures.neighbors import nearest


@pytest.mark.parametrize("D", [1, 2, 5, 20, 100])
def test_in_a_uniform_ball_the_mean_is_that_of_an_inverse_gamma(D):
    k, draws = 100, 10_000
    rng = np.random.default_rng(D)
    r = np.sort(rng.random((draws, k)) ** (1 / D), axis=1)
    lid = dimension_of_distances(r)
    assert lid.mean() == pytest.approx(D * (k - 1) / (k - 2), rel=0.01)
    assert lid.std() == pytest.approx(D / np.sqrt(k - 3), rel=0.03)
    assert dimension_of_distances(r, estimator="mle_unbiased").mean() == pytest.approx(D, rel=0.01)


def test_the_hand_case():
    lid = dimension_of_distances([[1.0, 2.0, 4.0]], least=2)[0]
    assert lid == pytest.approx(2 / (np.log(4) + np.log(2)))
    assert round(lid, 4) == 0.9618


def test_the_other_forms_are_multiples_of_the_first():
    r = np.sort(np.random.default_rng(0).random((5, 30)), axis=1)
    lid, k = dimension_of_distances(r), 30
    assert dimension_of_distances(r, estimator="mle_unbiased") == pytest.approx(lid * (k - 2) / (k - 1))
    assert dimension_of_distances(r, estimator="mle_all") == pytest.approx(lid * k / (k - 1))


def test_squared_distances_would_halve_it():
    r = np.sort(np.random.default_rng(0).random((50, 40)), axis=1)
    assert dimension_of_distances(r**2) == pytest.approx(dimension_of_distances(r) / 2)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 999), scale=st.floats(1e-3, 1e3), shift=st.floats(-5, 5))
def test_scale_rotation_and_place_do_not_matter(seed, scale, shift):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(60, 4))
    turned = (X @ ortho_group.rvs(4, random_state=seed)) * scale + shift * scale
    assert local_dimension(turned, 20) == pytest.approx(local_dimension(X, 20), rel=1e-3)


def test_in_float64_they_do_not_matter_to_five_digits():
    r = np.sort(np.random.default_rng(0).random((50, 40)), axis=1)
    assert dimension_of_distances(r * 7.3) == pytest.approx(dimension_of_distances(r), rel=1e-5)
    X = np.random.default_rng(1).normal(size=(300, 3)).astype(np.float32)
    for same in (X * 4, X[:, ::-1]):  # exact in float32
        assert local_dimension(same, 50) == pytest.approx(local_dimension(X, 50), rel=1e-5)


def test_what_all_rows_have_in_common_costs_no_digits():
    X = np.random.default_rng(0).normal(size=(500, 8))
    far = X + np.random.default_rng(1).uniform(1e6, 2e6, size=8)  # float32 would see steps of 0.1
    assert local_dimension(far, 50) == pytest.approx(local_dimension(X, 50), rel=1e-5)
    assert local_dimension(far, 50, queries=far[:9]) == pytest.approx(local_dimension(X, 50)[:9], rel=1e-5)
    whole = np.random.default_rng(2).integers(0, 1000, size=(300, 3))
    assert local_dimension(whole + 2**40, 30) == pytest.approx(local_dimension(whole, 30), rel=1e-5)


@pytest.mark.parametrize("rows", [500, 2000])
def test_equals_the_definition(rows):
    X = np.random.default_rng(3).normal(size=(rows, 12))  # above a thousand rows another search is taken
    X[10:40] = X[5]
    r = np.sqrt(((X[:, None] - X[None]) ** 2).sum(axis=2))
    r = np.sort(np.where(r == 0, np.inf, r), axis=1)[:, :60]
    expected = 1 / np.log(r[:, -1:] / r[:, :-1]).mean(axis=1)
    assert local_dimension(X, 60) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("rank", "expected"), [(1, 1.0), (2, 2.0)])
def test_a_line_and_a_plane_in_fifty_dimensions(rank, expected):
    rng = np.random.default_rng(0)
    Z = rng.random((4000, rank))
    X = Z @ np.linalg.qr(rng.normal(size=(50, rank)))[0].T
    interior = (np.abs(Z - 0.5) < 0.3).all(axis=1)
    assert local_dimension(X, 100)[interior].mean() == pytest.approx(expected, rel=0.1)


def test_duplicates_are_not_neighbours():
    X = np.random.default_rng(0).normal(size=(400, 5))
    twice = np.vstack([X, X])
    r = np.sort(np.linalg.norm(twice[0].astype(np.float32) - twice.astype(np.float32), axis=1))
    by_hand = dimension_of_distances(r[r > 0][None, :20])
    found = local_dimension(twice, 20)
    assert np.isfinite(found).all()
    assert found[0] == pytest.approx(by_hand[0], rel=1e-4)
    assert found[:400] == pytest.approx(found[400:])


def test_thousands_of_copies_still_find_twenty_others():
    X = np.random.default_rng(0).normal(size=(100, 3))
    X = np.vstack([X, np.repeat(X[:1] + 5, 3000, axis=0)])
    copies = local_dimension(X, 20)[100:]
    assert np.isfinite(copies).all()
    assert np.ptp(copies) == 0


def test_fewer_than_ten_positive_distances_say_nothing():
    X = np.vstack([np.zeros((200, 2)), np.eye(2), -np.eye(2)])
    assert np.isnan(local_dimension(X, 50)[0])
    r = np.r_[np.zeros(10), np.arange(1.0, 10)]
    assert np.isnan(dimension_of_distances(r[None]))
    assert np.isfinite(dimension_of_distances(np.r_[r, 20.0][None]))


def test_equal_distances_are_an_infinite_dimension():
    assert np.isinf(dimension_of_distances(np.full((1, 20), 0.3)))
    assert np.isinf(local_dimension(np.eye(30), 20)).all()  # a regular simplex


def test_under_the_cosine_only_directions_count():
    X = np.random.default_rng(0).normal(size=(300, 6))
    lengths = np.random.default_rng(1).uniform(0.5, 20, size=(300, 1))
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    assert local_dimension(X * lengths, 50, metric="cosine") == pytest.approx(
        local_dimension(unit, 50), rel=1e-3
    )


def test_rows_of_one_direction_are_duplicates_under_the_cosine():
    X = np.random.default_rng(0).normal(size=(300, 6)).astype(np.float32)  # multiples of float32 are rounded
    both = local_dimension(np.vstack([X, 3 * X, 0.7 * X]), 120, metric="cosine")
    # every distance stands there three times, so only the factor k - 1 differs
    alone = local_dimension(X, 40, metric="cosine") * 119 / (3 * 39)
    assert both == pytest.approx(
        np.tile(alone, 3), rel=1e-4
    )  # distances of rounding errors would pull it towards 0


def test_queries_are_measured_among_the_rows():
    X = np.random.default_rng(0).normal(size=(300, 6))
    found = local_dimension(X, 50, queries=X[:20])
    assert found == pytest.approx(local_dimension(X, 50)[:20], rel=1e-5)  # a query is its row's duplicate


def test_a_sample_of_the_rows_keeps_the_order():
    X = np.vstack([subspace_vectors(1000, 32, 2, seed=1), subspace_vectors(1000, 32, 20, seed=2)])
    sampled = local_dimension(X, 30, reference=600, random_state=0)
    assert sampled[:1000].max() < np.median(sampled[1000:])
    assert np.array_equal(sampled, local_dimension(X, 30, reference=600, random_state=0))


def test_the_memory_does_not_change_the_answer():
    X = np.random.default_rng(0).normal(size=(500, 6))
    X[200:260] = X[7]  # more copies than neighbours, across parts
    assert np.array_equal(local_dimension(X, 30), local_dimension(X, 30, memory=64 * 30 * 90))


def test_progress_is_that_of_the_whole():
    calls = []
    X = np.random.default_rng(0).normal(size=(500, 6))
    local_dimension(X, 30, memory=64 * 30 * 200, progress=lambda done, total: calls.append((done, total)))
    assert len({total for _, total in calls}) == 1
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)
    assert calls[-1][0] == calls[-1][1]


def test_whole_data_have_a_mean_and_a_harmonic_mean():
    found = global_dimension([2.0, 6.0, np.inf, np.nan])
    assert found.mean == 4
    assert found.harmonic == pytest.approx(3 / (1 / 2 + 1 / 6))
    assert (found.unmeasured, found.infinite) == (1, 1)


def test_the_number_is_biased_low_in_high_dimension():
    # what the docs warn of: 128 true dimensions do not show at this number of rows
    assert 25 < local_dimension(subspace_vectors(2000, 128, 128), 100).mean() < 60


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: local_dimension(np.eye(5), 5), "k=5 neighbours of 5 rows"),
        (lambda: local_dimension(np.eye(5), 1), "k=1"),
        (lambda: local_dimension(np.eye(5), 2, metric="ip"), "needs a distance"),
        (lambda: local_dimension(np.zeros((9, 2)), 2, metric="cosine"), "no direction"),
        (lambda: local_dimension(np.full((9, 2), np.nan), 2), "NaN"),
        (
            lambda: dimension_of_distances(np.ones((3, 20)), estimator="mom"),
            "'mle', 'mle_unbiased', 'mle_all'",
        ),
        (lambda: dimension_of_distances([1.0, 2.0]), r"\(n, k\)"),
        (lambda: dimension_of_distances([[1.0, np.nan]]), "finite"),
        (lambda: dimension_of_distances([[1.0, -2.0]]), "not negative"),
        (lambda: dimension_of_distances([[1.0, 2.0]], least=1), "least=1"),
    ],
)
def test_what_cannot_be_measured_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_nearest_gives_true_distances_not_squared_ones():
    assert nearest([[0.0, 0.0], [3.0, 4.0]], k=1)[1].ravel().tolist() == [5.0, 5.0]
