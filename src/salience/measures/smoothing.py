"""Linear binning on a grid and its convolution with Epanechnikov's kernel, ``1 - |u|^2 / 5`` where that is positive.

Along a line of the grid the kernel is a piece of a parabola: its third differences are 0 but for three cells at each end.
The counts are added up at those cells only, and three running sums of them are the density: as exact as a Fourier
transform, and cheaper, because a column needs no spectrum of its own, no complex numbers and no new memory.
"""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["DUST", "smooth", "spread"]

DUST = 1e-11  # of the largest cell: more than the running sums leave in an empty one


@njit(nogil=True, cache=True)
def spread(cell, above, cell_y, above_y, counts):  # type: ignore[no-untyped-def]
    """Linear binning of all columns (c, n) against one outcome; adds to counts (c, N_a, N_b)."""
    for c in range(cell.shape[0]):
        for row in range(cell.shape[1]):
            i, j = cell[c, row], cell_y[row]
            a, b = above[c, row], above_y[row]
            counts[c, i, j] += (1 - a) * (1 - b)
            counts[c, i + 1, j] += a * (1 - b)
            counts[c, i, j + 1] += (1 - a) * b
            counts[c, i + 1, j + 1] += a * b


@njit(nogil=True, cache=True)
def smooth(counts, steps, step_y, smoothed):  # type: ignore[no-untyped-def]
    """Write the counts (c, N_a, N_b) convolved with the kernel; the steps of the grids are in bandwidths.

    The counts must leave as much room as the kernel is wide on all sides. Empty cells are left with some rounding, up
    to DUST of the largest cell.
    """
    rows, size = counts.shape[1:]
    low, high = np.empty(rows + 1, np.int64), np.empty(rows + 1, np.int64)
    pair, line = np.empty(size + 4), np.empty(size + 8)
    for c in range(counts.shape[0]):
        reach, jumps = _third_differences(steps[c], step_y)
        _extents(counts[c], low, high)
        for i in range(rows):
            line[:] = 0.0
            for d in range(len(reach)):
                # the rows d before and d after meet the same kernel; the row after the last stands for none
                before = i - d if i >= d else rows
                after = i + d if 0 < d < rows - i else rows
                first = min(low[before], low[after])
                width = max(high[before], high[after]) - first
                if width > 0:
                    _add_up(counts[c], before, after, first, width, low, pair)
                    _add_ends(pair, width + 2, jumps[d], first - reach[d] + 4, first + reach[d] + 5, line)
            _run(line, smoothed[c, i])


@njit(nogil=True, cache=True)
def _third_differences(step_x, step_y):  # type: ignore[no-untyped-def]
    """Cells from the middle to the end of the kernel, d lines off, and the three differences where it begins.

    Where it ends they are the same in reverse order and with the other sign.
    """
    lines = int(np.sqrt(5.0) / step_x) + 1
    reach, jumps = np.empty(lines, np.int64), np.empty((lines, 3))
    square = step_y * step_y / 5
    for d in range(lines):
        top = max(1 - (step_x * d) ** 2 / 5, 0.0)
        r = int(np.sqrt(top / square))
        at_0, at_1, at_2 = top - square * r**2, top - square * (r - 1) ** 2, top - square * (r - 2) ** 2
        reach[d] = r
        jumps[d] = at_0, at_1 - 3 * at_0, at_2 - 3 * at_1 + 3 * at_0
    return reach, jumps


@njit(nogil=True, cache=True)
def _extents(table, low, high):  # type: ignore[no-untyped-def]
    """The first count of each row and the place after its last; of an empty row, and of one more, size and 0."""
    rows, size = table.shape
    low[:], high[:] = size, 0
    for i in range(rows):
        for j in range(size):
            if table[i, j] != 0:
                low[i] = j
                break
        for j in range(size, low[i], -1):
            if table[i, j - 1] != 0:
                high[i] = j
                break


@njit(nogil=True, cache=True)
def _add_up(table, before, after, first, width, low, pair):  # type: ignore[no-untyped-def]
    """Two rows in one, with two zeros at either end."""
    size = table.shape[1]
    pair[0], pair[1], pair[width + 2], pair[width + 3] = 0.0, 0.0, 0.0, 0.0
    inner = pair[2 : width + 2]
    if low[before] < size and low[after] < size:
        one, other = table[before, first : first + width], table[after, first : first + width]
        for k in range(width):
            inner[k] = one[k] + other[k]
    else:
        inner[:] = table[before if low[before] < size else after, first : first + width]


@njit(nogil=True, cache=True)
def _add_ends(pair, width, jumps, begin, end, line):  # type: ignore[no-untyped-def]
    """The third differences of all kernels of a row: where they begin, and where they end."""
    a, b, c = jumps
    now, one_ago, two_ago = pair[2 : width + 2], pair[1 : width + 1], pair[:width]
    place = line[begin : begin + width]
    for k in range(width):
        place[k] += a * now[k] + b * one_ago[k] + c * two_ago[k]
    place = line[end : end + width]
    for k in range(width):
        place[k] -= c * now[k] + b * one_ago[k] + a * two_ago[k]


@njit(nogil=True, cache=True)
def _run(line, row):  # type: ignore[no-untyped-def]
    """Three running sums; the line begins 4 cells before the row."""
    first, second, third = 0.0, 0.0, 0.0
    for j in range(len(row) + 4):
        first += line[j]
        second += first
        third += second
        if j >= 4:
            row[j - 4] = third
