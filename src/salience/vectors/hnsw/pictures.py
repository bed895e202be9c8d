"""Pictures of an audit: recall by order of insertion, and by the dimension around the query."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from salience.plotting.drawing import BLUE, GREY, RED, axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from salience.vectors.hnsw.audit import HnswRecallAudit

__all__ = ["PICTURES", "plot_dimension", "plot_orders"]

COLOURS = {"reference": "#222222", "better": BLUE, "worse": RED, "not distinguishable": GREY}


def plot_orders(audit: HnswRecallAudit, ax: Axes | None = None) -> Axes:
    """Recall of every order of insertion with its interval; small dots are the builds.

    Orders that are better or worse than random ones beyond chance are in colour.

    Parameters
    ----------
    audit : HnswRecallAudit
        Fitted.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    table = audit.table_
    ax = axes_or_new(ax, height=1.2 + 0.42 * table.height)
    for place, row in enumerate(table.iter_rows(named=True)):
        colour = COLOURS[row["verdict"]]
        builds = audit.recalls_[audit.orders_.index(row["order"])]
        ax.plot([row["lo"], row["hi"]], [place, place], color=colour, lw=2.4, solid_capstyle="round")
        ax.scatter(builds, np.full(len(builds), place + 0.22), s=10, color=colour, alpha=0.5, linewidths=0)
        ax.scatter(row["recall"], place, s=38, color=colour, zorder=3)
    random = table.row(table["verdict"].to_list().index("reference"), named=True)
    ax.axvline(random["recall"], color=GREY, lw=0.8, ls=(0, (4, 3)), zorder=0)
    said = [
        f"{order}" + (f"\n{verdict}" if verdict in ("better", "worse") else "")
        for order, verdict in zip(table["order"], table["verdict"], strict=True)
    ]
    ax.set_yticks(range(table.height), said)
    ax.set_ylim(table.height - 0.45, -0.5)
    ax.set_xlabel(f"recall of the {audit.k} nearest")
    ax.set_title(
        f"order of insertion · M {audit.M}, ef {audit.ef_construction} / {audit.ef_search}",
        fontsize="medium",
        loc="left",
    )
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def plot_dimension(audit: HnswRecallAudit, ax: Axes | None = None, *, bins: int = 8) -> Axes:
    """Recall of the queries (rows in random order) over the dimension around them: means of equally many, with 95 %.

    Parameters
    ----------
    audit : HnswRecallAudit
        Fitted.
    ax : matplotlib Axes, optional
    bins : int, default=8

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ValueError
        When fewer queries than `bins` have a finite dimension.
    """
    found = audit.queries_.filter(audit.queries_["lid"].is_finite())
    if found.height < bins:
        raise ValueError(
            f"{found.height} queries with a dimension for {bins} bins; give fewer bins or more queries"
        )
    ax = axes_or_new(ax)
    lid, recall = found["lid"].to_numpy(), found["recall"].to_numpy()
    parts = np.array_split(np.argsort(lid, kind="stable"), bins)
    centre = np.array([lid[part].mean() for part in parts])
    mean = np.array([recall[part].mean() for part in parts])
    half = np.array(
        [1.96 * recall[part].std(ddof=1) / np.sqrt(len(part)) if len(part) > 1 else 0.0 for part in parts]
    )
    ax.fill_between(
        centre, np.maximum(mean - half, 0), np.minimum(mean + half, 1), color=BLUE, alpha=0.18, lw=0
    )
    ax.plot(centre, mean, color=BLUE, lw=1.8, marker="o", ms=4)
    rho, lo, hi = audit.lid_correlation_
    ax.set(xlabel="intrinsic dimension around the query", ylabel=f"recall of the {audit.k} nearest")
    said = "recall does not vary" if np.isnan(rho) else f"rank correlation {rho:.2f} ({lo:.2f} to {hi:.2f})"
    ax.set_title(said, fontsize="medium", loc="left")
    ax.spines[["top", "right"]].set_visible(False)
    return ax


#: What `HnswRecallAudit.plot` draws, by name.
PICTURES: Mapping[str, Callable[..., Axes]] = {"orders": plot_orders, "dimension": plot_dimension}
