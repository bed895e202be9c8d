"""The picture of a sparse linear model: coefficients along the path of lambdas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from salience.plotting.drawing import CYCLE, GREY, axes_or_new, label_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["coefficient_path"]


def coefficient_path(model: Any, ax: Axes | None = None, top: int = 8) -> Axes:
    """Coefficients per standard deviation against lambda, falling from left to right.

    Parameters
    ----------
    model : SparseLinear
        Fitted.
    ax : matplotlib Axes, optional
    top : int, default=8
        So many columns of the model, the largest, have a colour and a name; the rest are grey.
    """
    ax = axes_or_new(ax, height=4.4)
    path, scores = model.path_, model.scores_
    lambdas = np.maximum(path.lambdas, np.finfo(float).tiny)
    coef = path.coef.tocsc()
    named = [int(j) for j in scores.order()[:top] if scores.values[j] != 0]
    for j in np.setdiff1d(np.flatnonzero(np.diff(coef.indptr)), named):
        ax.plot(lambdas, coef[:, [j]].toarray().ravel(), color=GREY, linewidth=0.6, alpha=0.5)
    for place, j in enumerate(named):
        style = "-" if place < len(CYCLE) else "--"
        line = coef[:, [j]].toarray().ravel()
        ax.plot(lambdas, line, style, color=CYCLE[place % len(CYCLE)], label=label_of(scores.items[j]))
    ax.set_xscale("log")
    ax.invert_xaxis()
    ax.axhline(0, color=GREY, linewidth=0.8)
    ax.axvline(max(model.lam_, np.finfo(float).tiny), color="black", linewidth=1, linestyle=":")
    ax.annotate(
        "chosen", (max(model.lam_, np.finfo(float).tiny), 1), xycoords=("data", "axes fraction"),
        xytext=(3, -3), textcoords="offset points", va="top", fontsize="small",
    )  # fmt: skip
    _shade(ax, lambdas, ~path.locally_convex)
    ax.set_xlabel("lambda")
    ax.set_ylabel(f"coefficient ({scores.meta.unit})")
    ax.set_title(f"{scores.meta.method} · {model.penalty}", fontsize="medium", loc="left")
    ax.spines[["top", "right"]].set_visible(False)
    if named:
        ax.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))
    return ax


def _shade(ax: Axes, lambdas: Any, there: Any) -> None:
    """Grey behind the lambdas at which the objective is not locally convex; each reaches half way to its neighbours."""
    edges = np.sqrt(lambdas[1:] * lambdas[:-1])
    edges = np.concatenate([lambdas[:1], edges, lambdas[-1:]])
    name: str | None = "not locally convex"
    for k in np.flatnonzero(there):
        ax.axvspan(edges[k], edges[k + 1], color=GREY, alpha=0.15, linewidth=0, label=name)
        name = None
