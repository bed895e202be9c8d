"""The estimators that judge a ranking, by name; each takes a frame of mixed columns as it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sklearn.base import BaseEstimator, clone
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline

from salience.verify.encoding import DenseColumns, SparseColumns


def named_estimator(estimator: str | BaseEstimator, task: str = "classes", seed: int = 0) -> Any:
    """An unfitted estimator: one of the house by its name, or a clone of the user's own.

    ====================  =========================================================================
    "logistic"            logistic regression on standardised numbers and one-hot or hashed values
    "ridge"               ridge regression on the same, for numbers
    "forest"              100 trees on numbers and out-of-fold target codes
    "lightgbm"            60 rounds of boosting on the same (needs ``salience[trees]``)
    ====================  =========================================================================

    Parameters
    ----------
    estimator : str or estimator
        A user's own estimator gets the kept columns as a frame of the kind the data came in.
    task : {"classes", "numbers"}
    seed : int

    Raises
    ------
    ValueError
        If the name is not known, or the estimator cannot do the task.
    TypeError
        If it is neither a name nor an estimator.

    Examples
    --------
    >>> [type(step).__name__ for _, step in named_estimator("logistic").steps]
    ['SparseColumns', 'LogisticRegression']
    """
    if isinstance(estimator, str):
        if estimator not in ESTIMATORS:
            raise ValueError(f"there is no estimator {estimator!r}; the names are {', '.join(ESTIMATORS)}")
        return ESTIMATORS[estimator](task, seed)
    if not (hasattr(estimator, "fit") and hasattr(estimator, "predict")):
        raise TypeError(
            f"an estimator has fit and predict, or is one of the names {', '.join(ESTIMATORS)}; "
            f"got {type(estimator).__name__}"
        )
    return clone(estimator)


def _logistic(task: str, seed: int) -> Pipeline:
    if task == "numbers":
        raise ValueError(
            "logistic regression predicts classes and the target is a number: "
            "use 'ridge', 'forest' or 'lightgbm', an estimator of your own, or task='classes'"
        )
    return make_pipeline(SparseColumns(), LogisticRegression(max_iter=300, random_state=seed))


def _ridge(task: str, seed: int) -> Pipeline:
    if task == "classes":
        raise ValueError("ridge regression predicts numbers and the target has classes: use 'logistic'")
    return make_pipeline(SparseColumns(), Ridge())


def _forest(task: str, seed: int) -> Pipeline:
    kind = RandomForestRegressor if task == "numbers" else RandomForestClassifier
    # Leaves of 5 rows keep class shares away from 0 and 1, where log-loss punishes without measure.
    trees = kind(n_estimators=100, min_samples_leaf=5, max_features="sqrt", random_state=seed)
    return make_pipeline(DenseColumns(random_state=seed), trees)


def _lightgbm(task: str, seed: int) -> Pipeline:
    try:
        import lightgbm
    except ImportError as error:
        raise ImportError(
            "estimator 'lightgbm' needs LightGBM: pip install 'salience[trees]' (or use 'forest')"
        ) from error
    kind = lightgbm.LGBMRegressor if task == "numbers" else lightgbm.LGBMClassifier
    settings: dict[str, Any] = {"deterministic": True, "force_col_wise": True, "n_jobs": 1, "verbosity": -1}
    trees = kind(n_estimators=60, learning_rate=0.1, min_child_samples=20, random_state=seed, **settings)
    return make_pipeline(DenseColumns(random_state=seed), trees)


ESTIMATORS: dict[str, Callable[[str, int], Pipeline]] = {
    "logistic": _logistic,
    "ridge": _ridge,
    "forest": _forest,
    "lightgbm": _lightgbm,
}
