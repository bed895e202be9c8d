"""``interactions``: which columns matter together, and how differently equally good models could see it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from salience.cli import options as o

if TYPE_CHECKING:
    from salience.runs.reader import Run
    from salience.verify.verdict import Verdict

SETTINGS = (
    "model",
    "held",
    "epsilon_rate",
    "delta",
    "shuffles",
    "screen_shuffles",
)  # options that the method knows too


def interactions(
    ctx: typer.Context,
    source: o.Source,
    options: o.OptionsFile = None,
    target: o.Target = None,
    model: Annotated[str, o.measure(help="Model that is fitted: boosting, forest, linear.")] = "boosting",
    epsilon_rate: Annotated[
        float, o.measure("--epsilon", help="How much worse a model may be, as a share of the loss.")
    ] = 0.05,
    delta: Annotated[float, o.measure(help="Step of the budgets; must divide 1.")] = 0.25,
    shuffles: Annotated[int, o.measure(min=1, help="Shuffles that are averaged.")] = 10,
    screen_shuffles: Annotated[
        int, o.measure("--screen", min=1, help="Shuffles of the first look at all pairs.")
    ] = 2,
    held: Annotated[
        int, o.machine(min=20, help="Most rows to explore on; the model is fitted on the others.")
    ] = 1000,
    rows: Annotated[int, o.machine(min=50, help="Most rows: of more, so many are drawn.")] = 20_000,
    focus: Annotated[list[str] | None, o.what(help="Only these columns (a,b or repeat).")] = None,
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
    """Which pairs of columns interact, in this model and in any other that predicts as well?"""
    from salience.cli import pictures, show
    from salience.cli.ending import shown, told
    from salience.cli.judging import read_planned
    from salience.cli.rank import open_table
    from salience.runs.writer import RunWriter
    from salience.tabular.rashomon.tables import interaction_cloud

    label = o.one_label(target, "columns interact in predicting a label")
    opened = open_table(source, format=format, label=target)
    folder = o.run_folder(output, name, source)
    with RunWriter(folder, "interactions", ctx.params, force=force, argv=ctx.meta.get("argv")) as run:
        frame = read_planned(opened, label, rows, seed, o.declared(read_as, opened.columns))
        frame = _wanted(frame, label, o.split_names(focus))
        with show.progress("exploring", "steps") as tell, pictures.remarks(run.note):
            found = interaction_cloud(
                frame, label, seed=seed, progress=tell, **{name: ctx.params[name] for name in SETTINGS}
            )
        run.write_scores("scores", found.scores_)
        run.write_scores("columns", found.column_scores_)
        run.write_frame("cloud", found.interaction_cloud_)
        best = found.scores_.top(1).items[0]
        pictures.keep(run, "swarm", "What equally good models make of each pair", lambda: found.swarm())
        pictures.keep(run, "halo", f"{best[0]} and {best[1]} masked together", lambda: found.halo(best))
        frame = found.scores_.frame[list(found.scores_.order())]
        said = _said(frame, found.reference_loss_, found.epsilon_)
        told(run, f"Which columns interact for {label}", [said], report)
    columns = ("a", "b", "value", "se", "lo", "hi", "range", "in_set", "correlation")
    shown(run, frame, columns, top, [said], json=json)


def judge_again(run: Run, source: str | None, *, rows: int, seed: int, progress: Any, **_: Any) -> Verdict:
    """Does the ranking of the pairs come out again from other rows, and not from a permuted label?"""
    from salience.cli.judging import read_planned, reopened
    from salience.tabular.rashomon.tables import judge_pairs

    given, label = run.options, run.options["target"][0]
    opened = reopened(run, source)
    declared = o.declared(given.get("read_as"), opened.columns)
    frame = read_planned(opened, label, min(rows, given["rows"]), seed, declared)
    frame = _wanted(frame, label, o.split_names(given["focus"]))
    of_the_model = {name: given[name] for name in ("model", "held", "shuffles")}
    return judge_pairs(frame, label, seed=seed, progress=progress, **of_the_model)


def _wanted(frame: Any, label: str, focus: list[str]) -> Any:
    from salience.data.readers.source import near

    names = [name for name in frame.columns if name != label]
    for name in focus:
        if name not in names:
            raise ValueError(f"--focus: there is no column {near(name, names)}")
    return frame.select([*dict.fromkeys(focus), label]) if focus else frame


def _said(frame: Any, loss: float, epsilon: float) -> str:
    from salience.report.words import number

    first = frame.row(0, named=True)
    if abs(first["value"]) < 2 * first["se"]:
        return "No pair interacts beyond the noise of the shuffles; more of them (--shuffles) or rows (--held) may tell."
    sense = "each works through the other" if first["value"] < 0 else "each can stand in for the other"
    return (
        f"{first['a']} and {first['b']} interact most, {sense}: {number(first['value'])} in this model, from "
        f"{number(first['lo'])} to {number(first['hi'])} in models with a loss of at most {number(loss + epsilon)} "
        f"(this one: {number(loss)})."
    )
