"""The rules by which removal effects become seats and values."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from salience.tabular.dhondt.alliances import AFFINITIES, LINKAGES
from salience.tabular.dhondt.mandates import PROJECTIONS

__all__ = ["BUDGETS", "Budget", "ElectionRules", "one_of", "share_of_votes", "whole_from_one"]


@dataclass(frozen=True)
class Budget:
    """How much an explanation may cost.

    Attributes
    ----------
    rows : int
        Background rows that replace removed columns.
    seats : int
        Least number of seats from which values are computed.
    pairs, top : int or None
        Pairs measured per prediction at most, and among how many of the largest effects; None is all.
    """

    rows: int
    seats: int
    pairs: int | None
    top: int | None


BUDGETS: Mapping[str, Budget] = {
    "fast": Budget(25, 1_000, 200, 20),
    "balanced": Budget(100, 5_000, 1_000, 40),
    "accurate": Budget(250, 10_000, 5_000, 80),
    "research": Budget(500, 20_000, None, None),
}


@dataclass(frozen=True)
class ElectionRules:
    """How an explanation is made; every field is an argument of :meth:`DhondtExplainer.explain`.

    Parameters
    ----------
    seats : int, default=100
        Seats that are shown. Values come from more: see `allocation_seats`.
    threshold : float, optional
        Share of all votes that a party needs, in [0, 1); a number in (1, 100) is a percentage. If none passes, the
        largest does.
    redistribute : bool, default=False
        Votes below the threshold move to eligible parties in proportion to their mean affinity, and the values go back
        to where the votes came from. Otherwise what they stand for is the residual ``__below_threshold__``.
    alliances : {"none", "user", "auto", "hybrid"} or list of lists of names, default="none"
        Which columns stand together: none; those of `groups` (or given here); those whose affinity reaches `rho`; those
        of `groups` and, of the other columns, those whose affinity reaches it.
    groups : list of lists of names
        Alliances that the user names.
    rho : float, default=0.5
        Affinity from which columns go together, in [0, 1].
    linkage : {"components", "complete"}, default="components"
        Whether chains of affinity make an alliance, or every pair must reach `rho`.
    affinity : {"same_direction", "absolute"}, default="same_direction"
        Whether only columns whose effects have the same sign have an affinity.
    interaction_weight : float, default=0.0
        lambda: how much interactions inside an alliance add to its votes and to the claims of its members.
    beta : float, default=1.0
        How strongly larger members share in what an alliance has beyond its members.
    exclude : list of names
        Columns that get no value; their part is the residual ``__excluded__``.
    exclude_mode : {"strict", "standard"}, default="strict"
        "strict": excluded columns are those of the background in every evaluation, so that their interactions are in the
        residual as well. "standard": the residual is what remains beside the effect of all other columns together.
    threshold_mode : {"strict", "standard"}, default="strict"
        The same for columns below the threshold.
    projection : {"auto", "redistribute", "residual"}, default="auto"
        What is done with the difference between raw values and what they should add up to: given to the parties in
        proportion to their raw values, or kept apart as ``__projection_residual__``; "auto" keeps it apart when it is
        `projection_threshold` of the whole or more.
    projection_threshold : float, default=0.10
    tie : {"stable", "random"}, default="stable"
        Who gets a seat to which two parties have the same claim: the earlier column, or one drawn.
    allocation_seats : int, optional
        Seats from which values are computed; default: the budget's, at least 100 per column and at least `seats`.
    max_model_rows : int, optional
        Model rows per prediction. Beyond it there are less background rows, then less pairs, then alliances of three
        and more are taken as the sum of their members. A message says so.

    Raises
    ------
    TypeError, ValueError
        When a field is not as described; the message says what is allowed.

    Examples
    --------
    >>> ElectionRules(threshold=5).threshold
    0.05
    """

    seats: int = 100
    threshold: float | None = None
    redistribute: bool = False
    alliances: Any = "none"
    groups: Sequence[Sequence[Any]] = ()
    rho: float = 0.5
    linkage: str = "components"
    affinity: str = "same_direction"
    interaction_weight: float = 0.0
    beta: float = 1.0
    exclude: Sequence[Any] = ()
    exclude_mode: str = "strict"
    threshold_mode: str = "strict"
    projection: str = "auto"
    projection_threshold: float = 0.10
    tie: str = "stable"
    allocation_seats: int | None = None
    max_model_rows: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.alliances, str):
            object.__setattr__(self, "groups", tuple(self.alliances))
            object.__setattr__(self, "alliances", "user")
        for name, allowed in _CHOICES.items():
            one_of(name, getattr(self, name), allowed)
        whole_from_one("seats", self.seats)
        for name in ("allocation_seats", "max_model_rows"):
            if getattr(self, name) is not None:
                whole_from_one(name, getattr(self, name))
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high or (name == "beta" and value == 0):
                raise ValueError(f"{name} must lie between {low:g} and {high:g}, got {value!r}")
        object.__setattr__(self, "threshold", share_of_votes(self.threshold))

    @property
    def by_affinity(self) -> bool:
        """Whether alliances are looked for."""
        return self.alliances in ("auto", "hybrid")

    @property
    def moves_votes(self) -> bool:
        """Whether votes below a threshold go to others."""
        return self.redistribute and self.threshold is not None

    def fine_seats(self, budget: Budget, columns: int) -> int:
        """Seats from which values are computed."""
        return max(self.allocation_seats or max(budget.seats, 100 * columns), self.seats)


_CHOICES: Mapping[str, Collection[str]] = {
    "alliances": ("none", "user", "auto", "hybrid"),
    "linkage": LINKAGES,
    "affinity": AFFINITIES,
    "exclude_mode": ("strict", "standard"),
    "threshold_mode": ("strict", "standard"),
    "projection": PROJECTIONS,
    "tie": ("stable", "random"),
}
_RANGES = {
    "rho": (0.0, 1.0),
    "interaction_weight": (0.0, np.inf),
    "beta": (0.0, np.inf),
    "projection_threshold": (0.0, np.inf),
}


def one_of(name: str, value: Any, allowed: Collection[str]) -> None:
    """Refuse a value that is none of those allowed."""
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name}={value!r} is unknown; it must be one of {', '.join(map(repr, allowed))}")


def whole_from_one(name: str, value: Any) -> None:
    """Refuse what is not a whole number from 1 up."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"{name} must be a whole number from 1 up, got {value!r}")


def share_of_votes(threshold: float | None) -> float | None:
    """A threshold as a share: numbers above 1 are percentages.

    Examples
    --------
    >>> share_of_votes(0.03), share_of_votes(3)
    (0.03, 0.03)
    """
    if threshold is None:
        return None
    share = float(threshold) / 100 if threshold > 1 else float(threshold)
    if not 0 <= share < 1:
        raise ValueError(
            f"threshold must be a share in [0, 1) or a percentage in (1, 100), got {threshold!r}"
        )
    return share
