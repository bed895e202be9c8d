"""What a ranking has counted: the plan, what is ranked, and one state per label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from salience.data.blocks import Block
from salience.data.plan import Plan
from salience.data.readers import Source
from salience.data.scan import scan
from salience.data.states import merge_states, read_extra, save_state
from salience.measures.counting import CountState
from salience.tabular.streaming.candidates import Candidates
from salience.tabular.streaming.checksums import ChecksumState
from salience.verify.fingerprints import from_sums

_NO_CAP = 2**40
_CHECKSUMS = "\x00checksums"  # no label has such a name


@dataclass
class Tally:
    """Counts of the candidates of a plan against its labels.

    Parameters
    ----------
    plan : Plan
    candidates : Candidates
    states : dict of str to State
        By label; None for an engine that reads the rows itself.
    part : str or None
        Which part of the rows was counted, as for `scan`.
    """

    plan: Plan
    candidates: Candidates
    states: dict[str, Any]
    part: str | None = None
    _seen: int = 0  # shards of all sources so far: the first half of a block's id

    def __post_init__(self) -> None:
        names = [column.name for column in self.plan.columns if column.name in self.candidates.kinds]
        self._checksums = ChecksumState(names, self.plan.labels[0].name)

    @property
    def _all(self) -> dict[str, Any]:
        """The states that are filled: tables keep checksums themselves, beside others there is a state for them."""
        own = {name: state for name, state in self.states.items() if state is not None}
        counted = any(hasattr(state, "tables") for state in own.values())
        return own if counted else {**own, _CHECKSUMS: self._checksums}

    def count(
        self,
        source: Source | None,
        states: dict[str, Any] | None = None,
        shards: str | None = None,
        **how: Any,
    ) -> None:
        """Scan a source, or a part of it."""
        wanted = self._all if states is None else states
        if wanted:
            made, reads = self.candidates.derivations, self.candidates.reads
            scan(self.plan, wanted, source=source, derive=made, columns=reads, shards=shards, **how)
        self.part, self._seen = shards, len(self.plan.shards)

    def add(self, source: Source) -> None:
        """Count one more batch of rows, of the same columns."""
        made = {name: derivation for derivation in self.candidates.derivations for name in derivation.names}
        filled, reads = self._all, list(self.candidates.reads)
        for shard in source.shards():
            first = 0
            for batch in source.batches(shard, reads, self.plan.block_rows, self.plan.block_bytes):
                block = Block(batch, self.plan, (self._seen, first), made)
                for state in filled.values():
                    for part in state.parts(block):
                        part()
                first += batch.num_rows
            self._seen += 1

    def recount(self, source: Source, **how: Any) -> None:
        """Count the columns that were sampled by value once more, without a cap."""
        columns = tuple(replace(column, cap=_NO_CAP) for column in self.plan.columns)
        uncapped = replace(self.plan, columns=columns)
        for state in self.states.values():
            over = [item for item, table in getattr(state, "tables", {}).items() if table.halvings]
            if over:
                exact = CountState(over, state.label, uncapped, derived_cap=_NO_CAP)
                self.count(source, {"exact": exact}, **how)
                state.tables.update(exact.tables)

    def merge(self, other: Tally) -> None:
        """Add the counts of other rows under the same plan.

        Raises
        ------
        ValueError
            When the plans differ.
        """
        if self.plan.digest() != other.plan.digest():
            raise ValueError("rankers with different plans cannot be merged: fit both with the same plan")
        for name, state in self._all.items():
            state.merge(other._all[name])

    def save(self, path: str | Path, params: dict[str, Any]) -> None:
        """Write the counts, the plan and the parameters of the ranker to one file."""
        extra = {"plan": self.plan.to_json(), "params": params}
        save_state(path, self._all, self.plan, shards=self.part, extra=extra)

    def join(self, paths: Sequence[str | Path]) -> None:
        """Take up the counts of all parts."""
        merge_states(paths, self._all, self.plan)

    def fingerprints(self) -> tuple[str, ...]:
        """What `verify` compares: the sums of the identities of each column."""
        tables = next((state.tables for state in self.states.values() if hasattr(state, "tables")), None)
        if tables is None:
            sums, rows = self._checksums.finalize()
            return (from_sums(sums, rows),) if rows else ()
        names = [column.name for column in self.plan.columns]
        sums = {name: tables[name, "values"].checksum for name in names if (name, "values") in tables}
        rows = int(next(iter(tables.values())).label_counts.sum())
        return (from_sums(sums, rows),) if sums else ()


def saved_ranker(path: str | Path) -> tuple[Plan, dict[str, Any]]:
    """The plan and the parameters of the ranker that wrote a file of counts.

    Raises
    ------
    ValueError
        When no ranker wrote it.
    """
    extra = read_extra(path)
    if not {"plan", "params"} <= extra.keys():
        raise ValueError(f"{path} was not written by StreamRanker.save_state (salience rank --state)")
    return Plan.from_json(extra["plan"]), extra["params"]
