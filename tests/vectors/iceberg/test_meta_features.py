"""Meta-features: what moves them and what must not."""

import numpy as np
import pytest
from scipy.stats import ortho_group
from sklearn.cluster import MiniBatchKMeans

from salience.data.generators import cone_vectors
from salience.vectors import vector_meta_features
from salience.vectors.iceberg import meta as features
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
@pytest.mark.parametrize("scale", [1e-150, 1e-9, 0.3, 1e5, 1e150])
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


def test_spread_of_lengths_by_hand():
    X = np.array([[1.0, 0], [0, 1], [3, 0], [0, 3]])
    assert vector_meta_features(X, [0, 1, 0, 1]).cv == 0.5


def test_separation_by_hand():
    """Groups at -2 and 2 whose rows lie 1 off their centres: (1 + 1) / 4. By direction they are two points."""
    meta = vector_meta_features([[-3.0], [-1.0], [1.0], [3.0]], [0, 0, 1, 1])
    assert (meta.dbi_e, meta.dbi_c) == (0.5, 0.0)


def test_relative_angle_by_hand():
    X = np.tile(np.eye(2), (4, 1))
    assert vector_meta_features(X, [0, 1] * 4).ra == pytest.approx(45.0)


def test_relative_angle_is_the_mean_of_angles():
    X = np.array([[1.0, 0], [1, 0], [1, 0], [0, 1]])
    angles = np.degrees(np.arctan2([1, 1, 1, 3], [3, 3, 3, 1]))
    assert vector_meta_features(X, [0, 0, 1, 1]).ra == pytest.approx(angles.mean())


def test_a_zero_row_has_no_angle():
    X = np.vstack([np.tile(np.eye(2), (4, 1)), np.zeros(2)])
    assert vector_meta_features(X, [0, 1] * 4 + [0]).ra == pytest.approx(45.0)


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


def test_contrast_far_from_the_origin_is_that_near_it():
    assert relative_contrast(1e9 + np.array([[1.0], [2.0], [6.0]]), [[1e9]])[0] == pytest.approx(3.0)


def test_contrast_in_blocks_is_the_same(blobs, monkeypatch):
    X = np.concatenate([blobs[0], blobs[0][30:35]])
    whole = relative_contrast(X, X[:50])
    monkeypatch.setattr("salience.vectors.iceberg.meta.SCRATCH", 7 * len(X))
    assert relative_contrast(X, X[:50]) == (pytest.approx(whole[0], rel=1e-12), 55)


@pytest.mark.parametrize(("rows", "queries"), [(8, 1), (400, 40), (12_000, 1000)])
def test_a_tenth_of_the_rows_and_a_thousand_at_most_are_held_out_for_the_contrast(rows, queries, monkeypatch):
    given = []
    monkeypatch.setattr(features, "relative_contrast", lambda *sides: given.append(sides) or (2.0, 0))
    X = np.random.default_rng(0).normal(size=(rows, 2))
    vector_meta_features(X, np.arange(rows) % 2)
    base, asked = given[0]
    assert (len(base), len(asked)) == (rows - queries, queries)
    assert len(np.unique(np.concatenate([base, asked]), axis=0)) == rows, "no row is on both sides"


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


def test_a_group_for_every_row_makes_way_for_k_means(blobs):
    assert vector_meta_features(blobs[0], np.arange(400)).groups == "k-means"
    assert vector_meta_features(blobs[0], np.arange(400) // 2).groups == "labels"


@pytest.mark.parametrize(("rows", "groups"), [(4, 2), (8, 2), (400, 20), (10_500, 100)])
def test_k_means_makes_as_many_groups_as_the_root_of_the_rows_and_a_hundred_at_most(
    rows, groups, monkeypatch
):
    made = []

    def spy(clusters, **options):
        made.append(clusters)
        return MiniBatchKMeans(clusters, **options)

    monkeypatch.setattr(features, "MiniBatchKMeans", spy)
    vector_meta_features(np.random.default_rng(0).normal(size=(rows, 2)))
    assert made == [groups]


def test_rows_that_k_means_cannot_part_are_parted_by_their_distance_from_the_first():
    X = np.ones((50, 3))
    X[-2:, 0] += [1e-13, 2e-13]
    groups, _ = features._groups(X, None, X, np.arange(50), np.random.RandomState(0), [])
    assert np.flatnonzero(groups).tolist() == [49]


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


def test_a_sample_of_three_rows_is_refused(blobs):
    with pytest.raises(ValueError, match="sample=3"):
        vector_meta_features(blobs[0], sample=3)
    assert vector_meta_features(blobs[0], sample=4).rows == 4


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
