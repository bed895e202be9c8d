"""Bootstrap over two crossed kinds of units: the same queries under the same seeds."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from salience.measures.resampling import Bootstrap, Seed, bootstrap_mean

__all__ = ["crossed_bootstrap_mean"]


def crossed_bootstrap_mean(values: ArrayLike, *, n: int = 1000, rng: Seed = None) -> Bootstrap:
    """Bootstrap means over units x repeats, both drawn with replacement and shared by all columns.

    A query is easy or hard in every build, and a build is good or bad for every query: neither alone tells how far a
    mean over both would move. With few repeats a plain draw understates their share by (R - 1) / R; deviations from
    equal weights are stretched by the root of R / (R - 1) to make up for it.

    Parameters
    ----------
    values : array-like, shape (units, R) or (units, R, m)
        For instance queries, seeds, methods. With R = 1 only units are drawn.
    n : int, default=1000
    rng : Generator or int, optional

    Returns
    -------
    Bootstrap
        Of the mean, float or (m,); no jackknife.

    Raises
    ------
    ValueError
        When there are no units, a value is not finite, or `n` is below 2.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> noise = rng.normal(size=(400, 1)) + rng.normal(size=(1, 5))
    >>> both = crossed_bootstrap_mean(noise, rng=0)
    >>> bool(both.se > 3 * bootstrap_mean(noise.mean(axis=1), rng=0).se)  # five seeds tell less than 400 queries
    True
    """
    given = np.asarray(values, dtype=np.float64)
    if given.ndim not in (2, 3) or 0 in given.shape:
        raise ValueError(
            f"values must be (units, repeats) or (units, repeats, m), none of them empty; the shape is {given.shape}"
        )
    random = np.random.default_rng(rng)
    units, repeats = given.shape[:2]
    drawn = bootstrap_mean(given.reshape(units, -1), n=n, rng=random).replicates.reshape(n, *given.shape[1:])
    weights = random.multinomial(repeats, np.full(repeats, 1 / repeats), size=n) / repeats
    if repeats > 1:
        weights = 1 / repeats + (weights - 1 / repeats) * np.sqrt(repeats / (repeats - 1))
    replicates: NDArray[np.float64] = np.einsum("nr...,nr->n...", drawn, weights)
    return Bootstrap(given.mean(axis=(0, 1)), replicates, np.zeros(0))
