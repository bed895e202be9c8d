"""Which columns say something together that neither says alone: pairs, triples and so on, on a stream of any size.

A combination is scored by its mutual information with the label above what its histogram would show by
chance, so the enormous cardinality of pairs is no advantage. All combinations of 800 columns cannot see all
rows: blocks are sampled, each scores its share of the combinations, two or three rounds halve the field,
and the finalists are then counted over the whole stream.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import comb
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from salience.data.blocks import Derivation
from salience.data.plan import Plan
from salience.data.scan import scan
from salience.measures.counting import CountState
from salience.measures.information import Information, corrected
from salience.measures.nulltable import NullTable
from salience.results.meta import Meta
from salience.results.scores import Scores
from salience.tabular.streaming.batchlog import AGGREGATES
from salience.tabular.streaming.combinationstate import CombinationState, sampled_blocks, views_of
from salience.tabular.streaming.expand import Combinations
from salience.tabular.streaming.reference import candidate_name
from salience.tabular.streaming.schedule import Schedule, halving_sizes, keep_best, unrank_combinations
from salience.tabular.streaming.views import ViewColumns

__all__ = ["Interactions", "rank_combinations"]

MAX_FINALISTS = 200


@dataclass(frozen=True)
class Interactions:
    """What `rank_combinations` found.

    Attributes
    ----------
    pairs : Scores
        Of the combinations, keys ``a, b`` (``c`` ...): ``value`` (mutual information above chance, nats),
        ``rank``, ``mi, null, se, z, p`` (z and p of the exact count for finalists), ``q10, q90, n_batches``
        over blocks, ``synergy`` (value minus the best single in it), ``interaction`` (value minus the sum
        of its singles), ``exact`` (counted over the whole stream).
    singles : Scores
        Of the columns alone, on the same blocks (exact where ``exact``).
    per_column : Scores
        Per column over the combinations that hold it: the median ``value``, ``best``, ``partner``, ``n``.
    n_combinations, n_evaluated : int
        How many there are, and how many some block scored.
    """

    pairs: Scores
    singles: Scores
    per_column: Scores
    n_combinations: int
    n_evaluated: int


def rank_combinations(
    plan: Plan,
    label: str | None = None,
    *,
    source: Any = None,
    columns: Sequence[str] | None = None,
    derive: Sequence[Derivation] = (),
    views: Mapping[str, str] | None = None,
    order: int = 2,
    pair_budget: int = 32768,
    rounds: int = 3,
    finalists: int = MAX_FINALISTS,
    aggregate: str = "median",
    work: float = 4e9,
    seed: int = 0,
    threads: int = 2,
    progress: Callable[[str, int, int], None] | None = None,
) -> Interactions:
    """Score combinations of columns against the label.

    Parameters
    ----------
    plan : Plan
    label : str, optional
        One of the plan's labels; the first by default.
    source : Source, optional
        Needed for data in memory, as for :func:`salience.data.scan.scan`.
    columns : sequence of str, optional
        Columns (of the plan, or of ``derive``) to combine; default all of the plan.
    derive : sequence of Derivation
        Makes further columns.
    views : mapping of str to str, optional
        The view under which a column takes part, ``"values"`` or ``"bins"``, for instance the better one in
        a ranking of single columns. Other columns: bins where the plan has bin edges and more than 256
        distinct values.
    order : int
        How many columns a combination has, at least 2.
    pair_budget : int
        Combinations a block scores at most: those that were scored least often, in a seeded order.
    rounds : int
        Rounds of successive halving; skipped when all combinations can see all rows.
    finalists : int
        Combinations counted exactly in one more pass, at most 200; 0 for none.
    aggregate : {"median", "mean"}
        Over blocks.
    work : float
        Rows times combinations that may be counted in all rounds together, about: 1e9 takes some 2 to 5
        seconds on two cores. Up to it, every combination sees every row.
    seed : int
        Of the sampled blocks and of the schedule.
    threads : int
    progress : callable, optional
        ``progress(stage, done rows, all rows)``.

    Returns
    -------
    Interactions

    Raises
    ------
    ValueError
        Fewer than ``order`` columns, an option out of range, no block with two label classes.

    Notes
    -----
    A missing value is a value. Without enough work for all, combinations no block has scored are not in the
    result: ``n_evaluated < n_combinations``, and a warning says so.

    Examples
    --------
    >>> from salience.data.plan import plan
    >>> from salience.data.readers import open_source
    >>> bits = np.random.default_rng(0).integers(2, size=(3, 400))
    >>> frame = pl.DataFrame({"a": bits[0], "b": bits[1], "c": bits[2], "y": bits[0] ^ bits[2]})
    >>> source = open_source(frame)
    >>> found = rank_combinations(plan(source, "y"), source=source)
    >>> found.pairs.frame.select("a", "b", pl.col("synergy").round(2)).row(0)
    ('a', 'c', 0.68)
    """
    started = time.perf_counter()
    label = plan.labels[0].name if label is None and plan.labels else label
    n_classes = len(plan.label(str(label)).classes)
    names = [c.name for c in plan.columns] if columns is None else list(dict.fromkeys(columns))
    _check(names, order, pair_budget, rounds, finalists, aggregate, work)
    seen_as = views_of(plan, names, derive, views)
    total = comb(len(names), order)
    rows = max(1, plan.rows // plan.subsample)
    everything = total <= pair_budget and total * rows <= work
    sizes = [total] if everything else halving_sizes(total, max(finalists, 1), rounds)
    active: NDArray[np.int64] | None = None
    rounds_done: list[CombinationState] = []
    taken: set[tuple[int, int]] = set()
    for turn, size in enumerate(sizes):
        schedule = Schedule(total if active is None else len(active), pair_budget, seed + turn)
        evaluated = min(schedule.n_items, pair_budget)
        share = work / len(sizes) / evaluated
        blocks = sampled_blocks(plan, None if everything else share, -(-size // pair_budget), taken, seed)
        taken |= set(blocks)
        state = CombinationState(
            seen_as, str(label), n_classes, order, schedule, {b: i for i, b in enumerate(blocks)}, active=active,
            rows=None if everything else max(4096, int(share / max(len(blocks), 1))), threads=threads,
        )  # fmt: skip
        _scan(
            plan, {"combinations": state}, source, derive, names, blocks, threads, _staged(progress, "pairs")
        )
        rounds_done.append(state)
        found = state.log.aggregate(how=aggregate)
        items = state.log.items()
        if not len(items):
            raise ValueError(
                f"No sampled block has two classes of the label {label!r}: is the file sorted by it? Shuffle it, or "
                "raise work so that more blocks are read."
            )
        following = sizes[turn + 1] if turn + 1 < len(sizes) else max(finalists, 1)
        alone = state.single_log.aggregate(len(names), aggregate)["score"]
        synergy = found["score"] - alone[unrank_combinations(items, len(names), order)].max(axis=1)
        active = items[_survivors(found["score"], synergy, following)]
    log = rounds_done[0].log
    for state in rounds_done[1:]:
        log.merge(state.log)
    single_log = rounds_done[0].single_log
    for state in rounds_done[1:]:
        single_log.merge(state.single_log)

    exact: dict[tuple[str, ...], Information] = {}
    assert active is not None
    if finalists:
        chosen = unrank_combinations(active, len(names), order)
        final = [tuple(names[i] for i in row) for row in chosen]
        exact = _count_exactly(
            plan, str(label), final, seen_as, source, derive, threads, _staged(progress, "finalists")
        )
    meta = Meta(
        method="interactions",
        params={
            "label": label,
            "order": order,
            "pair_budget": pair_budget,
            "finalists": finalists,
            "work": work,
        },
        seed=seed,
        rows=rows,
        unit="nats",
        symmetric=True,
        seconds=time.perf_counter() - started,
        warnings=_warnings(total, len(log.items())),
        extra={
            "blocks": [len(s.turns) for s in rounds_done],
            "skipped_blocks": sum(s.skipped for s in rounds_done),
        },
    )
    apart = single_log.aggregate(len(names), aggregate)
    frame = pl.DataFrame({"column": names, **_frame([(n,) for n in names], apart, exact)})
    plain = meta.replace(symmetric=False)
    singles = Scores(frame=frame, keys=("column",), item="column", better="high", meta=plain)
    pairs = _pairs(log, names, order, aggregate, exact, apart["score"], meta)
    return Interactions(pairs, singles, _per_column(pairs, names, meta), total, len(log.items()))


def _survivors(score: NDArray[np.float64], synergy: NDArray[np.float64], keep: int) -> NDArray[np.int64]:
    """Half of the places go to the highest scores, the rest to what the columns say only together.

    By score alone a single strong column would fill the field with its own combinations.
    """
    by_score = keep_best(score, -(-keep // 2))
    rest = np.setdiff1d(np.arange(len(score)), by_score)
    return np.sort(np.concatenate([by_score, rest[keep_best(synergy[rest], keep - len(by_score))]]))


def _check(
    names: Sequence[str],
    order: int,
    pair_budget: int,
    rounds: int,
    finalists: int,
    aggregate: str,
    work: float,
) -> None:
    if order < 2:
        raise ValueError(f"order={order}; a combination has at least 2 columns.")
    if len(names) < order:
        raise ValueError(f"{len(names)} columns cannot be combined {order} at a time; give more columns.")
    if pair_budget < 1 or rounds < 1 or work <= 0:
        raise ValueError(f"pair_budget={pair_budget}, rounds={rounds} and work={work} must be positive.")
    if not 0 <= finalists <= MAX_FINALISTS:
        raise ValueError(f"finalists={finalists}; it must lie between 0 and {MAX_FINALISTS}.")
    if aggregate not in AGGREGATES:
        raise ValueError(f"aggregate={aggregate!r} is unknown; it must be one of {', '.join(AGGREGATES)}.")


def _staged(
    progress: Callable[[str, int, int], None] | None, stage: str
) -> Callable[[int, int], None] | None:
    if progress is None:
        return None
    return lambda done, total: progress(stage, done, total)


def _scan(
    plan: Plan, states: Mapping[str, Any], source: Any, derive: Sequence[Derivation], names: Sequence[str],
    blocks: Sequence[tuple[int, int]] | None, threads: int, progress: Callable[[int, int], None] | None,
) -> None:  # fmt: skip
    derived = {name for derivation in derive for name in derivation.names}
    # A derivation may read any column of the source.
    wanted = None if derived & set(names) else [name for name in names if name not in derived]
    shards = None if blocks is None else sorted({shard for shard, _ in blocks})
    scan(
        plan, dict(states), source=source, derive=derive, columns=wanted, shards=shards, threads=threads,
        progress=progress,
    )  # fmt: skip


def _count_exactly(
    plan: Plan, label: str, final: Sequence[tuple[str, ...]], views: Mapping[str, str], source: Any,
    derive: Sequence[Derivation], threads: int, progress: Callable[[int, int], None] | None,
) -> dict[tuple[str, ...], Information]:  # fmt: skip
    """Count combinations, and the columns in them, over the whole stream."""
    members = list(dict.fromkeys(name for combination in final for name in combination))
    shown = ViewColumns({name: views[name] for name in members}, [c.name for c in plan.columns])
    combined = Combinations([[shown.name_of[m] for m in combination] for combination in final], shown.names)
    back = {shown.name_of[m]: m for m in members}
    item_of = {name: tuple(back[m] for m in item) for name, item in combined.items.items()}
    item_of |= {shown.name_of[m]: (m,) for m in members}
    state = CountState([(name, "values") for name in item_of], label, plan, derived_cap=16384)
    _scan(plan, {"finalists": state}, source, [*derive, shown, combined], members, None, threads, progress)
    tables = state.finalize()
    null = NullTable(next(iter(tables.values())).label_counts)
    return {item_of[name]: corrected(table, null) for (name, _), table in tables.items()}


def _frame(
    items: Sequence[tuple[str, ...]],
    found: Mapping[str, NDArray[Any]],
    exact: Mapping[tuple[str, ...], Information],
) -> dict[str, Any]:
    """Columns of a result: the exact count where there is one, else what the blocks say together."""
    known = [exact.get(item) for item in items]
    is_exact = np.array([k is not None for k in known])
    n = np.maximum(found["n_batches"], 1)

    def either(name: str, blocks: NDArray[np.float64]) -> NDArray[np.float64]:
        own = np.array([np.nan if k is None else getattr(k, name) for k in known], dtype=np.float64)
        return np.where(is_exact, own, blocks)

    nothing = np.full(len(items), np.nan)
    return {
        "value": either("score", found["score"]),
        "mi": either("mi", found["mi"]),
        "null": either("null", found["null"]),
        "se": either("se", found["sd"] / np.sqrt(n)),
        "z": either("z", nothing),
        "p": either("p", nothing),
        "q10": found["q10"],
        "q90": found["q90"],
        "n_batches": found["n_batches"],
        "exact": is_exact,
    }


def _pairs(
    log: Any, names: Sequence[str], order: int, aggregate: str, exact: Mapping[tuple[str, ...], Information],
    alone: NDArray[np.float64], meta: Meta,
) -> Scores:  # fmt: skip
    members = unrank_combinations(log.items(), len(names), order)  # (m, order)
    columns = np.array(list(names), dtype=object)[members]
    items = [tuple(row) for row in columns]
    found = log.aggregate(how=aggregate)
    data = _frame(items, found, exact)
    # A finalist is compared with singles counted like it, any other one with singles scored in blocks like
    # it.
    own = alone[members]
    for i in np.flatnonzero(data["exact"]):
        own[i] = [exact[(column,)].score for column in items[i]]
    data["synergy"] = data["value"] - own.max(axis=1)
    data["interaction"] = data["value"] - own.sum(axis=1)
    best_first = np.lexsort((-data["value"], ~data["exact"]))
    rank = np.empty(len(items), dtype=np.uint32)
    rank[best_first] = np.arange(1, len(items) + 1)
    keys = tuple("abcdefgh"[:order]) if order <= 8 else tuple(f"column{i}" for i in range(order))
    frame = pl.DataFrame(
        {
            **{key: columns[:, i].tolist() for i, key in enumerate(keys)},
            "pair": [candidate_name(item) for item in items],
            "rank": rank,
            **data,
        }
    ).sort("rank")
    return Scores(frame=frame, keys=keys, item="pair" if order == 2 else "group", better="high", meta=meta)


def _per_column(pairs: Scores, names: Sequence[str], meta: Meta) -> Scores:
    """Median and best score of the combinations that hold each column."""
    long = pl.concat(
        [pairs.frame.select(pl.col(key).alias("column"), "value", "pair", "rank") for key in pairs.keys]
    ).sort("rank")
    found = long.group_by("column", maintain_order=True).agg(
        pl.col("value").median(),
        best=pl.col("value").first(),
        partner=pl.col("pair").first(),
        n=pl.len().cast(pl.Int64),
    )
    frame = pl.DataFrame({"column": list(names)}).join(found, on="column", how="inner", maintain_order="left")
    return Scores(
        frame=frame, keys=("column",), item="column", better="high", meta=meta.replace(symmetric=False)
    )


def _warnings(total: int, evaluated: int) -> tuple[str, ...]:
    if evaluated == total:
        return ()
    return (
        f"{total - evaluated:,} of {total:,} combinations were scored in no block; raise work to reach them",
    )
