"""Centre and spread of columns, chunk by chunk, for numbers that are brought to one scale while they are read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.utils.sparsefuncs import mean_variance_axis, min_max_axis

__all__ = ["SCALINGS", "ColumnScale"]

_CELLS = 2**21  # of a chunk: 16 MiB as float64


class ColumnScale:
    """What to take off each column, and what to multiply it with.

    Parameters
    ----------
    kind : {"standard", "minmax"}
        Mean 0 and variance 1, or from 0 to 1.
    n_features : int

    Attributes
    ----------
    rows : int
        Rows seen.
    constant : ndarray of bool, shape (n_features,)
        Columns with one value only; their factor is 0.

    Examples
    --------
    >>> scale = ColumnScale("standard", 2)
    >>> scale.update(np.array([[1.0, 7.0], [3.0, 7.0]]))
    >>> scale.shift_and_factor()
    (array([2., 7.]), array([1., 0.]))
    """

    def __init__(self, kind: str, n_features: int) -> None:
        self.kind, self.rows = kind, 0
        self.mean, self.squares = np.zeros(n_features), np.zeros(n_features)
        self.low, self.high = np.full(n_features, np.inf), np.full(n_features, -np.inf)

    def update(self, X: Any) -> None:
        """See more rows: an array, a memory map or a CSR matrix of shape (n, n_features)."""
        step = max(1, _CELLS // X.shape[1])
        for first in range(0, X.shape[0], step):
            self._update(X[first : first + step])

    def _update(self, chunk: Any) -> None:
        chunk = chunk.astype(np.float64)
        if issparse(chunk):
            mean, variance = mean_variance_axis(chunk, axis=0)
            low, high = min_max_axis(chunk, axis=0)
        else:
            mean, low, high = chunk.mean(axis=0), chunk.min(axis=0), chunk.max(axis=0)
            chunk -= mean
            variance = np.einsum("ij,ij->j", chunk, chunk) / len(chunk)
        n, total = chunk.shape[0], self.rows + chunk.shape[0]
        gap = mean - self.mean
        self.squares += variance * n + gap**2 * (self.rows * n / total)
        self.mean += gap * (n / total)
        self.rows = total
        np.minimum(self.low, low, out=self.low)
        np.maximum(self.high, high, out=self.high)

    @property
    def constant(self) -> NDArray[np.bool_]:
        return self.low == self.high

    def shift_and_factor(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """``(x - shift) * factor`` is on the scale.

        Raises
        ------
        ValueError
            When the numbers of a column are too large for their spread.
        """
        shift, spread = SCALINGS[self.kind](self)
        wide = np.flatnonzero(~np.isfinite(spread))
        if wide.size:
            raise ValueError(
                f"the numbers of {wide.size} column(s), first number {wide[0]}, are too large for their spread "
                "to be a number; divide them by a constant"
            )
        spread = np.where(self.constant | (spread == 0), 1.0, spread)
        return shift, np.where(self.constant, 0.0, 1 / spread)


SCALINGS: dict[str, Callable[[ColumnScale], tuple[NDArray[np.float64], NDArray[np.float64]]]] = {
    "standard": lambda seen: (seen.mean.copy(), np.sqrt(seen.squares / seen.rows)),
    "minmax": lambda seen: (seen.low.copy(), seen.high - seen.low),
}
