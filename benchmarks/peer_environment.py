"""An environment of its own for the package outrank, which wants older libraries than we do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

# outrank 0.97.5 needs pandas < 3 (it assigns into views), and hands str to xxhash, which from 3.6 on takes bytes only.
REQUIREMENTS = ("outrank==0.97.5", "pandas<3", "xxhash<3.6")


def outrank_environment(cache: Path) -> Path:
    """The folder ``bin`` of an environment with outrank 0.97.5, made when it is not there yet."""
    folder = cache / "outrank-0.97.5"
    binaries = folder / "bin"
    if not (binaries / "outrank").exists():
        cache.mkdir(parents=True, exist_ok=True)
        for command in (
            [sys.executable, "-m", "venv", str(folder)],
            [str(binaries / "python"), "-m", "pip", "install", "--quiet", *REQUIREMENTS],
        ):
            done = subprocess.run(command, capture_output=True, text=True, check=False, env=peer_variables())
            if done.returncode:
                raise RuntimeError(
                    f"no environment for the peer: {' '.join(command)} failed. It needs an index that has outrank.\n"
                    + done.stderr[-2000:]
                )
    return binaries


def peer_variables(**more: str) -> dict[str, str]:
    """Our environment variables without the path of our modules."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return {**kept, **more}
