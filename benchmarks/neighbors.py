"""Exact neighbours against faiss's flat search and a full sort in numpy; the bootstrap; the memory of an audit.

Vectors are drawn: normal with a spectrum that falls, as that of embeddings does. Answers are compared first: faiss gives
ties in any order and measures in float32, so its ids may differ where distances agree to its last digits.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import faiss
import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.harness import Row, Settings, paired, seconds, watch
from salience.measures.neighbors import METRICS, nearest, nearest_by
from salience.vectors.iceberg.funnel import Worth

ROWS, QUERIES, K = 60_000, 2_000, 100
WIDTHS = (128, 768)  # of descriptors of pictures; of the smallest embedding that the paper has
NAIVE_QUERIES = 200
AUDIT_ROWS, AUDIT_WIDTH = 1_000_000, 128
MIB, GIB = 2**20, 2**30
FLAT = {"l2": faiss.IndexFlatL2, "ip": faiss.IndexFlatIP}


def benchmark(settings: Settings) -> Iterator[Row]:
    """Searches on so many threads as both sides get, then what an audit adds."""
    faiss.omp_set_num_threads(settings.threads)
    with threadpool_limits(settings.threads, "blas"):
        for width in WIDTHS:
            yield from _against_faiss(settings, width)
        yield _against_a_sort(settings)
    yield _bootstrap(settings)
    yield _memory(settings)


def _vectors(rows: int, width: int, seed: int) -> np.ndarray:
    spectrum = (1 + np.arange(width)) ** -0.5
    return (np.random.default_rng(seed).normal(size=(rows, width)) * spectrum).astype(np.float32)


def _against_faiss(settings: Settings, width: int) -> Iterator[Row]:
    base, queries = _vectors(settings.scaled(ROWS), width, 0), _vectors(settings.scaled(QUERIES), width, 1)
    unit, directions = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (base, queries))
    searches = {}
    for metric, (rows, asked) in {
        "l2": (base, queries),
        "ip": (base, queries),
        "cosine": (unit, directions),
    }.items():
        index = FLAT.get(metric, faiss.IndexFlatIP)(width)
        index.add(rows)
        searches[metric] = partial(index.search, asked, K)
    size = f"{len(base)} x {width}, {len(queries)} queries, k={K}"
    for metric in FLAT:
        ours, theirs = nearest(base, queries, K, metric=metric)[0], searches[metric]()[1]
        shared, equal = _shared(ours, theirs)
        took, peer = paired(
            partial(nearest, base, queries, K, metric=metric), searches[metric], settings.runs
        )
        yield Row(
            f"`nearest(metric={metric!r})` against faiss {faiss.__version__}, {size}", took, peer, "s", "<= 1.2x of faiss",
            shared > 0.999 and took <= 1.2 * peer, equal, "ours decides in float64 and gives ties to the lower row",
        )  # fmt: skip
    found = nearest_by(base, queries, K)
    shared = min(_shared(found[metric][0], searches[metric]()[1])[0] for metric in METRICS)
    took, peer = paired(
        partial(nearest_by, base, queries, K),
        lambda: [search() for search in searches.values()],
        settings.runs,
    )
    yield Row(
        f"`nearest_by`, three metrics in one pass, against three faiss searches, {size}", took, peer, "s", ">= 2x",
        shared > 0.999 and peer >= 2 * took, f"at least {shared:.4%} of the ids shared",
        "faiss is given the vectors of length 1 for the cosine; making them is not timed",
    )  # fmt: skip


def _shared(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, str]:
    same = np.mean([len(set(a) & set(b)) / K for a, b in zip(ours.tolist(), theirs.tolist(), strict=True)])
    return float(same), f"{same:.4%} of the ids shared"


def _against_a_sort(settings: Settings) -> Row:
    base, queries = _vectors(settings.scaled(ROWS), WIDTHS[0], 0), _vectors(NAIVE_QUERIES, WIDTHS[0], 1)

    def naive() -> np.ndarray:
        distances = (queries**2).sum(1)[:, None] - 2 * queries @ base.T + (base**2).sum(1)
        return np.argsort(distances, axis=1)[:, :K]

    shared, equal = _shared(nearest(base, queries, K)[0], naive())
    took, peer = paired(partial(nearest, base, queries, K), naive, settings.runs)
    return Row(
        f"`nearest` against a full sort in numpy, {len(base)} x {WIDTHS[0]}, {NAIVE_QUERIES} queries, k={K}", took, peer, "s",
        ">= 5x", shared > 0.999 and peer >= 5 * took, equal,
    )  # fmt: skip


def _bootstrap(settings: Settings) -> Row:
    rng = np.random.default_rng(0)
    possible = rng.integers(50, 101, 10_000).astype(np.float64)
    found = np.floor(possible * rng.random((8, 10_000)))
    call = partial(Worth.of, found, possible, 200, 0)
    call()
    took = float(np.median([seconds(call) for _ in range(settings.runs)]))
    return Row(
        "200 resamples of 10,000 queries, 8 configurations", took, None, "s", "< 0.2 s", took < 0.2, "from sums per query"
    )  # fmt: skip


def _memory(settings: Settings) -> Row:
    rows = settings.scaled(AUDIT_ROWS)
    settings.data.mkdir(parents=True, exist_ok=True)
    file = settings.data / f"vectors-{rows}-{AUDIT_WIDTH}.npy"
    if not file.exists():
        part = np.lib.format.open_memmap(Path(f"{file}.part"), "w+", np.float32, (rows, AUDIT_WIDTH))
        for start in range(0, rows, 50_000):
            part[start : start + 50_000] = _vectors(min(50_000, rows - start), AUDIT_WIDTH, start + 2)
        part.flush()
        Path(f"{file}.part").rename(file)
    done = watch([sys.executable, "-m", "benchmarks.neighbors_runner", str(file)]).checked()
    over = (done.peak - file.stat().st_size) / GIB
    return Row(
        f"audit of {rows / 1e6:g} M x {AUDIT_WIDTH} float32 on disk, 1,000 queries: peak memory over the mapped file", over, None,
        "GiB", "< 1", over < 1, done.output.strip().splitlines()[-1], f"{done.seconds:.0f} s, start and imports included",
    )  # fmt: skip
