"""Which combinations a block scores when it cannot score them all.

With 800 columns there are 319,600 pairs, and a block can afford some 32,768 of them. Least-evaluated-first
is the fair rule, but a count kept by the scanner would make the answer depend on which worker saw which
block. Walking a fixed permutation of the combinations in strides of the budget gives the same coverage
(evaluation counts never differ by more than one) as a *function of the block's number alone*: nothing to
share, nothing to merge.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray

__all__ = ["Schedule", "halving_sizes", "keep_best", "unrank_combinations"]

_GOLDEN = 0x9E3779B97F4A7C15  # splitmix64's increment
_TURNS = 6  # of the Feistel network; four make it a good permutation, two more for small halves


@dataclass(frozen=True)
class Schedule:
    """Least-evaluated-first scheduling of ``n_items`` over blocks, without a memory.

    Parameters
    ----------
    n_items : int
        How many items there are to score (for pairs of d columns, ``d * (d - 1) / 2``).
    budget : int
        The most items one block scores.
    seed : int or None
        Seeds the permutation that is walked; ``None`` walks the items in their own order, which is what the
        package ``outrank`` does.

    Examples
    --------
    Five items, two a block: after five blocks each was scored twice.

    >>> schedule = Schedule(n_items=5, budget=2, seed=None)
    >>> [schedule.items(block).tolist() for block in range(5)]
    [[0, 1], [2, 3], [0, 4], [1, 2], [3, 4]]
    >>> schedule.evaluations(5).tolist()
    [2, 2, 2, 2, 2]
    """

    n_items: int
    budget: int
    seed: int | None = 0

    def __post_init__(self) -> None:
        if self.n_items < 0:
            raise ValueError(f"n_items is {self.n_items}; it must be 0 or more.")
        if self.budget < 1:
            raise ValueError(f"pair budget is {self.budget}; a block must score at least 1 item.")

    @property
    def everything_fits(self) -> bool:
        """Whether each block scores every item."""
        return self.n_items <= self.budget

    def items(self, block: int) -> NDArray[np.int64]:
        """The items the block of this number scores, ascending.

        Parameters
        ----------
        block : int
            The turn of the block, from 0; the same however the blocks are spread over workers.

        Returns
        -------
        ndarray of int64, shape (min(budget, n_items),)
        """
        if self.everything_fits:
            return np.arange(self.n_items, dtype=np.int64)
        # Python integers: block * budget may pass 2^63 on a very long stream.
        start = (block * self.budget) % self.n_items
        places = (start + np.arange(self.budget, dtype=np.int64)) % self.n_items
        if self.seed is None:
            return np.sort(places)
        return np.sort(_permuted(places, self.n_items, self.seed))

    def evaluations(self, n_blocks: int) -> NDArray[np.int64]:
        """How often each item is scored in blocks 0 .. ``n_blocks`` - 1, shape (n_items,)."""
        if self.everything_fits:
            return np.full(self.n_items, n_blocks, dtype=np.int64)
        turns, rest = divmod(n_blocks * self.budget, self.n_items)
        counts = np.full(self.n_items, turns, dtype=np.int64)
        places = np.arange(rest, dtype=np.int64)
        counts[places if self.seed is None else _permuted(places, self.n_items, self.seed)] += 1
        return counts


def _permuted(places: NDArray[np.int64], n: int, seed: int) -> NDArray[np.int64]:
    """Images of ``places`` under a seeded bijection of 0 .. n - 1.

    A Feistel network on the smallest even number of bits that holds n, walked until the image is inside: no
    array of n elements is ever made, and triples of 800 columns are 85 million.
    """
    half = np.uint64(max(1, (int(n - 1).bit_length() + 1) // 2))
    mask = (np.uint64(1) << half) - np.uint64(1)
    keys = [np.uint64((seed + turn * _GOLDEN) & 0xFFFFFFFFFFFFFFFF) for turn in range(1, _TURNS + 1)]
    image = places.astype(np.uint64)
    outside = np.ones(len(image), dtype=bool)
    while outside.any():
        left, right = image[outside] >> half, image[outside] & mask
        for key in keys:
            left, right = right, left ^ (_mix(right ^ _mix(key)) & mask)
        image[outside] = (left << half) | right
        outside = image >= np.uint64(n)
    return image.astype(np.int64)


def _mix(x: NDArray[np.uint64] | np.uint64) -> NDArray[np.uint64]:
    """The finaliser of splitmix64: every input bit moves every output bit."""
    z = np.atleast_1d(np.asarray(x, dtype=np.uint64))  # arrays wrap silently, scalars warn
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def unrank_combinations(ranks: NDArray[np.int64], n: int, k: int) -> NDArray[np.int32]:
    """The combinations of ``k`` out of ``n`` with these ranks in lexicographic order.

    Parameters
    ----------
    ranks : ndarray of int64, shape (m,)
        Each in 0 .. C(n, k) - 1.
    n, k : int
        Size of the set and of the combinations.

    Returns
    -------
    ndarray of int32, shape (m, k)
        Rows ascending.

    Examples
    --------
    >>> unrank_combinations(np.arange(6), 4, 2).tolist()
    [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]
    """
    total = comb(n, k)
    if not 1 <= k <= n:
        raise ValueError(f"Cannot combine {k} out of {n} columns; the order must be between 1 and {n}.")
    if total >= 2**62:
        raise ValueError(
            f"{n} columns have {total:.3g} combinations of order {k}; "
            "lower the order or focus on fewer columns."
        )
    ranks = np.asarray(ranks, dtype=np.int64)
    if len(ranks) and (ranks.min() < 0 or ranks.max() >= total):
        raise ValueError(f"A rank lies outside 0 .. {total - 1}.")
    # Lexicographic order of c is the reverse of the colexicographic order of n - 1 - c, which the
    # combinatorial number system unranks greedily.
    rest = total - 1 - ranks
    out = np.empty((len(ranks), k), dtype=np.int32)
    for place in range(k, 0, -1):
        table = np.array([comb(c, place) for c in range(n + 1)], dtype=np.int64)
        largest = np.searchsorted(table, rest, side="right") - 1
        out[:, k - place] = n - 1 - largest
        rest = rest - table[largest]
    return out


def halving_sizes(n_items: int, finalists: int, rounds: int) -> list[int]:
    """How many items stand in each round of successive halving, from all of them towards the finalists.

    Returns ``rounds`` numbers, the first ``n_items``; after the last round ``finalists`` remain. The sizes
    fall geometrically.

    Examples
    --------
    >>> halving_sizes(3200, finalists=200, rounds=2)
    [3200, 800]
    >>> halving_sizes(150, finalists=200, rounds=3)
    [150]
    """
    if finalists < 1 or rounds < 1:
        raise ValueError(f"finalists={finalists} and rounds={rounds} must both be at least 1.")
    if n_items <= finalists:
        return [n_items]
    factor = (finalists / n_items) ** (1 / rounds)
    return [max(finalists, round(n_items * factor**r)) for r in range(rounds)]


def keep_best(values: NDArray[np.float64], keep: int) -> NDArray[np.int64]:
    """Positions of the ``keep`` largest values, ascending; NaN (never scored) is unknown and stays first.

    An item no block has scored yet cannot be told from a good one, so it is never the one to go.

    Examples
    --------
    >>> keep_best(np.array([.1, np.nan, .5, .2]), 2).tolist()
    [1, 2]
    """
    order = np.argsort(-np.where(np.isnan(values), np.inf, values), kind="stable")
    return np.sort(order[:keep]).astype(np.int64)
