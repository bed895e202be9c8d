"""How many rows the first k neurons get right, for every k in one pass over the features."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["right_by_length"]

Floats = NDArray[np.float32]
BLOCK = 64  # rows whose logits stay in the first cache while the sum runs over the neurons


@njit(nogil=True, cache=True)
def right_by_length(features: Floats, heads: Floats, targets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows that are right with the first k neurons.

    Rows lie beside each other in the innermost loops, so that they go through vector units without an order of
    sums being changed.

    Parameters
    ----------
    features : ndarray of float32, shape (networks, n, D)
    heads : ndarray of float32, shape (networks, D, C)
    targets : ndarray of int64, shape (n,)

    Returns
    -------
    ndarray of int64, shape (D,)
    """
    networks, rows, width = features.shape
    classes = heads.shape[2]
    right = np.zeros(width, np.int64)
    columns = np.empty((networks, width, BLOCK), np.float32)
    logits = np.empty((classes, BLOCK), np.float32)
    top = np.empty(BLOCK, np.float32)
    place = np.empty(BLOCK, np.int32)
    wanted = np.full(BLOCK, -1, np.int32)
    for start in range(0, rows, BLOCK):
        size = min(BLOCK, rows - start)
        columns[:, :, size:] = 0.0
        wanted[size:] = -1
        for r in range(size):
            wanted[r] = targets[start + r]
            for p in range(networks):
                for j in range(width):
                    columns[p, j, r] = features[p, start + r, j]
        logits[:] = 0.0
        for j in range(width):
            top[:] = -np.inf
            place[:] = 0
            for c in range(classes):
                row = logits[c]
                for p in range(networks):
                    weight = heads[p, j, c]
                    column = columns[p, j]
                    for r in range(BLOCK):
                        row[r] += weight * column[r]
                for r in range(BLOCK):
                    higher = row[r] > top[r]
                    top[r] = row[r] if higher else top[r]
                    place[r] = np.int32(c) if higher else place[r]
            hits = 0
            for r in range(BLOCK):
                hits += wanted[r] == place[r]
            right[j] += hits
    return right
