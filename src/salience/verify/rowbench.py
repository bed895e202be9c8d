"""Bench for explanations of single rows: what does the model say when only these columns of the row are known?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from salience.measures.sensitivity import removed_means
from salience.measures.sensitivity.rows import column_names, table_of
from salience.verify.bench import SubsetBench
from salience.verify.fingerprints import fingerprint

__all__ = ["instances"]


def instances(score: Callable[[Any], ArrayLike], X: Any, background: Any) -> SubsetBench:
    """The columns of single rows for one model; those that are not kept come from background rows, all in turn.

    For `fidelity`: do the attributions of the columns taken away add up to what the model's score loses? For
    attributions that say what a *change* of the column does (responsiveness), `background` holds the values that it
    may be changed to, and `score` is high where nothing has changed yet.

    Parameters
    ----------
    score : callable
        From a table like `X` to one number per row, shape (rows,).
    X : array or frame of shape (n, d)
        The rows that are explained.
    background : array or frame of shape (m, d)

    Returns
    -------
    SubsetBench
        Units are the rows, values the mean score over the background; ``how`` is "hold".

    Raises
    ------
    TypeError, ValueError
        Tables that do not fit together, or scores of another shape.

    Examples
    --------
    >>> bench = instances(lambda X: X @ [2.0, 1.0], [[3.0, 5.0]], [[0.0, 0.0], [2.0, 2.0]])
    >>> bench.values([[True, True], [True, False], [False, False]])[:, 0]
    array([11.,  7.,  3.])
    """
    rows = table_of(X)
    names = column_names(rows)

    def evaluate(keep: NDArray[np.bool_]) -> NDArray[np.float64]:
        removed = np.flatnonzero(~keep).tolist()
        if removed:
            return np.asarray(removed_means(score, X, background, [removed])[:, 0], dtype=np.float64)
        said = np.asarray(score(X if hasattr(X, "columns") else np.asarray(X)), dtype=np.float64)
        if said.shape != (len(rows),):
            raise ValueError(
                f"score gives one number per row, shape ({len(rows)},); got {said.shape}: name one output"
            )
        return said

    seen = frozenset({fingerprint(X if hasattr(X, "columns") else np.asarray(X))})
    return SubsetBench(names, ("column",), evaluate, how="hold", data=seen)
