"""The door of a result: what a frame of scores must be, and what is said when it is not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = ["BETTER", "FLAGS", "ITEMS", "REALS", "RESERVED", "checked_frame", "checked_replicates"]

# Kinds of items. A new kind is one word here.
ITEMS = (
    *("column", "pair", "value", "row", "sentence", "concept", "neuron", "head", "weight", "token", "stage"),
    *("source", "index", "field", "layer", "patch", "group", "selector"),
)
BETTER = ("high", "low", "abs")
FLAGS = ("constant", "dead", "untrained", "too_few", "leak", "unscored")
REALS = ("value", "se", "lo", "hi", "null", "z", "p", "q")
RESERVED = (*REALS, "rank", "n", "flag", "parent", "members")


def checked_frame(
    frame: pl.DataFrame, keys: Sequence[str], by: Sequence[str], item: str, better: str, symmetric: bool
) -> pl.DataFrame:
    """The frame with its reserved columns in their types, or an error that says what is wrong with it.

    NaN in a reserved column of reals becomes null, so that there is one way to say "not known"; categorical
    keys become text, which every file format keeps.

    Raises
    ------
    TypeError
        When `frame` is not a polars frame, or a column has the wrong type.
    ValueError
        When a column is missing, an item is there twice or unnamed, or a number is out of its range.
    """
    if not isinstance(frame, pl.DataFrame):
        raise TypeError(
            f"Scores.frame must be a polars DataFrame, got {type(frame).__name__}; "
            "see Scores.from_values, or polars.from_pandas(frame)"
        )
    _check_roles(frame, keys, by, item, better)
    frame = _cast(frame, (*by, *keys))
    _check_names(frame, keys, by, symmetric)
    _check_ranges(frame, keys)
    return frame


def checked_replicates(replicates: object, rows: int) -> NDArray[np.float32]:
    """Replicates as a read-only float32 array of shape (R, rows)."""
    array = np.array(replicates, dtype=np.float32)
    if array.ndim != 2 or array.shape[0] == 0 or array.shape[1] != rows:
        raise ValueError(
            f"Scores.replicates must have the shape (R, {rows}): one row per replicate, one column per row "
            f"of the frame; got {array.shape}"
        )
    array.flags.writeable = False
    return array


def _check_roles(frame: pl.DataFrame, keys: Sequence[str], by: Sequence[str], item: str, better: str) -> None:
    for role, names in (("keys", keys), ("by", by)):
        missing = [name for name in names if name not in frame.columns]
        if missing:
            raise ValueError(
                f"{role}={tuple(names)} names {', '.join(map(repr, missing))}, but the frame has the columns "
                f"{', '.join(frame.columns)}"
            )
        reserved = [name for name in names if name in RESERVED]
        if reserved:
            raise ValueError(
                f"{role} cannot use the reserved column {', '.join(map(repr, reserved))}; rename it "
                f"(reserved: {', '.join(RESERVED)})"
            )
    if not keys:
        raise ValueError("keys must name at least one column: what an item is called")
    if len({*keys, *by}) < len(keys) + len(by):
        raise ValueError(f"a column has one role only, but keys={tuple(keys)} and by={tuple(by)} repeat one")
    if "value" not in frame.columns and "rank" not in frame.columns:
        raise ValueError(
            f"a frame of scores needs a column 'value' or 'rank', got only {', '.join(frame.columns)}"
        )
    if item not in ITEMS:
        raise ValueError(f"item={item!r} is not a registered kind; the kinds are {', '.join(ITEMS)}")
    if better not in BETTER:
        raise ValueError(f"better={better!r} is not allowed; use one of {', '.join(BETTER)}")


def _cast(frame: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    casts: list[pl.Expr] = []
    for column in REALS:
        if column in frame.columns:
            _check_numeric(frame, column)
            casts.append(pl.col(column).cast(pl.Float64).fill_nan(None))
    if "rank" in frame.columns:
        _check_numeric(frame, "rank")
        rank = frame["rank"].cast(pl.Float64).fill_nan(None)
        wrong = rank.drop_nulls()
        if ((wrong < 1) | (wrong != wrong.floor()) | (wrong > 2**32 - 1)).any():
            raise ValueError("'rank' counts whole numbers from 1 (the best); leave unscored items null")
        casts.append(pl.col("rank").cast(pl.Float64).fill_nan(None).cast(pl.UInt32))
    if "n" in frame.columns:
        _check_numeric(frame, "n")
    if "flag" in frame.columns:
        casts.append(pl.col("flag").cast(pl.String))
    for name in names:
        if frame.schema[name] in (pl.Categorical, pl.Enum):
            casts.append(pl.col(name).cast(pl.String))
    return frame.with_columns(casts)


def _check_numeric(frame: pl.DataFrame, column: str) -> None:
    kind = frame.schema[column]
    if not (kind.is_numeric() or kind in (pl.Null, pl.Boolean)):
        raise TypeError(f"the column {column!r} must hold numbers, got {kind}")


def _check_names(frame: pl.DataFrame, keys: Sequence[str], by: Sequence[str], symmetric: bool) -> None:
    for name in (*by, *keys):
        unnamed = frame[name].null_count()
        if unnamed:
            raise ValueError(
                f"{unnamed} of {frame.height} rows have no {name!r}; give the missing ones a name, "
                "for instance '(missing)'"
            )
    names = frame.select([*by, *keys])
    if symmetric and len(keys) == 2:
        a, b = keys
        if frame.schema[a] != frame.schema[b]:
            raise TypeError(
                f"symmetric keys must have one type, got {a}: {frame.schema[a]}, {b}: {frame.schema[b]}"
            )
        names = names.with_columns(pl.min_horizontal(a, b).alias(a), pl.max_horizontal(a, b).alias(b))
    twice = names.is_duplicated()
    if twice.any():
        example = names.filter(twice).row(0, named=True)
        raise ValueError(
            f"{int(twice.sum())} rows share a name with another, for instance {example}; an item stands once "
            "in a context: name the context in `by`, or roll the rows up first"
        )


def _check_ranges(frame: pl.DataFrame, keys: Sequence[str]) -> None:
    present = set(frame.columns)
    rules: list[tuple[str, pl.Expr, str]] = [
        *((c, (pl.col(c) < 0) | (pl.col(c) > 1), "lies outside [0, 1]") for c in ("p", "q") if c in present),
        *((c, pl.col(c) < 0, "is negative") for c in ("se", "n") if c in present),
    ]
    if {"lo", "hi"} <= present:
        rules.append(("lo", pl.col("lo") > pl.col("hi"), "lies above 'hi'"))
    if "flag" in present:
        rules.append(("flag", ~pl.col("flag").is_in(FLAGS), f"is not one of {', '.join(FLAGS)}"))
    for column, wrong, what in rules:
        bad = frame.filter(wrong)
        if bad.height:
            first = bad.select([*keys, column]).row(0, named=True)
            raise ValueError(f"{column!r} {what} in {bad.height} of {frame.height} rows, first {first}")
