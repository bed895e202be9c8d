"""Sums of floats that do not depend on the order of the terms."""

from __future__ import annotations

import math
from fractions import Fraction

__all__ = ["UNIT_BITS", "exact", "ratio"]

UNIT_BITS = 1074
"""Every finite float is a whole number of units of 2**-1074."""


def exact(value: float) -> int:
    """Return a finite float as a whole number of units of ``2**-1074``: integers add up without rounding.

    Raises
    ------
    ValueError, OverflowError
        When it is NaN or infinite.

    Examples
    --------
    >>> total = exact(1e16) + exact(1.0) - exact(1e16)
    >>> ratio(total, 1)
    1.0
    """
    numerator, denominator = value.as_integer_ratio()
    return numerator << (UNIT_BITS - denominator.bit_length() + 1)


def ratio(units: int, divisor: int, products: int = 1) -> float:
    """Return a sum of units over a divisor as the nearest float.

    Parameters
    ----------
    units : int
        A sum of `exact` values, or of products of them.
    divisor : int
    products : int, default=1
        Factors in each product: 2 for squares.

    Examples
    --------
    >>> ratio(exact(0.5) * exact(0.5), 2, products=2)
    0.125
    """
    if units == 0 or divisor == 0:
        return 0.0 if divisor else math.nan
    return float(Fraction(units, divisor << (UNIT_BITS * products)))
