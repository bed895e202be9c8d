"""From removal effects to seats, and from seats back to values that add up: many predictions at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from salience.measures.apportion import highest_averages

__all__ = ["PROJECTIONS", "Election", "Projected", "elect", "project", "within_groups"]

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Labels = NDArray[np.int64]
EPS = 1e-12


@dataclass(frozen=True)
class Election:
    """Seats of n predictions, each with up to G groups of columns; slots without a group hold zeros.

    Attributes
    ----------
    effects : ndarray of float64, shape (n, G)
        Removal effects e_P of the groups.
    votes : ndarray of float64, shape (n, G)
        ``|e_P| + lambda sum |I_ij|`` before any transfer.
    exists, eligible : ndarray of bool, shape (n, G)
    for_votes, against_votes : ndarray of float64, shape (n, G)
        Of the eligible groups, transfers included.
    for_seats, against_seats : ndarray of int64, shape (n, G)
        At the resolution that is shown.
    raw : ndarray of float64, shape (n, G)
        Attributions by seats, of whoever gave the votes.
    """

    effects: Floats
    votes: Floats
    exists: Mask
    eligible: Mask
    for_votes: Floats
    against_votes: Floats
    for_seats: NDArray[np.int64]
    against_seats: NDArray[np.int64]
    raw: Floats


def elect(
    effects: Floats, extra: Floats, labels: Labels, likes: Floats | None, *, seats: int, fine_seats: int,
    threshold: float | None, tie: str, rng: np.random.Generator,
) -> Election:  # fmt: skip
    """Hold the elections of n predictions (steps 4 to 7 of the method).

    Parameters
    ----------
    effects, extra : ndarray of float64, shape (n, G)
        Effects of the groups, and what interactions inside them add to their votes.
    labels : ndarray of int, shape (n, p)
        Group of each column, 0 to G - 1.
    likes : ndarray of float64, shape (n, p, p), optional
        Affinity of columns: votes below the threshold move along it. Without it they are lost.
    seats, fine_seats : int
        Seats that are shown, and seats from which the values come.
    threshold : float or None
        Share of all votes from which a group is eligible.
    tie, rng
        See :func:`~salience.measures.apportion.dhondt`.
    """
    exists = np.arange(effects.shape[1]) <= labels.max(axis=1, keepdims=True)
    # A group without an effect has no side to vote for, however much its members interact.
    votes = np.where(effects != 0, np.abs(effects) + extra, 0.0)
    eligible = _eligible(votes, exists, threshold)
    sides = np.stack([effects > 0, effects < 0])  # (2, n, G)
    ballots, mass = votes * sides, np.abs(effects) * sides
    transfer = (
        None if likes is None or eligible[exists].all() else _transfers(labels, likes, exists, eligible)
    )
    if transfer is None:
        ballots, mass = ballots * eligible, mass * eligible
    else:
        ballots = np.einsum("sng,ngh->snh", ballots, transfer)
        moved = mass[..., None] * transfer  # (2, n, source, receiver)
        mass = moved.sum(axis=2)
    won = _two_sides(ballots, fine_seats, tie, rng)
    shown = _two_sides(ballots, seats, tie, rng)
    of_side = won.sum(axis=2, keepdims=True)
    raw = mass.sum(axis=2, keepdims=True) * np.divide(
        won, of_side, out=np.zeros(won.shape), where=of_side > 0
    )
    if transfer is not None:
        share = np.divide(moved, mass[:, :, None, :], out=np.zeros_like(moved), where=mass[:, :, None, :] > 0)
        raw = np.einsum("sngh,snh->sng", share, raw)
    return Election(
        effects, votes, exists, eligible, ballots[0], ballots[1], shown[0], shown[1], raw[0] - raw[1]
    )


def _eligible(votes: Floats, exists: Mask, threshold: float | None) -> Mask:
    if threshold is None:
        return exists
    total = votes.sum(axis=1, keepdims=True)
    passed = exists & (np.divide(votes, total, out=np.zeros_like(votes), where=total > 0) >= threshold)
    nobody = ~passed.any(axis=1)
    passed[nobody, votes[nobody].argmax(axis=1)] = True
    return passed


def _transfers(labels: Labels, likes: Floats, exists: Mask, eligible: Mask) -> Floats:
    """Where the votes of each group go, shape (n, from, to): to itself, or along the mean affinity."""
    groups = exists.shape[1]
    member = (labels[:, :, None] == np.arange(groups)).astype(np.float64)  # (n, p, G)
    size = np.maximum(member.sum(axis=1), 1.0)
    mean = np.einsum("npg,npq,nqh->ngh", member, likes, member, optimize=True) / (
        size[:, :, None] * size[:, None, :]
    )
    along = (mean + EPS) * eligible[:, None, :]
    along /= along.sum(axis=2, keepdims=True)
    below = (exists & ~eligible)[:, :, None]
    return np.where(below, along, np.eye(groups) * eligible[:, None, :])


def _two_sides(ballots: Floats, seats: int, tie: str, rng: np.random.Generator) -> NDArray[np.int64]:
    """Seats of both sides, shape (2, n, G): the house is split by their votes, then D'Hondt on each."""
    both = ballots.sum(axis=2)  # (2, n)
    total = both.sum(axis=0)
    share = np.divide(both[0], total, out=np.zeros_like(total), where=total > 0)
    of_for = np.floor(seats * share + 0.5).astype(np.int64)
    houses = np.concatenate([of_for, seats - of_for])
    flat = ballots.reshape(-1, ballots.shape[2])
    return highest_averages(flat, houses, tie=tie, random_state=rng).reshape(ballots.shape)


