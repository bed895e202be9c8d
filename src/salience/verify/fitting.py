"""One way to ask any method for its scores of a sample: a callable on (frame, label), or an estimator."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from sklearn.base import clone
from sklearn.utils import get_tags

from salience.results.scores import Scores
from salience.verify.sample import Sample

SEEDS = ("seed", "random_state")
WORKERS = ("n_jobs", "threads", "workers")


def fit_scores(method: Any, sample: Sample, *, seed: int | None = None, workers: int | None = None) -> Scores:
    """The scores that a method gives to the columns of a sample.

    Parameters
    ----------
    method : callable or estimator
        ``method(frame, label) -> Scores``, with the target in the frame; or an estimator whose ``fit(X, y)``
        leaves ``scores_``. An estimator is cloned first.
    sample : Sample
    seed : int, optional
        Given to the method where it takes one (`seed` or `random_state`).
    workers : int, optional
        Given to the method where it takes one (`n_jobs`, `threads` or `workers`).

    Raises
    ------
    TypeError
        If the method is neither, or returns something that is not a `Scores`.

    Examples
    --------
    >>> import polars as pl
    >>> sample = Sample.of(pl.DataFrame({"x0": [1, 2], "x1": [2, 2], "y": [0, 1]}), "y")
    >>> fit_scores(lambda frame, label: Scores.from_values([1.0, 0.5], ["x0", "x1"]), sample).items
    ['x0', 'x1']
    """
    wanted = dict.fromkeys(SEEDS, seed) | dict.fromkeys(WORKERS, workers)
    taken = {name: value for name, value in wanted.items() if value is not None and name in arguments(method)}
    if hasattr(method, "fit") and not isinstance(method, type):
        fitted = clone(method).set_params(**taken).fit(sample.X, sample.target)
        scores = getattr(fitted, "scores_", None)
    elif callable(method) and not isinstance(method, type):
        scores = method(sample.joined(), sample.label, **taken)
    else:
        raise TypeError(
            "a method is a callable (frame, label) -> Scores or an estimator with fit and scores_, got "
            f"{method!r}"
        )
    if not isinstance(scores, Scores):
        raise TypeError(f"{_name(method)} gave {type(scores).__name__} where Scores are expected")
    return scores


def arguments(method: Any) -> frozenset[str]:
    """Names of the arguments a method can be given."""
    if hasattr(method, "get_params"):
        return frozenset(method.get_params(deep=False))
    try:
        return frozenset(inspect.signature(method).parameters)
    except (TypeError, ValueError):
        return frozenset()


def needs_no_target(method: Any) -> bool:
    """Whether an estimator declares that it does without a target.

    Examples
    --------
    >>> from sklearn.decomposition import PCA
    >>> from sklearn.linear_model import Ridge
    >>> needs_no_target(PCA()), needs_no_target(Ridge()), needs_no_target(lambda frame, label: None)
    (True, False, False)
    """
    return hasattr(method, "__sklearn_tags__") and not get_tags(method).target_tags.required


def takes_seed(method: Any) -> bool:
    """Whether a method can be given a seed."""
    return bool(arguments(method) & set(SEEDS))


def takes_workers(method: Any) -> bool:
    """Whether a method can be given a number of workers."""
    return bool(arguments(method) & set(WORKERS))


def _name(method: Callable[..., Any] | Any) -> str:
    return getattr(method, "__name__", type(method).__name__)
