"""Does ``preset="outrank"`` give the numbers of the package outrank 0.97.5?

Both sides rank the same file in one run; the scores of every batch and the medians are compared pair by pair.
The package needs an interpreter of its own (it wants pandas < 3, and xxhash that takes str)::

    python -m venv peer && peer/bin/pip install "outrank==0.97.5" "pandas<3" "xxhash<3.6"
    python benchmarks/outrank_equality.py --python peer/bin/python

Its own pipeline does the work: parsing, subsampling, batches, category codes, scheduling, median; only the
process pool is replaced by a loop. By default its kernels run un-jitted, which makes them float64, and the
answers must agree to 1e-9. ``--jit`` runs them as shipped, in float32 with fastmath: then to 1e-4.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from salience.tabular.outrank import outrank_batches

PEER = r"""
import json, logging, sys, time, types
import numpy as np
import outrank.core_ranking as core

folder, options = sys.argv[1], json.loads(sys.argv[2])


class Loop:  # stands in for the process pool
    def __enter__(self): return self
    def __exit__(self, *_): return False
    def amap(self, f, items):
        found = [f(item) for item in items]
        return types.SimpleNamespace(ready=lambda: True, get=lambda: found)


class Quiet:
    def set_description(self, *_): pass
    def update(self, *_): pass
    def close(self): pass


raw = []  # (number of the batch, a, b, score)
ranked = core.mixed_rank_graph


def noted(*everything):
    summary = ranked(*everything)
    number = raw[-1][0] + 1 if raw else 0
    raw.extend((number, a, b, float(score)) for a, b, score in summary.triplet_scores)
    return summary


