"""Solvers for smooth plus simple: quadratics with known answers, and sparse regression."""

import numpy as np
import pytest
from sklearn.linear_model import Lasso

from salience.measures.optimize import ag_nonconvex, largest_eigenvalue, prox_ncg, proximal_gradient
from salience.measures.penalties import L1, MCP, SCAD


def quadratic(p=50, condition=100.0, seed=0):
    """``x'Ax/2 - b'x`` with eigenvalues from 1 to `condition`, spread evenly in logarithm."""
    rng = np.random.default_rng(seed)
    Q, _ = np.linalg.qr(rng.normal(size=(p, p)))
    A = (Q * np.geomspace(1.0, condition, p)) @ Q.T
    return (A + A.T) / 2, rng.normal(size=p)


def linear_conjugate_gradient(A, b, tol):
    x, r = np.zeros_like(b), b.copy()
    d, steps = r.copy(), 0
    while np.abs(r).max() > tol:
        t = r @ r / (d @ A @ d)
        x, after = x + t * d, r - t * (A @ d)
        d, r, steps = after + (after @ after) / (r @ r) * d, after, steps + 1
    return steps


class Regression:
    """Squared loss with a penalty, as the solvers want it."""

    def __init__(self, penalty, n=60, p=90, correlation=0.3, seed=0):
        rng = np.random.default_rng(seed)
        X = np.sqrt(1 - correlation) * rng.normal(size=(n, p)) + np.sqrt(correlation) * rng.normal(
            size=(n, 1)
        )
        self.X = (X - X.mean(0)) / X.std(0)
        y = self.X[:, :4] @ [2.0, -2.0, 1.5, 1.0] + 0.5 * rng.normal(size=n)
        self.y, self.n, self.penalty = y - y.mean(), n, penalty
        self.x0 = np.zeros(p)
        self.lipschitz = max(largest_eigenvalue(self.X), penalty.curvature)

    def f(self, b):
        return np.sum((self.y - self.X @ b) ** 2) / (2 * self.n) + self.penalty.concave(b)

    def grad(self, b):
        return self.X.T @ (self.X @ b - self.y) / self.n + self.penalty.concave_gradient(b)

    def objective(self, b):
        return self.f(b) + self.penalty.l1(b)

    def parts(self):
        return self.f, self.grad, self.penalty.l1_prox, self.x0

    def gap(self, b):
        return self.penalty.violation(b, self.X.T @ (self.X @ b - self.y) / self.n).max()


PENALTIES = (L1(0.4), SCAD(0.4), MCP(0.4))
each_penalty = pytest.mark.parametrize("penalty", PENALTIES, ids=repr)


# ------------------------------------------------------------------------------------ accelerated gradient


@each_penalty
@pytest.mark.parametrize("schedule", ["damped", "original"])
def test_accelerated_gradient_ends_at_a_stationary_point(penalty, schedule):
    problem = Regression(penalty)
    found = ag_nonconvex(
        *problem.parts(), lipschitz=problem.lipschitz, h=penalty.l1, schedule=schedule, residual_tol=1e-8
    )
    assert found.converged
    assert problem.gap(found.x) < 1e-6
    assert np.isclose(found.value, problem.objective(found.x))


def test_accelerated_gradient_finds_the_lasso():
    problem = Regression(L1(0.4))
    found = ag_nonconvex(*problem.parts(), lipschitz=problem.lipschitz, residual_tol=1e-9)
    lasso = Lasso(alpha=0.4, fit_intercept=False, tol=1e-12, max_iter=100_000).fit(problem.X, problem.y)
    assert np.allclose(found.x, lasso.coef_, atol=1e-7)


def test_accelerated_gradient_returns_exact_zeros():
    """The package returns the middle sequence, in which zeros are only small."""
    problem = Regression(SCAD(0.4))
    found = ag_nonconvex(*problem.parts(), lipschitz=problem.lipschitz)
    assert 4 <= np.count_nonzero(found.x) < 30


