"""What was learned, as scores: neurons in their order, rows by how suspicious their label is, and what to be told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import binom

from salience.networks.nested import length_probabilities
from salience.results.meta import Meta
from salience.results.scores import Scores

__all__ = ["LEARNED", "carries_nothing", "class_rates", "label_scores", "neuron_scores", "notes"]

LEARNED = 3.0  # sigmas from mu beyond which a neuron had hardly a gradient
LEVEL = 0.05
STARVED = 0.5  # a class picked less than half as often as all rows
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def neuron_scores(
    accuracy: Floats, k_star: int, held: Ints, nested: tuple[float, float] | None, rate: float, meta: Meta
) -> Scores:
    """Scores of the neurons: the chance to be kept in a step, beside the accuracy up to them and their gain.

    Parameters
    ----------
    accuracy : ndarray of shape (D,)
        Of the first k neurons.
    held : ndarray of int64
        Classes of the validation rows; the share of the commonest is what no neuron at all gives.
    nested : pair of sigma and mu, optional
        Without an order each neuron is kept with probability ``1 - rate``.
    """
    width = len(accuracy)
    place = np.arange(1, width + 1)
    kept = np.full(width, 1.0 - rate)
    flags: list[str | None] = [None] * width
    if nested is not None:
        sigma, mu = nested
        kept = np.minimum(length_probabilities(width, sigma, mu)[::-1].cumsum()[::-1], 1.0)
        flags = ["untrained" if k > mu + LEARNED * sigma else None for k in place]
    return Scores.from_values(
        kept, place.tolist(), keys="neuron", item="neuron", meta=meta, accuracy=accuracy,
        gain=np.diff(accuracy, prepend=_commonest(held)), used=place <= k_star, flag=pl.Series(flags, dtype=pl.String),
    )  # fmt: skip


def label_scores(
    not_picked: Floats, probabilities: Floats, codes: Ints, classes: NDArray[Any],
    held: NDArray[np.bool_], meta: Meta,
) -> Scores:  # fmt: skip
    """Scores of the rows; of rows that were picked equally often, the one whose label is less likely comes first."""
    own = probabilities[np.arange(len(codes)), codes]
    rank = np.empty(len(codes), dtype=np.uint32)
    rank[np.lexsort((own, -not_picked))] = np.arange(1, len(codes) + 1)
    return Scores.from_values(
        not_picked, range(len(codes)), keys="row", item="row", meta=meta, rank=rank,
        given=classes[codes], suggested=classes[probabilities.argmax(1)], p_given=own, held_out=held,
    )  # fmt: skip


def class_rates(not_picked: Floats, codes: Ints) -> Floats:
    """Share of the occasions on which rows of each given label were picked."""
    return np.bincount(codes, weights=1.0 - not_picked) / np.bincount(codes)


def carries_nothing(accuracy: Floats, codes: Ints) -> bool:
    """Whether the best length is no better than always naming the commonest class, each length a test of its own."""
    right = round(float(accuracy.max()) * len(codes))
    return bool(binom.sf(right - 1, len(codes), _commonest(codes)) * len(accuracy) > LEVEL)


def notes(
    accuracy: Floats, k_star: int, held: Ints, nested: tuple[float, float] | None,
    rates: Floats | None, classes: NDArray[Any],
) -> Iterator[str]:  # fmt: skip
    """What a reader has to know."""
    if carries_nothing(np.ones(len(accuracy)), held):
        yield (
            f"{len(held)} validation rows are too few to tell whether the labels carry anything: give more rows, or "
            "X_val and y_val"
        )
    elif carries_nothing(accuracy, held):
        yield (
            f"the labels carry nothing that {len(held)} validation rows would show: accuracy "
            f"{accuracy[k_star - 1]:.2f}, and {_commonest(held):.2f} by naming the commonest class; scores of neurons and of "
            "labels mean nothing here"
        )
    if nested is not None:
        sigma, mu = nested
        if sigma < len(classes):
            yield (
                f"sigma={sigma:g} is below the number of classes, {len(classes)}: so few neurons may not be "
                "enough to tell them apart; take a larger sigma"
            )
        if k_star > mu + LEARNED * sigma:
            yield (
                f"K*={k_star} lies beyond {LEARNED:g} sigma, among neurons that hardly learned: take a larger sigma"
            )
    if rates is not None:
        mean = float(rates.mean())
        starved = [str(name) for name, rate in zip(classes, rates, strict=True) if rate < STARVED * mean]
        if starved:
            yield (
                f"rows of {', '.join(starved[:5])} were picked less than half as often as others: a hard class looks "
                "like wrong labels. Compare with a smaller forget_rate"
            )


def _commonest(codes: Ints) -> float:
    """Share of the commonest class."""
    return float(np.bincount(codes).max() / len(codes))
