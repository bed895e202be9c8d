"""HNSW graphs of the library faiss."""

from __future__ import annotations

from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from salience.vectors.indexes.base import Floats, Ids, Rows
from salience.vectors.indexes.graph import GraphIndex
from salience.vectors.indexes.threads import faiss_threads

__all__ = ["FaissHnswIndex"]

METRICS = {"l2": faiss.METRIC_L2, "ip": faiss.METRIC_INNER_PRODUCT, "cosine": faiss.METRIC_INNER_PRODUCT}


class FaissHnswIndex(GraphIndex):
    """HNSW of faiss.

    Given all rows at once, faiss inserts level by level and within a level in an order of its own, whatever the order
    of the rows. With ``in_order`` every row is a call of its own, which keeps the order and costs an overhead that
    grows with the square of the rows: seconds for 50,000, too much for millions.

    Parameters
    ----------
    M, ef_construction, ef_search, metric, seed, threads
        As in `HnswIndex`.
    in_order : bool, default=False
        Insert row by row.

    Examples
    --------
    >>> from salience.vectors import FaissHnswIndex
    >>> X = np.random.default_rng(0).normal(size=(200, 8))
    >>> FaissHnswIndex(ef_search=200).build(X).search(X[:3], k=1).ravel()
    array([0, 1, 2])
    """

    name = "faiss-hnsw"
    settings = (*GraphIndex.settings, "in_order")

    def __init__(
        self, M: int = 16, ef_construction: int = 128, ef_search: int = 40, *, metric: str = "l2", seed: int = 0,
        threads: int = 1, in_order: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(M, ef_construction, ef_search, metric=metric, seed=seed, threads=threads)
        self.in_order = bool(in_order)

    def _build(self, rows: Rows) -> None:
        graph: Any = faiss.IndexHNSWFlat(rows.shape[1], self.M, METRICS[self.metric])
        graph.hnsw.efConstruction = self.ef_construction
        graph.hnsw.rng = faiss.RandomGenerator(self.seed)  # type: ignore[attr-defined,unused-ignore]
        with faiss_threads(self.threads):
            for block in rows.blocks(1 if self.in_order else len(rows)):
                graph.add(block)
        self._graph = graph

    def _search(self, queries: Floats, k: int) -> Ids:
        self._check_breadth(k)
        self._graph.hnsw.efSearch = self.ef_search
        with faiss_threads(self.threads):
            return np.asarray(self._graph.search(queries, k)[1])

    def links(self) -> NDArray[np.int64]:
        hnsw = self._graph.hnsw
        starts = faiss.vector_to_array(hnsw.offsets)[:-1].astype(np.int64)
        neighbors = faiss.vector_to_array(hnsw.neighbors)
        return neighbors[starts[:, None] + np.arange(hnsw.nb_neighbors(0))].astype(np.int64)
