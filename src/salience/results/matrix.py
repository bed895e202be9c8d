"""Scores as a matrix: over two keys, or over one key and one context."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

if TYPE_CHECKING:
    from salience.results.scores import Scores

__all__ = ["Matrix", "matrix"]


class Matrix(NamedTuple):
    """A matrix and the names of its rows and columns.

    Attributes
    ----------
    values : ndarray of float64, shape (rows, columns)
        NaN where there is no item.
    rows, columns : list
        Names.
    """

    values: NDArray[np.float64]
    rows: list[Any]
    columns: list[Any]


def matrix(scores: Scores, column: str = "value") -> Matrix:
    """Lay a column of `scores` out over two keys, or over one key (down) and one context (across).

    Symmetric scores fill both triangles; their diagonal is NaN.
    """
    axes = (*scores.keys, *scores.by)
    if len(axes) != 2:
        raise ValueError(
            f"a matrix needs two names per row (two keys, or a key and a context), but here are {axes}; "
            "fix the others with where(), or roll them up"
        )
    frame = scores.frame
    if column not in frame.columns or not frame.schema[column].is_numeric():
        numeric = [name for name, kind in frame.schema.items() if kind.is_numeric()]
        raise ValueError(f"{column!r} is not a column of numbers; there are {', '.join(numeric)}")
    down, across = frame[axes[0]], frame[axes[1]]
    symmetric = scores.meta.symmetric and len(scores.keys) == 2
    if symmetric:
        row_names = column_names = pl.concat([down, across.rename(down.name)]).unique(maintain_order=True)
    else:
        row_names, column_names = down.unique(maintain_order=True), across.unique(maintain_order=True)
    i, j = _places(down, row_names), _places(across, column_names)
    values = np.full((row_names.len(), column_names.len()), np.nan)
    values[i, j] = frame[column].to_numpy()
    if symmetric:
        values[j, i] = frame[column].to_numpy()
    return Matrix(values, row_names.to_list(), column_names.to_list())


def _places(column: pl.Series, names: pl.Series) -> NDArray[np.int64]:
    place = {name: i for i, name in enumerate(names.to_list())}
    return np.array([place[name] for name in column.to_list()], dtype=np.int64)
