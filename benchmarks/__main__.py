"""Run the benchmarks, print one Markdown table and write ``benchmarks/results.md``."""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from benchmarks.harness import ERROR, Row, Settings, attempt, machine, markdown

BENCHMARKS = {
    "scale": "20 M rows x 50 columns: time, memory, cluster, kill and resume",
    "memory": "what --memory asks and what is used: wide, long and huge tables, CSV and Parquet",
    "outrank": "the package outrank 0.97.5, end to end and its kernel",
    "sklearn": "mutual_info_classif",
    "polars": "group_by(column, label).len() of polars, streaming",
    "kan": "pykan 0.2.8, the form of efficient-kan, permutation importance of a forest",
    "costs": "what the null adds; all pairs of 100 columns",
    "dhondt": "dhondtxai 0.9.5.6, single predictions; apportionment 1.0, seats",
    "rashomon": "generalized-rashomon-set 0.2.0: masks, main effects and interactions of four models",
    "quickselection": "a masked dense torch autoencoder; the official formulas in SciPy and NumPy",
    "responsiveness": "responsiveness scores of the package reachml 0.2.0a1",
    "lexrank": "lexrank 0.1.0 and sumy 0.13.0, scores equal; memory below all pairs",
    "screening": "mutual_info_regression, fasthdmi 1.25.26; statsmodels MixedLM",
    "sparse_linear": "paths of skglm 0.5, one fit of nonconvexAG 1.1.6, iterations of the solvers",
    "dsir": "data-selection 1.0.3 with both hashes; 10 M documents, here and on two Dask workers",
    "distillation": "a step by two distances against labels alone and a live teacher; the choice of RDED",
    "dimension": "pointwise intrinsic dimension by scikit-dimension 0.5.0",
    "neighbors": "faiss IndexFlat, one metric and three; the bootstrap; an audit of 1 M mapped vectors",
    "nested": "one masked product per length; wrong labels by cleanlab 2.9.0",
    "gais": "imbalanced-learn 0.14.2: condensed nearest neighbours, instance hardness; growth to 100k rows",
}
MODULES = {"outrank": "outrank_package", "sklearn": "scikit_learn", "polars": "polars_group_by"}
RESULTS = Path(__file__).parent / "results.md"


def main() -> int:
    """Run what was asked for; 1 when a benchmark could not run. A verdict never fails the run."""
    temporary = Path(tempfile.gettempdir())
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(BENCHMARKS)}; default: all")
    parser.add_argument(
        "--quick", action="store_true", help="a trial on a twentieth of the rows; writes no results.md"
    )
    parser.add_argument("--runs", type=int, default=5, help="paired runs of which the median is taken")
    parser.add_argument("--rows", type=int, help="rows of the scale benchmark")
    parser.add_argument(
        "--data", type=Path, default=temporary / "salience-benchmark-data", help="kept between runs"
    )
    parser.add_argument(
        "--cache", type=Path, default=temporary / "salience-peers", help="environments of peers"
    )
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    unknown = [name for name in given.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"no benchmark named {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    if given.runs < 1:
        parser.error(f"--runs {given.runs}: at least one run is needed")
    settings = Settings(given.quick, given.runs, given.rows, given.data, given.cache, given.threads)
    head = machine()
    rows: list[Row] = []
    for name in given.names or BENCHMARKS:
        started = time.perf_counter()
        module = importlib.import_module(f"benchmarks.{MODULES.get(name, name)}")
        for row in attempt(name, partial(module.benchmark, settings)):
            rows.append(row)
            print(" | ".join(row.cells()), file=sys.stderr, flush=True)
        print(f"{name}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
    failed = any(row.equal == ERROR for row in rows)
    table = markdown(rows)
    print(f"{head}\n\n{table}")
    whole = not (given.quick or given.rows or failed)
    if whole and not given.names:
        RESULTS.write_text(_page(head, table, settings))
        print(f"\nwritten to {RESULTS}", file=sys.stderr)
    return int(failed)


def _page(head: str, table: str, settings: Settings) -> str:
    return (
        f"# Benchmarks\n\n`python -m benchmarks`, both sides in one run, results compared first, medians of {settings.runs} "
        f"paired runs, {settings.threads} threads.\n\n{head}\n\n{table}\n"
    )


if __name__ == "__main__":
    sys.exit(main())
