"""Orders of insertion, and dimensions as scores."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from salience.data.generators import subspace_vectors
from salience.results import Scores
from salience.vectors import HNSW_PRESETS, insertion_order, local_intrinsic_dimension

X = np.random.default_rng(0).normal(size=(6, 3))
LID = [3.0, np.nan, 1.0, np.inf, 2.0, 1.0]
GROUPS = ["b", "a", "b", "a", "a", "c"]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"descending": False}, [2, 5, 4, 0, 1, 3]),
        ({"descending": True}, [0, 4, 2, 5, 1, 3]),
        ({"by": "category", "groups": GROUPS}, [0, 2, 1, 3, 4, 5]),
        ({"by": "category", "groups": GROUPS, "group_order": ["c", "a", "b"]}, [5, 1, 3, 4, 0, 2]),
        # medians: b 2, a 2 (of the one that is finite), c 1; within them by dimension
        ({"groups": GROUPS, "descending": False}, [5, 2, 0, 4, 1, 3]),
        ({"groups": GROUPS, "descending": True}, [0, 2, 4, 1, 3, 5]),
        ({"groups": [*"ddeeff"], "descending": False}, [2, 3, 5, 4, 0, 1]),
    ],
)
def test_rows_stand_as_the_order_says(said, expected):
    assert insertion_order(X, lid=LID, **said).tolist() == expected


def test_rows_without_a_finite_dimension_come_last_either_way():
    for descending in (True, False):
        assert insertion_order(X, lid=LID, descending=descending)[-2:].tolist() == [1, 3]


@given(
    seed=st.integers(0, 2**31), descending=st.booleans(), by=st.sampled_from(["lid", "random", "category"])
)
def test_every_order_is_a_permutation(seed, descending, by):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 40))
    order = insertion_order(
        np.ones((n, 1)),
        by,
        descending,
        groups=rng.integers(3, size=n),
        lid=rng.normal(size=n),
        random_state=seed,
    )
    assert sorted(order.tolist()) == list(range(n))


def test_random_orders_follow_the_seed():
    a, b, c = (insertion_order(np.ones((50, 1)), "random", random_state=s) for s in (0, 0, 1))
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)


def test_dimensions_are_measured_when_not_given_and_may_be_scores():
    rows = np.vstack([subspace_vectors(200, 32, 2, seed=1), subspace_vectors(200, 32, 20, seed=2)])
    order = insertion_order(rows, "lid", k=30)
    assert (order[:180] >= 200).mean() > 0.95  # the complex ones first
    lid = local_intrinsic_dimension(rows, 30)
    assert np.array_equal(order, insertion_order(rows, lid=lid))
    assert np.array_equal(order, insertion_order(rows, lid=np.asarray(lid)))


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"by": "size"}, "'random', 'category', 'lid'"),
        ({"by": "category"}, "groups="),
        ({"lid": [1.0, 2.0]}, "each of the 6 rows"),
        ({"lid": LID, "groups": ["a"]}, "each of the 6 rows"),
        ({"by": "category", "groups": GROUPS, "group_order": ["a", "b"]}, "lacks 'c'"),
    ],
)
def test_what_makes_no_order_is_refused(said, message):
    with pytest.raises(ValueError, match=message):
        insertion_order(X, **said)


def test_dimensions_are_scores_of_rows():
    rows = subspace_vectors(500, 32, 6)
    scores = local_intrinsic_dimension(rows)
    assert isinstance(scores, Scores)
    assert (scores.item, scores.keys, len(scores.items)) == ("row", ("row",), 500)
    assert scores.meta.params["k"] == 100
    assert scores.meta.unit == "dimensions"
    assert scores.meta.extra["mean"] == pytest.approx(np.asarray(scores).mean())
    assert scores.meta.extra["harmonic"] < scores.meta.extra["mean"]
    # fewer rows, fewer neighbours
    assert local_intrinsic_dimension(rows[:50]).meta.params["k"] == 49


def test_rows_that_are_mostly_copies_are_flagged_and_counted():
    rows = np.vstack([np.zeros((200, 2)), np.eye(2), -np.eye(2)])
    scores = local_intrinsic_dimension(rows)
    assert scores.frame["flag"].to_list() == ["too_few"] * 200 + [None] * 4
    assert scores.meta.extra["unmeasured"] == 200
    assert any("no dimension" in note for note in scores.meta.warnings)


def test_few_neighbours_are_warned_of():
    with pytest.warns(UserWarning, match="only 12 neighbours"):
        local_intrinsic_dimension(subspace_vectors(100, 8, 2), 12)


def test_a_sample_of_rows_says_so():
    scores = local_intrinsic_dimension(subspace_vectors(500, 8, 2), 50, reference=200)
    assert any("among 200 random rows of 500" in note for note in scores.meta.warnings)


def test_of_very_many_rows_a_sample_is_taken_unasked(monkeypatch):
    monkeypatch.setattr("salience.vectors.hnsw.dimension.ALL_UP_TO", 300)
    monkeypatch.setattr("salience.vectors.hnsw.dimension.REFERENCE", 200)
    assert local_intrinsic_dimension(subspace_vectors(301, 8, 2), 50).meta.params["reference"] == 200
    assert local_intrinsic_dimension(subspace_vectors(300, 8, 2), 50).meta.params["reference"] is None


def test_inner_products_are_measured_between_directions():
    rows = np.random.default_rng(0).normal(size=(300, 5))
    by_ip, by_cosine = (np.asarray(local_intrinsic_dimension(rows, metric=m)) for m in ("ip", "cosine"))
    assert np.array_equal(by_ip, by_cosine)


def test_threads_and_progress_change_nothing():
    rows, calls = subspace_vectors(400, 16, 4), []
    one = local_intrinsic_dimension(rows, n_jobs=1, progress=lambda done, total: calls.append((done, total)))
    assert np.array_equal(np.asarray(one), np.asarray(local_intrinsic_dimension(rows, n_jobs=2)))
    assert calls[-1][0] == calls[-1][1]


@pytest.mark.parametrize(
    ("rows", "k", "message"),
    [
        (np.ones((30, 4)), None, "same vector"),
        (np.eye(10), 10, "k=10"),
        (np.full((30, 4), np.nan), None, "NaN"),
        (np.ones((1, 4)), None, "at least two other rows"),
        (np.ones((0, 4)), None, "empty"),
        (np.ones(4), None, "matrix"),
    ],
)
def test_rows_without_a_dimension_are_refused(rows, k, message):
    with pytest.raises(ValueError, match=message):
        local_intrinsic_dimension(rows, k)


def test_presets_are_plain_data_that_cannot_be_changed():
    assert HNSW_PRESETS["pgvector"] == {"M": 16, "ef_construction": 64, "ef_search": 40}
    assert HNSW_PRESETS["faiss"] == {"M": 32, "ef_construction": 40, "ef_search": 16}
    assert HNSW_PRESETS["hnswlib"] == {"M": 16, "ef_construction": 200, "ef_search": 10}
    assert HNSW_PRESETS["marqo-v2"] == {"M": 16, "ef_construction": 512, "ef_search": 2000}
    assert HNSW_PRESETS["paper"] == {"M": 16, "ef_construction": 128, "ef_search": 40}
    with pytest.raises(TypeError):
        HNSW_PRESETS["mine"] = {}


def test_presets_are_what_the_libraries_have_by_default():
    faiss, hnswlib = pytest.importorskip("faiss"), pytest.importorskip("hnswlib")
    graph = faiss.HNSW()
    assert HNSW_PRESETS["faiss"] == {
        "M": graph.nb_neighbors(1), "ef_construction": graph.efConstruction, "ef_search": graph.efSearch,
    }  # fmt: skip
    graph = hnswlib.Index("l2", 4)
    graph.init_index(10)
    assert HNSW_PRESETS["hnswlib"] == {
        "M": graph.M,
        "ef_construction": graph.ef_construction,
        "ef_search": graph.ef,
    }
