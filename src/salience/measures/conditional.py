"""What a column adds to another: conditional information, and what chance alone would add, stratum by stratum."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.special import gammaincc

from salience.measures.contingency import Contingency
from salience.measures.hypergeometric import null_terms, sum_variance
from salience.measures.information import ROUNDING, Information, change, within_terms

__all__ = ["added_information"]

_DEGREES = (
    4  # of the polynomials that carry the dependence of two cells of a stratum; the rest is independent
)


def added_information(
    cells: Contingency,
    strata: NDArray[np.int64],
    stratum_counts: NDArray[np.int64],
    stratum_weight: NDArray[np.float64] | None = None,
) -> Information:
    """What one more column tells about the label beyond the columns that are known: ``I(B; Y | A)``.

    The rows of one value of A are a stratum. Under the null, B says nothing about the label within any
    stratum: its values are paired with the labels at random there, both histograms of the stratum fixed. The
    expectation is exact, so the score is 0 on average for a B that adds nothing, however many values A and B
    have and however much A says alone.

    Parameters
    ----------
    cells : Contingency
        The combined values (a, b), all of them or a sample.
    strata : ndarray of int64, shape (cells,)
        The stratum of each cell; -1 where the stratum was not counted.
    stratum_counts : ndarray of int64, shape (strata, classes)
        Labels of all rows of each stratum.
    stratum_weight : ndarray of float64, shape (strata,), optional
        Strata that each one stands for, where A was sampled by value.

    Returns
    -------
    Information
        ``mi`` is the plug-in conditional information, ``null`` its expectation, ``sd`` its deviation under
        the null, ``p`` from the gamma distribution with these two; ``se`` of the score is the jackknife over
        rows, and the error of value sampling.

    Examples
    --------
    The exclusive or of two fair bits: the second bit tells all that the first one leaves open, ln 2.

    >>> cells = Contingency.from_counts([[25, 0], [0, 25], [0, 25], [25, 0]])
    >>> found = added_information(cells, np.array([0, 0, 1, 1]), np.array([[25, 25], [25, 25]]))
    >>> round(found.mi, 4), round(found.null, 4)
    (0.6931, 0.0103)
    """
    n = cells.rows
    # a stratum becomes a run of cells, and equal counts in it neighbours
    order = np.argsort(strata * (int(cells.totals.max(initial=0)) + 1) + cells.totals)
    order = order[np.count_nonzero(strata < 0) :]
    if n == 0 or len(order) == 0:
        return Information(0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    strata, weight = strata[order], cells.weight[order]
    if stratum_weight is not None:
        weight = weight * stratum_weight[strata]
    known = Contingency(
        cells.keys[order], cells.counts[order], weight, cells.label_counts, 1.0 / float(weight.max())
    )
    weight, totals = known.calibrated(), known.totals
    expected, step, variance, whole = _null_of_strata(strata, totals, weight, stratum_counts, _DEGREES)
    # what both have in common is the entropy of the label in the strata: subtracted cell by cell, it cancels
    observed = within_terms(known)
    excess = observed - expected
    entropies = _entropies(stratum_counts)
    open_ = float(entropies.sum() if stratum_weight is None else stratum_weight @ entropies)
    mi, null = (open_ + float(weight @ observed)) / n, (open_ + float(weight @ expected)) / n
    score, sd = float(weight @ excess) / n, float(np.sqrt(variance)) / n
    means = expected + totals * (entropies / np.maximum(stratum_counts.sum(axis=1), 1))[strata]
    by_chance, by_rows = whole / n**2, _jackknife(known, strata, weight, means, step, stratum_counts)
    by_rows /= n * max(n - 1, 1)
    se = float(np.sqrt(max(by_rows - by_chance, by_chance) + known.sampling_variance(excess) / n**2))
    tolerance = ROUNDING * float(np.log(n + 1.0))
    if sd <= tolerance and abs(score) <= tolerance:
        return Information(mi, null, 0.0, 0.0, 0.0, 1.0, 0.0 if se <= tolerance else se)
    sd = max(sd, tolerance)
    return Information(mi, null, sd, score, score / sd, _tail(n * score, n * sd), se)


def _tail(excess: float, sd: float) -> float:
    """Chance of an excess at least as high: a gamma distribution whose third cumulant is twice its variance, as that
    of half a chi-squared is."""
    shape = sd**2
    return float(gammaincc(shape, max(shape + excess, 0.0)))


def _jackknife(
    cells: Contingency,
    strata: NDArray[np.int64],
    weight: NDArray[np.float64],
    means: NDArray[np.float64],
    step: NDArray[np.float64],
    stratum_counts: NDArray[np.int64],
) -> float:
    """Sum over all rows of the squared change of the score, about its mean, when the row is left out.

    As in :func:`salience.measures.information.corrected`, in each stratum.
    """
    rows = stratum_counts.sum(axis=1)
    most = _entropies(stratum_counts)
    null = np.bincount(strata, weights=weight * means, minlength=len(rows))
    chance = np.divide(null, most, out=np.zeros(len(rows)), where=most > 0)
    margin = (1.0 - np.minimum(chance, 1.0))[:, None] * (change(stratum_counts) - change(rows)[:, None])
    own = change(cells.counts) - (change(cells.totals) + step)[:, None] - margin[strata]
    mass = weight[:, None] * cells.counts
    total = mass.sum()
    own = own - np.sum(mass * own) / total
    return float(np.sum(mass * own**2))


def _entropies(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Rows of each stratum times the entropy of the label in it."""
    ratio = np.divide(counts.sum(axis=1)[:, None], counts, out=np.ones(counts.shape), where=counts > 0)
    return np.einsum("ij,ij->i", counts, np.log(ratio))


