"""A claim of a paper, what was expected of it, and what was measured."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

FOLDER = Path(__file__).parent
HEADER = ("claim", "expected", "measured", "verdict", "why, when it does not hold")


@dataclass(frozen=True)
class Claim:
    """One line of a reproduction.

    Attributes
    ----------
    claim, expected, measured : str
    verdict : str
        "holds", "does not hold", or "undecided" when the interval straddles the threshold.
    why : str
        The likely reason when it does not hold.
    control : bool
        A negative control: it holds when the method finds nothing.
    """

    claim: str
    expected: str
    measured: str
    verdict: str
    why: str = ""
    control: bool = False

    @classmethod
    def check(
        cls, claim: str, expected: str, measured: str, holds: bool, why: str = "", **more: Any
    ) -> Claim:
        """A claim that is true or not."""
        verdict = "holds" if holds else "does not hold"
        return cls(claim, expected, measured, verdict, "" if holds else why, **more)

    @classmethod
    def mean(
        cls, claim: str, values: Sequence[float] | NDArray[Any], *, least: float | None = None, most: float | None = None,
        form: str = ".3f", why: str = "", control: bool = False,
    ) -> Claim:  # fmt: skip
        """A claim about a mean over seeds: decided only when its 95 % interval is on one side."""
        low, high = interval(values)
        floor, ceiling = (-np.inf if least is None else least), (np.inf if most is None else most)
        inside = floor <= low and high <= ceiling
        outside = high < floor or low > ceiling
        verdict = "holds" if inside else "does not hold" if outside else "undecided"
        wanted = [
            f">= {least:{form}}" if least is not None else "",
            f"<= {most:{form}}" if most is not None else "",
        ]
        measured = f"{np.mean(values):{form}} ({low:{form}} to {high:{form}}, {len(values)} seeds)"
        return cls(
            claim, " and ".join(filter(None, wanted)), measured, verdict, "" if inside else why, control
        )

    def cells(self) -> tuple[str, ...]:
        """The line as text, in the order of `HEADER`."""
        name = f"control: {self.claim}" if self.control else self.claim
        return name, self.expected, self.measured, self.verdict, self.why


def interval(values: Sequence[float] | NDArray[Any], level: float = 0.95) -> tuple[float, float]:
    """Student's interval of a mean over few independent seeds; the value itself when all are equal."""
    x = np.asarray(values, dtype=float)
    if len(x) < 2:
        raise ValueError(f"{len(x)} value(s): an interval needs at least two seeds")
    half = float(student.ppf((1 + level) / 2, len(x) - 1) * x.std(ddof=1) / np.sqrt(len(x)))
    return float(x.mean()) - half, float(x.mean()) + half


def frozen(slug: str) -> dict[str, Any]:
    """The thresholds, seeds and sizes that were fixed before the first full run."""
    return tomllib.loads((FOLDER / f"{slug}.toml").read_text())


def fingerprint(slug: str) -> str:
    """Of the frozen file, so that a table says by which thresholds it was judged."""
    return hashlib.sha256((FOLDER / f"{slug}.toml").read_bytes()).hexdigest()[:12]


def markdown(claims: Sequence[Claim]) -> str:
    """The claims as one Markdown table."""
    lines = [HEADER, tuple("---" for _ in HEADER), *(claim.cells() for claim in claims)]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)
