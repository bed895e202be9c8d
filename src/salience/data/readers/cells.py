"""From cells of a byte buffer to Arrow strings: the last step of every text format.

A format's kernel fills ``starts`` and ``ends``, int32 (rows, wanted columns); a cell that holds doubled
quotes has its end stored as ``~end``. A cell with ``start == end`` is empty.
"""

import numpy as np
import pyarrow as pa
from numba import njit

#: Cells a kernel may describe at once, 8 bytes each: few enough to stay in the cache until they are copied.
CELLS = 1 << 17


@njit(nogil=True, cache=True)
def _measure(starts, ends, rows, column, offsets):  # type: ignore[no-untyped-def]
    at = np.int64(0)
    for r in range(rows):
        end = ends[r, column]
        at += (~end if end < 0 else end) - starts[r, column]
        offsets[r + 1] = at
    return at


@njit(nogil=True, cache=True)
def _copy(data, starts, ends, rows, column, quote, offsets, out):  # type: ignore[no-untyped-def]
    at = np.int64(0)
    for r in range(rows):
        a, b = starts[r, column], ends[r, column]
        if b >= 0:
            for k in range(a, b):
                out[at] = data[k]
                at += 1
        else:  # doubled quotes become one: shorter than measured
            b = ~b
            k = a
            while k < b:
                out[at] = data[k]
                at += 1
                k += 2 if data[k] == quote and k + 1 < b and data[k + 1] == quote else 1
        offsets[r + 1] = at
    return at


def text_column(
    data: np.ndarray, starts: np.ndarray, ends: np.ndarray, rows: int, column: int, quote: int = 34
) -> pa.Array:
    """One column of cells as an Arrow array of large strings; nothing is null.

    Parameters
    ----------
    data : uint8 (bytes,)
        Valid UTF-8.
    starts, ends : int32 (at least rows, columns)
    rows : int
    column : int
    quote : int
        The byte that is doubled.

    Returns
    -------
    pyarrow.LargeStringArray

    Examples
    --------
    >>> data = np.frombuffer(b"ab,c", np.uint8)
    >>> text_column(data, np.array([[0, 3]], np.int32), np.array([[2, 4]], np.int32), 1, 1).to_pylist()
    ['c']
    """
    offsets = np.zeros(rows + 1, np.int64)
    out = np.empty(_measure(starts, ends, rows, column, offsets), np.uint8)
    _copy(data, starts, ends, rows, column, quote, offsets, out)
    return pa.LargeStringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(out))