core.mixed_rank_graph = noted
core.checkpoint_importances_df = lambda triplets: None
core.tqdm.tqdm = lambda *a, **k: Quiet()
args = types.SimpleNamespace(
    task="ranking", heuristic="MI-numba-randomized", data_source="csv-raw", label_column="y",
    missing_value_symbols=",{}", feature_set_focus=None, transformers="none", disable_tqdm="True",
    explode_multivalue_features="False", subfeature_mapping="False", reference_model_JSON="",
    include_noise_baseline_features="False",
    max_unique_hist_constraint=30000, rare_value_count_upper_bound=1, mi_stratified_sampling_ratio=1.0,
    num_threads=1, **options,
)
path = folder + "/data.csv"
header = open(path).readline().strip().split(",")
start = time.perf_counter()
result = core.estimate_importances_minibatches(
    path, header, {}, set(), args=args, data_encoding="utf-8", cpu_pool=Loop(), delimiter=",",
    logger=logging.getLogger("peer"),
)
seconds = time.perf_counter() - start
median = [[a, b, float(s)] for a, b, s in result[1].itertuples(index=False)]
json.dump({"median": median, "single": raw, "seconds": seconds}, open(folder + "/peer.json", "w"))
"""


def write_data(path: Path, rows: int, seed: int = 0) -> None:
    """Columns of many cardinalities, with empty cells, a copy of the label, a constant and a row id."""
    rng = np.random.default_rng(seed)
    y = (rng.random(rows) < 0.3).astype(int)
    columns: dict[str, Any] = {
        "weak": np.where(rng.random(rows) < 0.6, y, 1 - y),
        "copy": y,
        "inverse": 1 - y,
        "constant": np.zeros(rows, dtype=int),
        "city": [("" if c > 40 else f"c{c}") for c in rng.zipf(1.3, rows)],
        "y": [f"l{v}" for v in y],
        "sparse": [("" if u < 0.9 else "{}" if u < 0.95 else "x") for u in rng.random(rows)],
        "three": rng.integers(3, size=rows),
        "hundred": rng.integers(100, size=rows),
        "thousand": rng.integers(1000, size=rows) + 200 * y,
        "rowid": np.arange(rows),
    }
    pl.DataFrame(columns).write_csv(path)


Found = dict[tuple[str, str], list[float]]


def ours(path: Path, options: dict[str, Any]) -> tuple[Found, float]:
    """The median of each pair, then its scores in the batches, in their order; and seconds."""
    start = time.perf_counter()
    run = outrank_batches(
        path,
        "y",
        batch_rows=options["minibatch_size"],
        subsample=options["subsampling"],
        scope="target" if options["target_ranking_only"] == "True" else "all",
        order=options["interaction_order"],
        pair_budget=options["combination_number_upper_bound"],
    )
    seconds = time.perf_counter() - start
    frame = run.pairs.frame
    found = {(a, b): [s] for a, b, s in frame.select("a", "b", "value").iter_rows()}
    by_batch = pl.from_arrow(run.log.to_arrow())
    assert isinstance(by_batch, pl.DataFrame)
    for (item,), scores in by_batch.sort("batch").group_by("item", maintain_order=True):
        found[frame["a"][item], frame["b"][item]] += scores["score"].to_list()
    return found, seconds


def package(peer: dict[str, Any]) -> Found:
    """The same of the package, which notes a pair in both directions, and a diagonal one up to four times."""
    found: Found = {(a, b): [score] for a, b, score in peer["median"]}
    last: dict[tuple[str, str], int] = {}
    for number, a, b, score in peer["single"]:
        if last.get((a, b)) != number:
            last[a, b] = number
            found[a, b].append(score)
    return found


CASES: dict[str, dict[str, Any]] = {
    "target only": {"target_ranking_only": "True", "interaction_order": 1, "subsampling": 1},
    "every 3rd line": {"target_ranking_only": "True", "interaction_order": 1, "subsampling": 3},
    "all pairs": {"target_ranking_only": "False", "interaction_order": 1, "subsampling": 1},
    "combinations of two": {"target_ranking_only": "True", "interaction_order": 2, "subsampling": 1},
    "a cap of 5 pairs": {
        "target_ranking_only": "True",
        "interaction_order": 1,
        "subsampling": 1,
        "combination_number_upper_bound": 5,
    },
}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--python", required=True, help="interpreter that has outrank 0.97.5")
    parser.add_argument("--rows", type=int, default=14_500)
    parser.add_argument("--batch", type=int, default=4096)
    parser.add_argument(
        "--jit", action="store_true", help="the package's kernels as shipped: float32, jitted"
    )
    options = parser.parse_args()
    tolerance = 1e-4 if options.jit else 1e-9
    environment = dict(os.environ, NUMBA_DISABLE_JIT="0" if options.jit else "1")
    environment.pop("PYTHONPATH", None)
    print(f"{'case':22} {'pairs':>6} {'largest gap':>12} {'package s':>10} {'salience s':>11}   verdict")
    agree = True
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.csv"
        write_data(path, options.rows)
        for name, case in CASES.items():
            case = {"combination_number_upper_bound": 2**15, "minibatch_size": options.batch, **case}
            command = [options.python, "-c", PEER, folder, json.dumps(case)]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            if done.returncode:
                print(done.stderr[-2000:], file=sys.stderr)
                raise SystemExit(f"The package failed on {name!r}.")
            peer = json.loads((Path(folder) / "peer.json").read_text())
            theirs = package(peer)
            found, seconds = ours(path, case)
            same = {frozenset(p) for p in theirs} == {frozenset(p) for p in found}
            same &= all(len(theirs[pair]) == len(scores) for pair, scores in found.items())
            gap = max(np.abs(np.subtract(theirs[p], found[p])).max() for p in found) if same else np.inf
            holds = gap <= tolerance
            agree &= holds
            verdict = "equal" if holds else "DIFFERENT"
            print(f"{name:22} {len(found):6} {gap:12.2e} {peer['seconds']:10.2f} {seconds:11.2f}   {verdict}")
    return 0 if agree else 1


if __name__ == "__main__":
    raise SystemExit(main())
