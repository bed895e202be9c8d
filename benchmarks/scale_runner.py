"""Small programs that `scale` runs in processes of their own: read a file, or rank it on two Dask workers.

::

    python -m benchmarks.scale_runner read FILE LABEL THREADS
    python -m benchmarks.scale_runner dask FILE LABEL FOLDER [SECONDS-UNTIL-A-WORKER-IS-KILLED]
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path


def read(path: str, label: str, threads: str) -> None:
    """Read all columns and drop them: the least that any tool must do. Prints seconds."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    pa.set_cpu_count(int(threads))
    start = time.perf_counter()
    schema = pq.read_schema(path)
    texts = [f.name for f in schema if pa.types.is_large_string(f.type) or pa.types.is_string(f.type)]
    rows = 0
    with pq.ParquetFile(path, read_dictionary=texts) as file:
        for batch in file.iter_batches(batch_size=65_536, use_threads=True):
            rows += batch.num_rows
    print(rows, label in schema.names, time.perf_counter() - start)


def dask(path: str, label: str, folder: str, kill_after: str = "") -> None:
    """Rank on a cluster of two worker processes; one of them dies of SIGKILL so many seconds into the fit.

    Prints the seconds of the fit, and how much was done when the worker died.
    """
    from distributed import Client, LocalCluster

    from salience.tabular.ranking import StreamRanker

    done: list[tuple[int, int]] = [(0, 0)]
    at_death: list[tuple[int, int]] = []
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, memory_limit=None
        ) as cluster,
        Client(cluster) as client,
    ):

        def kill() -> None:
            os.kill(next(iter(cluster.workers.values())).pid, signal.SIGKILL)
            at_death.append(done[-1])

        timer = threading.Timer(float(kill_after or 0), kill)
        start = time.perf_counter()
        if kill_after:
            timer.start()
        ranker = StreamRanker(label).fit(
            path, client=client, progress=lambda rows, total: done.append((rows, total))
        )
        print("seconds", time.perf_counter() - start)
        timer.cancel()
    ranker.scores_.save(Path(folder) / "scores.parquet")
    if kill_after:
        rows, total = at_death[0] if at_death else done[-1]
        if not at_death or (total and rows >= total):
            sys.exit("no worker was killed in time: the scan was over before")
        print(f"killed when {rows:,} of {total or ranker.plan_.rows:,} rows were reported")


if __name__ == "__main__":
    programs: dict[str, Callable[..., None]] = {"read": read, "dask": dask}
    programs[sys.argv[1]](*sys.argv[2:])
