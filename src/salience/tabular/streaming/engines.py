"""What a ranking accumulates in its pass, and how that becomes one row per column.

An engine is chosen by what the heuristic reads and by the null: counts over the whole stream (the default), batches with OutRank's
shifted null, or a sample of rows for the heuristics that train a small model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from salience.measures import association
from salience.measures.counting import CountState
from salience.measures.moments import MomentState
from salience.measures.resampling import q_values
from salience.tabular.outrank import outrank_batches
from salience.tabular.streaming.batches import BatchState
from salience.tabular.streaming.controls import drawn_tables
from salience.tabular.streaming.heuristics import Heuristic
from salience.tabular.streaming.parts import row_namers
from salience.tabular.streaming.rowsample import SampleState
from salience.tabular.streaming.scoring import (
    MINMAX_NOTE,
    NORMALIZATIONS,
    in_order,
    min_max,
    score_columns,
)

if TYPE_CHECKING:
    from salience.tabular.streaming.passes import RankingPass

SAMPLE_ROWS = 20_000
NUMBER_ROWS = 200_000
UNIVERSAL = ("none", "minmax")  # scales that need nothing but the values
PACKAGE_MIN_ROWS = 1025  # a shorter last batch is dropped, as in the package


class Engine(Protocol):
    """One way to rank in a pass."""

    def state(self, ranker: RankingPass, label: str) -> Any:
        """An empty state of the scan."""
        ...

    def frame(self, ranker: RankingPass, label: str, state: Any, source: Any) -> pl.DataFrame:
        """One row per column, best first, with ``column, value, rank, ...``."""
        ...


class Counts:
    """Contingency tables over the whole stream."""

    def state(self, ranker: RankingPass, label: str) -> CountState:
        _refuse_unread(ranker, reference=False, normalize=NORMALIZATIONS)
        return CountState(ranker.candidates_.items, label, ranker.plan_)

    def frame(self, ranker: RankingPass, label: str, state: CountState, source: Any) -> pl.DataFrame:
        if ranker.normalize == "minmax":
            ranker.notes_.append(MINMAX_NOTE)
        tables = state.finalize()
        if ranker.controls:
            counts = next(iter(tables.values())).label_counts
            tables |= drawn_tables(counts, ranker.plan_.seed)
        return score_columns(
            tables,
            ranker.candidates_.kinds,
            ranker._heuristic,
            null=ranker._null,
            normalize=ranker.normalize,
            permutations=ranker.permutations,
            seed=ranker.random_state,
            row_namers=row_namers(ranker.plan_),
            ordered=ranker.plan_.label(label).edges is not None,
        )


class Batches:
    """Scores of batches and their median, as in the OutRank paper."""

    def state(self, ranker: RankingPass, label: str) -> BatchState:
        _refuse_unread(ranker, reference=False)
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

    def frame(self, ranker: RankingPass, label: str, state: BatchState, source: Any) -> pl.DataFrame:
        found = state.finalize()
        ranker.notes_.extend(found.meta.warnings)
        frame = found.frame.with_columns(se=pl.col("sd") / pl.col("n_batches").sqrt())
        return _ranked(frame, ranker)


class Package:
    """``preset="outrank"``: the numbers of the package, from batches of strings."""

    def state(self, ranker: RankingPass, label: str) -> None:
        _refuse_unread(ranker, reference=False)
        # it reads the rows in their order itself

    def frame(self, ranker: RankingPass, label: str, state: None, source: Any) -> pl.DataFrame:
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
            ratio=ranker.ratio,
            seed=ranker.random_state,
            threads=ranker.n_jobs,
            min_rows=max(ranker.min_rows, PACKAGE_MIN_ROWS),
        ).summary(ranker.normalize)  # min-max scaling with the label among the columns, as the package does
        ranker.notes_.extend(found.meta.warnings)
        if ranker.candidates_.derivations or ranker.scope == "all":
            ranker.notes_.append(
                'preset="outrank" ranks the columns of the source and their combinations only: controls, transforms, '
                'sub-features, tokens and scope="all" are left out'
            )
        spread = (pl.col("q90") - pl.col("q10")) / 2.563 / pl.col("n_batches").sqrt()
        columns = found.frame.filter(
            pl.col("column") != label
        )  # the package lists the label among the columns
        frame = columns.with_columns(se=pl.when(pl.col("n_batches") > 1).then(spread))
        if "nats" in frame.columns:  # chance is at 0 nats, which is not the 0 of the scale
            values, nats = found.frame["value"].to_numpy(), found.frame["nats"].to_numpy()
            frame = frame.with_columns(gain=pl.col("nats") * np.ptp(values) / max(np.ptp(nats), 1e-300))
        # in the order of the package, which tests nothing
        return in_order(_ranked(frame, ranker, scaled=True), "high", by_value=True).drop("gain", strict=False)


class Sample:
    """A seeded sample of rows, on which a small model is trained for every column.

    A column that has bins takes part with them: one-hot, numbers that hardly repeat would be an id.
    """

    def state(self, ranker: RankingPass, label: str) -> SampleState:
        _refuse_unread(ranker, reference=True)
        views = dict(ranker.candidates_.items)  # the bins, where there are both
        return SampleState(views, label, SAMPLE_ROWS, ranker.random_state, binned=_names_of(views, "bins"))

    def frame(self, ranker: RankingPass, label: str, state: SampleState, source: Any) -> pl.DataFrame:
        from salience.tabular.streaming.surrogates import (
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
        return _ranked(found.frame, ranker)


class Correlations:
    """Pearson's correlation from the moments of the whole stream."""

    def state(self, ranker: RankingPass, label: str) -> MomentState:
        _refuse_unread(ranker, reference=False, normalize=("none",))
        return MomentState(_number_names(ranker), ranker.plan_, label, quantiles=False)

    def frame(self, ranker: RankingPass, label: str, state: MomentState, source: Any) -> pl.DataFrame:
        found = state.finalize()
        rows = [(name, m.pearson, int(m.class_counts.sum())) for name, m in found.items()]
        return _correlated(rows, ranker)


