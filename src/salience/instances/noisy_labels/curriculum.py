"""All trainings of a `NestedClassifier` in their order: those that estimate R, stage one, stage two."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from salience.instances.noisy_labels.design import Compression, Recipe, trainings_of
from salience.instances.noisy_labels.forgetting import disagreement, out_of_fold
from salience.instances.noisy_labels.learning import Teaching, Validation, learn, teach_each_other
from salience.instances.noisy_labels.network import Network, build
from salience.networks.training import History

if TYPE_CHECKING:
    from salience.instances.noisy_labels.classifier import NestedClassifier

__all__ = ["Learned", "run_curriculum"]


class Learned(NamedTuple):
    """The networks that stay, and how they came about."""

    networks: list[Network]
    validation: Validation
    forget_rate: float
    teaching: Teaching | None
    histories: list[History]


def run_curriculum(
    model: NestedClassifier, compression: Compression, recipes: tuple[Recipe, Recipe], classes: int,
    rows: tuple[Tensor, NDArray[np.int64]], held: tuple[Tensor, NDArray[np.int64]], random: np.random.RandomState,
) -> Learned:  # fmt: skip
    """Train what `model` asks for on `rows`, looking at `held` after each epoch."""
    x, codes = rows
    y = torch.from_numpy(codes)
    told = _telling(model, recipes)

    def seed() -> int:
        return int(random.randint(2**31 - 1))

    def alone(some: Any = slice(None)) -> tuple[Network, Validation, History]:
        network = build(model.backbone, x, model.hidden, model.n_features, classes, compression, seed())
        validation = Validation([network], *held)
        return network, validation, learn(network, x[some], y[some], validation, recipes[0], seed(), told)

    forget_rate = model.forget_rate
    if isinstance(forget_rate, str):
        forget_rate = (
            disagreement(out_of_fold(alone, x, codes, model.folds, seed()), codes) if model.coteach else 0.0
        )
    first, validation, history = alone()
    if not model.coteach:
        return Learned([first], validation, float(forget_rate), None, [history])
    second, _, later = alone()
    validation = Validation([first, second], *held)
    teaching = teach_each_other(
        [first, second], x, y, validation, recipes[1], seed(), told, pairing=model.pairing,
        forget_rate=forget_rate, gradual=model.gradual,
    )  # fmt: skip
    return Learned(
        [first, second], validation, float(forget_rate), teaching, [history, later, teaching.history]
    )


def _telling(model: NestedClassifier, recipes: tuple[Recipe, Recipe]) -> Callable[[], object]:
    """Called after each epoch of whatever training."""
    total = trainings_of(model) * recipes[0].epochs + (recipes[1].epochs if model.coteach else 0)
    done = iter(range(1, total + 1))
    return lambda: None if model.progress is None else model.progress(next(done), total)
