"""The command ``salience``: parse, call one function of the library, show, write."""

from __future__ import annotations

import contextlib
import os
import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line with ``sys.argv``; the entry point of the package."""
    from salience.stopping import Terminated, heed_sigterm

    heed_sigterm()
    try:
        from salience.cli.alone import ALONE
        from salience.cli.app import app

        app(prog_name="salience", obj=ALONE)
    except KeyboardInterrupt as stopped:  # while the command was still being looked up
        os._exit(143 if isinstance(stopped, Terminated) else 130)
    except SystemExit as done:
        # Whatever a command leaves behind is written and synced by now. Freeing millions of objects one by one
        # before the process ends would take as long as ranking a small file.
        code = done.code if isinstance(done.code, int) else int(done.code is not None)
        try:
            sys.stdout.flush()
        except BrokenPipeError:  # `salience ... | head` has read enough
            pass
        except OSError as error:
            code = code or _unwritten(error)
        with contextlib.suppress(OSError):
            sys.stderr.flush()
        os._exit(code)
    except OSError as error:  # of what is said before a command runs: --help, --version
        os._exit(_unwritten(error))


def _unwritten(error: OSError) -> int:
    """Say that the output is not whole; the exit code for it."""
    with contextlib.suppress(OSError):
        sys.stderr.write(f"cannot write the output: {error.strerror}\n")
        sys.stderr.flush()
    return 2
