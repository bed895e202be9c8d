"""Vectors put right before they are searched. Not of the paper: what a person may try when the metric loses the signal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from salience.measures.vectors import VectorError

__all__ = ["REPAIRS", "Repair"]

Floats32: TypeAlias = NDArray[np.float32]

BLOCK = 1 << 14  # rows at a time
SAMPLE = 20_000  # rows that directions are learned from


@dataclass(frozen=True)
class Repair:
    """Subtract a mean, take directions out, or divide by lengths; learned from the base, applied to both sides.

    Attributes
    ----------
    mean : ndarray of float64, shape (d,)
    directions : ndarray of float64, shape (r, d)
        Orthonormal; their share of every vector is taken out.
    unit : bool
        Whether vectors are divided by their lengths.
    """

    mean: NDArray[np.float64]
    directions: NDArray[np.float64]
    unit: bool = False

    def __call__(self, vectors: NDArray[Any]) -> Floats32:
        """A repaired copy in float32."""
        answer = np.empty(vectors.shape, dtype=np.float32)
        for start in range(0, len(vectors), BLOCK):
            rows = np.asarray(vectors[start : start + BLOCK], dtype=np.float64) - self.mean
            rows -= rows @ self.directions.T @ self.directions
            if self.unit:
                lengths = np.linalg.norm(rows, axis=1, keepdims=True)
                if not lengths.all():
                    raise VectorError(
                        f"row {start + int(np.flatnonzero(lengths == 0)[0])} is zero and cannot be normalised; drop it"
                    )
                rows /= lengths
            answer[start : start + BLOCK] = rows
        return answer


def centre(base: NDArray[Any], random: Any) -> Repair:
    """Subtract the mean of the base."""
    return Repair(_mean(base), _no_directions(base))


def normalize(base: NDArray[Any], random: Any) -> Repair:
    """Divide every vector by its length."""
    return Repair(np.zeros(base.shape[1]), _no_directions(base), unit=True)


def all_but_top(base: NDArray[Any], random: Any) -> Repair:
    """Subtract the mean and take the first d/100 principal directions out (Mu and Viswanath, 2018)."""
    rows = np.sort(random.permutation(len(base))[:SAMPLE])
    mean = _mean(base)
    sample = np.asarray(base[rows], dtype=np.float64) - mean
    strongest = np.linalg.eigh(sample.T @ sample)[1][:, ::-1]  # ascending
    return Repair(mean, np.ascontiguousarray(strongest[:, : max(1, base.shape[1] // 100)].T))


REPAIRS: Mapping[str, Callable[[NDArray[Any], Any], Repair]] = {
    "center": centre,
    "normalize": normalize,
    "all-but-top": all_but_top,
}


def _mean(base: NDArray[Any]) -> NDArray[np.float64]:
    total = np.zeros(base.shape[1])
    for start in range(0, len(base), BLOCK):
        total += np.asarray(base[start : start + BLOCK], dtype=np.float64).sum(axis=0)
    return total / len(base)


def _no_directions(base: NDArray[Any]) -> NDArray[np.float64]:
    return np.zeros((0, base.shape[1]))
