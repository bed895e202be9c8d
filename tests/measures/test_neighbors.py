"""Exact neighbours: equal to the definition, whatever the blocks, the types and the ties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from salience.measures import candidates, neighbors
from salience.measures.neighbors import METRICS, nearest, nearest_by
from salience.measures.vectors import VectorError


def by_definition(base, queries, k, metric, itself=False):
    """The k best in float64, ties by the lower row."""
    b = np.asarray(base, dtype=np.float32).astype(np.float64)
    q = np.asarray(queries, dtype=np.float32).astype(np.float64)
    worst_last = {
        "l2": lambda: ((q[:, None] - b[None]) ** 2).sum(axis=2),
        "ip": lambda: -(q @ b.T),
        "cosine": lambda: -(q @ b.T) / np.outer(np.linalg.norm(q, axis=1), np.linalg.norm(b, axis=1)),
    }[metric]()
    if itself:
        np.fill_diagonal(worst_last, np.inf)
    return np.argsort(worst_last, axis=1, kind="stable")[:, :k]


def whole_numbers(seed, shape, low=-3, high=4):
    """Vectors full of ties, none of them zero."""
    drawn = np.random.default_rng(seed).integers(low, high, shape).astype(np.float64)
    drawn[~drawn.any(axis=1)] = 1.0
    return drawn


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 300), st.integers(1, 40), st.integers(1, 9), st.integers(0, 10**6), st.data())
def test_equals_the_definition_with_ties(n, m, d, seed, data):
    k = data.draw(st.integers(1, n))
    base, queries = whole_numbers(seed, (n, d)), whole_numbers(seed + 1, (m, d))
    found = nearest_by(base, queries, k)
    for metric in ("l2", "ip"):  # whole numbers: exact in float64, so ties are ties
        assert (found[metric][0] == by_definition(base, queries, k, metric)).all()


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("k", [1, 7, 100])
def test_equals_the_definition_over_several_tiles(metric, k):
    rng = np.random.default_rng(k)
    base, queries = rng.normal(size=(5000, 17)), rng.normal(size=(70, 17))
    indices, values = nearest(base, queries, k, metric=metric)
    assert (indices == by_definition(base, queries, k, metric)).all()
    assert indices.dtype == np.int64
    assert values.dtype == np.float32


@settings(max_examples=40, deadline=None)
@given(n=st.integers(48, 300), k=st.integers(1, 20), seed=st.integers(0, 10**6), itself=st.booleans())
def test_guessed_floors_change_nothing(n, k, seed, itself):
    base = whole_numbers(seed, (n, 4))
    queries = base if itself else whole_numbers(seed + 1, (20, 4))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbors, "SAMPLE", 24)
        patch.setattr(neighbors, "MANY", 2)
        found = nearest_by(base, None if itself else queries, k)
    for metric in ("l2", "ip"):
        assert (found[metric][0] == by_definition(base, queries, k, metric, itself)).all()


@pytest.mark.parametrize("itself", [False, True])
def test_a_guess_that_was_too_high_is_found_out(monkeypatch, itself):
    base = np.random.default_rng(0).normal(size=(3000, 6)).astype(np.float32)
    queries = None if itself else base[:50] + 0.1
    plain = nearest_by(base, queries, 30)
    monkeypatch.setattr(neighbors, "SAMPLE", 256)
    monkeypatch.setattr(neighbors, "CAUTION", -3.0)  # hardly a row lies above such a floor
    for metric, (indices, values) in nearest_by(base, queries, 30).items():
        assert np.array_equal(indices, plain[metric][0])
        assert np.array_equal(values, plain[metric][1])
    monkeypatch.setattr(neighbors._Best, "missed", lambda self, slack: np.empty(0, dtype=np.int64))
    assert not np.array_equal(nearest_by(base, queries, 30)["l2"][0], plain["l2"][0])


def test_what_cannot_be_used_is_named_by_its_own_row_though_a_sample_is_drawn(monkeypatch):
    monkeypatch.setattr(neighbors, "SAMPLE", 64)
    base = np.ones((1000, 3), dtype=np.float32)
    base[777] = np.nan
    with pytest.raises(VectorError, match="row 777 of base"):
        nearest(base, base[:2], 3)


def test_values_are_distances_and_similarities():
    base, query = [[3.0, 4.0], [6.0, 8.0]], [[3.0, 4.0]]
    found = nearest_by(base, query, 2)
    assert found["l2"][1].tolist() == [[0.0, 5.0]]
    assert found["ip"][1].tolist() == [[50.0, 25.0]]
    assert found["cosine"][1] == pytest.approx(1.0)
    assert found["cosine"][0].tolist() == [[0, 1]]


def test_small_distances_far_from_the_origin_are_not_lost():
    # |q|^2 - 2 q.b + |b|^2 in float32 sees only zeros here
    base = np.array([[4096.0, 0.0], [4096.0, 0.25], [4096.0, 0.5]])
    indices, values = nearest(base, [[4096.0, 0.3]], 3)
    assert indices.tolist() == [[1, 2, 0]]
    assert values[0] == pytest.approx([0.05, 0.2, 0.3], abs=1e-6)


@pytest.mark.parametrize("k", [1, 2, 50, 300])
def test_equal_rows_tie_by_the_lower_row_even_when_they_are_most_of_the_base(k):
    base = np.random.default_rng(0).normal(size=(6000, 24))
    base[500:5500] = base[3]
    for metric, (indices, _) in nearest_by(base, base[3:4], k).items():
        assert indices.tolist() == by_definition(base, base[3:4], k, metric).tolist()
    assert nearest(base, base[3:4], 5)[0].tolist() == [[3, 500, 501, 502, 503]]


def test_a_row_is_not_its_own_neighbour_but_its_duplicate_is():
    base = np.array([[1.0, 0.0], [1.0, 0.0], [9.0, 0.0]])
    assert nearest(base, k=1)[0].ravel().tolist() == [1, 0, 0]
    assert nearest(base, base, k=1)[0].ravel().tolist() == [0, 0, 2]


@pytest.mark.parametrize("metric", METRICS)
def test_the_base_against_itself_equals_the_definition(metric):
    base = np.random.default_rng(1).normal(size=(2500, 6))
    assert (nearest(base, k=9, metric=metric)[0] == by_definition(base, base, 9, metric, itself=True)).all()


def test_blocks_and_groups_do_not_change_the_answer():
    rng = np.random.default_rng(2)
    base, queries = rng.normal(size=(5000, 8)).round(1), rng.normal(size=(700, 8)).round(1)
    whole = nearest_by(base, queries, 20)
    for memory in (1, 2**18):  # the least there is: blocks of 1024 rows, groups of 256 queries
        parts = nearest_by(base, queries, 20, memory=memory)
        for metric in METRICS:
            assert (parts[metric][0] == whole[metric][0]).all()
            assert (parts[metric][1] == whole[metric][1]).all()


def test_the_number_of_threads_does_not_change_the_answer(monkeypatch):
    rng = np.random.default_rng(3)
    base, queries = rng.normal(size=(3000, 8)).round(1), rng.normal(size=(300, 8)).round(1)
    answers = []
    for threads in (1, 3):
        monkeypatch.setattr(neighbors, "blas_threads", lambda threads=threads: threads)
        answers.append(nearest(base, queries, 10))
    assert (answers[0][0] == answers[1][0]).all()
    assert (answers[0][1] == answers[1][1]).all()


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.int8, np.uint8, bool])
def test_other_types_are_taken_as_float32(dtype):
    base = np.random.default_rng(4).integers(0, 2, (200, 12)).astype(dtype)
    base[:, 0] = 1
    asked = base[:9].astype(np.float32)
    assert (nearest(base, asked, 5)[0] == nearest(base.astype(np.float32), asked, 5)[0]).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_a_mapped_file_is_read_in_blocks(tmp_path, dtype):
    base = np.random.default_rng(5).normal(size=(4000, 10)).astype(dtype)
    np.save(tmp_path / "base.npy", base)
    mapped = np.load(tmp_path / "base.npy", mmap_mode="r")
    assert (nearest(mapped, base[:20], 6, memory=1)[0] == nearest(base, base[:20], 6)[0]).all()


@pytest.mark.parametrize(
    "layout", [np.asfortranarray, lambda x: x[::-1], lambda x: np.repeat(x, 2, axis=1)[:, ::2]]
)
def test_any_layout_in_memory(layout):
    base = layout(np.random.default_rng(6).normal(size=(300, 5)).astype(np.float32))
    assert (nearest(base, base[:7], 4)[0] == nearest(base.copy(), base[:7].copy(), 4)[0]).all()


def test_frames_are_vectors_too():
    pandas = pytest.importorskip("pandas")
    base = np.random.default_rng(7).normal(size=(30, 4))
    assert (nearest(pandas.DataFrame(base), k=3)[0] == nearest(base, k=3)[0]).all()


def test_one_metric_alone_and_all_together_agree():
    base = np.random.default_rng(8).normal(size=(1000, 5))
    together = nearest_by(base, base[:50] + 0.1, 8)
    for metric in METRICS:
        assert (together[metric][0] == nearest(base, base[:50] + 0.1, 8, metric=metric)[0]).all()


def test_all_metrics_rank_alike_on_unit_vectors():
    base = np.random.default_rng(9).normal(size=(2000, 32))
    base /= np.linalg.norm(base, axis=1, keepdims=True)
    found = nearest_by(base[200:], base[:200], 10)
    same = np.mean(found["l2"][0] == found["cosine"][0]), np.mean(found["ip"][0] == found["cosine"][0])
    assert min(same) > 0.999  # unit vectors have unit norm to the last bit of float32 only


def test_progress_ends_at_all_pairs():
    seen = []
    base = np.random.default_rng(10).normal(size=(3000, 4))
    nearest(base, base[:300], 2, memory=1, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (900_000, 900_000)
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})
    assert len(seen) > 3


def test_interrupting_the_progress_leaves_the_search_usable():
    base = np.random.default_rng(11).normal(size=(3000, 4))

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        nearest(base, k=2, progress=stop)
    assert nearest(base, k=2)[0].shape == (3000, 2)


def test_tiny_vectors_whose_products_underflow_are_still_told_apart():
    base = np.array([[1.0], [2.0], [3.0]]) * 1e-25
    assert nearest(base, [[1.9e-25]], 3)[0].tolist() == [[1, 0, 2]]
    assert nearest(base, [[1e-25]], 1, metric="ip")[0].item() == 2


def test_one_giant_row_does_not_blind_the_others():
    base = np.random.default_rng(12).normal(size=(4000, 8))
    base[100] *= 1e7
    queries = np.random.default_rng(13).normal(size=(20, 8))
    for metric in METRICS:
        assert (
            nearest(base, queries, 10, metric=metric)[0] == by_definition(base, queries, 10, metric)
        ).all()


def test_lengths_that_round_alike_are_still_told_apart():
    # |b|^2 / 2 is rounded to float32 by as much as a short query adds to it
    base = np.random.default_rng(15).normal(size=(4000, 4))
    base *= 1000.0 / np.linalg.norm(base, axis=1, keepdims=True)
    queries = 1e-4 * np.random.default_rng(16).normal(size=(20, 4))
    assert (nearest(base, queries, 300, memory=1)[0] == by_definition(base, queries, 300, "l2")).all()


def test_a_bound_that_is_too_narrow_would_be_seen(monkeypatch):
    # the slack is what makes the answer exact: without it, rows far from the origin are lost
    base = 1000.0 + np.random.default_rng(14).normal(size=(4000, 16))
    true = by_definition(base, base[:50], 10, "l2")
    assert (nearest(base, base[:50], 10)[0] == true).all()
    monkeypatch.setattr(
        neighbors.Block, "slack", lambda self, kinds, norms: np.zeros((len(norms), len(kinds)))
    )
    assert (nearest(base, base[:50], 10)[0] != true).any()


# ---- what cannot be searched ----------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
@pytest.mark.parametrize("where", ["base", "queries"])
def test_a_value_that_is_no_number_is_named(bad, where):
    given = {"base": np.ones((5, 3)), "queries": np.ones((2, 3))}
    given[where][1, 2] = bad
    with pytest.raises(VectorError, match=f"row 1 of {where}"):
        nearest(given["base"], given["queries"], 1)


def test_a_zero_vector_has_no_cosine_but_a_distance():
    base = np.array([[1.0, 0.0], [0.0, 0.0]])
    with pytest.raises(VectorError, match="row 1 of base is zero"):
        nearest(base, base[:1], 1, metric="cosine")
    with pytest.raises(VectorError, match="row 0 of queries is zero"):
        nearest(base[:1], base[1:], 1, metric="cosine")
    assert nearest(base, base[1:], 1)[0].item() == 1


@pytest.mark.parametrize("k", [0, -1, 4, 2.5, True, "3"])
def test_k_is_a_count_of_rows(k):
    with pytest.raises(VectorError, match="from 1 to 3"):
        nearest(np.ones((3, 2)), np.ones((1, 2)), k)


def test_a_row_cannot_find_itself():
    with pytest.raises(VectorError, match="not its own neighbour"):
        nearest(np.ones((3, 2)), k=3)
    with pytest.raises(VectorError, match="0 rows"):
        nearest(np.ones((1, 2)), k=1)


@pytest.mark.parametrize(
    ("base", "error", "words"),
    [
        (np.ones(3), VectorError, "single vector"),
        (np.ones((0, 3)), VectorError, "empty"),
        (np.ones((3, 0)), VectorError, "empty"),
        (np.ones((2, 2, 2)), VectorError, "matrix"),
        (sparse.csr_matrix(np.eye(3)), TypeError, "toarray"),
        (np.array([["a", "b"]]), TypeError, "real numbers"),
        (np.array([[1, None]], dtype=object), TypeError, "real numbers"),
        (np.ones((2, 2), dtype=complex), TypeError, "real numbers"),
        (np.full((2, 2), 1e25), VectorError, "too long"),
    ],
)
def test_bad_bases_are_refused_at_the_door(base, error, words):
    with pytest.raises(error, match=words):
        nearest(base, k=1)


def test_other_dimensions_are_refused():
    with pytest.raises(VectorError, match="queries have 2 dimensions and the base 3"):
        nearest(np.ones((4, 3)), np.ones((1, 2)), 1)


@pytest.mark.parametrize("metrics", [(), ("l2", "manhattan"), "l2"])
def test_unknown_metrics_are_named(metrics):
    with pytest.raises(ValueError, match="'l2', 'ip', 'cosine'"):
        nearest_by(np.ones((4, 3)), k=1, metrics=metrics)


# ---- the kernels ----------------------------------------------------------------------------------------


def test_norms_are_taken_in_float64():
    rows = np.full((1, 4), 1e30, dtype=np.float32)
    assert candidates.norms(rows)[0] == pytest.approx(2e30, rel=1e-6)
    assert not np.isfinite(candidates.norms(np.array([[np.nan, 1.0]], dtype=np.float32)))[0]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 30), st.integers(0, 10**6), st.sampled_from([1.0, 1e6]))
def test_thinning_keeps_the_k_best_in_their_order(k, seed, scale):
    rng = np.random.default_rng(seed)
    waiting = np.exp(rng.normal(size=k + 40) * np.log(scale)).astype(np.float32)
    before, places = waiting.copy(), np.arange(k + 40, dtype=np.int32)
    counts, floors = np.array([k + 40]), np.array([-np.inf], dtype=np.float32)
    candidates.thin(waiting, places, counts, 0, k, k + k // 2, 0.0, floors)
    kept = places[: counts[0]]
    assert set(np.argsort(-before, kind="stable")[:k]) <= set(kept)
    assert (np.diff(kept) > 0).all()
    assert (waiting[: counts[0]] == before[kept]).all()
