"""Histograms with as many bins as the data can carry, and mutual information from them."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

__all__ = ["binned_information", "equal_width_codes", "number_of_bins"]

Integers: TypeAlias = NDArray[np.int64]

FEWEST, MOST = 2, 99


def number_of_bins(columns: ArrayLike) -> Integers:
    """How many bins of equal width each column is worth (Birge and Rozenholc 2006).

    The D in 2 ... 99 that maximises ``sum_j N_j ln N_j + n ln D - (D - 1 + (ln D)^2.5)``, the penalised likelihood of
    a histogram; ``0 ln 0`` is 0.

    Parameters
    ----------
    columns : array-like of float, shape (c, n)
        One column per row, finite.

    Returns
    -------
    ndarray of int64, shape (c,)
        1 for a constant column.

    Examples
    --------
    >>> x = np.random.default_rng(0).uniform(size=1000)
    >>> number_of_bins([x, x**2, np.zeros(1000)])
    array([ 2, 25,  1])
    """
    return np.asarray(_number_of_bins(np.atleast_2d(np.asarray(columns, dtype=np.float64)), FEWEST, MOST))


def equal_width_codes(columns: ArrayLike, bins: ArrayLike) -> Integers:
    """The bin of each value, from 0; the last bin holds the largest value.

    Parameters
    ----------
    columns : array-like of float, shape (c, n)
    bins : array-like of int, shape (c,)

    Returns
    -------
    ndarray of int64, shape (c, n)

    Examples
    --------
    >>> equal_width_codes([[0.0, 0.4, 0.6, 1.0]], [2])
    array([[0, 0, 1, 1]])
    """
    rows = np.atleast_2d(np.asarray(columns, dtype=np.float64))
    number = np.asarray(bins, dtype=np.int64)[:, None]
    low, length = rows.min(axis=1, keepdims=True), np.ptp(rows, axis=1, keepdims=True)
    place = (rows - low) * (number / np.where(length > 0, length, 1.0))
    return np.minimum(place.astype(np.int64), number - 1)


def binned_information(
    codes: ArrayLike, y: ArrayLike, *, orders: NDArray[np.integer] | None = None
) -> NDArray[np.float64]:
    """Plug-in mutual information of coded columns with a coded outcome.

    Parameters
    ----------
    codes : array-like of int, shape (c, n)
        One column per row, codes from 0.
    y : array-like of int, shape (n,)
        Codes from 0.
    orders : ndarray of int, shape (m, n), optional
        Orders of `y` to score. By default as it is.

    Returns
    -------
    ndarray of float64, shape (m, c)
        Nats.

    Examples
    --------
    >>> binned_information([[0, 0, 1, 1], [0, 1, 0, 1]], [0, 0, 1, 1]).round(3)
    array([[0.693, 0.   ]])
    """
    columns = np.atleast_2d(np.asarray(codes, dtype=np.int64))
    outcome = np.asarray(y, dtype=np.int64)
    turns = np.arange(columns.shape[1])[None] if orders is None else orders
    return np.array([_plug_in(columns, outcome[order]) for order in turns])


@njit(nogil=True, cache=True)
def _number_of_bins(columns, fewest, most):  # type: ignore[no-untyped-def]
    found = np.ones(columns.shape[0], np.int64)
    counts = np.empty(most, np.int64)
    n = columns.shape[1]
    k_log_k = np.zeros(n + 1)
    for k in range(2, n + 1):
        k_log_k[k] = k * np.log(k)
    for c in range(columns.shape[0]):
        low, high = columns[c].min(), columns[c].max()
        if high <= low:
            continue
        best = -np.inf
        for bins in range(fewest, most + 1):
            counts[:bins] = 0
            scale = bins / (high - low)
            for row in range(n):
                counts[min(int((columns[c, row] - low) * scale), bins - 1)] += 1
            worth = n * np.log(bins) - (bins - 1 + np.log(bins) ** 2.5)
            for j in range(bins):
                worth += k_log_k[counts[j]]
            if worth > best:
                best, found[c] = worth, bins
    return found


@njit(nogil=True, cache=True)
def _plug_in(columns, y):  # type: ignore[no-untyped-def]
    found = np.zeros(columns.shape[0])
    n = columns.shape[1]
    width = y.max() + 1
    of_y = np.bincount(y)
    entropy_y = 0.0
    for count in of_y:
        if count > 0:
            entropy_y -= count * np.log(count)
    for c in range(columns.shape[0]):
        table = np.zeros((columns[c].max() + 1, width), np.int64)
        for row in range(n):
            table[columns[c, row], y[row]] += 1
        total = entropy_y
        for i in range(table.shape[0]):
            of_x = 0
            for j in range(width):
                if table[i, j] > 0:
                    total += table[i, j] * np.log(table[i, j])
                    of_x += table[i, j]
            if of_x > 0:
                total -= of_x * np.log(of_x)
        found[c] = max(total / n + np.log(n), 0.0)
    return found
