"""Paths of sparse linear models: solvers agree, screening changes nothing, every point is a minimum of its lambda."""

import dataclasses
from functools import partial

import numpy as np
import pytest
from scipy.sparse import csr_array, random_array
from sklearn.linear_model import LogisticRegression, lasso_path

from salience.measures.optimize import ag_nonconvex, largest_eigenvalue
from salience.measures.penalties import L1, MCP, SCAD
from salience.tabular.sparse_linear.columns import standardized
from salience.tabular.sparse_linear.descent import minimize_quadratic
from salience.tabular.sparse_linear.losses import Logistic, Squared
from salience.tabular.sparse_linear.path import ProximalDescent, fit_path, largest_lambda

PENALTIES = (L1(1.0), SCAD(1.0), MCP(1.0))
each_penalty = pytest.mark.parametrize("penalty", PENALTIES, ids=lambda penalty: type(penalty).__name__)
each_loss = pytest.mark.parametrize("kind", [Squared, Logistic])


def autoregressive(n, p, rho, rng):
    X = rng.normal(size=(n, p))
    for j in range(1, p):
        X[:, j] = rho * X[:, j - 1] + np.sqrt(1 - rho**2) * X[:, j]
    return X


def planted(kind=Squared, n=120, p=200, rho=0.2, seed=0):
    """Columns, loss and a path of 12 lambdas, on which logistic regression is not yet separated."""
    rng = np.random.default_rng(seed)
    X = autoregressive(n, p, rho, rng)
    y = X[:, [3, 50, 120]] @ [1.5, -1.5, 1.0] + rng.normal(size=n)
    loss = kind(y / y.std() if kind is Squared else (y + rng.logistic(size=n) > 0).astype(float))
    columns = standardized(X)
    largest = largest_lambda(columns, loss)
    return columns, loss, np.geomspace(largest, 0.3 * largest, 12)


def coefficients(path):
    return path.coef.toarray()


# ---------------------------------------------------------------------------------------------- solutions


@each_penalty
@each_loss
@pytest.mark.parametrize("solver", ["cd", "ag", "pncg", "pg"])
def test_every_point_is_stationary_at_its_own_lambda(penalty, kind, solver):
    """fastHDMI's path fits the lambda before."""
    columns, loss, lambdas = planted(kind)
    path = fit_path(columns, loss, penalty, lambdas, solver=solver)
    for lam, b, intercept in zip(lambdas, coefficients(path), path.intercept, strict=True):
        slope = loss.slope(intercept + columns.values @ b)
        at = dataclasses.replace(penalty, lam=lam)
        assert at.violation(b, columns.values.T @ slope).max() < 1e-6
        assert abs(slope.sum()) < 1e-6  # the intercept
    assert path.kkt_gap.max() < 1e-6


@each_penalty
@each_loss
@pytest.mark.parametrize("solver", ["ag", "pncg", "pg"])
def test_all_solvers_reach_one_objective_from_one_start(penalty, kind, solver):
    columns, loss, lambdas = planted(kind)
    one, other = (fit_path(columns, loss, penalty, lambdas, solver=name) for name in ("cd", solver))
    gap = np.abs(one.objective - other.objective)
    if kind is Squared or penalty.curvature == 0:
        assert gap[one.locally_convex & other.locally_convex].max() < 1e-4
    else:  # there is more than one minimum, and the long steps of "pncg" may find a lower one
        assert (other.objective <= one.objective + 1e-4).all()


@each_penalty
def test_on_orthonormal_columns_the_solution_is_the_thresholding_rule(penalty):
    rng = np.random.default_rng(0)
    n, p = 64, 20
    Q, _ = np.linalg.qr(np.column_stack([np.ones(n), rng.normal(size=(n, p))]))
    X = Q[:, 1:] * np.sqrt(n)
    y = rng.normal(size=n) + X[:, 0] * 3 + X[:, 1]
    for solver in ("cd", "ag", "pncg", "pg"):
        path = fit_path(standardized(X), Squared(y), penalty, np.array([0.5, 0.2]), solver=solver, tol=1e-10)
        for lam, b in zip(path.lambdas, coefficients(path), strict=True):
            assert np.allclose(b, dataclasses.replace(penalty, lam=lam).threshold(X.T @ y / n), atol=1e-9)


def test_l1_is_scikit_learns_lasso_path():
    columns, loss, lambdas = planted()
    y = loss.y - loss.y.mean()
    _, coef, _ = lasso_path(columns.values, y, alphas=lambdas, tol=1e-12, max_iter=100_000)
    assert np.allclose(coefficients(fit_path(columns, loss, L1(1.0), lambdas)), coef.T, atol=1e-6)


