"""Tables of numbers in and out: an array for the arithmetic, and the user's own kind of table for the user's model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

__all__ = ["like", "names_of", "numbers_of", "refuse_extremes"]

LARGE = 1e100


def names_of(X: Any) -> tuple[str, ...]:
    """Names of the columns; x0, x1, ... for an array."""
    if _is_frame(X):
        return tuple(map(str, nw.from_native(X, eager_only=True).columns))
    return tuple(f"x{j}" for j in range(_matrix(X).shape[1]))


def numbers_of(X: Any, names: Sequence[str] | None = None) -> NDArray[np.float64]:
    """The columns `names` as a new array of float64, shape (n, d).

    Raises
    ------
    TypeError, ValueError
        When a column is not of numbers, is missing, or is one too many.
    """
    if not _is_frame(X):
        values = _matrix(X)
        if names is not None and values.shape[1] != len(names):
            raise ValueError(
                f"X has {values.shape[1]} columns, but {len(names)} are expected: {', '.join(names)}"
            )
        return values
    frame = nw.from_native(X, eager_only=True)
    names = tuple(frame.columns) if names is None else tuple(names)
    missing, extra = set(names) - set(frame.columns), set(frame.columns) - set(names)
    if missing or extra:
        said = [f"lacks {sorted(missing)}"] * bool(missing) + [f"has {sorted(extra)} too many"] * bool(extra)
        raise ValueError(f"the columns of X do not fit: it {' and '.join(said)}")
    values = np.empty((len(frame), len(names)))
    for j, name in enumerate(names):
        column = frame[name]
        if not (column.dtype.is_numeric() or column.dtype == nw.Boolean):
            raise TypeError(
                f"column {name!r} is {column.dtype}, not numbers; encode it first, for instance one column of 0 and 1 a value"
            )
        values[:, j] = column.cast(nw.Float64).to_numpy()
    return values


def like(X: Any, values: NDArray[np.float64], names: Sequence[str]) -> Any:
    """`values` as the kind of table that `X` is, its columns in the order of `X`."""
    if not _is_frame(X):
        return values
    frame = nw.from_native(X, eager_only=True)
    made = nw.from_numpy(values, schema=list(names), backend=nw.get_native_namespace(frame))
    return made.select(frame.columns).to_native()


def refuse_extremes(values: Any, what: str) -> None:
    """Refuse an array or sparse matrix with numbers whose squares would be infinite or 0.

    Raises
    ------
    ValueError
        When the largest number of a column is beyond 1e100, or is below 1e-100 and not 0.

    Examples
    --------
    >>> refuse_extremes(np.array([[1.0, 1e200]]), "X")
    Traceback (most recent call last):
        ...
    ValueError: X has numbers as far as 1e+200 (column 1): their squares are no numbers; scale it to 1e-100 ... 1e100
    """
    ends = (values.max(axis=0), -values.min(axis=0))
    size = np.maximum(*((end.toarray().ravel() for end in ends) if issparse(values) else ends))
    odd = np.flatnonzero((size > LARGE) | ((size < 1 / LARGE) & (size > 0)))
    if odd.size:
        raise ValueError(
            f"{what} has numbers as far as {size[odd[0]]:g} (column {odd[0]}): their squares are no numbers; "
            "scale it to 1e-100 ... 1e100"
        )


def _is_frame(X: Any) -> bool:
    return hasattr(X, "columns") or hasattr(X, "column_names")


def _matrix(X: Any) -> NDArray[np.float64]:
    try:
        given = np.asarray(X)
        if given.dtype.kind in "US" or (
            given.dtype == object and any(isinstance(v, str) for v in given.flat)
        ):
            raise TypeError("texts, though they may read as numbers")
        values = np.array(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError("X must be numbers: an array of shape (n, d) or a table of number columns") from None
    if values.ndim != 2:
        raise ValueError(f"X must have two dimensions, (n, d); got the shape {values.shape}")
    return values
