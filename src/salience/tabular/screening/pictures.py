"""The picture of columns against what chance alone gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from salience.plotting.drawing import (
    BLUE,
    GREY,
    RED,
    axes_or_new,
    labels_of,
    name_points,
    named_axis,
    titled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from salience.results.scores import Scores

__all__ = ["score_against_null"]

FEW = 20  # items that have room for a tick each


def score_against_null(
    scores: Scores, ax: Axes | None = None, *, level: float = 0.05, names: int = 8, **where: Any
) -> Axes:
    """Every item in the order of its score, with the mean of its own permutation null below it.

    Items whose ``q`` (or ``p``) is at most `level` are in colour; the line is drawn below the last of them.

    Parameters
    ----------
    scores : Scores
        With ``null``, and ``q`` or ``p``.
    ax : matplotlib Axes, optional
    level : float
    names : int
        How many of the best to name.
    **where
        As in :meth:`Scores.where`.
    """
    frame = scores.frame[scores.order(**where)]
    test = next((name for name in ("q", "p") if name in frame.columns), None)
    if test is None or "null" not in frame.columns:
        raise ValueError(
            "this picture needs the columns 'null' and 'q' or 'p': fit with permutations, for instance "
            "MIScreener(null_permutations=99)"
        )
    value, null = (frame[name].to_numpy().astype(np.float64) for name in ("value", "null"))
    beyond = np.nan_to_num(frame[test].to_numpy().astype(np.float64), nan=1.0) <= level
    place = np.arange(1.0, len(frame) + 1)
    ax = axes_or_new(ax)
    ax.scatter(place, null, marker="_", s=24, color=RED, linewidths=1.0, label="mean of the permutations")
    ax.scatter(place[~beyond], value[~beyond], s=12, color=GREY, linewidths=0, label="within the null")
    ax.scatter(
        place[beyond], value[beyond], s=26, color=BLUE, linewidths=0, label=f"beyond it ({test} ≤ {level:g})"
    )
    if beyond.any() and not beyond.all():
        ax.axhline(value[beyond].min(), color=GREY, linewidth=0.8, linestyle="--")
    if len(frame) > FEW:
        ax.set_xscale("log")
    else:
        ax.set_xticks(place)
    ax.set_ylim(0, None)
    ax.legend(frameon=False, loc="upper right")
    shown = [int(i) for i in np.flatnonzero(beyond)[:names]]
    name_points(ax, place, value, shown, labels_of(frame, scores.keys))
    ax.set_xlabel(f"place of the {scores.item}")
    ax.set_ylabel(named_axis("value", scores))
    return titled(ax, scores, where)
