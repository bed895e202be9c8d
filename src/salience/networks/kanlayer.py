"""A layer of learned one-dimensional functions, one on each edge: the layer of Kolmogorov-Arnold networks."""

# ruff: noqa: F722
from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from salience.networks.splines import bump, centres_of, cox_de_boor, extended

__all__ = ["KANLayer"]

NOISE = 0.1  # size of the first curves, divided by the number of intervals
CELLS = 1 << 22  # numbers of a piece of (rows, inputs, outputs): 16 MB in float32


class KANLayer(nn.Module):
    r"""A spline layer: a silu and a B-spline on every edge, summed at the outputs.

    .. math:: y_o = \sum_i \phi_{oi}(x_i), \qquad
              \phi_{oi}(x) = w^b_{oi}\, \mathrm{silu}(x) + s_{oi} \sum_m c_{oim} B_m(x)

    with the ``grid + order`` B-splines :math:`B_m` on knots that divide ``[lo, hi]`` into `grid` intervals and go
    on for `order` steps on both sides. Inside ``[lo, hi]`` the basis sums to 1; from there it fades, and beyond
    the knots the spline is 0 and only the silu is left. The forward pass is two matrix products; nothing of the
    shape (rows, outputs, inputs) is built.

    Parameters
    ----------
    n_in, n_out : int
    grid : int
        Intervals of ``[lo, hi]``.
    order : int
        Degree of the pieces, at least 1: 1 gives hat functions, 3 cubic splines.
    lo, hi : float
        Where the inputs are expected.
    generator : torch.Generator, optional
        Of the first weights.

    Attributes
    ----------
    base : Parameter, shape (n_out, n_in)
        :math:`w^b`, Kaiming uniform at first.
    coef : Parameter, shape (n_out, n_in, grid + order)
        :math:`c`, at first the least-squares fit to a little noise at the grid points.
    scale : Parameter, shape (n_out, n_in)
        :math:`s`, 1 at first.
    knots : Tensor, shape (n_in, grid + 2 * order + 1)

    References
    ----------
    Liu et al., KAN: Kolmogorov-Arnold Networks, arXiv:2404.19756; the form with two matrix products is that of
    efficient-kan. There `update_grid` refits without dividing by the scale, which changes the curves when it is
    not 1; here it does not.

    Examples
    --------
    >>> import torch
    >>> layer = KANLayer(3, 2, generator=torch.Generator().manual_seed(0))
    >>> x = torch.linspace(-1, 1, 12).reshape(4, 3)
    >>> layer(x).shape, layer.contributions(x).shape
    (torch.Size([4, 2]), torch.Size([4, 3, 2]))
    >>> torch.allclose(layer(x), layer.contributions(x).sum(1), atol=1e-6)
    True
    """

    knots: Tensor
    _inverse_step: Tensor
    _shift: Tensor
    _centres: Tensor

    def __init__(
        self,
        n_in: int,
        n_out: int,
        grid: int = 5,
        order: int = 3,
        lo: float = -1.0,
        hi: float = 1.0,
        *,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        sizes = {"n_in": n_in, "n_out": n_out, "grid": grid, "order": order}
        for name, size in sizes.items():
            if size < 1:
                raise ValueError(f"{name} must be at least 1, got {size}")
        if not lo < hi:
            raise ValueError(f"lo must lie below hi, got {lo} and {hi}")
        self.n_in, self.n_out, self.grid, self.order = n_in, n_out, grid, order
        inner = torch.linspace(lo, hi, grid + 1).expand(n_in, -1)
        self.register_buffer("knots", extended(inner, order).contiguous())
        for name in ("_inverse_step", "_shift", "_centres"):
            self.register_buffer(name, None, persistent=False)
        self._settle()
        self.base = nn.Parameter(torch.empty(n_out, n_in))
        nn.init.kaiming_uniform_(self.base, a=5**0.5, generator=generator)
        # Basis before input in memory, so that the matrix product needs no copy.
        noise = (torch.rand(n_out, grid + 1, n_in, generator=generator) - 0.5) * NOISE / grid
        at_points = self._basis(inner[:1].T.expand(-1, n_in))[:, :, 0].double()
        self.coef = nn.Parameter((torch.linalg.pinv(at_points).float() @ noise).permute(0, 2, 1))
        self.scale = nn.Parameter(torch.ones(n_out, n_in))

    def forward(self, x: Float[Tensor, "rows inputs"]) -> Float[Tensor, "rows outputs"]:
        """The outputs."""
        spline = self.coef.permute(0, 2, 1) * self.scale[:, None]  # (outputs, basis, inputs)
        smooth = functional.linear(functional.silu(x), self.base)
        return torch.addmm(smooth, self._basis(x).flatten(1), spline.flatten(1).T)

    def basis(self, x: Float[Tensor, "rows inputs"]) -> Float[Tensor, "rows inputs basis"]:
        """The values of the B-splines."""
        return self._basis(x).permute(0, 2, 1)

    def contributions(
        self, x: Float[Tensor, "rows all_inputs"], inputs: slice = slice(None)
    ) -> Float[Tensor, "rows inputs outputs"]:
        r"""What each edge adds: :math:`\phi_{oi}(x_i)`; of some `inputs` only, where all would be too many."""
        spline = (self.coef * self.scale[:, :, None])[:, inputs].permute(1, 2, 0)  # (inputs, basis, outputs)
        curves = torch.bmm(self._basis(x).permute(2, 0, 1)[inputs], spline).permute(1, 0, 2)
        return curves + functional.silu(x)[:, inputs, None] * self.base.T[inputs]

    def pieces(
        self, x: Float[Tensor, "rows inputs"]
    ) -> Iterator[tuple[slice, Float[Tensor, "rows some outputs"]]]:
        """The contributions, some inputs at a time: memory for a few million numbers."""
        some = max(1, CELLS // max(1, len(x) * self.n_out))
        for start in range(0, self.n_in, some):
            inputs = slice(start, min(start + some, self.n_in))
            yield inputs, self.contributions(x, inputs)

    def curves(self, i: int, n: int = 200) -> tuple[Float[Tensor, " n"], Float[Tensor, "n outputs"]]:
        """The learned functions of input `i` at `n` points of its grid: points, and one curve per output."""
        if not 0 <= i < self.n_in:
            raise ValueError(f"there are inputs 0 to {self.n_in - 1}, got {i}")
        lo, hi = self.knots[i, self.order].item(), self.knots[i, -self.order - 1].item()
        points = torch.linspace(lo, hi, n, dtype=self.knots.dtype, device=self.knots.device)
        with torch.no_grad():
            x = points[:, None].expand(-1, self.n_in)
            return points, self.contributions(x, slice(i, i + 1))[:, 0]

    @contextmanager
    def knockout(self, inputs: int | Sequence[int]) -> Iterator[None]:
        """While it lasts, all functions of these inputs are 0; afterwards all weights are what they were, bit for bit."""
        chosen = torch.atleast_1d(torch.as_tensor(inputs))
        weights = (self.base, self.coef, self.scale)
        kept = [weight.detach()[:, chosen] for weight in weights]  # indexing by a tensor copies
        with torch.no_grad():
            for weight in weights:
                weight[:, chosen] = 0
        try:
            yield
        finally:
            with torch.no_grad():
                for weight, before in zip(weights, kept, strict=True):
                    weight[:, chosen] = before

    def outside(self, x: Float[Tensor, "rows inputs"]) -> float:
        """Share of the values beyond the knots, where the spline is 0."""
        if not len(x):
            return 0.0
        return float(((x < self.knots[:, 0]) | (x > self.knots[:, -1])).float().mean())

    @torch.no_grad()
    def update_grid(
        self,
        x: Float[Tensor, "rows inputs"],
        grid: int | None = None,
        *,
        eps: float = 0.02,
        margin: float = 0.01,
    ) -> None:
        """Move the knots to where the inputs are, and fit the coefficients to the old curves at these points.

        ``eps`` of uniform points between the smallest and the largest value (and `margin` beyond) and ``1 - eps``
        of quantiles; uniform alone where quantiles tie. The old curves are kept as far as the new splines can
        draw them: exactly when every old knot is one of the new, or when there are no more rows than
        coefficients; else nearly, the better the more intervals.

        Parameters
        ----------
        x : Tensor, shape (rows, n_in)
            Inputs of the layer.
        grid : int, optional
            A new number of intervals; the old one when not given.
        eps : float
            In [0, 1]; 1 gives uniform knots.
        margin : float
            In the unit of the inputs.
        """
        grid = self.grid if grid is None else grid
        if grid < 1 or not 0 <= eps <= 1 or margin < 0 or len(x) < 1 or not torch.isfinite(x).all():
            raise ValueError(
                "update_grid needs at least one row of finite inputs, grid >= 1, eps in [0, 1] and margin >= 0; "
                f"got {len(x)} rows, grid={grid}, eps={eps}, margin={margin}"
            )
        # all in float64: the coefficients are the solution of a least-squares problem
        points = x.double()
        before = self._basis_at(points)
        coef = self.coef.double()
        low, high = points.amin(0)[:, None] - margin, points.amax(0)[:, None] + margin
        high = torch.where(high > low, high, low + 1)
        share = torch.linspace(0, 1, grid + 1, dtype=torch.float64, device=x.device)
        uniform = low + (high - low) * share
        nearest = (share * (len(x) - 1)).round().long()
        quantiles = points.sort(dim=0).values[nearest].T  # torch.quantile refuses large tables
        tied = (quantiles.diff(dim=1) <= 1e-4 * (high - low) / grid).any(1, keepdim=True)
        mixed = eps * uniform + (1 - eps) * quantiles
        self.grid = grid
        self.knots = extended(torch.where(tied, uniform, mixed), self.order).to(x.dtype)
        self._settle()
        after = self._basis_at(points)
        new = self.coef.new_empty(self.n_out, grid + self.order, self.n_in)
        for i in range(self.n_in):  # one input at a time: (rows, outputs) is enough memory
            old = before[:, :, i] @ coef[:, i].T
            fitted = torch.linalg.lstsq(after[:, :, i].cpu(), old.cpu(), driver="gelsd").solution
            new[:, :, i] = fitted.T.to(new)
        if new.shape[1] == self.coef.shape[2]:
            self.coef.copy_(new.permute(0, 2, 1))  # in place: an optimizer keeps its hold of it
        else:
            self.coef = nn.Parameter(new.permute(0, 2, 1))

    def penalty(self, l1: float = 1.0, entropy: float = 1.0) -> Float[Tensor, ""]:
        r"""Size and spread of the coefficients: :math:`\sum_{oi} \overline{|c_{oi}|}` and the entropy of its shares."""
        size = self.coef.abs().mean(2)
        total = size.sum()
        share = (size / total.clamp_min(1e-12)).clamp_min(1e-12)
        return l1 * total - entropy * (share * share.log()).sum()

    def _basis(self, x: Tensor) -> Tensor:
        """(rows, basis, inputs): with the inputs innermost every operation runs over whole rows."""
        if not self._uniform:
            return cox_de_boor(x, self.knots, self.order)
        steps = torch.addcmul(self._shift, x, self._inverse_step)
        return bump(steps[:, None] - self._centres, self.order)

    def _basis_at(self, x: Tensor) -> Tensor:
        return cox_de_boor(x, self.knots.to(x.dtype), self.order)

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._settle()

    def _settle(self) -> None:
        """Find out whether the knots are uniform, and what the quick way then needs."""
        steps = self.knots.diff(dim=1)
        step = steps.mean(1)
        self._uniform = bool((steps - step[:, None]).abs().max() <= 1e-5 * steps.abs().max())
        self._inverse_step = 1 / step
        self._shift = -self.knots[:, self.order] / step
        self._centres = centres_of(self.grid, self.order).to(self.knots)[:, None]

    def extra_repr(self) -> str:
        return f"{self.n_in}, {self.n_out}, grid={self.grid}, order={self.order}"
