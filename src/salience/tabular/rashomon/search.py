"""How far a mask can go before a model leaves the Rashomon set, for all budgets of the loss at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

STEP = 0.1  # of the first try, as in the paper
STALLS = 20  # steps in a row that do not move the loss end a walk, as in generalized-rashomon-set 0.2.0
NEAR = 3.0  # so far every step is taken, so that a barrier wider than one is seen; then they double
PROBES = 8  # of the first step, to see whether the loss is smooth:
ROUGH = 0.1  # its third differences are not so large a share of the first ones
MOST = 64  # steps that are looked at in one call
ROUNDING = 1e-12
ROUNDS = 80  # halving 1000 to 1e-4 takes 24; a bound, not a knob


@dataclass(frozen=True)
class Walk:
    """The farthest masks found in one direction.

    Attributes
    ----------
    masks, losses : ndarray of float64, shape (budgets,)
    end : {"", "insensitive", "plateau", "bound"}
        Why the walk ended short of the largest budget: twenty steps in a row did not move the loss, which never had
        moved or had done so before, or ``|m|`` came to its bound.
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

    The paper walks in steps of .1, .01, .001 and .0001 from one budget to the next. Where the loss is smooth, its
    steps of .1 are looked at several at a time, and double far out, until the largest budget is passed; then every
    budget is closed in upon by the parabola through the three nearest masks, and by halving. What is known of one budget
    serves the others. Where the loss moves in jumps or not at all, as that of trees and of labels does, where the walk
    ends depends on every step: there the paper's own are taken, several in one call.

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
        Masks are no farther below the crossing, never beyond.
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
    known = _smooth_part(losses_at, reference, budgets[-1], direction, bound, still)
    if known is None:
        return _stepwise(losses_at, reference, budgets, direction, resolution, bound, still)
    distance, loss, end = known
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


def _stepwise(
    losses_at: Callable[[Floats], Floats],
    reference: float,
    budgets: Floats,
    direction: int,
    resolution: float,
    bound: float,
    still: float,
) -> Walk:
    """The walk of the paper, step by step; steps of one length are looked at several at a time."""
    m, loss, stalls, moved, end = 1.0, reference, 0, False, ""
    masks, losses = np.empty(len(budgets)), np.empty(len(budgets))
    for j, high in enumerate(reference + budgets + ROUNDING):
        step, count = STEP, 4
        while step > 0.11 * resolution and not end:  # the last one is no longer than the resolution
            ahead = np.cumsum(np.append(m, np.full(count, direction * step)))[1:]
            count = min(2 * count, MOST)
            for there, value in zip(ahead, losses_at(ahead), strict=True):
                if value > high:
                    step, count = 0.1 * step, 10
                    break
                if abs(there) > bound + ROUNDING:
                    end = "bound"
                    break
                unmoved = abs(value - loss) <= still
                stalls, moved = stalls + 1 if unmoved else 0, moved or not unmoved
                m, loss = there, value
                if stalls >= STALLS:
                    end = "plateau" if moved else "insensitive"
                    break
        masks[j], losses[j] = m, loss
    return Walk(masks, losses, end)


def _smooth_part(
    losses_at: Callable[[Floats], Floats],
    reference: float,
    budget: float,
    direction: int,
    bound: float,
    still: float,
) -> tuple[Floats, Floats, str] | None:
    """Points at steps that double far out, up to the first beyond the budget or the bound; None where it is rough."""
    limit = bound - direction
    distance = STEP * np.arange(PROBES + 1) / PROBES
    loss = np.append(reference, losses_at(1.0 + direction * distance[1:]))
    if np.abs(np.diff(loss, 3)).max() > ROUGH * np.abs(np.diff(loss)).max():
        return None
    if loss.max() > reference + budget + ROUNDING:
        return distance, loss, ""
    while distance[-1] < limit:
        here = distance[-1]
        far = here * 2.0 ** np.arange(1, 4)
        ahead = np.minimum(here + STEP * np.arange(1, 5) if here < NEAR else far, limit)
        ahead = np.unique(ahead)
        for d, value in zip(ahead, losses_at(1.0 + direction * ahead), strict=True):
            if abs(value - loss[-1]) <= still:
                return None
            distance, loss = np.append(distance, d), np.append(loss, value)
            if value > reference + budget + ROUNDING:
                return distance, loss, ""
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
