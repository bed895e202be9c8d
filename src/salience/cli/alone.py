"""What a command may leave out when the whole process is its own."""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder

__all__ = ["ALONE", "forgo_pandas"]

ALONE = "the process is the command's own"


def forgo_pandas(given: object) -> None:
    """Keep pyarrow from importing pandas, half a second, only to ask whether its first array is a Series.

    It asks once in a process. A command that reads files has no Series; a program that calls the commands
    inside its own process may have, so there nothing is kept from pyarrow.

    Parameters
    ----------
    given : object
        ``ctx.obj`` of the command: `ALONE` when `main` started it.
    """
    if given != ALONE or "pandas" in sys.modules:
        return
    import pyarrow as pa

    sys.meta_path.insert(0, _WithoutPandas)
    try:
        pa.array([])
    finally:
        sys.meta_path.remove(_WithoutPandas)


class _WithoutPandas(MetaPathFinder):
    """Looks for modules first, and finds that pandas is not installed."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError("No module named 'pandas'", name="pandas")
