"""How long each stage of a piece of work took."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

__all__ = ["Stages"]


class Stages:
    """Seconds by stage, in the order in which the stages began.

    Attributes
    ----------
    seconds : dict of str to float
        A stage that is entered twice has the sum.

    Examples
    --------
    >>> stages = Stages()
    >>> with stages("plan"):
    ...     pass
    >>> list(stages.seconds), stages.total >= 0
    (['plan'], True)
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._began = time.perf_counter()

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Time what happens in the block; a block that fails counts too."""
        began = time.perf_counter()
        self.seconds.setdefault(name, 0.0)
        try:
            yield
        finally:
            self.seconds[name] += time.perf_counter() - began

    def add(self, seconds: Mapping[str, float]) -> None:
        """Take over the stages of a part of the work."""
        for name, value in seconds.items():
            self.seconds[name] = self.seconds.get(name, 0.0) + value

    @property
    def total(self) -> float:
        """Seconds since the beginning, those between stages included."""
        return time.perf_counter() - self._began
