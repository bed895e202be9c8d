"""Which pieces are kept: Gumbel top-k, for one target or for one after the other."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from salience.measures.apportion import gumbel_top_k, largest

__all__ = ["Choice", "TooFewPieces", "choose", "quotas", "shares_of"]


class TooFewPieces(ValueError):
    """More pieces are wanted than can be drawn; `said` is how many can, and why no more."""

    def __init__(self, n_select: int, able: int, pieces: int, asked: str) -> None:
        self.said = f"only {able} of the {pieces} pieces of raw have {asked}"
        super().__init__(f"n_select={n_select}, but {self.said}; give a smaller n_select or min_words")


class Choice(NamedTuple):
    """Chosen pieces, ascending, and for which target each was chosen."""

    pieces: NDArray[np.int64]
    target: NDArray[np.int32]


def choose(
    log_weights: NDArray[np.float64],
    eligible: NDArray[np.bool_],
    wanted: list[int],
    seed: int,
    *,
    temperature: float,
    top_k: bool,
) -> Choice:
    """Draw for each target in turn from what is left.

    Parameters
    ----------
    log_weights : ndarray of shape (n, targets)
    eligible : ndarray of bool, shape (n,)
    wanted : list of int
        How many for each target.
    seed : int
        The noise of a piece depends on it, on the target and on the number of the piece, on nothing else.
    temperature : float
        The log weights are divided by it.
    top_k : bool
        Without noise.
    """
    left = eligible.copy()
    pieces, targets = [], []
    for t, k in enumerate(wanted):
        if k:
            keys = log_weights[:, t] / temperature
            keys[~left] = -np.inf
            found = largest(keys, k) if top_k else gumbel_top_k(keys, k, np.random.default_rng([seed, t]))
            left[found] = False
            pieces.append(found)
            targets.append(np.full(k, t, np.int32))
    both = np.concatenate(pieces), np.concatenate(targets)
    order = np.argsort(both[0])
    return Choice(both[0][order], both[1][order])


def quotas(n_select: int, shares: NDArray[np.float64]) -> list[int]:
    """The whole part of each target's share; what rounding leaves goes to the last.

    Examples
    --------
    >>> quotas(10, np.array([0.25, 0.25, 0.5]))
    [2, 2, 6]
    """
    # 0.29 * 100 is 28.999...: what is whole but for rounding is whole
    whole = [int(np.floor(n_select * share + 1e-9)) for share in shares]
    return [*whole[:-1], n_select - sum(whole[:-1])]


def shares_of(given: ArrayLike | None, names: tuple[str, ...], n_grams: NDArray[Any]) -> NDArray[np.float64]:
    """The share of each target: as given, or by their numbers of n-grams.

    Raises
    ------
    ValueError
        Another number of shares than targets, one that is negative, or a sum that is not 1.
    """
    if given is None:
        return np.asarray(n_grams / n_grams.sum(), np.float64)
    shares = np.asarray(given, np.float64)
    if shares.shape != (len(names),):
        raise ValueError(
            f"target_proportions has the shape {shares.shape} for {len(names)} targets ({', '.join(names)}); "
            "give one share for each"
        )
    if not (shares >= 0).all() or not np.isclose(shares.sum(), 1.0):
        raise ValueError(f"target_proportions must be shares that add up to 1, got {shares.tolist()}")
    return shares
