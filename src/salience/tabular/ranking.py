"""Rank the columns of a table of any size by information above their own noise level."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import polars as pl
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from salience.data.plan import Plan, plan
from salience.data.readers import Source, open_described, open_source
from salience.results.meta import Interval, Meta
from salience.results.scores import Scores
from salience.tabular.candidates import Candidates
from salience.tabular.engines import engine
from salience.tabular.heuristics import OUTRANK_NAMES, heuristic
from salience.tabular.inputs import checked
from salience.tabular.relations import relations
from salience.tabular.scoring import NORMALIZATIONS, NULLS
from salience.tabular.tally import Tally, saved_ranker


class StreamRanker(BaseEstimator):
    """Rank columns, and what can be made of them, against a label in one pass.

    The score of a column is its mutual information with the label minus what a column with the same histogram and no
    relation to the label would show (its *null*): noise of any cardinality scores about 0. Counts are integers and mergeable, so
    any order of rows, threads or workers gives the same bits. Columns with too many values are sampled by value.

    Parameters
    ----------
    label : str or list of str or None, default=None
        Column(s) to explain. None when `fit` gets `y`.
    heuristic : str, default="mi"
        Name of the score; ``salience methods --heuristics`` lists them. OutRank's names work too.
    null : {"analytic", "permute", "shift", "none"}, default="analytic"
        "analytic": exact expectation with both histograms fixed (Vinh, Epps, Bailey 2010); "permute": tables drawn with the same
        margins; "shift": OutRank's shifted batches; "none": the raw score.
    normalize : {"none", "label_entropy", "ami", "minmax"}, default="none"
        Scale of the reported value.
    order : int, default=1
        2 and more: also rank combinations of that many columns (`pairs_`).
    scope : {"target", "all"}, default="target"
        "all": also measure every pair of columns against each other (`redundancy_`) and order them by 3MR (`order_3mr_`).
    top_pairs : int, default=40
        With ``scope="all"``: how many of the best columns are paired; 0 means all.
    pair_budget : int, default=32768
        Combinations scored in one block at most.
    alpha, beta : float, default=1
        Weights of redundancy and relation in 3MR.
    aggregate : {"median", "mean", "sum"}, default="median"
        How 3MR combines over the selected columns, and how batch scores combine over batches.
    controls : bool, default=False
        Add noise columns of known cardinality, a label copy and a row hash beside the real ones.
    transforms : str or None, default=None
        Preset of numeric transformations to rank beside the columns ("minimal", "default", "extended", ...).
    multivalue : mapping or sequence of str, default=()
        Columns that hold lists of tokens, each token becomes a 0/1 column.
    subfeatures : str, default=""
        ``"A->B"``, ``"A<->B"``, separated by ``;``.
    focus, exclude : sequence of str, default=()
        Rank only / leave out these columns.
    reference : path, mapping or list of features, optional
        The model there is: surrogate heuristics score what a column adds to it.
    preset : {"outrank"} or None, default=None
        Compute exactly what OutRank 0.97.5 computes: medians over batches of 16384 rows of the shifted score.
    batch_size : int, default=16384
        Rows of a batch for ``null="shift"``.
    subsample : int, default=1
        Use every `subsample`-th row.
    min_rows : int, default=2
        Fewest labelled rows a ranking is made from.
    missing : tuple of str, default=("", "{}")
        Texts that stand for a missing value, which is a value of its own in every score.
    bins, label_bins : int
        Ordered bins of number columns (32) and of a numeric label (10).
    exact : bool, default=False
        Scan once more for the columns that were sampled by value, without a limit on memory.
    spec : mapping or None, default=None
        Overrides of the plan by column, e.g. ``{"zip": {"kind": "text"}}``.
    memory : str or int, default="1GiB"
        What the whole process may use.
    permutations : int, default=10
        Tables drawn for ``null="permute"``.
    n_jobs : int, default=2
        Threads.
    random_state : int, default=0
        Seed of the pilot, the controls and the permutations.

    Attributes
    ----------
    scores_ : Scores
        One row per column (and per label, when there are several): value, rank, se, lo, hi, null, z, p, q, n, flag, mi, view,
        card, coverage, kind, verdict. Nats.
    ranking_ : list of str
        Columns, best first (of the first label).
    pairs_, redundancy_, order_3mr_ : Scores or None
        Combinations; similarity of columns; max-relevance, min-redundancy, max-relation order.
    plan_ : Plan
        What was decided before the scan.
    notes_ : list of str
        What was odd about the data and what was done about it.

    Raises
    ------
    ValueError
        Unknown heuristic, null or preset; label absent or constant; fewer than `min_rows` labelled rows; no columns left.

    References
    ----------
    OutRank, arXiv:2309.01552 (RecSys 2023).

    Examples
    --------
    >>> frame = pl.DataFrame({"copy": [0, 1] * 500, "id": range(1000), "y": [0, 1] * 500})
    >>> ranker = StreamRanker("y").fit(frame)
    >>> ranker.ranking_
    ['copy', 'id']
    >>> ranker.scores_.frame["verdict"].to_list()
    ['leak', 'id']
    """

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
        shards : str, optional
            Count only a part of the rows: "0/4" is the first of four. See `save_state`.
        progress : callable, optional
            ``progress(rows done, rows in all)``.

        Returns
        -------
        self
        """
        started = time.perf_counter()
        source, labels = self._open(X, y)
        self._begin(source, self._planned(source, labels))
        how = {"client": client, "progress": progress, "threads": self.n_jobs}
        self._tally.count(source, shards=shards, checkpoint=checkpoint, resume=resume, **how)
        self._finish(source if shards is None else None, started, how)
        return self

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Count one more batch. The first one makes the plan, so it should look like the rest.

        Raises
        ------
        ValueError
            A label value that the first batch did not have.
        """
        started = time.perf_counter()
        first_call = not hasattr(self, "plan_")
        source, labels = self._open(X, y, reset=first_call)
        if first_call:
            self._begin(source, self._planned(source, labels))
        self._tally.add(source)
        self._finish(None, started, {})
        return self

    def merge(self, other: StreamRanker) -> Self:
        """Add what another ranker with the same plan counted on other rows.

        Raises
        ------
        ValueError
            When the plans differ.
        """
        check_is_fitted(self, "plan_")
        self._tally.merge(other._tally)
        self._finish(None, time.perf_counter(), {})
        return self

    def save_state(self, path: str | Path) -> None:
        """Write what `fit` counted to one file, to be joined with those of other parts by `from_states`."""
        check_is_fitted(self, "plan_")
        self._tally.save(path, {name: v for name, v in self.get_params().items() if name != "reference"})

    @classmethod
    def from_states(cls, paths: Sequence[str | Path]) -> Self:
        """The ranking of all rows, from files of `save_state` that together hold every shard once.

        Raises
        ------
        ValueError
            A shard is in two of the files or in none, or they belong to different plans.
        """
        started = time.perf_counter()
        found, params = saved_ranker(paths[0])
        ranker = cls(**params)
        ranker._resolve()
        source = open_described(found.source)
        ranker._begin(source, found)
        ranker._tally.join(paths)
        ranker._finish(source, started, {"threads": ranker.n_jobs})
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
        X, y = checked(self, X, y, reset)
        return open_source(X, label=y), ["label"]

    def _resolve(self) -> None:
        """Look up what the parameters name."""
        self._heuristic = heuristic(self.heuristic)
        self._null = OUTRANK_NAMES[self.heuristic][1] if self.heuristic in OUTRANK_NAMES else self.null
        for name, value, known in (
            ("null", self.null, NULLS),
            ("normalize", self.normalize, NORMALIZATIONS),
            ("scope", self.scope, ("target", "all")),
            ("preset", self.preset, (None, "outrank")),
        ):
            if value not in known:
                raise ValueError(f"{name}={value!r} is unknown; known are {', '.join(map(repr, known))}")

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
        self.candidates_ = Candidates.of(
            decided,
            source,
            focus=self.focus,
            exclude=self.exclude,
            controls=self.controls,
            transforms=self.transforms,
            subfeatures=self.subfeatures,
        )
        self._engine = engine(self._heuristic, self._null, self.preset)
        states = {label.name: self._engine.state(self, label.name) for label in decided.labels}
        self._tally = Tally(decided, self.candidates_, states)

    def _finish(self, source: Source | None, started: float, how: dict[str, Any]) -> None:
        """Turn the states into scores, and look at pairs where asked."""
        self.notes_ = list(self.plan_.notes)
        rows = {label.name: int(label.counts.sum()) for label in self.plan_.labels}
        if min(rows.values()) < self.min_rows:
            raise ValueError(
                f"too few labelled rows ({rows}) for min_rows={self.min_rows}: lower it or subsample, or give more data"
            )
        if self.exact and source is not None:
            self._tally.recount(source, **how)
        states = self._tally.states
        frames = {label: self._engine.frame(self, label, state, source) for label, state in states.items()}
        several = len(frames) > 1
        self.scores_ = Scores(
            frame=pl.concat(
                [f.with_columns(label=pl.lit(label)) if several else f for label, f in frames.items()]
            ),
            keys=("column",),
            by=("label",) if several else (),
            item="column",
            better=self._heuristic.better,
            meta=self._meta(max(rows.values()), started),
        )
        self.ranking_ = next(iter(frames.values()))["column"].to_list()
        self.pairs_, self.redundancy_, self.order_3mr_ = relations(self, source, how)

    def _meta(self, rows: int, started: float) -> Meta:
        return Meta(
            method="outrank",
            params={name: value for name, value in self.get_params().items() if value is not None},
            seed=self.random_state,
            data=self._tally.fingerprints(),
            rows=rows,
            unit=self._heuristic.unit if self.normalize == "none" else "share",
            interval=Interval("normal", 0.95),
            net_of_null=self._heuristic.name == "mi" and self.normalize != "minmax",
            warnings=tuple(self.notes_),
            seconds=time.perf_counter() - started,
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self.label is None
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags


def rank(source: Any, label: str | Sequence[str], **options: Any) -> Scores:
    """Rank the columns of a source by what they say about a label.

    Parameters
    ----------
    source : path, directory, list of paths, or a table in memory
    label : str or list of str
    **options
        Parameters of `StreamRanker`.

    Returns
    -------
    Scores
        One row per column.

    Examples
    --------
    >>> import salience
    >>> from salience.data import datasets
    >>> scores = salience.rank(datasets.load("adult"), label="income")
    >>> scores.top(3).items
    ['relationship', 'marital-status', 'capital-gain']
    """
    return StreamRanker(label, **options).fit(source).scores_
