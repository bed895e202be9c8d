"""The mixed model of t-distributed groups: its likelihood, its Gaussian limit, its robustness, its sparsity."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from scipy.stats import f as fisher
from scipy.stats import multivariate_t
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.utils.estimator_checks import parametrize_with_checks

from salience.tabular import RobustMixedModel
from salience.tabular.mixed_model.likelihood import Groups, Parameters, TLikelihood
from salience.tabular.mixed_model.picture import outlier_weights


class InPairs(RobustMixedModel):
    """scikit-learn's checks pass no groups, which is an error here: rows 0 and 1 are a group, 2 and 3, ..."""

    def fit(self, X, y):
        return super().fit(X, y, groups=None if y is None else np.arange(np.asarray(y).shape[0]) // 2)


@parametrize_with_checks([InPairs(), InPairs("mcp", 0.1)])
def test_it_passes_scikit_learns_checks(estimator, check):
    check(estimator)


def grouped(seed=0, contaminated=None, groups=30, rows=8):
    """A random intercept, four slopes, and perhaps three groups that are outliers."""
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(groups), rows)
    X = rng.normal(size=(groups * rows, 4))
    y = 1 + X @ SLOPES + rng.normal(size=groups)[codes] + rng.normal(size=groups * rows)
    outliers = rng.choice(groups, 3, replace=False)
    bad = np.isin(codes, outliers)
    if contaminated == "noise":
        y[bad] += 20 * rng.normal(size=bad.sum())
    elif contaminated == "slopes":
        y[bad] += X[bad] @ rng.choice([-10.0, 10.0], 4)
    return X, y, codes, set(outliers.tolist())


SLOPES = np.array([1.0, -1.0, 0.5, 0.0])


