"""Streaming moments of number columns: mean, deviation, extremes, means by class, correlation with the label.

The floats of one block are added by numpy; what the blocks give is added exactly, as integers. The boundaries
of the blocks belong to the Plan, so any order, partition and merge tree of the blocks gives the same bits.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from salience.measures.exactsum import exact, ratio

__all__ = ["MomentState", "Moments"]

_LARGEST = 1e150  # beyond it squares overflow; such values are counted as infinite
_SHOWN_ROWS = 4096  # of each block, into the quantile sketch: it is for display, and slower than all the rest
_SKETCH_SIZE = 400  # KLL: rank error about 0.7 % with 99 % confidence
_PROBABILITIES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_CONTENT = "salience.moments"


@dataclass(frozen=True)
class Moments:
    """What is known about the numbers of a column, over the rows that have a label (all rows when there is
    none).

    Attributes
    ----------
    n, missing, infinite : int
        Rows with a finite number; without a number; with one that is infinite or beyond +-1e150.
    mean, sd : float
        sd with ``n - 1``; nan when there are too few rows.
    minimum, maximum : float
    class_counts : ndarray of int64, shape (classes,)
        Rows with a finite number by class.
    class_means : ndarray of float64, shape (classes,)
    pearson : float
        Correlation with the numeric label, or with the second of two classes; nan for more classes and
        without a label, 0.0 when either is constant.
    correlation_ratio : float
        ``eta``: root of the share of the variance that lies between the classes; nan without classes.
    quantiles : dict of float to float
        Approximate, from a sketch of a sample, for display only.
    """

    n: int
    missing: int
    infinite: int
    mean: float
    sd: float
    minimum: float
    maximum: float
    class_counts: NDArray[np.int64]
    class_means: NDArray[np.float64]
    pearson: float
    correlation_ratio: float
    quantiles: dict[float, float] = field(default_factory=dict)


@dataclass
class _Sums:
    """Integers only (units of `salience.measures.exactsum`), beside the extremes: adding two of them commutes
    exactly."""

    n: int = 0
    missing: int = 0
    infinite: int = 0
    x: int = 0  # sum of x
    y: int = 0  # sum of the numeric label
    xx_between: int = 0  # sum over blocks of (sum x)^2 / n
    xy_between: int = 0
    yy_between: int = 0
    xx_within: int = 0  # sum over blocks of the squares about the block's own mean
    xy_within: int = 0
    yy_within: int = 0
    minimum: float = math.inf
    maximum: float = -math.inf
    class_n: list[int] = field(default_factory=list)
    class_x: list[int] = field(default_factory=list)

    def add(self, other: _Sums) -> None:
        for name in _ADDED:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.minimum, self.maximum = min(self.minimum, other.minimum), max(self.maximum, other.maximum)
        self.class_n = [a + b for a, b in zip(self.class_n, other.class_n, strict=True)]
        self.class_x = [a + b for a, b in zip(self.class_x, other.class_x, strict=True)]

    def spread(self, first: str, second: str) -> float:
        """Sum of products about the means; the part between blocks is a difference of integers, so nothing
        cancels."""
        pair = first + second
        between = getattr(self, f"{pair}_between") * self.n - getattr(self, first) * getattr(self, second)
        return ratio(getattr(self, f"{pair}_within"), 1) + ratio(between, self.n, products=2)


_ADDED = (
    "n", "missing", "infinite", "x", "y",
    "xx_between", "xy_between", "yy_between", "xx_within", "xy_within", "yy_within",
)  # fmt: skip


class MomentState:
    """Moments of number columns, filled in one scan.

    Parameters
    ----------
    columns : sequence of str
        Columns that have numbers, of the plan or of a derivation.
    plan : Plan
    label : str, optional
        Name of one of the labels of the plan. Rows without that label are skipped.
    quantiles : bool, default=True
        Whether to keep a sketch for approximate quantiles.

    Raises
    ------
    ValueError
        When the label is not in the plan.
    """

    def __init__(
        self, columns: Sequence[str], plan: Any, label: str | None = None, quantiles: bool = True
    ) -> None:
        labels = {entry.name: entry for entry in plan.labels}
        if label is not None and label not in labels:
            raise ValueError(
                f"the plan has no label {label!r}; it has {', '.join(map(repr, labels)) or 'none'}"
            )
        self.columns = tuple(columns)
        self.label = label
        self.numeric_label = label is not None and labels[label].kind == "bins"
        self.n_classes = len(labels[label].classes) if label is not None else 0
        self.with_quantiles = quantiles
        self._clear()

    def _clear(self) -> None:
        classes = self.n_classes
        self._sums = {name: _Sums(class_n=[0] * classes, class_x=[0] * classes) for name in self.columns}
        self._sketches = {name: _sketch() for name in self.columns if self.with_quantiles}

    def parts(self, block: Any) -> Iterable[Callable[[], None]]:
        """Yield one piece of the update per column."""
        for name in self.columns:
            part = partial(self._add, block, name)
            part.column = name  # type: ignore[attr-defined]  # the scan keeps pieces of one column together
            yield part

    def _add(self, block: Any, name: str) -> None:
        numbers = block.column(name).numeric
        if numbers is None:
            raise ValueError(
                f"column {name!r} has no numbers; leave it out, or declare it a number (--as number:{name})"
            )
        keep, labels, target = np.ones(len(numbers), dtype=bool), None, None
        if self.label is not None:
            labels = block.labels[self.label]
            keep = labels >= 0
        if self.numeric_label:
            target = block.column(self.label).numeric
            keep &= np.abs(target) <= _LARGEST
        absent = np.isnan(numbers)
        finite = np.abs(numbers) <= _LARGEST  # False for NaN
        used = keep & finite
        sums = _Sums(missing=int((keep & absent).sum()), infinite=int((keep & ~absent & ~finite).sum()))
        x = numbers[used]
        classes = labels[used] if labels is not None else None
        self._measure(sums, x, None if target is None else target[used], classes)
        self._sums[name].add(sums)
        if self.with_quantiles and len(x):
            self._sketches[name].update(np.ascontiguousarray(x[:: -(-len(x) // _SHOWN_ROWS)]))

    def _measure(
        self,
        sums: _Sums,
        x: NDArray[np.float64],
        y: NDArray[np.float64] | None,
        classes: NDArray[np.int32] | None,
    ) -> None:
        n = len(x)
        sums.n = n
        sums.class_n, sums.class_x = [0] * self.n_classes, [0] * self.n_classes
        if n == 0:
            return
        centre, about, sums.x, left = _centred(x)
        sums.minimum, sums.maximum = float(x.min()), float(x.max())
        sums.xx_within, sums.xx_between = _within(about, about, left * left / n), sums.x**2 // n
        if y is not None:
            _, about_y, sums.y, left_y = _centred(y)
            sums.yy_within, sums.yy_between = _within(about_y, about_y, left_y * left_y / n), sums.y**2 // n
            sums.xy_within, sums.xy_between = _within(about, about_y, left * left_y / n), sums.x * sums.y // n
        if classes is not None:
            sums.class_n = np.bincount(classes, minlength=self.n_classes).tolist()
            by_class = np.bincount(classes, weights=about, minlength=self.n_classes).tolist()
            sums.class_x = [k * centre + exact(part) for k, part in zip(sums.class_n, by_class, strict=True)]

    def merge(self, other: MomentState) -> None:
        """Add the moments of a state of the same columns, label and plan."""
        self._check(other.columns, other.label)
        for name, sums in other._sums.items():
            self._sums[name].add(sums)
            if self.with_quantiles and other.with_quantiles:
                self._sketches[name].merge(other._sketches[name])

    def empty(self) -> MomentState:
        """Return a state of the same configuration without rows."""
        fresh = object.__new__(type(self))
        fresh.columns, fresh.label, fresh.numeric_label = self.columns, self.label, self.numeric_label
        fresh.n_classes, fresh.with_quantiles = self.n_classes, self.with_quantiles
        fresh._clear()
        return fresh

    def to_arrow(self) -> pa.Table:
        """Return the content, one row per column: ``column``, ``sums`` (JSON), ``sketch``."""
        table = pa.table(
            {
                "column": pa.array(self.columns, pa.string()),
                "sums": pa.array([_packed(sums) for sums in self._sums.values()], pa.string()),
                "sketch": pa.array(
                    [
                        self._sketches[name].serialize() if self.with_quantiles else None
                        for name in self.columns
                    ],
                    pa.binary(),
                ),
            }
        )
        return table.replace_schema_metadata({_CONTENT: json.dumps({"label": self.label})})

    def load_arrow(self, table: pa.Table) -> None:
        """Replace the content by that of a state of the same configuration, written by `to_arrow`."""
        metadata = table.schema.metadata or {}
        if _CONTENT.encode() not in metadata:
            raise ValueError(
                f"this Arrow table has no {_CONTENT!r} metadata: MomentState.to_arrow did not write it"
            )
        rows = table.to_pylist()
        self._check(tuple(row["column"] for row in rows), json.loads(metadata[_CONTENT.encode()])["label"])
        self._clear()
        for row in rows:
            self._sums[row["column"]].add(_unpacked(row["sums"]))
            if self.with_quantiles and row["sketch"] is not None:
                self._sketches[row["column"]] = _sketch().deserialize(row["sketch"])

    def finalize(self) -> dict[str, Moments]:
        """Return the moments of every column."""
        return {name: self._moments(name) for name in self.columns}

    def _moments(self, name: str) -> Moments:
        sums = self._sums[name]
        n = sums.n
        square = sums.spread("x", "x") if n else 0.0
        counts = np.array(sums.class_n, dtype=np.int64)
        means = np.array([ratio(x, k) for x, k in zip(sums.class_x, sums.class_n, strict=True)])
        mean = ratio(sums.x, n)
        between = float(np.nansum(counts * (means - mean) ** 2)) if n else 0.0
        share = min(between / square, 1.0) if square > 0 else 0.0
        eta = math.sqrt(share) if self.n_classes else math.nan
        sketch: Any = self._sketches.get(name)
        shown: list[float] = (
            [] if sketch is None or sketch.is_empty() else sketch.get_quantiles(_PROBABILITIES)
        )
        return Moments(
            n=n,
            missing=sums.missing,
            infinite=sums.infinite,
            mean=mean,
            sd=math.sqrt(max(square, 0.0) / (n - 1)) if n > 1 else math.nan,
            minimum=sums.minimum if n else math.nan,
            maximum=sums.maximum if n else math.nan,
            class_counts=counts,
            class_means=means,
            pearson=self._pearson(sums, square, means, eta),
            correlation_ratio=eta,
            quantiles=dict(zip(_PROBABILITIES, sketch.get_quantiles(_PROBABILITIES), strict=True))
            if shown
            else {},
        )

    def _pearson(self, sums: _Sums, square: float, means: NDArray[np.float64], eta: float) -> float:
        if self.numeric_label and sums.n:
            product = square * sums.spread("y", "y")
            return max(-1.0, min(1.0, sums.spread("x", "y") / math.sqrt(product))) if product > 0 else 0.0
        if self.n_classes == 2 and sums.n:
            return math.copysign(eta, means[1] - means[0]) if min(sums.class_n) else 0.0
        return math.nan

    def _check(self, columns: tuple[str, ...], label: str | None) -> None:
        if columns != self.columns or label != self.label:
            raise ValueError(
                f"the states differ: columns {list(self.columns)[:5]} with label {self.label!r} here, "
                f"{list(columns)[:5]} with label {label!r} there"
            )


def _sketch() -> Any:
    from datasketches import kll_doubles_sketch  # only where quantiles are wanted

    return kll_doubles_sketch(_SKETCH_SIZE)


def _centred(x: NDArray[np.float64]) -> tuple[int, NDArray[np.float64], int, float]:
    """Return a centre near the mean, x about it, the sum of x, and the sum of x about it (both first in exact
    units).

    Sums are by np.sum, not a dot product: the order of additions of a BLAS differs between machines.
    """
    centre = float(np.sum(x)) / len(x)
    about = x - centre
    left = float(np.sum(about))
    return exact(centre), about, len(x) * exact(centre) + exact(left), left


def _within(a: NDArray[np.float64], b: NDArray[np.float64], excess: float) -> int:
    return exact(float(np.sum(a * b)) - excess)


def _packed(sums: _Sums) -> str:
    fields = {**vars(sums), "minimum": sums.minimum.hex(), "maximum": sums.maximum.hex()}
    return json.dumps({name: _hexed(value) for name, value in fields.items()})


def _hexed(value: Any) -> Any:
    # hexadecimal: Python refuses decimal text of integers as long as these
    if isinstance(value, list):
        return [hex(entry) for entry in value]
    return hex(value) if isinstance(value, int) else value


def _unpacked(text: str) -> _Sums:
    sums = _Sums()
    for name, value in json.loads(text).items():
        if name in ("minimum", "maximum"):
            setattr(sums, name, float.fromhex(value))
        else:
            setattr(
                sums, name, [int(entry, 16) for entry in value] if isinstance(value, list) else int(value, 16)
            )
    return sums
