"""``select``: which columns to keep, by the method of one's choice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
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
        _check_kept(kept, force)
    opened = open_table(source, format=format, label=target)
    folder = o.run_folder(output, name, source)
    with RunWriter(folder, "select", ctx.params, force=force, argv=ctx.meta.get("argv")) as run:
        frame = read_planned(opened, label, rows, seed)
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
            run.write_text("verdict.json", verdict.to_json())
        named = f": {name_list(names, MENTIONED)}" if names else ""
        said = f"{len(names)} of {plural(len(scores), 'column')} kept{named}."
        told(run, f"Which columns to keep{f' for {label}' if label else ''}", [said], report)
        if kept is not None and names:
            written = [name for name in opened.columns if name in names or name == label]
            _write_kept(kept, opened, written, [name for name in written if frame.schema[name].is_numeric()])
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
    frame = read_planned(opened, given["target"][0], min(rows, given["rows"]), seed)
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


def _check_kept(path: Path, force: bool) -> None:
    """What can be known about ``--kept`` before the work is done."""
    if path.suffix not in (".parquet", ".csv"):
        raise ValueError(f"--kept {path}: the name ends in .parquet or .csv")
    o.check_new(path, force)


def _write_kept(path: Path, source: Any, names: list[str], numbers: list[str]) -> None:
    """All rows of these columns, as they stand in the source; of a source that knows only text, numbers as numbers."""
    import polars as pl
    from pyarrow.csv import CSVWriter
    from pyarrow.parquet import ParquetWriter

    from salience.data.pilot import PIECE_ROWS
    from salience.results.storage import written_beside

    def tables() -> Iterator[Any]:
        for shard in source.shards():
            for batch in source.batches(shard, names, PIECE_ROWS):
                frame = pl.DataFrame(batch).with_columns(pl.col(pl.Categorical, pl.Enum).cast(pl.String))
                told = [name for name in numbers if frame.schema[name] == pl.String]
                yield frame.with_columns(pl.col(told).cast(pl.Float64, strict=False)).to_arrow()

    parts = tables()
    first = next(parts)
    writer = ParquetWriter if path.suffix == ".parquet" else CSVWriter
    with written_beside(path) as beside, writer(beside, first.schema) as out:
        for part in chain([first], parts):
            out.write_table(part.cast(first.schema))


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
