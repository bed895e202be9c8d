"""Counting the values of column combinations against the label, in one block of codes.

The kernels here never see a value, only dense codes. For each combination they return the mutual information
with the label and the *histogram of counts* of the combined values (how many values occur once, twice, ...):
that is all the exact null needs, and it is short (at most sqrt(2 n) entries), however many values there are.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

from salience.measures.information import ROUNDING
from salience.measures.nulltable import NullTable

__all__ = ["Joint", "above_chance", "densify", "expected_by_count", "joint_counts", "pair_information"]

Ints: TypeAlias = NDArray[Any]  # int32 or int64
Floats: TypeAlias = NDArray[np.float64]

# A dense table is counted into as long as clearing and reading it costs about what the rows themselves cost.
_CELLS_PER_ROW = 4
_CHUNK = 64  # combinations a thread takes at a time: enough to forget the overhead, few enough to balance


@dataclass(frozen=True)
class Joint:
    """What one block says about combinations of columns.

    Attributes
    ----------
    mi : ndarray of float64, shape (m,)
        Plug-in mutual information of each combination with the label, in nats.
    counts, multiplicity : ndarray of int32, shape (m, width)
        The histogram of counts: ``multiplicity[i, j]`` values of combination i occur ``counts[i, j]`` times;
        padded with zeros.
    """

    mi: NDArray[np.float64]
    counts: NDArray[np.int32]
    multiplicity: NDArray[np.int32]

    def null(self, expected: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum over the values of ``expected[count]``, an array indexed by count; shape (m,)."""
        return np.einsum("ij,ij->i", self.multiplicity, expected[self.counts])


def joint_counts(
    codes: NDArray[np.int32],
    cards: NDArray[np.int64],
    labels: NDArray[np.int32],
    n_classes: int,
    combinations: NDArray[np.int32],
    threads: int = 2,
) -> Joint:
    """Count combinations of columns against the label.

    Parameters
    ----------
    codes : ndarray of int32, shape (d, n)
        Dense codes of each column, 0 .. card - 1; a missing value is a value like any other.
    cards : ndarray of int64, shape (d,)
        How many codes each column has.
    labels : ndarray of int32, shape (n,)
        Classes 0 .. n_classes - 1; rows without a label must have been left out.
    n_classes : int
    combinations : ndarray of int32, shape (m, k)
        Column numbers, k >= 1; fastest when rows that share their first k - 1 columns are neighbours.
    threads : int

    Returns
    -------
    Joint

    Examples
    --------
    Two fair bits and their exclusive or: the pair says all (ln 2), a bit alone nothing.

    >>> codes = np.array([[0, 0, 1, 1], [0, 1, 0, 1]], dtype=np.int32)
    >>> label, cards = np.array([0, 1, 1, 0], dtype=np.int32), np.array([2, 2])
    >>> joint_counts(codes, cards, label, 2, np.array([[0, 1]], dtype=np.int32)).mi.round(4)
    array([0.6931])
    >>> joint_counts(codes, cards, label, 2, np.array([[0]], dtype=np.int32)).mi.round(4)
    array([0.])
    """
    n, m = codes.shape[1], len(combinations)
    width = int(np.sqrt(2.0 * n)) + 2  # distinct counts 1 + 2 + ... + w cannot exceed n
    mi = np.zeros(m)
    counts = np.zeros((m, width), dtype=np.int32)
    multiplicity = np.zeros((m, width), dtype=np.int32)
    if m == 0 or n == 0:
        return Joint(mi, counts, multiplicity)
    steps = np.arange(n + 1, dtype=np.float64)
    klogk = steps * np.log(np.maximum(steps, 1.0))
    codes = np.ascontiguousarray(codes, dtype=np.int32)
    cards = np.asarray(cards, dtype=np.int64)
    combinations = np.ascontiguousarray(combinations, dtype=np.int32)

    def count(start: int) -> None:
        part = slice(start, start + _CHUNK)
        _count_combinations(
            codes, cards, labels, n_classes, combinations[part], klogk, _CELLS_PER_ROW * n,
            mi[part], counts[part], multiplicity[part],
        )  # fmt: skip

    _over_threads(count, range(0, m, _CHUNK), threads)
    used = max(1, int((counts > 0).sum(axis=1).max()))
    return Joint(mi, counts[:, :used], multiplicity[:, :used])