@dataclass(frozen=True)
class Projected:
    """Values of groups that add up to a target together with a residual.

    Attributes
    ----------
    values : ndarray of float64, shape (n, G)
    residual : ndarray of float64, shape (n,)
        What no group was given.
    gap, ratio : ndarray of float64, shape (n,)
        ``r = target - sum raw``, and ``|r| / max(|target|, sum |raw|, eps)``.
    """

    values: Floats
    residual: Floats
    gap: Floats
    ratio: Floats


def project(raw: Floats, target: Floats, mode: str, limit: float) -> Projected:
    """Correct raw attributions so that they add up (step 8 of the method).

    Parameters
    ----------
    raw : ndarray of float64, shape (n, G)
    target : ndarray of float64, shape (n,)
    mode : {"auto", "redistribute", "residual"}
        Give the residual to the groups in proportion to ``|raw|``, or keep it apart; "auto" keeps it apart from
        ``ratio >= limit`` on. Without any evidence there is nothing to be proportional to: it is kept apart.
    limit : float

    Examples
    --------
    >>> project(np.array([[3.0, -1.0]]), np.array([2.1]), "auto", 0.1).values.round(3)
    array([[ 3.075, -0.975]])
    """
    gap = target - raw.sum(axis=1)
    size = np.abs(raw).sum(axis=1)
    ratio = np.abs(gap) / np.maximum(np.maximum(np.abs(target), size), EPS)
    apart = (size <= EPS) | PROJECTIONS[mode](ratio, limit)
    given = np.where(apart, 0.0, gap)
    values = raw + given[:, None] * np.abs(raw) / np.where(apart, 1.0, size)[:, None]
    return Projected(values, np.where(apart, target - values.sum(axis=1), 0.0), gap, ratio)


PROJECTIONS: Mapping[str, Callable[[Floats, float], Mask]] = {
    "auto": lambda ratio, limit: ratio >= limit,
    "redistribute": lambda ratio, limit: np.zeros(ratio.shape, dtype=bool),
    "residual": lambda ratio, limit: np.ones(ratio.shape, dtype=bool),
}


def within_groups(
    values: Floats, labels: Labels, effects: Floats, interaction: Floats | None, weight: float, beta: float
) -> Floats:
    """Split the values of groups among their members (step 9 of the method).

    A member starts from ``e_i + lambda sign(e_i) sum_j |I_ij|``; what the group's value has more or less is added in
    proportion to ``(|.| + eps)^beta``. A column on its own has the value of its group.

    Parameters
    ----------
    values : ndarray of float64, shape (n, G)
    labels : ndarray of int, shape (n, p)
    effects : ndarray of float64, shape (n, p)
    interaction : ndarray of float64, shape (n, p, p), optional
    weight, beta : float
        lambda, beta.

    Returns
    -------
    ndarray of float64, shape (n, p)
    """
    whole = np.take_along_axis(values, labels, axis=1)
    if (labels.max(axis=1) + 1 == labels.shape[1]).all():
        return whole
    same = labels[:, :, None] == labels[:, None, :]  # (n, p, p)
    alone = same.sum(axis=2) == 1
    start = effects.copy()
    if interaction is not None and weight > 0:
        inside = np.abs(np.nan_to_num(interaction)) * same
        start += weight * np.where(effects != 0, np.sign(effects), np.sign(whole)) * inside.sum(axis=2)
    pull = (np.abs(start) + EPS) ** beta
    of_group = np.einsum("npq,nq->np", same, start)
    split = start + (whole - of_group) * pull / np.einsum("npq,nq->np", same, pull)
    return np.where(alone, whole, split)
