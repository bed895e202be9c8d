"""Against the package outrank 0.97.5: the whole command on one CSV file, and its kernel on the same codes.

The package runs in an environment of its own, made under the cache folder. Its command polls its pool of
processes every four seconds in each batch; that is part of what a person waits for, and part of what is measured.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
from scipy.stats import spearmanr

from benchmarks.harness import Row, Settings, alternate, attempt, seconds, watch
from benchmarks.peer_environment import outrank_environment, peer_variables
from benchmarks.scale_data import Wide, csv, parquet
from salience.measures.nulls import shift_score

ROWS, COLUMNS = 200_000, 100
AIM, WANTED = 60.0, 150.0
BATCH = 16_384
KERNEL_AIMS = {2: 1.0, 10: 1.0, 1000: 10.0, 10_000: 10.0}  # values of the column: times as fast at least

KERNEL = r"""
import json, sys, time
import numpy as np
from outrank.algorithms.feature_ranking.ranking_mi_numba import mutual_info_estimator_numba as score

folder, repeats = sys.argv[1], int(sys.argv[2])
y = np.load(folder + "/label.npy")
found = {}
for name in sys.argv[3:]:
    x = np.load(f"{folder}/{name}.npy")
    value = score(x, y, np.float32(1.0), True)  # compiles
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        score(x, y, np.float32(1.0), True)
        times.append(time.perf_counter() - start)
    found[name] = [float(value), sorted(times)[len(times) // 2]]
print(json.dumps(found))
"""


def benchmark(settings: Settings) -> Iterator[Row]:
    """The command, then the kernel."""
    binaries = outrank_environment(settings.cache)
    yield from attempt("outrank: whole command", partial(_command, settings, binaries))
    yield from attempt("outrank: kernel", partial(_kernel, settings, binaries))
    yield from attempt("outrank: equality", partial(_equality, binaries))


def _command(settings: Settings, binaries: Path) -> Iterable[Row]:
    rows = settings.scaled(ROWS)
    recipe = Wide(columns=COLUMNS, largest=rows // 2)
    file = csv(parquet(settings.data, recipe, rows))
    work = settings.data / "outrank-runs"
    shutil.rmtree(work, ignore_errors=True)
    (work / "data").mkdir(parents=True)
    (work / "data" / "data.csv").symlink_to(file.resolve())  # the name it expects
    theirs = [
        str(binaries / "outrank"), "--task", "ranking", "--data_path", str(work / "data"), "--data_source", "csv-raw",
        "--heuristic", "MI-numba-randomized", "--target_ranking_only", "True", "--subsampling", "1",
        "--label_column", "y", "--num_threads", str(settings.threads), "--output_folder", str(work / "theirs"),
        "--disable_tqdm", "True", "--include_cardinality_in_feature_names", "False",
    ]  # fmt: skip
    ours = [
        sys.executable, "-m", "salience", "rank", str(file), "--target", "y", "--no-controls", "--force",
        "--threads", str(settings.threads), "--output", str(work), "--name",
    ]  # fmt: skip
    try:
        watch(theirs, environment=peer_variables()).checked()  # compiles its kernels, fills the file cache
        watch([*ours, "preset", "--preset", "outrank"]).checked()
        agreement = _agreement(work, recipe)
        watch([*ours, "default"]).checked()
        found = pl.read_parquet(work / "default" / "scores.parquet").sort("rank")["column"].head(3).to_list()
        own, peer = alternate(
            lambda: seconds(lambda: watch([*ours, "default"]).checked()),
            lambda: seconds(lambda: watch(theirs, environment=peer_variables()).checked()),
            settings.runs,
        )
        preset = seconds(lambda: watch([*ours, "preset", "--preset", "outrank"]).checked())
    finally:
        shutil.rmtree(work, ignore_errors=True)
    planted = len(set(found) & set(recipe.informative))
    yield Row(
        f"`salience rank` against `outrank --task ranking`, {rows // 1000}k x {COLUMNS} CSV, whole commands",
        own, peer, "s", f">= {AIM:g}x ({WANTED:g}x wanted)", agreement >= 0.999 and peer >= AIM * own,
        f"Spearman of the scores with `--preset outrank`: {agreement:.6f}",
        f"default score finds {planted} of 3 planted on top; `--preset outrank` takes {preset:.1f} s",
    )  # fmt: skip


def _agreement(work: Path, recipe: Wide) -> float:
    """Spearman's rho of both sides' scores of the columns with the label."""
    peer = pl.read_csv(work / "theirs" / "pairwise_ranks.tsv", separator="\t").filter(
        (pl.col("FeatureB") == recipe.label) & (pl.col("FeatureA") != recipe.label)
    )
    own = pl.read_parquet(work / "preset" / "scores.parquet")
    both = own.join(peer, left_on="column", right_on="FeatureA")
    if len(both) < len(recipe.cardinalities):
        return float("nan")
    return float(spearmanr(both["value"], both["Score"]).statistic)


def _kernel(settings: Settings, binaries: Path) -> Iterable[Row]:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, BATCH, dtype=np.int32)
    columns: dict[int, np.ndarray] = {}
    for size in KERNEL_AIMS:
        x = rng.integers(0, size, BATCH)
        columns[size] = np.where(rng.random(BATCH) < 0.2, 2 * (x // 2) + y, x).astype(
            np.int32
        )  # carries something
    folder = settings.data / "kernel"
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "label.npy", y)
    for size, x in columns.items():
        np.save(folder / f"{size}.npy", x)
    repeats = max(settings.runs, 5) * 4
    command = [str(binaries / "python"), "-c", KERNEL, str(folder), str(repeats), *map(str, columns)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=peer_variables())
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    peer = json.loads(done.stdout)
    for size, x in columns.items():
        score = shift_score(x, y, compat=True)
        own = float(np.median([seconds(partial(shift_score, x, y, compat=True)) for _ in range(repeats)]))
        theirs, their_seconds = peer[str(size)]
        gap = abs(score - theirs)
        aim = KERNEL_AIMS[size]
        yield Row(
            f"kernel, shifted score of a batch of {BATCH:,} rows, {size:,} values",
            own * 1e3, their_seconds * 1e3, "ms", f">= {aim:g}x", gap <= 1e-3 and their_seconds >= aim * own,
            f"equal to {gap:.1g} (its kernel is float32)", f"median of {repeats}",
        )  # fmt: skip


def _equality(binaries: Path) -> Iterator[Row]:
    """Are all scores of all batches those of the package? Its kernels run without a compiler here, in float64."""
    done = watch([sys.executable, "benchmarks/outrank_equality.py", "--python", str(binaries / "python")])
    cases = [line for line in done.output.splitlines() if line.endswith(("equal", "DIFFERENT"))]
    equal = sum(not line.endswith("DIFFERENT") for line in cases)
    yield Row(
        '`preset="outrank"`, batch by batch, against the package', done.seconds, None, "s", "equal to 1e-9",
        done.code == 0 and equal == len(cases) > 0, f"{equal} of {len(cases)} cases equal",
        "" if done.code == 0 else " ".join(done.output[-200:].split()),
    )  # fmt: skip
