"""Damage, and a worker that commands are run in: a crash, a hang or a traceback of it is a finding.

All is seeded. ``SALIENCE_FUZZ=5000`` runs that many inputs instead of the few of every day (`make fuzz`),
``SALIENCE_FUZZ_SEED=7`` others.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

INPUTS = int(os.environ.get("SALIENCE_FUZZ", "200"))
SEED = int(os.environ.get("SALIENCE_FUZZ_SEED", "0"))
PATIENCE = 60.0  # seconds for one command on a few rows, on a busy machine
COMPILING = 600.0  # for the first one: numba may have to compile
Damage = Callable[[bytes, np.random.Generator], bytes]


def drawn(number: int, *kind: int) -> np.random.Generator:
    """The generator of one input, whatever ran before it."""
    return np.random.default_rng([SEED, *kind, number])


def truncated(content: bytes, rng: np.random.Generator) -> bytes:
    return content[: rng.integers(0, len(content) + 1)]


def flipped(content: bytes, rng: np.random.Generator) -> bytes:
    damaged = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        damaged[rng.integers(len(damaged))] ^= 1 << rng.integers(8)
    return bytes(damaged)


def flipped_at_the_end(content: bytes, rng: np.random.Generator) -> bytes:
    """Where Parquet, Arrow and zip say what is in the file."""
    damaged = bytearray(content)
    damaged[-rng.integers(1, min(400, len(damaged)) + 1)] ^= 1 << rng.integers(8)
    return bytes(damaged)


def overwritten(content: bytes, rng: np.random.Generator) -> bytes:
    at, n = rng.integers(len(content)), rng.integers(1, 33)
    return (content[:at] + rng.bytes(n) + content[at + n :])[: len(content)]


def blanked(content: bytes, rng: np.random.Generator) -> bytes:
    """As a disk leaves a block that was never written."""
    at, n = rng.integers(len(content)), rng.integers(1, 513)
    return (content[:at] + bytes(n) + content[at + n :])[: len(content)]


def cut_out(content: bytes, rng: np.random.Generator) -> bytes:
    at, n = rng.integers(len(content)), rng.integers(1, 65)
    return content[:at] + content[at + n :]


def repeated(content: bytes, rng: np.random.Generator) -> bytes:
    at, n = rng.integers(len(content)), rng.integers(1, 257)
    return content[: at + n] + content[at:]


DAMAGES: tuple[Damage, ...] = (
    truncated, flipped, flipped_at_the_end, overwritten, blanked, cut_out, repeated,
)  # fmt: skip


def damaged(content: bytes, rng: np.random.Generator) -> tuple[str, bytes]:
    """The name of what was done, and what came of it."""
    damage = DAMAGES[rng.integers(len(DAMAGES))]
    return damage.__name__, damage(content, rng)


class Worker:
    """Commands in one other process, which is started anew when it dies or hangs.

    Parameters
    ----------
    folder : Path
        Its temporary files go there, so that leftovers are seen.
    """

    def __init__(self, folder: Path) -> None:
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        self._errors = folder / "worker.log"
        self._process: subprocess.Popen[str] | None = None
        self._patience = COMPILING

    def call(self, argv: list[str], cwd: Path, **how: Any) -> dict[str, Any]:
        """Run a command; "code" is negative for the signal that killed it, and "hangs" when it had to be."""
        if self._process is None:
            environment = os.environ | {"TMPDIR": str(self.temporary), "COLUMNS": "200"}
            self._process = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("worker.py"))], text=True, env=environment,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=open(self._errors, "a"),  # noqa: SIM115
            )  # fmt: skip
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({"argv": argv, "cwd": str(cwd), **how}) + "\n")
        process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], self._patience)
        line = process.stdout.readline() if ready else ""
        if line:
            self._patience = PATIENCE
            answered: dict[str, Any] = json.loads(line)
            return answered
        if not ready:
            process.kill()
        self._process = None
        code = process.wait()
        return {"code": code if ready else "hangs", "out": "", "err": self._errors.read_text()[-2000:]}

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def faults(answer: dict[str, Any]) -> list[str]:
    """What no input may do."""
    code, said = answer["code"], answer["err"]
    found = []
    if code not in (0, 2):
        name = signal.Signals(-code).name if isinstance(code, int) and code < 0 else code
        found.append(f"ended with {name}")
    if "Traceback" in said or "internal error" in said:
        found.append("showed a traceback")
    if code == 2 and not said.strip():
        found.append("did not say why")
    if any(_moves(sign) for sign in answer["out"] + said):
        found.append("printed control characters")
    return found


def _moves(sign: str) -> bool:
    """Whether it moves the cursor or turns the writing."""
    turning = unicodedata.bidirectional(sign) in (
        "LRE",
        "RLE",
        "LRO",
        "RLO",
        "PDF",
        "LRI",
        "RLI",
        "FSI",
        "PDI",
    )
    return sign != "\n" and (turning or unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp"))


def left_behind(folder: Path, expected: set[str]) -> list[str]:
    """Files and folders that a command has left beside those that were there."""
    return sorted(path.name for path in folder.iterdir() if path.name not in expected)
