"""What a transform must know about a whole column: its bounds, moments and quantiles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

__all__ = ["GRID", "Statistics"]

#: Number of points of the quantile grid: point i is the quantile at (i + 1/2) / GRID, a value that occurs.
GRID = 1000


@dataclass(frozen=True, eq=False)
class Statistics:
    """Bounds, moments and quantiles of the finite values of a column, taken once and equal for every block.

    Attributes
    ----------
    count, missing : int
        Finite values, and rows without one.
    minimum, maximum, mean, sd : float
        Bounds, mean and population standard deviation; NaN when there is no value.
    grid : np.ndarray
        ``float64 (GRID,)``, quantiles in ascending order. Empty when there is no value.

    Examples
    --------
    >>> s = Statistics.from_values([1.0, 2.0, 3.0, float("nan")])
    >>> s.count, s.missing, s.mean, s.quantile(0.5), s.square.maximum
    (3, 1, 2.0, 2.0, 9.0)
    """

    count: int
    missing: int
    minimum: float
    maximum: float
    mean: float
    sd: float
    grid: np.ndarray = field(repr=False)

    @classmethod
    def from_values(cls, values: Any, counts: Any = None) -> Statistics:
        """From a sample ``float64 (n,)`` and how often each value occurs; what is not finite counts as
        missing.
        """
        x = np.asarray(values, dtype=np.float64).ravel()
        times = np.ones(len(x), dtype=np.int64) if counts is None else np.asarray(counts, dtype=np.int64)
        order = np.argsort(x, kind="stable")
        order = order[np.isfinite(x[order])]
        finite, times_finite = x[order], times[order]
        count = int(times_finite.sum())
        missing = int(times.sum()) - count
        if not count:
            return cls(0, missing, np.nan, np.nan, np.nan, np.nan, np.empty(0))
        at = np.searchsorted(np.cumsum(times_finite), (np.arange(GRID) + 0.5) * (count / GRID), side="left")
        with np.errstate(over="ignore", invalid="ignore"):
            mean = float(np.average(finite, weights=times_finite))
            sd = float(np.sqrt(np.average(np.square(finite - mean), weights=times_finite)))
        return cls(count, missing, float(finite[0]), float(finite[-1]), mean, sd, finite[at])

    def with_moments(self, **exact: float) -> Statistics:
        """Replace `count`, `missing`, `minimum`, `maximum`, `mean` or `sd` by what a full pass found."""
        unknown = set(exact) - {"count", "missing", "minimum", "maximum", "mean", "sd"}
        if unknown:
            raise ValueError(f"{sorted(unknown)} are none of count, missing, minimum, maximum, mean, sd")
        return replace(self, **exact)  # type: ignore[arg-type]

    def quantile(self, q: float) -> float:
        """The value below which a share `q` of the values lies (0 and 1 are the bounds)."""
        if not len(self.grid):
            return np.nan
        if q <= 0 or q >= 1:
            return self.minimum if q <= 0 else self.maximum
        return float(self.grid[min(int(q * GRID), GRID - 1)])

    def share_below(self, x: np.ndarray) -> np.ndarray:
        """The empirical distribution function at `x`, to one part in `GRID`; NaN stays NaN."""
        share = np.searchsorted(self.grid, x, side="right") / max(len(self.grid), 1)
        return np.where(np.isnan(x), np.nan, share)

    @property
    def missing_share(self) -> float:
        """Share of rows without a finite value."""
        return self.missing / max(self.count + self.missing, 1)

    @cached_property
    def absolute(self) -> Statistics:
        """The same of ``|x|``: the largest value is exact, the moments come from the grid if signs differ."""
        if self.minimum >= 0:
            return self
        folded = self._of(np.abs)
        largest = max(abs(self.minimum), abs(self.maximum))
        exact = {"mean": -self.mean, "sd": self.sd, "minimum": -self.maximum} if self.maximum <= 0 else {}
        return folded.with_moments(maximum=largest, **exact)

    @cached_property
    def square(self) -> Statistics:
        """The same of ``x²``. The largest value and the mean are exact."""
        with np.errstate(over="ignore", invalid="ignore"):
            largest = float(np.square(max(abs(self.minimum), abs(self.maximum))))
            mean = float(np.square(self.sd) + np.square(self.mean))
        return self._of(np.square).with_moments(maximum=largest, mean=mean)

    def _of(self, function: Callable[[np.ndarray], np.ndarray]) -> Statistics:
        with np.errstate(over="ignore"):
            made = Statistics.from_values(function(self.grid))
        return replace(made, count=self.count, missing=self.missing)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        moments = {
            name: getattr(self, name) for name in ("count", "missing", "minimum", "maximum", "mean", "sd")
        }
        return {**moments, "grid": self.grid.tolist()}

    @classmethod
    def from_dict(cls, described: dict[str, Any]) -> Statistics:
        """The inverse of `to_dict`."""
        return cls(**{**described, "grid": np.asarray(described["grid"], dtype=np.float64)})
