"""``generate``: data with a planted truth."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import typer

from salience.cli import options as o


def generate(
    recipe: Annotated[
        str, typer.Argument(help="naive, needle, triple, xor, categorical-classification, ctr, automl.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write: .parquet or .csv.")],
    rows: Annotated[int, typer.Option(min=1, help="How many rows.")] = 100_000,
    set: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE of the recipe, e.g. columns=300; repeat.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file.")] = False,
    seed: o.Seed = 0,
) -> None:
    """Write data in which it is known what matters."""
    from salience.cli import show
    from salience.data.generators import RECIPES, write

    if recipe not in RECIPES:
        raise ValueError(f"there is no recipe {recipe!r}; there are {', '.join(RECIPES)}")
    if output.exists() and not force:
        raise ValueError(f"{output} exists; --force replaces it")
    if not output.parent.is_dir():
        raise ValueError(f"there is no folder {output.parent}; make it or choose another --output")
    planted = RECIPES[recipe](**_settings(RECIPES[recipe], set or []))
    write(planted, output, rows, seed=seed)
    truth = ", ".join(" x ".join(names) for names in planted.truth)
    show.conclude(f"{output}: {rows:,} rows. Label {planted.label}, planted truth: {truth}.")


def _settings(recipe: type, given: list[str]) -> dict[str, object]:
    """Parse NAME=VALUE by the type of the recipe's own default."""
    fields: dict[str, Any] = {field.name: field.default for field in dataclasses.fields(recipe)}
    settings: dict[str, object] = {}
    for one in given:
        name, equals, text = one.partition("=")
        if not equals or name not in fields:
            raise ValueError(f"--set {one}: write NAME=VALUE with a name out of {', '.join(fields)}")
        kind = type(fields[name])
        try:
            settings[name] = tuple(text.split(",")) if kind is tuple else kind(text)
        except (TypeError, ValueError):
            raise ValueError(f"--set {one}: {name} is a {kind.__name__} such as {fields[name]!r}") from None
    return settings
