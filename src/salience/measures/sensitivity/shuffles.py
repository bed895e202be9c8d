"""Shuffling the parts of a table: which row (or pixel) lends its value to which, the same for every model.

A *part* is what is shuffled as one: a column, the columns of one category, the pixels of one segment. Every
shuffle has a seed of its own, so it is the same in whatever order and in however many pieces it is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

__all__ = [
    "SHUFFLES",
    "ConditionalShuffles",
    "IndependentShuffles",
    "JointShuffles",
    "PixelShuffles",
    "Shuffles",
]

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
Subset = tuple[int, ...]


class Shuffles(Protocol):
    """Where the values of a part come from while the parts of `subset` are shuffled together."""

    def donors(self, subset: Subset, part: int, start: int, stop: int) -> Rows:
        """Of the shuffles from `start` to `stop`: the lender of each row, shape (stop - start, n)."""
        ...

    def values(self, subset: Subset, part: int, start: int, stop: int) -> Floats:
        """The values of the columns of the part, shape (stop - start, n, columns)."""
        ...

    def sources(self, subset: Subset) -> tuple[int, ...]:
        """One part for each set of donors of its own: what else the noise of the shuffles comes from."""
        ...


@dataclass
class IndependentShuffles:
    """Every part by a permutation of its own: all dependence between the parts is broken.

    Parameters
    ----------
    X : ndarray of float64, shape (n, d)
    parts : sequence of integer arrays
        Columns of each part.
    seed : int
    """

    X: Floats
    parts: Sequence[NDArray[np.int64]]
    seed: int

    def donors(self, subset: Subset, part: int, start: int, stop: int) -> Rows:
        return self._permutations(part, start, stop)

    def values(self, subset: Subset, part: int, start: int, stop: int) -> Floats:
        columns = self.parts[part]
        if len(columns) == 1:
            return self.X[:, columns[0]][self.donors(subset, part, start, stop)][..., None]
        return self.X[:, columns][self.donors(subset, part, start, stop)]

    def sources(self, subset: Subset) -> tuple[int, ...]:
        return subset

    def _permutations(self, stream: int, start: int, stop: int) -> Rows:
        n = len(self.X)
        return np.stack([_generator(self.seed, stream, t).permutation(n) for t in range(start, stop)])


@dataclass
class JointShuffles(IndependentShuffles):
    """All parts by one permutation: the dependence between the parts of a subset is kept."""

    def donors(self, subset: Subset, part: int, start: int, stop: int) -> Rows:
        return self._permutations(0, start, stop)

    def sources(self, subset: Subset) -> tuple[int, ...]:
        return subset[:1]


@dataclass
class ConditionalShuffles(JointShuffles):
    """All parts of a subset from one of the `neighbors` nearest rows in the other columns.

    What is drawn is about what the rest of the row allows, so that no model is asked about rows that cannot
    occur; an effect is then what the subset says beyond the rest. Columns are scaled to unit variance.

    Parameters
    ----------
    neighbors : int, default=10
    """

    neighbors: int = 10
    _near: dict[Subset, Rows] = field(default_factory=dict, repr=False)

    def donors(self, subset: Subset, part: int, start: int, stop: int) -> Rows:
        near = self._nearest(subset)
        n, k = near.shape
        rows = np.arange(n)
        draws = (_generator(self.seed, 0, t).integers(0, k, n) for t in range(start, stop))
        return np.stack([near[rows, draw] for draw in draws])

    def _nearest(self, subset: Subset) -> Rows:
        if subset not in self._near:
            inside = np.concatenate([self.parts[part] for part in subset])
            rest = np.delete(self.X, inside, axis=1)
            spread = rest.std(axis=0)
            rest = rest[:, spread > 0] / spread[spread > 0]
            n = len(self.X)
            k = min(self.neighbors, n - 1)
            if rest.shape[1] == 0:  # nothing to condition on: anybody
                near = _generator(self.seed, 1, 0).integers(0, n, (n, k))
            else:
                near = _without_self(np.asarray(cKDTree(rest).query(rest, k=k + 1)[1]))
            if len(subset) > 1:  # singles are asked for again and again, a pair is done with soon
                return near
            self._near[subset] = near
        return self._near[subset]


def _without_self(near: Rows) -> Rows:
    """Neighbours without the row itself, which ties may have put anywhere, or left out."""
    n, k = near.shape
    own = near == np.arange(n)[:, None]
    own[~own.any(axis=1), -1] = True
    return near[~own].reshape(n, k - 1)


@dataclass
class PixelShuffles:
    """The pixels of a segment change places within it, in all images alike; the channels of a pixel stay together.

    Parameters
    ----------
    X : ndarray of float64, shape (images, pixels x channels)
    parts : sequence of integer arrays, each (pixels, channels) in C order, flat
    seed : int
    channels : int
    """

    X: Floats
    parts: Sequence[NDArray[np.int64]]
    seed: int
    channels: int = 1

    def donors(self, subset: Subset, part: int, start: int, stop: int) -> Rows:
        raise ValueError("pixels move within their image: no row lends to another")

    def values(self, subset: Subset, part: int, start: int, stop: int) -> Floats:
        place = self.parts[part].reshape(-1, self.channels)
        orders = (_generator(self.seed, part, t).permutation(len(place)) for t in range(start, stop))
        return np.stack([self.X[:, place[order].ravel()] for order in orders])

    def sources(self, subset: Subset) -> tuple[int, ...]:
        return ()


def _generator(*key: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(key))


SHUFFLES: dict[str, Any] = {
    "independent": IndependentShuffles,
    "joint": JointShuffles,
    "conditional": ConditionalShuffles,
}
