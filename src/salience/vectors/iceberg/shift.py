"""Two orders of the same configurations: how far they agree, and which pairs change places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import ArrayLike
from scipy.stats import kendalltau

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["RankShift"]


@dataclass(frozen=True)
class RankShift:
    """Configurations by one measure and by another.

    Attributes
    ----------
    table : polars.DataFrame
        ``configuration``, both measures, and their ranks (1 is best; equal values share the best rank).
    tau : float
        Kendall's tau-b of both measures: 1 is the same order. Where one of them is the same for all, 1 if the other is
        too and else 0, for then it orders nothing.
    inversions : polars.DataFrame
        ``first`` (better by the first measure), ``second`` (better by the second), and what each measure says of both.
    """

    table: pl.DataFrame
    tau: float
    inversions: pl.DataFrame

    @classmethod
    def between(
        cls, names: Sequence[str], first: ArrayLike, second: ArrayLike, by: tuple[str, str]
    ) -> RankShift:
        """Compare two measures of configurations, high is good in both.

        Examples
        --------
        >>> shift = RankShift.between(["a", "b", "c"], [0.9, 0.8, 0.7], [0.1, 0.3, 0.2], by=("recall", "task"))
        >>> round(shift.tau, 3), shift.inversions["first"].to_list()
        (-0.333, ['a', 'a'])
        """
        one, two = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
        if not len(names) == len(one) == len(two):
            raise ValueError(
                f"there are {len(names)} names for {len(one)} and {len(two)} values; give one each"
            )
        table = pl.DataFrame({"configuration": list(names), by[0]: one, by[1]: two}).with_columns(
            *(pl.col(name).rank("min", descending=True).cast(pl.Int64).alias(f"rank_{name}") for name in by)
        )
        better, other = np.nonzero((one[:, None] > one) & (two[:, None] < two))
        inversions = pl.DataFrame(
            {
                "first": [names[i] for i in better.tolist()],
                "second": [names[j] for j in other.tolist()],
                f"{by[0]}_first": one[better], f"{by[0]}_second": one[other],
                f"{by[1]}_first": two[better], f"{by[1]}_second": two[other],
            },
            schema_overrides={"first": pl.String, "second": pl.String},
        )  # fmt: skip
        return cls(table, _tau(one, two), inversions)

    def plot(self, ax: Axes | None = None) -> Axes:
        """A line per configuration from one rank to the other."""
        from salience.vectors.iceberg.pictures import draw_shift

        return draw_shift(self, ax)

    def __str__(self) -> str:
        by = self.table.columns[1:3]
        lines = [f"tau {self.tau:.2f} between the orders by {by[0]} and by {by[1]}"]
        lines += [
            f"  {row['first']} beats {row['second']} by {by[0]} ({row[f'{by[0]}_first']:.3f} to "
            f"{row[f'{by[0]}_second']:.3f}), and loses by {by[1]} ({row[f'{by[1]}_first']:.3f} to "
            f"{row[f'{by[1]}_second']:.3f})"
            for row in self.inversions.rows(named=True)
        ]
        return "\n".join(lines)


def _tau(one: np.ndarray, two: np.ndarray) -> float:
    flat = [bool((values == values[:1]).all()) for values in (one, two)]
    if any(flat):
        return 1.0 if all(flat) else 0.0
    return float(kendalltau(one, two).statistic)
