"""Intervals of means over evaluation units, of one bench or of several splits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from salience.measures.resampling import bootstrap_mean


class MeanInterval(NamedTuple):
    """A mean and its interval."""

    mean: float
    lo: float
    hi: float


def mean_intervals(
    columns: Sequence[NDArray[np.float64]], groups: NDArray[np.intp] | None, level: float, seed: int
) -> list[MeanInterval]:
    """Means over the same units and their bootstrap intervals, all from one set of draws.

    Parameters
    ----------
    columns : sequence of ndarray of float, each of shape (n,)
    groups : ndarray of int, shape (n,), or None
        The split a unit belongs to. A ranking is made once per split, so whole splits are resampled too, and
        the wider of both intervals is taken. With three splits that reaches from the worst to the best of
        them.
    level : float
    seed : int

    Returns
    -------
    list of MeanInterval
        With NaN ends for a single unit, which shows no spread at all.

    Examples
    --------
    >>> mean_intervals([np.ones(10), np.zeros(10)], None, 0.95, 0)
    [MeanInterval(mean=1.0, lo=1.0, hi=1.0), MeanInterval(mean=0.0, lo=0.0, hi=0.0)]
    """
    means = [float(units.mean()) for units in columns]
    if len(columns[0]) < 2:
        return [MeanInterval(mean, math.nan, math.nan) for mean in means]
    table = np.column_stack(columns)
    lo, hi = bootstrap_mean(table, rng=seed).interval(level)
    if groups is not None and len(np.unique(groups)) > 1:
        low, high = bootstrap_mean(table, groups=groups, rng=seed).interval(level)
        lo, hi = np.minimum(lo, low), np.maximum(hi, high)
    return [MeanInterval(*ends) for ends in zip(means, lo.tolist(), hi.tolist(), strict=True)]
