"""Columns that rules tie together, and the laying out of everything the rules allow."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from salience.tabular.responsiveness.feature import Feature
from salience.tabular.responsiveness.rule import Floats, Mask, Rule
from salience.tabular.responsiveness.rules import Link
from salience.tabular.responsiveness.space import ActionSpace

__all__ = ["ROWS", "Component", "Own", "Rows", "TooMany"]

Own: TypeAlias = Callable[
    [int, NDArray[np.int64]], Floats
]  # position, start of each row -> own values (rows, g)

ROWS = 1_000_000  # candidates that are laid out at once


class Rows(NamedTuple):
    """Candidates that obey the rules: values, which columns the person moved, and from which start each comes."""

    values: Floats
    own: Mask
    origin: NDArray[np.int64]


class TooMany(Exception):
    """More candidates than can be laid out at once."""


class Component:
    """Columns that rules tie together, what moves a column before it, and the rules that see only them."""

    def __init__(self, space: ActionSpace, columns: tuple[int, ...]) -> None:
        self.columns = np.array(columns)
        features = list(space)
        self.features: list[Feature] = [features[j] for j in columns]
        place = {feature.name: k for k, feature in enumerate(self.features)}
        mine = [rule for rule in space.rules if rule.columns[0] in place]
        self.rules: list[tuple[Rule, NDArray[np.int64]]] = [
            (rule, np.array([place[name] for name in rule.columns]))
            for rule in mine
            if not isinstance(rule, Link)
        ]
        self.links: list[list[tuple[int, float]]] = [[] for _ in columns]
        self.bounded = np.zeros(len(columns), bool)
        for rule in mine:
            if isinstance(rule, Link):
                for name, scale in zip(rule.targets, rule.scales or (), strict=True):
                    self.links[place[name]].append((place[rule.source], scale))
                    self.bounded[place[name]] |= rule.keep_bounds
        self.seen_at = [
            [at for at, (_, where) in enumerate(self.rules) if k in where] for k in range(len(columns))
        ]

    @property
    def alone(self) -> bool:
        """Whether it is one column without a rule."""
        return len(self.columns) == 1 and not self.rules

    def own_choices(self, x: Floats, most: int) -> list[Floats | None]:
        """The values to which each column can be moved by itself, or None where they are drawn."""
        return [feature.choices(now, most) for feature, now in zip(self.features, x, strict=True)]

    def carried(self, k: int, values: Floats, x: Floats) -> tuple[Floats, Mask | None]:
        """What column k becomes when what moves it has moved, and where that is a value it can have."""
        own = values[:, k]
        if not self.links[k]:
            return own, None
        shift = sum(scale * (values[:, source] - x[source]) for source, scale in self.links[k])
        total = np.where(shift == 0, own, np.round(own + shift, 9))
        feature = self.features[k]
        keep = feature.valid(total) & (feature.inside(total) if self.bounded[k] else True)
        return total, keep

    def expand(self, x: Floats, start: int, own: Own) -> Rows:
        """Lay the columns out one after the other, and drop what no completion can save."""
        values = np.repeat(x[None], start, axis=0)
        moved = np.zeros(values.shape, bool)
        origin = np.arange(start)
        known = np.zeros(len(x), bool)
        for k in range(len(x)):
            choice = own(k, origin)
            rows, g = choice.shape
            if rows * g > max(ROWS, start):
                raise TooMany
            if g > 1:
                values, moved, origin = (np.repeat(part, g, axis=0) for part in (values, moved, origin))
            values[:, k] = choice.reshape(-1)
            moved[:, k] = values[:, k] != x[k]
            values[:, k], keep = self.carried(k, values, x)
            known[k] = True
            for at in self.seen_at[k]:
                rule, where = self.rules[at]
                allowed = rule.allows(x[where], values[:, where], known[where])
                keep = allowed if keep is None else keep & allowed
            if keep is not None and not keep.all():
                values, moved, origin = values[keep], moved[keep], origin[keep]
        return Rows(values, moved, origin)
