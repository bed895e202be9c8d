"""Compare selectors of columns fairly: each sees the training rows of a fold only, and is judged on the others."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import t as student

from salience.results.meta import Interval, Meta
from salience.results.scores import Scores
from salience.verify.baselines import BASELINES
from salience.verify.bench import SubsetBench
from salience.verify.checks.performance import ranked
from salience.verify.checks.stability import mean_jaccard
from salience.verify.encoding import split_columns
from salience.verify.estimators import named_estimator
from salience.verify.fingerprints import fingerprint
from salience.verify.fitting import fit_scores
from salience.verify.refitting import refitted
from salience.verify.sample import Sample

Fold = tuple[NDArray[np.intp], NDArray[np.intp]]
Order = NDArray[np.intp]
Progress = Callable[[int, int], None]

RANDOM, EVERYTHING, BLIND = "random", "all columns", "permuted target"
PREDICTORS = {"classes": ("logistic", "forest"), "numbers": ("ridge", "forest")}
UNITS = {"classes": "macro-F1", "numbers": "R2"}
MOST_CORRELATED = 1000  # columns among which correlations are taken; of more, so many are drawn


def evaluate_selectors(
    X: Any,
    y: Any,
    selectors: Mapping[str, Any],
    *,
    keep: Sequence[float] = (0.2, 0.4, 0.6),
    predictors: Mapping[str, Any] | Sequence[str] | None = None,
    cv: Any = 5,
    permuted: Collection[str] | None = None,
    draws: int = 10,
    task: str = "auto",
    level: float = 0.95,
    random_state: int = 0,
    n_jobs: int = 1,
    progress: Progress | None = None,
) -> Scores:
    r"""How well do models predict from the columns that each selector keeps?

    In each fold every selector ranks the columns on the training rows; each predictor, its scaling and encoding
    included, is fitted on the best of them on the same rows, and predicts the rows held out. A ranking that was made
    before cannot be handed in: it has seen the rows it would be judged on. Beside the selectors stand a random
    selection, all columns, and each selector fitted on a permuted target: a selector that is no better than those has
    selected nothing.

    Values are means over folds, macro-F1 for classes and :math:`R^2` for numbers. Folds share training rows, so the
    standard error of a mean of `k` folds, of a value as of a difference paired by fold, is that of Nadeau and Bengio
    (2003), :math:`s \sqrt{1/k + n_{held}/n_{train}}`: for five folds one and a half times :math:`s / \sqrt k`.

    Parameters
    ----------
    X, y : frame or array of shape (rows, columns), and target
        Or a frame and the name of its target column.
    selectors : mapping of name to method
        A method is an estimator whose ``fit(X, y)`` leaves `scores_`, a callable ``(frame, label) -> Scores``, or the
        name of a well-known one: "mutual information", "forest permutation", "L1", "SVM-RFE". It is cloned for each
        fold and given a seed where it takes one.
    keep : sequence of float in (0, 1]
        Shares of the columns that are kept, rounded up.
    predictors : mapping of name to estimator, or sequence of names, optional
        Of `named_estimator`, or estimators of your own. By default a linear model and a forest.
    cv : int or splitter, default=5
        Folds, shuffled and with classes in equal shares; or an object with ``split(X, y)``.
    permuted : collection of names, optional
        Selectors that are also fitted on a permuted target; by default all of them, () for none.
    draws : int, default=10
        Random selections per fold, of which the mean is taken.
    task : {"auto", "classes", "numbers"}
    level : float
        Of the intervals.
    random_state : int
    n_jobs : int
        Threads over subsets of columns.
    progress : callable, optional
        ``progress(done, total)`` after each selector in each fold.

    Returns
    -------
    Scores
        Items are selectors (key "selector"); there is a ranking for each predictor and share (``by=("predictor",
        "keep")``). Replicates are the folds. Columns: ``value, se, lo, hi``; ``null``, the value of the random
        selection; ``over_random, over_random_se, over_all, over_all_se``, differences paired by fold; ``kind``
        (selector, permuted target, random, all columns); ``kept``, number of columns; ``stability``, the mean pairwise Jaccard
        index of the folds' selections; ``redundancy``, the mean size of the correlation between two kept number
        columns; ``seconds`` that the selector took in a fold.

    Raises
    ------
    ValueError
        If there is no selector, a share is not in (0, 1], a name is taken, or there are too few rows or classes.
    TypeError
        If a selector is a ranking that is already made, or no method.

    References
    ----------
    C. Nadeau, Y. Bengio (2003), Inference for the generalization error, Machine Learning 52.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 10))
    >>> found = evaluate_selectors(X, X[:, 3] > 0, {"mi": "mutual information"}, keep=[0.1], predictors=["logistic"], cv=3)
    >>> found.frame.sort("value")["selector"].to_list()[-1], found.where(selector="mi").values.round(1)
    ('mi', array([1.]))
    """
    sample = Sample.of(X, y, task=task)
    chosen = _checked(selectors, keep, draws, permuted)
    judges = _predictors(predictors, sample.task, random_state)
    folds = _folds(sample, cv, random_state)
    shares = tuple(dict.fromkeys(float(share) for share in keep))
    count = itertools.count(1)

    def done() -> None:
        if progress is not None:
            progress(next(count), len(folds) * len(chosen))

    runs = [
        _run(sample, fold, chosen, shares, judges, draws, (random_state, number), n_jobs, done)
        for number, fold in enumerate(folds)
    ]
    ratio = float(np.mean([len(held) / len(train) for train, held in folds]))
    frame, replicates = _frame(runs, list(judges), shares, ratio, level)
    meta = Meta(
        method="evaluate_selectors",
        params={"keep": list(shares), "predictors": list(judges), "folds": len(folds), "draws": draws, "task": sample.task},
        seed=random_state,
        data=(fingerprint(sample),),
        rows=len(sample),
        unit=UNITS[sample.task],
        interval=Interval("corrected t over folds", level),
        net_of_null=False,
        replicate_of="fold",
        seconds=round(sum(run.seconds for run in runs), 3),
        extra={"dropped": sample.dropped},
    )  # fmt: skip
    return Scores(
        frame, ("selector",), by=("predictor", "keep"), item="selector", replicates=replicates, meta=meta
    )


@dataclass
class _Run:
    """One fold: for each row of the result its number, and what was kept.

    Attributes
    ----------
    values : dict of (name, predictor, share) to float
    tops : dict of (name, share) to bool of shape (draws, columns)
    redundancy : dict of (name, share) to float
    took : dict of name to float
        Seconds of the selector.
    kinds : dict of name to str
    """

    kinds: dict[str, str]
    values: dict[tuple[str, str, float], float] = field(default_factory=dict)
    tops: dict[tuple[str, float], NDArray[np.bool_]] = field(default_factory=dict)
    redundancy: dict[tuple[str, float], float] = field(default_factory=dict)
    took: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True)
class _Selector:
    """A method under the name of its row; blind when the target is permuted before it is fitted."""

    name: str
    method: Any
    blind: bool = False


def _run(
    sample: Sample,
    fold: Fold,
    selectors: Sequence[_Selector],
    shares: Sequence[float],
    predictors: Mapping[str, Any],
    draws: int,
    seed: tuple[int, int],
    n_jobs: int,
    done: Callable[[], None],
) -> _Run:
    started = time.perf_counter()
    train, held = sample.take(fold[0]), sample.take(fold[1])
    rng = np.random.default_rng(seed)
    shuffled = train.with_target(rng.permutation(train.target))
    items = len(sample.items)
    benches = [_bench(predictor, train, held, n_jobs) for predictor in predictors.values()]
    orders: dict[str, list[Order]] = {}
    run = _Run({one.name: BLIND if one.blind else "selector" for one in selectors})
    for one in selectors:
        begun = time.perf_counter()
        scores = fit_scores(one.method, shuffled if one.blind else train, seed=sum(seed))
        run.took[one.name] = time.perf_counter() - begun
        orders[one.name] = [ranked(scores, benches[0])]
        done()
    orders[RANDOM] = [rng.permutation(items) for _ in range(draws)]
    orders[EVERYTHING] = [np.arange(items)]
    run.kinds |= {RANDOM: RANDOM, EVERYTHING: EVERYTHING}
    for (name, own), share in itertools.product(orders.items(), shares):
        size = items if name == EVERYTHING else math.ceil(share * items - 1e-9)
        tops = np.zeros((len(own), items), dtype=bool)
        for top, order in zip(tops, own, strict=True):
            top[order[:size]] = True
        run.tops[name, share] = tops
    for label, bench in zip(predictors, benches, strict=True):
        for (name, share), tops in run.tops.items():
            run.values[name, label, share] = float(bench.values(tops).mean())
    correlation = _Correlation.of(train, rng)
    for place, tops in run.tops.items():
        run.redundancy[place] = float(np.mean([correlation.among(top) for top in tops]))
    run.seconds = time.perf_counter() - started
    return run


def _bench(predictor: Any, train: Sample, held: Sample, n_jobs: int) -> SubsetBench:
    """The performance on the rows held out, a single unit, of a model fitted on the kept columns."""
    fitted = refitted(predictor, train, held, judge=_performance)

    def evaluate(keep: NDArray[np.bool_]) -> NDArray[np.float64]:
        return fitted([name for name, kept in zip(train.items, keep, strict=True) if kept])

    return SubsetBench(train.items, ("column",), evaluate, n_jobs=n_jobs)


def _performance(model: Any, held: Sample, X: Any) -> NDArray[np.float64]:
    """Macro-F1 or R2, shape (1,)."""
    from sklearn.metrics import f1_score, r2_score

    predicted = np.asarray(model.predict(held.X if X is None else X))
    if held.task == "numbers":
        return np.array([r2_score(held.target.astype(float), predicted.astype(float))])
    return np.array(
        [f1_score(held.target.astype(str), predicted.astype(str), average="macro", zero_division=0)]
    )


@dataclass(frozen=True)
class _Correlation:
    """Correlations of the number columns of the training rows.

    Attributes
    ----------
    place : ndarray of int, shape (columns,)
        Of each column in `table`; -1 for texts and constants.
    table : ndarray of float, shape (rows, numbers)
        Standardised.
    rng : Generator
        Draws the columns where there are too many.
    """

    place: NDArray[np.intp]
    table: NDArray[np.float64]
    rng: np.random.Generator

    @classmethod
    def of(cls, train: Sample, rng: np.random.Generator) -> _Correlation:
        numbers, _ = split_columns(train.frame)
        place = np.full(len(train.items), -1, dtype=np.intp)
        columns: list[NDArray[np.float64]] = []
        for position, name in enumerate(train.items):
            values = numbers.get(name)
            there = values[np.isfinite(values)] if values is not None else np.empty(0)
            if values is not None and len(there) and there.std() > 0:
                place[position] = len(columns)
                columns.append(np.where(np.isfinite(values), (values - there.mean()) / there.std(), 0.0))
        return cls(place, np.column_stack(columns) if columns else np.empty((len(train), 0)), rng)

    def among(self, top: NDArray[np.bool_]) -> float:
        """Mean size of the correlation of two of these columns, NaN where there are not two numbers."""
        here = self.place[top]
        here = here[here >= 0]
        if len(here) > MOST_CORRELATED:
            here = self.rng.choice(here, MOST_CORRELATED, replace=False)
        if len(here) < 2:
            return math.nan
        Z = self.table[:, here]
        Z = Z / np.sqrt((Z * Z).sum(axis=0))
        return float(np.abs(Z.T @ Z)[np.triu_indices(len(here), 1)].mean())


def _frame(
    runs: Sequence[_Run], predictors: Sequence[str], shares: Sequence[float], ratio: float, level: float
) -> tuple[pl.DataFrame, NDArray[np.float32]]:
    """One row per predictor, share and selector, and the values of the folds, shape (folds, rows)."""
    rows, replicates = [], []
    factor = math.sqrt(1 / len(runs) + ratio)
    reach = float(student.ppf(0.5 + level / 2, len(runs) - 1))
    for predictor, share, (name, kind) in itertools.product(predictors, shares, runs[0].kinds.items()):
        own, chance, full = (
            np.array([run.values[which, predictor, share] for run in runs])
            for which in (name, RANDOM, EVERYTHING)
        )
        tops = np.stack([run.tops[name, share] for run in runs], axis=1)  # (draws, folds, columns)
        value, se = float(own.mean()), factor * float(own.std(ddof=1))
        rows.append(
            {
                "predictor": predictor,
                "keep": share,
                "selector": name,
                "kind": kind,
                "value": value,
                "se": se,
                "lo": value - reach * se,
                "hi": value + reach * se,
                "null": float(chance.mean()),
                "over_random": float((own - chance).mean()),
                "over_random_se": factor * float((own - chance).std(ddof=1)),
                "over_all": float((own - full).mean()),
                "over_all_se": factor * float((own - full).std(ddof=1)),
                "kept": int(tops[0, 0].sum()),
                "stability": float(np.mean([mean_jaccard(draw) for draw in tops])),
                "redundancy": float(np.mean([run.redundancy[name, share] for run in runs])),
                "seconds": float(np.mean([run.took.get(name, 0.0) for run in runs])),
            }
        )
        replicates.append(own)
    return pl.DataFrame(rows), np.array(replicates, dtype=np.float32).T


def _checked(
    selectors: Mapping[str, Any], keep: Sequence[float], draws: int, permuted: Collection[str] | None
) -> list[_Selector]:
    if not isinstance(selectors, Mapping) or not selectors:
        raise ValueError(
            'selectors is a mapping of names to methods with at least one of them, such as {"mi": "mutual information"}'
        )
    for name, method in selectors.items():
        if isinstance(method, str) and method not in BASELINES:
            raise ValueError(f"there is no selector {method!r}; the names are {', '.join(BASELINES)}")
        if isinstance(method, Scores):
            raise TypeError(
                f"selector {name!r} is a ranking that is already made: it has seen rows it would be judged on. Give the "
                "method (an estimator with scores_, or a callable), which is fitted on the training rows of each fold"
            )
        if name in (RANDOM, EVERYTHING) or name.endswith(f", {BLIND}"):
            raise ValueError(f"the name {name!r} is taken by a row that this function adds")
    if not len(keep) or any(not 0 < share <= 1 for share in keep):
        raise ValueError(
            f"keep holds shares of the columns in (0, 1], such as (0.2, 0.4, 0.6); got {list(keep)}"
        )
    if draws < 1:
        raise ValueError(f"at least one random selection is drawn per fold, got draws={draws}")
    blind = list(selectors if permuted is None else permuted)
    unknown = [name for name in blind if name not in selectors]
    if unknown:
        raise ValueError(
            f"permuted names {', '.join(map(repr, unknown))}; the selectors are {', '.join(selectors)}"
        )
    methods = {
        name: BASELINES[method] if isinstance(method, str) else method for name, method in selectors.items()
    }
    rows = [_Selector(name, method) for name, method in methods.items()]
    rows += [_Selector(f"{name}, {BLIND}", methods[name], blind=True) for name in blind]
    return rows


def _predictors(given: Mapping[str, Any] | Sequence[str] | None, task: str, seed: int) -> dict[str, Any]:
    if isinstance(given, str):
        given = (given,)
    wanted = given if given is not None else PREDICTORS[task]
    named = wanted if isinstance(wanted, Mapping) else {name: name for name in wanted}
    if not named:
        raise ValueError(f"at least one predictor is needed; by default {', '.join(PREDICTORS[task])}")
    return {name: named_estimator(estimator, task, seed) for name, estimator in named.items()}


def _folds(sample: Sample, cv: Any, seed: int) -> list[Fold]:
    if isinstance(cv, int | np.integer):
        return sample.folds(int(cv), seed)
    if isinstance(cv, str) or not hasattr(cv, "split"):
        raise TypeError(f"cv is a number of folds or an object with split(X, y), got {type(cv).__name__}")
    folds = [
        (np.asarray(train), np.asarray(held))
        for train, held in cv.split(np.zeros((len(sample), 1)), sample.target)
    ]
    if len(folds) < 2:
        raise ValueError("a standard error over folds needs at least 2 of them")
    return folds
