"""Sampled blocks score their share of the combinations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from salience.measures.nulltable import NullTable
from salience.tabular.streaming.batchlog import BatchLog
from salience.tabular.streaming.jointcounts import above_chance, joint_counts
from salience.tabular.streaming.schedule import Schedule, unrank_combinations

if TYPE_CHECKING:
    from salience.data.blocks import Block, Derivation
    from salience.data.plan import Plan

__all__ = ["CombinationState", "encode", "sampled_blocks", "views_of"]

BlockId = tuple[int, int]
MEASURES = ("synergy", "score", "mi", "null", "gain", "chance")
OF_SINGLES = ("score", "mi", "null")


class CombinationState:
    """A state of the scan that scores the scheduled combinations in each of the sampled blocks.

    Parameters
    ----------
    views : mapping of str to str
        The columns that are combined, in order, and the view of each ("values" or "bins").
    label : str
    n_classes : int
    order : int
        Columns of a combination.
    schedule : Schedule
        Which items a block scores; an item is a rank among all combinations, or a place in ``active``.
    turns : mapping of (shard, first row) to int
        The sampled blocks and the turn of each in the schedule; other blocks are passed over.
    active : ndarray of int64, optional
        Ranks of the combinations that are still in the race.
    rows : int, optional
        Use so many rows of a block at most, from its beginning.
    threads : int

    Attributes
    ----------
    log, single_log : BatchLog
        ``score, mi, null`` of the combinations by rank, and of the columns by place; nats. Of combinations
        also ``synergy``, the score less the best score of all the columns but one, and in nats of all rows
        ``gain`` (the synergy) and ``chance`` (what a column that adds nothing would add).
    skipped : int
        Sampled blocks with one label class, or fewer than 2 labelled rows.
    """

    def __init__(
        self,
        views: Mapping[str, str],
        label: str,
        n_classes: int,
        order: int,
        schedule: Schedule,
        turns: Mapping[BlockId, int],
        *,
        active: NDArray[np.int64] | None = None,
        rows: int | None = None,
        threads: int = 2,
    ) -> None:
        self.views, self.label, self.n_classes, self.order = dict(views), label, n_classes, order
        self.schedule, self.turns, self.active = schedule, dict(turns), active
        self.rows, self.threads = rows, threads
        self.log, self.single_log, self.skipped = BatchLog(MEASURES), BatchLog(OF_SINGLES), 0

    def empty(self) -> Self:
        """A state of the same configuration that has seen nothing."""
        return type(self)(
            self.views, self.label, self.n_classes, self.order, self.schedule, self.turns, active=self.active,
            rows=self.rows, threads=self.threads,
        )  # fmt: skip

    def parts(self, block: Block) -> Iterator[Callable[[], None]]:
        """One piece: its own threads work through the combinations."""
        if block.id in self.turns:
            yield lambda: self._score(block)

    def _score(self, block: Block) -> None:
        labels = block.labels[self.label]
        rows = np.flatnonzero(labels >= 0)[: self.rows]
        own = labels[rows]
        label_counts = np.bincount(own, minlength=self.n_classes)
        if (label_counts > 0).sum() < 2:
            self.skipped += 1
            return
        codes, identities = encode(block, self.views, rows, self.threads)
        cards = np.array([len(distinct) for distinct in identities], dtype=np.int64)
        null_table = NullTable(label_counts)
        batch = (block.id[0] << 40) + block.id[1]
        turn = self.schedule.items(self.turns[block.id])
        items = turn if self.active is None else self.active[turn]
        combinations = unrank_combinations(items, len(self.views), self.order)

        def scored(members: NDArray[np.int32]) -> Iterator[dict[str, NDArray[np.float64]]]:
            for start in range(0, len(members), _PIECE):
                piece = members[start : start + _PIECE]
                joint = joint_counts(codes, cards, own, self.n_classes, piece, self.threads)
                score, null = above_chance(joint, null_table)
                yield {"score": score, "mi": joint.mi, "null": null}

        singles = np.arange(len(self.views), dtype=np.int64)
        alone = _joined(list(scored(singles[:, None].astype(np.int32))))
        self.single_log.add(batch, singles, **alone)
        if self.order == 2:
            known, rests = alone, combinations.astype(np.int64)
        else:
            distinct, rests = _rests(combinations)
            known = _joined(list(scored(distinct)))
        best = np.take_along_axis(rests, known["score"][rests].argmax(axis=1)[:, None], axis=1)[:, 0]
        start = 0
        for found in scored(combinations):
            part = slice(start, start := start + len(found["score"]))
            synergy = found["score"] - known["score"][best[part]]
            chance = found["null"] - known["null"][best[part]]
            gained = {"synergy": synergy, "gain": len(rows) * synergy, "chance": len(rows) * chance}
            self.log.add(batch, items[part], **found, **gained)

    def merge(self, other: CombinationState) -> None:
        """Take over what another state of the same configuration has scored, in place."""
        self.log.merge(other.log)
        self.single_log.merge(other.single_log)
        self.skipped += other.skipped

    def to_arrow(self) -> pa.Table:
        """The content: records of combinations, then of single columns (``kind`` 0 and 1)."""
        tables = [self.log.to_arrow(), self.single_log.to_arrow()]
        marked = [
            t.append_column("kind", pa.array(np.full(t.num_rows, kind, np.int8)))
            for kind, t in enumerate(tables)
        ]
        joined = pa.concat_tables(marked, promote_options="default")  # single columns have no synergy: null
        return joined.replace_schema_metadata({b"skipped": str(self.skipped).encode()})

    def load_arrow(self, table: pa.Table) -> None:
        """Replace the content by a table that `to_arrow` made."""
        kind = table["kind"].to_numpy()
        for number, log in enumerate((self.log, self.single_log)):
            log.load_arrow(table.filter(pa.array(kind == number)).drop_columns(["kind"]))
        self.skipped = int((table.schema.metadata or {}).get(b"skipped", b"0"))

    def finalize(self) -> dict[str, NDArray[Any]]:
        """Medians over blocks of the combinations that were scored, with their ranks as ``item``."""
        return {"item": self.log.items(), **self.log.aggregate()}

    def evidence(self) -> NDArray[np.float64]:
        """How far the synergy of each combination that was scored stands above chance, in standard deviations.

        By the synergy itself the field would be the combinations of most values: theirs varies most by chance.
        Under chance, rows times the information added is about half a chi-squared: its variance is its mean.
        """
        found = self.log.aggregate(how="mean")
        spread = np.sqrt(np.maximum(found["chance"], _LEAST_CHANCE) / found["n_batches"])
        evidence: NDArray[np.float64] = found["gain"] / spread
        return evidence


def _joined(pieces: Sequence[dict[str, NDArray[np.float64]]]) -> dict[str, NDArray[np.float64]]:
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in OF_SINGLES}


def _rests(combinations: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """The distinct combinations with one column left out, and for each combination which those are, (m, k)."""
    order = combinations.shape[1]
    left_out = np.stack([np.delete(combinations, place, axis=1) for place in range(order)], axis=1)
    distinct, at = np.unique(left_out.reshape(-1, order - 1), axis=0, return_inverse=True)
    return distinct, at.reshape(-1, order)


_LEAST_CHANCE = 0.5  # nats of all rows: one degree of freedom
_CODES = 256  # distinct values up to which a number is taken for a code
_PIECE = 4096  # combinations whose histograms of counts are held at a time: some 10 MB


def encode(
    block: Block, views: Mapping[str, str], rows: NDArray[np.int64], threads: int
) -> tuple[NDArray[np.int32], list[NDArray[np.uint64]]]:
    """Dense codes of some rows of a block, int32 (columns, rows), and the identity of each code of a column."""
    codes = np.empty((len(views), len(rows)), dtype=np.int32)

    def one(place: int, name: str, view: str) -> NDArray[np.uint64]:
        column = (block.binned(name) if view == "bins" else block.column(name)).coded()
        assert column.codes is not None
        present = np.zeros(len(column.hashes), dtype=np.int32)
        chosen = column.codes[rows]
        present[chosen] = 1
        codes[place] = (np.cumsum(present, dtype=np.int32) - 1)[chosen]
        return column.hashes[present > 0]

    with ThreadPoolExecutor(threads) as pool:
        waiting = [pool.submit(one, i, name, view) for i, (name, view) in enumerate(views.items())]
        return codes, [done.result() for done in waiting]


def views_of(
    plan: Plan,
    names: Sequence[str],
    derive: Sequence[Derivation] = (),
    given: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The view under which each column takes part: the given one, else bins of numbers with many values.

    An integer of a few hundred values may well be a code, whose order means nothing; one of many thousands
    would make every combination a row id.

    Raises
    ------
    ValueError
        A given view that does not exist, or bins of a column without edges.
    """
    derived = {name: derivation for derivation in derive for name in derivation.names}

    def has_bins(name: str) -> bool:
        if name not in derived:
            return plan.column(name).edges is not None
        edges = getattr(derived[name], "edges", None)
        return edges is not None and edges(name) is not None

    def many(name: str) -> bool:
        return name in derived or plan.column(name).distinct > _CODES

    chosen = {name: "bins" if has_bins(name) and many(name) else "values" for name in names}
    for name, view in (given or {}).items():
        if view not in ("values", "bins") or (view == "bins" and name in chosen and not has_bins(name)):
            raise ValueError(
                f"Column {name!r} has no view {view!r}; there are 'values', and 'bins' of binned numbers."
            )
        if name in chosen:
            chosen[name] = view
    return chosen


def sampled_blocks(
    plan: Plan, rows: float | None, least: int, taken: set[BlockId], seed: int
) -> list[BlockId]:
    """A seeded sample of the plan's blocks, those not taken before first.

    Parameters
    ----------
    plan : Plan
    rows : float or None
        Rows wanted; None for all blocks.
    least : int
        Blocks wanted in any case, as far as there are.
    taken : set of (shard, first row)
    seed : int
    """
    blocks = [(s.index, first) for s in plan.shards for first in range(0, s.rows, plan.block_rows)]
    if rows is None:
        return blocks
    order = np.random.default_rng(seed).permutation(len(blocks))
    fresh_first = sorted(order, key=lambda i: blocks[i] in taken)
    wanted = max(least, int(rows // max(1, plan.block_rows // plan.subsample)), 1)
    return [blocks[i] for i in fresh_first[:wanted]]