def gaussian(X, y, groups, **options):
    """statsmodels' MixedLM, by maximum likelihood."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return sm.MixedLM(y, np.column_stack([X, np.ones(len(y))]), groups, **options).fit(reml=False)


# ---- the likelihood -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small():
    rng = np.random.default_rng(3)
    codes = np.unique(rng.integers(0, 9, 60), return_inverse=True)[1]
    X = rng.normal(size=(60, 3))
    Z = np.column_stack([np.ones(60), X[:, 0]])
    likelihood = TLikelihood(X, rng.normal(size=60), Groups.of(codes, Z))
    return likelihood, Parameters(np.array([0.3, -0.2, 0.1]), np.array([[0.7, 0.0], [0.2, 0.5]]), 0.8, 6.0)


def test_the_likelihood_is_that_of_multivariate_t_groups(small):
    likelihood, at = small
    Z, codes = likelihood.groups.Z, likelihood.groups.codes
    total = 0.0
    for group in range(codes.max() + 1):
        rows = codes == group
        V = at.sigma2 * (Z[rows] @ at.L @ at.L.T @ Z[rows].T + np.eye(rows.sum()))
        total -= multivariate_t.logpdf(likelihood.y[rows], likelihood.X[rows] @ at.b, V, df=at.nu)
    assert likelihood.value(at) == pytest.approx(total / 60, abs=1e-12)


def moved(at, b=0.0, L=0.0, log_sigma2=0.0, log_nu=0.0):
    return Parameters(at.b + b, at.L + L, at.sigma2 * np.exp(log_sigma2), at.nu * np.exp(log_nu))


def test_its_gradient_is_that_of_finite_differences(small):
    likelihood, at = small
    by_b, by_l, by_sigma2, by_nu = likelihood.gradient(at)
    h = 1e-6

    def slope(**direction):
        ahead, back = (
            likelihood.value(moved(at, **{k: s * h * v for k, v in direction.items()})) for s in (1, -1)
        )
        return (ahead - back) / (2 * h)

    assert by_b == pytest.approx([slope(b=unit) for unit in np.eye(3)], abs=1e-8)
    for i, j in ((0, 0), (1, 0), (1, 1)):
        unit = np.zeros((2, 2))
        unit[i, j] = 1.0
        assert by_l[i, j] == pytest.approx(slope(L=unit), abs=1e-8)
    assert by_l[0, 1] == 0.0
    assert by_sigma2 == pytest.approx(slope(log_sigma2=1.0), abs=1e-8)
    assert by_nu == pytest.approx(slope(log_nu=1.0), abs=1e-8)


def test_distances_by_woodbury_are_those_of_the_whole_matrix(small):
    likelihood, at = small
    Z, codes = likelihood.groups.Z, likelihood.groups.codes
    r = likelihood.y - likelihood.X @ at.b
    for group in range(codes.max() + 1):
        rows = codes == group
        V = at.sigma2 * (Z[rows] @ at.L @ at.L.T @ Z[rows].T + np.eye(rows.sum()))
        assert likelihood.distances(at)[group] == pytest.approx(
            r[rows] @ np.linalg.solve(V, r[rows]), rel=1e-10
        )
    weights = (at.nu + likelihood.groups.sizes) / (at.nu + likelihood.distances(at))
    assert likelihood.weights(at) == pytest.approx(weights, rel=1e-12)


# ---- the Gaussian limit ---------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_with_many_degrees_of_freedom_it_is_statsmodels_mixed_model(seed):
    X, y, codes, _ = grouped(seed)
    model, peer = RobustMixedModel(nu=1e6).fit(X, y, groups=codes), gaussian(X, y, codes)
    assert np.append(model.coef_, model.intercept_) == pytest.approx(peer.fe_params, abs=1e-3)
    assert model.sigma2_ == pytest.approx(peer.scale, rel=1e-3)
    assert model.sigma2_ * model.D_ == pytest.approx(np.asarray(peer.cov_re), rel=2e-3)
    assert model.group_weights_ == pytest.approx(np.ones(30), abs=1e-4)


def test_random_slopes_are_those_of_statsmodels_in_the_units_of_the_data():
    rng = np.random.default_rng(0)
    codes = np.repeat(np.arange(60), 10)
    x = rng.normal(5, 3, size=(600, 1))
    y = (
        x[:, 0]
        + rng.normal(size=60)[codes]
        + rng.normal(0, 0.7, size=60)[codes] * x[:, 0]
        + rng.normal(size=600)
    )
    model = RobustMixedModel(nu=1e6, random=[0]).fit(x, y, groups=codes)
    peer = gaussian(x, y, codes, exog_re=np.column_stack([np.ones(600), x]))
    assert np.append(model.coef_, model.intercept_) == pytest.approx(peer.fe_params, abs=1e-3)
    assert model.sigma2_ * model.D_ == pytest.approx(np.asarray(peer.cov_re), abs=5e-3)
    peers_effects = np.array([effects.to_numpy() for effects in peer.random_effects.values()])
    assert model.random_effects_ == pytest.approx(peers_effects, abs=1e-2)


def test_standard_errors_are_those_of_statsmodels_in_the_limit():
    X, y, codes, _ = grouped(2, groups=200)
    model, peer = RobustMixedModel(nu=1e6).fit(X, y, groups=codes), gaussian(X, y, codes)
    se = model.scores_.frame["se"].to_numpy() / X.std(axis=0)
    assert se == pytest.approx(peer.bse_fe[:4], rel=0.05)


# ---- robustness -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("contaminated", ["noise", "slopes"])
def test_three_bad_groups_get_the_smallest_weights_and_leave_the_slopes_alone(contaminated):
    ours, theirs = [], []
    for seed in range(3):
        X, y, codes, outliers = grouped(seed, contaminated)
        model = RobustMixedModel().fit(X, y, groups=codes)
        assert set(model.group_scores_.top(3).items) == outliers
        assert outliers <= set(model.group_scores_.select(beats_null=True).items)
        ours.append(np.linalg.norm(model.coef_ - SLOPES))
        theirs.append(np.linalg.norm(gaussian(X, y, codes).fe_params[:4] - SLOPES))
    assert np.mean(ours) <= 0.35 * np.mean(theirs)


def test_a_shift_of_three_groups_is_taken_by_their_intercepts():
    X, y, codes, _ = grouped(0)
    shifted = RobustMixedModel().fit(X, y + 30.0 * np.isin(codes, [1, 2, 3]), groups=codes)
    assert shifted.coef_ == pytest.approx(RobustMixedModel().fit(X, y, groups=codes).coef_, abs=0.02)


def test_clean_gaussian_groups_lose_nothing_and_are_no_outliers():
    ours, theirs, freedom = [], [], []
    for seed in range(5):
        X, y, codes, _ = grouped(seed)
        model = RobustMixedModel().fit(X, y, groups=codes)
        ours.append(np.linalg.norm(model.coef_ - SLOPES))
        theirs.append(np.linalg.norm(gaussian(X, y, codes).fe_params[:4] - SLOPES))
        freedom.append(model.nu_)
        assert model.group_scores_.frame["q"].min() > 0.05
    assert np.mean(ours) <= 1.05 * np.mean(theirs)
    assert min(freedom) > 30


def test_distances_of_t_groups_are_f_distributed():
    rng = np.random.default_rng(0)
    codes = np.repeat(np.arange(400), 5)
    scale = np.sqrt(6 / rng.chisquare(6, 400))[codes]  # t with 6 degrees of freedom
    X = rng.normal(size=(2000, 2))
    y = X @ [1.0, 0.0] + scale * (rng.normal(size=400)[codes] + rng.normal(size=2000))
    model = RobustMixedModel().fit(X, y, groups=codes)
    assert 4 < model.nu_ < 10
    p = fisher.sf(model.group_scores_.frame["distance"].to_numpy() / 5, 5, model.nu_)
    assert np.mean(p < 0.1) == pytest.approx(0.1, abs=0.04)


# ---- sparsity and descent -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wide():
    """200 columns of which 5 matter, 160 rows, two groups of wild rows."""
    rng = np.random.default_rng(1)
    codes = np.repeat(np.arange(20), 8)
    X = rng.normal(size=(160, 200))
    y = X[:, :5] @ [2.0, -2.0, 1.5, 1.5, -1.5] + rng.normal(size=20)[codes] + 0.5 * rng.normal(size=160)
    y[codes < 2] += 20 * rng.normal(size=16)
    return X, y, codes


@pytest.mark.parametrize("penalty", ["scad", "mcp"])
def test_more_columns_than_rows_and_outliers_leave_the_columns_that_matter(wide, penalty):
    X, y, codes = wide
    model = RobustMixedModel(penalty, lam=0.25).fit(X, y, groups=codes)
    assert np.flatnonzero(model.support_).tolist() == [0, 1, 2, 3, 4]
    assert model.get_feature_names_out().tolist() == ["x0", "x1", "x2", "x3", "x4"]
    assert model.coef_[:5] == pytest.approx([2.0, -2.0, 1.5, 1.5, -1.5], abs=0.2)  # not shrunk
    assert set(model.group_scores_.top(2).items) == {0, 1}
    assert 0.1 < model.sigma2_ < 0.5


def test_l1_shrinks_what_it_keeps(wide):
    X, y, codes = wide
    plain, scad = (RobustMixedModel(p, lam=0.25).fit(X, y, groups=codes) for p in ("l1", "scad"))
    assert np.abs(plain.coef_[:5]).sum() < 0.9 * np.abs(scad.coef_[:5]).sum()


def test_the_objective_never_rises(wide):
    X, y, codes = wide
    for lam in (0.0, 0.1, 0.25):
        columns = slice(0, 20 if lam == 0 else 200)
        history = RobustMixedModel(lam=lam).fit(X[:, columns], y, groups=codes).objective_
        assert np.diff(history).max() <= 1e-12 * np.abs(history).max()


def test_a_large_penalty_leaves_no_column(wide):
    X, y, codes = wide
    model = RobustMixedModel(lam=5.0).fit(X, y, groups=codes)
    assert not model.support_.any()
    assert model.scores_.values.tolist() == [0.0] * 200


@settings(max_examples=10, deadline=None)
@given(scale=st.floats(1e-3, 1e3), shift=st.floats(-100, 100), unit=st.floats(1e-2, 1e2))
def test_units_do_not_matter(scale, shift, unit):
    X, y, codes, _ = grouped(1, groups=10)
    plain = RobustMixedModel(lam=0.05, tol=1e-8).fit(X, y, groups=codes)
    other = RobustMixedModel(lam=0.05, tol=1e-8).fit(X * unit, scale * y + shift, groups=codes)
    assert other.coef_ * unit / scale == pytest.approx(plain.coef_, abs=1e-4)
    assert other.group_weights_ == pytest.approx(plain.group_weights_, abs=1e-3)


def test_the_order_of_rows_and_the_names_of_groups_do_not_matter():
    X, y, codes, _ = grouped(0, "noise")
    order = np.random.default_rng(0).permutation(len(y))
    plain = RobustMixedModel().fit(X, y, groups=codes)
    other = RobustMixedModel().fit(X[order], y[order], groups=np.array([f"g{c:02d}" for c in codes])[order])
    assert other.coef_ == pytest.approx(plain.coef_, abs=1e-5)
    assert other.group_weights_ == pytest.approx(plain.group_weights_, abs=1e-4)
    assert other.group_scores_.items[0] == "g00"


# ---- as an estimator ------------------------------------------------------------------------------------


def test_prediction_knows_the_effects_of_known_groups_only():
    X, y, codes, _ = grouped(0)
    model = RobustMixedModel().fit(X, y, groups=codes)
    plain = model.predict(X[:3])
    assert plain == pytest.approx(X[:3] @ model.coef_ + model.intercept_)
    known = model.predict(X[:3], groups=[0, 5, 999])
    assert known - plain == pytest.approx([model.random_effects_[0, 0], model.random_effects_[5, 0], 0.0])
    everywhere = model.predict(X, groups=codes)
    assert np.mean((y - everywhere) ** 2) < 0.8 * np.mean((y - model.predict(X)) ** 2)


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"])
def test_frames_give_the_same_fit_and_names(frame):
    X, y, codes, _ = grouped(0)
    names = ["age", "dose", "weight", "noise"]
    model = RobustMixedModel(random=["dose"]).fit(
        frame({n: X[:, i] for i, n in enumerate(names)}), y, groups=codes
    )
    assert model.coef_ == pytest.approx(RobustMixedModel(random=[1]).fit(X, y, groups=codes).coef_)
    assert model.scores_.items == names
    assert (
        model.scores_.meta.data
        == RobustMixedModel()
        .fit(frame({n: X[:, i] for i, n in enumerate(names)}), y, groups=codes)
        .scores_.meta.data
    )


def test_a_grid_search_passes_the_groups_on():
    X, y, codes, _ = grouped(0)
    search = GridSearchCV(RobustMixedModel(), {"lam": [0.0, 5.0]}, cv=GroupKFold(3))
    import sklearn

    with sklearn.config_context(enable_metadata_routing=True):
        routed = search.set_params(estimator=RobustMixedModel().set_fit_request(groups=True))
        routed.fit(X, y, groups=codes)
    assert routed.best_params_ == {"lam": 0.0}


def test_the_picture_names_the_outliers():
    X, y, codes, outliers = grouped(0, "noise")
    model = RobustMixedModel().fit(X, y, groups=codes)
    ax = model.plot_groups(Figure().subplots())
    assert outliers <= {int(text.get_text()) for text in ax.texts}
    with pytest.raises(ValueError, match="no column distance"):
        outlier_weights(model.scores_)


def test_the_same_data_give_the_same_bits():
    X, y, codes, _ = grouped(0, "slopes")
    model = RobustMixedModel(lam=0.05)
    first = model.fit(X, y, groups=codes).coef_
    assert np.array_equal(first, clone(model).fit(X, y, groups=codes).coef_)


def test_a_constant_column_has_a_coefficient_of_zero_and_a_flag():
    X, y, codes, _ = grouped(0)
    X[:, 2] = 7.0
    model = RobustMixedModel().fit(X, y, groups=codes)
    assert model.coef_[2] == 0.0
    assert model.scores_.frame["flag"].to_list() == [None, None, "constant", None]
    assert model.scores_.meta.warnings == ("1 constant column(s): coefficient 0",)


def test_a_perfect_fit_has_no_likelihood_and_ends_with_a_warning():
    X, _, codes, _ = grouped(0)
    with pytest.warns(ConvergenceWarning, match="raise max_iter"):
        model = RobustMixedModel(max_iter=300).fit(X, X @ SLOPES, groups=codes)
    assert model.coef_ == pytest.approx(SLOPES, abs=1e-3)


@pytest.mark.parametrize(
    ("params", "groups", "message"),
    [
        ({}, None, "needs groups"),
        ({}, np.zeros(240), "at least 2 groups"),
        ({}, np.arange(10), "groups has shape"),
        ({}, np.r_[np.nan, np.ones(239)], "without a name"),
        ({"lam": -1.0}, "codes", "lam"),
        ({"penalty": "scad", "a": 2.0}, "codes", "'a' parameter"),
        ({"penalty": "mcp", "gamma": 1.0}, "codes", "gamma"),
        ({"penalty": "ridge"}, "codes", "penalty"),
        ({"nu": "free"}, "codes", "nu"),
        ({"random": ["dose"]}, "codes", "must name different columns"),
        ({"random": [1, 1]}, "codes", "must name different columns"),
        ({"random": [True, False]}, "codes", "must name different columns"),
    ],
)
def test_what_cannot_be_is_refused_with_what_is_allowed(params, groups, message):
    X, y, codes, _ = grouped(0)
    with pytest.raises(ValueError, match=message):
        RobustMixedModel(**params).fit(X, y, groups=codes if isinstance(groups, str) else groups)


@pytest.mark.parametrize("factor", [1e200, 1e-200])
def test_numbers_without_a_square_are_refused(factor):
    X, y, codes, _ = grouped(0)
    with pytest.raises(ValueError, match="X has numbers as far as"):
        RobustMixedModel().fit(X * [1, factor, 1, 1], y, groups=codes)
    with pytest.raises(ValueError, match="y has numbers as far as"):
        RobustMixedModel().fit(X, y * factor, groups=codes)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_missing_and_infinite_values_are_refused(value):
    X, y, codes, _ = grouped(0)
    X[3, 1] = value
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        RobustMixedModel().fit(X, y, groups=codes)
