"""``explain``: why this prediction for this row, and what could change it."""

from __future__ import annotations

from math import isfinite
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
    options: o.OptionsFile = None,
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
    read_as: o.As = None,
    seed: o.Seed = 0,
    output: o.Output = Path("runs"),
    name: o.Name = None,
    force: o.Force = False,
    top: o.Top = 15,
    json: o.Json = False,
    report: o.Report = True,
) -> None:
    """Why this prediction for this row? Seats by D'Hondt, and single changes that would turn it."""
    import polars as pl

    from salience.cli import pictures, show
    from salience.cli.ending import shown, told
    from salience.cli.rank import open_table
    from salience.data.files import unreadable
    from salience.runs.writer import RunWriter
    from salience.tabular.case import Case, suggested_actions

    label = o.one_label(target, "a prediction of a label is explained")
    if suggest_actions is not None:
        o.check_new(suggest_actions, force)
    if at_least is not None and (actions is None or not isfinite(at_least)):
        raise ValueError(
            f"--at-least {at_least:g} is the number that changes should reach: give --actions FILE too"
        )
    if actions is not None:  # a wrong name is said before the work, not after it
        if odd := unreadable(actions):
            raise ValueError(f"--actions {odd}")
        actions.open().close()
    opened = open_table(source, format=format, label=target)
    frame, this = _read(opened, label, rows, row, seed, o.declared(read_as, opened.columns))
    if suggest_actions is not None:
        suggested_actions(pl.concat([frame.drop(label), this], how="vertical_relaxed")).save(suggest_actions)
        show.conclude_unless(
            json,
            f"{suggest_actions}: what the data suggest. Say in it what a person can change, then --actions.",
        )
        return
    folder = o.run_folder(output, name, source)
    with RunWriter(folder, "explain", ctx.params, force=force, argv=ctx.meta.get("argv")) as run:
        with show.progress("explaining", "steps") as tell, pictures.remarks(run.note):
            case = Case(frame, label, this, model=model, outcome=outcome, seed=seed)
            if tell is not None:
                tell(1, 2)
            found = case.explained(seats=seats)
            reasons = None if actions is None else case.reasons(actions, at_least)
        scores = case.scores(found)
        run.write_scores("scores", scores)
        pictures.keep(run, "parliament", f"Row {row} as a parliament", lambda: found.plot())
        if reasons is not None:
            run.write_scores("responsiveness", reasons.responsiveness.row(0))
            run.write_text("reasons.txt", f"{reasons}\n")
            run.info["reasons"] = str(reasons)
            pictures.keep(run, "responsiveness", "What single changes would do", lambda: reasons.plot())
        said = [case.sentence(found), *([] if reasons is None else [str(reasons).splitlines()[0]])]
        told(run, f"Why this {label} for row {row}", said, report)
    said[1:] = [] if reasons is None else [str(reasons)]
    shown(run, scores.frame[list(scores.order())], ("column", "here", "value", "seats"), top, said, json=json)


def judge_again(run: Run, source: str | None, *, seed: int, progress: Any, **_: Any) -> Verdict:
    """Do the explanations of this kind, of this model, predict what happens when columns are taken away?"""
    from salience.cli.judging import reopened
    from salience.tabular.case import Case

    given, label = run.options, run.options["target"][0]
    opened = reopened(run, source)
    declared = o.declared(given.get("read_as"), opened.columns)
    frame, this = _read(opened, label, given["rows"], given["row"], given["seed"], declared)
    case = Case(frame, label, this, model=given["model"], outcome=given["outcome"], seed=given["seed"])
    return case.verdict(seed=seed, progress=progress)


def _read(opened: Any, label: str, rows: int, row: int, seed: int, declared: Any) -> tuple[Any, Any]:
    """The rows the model is fitted on, and the one that is explained, which is not among them."""
    from salience.cli.judging import read_planned, read_row

    this = read_row(opened, label, row, seed, declared)
    others = read_planned(opened, label, rows, seed, declared)
    return others.join(this, on=others.columns, how="anti", nulls_equal=True), this.drop(label)
