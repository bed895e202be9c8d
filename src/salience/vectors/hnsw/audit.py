"""How much recall an HNSW index has on these vectors, and what the order of insertion does to it."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from salience.measures.dimension import local_dimension
from salience.measures.neighbors import METRICS
from salience.measures.vectors import VectorError, as_vectors
from salience.parallel import pmap
from salience.results import Scores
from salience.results.meta import Meta
from salience.vectors.hnsw.advice import Advice, advise
from salience.vectors.hnsw.builds import BACKENDS, Build, Graph, built, found_backend
from salience.vectors.hnsw.comparison import compared, correlation
from salience.vectors.hnsw.dimension import (
    DISTANCES,
    NEIGHBOURS,
    as_dimensions,
    local_intrinsic_dimension,
    refuse_constant,
)
from salience.vectors.hnsw.orders import ORDERS, Material, Permutation, needs
from salience.vectors.hnsw.truth import Truth
from salience.vectors.indexes.base import as_permutation

__all__ = ["HnswRecallAudit"]

REFERENCE = "random"
Orders = Sequence[str] | Mapping[str, Any]


class HnswRecallAudit(BaseEstimator):
    r"""Recall of an HNSW graph at fixed parameters, for several orders of insertion and seeds.

    For every order o and seed s one graph is built, by one thread:

    .. math:: \mathrm{recall}_{o,s} = \frac{1}{|Q|} \sum_{q \in Q} \frac{|\mathrm{ANN}_k(q) \cap \mathrm{exact}_k(q)|}{k}

    A row as near as the k-th exact one (to a millionth) counts as right. Orders are compared query by query and seed
    by seed with random orders, which always take part; intervals come from a bootstrap over queries and seeds.

    Parameters
    ----------
    M, ef_construction, ef_search : int, default=16, 128, 40
        Of the graph; `HNSW_PRESETS` has what stores take by default.
    k : int, default=10
    orders : sequence of str, or mapping of str to permutation, default=("random", "lid_desc", "lid_asc")
        Any of "random", "given", "lid_asc", "lid_desc", "category", "category_lid_asc", "category_lid_desc"; in a
        mapping, a permutation of the rows or None for the order of that name.
    seeds : int, default=3
        Graphs per order: seeds 0, 1, ... of the levels and of the random orders. Three or more tell how far seeds move it.
    metric : {"l2", "ip", "cosine"}, default="l2"
    backend : {"auto", "hnswlib", "faiss", "usearch"}, default="auto"
        hnswlib, or faiss where it is not installed.
    exclude_self : bool, default=False
        A query that equals a row is not its own answer. Otherwise such queries inflate recall, and are warned of.
    n_queries : int, default=1000
        Rows drawn as queries when none are given; they are not their own answers.
    lid_k : int or None, default=None
        Neighbours of the dimension; None: 100, or all other rows.
    reach_rows : int, default=20000
        At most so many rows are looked for, to say which the graphs do not reach.
    n_bootstrap : int, default=1000
    threads : int, default=1
        Of a build. With several no build can be repeated, and order effects drown in their noise.
    n_jobs : int or None, default=None
        Processes over the builds; None is one. Each holds a graph of its own.
    random_state : int, RandomState instance or None, default=0
        Draws queries, rows to look for, and the bootstrap. Not the graphs: their seeds are 0, 1, ...
    progress : callable or None, default=None
        ``progress(done, total)`` in builds.

    Attributes
    ----------
    table_ : polars.DataFrame
        One row per order, best first: ``recall`` with ``lo`` and ``hi``; ``least`` and ``most`` of the seeds;
        ``difference`` to random with ``difference_lo``, ``difference_hi``; ``verdict``: "better", "worse", "not
        distinguishable", or "reference".
    spread_ : float
        Recall of the best order less that of the worst.
    spread_interval_ : tuple of float
    recalls_ : ndarray of shape (orders, seeds)
        In the order of ``orders_``.
    orders_ : tuple of str
    scores_, row_reach_ : Scores
        One row per row of X, the hardest to find first: ``value`` is the share of builds in which the row comes first
        when it is asked for (under "ip": a row that is as good); ``in_degree`` on level 0, mean over builds (if the
        library tells); ``hubness``, of how many queries it is an exact neighbour; ``lid``.
    lid_ : Scores
        Local intrinsic dimension of the rows.
    queries_ : polars.DataFrame
        ``query``, ``recall`` (mean over random orders), ``lid`` around it.
    lid_correlation_ : tuple of float
        Spearman's correlation of both columns with a bootstrap interval: (rho, lo, hi); NaN when recall is constant.
    reproducible_ : bool
        Whether the first graph, built twice, found the same ids. Never True with several threads.
    backend_ : str
    n_features_in_

    Raises
    ------
    ValueError
        `k` not below the number of rows, ``ef_search`` below what is asked for, constant data, NaN, a zero vector under
        the cosine, queries of another dimension, an order that is no permutation, a category order without groups.
    ImportError
        When the library of the graphs is not installed.

    References
    ----------
    Elliott and Clark, The Impacts of Data, Ordering, and Intrinsic Dimensionality on Recall in Hierarchical Navigable
    Small Worlds, 2024, arXiv:2405.17813. Reach, intervals and advice are ours.

    Examples
    --------
    >>> from salience.data.generators import clustered_vectors
    >>> from salience.vectors import HnswRecallAudit
    >>> X, groups = clustered_vectors(800, 32, clusters=8, separation=4.0, ranks=(2, 16))
    >>> audit = HnswRecallAudit(M=4, ef_construction=16, ef_search=12, n_queries=200).fit(X)
    >>> audit.table_.columns[:4]
    ['order', 'recall', 'lo', 'hi']
    >>> audit.reproducible_
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "M": [Interval(Integral, 2, None, closed="left")],
        "ef_construction": [Interval(Integral, 1, None, closed="left")],
        "ef_search": [Interval(Integral, 1, None, closed="left")],
        "k": [Interval(Integral, 1, None, closed="left")],
        "orders": [list, tuple, dict],
        "seeds": [Interval(Integral, 1, None, closed="left")],
        "metric": [StrOptions(set(METRICS))],
        "backend": [StrOptions({"auto", *BACKENDS})],
        "exclude_self": ["boolean"],
        "n_queries": [Interval(Integral, 2, None, closed="left")],
        "lid_k": [Interval(Integral, 2, None, closed="left"), None],
        "reach_rows": [Interval(Integral, 0, None, closed="left")],
        "n_bootstrap": [Interval(Integral, 2, None, closed="left")],
        "threads": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "progress": [callable, None],
    }

    def __init__(
        self,
        M: int = 16,
        ef_construction: int = 128,
        ef_search: int = 40,
        k: int = 10,
        *,
        orders: Orders = (REFERENCE, "lid_desc", "lid_asc"),
        seeds: int = 3,
        metric: str = "l2",
        backend: str = "auto",
        exclude_self: bool = False,
        n_queries: int = 1000,
        lid_k: int | None = None,
        reach_rows: int = 20_000,
        n_bootstrap: int = 1000,
        threads: int = 1,
        n_jobs: int | None = None,
        random_state: Any = 0,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.M = M
        self.ef_construction = ef_construction
        self.ef_search = ef_search
        self.k = k
        self.orders = orders
        self.seeds = seeds
        self.metric = metric
        self.backend = backend
        self.exclude_self = exclude_self
        self.n_queries = n_queries
        self.lid_k = lid_k
        self.reach_rows = reach_rows
        self.n_bootstrap = n_bootstrap
        self.threads = threads
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.progress = progress

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None, *, queries: Any = None, groups: Any = None, lid: Any = None) -> Self:
        """Build a graph for every order and seed and measure it.

        Parameters
        ----------
        X : array-like or frame of shape (n, d)
            Taken as float32; a memory-mapped array is read block by block.
        y : ignored
        queries : array-like of shape (m, d), optional
            By default `n_queries` rows of `X`.
        groups : array-like of shape (n,), optional
            The category of each row, for orders by category.
        lid : array-like or Scores, shape (n,), optional
            Dimensions of the rows, when they are known already.

        Returns
        -------
        self
        """
        started = time.perf_counter()
        X = validate_data(self, X, dtype="numeric", ensure_min_samples=3)
        refuse_constant(X)
        self.backend_ = found_backend(self.backend)
        random = check_random_state(self.random_state)
        notes: list[str] = []
        truth = self._truth(X, queries, random, notes)
        orders = self._permutations(X, groups, lid)
        looked_for = np.sort(random.permutation(len(X))[: self.reach_rows]).astype(np.int64)
        graph = Graph(
            self.backend_, self.M, self.ef_construction, self.ef_search, self.threads, truth, looked_for
        )
        builds = self._build(graph, orders)
        self.reproducible_ = self._repeated(graph, orders[REFERENCE][0], builds[0], notes)
        self.orders_ = tuple(orders)
        hits = np.array([build.hits for build in builds]).reshape(len(orders), self.seeds, -1) / self.k
        seed = int(random.randint(2**31 - 1))
        found = compared(hits, self.orders_, REFERENCE, self.n_bootstrap, seed)
        self.table_, self.spread_, self.spread_interval_ = found.table, found.spread, found.interval
        self.recalls_ = hits.mean(axis=2)
        recall, around = hits[self.orders_.index(REFERENCE)].mean(axis=0), self._around(truth)
        self.queries_ = pl.DataFrame({"query": np.arange(len(recall)), "recall": recall, "lid": around})
        self.lid_correlation_ = correlation(around, recall, self.n_bootstrap, seed)
        self._keep_rows(graph, builds, notes, time.perf_counter() - started)
        self._graph, self._reference = graph, orders[REFERENCE]
        return self

    @property
    def row_reach_(self) -> Scores:
        """The share of builds that reach each row: another name of ``scores_``."""
        check_is_fitted(self, "scores_")
        return self.scores_

    def recommend(
        self, target: float = 0.95, *, M: Sequence[int] = (8, 16, 32, 48),
        ef_search: Sequence[int] = (10, 20, 40, 80, 160, 320, 640), progress: Callable[[int, int], None] | None = None,
    ) -> Advice:  # fmt: skip
        """The least parameters on a grid that reach a recall, and the best measured order.

        For every M graphs are built in random order with each seed, and searched with growing `ef_search` until the
        target is reached.

        Parameters
        ----------
        target : float, default=0.95
        M, ef_search : sequence of int
            The grid; breadths below what is asked for are left out.
        progress : callable, optional
            ``progress(done, total)`` in values of M.

        Returns
        -------
        Advice
            `print` it for the words.
        """
        check_is_fitted(self, "scores_")
        return advise(
            self._graph,
            self._reference,
            self.table_,
            target,
            M,
            ef_search,
            n=self.n_bootstrap,
            progress=progress,
        )

    def plot(self, kind: str = "orders", ax: Any = None) -> Any:
        """Draw recall by order of insertion ("orders"), or over the dimension around the queries ("dimension").

        Returns
        -------
        matplotlib Axes
        """
        from salience.vectors.hnsw.pictures import PICTURES  # matplotlib is loaded by those who draw

        check_is_fitted(self, "scores_")
        if kind not in PICTURES:
            raise ValueError(f"kind={kind!r} is unknown; it must be one of {', '.join(map(repr, PICTURES))}")
        return PICTURES[kind](self, ax)

    def _truth(self, X: NDArray[Any], queries: Any, random: Any, notes: list[str]) -> Truth:
        if self.k >= len(X):
            raise VectorError(
                f"k={self.k} neighbours of n_samples = {len(X)} rows; k must be below the number of rows: give "
                f"a k of at most {len(X) - 1}"
            )
        own = None
        if queries is None:
            own = np.sort(random.permutation(len(X))[: self.n_queries]).astype(np.int64)
            asked = X[own]
        else:
            asked = as_vectors(queries, "queries")
        truth = Truth.of(X, asked, self.k, self.metric, own=own, exclude_self=self.exclude_self)
        if self.ef_search < truth.asked:
            raise ValueError(
                f"ef_search={self.ef_search} is smaller than the {truth.asked} rows a search must return (k={self.k}"
                f"{', and the query itself' if truth.asked > self.k else ''}); give ef_search={truth.asked} or more"
            )
        if truth.equal and own is None and not self.exclude_self:
            notes.append(
                f"{truth.equal} of {len(asked)} queries are rows of X and find themselves, which inflates recall; say "
                "exclude_self=True"
            )
            warnings.warn(notes[-1], UserWarning, stacklevel=3)
        return truth

    def _permutations(self, X: NDArray[Any], groups: Any, lid: Any) -> dict[str, list[Permutation]]:
        """A permutation per seed for every order, random ones first."""
        given = dict(self.orders) if isinstance(self.orders, Mapping) else dict.fromkeys(self.orders)
        given = {REFERENCE: given.pop(REFERENCE, None), **given}
        unknown = [name for name, order in given.items() if order is None and name not in ORDERS]
        if unknown:
            raise ValueError(
                f"no order is called {', '.join(map(repr, unknown))}; there are {', '.join(map(repr, ORDERS))}, and a "
                "mapping of names to permutations takes any"
            )
        if any("groups" in needs(name) for name, order in given.items() if order is None) and groups is None:
            raise ValueError("an order by category needs the category of each row: fit(X, groups=...)")
        self.lid_ = as_dimensions(lid, len(X)) if lid is not None else self._dimensions(X)
        material = Material.checked(len(X), self.lid_, groups)
        return {
            name: [
                ORDERS[name](material, seed) if order is None else as_permutation(order, len(X))
                for seed in range(self.seeds)
            ]
            for name, order in given.items()
        }

    def _dimensions(self, X: NDArray[Any]) -> Scores:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # few neighbours: it stands in the meta of lid_
            return local_intrinsic_dimension(X, self.lid_k, metric=self.metric)

    def _build(self, graph: Graph, orders: Mapping[str, list[Permutation]]) -> list[Build]:
        tasks = [(order, seed) for by_seed in orders.values() for seed, order in enumerate(by_seed)]
        return pmap(partial(built, graph), tasks, n_jobs=self.n_jobs or 1, progress=self.progress)

    def _repeated(self, graph: Graph, order: Permutation, first: Build, notes: list[str]) -> bool:
        if self.threads > 1:
            notes.append(
                f"built by {self.threads} threads: links depend on which came first, so no two builds can be called the "
                "same and differences between orders are not only theirs; audit with threads=1"
            )
            warnings.warn(notes[-1], UserWarning, stacklevel=3)
            return False
        same = bool(
            np.array_equal(graph.index(order, 0).search(graph.truth.queries, graph.truth.asked), first.found)
        )
        if not same:
            notes.append(
                f"{self.backend_} built the same graph twice and found other rows: seeds do not fix it"
            )
        return same

    def _around(self, truth: Truth) -> NDArray[np.float64]:
        """The dimension around each query, measured as that of the rows was."""
        said = self.lid_.meta.params
        return local_dimension(
            truth.rows, said.get("k") or min(NEIGHBOURS, len(truth.rows) - 1), queries=truth.queries,
            metric=DISTANCES[self.metric], estimator=said.get("estimator", "mle"), reference=said.get("reference"),
        )  # fmt: skip

    def _keep_rows(self, graph: Graph, builds: list[Build], notes: list[str], seconds: float) -> None:
        truth, n = graph.truth, len(graph.truth.rows)
        reach = np.full(n, np.nan)
        reach[graph.looked_for] = np.mean([build.reached for build in builds], axis=0)
        degrees = [build.in_degree for build in builds if build.in_degree is not None]
        said = self.get_params(deep=False)
        for name in ("progress", "n_jobs", "random_state"):
            del said[name]
        said["orders"] = list(self.orders_)
        seed = int(self.random_state) if isinstance(self.random_state, Integral) else None
        self.scores_ = Scores.from_values(
            reach, keys="row", item="row", better="low",
            in_degree=np.mean(degrees, axis=0) if degrees else np.full(n, np.nan),
            hubness=np.bincount(truth.ids[truth.ids >= 0], minlength=n), lid=np.asarray(self.lid_),
            flag=[("unscored" if missing else None) for missing in np.isnan(reach)],
            meta=Meta(
                method="hnsw-recall", params=said, seed=seed, rows=n, unit="share of builds", warnings=tuple(notes),
                seconds=seconds, extra={"backend": self.backend_, "reproducible": self.reproducible_},
            ),
        )  # fmt: skip
