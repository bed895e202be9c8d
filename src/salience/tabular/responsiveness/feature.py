"""One column of an action space: what its values are, and how far a person can move it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from salience.tabular.responsiveness.rule import Floats, Mask

__all__ = ["CLOSE", "Feature"]

KINDS = ("bool", "int", "float")
CLOSE = 1e-9


@dataclass
class Feature:
    """One column: what its values are, and how far a person can move it.

    Parameters
    ----------
    name : str
    kind : {"bool", "int", "float"}
        A bool is 0 or 1; an int is listed value by value; a float without a grid is drawn from its interval.
    lb, ub : float
        Bounds of the value, in the units of the column.
    step : (float, float)
        Bounds of the change, ``step[0] <= 0 <= step[1]``.
    direction : {-1, 0, 1}
        Only down, both, only up.
    actionable : bool
    grid : sequence of float or None
        The values it can take, where it is not every one between the bounds.
    suggested : frozenset of str
        Which of the above were read from data and not said by anybody.
    """

    name: str
    kind: str = "float"
    lb: float = -math.inf
    ub: float = math.inf
    step: tuple[float, float] = (-math.inf, math.inf)
    direction: int = 0
    actionable: bool = True
    grid: tuple[float, ...] | None = None
    suggested: frozenset[str] = field(default_factory=frozenset)

    def __post_init__(self) -> None:
        self._check()

    def set(self, **changes: Any) -> Feature:
        """Change some of ``kind``, ``lb``, ``ub``, ``step``, ``direction``, ``actionable``, ``grid``.

        Raises
        ------
        TypeError, ValueError
            When there is no such setting, or the settings contradict each other; nothing is changed then.
        """
        unknown = set(changes) - set(SETTINGS)
        if unknown:
            raise TypeError(f"a feature has no {', '.join(sorted(unknown))}; set {', '.join(SETTINGS)}")
        if changes.get("kind") == "bool":
            changes = {"lb": 0.0, "ub": 1.0, **changes}
        changed = replace(self, **changes, suggested=self.suggested - set(changes))
        for one in fields(self):
            setattr(self, one.name, getattr(changed, one.name))
        return self

    def interval(self, x: Floats) -> tuple[Floats, Floats]:
        """Lowest and highest value within reach of `x` by a change of this column alone."""
        if not self.actionable:
            return x, x
        down = 0.0 if self.direction > 0 else self.step[0]
        up = 0.0 if self.direction < 0 else self.step[1]
        return np.maximum(self.lb, x + down), np.minimum(self.ub, x + up)

    def choices(self, x: float, most: int) -> Floats | None:
        """The values within reach of `x`, itself among them; None where they are drawn, not listed."""
        low, high = (float(end) for end in self.interval(np.array(x, dtype=np.float64)))
        if low >= high:
            return np.array([x])
        if self.grid is None and self.kind == "float":
            return None
        if self.grid is None and high - low >= most:
            return None
        values = (
            np.arange(math.ceil(low - CLOSE), math.floor(high + CLOSE) + 1.0)
            if self.grid is None
            else np.array(self.grid)
        )
        values = values[(values >= low - CLOSE) & (values <= high + CLOSE)]
        return np.union1d(values[~np.isclose(values, x, rtol=CLOSE, atol=CLOSE)], [x])

    def draw(self, x: float, shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
        """Values from the uniform law on the interval within reach; an int is never `x` itself."""
        low, high = (float(end) for end in self.interval(np.array(x, dtype=np.float64)))
        if self.kind == "float":
            return rng.uniform(low, high, shape)
        first, last = math.ceil(low - CLOSE), math.floor(high + CLOSE)
        drawn = rng.integers(first, last, shape).astype(np.float64)  # one place is left out for x
        return drawn + (drawn >= x)

    def valid(self, x: Floats) -> Mask:
        """Which values the column can take at all, by its kind."""
        if self.kind == "float":
            return np.ones(x.shape, bool)
        whole = np.isclose(x, np.round(x), rtol=0.0, atol=CLOSE)
        return whole & np.isin(np.round(x), (0.0, 1.0)) if self.kind == "bool" else whole

    def inside(self, x: Floats) -> Mask:
        """Which values lie within its bounds, and on its grid where there is one."""
        keep = (x >= self.lb - CLOSE) & (x <= self.ub + CLOSE)
        return keep if self.grid is None else keep & self.on_grid(x)

    def on_grid(self, x: Floats) -> Mask:
        """Which values are on the grid."""
        grid = np.array(self.grid)
        near = grid[np.clip(np.searchsorted(grid, x), 0, len(grid) - 1)]
        before = grid[np.clip(np.searchsorted(grid, x) - 1, 0, len(grid) - 1)]
        close = CLOSE * np.maximum(1.0, np.abs(x))
        return np.asarray(np.minimum(np.abs(near - x), np.abs(before - x)) <= close)

    def require_finite(self, x: Floats) -> None:
        """Raise where the interval within reach has no end: nothing is uniform on it."""
        if not self.actionable or self.grid is not None:
            return
        low, high = self.interval(x)
        if not (np.isfinite(low).all() and np.isfinite(high).all()):
            raise ValueError(
                f"{self.name!r} is actionable and its range has no end ({self.lb:g} to {self.ub:g}): a uniform law "
                f"needs one. space[{self.name!r}].set(lb=, ub=) or set(step=(down, up)), or set(actionable=False)"
            )

    def to_dict(self) -> dict[str, Any]:
        """Its settings as plain values; what is at its default and without end is left out."""
        said: dict[str, Any] = {"name": self.name, "kind": self.kind, "actionable": self.actionable}
        said |= {name: getattr(self, name) for name in ("lb", "ub") if math.isfinite(getattr(self, name))}
        if self.step != (-math.inf, math.inf):
            said["step"] = [_finite_or_word(end) for end in self.step]
        if self.direction:
            said["direction"] = self.direction
        if self.grid is not None:
            said["grid"] = list(self.grid)
        return said

    def _check(self) -> None:
        where = f"feature {self.name!r}: "
        if self.kind not in KINDS:
            raise ValueError(f"{where}kind={self.kind!r}; it must be one of {', '.join(KINDS)}")
        if self.direction not in (-1, 0, 1):
            raise ValueError(f"{where}direction={self.direction!r}; it must be -1, 0 or +1")
        if self.actionable not in (True, False):  # bool("no") is True
            raise ValueError(f"{where}actionable={self.actionable!r}; it must be true or false")
        try:
            self.lb, self.ub = float(self.lb), float(self.ub)
            down, up = (float(end) for end in self.step)
        except (TypeError, ValueError):
            raise ValueError(
                f"{where}lb={self.lb!r}, ub={self.ub!r}, step={self.step!r}; lb and ub are numbers, step is a pair of them"
            ) from None
        self.step, self.direction, self.actionable = (down, up), int(self.direction), bool(self.actionable)
        if not self.lb <= self.ub:
            raise ValueError(f"{where}lb={self.lb:g} and ub={self.ub:g}; lb must not be above ub, nor NaN")
        if not down <= 0 <= up:
            raise ValueError(
                f"{where}step=({down:g}, {up:g}); the change down is <= 0 and the change up >= 0"
            )
        if (self.direction > 0 and up == 0) or (self.direction < 0 and down == 0):
            raise ValueError(f"{where}direction={self.direction:+d} contradicts step=({down:g}, {up:g})")
        if self.kind == "bool":
            self.lb, self.ub = max(self.lb, 0.0), min(self.ub, 1.0)
        if self.grid is not None:
            grid = np.unique(np.asarray(self.grid, dtype=np.float64))
            if not grid.size or not np.isfinite(grid).all() or not self.valid(grid).all():
                raise ValueError(f"{where}grid must be finite values of kind {self.kind}, got {self.grid!r}")
            if not ((grid >= self.lb) & (grid <= self.ub)).any():
                raise ValueError(
                    f"{where}no value of grid={self.grid!r} lies between {self.lb:g} and {self.ub:g}"
                )
            self.grid = tuple(grid.tolist())


SETTINGS = tuple(one.name for one in fields(Feature) if one.name not in ("name", "suggested"))


def _finite_or_word(end: float) -> float | str:
    return end if math.isfinite(end) else ("inf" if end > 0 else "-inf")
