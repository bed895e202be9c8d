"""The likelihood of a linear mixed model whose groups are multivariate t: value, gradient, weights.

Group i has ``y_i ~ t_nu(X_i b, sigma2 (Z_i D Z_i' + I))``, D = L L'. Everything a group contributes depends on its residual r
only through ``r'r`` and ``Z'r``, so the algebra is of the size of the random effects (Woodbury).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, gammaln

__all__ = ["Groups", "Parameters", "TLikelihood"]

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True)
class Parameters:
    """What the model estimates.

    Attributes
    ----------
    b : ndarray of float64, shape (p,)
    L : ndarray of float64, shape (m, m)
        Cholesky factor of D, lower triangular.
    sigma2, nu : float
    """

    b: Floats
    L: Floats
    sigma2: float
    nu: float


@dataclass(frozen=True)
class Groups:
    """The rows of each group as numbers.

    Attributes
    ----------
    codes : ndarray of int64, shape (n,)
        Group of each row, from 0.
    sizes : ndarray of float64, shape (g,)
    Z : ndarray of float64, shape (n, m)
        Columns with a random effect.
    gram : ndarray of float64, shape (g, m, m)
        ``Z_i' Z_i``.
    """

    codes: Integers
    sizes: Floats
    Z: Floats
    gram: Floats

    @classmethod
    def of(cls, codes: Integers, Z: Floats) -> Groups:
        """Count what does not change while the model is fitted."""
        groups, width = int(codes.max()) + 1, Z.shape[1]
        gram = np.empty((groups, width, width))
        for i in range(width):
            for j in range(width):
                gram[:, i, j] = np.bincount(codes, Z[:, i] * Z[:, j], groups)
        return cls(codes, np.bincount(codes).astype(np.float64), Z, gram)

    def sums(self, r: Floats) -> Floats:
        """``Z_i' r_i`` of each group, shape (g, m)."""
        count = len(self.sizes)
        return np.stack([np.bincount(self.codes, z * r, count) for z in self.Z.T], axis=1)

    def squares(self, r: Floats) -> Floats:
        """``r_i' r_i`` of each group, shape (g,)."""
        return np.asarray(np.bincount(self.codes, r * r, len(self.sizes)), dtype=np.float64)


@dataclass(frozen=True)
class _State:
    """What value, gradient and weights share at one point."""

    r: Floats  # (n,)
    sums: Floats  # (g, m): Z'r
    inverse: Floats  # (g, m, m): (I + L' Z'Z L)^-1
    v: Floats  # (g, m): inverse L' Z'r
    log_det: Floats  # (g,): ln |Z D Z' + I|
    distance: Floats  # (g,): d = r' V^-1 r


class TLikelihood:
    """Negative log-likelihood of all groups over the number of rows.

    Of a group of m rows: ``lnGamma(nu/2) - lnGamma((nu+m)/2) + (m/2) ln(nu pi) + ln|V|/2 + ((nu+m)/2) ln(1 + d/nu)``.

    Parameters
    ----------
    X : ndarray of float64, shape (n, p)
    y : ndarray of float64, shape (n,)
    groups : Groups
    """

    def __init__(self, X: Floats, y: Floats, groups: Groups) -> None:
        self.X, self.y, self.groups = X, y, groups

    def distances(self, at: Parameters) -> Floats:
        """``d_i = r_i' V_i^-1 r_i`` of each group, shape (g,)."""
        return self._state(at).distance

    def weights(self, at: Parameters) -> Floats:
        """``w_i = (nu + n_i) / (nu + d_i)`` of each group, shape (g,): below 1 where it lies far out."""
        return np.asarray((at.nu + self.groups.sizes) / (at.nu + self.distances(at)))

    def effects(self, at: Parameters) -> Floats:
        """The random effects of each group that fit best, ``D Z' (Z D Z' + I)^-1 r``, shape (g, m)."""
        return np.asarray(self._state(at).v @ at.L.T)

    def value(self, at: Parameters) -> float:
        """The negative log-likelihood over the number of rows."""
        return self._value(self._state(at), at)

    def gradient(self, at: Parameters) -> tuple[Floats, Floats, float, float]:
        """Of the value: by b, by the lower triangle of L, by ln sigma2, by ln nu."""
        state, sizes, n = self._state(at), self.groups.sizes, len(self.y)
        weight = (at.nu + sizes) / (at.nu + state.distance)
        fitted = state.v @ at.L.T
        left = state.r - np.einsum("ij,ij->i", self.groups.Z, fitted[self.groups.codes])
        by_b = -(self.X.T @ (weight[self.groups.codes] * left)) / at.sigma2
        product = self.groups.gram @ at.L
        pull = state.sums - np.einsum("gij,gj->gi", product, state.v)
        by_l = (product @ state.inverse).sum(axis=0) - (pull * weight[:, None]).T @ state.v / at.sigma2
        by_sigma = 0.5 * float(sizes.sum() - weight @ state.distance)
        return by_b / n, np.tril(by_l) / n, by_sigma / n, self._by_nu(state.distance, at.nu) * at.nu / n

    def information(self, at: Parameters) -> Floats:
        """Expected information about b of all rows, shape (p, p).

        ``sum_i (nu + n_i) / (nu + n_i + 2) X_i' V_i^-1 X_i``.
        """
        state, sizes = self._state(at), self.groups.sizes
        share = (at.nu + sizes) / (at.nu + sizes + 2)
        crossed = np.stack([self.groups.sums(column) for column in self.X.T], axis=2)  # (g, m, p): Z'X
        scaled = np.einsum("ji,gjp->gip", at.L, crossed)
        within = self.X.T @ (share[self.groups.codes, None] * self.X)
        between = np.einsum("g,gip,gij,gjq->pq", share, scaled, state.inverse, scaled, optimize=True)
        return np.asarray((within - between) / at.sigma2)

    def _state(self, at: Parameters) -> _State:
        r = self.y - self.X @ at.b
        sums = self.groups.sums(r)
        width = at.L.shape[0]
        inner = np.eye(width) + at.L.T @ self.groups.gram @ at.L
        inverse, log_det = _inverted(inner)
        u = sums @ at.L
        v = np.einsum("gij,gj->gi", inverse, u)
        distance = (self.groups.squares(r) - np.einsum("gi,gi->g", u, v)) / at.sigma2
        return _State(r, sums, inverse, v, log_det, np.maximum(distance, 0.0))

    def _value(self, state: _State, at: Parameters) -> float:
        m = self.groups.sizes
        each = (
            gammaln(at.nu / 2) - gammaln((at.nu + m) / 2) + m / 2 * np.log(at.nu * np.pi * at.sigma2)
            + state.log_det / 2 + (at.nu + m) / 2 * np.log1p(state.distance / at.nu)
        )  # fmt: skip
        return float(each.sum()) / len(self.y)

    def _by_nu(self, distance: Floats, nu: float) -> float:
        m = self.groups.sizes
        each = (
            digamma(nu / 2) / 2 - digamma((nu + m) / 2) / 2 + m / (2 * nu)
            + np.log1p(distance / nu) / 2 - (nu + m) / 2 * distance / (nu * (nu + distance))
        )  # fmt: skip
        return float(each.sum())


def _inverted(matrices: Floats) -> tuple[Floats, Floats]:
    """Inverses and log determinants of positive definite matrices (g, m, m)."""
    if matrices.shape[1] == 1:
        return 1 / matrices, np.log(matrices[:, 0, 0])
    inverse = np.asarray(np.linalg.inv(matrices), dtype=np.float64)
    return inverse, np.asarray(np.linalg.slogdet(matrices)[1])
