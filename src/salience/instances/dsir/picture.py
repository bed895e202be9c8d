"""The picture of log weights: the pool, the target, what is kept, and what chance gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from salience.plotting.drawing import BLUE, GREY, ORANGE, axes_or_new, titled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from salience.instances.dsir.resampler import ImportanceResampler

__all__ = ["plot_weights"]


def plot_weights(
    resampler: ImportanceResampler, ax: Axes | None = None, *, target: int = 0, bins: int = 50
) -> Axes:
    """The log weights of the pieces that could be drawn, beside those of the target and of chance.

    The chance is that between two halves of the target: where the pool is no wider than it, the choice is noise.

    Parameters
    ----------
    resampler : ImportanceResampler
        Fitted.
    ax : matplotlib Axes, optional
    target : int
        Which one, where targets are separate.
    bins : int
    """
    check_is_fitted(resampler)
    n = len(resampler.n_tokens_)
    eligible = resampler.eligible_
    weights = resampler.log_weights_.reshape(n, -1)[:, target]
    kept = weights[resampler.selected_[resampler.selected_for_ == target]]
    wanted = resampler.target_log_weights_
    of_target = wanted[target] if resampler.separate_targets else np.concatenate(wanted)
    drawn: list[tuple[Any, str, dict[str, Any]]] = [
        (weights[eligible], "pool", {"color": GREY, "alpha": 0.35, "histtype": "stepfilled"}),
        (of_target, "target", {"color": ORANGE, "histtype": "step", "lw": 1.6}),
        (kept, "kept", {"color": BLUE, "alpha": 0.55, "histtype": "stepfilled"}),
    ]
    if resampler.null_log_weights_.size:
        null = resampler.null_log_weights_.reshape(n, -1)[eligible, target].astype(np.float64)
        drawn.append((null, "chance", {"color": "black", "histtype": "step", "lw": 1.0, "ls": ":"}))
    ax = axes_or_new(ax)
    everything = np.concatenate([values for values, _, _ in drawn])
    low, high = float(np.quantile(everything, 0.002)), float(everything.max())
    edges = np.linspace(low, max(high, low + 1e-9), bins + 1).tolist()
    for values, label, style in drawn:
        # shares of each group, so that a small target is seen beside a large pool; what is beyond goes to the edge
        share = np.full(len(values), 1 / max(len(values), 1))
        ax.hist(np.clip(values, edges[0], edges[-1]), edges, weights=share, label=label, **style)
    ax.set_xlabel("log importance weight (nats)")
    ax.set_ylabel("share of the pieces")
    ax.legend(frameon=False, fontsize="small")
    where = {"target": resampler.target_names_[target]} if resampler.separate_targets else {}
    return titled(ax, resampler.scores_.top(0), where)
