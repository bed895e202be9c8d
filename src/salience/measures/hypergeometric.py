"""What a random pairing of two columns does to one cell, exactly: kernels over the hypergeometric
distribution.

The count ``k`` of a cell, in a table of ``n`` rows whose value has ``a`` rows and whose class has ``b``, is
hypergeometric when values and classes are paired at random. Its contribution to ``n`` times the mutual
information is measured as

    ``h(k) = k ln(k / mu) - (k - mu)``,  ``mu = a b / n``,

which differs from ``k ln(n k / (a b))`` by a term that adds up to 0 over any table, and is never negative:
sums of it do not cancel. Weights start at the mode with 1 and follow the two-sided recurrence until they are
below 1e-19 (about +-9 standard deviations, and all of a small support), then are divided by their own sum: no
log-gamma, no loss of digits.
"""

from __future__ import annotations

import numpy as np
from numba import njit

_TAIL = 1e-19
_BODY = 1e-13  # the variance needs fewer digits than the mean: probabilities below this do not count in it
_EXHAUSTED = 1e-13  # squared norm at which a polynomial vanishes on the support
_SMALL = 1e-4  # share of the variance beyond which further degrees do not matter


@njit(nogil=True, cache=True)
def divergence(k, mu):  # type: ignore[no-untyped-def]
    """Return ``k ln(k / mu) - (k - mu)``, accurate also where ``k`` is close to ``mu``."""
    if k == 0.0:
        return mu
    gap = k - mu
    x = gap / mu
    if abs(x) >= 0.1:
        return k * np.log(k / mu) - gap
    # mu ((1 + x) ln(1 + x) - x) as its series: no cancellation, and several times faster than a logarithm
    tail = 1 / 90 + x * (-1 / 110 + x * (1 / 132 + x * (-1 / 156 + x * (1 / 182 - x / 210))))
    tail = -1 / 20 + x * (1 / 30 + x * (-1 / 42 + x * (1 / 56 + x * (-1 / 72 + x * tail))))
    return gap * x * (0.5 + x * (-1 / 6 + x * (1 / 12 + x * tail)))


@njit(nogil=True, cache=True)
def window(a, b, n):  # type: ignore[no-untyped-def]
    """Return the first count and the probabilities of the counts that have any."""
    low, high = max(0, a + b - n), min(a, b)
    mode = min(max(int((a + 1.0) * ((b + 1.0) / (n + 2.0))), low), high)
    spread = np.sqrt(a * (b / n) * (1.0 - b / n)) * np.sqrt((n - a) / max(n - 1.0, 1.0))
    reach = int(12.0 * spread) + 40
    first, last = max(low, mode - reach), min(high, mode + reach)
    weights = np.zeros(last - first + 1)
    weights[mode - first] = 1.0
    weight, total, end = 1.0, 1.0, mode
    rest = np.float64(n) - a - b
    for k in range(mode, last):
        weight *= (np.float64(a) - k) * (np.float64(b) - k) / ((k + 1.0) * (rest + k + 1.0))
        if weight < _TAIL:
            break
        weights[k + 1 - first] = weight
        total += weight
        end = k + 1
    weight, begin = 1.0, mode
    for k in range(mode, first, -1):
        weight *= np.float64(k) * (rest + k) / ((np.float64(a) - k + 1.0) * (np.float64(b) - k + 1.0))
        if weight < _TAIL:
            break
        weights[k - 1 - first] = weight
        total += weight
        begin = k - 1
    return begin, weights[begin - first : end - first + 1] / total


@njit(nogil=True, cache=True)
def expected_divergence(a, b, n):  # type: ignore[no-untyped-def]
    """Return the expectation of ``h`` in one cell."""
    begin, weights = window(a, b, n)
    mu = a * (b / n)
    total = 0.0
    for i in range(weights.size):
        total += weights[i] * divergence(np.float64(begin + i), mu)
    return total


@njit(nogil=True, cache=True)
def expected_sum(a_values, a_times, b_values, b_times, n):  # type: ignore[no-untyped-def]
    """Return the expectation of the sum of ``h`` over a table given by its distinct margins and how often
    each occurs."""
    total = 0.0
    for i in range(a_values.size):
        for j in range(b_values.size):
            total += a_times[i] * b_times[j] * expected_divergence(a_values[i], b_values[j], n)
    return total


