"""A block of rows as identities, codes and numbers, each column encoded on demand and once.

Everything a state sees of the data is a `Block`: columns of the source, ordered bins of the number columns,
and columns derived from other columns, all under names and all as `Column`.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit
from numpy.typing import NDArray

from salience.data.encoding import encode
from salience.data.hashing import MISSING, identities
from salience.data.multivalues import Tokens, split
from salience.data.plan import LabelPlan, Plan


@dataclass(frozen=True, eq=False)
class Column:
    """The values of one column in one block of n rows.

    Attributes
    ----------
    hashes : uint64 (u,) or (n,)
        Identity of each local code; of each row when `codes` is None. A missing value has the identity
        `MISSING`.
    codes : int32 (n,) or None
        Index into `hashes`. After `coded` they are dense and no two of them share an identity; before, they
        need not be.
    numbers : float64 (n,), callable or None
        What `numeric` gives, or what makes it: NaN where missing or not a number; None for texts and lists.
        Times are seconds since 1970.

    Examples
    --------
    >>> column = Column(np.array([9, 4, 9], dtype=np.uint64)).coded()
    >>> column.codes, column.hashes
    (array([0, 1, 0], dtype=int32), array([9, 4], dtype=uint64))
    """

    hashes: NDArray[np.uint64]
    codes: NDArray[np.int32] | None = None
    numbers: NDArray[np.float64] | Callable[[], NDArray[np.float64]] | None = None  # as given

    @functools.cached_property
    def numeric(self) -> NDArray[np.float64] | None:
        """The numbers, made when they are first asked for: counting values needs none."""
        return self.numbers() if callable(self.numbers) else self.numbers

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.hashes if self.codes is None else self.codes)

    def row_hashes(self) -> NDArray[np.uint64]:
        """Identity of each row, uint64 (n,)."""
        return self.hashes if self.codes is None else self.hashes[self.codes]

    def coded(self) -> Column:
        """The same column with dense codes: one per distinct identity, in the order of first appearance."""
        if self.codes is None:
            codes, hashes = factorise(np.ascontiguousarray(self.hashes))
            return Column(hashes, codes, self.numbers)
        same, distinct = factorise(
            np.ascontiguousarray(self.hashes)
        )  # "1" and "1.0" in a dictionary are one number
        codes, order = _in_order_of_appearance(self.codes, same, len(distinct))
        return Column(distinct[order], codes, self.numbers)


class Derivation(Protocol):
    """Columns made from other columns of the same block: combinations, sub-features, transforms, noise
    controls.

    A derivation whose columns can be binned also has ``edges(name)``, the bin edges of a derived number
    column.
    """

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the derived columns."""
        ...

    def derive(self, block: Block, name: str) -> Column:
        """One of them: a pure function of the block, thread-safe, releasing the GIL where it is heavy."""
        ...


