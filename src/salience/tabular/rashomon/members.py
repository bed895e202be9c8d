"""Who is asked: the reference, masked models of it, or a list of models; and what they are asked about."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import train_test_split
from sklearn.utils.validation import check_is_fitted

from salience.measures.sensitivity.perturbed import Perturbed
from salience.measures.sensitivity.shuffles import SHUFFLES, PixelShuffles, Shuffles
from salience.tabular.rashomon import clouds
from salience.tabular.rashomon.models import opened
from salience.tabular.rashomon.parts import Parts, table_of

Floats: TypeAlias = NDArray[np.float64]
Subset: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class Rows:
    """Rows laid flat, their target, the frame they came from if any, and how they are masked and shuffled."""

    X: Floats
    y: NDArray[Any]
    frame: Any
    parts: Parts
    centre: Floats
    permutation: str
    seed: int

    def masked(self, masks: Mapping[Any, float], X: Any = None) -> Floats:
        """Rows, by default these, under the masks of some parts."""
        rows = self.X if X is None else np.asarray(table_of(X)[0], dtype=np.float64)
        rows = rows.reshape(len(rows), -1).copy()
        for name, m in masks.items():
            columns = self.parts.columns[self.parts.index(name)]
            rows[:, columns] = self.centre[columns] + m * (rows[:, columns] - self.centre[columns])
        return rows

    def question(self, model: Any, loss: Any) -> clouds.Question:
        """What a model is asked."""
        shape, columns = self.parts.shape, self.parts.columns
        ready = opened(model, self.X.reshape(len(self.X), *shape), self.y, loss, self.frame)
        predict = _Images(ready.predict, shape) if self.parts.channels else ready.predict
        shuffles: Shuffles = (
            PixelShuffles(self.X, columns, self.seed, self.parts.channels)
            if self.parts.channels
            else SHUFFLES[self.permutation](self.X, columns, self.seed)
        )
        box = Perturbed(predict, self.X, columns, self.centre, ready.linear, ready.thresholds)
        return clouds.Question(box, shuffles, ready.loss, ready.y)


@dataclass(frozen=True)
class _Images:
    """A function of images, to be called with them laid flat."""

    predict: Callable[..., Any]
    shape: tuple[int, ...]

    def __call__(self, rows: Floats) -> NDArray[Any]:
        return np.asarray(self.predict(rows.reshape(len(rows), *self.shape)))


@dataclass(frozen=True)
class Plan:
    """How far to look, and how closely.

    Attributes
    ----------
    active : list of int
        Parts that are looked at.
    subsets : list of tuples of int
    reference, epsilon : float
    shuffles, screen, top
        All subsets with `screen` shuffles (None: with all of them), the `top` of the widest range with `shuffles`.
    """

    active: list[int]
    subsets: list[Subset]
    reference: float
    epsilon: float
    shuffles: int
    screen: int | None
    top: int
    n_jobs: int
    progress: Callable[[int, int], None] | None

    @property
    def limit(self) -> float:
        """The largest loss of a member, rounding allowed for."""
        return self.reference + self.epsilon + 1e-12


@dataclass(frozen=True)
class Found:
    """Samples, and the effects of single features and of subsets in each member.

    Attributes
    ----------
    samples : polars.DataFrame
    singles, joints : list of Effects
    single_members, joint_members : polars.DataFrame
        One row per subset and member: which it is.
    shuffles : list of int
        How many each subset got.
    """

    samples: pl.DataFrame
    singles: list[clouds.Effects]
    joints: list[clouds.Effects]
    single_members: pl.DataFrame
    joint_members: pl.DataFrame
    shuffles: list[int]


def masked_members(
    question: clouds.Question,
    plan: Plan,
    names: Sequence[str],
    grid: Floats,
    ways: Sequence[clouds.Split],
) -> Found:
    """Members that are the reference under masks."""
    walks = clouds.search(
        question, plan.active, plan.reference, plan.epsilon, grid, plan.n_jobs, plan.progress
    )
    samples = clouds.samples_frame(walks, names, grid, plan.epsilon)
    own = [
        ((p,), np.concatenate([walks[p, d].masks for d in clouds.DIRECTIONS])[:, None]) for p in plan.active
    ]
    tasks = [
        (s, np.array([[walks[p, d].masks[place] for p, place, d in zip(s, way.places, way.directions, strict=True)]
                      for way in ways]))
        for s in plan.subsets
    ]  # fmt: skip
    run = partial(clouds.masked_effects, question, n_jobs=plan.n_jobs, progress=plan.progress)
    joints, used = _screened(run, tasks, plan)
    singles = run(own, plan.shuffles)
    way = clouds.ways_frame(ways, grid)
    members = pl.concat([way] * len(tasks)) if tasks else way.clear()
    masks = np.concatenate([m for _, m in tasks]) if tasks else np.zeros((0, len(ways[0].places)))
    members = members.with_columns(
        **{f"m_{key}": masks[:, i] for i, key in enumerate(clouds.letters(masks.shape[1]))}
    )
    return Found(samples, singles, joints, samples.select("direction", "budget", "m"), members, used)


def _screened(
    run: Callable[..., list[clouds.Effects]], tasks: list[Any], plan: Plan
) -> tuple[Any, list[int]]:
    """Twice where that is cheaper: all with few shuffles, those of the widest range with all."""
    if plan.screen is None or plan.screen >= plan.shuffles:
        return run(tasks, plan.shuffles), [plan.shuffles] * len(tasks)
    found, used = run(tasks, plan.screen), [plan.screen] * len(tasks)
    widest = np.argsort([-np.ptp(one.fis) for one in found], kind="stable")[: plan.top]
    for place, one in zip(widest, run([tasks[k] for k in widest], plan.shuffles), strict=True):
        found[place], used[place] = one, plan.shuffles
    return found, used


def listed_members(questions: Sequence[clouds.Question], plan: Plan) -> Found:
    """Members out of a list of models; those outside the set are only counted.

    Raises
    ------
    ValueError
        When none is in the set.
    """
    losses = np.array([loss_of(question) for question in questions])
    inside = losses <= plan.limit
    samples = pl.DataFrame({"model": np.arange(len(questions)), "loss": losses, "in_set": inside})
    if not inside.any():
        raise ValueError(
            f"none of {len(questions)} models is within {plan.epsilon:g} of the reference loss {plan.reference:g}; the best "
            f"has {losses.min():g}. Take a larger epsilon"
        )
    which = np.flatnonzero(inside).tolist()
    everything = [(p,) for p in plan.active] + plan.subsets
    found = clouds.effects_of_models(
        [questions[k] for k in which], everything, plan.shuffles, plan.n_jobs, plan.progress
    )
    count = len(plan.active)
    single, joint = (pl.DataFrame({"model": np.tile(which, n)}) for n in (count, len(plan.subsets)))
    return Found(samples, found[:count], found[count:], single, joint, [plan.shuffles] * len(plan.subsets))


def held_out(
    model: Any, X: Any, y: NDArray[Any], frame: Any, test_size: float, seed: int
) -> tuple[Any, Any, NDArray[Any], Any]:
    """A fitted model and the rows to explain it on: all of them, or those that it was not fitted on just now."""
    if not hasattr(model, "fit"):
        return model, X, y, frame
    try:
        check_is_fitted(model)
    except NotFittedError:
        by_class = is_classifier(model) and np.unique(y, return_counts=True)[1].min() > 1
        own, held = train_test_split(
            np.arange(len(X)), test_size=test_size, random_state=seed, stratify=y if by_class else None
        )
        return clone(model).fit(X[own], y[own]), X[held], y[held], None
    return model, X, y, frame


def loss_of(question: clouds.Question) -> float:
    """The loss of a model on the rows as they are."""
    said = question.box.masked((0,), np.ones((1, 1)))
    return float(question.loss(question.y, said)[0])
