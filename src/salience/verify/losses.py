"""What a prediction costs, row by row, so that every interval of a comparison can be paired."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from salience.verify.sample import Sample

Rows = NDArray[np.float64]  # one number per row
# No probability is taken to be smaller: one confident mistake must not outweigh ten thousand rows.
CLIP = 1e-4


class NamesOnly:
    """A fitted classifier that does not say how sure it is: it costs 1 per wrong row."""

    def __init__(self, model: Any) -> None:
        self.predict = model.predict


def row_losses(model: Any, test: Sample, X: Any = None) -> Rows:
    """Log-loss in nats per row for classes, squared error per row for numbers.

    A classifier without ``predict_proba`` costs 1 per wrong row, which is what can be said of it.

    Parameters
    ----------
    model : fitted estimator
    test : Sample
    X : array or sparse matrix of shape (rows, ...), optional
        The rows of `test` in the form the model was fitted on, where that is not their frame.

    Returns
    -------
    ndarray of float64, shape (rows,)
    """
    X = test.X if X is None else X
    if test.task == "numbers":
        return np.asarray((np.asarray(model.predict(X), dtype=float) - test.target.astype(float)) ** 2)
    if not hasattr(model, "predict_proba"):
        predicted = np.asarray(model.predict(X)).astype(str)
        return (predicted != test.target.astype(str)).astype(np.float64)
    probabilities = np.asarray(model.predict_proba(X), dtype=float)
    column = {str(name): index for index, name in enumerate(model.classes_)}
    # A class the model never saw has the probability 0, that is CLIP.
    places = np.array([column.get(str(value), -1) for value in test.target.tolist()])
    own = np.where(places >= 0, probabilities[np.arange(len(test)), places], 0.0)
    return np.asarray(-np.log(np.clip(own, CLIP, 1.0)))


def prior_losses(train: Sample, test: Sample, model: Any = None) -> Rows:
    """The same for the constant that fits the training rows best: what is left when no item is kept.

    Parameters
    ----------
    train, test : Sample
    model : estimator, optional
        Decides whether classes are predicted as probabilities or as names.

    Returns
    -------
    ndarray of float64, shape (rows,)

    Examples
    --------
    >>> import numpy as np
    >>> data = Sample.of(np.zeros((4, 1)), np.array([0, 0, 0, 1]))
    >>> prior_losses(data, data).round(3)
    array([0.288, 0.288, 0.288, 1.386])
    """
    if train.task == "numbers":
        return np.asarray((test.target.astype(float) - train.target.astype(float).mean()) ** 2)
    names, counts = np.unique(train.target.astype(str), return_counts=True)
    truth = test.target.astype(str)
    if model is not None and not hasattr(model, "predict_proba"):
        return (truth != names[np.argmax(counts)]).astype(np.float64)
    share = dict(zip(names.tolist(), (counts / counts.sum()).tolist(), strict=True))
    own = np.array([share.get(value, 0.0) for value in truth.tolist()])
    return np.asarray(-np.log(np.clip(own, CLIP, 1.0)))
