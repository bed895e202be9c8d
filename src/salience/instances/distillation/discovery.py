"""Stage 1: the crops of each class that the teacher sees its class all over, and of these the ones it is least sure of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from salience.instances.distillation.pixels import placed
from salience.instances.distillation.views import cropped, drawn_sides
from salience.networks.cam import class_maps, normalised_maps

__all__ = ["ORDERS", "Discovery", "Search", "discover", "true_confidence"]

CRITICAL = 0.5  # of the strongest place: from here on a pixel counts for the CAM ratio
POOL = 2  # t = POOL * ipc * beta usable crops with the highest CAM ratio are looked at for their confidence
DRAWN = 500  # crops whose places are drawn together


@dataclass(frozen=True)
class Search:
    """How crops are looked for; the parameters of :class:`NRRDistiller` of the same names."""

    ipc: int
    factor: int
    confidence: str
    mipc: int
    crops: int
    crop_scale: tuple[float, float]
    correct_only: bool
    batch_size: int

    @property
    def wanted(self) -> int:
        """Crops of a class."""
        return self.ipc * self.factor**2


class Discovery(NamedTuple):
    """What was found.

    Attributes
    ----------
    images : Tensor of shape (C * ipc, ch, H, W)
        The chosen crops of a class, ``factor**2`` to an image.
    labels : Tensor of shape (C * ipc,)
    activation : Tensor of shape (C * ipc, H, W)
        Class activation map in [0, 1], of each crop by itself.
    source : Tensor of int64, shape (C * ipc, factor**2)
        Row of the image that each crop comes from.
    key : Tensor of shape (N,)
        By what a row was chosen among its class; NaN where it could not be.
    confidence, ratio : Tensor of shape (N,)
        Of the best crop of the row; NaN where the row was not looked at.
    correct : Tensor of bool, shape (N,)
    """

    images: Tensor
    labels: Tensor
    activation: Tensor
    source: Tensor
    key: Tensor
    confidence: Tensor
    ratio: Tensor
    correct: Tensor


def discover(
    teacher: nn.Module, images: Tensor, labels: Tensor, classes: int, search: Search, random: torch.Generator,
    tell: Callable[[int], object],
) -> Discovery:  # fmt: skip
    """Choose crops class by class; the teacher is in evaluation mode.

    Raises
    ------
    ValueError
        When classes have fewer usable crops than are wanted; it names them all.
    """
    n = len(images)
    key, confidence, ratio = (torch.full((n,), torch.nan) for _ in range(3))
    correct = torch.zeros(n, dtype=torch.bool)
    found, short = [], {}
    for label in range(classes):
        rows = (labels == label).nonzero()[:, 0]
        rows = rows[torch.randperm(len(rows), generator=random)[: search.mipc]]
        if len(rows):
            best = _best_crops(teacher, images, rows, label, search, random)
            confidence[rows], ratio[rows], correct[rows] = best.confidence, best.ratio, best.correct
            usable = best.ratio.argsort(descending=True, stable=True)
            usable = usable[best.correct[usable]] if search.correct_only else usable
            usable = usable[: POOL * search.wanted]
        else:
            usable = rows
        if len(usable) < search.wanted:
            short[label] = (len(rows), len(usable))
        else:
            order, better = ORDERS[search.confidence]
            value = order(best.confidence[usable], random)
            place = value.argsort(descending=better == "high", stable=True)[: search.wanted]
            key[rows[usable]] = value
            found.append(_stitched(best, rows, usable[place], search))
        tell(label + 1)
    if short:
        raise ValueError(_too_few(short, search))
    crops, maps, source = (torch.cat(parts) for parts in zip(*found, strict=True))
    return Discovery(
        crops, torch.arange(classes).repeat_interleave(search.ipc), maps, source, key, confidence, ratio, correct
    )  # fmt: skip


def true_confidence(
    network: nn.Module, images: Tensor, labels: Tensor, batch_size: int
) -> tuple[Tensor, Tensor]:
    """Probability of the own class, and whether it is the first of all; the network is in evaluation mode."""
    sure, right = [], []
    with torch.no_grad():
        for some, own in zip(images.split(batch_size), labels.split(batch_size), strict=True):
            logits = network(placed(some, network)).cpu()
            sure.append(logits.softmax(1).gather(1, own[:, None])[:, 0])
            right.append(logits.argmax(1) == own)
    return torch.cat(sure), torch.cat(right)


class _Crops(NamedTuple):
    """The best crop of each row: pixels and map of one cell of the grid, and the scores."""

    pixels: Tensor
    maps: Tensor
    ratio: Tensor
    confidence: Tensor
    correct: Tensor


def _best_crops(
    teacher: nn.Module, images: Tensor, rows: Tensor, label: int, search: Search, random: torch.Generator
) -> _Crops:
    parts = []
    m, whole = search.crops, search.crop_scale[0] == 1
    sides, centres = _drawn_crops(len(rows), search, random)
    for places in torch.arange(len(rows)).split(max(search.batch_size // m, 1)):
        n = len(places)
        crops = images[rows[places]].repeat_interleave(m, 0)
        if not whole:
            crops = cropped(crops, sides[places].flatten(), centres[places].flatten(0, 1)).clamp_(0, 1)
        if search.factor > 1:
            crops = functional.avg_pool2d(crops, search.factor)
        seen = class_maps(teacher, placed(crops, teacher), label)
        maps = normalised_maps(seen.maps, (int(crops.shape[2]), int(crops.shape[3]))).cpu()
        ratio = (maps >= CRITICAL).float().mean((1, 2))
        best = torch.arange(n) * m + ratio.view(n, m).argmax(1)
        crops, maps, logits = crops[best], maps[best], seen.logits.cpu()[best]
        if search.factor > 1:
            with torch.no_grad():
                logits = teacher(placed(_padded(crops, search.factor), teacher)).cpu()
        parts.append(_Crops(crops, maps, ratio[best], logits.softmax(1)[:, label], logits.argmax(1) == label))
    return _Crops(*(torch.cat(part) for part in zip(*parts, strict=True)))


def _drawn_crops(n: int, search: Search, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Sides (n, crops) and centres (n, crops, 2), of so many at once that no size of a batch changes them."""
    drawn = [
        (
            drawn_sides(size * search.crops, search.crop_scale, random).view(size, -1),
            torch.rand(size * search.crops, 2, generator=random).view(size, -1, 2) * 2 - 1,
        )
        for size in map(len, torch.arange(n).split(max(DRAWN // search.crops, 1)))
    ]
    sides, centres = (torch.cat(parts) for parts in zip(*drawn, strict=True))
    return sides, centres


def _padded(crops: Tensor, factor: int) -> Tensor:
    """In the middle of an image of zeros, as RDED scores crops."""
    height, width = crops.shape[2:]
    top, left = height * (factor - 1) // 2, width * (factor - 1) // 2
    below, right = height * (factor - 1) - top, width * (factor - 1) - left
    return functional.pad(crops, (left, right, top, below))


def _stitched(best: _Crops, rows: Tensor, chosen: Tensor, search: Search) -> tuple[Tensor, Tensor, Tensor]:
    """Cell k of image i is crop ``k * ipc + i``: every image gets some of the first and some of the last."""
    grid = chosen.view(search.factor**2, search.ipc).T  # (ipc, cells)
    tiles = best.pixels[grid]  # (ipc, cells, ch, h, w)
    images = torch.stack([_tiled(tile, search.factor) for tile in tiles])
    maps = torch.stack([_tiled(tile[:, None], search.factor)[0] for tile in best.maps[grid]])
    return images, maps, rows[grid]


def _tiled(tiles: Tensor, factor: int) -> Tensor:
    """(cells, ch, h, w) to (ch, factor * h, factor * w), row by row."""
    _, channels, h, w = tiles.shape
    grid = tiles.view(factor, factor, channels, h, w).permute(2, 0, 3, 1, 4)
    return grid.reshape(channels, factor * h, factor * w)


def _own(confidence: Tensor, random: torch.Generator) -> Tensor:
    return confidence


def _drawn(confidence: Tensor, random: torch.Generator) -> Tensor:
    return torch.rand(len(confidence), generator=random)


# By what crops are taken, and which of them come first.
ORDERS: dict[str, tuple[Callable[[Tensor, torch.Generator], Tensor], Literal["low", "high"]]] = {
    "low": (_own, "low"),
    "high": (_own, "high"),
    "random": (_drawn, "low"),
}


def _too_few(short: dict[int, tuple[int, int]], search: Search) -> str:
    named = ", ".join(f"{label} ({usable} of {seen} images)" for label, (seen, usable) in short.items())
    which = " that the teacher classifies correctly" if search.correct_only else ""
    return (
        f"{search.wanted} crops{which} are needed of each class (ipc={search.ipc}, factor={search.factor}); too few have "
        f"class {named}. Take a smaller ipc, more images of these classes (mipc), a teacher that knows them, or "
        "correct_only=False"
    )
