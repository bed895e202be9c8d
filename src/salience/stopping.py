"""Stopping on request: SIGTERM ends a command as Ctrl-C does, and a stop can wait until it does no harm."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["Terminated", "heed_sigterm", "patience", "uninterrupted"]

_STOPS = (signal.SIGINT, signal.SIGTERM)


class Terminated(KeyboardInterrupt):
    """SIGTERM came: a supervisor wants this process to end, and its work to be kept."""


def heed_sigterm() -> None:
    """From now on SIGTERM raises `Terminated` in the main thread, unless somebody handles it already."""
    if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminate)


def _terminate(number: int, frame: Any) -> None:
    raise Terminated


@contextmanager
def patience() -> Iterator[Callable[[], None]]:
    """Turn the first Ctrl-C or SIGTERM into a wish; the second stops at once.

    Yields
    ------
    callable
        Raises KeyboardInterrupt if there is such a wish; to be called where stopping does no harm.
    """
    asked: list[int] = []
    raising = {number: signal.getsignal(number) for number in _STOPS} if _main() else {}
    raising = {n: h for n, h in raising.items() if h in (signal.default_int_handler, _terminate)}

    def ask(number: int, frame: Any) -> None:
        asked.append(number)
        if len(asked) > 1:
            stop_if_asked()

    def stop_if_asked() -> None:
        for number in asked[-1:]:
            raise Terminated if number == signal.SIGTERM else KeyboardInterrupt

    for number in raising:
        signal.signal(number, ask)
    try:
        yield stop_if_asked
    finally:
        for number, handler in raising.items():
            signal.signal(number, handler)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ignore Ctrl-C and SIGTERM for the moments that putting things in order takes."""
    before = {number: signal.getsignal(number) for number in _STOPS} if _main() else {}
    before = {number: handler for number, handler in before.items() if handler is not None}  # not of Python
    for number in before:
        signal.signal(number, signal.SIG_IGN)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _main() -> bool:
    return threading.current_thread() is threading.main_thread()
