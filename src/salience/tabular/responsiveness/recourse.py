"""Does any allowed change of any columns reach the target? The whole reachable set, walked through lazily."""

from __future__ import annotations

import math
import zlib

import numpy as np
from numpy.typing import NDArray

from salience.tabular.responsiveness.interventions import CHUNK, Decision
from salience.tabular.responsiveness.reachable import Reachable
from salience.tabular.responsiveness.responses import Recourse
from salience.tabular.responsiveness.rule import Floats

__all__ = ["recourse"]

BLOCK = 256  # people whose sets are held at once
FIRST = 16  # points of each person in the first round; eight times as many in each that follows


def recourse(reachable: Reachable, base: Floats, decide: Decision, max_points: int) -> Recourse:
    """Walk through the product of the components of every person, the most promising points first, until one works.

    Each component is sorted by what the model says when it alone is changed; so where effects add up, the first
    point tried is the best of all.
    """
    n = len(base)
    status = np.full(n, "approved", dtype="<U8")
    witness = np.full(base.shape, np.nan)
    tried = np.zeros(n, np.int64)
    denied = np.flatnonzero(~_decided(decide, base))
    for start in range(0, len(denied), BLOCK):
        people = denied[start : start + BLOCK]
        walks = [_Walk(reachable, base[i], max_points) for i in people]
        _sort(walks, decide)
        rounds = FIRST
        open_walks = list(zip(people.tolist(), walks, strict=True))
        while open_walks:
            left = []
            for group in _batches(open_walks, rounds):
                points = [walk.next(rounds) for _, walk in group]
                told = decide(np.concatenate(points))
                place = 0
                for (i, walk), some in zip(group, points, strict=True):
                    hits = told[place : place + len(some)]
                    place += len(some)
                    tried[i] += len(some)
                    if hits.any():
                        status[i], witness[i] = "recourse", some[int(np.argmax(hits))]
                    elif walk.done:
                        status[i] = "fixed" if walk.whole else "unknown"
                    else:
                        left.append((i, walk))
            open_walks, rounds = left, min(8 * rounds, CHUNK)
    return Recourse(status, witness, tried)


class _Walk:
    """The reachable set of one person: each point is a choice in every component.

    A set that fits is walked through once; of one that does not, `max_points` are picked at random after the first,
    every other one leaning to the front of each component, where the promising rows are.
    """

    def __init__(self, reachable: Reachable, x: Floats, max_points: int) -> None:
        self.x = x
        self.columns: list[NDArray[np.int64]] = []
        self.values: list[Floats] = []
        self.whole = True
        for c, part in enumerate(reachable.components):
            if not any(feature.actionable for feature in part.features):
                continue
            now = x[part.columns]
            points = reachable.everything(c, now)
            values = points.values
            self.whole &= points.status == "exact" and len(values) <= max_points
            values = values[np.argsort(np.abs(values - now).sum(axis=1), kind="stable")[:max_points]]
            if len(values):
                self.columns.append(part.columns)
                self.values.append(values)
        self.sizes = [len(values) for values in self.values]
        self.total = math.prod(self.sizes)
        self.limit = min(self.total, max_points)
        self.fits = self.total <= max_points
        self.whole &= self.fits
        self.rng = np.random.default_rng([reachable.seed, zlib.crc32(x.tobytes())])
        self.at = 0

    @property
    def done(self) -> bool:
        return self.at >= self.limit

    def next(self, most: int) -> Floats:
        """The next points, shape (at most `most`, d)."""
        number = np.arange(self.at, min(self.at + most, self.limit))
        self.at += len(number)
        points = np.repeat(self.x[None], len(number), axis=0)
        for columns, values, size in zip(self.columns, self.values, self.sizes, strict=True):
            points[:, columns] = values[number % size if self.fits else self._pick(number, size)]
            number = number // size if self.fits else number
        return points

    def _pick(self, number: NDArray[np.int64], size: int) -> NDArray[np.int64]:
        drawn = self.rng.random(len(number)) ** np.where(number % 2 == 0, 1.0, 3.0)
        return np.where(number == 0, 0, (drawn * size).astype(np.int64))


def _sort(walks: list[_Walk], decide: Decision) -> None:
    """The rows of each component by the margin when it alone is changed, best first."""
    jobs = [(walk, c) for walk in walks for c in range(len(walk.values))]
    blocks: list[Floats] = []
    waiting: list[tuple[_Walk, int]] = []
    size = 0
    for at, (walk, c) in enumerate(jobs):
        block = np.repeat(walk.x[None], walk.sizes[c], axis=0)
        block[:, walk.columns[c]] = walk.values[c]
        blocks.append(block)
        waiting.append((walk, c))
        size += len(block)
        if size >= CHUNK or at == len(jobs) - 1:
            margin = decide.margin(np.concatenate(blocks))
            place = 0
            for one, k in waiting:
                part = margin[place : place + one.sizes[k]]
                place += one.sizes[k]
                one.values[k] = one.values[k][np.argsort(-part, kind="stable")]
            blocks, waiting, size = [], [], 0


def _batches(open_walks: list[tuple[int, _Walk]], rounds: int) -> list[list[tuple[int, _Walk]]]:
    step = max(1, CHUNK // rounds)
    return [open_walks[i : i + step] for i in range(0, len(open_walks), step)]


def _decided(decide: Decision, base: Floats) -> NDArray[np.bool_]:
    return np.concatenate([decide(base[i : i + CHUNK]) for i in range(0, len(base), CHUNK)])
