"""What a person sees in the terminal: tables on stdout; progress, remarks and places on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from salience.cli.wording import in_options
from salience.runs.visible import escaped, visible

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from salience.results import Scores
    from salience.verify.verdict import Verdict

COLOURS = {"good": "blue", "warn": "yellow", "bad": "red", "mute": "bright_black"}
OUTCOMES = {"holds": "blue", "fails": "red", "undecided": "yellow", "not run": "bright_black"}
PIPED_WIDTH = 160  # a pipe has no width: wide enough that no cell is folded without need


def out() -> Console:
    """The console of stdout, made when it is used so that a test or a pipe gets its own."""
    return Console(width=None if sys.stdout.isatty() else PIPED_WIDTH, highlight=False)


def err() -> Console:
    """The console of stderr."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def say(*lines: str) -> None:
    """Remarks, to stderr."""
    for line in lines:
        err().print(Text(visible(line)))


def files(folder: Path) -> None:
    """Where a run is and what it has, to stderr."""
    say(f"{folder}/ has {', '.join(sorted(path.name for path in folder.iterdir() if path.is_file()))}")


def notes(remarks: Iterable[str]) -> None:
    """Remarks on the data, to stderr, each once."""
    say(*(f"note: {in_options(remark)}" for remark in dict.fromkeys(remarks)))


def conclude(*sentences: str) -> None:
    """What it all comes to, to stdout, as whole lines."""
    for sentence in sentences:
        out().print(Text(visible(sentence)), soft_wrap=True)


def conclude_unless(json: bool, *sentences: str) -> None:
    """The same, to stderr when stdout carries JSON."""
    (say if json else conclude)(*sentences)


def ranking(scores: Scores, top: int, title: str | None = None) -> None:
    """Show the best rows of a ranking."""
    from salience.report.words import PILES, interval, number, ranked, read_ranking

    frame, key = ranked(scores)
    reading = read_ranking(frame, key)
    has = {name for name in frame.columns if frame[name].null_count() < len(frame)}
    table = _table(title)
    table.add_column("#", justify="right", style="bright_black")
    table.add_column(Text(visible(key)), overflow="fold", min_width=12)
    shown: dict[str, tuple[bool, Callable[[dict[str, Any]], str]]] = {
        "score": (True, lambda row: number(row.get("value"))),
        "interval": ("lo" in has, lambda row: interval(row["lo"], row["hi"])),
        "noise": ("null" in has, lambda row: number(row["null"], 2)),
        "values": ("card" in has, lambda row: number(row["card"])),
        "filled": (
            "coverage" in has,
            lambda row: "" if row["coverage"] is None else f"{100 * row['coverage']:.0f} %",
        ),
    }
    cells = {name: cell for name, (there, cell) in shown.items() if there}
    for name in cells:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("reading", no_wrap=True)
    place = 0
    for row in frame.to_dicts():
        pile = reading.of[str(row[key])]
        control = pile == "control"
        place += not control
        if place > top:
            break
        table.add_row(
            "" if control else str(place),
            Text(_cell(row[key]), style="bright_black italic" if control else ""),
            *(cell(row) for cell in cells.values()),
            Text(PILES[pile].one, style=COLOURS[PILES[pile].css]),
        )
    _print(table, top, reading.real)


# What a run may hold beside its ranking: a title, and the columns that are shown.
RELATIONS = {
    "pairs": ("combinations", ("pair", "synergy", "interval", "interaction", "joint", "exact", "reading")),
    "pair_columns": ("columns over their combinations", ("column", "value", "best", "partner", "n")),
    "redundancy": ("columns that say the same", ("a", "b", "value", "similarity")),
    "order_3mr": ("order by 3MR", ("rank", "column", "value", "relevance", "redundancy", "relation")),
}
SHOWN_RELATIONS = 10


def found(holder: Any) -> dict[str, Scores]:
    """What a ranker or a run holds of the tables in `RELATIONS`."""
    held = {name: getattr(holder, f"{name}_", getattr(holder, name, None)) for name in RELATIONS}
    return {name: scores for name, scores in held.items() if scores is not None}


def relations(held: Mapping[str, Scores]) -> None:
    """Show the best rows of what else was found."""
    for name, scores in held.items():
        title, columns = RELATIONS[name]
        data = scores.frame[list(scores.order()[:SHOWN_RELATIONS])]
        data = _read(data) if name == "pairs" else data
        conclude("")
        frame(data.select([column for column in columns if column in data.columns]), len(data), title=title)
        if len(scores) > SHOWN_RELATIONS:
            conclude(f"... {len(scores) - SHOWN_RELATIONS:,} more in {name}.parquet")


