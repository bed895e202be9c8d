"""Rare values: how many values of a column occur hardly ever, and which ones.

Two passes, each exact and mergeable. The first is the counting of every column
(`measures.counting.CountState`); of a column with more values than its cap it has a sample of the values,
from which the share of rare ones is estimated without bias. The second, only when texts are wanted, looks up
the texts of the identities found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Self

import numpy as np
import polars as pl
import pyarrow as pa

from salience.data.hashing import MISSING, as_text, hash_value
from salience.results.meta import Meta
from salience.results.scores import Scores
from salience.tabular.streaming.naming import no_such_column

if TYPE_CHECKING:
    from salience.data.blocks import Block
    from salience.data.plan import Plan
    from salience.measures.contingency import Contingency

__all__ = ["RareValues", "TextLookup", "rare_values"]


@dataclass(frozen=True, eq=False)
class RareValues:
    """What is rare in each column.

    Attributes
    ----------
    summary : pl.DataFrame
        One row per column: ``column``, ``distinct`` (values, without the missing one), ``rare`` (of them),
        ``rare_share`` of the distinct values and its standard error ``se``, ``rare_rows`` and ``rows_share``
        (rows with a rare value), ``ignored`` (values of the ignore list that would have been rare) and
        ``complete`` (whether all values were counted, or a sample).
    values : pl.DataFrame
        One row per rare value that was kept: ``column``, ``identity`` (uint64), ``count``.
    bound : int
        Most rows of a rare value.
    """

    summary: pl.DataFrame
    values: pl.DataFrame
    bound: int

    @property
    def wanted(self) -> dict[str, np.ndarray]:
        """Identities of the rare values of each column: what a `TextLookup` is asked for."""
        parts = self.values.partition_by("column", as_dict=True, maintain_order=True)
        return {str(key[0]): part["identity"].to_numpy() for key, part in parts.items()}

    def scores(self, texts: pl.DataFrame) -> Scores:
        """The rare values by name, rarest first.

        Parameters
        ----------
        texts : pl.DataFrame
            Result of a `TextLookup` of `wanted`.
        """
        found = self.values.join(texts, on=["column", "identity"], how="inner", maintain_order="left")
        frame = found.select("column", "text", pl.col("count").cast(pl.Float64).alias("value"), "identity")
        meta = Meta(method="rare values", params={"bound": self.bound}, unit="rows")
        return Scores(frame, ("column", "text"), item="value", better="low", meta=meta)


def rare_values(
    tables: Mapping[str, Contingency],
    plan: Plan,
    bound: int = 1,
    ignore: Iterable[tuple[str, str]] = (),
    most: int = 1000,
) -> RareValues:
    """Find the values that occur in at most `bound` rows.

    Parameters
    ----------
    tables : mapping of str to Contingency
        Counts of the view ``"values"`` of each column, over the labelled rows.
    plan : Plan
        Kinds of the columns.
    bound : int, default 1
        Most rows of a rare value.
    ignore : iterable of (column, value)
        Values, as text, that are not to be reported *in that column*. (In the original the list is asked for
        the value alone, so that it never takes effect and known values come back as rare.)
    most : int, default 1000
        Rare values kept of a column, those of the smallest count, then identity. They are all counted in the
        summary.

    Returns
    -------
    RareValues

    Raises
    ------
    ValueError
        If `bound` is below 1 or the ignore list names a column that does not exist.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from salience.measures.contingency import Contingency
    >>> table = Contingency.from_counts([[5, 4], [1, 0], [0, 1], [0, 3]])
    >>> found = rare_values({"city": table}, SimpleNamespace(columns=[]))
    >>> found.summary.select("distinct", "rare", "rare_share").row(0)
    (4.0, 2.0, 0.5)
    """
    if bound < 1:
        raise ValueError(f"bound is the most rows of a rare value, at least 1; got {bound}")
    ignored = _ignored(ignore, plan, tables)
    rows: list[dict[str, object]] = []
    kept: list[pl.DataFrame] = []
    for column, table in tables.items():
        totals = table.totals
        rare = (totals <= bound) & (table.keys != MISSING)
        known = rare & np.isin(table.keys, ignored.get(column, np.empty(0, dtype=np.uint64)))
        rare &= ~known
        rows.append(_summary(column, table, totals, rare, known))
        at = np.flatnonzero(rare)
        at = at[np.lexsort((table.keys[at], totals[at]))][:most]
        kept.append(
            pl.DataFrame(
                {"column": [column] * len(at), "identity": table.keys[at], "count": totals[at]}, _VALUES
            )
        )
    return RareValues(pl.DataFrame(rows), pl.concat(kept) if kept else pl.DataFrame(schema=_VALUES), bound)


_VALUES = {"column": pl.String, "identity": pl.UInt64, "count": pl.Int64}


def _ignored(
    ignore: Iterable[tuple[str, str]], plan: Plan, tables: Mapping[str, object]
) -> dict[str, np.ndarray]:
    kinds = {c.name: c.kind for c in plan.columns}
    identities: dict[str, list[np.uint64]] = {}
    for column, value in ignore:
        if column not in tables and column not in kinds:
            raise no_such_column(column, {**kinds, **tables}, "the ignore list")
        identities.setdefault(column, []).append(hash_value(value, kinds.get(column, "text")))
    return {column: np.array(found, dtype=np.uint64) for column, found in identities.items()}


def _summary(
    column: str, table: Contingency, totals: np.ndarray, rare: np.ndarray, known: np.ndarray
) -> dict[str, object]:
    distinct = table.distinct
    count = float(table.weight[rare].sum())
    share = count / distinct if distinct else 0.0
    # a simple random sample of the light values: the heavy ones, counted for sure, are never the rare ones
    light = table.sampled
    sampled = int(light.sum())
    p = float((rare & light).sum()) / sampled if sampled else 0.0
    light_share = float(table.weight[light].sum()) / distinct if distinct else 0.0
    se = light_share * float(np.sqrt(p * (1 - p) / sampled)) if sampled else 0.0
    in_rows = float((table.weight * totals)[rare].sum())
    return {
        "column": column,
        "distinct": distinct,
        "rare": count,
        "rare_share": share,
        "se": se,
        "rare_rows": in_rows,
        "rows_share": in_rows / max(int(table.label_counts.sum()), 1),
        "ignored": int(known.sum()),
        "complete": table.complete,
    }


class TextLookup:
    """A state that finds the texts of identities: the second pass.

    Parameters
    ----------
    wanted : mapping of str to uint64 array
        Identities to look for in each column of the source, for example `RareValues.wanted`.

    Notes
    -----
    Where one identity is written in several ways (``1`` and ``1.0`` in a column of numbers) the text that
    sorts first is kept, so that the result does not depend on the order of the rows.
    """

    def __init__(self, wanted: Mapping[str, np.ndarray]) -> None:
        self.wanted = {c: np.unique(np.asarray(ids, dtype=np.uint64)) for c, ids in wanted.items()}
        self.found: dict[str, dict[int, str]] = {c: {} for c in self.wanted}

    def parts(self, block: Block) -> Iterable[Callable[[], None]]:
        """One part per column."""
        for column in self.wanted:
            part = partial(self._look, block, column)
            part.column = column  # type: ignore[attr-defined]  # parts of one column run in one thread
            yield part

    def _look(self, block: Block, column: str) -> None:
        coded = block.column(column).coded()
        assert coded.codes is not None  # coded
        hit = np.isin(coded.hashes, self.wanted[column])
        rows = np.flatnonzero(hit[coded.codes])
        if not len(rows):
            return
        hashes = coded.hashes[coded.codes[rows]]
        texts = as_text(block.raw(column).take(pa.array(rows))).to_pylist()
        for identity, text in zip(hashes.tolist(), texts, strict=True):
            self._keep(column, identity, "" if text is None else str(text))

    def _keep(self, column: str, identity: int, text: str) -> None:
        found = self.found[column]
        found[identity] = min(found.get(identity, text), text)

    def merge(self, other: Self) -> None:
        """Take up another lookup of the same identities."""
        for column, found in other.found.items():
            for identity, text in found.items():
                self._keep(column, identity, text)

    def empty(self) -> Self:
        """A fresh lookup of the same identities."""
        return type(self)(self.wanted)

    def to_arrow(self) -> pa.Table:
        """What was found: ``column``, ``identity``, ``text``."""
        return self.finalize().to_arrow().cast(_FOUND)

    def load_arrow(self, table: pa.Table) -> None:
        """Replace what was found."""
        self.found = {c: {} for c in self.wanted}
        for row in table.to_pylist():
            self._keep(row["column"], row["identity"], row["text"])

    def finalize(self) -> pl.DataFrame:
        """``column``, ``identity`` (uint64), ``text``, in ascending order."""
        rows = [(c, i, t) for c, found in self.found.items() for i, t in found.items()]
        schema = {"column": pl.String, "identity": pl.UInt64, "text": pl.String}
        return pl.DataFrame(rows, schema=schema, orient="row").sort("column", "identity")


_FOUND = pa.schema([("column", pa.string()), ("identity", pa.uint64()), ("text", pa.string())])