class Block:
    """Consecutive rows of one shard.

    Parameters
    ----------
    batch : pyarrow.RecordBatch
    plan : Plan
    id : (int, int)
        Index of the shard and first row in it: equal in every run and on every machine.
    derivations : mapping of str to Derivation
        Which derivation makes which derived column.
    kept : bool (n,), optional
        Rows that the plan's subsample keeps (see `kept_rows`).

    Attributes
    ----------
    rows : int
    """

    def __init__(
        self,
        batch: pa.RecordBatch,
        plan: Plan,
        id: tuple[int, int],
        derivations: Mapping[str, Derivation] | None = None,
        kept: NDArray[np.bool_] | None = None,
    ) -> None:
        self._kept = kept
        self.id = id
        self.plan = plan
        self._batch = batch if kept is None else batch.filter(pa.array(kept))
        self.rows = self._batch.num_rows
        self._derivations = derivations or {}
        self._encoded: dict[str, Column] = {}
        self._locks = {name: threading.Lock() for name in batch.schema.names}
        self._last = threading.local()

    @functools.cached_property
    def positions(self) -> NDArray[np.int64]:
        """Row number of each row in its shard, int64 (rows,)."""
        within = np.arange(self.rows) if self._kept is None else np.flatnonzero(self._kept)
        return self.id[1] + within

    @functools.cached_property
    def labels(self) -> dict[str, NDArray[np.int32]]:
        """Class of each row by the plan for each label, int32 (rows,); -1 where the row has no label."""
        return {label.name: self._classes_of(label) for label in self.plan.labels}

    def column(self, name: str) -> Column:
        """A column of the source or of a derivation.

        A column of the source is encoded by the thread that asks first and kept as long as the block; a
        derived one is made anew, unless the same thread asks for it twice in a row.

        Raises
        ------
        ValueError
            No such column was read or derived.
        """
        derivation = self._derivations.get(name)
        if derivation is not None:
            if getattr(self._last, "name", None) != name:
                self._last.column, self._last.name = derivation.derive(self, name), name
            derived: Column = self._last.column
            return derived
        with self._lock(name):
            if name not in self._encoded:
                self._encoded[name] = self._encode(name)
            return self._encoded[name]

    def binned(self, name: str) -> Column:
        """The ordered bins of a number column: code i is bin i, the last code is missing; `numeric` stays.

        Raises
        ------
        ValueError
            The column has no bin edges.
        """
        derivation = self._derivations.get(name)
        if derivation is not None:
            edges_of = getattr(derivation, "edges", None)
            edges = edges_of(name) if edges_of is not None else None
        else:
            edges = self.plan.column(name).edges
        column = self.column(name)
        if edges is None or column.numeric is None:
            raise ValueError(
                f"Column {name!r} has no bins: the plan bins numbers with many distinct values. Use "
                f"column({name!r}), or set "
                f"spec={{{name!r}: {{'kind': 'number', 'edges': [...]}}}} in plan()."
            )
        edges = np.asarray(edges, dtype=np.float64)
        return Column(bin_identities(len(edges) + 1), bin_codes(column.numeric, edges), column.numbers)

    def raw(self, name: str) -> pa.Array:
        """A column of the source as it was read."""
        self._lock(name)
        return self._batch.column(name)

    def tokens(self, name: str) -> Tokens:
        """The tokens of a multi-value column.

        Raises
        ------
        ValueError
            The plan has no vocabulary for the column.
        """
        planned = self.plan.column(name)
        if planned.vocabulary is None:
            raise ValueError(
                f"Column {name!r} is no multi-value column. Name it in plan(..., multivalue=[{name!r}])."
            )
        offsets, values = split(self.raw(name), planned.separator)
        vocabulary = pa.array(planned.vocabulary, values.type)
        codes = pc.index_in(values, value_set=vocabulary).fill_null(-1).to_numpy(zero_copy_only=False)
        known = codes >= 0
        before = np.concatenate([[0], np.cumsum(known)])
        return Tokens(before[offsets], codes[known].astype(np.int32), planned.vocabulary)

    def _lock(self, name: str) -> threading.Lock:
        if name not in self._locks:
            raise ValueError(
                f"This scan does not read a column {name!r}, and no derivation makes it. Name it in columns=."
            )
        return self._locks[name]

    def _encode(self, name: str) -> Column:
        kind, array, missing = self.plan.column(name).kind, self._batch.column(name), self.plan.missing
        return Column(*encode(array, kind, missing))

    def _classes_of(self, label: LabelPlan) -> NDArray[np.int32]:
        column = self.column(label.name)
        if label.edges is not None:
            assert column.numeric is not None  # the plan bins numbers only
            codes = bin_codes(column.numeric, label.edges)
            codes[codes == len(label.edges) + 1] = -1
            return codes
        column = column.coded()
        assert column.codes is not None
        order = np.argsort(label.identities)
        at = np.minimum(np.searchsorted(label.identities, column.hashes, sorter=order), len(order) - 1)
        classes = order[at].astype(np.int32)
        classes[column.hashes == MISSING] = -1
        unseen = (label.identities[order[at]] != column.hashes) & (column.hashes != MISSING)
        if unseen.any():
            row = int(np.flatnonzero(unseen[column.codes])[0])
            turn, shards = self.id[0], self.plan.shards
            # a later batch of partial_fit is no shard of the plan
            where = (
                f"shard {turn} ({shards[turn].path or 'in memory'})"
                if turn < len(shards)
                else f"batch {turn}"
            )
            raise ValueError(
                f"The label {label.name!r} has the value "
                f"{self._batch.column(label.name)[row].as_py()!r} in row "
                f"{int(self.positions[row])} of {where}, but the plan knows only "
                f"{list(label.classes)}. The data changed since it was planned: plan it again."
            )
        return classes[column.codes]


