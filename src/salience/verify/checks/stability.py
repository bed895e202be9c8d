"""Does the same come out again: under other seeds, other samples, other groups, other folds?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from salience.results.scores import Scores
from salience.verify.check import Check
from salience.verify.fitting import fit_scores, takes_seed
from salience.verify.sample import Sample

Rows = NDArray[np.intp]


def stability(
    scores: Scores | Sequence[Scores], k: int | None = None, *, threshold: float = 0.5, level: float = 0.95
) -> Check:
    """Does the same top come out again?

    The stability of Nogueira, Sechidis and Brown (JMLR 18, 2018): 1 minus the variance of being among the top
    `k`, in units of the variance that random tops have. It is 1 for equal tops and 0 for random ones,
    whatever `k`; the interval is their asymptotic one. They call values below 0.4 poor and above 0.75
    excellent.

    Parameters
    ----------
    scores : Scores with replicates, or sequence of Scores of the same items (see `repeat`)
    k : int, optional
        Size of the top; by default a quarter of the items, at least one.
    threshold, level : float

    Returns
    -------
    Check

    Examples
    --------
    >>> same = [Scores.from_values([3.0, 2.0, 1.0, 0.0]) for _ in range(3)]
    >>> stability(same, k=2).statistic
    1.0
    """
    names, ranked = _repeated(scores)
    if len(ranked) < 2:
        return Check.not_run("stability", "there is one ranking and nothing to compare it with: see repeat()")
    items = len(names)
    k = max(1, round(items / 4)) if k is None else int(k)
    if not 0 < k < items:
        return Check.not_run("stability", f"the top {k} of {items} items is always the same")
    top = np.zeros((len(ranked), items), dtype=bool)
    for repeat_, order in enumerate(ranked):
        top[repeat_, order[:k]] = True
    value, se = nogueira(top)
    reach = NormalDist().inv_cdf(0.5 + level / 2) * se
    often = top.mean(axis=0)
    always = int((often == 1).sum())
    return Check.judged(
        "stability",
        statistic=value,
        lo=max(value - reach, -1.0),
        hi=min(value + reach, 1.0),
        reference=0.0,
        threshold=threshold,
        unit="stability of the top",
        why=f"{always} of the top {k} are there in all {len(ranked)} repeats, {int((often > 0).sum())} of "
        f"{items} in some",
        settings={"k": k, "repeats": len(ranked), "level": level},
        curve=pl.DataFrame({"item": [str(name) for name in names], "in_top": often}).sort(
            "in_top", descending=True, maintain_order=True
        ),
    )


def nogueira(top: NDArray[np.bool_]) -> tuple[float, float]:
    """Stability of repeated selections, bool of shape (repeats, items), and its standard error.

    Examples
    --------
    >>> nogueira(np.array([[1, 0, 0], [1, 0, 0]], dtype=bool))
    (1.0, 0.0)
    """
    repeats, items = top.shape
    often = top.mean(axis=0)  # (items,)
    own = top.sum(axis=1)  # (repeats,)
    size = own.mean()
    chance = size / items * (1 - size / items)
    spread = repeats / (repeats - 1) * often * (1 - often)
    value = 1 - spread.mean() / chance
    single = (
        (top * often).mean(axis=1)
        - own * size / items**2
        + value / 2 * (2 * size * own / items**2 - own / items - size / items + 1)
    ) / chance
    return float(value), float(2 / repeats * np.sqrt(((single - single.mean()) ** 2).sum()))


def mean_jaccard(top: NDArray[np.bool_]) -> float:
    """Mean over pairs of repeats of common over all selected items, bool of shape (repeats, items); NaN for one repeat.

    Unlike `nogueira` it grows with the size of the selection by chance alone: hold it against a random selection.

    Examples
    --------
    >>> mean_jaccard(np.array([[1, 1, 0], [1, 0, 1]], dtype=bool))
    0.3333333333333333
    """
    members = np.asarray(top, dtype=np.int64)
    a, b = np.triu_indices(len(members), 1)
    if not len(a):
        return float("nan")
    common = (members @ members.T)[a, b]
    size = members.sum(axis=1)
    union = size[a] + size[b] - common
    return float(np.where(union > 0, common / np.maximum(union, 1), 1.0).mean())


def repeat(
    fit: Any,
    data: Any,
    n: int = 5,
    vary: str = "seed",
    *,
    groups: ArrayLike | None = None,
    seed: int = 0,
) -> list[Scores]:
    """Fit a method several times while one thing varies.

    Parameters
    ----------
    fit : callable (frame, label) -> Scores, or estimator with `scores_`
    data : pair (X, y), (frame, "target column"), or Sample
    n : int, at least 2
    vary : {"seed", "bootstrap", "group", "fold"}
        The seed of the method; rows drawn with replacement; whole groups of rows drawn with replacement; or
        one of `n` folds of the rows left out each time.
    groups : array-like of shape (rows,), optional
        For ``vary="group"``.
    seed : int

    Raises
    ------
    ValueError
        If the method takes no seed, groups are missing, or `vary` is not known.
    """
    if vary not in ("seed", *WAYS):
        raise ValueError(f"vary is one of seed, {', '.join(WAYS)}; got {vary!r}")
    if n < 2:
        raise ValueError(f"stability needs at least 2 repeats, got n={n}")
    sample = Sample.of(data)
    if vary == "seed":
        if not takes_seed(fit):
            raise ValueError(
                "the method takes no seed (an argument `seed` or `random_state`), so nothing would vary: "
                "use vary='bootstrap' or vary='fold'"
            )
        return [fit_scores(fit, sample, seed=seed + number) for number in range(n)]
    rng = np.random.default_rng((seed, 1))
    group = (
        np.arange(len(sample)) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    )
    if vary == "group" and groups is None:
        raise ValueError("vary='group' needs groups: one value per row")
    if len(group) != len(sample):
        raise ValueError(f"groups has {len(group)} values for {len(sample)} rows")
    return [fit_scores(fit, sample.take(rows), seed=seed) for rows in WAYS[vary](group, n, rng)]


def _draw(group: Rows, n: int, rng: np.random.Generator) -> Iterator[Rows]:
    members = np.split(np.argsort(group, kind="stable"), np.cumsum(np.bincount(group))[:-1])
    for _ in range(n):
        yield np.concatenate([members[i] for i in rng.integers(len(members), size=len(members))])


def _leave_out(group: Rows, n: int, rng: np.random.Generator) -> Iterator[Rows]:
    if n > len(group):
        raise ValueError(f"{len(group)} rows make at most as many folds, got n={n}")
    for fold in np.array_split(rng.permutation(len(group)), n):
        yield np.setdiff1d(np.arange(len(group)), fold)


# What varies about the rows; with "seed" nothing does.
WAYS: dict[str, Callable[[Rows, int, np.random.Generator], Iterator[Rows]]] = {
    "bootstrap": _draw,
    "group": _draw,
    "fold": _leave_out,
}


def _repeated(scores: Scores | Sequence[Scores]) -> tuple[list[Any], list[NDArray[np.intp]]]:
    """Names of the items, and the order of each repeat as positions among them."""
    if isinstance(scores, Scores):
        if scores.replicates is None:
            return scores.items, [scores.order()]
        scores = [
            scores.replace(
                frame=scores.frame.drop("rank", strict=False).with_columns(
                    value=pl.Series(row, dtype=pl.Float64)
                ),
                replicates=None,
            )
            for row in scores.replicates
        ]
    first = scores[0].items
    place = {name: position for position, name in enumerate(first)}
    ranked = []
    for one in scores:
        if set(one.items) != set(first):
            odd = sorted(map(str, set(one.items) ^ set(first)))[:3]
            raise ValueError(
                f"the repeats rank different items (such as {', '.join(odd)}): stability compares the same"
            )
        named = one.items
        ranked.append(np.array([place[named[row]] for row in one.order().tolist()], dtype=np.intp))
    return first, ranked
