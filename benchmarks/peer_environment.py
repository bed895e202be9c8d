"""Environments of their own for the tools we compare with, and how their side of a comparison is run in them.

A peer often wants older libraries than we do. Its side is a script ``benchmarks/peers/<name>.py`` that knows nothing of
salience: it is called with the path of an ``.npz`` file (and arguments, if any), and prints one JSON object, its results
and the seconds it took, as its last line:

    import json, sys, time
    import numpy as np
    with np.load(sys.argv[1]) as given: X, y = given["X"], given["y"]
    ...
    print(json.dumps({"values": values.tolist(), "seconds": sorted(times)[len(times) // 2]}))
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from benchmarks.harness import watch

PEERS = Path(__file__).parent / "peers"
# outrank 0.97.5 needs pandas < 3 (it assigns into views), and hands str to xxhash, which from 3.6 on takes bytes only.
OUTRANK = ("outrank==0.97.5", "pandas<3", "xxhash<3.6")


def peer_environment(cache: Path, name: str, requirements: Sequence[str]) -> Path:
    """The folder ``bin`` of an environment with these requirements, made when it is not there yet.

    Parameters
    ----------
    cache : Path
        `Settings.cache`.
    name : str
        Of the peer, for the folder's name.
    requirements : sequence of str
        What pip installs. Other requirements are another environment.

    Raises
    ------
    RuntimeError
        If the environment cannot be made; the message ends with what pip said.
    """
    digest = hashlib.sha256("\n".join(requirements).encode()).hexdigest()[:8]
    folder = (cache / f"{name}-{digest}").absolute()
    binaries, made = folder / "bin", folder / "made"
    if not made.exists():  # an interrupted installation has no such file
        cache.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        for command in (
            [sys.executable, "-m", "venv", str(folder)],
            [str(binaries / "python"), "-m", "pip", "install", "--quiet", *requirements],
        ):
            done = subprocess.run(command, capture_output=True, text=True, check=False, env=peer_variables())
            if done.returncode:
                raise RuntimeError(
                    f"no environment for the peer {name}: {' '.join(command)} failed.\n" + done.stderr[-2000:]
                )
        made.write_text("\n".join(requirements))
    return binaries


def run_peer(
    binaries: Path,
    script: str,
    payload: Path | Mapping[str, ArrayLike],
    *arguments: str,
    threads: int | None = None,
) -> dict[str, Any]:
    """Run the peer's side and return what it printed.

    Parameters
    ----------
    binaries : Path
        From `peer_environment`.
    script : str
        Name of a file in ``benchmarks/peers``, without ``.py``.
    payload : Path or mapping of str to array
        An ``.npz`` file, or arrays that are written to one.
    *arguments : str
        Handed to the script after the path of the file.
    threads : int, optional
        Of its linear algebra, of numba and of torch; None leaves them alone.

    Returns
    -------
    dict
        Its JSON, and ``peak_bytes``: the most memory that the whole process was seen to hold, its imports included.

    Raises
    ------
    RuntimeError
        If the script fails or prints no JSON; the message ends with what it said.
    """
    if isinstance(payload, Mapping):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "payload.npz"
            np.savez(file, **{name: np.asarray(values) for name, values in payload.items()})
            return run_peer(binaries, script, file, *arguments, threads=threads)
    # -P: a script with the name of the package it measures must not import itself
    command = [str(binaries / "python"), "-P", str(PEERS / f"{script}.py"), str(payload), *arguments]
    environment = peer_variables(**_thread_limits(threads))
    output = (done := watch(command, environment=environment).checked()).output
    lines = [line for line in output.splitlines() if line.startswith("{")]
    if not lines:
        raise RuntimeError(f"the peer {script} printed no JSON object:\n{output[-2000:]}")
    return {**json.loads(lines[-1]), "peak_bytes": done.peak}


def outrank_environment(cache: Path) -> Path:
    """The folder ``bin`` of an environment with outrank 0.97.5."""
    return peer_environment(cache, "outrank-0.97.5", OUTRANK)


def peer_variables(**more: str) -> dict[str, str]:
    """Our environment variables without the path of our modules."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return {**kept, **more}


def _thread_limits(threads: int | None) -> dict[str, str]:
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    return {} if threads is None else dict.fromkeys(names, str(threads))
