"""Sparse linear models along a path of lambdas: warm starts, the strong rule, and the check of what it left out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cholesky
from scipy.sparse import csr_array, vstack

from salience.measures.composite import Gradient, Optimum, Prox, Value
from salience.measures.optimize import ag_nonconvex, largest_eigenvalue, prox_ncg, proximal_gradient
from salience.measures.penalties import L1
from salience.tabular.sparse_linear.columns import DenseColumns, SparseColumns
from salience.tabular.sparse_linear.descent import CoordinateDescent, weighted_gram
from salience.tabular.sparse_linear.losses import Loss

__all__ = ["SOLVERS", "SparsePath", "fit_path", "largest_lambda"]

Floats: TypeAlias = NDArray[np.float64]
Places: TypeAlias = NDArray[np.intp]
Columns: TypeAlias = DenseColumns | SparseColumns


@dataclass(frozen=True)
class SparsePath:
    """Solutions for falling lambdas, of standardised columns.

    Attributes
    ----------
    lambdas : ndarray, shape (k,)
    coef : sparse array, shape (k, p)
        Coefficients per standard deviation of each column.
    intercept : ndarray, shape (k,)
        The prediction at the mean of all columns.
    objective, kkt_gap : ndarray, shape (k,)
        Loss plus penalty; the largest violation of the KKT conditions.
    n_iter : ndarray of int64, shape (k,)
        Iterations (passes over the coefficients with "cd") of the solver.
    locally_convex : ndarray of bool, shape (k,)
        Whether the objective is convex in the coefficients that are not zero: the least eigenvalue of their
        weighted covariance is above the curvature of the penalty.
    screened : ndarray of int64, shape (k,)
        Columns that the strong rule kept from the solver.
    refits : ndarray of int64, shape (k,)
        Fits that were repeated because a column that the rule had left out belonged in.
    explained : ndarray, shape (k,)
        Share of the loss of the intercept alone that is gone.
    loss_mean, loss_se : ndarray, shape (k,)
        Cross-validated loss of a row and its standard error over folds; NaN where it was not asked for.
    """

    lambdas: Floats
    coef: csr_array
    intercept: Floats
    objective: Floats
    kkt_gap: Floats
    n_iter: NDArray[np.int64]
    locally_convex: NDArray[np.bool_]
    screened: NDArray[np.int64]
    refits: NDArray[np.int64]
    explained: Floats
    loss_mean: Floats
    loss_se: Floats


def largest_lambda(columns: Columns, loss: Loss) -> float:
    """The lambda from which on all coefficients are zero: ``max_j |x_j'(y - ybar)| / n``."""
    eta = np.full(columns.shape[0], loss.start())
    return float(np.abs(columns.transposed(loss.slope(eta))).max(initial=0.0))


def fit_path(
    columns: Columns,
    loss: Loss,
    penalty: L1,
    lambdas: Floats,
    *,
    solver: str = "cd",
    screen: bool = True,
    tol: float = 1e-7,
    max_iter: int = 10_000,
    saturate: float = 1.0,
) -> SparsePath:
    """Fit each lambda from the solution of the one before.

    Parameters
    ----------
    columns : DenseColumns or SparseColumns
    loss : Squared or Logistic
    penalty : L1, SCAD or MCP
        Its lam is replaced by each of `lambdas`.
    lambdas : ndarray, shape (k,)
        Falling.
    solver : {"cd", "ag", "pncg", "pg"}
    screen : bool
        The sequential strong rule: leave out columns with ``|x_j'r(lam_old)| / n < 2 lam - lam_old``.
    tol : float
        Largest violation of the KKT conditions.
    max_iter : int
    saturate : float
        Stop after the lambda at which this share of the loss is explained. At 1, never.

    Returns
    -------
    SparsePath
    """
    p = columns.shape[1]
    solve = SOLVERS[solver](columns, loss, tol, max_iter)
    b, intercept = np.zeros(p), loss.start()
    eta = np.full(columns.shape[0], intercept)
    null_loss, gradient = loss.value(eta), columns.transposed(loss.slope(eta))
    lam_old = float(np.abs(gradient).max(initial=0.0))
    rows: list[dict[str, Any]] = []
    for lam in lambdas:
        at = dataclasses.replace(penalty, lam=float(lam))
        kept = np.arange(p)
        if screen:
            kept = np.flatnonzero((b != 0) | (np.abs(gradient) >= 2 * lam - lam_old))
        screened, n_iter, refits = p - len(kept), 0, 0
        while True:
            intercept, b, done = solve(at, kept, intercept, b)
            n_iter += done
            support = np.flatnonzero(b)
            eta = intercept + columns.times(support, b[support])
            gradient = columns.transposed(loss.slope(eta))
            violation = at.violation(b, gradient)
            wrong = np.setdiff1d(np.flatnonzero(violation > tol), kept, assume_unique=True)
            if not len(wrong):
                break
            kept, refits = np.union1d(kept, wrong), refits + 1
        value = loss.value(eta)
        explained = 1.0 - value / null_loss if null_loss > 0 else 0.0
        gap = max(float(violation.max(initial=0.0)), abs(float(loss.slope(eta).sum())))
        rows.append(
            {
                "lambdas": lam, "intercept": intercept, "objective": value + at.value(b), "kkt_gap": gap,
                "n_iter": n_iter, "locally_convex": _convex(solve, at, support, eta), "screened": screened,
                "refits": refits, "explained": explained, "coef": csr_array(b[None, :]),
            }
        )  # fmt: skip
        lam_old = lam
        if explained >= saturate:
            break
    return _stacked(rows)


