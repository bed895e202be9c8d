"""DSIR against the package data-selection 1.0.3, and ten million documents on one machine and on two Dask workers.

The documents are generated: words by Zipf's law from a vocabulary per topic, so that unigrams repeat as those of
natural text do. With the SHA-256 hash, whole documents and no pseudo-count ours must give the package's weights, and
does before anything is timed.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.harness import Row, Settings, seconds, watch
from benchmarks.peer_environment import peer_environment, run_peer
from salience.instances import ImportanceResampler

REQUIREMENTS = ("data-selection==1.0.3",)
DOCUMENTS, TARGETS, SHARE = 20_000, 2_000, 0.1
SCALE_ROWS, SCALE_SELECT = 10_000_000, 100_000
AIMS = {"murmur3": 10.0, "sha256": 3.0}
GIB = 2**30
AIM_BYTES = 2.0 * GIB
_GROUP = 50_000  # rows of a row group


def benchmark(settings: Settings) -> Iterator[Row]:
    """Both hashes against the package, then size."""
    yield from _against_the_package(settings)
    yield from _at_size(settings)


def _drawn(rows: int, first: int, words: int) -> np.ndarray:
    """Words of the documents `first` and on, as numbers; one document of ten is about the topic of the target."""
    rng = np.random.default_rng([7, first])
    ranks = np.minimum(rng.zipf(1.15, (rows, words)) - 1, 49_999)
    topic = (np.arange(first, first + rows) % 10 == 0)[:, None]
    # frequent words are shared, rare ones belong to a topic
    return np.where(topic & (ranks >= 100), ranks + 50_000, ranks)


def _vocabulary() -> np.ndarray:
    rng = np.random.default_rng(0)
    letters = np.array(list("etaoinshrdlucmfwypvbgkqjxz"))
    lengths = np.clip(rng.poisson(4.5, 100_000) + 1, 1, 14)
    return np.array(
        ["".join(letters[np.minimum(rng.geometric(0.12, n) - 1, 25)]) for n in lengths], dtype=object
    )


def _against_the_package(settings: Settings) -> Iterator[Row]:
    peer = peer_environment(settings.cache, "data-selection-1.0.3", REQUIREMENTS)
    rows = settings.scaled(DOCUMENTS)
    vocabulary = _vocabulary()
    raw = [" ".join(vocabulary[line]) for line in _drawn(rows, 0, 100)]
    wanted = _drawn(10 * TARGETS, 10**9, 100)[::10]
    target = [" ".join(vocabulary[line]) for line in wanted]
    keep = int(rows * SHARE)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pl.DataFrame({"id": range(rows), "text": raw}).write_ndjson(folder / "raw.jsonl")
        pl.DataFrame({"text": target}).write_ndjson(folder / "target.jsonl")
        theirs = run_peer(
            peer, "data_selection_dsir", {"none": np.zeros(1)}, str(folder / "raw.jsonl"), str(folder / "target.jsonl"),
            str(keep), name, threads=1,
        )  # fmt: skip
        weights = np.load(folder / "weights.npy")
        for hash, aim in AIMS.items():
            ours = ImportanceResampler(
                keep, hash=hash, chunk_words=None, min_words=1, target_smoothing=0, raw_ngrams=None, top_k=True,
                column="text",
            )  # fmt: skip
            fit = partial(ours.fit, folder / "raw.jsonl", folder / "target.jsonl")
            fit()
            took = float(np.median([seconds(fit) for _ in range(min(settings.runs, 3))]))
            gap = float(np.abs(ours.log_weights_ - weights).max()) if hash == "sha256" else float("nan")
            same = set(ours.select().tolist()) == set(theirs["kept"])
            shared = len(set(ours.select().tolist()) & set(theirs["kept"])) / keep
            equal = (
                f"log weights within {gap:.1g}, {'the same' if same else 'NOT the same'} {keep}"
                if hash == "sha256"
                else f"{shared:.1%} of the choice shared (another hash)"
            )
            right = (gap < 1e-9 and same) if hash == "sha256" else shared > 0.9
            yield Row(
                f"`ImportanceResampler(hash='{hash}')` against data-selection, {rows} documents of 100 words, JSONL",
                took, theirs["seconds"], "s", f">= {aim:g}x", right and theirs["seconds"] >= aim * took, equal,
                f"one process and thread each; peer at {theirs['peak_bytes'] / GIB:.2f} GiB",
            )  # fmt: skip


def _at_size(settings: Settings) -> Iterator[Row]:
    rows = settings.rows or settings.scaled(SCALE_ROWS)
    keep = max(rows * SCALE_SELECT // SCALE_ROWS, 10)
    raw, target = _files(settings.data, rows)
    with tempfile.TemporaryDirectory() as name:
        found = {}
        for where in ("here", "dask"):
            out = Path(name) / f"{where}.npy"
            command = [
                sys.executable, "-m", "benchmarks.dsir_runner", where, str(raw), str(target), str(keep), str(out),
                str(settings.threads),
            ]  # fmt: skip
            found[where] = watch(command).checked(), np.load(out)
        done, chosen = found["here"]
        far, far_chosen = found["dask"]
    share = float((chosen % 10 == 0).mean())
    equal = f"{share:.1%} of the choice about the topic of the target"
    name = f"{rows / 1e6:g} M documents of 100 words, Parquet, {keep} kept"
    yield Row(f"DSIR on {name}: peak memory", done.peak / GIB, None, "GiB", "<= 2", done.peak <= AIM_BYTES, equal,
              f"{done.seconds:.0f} s with {settings.threads} threads, start and target included")  # fmt: skip
    same = np.array_equal(chosen, far_chosen)
    yield Row(
        "same, two Dask workers", far.seconds, done.seconds, "s", "the same choice", same,
        "identical" if same else "DIFFERENT", f"peak {far.peak / GIB:.2f} GiB with scheduler and client",
    )  # fmt: skip


def _files(folder: Path, rows: int) -> tuple[Path, Path]:
    """The pool and the target as Parquet, made when they are not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    raw, target = folder / f"dsir-{rows}.parquet", folder / "dsir-target.parquet"
    vocabulary = pa.array(_vocabulary().tolist())
    if not target.exists():
        _write(target, [_texts(vocabulary, _drawn(10 * TARGETS, 10**9, 100)[::10])])
    if not raw.exists():
        firsts = range(0, rows, _GROUP)
        _write(raw, (_texts(vocabulary, _drawn(min(_GROUP, rows - first), first, 100)) for first in firsts))
    return raw, target


def _texts(vocabulary: pa.Array, codes: np.ndarray) -> pa.Table:
    words = vocabulary.take(pa.array(codes.reshape(-1)))
    lists = pa.ListArray.from_arrays(
        pa.array(np.arange(0, codes.size + 1, codes.shape[1]), pa.int32()), words
    )
    return pa.table({"text": pc.binary_join(lists, " ")})


def _write(path: Path, tables: Iterable[pa.Table]) -> None:
    part = path.with_suffix(".part")
    with pq.ParquetWriter(part, pa.schema({"text": pa.string()}), compression="zstd") as writer:
        for table in tables:
            writer.write_table(table, row_group_size=_GROUP)
    part.rename(path)
