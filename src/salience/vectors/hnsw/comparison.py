"""Orders beside each other, and recall beside dimension, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from salience.measures.association import spearman
from salience.measures.crossed import crossed_bootstrap_mean
from salience.measures.resampling import bootstrap

__all__ = ["Comparison", "compared", "correlation"]

Floats = NDArray[np.float64]
LEVELS = (0.025, 0.975)
CORRELATIONS = 500  # replicates of a rank correlation, each of which sorts


@dataclass(frozen=True)
class Comparison:
    """The table of the orders, and how far they are apart."""

    table: pl.DataFrame
    spread: float
    interval: tuple[float, float]


def compared(recalls: Floats, orders: Sequence[str], reference: str, n: int, seed: int) -> Comparison:
    """Compare orders with the reference, query by query and seed by seed.

    Parameters
    ----------
    recalls : ndarray, shape (orders, seeds, queries)
    orders : sequence of str
    reference : str
        One of the orders.
    n, seed : int
        Of the bootstrap over queries and seeds.
    """
    drawn = crossed_bootstrap_mean(recalls.transpose(2, 1, 0), n=n, rng=seed)
    mean, replicates = np.asarray(drawn.estimate), drawn.replicates
    at = orders.index(reference)
    lo, hi = np.quantile(replicates, LEVELS, axis=0).clip(0, 1)
    gap_lo, gap_hi = np.quantile(replicates - replicates[:, [at]], LEVELS, axis=0)
    by_seed = recalls.mean(axis=2)
    verdicts = np.where(gap_lo > 0, "better", np.where(gap_hi < 0, "worse", "not distinguishable")).tolist()
    verdicts[at] = "reference"
    table = pl.DataFrame(
        {
            "order": list(orders), "recall": mean, "lo": lo, "hi": hi, "least": by_seed.min(axis=1),
            "most": by_seed.max(axis=1), "difference": mean - mean[at], "difference_lo": gap_lo,
            "difference_hi": gap_hi, "verdict": verdicts,
        }
    )  # fmt: skip
    best, worst = int(mean.argmax()), int(mean.argmin())
    ends = np.quantile(replicates[:, best] - replicates[:, worst], LEVELS)
    return Comparison(
        table.sort("recall", descending=True, maintain_order=True),
        float(mean[best] - mean[worst]),
        (float(ends[0]), float(ends[1])),
    )


def correlation(dimension: Floats, recall: Floats, n: int, seed: int) -> tuple[float, float, float]:
    """Spearman's correlation over the queries and its interval; NaN where either does not vary."""
    known = np.isfinite(dimension)
    if known.sum() < 3 or np.ptp(recall[known]) == 0 or np.ptp(dimension[known]) == 0:
        return np.nan, np.nan, np.nan
    drawn = bootstrap(spearman, dimension[known], recall[known], n=min(n, CORRELATIONS), rng=seed)
    lo, hi = drawn.interval()
    return float(drawn.estimate), float(lo), float(hi)
