"""What a black box says when sets of its columns are removed: replaced by the values of other rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from salience.measures.sensitivity.rows import (
    column_names,
    conformed,
    distance_parts,
    mixed,
    native,
    plain_arrays,
    stacked,
    table_of,
    taken,
)

__all__ = ["REPLACEMENTS", "removal_effects", "removed_means"]

Floats: TypeAlias = NDArray[np.float64]
Index: TypeAlias = NDArray[np.int64]
Score: TypeAlias = Callable[[Any], ArrayLike]
Sampler: TypeAlias = Callable[[Any, tuple[Any, ...], Any, int], Any]

CELLS = 1 << 21  # rows times columns in one call of the model: 16 MB of float64


def removal_effects(
    score: Score, X: Any, background: Any, sets: Sequence[Sequence[int]], **options: Any
) -> Floats:
    """Effects of removing sets of columns from single predictions.

    ``e_A(x) = g(x) - mean over the background z of g(x with the columns A taken jointly from z)``.

    Parameters
    ----------
    score, X, background, sets, **options
        As in :func:`removed_means`.

    Returns
    -------
    ndarray of float64, shape (n, sets) or (n, sets, outputs)

    Examples
    --------
    >>> background = np.array([[0.0, 0.0], [2.0, 4.0]])  # means 1 and 2
    >>> removal_effects(lambda Z: Z @ [1.0, 10.0], [[3.0, 3.0]], background, [[0], [1], [0, 1]])
    array([[ 2., 10., 12.]])
    """
    own, theirs = conformed(table_of(X), table_of(background, "background"))
    whole = _said(score, own)
    return np.asarray(whole[:, None] - removed_means(score, own, theirs, sets, **options))


def removed_means(
    score: Score,
    X: Any,
    background: Any,
    sets: Sequence[Sequence[int]],
    *,
    where: ArrayLike | None = None,
    replacement: str | Sampler = "joint",
    pool: Any = None,
    neighbors: int = 25,
    cells: int = CELLS,
    progress: Callable[[int, int], None] | None = None,
) -> Floats:
    """Mean scores of rows with sets of their columns removed.

    Rows are sent to the model in batches of at most `cells` numbers, whatever the number of sets and rows.
    Background rows that are equal in the columns of a set are sent once and counted as often as they occur.

    Parameters
    ----------
    score : callable
        From a table of the kind of `X` to numbers, shape (rows,) or (rows, outputs). It must copy what it keeps of an
        array: the next batch is written to the same place.
    X : array or frame of shape (n, d)
    background : array or frame of shape (m, d)
        Rows whose values replace removed ones.
    sets : sequence of sequences of int
        Positions of the columns removed together.
    where : array-like of bool, shape (n, sets), optional
        Which combinations are wanted; the others are NaN.
    replacement : {"joint", "conditional_knn"} or callable, default="joint"
        "joint": every background row in turn. "conditional_knn": for each row and set the `neighbors` rows of `pool` that
        are nearest in the columns that stay (squared differences in units of the standard deviation; 1 for a
        mismatch of other values). A callable: ``sampler(row, names, background, m)`` returns a table of m rows with
        the columns of the background.
    pool : array or frame, optional
        Where the nearest rows are looked for; default: `background`.
    neighbors : int, default=25
    cells : int
        Numbers in one batch; at least one row with all its replacements.
    progress : callable, optional
        ``progress(rows done, rows in all)`` after each batch.

    Returns
    -------
    ndarray of float64, shape (n, sets) or (n, sets, outputs)

    Raises
    ------
    TypeError, ValueError
        Tables that do not fit, an empty or unknown set, an unknown replacement, scores of another shape or not finite.

    Examples
    --------
    >>> background = np.array([[0.0, 0.0], [2.0, 4.0]])
    >>> removed_means(lambda Z: Z[:, 0] * Z[:, 1], [[3.0, 3.0]], background, [[0], [0, 1]])
    array([[3., 4.]])
    """
    own, theirs = conformed(table_of(X), table_of(background, "background"))
    wanted = _checked_sets(sets, own.shape[1])
    if neighbors < 1:
        raise ValueError(f"neighbors must be at least 1, got {neighbors}")
    mask = (
        np.ones((own.shape[0], len(wanted)), dtype=bool) if where is None else np.asarray(where, dtype=bool)
    )
    if mask.shape != (own.shape[0], len(wanted)):
        raise ValueError(f"where must have the shape {(own.shape[0], len(wanted))}, got {mask.shape}")
    kind = "sampler" if callable(replacement) else replacement
    if kind not in REPLACEMENTS:
        raise ValueError(
            f"replacement={kind!r} is unknown; it must be a sampler or one of "
            f"{', '.join(repr(name) for name in REPLACEMENTS if name != 'sampler')}"
        )
    near = theirs if pool is None else conformed(own, table_of(pool, "pool"))[1]
    as_frame = None if kind == "sampler" else plain_arrays([own, theirs, near])
    if as_frame is not None:
        (own, theirs, near), framed = as_frame
        asked, score = score, lambda values: asked(framed(values))
    source = REPLACEMENTS[kind](own, theirs, near, neighbors, replacement)
    return _measured(score, own, wanted, mask, source, max(int(cells) // own.shape[1], 1), progress)


def _measured(
    score: Score, X: Any, sets: list[tuple[int, ...]], mask: NDArray[np.bool_], source: Source, most: int,
    progress: Callable[[int, int], None] | None,
) -> Floats:  # fmt: skip
    done, total = 0, int(mask.sum())
    means: Floats | None = None
    batch: list[tuple[int, Index, Floats]] = []  # set, rows, weights of the donors
    tables: list[Any] = []
    filled = 0
    # every batch of arrays is written to the same place: fresh memory for each takes as long as a quick model
    room = np.empty((most, X.shape[1]), X.dtype) if isinstance(X, np.ndarray) else None

    def flush() -> None:
        nonlocal means, filled, done
        if not batch:
            return
        said = _said(score, stacked(tables) if room is None else room[:filled])
        if means is None:
            means = np.full((*mask.shape, *said.shape[1:]), np.nan)
        start = 0
        for s, rows, weights in batch:
            stop = start + len(rows) * len(weights)
            part = said[start:stop].reshape(len(rows), len(weights), *said.shape[1:])
            first = part[:, :1]  # from which all are measured, so that equal scores have exactly their mean
            means[rows, s] = first[:, 0] + np.einsum("km...,m->k...", part - first, weights)
            start = stop
        done += sum(len(rows) for _, rows, _ in batch)
        batch.clear()
        tables.clear()
        filled = 0
        if progress is not None:
            progress(done, total)

    for s, columns in enumerate(sets):
        rows = np.flatnonzero(mask[:, s])
        for part in _pieces(rows, max(1, most // source.size(columns))):
            donors, donor_rows, weights = source.donors(part, columns)
            more = len(part) * len(weights)
            if filled and filled + more > most:
                flush()
            batch.append((s, part, weights))
            if room is None:
                tables.append(mixed(X, part, donors, donor_rows, columns))
            else:
                if more > len(room):  # a single row whose replacements are more than a batch
                    room = np.empty((more, X.shape[1]), X.dtype)
                mixed(X, part, donors, donor_rows, columns, room[filled : filled + more])
            filled += more
    flush()
    return np.full(mask.shape, np.nan) if means is None else means


def _pieces(rows: Index, size: int) -> list[Index]:
    return [rows[i : i + size] for i in range(0, len(rows), size)]


class Source(Protocol):
    """Where the values of removed columns come from."""

    def size(self, columns: tuple[int, ...]) -> int:
        """Replacements of one row."""
        ...

    def donors(self, rows: Index, columns: tuple[int, ...]) -> tuple[Any, Index, Floats]:
        """A table, its rows for each of `rows`, shape (m,) or (k, m), and their weights, shape (m,)."""
        ...


class _Joint:
    """All background rows, each distinct combination once."""

    def __init__(self, X: Any, background: Any, pool: Any, neighbors: int, sampler: Any) -> None:
        self.background = background
        self.codes = [_codes(background, j) for j in range(background.shape[1])]
        self._known: tuple[tuple[int, ...], Index, Floats] | None = None

    def size(self, columns: tuple[int, ...]) -> int:
        return len(self._distinct(columns)[0])

    def donors(self, rows: Index, columns: tuple[int, ...]) -> tuple[Any, Index, Floats]:
        return (self.background, *self._distinct(columns))

    def _distinct(self, columns: tuple[int, ...]) -> tuple[Index, Floats]:
        if self._known is None or self._known[0] != columns:
            code = self.codes[columns[0]]
            for j in columns[1:]:
                code = np.unique(
                    code * np.int64(self.background.shape[0]) + self.codes[j], return_inverse=True
                )[1]
            _, first, times = np.unique(code, return_index=True, return_counts=True)
            self._known = (columns, first.astype(np.int64), times / len(code))
        return self._known[1:]


class _Nearest:
    """The rows of the pool that are nearest in the columns that stay."""

    def __init__(self, X: Any, background: Any, pool: Any, neighbors: int, sampler: Any) -> None:
        self.pool = pool
        self.k = min(neighbors, pool.shape[0])
        self.own, self.theirs, self.scale = distance_parts(X, pool)

    def size(self, columns: tuple[int, ...]) -> int:
        return self.pool.shape[0] if len(set(columns)) == self.own.shape[1] else self.k

    def donors(self, rows: Index, columns: tuple[int, ...]) -> tuple[Any, Index, Floats]:
        stays = np.setdiff1d(np.arange(self.own.shape[1]), columns)
        m = self.size(columns)
        if not len(stays):
            return self.pool, np.arange(m), np.full(m, 1 / m)
        theirs, scale = self.theirs[:, stays], self.scale[stays]
        found = np.empty((len(rows), m), dtype=np.int64)
        for i, row in enumerate(rows):
            own = self.own[row, stays]
            apart = np.where(np.isnan(scale), theirs != own, np.square((theirs - own) / scale))
            unknown = np.isnan(apart)  # a missing number is a mismatch, unless both are missing
            apart[unknown] = (np.isnan(theirs) != np.isnan(own))[unknown]
            found[i] = np.argsort(apart.sum(axis=1), kind="stable")[:m]
        return self.pool, found, np.full(m, 1 / m)


class _Sampled:
    """Rows that the user's function draws."""

    def __init__(self, X: Any, background: Any, pool: Any, neighbors: int, sampler: Any) -> None:
        self.X, self.background, self.sampler = X, background, sampler

    def size(self, columns: tuple[int, ...]) -> int:
        return int(self.background.shape[0])

    def donors(self, rows: Index, columns: tuple[int, ...]) -> tuple[Any, Index, Floats]:
        m = self.size(columns)
        names = column_names(self.X)
        drawn = []
        for row in rows:
            given = self.sampler(
                native(taken(self.X, np.array([row]))),
                tuple(names[j] for j in columns),
                native(self.background),
                m,
            )
            table = conformed(table_of(given, "what the sampler returned"), self.background)[0]
            if table.shape[0] != m:
                raise ValueError(f"the sampler must return {m} rows, it returned {table.shape[0]}")
            drawn.append(table)
        return stacked(drawn), np.arange(len(rows) * m).reshape(len(rows), m), np.full(m, 1 / m)


