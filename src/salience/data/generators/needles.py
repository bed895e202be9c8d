"""Needles in a haystack: few columns decide the label, the others are noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from salience.data.generators.drawing import Truth

__all__ = ["AutoML", "NaiveNeedle", "Needle", "TripleNeedle", "Xor"]


def _uniform_columns(
    names: list[str], rows: int, low: int, high: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    # every column owns its memory: a label derived from one of them can never write through it
    return {name: rng.integers(low, high, size=rows, dtype=np.int32) for name in names}


def _check_planted(planted: tuple[str, ...], names: list[str], least: int) -> None:
    absent = [p for p in planted if p not in names]
    if absent or len(set(planted)) < max(least, len(planted)):
        raise ValueError(
            f"planted must name at least {least} different column(s) out of {names[0]} to {names[-1]}, "
            f"got {planted!r}; raise `columns` or choose other names"
        )


@dataclass(frozen=True)
class NaiveNeedle:
    """One column of integers 10..99 decides the label: 1 where it is at least 40.

    The generator of the original writes the label through a view of that column, so the column *becomes* the
    label there. Here it keeps its 90 values.

    Parameters
    ----------
    columns : int, default 100
        Number of features ``f0``, ``f1``, ...
    planted : str, default "f30"
        The needle.
    label : str, default "label"
        Name of the label.
    """

    columns: int = 100
    planted: str = "f30"
    label: str = "label"

    def __post_init__(self) -> None:
        _check_planted((self.planted,), self.names, 1)

    @property
    def names(self) -> list[str]:
        """Names of the features."""
        return [f"f{i}" for i in range(self.columns)]

    @property
    def truth(self) -> Truth:
        """The planted column."""
        return ((self.planted,),)

    def draw(self, rows: int, rng: np.random.Generator, first: int = 0) -> pl.DataFrame:
        """Draw rows."""
        data = _uniform_columns(self.names, rows, 10, 100, rng)
        data[self.label] = (data[self.planted] >= 40).astype(np.int32)
        return pl.DataFrame(data)


@dataclass(frozen=True)
class Needle:
    """The label is the sum of two or more columns of integers 10..99: a pair, or a triple, that must be
    found.

    Parameters
    ----------
    columns : int, default 100
        Number of features.
    planted : tuple of str, default ("f30", "f50")
        The columns that are summed; a triple is `TripleNeedle`.
    label : str, default "label"
        Name of the label. It has ``90 k - k + 1`` values for k planted columns.
    """

    columns: int = 100
    planted: tuple[str, ...] = ("f30", "f50")
    label: str = "label"

    def __post_init__(self) -> None:
        _check_planted(self.planted, self.names, 2)

    @property
    def names(self) -> list[str]:
        """Names of the features."""
        return [f"f{i}" for i in range(self.columns)]

    @property
    def truth(self) -> Truth:
        """The planted combination."""
        return (tuple(self.planted),)

    def draw(self, rows: int, rng: np.random.Generator, first: int = 0) -> pl.DataFrame:
        """Draw rows."""
        data = _uniform_columns(self.names, rows, 10, 100, rng)
        data[self.label] = np.stack([data[p] for p in self.planted]).sum(axis=0, dtype=np.int32)
        return pl.DataFrame(data)


@dataclass(frozen=True)
class TripleNeedle(Needle):
    """The same with a triple, as in the original's benchmark; the parameters are those of `Needle`."""

    planted: tuple[str, ...] = ("f20", "f30", "f50")


