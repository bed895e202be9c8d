"""Data in memory: pandas, polars, pyarrow, whatever narwhals knows, numpy, dicts and scipy sparse matrices.

A frame is one member without a path. Its pieces are row ranges of a million rows, slices without a copy.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np
import pyarrow as pa

from salience.data.missing import is_missing
from salience.data.readers.source import Member, SourceError, check_unique

_SHARD_ROWS = 1_000_000
_IN_MEMORY = "data in memory cannot be opened on another machine; write it to Parquet and give the path"
_ALLOWED = (
    "Allowed are a path, a list of paths, '-', a pandas, polars or pyarrow table, a dict of columns, a 2-D numpy "
    "array, a scipy sparse matrix and an iterator of such tables"
)


class FrameMember(Member):
    """A table in memory; a part is a row range ``(first, stop)``."""

    table: pa.Table

    @classmethod
    def wrap(cls, table: pa.Table, notes: Sequence[str] = ()) -> Self:
        """A member that reads from `table`."""
        n = table.num_rows
        pieces = [((i, min(i + _SHARD_ROWS, n)), min(_SHARD_ROWS, n - i)) for i in range(0, n, _SHARD_ROWS)]
        member = cls("", table.schema.remove_metadata(), pieces, notes)
        member.table = table
        return member

    def read(self, part: tuple[int, ...], columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        """Slices of the table."""
        first, stop = part
        yield from self.table.select(list(columns)).slice(first, stop - first).to_batches(max_chunksize=rows)

    def to_json(self) -> dict[str, Any]:
        """Data in memory has no description that another machine could open."""
        raise SourceError(_IN_MEMORY)


class SparseMember(Member):
    """A scipy sparse matrix, or a numpy one: only the columns and rows asked for are ever made dense."""

    matrix: Any
    extra: dict[str, pa.Array]

    @classmethod
    def wrap(cls, matrix: Any, extra: dict[str, pa.Array]) -> Self:
        """A member over the columns ``x0, x1, ...`` of `matrix` and some extra ones."""
        kind = pa.from_numpy_dtype(matrix.dtype)
        fields = [(f"x{i}", kind) for i in range(matrix.shape[1])]
        schema = pa.schema([*fields, *((name, array.type) for name, array in extra.items())])
        n = matrix.shape[0]
        pieces = [((i, min(i + _SHARD_ROWS, n)), min(_SHARD_ROWS, n - i)) for i in range(0, n, _SHARD_ROWS)]
        member = cls("", schema, pieces)
        member.matrix, member.extra = matrix, extra
        return member

    def read(self, part: tuple[int, ...], columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        """Dense columns of some rows; an absent entry of a sparse matrix is 0."""
        first, stop = part
        own = [self.schema.get_field_index(name) for name in columns if name not in self.extra]
        for a in range(first, stop, rows):
            b = min(a + rows, stop)
            dense = self.matrix[a:b]
            dense = dense[:, own] if len(own) < self.matrix.shape[1] else dense
            dense = np.asfortranarray(dense.toarray() if hasattr(dense, "toarray") else dense)
            found = {f"x{i}": pa.array(dense[:, k]) for k, i in enumerate(own)}
            arrays = [self.extra[n].slice(a, b - a) if n in self.extra else found[n] for n in columns]
            yield pa.RecordBatch.from_arrays(arrays, names=list(columns))

    def to_json(self) -> dict[str, Any]:
        """Data in memory has no description that another machine could open."""
        raise SourceError(_IN_MEMORY)


def open_frame(data: Any, label: Any = None) -> Member:
    """A member over data in memory.

    Parameters
    ----------
    data : frame, dict of columns, 2-D array or sparse matrix
    label : array of length n, optional
        Target values to be read as the column "label".

    Raises
    ------
    SourceError
        A type that is no table, arrays of the wrong shape, or labels of another length.

    Examples
    --------
    >>> member = open_frame({"a": [1, "x", None]})
    >>> member.table.column("a").to_pylist()
    ['1', 'x', None]
    """
    extra: dict[str, pa.Array] = {}
    if label is not None and not isinstance(label, str | list | tuple):
        extra["label"] = _column(label)
    if _is_sparse(data):
        matrix: Any = data.tocsr()
        return SparseMember.wrap(matrix, _fitting(extra, matrix.shape[0]))
    if isinstance(data, np.ndarray) and data.dtype.names is None:
        if data.ndim != 2:
            raise SourceError(f"an array of shape {data.shape} is no table; give a 2-D array (rows, columns)")
        if data.dtype.kind in "iufb" and data.dtype.itemsize <= 8:
            return SparseMember.wrap(data, _fitting(extra, len(data)))
        data = {f"x{i}": data[:, i] for i in range(data.shape[1])}
    columns, notes = _columns(data)
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise SourceError(
            f"columns of different lengths: {dict(list(lengths.items())[:8])}; give columns of one length"
        )
    columns.update(_fitting(extra, next(iter(lengths.values()), 0)))
    return FrameMember.wrap(pa.table(columns), notes)


def _fitting(extra: dict[str, pa.Array], rows: int) -> dict[str, pa.Array]:
    for name, array in extra.items():
        if len(array) != rows:
            raise SourceError(f"{name} has {len(array)} values for {rows} rows; give one value per row")
    return extra


def _is_sparse(data: Any) -> bool:
    return type(data).__module__.startswith("scipy.sparse") and hasattr(data, "tocsr")


def _columns(data: Any) -> tuple[dict[str, Any], list[str]]:
    """Columns by name as Arrow arrays, and notes about what had to be turned into text."""
    if isinstance(data, pa.RecordBatch):
        data = pa.Table.from_batches([data])
    if isinstance(data, pa.Table):
        check_unique(data.column_names)
        return dict(zip(data.column_names, data.columns, strict=True)), []
    if isinstance(data, np.ndarray):
        pairs = [(name, data[name]) for name in data.dtype.names or ()]
    elif isinstance(data, Mapping):
        pairs = [(name, _listed(name, values)) for name, values in data.items()]
    else:
        pairs = _frame_columns(data)
    check_unique([str(name) for name, _ in pairs])
    columns, mixed = {}, []
    for name, values in pairs:
        columns[str(name)] = array = _column(values)
        if pa.types.is_large_string(array.type) and str(getattr(values, "dtype", "")) == "object":
            mixed.append(str(name))
    notes = [f"columns of mixed types read as text: {', '.join(map(repr, mixed))}"] if mixed else []
    return columns, notes


def _frame_columns(data: Any) -> list[tuple[str, Any]]:
    import narwhals as nw

    try:
        frame = nw.from_native(data)
        if isinstance(frame, nw.LazyFrame):
            frame = frame.collect()
    except (TypeError, ValueError) as error:
        raise SourceError(
            f"a {type(data).__module__}.{type(data).__qualname__} is no table ({error}). {_ALLOWED}"
        ) from error
    return [(name, frame[name].to_native()) for name in frame.columns]


def _listed(name: Any, values: Any) -> Any:
    if isinstance(values, str | bytes) or not hasattr(values, "__len__"):
        raise SourceError(
            f"column {name!r} is a {type(values).__name__}; give a list or an array, one value per row"
        )
    return values


def _column(values: Any) -> pa.Array | pa.ChunkedArray:
    """An Arrow array of any column; what Arrow cannot type becomes text value by value."""
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return values
    if hasattr(values, "to_arrow"):
        return values.to_arrow()
    try:
        return pa.array(values, from_pandas=True)
    except (
        pa.ArrowInvalid,
        pa.ArrowTypeError,
        pa.ArrowNotImplementedError,
        OverflowError,
        TypeError,
        ValueError,
    ):
        return pa.array([_text(value) for value in values], pa.large_string())


def _text(value: Any) -> str | None:
    if isinstance(value, np.generic):
        value = value.item()
    if is_missing(value):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 2**63 else repr(value)
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)