REPLACEMENTS: Mapping[str, Callable[[Any, Any, Any, int, Any], Source]] = {
    "joint": _Joint,
    "conditional_knn": _Nearest,
    "sampler": _Sampled,
}


def _codes(table: Any, j: int) -> Index:
    values = table[:, j] if isinstance(table, np.ndarray) else table[table.columns[j]].to_numpy()
    try:
        return np.unique(values, return_inverse=True)[1].astype(np.int64)
    except TypeError:  # values of several types, or missing among text
        return np.unique([repr(value) for value in values], return_inverse=True)[1].astype(np.int64)


def _said(score: Score, table: Any) -> Floats:
    """The scores of the rows of a table, checked."""
    said = np.asarray(score(native(table)), dtype=np.float64)
    if said.ndim not in (1, 2) or len(said) != table.shape[0]:
        raise ValueError(
            f"the score of {table.shape[0]} rows must have the shape ({table.shape[0]},) or ({table.shape[0]}, outputs), "
            f"got {said.shape}"
        )
    if not np.isfinite(said).all():
        raise ValueError(
            f"{int((~np.isfinite(said)).sum())} of {said.size} scores are NaN or infinite; removal effects need finite scores"
        )
    return said


def _checked_sets(sets: Sequence[Sequence[int]], d: int) -> list[tuple[int, ...]]:
    checked = [tuple(dict.fromkeys(int(j) for j in columns)) for columns in sets]
    for columns in checked:
        if not columns or min(columns) < 0 or max(columns) >= d:
            raise ValueError(f"a set names columns by their positions, 0 to {d - 1}; got {list(columns)}")
    return checked