@njit(nogil=True, cache=True)
def _first_moments(a, b, n, binary, begin, weights, values):  # type: ignore[no-untyped-def]
    """Fill `values` with the contribution at each count; return its mean, that of ``a - 1`` rows, and the
    mass of these."""
    mu, nu = a * (b / n), a * ((n - b) / n)
    log_step = np.log(a / (a - 1.0)) if a > 1 else 0.0
    mean, before, mass = 0.0, 0.0, 0.0
    last = begin + weights.size - 1
    fewer = divergence(a - 1.0 - last, nu) if binary and a > last else 0.0
    for i in range(weights.size - 1, -1, -1):
        k = np.float64(begin + i)
        value = divergence(k, mu)
        # one row less: h against (a - 1) b / n, and the probability by the ratio of the binomials
        shifted = value + k * log_step - mu / a
        if binary:
            shifted += fewer + (a - 1.0 - k) * log_step - nu / a
            fewer = divergence(a - k, nu)
            value += fewer
        chance = weights[i] * ((a - k) / a) * ((n - a + 1.0) / (n - a + 1.0 - b + k))
        mass += chance
        before += chance * shifted
        values[i] = value
        mean += weights[i] * value
    return mean, before, mass


@njit(nogil=True, cache=True)
def cell_moments(a, b, n, binary, coefficients):  # type: ignore[no-untyped-def]
    """Analyse the contribution of one cell (with `binary`: of both cells of its row) under random pairing.

    Parameters
    ----------
    a, b, n : int
        Rows of the value, rows of the class, all rows.
    binary : bool
        Whether there are two classes, so that the count of one determines the row.
    coefficients : ndarray of float64, shape (degrees,)
        Filled with the coefficients of the contribution in the orthonormal polynomials of the hypergeometric
        distribution, of degrees 1, 2, ...; 0 where the support is too small to have one.

    Returns
    -------
    mean, step, residual : float
        Expectation; its change from ``a - 1`` to ``a``; variance beyond the given degrees.
    """
    begin, weights = window(a, b, n)
    values = np.empty(weights.size)
    mean, before, mass = _first_moments(a, b, n, binary, begin, weights, values)
    lowest = a + b - n
    if lowest > 0 and a > 1:  # with one row less, one count more is possible
        k = lowest - 1.0
        value = divergence(k, (a - 1.0) * (b / n))
        if binary:
            value += divergence(a - 1.0 - k, (a - 1.0) * ((n - b) / n))
        before += max(1.0 - mass, 0.0) * value
    residual = _expand(weights, values, mean, coefficients)
    return mean, mean - before, residual


@njit(nogil=True, cache=True)
def _expand(weights, values, mean, coefficients):  # type: ignore[no-untyped-def]
    """Fill the coefficients of `values` in the orthonormal polynomials of `weights`; return the variance
    beyond them."""
    first, last = 0, weights.size
    while weights[first] < _BODY:
        first += 1
    while weights[last - 1] < _BODY:
        last -= 1
    weights, values = weights[first:last], values[first:last]
    size = weights.size
    coefficients[:] = 0.0
    if size == 1:
        return 0.0
    centre, scale, variance = 0.0, 0.0, 0.0
    for i in range(size):
        centre += weights[i] * i
    for i in range(size):
        scale += weights[i] * (i - centre) ** 2
        variance += weights[i] * (values[i] - mean) ** 2
    scale = np.sqrt(scale)
    current, previous = np.ones(size), np.zeros(size)
    beta, residual = 0.0, variance
    for degree in range(min(coefficients.size, size - 1)):
        alpha = 0.0
        for i in range(size):
            alpha += weights[i] * (i - centre) / scale * current[i] * current[i]
        norm = 0.0
        for i in range(size):
            following = ((i - centre) / scale - alpha) * current[i] - beta * previous[i]
            previous[i] = current[i]
            current[i] = following
            norm += weights[i] * following * following
        if norm < _EXHAUSTED:
            break
        beta = np.sqrt(norm)
        product = 0.0
        for i in range(size):
            current[i] /= beta
            product += weights[i] * (values[i] - mean) * current[i]
        coefficients[degree] = product
        residual -= product * product
        if residual < _SMALL * variance and degree > 0:
            break
    if size - 1 <= coefficients.size:
        residual = 0.0  # the polynomials span all functions on the support; what is left is rounding
    return max(residual, 0.0)


