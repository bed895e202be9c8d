"""The recall audit: planted facts, negative controls, and what it refuses."""

import pickle
import warnings

import numpy as np
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import parametrize_with_checks

from salience.data.generators import clustered_vectors, subspace_vectors
from salience.measures.neighbors import nearest
from salience.results import Scores
from salience.vectors import HnswRecallAudit, local_intrinsic_dimension
from salience.vectors.hnsw.builds import BACKENDS, found_backend
from salience.vectors.hnsw.truth import Truth

pytest.importorskip("faiss")
NARROW = {"M": 4, "ef_construction": 16, "ef_search": 12, "n_bootstrap": 200}
BOTH = [
    "faiss",
    pytest.param(
        "hnswlib", marks=pytest.mark.skipif("not __import__('importlib.util').util.find_spec('hnswlib')")
    ),
]


@pytest.fixture(scope="module")
def far():
    """Clusters that lie far apart: sorted insertion strands them."""
    X, groups = clustered_vectors(1800, 64, 30, 4.0)
    return X[:1500], groups[:1500], X[1500:]


@pytest.fixture(scope="module")
def audit(far):
    X, groups, Q = far
    orders = ("random", "lid_desc", "category")
    return HnswRecallAudit(**NARROW, orders=orders, backend="faiss").fit(X, queries=Q, groups=groups)


# ---- what it finds


@pytest.mark.parametrize("backend", BOTH)
def test_recall_falls_with_the_dimension(backend):
    found = []
    for rank in (4, 16, 64):
        X = subspace_vectors(1600, 64, rank)
        audit = HnswRecallAudit(**NARROW, orders=("random",), seeds=1, reach_rows=0, backend=backend)
        found.append(audit.fit(X[:1500], queries=X[1500:]).table_["recall"][0])
    assert found == sorted(found, reverse=True)
    assert found[0] - found[-1] > 0.3


@pytest.mark.parametrize("backend", BOTH)
def test_clusters_far_apart_are_best_in_random_order(backend):
    X, groups = clustered_vectors(3300, 64, 30, 4.0)
    audit = HnswRecallAudit(6, 40, 20, orders=("category",), reach_rows=0, backend=backend)
    audit.fit(X[:3000], queries=X[3000:], groups=groups[:3000])
    assert audit.table_["order"].to_list() == ["random", "category"]
    assert audit.table_["verdict"].to_list() == ["reference", "worse"]
    assert audit.spread_ > 0.06  # faiss, given all rows at once, would hide most of it
    low, high = audit.spread_interval_
    assert 0 < low <= audit.spread_ <= high


def test_recall_is_the_share_of_exact_answers(audit, far):
    X, _, Q = far
    exact = nearest(X, Q, 10)[0]
    build = audit._graph.index(audit._reference[0], 0)
    found = build.search(Q, 10)
    by_hand = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found, exact, strict=True)])
    assert audit.recalls_[audit.orders_.index("random"), 0] == pytest.approx(by_hand)


def test_the_table_is_of_one_piece(audit):
    table = audit.table_
    assert table["order"].to_list() == table.sort("recall", descending=True)["order"].to_list()
    assert (table["lo"] <= table["recall"]).all()
    assert (table["recall"] <= table["hi"]).all()
    assert (table["least"] <= table["recall"]).all()
    assert (table["recall"] <= table["most"]).all()
    reference = table.filter(pl.col("verdict") == "reference").row(0, named=True)
    assert reference["order"] == "random"
    assert reference["difference"] == reference["difference_lo"] == 0
    assert audit.spread_ == pytest.approx(table["recall"].max() - table["recall"].min())
    assert audit.recalls_.shape == (3, 3)


def test_rows_that_are_not_reached_stand_first(audit, far):
    X, _, Q = far
    scores = audit.row_reach_
    assert isinstance(scores, Scores)
    assert scores is audit.scores_
    assert (scores.item, scores.better, len(scores.items)) == ("row", "low", 1500)
    values = scores.values
    assert values.min() >= 0
    assert values.max() <= 1
    assert values[scores.top(1).items[0]] == values.min()
    assert np.isin(values * 9, np.arange(10)).all() or np.allclose(
        values * 9, np.round(values * 9)
    )  # 9 builds
    assert np.array_equal(scores.frame["hubness"], np.bincount(nearest(X, Q, 10)[0].ravel(), minlength=1500))
    assert np.array_equal(scores.frame["lid"], np.asarray(local_intrinsic_dimension(X)))
    assert scores.meta.extra["backend"] == "faiss"


def test_reach_is_whether_a_row_finds_itself(audit, far):
    X = far[0]
    index = audit._graph.index(audit._reference[0], 0)
    alone = HnswRecallAudit(**NARROW, orders=("random",), seeds=1, backend="faiss").fit(X, queries=far[2])
    assert np.array_equal(alone.scores_.values, (index.search(X, 1)[:, 0] == np.arange(1500)).astype(float))
    assert np.array_equal(alone.scores_.frame["in_degree"].to_numpy(), index.in_degree())


