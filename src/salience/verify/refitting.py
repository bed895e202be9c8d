"""Fit an estimator to some columns, again and again: what does not depend on which columns is done once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sklearn.base import clone
from sklearn.pipeline import Pipeline

from salience.verify.encoding import DenseColumns, SparseColumns
from salience.verify.losses import Rows, row_losses
from salience.verify.sample import Sample

# What a fitted model comes to on held-out rows; the third is their encoded form, where they were encoded here.
Judge = Callable[[Any, Sample, Any], Rows]


def refitted(
    estimator: Any, train: Sample, held: Sample, judge: Judge = row_losses
) -> Callable[[Sequence[str]], Rows]:
    """The losses on held-out rows as a function of the columns that a model is fitted on.

    A pipeline that begins with an encoder of the house encodes its columns here, one time for all fits; both
    of them go column by column, so what comes out is to the bit what the whole pipeline gives.

    Parameters
    ----------
    estimator : estimator
        Cloned for every fit.
    train, held : Sample
    judge : callable
        ``judge(model, held, X) -> ndarray``; by default the loss of each row.

    Returns
    -------
    callable
        From names of columns, at least one and in the order of the sample, to what `judge` says; by default
        float64 of shape (held-out rows,).
    """
    encoder = estimator[0] if isinstance(estimator, Pipeline) else None
    if not isinstance(encoder, SparseColumns | DenseColumns):
        return lambda names: judge(
            clone(estimator).fit(train.select(names).X, train.target), held.select(names), None
        )
    encoded = encoder.encode_once(train.X, train.target, held.X)
    # Classifiers sort the target in every fit, and numpy sorts text five times faster than objects.
    target = train.target.astype(str) if train.target.dtype.kind == "O" else train.target

    def losses(names: Sequence[str]) -> Rows:
        fit, evaluate = encoded(names)
        return judge(clone(estimator[1:]).fit(fit, target), held, evaluate)

    return losses
