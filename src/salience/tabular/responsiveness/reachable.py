"""The points that a person can reach: listed where they can be listed, drawn where they cannot, and remembered."""

from __future__ import annotations

import math
import zlib
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from salience.tabular.responsiveness.component import ROWS, Component, Own, Rows, TooMany
from salience.tabular.responsiveness.rule import Floats, Mask
from salience.tabular.responsiveness.solver import nearest_points
from salience.tabular.responsiveness.space import ActionSpace

__all__ = ["Points", "Reachable"]

ROUNDS = 20  # of drawing, before a feature counts as blocked
SOLVED = 200  # points that the solver is asked for; each costs one integer program
REMEMBERED = 20_000_000  # numbers kept, 160 MB


class Points(NamedTuple):
    """Points within reach, over the columns of one component.

    Attributes
    ----------
    values : ndarray of float64, shape (m, columns)
    weights : ndarray of float64, shape (m,), or None when all count alike
    draws : float
        How many independent draws they are worth; infinite when they are all there are. Of "blocked", how many found
        nothing allowed.
    status : {"exact", "sampled", "incomplete", "blocked", "immutable"}
    """

    values: Floats
    weights: Floats | None
    draws: float
    status: str


class Reachable:
    """Interventions on columns and whole reachable sets of an action space.

    A component's points depend on a person only through the component's own columns, and drawn points on the seed and
    those columns: so both are remembered, and equal whatever other people are in the batch.

    Parameters
    ----------
    space : ActionSpace
    completion : {"alone_first", "all"}
    n_samples, max_points : int
    seed : int
    """

    def __init__(
        self, space: ActionSpace, completion: str, n_samples: int, max_points: int, seed: int
    ) -> None:
        self.components = [Component(space, columns) for columns in space.components()]
        self.alone_first = completion == "alone_first"
        self.n_samples = n_samples
        self.max_points = max_points
        self.seed = seed
        self._kept: dict[tuple[int, bytes, tuple[int, ...]], Points] = {}
        self._rows: dict[tuple[int, bytes], Rows | None] = {}
        self._size = 0

    def interventions(self, c: int, x: Floats, moved: tuple[int, ...]) -> Points:
        """The points of component `c` at which all columns in `moved` (positions in it) have changed.

        Parameters
        ----------
        x : ndarray of float64, shape (columns of the component,)
        """
        key = (c, x.tobytes(), moved)
        if key not in self._kept:
            self._keep(key, self._interventions(c, x, moved))
        return self._kept[key]

    def everything(self, c: int, x: Floats) -> Points:
        """All points of component `c`, where the person stands among them; a sample where they are too many."""
        rows = self._listed(c, x)
        if rows is not None:
            return Points(rows.values, None, math.inf, "exact")
        key = (c, x.tobytes(), ())
        if key not in self._kept:
            part = self.components[c]
            singles = [self.interventions(c, x, (k,)).values for k in range(len(x))]
            values = np.concatenate([x[None], *singles, self._scattered(part, x, self._rng(c, x, ()))])
            self._keep(key, Points(values, None, float(self.n_samples), "sampled"))
        return self._kept[key]

    def _interventions(self, c: int, x: Floats, moved: tuple[int, ...]) -> Points:
        part = self.components[c]
        if not all(part.features[k].actionable for k in moved):
            return Points(np.empty((0, len(x))), None, math.inf, "immutable")
        choices = part.own_choices(x, self.max_points)
        if part.alone:
            return self._alone(c, part, x, choices[0])
        if all(choice is not None for choice in choices):
            rows = self._listed(c, x)
            if rows is None:
                return self._solved(part, x, moved, choices)
            return _points(rows.values[self._chosen(rows, x, moved)])
        return self._drawn(part, x, moved, choices, self._rng(c, x, moved))

    def _alone(self, c: int, part: Component, x: Floats, choice: Floats | None) -> Points:
        if choice is not None:
            return _points(choice[choice != x[0], None])
        drawn = part.features[0].draw(x[0], (self.n_samples, 1), self._rng(c, x, (0,)))
        return Points(drawn, None, float(self.n_samples), "sampled")

    def _listed(self, c: int, x: Floats) -> Rows | None:
        """The whole set of a component, or None where it cannot be listed."""
        key = (c, x.tobytes())
        if key not in self._rows:
            part = self.components[c]
            choices = part.own_choices(x, self.max_points)
            rows = None
            if all(choice is not None for choice in choices):
                try:
                    rows = part.expand(x, 1, _from_lists(choices))
                except TooMany:
                    rows = None
                else:
                    rows = _distinct(rows) if any(part.links) else rows
            self._forget()
            self._rows[key] = rows
            self._size += 0 if rows is None else rows.values.size
        return self._rows[key]

    def _chosen(self, rows: Rows, x: Floats, moved: tuple[int, ...]) -> Mask:
        """Which rows are interventions on `moved`; of each new value, only the lone move where there is one."""
        at = list(moved)
        changed = (rows.values[:, at] != x[at]).all(axis=1)
        if not self.alone_first:
            return changed
        alone = changed & ~np.delete(rows.own, at, axis=1).any(axis=1)
        group = _grouped(rows.values[:, at])
        return changed & (alone | ~np.isin(group, group[alone]))

    def _solved(
        self, part: Component, x: Floats, moved: tuple[int, ...], choices: list[Floats | None]
    ) -> Points:
        """Too many to list: lone moves by list, the others from the solver, nearest first."""
        at = list(moved)
        stay = [choice if k in moved else x[k : k + 1] for k, choice in enumerate(choices)]
        lone = part.expand(x, 1, _from_lists(stay))
        lone_values = (
            lone.values[(lone.values[:, at] != x[at]).all(axis=1)] if self.alone_first else x[None][:0]
        )
        most = min(self.max_points, SOLVED)
        found, complete = nearest_points(part, x, choices, moved, lone_values[:, at], most)
        values = np.unique(np.concatenate([lone_values, found]), axis=0)
        return _points(values) if complete else Points(values, None, 0.0, "incomplete")

    def _drawn(
        self,
        part: Component,
        x: Floats,
        moved: tuple[int, ...],
        choices: list[Floats | None],
        rng: np.random.Generator,
    ) -> Points:
        """Some columns of the component are drawn: list what can be listed, draw the rest."""
        lists = [choices[k] for k in moved]
        if all(found is not None for found in lists):
            return self._drawn_partners(part, x, moved, choices, rng)
        values, counts = [], []
        for _ in range(ROUNDS):
            starts = np.stack([self._one(part, x, k, choices[k], rng, self.n_samples) for k in moved], axis=1)
            rows = self._completed(part, x, moved, starts, choices, rng)
            values.append(rows.values)
            counts.append(np.bincount(rows.origin, minlength=len(starts)))
            if sum(int((count > 0).sum()) for count in counts) >= self.n_samples:
                break
        count = np.concatenate(counts)
        count = count[count > 0][: self.n_samples]
        points = np.concatenate(values)[: count.sum()]
        if not len(points):
            return Points(points, None, float(ROUNDS * self.n_samples), "blocked")
        # Completions of one draw are not independent: they are worth what Kish's formula says.
        return Points(points, None, float(count.sum() ** 2 / (count**2).sum()), "sampled")

    def _drawn_partners(
        self,
        part: Component,
        x: Floats,
        moved: tuple[int, ...],
        choices: list[Floats | None],
        rng: np.random.Generator,
    ) -> Points:
        """A listed column whose partners are drawn: exact when it moves alone, else every value counts alike."""
        at = list(moved)
        grids = np.meshgrid(*[_without(choices[k], x[k]) for k in moved], indexing="ij")
        listed = np.stack([grid.ravel() for grid in grids], axis=1)  # (values, moved)
        if not len(listed):
            return Points(np.empty((0, len(x))), None, math.inf, "blocked")
        lone = part.expand(x, len(listed), _preset(moved, listed, x))
        alone = np.zeros(len(listed), bool)
        if self.alone_first:
            alone[lone.origin] = True
            if alone.all():
                return _points(lone.values)
        waiting = listed[~alone]
        starts = np.repeat(waiting, math.ceil(self.n_samples / len(waiting)), axis=0)
        rows = self._completed(part, x, moved, starts, choices, rng)
        drawn = rows.values[(rows.values[:, at] != x[at]).all(axis=1)]
        values = np.concatenate([lone.values, drawn]) if self.alone_first else drawn
        if not len(values):
            return Points(values, None, math.inf, "blocked")
        group = _grouped(values[:, at])
        weights = 1.0 / np.bincount(group)[group]
        worth = max(1.0, weights.sum() ** 2 / (weights**2).sum())
        return Points(values, weights, float(min(worth, len(values))), "sampled" if len(drawn) else "exact")

    def _completed(
        self,
        part: Component,
        x: Floats,
        moved: tuple[int, ...],
        starts: Floats,
        choices: list[Floats | None],
        rng: np.random.Generator,
    ) -> Rows:
        """Lone moves where allowed, else completions of every start, in the order of the starts."""
        parts: list[Rows] = []
        waiting = np.arange(len(starts))
        if self.alone_first:
            lone = part.expand(x, len(starts), _preset(moved, starts, x))
            parts.append(lone)
            waiting = np.setdiff1d(waiting, lone.origin)
        each = math.prod(1 if k in moved else 2 if c is None else len(c) for k, c in enumerate(choices))
        size = max(1, ROWS // each)
        for chunk in (waiting[i : i + size] for i in range(0, len(waiting), size)):
            own = self._partners(part, x, moved, starts[chunk], choices, rng, one=each > ROWS)
            rows = part.expand(x, len(chunk), own)
            parts.append(Rows(rows.values, rows.own, chunk[rows.origin]))
        at = list(moved)
        values, own_moves, origin = (np.concatenate(group) for group in zip(*parts, strict=True))
        order = np.argsort(origin, kind="stable")
        order = order[(values[order][:, at] != x[at]).all(axis=1)]
        return Rows(values[order], own_moves[order], origin[order])

    def _partners(
        self, part: Component, x: Floats, moved: tuple[int, ...], starts: Floats,
        choices: list[Floats | None], rng: np.random.Generator, one: bool,
    ) -> Own:  # fmt: skip
        """Own values of all columns: the preset ones, and every choice (or `one` at random) of the others."""

        def own(k: int, origin: NDArray[np.int64]) -> Floats:
            if k in moved:
                return starts[origin, moved.index(k), None]
            choice = choices[k]
            if choice is None:
                drawn = part.features[k].draw(x[k], (len(origin), 1), rng)
                both = np.concatenate([np.full_like(drawn, x[k]), drawn], axis=1)
                return both if not one else rng.permuted(both, axis=1)[:, :1]
            return (
                rng.choice(choice, (len(origin), 1))
                if one
                else np.broadcast_to(choice, (len(origin), len(choice)))
            )

        return own

    def _scattered(self, part: Component, x: Floats, rng: np.random.Generator) -> Floats:
        """Points anywhere in the component: ends of the drawn intervals, draws, and values of the lists."""
        n = self.n_samples
        choices = part.own_choices(x, self.max_points)
        columns = np.empty((n, len(x)))
        for k, (feature, choice) in enumerate(zip(part.features, choices, strict=True)):
            columns[:, k] = self._one(part, x, k, choice, rng, n)
            if choice is None:
                low, high = feature.interval(x[k : k + 1])
                kind = rng.integers(0, 4, n)
                ends = np.array([x[k], low[0], high[0]])
                columns[:, k] = np.where(kind < 3, ends[np.minimum(kind, 2)], columns[:, k])
        return part.expand(x, n, _preset(tuple(range(len(x))), columns, x)).values

    @staticmethod
    def _one(
        part: Component, x: Floats, k: int, choice: Floats | None, rng: np.random.Generator, n: int
    ) -> Floats:
        return part.features[k].draw(x[k], (n,), rng) if choice is None else rng.choice(choice, n)

    def _rng(self, c: int, x: Floats, moved: tuple[int, ...]) -> np.random.Generator:
        return np.random.default_rng([self.seed, c, len(moved), *moved, zlib.crc32(x.tobytes())])

    def _keep(self, key: tuple[int, bytes, tuple[int, ...]], points: Points) -> None:
        self._forget()
        self._kept[key] = points
        self._size += points.values.size

    def _forget(self) -> None:
        if self._size > REMEMBERED:
            self._kept.clear()
            self._rows.clear()
            self._size = 0


def _points(values: Floats) -> Points:
    return Points(values, None, math.inf, "exact" if len(values) else "blocked")


def _without(choice: Floats | None, x: float) -> Floats:
    found = np.empty(0) if choice is None else choice
    return found[found != x]


def _from_lists(choices: list[Floats | None]) -> Own:
    def own(k: int, origin: NDArray[np.int64]) -> Floats:
        choice = np.empty(0) if choices[k] is None else choices[k]
        return np.broadcast_to(choice, (len(origin), len(choice)))  # type: ignore[arg-type]

    return own


def _preset(moved: tuple[int, ...], starts: Floats, x: Floats) -> Own:
    """The moved columns at their start values, all others where they are."""

    def own(k: int, origin: NDArray[np.int64]) -> Floats:
        return starts[origin, moved.index(k), None] if k in moved else np.full((len(origin), 1), x[k])

    return own


def _distinct(rows: Rows) -> Rows:
    """One row per point, the one with the fewest own moves: links can lead to a point in two ways."""
    order = np.argsort(rows.own.sum(axis=1), kind="stable")
    first = order[np.unique(rows.values[order], axis=0, return_index=True)[1]]
    return Rows(rows.values[first], rows.own[first], rows.origin[first])


def _grouped(values: Floats) -> NDArray[np.int64]:
    if values.shape[1] == 1:
        return np.unique(values[:, 0], return_inverse=True)[1].reshape(-1)
    return np.unique(values, axis=0, return_inverse=True)[1].reshape(-1)
