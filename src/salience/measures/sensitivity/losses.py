"""What a model's predictions cost: many predictions of the same rows at once, always to be minimised.

Scores that are to be maximised (accuracy, AUC, R2) are taken as one minus the score.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

__all__ = ["LOSSES", "Loss", "named_loss"]

Floats = NDArray[np.float64]
_LEAST = np.finfo(np.float64).eps  # of a probability, as scikit-learn's log_loss has it


@dataclass(frozen=True)
class Loss:
    """A loss over a batch of predictions of the same rows.

    Parameters
    ----------
    name : str
    needs : {"value", "proba", "label"}
        What predictions are: numbers; probabilities (of the second class, or of each class along a last axis);
        class codes.
    rows : callable, optional
        ``rows(y, predictions) -> (batch, n)``, when the loss is a mean over rows.
    whole : callable, optional
        ``whole(y, predictions) -> (batch,)``, when it is not.

    Examples
    --------
    >>> LOSSES["mean_squared_error"](np.array([0.0, 1.0]), np.array([[0.0, 1.0], [1.0, 1.0]]))
    array([0. , 0.5])
    """

    name: str
    needs: str
    rows: Callable[[NDArray[Any], NDArray[Any]], Floats] | None = None
    whole: Callable[[NDArray[Any], NDArray[Any]], Floats] | None = None

    def __post_init__(self) -> None:
        if self.needs not in ("value", "proba", "label"):
            raise ValueError(f'a loss needs "value", "proba" or "label" of a model, not {self.needs!r}')
        if (self.rows is None) == (self.whole is None):
            raise ValueError("give a loss either `rows` or `whole`: a mean over rows, or anything else")

    def __call__(self, y: NDArray[Any], predictions: NDArray[Any]) -> Floats:
        """Of predictions of shape (batch, n[, classes]); shape (batch,)."""
        if self.rows is not None:
            return np.asarray(self.rows(y, predictions).mean(axis=1))
        assert self.whole is not None
        return np.asarray(self.whole(y, predictions), dtype=np.float64)


def named_loss(loss: str | Loss | Callable[..., float], needs: str = "value") -> Loss:
    """The loss of a name, or one made of a function.

    Parameters
    ----------
    loss : str, Loss or callable
        One of `LOSSES`, or ``loss(y, predictions) -> float``, smaller is better.
    needs : {"value", "proba", "label"}
        What a function is called with.

    Raises
    ------
    ValueError
        When there is no loss of that name.

    Examples
    --------
    >>> named_loss("auc").name
    'one_minus_auc'
    >>> named_loss(lambda y, p: abs(y - p).max())(np.zeros(2), np.array([[1.0, 2.0]]))
    array([2.])
    """
    if isinstance(loss, Loss):
        return loss
    if callable(loss):
        return Loss(getattr(loss, "__name__", "custom"), needs, whole=_EachRun(loss))
    if loss not in LOSSES:
        raise ValueError(
            f"there is no loss {loss!r}; the losses are {', '.join(LOSSES)}, or give a function loss(y, predictions)"
        )
    return LOSSES[loss]


@dataclass(frozen=True)
class _EachRun:
    """A loss of one run of predictions, over a batch of them."""

    loss: Callable[..., float]

    def __call__(self, y: NDArray[Any], predictions: NDArray[Any]) -> Floats:
        return np.array([float(self.loss(y, one)) for one in predictions])


def _squared(y: NDArray[Any], p: NDArray[Any]) -> Floats:
    error = p - y
    error *= error
    return error


def _absolute(y: NDArray[Any], p: NDArray[Any]) -> Floats:
    return np.abs(p - y)


def _root(y: NDArray[Any], p: NDArray[Any]) -> Floats:
    return np.sqrt(_squared(y, p).mean(axis=1))


def _unexplained(y: NDArray[Any], p: NDArray[Any]) -> Floats:
    spread = float(np.var(y))
    if spread == 0:
        raise ValueError("R2 has no meaning for a constant target; use the squared error")
    return _squared(y, p) / spread


def _log(y: NDArray[Any], p: NDArray[Any]) -> Floats:
    if p.ndim == 2:
        own = np.where(y.astype(bool), p, 1.0 - p)
    else:
        own = np.take_along_axis(p, np.broadcast_to(y[None, :, None], (*p.shape[:2], 1)), axis=2)[..., 0]
    return np.asarray(-np.log(np.clip(own, _LEAST, 1.0 - _LEAST)))


def _wrong(y: NDArray[Any], p: NDArray[Any]) -> Floats:
    return (p != y).astype(np.float64)


def _misordered(y: NDArray[Any], p: NDArray[Any]) -> Floats:
    if p.ndim != 2:
        raise ValueError("AUC is for two classes; use the log-loss for more")
    positive = y.astype(bool)
    n, m = int(positive.sum()), int((~positive).sum())
    if n == 0 or m == 0:
        raise ValueError("AUC needs rows of both classes")
    ranks = rankdata(p, axis=1)[:, positive].sum(axis=1)
    return np.asarray(1.0 - (ranks - n * (n + 1) / 2) / (n * m))


_SQUARED = Loss("mean_squared_error", "value", _squared)
_ABSOLUTE = Loss("mean_absolute_error", "value", _absolute)
_ROOT = Loss("root_mean_squared_error", "value", whole=_root)
_R2 = Loss("one_minus_r2", "value", _unexplained)
_LOG = Loss("log_loss", "proba", _log)
_WRONG = Loss("zero_one_loss", "label", _wrong)
_AUC = Loss("one_minus_auc", "proba", whole=_misordered)

LOSSES: dict[str, Loss] = {
    "mean_squared_error": _SQUARED,
    "mean_absolute_error": _ABSOLUTE,
    "root_mean_squared_error": _ROOT,
    "r2": _R2,
    "log_loss": _LOG,
    "zero_one_loss": _WRONG,
    "accuracy": _WRONG,
    "auc": _AUC,
}
