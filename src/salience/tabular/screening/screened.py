"""A block of columns scored against an outcome: missing values, constants, permutations."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import issparse

from salience.tabular.screening.dependence import MEASURES, Outcome, Settings, of_ordinary_size
from salience.verify.fingerprints import column_sum

__all__ = ["Scored", "read_columns", "rounding", "score_block"]

Floats: TypeAlias = NDArray[np.float64]
Mask: TypeAlias = NDArray[np.bool_]

ALLELES = 3  # a column of so many values at most is taken for categories (a genotype is 0, 1 or 2)


class Scored(NamedTuple):
    """A block of columns: what is known of each, and the best of the block in each permutation."""

    value: Floats
    n: NDArray[np.int64]
    flag: NDArray[Any]
    discrete: Mask
    reached: NDArray[np.int64]  # permutations that do as well
    mean: Floats
    deviation: Floats
    best: Floats  # (permutations,)
    sums: list[int]


def read_columns(X: Any, places: NDArray[np.int64]) -> Floats:
    """Some columns as the rows of an array of their own, shape (len(places), n)."""
    if issparse(X):
        chosen: Any = X[:, places]  # type: ignore[index]
        return np.ascontiguousarray(chosen.toarray().T, dtype=np.float64)
    # a slice of a memory map is read in one sweep, a list of places is not
    if len(places) and places[-1] - places[0] == len(places) - 1:
        X = X[:, places[0] : places[-1] + 1]
        return np.ascontiguousarray(X.T, dtype=np.float64)
    return np.ascontiguousarray(X[:, places].T, dtype=np.float64)


def score_block(
    columns: Floats, discrete: Mask | None, outcome: Outcome, orders: NDArray[np.int64], method: str,
    settings: Settings,
) -> Scored:  # fmt: skip
    """Score the columns; those with missing values one by one on the rows they have."""
    count, n = columns.shape
    known = ~np.isnan(columns)
    used = known.sum(axis=1)
    low = np.where(known, columns, np.inf).min(axis=1, initial=np.inf)
    high = np.where(known, columns, -np.inf).max(axis=1, initial=-np.inf)
    flag = np.select([used < 3, low >= high], ["too_few", "constant"], "")
    if discrete is None:
        discrete = np.array([_few_values(column) for column in columns], dtype=bool)
    found = np.zeros((len(orders), count))
    scorable = flag == ""
    whole = scorable & (used == n)
    measure = MEASURES[method]
    sums = [column_sum(pa.array(column), "number") for column in columns] if count else []
    columns = of_ordinary_size(columns)
    if not outcome.discrete:
        outcome = Outcome(of_ordinary_size(outcome.values[None])[0], False)
    if whole.any():
        found[:, whole] = measure(columns[whole], discrete[whole], outcome, orders, settings)
    for j in np.flatnonzero(~whole & scorable):
        rows = np.flatnonzero(known[j])
        there = outcome.at(rows)
        if len(np.unique(there.values)) < 2:
            flag[j] = "too_few"
        else:
            # ranks of a random order are a random order of the rows that are left
            within = np.argsort(np.argsort(orders[:, rows], axis=1), axis=1)
            column = columns[j : j + 1, rows]
            found[:, j] = measure(column, discrete[j : j + 1], there, within, settings)[:, 0]
    value, null = found[0], found[1:]
    reached = (null >= value - rounding(value)).sum(axis=0)
    empty = not len(null)
    return Scored(
        value, used, flag, discrete, reached,
        np.zeros(count) if empty else null.mean(axis=0),
        np.zeros(count) if len(null) < 2 else null.std(axis=0, ddof=1),
        null.max(axis=1, initial=0.0), sums,
    )  # fmt: skip


def _few_values(column: Floats) -> bool:
    """Whether a column has at most 3 different values, told without sorting it where it has more."""
    left = column[~np.isnan(column)]
    for _ in range(ALLELES):
        if not len(left):
            return True
        left = left[left != left[0]]
    return not len(left)


def rounding(value: Floats) -> Floats:
    """What two sums of the same cells in another order may differ by."""
    return np.asarray(1e-12 * (1 + np.abs(value)))
