"""Nulls that are drawn rather than computed: tables of the same margins, and OutRank's shifted rows.

Use `salience.measures.information.corrected` for mutual information: its null is exact. The permutation null
judges any other statistic of a table; the shift null is that of the OutRank paper and needs the rows of a
batch in their order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from math import lgamma

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from salience.measures.contingency import Contingency
from salience.measures.hashtable import find
from salience.measures.information import mutual_information

__all__ = ["PermutationNull", "permutation_null", "sample_tables", "shift_null", "shift_score"]

_TIE = 1e-12  # replicates this close to the observed value, relatively, are equal to it
_DENSE_CELLS_PER_ROW = 4
_URN = 24  # draws up to which single draws are faster than one inversion


@dataclass(frozen=True)
class PermutationNull:
    """A statistic beside its values when the label is permuted.

    Attributes
    ----------
    observed : float
    values : ndarray of float64, shape (n,)
        Of the replicates.
    mean, sd : float
        Of the replicates.
    z : float
        ``(observed - mean) / sd``; 0.0 when both vanish. Replicates that are all equal say nothing about how far a
        value may be from them by chance: then what a normal variable has with probability ``1 / (n + 1)``.
    p : float
        ``(1 + replicates that are at least as high) / (n + 1)``: never 0, and valid for any n.
    """

    observed: float
    values: NDArray[np.float64]
    mean: float
    sd: float
    z: float
    p: float


def permutation_null(
    table: Contingency,
    n: int = 10,
    rng: np.random.Generator | int | None = None,
    statistic: Callable[[Contingency], float] = mutual_information,
) -> PermutationNull:
    """Judge a statistic of a table against tables with the same margins, as permuting the label gives them.

    Parameters
    ----------
    table : Contingency
    n : int, default=10
        Replicates; the least possible p is ``1 / (n + 1)``.
    rng : Generator or int, optional
        Source of randomness, or a seed.
    statistic : callable, default=mutual_information
        ``Contingency -> float``, high when the column matters.

    Raises
    ------
    ValueError
        When `n` is below 2.

    Examples
    --------
    >>> table = Contingency.from_counts([[30, 0], [0, 30]])
    >>> permutation_null(table, n=99, rng=0).p
    0.01
    """
    if n < 2:
        raise ValueError(
            f"n={n} replicates; a mean and a deviation need at least 2 (10 is usual, 999 gives p of 0.001)"
        )
    draws = sample_tables(table.totals, table.label_counts, n, rng)
    values = np.array([statistic(replace(table, counts=counts)) for counts in draws], dtype=np.float64)
    observed = float(statistic(table))
    mean, sd = float(values.mean()), float(values.std(ddof=1))
    rounding = _TIE * max(abs(observed), abs(mean))
    if sd <= rounding:
        sd, z = 0.0, 0.0
        if abs(observed - mean) <= rounding:
            mean = observed
        else:
            z = float(np.copysign(-ndtri(1 / (n + 1)), observed - mean))
    else:
        z = (observed - mean) / sd
    p = float(1 + np.sum(values >= observed - rounding)) / (n + 1)
    return PermutationNull(observed, values, mean, sd, z, p)


def sample_tables(
    totals: ArrayLike, label_counts: ArrayLike, n: int, rng: np.random.Generator | int | None = None
) -> NDArray[np.int64]:
    """Draw tables with given margins, as a random pairing of values and classes gives them.

    Parameters
    ----------
    totals : array-like of int, shape (d,)
        Rows of each value; together at most as many as there are labels (values may be left out).
    label_counts : array-like of int, shape (classes,)
    n : int
        Tables to draw.
    rng : Generator or int, optional

    Returns
    -------
    ndarray of int64, shape (n, d, classes)

    Raises
    ------
    ValueError
        When the values have more rows than the label.

    Examples
    --------
    >>> sample_tables([2, 3], [1, 4], n=3, rng=0).sum(axis=2)
    array([[2, 3], [2, 3], [2, 3]])
    """
    rows = np.ascontiguousarray(totals, dtype=np.int64)
    classes = np.ascontiguousarray(label_counts, dtype=np.int64)
    if rows.sum() > classes.sum():
        raise ValueError(
            f"the values have {rows.sum()} rows, the label only {classes.sum()}: margins must agree"
        )
    seeds = np.random.default_rng(rng).integers(0, 2**64, size=n, dtype=np.uint64)
    tables = np.zeros((n, len(rows), len(classes)), dtype=np.int64)
    for table, seed in zip(tables, seeds, strict=True):
        _fill_table(rows, classes, np.array([seed], dtype=np.uint64), table)
    return tables


def shift_score(y: ArrayLike, x: ArrayLike, *, compat: bool = False) -> float:
    """Return OutRank's score of a batch: information about y in the groups of x above that in shifted groups.

    With ``I_v`` the rows of value v of x, ``n_v`` their number, and ``Y~_v`` the values of y in the rows ``i
    + n_v`` (modulo n) for i in ``I_v``, the score is ``sum_v (n_v / n) (H(Y~_v) - H(Y_v))``. The package
    calls it with the feature as y and the label as x.

    Parameters
    ----------
    y, x : array-like of int, shape (n,)
        Codes; -1 (missing) is a value like others.
    compat : bool, default=False
        Reproduce outrank 0.97.5 where it differs: the correction is off whenever ``sum(x - y)`` is 0 (here:
        when x and y are equal, row by row), and rows with code -1 raise the count of the last code but are
        never counted themselves.

    Returns
    -------
    float
        Nats; the plain mutual information, the entropy of y, when x and y are equal.

    Raises
    ------
    ValueError
        When x and y are not vectors of integer codes from -1 and of one length.

    Examples
    --------
    >>> x, y = [0, 0, 1, 1, 0, 1, 1, 0], [0, 0, 2, 2, 0, 2, 0, 2]
    >>> round(shift_score(y, x), 6)
    0.130812
    >>> round(shift_score([0, 0, 2, 2, 2, 2], [0, 0, 0, 1, 1, 1]), 6)
    0.0
    """
    ys, xs = _codes(y, "y"), _codes(x, "x")
    if len(ys) != len(xs):
        raise ValueError(f"y has {len(ys)} rows and x has {len(xs)}; they must be columns of one batch")
    if len(ys) == 0:
        return 0.0
    if compat:
        if xs.max() < 0 or ys.max() < 0:
            return (
                0.0  # the package fails with an IndexError: a column that is missing everywhere says nothing
            )
        same = np.sum((xs - ys).astype(np.int32)) == 0
    else:
        same = np.array_equal(ys, xs)
        ys, xs = ys + 1, xs + 1
    if same:
        return _plain(ys, xs)
    own, shifted = _conditional_entropies(ys, xs)
    return shifted - own


def shift_null(y: ArrayLike, x: ArrayLike) -> float:
    """Return what `shift_score` subtracts from the mutual information: that of the shifted groups, nats.

    Examples
    --------
    >>> round(shift_null([0, 0, 2, 2, 2, 2], [0, 0, 0, 1, 1, 1]), 6)
    0.318257
    """
    score = shift_score(y, x)
    ys, xs = _codes(y, "y"), _codes(x, "x")
    return _plain(ys + 1, xs + 1) - score if len(ys) else 0.0


def _codes(codes: ArrayLike, name: str) -> NDArray[np.int64]:
    given = np.asarray(codes)
    if given.ndim != 1 or (len(given) and given.dtype.kind not in "biu"):
        raise ValueError(
            f"{name} must be a vector of integer codes; this is {given.dtype} of shape {given.shape}"
        )
    wide = given.astype(np.int64)
    if len(wide) and wide.min() < -1:
        raise ValueError(f"{name} has the code {wide.min()}; codes start at 0, and -1 stands for missing")
    return wide


@lru_cache(maxsize=8)
def _k_log_k(n: int) -> NDArray[np.float64]:
    k = np.arange(n + 1, dtype=np.float64)
    return k * np.log(np.maximum(k, 1.0))


def _plain(ys: NDArray[np.int64], xs: NDArray[np.int64]) -> float:
    """The mutual information, nats."""
    n = len(ys)
    entropy = float(np.log(n) - _k_log_k(n)[_raised(_counts(ys), n)].sum() / n)
    return entropy - _conditional_entropies(ys, xs)[0]


def _conditional_entropies(ys: NDArray[np.int64], xs: NDArray[np.int64]) -> tuple[float, float]:
    """Entropy of y given x, and the same with y from the row that lies ``n_x`` further on, nats.

    Rows of code -1 are left out, and those with a value of x for themselves, whose entropy is 0.
    """
    n, counts = len(ys), _counts(xs)
    cells, raised = (int(ys.max()) + 1) * len(counts), _raised(counts, n)
    count = _count_dense if cells <= _DENSE_CELLS_PER_ROW * n else _count_sparse
    logs, t = np.log(np.maximum(raised, 1)), _k_log_k(n)
    own, shifted = (
        float((counts - left_out) @ logs - t[pairs].sum()) / n
        for pairs, left_out in count(ys, xs, raised, cells)
    )
    return own, shifted


def _raised(counts: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """The package takes code -1 for an index: rows without a code raise the last count."""
    raised = counts.copy()
    raised[-1] += n - counts.sum()
    return raised


@njit(nogil=True, cache=True)
def _counts(codes):  # type: ignore[no-untyped-def]
    counts = np.zeros(codes.max() + 1, np.int64)
    for code in codes:
        if code >= 0:
            counts[code] += 1
    return counts


@njit(nogil=True, cache=True)
def _count_dense(ys, xs, counts, cells):  # type: ignore[no-untyped-def]
    """How often each pair occurs, and how many rows of each x lack a y: of the rows as they are, and shifted."""
    n, width = len(xs), len(counts)
    own, shifted = np.zeros(cells, np.int32), np.zeros(cells, np.int32)
    own_left_out, shifted_left_out = np.zeros(width, np.int64), np.zeros(width, np.int64)
    for i in range(n):
        x = xs[i]
        if x >= 0 and counts[x] > 1:
            y = ys[i]
            if y >= 0:
                own[y * width + x] += 1
            else:
                own_left_out[x] += 1
            at = i + counts[x]
            y = ys[at if at < n else at - n]
            if y >= 0:
                shifted[y * width + x] += 1
            else:
                shifted_left_out[x] += 1
    return (own, own_left_out), (shifted, shifted_left_out)


def _count_sparse(
    ys: NDArray[np.int64], xs: NDArray[np.int64], counts: NDArray[np.int64], cells: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """`_count_dense` where most of the `cells` are empty."""
    n, width, rows = len(xs), len(counts), np.flatnonzero((xs >= 0) & (counts[xs] > 1))
    x = xs[rows]
    for at in (rows, (rows + counts[x]) % n):
        y = ys[at]
        pairs = (y * width + x)[y >= 0]
        yield (
            _count_pairs(pairs, 1 << (2 * n - 1).bit_length()),
            np.bincount(x[y < 0], minlength=width),
        )


@njit(nogil=True, cache=True)
def _count_pairs(pairs, slots):  # type: ignore[no-untyped-def]
    keys = np.zeros(slots + 1, dtype=np.uint64)
    counts = np.zeros(slots + 1, dtype=np.int64)
    shift = np.uint64(64)
    size = slots
    while size > 1:
        size >>= 1
        shift -= np.uint64(1)
    for pair in pairs:
        key = np.uint64(pair + 1)  # 0 marks a free slot
        slot = find(key, keys, shift)
        keys[slot] = key
        counts[slot] += 1
    return counts


@njit(nogil=True, cache=True)
def _uniform(state):  # type: ignore[no-untyped-def]
    # splitmix64: one word of state, so that a replicate is a function of its seed
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.float64((z ^ (z >> np.uint64(31))) >> np.uint64(11)) * 2.0**-53


@njit(nogil=True, cache=True)
def _hypergeometric(good, bad, draws, state):  # type: ignore[no-untyped-def]
    """Draw by inversion from the mode outwards: about as many steps as the standard deviation."""
    low, high = max(0, draws - bad), min(draws, good)
    total = good + bad
    mode = min(max(int((draws + 1.0) * ((good + 1.0) / (total + 2.0))), low), high)
    log_mode = (
        lgamma(good + 1.0) - lgamma(mode + 1.0) - lgamma(good - mode + 1.0)
        + lgamma(bad + 1.0) - lgamma(draws - mode + 1.0) - lgamma(bad - draws + mode + 1.0)
        - lgamma(total + 1.0) + lgamma(draws + 1.0) + lgamma(total - draws + 1.0)
    )  # fmt: skip
    above = below = np.exp(log_mode)
    up = down = mode
    rest = _uniform(state) - above
    while rest > 0.0:
        if up == high and down == low:
            return mode  # only rounding is left
        if up < high:
            above *= (np.float64(good) - up) * (np.float64(draws) - up)
            above /= (up + 1.0) * (np.float64(bad) - draws + up + 1.0)
            up += 1
            rest -= above
            if rest <= 0.0:
                return up
        if down > low:
            below *= np.float64(down) * (np.float64(bad) - draws + down)
            below /= (np.float64(good) - down + 1.0) * (np.float64(draws) - down + 1.0)
            down -= 1
            rest -= below
            if rest <= 0.0:
                return down
    return mode


@njit(nogil=True, cache=True)
def _fill_table(totals, label_counts, state, table):  # type: ignore[no-untyped-def]
    """Deal the rows of one value after the other from the rows that are left of each class."""
    left = label_counts.copy()
    population = left.sum()
    classes = left.size
    for v in range(totals.size):
        draws = totals[v]
        if draws <= _URN:
            for i in range(draws):
                at = np.int64(_uniform(state) * (population - i))
                label = 0
                while label < classes - 1 and at >= left[label]:
                    at -= left[label]
                    label += 1
                left[label] -= 1
                table[v, label] += 1
        else:
            others = population
            wanted = draws
            for label in range(classes):
                others -= left[label]
                taken = wanted if others == 0 else _hypergeometric(left[label], others, wanted, state)
                table[v, label] = taken
                left[label] -= taken
                wanted -= taken
        population -= draws