def kept_rows(plan: Plan, shard: int, first: int, rows: int) -> NDArray[np.bool_] | None:
    """Which rows of a block the plan's subsample keeps: one of every `subsample` consecutive rows of the
    shard.

    Which one is drawn from (seed, shard, group of rows) alone, so that it is the same in every run, on every
    machine and for every size of blocks.

    Returns
    -------
    bool (rows,) or None
        None when all rows are kept.
    """
    if plan.subsample == 1:
        return None
    k = np.uint64(plan.subsample)
    row = np.arange(first, first + rows, dtype=np.uint64)
    key = np.uint64((plan.seed * 0x9E3779B97F4A7C15 + shard * 0xD1B54A32D192ED03) % 2**64)
    mixed = row // k + key  # splitmix64 of the group's number
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    kept: NDArray[np.bool_] = row % k == (mixed ^ (mixed >> np.uint64(31))) % k
    return kept


@functools.lru_cache(maxsize=256)
def bin_identities(bins: int) -> NDArray[np.uint64]:
    """Identity of each bin, then that of a missing value, uint64 (bins + 1,): bin i is the integer i."""
    hashes = np.append(identities(pa.array(range(bins), pa.int64()), "number", ())[0], MISSING)
    hashes.flags.writeable = False
    return hashes


@njit(nogil=True, cache=True)
def bin_codes(values, edges):  # type: ignore[no-untyped-def]
    """Bin of each value, int32 (n,): the number of edges not above it; ``len(edges) + 1`` for NaN."""
    n, bins = len(values), len(edges)
    codes = np.empty(n, np.int32)
    if bins > 96:
        for i in range(n):
            codes[i] = bins + 1 if np.isnan(values[i]) else np.searchsorted(edges, values[i], "right")
        return codes
    above = np.empty(1024, np.int64)
    for first in range(0, n, 1024):  # comparing with every edge, many values at once, beats any search
        some = values[first : first + 1024]
        above[:] = 0
        for edge in edges:
            for i in range(len(some)):
                above[i] += some[i] >= edge
        for i in range(len(some)):
            codes[first + i] = bins + 1 if np.isnan(some[i]) else above[i]
    return codes


@njit(nogil=True, cache=True)
def factorise(hashes):  # type: ignore[no-untyped-def]
    """Codes in the order of first appearance, int32 (n,), and the distinct identities, uint64 (u,)."""
    n = len(hashes)
    slots = 1024  # grows with the values: the table of a column with few of them stays in the cache
    mask = np.uint64(slots - 1)
    table = np.full(slots, -1, np.int32)
    codes = np.empty(n, np.int32)
    distinct = np.empty(n, np.uint64)
    found = 0
    for i in range(n):
        h = hashes[i]
        at = h & mask
        while True:
            code = table[at]
            if code < 0:
                table[at] = found
                distinct[found] = h
                codes[i] = found
                found += 1
                if 2 * found > slots:
                    slots *= 4
                    mask = np.uint64(slots - 1)
                    table = np.full(slots, -1, np.int32)
                    for j in range(found):
                        at = distinct[j] & mask
                        while table[at] >= 0:
                            at = (at + np.uint64(1)) & mask
                        table[at] = j
                break
            if distinct[code] == h:
                codes[i] = code
                break
            at = (at + np.uint64(1)) & mask
    return codes, distinct[:found].copy()


@njit(nogil=True, cache=True)
def _in_order_of_appearance(codes, same, u):  # type: ignore[no-untyped-def]
    """New code of each row, and the old code (after `same`) of each new code."""
    new = np.full(u, -1, np.int32)
    order = np.empty(u, np.int64)
    out = np.empty(len(codes), np.int32)
    found = 0
    for i in range(len(codes)):
        old = same[codes[i]]
        if new[old] < 0:
            new[old] = found
            order[found] = old
            found += 1
        out[i] = new[old]
    return out, order[:found].copy()
