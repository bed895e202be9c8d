"""Is ``--memory`` a promise? What was asked and what was used, over tables that are hard to hold.

Each case is the real command in a process of its own. What counts is the peak of its resident set
(``VmHWM``, Linux only), with the pages of mapped files: libraries, code and data. A command may refuse at the start and
say what it needs; one that goes on must stay within what was given.

::

    python -m benchmarks.memory           # all cases
    python -m benchmarks.memory wide cells # those whose name begins so
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.harness import REPOSITORY, Row, Settings, attempt, ours_environment

ASKED = ("256MB", "300MB", "400MB", "512MB", "1GB", "2GB", "4GB")
_UNITS = {"MB": 10**6, "GB": 10**9}
_BLOCK = 50_000  # rows that are drawn at once
_CELL = 2 << 20
_REFUSED = re.compile(r"give at least (\S+)")


@dataclass(frozen=True)
class Case:
    """A table, how it is ranked, and which sizes are asked for.

    Attributes
    ----------
    write : callable
        Writes the table to a path; its ending says the format.
    more : tuple of str
        Further options of ``rank``.
    """

    write: Callable[[Path, Settings], None]
    formats: tuple[str, ...] = ("parquet", "csv")
    more: tuple[str, ...] = ()
    asked: tuple[str, ...] = ASKED


def benchmark(settings: Settings, only: tuple[str, ...] = ()) -> Iterator[Row]:
    """Asked and used, for every case."""
    folder = settings.data / "memory"
    folder.mkdir(parents=True, exist_ok=True)
    for name, case in CASES.items():
        if only and not name.startswith(only):
            continue
        for format in case.formats:
            yield from attempt(
                f"memory: {name}", lambda c=case, n=name, f=format: _rows(c, n, f, folder, settings)
            )


def _rows(case: Case, name: str, format: str, folder: Path, settings: Settings) -> Iterator[Row]:
    path = folder / f"{name.split(',')[0].replace(' ', '-')}.{format}"
    if not path.exists():
        beside = path.with_name(f"partial-{path.name}")
        case.write(beside, settings)
        beside.replace(path)
    for asked in case.asked:
        limit = float(asked[:-2]) * _UNITS[asked[-2:]]
        used, seconds, output, code = _ranked(path, asked, case.more, settings)
        needed = _REFUSED.search(output)
        if code and needed is None:
            raise RuntimeError(f"the command ended with code {code}:\n{output[-2000:]}")
        said = f"refused: needs {needed[1]}" if code and needed else f"{seconds:.0f} s of processors"
        yield Row(f"rank {name}, {format}, --memory {asked}", used / 10**6, None, "MB", "<= asked, or refused",
                  bool(code) or used <= limit, "-", said)  # fmt: skip


def _ranked(path: Path, asked: str, more: tuple[str, ...], settings: Settings) -> tuple[int, float, str, int]:
    """Peak bytes, seconds of processors, output and code of one command."""
    with tempfile.TemporaryDirectory() as runs:
        command = [sys.executable, "-m", "salience", "rank", str(path), "--target", "y", "--memory", asked,
                   "--threads", str(settings.threads), "--output", runs, *more]  # fmt: skip
        with tempfile.TemporaryFile("w+") as said:
            process = subprocess.Popen(
                command, stdout=said, stderr=said, cwd=REPOSITORY, env=ours_environment()
            )
            peak, done = 0, 0
            while (
                not done
            ):  # the kernel's own maximum counts what this process held before it became the command
                peak = max(peak, _high_water(process.pid))
                time.sleep(0.02)
                done, status, usage = os.wait4(process.pid, os.WNOHANG)
            process.returncode = os.waitstatus_to_exitcode(status)
            said.seek(0)
            output = " ".join(said.read().split())
    return peak, usage.ru_utime + usage.ru_stime, output, process.returncode


def _high_water(pid: int) -> int:
    """Largest resident set of a process so far; 0 when it is gone."""
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0
    return 1024 * int(found[1]) if found else 0


def _table(draw: Callable[[np.random.Generator, int], dict[str, pa.Array]], rows: int, block: int = _BLOCK,
           **how: int) -> Callable[[Path, Settings], None]:  # fmt: skip
    """Writes so many rows, drawn a block at a time, the label `y` among them."""

    def write(path: Path, settings: Settings) -> None:
        rng, writer, left = np.random.default_rng(0), None, settings.scaled(rows) if rows > 10_000 else rows
        while left:
            n = min(block, left)
            columns = {**draw(rng, n), "y": pa.array(rng.integers(0, 2, n))}
            table = pa.table(columns)
            writer = writer or _Writer(path, table.schema)
            writer.add(table, **how)
            left -= n
        assert writer is not None
        writer.close()

    return write


class _Writer:
    """Parquet or CSV, a block after the other."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        import pyarrow.csv

        make = pq.ParquetWriter if path.suffix == ".parquet" else pyarrow.csv.CSVWriter
        self._file = make(path, schema)

    def add(self, table: pa.Table, **how: int) -> None:
        parquet = isinstance(self._file, pq.ParquetWriter)
        self._file.write_table(table, **(how if parquet else {}))

    def close(self) -> None:
        self._file.close()


