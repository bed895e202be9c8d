"""Why a row has its score: its edges."""

from __future__ import annotations

from typing import Any

import polars as pl
from numpy.typing import NDArray

__all__ = ["row_edges"]


def row_edges(edges: pl.DataFrame, labels: NDArray[Any], row: int) -> pl.DataFrame:
    """Who looks at a row, and whom it looks at.

    Parameters
    ----------
    edges : polars.DataFrame
        ``receiver, sender, weight, attention``.
    labels : ndarray, shape (n,)
        Class of every row.
    row : int

    Returns
    -------
    polars.DataFrame
        ``neighbour, class, same_class, received, paid, weight``, those who pay most attention first.

    Raises
    ------
    ValueError
        If there is no such row.
    """
    if not 0 <= row < len(labels):
        raise ValueError(f"there is no row {row}: rows are numbered from 0 to {len(labels) - 1}")
    received = edges.filter(pl.col("sender") == row).select(
        neighbour="receiver", received="attention", seen_by="weight"
    )
    paid = edges.filter(pl.col("receiver") == row).select(neighbour="sender", paid="attention", sees="weight")
    both = received.join(paid, on="neighbour", how="full", coalesce=True)
    classes = pl.Series("class", labels[both["neighbour"].to_numpy()].tolist(), dtype=_kind(labels))
    return both.select(
        "neighbour",
        classes,
        (classes == labels[row].item()).alias("same_class"),
        "received",
        "paid",
        pl.coalesce("seen_by", "sees").alias("weight"),
    ).sort("received", "neighbour", descending=[True, False], nulls_last=True)


def _kind(labels: NDArray[Any]) -> pl.DataType:
    return pl.Series(labels[:1].tolist()).dtype
