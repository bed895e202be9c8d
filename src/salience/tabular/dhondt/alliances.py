"""Which columns act together on a single prediction: interactions of removal effects, and alliances from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

__all__ = [
    "AFFINITIES",
    "LINKAGES",
    "affinity",
    "found_alliances",
    "interactions",
    "named_groups",
    "relabelled",
    "screened_pairs",
]

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
EPS = 1e-12


def interactions(effects: Floats, pairs: Sequence[tuple[int, int]], pair_effects: Floats) -> Floats:
    """``I_ij = e_ij - e_i - e_j``, symmetric, NaN where the pair was not measured.

    Parameters
    ----------
    effects : ndarray of float64, shape (n, p)
    pairs : sequence of (int, int)
    pair_effects : ndarray of float64, shape (n, len(pairs))

    Returns
    -------
    ndarray of float64, shape (n, p, p)

    Examples
    --------
    >>> interactions(np.array([[1.0, 2.0]]), [(0, 1)], np.array([[4.0]]))[0, 0, 1].item()
    1.0
    """
    n, p = effects.shape
    found = np.full((n, p, p), np.nan)
    if pairs:
        i, j = np.array(pairs).T
        found[:, i, j] = found[:, j, i] = pair_effects - effects[:, i] - effects[:, j]
    return found


def affinity(effects: Floats, interaction: Floats, kind: str = "same_direction") -> Floats:
    """``A_ij = |I_ij| / (|e_ij| + |e_i| + |e_j| + eps)``, in [0, 1]; 0 on the diagonal and where I is unknown.

    Parameters
    ----------
    effects : ndarray of float64, shape (n, p)
    interaction : ndarray of float64, shape (n, p, p)
    kind : {"same_direction", "absolute"}
        "same_direction": 0 unless e_i and e_j have the same sign.

    Examples
    --------
    >>> e, I = np.array([[1.0, 1.0, -1.0]]), np.zeros((1, 3, 3))
    >>> I[0, 0, 1] = I[0, 0, 2] = 2.0
    >>> affinity(e, I)[0, 0].round(3)
    array([0.   , 0.333, 0.   ])
    """
    left, right = effects[:, :, None], effects[:, None, :]
    known = np.nan_to_num(interaction)
    size = np.abs(known + left + right) + np.abs(left) + np.abs(right) + EPS
    found = np.clip(np.abs(known) / size, 0.0, 1.0) * AFFINITIES[kind](left, right)
    found[:, np.arange(effects.shape[1]), np.arange(effects.shape[1])] = 0.0
    return np.asarray(found)


AFFINITIES: Mapping[str, Callable[[Floats, Floats], Any]] = {
    "same_direction": lambda left, right: (
        (np.minimum(np.abs(left), np.abs(right)) > EPS) & (left * right > 0)
    ),
    "absolute": lambda left, right: 1.0,
}


def screened_pairs(
    effects: Floats, top: int | None, most: int | None, required: Sequence[tuple[int, int]] = ()
) -> tuple[list[tuple[int, int]], NDArray[np.bool_]]:
    """Pairs that are worth measuring, for each row those of its own large effects.

    Parameters
    ----------
    effects : ndarray of float64, shape (n, p)
    top : int or None
        Only among so many largest ``|e_i|``.
    most : int or None
        So many pairs at most, by ``|e_i| + |e_j|``; 0 for the required ones alone.
    required : sequence of (int, int)
        Taken in any case, and not counted.

    Returns
    -------
    pairs : list of (int, int)
        Wanted by any row, i < j.
    where : ndarray of bool, shape (n, pairs)
        Wanted by which.

    Examples
    --------
    >>> screened_pairs(np.array([[3.0, 0.1, -2.0], [0.0, 1.0, 1.0]]), top=2, most=None)
    ([(0, 2), (1, 2)], array([[ True, False],
           [False,  True]]))
    """
    n, p = effects.shape
    size = np.abs(effects)
    wanted: list[NDArray[np.int64]] = []
    must = np.array(sorted({i * p + j for i, j in map(sorted, required)}), dtype=np.int64)
    for row in size:
        if most == 0:
            wanted.append(must)
            continue
        best = np.sort(np.argsort(-row, kind="stable")[:top])
        i, j = (best[side] for side in np.triu_indices(len(best), 1))
        order = np.argsort(-(row[i] + row[j]), kind="stable")[:most]
        wanted.append(np.union1d(must, i[order] * p + j[order]))
    every = np.unique(np.concatenate(wanted)) if wanted else must
    where = np.zeros((n, len(every)), dtype=bool)
    for number, ids in enumerate(wanted):
        where[number, np.searchsorted(every, ids)] = True
    return [(int(pair) // p, int(pair) % p) for pair in every], where


def found_alliances(likes: Floats, rho: float, linkage: str, fixed: Labels | None = None) -> Labels:
    """Alliances of each row from the affinity of its columns.

    Parameters
    ----------
    likes : ndarray of float64, shape (n, p, p)
    rho : float
        Affinity from which two columns go together.
    linkage : {"components", "complete"}
        "components": chains count. "complete": every pair of an alliance must reach `rho`; greedy, best pair first.
    fixed : ndarray of int, shape (p,), optional
        Alliances that stand: columns that share a label stay together and take nobody in; -1 is free.

    Returns
    -------
    ndarray of int, shape (n, p)
        The alliance of each column, numbered by their first members.

    Examples
    --------
    >>> A = np.zeros((1, 3, 3))
    >>> A[0, 0, 1] = A[0, 1, 0] = A[0, 1, 2] = A[0, 2, 1] = 0.6
    >>> found_alliances(A, 0.5, "components"), found_alliances(A, 0.5, "complete")
    (array([[0, 0, 0]]), array([[0, 0, 1]]))
    """
    n, p = likes.shape[:2]
    fixed = np.full(p, -1) if fixed is None else fixed
    free = np.flatnonzero(fixed < 0)
    labels = np.empty((n, p), dtype=np.int64)
    labels[:] = fixed
    for i in range(n):
        labels[i, free] = p + LINKAGES[linkage](likes[i][np.ix_(free, free)], rho)
    return relabelled(labels)


def _components(likes: Floats, rho: float) -> Labels:
    return np.asarray(connected_components(likes >= rho, directed=False)[1], dtype=np.int64)


def _complete(likes: Floats, rho: float) -> Labels:
    p = len(likes)
    label = np.arange(p)
    members = {i: [i] for i in range(p)}
    i, j = np.triu_indices(p, 1)
    for edge in np.argsort(-likes[i, j], kind="stable"):
        a, b = label[i[edge]], label[j[edge]]
        if likes[i[edge], j[edge]] < rho:
            break
        if a != b and likes[np.ix_(members[a], members[b])].min() >= rho:
            members[a] += members.pop(b)
            label[members[a]] = a
    return label


LINKAGES: Mapping[str, Callable[[Floats, float], Labels]] = {"components": _components, "complete": _complete}


def relabelled(labels: Labels) -> Labels:
    """The same partition of each row, its groups numbered 0, 1, ... by their first members."""
    out = np.empty_like(labels)
    for i, row in enumerate(labels):
        _, first, inverse = np.unique(row, return_index=True, return_inverse=True)
        out[i] = np.argsort(np.argsort(first))[inverse]
    return out


def named_groups(
    groups: Sequence[Sequence[Any]], names: Sequence[Any], excluded: Sequence[Any] = ()
) -> list[tuple[int, ...]]:
    """Positions of the members of alliances that the user names.

    Raises
    ------
    ValueError
        Unknown, excluded or repeated names, empty or overlapping alliances.

    Examples
    --------
    >>> named_groups([["age", "sex"]], ["sex", "income", "age"])
    [(2, 0)]
    """
    place = {name: j for j, name in enumerate(names)}
    taken: dict[Any, int] = {}
    found = []
    for number, group in enumerate(groups):
        if isinstance(group, str) or not len(group):
            raise ValueError(f"an alliance is a list of names, at least one; got {group!r}")
        for name in group:
            if name not in place:
                raise ValueError(f"the alliance {list(group)} names {name!r}, which is none of {_few(names)}")
            if name in excluded:
                raise ValueError(f"{name!r} is excluded and cannot be in the alliance {list(group)}")
            if name in taken:
                raise ValueError(
                    f"{name!r} is twice in the alliance {list(group)}"
                    if taken[name] == number
                    else f"alliances must not overlap: {name!r} is in {list(groups[taken[name]])} and in {list(group)}"
                )
            taken[name] = number
        found.append(tuple(place[name] for name in group))
    return found


def inner_pairs(groups: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    """All pairs inside groups, the smaller position first."""
    return [(min(pair), max(pair)) for group in groups for pair in combinations(group, 2)]


def _few(names: Sequence[Any], most: int = 12) -> str:
    shown = ", ".join(map(repr, names[:most]))
    return shown if len(names) <= most else f"{shown}, ... ({len(names)} names)"
