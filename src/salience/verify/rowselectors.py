"""Compare selectors of rows fairly: each sees the training rows of a split only, and random rows are always there."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from salience.verify.fitting import arguments
from salience.verify.sample import Sample

__all__ = ["compare_row_selectors"]

Rows = NDArray[np.intp]
Progress = Callable[[int, int], None]

RANDOM, EVERYTHING = "random", "all rows"
TEST = 0.3  # share of the rows that is held out of each split


def compare_row_selectors(
    selectors: Mapping[str, Any],
    X: Any,
    y: Any,
    *,
    estimators: Mapping[str, Any] | None = None,
    rates: Sequence[float] | None = (0.04,),
    splits: Any = 5,
    given: Any = None,
    draws: int = 5,
    random_state: int = 0,
    progress: Progress | None = None,
) -> pl.DataFrame:
    r"""How well do models learn from the rows that each selector keeps?

    In each split every selector sees the training rows only, and each estimator is fitted on the rows it keeps and
    predicts the rows held out. Beside the selectors stand all training rows, and as many random ones of each class: a
    selector that is not better than those has selected nothing. Columns are standardised by the training rows.

    Splits share training rows, so standard errors of a mean of `k` splits are those of Nadeau and Bengio (2003),
    :math:`s \sqrt{1/k + n_{held}/n_{train}}`.

    Parameters
    ----------
    selectors : mapping of name to selector
        Objects with ``fit_resample(X, y)`` that say which rows they kept, by ``get_support(indices=True)`` or
        ``sample_indices_`` (as in imbalanced-learn). They are cloned, and given a seed where they take one. Those with a
        parameter ``rate`` are run at each of `rates`, the others once, at the size they choose.
    X : array or frame of shape (n, d)
        Finite numbers.
    y : array-like of shape (n,)
        Classes.
    estimators : mapping of name to classifier, optional
        By default "1-NN" and "RBF-SVM".
    rates : sequence of float in (0, 1], or None
        Shares of the rows that are kept; None leaves every selector as it is.
    splits : int or splitter, default=5
        Times that 30 % of the rows are held out, classes in equal shares; or an object with ``split(X, y)``.
    given : array-like of shape (n,), optional
        The labels that selectors and estimators get, where they may be wrong; `y` are then the true ones, by which is
        judged.
    draws : int, default=5
        Random selections in a split, of which the mean is taken.
    random_state : int
    progress : callable, optional
        ``progress(done, total)`` after each fit of a selector.

    Returns
    -------
    polars.DataFrame
        A row for each estimator and selection: ``selector``; ``kind`` (selector, random, all rows); ``rate``, null where
        the selector chose; ``estimator``; ``accuracy``; ``reduction``, the share of the rows taken away;
        ``effectiveness``, accuracy times reduction; ``over_random``, the accuracy above that of as many random rows of
        each class, paired by split; each with ``_se``; ``wrong``, the share of the kept rows whose given label is not the
        true one; ``seconds`` of the selector. Random rows as many as a selector chose are called "random as NAME".

    Raises
    ------
    ValueError
        If there is no selector, a rate is not in (0, 1], a name is taken, numbers are missing, or there are too few rows.
    TypeError
        If an object selects no rows, or does not say which.

    References
    ----------
    C. Nadeau, Y. Bengio (2003), Inference for the generalization error, Machine Learning 52.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> class First:
    ...     def __init__(self, rate=0.1): self.rate = rate
    ...     def get_params(self, deep=True): return {"rate": self.rate}
    ...     def set_params(self, rate): self.rate = rate; return self
    ...     def fit_resample(self, X, y): self.sample_indices_ = np.arange(round(self.rate * len(y)))
    >>> found = compare_row_selectors({"first": First()}, X, y, rates=[0.5], splits=2)
    >>> found.filter(pl.col("estimator") == "1-NN")["selector"].to_list()
    ['first', 'random', 'all rows']
    """
    sample = Sample.of(X, y, task="classes")
    table = _numbers(sample)
    labels = sample.target if given is None else Sample.of(table, given, task="classes").target
    _check(selectors, rates, draws, len(table), len(labels))
    judges = estimators or {"1-NN": KNeighborsClassifier(1), "RBF-SVM": SVC()}
    parts = _splits(splits, table, sample.target, random_state)
    plan = [
        (name, selector, rate)
        for name, selector in selectors.items()
        for rate in (rates if rates is not None and "rate" in arguments(selector) else [None])
    ]
    found = _Found()
    for split, (train, held) in enumerate(parts):
        scale = StandardScaler().fit(table[train])
        case = _Case(
            scale.transform(table[train]),
            scale.transform(table[held]),
            labels[train],
            sample.target[held],
            None if given is None else labels[train] != sample.target[train],
            judges,
            np.random.default_rng((random_state, split)),
        )
        random: dict[float, list[Rows]] = {rate: case.random(rate, draws) for rate in rates or ()}
        for step, (name, selector, rate) in enumerate(plan):
            started = time.perf_counter()
            rows = _kept(selector, rate, case, random_state + split)
            seconds = time.perf_counter() - started
            found.add((name, "selector", rate), split, case.judged([rows]), seconds)
            if rate is None:
                alike = case.random_like(rows, draws)
                found.add((f"{RANDOM} as {name}", RANDOM, None), split, case.judged(alike))
            if progress is not None:
                progress(split * len(plan) + step + 1, len(parts) * len(plan))
        for rate, chosen in random.items():
            found.add((RANDOM, RANDOM, rate), split, case.judged(chosen))
        found.add((EVERYTHING, EVERYTHING, None), split, case.judged([np.arange(len(train))]))
    ratio = float(np.mean([len(held) / len(train) for train, held in parts]))
    return found.frame(list(judges), math.sqrt(1 / len(parts) + ratio))


@dataclass
class _Case:
    """One split: training rows with the labels that are given, rows held out with the true ones."""

    train: NDArray[np.float64]
    held: NDArray[np.float64]
    labels: NDArray[Any]
    truth: NDArray[Any]
    wrong: NDArray[np.bool_] | None
    judges: Mapping[str, Any]
    rng: np.random.Generator

    def random(self, rate: float, draws: int) -> list[Rows]:
        """Random rows, this share of each class rounded up."""
        _, sizes = np.unique(self.labels, return_counts=True)
        return self._drawn([max(math.ceil(rate * size - 1e-9), 1) for size in sizes], draws)

    def random_like(self, rows: Rows, draws: int) -> list[Rows]:
        """Random rows, of each class as many as there are among these."""
        return self._drawn([int((self.labels[rows] == c).sum()) for c in np.unique(self.labels)], draws)

    def _drawn(self, sizes: Sequence[int], draws: int) -> list[Rows]:
        classes = [np.flatnonzero(self.labels == c) for c in np.unique(self.labels)]
        return [
            np.concatenate([self.rng.permutation(rows)[:size] for rows, size in zip(classes, sizes, strict=True)])
            for _ in range(draws)
        ]  # fmt: skip

    def judged(self, selections: Sequence[Rows]) -> dict[str, float]:
        """Accuracy of each estimator, reduction and share of wrong labels, means over the selections."""
        out = {
            name: float(np.mean([self._accuracy(judge, rows) for rows in selections]))
            for name, judge in self.judges.items()
        }
        out["reduction"] = 1.0 - float(np.mean([len(rows) for rows in selections])) / len(self.train)
        if self.wrong is not None:
            out["wrong"] = float(np.mean([self.wrong[rows].mean() for rows in selections]))
        return out

    def _accuracy(self, judge: Any, rows: Rows) -> float:
        kept = self.labels[rows]
        if len(np.unique(kept)) == 1:  # no classifier can be fitted
            return float((self.truth == kept[0]).mean())
        predicted = clone(judge).fit(self.train[rows], kept).predict(self.held)
        return float((np.asarray(predicted) == self.truth).mean())


@dataclass
class _Found:
    """What was measured, by selection and split."""

    numbers: dict[tuple[str, str, float | None], dict[int, dict[str, float]]] = field(
        default_factory=lambda: defaultdict(dict)
    )

    def add(
        self, row: tuple[str, str, float | None], split: int, judged: dict[str, float], seconds: float = 0.0
    ) -> None:
        self.numbers[row][split] = {**judged, "seconds": seconds}

    def column(self, row: tuple[str, str, float | None], name: str) -> NDArray[np.float64]:
        """One number over the splits; NaN where it was not measured."""
        return np.array([numbers.get(name, math.nan) for _, numbers in sorted(self.numbers[row].items())])

    def frame(self, judges: Sequence[str], factor: float) -> pl.DataFrame:
        """The table; `factor` times the deviation between splits is a standard error."""
        order = sorted(self.numbers, key=lambda row: ("selector", RANDOM, EVERYTHING).index(row[1]))
        return pl.DataFrame(
            [self._row(row, judge, factor) for judge in judges for row in order],
            schema_overrides={"rate": pl.Float64, "over_random": pl.Float64, "over_random_se": pl.Float64, "wrong": pl.Float64},
        )  # fmt: skip

    def _row(self, row: tuple[str, str, float | None], judge: str, factor: float) -> dict[str, Any]:
        name, kind, rate = row
        accuracy, reduction = self.column(row, judge), self.column(row, "reduction")
        measured = {"accuracy": accuracy, "reduction": reduction, "effectiveness": accuracy * reduction}
        if kind == "selector":
            blind = (RANDOM, RANDOM, rate) if rate is not None else (f"{RANDOM} as {name}", RANDOM, None)
            measured["over_random"] = accuracy - self.column(blind, judge)
        out: dict[str, Any] = {"selector": name, "kind": kind, "rate": rate, "estimator": judge}
        for what in ("accuracy", "reduction", "effectiveness", "over_random"):
            values = measured.get(what)
            out[what] = None if values is None else float(values.mean())
            out[f"{what}_se"] = None if values is None else factor * float(values.std(ddof=1))
        wrong = float(self.column(row, "wrong").mean())
        out["wrong"] = None if math.isnan(wrong) else wrong
        out["seconds"] = float(self.column(row, "seconds").mean()) if kind == "selector" else None
        return out


def _kept(selector: Any, rate: float | None, case: _Case, seed: int) -> Rows:
    """The numbers of the rows that a fresh copy of the selector keeps."""
    taken = {"rate": rate, "random_state": seed}
    settings = {
        name: value for name, value in taken.items() if value is not None and name in arguments(selector)
    }
    fresh = clone(selector, safe=False)
    if settings:
        fresh.set_params(**settings)
    fresh.fit_resample(case.train, case.labels)
    rows = fresh.get_support(indices=True) if hasattr(fresh, "get_support") else _said(fresh)
    return np.asarray(rows, dtype=np.intp).ravel()


def _said(selector: Any) -> Any:
    if not hasattr(selector, "sample_indices_"):
        raise TypeError(
            f"{type(selector).__name__} does not say which rows it kept: after fit_resample it needs "
            "get_support(indices=True), or sample_indices_"
        )
    return selector.sample_indices_


def _numbers(sample: Sample) -> NDArray[np.float64]:
    kinds = [name for name in sample.items if not sample.frame[name].dtype.is_numeric()]
    if kinds:
        raise ValueError(
            f"column(s) {', '.join(map(repr, kinds[:5]))} hold no numbers: rows are compared by distances; encode them "
            "first, or leave them out"
        )
    table = sample.frame.select(nw.all().cast(nw.Float64)).to_numpy()
    if not np.isfinite(table).all():
        raise ValueError("X holds NaN or infinity: fill them, or drop those rows")
    return table


def _splits(splits: Any, X: NDArray[np.float64], y: NDArray[Any], seed: int) -> list[tuple[Rows, Rows]]:
    if isinstance(splits, int | np.integer):
        if splits < 2:
            raise ValueError(f"a standard error over splits needs at least 2 of them, got splits={splits}")
        splits = StratifiedShuffleSplit(int(splits), test_size=TEST, random_state=seed)
    elif isinstance(splits, str) or not hasattr(splits, "split"):
        raise TypeError(
            f"splits is a number of splits or an object with split(X, y), got {type(splits).__name__}"
        )
    parts = [(np.asarray(train), np.asarray(held)) for train, held in splits.split(X, y)]
    if len(parts) < 2:
        raise ValueError("a standard error over splits needs at least 2 of them")
    return parts


def _check(
    selectors: Mapping[str, Any], rates: Sequence[float] | None, draws: int, rows: int, labels: int
) -> None:
    if not isinstance(selectors, Mapping) or not selectors:
        raise ValueError(
            'selectors is a mapping of names to objects with fit_resample, such as {"gais": ...}'
        )
    for said in _wrong_selectors(selectors):
        raise TypeError(said)
    taken = [name for name in selectors if name in (RANDOM, EVERYTHING) or name.startswith(f"{RANDOM} as ")]
    if taken:
        raise ValueError(f"the name {taken[0]!r} is taken by a row that this function adds")
    if rates is not None and (not len(rates) or any(not 0 < rate <= 1 for rate in rates)):
        raise ValueError(f"rates are shares of the rows in (0, 1], such as (0.04, 0.1); got {list(rates)}")
    if draws < 1:
        raise ValueError(f"at least one random selection is drawn per split, got draws={draws}")
    if rows != labels:
        raise ValueError(f"given has {labels} labels for {rows} rows: one per row, none missing")


def _wrong_selectors(selectors: Mapping[str, Any]) -> Iterator[str]:
    for name, selector in selectors.items():
        if isinstance(selector, type) or not hasattr(selector, "fit_resample"):
            yield (
                f"{name!r} has no fit_resample(X, y): selectors of columns are compared by evaluate_selectors, got "
                f"{selector!r}"
            )
