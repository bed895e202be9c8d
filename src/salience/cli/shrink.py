"""``shrink``: the few rows that are worth keeping."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from salience.cli import options as o

if TYPE_CHECKING:
    from salience.runs.reader import Run
    from salience.verify.verdict import Verdict

ROWS = 100_000  # held in memory, as numbers
JUDGED = 3_000  # rows that a verdict is on: a third of them are held out


def shrink(
    ctx: typer.Context,
    source: o.Source,
    options: o.OptionsFile = None,
    target: o.Target = None,
    keep: Annotated[
        str, o.what("--keep", "-k", help="Share of each class, as 4% or 0.04, or auto: as few as do as well.")
    ] = "4%",
    graph: Annotated[
        str, o.measure(help="minibatch, lsh, lsh-multilevel, lsh-multiview, knn.")
    ] = "minibatch",
    rounds: Annotated[int, o.measure(min=1, help="Partitions whose scores are averaged.")] = 3,
    diverse: Annotated[bool, o.measure("--diverse", help="Pass over rows that are like kept ones.")] = False,
    estimator: Annotated[
        str,
        o.measure(
            help="Model that will be trained on the rows, and that judges: logistic, forest, lightgbm."
        ),
    ] = "forest",
    kept: Annotated[
        Path | None, o.out("--kept", help="Write the kept rows there too: .parquet or .csv.")
    ] = None,
    verify: Annotated[
        bool, o.measure("--verify/--no-verify", help="Does a model on the kept rows beat one on random ones?")
    ] = True,
    rows: Annotated[int, o.machine(min=50, help="Most rows: of more, so many are drawn.")] = ROWS,
    format: o.Format = None,
    read_as: o.As = None,
    seed: o.Seed = 0,
    output: o.Output = Path("runs"),
    name: o.Name = None,
    force: o.Force = False,
    top: o.Top = 15,
    json: o.Json = False,
    report: o.Report = True,
    strict: o.Strict = False,
) -> None:
    """Which rows are worth keeping? The few that a graph network attends to and whose label it believes."""
    from salience.cli import pictures, show
    from salience.cli.ending import shown, told
    from salience.cli.errors import demand
    from salience.cli.judging import as_arrays, of_source, read_numbered
    from salience.cli.kept import check_kept, write_kept
    from salience.cli.rank import open_table
    from salience.data.readers import open_source
    from salience.instances import plot_kept
    from salience.instances.gais.graphs import GRAPHS
    from salience.report.words import plural
    from salience.runs.writer import RunWriter

    label = o.one_label(target, "rows of each class are kept")
    share_kept(keep)  # what is wrong is said before the work, not after it
    if graph not in GRAPHS:
        raise ValueError(f"--graph {graph}: give one of {', '.join(GRAPHS)}")
    o.check_strict(strict, verify)
    if kept is not None:
        check_kept("--kept", kept, force)
    opened = open_table(source, format=format, label=target)
    folder = o.run_folder(output, name, source)
    with RunWriter(folder, "shrink", ctx.params, force=force, argv=ctx.meta.get("argv")) as run:
        frame, place = read_numbered(opened, label, rows, seed, o.declared(read_as, opened.columns))
        if len(frame) < opened.rows:
            run.note(
                f"{len(frame):,} of {opened.rows:,} rows are weighed; others have no label or are beyond --rows"
            )
        with show.progress("learning", "epochs") as tell, pictures.remarks(run.note):
            found = _fitted(frame, label, ctx.params, seed, tell)
        scores = of_source(found.scores_, place)
        run.write_scores("scores", scores)
        chosen = place[found.support_]
        write_kept(run.partial / "kept.parquet", opened, rows=chosen)
        pictures.keep(
            run, "rows", "The kept rows among all", lambda: plot_kept(found, as_arrays(frame, label)[0])
        )
        verdict = None
        if verify and found.refused_:
            run.note("there is no verdict, for there are no scores")
        elif verify:
            with show.progress("judging", "fits") as tell, pictures.remarks(pictures.unsaid):
                verdict = judged(frame, label, ctx.params, found.rate_, seed, tell)
            run.write_json("verdict", verdict.to_json())
        said = (
            f"{len(chosen):,} of {plural(len(frame), 'row')} are kept ({100 * len(chosen) / len(frame):.1f} %); the network "
            f"names {100 * found.val_accuracy_:.0f} % of held-out rows right, by chance {100 * found.chance_:.0f} %."
        )
        told(run, f"Which rows to keep for {label}", [said], report)
        if kept is not None:
            write_kept(kept, open_source(run.partial / "kept.parquet"))  # the source is read once only
    columns = ("row", "class", "value", "attention", "confidence", "degree", "kept", "flag")
    ranked = scores.frame[list(scores.order())]
    shown(run, ranked, columns, top, [said], json=json, verdict=verdict)
    if strict:
        demand(verdict)


def judge_again(run: Run, source: str | None, *, seed: int, progress: Any, **_: Any) -> Verdict:
    """Does a model on the rows taken first beat one on as many random ones?"""
    from salience.cli.judging import read_numbered, reopened

    given, label = run.options, run.options["target"][0]
    opened = reopened(run, source)
    declared = o.declared(given.get("read_as"), opened.columns)
    table = read_numbered(opened, label, given["rows"], given["seed"], declared)[0]
    kept = float(run.scores.frame["kept"].mean())
    return judged(table, label, given, kept, seed, progress)


def judged(frame: Any, label: str, given: dict[str, Any], rate: float, seed: int, tell: Any) -> Verdict:
    """The verdict on the rows: chosen among two thirds of some rows, judged by a model's mistakes on the others.

    They are taken class by class in turn, as they are kept; so are the random ones and those of permuted labels.
    """
    import numpy as np

    from salience.cli.judging import as_arrays
    from salience.verify import rows, verify

    some = frame.sample(min(JUDGED, len(frame)), seed=seed, shuffle=True)
    train = some.head(len(some) * 2 // 3)
    permuted = train.with_columns(train[label].sample(fraction=1, shuffle=True, seed=seed))
    fits = iter(range(1, 4))

    def taken(table: Any, seed: int) -> Any:
        scores = _fitted(table, label, {**given, "keep": f"{rate}"}, seed, None).scores_
        if tell is not None:
            tell(next(fits), 3)
        return in_turn(scores)

    scores, again, null = taken(train, seed), taken(train, seed + 1), taken(permuted, seed)
    numbers, names = as_arrays(some, label)
    bench = rows(
        given["estimator"],
        (numbers[: len(train)], names[: len(train)]),
        (numbers[len(train) :], names[len(train) :]),
        names_only=True,
        seed=seed,
    )
    return verify(
        scores,
        bench,
        fractions=(min(max(rate, 2 / len(train)), 0.9),),
        again=[again],
        null=None if np.isnan(np.asarray(null)).all() else null,
        covariates={"degree": scores.frame["degree"]},
        leave_out=("deletion", "leak"),
        seed=seed,
    )


def in_turn(scores: Any) -> Any:
    """Scores of rows by their place within their class, so that the top has as much of each class as all rows have."""
    from dataclasses import replace

    import polars as pl

    place = pl.col("value").rank("ordinal", descending=True).over("class") / pl.len().over("class")
    frame = scores.frame.with_columns(value=pl.when(pl.col("value").is_not_nan()).then(1 - place))
    return replace(scores, frame=frame.drop("rank", strict=False))


def share_kept(keep: str) -> float | str:
    """What ``--keep`` asks for, as a share, or "auto".

    Examples
    --------
    >>> share_kept("4%"), share_kept("0.1"), share_kept("auto")
    (0.04, 0.1, 'auto')
    """
    text = keep.strip()
    if text == "auto":
        return text
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        raise ValueError(f"--keep {keep!r}: give a share such as 4% or 0.04, or auto") from None
    if not 0 < share <= 1:
        raise ValueError(f"--keep {keep}: a share is above 0 and at most 100%")
    return share


def _fitted(frame: Any, label: str, given: dict[str, Any], seed: int, tell: Any) -> Any:
    from salience.cli.judging import as_arrays
    from salience.instances import GraphAttentionSelector

    selector = GraphAttentionSelector(
        given["graph"],
        rate=share_kept(given["keep"]),
        n_rounds=given["rounds"],
        diverse=given["diverse"],
        estimator=given["estimator"],
        progress=tell,
        random_state=seed,
    )
    return selector.fit(*as_arrays(frame, label))
