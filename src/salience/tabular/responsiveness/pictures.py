"""Bars of responsiveness: what one person could change, and what all who were turned down could."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from salience.plotting.drawing import BLUE, GREY, ORANGE, axes_or_new, label_of, note_left_out
from salience.results.display import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from salience.tabular.responsiveness.responses import Responsiveness

__all__ = ["of_person", "over_denied"]


def of_person(
    result: Responsiveness,
    i: int,
    ax: Axes | None = None,
    *,
    top: int = 12,
    changes: Mapping[str, Mapping[str, float]] | None = None,
) -> Axes:
    """Bars of the features that one person can move, with the nearest value that works and the range behind it.

    Parameters
    ----------
    result : Responsiveness
        Of single features.
    i : int
        The person.
    top : int, default=12
        Most bars.
    changes : mapping, optional
        What moves along with each, as :class:`~salience.tabular.responsiveness.responses.Reasons` has it.
    """
    able = np.flatnonzero(result.n_points[i] > 0)
    order = able[np.argsort(-result.scores[i, able], kind="stable")]
    shown = order[:top]
    ax = axes_or_new(ax, height=1.5 + 0.42 * max(len(shown), 2))
    place = np.arange(len(shown))
    score = result.scores[i, shown]
    ax.barh(place, np.ones(len(shown)), height=0.62, color=GREY, alpha=0.13)
    ax.barh(place, score, height=0.62, color=BLUE)
    low, high = result.ci[i, shown].T
    drawn = np.flatnonzero(high > low)
    ax.hlines(place[drawn], low[drawn], high[drawn], color="black", linewidth=1.0)
    base = np.asarray(result.data)[i]
    for at, j in enumerate(shown):
        text, colour = _said(result, i, int(j), base, changes or {})
        ax.annotate(
            text, (1, at), xycoords=("axes fraction", "data"), xytext=(8, 0), textcoords="offset points",
            va="center", fontsize="small", color=colour,
        )  # fmt: skip
    ax.set_yticks(place, [label_of(result.items[j]) for j in shown])
    ax.set_ylim(max(len(shown), 1) - 0.4, -0.6)
    ax.set_xlim(0, 1)
    ax.set_xticks([0, 0.5, 1], ["0", "half of its changes", "all"])
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)
    verdict = "has the target already" if result.approved[i] else "what could this person change?"
    ax.set_title(verdict, fontsize="medium", loc="left")
    if len(order) > len(shown):
        note_left_out(ax, len(order) - len(shown), result.item)
    return ax


def over_denied(result: Responsiveness, ax: Axes | None = None, *, top: int = 15) -> Axes:
    """For each feature, how many of the denied could get the target by changing it, and how likely a change is to do it.

    Parameters
    ----------
    result : Responsiveness
    top : int, default=15
        Most features.
    """
    frame = result.denied().frame.sort("responsive", "value", descending=True, maintain_order=True)
    able = [j for j, item in enumerate(result.items) if (result.n_points[~result.approved][:, j] > 0).any()]
    names = [result.items[j] for j in able]
    keys = frame.select(result.keys).rows() if len(result.keys) > 1 else frame[result.keys[0]].to_list()
    kept = [row for row, item in enumerate(keys) if item in names]
    shown = frame[kept[:top]]
    ax = axes_or_new(ax, height=1.6 + 0.32 * max(len(shown), 3))
    place = np.arange(len(shown))
    ax.barh(
        place, shown["responsive"], height=0.66, color=BLUE, alpha=0.35, label="can reach it by some change"
    )
    ax.hlines(place, shown["responsive_lo"], shown["responsive_hi"], color=BLUE, linewidth=1.0)
    ax.plot(
        shown["value"],
        place,
        "o",
        color=ORANGE,
        markersize=6,
        clip_on=False,
        label="mean share of changes that do",
    )
    ax.set_yticks(place, [label_of(keys[row]) for row in kept[:top]])
    ax.set_ylim(max(len(shown), 1) - 0.4, -0.6)
    ax.set_xlim(0, max(0.05, 1.08 * float(np.max(shown["responsive_hi"].to_numpy(), initial=0.0))))
    ax.xaxis.set_major_formatter(lambda x, _: f"{x:.0%}")
    ax.set_xlabel(f"of {shown['n'][0] if len(shown) else 0:,} denied")
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.set_title("which single feature could turn the decision?", fontsize="medium", loc="left")
    ax.legend(frameon=False, loc="lower right", fontsize="small")
    note_left_out(ax, len(kept) - len(shown), result.item)
    return ax


def _said(
    result: Responsiveness, i: int, j: int, base: Any, changes: Mapping[str, Mapping[str, float]]
) -> tuple[str, str]:
    """What stands beside a bar, and its colour."""
    low, high, example = result.low[i, j], result.high[i, j], result.examples[i, j]
    within = number(low) if low == high else f"{number(low)} to {number(high)}"
    if np.isnan(example):
        return f"{number(base[j])}: no change works (tried {within})", GREY
    along = [f"{k} {number(v)}" for k, v in changes.get(result.items[j], {}).items() if k != result.items[j]]
    with_it = f", with {', '.join(along)}" if along else ""
    return f"{number(base[j])} \N{RIGHTWARDS ARROW} {number(example)}{with_it} (tried {within})", "black"
