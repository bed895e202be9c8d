"""Time two sides of a comparison in one run, and watch the memory of a command and all its children."""

from __future__ import annotations

import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class Row:
    """One line of the table: what was compared, both medians, the ratio and the aim."""

    name: str
    ours: float
    peer: float
    unit: str
    aim: str
    holds: bool | None
    equal: str
    note: str = ""

    def cells(self) -> list[str]:
        ratio = self.peer / self.ours if self.ours else float("nan")
        verdict = {True: "holds", False: "does not hold", None: "-"}[self.holds]
        return [
            self.name,
            f"{self.ours:.3g} {self.unit}",
            f"{self.peer:.3g} {self.unit}",
            f"{ratio:.3g}x",
            self.aim,
            verdict,
            self.equal,
            self.note,
        ]


HEADER = ["benchmark", "salience", "peer", "peer / salience", "aim", "verdict", "results", "note"]


def paired(ours: Callable[[], object], peer: Callable[[], object], runs: int = 5) -> tuple[float, float]:
    """Median seconds of both, run in turn after one warm-up of each, so that drift hits both alike."""
    ours()
    peer()
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(runs):
        for side, call in enumerate((ours, peer)):
            start = time.perf_counter()
            call()
            times[side].append(time.perf_counter() - start)
    return statistics.median(times[0]), statistics.median(times[1])


@dataclass(frozen=True)
class Watched:
    """A finished command: seconds, peak bytes (resident, summed over all processes: shared pages count once per process), output."""

    seconds: float
    peak: int
    output: str
    code: int


def watch(command: Sequence[str], every: float = 0.05, **options: object) -> Watched:
    """Run a command and sample the memory of its whole process tree."""
    start = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
    )  # type: ignore[call-overload]
    peak = 0
    done = threading.Event()

    def sample() -> None:
        nonlocal peak
        root = psutil.Process(process.pid)
        while not done.wait(every):
            total = 0
            try:
                tree = [root, *root.children(recursive=True)]
            except psutil.Error:
                return
            for one in tree:
                try:
                    total += one.memory_info().rss
                except psutil.Error:
                    continue
            peak = max(peak, total)

    sampler = threading.Thread(target=sample)
    sampler.start()
    output = process.communicate()[0]
    seconds = time.perf_counter() - start
    done.set()
    sampler.join()
    return Watched(seconds, peak, output, process.returncode)


def markdown(rows: Sequence[Row]) -> str:
    """The rows as one Markdown table."""
    lines = [" | ".join(HEADER), " | ".join("---" for _ in HEADER), *(" | ".join(r.cells()) for r in rows)]
    return "\n".join(f"| {line} |" for line in lines)