def test_three_iterations_of_the_damped_scheme_by_hand():
    problem = Regression(SCAD(0.4))
    prox, grad, omega = problem.penalty.l1_prox, problem.grad, 0.99 / problem.lipschitz
    x0 = np.linspace(-1, 1, 90)
    first = prox(x0 - omega * grad(x0), omega)  # alpha is 1: both sequences agree
    second_alpha = 2 / (1 + np.sqrt(5))
    delta = omega / second_alpha
    ahead, behind = prox(first - delta * grad(first), delta), prox(first - omega * grad(first), omega)
    third_alpha = 2 / (1 + np.sqrt(1 + 4 / second_alpha**2))
    middle = (1 - third_alpha) * behind + third_alpha * ahead
    third = prox(middle - omega * grad(middle), omega)
    parts = problem.parts()[:3]
    found = [ag_nonconvex(*parts, x0, lipschitz=problem.lipschitz, max_iter=k).x for k in (1, 2, 3)]
    assert np.allclose(found, [first, behind, third])


def test_two_iterations_of_the_original_scheme_by_hand():
    problem = Regression(SCAD(0.4))
    x, omega = np.linspace(-1, 1, 90), 0.5 / problem.lipschitz
    g = problem.grad(x)
    ahead = problem.penalty.l1_prox(x - omega / 2 * g, omega / 2)
    behind = problem.penalty.l1_prox(x - omega * g, omega)
    middle = behind / 3 + ahead * 2 / 3  # alpha_2 = 2/3
    second = problem.penalty.l1_prox(middle - omega * problem.grad(middle), omega)
    found = ag_nonconvex(
        *problem.parts()[:3], x, lipschitz=problem.lipschitz, max_iter=2, schedule="original"
    )
    assert np.allclose(found.x, second)


def test_restarts_help_where_momentum_overshoots():
    A, b = quadratic(condition=1000.0)
    solve = {
        restart: ag_nonconvex(
            lambda x: 0.5 * x @ A @ x - b @ x, lambda x: A @ x - b, None, np.zeros(50),
            lipschitz=1000.0, restart=restart, tol=np.inf, residual_tol=1e-6,
        ).n_iter
        for restart in (True, False)
    }  # fmt: skip
    assert solve[True] < solve[False]


def test_accelerated_gradient_needs_fewer_iterations_than_plain():
    problem = Regression(SCAD(0.4), correlation=0.8)
    rule = {"lipschitz": problem.lipschitz, "residual_tol": 1e-6, "record": False}
    fast, plain = ag_nonconvex(*problem.parts(), **rule), proximal_gradient(*problem.parts(), **rule)
    assert fast.converged
    assert plain.converged
    assert fast.n_iter < 0.5 * plain.n_iter


# --------------------------------------------------------------------------- proximal conjugate gradient


@each_penalty
def test_conjugate_gradient_never_rises(penalty):
    problem = Regression(penalty, correlation=0.8)
    found = prox_ncg(*problem.parts(), h=penalty.l1, step=0.99 / problem.lipschitz)
    assert found.converged
    assert np.diff(found.history).max() <= 1e-14 * np.abs(found.history).max()


@each_penalty
@pytest.mark.parametrize("known", [True, False], ids=["known step", "backtracked step"])
def test_conjugate_gradient_ends_where_accelerated_gradient_does(penalty, known):
    problem = Regression(penalty)
    step = 0.99 / problem.lipschitz if known else None
    found = prox_ncg(*problem.parts(), h=penalty.l1, step=step, tol=1e-8)
    other = ag_nonconvex(*problem.parts(), lipschitz=problem.lipschitz, h=penalty.l1, residual_tol=1e-8)
    assert found.residual < 1e-6
    assert problem.gap(found.x) < 1e-6
    assert abs(found.value - other.value) < 1e-4


@pytest.mark.parametrize("condition", [10.0, 100.0, 1000.0])
def test_on_a_quadratic_it_needs_at_most_twice_the_steps_of_linear_conjugate_gradient(condition):
    A, b = quadratic(condition=condition)
    found = prox_ncg(
        lambda x: 0.5 * x @ A @ x - b @ x, lambda x: A @ x - b, None, np.zeros(50), step=0.99 / condition
    )
    assert found.converged
    assert np.allclose(found.x, np.linalg.solve(A, b), atol=1e-6)
    assert found.n_iter <= 2 * linear_conjugate_gradient(A, b, 1e-6)
    assert found.n_gradients == 2 * found.n_iter + 1


