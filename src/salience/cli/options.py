"""Options that several commands share, so that one name means one thing everywhere."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated, Any

import typer

DATA = "Data"
MEASURE = "Measure"
WHAT = "What is ranked"
OUT = "Output"
MACHINE = "Machine"

Source = Annotated[
    str,
    typer.Argument(
        help="File, folder, glob, or - for stdin: Parquet, Arrow, CSV, TSV, NDJSON, VW, svmlight."
    ),
]
Target = Annotated[
    list[str] | None,
    typer.Option("--target", "-t", help="Label column; repeat for several.", rich_help_panel=DATA),
]
Format = Annotated[
    str | None, typer.Option(help="Format, when the name does not tell.", rich_help_panel=DATA)
]
Delimiter = Annotated[str | None, typer.Option(help="Field separator of CSV.", rich_help_panel=DATA)]
Encoding = Annotated[str | None, typer.Option(help="Text encoding, if not UTF-8.", rich_help_panel=DATA)]
Missing = Annotated[
    list[str] | None,
    typer.Option(
        help="Text that stands for a missing value; repeat. Default: empty and {}.", rich_help_panel=DATA
    ),
]
Seed = Annotated[int, typer.Option(help="Seed of everything random.", rich_help_panel=MACHINE)]
Threads = Annotated[int, typer.Option(min=1, help="Threads.", rich_help_panel=MACHINE)]
Memory = Annotated[str, typer.Option(help="What the whole process may use.", rich_help_panel=MACHINE)]
Output = Annotated[
    Path, typer.Option("--output", "-o", help="Folder that holds the runs.", rich_help_panel=OUT)
]
Name = Annotated[
    str | None, typer.Option(help="Name of the run. Default: from the source.", rich_help_panel=OUT)
]
Force = Annotated[bool, typer.Option("--force", help="Replace a run of that name.", rich_help_panel=OUT)]
Top = Annotated[int, typer.Option(min=1, help="Rows of the table that is shown.", rich_help_panel=OUT)]
Json = Annotated[bool, typer.Option("--json", help="JSON on stdout instead of a table.", rich_help_panel=OUT)]
Report = Annotated[bool, typer.Option("--report/--no-report", help="Write report.html.", rich_help_panel=OUT)]
Strict = Annotated[
    bool, typer.Option("--strict", help="Exit with 1 unless the verdict is 'holds'.", rich_help_panel=OUT)
]
Estimator = Annotated[
    str, typer.Option(help="Model that judges: logistic, forest, lightgbm.", rich_help_panel=MEASURE)
]


def load_options(ctx: typer.Context, file: Path | None) -> Path | None:
    """Callback of ``--options``: what the file says becomes the default, so the command line still wins."""
    if file is not None:
        from salience.runs.options import read_options

        names = [p.name for p in ctx.command.params if p.name not in ("options", "source")]
        given = read_options(file, [*names, *_aliases(ctx)])
        ctx.default_map = {
            **(ctx.default_map or {}),
            **{_aliases(ctx).get(k, k): v for k, v in given.items()},
        }
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