@dataclass(frozen=True)
class Xor:
    """The label is the exclusive or of fair bits: each of them alone carries nothing.

    Parameters
    ----------
    columns : int, default 20
        Number of features, all fair bits.
    planted : tuple of str, default ("f3", "f7")
        The bits that are combined.
    flip : float, default 0.0
        Share of labels that are flipped.
    label : str, default "label"
        Name of the label.
    """

    columns: int = 20
    planted: tuple[str, ...] = ("f3", "f7")
    flip: float = 0.0
    label: str = "label"

    def __post_init__(self) -> None:
        _check_planted(self.planted, self.names, 2)
        if not 0 <= self.flip <= 0.5:
            raise ValueError(f"flip is a share of labels from 0 to 0.5, got {self.flip}")

    @property
    def names(self) -> list[str]:
        """Names of the features."""
        return [f"f{i}" for i in range(self.columns)]

    @property
    def truth(self) -> Truth:
        """The planted combination."""
        return (tuple(self.planted),)

    def draw(self, rows: int, rng: np.random.Generator, first: int = 0) -> pl.DataFrame:
        """Draw rows."""
        data = _uniform_columns(self.names, rows, 0, 2, rng)
        parity: np.ndarray = np.bitwise_xor.reduce(np.stack([data[p] for p in self.planted]), axis=0)
        data[self.label] = parity ^ (rng.random(rows) < self.flip).astype(np.int32)
        return pl.DataFrame(data)


@dataclass(frozen=True)
class AutoML:
    """120 categorical columns, three of them with an effect, two of them only together: the search for a
    model.

    The logit of the label is the sum of three effects, one for each planted single (a normal number for
    every value, times `effect`), of ``+-interaction`` by the exclusive or of a fair bit of each value of the
    pair, and of normal noise. Cardinalities grow geometrically from 2 to 5000 over the columns (those of the
    pair are made even). The effects are drawn once, from `world`; the rows come from the seed of `generate`.

    Parameters
    ----------
    columns : int, default 120
        Number of features.
    largest : int, default 5000
        Cardinality of the largest column.
    singles : tuple of str, default ("c20", "c50", "c80")
        Columns with an effect of their own.
    pair : tuple of str, default ("c10", "c30")
        Columns whose exclusive or has an effect.
    effect, interaction, noise : float
        Size of the effects of a single and of the pair, and standard deviation of the noise, on the logit.
    world : int, default 0
        Seed of the effects.
    label : str, default "label"
        Name of the label.
    """

    columns: int = 120
    largest: int = 5000
    singles: tuple[str, ...] = ("c20", "c50", "c80")
    pair: tuple[str, str] = ("c10", "c30")
    effect: float = 1.2
    interaction: float = 1.5
    noise: float = 0.5
    world: int = 0
    label: str = "label"

    def __post_init__(self) -> None:
        _check_planted((*self.singles, *self.pair), list(self.cardinalities), 3)

    @property
    def cardinalities(self) -> dict[str, int]:
        """Number of values of every feature."""
        sizes = np.geomspace(2, self.largest, self.columns).round().astype(int)
        named = {f"c{i}": int(size) for i, size in enumerate(sizes)}
        # a fair bit per value needs an even number of values; with an odd one the columns of the pair would
        # show alone
        return named | {name: size + size % 2 for name, size in named.items() if name in self.pair}

    @property
    def truth(self) -> Truth:
        """The planted singles, then the planted pair."""
        return (*((single,) for single in self.singles), tuple(self.pair))

    def draw(self, rows: int, rng: np.random.Generator, first: int = 0) -> pl.DataFrame:
        """Draw rows."""
        sizes = self.cardinalities
        data = {name: rng.integers(0, size, size=rows, dtype=np.int32) for name, size in sizes.items()}
        effects = np.random.default_rng([self.world, 0])
        logit = self.noise * rng.standard_normal(rows)
        for single in self.singles:
            logit += self.effect * effects.standard_normal(sizes[single])[data[single]]
        bits = [_fair_bits(sizes[name], effects)[data[name]] for name in self.pair]
        logit += self.interaction * (2.0 * (bits[0] ^ bits[1]) - 1.0)
        data[self.label] = (rng.random(rows) < 1 / (1 + np.exp(-logit))).astype(np.int32)
        return pl.DataFrame(data)


def _fair_bits(size: int, rng: np.random.Generator) -> np.ndarray:
    return rng.permutation(np.arange(size, dtype=np.int32) % 2)
