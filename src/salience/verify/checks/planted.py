"""Columns whose worth is known: does the method put them where they belong?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from salience.results.scores import Scores
from salience.verify.check import Check, refuse_unknown
from salience.verify.checks.relations import fisher_interval, interest_in, rank_correlation
from salience.verify.fitting import fit_scores
from salience.verify.sample import Sample


@dataclass(frozen=True)
class Experiment:
    """What every control is given.

    Parameters
    ----------
    fit : method
    sample : Sample
    real : Scores
        Of the method on the sample as it is.
    k : int
        Size of the top.
    n : int
        Repeats.
    level : float
    seed : int
    """

    fit: Any
    sample: Sample
    real: Scores
    k: int
    n: int
    level: float
    seed: int

    def refit(self, sample: Sample, number: int = 0) -> Scores:
        """The scores of the method on another sample, its columns in another order."""
        # A method that goes by position would otherwise be right about whatever is appended last.
        order = self.rng(number, 7).permutation(len(sample.items))
        return fit_scores(self.fit, sample.select([sample.items[i] for i in order]), seed=self.seed)

    def rng(self, *stream: int) -> np.random.Generator:
        """Random numbers of a stream of their own."""
        return np.random.default_rng((self.seed, 4, *stream))

    def top(self) -> list[str]:
        """The best columns of the real ranking."""
        there = set(self.sample.items)
        return [name for name in self.real.top(self.k).items if name in there]


def controls(
    fit: Any,
    data: Any,
    kinds: Sequence[str] = ("permuted target", "shuffled copy", "duplicate", "label copy"),
    *,
    k: int | None = None,
    n: int = 5,
    thresholds: dict[str, float] | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[Check, ...]:
    """Does the method put planted columns where they belong?

    ====================  ===========================================================  =====================
    kind                  claim                                                        threshold by default
    ====================  ===========================================================  =====================
    "permuted target"     with a permuted target the ranking is another one            correlation <= 0.6
    "shuffled copy"       a top column is ranked above shuffled copies of itself       share >= 0.75
    "duplicate"           a top column and its duplicate are ranked side by side       gap <= 0.1
    "label copy"          a copy of the target is ranked first                         place <= 1
    ====================  ===========================================================  =====================

    Parameters
    ----------
    fit : callable (frame, label) -> Scores, or estimator with `scores_`
    data : pair (X, y), (frame, "target column"), or Sample
    kinds : sequence of str
    k : int, optional
        Size of the top; by default a fifth of the columns, at least one.
    n : int
        Repeats with other permutations.
    thresholds : dict of kind to float, optional
    level : float
    seed : int

    Returns
    -------
    tuple of Check
        One per kind, called "controls: <kind>".
    """
    refuse_unknown((*kinds, *(thresholds or {})), KINDS, "control")
    sample = Sample.of(data)
    k = max(1, round(len(sample.items) / 5)) if k is None else min(int(k), len(sample.items))
    run = Experiment(fit, sample, fit_scores(fit, sample, seed=seed), k, n, level, seed)
    limits = THRESHOLDS | (thresholds or {})
    return tuple(KINDS[kind](run, limits[kind]) for kind in kinds)


def _permuted_target(run: Experiment, threshold: float) -> Check:
    name = "controls: permuted target"
    items = run.sample.items
    if len(items) < 5:
        return Check.not_run(
            name, f"{len(items)} columns are too few for a correlation of rankings; 5 are the least"
        )
    own = interest_in(items, run.real)
    found = []
    for number in range(run.n):
        permuted = run.sample.with_target(run.rng(0, number).permutation(run.sample.target))
        found.append(rank_correlation(own, interest_in(items, run.refit(permuted, number))))
    mean = float(np.mean(found))
    lo, hi = fisher_interval(mean, len(items), run.level)
    return Check.judged(
        name,
        statistic=mean,
        lo=lo,
        hi=hi,
        reference=0.0,
        threshold=threshold,
        better="low",
        unit="rank correlation",
        why=f"with a permuted target the method ranks the columns at correlation {mean:+.2f} with its real "
        f"ranking",
        settings={"n": run.n, "level": run.level, "seed": run.seed},
    )


def _shuffled_copy(run: Experiment, threshold: float) -> Check:
    name = "controls: shuffled copy"
    top = run.top()
    if not top:
        return Check.not_run(name, "no column is scored")
    won, tries = 0.0, run.n * len(top)
    for number in range(run.n):
        rng = run.rng(1, number)
        copies = [_name_of(run.sample, f"{column} shuffled") for column in top]
        planted = {
            copy: run.sample.select([column]).take(rng.permutation(len(run.sample))).frame[column]
            for column, copy in zip(top, copies, strict=True)
        }
        scores = run.refit(run.sample.with_columns(planted), number)
        own, shuffled = (np.nan_to_num(interest_in(names, scores), nan=-np.inf) for names in (top, copies))
        won += float((0.5 * (own >= shuffled) + 0.5 * (own > shuffled)).sum())
    share = won / tries
    lo, hi = _wilson(share, tries, run.level)
    return Check.judged(
        name,
        statistic=share,
        lo=lo,
        hi=hi,
        reference=0.5,
        threshold=threshold,
        unit="share",
        why=f"the top {len(top)} columns are ranked above shuffled copies of themselves in {won:g} of "
        f"{tries} cases",
        settings={"k": run.k, "n": run.n, "level": run.level, "seed": run.seed},
    )


def _duplicate(run: Experiment, threshold: float) -> Check:
    name = "controls: duplicate"
    top = run.top()
    if not top:
        return Check.not_run(name, "no column is scored")
    gaps = []
    for number, column in enumerate(top):
        copy = _name_of(run.sample, f"{column} duplicate")
        scores = run.refit(run.sample.with_columns({copy: run.sample.frame[column]}), number)
        place = {item: position for position, item in enumerate(scores.top(len(scores)).items)}
        last = len(place)
        # Side by side is the best that two columns can be, so a distance of 1 counts as none.
        apart = abs(place.get(column, last) - place.get(copy, last)) - 1
        gaps.append(max(0.0, apart / max(1, len(run.sample.items) - 1)))
    mean = float(np.mean(gaps))
    reach = _reach(gaps, run.level) if len(gaps) > 1 else 0.0
    return Check.judged(
        name,
        statistic=mean,
        lo=max(0.0, mean - reach),
        hi=max(mean, min(1.0, mean + reach)),
        reference=1 / 3,
        threshold=threshold,
        better="low",
        unit="distance in places, share of the columns",
        why=(
            f"top columns and their duplicates are {mean:.0%} of the ranking apart"
            + ("" if mean <= threshold else "; a method that punishes redundancy does that on purpose")
        ),
        settings={"k": run.k, "level": run.level, "seed": run.seed},
    )


def _label_copy(run: Experiment, threshold: float) -> Check:
    copy = _name_of(run.sample, "label copy")
    planted = run.sample.with_columns({copy: run.sample.target})
    places: list[int] = []
    before, score = "", np.nan
    for number in range(min(run.n, 3)):  # a copy that is first by luck is not first again
        scores = run.refit(planted, number)
        ordered = scores.top(len(scores)).items
        place = ordered.index(copy) + 1 if copy in ordered else len(scores)
        if place > max(places, default=1):
            before = f", after {', '.join(map(str, ordered[: min(3, place - 1)]))}"
        places.append(place)
        if number == 0:
            [score] = interest_in([copy], scores)
    worst, of = max(places), len(scores)
    return Check.judged(
        "controls: label copy",
        statistic=worst,
        lo=min(places),
        hi=worst,
        reference=(of + 1) / 2,
        threshold=threshold,
        better="low",
        unit="place, best to worst",
        why=f"a copy of the target is ranked at place {worst} of {of}{before}",
        settings={"n": len(places), "seed": run.seed, "score": float(score)},
    )


KINDS: dict[str, Callable[[Experiment, float], Check]] = {
    "permuted target": _permuted_target,
    "shuffled copy": _shuffled_copy,
    "duplicate": _duplicate,
    "label copy": _label_copy,
}
THRESHOLDS = {"permuted target": 0.6, "shuffled copy": 0.75, "duplicate": 0.1, "label copy": 1.0}


def _name_of(sample: Sample, name: str) -> str:
    while name in (*sample.items, sample.label):
        name += "_"
    return name


def _wilson(share: float, n: int, level: float) -> tuple[float, float]:
    """Wilson's interval of a share of n cases."""
    z = NormalDist().inv_cdf(0.5 + level / 2)
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, float(middle - reach)), min(1.0, float(middle + reach))


def _reach(values: Sequence[float], level: float) -> float:
    from scipy.stats import t

    return float(t.ppf(0.5 + level / 2, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))