def _read(data: pl.DataFrame) -> pl.DataFrame:
    """Combinations with what is for reading only: the synergy by its name, its interval, what it comes to."""
    import polars as pl

    from salience.report.words import PILES, WORDS, interval

    ends = [interval(lo, hi) for lo, hi in data.select("lo", "hi").iter_rows()]
    said = [PILES[WORDS[word]].one for word in data["verdict"]]
    return data.with_columns(
        synergy=pl.col("value"),
        interval=pl.Series(ends, dtype=pl.String),
        reading=pl.Series(said, dtype=pl.String),
    )


def tab_separated(data: pl.DataFrame) -> str:
    """A frame as tab-separated text; the names in a list are joined by AND."""
    import polars as pl

    return data.with_columns(pl.col(pl.List(pl.String)).list.join(" AND ")).write_csv(separator="\t")


def frame(data: pl.DataFrame, top: int, empty: str = "nothing to show", title: str | None = None) -> None:
    """Show a plain table."""
    from salience.report.words import number

    if data.is_empty():
        conclude(empty)
        return
    table = _table(title)
    numeric = [dtype.is_numeric() for dtype in data.dtypes]
    for name, right in zip(data.columns, numeric, strict=True):
        table.add_column(Text(visible(name)), justify="right" if right else "left", overflow="fold")
    for row in data.head(top).rows():
        cells = [number(v, 4) if right else _cell(v) for v, right in zip(row, numeric, strict=True)]
        table.add_row(*(Text(cell) for cell in cells))
    _print(table, top, len(data))


def rows(table_rows: Sequence[Mapping[str, str]]) -> None:
    """Show rows of text that all have the same keys."""
    table = _table()
    for name in table_rows[0] if table_rows else ():
        table.add_column(name, overflow="fold", no_wrap=name in ("name", "heuristic", "command"))
    for row in table_rows:
        table.add_row(*(Text(visible(value)) for value in row.values()))
    out().print(table)


def verdict(found: Verdict) -> None:
    """Show the checks on a ranking."""
    from salience.report.words import interval, number

    table = _table()
    for name, justify in (("check", "left"), ("found", "right"), ("interval", "right"), ("asked", "right")):
        table.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    table.add_column("verdict", no_wrap=True)
    table.add_column("why", style="bright_black", overflow="fold")
    for check in found:
        ran = check.verdict != "not run"
        quiet = "bright_black" if check.is_control else ""
        table.add_row(
            Text(visible(check.name + (f" of {check.subject}" if check.is_control else "")), style=quiet),
            Text(number(check.statistic) if ran else "", style=quiet),
            Text(interval(check.lo, check.hi) if ran else "", style=quiet),
            Text(
                f"{'>=' if check.better == 'high' else '<='} {number(check.threshold)}" if ran else "",
                style=quiet,
            ),
            Text(check.verdict, style=quiet or OUTCOMES[check.verdict]),
            Text(visible(check.why)),
        )
    out().print(table)


def as_json(value: Any) -> None:
    """JSON on stdout, for another program; text is taken to be JSON already."""
    text = value if isinstance(value, str) else json.dumps(value, indent=1, ensure_ascii=False, default=str)
    sys.stdout.write(escaped(text) + "\n")


def records(data: pl.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame as JSON values; NaN and infinities become null, which JSON can say."""
    import polars.selectors as cs

    finite = data.with_columns(cs.float().replace([float("nan"), float("inf"), float("-inf")], None))
    return finite.to_dicts()


@contextmanager
def progress(what: str, unit: str = "rows") -> Iterator[Callable[[int, int], None] | None]:
    """A progress bar on stderr that goes when it is done; without a terminal there is none.

    Yields
    ------
    callable or None
        ``tell(done, in all)``.
    """
    if not sys.stderr.isatty():
        yield None
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(),
               TextColumn(f"{{task.completed:,.0f}} {unit}"), TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=err(), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _table(title: str | None = None) -> Table:
    return Table(
        title=Text(visible(title)) if title else None,
        title_justify="left",
        box=None,
        pad_edge=False,
        header_style="bold",
    )


def _print(table: Table, top: int, total: int) -> None:
    console = out()
    console.print(table)
    if total > top:
        console.print(Text(f"... {total - top:,} more; --top {total} shows them", style="bright_black"))


def _cell(value: Any) -> str:
    from salience.report.words import cell

    return visible(cell(value))
