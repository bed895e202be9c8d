"""What goes wrong, said in one line, with the exit code that belongs to it.

==== ==================================================================
0    done
1    ``--strict`` and the verdict is not "holds"
2    bad input: data, option, folder
70   a fault of salience itself
130  stopped by Ctrl-C
143  stopped by SIGTERM
==== ==================================================================
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from typing import Any

import typer
import typer.core

from salience.cli.wording import in_options, speak_to
from salience.runs.visible import visible
from salience.stopping import Terminated, uninterrupted

__all__ = ["BAD_INPUT", "FAULT", "STOPPED", "TERMINATED", "VERDICT_FAILED", "Commands", "demand", "explain"]

VERDICT_FAILED, BAD_INPUT, FAULT, STOPPED, TERMINATED = 1, 2, 70, 130, 143
# typer brings click along, some versions as a private copy: its exceptions are reached through typer's own.
UsageError: Any = typer.BadParameter.__bases__[0]


class Commands(typer.core.TyperGroup):
    """The group of all commands: the one place where errors turn into a line and an exit code."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take ``--debug`` from wherever it stands, and remember the command line for the run's record."""
        ctx.meta["argv"] = ["salience", *args]
        ctx.meta["debug"] = "--debug" in args
        return super().parse_args(ctx, [arg for arg in args if arg != "--debug"])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command; messages speak of its options from here on."""
        found = super().resolve_command(ctx, args)
        speak_to(found[1])
        return found

    def invoke(self, ctx: Any) -> Any:
        """Run the command; what it raises becomes one red line, a traceback only under ``--debug``."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort):
            raise
        except BrokenPipeError:  # `salience ... | head` has read enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None
        except UsageError as error:
            fail(f"{error.format_message()} {_help_hint(error)}".strip())
            raise typer.Exit(BAD_INPUT) from None
        except BaseException as error:
            panic = type(error).__name__ == "PanicException"  # polars gives up with no ordinary exception
            if ctx.meta.get("debug") or not (panic or isinstance(error, Exception | KeyboardInterrupt)):
                raise
            with uninterrupted():  # an impatient second Ctrl-C must not take the hint away
                line, code = explain(error)
                fail(in_options(line))
                for note in dict.fromkeys(_notes(error)):
                    fail(note, "yellow")
            raise typer.Exit(code) from None


def explain(error: BaseException) -> tuple[str, int]:
    """Say an error in one line and choose its exit code.

    Examples
    --------
    >>> explain(ValueError("no column 'clik';\\ndid you mean 'click'?"))
    ("no column 'clik'; did you mean 'click'?", 2)
    >>> explain(KeyboardInterrupt())
    ('stopped by Ctrl-C', 130)
    """
    if isinstance(error, Terminated):
        return "stopped by SIGTERM", TERMINATED
    if isinstance(error, KeyboardInterrupt):
        return "stopped by Ctrl-C", STOPPED
    if isinstance(error, OSError):
        if error.errno == errno.ENOSPC and not error.filename and "cannot write" not in str(error):
            return (
                "cannot write the output, or a temporary file: the disk is full; free some space",
                BAD_INPUT,
            )
        where = f" ({error.filename})" if error.filename else ""
        return _one_line(f"{error.strerror or error}{where}"), BAD_INPUT
    if isinstance(error, MemoryError):
        return "out of memory; give a smaller --memory or --batch-size, or --subsample", BAD_INPUT
    # polars has exceptions of its own, without a common ancestor among the built-in ones
    of_polars = type(error).__module__.startswith("polars")
    an_extra = isinstance(error, ImportError) and "pip install" in str(error)
    if isinstance(error, ValueError | TypeError) or of_polars or an_extra:
        return _one_line(str(error)), BAD_INPUT
    return _one_line(f"internal error: {type(error).__name__}: {error}; --debug shows where"), FAULT


def demand(verdict: Any) -> None:
    """End with the exit code of ``--strict`` unless the ranking holds up."""
    if verdict.overall != "holds":
        raise typer.Exit(VERDICT_FAILED)


def fail(line: str, colour: str = "red") -> None:
    """Print a line to stderr; a terminal wraps it, a file gets it whole."""
    typer.secho(visible(line), err=True, fg=colour)


def _notes(error: BaseException | None) -> Iterator[str]:
    """What was added to an error, and to the one that it came in the middle of: a Ctrl-C after a Ctrl-C."""
    while error is not None:
        yield from getattr(error, "__notes__", [])
        error = error.__context__


def _one_line(text: str) -> str:
    return " ".join(text.split()) or "no reason given; --debug shows where"


def _help_hint(error: Any) -> str:
    ctx = getattr(error, "ctx", None)
    return f"({ctx.command_path} --help lists the options)" if ctx is not None else ""
