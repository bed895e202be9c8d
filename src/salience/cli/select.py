"""``select``: which columns to keep, by the method of one's choice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from salience.cli import options as o

if TYPE_CHECKING:
    from salience.runs.reader import Run
    from salience.tabular.selection import Selected
    from salience.verify.verdict import Verdict

DRAWN = 6  # curves that can be told apart
MENTIONED = 10  # kept columns that are named in a sentence
ROWS = 50_000  # of a larger source a sample is taken: the methods hold their rows in memory


def select(
    ctx: typer.Context,
    source: o.Source,
    options: o.OptionsFile = None,
    target: o.Target = None,
    method: Annotated[
        str, o.measure("--method", "-m", help="mi, kan, quick, scad, mcp, l1; quick reads no label.")
    ] = "mi",
    keep: Annotated[
        str, o.what("--keep", "-k", help="Share of the columns, as 40% or 0.4, or a number.")
    ] = "40%",
    rows: Annotated[int, o.machine(min=50, help="Most rows: of more, so many are drawn.")] = ROWS,
    format: o.Format = None,
    read_as: o.As = None,
    verify: Annotated[
        bool, o.measure("--verify", help="Does it hold up? Selects anew inside splits.")
    ] = False,
    estimator: o.Estimator = "logistic",
    kept: Annotated[
        Path | None,
        o.out("--kept", help="Write all rows of the kept columns and the label there: .parquet or .csv."),
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
    from salience.cli import pictures, show
    from salience.cli.ending import shown, told
    from salience.cli.errors import demand
    from salience.cli.judging import read_planned
    from salience.cli.kept import check_kept, write_kept
    from salience.cli.rank import open_table
    from salience.report.words import name_list, plural
    from salience.runs.writer import RunWriter
    from salience.tabular.selection import UNLABELLED, ColumnMethod, keep_best

    chosen = ColumnMethod(method)
    label = (
        o.one_label(target, f"--method {method} reads a label")
        if target or method not in UNLABELLED
        else None
    )
    if verify and label is None:
        raise ValueError("--verify judges by what predicts a label; name it: --target COLUMN")
    if strict and not verify:
        raise ValueError("--strict judges the verdict: give --verify as well")
    share_of(keep, 1)  # a wrong one is said before the work, not after it
    if kept is not None:
        check_kept("--kept", kept, force)
    opened = open_table(source, format=format, label=target)
    folder = o.run_folder(output, name, source)
    with RunWriter(folder, "select", ctx.params, force=force, argv=ctx.meta.get("argv")) as run:
        frame = read_planned(opened, label, rows, seed, o.declared(read_as, opened.columns))
        if len(frame) == rows < opened.rows:
            run.note(f"selected on {rows:,} of {opened.rows:,} rows, drawn from all over the source (--rows)")
        with show.progress(f"selecting by {method}", "steps") as tell, pictures.remarks(run.note):
            found = chosen.fitted(frame, label, seed=seed, progress=tell)
        scores = keep_best(found.scores, share_of(keep, len(found.scores)))
        run.note(*(remark for remark in scores.meta.warnings if remark not in run.info["notes"]))
        run.write_scores("scores", scores)
        names = list(scores.frame[list(scores.order())].filter("kept")["column"])
        if names and method in PICTURES:
            title, draw = PICTURES[method]
            pictures.keep(run, method, title, lambda: draw(found, names))
        verdict = None
        if verify and label is not None:
            with show.progress("judging", "checks") as tell:
                verdict = judged(chosen, frame, label, estimator, seed, tell)
            run.write_json("verdict", verdict.to_json())
        named = f": {name_list(names, MENTIONED)}" if names else ""
        said = f"{len(names)} of {plural(len(scores), 'column')} kept{named}."
        told(run, f"Which columns to keep{f' for {label}' if label else ''}", [said], report)
        if kept is not None and names:
            written = [name for name in opened.columns if name in names or name == label]
            numbers = [name for name in written if frame.schema[name].is_numeric()]
            write_kept(kept, opened, written, numbers=numbers)
    columns = ("column", "value", "null", "q", "n", "flag", "kept")
    shown(run, scores.frame[list(scores.order())], columns, top, [said], json=json, verdict=verdict)
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
    from salience.cli.judging import read_planned, reopened
    from salience.tabular.selection import ColumnMethod

    given = run.options
    if not given["target"]:
        raise ValueError(
            f"{run.path} was made without a label, by which it would be judged; select with --target"
        )
    opened = reopened(run, source)
    declared = o.declared(given.get("read_as"), opened.columns)
    frame = read_planned(opened, given["target"][0], min(rows, given["rows"]), seed, declared)
    return judged(ColumnMethod(given["method"]), frame, given["target"][0], estimator, seed, progress)


def share_of(keep: str, columns: int) -> float:
    """What ``--keep`` asks for, as a share of the columns.

    Examples
    --------
    >>> share_of("40%", 10), share_of("0.25", 10), share_of("3", 10)
    (0.4, 0.25, 0.3)
    """
    text = keep.strip()
    is_share = text.endswith("%") or "." in text
    try:
        number = float(text.removesuffix("%")) if is_share else int(text)
    except ValueError:
        raise ValueError(
            f"--keep {keep!r}: give a share such as 40% or 0.4, or a number of columns"
        ) from None
    if not is_share:
        if number < 1:
            raise ValueError(f"--keep {keep}: at least one column is kept")
        return min(number / columns, 1.0)
    share = number / 100 if text.endswith("%") else number
    if not 0 < share <= 1:
        raise ValueError(f"--keep {keep}: a share is above 0 and at most 100%")
    return share


def _against_chance(found: Selected, kept: list[str]) -> Any:
    from salience.tabular.screening.pictures import score_against_null

    return score_against_null(found.scores)


def _curves(found: Selected, kept: list[str]) -> Any:
    return found.selector.plot_curves(found.parts(kept)[:DRAWN])


def _path(found: Selected, kept: list[str]) -> Any:
    return found.selector.plot_path()


# The picture of a method that has one of its own: title, and (found, kept columns) -> axes.
PICTURES: dict[str, tuple[str, Callable[[Selected, list[str]], Any]]] = {
    "mi": ("What the columns say, above the mean of their permutations", _against_chance),
    "kan": ("What the kept columns add to the output", _curves),
    **dict.fromkeys(("scad", "mcp", "l1"), ("Coefficients along the path", _path)),
}
