"""Relevance, redundancy, relation: the three-fold ranking 3MR of OutRank."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from salience.results.meta import Meta
from salience.results.scores import Scores

if TYPE_CHECKING:
    from typing import TypeAlias

    PerColumn: TypeAlias = Scores | Mapping[str, float] | ArrayLike
    PerPair: TypeAlias = Scores | Mapping[tuple[str, str], float] | ArrayLike
    Floats: TypeAlias = NDArray[np.float64]

__all__ = ["AGGREGATES", "rank_3mr"]


def rank_3mr(
    relevance: PerColumn,
    redundancy: PerPair,
    relation: PerPair,
    alpha: float = 1.0,
    beta: float = 1.0,
    agg: str = "median",
    *,
    names: Sequence[str] | None = None,
    k: int | None = None,
    start: Sequence[str] = (),
    scale: bool = True,
) -> Scores:
    """Rank columns for what they add to the columns ranked before them (3MR).

    Maximal relevance, minimal redundancy, maximal relation. The first column is the most relevant one; then,
    with S the columns ranked so far, always the one that maximises::

        r(f) - alpha * agg_{g in S} d(g, f) + beta * agg_{g in S} q(g, f)

    where r(f) = score(f; label), d(g, f) = score(g; f), and q(g, f) = score of the pair (g, f) with the
    label. A column that only repeats another sinks; one that says more together with another rises.

    Parameters
    ----------
    relevance : Scores, mapping or array of shape (d,)
        r, per column. A column without a score counts 0 and is named in ``meta.warnings``.
    redundancy, relation : Scores, mapping or array of shape (d, d)
        d and q, per pair; entry [g, f] of an array. A pair that is missing (or NaN) counts 0, one that is
        given in one direction only counts in both. The diagonal is not used.
    alpha, beta : float
        Weights of redundancy and of relation.
    agg : {"median", "mean", "sum"}
        How the terms of the columns ranked so far are put together. The first two keep the terms comparable
        with the relevance as S grows, the sum does not.
    names : sequence of str, optional
        Column names, when ``relevance`` is an array; by default x0, x1, ...
    k : int, optional
        Stop when so many columns are ranked (those of ``start`` included).
    start : sequence of str
        Columns taken as already ranked, in this order: continue a ranking, or ask what a model with these
        features lacks.
    scale : bool
        Min-max scale each of the three sets to [0, 1] on its own first, which is the method; ``False`` when
        they already are on one scale. A set whose values are all equal says nothing and becomes 0.

    Returns
    -------
    Scores
        One row per ranked column, in order: ``column, value`` (the criterion at the moment of selection),
        ``rank, relevance, redundancy, relation`` (the three terms at that moment, on the scale used, before
        the weights).

    Raises
    ------
    ValueError
        For an unknown ``agg`` or column, a matrix of the wrong shape, an infinite score, or k < 1.

    See Also
    --------
    salience.tabular.interactions : measures d and q on a stream.

    Notes
    -----
    Ties go to the column that comes first. The package ``outrank`` iterates a set and so breaks them at
    random; its min-max range of the redundancies includes the diagonal, which is never used.

    References
    ----------
    OutRank, RecSys 2023, arXiv 2309.01552.

    Examples
    --------
    ``c`` repeats ``a``; ``b`` is weak alone but says much together with ``a``.

    >>> r = {"a": 1.0, "b": 0.2, "c": 0.9}
    >>> ranked = rank_3mr(r, {("a", "c"): 1.0}, {("a", "b"): 1.0}, scale=False)
    >>> ranked.frame["column"].to_list()
    ['a', 'b', 'c']
    >>> ranked.frame["value"].to_list()
    [1.0, 1.2, 0.4]
    """
    if agg not in AGGREGATES:
        raise ValueError(f"agg={agg!r} is unknown; it must be one of {', '.join(AGGREGATES)}.")
    columns, r = _per_column(relevance, names)
    if len(columns) == 0:
        raise ValueError("relevance is empty: there is no column to rank.")
    d, q = _per_pair(redundancy, columns, "redundancy"), _per_pair(relation, columns, "relation")
    warnings = []
    if np.isnan(r).any():
        unscored = ", ".join(c for c, value in zip(columns, r, strict=True) if np.isnan(value))
        warnings.append(f"columns without a relevance count 0: {unscored}")
    if scale:
        for what, values in (("relevance", r), ("redundancy", d), ("relation", q)):
            if not _minmax(values) and len(columns) > 2:
                warnings.append(f"all values of {what} are equal: it does not influence the ranking")
    for values in (r, d, q):
        np.nan_to_num(values, copy=False)

    place = {column: i for i, column in enumerate(columns)}
    unknown = [column for column in start if column not in place]
    if unknown or len(set(start)) < len(start):
        raise ValueError(
            f"start must name distinct columns of relevance; got {list(start)}, unknown: {unknown}."
        )
    wanted = len(columns) if k is None else min(k, len(columns))
    if wanted < max(1, len(start)):
        raise ValueError(
            f"k={k} must be at least 1 and at least the number of columns in start ({len(start)})."
        )
    chosen, terms = _greedy(r, d, q, alpha, beta, AGGREGATES[agg](), wanted, [place[c] for c in start])
    frame = pl.DataFrame(
        {
            "column": [columns[i] for i in chosen],
            "value": terms[:, 0],
            "rank": np.arange(1, len(chosen) + 1, dtype=np.uint32),
            "relevance": terms[:, 1],
            "redundancy": terms[:, 2],
            "relation": terms[:, 3],
        }
    )
    params = {"alpha": alpha, "beta": beta, "agg": agg, "k": k, "start": list(start), "scale": scale}
    return Scores(
        frame=frame,
        keys=("column",),
        item="column",
        better="high",
        meta=Meta(method="3mr", params=params, warnings=tuple(warnings)),
    )


def _greedy(
    r: Floats, d: Floats, q: Floats, alpha: float, beta: float, so_far: _Aggregate, k: int, forced: list[int]
) -> tuple[list[int], Floats]:
    """The columns in the order they are chosen, and (criterion, r, d, q) at that moment, shape (k, 4)."""
    left = np.ones(len(r), dtype=bool)
    chosen: list[int] = []
    terms = np.empty((k, 4))
    redundancy, relation = np.zeros(len(r)), np.zeros(len(r))
    for step in range(k):
        criterion = r - alpha * redundancy + beta * relation
        best = forced[step] if step < len(forced) else int(np.where(left, criterion, -np.inf).argmax())
        terms[step] = criterion[best], r[best], redundancy[best], relation[best]
        left[best] = False
        chosen.append(best)
        if step + 1 < k:
            redundancy, relation = so_far.add(d[best], q[best], left)
    return chosen, terms


class _Aggregate(Protocol):
    """The aggregate of d(g, .) and q(g, .) over the g added so far; exact for the columns that are left."""

    def add(self, d: Floats, q: Floats, left: NDArray[np.bool_]) -> tuple[Floats, Floats]: ...


class _RunningSum:
    def __init__(self) -> None:
        self.sums: tuple[Any, Any] = (0.0, 0.0)

    def add(self, d: Floats, q: Floats, left: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        self.sums = self.sums[0] + d, self.sums[1] + q
        return self.sums


class _RunningMean(_RunningSum):
    added = 0

    def add(self, d: Floats, q: Floats, left: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        self.added += 1
        sums = super().add(d, q, left)
        return sums[0] / self.added, sums[1] / self.added


class _Median:
    def __init__(self) -> None:
        self.rows: list[tuple[Floats, Floats]] = []

    def add(self, d: Floats, q: Floats, left: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        self.rows.append((d, q))
        out = np.zeros((2, len(d)))
        for which in (0, 1):
            out[which, left] = np.median([row[which][left] for row in self.rows], axis=0)
        return out[0], out[1]


AGGREGATES: dict[str, Callable[[], _Aggregate]] = {
    "median": _Median,
    "mean": _RunningMean,
    "sum": _RunningSum,
}


def _minmax(values: Floats) -> bool:
    """Scale the known values to [0, 1] in place; False, and zeros, when they are all equal."""
    known = ~np.isnan(values)
    if not known.any():
        return False
    low, high = values[known].min(), values[known].max()
    values[known] = (values[known] - low) / (high - low) if high > low else 0.0
    return bool(high > low)


def _per_column(given: PerColumn, names: Sequence[str] | None) -> tuple[list[str], Floats]:
    if isinstance(given, Scores):
        if len(given.keys) != 1 or given.by:
            raise ValueError(
                f"relevance must be one ranking of columns; got keys {given.keys}, by {given.by}."
            )
        columns = [str(c) for c in given.frame[given.keys[0]].to_list()]
        values = given.frame["value"].cast(pl.Float64).to_numpy()
    elif isinstance(given, Mapping):
        columns = [str(c) for c in given]
        values = np.array(list(given.values()), dtype=np.float64)
    else:
        values = np.asarray(given, dtype=np.float64)
        if values.ndim != 1:
            raise ValueError(f"relevance must have shape (d,); got {values.shape}.")
        columns = [f"x{i}" for i in range(len(values))] if names is None else [str(c) for c in names]
    if len(columns) != len(values) or len(set(columns)) != len(columns):
        raise ValueError(f"{len(values)} relevances need as many distinct names; got {columns}.")
    if np.isinf(values).any():
        raise ValueError("relevance holds an infinite score; give NaN for what is not known.")
    return columns, np.array(values, dtype=np.float64)


def _per_pair(given: PerPair, columns: list[str], what: str) -> Floats:
    """Matrix [g, f], NaN where a pair is not known; the diagonal is NaN."""
    size = len(columns)
    if isinstance(given, Scores):
        if len(given.keys) != 2 or given.by:
            raise ValueError(f"{what} must be one ranking of pairs; got keys {given.keys}, by {given.by}.")
        ends = [given.frame[key].to_list() for key in given.keys]
        listed = list(zip(*ends, given.frame["value"].to_list(), strict=True))
        matrix = _filled(listed, columns)
    elif isinstance(given, Mapping):
        matrix = _filled([(a, b, value) for (a, b), value in given.items()], columns)
    else:
        matrix = np.array(given, dtype=np.float64)
        if matrix.shape != (size, size):
            raise ValueError(
                f"{what} must have shape ({size}, {size}), one row per column; got {matrix.shape}."
            )
    if np.isinf(matrix).any():
        raise ValueError(f"{what} holds an infinite score; give NaN for what is not known.")
    np.fill_diagonal(matrix, np.nan)
    return np.where(np.isnan(matrix), matrix.T, matrix)


def _filled(listed: list[tuple[Any, Any, Any]], columns: list[str]) -> Floats:
    # Pairs that name a column without a relevance (the label, a filtered column) have nothing to rank.
    place = {column: i for i, column in enumerate(columns)}
    matrix = np.full((len(columns), len(columns)), np.nan)
    for a, b, value in listed:
        if a in place and b in place and value is not None:
            matrix[place[a], place[b]] = value
    return matrix
