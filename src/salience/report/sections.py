"""The sections of a report: each takes a run and gives what its part of the template needs, or None."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from salience.report.figures import BAR_WIDTH, bar, cardinality_scatter, curves, finite, heat_map, score_bar
from salience.report.svg import Axis
from salience.report.words import (
    PILES,
    WORDS,
    cell,
    headline,
    how_sure,
    is_control,
    number,
    ranked,
    read_ranking,
)
from salience.runs.reader import Run

__all__ = ["SECTIONS", "Section"]

SHOWN_AT_FIRST = 50  # rows of the ranking on the page before "show all"
TABLE_ROWS = 60  # of a table that is not the ranking
MOST_COMBINATIONS = 25
MOST_ROWS = 1000  # rows of the ranking in the file at all: it stays below two megabytes


@dataclass(frozen=True)
class Section:
    """One part of the page: its anchor, its title in the contents, and how its content is made."""

    name: str
    title: str
    build: Callable[[Run], dict[str, Any] | None]


def summary(run: Run) -> dict[str, Any] | None:
    """What matters, what only looks as if, how sure."""
    scores = run.scores
    if scores is None:
        return None
    frame, key = ranked(scores)
    reading = read_ranking(frame, key)
    label = label_of(run)
    said = run.info.get("summary")  # of a command that has its own words
    others = scores.frame.select(scores.by).unique(maintain_order=True).rows()[1:] if scores.by else []
    counts = [
        (len(names), PILES[pile].one if len(names) == 1 else PILES[pile].many, PILES[pile].css)
        for pile, names in reading.piles.items()
        if names
    ]
    return {
        "sentences": [*said, how_sure(run.verdict)]
        if said
        else headline(frame, label, run.verdict, key, run.pairs),
        "counts": counts,
        "others": [", ".join(map(str, r)) for r in others],
    }


def ranking(run: Run) -> dict[str, Any] | None:
    """The ranking, best first, with intervals and nulls."""
    scores = run.scores
    if scores is None:
        return None
    frame, key = ranked(scores)
    reading = read_ranking(frame, key)
    rows = frame.head(MOST_ROWS).to_dicts()
    # The bars are scaled to the data's own columns: a planted copy of the label would flatten all the rest.
    real = [r for r in rows if not is_control(r)] or rows
    axis = _axis([r.get(c) for r in real for c in ("value", "lo", "hi")], BAR_WIDTH)
    place = 0  # controls stand in the order, but only the data's own columns are counted
    for row in rows:
        row["name"], row["pile"] = str(row[key]), reading.of[str(row[key])]
        row["css"], row["said"] = PILES[row["pile"]].css, PILES[row["pile"]].one
        row["place"] = None if row["pile"] == "control" else (place := place + 1)
        row["word"] = row.get("verdict") if row.get("verdict") in ("constant", "id") else None
        row["bar"] = score_bar(row if "raw" in row else {**row, "null": None}, axis, row["css"])
    has = {c for c in frame.columns if frame[c].null_count() < len(frame)}
    if "raw" not in has:
        has.discard("null")  # it is not on the scale of the score
    return {
        "rows": rows,
        "first": SHOWN_AT_FIRST,
        "hidden": max(0, len(rows) - SHOWN_AT_FIRST),
        "left_out": len(frame) - len(rows),
        "has": has,
        "net": scores.meta.net_of_null is True,
        "unit": scores.meta.unit or "",
        "interval": scores.meta.interval,
        "item": key,
    }


def cardinality(run: Run) -> dict[str, Any] | None:
    """Score against number of distinct values, the level of noise drawn in."""
    scores = run.scores
    if scores is None or "card" not in scores.frame.columns:
        return None
    frame, key = ranked(scores)
    if "raw" not in frame.columns:
        return None
    picture = cardinality_scatter(frame.to_dicts(), read_ranking(frame, key), key, scores.meta.unit or "")
    return {"picture": picture} if picture else None


def pictures(run: Run) -> dict[str, Any] | None:
    """Pictures that the command drew, each as an image of its own: a script in one of them would not run."""
    shown = []
    for picture in run.info.get("pictures", []):
        path = run.checked(Path(picture["file"]).name)
        if path is not None and path.suffix == ".svg":
            data = base64.b64encode(path.read_bytes()).decode()
            shown.append({"title": picture["title"], "source": f"data:image/svg+xml;base64,{data}"})
    return {"shown": shown, "said": run.info.get("reasons")} if shown else None


def tables(run: Run) -> dict[str, Any] | None:
    """Tables that the command wrote and wants to be read: the first rows of each."""
    shown = []
    for table in run.info.get("tables", []):
        frame = run.read_frame(Path(table["file"]).name.removesuffix(".parquet"))
        if frame is not None and len(frame):
            right = [kind.is_numeric() for kind in frame.dtypes]
            rows = [
                [
                    {
                        "right": is_right,
                        "text": number(value, 4) if is_right else cell(value),
                    }
                    for value, is_right in zip(row, right, strict=True)
                ]
                for row in frame.head(TABLE_ROWS).rows()
            ]
            more = max(0, len(frame) - TABLE_ROWS)
            shown.append({**table, "columns": frame.columns, "rows": rows, "more": more})
    return {"tables": shown} if shown else None


def redundancy(run: Run) -> dict[str, Any] | None:
    """Which columns say the same."""
    scores = run.redundancy
    if scores is None or len(scores.keys) != 2:
        return None
    a, b = scores.keys
    # as a share of what the two could have in common, where that is known: nats would show one near-copy only
    measure = "similarity" if "similarity" in scores.frame.columns else "value"
    rows = scores.frame.select(a, b, measure).rows()
    pairs = [(str(x), str(y), v) for x, y, v in rows if v is not None and v == v]
    names = ranked(run.scores)[0][run.scores.keys[0]].to_list() if run.scores is not None else []
    drawn = heat_map([str(n) for n in names], pairs)
    if drawn is None:
        return None
    strongest: dict[frozenset[str], tuple[str, str, float]] = {}
    for x, y, value in sorted(pairs, key=lambda pair: -pair[2]):
        if x != y:
            strongest.setdefault(frozenset((x, y)), (x, y, value))
    top = list(strongest.values())[:8]
    axis = _axis([v for *_, v in top], 120)
    unit = "share in common" if measure == "similarity" else scores.meta.unit or ""
    return {"map": drawn, "top": [(x, y, v, bar(v, axis)) for x, y, v in top], "unit": unit}


def order_3mr(run: Run) -> dict[str, Any] | None:
    """Max relevance, min redundancy, max relation: the order and its terms."""
    scores = run.order_3mr
    if scores is None:
        return None
    frame, key = ranked(scores)
    terms = [t for t in ("relevance", "redundancy", "relation") if t in frame.columns]
    axes = {t: _axis(frame[t].to_list(), 90) for t in terms}
    rows = [
        {
            "name": str(r[key]),
            "rank": i,
            "value": r.get("value"),
            "terms": [(r[t], bar(r[t], axes[t], t)) for t in terms],
        }
        for i, r in enumerate(frame.head(60).to_dicts(), start=1)
    ]
    return {"rows": rows, "terms": terms, "of": len(frame), "params": dict(scores.meta.params)}


def interactions(run: Run) -> dict[str, Any] | None:
    """Combinations that know more than their parts."""
    scores = run.pairs
    if scores is None or len(scores.frame) == 0 or "joint" not in scores.frame.columns:
        return None
    rows = scores.frame[list(scores.order()[:MOST_COMBINATIONS])].to_dicts()
    axis = _axis([r[c] for r in rows for c in ("value", "lo", "hi")], BAR_WIDTH)
    for row in rows:
        pile = PILES[WORDS[row["verdict"]]]
        row["names"] = [str(row[k]) for k in scores.keys if row.get(k) is not None]
        row["said"], row["css"] = pile.one, pile.css
        row["bar"] = score_bar({**row, "null": None}, axis, pile.css)
    found = sum(word == "signal" for word in scores.frame["verdict"])
    return {"rows": rows, "of": len(scores.frame), "found": found, "unit": scores.meta.unit or ""}


def quality(run: Run) -> dict[str, Any] | None:
    """What is odd about the data."""
    frame = run.audit
    if frame is None:
        return None
    css = {"high": "bad", "medium": "warn", "low": "mute"}  # the worst first
    order = list(css)
    rows = sorted(frame.to_dicts(), key=lambda row: order.index(row["severity"]))
    return {"rows": [row | {"css": css[row["severity"]]} for row in rows[:200]], "of": len(rows)}


def verification(run: Run) -> dict[str, Any] | None:
    """Does the ranking hold up: the checks, and the curves of the ranking beside its foils."""
    verdict = run.verdict
    if verdict is None:
        return None
    css = {"holds": "good", "fails": "bad", "undecided": "warn", "not run": "mute"}
    pictures = [p for name in dict.fromkeys(c.name for c in verdict) if (p := _curves_of(verdict, name))]
    own = [c for c in verdict if not c.is_control]
    foils = [c for c in verdict if c.is_control]
    return {"overall": verdict.overall, "own": own, "foils": foils, "css": css, "pictures": pictures,
            "settings": _flat({k: v for k, v in verdict.settings.items() if not isinstance(v, Mapping)})}  # fmt: skip


CAPTIONS = {
    "retention": "Retention: what a model keeps when only the best columns remain.",
    "deletion": "Deletion: what it loses when they are the ones that go.",
    "insertion": "Insertion: what it gains as they come in.",
}


def _curves_of(verdict: Any, name: str) -> tuple[str, Markup] | None:
    """The share of the full gain against the size of the top; beside the ranking, worthless ones."""
    try:
        stacked = verdict.curves(name)
    except ValueError:  # numbers from different kinds of bench do not belong in one picture
        return None
    if not {"size", "share", "random"} <= set(stacked.columns):
        return None
    parts = {
        str(subject): part.sort("size")
        for (subject,), part in stacked.group_by("subject", maintain_order=True)
    }
    own = parts.pop("ranking", None)
    if own is None:
        return None
    x = own["size"].to_list()
    chance = {"name": "random (grey: 90 %)", "x": x, "y": own["random"].to_list()}
    chance |= {end: own[f"random_{end}"].to_list() for end in ("lo", "hi") if f"random_{end}" in own.columns}
    lines = [{"name": "this ranking", "x": x, "y": own["share"].to_list()}, chance]
    lines += [
        {"name": f, "x": p["size"].to_list(), "y": p["share"].to_list()}
        for f, p in parts.items()
        if f != "random"
    ]
    verb = "deleted" if name == "deletion" else "kept"
    picture = curves(
        lines,
        f"columns {verb}, best first",
        f"share of the full gain {'lost' if verb == 'deleted' else verb}",
    )
    return (CAPTIONS.get(name, name), picture) if picture else None


def plan(run: Run) -> dict[str, Any] | None:
    """How the source was read."""
    found = run.plan
    if not found:
        return None
    columns = found.get("columns", [])
    source = found.get("source") or {}
    facts = {
        "format": source.get("format"),
        "rows": found.get("rows"),
        "rows looked at to decide": found.get("pilot_rows"),
        "every k-th row": found.get("subsample") if found.get("subsample", 1) > 1 else None,
        "rows of a block": found.get("block_rows"),
        "parts": len(found.get("shards") or ()) or None,
        "memory": _bytes(found.get("memory")),
        "stands for missing": ", ".join(repr(symbol) for symbol in found.get("missing") or ()),
    }
    facts = {name: value for name, value in facts.items() if value is not None}
    labels = found.get("labels", [])
    return {"facts": facts, "columns": columns[:MOST_ROWS], "labels": labels, "of": len(columns)}


def repeat(run: Run) -> dict[str, Any] | None:
    """How to do it again and get the same."""
    meta = run.scores.meta if run.scores is not None else None
    return {
        "command_line": run.info.get("command_line") or f"salience {run.command}",
        "seed": run.seed if run.seed is not None else (meta.seed if meta is not None else None),
        "data": list(meta.data) if meta is not None else [],
        "rows": meta.rows if meta is not None else None,
        "versions": run.versions,
        "options": _flat({k: v for k, v in run.options.items() if v not in (None, [], "", False)}),
        "seconds": run.seconds,
        "notes": list(run.notes)
        + [w for w in (meta.warnings if meta is not None else ()) if w not in run.notes],
    }


SECTIONS = (
    Section("summary", "In short", summary),
    Section("pictures", "In pictures", pictures),
    Section("tables", "In numbers", tables),
    Section("ranking", "The ranking", ranking),
    Section("cardinality", "Signal and cardinality", cardinality),
    Section("verification", "Does it hold up?", verification),
    Section("redundancy", "Who says the same", redundancy),
    Section("order_3mr", "An order without repetition", order_3mr),
    Section("interactions", "Better together", interactions),
    Section("quality", "The data itself", quality),
    Section("plan", "How it was read", plan),
    Section("repeat", "How to repeat it", repeat),
)


def label_of(run: Run) -> str | None:
    """The name of what was ranked for; of several, the one the report is about."""
    target = run.options.get("target") or run.options.get("label")
    if isinstance(target, list):
        target = target[0]
    return str(target) if target else None


def _axis(values: Sequence[Any], width: float) -> Axis:
    known = [v for v in values if finite(v)]
    low, high = min([0.0, *known]), max([0.0, *known])
    # a single wild interval must not push the zero line into the middle of every bar
    low = max(low, -0.25 * high) if high > 0 else low
    return Axis(low, high if high > low else low + 1.0, 4, width - 8)


def _bytes(value: Any) -> str | None:
    """A number of bytes for reading; text stays as it is."""
    if not isinstance(value, int):
        return value if isinstance(value, str) else None
    return f"{value / 2**30:.3g} GiB" if value >= 2**30 else f"{value / 2**20:.4g} MiB"


def _flat(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (str(k), v if isinstance(v, str) else number(v) if isinstance(v, float) else str(v))
        for k, v in values.items()
    ]
