"""Pointwise intrinsic dimension against scikit-dimension, whose maximum likelihood estimate has the same formula.

Its neighbours are found by scikit-learn, from 16 columns on by brute force: there is no slow tree to beat. It multiplies all
pairs in float64; ours multiplies each pair once and in float32, and measures again in float64 what is near.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.harness import Row, Settings, seconds
from benchmarks.peer_environment import peer_environment, run_peer
from salience.data.generators import subspace_vectors
from salience.measures.dimension import local_dimension

ROWS, WIDTHS, NEIGHBOURS = 10_000, (64, 128, 768), 100
AIM = 3.0
REQUIREMENTS = ("scikit-dimension==0.5.0",)


def benchmark(settings: Settings) -> Iterator[Row]:
    """Three widths, in both types of numbers."""
    peer = peer_environment(settings.cache, "scikit-dimension-0.5.0", REQUIREMENTS)
    rows, runs = settings.scaled(ROWS), min(settings.runs, 3)
    for width in WIDTHS:
        for dtype in (np.float32, np.float64):
            X = subspace_vectors(rows, width, min(width, 64), normalise=False).astype(dtype)
            yield _row(X, peer, runs, settings.threads)


def _row(X: NDArray[Any], peer: Path, runs: int, threads: int) -> Row:
    found = run_peer(peer, "skdim_mle", {"X": X}, str(NEIGHBOURS), str(runs), str(threads), threads=threads)
    with threadpool_limits(threads):
        ours = local_dimension(X, NEIGHBOURS)
        own = float(np.median([seconds(partial(local_dimension, X, NEIGHBOURS)) for _ in range(runs)]))
    gap = float(np.abs(ours / np.array(found["values"]) - 1).max())
    return Row(
        f"pointwise intrinsic dimension, n = {len(X):,}, d = {X.shape[1]}, k = {NEIGHBOURS}, {X.dtype} input", own,
        found["seconds"], "s", f">= {AIM:g}x", found["seconds"] >= AIM * own and gap < 1e-5, f"equal to {gap:.1g}",
        f"scikit-dimension 0.5.0, `skdim.id.MLE`; {threads} threads each",
    )  # fmt: skip
