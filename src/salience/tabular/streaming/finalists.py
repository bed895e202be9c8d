"""The finalists among combinations: counted over all rows, and each asked what it says beyond its columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import combinations as subsets
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from salience.data.blocks import Derivation
from salience.data.plan import Plan
from salience.data.scan import scan
from salience.measures.conditional import added_information
from salience.measures.contingency import Contingency
from salience.measures.information import Information, corrected
from salience.measures.nulltable import NullTable
from salience.tabular.streaming.cells import CellState, key_of

__all__ = ["Finalist", "count_finalists", "scan_columns"]

Item = tuple[str, ...]

_CAP = 16384  # values of a finalist that are sampled
_REST_VALUES = 2**22  # of all the finalists' columns together: a stratum that is not counted costs precision
_HELD = 3  # times what is kept: the values of a block wait until they are added up


class Finalist(NamedTuple):
    """What a combination says about the label.

    Attributes
    ----------
    joint : Information
        Of all its columns together.
    synergy : Information
        What it says beyond the best rest.
    beyond : tuple of str
        The best rest: of the combinations with one column left out, the one with the highest score.
    exact : bool
        Whether every value was counted.
    """

    joint: Information
    synergy: Information
    beyond: Item
    exact: bool


def count_finalists(
    plan: Plan, label: str, final: Sequence[Item], views: Mapping[str, str], source: Any,
    derive: Sequence[Derivation], threads: int, progress: Callable[[int, int], None] | None,
    exact: bool = False,
) -> tuple[dict[Item, Finalist], dict[Item, Information]]:  # fmt: skip
    """Count combinations, and the columns in them, over the whole stream.

    With `exact`, every value is counted; what does not fit in half of the plan's memory at once takes more passes.

    Returns
    -------
    found : dict of tuple of str to Finalist
    alone : dict of tuple of one str to Information
    """
    found: dict[Item, Finalist] = {}
    alone: dict[Item, Information] = {}
    n_classes = len(plan.label(label).classes)
    for group in _groups(plan, final, views, n_classes) if exact else [final]:
        rests = dict.fromkeys(
            rest for item in group for size in {1, len(item) - 1} for rest in subsets(item, size)
        )
        cap = max(_CAP, _REST_VALUES // max(len(rests), 1))
        caps = dict.fromkeys(rests, None if exact else cap) | dict.fromkeys(group, None if exact else _CAP)
        state = CellState(caps, views, label, n_classes, threads)
        scan_columns(plan, {"finalists": state}, source, derive, list(state.views), None, threads, progress)
        tables = {item: cells.finalize() for item, cells in state.cells.items()}
        null = NullTable(next(iter(tables.values()))[0].label_counts)
        scores = {item: corrected(tables[item][0], null) for item in rests}
        alone |= {item: score for item, score in scores.items() if len(item) == 1}
        with ThreadPoolExecutor(threads) as pool:
            judged = pool.map(partial(_judged, tables=tables, scores=scores, null=null), group)
            found |= dict(zip(group, judged, strict=True))
    return found, alone


def scan_columns(
    plan: Plan, states: Mapping[str, Any], source: Any, derive: Sequence[Derivation], names: Sequence[str],
    blocks: Sequence[tuple[int, int]] | None, threads: int, progress: Callable[[int, int], None] | None,
) -> None:  # fmt: skip
    """Scan what some columns, of the source or derived, are made of; only the shards of `blocks` where given."""
    derived = {name for derivation in derive for name in derivation.names}
    # A derivation may read any column of the source.
    wanted = None if derived & set(names) else [name for name in names if name not in derived]
    shards = None if blocks is None else sorted({shard for shard, _ in blocks})
    scan(
        plan, dict(states), source=source, derive=derive, columns=wanted, shards=shards, threads=threads,
        progress=progress,
    )  # fmt: skip


def _judged(
    item: Item,
    tables: Mapping[Item, tuple[Contingency, NDArray[np.uint64]]],
    scores: Mapping[Item, Information],
    null: NullTable,
) -> Finalist:
    cells, members = tables[item]
    rests = {item[:place] + item[place + 1 :]: place for place in range(len(item))}
    beyond = max(rests, key=lambda rest: scores[rest].score)
    table = tables[beyond][0]
    keys = key_of(np.delete(members, rests[beyond], axis=1))
    at = np.minimum(np.searchsorted(table.keys, keys), len(table.keys) - 1)
    strata = np.where(table.keys[at] == keys, at, -1)
    synergy = added_information(cells, strata, table.counts, table.weight)
    return Finalist(corrected(cells, null), synergy, beyond, cells.complete and table.complete)


def _groups(
    plan: Plan, final: Sequence[Item], views: Mapping[str, str], n_classes: int
) -> Iterator[list[Item]]:
    """As many finalists at a time as fit in half of the memory, every value counted."""
    planned = {column.name: column for column in plan.columns}

    def values(name: str) -> int:
        column = planned.get(name)
        if column is None:
            return plan.rows
        if views[name] == "bins" and column.edges is not None:
            return len(column.edges) + 2
        return max(column.distinct + 1, 1)

    room = plan.memory / 2
    group: list[Item] = []
    left = room
    for item in final:
        cost = 0
        for size in {1, len(item) - 1, len(item)}:
            for part in subsets(item, size):
                distinct = min(plan.rows, prod(values(name) for name in part))
                cost += _HELD * distinct * 8 * (1 + size + n_classes)
        if group and cost > left:
            yield group
            group, left = [], room
        group.append(item)
        left -= cost
    if group:
        yield group
