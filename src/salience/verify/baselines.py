"""Selectors that everybody knows, in the form in which `verify` calls a method: what a new one has to beat.

Each is a function ``(frame, label, seed) -> Scores`` that looks at the rows it is given and at nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from salience.measures.sensitivity import permutation_effects
from salience.results.meta import Meta
from salience.results.scores import Scores
from salience.verify.bench import held_out
from salience.verify.encoding import split_columns
from salience.verify.sample import Sample

Matrix = NDArray[np.float64]

TREES, REPEATS, HELD = 200, 5, 0.25
INVERSE_PENALTY = 0.1  # C of the logistic regression: with 1 most columns of a small table stay in
STEP = 0.1  # share of the columns that each round of recursive elimination drops


def mutual_information(frame: Any, label: str, seed: int = 0) -> Scores:
    """Mutual information of each column with the target by nearest neighbours (Kraskov 2004, Ross 2014), in nats.

    Examples
    --------
    >>> frame = pl.DataFrame({"a": range(100), "b": [i % 7 for i in range(100)], "y": [i > 49 for i in range(100)]})
    >>> mutual_information(frame, "y").top(1).items
    ['a']
    """
    from sklearn.feature_selection import mutual_info_classif, mutual_info_regression

    sample = Sample.of(frame, label)
    X, is_text = _numbers(sample)
    for column in np.flatnonzero(is_text):
        X[:, column] = np.unique(X[:, column], return_inverse=True)[1]  # whole numbers: it counts them
    estimate = mutual_info_classif if sample.task == "classes" else mutual_info_regression
    values = estimate(X, _target(sample), discrete_features=is_text, random_state=seed)
    return _scores("mutual information", values, sample, seed, unit="nats")


def forest_permutation(frame: Any, label: str, seed: int = 0) -> Scores:
    """What a random forest of 200 trees loses when a column is shuffled, mean of 5 shuffles, in log-loss or 1 - R2.

    On a quarter of the rows, that the forest is not grown from: on its own rows it is right whatever is shuffled, and
    in accuracy most columns tie at 0.
    """
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    sample = Sample.of(frame, label)
    X, _ = _numbers(sample)
    y = _target(sample)
    grown, held = held_out(sample, HELD, seed)
    each = [(column,) for column in range(X.shape[1])]
    if sample.task == "numbers":
        forest = RandomForestRegressor(n_estimators=TREES, random_state=seed).fit(X[grown], y[grown])
        predict, loss = forest.predict, "r2"
    else:
        forest = RandomForestClassifier(n_estimators=TREES, random_state=seed).fit(X[grown], y[grown])
        predict, loss = partial(_shares, forest, y.max() + 1), "log_loss"
    found = permutation_effects(predict, X[held], y[held], each, loss=loss, shuffles=REPEATS, seed=seed)
    unit = {"r2": "R2", "log_loss": "nats"}[loss]
    return _scores("forest permutation", found.effect, sample, seed, unit=unit, se=found.se)


def l1(frame: Any, label: str, seed: int = 0) -> Scores:
    """Sizes of the coefficients of a lasso: logistic with C = 0.1 for classes (summed over them), else by cross-validation.

    Columns are standardised first; many values are exactly 0.
    """
    from sklearn.linear_model import LassoCV, LogisticRegression

    sample = Sample.of(frame, label)
    X, _ = _numbers(sample)
    if sample.task == "numbers":
        size = np.abs(LassoCV(cv=5, random_state=seed).fit(X, _target(sample)).coef_)
    else:
        model = LogisticRegression(
            C=INVERSE_PENALTY, l1_ratio=1.0, solver="saga", tol=1e-3, max_iter=500, random_state=seed
        )
        size = np.abs(model.fit(X, _target(sample)).coef_).sum(axis=0)
    return _scores("L1", size, sample, seed, unit="size of the coefficient of the standardised column")


def svm_elimination(frame: Any, label: str, seed: int = 0) -> Scores:
    """Recursive elimination with a linear support vector machine (Guyon 2002), a tenth of the columns in each round.

    The value is the number of the round that dropped the column.
    """
    from sklearn.feature_selection import RFE
    from sklearn.svm import LinearSVC, LinearSVR

    sample = Sample.of(frame, label)
    X, _ = _numbers(sample)
    kind = LinearSVC if sample.task == "classes" else LinearSVR
    machine = kind(dual="auto", tol=1e-3, random_state=seed)
    ranking = RFE(machine, n_features_to_select=1, step=STEP).fit(X, _target(sample)).ranking_
    return _scores("SVM-RFE", ranking.max() - ranking, sample, seed, unit="round")


BASELINES: dict[str, Callable[..., Scores]] = {
    "mutual information": mutual_information,
    "forest permutation": forest_permutation,
    "L1": l1,
    "SVM-RFE": svm_elimination,
}


def _numbers(sample: Sample) -> tuple[Matrix, NDArray[np.bool_]]:
    """Standardised columns, texts numbered by their frequency, what is missing at the mean; and which are texts."""
    numbers, texts = split_columns(sample.frame)
    columns = []
    for name in sample.items:
        values = numbers[name] if name in numbers else _by_frequency(texts[name])
        there = values[np.isfinite(values)]
        mean, scale = (float(there.mean()), float(there.std())) if len(there) else (0.0, 0.0)
        columns.append(np.where(np.isfinite(values), (values - mean) / (scale or 1.0), 0.0))
    return np.column_stack(columns), np.array([name in texts for name in sample.items])


def _shares(forest: Any, classes: int, X: Matrix) -> Matrix:
    """Probabilities, shape (rows, classes); 0 for a class that no grown row has."""
    found = np.zeros((len(X), classes))
    found[:, forest.classes_] = forest.predict_proba(X)
    return np.clip(found, 1 / (2 * TREES), 1.0)  # no more certain than half a tree


def _by_frequency(values: pl.Series) -> Matrix:
    counts = values.value_counts().sort("count", values.name, descending=[True, False])
    codes = {value: code for code, value in enumerate(counts[values.name])}
    return np.array([codes[value] for value in values], dtype=np.float64)


def _target(sample: Sample) -> NDArray[Any]:
    return sample.codes()[0] if sample.task == "classes" else sample.target.astype(np.float64)


def _scores(
    method: str, values: NDArray[Any], sample: Sample, seed: int, *, unit: str, **columns: Any
) -> Scores:
    meta = Meta(method=method, seed=seed, rows=len(sample), unit=unit)
    return Scores.from_values(np.asarray(values, dtype=np.float64), sample.items, meta=meta, **columns)
