"""The interval of a mean over evaluation units, of one bench or of several splits."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from salience.measures.resampling import bootstrap_mean


class MeanInterval(NamedTuple):
    """A mean and its interval."""

    mean: float
    lo: float
    hi: float


def mean_interval(
    units: NDArray[np.float64], groups: NDArray[np.intp] | None, level: float, seed: int
) -> MeanInterval:
    """Mean over units and its bootstrap interval.

    Parameters
    ----------
    units : ndarray of float, shape (n,)
    groups : ndarray of int, shape (n,), or None
        The split a unit belongs to. A ranking is made once per split, so whole splits are resampled too, and
        the wider of both intervals is taken. With three splits that reaches from the worst to the best of
        them.
    level : float
    seed : int

    Returns
    -------
    MeanInterval
        With NaN ends for a single unit, which shows no spread at all.

    Examples
    --------
    >>> mean_interval(np.ones(10), None, 0.95, 0)
    MeanInterval(mean=1.0, lo=1.0, hi=1.0)
    """
    mean = float(units.mean())
    if len(units) < 2:
        return MeanInterval(mean, math.nan, math.nan)
    lo, hi = map(float, bootstrap_mean(units, rng=seed).interval(level))
    if groups is not None and len(np.unique(groups)) > 1:
        low, high = map(float, bootstrap_mean(units, groups=groups, rng=seed).interval(level))
        lo, hi = min(lo, low), max(hi, high)
    return MeanInterval(mean, lo, hi)
