"""The loops of a sparse layer: start (rows + 1,), end (connections,), activations (neurons, width).

Four connections of a row are taken at a time: its activations are loaded once for the four.
"""

import numpy as np
from numba import njit

__all__ = ["descend", "gather", "gather_and_descend", "row_sums", "scatter", "strength"]

# No "nnan" or "ninf": a loss that is not finite has to stay visible.
_FAST = {"reassoc", "contract", "nsz"}


@njit(nogil=True, cache=True, fastmath=_FAST)
def gather(start, end, weight, short, long):  # type: ignore[no-untyped-def]
    for row in range(long.shape[0]):
        k, stop = start[row], start[row + 1]
        while k + 4 <= stop:
            a, b, c, d = end[k], end[k + 1], end[k + 2], end[k + 3]
            wa, wb, wc, wd = weight[k], weight[k + 1], weight[k + 2], weight[k + 3]
            for t in range(long.shape[1]):
                long[row, t] += wa * short[a, t] + wb * short[b, t] + wc * short[c, t] + wd * short[d, t]
            k += 4
        for last in range(k, stop):
            a, wa = end[last], weight[last]
            for t in range(long.shape[1]):
                long[row, t] += wa * short[a, t]


@njit(nogil=True, cache=True, fastmath=_FAST)
def scatter(start, end, weight, long, short):  # type: ignore[no-untyped-def]
    for row in range(long.shape[0]):
        k, stop = start[row], start[row + 1]
        while k + 4 <= stop:
            a, b, c, d = end[k], end[k + 1], end[k + 2], end[k + 3]
            wa, wb, wc, wd = weight[k], weight[k + 1], weight[k + 2], weight[k + 3]
            for t in range(long.shape[1]):
                of_row = long[row, t]
                short[a, t] += wa * of_row
                short[b, t] += wb * of_row
                short[c, t] += wc * of_row
                short[d, t] += wd * of_row
            k += 4
        for last in range(k, stop):
            a, wa = end[last], weight[last]
            for t in range(long.shape[1]):
                short[a, t] += wa * long[row, t]


@njit(nogil=True, cache=True, fastmath=_FAST)
def descend(start, end, weight, velocity, long, short, lr, momentum, decay):  # type: ignore[no-untyped-def]
    zero = weight.dtype.type(0)
    for row in range(long.shape[0]):
        k, stop = start[row], start[row + 1]
        while k < stop:
            last = stop - 1  # a group that is not full computes its last connection again
            a, b, c, d = end[k], end[min(k + 1, last)], end[min(k + 2, last)], end[min(k + 3, last)]
            ga, gb, gc, gd = zero, zero, zero, zero
            for t in range(long.shape[1]):
                of_row = long[row, t]
                ga += of_row * short[a, t]
                gb += of_row * short[b, t]
                gc += of_row * short[c, t]
                gd += of_row * short[d, t]
            for g in (ga, gb, gc, gd):
                if k < stop:
                    velocity[k] = momentum * velocity[k] - lr * g
                    weight[k] += velocity[k] - decay * weight[k]
                k += 1


@njit(nogil=True, cache=True, fastmath=_FAST)
def gather_and_descend(start, end, weight, velocity, long, short, back, lr, momentum, decay):  # type: ignore[no-untyped-def]
    """`gather` from `short` to `back`, then `descend`, with one look at each row of `short`."""
    zero = weight.dtype.type(0)
    for row in range(long.shape[0]):
        k, stop = start[row], start[row + 1]
        while k < stop:
            last = stop - 1  # a group that is not full takes its last connection again, with weight 0
            k1, k2, k3 = min(k + 1, last), min(k + 2, last), min(k + 3, last)
            a, b, c, d = end[k], end[k1], end[k2], end[k3]
            wa = weight[k]
            wb = weight[k1] if k + 1 < stop else zero
            wc = weight[k2] if k + 2 < stop else zero
            wd = weight[k3] if k + 3 < stop else zero
            ga, gb, gc, gd = zero, zero, zero, zero
            for t in range(long.shape[1]):
                of_row, ea, eb, ec, ed = long[row, t], short[a, t], short[b, t], short[c, t], short[d, t]
                back[row, t] += wa * ea + wb * eb + wc * ec + wd * ed
                ga += of_row * ea
                gb += of_row * eb
                gc += of_row * ec
                gd += of_row * ed
            for g in (ga, gb, gc, gd):
                if k < stop:
                    velocity[k] = momentum * velocity[k] - lr * g
                    weight[k] += velocity[k] - decay * weight[k]
                k += 1


@njit(nogil=True, cache=True, fastmath=_FAST)
def row_sums(values):  # type: ignore[no-untyped-def]
    sums = np.zeros(values.shape[0], values.dtype)
    for row in range(values.shape[0]):
        for t in range(values.shape[1]):
            sums[row] += values[row, t]
    return sums


@njit(nogil=True, cache=True)
def strength(start, end, weight, of_rows, of_columns):  # type: ignore[no-untyped-def]
    for row in range(of_rows.size):
        for k in range(start[row], start[row + 1]):
            size = abs(weight[k])
            of_rows[row] += size
            of_columns[end[k]] += size
