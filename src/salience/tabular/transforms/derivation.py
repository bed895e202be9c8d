"""Transformed numbers as columns of a scan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from salience.data.blocks import Column
from salience.data.hashing import identities
from salience.tabular.streaming.naming import named_items, no_such_column
from salience.tabular.transforms.functions import Transform, find_transforms
from salience.tabular.transforms.statistics import Statistics

if TYPE_CHECKING:
    from salience.data.blocks import Block
    from salience.data.plan import Plan

__all__ = ["Transforms", "number_columns"]

_VALUES = 64  # a number with more distinct values is binned too, as in the plan


class Transforms:
    """A derivation: every transform of a preset, of every number column for which it makes sense.

    A candidate is dropped if its result is constant, if one value takes `majority` or more of the rows, or if
    `missing` or more of them have no result. This is judged on the quantiles in `fitted`, once, so that
    every worker has the same columns.

    Parameters
    ----------
    plan : Plan
        Of the scan.
    preset : str or sequence, default "default"
        See `find_transforms`.
    columns : sequence of str, optional
        Number columns; all of them when not given.
    fitted : mapping of str to Statistics
        Of each of the columns, from `ProfileState`.
    digits : int or None, default 9
        Significant digits to which results are rounded before they are identified, so that a result does not
        depend on the last bit of a machine's logarithm. None: no rounding.
    bins : int, default 32
        Bins of results with more than 64 distinct values.
    majority, missing : float
        Shares of rows, 0.80 and 0.75 by default.
    row_order : bool, default False
        Also allow the transforms that depend on the order of rows; they see one block at a time.

    Attributes
    ----------
    names : tuple of str
        For example ``"log(x+1)(age)"``.
    items : dict
        From name to ``(column, transform)``.
    dropped : dict
        From ``(column, transform)`` to the reason.
    """

    def __init__(
        self,
        plan: Plan,
        preset: str | Sequence[str | Transform] = "default",
        columns: Iterable[str] | None = None,
        fitted: Mapping[str, Statistics] | None = None,
        *,
        digits: int | None = 9,
        bins: int = 32,
        majority: float = 0.80,
        missing: float = 0.75,
        row_order: bool = False,
    ) -> None:
        chosen = number_columns(plan, columns)
        absent = [c for c in chosen if c not in (fitted or {})]
        if absent:
            raise ValueError(
                f"no statistics for {absent}: scan a ProfileState({absent}) first and give fitted=its result"
            )
        self.fitted = {c: (fitted or {})[c] for c in chosen}
        self.digits, self.bins = digits, bins
        self._transforms = {t.name: t for t in find_transforms(preset)}
        self.dropped: dict[tuple[str, str], str] = {}
        kept: list[tuple[str, tuple[str, str]]] = []
        for column, statistics in self.fitted.items():
            for transform in self._transforms.values():
                reason = "depends on the order of the rows" if transform.row_order and not row_order else None
                reason = reason or self._why_not(transform, statistics, majority, missing)
                if reason:
                    self.dropped[column, transform.name] = reason
                else:
                    kept.append((f"{transform.name}({column})", (column, transform.name)))
        self.items = named_items(kept, taken={c.name for c in plan.columns})
        self.names = tuple(self.items)

    def derive(self, block: Block, name: str) -> Column:
        """The transformed column; a missing number stays missing unless the transform fills it."""
        column, transform = self._of(name)
        x = block.column(column).numeric
        if x is None:
            raise ValueError(f"column {column!r} holds no numbers")
        y = self._result(transform, x, self.fitted[column])
        return Column(identities(pa.array(y), "number", ())[0], None, y)

    def edges(self, name: str) -> np.ndarray | None:
        """Edges of the bins of a transformed column, float64; None where it has few distinct values."""
        column, transform = self._of(name)
        y = self._result(transform, self.fitted[column].grid, self.fitted[column])
        y = np.sort(y[np.isfinite(y)])
        if len(np.unique(y)) <= _VALUES:
            return None
        at = (np.arange(1, self.bins) * len(y)) // self.bins
        return np.unique(y[at])

    def _of(self, name: str) -> tuple[str, Transform]:
        if name not in self.items:
            raise no_such_column(name, self.names, "the scan")
        column, transform = self.items[name]
        return column, self._transforms[transform]

    def _result(self, transform: Transform, x: np.ndarray, statistics: Statistics) -> np.ndarray:
        y = np.array(transform(x, statistics))
        return y if self.digits is None else _significant(y, self.digits)

    def _why_not(self, transform: Transform, s: Statistics, majority: float, missing: float) -> str | None:
        # the quantile grid stands for the rows with a number, one NaN for those without
        x = np.append(s.grid, np.nan)
        weight = np.append(np.full(len(s.grid), (1 - s.missing_share) / max(len(s.grid), 1)), s.missing_share)
        y = self._result(transform, x, s)
        gone = float(weight[np.isnan(y)].sum())
        if gone >= missing:
            return f"no result for {gone:.0%} of the rows"
        _, code = np.unique(y[~np.isnan(y)], return_inverse=True)
        shares = np.bincount(code, weights=weight[~np.isnan(y)])
        shares = shares[shares > 0]
        if len(shares) <= 1 and gone == 0:
            return "constant"
        most = max(float(shares.max(initial=0.0)), gone)
        return f"one value takes {most:.0%} of the rows" if most >= majority else None


def number_columns(plan: Plan, columns: Iterable[str] | None = None) -> tuple[str, ...]:
    """The number columns of a plan without its labels, or the given ones if they are number columns.

    Raises
    ------
    ValueError
        If a given column does not exist or is not planned as a number.
    """
    kinds = {c.name: c.kind for c in plan.columns}
    if columns is None:
        labels = {label.name for label in plan.labels}
        return tuple(name for name, kind in kinds.items() if kind == "number" and name not in labels)
    for name in (chosen := tuple(columns)):
        if name not in kinds:
            raise no_such_column(name, kinds, "columns")
        if kinds[name] != "number":
            raise ValueError(f"column {name!r} is planned as {kinds[name]!r}; transforms need numbers")
    return chosen


def _significant(y: np.ndarray, digits: int) -> np.ndarray:
    # 0 stays 0; what overflows the scale is too large or too small to be rounded and stays as it is
    with np.errstate(all="ignore"):
        scale = 10.0 ** (digits - 1 - np.floor(np.log10(np.abs(y))))
        rounded = np.round(y * scale) / scale
    return np.where(np.isfinite(rounded), rounded, y)
