"""Keep the rows of a labelled training set that a graph attention network finds most telling."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from itertools import count
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from salience.instances.gais.explanation import row_edges
from salience.instances.gais.graphs import GRAPHS
from salience.instances.gais.notes import after_fitting, before_fitting, no_rate_is_enough
from salience.instances.gais.rates import Folds, checked_rates, rate_table, smallest_rate
from salience.instances.gais.rounds import SCORES, Recipe, scored
from salience.instances.gais.table import Table, resampled, table_of
from salience.results.meta import Meta
from salience.results.scores import Scores
from salience.verify.fingerprints import fingerprint

__all__ = ["GraphAttentionSelector"]

NOT_SAID = ("progress", "random_state", "estimator")


class GraphAttentionSelector(BaseEstimator):
    r"""GAIS: keep a few percent of the rows, by the attention and confidence of a graph network.

    Rows become the nodes of a similarity graph, and a graph attention network of two layers learns to name their
    classes. A row is worth keeping when similar rows look at it, and when the network agrees with its label:

    .. math:: s_j = a_j\, c_j, \qquad
              a_j = \operatorname{mean}_{l,k} \sum_{i \ne j} \alpha^{(l,k)}_{ij}, \qquad c_j = p(y_j \mid j),

    with the attention :math:`\alpha_{ij}` that row `i` pays to row `j` in layer `l` and head `k`. Scores are scaled
    from 0 to 1 in each class, and the best ``ceil(rate * n_c)`` of each class stay. No matrix of all pairs is made.

    It is strong where labels are wrong: rows whose label the neighbours contradict are not kept. A model on the kept rows
    that beats one on all rows has then been spared wrong labels; that is what was gained. With clean labels some points of
    accuracy are lost at 96 % reduction, as by every selector. Compare with random rows first:
    :func:`salience.verify.compare_row_selectors`.

    Parameters
    ----------
    graph : {"minibatch", "lsh", "lsh-multilevel", "lsh-multiview", "knn"}, default="minibatch"
        In stratified batches the most similar pairs; rows that hash alike, by one hash, at several granularities, or in
        several projections; or exact neighbours (quadratic in time).
    rate : float or "auto", default=0.04
        Share of each class that is kept, in (0, 1]. "auto": the smallest of `rates` with which the cross-validated
        accuracy of `estimator` stays within `tolerance` of that on all rows.
    threshold : float, optional
        Keep the rows with a scaled score of at least this instead, in [0, 1].
    score_by : {"attention*confidence", "attention", "confidence"}
        Attention alone follows the degree and keeps wrong labels. Not called ``score``: scikit-learn takes an attribute
        of that name for a method.
    batch_size : int, default=256
        Rows of a batch, and the largest piece of a bucket.
    edge_share : float, default=0.1
        Share of the pairs of a batch that become edges, those that tie with the last included.
    n_batches : int, optional
        For "minibatch": draw so many batches only; the cost does not grow with n then. Other rows get no score, unless `cover`.
    cover : bool, default=False
        With `n_batches`: learn from those batches, but score all rows.
    bits : int, default=8
        Of a hash, at most 62.
    levels : tuple of int, default=(4, 8, 12)
        Bits of the granularities; the planes of a coarse one are the first of a finer one.
    views : int, default=4
        Hashes of "lsh-multiview"; a pair has to collide in half of them.
    half_columns : bool, default=False
        Each view looks at a random half of the columns.
    n_neighbors : int, default=10
        For "knn".
    max_degree : int, default=32
        The most rows that a row looks at in a hashed graph.
    min_similarity : float, default=0.1
        Least cosine ("lsh"), or least weight times cosine ("lsh-multilevel").
    heads, hidden : int, default=4, 16
        Of the first layer.
    epochs : int, default=60
    lr, weight_decay : float, default=0.01, 5e-4
        Of Adam.
    drop_edges : float, default=0.2
        Share of the edges left out in a step.
    held_out : float, default=0.1
        Share of the rows whose labels are not learned from.
    train_batches : int, default=64
        The most pieces that are learned from; the others are only scored.
    n_rounds : int, default=1
        Partitions, each with a network of its own, whose scores are averaged; 3 are better.
    diverse : bool, default=False
        Pass over a row beside a kept one of its class (a neighbour in the graph, or an equal row).
    estimator : estimator or str, optional
        What will be trained on the kept rows; a name of :func:`salience.verify.named_estimator`, or your own. "auto"
        needs it, and a margin model is warned of.
    rates, tolerance, cv : sequence of float, float, int, default=(0.01, 0.02, 0.04, 0.08, 0.16, 0.32), 0.01, 3
        For "auto": what is tried, the accuracy that may be lost, and the folds.
    progress : callable, optional
        ``progress(epochs done, epochs in all)``.
    random_state : int, RandomState or None, default=None

    Attributes
    ----------
    scores_ : Scores
        Key "row": ``value``, scaled within the class; ``class``, ``attention``, ``confidence``, ``degree``, ``kept``,
        ``flag`` ("too_few": a class of one row, kept whole; "unscored"; "untrained").
    attention_, confidence_, degree_ : ndarray of shape (n,)
        Means over the rounds. The degree counts rows that look at this one.
    val_accuracy_ : float
        On held out rows, the mean recall of the classes.
    chance_ : float
        The same by guessing.
    refused_ : bool
        Three networks learned nothing (`val_accuracy_` is below ``chance_ + 0.1``): there are no scores, all rows are kept.
    support_ : ndarray of bool, shape (n,)
    rate_ : float
        Share of the rows that is kept.
    rate_table_ : polars.DataFrame or None
        With ``rate="auto"``: accuracy, loss and effectiveness (accuracy times reduction) of each rate.
    classes_, n_features_in_, feature_names_in_
        As in scikit-learn.

    Raises
    ------
    ValueError
        Fewer than 20 rows, one class, a target of numbers, NaN or infinity, no column that varies, a rate out of (0, 1].

    Warns
    -----
    UserWarning
        When the scores are refused, `estimator` is a margin model, or no rate keeps the accuracy.

    Notes
    -----
    Scores use the labels of all rows given to `fit`: never fit on rows you test on. Euclidean distances say little about
    many one-hot columns: embed them first. Neither the authors' code nor their defaults could be had; widths, epochs, the
    quantile of edges and the score are choices, and nothing is tuned per data set.

    References
    ----------
    Rustamov, Zaitouny, Zaki, Scalable Graph Attention-based Instance Selection via Mini-Batch Sampling and Hierarchical
    Hashing, AI Open 6 (2025), arXiv:2502.20293; the first version arXiv:2412.19201.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from salience.instances import GraphAttentionSelector
    >>> X, y = load_iris(return_X_y=True)
    >>> selector = GraphAttentionSelector(rate=0.1, epochs=30, random_state=0)
    >>> X_kept, y_kept = selector.fit_resample(X, y)
    >>> np.bincount(y_kept).tolist(), selector.val_accuracy_ > 0.6
    ([5, 5, 5], True)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "graph": [StrOptions(set(GRAPHS))],
        "rate": [Interval(Real, 0, 1, closed="right"), StrOptions({"auto"})],
        "threshold": [Interval(Real, 0, 1, closed="both"), None],
        "score_by": [StrOptions(set(SCORES))],
        "batch_size": [Interval(Integral, 8, None, closed="left")],
        "edge_share": [Interval(Real, 0, 1, closed="right")],
        "n_batches": [Interval(Integral, 1, None, closed="left"), None],
        "cover": ["boolean"],
        "bits": [Interval(Integral, 1, 62, closed="both")],
        "levels": ["array-like"],
        "views": [Interval(Integral, 1, None, closed="left")],
        "half_columns": ["boolean"],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "max_degree": [Interval(Integral, 1, None, closed="left")],
        "min_similarity": [Interval(Real, -1, 1, closed="both")],
        "heads": [Interval(Integral, 1, None, closed="left")],
        "hidden": [Interval(Integral, 1, None, closed="left")],
        "epochs": [Interval(Integral, 1, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "drop_edges": [Interval(Real, 0, 1, closed="left")],
        "held_out": [Interval(Real, 0, 1, closed="neither")],
        "train_batches": [Interval(Integral, 1, None, closed="left")],
        "n_rounds": [Interval(Integral, 1, None, closed="left")],
        "diverse": ["boolean"],
        "estimator": [str, HasMethods(["fit", "predict"]), None],
        "rates": ["array-like"],
        "tolerance": [Interval(Real, 0, 1, closed="left")],
        "cv": [Interval(Integral, 2, None, closed="left")],
        "progress": [callable, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        graph: str = "minibatch",
        *,
        rate: float | str = 0.04,
        threshold: float | None = None,
        score_by: str = "attention*confidence",
        batch_size: int = 256,
        edge_share: float = 0.1,
        n_batches: int | None = None,
        cover: bool = False,
        bits: int = 8,
        levels: Sequence[int] = (4, 8, 12),
        views: int = 4,
        half_columns: bool = False,
        n_neighbors: int = 10,
        max_degree: int = 32,
        min_similarity: float = 0.1,
        heads: int = 4,
        hidden: int = 16,
        epochs: int = 60,
        lr: float = 0.01,
        weight_decay: float = 5e-4,
        drop_edges: float = 0.2,
        held_out: float = 0.1,
        train_batches: int = 64,
        n_rounds: int = 1,
        diverse: bool = False,
        estimator: Any = None,
        rates: Sequence[float] = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32),
        tolerance: float = 0.01,
        cv: int = 3,
        progress: Callable[[int, int], object] | None = None,
        random_state: Any = None,
    ) -> None:
        self.graph = graph
        self.rate = rate
        self.threshold = threshold
        self.score_by = score_by
        self.batch_size = batch_size
        self.edge_share = edge_share
        self.n_batches = n_batches
        self.cover = cover
        self.bits = bits
        self.levels = levels
        self.views = views
        self.half_columns = half_columns
        self.n_neighbors = n_neighbors
        self.max_degree = max_degree
        self.min_similarity = min_similarity
        self.heads = heads
        self.hidden = hidden
        self.epochs = epochs
        self.lr = lr
        self.weight_decay = weight_decay
        self.drop_edges = drop_edges
        self.held_out = held_out
        self.train_batches = train_batches
        self.n_rounds = n_rounds
        self.diverse = diverse
        self.estimator = estimator
        self.rates = rates
        self.tolerance = tolerance
        self.cv = cv
        self.progress = progress
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any) -> Self:
        """Score the rows and decide which to keep.

        Parameters
        ----------
        X : array, pandas or polars table of shape (n, d)
            Finite numbers.
        y : array-like of shape (n,)
            Classes.

        Returns
        -------
        self
        """
        started = time.perf_counter()
        recipe = Recipe.of(**self.get_params(deep=False))
        if y is None:
            raise ValueError(
                "requires y to be passed, but the target y is None: rows are kept class by class"
            )
        if self.rate == "auto" and self.threshold is not None:
            raise ValueError('rate="auto" looks for a rate, and threshold= takes its place: give one of them')
        values, _ = validate_data(self, X, np.zeros(np.shape(y)[:1]), dtype=np.float64, ensure_min_samples=2)
        table = table_of(values, y)
        self.classes_ = table.classes
        random = check_random_state(self.random_state)
        done, total = count(1), self.n_rounds * self.epochs * (1 + self.cv * (self.rate == "auto"))

        def tell() -> None:
            if self.progress is not None:
                self.progress(next(done), total)

        notes = list(before_fitting(self.estimator))
        self.rate_table_ = None
        rate = 1.0 if self.rate == "auto" else float(self.rate)
        if self.rate == "auto":
            self.rate_table_ = self._tried(values, table, recipe, random, tell)
            rate = smallest_rate(self.rate_table_, self.tolerance)
            if rate == 1.0:
                notes.append(no_rate_is_enough(self.rates, self.tolerance))
        found = scored(table, recipe, _seeds(random, self.n_rounds), tell)
        self.attention_, self.confidence_, self.degree_ = found.attention, found.confidence, found.degree
        self.val_accuracy_, self.chance_, self.refused_ = found.accuracy, found.chance, found.refused
        self._edges = found.edges()
        self._labels = table.classes[table.codes]
        self.support_ = found.kept(table, rate, self.threshold, self.diverse)
        notes += after_fitting(found, table)
        self.rate_ = float(self.support_.mean())
        for note in notes:
            warnings.warn(note, UserWarning, stacklevel=3)
        if table.constant.any():
            notes.append(f"{table.constant.sum()} constant column(s) were left out")
        meta = Meta(
            method="gais",
            params={
                name: value for name, value in self.get_params(deep=False).items() if name not in NOT_SAID
            },
            seed=int(self.random_state) if isinstance(self.random_state, Integral) else None,
            data=(fingerprint(X if hasattr(X, "columns") else values),),
            rows=len(values),
            unit="share of the best of the class",
            replicate_of="partition" if len(found.readings) > 1 else None,
            warnings=tuple(notes),
            seconds=time.perf_counter() - started,
            extra={"val_accuracy": found.accuracy, "chance": found.chance, "refused": found.refused},
        )
        self.scores_: Scores = found.scores(table, self.support_, meta)
        return self

    def fit_resample(self, X: Any, y: Any) -> tuple[Any, Any]:
        """Fit, and return the kept rows of `X` and `y`, each as what it was.

        Parameters
        ----------
        X, y
            As in `fit`.

        Returns
        -------
        X_kept, y_kept
        """
        rows = self.fit(X, y).get_support(indices=True)
        return resampled(X, rows), resampled(y, rows)

    def get_support(self, indices: bool = False) -> NDArray[Any]:
        """Which rows are kept: a mask of shape (n,), or their numbers."""
        check_is_fitted(self, "support_")
        return np.flatnonzero(self.support_) if indices else self.support_

    def neighbours(self, row: int) -> pl.DataFrame:
        """Why a row has its score: who looks at it, and whom it looks at.

        Parameters
        ----------
        row : int

        Returns
        -------
        polars.DataFrame
            ``neighbour, class, same_class, received, paid, weight``, those that pay most attention first. The sum of
            `received` is the attention of the row; attention is null where there is no edge in that direction.

        Raises
        ------
        ValueError
            If there is no such row.
        """
        check_is_fitted(self, "support_")
        return row_edges(self._edges, self._labels, row)

    def _tried(
        self, X: NDArray[np.float64], table: Table, recipe: Recipe, random: Any, tell: Callable[[], object]
    ) -> pl.DataFrame:
        """Accuracy by rate, the selection made anew among the training rows of each fold."""
        folds = Folds(self.estimator, checked_rates(self.rates), self.cv, int(random.randint(2**31)))
        seeds = _seeds(random, self.cv * self.n_rounds).reshape(self.cv, self.n_rounds)

        def select(X: NDArray[Any], y: NDArray[Any], fold: int) -> Callable[[float], NDArray[np.bool_]]:
            part = table_of(X, y)
            found = scored(part, recipe, seeds[fold], tell)
            return lambda rate: found.kept(part, rate, diverse=self.diverse)

        return rate_table(X, table, folds, select)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


def _seeds(random: np.random.RandomState, size: int) -> NDArray[np.int64]:
    return random.randint(2**31 - 1, size=size)