def test_conjugate_gradient_crosses_a_valley():
    """Rosenbrock's function: not convex, and a straight step leads nowhere."""
    found = prox_ncg(
        lambda x: (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2,
        lambda x: np.array(
            [-2 * (1 - x[0]) - 400 * x[0] * (x[1] - x[0] ** 2), 200 * (x[1] - x[0] ** 2)]
        ),
        None, [-1.2, 1.0], max_iter=2000,
    )  # fmt: skip
    assert found.converged
    assert np.allclose(found.x, 1.0, atol=1e-5)


def test_a_step_to_where_the_objective_is_not_finite_is_too_long():
    with np.errstate(invalid="ignore", divide="ignore"):
        found = prox_ncg(lambda x: float(np.sum(x - np.log(x))), lambda x: 1 - 1 / x, None, np.full(3, 0.05))
    assert found.converged
    assert np.allclose(found.x, 1.0, atol=1e-5)


# ------------------------------------------------------------------------------------------------- both


def test_the_record_counts_what_was_computed():
    problem = Regression(MCP(0.4))
    calls = {"f": 0, "grad": 0}

    def f(b):
        calls["f"] += 1
        return problem.f(b)

    def grad(b):
        calls["grad"] += 1
        return problem.grad(b)

    found = prox_ncg(f, grad, problem.penalty.l1_prox, problem.x0, h=problem.penalty.l1)
    assert (found.n_values, found.n_gradients) == (calls["f"], calls["grad"])
    assert len(found.history) == len(found.gradients) == found.n_iter + 1


def test_without_a_record_the_objective_is_not_computed():
    problem = Regression(MCP(0.4))
    found = ag_nonconvex(*problem.parts(), lipschitz=problem.lipschitz, record=False)
    assert found.n_values == 0
    assert np.isnan(found.value)


def test_running_out_of_iterations_is_said():
    problem = Regression(MCP(0.4))
    for found in (
        ag_nonconvex(*problem.parts(), lipschitz=problem.lipschitz, max_iter=2),
        proximal_gradient(*problem.parts(), lipschitz=problem.lipschitz, max_iter=2),
        prox_ncg(*problem.parts(), h=problem.penalty.l1, max_iter=2),
    ):
        assert not found.converged
        assert found.n_iter == 2


@pytest.mark.parametrize("shape", [(30, 5), (5, 30), (400, 300), (300, 400)])
def test_the_largest_eigenvalue_is_that_of_the_gram_matrix(shape):
    X = np.random.default_rng(0).normal(size=shape)
    exact = np.linalg.eigvalsh(X.T @ X / len(X)).max()
    assert exact * (1 - 1e-12) <= largest_eigenvalue(X) <= exact * (1 + 1e-4)


def _identity(z, step):
    return z


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ag_nonconvex(np.sum, np.ones_like, None, [], lipschitz=1.0), "at least one entry"),
        (lambda: ag_nonconvex(np.sum, np.ones_like, None, [np.nan], lipschitz=1.0), "finite"),
        (lambda: ag_nonconvex(np.sum, np.ones_like, None, [1.0], lipschitz=0.0), "lipschitz must be a positive"),
        (lambda: ag_nonconvex(np.sum, np.ones_like, None, [1.0], lipschitz=1.0, schedule="new"), "'damped', 'original'"),
        (lambda: prox_ncg(np.sum, np.ones_like, _identity, [1.0]), "give both"),
        (lambda: prox_ncg(lambda x: np.nan, np.ones_like, None, [1.0]), "not finite at x0"),
        (lambda: prox_ncg(np.sum, lambda x: np.ones(3), None, [1.0]), "shape of x"),
        (lambda: prox_ncg(np.sum, np.ones_like, None, [1.0], step=-1.0), "step must be a positive"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
