"""``automl-demo``: what a ranking saves a search for a model."""

from __future__ import annotations

from typing import Annotated

import typer

from salience.cli import options as o


def automl_demo(
    columns: Annotated[int, typer.Option(min=81, max=500, help="Columns of the made data.")] = 90,
    rows: Annotated[int, typer.Option(min=1000, help="Rows of the made data.")] = 6000,
    singles: Annotated[int, typer.Option(min=1, help="Columns of the shortlist.")] = 10,
    pairs: Annotated[int, typer.Option(min=1, help="Pairs of the shortlist.")] = 20,
    steps: Annotated[int, typer.Option(min=1, help="Features that are chosen at most.")] = 4,
    threads: o.Threads = 2,
    seed: o.Seed = 0,
    json: o.Json = False,
) -> None:
    """Search for a model among all columns and pairs, and among a shortlist of salience's ranking."""
    from itertools import combinations

    from salience.cli import show
    from salience.data.generators import AutoML, generate
    from salience.stages import Stages
    from salience.tabular.streaming.forward import ForwardSearch, shortlist
    from salience.tabular.streaming.reference import candidate_name

    planted = generate(AutoML(columns=columns, largest=500, world=seed), rows, seed=seed)
    search = ForwardSearch(planted.frame, planted.label, bits=16, threads=threads)
    names = planted.features
    stages = Stages()
    with stages("shortlist"):  # ranked on the rows that the models fit
        listed = shortlist(planted.frame.head(search.cuts[0]), planted.label, singles, pairs)
    spaces = {"everything": [*((name,) for name in names), *combinations(names, 2)], "shortlist": listed}
    found = {}
    for name, space in spaces.items():
        show.say(f"searching {name}: {len(space):,} candidates, {steps} steps ...")
        with stages(name):
            found[name] = search.run(space, steps)
    shown = [
        {
            "search": name,
            "candidates": len(spaces[name]),
            "fits": one.fits,
            "seconds": round(stages.seconds[name], 2),
            "log_loss": round(one.loss, 4),
            "features": ", ".join(candidate_name(feature) for feature in one.chosen),
        }
        for name, one in found.items()
    ]
    if json:
        show.as_json(shown)
    else:
        show.rows([{name: _written(value) for name, value in row.items()} for row in shown])
    everything, short = found["everything"], found["shortlist"]
    truth = ", ".join(" x ".join(feature) for feature in planted.truth)
    show.conclude_unless(
        json,
        f"The shortlist takes {short.fits / everything.fits:.1%} of the fits, its log loss on rows nobody looked at is "
        f"{short.loss:.4f} against {everything.loss:.4f}. Planted: {truth}.",
    )


def _written(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
