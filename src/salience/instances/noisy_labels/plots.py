"""The accuracy of a network over the features that are kept, and where it is enough."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from salience.plotting.drawing import CYCLE, GREY, axes_or_new
from salience.results.scores import Scores

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_accuracy"]


def plot_accuracy(scores: Scores | Mapping[str, Scores], ax: Axes | None = None) -> Axes:
    """Draw accuracy against the number of kept features, with a mark at K*; untrained features are dotted.

    Parameters
    ----------
    scores : Scores or mapping of name to Scores
        Of neurons, ``NestedClassifier.scores_``, with the columns ``neuron``, ``accuracy``, ``used``.
    ax : matplotlib Axes, optional

    Raises
    ------
    ValueError
        When the scores are not of that kind, or there are none.
    """
    named = {"": scores} if isinstance(scores, Scores) else dict(scores)
    if not named:
        raise ValueError("there is no curve to draw")
    ax = axes_or_new(ax)
    for i, (name, one) in enumerate(named.items()):
        if one.item != "neuron" or not {"neuron", "accuracy", "used"} <= set(one.frame.columns):
            raise ValueError(
                "accuracy over kept features is drawn from scores of neurons with the columns neuron, accuracy and "
                f"used, such as NestedClassifier.scores_; got {one.frame.columns}"
            )
        frame, colour = one.frame.sort("neuron"), CYCLE[i % len(CYCLE)]
        place, accuracy = frame["neuron"].to_numpy(), frame["accuracy"].to_numpy()
        learned = frame["flag"].is_null().to_numpy()
        last = int(np.flatnonzero(learned)[-1]) + 1 if learned.any() else 0
        ax.plot(place[:last], accuracy[:last], color=colour, linewidth=1.8, label=name or None)
        ax.plot(place[max(last - 1, 0) :], accuracy[max(last - 1, 0) :], ":", color=colour, linewidth=1.4)
        k_star = int(frame["used"].sum())
        if k_star < len(place):
            ax.plot([k_star] * 2, [0, accuracy[k_star - 1]], color=colour, linewidth=0.8, linestyle="--")
            ax.plot(k_star, accuracy[k_star - 1], "o", color=colour, markersize=6)
            ax.annotate(
                f"K* = {k_star}", (k_star, accuracy[k_star - 1]), xytext=(6, -14),
                textcoords="offset points", color=colour, fontsize="small",
            )  # fmt: skip
    ax.set(
        xlabel="features kept, the first k", ylabel="accuracy on validation rows", ylim=(0, 1), xlim=(1, None)
    )
    ax.grid(axis="y", color=GREY, alpha=0.2)
    ax.spines[["top", "right"]].set_visible(False)
    if len(named) > 1:
        ax.legend(frameon=False, loc="lower right")
    return ax
