"""Rules of cause and condition, and the table of all rules by name."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from salience.tabular.responsiveness.encodings import OneHot, Ordinal, Reachability, Thermometer
from salience.tabular.responsiveness.rule import Floats, LinearRow, Mask, Rule, linear_row

if TYPE_CHECKING:
    from salience.tabular.responsiveness.space import ActionSpace

__all__ = [
    "RULES", "Condition", "IfThen", "Link", "OneHot", "Ordinal", "Reachability", "Rule", "Switch", "Thermometer",
]  # fmt: skip


@dataclass(frozen=True)
class Link(Rule):
    """A change of `source` by one unit moves target k by ``scales[k]``, whether or not the target is actionable.

    With `keep_bounds` a change that would carry a target out of its bounds is not allowed; without it the bounds
    of a target limit only what the person does to it, not what follows from the source.

    Examples
    --------
    >>> print(Link("years_employed", ["age"]))
    Link(source='years_employed', targets=['age'], scales=[1.0], keep_bounds=False)
    """

    source: str
    targets: Sequence[str]
    scales: Sequence[float] | None = None
    keep_bounds: bool = False
    fields: ClassVar[tuple[str, ...]] = ("source", "targets", "scales", "keep_bounds")

    def __post_init__(self) -> None:
        targets = (self.targets,) if isinstance(self.targets, str) else tuple(self.targets)
        scales = (1.0,) * len(targets) if self.scales is None else tuple(map(float, self.scales))
        object.__setattr__(self, "targets", targets)
        object.__setattr__(self, "scales", scales)
        if not targets or self.source in targets or len(set(targets)) < len(targets):
            raise ValueError(f"Link needs targets, each once and none of them {self.source!r}; got {targets}")
        if len(scales) != len(targets) or not all(np.isfinite(scales)) or 0.0 in scales:
            raise ValueError(f"Link needs one scale other than 0 for each target, got {scales}")

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.source, *self.targets)

    def require(self, space: ActionSpace) -> None:
        if not space[self.source].actionable:
            raise ValueError(f"Link starts at {self.source!r}, which is not actionable")
        for name, scale in zip(self.targets, self.scales or (), strict=True):
            whole = space[self.source].kind != "float" and float(scale).is_integer()
            if space[name].kind != "float" and not whole:
                raise ValueError(
                    f"Link moves {name!r}, of kind {space[name].kind}, by {scale:g} times a change of {self.source!r}, of kind "
                    f"{space[self.source].kind}: that is no whole number. Use a whole scale and source, "
                    f'or space[{name!r}].set(kind="float")'
                )

    def holds(self, x: Floats) -> Mask:
        return np.ones(len(x), bool)


_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq, "!=": operator.ne, ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt,
}  # fmt: skip


@dataclass(frozen=True)
class Condition:
    """A comparison of one column with a number.

    Examples
    --------
    >>> Condition.parse("income >= 5000")
    Condition(column='income', compare='>=', value=5000.0)
    """

    column: str
    compare: str
    value: float

    @classmethod
    def parse(cls, text: str | Condition) -> Condition:
        """From text such as ``"income >= 5000"``."""
        if isinstance(text, Condition):
            return text
        found = re.fullmatch(r"\s*(.+?)\s*(==|!=|>=|<=|>|<)\s*(\S+)\s*", str(text))
        try:
            return cls(found[1], found[2], float(found[3]))  # type: ignore[index]
        except (TypeError, ValueError):
            raise ValueError(
                f"{text!r} is not a condition; write a column, one of {' '.join(_COMPARE)} and a number"
            ) from None

    def __call__(self, values: Floats) -> Mask:
        return np.asarray(_COMPARE[self.compare](values, self.value))

    def __str__(self) -> str:
        return f"{self.column} {self.compare} {self.value:g}"


@dataclass(frozen=True)
class IfThen(Rule):
    """Where the first condition holds after the change, the second must hold too; so it must for the person now.

    Examples
    --------
    >>> IfThen("has_account == 0", "balance == 0").holds(np.array([[0.0, 10.0], [1.0, 10.0]]))
    array([False,  True])
    """

    condition: str | Condition
    consequence: str | Condition
    fields: ClassVar[tuple[str, ...]] = ("condition", "consequence")

    def __post_init__(self) -> None:
        object.__setattr__(self, "condition", Condition.parse(self.condition))
        object.__setattr__(self, "consequence", Condition.parse(self.consequence))
        if self.columns[0] == self.columns[1]:
            raise ValueError(
                f"IfThen ties two columns, got {self.columns[0]!r} twice; use its bounds or its grid"
            )

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.condition.column, self.consequence.column)  # type: ignore[union-attr]

    def allows(self, before: Floats, after: Floats, known: Mask) -> Mask:
        if not known.all():
            return np.ones(len(after), bool)
        return ~self.condition(after[:, 0]) | self.consequence(after[:, 1])  # type: ignore[operator]

    def linear(self, before: Floats) -> Iterator[LinearRow]:
        yield linear_row({0: _where(self.condition, -1.0), 1: _where(self.consequence, 1.0)}, 0.0, np.inf)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Switch(Rule):
    """While `switch` is at `on_value` after the change, the targets stay as they are.

    With `force_change`, taking it off that value must change at least one of them. (The authors' package asks for such
    a change also of a person whose switch is off and stays so, who could then not even stay as they are.)

    Examples
    --------
    >>> rule = Switch("frozen", ["limit"])
    >>> rule.allows(np.array([0.0, 5.0]), np.array([[1.0, 6.0], [0.0, 6.0]]), np.array([True, True]))
    array([False,  True])
    """

    switch: str
    targets: Sequence[str]
    on_value: int = 1
    force_change: bool = False
    fields: ClassVar[tuple[str, ...]] = ("switch", "targets", "on_value", "force_change")

    def __post_init__(self) -> None:
        targets = (self.targets,) if isinstance(self.targets, str) else tuple(self.targets)
        object.__setattr__(self, "targets", targets)
        if not targets or self.switch in targets or len(set(targets)) < len(targets):
            raise ValueError(
                f"Switch needs targets, each once and none of them {self.switch!r}; got {targets}"
            )
        if self.on_value not in (0, 1):
            raise ValueError(f"Switch on_value={self.on_value!r}; it must be 0 or 1")

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.switch, *self.targets)

    def require(self, space: ActionSpace) -> None:
        if space[self.switch].kind != "bool":
            raise ValueError(
                f"Switch needs a bool column, but {self.switch!r} is of kind {space[self.switch].kind}; "
                f'space[{self.switch!r}].set(kind="bool")'
            )

    def holds(self, x: Floats) -> Mask:
        return np.ones(len(x), bool)  # it limits changes only

    def allows(self, before: Floats, after: Floats, known: Mask) -> Mask:
        if not known[0]:
            return np.ones(len(after), bool)
        on = after[:, 0] == self.on_value
        moved = (after != before)[:, 1:] & known[1:]
        keep = ~on | ~moved.any(axis=1)
        if self.force_change and known.all():
            keep &= (after[:, 0] == before[..., 0]) | on | moved.any(axis=1)
        return np.asarray(keep)

    def linear(self, before: Floats) -> Iterator[LinearRow]:
        on = Condition(self.switch, "==", self.on_value)
        stays = [Condition(name, "==", now) for name, now in zip(self.targets, before[1:], strict=True)]
        for k, stay in enumerate(stays, start=1):
            yield linear_row({0: _where(on, -1.0), k: _where(stay, 1.0)}, 0.0, np.inf)
        if self.force_change and before[0] == self.on_value:
            columns = {k: _where(stay, 1.0) for k, stay in enumerate(stays, start=1)}
            yield linear_row({0: _where(on, -1.0), **columns}, -np.inf, len(stays) - 1.0)


def _where(condition: Condition, weight: float) -> Callable[[Floats], Floats]:
    return lambda values: np.where(condition(values), weight, 0.0)


RULES: dict[str, type[Rule]] = {
    rule.__name__: rule for rule in (OneHot, Thermometer, Ordinal, Reachability, Link, IfThen, Switch)
}


def rule_from(given: Mapping[str, Any]) -> Rule:
    """The rule of :meth:`Rule.to_dict`."""
    name = given.get("rule")
    if not isinstance(name, str) or name not in RULES:
        raise ValueError(f"rule = {name!r} is not known; the rules are {', '.join(RULES)}")
    arguments = {key: value for key, value in given.items() if key != "rule"}
    unknown = set(arguments) - set(RULES[name].fields)
    if unknown:
        raise ValueError(
            f"{name} has no {', '.join(sorted(unknown))}; it takes {', '.join(RULES[name].fields)}"
        )
    try:
        return RULES[name](**arguments)
    except TypeError as error:
        raise ValueError(f"{name} takes {', '.join(RULES[name].fields)}: {error}") from None
