"""Categorical classification as a recipe: what `CategoricalClassification` builds in memory, at any length."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from salience.data.generators.classification import CategoricalClassification
from salience.data.generators.drawing import Truth
from salience.data.generators.relations import RELATIONS, find

__all__ = ["Categorical"]

_REFERENCE_ROWS = 50_000  # from which the middle of the decision is taken
Shares = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Categorical:
    """Categorical columns with a bell of frequencies each; a relation of some of them decides a label of two classes.

    Parameters
    ----------
    columns : int, default 20
        Number of features ``f0``, ``f1``, ...
    planted : tuple of str, default ("f2", "f5", "f11")
        The columns that decide.
    cardinality : int, default 8
        Values of each column.
    relation : {"linear", "nonlinear"}, default "linear"
        How they decide: the label is 1 where it exceeds its median.
    noise : float, default 0.1
        Share of the labels that are drawn anew.
    world : int, default 0
        Seed of the frequencies, which all rows share.
    label : str, default "label"
        Name of the label.

    Examples
    --------
    >>> from salience.data.generators import generate
    >>> planted = generate(Categorical(columns=12), rows=200)
    >>> planted.frame.shape, planted.singles
    ((200, 13), ('f2', 'f5', 'f11'))
    """

    columns: int = 20
    planted: tuple[str, ...] = ("f2", "f5", "f11")
    cardinality: int = 8
    relation: str = "linear"
    noise: float = 0.1
    world: int = 0
    label: str = "label"

    def __post_init__(self) -> None:
        names = [f"f{i}" for i in range(self.columns)]
        absent = [name for name in self.planted if name not in names]
        if absent or not self.planted:
            raise ValueError(
                f"planted must name columns out of f0 to f{self.columns - 1}, got {self.planted!r}"
            )
        if self.cardinality < 2 or not 0 <= self.noise <= 1:
            raise ValueError(
                f"cardinality={self.cardinality} and noise={self.noise}: at least 2 values, and a share from 0 to 1"
            )
        find(self.relation, RELATIONS, "relation")

    @property
    def truth(self) -> Truth:
        """The columns that decide, each an effect of its own."""
        return tuple((name,) for name in self.planted)

    @cached_property
    def structure(self) -> dict[int | tuple[int, ...], Shares]:
        """Values and shares of each column."""
        rng = np.random.default_rng(self.world)
        values = np.arange(self.cardinality)
        centres = rng.permuted(np.resize(values, self.columns))
        bells = [np.exp(-8.0 * ((values - centre) / len(values)) ** 2) for centre in centres]
        return {i: (values, bell / bell.sum()) for i, bell in enumerate(bells)}

    @cached_property
    def threshold(self) -> float:
        """The median of the decision: one for all blocks."""
        drawn = self._drawn(_REFERENCE_ROWS, np.random.default_rng([self.world, 1]))
        return float(np.median(self._decision(drawn)))

    def draw(self, rows: int, rng: np.random.Generator, first: int = 0) -> pl.DataFrame:
        """Draw rows."""
        data = self._drawn(rows, rng)
        label = (self._decision(data) > self.threshold).astype(np.int32)
        anew = rng.random(rows) < self.noise
        label[anew] = rng.integers(2, size=int(anew.sum()), dtype=np.int32)
        return pl.DataFrame({**data, self.label: label})

    def _drawn(self, rows: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        made = CategoricalClassification(rows, rng)
        made.columns(self.columns, structure=self.structure)
        return made.data

    def _decision(self, data: dict[str, np.ndarray]) -> np.ndarray:
        decision = find(self.relation, RELATIONS, "relation")(
            np.column_stack([data[c] for c in self.planted])
        )
        return np.asarray(decision, dtype=np.float64)
