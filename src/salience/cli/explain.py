"""``explain``: why this prediction for this row, and what could change it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from salience.cli import options as o

if TYPE_CHECKING:
    from salience.runs.reader import Run
    from salience.verify.verdict import Verdict


def explain(
    ctx: typer.Context,
    source: o.Source,
    target: o.Target = None,
    row: Annotated[int, o.what("--row", "-r", min=0, help="Number of the row, from 0.")] = 0,
    model: Annotated[
        str, o.measure(help="Model that is fitted: logistic, ridge, forest, lightgbm.")
    ] = "forest",
    outcome: Annotated[
        str | None, o.measure(help="Class that is explained and wanted. Default: the last one in order.")
    ] = None,
    at_least: Annotated[
        float | None, o.measure("--at-least", help="Of a number: the prediction that is wanted.")
    ] = None,
    seats: Annotated[int, o.measure(min=1, help="Seats of the parliament that is drawn.")] = 100,
    actions: Annotated[
        Path | None,
        o.data(help="TOML or JSON: what a person can change. Without it no changes are looked for."),
    ] = None,
    suggest_actions: Annotated[
        Path | None, o.data("--suggest-actions", help="Write an actionability file to edit, and stop.")
    ] = None,
    rows: Annotated[int, o.machine(min=50, help="Most rows the model is fitted on.")] = 20_000,
    format: o.Format = None,
    seed: o.Seed = 0,
    output: o.Output = Path("runs"),
    name: o.Name = None,
    force: o.Force = False,
    top: o.Top = 15,
    json: o.Json = False,
    report: o.Report = True,
) -> None:
    """Why this prediction for this row? Seats by D'Hondt, and single changes that would turn it."""
    from salience.cli import pictures, show
    from salience.runs.writer import RunWriter
    from salience.tabular.case import Case, suggested_actions

    if not target:
        raise ValueError("a prediction of a label is explained; name it: --target COLUMN")
    frame, this = _read(source, target, format, rows, row, seed)
    if suggest_actions is not None:
        suggested_actions(frame, target[0]).save(suggest_actions)
        show.conclude(
            f"{suggest_actions}: what the data suggest. Say in it what a person can change, then --actions."
        )
        return
    folder = o.run_folder(output, name, source)
    with RunWriter(folder, "explain", ctx.params, force=force, argv=ctx.meta.get("argv")) as run:
        with show.progress("explaining", "steps"), pictures.remarks(run):
            case = Case(frame, target[0], this, model=model, outcome=outcome, seed=seed)
            found = case.explained(seats=seats)
        scores = case.scores(found)
        run.write_scores("scores", scores)
        pictures.keep(run, "parliament", f"Row {row} as a parliament", lambda: found.plot())
        reasons = None
        if actions is not None:
            with pictures.remarks(run):
                reasons = case.reasons(actions, at_least)
            run.write_scores("responsiveness", reasons.responsiveness.row(0))
            run.write_text("reasons.txt", f"{reasons}\n")
            pictures.keep(run, "responsiveness", "What single changes would do", lambda: reasons.plot())
        said = [case.sentence(found), *([] if reasons is None else [str(reasons).splitlines()[0]])]
        run.info["title"], run.info["summary"] = f"Why this {target[0]} for row {row}", said
        if report:
            from salience.report import render

            run.write_text("report.html", render(run.view()))
    show.notes(run.info["notes"])
    shown = scores.frame[list(scores.order())]
    if json:
        show.as_json(show.records(shown))
    else:
        show.frame(shown.select("column", "here", "value", "seats"), top)
    show.say(f"{run.path}/ has {', '.join(sorted(p.name for p in run.path.iterdir() if p.is_file()))}")
    show.conclude_unless(json, said[0])
    if reasons is not None:
        show.conclude_unless(json, str(reasons))


def judge_again(run: Run, source: str | None, *, rows: int, seed: int, progress: Any, **_: Any) -> Verdict:
    """Do the explanations of this kind, of this model, predict what happens when columns are taken away?"""
    from salience.tabular.case import Case

    given = run.options
    frame, this = _read(
        source or given["source"],
        given["target"],
        given["format"],
        given["rows"],
        given["row"],
        given["seed"],
    )
    case = Case(
        frame, given["target"][0], this, model=given["model"], outcome=given["outcome"], seed=given["seed"]
    )
    return case.verdict(seed=seed, progress=progress)


def _read(
    source: str, target: list[str], format: str | None, rows: int, row: int, seed: int
) -> tuple[Any, Any]:
    """The rows the model is fitted on, and the one that is explained, which is not among them."""
    from salience.cli.judging import read_planned, read_row
    from salience.cli.rank import open_table

    opened = open_table(source, format=format, label=target)
    this = read_row(opened, target[0], row, seed)
    others = read_planned(opened, target[0], rows, seed)
    return others.join(this, on=others.columns, how="anti", nulls_equal=True), this.drop(target[0])
