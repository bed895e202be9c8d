"""Vectors as they are searched: in float32 with their norms, checked, and what turns a product into a similarity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from salience.measures.candidates import COSINE, EUCLIDEAN, INNER, norms

__all__ = ["Block", "Part", "VectorError", "as_vectors", "check_finite"]

LOOKED_AT = 1 << 14  # rows at a time in search of bad ones
HALF = 2.0**-24  # how far rounding to float32 can be off, relatively
LARGEST = 1e37  # of a product, with room below the end of float32


class VectorError(ValueError):
    """Vectors that have no neighbours: not finite, of another length, too few, without a direction."""


def as_vectors(given: Any, name: str = "vectors") -> NDArray[Any]:
    """Return rows of real numbers as an array, a memory-mapped one as it is.

    Raises
    ------
    VectorError
        When it is not a matrix with at least one row and one column.
    TypeError
        When it is sparse or does not hold real numbers.
    """
    if sparse.issparse(given):
        raise TypeError(f"{name} is sparse; neighbours are searched in dense vectors: pass {name}.toarray()")
    array = given if isinstance(given, np.ndarray) else np.asarray(given)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} must hold real numbers, one row per vector; got the type {array.dtype}")
    if array.ndim != 2:
        raise VectorError(
            f"{name} must be a matrix with one vector per row, got the shape {array.shape}"
            + ("; a single vector is x[None, :]" if array.ndim == 1 else "")
        )
    if 0 in array.shape:
        raise VectorError(f"{name} is empty: its shape is {array.shape}")
    return array


def check_finite(vectors: NDArray[Any], name: str) -> None:
    """Refuse vectors with a row that is not finite in float32; a memory-mapped array is read block by block.

    Raises
    ------
    VectorError
        Names the first such row.
    """
    for start in range(0, len(vectors), LOOKED_AT):
        Part.of(vectors, start, min(start + LOOKED_AT, len(vectors)), name, directed=False)


@dataclass(frozen=True)
class Part:
    """Vectors in float32 with their norms."""

    rows: NDArray[np.float32]
    norms: NDArray[np.float64]

    @classmethod
    def of(cls, array: NDArray[Any], start: int, stop: int, name: str, directed: bool) -> Part:
        with np.errstate(over="ignore"):
            rows = np.asarray(np.ascontiguousarray(array[start:stop], dtype=np.float32))
        if not rows.flags.writeable:  # of a mapped file: kernels are compiled for one kind of array
            rows = rows.copy()
        lengths = norms(rows)
        wrong = np.flatnonzero(~np.isfinite(lengths))
        if wrong.size:
            raise VectorError(
                f"row {start + wrong[0]} of {name} holds NaN, infinity or a number beyond float32 "
                f"({wrong.size} such rows among the first {stop}); drop or repair them"
            )
        if directed and not lengths.all():
            raise VectorError(
                f"row {start + np.flatnonzero(lengths == 0)[0]} of {name} is zero and has no direction, so it has "
                "no cosine; drop the zero vectors, or leave the metric 'cosine' out"
            )
        return cls(rows, lengths)


@dataclass(frozen=True)
class Block:
    """Rows of the base, and what turns an inner product with them into a similarity."""

    part: Part
    start: int
    times: NDArray[np.float32]  # (metrics, rows)
    plus: NDArray[np.float32]  # (metrics, rows)

    @classmethod
    def of(cls, part: Part, start: int, kinds: NDArray[np.int64]) -> Block:
        times = np.ones((len(kinds), len(part.rows)), dtype=np.float32)
        plus = np.zeros_like(times)
        with np.errstate(over="ignore"):  # `slack` refuses them
            plus[kinds == EUCLIDEAN] = -0.5 * part.norms**2
        if COSINE in kinds:
            times[kinds == COSINE] = 1.0 / part.norms
        return cls(part, start, times, plus)

    def slack(self, kinds: NDArray[np.int64], query_norms: NDArray[np.float64]) -> NDArray[np.float64]:
        """How far a similarity in float32 can be from the truth, shape (queries, metrics).

        A sum of d products is off by at most ``d u |q| |b|`` in any order of additions; denormal products
        are lost altogether.
        """
        width = self.part.rows.shape[1]
        longest = float(self.part.norms.max())
        if longest * max(longest, float(query_norms.max())) > LARGEST:
            raise VectorError(
                f"vectors are too long to be multiplied in float32 (the longest has the norm {longest:.3g}, the "
                f"longest query {query_norms.max():.3g}); divide both by one number"
            )
        lost = width * float(np.finfo(np.float32).tiny)
        product = 1.01 * (width + 8) * HALF * query_norms * longest + lost
        bounds = {
            EUCLIDEAN: product + 4 * HALF * (longest**2 / 2 + query_norms * longest),
            INNER: product,
            COSINE: 1.01 * (width + 8) * HALF * query_norms + lost * (1.0 + float(self.times.max())),
        }
        return np.stack([bounds[kind] for kind in kinds.tolist()], axis=1)
