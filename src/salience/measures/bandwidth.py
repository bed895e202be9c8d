"""How wide a kernel should be: rules that take one sample per row.

All are standard deviations of the kernel, in the unit of the sample.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray
from scipy.fft import dct
from scipy.optimize import brentq

__all__ = ["BANDWIDTHS", "bandwidths", "isj", "scott", "silverman"]

Floats: TypeAlias = NDArray[np.float64]

QUARTILES_OF_A_NORMAL = 1.3489795003921634  # distance between the quartiles, in standard deviations
MESH = 1 << 10  # cells on which Botev's rule looks at the spectrum of a sample
FEW_VALUES = 50  # the least sample that Botev's rule reckons with
STAGES = 7  # derivatives it passes through; 5 stages after the first, as Botev recommends


def bandwidths(samples: ArrayLike, rule: str | float = "silverman") -> Floats:
    """The bandwidth of each sample; Silverman's where the rule finds none.

    Parameters
    ----------
    samples : array-like of float, shape (c, n)
        One sample per row, finite.
    rule : {"silverman", "scott", "isj", "isj-kdepy"} or float, default="silverman"
        A number is taken as it is.

    Returns
    -------
    ndarray of float64, shape (c,)
        0 where a sample is constant and the rule is not a number.

    Raises
    ------
    ValueError
        When the rule is unknown, or the number is not positive and finite.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(1, 1000))
    >>> bandwidths(x).round(2), bandwidths(x, 1.0)
    (array([0.26]), array([1.]))
    """
    rows = np.atleast_2d(np.asarray(samples, dtype=np.float64))
    if isinstance(rule, str):
        if rule not in BANDWIDTHS:
            raise ValueError(f"bandwidth={rule!r} is unknown; use a number or one of {', '.join(BANDWIDTHS)}")
        found = BANDWIDTHS[rule](rows)
        failed = ~(found > 0)
        if failed.any():
            found[failed] = silverman(rows[failed])
        return found
    if not (np.isfinite(rule) and rule > 0):
        raise ValueError(f"bandwidth={rule!r} must be a positive number, or one of {', '.join(BANDWIDTHS)}")
    return np.full(len(rows), float(rule))


def scott(rows: Floats) -> Floats:
    """``s n^(-1/5)``, s the smaller of standard deviation and quartile distance / 1.349.

    Examples
    --------
    >>> scott(np.arange(9.0)[None]).round(4)
    array([1.7647])
    """
    n = rows.shape[1]
    deviation = rows.std(axis=1, ddof=1) if n > 1 else np.zeros(len(rows))
    ordered = np.sort(rows, axis=1)
    spread = (_quantile(ordered, 0.75) - _quantile(ordered, 0.25)) / QUARTILES_OF_A_NORMAL
    # more than half of the values are equal: the quartiles say nothing
    spread = np.where(spread > 0, np.minimum(spread, deviation), deviation)
    return np.asarray(spread * n ** (-1 / 5))


def silverman(rows: Floats) -> Floats:
    """``s (3n/4)^(-1/5)``, s as in `scott`: the best width for a normal sample.

    Examples
    --------
    >>> silverman(np.arange(9.0)[None]).round(4)
    array([1.8693])
    """
    return np.asarray(scott(rows) * (3 / 4) ** (-1 / 5))


def isj(rows: Floats) -> Floats:
    """Improved Sheather and Jones: the fixed point of the mean squared error (Botev, Grotowski, Kroese 2010).

    It makes no assumption about the shape, so it follows several modes; NaN where it finds no fixed point, and on
    ties of fewer than 50 values, where it finds one as it happens.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=2000)
    >>> two = np.concatenate([x - 20, x + 20])
    >>> bool(isj(two[None])[0] < 0.1 * silverman(two[None])[0])
    True
    """
    return np.array([_fixed_point(row, margin=0.5 * float(np.ptp(row)))[0] for row in rows])


def isj_kdepy(rows: Floats) -> Floats:
    """What KDEpy 1.1.12 gives for the same rule: `isj` times (range of the sample / range of the mesh).

    Botev's width is in units of the mesh; KDEpy multiplies by the range of the sample, and is 2 to 3 times too
    small on standardised data. Kept because information on such densities is less biased, and was reported so.
    """
    found = []
    for row in rows:
        length = float(np.ptp(row))
        width, mesh = _fixed_point(row, margin=max(0.5 * length, 6.0))
        found.append(width * length / mesh)
    return np.array(found)


# Where a rule is looked up by its name.
BANDWIDTHS: dict[str, Callable[[Floats], Floats]] = {
    "silverman": silverman,
    "scott": scott,
    "isj": isj,
    "isj-kdepy": isj_kdepy,
}


def _quantile(ordered: Floats, share: float) -> Floats:
    """Linear between neighbours, as numpy's default."""
    at = share * (ordered.shape[1] - 1)
    low = int(at)
    high = min(low + 1, ordered.shape[1] - 1)
    return np.asarray(ordered[:, low] + (at - low) * (ordered[:, high] - ordered[:, low]))


def _fixed_point(row: Floats, margin: float) -> tuple[float, float]:
    """The bandwidth of one sample, and the length of the mesh it was found on."""
    distinct = len(np.unique(row))
    if distinct < min(len(row), FEW_VALUES) or distinct < 3:
        return np.nan, 1.0
    low, high = row.min() - margin, row.max() + margin
    mesh = float(high - low)
    place = (row - low) / (mesh / (MESH - 1))
    cell = place.astype(np.int64)
    share = np.bincount(cell, 1 - (place - cell), MESH) + np.bincount(cell + 1, place - cell, MESH)
    power = dct(share / len(row))[1:] ** 2
    t = _root(distinct, power)
    return float(np.sqrt(t) * mesh), mesh


def _root(n: int, power: Floats) -> float:
    """The least root of ``t - xi gamma(t)``: the bracket grows until there is one; NaN when there is none."""
    known = min(max(n, 50), 1050)
    end = 1e-11 + 0.01 * (known - 50) / 1000
    while end < 1:
        if _gap(end, n, power) > 0 > _gap(0.0, n, power):
            found = brentq(_gap, 0, end, args=(n, power))
            return float(found) if found > 0 else np.nan
        end *= 2
    return np.nan


@njit(nogil=True, cache=True, error_model="numpy")
def _gap(t, n, power):  # type: ignore[no-untyped-def]
    """``t - xi gamma^[5](t)`` of Botev et al.; `power` are the squared cosine coefficients 1, 2, ..."""
    norm = _derivative(STAGES, t, power)
    if norm <= 0:
        return -1.0
    for s in range(STAGES - 1, 1, -1):
        odd = 1.0
        for k in range(1, 2 * s, 2):
            odd *= k
        scale = (1 + 0.5 ** (s + 0.5)) / 3 * odd / np.sqrt(2 * np.pi)
        norm = _derivative(s, (2 * scale / (n * norm)) ** (2 / (3 + 2 * s)), power)
    return t - (2 * n * np.sqrt(np.pi) * norm) ** (-2 / 5)


@njit(nogil=True, cache=True, error_model="numpy")
def _derivative(s, t, power):  # type: ignore[no-untyped-def]
    """Squared norm of the s-th derivative of the sample smoothed to time t."""
    total = 0.0
    for k in range(len(power)):
        square = float((k + 1) * (k + 1))
        damping = square * np.pi**2 * t
        if damping > 745:  # exp() is 0 from here on
            break
        total += square**s * power[k] * np.exp(-damping)
    return 0.5 * np.pi ** (2 * s) * total
