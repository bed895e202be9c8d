"""Stage 2: rewrite the pixels that are not critical, towards the class and the statistics of the teacher."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from salience.instances.distillation.pixels import placed
from salience.instances.distillation.views import ImageViews
from salience.networks.training import History, fit

__all__ = ["Refinement", "batch_norm_gap", "normalisations", "refine", "refinement_mask"]


@dataclass(frozen=True)
class Refinement:
    """How pixels are rewritten; the parameters of :class:`NRRDistiller` of the same names."""

    eps: float = 0.5
    steps: int = 100
    step_size: float = 1.0
    alpha_bn: float = 0.01
    first_bn: float = 10.0
    augment: ImageViews | None = None
    batch_size: int = 500
    seed: int = 0


def refine(
    teacher: nn.Module, images: Tensor, labels: Tensor, activation: Tensor, how: Refinement,
    tell: Callable[[int], object] | None = None,
) -> tuple[Tensor, History]:  # fmt: skip
    """Rewritten images; the teacher is in evaluation mode, and its weights get no gradients.

    Parameters
    ----------
    teacher : torch.nn.Module
    images : Tensor of shape (n, ch, H, W)
    labels : Tensor of int64, shape (n,)
    activation : Tensor of shape (n, H, W)
        In [0, 1]: pixels of at least ``how.eps`` stay, bit for bit.
    how : Refinement
    tell : callable, optional
        ``tell(steps done)``.

    Returns
    -------
    images : Tensor of shape (n, ch, H, W)
    history : History
        Per step: ``loss``, ``cross_entropy``, ``bn``.
    """
    pixels = placed(images, teacher).clone()
    if not how.steps:
        return pixels.to(images.device), History(stopped="epochs")
    step = _Step(teacher, pixels, placed(labels, teacher), placed(activation, teacher), how)
    # every batch takes every k-th image: the images stand class by class, and batch statistics need all classes
    count = -(-len(images) // how.batch_size)
    batches = tuple(torch.arange(len(images))[first::count] for first in range(count))
    history = fit(
        step, batches, epochs=how.steps,
        progress=None if tell is None else lambda done, total, record: tell(done),
    )  # fmt: skip
    if history.stopped == "interrupted":
        raise KeyboardInterrupt
    return pixels.to(images.device), history


def refinement_mask(activation: Tensor, eps: float) -> Tensor:
    """M = max(0, eps - C): how far each pixel may be rewritten; 0 where it is critical."""
    return (eps - activation).clamp(min=0)


def normalisations(teacher: nn.Module) -> list[nn.BatchNorm2d]:
    """Batch normalisations that keep running statistics, in the order of the model."""
    return [
        module
        for module in teacher.modules()
        if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None
    ]


def batch_norm_gap(teacher: nn.Module, x: Tensor, first: float = 10.0) -> tuple[Tensor, Tensor]:
    r"""Logits, and how far the batch is from what the teacher was trained on.

    :math:`\sum_l w_l (\lVert \mu_l(x) - \mu_l \rVert_2 + \lVert \sigma^2_l(x) - \sigma^2_l \rVert_2)` over the inputs of all
    batch normalisations, statistics of the batch against the running ones; :math:`w_1` is `first`, the others 1.
    """
    layers = normalisations(teacher)
    terms: list[Tensor] = []
    weights = {id(layer): first if place == 0 else 1.0 for place, layer in enumerate(layers)}

    def watch(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        variance, mean = torch.var_mean(inputs[0], (0, 2, 3), correction=0)
        gap = (mean - module.running_mean).norm() + (variance - module.running_var).norm()  # type: ignore[operator]
        terms.append(weights[id(module)] * gap)

    with _watched(layers, watch):
        logits = teacher(x)
    return logits, torch.stack(terms).sum() if terms else x.new_zeros(())


class _Step:
    """One step on one batch of images; it owns the pixels, as other steps own their optimizers."""

    def __init__(
        self, teacher: nn.Module, pixels: Tensor, labels: Tensor, activation: Tensor, how: Refinement
    ) -> None:
        self.teacher, self.pixels, self.labels, self.how = teacher, pixels, labels, how
        self.mask = refinement_mask(activation, how.eps)[:, None]
        self.done = 0

    def __call__(self, rows: Tensor) -> dict[str, float]:
        how = self.how
        x = self.pixels[rows].requires_grad_()
        seen = x
        if how.augment is not None:
            drawn = how.augment.draw(
                len(rows), (int(x.shape[2]), int(x.shape[3])), seed=how.seed, number=self.done
            )
            seen = how.augment.moved(x, drawn)
        self.done += 1
        if how.alpha_bn:
            logits, gap = batch_norm_gap(self.teacher, seen, how.first_bn)
        else:
            logits, gap = self.teacher(seen), x.new_zeros(())
        entropy = functional.cross_entropy(logits, self.labels[rows])
        loss = entropy + how.alpha_bn * gap
        if torch.isfinite(loss):
            (gradient,) = torch.autograd.grad(loss, x)
            size = gradient.flatten(1).norm(dim=1)
            move = how.step_size * self.mask[rows] * gradient / size[:, None, None, None]
            # neither a gradient of length 0 nor one that is not a number moves anything
            moved = (x.detach() - move).clamp(0, 1)
            self.pixels[rows] = torch.where(torch.isfinite(move), moved, x.detach())
        return {"loss": loss.item(), "cross_entropy": entropy.item(), "bn": gap.item()}


@contextmanager
def _watched(layers: list[nn.BatchNorm2d], watch: Callable[..., None]) -> Iterator[None]:
    handles = [layer.register_forward_pre_hook(watch) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
