"""A graph attention network, on lists of edges."""

# ruff: noqa: F722, F821, UP037
from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["GAT", "Edges", "GraphAttention"]

SLOPE = 0.2  # of the LeakyReLU


@dataclass(frozen=True)
class Edges:
    """Who looks at whom: `nodes` receivers, each with a loop, among as many senders or more.

    Attributes
    ----------
    receiver, sender : Tensor of int64, shape (edges,)
    log_weight : Tensor, shape (edges,)
    loop : Tensor of bool, shape (edges,)
    nodes : int
        Receivers.
    """

    receiver: Int[Tensor, "edges"]
    sender: Int[Tensor, "edges"]
    log_weight: Float[Tensor, "edges"]
    loop: Bool[Tensor, "edges"]
    nodes: int

    @classmethod
    def with_loops(
        cls,
        receiver: Int[Tensor, "edges"],
        sender: Int[Tensor, "edges"],
        weight: Float[Tensor, "edges"],
        nodes: int,
        first: int = 0,
    ) -> Self:
        """Add the loops, of weight 1, at the end. Receiver 0 is the sender `first`."""
        every = torch.arange(nodes)
        return cls(
            torch.cat([receiver, every]),
            torch.cat([sender, every + first]),
            torch.cat([weight.log(), torch.zeros(nodes)]),
            torch.cat([torch.zeros(len(receiver), dtype=torch.bool), torch.ones(nodes, dtype=torch.bool)]),
            nodes,
        )

    def masked(self, share: float, generator: torch.Generator) -> Edges:
        """Without a random share of the edges; the loops stay."""
        kept = (torch.rand(len(self.receiver), generator=generator) >= share) | self.loop
        return Edges(
            self.receiver[kept], self.sender[kept], self.log_weight[kept], self.loop[kept], self.nodes
        )


class GraphAttention(nn.Module):
    r"""One layer: each node takes up a weighted mean of what its neighbours are.

    .. math:: e_{ij} = \mathrm{LeakyReLU}_{0.2}(a_1 \cdot W h_i + a_2 \cdot W h_j + \ln w_{ij}), \qquad
              \alpha_{ij} = \mathrm{softmax}_{j \in N(i)}\, e_{ij}, \qquad h'_i = \sum_j \alpha_{ij} W h_j

    for each head by itself, with its own `W`, `a_1` and `a_2`.

    Parameters
    ----------
    n_in, n_out, heads : int
        Of a head: numbers in, numbers out.
    generator : torch.Generator
        Of the first weights, Glorot uniform.

    References
    ----------
    Velickovic et al., Graph Attention Networks, ICLR 2018, arXiv:1710.10903.
    """

    def __init__(self, n_in: int, n_out: int, heads: int, generator: torch.Generator) -> None:
        super().__init__()
        self.heads, self.n_out = heads, n_out
        self.W = nn.Parameter(_glorot((n_in, heads * n_out), n_in, n_out, generator))
        self.a1 = nn.Parameter(_glorot((heads, n_out), n_out, 1, generator))
        self.a2 = nn.Parameter(_glorot((heads, n_out), n_out, 1, generator))

    def forward(
        self, h: Float[Tensor, "nodes n_in"], edges: Edges
    ) -> tuple[Float[Tensor, "nodes heads n_out"], Float[Tensor, "edges heads"]]:
        """New features, and the attention of each edge and head."""
        return self.attend(*self.projected(h), edges)

    def projected(
        self, h: Float[Tensor, "nodes n_in"]
    ) -> tuple[
        Float[Tensor, "nodes heads n_out"], Float[Tensor, "nodes heads"], Float[Tensor, "nodes heads"]
    ]:
        """What every node needs to be attended: W h, and its parts as the one who looks and the one seen."""
        Wh = (h @ self.W).view(-1, self.heads, self.n_out)
        return Wh, (Wh * self.a1).sum(-1), (Wh * self.a2).sum(-1)

    @staticmethod
    def attend(
        Wh: Float[Tensor, "senders heads n_out"],
        looking: Float[Tensor, "nodes heads"],
        seen: Float[Tensor, "senders heads"],
        edges: Edges,
    ) -> tuple[Float[Tensor, "nodes heads n_out"], Float[Tensor, "edges heads"]]:
        """The same for some receivers only, of what `projected` gave."""
        score = looking.index_select(0, edges.receiver) + seen.index_select(0, edges.sender)
        e = functional.leaky_relu(score + edges.log_weight[:, None], SLOPE)
        alpha = _softmax_by(e, edges.receiver, edges.nodes)
        taken = alpha[:, :, None] * Wh.index_select(0, edges.sender)
        out = torch.zeros(edges.nodes, *Wh.shape[1:], dtype=Wh.dtype)
        return out.index_add(0, edges.receiver, taken), alpha


class GAT(nn.Module):
    """Two layers of attention: heads beside each other and ELU, then one head with an output per class.

    Parameters
    ----------
    n_in, hidden, heads, classes : int
    generator : torch.Generator

    Examples
    --------
    >>> import torch
    >>> generator = torch.Generator().manual_seed(0)
    >>> every = torch.arange(3).repeat_interleave(2), torch.tensor([1, 2, 0, 2, 0, 1])
    >>> edges = Edges.with_loops(*every, torch.ones(6), nodes=3)
    >>> logits, attention = GAT(4, 8, 2, 5, generator)(torch.randn(3, 4, generator=generator), edges)
    >>> tuple(logits.shape), [tuple(alpha.shape) for alpha in attention]
    ((3, 5), [(9, 2), (9, 1)])
    """

    def __init__(self, n_in: int, hidden: int, heads: int, classes: int, generator: torch.Generator) -> None:
        super().__init__()
        self.first = GraphAttention(n_in, hidden, heads, generator)
        self.second = GraphAttention(heads * hidden, classes, 1, generator)

    def forward(
        self, x: Float[Tensor, "nodes n_in"], edges: Edges
    ) -> tuple[Float[Tensor, "nodes classes"], list[Float[Tensor, "edges heads"]]]:
        """Logits, and the attention in both layers."""
        h, alpha = self.first(x, edges)
        out, beta = self.second(functional.elu(h.flatten(1)), edges)
        return out.squeeze(1), [alpha, beta]


def _softmax_by(e: Float[Tensor, "edges heads"], group: Tensor, groups: int) -> Float[Tensor, "edges heads"]:
    """Softmax over the edges of each group."""
    with torch.no_grad():  # the shift cancels: it only keeps exp in its range
        places = group[:, None].expand_as(e)
        top = torch.full((groups, e.shape[1]), -torch.inf, dtype=e.dtype).scatter_reduce(0, places, e, "amax")
    power = (e - top.index_select(0, group)).exp()
    total = torch.zeros(groups, e.shape[1], dtype=e.dtype).index_add(0, group, power)
    return power / total.index_select(0, group)


def _glorot(shape: tuple[int, int], n_in: int, n_out: int, generator: torch.Generator) -> Tensor:
    reach = (6.0 / (n_in + n_out)) ** 0.5
    return (2.0 * torch.rand(shape, generator=generator) - 1.0) * reach
