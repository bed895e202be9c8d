"""What is odd about the columns of a source, before anyone models it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Self

import numpy as np
import polars as pl
import pyarrow as pa
from numba import njit

from salience.data.blocks import Block
from salience.data.plan import Plan, plan
from salience.data.readers import open_source
from salience.data.scan import scan
from salience.measures.counting import Contingency, CountState, Item
from salience.tabular.streaming.heuristics import heuristic
from salience.tabular.streaming.parts import OriginState, Quarter, column_items, described, row_namers
from salience.tabular.streaming.scoring import ID_SHARE, score_columns

MISSING_SHARE = 0.5
OWN_SHARE = 0.9  # distinct values per row with one: any two such columns say the same under other names
LEAKS = {
    "leak": ("leaking", "nearly all there is"),
    "near-leak": ("nearly leaking", "more than an honest column is likely to, though not all there is"),
}
RARE_SHARE = 0.5  # of the rows hold a value that occurs once
DRIFT_SHARE = 0.01  # of the information about which quarter of the file a row is in
SCHEMA = {"column": pl.String, "finding": pl.String, "severity": pl.String, "detail": pl.String}
_SEVERITY = {
    "leaking": "high",
    "nearly leaking": "medium",
    "constant": "medium",
    "duplicate": "medium",
    "recoded": "medium",
    "id-like": "medium",
    "missing": "medium",
    "drifting": "medium",
    "rare": "low",
}


def audit(
    source: Any,
    label: str | None = None,
    *,
    spec: Mapping[str, Mapping[str, Any]] | None = None,
    memory: str | int = "1GiB",
    n_jobs: int = 2,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> pl.DataFrame:
    """Look for columns that are constant, duplicate, (nearly) leaking, id-like, rare-valued, missing or drifting, in one pass.

    Parameters
    ----------
    source : path, list of paths, or a table in memory
    label : str, optional
        To look for leaks; without one there is no such finding.
    spec : mapping, optional
        Overrides of the plan by column, e.g. ``{"zip": {"kind": "text"}}``.
    memory : str or int
        What the process may use.
    n_jobs, seed : int
    progress : callable, optional
        ``progress(rows done, rows in all)``.

    Returns
    -------
    polars.DataFrame
        ``column, finding, severity ("high", "medium", "low"), detail``; a column can have several findings.

    Notes
    -----
    Duplicates are columns whose values are equal row by row (by 64-bit identity); a recoded column says the same under other
    names, one to one. Id-like is a text or a whole number that hardly any two rows share. Drifting is a column whose
    distribution differs between the quarters of the source beyond chance; a column that is a row number always does.

    Examples
    --------
    >>> frame = {"one": [1] * 100, "a": [0, 1] * 50, "b": [0, 1] * 50, "n": range(100), "y": [0, 1] * 50}
    >>> audit(frame, "y").select("column", "finding").rows()
    [('a', 'leaking'), ('b', 'leaking'), ('one', 'constant'), ('b', 'duplicate'), ('n', 'id-like'), ('n', 'rare')]
    """
    opened = open_source(source)
    found = plan(opened, label, spec=spec, memory=memory, seed=seed)
    states: dict[str, Any] = {
        "order": OriginState(column_items(found), found, Quarter.of(found), 4),
        "copies": CopyState([c.name for c in found.columns], Quarter.of(found).first_rows),
    }
    if label is not None:
        states["label"] = CountState(column_items(found), label, found)
    scan(found, states, source=opened, progress=progress, threads=n_jobs)
    tables = states["order"].finalize()
    rows: list[tuple[str, str, str]] = []
    if label is not None:
        rows += _leaks(states["label"].finalize(), found)
    namers = row_namers(found)
    for name in described(found):
        rows += _alone(name, tables[name, "values"], name in namers)
    constant = {name for name, what, _ in rows if what == "constant"}
    own = {c.name for c in found.columns if tables[c.name, "values"].distinct_share >= OWN_SHARE}
    rows += _copies(states["copies"].finalize(), constant, constant | own)
    rows += _drifts(tables, found, {name for name, what, _ in rows if what in ("constant", "id-like")})
    order = list(_SEVERITY)
    rows.sort(key=lambda row: order.index(row[1]))
    return pl.DataFrame(
        [(name, what, _SEVERITY[what], detail) for name, what, detail in rows], schema=SCHEMA, orient="row"
    )


def _alone(name: str, table: Contingency, namer: bool) -> Iterable[tuple[str, str, str]]:
    """Findings about one column by itself."""
    n = table.rows
    filled = round(table.coverage * n) if n else 0
    if table.distinct <= 1 and (table.distinct == 0 or filled == n):
        yield name, "constant", "no value at all" if table.distinct == 0 else "one value in every row"
        return
    if table.coverage < MISSING_SHARE:
        yield name, "missing", f"{1 - table.coverage:.1%} of the rows have no value"
    if namer and filled > 2 and table.distinct_share >= ID_SHARE:
        about = "" if table.complete else "about "
        yield name, "id-like", f"{about}{min(table.distinct, filled):,.0f} distinct values in {filled:,} rows"
    single = float(table.weight[(table.totals == 1) & (table.keys != np.uint64(table.missing))].sum())
    if filled and single >= RARE_SHARE * filled:
        yield name, "rare", f"{min(single / filled, 1):.1%} of the filled rows hold a value that occurs once"


def _leaks(tables: Mapping[Item, Contingency], found: Plan) -> Iterable[tuple[str, str, str]]:
    ordered = found.labels[0].edges is not None
    scores = score_columns(tables, described(found), heuristic("mi"), ordered=ordered)
    for row in scores.iter_rows(named=True):
        if row["verdict"] in LEAKS:
            what, how_much = LEAKS[row["verdict"]]
            yield row["column"], what, f"explains {row['value']:.3f} nats of the label: {how_much}"


def _drifts(
    tables: Mapping[Item, Contingency], found: Plan, known: set[str]
) -> Iterable[tuple[str, str, str]]:
    for row in score_columns(tables, described(found), heuristic("mi")).iter_rows(named=True):
        share = row["value"] / np.log(4)
        if row["column"] not in known and row["verdict"] in ("signal", *LEAKS) and share >= DRIFT_SHARE:
            yield (
                row["column"],
                "drifting",
                f"tells {share:.1%} of which quarter of the file a row is in: sorted, or changing over time",
            )


def _copies(
    sums: Mapping[str, tuple[int, int]], constant: set[str], trivial: set[str]
) -> Iterable[tuple[str, str, str]]:
    """Columns with equal sums: of identities (duplicates), or of codes only (recoded; any two row ids would be)."""
    said: set[str] = set()
    for place, what, detail, skipped in (
        (0, "duplicate", "equal to {!r} in every row", constant),
        (1, "recoded", "says the same as {!r}, under other names", constant | trivial),
    ):
        alike: dict[int, list[str]] = defaultdict(list)
        for name, total in sums.items():
            if name not in skipped and name not in said:
                alike[total[place]].append(name)
        for first, *others in alike.values():
            said.update(others)
            for name in others:
                yield name, what, detail.format(first)


class CopyState:
    """A state of the scan: per column two 64-bit sums over rows, of the value's identity and of its code in the block,
    each mixed with the row's number.

    Two columns with the same first sum are equal in every row (but for one chance in 2**64). Codes are numbered as they
    appear in the block, so columns with the same second sum go together one to one in every block.

    Parameters
    ----------
    names : sequence of str
    first_rows : mapping of shard index to rows before it
    """

    def __init__(self, names: Iterable[str], first_rows: Mapping[int, int]) -> None:
        self.names, self.first_rows = tuple(names), dict(first_rows)
        self._sums = np.zeros((len(self.names), 2), dtype=np.uint64)

    def parts(self, block: Block) -> Iterable[Callable[[], None]]:
        """One piece per column."""
        for place, name in enumerate(self.names):
            part = partial(self._add, block, place, name)
            part.column = name  # type: ignore[attr-defined]  # so that one encoding serves all states
            yield part

    def _add(self, block: Block, place: int, name: str) -> None:
        at = block.positions + self.first_rows[block.id[0]]
        column = block.column(name)
        codes = column.coded().codes
        assert codes is not None
        _add_mixed(column.row_hashes(), at, self._sums[place, :1])
        _add_mixed(codes.astype(np.uint64), at, self._sums[place, 1:])

    def merge(self, other: Self) -> None:
        """Add the sums of other rows."""
        self._sums += other._sums

    def empty(self) -> Self:
        """A state of the same configuration without rows."""
        return type(self)(self.names, self.first_rows)

    def to_arrow(self) -> pa.Table:
        """The sums."""
        return pa.table({"values": self._sums[:, 0], "codes": self._sums[:, 1]})

    def load_arrow(self, table: pa.Table) -> None:
        """Replace the sums by those that `to_arrow` gave."""
        self._sums = np.stack([table[c].to_numpy() for c in ("values", "codes")], axis=1).astype(np.uint64)

    def finalize(self) -> dict[str, tuple[int, int]]:
        """The two sums of each column."""
        return {name: (int(a), int(b)) for name, (a, b) in zip(self.names, self._sums, strict=True)}


@njit(nogil=True, cache=True)
def _add_mixed(hashes, positions, total):  # type: ignore[no-untyped-def]
    gold = np.uint64(0x9E3779B97F4A7C15)
    added = np.uint64(0)
    for row in range(len(hashes)):
        mixed = (hashes[row] ^ (np.uint64(positions[row]) * gold)) * np.uint64(0xBF58476D1CE4E5B9)
        added += mixed ^ (mixed >> np.uint64(31))
    total[0] += added
