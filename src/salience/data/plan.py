"""What is decided about a source before it is scanned, once and for everybody who takes part in the scan.

Types, bins, label classes, heavy values, caps and block boundaries come from the `Plan`; since every worker
gets the same one, the answer does not depend on who reads which rows.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from salience.data.budget import Budget, parse_memory
from salience.data.columnplan import ColumnPlan, check_kind, column_plan
from salience.data.kinds import Finding, notes_on
from salience.data.labels import LabelPlan, plan_labels
from salience.data.multivalues import vocabularies
from salience.data.pilot import Pilot, Values
from salience.data.readers import open_source
from salience.data.readers.source import Shard, near
from salience.results.checksums import CHECKSUM

__all__ = ["ColumnPlan", "LabelPlan", "Plan", "parse_memory", "plan"]

_VERSION = 1
_SPEC = ("kind", "edges", "heavy", "cap", "distinct", "vocabulary", "separator")


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything that is decided before a scan. Frozen; `str` prints it, JSON keeps it.

    Attributes
    ----------
    source : dict
        The source's own description (``source.describe()``); of data in memory only the format.
    shards : tuple of Shard
    rows : int
        Rows of the source, before `subsample`.
    columns : tuple of ColumnPlan
        All columns but the labels, in the order of the source.
    labels : tuple of LabelPlan
    missing : tuple of str
        Texts that stand for a missing value.
    block_rows : int
        Rows of a block.
    memory : int
        Bytes that the whole process may use.
    seed : int
    subsample : int
        One of so many consecutive rows is used.
    pilot_rows : int
        Rows that the decisions are based on.
    notes : tuple of str
        What was odd and what was done about it.
    block_bytes : int or None
        Of so many rows, as many make a block as take so many bytes of text.
    """

    source: dict[str, Any]
    shards: tuple[Shard, ...]
    rows: int
    columns: tuple[ColumnPlan, ...]
    labels: tuple[LabelPlan, ...]
    missing: tuple[str, ...]
    block_rows: int
    memory: int
    seed: int
    subsample: int
    pilot_rows: int
    notes: tuple[str, ...] = ()
    block_bytes: int | None = None

    @functools.cached_property
    def _by_name(self) -> dict[str, ColumnPlan]:
        labels = [label.column for label in self.labels]
        return {column.name: column for column in (*self.columns, *labels)}

    def column(self, name: str) -> ColumnPlan:
        """The plan of one column, labels included.

        Raises
        ------
        ValueError
            The plan has no such column; near names are given.
        """
        if name not in self._by_name:
            raise ValueError(f"The plan has no column {near(name, self._by_name)}")
        return self._by_name[name]

    def label(self, name: str) -> LabelPlan:
        """The plan of one label.

        Raises
        ------
        ValueError
            The plan has no such label; its labels are given.
        """
        for label in self.labels:
            if label.name == name:
                return label
        raise ValueError(
            f"The plan has no label {name!r}; its labels: {[label.name for label in self.labels]}."
        )

    @property
    def pilot_bytes(self) -> int:
        """What a look at the pilot of the rows may hold."""
        return Budget(self.memory, len(self._by_name)).bytes_of_a_pilot

    def to_json(self) -> str:
        """As JSON; `from_json` gives back an equal plan, bit by bit."""
        content = {key: value for key, value in self.__dict__.items() if not key.startswith("_")}
        content |= {
            "version": _VERSION,
            "shards": [[s.index, s.path, list(s.part), s.rows] for s in self.shards],
            "columns": [column.to_dict() for column in self.columns],
            "labels": [label.to_dict() for label in self.labels],
        }
        return json.dumps(content, sort_keys=True, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """The plan that `to_json` wrote.

        Raises
        ------
        ValueError
            Not the JSON of a plan, or of another version.
        """
        try:
            content = json.loads(text)
            version = content.pop("version")
            content.pop(CHECKSUM, None)  # plan.json of a run has one
        except (json.JSONDecodeError, AttributeError, KeyError) as error:
            raise ValueError(
                f"This is not the JSON of a plan: {error!r}. Give what Plan.to_json() wrote (plan.json)."
            ) from None
        if version != _VERSION:
            raise ValueError(
                f"This plan has version {version}; this version of salience reads version {_VERSION}. "
                "Plan again."
            )
        content["shards"] = tuple(
            Shard(i, path, tuple(part), rows) for i, path, part, rows in content["shards"]
        )
        content["columns"] = tuple(map(ColumnPlan.from_dict, content["columns"]))
        content["labels"] = tuple(map(LabelPlan.from_dict, content["labels"]))
        content["missing"], content["notes"] = tuple(content["missing"]), tuple(content["notes"])
        return cls(**content)

    def digest(self) -> str:
        """SHA-256 of the JSON, as hexadecimal digits."""
        return self._digest

    @functools.cached_property
    def _digest(self) -> str:
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Plan) and self.digest() == other.digest()

    def __hash__(self) -> int:
        return hash(self.digest())

    def __repr__(self) -> str:
        labels = ", ".join(label.name for label in self.labels) or "none"
        size = f"{self.rows} rows in {len(self.shards)} shards, {len(self.columns)} columns"
        return f"<Plan {self.digest()[:8]}: {size}, label {labels}>"

    def __str__(self) -> str:
        lines = [
            f"{self.rows:,} rows in {len(self.shards)} shards, blocks of {self.block_rows:,} rows; "
            f"pilot of {self.pilot_rows:,} rows"
            + (f"; one row of {self.subsample} is used" if self.subsample > 1 else ""),
        ]
        for label in self.labels:
            shown = ", ".join(
                f"{c} ({n:,})" for c, n in zip(label.classes[:6], label.counts[:6].tolist(), strict=True)
            )
            more = f", ... {len(label.classes)} in all" if len(label.classes) > 6 else ""
            lines.append(f"label {label.name}: {label.kind} {shown}{more}; {label.missing:,} rows without")
        rows = [("column", "kind", "distinct", "coverage", "bins", "heavy", "cap")]
        for c in self.columns[:40]:
            bins = "-" if c.edges is None else str(len(c.edges) + 1)
            kind = c.kind if c.vocabulary is None else f"{c.kind} ({len(c.vocabulary)} tokens)"
            rows.append(
                (c.name, kind, f"{c.distinct:,}", f"{c.coverage:.1%}", bins, str(len(c.heavy)), f"{c.cap:,}")
            )
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            cells = [
                cell.ljust(w) if i < 2 else cell.rjust(w)
                for i, (cell, w) in enumerate(zip(row, widths, strict=True))
            ]
            lines.append("  ".join(cells).rstrip())
        if len(self.columns) > 40:
            lines.append(f"... and {len(self.columns) - 40} more columns")
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


