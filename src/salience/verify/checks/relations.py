"""Is the ranking only something else in disguise, and does another method agree with it?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from salience.results.scores import Scores
from salience.verify.check import Check
from salience.verify.sample import Sample

Vector = NDArray[np.float64]


def nuisance(
    scores: Scores,
    covariates: pl.DataFrame | Mapping[str, ArrayLike],
    *,
    given: ArrayLike | None = None,
    threshold: float = 0.8,
    level: float = 0.95,
    random: int = 200,
    seed: int = 0,
) -> Check:
    """Is the ranking only cardinality, frequency, variance, length or position in disguise?

    The rank correlation (Spearman) of the scores with each covariate, in either direction, held against
    `threshold`. The interval is Fisher's, its lower end at a level corrected for the number of covariates.
    Where it is known what the items are worth (`given`), the correlation is a partial one: what remains
    beyond true worth.

    Parameters
    ----------
    scores : Scores
        One ranking.
    covariates : frame or mapping of name to array of shape (items,)
        A frame with the key columns of the scores is joined on them; anything else is in the order of the
        frame of the scores. Null or NaN where the covariate says nothing about an item.
    given : array-like of shape (items,), optional
        Known worth, in the order of the frame of the scores.
    threshold, level : float
    random : int
        Permutations of the scores, for the reference.
    seed : int

    Returns
    -------
    Check
        `statistic` is the largest absolute correlation; `curve` has all of them, signed, with the partial
        correlation given the other covariates. `reference` is the 95 % quantile of the same for permuted
        scores.

    Examples
    --------
    >>> scores = Scores.from_values(np.arange(40.0))
    >>> nuisance(scores, {"cardinality": np.arange(40) ** 2}).verdict
    'fails'
    """
    own = interest(scores)
    table = {name: values for name, values in _aligned(scores, covariates).items() if _varies(values, own)}
    if not table:
        return Check.not_run("nuisance", "no covariate varies over the scored items")
    known = None if given is None else _vector("given", given, len(own))
    found = {name: _partial(own, values, known) for name, values in table.items()}
    rows = []
    for name, (rho, n) in found.items():
        others = [other for key, other in table.items() if key != name]
        rows.append(
            {
                "covariate": name,
                "correlation": rho,
                "items": n,
                "partial": _partial(own, table[name], *others)[0],
            }
        )
    worst = max(found, key=lambda name: abs(found[name][0]))
    rho, n = found[worst]
    # That some covariate explains the ranking is a claim about the best of several, and its bound is corrected
    # for that; that none does has to hold for each of them at the plain level.
    lo = fisher_interval(abs(rho), n, 1 - (1 - level) / len(found))[0]
    hi = max(fisher_interval(abs(one), size, level)[1] for one, size in found.values())
    rng = np.random.default_rng((seed, 2))
    drawn = [
        max(abs(_partial(shuffled, values, known)[0]) for values in table.values())
        for shuffled in (rng.permutation(own) for _ in range(random))
    ]
    reference = float(np.quantile(drawn, 0.95))
    return Check.judged(
        "nuisance",
        statistic=abs(rho),
        lo=lo,
        hi=hi,
        reference=reference,
        threshold=threshold,
        better="low",
        unit="rank correlation",
        why=(
            f"the scores go with {worst} at rank correlation {rho:+.2f} over {n} "
            f"items{' beyond their worth' if known is not None else ''}; 95 % of permuted scores stay "
            f"below {reference:.2f}"
        ),
        settings={"covariates": list(found), "level": level, "random": random, "seed": seed},
        curve=pl.DataFrame(rows),
    )


def agreement(
    a: Scores, b: Scores, k: int | None = None, *, threshold: float = 0.5, level: float = 0.95
) -> Check:
    """Does another method agree?

    Parameters
    ----------
    a, b : Scores
        One ranking each, with the same keys; items that only one of them has are left out and counted.
    k : int, optional
        Size of the tops that are compared in words; by default a quarter of the common items.
    threshold, level : float

    Returns
    -------
    Check
        `statistic` is the rank correlation (Spearman) over the common items, its interval Fisher's.

    Examples
    --------
    >>> a = Scores.from_values(np.arange(30.0))
    >>> agreement(a, a).verdict, agreement(a, Scores.from_values(-np.arange(30.0))).verdict
    ('holds', 'fails')
    """
    if tuple(a.keys) != tuple(b.keys):
        raise ValueError(f"the rankings name their items by {a.keys} and {b.keys}: roll one of them up first")
    both = np.stack([interest(a), interest_in(a.items, b)])
    x, y = both[:, np.isfinite(both).all(axis=0)]
    common = len(x)
    if common < 5:
        return Check.not_run("agreement", f"{common} items are scored in both rankings; 5 are the least")
    rho = rank_correlation(x, y)
    lo, hi = fisher_interval(rho, common, level)
    k = max(1, round(common / 4)) if k is None else min(int(k), common)
    tops = [np.argsort(-side, kind="stable")[:k] for side in (x, y)]
    shared = len(np.intersect1d(tops[0], tops[1]))
    alone = len(set(a.items) ^ set(b.items))
    return Check.judged(
        "agreement",
        statistic=rho,
        lo=lo,
        hi=hi,
        reference=0.0,
        threshold=threshold,
        unit="rank correlation",
        why=(
            f"{common} common items at rank correlation {rho:+.2f}; {shared} of the top {k} are the "
            f"same ({k * k / common:.1f} by chance)"
            + (f"; {alone} items are in one ranking only" if alone else "")
        ),
        settings={"k": k, "level": level, "methods": [a.meta.method, b.meta.method]},
    )


def covariates_of(sample: Sample) -> pl.DataFrame:
    """What should not decide about a column: distinct values, share of the most frequent, missing values,
    position.

    Returns
    -------
    polars.DataFrame
        Columns: column, cardinality, top_share, missing, position.
    """
    rows = []
    for position, name in enumerate(sample.items):
        values = pl.Series(name, sample.frame[name].to_arrow())
        there = values.drop_nulls()
        counts = there.value_counts(sort=True)["count"] if len(there) else pl.Series([0])
        missing = values.null_count() / len(values)
        rows.append((name, float(len(counts)), counts[0] / len(values), missing, float(position)))
    return pl.DataFrame(
        rows, schema=["column", "cardinality", "top_share", "missing", "position"], orient="row"
    )


def interest(scores: Scores) -> Vector:
    """A number per row of the frame that is greater for better items, NaN where unscored; shape (rows,)."""
    from salience.results.ordering import sort_key

    if scores.by:
        scores.order()  # raises, with what to do, when there are several rankings
    return -np.asarray(sort_key(scores.frame, scores.better), dtype=np.float64)


def interest_in(items: Sequence[str], scores: Scores) -> Vector:
    """The same in the order of `items`, NaN for those that the scores do not hold; shape (items,)."""
    worth = dict(zip(scores.items, interest(scores).tolist(), strict=True))
    return np.array([worth.get(item, np.nan) for item in items])


def fisher_interval(rho: float, n: int, level: float) -> tuple[float, float]:
    """Fisher's interval of a rank correlation over n items, with the variance for ranks (Bonett and Wright,
    2000).

    Examples
    --------
    >>> tuple(round(end, 2) for end in fisher_interval(0.5, 50, 0.95))
    (0.24, 0.69)
    """
    if n < 4:
        return -1.0, 1.0
    z = math.atanh(min(max(rho, -0.999999), 0.999999))
    reach = NormalDist().inv_cdf(0.5 + level / 2) * math.sqrt((1 + rho * rho / 2) / (n - 3))
    return math.tanh(z - reach), math.tanh(z + reach)


def rank_correlation(x: Vector, y: Vector) -> float:
    """Spearman's correlation over the items where both are there; 0 where one of them is constant.

    Examples
    --------
    >>> rank_correlation(np.array([1.0, 2.0, 3.0, np.nan]), np.array([1.0, 4.0, 9.0, 0.0]))
    1.0
    """
    return _partial(x, y)[0]


def _partial(x: Vector, y: Vector, *given: Vector | None) -> tuple[float, int]:
    """Rank correlation of x and y where both are there, with what `given` explains taken out; and the
    items."""
    rest = [values for values in given if values is not None]
    there = np.isfinite(np.stack([x, y, *rest])).all(axis=0)
    n = int(there.sum())
    if n < 3 + len(rest):
        return 0.0, n
    ranks = [rankdata(values[there]) for values in (x, y, *rest)]
    a, b = ranks[0] - ranks[0].mean(), ranks[1] - ranks[1].mean()
    if rest:
        basis = np.column_stack([np.ones(n), *ranks[2:]])
        a, b = (v - basis @ np.linalg.lstsq(basis, v, rcond=None)[0] for v in (a, b))
    size = math.sqrt(float(a @ a) * float(b @ b))
    # What is left of a rank vector that is wholly explained is rounding, not signal.
    return (float(np.clip(a @ b / size, -1, 1)) if size > 1e-9 * n**3 else 0.0), n


def _aligned(scores: Scores, covariates: Any) -> dict[str, Vector]:
    if isinstance(covariates, pl.DataFrame) and set(scores.keys) <= set(covariates.columns):
        keys = list(scores.keys)
        covariates = (
            scores.frame.select(keys).join(covariates, on=keys, how="left", maintain_order="left").drop(keys)
        )
    columns = covariates.to_dict() if isinstance(covariates, pl.DataFrame) else dict(covariates)
    return {str(name): _vector(str(name), values, len(scores)) for name, values in columns.items()}


def _vector(name: str, values: ArrayLike, items: int) -> Vector:
    vector = (
        values.cast(pl.Float64).to_numpy()
        if isinstance(values, pl.Series)
        else np.asarray(values, dtype=float)
    )
    if vector.shape != (items,):
        raise ValueError(f"{name!r} has shape {vector.shape}; one number per scored item is ({items},)")
    return vector


def _varies(values: Vector, own: Vector) -> bool:
    there = np.isfinite(values) & np.isfinite(own)
    return len(np.unique(values[there])) > 1
