"""What our own parts cost: the exact null beside plain mutual information, and all pairs of a hundred columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from math import comb

import numpy as np
import polars as pl

from benchmarks.harness import Row, Settings, attempt, paired, seconds
from benchmarks.scale_data import Wide, parquet
from salience.data.generators import generate
from salience.data.plan import plan
from salience.data.readers import open_source
from salience.measures.contingency import Contingency
from salience.measures.information import mutual_information
from salience.tabular import StreamRanker
from salience.tabular.interactions import Interactions, rank_combinations

ROWS, PAIR_ROWS, COLUMNS = 1_000_000, 200_000, 100
AIM_NULL, AIM_PAIRS = 1.3, 60.0


def benchmark(settings: Settings) -> Iterator[Row]:
    """Both."""
    yield from attempt("costs: the null", partial(_null, settings))
    yield from attempt("costs: all pairs", partial(_pairs, settings))


def _null(settings: Settings) -> Iterable[Row]:
    rows = settings.scaled(ROWS)
    file = parquet(settings.data, Wide(largest=rows // 2), rows)
    plain, analytic = (StreamRanker("y", null=null, n_jobs=settings.threads) for null in ("none", "analytic"))

    # Without a null the view of a number with the larger information wins; compare where both chose the same view.
    frames = [ranker.fit(file).scores_.frame.select("column", "view", "mi") for ranker in (plain, analytic)]
    both = frames[0].join(frames[1], on=["column", "view"])
    gap = float(np.abs(both["mi"].to_numpy() - both["mi_right"].to_numpy()).max())
    with_null, without = paired(partial(analytic.fit, file), partial(plain.fit, file), settings.runs)
    yield Row(
        f'`null="analytic"` against `null="none"`, {rows / 1e6:g} M x 50 Parquet', with_null, without, "s",
        "adds < 30 %", gap <= 1e-12 and with_null < AIM_NULL * without, f"raw MI of {len(both)} columns equal to {gap:.1g}",
        f"adds {100 * (with_null / without - 1):+.1f} %",
    )  # fmt: skip


def _pairs(settings: Settings) -> Iterable[Row]:
    rows = settings.scaled(PAIR_ROWS)
    recipe = Wide(columns=COLUMNS, largest=rows // 2)
    frame = generate(recipe, rows).frame
    source = open_source(frame)
    how = plan(source, recipe.label)

    def ours() -> Interactions:
        return rank_combinations(how, source=source, finalists=0, threads=settings.threads)

    found = ours()  # compiles, too
    times = [seconds(ours) for _ in range(settings.runs)]
    gap, checked = _checked_pairs(found.pairs.frame, frame, recipe, how.block_rows)
    own = float(np.median(times))
    blocks = found.pairs.frame["n_batches"].to_list()
    yield Row(
        f"all {found.n_evaluated:,} pairs of {COLUMNS} columns against the label, {rows // 1000}k rows in memory", own,
        None, "s", f"< {AIM_PAIRS:g} s", own < AIM_PAIRS and found.n_evaluated == comb(COLUMNS, 2) and gap < 1e-6,
        f"MI of {checked} pairs of small columns equal to {gap:.1g}",
        f"every pair saw {min(blocks)} to {max(blocks)} blocks of up to {how.block_rows:,} rows",
    )  # fmt: skip


def _checked_pairs(pairs: pl.DataFrame, frame: pl.DataFrame, recipe: Wide, block: int) -> tuple[float, int]:
    """The largest gap to the plug-in information of a pair counted anew in blocks, over pairs that are not binned."""
    small = [name for name, size in recipe.cardinalities.items() if size <= 40]
    some = pairs.filter(pl.col("a").is_in(small) & pl.col("b").is_in(small)).head(20)
    y = frame[recipe.label].to_numpy().astype(np.int64)
    gaps = []
    for a, b, mi in some.select("a", "b", "mi").iter_rows():
        joined = frame.select(pl.struct(a, b).rank("dense").alias("x"))["x"].to_numpy().astype(np.int64) - 1
        each = []
        for first in range(0, len(y), block):
            x = np.unique(joined[first : first + block], return_inverse=True)[1]
            each.append(mutual_information(Contingency.from_codes(x, y[first : first + block])))
        gaps.append(abs(float(np.median(each)) - mi))
    return (max(gaps) if gaps else float("nan")), len(gaps)
