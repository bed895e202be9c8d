"""``labels``: which labels look wrong."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from salience.cli import options as o

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from salience.results.scores import Scores
    from salience.runs.reader import Run
    from salience.verify.verdict import Verdict

ROWS = 20_000  # every row is looked at some hundred times
WIDE = 200  # columns beyond which steps of 0.1 are too long
JUDGED = 1_000  # labels among which some are made wrong, to see whether they are found
AGAIN = 1  # other seeds, for the stability


def labels(
    ctx: typer.Context,
    source: o.Source,
    options: o.OptionsFile = None,
    target: o.Target = None,
    noise: Annotated[
        float | None,
        o.measure("--noise", min=0, max=0.9, help="Share of the labels that is wrong. Default: estimated."),
    ] = None,
    epochs: Annotated[int, o.measure(min=2, help="Passes over the rows before the networks pick.")] = 60,
    clean: Annotated[
        Path | None, o.out("--clean", help="Write the rows without the suspects there: .parquet or .csv.")
    ] = None,
    verify: Annotated[
        bool, o.measure("--verify/--no-verify", help="Are labels found that are made wrong on purpose?")
    ] = True,
    rows: Annotated[int, o.machine(min=50, help="Most rows: of more, so many are drawn.")] = ROWS,
    format: o.Format = None,
    read_as: o.As = None,
    seed: o.Seed = 0,
    output: o.Output = Path("runs"),
    name: o.Name = None,
    force: o.Force = False,
    top: o.Top = 25,
    json: o.Json = False,
    report: o.Report = True,
    strict: o.Strict = False,
) -> None:
    """Which labels look wrong? Those that two networks, each picking for the other, hardly ever pick."""
    from dataclasses import replace

    import numpy as np
    import polars as pl

    from salience.cli import pictures, show
    from salience.cli.ending import shown, tabled, told
    from salience.cli.errors import demand
    from salience.cli.judging import of_source, read_numbered
    from salience.cli.kept import check_kept, write_kept
    from salience.cli.rank import open_table
    from salience.report.words import plural
    from salience.runs.writer import RunWriter

    label = o.one_label(target, "the labels of one column are looked at")
    o.check_strict(strict, verify)
    if clean is not None:
        check_kept("--clean", clean, force)
    opened = open_table(source, format=format, label=target)
    folder = o.run_folder(output, name, source)
    with RunWriter(folder, "labels", ctx.params, force=force, argv=ctx.meta.get("argv")) as run:
        frame, place = read_numbered(opened, label, rows, seed, o.declared(read_as, opened.columns))
        if len(frame) < opened.rows:
            run.note(
                f"{len(frame):,} of {opened.rows:,} rows are looked at; others have no label or are beyond --rows"
            )
        with show.progress("learning", "epochs") as tell, pictures.remarks(run.note):
            found = _fitted(frame, label, noise, epochs, seed, tell)
        scores = of_source(found.label_errors_, place)
        suspects = round(found.forget_rate_ * len(frame))
        ranked = scores.frame[list(scores.order())]
        ranked = ranked.with_columns(suspect=pl.int_range(pl.len()) < suspects)
        run.write_scores("scores", replace(scores, frame=ranked))
        run.write_scores("neurons", found.scores_)
        columns = ("row", "value", "given", "suggested", "p_given", "suspect")
        tabled(
            run,
            "suspects",
            "Suspects: the label given and the one suggested",
            ranked.filter("suspect")[columns[:-1]],
        )
        tabled(run, "classes", "How often rows of each given label were picked", _by_class(found, scores))
        pictures.keep(
            run, "accuracy", "Accuracy on held-out rows by the first k features", found.plot_accuracy
        )
        verdict = None
        if verify:
            with show.progress("judging", "fits") as tell, pictures.remarks(run.note):
                verdict = judged(frame, label, found.forget_rate_, epochs, seed, tell)
            run.write_json("verdict", verdict.to_json())
        share = f"{100 * found.forget_rate_:.0f} %"
        said = (
            f"{share} of the labels of {label} are suspects{'' if noise is None else ', as given'}: "
            f"{suspects:,} of {plural(len(frame), 'row')}, most suspect first."
            f"{' Rows that are only hard are among them.' if noise is None else ''}"
        )
        told(run, f"Which labels of {label} look wrong", [said], report)
        if clean is not None:
            doubted = ranked.filter("suspect")["row"].to_numpy()
            write_kept(clean, opened, rows=np.setdiff1d(np.arange(opened.rows), doubted))
    shown(run, ranked, columns, top, [said], json=json, verdict=verdict)
    if strict:
        demand(verdict)


def judge_again(run: Run, source: str | None, *, seed: int, progress: Any, **_: Any) -> Verdict:
    """Are labels found that are made wrong on purpose, and the same ones by other seeds?"""
    from salience.cli.judging import read_numbered, reopened

    given, label = run.options, run.options["target"][0]
    opened = reopened(run, source)
    declared = o.declared(given.get("read_as"), opened.columns)
    table = read_numbered(opened, label, min(given["rows"], JUDGED), given["seed"], declared)[0]
    return judged(table, label, given["noise"], given["epochs"], seed, progress)


def judged(frame: Any, label: str, noise: float | None, epochs: int, seed: int, tell: Any) -> Verdict:
    """The verdict on labels: planted errors, and what other seeds say."""
    import numpy as np

    from salience.results import Scores
    from salience.verify import mislabelled, report, stability

    if len(frame) > JUDGED:
        frame = frame.sample(JUDGED, seed=seed)
    fits = iter(range(1, AGAIN + 3))

    def doubts(given: Any, seed: int) -> NDArray[np.float64]:
        ranks = _fitted(given, label, noise, epochs, seed).label_errors_
        if tell is not None:
            tell(next(fits), AGAIN + 2)
        suspicion = np.empty(len(given))
        suspicion[list(ranks.order())] = np.arange(len(given), 0, -1)
        return suspicion

    def find(given: Any, labels: NDArray[np.str_]) -> NDArray[np.float64]:
        import polars as pl

        return doubts(given.with_columns(pl.Series(label, labels)), seed)

    checks = mislabelled(find, frame, frame[label].cast(str).to_numpy(), seed=seed)
    repeats = [Scores.from_values(doubts(frame, seed + i), keys="row", item="row") for i in range(AGAIN + 1)]
    tenth = max(1, len(frame) // 10)
    return report([*checks, stability(repeats, k=tenth)], method="nested-dropout", seed=seed)


def _by_class(found: Any, scores: Scores) -> pl.DataFrame:
    """Rows and share picked of each class, the least picked first: a hard class looks like wrong labels."""
    import polars as pl

    rows = scores.frame.group_by("given").agg(rows=pl.len())
    picked = pl.DataFrame({"given": found.classes_, "picked": found.class_rates_})
    return rows.join(picked, on="given").sort("picked", "given")


def _fitted(frame: Any, label: str, noise: float | None, epochs: int, seed: int, tell: Any = None) -> Any:
    from salience.cli.judging import as_arrays
    from salience.instances import NestedClassifier

    X, y = as_arrays(frame, label)
    classifier = NestedClassifier(
        forget_rate="auto" if noise is None else noise,
        epochs=(epochs, max(1, epochs // 2)),
        lr=(0.02, 0.01) if X.shape[1] > WIDE else (0.1, 0.01),
        progress=tell,
        random_state=seed,
    )
    return classifier.fit(X, y)
