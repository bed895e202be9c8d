"""The cloud of interactions of a table of any columns: a model is fitted, and its Rashomon set looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import t as student
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from salience.results.scores import Scores
from salience.tabular.rashomon.explorer import RashomonExplorer
from salience.tabular.rashomon.fis import fis
from salience.tabular.selection import as_numbers, without_rare
from salience.verify.check import RANKING, Check
from salience.verify.checks.stability import stability
from salience.verify.sample import Sample
from salience.verify.verdict import Verdict, report

__all__ = ["MODELS", "interaction_cloud", "judge_pairs", "pair_scores"]

PERMUTED = "permuted label"


def interaction_cloud(
    frame: Any,
    label: str,
    *,
    model: str = "boosting",
    held: int = 1000,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
    **settings: Any,
) -> RashomonExplorer:
    """Fit a model on a part of a table, and explore on the rest how its columns could interact in models as good.

    Parameters
    ----------
    frame : pandas or polars frame
        Text columns take part as groups of 0/1 columns, gaps in numbers are filled with the mean.
    label : str
    model : {"boosting", "forest", "linear"}, default="boosting"
    held : int, default=1000
        Most rows to explore on; at most half of all.
    seed : int
    progress : callable, optional
    **settings
        Of :class:`~salience.tabular.RashomonExplorer`.

    Returns
    -------
    RashomonExplorer
        Fitted.

    Raises
    ------
    ValueError
        If the model is not known, or there are fewer than two columns or 20 rows.

    Examples
    --------
    >>> import polars as pl
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(1000, 3))
    >>> frame = pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "y": x[:, 0] * x[:, 1]})
    >>> interaction_cloud(frame, "y", delta=0.5, shuffles=3).scores_.top(1).items
    [('a', 'b')]
    """
    fitted = _fitted(Sample.of(frame, label), model, held, seed)
    explorer = RashomonExplorer(
        fitted.model, groups=fitted.groups, random_state=seed, progress=progress, **settings
    )
    return explorer.fit(fitted.X, fitted.y)


def pair_scores(
    frame: Any, label: str, *, model: str = "boosting", held: int = 1000, shuffles: int = 10, seed: int = 0
) -> Scores:
    """Interactions in the fitted model alone, as `verify` asks for them: a method from a table and its label to Scores.

    Examples
    --------
    >>> import polars as pl
    >>> x = np.random.default_rng(0).normal(size=(600, 3))
    >>> frame = pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "y": x[:, 0] * x[:, 1]})
    >>> pair_scores(frame, "y", shuffles=3).top(1).items
    [('a', 'b')]
    """
    fitted = _fitted(Sample.of(frame, label), model, held, seed)
    return fis(fitted.model, fitted.X, fitted.y, groups=fitted.groups, shuffles=shuffles, random_state=seed)


def judge_pairs(
    frame: Any,
    label: str,
    *,
    repeats: int = 6,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
    **settings: Any,
) -> Verdict:
    """Do the strongest pairs come out again from other rows, and stand out from those of a permuted label?

    Parameters
    ----------
    frame, label
    repeats : int, default=6
        Halves of the rows, drawn at random; and as many permutations of the label.
    seed : int
    progress : callable, optional
    **settings
        Of `pair_scores`.

    Returns
    -------
    Verdict
        ``stability`` of the strongest tenth of the pairs, with that of permuted labels as a control that must fail, and
        ``strength``: the strongest interaction over the strongest one of permuted labels, at least 2.
    """
    sample = Sample.of(frame, label)
    rng = np.random.default_rng((seed, 7))
    found: dict[str, list[Scores]] = {RANKING: [], PERMUTED: []}
    for _ in range(repeats):
        half = sample.take(np.sort(rng.permutation(len(sample))[: len(sample) // 2]))
        blind = half.with_target(rng.permutation(half.target))
        for subject, data in ((RANKING, half), (PERMUTED, blind)):
            found[subject].append(pair_scores(data.joined(), data.label, seed=seed, **settings))
            if progress is not None:
                progress(sum(map(len, found.values())), 2 * repeats)
    strongest = {name: [float(np.nanmax(np.abs(s.values))) for s in scores] for name, scores in found.items()}
    ratio = np.log(np.maximum(strongest[RANKING], 1e-300)) - np.log(max(*strongest[PERMUTED], 1e-300))
    half_width = student.ppf(0.975, repeats - 1) * ratio.std(ddof=1) / np.sqrt(repeats)
    strength = Check.judged(
        "strength",
        statistic=float(np.exp(ratio.mean())), lo=float(np.exp(ratio.mean() - half_width)),
        hi=float(np.exp(ratio.mean() + half_width)), threshold=2.0, reference=1.0,
        unit="strongest pair over that of permuted labels",
        why=f"{repeats} halves of the rows against the strongest of {repeats} permuted labels",
    )  # fmt: skip
    k = max(1, round(len(found[RANKING][0]) / 10))  # most pairs of a table do not interact
    stable = [stability(found[RANKING], k), stability(found[PERMUTED], k).about(PERMUTED)]
    return report([*stable, strength], repeats=repeats, seed=seed, **settings)


@dataclass(frozen=True)
class _Fitted:
    """A model with rows it has not seen, the columns of numbers, standardised."""

    model: Any
    X: Any
    y: Any
    groups: dict[str, list[str]] | None


def _fitted(sample: Sample, model: str, held: int, seed: int) -> _Fitted:
    if model not in MODELS:
        raise ValueError(f"there is no model {model!r}; the names are {', '.join(MODELS)}")
    sample = without_rare(sample)
    if len(sample) < 20 or len(sample.items) < 2:
        raise ValueError(
            f"interactions need 20 rows and 2 columns besides the label; there are {len(sample)} and {len(sample.items)}"
        )
    numbers, owner = as_numbers(sample.X)
    groups: dict[str, list[str]] = {}
    for made, name in owner.items():
        groups.setdefault(name, []).append(made)
    several = {name: parts for name, parts in groups.items() if parts != [name]}
    scaled = StandardScaler().set_output(transform="polars").fit_transform(numbers)
    y = sample.target
    classes = y if sample.task == "classes" else None
    size = min(held, len(sample) // 2)
    rows = np.arange(len(sample))
    train, rest = train_test_split(rows, test_size=size, random_state=seed, stratify=classes)
    fitted = MODELS[model](sample.task, seed).fit(scaled[train], y[train])
    return _Fitted(fitted, scaled[rest], y[rest], several or None)


def _boosting(task: str, seed: int) -> Any:
    kind = HistGradientBoostingRegressor if task == "numbers" else HistGradientBoostingClassifier
    return kind(max_iter=100, random_state=seed)


def _forest(task: str, seed: int) -> Any:
    kind = RandomForestRegressor if task == "numbers" else RandomForestClassifier
    return kind(n_estimators=100, min_samples_leaf=5, random_state=seed)


def _linear(task: str, seed: int) -> Any:
    return Ridge() if task == "numbers" else LogisticRegression(max_iter=1000)


#: Models by name: (task, seed) -> estimator.
MODELS: dict[str, Callable[[str, int], Any]] = {"boosting": _boosting, "forest": _forest, "linear": _linear}