def test_a_copy_of_a_row_is_as_good_as_the_row():
    X = np.repeat(np.random.default_rng(0).normal(size=(50, 4)), 3, axis=0)
    audit = HnswRecallAudit(16, 100, 150, orders=("random",), seeds=1, backend="faiss").fit(X)
    assert (audit.scores_.values == 1).all()


def test_rows_nobody_links_to_are_harder_to_reach(audit):
    frame = audit.scores_.frame
    few = frame["in_degree"] < frame["in_degree"].quantile(0.1)
    assert frame.filter(few)["value"].mean() < frame.filter(~few)["value"].mean()


def test_queries_stand_beside_the_dimension_around_them():
    X = np.vstack([subspace_vectors(1000, 32, 3, seed=1), subspace_vectors(1000, 32, 30, seed=2)])
    X = X[np.random.default_rng(0).permutation(2000)]
    audit = HnswRecallAudit(**NARROW, orders=("random",), backend="faiss").fit(X)
    rho, low, high = audit.lid_correlation_
    assert low <= rho <= high < 0  # the more directions, the less is found
    assert audit.queries_.columns == ["query", "recall", "lid"]
    assert audit.queries_.height == 1000


def test_a_permutation_of_ones_own_takes_part(far):
    X, _, Q = far
    own = np.argsort(X[:, 0])
    audit = HnswRecallAudit(**NARROW, orders={"mine": own, "lid_asc": None}, seeds=2, backend="faiss").fit(
        X, queries=Q
    )
    assert set(audit.table_["order"]) == {"random", "mine", "lid_asc"}


def test_ties_in_the_exact_distances_count_as_right():
    # every row stands there three times: which of the copies is among the ten does not matter
    X = np.repeat(np.random.default_rng(0).normal(size=(200, 8)), 3, axis=0)
    Q = np.random.default_rng(1).normal(size=(50, 8))
    truth = Truth.of(X, Q, 10, "l2")
    swapped = truth.ids + np.where(truth.ids % 3 == 0, 2, np.where(truth.ids % 3 == 2, -2, 0))
    assert truth.hits(swapped).tolist() == [10] * 50
    assert truth.hits(np.where(np.arange(10) == 9, -1, truth.ids)).tolist() == [9] * 50
    further = np.repeat(nearest(X, Q, 13)[0][:, 12:], 10, axis=1)  # the next that is not a copy of the tenth
    assert truth.hits(further).max() == 0


@pytest.mark.parametrize("metric", ["l2", "ip", "cosine"])
def test_the_exact_answer_is_right_by_every_metric(metric):
    X, Q = (np.random.default_rng(s).normal(size=(200, 8)) * 3 for s in (0, 1))
    truth = Truth.of(X, Q, 10, metric)
    assert (truth.hits(truth.ids) == 10).all()
    assert (truth.hits(np.roll(truth.ids, 5, axis=0)) < 10).mean() > 0.9


def test_rows_as_queries_are_not_their_own_answers():
    X = np.random.default_rng(0).normal(size=(300, 8))
    truth = Truth.of(X, X[:20], 5, "l2", exclude_self=True)
    assert truth.own.tolist() == list(range(20))
    assert not (truth.ids == np.arange(20)[:, None]).any()
    assert np.array_equal(truth.ids, nearest(X, k=5)[0][:20])
    assert truth.asked == 6
    # the answer of an index that starts with the query itself
    assert (truth.hits(np.hstack([np.arange(20)[:, None], truth.ids])) == 5).all()


# ---- negative controls


def test_a_wide_search_finds_everything_in_every_order():
    X = subspace_vectors(400, 16, 8)
    audit = HnswRecallAudit(
        32, 400, 400, orders=("lid_desc", "lid_asc", "given"), seeds=2, backend="faiss"
    ).fit(X)
    assert (audit.recalls_ == 1).all()
    assert audit.spread_ == 0
    assert set(audit.table_["verdict"]) == {"reference", "not distinguishable"}
    assert np.isnan(audit.lid_correlation_[0])


def test_the_order_of_exchangeable_rows_does_not_matter():
    verdicts = []
    for seed in range(5):  # at a level of 5 %, one of ten may be taken for something
        X = np.random.default_rng(seed).normal(size=(600, 24))
        copy = np.random.default_rng(seed + 100).permutation(600)
        settings = {**NARROW, "n_queries": 300, "reach_rows": 0, "backend": "faiss"}
        audit = HnswRecallAudit(**settings, orders={"given": None, "relabelled": copy}).fit(X)
        verdicts += audit.table_.filter(pl.col("order") != "random")["verdict"].to_list()
    assert verdicts.count("not distinguishable") >= 9


