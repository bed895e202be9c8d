"""The identity of a value: 64 bits, equal on every machine, in every version and for every file format.

The identity is the xxh64 of the *logical* value, so that ``7`` in Parquet, ``"7"`` in a CSV column of numbers
and ``7.0`` in a frame are one value:

=================================  =============================================  ====
value                              bytes                                          seed
=================================  =============================================  ====
text                               its UTF-8 bytes                                0
integral number, boolean, time     int64, little-endian (times: ns since 1970)    1
any other number                   float64, little-endian                         2
integral number in [2**63, 2**64)  uint64, little-endian                          3
a pair of identities               both, in order                                 4
=================================  =============================================  ====

A missing value (null, NaN, or one of the given missing symbols) has the identity :data:`MISSING`.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from salience.data.parsing import parse_numbers, parse_times
from salience.data.xxh64 import (
    MISSING,
    combine_words,
    fold_lists,
    hash_floats,
    hash_integers,
    hash_parsed,
    hash_text,
    hash_unsigned,
)

KINDS = ("text", "number", "time", "list")


def combine(first: Any, second: Any) -> Any:
    """Identity of an ordered pair of values, element by element.

    Parameters
    ----------
    first, second : uint64, scalar or (n,)

    Returns
    -------
    uint64, scalar or (n,)
        ``combine(a, b) != combine(b, a)`` unless equal. A pair of two missing values is missing.

    Examples
    --------
    >>> a, b = hash_value("a", "text"), hash_value("b", "text")
    >>> bool(combine(a, b) == combine(b, a)), bool(combine(MISSING, MISSING) == MISSING)
    (False, True)
    """
    left, right = np.broadcast_arrays(np.asarray(first, np.uint64), np.asarray(second, np.uint64))
    out = np.empty(left.size, np.uint64)
    combine_words(np.ascontiguousarray(left).reshape(-1), np.ascontiguousarray(right).reshape(-1), out)
    return out[0] if left.ndim == 0 else out.reshape(left.shape)


# Arrow arrays: every physical layout is brought to one of text, int64, uint64 and float64.

_NOTHING = np.frombuffer(b"", np.uint8)


def _buffer(buffer: pa.Buffer | None, dtype: Any) -> np.ndarray:
    # always a read-only view of foreign memory, so that each kernel is compiled for one type of array only
    return np.frombuffer(buffer, dtype) if buffer is not None and buffer.size else np.frombuffer(b"", dtype)


def _frozen(values: np.ndarray) -> np.ndarray:
    values.flags.writeable = False
    return values


def _bitmap(array: pa.Array) -> np.ndarray:
    return _buffer(array.buffers()[0], np.uint8) if array.null_count else _NOTHING


def text_buffers(array: pa.Array) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    _, offsets, data = array.buffers()
    wide = pa.types.is_large_string(array.type) or pa.types.is_large_binary(array.type)
    starts = _buffer(offsets, np.int64 if wide else np.int32)[array.offset : array.offset + len(array) + 1]
    if not len(starts):
        starts = np.frombuffer(bytes(8 if wide else 4), np.int64 if wide else np.int32)
    return _buffer(data, np.uint8), starts, _bitmap(array), array.offset


def is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
    )


def _nanoseconds(array: pa.Array) -> pa.Array:
    kind = array.type
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        array = array.cast(pa.timestamp("ns", tz=getattr(kind, "tz", None)), safe=False)
    elif pa.types.is_time(kind):
        array = array.cast(pa.time64("ns"))
    elif pa.types.is_duration(kind):
        array = array.cast(pa.duration("ns"), safe=False)
    return array.cast(pa.int64())


def _float_name(value: float) -> str | None:
    if value != value:
        return None
    return str(int(value)) if value.is_integer() and abs(value) < 2**63 else repr(value)


def _float_text(array: pa.Array) -> pa.Array:
    values, codes = np.unique(array.cast(pa.float64()).to_numpy(zero_copy_only=False), return_inverse=True)
    return pa.array([_float_name(float(v)) for v in values], pa.large_string()).take(pa.array(codes))


def _decimal_text(array: pa.Array) -> pa.Array:
    text = array.cast(pa.string())
    if array.type.scale == 0:
        return text
    if pc.any(pc.match_substring(text, "E")).as_py():  # Arrow writes 1E-10, of which no zero may go
        text = pa.array([None if v is None else f"{v:f}" for v in array.to_pylist()], pa.string())
    if array.type.scale < 0:
        return text
    return pc.utf8_rtrim(pc.utf8_rtrim(text, "0"), ".")


def _time_text(array: pa.Array) -> pa.Array:
    """ISO 8601 in UTC; the unit that a moment is stored in makes no other text."""
    kind = array.type
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        array = array.cast(pa.timestamp(kind.unit, "UTC"))
    text = pc.replace_substring_regex(array.cast(pa.large_string()), r"(\.\d*?)0+(Z?)$", r"\1\2")
    return pc.replace_substring_regex(text, r"\.(Z?)$", r"\1")


def as_text(array: pa.Array) -> pa.Array:
    """Canonical text of any flat array: ``1``, ``1.0`` and ``"1"`` are ``"1"``, other floats their ``repr``.

    Parameters
    ----------
    array : pyarrow.Array
        Any type but lists and structs.

    Returns
    -------
    pyarrow.Array
        Strings; nulls stay null.

    Raises
    ------
    TypeError
        For nested types.

    Examples
    --------
    >>> as_text(pa.array([1.0, 2.5, None])).to_pylist()
    ['1', '2.5', None]
    """
    kind = array.type
    if is_text(kind):
        return array
    if pa.types.is_floating(kind):
        return _float_text(array)
    if pa.types.is_decimal(kind):
        return _decimal_text(array)
    if pa.types.is_timestamp(kind) or pa.types.is_time(kind):
        return _time_text(array)
    if pa.types.is_dictionary(kind):
        return as_text(array.dictionary).take(array.indices)
    if pa.types.is_nested(kind):
        raise TypeError(
            f"a {kind} has no canonical text; allowed are flat types: read it as a list or as JSON text"
        )
    if pa.types.is_fixed_size_binary(kind) or kind == pa.binary_view():
        return array.cast(pa.large_binary())
    return array.cast(pa.large_string())


def plain(array: pa.Array, kind: str) -> pa.Array:
    """`array` as text, int64, uint64 or float64: text stays text, the kernels parse it."""
    physical = array.type
    if kind in ("text", "list") or is_text(physical):
        return as_text(array)
    if pa.types.is_uint64(physical):
        return array
    if pa.types.is_integer(physical) or pa.types.is_boolean(physical):
        return array.cast(pa.int64())
    if pa.types.is_floating(physical):
        return array.cast(pa.float64())
    if pa.types.is_temporal(physical):
        return _nanoseconds(array)
    return as_text(array)  # decimals by their digits, exactly; string views


PARSERS: dict[str, Callable] = {"number": parse_numbers, "time": parse_times}


def _hash_array(array: pa.Array, kind: str, missing: np.ndarray) -> np.ndarray:
    """Identities of a flat or list array, row by row."""
    out = np.empty(len(array), np.uint64)
    if pa.types.is_nested(array.type):
        return _hash_nested(array, kind, missing, out)
    if pa.types.is_null(array.type) or not len(array):
        out.fill(MISSING)
        return out
    array = plain(array, kind)
    if is_text(array.type):
        data, offsets, bitmap, first = text_buffers(array)
        if kind in PARSERS:
            classes, bits = PARSERS[kind](data, offsets, bitmap, first)
            hash_parsed(classes, bits, data, offsets, missing, out)
        else:
            hash_text(data, offsets, bitmap, first, missing, out)
        return out
    floating = pa.types.is_floating(array.type)
    values = _buffer(array.buffers()[1], np.float64 if floating else np.uint64)
    values = values[array.offset : array.offset + len(array)]
    kernel = hash_floats if floating else hash_unsigned if pa.types.is_uint64(array.type) else hash_integers
    kernel(values, _bitmap(array), array.offset, missing, out)
    return out


def _hash_nested(array: pa.Array, kind: str, missing: np.ndarray, out: np.ndarray) -> np.ndarray:
    """Lists and structs: the ordered combination of their parts; an empty list is missing."""
    if pa.types.is_struct(array.type):
        out.fill(MISSING)
        for part in array.flatten():
            hashes, codes = identities(part, element_kind(part.type), ())
            out = combine(out, hashes if codes is None else hashes[codes])
        return out
    if not pa.types.is_large_list(array.type):
        array = array.cast(pa.large_list(array.type.value_type))
    offsets = _buffer(array.buffers()[1], np.int64)[array.offset : array.offset + len(array) + 1]
    values, codes = identities(array.values, element_kind(array.type.value_type), ())
    fold_lists(
        _frozen(values if codes is None else values[codes]), offsets, _bitmap(array), array.offset, out
    )
    return out


def element_kind(physical: pa.DataType) -> str:
    """Kind under which the elements of a list are identified: "number", "time", "list" or "text".

    Examples
    --------
    >>> element_kind(pa.int32()), element_kind(pa.string())
    ('number', 'text')
    """
    if pa.types.is_nested(physical):
        return "list"
    if pa.types.is_temporal(physical):
        return "time"
    number = pa.types.is_integer(physical) or pa.types.is_floating(physical) or pa.types.is_boolean(physical)
    return "number" if number or pa.types.is_decimal(physical) else "text"


@functools.lru_cache(maxsize=256)
def missing_identities(missing: tuple[str, ...], kind: str) -> np.ndarray:
    """A symbol is missing as text and, where it reads as a number or a time, as that: -999 is -999.0."""
    symbols = pa.array([str(symbol) for symbol in missing], pa.large_string())
    kinds = ("text", kind) if kind in PARSERS else ("text",)
    found = [_hash_array(symbols, k, np.frombuffer(b"", np.uint64)) for k in kinds]
    return _frozen(np.unique(np.concatenate(found)))


def check_kind(kind: str) -> None:
    if kind not in KINDS:
        raise ValueError(f"kind={kind!r} is unknown; allowed are {', '.join(map(repr, KINDS))}")


def identities(
    array: pa.Array | pa.ChunkedArray, kind: str, missing: Sequence[str] = ("", "{}")
) -> tuple[np.ndarray, np.ndarray | None]:
    """Identity of every value of a column.

    Parameters
    ----------
    array : pyarrow.Array or pyarrow.ChunkedArray, length n
        Any physical type. Of a dictionary array only the dictionary is hashed.
    kind : {"text", "number", "time", "list"}
        What the column is planned as, whatever it is stored as. Strings in a column of numbers are parsed:
        integers exactly in 64 bits, others by their float64, and what is no number keeps its identity as
        text.
    missing : sequence of str
        Symbols that mean "no value", beside null and NaN.

    Returns
    -------
    hashes : uint64 (n,) or (u,)
        Per row, or per local code when there are codes. Codes may share an identity (``"1"``, ``"1.0"``).
    codes : int32 (n,) or None
        Index into `hashes`; null rows point at an entry that is :data:`MISSING`.

    Raises
    ------
    ValueError
        If `kind` is unknown.

    Examples
    --------
    >>> parquet, _ = identities(pa.array([7, None]), "number")
    >>> csv, _ = identities(pa.array(["7", "{}"]), "number")
    >>> bool((parquet == csv).all()), bool(csv[1] == MISSING)
    (True, True)
    """
    check_kind(kind)
    if isinstance(array, pa.ChunkedArray):
        if array.num_chunks == 1:
            return identities(array.chunk(0), kind, missing)
        if not pa.types.is_dictionary(array.type):
            parts = [identities(chunk, kind, missing)[0] for chunk in array.chunks]
            return np.concatenate([np.empty(0, np.uint64), *parts]), None
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    if isinstance(array.type, pa.BaseExtensionType):
        array = array.storage
    known = missing_identities(tuple(missing), kind)
    if pa.types.is_run_end_encoded(array.type):
        array = pc.run_end_decode(array)
    if not pa.types.is_dictionary(array.type):
        return _hash_array(array, kind, known), None
    hashes = _hash_array(array.dictionary, kind, known)
    indices = array.indices
    if indices.null_count:
        indices = indices.cast(pa.int32()).fill_null(len(hashes))
        hashes = np.append(hashes, MISSING)
    return hashes, np.asarray(indices.cast(pa.int32()), np.int32)


def hash_value(value: Any, kind: str) -> np.uint64:
    """Identity of one Python value.

    Parameters
    ----------
    value : object
        str, bytes, bool, int, float, Decimal, datetime, list, or None.
    kind : {"text", "number", "time", "list"}
        What its column is planned as.

    Returns
    -------
    uint64

    Examples
    --------
    >>> len({int(hash_value(value, "number")) for value in (1, 1.0, "1", True)})
    1
    >>> bool(hash_value(None, "text") == MISSING)
    True
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        value = str(value)
    hashes, codes = identities(pa.array([value]), kind, ())
    return np.uint64(hashes[0] if codes is None else hashes[codes[0]])
