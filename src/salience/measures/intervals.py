"""Intervals from bootstrap replicates: percentile, basic, and bias-corrected and accelerated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

__all__ = ["bootstrap_intervals"]

Floats: TypeAlias = NDArray[np.float64]


def bootstrap_intervals(
    replicates: ArrayLike,
    level: float = 0.95,
    *,
    method: str = "percentile",
    estimate: ArrayLike | None = None,
    jackknife: ArrayLike | None = None,
) -> tuple[Any, Any]:
    """Return the lower and upper ends of bootstrap intervals.

    Parameters
    ----------
    replicates : array-like, shape (n,) or (n, m)
    level : float, default=0.95
    method : {"percentile", "basic", "bca"}
        ``"bca"`` (Efron, 1987) corrects bias and skewness; it needs `estimate` and `jackknife`.
    estimate : array-like, shape () or (m,), optional
        The statistic on the data; needed by "basic" and "bca".
    jackknife : array-like, shape (units,) or (units, m), optional
        The statistic without each unit; needed by "bca".

    Returns
    -------
    low, high : float or ndarray, shape (m,)

    Raises
    ------
    ValueError
        When `method` is unknown or lacks what it needs, or `level` is not between 0 and 1.

    Examples
    --------
    >>> low, high = bootstrap_intervals(np.arange(101.0), 0.9)
    >>> round(float(low), 6), round(float(high), 6)
    (5.0, 95.0)
    """
    if not 0 < level < 1:
        raise ValueError(f"level={level}; it must be between 0 and 1, as in 0.95")
    if method not in _INTERVALS:
        raise ValueError(
            f"method={method!r} is unknown; it must be one of {', '.join(map(repr, _INTERVALS))}"
        )
    draws = np.asarray(replicates, dtype=np.float64)
    if len(draws) < 2:
        raise ValueError(f"there are {len(draws)} replicates; an interval needs at least 2 (1000 is usual)")
    given: dict[str, Floats] = {}
    for name, value in (("estimate", estimate), ("jackknife", jackknife)):
        if value is not None and np.size(value):
            given[name] = np.asarray(value, dtype=np.float64)
    needs, formula = _INTERVALS[method]
    absent = [name for name in needs if name not in given]
    if absent:
        raise ValueError(f"method={method!r} needs {' and '.join(absent)}")
    return formula(draws, level, **{name: given[name] for name in needs})


def _percentile(draws: Floats, level: float) -> tuple[Any, Any]:
    return np.quantile(draws, (1 - level) / 2, axis=0), np.quantile(draws, (1 + level) / 2, axis=0)


def _basic(draws: Floats, level: float, estimate: Floats) -> tuple[Any, Any]:
    low, high = _percentile(draws, level)
    return 2 * estimate - high, 2 * estimate - low


def _bca(draws: Floats, level: float, estimate: Floats, jackknife: Floats) -> tuple[Any, Any]:
    below = (draws < estimate).mean(axis=0) + 0.5 * (draws == estimate).mean(axis=0)
    # at 0 and 1 the bias is infinite; half a replicate is the least that n of them can tell
    bias = ndtri(np.clip(below, 0.5 / len(draws), 1 - 0.5 / len(draws)))
    gaps = jackknife.mean(axis=0) - jackknife
    spread = (gaps**2).sum(axis=0) ** 1.5
    skew = np.divide((gaps**3).sum(axis=0), 6 * spread, out=np.zeros_like(spread), where=spread > 0)
    ends = []
    for z in (ndtri((1 - level) / 2), ndtri((1 + level) / 2)):
        at = ndtr(bias + (bias + z) / (1 - skew * (bias + z)))
        columns = draws.reshape(len(draws), -1).T
        found = [np.quantile(column, q) for column, q in zip(columns, np.ravel(at), strict=True)]
        ends.append(np.array(found).reshape(draws.shape[1:])[()])
    return ends[0], ends[1]


_INTERVALS: Mapping[str, tuple[tuple[str, ...], Callable[..., tuple[Any, Any]]]] = {
    "percentile": ((), _percentile),
    "basic": (("estimate",), _basic),
    "bca": (("estimate", "jackknife"), _bca),
}
