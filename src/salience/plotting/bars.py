"""The best items as bars, those of a model that is there already in another colour."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from salience.plotting.drawing import (
    BLUE,
    GREY,
    MOST_CELLS,
    ORANGE,
    axes_or_new,
    labels_of,
    named_axis,
    note_left_out,
    titled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from salience.results.scores import Scores

__all__ = ["bars"]


def bars(
    scores: Scores,
    ax: Axes | None = None,
    *,
    top: int | None = 25,
    reference: Iterable[str] = (),
    **where: Any,
) -> Axes:
    """Bars of the best items, best at the top, those of a reference model highlighted; planted controls left out.

    Parameters
    ----------
    scores : Scores
        One ranking; name a context in `where` when there are several.
    ax : matplotlib Axes, optional
    top : int or None
        10, 25, 50, ...; None draws all of them. Above 60 the names are left out.
    reference : iterable of str
        Names that a model knows: drawn in orange.
    **where
        As in :meth:`Scores.where`.
    """
    frame = scores.frame[scores.order(**where)]
    if "kind" in frame.columns:
        frame = frame.filter(frame["kind"].ne_missing("control"))
    shown = frame[:top]
    ax = axes_or_new(ax, height=min(1.0 + 0.2 * max(len(shown), 3), 12.0))
    value = np.nan_to_num(shown["value"].to_numpy().astype(np.float64))
    place = np.arange(1, len(shown) + 1)
    known = shown[scores.keys[0]].cast(str).is_in(sorted(set(reference))).to_numpy()
    for chosen, colour, name in ((~known, BLUE, "other columns"), (known, ORANGE, "in the reference model")):
        if chosen.any():
            ax.barh(place[chosen], value[chosen], height=0.8, color=colour, label=name)
    if known.any():
        ax.legend(frameon=False, loc="lower right")
    if {"lo", "hi"} <= set(shown.columns) and len(shown) <= MOST_CELLS:
        ax.hlines(place, shown["lo"].to_numpy(), shown["hi"].to_numpy(), color="black", linewidth=0.8)
    if len(shown) <= MOST_CELLS:
        ax.set_yticks(place, labels_of(shown, scores.keys), fontsize="small" if len(shown) > 25 else "medium")
    else:
        ax.set_ylabel("place")
    ax.set_ylim(max(len(shown), 1) + 0.6, 0.4)
    ax.axvline(0, color=GREY, linewidth=0.8)
    ax.set_xlabel(named_axis("value", scores))
    note_left_out(ax, len(frame) - len(shown), scores.item)
    return titled(ax, scores, where)
