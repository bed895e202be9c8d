"""One number per row from any model: the output that is to be explained."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["OUTPUTS", "ModelOutput"]

Floats = NDArray[np.float64]
TINY = 1e-12  # probabilities are kept so far from 0 and 1 before the logit


class ModelOutput:
    """A scalar output g of a model as a function of a table.

    Parameters
    ----------
    model : estimator or callable
        With ``predict_proba``, ``decision_function`` or ``predict``; or a function from a table to numbers, shape
        (rows,) or (rows, outputs).
    output : {"auto", "probability", "logit", "decision", "prediction"}, default="auto"
        "auto": the numbers of a function as they are; of an estimator the first that it has of probability,
        decision and prediction.
    target : class label or int, optional
        Which class (or, of several outputs, which one, by position). Without it the second class.

    Attributes
    ----------
    output : str
        What is explained: "function" where a function is explained as it is.
    target : object
        The class label or position that is explained; None where there is only one output.
    rows : int
        Rows the model has scored so far.

    Raises
    ------
    TypeError, ValueError
        The model lacks the method, the target is no class of it, several outputs and no target, probabilities
        outside [0, 1].

    Warns
    -----
    UserWarning
        More than two classes and no target.

    Examples
    --------
    >>> half = ModelOutput(lambda X: np.full((len(X), 2), 0.5), output="logit", target=1)
    >>> half(np.zeros((2, 3)))
    array([0., 0.])
    """

    def __init__(self, model: Any, output: str = "auto", target: Any = None) -> None:
        if output not in (*OUTPUTS, "auto"):
            raise ValueError(
                f"output={output!r} is unknown; it must be one of 'auto', {', '.join(map(repr, OUTPUTS))}"
            )
        has = [name for name, (method, _) in OUTPUTS.items() if method and hasattr(model, method)]
        if not has and not callable(model):
            raise TypeError(
                "the model must have predict_proba, decision_function or predict, or be a function of a table; "
                f"got {type(model).__name__}"
            )
        if output == "auto":
            output = next(
                (name for name in ("probability", "decision", "prediction") if name in has), "function"
            )
        elif has and output not in has:
            raise ValueError(
                f"output={output!r} needs {OUTPUTS[output][0]}, which {type(model).__name__} lacks; it has {', '.join(has)}"
            )
        self.output = output
        self.rows = 0
        self._ask: Callable[[Any], Any] = getattr(model, OUTPUTS[output][0]) if has else model
        classes = getattr(model, "classes_", None) if output not in ("prediction", "function") else None
        self._classes = None if classes is None else list(np.asarray(classes).tolist())
        self.target = target.item() if isinstance(target, np.generic) else target
        self._place = self._found()

    def _found(self) -> int | None:
        if self._classes is None:
            if self.target is not None and (
                isinstance(self.target, bool) or not isinstance(self.target, int)
            ):
                raise ValueError(
                    f"target={self.target!r} must be the position of an output: the model names no classes"
                )
            return self.target
        if self.target is not None:
            if self.target not in self._classes:
                raise ValueError(f"target={self.target!r} is no class of the model; it has {self._classes}")
            return self._classes.index(self.target)
        place = min(1, len(self._classes) - 1)
        self.target = self._classes[place]
        if len(self._classes) > 2:
            warnings.warn(
                f"the model has {len(self._classes)} classes and no target was named: class {self.target!r} is explained. "
                "Name one of them with target=",
                UserWarning,
                stacklevel=4,
            )
        return place

    def __call__(self, table: Any) -> Floats:
        """The output for each row of a table, shape (rows,)."""
        said = np.asarray(self._ask(table), dtype=np.float64)
        self.rows += len(said)
        if said.ndim == 2 and said.shape[1] == 1:
            said = said[:, 0]
        if said.ndim == 2:
            chosen = self._chosen(said)
        elif (
            self.output in _OTHER_SIDE
            and self._place == 0
            and (self._classes is None or len(self._classes) == 2)
        ):
            chosen = _OTHER_SIDE[self.output](said)  # one column for two classes is that of the second
        else:
            chosen = said
        return OUTPUTS[self.output][1](chosen)

    def _chosen(self, said: Floats) -> Floats:
        place = self._place
        if place is None and self.output in ("probability", "logit") and said.shape[1] == 2:
            place = 1
        if place is None or not -said.shape[1] <= place < said.shape[1]:
            raise ValueError(
                f"the model gives {said.shape[1]} outputs per row; say which one is explained: target=0 to {said.shape[1] - 1}"
            )
        return np.ascontiguousarray(said[:, place])


def _probability(said: Floats) -> Floats:
    if said.size and not (said.min() >= -1e-6 and said.max() <= 1 + 1e-6):
        raise ValueError(f"probabilities lie in [0, 1], the model gave {said.min():.3g} to {said.max():.3g}")
    return said


def _logit(said: Floats) -> Floats:
    p = np.clip(_probability(said), TINY, 1 - TINY)
    return np.log(p / (1 - p))


def _as_is(said: Floats) -> Floats:
    return said


# Which method of an estimator gives it, and what is made of its numbers.
OUTPUTS: Mapping[str, tuple[str, Callable[[Floats], Floats]]] = {
    "probability": ("predict_proba", _probability),
    "logit": ("predict_proba", _logit),
    "decision": ("decision_function", _as_is),
    "prediction": ("predict", _as_is),
    "function": ("", _as_is),
}
_OTHER_SIDE: Mapping[str, Callable[[Floats], Floats]] = {
    "probability": lambda p: 1.0 - p,
    "logit": lambda p: 1.0 - p,
    "decision": np.negative,
}
