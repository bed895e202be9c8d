"""From counts to log ratios: what one n-gram adds, how much of it is noise, and what each half of a target says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from salience.instances.dsir.weights import FLOOR, log_ratio

__all__ = ["SMALL_TARGET", "Ratios"]

SMALL_TARGET = 1_000_000  # n-grams below which "auto" adds 1 to every count
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Ratios:
    """Log ratios of the targets to the pool.

    Parameters
    ----------
    names : tuple of str
        Of the targets.
    halves : ndarray of int64, shape (targets, 2, m)
        Counts of two random halves of each target.
    raw : ndarray of int64, shape (m,)
    separate : bool
        A ratio for each target; else one for all of them together.
    smoothing : float or "auto"

    Raises
    ------
    ValueError
        A side without any n-gram.
    """

    names: tuple[str, ...]
    halves: NDArray[np.int64]
    raw: NDArray[np.int64]
    separate: bool
    smoothing: float | str

    def __post_init__(self) -> None:
        for name, n_grams in zip(self.names, self.targets.sum(axis=1), strict=True):
            if not n_grams:
                raise ValueError(f"{name} has no n-gram at all; give documents with words in them")

    @property
    def targets(self) -> NDArray[np.int64]:
        """Counts of each target, (targets, m)."""
        return self.halves.sum(axis=1)

    def drawn(self) -> Floats:
        """What the draws go by, (1, m) or (targets, m)."""
        return np.stack([log_ratio(some, self.raw, self._added(some)) for some in self._groups().sum(axis=1)])

    def null(self) -> Floats:
        """The same between the two halves, where there is nothing but chance; (0, m) when a half is empty."""
        groups = self._groups()
        if not groups.sum(axis=2).all():
            return np.empty((0, groups.shape[2]))
        return np.stack([self._between(one, other, self._added(one + other)) for one, other in groups])

    def of_halves(self, target: int) -> Floats:
        """The ratio of each half of a target, (2, m); of the whole where a half is empty."""
        whole = self.halves[target].sum(axis=0)
        given = [half if half.any() else whole for half in self.halves[target]]
        return np.stack([log_ratio(half, self.raw, self._added(whole)) for half in given])

    @staticmethod
    def _between(one: NDArray[np.int64], other: NDArray[np.int64], added: float) -> Floats:
        p, q = (half + added for half in (one, other))
        return np.asarray(np.log(p / p.sum() + FLOOR) - np.log(q / q.sum() + FLOOR))

    def _groups(self) -> NDArray[np.int64]:
        return self.halves if self.separate else self.halves.sum(axis=0, keepdims=True)

    def _added(self, counts: NDArray[np.int64]) -> float:
        if self.smoothing == "auto":
            return 1.0 if counts.sum() < SMALL_TARGET else 0.0
        return float(self.smoothing)
