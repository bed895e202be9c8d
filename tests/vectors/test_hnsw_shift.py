"""NDCG, and models that change places under approximate search."""

import numpy as np
import polars as pl
import pytest
from sklearn.datasets import load_digits
from sklearn.metrics import ndcg_score

from salience.vectors import label_qrels, ndcg, rank_shift

pytest.importorskip("faiss")


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(X))
    X, y = X[order], y[order]
    low = (X - X.mean(axis=0)) @ np.linalg.svd(X - X.mean(axis=0), full_matrices=False)[2][:8].T
    high = X @ np.random.default_rng(1).normal(size=(64, 128))
    return {"pca-8": low, "random-128": high}, y


def split(models, at=1500):
    return {name: (X[:at], X[at:]) for name, X in models.items()}


def test_ndcg_by_hand():
    # gains 3, 0, 1 at ranks 1, 2, 3; ideal 3, 1
    found = ndcg([[4, 9, 7]], {0: {4: 2.0, 7: 1.0}}, [0], k=3)[0]
    assert found == pytest.approx((3 + 1 / 2) / (3 + 1 / np.log2(3)))
    assert ndcg([[4, 7]], {0: {4: 2.0, 7: 1.0}}, [0], k=2)[0] == 1
    assert ndcg([[9, -1]], {0: {4: 2.0}}, [0], k=2)[0] == 0
    assert np.isnan(ndcg([[9, 1]], {0: {4: 0.0}}, [0], k=2)[0])


def test_ndcg_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    relevance = rng.integers(0, 4, size=(20, 30))
    ranking = rng.random((20, 30))
    ids = np.argsort(-ranking, axis=1)
    qrels = {q: dict(enumerate(map(float, row))) for q, row in enumerate(relevance)}
    theirs = ndcg_score(2.0**relevance - 1, ranking, k=10)
    assert ndcg(ids, qrels, np.arange(20), 10).mean() == pytest.approx(theirs)


def test_labels_become_relevance():
    assert label_qrels([1, 2, 1], [2, 1, 3]) == {0: {1: 1.0}, 1: {0: 1.0, 2: 1.0}, 2: {}}


def test_the_model_of_higher_dimension_loses_more(digits):
    models, y = digits
    table = rank_shift(
        split(models), label_qrels(y[:1500], y[1500:]), M=4, ef_construction=10, ef_search=10, backend="faiss"
    )
    assert table.columns[:4] == ["model", "exact", "hnsw", "loss"]
    loss = dict(zip(table["model"], table["loss"], strict=True))
    assert loss["random-128"] > loss["pca-8"]
    recall = dict(zip(table["model"], table["recall"], strict=True))
    assert recall["random-128"] < recall["pca-8"]
    assert (table["loss_lo"] <= table["loss"]).all()
    assert (table["loss"] <= table["loss_hi"]).all()


def test_a_wide_search_shifts_nothing(digits):
    models, y = digits
    table = rank_shift(
        split(models), label_qrels(y[:1500], y[1500:]), ef_search=1500, M=32, seeds=1, backend="faiss"
    )
    assert table["shift"].to_list() == [0, 0]
    assert table["loss"].abs().max() < 1e-9


def test_positions_are_counted():
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=400)
    centres = np.eye(3) * 4
    good = centres[y] + rng.normal(size=(400, 3))
    models = {"noise": rng.normal(size=(400, 3)), "good": good, "twin": good.copy()}
    table = rank_shift(
        split(models, 300), label_qrels(y[:300], y[300:]), seeds=1, backend="faiss", metric="l2"
    )
    assert table["rank_exact"].to_list() == [1, 1, 3]
    assert table["model"].to_list() == ["good", "twin", "noise"]
    assert (table["shift"] == table["rank_hnsw"] - table["rank_exact"]).all()


def test_a_model_that_loses_more_than_its_neighbours_are_apart_falls(monkeypatch):
    planted = iter([(0.8, 0.7), (0.9, 0.5), (0.1, 0.1)])

    def loss(*_):
        exact, hnsw = next(planted)
        return {"exact": exact, "hnsw": hnsw, "loss": 0.0, "loss_lo": 0.0, "loss_hi": 0.0}

    monkeypatch.setattr("salience.vectors.hnsw.shift._loss", loss)
    X = np.random.default_rng(0).normal(size=(50, 3))
    table = rank_shift(dict.fromkeys("abc", (X, X)), {0: {1: 1.0}}, 2, seeds=1, backend="faiss")
    assert table["model"].to_list() == ["b", "a", "c"]
    assert table["shift"].to_list() == [1, -1, 0]


def test_documents_as_near_as_the_last_count_in_recall():
    rng = np.random.default_rng(0)
    X = np.repeat(rng.normal(size=(60, 6)), 5, axis=0)[rng.permutation(300)]
    found = {"a": (X, rng.normal(size=(40, 6)))}
    qrels = {q: {q: 1.0} for q in range(40)}
    # seven of copies by five: a graph has other copies in the second five than exact search
    assert rank_shift(found, qrels, 7, ef_search=300, M=32, seeds=1, backend="faiss")["recall"].item() == 1


def test_queries_without_relevant_documents_are_left_out():
    rng = np.random.default_rng(0)
    X, Q = rng.normal(size=(100, 4)), rng.normal(size=(3, 4))
    one = rank_shift({"a": (X, Q)}, {0: {5: 1.0}, 1: {}}, seeds=1, backend="faiss")
    assert isinstance(one, pl.DataFrame)
    assert one.height == 1


@pytest.mark.parametrize(
    ("models", "qrels", "k", "message"),
    [
        ({}, {0: {0: 1}}, 2, "no model"),
        ({"a": (np.eye(5), np.eye(5)), "b": (np.eye(4), np.eye(4))}, {0: {0: 1}}, 2, "same documents"),
        ({"a": (np.eye(5), np.eye(5))}, {0: {0: 1}}, 5, "k=5 of 5"),
        ({"a": (np.eye(5), np.eye(5))}, {0: {9: 1}}, 2, "documents that there are not, first 9"),
        ({"a": (np.eye(5), np.eye(5))}, {9: {0: 1}}, 2, "queries that there are not, first 9"),
        ({"a": (np.eye(5), np.eye(5))}, {0: {0: -1}}, 2, "0 or more"),
        ({"a": (np.eye(5), np.eye(5))}, {0: {0: 0}}, 2, "no query has a relevant document"),
    ],
)
def test_what_cannot_be_ranked_is_refused(models, qrels, k, message):
    with pytest.raises(ValueError, match=message):
        rank_shift(models, qrels, k, backend="faiss")


def test_relevance_is_a_mapping():
    with pytest.raises(TypeError, match="label_qrels"):
        rank_shift({"a": (np.eye(5), np.eye(5))}, [(0, 1, 1)], 2, backend="faiss")
    with pytest.raises(ValueError, match="ef_search=1"):
        rank_shift({"a": (np.eye(5), np.eye(5))}, {0: {0: 1}}, 2, ef_search=1, backend="faiss")
    with pytest.raises(ValueError, match="seeds=0"):
        rank_shift({"a": (np.eye(5), np.eye(5))}, {0: {0: 1}}, 2, seeds=0, backend="faiss")
