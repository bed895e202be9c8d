"""How much columns say about an outcome, by several measures of one scale: nats of mutual information.

A measure is called with a block of columns and orders of the outcome, so that permutations cost no second look at the
columns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from salience.measures.binning import binned_information, equal_width_codes, number_of_bins
from salience.measures.density import class_information, kernel_information, standardised

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]

FENCE = 3.0  # quartile distances beyond the quartiles at which "winsor" cuts: Tukey's far outliers
LARGE = 1e100
LARGEST_SQUARE = 1 - 2**-52  # of a correlation, so that a copy has a finite information


@dataclass(frozen=True)
class Outcome:
    """What the columns are scored against.

    Attributes
    ----------
    values : ndarray of float64, shape (n,), or of int64 codes from 0 when it is discrete
    discrete : bool
    """

    values: NDArray[Any]
    discrete: bool

    def at(self, rows: NDArray[Any]) -> Outcome:
        """Some of its rows."""
        return Outcome(self.values[rows], self.discrete)


@dataclass(frozen=True)
class Settings:
    """What the measures leave open."""

    bandwidth: str | float = "silverman"
    grid: tuple[int, int] = (128, 128)
    scaling: str = "standard"
    n_neighbors: int = 3
    seed: int = 0


class Measure(Protocol):
    """Information of each column (c, n) about each order (m, n) of the outcome, shape (m, c)."""

    def __call__(
        self, columns: Floats, discrete: NDArray[np.bool_], outcome: Outcome, orders: Integers, settings: Settings
    ) -> Floats: ...  # fmt: skip


def by_density(
    columns: Floats, discrete: NDArray[np.bool_], outcome: Outcome, orders: Integers, settings: Settings
) -> Floats:
    """From kernel densities; tables of counts where both sides are discrete."""
    found = np.zeros((len(orders), len(columns)))
    scaled = SCALINGS[settings.scaling]
    if not discrete.all():
        rows = scaled(columns[~discrete])
        if outcome.discrete:
            of_rows = class_information(rows, outcome.values, bandwidth=settings.bandwidth, orders=orders)
        else:
            y = scaled(outcome.values[None])
            of_rows = kernel_information(
                rows, y, bandwidth=settings.bandwidth, grid=settings.grid, orders=orders
            )
        found[:, ~discrete] = of_rows
    for j in np.flatnonzero(discrete):
        codes = np.unique(columns[j], return_inverse=True)[1]
        if outcome.discrete:
            found[:, j] = binned_information(codes, outcome.values, orders=orders)[:, 0]
        else:  # the outcome is the continuous side: its density for each value of the column
            turned = scaled(outcome.values[None])[0][orders]
            found[:, j] = class_information(turned, codes, bandwidth=settings.bandwidth)[0]
    return found


def by_bins(
    columns: Floats, discrete: NDArray[np.bool_], outcome: Outcome, orders: Integers, settings: Settings
) -> Floats:
    """From histograms of as many bins as each side is worth, one bin per value of a discrete side."""
    codes = np.empty(columns.shape, np.int64)
    if not discrete.all():
        codes[~discrete] = equal_width_codes(columns[~discrete], number_of_bins(columns[~discrete]))
    for j in np.flatnonzero(discrete):
        codes[j] = np.unique(columns[j], return_inverse=True)[1]
    y = outcome.values
    if not outcome.discrete:
        y = equal_width_codes(y[None], number_of_bins(y[None]))[0]
    return binned_information(codes, y, orders=orders)


def by_neighbors(
    columns: Floats, discrete: NDArray[np.bool_], outcome: Outcome, orders: Integers, settings: Settings
) -> Floats:
    """From distances to the nearest rows (Kraskov; Ross where one side is discrete), by scikit-learn."""
    from sklearn.feature_selection import mutual_info_classif, mutual_info_regression

    information = mutual_info_classif if outcome.discrete else mutual_info_regression
    return np.array(
        [
            information(
                columns.T, outcome.values[order], discrete_features=discrete,
                n_neighbors=settings.n_neighbors, random_state=settings.seed,
            )
            for order in orders
        ]
    )  # fmt: skip


def by_correlation(
    columns: Floats, discrete: NDArray[np.bool_], outcome: Outcome, orders: Integers, settings: Settings
) -> Floats:
    """``-ln(1 - r^2) / 2``, the information of a Gaussian pair; r^2 is the share between classes of a discrete
    outcome.
    """
    x = standardised(columns)
    n = x.shape[1]
    if not outcome.discrete:
        squares = (standardised(outcome.values[None])[0][orders] @ x.T / n) ** 2
    else:
        sizes = np.bincount(outcome.values)
        member = (outcome.values[:, None] == np.flatnonzero(sizes)).astype(np.float64)
        sums = np.array([x @ member[order] for order in orders])  # (m, c, classes)
        squares = (sums**2 / sizes[sizes > 0]).sum(axis=2) / n
    return np.asarray(-0.5 * np.log1p(-np.minimum(squares, LARGEST_SQUARE)))


def of_ordinary_size(rows: Floats) -> Floats:
    """The rows; over a power of two where squares would be infinite or 0. Information does not see units.

    Examples
    --------
    >>> of_ordinary_size(np.array([[2.0**600, -(2.0**601)], [1.0, np.nan]]))
    array([[ 0.25, -0.5 ],
           [ 1.  ,   nan]])
    """
    size = np.fmax.reduce(np.abs(rows), axis=1, keepdims=True)
    odd = (size > LARGE) | (size < 1 / LARGE)
    return np.ldexp(rows, -np.where(odd, np.frexp(size)[1], 0)) if odd.any() else rows


def robust(rows: ArrayLike) -> Floats:
    """Less the median, over the quartile distance: what the package fastHDMI does.

    Examples
    --------
    >>> robust([[1.0, 2.0, 3.0, 4.0, 100.0]])
    array([[-1. , -0.5,  0. ,  0.5, 48.5]])
    """
    values = np.atleast_2d(np.asarray(rows, dtype=np.float64))
    low, middle, high = np.percentile(values, [25, 50, 75], axis=1, keepdims=True)
    spread = np.where(high > low, high - low, values.std(axis=1, keepdims=True))
    return np.asarray((values - middle) / np.where(spread > 0, spread, 1.0))


def winsorised(rows: ArrayLike) -> Floats:
    """Standardised after values far outside the quartiles are pulled in to 3 quartile distances from them.

    Examples
    --------
    >>> winsorised([[1.0, 2.0, 3.0, 4.0, 100.0]]).round(1)
    array([[-0.9, -0.6, -0.3,  0. ,  1.9]])
    """
    values = np.atleast_2d(np.asarray(rows, dtype=np.float64))
    low, high = np.percentile(values, [25, 75], axis=1, keepdims=True)
    room = np.where(high > low, FENCE * (high - low), np.inf)
    return standardised(np.clip(values, low - room, high + room))


def normal_ranks(rows: ArrayLike) -> Floats:
    """Normal quantiles of the ranks: no tail is heavy, and no monotone transformation matters.

    Examples
    --------
    >>> normal_ranks([[1.0, 2.0, 3.0, 4.0, 100.0]]).round(1)
    array([[-1.5, -0.6,  0. ,  0.6,  1.5]])
    """
    from scipy.special import ndtri
    from scipy.stats import rankdata

    values = np.atleast_2d(np.asarray(rows, dtype=np.float64))
    return standardised(ndtri((rankdata(values, axis=1) - 0.5) / values.shape[1]))


MEASURES: dict[str, Measure] = {
    "fft": by_density,
    "bin": by_bins,
    "knn": by_neighbors,
    "pearson": by_correlation,
}
SCALINGS: dict[str, Callable[[ArrayLike], Floats]] = {
    "standard": standardised,
    "robust": robust,
    "winsor": winsorised,
    "rank": normal_ranks,
}
