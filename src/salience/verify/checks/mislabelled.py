"""Are wrong labels found? Some are made wrong on purpose, and should look more suspect than the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import roc_auc_score

from salience.measures.resampling import bootstrap
from salience.verify.check import Check

LEAST = 5  # labels that have to be wrong for a share of them to mean anything


def mislabelled(
    find: Callable[[Any, Any], ArrayLike],
    X: Any,
    y: ArrayLike,
    *,
    share: float = 0.1,
    threshold: float = 0.7,
    level: float = 0.95,
    draws: int = 500,
    seed: int = 0,
) -> tuple[Check, Check]:
    """Are labels found that were made wrong on purpose?

    A share of the labels is replaced by other classes, drawn with equal chances; `find` says how suspect each label
    then is. The statistic is the chance that a wrong one is more suspect than another one (the area under the
    receiver operating curve). Labels that were wrong before count as right: with many of them it is a lower bound.

    Parameters
    ----------
    find : callable
        ``find(X, labels) -> suspicion`` of shape (rows,); it must not have seen the true labels.
    X : table of shape (rows, columns)
        Passed on as it is.
    y : array-like of shape (rows,)
        Labels.
    share : float in (0, 0.5]
        Of the labels, to be made wrong.
    threshold : float
        That the lower end of the interval has to reach.
    level : float
    draws : int
        Bootstrap samples of the rows.
    seed : int

    Returns
    -------
    Check, Check
        The check, and the same on a suspicion in random order, which has to fail.

    Raises
    ------
    ValueError
        One class only, a share outside its range or of too few rows, or a suspicion of another shape or not finite.

    Examples
    --------
    >>> y = np.arange(200) % 2
    >>> check, control = mislabelled(lambda X, given: given != X, y, y)
    >>> check.verdict, control.verdict
    ('holds', 'fails')
    """
    given = np.array(y)
    classes = np.unique(given)
    if len(classes) < 2:
        raise ValueError(f"there is one class only, {classes.tolist()}: no label can be another")
    wrong = round(share * len(given))
    if share > 0.5 or wrong < LEAST:
        raise ValueError(
            f"share={share} of {len(given)} rows makes {wrong} labels wrong; take a share up to 0.5 of enough rows "
            f"that at least {LEAST} are"
        )
    rng = np.random.default_rng(seed)
    rows = rng.choice(len(given), wrong, replace=False)
    place = np.searchsorted(classes, given[rows])
    given[rows] = classes[(place + rng.integers(1, len(classes), wrong)) % len(classes)]
    suspicion = np.asarray(find(X, given), dtype=np.float64)
    if suspicion.shape != given.shape:
        raise ValueError(f"find gives one number per row, shape {given.shape}; got {suspicion.shape}")
    odd = np.flatnonzero(~np.isfinite(suspicion))
    if len(odd):
        raise ValueError(f"find gives finite numbers; row {odd[0]} has {suspicion[odd[0]]}")
    flipped = np.zeros(len(given))
    flipped[rows] = 1

    def judged(ranking: Any, reference: str) -> Check:
        found = bootstrap(_area, ranking, flipped, n=draws, rng=seed)
        lo, hi = np.nanquantile(found.replicates, [(1 - level) / 2, (1 + level) / 2])
        area = _area(ranking, flipped)
        return Check.judged(
            "wrong labels", statistic=area, lo=lo, hi=hi, reference=0.5, threshold=threshold,
            unit="area under the curve", settings={"share": share, "level": level, "seed": seed},
            why=f"of {wrong} labels made wrong, {int(_first(ranking, flipped, wrong))} are among the {wrong} most {reference}",
        )  # fmt: skip

    return judged(suspicion, "suspect"), judged(rng.permutation(suspicion), "suspect by chance").about(
        "random"
    )


def _area(suspicion: Any, flipped: Any) -> float:
    return float(roc_auc_score(flipped, suspicion)) if 0 < flipped.sum() < len(flipped) else np.nan


def _first(suspicion: Any, flipped: Any, n: int) -> float:
    return float(flipped[np.argsort(-suspicion, kind="stable")[:n]].sum())
