"""Pictures of an audit: the funnel, and configurations that change places."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from salience.plotting.drawing import BLUE, GREY, ORANGE, PURPLE, axes_or_new
from salience.results.display import shortened
from salience.vectors.iceberg.funnel import LAYERS
from salience.vectors.iceberg.naming import short_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from salience.vectors.iceberg.report import FunnelReport
    from salience.vectors.iceberg.shift import RankShift

__all__ = ["draw_funnel", "draw_shift"]

COLOURS = dict(zip(LAYERS, (GREY, ORANGE, PURPLE), strict=True))
BESIDE: dict[str, Any] = {"xytext": (3, 0), "textcoords": "offset points", "fontsize": "small"}
ROOM = 0.075  # for a letter beside a slope chart, as a share of the length of a line
WIDTH = 36  # of a name
MOST = 16  # configurations that fit
APART = 0.07  # between two names at the edge of a slope chart, as a share of its height


def draw_funnel(report: FunnelReport, ax: Axes | None = None) -> Axes:
    """A bar of length 1 per configuration: what is found, with its interval, and what each layer loses.

    Losses below 0, where the errors of an index help, are written beside the bar and not drawn.
    """
    frame = report.scores.frame.head(MOST)
    names = [_shown(name) for name in short_names(frame.rows(named=True))]
    ax = axes_or_new(ax, height=1.3 + 0.34 * frame.height)
    place = np.arange(frame.height)
    worth = frame["value"].to_numpy()
    ax.barh(place, worth, color=BLUE, height=0.68, label="found")
    left = worth.copy()
    for layer in reversed(LAYERS):
        loss = np.maximum(frame[f"loss_{layer}"].to_numpy(), 0)
        loss = np.where(loss < 1e-9, 0, loss)
        ax.barh(place, loss, left=left, color=COLOURS[layer], height=0.68, label=f"lost to the {layer}")
        left += loss
    ends = np.array([worth - frame["lo"].to_numpy(), frame["hi"].to_numpy() - worth]).clip(0)
    ax.errorbar(worth, place, xerr=ends, fmt="none", ecolor="black", elinewidth=1.2, capsize=2.5)
    for at, gain in zip(place, frame["loss_index"].to_numpy(), strict=True):
        if gain < -0.0005:
            ax.annotate(f"errors help: +{-gain:.3f}", (1.0, float(at)), va="center", **BESIDE)
    if report.chance > 0.005:
        ax.axvline(report.chance, color="black", linestyle=":", linewidth=1)
        ax.annotate("chance", (report.chance, -0.55), va="bottom", **BESIDE)
    ax.set_yticks(place, names)
    ax.set_ylim(frame.height - 0.4, -0.75)
    ax.set_xlim(0, 1)
    ax.set_xlabel(report.unit)
    ax.set_title(
        _left_out("where the task is lost", report.scores.frame.height), loc="left", fontsize="medium"
    )
    ax.spines[["top", "right"]].set_visible(False)
    below = -0.16 - 0.5 / (frame.height + 1)
    ax.legend(
        loc="upper center", bbox_to_anchor=(0.5, below), ncols=4, frameon=False, fontsize="small", handlelength=1.2,
        columnspacing=1.2,
    )  # fmt: skip
    return ax


def draw_shift(shift: RankShift, ax: Axes | None = None) -> Axes:
    """A line per configuration from its rank by the first measure to its rank by the second; those that fall are orange."""
    table = shift.table.head(MOST)
    first, second = table.columns[1:3]
    ranks = [table[f"rank_{name}"].to_numpy() for name in (first, second)]
    ax = axes_or_new(ax, height=1.4 + 0.3 * table.height)
    for name, start, end in zip(table["configuration"], *ranks, strict=True):
        colour = ORANGE if end > start else BLUE if end < start else GREY
        ax.plot([0, 1], [start, end], color=colour, linewidth=2, marker="o", markersize=5, label=name)
    longest = 0
    lowest = highest = max(int(rank.max()) for rank in ranks)
    for side, rank, values in ((0, ranks[0], table[first]), (1, ranks[1], table[second])):
        heights = _apart(rank.astype(float), APART * max(highest, 4))
        lowest = max(lowest, heights.max())
        for name, value, height in zip(table["configuration"], values, heights, strict=True):
            text = f"{_shown(name)}  {value:.3f}" if side == 0 else f"{value:.3f}  {_shown(name)}"
            shown = ax.annotate(
                text, (side, height), xytext=(-9 if side == 0 else 9, 0), textcoords="offset points",
                ha="right" if side == 0 else "left", va="center", fontsize="small",
            )  # fmt: skip
            shown.set_in_layout(False)  # the limits leave room; the layout would squeeze the axes instead
            longest = max(longest, len(text))
    ax.set_ylim(lowest + 0.6, 0.4)
    room = 0.4 + ROOM * longest
    ax.set_xlim(-room, 1 + room)
    ax.set_xticks([0, 1], [f"by {first}", f"by {second}"])
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    ax.set_title(_left_out(f"tau {shift.tau:.2f}", shift.table.height), loc="left", fontsize="medium")
    return ax


def _shown(name: str) -> str:
    return shortened(name, WIDTH).replace("$", r"\$")


def _apart(heights: np.ndarray, least: float) -> np.ndarray:
    """Heights moved so far that no two are nearer than `least`; those that were equal keep their order."""
    order = np.argsort(heights, kind="stable")
    moved = heights.copy()
    for before, here in pairwise(order):
        moved[here] = max(moved[here], moved[before] + least)
    return moved


def _left_out(title: str, configurations: int) -> str:
    return title if configurations <= MOST else f"{title} (first {MOST} of {configurations})"
