"""A run folder, being written: complete at the end, or not there at all."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import platform
import resource
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

from salience import __version__
from salience.results.checksums import ROOM, with_room
from salience.results.storage import plain_errors, save_frame, sync
from salience.runs.disk import jsonable, write_whole
from salience.runs.partial import emptied, has_files, owned, without_halves
from salience.runs.reader import FORMAT, Run, partial_of, read_info
from salience.runs.visible import visible
from salience.stopping import uninterrupted

if TYPE_CHECKING:
    import polars as pl

    from salience.results import Scores

__all__ = ["RunWriter", "versions"]

ELSEWHERE = "choose another folder with --output"
VERSIONED = ("numpy", "scipy", "polars", "pyarrow", "numba", "scikit-learn")
# All other options must be the same when an interrupted run is taken up: its halves answer one question.
FREE_TO_CHANGE = frozenset(
    {
        "resume",
        "force",
        "name",
        "threads",
        "top",
        "json",
        "tsv",
        "report",
        "strict",
        "options",
        "checkpoint_every",
    }
)


class RunWriter:
    """Write one run folder, as a context manager: complete at the end of the block, or not there at all.

    Parameters
    ----------
    path : path-like
        The folder the run will have. An existing run is never overwritten: the name gets ``-2``, ``-3``, ...
    command : str
        The command, ``"rank"``.
    options : mapping
        What it was asked with (JSON-able; paths become text). Recorded in ``run.json``.
    force : bool
        Replace an existing run of that name; the old one goes only once the new one is complete.
    resume : bool
        Take up ``NAME.partial``, which must have the same options: from its checkpoint, or from the start when it
        was killed before the first one.
    argv : sequence of str, optional
        The exact command line, for "how to repeat it".

    Raises
    ------
    ValueError
        Nothing to resume, or other options than the run began with.
    OSError
        The folder cannot be written, or the disk is full; the message says which and what to do. What was
        half-written is removed, unless there is a checkpoint to go on from.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> for _ in range(2):
    ...     with RunWriter(folder / "clicks", "rank", {"target": "click"}) as run:
    ...         _ = run.write_json("plan", {"rows": 3})
    >>> sorted(p.name for p in folder.iterdir())
    ['clicks', 'clicks-2']
    >>> Run.open(folder / "clicks").plan
    {'rows': 3}
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        command: str,
        options: Mapping[str, Any],
        *,
        force: bool = False,
        resume: bool = False,
        argv: Sequence[str] | None = None,
    ) -> None:
        self.wanted = Path(path)
        self.force, self.resume = force, resume
        self.info: dict[str, Any] = {
            "salience_run": FORMAT,
            "command": command,
            "command_line": shlex.join(argv) if argv else None,
            "options": jsonable(dict(options)),
            "versions": versions(),
            "machine": {"system": platform.platform(), "cpus": os.cpu_count()},
            "started": None,
            "seconds": None,
            "status": "running",
            "notes": [],
        }
        self._made_parents: list[Path] = []

    @property
    def checkpoint(self) -> Path:
        """The folder for the scan's checkpoint; it goes when the run is complete."""
        return self.partial / "checkpoint"

    def __enter__(self) -> RunWriter:
        if self.wanted.name in ("", ".."):
            raise ValueError(
                f"a run needs a name of its own: {str(self.wanted)!r} is not one; use --name NAME"
            )
        self._begin = time.monotonic()
        self.info["started"] = datetime.now(UTC).isoformat(timespec="seconds")
        with plain_errors(self.wanted, ELSEWHERE):
            self.path, self._log = self._take_up() if self.resume else self._claim()
            self.partial = partial_of(self.path)
        try:
            self.log(
                f"{'resume' if self.resume else 'start'}: {self.info['command_line'] or self.info['command']}"
            )
            self.note(*self._passed_by())
            self._write_info()
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            try:
                with uninterrupted():
                    self._finish()
            except BaseException as late:
                self._abandon(late)
                raise
        else:
            self._abandon(error)

    # -- writing -----------------------------------------------------------------------------------------

    def write_scores(self, name: str, scores: Scores) -> Path:
        """Write ``NAME.parquet`` through `Scores.save`."""
        return self._write(f"{name}.parquet", scores.save)

    def write_frame(self, name: str, frame: pl.DataFrame) -> Path:
        """Write a plain polars frame as ``NAME.parquet``."""
        return self._write(f"{name}.parquet", lambda path: save_frame(path, frame))

    def write_json(self, name: str, value: Any) -> Path:
        """Write ``NAME.json`` with a checksum; text is taken to be JSON already (``Plan.to_json()``)."""
        text = value if isinstance(value, str) else json.dumps(jsonable(value), indent=1, ensure_ascii=False)
        return self._write(
            f"{name}.json", lambda path: path.write_text(with_room(text), "utf-8"), sealed=True
        )

    def write_picture(self, name: str, svg: str) -> Path:
        """Write ``NAME.svg`` with a checksum."""
        text = f"{svg}<!-- {ROOM} -->\n"
        return self._write(f"{name}.svg", lambda path: path.write_text(text, "utf-8"), sealed=True)

    def write_text(self, filename: str, text: str) -> Path:
        """Write a text file under its full name, as UTF-8."""
        return self._write(filename, lambda path: path.write_text(text, encoding="utf-8"))

    def log(self, line: str) -> None:
        """Append one line with the time of day to ``log.txt``."""
        with plain_errors(self.partial / "log.txt", ELSEWHERE):
            self._log.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {visible(line)}\n")
            self._log.flush()

    def note(self, *notes: str) -> None:
        """Keep remarks a reader of the run should see; they go to ``run.json``, the log and the report."""
        self.info["notes"].extend(notes)
        for line in notes:
            self.log(line)

    def view(self) -> Run:
        """The run as it stands, to render the report of while it is still being written."""
        return Run(self.partial, dict(self.info, seconds=time.monotonic() - self._begin, status="complete"))

    def _write(self, filename: str, write: Callable[[Path], Any], *, sealed: bool = False) -> Path:
        with plain_errors(self.partial / filename, ELSEWHERE):
            return write_whole(self.partial / filename, write, sealed=sealed)

    def _write_info(self) -> None:
        self.write_json("run", self.info)

    # -- the folder's life -------------------------------------------------------------------------------

    def _claim(self) -> tuple[Path, TextIO]:
        """The first free name, and the open log of its partial folder, which is the lock."""
        missing = [p for p in (self.wanted.parent, *self.wanted.parent.parents) if not p.exists()]
        self.wanted.parent.mkdir(parents=True, exist_ok=True)
        self._made_parents = missing
        for number in itertools.count(1):
            path = self.wanted if number == 1 else self.wanted.with_name(f"{self.wanted.name}-{number}")
            if path.exists() and not self.force:
                continue
            if path.exists() and not (path / "run.json").is_file():
                raise ValueError(f"--force replaces runs only, and {path} is not one; choose another --name")
            partial = partial_of(path)
            if (log := owned(partial, replace=self.force)) is None:
                continue
            if has_files(partial / "checkpoint") and not self.force:
                log.close()
                continue
            emptied(partial, log)  # of a run that was killed before its first checkpoint
            return path, log
        raise AssertionError("numbers do not end")

    def _take_up(self) -> tuple[Path, TextIO]:
        path = self.wanted
        if path.name.endswith(".partial"):
            path = path.with_name(path.name.removesuffix(".partial"))
        partial = partial_of(path)
        if not partial.is_dir():
            done = f"{path} is complete" if path.exists() else f"{partial} is not there"
            others = sorted(p.name for p in path.parent.glob("*.partial")) if path.parent.is_dir() else []
            hint = f"; interrupted runs here: {', '.join(others)}" if others else ""
            raise ValueError(f"nothing to resume: {done}{hint}; leave out --resume to start a new run")
        if (log := owned(partial, replace=True)) is None:
            raise ValueError(
                f"{partial} is being written by another process; wait for it or choose another --name"
            )
        try:
            without_halves(partial)
            if (partial / "run.json").exists():  # a kill may have come before it
                self._same_options(read_info(partial, "start again: give --force, leave out --resume"))
        except BaseException:
            log.close()
            raise
        return path, log

    def _same_options(self, began: Mapping[str, Any]) -> None:
        before, now = began.get("options", {}), self.info["options"]
        changed = [k for k in sorted({*before, *now} - FREE_TO_CHANGE) if before.get(k) != now.get(k)]
        if changed:
            differences = "; ".join(f"{k} was {before.get(k)!r}, is now {now.get(k)!r}" for k in changed)
            raise ValueError(f"an interrupted run is resumed with the options it began with: {differences}")

    def _passed_by(self) -> list[str]:
        """What to do about an interrupted run that has the name that was wanted."""
        waiting = partial_of(self.wanted)
        if self.resume or self.path == self.wanted or not has_files(waiting / "checkpoint"):
            return []
        return [
            f"{waiting} is unfinished, so this run is {self.path.name}; --resume takes up the unfinished one, --force "
            "starts it anew"
        ]

    def _finish(self) -> None:
        self.info.update(status="complete", seconds=round(time.monotonic() - self._begin, 3))
        self.info["peak_memory_bytes"] = _peak_memory()
        self._write_info()
        self.log(f"complete after {self.info['seconds']} s")
        shutil.rmtree(self.checkpoint, ignore_errors=True)
        with plain_errors(self.path, ELSEWHERE):
            old = self.path.with_name(f".{self.path.name}.old")
            if self.path.exists():
                self.path.rename(old)
            self.partial.rename(self.path)
            sync(self.path.parent)
            shutil.rmtree(old, ignore_errors=True)
        self._log.close()

    def _abandon(self, error: BaseException) -> None:
        """Keep the folder only if it can be taken up: stopped or out of luck, not bad input."""
        with uninterrupted():  # an impatient second Ctrl-C must not take the hint away
            bad_input = isinstance(error, ValueError | TypeError)
            keep = not bad_input and (self.resume or has_files(self.checkpoint))
            try:
                if keep:
                    self.info.update(status="interrupted", seconds=round(time.monotonic() - self._begin, 3))
                    self.log(f"interrupted: {type(error).__name__}: {error}")
                    self._write_info()
            except OSError:
                pass  # a full disk must not hide the error that is already on its way
            finally:
                with contextlib.suppress(OSError):
                    self._log.close()
            if keep:
                named = f" --name {self.path.name}" if self.path.name != self.wanted.name else ""
                error.add_note(
                    f"{self.partial} keeps what was done: the same command with{named} --resume goes on"
                )
            elif not self.resume:
                shutil.rmtree(self.partial, ignore_errors=True)
                for folder in self._made_parents:
                    if folder.is_dir() and not any(folder.iterdir()):
                        folder.rmdir()


def _peak_memory() -> int:
    """The most that this process has used so far, bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # kilobytes everywhere but there


def versions() -> dict[str, str]:
    """The versions a result depends on: Python and the packages that compute.

    Examples
    --------
    >>> "python" in versions()
    True
    """
    found = {"python": platform.python_version(), "salience": __version__}
    for package in VERSIONED:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
