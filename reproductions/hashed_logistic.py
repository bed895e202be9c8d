"""Logistic regression over hashed categories, fast enough to be fitted ten thousand times."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import sparse
from sklearn.linear_model import LogisticRegression

Slots = NDArray[np.int64]  # (features, rows): the coordinate of each feature's value in each row


def slots_of(codes: NDArray[np.int64], feature: int, bits: int) -> Slots:
    """The hashed coordinate of every row's value of one feature, (rows,)."""
    mixed = (codes.astype(np.uint64) + np.uint64(feature << 40)) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(31)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    return (mixed >> np.uint64(64 - bits)).astype(np.int64)


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


@njit(nogil=True, cache=True)
def quick_loss(train, y, test, y_test, bits, epochs, rate):  # type: ignore[no-untyped-def]
    """Held-out log loss after a few epochs of AdaGrad, rows in their order; (features, rows) slots each.

    Early stopping is the regulariser, as in the hashed models of click-through prediction.
    """
    features, rows = train.shape
    weights = np.zeros(1 << bits)
    squares = np.full(1 << bits, 1e-2)
    mean = y.mean()
    bias = np.log(mean / (1.0 - mean))
    bias_square = 1e-2
    for _ in range(epochs):
        for i in range(rows):
            logit = bias
            for f in range(features):
                logit += weights[train[f, i]]
            gradient = 1.0 / (1.0 + np.exp(-logit)) - y[i]
            for f in range(features):
                k = train[f, i]
                squares[k] += gradient * gradient
                weights[k] -= rate * gradient / np.sqrt(squares[k])
            bias_square += gradient * gradient
            bias -= rate * gradient / np.sqrt(bias_square)
    total = 0.0
    for i in range(test.shape[1]):
        logit = bias
        for f in range(features):
            logit += weights[test[f, i]]
        signed = logit if y_test[i] == 1 else -logit
        total += np.log1p(np.exp(-signed))
    return total / test.shape[1]
