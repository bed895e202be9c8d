"""Entropy and mutual information of contingency tables, and what chance alone would give: exactly.

Natural logarithms (nats) throughout. A column with many values has a large mutual information with any label,
by chance; the score is therefore ``mi - null``, with ``null`` the exact expectation under random pairing of
the same two histograms. It splits over the values of the column, so a `NullTable` computes the contribution
of each distinct count once per label.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from salience.measures.contingency import Contingency
from salience.measures.hypergeometric import expected_sum
from salience.measures.nulltable import NullTable
from salience.measures.nulltail import upper_tail

__all__ = [
    "NORMALIZATIONS",
    "Information",
    "NullTable",
    "column_entropy",
    "corrected",
    "entropy",
    "expected_mutual_information",
    "mutual_information",
    "normalize",
]

# A term k ln(k / a) is off by a few units in the last place of k ln(n), the k add up to n, and sums in pairs are off by
# fewer than 30 units: a score or a deviation below this, times ln(n), is rounding.
ROUNDING = 64 * float(np.finfo(np.float64).eps)
_LOGS = np.log(np.maximum(np.arange(4096), 1.0))


@dataclass(frozen=True)
class Information:
    """Mutual information of a column with a label, beside what chance gives.

    Attributes
    ----------
    mi : float
        Plug-in mutual information, nats.
    null : float
        Its exact expectation under random pairing, nats.
    sd : float
        Its standard deviation under random pairing (of the values that were sampled, where values were), nats.
    score : float
        ``mi - null``.
    z : float
        ``score / sd``; 0.0 when both vanish.
    p : float
        Chance of a mutual information at least as high under random pairing (see `salience.measures.nulltail`; for
        a dense table the chi-squared test).
    se : float
        Standard error of `score`: jackknife over rows, and the error of value sampling.
    """

    mi: float
    null: float
    sd: float
    score: float
    z: float
    p: float
    se: float


def entropy(counts: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Return the plug-in entropy of a histogram, nats.

    Parameters
    ----------
    counts : array-like, shape (d,)
        Zeros contribute nothing.
    weight : array-like, shape (d,), optional
        Values that each count stands for, as in `Contingency.weight`.

    Returns
    -------
    float
        0.0 for an empty histogram.

    Raises
    ------
    ValueError
        When a count is negative or not finite.

    Examples
    --------
    >>> round(entropy([5, 5]), 6), entropy([7])
    (0.693147, 0.0)
    """
    given = np.asarray(counts, dtype=np.float64).ravel()
    if not np.isfinite(given).all() or (given < 0).any():
        raise ValueError("counts must be finite and not negative; a histogram holds numbers of rows")
    times = np.ones_like(given) if weight is None else np.asarray(weight, dtype=np.float64).ravel()
    times, given = times[given > 0], given[given > 0]
    total = float((times * given).sum())
    return max(float((times * given * np.log(total / given)).sum()) / total, 0.0) if total else 0.0


def column_entropy(table: Contingency) -> float:
    """Return the plug-in entropy of the column, nats; of a sampled table, an estimate of it.

    Examples
    --------
    >>> round(column_entropy(Contingency.from_counts([[3, 0], [1, 2]])), 6)
    0.693147
    """
    return entropy(table.totals, table.calibrated())


def mutual_information(table: Contingency) -> float:
    """Return the plug-in mutual information of a table, nats; of a sampled table, an estimate of it.

    Examples
    --------
    >>> round(mutual_information(Contingency.from_counts([[3, 1], [1, 3]])), 6)
    0.130812
    """
    if table.rows == 0:
        return 0.0
    return entropy(table.label_counts) + float((table.calibrated() * within_terms(table)).sum()) / table.rows