def plan(
    source: Any,
    label: str | Sequence[str] | None = None,
    *,
    spec: Mapping[str, Mapping[str, Any]] | None = None,
    memory: str | int = "1GiB",
    missing: Sequence[str] = ("", "{}"),
    bins: int = 32,
    label_bins: int = 10,
    multivalue: Sequence[str] | Mapping[str, str] | None = None,
    seed: int = 0,
    subsample: int = 1,
    block_rows: int | None = None,
) -> Plan:
    """Decide from a pilot of the rows how a source is read.

    Parameters
    ----------
    source : Source, path, frame, ...
        Whatever `open_source` takes.
    label : str or sequence of str, optional
        Columns to explain. Their classes are counted over all rows.
    spec : mapping, optional
        Overrides by column: ``kind`` ("text", "number", "time", "list"), ``edges``, ``heavy``, ``cap``,
        ``distinct``, ``vocabulary``, ``separator``. Example: ``{"zip": {"kind": "text"}}``.
    memory : str or int
        What the process may use: ``"1GiB"``, ``"512MB"`` or bytes. A quarter is for the states, an eighth for
        a block.
    missing : sequence of str
        Texts that mean "no value", beside null and NaN.
    bins, label_bins : int
        Ordered bins of number columns with more than 64 distinct values, and of a number label with more than
        20.
    multivalue : sequence of str or mapping of str to str, optional
        Columns that hold several tokens, and what separates them (otherwise what seems to, or of "," "-" ";" "|"
        the most frequent).
    seed : int
        Of the pilot's offset, the subsample and everything random in the scan.
    subsample : int
        Use one row of so many.
    block_rows : int, optional
        Rows of a block. Default: as many as fit, between 4,096 and 65,536.

    Returns
    -------
    Plan

    Raises
    ------
    ValueError
        No rows; a label that is absent, empty, constant or has more than 256 texts; an override of an unknown
        column.

    Examples
    --------
    >>> import pyarrow as pa
    >>> people = {"age": [31, 42, 31, 27], "town": ["Rome", "Oslo", None, "Rome"], "y": [0, 1, 1, 0]}
    >>> print(plan(pa.table(people), "y"))
    4 rows in 1 shards, blocks of 65,536 rows; pilot of 4 rows
    label y: classes 0 (2), 1 (2); 0 rows without
    column  kind    distinct  coverage  bins  heavy  ...
    age     number         3    100.0%     -      1  ...
    town    text           2     75.0%     -      1  ...
    """
    source = open_source(source) if not hasattr(source, "batches") else source
    labels = (label,) if isinstance(label, str) else tuple(label or ())
    given = _checked_spec(spec or {}, source.columns)
    separators = _separators(multivalue, source.columns, given)
    budget, symbols = (
        Budget(parse_memory(memory), len(source.columns), source.held, source.rows),
        tuple(missing),
    )
    _check_arguments(source, labels, bins, label_bins, subsample, block_rows)
    budget.check([2] * len(labels))

    pilot = Pilot(source, source.columns, budget.bytes_of_a_pilot, seed)
    label_pilots: dict[str, Values] = {}
    decided: dict[str, Future[tuple[ColumnPlan, Finding | None]]] = {}
    with ThreadPoolExecutor(2) as pool:  # sorting releases the GIL; one thread decides while another reads
        for name, values in pilot.columns():
            own = {"kind": "list"} | given.get(name, {}) if name in separators else given.get(name, {})
            about = (name, values, source.types[name], symbols, bins, source.rows, own)
            decided[name] = pool.submit(column_plan, *about)
            if name in labels:
                label_pilots[name] = values
    plans = {name: future.result()[0] for name, future in decided.items()}
    findings = {name: found for name, future in decided.items() if (found := future.result()[1]) is not None}
    for name in labels:
        _refuse_list(name, plans[name].kind)
        if (found := findings.get(name)) is not None and found.what == "list":
            del findings[name]
    if separators:
        for name, separator in separators.items():
            if (looks := findings.pop(name, None)) is not None and separator is None:
                separators[name] = looks.kind
        for name, (separator, tokens) in vocabularies(
            pilot.batches(list(separators)), separators, symbols
        ).items():
            tokens = given.get(name, {}).get("vocabulary", tokens)
            plans[name] = replace(plans[name], separator=separator, vocabulary=tuple(tokens))
    targets = (
        plan_labels(source, [plans[name] for name in labels], label_pilots, symbols, label_bins)
        if labels
        else ()
    )
    columns = [plans[name] for name in source.columns if name not in labels]
    shards = tuple(source.shards())
    budget.check([len(t.classes) for t in targets])
    columns = budget.caps(columns, [len(t.classes) for t in targets], given)
    pa.default_memory_pool().release_unused()  # what the pilot needed, the scan can have
    return Plan(
        source=source.describe() if all(shard.path for shard in shards) else {"format": source.format},
        shards=shards,
        rows=source.rows,
        columns=tuple(columns),
        labels=targets,
        missing=symbols,
        block_rows=block_rows or budget.rows_of_a_block(pilot.row_bytes),
        block_bytes=budget.bytes_of_a_block,
        memory=budget.memory,
        seed=seed,
        subsample=subsample,
        pilot_rows=pilot.rows,
        notes=(
            *getattr(source, "notes", ()),
            *(_dropped(t) for t in targets if t.missing),
            *notes_on(findings),
        ),
    )