def test_logistic_l1_is_scikit_learns():
    columns, loss, lambdas = planted(Logistic)
    path = fit_path(columns, loss, L1(1.0), lambdas)
    C = 1 / (lambdas[-1] * len(loss.y))
    reference = LogisticRegression(C=C, l1_ratio=1.0, solver="saga", tol=1e-9, max_iter=20_000)
    reference.fit(columns.values, loss.y)
    assert np.allclose(coefficients(path)[-1], reference.coef_[0], atol=1e-4)
    assert np.isclose(path.intercept[-1], reference.intercept_[0], atol=1e-4)


@each_penalty
@each_loss
def test_from_the_largest_lambda_on_everything_is_zero(penalty, kind):
    columns, loss, lambdas = planted(kind)
    path = fit_path(columns, loss, penalty, lambdas[0] * np.array([10.0, 1.0, 0.99]))
    assert [row.nnz for row in (path.coef[[0]], path.coef[[1]])] == [0, 0]
    assert path.coef[[2]].nnz > 0


@pytest.mark.parametrize("penalty", [SCAD(1.0), MCP(1.0)], ids=["scad", "mcp"])
def test_the_objective_is_that_of_the_penalty_by_name(penalty):
    """The MCP objective of fastHDMI is that of SCAD."""
    columns, loss, lambdas = planted()
    path = fit_path(columns, loss, penalty, lambdas)
    b, t = coefficients(path)[-1], np.abs(coefficients(path)[-1])
    lam, a, gamma = lambdas[-1], 3.7, 2.0
    pieces = {
        SCAD: np.where(t <= lam, lam * t, np.where(
            t <= a * lam, (2 * a * lam * t - t**2 - lam**2) / (2 * (a - 1)), lam**2 * (a + 1) / 2)),
        MCP: np.where(t <= gamma * lam, lam * t - t**2 / (2 * gamma), gamma * lam**2 / 2),
    }  # fmt: skip
    residual = loss.y - loss.y.mean() - columns.values @ b
    assert np.isclose(
        path.objective[-1], residual @ residual / (2 * len(residual)) + pieces[type(penalty)].sum()
    )


def test_large_effects_are_not_shrunken():
    columns, loss, _ = planted(n=600)
    lambdas = largest_lambda(columns, loss) * np.geomspace(1, 0.15, 20)
    scad, lasso = (fit_path(columns, loss, p, lambdas) for p in (SCAD(1.0), L1(1.0)))
    true = [3, 50, 120]
    exact = np.linalg.lstsq(columns.values[:, true], loss.y - loss.y.mean(), rcond=None)[0]
    assert np.abs(coefficients(scad)[-1][true] - exact).max() < 0.03
    assert np.abs(coefficients(lasso)[-1][true]).sum() < 0.9 * np.abs(exact).sum()


# ---------------------------------------------------------------------------------------------- screening


@each_penalty
@each_loss
def test_the_strong_rule_gives_the_path_without_it(penalty, kind):
    columns, loss, lambdas = planted(kind, rho=0.6)
    fit = partial(fit_path, columns, loss, penalty, lambdas, tol=1e-11)
    screened, whole = fit(screen=True), fit(screen=False)
    assert np.abs(coefficients(screened) - coefficients(whole)).max() < 1e-8
    assert whole.screened.sum() == 0


def test_the_strong_rule_leaves_columns_out():
    """fastHDMI's never does: it intersects with an empty mask."""
    columns, loss, lambdas = planted()
    path = fit_path(columns, loss, SCAD(1.0), lambdas)
    assert path.screened[1] > 150


def test_what_the_strong_rule_leaves_out_is_by_its_formula():
    """fastHDMI takes half the gradient."""
    columns, loss, lambdas = planted()
    path = fit_path(columns, loss, L1(1.0), lambdas)
    assert path.refits.sum() == 0
    for k in range(1, len(lambdas)):
        residual = loss.y - loss.y.mean() - columns.values @ coefficients(path)[k - 1]
        size = np.abs(columns.values.T @ residual) / len(residual)
        out = (size < 2 * lambdas[k] - lambdas[k - 1]) & (coefficients(path)[k - 1] == 0)
        assert path.screened[k] == out.sum()