@njit(nogil=True, cache=True)
def null_terms(a_values, b_values, n, binary, degrees):  # type: ignore[no-untyped-def]
    """Apply `cell_moments` to every pair; return means, steps, residuals ``(a, b)`` and coefficients ``(a, b,
    degrees)``."""
    shape = (a_values.size, b_values.size)
    means, steps, residuals = np.empty(shape), np.empty(shape), np.empty(shape)
    coefficients = np.empty((shape[0], shape[1], degrees))
    for i in range(shape[0]):
        for j in range(shape[1]):
            means[i, j], steps[i, j], residuals[i, j] = cell_moments(
                a_values[i], b_values[j], n, binary, coefficients[i, j]
            )
    return means, steps, residuals, coefficients


@njit(nogil=True, cache=True)
def _deviation(a, b, n):  # type: ignore[no-untyped-def]
    share = np.float64(b) / n
    return np.sqrt(a * ((n - a) / max(n - 1.0, 1.0)) * share * (1.0 - share))


@njit(nogil=True, cache=True)
def _odds_factor(a, lost, n):  # type: ignore[no-untyped-def]
    """Return ``(a - lost) / (n - a - lost)``; 0 where there is no polynomial of that degree."""
    above, below = np.float64(a - lost), np.float64(n - a - lost)
    return above / below if above > 0.0 and below > 0.0 else 0.0


@njit(nogil=True, cache=True)
def linear_slopes(a_values, a_times, b_values, n, linear):  # type: ignore[no-untyped-def]
    """Return the slope of ``h`` per row of each class, over all values, from its coefficients of degree 1."""
    slopes = np.zeros(b_values.size)
    for g in range(b_values.size):
        product, scale = 0.0, 0.0
        for i in range(a_values.size):
            sd = _deviation(a_values[i], b_values[g], n)
            product += a_times[i] * linear[i, g] * sd
            scale += a_times[i] * sd * sd
        if scale > 0.0:
            slopes[g] = product / scale
    return slopes


@njit(nogil=True, cache=True)
def sum_variance(a_values, a_times, a_squares, b_values, b_times, n, binary, coefficients, residuals):  # type: ignore[no-untyped-def]
    """Return the variance of the sum of ``h`` over a table, from what `null_terms` says of its cells.

    The values of each distinct count are given by the sum of their weights and the sum of the squares of these.

    The part of degree j of cells (v, l) and (w, m) has correlation ``s(v, w) r(l, m)`` (see `NullTable`).
    What is linear in the counts with one slope per class adds up to a constant, so it is taken off first:
    what is left of degree 1 is small, and no large variances cancel.
    """
    rows, groups, degrees = coefficients.shape
    slopes = linear_slopes(a_values, a_times, b_values, n, coefficients[:, :, 0])
    total = 0.0
    for i in range(rows):
        total += a_squares[i] * residuals[i]
    value_odds, class_odds, sign = np.ones(rows), np.ones(groups), 1.0
    for j in range(degrees):
        sign = -sign
        for g in range(groups):
            # with two classes, the one function of the count already holds both cells
            class_odds[g] = 0.0 if binary else class_odds[g] * _odds_factor(b_values[g], j, n)
        sums = np.zeros(groups)
        for i in range(rows):
            value_odds[i] *= _odds_factor(a_values[i], j, n)
            same, crossed = 0.0, 0.0
            for g in range(groups):
                c = coefficients[i, g, j]
                if j == 0:
                    c -= slopes[g] * _deviation(a_values[i], b_values[g], n)
                same += b_times[g] * c * c * (1.0 - sign * class_odds[g])
                crossed += b_times[g] * c * np.sqrt(class_odds[g])
                sums[g] += a_times[i] * c * np.sqrt(value_odds[i])
            total += a_squares[i] * (same + sign * crossed * crossed) * (1.0 - sign * value_odds[i])
        same, crossed = 0.0, 0.0
        for g in range(groups):
            same += b_times[g] * sums[g] * sums[g] * (1.0 - sign * class_odds[g])
            crossed += b_times[g] * sums[g] * np.sqrt(class_odds[g])
        total += sign * same + crossed * crossed
    return total
