"""B-spline bases of many inputs at once, on uniform knots and on any."""

# ruff: noqa: F722
from __future__ import annotations

from functools import cache
from math import comb, factorial

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["bump", "centres_of", "cox_de_boor", "extended"]

# Steps between knots are at least so large in a division: equal knots give a basis of zeros there, not NaN.
SMALLEST_STEP = 1e-8


def bump(v: Float[Tensor, "*shape"], order: int) -> Float[Tensor, "*shape"]:
    r"""The cardinal B-spline: one basis function on uniform knots, `v` steps away from its centre.

    In truncated powers of the distance, a quarter of the operations of the recursion:

    .. math:: B(v) = \frac{1}{k!} \sum_{j < (k+1)/2} (-1)^j \binom{k+1}{j}
              \left(\tfrac{k+1}{2} - j - |v|\right)_+^k

    Order 1 is the hat function :math:`(1 - |v|)_+`.

    Examples
    --------
    >>> import torch
    >>> bump(torch.tensor([-1.5, -0.5, 0.0, 1.0]), 1)
    tensor([0.0000, 0.5000, 1.0000, 0.0000])
    """
    distance = v.abs()
    if order == 1:
        return (1 - distance).relu()
    pieces = [weight * (reach - distance).relu() ** order for reach, weight in _powers(order)]
    return sum(pieces[1:], start=pieces[0])


@cache
def _powers(order: int) -> tuple[tuple[float, float], ...]:
    """Reach and weight of each truncated power."""
    half = (order + 1) / 2
    return tuple(
        (half - j, (-1) ** j * comb(order + 1, j) / factorial(order)) for j in range(order + 1) if j < half
    )


def centres_of(grid: int, order: int) -> Float[Tensor, " basis"]:
    """Where the basis functions of a uniform grid are centred, in steps from its lower end.

    Examples
    --------
    >>> centres_of(2, 1)
    tensor([0., 1., 2.])
    """
    return torch.arange(grid + order) + (1 - order) / 2


def cox_de_boor(
    x: Float[Tensor, "rows inputs"], knots: Float[Tensor, "inputs knots"], order: int
) -> Float[Tensor, "rows basis inputs"]:
    """All basis functions of each input on its own knots, by the recursion of Cox and de Boor.

    For ``order >= 1`` the basis is continuous and vanishes at both ends of the knots, so that it makes no
    difference on which side the last interval is closed.

    Examples
    --------
    >>> import torch
    >>> cox_de_boor(torch.tensor([[0.25]]), torch.tensor([[-1.0, 0.0, 1.0, 2.0]]), 1).flatten()
    tensor([0.7500, 0.2500])
    """
    t, x = knots.T, x[:, None]  # (knots, inputs), (rows, 1, inputs)
    basis = ((x >= t[:-1]) & (x < t[1:])).to(x.dtype)
    for p in range(1, order + 1):
        rise = (t[p:] - t[:-p]).clamp_min(SMALLEST_STEP)  # t_{m+p} - t_m
        left = (x - t[: -p - 1]) / rise[:-1]
        right = (t[p + 1 :] - x) / rise[1:]
        basis = left * basis[:, :-1] + right * basis[:, 1:]
    return basis


def extended(inner: Float[Tensor, "inputs points"], order: int) -> Float[Tensor, "inputs knots"]:
    """The knots of a grid: its points, and `order` more at each end, a mean step apart.

    Examples
    --------
    >>> import torch
    >>> extended(torch.tensor([[0.0, 1.0, 2.0]]), 1)
    tensor([[-1.,  0.,  1.,  2.,  3.]])
    """
    lo, hi = inner[:, :1], inner[:, -1:]
    steps = (
        (hi - lo) / (inner.shape[1] - 1) * torch.arange(1, order + 1, dtype=inner.dtype, device=inner.device)
    )
    return torch.cat([lo - steps.flip(1), inner, hi + steps], dim=1)
