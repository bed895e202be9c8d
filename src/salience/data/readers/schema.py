"""Schemas of several files brought together, and batches brought to a length."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from salience.data.hashing import is_text

_PHYSICAL: tuple[tuple[str, str], ...] = (
    ("boolean", "is_boolean"),
    ("integer", "is_integer"),
    ("real", "is_floating"),
    ("real", "is_decimal"),
    ("time", "is_temporal"),
    ("list", "is_list"),
    ("list", "is_large_list"),
    ("list", "is_fixed_size_list"),
    ("list", "is_list_view"),
    ("list", "is_large_list_view"),
)


def physical(kind: pa.DataType) -> str:
    """Name of a physical type: "integer", "real", "boolean", "text", "time" or "list".

    Examples
    --------
    >>> physical(pa.int8()), physical(pa.dictionary(pa.int32(), pa.string())), physical(pa.date32())
    ('integer', 'text', 'time')
    """
    kind = delivered(kind)
    for name, test in _PHYSICAL:
        if getattr(pa.types, test)(kind):
            return name
    return "text"


def is_list(kind: pa.DataType) -> bool:
    """Whether a type is one of lists, in whatever layout."""
    return any(getattr(pa.types, test)(kind) for name, test in _PHYSICAL if name == "list")


def is_string(kind: pa.DataType) -> bool:
    """Whether a type is one that text is delivered as."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def delivered(kind: pa.DataType) -> pa.DataType:
    """The type a stored type is delivered as, if every file has that: one for the values of dictionaries, runs,
    views and extensions; large strings for bytes, and as JSON for structs and maps; zones are UTC.

    Examples
    --------
    >>> delivered(pa.dictionary(pa.int8(), pa.string())), delivered(pa.list_(pa.string_view()))
    (DataType(string), LargeListType(large_list<item: large_string>))
    """
    if kind == pa.uuid():
        return pa.large_string()
    if isinstance(kind, pa.BaseExtensionType):
        return delivered(kind.storage_type)
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return delivered(kind.value_type)
    if is_list(kind):
        inner = kind.value_type if _is_plain_struct(kind.value_type) else delivered(kind.value_type)
        as_it_is = pa.types.is_list(kind) or pa.types.is_large_list(kind)
        return kind if as_it_is and inner == kind.value_type else pa.large_list(inner)
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        return pa.timestamp(
            kind.unit, "UTC"
        )  # the same moments; an offset or an unknown zone cannot be shown
    if pa.types.is_decimal32(kind) or pa.types.is_decimal64(kind):  # few kernels know them
        return pa.decimal128(kind.precision, kind.scale)
    if pa.types.is_primitive(kind) and not pa.types.is_interval(kind):
        return kind
    return (
        kind if is_string(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind) else pa.large_string()
    )


def _is_plain_struct(kind: pa.DataType) -> bool:
    return pa.types.is_struct(kind) and all(
        _is_plain_struct(f.type) or delivered(f.type) == f.type for f in kind
    )


_WIDER = {  # what two physical types meet in; any other two meet in text
    frozenset(("integer",)): pa.int64(),
    frozenset(("boolean", "integer")): pa.int64(),
    frozenset(("real",)): pa.float64(),
    frozenset(("integer", "real")): pa.float64(),
    frozenset(("boolean", "real")): pa.float64(),
}
_TIMES: tuple[tuple[tuple[str, ...], pa.DataType], ...] = (
    (("is_timestamp", "is_date"), pa.timestamp("ns")),
    (("is_duration",), pa.duration("ns")),
    (("is_time",), pa.time64("ns")),
)
_DIGITS = 76  # of the widest decimal


def _meet(kinds: Sequence[pa.DataType]) -> pa.DataType:
    kinds = [kind for kind in dict.fromkeys(kinds) if not pa.types.is_null(kind)] or [pa.string()]
    if len(kinds) == 1:
        return kinds[0]
    names = frozenset(physical(kind) for kind in kinds)
    if names == {"time"}:
        for tests, kind in _TIMES:
            if all(any(getattr(pa.types, test)(k) for test in tests) for k in kinds):
                return kind
    if names == {"list"}:
        return pa.large_list(_meet([kind.value_type for kind in kinds]))
    if "real" in names and all(pa.types.is_decimal(k) or pa.types.is_integer(k) for k in kinds):
        return _wider_decimal(kinds)
    if pa.uint64() in kinds and "real" not in names:
        return pa.uint64() if all(map(pa.types.is_unsigned_integer, kinds)) else pa.large_string()
    return _WIDER.get(names, pa.large_string())


def _wider_decimal(kinds: Sequence[pa.DataType]) -> pa.DataType:
    """One that holds every digit: through float64 two long numbers may become one."""
    decimals = [kind for kind in kinds if pa.types.is_decimal(kind)]
    scale = max(0, *(kind.scale for kind in decimals))
    whole = max(kind.precision - kind.scale for kind in decimals)
    if len(decimals) < len(kinds):
        whole = max(whole, 20)  # of 64 bits
    if scale + whole > _DIGITS:
        return pa.large_string()
    return pa.decimal128(scale + whole, scale) if scale + whole <= 38 else pa.decimal256(scale + whole, scale)


