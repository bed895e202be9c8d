"""What stands in a column that one fitted model must not see."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray

from salience.verify.sample import Sample


def filled_columns(sample: Sample, fill: Any, seed: int) -> dict[str, Any]:
    """Every column with what stands in its place when it is not kept.

    Parameters
    ----------
    sample : Sample
    fill : {"typical", "shuffle"} or mapping of column to value
        The median or most frequent value, the values of other rows, or a given one.
    seed : int

    Returns
    -------
    dict of column to values of shape (rows,)

    Raises
    ------
    ValueError
        If `fill` is not known, or has no value for a column.
    """
    if isinstance(fill, Mapping):
        missing = [name for name in sample.items if name not in fill]
        if missing:
            raise ValueError(f"fill names no value for {', '.join(missing[:5])}")
        return {name: _constant(sample.frame[name], fill[name]) for name in sample.items}
    if fill not in FILLS:
        raise ValueError(
            f"fill is {', '.join(map(repr, FILLS))} or a mapping of column to value, got {fill!r}"
        )
    rng = np.random.default_rng(seed)
    return {name: FILLS[fill](sample.frame[name], rng) for name in sample.items}


def without(sample: Sample, filled: Mapping[str, Any], keep: NDArray[np.bool_]) -> Sample:
    """The sample with what `filled_columns` gave in the place of the columns that are not kept."""
    gone = {name: filled[name] for name, kept in zip(sample.items, keep, strict=True) if not kept}
    return sample.with_columns(gone) if gone else sample


def _typical(column: nw.Series[Any], rng: np.random.Generator) -> Any:
    """The middle number that is there (not the mean of two: whole numbers stay whole), or the most frequent
    value."""
    values = pl.Series(column.name, column.to_arrow()).drop_nulls().sort()
    if not len(values):
        return column
    return _constant(
        column, values[len(values) // 2] if values.dtype.is_numeric() else values.mode().sort()[0]
    )


def _shuffled(column: nw.Series[Any], rng: np.random.Generator) -> Any:
    return nw.maybe_reset_index(column[rng.permutation(len(column))])


def _constant(column: nw.Series[Any], value: Any) -> Any:
    return nw.new_series(column.name, [value] * len(column), backend=column.implementation)


FILLS: dict[str, Callable[[nw.Series[Any], np.random.Generator], Any]] = {
    "typical": _typical,
    "shuffle": _shuffled,
}
