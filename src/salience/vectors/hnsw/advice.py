"""What to do: parameters that reach a recall, and an order of insertion."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from salience.measures.crossed import crossed_bootstrap_mean
from salience.vectors.hnsw.builds import Graph

__all__ = ["Advice", "advise"]

Permutation = NDArray[np.int64]


@dataclass(frozen=True)
class Advice:
    """Measured advice; `str` gives it in words.

    Attributes
    ----------
    target : float
    recall, lo, hi : float
        At the parameters of the audit, rows in random order.
    M, ef_search : int or None
        Of all that were measured and reach the target, those with the least product, which the work of a search
        follows; then the least M. None: nothing on the grid does.
    grid : polars.DataFrame
        ``M``, ``ef_search``, ``recall``, ``lo``, ``hi``, ``reaches`` of all that were measured.
    order : str
        The best measured order, if its gain over random ones is above 0 with its whole interval; else "random".
    gain, gain_lo, gain_hi : float
        In recall, of the order with the highest recall.
    verdict : {"better", "not distinguishable"}
    """

    target: float
    recall: float
    lo: float
    hi: float
    M: int | None
    ef_search: int | None
    grid: pl.DataFrame
    order: str
    gain: float
    gain_lo: float
    gain_hi: float
    verdict: str

    def __str__(self) -> str:
        lines = [f"recall {self.recall:.3f} ({self.lo:.3f} to {self.hi:.3f}) at the parameters of the audit"]
        if self.M is None:
            best = self.grid.sort("recall")[-1].row(0, named=True)
            lines.append(
                f"nothing on the grid reaches {self.target:g}; the most is {best['recall']:.3f} with M={best['M']}, "
                f"ef_search={best['ef_search']}"
            )
        else:
            lines.append(f"{self.target:g} is reached with M={self.M}, ef_search={self.ef_search}")
        if self.verdict == "better":
            lines.append(
                f"insert by {self.order}: {self.gain:+.3f} recall ({self.gain_lo:+.3f} to {self.gain_hi:+.3f}) against "
                "random orders"
            )
        else:
            lines.append("insert in random order: no measured order is distinguishably better")
        return "\n".join(lines)


def advise(
    graph: Graph, orders: Sequence[Permutation], table: pl.DataFrame, target: float, M: Sequence[int],
    ef_search: Sequence[int], *, n: int, progress: Callable[[int, int], None] | None = None,
) -> Advice:  # fmt: skip
    """Measure the grid and say what follows; `orders` are the random ones, one for each seed."""
    if not 0 < target <= 1:
        raise ValueError(f"target={target}; a recall lies above 0 and is at most 1")
    breadths = sorted({int(ef) for ef in ef_search if ef >= graph.truth.asked})
    if not breadths or not len(M):
        raise ValueError(
            f"the grid is empty: give at least one M, and an ef_search of {graph.truth.asked} or more"
        )
    rows: list[dict[str, Any]] = []
    sizes = sorted({int(m) for m in M})
    for done, m in enumerate(sizes, start=1):
        rows += _measured(replace(graph, M=m), orders, breadths, target, n)
        if progress is not None:
            progress(done, len(sizes))
    grid = pl.DataFrame(rows)
    reached = grid.filter("reaches").sort(pl.col("M") * pl.col("ef_search"), "M")
    here = table.filter(pl.col("order") == "random").row(0, named=True)
    best = table.filter(pl.col("order") != "random").sort("recall", descending=True)
    top = best.row(0, named=True) if best.height else here
    better = top["verdict"] == "better"
    return Advice(
        target, here["recall"], here["lo"], here["hi"],
        reached["M"][0] if reached.height else None, reached["ef_search"][0] if reached.height else None, grid,
        top["order"] if better else "random", top["difference"], top["difference_lo"], top["difference_hi"],
        "better" if better else "not distinguishable",
    )  # fmt: skip


def _measured(
    graph: Graph, orders: Sequence[Permutation], breadths: Sequence[int], target: float, n: int
) -> list[dict[str, Any]]:
    truth = graph.truth
    indexes = [graph.index(order, seed) for seed, order in enumerate(orders)]
    rows = []
    for breadth in breadths:
        hits = []
        for index in indexes:
            index.ef_search = breadth
            hits.append(truth.hits(index.search(truth.queries, truth.asked)) / truth.k)
        drawn = crossed_bootstrap_mean(np.array(hits).T, n=n, rng=0)
        lo, hi = np.clip(drawn.interval(), 0, 1)
        recall = float(drawn.estimate)
        rows.append(
            {
                "M": graph.M, "ef_search": breadth, "recall": recall, "lo": float(lo), "hi": float(hi),
                "reaches": recall >= target,
            }
        )  # fmt: skip
        if recall >= target:
            break
    return rows
