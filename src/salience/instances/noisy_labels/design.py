"""What a `NestedClassifier` was asked for, checked: how features are compressed and how each stage is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from salience.instances.noisy_labels.classifier import NestedClassifier

__all__ = ["Compression", "Recipe", "compression_of", "recipes_of", "trainings_of"]

NUMBER = int | float | np.number


class Compression(NamedTuple):
    """How features are compressed; a sigma (None: by the rule) for each masked stage."""

    kind: str
    sigmas: tuple[float | None, ...]
    mu: float
    k_per: str
    rate: float
    alternate: bool


class Recipe(NamedTuple):
    """How a stage is trained."""

    epochs: int
    lr: float
    milestones: tuple[int, ...]
    gamma: float
    warmup: int
    momentum: float
    weight_decay: float
    batch_size: int
    keep: str


def compression_of(model: NestedClassifier) -> Compression:
    """The parameters that compress, or an error that says which are out of range."""
    sigma, kind = model.sigma, model.compression
    given = tuple(sigma) if isinstance(sigma, list | tuple) else (sigma,)
    if kind != "nested" and sigma is not None:
        raise ValueError(f"sigma={sigma} is of nested dropout, but compression={kind!r}: choose one of them")
    if not given or not all(one is None or (isinstance(one, NUMBER) and one > 0) for one in given):
        raise ValueError(f"sigma must be positive, or one positive number for each stage, got {sigma!r}")
    sigmas = tuple(None if one is None else float(one) for one in given)
    return Compression(kind, sigmas, float(model.mu), model.k_per, model.rate, model.alternate)


def recipes_of(model: NestedClassifier) -> tuple[Recipe, Recipe]:
    """The parameters that train, for each stage, or an error that says which are out of range."""
    for name in ("epochs", "lr", "milestones"):
        given = getattr(model, name)
        if len(given) != 2:
            raise ValueError(f"{name} has one entry for each of the two stages, got {given!r}")
    if not all(isinstance(n, int | np.integer) and n >= 1 for n in model.epochs):
        raise ValueError(f"epochs are whole numbers from 1 up, got {model.epochs!r}")
    if not all(isinstance(rate, NUMBER) and rate > 0 for rate in model.lr):
        raise ValueError(f"lr has positive numbers, got {model.lr!r}")
    if not all(
        isinstance(some, list | tuple) and all(isinstance(n, int | np.integer) and n >= 1 for n in some)
        for some in model.milestones
    ):
        raise ValueError(f"milestones are two lists of epochs, each from 1 up, got {model.milestones!r}")
    if model.pairing == "halves" and model.batch_size < 4:
        raise ValueError(
            f"pairing='halves' needs batches of at least 4 rows, got batch_size={model.batch_size}"
        )
    one, two = (
        Recipe(
            int(model.epochs[i]), float(model.lr[i]), tuple(model.milestones[i]), model.gamma,
            model.warmup if i == 0 else 0, model.momentum, model.weight_decay, model.batch_size, model.keep,
        )
        for i in (0, 1)
    )  # fmt: skip
    return one, two


def trainings_of(model: NestedClassifier) -> int:
    """How often stage one is run: for the networks that stay, and for each fold of an estimate of R."""
    if not model.coteach:
        return 1
    return 2 + (model.folds if isinstance(model.forget_rate, str) else 0)
