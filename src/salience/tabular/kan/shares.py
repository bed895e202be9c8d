r"""What the first layer of a Kolmogorov-Arnold network says about its inputs: five scores, some of them in several kinds.

With :math:`\phi_{oi}(x) = w^b_{oi}\,\mathrm{silu}(x) + s_{oi} \sum_m c_{oim} B_m(x)` the function on the edge from
input `i` to hidden node `o`:

========  ===================  ==============================================================================
score     kind                 of input i
========  ===================  ==============================================================================
``l1``    ``contrib``          mean over rows and nodes of :math:`|\phi_{oi}|` (the authors' code)
``l1``    ``coef``             :math:`\sum_{o,m} |s_{oi} c_{oim}|` (their text); says nothing of the silu
``l1``    ``contrib_centred``  as ``contrib``, each edge less its mean: a constant contribution counts nothing
``l2``    the same three       root of the mean (sum) of squares instead; ruled by outliers
``si``    ``abs``              mean over rows of :math:`|\partial_i \sum_c |f_c||`; terms of outputs can cancel
``si``    ``jacobian``         mean over rows of :math:`\sum_c |\partial_i f_c|`; nothing cancels
``ko``    ``loss``             loss on the rows without the input, less the loss with it (signed)
``attr``  ``spread``           :math:`S_i` of :meth:`salience.networks.KAN.attribute`
========  ===================  ==============================================================================
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from salience.networks.kan import KAN

__all__ = ["EDGES", "SCORES", "kind_of", "shares"]

Floats = NDArray[np.float64]
LossOf = Callable[[Tensor], Tensor]  # of the outputs of the rows at hand
ROWS = 4096  # that a gradient is taken of at a time


def _contributed(power: int, centred: bool = False) -> Callable[[KAN, Tensor, LossOf], Floats]:
    def edges(net: KAN, x: Tensor, loss_of: LossOf) -> Floats:
        """Mean of the powers of what each edge adds, shape (inputs, nodes)."""
        parts = []
        for _, piece in net.first.pieces(x):
            piece = piece - piece.mean(0) if centred else piece
            parts.append((piece.abs() if power == 1 else piece.square()).mean(0))
        return torch.cat(parts).double().numpy()

    return edges


def _coefficients(power: int) -> Callable[[KAN, Tensor, LossOf], Floats]:
    def edges(net: KAN, x: Tensor, loss_of: LossOf) -> Floats:
        """Sum of the powers of the coefficients of each edge, shape (inputs, nodes)."""
        weights = (net.first.scale[:, :, None] * net.first.coef).double().abs() ** power
        return weights.sum(2).T.numpy()

    return edges


def _flow(net: KAN, x: Tensor, loss_of: LossOf) -> Floats:
    return net.attribute(x).edges[0].T.double().numpy()


# Per edge of the first layer, and how the edges of an input become its score.
EDGES: dict[tuple[str, str], Callable[[KAN, Tensor, LossOf], Floats]] = {
    ("l1", "contrib"): _contributed(1),
    ("l1", "coef"): _coefficients(1),
    ("l1", "contrib_centred"): _contributed(1, centred=True),
    ("l2", "contrib"): _contributed(2),
    ("l2", "coef"): _coefficients(2),
    ("l2", "contrib_centred"): _contributed(2, centred=True),
    ("attr", "spread"): _flow,
}


def _of_edges(
    score: str, kind: str, gather: Callable[[Floats], Floats]
) -> Callable[[KAN, Tensor, LossOf], Floats]:
    def of_inputs(net: KAN, x: Tensor, loss_of: LossOf) -> Floats:
        with torch.no_grad():
            return gather(EDGES[score, kind](net, x, loss_of))

    return of_inputs


def _sensitivity(net: KAN, x: Tensor, loss_of: LossOf) -> Floats:
    return _mean_gradient(net, x, lambda outputs: (outputs.abs().sum(),))


def _jacobian(net: KAN, x: Tensor, loss_of: LossOf) -> Floats:
    return _mean_gradient(net, x, lambda outputs: tuple(outputs.sum(0)))


def _mean_gradient(net: KAN, x: Tensor, scalars: Callable[[Tensor], tuple[Tensor, ...]]) -> Floats:
    """Mean over the rows of the absolute gradients of each scalar, added over the scalars."""
    total = torch.zeros(x.shape[1], dtype=torch.float64)
    for rows in x.split(ROWS):
        rows = rows.detach().requires_grad_()
        values = scalars(net(rows))
        for k, value in enumerate(values):
            (gradient,) = torch.autograd.grad(value, rows, retain_graph=k + 1 < len(values))
            total += gradient.abs().sum(0).double()
    return (total / len(x)).numpy()


@torch.no_grad()
def _knockout(net: KAN, x: Tensor, loss_of: LossOf) -> Floats:
    """An input's part is taken out of the sums of the first layer, which is not computed again for each."""
    hidden = net.first(x)
    full = loss_of(net.after_first(hidden))
    losses = [
        loss_of(net.after_first(hidden - piece[:, i])) - full
        for _, piece in net.first.pieces(x)
        for i in range(piece.shape[1])
    ]
    return torch.stack(losses).double().numpy()


SCORES: dict[str, dict[str, Callable[[KAN, Tensor, LossOf], Floats]]] = {
    "l1": {
        "contrib": _of_edges("l1", "contrib", lambda edges: edges.mean(1)),
        "coef": _of_edges("l1", "coef", lambda edges: edges.sum(1)),
        "contrib_centred": _of_edges("l1", "contrib_centred", lambda edges: edges.mean(1)),
    },
    "l2": {
        "contrib": _of_edges("l2", "contrib", lambda edges: np.sqrt(edges.mean(1))),
        "coef": _of_edges("l2", "coef", lambda edges: np.sqrt(edges.sum(1))),
        "contrib_centred": _of_edges("l2", "contrib_centred", lambda edges: np.sqrt(edges.mean(1))),
    },
    "si": {"abs": _sensitivity, "jacobian": _jacobian},
    "ko": {"loss": _knockout},
    "attr": {"spread": _of_edges("attr", "spread", lambda edges: edges.sum(1))},
}


def kind_of(score: str, kind: str | None) -> str:
    """The kind, or the first of the score's kinds; an error when there is no such score or kind.

    Examples
    --------
    >>> kind_of("si", None)
    'abs'
    """
    if score not in SCORES:
        raise ValueError(f"importance={score!r} is unknown; there are {', '.join(SCORES)}")
    kinds = list(SCORES[score])
    if kind is not None and kind not in kinds:
        raise ValueError(
            f"kind={kind!r} is no kind of importance={score!r}; its kinds are {', '.join(kinds)}"
        )
    return kinds[0] if kind is None else kind


def shares(values: Floats) -> Floats:
    """Values below 0 as 0, divided by their sum; zeros when there is nothing.

    Examples
    --------
    >>> shares(np.array([3.0, -1.0, 1.0])), shares(np.array([0.0, -1.0]))
    (array([0.75, 0.  , 0.25]), array([0., 0.]))
    """
    clipped = np.maximum(values, 0.0)
    total = clipped.sum()
    return clipped / total if total > 0 else np.zeros_like(clipped)
