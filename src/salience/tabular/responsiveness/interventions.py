"""Ask a model about many interventions of many people at once, and count those that reach the target."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from salience.tabular.dhondt.output import ModelOutput
from salience.tabular.numbers import like
from salience.tabular.responsiveness.reachable import Points, Reachable
from salience.tabular.responsiveness.rule import Floats, Mask

__all__ = ["CHUNK", "Decision", "Piece", "Tally", "count", "doubles", "singles"]

CHUNK = 100_000  # rows in one call of the model


class Decision:
    """Whether a model decides for the target, row by row of an array.

    Parameters
    ----------
    predict : estimator or callable
        With ``predict``; or a function from a table to labels, or to numbers when there is a `threshold`.
    target : label
    threshold : float or None
        Decide by probability (or decision value, or the numbers of a function) >= threshold, not by label.
    X, names
        A table as the user gave it: the model gets the same kind.
    """

    def __init__(
        self, predict: Any, target: Any, threshold: float | None, X: Any, names: Sequence[str]
    ) -> None:
        classes = getattr(predict, "classes_", None)
        if classes is not None and target not in np.asarray(classes).tolist():
            raise ValueError(
                f"target={target!r} is no class of the model; it has {np.asarray(classes).tolist()}"
            )
        if not hasattr(predict, "predict") and not callable(predict):
            raise TypeError(
                f"predict must be a fitted model or a function of a table, got {type(predict).__name__}"
            )
        self._target, self._threshold, self._like, self._names = target, threshold, X, names
        self._labels: Callable[[Any], Any] = predict.predict if hasattr(predict, "predict") else predict
        numeric = hasattr(predict, "predict_proba") or hasattr(predict, "decision_function")
        self._number: ModelOutput | None = None
        if numeric and (classes is not None or threshold is not None):
            self._number = ModelOutput(predict, target=target)
        elif threshold is not None and not hasattr(predict, "predict"):
            self._number = ModelOutput(predict)
        elif threshold is not None:
            raise ValueError(
                "threshold needs a model with predict_proba or decision_function, or a function of numbers"
            )

    def __call__(self, values: Floats) -> Mask:
        """Which rows, shape (m, d), are decided for the target."""
        table = like(self._like, values, self._names)
        if self._threshold is not None and self._number is not None:
            number = self._number(table)
            if np.isnan(number).any():
                raise ValueError(f"the model gives NaN for {np.isnan(number).sum()} of {len(number)} rows")
            return np.asarray(number >= self._threshold)
        said = np.asarray(self._labels(table))
        if said.ndim == 2 and said.shape[1] == 1:
            said = said[:, 0]
        if said.shape != (len(values),):
            raise ValueError(
                f"predict must give one label per row, shape ({len(values)},); it gave {said.shape}"
            )
        if said.dtype.kind == "f" and np.any(said != np.round(said)):
            raise ValueError(
                "predict gives numbers that are no labels; say from which one on is good: threshold="
            )
        return np.asarray(said == self._target)

    def margin(self, values: Floats) -> Floats:
        """How much the model leans to the target; 0 or 1 where it gives labels only."""
        if self._number is None:
            return self(values).astype(np.float64)
        return self._number(like(self._like, values, self._names))


class Piece(NamedTuple):
    """The same interventions for several people: those who are alike in the columns concerned."""

    people: NDArray[np.int64]
    columns: NDArray[np.int64]
    points: Points
    item: int
    moved: tuple[int, ...]  # positions in `columns` of what the item is


class Tally:
    """What the interventions came to, each array of shape (people, items).

    Attributes
    ----------
    hits, draws : float
        Successes and trials that an interval is made of; infinite draws where all points are known.
    score : float
    n_points : int
    status : str
    low, high : float
        Range of the values of the (first) column that were within reach.
    example : float, (people, items, columns of an item)
        Nearest values that reach the target; NaN where none does.
    nearest : dict of (person, item) to (columns, values)
        The whole point, when `whole`.
    """

    def __init__(self, people: int, items: int, width: int, whole: bool) -> None:
        shape = (people, items)
        self.hits, self.score = np.zeros(shape), np.zeros(shape)
        self.draws = np.full(shape, np.inf)
        self.n_points = np.zeros(shape, np.int64)
        self.status = np.full(shape, "immutable", dtype="<U10")
        self.low, self.high = np.full(shape, np.nan), np.full(shape, np.nan)
        self.example = np.full((*shape, width), np.nan)
        self.nearest: dict[tuple[int, int], tuple[NDArray[np.int64], Floats]] = {}
        self.whole = whole

    def enter(self, piece: Piece) -> None:
        """Note what is known before the model is asked."""
        at = (piece.people, piece.item)
        self.status[at] = piece.points.status
        self.n_points[at] = len(piece.points.values)
        self.draws[at] = piece.points.draws
        if len(piece.points.values):
            first = piece.points.values[:, piece.moved[0]]
            self.low[at], self.high[at] = first.min(), first.max()

    def add(self, piece: Piece, base: Floats, reached: Mask) -> None:
        """Count what the model said, shape (people of the piece, points)."""
        at = (piece.people, piece.item)
        values, weights = piece.points.values, piece.points.weights
        share = np.full(len(values), 1.0 / len(values)) if weights is None else weights / weights.sum()
        self.hits[at] = reached.sum(axis=1)
        # A count over a count, so that 3 of 5 is 3/5 to the last bit.
        self.score[at] = reached.mean(axis=1) if weights is None else np.minimum(reached @ share, 1.0)
        some = np.flatnonzero(reached.any(axis=1) & ((weights is None) | (reached @ share > 0)))
        if not len(some):
            return
        now = base[piece.people[0], piece.columns]
        moved = list(piece.moved)
        far = np.abs(values[:, moved] - now[moved]).sum(axis=1)
        order = np.lexsort(((values != now).sum(axis=1), far))
        first = order[np.argmax(reached[some][:, order], axis=1)]
        self.example[piece.people[some], piece.item, : len(moved)] = values[first][:, moved]
        if self.whole:
            for i, row in zip(piece.people[some], first, strict=True):
                self.nearest[int(i), piece.item] = (piece.columns, values[row])


def singles(reachable: Reachable, base: Floats) -> Iterator[Piece]:
    """The interventions on every actionable feature of every person."""
    for c, part in enumerate(reachable.components):
        if not any(feature.actionable for feature in part.features):
            continue
        for people, now in _alike(base[:, part.columns]):
            for at, feature in enumerate(part.features):
                if feature.actionable:
                    points = reachable.interventions(c, now, (at,))
                    yield Piece(people, part.columns, points, int(part.columns[at]), (at,))


def doubles(reachable: Reachable, base: Floats, pairs: Sequence[tuple[str, str]]) -> Iterator[Piece]:
    """The interventions on every one of these pairs of features: both change."""
    home = {
        feature.name: (c, at)
        for c, part in enumerate(reachable.components)
        for at, feature in enumerate(part.features)
    }
    for item, (a, b) in enumerate(pairs):
        (c, at), (other, there) = home[a], home[b]
        part, second = reachable.components[c], reachable.components[other]
        if c == other:
            for people, now in _alike(base[:, part.columns]):
                points = reachable.interventions(c, now, (at, there))
                yield Piece(people, part.columns, points, item, (at, there))
            continue
        width = len(part.columns)
        columns = np.concatenate([part.columns, second.columns])
        for people, now in _alike(base[:, columns]):
            one = reachable.interventions(c, now[:width], (at,))
            two = reachable.interventions(other, now[width:], (there,))
            rng = np.random.default_rng([reachable.seed, item, zlib.crc32(now.tobytes())])
            points = _crossed(one, two, reachable.max_points, reachable.n_samples, rng)
            yield Piece(people, columns, points, item, (at, width + there))


def count(
    pieces: Iterator[Piece],
    base: Floats,
    decide: Decision,
    tally: Tally,
    weigh: Callable[[Floats], Any] | None = None,
    progress: Callable[[int, int], None] | None = None,
    in_all: int = 0,
) -> Tally:
    """Go through the pieces, `CHUNK` rows at a time.

    Parameters
    ----------
    base : ndarray of float64, shape (n, d)
    weigh : callable, optional
        Weight of a change, from changes of shape (m,) or, for pairs, (m, 2).
    """
    waiting: list[Piece] = []
    size = done = 0
    for piece in pieces:
        piece = piece if weigh is None else _weighed(piece, base, weigh)
        tally.enter(piece)
        done += len(piece.people)
        rows = len(piece.points.values) * len(piece.people)
        if rows:
            waiting.append(piece)
            size += rows
        if size >= CHUNK:
            _ask(waiting, base, decide, tally)
            waiting, size = [], 0
            if progress is not None:
                progress(done, in_all)
    _ask(waiting, base, decide, tally)
    if progress is not None:
        progress(in_all, in_all)
    return tally


def _ask(pieces: list[Piece], base: Floats, decide: Decision, tally: Tally) -> None:
    """One or, where people times points are many, several calls of the model; memory stays bounded by rows."""
    blocks: list[Floats] = []
    answers: list[Mask] = []
    size = 0
    for piece in pieces:
        values = piece.points.values
        step = max(1, CHUNK // len(values))
        for start in range(0, len(piece.people), step):
            people = piece.people[start : start + step]
            for first in range(0, len(values), CHUNK):
                some = values[first : first + CHUNK]
                if size and size + len(people) * len(some) > CHUNK:
                    answers.append(decide(np.concatenate(blocks)))
                    blocks, size = [], 0
                block = np.repeat(base[people], len(some), axis=0)
                block[:, piece.columns] = np.tile(some, (len(people), 1))
                blocks.append(block)
                size += len(block)
    if blocks:
        answers.append(decide(np.concatenate(blocks)))
    told = np.concatenate(answers) if answers else np.zeros(0, bool)
    place = 0
    for piece in pieces:
        size = len(piece.people) * len(piece.points.values)
        tally.add(piece, base, told[place : place + size].reshape(len(piece.people), -1))
        place += size


def _weighed(piece: Piece, base: Floats, weigh: Callable[[Floats], Any]) -> Piece:
    points = piece.points
    if not len(points.values):
        return piece
    moved = list(piece.moved)
    change = points.values[:, moved] - base[piece.people[0], piece.columns[moved]]
    given = np.asarray(weigh(change[:, 0] if len(moved) == 1 else change), dtype=np.float64)
    if given.shape != (len(change),) or not np.isfinite(given).all() or (given < 0).any():
        raise ValueError(
            "weights must give one finite number >= 0 per change, from an array of changes, shape (m,)"
        )
    weights = given if points.weights is None else given * points.weights
    if not weights.sum() > 0:
        return piece._replace(points=Points(points.values[:0], None, np.inf, "blocked"))
    worth = weights.sum() ** 2 / (weights**2).sum()
    draws = points.draws if np.isinf(points.draws) else min(points.draws, worth)
    return piece._replace(points=points._replace(weights=weights, draws=float(draws)))


def _alike(values: Floats) -> Iterator[tuple[NDArray[np.int64], Floats]]:
    """People with equal rows, and that row."""
    unique, which = np.unique(values, axis=0, return_inverse=True)
    which = which.reshape(-1)
    order = np.argsort(which, kind="stable")
    ends = np.searchsorted(which[order], np.arange(len(unique) + 1))
    for u, row in enumerate(unique):
        yield order[ends[u] : ends[u + 1]], row


def _crossed(one: Points, two: Points, most: int, n_samples: int, rng: np.random.Generator) -> Points:
    """Every point of one component with every point of another; draws of both where that is too many, or drawn."""
    a, b = len(one.values), len(two.values)
    if not a or not b:
        width = one.values.shape[1] + two.values.shape[1]
        return Points(np.empty((0, width)), None, math.inf, one.status if not a else two.status)
    exact = one.status == two.status == "exact" and a * b <= most
    i, j = np.repeat(np.arange(a), b), np.tile(np.arange(b), a)
    if not exact:
        i, j = (rng.choice(len(p.values), n_samples, p=_law(p.weights)) for p in (one, two))
    values = np.concatenate([one.values[i], two.values[j]], axis=1)
    draws = math.inf if exact else min(float(n_samples), one.draws, two.draws)
    status = "exact" if exact else "incomplete" if "incomplete" in (one.status, two.status) else "sampled"
    return Points(values, None, draws, status)


def _law(weights: Floats | None) -> Floats | None:
    return None if weights is None else weights / weights.sum()
