"""Does keeping the top keep the performance, and does deleting it hurt - more than chance would have it?

A ranking is held against random rankings on the same bench and the same units. Both are measured in shares of
what all items together gain over none, averaged over the sizes of the top. The claim is that the ranking does
better than the best 5 % of random rankings do; so one lucky ranking in twenty passes, and a random one
otherwise fails.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from salience.results.scores import Scores
from salience.verify.bench import Bench
from salience.verify.check import RANKING, Check
from salience.verify.fingerprints import refuse_same_data
from salience.verify.intervals import mean_intervals

Order = NDArray[np.intp]  # positions in bench.items, best first
FRACTIONS = (0.1, 0.25, 0.5)
# How the top of a ranking becomes the items that are kept.
MODES: dict[str, Callable[[NDArray[np.bool_]], NDArray[np.bool_]]] = {
    "retention": lambda top: top,
    "insertion": lambda top: top,
    "deletion": np.logical_not,
}


def retention(
    scores: Scores,
    bench: Bench,
    fractions: Sequence[float] = FRACTIONS,
    *,
    random: int = 20,
    threshold: float = 0.0,
    quantile: float = 0.95,
    level: float = 0.95,
    seed: int = 0,
) -> Check:
    """Does keeping only the top of the ranking keep the performance, better than random rankings do?

    Parameters
    ----------
    scores : Scores
        One ranking, made from other data than the bench evaluates on.
    bench : Bench
    fractions : sequence of float in (0, 1)
        Shares of the items that are kept.
    random : int
        Number of random rankings, at least 5.
    threshold : float
        By how much of the full gain the ranking must exceed the `quantile` of the random ones.
    quantile, level : float
        Of the random rankings; of the interval.
    seed : int

    Returns
    -------
    Check
        `statistic` is the share of the full gain that the top keeps, averaged over `fractions`, minus the
        quantile of the same for random rankings; its interval is a bootstrap over units, paired. Not run when
        all items together are no better than none.

    Raises
    ------
    ValueError
        If the scores were made from the data of the bench, or a fraction is not in (0, 1).
    """
    sizes = sizes_of(fractions, len(bench.items))
    return _against_random("retention", scores, bench, sizes, random, Rule(threshold, quantile, level, seed))


def curve(
    scores: Scores,
    bench: Bench,
    mode: str = "delete",
    *,
    steps: int = 10,
    random: int = 20,
    threshold: float = 0.0,
    quantile: float = 0.95,
    level: float = 0.95,
    seed: int = 0,
) -> Check:
    """Does the performance fall (rise) faster than by chance when the items are deleted (inserted), best
    first?

    Parameters
    ----------
    scores, bench, random, threshold, quantile, level, seed
        See `retention`.
    mode : {"delete", "insert"}
    steps : int
        Points of the curve, evenly spread over the sizes.

    Returns
    -------
    Check
        `statistic` is the mean over the curve of the share of the full gain that is lost (kept), minus the
        quantile of the same for random rankings.
    """
    names = {"delete": "deletion", "insert": "insertion"}
    if mode not in names:
        raise ValueError(f"mode is 'delete' or 'insert', got {mode!r}")
    sizes = sizes_of(np.arange(1, steps + 1) / (steps + 1), len(bench.items))
    return _against_random(names[mode], scores, bench, sizes, random, Rule(threshold, quantile, level, seed))


def _against_random(
    name: str, scores: Scores, bench: Bench, sizes: tuple[int, ...], random: int, rule: Rule
) -> Check:
    refuse_same_data(scores.meta.data, bench.data)
    if random < 5:
        raise ValueError(
            f"a quantile of random rankings needs at least 5 of them (20 are usual), got random={random}"
        )
    order = ranked(scores, bench)
    if not sizes:
        return Check.not_run(
            name, f"the bench has {len(bench.items)} items: there is no top to speak of", how=bench.how
        )
    measured = gains(bench, [order, *random_orders(len(bench.items), random, rule.seed)], sizes, name)
    return judge_gains(name, measured, {RANKING: [0]}, range(1, random + 1), rule, how=bench.how)[0]


@dataclass(frozen=True)
class Gains:
    """What rankings gain on a bench (or lose, when their top is deleted), unit by unit.

    Parameters
    ----------
    by_size : ndarray of shape (rankings, sizes, units)
        In the unit of the bench, greater is better.
    full : ndarray of shape (units,)
        What all items gain over none.
    sizes : tuple of int
        How many items the top holds.
    items : int
    groups : ndarray of int, shape (units,), or None
        The split a unit belongs to, where there are several.
    """

    by_size: NDArray[np.float64]
    full: NDArray[np.float64]
    sizes: tuple[int, ...]
    items: int
    groups: NDArray[np.intp] | None = None

    @classmethod
    def stacked(cls, splits: Sequence[Gains]) -> Gains:
        """The units of several splits side by side."""
        groups = np.repeat(np.arange(len(splits)), [len(split.full) for split in splits])
        by_size = np.concatenate([split.by_size for split in splits], axis=2)
        full = np.concatenate([split.full for split in splits])
        return cls(by_size, full, splits[0].sizes, splits[0].items, groups)


@dataclass(frozen=True)
class Rule:
    """What is fixed before the run.

    Parameters
    ----------
    threshold : float
        Share of the full gain by which the quantile of the random rankings must be exceeded.
    quantile, level : float
    seed : int
    """

    threshold: float = 0.0
    quantile: float = 0.95
    level: float = 0.95
    seed: int = 0


def gains(bench: Bench, orders: Sequence[Order], sizes: tuple[int, ...], mode: str) -> Gains:
    """Evaluate the tops of some rankings on a bench; `mode` is "retention", "insertion" or "deletion"."""
    items = len(bench.items)
    tops = np.zeros((len(orders), len(sizes), items), dtype=bool)
    for ranking, order in enumerate(orders):
        for place, size in enumerate(sizes):
            tops[ranking, place, order[:size]] = True
    ends = np.stack([np.zeros(items, dtype=bool), np.ones(items, dtype=bool)])
    sign = 1.0 if bench.greater_is_better else -1.0
    values = sign * bench.values(np.concatenate([ends, MODES[mode](tops.reshape(-1, items))]))
    nothing, everything, rest = values[0], values[1], values[2:]
    change = everything - rest if mode == "deletion" else rest - nothing
    return Gains(change.reshape(len(orders), len(sizes), -1), everything - nothing, sizes, items)


def judge_gains(
    name: str,
    measured: Gains,
    subjects: Mapping[str, Sequence[int]],
    random: Sequence[int],
    rule: Rule,
    *,
    how: str,
) -> list[Check]:
    """Hold each subject against random rankings on the same units.

    Parameters
    ----------
    name : str
    measured : Gains
    subjects : mapping of subject to sequence of int
        Which of the measured rankings; of several (the draws of the random control) the mean is taken.
    random : sequence of int
        Which of the measured rankings are random.
    rule : Rule
    how : {"refit", "hold"}

    Returns
    -------
    list of Check
        One per subject.
    """
    described: dict[str, Any] = {"how": how, "unit": "share of the full gain"}
    [full] = mean_intervals([measured.full], measured.groups, rule.level, rule.seed)
    if not full.lo > 0:
        why = (
            f"all {measured.items} items together are not better than none (gain {full.mean:.3g}, interval from "
            f"{full.lo:.3g}): no subset can be told from another with this estimator on these data"
        )
        return [Check.not_run(name, why, subject=subject, **described) for subject in subjects]
    units = measured.by_size.mean(axis=1)  # (rankings, units)
    chance = units[list(random)] / full.mean
    bar = _quantile_units(chance, rule.quantile)
    own = {subject: units[list(which)].mean(axis=0) / full.mean for subject, which in subjects.items()}
    ahead = [_beyond_rounding(shares - bar) for shares in own.values()]
    intervals = mean_intervals(ahead, measured.groups, rule.level, rule.seed)
    deed, effect = ("deleting", "costs") if name == "deletion" else ("keeping", "keeps")
    chances = measured.by_size[list(random)].mean(axis=2) / full.mean  # (rankings, sizes)
    frame = pl.DataFrame(
        {
            "size": measured.sizes,
            "random": chances.mean(axis=0),
            "random_lo": np.quantile(chances, 1 - rule.quantile, axis=0),
            "random_hi": np.quantile(chances, rule.quantile, axis=0),
        }
    )
    described["settings"] = {
        "sizes": list(measured.sizes),
        "random": len(chance),
        "quantile": rule.quantile,
        "level": rule.level,
        "seed": rule.seed,
        "full gain": full.mean,
    }
    return [
        Check.judged(
            name,
            statistic=interval.mean,
            lo=interval.lo,
            hi=interval.hi,
            threshold=rule.threshold,
            reference=float(chance.mean() - bar.mean()),
            why=f"{deed} the top {_listed(measured.sizes)} of {measured.items} {effect} {_percent(own[subject])} "
            f"of the full gain; random rankings {_percent(chance)}, the best {1 - rule.quantile:.0%} of them "
            f"{_percent(bar)}",
            subject=subject,
            curve=frame.with_columns(
                share=measured.by_size[list(which)].mean(axis=(0, 2)) / full.mean
            ).select("size", "share", pl.col("^random.*$")),
            **described,
        )
        for (subject, which), interval in zip(subjects.items(), intervals, strict=True)
    ]


def _beyond_rounding(ahead: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same subsets in another order differ by rounding only: that is no difference."""
    return np.where(np.abs(ahead) < 1e-12, 0.0, ahead)


