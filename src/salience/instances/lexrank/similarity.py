"""Which sentences are alike: cosines in blocks, of which only what is needed stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array, issparse

__all__ = [
    "PAIR_BYTES",
    "Progress",
    "Similar",
    "checked_similarity",
    "unit_rows",
    "vectors_alike",
    "words_alike",
]

Progress = Callable[[int, int], object]
PAIR_BYTES = 96  # of two sentences that are alike: found, mirrored, linked, walked over
CELLS = 2**18  # similarities that are held before it is known which stay: 2 MiB as float64
ROUNDING = 1e-12  # a product of two rows of length 1 that is below this is 0


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


def words_alike(
    vectors: csr_array, above: float, progress: Progress | None = None, most: float = np.inf
) -> Similar:
    r"""Cosines of rows of length 1 that lie strictly above `above`.

    .. math:: S = X X^\top

    Row by row, over the later rows that share a word; words of one sentence only link nothing and are left out.

    Raises
    ------
    ValueError
        More than `most` pairs are alike.
    """
    shared = without_lonely(vectors)
    shared.sort_indices()
    across = csr_array(shared.T)
    across.sort_indices()
    n = shared.shape[0]
    rows, table = ((matrix.indptr, matrix.indices, matrix.data) for matrix in (shared, across))
    following = across.indptr[:-1].astype(np.int64)  # of each word, the first place of a row not yet done
    row, room = np.zeros(n), max(min(CELLS, 16 * n), n)
    found, counts, done = [], np.zeros(n, dtype=np.int64), 0
    while done < n:
        columns, values = np.empty(room, dtype=np.int32), np.empty(room)
        done, filled = _later_rows(*rows, *table, following, done, above, row, columns, values, counts)
        found.append((columns[:filled].copy(), values[:filled].copy()))
        _refuse_many(int(counts.sum()), most, done, n)
        if progress is not None:
            progress(done, n)
    j, cosines = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return Similar(_mirrored(np.append(0, np.cumsum(counts)), j, cosines, n))


def vectors_alike(
    vectors: NDArray[np.float64], above: float, progress: Progress | None = None, most: float = np.inf
) -> Similar:
    """Cosines of dense rows of length 1 that lie strictly above `above`, which is 0 or more.

    Raises
    ------
    ValueError
        More than `most` pairs are alike.
    """
    n = len(vectors)

    found, counts, negative = [], np.zeros(n, dtype=np.int64), 0
    step = max(1, CELLS // n)
    for start in range(0, n, step):
        product = vectors[start : start + step] @ vectors[start:].T
        rows = np.arange(len(product))
        product[(rows[:, None] >= np.arange(n - start)) | (np.abs(product) < ROUNDING)] = 0.0
        negative += int((product < 0).sum())
        i, j = np.nonzero(product > above)
        counts[start : start + step] = np.bincount(i, minlength=len(product))
        found.append(((j + start).astype(np.int32), product[i, j]))
        _refuse_many(int(counts.sum()), most, min(start + step, n), n)
        if progress is not None:
            progress(min(start + step, n), n)
    columns, cosines = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return Similar(_mirrored(np.append(0, np.cumsum(counts)), columns, cosines, n), negative)


def _refuse_many(pairs: int, most: float, done: int, n: int) -> None:
    if pairs > most:
        raise ValueError(
            f"{done:,} of {n:,} sentences have {pairs:,} links already, and there is memory for {int(most):,}: raise the "
            "threshold, give fewer texts (many sentences that are the same?), or more memory"
        )


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
        S = np.asarray(S)
    if S.ndim != 2 or S.shape[0] != S.shape[1] or not S.shape[0]:
        raise ValueError(f"similarities have the shape (n, n) with at least one sentence, got {S.shape}")
    slack = max(
        1e-6, 4 * float(np.finfo(S.dtype).eps) if S.dtype.kind == "f" else 0.0
    )  # of rounding in float32
    found = csr_array(S.astype(np.float64)).tocoo()
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
    if gap.nnz and gap.max() > slack * max(1.0, float(pairs.max())):
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


def _mirrored(indptr: NDArray[Any], columns: NDArray[Any], cosines: NDArray[np.float64], n: int) -> csr_array:
    """The upper triangle and its mirror: both halves are equal to the last bit."""
    upper = csr_array((np.minimum(cosines, 1.0), columns, indptr), shape=(n, n))
    pairs = csr_array(upper + upper.T)
    pairs.sort_indices()
    return pairs


@njit(nogil=True, cache=True)
def _later_rows(  # type: ignore[no-untyped-def]
    indptr,
    words,
    weights,
    table_indptr,
    table_rows,
    table_weights,
    following,
    start,
    above,
    row,
    columns,
    values,
    counts,
):
    """Products of rows from `start` on with all later ones, until there may be no room for one more row.

    `following` says for each word where its rows after the present one begin; `row` is zeros, and is again in the end.
    Returns the first row not done, and how many products there are.
    """
    n, filled = len(indptr) - 1, 0
    for i in range(start, n):
        if filled + n - 1 - i > len(columns):
            return i, filled
        for at in range(indptr[i], indptr[i + 1]):
            word, weight = words[at], weights[at]
            following[word] += 1
            for place in range(following[word], table_indptr[word + 1]):
                row[table_rows[place]] += weight * table_weights[place]
        before = filled
        for j in range(i + 1, n):
            if row[j] > above:
                columns[filled], values[filled] = j, row[j]
                filled += 1
            row[j] = 0.0
        counts[i] = filled - before
    return n, filled
