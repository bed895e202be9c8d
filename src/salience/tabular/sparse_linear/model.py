"""Linear models that drop columns and do not shrink the effects of those that stay."""

from __future__ import annotations

import dataclasses
import time
import warnings
from collections.abc import Callable, Iterable
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import issparse
from scipy.special import expit
from sklearn.base import BaseEstimator, _fit_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_selection import SelectorMixin
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import KFold, StratifiedKFold, check_cv
from sklearn.utils import ClassifierTags, RegressorTags
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted, validate_data

from salience.measures.penalties import PENALTIES
from salience.parallel import pmap
from salience.results.meta import Meta
from salience.results.scores import Scores
from salience.tabular.numbers import refuse_extremes
from salience.tabular.sparse_linear.columns import DenseColumns, SparseColumns, standardized
from salience.tabular.sparse_linear.losses import LOSSES, Loss
from salience.tabular.sparse_linear.path import SOLVERS, SparsePath, fit_path, largest_lambda
from salience.verify.fingerprints import fingerprint

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["SparseLinear"]

Floats: TypeAlias = NDArray[np.float64]
Fold: TypeAlias = tuple[NDArray[np.intp], NDArray[np.intp]]


def _classifies(model: SparseLinear) -> bool:
    return model.loss == "logistic"


