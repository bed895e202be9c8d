"""A column as a block holds it: identities of its values, and its numbers, from one parse of what is written."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from salience.data.hashing import (
    MISSING,
    PARSERS,
    check_kind,
    identities,
    is_text,
    missing_identities,
    plain,
    text_buffers,
)
from salience.data.xxh64 import hash_parsed, numbers_parsed

__all__ = ["encode", "numbers"]

_CLOSE = 4096  # integers in a range that is coded by its offsets


def encode(
    array: pa.Array, kind: str, missing: Sequence[str] = ("", "{}")
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | Callable[[], np.ndarray] | None]:
    """`identities` and `numbers` of a column, a column of written numbers parsed once for both.

    Parameters
    ----------
    array : pyarrow.Array, length n
    kind : {"text", "number", "time", "list"}
    missing : sequence of str

    Returns
    -------
    hashes : uint64 (n,) or (u,)
    codes : int32 (n,) or None
    numbers : float64 (n,), callable or None
        None for texts and lists. Where nothing was parsed: what makes the numbers when they are wanted.

    Examples
    --------
    >>> encode(pa.array(["1", "2.5", ""]), "number")[2]
    array([1. , 2.5, nan])
    """
    if kind not in PARSERS:
        return *identities(array, kind, missing), None
    if not (is_text(array.type) and len(array)):
        close = _close_integers(array, kind, tuple(missing))
        if close is not None:
            return *close, functools.partial(numbers, array, kind, missing)
        return *identities(array, kind, missing), functools.partial(numbers, array, kind, missing)
    data, offsets, bitmap, first = text_buffers(plain(array, kind))
    classes, bits = PARSERS[kind](data, offsets, bitmap, first)
    hashes = np.empty(len(array), np.uint64)
    hash_parsed(classes, bits, data, offsets, missing_identities(tuple(missing), kind), hashes)
    values = numbers_parsed(classes, bits)
    return hashes, None, _without_symbols(values / 1e9 if kind == "time" else values, kind, missing)


def _close_integers(
    array: pa.Array, kind: str, missing: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray] | None:
    """Integers that lie close together as codes: a subtraction for each row is cheaper than a hash."""
    if kind != "number" or not pa.types.is_integer(array.type) or array.null_count == len(array):
        return None
    span = pc.min_max(array)
    low, high = span["min"].as_py(), span["max"].as_py()
    if high - low >= min(_CLOSE, len(array) // 4) or high >= 2**63:
        return None
    known = array.fill_null(low) if array.null_count else array
    codes = np.empty(len(array), np.int32)
    np.subtract(known.to_numpy(), low, out=codes, dtype=np.int64, casting="unsafe")
    if array.null_count:
        codes[array.is_null().to_numpy(zero_copy_only=False)] = high - low + 1
    return _identities_between(low, high, missing), codes


@functools.lru_cache(maxsize=256)
def _identities_between(low: int, high: int, missing: tuple[str, ...]) -> np.ndarray:
    """Of all integers from `low` to `high`, and of a missing one."""
    hashes, _ = identities(pa.array(np.arange(low, high + 1)), "number", missing)
    return np.append(hashes, MISSING)  # writable: the kernels are compiled for one type of array


def _without_symbols(values: np.ndarray, kind: str, missing: Sequence[str]) -> np.ndarray:
    for symbol in _missing_numbers(tuple(missing), kind):
        values[values == symbol] = np.nan
    return values


def numbers(array: pa.Array | pa.ChunkedArray, kind: str, missing: Sequence[str] = ("", "{}")) -> np.ndarray:
    """Numeric values of a column.

    Parameters
    ----------
    array : pyarrow.Array or pyarrow.ChunkedArray, length n
        Any flat physical type.
    kind : {"text", "number", "time"}
        Times become seconds since 1970 (UTC); everything else is read as a number.
    missing : sequence of str
        Symbols that mean "no value"; one that can be read as a number also makes that number missing.

    Returns
    -------
    float64 (n,)
        NaN where the value is missing or no number.

    Raises
    ------
    TypeError
        For lists and structs.

    Examples
    --------
    >>> numbers(pa.array(["1.5", "oops", "", "-999"]), "number", missing=("", "-999"))
    array([1.5, nan, nan, nan])
    """
    check_kind(kind)
    if isinstance(array, pa.ChunkedArray):
        parts = [numbers(chunk, kind, missing) for chunk in array.chunks]
        return parts[0] if len(parts) == 1 else np.concatenate([np.empty(0), *parts])
    if isinstance(array.type, pa.BaseExtensionType):
        array = array.storage
    if pa.types.is_run_end_encoded(array.type):
        array = pc.run_end_decode(array)
    if pa.types.is_dictionary(array.type):
        values = np.append(numbers(array.dictionary, kind, missing), np.nan)
        return values[np.asarray(array.indices.cast(pa.int64()).fill_null(-1))]
    if pa.types.is_nested(array.type):
        raise TypeError(f"a {array.type} is not one number per row; explode the list, or take its identities")
    parse = "time" if kind == "time" else "number"
    return _without_symbols(_number_array(array, parse), parse, missing)


def _number_array(array: pa.Array, parse: str) -> np.ndarray:
    if pa.types.is_null(array.type) or not len(array):
        return np.full(len(array), np.nan)
    temporal = pa.types.is_temporal(array.type)
    array = plain(array, parse)
    if is_text(array.type):
        values = numbers_parsed(*PARSERS[parse](*text_buffers(array)))
        temporal = parse == "time"
    else:
        values = np.array(array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))
    return values / 1e9 if temporal else values


@functools.lru_cache(maxsize=256)
def _missing_numbers(missing: tuple[str, ...], parse: str) -> tuple[float, ...]:
    values = _number_array(pa.array([str(symbol) for symbol in missing], pa.large_string()), parse)
    return tuple(float(v) for v in values if v == v)
