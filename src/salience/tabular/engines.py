"""What a ranking accumulates in its pass, and how that becomes one row per column.

An engine is chosen by what the heuristic reads and by the null: counts over the whole stream (the default), batches with OutRank's
shifted null, or a sample of rows for the heuristics that train a small model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from salience.data.hashing import combine
from salience.measures import association
from salience.measures.counting import CountState
from salience.measures.moments import MomentState
from salience.measures.resampling import q_values
from salience.tabular.batches import BatchState
from salience.tabular.heuristics import Heuristic
from salience.tabular.outrank import outrank_batches
from salience.tabular.scoring import score_columns

if TYPE_CHECKING:
    from salience.data.blocks import Block, Column
    from salience.tabular.stream import StreamRanking

SAMPLE_ROWS = 20_000
NUMBER_ROWS = 200_000
PACKAGE_MIN_ROWS = 1025  # a shorter last batch is dropped, as in the package


class Engine(Protocol):
    """One way to rank in a pass."""

    def state(self, ranker: StreamRanking, label: str) -> Any:
        """An empty state of the scan."""
        ...

    def frame(self, ranker: StreamRanking, label: str, state: Any, source: Any) -> pl.DataFrame:
        """One row per column, best first, with ``column, value, rank, ...``."""
        ...


class Counts:
    """Contingency tables over the whole stream."""

    def state(self, ranker: StreamRanking, label: str) -> CountState:
        return CountState(ranker.candidates_.items, label, ranker.plan_)

    def frame(self, ranker: StreamRanking, label: str, state: CountState, source: Any) -> pl.DataFrame:
        return score_columns(
            state.finalize(),
            ranker.candidates_.kinds,
            ranker._heuristic,
            null=ranker._null,
            normalize=ranker.normalize,
            permutations=ranker.permutations,
            seed=ranker.random_state,
        )


class Batches:
    """Scores of batches and their median, as in the OutRank paper."""

    def state(self, ranker: StreamRanking, label: str) -> BatchState:
        return BatchState(
            [(name, "values") for name in ranker.candidates_.names],
            label,
            len(ranker.plan_.label(label).classes),
            null=ranker._null,
            batch_rows=ranker.batch_size,
            min_rows=ranker.min_rows,
            aggregate=ranker.aggregate,
            seed=ranker.random_state,
        )

    def frame(self, ranker: StreamRanking, label: str, state: BatchState, source: Any) -> pl.DataFrame:
        found = state.finalize()
        ranker.notes_.extend(found.meta.warnings)
        frame = found.frame.with_columns(se=pl.col("sd") / pl.col("n_batches").sqrt())
        return _ranked(frame, ranker, "value")


class Package:
    """``preset="outrank"``: the numbers of the package, from batches of strings."""

    def state(self, ranker: StreamRanking, label: str) -> None:
        return None  # it reads the rows in their order itself

    def frame(self, ranker: StreamRanking, label: str, state: None, source: Any) -> pl.DataFrame:
        if source is None:
            raise ValueError(
                'preset="outrank" needs the rows in order: use fit(), not partial_fit() or merge()'
            )
        found = outrank_batches(
            source,
            label,
            columns=[name for name in ranker.candidates_.names if name in source.columns],
            batch_rows=ranker.batch_size,
            subsample=ranker.subsample,
            pair_budget=ranker.pair_budget,
            order=ranker.order,
            seed=ranker.random_state,
            threads=ranker.n_jobs,
            min_rows=max(ranker.min_rows, PACKAGE_MIN_ROWS),
        ).summary("minmax" if ranker.normalize == "minmax" else "none")
        ranker.notes_.extend(found.meta.warnings)
        spread = (pl.col("q90") - pl.col("q10")) / 2.563 / pl.col("n_batches").sqrt()
        columns = found.frame.filter(
            pl.col("column") != label
        )  # the package lists the label among the columns
        frame = columns.with_columns(se=pl.when(pl.col("n_batches") > 1).then(spread))
        return _ranked(frame, ranker, "value")


class Sample:
    """A seeded sample of rows, on which a small model is trained for every column."""

    def state(self, ranker: StreamRanking, label: str) -> SampleState:
        return SampleState(ranker.candidates_.names, label, SAMPLE_ROWS, ranker.random_state)

    def frame(self, ranker: StreamRanking, label: str, state: SampleState, source: Any) -> pl.DataFrame:
        from salience.tabular.surrogates import (
            surrogate_scores,  # brings scikit-learn, which the others do not need
        )

        columns, labels = state.finalize()
        found = surrogate_scores(
            columns,
            labels,
            heuristic=str(ranker._heuristic.statistic),
            reference=ranker.reference,
            seed=ranker.random_state,
        )
        return _ranked(found.frame, ranker, "value")


class Correlations:
    """Pearson's correlation from the moments of the whole stream."""

    def state(self, ranker: StreamRanking, label: str) -> MomentState:
        return MomentState(_number_names(ranker), ranker.plan_, label, quantiles=False)

    def frame(self, ranker: StreamRanking, label: str, state: MomentState, source: Any) -> pl.DataFrame:
        found = state.finalize()
        rows = [(name, m.pearson, int(m.class_counts.sum())) for name, m in found.items()]
        return _correlated(rows, ranker)


