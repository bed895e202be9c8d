"""One training run of a sparse denoising autoencoder: epochs, evolution of the topology, what happened."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from salience.tabular.quickselection.denoising import Batches, DenoisingAutoencoder
from salience.verify.checks.stability import mean_jaccard

__all__ = ["Epoch", "Training", "best"]


@dataclass
class Epoch:
    """Sums over the batches of one pass, and where the weights are at its end.

    ``strength`` and ``out_strength`` are those of every column in the encoder and in the decoder; ``overlap`` is
    the Jaccard index of the best columns with those of the epoch before.
    """

    loss: float = 0.0
    rows: int = 0
    strength: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    out_strength: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    overlap: float = float("nan")

    @property
    def mean_loss(self) -> float:
        """Loss per row."""
        return self.loss / max(self.rows, 1)


class Training:
    """A network and its history.

    Parameters
    ----------
    network : DenoisingAutoencoder
    batches : Batches
    rng : numpy.random.Generator
        Of the order of rows and of the evolution.
    zeta : float
        Share of the connections that an evolution replaces.
    grow : {"random", "importance"}
        Anywhere, or half of it in proportion to the strength of the column.
    batch_size, k : int
    patience : int or None
    stable : float

    Attributes
    ----------
    epochs : list of Epoch
    pruned : ndarray of shape (n_features,) or None
        Strengths after the removal of the last evolution, before growth.
    diverged : bool
        The loss became not finite; that epoch is not in `epochs`.
    """

    def __init__(
        self,
        network: DenoisingAutoencoder,
        batches: Batches,
        rng: np.random.Generator,
        *,
        zeta: float,
        grow: str,
        batch_size: int,
        k: int,
        patience: int | None,
        stable: float,
    ) -> None:
        self.network, self.batches, self.rng = network, batches, rng
        self.zeta, self.grow, self.batch_size = zeta, grow, batch_size
        self.k, self.patience, self.stable = k, patience, stable
        self.epochs: list[Epoch] = []
        self.pruned: NDArray[np.float64] | None = None
        self.diverged = False

    @property
    def settled(self) -> bool:
        """Whether the best columns stayed the same for long enough."""
        last = [epoch.overlap for epoch in self.epochs[-self.patience :]] if self.patience else [0.0]
        return len(last) == self.patience and min(last) >= self.stable  # NaN, the first epoch, is not

    def begin_epoch(self) -> None:
        """Evolve both layers, unless nothing was learned yet, and start a new pass."""
        if self.epochs:
            self._evolve()
        self.epochs.append(Epoch())

    def learn(self, X: Any) -> None:
        """Go through these rows once, in random order, as a part of the current epoch.

        Parameters
        ----------
        X : array, memory map or CSR matrix of shape (n, n_features)
            Read batch by batch.

        Raises
        ------
        ValueError
            When the loss is not finite in the first epoch, or was not before.
        """
        if self.diverged:
            raise ValueError("the loss became not finite before: start anew, with a smaller lr")
        epoch, number = self.epochs[-1], len(self.epochs)
        order = self.rng.permutation(X.shape[0])
        seen = epoch.rows
        for first in range(0, order.size, self.batch_size):
            rows = np.sort(order[first : first + self.batch_size])  # a memory map is read forwards
            part: Any = X[rows]
            part = part.toarray() if issparse(X) else np.asarray(part)
            clean, noisy = self.batches.make(part, rows + seen, number)
            epoch.loss += self.network.step(clean, noisy, rows.size) * rows.size
            epoch.rows += rows.size
            if not np.isfinite(epoch.loss):
                self._give_up()
                return
        epoch.strength = np.where(self.batches.varying, self.network.encoder.strength()[0], 0.0)
        epoch.out_strength = self.network.decoder.strength()[1]
        if number > 1:
            before, now = (best(e.strength, self.k) for e in self.epochs[-2:])
            epoch.overlap = mean_jaccard(np.stack([before, now]))

    def strength_pruned(self) -> NDArray[np.float64]:
        """Strengths as the official code saves them; where there was no evolution yet, as if there was one now."""
        if self.pruned is not None:
            return self.pruned
        encoder = deepcopy(self.network.encoder)
        encoder.prune(self.zeta)
        return encoder.strength()[0]

    def _give_up(self) -> None:
        if len(self.epochs) == 1:
            raise ValueError(
                "the loss is not finite in the first epoch: give a smaller lr, or a smaller clip"
            )
        self.epochs.pop()
        self.diverged = True

    def _evolve(self) -> None:
        encoder, decoder = self.network.encoder, self.network.decoder
        removed = encoder.prune(self.zeta), decoder.prune(self.zeta)
        self.pruned = encoder.strength()[0]
        # The mean on top: half of the growth is uniform, or weak columns would never be tried again.
        columns = self.pruned + self.pruned.mean() if self.grow == "importance" else None
        encoder.grow(removed[0], self.rng, inputs=columns)
        decoder.grow(removed[1], self.rng, outputs=columns)


def best(values: NDArray[Any], k: int) -> NDArray[np.bool_]:
    """Mask of the `k` largest values; ties in the order of the columns, as everywhere in salience.

    Examples
    --------
    >>> best(np.array([1.0, 3.0, 3.0]), 1)
    array([False,  True, False])
    """
    mask = np.zeros(values.size, dtype=bool)
    mask[np.argsort(-values, kind="stable")[:k]] = True
    return mask
