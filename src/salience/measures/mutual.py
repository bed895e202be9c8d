"""Exact nearest neighbours of rows among themselves, each pair of rows multiplied once.

Where `salience.measures.neighbors` multiplies every query with every row, here a product serves both of its rows, which
halves the work. A floor is guessed for each row from its similarities to a random sample, so that few pairs have to
wait; whether the guess was low enough is known at the end, and rows where it was not are searched again. So the answer
is that of `nearest`, ties included, whatever was drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from salience.measures.candidates import (
    EUCLIDEAN,
    Floats,
    Floats32,
    Integers,
    floor_of,
    floors_of,
    guess,
    rank_in_sample,
    squared_distance,
    thin,
)
from salience.measures.neighbors import blas_threads, capacity_for, nearest
from salience.measures.vectors import Block, Part, as_vectors

__all__ = ["mutual_distances", "mutual_fits", "mutual_neighbors"]

Progress: TypeAlias = Callable[[int, int], None]
Pair: TypeAlias = tuple[slice, slice]

SAMPLE = 512  # rows from which floors are guessed
CAUTION = 1.5  # standard deviations that a guessed floor lies below where k rows are expected
BLOCK = 1024  # rows that are multiplied with as many others at a time
KINDS = np.array([EUCLIDEAN])


def mutual_neighbors(
    rows: ArrayLike, k: int, *, memory: int = 2**28, progress: Progress | None = None
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the k nearest other rows of each row by Euclidean distance: ``nearest(rows, None, k)``, sooner.

    Parameters
    ----------
    rows : array-like, shape (n, d)
    k : int
    memory : int, default=2**28
        Where it is not enough for all rows at once (see `mutual_fits`), `nearest` is asked.
    progress : callable, optional
        ``progress(done, total)`` in pairs of a query and a row.

    Returns
    -------
    indices : ndarray of int64, shape (n, k)
    distances : ndarray of float32, shape (n, k)

    Raises
    ------
    VectorError, TypeError
        As `nearest`.

    Examples
    --------
    >>> indices, distances = mutual_neighbors([[0.0], [1.0], [3.0]], k=1)
    >>> indices.ravel().tolist(), distances.ravel().tolist()
    ([1, 0, 1], [1.0, 1.0, 2.0])
    """
    given = as_vectors(rows, "base")
    if not mutual_fits(given, k, memory):
        return nearest(given, None, k, memory=memory, progress=progress)
    search = _Mutual.prepared(given, int(k))
    search.run(_Mutual._settle, progress)
    return search.ids, search.distances()


def mutual_distances(
    rows: ArrayLike, k: int, *, memory: int = 2**28, progress: Progress | None = None
) -> NDArray[np.float32]:
    """Return the distances that `mutual_neighbors` returns, the farthest last and the others in any order.

    What need not be ordered, nor told apart where it ties, is there sooner. Parameters and errors are the same.

    Examples
    --------
    >>> mutual_distances([[0.0], [1.0], [3.0]], k=1).ravel().tolist()
    [1.0, 1.0, 2.0]
    """
    given = as_vectors(rows, "base")
    if not mutual_fits(given, k, memory):
        return nearest(given, None, k, memory=memory, progress=progress)[1]
    search = _Mutual.prepared(given, int(k))
    search.run(_Mutual._settle_distances, progress)
    return search.distances()


def mutual_fits(rows: NDArray[Any], k: Any, memory: int) -> bool:
    """Whether all rows can be searched at once, and are so many that it pays."""
    n, d = rows.shape
    if not isinstance(k, int | np.integer) or not 1 <= k < n or n < 2 * SAMPLE:
        return False
    if rank_in_sample(int(k), n, SAMPLE, CAUTION) >= SAMPLE:
        return False
    copied = 0 if rows.dtype == np.float32 and rows.flags.c_contiguous and rows.flags.writeable else 4 * d
    return n * (copied + 8 * capacity_for(int(k)) + 8 * int(k) + 40) <= memory


