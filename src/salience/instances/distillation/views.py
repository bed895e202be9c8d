"""What a student sees of an image: shuffled patches, a crop, a flip, a shift, and a piece of another image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from salience.instances.distillation.pixels import checked_whole

__all__ = ["Drawn", "ImageViews", "View", "cropped", "drawn_sides"]


class View(NamedTuple):
    """One view of all images.

    Attributes
    ----------
    x : Tensor of shape (n, ch, H, W)
    y_org, y_aug : Tensor of int64, shape (n,)
        Class of the image, and of its partner.
    share : Tensor of shape (n,)
        Of the area that is the image's own: lambda.
    """

    x: Tensor
    y_org: Tensor
    y_aug: Tensor
    share: Tensor


class Drawn(NamedTuple):
    """What chance decided for one view; images play no part in it."""

    cells: Tensor | None
    side: Tensor | None
    centre: Tensor | None
    flip: Tensor | None
    shift: Tensor | None
    partner: Tensor
    share: Tensor
    inside: Tensor | None


@dataclass(frozen=True)
class ImageViews:
    """How views of images are made, each from a seed of its own, so that a seed is all that has to be stored.

    Parameters
    ----------
    factor : int, default=1
        Of the grid of patches in each image: above 1 the patches change places, and a crop keeps at least
        ``1 / factor`` of the area.
    crop : (float, float), optional
        Least and largest share of the area of a random resized crop; ``(1 / factor, 1)`` by default.
    flip : bool, default=True
        Mirror every other image. Not for digits and letters.
    shift : int, default=0
        Move by up to so many pixels in either direction; what comes in is 0.
    mix : {"cutmix", "mixup", None}, default="cutmix"
        Put a box of another image in, of a uniform share of the area; or a weighted mean of the two.

    Raises
    ------
    ValueError
        When a number is out of its range.

    Examples
    --------
    >>> views = ImageViews(flip=False, shift=1)
    >>> view = views.make(torch.rand(4, 1, 8, 8), torch.arange(4), seed=0, number=2)
    >>> view.x.shape, bool((view.share <= 1).all())
    (torch.Size([4, 1, 8, 8]), True)
    """

    factor: int = 1
    crop: tuple[float, float] | None = None
    flip: bool = True
    shift: int = 0
    mix: str | None = "cutmix"

    def __post_init__(self) -> None:
        for name, least in (("factor", 1), ("shift", 0)):
            checked_whole(getattr(self, name), name, least)
        low, high = self.areas
        if not 0 < low <= high <= 1:
            raise ValueError(f"crop must be shares of the area, 0 < least <= largest <= 1, got {self.crop}")
        if self.mix not in MIXES:
            raise ValueError(f"mix must be one of {', '.join(map(repr, MIXES))}, got {self.mix!r}")

    @property
    def areas(self) -> tuple[float, float]:
        """Least and largest share of the area of a crop."""
        return (1 / self.factor, 1.0) if self.crop is None else self.crop

    def draw(self, n: int, size: tuple[int, int], *, seed: int, number: int) -> Drawn:
        """Let chance decide view `number` of `n` images; the same seed and number give the same."""
        if size[0] % self.factor or size[1] % self.factor:
            raise ValueError(
                f"factor={self.factor} does not divide the sides of the images, {size[0]} x {size[1]}"
            )
        state = np.random.SeedSequence([seed, number]).generate_state(1, np.uint64)[0]
        random = torch.Generator().manual_seed(int(state) >> 1)
        cells = side = centre = flip = shift = None
        if self.factor > 1:
            cells = torch.rand(n, self.factor**2, generator=random).argsort(1)
        if self.areas[0] < 1:
            side = drawn_sides(n, self.areas, random)
            centre = torch.rand(n, 2, generator=random) * 2 - 1
        if self.flip:
            flip = torch.rand(n, generator=random) < 0.5
        if self.shift:
            shift = torch.randint(-self.shift, self.shift + 1, (n, 2), generator=random)
        return Drawn(cells, side, centre, flip, shift, *MIXES[self.mix](n, size, random))

    def moved(self, x: Tensor, drawn: Drawn) -> Tensor:
        """Everything but the mixing; gradients pass."""
        if drawn.cells is not None:
            x = _shuffled(x, drawn.cells.to(x.device), self.factor)
        if drawn.side is not None and drawn.centre is not None:
            x = cropped(x, drawn.side.to(x.device), drawn.centre.to(x.device))
        if drawn.flip is not None:
            x = torch.where(drawn.flip.to(x.device)[:, None, None, None], x.flip(3), x)
        if drawn.shift is not None:
            x = _shifted(x, drawn.shift.to(x.device), self.shift)
        return x

    def make(self, images: Tensor, labels: Tensor, *, seed: int, number: int) -> View:
        """View `number` of the images.

        Parameters
        ----------
        images : Tensor of shape (n, ch, H, W)
        labels : Tensor of int64, shape (n,)
        seed, number : int
        """
        size = (int(images.shape[2]), int(images.shape[3]))
        drawn = self.draw(len(images), size, seed=seed, number=number)
        x, share = self.moved(images, drawn), drawn.share.to(images.device)
        partner = drawn.partner.to(images.device)
        if drawn.inside is not None:
            x = torch.where(drawn.inside.to(x.device), x[partner], x)
        elif self.mix is not None:
            x = torch.lerp(x[partner], x, share[:, None, None, None])
        return View(x, labels, labels[partner], share)


def drawn_sides(n: int, areas: tuple[float, float], random: torch.Generator) -> Tensor:
    """Sides of square crops as shares of the side of the image, their areas uniform between two shares."""
    low, high = areas
    return (low + (high - low) * torch.rand(n, generator=random)).sqrt()


def cropped(x: Tensor, side: Tensor, centre: Tensor) -> Tensor:
    """A crop of each image, enlarged bilinearly to the size of the image.

    Parameters
    ----------
    x : Tensor of shape (n, ch, H, W)
    side : Tensor of shape (n,)
        In (0, 1]: of the image.
    centre : Tensor of shape (n, 2)
        Down and right, in [-1, 1]: from the one end that the crop can reach to the other.
    """
    at = centre * (1 - side)[:, None]
    zero = torch.zeros_like(side)
    theta = torch.stack(
        [torch.stack([side, zero, at[:, 1]], 1), torch.stack([zero, side, at[:, 0]], 1)], dim=1
    ).to(x.dtype)
    grid = functional.affine_grid(theta, list(x.shape), align_corners=False)
    return functional.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _shuffled(x: Tensor, cells: Tensor, factor: int) -> Tensor:
    n, channels, height, width = x.shape
    h, w = height // factor, width // factor
    parts = x.view(n, channels, factor, h, factor, w).permute(0, 2, 4, 1, 3, 5).reshape(n, -1, channels, h, w)
    parts = parts[torch.arange(n, device=x.device)[:, None], cells]
    parts = parts.view(n, factor, factor, channels, h, w).permute(0, 3, 1, 4, 2, 5)
    return parts.reshape(x.shape)


def _shifted(x: Tensor, shift: Tensor, most: int) -> Tensor:
    wide = functional.pad(x, (most,) * 4)
    n, channels, height, width = x.shape
    rows = torch.arange(height, device=x.device) + most - shift[:, :1]  # (n, height)
    columns = torch.arange(width, device=x.device) + most - shift[:, 1:]
    image = torch.arange(n, device=x.device)[:, None, None, None]
    channel = torch.arange(channels, device=x.device)[None, :, None, None]
    return wide[image, channel, rows[:, None, :, None], columns[:, None, None, :]]


def _alone(n: int, size: tuple[int, int], random: torch.Generator) -> tuple[Tensor, Tensor, None]:
    return torch.arange(n), torch.ones(n), None


def _weighted(n: int, size: tuple[int, int], random: torch.Generator) -> tuple[Tensor, Tensor, None]:
    return torch.randperm(n, generator=random), torch.rand(n, generator=random), None


def _boxed(n: int, size: tuple[int, int], random: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """CutMix: a box whose sides are sqrt(1 - lambda) of the image, cut at the border; lambda is then counted."""
    partner = torch.randperm(n, generator=random)
    extent = (1 - torch.rand(n, generator=random)).sqrt()
    centre = torch.rand(n, 2, generator=random)
    inside = []
    for axis, length in enumerate(size):
        half = (extent * length / 2).round()
        middle = (centre[:, axis] * length).floor()
        place = torch.arange(length)
        inside.append((place >= (middle - half)[:, None]) & (place < (middle + half)[:, None]))
    box = inside[0][:, None, :, None] & inside[1][:, None, None, :]
    return partner, 1 - box.float().mean((1, 2, 3)), box


MIXES: dict[str | None, Callable[[int, tuple[int, int], torch.Generator], tuple[Tensor, Tensor, Any]]] = {
    "cutmix": _boxed,
    "mixup": _weighted,
    None: _alone,
}
