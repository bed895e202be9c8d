"""What a network is trained to say: how a target becomes tensors, outputs and a loss, and what knowing nothing costs."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.multiclass import type_of_target
from torch import Tensor
from torch.nn import functional

__all__ = ["TASKS", "Split", "Target", "target_of"]

FEW = 20  # so many distinct whole numbers are classes in any case


class Split(NamedTuple):
    """A target on both sides of a fold, and the held-out loss of a constant fitted on the training side."""

    train: Tensor
    held: Tensor
    null: float


class Target(Protocol):
    """A kind of target."""

    n_outputs: int

    def strata(self) -> NDArray[Any] | None:
        """Classes to be spread evenly over the folds, shape (n,), if any."""
        ...

    def split(self, train: NDArray[np.int64], held: NDArray[np.int64]) -> Split:
        """The tensors of these rows."""
        ...

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """A scalar to be minimised."""
        ...


class Regression:
    """Numbers, shape (n,) or (n, T), standardised on the training side; mean squared error."""

    def __init__(self, y: NDArray[Any]) -> None:
        try:
            self.values = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
        except (TypeError, ValueError):
            raise ValueError(
                'a regression needs a target of numbers; for names of classes use task="classes"'
            ) from None
        constant = np.ptp(self.values, axis=0) == 0
        if constant.any():
            raise ValueError(f"{_the_target(constant)} has one value only: there is nothing to learn")
        self.n_outputs = self.values.shape[1]

    def strata(self) -> None:
        return None

    def split(self, train: NDArray[np.int64], held: NDArray[np.int64]) -> Split:
        if min(len(train), len(held)) < 2:
            raise ValueError(
                f"a fold has {len(held)} rows and leaves {len(train)}: each side needs 2. Use fewer folds"
            )
        mean, spread = self.values[train].mean(0), self.values[train].std(0)
        if not (spread > 0).all():
            raise ValueError(
                "the target is constant in the training rows of a fold: use fewer folds, or shuffle"
            )
        ours, theirs = ((self.values[rows] - mean) / spread for rows in (train, held))
        return Split(
            torch.from_numpy(ours).float(), torch.from_numpy(theirs).float(), float((theirs**2).mean())
        )

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return functional.mse_loss(output, target)


class Classification:
    """Classes, shape (n,) or (n, T): one logit each; the cross-entropies of several targets are added."""

    def __init__(self, y: NDArray[Any]) -> None:
        columns = y.reshape(len(y), -1).T
        found = [np.unique(column, return_inverse=True) for column in columns]
        self.classes = [classes for classes, _ in found]
        self.codes = np.column_stack([codes for _, codes in found])
        self.sizes = [len(classes) for classes in self.classes]
        constant = np.array(self.sizes) < 2
        if constant.any():
            raise ValueError(f"{_the_target(constant)} has one class only: there is nothing to tell apart")
        self.n_outputs = sum(self.sizes)

    def strata(self) -> NDArray[Any] | None:
        return self.codes[:, 0] if self.codes.shape[1] == 1 else None

    def split(self, train: NDArray[np.int64], held: NDArray[np.int64]) -> Split:
        null = 0.0
        for classes, codes in zip(self.classes, self.codes.T, strict=True):
            ours, theirs = (np.bincount(codes[rows], minlength=len(classes)) for rows in (train, held))
            rare = np.minimum(ours, theirs)
            if rare.min() < 2:
                raise ValueError(
                    f"class {classes.tolist()[rare.argmin()]!r} has {rare.min()} row(s) on one side of a fold, 2 are needed: "
                    f"it has {(ours + theirs)[rare.argmin()]} in all. Use fewer folds, merge rare classes, or "
                    'say task="numbers" when the target is a number'
                )
            null -= float((theirs / theirs.sum()) @ np.log(ours / ours.sum()))
        return Split(torch.from_numpy(self.codes[train]), torch.from_numpy(self.codes[held]), null)

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        losses = [
            functional.cross_entropy(logits, codes)
            for logits, codes in zip(output.split(self.sizes, dim=1), target.T, strict=True)
        ]
        return sum(losses[1:], start=losses[0])


TASKS: dict[str, type[Regression] | type[Classification]] = {
    "numbers": Regression,
    "classes": Classification,
}


def target_of(y: NDArray[Any], task: str) -> Target:
    """The target as one kind; with ``task="auto"`` found out from its values.

    Names and truth values are classes; so are whole numbers of at most 20 kinds, or at most the square root of
    the number of rows. All else is a number.

    Examples
    --------
    >>> import numpy as np
    >>> type(target_of(np.array([0, 1, 1, 0]), "auto")).__name__
    'Classification'
    >>> type(target_of(np.arange(100.0), "auto")).__name__
    'Regression'
    """
    if task == "auto":
        kind = type_of_target(y, input_name="y")
        numbers = np.issubdtype(y.dtype, np.number)
        many = numbers and y.ndim == 1 and len(np.unique(y)) > max(FEW, len(y) ** 0.5)
        task = "numbers" if kind.startswith("continuous") or many else "classes"
    return TASKS[task](y)


def _the_target(constant: NDArray[np.bool_]) -> str:
    return "the target" if len(constant) == 1 else f"target {int(np.flatnonzero(constant)[0])}"
