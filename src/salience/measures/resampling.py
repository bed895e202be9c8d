"""Bootstrap, permutation tests, intervals, and the false discovery rate.

A *statistic* is a function of arrays that have one entry (or row) per unit along their first axis. Units that
belong together (queries, users, sessions) are resampled together by ``groups``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from salience.measures.intervals import bootstrap_intervals

__all__ = [
    "Bootstrap",
    "PermutationTest",
    "bootstrap",
    "bootstrap_intervals",
    "bootstrap_mean",
    "permutation_test",
    "q_values",
]

Floats: TypeAlias = NDArray[np.float64]
Statistic: TypeAlias = Callable[..., Any]
Seed: TypeAlias = np.random.Generator | int | None

_CHUNK = 1 << 22  # weights drawn at a time: 32 MB


@dataclass(frozen=True)
class Bootstrap:
    """Replicates of a statistic.

    Attributes
    ----------
    estimate : float or ndarray, shape (m,)
        On the data themselves.
    replicates : ndarray of float64, shape (n,) or (n, m)
    jackknife : ndarray of float64, shape (units,) or (units, m)
        The statistic without each unit (or group) in turn; empty when it was not asked for.
    """

    estimate: Any
    replicates: Floats
    jackknife: Floats

    @property
    def se(self) -> Any:
        """Standard error."""
        return self.replicates.std(axis=0, ddof=1)

    def interval(self, level: float = 0.95, method: str = "percentile") -> tuple[Any, Any]:
        """Return the ends of an interval; see `bootstrap_intervals`."""
        return bootstrap_intervals(
            self.replicates, level, method=method, estimate=self.estimate, jackknife=self.jackknife
        )


def bootstrap(
    statistic: Statistic,
    *arrays: ArrayLike,
    n: int = 1000,
    groups: ArrayLike | None = None,
    paired: bool = True,
    jackknife: bool = False,
    rng: Seed = None,
) -> Bootstrap:
    """Resample units with replacement and evaluate a statistic each time.

    Parameters
    ----------
    statistic : callable
        ``statistic(*arrays) -> float`` or a vector.
    *arrays : array-like
        One entry or row per unit along the first axis.
    n : int, default=1000
        Replicates.
    groups : array-like, shape (units,), optional
        Draw whole groups instead of single units.
    paired : bool, default=True
        Whether the arrays describe the same units, so that one draw serves all of them; otherwise each array
        is resampled on its own.
    jackknife : bool, default=False
        Also leave out each unit (group) in turn; needed by BCa intervals. Paired arrays only.
    rng : Generator or int, optional

    Raises
    ------
    ValueError
        When there is no array, lengths do not match, `n` is below 2, or options exclude each other.

    Examples
    --------
    >>> result = bootstrap(np.mean, np.arange(100.0), n=500, rng=0)
    >>> result.estimate.item(), bool(2.5 < result.se < 3.3)
    (49.5, True)
    """
    data = [np.asarray(array) for array in arrays]
    if not data or any(array.ndim == 0 or len(array) == 0 for array in data):
        raise ValueError("bootstrap needs at least one array, and every array at least one unit")
    _check_replicates(n)
    if paired and len({len(array) for array in data}) > 1:
        raise ValueError(
            f"paired arrays must have one length; they have {[len(array) for array in data]}. "
            "Say paired=False for independent samples"
        )
    if not paired and (groups is not None or jackknife):
        raise ValueError("groups and jackknife describe the units of paired arrays; they need paired=True")
    random = np.random.default_rng(rng)
    members = _members(groups, len(data[0])) if groups is not None else None
    replicates = []
    for _ in range(n):
        if paired:
            draw = _draw(random, len(data[0]), members)
            sample = [array[draw] for array in data]
        else:
            sample = [array[random.integers(0, len(array), len(array))] for array in data]
        replicates.append(statistic(*sample))
    left_out = _leave_one_out(statistic, data, members) if jackknife else np.zeros(0)
    return Bootstrap(statistic(*data), np.asarray(replicates, dtype=np.float64), left_out)


def bootstrap_mean(
    values: ArrayLike, *, n: int = 1000, groups: ArrayLike | None = None, rng: Seed = None
) -> Bootstrap:
    """Bootstrap means without a loop: the paired case, when columns are methods over the same units.

    Parameters
    ----------
    values : array-like, shape (units,) or (units, m)
    n : int, default=1000
    groups : array-like, shape (units,), optional
        Draw whole groups instead of single units; the mean is over units.
    rng : Generator or int, optional

    Returns
    -------
    Bootstrap
        With the jackknife, so that BCa intervals are available.

    Raises
    ------
    ValueError
        When there are no units, a value is not finite, or `n` is below 2.

    Examples
    --------
    >>> units = np.random.default_rng(0).normal(size=(200, 1)) + [0.0, 0.1]  # two methods, the same noise
    >>> gain = bootstrap_mean(units[:, 1] - units[:, 0], n=200, rng=0)
    >>> low, high = gain.interval()
    >>> bool(abs(low - 0.1) < 1e-9 and abs(high - 0.1) < 1e-9)
    True
    """
    given = np.asarray(values, dtype=np.float64)
    if given.ndim not in (1, 2) or len(given) == 0:
        raise ValueError(
            f"values must be (units,) or (units, m) with at least one unit; the shape is {given.shape}"
        )
    if not np.isfinite(given).all():
        raise ValueError("values must be finite; leave out or fill the units without a value")
    _check_replicates(n)
    sums, sizes = given, np.ones(len(given))
    if groups is not None:
        number = _numbered(groups, len(given))
        sums = np.zeros((number.max() + 1, *given.shape[1:]))
        np.add.at(sums, number, given)
        sizes = np.bincount(number).astype(np.float64)
    units = len(sums)
    random = np.random.default_rng(rng)
    replicates = np.empty((n, *given.shape[1:]))
    step = max(1, _CHUNK // units)
    for start in range(0, n, step):
        part = replicates[start : start + step]
        times = random.multinomial(units, np.full(units, 1.0 / units), size=len(part)).astype(np.float64)
        part[:] = _over(times @ sums, times @ sizes)
    total = sums.sum(axis=0)
    left_out = _over(total - sums, len(given) - sizes) if units > 1 else sums * np.nan
    return Bootstrap(total / len(given), replicates, left_out)


@dataclass(frozen=True)
class PermutationTest:
    """A statistic beside its values under random relabelling.

    Attributes
    ----------
    statistic : float
    null : ndarray of float64, shape (n,)
    p : float
        ``(1 + replicates as extreme) / (n + 1)``.
    """

    statistic: float
    null: Floats
    p: float


def mean_difference(a: Floats, b: Floats) -> float:
    """Return ``mean(a) - mean(b)``."""
    return float(a.mean() - b.mean())


def permutation_test(
    a: ArrayLike,
    b: ArrayLike,
    statistic: Callable[[Floats, Floats], float] = mean_difference,
    *,
    n: int = 999,
    paired: bool = False,
    alternative: str = "two-sided",
    rng: Seed = None,
) -> PermutationTest:
    """Test whether two samples differ.

    Parameters
    ----------
    a, b : array-like, shape (units,)
    statistic : callable, default=mean_difference
        ``statistic(a, b) -> float``.
    n : int, default=999
        Replicates; the least possible p is ``1 / (n + 1)``.
    paired : bool, default=False
        Swap a and b within units at random, instead of dealing all values out anew.
    alternative : {"two-sided", "greater", "less"}
        Which values of the statistic speak against no difference.
    rng : Generator or int, optional

    Raises
    ------
    ValueError
        When a sample is empty, paired samples differ in length, or `alternative` is unknown.

    Examples
    --------
    >>> permutation_test([5.0, 6, 7, 8, 9], [1.0, 2, 3, 4, 0], n=999, rng=0).p < 0.05
    True
    """
    if alternative not in _ALTERNATIVES:
        raise ValueError(
            f"alternative={alternative!r} is unknown; it must be one of {', '.join(map(repr, _ALTERNATIVES))}"
        )
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if len(first) == 0 or len(second) == 0:
        raise ValueError("both samples need at least one unit")
    if paired and len(first) != len(second):
        raise ValueError(f"paired samples must have one length; they have {len(first)} and {len(second)}")
    _check_replicates(n)
    random = np.random.default_rng(rng)
    together = np.concatenate([first, second])
    null = np.empty(n)
    for i in range(n):
        if paired:
            swap = random.random(len(first)) < 0.5
            null[i] = statistic(np.where(swap, second, first), np.where(swap, first, second))
        else:
            dealt = random.permutation(together)
            null[i] = statistic(dealt[: len(first)], dealt[len(first) :])
    observed = float(statistic(first, second))
    return PermutationTest(observed, null, _ALTERNATIVES[alternative](null, observed))


def _upper(null: Floats, observed: float) -> float:
    rounding = 1e-12 * max(abs(observed), float(np.abs(null).max()))
    return float(1 + np.sum(null >= observed - rounding)) / (len(null) + 1)


_ALTERNATIVES: Mapping[str, Callable[[Floats, float], float]] = {
    "greater": _upper,
    "less": lambda null, observed: _upper(-null, -observed),
    "two-sided": lambda null, observed: min(1.0, 2 * min(_upper(null, observed), _upper(-null, -observed))),
}


def q_values(p: ArrayLike) -> Floats:
    """Return Benjamini and Hochberg's adjusted p-values: the least false discovery rate at which each one
    counts.

    Parameters
    ----------
    p : array-like, shape (m,)
        NaN (not tested) stays NaN and does not count.

    Raises
    ------
    ValueError
        When a value is outside [0, 1].

    Examples
    --------
    >>> q_values([0.01, 0.04, 0.03, np.nan])
    array([0.03, 0.04, 0.04,  nan])
    """
    given = np.asarray(p, dtype=np.float64)
    if given.ndim != 1 or (given < 0).any() or (given > 1).any():
        raise ValueError("p must be a vector of values in [0, 1] (or NaN)")
    q = np.full(given.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(given))
    order = tested[np.argsort(given[tested], kind="stable")]
    raised = given[order] * len(order) / np.arange(1, len(order) + 1)
    q[order] = np.minimum(np.minimum.accumulate(raised[::-1])[::-1], 1.0)
    return q


def _check_replicates(n: int) -> None:
    if n < 2:
        raise ValueError(f"n={n} replicates; at least 2 are needed (1000 is usual)")


def _numbered(groups: ArrayLike, units: int) -> NDArray[np.int64]:
    given = np.asarray(groups)
    if given.shape != (units,):
        raise ValueError(
            f"groups has shape {given.shape}; it must name a group for each of the {units} units"
        )
    return np.unique(given, return_inverse=True)[1].astype(np.int64)


def _members(groups: ArrayLike, units: int) -> list[NDArray[np.int64]]:
    number = _numbered(groups, units)
    order = np.argsort(number, kind="stable")
    return np.split(order, np.cumsum(np.bincount(number))[:-1])


def _draw(
    random: np.random.Generator, units: int, members: list[NDArray[np.int64]] | None
) -> NDArray[np.int64]:
    if members is None:
        return random.integers(0, units, units)
    return np.concatenate([members[i] for i in random.integers(0, len(members), len(members))])


def _leave_one_out(
    statistic: Statistic, data: list[NDArray[Any]], members: list[NDArray[np.int64]] | None
) -> Floats:
    units = len(data[0])
    pieces = [np.array([i]) for i in range(units)] if members is None else members
    kept = (np.delete(np.arange(units), piece) for piece in pieces)
    return np.asarray([statistic(*(array[rows] for array in data)) for rows in kept], dtype=np.float64)


def _over(sums: Floats, sizes: Floats) -> Floats:
    return sums / (sizes[:, None] if sums.ndim == 2 else sizes)
