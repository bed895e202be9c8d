"""The interval of a mean over evaluation units, of one bench or of several splits."""

from __future__ import annotations

from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class MeanInterval(NamedTuple):
    """A mean and its interval."""

    mean: float
    lo: float
    hi: float


def mean_interval(
    units: NDArray[np.float64], groups: NDArray[np.intp] | None, level: float, seed: int
) -> MeanInterval:
    """Mean over units and its interval; `groups` are the splits that units belong to."""
    mean = float(units.mean())
    se = float(units.std(ddof=1) / np.sqrt(len(units))) if len(units) > 1 else np.nan
    reach = NormalDist().inv_cdf(0.5 + level / 2) * se
    return MeanInterval(mean, mean - reach, mean + reach)
