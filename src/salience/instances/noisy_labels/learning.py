"""Train one network by itself, or two that teach each other, and validate every length after each epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from salience.instances.noisy_labels.coteaching import CoTeaching, forget_at, losses, picked_among
from salience.instances.noisy_labels.design import Recipe
from salience.instances.noisy_labels.network import Network, features_of, in_pieces
from salience.networks.batches import TensorBatches
from salience.networks.evaluating import evaluating
from salience.networks.nested import PENALTY, best_length, nested_accuracy
from salience.networks.threads import threads_that_pay
from salience.networks.training import History, fit, supervised_step

__all__ = ["Schedules", "Teaching", "Validation", "learn", "mean_logits", "teach_each_other"]

Ints = NDArray[np.int64]
Told = Callable[[], object]


class Validation:
    """Accuracy of each length of one network, or of the mean logits of several, on rows held out.

    Attributes
    ----------
    accuracy : ndarray of shape (D,)
        At the last call.
    k_star : int
        ``argmax(accuracy - 1e-5 k)``; D where the features have no order.
    """

    def __init__(self, networks: Sequence[Network], X: Tensor, y: Ints) -> None:
        self.networks, self.X, self.y = list(networks), X, y
        self()

    def __call__(self) -> float:
        """1 - accuracy at K*, with what K* costs."""
        with evaluating(*self.networks):
            features = [torch.from_numpy(features_of(network, self.X)) for network in self.networks]
        self.accuracy = nested_accuracy(features, [network.W for network in self.networks], self.y)
        ordered = self.networks[0].ordered
        self.k_star = best_length(self.accuracy) if ordered else len(self.accuracy)
        return 1.0 - float(self.accuracy[self.k_star - 1]) + PENALTY * self.k_star

    def length(self) -> int | None:
        """K*, or None where all features are used."""
        return self.k_star if self.networks[0].ordered else None


class Teaching(NamedTuple):
    """What two networks that taught each other say of the rows.

    Attributes
    ----------
    not_picked : ndarray of float64
        Share of the occasions on which a row of the training set was not picked.
    held_not_picked : ndarray of float64
        The same of the rows held out, of which nothing is learned.
    """

    not_picked: NDArray[np.float64]
    held_not_picked: NDArray[np.float64]
    history: History


def learn(
    network: Network, X: Tensor, y: Tensor, validation: Validation, recipe: Recipe, seed: int, told: Told
) -> History:
    """Stage one: cross-entropy under compression."""
    optimizer = _optimizer(network, recipe)
    step = supervised_step(network, cross_entropy, optimizer)
    batches = TensorBatches(X, y, size=recipe.batch_size, drop_last=_one_is_left(len(y), recipe.batch_size))
    return _fitted(step, network, [optimizer], batches, validation, recipe, seed, told, [])


def teach_each_other(
    networks: Sequence[Network], X: Tensor, y: Tensor, validation: Validation, recipe: Recipe, seed: int, told: Told,
    *, pairing: str, forget_rate: float, gradual: int,
) -> Teaching:  # fmt: skip
    """Stage two: each network learns from the rows that the other finds easy."""
    for network in networks:
        network.freeze_normalisation()
    optimizers = [_optimizer(network, recipe) for network in networks]
    step = CoTeaching(
        networks, optimizers, pairing=pairing, forget_rate=forget_rate, gradual=gradual,
        length=validation.length, rows=len(y),
    )  # fmt: skip
    missed = np.zeros(len(validation.y))

    def look_at_held(epoch: int, record: object) -> None:
        forget = forget_at(epoch - 1, forget_rate, gradual)
        targets = torch.from_numpy(validation.y)
        with torch.no_grad(), evaluating(*networks):
            for network in networks:
                pairs = zip(validation.X.split(1024), targets.split(1024), strict=True)
                value = torch.cat([losses(network, x, t, validation.length()) for x, t in pairs])
                missed[:] += ~picked_among(value, forget)

    batches = TensorBatches(X, y, torch.arange(len(y)), size=recipe.batch_size)
    after = [look_at_held, step.after_epoch]
    history = _fitted(step, step.model, optimizers, batches, validation, recipe, seed, told, after)
    return Teaching(1.0 - step.kept / step.seen, missed / (len(networks) * len(history)), history)


def mean_logits(networks: Sequence[Network], X: Tensor, length: int | None) -> Tensor:
    """Mean of the logits of the networks by the first `length` features, (n, C)."""
    with torch.no_grad(), evaluating(*networks):
        each = [in_pieces(lambda x, net=net: net(x, net.only(length)), X) for net in networks]  # type: ignore[misc]
    return torch.stack(each).mean(0)


def _fitted(
    step: Callable[..., dict[str, float]], model: nn.Module, optimizers: Sequence[torch.optim.Optimizer],
    batches: TensorBatches, validation: Validation, recipe: Recipe, seed: int, told: Told, after: Sequence[Callable],
) -> History:  # fmt: skip
    """Through the one loop; the validation looks at each epoch, and says which was the best if that is kept."""
    best = recipe.keep == "best"

    def look(epoch: int, record: Any) -> None:
        if not best:
            validation()
        record["accuracy"] = float(validation.accuracy[validation.k_star - 1])
        record["k_star"] = validation.k_star
        told()

    schedules = Schedules(optimizers, recipe)

    def one(batch: Sequence[Tensor]) -> dict[str, float]:
        schedules.before_step()
        return step(batch)

    with torch.random.fork_rng(devices=[]), threads_that_pay(recipe.batch_size * _products(model)):
        torch.manual_seed(seed)
        history = fit(
            one, batches, epochs=recipe.epochs, validate=validation if best else None, schedule=schedules,
            after_epoch=[look, *after], generator=torch.Generator().manual_seed(seed), model=model,
        )  # fmt: skip
    if history.stopped == "interrupted":
        raise KeyboardInterrupt
    if not len(history):
        raise ValueError(
            f"the loss was not finite in the first epoch at lr={recipe.lr:g}, so nothing was learned: take a smaller lr, "
            "or scale the columns"
        )
    validation()  # of the weights that stay
    return history


class Schedules:
    """The learning rate: a straight line up over the first steps, then divided at milestones."""

    def __init__(self, optimizers: Sequence[torch.optim.Optimizer], recipe: Recipe) -> None:
        self.optimizers, self.recipe = optimizers, recipe
        self.steps = self.epochs = 0

    def before_step(self) -> None:
        """A step comes."""
        self.steps += 1
        passed = sum(self.epochs >= milestone for milestone in self.recipe.milestones)
        rise = min(1.0, self.steps / self.recipe.warmup) if self.recipe.warmup else 1.0
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self.recipe.lr * rise * self.recipe.gamma**passed

    def step(self) -> None:
        """An epoch is over."""
        self.epochs += 1


def _optimizer(network: Network, recipe: Recipe) -> torch.optim.Optimizer:
    learned = [weight for weight in network.parameters() if weight.requires_grad]
    return torch.optim.SGD(
        learned, recipe.lr, momentum=recipe.momentum, weight_decay=recipe.weight_decay, foreach=True
    )


def _products(model: nn.Module) -> float:
    """Multiply-adds of a row where all layers are linear; else nobody knows, and it counts as many."""
    layers = [part for part in model.modules() if list(part.parameters(recurse=False))]
    linear = [layer.weight.numel() for layer in layers if isinstance(layer, nn.Linear)]
    return sum(linear) if len(linear) == len(layers) else np.inf


def _one_is_left(rows: int, size: int) -> bool:
    """Whether the last batch would have one row, of which batch normalisation makes nothing."""
    return rows > size and rows % size == 1
