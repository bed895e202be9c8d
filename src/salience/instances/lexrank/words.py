"""Sentences as vectors of weighed words: tf * idf, every row of length 1."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

__all__ = ["UNSEEN", "Words", "analyzed", "inverse_frequency", "words_of"]

Analyzer = Callable[[str], Iterable[str]]
Weigh = Callable[[Sequence[str], Any], NDArray[np.float64]]
# Scripts that are written without spaces between words: Thai to Khmer, Kana, Han.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_RUN = re.compile(f"[{_UNSPACED}]+|[^{_UNSPACED}]+")
_ASCII = re.compile(r"\w+")


class Words:
    """Counts of the words of sentences, and what each word weighs.

    Parameters
    ----------
    sentences : sequence of list of str
        The words of each sentence.

    Attributes
    ----------
    counts : csr_array of float64, shape (n, words)
    names : list of str
    """

    def __init__(self, sentences: Sequence[list[str]]) -> None:
        vectorizer = CountVectorizer(analyzer=list, dtype=np.float64)
        try:
            counts = vectorizer.fit_transform(sentences)
        except ValueError:  # no word in any sentence
            self.counts, self.names = csr_array((len(sentences), 0)), []
        else:
            self.counts, self.names = csr_array(counts), vectorizer.get_feature_names_out().tolist()
        self.counts.sort_indices()

    def holding(self) -> NDArray[np.int64]:
        """Sentences that hold each word, shape (words,)."""
        return np.bincount(self.counts.indices, minlength=len(self.names))

    def vectors(self, weights: NDArray[np.float64]) -> csr_array:
        """Rows of tf * idf of length 1; a row without a word that weighs something is empty."""
        found = self.counts.copy()
        found.data *= weights[found.indices]
        found.eliminate_zeros()
        lengths = np.sqrt(np.asarray(found.multiply(found).sum(axis=1)).ravel())
        found.data /= np.repeat(np.where(lengths > 0, lengths, 1.0), np.diff(found.indptr))
        return found


def words_of(text: str) -> list[str]:
    """Words in small letters; pairs of neighbouring characters where a script has no spaces.

    Examples
    --------
    >>> words_of("It's 4 o'clock, naïve Ω.")
    ['it', 's', '4', 'o', 'clock', 'naïve', 'ω']
    >>> words_of("今天天气好 today")
    ['今天', '天天', '天气', '气好', 'today']
    """
    text = text.lower()
    if text.isascii():
        return _ASCII.findall(text)
    found: list[str] = []
    for word in _any_script().findall(unicodedata.normalize("NFC", text)):
        for run in _RUN.findall(word):
            unspaced = run[0] >= "\u0e00" and bool(re.match(f"[{_UNSPACED}]", run[0]))
            found += [run[i : i + 2] for i in range(max(len(run) - 1, 1))] if unspaced else [run]
    return found


def analyzed(analyzer: Any, idf: Any) -> Analyzer:
    """The analyzer to use: the caller's, that of a fitted vectorizer, or `words_of`."""
    if callable(analyzer):
        return analyzer
    vectorizer = _thawed(idf)
    return vectorizer.build_analyzer() if isinstance(vectorizer, TfidfVectorizer) else words_of


def inverse_frequency(
    words: Words, idf: Any, background: Sequence[str] | None, analyzer: Analyzer, unseen: str
) -> NDArray[np.float64]:
    r"""The idf of each word.

    With a background of :math:`N` documents, :math:`n_w` of which hold the word, :math:`\ln(N / n_w)`. Without any, each
    sentence is a document, and :math:`\ln\frac{1 + n}{1 + n_w} + 1`, so that no word weighs nothing.

    Parameters
    ----------
    words : Words
    idf : mapping of word to float, fitted TfidfVectorizer (frozen or not), or None
    background : sequence of str, optional
    analyzer : callable
    unseen : {"rare", "skip"}
        A word the background does not have: rarer than all it has, :math:`\ln(N + 1)` (the largest idf there is, where
        only the idf are known), or of no weight. Of no weight either way where a vectorizer leaves out common words.

    Raises
    ------
    TypeError, ValueError
        If the idf are not finite numbers from 0 up, or both are given, or the background is not made of texts.
    """
    if idf is not None and background is not None:
        raise ValueError("idf= and background= both say how rare words are: give one")
    if background is not None:
        known, rarest = _counted(background, analyzer)
    elif idf is not None:
        known, rarest = _given(idf)
    else:
        n = words.counts.shape[0]
        return np.asarray(np.log((1 + n) / (1 + words.holding())) + 1, dtype=np.float64)
    unknown = UNSEEN[unseen](rarest)
    return np.array([known.get(word, unknown) for word in words.names], dtype=np.float64)


UNSEEN: dict[str, Callable[[float], float]] = {"rare": lambda rarest: rarest, "skip": lambda rarest: 0.0}


def _counted(background: Sequence[str], analyzer: Analyzer) -> tuple[Mapping[str, float], float]:
    if isinstance(background, str):
        raise TypeError("background is a list of documents, not one text: how many hold a word is counted")
    texts = list(background)
    odd = [number for number, text in enumerate(texts) if not isinstance(text, str)]
    if odd:
        raise TypeError(f"document {odd[0]} of the background is {texts[odd[0]]!r:.60}, which is not text")
    seen = Words([list(analyzer(text)) for text in texts])
    if not seen.names:
        raise ValueError(f"the background of {len(texts)} documents has no words: leave it out")
    if len(texts) == 1:
        raise ValueError(
            "the background is one document, so that each of its words is in all of them and weighs nothing: give many"
        )
    return dict(zip(seen.names, np.log(len(texts) / seen.holding()), strict=True)), float(
        np.log(len(texts) + 1)
    )


def _given(idf: Any) -> tuple[Mapping[str, float], float]:
    idf, chosen = _thawed(idf), False
    if isinstance(idf, TfidfVectorizer):
        check_is_fitted(idf, "vocabulary_")
        # max_df = 1.0 is all documents, 1 is a single one
        chosen = idf.fixed_vocabulary_ or not (isinstance(idf.max_df, float) and idf.max_df == 1)
        weights = idf.idf_ if idf.use_idf else np.ones(len(idf.vocabulary_))
        idf = {word: weights[place] for word, place in idf.vocabulary_.items()}
    values = np.array(list(idf.values()), dtype=np.float64)
    if not len(values) or not np.isfinite(values).all() or (values < 0).any():
        raise ValueError("idf is a mapping of words to finite numbers from 0 up, and not an empty one")
    return idf, 0.0 if chosen else float(values.max())


def _thawed(idf: Any) -> Any:
    if not isinstance(idf, FrozenEstimator):
        return idf
    if not isinstance(idf.estimator, TfidfVectorizer):
        raise TypeError(f"idf is a TfidfVectorizer, frozen or not; the frozen one is {idf.estimator!r:.60}")
    return idf.estimator


@cache
def _any_script() -> re.Pattern[str]:
    """Letters, digits and the marks that belong to them, which ``\\w`` leaves out of Hindi or Thai words."""
    marks = "".join(
        chr(code) for code in range(min(sys.maxunicode, 0xFFFF)) if unicodedata.category(chr(code))[0] == "M"
    )
    return re.compile(f"[\\w{marks}]+")
