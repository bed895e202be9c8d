"""The picture of groups by their weight."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from salience.plotting.drawing import (
    BLUE,
    GREY,
    ORANGE,
    axes_or_new,
    labels_of,
    name_points,
    titled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from salience.results.scores import Scores

__all__ = ["outlier_weights"]


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
