"""What the pictures share: colours, axes, names that fit, and what was left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from salience.results.display import shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from salience.results.scores import Scores

BLUE, ORANGE, GREEN, RED, PURPLE, SKY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"
GREY = "#7F7F7F"
CYCLE = (BLUE, ORANGE, GREEN, RED, PURPLE, SKY)
MOST_CELLS = 60  # names that fit beside each other
LABEL_WIDTH = 24
LINE = 10.5  # height of a line of small text, in points


def axes_or_new(ax: Axes | None, height: float = 4.2) -> Axes:
    """The axes that were given, or those of a new figure."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt  # only here: who brings axes keeps pyplot out of it

    return plt.subplots(figsize=(6.4, height), layout="constrained")[1]


def labels_of(frame: pl.DataFrame, keys: Sequence[str]) -> list[str]:
    """Short names of the items of a frame."""
    return [label_of(row) for row in frame.select(keys).rows()]


def label_of(item: Any) -> str:
    """A short name; a dollar sign stays one and does not start a formula."""
    name = " · ".join(map(str, item)) if isinstance(item, tuple) else str(item)
    return shortened(name, LABEL_WIDTH).replace("$", r"\$")


def named_axis(column: str, scores: Scores) -> str:
    """The name of a column with its unit."""
    unit = scores.meta.unit if column.startswith("value") else None
    return f"{column} ({unit})" if unit else column


def titled(ax: Axes, scores: Scores, where: Mapping[str, Any]) -> Axes:
    """The axes with the method and the context above them."""
    context = ", ".join(f"{name} {value}" for name, value in where.items())
    ax.set_title(" · ".join(filter(None, (scores.meta.method, context))), fontsize="medium", loc="left")
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def note_left_out(ax: Axes, left_out: int, item: str, what: str = "more") -> None:
    """Say in the corner how many items are not in the picture."""
    if left_out > 0:
        text = f"{left_out:,} {item}{'s' if left_out != 1 else ''} {what}"
        ax.annotate(
            text, (1, 1), xycoords="axes fraction", xytext=(0, 4), textcoords="offset points",
            ha="right", va="bottom", fontsize="small", color=GREY,
        )  # fmt: skip


def name_points(
    ax: Axes, x: NDArray[np.float64], y: NDArray[np.float64], points: Sequence[Any], labels: Sequence[str]
) -> None:
    """Write names beside points, the upper ones first, each at least a line below the one before."""
    if not len(points):
        return
    ax.get_xlim(), ax.get_ylim()  # settles the limits, and with them where the points lie
    points_per_pixel = 72 / ax.figure.dpi
    place = ax.transData.transform(np.column_stack([x[points], y[points]])) * points_per_pixel
    right = ax.transAxes.transform((0.75, 0))[0] * points_per_pixel
    floor = np.inf
    for i in np.argsort(-place[:, 1], kind="stable"):
        wanted = floor = min(place[i, 1], floor - LINE)
        side = -1 if place[i, 0] > right else 1
        ax.annotate(
            labels[points[i]], (x[points[i]], y[points[i]]), textcoords="offset points",
            xytext=(5 * side, wanted - place[i, 1]), ha="left" if side > 0 else "right", va="center",
            fontsize="small", arrowprops={"arrowstyle": "-", "color": GREY, "linewidth": 0.5},
        )  # fmt: skip
