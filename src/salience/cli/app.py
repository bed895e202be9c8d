"""The command ``salience`` and the list of its commands; nothing heavy is imported before a command runs."""

from __future__ import annotations

from typing import Annotated

import typer

from salience.cli import (
    automl,
    choose,
    data,
    distil,
    explain,
    explore,
    index,
    interactions,
    labels,
    quality,
    rank,
    runs,
    select,
    selftest,
    shrink,
    summarize,
)
from salience.cli.errors import Commands

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Which features matter, and does the ranking hold up?",
    epilog="A first look: [b]salience demo[/b]. Your own data: [b]salience rank FILE --target COLUMN[/b]. "
    "Any command takes --debug to show where an error came from.",
)

RANKING, ROWS, RUNS, DATA = "Rank", "Rows, texts, vectors", "Look at runs", "Data"

app.command(rich_help_panel=RANKING)(rank.rank)
app.command(rich_help_panel=RANKING)(rank.merge)
app.command(rich_help_panel=RANKING)(select.select)
app.command(rich_help_panel=RANKING)(interactions.interactions)
app.command(rich_help_panel=RANKING)(explain.explain)
app.command(rich_help_panel=ROWS)(summarize.summarize)
app.command(rich_help_panel=ROWS)(choose.choose)
app.command(rich_help_panel=ROWS)(shrink.shrink)
app.command(rich_help_panel=ROWS)(labels.labels)
app.command(rich_help_panel=ROWS)(distil.distil)
app.command(rich_help_panel=ROWS)(index.index)
app.command(rich_help_panel=RANKING)(explore.transforms)
app.command(rich_help_panel=RANKING)(explore.evolve)
app.command(rich_help_panel=RANKING)(rank.demo)
app.command(rich_help_panel=RANKING)(automl.automl_demo)
app.command(rich_help_panel=RUNS)(runs.verify)
app.command(rich_help_panel=RUNS)(runs.report)
app.command(rich_help_panel=RUNS)(runs.summary)
app.command(rich_help_panel=RUNS)(runs.plot)
app.command(rich_help_panel=RUNS)(runs.methods)
app.command(rich_help_panel=DATA)(quality.audit)
app.command(rich_help_panel=DATA)(quality.profile)
app.command(rich_help_panel=DATA)(quality.rare)
app.command(rich_help_panel=DATA)(quality.rows)
app.command(rich_help_panel=DATA)(quality.compare)
app.command(rich_help_panel=DATA)(data.generate)
app.command(rich_help_panel=DATA)(selftest.selftest)


def _say_version(wanted: bool) -> None:
    if wanted:
        from salience import __version__

        typer.echo(f"salience {__version__}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_say_version),
    ] = False,
) -> None:
    """Which features matter, and does the ranking hold up?"""