class NumberSample:
    """Statistics that need the order of the numbers, on a seeded sample of rows."""

    def state(self, ranker: StreamRanking, label: str) -> SampleState:
        return SampleState(_number_names(ranker), label, NUMBER_ROWS, ranker.random_state, numbers=True)

    def frame(self, ranker: StreamRanking, label: str, state: SampleState, source: Any) -> pl.DataFrame:
        columns, labels = state.finalize()
        y = labels.astype(np.float64)
        if ranker._heuristic.name == "spearman":
            ordered = len(ranker.plan_.label(label).classes) == 2 or ranker.plan_.label(label).kind == "bins"
            rows = [
                (name, association.spearman(x, y) if ordered else float("nan"), int(np.isfinite(x).sum()))
                for name, x in columns.items()
            ]
            return _correlated(rows, ranker)
        found = {name: association.numeric_mutual_information(_finite(x), y) for name, x in columns.items()}
        frame = pl.DataFrame(
            {
                "column": list(found),
                "value": [info.score for info in found.values()],
                "se": [info.se for info in found.values()],
                "mi": [info.mi for info in found.values()],
                "null": [info.null for info in found.values()],
            }
        )
        return _ranked(frame, ranker, "value")


def engine(heuristic: Heuristic, null: str, preset: str | None = None) -> Engine:
    """The engine for a heuristic, a null and a preset.

    Raises
    ------
    ValueError
        For the shift null of anything but mutual information.
    """
    if preset == "outrank":
        return Package()
    if null == "shift" and heuristic.name != "mi":
        raise ValueError(
            f'null="shift" is defined for heuristic="mi" only, not {heuristic.name!r}; use null="permute"'
        )
    return Batches() if null == "shift" else ENGINES[heuristic.reads]()


ENGINES: dict[str, Callable[[], Engine]] = {
    "counts": Counts,
    "moments": Correlations,
    "numbers": NumberSample,
    "rows": Sample,
}


def _ranked(frame: pl.DataFrame, ranker: StreamRanking, by: str) -> pl.DataFrame:
    """Order a frame whose null is not analytic, and judge z by the normal distribution."""
    half = float(ndtri(0.975))
    se = frame["se"].to_numpy() if "se" in frame.columns else np.full(len(frame), np.nan)
    gain = frame["gain" if "gain" in frame.columns else by].to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(se > 0, gain / se, np.nan)
    p = ndtr(-z)
    q = q_values(p) if np.isfinite(p).all() else np.full(len(p), np.nan)
    kinds = ranker.candidates_.kinds
    frame = frame.with_columns(
        pl.Series("z", z),
        pl.Series("p", p),
        pl.Series("q", q),
        pl.Series("kind", [kinds.get(name, "column") for name in frame["column"]]),
        lo=pl.col(by) - half * pl.Series(se),
        hi=pl.col(by) + half * pl.Series(se),
        verdict=pl.Series(np.where(np.isnan(q), "unjudged", np.where(q < 0.05, "signal", "noise"))),
    )
    frame = frame.sort(by, descending=True, maintain_order=True)
    return frame.with_columns(rank=pl.int_range(1, pl.len() + 1, dtype=pl.UInt32))


def _number_names(ranker: StreamRanking) -> list[str]:
    """Names of what has numbers, in order.

    Raises
    ------
    ValueError
        When there is none.
    """
    plan, kinds = ranker.plan_, ranker.candidates_.kinds
    with_numbers = ("number", "time", "transform")
    names = [name for name, kind in kinds.items() if kind in with_numbers]
    if not names:
        raise ValueError(
            f"heuristic={ranker._heuristic.name!r} needs number columns, and none of the {len(plan.columns)} columns is "
            'one; use heuristic="mi", or say which are with spec={"name": {"kind": "number"}}'
        )
    return names


