"""The null distribution of the mutual information of any column with one label."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from salience.measures.hypergeometric import linear_slopes, null_terms, sum_variance
from salience.measures.nulltail import Sparse, sparse_sum

__all__ = ["NullMoments", "NullTable"]

_DEGREES = 8


@dataclass(frozen=True)
class NullMoments:
    """Moments of ``n`` times the mutual information of one column under random pairing.

    Attributes
    ----------
    mean, variance : float
        Of the sum over the given values, weighted; of a sample of values the mean is that of all values.
    whole : float
        Of a sample of values, an estimate of the variance that the sum over all values has; else `variance`.
    within : ndarray of float64, shape (d,)
        Of each value the expectation of the sum over the classes of ``k ln(k / a)``, where a value has ``a`` rows and
        ``k`` of one class. Exactly 0 for a value of one row: it tells its class whatever the pairing.
    step : ndarray of float64, shape (d,)
        How the contribution of a value to `mean` grew with its last row.
    sparse : Sparse
        The same values, taken for independent.
    """

    mean: float
    variance: float
    whole: float
    within: NDArray[np.float64]
    step: NDArray[np.float64]
    sparse: Sparse


@dataclass(frozen=True)
class _Known:
    """What is cached, by ascending count of a value; arrays are replaced as a whole, so readers need no
    lock."""

    counts: NDArray[np.int64]  # (m,)
    means: NDArray[np.float64]  # (m,)
    steps: NDArray[np.float64]  # (m,)
    residuals: NDArray[np.float64]  # (m,)
    coefficients: NDArray[np.float64]  # (m, groups, degrees)


class NullTable:
    """What a value with ``a`` rows contributes to the mutual information with one label by chance.

    Under random pairing the count of a cell is hypergeometric. The contributions of two cells are dependent,
    but the orthonormal polynomials ``P_j`` of the hypergeometric distributions diagonalise that dependence:
    the correlation of the degree-j parts of cells (v, l) and (w, m) is ``s_j(v, w) r_j(l, m)``, where
    ``s_j(v, v) = 1``, ``s_j(v, w) = (-1)**j sqrt(o_j(a_v) o_j(a_w))`` with ``o_j(a) = (a)_j / (n - a)_j``
    (falling factorials), and ``r_j`` likewise for the classes. So the variance of the sum is exact up to the
    degrees kept, and what lies beyond them is counted as if independent. Everything depends on a value
    through its count only and is cached.

    Parameters
    ----------
    label_counts : array-like of int, shape (classes,)
        Rows of each class.

    Attributes
    ----------
    n : int
        Rows.
    entropy : float
        Plug-in entropy of the label, nats.

    Raises
    ------
    ValueError
        When a count is negative or no whole number.

    Examples
    --------
    >>> null = NullTable([3, 3])
    >>> null.expected([1, 6]).round(6)  # a row identifier: the label's entropy in six parts; a constant: 0
    array([0.115525, 0.      ])
    """

    def __init__(self, label_counts: ArrayLike) -> None:
        given = np.asarray(label_counts)
        counts = given.astype(np.int64)
        if given.ndim != 1 or not np.array_equal(given, counts) or (counts < 0).any():
            raise ValueError("label_counts must be a vector of whole numbers of 0 or more: rows per class")
        self.label_counts = counts
        self.n = int(counts.sum())
        positive = counts[counts > 0]
        shares = positive / max(self.n, 1)
        self.entropy = max(-float(shares @ np.log(shares)), 0.0)
        # equal classes are computed once; of two classes one determines the other
        self._binary = len(positive) == 2
        grouped = (
            (positive.min(keepdims=True), np.ones(1))
            if self._binary
            else np.unique(positive, return_counts=True)
        )
        self._classes, self._times = grouped[0].astype(np.int64), grouped[1].astype(np.float64)
        groups = len(self._classes)
        none = np.zeros(0)
        self._known = _Known(none.astype(np.int64), none, none, none, np.zeros((0, groups, _DEGREES)))
        self._lock = threading.Lock()

    def check(self, label_counts: NDArray[np.int64]) -> None:
        """Raise ValueError unless these are the label counts that the table was made for."""
        if not np.array_equal(self.label_counts, label_counts):
            raise ValueError(
                f"the null table was made for label counts {self.label_counts[:8].tolist()}, but the "
                "column was counted "
                f"against {np.asarray(label_counts)[:8].tolist()}; make NullTable(table.label_counts)"
            )

    def expected(self, counts: ArrayLike) -> NDArray[np.float64]:
        """Return e(a), the expected contribution to the mutual information, nats, of values with these
        counts.

        Parameters
        ----------
        counts : array-like of int
            From 0 to `n`.
        """
        wanted = np.asarray(counts, dtype=np.int64)
        distinct, inverse = np.unique(wanted, return_inverse=True)
        known, at = self._look_up(distinct)
        return (known.means[at] / max(self.n, 1))[inverse].reshape(wanted.shape)

    def moments(self, totals: NDArray[np.int64], weight: NDArray[np.float64]) -> NullMoments:
        """Return the null moments for a column.

        Parameters
        ----------
        totals : ndarray of int64, shape (d,)
            Rows of each value.
        weight : ndarray of float64, shape (d,)
            Values that each one stands for.
        """
        distinct, inverse = _distinct(totals)
        powers: NDArray[np.float64] = np.stack(
            [np.bincount(inverse, weight**power, len(distinct)) for power in (1, 2, 3)]
        )
        known, at = self._look_up(distinct)
        means = known.means[at]
        # a value of one row has all of the label's entropy per row, whatever the rounding
        within = np.where(distinct == 1, 0.0, means - distinct * self.entropy)

        def variance(times: NDArray[np.float64], squares: NDArray[np.float64]) -> float:
            return max(
                sum_variance(
                    distinct, times, squares, self._classes, self._times, self.n, self._binary,
                    known.coefficients[at], known.residuals[at],
                ),
                0.0,
            )  # fmt: skip

        own = variance(powers[0], powers[1])
        return NullMoments(
            mean=self.n * self.entropy + float((powers[0] * within).sum()),
            variance=own,
            whole=own if (weight == 1.0).all() else variance(powers[0], powers[0]),
            within=within[inverse],
            step=known.steps[at][inverse],
            sparse=self._sparse(distinct, powers, means, known.coefficients[at, :, 0]),
        )

    def _sparse(
        self,
        distinct: NDArray[np.int64],
        powers: NDArray[np.float64],
        means: NDArray[np.float64],
        linear: NDArray[np.float64],
    ) -> Sparse:
        shares = self._classes / self.n
        slopes = linear_slopes(distinct, powers[0], self._classes, self.n, linear)
        times = self._times
        if self._binary:  # the one slope is that of the rarer class against the other
            shares, slopes, times = np.append(shares, 1.0 - shares), np.append(slopes, 0.0), np.ones(2)
        some = int(distinct[:1].sum() == 0)  # a value without rows contributes nothing
        return sparse_sum(distinct[some:], powers[:, some:], means[some:], shares, slopes, times)

    def _look_up(self, distinct: NDArray[np.int64]) -> tuple[_Known, NDArray[np.int64]]:
        known = self._known
        at = np.searchsorted(known.counts, distinct)
        new = at >= len(known.counts)
        new[~new] = known.counts[at[~new]] != distinct[~new]
        if new.any():
            known = self._learn(distinct[new])
            at = np.searchsorted(known.counts, distinct)
        return known, at

    def _learn(self, counts: NDArray[np.int64]) -> _Known:
        if counts[0] < 0 or counts[-1] > self.n:
            raise ValueError(
                f"counts run from {counts[0]} to {counts[-1]}, but the label has {self.n} rows: "
                "a value has between 0 and that many"
            )
        means, steps, residuals, coefficients = self._compute(counts)
        with self._lock:
            known = self._known
            fresh = ~np.isin(counts, known.counts)
            merged = np.concatenate([known.counts, counts[fresh]])
            order = np.argsort(merged)
            self._known = _Known(
                merged[order],
                np.concatenate([known.means, means[fresh]])[order],
                np.concatenate([known.steps, steps[fresh]])[order],
                np.concatenate([known.residuals, residuals[fresh]])[order],
                np.concatenate([known.coefficients, coefficients[fresh]])[order],
            )
            return self._known

    def _compute(self, counts: NDArray[np.int64]) -> tuple[NDArray[np.float64], ...]:
        shape = (len(counts), len(self._classes))
        means, steps, residuals = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        coefficients = np.zeros((*shape, _DEGREES))
        some = counts > 0
        parts = null_terms(counts[some], self._classes, self.n, self._binary, _DEGREES)
        means[some], steps[some], residuals[some], coefficients[some] = parts
        # row by row: in a product of matrices the bits of a row depend on the other ones
        of_count = [(part * self._times).sum(axis=1) for part in (means, steps, residuals)]
        return *of_count, coefficients


def _distinct(totals: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """As ``np.unique(totals, return_inverse=True)``, without sorting where counts are small."""
    top = int(totals.max(initial=0))
    if top > 4 * len(totals) + 4096:
        distinct, inverse = np.unique(totals, return_inverse=True)
        return distinct, inverse
    seen = np.zeros(top + 1, dtype=np.int64)
    seen[totals] = 1
    rank = np.cumsum(seen) - 1
    return np.flatnonzero(seen), rank[totals]