def unite(schemas: Sequence[tuple[str, pa.Schema]]) -> tuple[pa.Schema, list[str]]:
    """The union of the columns of several files, in order of appearance, and notes about what differs.

    Parameters
    ----------
    schemas : sequence of (path, pyarrow.Schema)

    Returns
    -------
    schema : pyarrow.Schema
        A type per column that holds the values of all files: integers and reals meet in float64 (decimals in a
        wider decimal), times of all units and zones in nanoseconds of UTC, anything else that differs in text.
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
    columns = [(path, set(schema.names)) for path, schema in schemas]
    fields, notes = [], []
    for name, kinds in found.items():
        kind = _meet(kinds)
        fields.append(pa.field(name, kind))
        names = list(dict.fromkeys(physical(k) for k in kinds if not pa.types.is_null(k)))
        if len(names) > 1:
            notes.append(
                f"column {name!r} is {' in one file and '.join(names)} in another: read as {physical(kind)}"
            )
    shared = set.intersection(*(names for _, names in columns))
    for name in found:
        if name not in shared:
            without = [path for path, names in columns if name not in names]
            others = f" and {len(without) - 1} more files" if len(without) > 1 else ""
            notes.append(f"column {name!r} is missing in {without[0]}{others}: null there")
    return pa.schema(fields), notes


def nulls(target: pa.Schema, total: int, rows: int) -> Iterator[pa.RecordBatch]:
    """`total` rows of nothing but nulls, at most `rows` a batch."""
    for first in range(0, total, rows):
        n = min(rows, total - first)
        yield pa.RecordBatch.from_arrays([pa.nulls(n, f.type) for f in target], names=target.names)


def rebatch(
    batches: Iterable[pa.RecordBatch], rows: int, most: int | None = None
) -> Iterator[pa.RecordBatch]:
    """Cut and join batches to exactly `rows` rows each but the last; nothing is copied where one batch is
    enough.

    Of `rows` rows whose texts and lists take more than `most` bytes several batches are made, each as long as fits,
    and at least one row. Where they are cut depends on the values alone, not on the batches that came.

    Examples
    --------
    >>> parts = [pa.RecordBatch.from_pydict({"a": list(range(n))}) for n in (3, 0, 4)]
    >>> [len(batch) for batch in rebatch(parts, 2)]
    [2, 2, 2, 1]
    >>> texts = pa.RecordBatch.from_pydict({"a": ["x", "y" * 9, "z", "z", "z", "z"]})
    >>> [len(batch) for batch in rebatch([texts], 4, most=2)]
    [1, 1, 2, 2]
    """
    waiting: list[pa.RecordBatch] = []
    done = size = 0  # rows of this batch, those already given away included; bytes of those that wait
    for batch in batches:
        first = 0
        while first < len(batch):
            piece = batch.slice(first, rows - done)
            fit, taken = len(piece), 0
            if most is not None and (waiting or len(piece) < rows or _may_exceed(piece, most)):
                fit, taken = _fitting(piece, most - size)
                if not fit and not waiting:
                    fit, taken = 1, most + 1
            if fit:
                waiting.append(piece.slice(0, fit))
                done, size, first = done + fit, size + taken, first + fit
            if done == rows or fit < len(piece):
                yield _join(waiting)
                waiting, size, done = [], 0, done % rows
    if waiting:
        yield _join(waiting)


def _may_exceed(batch: pa.RecordBatch, most: int) -> bool:
    """Whether texts and lists could take more than so many bytes, without looking at every row."""
    for array in batch.columns:
        if pa.types.is_dictionary(array.type):
            if len(array.dictionary):
                most -= int(value_bytes(array.dictionary).max()) * len(array)
        elif is_long(array.type):
            most -= array.nbytes
        if most < 0:
            return True
    return False


def _fitting(batch: pa.RecordBatch, most: int) -> tuple[int, int]:
    """How many of the first rows take at most so many bytes, and how many bytes those take."""
    sizes = np.zeros(len(batch), np.int64)
    for array in batch.columns:
        if is_long(array.type):
            sizes += value_bytes(array)
    ends = np.cumsum(sizes)
    fit = int(np.searchsorted(ends, most, side="right"))
    return fit, int(ends[fit - 1]) if fit else 0


def is_long(kind: pa.DataType) -> bool:
    """Whether values differ in length: texts and lists, coded or not."""
    inner = kind.value_type if pa.types.is_dictionary(kind) else kind
    return pa.types.is_nested(inner) or is_text(inner)


def value_bytes(array: pa.Array) -> NDArray[np.int64]:
    """Bytes of every value of a text or list column as text, not counting what is the same for all.

    Examples
    --------
    >>> value_bytes(pa.array(["ab", None, "c"])).tolist(), value_bytes(pa.array([[1, 2], []])).tolist()
    ([2, 0, 1], [16, 0])
    """
    if pa.types.is_dictionary(array.type):
        sizes = np.append(value_bytes(array.dictionary), 0)
        return sizes[np.asarray(array.indices.cast(pa.int64()).fill_null(len(sizes) - 1))]
    if pa.types.is_fixed_size_list(array.type):
        array = array.cast(pa.large_list(array.type.value_type))
    lists = pa.types.is_list(array.type) or pa.types.is_large_list(array.type)
    if not lists and not is_text(array.type):
        return np.full(len(array), 8, np.int64)
    wide = pa.types.is_large_list(array.type) or pa.types.is_large_string(array.type)
    wide = wide or pa.types.is_large_binary(array.type)
    buffer = array.buffers()[1]
    if buffer is None or not len(array):
        return np.zeros(len(array), np.int64)
    offsets = np.frombuffer(buffer, np.int64 if wide else np.int32)
    offsets = offsets[array.offset : array.offset + len(array) + 1].astype(np.int64)
    if not lists:
        return np.diff(offsets)
    before = np.concatenate([[0], np.cumsum(value_bytes(array.values))])
    return np.diff(before[offsets])


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
    return [array.dictionary_decode() if pa.types.is_dictionary(array.type) else array for array in arrays]