class NumberSample:
    """Statistics that need the order of the numbers, on a seeded sample of rows."""

    def state(self, ranker: RankingPass, label: str) -> SampleState:
        signed = ranker._heuristic.better == "abs"
        _refuse_unread(ranker, reference=False, normalize=("none",) if signed else UNIVERSAL)
        names = _number_names(ranker)
        if ranker.plan_.label(label).column.kind == "number":
            names = [*names, label]
        return SampleState(names, label, NUMBER_ROWS, ranker.random_state, numbers=True)

    def frame(self, ranker: RankingPass, label: str, state: SampleState, source: Any) -> pl.DataFrame:
        columns, labels = state.finalize()
        numbers = columns.pop(label, None)
        y = labels.astype(np.float64) if numbers is None else _finite(numbers)
        columns = {name: _finite(x) for name, x in columns.items()}
        if ranker._heuristic.name == "spearman":
            ordered = numbers is not None or len(ranker.plan_.label(label).classes) == 2
            rows = [
                (name, association.spearman(x, y) if ordered else float("nan"), int(np.isfinite(x).sum()))
                for name, x in columns.items()
            ]
            return _correlated(rows, ranker)
        found = {name: association.numeric_mutual_information(x, y) for name, x in columns.items()}
        frame = pl.DataFrame(
            {
                "column": list(found),
                "value": [info.score for info in found.values()],
                "se": [info.se for info in found.values()],
                "mi": [info.mi for info in found.values()],
                "null": [info.null for info in found.values()],
            }
        )
        return _ranked(frame, ranker)


def engine(heuristic: Heuristic, null: str, preset: str | None = None) -> Engine:
    """The engine for a heuristic, a null and a preset.

    Raises
    ------
    ValueError
        For the shift null of anything but mutual information, and for a preset with another heuristic or null than its own.
    """
    if preset == "outrank":
        if heuristic.name != "mi" or null not in ("analytic", "shift"):  # "analytic" is what is not given
            raise ValueError(
                f'preset="outrank" is the shifted mutual information of the package and knows no heuristic={heuristic.name!r} '
                f"with null={null!r}; leave both at their defaults, or leave out preset"
            )
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


def _refuse_unread(ranker: RankingPass, *, reference: bool, normalize: Sequence[str] = UNIVERSAL) -> None:
    """An option that the engine would not read is an error: a ranking must not look as if it had been heeded."""
    if ranker.reference is not None and not reference:
        raise ValueError(
            f"reference= says what a model has, and heuristic={ranker.heuristic!r} does not ask: use a surrogate heuristic, "
            'e.g. heuristic="surrogate-SGD"'
        )
    if ranker.normalize not in normalize:
        raise ValueError(
            f"normalize={ranker.normalize!r} is not defined for heuristic={ranker.heuristic!r} with null={ranker.null!r}"
            f"{' and preset=' + repr(ranker.preset) if ranker.preset else ''}; use one of {', '.join(map(repr, normalize))}"
        )


def _names_of(views: dict[str, str], view: str) -> tuple[str, ...]:
    return tuple(name for name, own in views.items() if own == view)


def _ranked(frame: pl.DataFrame, ranker: RankingPass, scaled: bool = False) -> pl.DataFrame:
    """Order a frame whose null is not analytic, and judge z by the normal distribution."""
    half = float(ndtri(0.975))
    se = frame["se"].to_numpy() if "se" in frame.columns else np.full(len(frame), np.nan)
    gain = frame["gain" if "gain" in frame.columns else "value"].to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(se > 0, gain / se, np.nan)
    p = ndtr(-z)
    q = q_values(p)
    kinds = ranker.candidates_.kinds
    frame = frame.with_columns(
        pl.Series("z", z),
        pl.Series("p", p),
        pl.Series("q", q),
        pl.Series("kind", [kinds.get(name, "column") for name in frame["column"]]),
        lo=pl.col("value") - half * pl.Series(se),
        hi=pl.col("value") + half * pl.Series(se),
        verdict=pl.Series(np.where(np.isnan(q), "unjudged", np.where(q < 0.05, "signal", "noise"))),
    )
    if ranker.normalize == "minmax" and not scaled:
        ranker.notes_.append(MINMAX_NOTE)
        frame = min_max(frame)
    return in_order(frame, "high")


def _number_names(ranker: RankingPass) -> list[str]:
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
            'one; use heuristic="mi", or declare those that are (--as number:COLUMN)'
        )
    return names


def _correlated(rows: Sequence[tuple[str, float, int]], ranker: RankingPass) -> pl.DataFrame:
    """Rank correlations by size; the null is that of independent normal variables."""
    frame = pl.DataFrame(rows, schema={"column": pl.String, "value": pl.Float64, "n": pl.Int64}, orient="row")
    value, n = frame["value"].to_numpy(), np.maximum(frame["n"].to_numpy(), 4)
    with np.errstate(divide="ignore"):
        z = np.arctanh(np.clip(value, -1, 1)) * np.sqrt(n - 3)
    p = 2 * ndtr(-np.abs(z))
    q = q_values(p)
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
    )
    return in_order(frame, "abs")


def _finite(x: NDArray[Any]) -> NDArray[np.float64]:
    return np.where(np.isinf(x), np.nan, x)
