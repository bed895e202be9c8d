"""Columns of any type as the numbers an estimator takes: one encoder for linear models, one for trees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import narwhals as nw
import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.model_selection import BaseCrossValidator, KFold, StratifiedKFold
from sklearn.preprocessing import TargetEncoder
from sklearn.utils.validation import check_is_fitted

from salience.data.hashing import combine, hash_value, identities

# No text of the data can be this: a value of its own, because being missing tells something.
MISSING_TEXT = "\0missing"
FOLDS = 5  # a training row is target-encoded from the other folds
# From names of columns, in the order of the frame, to the encoded rows of training and of evaluation.
Encoded = Callable[[Sequence[str]], tuple[Any, Any]]


class SparseColumns(TransformerMixin, BaseEstimator):
    """Standardised numbers, one-hot values, and hashed values where a column has too many of them.

    Parameters
    ----------
    one_hot : int, default 256
        A text column with at most this many distinct values gets a coordinate per value.
    slots : int, default 2**18
        Coordinates that all other text columns share, chosen by the identity of column and value; a power of
        two.

    Attributes
    ----------
    numbers_ : dict of str to (mean, scale)
    values_ : dict of str to list of str, or None where the column is hashed
    slots_ : ndarray of int64
        The coordinates of hashed columns that training rows have.
    n_features_in_ : int

    Examples
    --------
    >>> X = pl.DataFrame({"age": [20.0, None, 40.0], "city": ["Ljubljana", "Koper", "Koper"]})
    >>> SparseColumns().fit_transform(X).toarray().round(2)
    array([[-1.,  0.,  0.,  1.],
           [ 0.,  1.,  1.,  0.],
           [ 1.,  0.,  1.,  0.]])
    """

    def __init__(self, one_hot: int = 256, slots: int = 2**18) -> None:
        self.one_hot = one_hot
        self.slots = slots

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn means, scales and values; `y` is not looked at."""
        self._learn(*split_columns(X))
        return self

    def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> sparse.csr_array:
        """The same, and the encoded rows."""
        columns = split_columns(X)
        self._learn(*columns)
        return self._encoded(*columns)

    def transform(self, X: Any) -> sparse.csr_array:
        """The encoded rows, a sparse matrix of float64; values that were not seen are all zeros."""
        check_is_fitted(self)
        return self._encoded(*split_columns(X))

    def _learn(self, numbers: dict[str, NDArray[np.float64]], texts: dict[str, pl.Series]) -> None:
        if self.slots < 2 or self.slots & (self.slots - 1):
            raise ValueError(f"slots must be a power of two, got {self.slots}")
        self.numbers_: dict[str, tuple[float, float]] = {}
        for name, values in numbers.items():
            there = values[~np.isnan(values)]
            scale = float(there.std()) if len(there) else 0.0
            self.numbers_[name] = (float(there.mean()) if len(there) else 0.0, scale or 1.0)
        distinct = {name: sorted(values.unique().to_list()) for name, values in texts.items()}
        self.values_ = {
            name: found if len(found) <= self.one_hot else None for name, found in distinct.items()
        }
        # A coordinate that no training row has would get the weight 0 from a penalised model, and cost time.
        hashed = list(self._slots(texts).values())
        self.slots_ = np.unique(np.concatenate(hashed)) if hashed else np.empty(0, dtype=np.int64)
        self.n_features_in_ = len(numbers) + len(texts)

    def encode_once(self, X: Any, y: Any, held: Any) -> Encoded:
        """Encode all columns of both frames now; of any of them later what `fit_transform` and `transform` give."""
        frames = split_columns(X), split_columns(held)
        whole = clone(self)
        whole._learn(*frames[0])
        widths = dict.fromkeys(whole.numbers_, 2)
        widths |= {name: len(known) for name, known in whole.values_.items() if known is not None}
        plain = [[_joined(blocks)] if (blocks := whole._plain(*columns)) else [] for columns in frames]
        hashed = [whole._slots(texts) for _, texts in frames]

        def some(names: Sequence[str]) -> tuple[Any, Any]:
            kept = np.repeat([name in names for name in widths], list(widths.values()))
            parts = [[block[:, kept] for block in blocks if kept.any()] for blocks in plain]
            slots = [[of[name] for name in of if name in names] for of in hashed]
            if slots[0]:
                seen = np.unique(np.concatenate(slots[0]))
                for part, own in zip(parts, slots, strict=True):
                    part.append(_among(seen, own))
            return _joined(parts[0]), _joined(parts[1])

        return some

    def _encoded(
        self, numbers: dict[str, NDArray[np.float64]], texts: dict[str, pl.Series]
    ) -> sparse.csr_array:
        slots = list(self._slots(texts).values())
        return _joined([*self._plain(numbers, texts), *([_among(self.slots_, slots)] if slots else [])])

    def _plain(
        self, numbers: dict[str, NDArray[np.float64]], texts: dict[str, pl.Series]
    ) -> list[sparse.csr_array]:
        """Numbers, each beside whether it is missing; then the values that have a coordinate of their own."""
        blocks: list[Any] = []
        for name, values in numbers.items():
            mean, scale = self.numbers_[name]
            gone = np.isnan(values)
            blocks.append(np.column_stack([np.where(gone, 0.0, (values - mean) / scale), gone]))
        own = ((column, self.values_[name]) for name, column in texts.items())
        return [
            *([sparse.csr_array(np.column_stack(blocks))] if blocks else []),
            *(_one_hot(column, known) for column, known in own if known is not None),
        ]

    def _slots(self, texts: dict[str, pl.Series]) -> dict[str, NDArray[np.int64]]:
        """The slot of each row in every hashed column."""
        return {
            name: self._hashed(name, texts[name]) for name, found in self.values_.items() if found is None
        }

    def _hashed(self, name: str, column: pl.Series) -> NDArray[np.int64]:
        """The slot of each row, from the identity of column and value."""
        hashes, _ = identities(column.to_arrow(), "text", ())
        return (combine(hash_value(name, "text"), hashes) & np.uint64(self.slots - 1)).astype(np.int64)


