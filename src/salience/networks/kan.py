"""Kolmogorov-Arnold networks: spline layers in a row, with the curves and the shares of their inputs."""

# ruff: noqa: F722
from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager
from itertools import pairwise
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from salience.networks.kanlayer import KANLayer

__all__ = ["KAN", "Flow"]

FLOOR = 1e-4  # added to the spread of a node, as pykan does: a dead node gets no score


class Flow(NamedTuple):
    """Where the spread of the outputs comes from; see :meth:`KAN.attribute`.

    Attributes
    ----------
    inputs : Tensor, shape (n_in,)
    nodes : list of Tensor
        Scores of the nodes of each floor, inputs first, outputs last.
    edges : list of Tensor, shape (n_out, n_in) each
        Scores of the edges of each layer.
    """

    inputs: Tensor
    nodes: list[Tensor]
    edges: list[Tensor]


class KAN(nn.Module):
    """A Kolmogorov-Arnold network: :class:`KANLayer` after :class:`KANLayer`.

    Parameters
    ----------
    sizes : sequence of int
        Inputs, hidden nodes of each layer, outputs; at least two.
    grid, order, lo, hi, generator
        Of every layer; see :class:`KANLayer`. Hidden values outside the knots meet the silu only.

    Attributes
    ----------
    layers : ModuleList of KANLayer

    References
    ----------
    Liu et al., KAN: Kolmogorov-Arnold Networks, arXiv:2404.19756.

    Examples
    --------
    >>> import torch
    >>> net = KAN([2, 5, 1], generator=torch.Generator().manual_seed(0))
    >>> x = torch.linspace(-1, 1, 20).reshape(10, 2)
    >>> with net.knockout(0):
    ...     alone = net(x)
    >>> alone.shape, net.attribute(x).inputs.shape
    (torch.Size([10, 1]), torch.Size([2]))
    """

    layers: Sequence[KANLayer]

    def __init__(
        self,
        sizes: Sequence[int],
        grid: int = 5,
        order: int = 3,
        lo: float = -1.0,
        hi: float = 1.0,
        *,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if len(sizes) < 2:
            raise ValueError(f"sizes must name at least inputs and outputs, got {list(sizes)}")
        self.layers = nn.ModuleList(
            KANLayer(n_in, n_out, grid, order, lo, hi, generator=generator) for n_in, n_out in pairwise(sizes)
        )  # type: ignore[assignment]

    @property
    def first(self) -> KANLayer:
        """The layer that meets the inputs."""
        return self.layers[0]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Inputs, hidden nodes, outputs."""
        return (self.first.n_in, *(layer.n_out for layer in self.layers))

    def forward(self, x: Float[Tensor, "rows inputs"]) -> Float[Tensor, "rows outputs"]:
        """The outputs."""
        for layer in self.layers:
            x = layer(x)
        return x

    def after_first(self, hidden: Float[Tensor, "rows hidden"]) -> Float[Tensor, "rows outputs"]:
        """The outputs from those of the first layer."""
        for layer in self.layers[1:]:
            hidden = layer(hidden)
        return hidden

    def contributions(self, x: Float[Tensor, "rows inputs"]) -> Float[Tensor, "rows inputs hidden"]:
        """What each edge of the first layer adds; see :meth:`KANLayer.contributions`."""
        return self.first.contributions(x)

    def curves(self, i: int, n: int = 200) -> tuple[Float[Tensor, " n"], Float[Tensor, "n hidden"]]:
        """The learned functions of input `i`, one per node of the first layer; see :meth:`KANLayer.curves`."""
        return self.first.curves(i, n)

    def knockout(self, inputs: int | Sequence[int]) -> AbstractContextManager[None]:
        """While it lasts, these inputs play no part; see :meth:`KANLayer.knockout`."""
        return self.first.knockout(inputs)

    @torch.no_grad()
    def update_grid(
        self,
        x: Float[Tensor, "rows inputs"],
        grid: int | None = None,
        *,
        eps: float = 0.02,
        margin: float = 0.01,
    ) -> None:
        """Move the knots of every layer to where its inputs are; see :meth:`KANLayer.update_grid`."""
        for layer in self.layers:
            after = layer(x)
            layer.update_grid(x, grid, eps=eps, margin=margin)
            x = after

    def penalty(self, l1: float = 1.0, entropy: float = 1.0) -> Float[Tensor, ""]:
        """Sum over the layers of :meth:`KANLayer.penalty`: cheap, of the coefficients alone."""
        return torch.stack([layer.penalty(l1, entropy) for layer in self.layers]).sum()

    def activation_penalty(
        self, x: Float[Tensor, "rows inputs"], l1: float = 1.0, entropy: float = 2.0
    ) -> Float[Tensor, ""]:
        """pykan's penalty: the mean absolute activation of each edge, and the entropies of its rows and columns.

        For every layer all contributions are built, (rows, inputs, outputs): a sample of the rows will do.
        """
        total = x.new_zeros(())
        for layer in self.layers:
            size = layer.contributions(x).abs().mean(0)
            rows, columns = (size / (size.sum(dim, keepdim=True) + 1) for dim in (0, 1))
            spread = sum(
                -(share * (share + FLOOR).log2()).sum(dim).mean() for dim, share in enumerate((rows, columns))
            )
            total = total + l1 * size.sum() + entropy * spread
            x = layer(x)
        return total

    @torch.no_grad()
    def attribute(
        self,
        x: Float[Tensor, "rows inputs"],
        nodes: Float[Tensor, " nodes"] | None = None,
        floor: int | None = None,
    ) -> Flow:
        r"""How much of the spread of the outputs comes through each edge, node and input.

        Backwards from :math:`S = 1` at every output (pykan takes the mean over the outputs instead of the sum):

        .. math:: E_{oi} = \frac{\mathrm{sd}(\phi_{oi})}{\mathrm{sd}(\mathrm{node}\ o) + 10^{-4}}\, S_o,
                  \qquad S_i = \sum_o E_{oi}

        Parameters
        ----------
        x : Tensor, shape (rows, n_in)
            At least two rows.
        nodes : Tensor, optional
            Scores to start from instead of ones.
        floor : int, optional
            At which floor to start: 1 for the nodes after the first layer; the outputs when not given.
        """
        if len(x) < 2:
            raise ValueError(f"a spread needs at least two rows, got {len(x)}")
        depth = len(self.layers) if floor is None else floor
        if not 1 <= depth <= len(self.layers):
            raise ValueError(f"floor must be from 1 to {len(self.layers)}, got {floor}")
        spreads = []
        for layer in self.layers[:depth]:
            after = layer(x)
            parts = [piece.std(0) for _, piece in layer.pieces(x)]
            spreads.append((torch.cat(parts).T, after.std(0)))  # (outputs, inputs), (outputs,)
            x = after
        scores = [torch.ones_like(spreads[-1][1]) if nodes is None else nodes]
        edges: list[Tensor] = []
        for of_edges, of_nodes in reversed(spreads):
            edges.insert(0, of_edges / (of_nodes + FLOOR)[:, None] * scores[0][:, None])
            scores.insert(0, edges[0].sum(0))
        return Flow(scores[0], scores, edges)

    def prune_input(self, x: Float[Tensor, "rows inputs"], threshold: float = 0.01) -> tuple[KAN, list[int]]:
        """A copy without the inputs whose score of :meth:`attribute` is at most `threshold`, and which are left.

        Raises
        ------
        ValueError
            When none would be left.
        """
        scores = self.attribute(x).inputs
        kept = torch.nonzero(scores > threshold).flatten()
        if not len(kept):
            raise ValueError(f"no input scores above {threshold}: the highest is {scores.max().item():.3g}")
        smaller = copy.deepcopy(self)
        layer = smaller.first
        layer.n_in = len(kept)
        layer.knots = self.first.knots[kept]
        for name in ("base", "coef", "scale"):
            setattr(layer, name, nn.Parameter(getattr(self.first, name).detach()[:, kept]))
        layer._settle()
        return smaller, kept.tolist()

    def interactions(
        self, x: Float[Tensor, "rows inputs"], floor: int = 1, *, share: float = 0.01, active: float = 0.01
    ) -> dict[tuple[int, ...], int]:
        """Which inputs meet in a node, and in how many nodes: those with more than `share` of its largest score.

        Parameters
        ----------
        x : Tensor, shape (rows, n_in)
        floor : int
            Of the nodes; 1 is after the first layer.
        share : float
            Of the largest score among the inputs of a node.
        active : float
            A node counts when its largest score is above this.
        """
        found: Counter[tuple[int, ...]] = Counter()
        flow = self.attribute(x, floor=floor)
        count = len(flow.nodes[-1])
        # the scores of a node of the first floor are those of its edges; deeper ones are followed one by one
        of_nodes = flow.edges[0] if floor == 1 else [
            self.attribute(x, nodes=one, floor=floor).inputs for one in torch.eye(count).to(x)
        ]  # fmt: skip
        for scores in of_nodes:
            if scores.max() > active:
                found[tuple(torch.nonzero(scores > share * scores.max()).flatten().tolist())] += 1
        return dict(found)
