"""Rows and classes as the method wants them: standardised columns that vary, classes counted from 0."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import type_of_target

from salience.data.missing import is_missing

__all__ = ["Table", "resampled", "table_of"]

FEWEST = 20  # rows


@dataclass(frozen=True, eq=False)
class Table:
    """A labelled table.

    Attributes
    ----------
    X : ndarray, shape (n, varying columns)
        Standardised.
    codes : ndarray of int64, shape (n,)
    classes : ndarray
    constant : ndarray of bool, shape (d,)
        Columns that were left out.
    """

    X: NDArray[np.float64]
    codes: NDArray[np.int64]
    classes: NDArray[Any]
    constant: NDArray[np.bool_]

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Rows of each class."""
        return np.bincount(self.codes, minlength=len(self.classes))


def table_of(X: NDArray[np.float64], y: Any) -> Table:
    """Standardise the columns and code the classes.

    Parameters
    ----------
    X : ndarray of float, shape (n, d)
        Finite.
    y : array-like of shape (n,)

    Raises
    ------
    ValueError
        Fewer than 20 rows, one class, a target of numbers or with missing values, or no column that varies.

    Examples
    --------
    >>> table = table_of(np.arange(40.0).reshape(20, 2) * [1, 0], ["a", "b"] * 10)
    >>> table.X.shape, table.classes.tolist(), table.constant.tolist()
    ((20, 1), ['a', 'b'], [False, True])
    """
    target = column_or_1d(np.asarray(y), warn=True)
    if any(is_missing(value) or value in (math.inf, -math.inf) for value in target.tolist()):
        raise ValueError("y holds NaN, None or infinity: drop the rows whose class is not known")
    if target.dtype.kind == "O":
        target = np.array(target.tolist())  # numbers stay numbers; numbers among texts become texts
    classes, codes = np.unique(target, return_inverse=True)
    if type_of_target(target) not in ("binary", "multiclass") or len(classes) > len(target) / 2:
        raise ValueError(
            f"y holds {len(classes)} distinct values of {len(target)}, such as {target[0]}: that looks like a target of "
            "numbers, and rows are selected class by class. Bin it first (for instance by quantiles)"
        )
    if len(classes) < 2:
        raise ValueError(f"y holds one class only, {classes[0]}: there is nothing to tell apart")
    if len(target) < FEWEST:
        raise ValueError(
            f"{len(target)} rows are too few to select from: at least {FEWEST} are needed; keep them all"
        )
    # by powers of two, which rounds nothing: squares of 1e200 would overflow, those of 1e-200 vanish
    X = np.ldexp(X, -np.frexp(np.abs(X).max(axis=0))[1])
    centre, spread = X.mean(axis=0), X.std(axis=0)
    # rounding is no spread
    constant = spread <= len(X) * np.finfo(np.float64).eps * np.abs(centre)
    if constant.all():
        raise ValueError(f"all {X.shape[1]} columns of X are constant: no row is like another or unlike it")
    varies = ~constant
    return Table((X[:, varies] - centre[varies]) / spread[varies], codes.astype(np.int64), classes, constant)


def resampled(data: Any, rows: NDArray[np.intp]) -> Any:
    """These rows of an array, a frame, a series or a list, as what it was."""
    if isinstance(data, np.ndarray):
        return data[rows]
    native = nw.from_native(data, eager_only=True, allow_series=True, pass_through=True)
    if isinstance(native, nw.DataFrame | nw.Series):
        return nw.maybe_reset_index(native[rows]).to_native()
    return np.asarray(data)[rows]
