"""The information-loss funnel: three losses that add up to what the task did not get."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from salience.measures.resampling import bootstrap_intervals, bootstrap_mean

__all__ = ["LAYERS", "Funnel", "Worth"]

Floats: TypeAlias = NDArray[np.float64]

LAYERS = ("embedding", "metric", "index")


@dataclass(frozen=True)
class Worth:
    """Shares, each a sum over queries of what was found over the sum of what was possible, with replicates.

    Attributes
    ----------
    estimate : ndarray of float64, shape (c,)
    replicates : ndarray of float64, shape (B, c)
        Of all columns for the same draws of queries, so that differences are paired.
    """

    estimate: Floats
    replicates: Floats

    @classmethod
    def of(cls, found: Floats, possible: Floats, n: int, rng: Any) -> Worth:
        """Bootstrap over queries, from their sums: nothing is searched again.

        Parameters
        ----------
        found : float (c, m)
            What each query found in each of c configurations.
        possible : float (m,)
            Above 0.
        n : int
            Replicates.
        rng : Generator or int

        Examples
        --------
        >>> Worth.of(np.array([[1.0, 2.0]]), np.array([2.0, 2.0]), 10, 0).estimate
        array([0.75])
        """
        drawn = bootstrap_mean(np.column_stack([found.T, possible]), n=n, rng=rng)
        total = np.asarray(drawn.estimate)
        return cls(total[:-1] / total[-1], drawn.replicates[:, :-1] / drawn.replicates[:, -1:])


@dataclass(frozen=True)
class Funnel:
    """Losses of configurations, each with its replicates.

    Attributes
    ----------
    losses : ndarray of float64, shape (3, c)
        Of the embedding, the metric and the index; a column sums to 1 less the worth of the configuration.
    replicates : ndarray of float64, shape (B, 3, c)
    """

    losses: Floats
    replicates: Floats

    @classmethod
    def of(cls, exact: Sequence[int], searched: Sequence[int], used: Sequence[int], worth: Worth) -> Funnel:
        r"""Split what configurations lose.

        .. math::
            L_1 = 1 - \max_m U(\mathrm{exact}_m), \quad
            L_2 = \max_m U(\mathrm{exact}_m) - U(\mathrm{exact}_{used}), \quad
            L_3 = U(\mathrm{exact}_{used}) - U(\mathrm{ann})

        Parameters
        ----------
        exact : sequence of int
            Columns of `worth` with exact search, one per metric.
        searched : sequence of int
            Columns of the configurations.
        used : sequence of int
            For each configuration the column with exact search by its metric.
        worth : Worth
        """
        return cls(
            _split(worth.estimate[None], exact, searched, used)[0],
            _split(worth.replicates, exact, searched, used),
        )

    def frame(self, names: Sequence[Mapping[str, str]]) -> pl.DataFrame:
        """A row per configuration and layer: ``layer``, ``loss``, ``lo``, ``hi``."""
        lo, hi = bootstrap_intervals(self.replicates)
        return pl.DataFrame(
            [
                {
                    **name,
                    "layer": layer,
                    "loss": float(self.losses[i, j]),
                    "lo": float(lo[i, j]),
                    "hi": float(hi[i, j]),
                }
                for j, name in enumerate(names)
                for i, layer in enumerate(LAYERS)
            ]
        )


def _split(worth: Floats, exact: Sequence[int], searched: Sequence[int], used: Sequence[int]) -> Floats:
    best = worth[:, list(exact)].max(axis=1, keepdims=True)
    own, got = worth[:, list(used)], worth[:, list(searched)]
    return np.stack([np.broadcast_to(1 - best, own.shape), best - own, own - got], axis=1)
