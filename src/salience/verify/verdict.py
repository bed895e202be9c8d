"""Checks side by side, and what they come to together."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from salience.results.checksums import check_format, read_json, with_room
from salience.results.meta import plain
from salience.results.storage import written_beside
from salience.verify.check import OUTCOMES, Check, Outcome

FORMAT = 2
_NUMBERS = ("statistic", "lo", "hi", "reference", "threshold")
_WORDS = ("verdict", "why", "better", "unit", "subject", "how")


def report(checks: Iterable[Check | Iterable[Check]], **settings: Any) -> Verdict:
    """Put checks side by side.

    Parameters
    ----------
    checks : iterable of Check, or of iterables of Check
        In the order in which they are to be read; groups (as `controls` and `invariance` return them) are
        unrolled.
    **settings
        What was fixed before the run and belongs to no single check (estimator, seed, splits, ...).

    Returns
    -------
    Verdict

    Raises
    ------
    TypeError
        If something in `checks` is not a `Check`.

    Examples
    --------
    >>> check = Check.judged("stability", statistic=0.9, lo=0.8, hi=1, threshold=0.5, why="5 stay")
    >>> report([check]).overall
    'holds'
    """
    rows: list[Check] = []
    for entry in checks:
        group = [entry] if isinstance(entry, Check) else list(entry)
        for check in group:
            if not isinstance(check, Check):
                raise TypeError(f"a verdict is made of Check objects, got {type(check).__name__}: {check!r}")
            rows.append(check)
    return Verdict(tuple(rows), settings)


@dataclass(frozen=True, eq=False, repr=False)
class Verdict:
    """The table of checks on one ranking, with the controls that stand beside it.

    Parameters
    ----------
    rows : tuple of Check
    settings : mapping
        What was fixed before the run: JSON values only.
    """

    rows: tuple[Check, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def overall(self) -> Outcome:
        """What the rows about the ranking itself come to.

        "fails" as soon as one of them fails. "undecided" if one is undecided, or if a control - a ranking
        known to be worthless - was not told apart by the same check, which then has no power here. "holds" if
        every check that ran holds; "not run" if none ran.
        """
        own = Counter(check.verdict for check in self.rows if not check.is_control)
        if own["fails"]:
            return "fails"
        if own["undecided"] or self.unconvincing:
            return "undecided"
        return "holds" if own["holds"] else "not run"

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks the ranking itself failed."""
        return tuple(check for check in self.rows if check.verdict == "fails" and not check.is_control)

    @property
    def unconvincing(self) -> tuple[Check, ...]:
        """The controls that were not told apart from the ranking: their check has no power on these data.

        A control should fail; one that is undecided will do if its whole interval lies below that of the
        ranking. Where the ranking itself failed nothing has to be convincing: the reverse of a bad ranking
        may be good.
        """
        own = {check.name: check for check in self.rows if not check.is_control}
        return tuple(
            check for check in self.rows if check.is_control and not _told_apart(check, own.get(check.name))
        )

    def named(self, name: str, subject: str | None = None) -> Check:
        """The one check of that name (and subject).

        Raises
        ------
        KeyError
            If there is no such check, or more than one; the message lists what there is.
        """
        hits = [c for c in self.rows if c.name == name and (subject is None or c.subject == subject)]
        if subject is None and len(hits) > 1:
            hits = [check for check in hits if not check.is_control]
        if len(hits) != 1:
            there = ", ".join(f"{check.name} ({check.subject})" for check in self.rows) or "none"
            raise KeyError(f"{len(hits)} checks are called {name!r}; there are: {there}")
        return hits[0]

    def curves(self, name: str) -> pl.DataFrame:
        """The curves of every subject of one check, stacked, with a column `subject`.

        Raises
        ------
        ValueError
            If refitted and held models would end up in one picture: their numbers are not comparable.
        """
        checks = [check for check in self.rows if check.name == name and check.curve is not None]
        ways = sorted({str(check.how) for check in checks})
        if len(ways) > 1:
            raise ValueError(
                f"the curves of {name!r} come from different kinds of bench ({', '.join(ways)}); numbers "
                "from refitted and from held models do not belong in one curve: report them in two "
                "verdicts"
            )
        frames = [c.curve.with_columns(subject=pl.lit(c.subject)) for c in checks if c.curve is not None]
        return pl.concat(frames, how="diagonal_relaxed") if frames else pl.DataFrame()

    def to_frame(self) -> pl.DataFrame:
        """One row per check: its name, subject, numbers, threshold, verdict and reason."""
        names = ("subject", *_NUMBERS, "better", "verdict", "why", "unit", "how")
        columns: dict[str, list[Any]] = {"check": [check.name for check in self.rows]}
        columns |= {name: [getattr(check, name) for check in self.rows] for name in names}
        schema = {name: pl.Float64 if name in _NUMBERS else pl.String for name in columns}
        return pl.DataFrame(columns, schema=schema)

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """As JSON text; also written to `path` (beside it first, then renamed, with a checksum) when one is given.

        The checks of the ranking stand under "checks", those of the controls under "controls".
        """
        rows = [(_as_json(check) | {"place": place}, check) for place, check in enumerate(self.rows)]
        body = {
            "format": FORMAT,
            "overall": self.overall,
            "settings": self.settings,
            "checks": [row for row, check in rows if not check.is_control],
            "controls": [row for row, check in rows if check.is_control],
        }
        text = json.dumps(plain(body), indent=1, allow_nan=False)
        if path is not None:
            with written_beside(path, sealed=True) as beside:
                beside.write_text(with_room(text), encoding="utf-8")
        return text

    @classmethod
    def from_json(cls, source: str | os.PathLike[str]) -> Verdict:
        """Read back what `to_json` wrote: a path, or the text itself.

        Raises
        ------
        ValueError
            If it is not a verdict of a format this version reads, or the file is damaged.
        """
        inline = isinstance(source, str) and source.lstrip().startswith("{")
        if inline:
            body = json.loads(str(source))
            check_format("the verdict", body.get("format"), FORMAT)
        else:
            body = read_json(Path(source), version=("format", FORMAT))
        rows = sorted([*body["checks"], *body["controls"]], key=lambda row: row["place"])
        return cls(tuple(map(_from_json, rows)), body["settings"])

    def __iter__(self) -> Iterator[Check]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        tally = Counter(check.verdict for check in self.rows if not check.is_control)
        counts = ", ".join(f"{tally[outcome]} {outcome}" for outcome in OUTCOMES if tally[outcome])
        lines = [f"Verdict: {self.overall} ({counts or 'no checks'})"]
        cells: list[tuple[str, ...]] = [
            ("check", "of", "statistic", "interval", "threshold", "verdict", "why")
        ]
        cells += [_line(check) for check in self.rows]
        widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]) - 1)]
        for row in cells:
            padded = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
            lines.append("  ".join([*padded, row[-1]]).rstrip())
        for check in self.unconvincing:
            lines.append(
                f"! {check.name}: {check.subject} is not told apart, so this check decides nothing here"
            )
        return "\n".join(lines)


