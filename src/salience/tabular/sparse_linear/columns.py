"""Columns with mean 0 and standard deviation 1, dense or sparse, of which a solver takes a few at a time."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.sparse import csc_array, issparse

__all__ = ["DenseColumns", "SparseColumns", "standardized"]

Floats: TypeAlias = NDArray[np.float64]
Places: TypeAlias = NDArray[np.intp]


def standardized(X: Any) -> DenseColumns | SparseColumns:
    """The columns of a matrix of shape (n, p), standardised; a sparse one stays sparse.

    A constant column becomes a column of zeros.
    """
    return SparseColumns(X) if issparse(X) else DenseColumns(X)


class DenseColumns:
    """A standardised copy, column after column in memory: 8 n p bytes.

    Attributes
    ----------
    mean, scale : ndarray of float64, shape (p,)
        Of the columns as given; the scale of a constant column is 1.
    constant : ndarray of bool, shape (p,)
    """

    def __init__(self, X: Any) -> None:
        values = np.array(X, dtype=np.float64, order="F")
        self.mean = values.mean(axis=0)
        values -= self.mean
        self.scale, self.constant = _scales(np.sqrt(np.mean(values**2, axis=0)), self.mean)
        values /= self.scale
        values[:, self.constant] = 0.0
        self.values = values
        self.shape = values.shape

    def take(self, places: Places) -> Floats:
        """A copy of these columns, shape (n, len(places))."""
        return self.values[:, places]

    def times(self, places: Places, b: Floats) -> Floats:
        """``X[:, places] b``, shape (n,)."""
        eta = np.zeros(self.shape[0])
        _add_columns(self.values, places, b, eta)
        return eta

    def transposed(self, r: Floats, places: Places | None = None) -> Floats:
        """``X[:, places]' r``; of all columns without `places`."""
        if places is None or 2 * len(places) > self.shape[1]:
            every = self.values.T @ r
            return every if places is None else every[places]
        found = np.empty(len(places))
        _dot_columns(self.values, places, r, found)
        return found


class SparseColumns:
    """Standardised in the arithmetic only: the zeros of the columns as given stay unstored.

    Attributes
    ----------
    As in `DenseColumns`.
    """

    def __init__(self, X: Any) -> None:
        self.raw = csc_array(X, dtype=np.float64)
        n = self.raw.shape[0]
        self.shape = self.raw.shape
        self.mean = np.asarray(self.raw.sum(axis=0)).ravel() / n
        # around the mean, not as a difference of large sums; the unstored zeros are each -mean
        stored = np.diff(self.raw.indptr)
        away = self.raw.data - np.repeat(self.mean, stored)
        squares = np.bincount(np.repeat(np.arange(self.shape[1]), stored), away**2, self.shape[1])
        deviation = np.sqrt((squares + (n - stored) * self.mean**2) / n)
        self.scale, self.constant = _scales(deviation, self.mean)
        self._inverse = np.where(self.constant, 0.0, 1.0 / self.scale)

    def take(self, places: Places) -> Floats:
        """These columns, dense, shape (n, len(places))."""
        return (self.raw[:, places].toarray() - self.mean[places]) * self._inverse[places]

    def times(self, places: Places, b: Floats) -> Floats:
        """``X[:, places] b``, shape (n,)."""
        weights = b * self._inverse[places]
        return self.raw[:, places] @ weights - self.mean[places] @ weights

    def transposed(self, r: Floats, places: Places | None = None) -> Floats:
        """``X[:, places]' r``; of all columns without `places`."""
        if places is None:
            return (self.raw.T @ r - self.mean * r.sum()) * self._inverse
        return (self.raw[:, places].T @ r - self.mean[places] * r.sum()) * self._inverse[places]


def _scales(deviation: Floats, mean: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Rounding of the mean leaves a constant column a deviation of a few units in the last place."""
    constant = deviation <= 1e-14 * np.abs(mean)
    return np.where(constant, 1.0, deviation), constant


@njit(nogil=True, cache=True)
def _dot_columns(X: Floats, places: Places, r: Floats, found: Floats) -> None:
    for i in range(len(places)):
        found[i] = np.dot(X[:, places[i]], r)


@njit(nogil=True, cache=True)
def _add_columns(X: Floats, places: Places, b: Floats, eta: Floats) -> None:
    for i in range(len(places)):
        if b[i] != 0.0:
            column, weight = X[:, places[i]], b[i]
            for row in range(len(eta)):
                eta[row] += weight * column[row]
