"""How likely chance alone is to give so much: the upper tail of the null distribution of the mutual information.

For a table whose cells all have rows the distribution is a gamma, the chi-squared test. Where most values have few
rows it is not: a column of which only one value occurs twice has two possible scores. The contributions of rare
values are all but independent, so their cumulants add up; three of them give the tail, and what the distribution
jumps by gives the correction for continuity.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.special import gammainc, gammaincc, ndtr

__all__ = ["Sparse", "sparse_sum", "upper_tail"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_SERIES = 64  # rows of a value up to which its cumulants are summed exactly
_AGREES = 0.15  # of the variance: so far from independent the contributions of the values may be
_NORMAL = 1e-6  # skewness below which the tail is that of the normal distribution


@dataclass(frozen=True)
class Sparse:
    """A sum of independent contributions of values.

    Attributes
    ----------
    variance, third : float
        Its second and third cumulant.
    jump : float
        Distance of neighbouring sums, of the values that make it a lattice.
    smooth : float
        Variance of the values that blur the lattice.
    """

    variance: float
    third: float
    jump: float
    smooth: float


def sparse_sum(
    counts: Ints, weights: Floats, means: Floats, shares: Floats, slopes: Floats, classes: Floats
) -> Sparse:
    """Add up what values contribute to ``n`` times the mutual information beyond its mean, taken for independent.

    Up to a constant a value contributes the sum of ``k ln k`` over its rows k of each class. What is linear in the rows
    of a class adds up to a constant over the table, so a slope per class is taken off first. The moments for all
    numbers of rows at once are coefficients of the product over the classes of ``sum_k (share z)**k / k!
    exp(s f(k))``, a power series in z and, up to the third order, in s. Where a value has many rows its contribution is
    linear and quadratic in their deviations.

    Parameters
    ----------
    counts : ndarray of int64, shape (m,)
        Distinct numbers of rows, ascending and above 0.
    weights : ndarray of float64, shape (3, m)
        Sums over the values of that count of their weights, and of the squares and cubes of these.
    means : ndarray of float64, shape (m,)
        Expected ``h`` of such a value (see `salience.measures.hypergeometric`).
    shares : ndarray of float64, shape (groups,)
        Of the rows, for a class of each size.
    slopes : ndarray of float64, shape (groups,)
        Of ``h``, per row of a class.
    classes : ndarray of float64, shape (groups,)
        Classes of that size.
    """
    of_class = classes * shares
    centred = (of_class * slopes).sum() - slopes
    spread, skew = (of_class * centred**2).sum(), (of_class * centred**3).sum()
    a, rest = counts, 1.0 - counts / (weights[0] * counts).sum()
    second = a * rest * spread + means * rest
    third = a * rest * (2 * rest - 1) * skew + 3 * a * rest**2 * spread + 2 * means * rest**2
    few = int(np.searchsorted(a, _SERIES, side="right"))
    if few:
        moments = _moments(int(a[few - 1]), shares, slopes + np.log(shares), classes.astype(np.int64))
        first, square, cube = moments[:, a[:few]]
        second[:few] = np.maximum(square - first**2, 0.0)
        third[:few] = cube - 3 * first * square + 2 * first**3
    parts = weights[1] * second
    variance = float(parts.sum())
    jump, smooth = 0.0, variance
    for at in range(min(few, 3)):
        rows = int(a[at])
        if 1 < rows < 4 and variance - parts[at] < smooth:
            jump = (rows * np.log(rows) - (rows - 1) * np.log(rows - 1)) * weights[1, at] / weights[0, at]
            smooth = variance - float(parts[at])
    return Sparse(variance, float((weights[2] * third).sum()), float(jump), smooth)


def upper_tail(excess: float, mean: float, variance: float, sparse: Sparse) -> float:
    """Return the chance of an excess at least as high.

    Parameters
    ----------
    excess : float
        Of ``n`` times the mutual information over `mean`.
    mean, variance : float
        Exact, under random pairing.
    sparse : Sparse
        Of the same values, taken for independent. It counts if it has nearly the exact variance; else the cells have
        many rows, and the gamma distribution of that mean and variance is right.
    """
    ratio = variance / sparse.variance if sparse.variance > 0.0 else 0.0
    if abs(ratio - 1.0) > _AGREES:
        return (
            float(gammaincc(mean**2 / variance, max(excess + mean, 0.0) * mean / variance)) if mean else 1.0
        )
    if (
        sparse.jump
    ):  # the share of the correction that is left once the lattice is blurred by a normal variable
        excess -= sparse.jump / 2 * np.exp(-2 * np.pi**2 * sparse.smooth / sparse.jump**2)
    skewness = (
        sparse.third * ratio**2 / variance**1.5
    )  # squared: as it is where few values depend on each other
    standard = excess / np.sqrt(variance)
    if abs(skewness) < _NORMAL:
        return float(ndtr(-standard))
    shape = 4.0 / skewness**2  # Pearson's type III
    at = max(shape + np.sign(skewness) * np.sqrt(shape) * standard, 0.0)
    return float(gammaincc(shape, at) if skewness > 0 else gammainc(shape, at))


@njit(nogil=True, cache=True)
def _moments(most, shares, slopes, classes):  # type: ignore[no-untyped-def]
    """First three moments of a contribution by number of rows, shape (3, most + 1)."""
    product, power = np.zeros((4, most + 1)), np.empty((4, most + 1))
    product[0, 0] = 1.0
    for group in range(shares.size):
        rate = shares[group] * max(most, 2) / 2.0  # as of a Poisson distribution: coefficients near 1
        chance = np.exp(-rate)
        for k in range(most + 1):
            value = k * (np.log(max(k, 1)) - slopes[group])
            term = chance
            for order in range(4):
                power[order, k] = term
                term *= value / (order + 1)
            chance *= rate / (k + 1)
        times = classes[group]
        while times > 0:
            if times & 1:
                product = _times(product, power)
            power = _times(power, power)
            times >>= 1
    for k in range(most + 1):
        for order in range(1, 4):
            product[order, k] *= (1.0 if order == 1 else 2.0 if order == 2 else 6.0) / product[0, k]
    return product[1:]


@njit(nogil=True, cache=True)
def _times(a, b):  # type: ignore[no-untyped-def]
    """Multiply two power series, in z along the second axis and in s along the first, both cut off."""
    product = np.zeros_like(a)
    for i in range(a.shape[0]):
        for j in range(a.shape[0] - i):
            for k in range(a.shape[1]):
                for m in range(a.shape[1] - k):
                    product[i + j, k + m] += a[i, k] * b[j, m]
    return product
