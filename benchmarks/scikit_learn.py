"""Against scikit-learn's ``mutual_info_classif(discrete_features=True)`` on coded columns, one thread each."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import polars as pl
from sklearn.feature_selection import mutual_info_classif

from benchmarks.harness import Row, Settings, paired
from salience.measures.coded import coded_information
from salience.tabular import StreamRanker

ROWS, COLUMNS = 200_000, 100
AIM = 30.0


def benchmark(settings: Settings) -> Iterator[Row]:
    """The whole estimator, then only counting and the formula."""
    rows = settings.scaled(ROWS)
    X, y = coded(rows, COLUMNS)
    frame = pl.DataFrame({f"c{i:03d}": X[:, i] for i in range(COLUMNS)})
    # Categories, as discrete_features=True says: no bins.
    spec = {name: {"kind": "number", "edges": None} for name in frame.columns}
    ranker = StreamRanker(null="none", spec=spec, n_jobs=settings.threads)
    theirs = mutual_info_classif(X, y, discrete_features=True)

    ranker.fit(frame, y)
    scores = ranker.scores_.frame
    found = dict(zip(scores["column"], scores["mi"], strict=True))
    gap = max(abs(found[f"c{i:03d}"] - theirs[i]) for i in range(COLUMNS))
    own, peer = paired(
        partial(ranker.fit, frame, y),
        partial(mutual_info_classif, X, y, discrete_features=True, n_jobs=settings.threads),
        settings.runs,
    )
    yield Row(
        f"`StreamRanker` against `mutual_info_classif`, {COLUMNS} columns x {rows // 1000}k",
        own, peer, "s", "-", None, f"raw MI equal to {gap:.1g}",
        f"{settings.threads} threads each; ours plans, hashes, corrects for chance and gives errors too",
    )  # fmt: skip

    def measured() -> np.ndarray:
        return coded_information(X, y, null=False, threads=settings.threads).mi

    gap = float(np.abs(measured() - theirs).max())
    peer_call = partial(mutual_info_classif, X, y, discrete_features=True, n_jobs=settings.threads)
    own, peer = paired(measured, peer_call, settings.runs)
    yield Row(
        f"`coded_information` against `mutual_info_classif`, the same {COLUMNS} coded columns",
        own, peer, "s", f">= {AIM:g}x", gap <= 1e-9 and peer >= AIM * own, f"raw MI equal to {gap:.1g}",
        f"{settings.threads} threads each",
    )  # fmt: skip


def coded(rows: int, columns: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Columns of codes, int32, cardinalities from 2 to a fifth of the rows, and a label that follows some."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, rows, dtype=np.int32)
    sizes = np.geomspace(2, rows // 5, columns).round().astype(int)
    X = np.empty((rows, columns), dtype=np.int32)
    for i, size in enumerate(sizes):
        x = rng.integers(0, size, rows, dtype=np.int32)
        X[:, i] = np.where(rng.random(rows) < 0.1 * (i % 3), x - x % 2 + y, x) % size
    return X, y