def expected_by_count(null_table: NullTable, counts: Ints) -> Floats:
    """What a value with k rows contributes to the mutual information by chance, for every k in ``counts``.

    Parameters
    ----------
    null_table : NullTable
        Of the block's label.
    counts : ndarray of int, any shape
        Zeros are padding.

    Returns
    -------
    ndarray of float64, shape (largest count + 1,)
        Nats; 0 where the count does not occur. This is what `Joint.null` takes.
    """
    expected = np.zeros(int(counts.max(initial=0)) + 1)
    present = np.flatnonzero(np.bincount(counts.ravel(), minlength=1)[1:]) + 1
    if len(present):
        expected[present] = null_table.expected(present)
    return expected


def above_chance(joint: Joint, null_table: NullTable) -> tuple[Floats, Floats]:
    """Score and null of each combination, shape (m,): ``mi - null``, exactly 0 where that is rounding.

    A constant column and a row id must score 0, not 1e-17: their sign would decide ties.
    """
    null = joint.null(expected_by_count(null_table, joint.counts))
    score = joint.mi - null
    score[np.abs(score) <= ROUNDING * np.log(null_table.n + 1.0)] = 0.0
    return score, null


def pair_information(
    codes: NDArray[np.int32], cards: NDArray[np.int64], pairs: NDArray[np.int32], threads: int = 2
) -> NDArray[np.float64]:
    """Plug-in mutual information between two columns of a block, in nats.

    Parameters
    ----------
    codes, cards
        As in `joint_counts`.
    pairs : ndarray of int32, shape (m, 2)
    threads : int

    Returns
    -------
    ndarray of float64, shape (m,)

    Examples
    --------
    >>> codes = np.array([[0, 0, 1, 1], [1, 1, 0, 0], [0, 1, 0, 1]], dtype=np.int32)
    >>> pair_information(codes, np.array([2, 2, 2]), np.array([[0, 1], [0, 2]], dtype=np.int32)).round(4)
    array([0.6931, 0.    ])
    """
    n = codes.shape[1]
    steps = np.arange(n + 1, dtype=np.float64)
    klogk = steps * np.log(np.maximum(steps, 1.0))
    nothing = np.zeros(n, dtype=np.int32)  # one class: what is counted is the pair itself
    joint = joint_counts(codes, cards, nothing, 1, pairs, threads)
    sums = np.array([klogk[np.bincount(row)].sum() for row in codes])
    together = joint.null(klogk)
    return np.log(n) + (together - sums[pairs[:, 0]] - sums[pairs[:, 1]]) / n


def _over_threads(work: Callable[[int], None], starts: range, threads: int) -> None:
    if threads <= 1 or len(starts) == 1:
        for start in starts:
            work(start)
        return
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work, starts):
            pass


@njit(nogil=True, cache=True)
def _count_combinations(
    codes: Ints,
    cards: Ints,
    labels: Ints,
    n_classes: int,
    combinations: Ints,
    klogk: Floats,
    max_cells: int,
    mi: Floats,
    counts: Ints,
    multiplicity: Ints,
) -> None:
    n, order = codes.shape[1], combinations.shape[1]
    slots = 64
    while slots < 2 * n:
        slots *= 2
    table = np.zeros(max_cells, dtype=np.int32)
    keys = np.empty(slots, dtype=np.int64)
    ids = np.empty(slots, dtype=np.int32)
    by_class = np.zeros((n, n_classes), dtype=np.int32)
    of_count = np.zeros(n + 1, dtype=np.int32)
    prefix = np.zeros(n, dtype=np.int32)
    label_counts = np.zeros(n_classes, dtype=np.int64)
    for i in range(n):
        label_counts[labels[i]] += 1
    label_sum = 0.0
    for y in range(n_classes):
        label_sum += klogk[label_counts[y]]

    prefix_card: Any = np.int64(1)
    for item in range(combinations.shape[0]):
        if order >= 2 and (item == 0 or not _same_prefix(combinations, item)):
            prefix[:] = codes[combinations[item, 0]]
            prefix_card = cards[combinations[item, 0]]
            for place in range(1, order - 1):
                column = combinations[item, place]
                prefix_card = densify(prefix, codes[column], cards[column], keys, ids)
        last = combinations[item, order - 1]
        if prefix_card * cards[last] * n_classes <= max_cells:
            cells = prefix_card * cards[last]
            joint_sum, value_sum, used = _count_dense(
                prefix, codes[last], cards[last], cells, labels, n_classes, klogk, table, of_count,
                counts[item],
            )  # fmt: skip
        else:
            joint_sum, value_sum, used = _count_hashed(
                prefix, codes[last], cards[last], labels, n_classes, klogk, keys, ids, by_class, of_count,
                counts[item],
            )  # fmt: skip
        for j in range(used):
            multiplicity[item, j] = of_count[counts[item, j]]
            of_count[counts[item, j]] = 0
        mi[item] = klogk[n] / n + (joint_sum - value_sum - label_sum) / n


