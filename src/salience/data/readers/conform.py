"""Batches brought to the one schema of their source: after this a column has the same type in every batch.

Text is the exception, and only in one way: it comes plain or as a dictionary of int32 codes whose values have the
type that the schema says.
"""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from salience.data.hashing import as_text
from salience.data.readers.schema import is_list, is_string

_CODES = pa.int32()
_YEARS = (-62_135_596_800, 253_402_300_800)  # 1 to 9999, which a date has, in seconds since 1970
_TO_A_SECOND = {"s": 1, "ms": 10**3, "us": 10**6}


def conform(batch: pa.RecordBatch, target: pa.Schema) -> pa.RecordBatch:
    """The columns of `target`, in its order and types; what the batch lacks is null. Text may be coded.

    Raises
    ------
    ValueError
        A column that cannot be brought to its type, by name.

    Examples
    --------
    >>> batch = pa.RecordBatch.from_pydict({"a": pa.array(["x", "y"]).dictionary_encode()})
    >>> column = conform(batch, pa.schema({"a": pa.large_string()})).column(0)
    >>> column.type.value_type, column.to_pylist()
    (DataType(large_string), ['x', 'y'])
    """
    place = {name: i for i, name in enumerate(batch.schema.names)}
    arrays = []
    for f in target:
        at = place.get(f.name)
        try:
            arrays.append(pa.nulls(len(batch), f.type) if at is None else converted(batch.column(at), f.type))
        except (ValueError, TypeError, OverflowError, pa.ArrowException) as error:
            raise ValueError(f"column {f.name!r} cannot be read as {f.type}: {error}") from error
    return pa.RecordBatch.from_arrays(arrays, names=target.names)


def converted(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """An array as the type that `unite` settled on; text as codes stays codes.

    Examples
    --------
    >>> converted(pa.array([b"x", b"\\xff", None]), pa.large_string()).to_pylist()
    ['x', '\\\\xff', None]
    """
    stored = array.type
    if pa.types.is_temporal(stored):
        _check_moments(array)
    if stored == kind:
        return array
    if pa.types.is_dictionary(stored):
        return _from_codes(array, kind)
    if pa.types.is_null(stored):
        return pa.nulls(len(array), kind)
    if pa.types.is_run_end_encoded(stored):
        rows = np.arange(array.offset, array.offset + len(array))
        runs = np.searchsorted(np.asarray(array.run_ends), rows, side="right")
        return converted(array.values, kind).take(pa.array(runs))
    if isinstance(stored, pa.BaseExtensionType) and stored != pa.uuid():
        return converted(array.storage, kind)
    if is_list(kind):
        return _lists(array, kind)
    if is_string(kind):
        return _texts(array).cast(kind)
    if pa.types.is_boolean(stored):
        array = array.cast(pa.int8())
    return array.cast(kind, safe=False)


def _check_moments(array: pa.Array) -> None:
    """Raise a ValueError for a moment that no calendar shows, as damage and wrong units make them."""
    kind = array.type
    if pa.types.is_date32(kind):
        a_second, counted = 1 / 86_400, array.cast(pa.int32())
    elif pa.types.is_date64(kind) or (pa.types.is_timestamp(kind) and kind.unit in _TO_A_SECOND):
        a_second, counted = _TO_A_SECOND[getattr(kind, "unit", "ms")], array.cast(pa.int64())
    else:
        return
    found = pc.min_max(counted)
    for value in (found["min"].as_py(), found["max"].as_py()):
        if value is not None and not _YEARS[0] <= value / a_second < _YEARS[1]:
            raise ValueError(
                f"it has the value {value:,} of {kind}, outside the years 1 to 9999; if that is no damage, store "
                "the column as numbers"
            )


def _from_codes(array: pa.DictionaryArray, kind: pa.DataType) -> pa.Array:
    stored = array.type
    if not is_string(kind):
        return converted(array.dictionary, kind).take(array.indices)
    values = converted(array.dictionary, kind)
    if values.null_count:  # such dictionaries cannot be joined
        return values.take(array.indices)
    if stored.value_type == kind and stored.index_type == _CODES:
        return array
    return pa.DictionaryArray.from_arrays(array.indices.cast(_CODES), values, safe=False)


def _lists(array: pa.Array, kind: pa.DataType) -> pa.Array:
    lengths = pc.list_value_length(array).fill_null(0).to_numpy(zero_copy_only=False)
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))
    values = converted(array.flatten(), kind.value_type)  # those of null lists are left out
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    absent = array.is_null() if array.null_count else None
    return pa.LargeListArray.from_arrays(offsets, values, mask=absent).cast(kind)


def _texts(array: pa.Array) -> pa.Array:
    """Text of anything. Structs and lists become JSON, and bytes that are no UTF-8 are escaped."""
    if _is_view(array.type):
        array = _without_null_views(array)
    stored = array.type
    if stored == pa.uuid() or pa.types.is_interval(stored):
        return _each(array, str)
    if pa.types.is_nested(stored):
        return json_text(array)
    if _is_bytes(stored):
        array = array.cast(pa.large_binary())
        try:
            return array.cast(pa.large_string())
        except pa.ArrowInvalid:
            return _each(array, lambda value: value.decode(errors="backslashreplace"))
    return as_text(array)


def _is_view(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string_view(kind) or pa.types.is_binary_view(kind))


def _without_null_views(array: pa.Array) -> pa.Array:
    """Nulls as views of nothing: a cast follows them too, and no validation looks at where they lead."""
    if not array.null_count:
        return array
    bitmap, views, *texts = array.buffers()
    words = np.frombuffer(views, np.int64, 2 * (array.offset + len(array))).reshape(-1, 2).copy()
    words[array.offset :][array.is_null().to_numpy(zero_copy_only=False)] = 0
    buffers = [bitmap, pa.py_buffer(words), *texts]
    return pa.Array.from_buffers(array.type, len(array), buffers, array.null_count, array.offset)


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
        or pa.types.is_binary_view(kind)
    )


def _each(array: pa.Array, text: Callable[[Any], str]) -> pa.Array:
    return pa.array(
        [None if value is None else text(value) for value in array.to_pylist()], pa.large_string()
    )


def json_text(array: pa.Array) -> pa.Array:
    """Structs, maps and lists as JSON text, keys sorted; nulls stay null.

    What a struct lacks in one file may be null in another, and a number a float: neither makes another value.

    Examples
    --------
    >>> json_text(pa.array([{"b": 1.0, "a": [2], "c": None}, None])).to_pylist()
    ['{"a": [2], "b": 1}', None]
    """
    if pa.types.is_map(array.type):
        values = array.to_pylist(maps_as_pydicts="lossy")
        plain = [v and {key: _canonical(inner) for key, inner in v.items()} for v in values]
    else:
        plain = [_canonical(v) for v in array.to_pylist()]
    texts = [None if v is None else json.dumps(v, sort_keys=True, default=_named) for v in plain]
    return pa.array(texts, pa.large_string())


def _canonical(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _canonical(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list | tuple):
        return [_canonical(inner) for inner in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**63:
        return int(value)
    return value


def _named(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else str(value)
