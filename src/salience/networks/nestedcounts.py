"""How many rows the first k neurons get right, for every k in one pass over the features."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["right_by_length"]

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]
BLOCK = 64  # rows whose logits stay in the first cache while the sum runs over the neurons
LANES = (
    4  # classes that share one look at a column and at the largest logit; written out in `_add_and_compare`
)


@njit(nogil=True, cache=True)
def right_by_length(features: Floats, heads: Floats, targets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows that are right with the first k neurons.

    The logit of a row's own class is summed apart from the others, so that all that has to be known of these is the
    largest. Rows lie beside each other in the innermost loops: they go through vector units, and the order of a sum
    is that of the neurons. Of equal logits the first wins. A row whose logit is not a number is wrong.

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
    weights = np.zeros((networks, width, -(-classes // LANES) * LANES), np.float32)
    weights[:, :, :classes] = heads
    right = np.zeros(width, np.int64)
    columns = np.empty((networks, width, BLOCK), np.float32)
    others = np.empty((weights.shape[2], BLOCK), np.float32)
    own, top = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    wanted = np.zeros(BLOCK, np.int32)
    for start in range(0, rows, BLOCK):
        size = min(BLOCK, rows - start)
        columns[:, :, size:] = 0.0
        others[:classes] = 0.0
        others[classes:] = -np.inf
        own[:] = 0.0  # what fills the last block ties with all others, and is never counted
        for r in range(size):
            wanted[r] = targets[start + r]
            others[wanted[r], r] = -np.inf
            for p in range(networks):
                for j in range(width):
                    columns[p, j, r] = features[p, start + r, j]
        for j in range(width):
            top[:] = -np.inf
            for p in range(networks):
                row, column = weights[p, j], columns[p, j]
                for r in range(BLOCK):
                    own[r] += row[wanted[r]] * column[r]
                if p < networks - 1:
                    _add(others, row, column)
                else:
                    _add_and_compare(others, row, column, top)
            right[j] += _won(own, top, others, wanted, size)
    return right


@njit(nogil=True, cache=True)
def _add(others: Floats, weights: Floats, column: Floats) -> None:
    for c in range(len(others)):
        logits, weight = others[c], weights[c]
        for r in range(BLOCK):
            logits[r] += weight * column[r]


@njit(nogil=True, cache=True)
def _add_and_compare(others: Floats, weights: Floats, column: Floats, top: Floats) -> None:
    """Add a neuron to the logits, and the largest of each row to `top`."""
    for c in range(0, len(others), LANES):
        z0, z1, z2, z3 = others[c], others[c + 1], others[c + 2], others[c + 3]
        w0, w1, w2, w3 = weights[c], weights[c + 1], weights[c + 2], weights[c + 3]
        for r in range(BLOCK):
            h = column[r]
            a, b, d, e = z0[r] + w0 * h, z1[r] + w1 * h, z2[r] + w2 * h, z3[r] + w3 * h
            z0[r], z1[r], z2[r], z3[r] = a, b, d, e
            a, d = a if a > b else b, d if d > e else e
            a = a if a > d else d
            top[r] = a if a > top[r] else top[r]


@njit(nogil=True, cache=True)
def _won(own: Floats, top: Floats, others: Floats, wanted: Ints, size: int) -> np.int32:
    """Rows whose own logit is above all others, or equal to the largest and before it."""
    hits, ties = np.int32(0), np.int32(0)
    for r in range(BLOCK):
        hits += np.int32(own[r] > top[r])
        ties += np.int32(own[r] == top[r])
    if ties:
        for r in range(size):
            if own[r] == top[r]:
                c = 0
                while c < wanted[r] and others[c, r] != own[r]:
                    c += 1
                hits += np.int32(c == wanted[r])
    return hits
