"""Rows that are part one instance, part another: arrays and frames of any kind, with their types."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

__all__ = [
    "column_names",
    "conformed",
    "distance_parts",
    "mixed",
    "native",
    "plain_arrays",
    "stacked",
    "table_of",
    "taken",
]

Index = NDArray[np.int64]


def table_of(given: Any, what: str = "X") -> Any:
    """A 2-D array, or a narwhals frame around whatever frame was given.

    Raises
    ------
    TypeError, ValueError
        Not a table, no row or no column.
    """
    if isinstance(given, nw.DataFrame):
        table: Any = given
    elif hasattr(given, "columns") or hasattr(given, "column_names"):
        try:
            table = nw.from_native(given, eager_only=True)
        except TypeError as error:
            raise TypeError(
                f"{what} must be an array or a pandas, polars or pyarrow table, got {type(given)}"
            ) from error
    else:
        table = np.asarray(given)
        if table.ndim != 2:
            raise ValueError(
                f"{what} must have the shape (rows, columns), got {table.shape}; one row is X[:1] or X.reshape(1, -1)"
            )
    if not table.shape[0] or not table.shape[1]:
        raise ValueError(f"{what} has the shape {table.shape}: at least one row and one column are needed")
    return table


def column_names(table: Any) -> tuple[Any, ...]:
    """Names of the columns; x0, x1, ... for an array."""
    if isinstance(table, np.ndarray):
        return tuple(f"x{j}" for j in range(table.shape[1]))
    return tuple(table.columns)


def conformed(X: Any, background: Any) -> tuple[Any, Any]:
    """Both tables with the same columns in the order of the background, and the same types.

    Numbers of two types become float64, so that no value is rounded. A category of `X` that the background does
    not list is an error, because a model may read the codes.

    Raises
    ------
    TypeError, ValueError
        One is a frame and the other is not; missing columns; types that do not go together.
    """
    if isinstance(X, np.ndarray) != isinstance(background, np.ndarray):
        raise TypeError(
            "X and the background must both be arrays or both be frames: columns are matched by name"
        )
    if isinstance(X, np.ndarray):
        if X.shape[1] != background.shape[1]:
            raise ValueError(f"X has {X.shape[1]} columns, the background {background.shape[1]}")
        kind = np.result_type(X, background) if X.dtype != object and background.dtype != object else object
        return X.astype(kind, copy=False), background.astype(kind, copy=False)
    missing = [name for name in X.columns if name not in background.columns]
    if missing:
        raise ValueError(f"the background has no column {', '.join(map(repr, missing))}, which X has")
    absent = [name for name in background.columns if name not in X.columns]
    if absent:
        raise ValueError(f"X has no column {', '.join(map(repr, absent))}, which the background has")
    X = X.select(background.columns)
    kinds, kinds_there = X.schema, background.schema  # each call works them out anew
    for name, ours in kinds.items():
        theirs = kinds_there[name]
        if ours.is_numeric() and theirs.is_numeric() and ours != theirs:
            X = X.with_columns(nw.col(name).cast(nw.Float64))
            background = background.with_columns(nw.col(name).cast(nw.Float64))
        elif not ours.is_numeric() and X[name].to_native().dtype != background[name].to_native().dtype:
            X = X.with_columns(_as(X[name], background[name]))
    return X, background


def _as(ours: Any, theirs: Any) -> Any:
    """A column with the type of another one."""
    given, kind = ours.to_native(), theirs.to_native().dtype
    of_pandas = hasattr(given, "astype")
    if theirs.dtype == nw.Enum or (of_pandas and theirs.dtype == nw.Categorical):
        values = ours.cast(nw.String)
        lost = values.filter(~values.is_null() & ~values.is_in([str(known) for known in kind.categories]))
        if len(lost):
            raise ValueError(
                f"column {ours.name!r} has the value {lost[0]!r}, which is no category of the background's; give both "
                "the same categories"
            )
    return nw.from_native(given.astype(kind) if of_pandas else given.cast(kind), series_only=True)


def native(table: Any) -> Any:
    """The table as it was given, for a model."""
    return table if isinstance(table, np.ndarray) else nw.to_native(table)


def plain_arrays(tables: Sequence[Any]) -> tuple[list[Any], Callable[[Any], Any]] | None:
    """Arrays instead of pandas frames whose columns are all numbers of one type, and how such an array becomes a frame.

    Rows of one array are mixed several times as fast as those of many columns. None for other tables.
    """
    first = tables[0]
    if isinstance(first, np.ndarray) or not first.implementation.is_pandas():
        return None
    kinds = {kind for table in tables for kind in native(table).dtypes}
    if len(kinds) > 1 or not isinstance(kind := kinds.pop(), np.dtype) or kind.kind not in "iuf":
        return None
    frame, names = type(native(first)), first.columns
    return [np.ascontiguousarray(native(table)) for table in tables], lambda values: frame(
        values, columns=names, copy=False
    )


def taken(table: Any, rows: Index) -> Any:
    """These rows of a table."""
    if isinstance(table, np.ndarray):
        return table[rows]
    return nw.from_dict({name: table[name][rows] for name in table.columns})


def mixed(
    X: Any,
    rows: Index,
    donors: Any,
    donor_rows: Index,
    columns: Sequence[int],
    out: NDArray[Any] | None = None,
) -> Any:
    """Rows of `X` with some columns taken from donors, as the model wants them.

    Parameters
    ----------
    X, donors : array or narwhals frame
    rows : ndarray of int, shape (k,)
    donor_rows : ndarray of int, shape (m,) or (k, m)
        Which donors each row meets; its columns come jointly from one donor.
    columns : sequence of int
        Positions of the columns that are replaced.
    out : ndarray of shape (k * m, d), optional
        Where to write rows of arrays.

    Returns
    -------
    array or narwhals frame with k * m rows
        The first row with all its donors, then the second.
    """
    m = donor_rows.shape[-1]
    if isinstance(X, np.ndarray):
        if out is None:
            out = np.empty((len(rows) * m, X.shape[1]), X.dtype)
        cells = out.reshape(len(rows), m, -1)
        cells[:] = X[rows][:, None]
        for j in columns:
            cells[:, :, j] = donors[:, j][donor_rows]  # (m,) or (k, m)
        return out
    own = np.repeat(rows, m)
    theirs = np.broadcast_to(donor_rows, (len(rows), m)).reshape(-1)
    replaced = set(columns)
    return nw.from_dict(
        {name: donors[name][theirs] if j in replaced else X[name][own] for j, name in enumerate(X.columns)}
    )


def stacked(tables: Sequence[Any]) -> Any:
    """Tables of one kind below each other."""
    if len(tables) == 1:
        return tables[0]
    return np.concatenate(tables) if isinstance(tables[0], np.ndarray) else nw.concat(tables)


def distance_parts(X: Any, pool: Any) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Both tables as numbers whose differences are distances.

    Returns
    -------
    own, theirs : ndarray of float64, shapes (n, d) and (rows of the pool, d)
        Numbers, or codes of other values.
    scale : ndarray of float64, shape (d,)
        Standard deviation in the pool, 1 where it is 0; NaN where a difference is only a mismatch.
    """
    n, d = X.shape
    own, theirs = np.empty((n, d)), np.empty((pool.shape[0], d))
    scale = np.full(d, np.nan)
    for j, name in enumerate(column_names(X)):
        a, b = (t[:, j] if isinstance(t, np.ndarray) else t[name].to_numpy() for t in (X, pool))
        try:
            own[:, j], theirs[:, j] = a.astype(np.float64), b.astype(np.float64)
            spread = float(np.nanstd(theirs[:, j])) if np.isfinite(theirs[:, j]).any() else 0.0
            scale[j] = spread if spread > 1e-12 else 1.0
        except (TypeError, ValueError):
            codes = np.unique(np.concatenate([a, b]).astype(str), return_inverse=True)[1]
            own[:, j], theirs[:, j] = codes[:n], codes[n:]
    return own, theirs, scale
