"""Put the sections of a run into one HTML file that needs nothing else."""

from __future__ import annotations

import os
import re
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from salience.report.sections import SECTIONS, label_of
from salience.report.words import interval, number, plural
from salience.results.storage import written_beside
from salience.runs.reader import Run

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["render", "write_report"]


def render(run: Run) -> str:
    """Render a run as one HTML page: style, script and pictures inside, nothing fetched.

    Parameters
    ----------
    run : Run
        A finished run, or the view of one being written (`RunWriter.view`). Sections appear for the files
        it has.

    Returns
    -------
    str
        HTML, below two megabytes.

    Examples
    --------
    >>> import tempfile
    >>> page = render(Run(Path(tempfile.mkdtemp()), {"command": "rank", "options": {"target": "<click>"}}))
    >>> "&lt;click&gt;" in page, "<script src" in page
    (True, False)
    """
    built = [(section, content) for section in SECTIONS if (content := section.build(run)) is not None]
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            run=run,
            label=label_of(run),
            source=run.options.get("source"),
            sections=built,
            style=_asset("report.css"),
            script=_asset("report.js"),
        )
    )


def write_report(run: Run, path: str | os.PathLike[str] | None = None) -> Path:
    """Write the report of a run, beside and then renamed.

    Parameters
    ----------
    run : Run
    path : path-like, optional
        Default: ``report.html`` in the run folder.

    Returns
    -------
    Path

    Raises
    ------
    OSError
        When it cannot be written.
    """
    target, text = Path(path or run.path / "report.html"), render(run)
    with written_beside(target) as beside:
        beside.write_text(text, encoding="utf-8")
    return target


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("salience.report"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters.update(number=number, plural=plural, bare=_bare, soft=_soft)
    environment.globals.update(interval=interval)
    return environment


@cache
def _asset(name: str) -> Any:
    from markupsafe import Markup

    return Markup((files("salience.report") / "templates" / name).read_text(encoding="utf-8"))


def _bare(value: Any) -> str:
    """A value for sorting by the script: the number itself, or nothing."""
    return (
        "" if value is None or value != value else f"{value:.10g}" if isinstance(value, float) else str(value)
    )


def _soft(name: Any) -> Any:
    """A long name that may break after its separators, and shows a newline as a sign."""
    from markupsafe import Markup, escape

    return Markup(re.sub(r"([_./:-])(?=\w)", r"\1<wbr>", str(escape(str(name).replace("\n", "⏎")))))
