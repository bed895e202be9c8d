"""Fit an estimator to some columns, again and again: what does not depend on which columns is done once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sklearn.base import clone
from sklearn.pipeline import Pipeline

from salience.verify.encoding import DenseColumns, SparseColumns
from salience.verify.losses import Rows, row_losses
from salience.verify.sample import Sample


def refitted(estimator: Any, train: Sample, held: Sample) -> Callable[[Sequence[str]], Rows]:
    """The losses on held-out rows as a function of the columns that a model is fitted on.

    A pipeline that begins with an encoder of the house encodes its columns here, one time for all fits; both
    of them go column by column, so what comes out is to the bit what the whole pipeline gives.

    Parameters
    ----------
    estimator : estimator
        Cloned for every fit.
    train, held : Sample

    Returns
    -------
    callable
        From names of columns, at least one and in the order of the sample, to float64 of shape (held-out rows,).
    """
    encoder = estimator[0] if isinstance(estimator, Pipeline) else None
    if not isinstance(encoder, SparseColumns | DenseColumns):
        return lambda names: row_losses(
            clone(estimator).fit(train.select(names).X, train.target), held.select(names)
        )
    encoded = encoder.encode_once(train.X, train.target, held.X)
    # Classifiers sort the target in every fit, and numpy sorts text five times faster than objects.
    target = train.target.astype(str) if train.target.dtype.kind == "O" else train.target

    def losses(names: Sequence[str]) -> Rows:
        fit, evaluate = encoded(names)
        return row_losses(clone(estimator[1:]).fit(fit, target), held, evaluate)

    return losses