@dataclass(frozen=True)
class _Mutual:
    """Rows, and what waits for each of them. Arrays are (n, ...) and changed in place."""

    part: Part
    halves: Floats32  # |b|^2 / 2: a similarity is q.b - |b|^2 / 2
    slack: Floats  # (n, 1) how far a similarity in float32 can be off
    floors: Floats32  # (n,)
    waiting: Floats32  # (n, capacity) similarities
    places: NDArray[np.int32]  # (n, capacity) rows
    counts: Integers  # (n,)
    keys: Floats  # (n, k) squared distances of the best so far, where `settled`
    ids: Integers  # (n, k)
    settled: NDArray[np.bool_]  # (n,)

    @classmethod
    def prepared(cls, given: NDArray[Any], k: int) -> Self:
        part = Part.of(given, 0, len(given), "base", directed=False)
        n, room = len(part.rows), capacity_for(k)
        block = Block.of(part, 0, KINDS)
        slack = block.slack(KINDS, part.norms)  # refuses what is too long, before it is halved
        return cls(
            part,
            -block.plus[0],
            slack,
            np.empty(n, dtype=np.float32),
            np.empty((n, room), dtype=np.float32),
            np.empty((n, room), dtype=np.int32),
            np.zeros(n, dtype=np.int64),
            np.empty((n, k)),
            np.empty((n, k), dtype=np.int64),
            np.zeros(n, dtype=bool),
        )

    def run(self, settle: Callable[[Self, slice], None], progress: Progress | None) -> None:
        """Fill `ids` and `keys`, by `settle` in the order that is wanted."""
        n, k = self.keys.shape
        threads, done = blas_threads(), 0
        blocks = _blocks(n, threads)
        drawn = np.sort(np.random.default_rng(0).choice(n, SAMPLE, replace=False))
        sample = self.part.rows[drawn], self.halves[drawn], rank_in_sample(k, n, SAMPLE, CAUTION)
        with threadpool_limits(1 if threads > 1 else None, "blas"), ThreadPoolExecutor(threads) as pool:
            for _ in pool.map(lambda block: self._guess(block, *sample), blocks):
                pass
            guessed = self.floors.copy()
            for pairs in _rounds(blocks):
                done += sum(pool.map(self._compare, pairs))
                if progress is not None:
                    progress(done, n * n)
            for _ in pool.map(lambda block: settle(self, block), blocks):
                pass
        reached = floors_of(KINDS, self.keys[:, None], self.part.norms, self.slack)[:, 0]
        missed = np.flatnonzero(reached < guessed)
        if missed.size:
            self._search(missed)

    def distances(self) -> NDArray[np.float32]:
        return np.sqrt(self.keys).astype(np.float32)

    def _guess(self, block: slice, sample: Floats32, halves: Floats32, rank: int) -> None:
        products = self.part.rows[block] @ sample.T
        guess(
            products,
            np.ones((1, SAMPLE), np.float32),
            -halves[None],
            rank,
            self.slack[block],
            self.floors[block, None],
        )

    def _compare(self, pair: Pair) -> int:
        """Let rows of two blocks wait for each other; return how many pairs that were. Rounds touch disjoint memory."""
        one, other = pair
        products = self.part.rows[one] @ self.part.rows[other].T
        _offer(
            products, one.start, other.start, self.part.rows, self.part.norms, self.halves, self.slack, self.floors,
            self.waiting, self.places, self.counts, self.keys, self.ids, self.settled,
        )  # fmt: skip
        return products.size * (1 if one == other else 2)

    def _settle(self, block: slice) -> None:
        """Keep the k best, of equally near ones the lower row."""
        keys, ids = self._measured(block)
        k = self.keys.shape[1]
        order = np.argsort(keys, axis=1)
        ranked = np.take_along_axis(keys, order, axis=1)
        tied = ((ranked[:, 1:] == ranked[:, :-1]) & np.isfinite(ranked[:, 1:])).any(axis=1)
        order[tied] = np.lexsort((ids[tied], keys[tied]), axis=1)
        self.keys[block] = ranked[:, :k]
        self.ids[block] = np.take_along_axis(ids, order[:, :k], axis=1)

    def _settle_distances(self, block: slice) -> None:
        """Keep the keys of the k best, the greatest last."""
        keys, _ = self._measured(block)
        k = self.keys.shape[1]
        self.keys[block] = np.partition(keys, k - 1, axis=1)[:, :k]

    def _measured(self, block: slice) -> tuple[Floats, Integers]:
        """What waits, measured in float64, beside the best so far."""
        k = self.keys.shape[1]
        places, counts = self.places[block], self.counts[block]
        _thin_all(self.waiting[block], places, counts, k, self.slack[block, 0], self.floors[block])
        done = np.flatnonzero(self.settled[block])
        before = k if done.size else 0
        room = max(k, before + int(counts.max()))
        keys, ids = np.full((len(counts), room), np.inf), np.zeros((len(counts), room), dtype=np.int64)
        keys[done, :before] = self.keys[block][done, :before]
        ids[done, :before] = self.ids[block][done, :before]
        _measure(self.part.rows, block.start, places, counts, before, keys, ids)
        return keys, ids

    def _search(self, missed: Integers) -> None:
        """Search rows again whose floor was guessed too high."""
        ids, distances = nearest(self.part.rows, self.part.rows[missed], self.keys.shape[1] + 1)
        others = ids != missed[:, None]
        others[others.all(axis=1), -1] = False  # more than k copies of it came before
        self.ids[missed] = ids[others].reshape(len(missed), -1)
        self.keys[missed] = distances[others].reshape(len(missed), -1).astype(np.float64) ** 2