@njit(nogil=True, cache=True)
def _null_of_strata(strata, totals, weight, stratum_counts, degrees):  # type: ignore[no-untyped-def]
    """Of each cell the expected sum over the classes of ``k ln(k / a)``, and the growth of its contribution with its
    last row; the variance of the weighted sum, and an estimate of that of all cells.

    Cells are sorted by stratum and then by count.
    """
    size = strata.size
    expected, step = np.zeros(size), np.zeros(size)
    variance, whole = 0.0, 0.0
    values, times, squares = np.empty(size, np.int64), np.empty(size), np.empty(size)
    place = np.empty(size, np.int64)
    sampled = (weight != 1.0).any()
    first = 0
    while first < size:
        last = first
        stratum = strata[first]
        while last < size and strata[last] == stratum:
            last += 1
        labels = stratum_counts[stratum]
        present = labels[labels > 0]
        rows = present.sum()
        if present.size >= 2:
            entropy = 0.0
            for count in present:
                entropy += count / rows * np.log(rows / count)
            found = 0
            for i in range(first, last):
                if i == first or totals[i] != totals[i - 1]:
                    values[found], times[found], squares[found] = totals[i], 0.0, 0.0
                    found += 1
                times[found - 1] += weight[i]
                squares[found - 1] += weight[i] * weight[i]
                place[i] = found - 1
            binary = present.size == 2
            if binary:  # of two classes one determines the other
                present = np.array([min(present[0], present[1])])
            often = np.ones(present.size)
            means, steps, residuals, coefficients = null_terms(values[:found], present, rows, binary, degrees)
            beyond = residuals.sum(axis=1)
            known = (values[:found], times[:found])
            margins = (present, often, rows, binary, coefficients, beyond)
            variance += max(sum_variance(*known, squares[:found], *margins), 0.0)
            if sampled:
                whole += max(sum_variance(*known, times[:found], *margins), 0.0)
            for i in range(first, last):
                # a cell of one row has all of the entropy per row, whatever the rounding
                expected[i] = means[place[i]].sum() - totals[i] * entropy if totals[i] > 1 else 0.0
                step[i] = steps[place[i]].sum()
        first = last
    return expected, step, variance, whole if sampled else variance
