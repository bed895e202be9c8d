"""Do models stand in another order when their vectors are searched approximately?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from salience.measures.crossed import crossed_bootstrap_mean
from salience.measures.vectors import VectorError, as_vectors
from salience.vectors.hnsw.builds import BACKENDS, found_backend
from salience.vectors.hnsw.orders import ORDERS, Material
from salience.vectors.hnsw.truth import Truth

__all__ = ["label_qrels", "ndcg", "rank_shift"]

Qrels: TypeAlias = Mapping[int, Mapping[int, float]]
Floats: TypeAlias = NDArray[np.float64]


def rank_shift(
    models: Mapping[str, tuple[ArrayLike, ArrayLike]],
    qrels: Qrels,
    k: int = 10,
    *,
    M: int = 16,
    ef_construction: int = 128,
    ef_search: int = 40,
    metric: str = "cosine",
    backend: str = "auto",
    seeds: int = 3,
    n_bootstrap: int = 1000,
    progress: Callable[[int, int], None] | None = None,
) -> pl.DataFrame:
    r"""Rank embedding models by NDCG@k of exact search, and again by that of HNSW at the same parameters.

    .. math:: \mathrm{NDCG@}k = \frac{\sum_{r=1}^{k} (2^{rel_r} - 1) / \log_2(r + 1)}{\text{the same of the best order}}

    Parameters
    ----------
    models : mapping of str to (X, Q)
        Vectors of the documents (n, d) and of the queries (m, d) of each model; d may differ, n and m may not.
    qrels : mapping of query number to mapping of document number to relevance
        `label_qrels` makes them from labels. Queries without a relevant document are left out.
    k : int, default=10
    M, ef_construction, ef_search, metric, backend, seeds
        As in `HnswRecallAudit`; rows are inserted in random order.
    n_bootstrap : int, default=1000
    progress : callable, optional
        ``progress(done, total)`` in models.

    Returns
    -------
    polars.DataFrame
        A row per model, best by exact search first: ``model``, ``exact``, ``hnsw`` (mean over seeds), ``loss`` (relative,
        ``1 - hnsw / exact``) with ``loss_lo``, ``loss_hi``, ``recall`` (a document as near as the k-th counts),
        ``rank_exact``, ``rank_hnsw``, and ``shift``: positions that the model falls (rises, when negative).

    Raises
    ------
    ValueError
        When models have different numbers of documents or queries, no query has a relevant document, `k` is not below
        the number of documents, or `ef_search` is below `k`.

    Examples
    --------
    >>> from salience.vectors import label_qrels, rank_shift
    >>> X = np.random.default_rng(0).normal(size=(300, 8)); y = (X[:, 0] > 0).astype(int)
    >>> qrels = label_qrels(y[:200], y[200:])
    >>> rank_shift({"a": (X[:200], X[200:])}, qrels, seeds=1)["shift"].to_list()
    [0]
    """
    if not models:
        raise ValueError("there is no model; give {'name': (X, Q)}")
    if seeds < 1:
        raise ValueError(f"seeds={seeds}; at least one graph is built of each model")
    backend = found_backend(backend)
    pairs = {
        name: (as_vectors(X, f"X of {name!r}"), as_vectors(Q, f"Q of {name!r}"))
        for name, (X, Q) in models.items()
    }
    sizes = {(len(X), len(Q)) for X, Q in pairs.values()}
    if len(sizes) > 1:
        raise ValueError(
            "all models must embed the same documents and queries; here are (documents, queries) of "
            + ", ".join(f"{name}: {(len(X), len(Q))}" for name, (X, Q) in pairs.items())
        )
    n, m = next(iter(sizes))
    if not 1 <= k < n:
        raise VectorError(f"k={k} of {n} documents; k must be from 1 to {n - 1}")
    _check_qrels(qrels, n, m)
    judged = np.array([q for q in range(m) if max(qrels.get(q, {}).values(), default=0) > 0], dtype=np.int64)
    if not judged.size:
        raise ValueError("no query has a relevant document: there is nothing to rank the models by")
    found: list[dict[str, Any]] = []
    for done, (name, (X, Q)) in enumerate(pairs.items(), start=1):
        queries = np.asarray(Q[judged])
        truth = Truth.of(X, queries, k, metric)
        exact = ndcg(truth.ids, qrels, judged, k)
        approximate, recalls = [], []
        for seed in range(seeds):
            index = BACKENDS[backend](
                M=M, ef_construction=ef_construction, ef_search=ef_search, metric=metric, threads=1, seed=seed
            )
            answer = index.build(X, order=ORDERS["random"](Material(n, None, None), seed)).search(queries, k)
            approximate.append(ndcg(answer, qrels, judged, k))
            recalls.append(truth.hits(answer).mean() / k)
        found.append(
            {"model": name, "recall": float(np.mean(recalls)), **_loss(exact, approximate, n_bootstrap)}
        )
        if progress is not None:
            progress(done, len(pairs))
    table = pl.DataFrame(found).with_columns(
        *(
            pl.Series(f"rank_{what}", rankdata([-row[what] for row in found], method="min").astype(np.int64))
            for what in ("exact", "hnsw")
        )
    )
    table = table.with_columns((pl.col("rank_hnsw") - pl.col("rank_exact")).alias("shift"))
    return table.select(
        "model", "exact", "hnsw", "loss", "loss_lo", "loss_hi", "recall", "rank_exact", "rank_hnsw", "shift"
    ).sort("rank_exact", maintain_order=True)


def label_qrels(y: ArrayLike, yq: ArrayLike) -> dict[int, dict[int, float]]:
    """Relevance from labels: documents of the query's class have 1. Queries of a class share one mapping.

    Examples
    --------
    >>> label_qrels(["a", "b", "a"], ["a"])
    {0: {0: 1.0, 2: 1.0}}
    """
    labels, asked = np.asarray(y), np.asarray(yq)
    relevant = {
        value: dict.fromkeys(np.flatnonzero(labels == value).tolist(), 1.0)
        for value in np.unique(asked).tolist()
    }
    return {q: relevant[value] for q, value in enumerate(asked.tolist())}


def ndcg(ids: ArrayLike, qrels: Qrels, queries: ArrayLike, k: int = 10) -> Floats:
    """NDCG@k of each answer; gain 2^rel - 1, discount 1 / log2(rank + 1); an id of -1 gains nothing.

    Parameters
    ----------
    ids : array-like of int, shape (m, at least k)
        Answers, best first.
    qrels : mapping of query number to mapping of document number to relevance
    queries : array-like of int, shape (m,)
        The number of the query of each answer.
    k : int, default=10

    Returns
    -------
    ndarray of float64, shape (m,)
        NaN where the query has no relevant document.

    Examples
    --------
    >>> ndcg([[5, 3]], {0: {3: 1.0}}, [0], k=2).round(4)  # the relevant one stands second
    array([0.6309])
    """
    answers = np.asarray(ids)[:, :k]
    discount = 1 / np.log2(np.arange(2, k + 2))
    found = np.full(len(answers), np.nan)
    for row, (answer, query) in enumerate(zip(answers.tolist(), np.asarray(queries).tolist(), strict=True)):
        relevant = qrels.get(query, {})
        ideal = np.sort(np.exp2(np.fromiter(relevant.values(), dtype=np.float64)) - 1)[::-1][:k]
        best = float(ideal @ discount[: len(ideal)])
        if best > 0:
            gains = np.exp2([relevant.get(document, 0.0) for document in answer]) - 1
            found[row] = float(gains @ discount[: len(gains)]) / best
    return found


def _loss(exact: Floats, approximate: list[Floats], n: int) -> dict[str, float]:
    by_seed = np.array(approximate).T  # (queries, seeds)
    both = np.stack([np.broadcast_to(exact[:, None], by_seed.shape), by_seed], axis=2)
    drawn = crossed_bootstrap_mean(both, n=n, rng=0)
    whole, kept = (float(value) for value in np.asarray(drawn.estimate))
    if whole == 0:
        return {"exact": whole, "hnsw": kept, "loss": np.nan, "loss_lo": np.nan, "loss_hi": np.nan}
    lo, hi = np.quantile(1 - drawn.replicates[:, 1] / drawn.replicates[:, 0], (0.025, 0.975))
    return {
        "exact": whole,
        "hnsw": kept,
        "loss": 1 - kept / whole,
        "loss_lo": float(lo),
        "loss_hi": float(hi),
    }


def _check_qrels(qrels: Any, n: int, m: int) -> None:
    if not isinstance(qrels, Mapping):
        raise TypeError(
            f"qrels must be a mapping {{query: {{document: relevance}}}}, got {type(qrels).__name__}; label_qrels makes "
            "one from labels"
        )
    queries = [query for query in qrels if not 0 <= query < m]
    documents = [d for relevant in qrels.values() for d in relevant if not 0 <= d < n]
    negative = [value for relevant in qrels.values() for value in relevant.values() if not value >= 0]
    for wrong, what, most in ((queries, "queries", m), (documents, "documents", n)):
        if wrong:
            raise ValueError(
                f"qrels name {what} that there are not, first {wrong[0]}; they are numbered 0 to {most - 1}"
            )
    if negative:
        raise ValueError(f"relevance is 0 or more, got {negative[0]}")