def corrected(table: Contingency, null: NullTable) -> Information:
    """Score a column against a label: mutual information above chance, with its null distribution and
    standard error.

    Parameters
    ----------
    table : Contingency
    null : NullTable
        Made from the same label counts: ``NullTable(table.label_counts)``; make it once for all columns.

    Returns
    -------
    Information
        All zeros (and p = 1) for a constant column, a row identifier, a constant label, or no rows.

    Raises
    ------
    ValueError
        When the two were made for different label counts.

    Notes
    -----
    The standard error is the jackknife in closed form. Without a row of value v and class l, with ``t(k) = k
    ln k`` and ``dt(k) = t(k) - t(k - 1)``, the score changes by ``1/(n-1)`` times

        ``dt(k_vl) - dt(a_v) - [n e(a_v) - n e(a_v - 1)] - (1 - null / H) dt(b_l)``

    and a constant. The jackknife counts the part of the variance that is quadratic in the rows twice (Efron
    and Stein, 1981); that part is the variance under random pairing, so it is taken off once, and is the
    least that remains. Where values were sampled, the variance of the sampling is added.

    Examples
    --------
    >>> table = Contingency.from_codes(range(8), [0, 1] * 4)
    >>> result = corrected(table, NullTable(table.label_counts))
    >>> round(result.mi, 6), result.score, result.p
    (0.693147, 0.0, 1.0)
    """
    null.check(table.label_counts)
    n = table.rows
    if n == 0 or len(table.keys) == 0:
        return Information(0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    totals, weight, within = table.totals, table.calibrated(), within_terms(table)
    moments = null.moments(totals, weight)
    # mi and null are the label's entropy and a sum over the values each; subtracted value by value, the many values of
    # one row leave exactly 0 and no rounding
    excess = within - moments.within
    mi, expected = null.entropy + float((weight * within).sum()) / n, moments.mean / n
    score, sd = float((weight * excess).sum()) / n, float(np.sqrt(moments.variance)) / n
    left = 1.0 - expected / null.entropy if null.entropy else 1.0
    mean, square = _jackknife(table.counts, totals, weight, moments.step, left * change(table.label_counts))
    rows = max(square - mean**2 / n, 0.0) / (n * max(n - 1, 1))
    by_chance = moments.whole / n**2
    se = float(np.sqrt(max(rows - by_chance, by_chance) + table.sampling_variance(excess) / n**2))
    tolerance = ROUNDING * float(np.log(n + 1.0))
    if sd <= tolerance and abs(score) <= tolerance:
        return Information(mi, expected, 0.0, 0.0, 0.0, 1.0, 0.0 if se <= tolerance else se)
    sd = max(sd, tolerance)
    p = upper_tail(n * score, moments.mean, (n * sd) ** 2, moments.sparse)
    return Information(mi, expected, sd, score, score / sd, p, se)


def expected_mutual_information(a_counts: ArrayLike, b_counts: ArrayLike) -> float:
    """Return the exact expectation of the mutual information of two columns paired at random, nats.

    Parameters
    ----------
    a_counts, b_counts : array-like of int
        The two histograms. They are grouped by distinct counts, so long histograms of rare values are cheap.

    Raises
    ------
    ValueError
        When the histograms are of different numbers of rows, or hold something else than numbers of rows.

    Examples
    --------
    >>> round(expected_mutual_information([1, 1, 1, 1], [2, 2]), 6)  # a row identifier: all of the entropy
    0.693147
    """
    a_values, a_times, n = _grouped(a_counts, "a_counts")
    b_values, b_times, other = _grouped(b_counts, "b_counts")
    if n != other:
        raise ValueError(
            f"a_counts add up to {n} rows and b_counts to {other}; both must count the same rows"
        )
    if n == 0:
        return 0.0
    return float(expected_sum(a_values, a_times, b_values, b_times, n)) / n


def normalize(
    score: ArrayLike,
    how: str = "none",
    *,
    label_entropy: float | None = None,
    entropies: ArrayLike | None = None,
    null: ArrayLike | None = None,
) -> NDArray[np.float64]:
    """Put scores on another scale.

    Parameters
    ----------
    score : array-like, shape (d,)
        Corrected mutual information of the columns with one label, nats.
    how : {"none", "label_entropy", "ami", "minmax"}
        ``"label_entropy"``: share of the label's entropy that the column explains. ``"ami"``: adjusted mutual
        information, ``score / ((H(column) + H(label)) / 2 - null)``. ``"minmax"``: to [0, 1] over the
        columns, which makes the best of pure noise a 1 and is offered for comparison with tools that do so.
    label_entropy : float, optional
        Needed by "label_entropy" and "ami".
    entropies, null : array-like, shape (d,), optional
        Entropy and expected mutual information of each column; needed by "ami".

    Raises
    ------
    ValueError
        When `how` is unknown or what it needs is not given.

    Examples
    --------
    >>> normalize([0.1, 0.2, 0.3], "minmax")
    array([0. , 0.5, 1. ])
    """
    if how not in NORMALIZATIONS:
        raise ValueError(
            f"normalize={how!r} is unknown; it must be one of {', '.join(map(repr, NORMALIZATIONS))}"
        )
    needs, formula = NORMALIZATIONS[how]
    given = {"label_entropy": label_entropy, "entropies": entropies, "null": null}
    absent = [name for name in needs if given[name] is None]
    if absent:
        raise ValueError(f"normalize={how!r} needs {' and '.join(absent)}")
    arrays = {name: np.asarray(given[name], dtype=np.float64) for name in needs}
    return formula(np.asarray(score, dtype=np.float64), **arrays)


def _ratio(score: NDArray[np.float64], bound: NDArray[np.float64]) -> NDArray[np.float64]:
    bound = np.broadcast_to(bound, score.shape)
    return np.divide(score, bound, out=np.zeros_like(score), where=bound > 1e-15)


def _minmax(score: NDArray[np.float64]) -> NDArray[np.float64]:
    if not np.isfinite(score).any():
        return score.copy()
    low, high = np.nanmin(score), np.nanmax(score)
    return np.where(np.isnan(score), np.nan, _ratio(score - low, np.asarray(high - low)))


NORMALIZATIONS: Mapping[str, tuple[tuple[str, ...], Callable[..., NDArray[np.float64]]]] = {
    "none": ((), lambda score: score.copy()),
    "label_entropy": (("label_entropy",), lambda score, label_entropy: _ratio(score, label_entropy)),
    "ami": (
        ("label_entropy", "entropies", "null"),
        lambda score, label_entropy, entropies, null: _ratio(score, (label_entropy + entropies) / 2 - null),
    ),
    "minmax": ((), _minmax),
}
"""Name of a normalisation to what it needs and its formula."""


def _grouped(counts: ArrayLike, name: str) -> tuple[NDArray[np.int64], NDArray[np.float64], int]:
    given = np.asarray(counts).ravel()
    if not np.array_equal(given, given.astype(np.int64)) or (given < 0).any():
        raise ValueError(f"{name} must be whole numbers of 0 or more: rows per value")
    values, times = np.unique(given.astype(np.int64), return_counts=True)
    positive = values > 0
    return values[positive], times[positive].astype(np.float64), int(given.astype(np.int64).sum())


def within_terms(table: Contingency) -> NDArray[np.float64]:
    """Sum over the classes of ``k ln(k / a)`` for each value, shape (d,): minus its rows times the entropy of the
    label among them."""
    return _entropies(table.counts, _LOGS)


def change(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """``dt(k) = k ln k - (k - 1) ln(k - 1)``, without cancellation; 0 for 0 and 1."""
    k = np.maximum(counts, 2).astype(np.float64)
    return np.where(counts < 2, 0.0, np.log(k) - (k - 1.0) * np.log1p(-1.0 / k))


@njit(nogil=True, cache=True)
def _entropies(counts, logs):  # type: ignore[no-untyped-def]
    terms = np.zeros(counts.shape[0])
    for v in range(counts.shape[0]):
        total = np.int64(0)
        for label in range(counts.shape[1]):
            total += counts[v, label]
        if total > 1:
            log_total = logs[total] if total < logs.size else np.log(total)
            for label in range(counts.shape[1]):
                k = counts[v, label]
                if k:
                    terms[v] += k * ((logs[k] if k < logs.size else np.log(k)) - log_total)
    return terms


@njit(nogil=True, cache=True)
def _step(k):  # type: ignore[no-untyped-def]
    return np.log(k) - (k - 1.0) * np.log1p(-1.0 / k) if k > 1 else 0.0


@njit(nogil=True, cache=True)
def _jackknife(counts, totals, weight, steps, class_steps):  # type: ignore[no-untyped-def]
    """Return sum and sum of squares, over all rows, of the change of the score when a row is left out, times
    n - 1.

    The changes are taken from that of the first row, so that equal ones give exactly 0.
    """
    changes = np.empty(1024)
    for k in range(changes.size):
        changes[k] = _step(k)
    mean, square, origin = 0.0, 0.0, np.nan
    for v in range(counts.shape[0]):
        a = totals[v]
        offset = (changes[a] if a < changes.size else _step(a)) + steps[v]
        for label in range(counts.shape[1]):
            k = counts[v, label]
            if k:
                change = (changes[k] if k < changes.size else _step(k)) - offset - class_steps[label]
                if np.isnan(origin):
                    origin = change
                change -= origin
                mean += weight[v] * k * change
                square += weight[v] * k * change * change
    return mean, square
