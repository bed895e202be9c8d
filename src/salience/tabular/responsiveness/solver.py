"""Reachable points one by one from an integer program, nearest first: for components too large to lay out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array, vstack

from salience.tabular.responsiveness.rule import Floats

if TYPE_CHECKING:
    from salience.tabular.responsiveness.component import Component

__all__ = ["nearest_points"]

MOST_TOTALS = 20_000  # distinct values of a column that others move


def nearest_points(
    part: Component,
    x: Floats,
    choices: list[Floats | None],
    moved: tuple[int, ...],
    without: Floats,
    most: int,
) -> tuple[Floats, bool]:
    """Points of `part` at which the columns in `moved` have changed, by size of the change, ``sum |a|``.

    Every own value of a column has a 0/1 variable, and so has every value of a column that links move; a found point
    is excluded by one cut, "not all of these values again".

    Parameters
    ----------
    without : ndarray, shape (m, len(moved))
        Values of the moved columns that need no completion and are left out.
    most : int
        Stop after so many points.

    Returns
    -------
    points : ndarray, shape (found, columns)
    complete : bool
        Whether these are all of them.
    """
    program = _Program(part, x, choices)
    if program.too_wide:
        return np.empty((0, len(x))), False
    for k in moved:
        program.add({program.indicators[k][int(i)]: 1.0 for i in program.where(k, x[k])}, 0.0, 0.0)
    for values in without:
        program.cut(list(moved), values)
    found: list[Floats] = []
    while len(found) < most:
        point = program.solve()
        if point is None:
            return np.array(found).reshape(-1, len(x)), True
        found.append(point)
        program.cut(list(range(len(x))), point)
    return np.array(found), program.solve() is None


class _Program:
    """The integer program of one component and one person."""

    def __init__(self, part: Component, x: Floats, choices: list[Floats | None]) -> None:
        self.part, self.x = part, x
        self.size = 0
        self.cost: list[float] = []
        self.rows: list[dict[int, float]] = []
        self.lo: list[float] = []
        self.hi: list[float] = []
        self.values: list[Floats] = []  # what each column can become, all moves counted
        self.indicators: list[NDArray[np.int64]] = []  # the variable of each of these values
        self.too_wide = False
        for k, choice in enumerate(choices):
            own = np.empty(0) if choice is None else choice
            mine = self._choose(np.abs(own - x[k]))
            if not part.links[k]:
                self.values.append(own)
                self.indicators.append(mine)
                continue
            totals = self._totals(k, own)
            if totals is None:
                self.too_wide = True
                return
            total = self._choose(np.zeros(len(totals)))
            row = dict(zip(total.tolist(), totals, strict=True))
            row |= dict(zip(mine.tolist(), -own, strict=True))
            offset = 0.0
            for source, scale in part.links[k]:
                for variable, value in zip(self.indicators[source], self.values[source], strict=True):
                    row[int(variable)] = row.get(int(variable), 0.0) - scale * value
                offset -= scale * x[source]
            self.add(row, offset, offset)
            self.values.append(totals)
            self.indicators.append(total)
        for rule, where in part.rules:
            for linear in rule.linear(x[where]):
                row = {}
                for k, weigh in linear.columns.items():
                    weights = weigh(self.values[where[k]])
                    row |= dict(zip(self.indicators[where[k]].tolist(), weights, strict=True))
                # Reachability's first row opens its choices; those that follow speak of the same ones.
                if len(linear.choices) and not linear.columns:
                    opened = self._choose(np.zeros(len(linear.choices)), free=True)
                if len(linear.choices):
                    row |= dict(zip(opened.tolist(), linear.choices, strict=True))
                self.add(row, linear.lo, linear.hi)

    def where(self, k: int, value: float) -> NDArray[np.int64]:
        """Which of the values of column k is `value`."""
        return np.flatnonzero(np.isclose(self.values[k], value, rtol=1e-9, atol=1e-9))

    def add(self, row: dict[int, float], lo: float, hi: float) -> None:
        self.rows.append(row)
        self.lo.append(lo)
        self.hi.append(hi)

    def cut(self, columns: list[int], values: Floats) -> None:
        """Not all of these columns at these values."""
        row = {
            int(self.indicators[k][i]): 1.0
            for k, value in zip(columns, values, strict=True)
            for i in self.where(k, value)
        }
        if row:
            self.add(row, -math.inf, len(columns) - 1.0)

    def solve(self) -> Floats | None:
        """The nearest point that no cut excludes."""
        ends = np.cumsum([0, *(len(row) for row in self.rows)])
        data = np.array([value for row in self.rows for value in row.values()], dtype=np.float64)
        columns = np.array([column for row in self.rows for column in row], dtype=np.int64)
        matrix = csr_array((data, columns, ends), shape=(len(self.rows), self.size))
        done = milp(
            np.array(self.cost),
            constraints=LinearConstraint(vstack([matrix]), np.array(self.lo), np.array(self.hi)),
            integrality=np.ones(self.size, dtype=np.int64),
            bounds=Bounds(0, 1),
        )
        if done.x is None:
            return None
        picked = [int(np.argmax(done.x[variables])) for variables in self.indicators]
        return np.array([values[i] for values, i in zip(self.values, picked, strict=True)])

    def _choose(self, cost: Floats, free: bool = False) -> NDArray[np.int64]:
        """New variables, exactly one of which is 1."""
        variables = np.arange(self.size, self.size + len(cost))
        self.size += len(cost)
        self.cost += cost.tolist()
        if not free:
            self.add(dict.fromkeys(variables.tolist(), 1.0), 1.0, 1.0)
        return variables

    def _totals(self, k: int, own: Floats) -> Floats | None:
        totals = own
        for source, scale in self.part.links[k]:
            moves = scale * (self.values[source] - self.x[source])
            if len(totals) * len(moves) > MOST_TOTALS:
                return None
            totals = np.unique(np.round(np.add.outer(totals, moves), 9))
        feature = self.part.features[k]
        keep = feature.valid(totals) & (feature.inside(totals) if self.part.bounded[k] else True)
        return totals[keep]
