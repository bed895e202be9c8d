"""One line of a verdict: a number, its interval, the threshold it was held against, and what follows."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import polars as pl

Outcome = Literal["holds", "fails", "undecided", "not run"]
Better = Literal["high", "low"]
OUTCOMES: tuple[Outcome, ...] = ("holds", "fails", "undecided", "not run")
RANKING = "ranking"  # the subject of a check on the ranking itself; anything else is a control beside it


def refuse_unknown(kinds: Iterable[str], known: Collection[str], what: str) -> None:
    """Raise a ValueError that names the kinds that are not known, and those that are."""
    unknown = [kind for kind in kinds if kind not in known]
    if unknown:
        raise ValueError(
            f"there is no {what} {', '.join(map(repr, unknown))}; the kinds are {', '.join(known)}"
        )


def judge(lo: float, hi: float, threshold: float, better: Better = "high") -> Outcome:
    """Hold an interval against a threshold that was fixed before the run.

    Parameters
    ----------
    lo, hi : float
        The ends of the interval of the statistic, in its unit.
    threshold : float
        In the same unit.
    better : {"high", "low"}
        Whether the statistic has to lie above or below the threshold.

    Returns
    -------
    {"holds", "fails", "undecided"}
        "undecided" when the interval straddles the threshold or is not a number.

    Examples
    --------
    >>> judge(0.2, 0.4, 0.1), judge(0.2, 0.4, 0.5), judge(0.2, 0.4, 0.3)
    ('holds', 'fails', 'undecided')
    >>> judge(0.2, 0.4, 0.5, better="low")
    'holds'
    """
    if math.isnan(lo) or math.isnan(hi) or math.isnan(threshold):
        return "undecided"
    if better == "low":
        lo, hi, threshold = -hi, -lo, -threshold
    # A degenerate interval that sits on the threshold meets it: "at least" and "at most" are what is claimed.
    if lo >= threshold:
        return "holds"
    return "fails" if hi < threshold else "undecided"


@dataclass(frozen=True, eq=False)
class Check:
    """What one question about a ranking came to.

    Parameters
    ----------
    name : str
        The question: "retention", "deletion", "stability", "controls[label copy]", ...
    verdict : {"holds", "fails", "undecided", "not run"}
    why : str
        One sentence in words; never empty.
    statistic, lo, hi : float
        The number and its interval, in `unit`. NaN when the check was not run.
    reference : float
        What chance (random rankings) gives for the same number.
    threshold : float
        What the interval was held against; an argument of the check, fixed before it ran.
    better : {"high", "low"}
        The side of the threshold that holds.
    unit : str
        What the statistic measures.
    subject : str
        "ranking" for the ranking itself, otherwise the control that was put in its place
        ("random", "reversed", "permuted target").
    how : {"refit", "hold", None}
        Whether the numbers come from models refitted on the kept items or from one model held fixed.
    settings : mapping
        The arguments that define the check (fractions, draws, seed, level, ...).
    curve : polars.DataFrame or None
        The numbers behind the statistic.

    Examples
    --------
    >>> Check.judged("stability", statistic=0.9, lo=0.8, hi=1.0, threshold=0.5, why="the top 5 stay").verdict
    'holds'
    >>> Check.not_run("fidelity", "there are no attributions")
    Check(fidelity: not run: there are no attributions)
    """

    name: str
    verdict: Outcome
    why: str
    statistic: float = math.nan
    lo: float = math.nan
    hi: float = math.nan
    reference: float = math.nan
    threshold: float = math.nan
    better: Better = "high"
    unit: str = ""
    subject: str = RANKING
    how: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    curve: pl.DataFrame | None = None

    def __post_init__(self) -> None:
        if self.verdict not in OUTCOMES:
            raise ValueError(f"a verdict is one of {', '.join(OUTCOMES)}; got {self.verdict!r}")
        if not self.why:
            raise ValueError(
                f"check {self.name!r} came to {self.verdict!r} without a reason: `why` must say it"
            )

    @classmethod
    def judged(
        cls,
        name: str,
        *,
        statistic: float,
        lo: float,
        hi: float,
        threshold: float,
        why: str,
        better: Better = "high",
        **details: Any,
    ) -> Check:
        """A check whose verdict follows from its interval and its threshold (see `judge`)."""
        verdict = judge(lo, hi, threshold, better)
        statistic, lo, hi, threshold = map(float, (statistic, lo, hi, threshold))
        return cls(name, verdict, why, statistic, lo, hi, threshold=threshold, better=better, **details)

    @classmethod
    def not_run(cls, name: str, why: str, **details: Any) -> Check:
        """A check that could not be run, and the reason."""
        return cls(name, "not run", why, **details)

    @property
    def is_control(self) -> bool:
        """Whether something known to be worthless was put in the place of the ranking."""
        return self.subject != RANKING

    def about(self, subject: str) -> Check:
        """The same check, said to be about another subject."""
        return replace(self, subject=subject)

    def __repr__(self) -> str:
        label = self.name if not self.is_control else f"{self.name} of {self.subject}"
        if self.verdict == "not run":
            return f"Check({label}: not run: {self.why})"
        side = ">=" if self.better == "high" else "<="
        return (
            f"Check({label}: {self.verdict}: {self.statistic:.4g} [{self.lo:.4g}, {self.hi:.4g}] "
            f"{side} {self.threshold:.4g}?)"
        )
