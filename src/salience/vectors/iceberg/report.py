"""What an audit found: tables, scores and words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from salience.measures.resampling import bootstrap_intervals, bootstrap_mean
from salience.results import Scores
from salience.results.meta import Meta
from salience.vectors.iceberg.funnel import Funnel, Worth
from salience.vectors.iceberg.meta import MetaFeatures
from salience.vectors.iceberg.naming import short_names
from salience.vectors.iceberg.search import Answers
from salience.vectors.iceberg.shift import RankShift
from salience.vectors.iceberg.tasks import VOTES, Judge, distinct, overlap, votes
from salience.vectors.iceberg.tree import Recommendation
from salience.vectors.iceberg.verdict import Verdict, judged

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["FunnelReport", "Measured"]

Floats: TypeAlias = NDArray[np.float64]
NAMES = ("metric", "index", "params")


@dataclass(frozen=True)
class FunnelReport:
    """What `FunnelAudit.evaluate` returns.

    Attributes
    ----------
    by_metric : polars.DataFrame
        Exact search, a row per metric: ``value`` (the task's measure) with ``lo`` and ``hi``; ``behind`` the best metric,
        with a paired interval ``behind_lo`` to ``behind_hi``; ``sum`` of what was found; for labels ``vote_5`` ... (share of
        queries whose first neighbours vote for their label); ``crowd``, the share of lists that the most frequent row
        stands in.
    by_index : polars.DataFrame
        A row per configuration: ``metric``, ``index``, ``params`` (JSON), ``value`` with ``lo``, ``hi``; ``recall`` of the
        exact answers by the same metric with ``recall_lo``, ``recall_hi``; ``loss_embedding``, ``loss_metric``,
        ``loss_index``; ``seconds`` per query; ``build_seconds``; ``short``, the share of answers that did not come, or
        came twice; votes.
    funnel : polars.DataFrame
        ``metric``, ``index``, ``params``, ``layer``, ``loss``, ``lo``, ``hi``, of exact search and of all configurations.
        The three losses of a configuration sum to 1 less its worth.
    rank_shift : RankShift or None
        Configurations of indexes by recall and by worth. Recalls are of different truths where metrics differ, which is
        the point: they are ordered here as people order them.
    scores : Scores
        All configurations, keys ``metric``, ``index``, ``params``; bootstrap replicates are kept.
    hub_counts : dict of str to ndarray of int32, shape (n,)
        For every metric, how many queries have each row of the base among their exact answers.
    queries : polars.DataFrame
        Per query and configuration what it ``found`` of what was ``possible``, and the ``share``.
    meta_features : MetaFeatures
    recommendation : Recommendation
        Of the tree, which has measured nothing.
    verdict : Verdict
        What was measured, in words; ``verdict.agrees`` tells whether the tree was right.
    repairs : polars.DataFrame or None
        Beyond the paper: exact search after a repair of the vectors, ``repair``, ``metric``, ``value``, ``lo``, ``hi``, and
        the ``gain`` over the vectors as they are with ``gain_lo``, ``gain_hi``.
    probe : float or None
        Accuracy of a linear model of the labels, the learned ceiling of the embedding; no part of the funnel.
    chance : float
        Worth of random answers.
    unit : str
        The task's measure.
    notes : tuple of str
    """

    by_metric: pl.DataFrame
    by_index: pl.DataFrame
    funnel: pl.DataFrame
    rank_shift: RankShift | None
    scores: Scores
    hub_counts: dict[str, NDArray[np.int32]]
    queries: pl.DataFrame
    meta_features: MetaFeatures
    recommendation: Recommendation
    verdict: Verdict
    repairs: pl.DataFrame | None
    probe: float | None
    chance: float
    unit: str
    notes: tuple[str, ...] = field(default=())

    @property
    def hubs(self) -> Scores:
        """Rows of the base by the number of queries that they answer, a ranking per metric.

        Made when it is asked for: it has a line for every row and metric.
        """
        metrics = list(self.hub_counts)
        n = len(self.hub_counts[metrics[0]])
        frame = pl.DataFrame(
            {
                "metric": np.repeat(metrics, n),
                "row": np.tile(np.arange(n, dtype=np.int64), len(metrics)),
                "value": np.concatenate(list(self.hub_counts.values())).astype(np.float64),
            }
        )
        said = self.scores.meta
        meta = Meta(method=said.method, params=said.params, seed=said.seed, rows=said.rows, unit="lists")
        return Scores(frame, ("row",), by=("metric",), item="row", meta=meta)

    def fastest(self, *, recall: float | None = None, value: float | None = None) -> pl.DataFrame:
        """For every metric and index its fastest configuration that reaches a level, fastest first.

        Parameters
        ----------
        recall, value : float
            Exactly one of them: the level of synthetic recall, or of the task's measure.

        Returns
        -------
        polars.DataFrame
            As `by_index`; an index that does not reach the level is not there.
        """
        if (recall is None) == (value is None):
            raise ValueError("give the level of exactly one of recall and value")
        column, level = ("recall", recall) if value is None else ("value", value)
        reached = self.by_index.filter(pl.col(column) >= level)
        return reached.sort("seconds").unique(["metric", "index"], keep="first", maintain_order=True)

    def shift_at(self, recall: float, value: float) -> RankShift:
        """Indexes by speed at a fixed recall and at a fixed worth; those that do not reach it stand last."""
        slowest = float("-inf")
        names = self.by_index.select("metric", "index").unique(maintain_order=True)
        speeds = []
        for found in (self.fastest(recall=recall), self.fastest(value=value)):
            known = {(row["metric"], row["index"]): -row["seconds"] for row in found.rows(named=True)}
            speeds.append([known.get(name, slowest) for name in names.rows()])
        labels = [f"{index} ({metric})" for metric, index in names.rows()]
        return RankShift.between(
            labels, speeds[0], speeds[1], by=(f"speed at recall {recall:g}", f"speed at worth {value:g}")
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """What every configuration finds, and what embedding, metric and index lose."""
        from salience.vectors.iceberg.pictures import draw_funnel

        return draw_funnel(self, ax)

    def __str__(self) -> str:
        parts = [str(self.meta_features), str(self.recommendation), str(self.verdict)]
        if self.rank_shift is not None:
            parts.append(str(self.rank_shift))
        return "\n\n".join([*parts, *(f"note: {note}" for note in self.notes)])


@dataclass(frozen=True)
class Measured:
    """Answers and what they are judged by: all that a report is made of.

    Attributes
    ----------
    exact, searched : sequence of Answers
    judge : Judge
    rows : int
        Of the base.
    taken : bool
        Whether a query is a row of the base, which is then no answer to it.
    labels : ndarray of int64, shape (rows,), or None
    build_seconds : mapping of str to float
    n_bootstrap, seed : int
    unit : str
    """

    exact: Sequence[Answers]
    searched: Sequence[Answers]
    judge: Judge
    rows: int
    taken: bool
    labels: NDArray[np.int64] | None
    build_seconds: dict[str, float]
    n_bootstrap: int
    seed: int
    unit: str

    def report(
        self, meta: Meta, meta_features: MetaFeatures, recommendation: Recommendation, repaired: dict[str, list[Answers]],
        probe: float | None, notes: Sequence[str],
    ) -> FunnelReport:  # fmt: skip
        """Count, resample, and put it in tables."""
        everything = [*self.exact, *self.searched]
        found = np.stack([self.judge.found(answers.ids) for answers in everything])
        extra = [answers for one in repaired.values() for answers in one]
        more = [self.judge.found(answers.ids) for answers in extra]
        both = Worth.of(
            np.stack([*found, *more]), self.judge.possible, self.n_bootstrap, np.random.default_rng(self.seed)
        )
        worth = Worth(both.estimate[: len(found)], both.replicates[:, : len(found)])
        exact_of = {answers.metric: i for i, answers in enumerate(self.exact)}
        every = list(range(len(everything)))
        funnel = Funnel.of(list(exact_of.values()), every, [exact_of[a.metric] for a in everything], worth)
        table = self._table(everything, found, worth, funnel, exact_of)
        hubs = self._hubs()
        lists = len(self.judge.possible)
        crowds = [(metric, int(count.argmax()), float(count.max()) / lists) for metric, count in hubs.items()]
        by_metric = self._by_metric(table[: len(self.exact)], worth, crowds)
        by_index = table[len(self.exact) :].with_columns(
            pl.Series("build_seconds", [self.build_seconds[a.index] for a in self.searched], dtype=pl.Float64)
        )
        chance = self._chance()
        return FunnelReport(
            by_metric, by_index, funnel.frame([answers.name for answers in everything]), _shift(by_index),
            Scores(table, NAMES, item="index", replicates=worth.replicates.astype(np.float32), meta=meta), hubs,
            self._queries(everything, found), meta_features, recommendation,
            judged(by_index, by_metric, chance, self.unit, recommendation, crowds),
            self._repairs(repaired, both, len(found), exact_of) if repaired else None, probe, chance, self.unit, tuple(notes),
        )  # fmt: skip

    def _table(
        self,
        everything: Sequence[Answers],
        found: Floats,
        worth: Worth,
        funnel: Funnel,
        exact_of: dict[str, int],
    ) -> pl.DataFrame:
        k = everything[0].ids.shape[1]
        shared = np.stack([overlap(a.ids, everything[exact_of[a.metric]].ids) / k for a in everything])
        recall = bootstrap_mean(shared.T, n=self.n_bootstrap, rng=self.seed)
        (lo, hi), (recall_lo, recall_hi) = bootstrap_intervals(worth.replicates), recall.interval()
        return pl.DataFrame(
            {
                **{key: [answers.name[key] for answers in everything] for key in NAMES},
                "value": worth.estimate, "lo": lo, "hi": hi, "sum": found.sum(axis=1),
                "recall": np.asarray(recall.estimate), "recall_lo": recall_lo, "recall_hi": recall_hi,
                **{f"loss_{layer}": funnel.losses[i] for i, layer in enumerate(("embedding", "metric", "index"))},
                "seconds": [answers.seconds for answers in everything],
                "short": [float(1 - distinct(answers.ids).mean()) for answers in everything],
                **self._votes(everything, k),
            }
        )  # fmt: skip

    def _votes(self, everything: Sequence[Answers], k: int) -> dict[str, list[float]]:
        labels, wanted = self.labels, self.judge.codes
        if labels is None or wanted is None:
            return {}
        return {
            f"vote_{voters}": [
                float(votes(labels, answers.ids, wanted, voters).mean()) for answers in everything
            ]
            for voters in VOTES
            if voters <= k
        }

    def _by_metric(
        self, table: pl.DataFrame, worth: Worth, crowds: Sequence[tuple[str, int, float]]
    ) -> pl.DataFrame:
        columns = list(range(len(self.exact)))
        best = int(worth.estimate[columns].argmax())
        lo, hi = bootstrap_intervals(worth.replicates[:, [best]] - worth.replicates[:, columns])
        return table.drop("index", "params", "short", "recall", "recall_lo", "recall_hi").with_columns(
            pl.Series("behind", worth.estimate[best] - worth.estimate[columns]),
            pl.Series("behind_lo", lo), pl.Series("behind_hi", hi),
            pl.Series("crowd", [share for _, _, share in crowds]),
        )  # fmt: skip

    def _hubs(self) -> dict[str, NDArray[np.int32]]:
        return {
            answers.metric: np.bincount(answers.ids[answers.ids >= 0], minlength=self.rows).astype(np.int32)
            for answers in self.exact
        }

    def _queries(self, everything: Sequence[Answers], found: Floats) -> pl.DataFrame:
        m = len(self.judge.possible)
        which = np.repeat(np.arange(len(everything)), m)
        possible = np.tile(self.judge.possible, len(everything))
        return pl.DataFrame(
            {
                "query": np.tile(np.arange(m), len(everything)),
                **{key: pl.Series([a.name[key] for a in everything], dtype=pl.Categorical)[which] for key in NAMES},
                "found": found.ravel(), "possible": possible, "share": found.ravel() / possible,
            }
        )  # fmt: skip

    def _repairs(
        self, repaired: dict[str, list[Answers]], both: Worth, first: int, exact_of: dict[str, int]
    ) -> pl.DataFrame:
        names = [(repair, answers.metric) for repair, one in repaired.items() for answers in one]
        mine = list(range(first, first + len(names)))
        before = [exact_of[metric] for _, metric in names]
        (lo, hi) = bootstrap_intervals(both.replicates[:, mine])
        gain_lo, gain_hi = bootstrap_intervals(both.replicates[:, mine] - both.replicates[:, before])
        return pl.DataFrame(
            {
                "repair": [repair for repair, _ in names], "metric": [metric for _, metric in names],
                "value": both.estimate[mine], "lo": lo, "hi": hi,
                "gain": both.estimate[mine] - both.estimate[before], "gain_lo": gain_lo, "gain_hi": gain_hi,
            }
        )  # fmt: skip

    def _chance(self) -> float:
        """What k rows drawn at random would be worth, on average."""
        k = self.exact[0].ids.shape[1]
        labels, wanted = self.labels, self.judge.codes
        if labels is not None and wanted is not None:
            others = np.bincount(labels)[wanted] - self.taken
            return float(k * others.sum() / (self.rows - self.taken) / self.judge.possible.sum())
        return k / self.rows


def _shift(by_index: pl.DataFrame) -> RankShift | None:
    if by_index.height < 2:
        return None
    names = short_names(by_index.rows(named=True))
    return RankShift.between(names, by_index["recall"], by_index["value"], by=("recall", "task"))
