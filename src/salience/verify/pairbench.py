"""Bench for interactions: what do products of these pairs of columns add to a model of the columns alone?"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from salience.verify.bench import LossBench, SubsetBench, held_out
from salience.verify.encoding import split_columns
from salience.verify.estimators import named_estimator
from salience.verify.fingerprints import fingerprint
from salience.verify.refitting import refitted
from salience.verify.sample import Sample

__all__ = ["pairs"]

Rows = NDArray[np.float64]


def pairs(
    X: Any,
    y: Any,
    among: Sequence[tuple[str, str]] | None = None,
    *,
    test: float = 0.3,
    task: str = "auto",
    seed: int = 0,
    n_jobs: int = 1,
) -> SubsetBench:
    """Pairs of columns: refit a linear model on all columns and the products of the kept pairs, evaluate it on rows held out.

    The model is logistic regression or ridge regression, because one that makes interactions itself (a forest) needs no
    pairs. Columns are standardised by the rows fitted on before they are multiplied, so that a product does not stand
    for one of its columns.

    Parameters
    ----------
    X, y : frame or array of shape (rows, columns), and target
        Numbers; or what else `Sample.of` takes.
    among : sequence of pairs of names, optional
        In the order in which the scores name them; by default all, in the order of the columns.
    test : float
        Share of the rows that are held out.
    task : {"auto", "classes", "numbers"}
    seed : int
        Of the split.
    n_jobs : int
        Threads over subsets.

    Returns
    -------
    SubsetBench
        Items are pairs under the keys "a" and "b"; units are the held-out rows, values log-loss in nats (squared error
        for numbers). With no pair kept it is the model of the columns alone.

    Raises
    ------
    ValueError
        If a pair names a column that is not there or not a number, or there is no pair.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(300, 3))
    >>> bench = pairs(X, X[:, 0] * X[:, 1])
    >>> losses = bench.values(np.eye(3, dtype=bool)).mean(axis=1)
    >>> bench.items[int(losses.argmin())], bool(losses.min() < 0.01 < losses[1])
    (('x0', 'x1'), True)
    """
    sample = Sample.of(X, y, task=task)
    named = list(itertools.combinations(sample.items, 2)) if among is None else list(map(tuple, among))
    numbers, _ = split_columns(sample.frame)
    odd = [pair for pair in named if len(pair) != 2 or not set(pair) <= set(numbers)]
    if odd or not named:
        raise ValueError(
            f"pairs are of two number columns of {', '.join(list(numbers)[:8])}; got {odd[:3] or 'none'}"
        )
    fit_rows, held_rows = held_out(sample, test, seed)
    standard = {name: _standardised(values, fit_rows) for name, values in numbers.items()}
    prefix = "pair"
    while any(name.startswith(prefix) for name in sample.items):
        prefix += "_"
    columns = {f"{prefix}{i}": standard[a] * standard[b] for i, (a, b) in enumerate(named)}
    wide = sample.with_columns(columns)
    train, held = wide.take(fit_rows), wide.take(held_rows)
    estimator = named_estimator({"classes": "logistic", "numbers": "ridge"}[sample.task], sample.task, seed)
    losses = refitted(estimator, train, held)

    def evaluate(keep: NDArray[np.bool_]) -> Rows:
        return losses([*sample.items, *(name for name, kept in zip(columns, keep, strict=True) if kept)])

    seen = frozenset({fingerprint(sample), fingerprint(sample.take(held_rows))})
    return LossBench(tuple(named), ("a", "b"), evaluate, data=seen, n_jobs=n_jobs)


def _standardised(values: Rows, rows: NDArray[np.intp]) -> Rows:
    """By the mean and the spread of some rows; what is missing is the mean."""
    there = values[rows][np.isfinite(values[rows])]
    if not len(there) or not there.std():
        return np.zeros(len(values))
    return np.where(np.isfinite(values), (values - there.mean()) / there.std(), 0.0)
