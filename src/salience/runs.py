"""The run folder: everything one command found out, in one place that is either complete or not there.

A run is written in ``NAME.partial``; every file in it is written beside, synced and renamed, and the folder
itself takes its final name only at the end. So whoever sees ``NAME`` sees a whole run, after a power cut too.

==================== =============================================================
``run.json``         command, options, versions, seconds, status, notes
``plan.json``        how the source was read: types, bins, label classes
``scores.parquet``   the ranking; ``pairs``, ``redundancy``, ``order_3mr``, ``audit`` likewise
``verdict.json``     does the ranking hold up
``report.html``      the same for the eye
``log.txt``          what happened, with the time of day
``checkpoint/``      only while unfinished: what ``--resume`` takes up
==================== =============================================================
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import platform
import re
import shlex
import shutil
import sys
import time
import tomllib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

    from salience.results import Scores
    from salience.verify.verdict import Verdict

__all__ = ["Run", "RunWriter", "read_options", "versions", "write_whole"]

FORMAT = 1
VERSIONED = ("salience", "numpy", "scipy", "polars", "pyarrow", "numba", "scikit-learn")
# All other options must be the same when an interrupted run is taken up: its halves answer one question.
FREE_TO_CHANGE = frozenset(
    {"resume", "force", "name", "threads", "top", "json", "report", "strict", "options"}
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
        Take up ``NAME.partial``, which must hold a checkpoint and the same options.
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
            "options": _jsonable(dict(options)),
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
        with _plain_errors(self.wanted):
            self.path = self._take_up() if self.resume else self._claim()
            self.partial = _partial(self.path)
            self._log = open(self.partial / "log.txt", "a", encoding="utf-8")
            self._lock()
        try:
            self.log(
                f"{'resume' if self.resume else 'start'}: {self.info['command_line'] or self.info['command']}"
            )
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
                self._finish()
            except BaseException as late:
                self._abandon(late)
                raise
        else:
            self._abandon(error)

    # -- writing -----------------------------------------------------------------------------------------

    def write_scores(self, name: str, scores: Scores) -> Path:
        """Write ``NAME.parquet`` through `Scores.save`."""
        return self._write(f"{name}.parquet", lambda path: scores.save(path))

    def write_frame(self, name: str, frame: pl.DataFrame) -> Path:
        """Write a plain polars frame as ``NAME.parquet``."""
        return self._write(f"{name}.parquet", lambda path: frame.write_parquet(path))

    def write_json(self, name: str, value: Any) -> Path:
        """Write ``NAME.json``; text is taken to be JSON already (``Plan.to_json()``)."""
        text = value if isinstance(value, str) else json.dumps(_jsonable(value), indent=1, ensure_ascii=False)
        return self.write_text(f"{name}.json", text)

    def write_text(self, filename: str, text: str) -> Path:
        """Write a text file under its full name, as UTF-8."""
        return self._write(filename, lambda path: path.write_text(text, encoding="utf-8"))

    def log(self, line: str) -> None:
        """Append one line with the time of day to ``log.txt``."""
        self._log.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {line}\n")
        self._log.flush()

    def note(self, *notes: str) -> None:
        """Keep remarks a reader of the run should see; they go to ``run.json``, the log and the report."""
        self.info["notes"].extend(notes)
        for line in notes:
            self.log(line)

    def view(self) -> Run:
        """The run as it stands, to render the report of while it is still being written."""
        return Run(self.partial, dict(self.info, seconds=time.monotonic() - self._begin, status="complete"))

    def _write(self, filename: str, write: Callable[[Path], Any]) -> Path:
        with _plain_errors(self.partial / filename):
            return write_whole(self.partial / filename, write)

    def _write_info(self) -> None:
        self.write_json("run", self.info)

    # -- the folder's life -------------------------------------------------------------------------------

    def _claim(self) -> Path:
        """Make the partial folder under the first free name; mkdir is what decides between two processes."""
        missing = [p for p in (self.wanted.parent, *self.wanted.parent.parents) if not p.exists()]
        self.wanted.parent.mkdir(parents=True, exist_ok=True)
        self._made_parents = missing
        number = 1
        while True:
            path = self.wanted if number == 1 else self.wanted.with_name(f"{self.wanted.name}-{number}")
            number += 1
            if self.force and _partial(path).is_dir() and not _is_being_written(_partial(path)):
                shutil.rmtree(_partial(path))
            if (path.exists() and not self.force) or _partial(path).exists():
                continue
            if path.exists() and not (path / "run.json").is_file():
                raise ValueError(f"--force replaces runs only, and {path} is not one; choose another --name")
            try:
                _partial(path).mkdir()
            except FileExistsError:
                continue
            return path

    def _take_up(self) -> Path:
        path = self.wanted
        if path.name.endswith(".partial"):
            path = path.with_name(path.name.removesuffix(".partial"))
        partial = _partial(path)
        if not partial.is_dir():
            done = f"{path} is complete" if path.exists() else f"{partial} is not there"
            others = sorted(p.name for p in path.parent.glob("*.partial")) if path.parent.is_dir() else []
            hint = f"; interrupted runs here: {', '.join(others)}" if others else ""
            raise ValueError(f"nothing to resume: {done}{hint}; leave out --resume to start a new run")
        if not _has_files(partial / "checkpoint"):
            raise ValueError(
                f"nothing to resume: {partial} has no checkpoint; leave out --resume to start a new run"
            )
        if _is_being_written(partial):
            raise ValueError(
                f"{partial} is being written by another process; wait for it or choose another --name"
            )
        before = _read_json(partial / "run.json").get("options", {})
        now = self.info["options"]
        changed = [k for k in sorted({*before, *now} - FREE_TO_CHANGE) if before.get(k) != now.get(k)]
        if changed:
            differences = "; ".join(f"{k} was {before.get(k)!r}, is now {now.get(k)!r}" for k in changed)
            raise ValueError(f"an interrupted run is resumed with the options it began with: {differences}")
        return path

    def _lock(self) -> None:
        try:
            fcntl.flock(self._log, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:  # some network folders know no locks: the run works there, only unguarded
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                raise ValueError(f"{self.partial} is being written by another process") from None

    def _finish(self) -> None:
        self.info.update(status="complete", seconds=round(time.monotonic() - self._begin, 3))
        self._write_info()
        self.log(f"complete after {self.info['seconds']} s")
        shutil.rmtree(self.checkpoint, ignore_errors=True)
        with _plain_errors(self.path):
            old = self.path.with_name(f".{self.path.name}.old")
            if self.path.exists():
                self.path.rename(old)
            self.partial.rename(self.path)
            _sync_folder(self.path.parent)
            shutil.rmtree(old, ignore_errors=True)
        self._log.close()

    def _abandon(self, error: BaseException) -> None:
        """Keep the folder only if it can be taken up: stopped or out of luck, not bad input."""
        keep = not isinstance(error, ValueError | TypeError) and _has_files(self.checkpoint)
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


class Run:
    """A finished run, read back. Files are read when asked for; one that the run does not have is None.

    Attributes
    ----------
    path : Path
    info : dict
        The content of ``run.json``.
    command, options, versions, notes, seconds, seed
        Parts of it, by name.
    scores, pairs, redundancy, order_3mr : Scores or None
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
            There is nothing there, it is not a run, it is unfinished, or a newer salience wrote it.
        """
        folder = Path(path)
        if folder.is_file() and (folder.parent / "run.json").is_file():
            folder = folder.parent
        if _partial(folder).is_dir() and not folder.exists():
            raise ValueError(f"{folder} is unfinished ({_partial(folder).name}); finish it with --resume")
        if not folder.exists():
            raise ValueError(f"there is no run at {folder}; runs here: {_runs_beside(folder) or 'none'}")
        if folder.name.endswith(".partial"):
            raise ValueError(f"{folder} is an unfinished run; finish it with --resume, or read its log.txt")
        if not (folder / "run.json").is_file():
            raise ValueError(
                f"{folder} is not a run folder: it has no run.json (`salience rank` writes run folders)"
            )
        info = _read_json(folder / "run.json")
        if "salience_run" not in info:
            raise ValueError(f"{folder / 'run.json'} was not written by salience")
        if info["salience_run"] > FORMAT:
            wrote = info.get("versions", {}).get("salience", "?")
            raise ValueError(f"{folder} was written by a newer salience ({wrote}); upgrade to read it")
        return cls(folder, info)

    def file(self, name: str) -> Path | None:
        """The path of a file of the run, None when the run has no such file."""
        path = self.path / name
        return path if path.is_file() else None

    def read_scores(self, name: str) -> Scores | None:
        """Read ``NAME.parquet`` as `Scores`."""
        from salience.results import Scores

        path = self.file(f"{name}.parquet")
        return None if path is None else Scores.load(path)

    def read_frame(self, name: str) -> pl.DataFrame | None:
        """Read ``NAME.parquet`` as a polars frame."""
        import polars as pl

        path = self.file(f"{name}.parquet")
        return None if path is None else pl.read_parquet(path)

    def read_json(self, name: str) -> dict[str, Any] | None:
        """Read ``NAME.json``."""
        path = self.file(f"{name}.json")
        return None if path is None else _read_json(path)

    scores = cached_property(lambda self: self.read_scores("scores"))
    pairs = cached_property(lambda self: self.read_scores("pairs"))
    redundancy = cached_property(lambda self: self.read_scores("redundancy"))
    order_3mr = cached_property(lambda self: self.read_scores("order_3mr"))
    audit = cached_property(lambda self: self.read_frame("audit"))
    plan = cached_property(lambda self: self.read_json("plan"))

    @cached_property
    def verdict(self) -> Verdict | None:
        """Does the ranking hold up: the checks of ``verdict.json``."""
        from salience.verify.verdict import Verdict

        path = self.file("verdict.json")
        return None if path is None else Verdict.from_json(path)

    command = property(lambda self: self.info.get("command"))
    options = property(lambda self: self.info.get("options", {}))
    versions = property(lambda self: self.info.get("versions", {}))
    notes = property(lambda self: self.info.get("notes", []))
    seconds = property(lambda self: self.info.get("seconds"))
    seed = property(lambda self: self.options.get("seed"))

    def __repr__(self) -> str:
        return f"<Run {self.command} {self.path}>"


def read_options(path: str | os.PathLike[str], allowed: Sequence[str]) -> dict[str, Any]:
    """Read an options file (TOML): one line per option of the command, dashes or underscores.

    Parameters
    ----------
    path : path-like
    allowed : sequence of str
        The option names of the command, with underscores.

    Returns
    -------
    dict
        Option name (underscores) to value.

    Raises
    ------
    ValueError
        No such file, not TOML, or an option the command does not have (near names are suggested).

    Examples
    --------
    >>> import tempfile, pathlib
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "clicks.toml"
    >>> _ = file.write_text('target = "click"\\nlabel-bins = 5\\n')
    >>> read_options(file, ["target", "label_bins"])
    {'target': 'click', 'label_bins': 5}
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        given = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(
            f"options file {path} is not TOML ({error}); write one `name = value` per line"
        ) from None
    except OSError as error:
        raise ValueError(f"options file {path} cannot be read: {error.strerror}") from None
    options = {name.replace("-", "_"): value for name, value in given.items()}
    for name in options:
        if name not in allowed:
            near = get_close_matches(name, allowed, n=3) or sorted(allowed)
            raise ValueError(
                f"options file {path}: there is no option {name!r}; near names: {', '.join(near)}"
            )
    return options


