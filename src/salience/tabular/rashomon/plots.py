"""Pictures of a Rashomon set: the halo of a pair or triple, and the swarm of its members."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from salience.plotting.drawing import BLUE, GREY, ORANGE, axes_or_new, label_of, note_left_out
from salience.tabular.rashomon.clouds import letters

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]
ROW = 0.4  # half the height that the dots of one row may take
BINS = 60  # of a row: dots of one bin are stacked


def halo_points(
    cloud: pl.DataFrame, names: tuple[str, ...], reference: float, epsilon: float
) -> tuple[Floats, Floats, Floats]:
    """Of each joint model: its loss beyond the reference, and the budget it was given, in the direction of the split.

    ``u = (a, b) / ||(a, b)||`` with the signs of the masks; the model lies at ``(L(f_m) - L*) u``, and at
    ``r eps u``, on a circle, if what the masks cost adds up.

    Parameters
    ----------
    cloud : polars.DataFrame
        The joint models of :class:`~salience.tabular.RashomonExplorer`.
    names : tuple of str
        A pair or more.
    reference, epsilon : float

    Returns
    -------
    found, expected : ndarray of float64, shape (models, q)
    radius : ndarray of float64, shape (models,)

    Raises
    ------
    ValueError
        When the subset is not in the cloud, or the cloud is one of listed models.
    """
    keys = letters(len(names))
    if "radius" not in cloud.columns:
        raise ValueError("a halo needs masked models; fit without models=[...]")
    together = cloud.select("^budget_.*$").width
    if together != len(names):
        raise ValueError(f"the models mask {together} features together, not {len(names)}")
    own = cloud.filter(pl.all_horizontal(pl.col(key) == name for key, name in zip(keys, names, strict=True)))
    if not own.height:
        raise ValueError(
            f"no models mask {', '.join(names)} together: dropped as unused, or not among `subsets`"
        )
    split = own.select(f"budget_{key}" for key in keys).to_numpy()
    signs = own.select(f"direction_{key}" for key in keys).to_numpy()
    unit = signs * split / np.linalg.norm(split, axis=1, keepdims=True)
    radius = own["radius"].to_numpy()
    found = (own["loss"].to_numpy() - reference)[:, None] * unit
    return found, (radius * epsilon)[:, None] * unit, radius


def halo(
    cloud: pl.DataFrame, names: tuple[str, ...], reference: float, epsilon: float, unit: str, ax: Any = None
) -> Any:
    """Draw what joint models lose against what their masks cost one by one.

    On the circle: the costs add up. Outside: the two masks together hurt more than each alone, inside: less. Correlation
    moves the halo as interaction does. Two features give axes in the plane, three in space.

    Parameters
    ----------
    cloud, names, reference, epsilon
        As in :func:`halo_points`.
    unit : str
        Name of the loss.
    ax : matplotlib Axes, optional
        With ``projection="3d"`` for three features.

    Raises
    ------
    ValueError
        When there are neither two nor three features, or no such models.
    """
    if len(names) not in (2, 3):
        raise ValueError(f"a halo shows two or three features, got {len(names)}")
    found, expected, radius = halo_points(cloud, names, reference, epsilon)
    draw = _in_the_plane if len(names) == 2 else _in_space
    ax = draw(found, expected, radius, epsilon, ax)
    labels = [f"{label_of(name)}: loss added / ε" for name in names]
    ax.set_xlabel(labels[0])
    ax.set_ylabel(labels[1])
    ax.set_title(
        f"halo of {' and '.join(map(label_of, names))} · ε = {epsilon:.3g} {unit}",
        fontsize="medium",
        loc="left",
    )
    if len(names) == 3:
        ax.set_zlabel(labels[2])
    return ax


def _in_the_plane(found: Floats, expected: Floats, radius: Floats, epsilon: float, ax: Any) -> Any:
    if ax is None:
        import matplotlib.pyplot as plt

        ax = plt.subplots(figsize=(5.6, 5.6), layout="constrained")[1]
    turn = np.linspace(0, 2 * np.pi, 361)
    for ring in np.unique(radius):
        own = radius == ring
        last = ring == radius.max()
        ax.plot(ring * np.cos(turn), ring * np.sin(turn), color=GREY, linewidth=1.2, linestyle="--",
                label="costs add up" if last else None)  # fmt: skip
        outside = np.linalg.norm(found[own], axis=1) > epsilon * (1 + 1e-9)
        points, aim = found[own] / epsilon, expected[own]
        for quadrant in np.unique(
            np.sign(aim), axis=0
        ):  # directions of the masks: between them nothing is joined
            there = (np.sign(aim) == quadrant).all(axis=1)
            order = np.argsort(aim[there] @ (quadrant * [-1.0, 1.0]), kind="stable")
            ax.plot(*points[there][order].T, color=BLUE, linewidth=1, alpha=0.5)
        ax.scatter(
            *points[~outside].T, s=20, color=BLUE, zorder=3, label="joint model in the set" if last else None
        )
        if outside.any():
            ax.scatter(
                *points[outside].T,
                s=20,
                color=ORANGE,
                zorder=3,
                label="joint model outside" if last else None,
            )
    ax.axhline(0, color=GREY, linewidth=0.6, zorder=0)
    ax.axvline(0, color=GREY, linewidth=0.6, zorder=0)
    limit = 1.15 * max(1.0, float(np.abs(found).max()) / epsilon)
    ax.set_xlim(-limit, limit)
    ax.set_ylim(-limit, limit)
    ax.set_aspect("equal")
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize="small", loc="best")
    return ax


def _in_space(found: Floats, expected: Floats, radius: Floats, epsilon: float, ax: Any) -> Any:
    from matplotlib.ticker import MaxNLocator

    if ax is None:
        import matplotlib.pyplot as plt

        ax = plt.figure(figsize=(6, 5.6), layout="constrained").add_subplot(projection="3d")
    points = found / epsilon
    outside = np.linalg.norm(points, axis=1) > 1 + 1e-9
    u, v = np.mgrid[0 : 2 * np.pi : 25j, 0 : np.pi : 13j]
    for ring in np.unique(radius):
        ball = ring * np.array([np.cos(u) * np.sin(v), np.sin(u) * np.sin(v), np.cos(v)])
        ax.plot_wireframe(
            *ball,
            color=GREY,
            linewidth=0.5,
            alpha=0.7,
            label="costs add up" if ring == radius.max() else None,
        )
    aim = expected / epsilon
    for point, wanted, beyond in zip(points, aim, outside, strict=True):
        ax.plot(*np.array([point, wanted]).T, color=ORANGE if beyond else BLUE, linewidth=0.6, alpha=0.6)
    ax.scatter(*points[~outside].T, s=14, color=BLUE, depthshade=False, label="joint model in the set")
    if outside.any():
        ax.scatter(*points[outside].T, s=14, color=ORANGE, depthshade=False, label="joint model outside")
    limit = 1.02 * max(1.0, float(np.abs(points).max()))
    ax.set(xlim=(-limit, limit), ylim=(-limit, limit), zlim=(-limit, limit))
    ax.set_box_aspect((1, 1, 1), zoom=0.9)
    for axis in (ax.xaxis, ax.yaxis, ax.zaxis):
        axis.set_pane_color((1, 1, 1))
        axis.set_major_locator(MaxNLocator(5))
    ax.legend(frameon=False, fontsize="small", loc="upper right")
    return ax


def swarm(
    summary: pl.DataFrame, cloud: pl.DataFrame, reference: float, epsilon: float, unit: str, top: int = 12,
    ax: Axes | None = None,
) -> Axes:  # fmt: skip
    """Draw each member as a dot at its effect or interaction, coloured by its loss; a diamond marks the reference.

    Parameters
    ----------
    summary, cloud : polars.DataFrame
        Of :class:`~salience.tabular.RashomonExplorer`; rows are drawn in the order of `summary`.
    reference, epsilon : float
    unit : str
        Name of the loss.
    top : int
        How many rows.
    ax : matplotlib Axes, optional
    """
    from matplotlib.colors import Normalize

    keys = [key for key in ("column", "a", "b", "c", "d", "e", "f", "g", "h") if key in summary.columns]
    value = "effect" if keys == ["column"] else "fis"
    shown = summary.head(top)
    ax = axes_or_new(ax, height=1.5 + 0.38 * max(len(shown), 2))
    spent = (cloud["loss"].to_numpy() - reference) / epsilon
    colours = Normalize(0.0, float(spent.max(initial=1.0)))
    ends = shown.select("lo", "hi", "reference").to_numpy()
    low, high = (float(ends.min()), float(ends.max())) if len(ends) else (0.0, 1.0)
    dots: Any = None
    for place, row in enumerate(shown.iter_rows(named=True)):
        own = cloud.filter(pl.all_horizontal(pl.col(key) == row[key] for key in keys))
        x = own[value].to_numpy()
        y = place + _stacked(x, low, high)
        ax.hlines(place, row["lo"], row["hi"], color=GREY, linewidth=0.8, alpha=0.6, zorder=1)
        dots = ax.scatter(
            x,
            y,
            c=(own["loss"].to_numpy() - reference) / epsilon,
            cmap="cividis",
            norm=colours,
            s=9,
            zorder=2,
        )
    ax.scatter(
        shown["reference"].to_numpy(), np.arange(len(shown)), marker="D", s=30, color=ORANGE, edgecolor="black",
        linewidth=0.6, zorder=4, label="reference",
    )  # fmt: skip
    ax.axvline(0, color=GREY, linewidth=0.8, zorder=0)
    ax.set_yticks(
        range(len(shown)),
        [label_of(tuple(row) if len(row) > 1 else row[0]) for row in shown.select(keys).rows()],
    )
    ax.set_ylim(max(len(shown), 1) - 0.4, -0.6)
    what = "main effect" if value == "effect" else "interaction score"
    ax.set_xlabel(f"{what} ({unit})")
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize="small", loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0)
    note_left_out(ax, len(summary) - len(shown), "row")
    if dots is not None:
        ax.figure.colorbar(dots, ax=ax, label="loss beyond the reference / ε", fraction=0.04, pad=0.02)
    return ax


def _stacked(x: Floats, low: float, high: float) -> Floats:
    """Heights that spread the dots of each bin about 0."""
    width = max(high - low, 1e-300) / BINS
    bins = np.floor((x - low) / width).astype(np.int64)
    height = np.zeros(len(x))
    for one in np.unique(bins):
        own = np.flatnonzero(bins == one)
        height[own] = np.arange(len(own)) - (len(own) - 1) / 2
    most = np.abs(height).max(initial=0.0)
    return height * min(0.09, ROW / most) if most else height
