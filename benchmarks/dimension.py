"""Pointwise intrinsic dimension against scikit-dimension, whose maximum likelihood estimate has the same formula."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.harness import Row, Settings, seconds
from benchmarks.peer_environment import peer_environment, run_peer
from salience.data.generators import subspace_vectors
from salience.measures.dimension import local_dimension

ROWS, WIDTHS, NEIGHBOURS = 10_000, (64, 128, 768), 100
AIM = 3.0
REQUIREMENTS = ("scikit-dimension==0.5.0",)


def benchmark(settings: Settings) -> Iterator[Row]:
    """Three widths, one number of neighbours."""
    peer = peer_environment(settings.cache, "scikit-dimension-0.5.0", REQUIREMENTS)
    rows, runs = settings.scaled(ROWS), min(settings.runs, 3)
    for width in WIDTHS:
        X = subspace_vectors(rows, width, min(width, 64), normalise=False)
        found = run_peer(
            peer, "skdim_mle", {"X": X}, str(NEIGHBOURS), str(runs), str(settings.threads), threads=settings.threads
        )  # fmt: skip
        with threadpool_limits(settings.threads):
            ours = local_dimension(X, NEIGHBOURS)
            own = float(np.median([seconds(partial(local_dimension, X, NEIGHBOURS)) for _ in range(runs)]))
        gap = float(np.abs(ours / np.array(found["values"]) - 1).max())
        yield Row(
            f"pointwise intrinsic dimension, n = {rows:,}, d = {width}, k = {NEIGHBOURS}", own, found["seconds"], "s",
            f">= {AIM:g}x", found["seconds"] >= AIM * own and gap < 1e-5, f"equal to {gap:.1g}",
            f"scikit-dimension 0.5.0, `skdim.id.MLE`; {settings.threads} threads each",
        )  # fmt: skip
