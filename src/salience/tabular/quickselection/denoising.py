"""A denoising autoencoder of two sparse layers, and the batches it learns from."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import DTypeLike, NDArray
from scipy.special import ndtri

from salience.networks.sparse import SparseLayer, activations

__all__ = ["Batches", "DenoisingAutoencoder"]

Floats = NDArray[np.floating[Any]]


class DenoisingAutoencoder:
    r"""Reconstruct a row from its noisy copy through `hidden` neurons, with existing connections only.

    .. math::

        a = \sigma(\tilde x W_1 + b_1), \qquad y = f(a W_2 + b_2), \qquad
        \delta_2 = (y - x)\,f'(y), \qquad \delta_1 = (\delta_2 W_2^\top)\, a (1 - a)

    The loss is the mean over the batch of :math:`\frac12 \lVert y - x \rVert^2`. In training a neuron of `a` is
    0 with probability `dropout`, and not rescaled. The derivative of tanh is taken once, :math:`1 - y^2`.

    Parameters
    ----------
    n_features, hidden : int
    rng : numpy.random.Generator
    eps : float
        Connections per neuron, about.
    output : {"linear", "tanh"}
    dropout, lr, momentum, weight_decay : float
    dtype : {float32, float64}

    Attributes
    ----------
    encoder, decoder : SparseLayer
    """

    def __init__(
        self,
        n_features: int,
        hidden: int,
        rng: np.random.Generator,
        *,
        eps: float = 13.0,
        output: str = "linear",
        dropout: float = 0.2,
        lr: float = 0.01,
        momentum: float = 0.9,
        weight_decay: float = 1e-5,
        dtype: DTypeLike = np.float32,
    ) -> None:
        self.encoder = SparseLayer(n_features, hidden, rng, eps=eps, dtype=dtype)
        self.decoder = SparseLayer(hidden, n_features, rng, eps=eps, dtype=dtype)
        self.tanh = output == "tanh"
        self.dropout = dropout
        self.descent = partial(SparseLayer.descend, lr=lr, momentum=momentum, decay=weight_decay)
        self._key = rng.integers(2**64, dtype=np.uint64)
        self._steps = 0

    # exp(-z) may overflow: the sigmoid is then 0. What diverges is seen in the loss.
    @np.errstate(over="ignore", invalid="ignore")
    def step(self, clean: Floats, noisy: Floats, examples: int) -> float:
        """Learn from one batch; its loss before the step.

        Parameters
        ----------
        clean, noisy : ndarray of shape (n_features, width)
            What to reconstruct, and from what.
        examples : int
            Columns that hold an example; the others are padding.
        """
        hidden = self.encoder.forward(noisy)
        np.exp(np.negative(hidden, out=hidden), out=hidden)
        _invert_and_drop(hidden, self._key + np.uint64(self._steps), int(self.dropout * 2**16))
        back, loss = np.zeros_like(hidden), 0.0
        for rows in self.decoder.blocks():
            output = self.decoder.forward(hidden, rows=rows)
            if self.tanh:
                np.tanh(output, out=output)
            loss += _error(output, clean[rows], examples, self.tanh)
            self.descent(self.decoder, hidden, output, back=back, rows=rows)
        _through_sigmoid(back, hidden)
        self.descent(self.encoder, noisy, back)
        self._steps += 1
        return loss


class Batches:
    r"""Rows as feature-major batches: standardised, clipped, and once more with noise.

    .. math:: \tilde x = x + \text{noise} \cdot N(0, 1)

    The noise of a cell is a function of the seed, the epoch, the row and the column, so it does not depend on
    how rows were put into batches. A column with factor 0 (a constant one) is 0 and stays so.

    Parameters
    ----------
    noise, clip : float
    fixed : bool
        The same noise in every epoch.
    seed : int
    dtype : {float32, float64}
    """

    def __init__(
        self,
        *,
        noise: float,
        clip: float,
        fixed: bool,
        seed: int,
        dtype: DTypeLike = np.float32,
    ) -> None:
        self.noise, self.clip, self.fixed, self.seed = noise, clip, fixed, seed
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self._normal = _NORMAL.astype(dtype)
        self._room: tuple[Floats, Floats, Floats] | None = None

    def scale(self, shift: NDArray[np.float64], factor: NDArray[np.float64]) -> None:
        """Standardise with these numbers from now on: ``(x - shift) * factor``, each of shape (n_features,)."""
        self._shift, self._factor = shift, factor
        self._noise = np.where(factor == 0, 0.0, self.noise).astype(self.dtype)

    @property
    def varying(self) -> NDArray[np.bool_]:
        """Columns that are not constant."""
        return self._factor != 0

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_room": None}  # room for a batch is made again

    def make(self, X: Floats, rows: NDArray[np.int64], epoch: int) -> tuple[Floats, Floats]:
        """The clean and the noisy batch, each (n_features, width); valid until the next call.

        Parameters
        ----------
        X : ndarray of shape (b, n_features)
        rows : ndarray of int64, shape (b,)
            Numbers of the rows: what their noise depends on.
        epoch : int
        """
        if X.dtype not in (np.float32, np.float64):
            X = X.astype(np.float64)
        if self._room is None or len(self._room[0]) != len(X):
            self._room = (
                np.empty(X.shape, self.dtype),
                activations(X.shape[1], len(X), self.dtype),
                activations(X.shape[1], len(X), self.dtype),
            )
        rowwise, clean, noisy = self._room
        _standardise(np.ascontiguousarray(X), self._shift, self._factor, self.clip, rowwise)
        clean[:, : len(X)] = rowwise.T
        epoch = 0 if self.fixed else epoch
        _add_noise(clean, np.uint64(self.seed), np.uint64(epoch), rows, self._noise, self._normal, noisy)
        return clean, noisy


def _normal_quantiles(levels: int = 2**16) -> NDArray[np.float64]:
    """Normal numbers for 16 random bits: the quantiles in the middle of equal shares, of variance 1."""
    values = ndtri((np.arange(levels) + 0.5) / levels)
    return values / values.std()


_NORMAL = _normal_quantiles()
_ODD = np.uint64(0x9E3779B97F4A7C15)  # the step of splitmix64


@njit(nogil=True, cache=True, inline="always")
def _mixed(z):  # type: ignore[no-untyped-def]
    """The finalizer of splitmix64: random bits from a counter."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@njit(nogil=True, cache=True)