def _stacked(rows: list[dict[str, Any]]) -> SparsePath:
    names = [field.name for field in dataclasses.fields(SparsePath) if field.name in rows[0]]
    found = {name: np.array([row[name] for row in rows]) for name in names if name != "coef"}
    unknown = np.full(len(rows), np.nan)
    coef = csr_array(vstack([row["coef"] for row in rows]))
    return SparsePath(coef=coef, loss_mean=unknown, loss_se=unknown, **found)


def _convex(solve: Solver, penalty: L1, support: Places, eta: Floats) -> bool:
    """The least eigenvalue against the curvature of the penalty, by whether their difference has a root."""
    if penalty.curvature == 0 or not len(support):
        return True
    if len(support) > len(eta):
        return False  # more columns than rows: the least eigenvalue is 0
    H = solve.hessian(support, eta)
    try:
        cholesky(H - penalty.curvature * np.eye(len(support)))
    except LinAlgError:
        return False
    return True


class ProximalDescent:
    """A solver for smooth plus simple: the concave part of the penalty is smooth, the rest is ``lam |b|``."""

    def __init__(self, run: Run, columns: Columns, loss: Loss, tol: float, max_iter: int) -> None:
        self.run, self.columns, self.loss, self.tol, self.max_iter = run, columns, loss, tol, max_iter

    def __call__(self, penalty: L1, places: Places, intercept: float, b: Floats) -> tuple[float, Floats, int]:
        """Minimise over the coefficients at `places`; those elsewhere are 0."""
        loss, X, v = self.loss, self.columns.take(places), b[places]
        if loss.free_intercept:
            lam = np.append(0.0, np.full(len(places), penalty.lam))
            penalty = dataclasses.replace(penalty, lam=lam)
            X, v, offset = np.column_stack([np.ones(len(X)), X]), np.append(intercept, v), 0.0
        else:
            offset = intercept
        if not len(v):
            return intercept, b, 0

        def smooth(v: Floats) -> float:
            return loss.value(offset + X @ v) + penalty.concave(v)

        def gradient(v: Floats) -> Floats:
            return X.T @ loss.slope(offset + X @ v) + penalty.concave_gradient(v)

        lipschitz = max(loss.curvature * largest_eigenvalue(X), penalty.curvature)
        done, tol = 0, self.tol
        while done < self.max_iter:
            found = self.run(
                smooth, gradient, penalty.l1_prox, v, h=penalty.l1, lipschitz=lipschitz, tol=tol,
                max_iter=self.max_iter - done,
            )  # fmt: skip
            v, done = found.x, done + max(found.n_iter, 1)
            gap = penalty.violation(v, X.T @ loss.slope(offset + X @ v)).max()
            if gap <= self.tol or not found.converged:
                break
            tol /= 10  # the rule looks at another point than the one that is returned
        b = b.copy()
        if loss.free_intercept:
            intercept, v = float(v[0]), v[1:]
        b[places] = v
        return intercept, b, done

    def hessian(self, support: Places, eta: Floats) -> Floats:
        """The second derivative of the loss in the coefficients of `support`."""
        return weighted_gram(self.columns, support, self.loss.weights(eta))


def _ag(f: Value, grad: Gradient, prox: Prox, x0: Floats, *, tol: float, **more: Any) -> Optimum:
    return ag_nonconvex(f, grad, prox, x0, residual_tol=tol, record=False, **more)


def _pg(f: Value, grad: Gradient, prox: Prox, x0: Floats, *, tol: float, **more: Any) -> Optimum:
    return proximal_gradient(f, grad, prox, x0, residual_tol=tol, record=False, **more)


def _pncg(f: Value, grad: Gradient, prox: Prox, x0: Floats, *, lipschitz: float, **more: Any) -> Optimum:
    return prox_ncg(f, grad, prox, x0, step=0.99 / lipschitz, **more)


Run: TypeAlias = Callable[..., Optimum]
Solver: TypeAlias = CoordinateDescent | ProximalDescent
SOLVERS: dict[str, Callable[[Columns, Loss, float, int], Solver]] = {
    "ag": partial(ProximalDescent, _ag),
    "cd": CoordinateDescent,
    "pg": partial(ProximalDescent, _pg),
    "pncg": partial(ProximalDescent, _pncg),
}
