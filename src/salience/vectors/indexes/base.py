"""What every index has: rows in, ids out, and the same checks for all libraries."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Protocol, Self, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from salience.measures.neighbors import METRICS
from salience.measures.vectors import VectorError, as_vectors

__all__ = ["Index", "Rows", "VectorIndex", "as_permutation", "normalised", "prepared_vectors"]

Floats: TypeAlias = NDArray[np.float32]
Ids: TypeAlias = NDArray[np.int64]

BLOCK = 1 << 15  # rows handed to a library at a time


@runtime_checkable
class Index(Protocol):
    """All that an audit asks of an index; bring your own.

    Attributes
    ----------
    params : mapping
        What a person needs to build the same one again.
    """

    @property
    def params(self) -> Mapping[str, Any]: ...

    def build(self, X: Any) -> Any: ...

    def search(self, Q: Any, k: int) -> NDArray[np.int64]: ...


class VectorIndex(ABC):
    """The adapters' base: checks vectors and parameters, gives ids back, and pads what was not found with -1.

    A subclass names its parameters in ``settings`` and writes ``_build(rows)`` and ``_search(queries, k)``, which see
    float32 vectors (of length 1 under the cosine) and answer with numbers in the order of insertion, -1 where nothing
    was found.

    Attributes
    ----------
    metric : {"l2", "ip", "cosine"}
    params : dict
        ``index``, ``metric`` and the parameters.
    ids : ndarray of int64, shape (n,)
        After `build`: the name of each row, in the order of insertion.
    order : ndarray of int64, shape (n,), or None
        Numbers of the rows in the order of insertion, where one was given.
    """

    name: ClassVar[str]
    settings: ClassVar[Sequence[str]] = ()
    metric: str
    ids: Ids
    order: Ids | None

    def __init__(self, metric: str) -> None:
        if metric not in METRICS:
            raise ValueError(
                f"metric={metric!r} is unknown; it must be one of {', '.join(map(repr, METRICS))}"
            )
        self.metric = metric

    @property
    def params(self) -> dict[str, Any]:
        return {
            "index": self.name, "metric": self.metric, **{name: getattr(self, name) for name in self.settings},
        }  # fmt: skip

    def build(self, X: ArrayLike, ids: ArrayLike | None = None, *, order: ArrayLike | None = None) -> Self:
        """Take rows in.

        Parameters
        ----------
        X : array-like, shape (n, d)
            Real numbers of any type; taken as float32, block by block.
        ids : array-like of int, shape (n,), optional
            What `search` returns for each row of `X`, from 0 up and different; by default their numbers.
        order : array-like of int, shape (n,), optional
            The permutation in which the rows are inserted; by default as they stand. Equal to
            ``build(X[order], ids[order])`` without the copy.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            When the vectors, ids or the order cannot be used; the message says which.
        TypeError
            When the vectors are not real numbers.
        ImportError
            When the library of this index is not installed; the message says how to get it.
        """
        array = as_vectors(X, "X")
        n = len(array)
        names = np.arange(n) if ids is None else np.asarray(ids)
        if names.shape != (n,) or names.dtype.kind not in "iu":
            raise ValueError(
                f"ids must be one whole number for each of the {n} rows; got {names.dtype} of shape {names.shape}"
            )
        if names.min() < 0 or np.unique(names).size < n:
            raise ValueError("ids must be different and from 0 up: -1 stands for what was not found")
        rows = Rows(array, self.metric, None if order is None else as_permutation(order, n))
        self._build(rows)
        self.order = rows.order
        self.ids = (names if rows.order is None else names[rows.order]).astype(np.int64)
        self.dimension = array.shape[1]
        return self

    def search(self, Q: ArrayLike, k: int = 10) -> Ids:
        """The ids of about the k nearest rows of each query, best first.

        Parameters
        ----------
        Q : array-like, shape (m, d)
        k : int

        Returns
        -------
        ndarray of int64, shape (m, k)
            -1 where the index found nothing more: a library's answer that is too short is never cut short here.

        Raises
        ------
        ValueError
            Before `build`, when the dimension is another one, or the search is too narrow for `k`.
        """
        if not hasattr(self, "ids"):
            raise ValueError(f"{type(self).__name__} is empty; call build(X) first")
        if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
            raise ValueError(f"k={k!r}; it must be a whole number from 1 up")
        queries = prepared_vectors(Q, self.metric, "Q")
        if queries.shape[1] != self.dimension:
            raise VectorError(
                f"Q has {queries.shape[1]} dimensions, the index {self.dimension}; they must come from the same "
                "embedding"
            )
        found = self._search(queries, min(int(k), len(self.ids)))
        answer = np.full((len(queries), k), -1, dtype=np.int64)
        answer[:, : found.shape[1]] = np.where(found < 0, -1, self.ids[found])
        return answer

    @abstractmethod
    def _build(self, rows: Rows) -> None: ...

    @abstractmethod
    def _search(self, queries: Floats, k: int) -> Ids: ...

    def _at_least(self, least: int, **given: int) -> None:
        """Refuse parameters that are not whole numbers from `least` up."""
        for name, value in given.items():
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
                raise ValueError(f"{name}={value!r}; it must be a whole number from {least} up")

    def __repr__(self) -> str:
        said = ", ".join(f"{name}={value!r}" for name, value in self.params.items() if name != "index")
        return f"{type(self).__name__}({said})"


class Rows:
    """Rows in the order of insertion, prepared block by block, so that a mapped file is never copied as a whole."""

    def __init__(self, array: NDArray[Any], metric: str, order: Ids | None = None) -> None:
        self._array, self._metric, self.order = array, metric, order
        self.shape: tuple[int, int] = array.shape

    def __len__(self) -> int:
        return self.shape[0]

    def blocks(self, size: int = BLOCK) -> Iterator[Floats]:
        for start in range(0, len(self), size):
            part = slice(start, start + size) if self.order is None else self.order[start : start + size]
            numbers = np.arange(start, min(start + size, len(self))) if self.order is None else part
            yield prepared_vectors(self._array[part], self._metric, "X", numbers)

    def whole(self) -> Floats:
        """All rows at once, for libraries that learn from them."""
        rows, start = np.empty(self.shape, dtype=np.float32), 0
        for block in self.blocks():
            rows[start : start + len(block)] = block
            start += len(block)
        return rows


def as_permutation(order: Any, n: int) -> Ids:
    """The order as int64, or an error that says why it is none.

    Raises
    ------
    ValueError
        When it does not hold every number from 0 to n - 1 once.
    """
    given = np.asarray(order)
    if given.shape != (n,) or given.dtype.kind not in "iu":
        raise ValueError(
            f"an order is a permutation of the {n} row numbers; got {given.dtype} of shape {given.shape}"
        )
    seen = np.bincount(given[(given >= 0) & (given < n)].astype(np.int64), minlength=n)
    if (seen != 1).any():
        raise ValueError(
            f"an order holds each row number from 0 to {n - 1} once: {int((seen == 0).sum())} are missing, first "
            f"{np.flatnonzero(seen != 1)[0]}"
        )
    return given.astype(np.int64)


def prepared_vectors(given: Any, metric: str, name: str, numbers: Any = None) -> Floats:
    """Vectors as an index takes them: float32, finite, contiguous; of length 1 under the cosine.

    `numbers` are those of the rows in messages, by default from 0 up.

    Raises
    ------
    ValueError
        When there is none, one is not finite, or is zero under the cosine.
    TypeError
        When they are not real numbers.
    """
    with np.errstate(over="ignore"):
        rows = np.ascontiguousarray(as_vectors(given, name), dtype=np.float32)
    wrong = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if wrong.size:
        raise VectorError(
            f"{wrong.size} row(s) of {name} hold NaN, infinity or a number beyond float32, first row "
            f"{_number(numbers, wrong)}; drop or repair them"
        )
    return _PREPARATIONS.get(metric, _as_they_are)(rows, name, numbers)


def normalised(rows: NDArray[Any], name: str = "X", numbers: Any = None) -> Floats:
    """Rows divided by their lengths, taken in float64.

    Raises
    ------
    ValueError
        When a row is zero and has no direction.

    Examples
    --------
    >>> normalised(np.array([[3.0, 4.0]]))
    array([[0.6, 0.8]], dtype=float32)
    """
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
    if not lengths.all():
        raise VectorError(
            f"row {_number(numbers, np.flatnonzero(lengths == 0))} of {name} is zero and has no direction, so it has no cosine; "
            "drop the zero vectors, or take another metric"
        )
    return (rows / lengths[:, None]).astype(np.float32)


def _number(numbers: Any, wrong: Ids) -> int:
    """The lowest number of the rows that are wrong."""
    return int(wrong[0] if numbers is None else np.min(numbers[wrong]))


def _as_they_are(rows: Floats, name: str, numbers: Any) -> Floats:
    return rows


_PREPARATIONS: Mapping[str, Callable[[NDArray[Any], str, Any], Floats]] = {"cosine": normalised}
