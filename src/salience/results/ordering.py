"""The one rule that turns a frame of scores into an order.

By ``rank`` where the method gave one, else by ``value`` and what is `better`; unscored items last; ties in
the order of the frame. Each combination of the contexts is a ranking of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = ["contexts", "null_level", "order_within", "positions", "sort_key"]

# What makes a value comparable so that smaller is better.
KEYS: dict[str, Callable[[Any], Any]] = {
    "high": np.negative,
    "low": np.positive,
    "abs": lambda value: -np.abs(value),
}


def sort_key(frame: pl.DataFrame, better: str) -> NDArray[np.float64]:
    """A number per row, smaller is better, NaN where the item is unscored.

    Parameters
    ----------
    frame : polars.DataFrame
        With a column ``rank`` or ``value``.
    better : {"high", "low", "abs"}
        Which values are the interesting ones.

    Returns
    -------
    key : ndarray of float64, shape (rows,)

    Examples
    --------
    >>> sort_key(pl.DataFrame({"value": [1.0, None, -3.0]}), "abs")
    array([-1., nan, -3.])
    """
    if "rank" in frame.columns:
        key = frame["rank"].cast(pl.Float64).to_numpy().copy()
    else:
        key = KEYS[better](frame["value"].to_numpy())
    if "flag" in frame.columns:
        key = np.where((frame["flag"] == "unscored").fill_null(False).to_numpy(), np.nan, key)
    return key


def contexts(frame: pl.DataFrame, by: Sequence[str]) -> NDArray[np.int64]:
    """Number of the context of each row, counted from 0 in the order they first appear; shape (rows,).

    Examples
    --------
    >>> contexts(pl.DataFrame({"class": ["b", "a", "b"]}), ("class",))
    array([0, 1, 0])
    """
    if not by:
        return np.zeros(frame.height, dtype=np.int64)
    seen = frame.select(by).unique(maintain_order=True).with_row_index("__context__")
    return (
        frame.select(by)
        .join(seen, on=list(by), how="left", maintain_order="left", nulls_equal=True)["__context__"]
        .cast(pl.Int64)
        .to_numpy()
        .copy()
    )


def order_within(frame: pl.DataFrame, by: Sequence[str], better: str) -> NDArray[np.int64]:
    """Row numbers, context after context, best first within each; shape (rows,).

    Examples
    --------
    >>> order_within(pl.DataFrame({"value": [1.0, None, 3.0, 3.0]}), (), "high")
    array([2, 3, 0, 1])
    """
    key = sort_key(frame, better)
    return np.lexsort((key, contexts(frame, by))).astype(np.int64)  # stable; NaN sorts last


def positions(frame: pl.DataFrame, by: Sequence[str], better: str) -> NDArray[np.int64]:
    """Place of each row in its context, 1 is best, 0 where the item is unscored; shape (rows,).

    Examples
    --------
    >>> positions(pl.DataFrame({"value": [1.0, None, 3.0]}), (), "high")
    array([2, 0, 1])
    """
    order = order_within(frame, by, better)
    context = contexts(frame, by)[order]
    starts = np.flatnonzero(np.r_[True, context[1:] != context[:-1]]) if context.size else context
    lengths = np.diff(np.r_[starts, context.size])
    place = np.empty(frame.height, dtype=np.int64)
    place[order] = np.arange(context.size) - np.repeat(starts, lengths) + 1
    place[np.isnan(sort_key(frame, better))] = 0
    return place


def null_level(frame: pl.DataFrame) -> NDArray[np.float64] | None:
    """Where the null lies on the axis of ``value``, shape (rows,); None when the frame has no ``null``.

    A method may subtract the null from its raw measure ``mi`` and report the difference as ``value``; then
    the null lies at ``null - (mi - value)``, that is at 0.

    Examples
    --------
    >>> null_level(pl.DataFrame({"value": [0.3], "null": [0.1]}))
    array([0.1])
    >>> null_level(pl.DataFrame({"value": [0.25], "mi": [0.5], "null": [0.25]}))
    array([0.])
    """
    if "null" not in frame.columns or "value" not in frame.columns:
        return None
    null = frame["null"].to_numpy().astype(np.float64)
    if "mi" not in frame.columns:
        return null
    shift = (frame["mi"] - frame["value"]).fill_null(0.0).to_numpy()
    return null - shift
