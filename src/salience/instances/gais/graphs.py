"""Similarity graphs over rows, built in pieces: at no time is there a matrix of all pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from salience.instances.gais.batches import Rows, stratified_pieces
from salience.measures.neighbors import nearest
from salience.measures.signhash import SignHash

__all__ = ["GRAPHS", "GraphOptions", "RowGraph"]

Floats = NDArray[np.float64]

LEARNED = 4  # where a graph has no batches of its own, a piece that is learned from is so many times as large
COLLIDES = 0.5  # share of the views in which a pair has to collide


@dataclass(frozen=True)
class GraphOptions:
    """How rows are connected; the parameters of the estimator by the same names."""

    batch_size: int = 256
    edge_share: float = 0.1
    n_batches: int | None = None
    bits: int = 8
    levels: tuple[int, ...] = (4, 8, 12)
    views: int = 4
    half_columns: bool = False
    n_neighbors: int = 10
    max_degree: int = 32
    min_similarity: float = 0.1


@dataclass(frozen=True, eq=False)
class RowGraph:
    """Who looks at whom. The loop from each row to itself is not listed; the network adds it.

    Attributes
    ----------
    receiver, sender : ndarray of int32, shape (edges,)
        The row `receiver` takes up what the row `sender` is; ascending by receiver.
    weight : ndarray of float32, shape (edges,)
        In (0, 1].
    pieces : list of ndarray of int
        Rows that are learned from together. All rows, once, or those that were drawn.
    rows : int
        Of the table.
    """

    receiver: NDArray[np.int32]
    sender: NDArray[np.int32]
    weight: NDArray[np.float32]
    pieces: list[Rows]
    rows: int

    @classmethod
    def of(cls, edges: Iterable[tuple[Rows, Rows, Floats]], pieces: list[Rows], rows: int) -> RowGraph:
        """Gather edges that come in any order."""
        parts = list(edges)
        receiver, sender = (np.concatenate([part[i] for part in parts]).astype(np.int32) for i in (0, 1))
        weight = np.concatenate([part[2] for part in parts]).astype(np.float32)
        order = np.lexsort((sender, receiver))
        return cls(receiver[order], sender[order], weight[order], pieces, rows)

    @property
    def covered(self) -> NDArray[np.bool_]:
        """Rows that are in a piece."""
        mask = np.zeros(self.rows, dtype=bool)
        mask[np.concatenate(self.pieces)] = True
        return mask

    def degree(self) -> NDArray[np.int64]:
        """How many other rows look at each row."""
        return np.bincount(self.sender, minlength=self.rows)


Builder = Callable[[Floats, NDArray[np.int64], np.random.Generator, GraphOptions], RowGraph]


def minibatch(
    X: Floats, codes: NDArray[np.int64], rng: np.random.Generator, options: GraphOptions
) -> RowGraph:
    """In each stratified batch, the most similar `edge_share` of the pairs, :math:`S = 1 - D / max D`."""
    pieces = stratified_pieces(np.arange(len(X)), codes, options.batch_size, rng)
    if options.n_batches is not None:
        drawn = rng.permutation(len(pieces))[: options.n_batches]
        pieces = [pieces[b] for b in np.sort(drawn)]
    return RowGraph.of((_similar(X, rows, options.edge_share) for rows in pieces), pieces, len(X))


def _similar(X: Floats, rows: Rows, share: float) -> tuple[Rows, Rows, Floats]:
    part = X[rows]
    squares = (part * part).sum(axis=1)
    D = np.sqrt(np.maximum(squares[:, None] + squares - 2.0 * part @ part.T, 0.0))
    S = 1.0 - D / (D.max() or 1.0)
    upper = np.triu_indices(len(rows), 1)
    if not len(upper[0]):
        return rows[:0], rows[:0], np.empty(0)
    # a quantile and no level: one outlier makes max D large and all similarities alike
    kept = max(round(share * len(upper[0])), 1)
    t = np.partition(S[upper], len(upper[0]) - kept)[len(upper[0]) - kept]
    edges = t <= S
    np.fill_diagonal(edges, False)
    i, j = np.nonzero(edges)
    return rows[i], rows[j], np.ones(len(i))


def lsh(X: Floats, codes: NDArray[np.int64], rng: np.random.Generator, options: GraphOptions) -> RowGraph:
    """Rows of one bucket with a cosine of at least `min_similarity`, the `max_degree` nearest of each."""
    buckets = SignHash.gaussian(X.shape[1], options.bits, rng).buckets(X)
    i, j, cosine = _candidates(_directions(X), [buckets], codes, rng, options)
    kept = cosine >= options.min_similarity
    edges = _nearest_of_each(i[kept], j[kept], cosine[kept], options.max_degree)
    return _hashed(edges, np.ones(len(edges[0])), X, buckets, options)


def lsh_multilevel(
    X: Floats, codes: NDArray[np.int64], rng: np.random.Generator, options: GraphOptions
) -> RowGraph:
    r"""Buckets within buckets: level `l` weighs :math:`l / \sum l`, weights of the levels a pair shares add up."""
    hash = SignHash.gaussian(X.shape[1], max(options.levels), rng)
    full = hash.buckets(X)
    # the first bits are those of the coarser level: a fine bucket lies within a coarse one
    levels = [full & ((1 << bits) - 1) for bits in sorted(options.levels)]
    i, j, cosine = _candidates(_directions(X), levels, codes, rng, options)
    shares = np.arange(1, len(levels) + 1) / (len(levels) * (len(levels) + 1) / 2)
    weight = np.zeros(len(i))
    for share, buckets in zip(shares, levels, strict=True):
        weight += share * (buckets[i] == buckets[j])
    strength = weight * cosine
    kept = strength >= options.min_similarity
    edges = _nearest_of_each(i[kept], j[kept], strength[kept], options.max_degree)
    return _hashed(edges, weight[kept][edges[2]], X, _reversed_bits(full, max(options.levels)), options)


def lsh_multiview(
    X: Floats, codes: NDArray[np.int64], rng: np.random.Generator, options: GraphOptions
) -> RowGraph:
    """Pairs that collide in at least half of several projections; the weight is the share of those."""
    d = X.shape[1]
    views = []
    for _ in range(options.views):
        columns = rng.permutation(d)[: -(-d // 2)] if options.half_columns else None
        views.append(SignHash.gaussian(d, options.bits, rng, columns=columns).buckets(X))
    i, j, cosine = _candidates(_directions(X), views, codes, rng, options)
    weight = np.mean([view[i] == view[j] for view in views], axis=0)
    kept = weight >= COLLIDES
    edges = _nearest_of_each(i[kept], j[kept], (weight * cosine)[kept], options.max_degree)
    return _hashed(edges, weight[kept][edges[2]], X, views[0], options)


def exact(X: Floats, codes: NDArray[np.int64], rng: np.random.Generator, options: GraphOptions) -> RowGraph:
    """The exact nearest neighbours of each row, the reference; quadratic in time."""
    k = min(options.n_neighbors, len(X) - 1)
    j = nearest(X, k=k)[0].ravel()
    i = np.repeat(np.arange(len(X)), k)
    buckets = SignHash.gaussian(X.shape[1], options.bits, rng).buckets(X)
    return _hashed((i, j, np.arange(len(i))), np.ones(len(i)), X, buckets, options)


GRAPHS: dict[str, Builder] = {
    "minibatch": minibatch,
    "lsh": lsh,
    "lsh-multilevel": lsh_multilevel,
    "lsh-multiview": lsh_multiview,
    "knn": exact,
}


def _directions(X: Floats) -> Floats:
    lengths = np.linalg.norm(X, axis=1, keepdims=True)
    return X / np.where(lengths > 0, lengths, 1.0)


def _candidates(
    U: Floats,
    hashes: Sequence[NDArray[np.int64]],
    codes: NDArray[np.int64],
    rng: np.random.Generator,
    options: GraphOptions,
) -> tuple[Rows, Rows, Floats]:
    """Pairs of one bucket of any hash, each once, the `max_degree` of largest cosine of each row and hash.

    Buckets larger than a batch are cut into stratified pieces, so time grows with n and not with its square.
    """
    n = len(U)
    keys, cosines = [], []
    for buckets in hashes:
        order = np.argsort(buckets, kind="stable")
        for members in np.split(order, np.flatnonzero(np.diff(buckets[order])) + 1):
            if len(members) < 2:
                continue
            for rows in stratified_pieces(members, codes, options.batch_size, rng):
                i, j, cosine = _most_alike(U, rows, options.max_degree)
                keys.append(i * n + j)
                cosines.append(cosine)
    if not keys:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
    key, first = np.unique(np.concatenate(keys), return_index=True)
    return key // n, key % n, np.concatenate(cosines)[first]


def _most_alike(U: Floats, rows: Rows, most: int) -> tuple[Rows, Rows, Floats]:
    S = U[rows] @ U[rows].T
    np.fill_diagonal(S, -np.inf)
    k = min(most, len(rows) - 1)
    if k < 1:
        return rows[:0], rows[:0], np.empty(0)
    best = np.argpartition(-S, k - 1, axis=1)[:, :k]
    return np.repeat(rows, k), rows[best].ravel(), np.take_along_axis(S, best, axis=1).ravel()


def _nearest_of_each(i: Rows, j: Rows, strength: Floats, most: int) -> tuple[Rows, Rows, Rows]:
    """At most so many edges of each row `i`, the strongest; and their places among those given."""
    order = np.lexsort((j, -strength, i))
    starts = np.flatnonzero(np.diff(i[order], prepend=-1))
    place = np.arange(len(i)) - np.repeat(starts, np.diff(starts, append=len(i)))
    order = order[place < most]
    return i[order], j[order], order


def _reversed_bits(codes: NDArray[np.int64], bits: int) -> NDArray[np.int64]:
    """The first bit in the highest place, so that sorting keeps coarse buckets together."""
    out = np.zeros_like(codes)
    for b in range(bits):
        out = (out << 1) | ((codes >> b) & 1)
    return out


def _hashed(
    edges: tuple[Rows, Rows, Rows],
    weight: Floats,
    X: Floats,
    buckets: NDArray[np.int64],
    options: GraphOptions,
) -> RowGraph:
    """The graph; rows are learned from in pieces along the order of their buckets, where most edges lie inside."""
    order = np.argsort(buckets, kind="stable")
    count = -(-len(X) // (LEARNED * options.batch_size))
    return RowGraph.of([(edges[0], edges[1], weight)], np.array_split(order, count), len(X))
