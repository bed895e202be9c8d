"""Local intrinsic dimension: how fast the number of neighbours grows with the distance, row by row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from salience.measures.mutual import mutual_distances, mutual_fits
from salience.measures.neighbors import nearest
from salience.measures.vectors import VectorError, as_vectors

__all__ = [
    "ESTIMATORS",
    "LEAST",
    "GlobalDimension",
    "dimension_of_distances",
    "global_dimension",
    "local_dimension",
]

Floats: TypeAlias = NDArray[np.float64]
Progress: TypeAlias = Callable[[int, int], None]

LEAST = 10  # positive distances below which nothing is said
# Directions in float32 are off by 2**-24 per coordinate, so what lies within this is one direction.
SAME_DIRECTION = 5e-7
BYTES = 64  # of a pair of a row and a neighbour: its number and distance, and what is computed from them

#: What each estimator multiplies ``(p - 1) / sum(ln(r_p / r_i))`` with, for p positive distances.
ESTIMATORS: Mapping[str, Callable[[Floats], Floats]] = {
    "mle": np.ones_like,
    "mle_unbiased": lambda p: (p - 2) / (p - 1),
    "mle_all": lambda p: p / (p - 1),
}


class GlobalDimension(NamedTuple):
    """One number for all rows.

    Attributes
    ----------
    mean : float
        Of the finite dimensions.
    harmonic : float
        Harmonic mean (MacKay and Ghahramani), in which the logarithms are averaged, not their inverses; a row
        of infinite dimension counts as 0.
    unmeasured, infinite : int
        Rows with too few positive distances, and with all distances equal.
    """

    mean: float
    harmonic: float
    unmeasured: int
    infinite: int


def dimension_of_distances(
    distances: ArrayLike, *, estimator: str = "mle", least: int = LEAST, tolerance: float = 0.0
) -> Floats:
    r"""Return the maximum likelihood estimate of the dimension around each row from its neighbours' distances.

    .. math:: \mathrm{LID} = \left[\tfrac{1}{k-1} \sum_{i=1}^{k-1} \ln \frac{r_k}{r_i}\right]^{-1}

    Parameters
    ----------
    distances : array-like, shape (n, k)
        True distances in any order within a row; **not squared**, which halves the dimension.
    estimator : {"mle", "mle_unbiased", "mle_all"}, default="mle"
        As above; times (k-2)/(k-1), whose expectation is the dimension of a uniform ball; or with 1/k over all k
        terms, of which the last is 0: times k/(k-1).
    least : int, default=10
        Rows with fewer positive distances are NaN.
    tolerance : float, default=0
        Distances up to it are those of duplicates. They are left out, and k is the number that remains.

    Returns
    -------
    ndarray of float64, shape (n,)
        Infinite where all distances are equal.

    Raises
    ------
    ValueError
        When a distance is negative, NaN or infinite, or `estimator` is unknown.

    References
    ----------
    Levina and Bickel, Maximum likelihood estimation of intrinsic dimension, 2004; Amsaleg et al., Estimating local
    intrinsic dimensionality, 2015.

    Examples
    --------
    >>> dimension_of_distances([[1.0, 2.0, 4.0]], least=2).round(4)
    array([0.9618])
    """
    r = np.asarray(distances, dtype=np.float64)
    if estimator not in ESTIMATORS:
        raise ValueError(
            f"estimator={estimator!r} is unknown; it must be one of {', '.join(map(repr, ESTIMATORS))}"
        )
    if r.ndim != 2 or r.shape[1] < 2:
        raise ValueError(f"distances must be (n, k) with k of at least 2; the shape is {r.shape}")
    if not np.isfinite(r).all() or (r < 0).any():
        raise ValueError(
            "distances must be finite and not negative: Euclidean distances to the k nearest other rows"
        )
    if least < 2:
        raise ValueError(f"least={least}; at least 2 positive distances are needed for a ratio")
    least_of_row, greatest = r.min(axis=1), r.max(axis=1)
    count = np.full(len(r), float(r.shape[1]))
    logarithms = np.empty_like(r)
    if (least_of_row > tolerance).all():
        np.log(r, out=logarithms)
    else:
        positive = r > tolerance
        count = positive.sum(axis=1).astype(np.float64)
        logarithms = np.log(r, where=positive, out=np.zeros_like(r))
        least_of_row = np.where(positive, r, np.inf).min(axis=1)
    farthest = np.log(np.maximum(greatest, np.finfo(np.float64).tiny))
    total = np.maximum(count * farthest - logarithms.sum(axis=1), 0.0)  # sum of ln(r_k / r_i)
    # the sum of equal logarithms is off by rounding; equal distances are said to be equal
    equal = least_of_row == greatest
    enough = count >= least
    found = np.full(len(r), np.nan)
    found[enough & equal] = np.inf
    spread = enough & ~equal
    found[spread] = (count[spread] - 1) / total[spread] * ESTIMATORS[estimator](count[spread])
    return found


def local_dimension(
    X: ArrayLike,
    k: int = 100,
    *,
    queries: ArrayLike | None = None,
    metric: str = "l2",
    estimator: str = "mle",
    reference: int | None = None,
    random_state: int | np.random.Generator = 0,
    memory: int = 2**28,
    progress: Progress | None = None,
) -> Floats:
    """Return the dimension around each row of `X`, or around each query, from its `k` nearest other rows.

    Duplicates (distance 0) are not neighbours: the next rows take their place, so that `k` positive distances remain
    where there are so many.

    Parameters
    ----------
    X : array-like, shape (n, d)
    k : int, default=100
    queries : array-like, shape (m, d), optional
        Points around which to measure instead of the rows; a row that equals one counts as its duplicate.
    metric : {"l2", "cosine"}, default="l2"
        With "cosine" distances are taken between the vectors divided by their lengths.
    estimator : {"mle", "mle_unbiased", "mle_all"}
        See `dimension_of_distances`.
    reference : int, optional
        Look for neighbours among so many random rows only; enough for an order of the rows, not to compare with
        other data.
    random_state : int or Generator, default=0
        Draws the reference rows.
    memory : int, default=2**28
        Bytes for blocks, and as many again for distances. Rows that are not float32 are copied besides.
    progress : callable, optional
        ``progress(done, total)``.

    Returns
    -------
    ndarray of float64, shape (n,) or (m,)

    Raises
    ------
    ValueError
        When `k` is not below the number of rows, vectors cannot be used, or a name is unknown.

    Examples
    --------
    >>> line = np.linspace(0, 1, 1000)[:, None] * np.ones((1, 50))
    >>> bool(abs(np.median(local_dimension(line, k=50)) - 1) < 0.1)
    True
    """
    if metric not in _METRICS:
        raise ValueError(
            f"metric={metric!r}; the dimension needs a distance: 'l2', or 'cosine' for distances between directions. "
            "For inner products take 'cosine'"
        )
    base = as_vectors(X, "X")
    points = base if queries is None else as_vectors(queries, "queries")
    rows = base
    if reference is not None and reference < len(base):
        chosen = np.random.default_rng(random_state).choice(len(base), reference, replace=False)
        rows = np.asarray(base[np.sort(chosen)])
    if not isinstance(k, int | np.integer) or isinstance(k, bool) or not 2 <= k < len(rows):
        raise VectorError(
            f"k={k!r} neighbours of {len(rows)} rows; k is a whole number from 2 to {len(rows) - 1} (a row is not its "
            "own neighbour)"
        )
    prepared, tolerance = _METRICS[metric]
    origin = None if np.can_cast(base.dtype, np.float32) else np.asarray(base[0], dtype=np.float64)
    rows = prepared(rows, "X", 0, origin)
    itself = queries is None and len(rows) == len(base)
    name = "X" if queries is None else "queries"
    whole = None
    if itself and mutual_fits(rows, k, memory):
        whole = mutual_distances(rows, k, memory=memory, progress=progress)
    found = np.empty(len(points))
    step = max(1, memory // (BYTES * k))
    for start in range(0, len(points), step):
        part = (rows if itself else points)[start : start + step]
        part = part if itself else prepared(part, name, start, origin)
        if whole is not None:
            distances = whole[start : start + step]
        else:
            distances = _to_others(
                rows, part, k, start if itself else None, memory, _part_of(progress, start, part, points)
            )
        around = dimension_of_distances(distances, estimator=estimator, tolerance=tolerance)
        short = np.flatnonzero((distances <= tolerance).any(axis=1))
        if short.size:
            around[short] = _past_duplicates(rows, np.asarray(part)[short], k, estimator, tolerance, memory)
        found[start : start + step] = around
    return found


def global_dimension(local: ArrayLike) -> GlobalDimension:
    """Return the mean and the harmonic mean of the dimensions of rows.

    Examples
    --------
    >>> global_dimension([2.0, 6.0, np.nan])
    GlobalDimension(mean=4.0, harmonic=3.0, unmeasured=1, infinite=0)
    """
    values = np.asarray(local, dtype=np.float64)
    finite = values[np.isfinite(values)]
    measured = values[~np.isnan(values)]
    inverse = float(np.mean(1 / measured)) if measured.size else np.nan
    return GlobalDimension(
        float(finite.mean()) if finite.size else np.nan,
        1 / inverse if inverse else np.inf,
        int(np.isnan(values).sum()),
        int(np.isinf(values).sum()),
    )


def _from_origin(rows: NDArray[Any], name: str, first: int, origin: Floats | None) -> NDArray[Any]:
    """Rows of more digits than float32 has, less one of them: what all have in common costs no digits then."""
    if origin is None:
        return rows
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused by the search
        return np.subtract(
            rows, origin, out=np.empty(rows.shape, np.float32), dtype=np.float64, casting="same_kind"
        )


def _directions(
    rows: NDArray[Any], name: str, first: int, origin: Floats | None = None
) -> NDArray[np.float32]:
    """Rows divided by their lengths; `first` is the number of the first, for messages."""
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
    if not lengths.all():
        raise VectorError(
            f"row {first + np.flatnonzero(lengths == 0)[0]} of {name} is zero and has no direction; drop the zero "
            "vectors, or take metric='l2'"
        )
    found = np.empty(rows.shape, dtype=np.float32)
    for start in range(0, len(rows), 1 << 14):  # the quotient in float64 is never there as a whole
        part = slice(start, start + (1 << 14))
        found[part] = rows[part] / lengths[part, None]
    return found


def _to_others(
    rows: NDArray[Any],
    points: NDArray[Any],
    k: int,
    first: int | None,
    memory: int,
    progress: Progress | None,
) -> NDArray[np.float32]:
    """Distances to the k nearest rows; `first` is the row that the first point is: no row is its own neighbour."""
    if first is None or len(points) == len(rows):
        return nearest(rows, points if first is None else None, k, memory=memory, progress=progress)[1]
    ids, distances = nearest(rows, points, k + 1, memory=memory, progress=progress)
    own = ids == np.arange(first, first + len(points))[:, None]
    own[~own.any(axis=1), -1] = True  # more than k copies of it came before
    return distances[~own].reshape(len(points), k)


def _part_of(
    progress: Progress | None, start: int, part: NDArray[Any], points: NDArray[Any]
) -> Progress | None:
    """Progress of a part as that of the whole."""
    if progress is None:
        return None
    return lambda done, total: progress(
        round((start + len(part) * done / total) * total / len(part)), round(len(points) * total / len(part))
    )


def _past_duplicates(
    rows: NDArray[Any], points: NDArray[Any], k: int, estimator: str, tolerance: float, memory: int
) -> Floats:
    """The dimension of points that have duplicates: more neighbours until k positive distances are among them."""
    # equal points have one answer; thousands of copies would otherwise each look through all the others
    points, which = np.unique(points, axis=0, return_inverse=True)
    found = np.full(len(points), np.nan)
    waiting, asked = np.arange(len(points)), 2 * k
    while waiting.size:
        asked = min(asked, len(rows))
        step = max(1, memory // (32 * asked))
        open_ = []
        for start in range(0, len(waiting), step):
            part = waiting[start : start + step]
            distances = nearest(rows, points[part], asked, memory=memory)[1].astype(np.float64)
            number = np.cumsum(distances > tolerance, axis=1)
            done = (number[:, -1] >= k) | (asked == len(rows))
            # what lies beyond the k-th positive one is set aside as a duplicate is
            distances[number > k] = 0.0
            found[part[done]] = dimension_of_distances(
                distances[done], estimator=estimator, tolerance=tolerance
            )
            open_.append(part[~done])
        waiting, asked = np.concatenate(open_), 2 * asked
    return found[which.ravel()]


# How rows are prepared, and up to which distance they are duplicates.
_METRICS: Mapping[str, tuple[Callable[[NDArray[Any], str, int, Floats | None], NDArray[Any]], float]] = {
    "l2": (_from_origin, 0.0),
    "cosine": (_directions, SAME_DIRECTION),
}
