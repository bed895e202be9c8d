"""Measures of association other than mutual information: of a contingency table, and of two numeric columns.

Every measure of a table is a sum over the values of the column, so it is estimated without bias from a
value-sampled table; the weights are honoured throughout.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from salience.measures.contingency import Contingency
from salience.measures.information import (
    Information,
    NullTable,
    column_entropy,
    corrected,
    entropy,
    mutual_information,
)

__all__ = [
    "adjusted_mutual_information",
    "chi2",
    "correlation_ratio",
    "cramers_v",
    "log_loss_gain",
    "max_value_coverage",
    "numeric_mutual_information",
    "pearson",
    "spearman",
    "spearman_of_bins",
    "theils_u",
]

_VANISHES = 1e-12


def chi2(table: Contingency) -> float:
    """Return Pearson's chi-squared statistic of independence, without continuity correction.

    Examples
    --------
    >>> chi2(Contingency.from_counts([[10, 20], [20, 10]])).__round__(6)
    6.666667
    """
    rows, classes = table.totals.astype(np.float64), table.label_counts.astype(np.float64)
    if table.rows == 0:
        return 0.0
    expected = np.outer(rows, classes / table.rows)
    gaps = (table.counts - expected) ** 2
    terms = np.divide(gaps, expected, out=np.zeros_like(gaps), where=expected > 0).sum(axis=1)
    return float((table.calibrated() * terms).sum())


def correlation_ratio(table: Contingency) -> float:
    """Return the share of the variance of the class numbers that the column explains, adjusted for its number of
    values.

    For classes in order, as the bins of a number label: epsilon squared (Kelley, 1935), with the number of a class for
    its value. About 0 for noise of any cardinality; nan for a column that names the row.

    Examples
    --------
    >>> table = Contingency.from_counts([[9, 1, 0], [0, 9, 1], [0, 1, 9]])
    >>> round(correlation_ratio(table), 3)
    0.847
    """
    n, values = table.rows, float(table.weight.sum())
    numbers = np.arange(len(table.label_counts), dtype=np.float64)
    if n <= 1 or n - values < 0.5:
        return float("nan")
    means = (table.counts * numbers).sum(axis=1) / table.totals
    within = table.weight * (table.counts * (numbers - means[:, None]) ** 2).sum(axis=1)
    whole = table.label_counts * (numbers - (table.label_counts * numbers).sum() / n) ** 2
    if whole.sum() == 0:
        return 0.0
    return float(1.0 - within.sum() / (n - values) / (whole.sum() / (n - 1)))


def cramers_v(table: Contingency, *, bias_correction: bool = True) -> float:
    """Return Cramer's V, in [0, 1].

    Parameters
    ----------
    table : Contingency
    bias_correction : bool, default=True
        Subtract what chance gives (Bergsma, 2013). Without it a column of many values has a high V with any
        label.

    Examples
    --------
    >>> table = Contingency.from_counts([[10, 20], [20, 10]])
    >>> round(cramers_v(table), 6), round(cramers_v(table, bias_correction=False), 6)
    (0.309492, 0.333333)
    """
    n = table.rows
    values, classes = float(table.weight.sum()), float(np.count_nonzero(table.label_counts))
    if n < 2 or min(values, classes) < 2:
        return 0.0
    phi2 = chi2(table) / n
    if bias_correction:
        phi2 = max(phi2 - (values - 1) * (classes - 1) / (n - 1), 0.0)
        values -= (values - 1) ** 2 / (n - 1)
        classes -= (classes - 1) ** 2 / (n - 1)
    room = min(values, classes) - 1
    return float(min(np.sqrt(phi2 / room), 1.0)) if room > _VANISHES else 0.0


def theils_u(table: Contingency) -> float:
    """Return the uncertainty coefficient: the share of the label's entropy that the column explains, in [0,
    1].

    Examples
    --------
    >>> theils_u(Contingency.from_counts([[5, 0], [0, 5]]))
    1.0
    """
    label = entropy(table.label_counts)
    return min(mutual_information(table) / label, 1.0) if label > 0 else 0.0


def adjusted_mutual_information(table: Contingency) -> float:
    """Return the mutual information adjusted for chance: ``(mi - null) / ((H(column) + H(label)) / 2 -
    null)``.

    Equal to scikit-learn's ``adjusted_mutual_info_score``, but for two constant columns, which get 0 here: a
    constant predicts nothing.

    Examples
    --------
    >>> round(adjusted_mutual_information(Contingency.from_counts([[5, 0], [0, 5]])), 9)
    1.0
    """
    found = corrected(table, NullTable(table.label_counts))
    room = (entropy(table.label_counts) + column_entropy(table)) / 2 - found.null
    return found.score / room if room > _VANISHES else 0.0


def max_value_coverage(table: Contingency) -> float:
    """Return the share of the rows that have the commonest pair of value and class; of a sampled table, a
    lower bound.

    Examples
    --------
    >>> max_value_coverage(Contingency.from_counts([[1, 6], [3, 0]]))
    0.6
    """
    return float(table.counts.max(initial=0)) / table.rows if table.rows else 0.0


def log_loss_gain(table: Contingency, *, smoothing: float = 1.0) -> float:
    """Return how much less log loss than the base rate a leave-one-out target encoding has, nats per row.

    For a row of value v and class l the base rate of the other rows is ``q = (b_l - 1) / (n - 1)``, and the
    encoding predicts ``(k_vl - 1 + s q) / (a_v - 1 + s)``: the other rows of its value, shrunk towards the
    base rate by `smoothing` pseudo-rows. Below 0 for noise of many values, exactly 0 for a constant and for a
    row identifier.

    Parameters
    ----------
    table : Contingency
    smoothing : float, default=1.0
        ``s``; more than 0.

    Raises
    ------
    ValueError
        When `smoothing` is not positive: the log loss would be infinite.

    Examples
    --------
    >>> round(log_loss_gain(Contingency.from_counts([[50, 0], [0, 50]])), 3)
    0.693
    """
    if not smoothing > 0:
        raise ValueError(
            f"smoothing={smoothing}; it must be positive, or an unseen class would have an infinite loss"
        )
    if table.rows < 2:
        return 0.0
    k, a = table.counts.astype(np.float64), table.totals.astype(np.float64)[:, None]
    base = np.broadcast_to((table.label_counts - 1.0) / (table.rows - 1.0), k.shape)
    used = (k > 0) & (base > 0)  # a class of one row is foreseen by neither: no gain
    ratio = np.ones_like(k)
    np.divide(k - 1.0, base, out=ratio, where=used)
    gains = np.where(used, k * np.log(np.where(used, (ratio + smoothing) / (a - 1.0 + smoothing), 1.0)), 0.0)
    return float((table.calibrated() * gains.sum(axis=1)).sum()) / table.rows


def pearson(x: ArrayLike, y: ArrayLike) -> float:
    """Return Pearson's correlation over the rows where both are numbers; 0.0 when one of them is constant
    there.

    Raises
    ------
    ValueError
        When x and y are not vectors of one length, or hold an infinite value.

    Examples
    --------
    >>> round(pearson([1, 2, 3, np.nan], [2, 4, 7, 0]), 6)
    0.993399
    """
    a, b = _pairs(x, y)
    if len(a) < 2:
        return 0.0
    # scaled first, so that squares neither overflow nor vanish; a spread of rounding size is none
    a, b = _standard(a), _standard(b)
    norm = np.sqrt(float(a @ a)) * np.sqrt(float(b @ b))
    return float(np.clip(a @ b / norm, -1.0, 1.0)) if norm else 0.0


def spearman(x: ArrayLike, y: ArrayLike) -> float:
    """Return Spearman's rank correlation, ties at their mean rank, over the rows where both are numbers.

    Examples
    --------
    >>> spearman([1, 2, 3, 4], [1, 8, 27, 64])
    1.0
    """
    a, b = _pairs(x, y)
    from scipy.stats import rankdata  # a third of a second to import, for this one measure

    return pearson(rankdata(a), rankdata(b)) if len(a) else 0.0


def spearman_of_bins(counts: ArrayLike) -> float:
    """Return Spearman's rank correlation of two ordered columns from the table of their bins.

    Each bin has the mean rank of its rows: exact for the binned columns, close to that of the numbers when
    bins are fine.

    Parameters
    ----------
    counts : array-like, shape (bins of x, bins of y)
        Both in ascending order, no missing values.

    Raises
    ------
    ValueError
        When it is not a two-dimensional table of finite counts of 0 or more.

    Examples
    --------
    >>> spearman_of_bins([[5, 0], [0, 5]])
    1.0
    """
    table = np.asarray(counts, dtype=np.float64)
    if table.ndim != 2 or not np.isfinite(table).all() or (table < 0).any():
        raise ValueError(
            f"counts must be a two-dimensional table of counts of 0 or more; this has shape {table.shape}"
        )
    n = table.sum()
    if n == 0:
        return 0.0

    def ranks(margin: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.cumsum(margin) - margin / 2 - n / 2

    a, b = ranks(table.sum(axis=1)), ranks(table.sum(axis=0))
    spread = float(np.sqrt((table.sum(axis=1) @ a**2) * (table.sum(axis=0) @ b**2)))
    return float(np.clip(a @ table @ b / spread, -1.0, 1.0)) if spread else 0.0


def numeric_mutual_information(x: ArrayLike, y: ArrayLike, *, bins: int | None = None) -> Information:
    """Return the mutual information of two numeric columns on a grid of their quantiles, corrected for
    chance.

    Parameters
    ----------
    x, y : array-like, shape (n,)
        Rows where one of them is NaN are left out.
    bins : int, optional
        Bins per column, at least 2; by default ``n ** (1/3)``, between 2 and 32. Equal values share a bin.

    Returns
    -------
    Information
        Its ``score`` is about 0 for independent columns whatever the grid.

    Raises
    ------
    ValueError
        When x and y are not vectors of one length, hold an infinite value, or `bins` is below 2.

    Examples
    --------
    >>> x = np.linspace(-1, 1, 1000)
    >>> numeric_mutual_information(x, x**2).score > 1.0, abs(pearson(x, x**2)) < 1e-12
    (True, True)
    """
    a, b = _pairs(x, y)
    if bins is not None and bins < 2:
        raise ValueError(f"bins={bins}; a grid needs at least 2 bins per column")
    wanted = bins if bins is not None else int(np.clip(round(len(a) ** (1 / 3)), 2, 32))
    table = Contingency.from_codes(_quantile_codes(a, wanted), _quantile_codes(b, wanted))
    return corrected(table, NullTable(table.label_counts))


def _pairs(x: ArrayLike, y: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    a, b = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if a.ndim != 1 or a.shape != b.shape:
        raise ValueError(f"x and y must be vectors of one length; they have shapes {a.shape}, {b.shape}")
    for name, column in (("x", a), ("y", b)):
        if np.isinf(column).any():
            raise ValueError(f"{name} holds an infinite value; make it missing (NaN) or clip it first")
    both = ~(np.isnan(a) | np.isnan(b))
    return a[both], b[both]


def _standard(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centre, and scale to a largest size of 1; zeros when the values differ by rounding only."""
    size = float(np.abs(values).max())
    if size == 0.0:
        return np.zeros_like(values)
    centred = values / size
    centred = centred - centred.mean()
    spread = float(np.abs(centred).max())
    return np.zeros_like(values) if spread <= 1e-14 else centred / spread


def _quantile_codes(values: NDArray[np.float64], bins: int) -> NDArray[np.int64]:
    if not len(values):
        return np.zeros(0, dtype=np.int64)
    edges = np.unique(np.quantile(values, np.linspace(0, 1, bins + 1)[1:-1]))
    return np.searchsorted(edges, values, side="right").astype(np.int64)
