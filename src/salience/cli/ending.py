"""How a command ends that found something: its report is written, then it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from salience.cli import show

if TYPE_CHECKING:
    import polars as pl

    from salience.runs.writer import RunWriter
    from salience.verify.verdict import Verdict


def tabled(run: RunWriter, name: str, title: str, frame: pl.DataFrame) -> None:
    """Write a table into the run and have its report show it."""
    run.write_frame(name, frame)
    run.info.setdefault("tables", []).append({"file": f"{name}.parquet", "title": title})


def told(run: RunWriter, title: str, said: Sequence[str], report: bool) -> None:
    """Keep in the run what it comes to, and write its report if one is wanted.

    Parameters
    ----------
    run : RunWriter
        With everything else in it.
    title : str
    said : sequence of str
        Sentences.
    report : bool
    """
    from salience.report import render

    run.info["title"], run.info["summary"] = title, list(said)
    if report:
        run.write_text("report.html", render(run.view()))


def shown(
    run: RunWriter,
    found: pl.DataFrame,
    columns: Sequence[str],
    top: int,
    said: Sequence[str],
    *,
    json: bool,
    verdict: Verdict | None = None,
) -> None:
    """Show a finished run: remarks, the table or its JSON, the verdict, the files, the sentences.

    Parameters
    ----------
    run : RunWriter
    found : polars.DataFrame
        Best first. JSON has all of it.
    columns : sequence of str
        Shown in the table where `found` has them.
    top : int
    said : sequence of str
    json : bool
    verdict : Verdict, optional
    """
    show.notes(run.info["notes"])
    if json:
        show.as_json(show.records(found))
    else:
        show.frame(found.select([name for name in columns if name in found.columns]), top)
        if verdict is not None:
            show.verdict(verdict)
    show.files(run.path)
    show.conclude_unless(json, *said)
