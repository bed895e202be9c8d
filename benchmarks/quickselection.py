"""Against a masked dense torch autoencoder, and against the official formulas in SciPy and NumPy, per epoch."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array

from benchmarks.harness import Row, Settings, paired
from salience.networks.sparse import SparseLayer
from salience.tabular.quickselection.denoising import Batches, DenoisingAutoencoder
from salience.tabular.quickselection.training import Training

HIDDEN, BATCH = 1000, 100
ROWS = {784: 2000, 5000: 1000, 20_000: 500}
LR, MOMENTUM, DECAY, NOISE, DROPOUT = 0.01, 0.9, 1e-5, 0.2, 0.2
FASTER, SMALLER, PEAK = 5.0, 0.10, 0.05
CLOSE = 1e-5
Floats = NDArray[np.float32]


def benchmark(settings: Settings) -> Iterator[Row]:
    """One epoch, ours with its evolution, theirs without; then memory."""
    torch.set_num_threads(settings.threads)
    for peer, columns in (
        (MaskedDense, 5000),
        (MaskedDense, 20_000),
        (OfficialFormulas, 784),
        (OfficialFormulas, 5000),
    ):
        X = np.random.default_rng(0).normal(size=(ROWS[columns], columns)).astype(np.float32)
        gap = _gap(peer, X)
        ours, theirs = _training(columns), peer(_network(columns), NOISE, DROPOUT)
        own, other = paired(partial(_epoch, ours, X), partial(theirs.epoch, X), settings.runs)
        threads = settings.threads if peer is MaskedDense else 1
        yield Row(
            f"one epoch of {len(X)} rows x {columns:,} columns, {HIDDEN} hidden, {peer.name}",
            own, other, "s", f">= {FASTER:g}x", gap <= CLOSE and other >= FASTER * own,
            f"weights after an epoch without noise equal to {gap:.1g}",
            f"one thread, the peer {threads}; the evolution of the topology is in our time only",
        )  # fmt: skip
        if peer is MaskedDense:
            network = ours.network
            held = network.encoder.nbytes + network.decoder.nbytes
            yield Row(
                f"weights, momentum and what training holds beside them, {columns:,} columns, {peer.name}",
                held / 2**20, theirs.nbytes / 2**20, "MiB", f"<= {SMALLER:.0%}", held <= SMALLER * theirs.nbytes,
                "-", f"{held / theirs.nbytes:.1%}; the peer holds weights, gradients, momentum and masks",
            )  # fmt: skip
    columns = 20_000
    peak, dense = _peak(columns), 2 * columns * HIDDEN * 4
    yield Row(
        f"peak of the weights when they are made and evolve, {columns:,} columns, dense weights alone",
        peak / 2**20, dense / 2**20, "MiB", f"< {PEAK:.0%}", peak < PEAK * dense, "-", f"{peak / dense:.1%}",
    )  # fmt: skip


class MaskedDense:
    """Dense weights with masks in torch: what most people would write."""

    name = "masked dense torch"

    def __init__(self, network: DenoisingAutoencoder, noise: float, dropout: float) -> None:
        self.noise, self.dropout = noise, dropout
        layers = (network.encoder, network.decoder)
        self.weights = [torch.tensor(layer.dense(), requires_grad=True) for layer in layers]
        self.biases = [torch.tensor(layer.bias, requires_grad=True) for layer in layers]
        self.masks = [weight.detach() != 0 for weight in self.weights]
        self.optimizer = torch.optim.SGD([*self.weights, *self.biases], lr=LR, momentum=MOMENTUM)

    @property
    def nbytes(self) -> int:
        held = [
            4 * 3 * tensor.numel() for tensor in (*self.weights, *self.biases)
        ]  # value, gradient, momentum
        return sum(held) + sum(mask.numel() for mask in self.masks)

    def epoch(self, X: Floats) -> list[NDArray[Any]]:
        for first in range(0, len(X), BATCH):
            x = torch.from_numpy(X[first : first + BATCH])
            hidden = torch.sigmoid((x + self.noise * torch.randn_like(x)) @ self.weights[0] + self.biases[0])
            if self.dropout:
                hidden = hidden * (torch.rand_like(hidden) >= self.dropout)
            loss = 0.5 * ((hidden @ self.weights[1] + self.biases[1] - x) ** 2).sum(1).mean()
            self.optimizer.zero_grad()
            loss.backward()
            with torch.no_grad():
                for weight, mask in zip(self.weights, self.masks, strict=True):
                    weight.grad *= mask
                for value in (*self.weights, *self.biases):
                    value *= 1 - DECAY
            self.optimizer.step()
        return [value.detach().numpy() for value in (*self.weights, *self.biases)]


class OfficialFormulas:
    """The formulas of the official code: compressed rows of SciPy, and the gradient gathered at their cells."""

    name = "SciPy and NumPy"

    def __init__(self, network: DenoisingAutoencoder, noise: float, dropout: float) -> None:
        self.noise, self.dropout, self.rng = noise, dropout, np.random.default_rng(0)
        self.weights = [csr_array(layer.dense()) for layer in (network.encoder, network.decoder)]
        self.cells = [w.tocoo().coords for w in self.weights]
        self.biases = [layer.bias.copy() for layer in (network.encoder, network.decoder)]
        self.speed = [np.zeros_like(v) for v in (*(w.data for w in self.weights), *self.biases)]

    def epoch(self, X: Floats) -> list[NDArray[Any]]:
        values = [*(w.data for w in self.weights), *self.biases]
        for first in range(0, len(X), BATCH):
            x = X[first : first + BATCH]
            noisy = x + np.float32(self.noise) * self.rng.standard_normal(x.shape, dtype=np.float32)
            hidden = 1 / (1 + np.exp(-(noisy @ self.weights[0] + self.biases[0])))
            if self.dropout:
                hidden *= self.rng.random(hidden.shape, dtype=np.float32) >= self.dropout
            error = (hidden @ self.weights[1] + self.biases[1] - x) / np.float32(len(x))
            back = (error @ self.weights[1].T) * hidden * (1 - hidden)
            gradients = [
                *(
                    np.einsum("bk,bk->k", a[:, i], b[:, j])
                    for (i, j), a, b in zip(self.cells, (noisy, hidden), (back, error), strict=True)
                ),
                back.sum(0),
                error.sum(0),
            ]
            for value, speed, gradient in zip(values, self.speed, gradients, strict=True):
                speed *= np.float32(MOMENTUM)
                speed -= np.float32(LR) * gradient
                value += speed - np.float32(DECAY) * value
        return [*(w.toarray() for w in self.weights), *self.biases]


def _network(columns: int, dropout: float = DROPOUT) -> DenoisingAutoencoder:
    return DenoisingAutoencoder(
        columns,
        HIDDEN,
        np.random.default_rng(0),
        lr=LR,
        momentum=MOMENTUM,
        weight_decay=DECAY,
        dropout=dropout,
    )


def _training(columns: int) -> Training:
    batches = Batches(noise=NOISE, clip=5.0, fixed=False, seed=0)
    batches.scale(np.zeros(columns), np.ones(columns))
    return Training(
        _network(columns), batches, np.random.default_rng(0), zeta=0.2, grow="random", batch_size=BATCH, k=50,
        patience=None, stable=0.9,
    )  # fmt: skip


def _epoch(training: Training, X: Floats) -> None:
    training.begin_epoch()
    training.learn(X)
    del training.epochs[:-2]


def _gap(peer: Any, X: Floats) -> float:
    """Largest difference of weights and biases after one epoch in the order of the rows, without noise and dropout."""
    network = _network(X.shape[1], dropout=0.0)
    found = peer(network, 0.0, 0.0).epoch(X)
    batches = Batches(noise=0.0, clip=np.inf, fixed=True, seed=0)
    batches.scale(np.zeros(X.shape[1]), np.ones(X.shape[1]))
    for first in range(0, len(X), BATCH):
        rows = np.arange(first, min(first + BATCH, len(X)))
        network.step(*batches.make(X[rows], rows, 1), rows.size)
    layers = (network.encoder, network.decoder)
    own = [*(layer.dense() for layer in layers), *(layer.bias for layer in layers)]
    return max(float(np.abs(a - b).max()) for a, b in zip(own, found, strict=True))


def _peak(columns: int) -> int:
    rng = np.random.default_rng(0)
    tracemalloc.start()
    layers = [SparseLayer(a, b, rng) for a, b in ((columns, HIDDEN), (HIDDEN, columns))]
    for layer in layers:
        layer.evolve(0.2, rng)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak
