"""Several partitions of the rows, a network for each, and what they say together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from salience.instances.gais.graphs import GRAPHS, GraphOptions, RowGraph
from salience.instances.gais.selection import Adjacency, kept_above, kept_rate, scaled_by_class
from salience.instances.gais.table import Table
from salience.instances.gais.training import Learning, Reading, read_rows
from salience.results.meta import Meta
from salience.results.scores import Scores

__all__ = ["SCORES", "Recipe", "Scored", "scored"]

Floats = NDArray[np.float64]

SCORES: dict[str, Callable[[Floats, Floats], Floats]] = {
    "attention": lambda attention, confidence: attention,
    "confidence": lambda attention, confidence: confidence,
    "attention*confidence": lambda attention, confidence: attention * confidence,
}
LOOKS = 3  # networks that have to fail before scores are refused
LEARNED = 0.1  # a network has learned something when it is better than chance by so much


@dataclass(frozen=True)
class Recipe:
    """What makes scores of a table: a graph, a network, and how their numbers are combined."""

    graph: str
    options: GraphOptions
    learning: Learning
    score_by: str

    @classmethod
    def of(cls, **params: Any) -> Recipe:
        """From the parameters of the estimator.

        Raises
        ------
        ValueError
            If a level is no number of bits.
        """
        levels = tuple(params["levels"])
        if not levels or any(
            not isinstance(bits, int | np.integer) or not 1 <= bits <= 62 for bits in levels
        ):
            raise ValueError(
                f"levels are numbers of bits from 1 to 62, such as (4, 8, 12); got {params['levels']!r}"
            )
        drawn = params["n_batches"]
        learned = min(params["train_batches"], drawn or params["train_batches"])
        # to cover all rows is to learn from the batches that were drawn, and to read all
        chosen = params | {
            "levels": levels,
            "n_batches": None if params["cover"] else drawn,
            "train_batches": learned,
        }
        options = GraphOptions(**{field.name: chosen[field.name] for field in fields(GraphOptions)})
        learning = Learning(**{field.name: chosen[field.name] for field in fields(Learning)})
        return cls(params["graph"], options, learning, params["score_by"])


@dataclass(frozen=True, eq=False)
class Scored:
    """What all rounds say of the rows.

    Attributes
    ----------
    graphs : list of RowGraph
    readings : list of Reading
    scaled : ndarray, shape (n,)
        The mean score over the rounds, from 0 to 1 in each class; NaN for rows that were never drawn.
    replicates : ndarray, shape (rounds, n)
        The same for each round by itself.
    """

    graphs: list[RowGraph]
    readings: list[Reading]
    scaled: Floats
    replicates: Floats

    @property
    def attention(self) -> Floats:
        """Mean over the rounds, shape (n,)."""
        return _mean(np.array([reading.attention for reading in self.readings]))

    @property
    def confidence(self) -> Floats:
        """Mean over the rounds, shape (n,)."""
        return _mean(np.array([reading.confidence for reading in self.readings]))

    @property
    def degree(self) -> Floats:
        """How many rows look at each, mean over the rounds, shape (n,)."""
        return np.mean([graph.degree() for graph in self.graphs], axis=0)

    @property
    def accuracy(self) -> float:
        """On rows held out, mean over the rounds."""
        return float(np.mean([reading.accuracy for reading in self.readings]))

    @property
    def chance(self) -> float:
        """The same by guessing."""
        return float(np.mean([reading.chance for reading in self.readings]))

    @property
    def refused(self) -> bool:
        """Whether the networks learned too little for their scores to mean anything."""
        return self.accuracy < self.chance + LEARNED

    def kept(
        self, table: Table, rate: float, threshold: float | None = None, diverse: bool = False
    ) -> NDArray[np.bool_]:
        """Which rows to keep, by the level where there is one; where scores are refused, all."""
        if self.refused:
            return np.ones(len(table.codes), dtype=bool)
        apart = self._adjacency(table.X) if diverse else None
        if threshold is None:
            kept = kept_rate(self.scaled, table.codes, rate, apart)
        else:
            kept = kept_above(self.scaled, table.codes, threshold, apart)
        return kept | np.isin(table.codes, self.whole(table))

    def _adjacency(self, X: Floats) -> Adjacency:
        """Rows that stand together in any round, and equal rows."""
        _, twins = np.unique(X, axis=0, return_inverse=True)
        receivers = np.concatenate([graph.receiver for graph in self.graphs])
        senders = np.concatenate([graph.sender for graph in self.graphs])
        return Adjacency(receivers, senders, twins.ravel())

    def whole(self, table: Table) -> NDArray[np.intp]:
        """Classes that nothing can be selected from: of one row, or none of whose rows was drawn."""
        drawn = np.bincount(table.codes[~np.isnan(self.scaled)], minlength=len(table.classes))
        return np.flatnonzero((table.sizes < 2) | (drawn == 0))

    def scores(self, table: Table, kept: NDArray[np.bool_], meta: Meta) -> Scores:
        """One row per row of the table; without values where they are refused."""
        flag = np.full(len(table.codes), None, dtype=object)
        flag[np.isnan(self.scaled)] = "unscored"
        flag[table.sizes[table.codes] < 2] = "too_few"
        if self.refused:
            flag[:] = "untrained"
        several = len(self.readings) > 1 and not self.refused
        return Scores.from_values(
            np.full(len(flag), np.nan) if self.refused else self.scaled,
            keys="row",
            item="row",
            replicates=self.replicates if several else None,
            meta=meta,
            **{"class": table.classes[table.codes].tolist()},
            attention=self.attention,
            confidence=self.confidence,
            degree=self.degree,
            kept=kept,
            flag=flag.tolist(),
        )

    def edges(self) -> pl.DataFrame:
        """``receiver, sender, weight, attention`` of all edges.

        Attention is the mean over the rounds in which the sender was drawn, 0 where the edge was not there, so that what a
        row receives sums to its attention.
        """
        parts = [
            pl.DataFrame(
                {
                    "receiver": graph.receiver,
                    "sender": graph.sender,
                    "weight": graph.weight,
                    "attention": reading.edge_attention,
                }
            )
            for graph, reading in zip(self.graphs, self.readings, strict=True)
        ]
        if len(parts) == 1:
            return parts[0]
        drawn = pl.lit(np.sum([graph.covered for graph in self.graphs], axis=0))
        return (
            pl.concat(parts)
            .group_by("receiver", "sender")
            .agg(pl.mean("weight"), pl.sum("attention"))
            .with_columns(pl.col("attention") / drawn.gather("sender"))
            .sort("receiver", "sender")
        )


def scored(
    table: Table, recipe: Recipe, seeds: NDArray[np.int64], tell: Callable[[], object] = lambda: None
) -> Scored:
    """Build the graph, train the network and read the rows, once for each seed.

    Where the network learned too little, it may only have held out unlucky rows: before its scores are refused, others are
    trained until there are three.

    Parameters
    ----------
    table : Table
    recipe : Recipe
    seeds : ndarray of int
    tell : callable
        Called after each epoch.
    """
    found = _together(table, recipe, [_round(table, recipe, seed, tell) for seed in seeds.tolist()])
    if not found.refused or len(seeds) >= LOOKS:
        return found
    more = np.random.default_rng(seeds).integers(2**31 - 1, size=LOOKS - len(seeds))
    rounds = [*zip(found.graphs, found.readings, strict=True)]
    return _together(
        table, recipe, rounds + [_round(table, recipe, seed, lambda: None) for seed in more.tolist()]
    )


def _round(table: Table, recipe: Recipe, seed: int, tell: Callable[[], object]) -> tuple[RowGraph, Reading]:
    graph = GRAPHS[recipe.graph](table.X, table.codes, np.random.default_rng(seed), recipe.options)
    return graph, read_rows(table.X, table.codes, graph, recipe.learning, seed, lambda epoch: tell())


def _together(table: Table, recipe: Recipe, rounds: list[tuple[RowGraph, Reading]]) -> Scored:
    graphs, readings = [graph for graph, _ in rounds], [reading for _, reading in rounds]
    raw = np.array([SCORES[recipe.score_by](reading.attention, reading.confidence) for reading in readings])
    replicates = np.array([scaled_by_class(values, table.codes) for values in raw])
    return Scored(graphs, readings, scaled_by_class(_mean(raw), table.codes), replicates)


def _mean(values: Floats) -> Floats:
    """Over the rounds that have a number; NaN where none has."""
    there = ~np.isnan(values)
    total = np.where(there, values, 0.0).sum(axis=0)
    return np.divide(total, there.sum(axis=0), out=np.full(values.shape[1], np.nan), where=there.any(axis=0))
