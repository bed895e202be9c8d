"""What all rules share that tie features together: their columns, what they allow, how they are written down.

A rule sees a person's values before, the candidate values after, and which columns of it are settled already;
it answers which candidates can still be completed. With every column settled the answer is exact. The same rule
as linear rows over the values of its columns is what the solver reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from salience.tabular.responsiveness.space import ActionSpace

__all__ = ["Floats", "LinearRow", "Mask", "Rule"]

Floats: TypeAlias = NDArray[np.float64]
Mask: TypeAlias = NDArray[np.bool_]


class LinearRow(NamedTuple):
    """``lo <= sum of weight(value of column) + weights of the choices <= hi``."""

    columns: dict[int, Callable[[Floats], Floats]]  # position in the rule -> weight of each value
    choices: Floats  # weights of the rule's own 0/1 choices (Reachability), else empty
    lo: float
    hi: float


class Rule:
    """What all rules share: their columns, as text, as a dictionary."""

    fields: ClassVar[tuple[str, ...]]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it ties together."""
        return tuple(self.names)  # type: ignore[attr-defined]

    def require(self, space: ActionSpace) -> None:
        """Raise ValueError where the rule makes no sense for `space`."""

    def holds(self, x: Floats) -> Mask:
        """Which rows of `x`, shape (n, columns), obey the rule before any change."""
        return self.allows(x, x, np.ones(x.shape[1], bool))

    def allows(self, before: Floats, after: Floats, known: Mask) -> Mask:
        """Which candidates `after`, shape (n, columns), can still be allowed, judging by the `known` columns.

        `before` is one person, shape (columns,), or one for each candidate.
        """
        return np.ones(len(after), bool)

    def linear(self, before: Floats) -> Iterator[LinearRow]:
        """The same as rows of a linear program over indicators of values."""
        return iter(())

    def to_dict(self) -> dict[str, Any]:
        """As plain values, with the name of the rule."""
        return {
            "rule": type(self).__name__,
            **{name: plain_value(getattr(self, name)) for name in self.fields},
        }

    def __str__(self) -> str:
        said = ", ".join(f"{name}={plain_value(getattr(self, name))!r}" for name in self.fields)
        return f"{type(self).__name__}({said})"


def plain_value(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [plain_value(part) for part in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def checked_names(rule: Any, least: int = 2) -> None:
    if isinstance(rule.names, str):
        raise TypeError(f"{type(rule).__name__} takes a list of columns, got the one name {rule.names!r}")
    object.__setattr__(rule, "names", tuple(rule.names))
    if len(rule.names) < least or len(set(rule.names)) < len(rule.names):
        raise ValueError(f"{type(rule).__name__} takes at least {least} columns, each once; got {rule.names}")


def check_direction(rule: Any) -> None:
    if rule.direction not in (-1, 0, 1):
        raise ValueError(f"{type(rule).__name__} direction={rule.direction!r}; it must be -1, 0 or +1")


def require_bool(rule: Rule, space: ActionSpace) -> None:
    wrong = [name for name in rule.columns if space[name].kind != "bool"]
    if wrong:
        raise ValueError(
            f"{type(rule).__name__} takes bool columns, but {', '.join(map(repr, wrong))} "
            f'{"is" if len(wrong) == 1 else "are"} not; space[{wrong[0]!r}].set(kind="bool")'
        )


def linear_row(columns: dict[int, Callable[[Floats], Floats]], lo: float, hi: float) -> LinearRow:
    return LinearRow(columns, np.zeros(0), lo, hi)


def itself(values: Floats) -> Floats:
    return values


def times(factor: float) -> Callable[[Floats], Floats]:
    return lambda values: factor * values
