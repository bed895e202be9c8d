"""What a path leads to, and the content of a file or pipe: nothing here waits for what never comes."""

from __future__ import annotations

import errno
import os
import select
import stat
import time
from collections.abc import Iterator

__all__ = ["kind_of", "piped", "read_whole", "unreadable"]

_PATIENCE = 3.0  # seconds until somebody has to write to a pipe
_CHUNK = 1 << 20

#: How what cannot be read is called, and what helps.
_ODD = {
    "socket": "is a socket; save what comes from it to a file first",
    "device": "is a device, not a file; give a file",
    "circle": "is a link that leads back to itself; give the file that is meant",
    "dangling": "is a link to a file that is not there; give the file that is meant",
    "pipe": "is a pipe, and this is read more than once; save it to a file first",
    "folder": "is a folder; give a file",
}


def kind_of(path: str | os.PathLike[str]) -> str:
    """Kind of what a path leads to, links followed.

    Returns
    -------
    str
        "file", "folder", "pipe", "socket", "device"; "circle" for a link that leads back to itself, "dangling" for one
        to nothing; "nothing".

    Examples
    --------
    >>> kind_of("/dev/null"), kind_of(os.sep), kind_of("/no/such/file")
    ('device', 'folder', 'nothing')
    """
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        if error.errno == errno.ELOOP:
            return "circle"
        return "dangling" if os.path.islink(path) else "nothing"
    except ValueError:  # a NUL in the name
        return "nothing"
    kinds = (
        ("file", stat.S_ISREG),
        ("folder", stat.S_ISDIR),
        ("pipe", stat.S_ISFIFO),
        ("socket", stat.S_ISSOCK),
    )
    return next((kind for kind, is_one in kinds if is_one(mode)), "device")


def unreadable(path: str | os.PathLike[str]) -> str | None:
    """Why a path cannot be read as a file, in one line; None for a file and for nothing.

    Examples
    --------
    >>> unreadable("/dev/null")
    '/dev/null is a device, not a file; give a file'
    """
    odd = _ODD.get(kind_of(path))
    return f"{os.fspath(path)} {odd}" if odd else None


def piped(path: str | os.PathLike[str]) -> Iterator[bytes]:
    """What is written to a pipe, until all who write have closed it.

    Raises
    ------
    ValueError
        Nobody has opened it to write within some seconds.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a plain open would wait for a writer for ever
    try:
        ready = select.poll()
        ready.register(handle, select.POLLIN)
        end = time.monotonic() + _PATIENCE
        begun = False
        while True:
            try:
                chunk = os.read(handle, _CHUNK)
            except BlockingIOError:  # somebody writes, and has nothing to say now
                begun = True
                ready.poll(1000)
                continue
            begun = begun or bool(chunk)
            if chunk:
                yield chunk
            elif begun:
                return
            elif time.monotonic() > end:
                raise ValueError(
                    f"{os.fspath(path)} is a pipe to which nobody writes; start what writes to it first"
                )
            else:
                time.sleep(0.02)
    finally:
        os.close(handle)


def read_whole(path: str | os.PathLike[str]) -> bytes:
    """All bytes of a file or a pipe.

    Raises
    ------
    ValueError
        Anything else, with what it is.
    OSError
        There is no such file, or it may not be read.
    """
    if kind_of(path) == "pipe":
        return b"".join(piped(path))
    if odd := unreadable(path):
        raise ValueError(odd)
    with open(path, "rb") as file:
        return file.read()