def _correlated(rows: Sequence[tuple[str, float, int]], ranker: StreamRanking) -> pl.DataFrame:
    """Rank correlations by size; the null is that of independent normal variables."""
    frame = pl.DataFrame(rows, schema={"column": pl.String, "value": pl.Float64, "n": pl.Int64}, orient="row")
    value, n = frame["value"].to_numpy(), np.maximum(frame["n"].to_numpy(), 4)
    with np.errstate(divide="ignore"):
        z = np.arctanh(np.clip(value, -1, 1)) * np.sqrt(n - 3)
    p = 2 * ndtr(-np.abs(z))
    q = q_values(p) if np.isfinite(p).all() else np.full(len(p), np.nan)
    center, half = np.arctanh(np.clip(value, -1, 1)), 1.959964 / np.sqrt(n - 3)
    kinds = ranker.candidates_.kinds
    frame = frame.with_columns(
        pl.Series("se", (1 - value**2) / np.sqrt(n - 1)),
        pl.Series("lo", np.tanh(center - half)),
        pl.Series("hi", np.tanh(center + half)),
        pl.lit(0.0).alias("null"),
        pl.Series("z", z),
        pl.Series("p", p),
        pl.Series("q", q),
        pl.Series("kind", [kinds[name] for name in frame["column"]]),
        verdict=pl.Series(np.where(np.isnan(q), "unjudged", np.where(q < 0.05, "signal", "noise"))),
    ).sort(pl.col("value").abs().fill_nan(None), descending=True, nulls_last=True, maintain_order=True)
    return frame.with_columns(rank=pl.int_range(1, pl.len() + 1, dtype=pl.UInt32))


def _finite(x: NDArray[Any]) -> NDArray[np.float64]:
    return np.where(np.isinf(x), np.nan, x)


class SampleState:
    """A state of the scan: the rows with the smallest keys, a seeded sample that no partition or order changes.

    Parameters
    ----------
    names : sequence of str
        Columns to keep.
    label : str
    rows : int
        Size of the sample.
    seed : int
    numbers : bool, default=False
        Keep the numbers of the columns instead of the identities of their values.
    """

    def __init__(self, names: Iterable[str], label: str, rows: int, seed: int, numbers: bool = False) -> None:
        self.names, self.label, self.rows, self.seed, self.numbers = tuple(names), label, rows, seed, numbers
        self._keys = np.empty(0, dtype=np.uint64)
        self._labels = np.empty(0, dtype=np.int32)
        self._values = np.empty((0, len(self.names)), dtype=np.float64 if numbers else np.uint64)

    def parts(self, block: Block) -> list[Callable[[], None]]:
        """One piece: rows are kept or dropped as a whole."""
        return [partial(self._add, block)]

    def _add(self, block: Block) -> None:
        labels = block.labels[self.label]
        position = (np.uint64(block.id[0]) << np.uint64(40)) + block.positions.astype(np.uint64)
        keys = combine(np.full(block.rows, self.seed + 1, dtype=np.uint64), position)
        wanted = labels >= 0
        if len(self._keys) >= self.rows:
            wanted &= keys < self._keys[-1]
        chosen = np.flatnonzero(wanted)
        if len(chosen):
            values = np.stack([self._of(block.column(name))[chosen] for name in self.names], axis=1)
            self._take(keys[chosen], labels[chosen], values)

    def _of(self, column: Column) -> NDArray[Any]:
        if not self.numbers:
            return column.row_hashes()
        return np.full(column.rows, np.nan) if column.numeric is None else column.numeric

    def _take(self, keys: NDArray[np.uint64], labels: NDArray[np.int32], values: NDArray[Any]) -> None:
        keys = np.concatenate([self._keys, keys])
        order = np.argsort(keys, kind="stable")[: self.rows]
        self._keys = keys[order]
        self._labels = np.concatenate([self._labels, labels])[order]
        self._values = np.concatenate([self._values, values])[order]

    def merge(self, other: Self) -> None:
        """Keep the smallest keys of both."""
        self._take(other._keys, other._labels, other._values)

    def empty(self) -> Self:
        """A state of the same configuration without rows."""
        return type(self)(self.names, self.label, self.rows, self.seed, self.numbers)

    def to_arrow(self) -> pa.Table:
        """The rows kept."""
        values = {f"c{i}": self._values[:, i] for i in range(len(self.names))}
        return pa.table({"key": self._keys, "label": self._labels, **values})

    def load_arrow(self, table: pa.Table) -> None:
        """Replace the rows by those that `to_arrow` gave."""
        self._keys = table["key"].to_numpy().astype(np.uint64)
        self._labels = table["label"].to_numpy().astype(np.int32)
        held = self._values.dtype
        columns = [table[f"c{i}"].to_numpy().astype(held) for i in range(len(self.names))]
        self._values = np.stack(columns, axis=1) if columns else np.empty((len(self._keys), 0), dtype=held)

    def finalize(self) -> tuple[dict[str, NDArray[np.int64]], NDArray[np.int32]]:
        """Codes of every column in the sample, and the classes."""
        columns = {
            name: np.unique(self._values[:, i], return_inverse=True)[1].astype(np.int64)
            for i, name in enumerate(self.names)
        }
        return columns, self._labels
