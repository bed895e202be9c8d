"""The data of the scale benchmark: many columns of 2 to ten million values, three of which say something."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from salience.data.generators import write
from salience.data.generators.drawing import Truth

_BLOCK_ROWS = 262_144


@dataclass(frozen=True)
class Wide:
    """Columns whose numbers of values grow geometrically; the label follows three of them.

    A value of an informative column moves the logit up or down by `effect`, a fixed coin of the value, so
    no table of effects is needed, however many values there are. Every third column is text, the others
    integers; every other one of either is skewed (a square-law of its values), the rest uniform.

    Parameters
    ----------
    columns : int
        Number of features.
    largest : int
        Values of the largest.
    planted : tuple of float
        Where the informative columns stand, as shares of the way from 2 values to `largest`.
    effect : float
        On the logit.
    label : str
    """

    columns: int = 50
    largest: int = 10_000_000
    planted: tuple[float, ...] = (0.55, 0.7, 0.85)
    effect: float = 1.2
    label: str = "y"

    @property
    def cardinalities(self) -> dict[str, int]:
        """Number of values of every feature."""
        sizes = np.geomspace(2, self.largest, self.columns).round().astype(np.int64)
        return {f"c{i:03d}": int(size) for i, size in enumerate(sizes)}

    @property
    def informative(self) -> tuple[str, ...]:
        """Names of the informative columns."""
        names = list(self.cardinalities)
        return tuple(names[round(share * (self.columns - 1))] for share in self.planted)

    @property
    def truth(self) -> Truth:
        """The informative columns."""
        return tuple((name,) for name in self.informative)

    def draw(self, rows: int, rng: np.random.Generator, first: int = 0) -> pl.DataFrame:
        """Draw rows."""
        logit = np.zeros(rows)
        data: dict[str, pl.Series] = {}
        for i, (name, size) in enumerate(self.cardinalities.items()):
            uniform = rng.random(rows)
            codes = ((uniform**2 if i % 2 else uniform) * size).astype(np.int64)
            if name in self.informative:
                logit += self.effect * _coins(codes, i)
            numbers = pl.Series(name, codes)
            data[name] = (
                pl.select(pl.lit("v") + numbers.cast(pl.String)).to_series() if i % 3 == 0 else numbers
            )
        data[self.label] = pl.Series((rng.random(rows) < 1 / (1 + np.exp(-logit))).astype(np.int8))
        return pl.DataFrame(data)


def _coins(codes: np.ndarray, column: int) -> np.ndarray:
    """-1 or 1 for each code, fixed: a multiplicative mix of code and column."""
    mixed = (codes.astype(np.uint64) + np.uint64(1 + column)) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    return (mixed >> np.uint64(63)).astype(np.float64) * 2 - 1


def parquet(folder: Path, recipe: Wide, rows: int) -> Path:
    """The file with so many rows of the recipe, written when it is not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"wide-{recipe.columns}x{rows}.parquet"
    if not path.exists():
        # A block of a wide table is smaller, so that a row group stays about as large.
        block = max(16_384, min(_BLOCK_ROWS, _BLOCK_ROWS * 50 // recipe.columns))
        write(recipe, path, rows, seed=0, block_rows=block)
    return path


def csv(parquet_file: Path) -> Path:
    """The same rows as CSV, streamed from the Parquet file when it is not there yet."""
    path = parquet_file.with_suffix(".csv")
    if not path.exists():
        beside = path.with_name(path.name + ".partial")
        pl.scan_parquet(parquet_file).sink_csv(beside)
        beside.replace(path)
    return path
