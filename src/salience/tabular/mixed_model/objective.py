"""What the robust mixed model minimises, as a function of one vector with a simple proximal map."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from salience.measures.penalties import L1
from salience.tabular.mixed_model.likelihood import Groups, Parameters, TLikelihood

__all__ = ["MixedObjective", "spread_of"]

Floats: TypeAlias = NDArray[np.float64]

NU = (2.1, 200.0)  # above 2 there is a covariance; from 200 on it is a Gaussian to the eye
NU_START = 5.0
SIGMA2 = (1e-10, 1e10)  # of an outcome of spread 1: a perfect fit has no likelihood


class MixedObjective:
    """The objective as a function of one vector ``(b / sigma, intercept / sigma, L, ln sigma2, ln nu)``.

    Each part is divided by about the square root of its curvature, so that one step size suits all.
    """

    def __init__(self, X: Floats, y: Floats, groups: Groups, penalty: L1, nu: str | float) -> None:
        self.likelihood = TLikelihood(X, y, groups)
        self.penalty = penalty
        self.nu = None if isinstance(nu, str) else float(nu)
        self.columns = slice(X.shape[1] - 1)
        self.means = slice(X.shape[1])
        self.triangle = np.tril_indices(groups.Z.shape[1])
        rows = np.sqrt(len(y) / len(groups.sizes))
        self.unit = np.concatenate(
            [np.ones(X.shape[1]), np.full(len(self.triangle[0]), rows), [np.sqrt(2), 2 * rows]]
        )
        bounds = np.log([SIGMA2, NU])
        self.low, self.high = (bounds / self.unit[-2:, None]).T

    def start(self) -> Floats:
        """Least squares is a good start where nothing is to be left out; a nonconvex penalty would keep all of it."""
        X, y = self.likelihood.X, self.likelihood.y
        plain = not self.penalty.lam and 2 * X.shape[1] < len(y)
        b = np.linalg.lstsq(X, y)[0] if plain else np.zeros(X.shape[1])
        sigma2 = max(spread_of(y - X @ b) ** 2, 1e4 * SIGMA2[0])
        factor = np.eye(self.likelihood.groups.Z.shape[1])[self.triangle]
        return (
            np.concatenate([b / np.sqrt(sigma2), factor, np.log([sigma2, self.nu or NU_START])]) / self.unit
        )

    def parameters(self, x: Floats) -> Parameters:
        values = x * self.unit
        width = self.likelihood.groups.Z.shape[1]
        L = np.zeros((width, width))
        L[self.triangle] = values[self.means.stop : -2]
        # a line search may look far outside of the bounds
        sigma2, nu = np.exp(np.clip(values[-2:], -50, 50))
        return Parameters(values[self.means] * np.sqrt(sigma2), L, float(sigma2), self.nu or float(nu))

    def smooth(self, x: Floats) -> float:
        return self.likelihood.value(self.parameters(x)) + self.penalty.concave(x[self.columns])

    def gradient(self, x: Floats) -> Floats:
        at = self.parameters(x)
        by_b, by_l, by_sigma2, by_nu = self.likelihood.gradient(at)
        by_sigma2 += float(by_b @ at.b) / 2
        by_means = by_b * np.sqrt(at.sigma2)
        by_means[self.columns] += self.penalty.concave_gradient(x[self.columns])
        ends = [by_sigma2, 0.0 if self.nu else by_nu]
        return np.concatenate([by_means, by_l[self.triangle], ends]) * self.unit

    def penalty_value(self, x: Floats) -> float:
        return self.penalty.l1(x[self.columns])

    def prox(self, z: Floats, step: float) -> Floats:
        moved = z.copy()
        moved[self.columns] = self.penalty.l1_prox(z[self.columns], step)
        moved[-2] = np.clip(z[-2], self.low[0], self.high[0])
        if self.nu is None:
            moved[-1] = np.clip(z[-1], self.low[1], self.high[1])
        return moved


def spread_of(values: Floats) -> float:
    """1.4826 times the median distance from the median; the standard deviation where that is 0, and 1 for constants."""
    middle = float(np.median(np.abs(values - np.median(values))))
    return 1.4826 * middle or float(values.std()) or 1.0
