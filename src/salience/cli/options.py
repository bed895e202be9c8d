"""Options that several commands share, so that one name means one thing everywhere."""

from __future__ import annotations

import csv
import os
from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

# Options of one panel of the help.
data, measure, what, out, machine = (
    partial(typer.Option, rich_help_panel=panel)
    for panel in ("Data", "Measure", "What is ranked", "Output", "Machine")
)

Source = Annotated[
    str,
    typer.Argument(
        help="File, folder, glob, or - for stdin: Parquet, Arrow, CSV, TSV, NDJSON, VW, svmlight."
    ),
]
Target = Annotated[list[str] | None, data("--target", "-t", help="Label column; repeat for several.")]
Format = Annotated[str | None, data(help="Format, when the name does not tell.")]
Delimiter = Annotated[str | None, data(help="Field separator of CSV.")]
Encoding = Annotated[str | None, data(help="Text encoding, if not UTF-8.")]
Missing = Annotated[
    list[str] | None, data(help="Text that stands for a missing value; repeat. Default: empty and {}.")
]
As = Annotated[
    list[str] | None,
    data("--as", help="Read a column as text, number or time: KIND:COLUMN, as in text:zip; repeat."),
]
Seed = Annotated[int, machine(help="Seed of everything random.")]
Threads = Annotated[int, machine(min=1, help="Threads.")]
Memory = Annotated[str, machine(help="What the whole process may use.")]
Output = Annotated[Path, out("--output", "-o", help="Folder that holds the runs.")]
Name = Annotated[str | None, out(help="Name of the run. Default: from the source.")]
Force = Annotated[bool, out("--force", help="Replace a run (or a file) of that name.")]
Top = Annotated[int, out(min=1, help="Rows of the table that is shown.")]
Json = Annotated[bool, out("--json", help="JSON on stdout instead of a table.")]
Report = Annotated[bool, out("--report/--no-report", help="Write report.html.")]
Strict = Annotated[bool, out("--strict", help="Exit with 1 unless the verdict is 'holds'.")]
Estimator = Annotated[str, measure(help="Model that judges: logistic, ridge, forest, lightgbm.")]


def load_options(ctx: typer.Context, file: Path | None) -> Path | None:
    """Callback of ``--options``: what the file says becomes the default, so the command line still wins."""
    if file is not None:
        from salience.runs.options import read_options

        parameters = {p.name: p for p in ctx.command.params if p.name not in ("options", "source")}
        aliases = _aliases(ctx)
        given = {
            aliases.get(name, name): value
            for name, value in read_options(file, [*dict.fromkeys((*parameters, *aliases))]).items()
        }
        for name, value in given.items():
            if getattr(parameters[name], "multiple", False) and not isinstance(value, list):
                given[name] = [value]  # one label needs no brackets
        ctx.default_map = {**(ctx.default_map or {}), **given}
    return file


def _aliases(ctx: Any) -> dict[str, str]:
    """What a parameter is called on the command line, if not by its own name ("3mr" for order_3mr)."""
    written = {}
    for parameter in ctx.command.params:
        for option in getattr(parameter, "opts", []):
            if option.startswith("--"):
                written[option[2:].replace("-", "_")] = parameter.name
    return written


OptionsFile = Annotated[
    Path | None,
    typer.Option(
        "--options", help="TOML file with any of these options.", callback=load_options, is_eager=True
    ),
]


def split_names(given: list[str] | None) -> list[str]:
    """Column names from repeated options; commas separate, quotes keep a name with a comma together.

    Examples
    --------
    >>> split_names(["a,b", '"c,d"'])
    ['a', 'b', 'c,d']
    """
    return [name.strip() for row in csv.reader(given or []) for name in row if name.strip()]


def declared(given: list[str] | None, columns: Collection[str]) -> dict[str, dict[str, str]]:
    """What ``--as`` says of columns, as a plan takes it.

    Examples
    --------
    >>> declared(["text:zip", "number:from:to"], ["zip", "from:to"])
    {'zip': {'kind': 'text'}, 'from:to': {'kind': 'number'}}
    """
    from salience.data.readers.source import near

    kinds = ("text", "number", "time")
    said: dict[str, dict[str, str]] = {}
    for one in given or []:
        kind, _, name = one.partition(":")
        if not name:
            raise ValueError(f"--as {one}: write KIND:COLUMN, for instance text:zip")
        if kind == "list":
            raise ValueError(f"--as {one}: lists are named by --multivalue of `salience rank`")
        if kind not in kinds:
            raise ValueError(f"--as {one}: there is no kind {near(kind, kinds)}")
        if name not in columns:
            raise ValueError(f"--as {one}: there is no column {near(name, columns)}")
        if said.setdefault(name, {"kind": kind})["kind"] != kind:
            raise ValueError(f"--as says that {name!r} is {said[name]['kind']} and that it is {kind}")
    return said


def one_label(target: list[str] | None, why: str) -> str:
    """The one label of a command that takes no more.

    Examples
    --------
    >>> one_label(["click"], "something is predicted")
    'click'
    """
    if not target:
        raise ValueError(f"{why}; name it: --target COLUMN")
    if len(target) > 1:
        raise ValueError(f"--target names one label here, not {len(target)}: {', '.join(target)}")
    return target[0]


def check_strict(strict: bool, verify: bool) -> None:
    """``--strict`` of a command that judges unless it is told not to."""
    if strict and not verify:
        raise ValueError("--strict judges the verdict: leave out --no-verify")


def check_new(path: Path, force: bool) -> None:
    """A file can be written there, and takes nothing away that was not given up by ``--force``."""
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise ValueError(f"{path}: {path.parent} is no folder that can be written to")
    if path.exists() and not force:
        raise ValueError(f"{path} exists; --force replaces it")


def run_folder(output: Path, name: str | None, source: str) -> Path:
    """Where a run goes: OUTPUT/NAME, the name taken from the source when none is given.

    Examples
    --------
    >>> run_folder(Path("runs"), None, "data/clicks.csv.gz").as_posix()
    'runs/clicks'
    """
    if name is not None and (name in ("", ".", "..") or "/" in name or name.endswith(".partial")):
        raise ValueError(f"--name is one folder name, without / and not ending in .partial; got {name!r}")
    stem = Path(source.rstrip("/*")).name.partition(".")[0] if source != "-" else "stdin"
    return output / (name or "".join(c if c.isalnum() or c in "-_ " else "_" for c in stem) or "run")
