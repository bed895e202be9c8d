"""Choose from a large pool of texts those that look like a small sample of the texts one wants."""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable, Iterator
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import NDArray
from sklearn.base import _fit_context
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from salience.instances.dsir.choice import TooFewPieces, choose, quotas, shares_of
from salience.instances.dsir.chosen import Chosen
from salience.instances.dsir.explanation import same_kind
from salience.instances.dsir.ngrams import HASHES, Features
from salience.instances.dsir.passes import (
    LEVELS,
    CountPass,
    Tally,
    Weighed,
    WeightPass,
    halves,
    in_one,
    joined,
    levels,
    over,
)
from salience.instances.dsir.pools import TextPool, are_paths, several
from salience.instances.dsir.ratios import Ratios
from salience.instances.dsir.weights import effective_sample_size, token_counts
from salience.results.meta import Meta
from salience.verify.fingerprints import from_sums

Floats = NDArray[np.float64]
REFERENCE_WORDS = 128
LEAST_SIGNAL = 2.0
RAW_N_GRAMS = 100_000  # per bucket, to count the raw pool from


class ImportanceResampler(Chosen):
    r"""DSIR: draw documents with chances in proportion to how much more likely they are in the target than in the pool.

    You have a pile of raw text and a small sample of the text you want. Every document is cut into pieces of equal
    length, every piece becomes counts :math:`z` of its n-grams in m hash buckets, and two bags of n-grams are fitted
    by counting, p on the target and q on the pool. A piece has the log importance weight

    .. math:: \log w(x) = \sum_k z_k \left[\ln(p_k + 10^{-8}) - \ln(q_k + 10^{-8})\right],

    and `n_select` pieces are drawn without replacement in proportion to w, by the largest keys
    :math:`\log w_i / \tau + \mathrm{Gumbel}(0, 1)`. It matches style and topic, not quality: a target full of
    boilerplate selects boilerplate. :meth:`explain` shows which n-grams did it.

    The pool is read twice and never held: memory is about 25 bytes per piece, and counts per bucket.

    Parameters
    ----------
    n_select : int
        Pieces to draw.
    ngrams : int, default=2
        Runs of 1 to this many tokens.
    n_buckets : int, default=10_000
        m.
    hash : {"murmur3", "sha256"}, default="murmur3"
        Of an n-gram. murmur3 gives the buckets of scikit-learn's HashingVectorizer, sha256 those of the package
        data-selection.
    chunk_words : int or None, default=128
        Cut documents after so many words, as the paper does; the rest is a shorter piece. None leaves documents
        whole: then the sum favours or kills the long ones.
    min_words : int, default=100
        Pieces of fewer tokens are never drawn.
    target_smoothing : float or "auto", default="auto"
        Added to every count of the target. By default 1 for a target of less than a million n-grams, else 0.
    temperature : float, default=1.0
        :math:`\tau`. Log weights of 100 words differ by hundreds and Gumbel numbers by one, so at 1 the draw is the
        top in practice; a temperature near the standard deviation of the log weights makes it a draw.
    length_normalise : bool, default=False
        Divide each log weight by its number of n-grams and multiply by that of 128 words.
    top_k : bool, default=False
        Take the largest weights, without noise.
    separate_targets : bool, default=False
        With several targets, draw for one after the other, each its share; else they are counted together.
    target_proportions : sequence of float or None, default=None
        Shares of separate targets; by default as their n-grams.
    quality_filter : bool, default=False
        Draw prose only: between 40 and 500 tokens, the most frequent one between 2 and 20 % of them, 30 to 70 % neither
        stop words nor punctuation, less than 20 % single digits. Stop words are scikit-learn's English ones.
    raw_ngrams : int or None or "auto", default="auto"
        Count the pool from a random share of its documents, halved until it has no more n-grams than this; by
        default 100,000 per bucket. None counts everything.
    column : str or None, default=None
        Column of tables and files; by default ``text``, or the only one with text.
    n_jobs : int or None, default=None
        Threads; None is one, -1 as many as there are cores.
    random_state : int, RandomState instance or None, default=None
    progress : callable or None, default=None
        ``progress(documents done, in all)``: the target twice, the pool twice.

    Attributes
    ----------
    scores_ : Scores
        One item per piece: ``value`` is the log weight (null where it cannot be drawn), ``tokens``, ``kept``,
        ``flag``. Keys are ``row``, and ``piece`` where a document was cut; one ranking per target if separate.
    log_weights_ : ndarray of shape (n,) or (n, n_targets)
        Of all pieces, as drawn by, before the temperature.
    log_ratio_ : ndarray of shape (m,) or (n_targets, m)
        What one n-gram of each bucket adds.
    n_tokens_ : ndarray of int32, shape (n,)
    eligible_ : ndarray of bool, shape (n,)
    row_, piece_ : ndarray of int64, shape (n,)
        The document of each piece, and which of its pieces it is.
    selected_ : ndarray of int64, shape (n_select,)
        Pieces drawn, ascending.
    selected_for_ : ndarray of int32, shape (n_select,)
        For which target.
    signal_ : float or ndarray of shape (n_targets,)
        Standard deviation of the log weights over that of weights by the chance between two halves of the target.
        Below 2 the weights are noise, and so is the selection.
    null_log_weights_ : ndarray of float32, as `log_weights_`
        The log weights by that chance.
    target_log_weights_ : tuple of ndarray
        Of the pieces of each target, each by the half that it is not in.
    effective_sample_size_ : float or ndarray of shape (n_targets,)
        How many pieces carry the weight.
    target_names_ : tuple of str
    n_rows_ : int
        Documents in the pool.

    Raises
    ------
    ValueError
        An empty side, a row that is null or no string (by its number), more pieces wanted than can be drawn,
        proportions that do not fit the targets.

    Notes
    -----
    Where this differs from the package data-selection: the noise is seeded, and belongs to the number of the piece, so
    threads and clusters give the same selection; all eligible pieces can be drawn; the filter of length and the budget
    of the counts count what they say; targets are counted whole in both modes; results are saved as Parquet by
    ``scores_.save``; no tokenizer or list of words is downloaded.

    q is not smoothed, as in the paper; so with a smoothed target that equals the pool weights are near 0, and exactly 0
    for ``target_smoothing=0``.

    References
    ----------
    Xie, Santurkar, Ma, Liang, Data Selection for Language Models via Importance Resampling, NeurIPS 2023,
    arXiv:2302.03169.

    Examples
    --------
    >>> from salience.instances import ImportanceResampler
    >>> raw = ["the cat sat on the mat", "stocks fell as rates rose"] * 50
    >>> target = ["a cat on a mat"] * 200
    >>> chosen = ImportanceResampler(20, n_buckets=1000, min_words=1, top_k=True).fit(raw, target)
    >>> {raw[i] for i in chosen.select()}
    {'the cat sat on the mat'}
    >>> chosen.explain(0, 2)["ngram"].to_list()
    ['cat', 'on']
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_select": [Interval(Integral, 1, None, closed="left")],
        "ngrams": [Interval(Integral, 1, None, closed="left")],
        "n_buckets": [Interval(Integral, 2, 2**31 - 1, closed="both")],
        "hash": [StrOptions(set(HASHES))],
        "chunk_words": [Interval(Integral, 1, None, closed="left"), None],
        "min_words": [Interval(Integral, 0, None, closed="left")],
        "target_smoothing": [Interval(Real, 0, None, closed="left"), StrOptions({"auto"})],
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "length_normalise": ["boolean"],
        "top_k": ["boolean"],
        "separate_targets": ["boolean"],
        "target_proportions": ["array-like", None],
        "quality_filter": ["boolean"],
        "raw_ngrams": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"}), None],
        "column": [str, None],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "progress": [callable, None],
    }

    def __init__(
        self,
        n_select: int,
        *,
        ngrams: int = 2,
        n_buckets: int = 10_000,
        hash: str = "murmur3",
        chunk_words: int | None = 128,
        min_words: int = 100,
        target_smoothing: float | str = "auto",
        temperature: float = 1.0,
        length_normalise: bool = False,
        top_k: bool = False,
        separate_targets: bool = False,
        target_proportions: Any = None,
        quality_filter: bool = False,
        raw_ngrams: int | str | None = "auto",
        column: str | None = None,
        n_jobs: int | None = None,
        random_state: Any = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.n_select = n_select
        self.ngrams = ngrams
        self.n_buckets = n_buckets
        self.hash = hash
        self.chunk_words = chunk_words
        self.min_words = min_words
        self.target_smoothing = target_smoothing
        self.temperature = temperature
        self.length_normalise = length_normalise
        self.top_k = top_k
        self.separate_targets = separate_targets
        self.target_proportions = target_proportions
        self.quality_filter = quality_filter
        self.raw_ngrams = raw_ngrams
        self.column = column
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.progress = progress

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, raw: Any, target: Any, *, client: Any = None) -> Self:
        """Weigh every piece of the pool, and draw.

        Parameters
        ----------
        raw : iterable of str, column, table, or path(s)
            The pool. A generator is written to a temporary file, for it is read twice.
        target : the same, or a list or mapping of such
        client : distributed.Client, optional
            Read the pool on a Dask cluster; it must be in files that the workers see. The selection is the same.

        Returns
        -------
        self
        """
        started = time.perf_counter()
        pool = TextPool(raw, "raw", self.column)
        if client is not None:
            pool.check_shared()
        names, sets = several(target, self.separate_targets)
        if not sets:
            raise ValueError("target is empty: it has no document; give at least one")
        targets = [
            TextPool(some, name, self.column) if len(sets) > 1 else TextPool(some, "target", self.column)
            for name, some in zip(names, sets, strict=True)
        ]
        self._seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        features = Features(self.ngrams, self.n_buckets, self.hash, self.chunk_words, self.quality_filter)
        step = self._counter(2 * (pool.rows + sum(t.rows for t in targets)))

        seen = [self._tally(CountPass(some, features, self._seed, 2, halves), step) for some in targets]
        budget = RAW_N_GRAMS * self.n_buckets if isinstance(self.raw_ngrams, str) else self.raw_ngrams
        counted = self._tally(CountPass(pool, features, self._seed, LEVELS, levels, budget), step, client)
        if counted.level and not counted.counts.any():
            raise ValueError(
                f"raw_ngrams={budget} leaves no document of raw to count; give more, or None for all"
            )
        halved = np.stack([some.counts for some in seen])
        ratios = Ratios(
            names, halved, counted.counts.sum(axis=0), self.separate_targets, self.target_smoothing
        )
        drawn = ratios.drawn()
        weighing = WeightPass(pool, features, drawn, ratios.null())
        self.target_names_ = names
        self.log_ratio_ = drawn if self.separate_targets else drawn[0]
        self._target_counts, self._raw_counts = ratios.targets, ratios.raw
        self._keep(self._weighed(weighing, step, client))
        self.target_log_weights_ = tuple(
            self._crossed(WeightPass(some, features, ratios.of_halves(t), drawn[:0], self._seed, True), step)
            for t, some in enumerate(targets)
        )
        self._pool, self._features, self.n_rows_ = pool, features, pool.rows
        self._draw()
        data = (from_sums({pool.column: counted.checksum}, pool.rows),)
        self._meta = self._said(data, time.perf_counter() - started)
        for message in self._meta.warnings:
            warnings.warn(message, UserWarning, stacklevel=3)
        return self

    def fit_resample(self, raw: Any, target: Any) -> Any:
        """Fit, and return the pieces drawn: a frame for a frame, a column for a column, a list for a list.

        In a frame the column of text holds the pieces. Files and generators give a polars Series.

        Parameters
        ----------
        raw, target
            As in :meth:`fit`; there is no label to return beside them.
        """
        if isinstance(raw, Iterator):
            raw = TextPool(raw, "raw", self.column)
        self.fit(raw, target)
        rows, texts = self.row_[self.selected_], list(self.selected_texts())
        return same_kind(None if are_paths(raw) else raw, rows, texts, self._pool_of(None).column)

    def _counter(self, total: int) -> Callable[[int], None]:
        done, lock = [0], threading.Lock()

        def step(rows: int) -> None:
            with lock:
                done[0] += rows
                if self.progress is not None:
                    self.progress(done[0], total)

        return step

    def _tally(self, counting: CountPass, step: Callable[[int], None], client: Any = None) -> Tally:
        parts, threads = counting.pool.parts(), effective_n_jobs(self.n_jobs)
        return over(counting, parts, Tally.merge, threads=threads, client=client, done=step)

    def _weighed(self, weighing: WeightPass, step: Callable[[int], None], client: Any = None) -> Weighed:
        parts, threads = weighing.pool.parts(), effective_n_jobs(self.n_jobs)
        return in_one(over(weighing, parts, joined, threads=threads, client=client, done=step))

    def _crossed(self, weighing: WeightPass, step: Callable[[int], None]) -> Floats:
        found = self._weighed(weighing, step)
        return self._scaled(found.log_weights, found.n_grams)[:, 0]

    def _keep(self, found: Weighed) -> None:
        """What is known of the pieces, those that can be drawn, and how far their weights are beyond noise."""
        weights = self._scaled(found.log_weights, found.n_grams)
        null = self._scaled(found.null, found.n_grams)
        self.log_weights_ = weights if self.separate_targets else weights[:, 0]
        self.null_log_weights_ = null if self.separate_targets or not null.size else null[:, 0]
        self.n_tokens_ = token_counts(found.n_grams, self.ngrams)
        self._pieces, good = found.pieces, found.good
        self.eligible_ = good & (self.n_tokens_ >= self.min_words)
        able = int(self.eligible_.sum())
        if self.n_select > able:
            asked = f"at least {self.min_words} tokens" + (
                " and pass the filter of quality" * self.quality_filter
            )
            raise TooFewPieces(self.n_select, able, len(good), asked)
        spread = self._spread(weights)
        noise = self._spread(null) if null.size else np.full(len(spread), np.nan)
        signal = np.divide(spread, noise, out=np.full(len(spread), np.nan), where=noise > 0)
        self.signal_ = signal if self.separate_targets else float(signal[0])

    def _spread(self, weights: NDArray[Any]) -> Floats:
        """The standard deviation over the pieces that can be drawn, for each target."""
        able = self.eligible_[:, None]
        return np.asarray(weights.std(axis=0, dtype=np.float64, where=able))

    def _scaled(self, weights: NDArray[Any], n_grams: NDArray[np.int32]) -> NDArray[Any]:
        if not self.length_normalise:
            return weights
        of_reference = REFERENCE_WORDS * self.ngrams - self.ngrams * (self.ngrams - 1) // 2
        factor = (of_reference / np.maximum(n_grams, 1)).astype(weights.dtype)
        return np.asarray(weights * factor[:, None])

    def _draw(self) -> None:
        weights = self.log_weights_.reshape(len(self.n_tokens_), -1)
        shares = np.ones(1)
        if self.separate_targets:
            shares = shares_of(self.target_proportions, self.target_names_, self._target_counts.sum(axis=1))
        wanted = quotas(self.n_select, shares)
        self.selected_, self.selected_for_ = choose(
            weights, self.eligible_, wanted, self._seed, temperature=self.temperature, top_k=self.top_k
        )
        sizes = np.array([
            effective_sample_size(some[self.eligible_] / self.temperature) for some in weights.T
        ])  # fmt: skip
        self.effective_sample_size_ = sizes if self.separate_targets else float(sizes[0])

    def _said(self, data: tuple[str, ...], seconds: float) -> Meta:
        warned = []
        signal, size = np.atleast_1d(self.signal_), np.atleast_1d(self.effective_sample_size_)
        if np.isnan(signal).any():
            warned.append("the target is too small to know how much of its log weights is noise")
        if (signal < LEAST_SIGNAL).any():
            warned.append(
                f"the log weights vary {np.nanmin(signal):.2g} times as much as those of chance between two halves of "
                f"the target; below {LEAST_SIGNAL:g} the choice is mostly noise. Give a larger target, or one that "
                "differs from the pool"
            )
        if not self.top_k and size.min() < self.n_select:
            spread = self._spread(self.log_weights_.reshape(len(self.n_tokens_), -1)).max()
            warned.append(
                f"{size.min():.3g} pieces carry all the weight (effective sample size), fewer than the {self.n_select} "
                f"drawn: the draw is the top in practice. temperature={spread:.2g} would make it a draw"
            )
        params = {k: v for k, v in self.get_params().items() if k not in ("progress", "random_state")}
        return Meta(
            method="dsir", params=params, seed=self._seed, data=data, rows=self.n_rows_, unit="nats",
            warnings=tuple(warned), seconds=seconds,
            extra={"signal": self.signal_, "effective_sample_size": self.effective_sample_size_},
        )  # fmt: skip
