"""Hash vectors by the sides of random hyperplanes they lie on: near in angle, alike in bits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["SignHash", "angle_from_bits", "differing_bits"]

MOST_BITS = 62  # of a bucket number, which is an int64 that can still be added to
BLOCK = 1 << 22  # projections in memory at once


@dataclass(frozen=True, eq=False)
class SignHash:
    r"""Bits that say on which side of random hyperplanes through the origin a vector lies.

    With Gaussian normals :math:`r_b` the bit is :math:`h_b(x) = [r_b \cdot x \ge 0]`. Two vectors at the angle
    :math:`\theta` agree in a bit with probability :math:`1 - \theta / \pi`, so vectors whose bits all agree (one
    bucket) are candidates for neighbours, and the share of bits that differ is an estimate of the angle. Lengths
    play no part; centre the data first where the origin means nothing.

    Parameters
    ----------
    planes : ndarray of float, shape (bits, d)
        The normals.

    References
    ----------
    Charikar, Similarity Estimation Techniques from Rounding Algorithms, STOC 2002.

    Examples
    --------
    >>> hash = SignHash(np.array([[1.0, 0.0], [0.0, 1.0]]))
    >>> X = [[2.0, 1.0], [-1.0, 3.0], [0.0, -1.0]]
    >>> hash.bits(X).astype(int)
    array([[1, 1], [0, 1], [1, 0]])
    >>> hash.buckets(X)  # the first bit counts 1, the second 2
    array([3, 2, 1])
    """

    planes: NDArray[np.float64]

    def __post_init__(self) -> None:
        planes = np.asarray(self.planes, dtype=np.float64)
        if planes.ndim != 2 or 0 in planes.shape or not np.isfinite(planes).all():
            raise ValueError(
                f"planes are finite numbers of shape (bits, d), at least one of each; got {planes.shape}"
            )
        object.__setattr__(self, "planes", planes)

    @classmethod
    def gaussian(
        cls, n_features: int, bits: int, random_state: Any = None, *, columns: ArrayLike | None = None
    ) -> Self:
        """Draw `bits` hyperplanes.

        Parameters
        ----------
        n_features : int
        bits : int
        random_state : Generator, int or None
        columns : array-like of int, optional
            The hash looks at these columns only.

        Raises
        ------
        ValueError
            If there is no column or no bit.

        Examples
        --------
        >>> SignHash.gaussian(3, 8, 0).planes.shape
        (8, 3)
        """
        if n_features < 1 or bits < 1:
            raise ValueError(
                f"at least one column and one bit are needed, got n_features={n_features}, bits={bits}"
            )
        planes = np.random.default_rng(random_state).normal(size=(bits, n_features))
        if columns is not None:
            kept = np.zeros(n_features, dtype=bool)
            kept[np.asarray(columns, dtype=np.intp)] = True
            if not kept.any():
                raise ValueError("columns is empty: a hash has to look at one column at least")
            planes[:, ~kept] = 0.0
        return cls(planes)

    def bits(self, X: ArrayLike) -> NDArray[np.bool_]:
        """The bits of each vector, shape (n, bits).

        Parameters
        ----------
        X : array-like of shape (n, d)

        Raises
        ------
        ValueError
            If `X` has another number of columns, NaN or infinity.
        """
        table = self._checked(X)
        out = np.empty((len(table), len(self.planes)), dtype=bool)
        for rows in self._blocks(len(table)):
            out[rows] = self._sides(table[rows])
        return out

    def buckets(self, X: ArrayLike) -> NDArray[np.int64]:
        r"""The number of each vector's bucket, :math:`\sum_b 2^b h_b(x)`, shape (n,).

        Raises
        ------
        ValueError
            If there are more than 62 bits, too many for one number: use :meth:`packed`.
        """
        table = self._checked(X)
        if len(self.planes) > MOST_BITS:
            raise ValueError(
                f"{len(self.planes)} bits do not fit into a bucket number, which has room for {MOST_BITS}: use packed(), "
                "or fewer bits (with so many nearly every vector has a bucket of its own)"
            )
        weights = np.left_shift(np.int64(1), np.arange(len(self.planes), dtype=np.int64))
        out = np.empty(len(table), dtype=np.int64)
        for rows in self._blocks(len(table)):
            out[rows] = self._sides(table[rows]) @ weights
        return out

    def packed(self, X: ArrayLike) -> NDArray[np.uint8]:
        """The bits, eight to a byte, the first in the lowest place; shape (n, ceil(bits / 8))."""
        table = self._checked(X)
        out = np.empty((len(table), -(-len(self.planes) // 8)), dtype=np.uint8)
        for rows in self._blocks(len(table)):
            out[rows] = np.packbits(self._sides(table[rows]), axis=1, bitorder="little")
        return out

    def _sides(self, table: NDArray[Any]) -> NDArray[np.bool_]:
        return np.asarray(table @ self.planes.T >= 0)

    def _blocks(self, rows: int) -> Iterator[slice]:
        size = max(BLOCK // len(self.planes), 1)
        return (slice(start, start + size) for start in range(0, rows, size))

    def _checked(self, X: ArrayLike) -> NDArray[Any]:
        table = np.asarray(X)
        if table.ndim != 2 or table.shape[1] != self.planes.shape[1] or table.dtype.kind not in "fiub":
            raise ValueError(
                f"X holds real numbers of shape (n, {self.planes.shape[1]}); got {table.dtype} of shape {table.shape}"
            )
        if not np.isfinite(table).all():
            raise ValueError(
                "X holds NaN or infinity, which lie on no side of a plane; fill or drop those rows"
            )
        return table


def differing_bits(a: ArrayLike, b: ArrayLike) -> NDArray[np.int64]:
    """In how many bits packed codes differ (Hamming distance).

    Parameters
    ----------
    a, b : uint8 arrays of shape (..., bytes)
        From :meth:`SignHash.packed`; they are broadcast against each other.

    Returns
    -------
    ndarray of int64, shape (...)

    Examples
    --------
    >>> differing_bits(np.array([[0b101], [0b111]], dtype=np.uint8), np.array([0b001], dtype=np.uint8))
    array([1, 2])
    """
    left, right = np.asarray(a), np.asarray(b)
    if left.dtype != np.uint8 or right.dtype != np.uint8 or left.shape[-1:] != right.shape[-1:]:
        raise ValueError(
            f"packed codes are uint8 and of equal length, got {left.dtype} {left.shape} and {right.dtype} {right.shape}"
        )
    return np.asarray(np.bitwise_count(left ^ right).sum(axis=-1, dtype=np.int64))


def angle_from_bits(differing: ArrayLike, bits: int) -> NDArray[np.float64]:
    r"""The angle, in radians, that so many differing bits are an unbiased estimate of: :math:`\pi` times their share.

    Examples
    --------
    >>> (angle_from_bits([0, 4, 8], 8) / np.pi).tolist()
    [0.0, 0.5, 1.0]
    """
    return np.pi * np.asarray(differing, dtype=np.float64) / bits
