"""Passes over a pool: states that any number of threads or workers fill, merged to the same result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from salience.instances.dsir.kernels import add_counts, sum_ratios
from salience.instances.dsir.ngrams import Features, mixed
from salience.instances.dsir.pools import Part, TextPool, Tick
from salience.parallel import reduce
from salience.verify.fingerprints import column_sum

__all__ = [
    "CountPass",
    "KeptPass",
    "Tally",
    "Weighed",
    "WeightPass",
    "halves",
    "in_one",
    "joined",
    "levels",
    "over",
]

_TURN = 4  # parts of a thread between two looks at the keyboard
LEVELS = 16  # a row is in level j or above with probability 2**-j
S = TypeVar("S")
S_co = TypeVar("S_co", covariant=True)


class Pass(Protocol[S_co]):
    """From parts of a pool to a state; a dataclass whose field `tick` is told of rows that were read."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def __call__(self, parts: Sequence[Part]) -> S_co: ...


@dataclass
class Tally:
    """Counts of buckets in groups of rows, and what is cheap to know beside them.

    Attributes
    ----------
    counts : ndarray of int64, shape (groups, m)
    level : int
        Rows of lower groups were left out, for there were more than `budget` n-grams.
    budget : int or None
    checksum : int
        Of all rows, for their fingerprint.
    """

    counts: NDArray[np.int64]
    level: int = 0
    budget: int | None = None
    checksum: int = 0

    def settle(self) -> None:
        """Raise the level until the budget is kept: whatever came in which order, the same rows remain."""
        while self.budget and self.level < LEVELS - 1 and self.counts.sum() > self.budget:
            self.counts[self.level] = 0
            self.level += 1

    def merge(self, other: Tally) -> Tally:
        """The counts of both; these stay as they are, for on a cluster a merge may be repeated."""
        both = Tally(
            self.counts + other.counts,
            max(self.level, other.level),
            self.budget,
            (self.checksum + other.checksum) % 2**64,
        )
        if both.budget:
            both.counts[: both.level] = 0
        both.settle()
        return both


