"""The two losses of the sparse linear model: mean of a function of each row's prediction and target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

__all__ = ["LOSSES", "Logistic", "Loss", "Squared"]

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Squared:
    """``||y - eta||^2 / (2n)``.

    The columns have mean 0, so the best intercept is the mean of y whatever the coefficients are.
    """

    y: Floats
    curvature: ClassVar[float] = 1.0  # the largest second derivative in eta, times n
    free_intercept: ClassVar[bool] = False

    def value(self, eta: Floats) -> float:
        return float(np.mean((self.y - eta) ** 2)) / 2

    def slope(self, eta: Floats) -> Floats:
        """The derivative in each prediction, shape (n,)."""
        return (eta - self.y) / len(self.y)

    def weights(self, eta: Floats) -> Floats:
        """The second derivative in each prediction, shape (n,)."""
        return np.full(len(eta), 1.0 / len(eta))

    def start(self) -> float:
        """The best intercept alone."""
        return float(self.y.mean())


@dataclass(frozen=True, eq=False)
class Logistic:
    """``mean(ln(1 + exp(eta)) - y eta)``, y in {0, 1}."""

    y: Floats
    curvature: ClassVar[float] = 0.25
    free_intercept: ClassVar[bool] = True

    def value(self, eta: Floats) -> float:
        return float(np.mean(np.logaddexp(0.0, eta) - self.y * eta))

    def slope(self, eta: Floats) -> Floats:
        return (expit(eta) - self.y) / len(self.y)

    def weights(self, eta: Floats) -> Floats:
        p = expit(eta)
        return p * (1.0 - p) / len(self.y)

    def start(self) -> float:
        share = self.y.mean()
        return float(np.log(share / (1.0 - share)))


Loss: TypeAlias = Squared | Logistic
LOSSES: dict[str, type[Loss]] = {"squared": Squared, "logistic": Logistic}
