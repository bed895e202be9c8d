"""The cells of a sparse layer: which exist, which go, which come. See :class:`salience.networks.sparse.SparseLayer`.

Connections are compressed rows: ``start`` int64 (rows + 1,), ``end`` (connections,) the column of each, ascending
in a row. A *cell* is the number ``row * columns + column``. Nothing here is as large as rows x columns, unless more
than half of the cells are taken anyway.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["compact", "first_cells", "free_cells", "merge", "nearest_to_zero", "positive_part"]

Array = NDArray[Any]
_ROUNDS = 50  # of drawing ends by importance, before the rest is drawn uniformly


def first_cells(rows: int, columns: int, requested: int, rng: np.random.Generator) -> Array:
    """Cells drawn with replacement, each once, ascending; all cells when there are no more than `requested`.

    Examples
    --------
    >>> first_cells(2, 2, 9, np.random.default_rng(0)).tolist()
    [0, 1, 2, 3]
    """
    cells, kind = rows * columns, _kind(rows * columns)
    if requested >= cells:
        return np.arange(cells, dtype=kind)
    return _distinct(rng.integers(0, cells, requested, dtype=kind))


def free_cells(
    start: Array,
    end: Array,
    columns: int,
    count: int,
    rng: np.random.Generator,
    of_rows: Array | None = None,
    of_columns: Array | None = None,
) -> Array:
    """Different cells without a connection, ascending; all equally likely, or by the importance of their ends.

    Drawn and rejected when taken. Where more than half of all cells would be taken, that is slow, and all
    cells are listed instead.

    Parameters
    ----------
    start, end : ndarray
        The connections there are.
    columns, count : int
    rng : numpy.random.Generator
    of_rows, of_columns : ndarray of shape (rows,), (columns,), optional
        Importance of the ends.
    """
    rows = start.size - 1
    cells, kind = rows * columns, _kind(rows * columns)
    if 2 * (start[-1] + count) > cells:
        return _listed(start, end, columns, count, rng, of_rows, of_columns).astype(kind)
    uniform = of_rows is None and of_columns is None
    found = np.empty(0, kind)
    turn = 0
    while found.size < count:
        missing = count - found.size
        if uniform or turn >= _ROUNDS:
            drawn = rng.integers(0, cells, missing, dtype=kind)
        else:
            row, column = _ends(of_rows, rows, missing, rng), _ends(of_columns, columns, missing, rng)
            drawn = (row * columns + column).astype(kind)
        found = _distinct(np.concatenate([found, drawn[_is_free(start, end, drawn, columns)]]))
        turn += 1
    return found


@njit(nogil=True, cache=True)
def positive_part(values, sign):  # type: ignore[no-untyped-def]
    """The values times `sign` (1 or -1) that are positive, in their order."""
    count = 0
    for value in values:
        count += sign * value > 0
    part = np.empty(count + 1, values.dtype)  # written without a branch, hence one place more
    count = 0
    for value in values:
        part[count] = sign * value
        count += sign * value > 0
    return part[:count]


def nearest_to_zero(sizes: Array, zeta: float) -> tuple[Any, int]:
    """The size up to which the share `zeta` of the sizes lies, and how many exactly there belong to it.

    By a partition of `sizes`, in place; no sort.

    Examples
    --------
    >>> nearest_to_zero(np.array([3.0, 1.0, 2.0, 2.0, 5.0]), 0.4)
    (np.float64(2.0), 1)
    """
    count = int(zeta * sizes.size + 1e-9)  # 0.3 * 10 is a little less than 3
    if not count:
        return sizes.dtype.type(0), 0
    sizes.partition(count - 1)
    threshold = sizes[count - 1]
    return threshold, count - int(np.count_nonzero(sizes[:count] < threshold))


@njit(nogil=True, cache=True)
def compact(start, end, weight, velocity, above, ties_above, below, ties_below):  # type: ignore[no-untyped-def]
    """Remove the weights between `below` and `above`, so many of those that are equal to them; in place.

    The rest moves to the front, and `start` says so.
    """
    kept = 0
    first = start[0]
    for row in range(start.size - 1):
        last = start[row + 1]
        for k in range(first, last):
            w = weight[k]
            gone = ((w > 0) & (w < above)) | ((w < 0) & (w > below))
            if w == above and w > 0 and ties_above > 0:
                ties_above -= 1
                gone = True
            elif w == below and w < 0 and ties_below > 0:
                ties_below -= 1
                gone = True
            # without a branch, which nobody could foretell: what is gone is written over by the next one
            end[kept], weight[kept], velocity[kept] = end[k], w, velocity[k]
            kept += not gone
        first = last
        start[row + 1] = kept


@njit(nogil=True, cache=True)
def merge(start, end, weight, velocity, cells, values, columns):  # type: ignore[no-untyped-def]
    """Put new connections between the old ones, without momentum; in place, from the back."""
    old, new = start[-1] - 1, cells.size - 1
    place = old + cells.size
    for row in range(start.size - 2, -1, -1):
        first = start[row]
        start[row + 1] = place + 1
        while True:
            column = np.int64(-1)
            if new >= 0 and np.int64(cells[new]) // columns == row:
                column = np.int64(cells[new]) - row * columns
            if old >= first and np.int64(end[old]) > column:
                end[place], weight[place], velocity[place] = end[old], weight[old], velocity[old]
                old -= 1
            elif column >= 0:
                end[place], weight[place], velocity[place] = column, values[new], 0
                new -= 1
            else:
                break
            place -= 1


@njit(nogil=True, cache=True)
def _is_free(start, end, cells, columns):  # type: ignore[no-untyped-def]
    """Whether each cell holds no connection: a binary search in its row."""
    free = np.empty(cells.size, np.bool_)
    for i in range(cells.size):
        cell = np.int64(cells[i])
        row = cell // columns
        column = cell - row * columns
        low, high = start[row], start[row + 1]
        while low < high:
            middle = (low + high) // 2
            if np.int64(end[middle]) < column:
                low = middle + 1
            else:
                high = middle
        free[i] = low == start[row + 1] or np.int64(end[low]) != column
    return free


def _distinct(cells: Array) -> Array:
    """Ascending, each once. A sort in place: numpy.unique takes ten times as long and holds two more copies."""
    cells.sort()
    first = np.ones(cells.size, dtype=bool)
    np.not_equal(cells[1:], cells[:-1], out=first[1:])
    return cells[first]


def _kind(cells: int) -> type[np.generic]:
    return np.uint32 if cells < 2**32 else np.int64


def _listed(
    start: Array, end: Array, columns: int, count: int, rng: np.random.Generator,
    of_rows: Array | None, of_columns: Array | None,
) -> Array:  # fmt: skip
    rows = start.size - 1
    taken = np.repeat(np.arange(rows), np.diff(start)) * columns + end[: start[-1]]
    free = np.ones(rows * columns, dtype=bool)
    free[taken] = False
    places = np.flatnonzero(free)
    if of_rows is None and of_columns is None:
        chances = None
    else:
        weights = np.ones(places.size)
        if of_rows is not None:
            weights *= of_rows[places // columns]
        if of_columns is not None:
            weights *= of_columns[places % columns]
        weights += max(weights.mean(), 1e-300) * 1e-6  # as many cells must be possible as are drawn
        chances = weights / weights.sum()
    return np.sort(rng.choice(places, count, replace=False, p=chances))


def _ends(chances: Array | None, neurons: int, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    if chances is None:
        return rng.integers(0, neurons, count)
    total = np.cumsum(chances, dtype=np.float64)
    return np.minimum(np.searchsorted(total, rng.random(count) * total[-1], side="right"), neurons - 1)
