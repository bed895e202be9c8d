"""The one training loop: it owns epochs, shuffling, the best weights, limits and checkpoints; a step owns its optimizers."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from salience.networks.batches import Batch, Batches
from salience.networks.checkpoints import Checkpoints
from salience.stopping import Terminated

__all__ = ["History", "SupervisedStep", "fit", "supervised_step"]

Loss = Callable[..., Tensor]
AfterEpoch = Callable[[int, Mapping[str, float]], object]
Progress = Callable[[int, int, Mapping[str, float]], object]


def fit(
    step: Callable[[Any], Mapping[str, float]],
    batches: Batches | Iterable[Any],
    *,
    epochs: int,
    validate: Callable[[], float] | None = None,
    patience: int | None = None,
    min_epochs: int = 0,
    after_epoch: Sequence[AfterEpoch] = (),
    schedule: Schedule | None = None,
    generator: torch.Generator | None = None,
    progress: Progress | None = None,
    model: nn.Module | None = None,
    time_limit: float | None = None,
    checkpoints: str | PathLike[str] | None = None,
    resume: bool = False,
) -> History:
    """Train: call `step` on every batch of every epoch, and leave the best weights in the model.

    Parameters
    ----------
    step : callable
        ``step(batch) -> {"loss": ...}``: makes one step of its own optimizers and says how it went, as floats.
        Bilevel, two networks that teach each other, rewinding: all of it is the step's own affair.
    batches : TensorBatches or iterable
        What gives the batches of an epoch: an object with ``epoch(generator)``, or anything that can be
        iterated over again for each epoch.
    epochs : int
        At most so many passes.
    validate : callable, optional
        ``validate() -> float``, lower is better, called after each epoch in evaluation mode without gradients.
        With it the weights of the best epoch are restored at the end; without it those of the last stay.
    patience : int, optional
        Stop when `validate` has not improved for so many epochs.
    min_epochs : int
        Never stop for lack of patience before so many epochs.
    after_epoch : sequence of callables
        ``f(epoch, record)`` after validation, epochs counted from 1. What they change in the model takes part
        in the next epoch. Returning True stops the training.
    schedule : torch learning-rate scheduler, optional
        Its ``step()`` is called after each epoch.
    generator : torch.Generator, optional
        Of the order of the rows; the same seed gives the same order.
    progress : callable, optional
        ``progress(epoch, epochs, record)`` after each epoch.
    model : torch.nn.Module, optional
        Whose weights are kept and restored; ``step.model`` when the step has one. Several networks: a
        ``torch.nn.ModuleList``.
    time_limit : float, optional
        Seconds; the epoch in which they run out ends early, is validated, and is the last.
    checkpoints : path, optional
        A folder: ``epoch-00007.pt`` is written after each epoch, whole or not at all, and the last two are
        kept. They hold tensors and plain values only (``torch.load(weights_only=True)``).
    resume : bool
        Go on from the last checkpoint in the folder, if there is one. What `step` keeps beside the model goes
        along when it has ``state_dict`` and ``load_state_dict``, as :class:`SupervisedStep` has.

    Returns
    -------
    History
        ``stopped`` says why it ended: ``"epochs"``, ``"patience"``, ``"time"``, ``"callback"``, ``"not finite"``
        or ``"interrupted"`` (Ctrl-C: the best so far is returned; a caller with more to do decides).

    Warns
    -----
    RuntimeWarning
        When a loss is not finite: the weights of the best epoch before that are restored.

    Raises
    ------
    ValueError
        When a number is out of its range, `patience` is given without `validate`, or an epoch has no batch.

    Examples
    --------
    >>> import torch
    >>> from salience.networks import TensorBatches
    >>> x = torch.linspace(-1, 1, 64)[:, None]
    >>> model = torch.nn.Linear(1, 1)
    >>> step = supervised_step(model, torch.nn.functional.mse_loss, torch.optim.Adam(model.parameters(), 0.1))
    >>> history = fit(step, TensorBatches(x, 3 * x, size=16), epochs=50, generator=torch.Generator().manual_seed(0))
    >>> history.stopped, history["loss"][-1] < 0.01
    ('epochs', True)
    """
    _check(epochs, min_epochs, patience, validate, time_limit)
    model = getattr(step, "model", None) if model is None else model
    started = time.perf_counter()
    history = History()
    best = _Best(model)
    keeper = None if checkpoints is None else Checkpoints(Path(checkpoints))
    parts = {"model": model, "step": step, "schedule": schedule}
    if keeper is not None and resume:
        _resumed(keeper, parts, generator, history, best)
    deadline = math.inf if time_limit is None else started + time_limit
    try:
        while len(history.records) < epochs and not history.stopped:
            epoch = len(history.records) + 1
            begun = time.perf_counter()
            if model is not None:
                model.train()
            record, history.stopped = _epoch(step, _batches_of(batches, generator), deadline)
            if history.stopped != "not finite" and validate is not None:
                record["validation"] = _validated(validate, model)
                if not math.isfinite(record["validation"]):
                    history.stopped = "not finite"
            if history.stopped == "not finite":
                _warn_not_finite(epoch, record)
                break
            record["seconds"] = time.perf_counter() - begun
            history.records.append(record)
            best.offer(epoch, record.get("validation"))
            if schedule is not None:
                schedule.step()
            answers = [call(epoch, record) for call in after_epoch]
            if any(answer is True for answer in answers):
                history.stopped = history.stopped or "callback"
            if progress is not None:
                progress(epoch, epochs, record)
            if keeper is not None:
                keeper.save(epoch, _state(parts, generator, history, best))
            if patience is not None and epoch >= min_epochs and epoch - best.epoch >= patience:
                history.stopped = history.stopped or "patience"
    except Terminated:
        raise  # whoever sends SIGTERM does not wait for what else was to be done
    except KeyboardInterrupt:
        history.stopped = "interrupted"
    history.stopped = history.stopped or "epochs"
    history.best_epoch = best.epoch
    if best.restores(history.stopped, len(history.records)):
        best.restore()
    if model is not None:
        model.eval()
    history.seconds += time.perf_counter() - started
    return history


def supervised_step(
    model: nn.Module,
    loss: Loss,
    optimizer: torch.optim.Optimizer,
    *,
    penalty: Callable[[], Tensor] | None = None,
) -> SupervisedStep:
    """The common case of a step: ``loss(model(*inputs), target)`` of batches ``(*inputs, target)``.

    Parameters
    ----------
    model : torch.nn.Module
    loss : callable
        ``loss(output, target)``, a scalar tensor.
    optimizer : torch.optim.Optimizer
        Over the parameters to be trained.
    penalty : callable, optional
        Without arguments; what it returns is added to the loss.
    """
    return SupervisedStep(model, loss, optimizer, penalty)


@dataclass
class SupervisedStep:
    """One step of one optimizer on one loss; see :func:`supervised_step`.

    Examples
    --------
    >>> import torch
    >>> model = torch.nn.Linear(2, 1)
    >>> step = supervised_step(model, torch.nn.functional.mse_loss, torch.optim.SGD(model.parameters(), 0.1))
    >>> sorted(step((torch.ones(4, 2), torch.ones(4, 1))))
    ['loss']
    """

    model: nn.Module
    loss: Loss
    optimizer: torch.optim.Optimizer
    penalty: Callable[[], Tensor] | None = None

    def __call__(self, batch: Batch) -> dict[str, float]:
        *inputs, target = batch
        value = self.loss(self.model(*inputs), target)
        if self.penalty is not None:
            value = value + self.penalty()
        self.optimizer.zero_grad(set_to_none=True)
        value.backward()
        self.optimizer.step()
        return {"loss": value.item()}

    def state_dict(self) -> dict[str, Any]:
        """What has to be saved beside the model."""
        return self.optimizer.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what :meth:`state_dict` gave."""
        self.optimizer.load_state_dict(state)


