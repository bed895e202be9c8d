"""Bench for texts: how much of what they should tell do the sentences or documents tell that remain?"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import CountVectorizer

from salience.verify.bench import SubsetBench
from salience.verify.fingerprints import fingerprint

__all__ = ["texts"]

Floats = NDArray[np.float64]
_WORD = re.compile(r"\w+")


def texts(
    texts: Sequence[str],
    target: Sequence[str],
    *,
    measure: str = "cosine",
    analyzer: Callable[[str], Iterable[str]] | None = None,
    background: Sequence[str] | None = None,
    items: Sequence[Any] | None = None,
    keys: tuple[str, ...] = ("sentence",),
) -> SubsetBench:
    r"""Sentences or documents: compare the words of all that are kept with each of some target texts.

    The targets are summaries that people wrote, or sentences or documents of the same kind that the ranking has not seen.
    Nothing is fitted. With :math:`c_w` the count of a word in all kept texts together and :math:`t_w` that in a target,
    and n, n_w the number of `texts` and of those that hold the word:

    .. math::

        \text{cosine} = \frac{\sum_w i_w^2 c_w t_w}{\lVert i c \rVert\, \lVert i t \rVert},\quad
        i_w = \ln\frac{1 + n}{1 + n_w} + 1, \qquad
        \text{recall} = \frac{\sum_w \min(c_w, t_w)}{\sum_w t_w}, \qquad
        \text{f1} = \frac{2 \sum_w \min(c_w, t_w)}{\sum_w c_w + \sum_w t_w}

    Parameters
    ----------
    texts : sequence of str
    target : sequence of str
    measure : {"cosine", "recall", "f1"}, default="cosine"
        "recall" and "f1" are ROUGE-1, without stemming. More words never lower the recall, so a ranking by length does
        well on it; the cosine does not reward length by itself.
    analyzer : callable, optional
        From a text to its words; by default in small letters, without punctuation.
    background : sequence of str, optional
        Texts of the same kind that tell how rare words are, for the cosine: n and n_w are counted in them, and i_w has no 1.
        Give those that the ranking was told. Without, words that are everywhere speak for a ranking that likes them.
    items : sequence, optional
        What the scores call the texts; by default 0, 1, ...
    keys : tuple of str, default=("sentence",)
        What names them in the scores.

    Returns
    -------
    SubsetBench
        Units are the targets; greater is better, 1 is perfect; ``how`` is "hold". Its `data` are the targets, the texts
        and targets together, and, when the texts hold every target, the texts.

    Raises
    ------
    TypeError, ValueError
        What is no text, no text at all, no word at all, an unknown measure, or items of another number.

    Examples
    --------
    >>> bench = texts(["rain floods the town", "a dog barked"], ["The town is under water after rain"])
    >>> bench.values([[True, False], [False, True], [True, True]])[:, 0].round(2)
    array([0.43, 0.  , 0.33])
    """
    given, wanted = _checked("texts", texts), _checked("target", target)
    if measure not in MEASURES:
        raise ValueError(f"measure is one of {', '.join(MEASURES)}; got {measure!r}")
    named = tuple(range(len(given)) if items is None else items)
    if len(named) != len(given):
        raise ValueError(f"{len(named)} items are named, there are {len(given)} texts")
    counter = CountVectorizer(analyzer=analyzer or _words, dtype=np.float64)
    try:
        counts = csr_array(counter.fit_transform([*given, *wanted]))
    except ValueError:
        raise ValueError("there is no word in the texts and targets: nothing can be compared") from None
    of_texts, of_target = counts[: len(given)], counts[len(given) :]
    others = (
        of_texts if background is None else csr_array(counter.transform(_checked("background", background)))
    )
    holding = np.bincount(others.indices, minlength=counts.shape[1])
    weights = np.log((1 + others.shape[0]) / (1 + holding)) + (background is None)
    alike = MEASURES[measure]

    def evaluate(keep: NDArray[np.bool_]) -> Floats:
        return alike(keep.astype(np.float64) @ of_texts, of_target, weights)

    seen = {_print(wanted), _print([*given, *wanted])}
    if set(wanted) <= set(given):
        seen.add(_print(given))
    return SubsetBench(named, keys, evaluate, perfect=1.0, how="hold", data=frozenset(seen))


def _cosine(kept: Floats, target: csr_array, weights: Floats) -> Floats:
    lengths = _sums(target, (target.data * weights[target.indices]) ** 2) ** 0.5 * np.linalg.norm(
        kept * weights
    )
    return np.asarray(target @ (kept * weights**2)) / np.where(lengths > 0, lengths, 1.0)


def _recall(kept: Floats, target: csr_array, weights: Floats) -> Floats:
    return _shared(kept, target) / np.maximum(_sums(target, target.data), 1.0)


def _f1(kept: Floats, target: csr_array, weights: Floats) -> Floats:
    return 2 * _shared(kept, target) / np.maximum(kept.sum() + _sums(target, target.data), 1.0)


# From the counts of all kept texts together, those of the targets, and the weights of words.
MEASURES: dict[str, Callable[[Floats, csr_array, Floats], Floats]] = {
    "cosine": _cosine,
    "recall": _recall,
    "f1": _f1,
}


def _shared(kept: Floats, target: csr_array) -> Floats:
    """Words that each target shares with what is kept, each as often as both have it."""
    return _sums(target, np.minimum(target.data, kept[target.indices]))


def _sums(target: csr_array, data: Floats) -> Floats:
    """Sums of numbers that stand where the counts of the targets stand, one per target."""
    rows = np.repeat(np.arange(target.shape[0]), np.diff(target.indptr))
    return np.bincount(rows, data, minlength=target.shape[0]).astype(np.float64)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _checked(name: str, given: Sequence[str]) -> list[str]:
    if isinstance(given, str):
        raise TypeError(f"{name} is a list of texts, not one text")
    found = list(given)
    odd = [number for number, text in enumerate(found) if not isinstance(text, str)]
    if odd:
        raise TypeError(f"number {odd[0]} of {name} is {found[odd[0]]!r:.60}, which is not text")
    if not found:
        raise ValueError(f"{name} has no text")
    return found


def _print(found: list[str]) -> str:
    return fingerprint(pl.DataFrame({"text": found}))
