"""How far a mask can go before a model leaves the Rashomon set, for all budgets of the loss at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

STEP = 0.1  # of the first try, as in the paper
PLATEAU = 2.0  # a loss that has not moved over this distance will not: twenty steps of the paper
NEAR = 3.0  # so far every step is taken, so that a barrier wider than one is seen as in the paper; then they double
ROUNDING = 1e-12
ROUNDS = 80  # halving 1000 to 1e-4 takes 24; a bound, not a knob


@dataclass(frozen=True)
class Walk:
    """The farthest masks found in one direction.

    Attributes
    ----------
    masks, losses : ndarray of float64, shape (budgets,)
    end : {"", "insensitive", "plateau", "bound"}
        Why the walk ended short of the largest budget: the loss never moved, it stopped moving, or ``|m|`` came to
        its bound.
    """

    masks: Floats
    losses: Floats
    end: str


def walk(
    losses_at: Callable[[Floats], Floats],
    reference: float,
    budgets: Floats,
    direction: int,
    *,
    resolution: float = 1e-4,
    bound: float = 1000.0,
    still: float = 0.0,
) -> Walk:
    """Find, for each budget, the mask farthest from 1 that the loss still allows.

    The paper walks in steps of .1, .01, .001 and .0001 from one budget to the next. Here the steps of .1 are looked at
    several at a time, and double far out, until the largest budget is passed; then every budget is closed in upon by
    the parabola through the three nearest masks, and by halving where the loss is not one. What is known of one budget
    serves the others.

    Parameters
    ----------
    losses_at : callable
        ``losses_at(masks) -> losses`` of the model with this one feature masked, many masks at once.
    reference : float
        The loss at ``m = 1``.
    budgets : ndarray of float64, shape (budgets,)
        Ascending, in units of the loss.
    direction : {1, -1}
    resolution : float
        Masks are within half of it below the crossing, never beyond.
    bound : float
        Of ``|m|``.
    still : float
        A change of the loss that counts as none.

    Returns
    -------
    Walk

    Examples
    --------
    >>> found = walk(lambda m: 1 + (m - 1) ** 2, 1.0, np.array([0.0, 0.25, 1.0]), -1)
    >>> found.masks.round(3)
    array([1. , 0.5, 0. ])
    """
    limit = bound - direction
    distance, loss, end = _outward(losses_at, reference, budgets[-1], direction, limit, still)
    highest = reference + budgets + ROUNDING
    for _ in range(ROUNDS):
        wanted = np.concatenate([_closer(distance, loss, high, resolution) for high in highest])
        wanted = np.setdiff1d(wanted, distance)
        if not len(wanted):
            break
        distance = np.append(distance, wanted)
        loss = np.append(loss, losses_at(1.0 + direction * wanted))
        order = np.argsort(distance, kind="stable")
        distance, loss = distance[order], loss[order]
    last = [_last_inside(loss, high) for high in highest]
    return Walk(1.0 + direction * distance[last], loss[last], end)


def _outward(
    losses_at: Callable[[Floats], Floats],
    reference: float,
    budget: float,
    direction: int,
    limit: float,
    still: float,
) -> tuple[Floats, Floats, str]:
    """Points at doubling distances, up to the first beyond the budget, the start of a plateau, or the limit."""
    distance, loss, flat = np.zeros(1), np.array([reference]), 0.0
    while distance[-1] < limit:
        here = distance[-1]
        far = here * 2.0 ** np.arange(1, 4)
        ahead = np.minimum(here + STEP * np.arange(1, 5) if here < NEAR else far, limit)
        for d, value in zip(ahead, losses_at(1.0 + direction * ahead), strict=True):
            if d == distance[-1]:
                break
            flat = flat + d - distance[-1] if abs(value - loss[-1]) <= still else 0.0
            distance, loss = np.append(distance, d), np.append(loss, value)
            if value > reference + budget + ROUNDING:
                return distance, loss, ""
            if flat >= PLATEAU:
                begin = int(np.argmax(distance >= d - flat - ROUNDING))
                return distance[: begin + 1], loss[: begin + 1], "plateau" if begin else "insensitive"
    return distance, loss, "bound"


def _last_inside(loss: Floats, high: float) -> int:
    """The last point before the first one outside."""
    outside = loss > high
    return int(np.argmax(outside)) - 1 if outside.any() else len(loss) - 1


def _closer(distance: Floats, loss: Floats, high: float, resolution: float) -> Floats:
    """Where to look next for the crossing of one budget; nowhere when it is known well enough."""
    lo = _last_inside(loss, high)
    if lo == len(loss) - 1 or distance[lo + 1] - distance[lo] <= resolution / 2:
        return np.zeros(0)
    left, right = distance[lo], distance[lo + 1]
    slack = resolution / 5
    guess = _crossing(distance, loss, lo, high)
    tries = np.array([guess - slack, guess + slack, (left + right) / 2])
    return tries[(tries > left) & (tries < right)]


def _crossing(distance: Floats, loss: Floats, lo: int, high: float) -> float:
    """The root between two points of the parabola through them and a neighbour; just past the first without one."""
    third = lo - 1 if lo > 0 else lo + 2
    x0, x1, f0, f1 = distance[lo], distance[lo + 1], loss[lo] - high, loss[lo + 1] - high
    slope = (f1 - f0) / (x1 - x0)
    bend = 0.0
    if third < len(loss):
        bend = ((loss[third] - high - f1) / (distance[third] - x1) - slope) / (distance[third] - x0)
    if not bend:
        return float(x0 - f0 / slope)
    # f0 + (x - x0) slope + (x - x0)(x - x1) bend, in x - x0
    linear = slope - bend * (x1 - x0)
    root = np.roots([bend, linear, f0])
    inside = [float(r.real) for r in root if abs(r.imag) < ROUNDING and 0 < r.real < x1 - x0]
    return x0 + (max(inside) if inside else 0.0)
