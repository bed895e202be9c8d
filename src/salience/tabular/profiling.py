"""What is in the columns of a source: values, repetitions, sizes and numbers, in one pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Self

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from salience.data.blocks import Block
from salience.data.hashing import hash_value, is_text
from salience.data.plan import plan
from salience.data.readers import open_source
from salience.data.scan import scan
from salience.measures.counting import Contingency
from salience.measures.moments import Moments, MomentState
from salience.tabular.streaming.expand import pilot_values
from salience.tabular.streaming.parts import Origin, OriginState

REPETITIONS = (1, 10, 100, 1_000, 10_000, 100_000)


def profile(
    source: Any,
    *,
    spec: Mapping[str, Mapping[str, Any]] | None = None,
    memory: str | int = "1GiB",
    n_jobs: int = 2,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> pl.DataFrame:
    """Describe every column.

    Parameters
    ----------
    source : path, list of paths, or a table in memory
    spec : mapping, optional
        Overrides of the plan by column, e.g. ``{"zip": {"kind": "text"}}``.
    memory : str or int
        What the process may use.
    n_jobs, seed : int
    progress : callable, optional
        ``progress(rows done, rows in all)``.

    Returns
    -------
    polars.DataFrame
        One row per column: ``column, kind, rows, coverage, distinct, distinct_error`` (relative standard error; 0 where every
        value was counted), ``top_value, top_share, over_1 ... over_100000`` (values that occur more often than that),
        ``bytes_per_value`` (mean length of a text in UTF-8, 8 of an int64, of a list all that is in it; missing and empty values
        left out), ``min, max, mean, sd`` and ``q1, q25, q50, q75, q99`` (approximate) of numbers.

    Examples
    --------
    >>> frame = profile({"a": ["x", "x", "y", None], "n": [1, 2, 3, 10]})
    >>> frame.select("column", "coverage", "distinct", "top_value", "over_1", "mean").rows()
    [('a', 0.75, 2.0, 'x', 1, None), ('n', 1.0, 4.0, '1', 0, 4.0)]
    """
    opened = open_source(source)
    found = plan(opened, spec=spec, memory=memory, seed=seed)
    names = [column.name for column in found.columns]
    numeric = [column.name for column in found.columns if column.kind in ("number", "time")]
    counts = OriginState([(name, "values") for name in names], found, Origin(0), 1)
    moments, sizes = MomentState(numeric, found), SizeState(names)
    states: dict[str, Any] = {"counts": counts, "moments": moments, "sizes": sizes}
    scan(found, states, source=opened, progress=progress, threads=n_jobs)
    tables, numbers, widths = counts.finalize(), moments.finalize(), sizes.finalize()
    tops = pilot_values(opened, found, [c.name for c in found.columns if c.kind != "list"], most=1)
    rows = []
    for column in found.columns:
        table = tables[column.name, "values"]
        rows.append(
            {
                "column": column.name,
                "kind": column.kind,
                "rows": table.rows,
                "coverage": table.coverage,
                "distinct": min(table.distinct, float(table.rows)),
                "distinct_error": table.distinct_error,
                **_top(table, tops.get(column.name, ()), column.kind),
                **repetitions(table),
                "bytes_per_value": widths[column.name],
                **_of_numbers(numbers.get(column.name)),
            }
        )
    return pl.DataFrame(rows)


def repetitions(table: Contingency) -> dict[str, int]:
    """How many values occur more than 1, 10, ... 100,000 times (estimated where values were sampled).

    Examples
    --------
    >>> repetitions(Contingency.from_codes([0] * 20 + [1, 2], [0] * 22))["over_10"]
    1
    """
    there = table.keys != np.uint64(table.missing)
    return {f"over_{n}": round(float(table.weight[there & (table.totals > n)].sum())) for n in REPETITIONS}


def _top(table: Contingency, values: tuple[str, ...], kind: str) -> dict[str, Any]:
    if not values:
        return {"top_value": None, "top_share": None}
    at = np.flatnonzero(table.keys == hash_value(values[0], kind))
    share = float(table.totals[at[0]]) / table.rows if len(at) else None
    return {"top_value": values[0], "top_share": share}


def _of_numbers(moments: Moments | None) -> dict[str, float | None]:
    names = {"q1": 0.01, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q99": 0.99}
    if moments is None or not moments.n:
        return dict.fromkeys(("min", "max", "mean", "sd", *names))
    exact = {"min": moments.minimum, "max": moments.maximum, "mean": moments.mean, "sd": moments.sd}
    return {**exact, **{name: moments.quantiles.get(q) for name, q in names.items()}}


class SizeState:
    """A state of the scan: bytes of the values of each column as they are stored, and how many have any.

    What Arrow needs beside them (offsets, bitmaps, codes of a dictionary) does not count.

    Parameters
    ----------
    names : sequence of str
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(names)
        self._bytes = np.zeros((len(self.names), 2), dtype=np.int64)

    def parts(self, block: Block) -> Iterable[Callable[[], None]]:
        """One piece per column."""
        return [partial(self._add, block, place, name) for place, name in enumerate(self.names)]

    def _add(self, block: Block, place: int, name: str) -> None:
        lengths = _lengths(block.raw(name))
        self._bytes[place] += (int(lengths.sum()), int(np.count_nonzero(lengths)))

    def merge(self, other: Self) -> None:
        """Add the sizes of other rows."""
        self._bytes += other._bytes

    def empty(self) -> Self:
        """A state of the same configuration without rows."""
        return type(self)(self.names)

    def to_arrow(self) -> pa.Table:
        """The sums."""
        return pa.table({"bytes": self._bytes[:, 0], "values": self._bytes[:, 1]})

    def load_arrow(self, table: pa.Table) -> None:
        """Replace the sums by those that `to_arrow` gave."""
        self._bytes = np.stack([table["bytes"].to_numpy(), table["values"].to_numpy()], axis=1).copy()

    def finalize(self) -> Mapping[str, float]:
        """Bytes per value of each column."""
        per = self._bytes[:, 0] / np.maximum(self._bytes[:, 1], 1)
        return dict(zip(self.names, per.tolist(), strict=True))


def _lengths(array: pa.Array) -> NDArray[np.int64]:
    """Bytes of each value, int64 (n,); 0 where there is none."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        of_value = np.append(_lengths(array.dictionary), 0)  # -1, a missing code, is the last place
        return of_value[array.indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)]
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        parents = pc.list_parent_indices(array).to_numpy(zero_copy_only=False)
        inner = _lengths(pc.list_flatten(array))
        return np.bincount(parents, weights=inner, minlength=len(array)).astype(np.int64)
    if is_text(kind):
        found = pc.binary_length(array).fill_null(0).to_numpy(zero_copy_only=False)
        return np.asarray(found, dtype=np.int64)
    width = (
        0 if pa.types.is_null(kind) else max(1, kind.bit_width // 8)
    )  # a boolean is stored in a bit, and read as a byte
    return width * array.is_valid().to_numpy(zero_copy_only=False).astype(np.int64)