class Schedule(Protocol):
    """A learning-rate scheduler of torch, or anything like it."""

    def step(self) -> None:
        """Called after each epoch."""
        ...


@dataclass
class History:
    """What a training run was like.

    Attributes
    ----------
    records : list of dict
        One per epoch: the mean of what the steps returned, ``validation`` where there is one, ``seconds``.
    best_epoch : int
        Counted from 1; 0 when no epoch was finished. Without validation, the last.
    stopped : str
        Why it ended; see :func:`fit`.
    seconds : float

    Examples
    --------
    >>> History([{"loss": 2.0}, {"loss": 1.0}], best_epoch=2, stopped="epochs")["loss"]
    [2.0, 1.0]
    """

    records: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    stopped: str = ""
    seconds: float = 0.0

    def __getitem__(self, name: str) -> list[float]:
        """One measure over the epochs."""
        return [record[name] for record in self.records]

    def __len__(self) -> int:
        return len(self.records)


class _Best:
    """The weights of the best epoch; without validation, of the last one that was finished."""

    def __init__(self, model: nn.Module | None) -> None:
        self.model, self.epoch, self.value = model, 0, math.inf
        self.weights = self._copied()

    def _copied(self) -> dict[str, Tensor] | None:
        if self.model is None:
            return None
        return {name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()}

    def offer(self, epoch: int, validation: float | None) -> None:
        if validation is None or validation < self.value:
            self.epoch, self.weights = epoch, self._copied()
            self.value = math.inf if validation is None else validation

    def restores(self, stopped: str, epochs: int) -> bool:
        if self.epoch == 0:
            return stopped == "not finite"
        return self.epoch < epochs or stopped in ("interrupted", "not finite")

    def restore(self) -> None:
        if self.model is not None and self.weights is not None:
            self.model.load_state_dict(self.weights)


