"""The learned one-dimensional curves of columns, drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from salience.plotting.drawing import CYCLE, GREY, axes_or_new, label_of, note_left_out

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from salience.tabular.kan.selector import KANSelector

__all__ = ["curve_of", "plot_curves"]

Floats = NDArray[np.float64]


def curve_of(selector: KANSelector, column: int, output: int = -1, n: int = 200) -> tuple[Floats, Floats]:
    r"""The curve of a column in each fold: what its edges add to an output, to first order.

    The column meets as many functions as there are hidden nodes. Each is weighted with the mean derivative of the
    output by its node, on the rows the fold has not seen:
    :math:`g_i(x) = \sum_o \overline{\partial f / \partial z_o}\, \phi_{oi}(x)`, less its mean over the grid. Of
    several outputs the mean over the outputs is taken off, which a softmax does not see.

    Parameters
    ----------
    selector : KANSelector
        Fitted.
    column : int
    output : int
        A class, or a target.
    n : int
        Points.

    Returns
    -------
    points : ndarray of shape (n,)
        In standard deviations from the mean.
    curves : ndarray of shape (folds, n)
    """
    check_is_fitted(selector, "models_")
    curves = []
    for model, slopes in zip(selector.models_, selector.slopes_, strict=True):
        points, functions = model.curves(column, n)
        weights = slopes[output] - (slopes.mean(0) if len(slopes) > 1 else 0.0)
        curve = functions @ torch.from_numpy(weights).to(functions)
        curves.append((curve - curve.mean()).double().numpy())
    return points.double().numpy(), np.array(curves)


def plot_curves(
    selector: KANSelector, columns: Sequence[str] | None = None, *, output: int = -1, ax: Axes | None = None
) -> Axes:
    """Draw the curves of the kept columns: mean over the folds, and the band from the lowest to the highest.

    Parameters
    ----------
    selector : KANSelector
        Fitted.
    columns : sequence of str, optional
        At most six; the best of those that are kept when not given.
    output : int
        Which class or target; the last when not given.
    ax : matplotlib Axes, optional

    Raises
    ------
    ValueError
        A name that is no column, or more than six.
    """
    check_is_fitted(selector, "scores_")
    names = selector.scores_.items
    kept = [names[i] for i in selector.scores_.order() if selector.get_support()[i]]
    shown = kept[: len(CYCLE)] if columns is None else list(columns)
    unknown = [name for name in shown if name not in names]
    if unknown or not 0 < len(shown) <= len(CYCLE):
        raise ValueError(
            f"from 1 to {len(CYCLE)} of the columns can be drawn; got {len(shown)}"
            + (
                f", of which {', '.join(map(repr, unknown))} are not among {', '.join(names)}"
                if unknown
                else ""
            )
        )
    ax = axes_or_new(ax)
    ax.axhline(0, color=GREY, linewidth=0.8)
    for name, colour in zip(shown, CYCLE, strict=False):
        points, curves = curve_of(selector, names.index(name), output)
        ax.fill_between(points, curves.min(0), curves.max(0), color=colour, alpha=0.15, linewidth=0)
        ax.plot(points, curves.mean(0), color=colour, linewidth=1.8, label=label_of(name))
    ax.set_xlabel("column, in standard deviations from its mean")
    ax.set_ylabel("what it adds to the output")
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    ax.spines[["top", "right"]].set_visible(False)
    if columns is None:
        note_left_out(ax, len(kept) - len(shown), "column")
    return ax
