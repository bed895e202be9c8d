"""Feature interaction scores of one model."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from sklearn.utils.validation import column_or_1d

from salience.measures.sensitivity.shuffles import SHUFFLES
from salience.results import Meta, Scores
from salience.tabular.rashomon.clouds import kind_of, letters
from salience.tabular.rashomon.members import Rows
from salience.tabular.rashomon.parts import correlation, table_of, table_parts
from salience.verify.fingerprints import fingerprint

__all__ = ["fis"]


def fis(
    model: Any,
    X: Any,
    y: Any,
    subsets: Sequence[Sequence[Any]] | None = None,
    *,
    loss: str | Callable[..., float] = "auto",
    shuffles: int = 30,
    permutation: str = "independent",
    groups: Mapping[str, Sequence[Any]] | None = None,
    random_state: int = 0,
) -> Scores:
    """Interactions in one model: what shuffling features together costs beyond shuffling each alone.

    ``FIS_I = phi_I - sum over i in I of phi_i``, see :class:`~salience.tabular.RashomonExplorer`, which gives the range over all
    models that predict as well.

    Parameters
    ----------
    model : fitted estimator, torch module or function of rows
    X : array or frame of shape (n, d)
        Held-out rows.
    y : array of shape (n,)
    subsets : sequence of tuples of features, all of one size, optional
        By default all pairs. Of single features the main effects phi are given.
    loss, shuffles, permutation, groups, random_state
        As in :class:`~salience.tabular.RashomonExplorer`.

    Returns
    -------
    Scores
        With ``se`` and, for more than one feature, ``joint`` (phi_I) and ``correlation``.

    Raises
    ------
    ValueError, TypeError
        As in :class:`~salience.tabular.RashomonExplorer`.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(5000, 3))
    >>> y = X[:, 0] * X[:, 1] + X[:, 2]
    >>> found = fis(lambda Z: Z[:, 0] * Z[:, 1] + Z[:, 2], X, y, shuffles=5)
    >>> found.top(1).items, found.values.round(0)
    ([('x0', 'x1')], array([-2., -0., -0.]))
    """
    started = time.perf_counter()
    array, names, frame = table_of(X)
    rows = np.asarray(array, dtype=np.float64)
    target = column_or_1d(y, warn=True)
    if rows.ndim != 2 or len(rows) < 2 or len(rows) != len(target) or not np.isfinite(rows).all():
        raise ValueError(
            f"X must be (n, d) with two finite rows or more and y (n,); got {rows.shape} and {target.shape}; fill or leave "
            "out what is missing"
        )
    parts = table_parts(names or [f"x{j}" for j in range(rows.shape[1])], groups)
    places = range(len(parts.names))
    wanted = (
        parts.subsets(None, 2, places) if subsets is None else [parts.subset(subset) for subset in subsets]
    )
    orders = {len(subset) for subset in wanted}
    if len(orders) != 1 or 0 in orders:
        raise ValueError(f"give subsets of one size, at least one feature each; got sizes {sorted(orders)}")
    order = orders.pop()
    if permutation not in SHUFFLES:
        raise ValueError(f"permutation={permutation!r} is unknown; use one of {', '.join(SHUFFLES)}")
    asked = Rows(rows, target, frame, parts, np.zeros(rows.shape[1]), permutation, random_state).question(
        model, loss
    )
    found = asked.effects(wanted, shuffles)
    keys = letters(order)
    columns: dict[str, Any] = {key: [parts.names[s[i]] for s in wanted] for i, key in enumerate(keys)}
    columns |= {"value": found.effect, "se": found.se} if order == 1 else {
        "value": found.interaction, "se": found.interaction_se, "joint": found.effect,
        "correlation": [correlation(rows, parts, s) for s in wanted],
    }  # fmt: skip
    params = {
        "subsets": subsets,
        "loss": loss,
        "shuffles": shuffles,
        "permutation": permutation,
        "groups": groups,
    }
    meta = Meta(
        method="fis", params=params, seed=random_state, data=(fingerprint(rows),), rows=len(rows), unit=asked.loss.name,
        symmetric=order == 2, seconds=time.perf_counter() - started, extra={"reference_loss": found.loss},
    )  # fmt: skip
    better, item = kind_of(order)
    return Scores(pl.DataFrame(columns), tuple(keys), item=item, better=better, meta=meta)
