"""``audit``, ``rare``, ``rows`` and ``compare``: the data itself, before anybody ranks it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from salience.cli import options as o

Label = Annotated[str | None, typer.Option("--target", "-t", help="Label column, to look for leaks too.")]


def audit(
    source: o.Source,
    target: Label = None,
    format: o.Format = None,
    read_as: o.As = None,
    memory: o.Memory = "1GiB",
    threads: o.Threads = 2,
    seed: o.Seed = 0,
    top: o.Top = 50,
    json: o.Json = False,
) -> None:
    """What is odd about the data: constants, duplicates, ids, leaks, missing values."""
    from salience.cli import show
    from salience.cli.rank import open_table
    from salience.tabular.auditing import audit as look

    opened = open_table(source, format=format)
    spec = o.declared(read_as, opened.columns)
    with show.progress("counting") as tell:
        found = look(opened, label=target, spec=spec, memory=memory, n_jobs=threads, seed=seed, progress=tell)
    show.notes(opened.notes)
    if json:
        show.as_json(show.records(found))
        return
    show.frame(found, top, empty="Nothing odd was found.")


def rare(
    source: o.Source,
    target: o.Target = None,
    bound: Annotated[int, typer.Option(min=1, help="Rare: in at most so many rows.")] = 1,
    most: Annotated[int, typer.Option(min=1, help="Rare values kept of a column.")] = 1000,
    ignore: Annotated[
        list[str] | None, typer.Option(help="COLUMN=VALUE that is known and no news; repeat.")
    ] = None,
    format: o.Format = None,
    read_as: o.As = None,
    memory: o.Memory = "1GiB",
    threads: o.Threads = 2,
    seed: o.Seed = 0,
    top: o.Top = 50,
    json: o.Json = False,
) -> None:
    """Which values occur hardly ever, in each column?"""
    from salience.cli import show
    from salience.cli.rank import open_table
    from salience.data.plan import plan
    from salience.data.scan import scan
    from salience.tabular.rare import TextLookup, rare_values
    from salience.tabular.streaming.parts import Origin, OriginState

    known = [_known_value(one) for one in ignore or []]
    opened = open_table(source, format=format)
    planned = plan(opened, spec=o.declared(read_as, opened.columns), memory=memory, seed=seed)
    counts = OriginState([(column.name, "values") for column in planned.columns], planned, Origin(0), 1)
    with show.progress("counting") as tell:
        scan(planned, {"counts": counts}, source=opened, threads=threads, progress=tell)
    tables = {name: table for (name, _), table in counts.finalize().items()}
    found = rare_values(tables, planned, bound=bound, ignore=known, most=most)
    texts = TextLookup(found.wanted)
    with show.progress("looking up") as tell:
        scan(
            planned,
            {"texts": texts},
            source=opened,
            columns=list(found.wanted),
            threads=threads,
            progress=tell,
        )
    scores = found.scores(texts.finalize())
    if json:
        show.as_json({"columns": show.records(found.summary), "values": show.records(scores.frame)})
        return
    show.frame(found.summary, top)
    show.conclude("")
    show.frame(scores.frame.select("column", "text", "value"), top, empty="No value is that rare.")


def profile(
    source: o.Source,
    format: o.Format = None,
    read_as: o.As = None,
    memory: o.Memory = "1GiB",
    threads: o.Threads = 2,
    seed: o.Seed = 0,
    top: o.Top = 50,
    json: o.Json = False,
) -> None:
    """What is in each column: distinct and commonest values, repetitions, sizes, numbers."""
    from salience.cli import show
    from salience.cli.rank import open_table
    from salience.tabular.profiling import profile as look

    opened = open_table(source, format=format)
    spec = o.declared(read_as, opened.columns)
    with show.progress("counting") as tell:
        found = look(opened, spec=spec, memory=memory, n_jobs=threads, seed=seed, progress=tell)
    show.notes(opened.notes)
    if json:
        show.as_json(show.records(found))
        return
    show.frame(found.select(PROFILE), top)
    numbers = found.filter(found["mean"].is_not_null()).select("column", *NUMBERS)
    if len(numbers):
        show.conclude("")
        show.frame(numbers, top)


PROFILE = [
    "column",
    "kind",
    "coverage",
    "distinct",
    "top_value",
    "top_share",
    "over_1",
    "over_100",
    "bytes_per_value",
]
NUMBERS = ["min", "q25", "q50", "q75", "max", "mean", "sd"]


def rows(
    source: o.Source,
    target: o.Target = None,
    k: Annotated[int, typer.Option("--keep", min=1, help="Most unusual rows kept.")] = 100,
    format: o.Format = None,
    read_as: o.As = None,
    memory: o.Memory = "1GiB",
    threads: o.Threads = 2,
    seed: o.Seed = 0,
    top: o.Top = 25,
    json: o.Json = False,
) -> None:
    """Which rows are unlike the others: empty, long, random; and does that go with the label?"""
    from salience.cli import show
    from salience.cli.rank import open_table
    from salience.data.plan import plan
    from salience.data.scan import scan
    from salience.tabular.rows import RowReference, RowState

    opened = open_table(source, format=format, label=target)
    spec = o.declared(read_as, opened.columns)
    planned = plan(opened, target[0] if target else None, spec=spec, memory=memory, seed=seed)
    state = RowState(planned, RowReference.from_pilot(opened, planned), k=k)
    with show.progress("measuring") as tell:
        scan(planned, {"rows": state}, source=opened, threads=threads, progress=tell)
    found = state.finalize()
    if json:
        show.as_json({"rows": show.records(found.scores.frame), "summary": show.records(found.summary)})
        return
    show.frame(found.scores.frame, top)
    show.conclude("")
    show.frame(found.summary, 40)


def compare(
    ctx: typer.Context,
    a: Annotated[str, typer.Argument(help="The data a model knows.")],
    b: Annotated[str, typer.Argument(help="The data it will see.")],
    exclude: Annotated[list[str] | None, typer.Option(help="Without these columns (a,b or repeat).")] = None,
    format: o.Format = None,
    read_as: o.As = None,
    memory: o.Memory = "1GiB",
    threads: o.Threads = 2,
    seed: o.Seed = 0,
    output: o.Output = Path("runs"),
    name: o.Name = None,
    force: o.Force = False,
    top: o.Top = 25,
    json: o.Json = False,
    report: o.Report = True,
) -> None:
    """Which columns have drifted between two sources?"""
    from salience.cli import show
    from salience.cli.rank import open_table
    from salience.report import render
    from salience.report.words import headline, ranked
    from salience.runs.writer import RunWriter
    from salience.tabular.drift import compare as drift

    first, second = open_table(a, format=format), open_table(b, format=format)
    spec = o.declared(read_as, first.columns)
    folder = o.run_folder(output, name or f"{o.run_folder(output, None, a).name}-drift", a)
    # A column has drifted when it tells which of the two sources a row is from: that is the label here.
    options = {**ctx.params, "source": f"{a} against {b}", "label": "which of the two a row is from"}
    with RunWriter(folder, "compare", options, force=force, argv=ctx.meta.get("argv")) as run:
        settings: dict[str, Any] = {"spec": spec, "memory": memory, "n_jobs": threads, "seed": seed}
        with show.progress("counting") as tell:
            scores = drift(first, second, exclude=tuple(o.split_names(exclude)), progress=tell, **settings)
        run.info["title"] = "What has drifted"
        run.note(*scores.meta.warnings)
        run.write_scores("scores", scores)
        if report:
            run.write_text("report.html", render(run.view()))
    if json:
        show.as_json(show.records(scores.frame))
    else:
        show.ranking(scores, top)
    show.notes(scores.meta.warnings)
    show.say(f"{run.path}/")
    sentences = headline(ranked(scores)[0], options["label"])
    show.conclude_unless(
        json, " ".join(sentences[:-1])
    )  # the last one is about verify, which has no place here


def _known_value(given: str) -> tuple[str, str]:
    column, equals, value = given.partition("=")
    if not equals:
        raise ValueError(f"--ignore {given}: write COLUMN=VALUE")
    return column, value
