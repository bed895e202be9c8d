"""How many rows are enough: the smallest share that the user's own estimator does not miss the others for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.linear_model import Perceptron, RidgeClassifier, SGDClassifier
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC, LinearSVC, NuSVC

from salience.verify.estimators import named_estimator

__all__ = ["is_margin_model", "rate_table", "smallest_rate"]

Fitted = Callable[[NDArray[Any], NDArray[Any], int], Callable[[float], NDArray[np.bool_]]]
MARGIN_LOSSES = ("hinge", "squared_hinge", "perceptron")


def rate_table(
    X: NDArray[np.float64], y: NDArray[Any], rates: Sequence[float], estimator: Any, cv: int, seed: int, select: Fitted
) -> pl.DataFrame:  # fmt: skip
    """Cross-validated accuracy of an estimator that sees a share of the training rows, selected among those rows alone.

    Parameters
    ----------
    X, y : arrays
    rates : sequence of float
    estimator : estimator, or a name of `salience.verify.named_estimator`
    cv : int
        Folds.
    seed : int
    select : callable
        ``select(X, y, fold)`` scores training rows and returns what keeps a share of them.

    Returns
    -------
    polars.DataFrame
        ``rate, kept, accuracy, se, loss, effectiveness``: the last row is that of all rows; `loss` is what is lost
        against it, `effectiveness` is ``accuracy * (1 - kept)``.
    """
    model = named_estimator(estimator)
    table = _frame if isinstance(estimator, str) else np.asarray
    hits: dict[float, list[tuple[float, float]]] = {rate: [] for rate in (*sorted(rates), 1.0)}
    for fold, (train, held) in enumerate(StratifiedKFold(cv, shuffle=True, random_state=seed).split(X, y)):
        keep = select(X[train], y[train], fold)
        for rate, found in hits.items():
            rows = train if rate == 1.0 else train[keep(rate)]
            fitted = clone(model).fit(table(X[rows]), y[rows])
            found.append((len(rows) / len(train), float(np.mean(fitted.predict(table(X[held])) == y[held]))))
    return _tabulated(hits)


def smallest_rate(table: pl.DataFrame, tolerance: float) -> float:
    """The smallest rate that loses at most `tolerance`; 1 where all of them lose more.

    Examples
    --------
    >>> smallest_rate(pl.DataFrame({"rate": [0.1, 0.2, 1.0], "loss": [0.05, 0.01, 0.0]}), 0.01)
    0.2
    """
    return float(table.filter(pl.col("loss") <= tolerance + 1e-12)["rate"].min())  # type: ignore[arg-type]


def is_margin_model(estimator: Any) -> bool:
    """Whether a classifier puts its boundary by the rows nearest to it; of a pipeline, its last step.

    Examples
    --------
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> is_margin_model(SVC()), is_margin_model(DecisionTreeClassifier())
    (True, False)
    """
    while isinstance(estimator, Pipeline):
        estimator = estimator.steps[-1][1]
    if isinstance(estimator, SGDClassifier):
        return estimator.loss in MARGIN_LOSSES
    return isinstance(estimator, SVC | LinearSVC | NuSVC | Perceptron | RidgeClassifier)


def _frame(X: NDArray[np.float64]) -> pl.DataFrame:
    """The named estimators want columns with names."""
    return pl.DataFrame({f"x{i}": X[:, i] for i in range(X.shape[1])})


def _tabulated(hits: dict[float, list[tuple[float, float]]]) -> pl.DataFrame:
    def rows() -> Iterator[dict[str, float]]:
        full = np.array(hits[1.0])[:, 1]
        for rate, found in hits.items():
            kept, right = np.array(found).T
            yield {
                "rate": rate,
                "kept": float(kept.mean()),
                "accuracy": float(right.mean()),
                "se": float(right.std(ddof=1) / np.sqrt(len(right))),
                "loss": float((full - right).mean()),
                "effectiveness": float((right * (1.0 - kept)).mean()),
            }

    return pl.DataFrame(list(rows()))
