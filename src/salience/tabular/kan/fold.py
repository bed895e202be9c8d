"""One fold: a network is trained on one side and its inputs are scored on the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from salience.networks.batches import TensorBatches
from salience.networks.kan import KAN
from salience.networks.threads import threads_that_pay
from salience.networks.training import fit, supervised_step
from salience.tabular.kan.shares import SCORES
from salience.tabular.kan.targets import Target
from salience.verify.checks.stability import mean_jaccard

__all__ = ["Design", "Fold", "Redundancy", "overlap", "redundancy", "standardised", "trained_fold"]

Floats = NDArray[np.float64]
ROWS = 4096  # that go through the network at once when nothing is learned


class Design(NamedTuple):
    """What the networks of all folds have in common; names as in ``KANSelector``."""

    grid: int
    order: int
    span: float
    clip: bool
    hidden: int | None
    epochs: int
    lr: float
    batch_size: int

    @property
    def reach(self) -> float:
        """The last knot."""
        return self.span * (1 + 2 * self.order / self.grid)


class Fold(NamedTuple):
    """A trained network and what it says.

    Attributes
    ----------
    raw : dict of (score, kind) to ndarray of shape (d,)
        Not normalised; 0 for columns that are constant in the training rows.
    slopes : ndarray of shape (outputs, hidden)
        Mean derivative of each output by each node of the first layer.
    outside : float
        Share of the values beyond the knots.
    reach : ndarray of shape (d,)
        Largest standardised size.
    """

    model: KAN
    centre: Floats
    spread: Floats
    raw: dict[tuple[str, str], Floats]
    loss: float
    null: float
    slopes: Floats
    outside: float
    reach: Floats


class Redundancy(NamedTuple):
    """Mean absolute correlation between two columns.

    Attributes
    ----------
    kept, all : float
        Among the kept columns, and among all; NaN where there is no pair.
    """

    kept: float
    all: float


def trained_fold(
    X: Floats,
    target: Target,
    train: NDArray[np.int64],
    held: NDArray[np.int64],
    *,
    design: Design,
    scores: Sequence[tuple[str, str]],
    seed: int,
    progress: Callable[[int], object] | None = None,
) -> Fold:
    """Standardise and train on the rows `train`, score the columns on `held`.

    Raises
    ------
    KeyboardInterrupt
        When the training was interrupted: half a network says nothing about columns.
    """
    y = target.split(train, held)
    centre, spread = X[train].mean(0), X[train].std(0)
    spread[spread <= len(train) * np.finfo(np.float64).eps * np.abs(centre)] = 0.0  # rounding is no spread
    ours, theirs = (standardised(X[rows], centre, spread) for rows in (train, held))
    reach = ours.abs().amax(0).double().numpy()
    generator = torch.Generator().manual_seed(seed)
    hidden = 2 * X.shape[1] + 1 if design.hidden is None else design.hidden
    model = KAN(
        [X.shape[1], hidden, target.n_outputs], design.grid, design.order, -design.span, design.span,
        generator=generator,
    )  # fmt: skip
    outside = model.first.outside(ours)
    if design.clip:
        ours, theirs = (side.clamp(-design.reach, design.reach) for side in (ours, theirs))
    optimizer = torch.optim.Adam(model.parameters(), design.lr, fused=True)
    weights = sum(layer.base.numel() + layer.coef.numel() for layer in model.layers)
    with threads_that_pay(design.batch_size * weights):
        history = fit(
            supervised_step(model, target.loss, optimizer),
            TensorBatches(ours, y.train, size=design.batch_size),
            epochs=design.epochs,
            generator=generator,
            progress=None if progress is None else lambda epoch, *_: progress(epoch),
        )
        if history.stopped == "interrupted":
            raise KeyboardInterrupt
        raw = {
            (score, kind): SCORES[score][kind](model, theirs, lambda outputs: target.loss(outputs, y.held))
            * (spread > 0)
            for score, kind in scores
        }
        with torch.no_grad():
            outputs = torch.cat([model(rows) for rows in theirs.split(ROWS)])
            loss = float(target.loss(outputs, y.held))
        slopes = _slopes(model, theirs)
    return Fold(model, centre, spread, raw, loss, y.null, slopes, outside, reach)


def standardised(X: Floats, centre: Floats, spread: Floats) -> Tensor:
    """In standard deviations from the centre, float32; columns without spread are 0."""
    per_unit = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 0)
    return torch.from_numpy(((X - centre) * per_unit).astype(np.float32))


def overlap(scores: Floats, k: int) -> float:
    """Mean Jaccard index of the `k` best columns of two rows; NaN for a single row.

    Examples
    --------
    >>> overlap(np.array([[3.0, 2.0, 1.0], [3.0, 1.0, 2.0]]), 2)
    0.3333333333333333
    """
    top = np.zeros(scores.shape, dtype=bool)
    np.put_along_axis(top, np.argsort(-scores, axis=1, kind="stable")[:, :k], True, axis=1)
    return mean_jaccard(top)


def redundancy(X: Floats, kept: NDArray[np.bool_]) -> Redundancy:
    """Mean absolute correlation between columns that vary, among the kept and among all.

    Examples
    --------
    >>> redundancy(np.array([[0.0, 0, 1], [1, 2, 1], [2, 4, 0]]), np.array([True, True, False])).kept
    1.0
    """
    varies = np.ptp(X, axis=0) > 0
    return Redundancy(_mean_correlation(X[:, kept & varies]), _mean_correlation(X[:, varies]))


def _mean_correlation(X: Floats) -> float:
    if X.shape[1] < 2:
        return float("nan")
    sizes = np.abs(np.corrcoef(X, rowvar=False))[np.triu_indices(X.shape[1], 1)]
    return float(sizes.mean())


def _slopes(model: KAN, x: Tensor) -> Floats:
    total = torch.zeros(model.sizes[-1], model.sizes[1], dtype=torch.float64)
    for rows in x.split(ROWS):
        hidden = model.first(rows).detach().requires_grad_()
        outputs = model.after_first(hidden).sum(0)
        for k, output in enumerate(outputs):
            (gradient,) = torch.autograd.grad(output, hidden, retain_graph=k + 1 < len(outputs))
            total[k] += gradient.sum(0).double()
    return (total / len(x)).numpy()
