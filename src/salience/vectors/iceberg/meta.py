"""Meta-features: how vectors are spread, from a sample, before anything is searched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.cluster import MiniBatchKMeans
from sklearn.metrics import davies_bouldin_score
from sklearn.utils import check_random_state, column_or_1d

from salience.measures.vectors import VectorError, as_vectors

__all__ = ["MetaFeatures", "relative_contrast", "vector_meta_features"]

Floats: TypeAlias = NDArray[np.float64]

MOST_QUERIES = 1000  # rows held out for the contrast
SCRATCH = 1 << 22  # distances at a time: 32 MB


@dataclass(frozen=True)
class MetaFeatures:
    """What `vector_meta_features` found.

    Attributes
    ----------
    dbi_e, dbi_c : float
        Davies-Bouldin index of the vectors, and of the vectors divided by their lengths; low: well separated groups.
    cv : float
        Standard deviation of the lengths over their mean.
    ra : float
        Mean angle to the mean vector, in degrees; small: all in a narrow cone.
    rc : float
        Mean over least distance of a query; near 1: neighbours mean nothing.
    rows : int
        That were looked at.
    groups : {"labels", "k-means"}
        What the Davies-Bouldin indices are of.
    duplicates : int
        Pairs of a held-out row and an equal row, which are left out of `rc`.
    notes : tuple of str
    """

    dbi_e: float
    dbi_c: float
    cv: float
    ra: float
    rc: float
    rows: int
    groups: str
    duplicates: int
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return asdict(self)

    def __str__(self) -> str:
        lines = [f"{NAMES[name]:24} {getattr(self, name):.4g}  {READINGS[name]}" for name in NAMES]
        return "\n".join(
            [*lines, f"(of {self.rows} rows; groups from {self.groups})", *(f"note: {n}" for n in self.notes)]
        )


def vector_meta_features(
    X: ArrayLike, y: ArrayLike | None = None, sample: int = 20_000, *, random_state: Any = 0
) -> MetaFeatures:
    r"""Describe vectors by five numbers that a published decision tree asks for.

    With rows :math:`x_i`, their mean :math:`\mu` and held-out rows q:

    .. math::
        \mathrm{CV} = \frac{\mathrm{std}\,\|x\|}{\mathrm{mean}\,\|x\|}, \quad
        \mathrm{RA} = \mathrm{mean}_i \angle(x_i, \mu), \quad
        \mathrm{RC} = \frac{E_q[\mathrm{mean}_i\, d(q, x_i)]}{E_q[\min_i d(q, x_i)]}

    DBI_E is the Davies-Bouldin index of the vectors, DBI_C that of the vectors divided by their lengths. The paper gives
    no formulas for DBI_C, RA and RC; these are readings of their names (RC after He, Kumar and Chang, 2012).

    Parameters
    ----------
    X : array-like of shape (n, d)
        Taken as float64; of a memory-mapped array only the sample is read.
    y : array-like of shape (n,), optional
        Labels, the groups of the Davies-Bouldin indices. Without them (or with fewer than two in the sample) k-means
        makes ``min(100, sqrt(rows))`` groups.
    sample : int, default=20000
        At most so many rows are looked at.
    random_state : int, RandomState instance or None, default=0
        Of the sample, the held-out rows and k-means.

    Returns
    -------
    MetaFeatures

    Raises
    ------
    ValueError
        Fewer than 4 rows, all rows equal, a value that is not finite, or labels of another length.

    References
    ----------
    Chen et al., Reveal Hidden Pitfalls and Navigate Next Generation of Vector Similarity Search from Task-Centric
    Views, 2025, arXiv:2512.12980.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> ball = rng.normal(size=(500, 8))
    >>> round(vector_meta_features(ball + 20).ra), vector_meta_features(ball).ra > 60
    (3, True)
    """
    array = as_vectors(X, "X")
    if sample < 4 or len(array) < 4:
        raise VectorError(
            f"meta-features need 4 rows or more; X has n_samples = {len(array)}, sample={sample}"
        )
    random = check_random_state(random_state)
    drawn = random.permutation(len(array))[:sample]
    rows = np.sort(drawn)  # a mapped file is read forwards
    vectors = np.asarray(array[rows], dtype=np.float64)
    with np.errstate(over="ignore"):
        lengths = np.linalg.norm(vectors, axis=1)
    wrong = np.flatnonzero(~np.isfinite(lengths))
    if wrong.size:
        raise VectorError(
            f"row {rows[wrong[0]]} of X holds NaN, infinity or a number too large to square; drop or repair it"
        )
    if (vectors == vectors[0]).all():
        raise VectorError(
            f"all {len(rows)} rows looked at are equal, so they have no groups and no neighbours"
        )
    notes: list[str] = []
    groups, source = _groups(vectors, y, array, rows, random, notes)
    if not lengths.all():
        notes.append(
            f"{int((lengths == 0).sum())} rows are zero: they have no angle and no place in DBI_C's sphere"
        )
    directions = vectors / np.where(lengths == 0, 1.0, lengths)[:, None]
    held = random.permutation(len(rows))
    queries = min(MOST_QUERIES, max(1, len(rows) // 10))
    rc, duplicates = relative_contrast(vectors[held[queries:]], vectors[held[:queries]])
    if duplicates:
        notes.append(f"{duplicates} pairs of equal rows are left out of RC")
    # scikit-learn takes distances below 1e-8 for 0; a power of two changes the unit and rounds nothing
    spread = np.abs(vectors - vectors.mean(axis=0)).max()
    return MetaFeatures(
        dbi_e=float(davies_bouldin_score(np.ldexp(vectors, -np.frexp(spread)[1]), groups)),
        dbi_c=float(davies_bouldin_score(directions, groups)),
        cv=float(lengths.std() / lengths.mean()),
        ra=_relative_angle(vectors, directions, lengths),
        rc=rc,
        rows=len(rows),
        groups=source,
        duplicates=duplicates,
        notes=tuple(notes),
    )


def relative_contrast(base: ArrayLike, queries: ArrayLike) -> tuple[float, int]:
    """Mean distance from queries over their mean least distance, pairs of equal rows left out.

    Parameters
    ----------
    base : array-like of shape (n, d)
    queries : array-like of shape (m, d)

    Returns
    -------
    contrast : float
        NaN when every query equals every row.
    duplicates : int
        Pairs that were left out.

    Examples
    --------
    >>> relative_contrast(np.eye(5)[1:], np.eye(5)[:1])  # a regular simplex: all are equally far
    (1.0, 0)
    """
    rows, asked = np.asarray(base, dtype=np.float64), np.asarray(queries, dtype=np.float64)
    # equal rows are found by their values: their distance from a product of matrices is noise around 0
    same = np.unique(np.concatenate([rows, asked]), axis=0, return_inverse=True)[1].ravel()
    of_rows, of_asked = same[: len(rows)], same[len(rows) :]
    centre = rows.mean(axis=0)
    rows, asked = rows - centre, asked - centre
    squares = np.einsum("ij,ij->i", rows, rows)
    means, least, duplicates = [], [], 0
    step = max(1, SCRATCH // len(rows))
    for start in range(0, len(asked), step):
        part = asked[start : start + step]
        products = part @ rows.T
        distances = np.einsum("ij,ij->i", part, part)[:, None] + squares - 2 * products
        np.sqrt(np.maximum(distances, 0, out=distances), out=distances)
        equal = of_asked[start : start + step, None] == of_rows
        others = len(rows) - equal.sum(axis=1)
        duplicates += int(equal.sum())
        left = others > 0
        distances[equal] = 0.0
        means.append(distances.sum(axis=1)[left] / others[left])
        distances[equal] = np.inf
        least.append(distances.min(axis=1)[left])
    mean, smallest = np.concatenate(means), np.concatenate(least)
    if not mean.size:
        return float("nan"), duplicates
    return float(mean.mean() / smallest.mean()), duplicates


def _groups(
    vectors: Floats,
    y: ArrayLike | None,
    array: NDArray[Any],
    rows: NDArray[np.int64],
    random: Any,
    notes: list[str],
) -> tuple[NDArray[np.int64], str]:
    if y is not None:
        labels = column_or_1d(np.asarray(y))
        if len(labels) != len(array):
            raise ValueError(f"y has {len(labels)} labels for {len(array)} rows; give one label per row")
        codes = np.unique(labels[rows], return_inverse=True)[1]
        if 2 <= codes.max() + 1 < len(rows):
            return codes, "labels"
        notes.append(
            f"the labels of the {len(rows)} rows looked at make {codes.max() + 1} group(s): k-means makes others"
        )
    clusters = max(2, min(100, int(np.sqrt(len(rows)))))
    # groups do not depend on the unit of the vectors
    scale = np.abs(vectors).max()
    means = MiniBatchKMeans(clusters, n_init=3, random_state=random.randint(2**31 - 1))
    codes = np.unique(means.fit_predict(vectors / scale), return_inverse=True)[1]
    if codes.max() == 0:  # nearly all rows equal: the farthest from the first make the second group
        distances = np.linalg.norm(vectors - vectors[0], axis=1)
        codes = (distances > distances.max() / 2).astype(np.int64)
    return codes, "k-means"


def _relative_angle(vectors: Floats, directions: Floats, lengths: Floats) -> float:
    mean = vectors.mean(axis=0)
    length = np.linalg.norm(mean)
    if length < 1e-8 * lengths.mean():  # no direction stands out
        return 90.0
    cosines = np.clip(directions[lengths > 0] @ (mean / length), -1.0, 1.0)
    return float(np.degrees(np.arccos(cosines)).mean())


NAMES: Mapping[str, str] = MappingProxyType(
    {
        "dbi_e": "DBI_E",
        "dbi_c": "DBI_C",
        "cv": "CV (lengths)",
        "ra": "RA (degrees to the mean)",
        "rc": "RC (contrast)",
    }
)
READINGS: Mapping[str, str] = MappingProxyType(
    {
        "dbi_e": "separation of groups by distance, low is good",
        "dbi_c": "separation of groups by direction, low is good",
        "cv": "how far lengths differ",
        "ra": "small: all vectors in a narrow cone",
        "rc": "near 1: all rows are equally far",
    }
)
