"""A small convolutional network with batch normalisation, for images of a few dozen pixels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

__all__ = ["small_convnet"]


def small_convnet(
    classes: int,
    channels: int = 1,
    widths: Sequence[int] = (32, 64, 64),
    *,
    generator: torch.Generator | None = None,
) -> nn.Sequential:
    """Convolutions of 3 x 3 with batch normalisation, halved after each but the last, then the mean and a linear head.

    The mean over positions lets it take images of any size, and gives it class activation maps.

    Parameters
    ----------
    classes, channels : int
        Outputs, and channels of the images.
    widths : sequence of int
        Channels of each convolution.
    generator : torch.Generator, optional
        Of the first weights: a network of its own, whatever was drawn before.

    Returns
    -------
    torch.nn.Sequential
        From images (n, channels, H, W) to logits (n, classes).

    Raises
    ------
    ValueError
        When a number is below 1 or there is no convolution.

    Examples
    --------
    >>> net = small_convnet(10, channels=3)
    >>> net(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """
    widths = tuple(widths)
    if min(classes, channels, *widths, len(widths)) < 1:
        raise ValueError(
            f"classes={classes}, channels={channels} and widths={widths} must be at least 1 each"
        )
    layers: list[nn.Module] = []
    for place, (before, after) in enumerate(zip((channels, *widths[:-1]), widths, strict=True)):
        layers += [nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        if place < len(widths) - 1:
            layers.append(nn.MaxPool2d(2))
    net = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], classes))
    if generator is not None:
        for layer in net:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
            elif isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=layer.in_features**-0.5, generator=generator)
                nn.init.zeros_(layer.bias)
    return net
