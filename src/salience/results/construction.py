"""Frames of scores from what people have: values, an order, a matrix; and the rows that match a condition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = [
    *("as_arguments", "frame_of_matrix", "frame_of_order", "frame_of_values", "items_of", "matching_rows"),
    "reals",
]


def frame_of_values(
    values: Any,
    items: Sequence[Any] | None,
    keys: str | Sequence[str],
    item: str,
    columns: Mapping[str, Any],
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """The frame of one value per item, and its keys as a tuple."""
    if isinstance(values, Mapping):
        if items is not None:
            raise ValueError("values is a mapping and already names the items; leave `items` out")
        items, values = list(values), list(values.values())
    if items is None and hasattr(values, "to_numpy") and hasattr(values, "index"):  # a pandas Series
        items = values.index.tolist()
    vector = reals(values)
    if vector.ndim != 1:
        raise ValueError(
            f"values must be one number per item, shape (n,), got {vector.shape}; two keys: from_matrix"
        )
    if items is None:
        items = [f"x{i}" for i in range(vector.size)] if item == "column" else range(vector.size)
    named, keys = _names(items, keys)
    if named.height != vector.size:
        raise ValueError(f"there are {vector.size} values but {named.height} items; give one name per value")
    return _with_columns(named.with_columns(pl.Series("value", vector)), columns), keys


def frame_of_order(
    items: Sequence[Any], unscored: Sequence[Any], keys: str | Sequence[str]
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """The frame of an order without numbers, best first, then the unscored; and its keys as a tuple."""
    named, keys = _names([*items, *unscored], keys)
    ranks = [*range(1, len(items) + 1), *[None] * len(unscored)]
    return named.with_columns(pl.Series("rank", ranks, dtype=pl.UInt32)), keys


def frame_of_matrix(
    values: Any,
    rows: Sequence[Any] | None,
    columns: Sequence[Any] | None,
    keys: tuple[str, str],
    *,
    symmetric: bool,
) -> pl.DataFrame:
    """One row per cell of a matrix of shape (rows, columns); per unordered pair when `symmetric`."""
    array = reals(values)
    if array.ndim != 2:
        raise ValueError(f"values must be a matrix, shape (rows, columns), got {array.shape}")
    if len(keys) != 2:
        raise ValueError(f"a matrix has two keys, got {tuple(keys)}")
    row_names = list(range(array.shape[0])) if rows is None else list(rows)
    column_names = columns if columns is not None else row_names if symmetric else range(array.shape[1])
    column_names = list(column_names)
    if (len(row_names), len(column_names)) != array.shape:
        raise ValueError(
            f"a matrix of shape {array.shape} needs as many names: got {len(row_names)} rows and "
            f"{len(column_names)} columns"
        )
    down, across = np.indices(array.shape).reshape(2, -1)
    if symmetric:
        if row_names != column_names or not np.allclose(array, array.T, equal_nan=True):
            raise ValueError(
                "meta.symmetric says a pair is unordered, but the matrix is not symmetric with equal names; "
                "use Meta(symmetric=False), or average it with its transpose"
            )
        once = down < across
        down, across = down[once], across[once]
    return pl.DataFrame(
        {
            keys[0]: pl.Series(row_names)[down] if row_names else [],
            keys[1]: pl.Series(column_names)[across] if column_names else [],
            "value": array[down, across],
        }
    )


def matching_rows(frame: pl.DataFrame, conditions: Mapping[str, Any]) -> NDArray[np.int64]:
    """Numbers of the rows whose columns have these values (a list, tuple or set: any of them)."""
    mask = np.ones(frame.height, dtype=bool)
    for name, wanted in conditions.items():
        if name not in frame.columns:
            raise ValueError(
                f"there is no column {name!r} to filter by; there are {', '.join(frame.columns)}"
            )
        several = isinstance(wanted, list | tuple | set | frozenset)
        allowed = pl.Series(list(wanted) if several else [wanted], strict=False)
        try:
            hit = frame[name].is_in(allowed.implode())
        except pl.exceptions.PolarsError:
            raise ValueError(
                f"{name}={wanted!r} cannot be compared with a column of {frame.schema[name]}"
            ) from None
        mask &= hit.fill_null(False).to_numpy()
        if frame.height and not mask.any():
            there = [repr(value) for value in frame[name].unique(maintain_order=True).to_list()]
            more = f", and {len(there) - 10} more" if len(there) > 10 else ""
            raise ValueError(
                f"no row has {as_arguments(dict(conditions))}; {name} is one of {', '.join(there[:10])}{more}"
            )
    return np.flatnonzero(mask).astype(np.int64)


def as_arguments(names: Mapping[str, Any]) -> str:
    """How a person would write them in a call.

    Examples
    --------
    >>> as_arguments({"class": "cat", "fold": 2})
    "class='cat', fold=2"
    """
    return ", ".join(f"{name}={value!r}" for name, value in names.items())


def reals(given: Any, name: str = "values") -> NDArray[np.float64]:
    """A new array of real numbers, or a TypeError that says what was given instead."""
    try:
        return np.array(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must be real numbers (NaN where unscored): {error}") from None


def items_of(frame: pl.DataFrame, keys: Sequence[str]) -> list[Any]:
    """The names of the rows: strings (or numbers) for one key, tuples for several."""
    return frame[keys[0]].to_list() if len(keys) == 1 else frame.select(keys).rows()


def _names(items: Sequence[Any], keys: str | Sequence[str]) -> tuple[pl.DataFrame, tuple[str, ...]]:
    keys = (keys,) if isinstance(keys, str) else tuple(keys)
    if isinstance(items, str):
        raise TypeError(f"items must be a sequence of names, got the one string {items!r}")
    items = items.tolist() if isinstance(items, np.ndarray) else list(items)
    if len(keys) == 1:
        return pl.DataFrame({keys[0]: pl.Series(items)} if items else {keys[0]: []}), keys
    wrong = [item for item in items if not isinstance(item, tuple | list) or len(item) != len(keys)]
    if wrong:
        raise ValueError(
            f"with keys={keys} every item is a tuple of {len(keys)}; {len(wrong)} are not, first {wrong[0]!r}"
        )
    return pl.DataFrame({key: pl.Series([item[i] for item in items]) for i, key in enumerate(keys)}), keys


def _with_columns(frame: pl.DataFrame, columns: Mapping[str, Any]) -> pl.DataFrame:
    for name, column in columns.items():
        series = pl.Series(name, column if isinstance(column, np.ndarray) else list(column))
        if series.len() != frame.height:
            raise ValueError(f"the column {name!r} has {series.len()} entries for {frame.height} items")
        frame = frame.with_columns(series)
    return frame