class DenseColumns(TransformerMixin, BaseEstimator):
    """Numbers as they are, texts as the mean target of their value, learned out of fold; for trees.

    A tree needs no scaling and takes missing numbers. A text column of any cardinality becomes one column
    (one per class when there are more than two) by scikit-learn's `TargetEncoder`, whose ``fit_transform``
    encodes every training row from the other folds, so that an identifier does not leak the target. Where
    that makes no sense (more than `most_classes` classes, or a class of fewer rows than folds) values are
    numbered by their frequency.

    Parameters
    ----------
    most_classes : int, default 10
    random_state : int, default 0
        Of the folds.

    Attributes
    ----------
    names_ : tuple of str
        The text columns.
    encoder_ : TargetEncoder or None
    codes_ : dict of str to dict of str to int
        Value to code, where values are numbered.
    """

    def __init__(self, most_classes: int = 10, random_state: int = 0) -> None:
        self.most_classes = most_classes
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> Self:
        """Learn the encoding; see `fit_transform` for the training rows themselves."""
        self.fit_transform(X, y)
        return self

    def fit_transform(self, X: Any, y: Any, **fit_params: Any) -> NDArray[np.float64]:
        """Learn the encoding and return the training rows, each encoded without its own target."""
        numbers, texts = split_columns(X)
        y = np.asarray(y)
        self.n_features_in_ = len(numbers) + len(texts)
        self.names_ = tuple(texts)
        self.codes_: dict[str, dict[str, int]] = {}
        self.encoder_: TargetEncoder | None = None
        if not texts:
            return _dense(numbers, None)
        folds = self._folds(y)
        if folds is None:
            for name, values in texts.items():
                ordered = values.value_counts(sort=True)[values.name].to_list()
                self.codes_[name] = {value: code for code, value in enumerate(ordered)}
            return _dense(numbers, self._coded(texts))
        objects = _objects(texts)
        self.encoder_ = TargetEncoder().fit(objects, y)
        encoded = np.empty(self.encoder_.transform(objects).shape)
        for others, own in folds.split(objects, y):
            encoded[own] = TargetEncoder().fit(objects[others], y[others]).transform(objects[own])
        return _dense(numbers, encoded)

    def encode_once(self, X: Any, y: Any, held: Any) -> Encoded:
        """Encode all columns of both frames now; of any of them later what `fit_transform` and `transform` give."""
        whole = clone(self)
        train = whole.fit_transform(X, y)
        test = whole.transform(held)
        numbers = list(split_columns(X)[0])
        of_text = (train.shape[1] - len(numbers)) // max(1, len(whole.names_))  # one per class, when several
        widths = dict.fromkeys(numbers, 1) | dict.fromkeys(whole.names_, of_text)

        def some(names: Sequence[str]) -> tuple[Any, Any]:
            kept = np.repeat([name in names for name in widths], list(widths.values()))
            return train.compress(kept, axis=1), test.compress(kept, axis=1)

        return some

    def _folds(self, y: NDArray[Any]) -> BaseCrossValidator | None:
        """The folds of the training rows, or None where a mean target per class makes no sense."""
        if y.dtype.kind == "f":
            return KFold(FOLDS, shuffle=True, random_state=self.random_state) if len(y) >= FOLDS else None
        rows_of_class = np.unique(y.astype(str), return_counts=True)[1]
        few = 2 <= len(rows_of_class) <= self.most_classes and rows_of_class.min() >= FOLDS
        return StratifiedKFold(FOLDS, shuffle=True, random_state=self.random_state) if few else None

    def transform(self, X: Any) -> NDArray[np.float64]:
        """The encoded rows, shape (rows, columns); NaN where a number is missing."""
        check_is_fitted(self, "names_")
        numbers, texts = split_columns(X)
        if self.encoder_ is not None:
            return _dense(numbers, self.encoder_.transform(_objects(texts)))
        return _dense(numbers, self._coded(texts) if texts else None)

    def _coded(self, texts: dict[str, pl.Series]) -> NDArray[np.float64]:
        columns = [
            [self.codes_[name].get(value, -1) for value in texts[name].to_list()] for name in self.names_
        ]
        return np.array(columns, dtype=np.float64).T


