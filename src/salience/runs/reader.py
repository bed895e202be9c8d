"""A finished run, read back."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from salience.results.checksums import check, read_json

if TYPE_CHECKING:
    import polars as pl

    from salience.results import Scores
    from salience.verify.verdict import Verdict

__all__ = ["FORMAT", "Run", "partial_of"]

FORMAT = 2  # of the files of a run; another one is refused
AGAIN = "make the run again"
REPAIRED_BY = {"verdict.json": "remove it, or judge the run again with `salience verify`"}


class Run:
    """A finished run, read back. Files are read when asked for; one that the run does not have is None.

    Attributes
    ----------
    path : Path
    info : dict
        The content of ``run.json``.
    command, options, versions, notes, seconds, seed
        Parts of it, by name.
    scores, pairs, pair_columns, redundancy, order_3mr : Scores or None
    audit : polars.DataFrame or None
    plan : dict or None
    verdict : Verdict or None

    Examples
    --------
    >>> Run.open("/nowhere")
    Traceback (most recent call last):
    ValueError: there is no run at /nowhere...
    """

    def __init__(self, path: Path, info: dict[str, Any]) -> None:
        self.path, self.info = path, info

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Run:
        """Open a run folder (or any file inside one).

        Raises
        ------
        ValueError
            There is nothing there, it is not a run, it is unfinished or damaged, or another version of salience
            wrote it.
        """
        folder = Path(path)
        if folder.is_file() and (folder.parent / "run.json").is_file():
            folder = folder.parent
        if partial_of(folder).is_dir() and not folder.exists():
            raise ValueError(f"{folder} is unfinished ({partial_of(folder).name}); finish it with --resume")
        if not folder.exists():
            raise ValueError(f"there is no run at {folder}; runs here: {_runs_beside(folder) or 'none'}")
        if folder.name.endswith(".partial"):
            raise ValueError(f"{folder} is an unfinished run; finish it with --resume, or read its log.txt")
        if not (folder / "run.json").is_file():
            raise ValueError(
                f"{folder} is not a run folder: it has no run.json (`salience rank` writes run folders)"
            )
        return cls(folder, read_info(folder))

    def file(self, name: str) -> Path | None:
        """The path of a file of the run, None when the run has no such file."""
        path = self.path / name
        return path if path.is_file() else None

    def checked(self, name: str) -> Path | None:
        """The path of a file that is read back, once its checksum is found right.

        Raises
        ------
        ValueError
            The file is damaged.
        """
        path = self.file(name)
        if path is not None:
            check(path, REPAIRED_BY.get(name, AGAIN))
        return path

    def read_scores(self, name: str) -> Scores | None:
        """Read ``NAME.parquet`` as `Scores`."""
        from salience.results import Scores

        path = self.checked(f"{name}.parquet")
        return None if path is None else Scores.load(path)

    def read_frame(self, name: str) -> pl.DataFrame | None:
        """Read ``NAME.parquet`` as a polars frame."""
        import polars as pl

        path = self.checked(f"{name}.parquet")
        return None if path is None else pl.read_parquet(path)

    def read_json(self, name: str) -> dict[str, Any] | None:
        """Read ``NAME.json``."""
        path = self.file(f"{name}.json")
        return None if path is None else read_json(path, AGAIN)

    scores = cached_property(lambda self: self.read_scores("scores"))
    pairs = cached_property(lambda self: self.read_scores("pairs"))
    pair_columns = cached_property(lambda self: self.read_scores("pair_columns"))
    redundancy = cached_property(lambda self: self.read_scores("redundancy"))
    order_3mr = cached_property(lambda self: self.read_scores("order_3mr"))
    audit = cached_property(lambda self: self.read_frame("audit"))
    plan = cached_property(lambda self: self.read_json("plan"))

    @cached_property
    def verdict(self) -> Verdict | None:
        """Does the ranking hold up: the checks of ``verdict.json``."""
        from salience.verify.verdict import Verdict

        path = self.checked("verdict.json")
        return None if path is None else Verdict.from_json(path)

    command = property(lambda self: self.info.get("command"))
    options = property(lambda self: self.info.get("options", {}))
    versions = property(lambda self: self.info.get("versions", {}))
    notes = property(lambda self: self.info.get("notes", []))
    seconds = property(lambda self: self.info.get("seconds"))
    seed = property(lambda self: self.options.get("seed"))

    def __repr__(self) -> str:
        return f"<Run {self.command} {self.path}>"


def read_info(folder: Path, again: str = AGAIN) -> dict[str, Any]:
    """The content of the ``run.json`` of a run, finished or not; `again` says what to do when it cannot be read.

    Raises
    ------
    ValueError
        It is damaged, or another version of salience wrote it.
    """
    return read_json(folder / "run.json", again, version=("salience_run", FORMAT))


def partial_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.partial")


def _runs_beside(path: Path) -> str:
    parent = path.parent
    return ", ".join(sorted(p.parent.name for p in parent.glob("*/run.json"))) if parent.is_dir() else ""