def test_a_column_that_was_left_out_by_mistake_comes_back():
    """The rule is a guess, which fastHDMI does not check. Under MCP it fails now and then."""
    columns, loss, _ = planted()
    lambdas = largest_lambda(columns, loss) * np.geomspace(1, 0.1, 12)
    fit = partial(fit_path, columns, loss, MCP(1.0), lambdas, tol=1e-11)
    screened, whole = fit(screen=True), fit(screen=False)
    assert screened.refits.sum() > 0
    assert np.abs(coefficients(screened) - coefficients(whole)).max() < 1e-8


# ---------------------------------------------------------------------------------------------- the solvers


def test_the_step_of_accelerated_gradient_minds_the_curvature_of_the_penalty():
    """nonconvexAG after 1.1.6 drops it. Orthonormal columns under logistic loss: 1/4 is below 1/gamma."""
    used = []

    def spy(*functions, lipschitz, tol, **more):
        used.append(lipschitz)
        return ag_nonconvex(*functions, lipschitz=lipschitz, residual_tol=tol, **more)

    rng = np.random.default_rng(0)
    Q, _ = np.linalg.qr(np.column_stack([np.ones(64), rng.normal(size=(64, 5))]))
    columns = standardized(Q[:, 1:])
    loss = Logistic((rng.random(64) < 0.5).astype(float))
    ProximalDescent(spy, columns, loss, 1e-7, 1000)(MCP(0.02), np.arange(5), 0.0, np.zeros(5))
    assert np.isclose(largest_eigenvalue(columns.values), 1.0)
    assert used[0] == pytest.approx(0.5)


@each_penalty
def test_a_badly_conditioned_quadratic_is_solved_in_few_passes(penalty):
    """Coordinate descent alone takes thousands."""
    rng = np.random.default_rng(0)
    X = autoregressive(500, 40, 0.995, rng)
    X = (X - X.mean(0)) / X.std(0)
    H, g = X.T @ X / 500, -X.T @ (X[:, ::8].sum(1)) / 500
    at = dataclasses.replace(penalty, lam=0.01)
    b, passes = minimize_quadratic(H, g, np.zeros(40), at, 1e-10, 10_000)
    assert at.violation(b, g + H @ b).max() < 1e-9
    assert passes < 500


def test_two_equal_columns_do_no_harm():
    columns, loss, lambdas = planted()
    doubled = standardized(np.hstack([columns.values, columns.values[:, :60]]))
    for penalty in PENALTIES:
        path = fit_path(doubled, loss, penalty, lambdas)
        assert path.kkt_gap.max() < 1e-6


# ------------------------------------------------------------------------------------------- local convexity


def test_local_convexity_is_by_the_least_eigenvalue_of_the_active_columns():
    columns, loss, lambdas = planted(rho=0.9)
    path = fit_path(columns, loss, MCP(1.0), lambdas[0] * np.geomspace(1, 0.1, 12))
    for b, convex in zip(coefficients(path), path.locally_convex, strict=True):
        active = columns.values[:, b != 0]
        least = np.linalg.eigvalsh(active.T @ active / len(active)).min(initial=np.inf)
        assert convex == (least > 0.5)
    assert not path.locally_convex.all()


def test_the_lasso_is_always_convex():
    columns, loss, lambdas = planted(rho=0.9)
    assert fit_path(columns, loss, L1(1.0), lambdas).locally_convex.all()


# -------------------------------------------------------------------------------------------------- columns


@each_penalty
@each_loss
def test_sparse_columns_give_the_path_of_dense_ones(penalty, kind):
    rng = np.random.default_rng(0)
    X = random_array((150, 80), density=0.1, rng=rng, data_sampler=lambda size: rng.normal(1, 1, size))
    y = X.toarray()[:, :2] @ [3.0, -3.0] + rng.normal(size=150)
    loss = kind(y if kind is Squared else (y > 0).astype(float))
    dense, sparse = standardized(X.toarray()), standardized(csr_array(X))
    lambdas = largest_lambda(dense, loss) * np.array([0.8, 0.5, 0.4])
    found = [
        coefficients(fit_path(columns, loss, penalty, lambdas, tol=1e-10)) for columns in (dense, sparse)
    ]
    assert np.abs(found[0] - found[1]).max() < 1e-7
    assert np.allclose(dense.scale, sparse.scale)


@pytest.mark.parametrize("as_given", [np.asarray, csr_array])
def test_a_constant_column_is_a_column_of_zeros(as_given):
    X = np.column_stack([np.full(10, 0.1), np.arange(10.0)])
    columns = standardized(as_given(X))
    assert columns.constant.tolist() == [True, False]
    assert np.array_equal(columns.take(np.arange(2))[:, 0], np.zeros(10))
    assert columns.transposed(np.arange(10.0), np.arange(1)).tolist() == [0.0]
