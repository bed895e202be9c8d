"""Pictures of columns against what chance alone gives, and of groups by their weight."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from salience.plotting.drawing import (
    BLUE,
    GREY,
    ORANGE,
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

__all__ = ["outlier_weights", "score_against_null"]


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
    ax.set_xscale("log")
    ax.set_ylim(0, None)
    ax.legend(frameon=False, loc="upper right")
    shown = [int(i) for i in np.flatnonzero(beyond)[:names]]
    name_points(ax, place, value, shown, labels_of(frame, scores.keys))
    ax.set_xlabel(f"place of the {scores.item}")
    ax.set_ylabel(named_axis("value", scores))
    return titled(ax, scores, where)


def outlier_weights(
    scores: Scores, ax: Axes | None = None, *, level: float = 0.05, names: int = 8, **where: Any
) -> Axes:
    """Weight of each group against its distance from the model; outliers are named.

    Parameters
    ----------
    scores : Scores
        Of groups, as :class:`salience.tabular.RobustMixedModel` has them: ``distance`` and ``n``, and ``q``.
    ax : matplotlib Axes, optional
    level : float
        Groups with a ``q`` of at most this are outliers.
    names : int
        How many of them to name.
    **where
        As in :meth:`Scores.where`.
    """
    frame = scores.frame[scores.order(**where)]
    absent = [name for name in ("distance", "n", "q") if name not in frame.columns]
    if absent:
        raise ValueError(f"this picture is of groups with a distance; there is no column {', '.join(absent)}")
    weight = frame["value"].to_numpy().astype(np.float64)
    # A group at the distance that the model expects has 1, whatever its size.
    distance = frame["distance"].to_numpy() / frame["n"].to_numpy()
    size = frame["n"].to_numpy().astype(np.float64)
    out = frame["q"].to_numpy() <= level
    ax = axes_or_new(ax)
    ax.axhline(1, color=GREY, linewidth=0.8)
    area = 14 + 40 * size / size.max()
    ax.scatter(
        distance[~out], weight[~out], s=area[~out], color=BLUE, alpha=0.6, linewidths=0, label="groups"
    )
    if out.any():
        ax.scatter(
            distance[out],
            weight[out],
            s=area[out],
            color=ORANGE,
            linewidths=0,
            label=f"outliers (q ≤ {level:g})",
        )
    ax.set_xscale("log")
    ax.set_ylim(-0.2 * max(weight.max(), 1.0), None)  # room for the names of those with no weight
    ax.set_yticks([tick for tick in ax.get_yticks() if 0 <= tick <= 1.05 * weight.max()])
    ax.legend(frameon=False, loc="upper right")
    shown = [int(i) for i in np.flatnonzero(out)[:names]]
    name_points(ax, distance, weight, shown, labels_of(frame, scores.keys))
    ax.set_xlabel("distance from the model, per row")
    ax.set_ylabel("weight")
    return titled(ax, scores, where)