@njit(nogil=True, cache=True)
def _same_prefix(combinations: Ints, item: int) -> bool:
    for place in range(combinations.shape[1] - 1):  # noqa: SIM110 - a generator costs numba more than a loop
        if combinations[item, place] != combinations[item - 1, place]:
            return False
    return True


@njit(nogil=True, cache=True)
def _count_dense(
    prefix: Ints,
    codes: Ints,
    card: int,
    cells: int,
    labels: Ints,
    n_classes: int,
    klogk: Floats,
    table: Ints,
    of_count: Ints,
    seen: Ints,
) -> tuple[float, float, int]:
    table[: cells * n_classes] = 0
    for i in range(len(codes)):
        table[(prefix[i] * card + codes[i]) * n_classes + labels[i]] += 1
    joint_sum, value_sum, used = 0.0, 0.0, 0
    for cell in range(cells):
        total = 0
        for y in range(n_classes):
            k = table[cell * n_classes + y]
            if k > 1:  # 0 ln 0 = 1 ln 1 = 0
                joint_sum += klogk[k]
            total += k
        if total > 0:
            value_sum += klogk[total]
            if of_count[total] == 0:
                seen[used] = total
                used += 1
            of_count[total] += 1
    return joint_sum, value_sum, used


@njit(nogil=True, cache=True)
def _count_hashed(
    prefix: Ints,
    codes: Ints,
    card: int,
    labels: Ints,
    n_classes: int,
    klogk: Floats,
    keys: Ints,
    ids: Ints,
    by_class: Ints,
    of_count: Ints,
    seen: Ints,
) -> tuple[float, float, int]:
    distinct = 0
    keys[:] = -1
    mask = len(keys) - 1
    for i in range(len(codes)):
        key = prefix[i] * card + codes[i]
        slot = _slot(key, keys, mask)
        if keys[slot] < 0:
            keys[slot] = key
            ids[slot] = distinct
            by_class[distinct] = 0
            distinct += 1
        by_class[ids[slot], labels[i]] += 1
    joint_sum, value_sum, used = 0.0, 0.0, 0
    for value in range(distinct):
        total = 0
        for y in range(n_classes):
            k = by_class[value, y]
            if k > 1:
                joint_sum += klogk[k]
            total += k
        value_sum += klogk[total]
        if of_count[total] == 0:
            seen[used] = total
            used += 1
        of_count[total] += 1
    return joint_sum, value_sum, used


@njit(nogil=True, cache=True)
def densify(prefix: Ints, codes: Ints, card: int, keys: Ints, ids: Ints) -> np.int64:
    """Replace prefix, in place, by dense codes of the pairs (prefix, codes); returns how many there are."""
    distinct = np.int64(0)
    keys[:] = -1
    mask = len(keys) - 1
    for i in range(len(codes)):
        key = prefix[i] * card + codes[i]
        slot = _slot(key, keys, mask)
        if keys[slot] < 0:
            keys[slot] = key
            ids[slot] = distinct
            distinct += 1
        prefix[i] = ids[slot]
    return distinct


@njit(nogil=True, cache=True)
def _slot(key: int, keys: Ints, mask: int) -> np.int64:
    # Fibonacci hashing: the product's middle bits move with every bit of a small key.
    slot = ((np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)) & np.uint64(mask)
    at = np.int64(slot)
    while keys[at] >= 0 and keys[at] != key:
        at = (at + 1) & mask
    return at
