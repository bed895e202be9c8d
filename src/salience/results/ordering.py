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


def null_level(frame: pl.DataFrame, net: bool | None = None) -> NDArray[np.float64] | None:
    """Where chance lies on the axis of ``value``, shape (rows,); None when the frame has no ``null``.

    Parameters
    ----------
    frame : polars.DataFrame
    net : bool, optional
        Whether ``value`` already has ``null`` taken off, so that chance lies at 0; see ``Meta.net_of_null``.
        When not said, it is so if ``value`` is ``mi - null`` in every row.

    Examples
    --------
    >>> null_level(pl.DataFrame({"value": [0.3], "null": [0.1]}))
    array([0.1])
    >>> null_level(pl.DataFrame({"value": [0.25], "mi": [0.5], "null": [0.25]}))
    array([0.])
    """
    if "null" not in frame.columns or "value" not in frame.columns:
        return None
    null = frame["null"].cast(pl.Float64).to_numpy()
    if net is None:
        net = "mi" in frame.columns and bool(
            np.allclose((frame["mi"] - frame["null"] - frame["value"]).drop_nulls().to_numpy(), 0, atol=1e-9)
        )
    return np.where(np.isnan(null), np.nan, 0.0) if net else null
