"""Rows with a target, in the one form in which `verify` hands data to methods and estimators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.model_selection import KFold, StratifiedKFold

from salience.data.missing import is_missing

FEW = 20  # an integral target with at most this many distinct values is read as classes


@dataclass(frozen=True, eq=False)
class Sample:
    """A frame of columns and a target, row by row; pandas stays pandas, polars stays polars.

    Parameters
    ----------
    frame : narwhals.DataFrame, shape (rows, columns)
        The columns that are weighed, without the target.
    target : ndarray, shape (rows,)
        As the user gave it: text, booleans or numbers, without missing values.
    label : str
        What the target is called.
    task : {"classes", "numbers"}
    dropped : int
        Rows that were left out because they have no target.
    """

    frame: nw.DataFrame[Any]
    target: NDArray[Any]
    label: str = "target"
    task: str = "classes"
    dropped: int = 0

    @classmethod
    def of(cls, data: Any, target: Any = None, *, task: str = "auto") -> Sample:
        """Read ``(X, y)``, ``(frame, "name of the target column")``, or a Sample.

        Parameters
        ----------
        data : frame, array of shape (rows, columns), pair of those with `target`, or Sample
        target : str, or array-like of shape (rows,)
        task : {"auto", "classes", "numbers"}
            "auto" reads text, booleans and integral numbers of at most 20 distinct values as classes.

        Raises
        ------
        TypeError
            If `data` is no frame.
        ValueError
            If rows and target do not fit together, or no row is left.

        Examples
        --------
        >>> sample = Sample.of(pl.DataFrame({"a": [1, 2, 3], "y": ["u", None, "v"]}), "y")
        >>> sample.items, sample.target.tolist(), sample.task, sample.dropped
        (('a',), ['u', 'v'], 'classes', 1)
        """
        if isinstance(data, Sample):
            return data
        if target is None:
            if not isinstance(data, tuple) or len(data) != 2:
                raise TypeError(
                    f'data is a pair (X, y) or (frame, "target column"), got {type(data).__name__}; '
                    "without a target nothing can be verified"
                )
            data, target = data
        frame = _frame(data)
        if isinstance(target, str):
            if target not in frame.columns:
                raise ValueError(
                    f"the frame has no column {target!r}; its columns are {', '.join(frame.columns)}"
                )
            label, given = target, pl.Series(target, frame[target].to_arrow())
            frame = frame.drop(target)
        else:
            label = _free_name(str(getattr(target, "name", None) or "target"), frame)
            given = _series(target)
        if len(given) != len(frame):
            raise ValueError(
                f"the target has {len(given)} values, the frame has {len(frame)} rows: one value per row"
            )
        if given.dtype.is_nested() or given.dtype == pl.Object:
            raise TypeError(f"the target {label!r} holds {given.dtype}; it is text, booleans or numbers")
        if not frame.columns:
            raise ValueError("the frame has no column besides the target: there is nothing to rank")
        values = _plain_values(given)
        there = np.array([not is_missing(value) for value in values.tolist()], dtype=bool)
        if not there.any():
            raise ValueError(f"none of the {len(frame)} rows has a target {label!r}")
        sample = cls(frame, values, label, _task(values[there], task), int((~there).sum()))
        return sample if there.all() else replace(sample.take(np.flatnonzero(there)), dropped=sample.dropped)

    @property
    def items(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(self.frame.columns)

    def __len__(self) -> int:
        return len(self.target)

    @property
    def X(self) -> Any:
        """The columns as the kind of frame the user brought."""
        return self.frame.to_native()

    def joined(self) -> Any:
        """Columns and target in one frame of the kind the user brought."""
        return self.with_columns({self.label: self.target}).X

    def take(self, rows: NDArray[np.intp]) -> Sample:
        """The rows of these numbers, in this order."""
        return replace(
            self, frame=nw.maybe_reset_index(self.frame[np.asarray(rows)]), target=self.target[rows]
        )

    def select(self, names: Sequence[str]) -> Sample:
        """These columns, in this order."""
        return replace(self, frame=self.frame.select(list(names)))

    def with_target(self, target: NDArray[Any]) -> Sample:
        """Another target for the same rows."""
        return replace(self, target=target)

    def with_columns(self, columns: Mapping[str, Any]) -> Sample:
        """More columns, or others in the place of those of the same name; values of shape (rows,)."""
        backend = self.frame.implementation
        made = [
            values.alias(name)
            if isinstance(values, nw.Series)
            else nw.new_series(name, _plain(values), backend=backend)
            for name, values in columns.items()
        ]
        return replace(self, frame=self.frame.with_columns(*made))

    def codes(self) -> tuple[NDArray[np.intp], NDArray[Any]]:
        """The class of each row, counted from 0, and the classes."""
        sortable = self.target.astype(str) if self.target.dtype.kind == "O" else self.target
        classes, codes = np.unique(sortable, return_inverse=True)
        return codes, classes

    def folds(self, splits: int, seed: int) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Rows to fit on and rows held out, shuffled; classes in equal shares where each has enough rows.

        Raises
        ------
        ValueError
            If there are too few rows, or one class.
        """
        if splits < 2 or len(self) < 2 * splits:
            raise ValueError(
                f"at least 2 splits with 2 rows each are needed; got splits={splits} and {len(self)} rows"
            )
        if self.task == "numbers":
            return list(KFold(splits, shuffle=True, random_state=seed).split(np.zeros(len(self))))
        codes, classes = self.codes()
        if len(classes) < 2:
            raise ValueError(
                f"the target {self.label!r} has one class, {classes[0]!r}: there is nothing to predict"
            )
        kind = StratifiedKFold if np.bincount(codes).min() >= splits else KFold
        return list(kind(splits, shuffle=True, random_state=seed).split(np.zeros(len(self)), codes))


