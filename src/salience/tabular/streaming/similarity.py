"""Which columns say the same: information between columns, above chance."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import comb
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from salience.data.scan import scan
from salience.measures.information import entropy, expected_mutual_information
from salience.results.meta import Meta
from salience.results.scores import Scores
from salience.tabular.streaming.batchlog import BatchLog
from salience.tabular.streaming.combinationstate import encode, sampled_blocks, views_of
from salience.tabular.streaming.jointcounts import pair_information
from salience.tabular.streaming.schedule import Schedule, unrank_combinations

if TYPE_CHECKING:
    from salience.data.blocks import Block, Derivation
    from salience.data.plan import Plan

__all__ = ["SimilarityState", "pairwise_redundancy"]

_LEAST_ROOM = 0.25  # of the entropy of the poorer column
MEASURES = ("score", "mi", "null", "similarity")
_PIECE = 4096


class SimilarityState:
    """A state of the scan: corrected mutual information between columns in each of the sampled blocks.

    Parameters
    ----------
    views : mapping of str to str
        The columns and the view of each ("values" or "bins").
    schedule : Schedule
        Over the pairs of columns in lexicographic order.
    turns : mapping of (shard, first row) to int
        The sampled blocks and the turn of each; other blocks are passed over.
    rows : int, optional
        Rows of a block that are used at most, from its beginning.
    threads : int
    """

    def __init__(
        self,
        views: Mapping[str, str],
        schedule: Schedule,
        turns: Mapping[tuple[int, int], int],
        *,
        rows: int | None = None,
        threads: int = 2,
    ) -> None:
        self.views, self.schedule, self.turns = dict(views), schedule, dict(turns)
        self.rows, self.threads = rows, threads
        self.log = BatchLog(MEASURES)

    def empty(self) -> Self:
        """A state of the same configuration that has seen nothing."""
        return type(self)(self.views, self.schedule, self.turns, rows=self.rows, threads=self.threads)

    def parts(self, block: Block) -> Iterator[Callable[[], None]]:
        """One piece: its own threads work through the pairs."""
        if block.id in self.turns and block.rows:
            yield lambda: self._score(block)

    def _score(self, block: Block) -> None:
        rows = np.arange(block.rows)[: self.rows]
        codes, identities = encode(block, self.views, rows, self.threads)
        cards = np.array([len(distinct) for distinct in identities], dtype=np.int64)
        histograms = [np.bincount(column) for column in codes]
        entropies = np.array([entropy(counts) for counts in histograms])
        items = self.schedule.items(self.turns[block.id])
        pairs = unrank_combinations(items, len(self.views), 2)
        batch = (block.id[0] << 40) + block.id[1]
        with ThreadPoolExecutor(self.threads) as pool:
            for start in range(0, len(items), _PIECE):
                part = pairs[start : start + _PIECE]
                mi = pair_information(codes, cards, part, self.threads)
                null = np.array(
                    list(
                        pool.map(
                            lambda ab: expected_mutual_information(histograms[ab[0]], histograms[ab[1]]), part
                        )
                    )
                )
                # What two columns could share at most, less what they share by chance: that of AMI with
                # "min". Beside a column of nearly unique values chance explains almost all, and a ratio to
                # the little that is left would be noise.
                most = np.minimum(entropies[part[:, 0]], entropies[part[:, 1]])
                room = np.maximum(most - null, _LEAST_ROOM * most)
                share = np.divide(mi - null, room, out=np.zeros(len(part)), where=room > 1e-12)
                self.log.add(
                    batch, items[start : start + _PIECE], score=mi - null, mi=mi, null=null, similarity=share
                )

    def merge(self, other: SimilarityState) -> None:
        """Take over what another state of the same configuration has scored, in place."""
        self.log.merge(other.log)

    def to_arrow(self) -> pa.Table:
        """The records."""
        return self.log.to_arrow()

    def load_arrow(self, table: pa.Table) -> None:
        """Replace the content by a table that `to_arrow` made."""
        self.log.load_arrow(table)

    def finalize(self) -> dict[str, NDArray[Any]]:
        """Medians over blocks of the pairs that were scored, with their ranks as ``item``."""
        return {"item": self.log.items(), **self.log.aggregate()}


def pairwise_redundancy(
    plan: Plan,
    *,
    source: Any = None,
    columns: Sequence[str] | None = None,
    derive: Sequence[Derivation] = (),
    views: Mapping[str, str] | None = None,
    pair_budget: int = 32768,
    blocks: int = 8,
    rows: int = 16384,
    seed: int = 0,
    threads: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> Scores:
    """Information between every two columns above chance, the median over sampled blocks.

    The null is exact for any two histograms, so two columns of many values are not alike just for that; for
    two row ids nothing is left. This is the redundancy d(g, f) of
    :func:`~salience.tabular.redundancy.rank_3mr`.

    Parameters
    ----------
    plan : Plan
    source : Source, optional
        Needed for data in memory.
    columns : sequence of str, optional
        Default: all of the plan.
    derive : sequence of Derivation
        Makes further columns.
    views : mapping of str to str, optional
        As for :func:`~salience.tabular.interactions.rank_combinations`.
    pair_budget : int
        Pairs a block scores at most, least often scored ones first.
    blocks : int
        Blocks that are sampled, more when the budget asks for it: each pair is scored at least once.
    rows : int
        Rows of a block that are used.
    seed : int
    threads : int
    progress : callable, optional
        ``progress(rows done, rows in all)``.

    Returns
    -------
    Scores
        Of pairs ``a, b``, symmetric: ``value`` (nats), ``rank``, ``mi, null, q10, q90, n_batches`` and
        ``similarity``: value as a share of what the two could have in common, 1 when one determines the
        other, about 0 for independent columns.

    Raises
    ------
    ValueError
        Fewer than two columns, or an option below 1.

    Examples
    --------
    >>> from salience.data.plan import plan
    >>> from salience.data.readers import open_source
    >>> frame = pl.DataFrame({"town": list("rrooss") * 9, "land": list("iinnnn") * 9, "y": [0, 1] * 27})
    >>> source = open_source(frame)
    >>> pairwise_redundancy(plan(source, "y"), source=source).frame["similarity"].round(3).to_list()
    [1.0]
    """
    started = time.perf_counter()
    names = [c.name for c in plan.columns] if columns is None else list(dict.fromkeys(columns))
    if len(names) < 2:
        raise ValueError(f"{len(names)} columns have no pairs; give at least 2 columns.")
    if min(pair_budget, blocks) < 1 or rows < 2:
        raise ValueError(
            f"pair_budget={pair_budget} and blocks={blocks} must be 1 or more, rows={rows} 2 or more."
        )
    seen_as = views_of(plan, names, derive, views)
    schedule = Schedule(comb(len(names), 2), pair_budget, seed)
    least = max(blocks, -(-schedule.n_items // pair_budget))
    sample = sampled_blocks(plan, 0.0, least, set(), seed)
    state = SimilarityState(
        seen_as, schedule, {b: i for i, b in enumerate(sample)}, rows=rows, threads=threads
    )
    derived = {name for derivation in derive for name in derivation.names}
    scan(
        plan, {"similarity": state}, source=source, derive=derive, threads=threads, progress=progress,
        columns=None if derived & set(names) else names, shards=sorted({shard for shard, _ in sample}),
    )  # fmt: skip
    found = state.finalize()
    members = unrank_combinations(found["item"], len(names), 2)
    frame = pl.DataFrame(
        {
            "a": [names[i] for i in members[:, 0]],
            "b": [names[i] for i in members[:, 1]],
            "value": found["score"],
            **{name: found[name] for name in (*MEASURES[1:], "q10", "q90", "n_batches")},
        }
    ).sort("value", descending=True, maintain_order=True)
    missing = schedule.n_items - frame.height
    meta = Meta(
        method="redundancy",
        params={"pair_budget": pair_budget, "blocks": len(sample), "rows": rows},
        seed=seed,
        unit="nats",
        symmetric=True,
        seconds=time.perf_counter() - started,
        warnings=(f"{missing:,} pairs were scored in no block; there are too few blocks",) if missing else (),
    )
    frame = frame.with_columns(rank=pl.int_range(1, pl.len() + 1, dtype=pl.UInt32))
    return Scores(frame=frame, keys=("a", "b"), item="pair", better="high", meta=meta)