def _standardise(X, shift, factor, clip, out):  # type: ignore[no-untyped-def]
    for i in range(X.shape[0]):
        for j in range(X.shape[1]):
            out[i, j] = min(max((X[i, j] - shift[j]) * factor[j], -clip), clip)


@njit(nogil=True, cache=True)
def _add_noise(clean, seed, epoch, rows, noise, normal, noisy):  # type: ignore[no-untyped-def]
    base = _mixed(seed + _mixed(epoch + _ODD))
    keys = np.empty(rows.size, np.uint64)
    for i in range(rows.size):
        keys[i] = _mixed(base + np.uint64(rows[i]) * _ODD)
    for j in range(clean.shape[0]):
        of_column = np.uint64(j) * _ODD
        for i in range(rows.size):
            bits = _mixed(keys[i] + of_column)
            noisy[j, i] = clean[j, i] + noise[j] * normal[np.int64(bits >> np.uint64(48))]


@njit(nogil=True, cache=True, error_model="numpy")
def _invert_and_drop(values, key, below):  # type: ignore[no-untyped-def]
    """Make ``1 / (1 + value)`` of values, or 0 with probability below / 65536."""
    flat = values.reshape(-1)
    zero, one = values.dtype.type(0), values.dtype.type(1)
    base = _mixed(key + _ODD)
    for i in range(flat.size):
        bits = _mixed(base + np.uint64(i) * _ODD) >> np.uint64(48)
        flat[i] = one / (one + flat[i]) if np.int64(bits) >= below else zero


@njit(nogil=True, cache=True)
def _through_sigmoid(back, hidden):  # type: ignore[no-untyped-def]
    """Derivatives by what went into the sigmoid, of those by its values; 0 where a neuron was dropped."""
    one = hidden.dtype.type(1)
    for row in range(back.shape[0]):
        for t in range(back.shape[1]):
            back[row, t] *= hidden[row, t] * (one - hidden[row, t])


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def _error(output, clean, examples, tanh):  # type: ignore[no-untyped-def]
    """Turn outputs into derivatives of the mean loss, 0 in the padding; return the mean loss."""
    loss = 0.0
    one = output.dtype.type(1)
    share = one / output.dtype.type(examples)
    for j in range(output.shape[0]):
        of_row = output.dtype.type(0)
        for i in range(examples):
            gap = output[j, i] - clean[j, i]
            of_row += gap * gap
            slope = one - output[j, i] * output[j, i] if tanh else one
            output[j, i] = gap * slope * share
        for i in range(examples, output.shape[1]):
            output[j, i] = 0
        loss += of_row
    return 0.5 * loss / examples
