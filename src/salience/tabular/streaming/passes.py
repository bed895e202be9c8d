"""A ranking of columns from start to end: open, plan, count, score, look at pairs.

Kept free of scikit-learn, which takes longer to import than a small file takes to rank; the estimator is
:class:`salience.tabular.ranking.StreamRanker`.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl

from salience.data.plan import Plan, parse_memory, plan
from salience.data.readers import Source, open_described, open_source
from salience.data.readers.held import hold
from salience.results.meta import Interval, Meta
from salience.results.scores import Scores
from salience.stages import Stages
from salience.tabular.streaming.candidates import Candidates
from salience.tabular.streaming.engines import Counts, engine
from salience.tabular.streaming.heuristics import HEURISTICS, OUTRANK_NAMES, heuristic
from salience.tabular.streaming.reference import Reference
from salience.tabular.streaming.relations import relations
from salience.tabular.streaming.scoring import NORMALIZATIONS, NULLS
from salience.tabular.streaming.tally import Tally, saved_ranker

LEAST = {
    "order": 1,
    "top_pairs": 0,
    "pair_budget": 1,
    "batch_size": 2,
    "subsample": 1,
    "min_rows": 1,
    "permutations": 2,
    "n_jobs": 1,
}


class RankingPass:
    """What :class:`~salience.tabular.ranking.StreamRanker` does, without scikit-learn; the parameters are described there."""

    def __init__(
        self,
        label: str | Sequence[str] | None = None,
        *,
        heuristic: str = "mi",
        null: str = "analytic",
        normalize: str = "none",
        order: int = 1,
        scope: str = "target",
        top_pairs: int = 40,
        pair_budget: int = 32768,
        alpha: float = 1.0,
        beta: float = 1.0,
        aggregate: str = "median",
        controls: bool = False,
        transforms: str | None = None,
        multivalue: Sequence[str] | Mapping[str, str] = (),
        subfeatures: str = "",
        focus: Sequence[str] = (),
        exclude: Sequence[str] = (),
        reference: Any = None,
        preset: str | None = None,
        batch_size: int = 16384,
        subsample: int = 1,
        ratio: float = 1.0,
        min_rows: int = 2,
        missing: tuple[str, ...] = ("", "{}"),
        bins: int = 32,
        label_bins: int = 10,
        exact: bool = False,
        spec: Mapping[str, Mapping[str, Any]] | None = None,
        memory: str | int = "1GiB",
        permutations: int = 10,
        n_jobs: int = 2,
        random_state: int = 0,
    ) -> None:
        self.label = label
        self.heuristic = heuristic
        self.null = null
        self.normalize = normalize
        self.order = order
        self.scope = scope
        self.top_pairs = top_pairs
        self.pair_budget = pair_budget
        self.alpha = alpha
        self.beta = beta
        self.aggregate = aggregate
        self.controls = controls
        self.transforms = transforms
        self.multivalue = multivalue
        self.subfeatures = subfeatures
        self.focus = focus
        self.exclude = exclude
        self.reference = reference
        self.preset = preset
        self.batch_size = batch_size
        self.subsample = subsample
        self.ratio = ratio
        self.min_rows = min_rows
        self.missing = missing
        self.bins = bins
        self.label_bins = label_bins
        self.exact = exact
        self.spec = spec
        self.memory = memory
        self.permutations = permutations
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        client: Any = None,
        checkpoint: str | Path | None = None,
        resume: bool = False,
        every: float = 20.0,
        shards: str | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Self:
        """Rank the columns.

        Parameters
        ----------
        X : path, directory, list of paths, pandas/polars/pyarrow table, array or Source
            The data, the label among its columns unless `y` is given.
        y : array of shape (n,), optional
            The label, for data in memory.
        client : distributed.Client, optional
            Scan on a Dask cluster; the scores are the same bits.
        checkpoint : path, optional
            Directory of the scan's checkpoint.
        resume : bool, default=False
            Take up the checkpoint.
        every : float, default=20.0
            Seconds between checkpoints.
        shards : str, optional
            Count only a part of the rows: "0/4" is the first of four. See `save_state`.
        progress : callable, optional
            ``progress(rows done, rows in all)``.

        Returns
        -------
        self
        """
        stages = Stages()
        with stages("open"):
            opened, labels = self._open(X, y)
            source = opened if client is not None else hold(opened, parse_memory(self.memory), self.n_jobs)
        with stages("plan"):
            self._begin(source, self._planned(source, labels))
        how = {"client": client, "progress": progress, "threads": self.n_jobs}
        with stages("count"):
            self._tally.count(source, shards=shards, checkpoint=checkpoint, resume=resume, every=every, **how)
        self._finish(source if shards is None else None, stages, how)
        return self

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Count one more batch. The first one makes the plan, so it should look like the rest.

        Raises
        ------
        ValueError
            A label value that the first batch did not have.
        """
        stages = Stages()
        first_call = not hasattr(self, "plan_")
        source, labels = self._open(X, y, reset=first_call)
        if first_call:
            self._begin(source, self._planned(source, labels))
        self._tally.add(source)
        self._finish(None, stages, {})
        return self

    def merge(self, other: RankingPass) -> Self:
        """Add what another ranker with the same plan counted on other rows.

        Raises
        ------
        ValueError
            When the plans differ.
        """
        self._tally.merge(other._tally)
        self._finish(None, Stages(), {})
        return self

    def save_state(self, path: str | Path) -> None:
        """Write what `fit` counted to one file, to be joined with those of other parts by `from_states`."""
        params = self.get_params()
        if self.reference is not None:
            params["reference"] = json.loads(Reference.of(self.reference).to_json())
        self._tally.save(path, params)

    @classmethod
    def from_states(cls, paths: Sequence[str | Path]) -> Self:
        """The ranking of all rows, from files of `save_state` that together hold every shard once.

        Raises
        ------
        ValueError
            A shard is in two of the files or in none, or they belong to different plans.
        """
        stages = Stages()
        found, params = saved_ranker(paths[0])
        ranker = cls(**params)
        ranker._resolve()
        source = open_described(found.source)
        ranker._begin(source, found)
        with stages("count"):
            ranker._tally.join(paths)
        ranker._finish(source, stages, {"threads": ranker.n_jobs})
        return ranker

    def _open(self, X: Any, y: Any, reset: bool = True) -> tuple[Source, list[str]]:
        """Check the parameters and open the data, the target among its columns."""
        self._resolve()
        if y is None:
            if self.label is None:
                raise ValueError(
                    "StreamRanker requires y to be passed, but the target y is None; "
                    "pass y, or name the column with label="
                )
            return open_source(X), [self.label] if isinstance(self.label, str) else list(self.label)
        X, y = self._checked(X, y, reset)
        return open_source(X, label=y), ["label"]

    def _checked(self, X: Any, y: Any, reset: bool) -> tuple[Any, Any]:
        """Data in memory and its target, checked; `reset` at the first call."""
        return X, np.asarray(y)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters by name."""
        names = list(inspect.signature(type(self).__init__).parameters)[1:]
        return {name: getattr(self, name) for name in names}

    def _resolve(self) -> None:
        """Look up what the parameters name."""
        self._heuristic = heuristic(self.heuristic)
        implied = OUTRANK_NAMES.get(self.heuristic) if self.heuristic not in HEURISTICS else None
        self._null = implied[1] if implied else self.null
        for name, value, known in (
            ("null", self.null, NULLS),
            ("normalize", self.normalize, NORMALIZATIONS),
            ("scope", self.scope, ("target", "all")),
            ("preset", self.preset, (None, "outrank")),
            ("aggregate", self.aggregate, ("median", "mean", "sum")),
        ):
            if value not in known:
                raise ValueError(f"{name}={value!r} is unknown; known are {', '.join(map(repr, known))}")
        for name, least in LEAST.items():
            value = getattr(self, name)
            if not isinstance(value, Integral) or value < least:
                raise ValueError(f"{name}={value!r} must be a whole number of at least {least}")
        if not (np.isfinite(self.alpha) and np.isfinite(self.beta)):
            raise ValueError(f"alpha={self.alpha} and beta={self.beta} are weights: they must be finite")
        if not 0 < self.ratio <= 1:
            raise ValueError(f"ratio={self.ratio} is a share of the rows of a batch: above 0 and at most 1")
        if self.ratio < 1 and self.preset is None:
            raise ValueError(
                'ratio= samples the rows of a batch for preset="outrank" only; everything else counts all rows, '
                "or every k-th with subsample="
            )

    def _planned(self, source: Source, labels: list[str]) -> Plan:
        return plan(
            source,
            labels,
            spec=self.spec,
            memory=self.memory,
            missing=self.missing,
            bins=self.bins,
            label_bins=self.label_bins,
            multivalue=self.multivalue or None,
            seed=self.random_state,
            subsample=self.subsample,
        )

    def _begin(self, source: Source, decided: Plan) -> None:
        """What follows from the plan: the candidates and empty states."""
        self.plan_ = decided
        self.columns_ = [column.name for column in decided.columns]
        self._engine = engine(self._heuristic, self._null, self.preset)
        self.candidates_ = Candidates.of(
            decided,
            source,
            focus=self.focus,
            exclude=self.exclude,
            controls=self.controls,
            drawn=isinstance(self._engine, Counts),
            transforms=self.transforms,
            subfeatures=self.subfeatures,
        )
        states = {label.name: self._engine.state(self, label.name) for label in decided.labels}
        self._tally = Tally(decided, self.candidates_, states)

    def _finish(self, source: Source | None, stages: Stages, how: dict[str, Any]) -> None:
        """Turn the states into scores, and look at pairs where asked."""
        self.notes_ = list(self.plan_.notes)
        rows = {label.name: int(label.counts.sum()) // self.subsample for label in self.plan_.labels}
        if min(rows.values()) < self.min_rows:
            raise ValueError(
                f"too few labelled rows ({rows}) for min_rows={self.min_rows}: lower it or subsample, or give more data"
            )
        if self.exact and source is not None:
            with stages("count"):
                self._tally.recount(source, **how)
        states = self._tally.states
        with stages("score"):
            frames = {
                label: self._engine.frame(self, label, state, source) for label, state in states.items()
            }
        several = len(frames) > 1
        self.scores_ = Scores(
            frame=pl.concat(
                [f.with_columns(label=pl.lit(label)) if several else f for label, f in frames.items()]
            ),
            keys=("column",),
            by=("label",) if several else (),
            item="column",
            better=self._heuristic.better,
            meta=self._meta(max(rows.values()), stages.total),
        )
        self.ranking_ = next(iter(frames.values()))["column"].to_list()
        with stages("pairs"):
            found = relations(self, source, how)
        self.pairs_, self.pair_columns_, self.redundancy_, self.order_3mr_ = found
        self.timings_ = stages.seconds

    def _meta(self, rows: int, seconds: float) -> Meta:
        return Meta(
            method="outrank",
            params={name: value for name, value in self.get_params().items() if value is not None},
            seed=self.random_state,
            data=self._tally.fingerprints(),
            rows=rows,
            unit=self._heuristic.unit if self.normalize == "none" else "share",
            interval=Interval("normal", 0.95),
            net_of_null=self._heuristic.reads == "counts"
            and self._null != "none"
            and self.normalize != "minmax",
            warnings=tuple(self.notes_),
            seconds=seconds,
        )
