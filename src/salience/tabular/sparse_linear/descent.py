"""Coordinate descent for sparse linear models, on the Gram matrix of the few columns that matter.

Coordinate descent finds which coefficients are zero and on which piece of the penalty the others lie, and is slow
from there on where columns are correlated. There the objective is a quadratic: its minimum is one linear system away.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from salience.measures.penalties import L1, MCP, SCAD
from salience.tabular.sparse_linear.columns import DenseColumns, SparseColumns
from salience.tabular.sparse_linear.losses import Loss

__all__ = ["CoordinateDescent", "minimize_quadratic", "weighted_gram"]

Floats: TypeAlias = NDArray[np.float64]
Places: TypeAlias = NDArray[np.intp]


class CoordinateDescent:
    """Solve for one lambda after the other; the Gram matrix of the columns met so far is kept in between.

    Parameters
    ----------
    columns : DenseColumns or SparseColumns
    loss : Squared or Logistic
    tol : float
        Largest violation of the KKT conditions.
    max_iter : int
        Passes over the coefficients, for each lambda.
    """

    def __init__(self, columns: DenseColumns | SparseColumns, loss: Loss, tol: float, max_iter: int) -> None:
        self.columns, self.loss, self.tol, self.max_iter = columns, loss, tol, max_iter
        self.gram = _Gram(columns)

    def __call__(self, penalty: L1, places: Places, intercept: float, b: Floats) -> tuple[float, Floats, int]:
        """Minimise over the coefficients at `places`; those elsewhere are 0.

        Returns
        -------
        intercept, b, passes
        """
        b = b.copy()
        solve = self._newton if self.loss.free_intercept else self._exact
        active = np.flatnonzero(b)
        passes = 0
        while True:
            intercept, done = solve(penalty, active, intercept, b, self.max_iter - passes)
            passes += done
            eta = intercept + self.columns.times(active, b[active])
            outside = np.setdiff1d(places, active, assume_unique=True)
            gradient = self.columns.transposed(self.loss.slope(eta), outside)
            wanted = outside[np.abs(gradient) > penalty.lam + self.tol]
            if not len(wanted) or passes >= self.max_iter:
                return intercept, b, passes
            active = np.union1d(np.flatnonzero(b), wanted)

    def _exact(
        self, penalty: L1, active: Places, intercept: float, b: Floats, passes: int
    ) -> tuple[float, int]:
        """Squared loss is a quadratic."""
        H = self.gram.of(active)
        eta = intercept + self.columns.times(active, b[active])
        g = self.columns.transposed(self.loss.slope(eta), active)
        b[active], done = minimize_quadratic(H, g, b[active], penalty, self.tol, passes)
        return intercept, done

    def _newton(
        self, penalty: L1, active: Places, intercept: float, b: Floats, passes: int
    ) -> tuple[float, int]:
        """Quadratic models of the loss with the concave part of the penalty as its tangent, which lies above it.

        So each model is a weighted lasso, its minimum a direction of descent.
        """
        X = np.column_stack([np.ones(self.columns.shape[0]), self.columns.take(active)])
        v = np.append(intercept, b[active])
        lam = np.append(0.0, np.full(len(active), penalty.lam))
        full = dataclasses.replace(penalty, lam=lam)
        eta = X @ v
        value, done = self.loss.value(eta) + full.value(v), 0
        while done < passes:
            slope = X.T @ self.loss.slope(eta)
            gap = float(full.violation(v, slope).max())
            if gap <= self.tol:
                break
            H = (X * self.loss.weights(eta)[:, None]).T @ X
            concave = full.concave_gradient(v)
            tangent = L1(lam - np.abs(concave))
            found, more = minimize_quadratic(H, slope, v, tangent, min(0.1 * gap, 1e-3), passes - done)
            done += max(more, 1)
            d = found - v
            descent = (slope + concave) @ d + full.l1(found) - full.l1(v)
            eta_d = X @ d
            for halving in range(_MOST_HALVINGS):
                t = 0.5**halving
                trial = self.loss.value(eta + t * eta_d) + full.value(v + t * d)
                if trial <= value + 1e-4 * t * min(descent, 0.0) + _ROUNDING * abs(value):
                    break
            else:
                break  # at the limit of the numbers
            v, eta, value = (found if t == 1.0 else v + t * d), eta + t * eta_d, trial
        b[active] = v[1:]
        return float(v[0]), done

    def hessian(self, support: Places, eta: Floats) -> Floats:
        """The second derivative of the loss in the coefficients of `support`."""
        if self.loss.free_intercept:
            return weighted_gram(self.columns, support, self.loss.weights(eta))
        return self.gram.of(support)


def weighted_gram(columns: DenseColumns | SparseColumns, places: Places, weights: Floats) -> Floats:
    """``X' diag(weights) X`` of these columns."""
    X = columns.take(places)
    return (X * weights[:, None]).T @ X


