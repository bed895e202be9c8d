"""A fitted model as a function from rows of numbers to what a loss needs of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import narwhals as nw
import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax
from sklearn.base import is_classifier
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import BaseDecisionTree

from salience.measures.sensitivity.losses import Loss, named_loss
from salience.measures.sensitivity.perturbed import Linear

Floats: TypeAlias = NDArray[np.float64]
Predict: TypeAlias = Callable[[Floats], NDArray[Any]]

_FORESTS = (
    *(RandomForestClassifier, RandomForestRegressor, ExtraTreesClassifier, ExtraTreesRegressor),
    *(GradientBoostingClassifier, GradientBoostingRegressor),
)


@dataclass(frozen=True)
class Opened:
    """A model that is ready to be asked.

    Attributes
    ----------
    predict : callable
        From rows (m, d) to numbers (m,), probabilities (m,) or (m, classes), or class codes (m,).
    loss : Loss
    y : ndarray of shape (n,)
        The target as the loss wants it: numbers, or class codes.
    linear, thresholds
        As in :class:`~salience.measures.sensitivity.perturbed.Perturbed`.
    """

    predict: Predict
    loss: Loss
    y: NDArray[Any]
    linear: Linear | None
    thresholds: list[NDArray[np.float32]] | None


def opened(model: Any, X: Floats, y: NDArray[Any], loss: Any, frame: Any = None) -> Opened:
    """Find out what a model predicts and how it is asked.

    Parameters
    ----------
    model : fitted estimator, torch module or function
    X : ndarray of float64, shape (n, ...)
    y : ndarray of shape (n,)
    loss : "auto", a name, Loss or callable
    frame : frame, optional
        The table as it was given: a model that was fitted on names gets them back.

    Raises
    ------
    TypeError, ValueError
        Nothing to call; a loss of probabilities without any; labels that the model does not know.
    """
    asked = _asked(model)
    classes = getattr(model, "classes_", None) if asked.classifies else None
    found = _chosen_loss(asked, loss, X, y)
    target = _target(y, classes, found)
    predict = _named(asked.ask(found.needs), model, frame)
    if found.needs == "label" and classes is not None:
        predict = _Coded(predict, np.asarray(classes))
    predict = _Shaped(predict, found.needs)
    if X.ndim > 2:
        return Opened(predict, found, target, None, None)
    linear = _linear(model, X, predict, found.needs)
    return Opened(predict, found, target, linear, _thresholds(model, X.shape[1]))


@dataclass(frozen=True)
class _Asked:
    """How a kind of model is asked: for numbers, labels, probabilities."""

    ways: dict[str, Predict]
    classifies: bool

    def ask(self, needs: str) -> Predict:
        if needs not in self.ways:
            raise ValueError(
                f"the loss needs {needs} predictions, and the model gives only {', '.join(self.ways)}; for a classifier "
                'without predict_proba take loss="zero_one_loss", or calibrate it'
            )
        return self.ways[needs]


def _asked(model: Any) -> _Asked:
    if any(kind.__module__.startswith("torch.nn") for kind in type(model).__mro__):
        return _Asked({needs: _Torch(model, needs) for needs in ("value", "proba", "label")}, False)
    if hasattr(model, "predict"):
        classifies = is_classifier(model) or hasattr(model, "predict_proba")
        if not classifies:
            return _Asked({"value": model.predict}, False)
        ways = {"label": model.predict}
        return _Asked(
            {**ways, "proba": model.predict_proba} if hasattr(model, "predict_proba") else ways, True
        )
    if callable(model):
        return _Asked({"value": model, "proba": model, "label": model}, False)
    raise TypeError(f"a model has predict, or is a function of rows; got {type(model).__name__}")


def _chosen_loss(asked: _Asked, loss: Any, X: Floats, y: NDArray[Any]) -> Loss:
    classes = asked.classifies
    if isinstance(loss, str) and loss == "auto":
        if (
            not classes and "proba" in asked.ways
        ):  # modules and functions do not say: several numbers a row are classes
            said = np.asarray(asked.ways["value"](X[:2]))
            classes = said.ndim == 2 and said.shape[1] > 1 and len(np.unique(y)) <= 100
        if not classes:
            return named_loss("mean_squared_error")
        return named_loss("log_loss" if "proba" in asked.ways else "zero_one_loss")
    return named_loss(loss, "proba" if classes and "proba" in asked.ways else "label" if classes else "value")


def _target(y: NDArray[Any], classes: Any, loss: Loss) -> NDArray[Any]:
    if y.dtype == object:
        y = np.array(y.tolist())
    if loss.needs == "value":
        if y.dtype.kind not in "biuf":
            raise ValueError(
                f"the loss {loss.name} needs a target of numbers, got {y.dtype}; name a loss of classes"
            )
        return y.astype(np.float64)
    if classes is None:
        if y.dtype.kind not in "biuf" or (y != np.floor(y)).any() or (y < 0).any():
            raise ValueError("a model without classes_ needs class codes 0, 1, ... as target")
        return y.astype(np.int64)
    classes = np.asarray(classes)
    unknown = np.setdiff1d(y, classes)
    if len(unknown):
        raise ValueError(
            f"the target has labels that the model does not know: {unknown[:5].tolist()}; it knows {classes.tolist()}"
        )
    return np.searchsorted(classes, y)


@dataclass(frozen=True)
class _Torch:
    module: Any
    needs: str

    def __call__(self, X: Floats) -> NDArray[Any]:
        import torch

        training = self.module.training
        self.module.eval()
        try:
            first = next(self.module.parameters(), None)
            kind = torch.float32 if first is None else first.dtype
            where = torch.device("cpu") if first is None else first.device
            with torch.no_grad():
                said = self.module(torch.as_tensor(X, dtype=kind, device=where)).double().cpu().numpy()
        finally:
            self.module.train(training)
        if self.needs == "value":
            return np.asarray(said)
        chances = expit(said) if said.ndim == 1 or said.shape[1] == 1 else softmax(said, axis=1)
        if self.needs == "proba":
            return np.asarray(chances)
        return np.asarray(
            chances.reshape(-1) > 0.5 if chances.size == len(X) else chances.argmax(axis=1)
        ).astype(np.int64)


def _named(predict: Predict, model: Any, frame: Any) -> Predict:
    """The same, of rows that carry the names and kind of `frame`, where the model was fitted on names."""
    names = getattr(model, "feature_names_in_", None)
    if frame is None or names is None:
        return predict
    given = nw.from_native(frame, eager_only=True)
    return _Framed(predict, list(given.columns), given.implementation)


@dataclass(frozen=True)
class _Framed:
    predict: Predict
    names: list[str]
    backend: Any

    def __call__(self, X: Floats) -> NDArray[Any]:
        return self.predict(nw.from_numpy(X, schema=self.names, backend=self.backend).to_native())


@dataclass(frozen=True)
class _Coded:
    predict: Predict
    classes: NDArray[Any]

    def __call__(self, X: Floats) -> NDArray[Any]:
        return np.searchsorted(self.classes, np.asarray(self.predict(X)))


@dataclass(frozen=True)
class _Shaped:
    """One number a row where one will do: the probability of the second class stands for both."""

    predict: Predict
    needs: str

    def __call__(self, X: Floats) -> NDArray[Any]:
        said = np.asarray(self.predict(X))
        if len(said) != len(X):
            raise ValueError(f"the model gave {len(said)} predictions for {len(X)} rows")
        if said.ndim == 2 and said.shape[1] <= 2 and (self.needs == "proba" or said.shape[1] == 1):
            return said[:, -1]
        if said.ndim > 1 and self.needs != "proba":
            raise ValueError(
                f"the loss takes one prediction a row; the model gives an array of shape {said.shape}"
            )
        return said


def _linear(model: Any, X: Floats, predict: Predict, needs: str) -> Linear | None:
    """The weights of a linear model, if its predictions can be had from them."""
    weights, intercept = getattr(model, "coef_", None), getattr(model, "intercept_", None)
    if weights is None or intercept is None or needs == "label" or not isinstance(weights, np.ndarray):
        return None
    w = np.asarray(weights, dtype=np.float64)
    b = np.asarray(intercept, dtype=np.float64)
    if w.ndim == 2:
        w, b = (w[0], b.reshape(-1)[0]) if w.shape[0] == 1 else (w.T, b)
    if w.shape[0] != X.shape[1]:
        return None
    some = X[:200]
    said = predict(some)
    for link in (_same, expit, _softmax):
        ours = link(some @ w + b)
        if ours.shape == said.shape and np.allclose(ours, said, rtol=1e-9, atol=1e-12):
            return Linear(w, b, link)
    return None


def _same(x: Floats) -> Floats:
    return x


def _softmax(x: Floats) -> Floats:
    return softmax(x, axis=-1)


def _thresholds(model: Any, columns: int) -> list[NDArray[np.float32]] | None:
    """Where the trees of a model cut each column; None for any other model."""
    if isinstance(model, BaseDecisionTree):
        trees = [model.tree_]
    elif isinstance(model, _FORESTS) and getattr(model, "init", None) is None:
        trees = [tree.tree_ for tree in np.ravel(model.estimators_)]
    else:
        return None
    cuts: list[list[Any]] = [[] for _ in range(columns)]
    for tree in trees:
        for column in np.unique(tree.feature[tree.feature >= 0]):
            cuts[column].append(tree.threshold[tree.feature == column])
    return [_in_float32(np.concatenate(cut)) if cut else np.zeros(0, np.float32) for cut in cuts]


def _in_float32(cuts: Floats) -> NDArray[np.float32]:
    """The largest float32 that is not above each cut: trees compare rows in float32 with cuts in float64."""
    near = cuts.astype(np.float32)
    return np.unique(np.where(near > cuts, np.nextafter(near, np.float32(-np.inf)), near))
