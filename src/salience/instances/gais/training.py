"""Train a graph attention network on pieces of a graph, and read attention and confidence of every row off it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from salience.instances.gais.attention import GAT, Edges, GraphAttention
from salience.instances.gais.batches import Rows
from salience.instances.gais.graphs import RowGraph
from salience.networks.threads import threads_that_pay
from salience.networks.training import fit

__all__ = ["Learning", "Reading", "read_rows"]

AT_ONCE = 1 << 18  # edges that are attended at a time when all rows are read
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Learning:
    """How the network is trained; the parameters of the estimator by the same names."""

    heads: int = 4
    hidden: int = 16
    epochs: int = 60
    lr: float = 0.01
    weight_decay: float = 5e-4
    drop_edges: float = 0.2
    held_out: float = 0.1
    train_batches: int = 64


@dataclass(frozen=True, eq=False)
class Reading:
    """What one network says of the rows.

    Attributes
    ----------
    attention : ndarray, shape (n,)
        That other rows pay to each row; NaN for rows that are not in the graph.
    confidence : ndarray, shape (n,)
        Probability of the label that is given; NaN for the same rows.
    edge_attention : ndarray of float32, shape (edges,)
        Of each edge of the graph, the mean over layers and heads.
    accuracy : float
        On the rows held out of the loss, the mean over their classes of the share that is recognised.
    chance : float
        The same by guessing. A class of one row is not held out, and counts in neither.
    loss : list of float
        Per epoch.
    """

    attention: Floats
    confidence: Floats
    edge_attention: NDArray[np.float32]
    accuracy: float
    chance: float
    loss: list[float]


def read_rows(
    X: Floats,
    codes: NDArray[np.int64],
    graph: RowGraph,
    how: Learning,
    seed: int,
    progress: Callable[[int], object] | None = None,
) -> Reading:
    r"""Train on at most `train_batches` pieces, then read every row of the graph in one pass.

    With :math:`\alpha^{(l,k)}` the attention of layer `l` and head `k`, the row `j` receives
    :math:`a_j = \frac{1}{5} \sum_{l,k} \sum_{i \ne j} \alpha^{(l,k)}_{ij}` (four heads and one are five), and
    :math:`c_j` is the softmax probability of its given label.

    Parameters
    ----------
    X : ndarray, shape (n, d)
        Standardised.
    codes : ndarray of int, shape (n,)
    graph : RowGraph
    how : Learning
    seed : int
    progress : callable, optional
        ``progress(epoch)``.

    Raises
    ------
    KeyboardInterrupt
        When the training was interrupted: half a network says nothing about rows.
    """
    generator = torch.Generator().manual_seed(seed)
    rng = np.random.default_rng(seed)
    x, y = torch.from_numpy(X.astype(np.float32)), torch.from_numpy(codes)
    held = _held_out(codes, graph.covered, how.held_out, rng)
    learned = torch.from_numpy(~held)
    model = GAT(X.shape[1], how.hidden, how.heads, int(codes.max()) + 1, generator)
    telling = [rows for rows in graph.pieces if not held[rows].all()]
    drawn = np.sort(rng.permutation(len(telling))[: how.train_batches])
    pieces = [_piece(graph, telling[b], x, y, learned) for b in drawn]
    step = _Step(model, how, generator)
    with threads_that_pay(0):  # steps are small, and the order of sums would depend on the threads
        history = fit(
            step,
            _Shuffled(pieces),
            epochs=how.epochs,
            generator=generator,
            progress=None if progress is None else lambda epoch, *_: progress(epoch),
        )
        if history.stopped == "interrupted":
            raise KeyboardInterrupt
        with torch.no_grad():
            logits, paid = _read(model, x, graph)
    received = np.bincount(graph.sender, weights=paid, minlength=len(X)).astype(np.float64)
    confidence = torch.softmax(logits, 1)[torch.arange(len(X)), y].double().numpy()
    outside = ~graph.covered
    received[outside] = confidence[outside] = np.nan
    right = (logits.argmax(1) == y).numpy()
    recalls = [right[held & (codes == c)].mean() for c in np.unique(codes[held])]
    count = max(len(recalls), 1)  # where every class has one row, none is held out and nothing is known
    return Reading(received, confidence, paid, float(sum(recalls)) / count, 1.0 / count, history["loss"])


@dataclass
class _Step:
    """One step of Adam on the cross-entropy of the rows that are learned from, some edges left out."""

    model: GAT
    how: Learning
    generator: torch.Generator

    def __post_init__(self) -> None:
        self.optimizer = torch.optim.Adam(
            self.model.parameters(), self.how.lr, weight_decay=self.how.weight_decay, fused=True
        )

    def __call__(self, piece: tuple[Tensor, Tensor, Tensor, Edges]) -> dict[str, float]:
        x, y, learned, edges = piece
        logits, _ = self.model(x, edges.masked(self.how.drop_edges, self.generator))
        loss = functional.cross_entropy(logits[learned], y[learned])
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return {"loss": loss.item()}


@dataclass(frozen=True)
class _Shuffled:
    """The pieces in a new order each epoch."""

    pieces: list[tuple[Tensor, Tensor, Tensor, Edges]]

    def epoch(self, generator: torch.Generator | None) -> Iterator[tuple[Tensor, Tensor, Tensor, Edges]]:
        for i in torch.randperm(len(self.pieces), generator=generator).tolist():
            yield self.pieces[i]


def _held_out(
    codes: NDArray[np.int64], covered: NDArray[np.bool_], share: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """A share of the rows of each class, at least one where it has two."""
    held = np.zeros(len(codes), dtype=bool)
    for c in np.unique(codes):
        rows = np.flatnonzero((codes == c) & covered)
        if len(rows) >= 2:
            held[rng.permutation(rows)[: min(max(round(share * len(rows)), 1), len(rows) - 1)]] = True
    return held


def _piece(
    graph: RowGraph, rows: Rows, x: Tensor, y: Tensor, learned: Tensor
) -> tuple[Tensor, Tensor, Tensor, Edges]:
    """The rows of a piece with the edges between them, numbered from 0."""
    place = np.full(graph.rows, -1, dtype=np.int64)
    place[rows] = np.arange(len(rows))
    starts = np.searchsorted(graph.receiver, rows)
    counts = np.searchsorted(graph.receiver, rows, side="right") - starts
    offset = np.repeat(starts - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts)
    at = np.arange(counts.sum()) + offset  # the edges that come into these rows, row by row
    at = at[place[graph.sender[at]] >= 0]
    receiver, sender = (torch.from_numpy(place[side[at]]) for side in (graph.receiver, graph.sender))
    edges = Edges.with_loops(receiver, sender, torch.from_numpy(graph.weight[at]), len(rows))
    chosen = torch.from_numpy(rows)
    return x[chosen], y[chosen], learned[chosen], edges


def _read(model: GAT, x: Tensor, graph: RowGraph) -> tuple[Tensor, NDArray[np.float32]]:
    """Logits of all rows and attention of all edges, some receivers at a time."""
    h, first = _layer(model.first, x, graph)
    logits, second = _layer(model.second, functional.elu(h.flatten(1)), graph)
    heads = model.first.heads + model.second.heads
    return logits.squeeze(1), ((first + second) / heads).numpy()


def _layer(layer: GraphAttention, h: Tensor, graph: RowGraph) -> tuple[Tensor, Tensor]:
    """What a layer gives, and the attention of each edge summed over its heads."""
    Wh, looking, seen = layer.projected(h)
    out, paid = torch.empty_like(Wh), torch.empty(len(graph.receiver))
    starts = np.searchsorted(graph.receiver, np.arange(graph.rows + 1))
    row = 0
    while row < graph.rows:
        most = starts[row] + AT_ONCE // layer.heads
        end = max(int(np.searchsorted(starts, most, side="right")) - 1, row + 1)
        lo, hi = starts[row], starts[end]
        edges = Edges.with_loops(
            torch.from_numpy(graph.receiver[lo:hi].astype(np.int64) - row),
            torch.from_numpy(graph.sender[lo:hi].astype(np.int64)),
            torch.from_numpy(graph.weight[lo:hi]),
            end - row,
            row,
        )
        out[row:end], alpha = layer.attend(Wh, looking[row:end], seen, edges)
        paid[lo:hi] = alpha[: hi - lo].sum(1)
        row = end
    return out, paid
