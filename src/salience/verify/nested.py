"""`verify`: does a ranking hold up on rows that did not make it?"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from salience.results.scores import Scores
from salience.verify.bench import Bench, columns
from salience.verify.check import RANKING, Check, refuse_unknown
from salience.verify.checks.invariance import CHANGES, invariance
from salience.verify.checks.leakage import leak
from salience.verify.checks.performance import (
    FRACTIONS,
    Gains,
    Order,
    Rule,
    curve,
    gains,
    judge_gains,
    random_orders,
    ranked,
    retention,
    sizes_of,
)
from salience.verify.checks.planted import KINDS, controls
from salience.verify.checks.planted import THRESHOLDS as PLANTED
from salience.verify.checks.relations import agreement, covariates_of, nuisance
from salience.verify.checks.stability import stability
from salience.verify.fitting import fit_scores, needs_no_target
from salience.verify.sample import Sample
from salience.verify.textsplits import are_documents, verify_documents
from salience.verify.verdict import Verdict, report

Progress = Callable[[int, int], None]
NO_FIDELITY = Check.not_run(
    "fidelity", "it is about attributions per instance, and this is a ranking: fidelity(attributions, f)"
)
PERMUTED = 5  # permutations of the target per split: one of them may be lucky
# What stands in the place of the ranking in every split, and has to fail.
CONTROLS = ("random", "reversed", "permuted target")
# Planted controls that ask what the method makes of the target.
OF_THE_TARGET = ("permuted target", "label copy")
UNREAD = "the method ranks without the target, so another target is no control"


def verify(method: Any, data: Any, **settings: Any) -> Verdict:
    """Does a ranking hold up?

    ``verify(scores, bench)`` judges one ranking on a bench that evaluates on other data than made it (see
    `verify_scores`). ``verify(method, data)`` makes the ranking anew inside each split of the data, on its
    training rows only, and judges it on the rows held out (see `verify_method`; of documents, `verify_documents`).

    Parameters
    ----------
    method : Scores, callable (frame, label) -> Scores, or estimator with `scores_`
    data : Bench, or pair (X, y), (frame, "target column"), or Sample, or documents
    **settings
        Of `verify_scores`, `verify_method` or `verify_documents`.

    Returns
    -------
    Verdict

    Raises
    ------
    ValueError
        If a ranking is to be judged on the data that made it.
    """
    if isinstance(method, Scores):
        if not isinstance(data, Bench):
            raise TypeError(
                "scores are judged on a bench (salience.verify.columns(est, X, y), ...), made of rows the "
                f"scores have not seen; got {type(data).__name__}. To refit a method inside splits, give "
                "the method, not its scores"
            )
        return verify_scores(method, data, **settings)
    if are_documents(data):
        return verify_documents(method, data, **settings)
    return verify_method(method, data, **settings)


def verify_scores(
    scores: Scores,
    bench: Bench,
    *,
    fractions: Sequence[float] = FRACTIONS,
    random: int = 20,
    thresholds: Mapping[str, float] | None = None,
    other: Scores | None = None,
    again: Sequence[Scores] = (),
    null: Scores | None = None,
    covariates: Any = None,
    leave_out: Collection[str] = (),
    level: float = 0.95,
    seed: int = 0,
) -> Verdict:
    """Judge one ranking on a bench that evaluates on data it was not made from.

    Parameters
    ----------
    scores : Scores
    bench : Bench
    fractions : sequence of float
        Sizes of the top, as shares of the items.
    random : int
        Random rankings to compare with.
    thresholds : mapping of check to float, optional
        "retention", "deletion", "stability", "agreement", "leak"; the defaults are in `THRESHOLDS`.
    other : Scores, optional
        Of another method, for the agreement.
    again : sequence of Scores, optional
        The same method once more, with other seeds or on other rows, for the stability.
    null : Scores, optional
        Of the same items by the same method from a permuted target: it must not do as well.
    covariates : frame or mapping, optional
        Of the items, for `nuisance`.
    leave_out : collection of {"deletion", "leak"}
        Checks that say nothing about these items. Deleting the best of many rows, for one, hurts no model.
    level : float
    seed : int

    Raises
    ------
    ValueError
        If the bench evaluates on the data the scores were made from.
    """
    refuse_unknown(leave_out, ("deletion", "leak"), "check that can be left out:")
    limits = _limits(thresholds)
    shared: dict[str, Any] = {"level": level, "seed": seed}
    chance: dict[str, Any] = {"random": random, **shared}
    rows: list[Check] = [retention(scores, bench, fractions, threshold=limits["retention"], **chance)]
    if null is not None:
        beside = retention(null, bench, fractions, threshold=limits["retention"], **chance)
        rows.append(beside.about("permuted target"))
    if "deletion" not in leave_out:
        rows.append(curve(scores, bench, "delete", threshold=limits["deletion"], **chance))
    if "leak" not in leave_out:
        rows.append(leak(scores, bench, threshold=limits["leak"], **shared))
    rows += [
        stability([scores, *again] if again else scores, threshold=limits["stability"], level=level),
        _agreement(scores, other, limits["agreement"], level),
        *(
            Check.not_run(name, "needs the method and its data, not only its scores: verify(method, data)")
            for name in ("controls", "invariance")
        ),
        Check.not_run("nuisance", "needs covariates of the items: nuisance(scores, covariates)")
        if covariates is None
        else nuisance(scores, covariates, level=level, seed=seed),
        NO_FIDELITY,
    ]
    fixed = {"fractions": list(fractions), "random": random, "thresholds": dict(limits), **shared}
    return report(rows, bench=bench.how, method=scores.meta.method, **fixed)


def verify_method(
    method: Any,
    data: Any,
    *,
    estimator: Any = "logistic",
    splits: int = 5,
    fractions: Sequence[float] = FRACTIONS,
    random: int = 20,
    thresholds: Mapping[str, float] | None = None,
    planted: Sequence[str] = ("permuted target", "shuffled copy", "duplicate", "label copy"),
    under: Sequence[str] = ("row_order", "item_order", "relabel", "rescale", "n_jobs"),
    other: Any = None,
    task: str = "auto",
    level: float = 0.95,
    seed: int = 0,
    n_jobs: int = 1,
    progress: Progress | None = None,
) -> Verdict:
    """Make the ranking anew inside each split and judge it on the rows held out.

    In each of the `splits` folds the method ranks the columns on the training rows only; the estimator is
    refitted on the top columns, and on what is left without them, with the same rows; the held-out rows say
    what that is worth. The same is done with random rankings, with the reversed ranking, and with the ranking
    that the method makes from a permuted target: these have to fail, and stand beside the real one. Intervals
    are over rows and splits, paired.

    Parameters
    ----------
    method : callable (frame, label) -> Scores, or estimator with `scores_`
    data : pair (X, y), (frame, "target column"), or Sample
    estimator : {"logistic", "forest", "lightgbm"} or estimator
    splits : int, at least 2
    fractions : sequence of float in (0, 1)
        Sizes of the top, as shares of the columns.
    random : int
        Random rankings, at least 20; the same in every split.
    thresholds : mapping of check to float, optional
        The defaults are in `THRESHOLDS`.
    planted, under : sequence of str
        Kinds of `controls` and `invariance`; empty to leave them out. Those about the target are left out for an
        estimator that declares to need none and ranks alike whatever the target is.
    other : method, optional
        Another method, for the agreement.
    task : {"auto", "classes", "numbers"}
    level : float
    seed : int
    n_jobs : int
        Threads over subsets of columns.
    progress : callable, optional
        ``progress(done, total)`` after each split and each further check.

    Returns
    -------
    Verdict

    Raises
    ------
    ValueError
        If there are too few rows, classes or random rankings.
    """
    started = time.perf_counter()
    if random < 20:
        raise ValueError(f"the nested form compares with at least 20 random rankings, got random={random}")
    refuse_unknown(planted, KINDS, "control")
    refuse_unknown(under, CHANGES, "change")
    limits = _limits(thresholds)
    sample = Sample.of(data, task=task)
    told = _counting(progress, splits + 3 + bool(planted) + bool(under))
    folds = sample.folds(splits, seed)
    sizes = sizes_of(fractions, len(sample.items))
    runs = [
        told(_judge_split, method, sample, fold, estimator, sizes, random, seed + number, seed, n_jobs)
        for number, fold in enumerate(folds)
    ]
    scores = fit_scores(method, sample, seed=seed)
    shared: dict[str, Any] = {"level": level, "seed": seed}
    rows: list[Check] = []
    for name in ("retention", "deletion"):
        rule = Rule(limits[name], level=level, seed=seed)
        rows += _beside_controls(name, runs if sizes else [], random, rule)
    rows.append(told(_leak_of, runs, limits["leak"], level, seed))
    rows.append(told(stability, [run.scores for run in runs], threshold=limits["stability"], level=level))
    unread = [kind for kind in planted if kind in OF_THE_TARGET and all(run.blind for run in runs)]
    rows += [Check.not_run(f"controls: {kind}", UNREAD) for kind in unread]
    kinds = [kind for kind in planted if kind not in unread]
    limited = {kind: limits[f"controls: {kind}"] for kind in kinds}
    rows += (
        told(controls, method, sample, kinds, thresholds=limited, **shared)
        if planted
        else [Check.not_run("controls", "left out by the caller")]
    )
    rows += (
        told(invariance, method, sample, under, threshold=limits["invariance"], seed=seed)
        if under
        else [Check.not_run("invariance", "left out by the caller")]
    )
    rows.append(told(nuisance, scores, covariates_of(sample), threshold=limits["nuisance"], **shared))
    second = None if other is None else fit_scores(other, sample, seed=seed)
    rows.append(_agreement(scores, second, limits["agreement"], level))
    rows.append(NO_FIDELITY)
    return report(
        rows,
        method=scores.meta.method,
        estimator=estimator if isinstance(estimator, str) else type(estimator).__name__,
        splits=splits,
        fractions=list(fractions),
        random=random,
        rows=len(sample),
        columns=len(sample.items),
        dropped=sample.dropped,
        task=sample.task,
        thresholds=dict(limits),
        seconds=round(time.perf_counter() - started, 3),
        **shared,
    )


@dataclass(frozen=True)
class SplitRun:
    """What one split came to.

    Parameters
    ----------
    scores : Scores
        Made from the training rows.
    bench : Bench
        Evaluates on the rows held out.
    gains : dict of check to Gains
        Rankings in the order real, reversed, those of permuted targets, random ...
    blind : bool
        The method says it needs no target, and ranks alike whatever the target is.
    """

    scores: Scores
    bench: Bench
    gains: dict[str, Gains]
    blind: bool = False


def _judge_split(
    method: Any,
    sample: Sample,
    fold: tuple[NDArray[np.intp], NDArray[np.intp]],
    estimator: Any,
    sizes: tuple[int, ...],
    random: int,
    own_seed: int,
    seed: int,
    n_jobs: int,
) -> SplitRun:
    train = sample.take(fold[0])
    scores = fit_scores(method, train, seed=own_seed)
    rng = np.random.default_rng((own_seed, 6))
    blind = [train.with_target(rng.permutation(train.target)) for _ in range(PERMUTED)]
    bench = columns(estimator, sample, None, split=fold, seed=own_seed, n_jobs=n_jobs)
    real = ranked(scores, bench)
    # The random rankings are the same in every split: a ranking that is bad everywhere must not average out.
    orders: list[Order] = [real, real[::-1]]
    orders += [ranked(fit_scores(method, permuted, seed=own_seed), bench) for permuted in blind]
    unread = needs_no_target(method) and all(np.array_equal(order, real) for order in orders[2:])
    orders += random_orders(len(sample.items), random, seed)
    names = ("retention", "deletion") if sizes else ()
    measured = {name: gains(bench, orders, sizes, name) for name in names}
    return SplitRun(scores, bench, measured, unread)


def _beside_controls(name: str, runs: Sequence[SplitRun], random: int, rule: Rule) -> list[Check]:
    """The check of the real ranking, and the same of the controls."""
    if not runs:
        return [Check.not_run(name, "there is one column: there is no top to speak of", how="refit")]
    blind, drawn = range(2, 2 + PERMUTED), range(2 + PERMUTED, 2 + PERMUTED + random)
    subjects = dict(zip((RANKING, *CONTROLS), (range(1), drawn, range(1, 2), blind), strict=True))
    unread: list[Check] = []
    if all(run.blind for run in runs):
        subject = CONTROLS[2]
        del subjects[subject]
        unread = [Check.not_run(name, UNREAD, how="refit").about(subject)]
    stacked = Gains.stacked([run.gains[name] for run in runs])
    return judge_gains(name, stacked, subjects, drawn, rule, how="refit") + unread


def _leak_of(runs: Sequence[SplitRun], threshold: float, level: float, seed: int) -> Check:
    """The split in which an item knows most decides: a leak in one split is a leak."""
    found = [leak(run.scores, run.bench, threshold=threshold, level=level, seed=seed) for run in runs]
    return max(found, key=lambda check: (check.verdict != "not run", np.nan_to_num(check.lo, nan=-np.inf)))


def _agreement(scores: Scores, other: Scores | None, threshold: float, level: float) -> Check:
    if other is None:
        return Check.not_run("agreement", "no second method was given (other=)")
    return agreement(scores, other, threshold=threshold, level=level)


THRESHOLDS: dict[str, float] = {
    "retention": 0.0,
    "deletion": 0.0,
    "leak": 0.9,
    "stability": 0.5,
    **{f"controls: {kind}": threshold for kind, threshold in PLANTED.items()},
    "invariance": 0.99,
    "nuisance": 0.8,
    "agreement": 0.5,
}


def _limits(thresholds: Mapping[str, float] | None) -> dict[str, float]:
    unknown = sorted(set(thresholds or {}) - set(THRESHOLDS))
    if unknown:
        raise ValueError(f"there is no threshold for {', '.join(unknown)}; there are {', '.join(THRESHOLDS)}")
    return THRESHOLDS | dict(thresholds or {})


def _counting(progress: Progress | None, total: int) -> Callable[..., Any]:
    """Do a piece of work and tell that it is done."""
    count = itertools.count(1)

    def counted(work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        result = work(*args, **kwargs)
        if progress is not None:
            progress(next(count), total)
        return result

    return counted
