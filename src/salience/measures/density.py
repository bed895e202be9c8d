"""Densities by linear binning on a grid, and mutual information from them.

``f(a, b) = 1/(n h_x h_y) sum_i K((a - x_i)/h_x, (b - y_i)/h_y)`` on a product grid, K Epanechnikov's kernel of the
Euclidean norm with standard deviation 1 (so it ends at sqrt(5)). Rows are spread over the four cells around them, then
smoothed; a kernel that spans r of the N_a lines costs O(n + r N_a N_b) a column.

The information is a sum over cells of that same joint density,
``MI = sum f [ln f - ln f_x - ln f_y] da db`` with ``f_x = sum_b f db`` and ``f_y = sum_a f da``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from salience.measures.bandwidth import bandwidths
from salience.measures.binning import binned_information
from salience.measures.smoothing import DUST, smooth, spread

__all__ = ["class_information", "joint_density", "kernel_information", "standardised", "ties"]

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]

SUPPORT = np.sqrt(5.0)  # in standard deviations of the kernel
MARGIN = 0.05  # of the range, free on each side of the grid at least
BATCH = 1 << 15  # cells smoothed at a time: they stay in the cache
POINTS = 500  # of the grid of a column against classes
TINY = 1e-300  # the least number whose logarithm is taken


@dataclass(frozen=True)
class Axis:
    """Samples on equally spaced grids, one sample and grid per row, in bandwidths.

    Attributes
    ----------
    start, step : ndarray of float64, shape (c,)
    cell : ndarray of int64, shape (c, n)
        The grid point below each value.
    above : ndarray of float64, shape (c, n)
        Its distance from there, in steps.
    """

    start: Floats
    step: Floats
    cell: Integers
    above: Floats

    @classmethod
    def around(cls, samples: Floats, size: int, reach: Floats | float = SUPPORT) -> Axis:
        """Grids of `size` points that leave `reach`, and MARGIN of the range, free on both sides."""
        low, high = samples.min(axis=1), samples.max(axis=1)
        margin = np.maximum(MARGIN * (high - low), reach)
        start = low - margin
        step = (high + margin - start) / (size - 1)
        place = (samples - start[:, None]) / step[:, None]
        cell = place.astype(np.int64)
        return cls(start, step, cell, place - cell)


def standardised(samples: ArrayLike) -> Floats:
    """Each row less its mean, over its standard deviation; zeros where it is constant.

    Examples
    --------
    >>> standardised([[1.0, 3.0], [2.0, 2.0]])
    array([[-1.,  1.],
           [ 0.,  0.]])
    """
    rows = np.atleast_2d(np.asarray(samples, dtype=np.float64))
    centred = rows - rows.mean(axis=1, keepdims=True)
    deviation = centred.std(axis=1, keepdims=True)
    # the mean of equal numbers can miss them by a rounding
    constant = np.ptp(rows, axis=1, keepdims=True) == 0
    return np.where(constant, 0.0, centred / np.where(constant | (deviation == 0), 1.0, deviation))


def joint_density(
    x: ArrayLike,
    y: ArrayLike,
    *,
    bandwidth: str | float = "silverman",
    grid: tuple[int, int] = (300, 300),
) -> tuple[Floats, Floats, Floats]:
    """The kernel density of two columns on a product grid.

    Parameters
    ----------
    x, y : array-like of float, shape (n,)
        Finite and not constant.
    bandwidth : {"silverman", "scott", "isj", "isj-kdepy"} or float, default="silverman"
        Of each column; a number is in the unit of the columns.
    grid : (int, int), default=(300, 300)

    Returns
    -------
    a, b : ndarray of float64, shapes (N_a,) and (N_b,)
        The grid.
    f : ndarray of float64, shape (N_a, N_b)
        Never negative.

    Raises
    ------
    ValueError
        When the columns are no vectors of one length, not finite or constant.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> a, b, f = joint_density(rng.normal(size=500), rng.normal(size=500), grid=(64, 64))
    >>> round(float(f.sum() * (a[1] - a[0]) * (b[1] - b[0])), 2)
    1.0
    """
    first, second = (np.asarray(column, dtype=np.float64) for column in (x, y))
    if first.ndim != 1 or first.shape != second.shape or not len(first):
        raise ValueError(
            f"x and y must be vectors of one length; they have shapes {first.shape} and {second.shape}"
        )
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ValueError("x and y must be finite; leave out rows where one of them is missing")
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        raise ValueError("a constant column has no density; leave it out")
    h_x, h_y = (float(bandwidths(column[None], bandwidth)[0]) for column in (first, second))
    on_x = Axis.around(first[None] / h_x, grid[0])
    on_y = Axis.around(second[None] / h_y, grid[1])
    counts = np.zeros((1, *grid))
    spread(on_x.cell, on_x.above, on_y.cell[0], on_y.above[0], counts)
    smoothed = np.empty_like(counts)
    smooth(counts, on_x.step, on_y.step[0], smoothed)
    f = np.where(smoothed > DUST * smoothed.max(), smoothed, 0.0)[0]
    f *= 2 / (np.pi * SUPPORT**2 * len(first) * h_x * h_y)
    a = h_x * (on_x.start[0] + on_x.step[0] * np.arange(grid[0]))
    b = h_y * (on_y.start[0] + on_y.step[0] * np.arange(grid[1]))
    return a, b, f


def kernel_information(
    columns: ArrayLike,
    y: ArrayLike,
    *,
    bandwidth: str | float = "silverman",
    grid: tuple[int, int] = (128, 128),
    orders: NDArray[np.integer] | None = None,
) -> Floats:
    """Mutual information of continuous columns with a continuous outcome.

    Parameters
    ----------
    columns : array-like of float, shape (c, n)
        One column per row, finite.
    y : array-like of float, shape (n,)
    bandwidth : {"silverman", "scott", "isj", "isj-kdepy"} or float, default="silverman"
        A number is in the unit of the columns: standardise them first.
    grid : (int, int), default=(128, 128)
        Points for a column and for the outcome.
    orders : ndarray of int, shape (m, n), optional
        Orders of `y` to score: permutations, say. By default as it is.

    Returns
    -------
    ndarray of float64, shape (m, c)
        Nats, never negative; 0 for a constant column.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(2, 1000))
    >>> kernel_information(x, x[0] ** 2).round(1)
    array([[0.8, 0. ]])
    """
    rows = np.atleast_2d(np.asarray(columns, dtype=np.float64))
    outcome = np.atleast_2d(np.asarray(y, dtype=np.float64))
    turns = np.arange(rows.shape[1])[None] if orders is None else orders
    found = np.zeros((len(turns), len(rows)))
    varies = np.flatnonzero(np.ptp(rows, axis=1) > 0)
    if not len(varies) or np.ptp(outcome) == 0:
        return found
    on_x = Axis.around(_in_bandwidths(rows[varies], bandwidth, grid[0]), grid[0])
    on_y = Axis.around(_in_bandwidths(outcome, bandwidth, grid[1]), grid[1])
    counts = np.empty((min(max(1, BATCH // (grid[0] * grid[1])), len(varies)), *grid))
    smoothed = np.empty_like(counts)
    for first in range(0, len(varies), len(counts)):
        part = slice(first, first + len(counts))
        here, there = (tables[: len(varies[part])] for tables in (counts, smoothed))
        for turn, order in enumerate(turns):
            here[:] = 0.0
            spread(on_x.cell[part], on_x.above[part], on_y.cell[0][order], on_y.above[0][order], here)
            smooth(here, on_x.step[part], on_y.step[0], there)
            found[turn, varies[part]] = _information(there, here)
    return found


def class_information(
    columns: ArrayLike,
    classes: ArrayLike,
    *,
    bandwidth: str | float = "silverman",
    points: int = POINTS,
    orders: NDArray[np.integer] | None = None,
) -> Floats:
    """Mutual information of continuous columns with a discrete outcome: one density per class, on one grid.

    ``MI = sum_c sum_a p_c f_c(a) [ln f_c(a) - ln f(a)] da`` with ``f = sum_c p_c f_c``; each class has its own bandwidth.

    A value v that more than a third of the rows share has no density: classes would differ by how wide each smooths it.
    Then ``MI(x; c) = MI([x = v]; c) + P(x != v) MI(x; c | x != v)``, the first part from the table of counts. For the same
    reason a bandwidth is at least the mean step between the values: whole numbers are not told apart.

    Parameters
    ----------
    columns : array-like of float, shape (c, n)
        One column per row, finite.
    classes : array-like of int, shape (n,)
        Codes from 0. Classes of fewer than 3 rows are left out.
    bandwidth, orders
        As in `kernel_information`.
    points : int, default=500
        Of the grid.

    Returns
    -------
    ndarray of float64, shape (m, c)
        Nats, never negative; 0 for a constant column.

    Examples
    --------
    >>> g = np.arange(1000) % 2
    >>> x = np.random.default_rng(0).normal(size=(2, 1000)) + [[9.0], [0.0]] * g
    >>> class_information(x, g).round(1)  # ln 2 and 0
    array([[0.7, 0. ]])
    """
    rows = np.atleast_2d(np.asarray(columns, dtype=np.float64))
    codes = np.asarray(classes, dtype=np.int64)
    turns = np.arange(rows.shape[1])[None] if orders is None else orders
    found = np.zeros((len(turns), len(rows)))
    varies = np.flatnonzero(np.ptp(rows, axis=1) > 0)
    kept = [level for level, size in enumerate(np.bincount(codes)) if size > 2]
    if not len(varies) or len(kept) < 2:
        return found
    values, steps = ties(rows)
    for j in np.flatnonzero(~np.isnan(values)):
        found[:, j] = _around_atom(rows[j], values[j], codes[turns], bandwidth, points)
    varies = varies[np.isnan(values[varies])]
    rows, steps = rows[varies], steps[varies]
    for turn, order in enumerate(turns if len(varies) else []):
        levels = [codes[order] == level for level in kept]
        widths = np.array([_class_widths(rows, rows[:, level], bandwidth, points, steps) for level in levels])
        axis = Axis.around(rows, points, SUPPORT * widths.max(axis=0))
        joint = np.zeros((len(kept), len(rows), points))
        for level, width, density in zip(levels, widths, joint, strict=True):
            _smooth_rows(axis.cell[:, level], axis.above[:, level], axis.step / width, density)
        tables = np.ascontiguousarray(joint.swapaxes(0, 1))
        found[turn, varies] = _information(tables, np.empty_like(tables))
    return found


def ties(columns: ArrayLike) -> tuple[Floats, Floats]:
    """Of each row the value that more than a third of its numbers share, and the mean step between its values.

    The commonest of two, and NaN where there is none; the step of a constant row is 0.

    Examples
    --------
    >>> ties([[0.0, 0.0, 1.0, 2.0], [1.0, 2.0, 4.0, 7.0]])
    (array([ 0., nan]), array([1., 2.]))
    """
    ordered = np.sort(np.atleast_2d(np.asarray(columns, dtype=np.float64)), axis=1)
    n = ordered.shape[1]
    candidates = ordered[:, [n // 3, 2 * n // 3]]  # a longer run of one value cannot miss both
    times = np.stack([(ordered == candidates[:, [i]]).sum(axis=1) for i in (0, 1)], axis=1)
    best = times.argmax(axis=1)[:, None]
    value, count = (np.take_along_axis(each, best, axis=1)[:, 0] for each in (candidates, times))
    steps = (ordered[:, 1:] > ordered[:, :-1]).sum(axis=1)
    step = (ordered[:, -1] - ordered[:, 0]) / np.maximum(steps, 1)
    return np.where(3 * count > n, value, np.nan), step


def _around_atom(row: Floats, value: float, codes: Integers, bandwidth: str | float, points: int) -> Floats:
    """Information of one row about each order (m, n) of the classes: that of the value, and that of the rest."""
    rest = row != value
    every = np.arange(len(row))[None]
    found = np.array([binned_information(rest[None], order, orders=every)[0, 0] for order in codes])
    for turn, order in enumerate(codes):
        if rest.sum() > 2:
            more = class_information(row[rest], order[rest], bandwidth=bandwidth, points=points)
            found[turn] += rest.mean() * more[0, 0]
    return found


def _in_bandwidths(rows: Floats, rule: str | float, size: int) -> Floats:
    """The samples in units of their bandwidth, which is at least a step of the grid."""
    # A rule that under-smooths ties would leave a table of single cells, whose information is noise.
    widths = np.maximum(bandwidths(rows, rule), np.ptp(rows, axis=1) / (size - 1))
    return np.asarray(rows / widths[:, None])


def _class_widths(rows: Floats, members: Floats, rule: str | float, points: int, steps: Floats) -> Floats:
    """Bandwidths of the members of a class, at least two steps of the grid of the whole column."""
    # At least a step between its values, too: else the classes differ by how wide each smooths whole numbers.
    least = np.maximum(2 * np.ptp(rows, axis=1) / (points - 1), steps)
    constant = np.ptp(members, axis=1) == 0
    found = np.empty(len(rows))
    found[~constant] = bandwidths(members[~constant], rule) if (~constant).any() else 0.0
    found[constant] = 0.0 if isinstance(rule, str) else float(rule)
    return np.maximum(found, least)


def _information(joint: Floats, room: Floats) -> Floats:
    """Information of each table (c, A, B) of cells up to a factor; `room`, of the same shape, is written over."""
    # numpy takes eight logarithms at a time where the processor can, numba one
    np.log(np.maximum(joint, TINY, out=room), out=room)
    return np.asarray(_summed(joint, room, DUST))


@njit(nogil=True, cache=True)
def _smooth_rows(cell, above, steps, density):  # type: ignore[no-untyped-def]
    """Linear binning in one dimension, smoothed directly; each density (c, N) sums to the share of the rows."""
    size = density.shape[1]
    counts = np.empty(size)
    for c in range(cell.shape[0]):
        counts[:] = 0.0
        for row in range(cell.shape[1]):
            i, a = cell[c, row], above[c, row]
            counts[i] += 1 - a
            counts[i + 1] += a
        reach = int(np.sqrt(5.0) / steps[c])
        kernel = np.empty(2 * reach + 1)
        total = 0.0
        for t in range(-reach, reach + 1):
            kernel[t + reach] = 1 - (t * steps[c]) ** 2 / 5
            total += kernel[t + reach]
        for i in range(size):
            if counts[i] > 0:  # the margin of the grid is as wide as the kernel
                weight = counts[i] / total
                for t in range(2 * reach + 1):
                    density[c, i - reach + t] += weight * kernel[t]


@njit(nogil=True, cache=True, fastmath={"reassoc"})  # sums of several cells at a time
def _summed(joint, logarithms, dust):  # type: ignore[no-untyped-def]
    """`_information` of cells whose logarithms are known; cells of less than `dust` of the largest count as empty."""
    found = np.zeros(joint.shape[0])
    of_y = np.empty(joint.shape[2])
    for c in range(joint.shape[0]):
        least = dust * joint[c].max()
        of_y[:] = 0.0
        inside, total = 0.0, 0.0
        for i in range(joint.shape[1]):
            of_x = 0.0
            for j in range(joint.shape[2]):
                value = joint[c, i, j] if joint[c, i, j] > least else 0.0
                inside += value * logarithms[c, i, j]
                of_x += value
                of_y[j] += value
            if of_x > 0:
                inside -= of_x * np.log(of_x)
            total += of_x
        for j in range(joint.shape[2]):
            if of_y[j] > 0:
                inside -= of_y[j] * np.log(of_y[j])
        if total > 0:
            found[c] = max(inside / total + np.log(total), 0.0)
    return found