def _check_arguments(
    source: Any, labels: Sequence[str], bins: int, label_bins: int, subsample: int, block_rows: int | None
) -> None:
    for name in labels:
        if name not in source.columns:
            raise ValueError(f"There is no label column {near(name, source.columns)}")
    if len(set(labels)) < len(labels):
        raise ValueError(f"label={list(labels)} names a column twice.")
    if source.rows == 0:
        raise ValueError("The source has no rows: there is nothing to plan.")
    wrong = {
        "bins": (bins, 2),
        "label_bins": (label_bins, 2),
        "subsample": (subsample, 1),
        "block_rows": (block_rows or 1, 1),
    }
    for name, (value, least) in wrong.items():
        if not isinstance(value, (int, np.integer)) or value < least:
            raise ValueError(f"{name}={value!r}: give a whole number of at least {least}.")


def _refuse_list(name: str, kind: str) -> None:
    if kind == "list":
        raise ValueError(
            f"The label {name!r} holds several values in a row. Make one column of each and name those "
            "as labels."
        )


def _checked_spec(spec: Mapping[str, Mapping[str, Any]], names: Sequence[str]) -> dict[str, dict[str, Any]]:
    checked: dict[str, dict[str, Any]] = {}
    for name, overrides in spec.items():
        if name not in names:
            raise ValueError(f"spec: there is no column {near(name, names)}")
        unknown = sorted(set(overrides) - set(_SPEC))
        if unknown:
            raise ValueError(f"spec of column {name!r}: {unknown} unknown; allowed are {list(_SPEC)}.")
        own = dict(overrides)
        if "kind" in own:
            check_kind(name, own["kind"])
        if own.get("edges") is not None:
            own["edges"] = np.array(own["edges"], np.float64)
            if not np.isfinite(own["edges"]).all() or (np.diff(own["edges"]) <= 0).any():
                raise ValueError(
                    f"spec of column {name!r}: edges must be finite and ascending, not "
                    f"{overrides['edges']!r}."
                )
        if "heavy" in own:
            own["heavy"] = np.unique(np.array(own["heavy"], np.uint64))
        if own.get("vocabulary") is not None:
            own["vocabulary"] = tuple(map(str, own["vocabulary"]))
        checked[name] = own
    return checked


def _separators(
    multivalue: Sequence[str] | Mapping[str, str] | None,
    names: Sequence[str],
    given: Mapping[str, Mapping[str, Any]],
) -> dict[str, str | None]:
    if isinstance(multivalue, str):
        multivalue = [multivalue]
    separators: dict[str, str | None] = (
        dict(multivalue) if isinstance(multivalue, Mapping) else dict.fromkeys(multivalue or ())
    )
    for name, own in given.items():
        if "vocabulary" in own or "separator" in own:
            separators[name] = own.get("separator", separators.get(name))
    for name, separator in separators.items():
        if name not in names:
            raise ValueError(f"multivalue: there is no column {near(name, names)}")
        if separator == "":
            raise ValueError(f"multivalue: the separator of {name!r} is empty; give one, like ',' or '-'.")
    return separators


def _dropped(label: LabelPlan) -> str:
    return f"{label.missing:,} rows have no {label.name!r} and are left out"
