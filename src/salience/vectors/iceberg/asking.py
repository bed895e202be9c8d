"""Who asks: queries that can find something, what they look for, and the rows of the base that they are."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from salience.measures.vectors import VectorError
from salience.vectors.iceberg.search import Answers
from salience.vectors.iceberg.tasks import Judge, Task

__all__ = ["Asked", "check_k", "given_queries", "own_queries", "warn_of_copies"]

Ids: TypeAlias = NDArray[np.int64]

SHOWN = 10  # names in a message


@dataclass(frozen=True)
class Asked:
    """Queries of an audit.

    Attributes
    ----------
    queries : ndarray of shape (m, d)
    judge : Judge
    without : ndarray of int64, shape (m,), or None
        The row of the base that each query is and must not find.
    notes : tuple of str
    """

    queries: NDArray[Any]
    judge: Judge
    without: Ids | None
    notes: tuple[str, ...] = ()


def given_queries(task: Task, queries: NDArray[Any], wanted: Any, k: int, on_missing: str) -> Asked:
    """Queries that a person brings.

    Raises
    ------
    ValueError
        What a query looks for is not in the base, unless `on_missing` is "drop" and others are left.
    """
    judge = task.judge(wanted, len(queries), k)
    there = np.flatnonzero(judge.possible > 0)
    lost = len(queries) - len(there)
    if not lost:
        return Asked(queries, judge, None)
    names = np.unique(judge.names[judge.possible == 0].astype(str)).tolist()
    said = f"{', '.join(names[:SHOWN])}{f' and {len(names) - SHOWN} more' if len(names) > SHOWN else ''}"
    if on_missing == "error":
        raise ValueError(
            f"{lost} of {len(queries)} queries look for what is not in the base: {said}; give the base such rows, or say "
            "on_missing='drop'"
        )
    if not there.size:
        raise ValueError("no query looks for anything in the base: there is nothing to evaluate")
    note = f"{lost} queries were dropped, for what they look for is not in the base: {said}"
    return Asked(queries[there], judge.part(there), None, (note,))


def own_queries(task: Task, base: NDArray[Any], drawn: Ids, k: int, metrics: Sequence[str]) -> Asked:
    """Rows of the base as queries.

    Raises
    ------
    ValueError
        Every row drawn is alone in its class, or one is zero and the cosine is asked for.
    """
    rows = drawn[task.own(drawn, k).possible > 0]
    alone = len(drawn) - len(rows)
    if not rows.size:
        raise ValueError("every row drawn as a query is the only one of its label, so none can find another")
    queries = np.asarray(base[rows])
    zero = rows[~queries.any(axis=1)]
    if zero.size and "cosine" in metrics:
        raise VectorError(
            f"row {zero[0]} of X is zero and has no direction, so it has no cosine; drop the zero vectors, or leave "
            "'cosine' out of metrics"
        )
    notes = (f"{alone} rows were not taken as queries: they are alone in their class",) if alone else ()
    return Asked(queries, task.own(rows, k), rows if task.takes_out else None, notes)


def check_k(k: int, n: int, takes_out: bool) -> None:
    """Refuse more answers than there are rows."""
    if k > n - takes_out:
        raise VectorError(
            f"k={k} answers of n_samples = {n} rows"
            + (" (a row is not its own answer)" if takes_out else "")
            + f"; give a k of at most {n - takes_out}"
        )


def warn_of_copies(base: NDArray[Any], queries: NDArray[Any], exact: Sequence[Answers]) -> tuple[str, ...]:
    """Say, and warn, how many queries that were given stand in the base; they find themselves."""
    same = np.zeros(len(queries), dtype=bool)
    for answers in exact:
        same |= (np.asarray(base[answers.ids[:, 0]]) == queries).all(axis=1)
    if not same.any():
        return ()
    note = (
        f"{int(same.sum())} of {len(queries)} queries are rows of the base and find themselves, which inflates the "
        "result; leave them out of the base, or give no queries and let rows be taken"
    )
    warnings.warn(note, UserWarning, stacklevel=5)
    return (note,)