def _epoch(
    step: Callable[[Any], Mapping[str, float]], batches: Iterable[Any], deadline: float
) -> tuple[dict[str, float], str]:
    """Means over the batches, and why to stop, if so."""
    sums: dict[str, float] = {}
    count = 0
    for batch in batches:
        for name, value in step(batch).items():
            sums[name] = sums.get(name, 0.0) + value
            if not math.isfinite(value):
                return {name: value}, "not finite"
        count += 1
        if time.perf_counter() >= deadline:
            return {name: total / count for name, total in sums.items()}, "time"
    if not count:
        raise ValueError(
            "an epoch had no batch: give TensorBatches, or something that can be iterated over again "
            "(a generator is used up after one epoch)"
        )
    return {name: total / count for name, total in sums.items()}, ""


def _batches_of(batches: Any, generator: torch.Generator | None) -> Iterable[Any]:
    return batches.epoch(generator) if hasattr(batches, "epoch") else batches


def _validated(validate: Callable[[], float], model: nn.Module | None) -> float:
    if model is not None:
        model.eval()
    with torch.no_grad():
        return float(validate())


def _warn_not_finite(epoch: int, record: Mapping[str, float]) -> None:
    name, value = next(item for item in record.items() if not math.isfinite(item[1]))
    warnings.warn(
        f"{name} was {value} in epoch {epoch}: training stopped there, and the best weights before it were "
        "restored. Lower the learning rate, or look for huge values in the inputs",
        RuntimeWarning,
        stacklevel=3,
    )


def _state(
    parts: Mapping[str, Any], generator: torch.Generator | None, history: History, best: _Best
) -> dict[str, Any]:
    return {
        **{name: part.state_dict() for name, part in parts.items() if hasattr(part, "state_dict")},
        "generator": None if generator is None else generator.get_state(),
        "records": history.records,
        "stopped": history.stopped,
        "best": {"epoch": best.epoch, "value": best.value, "weights": best.weights},
    }


def _resumed(
    keeper: Checkpoints,
    parts: Mapping[str, Any],
    generator: torch.Generator | None,
    history: History,
    best: _Best,
) -> None:
    state = keeper.latest()
    if state is None:
        return
    for name, part in parts.items():
        if name in state:
            part.load_state_dict(state[name])
    if generator is not None and state["generator"] is not None:
        generator.set_state(state["generator"])
    history.records = state["records"]
    best.epoch, best.value, best.weights = (state["best"][name] for name in ("epoch", "value", "weights"))


def _check(
    epochs: int, min_epochs: int, patience: int | None, validate: object, time_limit: float | None
) -> None:
    for name, value, least in (
        ("epochs", epochs, 1),
        ("min_epochs", min_epochs, 0),
        ("patience", patience, 1),
    ):
        if value is not None and value < least:
            raise ValueError(f"{name} must be at least {least}, got {value}")
    if patience is not None and validate is None:
        raise ValueError("patience waits for validate() to improve: give validate, or leave patience out")
    if time_limit is not None and not time_limit > 0:
        raise ValueError(f"time_limit must be a positive number of seconds, got {time_limit}")
