"""A linear model for rows in groups, some of which are outliers, that can also leave columns out."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray
from scipy.stats import chi2, norm
from sklearn.base import BaseEstimator, RegressorMixin, _fit_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_selection import SelectorMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted, validate_data

from salience.measures.optimize import Optimum, prox_ncg
from salience.measures.penalties import L1, PENALTIES
from salience.measures.resampling import q_values
from salience.results.meta import Meta
from salience.results.scores import Scores
from salience.tabular.mixed_model.likelihood import Groups, Parameters
from salience.tabular.mixed_model.objective import MixedObjective, spread_of
from salience.tabular.numbers import refuse_extremes
from salience.verify.fingerprints import column_sum, from_sums

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["RobustMixedModel"]

Floats: TypeAlias = NDArray[np.float64]


class RobustMixedModel(SelectorMixin, RegressorMixin, BaseEstimator):
    """A linear mixed model whose groups are multivariate t, not Gaussian, so that outlying groups count for little.

    ``y_i ~ t_nu(X_i b, sigma2 (Z_i D Z_i' + I))`` for each group i. This is the distribution of largest Tsallis entropy with
    a given mean and covariance, ``q = 1 + 2 / (nu + n_i)``; with nu to infinity it is the Gaussian mixed model. A group at
    distance ``d_i = r_i' V_i^-1 r_i`` has the weight ``w_i = (nu + n_i) / (nu + d_i)`` in every estimating equation.
    What is minimised is the mean negative log-likelihood of a row plus a penalty on ``b / sigma`` that sets coefficients to
    zero.

    Parameters
    ----------
    penalty : {"scad", "mcp", "l1"}, default="scad"
    lam : float, default=0.0
        Weight of the penalty, for standardised columns; free of the unit of the outcome. About ``sqrt(2 ln(p) / n)`` finds
        what stands out of p columns of noise. 0: no penalty.
    a, gamma : float, default=3.7 and 2.0
        Shape of SCAD (above 2) and of MCP (above 1).
    nu : "fit" or float, default="fit"
        Degrees of freedom, the same for all groups; fitted ones lie in (2.1, 200). Small: more robust.
    random : "1" or sequence of column names or numbers, default="1"
        Columns whose slope varies between groups, beside the intercept. "1": the intercept only.
    tol : float, default=1e-6
        Largest entry of the gradient at which the fit ends.
    max_iter : int, default=1000

    Attributes
    ----------
    coef_, intercept_ : ndarray of float64, shape (p,), and float
        In the units of the data.
    D_ : ndarray of float64, shape (m, m)
        Covariance of the random effects over `sigma2_`, intercept first.
    sigma2_, nu_ : float
        Scale and degrees of freedom.
    groups_ : ndarray, shape (g,)
        Names of the groups, sorted.
    group_weights_ : ndarray of float64, shape (g,)
        ``w_i``: about 1, and near 0 for outliers.
    random_effects_ : ndarray of float64, shape (g, m)
    support_ : ndarray of bool, shape (p,)
        Coefficients that are not zero.
    scores_ : Scores
        Of columns: the coefficient of the standardised column, ranked by size; with ``coef``, and without a penalty ``se``,
        ``z`` and ``p`` from the expected information.
    group_scores_ : Scores
        Of groups: the weight, low is outlying; with the ``distance``, the rows ``n``, and ``p`` and ``q``: the chance of such
        a distance in a Gaussian group like the middle one (chi squared, scaled to the median), and its false discovery rate.
    n_iter_ : int
    objective_ : ndarray of float64
        After each iteration; it never rises.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Raises
    ------
    ValueError
        No groups, or fewer than 2; NaN or infinity; an unknown column in `random`; ``lam < 0``, ``a <= 2``, ``gamma <= 1``.

    Notes
    -----
    Reconstructed: the text of the third manuscript of the thesis was not available. A q shared by groups of different
    sizes would be no one model; a shared nu is. The penalty is on ``b / sigma``, as Staedler, Buehlmann and van de Geer
    (2010) have it, not on b: else `sigma2_` can fall to 0 without limit where there are more columns than rows. "l1"
    shrinks every coefficient and books the rest as noise: `sigma2_` too large, `nu_` too small.

    A shift of a whole group is taken by its random intercept and leaves the slopes alone; what hurts a Gaussian mixed model
    is a group with other slopes or with wild rows.

    References
    ----------
    K. Yang, "Contributions to Robust and Efficient Methods for Analysis of High Dimensional Data", part 3. Lange, Little,
    Taylor, Robust statistical modeling using the t distribution, JASA 1989.

    Examples
    --------
    >>> import numpy as np
    >>> from salience.tabular import RobustMixedModel
    >>> rng = np.random.default_rng(0)
    >>> groups = np.repeat(np.arange(20), 6)
    >>> X = rng.normal(size=(120, 2))
    >>> y = 3 * X[:, 0] + rng.normal(size=20)[groups] + rng.normal(size=120)
    >>> y[groups == 7] *= -5                                  # another slope
    >>> model = RobustMixedModel().fit(X, y, groups=groups)
    >>> model.coef_.round(1)
    array([2.9, 0.1])
    >>> model.group_scores_.top(1).items
    [7]
    """

    scores_: Scores
    group_scores_: Scores

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "penalty": [StrOptions(set(PENALTIES))],
        "lam": [Interval(Real, 0, None, closed="left")],
        "a": [Interval(Real, 2, None, closed="neither")],
        "gamma": [Interval(Real, 1, None, closed="neither")],
        "nu": [StrOptions({"fit"}), Interval(Real, 0, None, closed="neither")],
        "random": [StrOptions({"1"}), "array-like"],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        penalty: str = "scad",
        lam: float = 0.0,
        *,
        a: float = 3.7,
        gamma: float = 2.0,
        nu: str | float = "fit",
        random: str | Sequence[Any] = "1",
        tol: float = 1e-6,
        max_iter: int = 1000,
    ) -> None:
        self.penalty = penalty
        self.lam = lam
        self.a = a
        self.gamma = gamma
        self.nu = nu
        self.random = random
        self.tol = tol
        self.max_iter = max_iter

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, groups: ArrayLike | None = None) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : array or frame of numbers, shape (n, p)
        y : array-like of float, shape (n,)
        groups : array-like, shape (n,)
            The group of each row: a patient, a school, a batch.

        Returns
        -------
        self
        """
        started = time.perf_counter()
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True, ensure_min_samples=2)
        y = np.asarray(y, dtype=np.float64)
        refuse_extremes(X, "X")
        refuse_extremes(y[:, None], "y")
        self.groups_, codes = _grouped(groups, len(y))
        names = _check_feature_names_in(self, None).tolist()
        varying = self._random_columns(names)

        mean, deviation = X.mean(axis=0), X.std(axis=0)
        self._constant = np.ptp(X, axis=0) == 0
        deviation = np.where(self._constant, 1.0, deviation)
        standard = np.where(self._constant, 0.0, (X - mean) / deviation)
        middle, spread = float(np.median(y)), spread_of(y)
        design = np.column_stack([standard, np.ones(len(y))])
        Z = np.column_stack([np.ones(len(y)), standard[:, varying]])
        model = MixedObjective(
            design, (y - middle) / spread, Groups.of(codes.astype(np.int64), Z), self._penalty(), self.nu
        )
        found = prox_ncg(
            model.smooth, model.gradient, model.prox, model.start(), h=model.penalty_value, tol=self.tol,
            max_iter=self.max_iter,
        )  # fmt: skip
        if not found.converged and found.residual > 100 * self.tol:
            warnings.warn(
                f"the fit ended after {found.n_iter} iterations with a gradient of {found.residual:.1g}, above "
                f"tol={self.tol:g}: raise max_iter, or scale extreme columns",
                ConvergenceWarning, stacklevel=2,
            )  # fmt: skip
        warned = [f"{self._constant.sum()} constant column(s): coefficient 0"] * bool(self._constant.any())
        if not found.converged:
            warned.append(f"gradient {found.residual:.1g} at the end of the fit")
        at = model.parameters(found.x)
        self._keep(model, at, found, names, mean, deviation, middle, spread, varying)
        sums = {name: column_sum(pa.array(x), "number") for name, x in zip(names, X.T, strict=True)}
        meta = Meta(
            method="robust-mixed-model", params=self.get_params(), rows=len(y), seconds=time.perf_counter() - started,
            data=(from_sums(sums, len(y)),), unit="of the outcome, per standard deviation of the column",
            warnings=tuple(warned),
        )  # fmt: skip
        self.scores_ = self.scores_.replace(meta=meta)
        self.group_scores_ = self.group_scores_.replace(meta=meta.replace(unit="weight"))
        return self

    def predict(self, X: Any, groups: ArrayLike | None = None) -> Floats:
        """The expected outcome; with the effects of their group for rows of groups that were fitted.

        Parameters
        ----------
        X : array or frame, shape (n, p)
        groups : array-like, shape (n,), optional
            Groups that are new have effects of 0.

        Returns
        -------
        ndarray of float64, shape (n,)
        """
        check_is_fitted(self, "coef_")
        X = validate_data(self, X, dtype=np.float64, reset=False)
        expected = X @ self.coef_ + self.intercept_
        if groups is not None:
            given = np.asarray(groups)
            if given.shape != (len(X),):
                raise ValueError(
                    f"groups has shape {given.shape}; it must name a group for each of {len(X)} rows"
                )
            place = {name: i for i, name in enumerate(self.groups_.tolist())}
            rows = np.array([place.get(name, -1) for name in given.tolist()])
            Z = np.column_stack([np.ones(len(X)), X[:, self._varying]])
            effects = np.vstack([self.random_effects_, np.zeros(Z.shape[1])])
            expected = expected + np.einsum("ij,ij->i", Z, effects[rows])
        return np.asarray(expected)

    def plot_groups(self, ax: Axes | None = None, *, names: int = 8) -> Axes:
        """Draw the weight of each group against its distance from the model, outliers by name.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            A new figure without it.
        names : int, default=8
            How many outliers to name.
        """
        from salience.tabular.mixed_model.picture import (
            outlier_weights,  # matplotlib is loaded by those who draw
        )

        check_is_fitted(self, "coef_")
        return outlier_weights(self.group_scores_, ax, names=names)

    def _penalty(self) -> L1:
        kind = self.penalty if self.lam else "l1"  # a penalty of no weight has no shape either
        return PENALTIES[kind](float(self.lam), self.a, self.gamma)

    def _random_columns(self, names: list[str]) -> list[int]:
        if isinstance(self.random, str):
            return []
        places = [names.index(c) if isinstance(c, str) and c in names else c for c in self.random]
        wrong = [
            c for c in places
            if isinstance(c, bool) or not isinstance(c, int | np.integer) or not 0 <= c < len(names)
        ]  # fmt: skip
        if wrong or len(set(places)) < len(places):
            raise ValueError(
                f"random={list(self.random)!r} must name different columns; there are {len(names)}: {', '.join(names[:10])}"
            )
        return [int(c) for c in places]

    def _keep(
        self, model: MixedObjective, at: Parameters, found: Optimum, names: list[str], mean: Floats, deviation: Floats,
        middle: float, spread: float, varying: list[int],
    ) -> None:  # fmt: skip
        """The learned attributes, in the units of the data."""
        b = at.b[:-1] * spread
        self.coef_ = b / deviation
        self.intercept_ = float(middle + at.b[-1] * spread - self.coef_ @ mean)
        self.support_ = b != 0
        back = np.diag(np.append(1.0, 1 / deviation[varying]))  # effects of columns as they were given
        back[0, 1:] = -mean[varying] / deviation[varying]
        self.D_ = back @ at.L @ at.L.T @ back.T
        self.sigma2_, self.nu_ = at.sigma2 * spread**2, at.nu
        self.random_effects_ = spread * model.likelihood.effects(at) @ back.T
        self.group_weights_ = model.likelihood.weights(at)
        self.n_iter_, self.objective_ = found.n_iter, found.history
        self._varying = varying
        more: dict[str, Any] = {}
        if self.lam == 0 and len(b) + 1 < len(model.likelihood.y):
            known = np.append(~self._constant, True)
            variance = np.full(len(b) + 1, np.nan)
            variance[known] = np.diag(np.linalg.pinv(model.likelihood.information(at)[np.ix_(known, known)]))
            se = np.sqrt(variance[:-1]) * spread
            more = {"se": se, "z": b / se, "p": 2 * norm.sf(np.abs(b / se))}
        flag = ["constant" if constant else None for constant in self._constant]
        self.scores_ = Scores.from_values(b, names, better="abs", coef=self.coef_, flag=flag, **more)
        distance, size = model.likelihood.distances(at), model.likelihood.groups.sizes
        core = float(np.median(distance / chi2.ppf(0.5, size))) or 1.0  # outliers do not move the middle
        p = chi2.sf(distance / core, size)
        self.group_scores_ = Scores.from_values(
            self.group_weights_, self.groups_.tolist(), keys="group", item="group", better="low", distance=distance,
            n=size.astype(np.int64), p=p, q=q_values(p),
        )  # fmt: skip

    def _get_support_mask(self) -> NDArray[np.bool_]:
        check_is_fitted(self, "coef_")
        return np.asarray(self.support_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


def _grouped(groups: ArrayLike | None, rows: int) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Names of the groups, and the number of each row's group."""
    if groups is None:
        raise ValueError(
            "a mixed model needs groups: fit(X, y, groups=...) with the group of each row; without groups use a "
            "plain linear model"
        )
    given = np.asarray(groups)
    if given.shape != (rows,):
        raise ValueError(f"groups has shape {given.shape}; it must name a group for each of the {rows} rows")
    if any(name is None or name != name for name in given.tolist()):
        raise ValueError("a group without a name (None or NaN): give it one, or leave its rows out")
    names, codes = np.unique(given, return_inverse=True)
    if len(names) < 2:
        raise ValueError(
            f"all {rows} rows are in the group {names.tolist()[0]!r}; at least 2 groups are needed"
        )
    return names, codes
