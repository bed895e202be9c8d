"""What is left of a block of similarities: kernels that keep the few that can be among the k best, and settle them.

A similarity from a float32 matrix product is off by less than a known ``slack``, so a row whose similarity lies more
than that below the k-th best cannot be a neighbour. The others wait in a buffer and are measured again in float64, one
pair at a time and always in the same order of operations, so that equal rows are equally far.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = [
    "COSINE", "EUCLIDEAN", "INNER", "floor_of", "floors_of", "guess", "lower_bound", "norms", "rank_in_sample", "scan",
    "settle", "squared_distance", "thin",
]  # fmt: skip

Floats: TypeAlias = NDArray[np.float64]
Floats32: TypeAlias = NDArray[np.float32]
Integers: TypeAlias = NDArray[np.int64]

EUCLIDEAN, INNER, COSINE = 0, 1, 2
LANES = 32  # similarities looked at together: one test in place of so many
SPARE = 16  # places that thinning must free besides k / 2
FIRST = 4  # times k: from so many rows a bound is taken before any waits
HALVINGS = 40  # of the range of values in search of a bound


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def norms(rows: Floats32) -> Floats:
    """Euclidean norms in float64; not finite where a value is not."""
    found = np.empty(len(rows))
    for i in range(len(rows)):
        total = 0.0
        for j in range(rows.shape[1]):
            total += np.float64(rows[i, j]) * np.float64(rows[i, j])
        found[i] = np.sqrt(total)
    return found


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def _inner(a: Floats32, b: Floats32) -> float:
    total = 0.0
    for j in range(len(a)):
        total += np.float64(a[j]) * np.float64(b[j])
    return total


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def squared_distance(a: Floats32, b: Floats32) -> float:
    total = 0.0
    for j in range(len(a)):
        difference = np.float64(a[j]) - np.float64(b[j])
        total += difference * difference
    return total


@njit(nogil=True, cache=True)
def scan(
    products: Floats32,
    first: int,
    block: Floats32,
    block_norms: Floats,
    queries: Floats32,
    query_norms: Floats,
    own: Integers,
    kinds: Integers,
    times: Floats32,
    plus: Floats32,
    slack: Any,
    floors: Floats32,
    waiting: Floats32,
    places: NDArray[np.int32],
    counts: Integers,
    keys: Floats,
    ids: Integers,
    offset: int,
) -> None:
    """Let the similarities of a tile that can still matter wait, for every query and metric.

    Parameters
    ----------
    products : float32 (c, t)
        Inner products of the queries with the rows ``first ..`` of the block.
    block, block_norms : float32 (b, d), float64 (b,)
    queries, query_norms, own : float32 (c, d), float64 (c,), int64 (c,)
        `own` is the row of the base that a query is, or -1.
    kinds : int64 (metrics,)
    times, plus : float32 (metrics, b)
        A similarity is ``times * product + plus``.
    slack : float64 (c, metrics)
        How far a similarity can be off.
    floors : float32 (c, metrics)
        Below it nothing matters any more; changed in place, as the rest is.
    waiting, places, counts : float32 (c, metrics, capacity), int32 (c, metrics, capacity), int64 (c, metrics)
        Similarities and rows of the block that wait.
    keys, ids : float64 (c, metrics, k), int64 (c, metrics, k)
        The k best so far, ascending in the key (a squared distance, or a similarity with the sign changed).
    offset : int
        Row of the base at which the block begins.
    """
    capacity = waiting.shape[2]
    k = keys.shape[2]
    width = products.shape[1]
    similarities = np.empty(width, dtype=np.float32)
    for g in range(len(kinds)):
        factor = times[g, first : first + width]
        summand = plus[g, first : first + width]
        for r in range(len(products)):
            row, line, spots = products[r], waiting[r, g], places[r, g]
            if width > FIRST * k and floors[r, g] == -np.inf and counts[r, g] == 0:
                for lane in range(width):
                    similarities[lane] = row[lane] * factor[lane] + summand[lane]
                # one more than k: the query itself may be among them
                floors[r, g] = lower_bound(similarities, width, k + 1, k + 1 + k // 8, slack[r, g])
            floor, count, itself = floors[r, g], counts[r, g], own[r] - offset - first
            for start in range(0, width, LANES):
                stop = start + LANES
                if stop > width:
                    stop = width
                elif not _any_above(row, factor, summand, floor, start):
                    continue
                for lane in range(np.uint64(start), np.uint64(stop)):
                    x = np.uint64(lane)
                    similarity = row[x] * factor[x] + summand[x]
                    if similarity < floor or np.int64(x) == itself:
                        continue
                    line[count] = similarity
                    spots[count] = first + np.int64(x)
                    count += 1
                    if count == capacity:
                        counts[r, g] = count
                        thin(line, spots, counts[r], g, k, k + k // 8, slack[r, g], floors[r])
                        # too many that are alike: only float64 can tell
                        if counts[r, g] > capacity - k // 2 - SPARE:
                            _settle(
                                g, r, block, block_norms, queries, query_norms, kinds, slack,
                                floors, places, counts, keys, ids, offset,
                            )  # fmt: skip
                        floor, count = floors[r, g], counts[r, g]
            counts[r, g] = count


@njit(nogil=True, cache=True)
def _any_above(row: Floats32, factor: Floats32, summand: Floats32, floor: Any, start: int) -> bool:
    # counts in 32 bits and places without a sign: only this form becomes vector instructions
    hits = np.int32(0)
    for lane in range(np.uint64(LANES)):
        x = np.uint64(start) + np.uint64(lane)
        hits += np.int32(row[x] * factor[x] + summand[x] >= floor)
    return bool(hits > 0)


@njit(nogil=True, cache=True)
def settle(
    block: Floats32,
    block_norms: Floats,
    queries: Floats32,
    query_norms: Floats,
    kinds: Integers,
    slack: Any,
    floors: Floats32,
    waiting: Floats32,
    places: NDArray[np.int32],
    counts: Integers,
    keys: Floats,
    ids: Integers,
    offset: int,
) -> None:
    """Measure all that wait in float64 and merge them with the k best so far."""
    k = keys.shape[2]
    for g in range(len(kinds)):
        for r in range(len(queries)):
            if counts[r, g] > k:
                thin(waiting[r, g], places[r, g], counts[r], g, k, k + k // 16, slack[r, g], floors[r])
            if counts[r, g] > 0:
                _settle(
                    g, r, block, block_norms, queries, query_norms, kinds, slack,
                    floors, places, counts, keys, ids, offset,
                )  # fmt: skip


@njit(nogil=True, cache=True)
def thin(
    waiting: Floats32,
    places: NDArray[np.int32],
    counts: Integers,
    g: int,
    k: int,
    most: int,
    slack: Any,
    floors: Floats32,
) -> None:
    """Drop what lies below the k-th best that waits by more than both can be off. The order stays."""
    count = counts[g]
    floors[g] = max(floors[g], lower_bound(waiting, count, k, most, slack))
    kept = 0
    for x in range(count):
        if waiting[x] >= floors[g]:
            waiting[kept] = waiting[x]
            places[kept] = places[x]
            kept += 1
    counts[g] = kept


@njit(nogil=True, cache=True)
def lower_bound(values: Floats32, count: int, least: int, most: int, slack: Any) -> Any:
    """What lies below it cannot be among the best of `values`, found by halving their range.

    Counting is one vector pass, and any value that `least` or more reach is a bound, so it is enough to come near.
    """
    low, high = values[0], values[0]
    for x in range(count):
        low, high = min(low, values[x]), max(high, values[x])
    for _ in range(HALVINGS):
        middle = np.float32(0.5) * low + np.float32(0.5) * high
        reached = _reached(values, count, middle)
        if reached >= least:
            low = middle
            if reached <= most:
                break
        else:
            high = middle
    return np.float32(low - 2.0 * slack)


def rank_in_sample(k: int, n: int, size: int, caution: float) -> int:
    """The rank in a sample of n rows at which more than k rows of all lie, but for a few in a hundred.

    So many standard deviations are allowed for; a row that is itself a query may have been drawn.
    """
    expected = (k + 1) * size / n
    root = (caution + np.sqrt(caution**2 + 4 * expected)) / 2  # of r - caution * sqrt(r) = expected
    return int(np.ceil(root**2)) + 1


@njit(nogil=True, cache=True)
def guess(
    products: Floats32, times: Floats32, plus: Floats32, rank: int, slack: Any, floors: Floats32
) -> None:
    """Guess the floor of each query by its similarities to a sample, that of the given rank in it or a little less.

    Parameters
    ----------
    products : float32 (c, size)
    times, plus : float32 (metrics, size)
    rank : int
    slack : float64 (c, metrics)
    floors : float32 (c, metrics)
        Written.
    """
    similarities = np.empty(products.shape[1], dtype=np.float32)
    for r in range(len(products)):
        for g in range(len(times)):
            for x in range(len(similarities)):
                similarities[x] = products[r, x] * times[g, x] + plus[g, x]
            floors[r, g] = lower_bound(similarities, len(similarities), rank, rank + rank // 8, slack[r, g])


@njit(nogil=True, cache=True)
def _reached(values: Floats32, count: int, bound: Any) -> int:
    hits = np.int32(0)
    for x in range(np.uint64(count)):
        hits += np.int32(values[x] >= bound)
    return int(hits)


@njit(nogil=True, cache=True)
def _settle(
    g: int,
    r: int,
    block: Floats32,
    block_norms: Floats,
    queries: Floats32,
    query_norms: Floats,
    kinds: Integers,
    slack: Any,
    floors: Floats32,
    places: NDArray[np.int32],
    counts: Integers,
    keys: Floats,
    ids: Integers,
    offset: int,
) -> None:
    k = keys.shape[2]
    count = counts[r, g]
    query = queries[r]
    length = query_norms[r]
    before = k if keys[r, g, 0] < np.inf else 0  # nothing to merge with the first time
    measured = np.empty(before + count)
    rows = np.empty(before + count, dtype=np.int64)
    measured[:before] = keys[r, g, :before]
    rows[:before] = ids[r, g, :before]
    for x in range(count):
        place = places[r, g, x]
        rows[before + x] = offset + place
        if kinds[g] == EUCLIDEAN:
            measured[before + x] = squared_distance(query, block[place])
        elif kinds[g] == INNER:
            measured[before + x] = -_inner(query, block[place])
        else:
            measured[before + x] = -_inner(query, block[place]) / (length * block_norms[place])
    # those that came first are lower rows, so a stable order gives ties to the lower row
    order = np.argsort(measured, kind="mergesort")
    for x in range(min(k, before + count)):
        keys[r, g, x] = measured[order[x]]
        ids[r, g, x] = rows[order[x]]
    counts[r, g] = 0
    floors[r, g] = max(floors[r, g], floor_of(kinds[g], keys[r, g, k - 1], length, slack[r, g]))


@njit(nogil=True, cache=True)
def floor_of(kind: int, last: Any, length: float, slack: Any) -> Any:
    """The similarity in float32 below which no row can be better than the key `last` (infinite: not yet k)."""
    similarity = -last  # q.b
    if kind == EUCLIDEAN:
        similarity = (length * length - last) / 2.0  # q.b - |b|^2 / 2
    elif kind == COSINE:
        similarity = -last * length  # q.b / |b|
    return np.float32(similarity - slack)


@njit(nogil=True, cache=True)
def floors_of(kinds: Integers, keys: Floats, query_norms: Floats, slack: Any) -> Floats32:
    """The floors of queries whose best so far are `keys`, float32 (c, metrics)."""
    found = np.empty(slack.shape, dtype=np.float32)
    for r in range(len(query_norms)):
        for g in range(len(kinds)):
            found[r, g] = floor_of(kinds[g], keys[r, g, -1], query_norms[r], slack[r, g])
    return found