def _blocks(n: int, threads: int) -> list[slice]:
    """An even number of equal blocks: as many as keep all threads busy in every round, but not tiny ones."""
    number = min(2 * threads * -(-n // (2 * threads * BLOCK)), max(2, 2 * (n // (BLOCK // 2))))
    ends = np.linspace(0, n, number + 1).astype(int).tolist()
    return [slice(*ends[i : i + 2]) for i in range(number)]


def _rounds(blocks: list[slice]) -> Iterator[list[Pair]]:
    """Every block with itself, then all pairs of blocks in rounds in which none stands twice (the circle method)."""
    yield [(block, block) for block in blocks]
    first, *others = blocks
    for turn in range(len(others)):
        ring = [first, *others[turn:], *others[:turn]]
        yield [(ring[i], ring[-1 - i]) for i in range(len(ring) // 2)]


@njit(nogil=True, cache=True)
def _offer(
    products: Floats32,
    top: int,
    left: int,
    rows: Floats32,
    lengths: Floats,
    halves: Floats32,
    slack: Any,
    floors: Floats32,
    waiting: Floats32,
    places: NDArray[np.int32],
    counts: Integers,
    keys: Floats,
    ids: Integers,
    settled: NDArray[np.bool_],
) -> None:
    """Let each row wait for the other where its similarity reaches the other's floor.

    Parameters
    ----------
    products : float32 (c, b)
        Inner products of the rows ``top ..`` with the rows ``left ..``. Within one block a pair is met from both sides.
    rows, halves, ... : of all rows, see `_Mutual`
    """
    room, width = waiting.shape[1], products.shape[1]
    across, beyond = halves[left : left + width], floors[left : left + width]
    marks = np.zeros((width + 7) // 8 * 8, dtype=np.uint8)
    words = marks.view(np.uint64)
    for r in range(len(products)):
        i, row = top + r, products[r]
        _mark(row, across, beyond, halves[i], floors[i], marks)
        for word in range(len(words)):
            if words[word] == 0:
                continue
            for x in range(8 * word, 8 * word + 8):
                j = left + x
                if marks[x] == 0 or i == j:
                    continue
                similarity = row[x] - across[x]
                if similarity >= floors[i]:
                    waiting[i, counts[i]] = similarity
                    places[i, counts[i]] = j
                    counts[i] += 1
                    if counts[i] == room:
                        _make_room(
                            i, rows, lengths, slack, floors, waiting, places, counts, keys, ids, settled
                        )
                similarity = row[x] - halves[i]
                if top != left and similarity >= floors[j]:
                    waiting[j, counts[j]] = similarity
                    places[j, counts[j]] = i
                    counts[j] += 1
                    if counts[j] == room:
                        _make_room(
                            j, rows, lengths, slack, floors, waiting, places, counts, keys, ids, settled
                        )


@njit(nogil=True, cache=True)
def _mark(
    row: Floats32, across: Floats32, beyond: Floats32, half: Any, floor: Any, marks: NDArray[np.uint8]
) -> None:
    # one byte for each pair, without a branch: only this form becomes vector instructions
    for x in range(np.uint64(len(row))):
        marks[x] = np.uint8((row[x] - across[x] >= floor) | (row[x] - half >= beyond[x]))


@njit(nogil=True, cache=True)
def _make_room(
    i: int,
    rows: Floats32,
    lengths: Floats,
    slack: Any,
    floors: Floats32,
    waiting: Floats32,
    places: NDArray[np.int32],
    counts: Integers,
    keys: Floats,
    ids: Integers,
    settled: NDArray[np.bool_],
) -> None:
    """Drop what waits in vain; where too many are alike, measure them in float64 and keep k."""
    k = keys.shape[1]
    thin(waiting[i], places[i], counts, i, k, k + k // 2, slack[i, 0], floors)
    if counts[i] <= waiting.shape[1] // 2:
        return
    before = k if settled[i] else 0
    found = np.empty((1, before + counts[i]), dtype=np.int64)
    measured = np.empty(found.shape)
    measured[0, :before], found[0, :before] = keys[i, :before], ids[i, :before]
    _measure(rows, i, places[i : i + 1], counts[i : i + 1], before, measured, found)
    by_row = np.argsort(found[0], kind="mergesort")
    order = by_row[np.argsort(measured[0][by_row], kind="mergesort")][:k]  # ties go to the lower row
    keys[i], ids[i] = measured[0][order], found[0][order]
    settled[i], counts[i] = True, 0
    floors[i] = max(floors[i], floor_of(EUCLIDEAN, keys[i, k - 1], lengths[i], slack[i, 0]))


@njit(nogil=True, cache=True)
def _thin_all(
    waiting: Floats32, places: NDArray[np.int32], counts: Integers, k: int, slack: Any, floors: Floats32
) -> None:
    for r in range(len(counts)):
        if counts[r] > k:
            thin(waiting[r], places[r], counts, r, k, k + k // 16, slack[r], floors)


@njit(nogil=True, cache=True)
def _measure(
    rows: Floats32,
    top: int,
    places: NDArray[np.int32],
    counts: Integers,
    before: int,
    keys: Floats,
    ids: Integers,
) -> None:
    """Squared distances in float64 of the rows ``top ..`` from those that wait, from the column `before` on."""
    for r in range(len(counts)):
        for x in range(counts[r]):
            ids[r, before + x] = places[r, x]
            keys[r, before + x] = squared_distance(rows[top + r], rows[places[r, x]])
