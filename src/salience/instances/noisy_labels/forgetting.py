"""How many labels are wrong, when nobody says: from predictions of rows that were not learned from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.model_selection import KFold, StratifiedKFold
from torch import Tensor

from salience.instances.noisy_labels.learning import mean_logits

__all__ = ["disagreement", "out_of_fold"]

MOST = 0.9  # a rate of 1 would leave nothing to learn from
Probabilities = NDArray[np.float64]
Ints = NDArray[np.int64]


def disagreement(probabilities: Probabilities, codes: Ints) -> float:
    """Share of the rows whose out-of-fold prediction is not their label; it counts errors of the model too.

    Examples
    --------
    >>> disagreement(np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.6, 0.4]]), np.array([0, 1, 1, 0]))
    0.25
    """
    return min(MOST, float((probabilities.argmax(1) != codes).mean()))


def out_of_fold(alone: Callable[..., Any], x: Tensor, codes: Ints, folds: int, seed: int) -> Probabilities:
    """Probabilities (n, C) of rows by networks that have not learned from them.

    Parameters
    ----------
    alone : callable
        ``alone(rows)`` gives a network that learned from these rows, and its validation.
    """
    folds = min(folds, len(codes))
    even = np.bincount(codes).min() >= folds  # each class has a row in every fold
    splitter = (StratifiedKFold if even else KFold)(folds, shuffle=True, random_state=seed)
    parts = []
    for others, own in splitter.split(codes, codes):
        network, validation, _ = alone(others)
        logits = mean_logits([network], x[own], validation.length()).double().numpy()
        parts.append((own, softmax(logits, axis=1)))
    order = np.argsort(np.concatenate([own for own, _ in parts]))
    return np.concatenate([found for _, found in parts])[order]
