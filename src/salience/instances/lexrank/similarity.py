"""Which sentences are alike: cosines in blocks, of which only what is needed stays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array, issparse

__all__ = ["Progress", "Similar", "checked_similarity", "unit_rows", "vectors_alike", "words_alike"]

Progress = Callable[[int, int], object]
CELLS = 2**22  # of a block of similarities: 32 MiB as float64


@dataclass(frozen=True)
class Similar:
    """Pairs of sentences that are alike.

    Attributes
    ----------
    pairs : csr_array of float64, shape (n, n)
        Symmetric, without the diagonal: similarities above what was asked for.
    negative : int
        Pairs whose similarity was negative and is taken as 0.
    """

    pairs: csr_array
    negative: int = 0


def words_alike(vectors: csr_array, above: float, progress: Progress | None = None) -> Similar:
    r"""Cosines of rows of length 1 that lie strictly above `above`.

    .. math:: S = X X^\top

    Words of one sentence only link nothing and are left out of the product.
    """
    shared = without_lonely(vectors)
    n = shared.shape[0]
    across = csr_array(shared.T)
    # how many cells a row of the product can fill at most
    reach = np.minimum(shared.astype(bool).astype(np.float64) @ np.diff(across.indptr), n)

    def block(rows: slice) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.float64]]:
        product = (shared[rows] @ across).tocoo()
        return product.coords[0] + rows.start, product.coords[1], product.data

    return _collected(block, _blocks(reach), n, above, progress)


def vectors_alike(vectors: NDArray[np.float64], above: float, progress: Progress | None = None) -> Similar:
    """Cosines of dense rows of length 1 that lie strictly above `above`, which is 0 or more."""
    n = len(vectors)

    def block(rows: slice) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.float64]]:
        product = vectors[rows] @ vectors[rows.start :].T
        i, j = np.nonzero(np.triu((product > above) | (product < 0), 1))
        return i + rows.start, j + rows.start, product[i, j]

    return _collected(block, _blocks(np.full(n, n)), n, above, progress)


def without_lonely(vectors: csr_array) -> csr_array:
    """The columns that at least two rows have."""
    holding = np.bincount(vectors.indices, minlength=vectors.shape[1])
    return csr_array(csc_array(vectors)[:, np.flatnonzero(holding > 1)])


def unit_rows(vectors: Any, n: int) -> NDArray[np.float64]:
    """Vectors of sentences with length 1; a row of zeros stays one.

    Raises
    ------
    ValueError
        If there is not one row of finite numbers per sentence.
    """
    rows = np.asarray(vectors.toarray() if hasattr(vectors, "toarray") else vectors, dtype=np.float64)
    if rows.ndim != 2 or len(rows) != n or not rows.shape[1]:
        raise ValueError(
            f"vectors have one row per sentence, shape ({n}, d); got {rows.shape}. Split the texts first and give "
            "lists of sentences, so that both are about the same"
        )
    odd = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if odd.size:
        raise ValueError(f"{odd.size} vectors are not finite, the first is that of sentence {odd[0]}")
    largest = np.abs(rows).max(axis=1, keepdims=True)
    rows = rows / np.where(largest > 0, largest, 1.0)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1.0)


def checked_similarity(S: Any) -> csr_array:
    """A square, symmetric, non-negative matrix without its diagonal.

    Raises
    ------
    ValueError
        If it is none; the message says where.
    """
    if not issparse(S):
        S = np.asarray(S, dtype=np.float64)
    if S.ndim != 2 or S.shape[0] != S.shape[1] or not S.shape[0]:
        raise ValueError(f"similarities have the shape (n, n) with at least one sentence, got {S.shape}")
    found = csr_array(S).astype(np.float64).tocoo()
    for wrong, what in ((~np.isfinite(found.data), "not finite"), (found.data < 0, "negative")):
        if wrong.any():
            i, j = (int(axis[wrong][0]) for axis in found.coords)
            raise ValueError(
                f"{int(wrong.sum())} similarities are {what}, the first between sentences {i} and {j} "
                f"({found.data[wrong][0]:g}): shares of votes need numbers from 0 up. Clip them: S.clip(0)"
            )
    apart = found.coords[0] != found.coords[1]
    pairs = csr_array((found.data[apart], tuple(axis[apart] for axis in found.coords)), shape=found.shape)
    pairs.sum_duplicates()
    pairs.eliminate_zeros()
    gap = abs(pairs - pairs.T)
    if gap.nnz and gap.max() > 1e-8 * max(1.0, float(pairs.max())):
        gap = gap.tocoo()
        worst = int(gap.data.argmax())
        i, j = (int(axis[worst]) for axis in gap.coords)
        raise ValueError(
            f"similarities are symmetric, but S[{i}, {j}] = {pairs[i, j]:g} and S[{j}, {i}] = {pairs[j, i]:g}; "
            "take (S + S.T) / 2 if that is what is meant"
        )
    pairs = csr_array(pairs.maximum(pairs.T))  # equal to the last bit, so that a threshold cuts both alike
    pairs.sort_indices()
    return pairs


def _blocks(reach: NDArray[Any]) -> Iterator[slice]:
    """Consecutive rows whose similarities are at most `CELLS`, at least one row."""
    start, ends = 0, np.cumsum(reach)
    while start < len(reach):
        done = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + CELLS, side="right")))
        yield slice(start, stop)
        start = stop


def _collected(
    block: Callable[[slice], tuple[NDArray[Any], NDArray[Any], NDArray[np.float64]]],
    blocks: Iterator[slice],
    n: int,
    above: float,
    progress: Progress | None,
) -> Similar:
    """The upper triangle block by block, then its mirror: both halves are equal to the last bit."""
    found, negative = [], 0
    for rows in blocks:
        i, j, values = block(rows)
        upper = j > i
        negative += int((values[upper] < 0).sum())
        kept = upper & (values > above)
        found.append((i[kept].astype(np.int32), j[kept].astype(np.int32), values[kept]))
        if progress is not None:
            progress(rows.stop, n)
    i, j, values = (np.concatenate(parts) for parts in zip(*found, strict=True))
    upper_half = csr_array((np.minimum(values, 1.0), (i, j)), shape=(n, n))
    pairs = csr_array(upper_half + upper_half.T)
    pairs.sort_indices()
    return Similar(pairs, negative)
