"""The interval of a mean over evaluation units, of one bench or of several splits."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

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
        the wider of both intervals is taken. A few splits show too little of their spread: the bootstrap over
        k of them is widened by ``sqrt(k / (k - 1))`` and Student's quantile.
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
    splits = 0 if groups is None else len(np.unique(groups))
    if splits > 1:
        spread = bootstrap_mean(units, groups=groups, rng=seed).se * math.sqrt(splits / (splits - 1))
        reach = float(t.ppf(0.5 + level / 2, splits - 1)) * float(spread)
        lo, hi = min(lo, mean - reach), max(hi, mean + reach)
    return MeanInterval(mean, lo, hi)