def ranked(scores: Scores, bench: Bench) -> Order:
    """Positions in ``bench.items``, best first; items without a score come last, in the order of the bench.

    Raises
    ------
    ValueError
        If scores and bench are about different items, or the scores hold several rankings.
    """
    if tuple(scores.keys) != tuple(bench.keys):
        raise ValueError(
            f"the scores name their items by {scores.keys}, the bench by {tuple(bench.keys)}: roll the "
            "scores up (scores.rollup) or build the bench with the same keys"
        )
    place = {item: position for position, item in enumerate(bench.items)}
    named = scores.items
    order = [place[named[row]] for row in scores.order().tolist() if named[row] in place]
    if not order:
        raise ValueError(
            f"no scored item is on the bench; scored are {named[:3]}..., the bench has "
            f"{list(bench.items)[:3]}..."
        )
    scored = set(order)
    return np.array(
        [*order, *(position for position in range(len(place)) if position not in scored)], dtype=np.intp
    )


def random_orders(items: int, draws: int, seed: int) -> list[Order]:
    """Random rankings, the same for the same seed."""
    rng = np.random.default_rng((seed, items, 0))
    return [rng.permutation(items) for _ in range(draws)]


def sizes_of(fractions: Sequence[float] | NDArray[np.float64], items: int) -> tuple[int, ...]:
    """How many items the fractions are: at least one, never all, each number once.

    Examples
    --------
    >>> sizes_of((0.1, 0.25, 0.5), 8)
    (1, 2, 4)
    """
    wrong = [fraction for fraction in fractions if not 0 < fraction < 1]
    if wrong:
        raise ValueError(
            f"fractions lie strictly between 0 and 1, got {wrong}: all items and none are known anyway"
        )
    sizes = {max(1, round(float(fraction) * items)) for fraction in fractions}
    return tuple(sorted(size for size in sizes if size < items))


def _quantile_units(draws: NDArray[np.float64], quantile: float) -> NDArray[np.float64]:
    """The units of the random ranking at a quantile, between two draws where it falls between them."""
    place = quantile * (len(draws) - 1)
    low, high = int(np.floor(place)), int(np.ceil(place))
    by_mean = np.argsort(draws.mean(axis=1), kind="stable")
    share = place - low
    return np.asarray((1 - share) * draws[by_mean[low]] + share * draws[by_mean[high]])


def _listed(sizes: tuple[int, ...]) -> str:
    return ", ".join(map(str, sizes)) if len(sizes) <= 4 else f"{sizes[0]} to {sizes[-1]}"


def _percent(shares: NDArray[np.float64]) -> str:
    return f"{round(float(shares.mean()), 2) + 0.0:.0%}"  # + 0.0: no "-0%"
