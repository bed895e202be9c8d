"""The door for images and their classes, and the way back to what the caller brought."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from salience.networks.evaluating import evaluating

__all__ = ["check_outputs", "checked_images", "checked_labels", "checked_whole", "like", "placed"]


def checked_images(images: Any, name: str = "images") -> Tensor:
    """Images as a float32 tensor of shape (N, ch, H, W) in [0, 1]; memory is shared where it can be: nothing writes to it.

    Raises
    ------
    TypeError, ValueError
        Another kind, shape or range, and values that are not finite.
    """
    if not isinstance(images, Tensor | np.ndarray):
        raise TypeError(f"{name} must be a numpy array or a torch tensor, got {type(images).__name__}")
    if not (images.is_floating_point() if isinstance(images, Tensor) else images.dtype.kind == "f"):
        raise TypeError(
            f"{name} must be floats in [0, 1], got {images.dtype}; divide whole numbers of 0 to 255 by 255"
        )
    if images.ndim != 4 or 0 in images.shape:
        raise ValueError(
            f"{name} must have shape (N, channels, H, W), got {tuple(images.shape)}; grey images of shape (N, H, W) "
            "become images[:, None]"
        )
    if isinstance(
        images, np.ndarray
    ):  # torch takes no negative strides, and warns of what cannot be written to
        images = torch.from_numpy(np.require(images, np.float32, ["C", "W"]))
    pixels = images.detach().to(torch.float32)
    low, high = float(pixels.min()), float(pixels.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        row = int((~torch.isfinite(pixels)).flatten(1).any(1).nonzero()[0])
        raise ValueError(f"image {row} of {name} has NaN or inf in it; fill it, or leave that image out")
    if low < 0 or high > 1:
        raise ValueError(
            f"{name} must lie in [0, 1], got {low:g} to {high:g}; what standardises pixels belongs into the network"
        )
    return pixels


def checked_labels(labels: Any, rows: int, name: str = "y") -> Tensor:
    """Classes as an int64 tensor of shape (rows,), the numbers of the outputs of a network.

    Raises
    ------
    TypeError, ValueError
        Another kind, length, or numbers below 0.
    """
    array = labels.detach().cpu().numpy() if isinstance(labels, Tensor) else np.asarray(labels)
    if array.dtype.kind not in "iu":
        raise TypeError(
            f"{name} must be whole numbers, the outputs of the network, got {array.dtype}; "
            "np.unique(y, return_inverse=True) numbers names"
        )
    if array.shape != (rows,):
        raise ValueError(f"{name} must have one class per image, shape ({rows},); got {array.shape}")
    if array.min() < 0:
        raise ValueError(f"{name} must be numbers of outputs from 0 up, got {int(array.min())}")
    return torch.from_numpy(array.astype(np.int64))


def checked_whole(value: Any, name: str, least: int) -> int:
    """A whole number from `least` up, or a ValueError."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise ValueError(f"{name} must be a whole number from {least} up, got {value!r}")
    return int(value)


def check_outputs(network: nn.Module, images: Tensor, labels: Tensor, name: str) -> int:
    """How many classes a network has outputs for.

    Raises
    ------
    ValueError
        When it gives no logits of shape (n, classes), or has no output for a class.
    """
    with evaluating(network), torch.no_grad():
        logits = network(placed(images[:1], network))
    if not isinstance(logits, Tensor) or logits.ndim != 2:
        raise ValueError(f"the {name} must give logits of shape (n, classes)")
    if int(labels.max()) >= logits.shape[1]:
        raise ValueError(
            f"there is a class {int(labels.max())}, and the {name} has outputs 0 to {logits.shape[1] - 1}"
        )
    return int(logits.shape[1])


def like(given: Any, tensor: Tensor) -> Any:
    """A tensor as what the caller brought: numpy for numpy, torch for torch."""
    return tensor if isinstance(given, Tensor) else tensor.detach().cpu().numpy()


def placed(tensor: Tensor, network: nn.Module) -> Tensor:
    """The tensor where the weights of a network lie."""
    weight = next(network.parameters(), None)
    return tensor if weight is None else tensor.to(weight.device)
