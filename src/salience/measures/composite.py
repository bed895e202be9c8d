"""A problem of smooth plus simple: its functions, what was asked of them, and where a solver stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Composite", "Gradient", "Optimum", "Prox", "Value"]

Floats: TypeAlias = NDArray[np.float64]
Value: TypeAlias = Callable[[Floats], float]
Gradient: TypeAlias = Callable[[Floats], Floats]
Prox: TypeAlias = Callable[[Floats, float], Floats]


@dataclass(frozen=True)
class Optimum:
    """Where a solver stopped, and how it came there.

    Attributes
    ----------
    x : ndarray of float64, shape (p,)
        The point, with the exact zeros of the proximal map.
    converged : bool
        Whether the stopping rule was met before the iterations ran out.
    n_iter, n_gradients, n_values : int
        Iterations, gradients of f and values of f that were computed.
    history : ndarray of float64, shape (n_iter + 1,)
        The objective ``f + h`` at the start and after each iteration; empty when it was not recorded.
    gradients : ndarray of int64, shape (n_iter + 1,)
        How many gradients had been computed at each entry of `history`.
    residual : float
        Largest entry of the forward-backward residual ``(x - prox(x - s grad f(x), s)) / s``: 0 at a stationary point.
    """

    x: Floats
    converged: bool
    n_iter: int
    n_gradients: int
    n_values: int
    history: Floats
    gradients: NDArray[np.int64]
    residual: float

    @property
    def value(self) -> float:
        """The objective at `x`; NaN when it was not recorded."""
        return float(self.history[-1]) if len(self.history) else float("nan")


@dataclass
class Composite:
    """``f + h`` with the gradient of f and the proximal map of h: how often each was called, the objective so far."""

    f: Value
    grad: Gradient
    prox: Prox | None
    h: Value | None
    record: bool = True
    n_gradients: int = 0
    n_values: int = 0
    history: list[float] = field(default_factory=list)
    gradients: list[int] = field(default_factory=list)

    def smooth(self, x: Floats) -> float:
        self.n_values += 1
        return float(self.f(x))

    def objective(self, x: Floats) -> float:
        """``f + h``; what is not a number counts as infinitely bad."""
        value = self.smooth(x) + (self.h(x) if self.h is not None else 0.0)
        return value if np.isfinite(value) else np.inf

    def gradient(self, x: Floats) -> Floats:
        self.n_gradients += 1
        g = np.asarray(self.grad(x), dtype=np.float64)
        if g.shape != x.shape:
            raise ValueError(f"grad(x) must have the shape of x, {x.shape}; it has {g.shape}")
        return g

    def proximal(self, z: Floats, step: float) -> Floats:
        return z if self.prox is None else self.prox(z, step)

    def note(self, x: Floats, value: float | None = None) -> None:
        if self.record:
            self.history.append(self.objective(x) if value is None else value)
            self.gradients.append(self.n_gradients)

    def end(self, x: Floats, converged: bool, n_iter: int, residual: float) -> Optimum:
        counts = (n_iter, self.n_gradients, self.n_values)
        passed = np.array(self.gradients, dtype=np.int64)
        return Optimum(x, converged, *counts, np.array(self.history), passed, residual)
