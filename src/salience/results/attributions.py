"""Attributions: how much each item matters to each instance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from salience.results.construction import reals
from salience.results.meta import Meta
from salience.results.scores import Better, Scores

__all__ = ["AGGREGATES", "Attributions"]


@dataclass(frozen=True, eq=False, repr=False)
class Attributions:
    """Signed shares of items in the prediction for each instance.

    Parameters
    ----------
    values : array-like of float64, shape (n, items) or (n, items, outputs)
        How much item j moves the prediction for instance i; NaN where not attributed.
    items : sequence
        Names, one per column of `values`; tuples when `keys` are several.
    keys : tuple of str
        What the names are: ``("column",)``, ``("layer", "head")``.
    base : array-like of float64, shape (), (outputs,), (n,) or (n, outputs)
        The prediction before any item is known.
    residual : mapping of str to array-like, shape (n,) or (n, outputs)
        Named parts of the prediction that belong to no item.
    prediction : array-like of float64, shape (n,) or (n, outputs), optional
        What the model said; :meth:`gap` needs it.
    lo, hi : array-like of float64, shape of `values`, optional
        Bounds of the values.
    exact : array-like of bool, shape of `values`, optional
        Which values are exact, not estimated.
    status : array-like of str, shape of `values`, optional
        What happened to each value, in the words of the method.
    outputs : sequence of str, optional
        Names of the outputs; numbers by default.
    data : array-like, shape (n, items), optional
        The instances themselves, for pictures.
    item : str
        Kind of item, as in :class:`~salience.results.scores.Scores`.
    meta : Meta
        Where the attributions come from.

    Raises
    ------
    TypeError, ValueError
        When a shape or a type does not fit; the message says which.

    Examples
    --------
    >>> shares = Attributions([[1.0, -2.0], [3.0, 0.5]], ["age", "city"], base=0.5, prediction=[-0.5, 4.0])
    >>> shares.gap()
    array([0., 0.])
    >>> shares.row(0).top(1).items
    ['city']
    >>> shares.aggregate().values
    array([2.  , 1.25])
    """

    values: NDArray[np.float64]
    items: tuple[Any, ...]
    keys: tuple[str, ...] = ("column",)
    base: NDArray[np.float64] = field(default_factory=lambda: np.zeros(()))
    residual: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    prediction: NDArray[np.float64] | None = None
    lo: NDArray[np.float64] | None = None
    hi: NDArray[np.float64] | None = None
    exact: NDArray[np.bool_] | None = None
    status: NDArray[Any] | None = None
    outputs: tuple[Any, ...] | None = None
    data: Any = None
    item: str = "column"
    meta: Meta = field(default_factory=Meta)

    def __init__(
        self,
        values: ArrayLike,
        items: Sequence[Any],
        keys: str | Sequence[str] = ("column",),
        *,
        base: ArrayLike = 0.0,
        residual: Mapping[str, ArrayLike] | None = None,
        prediction: ArrayLike | None = None,
        lo: ArrayLike | None = None,
        hi: ArrayLike | None = None,
        exact: ArrayLike | None = None,
        status: ArrayLike | None = None,
        outputs: Sequence[Any] | None = None,
        data: Any = None,
        item: str = "column",
        meta: Meta | None = None,
    ) -> None:
        array = reals(values)
        array.flags.writeable = False
        if array.ndim not in (2, 3):
            raise ValueError(
                f"values must have the shape (n, items) or (n, items, outputs), got {array.shape}"
            )
        names = tuple(items.tolist() if isinstance(items, np.ndarray) else items)
        if len(names) != array.shape[1]:
            raise ValueError(f"values have {array.shape[1]} items, but {len(names)} names were given")
        if len(set(names)) < len(names):
            raise ValueError("an item has one name, but some of the names given are equal")
        outer = (array.shape[0], *array.shape[2:])  # (n,) or (n, outputs)
        if array.ndim == 3 and outputs is None:
            outputs = range(array.shape[2])
        if outputs is not None and (array.ndim == 2 or len(outputs) != array.shape[2]):
            raise ValueError(f"outputs names {len(outputs)} outputs, but values have the shape {array.shape}")
        checked = {
            "values": array,
            "items": names,
            "keys": (keys,) if isinstance(keys, str) else tuple(keys),
            "base": _spread("base", base, outer),
            "residual": {
                name: _shaped(f"residual[{name!r}]", part, outer) for name, part in (residual or {}).items()
            },
            "prediction": _shaped("prediction", prediction, outer),
            "lo": _shaped("lo", lo, array.shape),
            "hi": _shaped("hi", hi, array.shape),
            "exact": _shaped("exact", exact, array.shape, np.bool_),
            "status": _shaped("status", status, array.shape, np.str_),
            "outputs": None if outputs is None else tuple(outputs),
            "data": data,
            "item": item,
            "meta": meta or Meta(),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def gap(self) -> NDArray[np.float64]:
        """What the attributions leave unexplained: ``|base + sum + residuals - prediction|``.

        Returns
        -------
        gap : ndarray of float64, shape (n,) or (n, outputs)

        Raises
        ------
        ValueError
            When the prediction is not known.
        """
        if self.prediction is None:
            raise ValueError("the gap needs the predictions: Attributions(..., prediction=...)")
        explained = self.base + np.nansum(self.values, axis=1) + sum(self.residual.values())
        return np.asarray(np.abs(explained - self.prediction))

    def row(self, i: int, output: Any = None) -> Scores:
        """The attributions of instance `i` as scores, ranked by size: of each output, or of one.

        Raises
        ------
        IndexError
            When there is no instance `i`.
        """
        n = len(self)
        if not -n <= i < n:
            raise IndexError(f"there are {n} instances, 0 to {n - 1}; got {i}")
        columns = {name: getattr(self, name) for name in ("lo", "hi", "exact", "status")}
        parts = {name: array[i] for name, array in columns.items() if array is not None}
        scores = self._scores({"value": self.values[i], **parts}, "abs", instance=i)
        return scores if output is None else scores.where(output=output)

    def aggregate(self, how: str = "mean_abs", by: ArrayLike | None = None) -> Scores:
        """Scores over many instances.

        Parameters
        ----------
        how : {"mean_abs", "mean", "max_abs", "rms", "positive"}
            Mean size; mean with its sign; largest size; root mean square; share of instances it pushes up.
        by : array-like, shape (n,), optional
            A group per instance (its class, say): one ranking per group, context ``"group"``.

        Raises
        ------
        ValueError
            When `how` is not known, `by` has the wrong length, or there is no instance.
        """
        if how not in AGGREGATES:
            raise ValueError(f"how={how!r} is not known; use one of {', '.join(AGGREGATES)}")
        if not len(self):
            raise ValueError("there is no instance to aggregate over")
        fold, better = AGGREGATES[how]
        if by is None:
            return self._scores(_folded(fold, self.values), better, how=how)
        labels = np.asarray(by)
        if labels.shape != (len(self),):
            raise ValueError(f"by must have one group per instance, shape ({len(self)},), got {labels.shape}")
        frames = []
        for label in np.unique(labels):
            scores = self._scores(_folded(fold, self.values[labels == label]), better, how=how)
            frames.append(scores.frame.with_columns(pl.lit(label.item()).alias("group")))
        return scores.replace(frame=pl.concat(frames), by=("group", *scores.by))

    def to_shap(self) -> Any:
        """As a ``shap.Explanation``, for the pictures of that package.

        Raises
        ------
        ImportError
            When shap is not installed.
        """
        try:
            import shap
        except ModuleNotFoundError as error:
            raise ImportError("to_shap needs the package shap: pip install shap") from error
        return shap.Explanation(
            self.values,
            base_values=self.base,
            data=None if self.data is None else np.asarray(self.data),
            feature_names=[str(item) for item in self.items],
            output_names=None if self.outputs is None else [str(name) for name in self.outputs],
        )

    def __len__(self) -> int:
        return int(self.values.shape[0])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.values, dtype=dtype, copy=True)

    def __repr__(self) -> str:
        outputs = f" · {len(self.outputs)} outputs" if self.outputs is not None else ""
        gap = (
            f" · largest gap {np.nanmax(self.gap()):.3g}" if self.prediction is not None and len(self) else ""
        )
        return (
            f"Attributions of {len(self.items):,} {self.item}s to {len(self):,} instances"
            f"{outputs} · {self.meta.method}{gap}"
        )

    def _scores(self, columns: Mapping[str, NDArray[Any]], better: Better, **said: Any) -> Scores:
        """Scores from arrays of shape (items,) or (items, outputs); outputs become a context."""
        names = self.items if len(self.keys) > 1 else [(item,) for item in self.items]
        frame = pl.DataFrame({key: pl.Series([name[j] for name in names]) for j, key in enumerate(self.keys)})
        meta = self.meta.replace(extra={**self.meta.extra, **said})
        if self.outputs is None:
            return Scores(frame.with_columns(**_series(columns)), self.keys, (), self.item, better, meta=meta)
        each = [
            frame.with_columns(
                pl.lit(name).alias("output"), **_series({c: a[:, o] for c, a in columns.items()})
            )
            for o, name in enumerate(self.outputs)
        ]
        return Scores(pl.concat(each), self.keys, ("output",), self.item, better, meta=meta)


def _over_instances(
    fold: Callable[[NDArray[np.float64]], NDArray[np.float64]],
) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """`fold` over the instances; NaN where an item was attributed in none of them."""

    def folded(values: NDArray[np.float64]) -> NDArray[np.float64]:
        known = ~np.isnan(values).all(axis=0)
        return np.where(known, fold(np.where(known, values, 0.0)), np.nan)

    return folded


AGGREGATES: dict[str, tuple[Callable[[NDArray[np.float64]], NDArray[np.float64]], Better]] = {
    "mean_abs": (_over_instances(lambda v: np.nanmean(np.abs(v), axis=0)), "high"),
    "mean": (_over_instances(lambda v: np.nanmean(v, axis=0)), "abs"),
    "max_abs": (_over_instances(lambda v: np.nanmax(np.abs(v), axis=0)), "high"),
    "rms": (_over_instances(lambda v: np.sqrt(np.nanmean(v**2, axis=0))), "high"),
    "positive": (_over_instances(lambda v: np.nansum(v > 0, axis=0) / np.sum(~np.isnan(v), axis=0)), "high"),
}


def _folded(
    fold: Callable[[NDArray[np.float64]], NDArray[np.float64]], values: NDArray[np.float64]
) -> dict[str, NDArray[Any]]:
    return {"value": fold(values), "n": np.sum(~np.isnan(values), axis=0)}


def _series(columns: Mapping[str, NDArray[Any]]) -> dict[str, pl.Series]:
    return {name: pl.Series(name, np.ascontiguousarray(array)) for name, array in columns.items()}


def _spread(name: str, given: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float64]:
    array = reals(given, name)
    try:
        return np.broadcast_to(array, shape)
    except ValueError:
        raise ValueError(f"{name} must spread to the shape {shape}, got {array.shape}") from None


def _shaped(name: str, given: Any, shape: tuple[int, ...], kind: type | None = None) -> NDArray[Any] | None:
    """Read-only and of exactly this shape: real numbers, or of a kind."""
    if given is None:
        return None
    array: NDArray[Any] = reals(given, name) if kind is None else np.array(given).astype(kind)
    if array.shape != shape:
        raise ValueError(f"{name} must have the shape {shape}, got {array.shape}")
    array.flags.writeable = False
    return array
