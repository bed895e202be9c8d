"""The members of a Rashomon set and what each says of its features: samples, clouds, and the Scores made of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any, Literal, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from salience.measures.sensitivity.losses import Loss
from salience.measures.sensitivity.permutation import PermutationEffects, losses_under_masks, measure_effects
from salience.measures.sensitivity.perturbed import Perturbed
from salience.measures.sensitivity.shuffles import Shuffles
from salience.parallel import pmap
from salience.results import Meta, Scores
from salience.tabular.rashomon.parts import Parts, correlation
from salience.tabular.rashomon.search import Walk, walk

Floats: TypeAlias = NDArray[np.float64]
Subset: TypeAlias = tuple[int, ...]
Progress: TypeAlias = Callable[[int, int], None] | None

DIRECTIONS = (1, -1)


@dataclass(frozen=True)
class Question:
    """A model, its rows, and how they are shuffled: what every member is asked."""

    box: Perturbed
    shuffles: Shuffles
    loss: Loss
    y: NDArray[Any]

    def effects(self, subsets: Sequence[Subset], times: int) -> PermutationEffects:
        """Effects of subsets in the model as it is."""
        return measure_effects(self.box, self.shuffles, self.loss, self.y, subsets, times)


@dataclass(frozen=True)
class Effects:
    """Effects of one subset in each of K members.

    Attributes
    ----------
    loss, joint, fis, se : ndarray of float64, shape (K,)
        `se` is that of `fis` (of `joint` for single parts), of the shuffles alone: the rows are the same for all.
    mains : ndarray of float64, shape (K, q)
    """

    loss: Floats
    joint: Floats
    mains: Floats
    fis: Floats
    se: Floats


@dataclass(frozen=True)
class Split:
    """One way to spend the budget: the radius, a budget for each feature (places in the grid), and directions."""

    radius: float
    places: tuple[int, ...]
    directions: tuple[int, ...]


def tolerance(epsilon: float | None, rate: float, loss: float) -> float:
    """The absolute tolerance.

    Raises
    ------
    ValueError
        When it is not positive.
    """
    found = float(epsilon if epsilon is not None else rate * loss)
    if not (np.isfinite(found) and found > 0):
        raise ValueError(
            f"the tolerance epsilon is {found:g} (reference loss {loss:g}); it must be positive: give an absolute one, "
            "epsilon=..., in units of the loss"
        )
    return found


def budget_grid(delta: float) -> Floats:
    """0, delta, 2 delta, ..., 1.

    Raises
    ------
    ValueError
        When delta does not divide 1.

    Examples
    --------
    >>> budget_grid(0.25)
    array([0. , 0.25, 0.5 , 0.75, 1. ])
    """
    steps = round(1 / delta)
    if steps < 1 or abs(steps * delta - 1) > 1e-9:
        raise ValueError(f"delta={delta} must divide 1 into equal budgets: 0.1, 0.2, 0.25, 0.5, ...")
    return np.linspace(0.0, 1.0, steps + 1)


def splits(order: int, grid: Floats, radii: Sequence[float]) -> list[Split]:
    """All splits of each radius between `order` features, each with at least one step, and all directions.

    Raises
    ------
    ValueError
        When a radius is not on the grid, or has fewer steps than there are features.

    Examples
    --------
    >>> len(splits(2, budget_grid(0.1), [1.0]))
    36
    """
    steps = len(grid) - 1
    found = []
    for radius in radii:
        total = round(radius * steps)
        if abs(total - radius * steps) > 1e-9 or not order <= total <= steps:
            raise ValueError(
                f"a radius of {radius} cannot be split between {order} features in steps of {1 / steps:g}: it must be a "
                f"multiple of it, from {order / steps:g} to 1; take a smaller delta"
            )
        places = (
            [p for p in product(range(1, total), repeat=order) if sum(p) == total]
            if order > 1
            else [(total,)]
        )
        found += [Split(radius, p, d) for p in places for d in product(DIRECTIONS, repeat=order)]
    return found


def search(
    question: Question, parts: Sequence[int], reference: float, epsilon: float, grid: Floats, n_jobs: int,
    progress: Progress,
) -> dict[tuple[int, int], Walk]:  # fmt: skip
    """The farthest masks of every part in both directions."""
    tasks = [(part, direction) for part in parts for direction in DIRECTIONS]
    one = partial(_walk_one, question, reference, epsilon * grid)
    found = pmap(one, tasks, n_jobs=n_jobs, threads=True, progress=progress)
    return dict(zip(tasks, found, strict=True))


def _walk_one(question: Question, reference: float, budgets: Floats, task: tuple[int, int]) -> Walk:
    part, direction = task

    def losses_at(masks: Floats) -> Floats:
        return question.loss(question.y, question.box.masked((part,), masks[:, None]))

    still = 1e-9 * max(abs(reference), float(np.finfo(float).tiny))
    return walk(losses_at, reference, budgets, direction, still=still)


def masked_effects(
    question: Question, tasks: Sequence[tuple[Subset, Floats]], times: int, n_jobs: int, progress: Progress
) -> list[Effects]:
    """Effects of each subset in the models with each of its masks (K, q)."""
    return pmap(partial(_masked_one, question, times), tasks, n_jobs=n_jobs, threads=True, progress=progress)


def _masked_one(question: Question, times: int, task: tuple[Subset, Floats]) -> Effects:
    subset, masks = task
    still, shuffled = losses_under_masks(
        question.box, question.shuffles, question.loss, question.y, subset, masks, times
    )
    draws = shuffled - still[:, None, None]
    joint = draws[:, -1]
    mains = draws[:, : len(subset)]
    fis = joint - mains.sum(axis=1) if len(subset) > 1 else joint
    se = fis.std(axis=1, ddof=1) / np.sqrt(times) if times > 1 else np.full(len(masks), np.nan)
    return Effects(still, joint.mean(axis=1), mains.mean(axis=2), fis.mean(axis=1), se)


def effects_of_models(
    questions: Sequence[Question], subsets: Sequence[Subset], times: int, n_jobs: int, progress: Progress
) -> list[Effects]:
    """Effects of each subset in each of several models."""
    found = pmap(
        partial(_model_one, tuple(subsets), times), questions, n_jobs=n_jobs, threads=True, progress=progress
    )
    return [
        Effects(*(np.array([model[k][field] for model in found]) for field in range(5)))
        for k in range(len(subsets))
    ]


def _model_one(subsets: tuple[Subset, ...], times: int, question: Question) -> list[tuple[Any, ...]]:
    measured = question.effects(subsets, times)
    rows = []
    for k, subset in enumerate(subsets):
        mains = [measured.alone[part][0] for part in subset]
        own = (
            (measured.interaction[k], measured.interaction_se[k])
            if len(subset) > 1
            else (measured.effect[k], measured.se[k])
        )
        rows.append((measured.loss, measured.effect[k], mains, *own))
    return rows


def samples_frame(
    walks: dict[tuple[int, int], Walk], names: Sequence[str], grid: Floats, epsilon: float
) -> pl.DataFrame:
    """One row per single-mask model."""
    rows = [
        (names[part], direction, float(t), float(t * epsilon), float(m), float(loss), found.end or None)
        for (part, direction), found in walks.items()
        for t, m, loss in zip(grid, found.masks, found.losses, strict=True)
    ]
    schema = {
        "feature": pl.String, "direction": pl.Int8, "budget": pl.Float64, "allowed": pl.Float64, "m": pl.Float64,
        "loss": pl.Float64, "end": pl.String,
    }  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row")


def letters(order: int) -> list[str]:
    """Names of the keys: a, b, c, ...; one feature is a column."""
    return ["column"] if order == 1 else [chr(ord("a") + i) for i in range(order)]


def kind_of(order: int) -> tuple[Literal["high", "abs"], str]:
    """Which values matter, and what the items are: effects are losses, interactions are signed."""
    return ("high", "column") if order == 1 else ("abs", "pair" if order == 2 else "group")


def ways_frame(ways: Sequence[Split], grid: Floats) -> pl.DataFrame:
    """One row per split: its radius, budgets and directions."""
    keys = letters(len(ways[0].places))
    return pl.DataFrame(
        {"radius": [way.radius for way in ways]}
        | {f"budget_{key}": [float(grid[way.places[i]]) for way in ways] for i, key in enumerate(keys)}
        | {f"direction_{key}": [way.directions[i] for way in ways] for i, key in enumerate(keys)}
    )


def cloud_frame(
    subsets: Sequence[Subset],
    found: Sequence[Effects],
    names: Sequence[str],
    limit: float,
    members: pl.DataFrame,
) -> pl.DataFrame:
    """One row per subset and member; `members` has one row per member of every subset, in that order."""
    if not subsets:
        return pl.DataFrame()
    keys = letters(len(subsets[0]))
    k = len(found[0].loss)
    columns: dict[str, Any] = {
        key: np.repeat([names[subset[i]] for subset in subsets], k) for i, key in enumerate(keys)
    }
    frame = pl.concat([pl.DataFrame(columns), members], how="horizontal")
    measured = {"loss": np.concatenate([one.loss for one in found])}
    if len(keys) == 1:
        measured["effect"] = np.concatenate([one.joint for one in found])
    else:
        measured["joint"] = np.concatenate([one.joint for one in found])
        measured |= {
            f"main_{key}": np.concatenate([one.mains[:, i] for one in found]) for i, key in enumerate(keys)
        }
        measured["fis"] = np.concatenate([one.fis for one in found])
    measured["se"] = np.concatenate([one.se for one in found])
    return frame.with_columns(**measured, in_set=pl.Series(measured["loss"] <= limit))


def range_columns(
    reference: Floats, cloud: Floats, inside: NDArray[np.bool_], in_set_only: bool
) -> dict[str, Any]:
    """What a cloud (rows, members) spans, the reference being a member; of all members and of those in the set."""
    kept = np.where(inside, cloud, np.nan)
    shown = kept if in_set_only else cloud
    whole = np.column_stack([shown, reference])
    in_set = np.column_stack([kept, reference])
    return {
        "lo": np.nanmin(whole, axis=1), "hi": np.nanmax(whole, axis=1),
        "range": np.nanmax(whole, axis=1) - np.nanmin(whole, axis=1),
        "mean": np.nanmean(whole, axis=1), "sd": np.nanstd(whole, axis=1),
        "in_set_lo": np.nanmin(in_set, axis=1), "in_set_hi": np.nanmax(in_set, axis=1),
        "in_set": inside.mean(axis=1) if inside.shape[1] else np.ones(len(reference)),
        "n": np.isfinite(shown).sum(axis=1),
    }  # fmt: skip


def cloud_scores(
    known: PermutationEffects, parts: Parts, X: Floats, subsets: Sequence[Subset], found: Sequence[Effects], *,
    order: int = 1, limit: float, in_set_only: bool, meta: Meta, **more: Sequence[int],
) -> Scores:  # fmt: skip
    """The reference beside what its members span; the replicates are the members."""
    keys = letters(order)
    place = [known.subsets.index(subset) for subset in subsets]
    value, se = (known.effect, known.se) if order == 1 else (known.interaction, known.interaction_se)
    members = max((len(one.loss) for one in found), default=1)
    cloud = np.array([one.fis for one in found]).reshape(len(found), members)
    inside = np.array([one.loss for one in found]).reshape(cloud.shape) <= limit
    columns: dict[str, Any] = {key: [parts.names[s[i]] for s in subsets] for i, key in enumerate(keys)}
    columns |= {"value": value[place], "se": se[place]}
    columns |= range_columns(value[place], cloud, inside, in_set_only)
    if order > 1:
        columns["joint"] = known.effect[place]
        columns["correlation"] = [correlation(X, parts, subset) for subset in subsets]
    better, item = kind_of(order)
    frame = pl.DataFrame(columns | more).cast(dict.fromkeys(keys, pl.String))
    replicates = np.where(inside, cloud, np.nan) if in_set_only else cloud
    return Scores(
        frame,
        tuple(keys),
        item=item,
        better=better,
        replicates=replicates.T,
        meta=meta.replace(symmetric=order == 2),
    )
