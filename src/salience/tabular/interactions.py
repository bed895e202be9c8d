"""Which columns say something together that neither says alone: pairs, triples and so on, on a stream of any size.

A combination is judged by its *synergy*: what is lost, at least, when one of its columns is left out. That of
a pair is ``I(a, b; y)`` less the information of the better column, above what a column that adds nothing would
show by chance, so the enormous cardinality of pairs is no advantage, nor is a column that is strong alone. All
combinations of 800 columns cannot see all rows: blocks are sampled, each scores its share of the
combinations, two or three rounds halve the field by synergy, and the finalists are then counted over the whole
stream, against a null of their own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import comb
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from salience.data.blocks import Derivation
from salience.data.plan import Plan
from salience.measures.information import Information
from salience.results.meta import Interval, Meta
from salience.results.scores import Scores
from salience.tabular.streaming.batchlog import AGGREGATES
from salience.tabular.streaming.combinationstate import CombinationState, sampled_blocks, views_of
from salience.tabular.streaming.combined import LEVEL, of_combinations, of_singles, per_column
from salience.tabular.streaming.finalists import Finalist, count_finalists, scan_columns
from salience.tabular.streaming.schedule import Schedule, halving_sizes, keep_best, unrank_combinations

__all__ = ["Interactions", "rank_combinations"]

MAX_FINALISTS = 200

Item: TypeAlias = tuple[str, ...]


@dataclass(frozen=True)
class Interactions:
    """What `rank_combinations` found.

    Attributes
    ----------
    pairs : Scores
        Of the combinations, keys ``a, b`` (``c`` ...), in order of synergy, those told from chance first:
        ``value`` (the synergy, nats), ``rank``, its ``se, lo, hi, null``, and for the finalists ``z, p, q`` (q
        over all combinations); ``beyond`` (the best that is left without one column: the synergy is over
        these); ``verdict`` ("signal", "noise", or "unjudged": no finalist); ``joint`` (mutual information of
        the whole combination above chance), its ``joint_se``, ``joint_null`` and ``mi``; ``interaction`` (joint
        minus the sum of its singles); ``q10, q90, n_batches`` over blocks; ``exact`` (every value was counted over
        all rows).
    singles : Scores
        Of the columns alone, on the same blocks (exact where ``exact``).
    per_column : Scores
        Per column over the combinations that hold it: the median ``value`` (synergy), the ``best`` and its
        ``partner``, ``n``.
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
    exact: bool = False,
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
        Combinations counted over all rows in one more pass, and tested, at most 200; 0 for none.
    exact : bool
        Count every value of the finalists; else those that have many values are counted by a sample of their
        values, and the error of that is in ``se``. Takes more passes where not all fit in half of the memory.
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
    The synergy of a finalist is ``I(B; Y | A) - E``, with A the better column (of three, the best two), B the other
    one, and E the exact expectation when B is paired with the label at random within each value of A. That of
    the others, and with ``finalists=0``, is the difference of the two scores in blocks, and not tested.

    A missing value is a value. Without enough work for all, combinations no block has scored are not in the
    result: ``n_evaluated < n_combinations``, and a warning says so.

    Examples
    --------
    >>> import polars as pl
    >>> from salience.data.plan import plan
    >>> from salience.data.readers import open_source
    >>> bits = np.random.default_rng(0).integers(2, size=(3, 400))
    >>> frame = pl.DataFrame({"a": bits[0], "b": bits[1], "c": bits[2], "y": bits[0] ^ bits[2]})
    >>> source = open_source(frame)
    >>> found = rank_combinations(plan(source, "y"), source=source)
    >>> found.pairs.frame.select("a", "b", pl.col("value").round(2), "verdict").row(0)
    ('a', 'c', 0.68, 'signal')
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
        scan_columns(
            plan, {"combinations": state}, source, derive, names, blocks, threads, _staged(progress, "pairs")
        )
        rounds_done.append(state)
        items = state.log.items()
        if not len(items):
            raise ValueError(
                f"No sampled block has two classes of the label {label!r}: is the file sorted by it? Shuffle it, or "
                "raise work so that more blocks are read."
            )
        following = sizes[turn + 1] if turn + 1 < len(sizes) else max(finalists, 1)
        active = items[keep_best(state.evidence(), following)]
    log = rounds_done[0].log
    for state in rounds_done[1:]:
        log.merge(state.log)
    single_log = rounds_done[0].single_log
    for state in rounds_done[1:]:
        single_log.merge(state.single_log)

    judged: dict[Item, Finalist] = {}
    alone: dict[Item, Information] = {}
    assert active is not None
    if finalists:
        chosen = unrank_combinations(active, len(names), order)
        final = [tuple(names[i] for i in row) for row in chosen]
        judged, alone = count_finalists(
            plan, str(label), final, seen_as, source, derive, threads, _staged(progress, "finalists"), exact
        )
    meta = Meta(
        method="interactions",
        params={
            "label": label,
            "order": order,
            "pair_budget": pair_budget,
            "finalists": finalists,
            "exact": exact,
            "work": work,
        },
        seed=seed,
        rows=rows,
        unit="nats",
        interval=Interval("normal", LEVEL),
        net_of_null=True,
        symmetric=True,
        seconds=time.perf_counter() - started,
        warnings=_warnings(total, len(log.items())),
        extra={
            "blocks": [len(s.turns) for s in rounds_done],
            "skipped_blocks": sum(s.skipped for s in rounds_done),
        },
    )
    singles = of_singles(single_log, names, aggregate, alone, meta)
    pairs = of_combinations(log, single_log, names, order, aggregate, judged, alone, total, meta)
    return Interactions(pairs, singles, per_column(pairs, names), total, len(log.items()))


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


def _warnings(total: int, evaluated: int) -> tuple[str, ...]:
    if evaluated == total:
        return ()
    return (
        f"{total - evaluated:,} of {total:,} combinations were scored in no block; raise work to reach them",
    )
