"""A layer whose weights exist only where there is a connection, and whose connections evolve while it learns.

No torch and no dense matrix. Activations are *feature-major*, (neurons, examples): what one connection needs of
a batch is two contiguous rows, best made by `activations`; columns of padding must hold zero errors.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from salience.networks.sparsekernels import (
    descend,
    gather,
    gather_and_descend,
    row_sums,
    scatter,
    strength,
)
from salience.networks.topology import compact, first_cells, free_cells, merge, nearest_to_zero, positive_part

__all__ = ["SparseLayer", "activations"]

Floats = NDArray[np.floating[Any]]


def activations(neurons: int, examples: int, dtype: DTypeLike = np.float32) -> Floats:
    """Zeros of shape (neurons, width), with `examples` rounded up to a multiple of 16.

    In float32 every row then fills whole lines of the cache and starts at the start of one.

    Examples
    --------
    >>> activations(3, 100).shape
    (3, 112)
    """
    room = _uninitialised(neurons, examples, dtype)
    room[:] = 0
    return room


def _uninitialised(neurons: int, examples: int, dtype: DTypeLike) -> Floats:
    width = -(-examples // 16) * 16
    size, line = neurons * width, 64 // np.dtype(dtype).itemsize
    room = np.empty(size + line, dtype)
    first = -(room.ctypes.data // room.itemsize) % line
    return room[first : first + size].reshape(neurons, width)


class SparseLayer:
    r"""A linear layer with a random sparse topology that evolves: sparse evolutionary training (SET).

    .. math:: z_j = b_j + \sum_{i : (i, j) \in M} W_{ij}\, x_i

    The start is of the kind of Erdos and Renyi: :math:`\varepsilon (n_{in} + n_{out})` cells drawn with
    replacement, so that a few fewer remain; all cells when there are no more than that. Weights are drawn from
    N(0, `scale` squared), biases are 0. At the end of an epoch `prune` takes the weights that are closest to
    zero and `grow` gives as many at free cells.

    Parameters
    ----------
    n_in, n_out : int
        Neurons on both sides.
    rng : numpy.random.Generator
    eps : float
        Connections per neuron, about.
    scale : float
        Standard deviation of new weights.
    dtype : {float32, float64}
        Of weights and activations. float64 is for checks of the gradient.

    Attributes
    ----------
    weight, velocity : ndarray of shape (size,)
        Values of the connections and their momentum, sorted by the longer side, then by the shorter one.
    bias, bias_velocity : ndarray of shape (n_out,)
    requested : int
        Connections that were asked for.

    Notes
    -----
    Connections are compressed rows over the *longer* side (inputs of an encoder, outputs of a decoder); the
    activations of the shorter side then stay in the cache. A connection costs 10 bytes in float32 when the
    shorter side has at most 65,536 neurons.

    References
    ----------
    Mocanu et al., Scalable training of artificial neural networks with adaptive sparse connectivity inspired by
    network science, Nature Communications 2018. Growth by importance: WAST, arXiv:2211.14627.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> layer = SparseLayer(500, 50, rng, eps=2)
    >>> layer.size, round(layer.density, 3)
    (1073, 0.043)
    >>> x = rng.normal(size=(500, 16)).astype(np.float32)
    >>> bool(np.allclose(layer.forward(x), layer.dense().T @ x, atol=1e-5))
    True
    >>> layer.evolve(0.2, rng), layer.size
    (213, 1073)
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        rng: np.random.Generator,
        *,
        eps: float = 13.0,
        scale: float = 0.1,
        dtype: DTypeLike = np.float32,
    ) -> None:
        if n_in < 1 or n_out < 1:
            raise ValueError(f"a layer needs neurons on both sides, got {n_in} and {n_out}")
        if not eps > 0:
            raise ValueError(f"eps, the connections per neuron, must be positive, got {eps}")
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        if self.dtype not in (np.float32, np.float64):
            raise ValueError(f"dtype must be float32 or float64, got {self.dtype}")
        self.n_in, self.n_out, self.scale = n_in, n_out, scale
        self.by_input = n_in >= n_out
        self.rows, self.columns = max(n_in, n_out), min(n_in, n_out)
        self.requested = round(eps * (n_in + n_out))
        cells = first_cells(self.rows, self.columns, self.requested, rng)
        starts = np.arange(self.rows, dtype=np.int64) * self.columns
        self._start = np.append(np.searchsorted(cells, starts.astype(cells.dtype)), cells.size)
        self._end = np.remainder(cells, cells.dtype.type(self.columns), out=cells).astype(
            np.uint16 if self.columns <= 2**16 else np.uint32
        )
        del cells  # before the weights are made: they are most of the peak of memory
        self.weight = self._new_weights(self._end.size, rng)
        self.velocity = np.zeros_like(self.weight)
        self.bias = np.zeros(n_out, self.dtype)
        self.bias_velocity = np.zeros_like(self.bias)

    @property
    def size(self) -> int:
        """How many connections there are."""
        return int(self._start[-1])

    @property
    def density(self) -> float:
        """Share of the cells that hold a connection."""
        return self.size / (self.n_in * self.n_out)

    @property
    def nbytes(self) -> int:
        """Bytes of weights, momentum, topology and biases."""
        held = (self.weight, self.velocity, self._end, self._start, self.bias, self.bias_velocity)
        return sum(array.nbytes for array in held)

    def connections(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Input and output neuron of each connection, in the order of `weight`."""
        row = np.repeat(np.arange(self.rows), np.diff(self._start))
        column = self._end[: self.size].astype(np.int64)
        return (row, column) if self.by_input else (column, row)

    def dense(self) -> Floats:
        """The weights as a matrix of shape (n_in, n_out): for small layers and for tests."""
        matrix = np.zeros((self.n_in, self.n_out), self.dtype)
        matrix[self.connections()] = self.weight[: self.size]
        return matrix

    def strength(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Sum of the sizes of the weights of each input and of each output, shapes (n_in,) and (n_out,)."""
        of_rows, of_columns = np.zeros(self.rows), np.zeros(self.columns)
        strength(self._start, self._end, self.weight, of_rows, of_columns)
        return (of_rows, of_columns) if self.by_input else (of_columns, of_rows)

    def degree(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Number of connections of each input and of each output."""
        of_rows = np.diff(self._start)
        of_columns = np.bincount(self._end[: self.size], minlength=self.columns)
        return (of_rows, of_columns) if self.by_input else (of_columns, of_rows)

    def forward(self, x: Floats, *, rows: slice = slice(None)) -> Floats:
        """The outputs of a batch.

        Parameters
        ----------
        x : ndarray of shape (n_in, width)
        rows : slice
            Of the outputs, where these are the longer side: a part of them, so that it stays in the cache.

        Returns
        -------
        ndarray of shape (n_out, width), or (rows, width)
        """
        start, bias = self._starts(rows), self.bias[rows]
        out = _uninitialised(bias.size, x.shape[1], self.dtype)[:, : x.shape[1]]
        out[:] = bias[:, None]
        if self.by_input:
            scatter(start, self._end, self.weight, x, out)
        else:
            gather(start, self._end, self.weight, x, out)
        return out

    def descend(
        self,
        x: Floats,
        error: Floats,
        *,
        lr: float,
        momentum: float = 0.0,
        decay: float = 0.0,
        back: Floats | None = None,
        rows: slice = slice(None),
    ) -> None:
        r"""One step down the gradient :math:`g_{ij} = \sum_b x_{ib}\,\delta_{jb}`, at existing connections only.

        .. math:: v \leftarrow \mu v - \eta g, \qquad W \leftarrow W + v - \lambda W

        Parameters
        ----------
        x : ndarray of shape (n_in, width)
            What the layer was given.
        error : ndarray of shape (n_out, width), or (rows, width)
            Derivative of the loss by the outputs (of those in `rows`). For a mean over the batch it is
            divided by the number of examples; zero in the columns of padding.
        lr, momentum, decay : float
            The decay is decoupled: it is no part of the momentum.
        back : ndarray of shape (n_in, width), optional
            The derivative by the inputs, with the weights before the step, is added to it.
        rows : slice
            As in :meth:`forward`.
        """
        step = (self.dtype.type(lr), self.dtype.type(momentum), self.dtype.type(decay))
        start, held = self._starts(rows), (self._end, self.weight, self.velocity)
        if self.by_input:
            if back is None:
                descend(start, *held, x, error, *step)
            else:
                gather_and_descend(start, *held, x, error, back, *step)
        else:
            if back is not None:
                scatter(start, self._end, self.weight, error, back)
            descend(start, *held, error, x, *step)
        bias, velocity = self.bias[rows], self.bias_velocity[rows]
        velocity *= step[1]
        velocity -= step[0] * row_sums(error)
        bias += velocity - step[2] * bias

    def evolve(self, zeta: float, rng: np.random.Generator, **importance: NDArray[Any] | None) -> int:
        """Replace the share `zeta` of the connections: :meth:`prune`, then :meth:`grow`; returns how many."""
        removed = self.prune(zeta)
        self.grow(removed, rng, **importance)
        return removed

    def prune(self, zeta: float) -> int:
        """Remove the share `zeta` of the positive weights, the smallest, and of the negative ones, the largest.

        Returns how many were removed. Ties at the threshold go in the order of the cells.
        """
        if not 0 < zeta < 1:
            raise ValueError(f"zeta, the share of connections to replace, must lie in (0, 1), got {zeta}")
        held, one = self.weight[: self.size], self.dtype.type(1)
        positive, ties_above = nearest_to_zero(positive_part(held, one), zeta)
        negative, ties_below = nearest_to_zero(positive_part(held, -one), zeta)
        before = self.size
        compact(
            self._start, self._end, self.weight, self.velocity, positive, ties_above, -negative, ties_below
        )
        return before - self.size

    def grow(
        self,
        count: int,
        rng: np.random.Generator,
        *,
        inputs: NDArray[Any] | None = None,
        outputs: NDArray[Any] | None = None,
    ) -> None:
        """Connect `count` free cells, with new weights and no momentum.

        Parameters
        ----------
        count : int
            At most as many as were pruned.
        rng : numpy.random.Generator
        inputs, outputs : ndarray of shape (n_in,), (n_out,), optional
            Draw the ends in proportion to these numbers instead of uniformly.
        """
        room = self.weight.size - self.size
        if not 0 <= count <= room:
            raise ValueError(f"there is room for 0 to {room} connections, got count={count}; prune first")
        ends = (inputs, outputs) if self.by_input else (outputs, inputs)
        cells = free_cells(self._start, self._end, self.columns, count, rng, *ends)
        values = self._new_weights(count, rng)
        merge(self._start, self._end, self.weight, self.velocity, cells, values, self.columns)

    def blocks(self, rows: int = 1024) -> Iterator[slice]:
        """Parts of the outputs for `forward` and `descend`; one part where the outputs are the shorter side."""
        if self.by_input:
            yield slice(None)
        else:
            yield from (slice(first, first + rows) for first in range(0, self.n_out, rows))

    def _starts(self, rows: slice) -> NDArray[np.int64]:
        if self.by_input and rows != slice(None):
            raise ValueError(f"the outputs are the shorter side of this layer: take all of them, not {rows}")
        first, stop, _ = rows.indices(self.rows)
        return self._start[first : stop + 1]

    def _new_weights(self, count: int, rng: np.random.Generator) -> Floats:
        values = rng.standard_normal(count, dtype=self.dtype)
        values *= self.dtype.type(self.scale)
        return values
