"""Score each column on its own against an outcome by mutual information, and keep the best."""

from __future__ import annotations

import time
from collections.abc import Callable
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, _fit_context
from sklearn.feature_selection import SelectorMixin
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import (
    _check_feature_names_in,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from salience.measures.bandwidth import BANDWIDTHS
from salience.parallel import pmap
from salience.results.meta import Meta
from salience.results.scores import Scores
from salience.tabular.screening.dependence import MEASURES, SCALINGS, Outcome, Settings
from salience.tabular.screening.screened import Scored, read_columns, rounding, score_block
from salience.verify.fingerprints import from_sums

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["MIScreener"]

Floats: TypeAlias = NDArray[np.float64]
Mask: TypeAlias = NDArray[np.bool_]

BLOCK = 64  # columns that are read and scored together
FEW = 10  # an outcome of so many whole numbers at most is taken for classes
CLUMP = -0.5 * np.log(1 - 0.6**2)  # the information of a Gaussian pair with correlation 0.6


class MIScreener(SelectorMixin, BaseEstimator):
    """Keep the columns with most mutual information about an outcome, whatever the shape of the dependence.

    Where there are far more columns than a model can take, each is scored on its own:
    ``MI = sum f [ln f - ln f_x - ln f_y] da db``, with f the density of the column and the outcome. Correlation sees
    straight lines only; mutual information also sees a column whose square matters. It does not see columns that matter
    only together.

    Parameters
    ----------
    k : int or None, default=10
        Keep so many of the best columns, at most. None: keep those beyond the permutation null at level `alpha`.
    method : {"fft", "bin", "knn", "pearson"}, default="fft"
        "fft": kernel densities by linear binning, and a density per class of a discrete outcome; the paper smooths by FFT,
        running sums here give the same to rounding, faster. "bin": histograms with Birge and Rozenholc's number of bins.
        "knn": scikit-learn's nearest neighbours. "pearson": what a Gaussian pair
        of the same correlation has, ``-ln(1 - r^2) / 2``.
    bandwidth : {"silverman", "scott", "isj", "isj-kdepy"} or float, default="silverman"
        Of the kernels; a number is in standard deviations. 1.0 smooths far too much for an accurate value, and often ranks
        smooth dependence best; it is what the package fastHDMI does whatever one asks for.
    grid : (int, int), default=(128, 128)
        Points for a column and for the outcome.
    scaling : {"standard", "robust", "winsor", "rank"}, default="standard"
        Before the grid is laid. With heavy tails most cells of the grid are empty: "winsor" pulls far outliers in, "rank"
        takes normal quantiles of the ranks.
    n_neighbors : int, default=3
        For "knn".
    outcome : {"auto", "continuous", "discrete"}, default="auto"
        "auto": discrete if it is text, or has at most 10 values, all whole numbers.
    discrete_features : "auto" or bool or array-like of bool of shape (p,), default="auto"
        "auto": columns of at most 3 values (0/1, genotypes 0/1/2).
    clump : None, True or float, default=None
        Going from the best column down, drop a column whose information about one already kept exceeds this. True: 0.2231,
        that of a Gaussian pair with correlation 0.6.
    null_permutations : int, default=0
        Orders of the outcome drawn at random; each gives every column a score by chance alone.
    alpha : float, default=0.05
        Level for ``k=None``: the chance that any column without a relation is kept.
    missing : {"error", "pairwise"}, default="error"
        "pairwise": each column is scored on the rows where it and the outcome are known.
    n_jobs : int, default=2
        Threads.
    progress : callable or None, default=None
        ``progress(blocks of columns done, blocks in all)``.
    random_state : int, RandomState or None, default=0
        Of the permutations, and of the jitter of "knn".

    Attributes
    ----------
    scores_ : Scores
        Nats by column, with ``linfoot``, the rows used ``n``, a ``flag`` (constant, too_few), and with permutations the
        mean ``null``, ``z``, ``p`` and ``q``. `q` is the chance that the best of all columns reaches such a score under a
        permuted outcome (Westfall and Young).
    linfoot_ : ndarray of float64, shape (p,)
        ``sqrt(1 - exp(-2 MI))`` in [0, 1): the correlation of a Gaussian pair with this information.
    pvalues_ : ndarray of float64, shape (p,), or None
        Of each column by itself.
    discrete_outcome_ : bool
    classes_ : ndarray
        Values of a discrete outcome.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Raises
    ------
    ValueError
        An outcome with fewer than 3 rows in a class or one value only; NaN, unless ``missing="pairwise"``; infinity; text
        columns; ``k=None`` without permutations; parameters out of range.

    Notes
    -----
    Memory is 64 columns at a time beside the data: a memory map is read block by block, a sparse matrix is made dense
    block by block. The information of densities is biased down by smoothing and up by noise: compare columns, not truths.
    Against classes, a value that more than a third of the rows share is counted, and only the others have a density.

    fastHDMI 1.25.26, the package of the paper, computes its bandwidths and does not pass them on, so that it always smooths
    with 1.0; scores a 0/1/2 column by one constant per class; and clumps from left to right instead of best first.

    References
    ----------
    fastHDMI, arXiv:2410.10082; part of K. Yang's thesis "Contributions to Robust and Efficient Methods for Analysis of High
    Dimensional Data". Birge, Rozenholc 2006. Botev, Grotowski, Kroese 2010. Linfoot 1957.

    Examples
    --------
    >>> import numpy as np
    >>> from salience.tabular import MIScreener
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(500, 20))
    >>> y = X[:, 3] ** 2 + rng.normal(size=500)   # no correlation at all
    >>> screener = MIScreener(k=None, null_permutations=99).fit(X, y)
    >>> screener.get_feature_names_out()
    array(['x3'], dtype=object)
    >>> screener.scores_.top(1).items
    ['x3']
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "k": [Interval(Integral, 1, None, closed="left"), None],
        "method": [StrOptions(set(MEASURES))],
        "bandwidth": [StrOptions(set(BANDWIDTHS)), Interval(Real, 0, None, closed="neither")],
        "grid": [tuple, list],
        "scaling": [StrOptions(set(SCALINGS))],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "outcome": [StrOptions({"auto", "continuous", "discrete"})],
        "discrete_features": [StrOptions({"auto"}), "boolean", "array-like"],
        "clump": [None, "boolean", Interval(Real, 0, None, closed="left")],
        "null_permutations": [Interval(Integral, 0, None, closed="left")],
        "alpha": [Interval(Real, 0, 1, closed="neither")],
        "missing": [StrOptions({"error", "pairwise"})],
        "n_jobs": [Integral],
        "progress": [callable, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        k: int | None = 10,
        *,
        method: str = "fft",
        bandwidth: str | float = "silverman",
        grid: tuple[int, int] = (128, 128),
        scaling: str = "standard",
        n_neighbors: int = 3,
        outcome: str = "auto",
        discrete_features: Any = "auto",
        clump: bool | float | None = None,
        null_permutations: int = 0,
        alpha: float = 0.05,
        missing: str = "error",
        n_jobs: int = 2,
        progress: Callable[[int, int], None] | None = None,
        random_state: Any = 0,
    ) -> None:
        self.k = k
        self.method = method
        self.bandwidth = bandwidth
        self.grid = grid
        self.scaling = scaling
        self.n_neighbors = n_neighbors
        self.outcome = outcome
        self.discrete_features = discrete_features
        self.clump = clump
        self.null_permutations = null_permutations
        self.alpha = alpha
        self.missing = missing
        self.n_jobs = n_jobs
        self.progress = progress
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any) -> Self:
        """Score the columns of `X` against `y`.

        Parameters
        ----------
        X : array, memory map, sparse matrix or frame of numbers, shape (n, p)
        y : array-like, shape (n,)
            Numbers or classes.

        Returns
        -------
        self
        """
        started = time.perf_counter()
        if self.k is None and not self.null_permutations:
            raise ValueError(
                "k=None keeps what is beyond the permutation null: say null_permutations=99 or more, or give k"
            )
        if len(self.grid) != 2 or min(self.grid) < 16:
            raise ValueError(f"grid={self.grid!r} must be two numbers of points, 16 or more each: (128, 128)")
        X, outcome = self._checked(X, y)
        n, p = X.shape
        random = check_random_state(self.random_state)
        settings = Settings(
            self.bandwidth, (int(self.grid[0]), int(self.grid[1])), self.scaling, self.n_neighbors,
            int(random.randint(2**31 - 1)),
        )  # fmt: skip
        orders = np.array([np.arange(n), *(random.permutation(n) for _ in range(self.null_permutations))])
        discrete = self._discrete_mask(p)

        def scored(first: int) -> Scored:
            block = read_columns(X, np.arange(first, min(first + BLOCK, p)))
            known = None if discrete is None else discrete[first : first + BLOCK]
            return score_block(block, known, outcome, orders, self.method, settings)

        blocks = pmap(scored, range(0, p, BLOCK), n_jobs=self.n_jobs, threads=True, progress=self.progress)
        scores = self._scored(blocks, n, _check_feature_names_in(self, None), started)
        self._support = self._chosen(scores, X, np.concatenate([b.discrete for b in blocks]), settings)
        self.scores_, self.linfoot_ = scores, scores.frame["linfoot"].to_numpy()
        self.pvalues_ = scores.frame["p"].to_numpy() if self.null_permutations else None
        return self

    def plot(self, ax: Axes | None = None, *, names: int = 8) -> Axes:
        """Draw every column's score above the mean of its permutations; needs ``null_permutations``.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            A new figure without it.
        names : int, default=8
            How many of the best columns to name.
        """
        from salience.tabular.screening.pictures import (
            score_against_null,  # matplotlib is loaded by those who draw
        )

        check_is_fitted(self, "scores_")
        return score_against_null(self.scores_, ax, level=self.alpha, names=names)

    def _checked(self, X: Any, y: Any) -> tuple[Any, Outcome]:
        """Arrays or a CSC matrix, and the outcome, codes if it is discrete; rows without an outcome are gone."""
        check: dict[str, Any] = {"accept_sparse": "csc", "dtype": "numeric", "ensure_min_samples": 3}
        if self.missing == "pairwise":
            y = column_or_1d(y, warn=True)
            X = validate_data(self, X, ensure_all_finite="allow-nan", **check)
            check_consistent_length(X, y)
            absent = np.array([value is None or value != value for value in y], dtype=bool)
            if absent.any():
                X, y = X[~absent], y[~absent]
        else:
            X, y = validate_data(self, X, y, ensure_all_finite=True, **check)
        y = np.asarray(y)
        values, codes, sizes = np.unique(y, return_inverse=True, return_counts=True)
        if len(values) < 2:
            raise ValueError(
                f"the outcome has {len(values)} value(s) in {len(y)} rows: nothing can be said about it. At least "
                "2 different values are needed (found 1 class)"
            )
        if self.outcome == "auto":
            whole = values.dtype.kind not in "fc" or bool((values == np.round(values)).all())
            self.discrete_outcome_ = values.dtype.kind not in "iuf" or (len(values) <= FEW and whole)
        else:
            self.discrete_outcome_ = self.outcome == "discrete"
        if not self.discrete_outcome_:
            if values.dtype.kind not in "biuf":
                raise ValueError(
                    f"outcome='continuous' needs numbers, but y holds {values.dtype}: say outcome='discrete'"
                )
            return X, Outcome(y.astype(np.float64), False)
        if sizes.min() < 3:
            raise ValueError(
                f"the class {values[sizes.argmin()]!r} has {sizes.min()} row(s), and a density needs at least 3: "
                "merge or leave out such classes, or say outcome='continuous' if y is a quantity"
            )
        self.classes_ = values
        return X, Outcome(codes.astype(np.int64), True)

    def _discrete_mask(self, p: int) -> Mask | None:
        given = self.discrete_features
        if isinstance(given, str):
            return None
        mask = np.full(p, given) if isinstance(given, bool | np.bool_) else np.asarray(given)
        if mask.shape != (p,) or mask.dtype != bool:
            raise ValueError(
                f"discrete_features must be 'auto', True, False or {p} booleans, one per column; got {given!r}"
            )
        return mask

    def _scored(self, blocks: list[Scored], rows: int, names: NDArray[Any], started: float) -> Scores:
        value, used, flag = (
            np.concatenate([getattr(block, part) for block in blocks]) for part in ("value", "n", "flag")
        )
        columns: dict[str, Any] = {
            "linfoot": np.sqrt(-np.expm1(-2 * value)),
            "n": used,
            "flag": [kind or None for kind in flag.tolist()],
        }
        if self.null_permutations:
            reached, mean, deviation = (
                np.concatenate([getattr(block, part) for block in blocks])
                for part in ("reached", "mean", "deviation")
            )
            best = np.max([block.best for block in blocks], axis=0)  # of all columns, in each permutation
            above = len(best) - np.searchsorted(np.sort(best), value - rounding(value))
            p = (1 + reached) / (1 + len(best))
            z = np.divide(value - mean, deviation, out=np.zeros_like(value), where=deviation > 0)
            columns |= {"null": mean, "z": z, "p": p, "q": (1 + above) / (1 + len(best))}
        warned = [
            f"{(flag == kind).sum()} column(s) {what} and score 0"
            for kind, what in (
                ("constant", "are constant"),
                ("too_few", "have fewer than 3 known rows, or one outcome in them,"),
            )
            if (flag == kind).any()
        ]
        sums = dict(zip(names.tolist(), (s for block in blocks for s in block.sums), strict=True))
        params = {name: v for name, v in self.get_params().items() if v is not None and name != "progress"}
        seed = int(self.random_state) if isinstance(self.random_state, int | np.integer) else None
        meta = Meta(
            method="mi-screening", params=params, seed=seed, data=(from_sums(sums, rows),), rows=rows, unit="nats",
            warnings=tuple(warned), seconds=time.perf_counter() - started,
        )  # fmt: skip
        return Scores.from_values(value, names.tolist(), meta=meta, **columns)

    def _chosen(self, scores: Scores, X: Any, discrete: Mask, settings: Settings) -> Mask:
        """The mask of the columns that are kept."""
        order = scores.order()
        if self.k is None:
            order = order[scores.frame["q"].to_numpy()[order] <= self.alpha]
        if self.clump is None or self.clump is False:
            kept = order[: self.k]
        else:
            limit = CLUMP if self.clump is True else float(self.clump)
            kept = self._clumped(X, order, discrete, limit, settings)
        mask = np.zeros(X.shape[1], dtype=bool)
        mask[kept] = True
        return mask

    def _clumped(
        self, X: Any, order: NDArray[np.int64], discrete: Mask, limit: float, settings: Settings
    ) -> NDArray[np.int64]:
        """From the best column down, those that are not too close to one already kept."""
        kept: list[int] = []
        for j in order:
            if len(kept) == self.k:
                break
            candidate = read_columns(X, np.array([j]))[0]
            rows = np.flatnonzero(~np.isnan(candidate))
            values = candidate[rows]
            if discrete[j]:
                values = np.unique(values, return_inverse=True)[1]
            rivals = read_columns(X, np.array(kept, dtype=np.int64))[:, rows]
            now = np.arange(len(rows))[None]
            found = score_block(
                rivals, discrete[kept], Outcome(values, bool(discrete[j])), now, self.method, settings
            )
            if not (found.value > limit).any():
                kept.append(int(j))
        return np.array(kept, dtype=np.int64)

    def _get_support_mask(self) -> Mask:
        check_is_fitted(self, "scores_")
        return self._support

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = self.missing == "pairwise"
        return tags
