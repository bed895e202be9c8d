"""Class activation maps: where in an image does a convolutional network see a class?"""

# ruff: noqa: F722
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from salience.networks.evaluating import evaluating

__all__ = ["ClassMaps", "class_activation_map", "class_maps", "normalised_maps"]

POOLED = 1e-4  # of the size of the features: how exactly the head must get the mean of the map


def class_activation_map(
    model: nn.Module,
    x: Float[Tensor, "n ch H W"],
    y: Any,
    layer: str | nn.Module | None = None,
    size: tuple[int, int] | None = None,
    *,
    batch_size: int = 256,
) -> Float[Tensor, "n height width"]:
    r"""Where each image carries its class: 1 at the strongest place, 0 at the weakest.

    With global average pooling before a linear head the logit of class :math:`y` is a mean over positions,
    :math:`b_y + \overline{C(u)}` with :math:`C(u) = \sum_k W_{yk} A_k(u)` of the last feature map :math:`A`. The map is
    :math:`\mathrm{ReLU}(C)`, enlarged bilinearly to pixels and rescaled per image. A network that ends otherwise
    has no such weights: name a `layer`, and the mean gradients of the logit there take their place (Grad-CAM). At the
    last feature map of a network that has them both, the two are the same map.

    A map of a network that does not know the class is no evidence of anything. It is as coarse as the layer: 4 x 4
    positions spread over 16 x 16 pixels cannot follow an outline.

    Parameters
    ----------
    model : torch.nn.Module
        From images to logits (n, C). It is looked at in evaluation mode, and left as it was.
    x : Tensor of shape (n, ch, H, W)
    y : int, sequence of int or Tensor of shape (n,)
        Class of each image, a number of the output.
    layer : str or torch.nn.Module, optional
        Of a layer with outputs (n, K, h, w): its name in ``model.named_modules()``, or itself.
    size : (int, int), optional
        Height and width of the maps; those of the images by default.
    batch_size : int, default=256
        Images at a time: memory is that of one batch of features.

    Returns
    -------
    Tensor of shape (n, height, width)
        In [0, 1], without gradients. An image whose map is flat, or nowhere positive, gets 0 everywhere.

    Raises
    ------
    TypeError, ValueError
        Images or classes of another shape or kind, a class that the model has not; a model whose head does not get the
        mean of its last feature map (name a `layer`); a layer that is not there, or not of images.

    References
    ----------
    Zhou et al., Learning Deep Features for Discriminative Localization, arXiv:1512.04150.
    Selvaraju et al., Grad-CAM, arXiv:1610.02391.

    Examples
    --------
    >>> net = nn.Sequential(nn.Conv2d(1, 2, 1, bias=False), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 2))
    >>> with torch.no_grad():
    ...     _ = net[0].weight.fill_(1.0), net[3].weight.fill_(1.0)
    >>> x = torch.zeros(1, 1, 2, 2)
    >>> x[0, 0, 1, 0] = 0.5  # the one bright pixel
    >>> class_activation_map(net, x, 0).tolist()
    [[[0.0, 0.0], [1.0, 0.0]]]
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    images, labels = _checked(x, y)
    pixels = (int(images.shape[2]), int(images.shape[3])) if size is None else size
    parts = [
        normalised_maps(class_maps(model, some, classes, layer).maps, pixels)
        for some, classes in zip(images.split(batch_size), labels.split(batch_size), strict=True)
    ]
    return torch.cat(parts)


class ClassMaps(NamedTuple):
    """What the last layers say of one batch.

    Attributes
    ----------
    maps : Tensor of shape (n, h, w)
        C(u) of the class of each image, signed, at the positions of the feature map.
    logits : Tensor of shape (n, C)
    """

    maps: Tensor
    logits: Tensor


def class_maps(
    model: nn.Module, x: Float[Tensor, "n ch H W"], y: Any, layer: str | nn.Module | None = None
) -> ClassMaps:
    """The signed map of the class of each image at the positions of a layer, and the logits, in one pass.

    Parameters and errors are those of :func:`class_activation_map`; all images go through at once. Without a `layer`
    the mean of a map over its positions, plus the bias of the head, is the logit.
    """
    images, labels = _checked(x, y)
    return _by_head(model, images, labels) if layer is None else _by_gradient(model, images, labels, layer)


def normalised_maps(maps: Float[Tensor, "n h w"], size: tuple[int, int]) -> Float[Tensor, "n height width"]:
    """Positive part, enlarged bilinearly to `size`, then from 0 to 1 per image; a flat map is 0."""
    wide = functional.interpolate(
        maps.clamp(min=0)[:, None], size=size, mode="bilinear", align_corners=False
    )[:, 0]
    low, high = wide.amin((1, 2), keepdim=True), wide.amax((1, 2), keepdim=True)
    span = high - low
    # what differs in the last bits only is flat
    flat = span <= 8 * torch.finfo(wide.dtype).eps * high
    return torch.where(flat, 0.0, (wide - low) / torch.where(flat, 1.0, span))


def _by_head(model: nn.Module, images: Tensor, labels: Tensor) -> ClassMaps:
    seen: dict[str, Any] = {"map": None, "point": None, "linear": None}

    def watch(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if isinstance(module, nn.Linear):
            # what a linear layer gets after the last feature map; the map of that moment goes with it
            seen.update(linear=module, features=inputs[0], pooled=seen["map"], single=seen["point"])
        elif _positions(output) > 1:
            seen["map"] = output
        elif (
            _positions(output) == 1 == _positions(inputs[0] if inputs else None)
        ):  # not what pooling has made
            seen["point"] = output

    with evaluating(model), torch.no_grad(), _hooked(model.modules(), watch):
        logits = model(images)
    _check_classes(labels, logits)
    head = seen["linear"]
    if head is None or not _is_mean(seen["pooled"], seen["features"], head, logits):
        if head is not None and _is_mean(seen["single"], seen["features"], head, logits):
            raise ValueError(
                f"the last feature map of images of {images.shape[2]} x {images.shape[3]} pixels has a single position, "
                "which is no map: take larger images, or name an earlier layer="
            )
        raise ValueError(
            "the model does not end in global average pooling and one nn.Linear, so its head has no weights for the "
            "positions of a feature map: name a layer= to take gradients there instead (Grad-CAM). If it does end so, "
            "the last operation before the pooling must be a module (nn.ReLU instead of functional.relu)"
        )
    maps = torch.einsum("nkhw,nk->nhw", seen["pooled"], head.weight.detach()[labels.to(head.weight.device)])
    return ClassMaps(maps, logits)


def _positions(output: Any) -> int:
    """Of a feature map; 0 of anything else."""
    return output.shape[2] * output.shape[3] if isinstance(output, Tensor) and output.ndim == 4 else 0


def _is_mean(features: Tensor | None, pooled: Tensor, head: nn.Linear, logits: Tensor) -> bool:
    if features is None or pooled.shape != features.shape[:2]:
        return False
    gap = (features.mean((2, 3)) - pooled).abs().max()
    return bool(gap <= POOLED * features.abs().max()) and bool(torch.equal(head(pooled), logits))


def _by_gradient(model: nn.Module, images: Tensor, labels: Tensor, layer: str | nn.Module) -> ClassMaps:
    at = _found(model, layer)
    outputs: list[Any] = []

    def watch(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        outputs.append(output)

    # a caller may have switched gradients off, and a model may have frozen weights: pixels have them all the same
    with evaluating(model), torch.enable_grad(), _hooked([at], watch):
        logits = model(images.detach().requires_grad_())
        _check_classes(labels, logits)
        features = outputs[-1] if outputs else None
        if not isinstance(features, Tensor) or features.ndim != 4:
            got = "nothing" if features is None else f"shape {tuple(getattr(features, 'shape', ()))}"
            raise ValueError(f"layer must give feature maps of shape (n, K, h, w); {layer!r} gave {got}")
        own = logits.gather(1, labels.to(logits.device)[:, None]).sum()
        (gradient,) = torch.autograd.grad(own, features)
    weights = gradient.mean((2, 3))
    return ClassMaps(torch.einsum("nkhw,nk->nhw", features.detach(), weights), logits.detach())


@contextmanager
def _hooked(modules: Any, watch: Any) -> Iterator[None]:
    handles = [module.register_forward_hook(watch) for module in modules]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _found(model: nn.Module, layer: str | nn.Module) -> nn.Module:
    named = dict(model.named_modules())
    if isinstance(layer, nn.Module):
        if not any(layer is module for module in named.values()):
            raise ValueError(f"layer is a {type(layer).__name__} that is not part of the model")
        return layer
    if layer not in named:
        raise ValueError(f"the model has no layer {layer!r}; it has {', '.join(filter(None, named))}")
    return named[layer]


def _checked(x: Any, y: Any) -> tuple[Tensor, Tensor]:
    if not isinstance(x, Tensor) or not x.is_floating_point():
        raise TypeError(
            f"x must be a tensor of floats, got {x.dtype if isinstance(x, Tensor) else type(x).__name__}"
        )
    if x.ndim != 4 or 0 in x.shape:
        raise ValueError(f"x must be images of shape (n, channels, height, width), got {tuple(x.shape)}")
    labels = torch.as_tensor(y)
    if labels.is_floating_point() or labels.dtype == torch.bool or labels.is_complex():
        raise TypeError(f"y must be whole numbers of classes, got {labels.dtype}")
    labels = labels.long().expand(len(x)) if labels.ndim == 0 else labels.long()
    if labels.shape != (len(x),):
        raise ValueError(f"y must have one class per image, shape ({len(x)},); got {tuple(labels.shape)}")
    return x, labels


def _check_classes(labels: Tensor, logits: Tensor) -> None:
    if logits.ndim != 2:
        raise ValueError(f"the model must give logits of shape (n, classes), it gave {tuple(logits.shape)}")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= logits.shape[1]:
        raise ValueError(f"classes {low} to {high} were given, the model has 0 to {logits.shape[1] - 1}")
