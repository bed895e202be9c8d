"""Pictures of one ranking, of pairs, of curves and of two rankings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from salience.plotting.drawing import (
    BLUE,
    CYCLE,
    GREY,
    MOST_CELLS,
    ORANGE,
    RED,
    axes_or_new,
    label_of,
    labels_of,
    name_points,
    named_axis,
    note_left_out,
    titled,
)
from salience.results.agreement import common_items
from salience.results.ordering import null_level

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from salience.results.scores import Scores

__all__ = ["agreement", "curves", "histogram", "matrix", "ranking", "redundancy", "score_against_cardinality"]

MOST_BARS = 30
OUTLIER = 3.0  # standard deviations above chance from which an item is named


def ranking(scores: Scores, ax: Axes | None = None, *, top: int = MOST_BARS, **where: Any) -> Axes:
    """The best items as dots on a line, with their intervals and the level of chance as ticks.

    Parameters
    ----------
    scores : Scores
        One ranking; name a context in `where` when there are several.
    ax : matplotlib Axes, optional
    top : int
        How many items to draw, at most 30 keep their names readable.
    **where
        As in :meth:`Scores.where`.
    """
    order = scores.order(**where)
    shown = scores.frame[order[:top]]
    ax = axes_or_new(ax, height=1.0 + 0.24 * max(len(shown), 3))
    column = "value" if "value" in shown.columns else "rank"
    value = shown[column].to_numpy().astype(np.float64)
    place = np.arange(len(shown))
    if column == "value":
        ax.hlines(place, 0, value, color=BLUE, alpha=0.25, linewidth=3)
        ax.axvline(0, color=GREY, linewidth=0.8)
    if {"lo", "hi"} <= set(shown.columns):
        ax.hlines(place, shown["lo"].to_numpy(), shown["hi"].to_numpy(), color=BLUE, linewidth=1.2)
    flagged = (
        shown["flag"].is_not_null().to_numpy() if "flag" in shown.columns else np.zeros(len(shown), bool)
    )
    ax.scatter(value, place, c=np.where(flagged, GREY, BLUE), s=22, zorder=3)
    null = null_level(shown, scores.meta.net_of_null)
    if null is not None:
        ax.scatter(null, place, marker="|", s=110, color=RED, zorder=4, label="chance")
        ax.legend(frameon=False, loc="lower right")
    ax.set_yticks(place, labels_of(shown, scores.keys))
    ax.set_ylim(max(len(shown), 1) - 0.5, -0.7)
    ax.locator_params(axis="x", nbins=6)
    ax.set_xlabel(named_axis(column, scores))
    note_left_out(ax, len(order) - len(shown), scores.item)
    return titled(ax, scores, where)


def histogram(scores: Scores, ax: Axes | None = None, *, bins: int = 40, **where: Any) -> Axes:
    """How the values are spread; says how many items are unscored.

    `bins` is the number of bars, `where` chooses rows as in :meth:`Scores.where`.
    """
    values = scores.where(**where).values
    known = values[np.isfinite(values)]
    ax = axes_or_new(ax)
    ax.hist(known, bins=bins, color=BLUE, alpha=0.8)
    ax.set_xlabel(named_axis("value", scores))
    ax.set_ylabel(f"{scores.item}s")
    note_left_out(ax, values.size - known.size, scores.item, "without a finite value")
    return titled(ax, scores, where)


def score_against_cardinality(
    scores: Scores, ax: Axes | None = None, *, cardinality: str = "card", names: int = 8, **where: Any
) -> Axes:
    """Score against number of distinct values, with the level that chance alone reaches.

    A column far above its tick carries information; one on it only has many values. Where ``value`` has the
    null already taken off it is put back, so that the picture shows what was measured.

    Parameters
    ----------
    scores : Scores
        With a column of cardinalities; ``null`` gives the level of chance.
    ax : matplotlib Axes, optional
    cardinality : str
        Column of the number of distinct values.
    names : int
        How many of the items furthest above chance to name: by ``z``, from 3 up, where there is one.
    **where
        As in :meth:`Scores.where`.
    """
    frame = scores.where(**where).frame
    if cardinality not in frame.columns:
        raise ValueError(
            f"there is no column {cardinality!r} of cardinalities; there are {', '.join(frame.columns)}"
        )
    frame = frame.filter(pl.col("value").is_finite() & (pl.col(cardinality) > 0)).sort(cardinality)
    x, y = frame[cardinality].to_numpy().astype(np.float64), frame["value"].to_numpy()
    ax = axes_or_new(ax)
    ax.set_xscale("log")
    level, label, above = null_level(frame, scores.meta.net_of_null), "value", y
    if level is not None:
        null = frame["null"].fill_null(0.0).to_numpy()
        above = y - np.nan_to_num(level)
        y = above + null
        label = (
            "value" if np.array_equal(np.nan_to_num(level), null) else "value before the null is taken off"
        )
        # the level differs between columns of one cardinality (coverage, bins): one tick each, and the most so far
        ax.scatter(x, null, marker="_", s=50, color=RED, linewidths=1.2, label="chance")
        ax.fill_between(x, 0, np.maximum.accumulate(null), color=RED, alpha=0.1, linewidth=0)
        ax.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 1), borderpad=0)
    ax.scatter(x, y, s=16, color=BLUE, alpha=0.6, linewidths=0)
    if "z" in frame.columns:
        above = frame["z"].fill_null(0.0).to_numpy()
    bar = OUTLIER if "z" in frame.columns else 0.0
    named = [i for i in np.argsort(-above, kind="stable")[:names] if above[i] > bar]
    name_points(ax, x, y, named, labels_of(frame, scores.keys))
    ax.set_xlabel("distinct values")
    ax.set_ylabel(named_axis(label, scores))
    return titled(ax, scores, where)


def matrix(scores: Scores, ax: Axes | None = None, *, column: str = "value") -> Axes:
    """A heat map of items with two names, for instance heads by layer; grey where there is no item.

    `column` is the one to show.
    """
    found = scores.matrix(column)
    return titled(_heat(axes_or_new(ax), found.values, found.rows, found.columns, scores, column), scores, {})


def redundancy(scores: Scores, ax: Axes | None = None, *, top: int = MOST_CELLS) -> Axes:
    """A heat map of unordered pairs, similar columns side by side (average linkage).

    `scores` are of pairs, with ``meta.symmetric``; at most `top` columns are drawn, those with the strongest
    pairs: 60 keep their names readable.
    """
    if not (scores.meta.symmetric and len(scores.keys) == 2):
        raise ValueError("the redundancy picture is of unordered pairs: two keys and Meta(symmetric=True)")
    found = scores.matrix()
    strength = np.nanmax(np.where(np.isnan(found.values), -np.inf, np.abs(found.values)), axis=1, initial=0)
    kept = np.sort(np.argsort(-strength, kind="stable")[:top])
    values = found.values[np.ix_(kept, kept)]
    kept_order = _side_by_side(values)
    names = [found.rows[kept[i]] for i in kept_order]
    ax = _heat(axes_or_new(ax), values[np.ix_(kept_order, kept_order)], names, names, scores, "value")
    note_left_out(ax, len(found.rows) - len(kept), "column")
    return titled(ax, scores, {})


def curves(found: pl.DataFrame | Mapping[str, pl.DataFrame], ax: Axes | None = None) -> Axes:
    """Retention or deletion curves: what is left when only the best items are kept, or all but them.

    Parameters
    ----------
    found : polars.DataFrame or mapping of name to one
        With ``size`` or ``fraction``, ``share`` or ``value``, and perhaps ``lo`` and ``hi``; ``random``,
        ``random_lo`` and ``random_hi`` are drawn as the band of random rankings, once.
    ax : matplotlib Axes, optional
    """
    named = {"": found} if isinstance(found, pl.DataFrame) else dict(found)
    if not named:
        raise ValueError("there is no curve to draw")
    ax = axes_or_new(ax)
    banded = False
    for i, (name, frame) in enumerate(named.items()):
        x_name, y_name = _one_of(frame, ("size", "fraction")), _one_of(frame, ("share", "value"))
        frame = frame.sort(x_name)
        x, colour = frame[x_name].to_numpy(), CYCLE[i % len(CYCLE)]
        if not banded and "random" in frame.columns:
            ax.plot(x, frame["random"].to_numpy(), color=GREY, linestyle="--", label="random rankings")
            banded = True
            if {"random_lo", "random_hi"} <= set(frame.columns):
                lo, hi = frame["random_lo"].to_numpy(), frame["random_hi"].to_numpy()
                ax.fill_between(x, lo, hi, color=GREY, alpha=0.2, linewidth=0)
        if {"lo", "hi"} <= set(frame.columns):
            ax.fill_between(x, frame["lo"].to_numpy(), frame["hi"].to_numpy(), color=colour, alpha=0.2)
        line = "-" if i < len(CYCLE) else ":"
        label = label_of(name) or "this ranking"
        ax.plot(x, frame[y_name].to_numpy(), line, marker="o", markersize=4, color=colour, label=label)
        ax.set_xlabel({"size": "items", "fraction": "share of the items"}[x_name])
        ax.set_ylabel({"share": "share of the full gain", "value": "value"}[y_name])
    ax.legend(frameon=False)
    return ax


def agreement(left: Scores, right: Scores, ax: Axes | None = None, *, k: int = 10, names: int = 6) -> Axes:
    """The places of the common items in two rankings, the tops that are compared, and who moved furthest.

    Parameters
    ----------
    left, right, k
        As in :meth:`Scores.compare`.
    ax : matplotlib Axes, optional
    names : int
        How many of the items that moved furthest to name.
    """
    found = left.compare(right, k)
    both = common_items(left, right)
    x, y = (both[side].to_numpy().astype(np.float64) for side in ("place", "place_right"))
    ax = axes_or_new(ax)
    ax.axhspan(0, found.k + 0.5, color=ORANGE, alpha=0.15, linewidth=0)
    ax.axvspan(0, found.k + 0.5, color=ORANGE, alpha=0.15, linewidth=0)
    ax.plot([1, len(both)], [1, len(both)], color=GREY, linewidth=0.8)
    ax.scatter(x, y, s=16, color=BLUE, alpha=0.7, linewidths=0)
    moved = np.abs(x - y)
    furthest = [i for i in np.argsort(-moved, kind="stable")[:names] if moved[i] > 0]
    ax.set_xlim(0.5, len(both) + 0.5)
    ax.set_ylim(len(both) + 0.5, 0.5)
    name_points(ax, x, y, furthest, labels_of(both, left.keys))
    ax.set_xlabel(f"place in {label_of(left.meta.method)}")
    ax.set_ylabel(f"place in {label_of(right.meta.method)}")
    summary = f"top-{found.k} overlap {found.overlap:.2f}, Kendall {found.kendall:.2f}"
    ax.set_title(summary, fontsize="medium", loc="left")
    return ax


def _heat(
    ax: Axes,
    values: NDArray[np.float64],
    rows: Sequence[Any],
    columns: Sequence[Any],
    scores: Scores,
    column: str,
) -> Axes:
    from matplotlib import colormaps
    from matplotlib.ticker import MaxNLocator

    known = values[np.isfinite(values)]
    signed = known.size and known.min() < 0 < known.max()
    colours = colormaps["PuOr" if signed else "cividis"].with_extremes(bad="#DDDDDD")
    limit = float(np.abs(known).max()) if known.size else 1.0
    image = ax.imshow(np.ma.masked_invalid(values), cmap=colours, aspect="auto", interpolation="nearest")
    if signed:
        image.set_clim(-limit, limit)
    for axis, names, rotation in ((ax.yaxis, rows, 0), (ax.xaxis, columns, 90)):
        if len(names) <= MOST_CELLS:
            texts = [label_of(name) for name in names]
            long = rotation if max(map(len, texts), default=0) > 3 else 0
            size = "small" if len(names) <= 25 else 5.0
            axis.set_ticks(range(len(names)), texts, rotation=long, fontsize=size)
        else:
            axis.set_major_locator(MaxNLocator(10, integer=True))
    axes = (*scores.keys, *scores.by)
    ax.set_ylabel(axes[0])
    ax.set_xlabel(axes[1])
    ax.figure.colorbar(image, ax=ax, label=named_axis(column, scores), fraction=0.046, pad=0.02)
    return ax


def _side_by_side(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """An order of the rows of a symmetric matrix that puts similar ones next to each other."""
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    if len(values) < 3:
        return np.arange(len(values))
    similar = np.nan_to_num(np.abs(values))
    distance = similar.max() - similar
    np.fill_diagonal(distance, 0)
    return np.asarray(leaves_list(linkage(squareform(distance, checks=False), "average")), dtype=np.int64)


def _one_of(frame: pl.DataFrame, names: Sequence[str]) -> str:
    for name in names:
        if name in frame.columns:
            return name
    raise ValueError(f"a curve needs a column {' or '.join(names)}, got {', '.join(frame.columns)}")
