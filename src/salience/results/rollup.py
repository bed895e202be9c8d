"""Scores of larger items from those of their parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from salience.results.ordering import sort_key
from salience.results.validation import ITEMS, RESERVED

if TYPE_CHECKING:
    from salience.results.scores import Scores

__all__ = ["HOWS", "rolled_up"]


def rolled_up(
    scores: Scores, to: str | Sequence[str], how: str = "mean", name: str | None = None
) -> dict[str, Any]:
    """The fields of the :class:`Scores` of larger items that differ from those of `scores`.

    Unscored parts take no part; an item without a scored part is unscored. ``n`` counts the scored parts;
    intervals, nulls and p-values of parts say nothing about the whole and are left out.

    Raises
    ------
    ValueError
        When the larger items are not named in the frame, `how` is not known, or a sum means nothing.
    """
    to = (to,) if isinstance(to, str) else tuple(to)
    if how not in HOWS:
        raise ValueError(f"how={how!r} is not known; use one of {', '.join(HOWS)}")
    if how == "sum" and not scores.meta.additive:
        raise ValueError(
            f"the scores of {scores.meta.method} are not additive, so their sum means nothing; "
            "use 'mean', 'max' or 'best' (or Meta(additive=True), if they are shares of one whole)"
        )
    if how != "best" and "value" not in scores.frame.columns:
        raise ValueError("these scores are an order without numbers; roll them up by how='best'")
    part, named, keys = _memberships(scores, to, name)
    names = named.select([*scores.by, *keys])
    larger = names.unique(maintain_order=True)
    group = _numbers(names, larger)
    key = sort_key(scores.frame, scores.better)[part]
    rows = np.lexsort((key, group))  # group after group, the best part first
    rows = rows[~np.isnan(key[rows])]
    filled, starts, size = np.unique(group[rows], return_index=True, return_counts=True)

    def folded(values: NDArray[Any]) -> NDArray[np.float64]:
        out = np.full(larger.height, np.nan)
        if rows.size:
            out[filled] = HOWS[how](values[part[rows]], starts)
        return out

    column = "value" if "value" in scores.frame.columns else "rank"
    n = np.zeros(larger.height, dtype=np.int64)
    n[filled] = size
    frame = larger.with_columns(
        pl.Series(column, folded(scores.frame[column].cast(pl.Float64).to_numpy())).fill_nan(None),
        pl.Series("n", n),
    )
    if column == "rank":  # the best ranks of the parts are not consecutive: number them again
        again = pl.col("rank").rank("ordinal")
        frame = frame.with_columns(again.over(scores.by) if scores.by else again)
    replicates = None if scores.replicates is None else np.stack([folded(r) for r in scores.replicates])
    return {
        "frame": frame,
        "keys": keys,
        "item": keys[-1] if keys[-1] in ITEMS else "group",
        "better": "high" if how == "mean_abs" else scores.better,
        "replicates": replicates,
        "meta": scores.meta.replace(
            interval=None,
            symmetric=False,
            extra={**scores.meta.extra, "rollup": {"to": list(to), "how": how}},
        ),
    }


# A fold takes the values of all parts, group after group and the best first, and where each group starts.
HOWS: dict[str, Callable[[NDArray[Any], NDArray[np.int64]], NDArray[np.float64]]] = {
    "mean": lambda values, starts: np.add.reduceat(values, starts) / np.diff(np.r_[starts, values.size]),
    "mean_abs": lambda values, starts: HOWS["mean"](np.abs(values), starts),
    "sum": np.add.reduceat,
    "median": lambda values, starts: np.array([np.median(part) for part in np.split(values, starts[1:])]),
    "max": np.maximum.reduceat,
    "min": np.minimum.reduceat,
    "best": lambda values, starts: values[starts],
}


def _memberships(
    scores: Scores, to: tuple[str, ...], name: str | None
) -> tuple[NDArray[np.int64], pl.DataFrame, tuple[str, ...]]:
    """Which row takes part in which larger item: row numbers, a frame with its names, its keys."""
    frame = scores.frame.with_row_index("__part__")
    keys: tuple[str, ...]
    if to == ("members",) and "members" in frame.columns:
        keys = (name or "member",)
        frame = frame.explode("members").drop_nulls("members").rename({"members": keys[0]})
    elif to == ("members",) and scores.meta.symmetric:
        keys = (name or ("column" if scores.item == "pair" else "member"),)
        frame = frame.with_columns(pl.concat_list(scores.keys).alias(keys[0])).explode(keys[0])
    elif to == ("parent",) and "parent" in frame.columns:
        keys = (name or "group",)
        frame = frame.drop_nulls("parent").rename({"parent": keys[0]})
    else:
        allowed = [column for column in scores.frame.columns if column not in RESERVED]
        wrong = [column for column in to if column not in allowed]
        if wrong or not to:
            raise ValueError(
                f"cannot roll up to {', '.join(map(repr, wrong)) or 'nothing'}; name columns of "
                f"{', '.join(allowed)}, or 'parent' or 'members' if the frame has them (an unordered pair, "
                "one with meta.symmetric, has its two columns as members)"
            )
        keys = (name,) if name is not None and len(to) == 1 else to
        frame = frame.rename(dict(zip(to, keys, strict=True)))
    return frame["__part__"].to_numpy().astype(np.int64), frame, keys


def _numbers(names: pl.DataFrame, larger: pl.DataFrame) -> NDArray[np.int64]:
    """Which row of `larger` each row of `names` is."""
    numbered = larger.with_row_index("__group__")
    joined = names.join(numbered, on=names.columns, how="left", maintain_order="left", nulls_equal=True)
    return joined["__group__"].to_numpy().astype(np.int64)
