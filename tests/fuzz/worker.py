"""Runs commands for `fuzzing.Worker`, one after another in one process: a line of JSON in, a line of JSON out.

``{"argv": [...], "cwd": folder}`` runs ``salience`` with these arguments; ``"stop": k`` stops it, as Ctrl-C does, once k
blocks have been counted. The answer has the exit code and what was printed.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import traceback
from typing import Any

from typer.testing import CliRunner

# A damaged length may ask for any amount of memory: that must be an error here, not the end of the machine.
resource.setrlimit(resource.RLIMIT_AS, (16 << 30, resource.getrlimit(resource.RLIMIT_AS)[1]))

from salience.cli.app import app  # noqa: E402
from salience.data import folding  # noqa: E402

UPDATE = folding._update


def stopping_after(blocks: int) -> Any:
    left = [blocks]

    def update(*given: Any) -> None:
        UPDATE(*given)
        left[0] -= 1
        if not left[0]:
            signal.raise_signal(signal.SIGINT)

    return update


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    os.chdir(asked["cwd"])
    folding._update = stopping_after(asked["stop"]) if asked.get("stop") else UPDATE
    result = CliRunner().invoke(app, asked["argv"])
    fault = result.exception
    shown = "".join(traceback.format_exception(fault)) if fault and not isinstance(fault, SystemExit) else ""
    return {"code": result.exit_code, "out": result.stdout, "err": result.stderr + shown}


if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what is printed past Python's own streams must not stand among the answers
    for line in sys.stdin:
        answers.write(json.dumps(answer(json.loads(line))) + "\n")
        answers.flush()
