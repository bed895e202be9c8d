"""The graph of similar sentences, the salient ones numbered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from salience.plotting.drawing import CYCLE, GREY, axes_or_new, note_left_out

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["similarity_graph"]

Floats = NDArray[np.float64]


def similarity_graph(model: Any, ax: Axes | None = None, *, top: int = 5, most: int = 120) -> Axes:
    """Sentences as points, larger the more central, lines between those that are alike; the best are numbered.

    Parameters
    ----------
    model : LexRank
        Fitted.
    ax : matplotlib Axes, optional
    top : int, default=5
        So many of the best have their place in the ranking written on them.
    most : int, default=120
        So many of the best are drawn.
    """
    from matplotlib.collections import LineCollection

    ax = axes_or_new(ax, height=5.0)
    scores = model.scores_
    ranked = scores.order()[: scores.frame["value"].count()]
    shown = ranked[:most]
    similar = model.similarity_[shown][:, shown].toarray()
    np.fill_diagonal(similar, 0.0)
    at = layout(similar)
    i, j = np.nonzero(np.triu(similar))
    strength = similar[i, j] / max(similar.max(), np.finfo(float).tiny)
    if len(i):
        ax.add_collection(
            LineCollection(
                [at[[a, b]] for a, b in zip(i, j, strict=True)],
                colors=GREY,
                linewidths=0.5 + 2.0 * strength,
                alpha=0.15 + 0.45 * strength,
                zorder=1,
            )
        )
    values = scores.values[shown]
    spread = max(float(values.max() - values.min()), np.finfo(float).tiny)
    sizes = 30 + 270 * (values - values.min()) / spread
    docs = model.doc_[shown]
    named = np.unique(docs)
    coloured = len(named) <= len(CYCLE)
    for place, doc in enumerate(named if coloured else [None]):
        rows = docs == doc if coloured else np.ones(len(docs), dtype=bool)
        ax.scatter(
            at[rows, 0], at[rows, 1], s=sizes[rows], color=CYCLE[place], edgecolors="white", linewidths=0.8, zorder=2,
            label=f"document {doc}" if coloured else None,
        )  # fmt: skip
    for place in range(min(top, len(shown))):
        ax.scatter(
            at[place, 0],
            at[place, 1],
            s=sizes[place] + 110,
            facecolors="none",
            edgecolors="black",
            linewidths=1.4,
            zorder=3,
        )
        ax.annotate(
            str(place + 1), at[place], ha="center", va="center", fontsize="small", fontweight="bold", color="white",
            zorder=4,
        )  # fmt: skip
    ax.set(xticks=[], yticks=[], xlim=(-1.12, 1.12), ylim=(-1.12, 1.12))
    ax.set_title(f"lexrank · lines: cosine above {model.threshold:g}", fontsize="medium", loc="left")
    ax.spines[:].set_visible(False)
    if coloured and len(named) > 1:
        ax.legend(frameon=False, fontsize="small", loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=3)
    note_left_out(ax, len(ranked) - len(shown), "sentence")
    return ax


def layout(weights: Floats, steps: int = 300) -> Floats:
    """Places in the square from -1 to 1: linked points pull each other, all push each other away.

    The forces of Fruchterman and Reingold from a spiral, so that the same graph always lies alike.

    Examples
    --------
    >>> at = layout(np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]))
    >>> bool(np.linalg.norm(at[0] - at[1]) < np.linalg.norm(at[0] - at[2]))
    True
    """
    n = len(weights)
    angle = np.arange(n) * np.pi * (3 - np.sqrt(5))
    at = np.sqrt((np.arange(n) + 0.5) / n)[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    if n == 1:
        return np.zeros((1, 2))
    ideal = 2.0 / np.sqrt(n)
    pull = np.sqrt(weights / max(float(weights.max()), np.finfo(float).tiny))
    for step in range(steps):
        gap = at[:, None] - at[None]  # (n, n, 2)
        distance = np.maximum(np.linalg.norm(gap, axis=2), 1e-3)
        force = ideal**2 / distance**2 - 0.6 * pull * distance / ideal
        move = (gap * force[:, :, None]).sum(axis=1) - 2.5 * at  # the middle holds parts together
        length = np.maximum(np.linalg.norm(move, axis=1, keepdims=True), 1e-9)
        at += move / length * np.minimum(length, 0.12 * (1 - step / steps))
    at -= (at.max(axis=0) + at.min(axis=0)) / 2
    return np.asarray(at / np.abs(at).max(axis=0))
