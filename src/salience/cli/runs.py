"""``verify``, ``report`` and ``methods``: what was found, and does it hold up."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from salience.cli import choose, distil, explain, index, interactions, labels, select, shrink, summarize
from salience.cli import options as o
from salience.cli.judging import VERIFY_ROWS
from salience.cli.pictures import remarks

if TYPE_CHECKING:
    from salience.runs.reader import Run
    from salience.tabular.streaming.passes import RankingPass
    from salience.verify.verdict import Verdict


def verify(
    run: Annotated[Path, typer.Argument(help="A run folder, of whatever command found something.")],
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
    from salience.report import write_report
    from salience.report.words import how_sure
    from salience.runs.reader import Run

    opened = Run.open(run)
    if opened.command not in JUDGES or opened.scores is None:
        raise ValueError(
            f"{run} is a run of {opened.command!r}; verify judges runs of {', '.join(f'`{name}`' for name in JUDGES)}"
        )
    settings: dict[str, Any] = {"estimator": estimator, "rows": rows, "seed": seed, "threads": threads}
    with show.progress("judging", "checks") as tell, remarks(lambda *told: show.notes(told)):
        verdict = JUDGES[opened.command](opened, source, progress=tell, **settings)
    text = verdict.to_json(opened.path / "verdict.json")
    if report:
        write_report(Run.open(run))
    if json:
        show.as_json(text)
    else:
        show.verdict(verdict)
    show.say(str(opened.path / "verdict.json"))
    show.conclude_unless(json, how_sure(verdict))
    if strict:
        demand(verdict)


def judge_ranking(run: Run, moved: str | None, **settings: Any) -> Verdict:
    """The verdict on a run of `rank`, `merge` or `demo`: the ranking is made anew inside splits."""
    from salience.cli.judging import verdict_on

    ranker, data = REOPEN[run.command](run, moved)
    kinds = {column["name"]: column["kind"] for column in (run.plan or {}).get("columns", [])}
    return verdict_on(ranker, data, run.options["target"][0], kinds, **settings)


def _as_asked(run: Run, moved: str | None) -> tuple[RankingPass, Any]:
    """The ranker and the data of a run of `rank`, from its options."""
    from salience.cli.rank import open_table, ranker_from

    given = {"format": None, "delimiter": None, "encoding": None, **run.options}
    if (source := moved or given["source"]) == "-":
        raise ValueError("the rows of this run came from a pipe and are gone; name the data with --source")
    how = {name: given[name] for name in ("format", "delimiter", "encoding")}
    data = open_table(source, label=given["target"], **how)
    return ranker_from(given, data.columns), data


def _as_merged(run: Run, moved: str | None) -> tuple[RankingPass, Any]:
    """The same of joined counts: the plan knows the files."""
    from salience.cli.rank import open_table
    from salience.data.readers import open_described

    data = open_table(moved, label=run.options["target"]) if moved else open_described(run.plan["source"])
    return _as_ranked(run), data


def _as_shipped(run: Run, moved: str | None) -> tuple[RankingPass, Any]:
    """The same of the demo."""
    from salience.cli.rank import demo_table, open_table

    return _as_ranked(run), open_table(moved, label=run.options["target"]) if moved else demo_table()


def _as_ranked(run: Run) -> RankingPass:
    """A ranker with the parameters that the scores remember."""
    from salience.tabular.streaming.passes import RankingPass

    return RankingPass(**run.scores.meta.params)


# How the ranker and the data of a run are had again, by the command that made it.
REOPEN = {"rank": _as_asked, "merge": _as_merged, "demo": _as_shipped}
# How a run is judged, by the command that made it.
JUDGES: dict[str, Callable[..., Verdict]] = {
    **dict.fromkeys(REOPEN, judge_ranking),
    "select": select.judge_again,
    "explain": explain.judge_again,
    "interactions": interactions.judge_again,
    "choose": choose.judge_again,
    "distil": distil.judge_again,
    "index": index.judge_again,
    "labels": labels.judge_again,
    "shrink": shrink.judge_again,
    "summarize": summarize.judge_again,
}


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
    show.relations(show.found(opened))
    if opened.verdict is not None:
        show.verdict(opened.verdict)


def plot(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    what: Annotated[
        str,
        typer.Option(
            "--what",
            help="ranking, bars, cardinality, histogram, redundancy, dendrogram, silhouette, clusters.",
        ),
    ] = "ranking",
    top: Annotated[
        int | None, typer.Option(min=0, help="Columns that are drawn at most; 0: all (bars only).")
    ] = None,
    reference: Annotated[
        Path | None, typer.Option(help="JSON of a model whose columns stand out in bars.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="PNG, SVG or PDF; default: WHAT.png in the run.")
    ] = None,
) -> None:
    """Draw a picture of a run into a file."""
    import matplotlib

    matplotlib.use("agg")  # a file needs no window
    from salience import plotting
    from salience.cli import show
    from salience.cli.rank import columns_of
    from salience.results.storage import written_beside
    from salience.runs import Run

    opened = Run.open(run)
    if what not in DRAWN_FROM:
        raise ValueError(f"--what {what} is unknown; choose one of {', '.join(DRAWN_FROM)}")
    scores = getattr(opened, DRAWN_FROM[what])
    if scores is None:
        raise ValueError(
            f"{run} holds nothing to draw as {what!r}; {DRAWN_FROM[what]} comes with {HAD_BY[DRAWN_FROM[what]]}"
        )
    options: dict[str, Any] = {"top": top or None} if top is not None else {}
    if reference is not None:
        options["reference"] = columns_of(reference)
    takes = inspect.signature(plotting.PICTURES[what]).parameters
    for name in options:
        if name not in takes:
            raise ValueError(f"--{name} is not for --what {what}")
    if top == 0 and what != "bars":
        raise ValueError("--top 0 draws all columns as bars only; the other pictures are bounded")
    if scores.by:  # several labels: the first
        options |= {name: scores.frame[name][0] for name in scores.by}
    path = output or opened.path / f"{what}.png"
    ax = plotting.PICTURES[what](scores, **options)
    with written_beside(path) as beside:
        ax.figure.savefig(beside, format=path.suffix.lstrip(".") or "png", dpi=150, bbox_inches="tight")
    show.conclude(str(path))


# Which table of a run each picture is drawn from, and which options of `rank` make it.
DRAWN_FROM = {
    **dict.fromkeys(("ranking", "bars", "cardinality", "histogram"), "scores"),
    **dict.fromkeys(("redundancy", "dendrogram", "silhouette", "clusters"), "redundancy"),
}
HAD_BY = {"scores": "`salience rank`", "redundancy": "`salience rank --redundancy`"}


def methods(
    json: o.Json = False,
    heuristics: Annotated[bool, typer.Option("--heuristics", help="The scores of `rank` instead.")] = False,
) -> None:
    """List every method: what it scores, where it lives, its paper."""
    from salience.cli import show

    if heuristics:
        from salience.tabular.streaming.heuristics import HEURISTICS

        rows = [{"heuristic": h.name, "unit": h.unit, "meaning": h.meaning} for h in HEURISTICS.values()]
        shown = rows
    else:
        from salience.methods import table

        rows = [dataclasses.asdict(method) | {"import": method.public} for method in table()]
        names = ("name", "family", "item", "command", "import")
        shown = [
            {
                **{name: row[name] for name in names},
                "purpose": row["purpose"],
                "paper": f"{row['paper']} {row['arxiv']}".strip(),
            }
            for row in rows
        ]
    if json:
        show.as_json(rows)
    else:
        show.rows(shown)
