"""``audit``, ``rare``, ``rows`` and ``compare``: the data itself, before anybody ranks it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from salience.cli import options as o

Label = Annotated[str | None, typer.Option("--target", "-t", help="Label column, to look for leaks too.")]


def audit(
    source: o.Source,
    target: Label = None,
    format: o.Format = None,
    top: o.Top = 50,
    json: o.Json = False,
) -> None:
    """What is odd about the data: constants, duplicates, ids, leaks, missing values."""
    from salience.cli import show
    from salience.cli.rank import open_table
    from salience.tabular.audit import audit as look

    opened = open_table(source, format=format)
    found = look(opened, label=target)
    show.say(*(f"note: {note}" for note in opened.notes))
    if json:
        show.as_json(show.records(found))
        return
    show.frame(found, top, empty="Nothing odd was found.")


def compare(
    a: Annotated[str, typer.Argument(help="The data a model knows.")],
    b: Annotated[str, typer.Argument(help="The data it will see.")],
    format: o.Format = None,
    output: o.Output = Path("runs"),
    name: o.Name = None,
    force: o.Force = False,
    ctx: typer.Context = None,  # type: ignore[assignment]  # filled in by typer
    top: o.Top = 25,
    json: o.Json = False,
    report: o.Report = True,
) -> None:
    """Which columns have drifted between two sources?"""
    from salience.cli import show
    from salience.cli.rank import open_table
    from salience.report import render
    from salience.runs import RunWriter
    from salience.tabular.drift import compare as drift

    first, second = open_table(a, format=format), open_table(b, format=format)
    folder = o.run_folder(output, name or f"{o.run_folder(output, None, a).name}-drift", a)
    options = {**ctx.params, "source": f"{a} against {b}"}
    with RunWriter(folder, "compare", options, force=force, argv=ctx.meta.get("argv")) as run:
        scores = drift(first, second)
        run.write_scores("scores", scores)
        if report:
            run.write_text("report.html", render(run.view()))
    if json:
        show.as_json(show.records(scores.frame))
    else:
        show.ranking(scores, top)
    show.say(f"{run.path}/")
