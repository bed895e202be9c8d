"""Every example runs, from a fresh interpreter, and finds what it says it finds."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# example -> what its output has to hold
FINDS = {
    "drift": "drifted: hours-per-week, age",
    "needle_pair": "found: f3 and f7",
    "order_3mr": "by 3MR:",
    "rank_census": "keep: relationship, marital-status, capital-gain",
    "sklearn_pipeline": "noise among them: []",
    "verify_ranking": "refused:",
}


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "examples").glob("*.py")))
def test_an_example_runs_and_finds_what_it_says(name: str, tmp_path: Path) -> None:
    paths = [str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / f"{name}.py")],
        cwd=tmp_path,
        env={**os.environ, "MPLBACKEND": "agg", "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert FINDS[name] in done.stdout
