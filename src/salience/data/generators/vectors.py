"""Vectors of a chosen intrinsic dimension."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["clustered_vectors", "cone_vectors", "subspace_vectors"]

Vectors = NDArray[np.float32]


def subspace_vectors(
    rows: int, dimension: int = 128, rank: int = 16, *, normalise: bool = True, seed: int = 0
) -> Vectors:
    """Normal vectors in a random subspace: `rank` is their intrinsic dimension, `dimension` the number of columns.

    ``X = Z B`` with Z ~ N(0, I) of shape (rows, rank) and B `rank` orthonormal vectors.

    Parameters
    ----------
    rows, dimension, rank : int
    normalise : bool, default=True
        Divide the rows by their lengths, which costs one dimension.
    seed : int, default=0

    Returns
    -------
    ndarray of float32, shape (rows, dimension)

    Raises
    ------
    ValueError
        When `rank` is above `dimension`, or a number is below 1.

    Examples
    --------
    >>> X = subspace_vectors(100, 32, 4)
    >>> X.shape, int(np.linalg.matrix_rank(X, tol=1e-3))
    ((100, 32), 4)
    """
    _check(rows=rows, dimension=dimension, rank=rank)
    _check_rank(rank, dimension)
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, rank)) @ _orthonormal(rng, rank, dimension)
    return _unit(X) if normalise else X.astype(np.float32)


def clustered_vectors(
    rows: int, dimension: int = 64, clusters: int = 30, separation: float = 1.0, *, ranks: tuple[int, int] = (2, 32),
    seed: int = 0,
) -> tuple[Vectors, NDArray[np.int64]]:  # fmt: skip
    """Clusters that differ in their intrinsic dimension, on the unit sphere.

    A cluster has its centre at `separation` times a random direction, and around it ``Z B / sqrt(r)`` in a subspace of
    its own, whose rank r is uniform in `ranks`, both ends included.

    Parameters
    ----------
    rows, dimension, clusters : int
    separation : float, default=1.0
        Of the centres from the origin, in standard deviations of a cluster: 0.5 is one cloud, 4 separate ones.
    ranks : (int, int), default=(2, 32)
    seed : int, default=0

    Returns
    -------
    X : ndarray of float32, shape (rows, dimension)
        Of length 1, in random order.
    groups : ndarray of int64, shape (rows,)
        The cluster of each row.

    Raises
    ------
    ValueError
        When a rank is above `dimension`, or a number is below 1.

    Examples
    --------
    >>> X, groups = clustered_vectors(100, 16, 5, ranks=(2, 8))
    >>> X.shape, sorted(set(groups.tolist()))
    ((100, 16), [0, 1, 2, 3, 4])
    """
    _check(rows=rows, dimension=dimension, clusters=clusters, ranks=min(ranks))
    _check_rank(max(ranks), dimension)
    rng = np.random.default_rng(seed)
    groups = rng.integers(clusters, size=rows)
    X = np.empty((rows, dimension))
    for cluster in range(clusters):
        rank = int(rng.integers(ranks[0], ranks[1] + 1))
        centre = rng.normal(size=dimension)
        members = np.flatnonzero(groups == cluster)
        within = rng.normal(size=(len(members), rank)) @ _orthonormal(rng, rank, dimension) / np.sqrt(rank)
        X[members] = separation * centre / np.linalg.norm(centre) + within
    return _unit(X), groups


def _orthonormal(rng: np.random.Generator, rank: int, dimension: int) -> NDArray[np.float64]:
    return np.linalg.qr(rng.normal(size=(dimension, rank)))[0].T


def _unit(X: NDArray[np.float64]) -> Vectors:
    return (X / np.linalg.norm(X, axis=1, keepdims=True)).astype(np.float32)


def cone_vectors(
    rows: int = 4000,
    dimension: int = 64,
    clusters: int = 20,
    shift: float = 20.0,
    *,
    noise: float = 0.5,
    seed: int = 0,
) -> tuple[Vectors, NDArray[np.int64]]:
    """Clusters of directions, moved far along the first axis, so that all vectors lie in a narrow cone.

    Distances know nothing of the move, and find the clusters. Inner products are ruled by it: whoever lies a little farther
    along the axis is the best answer to every query.

    Parameters
    ----------
    rows, dimension, clusters : int
    shift : float, default=20.0
        Of vectors of length 1, along the first axis.
    noise : float, default=0.5
        Length of what is added to the direction of a cluster.
    seed : int, default=0

    Returns
    -------
    X : ndarray of float32, shape (rows, dimension)
    groups : ndarray of int64, shape (rows,)
        The cluster of each row.

    Raises
    ------
    ValueError
        When a number is below 1.

    Examples
    --------
    >>> X, groups = cone_vectors(100)
    >>> X[:, 0].min() > 18, X.shape
    (np.True_, (100, 64))
    """
    _check(rows=rows, dimension=dimension, clusters=clusters)
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(clusters, dimension))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    groups = rng.integers(clusters, size=rows)
    X = centres[groups] + noise * rng.normal(size=(rows, dimension)) / np.sqrt(dimension)
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    X[:, 0] += shift
    return X.astype(np.float32), groups


def _check(**given: int) -> None:
    for name, value in given.items():
        if value < 1:
            raise ValueError(f"{name}={value}; it must be at least 1")


def _check_rank(rank: int, dimension: int) -> None:
    if rank > dimension:
        raise ValueError(f"a rank of {rank} does not fit into {dimension} dimensions; give a smaller one")
