"""Meta-features: what moves them and what must not."""

import numpy as np
import pytest
from scipy.stats import ortho_group

from salience.data.generators import cone_vectors
from salience.vectors import vector_meta_features
from salience.vectors.iceberg.meta import relative_contrast

NUMBERS = ("dbi_e", "dbi_c", "cv", "ra", "rc")


@pytest.fixture(scope="module")
def blobs():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 5, 400)
    return rng.normal(size=(5, 6))[y] * 3 + rng.normal(size=(400, 6)), y


def numbers(meta):
    return np.array([getattr(meta, name) for name in NUMBERS])


@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize("scale", [1e-6, 0.3, 1e5])
def test_scaling_changes_nothing(blobs, scale, labelled):
    X, y = blobs
    y = y if labelled else None
    assert numbers(vector_meta_features(X * scale, y)) == pytest.approx(
        numbers(vector_meta_features(X, y)), rel=1e-7
    )


def test_a_rotation_changes_nothing(blobs):
    X, y = blobs
    turned = X @ ortho_group.rvs(6, random_state=0)
    assert numbers(vector_meta_features(turned, y)) == pytest.approx(
        numbers(vector_meta_features(X, y)), rel=1e-9
    )


def test_a_move_leaves_distances_and_changes_angles(blobs):
    X, y = blobs
    before, after = vector_meta_features(X, y), vector_meta_features(X + 50.0, y)
    assert after.dbi_e == pytest.approx(before.dbi_e, rel=1e-9)
    assert after.rc == pytest.approx(before.rc, rel=1e-9)
    assert after.ra < 5 < before.ra


def test_relative_angle_by_hand():
    X = np.tile(np.eye(2), (4, 1))
    assert vector_meta_features(X, [0, 1] * 4).ra == pytest.approx(45.0)


def test_relative_angle_is_the_mean_of_angles():
    X = np.array([[1.0, 0], [1, 0], [1, 0], [0, 1]])
    angles = np.degrees(np.arctan2([1, 1, 1, 3], [3, 3, 3, 1]))
    assert vector_meta_features(X, [0, 0, 1, 1]).ra == pytest.approx(angles.mean())


def test_no_direction_stands_out_is_90_degrees():
    X = np.concatenate([np.eye(3), -np.eye(3)])
    assert vector_meta_features(X, [0, 1] * 3).ra == 90.0


def test_contrast_of_a_regular_simplex_is_one():
    assert relative_contrast(np.eye(9)[:8], np.eye(9)[8:]) == (pytest.approx(1.0), 0)


def test_contrast_by_hand():
    assert relative_contrast([[1.0], [2.0], [6.0]], [[0.0]])[0] == pytest.approx(3.0)


def test_contrast_is_a_quotient_of_means_over_queries():
    found, _ = relative_contrast([[1.0], [2.0], [6.0]], [[0.0], [4.0]])
    assert found == pytest.approx((3 + 7 / 3) / (1 + 2))


def test_copies_do_not_make_the_contrast_infinite(blobs):
    X, _ = blobs
    twice = np.concatenate([X, X])
    meta = vector_meta_features(twice)
    assert np.isfinite(meta.rc)
    assert meta.duplicates > 0
    assert "left out of RC" in str(meta)
    assert relative_contrast(X, X[:50])[1] == 50


def test_a_copy_is_neither_the_nearest_nor_in_the_mean():
    assert relative_contrast([[0.0], [2.0], [6.0]], [[0.0]]) == (pytest.approx(2.0), 1)


def test_all_queries_copies_of_all_rows_has_no_contrast():
    assert np.isnan(relative_contrast(np.ones((3, 2)), np.ones((2, 2)))[0])


def test_far_from_the_origin_copies_are_still_found():
    X = 1e6 + np.random.default_rng(1).normal(size=(50, 4))
    assert relative_contrast(X, X[:10])[1] == 10


def test_few_labels_in_the_sample_make_way_for_k_means(blobs):
    X, _ = blobs
    meta = vector_meta_features(X, np.zeros(len(X)))
    assert meta.groups == "k-means"
    assert any("k-means" in note for note in meta.notes)
    assert vector_meta_features(X, np.arange(len(X)) % 7).groups == "labels"


def test_the_sample_is_seeded_and_bounded(blobs):
    X, y = blobs
    assert vector_meta_features(X, y, 100).rows == 100
    assert vector_meta_features(X, y, 100) == vector_meta_features(X, y, 100)
    assert vector_meta_features(X, y, 100) != vector_meta_features(X, y, 100, random_state=1)


def test_zero_rows_are_said(blobs):
    X = blobs[0].copy()
    X[7] = 0
    meta = vector_meta_features(X)
    assert any("1 rows are zero" in note for note in meta.notes)
    assert np.isfinite(numbers(meta)).all()


@pytest.mark.parametrize(
    ("X", "words"),
    [
        (np.ones((20, 3)), "equal"),
        (np.zeros((20, 3)), "equal"),
        (np.eye(3), "n_samples = 3"),
        (np.full((9, 2), np.nan), "NaN"),
        (np.eye(9) * 1e200, "too large to square"),
        (np.ones(5), "single vector"),
    ],
)
def test_vectors_without_meta_features_are_refused(X, words):
    with pytest.raises(ValueError, match=words):
        vector_meta_features(X)


def test_labels_of_another_length_are_refused(blobs):
    with pytest.raises(ValueError, match="3 labels for 400 rows"):
        vector_meta_features(blobs[0], [0, 1, 2])


def test_only_the_sample_of_a_mapped_file_is_read(tmp_path, blobs):
    X, y = blobs
    np.save(tmp_path / "x.npy", X)
    assert vector_meta_features(np.load(tmp_path / "x.npy", mmap_mode="r"), y) == vector_meta_features(X, y)


def test_the_cone_has_the_angle_of_the_paper():
    X, y = cone_vectors()
    assert vector_meta_features(X, y).ra == pytest.approx(2.8, abs=0.3)