def _frame(data: Any) -> nw.DataFrame[Any]:
    if isinstance(data, np.ndarray):
        if data.ndim != 2:
            raise ValueError(f"an array of columns has two dimensions, got shape {data.shape}")
        data = pl.DataFrame({f"x{i}": data[:, i] for i in range(data.shape[1])})
    try:
        frame = nw.from_native(data, eager_only=True)
    except TypeError as error:
        raise TypeError(
            "columns come as a pandas, polars or pyarrow frame or a 2-d numpy array, got "
            f"{type(data).__name__}"
        ) from error
    names = [name for name in frame.columns if not isinstance(name, str)]
    if names:
        raise TypeError(
            f"columns are named by text, got {names[:3]!r}; rename them (frame.columns.astype(str))"
        )
    return nw.maybe_reset_index(frame)


def _series(target: Any) -> pl.Series:
    """Whatever holds one value per row."""
    if isinstance(target, pl.Series):
        return target
    if not isinstance(target, np.ndarray) and nw.dependencies.is_into_series(target):
        return pl.Series(nw.from_native(target, series_only=True).to_arrow())
    values = np.asarray(target)
    if values.ndim != 1:
        raise ValueError(f"the target has one value per row, got shape {values.shape}")
    return pl.Series(values.tolist() if values.dtype.kind in "OUS" else values, strict=True)


def _plain_values(target: pl.Series) -> NDArray[Any]:
    """Numbers as numbers (a missing one is NaN), booleans as booleans, all else as text; missing is None."""
    if target.dtype.is_numeric() or (target.dtype == pl.Boolean and not target.null_count()):
        return target.to_numpy()
    return np.array(target.cast(pl.String).to_list(), dtype=object)


def _task(values: NDArray[Any], task: str) -> str:
    if task in ("classes", "numbers"):
        return task
    if task != "auto":
        raise ValueError(f"task is 'auto', 'classes' or 'numbers', got {task!r}")
    if values.dtype.kind not in "iuf":
        return "classes"
    integral = values.dtype.kind in "iu" or bool((values == np.floor(values)).all())
    return "classes" if integral and len(np.unique(values)) <= FEW else "numbers"


def _plain(values: Any) -> Any:
    """Lists where frames stumble over numpy arrays of objects or text."""
    return values.tolist() if isinstance(values, np.ndarray) and values.dtype.kind in "OU" else values


def _free_name(name: str, frame: nw.DataFrame[Any]) -> str:
    while name in frame.columns:
        name += "_"
    return name
