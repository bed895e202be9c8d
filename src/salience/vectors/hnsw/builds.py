"""One build of a graph in one order, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from salience.lazy import resolve
from salience.vectors.hnsw.truth import Truth, worse_by

__all__ = ["BACKENDS", "Build", "Graph", "built", "found_backend"]

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Graph:
    """What is built: the library, the parameters, and the truth it is held to.

    Attributes
    ----------
    backend : str
        Of `BACKENDS`.
    M, ef_construction, ef_search, threads : int
    truth : Truth
    looked_for : ndarray of int64
        Rows that are queries of their own, for the reach.
    """

    backend: str
    M: int
    ef_construction: int
    ef_search: int
    threads: int
    truth: Truth
    looked_for: Ids

    def index(self, order: Ids, seed: int) -> Any:
        """The graph, its rows inserted in this order."""
        index = BACKENDS[self.backend](
            M=self.M, ef_construction=self.ef_construction, ef_search=self.ef_search, metric=self.truth.metric,
            threads=self.threads, seed=seed,
        )  # fmt: skip
        return index.build(self.truth.rows, order=order)


@dataclass(frozen=True)
class Build:
    """What one build found.

    Attributes
    ----------
    hits : ndarray of int64, shape (m,)
        Right answers of each query.
    reached : ndarray of bool
        Whether each row that was looked for came first, or one that is as near.
    in_degree : ndarray of int64, shape (n,), or None
    found : ndarray of int64, shape (m, asked)
    """

    hits: Ids
    reached: NDArray[np.bool_]
    in_degree: Ids | None
    found: Ids


def built(graph: Graph, task: tuple[Ids, int]) -> Build:
    """Build once, in the order and with the seed of the task, and search."""
    index = graph.index(*task)
    truth, rows = graph.truth, graph.looked_for
    found = index.search(truth.queries, truth.asked)
    step = 1 << 14
    parts = [rows[i : i + step] for i in range(0, len(rows), step)]
    reached = [_reached(truth, part, index.search(truth.rows[part], 1)) for part in parts]
    return Build(truth.hits(found), np.concatenate([*reached, np.zeros(0, bool)]), index.in_degree(), found)


def _reached(truth: Truth, rows: Ids, first: Ids) -> NDArray[np.bool_]:
    reached = first[:, 0] == rows
    missed = np.flatnonzero(~reached)
    if missed.size:
        itself = rows[missed, None]
        far = worse_by(truth.rows, truth.rows[rows[missed]], np.hstack([first[missed], itself]), truth.metric)
        reached[missed] = far[:, 0] <= far[:, 1] + 1e-6 * np.abs(far[:, 1])
    return reached


def found_backend(name: str) -> str:
    """The backend that `name` means: itself, or for "auto" the first of hnswlib and faiss that is installed.

    Raises
    ------
    ValueError
        When it is unknown.
    ImportError
        When "auto" finds none.
    """
    if name != "auto":
        if name not in BACKENDS:
            raise ValueError(
                f"backend={name!r} is unknown; it must be one of 'auto', {', '.join(map(repr, BACKENDS))}"
            )
        return name
    for candidate in ("hnswlib", "faiss"):
        if find_spec(candidate):
            return candidate
    raise ImportError("there is neither hnswlib nor faiss; install one with: pip install 'salience[vectors]'")


def _hnswlib(**given: Any) -> Any:
    return resolve("salience.vectors.indexes.hnsw:HnswIndex [vectors]")(**given)


def _faiss(**given: Any) -> Any:
    return resolve("salience.vectors.indexes.faiss_hnsw:FaissHnswIndex [vectors]")(in_order=True, **given)


def _usearch(seed: int, **given: Any) -> Any:
    return resolve("salience.vectors.indexes.usearch_hnsw:UsearchIndex [vectors]")(
        **given
    )  # its levels have no seed


#: Libraries of HNSW graphs by name; all insert in the order that is given.
BACKENDS: Mapping[str, Callable[..., Any]] = {"hnswlib": _hnswlib, "faiss": _faiss, "usearch": _usearch}
