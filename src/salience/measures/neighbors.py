"""Exact nearest neighbours by Euclidean distance, inner product and cosine, all from one matrix product.

``q.b`` is the inner product; ``|q|^2 - 2 q.b + |b|^2`` the squared distance and ``q.b / (|q| |b|)`` the cosine, so one
product of blocks in float32 ranks three ways. It only proposes: whoever may be among the k best is measured again in
float64 (`salience.measures.candidates`), so the answer does not depend on the size of the blocks, on the number of
threads or on where a row stands, and rows that are equal tie exactly. What can be among them is guessed from a sample of
many rows; whether the guess was low enough is known at the end, and queries where it was not are searched again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_info, threadpool_limits  # type: ignore[import-untyped]

from salience.measures.candidates import (
    COSINE,
    EUCLIDEAN,
    INNER,
    floors_of,
    guess,
    norms,
    rank_in_sample,
    scan,
    settle,
)  # fmt: skip
from salience.measures.vectors import Block, Part, VectorError, as_vectors

__all__ = ["METRICS", "blas_threads", "capacity_for", "nearest", "nearest_by"]

Progress: TypeAlias = Callable[[int, int], None]
Neighbours: TypeAlias = tuple[NDArray[np.int64], NDArray[np.float32]]

KINDS = {"l2": EUCLIDEAN, "ip": INNER, "cosine": COSINE}
METRICS = tuple(KINDS)
FEWEST = 256  # queries at a time, whatever the memory
CHUNK, TILE = 1024, 1024  # queries and rows multiplied at a time: the products stay in the cache
SAMPLE, MANY = 2048, 8  # rows from which floors are guessed, of at least so many times as many
CAUTION = 2.5  # standard deviations that a guessed floor lies below where k rows are expected


def nearest(
    base: ArrayLike,
    queries: ArrayLike | None = None,
    k: int = 10,
    *,
    metric: str = "l2",
    memory: int = 2**28,
    progress: Progress | None = None,
) -> Neighbours:
    """Return the k nearest rows of a base to each query, exactly.

    Parameters
    ----------
    base : array-like, shape (n, d)
        Real numbers of any type; taken as float32. A memory-mapped array is read block by block.
    queries : array-like, shape (m, d), optional
        Without it the rows of the base are the queries, and none is its own neighbour.
    k : int, default=10
    metric : {"l2", "ip", "cosine"}, default="l2"
        Euclidean distance, inner product, or the cosine of the angle.
    memory : int, default=2**28
        Bytes that blocks and candidates may take, besides the answer. The least is a few megabytes.
    progress : callable, optional
        ``progress(done, total)`` in pairs of a query and a row.

    Returns
    -------
    indices : ndarray of int64, shape (m, k)
        Best first; of rows that are equally good, the lower one first (decided in float64).
    values : ndarray of float32, shape (m, k)
        Distances, ascending, or similarities, descending.

    Raises
    ------
    VectorError
        A ValueError: a value is NaN, infinite or too large to multiply, lengths differ, there are fewer than
        `k` rows, or a vector is zero and so has no cosine.
    TypeError
        When the vectors are sparse or not real numbers.

    Examples
    --------
    >>> indices, values = nearest([[0, 0], [3, 4], [0, 1]], [[0.0, 0.0]], k=2)
    >>> indices.tolist(), values.tolist()
    ([[0, 2]], [[0.0, 1.0]])
    >>> nearest([[1, 0], [1, 0], [5, 0]], k=1, metric="ip")[0].ravel().tolist()
    [2, 2, 0]
    """
    return nearest_by(base, queries, k, metrics=(metric,), memory=memory, progress=progress)[metric]


def nearest_by(
    base: ArrayLike,
    queries: ArrayLike | None = None,
    k: int = 10,
    *,
    metrics: Sequence[str] = METRICS,
    memory: int = 2**28,
    progress: Progress | None = None,
) -> dict[str, Neighbours]:
    """Return the k nearest rows by several metrics in one pass over the base; see `nearest`.

    Examples
    --------
    >>> found = nearest_by([[1.0, 0.0], [3.0, 3.0]], [[1.0, 0.5]], k=1)
    >>> {metric: indices.item() for metric, (indices, values) in found.items()}
    {'l2': 0, 'ip': 1, 'cosine': 1}
    """
    search = _Search.prepared(base, queries, k, metrics, memory)
    return search.run(progress)


@dataclass(frozen=True)
class _Search:
    base: NDArray[Any]
    queries: NDArray[Any]
    itself: bool  # the queries are the base
    k: int
    metrics: tuple[str, ...]
    memory: int

    @classmethod
    def prepared(
        cls, base: ArrayLike, queries: ArrayLike | None, k: int, metrics: Sequence[str], memory: int
    ) -> _Search:
        unknown = [metric for metric in metrics if metric not in KINDS]
        if unknown or not metrics or isinstance(metrics, str):
            raise ValueError(f"metrics are any of {', '.join(map(repr, METRICS))}; got {metrics!r}")
        rows = as_vectors(base, "base")
        asked = rows if queries is None else as_vectors(queries, "queries")
        if asked.shape[1] != rows.shape[1]:
            raise VectorError(
                f"queries have {asked.shape[1]} dimensions and the base {rows.shape[1]}; they must come from the "
                "same embedding"
            )
        available = len(rows) - (queries is None)
        if not isinstance(k, int | np.integer) or isinstance(k, bool) or not 1 <= k <= available:
            raise VectorError(
                f"k={k!r} neighbours were asked of {available} rows"
                + (" (a row is not its own neighbour)" if queries is None else "")
                + f"; k is a whole number from 1 to {available}"
            )
        return cls(rows, asked, queries is None, int(k), tuple(dict.fromkeys(metrics)), memory)

    @property
    def kinds(self) -> NDArray[np.int64]:
        return np.array([KINDS[metric] for metric in self.metrics])

    def run(self, progress: Progress | None) -> dict[str, Neighbours]:
        m = len(self.queries)
        answers = {
            metric: (np.empty((m, self.k), dtype=np.int64), np.empty((m, self.k), dtype=np.float32))
            for metric in self.metrics
        }
        # half of the memory for the queries and their best, a quarter for a block, the rest for the threads
        width = 4 * self.base.shape[1]
        per_query = width + 16 + len(self.metrics) * (16 * self.k + 4)
        group = min(m, max(self.memory // 2 // per_query, FEWEST))
        threads, sample = blas_threads(), self._sample()
        with threadpool_limits(1 if threads > 1 else None, "blas"), ThreadPoolExecutor(threads) as pool:
            for start in range(0, m, group):
                asked = Part.of(self.queries, start, min(start + group, m), "queries", COSINE in self.kinds)
                own = (
                    np.arange(start, start + len(asked.rows)) if self.itself else np.full(len(asked.rows), -1)
                )
                guessed = None if sample is None else self._guessed(asked, sample, pool)
                best = _Best.empty(self.kinds, asked, self.k, own, guessed)
                slack = self._search(best, pool, threads, start, progress)
                missed = best.missed(slack)
                if missed.size:
                    again = Part(asked.rows[missed], asked.norms[missed])
                    plain = _Best.empty(self.kinds, again, self.k, own[missed], None)
                    self._search(plain, pool, threads, start, None)
                    best.keys[missed], best.ids[missed] = plain.keys, plain.ids
                for g, metric in enumerate(self.metrics):
                    indices, values = answers[metric]
                    indices[start : start + group] = best.ids[:, g]
                    values[start : start + group] = VALUES[metric](best.keys[:, g])
        return answers

    def _sample(self) -> Block | None:
        """Random rows, where they are worth their while; rows that cannot be used are refused when all are read."""
        n = len(self.base)
        if n < MANY * SAMPLE or self._rank() > SAMPLE // MANY:
            return None
        drawn = np.sort(np.random.default_rng(0).choice(n, SAMPLE, replace=False))
        with np.errstate(over="ignore"):
            rows = np.ascontiguousarray(self.base[drawn], dtype=np.float32)
        lengths = norms(rows)
        if not np.isfinite(lengths).all() or not lengths.all():
            return None
        return Block.of(Part(rows, lengths), 0, self.kinds)

    def _rank(self) -> int:
        return rank_in_sample(self.k, len(self.base), SAMPLE, CAUTION)

    def _guessed(self, asked: Part, sample: Block, pool: ThreadPoolExecutor) -> NDArray[np.float32]:
        """Floors of the queries, (queries, metrics)."""
        slack = sample.slack(self.kinds, asked.norms)
        floors = np.empty(slack.shape, dtype=np.float32)

        def work(start: int) -> None:
            part = slice(start, start + CHUNK)
            products = asked.rows[part] @ sample.part.rows.T
            guess(products, sample.times, sample.plus, self._rank(), slack[part], floors[part])

        for _ in pool.map(work, range(0, len(floors), CHUNK)):
            pass
        return floors

    def _search(
        self, best: _Best, pool: ThreadPoolExecutor, threads: int, start: int, progress: Progress | None
    ) -> NDArray[np.float64]:
        """Compare with all blocks; return how far a similarity can have been off, (queries, metrics)."""
        size = len(best.asked.rows)
        room = self.memory // (8 * threads) // (len(self.metrics) * capacity_for(self.k) * 8)
        chunk = max(1, min(CHUNK, -(-size // threads), room))
        chunks = [slice(i, min(i + chunk, size)) for i in range(0, size, chunk)]
        most = np.zeros((size, len(self.metrics)))
        for block in self._blocks():
            slack = block.slack(best.kinds, best.asked.norms)
            np.maximum(most, slack, out=most)
            for _ in pool.map(lambda part, block=block, slack=slack: best.update(part, block, slack), chunks):
                pass
            if progress is not None:
                seen = block.start + len(block.part.rows)
                progress(start * len(self.base) + size * seen, len(self.queries) * len(self.base))
        return most

    def _blocks(self) -> Iterator[Block]:
        n, d = self.base.shape
        step = max(self.memory // 4 // (4 * d + 8 + 8 * len(self.metrics)), 1024)
        for start in range(0, n, step):
            part = Part.of(self.base, start, min(start + step, n), "base", COSINE in self.kinds)
            yield Block.of(part, start, self.kinds)


@dataclass(frozen=True)
class _Best:
    """The k best so far of a group of queries, by every metric."""

    asked: Part
    own: NDArray[np.int64]  # (queries,) the row of the base that a query is, or -1
    kinds: NDArray[np.int64]  # (metrics,)
    keys: NDArray[
        np.float64
    ]  # (queries, metrics, k) squared distances, or similarities with the sign changed
    ids: NDArray[np.int64]  # (queries, metrics, k)
    guessed: NDArray[np.float32] | None  # (queries, metrics) similarities below which nothing is looked at

    @classmethod
    def empty(
        cls, kinds: NDArray[np.int64], asked: Part, k: int, own: NDArray[np.int64], guessed: NDArray[np.float32] | None
    ) -> _Best:  # fmt: skip
        m = len(asked.rows)
        return cls(
            asked,
            own,
            kinds,
            np.full((m, len(kinds), k), np.inf),
            np.full((m, len(kinds), k), -1, dtype=np.int64),
            guessed,
        )

    def missed(self, slack: NDArray[np.float64]) -> NDArray[np.int64]:
        """Queries of which a neighbour may lie below what was guessed."""
        if self.guessed is None:
            return np.empty(0, dtype=np.int64)
        reached = floors_of(self.kinds, self.keys, self.asked.norms, slack)
        return np.flatnonzero((reached < self.guessed).any(axis=1))

    def update(self, part: slice, block: Block, slack: NDArray[np.float64]) -> None:
        """Compare some of the queries with a block. Parts touch disjoint memory."""
        queries, lengths = self.asked.rows[part], self.asked.norms[part]
        keys, ids = self.keys[part], self.ids[part]
        shape = (len(queries), len(self.kinds))
        waiting = np.empty((*shape, capacity_for(keys.shape[2])), dtype=np.float32)
        places, counts = np.empty(waiting.shape, dtype=np.int32), np.zeros(shape, dtype=np.int64)
        bounds = slack[part]
        floors = floors_of(self.kinds, keys, lengths, bounds)
        if self.guessed is not None:
            np.maximum(floors, self.guessed[part], out=floors)
        rows, row_norms = block.part.rows, block.part.norms
        room = np.empty(len(queries) * min(TILE, len(rows)), dtype=np.float32)
        for first in range(0, len(rows), TILE):
            tile = rows[first : first + TILE]
            products = room[: len(queries) * len(tile)].reshape(len(queries), len(tile))
            np.matmul(queries, tile.T, out=products)
            scan(
                products, first, rows, row_norms, queries, lengths, self.own[part], self.kinds,
                block.times, block.plus, bounds, floors, waiting, places, counts, keys, ids, block.start,
            )  # fmt: skip
        settle(
            rows, row_norms, queries, lengths, self.kinds, bounds,
            floors, waiting, places, counts, keys, ids, block.start,
        )  # fmt: skip


def capacity_for(k: int) -> int:
    """Rows that may wait for a query: few, for each thinning brings the bound nearer."""
    return 2 * k + 64


def blas_threads() -> int:
    """As many as numpy's linear algebra uses, whoever set it."""
    pools = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    return max(pools, default=1)


VALUES: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "l2": np.sqrt,
    "ip": np.negative,
    "cosine": np.negative,
}
