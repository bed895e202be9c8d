"""What k successes in n draws say about a proportion: exact intervals, bounds and how many draws are enough."""

from __future__ import annotations

from math import ceil, log, log1p
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import beta, binom

__all__ = ["clopper_pearson", "draws_to_exclude", "p_below", "upper_bound"]


def clopper_pearson(k: ArrayLike, n: ArrayLike, alpha: float = 0.05) -> tuple[Any, Any]:
    """Return the Clopper-Pearson interval of a proportion, of level ``1 - alpha``.

    Parameters
    ----------
    k, n : array-like of float
        Successes and draws; effective counts need not be whole. Without draws the interval is [0, 1].
    alpha : float, default=0.05

    Returns
    -------
    low, high : float or ndarray

    Examples
    --------
    >>> [round(float(end), 4) for end in clopper_pearson(0, 29)]
    [0.0, 0.1194]
    """
    hits, draws = _counts(k, n, alpha)
    misses = draws - hits
    with np.errstate(invalid="ignore"):
        low = np.where(hits > 0, beta.ppf(alpha / 2, hits, misses + 1), 0.0)
        high = np.where(misses > 0, beta.ppf(1 - alpha / 2, hits + 1, misses), 1.0)
    return low[()], high[()]


def upper_bound(k: ArrayLike, n: ArrayLike, alpha: float = 0.05) -> Any:
    """Return the one-sided upper bound of a proportion at confidence ``1 - alpha``.

    Examples
    --------
    >>> bool(upper_bound(0, 29) < 0.1 < upper_bound(0, 28))
    True
    """
    hits, draws = _counts(k, n, alpha)
    misses = draws - hits
    with np.errstate(invalid="ignore"):
        return np.where(misses > 0, beta.ppf(1 - alpha, hits + 1, misses), 1.0)[()]


def p_below(k: ArrayLike, n: ArrayLike, eps: float) -> Any:
    """Return P(Bin(n, eps) <= k): small when the proportion is below `eps`.

    Examples
    --------
    >>> round(float(p_below(0, 29, 0.1)), 4)
    0.0471
    """
    return binom.cdf(np.asarray(k, dtype=np.float64), np.asarray(n, dtype=np.float64), eps)


def draws_to_exclude(eps: float, alpha: float = 0.05) -> int:
    """How many draws without a success say that the proportion is below `eps`: ``n >= ln(alpha) / ln(1 - eps)``.

    Raises
    ------
    ValueError
        When `eps` or `alpha` is not between 0 and 1.

    Examples
    --------
    >>> draws_to_exclude(0.1)
    29
    """
    for name, value in (("eps", eps), ("alpha", alpha)):
        if not 0 < value < 1:
            raise ValueError(f"{name}={value}; it must be between 0 and 1, as in 0.05")
    return ceil(log(alpha) / log1p(-eps))


def _counts(k: ArrayLike, n: ArrayLike, alpha: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if not 0 < alpha < 1:
        raise ValueError(f"alpha={alpha}; it must be between 0 and 1, as in 0.05")
    hits, draws = np.broadcast_arrays(np.asarray(k, dtype=np.float64), np.asarray(n, dtype=np.float64))
    if np.any(hits < 0) or np.any(hits > draws):
        raise ValueError("successes must lie between 0 and the number of draws")
    return hits, draws
