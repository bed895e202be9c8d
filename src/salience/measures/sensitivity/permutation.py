"""Permutation effects: how much worse a model predicts when sets of its inputs are shuffled."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from salience.measures.sensitivity.losses import Loss, named_loss
from salience.measures.sensitivity.perturbed import Moves, Perturbed, variants
from salience.measures.sensitivity.shuffles import SHUFFLES, Shuffles

__all__ = ["PermutationEffects", "losses_under_masks", "measure_effects", "permutation_effects"]

Floats: TypeAlias = NDArray[np.float64]
Subset: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class PermutationEffects:
    """Effects of shuffled subsets on the loss of one model.

    Attributes
    ----------
    subsets : tuple of tuples of int
        Parts (columns, unless parts were given).
    loss : float
        Of the model on the rows as they are.
    effect : ndarray of float64, shape (subsets,)
        ``phi_I``, the mean loss with the subset shuffled, less `loss`.
    interaction : ndarray of float64, shape (subsets,)
        ``phi_I - sum of phi_i over i in I``; 0 for single parts and for the empty subset.
    se, interaction_se : ndarray of float64, shape (subsets,)
        Standard errors, of the rows and of the shuffles together. Of the shuffles alone for a loss that is not a
        mean over rows. NaN where there is one row or one shuffle only.
    alone : dict of int to (effect, se)
        Of every single part that a subset holds.
    """

    subsets: tuple[Subset, ...]
    loss: float
    effect: Floats
    se: Floats
    interaction: Floats
    interaction_se: Floats
    alone: dict[int, tuple[float, float]]


def permutation_effects(
    predict: Callable[[Floats], ArrayLike],
    X: ArrayLike,
    y: ArrayLike,
    subsets: Sequence[Sequence[int]],
    *,
    loss: str | Loss | Callable[..., float] = "mean_squared_error",
    parts: Sequence[ArrayLike] | None = None,
    shuffles: int = 30,
    permutation: str = "independent",
    seed: int = 0,
    memory: int = 1 << 23,
) -> PermutationEffects:
    """Effects of many subsets of columns at once, and what each is beyond the sum of its members.

    ``phi_I = E[L(f(X with the columns I shuffled), y)] - L(f(X), y)``, ``FIS_I = phi_I - sum phi_i``. A part is
    shuffled alike wherever it occurs, so that the noise of the shuffles cancels in the difference.

    Parameters
    ----------
    predict : callable
        ``predict(X) -> (rows,)``, or probabilities ``(rows, classes)``, called with stacked copies of the rows.
    X : array-like of shape (n, d)
    y : array-like of shape (n,)
        Numbers, or class codes 0, 1, ... for losses of classes.
    subsets : sequence of sequences of int
        The empty one has the effect 0.
    loss : str, Loss or callable
        See :func:`~salience.measures.sensitivity.losses.named_loss`.
    parts : sequence of integer arrays, optional
        Columns that are shuffled as one; by default each column is a part. `subsets` then counts parts.
    shuffles : int, default=30
        Shuffles that are averaged, ``T``.
    permutation : {"independent", "joint", "conditional"}
        Each part by a permutation of its own; all parts of a subset by one; or from near rows in the other columns.
    seed : int
    memory : int
        Bytes of stacked rows in one call of `predict`.

    Raises
    ------
    ValueError
        When a subset names a part twice or one that is not there, or there are too few rows or shuffles.

    Examples
    --------
    A pure interaction: each column alone has the effect 2, and so have both together.

    >>> X = np.random.default_rng(0).normal(size=(20_000, 2))
    >>> found = permutation_effects(lambda Z: Z[:, 0] * Z[:, 1], X, X[:, 0] * X[:, 1], [(0,), (0, 1)], shuffles=5)
    >>> found.effect.round(1), found.interaction.round(1)
    (array([2., 2.]), array([ 0., -2.]))
    """
    rows, target = np.asarray(X, dtype=np.float64), np.asarray(y)
    if rows.ndim != 2 or len(rows) < 2 or target.shape != (len(rows),):
        raise ValueError(
            f"X must be (n, d) and y (n,) with at least two rows to shuffle; got {rows.shape} and {target.shape}"
        )
    if permutation not in SHUFFLES:
        raise ValueError(f"permutation={permutation!r} is unknown; use one of {', '.join(SHUFFLES)}")
    columns = (
        [np.array([j]) for j in range(rows.shape[1])] if parts is None else [np.atleast_1d(p) for p in parts]
    )
    box = Perturbed(predict, rows, columns, np.zeros(rows.shape[1]), memory=memory)  # type: ignore[arg-type]
    return measure_effects(
        box, SHUFFLES[permutation](rows, columns, seed), named_loss(loss), target, subsets, shuffles
    )


def measure_effects(
    box: Perturbed,
    shuffles: Shuffles,
    loss: Loss,
    y: NDArray[Any],
    subsets: Sequence[Sequence[int]],
    times: int,
) -> PermutationEffects:
    """As `permutation_effects`, of a model that is ready to be asked."""
    if times < 1:
        raise ValueError(f"shuffles={times}: at least one shuffle is needed, 30 are usual")
    wanted = tuple(_checked(subset, len(box.parts)) for subset in subsets)
    said = box.masked((0,), np.ones((1, 1)))
    base = float(loss(y, said)[0])
    start = _Start(base, None if loss.rows is None else loss.rows(y, said)[0])
    alone = {
        part: _measured(box, shuffles, loss, y, (part,), times, start)
        for part in sorted({part for subset in wanted for part in subset})
    }
    effect, se, interaction, interaction_se = (np.zeros(len(wanted)) for _ in range(4))
    for k, subset in enumerate(wanted):
        if not subset:
            continue
        one = (
            alone[subset[0]] if len(subset) == 1 else _measured(box, shuffles, loss, y, subset, times, start)
        )
        effect[k], se[k] = one.effect, one.se
        if len(subset) > 1:
            members = [alone[part] for part in subset]
            interaction[k] = one.effect - sum(member.effect for member in members)
            interaction_se[k] = _error(
                one.draws - sum(member.draws for member in members),
                None if one.units is None else one.units - sum(member.units for member in members),
            )
    singles = {part: (one.effect, one.se) for part, one in alone.items()}
    return PermutationEffects(wanted, base, effect, se, interaction, interaction_se, singles)


def losses_under_masks(
    box: Perturbed, shuffles: Shuffles, loss: Loss, y: NDArray[Any], subset: Subset, masks: Floats, times: int
) -> tuple[Floats, Floats]:
    """Losses of one model under many masks of a subset: as it is, and with its parts shuffled.

    Parameters
    ----------
    masks : ndarray of float64, shape (K, q)
        Of the parts of `subset`; the same shuffles are used for all.

    Returns
    -------
    still : ndarray of float64, shape (K,)
    shuffled : ndarray of float64, shape (K, variants, times)
        In the order of :func:`~salience.measures.sensitivity.perturbed.variants`.
    """
    still = np.concatenate([loss(y, box.masked(subset, mask[None])) for mask in masks])
    shuffled = np.empty((len(masks), len(variants(subset)), times))
    for start in range(0, times, box.at_once):
        stop = min(start + box.at_once, times)
        moves = Moves(subset, variants(subset), shuffles, start, stop)
        for k, number, said in box.shuffled(moves, masks):
            shuffled[k, number, start:stop] = loss(y, said)
    return still, shuffled


@dataclass(frozen=True)
class _Start:
    loss: float
    rows: Floats | None


@dataclass(frozen=True)
class _Effect:
    draws: Floats  # of each shuffle
    units: Any  # what each row adds to the mean, as one that is predicted and as one that lends its values
    effect: float
    se: float


def _measured(
    box: Perturbed, shuffles: Shuffles, loss: Loss, y: NDArray[Any], subset: Subset, times: int, start: _Start
) -> _Effect:
    draws = np.empty(times)
    n = len(box.X)
    units = None if start.rows is None else -start.rows
    for begin, end, said in _runs(box, shuffles, subset, times):
        if units is None or loss.rows is None:
            draws[begin:end] = loss(y, said)
            continue
        rows = loss.rows(y, said)
        draws[begin:end] = rows.mean(axis=1)
        units += rows.sum(axis=0) / times
        for part in shuffles.sources(subset):
            lenders = shuffles.donors(subset, part, begin, end)
            lent = rows - draws[begin:end, None]
            units += np.bincount(lenders.ravel(), weights=lent.ravel(), minlength=n) / times
    draws -= start.loss
    return _Effect(draws, units, float(draws.mean()), _error(draws, units))


def _runs(
    box: Perturbed, shuffles: Shuffles, subset: Subset, times: int
) -> Iterator[tuple[int, int, NDArray[Any]]]:
    for begin in range(0, times, box.at_once):
        end = min(begin + box.at_once, times)
        for _, _, said in box.shuffled(
            Moves(subset, [subset], shuffles, begin, end), np.ones((1, len(subset)))
        ):
            yield begin, end, said


def _error(draws: Floats, units: Floats | None) -> float:
    if units is not None:
        return float(units.std(ddof=1) / np.sqrt(len(units))) if len(units) > 1 else float("nan")
    return float(draws.std(ddof=1) / np.sqrt(len(draws))) if len(draws) > 1 else float("nan")


def _checked(subset: Sequence[int], parts: int) -> Subset:
    found = tuple(int(part) for part in subset)
    if len(set(found)) < len(found):
        raise ValueError(f"the subset {found} names a part twice")
    unknown = [part for part in found if not 0 <= part < parts]
    if unknown:
        raise ValueError(f"the subset {found} names the part {unknown[0]}; there are {parts}, counted from 0")
    return tuple(sorted(found))
