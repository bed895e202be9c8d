"""Do attributions predict what happens when parts are taken away?"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from salience.results.attributions import Attributions
from salience.verify.bench import Bench
from salience.verify.check import Check
from salience.verify.intervals import mean_intervals

Array = NDArray[np.float64]


def fidelity(
    attributions: Attributions,
    f: Bench | Callable[[NDArray[np.bool_]], ArrayLike],
    *,
    subsets: int = 64,
    output: int | None = None,
    threshold: float = 0.5,
    level: float = 0.95,
    seed: int = 0,
) -> Check:
    """Do the attributions of the parts that are taken away add up to what is lost?

    The faithfulness correlation of Bhatt, Weller and Moura (IJCAI 2020), instance by instance: over random
    subsets of all sizes, the correlation of the summed attributions of the removed items with the change of
    the output.

    Parameters
    ----------
    attributions : Attributions, n instances
    f : Bench, or callable from bool of shape (m, items) to outputs of shape (m, n)
        What the model says when only these items remain; `parts` makes a bench whose units are the instances.
    subsets : int, at least 8
    output : int, optional
        Which output, where the attributions have several.
    threshold : float
        For the mean correlation over instances.
    level : float
    seed : int

    Returns
    -------
    Check
        `statistic` is the mean over instances, its interval a bootstrap over instances; `reference` is the
        same for attributions handed to the wrong items. An instance whose output never moves is left out and
        counted.

    Raises
    ------
    ValueError
        If `f` and the attributions are about different items or instances.
    """
    values = _values(attributions, output)
    if subsets < 8:
        raise ValueError(f"a correlation over subsets needs at least 8 of them, got {subsets}")
    evaluate = f.values if isinstance(f, Bench) else f
    if isinstance(f, Bench) and list(f.items) != list(attributions.items):
        raise ValueError(
            f"attributions are about {list(attributions.items)[:3]}..., the bench about "
            f"{list(f.items)[:3]}..."
        )
    instances, items = values.shape
    if items < 2:
        return Check.not_run("fidelity", "there is one item: sums over subsets say nothing")
    rng = np.random.default_rng((seed, 3))
    keep = rng.random((subsets, items)) < rng.uniform(0.1, 0.9, size=(subsets, 1))
    outputs = np.asarray(evaluate(np.concatenate([np.ones((1, items), dtype=bool), keep])), dtype=np.float64)
    if outputs.shape != (subsets + 1, instances):
        raise ValueError(
            f"f gives shape (subsets, {instances}), one column per instance; got {outputs.shape}"
        )
    lost = outputs[0] - outputs[1:]  # (subsets, instances)
    moved = lost.std(axis=0) > 1e-12 * (1 + np.abs(outputs[0]))
    if not moved.any():
        return Check.not_run(
            "fidelity", f"the output of none of the {instances} instances moves when items are removed"
        )
    predicted = ~keep @ values.T
    own = _correlations(predicted, lost)[moved]
    wrong = _correlations(~keep @ rng.permuted(values, axis=1).T, lost)[moved]
    [interval] = mean_intervals([own], None, level, seed)
    still = int((~moved).sum())
    return Check.judged(
        "fidelity",
        statistic=interval.mean,
        lo=interval.lo,
        hi=interval.hi,
        reference=float(wrong.mean()),
        threshold=threshold,
        unit="correlation per instance",
        why=(
            f"over {subsets} subsets the removed attributions go with the change of the output at "
            f"{own.mean():+.2f}; handed to the wrong items {wrong.mean():+.2f}"
            + (f"; {still} instances never move" if still else "")
        ),
        how="hold",
        settings={"subsets": subsets, "level": level, "seed": seed},
        curve=pl.DataFrame({"instance": np.flatnonzero(moved), "correlation": own}),
    )


def _values(attributions: Attributions, output: int | None) -> Array:
    values = np.nan_to_num(np.asarray(attributions.values, dtype=np.float64))
    if values.ndim == 2:
        return values
    if output is None:
        raise ValueError(f"the attributions are about {values.shape[2]} outputs: say which one with output=")
    return np.asarray(values[:, :, output])


def _correlations(a: Array, b: Array) -> Array:
    """Pearson, column by column; 0 where one of them is constant."""
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    size = np.sqrt((a * a).sum(axis=0) * (b * b).sum(axis=0))
    return np.asarray(np.divide((a * b).sum(axis=0), size, out=np.zeros_like(size), where=size > 0))
