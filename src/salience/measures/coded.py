"""Mutual information of many coded columns in memory with one label: straight from the array, no hashing.

For data that are codes already. `salience.tabular.StreamRanker` takes any table and says more; this is its inner loop for who
only needs the numbers.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from salience.measures.nulltable import NullTable

__all__ = ["CodedInformation", "coded_information"]


class CodedInformation(NamedTuple):
    """Per column, float64 (d,), nats: mutual information, its expectation by chance, their difference."""

    mi: NDArray[np.float64]
    null: NDArray[np.float64]
    score: NDArray[np.float64]


def coded_information(X: ArrayLike, y: ArrayLike, *, null: bool = True, threads: int = 2) -> CodedInformation:
    """Mutual information of every column of codes with the label, and what chance alone would give.

    Parameters
    ----------
    X : array-like of int, shape (n, d)
        Codes from 0; as many as there are values, for memory goes with the largest.
    y : array-like of int, shape (n,)
        Classes from 0.
    null : bool, default=True
        Also compute the exact expectation under random pairing; else it is 0 and `score` is `mi`.
    threads : int, default=2

    Returns
    -------
    CodedInformation

    Raises
    ------
    ValueError
        Shapes that do not fit, no rows, codes that are not integers or negative.

    Examples
    --------
    >>> y = np.array([0, 1] * 50)
    >>> X = np.column_stack([y, np.arange(100), np.zeros(100, int)])  # a copy, a row id, a constant
    >>> coded_information(X, y).mi.round(4), coded_information(X, y).score.round(2)
    (array([0.6931, 0.6931, 0.    ]), array([0.69, 0.  , 0.  ]))
    """
    codes, labels = np.asarray(X), np.asarray(y)
    if codes.ndim != 2 or labels.shape != codes.shape[:1] or not len(labels):
        raise ValueError(
            f"X must be (n, d) and y (n,) with n >= 1; they have shapes {codes.shape} and {labels.shape}"
        )
    if codes.dtype.kind not in "biu" or labels.dtype.kind not in "biu":
        raise ValueError(f"X and y must hold integer codes, not {codes.dtype} and {labels.dtype}")
    # a negative code is a very large one without its sign: one look at the array tells both
    unsigned = codes.view(f"u{codes.itemsize}") if codes.dtype.kind == "i" else codes
    with ThreadPoolExecutor(threads) as pool:
        pieces = [piece for piece in np.array_split(unsigned, threads) if len(piece)]
        most = np.max(list(pool.map(lambda piece: piece.max(axis=0, initial=0), pieces)), axis=0).astype(
            np.int64
        )
    top = np.iinfo(codes.dtype).max if codes.dtype.kind in "iu" else 1
    if labels.min() < 0 or (most < 0).any() or (most > top).any():
        raise ValueError("codes must be 0 or more; give missing values a code of their own")
    labels = labels.astype(np.int32)
    classes = np.bincount(labels)
    sizes = (most + 1) * len(classes)
    ends = np.cumsum(sizes)
    starts = (ends - sizes).astype(np.uint64)
    with ThreadPoolExecutor(threads) as pool:
        rows = np.array_split(np.arange(len(labels)), threads)
        parts = [slice(r[0], r[-1] + 1) for r in rows if len(r)]
        size, width = int(sizes.sum()), len(classes)
        tables = pool.map(lambda r: _counted(unsigned[r], labels[r], starts, size, width), parts)
        counts = np.sum(list(tables), axis=0)
    n = len(labels)
    k_log_k = np.arange(n + 1, dtype=np.float64)
    k_log_k[1:] *= np.log(k_log_k[1:])
    mi, expected = np.empty(len(starts)), np.zeros(len(starts))
    table = NullTable(classes) if null else None
    of_classes = k_log_k[classes].sum()
    for column, (start, end) in enumerate(zip((ends - sizes).tolist(), ends.tolist(), strict=True)):
        cells = counts[start:end].reshape(-1, len(classes))
        totals = cells.sum(axis=1)
        mi[column] = max(np.log(n) + (k_log_k[cells].sum() - k_log_k[totals].sum() - of_classes) / n, 0.0)
        if table is not None:
            times = np.bincount(totals)
            there = np.flatnonzero(times[1:]) + 1
            expected[column] = float(times[there] @ table.expected(there))
    return CodedInformation(mi, expected, mi - expected)


@njit(nogil=True, cache=True)
def _counted(codes, labels, starts, size, classes):  # type: ignore[no-untyped-def]
    """Pairs of (code, label) of all columns, one table behind the other."""
    counts = np.zeros(size, np.int32)
    width = np.uint64(classes)
    for row in range(len(labels)):  # by row: the array is read once, most of the tables stay in the cache
        label = np.uint64(labels[row])
        for column in range(codes.shape[1]):
            counts[starts[column] + np.uint64(codes[row, column]) * width + label] += 1
    return counts