def _told_apart(control: Check, own: Check | None) -> bool:
    if control.verdict in ("fails", "not run") or (own is not None and own.verdict == "fails"):
        return True
    if control.verdict == "holds" or own is None:
        return False
    return control.hi < own.lo if control.better == "high" else control.lo > own.hi


def _line(check: Check) -> tuple[str, ...]:
    if check.verdict == "not run":
        return (check.name, check.subject, "", "", "", check.verdict, check.why)
    side = ">=" if check.better == "high" else "<="
    return (
        check.name,
        check.subject,
        f"{check.statistic:.3f}",
        f"[{check.lo:.3f}, {check.hi:.3f}]",
        f"{side} {check.threshold:.3g}",
        check.verdict,
        check.why,
    )


def _as_json(check: Check) -> dict[str, Any]:
    body = {name: getattr(check, name) for name in (*_WORDS, *_NUMBERS, "settings")}
    curve = {} if check.curve is None else {"curve": check.curve.to_dict(as_series=False)}
    return {"check": check.name, **body, **curve}


def _from_json(body: Mapping[str, Any]) -> Check:
    numbers: dict[str, Any] = {name: float(body[name]) for name in _NUMBERS}
    curve = body.get("curve")
    if curve is not None:
        curve = pl.DataFrame({name: [_number(value) for value in values] for name, values in curve.items()})
    words: dict[str, Any] = {name: body[name] for name in _WORDS}
    return Check(body["check"], **words, **numbers, settings=body["settings"], curve=curve)


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, str) and value in ("nan", "inf", "-inf") else value