@pytest.mark.parametrize("backend", BOTH)
def test_the_same_seed_and_one_thread_find_the_same_ids(backend, far):
    X, _, Q = far
    one, two = (
        HnswRecallAudit(**NARROW, orders=("lid_asc",), seeds=2, backend=backend).fit(X, queries=Q)
        for _ in range(2)
    )
    assert one.reproducible_
    assert one.table_.equals(two.table_)
    assert one.scores_.frame.equals(two.scores_.frame)
    ids = [audit._graph.index(audit._reference[0], 0).search(Q, 10) for audit in (one, two)]
    assert ids[0].tobytes() == ids[1].tobytes()


def test_builds_by_several_threads_are_never_called_reproducible():
    X = subspace_vectors(300, 16, 8)
    with pytest.warns(UserWarning, match="built by 2 threads"):
        audit = HnswRecallAudit(orders=("random",), seeds=1, threads=2, backend="faiss").fit(X)
    assert audit.reproducible_ is False
    assert any("no two builds can be called the same" in note for note in audit.scores_.meta.warnings)


# ---- advice


def test_advice_names_the_least_parameters_and_the_order(audit):
    advice = audit.recommend(0.9, M=(4, 8), ef_search=(5, 12, 40, 160))
    best = audit.table_.filter(pl.col("order") != "random").row(0, named=True)
    assert (advice.order, advice.verdict) == (
        (best["order"], "better") if best["verdict"] == "better" else ("random", "not distinguishable")
    )
    chosen = advice.grid.filter((pl.col("M") == advice.M) & (pl.col("ef_search") == advice.ef_search))
    assert chosen["recall"].item() >= 0.9
    cheaper = advice.grid.filter(pl.col("M") * pl.col("ef_search") < advice.M * advice.ef_search)
    assert not cheaper["reaches"].any()
    assert 5 not in advice.grid["ef_search"]  # below k
    assert "0.9 is reached with M=" in str(advice)
    assert "insert " in str(advice)


def test_advice_takes_the_least_work_and_then_the_least_memory(audit, monkeypatch):
    planted = {4: 80, 8: 40, 16: 25, 32: 10}  # ef_search that reaches the target: products 320, 320, 400, 320

    def measured(graph, orders, breadths, target, n):
        row = {
            "M": graph.M,
            "ef_search": planted[graph.M],
            "recall": 1.0,
            "lo": 1.0,
            "hi": 1.0,
            "reaches": True,
        }
        return [row]

    monkeypatch.setattr("salience.vectors.hnsw.advice._measured", measured)
    assert (audit.recommend(M=(32, 16, 8)).M, audit.recommend(M=(32, 16, 8, 4)).M) == (8, 4)
    assert audit.recommend(M=(16, 8)).ef_search == 40


def test_advice_says_when_nothing_reaches_the_target(audit):
    advice = audit.recommend(1.0, M=(2,), ef_search=(10,))
    assert advice.M is None
    assert "nothing on the grid reaches 1" in str(advice)
    with pytest.raises(ValueError, match=r"target=1\.5"):
        audit.recommend(1.5)
    with pytest.raises(ValueError, match="the grid is empty"):
        audit.recommend(ef_search=(3,))


def test_a_better_order_is_named_with_its_gain(audit):
    better = clone(audit).fit(
        audit._graph.truth.rows, queries=audit._graph.truth.queries, groups=np.arange(1500) % 3
    )
    row = better.table_.with_columns(
        verdict=pl.when(pl.col("order") == "lid_desc").then(pl.lit("better")).otherwise("verdict"),
        recall=pl.when(pl.col("order") == "lid_desc").then(1.0).otherwise("recall"),
    )
    better.table_ = row
    advice = better.recommend(0.5, M=(8,), ef_search=(40,))
    assert (advice.order, advice.verdict) == ("lid_desc", "better")
    assert "insert by lid_desc" in str(advice)


# ---- the door


@pytest.mark.parametrize(
    ("settings", "given", "message"),
    [
        ({"k": 300}, {}, "k=300 neighbours of n_samples = 300"),
        ({"ef_search": 10}, {}, "ef_search=10 is smaller than the 11 rows"),
        ({"ef_search": 9}, {"queries": np.ones((3, 8))}, "ef_search=9 is smaller than the 10 rows"),
        ({"orders": ("random", "size")}, {}, "no order is called 'size'"),
        ({"orders": ("category",)}, {}, "groups=..."),
        ({"orders": {"mine": [0, 1, 2]}}, {}, "permutation of the 300"),
        ({}, {"queries": np.ones((3, 5))}, "5 dimensions"),
        ({}, {"queries": np.full((3, 8), np.nan)}, "NaN"),
        ({}, {"groups": ["a"], "lid": np.ones(300)}, "each of the 300 rows"),
        ({}, {"lid": [1.0]}, "each of the 300 rows"),
        ({"metric": "hamming"}, {}, "metric"),
        ({"backend": "annoy"}, {}, "backend"),
        ({"seeds": 0}, {}, "seeds"),
    ],
)
def test_what_cannot_be_audited_is_refused(settings, given, message):
    X = subspace_vectors(300, 8, 4)
    with pytest.raises(ValueError, match=message):
        HnswRecallAudit(**{"backend": "faiss", "reach_rows": 0, **settings}).fit(X, **given)


