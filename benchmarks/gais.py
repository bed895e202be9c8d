"""Rows kept by attention against imbalanced-learn, and how time and memory grow with the rows.

Selectors of rows do not keep the same rows, so what is compared first is the accuracy of 1-NN on rows held out.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from sklearn.datasets import make_classification
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from benchmarks.harness import Row, Settings, watch
from benchmarks.peer_environment import peer_environment, run_peer
from salience.instances import GraphAttentionSelector

PEER = ("imbalanced-learn==0.14.2", "scikit-learn<1.9")
SIZES = (5_000, 10_000)
GROWTH = (12_500, 25_000, 50_000, 100_000)
DOUBLED = 2.3  # at most so many times as long for twice the rows
MINUTES = 5.0 * 60


def benchmark(settings: Settings) -> Iterator[Row]:
    """Against both peers, then growth."""
    binaries = peer_environment(settings.cache, "imbalanced-learn-0.14.2", PEER)
    GraphAttentionSelector(epochs=1, random_state=0).fit(*table(200))  # imports are not what is timed
    for size in SIZES[:1] if settings.quick else SIZES:
        yield from against_peers(size, settings, binaries)
    yield from growth(settings)


def table(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Five classes of two clusters in ten of twenty columns, a hundredth of the labels wrong."""
    X, y = make_classification(
        rows, 20, n_informative=10, n_classes=5, n_clusters_per_class=2, class_sep=1.5, random_state=0
    )
    return StandardScaler().fit_transform(X), y


def against_peers(size: int, settings: Settings, binaries: Path) -> Iterator[Row]:
    X, y = table(2 * size)
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.5, stratify=y, random_state=0)

    def accuracy(rows: np.ndarray) -> float:
        return float(KNeighborsClassifier(1).fit(X[rows], y[rows]).score(X_test, y_test))

    rng = np.random.default_rng(0)
    for peer, name in (("cnn", "CondensedNearestNeighbour"), ("hardness", "InstanceHardnessThreshold")):
        found = run_peer(binaries, "imbalanced_learn_rows", {"X": X, "y": y}, peer, threads=1)
        theirs = np.array(found["rows"])
        times, kept = [], theirs
        for _ in range(min(settings.runs, 3)):
            start = time.perf_counter()
            selector = GraphAttentionSelector(rate=0.04, random_state=0).fit(X, y)
            times.append(time.perf_counter() - start)
            kept = selector.get_support(indices=True)
        own = float(np.median(times))
        by_chance = rng.permutation(size)[: len(kept)]
        aim = "faster" if peer == "cnn" else "-"
        yield Row(
            f"`GraphAttentionSelector` against `{name}` of imbalanced-learn 0.14.2, {size:,} rows of 20 columns",
            own, found["seconds"], "s", aim, None if aim == "-" else own < found["seconds"],
            f"1-NN {accuracy(kept):.3f} on {len(kept) / size:.1%} of the rows, theirs {accuracy(theirs):.3f} on "
            f"{len(theirs) / size:.1%}, random {accuracy(by_chance):.3f} on as many as ours",
            "one thread each; sizes differ: the peer chooses its own",
        )  # fmt: skip


def growth(settings: Settings) -> Iterator[Row]:
    """Seconds and peak of a process of its own, for twice the rows each time."""
    sizes = [settings.scaled(size) for size in GROWTH]
    measured = [_alone(size) for size in sizes]
    for before, after, (short, _), (long, peak) in zip(
        sizes, sizes[1:], measured, measured[1:], strict=False
    ):
        yield Row(
            f"`GraphAttentionSelector`, {after:,} rows against {before:,}",
            long / short, None, "x", f"<= {DOUBLED:g}x", long <= DOUBLED * short, "-",
            f"{long:.1f} s after {short:.1f} s; at most 64 batches are learned from; peak {peak / 2**20:.0f} MB",
        )  # fmt: skip
    yield Row(
        f"`GraphAttentionSelector`, {sizes[-1]:,} rows", measured[-1][0], None, "s", "minutes",
        measured[-1][0] <= MINUTES, "-", f"peak {measured[-1][1] / 2**20:.0f} MB, of the whole process",
    )  # fmt: skip


def _alone(rows: int) -> tuple[float, int]:
    command = [sys.executable, "-m", "benchmarks.gais", str(rows)]
    seconds, peak = watch(command).checked().output.split()[-2:]
    return float(seconds), int(peak)


if __name__ == "__main__":
    X, y = table(int(sys.argv[1]))
    GraphAttentionSelector(epochs=1, random_state=0).fit(X[:200], y[:200])
    start = time.perf_counter()
    GraphAttentionSelector(random_state=0).fit(X, y)
    print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
