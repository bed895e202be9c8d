"""Small programs that `scale` runs in processes of their own: read a file, or rank it on two Dask workers.

::

    python -m benchmarks.scale_runner read FILE LABEL THREADS
    python -m benchmarks.scale_runner dask FILE LABEL FOLDER [kill]
"""

from __future__ import annotations

import os
import signal
import sys
import time
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


def dask(path: str, label: str, folder: str, kill: str = "") -> None:
    """Rank on a cluster of two worker processes; with "kill", one of them dies of SIGKILL half way."""
    from distributed import Client, LocalCluster

    from salience.tabular.ranking import StreamRanker

    killed: list[int] = []
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, memory_limit=None
        ) as cluster,
        Client(cluster) as client,
    ):

        def progress(done: int, total: int) -> None:
            if kill and not killed and 2 * done >= total:
                pid = next(iter(cluster.workers.values())).pid
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)
                print(f"killed after {done} of {total} rows")

        start = time.perf_counter()
        ranker = StreamRanker(label).fit(path, client=client, progress=progress)
        print("seconds", time.perf_counter() - start)
    ranker.scores_.save(Path(folder) / "scores.parquet")
    if kill and not killed:
        sys.exit("no worker was killed: the scan ended before half of it was reported")


if __name__ == "__main__":
    {"read": read, "dask": dask}[sys.argv[1]](*sys.argv[2:])
