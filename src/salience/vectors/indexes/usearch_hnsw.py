"""HNSW graphs of the library usearch."""

from __future__ import annotations

from typing import Any

import numpy as np
from usearch.index import Index

from salience.vectors.indexes.base import Floats, Ids, Rows
from salience.vectors.indexes.graph import GraphIndex

__all__ = ["UsearchIndex"]

METRICS = {"l2": "l2sq", "ip": "ip", "cosine": "ip"}


class UsearchIndex(GraphIndex):
    """HNSW of usearch, built row by row in the order given. Its levels have no seed, and it does not tell its links.

    Parameters
    ----------
    M, ef_construction, ef_search, metric, threads
        As in `HnswIndex`.

    Examples
    --------
    >>> from salience.vectors import UsearchIndex
    >>> X = np.random.default_rng(0).normal(size=(200, 8))
    >>> UsearchIndex(ef_search=200).build(X).search(X[:3], k=1).ravel()
    array([0, 1, 2])
    """

    name = "usearch"
    settings = ("M", "ef_construction", "ef_search", "threads")

    def __init__(
        self,
        M: int = 16,
        ef_construction: int = 128,
        ef_search: int = 40,
        *,
        metric: str = "l2",
        threads: int = 1,
    ) -> None:
        super().__init__(M, ef_construction, ef_search, metric=metric, threads=threads)

    def _build(self, rows: Rows) -> None:
        graph = Index(
            ndim=rows.shape[1], metric=METRICS[self.metric], dtype="f32", connectivity=self.M,
            expansion_add=self.ef_construction, expansion_search=self.ef_search,
        )  # fmt: skip
        for block in rows.blocks():
            graph.add(np.arange(len(graph), len(graph) + len(block)), block, threads=self.threads)
        self._graph: Any = graph

    def _search(self, queries: Floats, k: int) -> Ids:
        self._check_breadth(k)
        self._graph.expansion_search = self.ef_search
        found = self._graph.search(queries, k, threads=self.threads)
        counts = np.atleast_1d(getattr(found, "counts", len(found.keys)))  # one query answers in another form
        keys = np.atleast_2d(found.keys).astype(np.int64)
        return np.where(np.arange(keys.shape[1]) < counts[:, None], keys, -1)
