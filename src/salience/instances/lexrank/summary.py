"""Sentences for a summary: the best ones that do not repeat each other, within a budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from salience.instances.lexrank.measures import level, places

__all__ = ["PRESETS", "Budget", "Chosen", "combined", "picked", "summarized", "weights_of"]

Floats = NDArray[np.float64]
# Weights of centrality and position: the paper's summariser uses both, pure LexRank the first only.
PRESETS = {"lexrank": (1.0, 0.0), "mead": (1.0, 1.0)}


class Chosen(NamedTuple):
    """A sentence of a summary.

    Attributes
    ----------
    index : int
        Its number among all sentences.
    sentence : str
    score : float
        What it was chosen by: weighted centrality and position, each scaled to [0, 1].
    """

    index: int  # type: ignore[assignment]
    sentence: str
    score: float


@dataclass(frozen=True)
class Budget:
    """How long a summary may be; None is no limit.

    Attributes
    ----------
    k : int or None
        Sentences.
    max_bytes : int or None
        Of UTF-8, one for the space between two sentences.
    max_words : int or None
        Words between spaces.
    """

    k: int | None = None
    max_bytes: int | None = None
    max_words: int | None = None

    def __post_init__(self) -> None:
        for name in ("k", "max_bytes", "max_words"):
            given = getattr(self, name)
            if given is not None and (isinstance(given, bool) or int(given) != given or given < 1):
                raise ValueError(f"{name} is a whole number from 1 up, got {given!r}")

    def room_for(self, sentence: str, taken: Sequence[str]) -> bool:
        """Whether it fits beside those taken."""
        all_of_them = " ".join([*taken, sentence])
        return (self.max_bytes is None or len(all_of_them.encode()) <= self.max_bytes) and (
            self.max_words is None or len(all_of_them.split()) <= self.max_words
        )


def weights_of(preset: str, weights: tuple[float, float] | None) -> tuple[float, float]:
    """Weights of centrality and position: those given, or of a preset.

    Raises
    ------
    ValueError
        If there is no such preset, or a weight is not a number from 0 up.
    """
    if preset not in PRESETS:
        raise ValueError(f"preset is one of {', '.join(PRESETS)}; got {preset!r}")
    if weights is None:
        return PRESETS[preset]
    if len(weights) != 2 or not np.isfinite(weights).all() or min(weights) < 0:
        raise ValueError(f"weights are two numbers from 0 up, of centrality and position; got {weights}")
    return weights


def summarized(
    model: Any,
    values: Floats,
    budget: Budget,
    redundancy: float,
    weights: tuple[float, float],
    min_words: int,
) -> tuple[list[Chosen], str]:
    """The sentences of a summary in the order of the documents, and what the caller should be told, if anything.

    Parameters
    ----------
    model : LexRank
        Fitted.
    values : ndarray of shape (n,)
        Centrality of the ranked sentences.
    budget, redundancy, weights, min_words
        As in `LexRank.summarize`.
    """
    if not 0 <= redundancy <= 1:
        raise ValueError(f"redundancy is a similarity in [0, 1], got {redundancy}")
    if not any(model.sentences_):
        raise ValueError(
            "these sentences have no text: give fit(sentences, matrix=S) beside the similarities"
        )
    rows = model._ranked
    score = combined(values, model.position_[rows], model._found.lengths[rows], weights)
    long_enough = model.scores_.frame["words"].to_numpy()[rows] >= min_words
    order = [int(i) for i in np.argsort(places(score, model.degree_[rows])) if long_enough[i]]
    texts = [model.sentences_[i] for i in rows]
    taken = picked(order, texts, model._graph.similar, budget, redundancy)
    note = ""
    if not taken or len(taken) < (budget.k or 0):
        note = (
            f"{len(taken)} sentences were taken, not more: of {len(texts)} sentences {len(order)} have at least "
            f"min_words={min_words} words, and others are too similar to one taken (redundancy={redundancy:g})"
        ) + (" or do not fit" if budget.max_bytes or budget.max_words else "")
    return [Chosen(int(rows[i]), texts[i], float(score[i])) for i in sorted(taken)], note


def combined(
    centrality: Floats, position: NDArray[np.int64], lengths: NDArray[np.int64], weights: tuple[float, float]
) -> Floats:
    """The weighted sum of centrality and position.

    Centrality is scaled to [0, 1] over the sentences (1 if all are alike); position is 1 for the first sentence of a
    document and falls to 0 for the last.

    Examples
    --------
    >>> combined(np.array([2.0, 4.0, 3.0]), np.array([0, 1, 2]), np.array([3, 3, 3]), (1.0, 1.0)).tolist()
    [1.0, 1.5, 0.5]
    """
    low = centrality.min()
    central = np.ones(len(centrality)) if level(centrality) else (centrality - low) / np.ptp(centrality)
    place = 1 - position / np.maximum(lengths - 1, 1)
    return np.asarray(weights[0] * central + weights[1] * place, dtype=np.float64)


def picked(
    order: Sequence[int],
    texts: Sequence[str],
    similar: Callable[[int], Floats],
    budget: Budget,
    redundancy: float,
) -> list[int]:
    """Walk down an order; take what fits and is not too similar to anything taken.

    Parameters
    ----------
    order : sequence of int
        Best first.
    texts : sequence of str
    similar : callable
        From a sentence to its similarity with each, shape (n,).
    budget : Budget
        A sentence that does not fit is passed over, none is cut.
    redundancy : float

    Returns
    -------
    list of int
        In the order taken.
    """
    taken: list[int] = []
    closest = np.zeros(len(texts))
    for i in order:
        if budget.k is not None and len(taken) == budget.k:
            break
        if closest[i] <= redundancy and budget.room_for(texts[i], [texts[j] for j in taken]):
            taken.append(int(i))
            np.maximum(closest, similar(int(i)), out=closest)
    return taken
