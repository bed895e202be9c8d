"""A sample of rows in memory, its columns as categories: what small models are fitted on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from salience.tabular.streaming.reference import Candidate

__all__ = ["CategoricalSample"]


class CategoricalSample:
    """A seeded, stratified sample of labelled rows, its columns as codes.

    Parameters
    ----------
    X : frame, mapping of columns, or array of shape (n, d)
        pandas, polars, anything narwhals reads.
    y : str or array-like of shape (n,)
        The label: a column of X or an array. Rows without one are left out.
    rows : int
        Rows to keep at most; classes keep their shares.
    seed : int
    bins : int
        A floating-point column with more distinct values than 2 * bins is cut into so many quantile bins: a
        one-hot code of numbers that never repeat is a row id.

    Raises
    ------
    ValueError
        When X is empty, the label is absent or has one class.
    """

    def __init__(self, X: Any, y: Any, *, rows: int, seed: int = 0, bins: int = 32) -> None:
        frame, labels = _frame_and_labels(X, y)
        known = labels.is_not_null() & (~labels.is_nan() if labels.dtype.is_float() else True)
        frame, labels = frame.filter(known), labels.filter(known)
        self.classes, codes = np.unique(_codes(labels, bins=0), return_inverse=True)
        if len(self.classes) < 2:
            raise ValueError(
                f"The label has {len(self.classes)} distinct value(s) in {len(labels)} labelled rows; "
                "a surrogate model needs at least 2 classes."
            )
        chosen = _stratified(codes, rows, np.random.default_rng(seed))
        self.frame, self.labels = frame[chosen], codes[chosen].astype(np.int64)
        self.rows_in_all, self.bins = len(labels), bins
        self._encoded: dict[Candidate, NDArray[np.int64]] = {}

    @property
    def columns(self) -> list[str]:
        """Names of the columns, the label not among them."""
        return self.frame.columns

    def codes(self, candidate: Candidate) -> NDArray[np.int64]:
        """Dense codes of a column or of a combination; a missing value is a value, int64 (rows,)."""
        if candidate not in self._encoded:
            parts = [self.codes((part,)) for part in candidate] if len(candidate) > 1 else []
            if not parts:
                self._encoded[candidate] = _codes(self.frame[candidate[0]], self.bins)
            else:
                together = parts[0]
                for part in parts[1:]:
                    together = np.unique(together * (part.max() + 1) + part, return_inverse=True)[1]
                return together  # not kept: there are many combinations
        return self._encoded[candidate]

    def one_hot(self, candidates: Iterable[Candidate]) -> sparse.csr_matrix:
        """One-hot design of some candidates side by side, shape (rows, values); none gives no column."""
        blocks = []
        for candidate in candidates:
            codes = self.codes(candidate)
            entries = (np.ones(len(codes)), (np.arange(len(codes)), codes))
            blocks.append(sparse.csr_matrix(entries, shape=(len(codes), int(codes.max()) + 1)))
        return sparse.hstack(blocks, format="csr") if blocks else sparse.csr_matrix((len(self.labels), 0))


def _frame_and_labels(X: Any, y: Any) -> tuple[pl.DataFrame, pl.Series]:
    import narwhals as nw

    if isinstance(X, Mapping):
        frame = pl.DataFrame(dict(X), strict=False)
    elif isinstance(X, pl.DataFrame):
        frame = X
    elif isinstance(X, np.ndarray):
        if X.ndim != 2:
            raise ValueError(f"X must have shape (n, d); got {X.shape}.")
        frame = pl.DataFrame({f"x{i}": column for i, column in enumerate(X.T)}, strict=False)
    else:
        frame = nw.from_native(X, eager_only=True).to_polars()
    if isinstance(y, str):
        if y not in frame.columns:
            raise ValueError(f"There is no label column {y!r}; the data have: {', '.join(frame.columns)}.")
        frame, labels = frame.drop(y), frame[y]
    else:
        labels = _label_series(y)
    if frame.width == 0 or frame.height == 0:
        raise ValueError(f"X is empty: {frame.height} rows, {frame.width} columns beside the label.")
    if len(labels) != frame.height:
        raise ValueError(f"X has {frame.height} rows, y has {len(labels)}.")
    return frame, labels


def _label_series(y: ArrayLike) -> pl.Series:
    values = np.asarray(y)
    if values.ndim != 1:
        raise ValueError(f"y must have shape (n,); got {values.shape}.")
    return pl.Series(values.tolist() if values.dtype == object else values, strict=False)


def _codes(values: pl.Series, bins: int) -> NDArray[np.int64]:
    """Dense codes of a column in the order of its values; null and NaN are one value, the first."""
    if values.dtype.is_nested():
        raise ValueError(f"Column {values.name!r} holds {values.dtype}; explode it into plain columns first.")
    if values.dtype in (pl.Categorical, pl.Enum):
        values = values.cast(pl.String)
    if values.dtype.is_float():
        values = values.fill_nan(None)
        if bins and values.n_unique() > 2 * bins:
            numbers = values.to_numpy()
            edges = np.nanquantile(numbers, np.linspace(0, 1, bins + 1)[1:-1])
            binned = pl.Series(np.searchsorted(np.unique(edges), numbers, side="right"))
            values = binned.set(values.is_null(), None)
    ranks = values.rank("dense").fill_null(0).to_numpy()
    return np.unique(ranks, return_inverse=True)[1].astype(np.int64)


def _stratified(codes: NDArray[Any], rows: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Row numbers of a sample with the class shares of the whole, ascending."""
    if rows < 2:
        raise ValueError(f"rows={rows}; a sample needs at least 2 rows.")
    if len(codes) <= rows:
        return np.arange(len(codes))
    # Systematic sampling along the rows sorted by class: shares are right to one row, whatever the classes.
    order = np.lexsort((rng.permutation(len(codes)), codes))
    places = (np.arange(rows) * len(codes)) // rows
    return np.sort(order[places])
