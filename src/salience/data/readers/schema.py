"""Schemas of several files brought together, and batches brought to a schema and a length."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from salience.data.hashing import as_text

_PHYSICAL: tuple[tuple[str, str], ...] = (
    ("boolean", "is_boolean"),
    ("integer", "is_integer"),
    ("real", "is_floating"),
    ("real", "is_decimal"),
    ("time", "is_temporal"),
    ("list", "is_list"),
    ("list", "is_large_list"),
    ("list", "is_fixed_size_list"),
)


def physical(kind: pa.DataType) -> str:
    """Name of a physical type: "integer", "real", "boolean", "text", "time" or "list".

    Examples
    --------
    >>> physical(pa.int8()), physical(pa.dictionary(pa.int32(), pa.string())), physical(pa.date32())
    ('integer', 'text', 'time')
    """
    kind = _storage(kind)
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    for name, test in _PHYSICAL:
        if getattr(pa.types, test)(kind):
            return name
    return "text"  # strings, bytes, and structs and maps as JSON


def _storage(kind: pa.DataType) -> pa.DataType:
    if isinstance(kind, pa.BaseExtensionType):
        return kind.storage_type
    return kind.value_type if pa.types.is_run_end_encoded(kind) else kind


def delivered(kind: pa.DataType) -> pa.DataType:
    """The type a stored type is delivered as: structs and maps are JSON text, extensions their storage."""
    kind = _storage(kind)
    if pa.types.is_struct(kind) or pa.types.is_map(kind) or pa.types.is_union(kind):
        return pa.large_string()
    return _without_views(kind)


def _without_views(kind: pa.DataType) -> pa.DataType:
    """The layout with offsets: pyarrow cannot take, compare or concatenate views."""
    if pa.types.is_dictionary(kind):
        return pa.dictionary(kind.index_type, _without_views(kind.value_type), kind.ordered)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        inner = _without_views(kind.value_type)
        return kind if inner == kind.value_type else pa.large_list(inner)
    return _VIEWS.get(kind, kind)


_VIEWS = {pa.string_view(): pa.large_string(), pa.binary_view(): pa.large_binary()}


_WIDER = {  # what two physical types meet in; any other two meet in text
    frozenset(("integer",)): pa.int64(),
    frozenset(("boolean",)): pa.bool_(),
    frozenset(("boolean", "integer")): pa.int64(),
    frozenset(("real",)): pa.float64(),
    frozenset(("integer", "real")): pa.float64(),
    frozenset(("boolean", "real")): pa.float64(),
    frozenset(("time",)): pa.timestamp("ns"),
}


def _meet(kinds: Sequence[pa.DataType]) -> pa.DataType:
    kinds = [kind for kind in dict.fromkeys(kinds) if not pa.types.is_null(kind)] or [pa.null()]
    if len(kinds) == 1:
        return kinds[0]
    names = frozenset(physical(kind) for kind in kinds)
    if names == {"time"} and not all(pa.types.is_timestamp(k) or pa.types.is_date(k) for k in kinds):
        return pa.large_string()
    if names == {"integer"} and pa.uint64() in kinds:
        return pa.uint64() if all(pa.types.is_unsigned_integer(k) for k in kinds) else pa.large_string()
    if names == {"list"}:
        return pa.large_list(_meet([kind.value_type for kind in kinds]))
    return _WIDER.get(names, pa.large_string())


def unite(schemas: Sequence[tuple[str, pa.Schema]]) -> tuple[pa.Schema, list[str]]:
    """The union of the columns of several files, in order of appearance, and notes about what differs.

    Parameters
    ----------
    schemas : sequence of (path, pyarrow.Schema)

    Returns
    -------
    schema : pyarrow.Schema
        A type per column that holds the values of all files: integers and reals meet in float64, anything
        else that differs meets in text.
    notes : list of str

    Examples
    --------
    >>> one, two = pa.schema({"a": pa.int64()}), pa.schema({"a": pa.string(), "b": pa.int8()})
    >>> schema, notes = unite([("1.parquet", one), ("2.parquet", two)])
    >>> schema.types == [pa.large_string(), pa.int8()]
    True
    >>> notes
    ["column 'a' is integer in one file and text in another: read as text", "column 'b' is missing in
    1.parquet: null there"]
    """
    found: dict[str, list[pa.DataType]] = {}
    for _, schema in schemas:
        for f in schema:
            found.setdefault(f.name, []).append(delivered(f.type))
    fields, notes = [], []
    for name, kinds in found.items():
        kind = _meet(kinds)
        fields.append(pa.field(name, kind))
        names = list(dict.fromkeys(physical(k) for k in kinds if not pa.types.is_null(k)))
        if len(names) > 1:
            notes.append(
                f"column {name!r} is {' in one file and '.join(names)} in another: read as {physical(kind)}"
            )
    shared = set(found)
    for _, schema in schemas:
        shared &= set(schema.names)
    for name in found:
        if name not in shared:
            without = [path for path, schema in schemas if name not in schema.names]
            others = f" and {len(without) - 1} more files" if len(without) > 1 else ""
            notes.append(f"column {name!r} is missing in {without[0]}{others}: null there")
    return pa.schema(fields), notes


def conform(batch: pa.RecordBatch, target: pa.Schema) -> pa.RecordBatch:
    """The columns of `target`, in its order and types; what the batch lacks is null. Text may be coded."""
    names = batch.schema.names
    arrays = [
        _convert(batch.column(names.index(f.name)), f.type)
        if f.name in names
        else pa.nulls(len(batch), f.type)
        for f in target
    ]
    return pa.RecordBatch.from_arrays(arrays, names=target.names)


def _convert(array: pa.Array, kind: pa.DataType) -> pa.Array:
    if isinstance(array.type, pa.BaseExtensionType):
        array = array.storage
    stored = array.type
    if _without_views(stored) != stored:
        array = _cast_views(array)
        stored = array.type
    if pa.types.is_run_end_encoded(stored):
        array = pc.run_end_decode(array)
        stored = array.type
    if stored == kind or (physical(stored) == "text" == physical(kind) and not pa.types.is_nested(stored)):
        return array
    if pa.types.is_nested(stored) and not physical(stored) == physical(kind) == "list":
        return json_text(array)
    if pa.types.is_dictionary(stored):
        array = array.dictionary.take(array.indices)
    if physical(kind) == "text":
        return as_text(array)
    if pa.types.is_boolean(stored) and pa.types.is_floating(kind):
        array = array.cast(pa.int8())
    return array.cast(kind, safe=False)


def _cast_views(array: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(array.type):
        values = _cast_views(array.dictionary)
        return pa.DictionaryArray.from_arrays(array.indices, values, ordered=array.type.ordered)
    return array.cast(_without_views(array.type))


def _plain(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else str(value)


def json_text(array: pa.Array) -> pa.Array:
    """Structs, maps and lists as JSON text, keys sorted; nulls stay null.

    Examples
    --------
    >>> json_text(pa.array([{"b": 1, "a": [2]}, None])).to_pylist()
    ['{"a": [2], "b": 1}', None]
    """
    values = array.to_pylist(maps_as_pydicts="lossy") if pa.types.is_map(array.type) else array.to_pylist()
    texts = [None if v is None else json.dumps(v, sort_keys=True, default=_plain) for v in values]
    return pa.array(texts, pa.large_string())


def nulls(target: pa.Schema, total: int, rows: int) -> Iterator[pa.RecordBatch]:
    """`total` rows of nothing but nulls, at most `rows` a batch."""
    for first in range(0, total, rows):
        n = min(rows, total - first)
        yield pa.RecordBatch.from_arrays([pa.nulls(n, f.type) for f in target], names=target.names)


def rebatch(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """Cut and join batches to exactly `rows` rows each but the last; nothing is copied where one batch is
    enough.

    Examples
    --------
    >>> parts = [pa.RecordBatch.from_pydict({"a": list(range(n))}) for n in (3, 0, 4)]
    >>> [len(batch) for batch in rebatch(parts, 2)]
    [2, 2, 2, 1]
    """
    waiting: list[pa.RecordBatch] = []
    have = 0
    for batch in batches:
        first = 0
        while have + len(batch) - first >= rows:
            take = rows - have
            waiting.append(batch.slice(first, take))
            yield _join(waiting)
            first += take
            waiting, have = [], 0
        if first < len(batch):
            waiting.append(batch.slice(first))
            have += len(batch) - first
    if waiting:
        yield _join(waiting)


def _join(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    if len(batches) == 1:
        return batches[0]
    arrays = [
        pa.concat_arrays(_alike([batch.column(i) for batch in batches]))
        for i in range(batches[0].num_columns)
    ]
    return pa.RecordBatch.from_arrays(arrays, names=batches[0].schema.names)


def _alike(arrays: list[pa.Array]) -> list[pa.Array]:
    """Text comes plain or as a dictionary; one batch has it in one way."""
    if len({array.type for array in arrays}) == 1:
        return arrays
    return [as_text(array).cast(pa.large_string()) for array in arrays]
