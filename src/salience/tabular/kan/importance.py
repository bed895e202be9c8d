"""What a Kolmogorov-Arnold network that is trained already says about its inputs, edges and nodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from salience.networks.kan import KAN
from salience.results.meta import Meta
from salience.results.scores import Scores
from salience.tabular.kan.shares import EDGES, SCORES, kind_of, shares
from salience.tabular.numbers import names_of, numbers_of
from salience.verify.fingerprints import fingerprint

__all__ = ["importance_from_kan"]

LossOf = Callable[[Tensor], Tensor]


def importance_from_kan(
    model: KAN,
    X: Any,
    y: Any,
    loss: str | Callable[[Tensor, Tensor], Tensor] = "mse",
    *,
    importance: str = "l1",
    kind: str | None = None,
    items: str = "columns",
    names: Sequence[str] | None = None,
) -> Scores:
    """The scores of :class:`KANSelector` from a network that is trained already, on rows that you choose.

    Take rows that the network was not trained on: ``ko`` is a loss on them.

    Parameters
    ----------
    model : salience.networks.KAN
    X : array or table of shape (n, d)
        As the network takes it: standardised, if it was.
    y : array of shape (n,) or (n, outputs)
        What `loss` compares with: numbers, or for "cross_entropy" classes from 0 up. Only ``ko`` looks at it.
    loss : {"mse", "cross_entropy"} or callable
        ``loss(outputs, target)``, a scalar tensor, the mean over the rows.
    importance, kind
        As in :class:`KANSelector`.
    items : {"columns", "edges", "nodes"}
        Columns; edges of the first layer, from a column to a node (l1, l2, attr), not normalised; or the nodes of
        each floor (attr).
    names : sequence of str, optional
        Of the columns; those of the table, or x0, x1, ...

    Returns
    -------
    Scores
        Columns: ``value`` is the share, ``raw`` the value before normalising, for ``ko`` signed.

    Raises
    ------
    ValueError
        An unknown score, kind, loss or kind of item; rows or columns that do not fit; NaN or inf.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from salience.networks import KAN
    >>> net = KAN([2, 1])
    >>> with torch.no_grad():  # y = 2 silu(x0)
    ...     net.first.coef[:], net.first.base[:] = 0.0, torch.tensor([[2.0, 0.0]])
    >>> X = np.random.default_rng(0).normal(size=(50, 2))
    >>> importance_from_kan(net, X, net(torch.tensor(X).float()).detach(), importance="ko").values
    array([1., 0.])
    """
    kind = kind_of(importance, kind)
    if items not in ITEMS:
        raise ValueError(f"items={items!r} is unknown; there are {', '.join(ITEMS)}")
    if isinstance(loss, str) and loss not in LOSSES:
        raise ValueError(f"loss={loss!r} is unknown; use {' or '.join(LOSSES)}, or a function")
    names = list(map(str, names)) if names is not None else list(names_of(X))
    values = numbers_of(X)
    if values.shape[1] != model.first.n_in or len(names) != model.first.n_in:
        raise ValueError(
            f"the network takes {model.first.n_in} columns, X has {values.shape[1]} and there are {len(names)} names"
        )
    if len(values) < 2 or not np.isfinite(values).all():
        raise ValueError(f"X needs at least 2 rows and no NaN or inf, got {len(values)} rows")
    if len(y) != len(values):
        raise ValueError(f"X has {len(values)} rows and y {len(y)}")
    x = torch.from_numpy(values).to(model.first.base)
    against = _comparable(y, model.first.base, loss)
    function = LOSSES[loss] if isinstance(loss, str) else loss
    meta = Meta(
        method="kan",
        params={"importance": importance, "kind": kind},
        data=(fingerprint(X),),
        rows=len(values),
    )
    return ITEMS[items](model, x, lambda outputs: function(outputs, against), importance, kind, names, meta)


def _columns(
    model: KAN, x: Tensor, loss_of: LossOf, score: str, kind: str, names: list[str], meta: Meta
) -> Scores:
    raw = SCORES[score][kind](model, x, loss_of)
    return Scores.from_values(shares(raw), names, raw=raw, meta=meta.replace(unit="share", additive=True))


def _edges(
    model: KAN, x: Tensor, loss_of: LossOf, score: str, kind: str, names: list[str], meta: Meta
) -> Scores:
    if (score, kind) not in EDGES:
        raise ValueError(f"importance={score!r} says nothing of single edges; use l1, l2 or attr")
    with torch.no_grad():
        values = EDGES[score, kind](model, x, loss_of)
    values = np.sqrt(values) if score == "l2" else values
    nodes = list(range(values.shape[1]))
    return Scores.from_matrix(values, names, nodes, keys=("column", "node"), item="weight", meta=meta)


def _nodes(
    model: KAN, x: Tensor, loss_of: LossOf, score: str, kind: str, names: list[str], meta: Meta
) -> Scores:
    if score != "attr":
        raise ValueError(f"importance={score!r} says nothing of nodes; use attr")
    floors = model.attribute(x).nodes
    places = [(floor, node) for floor, nodes in enumerate(floors) for node in range(len(nodes))]
    return Scores.from_values(
        torch.cat(floors).numpy(), places, keys=("layer", "node"), item="neuron", meta=meta
    )


ITEMS: dict[str, Callable[..., Scores]] = {"columns": _columns, "edges": _edges, "nodes": _nodes}
LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": functional.mse_loss,
    "cross_entropy": functional.cross_entropy,
}


def _comparable(y: Any, like: Tensor, loss: str | Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """The target as a tensor: classes as int64, all else as the network's numbers and in two dimensions."""
    values = np.asarray(y)
    if values.dtype.kind not in "biuf":
        raise ValueError(f"y must be numbers, or classes from 0 up, got {values.dtype}")
    if loss == "cross_entropy":
        return torch.from_numpy(values.astype(np.int64)).to(like.device)
    target = torch.from_numpy(values).to(like)
    return target[:, None] if target.ndim == 1 and loss == "mse" else target
