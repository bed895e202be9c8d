"""``select``: which columns to keep, by the method of one's choice."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from salience.cli import options as o

if TYPE_CHECKING:
    from salience.runs.reader import Run
    from salience.verify.verdict import Verdict

ROWS = 50_000  # of a larger source a sample is taken: the methods hold their rows in memory


def select(
    ctx: typer.Context,
    source: o.Source,
    target: o.Target = None,
    method: Annotated[
        str, o.measure("--method", "-m", help="mi, kan, quick, scad, mcp, l1; quick reads no label.")
    ] = "mi",
    keep: Annotated[
        str, o.what("--keep", "-k", help="Share of the columns, as 40% or 0.4, or a number.")
    ] = "40%",
    rows: Annotated[int, o.machine(min=50, help="Most rows: of more, so many are drawn.")] = ROWS,
    format: o.Format = None,
    verify: Annotated[
        bool, o.measure("--verify", help="Does it hold up? Selects anew inside splits.")
    ] = False,
    estimator: o.Estimator = "logistic",
    kept: Annotated[
        Path | None, o.out("--kept", help="Write the kept columns and the label there, as Parquet or CSV.")
    ] = None,
    seed: o.Seed = 0,
    output: o.Output = Path("runs"),
    name: o.Name = None,
    force: o.Force = False,
    top: o.Top = 25,
    json: o.Json = False,
    report: o.Report = True,
    strict: o.Strict = False,
) -> None:
    """Which columns to keep? By information, a spline network, a sparse autoencoder or a sparse model."""
    from salience.cli import show
    from salience.cli.errors import demand
    from salience.cli.judging import read_planned
    from salience.cli.rank import open_table
    from salience.runs.writer import RunWriter
    from salience.tabular.selection import ColumnMethod, keep_best

    if not target:
        raise ValueError("name the label, --target COLUMN: it is not among the columns to choose from")
    if strict and not verify:
        raise ValueError("--strict judges the verdict: give --verify as well")
    chosen = ColumnMethod(method)
    share_of(keep, 1)  # a wrong one is said before the work, not after it
    opened = open_table(source, format=format, label=target)
    folder = o.run_folder(output, name, source)
    with RunWriter(folder, "select", ctx.params, force=force, argv=ctx.meta.get("argv")) as run:
        frame = read_planned(opened, target[0], rows, seed)
        if len(frame) == rows < opened.rows:
            run.note(f"selected on {rows:,} of {opened.rows:,} rows, drawn from all over the source (--rows)")
        with show.progress(f"selecting by {method}", "steps") as tell:
            scores = chosen(frame, target[0], seed=seed, progress=tell)
        scores = keep_best(scores, share_of(keep, len(scores)))
        run.note(*scores.meta.warnings)
        run.write_scores("scores", scores)
        verdict = None
        if verify:
            with show.progress("judging", "checks") as tell:
                verdict = judged(chosen, frame, target[0], estimator, seed, tell)
            run.write_text("verdict.json", verdict.to_json())
        if kept is not None:
            _write_kept(kept, frame, [*_kept_of(scores), target[0]])
        names = _kept_of(scores)
        said = f"{len(names)} of {len(scores)} columns kept: {', '.join(names)}."
        run.info["title"], run.info["summary"] = f"Which columns to keep for {target[0]}", [said]
        if report:
            from salience.report import render

            run.write_text("report.html", render(run.view()))
    show.notes(run.info["notes"])
    if json:
        show.as_json(show.records(scores.frame))
    else:
        first = scores.frame[list(scores.order())]
        shown = [n for n in ("column", "value", "null", "q", "n", "flag", "kept") if n in first.columns]
        show.frame(first.select(shown), top)
        if verdict is not None:
            show.verdict(verdict)
    show.say(f"{run.path}/ has {', '.join(sorted(p.name for p in run.path.iterdir() if p.is_file()))}")
    show.conclude_unless(json, said)
    if strict:
        demand(verdict)


def judged(method: Any, frame: Any, label: str, estimator: str, seed: int, tell: Any) -> Verdict:
    """The verdict on a selector: it selects anew inside each split of the rows."""
    from salience.verify import verify
    from salience.verify.sample import Sample

    sample = Sample.of(frame, label)
    judge = "ridge" if estimator == "logistic" and sample.task == "numbers" else estimator
    return verify(method, (frame, label), estimator=judge, seed=seed, progress=tell)


def judge_again(
    run: Run, source: str | None, *, estimator: str, rows: int, seed: int, progress: Any, **_: Any
) -> Verdict:
    """The verdict on a finished run of `select`."""
    from salience.cli.judging import read_planned
    from salience.cli.rank import open_table
    from salience.tabular.selection import ColumnMethod

    target, given = run.options["target"], run.options
    opened = open_table(source or given["source"], format=given.get("format"), label=target)
    frame = read_planned(opened, target[0], min(rows, given["rows"]), seed)
    return judged(ColumnMethod(given["method"]), frame, target[0], estimator, seed, progress)


def share_of(keep: str, columns: int) -> float:
    """What ``--keep`` asks for, as a share of the columns.

    Examples
    --------
    >>> share_of("40%", 10), share_of("0.25", 10), share_of("3", 10)
    (0.4, 0.25, 0.3)
    """
    text = keep.strip()
    try:
        number = float(text.removesuffix("%"))
    except ValueError:
        raise ValueError(
            f"--keep {keep!r}: give a share such as 40% or 0.4, or a number of columns"
        ) from None
    share = number / 100 if text.endswith("%") else number
    if not text.endswith("%") and "." not in text:
        if number < 1:
            raise ValueError(f"--keep {keep}: at least one column is kept")
        return min(number / columns, 1.0)
    if not 0 < share <= 1:
        raise ValueError(f"--keep {keep}: a share is above 0 and at most 100%")
    return share


def _kept_of(scores: Any) -> list[str]:
    first = scores.frame[list(scores.order())]
    return list(first.filter(first["kept"])["column"])


def _write_kept(path: Path, frame: Any, names: list[str]) -> None:
    from salience.results.storage import written_beside

    writers = {".parquet": frame.select(names).write_parquet, ".csv": frame.select(names).write_csv}
    if path.suffix not in writers:
        raise ValueError(f"--kept {path}: the name ends in {' or '.join(writers)}")
    with written_beside(path) as beside:
        writers[path.suffix](beside)
