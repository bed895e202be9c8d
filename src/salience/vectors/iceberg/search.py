"""Answers to compare: exact ones by every metric, and those of indexes in every setting."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from salience.measures.neighbors import METRICS, nearest_by
from salience.vectors.indexes.base import Index

__all__ = ["Answers", "Steps", "check_indexes", "exact_answers", "index_answers", "metric_of", "settings_of"]

Ids: TypeAlias = NDArray[np.int64]
Sweep: TypeAlias = Mapping[str, Mapping[str, Sequence[Any]]]

EXACT = "exact"


@dataclass(frozen=True)
class Answers:
    """What a configuration returned.

    Attributes
    ----------
    metric, index, params : str
        The name of the configuration; params as JSON.
    ids : ndarray of int64, shape (m, k)
        -1 where there is no answer.
    seconds : float
        Per query.
    """

    metric: str
    index: str
    params: str
    ids: Ids
    seconds: float

    @property
    def name(self) -> dict[str, str]:
        return {"metric": self.metric, "index": self.index, "params": self.params}


class Steps:
    """Progress over stages of unequal length, told in hundredths of a stage."""

    def __init__(self, stages: int, progress: Callable[[int, int], None] | None) -> None:
        self._total, self._done, self._progress = 100 * stages, 0, progress

    def part(self, done: int, total: int) -> None:
        """So much of the present stage is done."""
        if self._progress is not None and done < total:
            self._progress(self._done + 100 * done // total, self._total)

    def stage(self) -> None:
        """The present stage is done."""
        self._done += 100
        if self._progress is not None:
            self._progress(self._done, self._total)


def exact_answers(
    X: NDArray[Any],
    Q: NDArray[Any],
    k: int,
    metrics: Sequence[str],
    without: Ids | None,
    memory: int,
    steps: Steps,
) -> list[Answers]:
    """The k best rows of every query by every metric; `without`: the row that each query is and must not find."""
    started = time.perf_counter()
    found = nearest_by(X, Q, k + (without is not None), metrics=metrics, memory=memory, progress=steps.part)
    seconds = (time.perf_counter() - started) / len(Q)
    steps.stage()
    return [
        Answers(metric, EXACT, "{}", _cut(ids, k, without), seconds) for metric, (ids, _) in found.items()
    ]


def index_answers(
    built: Mapping[str, Index],
    sweep: Sweep,
    Q: NDArray[Any],
    k: int,
    n: int,
    without: Ids | None,
    steps: Steps,
) -> Iterator[Answers]:
    """Answers of every index in every setting of its sweep; settings are put back afterwards."""
    for name, index in built.items():
        before = {attribute: getattr(index, attribute) for attribute in sweep.get(name, ())}
        try:
            for setting in settings_of(sweep.get(name, {})):
                for attribute, value in setting.items():
                    setattr(index, attribute, value)
                started = time.perf_counter()
                ids = index.search(Q, k + (without is not None))
                seconds = (time.perf_counter() - started) / len(Q)
                yield Answers(
                    metric_of(name, index), name, _json(index.params),
                    _cut(_checked(ids, name, len(Q), n), k, without), seconds,
                )  # fmt: skip
                steps.stage()
        finally:
            for attribute, value in before.items():
                setattr(index, attribute, value)


def check_indexes(indexes: Mapping[str, Any], sweep: Sweep, metrics: Sequence[str]) -> None:
    """Refuse what cannot be built, searched, compared or varied.

    Raises
    ------
    TypeError
        When an object is no index.
    ValueError
        When an index measures by a metric that is not compared, or a sweep names what there is not.
    """
    for name, index in indexes.items():
        lacks = [what for what in ("build", "search", "params") if not hasattr(index, what)]
        if lacks:
            raise TypeError(
                f"indexes[{name!r}] is {type(index).__name__} without {', '.join(lacks)}; an index has build(X), "
                "search(Q, k) and params"
            )
        if metric_of(name, index) not in metrics:
            raise ValueError(
                f"indexes[{name!r}] measures by {metric_of(name, index)!r}, which is not among metrics={tuple(metrics)}; "
                "add it"
            )
    for name, grid in sweep.items():
        if name not in indexes:
            raise ValueError(
                f"sweep names {name!r}; the indexes are {', '.join(map(repr, indexes)) or 'none'}"
            )
        for attribute, values in grid.items():
            if not hasattr(indexes[name], attribute):
                raise ValueError(
                    f"sweep[{name!r}] varies {attribute!r}, which {type(indexes[name]).__name__} does not have"
                )
            if np.ndim(values) != 1 or not len(values):
                raise ValueError(
                    f"sweep[{name!r}][{attribute!r}] is {values!r}; it must be a list of the values to try"
                )


def settings_of(grid: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """All combinations.

    Examples
    --------
    >>> settings_of({"ef_search": [10, 20]})
    [{'ef_search': 10}, {'ef_search': 20}]
    >>> settings_of({})
    [{}]
    """
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]


def metric_of(name: str, index: Any) -> str:
    """By what an index measures: its ``metric``, that of its params, or "l2"."""
    metric = getattr(index, "metric", None) or index.params.get("metric", "l2")
    if metric not in METRICS:
        raise ValueError(
            f"indexes[{name!r}] measures by {metric!r}; an audit knows {', '.join(map(repr, METRICS))}"
        )
    return str(metric)


def _json(params: Mapping[str, Any]) -> str:
    said = {key: value for key, value in params.items() if key not in ("index", "metric")}
    return json.dumps(said, default=repr)


def _checked(ids: Any, name: str, m: int, n: int) -> Ids:
    answer = np.asarray(ids)
    if answer.ndim != 2 or len(answer) != m or answer.dtype.kind not in "iu":
        raise ValueError(
            f"indexes[{name!r}].search returned {answer.dtype} of shape {answer.shape}; it must return whole numbers, a row "
            f"for each of the {m} queries"
        )
    if answer.size and (int(answer.max()) >= n or int(answer.min()) < -1):
        raise ValueError(
            f"indexes[{name!r}].search returned ids from {answer.min()} to {answer.max()}; rows are numbered 0 to {n - 1}, "
            "and -1 stands for no answer"
        )
    return answer.astype(np.int64)


def _cut(ids: Ids, k: int, without: Ids | None) -> Ids:
    """Exactly k answers: without the query itself, what is missing as -1."""
    if without is not None:
        others = ids != without[:, None]
        ids = np.take_along_axis(ids, np.argsort(~others, axis=1, kind="stable"), axis=1)
        ids = np.where(np.arange(ids.shape[1]) < others.sum(axis=1)[:, None], ids, -1)
    answer = np.full((len(ids), k), -1, dtype=np.int64)
    width = min(k, ids.shape[1])
    answer[:, :width] = ids[:, :width]
    return answer
