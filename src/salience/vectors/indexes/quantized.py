"""Compressed vectors in lists, of the library faiss: product quantization and RaBitQ."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import faiss
import numpy as np

from salience.measures.vectors import VectorError
from salience.vectors.indexes.base import Floats, Ids, Rows, VectorIndex
from salience.vectors.indexes.faiss_hnsw import METRICS
from salience.vectors.indexes.threads import faiss_threads

__all__ = ["IvfPqIndex", "RabitqIndex"]

PER_LIST = 39  # rows that faiss wants to see for each centre


class _Lists(VectorIndex):
    """Rows in lists around `nlist` centres, of which `nprobe` are searched; `rerank` rows are compared exactly."""

    def __init__(
        self, *, nlist: int | None, nprobe: int, rerank: int, metric: str, seed: int, threads: int
    ) -> None:
        super().__init__(metric)
        if nlist is not None:
            self._at_least(1, nlist=nlist)
        self._at_least(1, nprobe=nprobe, threads=threads)
        self._at_least(0, rerank=rerank, seed=seed)
        self.nlist, self.nprobe, self.rerank = nlist, int(nprobe), int(rerank)
        self.seed, self.threads = int(seed), int(threads)

    @abstractmethod
    def _new(self, quantizer: Any, width: int, nlist: int) -> Any:
        """The lists, not trained yet."""

    def _build(self, rows: Rows) -> None:
        padded = self._padded(rows.whole())
        n, width = padded.shape
        nlist = min(4 * round(n**0.5), max(1, n // PER_LIST)) if self.nlist is None else int(self.nlist)
        if nlist > n:
            raise ValueError(f"nlist={nlist} lists for {n} rows; give at most one list per row")
        flat = faiss.IndexFlat(width, METRICS[self.metric])
        lists = self._new(flat, width, nlist)
        lists.cp.seed = self.seed
        lists.cp.min_points_per_centroid = 1  # its warning goes to stderr
        rotation = faiss.RandomRotationMatrix(width, width)
        rotation.init(self.seed)
        with faiss_threads(self.threads):
            rotated = rotation.apply(padded)
            lists.train(rotated)
            lists.add(rotated)
            self._exact = faiss.IndexFlat(width, METRICS[self.metric]) if self.rerank else None
            if self._exact is not None:
                self._exact.add(rotated)
        self._rotation, self._inverted, self._quantizer = (
            rotation,
            lists,
            flat,
        )  # faiss does not keep them alive

    def _search(self, queries: Floats, k: int) -> Ids:
        self._inverted.nprobe = min(self.nprobe, self._inverted.nlist)
        with faiss_threads(self.threads):
            rotated = self._rotation.apply(self._padded(queries))
            if self._exact is None:
                return np.asarray(self._inverted.search(rotated, k)[1])
            refined = faiss.IndexRefine(self._inverted, self._exact)
            refined.k_factor = max(1.0, self.rerank / k)
            return np.asarray(refined.search(rotated, k)[1])

    def _padded(self, rows: Floats) -> Floats:
        return rows


class IvfPqIndex(_Lists):
    """Lists of product-quantized rows: each row is `m` codes of `nbits` bits, in a randomly rotated space.

    Parameters
    ----------
    nlist : int or None, default=None
        Lists; None: four times the root of the rows, at least 39 rows each.
    m : int, default=48
        Codes per row, at most as many as dimensions. The dimension is filled up with zeros to a multiple of it, which
        changes no distance.
    nbits : int, default=8
        Bits per code; ``2 ** nbits`` rows are needed at least.
    nprobe : int, default=16
        Lists that are searched. May be changed after `build`, as may `rerank`.
    rerank : int, default=300
        So many candidates are compared by their true vectors; 0: none, and the vectors are not kept.
    metric : {"l2", "ip", "cosine"}, default="l2"
    seed, threads : int, default=0, 1

    Examples
    --------
    >>> from salience.vectors import IvfPqIndex
    >>> X = np.random.default_rng(0).normal(size=(400, 16))
    >>> IvfPqIndex(m=4, nbits=4).build(X).search(X[:3], k=1).ravel()
    array([0, 1, 2])
    """

    name = "ivf-pq"
    settings = ("nlist", "m", "nbits", "nprobe", "rerank", "seed", "threads")

    def __init__(
        self, nlist: int | None = None, m: int = 48, nbits: int = 8, nprobe: int = 16, *, rerank: int = 300,
        metric: str = "l2", seed: int = 0, threads: int = 1,
    ) -> None:  # fmt: skip
        super().__init__(nlist=nlist, nprobe=nprobe, rerank=rerank, metric=metric, seed=seed, threads=threads)
        self._at_least(1, m=m, nbits=nbits)
        if nbits > 12:
            raise ValueError(f"nbits={nbits}; codes have at most 12 bits")
        self.m, self.nbits = int(m), int(nbits)

    def _new(self, quantizer: Any, width: int, nlist: int) -> Any:
        lists = faiss.IndexIVFPQ(quantizer, width, nlist, self.m, self.nbits, METRICS[self.metric])
        lists.pq.cp.seed = self.seed
        lists.pq.cp.min_points_per_centroid = 1
        return lists

    def _build(self, rows: Rows) -> None:
        if len(rows) < 2**self.nbits:
            raise VectorError(
                f"codes of {self.nbits} bits need at least {2**self.nbits} rows to learn from, got {len(rows)}; give a "
                "smaller nbits"
            )
        if self.m > rows.shape[1]:
            raise VectorError(
                f"m={self.m} codes for {rows.shape[1]} dimensions; give an m of at most {rows.shape[1]}"
            )
        super()._build(rows)

    def _padded(self, rows: Floats) -> Floats:
        missing = -rows.shape[1] % self.m
        return np.ascontiguousarray(np.pad(rows, ((0, 0), (0, missing)))) if missing else rows


class RabitqIndex(_Lists):
    """Lists of rows of one bit per dimension after a random rotation (RaBitQ); needs faiss 1.11 or later.

    Parameters
    ----------
    nlist : int or None, default=None
        As in `IvfPqIndex`; the published comparison has 4096.
    nprobe : int, default=16
    query_bits : int, default=8
        Bits per dimension of the query; 0: not quantized.
    rerank : int, default=300
        So many candidates are compared by their true vectors; 0: none.
    metric : {"l2", "ip", "cosine"}, default="l2"
    seed, threads : int, default=0, 1

    Examples
    --------
    >>> from salience.vectors import RabitqIndex
    >>> X = np.random.default_rng(0).normal(size=(400, 16))
    >>> RabitqIndex().build(X).search(X[:3], k=1).ravel()
    array([0, 1, 2])
    """

    name = "rabitq"
    settings = ("nlist", "nprobe", "query_bits", "rerank", "seed", "threads")

    def __init__(
        self, nlist: int | None = None, nprobe: int = 16, query_bits: int = 8, *, rerank: int = 300, metric: str = "l2",
        seed: int = 0, threads: int = 1,
    ) -> None:  # fmt: skip
        super().__init__(nlist=nlist, nprobe=nprobe, rerank=rerank, metric=metric, seed=seed, threads=threads)
        self._at_least(0, query_bits=query_bits)
        if query_bits > 8:
            raise ValueError(f"query_bits={query_bits}; they are from 0 (not quantized) to 8")
        self.query_bits = int(query_bits)

    def _new(self, quantizer: Any, width: int, nlist: int) -> Any:
        lists = faiss.IndexIVFRaBitQ(quantizer, width, nlist, METRICS[self.metric])
        lists.qb = self.query_bits
        return lists