class SparseLinear(SelectorMixin, BaseEstimator):
    """Linear or logistic regression with a SCAD, MCP or L1 penalty: few columns, unshrunken effects.

    The lasso pulls every coefficient towards zero by the same amount, so it keeps many small ones to make up for the
    shrinkage of the large ones. SCAD and MCP leave large coefficients alone: fewer columns that are there by mistake at
    the same prediction. With columns of mean 0 and standard deviation 1, it minimises ::

        Q(b) = (1/2n) ||y - b_0 - X b||^2  (or the mean logistic loss)  +  sum_j pen(|b_j|)

    over a path of falling `lam`, each from the solution of the one before. The objective is not convex: a solution is a
    local minimum, and `locally_convex_` says whether it is alone among models with its columns.

    Parameters
    ----------
    penalty : {"scad", "mcp", "l1"}, default="scad"
        See :class:`~salience.measures.SCAD`, :class:`~salience.measures.MCP`, :class:`~salience.measures.L1`.
    loss : {"squared", "logistic"}, default="squared"
        "logistic" makes a classifier of two classes of it.
    lam : float or None, default=None
        Weight of the penalty, in units of ``x_j'y / n`` with a standardised column. None: the best one of the path by
        cross-validation.
    path : int or array-like of float, default=100
        How many values between the lambda at which everything is zero and `min_ratio` of it, or the values. With `lam`,
        the path ends there.
    min_ratio : float, default=0.01
    cv : int, cross-validation splitter or iterable of splits, default=5
        Folds that choose `lam`; a number: shuffled, stratified by class for "logistic". A validation set of your own is a
        :class:`~sklearn.model_selection.PredefinedSplit`.
    solver : {"cd", "ag", "pncg", "pg"}, default="cd"
        "cd": coordinate descent with linear systems where it is slow. "ag": the accelerated gradient of the paper. "pncg":
        proximal nonlinear conjugate gradient. "pg": plain proximal gradient, to compare with.
    a : float, default=3.7
        Of SCAD, above 2.
    gamma : float, default=2.0
        Of MCP, above 1.
    screen : bool, default=True
        Leave out columns by the sequential strong rule, and fit again where the conditions of a minimum say that one of
        them belongs in. The result is the same.
    tol : float, default=1e-7
        Largest violation of the conditions of a minimum, as a share of the largest lambda.
    max_iter : int, default=10000
        Iterations (passes over the coefficients for "cd") at each lambda.
    n_jobs : int, default=1
        Threads over the folds.
    progress : callable, optional
        ``progress(folds done, folds in all)``.
    random_state : int, RandomState or None, default=0
        Of the folds.

    Attributes
    ----------
    coef_ : ndarray of float64, shape (p,)
        Per unit of each column as given; exactly 0 for a column that is out.
    intercept_ : float
    lam_ : float
        The lambda of the coefficients.
    scores_ : Scores
        One row per column: ``value``, the coefficient per standard deviation of the column, ranked by size; ``coef``; and
        ``entered``, the lambda of the path at which the column came in, null if it never did.
    path_ : SparsePath
        The solutions at all lambdas.
    n_iter_, kkt_gap_ : int, float
        Iterations at `lam_`, and the largest violation of the conditions of a minimum there, as a share of the largest lambda.
    locally_convex_ : bool
        Whether the objective is convex in the columns that are in, at `lam_`: the least eigenvalue of their covariance
        (weighted, for logistic) is above ``1 / (a - 1)`` or ``1 / gamma``.
    classes_ : ndarray, shape (2,)
        For "logistic".
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Raises
    ------
    ValueError
        A parameter out of its range, a constant target, not two classes for "logistic", missing or infinite values.

    Notes
    -----
    A path ends early where 99 % of the loss is explained: beyond, SCAD and MCP have no finite solution in logistic
    regression, and interpolate in linear regression. Memory: a standardised copy of a dense `X`; a sparse `X` stays sparse.

    The packages of the authors have flaws that this does not: the strong rule of fastHDMI never screens, fits the lambda
    before, and is not checked; its MCP objective is that of SCAD; in nonconvexAG after 1.1.6 the gradients of both concave
    parts have the wrong sign.

    References
    ----------
    Yang, Asgharian, Bhatnagar, Accelerated gradient methods for sparse statistical learning with nonconvex penalties,
    arXiv:2009.10629. Tibshirani and others, Strong rules for discarding predictors in lasso-type problems, JRSS B 2012.

    Examples
    --------
    >>> import numpy as np
    >>> from salience.tabular import SparseLinear
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 200))
    >>> y = 3 * X[:, 0] - 2 * X[:, 1] + rng.normal(size=100)
    >>> model = SparseLinear("mcp").fit(X, y)
    >>> model.scores_.top(2).items
    ['x0', 'x1']
    >>> bool(np.abs(model.coef_[:2] - [3, -2]).max() < 0.3)
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "penalty": [StrOptions(set(PENALTIES))],
        "loss": [StrOptions(set(LOSSES))],
        "lam": [Interval(Real, 0, None, closed="left"), None],
        "path": [Interval(Integral, 2, None, closed="left"), "array-like"],
        "min_ratio": [Interval(Real, 0, 1, closed="neither")],
        "cv": ["cv_object"],
        "solver": [StrOptions(set(SOLVERS))],
        "a": [Interval(Real, 2, None, closed="neither")],
        "gamma": [Interval(Real, 1, None, closed="neither")],
        "screen": ["boolean"],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [Integral],
        "progress": [callable, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        penalty: str = "scad",
        loss: str = "squared",
        lam: float | None = None,
        *,
        path: Any = 100,
        min_ratio: float = 0.01,
        cv: Any = 5,
        solver: str = "cd",
        a: float = 3.7,
        gamma: float = 2.0,
        screen: bool = True,
        tol: float = 1e-7,
        max_iter: int = 10_000,
        n_jobs: int = 1,
        progress: Callable[[int, int], None] | None = None,
        random_state: Any = 0,
    ) -> None:
        self.penalty = penalty
        self.loss = loss
        self.lam = lam
        self.path = path
        self.min_ratio = min_ratio
        self.cv = cv
        self.solver = solver
        self.a = a
        self.gamma = gamma
        self.screen = screen
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs
        self.progress = progress
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any) -> Self:
        """Fit the path, and choose from it.

        Parameters
        ----------
        X : array, sparse matrix, pandas or polars frame of shape (n, p)
            Numbers, none missing.
        y : array of shape (n,)
            Numbers; two classes for "logistic".

        Returns
        -------
        self
        """
        started = time.perf_counter()
        X, y = validate_data(
            self, X, y, accept_sparse="csc", dtype=np.float64, y_numeric=not _classifies(self), ensure_min_samples=2
        )  # fmt: skip
        y = self._target(y)
        refuse_extremes(X, "X")
        columns, loss = standardized(X), LOSSES[self.loss](y)
        largest = largest_lambda(columns, loss)
        lambdas = self._lambdas(largest)
        chosen_by_cv = self.lam is None
        path = self._fitted(columns, loss, lambdas, largest)
        if chosen_by_cv:
            path = self._judged(path, X, y, largest)
            if np.isnan(path.loss_mean).all():
                raise ValueError(
                    "no lambda could be judged in every fold: give fewer folds (cv) or a larger min_ratio"
                )
        at = int(np.nanargmin(path.loss_mean)) if chosen_by_cv else len(path.lambdas) - 1
        self.path_, self.lam_ = path, float(path.lambdas[at])
        size = path.coef[[at]].toarray()[0]
        self.coef_ = size / columns.scale
        self.intercept_ = float(path.intercept[at] - columns.mean @ self.coef_)
        self.n_iter_ = max(int(path.n_iter[at]), 1)
        self.kkt_gap_ = float(path.kkt_gap[at])
        self.locally_convex_ = bool(path.locally_convex[at])
        self.scores_ = self._scored(X, columns, size, at, started)
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """Predict the target: numbers, or classes for "logistic"."""
        eta = self._linear(X)
        return self.classes_[(eta > 0).astype(int)] if _classifies(self) else eta

    @available_if(_classifies)
    def decision_function(self, X: Any) -> Floats:
        """The log-odds of the second class, shape (n,)."""
        return self._linear(X)

    @available_if(_classifies)
    def predict_proba(self, X: Any) -> Floats:
        """Probabilities of the two classes, shape (n, 2)."""
        p = expit(self._linear(X))
        return np.column_stack([1 - p, p])

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The share of explained variance, or the accuracy for "logistic"."""
        measure = accuracy_score if _classifies(self) else r2_score
        return float(measure(y, self.predict(X), sample_weight=sample_weight))

    def plot_path(self, ax: Axes | None = None, top: int = 8) -> Axes:
        """Draw the coefficients along the path, the chosen lambda, and where the objective is not locally convex.

        Parameters
        ----------
        ax : matplotlib Axes, optional
        top : int, default=8
            So many columns have a colour and a name.
        """
        from salience.tabular.sparse_linear.picture import (
            coefficient_path,  # matplotlib is loaded by those who draw
        )

        check_is_fitted(self, "path_")
        return coefficient_path(self, ax, top)

    def _target(self, y: NDArray[Any]) -> Floats:
        """The target as numbers, 0 and 1 for two classes."""
        if not _classifies(self):
            if y.dtype.kind not in "biuf":
                raise ValueError(f"y holds {y.dtype}, no numbers; two classes take loss='logistic'")
            y = y.astype(np.float64)
            refuse_extremes(y[:, None], "y")
            if np.ptp(y) == 0:
                raise ValueError(f"y is constant ({y[0]:g}): there is nothing to explain")
            return y
        check_classification_targets(y)
        self.classes_ = np.unique(y)
        if len(self.classes_) > 2:
            raise ValueError(
                f"Only binary classification is supported. The type of the target is {type_of_target(y)}: "
                f"{len(self.classes_)} classes were found. Fit one class against the rest."
            )
        if len(self.classes_) < 2:
            raise ValueError(f"two classes are needed, y has one class only: {self.classes_.tolist()}")
        return (y == self.classes_[1]).astype(np.float64)

    def _lambdas(self, largest: float) -> Floats:
        """The path, falling; it ends at `lam` where that is given."""
        if isinstance(self.path, Integral):
            values = max(largest, np.finfo(float).tiny) * np.geomspace(1.0, self.min_ratio, int(self.path))
        else:
            values = np.unique(np.asarray(self.path, dtype=np.float64))[::-1]
            if not (len(values) and np.isfinite(values).all() and values[-1] >= 0):
                raise ValueError(f"path must be numbers from 0 up, at least one, got {self.path!r}")
        return values if self.lam is None else np.append(values[values > self.lam], self.lam)

    def _fitted(
        self, columns: DenseColumns | SparseColumns, loss: Loss, lambdas: Floats, largest: float
    ) -> SparsePath:
        path = fit_path(
            columns, loss, PENALTIES[self.penalty](0.0, self.a, self.gamma), lambdas, solver=self.solver, screen=self.screen,
            tol=self.tol * (largest or 1.0), max_iter=self.max_iter, saturate=SATURATED if self.lam is None else np.inf,
        )  # fmt: skip
        return dataclasses.replace(path, kkt_gap=path.kkt_gap / (largest or 1.0))

    def _judged(self, path: SparsePath, X: Any, y: Floats, largest: float) -> SparsePath:
        """The path with the loss in held-out rows; NaN from where a fold ended early."""

        def losses(fold: Fold) -> Floats:
            train, test = fold
            columns, loss = standardized(X[train]), LOSSES[self.loss](y[train])
            found = self._fitted(columns, loss, path.lambdas, largest)
            coef = found.coef.multiply(1.0 / columns.scale).tocsr()
            eta = X[test] @ coef.T + (found.intercept - coef @ columns.mean)
            held = LOSSES[self.loss](y[test])
            mean = np.full(len(path.lambdas), np.nan)
            mean[: eta.shape[1]] = [held.value(column) for column in np.asarray(eta).T]
            return mean

        folds = list(self._folds(X, y))
        found = np.array(pmap(losses, folds, n_jobs=self.n_jobs, threads=True, progress=self.progress))
        se = found.std(axis=0, ddof=1) / np.sqrt(len(found)) if len(found) > 1 else found[0] * np.nan
        return dataclasses.replace(path, loss_mean=found.mean(axis=0), loss_se=se)

    def _folds(self, X: Any, y: Floats) -> Iterable[Fold]:
        if isinstance(self.cv, Integral):
            kind = StratifiedKFold if _classifies(self) else KFold
            return kind(int(self.cv), shuffle=True, random_state=self.random_state).split(X, y)
        return check_cv(self.cv, y, classifier=_classifies(self)).split(X, y)

    def _linear(self, X: Any) -> Floats:
        check_is_fitted(self, "coef_")
        X = validate_data(self, X, reset=False, accept_sparse="csr", dtype=np.float64)
        return X @ self.coef_ + self.intercept_

    def _scored(
        self, X: Any, columns: DenseColumns | SparseColumns, size: Floats, at: int, started: float
    ) -> Scores:
        path, warned = self.path_, []
        if columns.constant.any():
            count = int(columns.constant.sum())
            warned.append(f"{count} constant column{'s' if count > 1 else ''}: coefficient 0")
        if self.kkt_gap_ > max(10 * self.tol, 1e-12):
            warned.append(
                f"the solver stopped at a gap of {self.kkt_gap_:.1e}, not {self.tol:.1e}: raise max_iter or tol"
            )
            warnings.warn(warned[-1], ConvergenceWarning, stacklevel=3)
        if self.lam is None and at == len(path.lambdas) - 1:
            warned.append("the best lambda is the last of the path: a longer one may be better")
        coefficients = path.coef.tocoo()
        first = np.full(X.shape[1], len(path.lambdas))
        np.minimum.at(first, coefficients.coords[1], coefficients.coords[0])
        names = list(map(str, _check_feature_names_in(self, generate_names=True)))
        frame = pl.DataFrame(
            {
                "column": names,
                "value": size,
                "coef": self.coef_,
                "entered": np.append(path.lambdas, np.nan)[first],
                "flag": ["constant" if constant else None for constant in columns.constant],
            },
            schema_overrides={"column": pl.String, "flag": pl.String},
        ).with_columns(pl.col("entered").fill_nan(None))
        meta = Meta(
            method="sparse-linear",
            params={name: given for name, given in self.get_params(deep=False).items() if name != "progress"},
            seed=int(self.random_state) if isinstance(self.random_state, Integral) else None,
            data=() if issparse(X) else (fingerprint(pl.from_numpy(X, schema=names)),),
            rows=X.shape[0],
            unit="log-odds per sd" if _classifies(self) else "target per sd",
            warnings=tuple(warned),
            seconds=time.perf_counter() - started,
            extra={"lam": self.lam_, "kkt_gap": self.kkt_gap_, "locally_convex": self.locally_convex_},
        )
        return Scores(frame, ("column",), better="abs", meta=meta)

    def _get_support_mask(self) -> NDArray[np.bool_]:
        check_is_fitted(self, "coef_")
        return self.coef_ != 0

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.sparse = True
        tags.estimator_type = "classifier" if _classifies(self) else "regressor"
        if _classifies(self):
            tags.classifier_tags = ClassifierTags(multi_class=False)
        else:
            tags.regressor_tags = RegressorTags()
        return tags


SATURATED = 0.99
