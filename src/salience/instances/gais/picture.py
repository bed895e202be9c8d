"""The kept rows among all, in two dimensions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from salience.plotting.drawing import CYCLE, GREY, axes_or_new, label_of, note_left_out

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_kept"]

FAINT = 0.25


def plot_kept(
    selector: Any, X: Any, ax: Axes | None = None, *, wrong: Any = None, most: int = 4000, seed: int = 0
) -> Axes:
    """Draw all rows on their first two principal components, faint, and the kept ones in front.

    Parameters
    ----------
    selector : GraphAttentionSelector
        Fitted.
    X : array or frame of shape (n, d)
        What it was fitted on.
    ax : matplotlib Axes, optional
    wrong : array-like of bool, shape (n,), optional
        Rows whose label is known to be wrong; they get a cross.
    most : int, default=4000
        So many of the rows that are not kept are drawn, at random.
    seed : int

    Raises
    ------
    ValueError
        If `X` has other rows than the selector was fitted on.
    """
    values = np.asarray(X, dtype=np.float64)
    kept = selector.get_support()
    if len(values) != len(kept):
        raise ValueError(
            f"X has {len(values)} rows, the selector was fitted on {len(kept)}: give the same table"
        )
    at, share = _projected(values)
    labels = np.asarray(selector.scores_.frame["class"])
    classes = selector.classes_
    rest = np.flatnonzero(~kept)
    shown = np.random.default_rng(seed).permutation(rest)[:most]
    ax = axes_or_new(ax, height=4.8)
    for place, name in enumerate(classes):
        colour = CYCLE[place % len(CYCLE)] if len(classes) <= len(CYCLE) else GREY
        behind, front = (rows[labels[rows] == name] for rows in (shown, np.flatnonzero(kept)))
        ax.scatter(at[behind, 0], at[behind, 1], s=9, color=colour, alpha=FAINT, linewidths=0, zorder=1)
        ax.scatter(
            at[front, 0], at[front, 1], s=46, color=colour, edgecolors="black", linewidths=0.9, zorder=3,
            label=label_of(name) if len(classes) <= len(CYCLE) else None,
        )  # fmt: skip
    if wrong is not None:
        crossed = np.flatnonzero(np.asarray(wrong, dtype=bool))
        behind = crossed[np.isin(crossed, shown)]
        ax.scatter(
            at[behind, 0],
            at[behind, 1],
            s=16,
            marker="x",
            color="black",
            alpha=0.45,
            linewidths=0.7,
            zorder=2,
            label="wrong label",
        )
        front = crossed[kept[crossed]]
        ax.scatter(at[front, 0], at[front, 1], s=40, marker="x", color="black", linewidths=1.3, zorder=4)
    ax.set(
        xticks=[],
        yticks=[],
        xlabel=f"first component ({share[0]:.0%})",
        ylabel=f"second component ({share[1]:.0%})",
    )
    ax.spines[["top", "right"]].set_visible(False)
    if ax.get_legend_handles_labels()[0]:
        ax.legend(frameon=False, fontsize="small", loc="best", handletextpad=0.3)
    ax.set_title(f"{kept.sum():,} of {len(kept):,} rows kept", fontsize="medium", loc="left")
    note_left_out(ax, len(rest) - len(shown), "row", "not drawn")
    return ax


def _projected(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates, shape (n, 2), and the share of the variance of each; one column lies on a line."""
    fitted = PCA(min(2, values.shape[1]), random_state=0)
    at = fitted.fit_transform(StandardScaler().fit_transform(values))
    missing = 2 - at.shape[1]
    return np.pad(at, ((0, 0), (0, missing))), np.pad(fitted.explained_variance_ratio_, (0, missing))