def versions() -> dict[str, str]:
    """The versions a result depends on: Python and the packages that compute.

    Examples
    --------
    >>> "python" in versions()
    True
    """
    found = {"python": platform.python_version()}
    for package in VERSIONED:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = _own_version() if package == "salience" else "not installed"
    return found


def _own_version() -> str:
    module = sys.modules.get("salience")
    return str(getattr(module, "__version__", "from source"))


def _partial(path: Path) -> Path:
    return path.with_name(f"{path.name}.partial")


def _has_files(folder: Path) -> bool:
    return folder.is_dir() and any(p.is_file() and p.stat().st_size for p in folder.rglob("*"))


def _is_being_written(partial: Path) -> bool:
    try:
        with open(partial / "log.txt", "a") as log:
            fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError as error:
        return error.errno in (errno.EWOULDBLOCK, errno.EACCES)
    return False


def _runs_beside(path: Path) -> str:
    parent = path.parent
    return ", ".join(sorted(p.parent.name for p in parent.glob("*/run.json"))) if parent.is_dir() else ""


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is damaged: {error}") from None
    if not isinstance(value, dict):
        raise ValueError(f"{path} is damaged: an object is expected, it holds a {type(value).__name__}")
    return value


def write_whole(path: Path, write: Callable[[Path], Any]) -> Path:
    """Write beside, sync, rename, sync the folder: after a crash the file is the old, the new or absent."""
    beside = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        write(beside)
        with open(beside, "rb") as file:
            os.fsync(file.fileno())
        os.replace(beside, path)
        _sync_folder(path.parent)
    finally:
        beside.unlink(missing_ok=True)
    return path


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _jsonable(value: Any) -> Any:
    """Plain JSON: paths and enums as text, arrays as lists, NaN and infinities as null (JSON has none)."""
    if isinstance(value, Mapping):
        return {str(k): _jsonable(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_jsonable(v) for v in value]
    if isinstance(value, float):
        return value if value - value == 0 else None
    if value is None or isinstance(value, bool | int | str):
        return value
    if hasattr(value, "tolist"):
        return _jsonable(value.tolist())
    return str(value)


class _plain_errors:
    """Turn what the system says about a full or forbidden disk into what a person can do about it."""

    SAY: Mapping[int, str] = {
        errno.ENOSPC: "the disk is full; free some space or choose another folder with --output",
        errno.EDQUOT: "your disk quota is used up; free some space or choose another folder with --output",
        errno.EROFS: "that disk is read-only; choose another folder with --output",
        errno.EACCES: "the folder may not be written; choose another one with --output",
        errno.EPERM: "the folder may not be written; choose another one with --output",
        errno.ENOTDIR: "a part of that path is a file, not a folder; choose another folder with --output",
        errno.EEXIST: "a file of that name stands in the way; choose another folder with --output",
        errno.ENAMETOOLONG: "that name is too long for the disk; choose a shorter --name",
    }

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        # polars says what the system said only in the text of an exception of its own kind
        told = re.search(r"os error (\d+)", str(error)) if isinstance(error, Exception) else None
        if isinstance(error, OSError) or told:
            number = getattr(error, "errno", None) or (int(told[1]) if told else 0)
            said = self.SAY.get(number) or getattr(error, "strerror", None) or str(error)
            raise OSError(number, f"cannot write {self.path}: {said}") from error
