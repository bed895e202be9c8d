"""A column crossed with a label: the counts that every categorical measure is a function of."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from salience.data.hashing import MISSING

__all__ = ["Contingency"]


@dataclass(frozen=True, eq=False)
class Contingency:
    """The counts of (value, class) pairs, of all values of a column or of a sample of its values.

    Attributes
    ----------
    keys : ndarray of uint64, shape (d,)
        Identities of the values, ascending.
    counts : ndarray of int64, shape (d, classes)
        Rows with that value and that class. Every value that is here has been counted over all rows.
    weight : ndarray of float64, shape (d,)
        Values that each one stands for: 1, or ``1 / theta`` for a value that was kept because its identity is
        below the threshold.
    label_counts : ndarray of int64, shape (classes,)
        Rows of each class, over all rows of the column.
    theta : float
        Share of the identities that is kept; 1.0 means that the table is complete.
    checksum : int
        Sum of the identities of all rows modulo 2**64: equal data have an equal checksum.

    Examples
    --------
    >>> table = Contingency.from_codes([0, 0, 1, 1, 2], [0, 1, 1, 1, 0])
    >>> table.counts
    array([[1, 1], [0, 2], [1, 0]])
    >>> table.rows, table.distinct, table.coverage
    (5, 3.0, 1.0)
    """

    keys: NDArray[np.uint64]
    counts: NDArray[np.int64]
    weight: NDArray[np.float64]
    label_counts: NDArray[np.int64]
    theta: float = 1.0
    checksum: int = 0
    missing: int = field(default=int(MISSING), repr=False)

    def __post_init__(self) -> None:
        if self.counts.ndim != 2 or self.counts.shape != (len(self.keys), len(self.label_counts)):
            raise ValueError(
                f"counts has shape {self.counts.shape}, but there are {len(self.keys)} keys and "
                f"{len(self.label_counts)} classes: it must be (keys, classes)"
            )
        if self.weight.shape != self.keys.shape:
            raise ValueError(
                f"weight has shape {self.weight.shape}, it must be that of keys, {self.keys.shape}"
            )

    @classmethod
    def from_counts(cls, counts: ArrayLike) -> Contingency:
        """Wrap a complete table of counts, its rows numbered from 0.

        Parameters
        ----------
        counts : array-like of int, shape (values, classes)
            Rows without any count are left out.

        Raises
        ------
        ValueError
            When it is not two-dimensional, or a count is negative or no whole number.

        Examples
        --------
        >>> Contingency.from_counts([[3, 0], [0, 2]]).label_counts
        array([3, 2])
        """
        given = np.asarray(counts)
        if given.ndim != 2 or given.shape[1] == 0:
            raise ValueError(
                f"counts must be two-dimensional, (values, classes); this has shape {given.shape}"
            )
        table = given.astype(np.int64)
        if not np.array_equal(table, given) or (table < 0).any():
            raise ValueError("counts must be whole numbers of 0 or more; weights are not counts")
        keys = np.flatnonzero(table.sum(axis=1)).astype(np.uint64)
        table = table[keys.astype(np.int64)]
        return cls(keys, table, np.ones(len(keys)), table.sum(axis=0))

    @classmethod
    def from_codes(cls, x: ArrayLike, y: ArrayLike, n_classes: int | None = None) -> Contingency:
        """Count the pairs of two columns of codes in memory.

        Parameters
        ----------
        x : array-like of int or uint64, shape (n,)
            Values of the column: any integers, -1 is a value like others.
        y : array-like of int, shape (n,)
            Classes from 0; rows with a class below 0 have no label and are left out.
        n_classes : int, optional
            Number of classes when it is more than ``max(y) + 1``.

        Raises
        ------
        ValueError
            When the lengths differ, or a class is not below `n_classes`.
        """
        values, labels = np.asarray(x), np.asarray(y)
        if values.ndim != 1 or values.shape != labels.shape:
            raise ValueError(
                f"x and y must be vectors of one length; they have shapes {values.shape}, {labels.shape}"
            )
        if len(values) and (values.dtype.kind not in "biu" or labels.dtype.kind not in "biu"):
            raise ValueError(f"x and y must hold integer codes, not {values.dtype} and {labels.dtype}")
        values, labels = values[labels >= 0], labels[labels >= 0].astype(np.int64)
        classes = int(labels.max(initial=-1)) + 1
        if n_classes is not None and classes > n_classes:
            raise ValueError(
                f"y has class {classes - 1}, but n_classes is {n_classes}: classes are 0..n_classes - 1"
            )
        classes = classes if n_classes is None else n_classes
        # as signed 64 bits first, so that -1 becomes the identity 2**64 - 1 whatever the width of x
        wide = values if values.dtype == np.uint64 else values.astype(np.int64).view(np.uint64)
        keys, codes = np.unique(wide, return_inverse=True)
        flat = np.bincount(codes * classes + labels, minlength=len(keys) * classes)
        counts = flat.reshape(len(keys), classes).astype(np.int64)
        return cls(keys, counts, np.ones(len(keys)), counts.sum(axis=0))

    @property
    def rows(self) -> int:
        """Labelled rows, over all values."""
        return int(self.label_counts.sum())

    @property
    def totals(self) -> NDArray[np.int64]:
        """Rows of each value, shape (d,)."""
        return self.counts.sum(axis=1)

    @property
    def complete(self) -> bool:
        """Whether every value of the column is here."""
        return self.theta == 1.0

    @property
    def sampled(self) -> NDArray[np.bool_]:
        """Which values stand for others too, shape (d,)."""
        return self.weight != 1.0

    @property
    def distinct(self) -> float:
        """Distinct values but the missing one: exact when complete, else estimated (KMV)."""
        return float(self.weight[self.keys != np.uint64(self.missing)].sum())

    @property
    def distinct_share(self) -> float:
        """Distinct values per row that has a value; of a sample of values, those of the sample. nan without rows.

        Every value that is here has been counted over all rows, so a sample tells it better than `distinct` does.

        Examples
        --------
        >>> Contingency.from_codes([0, 0, 1, 2], [0, 1, 1, 0]).distinct_share
        0.75
        """
        weight = np.where(self.keys == np.uint64(self.missing), 0.0, self.weight)
        rows = float((weight * self.totals).sum())
        return float(weight.sum()) / rows if rows else float("nan")

    @property
    def distinct_error(self) -> float:
        """Relative standard error of `distinct`; 0.0 when complete."""
        kept = int(self.sampled.sum())
        if self.complete or self.distinct == 0:
            return 0.0
        return float(np.sqrt(max(kept, 1) * (1.0 - self.theta)) / self.theta / self.distinct)

    @property
    def coverage(self) -> float:
        """Share of the labelled rows whose value is not missing; nan without rows."""
        if self.rows == 0:
            return float("nan")
        gaps = self.counts[self.keys == np.uint64(self.missing)].sum()
        return float(1.0 - gaps / self.rows)

    def calibrated(self) -> NDArray[np.float64]:
        """Weights under which the sampled values add up to the known class totals exactly, shape (d,).

        The class totals of the values that are not here are known (all rows minus the heavy values), so the
        plain weights are corrected by the linear calibration ``w (1 + p_v . x)``, with ``p_v`` the class
        shares of the value: a sum over values that is linear in the counts is then exact, and one that is
        nearly so has a much smaller error.

        Examples
        --------
        >>> table = Contingency(np.arange(2, dtype=np.uint64), np.array([[1, 1], [2, 0]]), np.full(2, 2.0),
        ...                     np.array([9, 2]), theta=0.5)
        >>> (table.calibrated() @ table.counts).round(9)
        array([9., 2.])
        """
        return self.weight if self.complete else self.weight + self._calibration(self.counts)

    def _calibration(self, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        shift = np.zeros(len(self.keys))
        light = self.sampled
        k, w = counts[light].astype(np.float64), self.weight[light]
        if not len(k):
            return shift
        shares = k / k.sum(axis=1, keepdims=True)
        with _one_blas_thread():
            target = self.label_counts - counts[~light].sum(axis=0) - w @ k
            gram = (w[:, None] * shares).T @ k
            shift[light] = w * (shares @ np.linalg.lstsq(gram, target, rcond=1e-10)[0])
        return shift

    def sampling_variance(self, terms: NDArray[np.float64]) -> float:
        """Variance of the calibrated sum of one term per value that is due to the sampling of values.

        Horvitz-Thompson: the sum of ``w (w - 1) residual**2`` over the sampled values, the residuals from the
        regression of the terms on the class counts that `calibrated` amounts to.

        Parameters
        ----------
        terms : ndarray of float64, shape (d,)
        """
        if self.complete:
            return 0.0
        light = self.sampled
        k, s = self.counts[light].astype(np.float64), terms[light]
        if not len(k):
            return 0.0
        shares = k / k.sum(axis=1, keepdims=True)
        with _one_blas_thread():
            slope = np.linalg.lstsq(shares.T @ k, shares.T @ s, rcond=1e-10)[0]
            residual = s - k @ slope
        w = self.weight[light]
        return float((w * (w - 1.0) * residual**2).sum())


_BLAS_LOCK = threading.Lock()  # two limits at a time would leave each other's behind


@cache
def _blas() -> Any:
    from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]  # by those who sample values

    return ThreadpoolController().select(user_api="blas")


@contextmanager
def _one_blas_thread() -> Iterator[None]:
    """In several threads a product adds up in another order: a score would depend on how many there are."""
    with _BLAS_LOCK, _blas().limit(limits=1):
        yield
