"""Number columns in bins chosen for a label, judged on rows that had no part in the choice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from salience.data.hashing import MISSING
from salience.data.plan import Plan, plan
from salience.data.readers import open_source
from salience.data.scan import scan
from salience.measures.contingency import Contingency
from salience.measures.counting import CountState
from salience.measures.information import corrected
from salience.measures.nulltable import NullTable
from salience.tabular.transforms.binning import SupervisedBins, ordered_counts
from salience.tabular.transforms.derivation import number_columns
from salience.tabular.transforms.profile import pilot_statistics

__all__ = ["supervised_bins"]


def supervised_bins(
    source: Any,
    label: str,
    *,
    columns: Sequence[str] | None = None,
    method: str = "mdlp",
    max_bins: int = 10,
    fine: int = 256,
    spec: Mapping[str, Mapping[str, Any]] | None = None,
    memory: str | int = "1GiB",
    n_jobs: int = 2,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> pl.DataFrame:
    """Bin each number column for a label, and say what the bins tell about it.

    A random half of the rows chooses the edges, out of `fine` quantiles; the other half gives the score.

    Parameters
    ----------
    source : path, list of paths, or a table in memory
    label : str
    columns : sequence of str, optional
        Number columns; all of them by default.
    method : {"mdlp", "merge"}
        As in :class:`SupervisedBins`: split as long as it shortens the description, or merge until `max_bins` are left.
    max_bins : int
        Only for "merge".
    fine : int
        Bins to choose from. A column of few values has one for each.
    spec : mapping, optional
        Overrides of the plan by column, e.g. ``{"zip": {"kind": "text"}}``.
    memory, n_jobs, seed
        As for the ranker.
    progress : callable, optional
        ``progress(rows done, rows in all)``.

    Returns
    -------
    polars.DataFrame
        ``column, value`` (mutual information above chance, nats), ``se, bins, edges`` (a list; a number on an edge belongs to
        the bin above it), best first. A missing number is a bin of its own and not counted.

    Raises
    ------
    ValueError
        No number column, an unknown method or column, no such label.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> age = rng.integers(18, 90, size=4000)
    >>> frame = pl.DataFrame({"age": age, "noise": rng.normal(size=4000), "old": (age >= 60).astype(int)})
    >>> supervised_bins(frame, "old").select("column", pl.col("value").round(2), "bins", "edges").rows()
    [('age', 0.68, 2, [60.0]), ('noise', 0.0, 1, [])]
    """
    opened = open_source(source)
    planned = plan(opened, label, spec=spec, memory=memory, seed=seed, bins=fine)
    names = number_columns(planned, columns)
    if not names:
        raise ValueError("there is no number column to bin; declare those that are (--as number:COLUMN)")
    planned = _with_edges(planned, opened, names)
    halves = {f"half {i}": _Half([(name, "bins") for name in names], label, planned, i) for i in (0, 1)}
    scan(planned, dict(halves), source=opened, columns=[*names, label], threads=n_jobs, progress=progress)
    choosing, judging = (state.finalize() for state in halves.values())
    chosen = SupervisedBins.fit(planned, {name: choosing[name, "bins"] for name in names}, method, max_bins)
    rows = []
    for name in names:
        cuts = chosen.cuts.get(name, np.empty(0))
        said = _score(judging[name, "bins"], planned.column(name).edges, cuts)
        rows.append(
            {"column": name, "value": said[0], "se": said[1], "bins": len(cuts) + 1, "edges": cuts.tolist()}
        )
    return pl.DataFrame(rows, schema_overrides={"edges": pl.List(pl.Float64)}).sort("value", descending=True)


def _with_edges(planned: Plan, source: Any, names: Sequence[str]) -> Plan:
    """The plan with edges for columns of few values too: halfway between them."""
    fitted = pilot_statistics(source, planned, [name for name in names if planned.column(name).edges is None])
    columns = []
    for column in planned.columns:
        if column.name in fitted:
            distinct = np.unique(fitted[column.name].grid)
            column = replace(column, edges=(distinct[1:] + distinct[:-1]) / 2)
        columns.append(column)
    return replace(planned, columns=tuple(columns))


def _score(table: Contingency, edges: Any, cuts: np.ndarray) -> tuple[float, float]:
    """Information in the bins between `cuts`, from counts of the fine ones; and its standard error."""
    fine = ordered_counts(table, len(edges) + 1)
    starts = np.append(0, np.searchsorted(edges, cuts) + 1)
    missing = table.counts[table.keys == np.uint64(MISSING)]  # (0 or 1, classes)
    counts = np.concatenate([np.add.reduceat(fine, starts, axis=0), missing])
    keys = np.append(np.arange(len(starts), dtype=np.uint64), np.full(len(missing), MISSING, dtype=np.uint64))
    said = Contingency(keys, counts, np.ones(len(keys)), counts.sum(axis=0))
    found = corrected(said, NullTable(said.label_counts))
    return found.score, found.se


class _Half(CountState):
    """Counts of a random half of the rows, drawn from the block's id; every other row would fall in step with the data."""

    def __init__(self, items: Sequence[tuple[str, str]], label: str, plan: Plan, which: int) -> None:
        super().__init__(items, label, plan)
        self.which = which

    def labels_of(self, block: Any) -> NDArray[np.int32]:
        """Class of each row of this half; rows of label -1 are passed over."""
        first = np.random.default_rng(block.id).random(block.rows) < 0.5
        mine = first if self.which == 0 else ~first
        return np.where(mine, super().labels_of(block), np.int32(-1))

    def empty(self) -> Self:
        """A state of the same configuration without counts."""
        fresh: Any = super().empty()
        fresh.which = self.which
        return fresh
