"""Rank the sentences of texts by LexRank, say why, and take a summary."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, _fit_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from salience.data.budget import parse_memory
from salience.instances.lexrank.graph import GRAPHS, Given
from salience.instances.lexrank.measures import MEASURES, structure
from salience.instances.lexrank.scoring import scored
from salience.instances.lexrank.sentences import Sentences, flattened, splitter
from salience.instances.lexrank.similarity import PAIR_BYTES
from salience.instances.lexrank.summary import Budget, Chosen, summarized, weights_of
from salience.instances.lexrank.words import UNSEEN, analyzed
from salience.results import Scores
from salience.results.meta import Meta

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["LexRank"]


class LexRank(BaseEstimator):
    r"""LexRank: a sentence is central when central sentences are like it.

    Which sentences of one text, or of a pile of texts about one thing, say what the others say? Each sentence is a
    vector of its words, tf * idf; two are linked when their cosine

    .. math:: S_{xy} = \frac{\sum_{w} \mathrm{tf}_{wx}\,\mathrm{tf}_{wy}\,\mathrm{idf}_w^2}
              {\sqrt{\sum_w (\mathrm{tf}_{wx}\,\mathrm{idf}_w)^2}\,\sqrt{\sum_w (\mathrm{tf}_{wy}\,\mathrm{idf}_w)^2}}

    lies strictly above t. A reader who follows links with chance f, and else starts anywhere, is at sentence u with
    the share

    .. math:: p_u = \frac{1 - f}{n} + f \sum_v B_{vu}\, p_v, \qquad B_{vu} = \frac{A_{vu}}{\sum_z A_{vz}},
              \qquad A_{uv} = [S_{uv} > t] .

    Parameters
    ----------
    method : {"threshold", "continuous", "degree", "centroid"}, default="threshold"
        The walk above; the same with A = S; the number of links; the sum of the words' mean tf over the documents
        times idf, where it exceeds `cutoff` (the baseline of MEAD).
    threshold : float in [0, 1), default=0.1
        t. Also what counts as a link in the column ``degree``, whatever the method.
    follow : float in [0, 1], default=0.85
        f, the chance to *follow* a link (the paper's formula has d = 1 - f). 1 needs a connected graph.
    tol : float, default=1e-8
        The walk ends when the Euclidean length of a step is below it.
    max_iter : int, default=1000
    idf : dict of word to float, fitted TfidfVectorizer or None, default=None
        What words weigh. None: by the background given to `fit`, :math:`\ln(N / n_w)`, or, without one, by the
        sentences themselves, :math:`\ln\frac{1 + n}{1 + n_w} + 1`. Where the model is cloned, ``FrozenEstimator(vectorizer)``
        stays fitted.
    analyzer : "word" or callable, default="word"
        From a sentence to its words. "word": small letters, in any script; pairs of characters where a script has no
        spaces. A fitted TfidfVectorizer brings its own.
    unseen : {"rare", "skip"}, default="rare"
        A word the background lacks: rarer than all it has, :math:`\ln(N + 1)`, or of no weight. The paper does not say.
        A vectorizer with a `max_df` or a vocabulary of its own left words out on purpose: they have no weight.
    similarity : {"tfidf", "embedding", "precomputed"}, default="tfidf"
        "embedding": cosines of the vectors given to `fit` or made by `embed`, negative ones taken as 0.
        "precomputed": the matrix given to `fit`, its diagonal taken as 1.
    embed : callable or None, default=None
        From a list of sentences to their vectors, shape (n, d).
    self_links : bool, default=True
        Whether a sentence votes for itself, as in the paper. Then a part of the graph has the share of its sentences,
        so an isolated sentence (1/n) outranks the weaker half of any cluster; without, isolated sentences come last.
    weak : bool, default=True
        In the continuous form, whether similarities up to `threshold` count too, as in the paper.
    min_words : int, default=1
        Shorter sentences are not ranked and vote for none. Fragments of a splitter are isolated, and score 1/n.
    cutoff : float, default=0.0
        Of the method "centroid".
    language : str, default="en"
        Whose rules split texts into sentences, those of pysbd.
    split : callable or None, default=None
        From a text to its sentences, instead.
    memory : str or int, default="1GiB"
        What the links between sentences may take: a text that says the same again and again has as many as pairs.

    Attributes
    ----------
    scores_ : Scores
        One row per sentence: ``value``, ``rank`` (values that differ by less than a millionth of the mean are a tie:
        more links first, then the earlier one), ``doc``, ``position``, ``degree``, ``words``, ``text``, ``flag``
        ("unscored": empty; "too_few": less than `min_words`). Values sum to 1, but for "degree" and "centroid".
    sentences_ : list of str
    doc_, position_ : ndarray of int64, shape (n,)
    degree_ : ndarray of int64, shape (n,)
        Links, that to itself included.
    similarity_ : csr_array of shape (n, n)
        What lies above the threshold, and the diagonal.
    n_iter_ : int
        Steps of the walk; 0 for the methods without one.
    residual_ : float
        Euclidean length of the last step.

    Raises
    ------
    TypeError
        A document or sentence that is not text; the message has its number.
    ValueError
        No sentence; an unknown language; vectors or similarities that do not fit; ``follow=1`` with a graph that
        falls apart.

    Warns
    -----
    UserWarning
        No two sentences are alike, or all sentences score the same: there is no structure to rank by. More than half of
        the sentences are isolated. Negative similarities were taken as 0.
    ConvergenceWarning
        `max_iter` steps did not suffice.

    Notes
    -----
    Similarities are made in blocks and only links are kept; the continuous form over words keeps nothing, it multiplies
    by the words. The packages ``lexrank`` 0.1.0 and ``sumy`` 0.13.0 have no (1 - f) term; the latter stops after a step or
    two, and squares negative idf. With `follow` close to 1 and their idf the scores are theirs, of sumy once it goes on.

    References
    ----------
    Erkan and Radev, LexRank: Graph-based Lexical Centrality as Salience in Text Summarization, JAIR 22 (2004),
    arXiv:1109.2128.

    Examples
    --------
    >>> from salience.instances import LexRank
    >>> reports = [
    ...     "The river flooded the old town. Nobody was hurt.",
    ...     "Heavy rain flooded the old town on Monday. Schools stay closed.",
    ...     "After heavy rain the river rose on Monday. Trains run late.",
    ... ]
    >>> model = LexRank("continuous").fit(reports)
    >>> model.summarize(k=1, min_words=5)[0].sentence
    'Heavy rain flooded the old town on Monday.'
    >>> model.explain(2).frame["sentence", "similarity"].rows()[1]
    (0, 0.608...)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "method": [StrOptions(set(MEASURES))],
        "threshold": [Interval(Real, 0, 1, closed="left")],
        "follow": [Interval(Real, 0, 1, closed="both")],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "idf": [dict, TfidfVectorizer, FrozenEstimator, None],
        "analyzer": [StrOptions({"word"}), callable],
        "unseen": [StrOptions(set(UNSEEN))],
        "similarity": [StrOptions(set(GRAPHS))],
        "embed": [callable, None],
        "self_links": ["boolean"],
        "weak": ["boolean"],
        "min_words": [Interval(Integral, 0, None, closed="left")],
        "cutoff": [Interval(Real, 0, None, closed="left")],
        "language": [str],
        "split": [callable, None],
        "memory": [str, Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        method: str = "threshold",
        *,
        threshold: float = 0.1,
        follow: float = 0.85,
        tol: float = 1e-8,
        max_iter: int = 1000,
        idf: Any = None,
        analyzer: Any = "word",
        unseen: str = "rare",
        similarity: str = "tfidf",
        embed: Callable[[list[str]], Any] | None = None,
        self_links: bool = True,
        weak: bool = True,
        min_words: int = 1,
        cutoff: float = 0.0,
        language: str = "en",
        split: Callable[[str], Any] | None = None,
        memory: str | int = "1GiB",
    ) -> None:
        self.method = method
        self.threshold = threshold
        self.follow = follow
        self.tol = tol
        self.max_iter = max_iter
        self.idf = idf
        self.analyzer = analyzer
        self.unseen = unseen
        self.similarity = similarity
        self.embed = embed
        self.self_links = self_links
        self.weak = weak
        self.min_words = min_words
        self.cutoff = cutoff
        self.language = language
        self.split = split
        self.memory = memory

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        documents: Any,
        y: Any = None,
        *,
        background: Sequence[str] | None = None,
        matrix: Any = None,
        about: str | None = None,
        progress: Callable[[int, int], object] | None = None,
    ) -> Self:
        """Rank the sentences of some documents.

        Parameters
        ----------
        documents : str, sequence of str, or sequence of sequences of str
            One text; texts; or texts that are split into sentences already (empty ones keep their numbers). With
            ``similarity="precomputed"`` it may be the matrix itself: its sentences have no text then.
        y : ignored
        background : sequence of str, optional
            Documents by which to tell how rare words are; many, and of the same kind.
        matrix : array, optional
            Vectors of the sentences, shape (n, d), for ``similarity="embedding"``; their similarities, shape (n, n), for
            "precomputed".
        about : str, optional
            A title or question. Who does not follow a link then goes to sentences like it, instead of to any.
        progress : callable, optional
            ``progress(sentences compared, all sentences)``.

        Returns
        -------
        self
        """
        started = time.perf_counter()
        found, matrix = self._read(documents, matrix)
        split_words = analyzed(self.analyzer, self.idf)
        read = [list(split_words(text)) for text in found.texts]
        words = np.array(list(map(len, read)), dtype=np.int64)
        bare = self.similarity == "precomputed" and not any(found.texts)
        blank = np.array([not (bare or text.strip()) for text in found.texts])
        ranked = np.flatnonzero(~blank & (bare | (words >= self.min_words)))
        if not ranked.size:
            raise ValueError(
                f"none of the {len(words)} sentences has min_words={self.min_words} words; the longest has {words.max()}"
            )
        given = Given(matrix, ranked, len(words), background, about, split_words, [read[i] for i in ranked],
                      found.documents, progress, parse_memory(self.memory) / PAIR_BYTES)  # fmt: skip
        graph = GRAPHS[self.similarity](self, [found.texts[i] for i in ranked], given)
        measured = MEASURES[self.method](self, graph)
        self.sentences_, self.doc_, self.position_ = found.texts, found.doc, found.position
        self.similarity_ = graph.among(ranked, len(words))
        self.degree_ = np.diff(self.similarity_.indptr).astype(np.int64)
        self.n_iter_, self.residual_ = measured.steps, measured.residual
        self._found, self._ranked, self._graph, self._measured = found, ranked, graph, measured
        notes = [*graph.notes, *structure(measured.values, measured.alone)]
        for note in notes:
            warnings.warn(note, UserWarning, stacklevel=3)
        if measured.warning:
            notes.append(measured.warning)
            warnings.warn(measured.warning, ConvergenceWarning, stacklevel=3)
        if found.empty:
            notes.append(f"{len(found.empty)} documents have no sentence: {list(found.empty)[:5]}")
        self.scores_ = scored(self, words, np.where(blank, "unscored", "too_few"), notes, started)
        return self

    def summarize(
        self,
        k: int | None = None,
        *,
        max_bytes: int | None = None,
        max_words: int | None = None,
        redundancy: float = 0.5,
        preset: str = "lexrank",
        weights: tuple[float, float] | None = None,
        min_words: int = 9,
    ) -> list[Chosen]:
        """Sentences that are central and do not repeat each other, in the order of the documents.

        Parameters
        ----------
        k : int, optional
            Sentences; 3, if no limit is given at all.
        max_bytes, max_words : int, optional
            Length of the whole, one space between sentences. A sentence that does not fit is passed over; none is cut.
        redundancy : float in [0, 1], default=0.5
            A sentence more similar than this to one taken is passed over.
        preset : {"lexrank", "mead"}, default="lexrank"
            Centrality alone, or as much of position: the first sentence of a document 1, the last 0.
        weights : pair of float, optional
            Of centrality and position, both scaled to [0, 1], instead.
        min_words : int, default=9
            Shorter sentences are left out.

        Returns
        -------
        list of Chosen
            ``index, sentence, score``.

        Warns
        -----
        UserWarning
            When there are fewer than `k` such sentences, or none fits the budget.

        Raises
        ------
        ValueError
            A limit below 1, an unknown preset, or sentences without text.
        """
        check_is_fitted(self)
        budget = Budget(3 if k is max_bytes is max_words is None else k, max_bytes, max_words)
        found, note = summarized(
            self, self._measured.values, budget, redundancy, weights_of(preset, weights), min_words
        )
        if note:
            warnings.warn(note, UserWarning, stacklevel=2)
        return found

    def explain(self, sentence: int, k: int | None = None) -> Scores:
        r"""Why a sentence scores what it does.

        Parameters
        ----------
        sentence : int
            Its number, as in ``scores_``.
        k : int, optional
            So many of the neighbours, the strongest; by default all.

        Returns
        -------
        Scores
            The sentences that vote for it, it itself among them: ``value`` is the share of its score that comes from
            each, :math:`f B_{vu} p_v / p_u` (what is missing to 1 comes from nowhere, the :math:`(1 - f) / n`);
            ``similarity``, ``doc``, ``text``. For "centroid" the words that make its score, items "token".

        Raises
        ------
        ValueError
            If the sentence was not ranked.
        """
        check_is_fitted(self)
        place = np.flatnonzero(self._ranked == sentence)
        if not place.size:
            raise ValueError(
                f"sentence {sentence!r} was not ranked; ranked are {len(self._ranked)} of the sentences 0 to "
                f"{len(self.sentences_) - 1}"
            )
        i = int(place[0])
        votes = self._measured.votes(i)
        meta = Meta(method="lexrank", unit="share of the score", additive=True, extra={"sentence": sentence})
        if votes.words is not None:
            found = Scores.from_values(votes.shares, votes.words, keys="word", item="token", meta=meta)
        else:
            rows = self._ranked[votes.of]
            columns: dict[str, Any] = {
                "similarity": self._graph.similar(i)[votes.of],
                "doc": self.doc_[rows],
                "text": [self.sentences_[j] for j in rows],
            }
            found = Scores.from_values(
                votes.shares, rows.tolist(), keys="sentence", item="sentence", meta=meta, **columns
            )
        return found.top(len(found) if k is None else k)

    def plot(self, ax: Axes | None = None, top: int = 5, most: int = 120) -> Axes:
        """The graph of similar sentences, the best of them numbered; see `similarity_graph`."""
        check_is_fitted(self)
        from salience.instances.lexrank.picture import (
            similarity_graph,  # matplotlib is loaded by those who draw
        )

        return similarity_graph(self, ax, top=top, most=most)

    def _read(self, documents: Any, matrix: Any) -> tuple[Sentences, Any]:
        if self.similarity == "precomputed" and matrix is None:
            if len(getattr(documents, "shape", ())) != 2:
                raise ValueError(
                    "similarity='precomputed' wants an array of similarities: fit(S), or fit(documents, matrix=S)"
                )
            n = int(documents.shape[0])
            return Sentences([""] * n, np.zeros(n, np.int64), np.arange(n)), documents
        if self.similarity == "tfidf" and matrix is not None:
            raise ValueError(
                "similarity='tfidf' compares words and takes no matrix; say 'embedding' or 'precomputed'"
            )
        return flattened(documents, splitter(self.split, self.language)), matrix