@pytest.mark.parametrize(
    ("X", "metric", "message"),
    [
        (np.ones((50, 4)), "l2", "same vector"),
        (np.full((50, 4), np.nan), "l2", "NaN"),
        (np.eye(50) * (np.arange(50) > 0), "cosine", "no direction|no cosine"),
        (np.ones((1, 4)), "l2", "1 sample"),
    ],
)
def test_rows_that_cannot_be_searched_are_refused(X, metric, message):
    with pytest.raises(ValueError, match=message):
        HnswRecallAudit(metric=metric, backend="faiss").fit(X)


def test_queries_among_the_rows_are_warned_of_or_excluded():
    X = subspace_vectors(1000, 32, 32)
    settings = {**NARROW, "orders": ("random",), "seeds": 1, "reach_rows": 0, "backend": "faiss"}
    with pytest.warns(UserWarning, match="200 of 210 queries are rows of X"):
        with_themselves = HnswRecallAudit(**settings).fit(X, queries=np.vstack([X[:200], -X[:10]]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        without = HnswRecallAudit(**settings, exclude_self=True).fit(X, queries=X[:200])
    assert with_themselves.recalls_.mean() > without.recalls_.mean()
    assert any("exclude_self=True" in note for note in with_themselves.scores_.meta.warnings)


def test_without_any_library_the_extra_is_named(monkeypatch):
    monkeypatch.setattr("salience.vectors.hnsw.builds.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install 'salience\[vectors\]'"):
        found_backend("auto")


def test_without_hnswlib_faiss_takes_its_place(monkeypatch):
    monkeypatch.setattr("salience.vectors.hnsw.builds.find_spec", lambda name: name == "faiss" or None)
    assert found_backend("auto") == "faiss"


@pytest.mark.parametrize("backend", sorted(BACKENDS))
@pytest.mark.parametrize("metric", ["ip", "cosine"])
def test_every_library_is_audited_by_every_metric(backend, metric):
    pytest.importorskip(backend)
    X = subspace_vectors(300, 16, 8, normalise=False) + 0.5
    audit = HnswRecallAudit(orders=("random",), seeds=1, metric=metric, backend=backend, ef_search=100).fit(X)
    assert audit.recalls_.min() > 0.9
    assert audit.scores_.values.mean() > 0.9


def test_frames_and_processes_change_nothing():
    X = subspace_vectors(300, 6, 4)
    fit = HnswRecallAudit(**NARROW, orders=("lid_asc",), seeds=2, backend="faiss")
    whole = fit.fit(X).table_
    for rows in (pl.DataFrame(X), pl.DataFrame(X).to_pandas()):
        assert clone(fit).fit(rows).table_.equals(whole)
    assert clone(fit).set_params(n_jobs=2).fit(X).table_.equals(whole)


def test_progress_counts_builds():
    calls = []
    HnswRecallAudit(
        **NARROW,
        orders=("lid_asc",),
        seeds=2,
        backend="faiss",
        progress=lambda done, total: calls.append((done, total)),
    ).fit(subspace_vectors(200, 8, 4))
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_it_is_not_fitted_until_it_is(audit):
    with pytest.raises(NotFittedError):
        HnswRecallAudit().recommend()
    with pytest.raises(NotFittedError):
        _ = HnswRecallAudit().row_reach_
    again = pickle.loads(pickle.dumps(audit))
    assert again.table_.equals(audit.table_)


def test_a_mapped_file_is_audited_as_the_array_is(tmp_path):
    X = subspace_vectors(300, 8, 4)
    np.save(tmp_path / "x.npy", X)
    fit = HnswRecallAudit(**NARROW, orders=("lid_desc",), seeds=1, backend="faiss")
    mapped = clone(fit).fit(np.load(tmp_path / "x.npy", mmap_mode="r"))
    assert mapped.table_.equals(clone(fit).fit(X).table_)


@parametrize_with_checks(
    [
        HnswRecallAudit(
            M=2,
            ef_construction=4,
            ef_search=8,
            k=2,
            orders=("random",),
            seeds=1,
            n_bootstrap=2,
            backend="faiss",
        )
    ]
)
def test_scikit_learn_accepts_it(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        check(estimator)