def _integers(columns: int, values: int) -> Callable[[np.random.Generator, int], dict[str, pa.Array]]:
    return lambda rng, n: {f"c{i:03d}": pa.array(rng.integers(0, values, n)) for i in range(columns)}


def _texts(columns: int, values: int) -> Callable[[np.random.Generator, int], dict[str, pa.Array]]:
    def draw(rng: np.random.Generator, n: int) -> dict[str, pa.Array]:
        numbers = _integers(columns, values)(rng, n)
        prefix = pa.scalar("value-")
        return {
            name: pc.binary_join_element_wise(prefix, c.cast(pa.string()), "") for name, c in numbers.items()
        }

    return draw


def _cells(rng: np.random.Generator, n: int) -> dict[str, pa.Array]:
    long = [rng.integers(97, 123, _CELL, np.uint8).tobytes().decode() for _ in range(n)]
    return {"short": pa.array(rng.integers(0, 9, n)), "long": pa.array(long, pa.large_string())}


def _one_group(path: Path, settings: Settings) -> None:
    """Two gigabytes of integers as one row group."""
    rows, rng = settings.scaled(16_000_000), np.random.default_rng(0)
    table = pa.table(
        {**{f"c{i:02d}": rng.integers(0, 10**6, rows) for i in range(15)}, "y": rng.integers(0, 2, rows)}
    )
    pq.write_table(table, path, row_group_size=rows, use_dictionary=False)


CASES = {
    "100 integer columns, 1 M rows": Case(_table(_integers(100, 1_000_000), 1_000_000)),
    "100 text columns of 1 M values, 1 M rows": Case(_table(_texts(100, 1_000_000), 1_000_000)),
    "cells of 2 MB, 300 rows": Case(_table(_cells, 300, 20)),
    "cells in pages of their own, 300 rows of 2 MB": Case(_table(_cells, 300, 1), ("parquet",)),
    "pairs of 100 columns, 200 k rows": Case(_table(_integers(100, 1_000), 200_000), ("parquet",), ("--pairs",)),
    "one row group of 2 GB": Case(_one_group, ("parquet",)),
    "wide, 250 k rows x 800 columns": Case(_table(_integers(800, 100_000), 250_000, 25_000)),
}  # fmt: skip


def main() -> None:
    """Print what the cases found as they come."""
    settings = Settings(data=Path(os.environ.get("BENCHMARK_DATA", tempfile.gettempdir())))
    for row in benchmark(settings, tuple(sys.argv[1:])):
        print(" | ".join(row.cells()), flush=True)


if __name__ == "__main__":
    main()
