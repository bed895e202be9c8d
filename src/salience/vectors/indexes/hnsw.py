"""HNSW graphs of the library hnswlib, by distance or by inner product."""

from __future__ import annotations

from typing import Any

import hnswlib
import numpy as np
from numpy.typing import NDArray

from salience.vectors.indexes.base import Floats, Ids, Rows
from salience.vectors.indexes.graph import GraphIndex

__all__ = ["HnswIndex", "HnswIpIndex"]

SPACES = {"l2": "l2", "ip": "ip", "cosine": "ip"}  # the base gives vectors of length 1 under the cosine


class HnswIndex(GraphIndex):
    """HNSW of hnswlib, built row by row in the order given.

    Its seed fixes the levels of the rows; with one thread two builds are the same byte for byte, with several the
    links depend on who came first.

    Parameters
    ----------
    M, ef_construction, ef_search : int, default=16, 128, 40
        Links per row and level (twice as many on level 0); breadth of the search when a row is inserted, and of a
        search, which must be at least `k`. ``index.ef_search = 80`` after `build` widens the next searches.
    metric : {"l2", "ip", "cosine"}, default="l2"
    seed : int, default=0
    threads : int, default=1

    Examples
    --------
    >>> from salience.vectors import HnswIndex
    >>> X = np.random.default_rng(0).normal(size=(200, 8))
    >>> HnswIndex(ef_search=200).build(X).search(X[:3], k=1).ravel()
    array([0, 1, 2])
    """

    name = "hnsw"

    def _build(self, rows: Rows) -> None:
        graph = hnswlib.Index(SPACES[self.metric], rows.shape[1])
        # its generator takes 0 for 1, and neighbouring seeds start alike: they are spread first
        spread = int(np.random.SeedSequence(self.seed).generate_state(1)[0] >> 1)
        graph.init_index(len(rows), M=self.M, ef_construction=self.ef_construction, random_seed=spread)
        for block in rows.blocks():
            graph.add_items(block, num_threads=self.threads)
        self._graph = graph

    def _search(self, queries: Floats, k: int) -> Ids:
        self._check_breadth(k)
        self._graph.set_ef(self.ef_search)
        try:
            return self._query(queries, k)
        except RuntimeError:  # it has no other word for fewer than k rows within reach
            answer = np.full((len(queries), k), -1, dtype=np.int64)
            for row, query in zip(answer, queries, strict=True):
                found = self._reached(query[None], k)
                row[: len(found)] = found
            return answer

    def _query(self, queries: Floats, k: int) -> Ids:
        found, _ = self._graph.knn_query(queries, k=k, num_threads=self.threads)
        return found.astype(np.int64)

    def _reached(self, query: Floats, k: int) -> Ids:
        """As many neighbours of one query as there are within reach, by bisection."""
        best, least, most = np.empty(0, dtype=np.int64), 1, k
        while least <= most:
            middle = (least + most) // 2
            try:
                best, least = self._query(query, middle)[0], middle + 1
            except RuntimeError:
                most = middle - 1
        return best

    def links(self) -> NDArray[np.int64]:
        state: dict[str, Any] = self._graph.__getstate__()[0]  # what its own pickle keeps
        n, size, most = state["cur_element_count"], state["size_data_per_element"], state["max_M0"]
        start = state["offset_level0"]
        element = state["data_level0"].view(np.uint8).reshape(-1, size)[:n, start : start + 4 + 4 * most]
        words = np.ascontiguousarray(element).view(np.uint32)
        counts = words[:, 0] & 0xFFFF  # the upper half holds flags
        found = np.where(np.arange(most) < counts[:, None], words[:, 1:].astype(np.int64), -1)
        # rows have other places inside only when several threads insert
        rows = np.empty(n, dtype=np.int64)
        rows[state["label_lookup_internal"]] = state["label_lookup_external"]
        answer = np.empty_like(found)
        answer[rows] = np.where(found < 0, -1, rows[found])
        return answer


class HnswIpIndex(HnswIndex):
    """HNSW on inner products themselves (ip-NSW): `HnswIndex` with ``metric="ip"``.

    Parameters
    ----------
    M, ef_construction, ef_search, seed, threads
        As in `HnswIndex`.

    Examples
    --------
    >>> from salience.vectors import HnswIpIndex
    >>> HnswIpIndex().build([[1.0, 0.0], [5.0, 5.0]]).search([[1.0, 0.0]], k=1)
    array([[1]])
    """

    name = "hnsw-ip"

    def __init__(
        self, M: int = 16, ef_construction: int = 128, ef_search: int = 40, *, seed: int = 0, threads: int = 1
    ) -> None:
        super().__init__(M, ef_construction, ef_search, metric="ip", seed=seed, threads=threads)
