"""Penalties that make coefficients exactly zero: L1, SCAD, MCP.

Each is ``lam |b|`` plus a smooth concave part. A solver takes the first by its proximal map and the second as part
of the smooth loss; or it takes the whole penalty by its own proximal map.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["L1", "MCP", "PENALTIES", "SCAD", "soft_threshold"]

Floats: TypeAlias = NDArray[np.float64]


def soft_threshold(z: ArrayLike, level: ArrayLike) -> Floats:
    """Move numbers towards zero by `level`, and stop there.

    Examples
    --------
    >>> soft_threshold([-3.0, 0.5, 2.0], 1.0)
    array([-2.,  0.,  1.])
    """
    z = np.asarray(z, dtype=np.float64)
    level = np.asarray(level, dtype=np.float64)
    return z - np.clip(z, -level, level)


@dataclass(frozen=True)
class L1:
    """The lasso penalty ``lam |b|``.

    Every coefficient that stays is pulled towards zero by the same amount, however large it is.

    Parameters
    ----------
    lam : float or ndarray, shape (p,)
        Weight, at least 0; one per coefficient where they differ, 0 for a coefficient without a penalty.

    Raises
    ------
    ValueError
        When a weight is negative or not finite.

    Examples
    --------
    >>> penalty = L1(lam=1.0)
    >>> penalty.value([-2.0, 0.5])
    2.5
    >>> penalty.prox([3.0, 0.5], step=2.0)
    array([1., 0.])
    """

    lam: float | Floats

    def __post_init__(self) -> None:
        given = np.asarray(self.lam, dtype=np.float64)
        if not np.all(np.isfinite(given) & (given >= 0)):
            raise ValueError(f"lam is the weight of a penalty: finite and at least 0, got {self.lam}")

    @property
    def curvature(self) -> float:
        """The largest size of the second derivative of the concave part."""
        return 0.0

    def value(self, b: ArrayLike) -> float:
        """The penalty, summed over all coefficients."""
        return self.l1(b) + self.concave(b)

    def l1(self, b: ArrayLike) -> float:
        """The convex part ``lam |b|``, summed."""
        return float(np.sum(self.lam * np.abs(b)))

    def l1_prox(self, z: ArrayLike, step: float = 1.0) -> Floats:
        """The proximal map of the convex part: what a solver needs that takes the concave part as smooth."""
        return soft_threshold(z, step * np.asarray(self.lam))

    def concave(self, b: ArrayLike) -> float:
        """The concave part ``pen(|b|) - lam |b|``, summed; 0 at 0, with slope 0 there."""
        return 0.0

    def concave_gradient(self, b: ArrayLike) -> Floats:
        """The gradient of the concave part, shape (p,)."""
        return np.zeros(np.shape(b))

    def prox(self, z: ArrayLike, step: float = 1.0) -> Floats:
        """``argmin_b (b - z)^2 / (2 step) + pen(|b|)`` of each number, at any step size.

        Parameters
        ----------
        z : array-like, shape (p,)
        step : float
            Positive.
        """
        return self.l1_prox(z, step)

    def threshold(self, z: ArrayLike) -> Floats:
        """The estimate under an orthonormal design, from that of least squares: ``prox(z, 1)``."""
        return self.prox(z, 1.0)

    def violation(self, b: ArrayLike, gradient: ArrayLike) -> Floats:
        """How far each coefficient is from being stationary (the KKT conditions), shape (p,).

        Parameters
        ----------
        b : array-like, shape (p,)
        gradient : array-like, shape (p,)
            Of the loss at `b`, without the penalty.
        """
        b = np.asarray(b, dtype=np.float64)
        slope = np.asarray(gradient) + self.concave_gradient(b)
        at_zero = np.maximum(np.abs(slope) - self.lam, 0.0)
        return np.where(b == 0, at_zero, np.abs(slope + self.lam * np.sign(b)))


@dataclass(frozen=True)
class SCAD(L1):
    """Smoothly clipped absolute deviation: shrinks small coefficients as the lasso does, large ones not at all.

    With ``t = |b|``: ``lam t`` up to `lam`; ``(2 a lam t - t^2 - lam^2) / (2 (a - 1))`` up to ``a lam``;
    ``lam^2 (a + 1) / 2`` above.

    Parameters
    ----------
    lam : float or ndarray, shape (p,)
    a : float, default=3.7
        Above 2. The larger, the slower the penalty levels off, and the nearer it is to the lasso.

    Raises
    ------
    ValueError
        When `lam` is negative or `a` is not above 2.

    References
    ----------
    Fan and Li, Variable selection via nonconcave penalized likelihood, JASA 2001.

    Examples
    --------
    >>> SCAD(lam=1.0).threshold([0.5, 1.5, 3.0, 5.0])
    array([0.        , 0.5       , 2.58823529, 5.        ])
    """

    a: float = 3.7

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (np.isfinite(self.a) and self.a > 2):
            raise ValueError(f"a of SCAD must be above 2 (3.7 is usual), got {self.a}")

    @property
    def curvature(self) -> float:
        """``1 / (a - 1)``."""
        return 1.0 / (self.a - 1.0)

    def concave(self, b: ArrayLike) -> float:
        """The concave part ``pen(|b|) - lam |b|``, summed."""
        t, lam = np.abs(np.asarray(b, dtype=np.float64)), self.lam
        middle = -((t - lam) ** 2) / (2 * (self.a - 1))
        flat = np.square(lam) * (self.a + 1) / 2 - lam * t
        return float(np.sum(np.where(t <= lam, 0.0, np.where(t <= self.a * lam, middle, flat))))

    def concave_gradient(self, b: ArrayLike) -> Floats:
        """The gradient of the concave part, shape (p,)."""
        b = np.asarray(b, dtype=np.float64)
        return -np.sign(b) * np.clip((np.abs(b) - self.lam) / (self.a - 1), 0.0, self.lam)

    def prox(self, z: ArrayLike, step: float = 1.0) -> Floats:
        """``argmin_b (b - z)^2 / (2 step) + pen(|b|)`` of each number, at any step size."""
        z = np.asarray(z, dtype=np.float64)
        t, lam, a = np.abs(z), np.asarray(self.lam, dtype=np.float64), self.a
        small = np.maximum(t - step * lam, 0.0)
        if step < a - 1:
            middle = ((a - 1) * t - step * a * lam) / (a - 1 - step)
            size = np.where(t <= (1 + step) * lam, small, np.where(t <= a * lam, middle, t))
        else:  # concave between lam and a lam: the best is at or outside the ends
            low, high = np.minimum(small, lam), np.maximum(t, a * lam)
            costs_low = (low - t) ** 2 / (2 * step) + lam * low
            costs_high = (high - t) ** 2 / (2 * step) + lam**2 * (a + 1) / 2
            size = np.where(costs_low <= costs_high, low, high)
        return np.sign(z) * size


@dataclass(frozen=True)
class MCP(L1):
    """Minimax concave penalty: the slope falls from `lam` at once and is 0 from ``gamma lam`` on.

    With ``t = |b|``: ``lam t - t^2 / (2 gamma)`` up to ``gamma lam``; ``gamma lam^2 / 2`` above.

    Parameters
    ----------
    lam : float or ndarray, shape (p,)
    gamma : float, default=2.0
        Above 1. The larger, the nearer to the lasso.

    Raises
    ------
    ValueError
        When `lam` is negative or `gamma` is not above 1.

    References
    ----------
    Zhang, Nearly unbiased variable selection under minimax concave penalty, Annals of Statistics 2010.

    Examples
    --------
    >>> MCP(lam=1.0).threshold([0.5, 1.5, 3.0])
    array([0., 1., 3.])
    """

    gamma: float = 2.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (np.isfinite(self.gamma) and self.gamma > 1):
            raise ValueError(f"gamma of MCP must be above 1 (2 or 3 is usual), got {self.gamma}")

    @property
    def curvature(self) -> float:
        """``1 / gamma``."""
        return 1.0 / self.gamma

    def concave(self, b: ArrayLike) -> float:
        """The concave part ``pen(|b|) - lam |b|``, summed."""
        t, lam, gamma = np.abs(np.asarray(b, dtype=np.float64)), self.lam, self.gamma
        flat = gamma * np.square(lam) / 2 - lam * t
        return float(np.sum(np.where(t <= gamma * lam, -(t**2) / (2 * gamma), flat)))

    def concave_gradient(self, b: ArrayLike) -> Floats:
        """The gradient of the concave part, shape (p,)."""
        b = np.asarray(b, dtype=np.float64)
        return -np.sign(b) * np.minimum(np.abs(b) / self.gamma, self.lam)

    def prox(self, z: ArrayLike, step: float = 1.0) -> Floats:
        """``argmin_b (b - z)^2 / (2 step) + pen(|b|)`` of each number, at any step size."""
        z = np.asarray(z, dtype=np.float64)
        t, lam, gamma = np.abs(z), np.asarray(self.lam, dtype=np.float64), self.gamma
        if step < gamma:
            size = np.where(t <= gamma * lam, np.maximum(t - step * lam, 0.0) / (1 - step / gamma), t)
        else:  # concave below gamma lam: the best is 0 or beyond
            high = np.maximum(t, gamma * lam)
            costs_high = (high - t) ** 2 / (2 * step) + gamma * lam**2 / 2
            size = np.where(t**2 / (2 * step) <= costs_high, 0.0, high)
        return np.sign(z) * size


# From lam, a of SCAD and gamma of MCP.
PENALTIES: dict[str, Callable[[float, float, float], L1]] = {
    "l1": lambda lam, a, gamma: L1(lam),
    "scad": lambda lam, a, gamma: SCAD(lam, a),
    "mcp": lambda lam, a, gamma: MCP(lam, gamma),
}
