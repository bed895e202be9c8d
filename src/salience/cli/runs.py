"""``verify``, ``report`` and ``methods``: what was found, and does it hold up."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import typer

from salience.cli import options as o
from salience.cli.judging import VERIFY_ROWS


def verify(
    run: Annotated[Path, typer.Argument(help="A run folder of `salience rank`.")],
    estimator: o.Estimator = "logistic",
    rows: Annotated[int, typer.Option(min=100, help="Rows of the source to judge on.")] = VERIFY_ROWS,
    source: Annotated[
        str | None, typer.Option(help="The data, when they are not where the run found them.")
    ] = None,
    threads: o.Threads = 2,
    seed: o.Seed = 0,
    strict: o.Strict = False,
    json: o.Json = False,
    report: o.Report = True,
) -> None:
    """Does a ranking hold up? Ranks anew inside splits and judges on the rows left out."""
    from salience.cli import show
    from salience.cli.errors import demand
    from salience.cli.judging import verdict_on
    from salience.cli.rank import open_table, ranker_from
    from salience.report import write_report
    from salience.report.words import headline, ranked
    from salience.runs.reader import Run

    opened = Run.open(run)
    if opened.command != "rank" or opened.scores is None:
        raise ValueError(f"{run} is a run of {opened.command!r}; verify judges runs of `salience rank`")
    given = {"format": None, "delimiter": None, "encoding": None, **opened.options}
    how = {name: given[name] for name in ("format", "delimiter", "encoding")}
    data = open_table(source or given["source"], label=given["target"], **how)
    kinds = {column["name"]: column["kind"] for column in (opened.plan or {}).get("columns", [])}
    settings: dict[str, Any] = {"estimator": estimator, "rows": rows, "seed": seed, "threads": threads}
    with show.progress("judging", "checks") as tell:
        verdict = verdict_on(ranker_from(given), data, given["target"][0], kinds, progress=tell, **settings)
    text = verdict.to_json(opened.path / "verdict.json")
    if report:
        write_report(Run.open(run))
    if json:
        show.as_json(text)
    else:
        show.verdict(verdict)
    show.say(str(opened.path / "verdict.json"))
    show.conclude_unless(json, headline(ranked(opened.scores)[0], given["target"][0], verdict)[-1])
    if strict:
        demand(verdict)


def report(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to; default: report.html in the run.")
    ] = None,
) -> None:
    """Render the report of a run again."""
    from salience.cli import show
    from salience.report import write_report
    from salience.runs.reader import Run

    show.conclude(str(write_report(Run.open(run), output)))


def summary(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    top: o.Top = 25,
    json: o.Json = False,
) -> None:
    """Print the ranking of a run again."""
    from salience.cli import show
    from salience.runs import Run

    opened = Run.open(run)
    if opened.scores is None:
        raise ValueError(f"{run} holds no ranking; runs of `salience rank`, `merge`, `demo` and `compare` do")
    if json:
        show.as_json(show.records(opened.scores.frame))
        return
    show.ranking(opened.scores, top)
    if opened.verdict is not None:
        show.verdict(opened.verdict)


def plot(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    what: Annotated[
        str, typer.Option("--what", help="ranking, cardinality, histogram or redundancy.")
    ] = "ranking",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="PNG, SVG or PDF; default: WHAT.png in the run.")
    ] = None,
) -> None:
    """Draw a picture of a run into a file."""
    from matplotlib.figure import Figure

    from salience import plotting
    from salience.cli import show
    from salience.runs import Run

    opened = Run.open(run)
    pictures = {
        "ranking": (plotting.ranking, opened.scores),
        "cardinality": (plotting.score_against_cardinality, opened.scores),
        "histogram": (plotting.histogram, opened.scores),
        "redundancy": (plotting.redundancy, opened.redundancy),
    }
    if what not in pictures:
        raise ValueError(f"--what {what} is unknown; choose one of {', '.join(pictures)}")
    draw, scores = pictures[what]
    if scores is None:
        raise ValueError(
            f"{run} holds nothing to draw as {what!r}; rank with --redundancy for the redundancy"
        )
    path = output or opened.path / f"{what}.png"
    figure = Figure(figsize=(8, 5), layout="constrained")
    draw(scores, ax=figure.add_subplot())
    figure.savefig(path, dpi=150, bbox_inches="tight")
    show.conclude(str(path))


def methods(
    json: o.Json = False,
    heuristics: Annotated[bool, typer.Option("--heuristics", help="The scores of `rank` instead.")] = False,
) -> None:
    """List every method: what it scores, where it lives, its paper."""
    from salience.cli import show

    if heuristics:
        from salience.tabular.heuristics import HEURISTICS

        rows = [{"heuristic": h.name, "unit": h.unit, "meaning": h.meaning} for h in HEURISTICS.values()]
        shown = rows
    else:
        from salience.methods import table

        rows = [dataclasses.asdict(method) for method in table()]
        names = ("name", "item", "command", "purpose", "arxiv")
        shown = [{name: str(row[name]) for name in names} for row in rows]
    if json:
        show.as_json(rows)
    else:
        show.rows(shown)
