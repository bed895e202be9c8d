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
    for c in range(counts.shape[0]):
        _smooth_table(counts[c], steps[c], step_y, smoothed[c])


@njit(nogil=True, cache=True)
def _smooth_table(table, step_x, step_y, smoothed):  # type: ignore[no-untyped-def]
    """`smooth` for one column.

    Each slice has a name of its own, and the loops stand here: numba counts references to a tuple of slices or to an
    argument, and that took a third of the time.
    """
    rows, size = table.shape
    reach, jumps = _third_differences(step_x, step_y)
    low, high = _extents(table)
    pair, line = np.zeros(size + 4), np.zeros(size + 8)  # two cells, and four, free at either end
    for i in range(rows):
        line[:] = 0.0
        for d in range(len(reach)):
            before, after = i - d, i + d  # two rows that meet the same kernel: it is used on their sum
            has_before = before >= 0 and high[before] > 0
            has_after = d > 0 and after < rows and high[after] > 0
            if has_before and has_after:
                first = min(low[before], low[after])
                width = max(high[before], high[after]) - first
                one = table[before, first : first + width]
                other = table[after, first : first + width]
                for k in range(width):
                    pair[k + 2] = one[k] + other[k]
            elif has_before or has_after:
                row = before if has_before else after
                first = low[row]
                width = high[row] - first
                only = table[row, first : first + width]
                for k in range(width):
                    pair[k + 2] = only[k]
            else:
                continue
            pair[width + 2] = pair[width + 3] = 0.0
            width += 2
            now = pair[2 : width + 2]
            one_ago = pair[1 : width + 1]
            two_ago = pair[:width]
            a, b, c = jumps[d, 0], jumps[d, 1], jumps[d, 2]
            begin = first + 4 - reach[d]
            end = first + 5 + reach[d]
            begins = line[begin : begin + width]
            ends = line[end : end + width]
            for k in range(width):
                begins[k] += a * now[k] + b * one_ago[k] + c * two_ago[k]
            for k in range(width):
                ends[k] -= c * now[k] + b * one_ago[k] + a * two_ago[k]
        _run(line, smoothed[i])


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
def _extents(table):  # type: ignore[no-untyped-def]
    """The first count of each row, and the place after its last: 0 where the row is empty."""
    rows, size = table.shape
    low, high = np.zeros(rows, np.int64), np.zeros(rows, np.int64)
    for i in range(rows):
        j = 0
        while j < size and table[i, j] == 0:
            j += 1
        low[i] = j
        if j < size:
            j = size
            while table[i, j - 1] == 0:
                j -= 1
            high[i] = j
    return low, high


@njit(nogil=True, cache=True)
def _run(line, row):  # type: ignore[no-untyped-def]
    """Three running sums of a line that begins 4 cells before the row."""
    first, second, third = 0.0, 0.0, 0.0
    for j in range(4):
        first += line[j]
        second += first
        third += second
    for j in range(len(row)):
        first += line[j + 4]
        second += first
        third += second
        row[j] = third
