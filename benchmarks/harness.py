"""Time two sides of a comparison in one run, and watch the memory of a command and all its children."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import psutil

REPOSITORY = Path(__file__).resolve().parents[1]
VERSIONS = ("numpy", "polars", "pyarrow", "numba", "scikit-learn", "distributed")


@dataclass(frozen=True)
class Settings:
    """What the command line decides for every benchmark.

    Attributes
    ----------
    quick : bool
        A trial: about a twentieth of the rows. Verdicts of a trial are not those of the benchmark.
    runs : int
        Paired runs of which the median is taken.
    rows : int or None
        Rows of the `scale` benchmark.
    data, cache : Path
        Where generated data is kept between runs, and where environments of peers are made.
    threads : int
        Of both sides.
    """

    quick: bool = False
    runs: int = 5
    rows: int | None = None
    data: Path = Path("benchmark-data")
    cache: Path = Path("benchmark-peers")
    threads: int = 2

    def scaled(self, rows: int) -> int:
        """The number of rows, or a twentieth of it in a trial."""
        return max(rows // 20, 1000) if self.quick else rows


@dataclass(frozen=True)
class Row:
    """One line of the table: what was compared, both medians, the ratio and the aim.

    `peer` is None where the aim is a limit and not another tool. `holds` is decided by whoever knows the
    aim; a row whose results are not equal never holds.
    """

    name: str
    ours: float
    peer: float | None
    unit: str
    aim: str
    holds: bool | None
    equal: str
    note: str = ""

    @property
    def ratio(self) -> float:
        """How many times the peer's number is ours: above 1, ours is smaller."""
        return self.peer / self.ours if self.peer is not None and self.ours else float("nan")

    def cells(self) -> list[str]:
        """The row as text, in the order of `HEADER`."""
        verdict = {True: "holds", False: "does not hold", None: "-"}[self.holds]
        peer = "-" if self.peer is None else f"{self.peer:.3g} {self.unit}"
        ratio = "-" if self.peer is None else f"{self.ratio:.3g}x"
        return [
            self.name,
            f"{self.ours:.3g} {self.unit}",
            peer,
            ratio,
            self.aim,
            verdict,
            self.equal,
            self.note,
        ]


ERROR = "ERROR"
HEADER = ["benchmark", "salience", "peer", "peer / salience", "aim", "verdict", "results", "note"]


def paired(ours: Callable[[], object], peer: Callable[[], object], runs: int = 5) -> tuple[float, float]:
    """Median seconds of both, run in turn after one warm-up of each, so that drift hits both alike."""
    ours()
    peer()
    return alternate(lambda: seconds(ours), lambda: seconds(peer), runs)


def alternate(ours: Callable[[], float], peer: Callable[[], float], runs: int = 5) -> tuple[float, float]:
    """Median of what both measure of themselves, in turn; who goes first alternates too."""
    measured: tuple[list[float], list[float]] = ([], [])
    for turn in range(runs):
        sides = [(0, ours), (1, peer)]
        for side, call in sides if turn % 2 == 0 else reversed(sides):
            measured[side].append(call())
    return statistics.median(measured[0]), statistics.median(measured[1])


def seconds(call: Callable[[], object]) -> float:
    """Wall-clock seconds of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


@dataclass(frozen=True)
class Watched:
    """A finished command: seconds, output, and peak bytes.

    Bytes are resident, summed over all its processes: pages that are shared count once per process.
    """

    seconds: float
    peak: int
    output: str
    code: int

    def checked(self) -> Watched:
        """Itself, or an error with the end of the output when the command failed."""
        if self.code:
            raise RuntimeError(f"the command ended with code {self.code}:\n{self.output[-3000:]}")
        return self


@dataclass
class Watch:
    """A running command, the memory of whose whole process tree is sampled."""

    command: Sequence[str]
    every: float = 0.05
    environment: dict[str, str] | None = None
    peak: int = 0
    process: subprocess.Popen[str] = field(init=False)

    def __post_init__(self) -> None:
        self._start = time.perf_counter()
        self.process = subprocess.Popen(
            self.command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=REPOSITORY,
            env=self.environment or ours_environment(),
        )
        self._done = threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True)
        self._sampler.start()

    def _sample(self) -> None:
        try:
            root = psutil.Process(self.process.pid)
        except psutil.Error:
            return
        while not self._done.wait(self.every):
            try:
                tree = [root, *root.children(recursive=True)]
            except psutil.Error:
                return
            self.peak = max(self.peak, sum(map(_resident, tree)))

    def finish(self) -> Watched:
        """Wait for the end."""
        output = self.process.communicate()[0]
        took = time.perf_counter() - self._start
        self._done.set()
        self._sampler.join()
        return Watched(took, self.peak, output, self.process.returncode)


def watch(command: Sequence[str], every: float = 0.05, environment: dict[str, str] | None = None) -> Watched:
    """Run a command and sample the memory of its whole process tree."""
    return Watch(command, every, environment).finish()


def attempt(name: str, measure: Callable[[], Iterable[Row]]) -> Iterator[Row]:
    """The rows of one part of a benchmark; an error becomes a row, so that the other parts still run."""
    try:
        yield from measure()
    except Exception as error:
        traceback.print_exc()
        said = " ".join(str(error).split())
        yield Row(name, float("nan"), None, "", "", None, ERROR, f"did not run: {said[-300:]}")


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def ours_environment() -> dict[str, str]:
    """The environment in which a subprocess finds this checkout, installed or not."""
    paths = [os.environ.get("PYTHONPATH", ""), str(REPOSITORY / "src"), str(REPOSITORY)]
    kept = dict(os.environ)
    kept.pop(
        "PYTHONDONTWRITEBYTECODE", None
    )  # pip compiled the modules of the peers; ours keep their bytecode too
    return {**kept, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def markdown(rows: Sequence[Row]) -> str:
    """The rows as one Markdown table."""
    lines = [HEADER, ["---"] * len(HEADER), *(row.cells() for row in rows)]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)


def machine() -> str:
    """One paragraph: processor, memory, load, versions, date."""
    found = {name: version(name) for name in VERSIONS}
    load = os.getloadavg()[0]
    return (
        f"{time.strftime('%Y-%m-%d %H:%M')}, {_processor()}, {os.cpu_count()} logical cores, "
        f"{psutil.virtual_memory().total / 2**30:.0f} GiB, {platform.system()} {platform.release()}, load before "
        f"the run {load:.1f}; Python {sys.version.split()[0]}, "
        + ", ".join(f"{name} {number}" for name, number in found.items())
        + "."
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
