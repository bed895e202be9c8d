"""The graph of sentences from each kind of input: words, vectors, or similarities."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, eye_array

from salience.instances.lexrank.centrality import Links, links_of_words
from salience.instances.lexrank.similarity import (
    checked_similarity,
    unit_rows,
    vectors_alike,
    words_alike,
)
from salience.instances.lexrank.words import Words, inverse_frequency

__all__ = ["GRAPHS", "Given", "Graph"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Graph:
    """Sentences and how similar they are.

    Attributes
    ----------
    links : csr_array of shape (n, n)
        Similarities above the threshold; 1 on the diagonal.
    source : csr_array or ndarray
        Rows of length 1 whose products are the similarities (`by_rows`), else these, without the diagonal.
    by_rows : bool
    home : ndarray of shape (n,) or None
        Where the reader goes who follows no link; None is anywhere alike.
    words : Words or None
    weights : ndarray or None
        idf of the words.
    documents : int
    notes : tuple of str
        What the caller should be told.
    """

    links: csr_array
    source: Any
    by_rows: bool = False
    home: Floats | None = None
    words: Words | None = None
    weights: Floats | None = None
    documents: int = 1
    notes: tuple[str, ...] = ()

    def similar(self, i: int) -> Floats:
        """Similarity of one sentence with each, itself 1; shape (n,)."""
        row = self.source[[i]]
        product: Any = self.source @ row.T if self.by_rows else row
        found = product.toarray() if hasattr(product, "toarray") else product
        similar = np.asarray(found, dtype=np.float64).ravel()
        if self.by_rows:
            similar = np.clip(similar, 0.0, 1.0)
        similar[i] = 1.0
        return similar

    def among(self, rows: NDArray[np.intp], n: int) -> csr_array:
        """The links as a matrix of `n` sentences, these being `rows` of them."""
        if len(rows) == n:
            return self.links
        found = self.links.tocoo()
        wide = csr_array((found.data, tuple(rows[axis] for axis in found.coords)), shape=(n, n))
        wide.sort_indices()
        return wide

    def counted(self, *, self_links: bool) -> Links:
        """Links of weight 1 above the threshold."""
        return Links.of_pairs(self.links, own=float(self_links) - 1.0, weighted=False)

    def weighted(self, *, self_links: bool, weak: bool) -> Links:
        """Links as strong as the similarities, those up to the threshold too if `weak`."""
        if not weak:
            return Links.of_pairs(self.links, own=float(self_links) - 1.0, weighted=True)
        if self.by_rows:
            return links_of_words(self.source, self_links=self_links)
        return Links.of_pairs(self.source, own=float(self_links), weighted=True)


@dataclass(frozen=True)
class Given:
    """What a graph may be made from, beside the sentences.

    Attributes
    ----------
    matrix : array or None
        Vectors or similarities, one row per sentence that was given, ranked or not.
    rows : ndarray of int
        Numbers of the sentences that are ranked.
    all_sentences : int
    background : sequence of str or None
    about : str or None
    analyzer : callable
    words : list of list of str
        Those of the sentences that are ranked.
    documents : int
    progress : callable or None
    most : float
        Pairs of sentences that may be linked.
    """

    matrix: Any
    rows: NDArray[np.intp]
    all_sentences: int
    background: Sequence[str] | None
    about: str | None
    analyzer: Callable[[str], Any]
    words: list[list[str]]
    documents: int
    progress: Callable[[int, int], object] | None
    most: float = np.inf


def graph_of_words(model: Any, texts: list[str], given: Given) -> Graph:
    """Cosines of tf * idf."""
    words = Words(given.words)
    weights = inverse_frequency(words, model.idf, given.background, given.analyzer, model.unseen)
    vectors = words.vectors(weights)
    home: Floats | None = None
    notes: tuple[str, ...] = ()
    if given.about is not None:
        home, notes = _towards(_like_title(vectors, words, weights, given))
    alike = words_alike(vectors, model.threshold, given.progress, given.most)
    return Graph(_with_diagonal(alike.pairs), vectors, True, home, words, weights, given.documents, notes)


def graph_of_vectors(model: Any, texts: list[str], given: Given) -> Graph:
    """Cosines of vectors that were given, or are made from the sentences."""
    _refuse_background(model, given)
    if (given.matrix is None) == (model.embed is None):
        raise ValueError(
            "similarity='embedding' wants vectors: fit(documents, matrix=V), or LexRank(embed=f), not both"
        )
    if given.matrix is None:
        vectors = unit_rows(model.embed(texts), len(texts))
    else:
        vectors = unit_rows(given.matrix, given.all_sentences)[given.rows]
    home: Floats | None = None
    notes: tuple[str, ...] = ()
    if given.about is not None:
        if model.embed is None:
            raise ValueError("about= needs LexRank(embed=f) to make a vector of it")
        title = unit_rows(model.embed([given.about]), 1)[0]
        if len(title) != vectors.shape[1]:
            raise ValueError(f"embed made vectors of {vectors.shape[1]} and of {len(title)} numbers")
        home, notes = _towards(np.maximum(vectors @ title, 0.0))
    # the continuous form walks over every positive similarity, the others over links only
    everything = model.method == "continuous" and model.weak
    above = 0.0 if everything else model.threshold
    alike = vectors_alike(vectors, above, given.progress, given.most)
    if alike.negative:
        pairs = len(texts) * (len(texts) - 1) // 2
        notes += (
            f"{alike.negative} of {pairs} similarities are negative and count as 0: a vote cannot be negative",
        )
    links = _with_diagonal(_above(alike.pairs, model.threshold) if everything else alike.pairs)
    return Graph(links, alike.pairs if everything else vectors, not everything, home, notes=notes)


def graph_of_matrix(model: Any, texts: list[str], given: Given) -> Graph:
    """Similarities that were given."""
    _refuse_background(model, given)
    if given.about is not None:
        raise ValueError("about= is compared by words or vectors; there are only similarities")
    if np.shape(given.matrix) != (given.all_sentences,) * 2:
        raise ValueError(
            f"matrix holds the similarities of {given.all_sentences} sentences, shape ({given.all_sentences}, "
            f"{given.all_sentences}); got {np.shape(given.matrix)}"
        )
    pairs = checked_similarity(given.matrix)
    if len(given.rows) < given.all_sentences:
        pairs = csr_array(pairs[given.rows][:, given.rows])
    return Graph(_with_diagonal(_above(pairs, model.threshold)), pairs)


GRAPHS: dict[str, Callable[[Any, list[str], Given], Graph]] = {
    "tfidf": graph_of_words,
    "embedding": graph_of_vectors,
    "precomputed": graph_of_matrix,
}


def _refuse_background(model: Any, given: Given) -> None:
    if given.background is not None or model.idf is not None:
        raise ValueError(
            f"similarity={model.similarity!r} compares no words, so background= and idf= mean nothing here"
        )


def _like_title(vectors: csr_array, words: Words, weights: Floats, given: Given) -> Floats:
    place = {word: number for number, word in enumerate(words.names)}
    known = [place[word] for word in given.analyzer(given.about or "") if word in place]
    title = np.bincount(np.array(known, dtype=np.intp), minlength=len(words.names)) * weights
    return np.asarray(vectors @ (title / max(float(np.linalg.norm(title)), np.finfo(float).tiny)))


def _towards(similar: Floats) -> tuple[Floats | None, tuple[str, ...]]:
    total = float(similar.sum())
    if total > 0:
        return similar / total, ()
    return None, ("no sentence is like about=: it is not used",)


def _above(pairs: csr_array, threshold: float) -> csr_array:
    kept = pairs.copy()
    kept.data *= kept.data > threshold
    kept.eliminate_zeros()
    return kept


def _with_diagonal(pairs: csr_array) -> csr_array:
    found = csr_array(pairs + eye_array(pairs.shape[0], format="csr"))
    found.sort_indices()
    return found
