"""One step of two networks that choose rows for each other: each learns from what the other finds easy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from salience.instances.noisy_labels.network import Lengths, Network

__all__ = ["PAIRINGS", "CoTeaching", "forget_at", "losses", "picked_among"]

Part = slice


class CoTeaching:
    """Each network picks the rows of small loss, and the other makes a step on them.

    In evaluation, with the K* of the last validation, each network picks the share ``1 - R`` of its rows with the
    smallest losses; in training, under one common k, network 1 learns from the pick of network 2 and the other way
    round.

    Parameters
    ----------
    networks : sequence of two Network
    optimizers : sequence of two optimizers
    pairing : {"same", "halves"}
        Both pick from the whole batch, or each from its half.
    forget_rate : float
        R.
    gradual : int
        Epochs over which R grows from 0.
    length : callable
        K* of the last validation, or None where all features are used.
    rows : int
        Of the training set; the last tensor of a batch says which they are.

    Attributes
    ----------
    kept, seen : ndarray of int64, shape (rows,)
        How often a row was picked, and how often one could have picked it.
    """

    def __init__(
        self, networks: Sequence[Network], optimizers: Sequence[torch.optim.Optimizer], *, pairing: str,
        forget_rate: float, gradual: int, length: Callable[[], int | None], rows: int,
    ) -> None:  # fmt: skip
        self.networks, self.model = list(networks), nn.ModuleList(networks)
        self.optimizers, self.pairing, self.length = optimizers, pairing, length
        self.forget_rate, self.gradual, self.epoch = forget_rate, gradual, 0
        self.kept, self.seen = np.zeros(rows, np.int64), np.zeros(rows, np.int64)

    def __call__(self, batch: Sequence[Tensor]) -> dict[str, float]:
        """A step of both networks."""
        x, y, rows = batch
        parts = PAIRINGS[self.pairing](len(y))
        forget = forget_at(self.epoch, self.forget_rate, self.gradual)
        picks = self._picks(x, y, parts, forget)
        for part, pick in zip(parts, picks, strict=True):
            self.seen[rows[part].numpy()] += 1
            self.kept[rows[pick].numpy()] += 1
        self.model.train()
        lengths = self.networks[0].draw(len(y))
        values = [
            cross_entropy(network(x[theirs], _of_rows(lengths, theirs)), y[theirs])
            for network, theirs in zip(self.networks, reversed(picks), strict=True)
        ]
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        torch.stack(
            values
        ).sum().backward()  # the networks share nothing, so each gets the gradient of its own loss
        for optimizer in self.optimizers:
            optimizer.step()
        one, two = (value.item() for value in values)
        return {"loss": (one + two) / 2, "loss1": one, "loss2": two}

    def after_epoch(self, epoch: int, record: Any) -> None:
        """Counts the epochs, for the rate that grows."""
        self.epoch = epoch

    def _picks(self, x: Tensor, y: Tensor, parts: Sequence[Part], forget: float) -> list[Tensor]:
        """Rows of the batch that each network picks from its part."""
        self.model.eval()
        picks = []
        with torch.no_grad():
            for network, part in zip(self.networks, parts, strict=True):
                value = losses(network, x[part], y[part], self.length())
                picks.append(smallest(value, forget) + part.start)
        return picks


def losses(network: Network, x: Tensor, y: Tensor, length: int | None) -> Tensor:
    """Cross-entropy of each row, by the first `length` features."""
    return cross_entropy(network(x, network.only(length)), y, reduction="none")


def picked_among(value: Tensor, forget: float) -> NDArray[np.bool_]:
    """Which rows have the smallest losses, all of one pool."""
    picked = np.zeros(len(value), dtype=bool)
    picked[smallest(value, forget).numpy()] = True
    return picked


def smallest(value: Tensor, forget: float) -> Tensor:
    """Places of the share ``1 - forget`` of the values that are smallest, at least one."""
    keep = max(1, ceil((1 - forget) * len(value) - 1e-9))
    return torch.argsort(value, stable=True)[:keep]


def forget_at(epoch: int, rate: float, gradual: int) -> float:
    """R of an epoch, counted from 0: it grows in equal steps from 0 over the first `gradual` epochs.

    Examples
    --------
    >>> [round(forget_at(epoch, 0.4, 3), 2) for epoch in range(4)]
    [0.0, 0.2, 0.4, 0.4]
    """
    return rate if epoch >= gradual else rate * epoch / max(gradual - 1, 1)


def _halves(rows: int) -> tuple[Part, Part]:
    """Two halves; a last batch that is too small for two is whole for both."""
    return (slice(0, rows // 2), slice(rows // 2, rows)) if rows >= 4 else _same(rows)


def _same(rows: int) -> tuple[Part, Part]:
    return slice(0, rows), slice(0, rows)


def _of_rows(lengths: Lengths, rows: Tensor) -> Lengths:
    """Where each row has a length of its own, those of `rows`."""
    return tuple(k[rows] if isinstance(k, Tensor) and len(k) > 1 else k for k in lengths)


PAIRINGS: dict[str, Callable[[int], tuple[Part, Part]]] = {"same": _same, "halves": _halves}
