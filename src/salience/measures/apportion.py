"""Seats from votes: D'Hondt and its sisters, in time that does not depend on the number of seats; seats by lot.

A divisor method gives seat after seat to the party with the largest quotient ``v_i / (s_i + 1 - d)``: d = 0 is
D'Hondt (Jefferson), d = 1/2 Sainte-Laguë (Webster). The same seats come from one multiplier: ``s_i = floor(v_i /
lambda + d)`` with the lambda at which they add up, and ties at the boundary settled by a rule. `gumbel_top_k` draws
instead: at most one seat each, with chances in proportion to weights.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["dhondt", "gumbel_top_k", "hamilton", "highest_averages", "jefferson", "largest", "sainte_lague"]

Floats: TypeAlias = NDArray[np.float64]
Seats: TypeAlias = NDArray[np.int64]
Seed: TypeAlias = np.random.Generator | int | None


def dhondt(
    votes: ArrayLike, seats: int, *, tie: str = "stable", random_state: Seed = None, form: str = "multiplier"
) -> Seats:
    """Allocate seats to votes by D'Hondt's highest averages, also known as Jefferson's method.

    ``seats`` times the party with the largest ``v_i / (s_i + 1)`` gets one more. Every party gets at least the
    whole part of its share, one more seat never takes one away, and joining forces never costs a seat.

    Parameters
    ----------
    votes : array-like of float, shape (m,)
        Finite and not negative, in any unit.
    seats : int
        At least 1.
    tie : {"stable", "random"}
        Among equal quotients the earlier party comes first, or a party drawn by `random_state`.
    random_state : int or Generator, optional
    form : {"multiplier", "heap"}
        How they are found: at once, O(m log m), or seat by seat, O(m + seats log m). The seats are the same.

    Returns
    -------
    ndarray of int64, shape (m,)
        They add up to `seats`; all zero when there is no vote at all.

    Raises
    ------
    ValueError
        Votes that are negative, NaN or infinite; fewer than one seat; an unknown `tie` or `form`.

    Examples
    --------
    >>> dhondt([100, 80, 30, 20], 8)
    array([4, 3, 1, 0])
    """
    if form not in _FORMS:
        raise ValueError(f"form={form!r} is unknown; it must be one of {', '.join(map(repr, _FORMS))}")
    return _FORMS[form](*_checked(votes, seats), 0.0, tie, random_state)


jefferson = dhondt


def sainte_lague(votes: ArrayLike, seats: int, *, tie: str = "stable", random_state: Seed = None) -> Seats:
    """Allocate seats by odd divisors (Sainte-Laguë, Webster): no favour to large parties.

    Parameters are those of :func:`dhondt`.

    Examples
    --------
    >>> sainte_lague([100, 80, 30, 20], 8)
    array([3, 3, 1, 1])
    """
    return highest_averages(*_checked(votes, seats), 0.5, tie=tie, random_state=random_state)


def hamilton(votes: ArrayLike, seats: int, *, tie: str = "stable", random_state: Seed = None) -> Seats:
    """Allocate seats by largest remainders: the whole part of each share, the rest to the largest fractions.

    Parameters are those of :func:`dhondt`. One more seat can take one away from a party (the Alabama paradox).

    Examples
    --------
    >>> hamilton([100, 80, 30, 20], 8)
    array([3, 3, 1, 1])
    """
    given, wanted = _checked(votes, seats)
    keys = _tie_keys(given.shape, tie, random_state)
    if not given.any():
        return np.zeros(len(given), dtype=np.int64)
    scaled = _scaled(given)
    share = scaled / scaled.sum() * wanted
    # A share that is whole but for rounding is whole: it has no remainder to be ranked by.
    whole = np.floor(share + 1e-12 * np.maximum(share, 1.0))
    remainder = np.round(np.maximum(share - whole, 0.0), 12)
    rest = wanted - int(whole.sum())
    whole[np.lexsort((keys, -remainder))[:rest]] += 1
    return whole.astype(np.int64)


def highest_averages(
    votes: ArrayLike, seats: ArrayLike, offset: float = 0.0, *, tie: str = "stable", random_state: Seed = None
) -> Seats:
    """Allocate seats by a divisor method in many parliaments at once.

    A party's seats lie between ``floor(v_i t + d)`` at the multipliers ``t = (S - m d) / V`` and ``t = (S + m - m
    d) / V``, because rounding moves the sum of m parties by at most m. So at most about 2 m quotients compete for
    the seats that are open, and they are compared as they are, ties included.

    Parameters
    ----------
    votes : array-like of float, shape (m,) or (n, m)
        One row per parliament; finite and not negative.
    seats : int or array-like of int, shape (n,)
        Of each parliament, 0 allowed.
    offset : float, default=0.0
        d, in [0, 1): 0 is D'Hondt, 1/2 Sainte-Laguë.
    tie, random_state
        As in :func:`dhondt`; a party's luck is drawn once per parliament.

    Returns
    -------
    ndarray of int64, shape of `votes`
        A parliament without votes stays empty.

    Raises
    ------
    ValueError
        As in :func:`dhondt`, or when `offset` or the shapes do not fit.

    Examples
    --------
    >>> highest_averages([[100, 80, 30, 20], [1, 1, 0, 0]], [8, 3])
    array([[4, 3, 1, 0],
           [2, 1, 0, 0]])
    """
    given = np.asarray(votes, dtype=np.float64)
    if given.ndim not in (1, 2):
        raise ValueError(f"votes must have the shape (m,) or (n, m), got {given.shape}")
    if not 0.0 <= offset < 1.0:
        raise ValueError(f"offset must be in [0, 1), got {offset!r}: 0 is D'Hondt, 0.5 Sainte-Laguë")
    table = np.atleast_2d(given)
    _check_votes(table)
    wanted = np.broadcast_to(np.asarray(seats), table.shape[:1])
    if (wanted < 0).any() or not np.array_equal(wanted, np.floor(wanted)):
        raise ValueError(f"seats must be whole numbers from 0 up, got {np.asarray(seats)!r}")
    keys = _tie_keys(table.shape, tie, random_state)
    return _by_multiplier(_scaled(table), wanted.astype(np.int64), offset, keys).reshape(given.shape)


def gumbel_top_k(log_weights: ArrayLike, k: int, rng: Seed = None) -> Seats:
    r"""Draw k items without replacement, each draw in proportion to the weights that are left (Plackett-Luce).

    .. math:: g_i = \ln w_i + G_i, \qquad G_i \sim \mathrm{Gumbel}(0, 1)

    The k largest keys g, largest first, are distributed as k draws one after the other. Weights are given by their
    logarithms, up to a common constant, so they may be as large as they like.

    Parameters
    ----------
    log_weights : array-like of float, shape (n,)
        ``-inf`` for items that are never drawn.
    k : int
        At least 1, at most the number of items that can be drawn.
    rng : int or Generator, optional
        One Gumbel number is taken from it for every item, in order, those that are never drawn included.

    Returns
    -------
    ndarray of int64, shape (k,)
        Items in the order in which they are drawn; no item twice.

    Raises
    ------
    ValueError
        NaN or ``+inf`` among the log weights, another shape, or a `k` that does not fit.

    Examples
    --------
    >>> gumbel_top_k(np.log([0.5, 0.3, 0.2]), 2, rng=0)
    array([2, 1])
    """
    weights = np.asarray(log_weights, dtype=np.float64)
    if weights.ndim != 1:
        raise ValueError(f"log_weights must be a vector, one number per item; got the shape {weights.shape}")
    wrong = np.flatnonzero(np.isnan(weights) | (weights == np.inf))
    if len(wrong):
        raise ValueError(
            f"log_weights must be below infinity, but item {wrong[0]} has {weights[wrong[0]]}; give -inf to items "
            "that are never to be drawn"
        )
    keys = np.random.default_rng(rng).gumbel(size=len(weights))
    keys += weights
    return largest(keys, k)


def largest(keys: Floats, k: int) -> Seats:
    """The k items with the largest keys, largest first, the earlier of equal ones; those at ``-inf`` never.

    Examples
    --------
    >>> largest(np.array([1.0, 3.0, 3.0, -np.inf]), 2)
    array([1, 2])
    """
    open_to = int(np.count_nonzero(keys > -np.inf))
    if isinstance(k, bool | np.bool_) or not isinstance(k, int | np.integer) or not 1 <= k <= open_to:
        raise ValueError(
            f"k must be a whole number from 1 to {open_to}, the items that can be drawn; got {k!r}"
        )
    bar = np.partition(keys, len(keys) - k)[len(keys) - k]
    above = np.flatnonzero(keys > bar)
    at_bar = np.flatnonzero(keys == bar)[: k - len(above)]
    return np.concatenate([above[np.argsort(-keys[above], kind="stable")], at_bar]).astype(np.int64)


def _by_multiplier(votes: Floats, seats: Seats, offset: float, keys: Floats) -> Seats:
    n, m = votes.shape
    total = votes.sum(axis=1, keepdims=True)
    unit = np.divide(votes, total, out=np.zeros_like(votes), where=total > 0)
    wanted = np.where(total > 0, seats[:, None], 0)
    # One seat of slack on both sides covers the rounding of the multipliers.
    low = np.maximum(np.floor(unit * np.maximum(wanted - m * offset, 0.0) + offset) - 1, 0.0)
    high = np.floor(unit * (wanted + m * (1 - offset)) + offset) + 1
    open_to = np.where((votes > 0) & (wanted > 0), high - low, 0.0).astype(np.int64)
    party = np.repeat(np.arange(n * m), open_to.ravel())
    first = np.cumsum(open_to.ravel()) - open_to.ravel()
    place = (
        np.arange(len(party)) - first[party] + low.ravel()[party] + 1
    )  # which seat of the party this one is
    quotient = votes.ravel()[party] / (place - offset)
    house = party // m
    best = np.lexsort((party, keys.ravel()[party], -quotient, house))
    sizes = np.bincount(house, minlength=n)
    rank = np.arange(len(party)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    still_open = (wanted[:, 0] - low.sum(axis=1)).astype(np.int64)
    winners = party[best[rank < np.repeat(still_open, sizes)]]
    return low.astype(np.int64) + np.bincount(winners, minlength=n * m).reshape(n, m)


def _seat_by_seat(votes: Floats, seats: int, offset: float, tie: str, random_state: Seed) -> Seats:
    keys = _tie_keys(votes.shape, tie, random_state)
    won = np.zeros(len(votes), dtype=np.int64)
    scaled = _scaled(votes)
    heap = [(-v / (1 - offset), float(keys[i]), i) for i, v in enumerate(scaled) if v > 0]
    heapq.heapify(heap)
    for _ in range(seats if heap else 0):
        _, key, i = heap[0]
        won[i] += 1
        heapq.heapreplace(heap, (-scaled[i] / (won[i] + 1 - offset), key, i))
    return won


def _at_once(votes: Floats, seats: int, offset: float, tie: str, random_state: Seed) -> Seats:
    return highest_averages(votes, seats, offset, tie=tie, random_state=random_state)


_FORMS: Mapping[str, Callable[..., Seats]] = {"multiplier": _at_once, "heap": _seat_by_seat}


def _tie_keys(shape: tuple[int, ...], tie: str, random_state: Seed) -> Floats:
    if tie not in _TIES:
        raise ValueError(f"tie={tie!r} is unknown; it must be one of {', '.join(map(repr, _TIES))}")
    return _TIES[tie](shape, random_state)


_TIES: Mapping[str, Callable[[tuple[int, ...], Any], Floats]] = {
    "stable": lambda shape, random_state: np.zeros(shape),
    "random": lambda shape, random_state: np.random.default_rng(random_state).random(shape),
}


def _scaled(votes: Floats) -> Floats:
    """The votes times a power of two, so that no quotient of ordinary votes overflows or vanishes."""
    exponent = np.frexp(votes.max(axis=-1, keepdims=True, initial=0.0))[1]
    return np.ldexp(votes, -exponent)


def _checked(votes: ArrayLike, seats: Any) -> tuple[Floats, int]:
    given = np.asarray(votes, dtype=np.float64)
    if given.ndim != 1:
        raise ValueError(f"votes must be a vector, one number per party; got the shape {given.shape}")
    _check_votes(given)
    if isinstance(seats, bool | np.bool_) or not isinstance(seats, int | np.integer) or seats < 1:
        raise ValueError(f"seats must be a whole number from 1 up, got {seats!r}")
    return given, int(seats)


def _check_votes(votes: Floats) -> None:
    wrong = np.argwhere(~np.isfinite(votes) | (votes < 0))
    if len(wrong):
        place = tuple(int(i) for i in wrong[0])
        raise ValueError(
            f"votes must be finite and not negative, but the vote of party {place[-1]} is {float(votes[place])!r}; "
            "leave such parties out, or take the size of a signed importance"
        )
