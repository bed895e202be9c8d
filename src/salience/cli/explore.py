"""``transforms`` and ``evolve``: what could be made of the columns there are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from salience.cli import options as o


def transforms(
    source: o.Source,
    target: o.Target = None,
    preset: Annotated[
        str, typer.Option(help="minimal, default, extended, extended_rounded, fw-transformers, verbose.")
    ] = "default",
    supervised: Annotated[
        bool, typer.Option("--supervised", help="Bins chosen for the label instead: edges and score.")
    ] = False,
    grid: Annotated[
        Path | None, typer.Option(help="Write the grid of candidates for a model search there, as JSON.")
    ] = None,
    format: o.Format = None,
    read_as: o.As = None,
    focus: Annotated[list[str] | None, typer.Option(help="Only these columns (a,b or repeat).")] = None,
    memory: o.Memory = "1GiB",
    threads: o.Threads = 2,
    seed: o.Seed = 0,
    top: o.Top = 30,
    json: o.Json = False,
) -> None:
    """Which transformation of each number column says most about the label?"""
    import polars as pl

    from salience.cli import show
    from salience.cli.rank import open_table
    from salience.tabular.streaming.passes import RankingPass

    if not target and grid is None:
        raise ValueError("transforms are compared by what they tell about a label; name it: --target COLUMN")
    opened = open_table(source, format=format, label=target)
    planned: dict[str, Any] = {"spec": o.declared(read_as, opened.columns) or None, "memory": memory}
    if grid is not None:
        show.conclude_unless(json, _write_grid(opened, target, o.split_names(focus), seed, grid, planned))
    if not target:
        return
    if supervised:
        _show_bins(opened, target[0], o.split_names(focus), threads, seed, top, json, planned)
        return
    settings: dict[str, Any] = {"transforms": preset, "focus": o.split_names(focus)}
    ranker = RankingPass(target[0], n_jobs=threads, random_state=seed, **settings, **planned)
    with show.progress("counting") as tell:
        ranker.fit(opened, progress=tell)
    found = ranker.scores_.frame.select("column", "value", "lo", "hi", "null", "card", "kind", "verdict")
    if json:
        show.as_json(show.records(found))
        return
    show.ranking(ranker.scores_, top)
    derived = found.filter(pl.col("kind") == "transform")
    show.conclude(f"{len(derived):,} transformations of preset {preset!r} ranked beside the columns.")


def _write_grid(
    source: Any, target: list[str] | None, focus: list[str], seed: int, path: Path, how: dict[str, Any]
) -> str:
    """Write the grid; says what is in it."""
    from salience.data.plan import plan
    from salience.results.storage import written_beside
    from salience.tabular.transforms import pilot_statistics, transformation_json

    planned = plan(source, target, seed=seed, **how)
    chosen = [column for column in planned.columns if not focus or column.name in focus]
    numbers = [column.name for column in chosen if column.kind == "number"]
    text = transformation_json(pilot_statistics(source, planned, numbers), [column.name for column in chosen])
    with written_beside(path) as beside:
        beside.write_text(text, encoding="utf-8")
    return f"{path}: candidates for a search over {len(chosen)} columns, {len(numbers)} of them numbers."


def _show_bins(
    source: Any,
    label: str,
    focus: list[str],
    threads: int,
    seed: int,
    top: int,
    json: bool,
    how: dict[str, Any],
) -> None:
    """Bins chosen for the label, and what they tell about it."""
    import polars as pl

    from salience.cli import show
    from salience.report.words import number
    from salience.tabular.transforms import supervised_bins

    settings: dict[str, Any] = {"n_jobs": threads, "seed": seed, **how}
    with show.progress("counting") as tell:
        found = supervised_bins(source, label, columns=focus or None, progress=tell, **settings)
    if json:
        show.as_json(show.records(found))
        return
    edges = [", ".join(number(edge, 4) for edge in row) for row in found["edges"]]
    show.frame(
        found.select("column", score="value", se="se", bins="bins").with_columns(pl.Series("edges", edges)),
        top,
    )
    show.conclude("Edges were chosen on one half of the rows (MDLP); the score is of the other.")


def evolve(
    source: o.Source,
    target: o.Target = None,
    reference: Annotated[Path | None, typer.Option(help="JSON of the model to start from.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Most features that are added.")] = 20,
    order: Annotated[int, typer.Option(min=1, max=3, help="Most columns a feature combines.")] = 2,
    heuristic: Annotated[str, typer.Option(help="Model: surrogate-SGD, surrogate-LR, ...")] = "surrogate-SGD",
    rows: Annotated[int, typer.Option(min=100, help="Rows of the source to use.")] = 50_000,
    format: o.Format = None,
    read_as: o.As = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the grown model there, as JSON.")
    ] = None,
    threads: o.Threads = 2,
    seed: o.Seed = 0,
    json: o.Json = False,
) -> None:
    """Grow a model feature by feature: add what saves most log loss, stop when nothing does."""
    from salience.cli import show
    from salience.cli.judging import read_planned
    from salience.cli.rank import open_table
    from salience.tabular.evolution import evolve as grow

    if not target:
        raise ValueError("a model is grown to predict a label; name it: --target COLUMN")
    opened = open_table(source, format=format, label=target)
    frame = read_planned(opened, target[0], rows, seed, o.declared(read_as, opened.columns))
    settings: dict[str, Any] = {
        "rounds": rounds,
        "order": order,
        "heuristic": heuristic,
        "seed": seed,
        "n_jobs": threads,
    }

    def tell(one: object) -> None:
        added, gain = " x ".join(one.added), one.gain  # type: ignore[attr-defined]
        show.say(f"{one.number}: + {added} saves {gain:.4g} nats")  # type: ignore[attr-defined]

    grown = grow(frame, target[0], reference=reference, progress=tell, **settings)
    if output is not None:
        from salience.results.storage import written_beside

        with written_beside(output) as beside:
            beside.write_text(grown.reference.to_json(), encoding="utf-8")
    if json:
        show.as_json(show.records(grown.scores.frame))
    else:
        found = grown.scores.frame.select(feature="column", saves="value", se="se", log_loss="log_loss")
        show.frame(found, len(found), empty="Nothing saves log loss on rows held out.")
    added = f"{len(grown.rounds)} feature{'' if len(grown.rounds) == 1 else 's'} added"
    show.conclude_unless(json, f"{added}; {grown.stopped}" + (f". Model: {output}" if output else ""))
