"""Killed at any moment and resumed, a run comes to the same bits, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest
from fuzzing import INPUTS, drawn
from test_fuzz_inputs import table

COMMAND = [
    sys.executable,
    "-m",
    "salience",
    "rank",
    "t.csv",
    "-t",
    "y",
    "--checkpoint-every",
    "0",
    "--memory",
    "600MB",
]
FILES = ["log.txt", "plan.json", "report.html", "run.json", "scores.parquet"]


def run(folder: Path, *more: str, kill: tuple[int, float] | None = None) -> tuple[int, str]:
    """The exit code and what was said; with `kill`, a signal after so many seconds."""
    environment = os.environ | {"TMPDIR": str(folder / "temporary")}
    process = subprocess.Popen(
        [*COMMAND, *more], cwd=folder, env=environment, text=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    if kill is not None:
        time.sleep(kill[1])
        process.send_signal(kill[0])
    return process.wait(600), process.communicate()[1]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """A run in one go, and the seconds that it took."""
    folder = tmp_path_factory.mktemp("once")
    (folder / "temporary").mkdir()
    table(300).write_csv(folder / "t.csv")
    run(folder, "--name", "compiled")
    table(300_000).write_csv(folder / "t.csv")
    begin = time.monotonic()
    assert run(folder, "--name", "r")[0] == 0
    return folder, time.monotonic() - begin


@pytest.mark.parametrize("number", range(max(2, INPUTS // 100)))
def test_a_killed_run_resumes_to_the_same_bits(
    number: int, whole: tuple[Path, float], tmp_path: Path
) -> None:
    once, seconds = whole
    rng = drawn(number, 8)
    (tmp_path / "temporary").mkdir()
    (tmp_path / "t.csv").symlink_to(once / "t.csv")
    for _ in range(int(rng.integers(1, 4))):
        sent = (signal.SIGKILL, signal.SIGTERM)[rng.integers(2)]
        partial = tmp_path / "runs" / "r.partial"
        resume = ["--resume"] if partial.is_dir() else []
        code, said = run(tmp_path, "--name", "r", *resume, kill=(sent, rng.uniform(0, 1.1 * seconds)))
        # SIGTERM kills as long as Python itself is starting
        assert code in (0, -sent, *([143] if sent == signal.SIGTERM else [])), said
        assert "Traceback" not in said
        if code == 0:
            break
        if code == 143 and partial.is_dir():
            assert "--resume" in said
    if not (tmp_path / "runs" / "r").is_dir():
        resume = ["--resume"] if (tmp_path / "runs" / "r.partial").is_dir() else []
        code, said = run(tmp_path, "--name", "r", *resume)
        assert code == 0, said
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["r"]
    assert sorted(path.name for path in (tmp_path / "runs" / "r").iterdir()) == FILES
    assert not list((tmp_path / "temporary").iterdir())
    first, again = (pl.read_parquet(folder / "runs" / "r" / "scores.parquet") for folder in (once, tmp_path))
    assert again.equals(first)