_MOST_HALVINGS = 40
_ROUNDING = 8 * np.finfo(float).eps


class _Gram:
    """``X'X / n`` of the columns met so far, in the order in which they were met."""

    def __init__(self, columns: DenseColumns | SparseColumns) -> None:
        self.columns = columns
        self.met = np.zeros(0, dtype=np.intp)
        self.row = np.full(columns.shape[1], -1, dtype=np.intp)
        self.entries = np.zeros((64, 64))

    def of(self, places: Places) -> Floats:
        """The entries of these columns, shape (len(places), len(places))."""
        if len(self.met) > 4 * len(places) + 512:  # most of them have left: begin anew
            self.met, self.entries = self.met[:0], np.zeros((64, 64))
            self.row[:] = -1
        fresh = places[self.row[places] < 0]
        if len(fresh):
            self._meet(fresh)
        rows = self.row[places]
        return self.entries[np.ix_(rows, rows)]

    def _meet(self, fresh: Places) -> None:
        before = len(self.met)
        self.met = np.concatenate([self.met, fresh])
        self.row[fresh] = np.arange(before, len(self.met))
        if len(self.met) > len(self.entries):
            larger = np.zeros((2 * len(self.met), 2 * len(self.met)))
            larger[:before, :before] = self.entries[:before, :before]
            self.entries = larger
        for row, column in zip(range(before, len(self.met)), self.columns.take(fresh).T, strict=True):
            products = self.columns.transposed(column, self.met[: row + 1]) / len(column)
            self.entries[row, : row + 1] = self.entries[: row + 1, row] = products


def minimize_quadratic(
    H: Floats, g: Floats, b: Floats, penalty: L1, tol: float, passes: int
) -> tuple[Floats, int]:
    """``argmin_v g'(v - b) + (v - b)'H(v - b)/2 + penalty(v)`` from `b`.

    Parameters
    ----------
    H : ndarray, shape (m, m)
        Positive semidefinite.
    g, b : ndarray, shape (m,)
    penalty : L1, SCAD or MCP
        Its curvature must be below the diagonal of `H`, so that each coordinate alone is a convex problem.
    tol : float
        Largest violation of the KKT conditions.
    passes : int
        At most so many passes over the coordinates.

    Returns
    -------
    v : ndarray, shape (m,)
    passes : int
    """
    b, g = b.copy(), g.copy()
    lam = np.broadcast_to(np.asarray(penalty.lam, dtype=np.float64), b.shape).copy()
    kind, shape = _KINDS[type(penalty)](penalty)
    done = 0
    while done < passes:
        more, settled = _descend(H, g, b, lam, kind, shape, tol, min(_PATIENCE, passes - done))
        done += more
        if settled:
            break
        _jump(H, g, b, penalty, lam)
    return b, done


_PATIENCE = 10  # passes before a linear system is tried
_KINDS: dict[type, Callable[..., tuple[int, float]]] = {
    L1: lambda penalty: (0, 0.0),
    SCAD: lambda penalty: (1, penalty.a),
    MCP: lambda penalty: (2, penalty.gamma),
}
# The penalty is curved between these multiples of lam.
_CURVED: dict[type, Callable[..., tuple[float, float]]] = {
    L1: lambda penalty: (0.0, 0.0),
    SCAD: lambda penalty: (1.0, penalty.a),
    MCP: lambda penalty: (0.0, penalty.gamma),
}


@njit(nogil=True, cache=True)
def _descend(
    H: Floats, g: Floats, b: Floats, lam: Floats, kind: int, shape: float, tol: float, most: int
) -> tuple[int, bool]:
    """Passes over all coordinates, and between them over the nonzero ones until those are settled."""
    done = 0
    while done < most:
        done += 1
        if _sweep(H, g, b, lam, kind, shape, False) <= tol:
            return done, True
        while done < most:
            done += 1
            if _sweep(H, g, b, lam, kind, shape, True) <= tol:
                break
    return done, False


@njit(nogil=True, cache=True)
def _sweep(H: Floats, g: Floats, b: Floats, lam: Floats, kind: int, shape: float, nonzero: bool) -> float:
    """One pass; `g` stays the gradient at `b`. Returns the largest move times its curvature."""
    largest = 0.0
    for j in range(len(b)):
        old = b[j]
        if nonzero and old == 0.0 and lam[j] > 0.0:
            continue
        h = H[j, j]
        if h <= 0.0:
            continue
        new = _best(old - g[j] / h, 1.0 / h, lam[j], kind, shape)
        if new != old:
            move = new - old
            b[j] = new
            row = H[j]
            for i in range(len(g)):
                g[i] += move * row[i]
            largest = max(largest, abs(move) * h)
    return largest


@njit(nogil=True, cache=True)
def _best(z: float, step: float, lam: float, kind: int, shape: float) -> float:
    """The proximal map of a penalty in one coordinate, as in `measures.penalties`."""
    t = abs(z)
    small = max(t - step * lam, 0.0)
    if kind == 1 and t > (1.0 + step) * lam:
        if t > shape * lam:
            return z
        small = ((shape - 1.0) * t - step * shape * lam) / (shape - 1.0 - step)
    if kind == 2:
        if t > shape * lam:
            return z
        small /= 1.0 - step / shape
    return small if z > 0.0 else -small


def _jump(H: Floats, g: Floats, b: Floats, penalty: L1, lam: Floats) -> None:
    """Go to the minimum of the piece on which the nonzero coefficients lie, or to where the piece ends.

    `b` and `g` stay as they are when the piece has no minimum, or the objective would not fall.
    """
    free = np.flatnonzero((b != 0) | (lam == 0))
    t, at = np.abs(b[free]), lam[free]
    low, high = (multiple * at for multiple in _CURVED[type(penalty)](penalty))
    curved = (low < t) & (t <= high)
    part = dataclasses.replace(penalty, lam=at)
    slope = g[free] + part.concave_gradient(b[free]) + at * np.sign(b[free])
    H_free = H[np.ix_(free, free)]
    try:
        d = -cho_solve(cho_factor(H_free - np.diag(penalty.curvature * curved)), slope)
    except np.linalg.LinAlgError:
        return
    before = part.value(b[free])
    for share in (1.0, _end_of_piece(t, np.sign(b[free]) * d, at, low, high)):
        move = share * d
        change = H[:, free] @ move
        rise = g[free] @ move + 0.5 * move @ change[free] + part.value(b[free] + move) - before
        if rise < 0:
            b[free] += move
            g += change
            return


def _end_of_piece(t: Floats, move: Floats, lam: Floats, low: Floats, high: Floats) -> float:
    """The share of `move` after which the first coefficient of size `t` gets to where the penalty changes."""
    ends = np.where(lam > 0, np.vstack([np.zeros_like(t), low, high]), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = (ends - t) / move
    return float(min(1.0, shares[shares > 0].min(initial=1.0)))
