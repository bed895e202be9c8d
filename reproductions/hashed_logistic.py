"""Logistic regression over hashed categories, fast enough to be fitted ten thousand times."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from salience.tabular.streaming.forward import Slots, quick_loss, slots_of

__all__ = ["Slots", "converged_loss", "log_loss", "quick_loss", "slots_of"]


def log_loss(y: NDArray[np.int64], p: NDArray[np.float64]) -> float:
    """Mean log loss of probabilities of class 1, nats."""
    p = np.clip(p, 1e-9, 1 - 1e-9)
    return float(-np.mean(np.where(y == 1, np.log(p), np.log1p(-p))))


def converged_loss(
    train: Slots, y: NDArray[np.int64], test: Slots, y_test: NDArray[np.int64], inverse_penalty: float
) -> float:
    """Held-out log loss of a penalised fit to convergence (scikit-learn); for few fits of many rows."""
    # A coordinate that no row to fit has keeps the weight 0: all of those share the last place.
    known = np.unique(train)
    model = LogisticRegression(C=inverse_penalty, max_iter=100, tol=1e-4)
    model.fit(_one_hot(np.searchsorted(known, train), len(known) + 1), y)
    place = np.searchsorted(known, test)
    seen = known[np.minimum(place, len(known) - 1)] == test
    return log_loss(
        y_test, model.predict_proba(_one_hot(np.where(seen, place, len(known)), len(known) + 1))[:, 1]
    )


def _one_hot(places: Slots, width: int) -> sparse.csr_matrix:
    features, rows = places.shape
    indices = places.T.ravel().astype(np.int32)
    return sparse.csr_matrix(
        (np.ones(len(indices)), indices, np.arange(0, len(indices) + 1, features)), shape=(rows, width)
    )
