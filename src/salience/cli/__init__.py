"""The command ``salience``: parse, call one function of the library, show, write."""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Run the command line with ``sys.argv``; the entry point of the package."""
    from salience.cli.app import app

    app(prog_name="salience")