def levels(bits: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Trailing zero bits, at most ``LEVELS - 1``: level j has a share of 2**-(j + 1) of the rows."""
    low = bits & (np.uint64(0) - bits)
    return np.minimum(np.log2(np.maximum(low, 1).astype(np.float64)).astype(np.int64), LEVELS - 1)


def halves(bits: NDArray[np.uint64]) -> NDArray[np.int64]:
    """One of two groups for each row."""
    return (bits & np.uint64(1)).astype(np.int64)


@dataclass(frozen=True)
class CountPass:
    """Count the n-grams of a pool by groups of rows.

    Parameters
    ----------
    pool : TextPool
    features : Features
    seed : int
        A row's group depends on it and on the row's number, on nothing else.
    groups : int
    group : callable
        From random bits of rows, uint64 (n,), to their groups.
    budget : int or None
        Of n-grams: where there are more, a random half of the rows is left out, and again.
    """

    pool: TextPool
    features: Features
    seed: int
    groups: int
    group: Callable[[NDArray[np.uint64]], NDArray[np.int64]]
    budget: int | None = None
    tick: Tick | None = None

    def __call__(self, parts: Sequence[Part]) -> Tally:
        tally = Tally(np.zeros((self.groups, self.features.n_buckets), np.int64), 0, self.budget)
        memo = self.features.memo()
        for first, texts in self.pool.read(parts, self.tick):
            tally.checksum = (tally.checksum + column_sum(texts, "text")) % 2**64
            rows = np.arange(first, first + len(texts))
            group = self.group(mixed(self.seed, rows))
            if tally.level:
                stays = group >= tally.level
                rows, group, texts = rows[stays], group[stays], texts.filter(stays)
            for block in self.features.blocks(texts, memo):
                add_counts(block.buckets, block.offsets, group[block.first + block.document], tally.counts)
            tally.settle()
        return tally


@dataclass(frozen=True)
class KeptPass:
    """Count the n-grams of some pieces of a pool.

    Parameters
    ----------
    pool : TextPool
    features : Features
    kept : ndarray of bool, shape (pieces,)
    first_piece : ndarray of int64, shape (rows + 1,)
        Of each row.
    """

    pool: TextPool
    features: Features
    kept: NDArray[np.bool_]
    first_piece: NDArray[np.int64]
    tick: Tick | None = None

    def __call__(self, parts: Sequence[Part]) -> NDArray[np.int64]:
        counts = np.zeros((2, self.features.n_buckets), np.int64)
        memo = self.features.memo()
        for first, texts in self.pool.read(parts, self.tick):
            bounds = self.first_piece[first : first + len(texts) + 1]
            wanted = np.concatenate([[0], np.cumsum(self.kept[bounds[0] : bounds[-1]])])
            rows = np.flatnonzero(np.diff(wanted[bounds - bounds[0]]))
            for block in self.features.blocks(texts.take(rows), memo):
                nth = np.arange(len(block.document)) - np.searchsorted(block.document, block.document)
                piece = bounds[rows[block.first + block.document]] + nth
                add_counts(block.buckets, block.offsets, (~self.kept[piece]).astype(np.int64), counts)
        return counts[0]


class Weighed(NamedTuple):
    """Weights of the pieces of neighbouring rows.

    Attributes
    ----------
    first : int
        Number of the first row.
    log_weights : ndarray of float64, shape (pieces, targets)
    null : ndarray of float32, shape (pieces, targets)
        The same by the chance between two halves of the target.
    n_grams : ndarray of int32, shape (pieces,)
    pieces : ndarray of int32, shape (rows,)
        How many each row has.
    good : ndarray of bool, shape (pieces,)
    """

    first: int
    log_weights: NDArray[np.float64]
    null: NDArray[np.float32]
    n_grams: NDArray[np.int32]
    pieces: NDArray[np.int32]
    good: NDArray[np.bool_]


@dataclass(frozen=True)
class WeightPass:
    """Weigh every piece of a pool.

    Parameters
    ----------
    pool : TextPool
    features : Features
    ratios, null : ndarray of float64, shape (targets, m)
    seed : int
    crossed : bool
        Of two `ratios`, weigh each row by the one of the half that it is not in.
    """

    pool: TextPool
    features: Features
    ratios: NDArray[np.float64]
    null: NDArray[np.float64]
    seed: int = 0
    crossed: bool = False
    tick: Tick | None = None

    def __call__(self, parts: Sequence[Part]) -> list[Weighed]:
        memo = self.features.memo()
        blocks = [
            self._weighed(first + block.first, block)
            for first, texts in self.pool.read(parts, self.tick)
            for block in self.features.blocks(texts, memo)
        ]
        return [
            in_one(blocks)
        ]  # few large arrays: the memory of many small ones never goes back to the system

    def _weighed(self, first: int, block: Any) -> Weighed:
        pieces = len(block.document)
        if self.crossed:
            row = 1 - halves(mixed(self.seed, first + block.document))
            columns = [sum_ratios(block.buckets, block.offsets, self.ratios, row)]
        else:
            columns = [
                sum_ratios(block.buckets, block.offsets, self.ratios, np.full(pieces, t))
                for t in range(len(self.ratios))
            ]
        null = [
            sum_ratios(block.buckets, block.offsets, self.null, np.full(pieces, t))
            for t in range(len(self.null))
        ]
        return Weighed(
            first,
            np.column_stack(columns),
            np.column_stack(null).astype(np.float32) if null else np.empty((pieces, 0), np.float32),
            np.diff(block.offsets).astype(np.int32),
            np.bincount(block.document, minlength=block.documents).astype(np.int32),
            block.good,
        )


def over(
    fold: Pass[S],
    parts: list[Part],
    merge: Callable[[S, S], S],
    *,
    threads: int,
    client: Any,
    done: Tick,
) -> S:
    """Fold all parts, here in small groups, so that Ctrl-C waits for one group at most, or on a cluster.

    Parameters
    ----------
    done : callable
        Told how many rows were read since it was told last.
    """
    if client is not None:
        rows = sum(part.shard.rows for part in parts)

        def follow(chunks: int, of: int) -> None:
            done(rows * chunks // of - rows * (chunks - 1) // of)

        return reduce(fold, parts, merge, _same, client=client, progress=follow)
    fold = replace(fold, tick=done)
    merged: S | None = None
    for i in range(0, len(parts), _TURN * threads):
        state = reduce(fold, parts[i : i + _TURN * threads], merge, _same, threads=threads)
        merged = state if merged is None else merge(merged, state)
    assert merged is not None
    return merged


def _same(state: S) -> S:
    return state


def joined(a: list[Weighed], b: list[Weighed]) -> list[Weighed]:
    """Both lists; the order of the rows is restored at the end."""
    return a + b


def in_one(weighed: list[Weighed]) -> Weighed:
    """All of them in the order of their rows. The list is emptied, so that no array stands twice for long."""
    weighed.sort(key=lambda some: some.first)
    (first, *_), *columns = zip(*weighed, strict=True)
    weighed.clear()
    return Weighed(first, *(np.concatenate(columns.pop(0)) for _ in range(len(columns))))
