"""What the library says of its arguments, said of the options of a command."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

__all__ = ["in_options", "speak_to"]

_OPTIONS: ContextVar[Mapping[str, str]] = ContextVar("options of the command that runs", default={})  # noqa: B039

# Arguments that the commands call otherwise.
CALLED = {
    "aggregate": "agg",
    "batch_rows": "batch_size",
    "label": "target",
    "n_jobs": "threads",
    "random_state": "seed",
}
# What stands in quotes is data or an example; a name before "=" is an argument, unless it is part of a path or of what
# --set takes.
_ARGUMENT = re.compile(
    r"""(?<!\w)'[^']*'(?!\w) | "[^"]*" | `[^`]*` | np\.\w+\(.*\)
    | (?<![\w./=-])(?<!--set\ )(?P<name>[a-z][a-z0-9]*(?:_[a-z0-9]+)*)=(?!=)(?=['"\[{(] | [^\s/]*(?:\s|$))""",
    re.VERBOSE,
)


def in_options(text: str) -> str:
    """The text with ``name=value`` as ``--name value``, or without "=" where the command has no such option.

    Examples
    --------
    >>> speak_to(None)
    >>> in_options("encoding='latin' is unknown; give spec= or another encoding=")
    "encoding 'latin' is unknown; give spec or another encoding"
    >>> in_options("column 'a b=1' of year=2020/x.csv")
    "column 'a b=1' of year=2020/x.csv"
    """
    options = _OPTIONS.get()

    def said(match: re.Match[str]) -> str:
        if (name := match["name"]) is None:
            return match[0]
        option = options.get(name) or options.get(CALLED.get(name, ""))
        ends = text[match.end() : match.end() + 1] in ("", *" ,.;:)")
        return (option or name.replace("_", " ")) + ("" if ends else " ")

    return _ARGUMENT.sub(said, text)


def speak_to(command: Any) -> None:
    """From now on use the options of this command."""
    long = {
        parameter.name: [name for name in parameter.opts if name.startswith("--")]
        for parameter in getattr(command, "params", ())
    }
    _OPTIONS.set({name: given[0] for name, given in long.items() if given})
