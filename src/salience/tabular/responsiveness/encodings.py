"""Rules of encodings: columns that together stand for one fact, so that only some of their values make sense."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from salience.tabular.responsiveness.rule import (
    Floats,
    LinearRow,
    Mask,
    Rule,
    check_direction,
    checked_names,
    itself,
    linear_row,
    require_bool,
    times,
)  # fmt: skip

if TYPE_CHECKING:
    from salience.tabular.responsiveness.space import ActionSpace

__all__ = ["OneHot", "Ordinal", "Reachability", "Thermometer"]


@dataclass(frozen=True)
class OneHot(Rule):
    """Of these bool columns exactly (``"equal"``) or at most (``"max"``) `limit` are 1.

    Examples
    --------
    >>> rule = OneHot(["job_a", "job_b", "job_c"])
    >>> rule.holds(np.array([[0.0, 1.0, 0.0], [1.0, 1.0, 0.0]]))
    array([ True, False])
    """

    names: Sequence[str]
    limit: int = 1
    kind: str = "equal"
    fields: ClassVar[tuple[str, ...]] = ("names", "limit", "kind")

    def __post_init__(self) -> None:
        checked_names(self)
        if self.kind not in ("equal", "max"):
            raise ValueError(f'OneHot kind={self.kind!r}; it must be "equal" or "max"')
        if not 0 <= self.limit <= len(self.names):
            raise ValueError(f"OneHot limit={self.limit}; it must be from 0 to {len(self.names)} columns")

    def require(self, space: ActionSpace) -> None:
        require_bool(self, space)

    def allows(self, before: Floats, after: Floats, known: Mask) -> Mask:
        on = after[:, known].sum(axis=1)
        enough = on + (~known).sum() >= self.limit if self.kind == "equal" else True
        return np.asarray((on <= self.limit) & enough)

    def linear(self, before: Floats) -> Iterator[LinearRow]:
        least = float(self.limit) if self.kind == "equal" else -np.inf
        yield linear_row(dict.fromkeys(range(len(self.names)), itself), least, float(self.limit))


@dataclass(frozen=True)
class Thermometer(Rule):
    """Levels that fill from below: a column is 1 only if all before it are 1.

    `direction` +1: levels can only be turned on; -1: only off; 0: both.

    Examples
    --------
    >>> Thermometer(["savings_1", "savings_2"]).holds(np.array([[1.0, 0.0], [0.0, 1.0]]))
    array([ True, False])
    """

    names: Sequence[str]
    direction: int = 0
    fields: ClassVar[tuple[str, ...]] = ("names", "direction")

    def __post_init__(self) -> None:
        checked_names(self)
        check_direction(self)

    def require(self, space: ActionSpace) -> None:
        require_bool(self, space)

    def allows(self, before: Floats, after: Floats, known: Mask) -> Mask:
        levels = after[:, known]
        ordered = np.all(np.diff(levels, axis=1) <= 0, axis=1)
        return np.asarray(ordered & np.all((levels - before[..., known]) * self.direction >= 0, axis=1))

    def linear(self, before: Floats) -> Iterator[LinearRow]:
        for k in range(1, len(self.names)):
            yield linear_row({k - 1: itself, k: np.negative}, 0.0, np.inf)
        for k, now in enumerate(before):
            if self.direction:
                yield linear_row({k: times(self.direction)}, float(self.direction * now), np.inf)


@dataclass(frozen=True)
class Ordinal(Rule):
    """One-hot columns of ordered levels, lowest first: exactly one is 1 (at most one when not `exhaustive`).

    `direction` +1: the level can only rise; -1: only fall. No level at all is the lowest.

    Examples
    --------
    >>> rule = Ordinal(["school", "college"], direction=+1)
    >>> known = np.array([True, True])
    >>> rule.allows(np.array([0.0, 1.0]), np.array([[1.0, 0.0], [0.0, 1.0]]), known)
    array([False,  True])
    """

    names: Sequence[str]
    direction: int = 0
    exhaustive: bool = True
    fields: ClassVar[tuple[str, ...]] = ("names", "direction", "exhaustive")

    def __post_init__(self) -> None:
        checked_names(self)
        check_direction(self)

    def require(self, space: ActionSpace) -> None:
        require_bool(self, space)

    def allows(self, before: Floats, after: Floats, known: Mask) -> Mask:
        on = after[:, known].sum(axis=1)
        keep = on <= 1
        if self.exhaustive:
            keep &= on + (~known).sum() >= 1
        if known.all():
            keep &= (self._level(after) - self._level(np.atleast_2d(before))) * self.direction >= 0
        return np.asarray(keep)

    def linear(self, before: Floats) -> Iterator[LinearRow]:
        yield linear_row(
            dict.fromkeys(range(len(self.names)), itself), 1.0 if self.exhaustive else -np.inf, 1.0
        )
        if self.direction:
            weights = {k: times(self.direction * (k + 1)) for k in range(len(self.names))}
            yield linear_row(weights, float(self.direction * self._level(before[None])[0]), np.inf)

    def _level(self, x: Floats) -> Floats:
        return x @ np.arange(1.0, len(self.names) + 1)


@dataclass(frozen=True)
class Reachability(Rule):
    """The columns together take one of `values`, and `matrix[i][j]` = 1 says that value j can follow value i.

    `values` has the shape (m, columns), `matrix` (m, m) with ones on its diagonal; without it all can follow all.

    Examples
    --------
    >>> rule = Reachability(["single", "married"], [[1, 0], [0, 1]], [[1, 1], [0, 1]])
    >>> rule.allows(np.array([0.0, 1.0]), np.array([[1.0, 0.0]]), np.array([True, True]))
    array([False])
    """

    names: Sequence[str]
    values: Any
    matrix: Any = None
    fields: ClassVar[tuple[str, ...]] = ("names", "values", "matrix")

    def __post_init__(self) -> None:
        checked_names(self, least=1)
        values = np.asarray(self.values, dtype=np.float64)
        m = len(values)
        if values.ndim != 2 or values.shape[1] != len(self.names) or not m:
            raise ValueError(
                f"Reachability values must have the shape (m, {len(self.names)}), got {values.shape}"
            )
        if not np.isfinite(values).all() or len(np.unique(values, axis=0)) < m:
            raise ValueError("Reachability values must be finite and distinct")
        matrix = np.ones((m, m)) if self.matrix is None else np.asarray(self.matrix, dtype=np.float64)
        if matrix.shape != (m, m) or not np.isin(matrix, (0, 1)).all() or not np.all(np.diag(matrix) == 1):
            raise ValueError(
                f"Reachability matrix must be 0/1 of shape ({m}, {m}) with ones on its diagonal, "
                f"got the shape {matrix.shape}"
            )
        object.__setattr__(self, "values", tuple(map(tuple, values.tolist())))
        object.__setattr__(self, "matrix", tuple(map(tuple, matrix.astype(int).tolist())))

    def require(self, space: ActionSpace) -> None:
        for name, column in zip(self.names, zip(*self.values, strict=True), strict=True):
            feature = space[name]
            if feature.actionable and (min(column) < feature.lb or max(column) > feature.ub):
                raise ValueError(
                    f"Reachability has values {min(column):g} to {max(column):g} for {name!r}, whose bounds are "
                    f"{feature.lb:g} to {feature.ub:g}; widen the bounds or drop the values"
                )

    def holds(self, x: Floats) -> Mask:
        same: Mask = np.all(np.isclose(x[:, None, :], np.array(self.values)[None]), axis=2)
        return np.asarray(np.any(same, axis=1))

    def allows(self, before: Floats, after: Floats, known: Mask) -> Mask:
        values = self._following(before)[:, known]
        same: Mask = np.all(np.isclose(after[:, None, known], values[None]), axis=2)
        return np.asarray(np.any(same, axis=1))

    def linear(self, before: Floats) -> Iterator[LinearRow]:
        values = self._following(before)
        yield LinearRow({}, np.ones(len(values)), 1.0, 1.0)
        for k in range(len(self.names)):
            yield LinearRow({k: itself}, -values[:, k], 0.0, 0.0)

    def _following(self, before: Floats) -> Floats:
        values = np.array(self.values)
        here = np.isclose(values, before).all(axis=1)
        return values[np.array(self.matrix, bool)[here].any(axis=0)]
