"""Which of embedding, metric and index loses what a task needs, measured layer by layer."""

from __future__ import annotations

import copy
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, _fit_context
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import Tags, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from salience.measures.neighbors import METRICS
from salience.measures.vectors import check_finite
from salience.results.meta import Interval as Level
from salience.results.meta import Meta
from salience.vectors.iceberg.asking import Asked, check_k, given_queries, own_queries, warn_of_copies
from salience.vectors.iceberg.meta import vector_meta_features
from salience.vectors.iceberg.repairs import REPAIRS
from salience.vectors.iceberg.report import FunnelReport, Measured
from salience.vectors.iceberg.search import (
    Answers,
    Steps,
    check_indexes,
    exact_answers,
    index_answers,
    settings_of,
)
from salience.vectors.iceberg.tasks import TASKS
from salience.vectors.iceberg.tree import recommend_index
from salience.vectors.indexes.base import Index

__all__ = ["FunnelAudit"]

Progress = Callable[[int, int], None]
UNITS = {"label": "label recall", "hit": "hits", "score": "matching score"}
PROBED = 20_000  # rows that the linear model learns from


class FunnelAudit(BaseEstimator):
    r"""Does what a vector search returns serve the task, and if not, which layer loses it?

    The share that neighbours recall of a search, :math:`|ann \cap exact| / K`, says nothing about the task: exact search
    by the wrong metric has a recall of 1. Here every search is measured by the task, U, and what it lacks is split in
    three losses that add up to :math:`1 - U(ann)` exactly:

    .. math::
        L_1 = 1 - \max_m U(\mathrm{exact}_m), \quad
        L_2 = \max_m U(\mathrm{exact}_m) - U(\mathrm{exact}_{used}), \quad
        L_3 = U(\mathrm{exact}_{used}) - U(\mathrm{ann})

    what no metric finds in this embedding, what this metric loses, and what the index loses (below 0 where an error of
    the index helps). The three layers are the paper's; this additive split, its intervals over resampled queries, and the
    comparison of the published decision tree with the measurement are ours.

    Parameters
    ----------
    k : int, default=100
        Answers per query.
    task : {"label", "hit", "score"}, default="label"
        What U is:

        - "label": of all answers that share the query's label, over ``min(k, rows of that label)``, summed over queries;
        - "hit": the share of queries that find the one row (or id) that they look for;
        - "score": weights of relevant rows that were found, over all weights of relevant rows.
    metrics : sequence of {"l2", "ip", "cosine"}
        Compared under exact search, in one pass. An index must measure by one of them.
    indexes : mapping of str to index, optional
        Objects with ``build(X)``, ``search(Q, k)`` and ``params``. They are copied and built; without any, only embedding
        and metrics are audited.
    sweep : mapping of str to mapping of str to sequence, optional
        Attributes to vary after building: ``{"hnsw": {"ef_search": (100, 200, 400)}}`` makes three configurations.
    n_queries : int, default=1000
        So many rows of X are the queries when none are given; for labels a row never answers itself.
    on_missing : {"error", "drop"}, default="error"
        What to do with queries that look for something that is not in the base.
    repair : str or sequence of {"center", "normalize", "all-but-top"}, optional
        Beyond the paper: search again, exactly, after such a change of the vectors. Takes a copy of them.
    probe : bool, default=False
        Also fit a linear model of the labels, a learned ceiling beside L1 that takes no part in the funnel.
    sample : int, default=20000
        Rows that meta-features are taken of.
    n_bootstrap : int, default=200
    memory : int, default=2**28
        Bytes that exact search may take besides its answers.
    random_state : int, RandomState instance or None, default=0
        Draws queries, the sample and the bootstrap.
    progress : callable or None, default=None
        ``progress(done, total)`` in hundredths of a search or a build.

    Attributes
    ----------
    meta_ : MetaFeatures
    recommendation_ : Recommendation
        What the published tree makes of them.
    indexes_ : dict of str to index
        Built.
    build_seconds_ : dict of str to float
    report_ : FunnelReport
        Of the queries given to `fit`, or of rows of X.
    scores_ : Scores
        ``report_.scores``: the worth of every metric and configuration.
    n_features_in_, feature_names_in_

    Raises
    ------
    ValueError
        Labels are missing or of another length, a query's label is not in the base, ``k`` exceeds the rows, NaN or
        infinity, a zero vector under the cosine, queries of another dimension, an index that measures by a metric that is
        not compared.

    Notes
    -----
    The released evaluator compares the first k answers with all 100 stored neighbours, which inflates recall below
    k = 100, counts labels beyond the first k, and prints an unnormalised sum for scores; here all of them are cut to k and
    normalised. An answer that is missing or repeated counts as a miss.

    References
    ----------
    Chen et al., Reveal Hidden Pitfalls and Navigate Next Generation of Vector Similarity Search from Task-Centric Views,
    2025, arXiv:2512.12980.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from salience.vectors import FunnelAudit
    >>> X, y = load_digits(return_X_y=True)
    >>> report = FunnelAudit(k=10).fit(X, y).report_
    >>> [(row["metric"], round(row["value"], 2)) for row in report.by_metric.rows(named=True)]
    [('l2', 0.97), ('ip', 0.71), ('cosine', 0.96)]
    >>> report.verdict.tree, report.verdict.metric, report.verdict.agrees
    ('ip', 'l2', False)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "k": [Interval(Integral, 1, None, closed="left")],
        "task": [StrOptions(set(TASKS))],
        "metrics": [list, tuple],
        "indexes": [dict, None],
        "sweep": [dict, None],
        "n_queries": [Interval(Integral, 1, None, closed="left")],
        "on_missing": [StrOptions({"error", "drop"})],
        "repair": [StrOptions(set(REPAIRS)), list, tuple, None],
        "probe": ["boolean"],
        "sample": [Interval(Integral, 4, None, closed="left")],
        "n_bootstrap": [Interval(Integral, 2, None, closed="left")],
        "memory": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "progress": [callable, None],
    }

    def __init__(
        self,
        k: int = 100,
        *,
        task: str = "label",
        metrics: Sequence[str] = METRICS,
        indexes: Mapping[str, Index] | None = None,
        sweep: Mapping[str, Mapping[str, Sequence[Any]]] | None = None,
        n_queries: int = 1000,
        on_missing: str = "error",
        repair: str | Sequence[str] | None = None,
        probe: bool = False,
        sample: int = 20_000,
        n_bootstrap: int = 200,
        memory: int = 2**28,
        random_state: Any = 0,
        progress: Progress | None = None,
    ) -> None:
        self.k = k
        self.task = task
        self.metrics = metrics
        self.indexes = indexes
        self.sweep = sweep
        self.n_queries = n_queries
        self.on_missing = on_missing
        self.repair = repair
        self.probe = probe
        self.sample = sample
        self.n_bootstrap = n_bootstrap
        self.memory = memory
        self.random_state = random_state
        self.progress = progress

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None, *, queries: Any = None, query_labels: Any = None) -> Self:
        """Describe the vectors, build the indexes, and evaluate.

        Parameters
        ----------
        X : array-like or frame of shape (n, d)
            The base; taken as float32. A memory-mapped array is read block by block.
        y : array-like of shape (n,), optional
            Labels for task "label"; ids for "hit" (by default the numbers of the rows); weights for "score" (by default 1).
        queries : array-like of shape (m, d), optional
            By default `n_queries` rows of `X`. Under "score" nothing is evaluated without queries.
        query_labels : optional
            See `evaluate`.

        Returns
        -------
        self
        """
        X = self._numbers(X, "X", ensure_min_samples=4)
        random = check_random_state(self.random_state)
        self._seed = int(random.randint(2**31 - 1))
        self._base, self._task = X, TASKS[self.task](y, len(X))
        self._drawn = np.sort(random.permutation(len(X))[: self.n_queries]).astype(np.int64)
        self._check()
        # what cannot be asked is refused before anything is built
        asked = None
        if queries is not None:
            asked = self._given(queries, query_labels)
        elif self.task != "score":
            asked = own_queries(self._task, X, self._drawn, self.k, self.metrics)
            check_k(self.k, len(X), self._task.takes_out)
        self.meta_ = vector_meta_features(X, self._task.codes, self.sample, random_state=self._seed)
        self.recommendation_ = recommend_index(self.meta_)
        steps = Steps(len(self.indexes or {}) + (self._searches if asked else 0), self.progress)
        self.indexes_, self.build_seconds_ = {}, {}
        for name, index in (self.indexes or {}).items():
            started = time.perf_counter()
            built = copy.deepcopy(index)
            built.build(X)
            self.indexes_[name], self.build_seconds_[name] = built, time.perf_counter() - started
            steps.stage()
        if asked:
            self.report_ = self._evaluate(asked, steps)
            self.scores_ = self.report_.scores
        return self

    def evaluate(self, Q: Any, labels: Any) -> FunnelReport:
        """Measure every metric and configuration on queries.

        Parameters
        ----------
        Q : array-like or frame of shape (m, d)
            For task "label" they should not be rows of the base, which would find themselves.
        labels : array-like of shape (m,), or what is relevant
            Labels ("label"), the row or id that each query looks for ("hit"), or ("score") a sparse matrix (m, n) of
            weights, a mapping {row: weight} for each query, or a collection of rows for each query.

        Returns
        -------
        FunnelReport
        """
        check_is_fitted(self, "recommendation_")
        return self._evaluate(self._given(Q, labels), Steps(self._searches, self.progress))

    def _numbers(self, given: Any, name: str, **options: Any) -> NDArray[Any]:
        array: NDArray[Any] = validate_data(self, given, dtype="numeric", ensure_all_finite=False, **options)
        check_finite(array, name)
        return array

    def _given(self, Q: Any, wanted: Any) -> Asked:
        queries = self._numbers(Q, "queries", reset=False)
        check_k(self.k, len(self._base), takes_out=False)
        return given_queries(self._task, queries, wanted, self.k, self.on_missing)

    @property
    def _searches(self) -> int:
        sweep = self.sweep or {}
        settings = sum(len(settings_of(sweep.get(name, {}))) for name in self.indexes or {})
        return 1 + settings + len(self._repairs)

    @property
    def _repairs(self) -> tuple[str, ...]:
        return (self.repair,) if isinstance(self.repair, str) else tuple(self.repair or ())

    def _evaluate(self, asked: Asked, steps: Steps) -> FunnelReport:
        started = time.perf_counter()
        queries, without, notes = asked.queries, asked.without, asked.notes
        exact = exact_answers(self._base, queries, self.k, self.metrics, without, self.memory, steps)
        if without is None and self._task.takes_out:
            notes += warn_of_copies(self._base, queries, exact)
        searched = list(
            index_answers(self.indexes_, self.sweep or {}, queries, self.k, len(self._base), without, steps)
        )
        repaired = {name: self._after(name, queries, without, steps) for name in self._repairs}
        measured = Measured(
            exact, searched, asked.judge, len(self._base), without is not None, self._task.codes, self.build_seconds_,
            self.n_bootstrap, self._seed, f"{UNITS[self.task]}@{self.k}",
        )  # fmt: skip
        probe = self._probed(asked) if self.probe else None
        meta = self._meta(notes, time.perf_counter() - started)
        return measured.report(meta, self.meta_, self.recommendation_, repaired, probe, notes)

    def _after(
        self, name: str, queries: NDArray[Any], without: NDArray[np.int64] | None, steps: Steps
    ) -> list[Answers]:
        repair = REPAIRS[name](self._base, check_random_state(self._seed))
        return exact_answers(
            repair(self._base), repair(queries), self.k, self.metrics, without, self.memory, steps
        )

    def _probed(self, asked: Asked) -> float:
        codes, rows = self._task.codes, np.arange(len(self._base))
        assert codes is not None
        left = rows if asked.without is None else np.setdiff1d(rows, asked.without)
        if np.unique(codes[left]).size < 2:
            raise ValueError("probe=True needs two labels or more among the rows that are not queries")
        rows = np.sort(check_random_state(self._seed).permutation(left)[:PROBED])
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # 300 steps are enough for a ceiling
            model.fit(np.asarray(self._base[rows], dtype=np.float64), codes[rows])
        return float(np.mean(model.predict(np.asarray(asked.queries, dtype=np.float64)) == asked.judge.codes))

    def _check(self) -> None:
        unknown = [metric for metric in self.metrics if metric not in METRICS]
        if unknown or not len(self.metrics):
            raise ValueError(f"metrics={self.metrics!r}; they are any of {', '.join(map(repr, METRICS))}")
        wrong = [name for name in self._repairs if name not in REPAIRS]
        if wrong:
            raise ValueError(f"repair={wrong[0]!r} is unknown; repairs are {', '.join(map(repr, REPAIRS))}")
        if self.probe and self._task.codes is None:
            raise ValueError(f"probe=True learns labels, and task={self.task!r} has none; say probe=False")
        check_indexes(self.indexes or {}, self.sweep or {}, self.metrics)

    def _meta(self, notes: Sequence[str], seconds: float) -> Meta:
        said = self.get_params(deep=False)
        for name in ("progress", "random_state", "memory"):
            del said[name]
        said["indexes"] = {name: dict(index.params) for name, index in self.indexes_.items()}
        seed = int(self.random_state) if isinstance(self.random_state, Integral) else None
        return Meta(
            method="iceberg", params=said, seed=seed, rows=len(self._base), unit=f"{UNITS[self.task]}@{self.k}",
            interval=Level("bootstrap over queries", 0.95), replicate_of="bootstrap", warnings=tuple(notes), seconds=seconds,
        )  # fmt: skip

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self.task == "label"
        return tags
