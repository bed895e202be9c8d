"""Benches: what is it worth when only these items remain?

A bench answers that question for any subset of its items, per evaluation unit (row, input, query), so that
two subsets can always be compared unit by unit. Everything else in `verify` is written on top of it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from salience.parallel import pmap
from salience.verify.estimators import named_estimator
from salience.verify.filling import filled_columns, without
from salience.verify.fingerprints import fingerprint
from salience.verify.losses import NamesOnly, prior_losses, row_losses
from salience.verify.refitting import refitted
from salience.verify.sample import Sample

Mask = NDArray[np.bool_]
Units = NDArray[np.float64]
REMEMBERED = 256  # subsets whose values are kept: the full and the empty set are asked for by every check


@runtime_checkable
class Bench(Protocol):
    """What is it worth when only these items remain?

    Attributes
    ----------
    items : sequence
        The names of the items: plain for one key, tuples for several.
    keys : tuple of str
        What names an item, as in `Scores.keys`.
    floor : float
        The value when nothing is kept.
    greater_is_better : bool
    perfect : float or None
        The value that cannot be bettered, where there is one.
    how : {"refit", "hold"}
        Whether something is fitted anew for every subset, or one model is held fixed.
    data : frozenset of str
        Fingerprints of the data it evaluates on.
    """

    items: Sequence[Any]
    keys: tuple[str, ...]
    greater_is_better: bool
    perfect: float | None
    how: str
    data: frozenset[str]

    @property
    def floor(self) -> float: ...

    def values(self, keep: Mask) -> Units:
        """Values of subsets of the items: bool of shape (m, items) in, float of shape (m, units) out."""
        ...


@dataclass(eq=False)
class SubsetBench:
    """A `Bench` around a function of one subset; what the builders below return.

    Parameters
    ----------
    items, keys, greater_is_better, perfect, how, data
        See `Bench`.
    evaluate : callable
        From one subset, bool of shape (items,), to its values, float of shape (units,).
    n_jobs : int
        Threads over subsets.

    Examples
    --------
    >>> bench = SubsetBench(("a", "b"), ("column",), lambda keep: keep @ np.array([[1.0], [2.0]]))
    >>> bench.values(np.array([[True, False], [True, True]]))
    array([[1.],
           [3.]])
    >>> bench.floor
    0.0
    """

    items: Sequence[Any]
    keys: tuple[str, ...]
    evaluate: Callable[[Mask], Units]
    greater_is_better: bool = True
    perfect: float | None = None
    how: str = "refit"
    data: frozenset[str] = frozenset()
    n_jobs: int = 1
    _known: OrderedDict[bytes, Units] = field(default_factory=OrderedDict, repr=False)

    @property
    def floor(self) -> float:
        """The mean value when nothing is kept."""
        return float(self.values(np.zeros((1, len(self.items)), dtype=bool)).mean())

    def values(self, keep: ArrayLike) -> Units:
        """Values of subsets: bool of shape (m, items) in, float64 of shape (m, units) out.

        Raises
        ------
        ValueError
            If `keep` does not have one column per item.
        """
        masks = np.asarray(keep, dtype=bool)
        if masks.ndim != 2 or masks.shape[1] != len(self.items):
            raise ValueError(
                f"keep has one row per subset and {len(self.items)} columns, got shape {masks.shape}"
            )
        wanted = {mask.tobytes(): mask for mask in masks}
        new = [name for name in wanted if name not in self._known]
        # Small fits are slower, not faster, when every one of them starts the threads of BLAS and OpenMP.
        with threadpool_limits(1):
            found = pmap(self.evaluate, [wanted[name] for name in new], n_jobs=self.n_jobs, threads=True)
        for name, units in zip(new, found, strict=True):
            self._known[name] = np.asarray(units, dtype=np.float64)
        for name in wanted:  # the least recently asked for goes first
            self._known.move_to_end(name)
        answer = np.stack([self._known[mask.tobytes()] for mask in masks])
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return answer


LossBench = partial(SubsetBench, greater_is_better=False, perfect=0.0)


def columns(
    est: Any,
    X: Any,
    y: Any,
    *,
    split: tuple[NDArray[np.intp], NDArray[np.intp]] | None = None,
    test: float = 0.3,
    task: str = "auto",
    seed: int = 0,
    n_jobs: int = 1,
) -> SubsetBench:
    """The columns of a table: refit the estimator on the kept ones, evaluate it on rows held out.

    Parameters
    ----------
    est : {"logistic", "forest", "lightgbm"} or estimator
    X, y : frame or array of shape (rows, columns), and target
        Or whatever else `Sample.of` takes.
    split : pair of integer arrays, optional
        Rows to fit on and rows to evaluate on. By default `test` of the rows, chosen at random, are held out.
    test : float
    task : {"auto", "classes", "numbers"}
    seed : int
        Of the split and of the estimator.
    n_jobs : int
        Threads over subsets.

    Returns
    -------
    SubsetBench
        Units are the held-out rows, values log-loss in nats (squared error for numbers). Its `data` are the
        whole table and the held-out rows: a ranking made from the rows that are fitted on may be judged, one
        made from all rows may not.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 2))
    >>> bench = columns("logistic", X, X[:, 0] > 0)
    >>> losses = bench.values([[True, False], [False, True]]).mean(axis=1)
    >>> bool(losses[0] < 0.2 < losses[1])
    True
    """
    sample = Sample.of(X, y, task=task)
    fit_rows, held_rows = split if split is not None else held_out(sample, test, seed)
    train, held = sample.take(fit_rows), sample.take(held_rows)
    if sample.task == "classes" and len(train.codes()[1]) < 2:
        raise ValueError(
            f"all rows to fit on have one class of {sample.label!r}: there is nothing to predict"
        )
    estimator = named_estimator(est, sample.task, seed)

    losses = refitted(estimator, train, held)

    def evaluate(keep: Mask) -> Units:
        names = [name for name, kept in zip(sample.items, keep, strict=True) if kept]
        return losses(names) if names else prior_losses(train, held, estimator)

    seen = frozenset({fingerprint(sample), fingerprint(held)})
    return LossBench(sample.items, ("column",), evaluate, data=seen, n_jobs=n_jobs)


def hold_columns(
    model: Any, X: Any, y: Any, fill: Any = "typical", *, seed: int = 0, n_jobs: int = 1
) -> SubsetBench:
    """The columns of a table for one fitted model: the others are overwritten, nothing is fitted.

    Parameters
    ----------
    model : fitted estimator
    X, y : frame or array of shape (rows, columns), and target
        Rows the model was not fitted on.
    fill : {"typical", "shuffle"} or mapping of column to value
        What stands in a column that is not kept: the median or most frequent value, the values of other rows,
        or a given one.
    seed : int
        Of the shuffles.
    n_jobs : int

    Returns
    -------
    SubsetBench
        Units are rows, values as in `columns`; ``how`` is "hold".
    """
    sample = Sample.of(X, y)
    filled = filled_columns(sample, fill, seed)

    def evaluate(keep: Mask) -> Units:
        return row_losses(model, without(sample, filled, keep))

    seen = frozenset({fingerprint(sample)})
    return LossBench(sample.items, ("column",), evaluate, how="hold", data=seen, n_jobs=n_jobs)


def rows(
    est: Any,
    train: Any,
    test: Any,
    *,
    task: str = "auto",
    names_only: bool = False,
    seed: int = 0,
    n_jobs: int = 1,
) -> SubsetBench:
    """The rows of a training set: refit on the kept ones, evaluate on the test rows.

    Parameters
    ----------
    est : {"logistic", "forest", "lightgbm"} or estimator
    train, test : pairs (X, y), or what else `Sample.of` takes
    task : {"auto", "classes", "numbers"}
    names_only : bool
        Of classes, count wrong rows instead of log-losses: clean rows make a model surer than unclean test rows bear out.
    seed, n_jobs : int

    Returns
    -------
    SubsetBench
        Items are 0 ... rows - 1 of the training set under the key "row"; units are the test rows.
    """
    fit, held = Sample.of(train, task=task), Sample.of(test, task=task)
    estimator = named_estimator(est, fit.task, seed)

    def said(model: Any) -> Any:
        return NamesOnly(model) if names_only and fit.task == "classes" else model

    def evaluate(keep: Mask) -> Units:
        kept = fit.take(np.flatnonzero(keep))
        if not len(kept):
            return prior_losses(fit, held, said(estimator))
        if fit.task == "classes" and len(np.unique(kept.target.astype(str))) == 1:
            return prior_losses(kept, held, said(estimator))  # one class left: no classifier can be fitted
        return row_losses(said(named_estimator(estimator, fit.task).fit(kept.X, kept.target)), held)

    seen = frozenset({fingerprint(held)})
    return LossBench(tuple(range(len(fit))), ("row",), evaluate, data=seen, n_jobs=n_jobs)


def parts(
    f: Callable[[NDArray[Any]], ArrayLike],
    u: ArrayLike,
    baseline: ArrayLike = 0.0,
    *,
    items: Sequence[Any] | None = None,
    keys: tuple[str, ...] = ("part",),
    data: frozenset[str] = frozenset(),
) -> SubsetBench:
    """The parts of a black box: concepts, heads, neurons, tokens, patches; the others are set to a baseline.

    Parameters
    ----------
    f : callable
        From inputs of the shape of `u` to one number per input, shape (n,): the greater, the better (the
        logit of the right class, say).
    u : array-like of shape (n, items, ...)
        What flows through the parts for each input.
    baseline : array-like that broadcasts to the shape of `u`
    items : sequence, optional
        Names of the parts; by default 0, 1, ...
    keys : tuple of str
    data : frozenset of str
        Fingerprints of the inputs.

    Returns
    -------
    SubsetBench
        Units are the inputs; ``how`` is "hold".

    Examples
    --------
    >>> bench = parts(lambda u: u @ np.array([1.0, 0.0]), np.ones((3, 2)))
    >>> bench.values([[True, False], [False, True]]).mean(axis=1)
    array([1., 0.])
    """
    inputs = np.asarray(u)
    if inputs.ndim < 2 or 0 in inputs.shape[:2]:
        raise ValueError(f"u has shape (inputs, parts, ...) with at least one of each, got {inputs.shape}")
    named = tuple(range(inputs.shape[1]) if items is None else items)
    if len(named) != inputs.shape[1]:
        raise ValueError(f"{len(named)} items are named, u has {inputs.shape[1]} parts")
    filled = np.broadcast_to(np.asarray(baseline), inputs.shape)

    def evaluate(keep: Mask) -> Units:
        kept = keep.reshape((1, -1) + (1,) * (inputs.ndim - 2))
        values = np.asarray(f(np.where(kept, inputs, filled)), dtype=np.float64)
        if values.shape != (len(inputs),):
            raise ValueError(f"f returns one number per input, shape ({len(inputs)},); got {values.shape}")
        return values

    return SubsetBench(named, keys, evaluate, how="hold", data=data)


def configurations(
    measured: ArrayLike | Mapping[Any, ArrayLike],
    *,
    items: Sequence[Any] | None = None,
    keys: tuple[str, ...] = ("configuration",),
    greater_is_better: bool = True,
    data: frozenset[str] = frozenset(),
) -> SubsetBench:
    """Configurations that were all measured: of those that remain one takes the best, without any it takes
    the worst.

    Parameters
    ----------
    measured : array-like of shape (configurations, units), or mapping of configuration to array of shape
    (units,)
        Recall per query, say.
    items : sequence, optional
        Names of the configurations.
    keys : tuple of str
    greater_is_better : bool
    data : frozenset of str

    Returns
    -------
    SubsetBench
        The values of a subset are those of its configuration that is best on average.
    """
    if isinstance(measured, Mapping):
        items = tuple(measured)
        measured = [np.asarray(values) for values in measured.values()]
    table = np.asarray(measured, dtype=np.float64)
    if table.ndim != 2 or 0 in table.shape or not np.isfinite(table).all():
        raise ValueError(
            f"measured has shape (configurations, units) and finite numbers; got shape {table.shape}"
        )
    worth = table.mean(axis=1) * (1 if greater_is_better else -1)

    def evaluate(keep: Mask) -> Units:
        return table[np.argmax(np.where(keep, worth, -np.inf))] if keep.any() else table[np.argmin(worth)]

    named = tuple(range(len(table)) if items is None else items)
    return SubsetBench(named, keys, evaluate, greater_is_better=greater_is_better, how="hold", data=data)


def held_out(sample: Sample, test: float, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows to fit on and rows to evaluate on, at random, classes in equal shares where each has two rows.

    Raises
    ------
    ValueError
        If a part would be empty.
    """
    from sklearn.model_selection import train_test_split

    if not 0 < test < 1 or len(sample) < 4:
        raise ValueError(
            f"a share in (0, 1) of at least 4 rows can be held out; got test={test}, {len(sample)} rows"
        )
    strata = None
    if sample.task == "classes":
        codes, classes = sample.codes()
        out = int(np.ceil(test * len(sample)))
        held = min(out, len(sample) - out)
        strata = codes if np.bincount(codes).min() >= 2 and held >= len(classes) else None
    fit, evaluate = train_test_split(
        np.arange(len(sample)), test_size=test, random_state=seed, stratify=strata
    )
    return np.sort(fit), np.sort(evaluate)
