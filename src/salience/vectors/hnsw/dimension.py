"""Local intrinsic dimension of the rows of an index, as scores."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from salience.measures.dimension import LEAST, global_dimension, local_dimension
from salience.measures.vectors import VectorError, as_vectors
from salience.results import Scores
from salience.results.meta import Meta

__all__ = ["local_intrinsic_dimension"]

NEIGHBOURS, FEW = 100, 20
ALL_UP_TO, REFERENCE = 200_000, 20_000  # rows that are compared with all others; rows to compare with above
DISTANCES = {"l2": "l2", "cosine": "cosine", "ip": "cosine"}


def local_intrinsic_dimension(
    X: ArrayLike,
    k: int | None = None,
    *,
    metric: str = "l2",
    estimator: str = "mle",
    reference: int | None = None,
    random_state: int = 0,
    n_jobs: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Scores:
    r"""How many directions there are around each row: the harder a row is to find, the more.

    From the distances r_1 <= ... <= r_k to the k nearest other rows,

    .. math:: \mathrm{LID}(x) = \left[\frac{1}{k-1} \sum_{i=1}^{k-1} \ln \frac{r_k}{r_i}\right]^{-1} .

    It is biased low in high dimension: 10,000 normal rows of 128 dimensions show about 49. Compare rows and data sets
    with it; do not read it as a count of dimensions.

    Parameters
    ----------
    X : array-like, shape (n, d)
        Taken as float32 (float64 less its first row, so that a large constant does no harm). A memory-mapped float32
        array is read block by block.
    k : int, optional
        Neighbours; by default 100, or all other rows when there are fewer.
    metric : {"l2", "cosine", "ip"}, default="l2"
        "cosine" and "ip" measure distances between the vectors divided by their lengths.
    estimator : {"mle", "mle_unbiased", "mle_all"}, default="mle"
        As above; times (k-2)/(k-1); or with 1/k over k terms.
    reference : int, optional
        Look for neighbours among so many random rows; by default all up to 200,000 rows and 20,000 above: enough for an
        order of the rows.
    random_state : int, default=0
        Draws the reference rows.
    n_jobs : int, optional
        Threads of the matrix products; by default as many as numpy uses.
    progress : callable, optional
        ``progress(done, total)``.

    Returns
    -------
    Scores
        Items are the rows; `np.asarray` gives the vector. Where fewer than ten distances are positive the value is
        missing and the flag "too_few"; where all are equal it is infinite. ``meta.extra`` has ``mean`` (of finite
        values), ``harmonic``, ``unmeasured`` and ``infinite``.

    Raises
    ------
    ValueError
        NaN, `k` not below the number of rows, constant data, a zero vector under the cosine.

    References
    ----------
    Elliott and Clark, The Impacts of Data, Ordering, and Intrinsic Dimensionality on Recall in Hierarchical Navigable
    Small Worlds, 2024, arXiv:2405.17813. The estimator: Levina and Bickel, 2004; Amsaleg et al., 2015.

    Examples
    --------
    >>> from salience.data.generators import subspace_vectors
    >>> from salience.vectors import local_intrinsic_dimension
    >>> low, high = (local_intrinsic_dimension(subspace_vectors(1000, 64, r)).meta.extra["mean"] for r in (4, 32))
    >>> low < 5 < high
    True
    """
    started = time.perf_counter()
    rows = as_vectors(X, "X")
    if metric not in DISTANCES:
        raise ValueError(f"metric={metric!r} is unknown; it must be one of {', '.join(map(repr, DISTANCES))}")
    if reference is None and len(rows) > ALL_UP_TO:
        reference = REFERENCE
    among = len(rows) if reference is None else min(reference, len(rows))
    if among < 3:
        raise VectorError(f"{len(rows)} row(s): the dimension needs at least two other rows")
    number = min(NEIGHBOURS, among - 1) if k is None else k
    refuse_constant(rows)
    with threadpool_limits(n_jobs, "blas") if n_jobs else nullcontext():
        values = local_dimension(
            rows, number, metric=DISTANCES[metric], estimator=estimator, reference=reference,
            random_state=random_state, progress=progress,
        )  # fmt: skip
    whole = global_dimension(values)
    notes = []
    if number < FEW:
        notes.append(
            f"only {number} neighbours per row: below {FEW} the estimate is noise; give more rows or a larger k"
        )
        warnings.warn(notes[0], UserWarning, stacklevel=2)
    if whole.unmeasured:
        notes.append(
            f"{whole.unmeasured} row(s) have fewer than {LEAST} neighbours at a positive distance and no dimension"
        )
    if whole.infinite:
        notes.append(
            f"{whole.infinite} row(s) have neighbours at one distance only: their dimension is infinite"
        )
    if among < len(rows):
        notes.append(
            f"neighbours among {among} random rows of {len(rows)}: an order of the rows, not their dimension"
        )
    return Scores.from_values(
        values, keys="row", item="row", flag=[("too_few" if missing else None) for missing in np.isnan(values)],
        meta=Meta(
            method="intrinsic-dimension", seed=random_state, rows=len(rows), unit="dimensions", warnings=tuple(notes),
            params={"k": number, "metric": metric, "estimator": estimator, "reference": reference},
            extra=whole._asdict(), seconds=time.perf_counter() - started,
        ),
    )  # fmt: skip


def refuse_constant(rows: np.ndarray[Any, Any]) -> None:
    """Refuse rows that are all one vector."""
    step = 1 << 15
    if len(rows) > 1 and all((rows[i : i + step] == rows[0]).all() for i in range(0, len(rows), step)):
        raise VectorError(
            f"all {len(rows)} rows are the same vector: there is no order and no recall to measure"
        )


def as_dimensions(lid: Any, n: int) -> Scores:
    """Dimensions that a person gives, as scores of `n` rows."""
    values = np.asarray(lid, dtype=np.float64)
    if values.shape != (n,):
        raise ValueError(f"lid has the shape {values.shape}; it must be one number for each of the {n} rows")
    return lid if isinstance(lid, Scores) else Scores.from_values(values, keys="row", item="row")