def split_columns(X: Any) -> tuple[dict[str, NDArray[np.float64]], dict[str, pl.Series]]:
    """The columns of a frame as numbers (NaN is missing) and as texts (a value of its own is missing).

    Booleans and times count as numbers.

    Raises
    ------
    ValueError
        If a column holds lists, structures or mixed objects; the message names it.
    """
    frame = X if isinstance(X, nw.DataFrame) else nw.from_native(X, eager_only=True)
    numbers: dict[str, NDArray[np.float64]] = {}
    texts: dict[str, pl.Series] = {}
    for name in frame.columns:
        try:
            column = frame[name].to_arrow()
        except Exception as error:  # pyarrow raises several types for values of mixed type
            raise ValueError(
                f"column {name!r} mixes types ({error}); give it one, for instance text"
            ) from error
        kind = column.type
        if pa.types.is_nested(kind):
            raise ValueError(f"column {name!r} holds {kind}: an estimator needs one value per row; expand it")
        if pa.types.is_temporal(kind):
            column = column.cast(pa.int32() if kind.bit_width == 32 else pa.int64())
        if pa.types.is_dictionary(kind) or (
            not pa.types.is_primitive(kind) and not pa.types.is_decimal(kind)
        ):
            texts[name] = pl.Series(name, column).cast(pl.String).fill_null(MISSING_TEXT)
        else:
            numbers[name] = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return numbers, texts


def _joined(parts: Sequence[sparse.csr_array]) -> sparse.csr_array:
    return sparse.csr_array(sparse.hstack(parts, format="csr"))


def _among(seen: NDArray[np.int64], slots: Sequence[NDArray[np.int64]]) -> sparse.csr_array:
    """Ones where the slots of each row stand among those seen in training; one that was not is left out."""
    wanted = np.column_stack(slots)
    place = np.minimum(np.searchsorted(seen, wanted), len(seen) - 1)
    return _indicators(np.where(seen[place] == wanted, place, -1), len(seen))


def _one_hot(column: pl.Series, known: list[str]) -> sparse.csr_array:
    codes = column.cast(pl.Enum(known), strict=False).to_physical().cast(pl.Int64).fill_null(-1).to_numpy()
    return _indicators(codes[:, None], len(known))


def _indicators(codes: NDArray[np.int64], width: int) -> sparse.csr_array:
    """Ones at the given coordinates, shape (rows, width); a coordinate of -1 is left out."""
    rows, columns = np.nonzero(codes >= 0)
    ones = np.ones(len(rows))
    return sparse.csr_array((ones, (rows, codes[rows, columns])), shape=(len(codes), width))


def _objects(texts: dict[str, pl.Series]) -> NDArray[Any]:
    return np.column_stack([values.to_numpy().astype(object) for values in texts.values()])


def _dense(numbers: dict[str, NDArray[np.float64]], rest: NDArray[Any] | None) -> NDArray[np.float64]:
    own = np.column_stack(list(numbers.values())) if numbers else None
    both = [np.asarray(block, dtype=np.float64) for block in (own, rest) if block is not None]
    return np.ascontiguousarray(np.hstack(both))  # one layout: sums are rounded as it lies
