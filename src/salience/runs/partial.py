"""The folder of an unfinished run: who holds the lock on its log owns it."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from pathlib import Path
from typing import TextIO

__all__ = ["emptied", "has_files", "owned", "without_halves"]

LOG = "log.txt"
_HELD = (errno.EWOULDBLOCK, errno.EACCES)


def owned(partial: Path, *, replace: bool) -> TextIO | None:
    """Make the folder if it is not there and lock it: its open log, or None when another process has it.

    Parameters
    ----------
    partial : Path
    replace : bool
        Take one that is there also where locks do not work (some network folders know none).
    """
    while True:
        there = partial.exists()
        try:
            partial.mkdir(exist_ok=True)
            log = open(partial / LOG, "a", encoding="utf-8")  # noqa: SIM115 - it is the lock
        except FileNotFoundError:  # its owner has just removed it
            if not partial.parent.is_dir():
                raise
            continue
        try:
            fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _HELD or (there and not replace):
                log.close()
                return None
        if _same(partial / LOG, log):
            return log
        log.close()  # removed, or renamed to a finished run, between opening and locking


def _same(path: Path, file: TextIO) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def emptied(partial: Path, log: TextIO) -> None:
    """Remove what a run that was killed has left, all but the log that is the lock; that one starts anew."""
    for path in partial.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != LOG:
            path.unlink()
    log.truncate(0)


def without_halves(partial: Path) -> None:
    """Remove files that a kill has left half-written."""
    for path in partial.rglob(".*.partial"):
        path.unlink()


def has_files(folder: Path) -> bool:
    """Whether there is a file in it that is whole and not empty."""
    whole = (p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))
    return folder.is_dir() and any(p.stat().st_size for p in whole)
