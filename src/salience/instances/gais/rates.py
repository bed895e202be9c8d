"""How many rows are enough: the smallest share that the user's own estimator does not miss the others for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.linear_model import Perceptron, RidgeClassifier, SGDClassifier
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC, LinearSVC, NuSVC

from salience.instances.gais.table import Table
from salience.verify.estimators import named_estimator

__all__ = ["Folds", "checked_rates", "is_margin_model", "rate_table", "smallest_rate"]

Select = Callable[[NDArray[Any], NDArray[Any], int], Callable[[float], NDArray[np.bool_]]]
MARGIN_LOSSES = ("hinge", "squared_hinge", "perceptron")


@dataclass(frozen=True)
class Folds:
    """How rates are tried: an estimator or a name of `salience.verify.named_estimator`, rates, folds and their seed."""

    estimator: Any
    rates: Sequence[float]
    cv: int
    seed: int


def rate_table(X: NDArray[np.float64], table: Table, folds: Folds, select: Select) -> pl.DataFrame:
    """Cross-validated accuracy of an estimator that sees a share of the training rows, selected among those rows alone.

    Parameters
    ----------
    X : ndarray, shape (n, d)
    table : Table
        Made of it.
    folds : Folds
    select : callable
        ``select(X, y, fold)`` scores training rows and returns what keeps a share of them.

    Returns
    -------
    polars.DataFrame
        ``rate, kept, accuracy, se, loss, effectiveness``: the last row is that of all rows; `loss` is what is lost
        against it, `effectiveness` is ``accuracy * (1 - kept)``. `se` is between folds, which share rows: a lower bound.

    Raises
    ------
    ValueError
        If there is no estimator, or a class with fewer rows than folds.
    """
    if folds.estimator is None:
        raise ValueError(
            'rate="auto" asks what your own model loses: give it as estimator=, for instance estimator="forest", '
            "or give a rate"
        )
    if (least := int(table.sizes.min())) < folds.cv:
        raise ValueError(
            f'rate="auto" needs {folds.cv} rows of each class, one per fold; the class '
            f"{table.classes[table.sizes.argmin()]} has {least}. Give a rate, or a smaller cv="
        )
    y = table.classes[table.codes]
    model = named_estimator(folds.estimator)
    as_wanted = _frame if isinstance(folds.estimator, str) else np.asarray
    hits: dict[float, list[tuple[float, float]]] = {rate: [] for rate in (*sorted(folds.rates), 1.0)}
    splits = StratifiedKFold(folds.cv, shuffle=True, random_state=folds.seed).split(X, y)
    for fold, (train, held) in enumerate(splits):
        keep = select(X[train], y[train], fold)
        for rate, found in hits.items():
            rows = train if rate == 1.0 else train[keep(rate)]
            fitted = clone(model).fit(as_wanted(X[rows]), y[rows])
            right = fitted.predict(as_wanted(X[held])) == y[held]
            found.append((len(rows) / len(train), float(np.mean(right))))
    return _tabulated(hits)


def checked_rates(rates: Any) -> list[float]:
    """The rates as numbers.

    Raises
    ------
    ValueError
        If there is none, or one is not in (0, 1).
    """
    numbers = np.asarray(rates, dtype=float)
    if numbers.ndim != 1 or not len(numbers) or not ((numbers > 0) & (numbers < 1)).all():
        raise ValueError(f"rates are shares of the rows in (0, 1), got {rates!r}")
    return [float(rate) for rate in numbers]


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
