"""Keep the columns that carry information above what their cardinality alone would show."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.feature_selection import SelectorMixin
from sklearn.utils.validation import check_is_fitted

from salience.results import Scores
from salience.tabular.ranking import StreamRanker
from salience.tabular.streaming.inputs import checked


class CardinalityAwareSelector(SelectorMixin, BaseEstimator):
    """Select columns by mutual information above the noise level of their own cardinality.

    A scikit-learn selector over :class:`~salience.tabular.ranking.StreamRanker`: a column of many values looks
    informative to plain mutual information, and is kept here only if it beats what a column of the same histogram
    and no relation to the target shows.

    Parameters
    ----------
    k : int or None, default=None
        Keep the `k` best columns. None keeps every column that passes `threshold`.
    threshold : {"noise"} or float, default="noise"
        "noise": keep what is significantly above its null (false discovery rate `alpha`); a number: keep scores above it,
        in nats. Ignored where `k` is given.
    alpha : float, default=0.05
        False discovery rate for ``threshold="noise"``.
    heuristic : str, default="mi"
        Name of the score, see ``salience methods``.
    null : {"analytic", "permute"}, default="analytic"
        How the noise level is found.
    bins : int, default=32
        Ordered bins for number columns with many values.
    label_bins : int, default=10
        Quantile bins for a numeric target with many values.
    random_state : int, default=0
        Seed of the pilot and of the permutation null.

    Attributes
    ----------
    scores_ : Scores
        One row per column.
    ranker_ : StreamRanker
        The fitted ranker.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    References
    ----------
    OutRank, arXiv:2309.01552.

    Examples
    --------
    >>> import numpy as np
    >>> from salience.tabular import CardinalityAwareSelector
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(0, 2, 1000)
    >>> X = np.column_stack([y ^ (rng.random(1000) < 0.2), np.arange(1000)])  # a weak copy, a row id
    >>> CardinalityAwareSelector().fit(X, y).get_support()
    array([ True, False])
    """

    def __init__(
        self,
        k: int | None = None,
        *,
        threshold: str | float = "noise",
        alpha: float = 0.05,
        heuristic: str = "mi",
        null: str = "analytic",
        bins: int = 32,
        label_bins: int = 10,
        random_state: int = 0,
    ) -> None:
        self.k = k
        self.threshold = threshold
        self.alpha = alpha
        self.heuristic = heuristic
        self.null = null
        self.bins = bins
        self.label_bins = label_bins
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Rank the columns of `X` against `y`.

        Parameters
        ----------
        X : array, pandas, polars or pyarrow table of shape (n, d)
        y : array of shape (n,)
            Classes, or numbers (binned by quantiles).

        Returns
        -------
        self
        """
        if self.k is not None and self.k < 1:
            raise ValueError(f"k must be at least 1 or None, got {self.k}")
        if isinstance(self.threshold, str) and self.threshold != "noise":
            raise ValueError(f'threshold must be "noise" or a number of nats, got {self.threshold!r}')
        self.ranker_ = StreamRanker(
            heuristic=self.heuristic,
            null=self.null,
            bins=self.bins,
            label_bins=self.label_bins,
            random_state=self.random_state,
        ).fit(X, y)
        checked(self, X, y)
        self.scores_: Scores = self.ranker_.scores_
        return self

    def _get_support_mask(self) -> np.ndarray:
        check_is_fitted(self, "scores_")
        frame = self.scores_.frame
        if self.k is not None:
            kept = set(frame.sort("rank")["column"].head(self.k))
        elif isinstance(self.threshold, str):
            kept = set(frame.filter((frame["q"] < self.alpha) & (frame["value"] > 0))["column"])
        else:
            kept = set(frame.filter(frame["value"] > self.threshold)["column"])
        return np.array([name in kept for name in self.ranker_.columns_])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags
