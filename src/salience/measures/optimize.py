"""Minimise ``f(x) + h(x)``: f smooth, h with a simple proximal map, both perhaps nonconvex.

Three methods for one problem: accelerated gradient (`ag_nonconvex`), nonlinear conjugate gradient (`prox_ncg`), and
the plain proximal gradient that both are measured against.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from salience.measures.composite import Composite, Gradient, Optimum, Prox, Value
from salience.measures.penalties import L1, MCP, SCAD

__all__ = [
    "L1",
    "MCP",
    "SCAD",
    "Optimum",
    "ag_nonconvex",
    "largest_eigenvalue",
    "prox_ncg",
    "proximal_gradient",
]

Floats: TypeAlias = NDArray[np.float64]


def ag_nonconvex(
    f: Value,
    grad: Gradient,
    prox: Prox | None,
    x0: ArrayLike,
    *,
    lipschitz: float,
    h: Value | None = None,
    schedule: str = "damped",
    restart: bool = True,
    tol: float = 1e-5,
    residual_tol: float = np.inf,
    max_iter: int = 10_000,
    record: bool = True,
) -> Optimum:
    """Ghadimi and Lan's accelerated gradient for nonconvex problems, with the damping that is best for its bound.

    Three sequences from `x0`. In iteration k, with step sizes ``alpha, omega, delta``::

        x_md = (1 - alpha) x_ag + alpha x
        x    = prox(x    - delta grad f(x_md), delta)
        x_ag = prox(x_md - omega grad f(x_md), omega)

    It is not monotone: compare the best value so far.

    Parameters
    ----------
    f : callable
        ``f(x) -> float``, the smooth part. Called only where the objective is recorded.
    grad : callable
        ``grad(x) -> ndarray (p,)``, its gradient.
    prox : callable or None
        ``prox(z, step)``, the proximal map of h; None when there is no h.
    x0 : array-like, shape (p,)
    lipschitz : float
        Of the gradient of f, positive.
    h : callable, optional
        ``h(x) -> float``, for the record of the objective; 0 without it.
    schedule : {"damped", "original"}
        "damped": ``alpha = 2 / (1 + sqrt(1 + 4 / alpha^2))``, ``omega = .99 / L``, ``delta = omega / alpha``.
        "original": ``alpha = 2 / (k + 1)``, ``omega = 1 / (2 L)``, ``delta = k omega / 2``.
    restart : bool, default=True
        Begin anew (alpha = 1) when the step shrank and 3 iterations have passed since the last restart. Only for
        "damped".
    tol : float, default=1e-5
        Stop when no entry of ``x_md`` moved by more than `tol` times its largest entry, from the third iteration on.
    residual_tol : float, default=inf
        ... and the residual of ``x_md`` is at most this.
    max_iter : int, default=10000
    record : bool, default=True
        Whether to compute the objective after each iteration.

    Returns
    -------
    Optimum
        ``x`` is ``x_ag``, which has exact zeros; ``residual`` is that of the last ``x_md``.

    Raises
    ------
    ValueError
        When `x0` is not a finite vector, a number is not positive, or the schedule is unknown.

    References
    ----------
    Yang, Asgharian, Bhatnagar, arXiv:2009.10629. Ghadimi and Lan, Mathematical Programming 2016.

    Examples
    --------
    >>> target, penalty = np.array([3.0, 0.5, -2.0]), MCP(lam=1.0)
    >>> found = ag_nonconvex(
    ...     lambda b: 0.5 * np.sum((b - target) ** 2) + penalty.concave(b),
    ...     lambda b: b - target + penalty.concave_gradient(b),
    ...     penalty.l1_prox, np.zeros(3), lipschitz=1.0, h=penalty.l1,
    ... )
    >>> found.x.round(3)
    array([ 3.,  0., -2.])
    """
    x = _start(x0)
    _positive(lipschitz=lipschitz, max_iter=max_iter)
    if schedule not in _SCHEDULES:
        raise ValueError(
            f"schedule={schedule!r} is unknown; it must be one of {', '.join(map(repr, _SCHEDULES))}"
        )
    rule, restart = _SCHEDULES[schedule], restart and schedule == "damped"
    problem = Composite(f, grad, prox, h, record)
    x_ag = x_md = x
    problem.note(x)
    alpha, since, step_before, residual, converged = 1.0, 0, np.inf, np.inf, False
    k = 0
    while k < max_iter and not converged:
        k, since = k + 1, since + 1
        alpha, omega, delta = rule(k, since, alpha, lipschitz)
        before, x_md = x_md, (1 - alpha) * x_ag + alpha * x
        g = problem.gradient(x_md)
        x = problem.proximal(x - delta * g, delta)
        x_ag = problem.proximal(x_md - omega * g, omega)
        problem.note(x_ag)
        residual = _largest(x_md - x_ag) / omega
        moved = x_md - before
        small = _largest(moved) <= tol * max(_largest(x_md), np.finfo(float).tiny)
        converged = k >= 3 and small and residual <= residual_tol
        step = float(np.linalg.norm(moved))
        if restart and since >= 3 and step < step_before:
            since = 0
        step_before = step
    return problem.end(x_ag, converged, k, residual)


def _damped(k: int, since: int, alpha: float, lipschitz: float) -> tuple[float, float, float]:
    alpha = 1.0 if since == 1 else 2.0 / (1.0 + np.sqrt(1.0 + 4.0 / alpha**2))
    omega = 0.99 / lipschitz
    return alpha, omega, omega / alpha


def _original(k: int, since: int, alpha: float, lipschitz: float) -> tuple[float, float, float]:
    omega = 0.5 / lipschitz
    return 2.0 / (k + 1), omega, k * omega / 2


_SCHEDULES = {"damped": _damped, "original": _original}


def proximal_gradient(
    f: Value,
    grad: Gradient,
    prox: Prox | None,
    x0: ArrayLike,
    *,
    lipschitz: float,
    h: Value | None = None,
    tol: float = 1e-5,
    residual_tol: float = np.inf,
    max_iter: int = 10_000,
    record: bool = True,
) -> Optimum:
    """Plain proximal gradient with the step ``1 / lipschitz``; parameters as in :func:`ag_nonconvex`.

    Examples
    --------
    >>> found = proximal_gradient(lambda b: 2 * b @ b, lambda b: 4 * b, None, [1.0, -1.0], lipschitz=8.0)
    >>> bool(found.converged and np.abs(found.x).max() < 1e-4)
    True
    """
    x = _start(x0)
    _positive(lipschitz=lipschitz, max_iter=max_iter)
    problem = Composite(f, grad, prox, h, record)
    problem.note(x)
    step, residual, converged, k = 1.0 / lipschitz, np.inf, False, 0
    while k < max_iter and not converged:
        k += 1
        before, x = x, problem.proximal(x - step * problem.gradient(x), step)
        problem.note(x)
        moved = _largest(x - before)
        residual = moved / step
        small = moved <= tol * max(_largest(x), np.finfo(float).tiny)
        converged = small and residual <= residual_tol
    return problem.end(x, converged, k, residual)


def prox_ncg(
    f: Value,
    grad: Gradient,
    prox: Prox | None,
    x0: ArrayLike,
    *,
    h: Value | None = None,
    step: float | None = None,
    tol: float = 1e-6,
    max_iter: int = 10_000,
    period: int = 50,
) -> Optimum:
    """Proximal nonlinear conjugate gradient: monotone, and fast where the problem is badly conditioned.

    The forward-backward residual ``R(x) = (x - prox(x - s grad f(x), s)) / s`` takes the place of the gradient::

        y = R - R_previous;  beta = max(0, min(R'y / d'y, R'R / d'y));  d = -R + beta d
        z = x + t d          with t found by doubling and halving until the objective falls enough
        x = prox(z - s grad f(z), s)

    Where that does not decrease the objective enough, the plain proximal step is taken instead, so the objective
    never rises and every limit point is stationary. Without h it is the hybrid of Hestenes and Stiefel, and Dai and
    Yuan. Reconstructed from the description of the method: the text of the paper was not available.

    Parameters
    ----------
    f : callable
        ``f(x) -> float``, the smooth part. Where it is not finite, a step is too long.
    grad : callable
        ``grad(x) -> ndarray (p,)``, its gradient.
    prox : callable or None
        ``prox(z, step)``, the proximal map of `h`; None when there is no h. It may act on a part of `x` only.
    x0 : array-like, shape (p,)
    h : callable, optional
        ``h(x) -> float``, the part that `prox` belongs to. Needed with `prox`.
    step : float, optional
        Size s of the proximal step, ``.99 / L`` where the Lipschitz constant L of the gradient is known. Without it
        s is found by backtracking.
    tol : float, default=1e-6
        Stop when no entry of R is larger.
    max_iter : int, default=10000
    period : int, default=50
        The direction is set back to -R every ``min(p, period)`` iterations.

    Returns
    -------
    Optimum
        Two gradients per iteration. Not converged also when no step decreases the objective any more, at the limit
        of the numbers.

    Raises
    ------
    ValueError
        When `x0` is not a finite vector, the objective is not finite there, a number is not positive, or `prox` comes
        without `h` or the other way round.

    Examples
    --------
    >>> scale = np.array([1.0, 10.0, 100.0])
    >>> found = prox_ncg(lambda x: 0.5 * scale @ x**2, lambda x: scale * x, None, np.ones(3), step=0.0099)
    >>> bool(found.converged), bool(np.all(np.diff(found.history) <= 0))
    (True, True)
    """
    x = _start(x0)
    if (prox is None) != (h is None):
        raise ValueError("prox is the proximal map of h: give both, or neither where the problem is smooth")
    _positive(tol=tol, max_iter=max_iter, period=period, **({} if step is None else {"step": step}))
    problem = Composite(f, grad, prox, h)
    value = problem.objective(x)
    if not np.isfinite(value):
        raise ValueError("the objective is not finite at x0; start where it is")
    problem.note(x, value)
    period = min(len(x), period)
    s, fixed = (1.0, False) if step is None else (step, True)
    d = R_before = np.zeros_like(x)
    k, age, residual, converged = 0, 0, np.inf, False
    while k < max_iter:
        g = problem.gradient(x)
        if not fixed:
            s = _backtracked(problem, x, g, s)
        px = problem.proximal(x - s * g, s)
        R = (x - px) / s
        residual = _largest(R)
        if residual <= tol:
            converged = True
            break
        d = _direction(R, R_before, d) if age % period else -R
        if d @ R >= -1e-8 * np.linalg.norm(d) * np.linalg.norm(R):
            d, age = -R, 0
        t = _line_search(problem, x, d, value, s, float(R @ R))
        z = x + t * d
        x_new = problem.proximal(z - s * problem.gradient(z), s)
        value_new = problem.objective(x_new)
        age += 1
        slack = _ROUNDING * abs(value)
        if value_new > value - (1e-4 / s) * np.sum((x_new - x) ** 2) + slack:
            x_new, value_new, age = px, problem.objective(px), 0
            if value_new > value + slack:
                break
        if not fixed and age % period == 0:
            s *= 2.0  # the curvature may have fallen; the next backtracking decides
        x, value, R_before = x_new, value_new, R
        k += 1
        problem.note(x, value)
    return problem.end(x, converged, k, residual)


def _direction(R: Floats, R_before: Floats, d: Floats) -> Floats:
    y = R - R_before
    dy = float(d @ y)
    if dy == 0.0:
        return -R
    return -R + max(0.0, min(float(R @ y) / dy, float(R @ R) / dy)) * d


def _line_search(problem: Composite, x: Floats, d: Floats, value: float, t: float, slope: float) -> float:
    """A step along `d` from the first guess `t`; 0 when none decreases the objective enough."""
    here = problem.objective(x + t * d)
    for _ in range(_MOST_DOUBLINGS):
        there = problem.objective(x + 2 * t * d)
        if not there < here:
            break
        t, here = 2 * t, there
    for _ in range(_MOST_HALVINGS + 1):
        if here <= value - 1e-4 * t * slope + _ROUNDING * abs(value):
            return t
        t /= 2
        here = problem.objective(x + t * d)
    return 0.0


_MOST_DOUBLINGS, _MOST_HALVINGS = 60, 30
_ROUNDING = 8 * np.finfo(float).eps


def _backtracked(problem: Composite, x: Floats, g: Floats, s: float) -> float:
    """The first of s, s/2, s/4, ... at which the quadratic model of f is above f."""
    here = problem.smooth(x)
    for _ in range(_MOST_DOUBLINGS):
        move = problem.proximal(x - s * g, s) - x
        there = problem.smooth(x + move)
        model = here + g @ move + move @ move / (2 * s)
        if there <= model + 1e-12 * abs(here):
            return s
        s /= 2
    return s


def largest_eigenvalue(X: ArrayLike, tol: float = 1e-6, max_iter: int = 1000) -> float:
    """The largest eigenvalue of ``X'X / n``: the Lipschitz constant of the gradient of ``||y - Xb||^2 / (2n)``.

    Of the smaller Gram matrix where that is small, else by Lanczos iteration, raised by its tolerance.

    Parameters
    ----------
    X : array-like, shape (n, p)
    tol : float, default=1e-6
        Relative, of the iteration.
    max_iter : int, default=1000

    Examples
    --------
    >>> round(largest_eigenvalue(np.diag([1.0, 2.0])), 6)
    2.0
    """
    from scipy.linalg import eigvalsh
    from scipy.sparse.linalg import LinearOperator, eigsh

    X = np.asarray(X, dtype=np.float64)
    n, size = len(X), min(X.shape)
    if size == 0:
        return 0.0
    A = X if X.shape[1] <= X.shape[0] else X.T
    if size <= _SMALL_GRAM:
        return float(eigvalsh(A.T @ A, subset_by_index=[size - 1, size - 1])[0]) / n
    gram = LinearOperator((size, size), matvec=lambda v: A.T @ (A @ v), dtype=np.float64)
    first = np.random.default_rng(0).standard_normal(size)  # fixed: the same data give the same steps
    found = eigsh(gram, k=1, v0=first, tol=tol, maxiter=max_iter, return_eigenvectors=False)
    return float(found[0]) * (1 + tol) / n


_SMALL_GRAM = 256


def _start(x0: ArrayLike) -> Floats:
    x = np.array(x0, dtype=np.float64)
    if x.ndim != 1 or len(x) == 0 or not np.isfinite(x).all():
        raise ValueError(
            f"x0 must be a vector of finite numbers with at least one entry; its shape is {x.shape}"
        )
    return x


def _positive(**given: float) -> None:
    for name, value in given.items():
        if not (np.isfinite(value) and value > 0):
            raise ValueError(f"{name} must be a positive number, got {value}")


def _largest(x: Floats) -> float:
    return float(np.abs(x).max())
