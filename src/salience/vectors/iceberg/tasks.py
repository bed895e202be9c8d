"""What a search is worth to a task: how much of what each query could have found is among its answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from salience.data.missing import is_missing

__all__ = [
    "TASKS",
    "VOTES",
    "HitTask",
    "Judge",
    "LabelTask",
    "ScoreTask",
    "Task",
    "distinct",
    "overlap",
    "votes",
]

Floats: TypeAlias = NDArray[np.float64]
Ids: TypeAlias = NDArray[np.int64]

VOTES = (5, 10, 50, 100)  # neighbours that vote


@dataclass(frozen=True)
class Judge:
    """What the queries of a task look for.

    Attributes
    ----------
    possible : ndarray of float64, shape (m,)
        The most that each query can find; 0 where there is nothing to be found.
    names : ndarray, shape (m,)
        What each query looks for, for messages.
    gains : callable
        From queries (q,) and their ids (q, k), none below 0, to what each id is worth to its query, (q, k).
    once : bool
        Whether one relevant answer is as good as several.
    codes : ndarray of int64, shape (m,), or None
        Label of each query, where there are labels.
    """

    possible: Floats
    names: NDArray[Any]
    gains: Callable[[Ids, Ids], NDArray[Any]]
    once: bool = False
    codes: Ids | None = None

    def found(self, ids: Ids) -> Floats:
        """What each query found; -1 and an id given before are worth nothing."""
        there = distinct(ids)
        gains = np.where(there, self.gains(np.arange(len(ids)), np.where(there, ids, 0)), 0.0)
        return gains.max(axis=1, initial=0.0) if self.once else gains.sum(axis=1)

    def part(self, queries: Ids) -> Judge:
        """Some of the queries."""
        codes = None if self.codes is None else self.codes[queries]
        return replace(
            self, possible=self.possible[queries], names=self.names[queries], codes=codes,
            gains=lambda places, ids: self.gains(queries[places], ids),
        )  # fmt: skip


class Task(Protocol):
    """Knows the base, and makes a `Judge` of queries."""

    takes_out: ClassVar[bool]  # whether a row that is a query must not answer itself
    codes: Ids | None  # label of each row, where there are labels

    def judge(self, wanted: Any, m: int, k: int) -> Judge: ...

    def own(self, rows: Ids, k: int) -> Judge:
        """Judge rows of the base as queries."""
        ...


class LabelTask:
    r"""Label recall, :math:`\sum_q \sum_{r \in R(q)} 1[y_r = y_q] \,/\, \sum_q \min(K, n_{y_q})`, n_c rows of class c."""

    takes_out: ClassVar[bool] = True

    def __init__(self, y: Any, n: int) -> None:
        if y is None:
            raise ValueError(
                "task='label' requires y to be passed, but the target y is None: give the label of each row, or "
                "task='hit' for queries that look for one row"
            )
        self.classes, codes = np.unique(_labels(y, n, "y", "row"), return_inverse=True)
        self.codes: Ids | None = codes.astype(np.int64)
        self.sizes = np.bincount(codes)

    def judge(self, wanted: Any, m: int, k: int) -> Judge:
        names = _labels(wanted, m, "query_labels", "query")
        if (names.dtype.kind in "OUS" and self.classes.dtype.kind in "fiub") or (
            names.dtype.kind in "fiub" and self.classes.dtype.kind in "OUS"
        ):
            raise TypeError(
                f"labels of the base are {self.classes.dtype}, those of the queries {names.dtype}; they must be of one "
                "type"
            )
        places = np.minimum(np.searchsorted(self.classes, names), len(self.classes) - 1)
        codes = np.where(self.classes[places] == names, places, -1).astype(np.int64)
        sizes = np.where(codes < 0, 0, self.sizes[codes])
        return self._judge(codes, names, sizes, k)

    def own(self, rows: Ids, k: int) -> Judge:
        assert self.codes is not None
        codes = self.codes[rows]
        return self._judge(codes, self.classes[codes], self.sizes[codes] - 1, k)

    def _judge(self, codes: Ids, names: NDArray[Any], sizes: Ids, k: int) -> Judge:
        assert self.codes is not None
        of_rows = self.codes
        return Judge(
            np.minimum(k, sizes).astype(np.float64),
            names,
            lambda queries, ids: of_rows[ids] == codes[queries, None],
            codes=codes,
        )


class HitTask:
    r"""Hits, :math:`\mathrm{mean}_q 1[id(q) \in R(q)]`: every query looks for one row, or for one id that y names."""

    takes_out: ClassVar[bool] = False
    codes: Ids | None = None

    def __init__(self, y: Any, n: int) -> None:
        self.ids = np.arange(n) if y is None else _labels(y, n, "y", "row")
        self.known = np.unique(self.ids)

    def judge(self, wanted: Any, m: int, k: int) -> Judge:
        names = _labels(wanted, m, "query_labels", "query")
        return self._judge(names, np.isin(names, self.known))

    def own(self, rows: Ids, k: int) -> Judge:
        return self._judge(self.ids[rows], np.ones(len(rows), dtype=bool))

    def _judge(self, names: NDArray[Any], there: NDArray[np.bool_]) -> Judge:
        return Judge(
            there.astype(np.float64),
            names,
            lambda queries, ids: self.ids[ids] == names[queries, None],
            once=True,
        )


class ScoreTask:
    r"""Matching score, :math:`\sum_q \sum_{r \in R(q) \cap rel(q)} w_r \,/\, \sum_q \sum_{r \in rel(q)} w_r`.

    Queries bring a sparse matrix (m, n) of weights, a mapping {row: weight} each, or a collection of rows each, whose
    weights are y (1 without it).
    """

    takes_out: ClassVar[bool] = False
    codes: Ids | None = None

    def __init__(self, y: Any, n: int) -> None:
        self.n = n
        weights = np.ones(n) if y is None else np.asarray(y, dtype=np.float64)
        if weights.shape != (n,) or not np.isfinite(weights).all() or (weights < 0).any():
            raise ValueError(
                f"under task='score' y holds the weight of each row: {n} finite numbers of 0 or more, got the shape "
                f"{weights.shape}"
            )
        self.weights = weights

    def judge(self, wanted: Any, m: int, k: int) -> Judge:
        relevant = self._matrix(wanted, m)
        if not np.isfinite(relevant.data).all() or (relevant.data < 0).any():
            raise ValueError("weights of relevant rows must be finite and 0 or more")

        def gains(queries: Ids, ids: Ids) -> Floats:
            pairs = np.repeat(queries, ids.shape[1]), ids.ravel()
            return np.asarray(relevant[pairs], dtype=np.float64).reshape(ids.shape)

        possible = np.asarray(relevant.sum(axis=1), dtype=np.float64).ravel()
        return Judge(possible, np.arange(m), gains)

    def own(self, rows: Ids, k: int) -> Judge:
        raise ValueError(
            "task='score' needs queries and what is relevant to each: fit(X, queries=Q, query_labels=relevant), or "
            "evaluate(Q, relevant)"
        )

    def _matrix(self, wanted: Any, m: int) -> Any:
        if sparse.issparse(wanted):
            matrix: Any = wanted
            if matrix.shape != (m, self.n):
                raise ValueError(
                    f"the weights have the shape {matrix.shape}; {(m, self.n)} (queries, rows) is needed"
                )
            return sparse.csr_array(matrix, dtype=np.float64)
        if isinstance(wanted, str | np.ndarray) or not isinstance(wanted, Sequence) or len(wanted) != m:
            raise ValueError(
                f"under task='score' each of the {m} queries brings a mapping {{row: weight}} or a collection of rows, or "
                "all together a sparse matrix of weights"
            )
        rows: list[int] = []
        weights: list[float] = []
        counts = []
        for relevant in wanted:
            members = list(relevant) if isinstance(relevant, Mapping) else sorted(set(relevant))
            wrong = [row for row in members if not 0 <= row < self.n]
            if wrong:
                raise ValueError(
                    f"row {wrong[0]} is said to be relevant, but rows are numbered 0 to {self.n - 1}"
                )
            rows += members
            weights += (
                list(relevant.values()) if isinstance(relevant, Mapping) else self.weights[members].tolist()
            )
            counts.append(len(members))
        starts = np.concatenate([[0], np.cumsum(counts)])
        return sparse.csr_array(
            (np.array(weights), np.array(rows, dtype=np.int64), starts), shape=(m, self.n)
        )


TASKS: Mapping[str, Callable[[Any, int], Task]] = {"label": LabelTask, "hit": HitTask, "score": ScoreTask}


def votes(labels: Ids, ids: Ids, wanted: Ids, neighbours: int) -> Floats:
    """Whether the majority of the first neighbours has the label of the query; ties go to the smallest label.

    Parameters
    ----------
    labels : int (n,)
    ids : int (m, k)
        Answers, best first; -1 does not vote.
    wanted : int (m,)
    neighbours : int
        So many vote.

    Returns
    -------
    ndarray of float64, shape (m,)
        1.0 or 0.0.

    Examples
    --------
    >>> votes(np.array([0, 1, 1, 0]), np.array([[1, 0, 3, 2]]), np.array([0]), 4)  # two each: the smaller label
    array([1.])
    """
    first = ids[:, :neighbours]
    cast = np.sort(np.where(first < 0, -1, labels[np.maximum(first, 0)]), axis=1)
    place = np.arange(cast.shape[1])
    begins = np.ones(cast.shape, dtype=bool)
    begins[:, 1:] = cast[:, 1:] != cast[:, :-1]
    since = place - np.maximum.accumulate(np.where(begins, place, 0), axis=1)
    since[cast < 0] = -1
    winner = np.take_along_axis(cast, since.argmax(axis=1)[:, None], axis=1)[:, 0]
    return ((winner == wanted) & (winner >= 0)).astype(np.float64)


def overlap(ids: Ids, exact: Ids) -> Floats:
    """How many of the exact neighbours of each query are among its answers.

    Examples
    --------
    >>> overlap(np.array([[3, 1, -1]]), np.array([[1, 2, 3]]))
    array([2.])
    """
    width = max(int(exact.max(initial=0)), int(ids.max(initial=0))) + 1
    query = np.arange(len(ids), dtype=np.int64)[:, None] * width
    there = distinct(ids)
    hit = np.isin((query + ids).ravel(), (query + exact)[exact >= 0].ravel()).reshape(ids.shape)
    return (hit & there).sum(axis=1).astype(np.float64)


def distinct(ids: Ids) -> NDArray[np.bool_]:
    """Where an answer is a row that did not stand further ahead.

    Examples
    --------
    >>> distinct(np.array([[4, -1, 4, 2]]))
    array([[ True, False, False,  True]])
    """
    order = np.argsort(ids, axis=1, kind="stable")
    ranked = np.take_along_axis(ids, order, axis=1)
    fresh = np.ones(ids.shape, dtype=bool)
    fresh[:, 1:] = ranked[:, 1:] != ranked[:, :-1]
    there = np.empty_like(fresh)
    np.put_along_axis(there, order, fresh, axis=1)
    return there & (ids >= 0)


def _labels(given: Any, n: int, name: str, of: str) -> NDArray[Any]:
    if given is None:
        raise ValueError(f"{name} is missing: every {of} needs what it is judged by")
    labels = np.asarray(given)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.shape != (n,):
        raise ValueError(f"{name} has the shape {labels.shape}; give one label for each {of}, shape ({n},)")
    if labels.dtype.kind == "O":
        if any(map(is_missing, labels)):
            raise ValueError(f"{name} has missing labels; drop those rows, or give them a label of their own")
        texts = any(isinstance(label, str) for label in labels)
        labels = labels.astype(str) if texts else np.array(labels.tolist())
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        raise ValueError(
            f"{name} contains NaN or infinity; drop those rows, or give them a label of their own"
        )
    return labels
