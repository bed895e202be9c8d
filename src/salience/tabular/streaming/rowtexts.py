"""What rows look like as text: how much of them is empty, long, or random, counted exactly in integers."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit

__all__ = ["LENGTHS", "MEASURES", "SCALE", "measure_rows"]

#: A field is long if it has more characters than one of these.
LENGTHS = (30, 60, 100, 200, 300)

#: Measures of a row, in the order of the columns of `measure_rows`. All are shares of the fields but
#: ``entropy``, the mean over
#: the fields of the entropy of their bytes (bits).
MEASURES = ("empty", "braces", "blank", "zero", "entropy", *(f"longer_{n}" for n in LENGTHS))

#: Entropies are counted in units of 2**-20 bits, so that sums do not depend on the order of the rows.
SCALE = 1 << 20

_ENTROPY = MEASURES.index("entropy")


def measure_rows(columns: Iterable[pa.Array], rows: int) -> np.ndarray:
    """Sum the measures over the fields of every row.

    Parameters
    ----------
    columns : iterable of pa.Array
        The fields as they were read, each of length n. Null and NaN are the empty text; numbers are taken by
        their digits.
    rows : int
        n.

    Returns
    -------
    np.ndarray
        ``int64 (n, 10)``: number of fields that are empty, that are ``{}``, that are either, that are ``0``;
        sum of the entropies in units of ``1 / SCALE`` bits; number of fields longer than each of `LENGTHS`
        characters.

    Examples
    --------
    >>> fields = [pa.array(["", "ab"]), pa.array(["{}", "0"])]
    >>> measure_rows(fields, 2)[:, :5] // [1, 1, 1, 1, SCALE]
    array([[1, 1, 2, 0, 1], [0, 0, 0, 1, 1]])
    """
    sums = np.zeros((rows, len(MEASURES)), dtype=np.int64)
    for array in columns:
        if pa.types.is_dictionary(array.type):
            values = pa.concat_arrays([_texts(array.dictionary), pa.array([""], pa.large_string())])
            codes = array.indices.cast(pa.int64()).fill_null(len(values) - 1).to_numpy(zero_copy_only=False)
            measured = _measure(*_buffers(values))
            _add_coded(measured, codes, sums)
        else:
            sums += _measure(*_buffers(_texts(array)))
    return sums


def _texts(array: pa.Array) -> pa.Array:
    """As large strings without nulls."""
    kind = array.type
    if pa.types.is_null(kind):
        return pa.array([""] * len(array), pa.large_string())
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        inner = _texts(array.flatten()).cast(pa.string())
        lengths = pc.list_value_length(array).fill_null(0).to_numpy(zero_copy_only=False)
        offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
        array = pc.binary_join(pa.ListArray.from_arrays(offsets, inner), ",")
    elif pa.types.is_struct(kind):
        parts = [_texts(part) for part in array.flatten()]
        array = pc.binary_join_element_wise(*parts, ",") if parts else pa.array([""] * len(array))
    elif pa.types.is_floating(kind):
        array = pc.if_else(pc.is_nan(array), None, array).cast(pa.string())
        array = pc.replace_substring_regex(array, r"\.0$", "")
    elif pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        array = array.cast(pa.large_binary())
        return pa.Array.from_buffers(
            pa.large_string(), len(array), array.fill_null(b"").buffers(), offset=array.offset
        )
    return array.cast(pa.large_string()).fill_null("")


def _buffers(array: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    _, offsets, data = array.buffers()
    starts = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]
    empty = data is None or data.size == 0
    return starts, np.frombuffer(b"\0" if empty else data, np.uint8)


_LENGTHS = np.array(LENGTHS)


@njit(nogil=True, cache=True)
def _measure(starts, data):  # type: ignore[no-untyped-def]
    """int64 (n, 10) of each text: the same measures, of one field."""
    n = len(starts) - 1
    out = np.zeros((n, 5 + len(_LENGTHS)), np.int64)
    count = np.zeros(256, np.int64)
    for i in range(n):
        a, b = starts[i], starts[i + 1]
        size = b - a
        if size == 0:
            out[i, 0] = out[i, 2] = 1
            continue
        if size == 2 and data[a] == 123 and data[a + 1] == 125:
            out[i, 1] = out[i, 2] = 1
        if size == 1 and data[a] == 48:
            out[i, 3] = 1
        characters = 0
        for j in range(a, b):
            count[data[j]] += 1
            if data[j] & 0xC0 != 0x80:  # not a continuation byte of UTF-8
                characters += 1
        total = 0.0
        for j in range(a, b):
            c = count[data[j]]
            if c > 0:
                if c > 1:
                    total += c * np.log2(c)
                count[data[j]] = 0
        out[i, 4] = np.int64(np.rint((np.log2(size) - total / size) * 1048576.0))
        for k in range(len(_LENGTHS)):
            if characters > _LENGTHS[k]:
                out[i, 5 + k] = 1
    return out


@njit(nogil=True, cache=True)
def _add_coded(measured, codes, sums):  # type: ignore[no-untyped-def]
    for i in range(len(codes)):
        for k in range(sums.shape[1]):
            sums[i, k] += measured[codes[i], k]
