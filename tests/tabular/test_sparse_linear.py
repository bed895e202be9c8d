"""The estimator: what it chooses, what it says, and how it fits into scikit-learn."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from scipy.sparse import csr_array
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LassoCV
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from salience.tabular import SparseLinear
from salience.verify.fingerprints import fingerprint


@parametrize_with_checks(
    [
        SparseLinear(path=10, cv=2),
        SparseLinear("mcp", "logistic", path=10, cv=2),
        SparseLinear("l1", lam=0.05, path=10, solver="ag"),
    ]
)
def test_it_passes_scikit_learns_checks(estimator, check):
    check(estimator)


TRUE = (1, 4, 9)


@pytest.fixture(scope="module")
def numbers():
    rng = np.random.default_rng(0)
    X = rng.normal(3.0, 2.0, size=(150, 60))
    return X, X[:, TRUE] @ [1.0, -1.0, 0.5] + rng.normal(size=150)


@pytest.fixture(scope="module")
def classes(numbers):
    X, y = numbers
    return X, np.where(y > np.median(y), "yes", "no")


# ------------------------------------------------------------------------------------------- what it finds


@pytest.mark.parametrize("penalty", ["scad", "mcp"])
@pytest.mark.parametrize("solver", ["cd", "ag", "pncg"])
def test_it_keeps_the_columns_that_matter_with_their_effects(numbers, penalty, solver):
    model = SparseLinear(penalty, path=30, solver=solver).fit(*numbers)
    assert set(TRUE) <= set(np.flatnonzero(model.get_support()))
    assert model.get_support().sum() <= 8
    assert np.abs(model.coef_[list(TRUE)] - [1.0, -1.0, 0.5]).max() < 0.12
    assert model.kkt_gap_ < 1e-6


def test_fewer_columns_by_mistake_than_the_lasso(numbers):
    X, y = numbers
    lasso = LassoCV(cv=5).fit(StandardScaler().fit_transform(X), y)
    assert SparseLinear("mcp", path=30).fit(X, y).get_support().sum() <= 0.5 * np.count_nonzero(lasso.coef_)


def test_two_classes(classes):
    X, y = classes
    model = SparseLinear("mcp", "logistic", path=30).fit(X, y)
    assert model.classes_.tolist() == ["no", "yes"]
    assert set(model.scores_.top(2).items) == {"x1", "x4"}
    assert model.score(X, y) > 0.8
    log_odds = model.decision_function(X)
    assert np.allclose(model.predict_proba(X)[:, 1], 1 / (1 + np.exp(-log_odds)))
    assert np.array_equal(model.predict(X) == "yes", log_odds > 0)


def test_a_permuted_target_has_hardly_any_columns(numbers):
    X, y = numbers
    found = [
        SparseLinear(path=30).fit(X, np.random.default_rng(seed).permutation(y)).get_support().sum()
        for seed in range(10)
    ]
    assert np.median(found) <= 3


def test_the_score_is_the_coefficient_per_standard_deviation(numbers):
    X, y = numbers
    model = SparseLinear(lam=0.1).fit(X, y)
    frame = model.scores_.frame
    assert np.allclose(frame["value"], model.coef_ * X.std(axis=0))
    assert np.allclose(frame["coef"], model.coef_)
    assert model.scores_.better == "abs"
    in_model = model.get_support()
    assert (frame["entered"].to_numpy()[in_model] >= 0.1).all()


def test_the_scores_say_where_they_come_from(numbers):
    X, y = numbers
    model = SparseLinear("mcp", path=20, random_state=3).fit(X, y)
    meta = model.scores_.meta
    assert (meta.method, meta.seed, meta.rows, meta.unit) == ("sparse-linear", 3, 150, "target per sd")
    assert meta.data == (fingerprint(X),)
    assert meta.params["penalty"] == "mcp"
    assert meta.extra["lam"] == model.lam_


# ----------------------------------------------------------------------------------- the path and the choice


def test_a_lambda_that_is_given_is_the_end_of_the_path(numbers):
    model = SparseLinear(lam=0.2, path=25).fit(*numbers)
    assert model.lam_ == model.path_.lambdas[-1] == 0.2
    assert (np.diff(model.path_.lambdas) < 0).all()
    assert np.isnan(model.path_.loss_mean).all()


def test_a_lambda_above_the_largest_gives_the_mean(numbers):
    X, y = numbers
    model = SparseLinear(lam=100.0).fit(X, y)
    assert not model.coef_.any()
    assert np.allclose(model.predict(X), y.mean())


def test_the_chosen_lambda_has_the_least_loss_in_the_folds(numbers):
    model = SparseLinear(path=30).fit(*numbers)
    path = model.path_
    assert model.lam_ == path.lambdas[np.nanargmin(path.loss_mean)]
    assert (path.loss_se > 0).all()


def test_a_validation_set_of_ones_own(numbers):
    X, y = numbers
    held = np.where(np.arange(150) < 50, 0, -1)
    model = SparseLinear(path=np.array([0.4, 0.2, 0.1]), cv=PredefinedSplit(held)).fit(X, y)
    losses = []
    for lam in (0.4, 0.2, 0.1):
        train = SparseLinear(lam=lam, path=[0.4, 0.2, 0.1]).fit(X[50:], y[50:])
        losses.append(np.mean((y[:50] - train.predict(X[:50])) ** 2) / 2)
    assert np.allclose(model.path_.loss_mean, losses)


def test_a_path_of_ones_own_falls(numbers):
    assert SparseLinear(path=[0.1, 0.5, 0.3]).fit(*numbers).path_.lambdas.tolist() == [0.5, 0.3, 0.1]


def test_a_path_ends_where_everything_is_explained():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 100))
    model = SparseLinear("mcp", "logistic", path=50).fit(X, (X[:, 0] > 0).astype(int))
    assert len(model.path_.lambdas) < 50
    assert model.path_.explained[-1] >= 0.99
    assert np.isfinite(model.coef_).all()


def test_progress_is_told_fold_by_fold(numbers):
    told = []
    SparseLinear(path=10, cv=3, progress=lambda done, total: told.append((done, total))).fit(*numbers)
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_folds_in_two_threads_are_the_same(numbers):
    one, two = (SparseLinear(path=20, n_jobs=jobs).fit(*numbers) for jobs in (1, 2))
    assert np.array_equal(one.coef_, two.coef_)
    assert np.array_equal(one.path_.loss_mean, two.path_.loss_mean)


def test_the_seed_decides_the_folds_and_nothing_else(numbers):
    first, again, other = (SparseLinear(path=20, random_state=seed).fit(*numbers) for seed in (0, 0, 1))
    assert np.array_equal(first.path_.loss_mean, again.path_.loss_mean)
    assert not np.array_equal(first.path_.loss_mean, other.path_.loss_mean)
    assert np.array_equal(first.path_.objective, other.path_.objective)


# --------------------------------------------------------------------------------- what should not matter


@given(scale=st.floats(1e-3, 1e3), shift=st.floats(-100, 100), seed=st.integers(0, 20))
@settings(deadline=None, max_examples=15)
def test_units_of_the_columns_do_not_matter(scale, shift, seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(50, 8))
    y = X[:, 0] - X[:, 1] + rng.normal(size=50)
    one, other = (SparseLinear("mcp", lam=0.2, path=10).fit(Z, y) for Z in (X, X * scale + shift))
    assert np.allclose(one.scores_.values, other.scores_.values, atol=1e-6)
    assert np.allclose(one.coef_, other.coef_ * scale, atol=1e-6)


@given(seed=st.integers(0, 50))
@settings(deadline=None, max_examples=15)
def test_the_order_of_columns_and_rows_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(60, 10))
    y = 2 * X[:, 0] - X[:, 1] + rng.normal(size=60)
    rows, columns = rng.permutation(60), rng.permutation(10)
    one = SparseLinear(lam=0.2, path=10, tol=1e-9).fit(X, y)
    other = SparseLinear(lam=0.2, path=10, tol=1e-9).fit(X[rows][:, columns], y[rows])
    assert np.allclose(one.coef_[columns], other.coef_, atol=1e-6)


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"])
def test_frames_keep_their_names(numbers, make):
    X, y = numbers
    names = [f"gene {j}" for j in range(60)]
    model = SparseLinear("mcp", lam=0.2).fit(make(dict(zip(names, X.T, strict=True))), y)
    assert set(model.scores_.top(3).items) == {"gene 1", "gene 4", "gene 9"}
    assert np.allclose(model.coef_, SparseLinear("mcp", lam=0.2).fit(X, y).coef_)


def test_a_sparse_matrix_gives_what_a_dense_one_gives():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 40)) * (rng.random((100, 40)) < 0.1)
    y = X[:, 0] * 3 + rng.normal(size=100)
    dense, sparse = (SparseLinear("mcp", path=15).fit(Z, y) for Z in (X, csr_array(X)))
    assert np.allclose(dense.coef_, sparse.coef_, atol=1e-6)
    assert np.allclose(dense.predict(X), sparse.predict(csr_array(X)), atol=1e-5)
    assert sparse.scores_.meta.data == ()


# ------------------------------------------------------------------------------------------ in scikit-learn


def test_it_is_a_regressor_or_a_classifier_by_its_loss():
    assert is_regressor(SparseLinear())
    assert is_classifier(SparseLinear(loss="logistic"))
    assert not hasattr(SparseLinear(), "predict_proba")


def test_it_selects_with_names_in_a_pipeline_inside_a_grid_search(numbers):
    X, y = numbers
    X = pd.DataFrame(X, columns=[f"c{j}" for j in range(60)])
    model = SparseLinear("mcp", lam=0.2).set_output(transform="pandas").fit(X, y)
    assert {"c1", "c4", "c9"} <= set(model.transform(X).columns)
    search = GridSearchCV(
        make_pipeline(StandardScaler(), SparseLinear()), {"sparselinear__lam": [10.0, 0.2]}, cv=3
    )
    assert search.fit(X, y).best_params_ == {"sparselinear__lam": 0.2}


def test_it_can_be_cloned_and_pickled(numbers):
    model = SparseLinear("mcp", lam=0.2).fit(*numbers)
    assert np.array_equal(pickle.loads(pickle.dumps(model)).predict(numbers[0]), model.predict(numbers[0]))
    assert clone(model).get_params() == model.get_params()


# --------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"a": 2.0}, "'a' parameter"),
        ({"gamma": 1.0}, "'gamma' parameter"),
        ({"lam": -0.1}, "'lam' parameter"),
        ({"penalty": "l2"}, "'penalty' parameter.*'mcp'"),
        ({"loss": "hinge"}, "'loss' parameter"),
        ({"solver": "lbfgs"}, "'solver' parameter"),
        ({"path": 1}, "'path' parameter"),
        ({"path": []}, "path must be numbers"),
        ({"path": [0.1, -1.0]}, "path must be numbers"),
        ({"cv": 1000}, "n_splits=1000"),
    ],
)
def test_a_wrong_parameter_is_refused_with_what_is_allowed(numbers, params, message):
    with pytest.raises(ValueError, match=message):
        SparseLinear(**params).fit(*numbers)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, y: (X[:0], y[:0]), "0 sample"),
        (lambda X, y: (X[:1], y[:1]), "1 sample"),
        (lambda X, y: (np.where(X > 9, np.nan, X), y), "NaN"),
        (lambda X, y: (np.where(X > 9, np.inf, X), y), "infinity"),
        (lambda X, y: (X[0], y), "2D array"),
        (lambda X, y: (X, y[:-1]), "inconsistent numbers of samples"),
        (lambda X, y: (X, np.ones_like(y)), "y is constant"),
        (lambda X, y: (X, np.append(y[:-1], np.nan)), "NaN"),
        (lambda X, y: (1e200 * X, y), r"no numbers; scale"),
        (lambda X, y: (csr_array(1e-200 * X), y), r"no numbers; scale"),
        (lambda X, y: (X, 1e200 * y), "y has numbers as far as"),
        (lambda X, y: (X, np.where(y > 0, "a", "b")), "loss='logistic'"),
        (lambda X, y: (X.astype(str).astype(object) + "a", y), "could not convert string"),
    ],
)
def test_bad_data_is_refused(numbers, change, message):
    X, y = change(*numbers)
    with pytest.raises(ValueError, match=message):
        SparseLinear(path=10).fit(X, y)


def test_logistic_loss_wants_two_classes(classes):
    X = classes[0]
    with pytest.raises(ValueError, match="one class only"):
        SparseLinear(loss="logistic").fit(X, np.full(150, "yes"))
    with pytest.raises(ValueError, match="3 classes were found"):
        SparseLinear(loss="logistic").fit(X, np.arange(150) % 3)
    with pytest.raises(ValueError, match="continuous"):
        SparseLinear(loss="logistic").fit(X, np.linspace(0, 1, 150))


def test_a_constant_column_is_flagged_and_out(numbers):
    X, y = numbers
    X = X.copy()
    X[:, 5] = 0.1
    model = SparseLinear(path=10, cv=3).fit(X, y)
    assert model.coef_[5] == 0
    assert model.scores_.frame["flag"].to_list()[5] == "constant"
    assert "1 constant column" in model.scores_.meta.warnings[0]


def test_a_solver_that_stops_early_says_so(numbers):
    with pytest.warns(ConvergenceWarning, match="raise max_iter"):
        model = SparseLinear(lam=0.1, path=3, solver="pg", max_iter=2).fit(*numbers)
    assert any("stopped at a gap" in text for text in model.scores_.meta.warnings)


# ------------------------------------------------------------------------------------------------- picture


def test_the_picture_names_the_columns_and_marks_the_choice(numbers):
    model = SparseLinear("mcp", path=20).fit(*numbers)
    ax = Figure().subplots()
    assert model.plot_path(ax, top=3) is ax
    named = [text.get_text() for text in ax.get_legend().get_texts()]
    assert {"x1", "x4", "x9"} <= set(named)
    assert ax.xaxis_inverted()
