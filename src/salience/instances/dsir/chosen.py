"""A finished choice: which pieces were drawn, what they say, why, and what it is worth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
from joblib import effective_n_jobs
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from salience.instances.dsir.explanation import contributions
from salience.instances.dsir.ngrams import Features, pieces_of
from salience.instances.dsir.passes import KeptPass, over
from salience.instances.dsir.pools import TextPool
from salience.instances.dsir.weights import kl_reduction
from salience.results import Scores
from salience.results.meta import Meta

__all__ = ["Chosen"]


class Chosen(BaseEstimator):
    """What can be asked of pieces of text once they are weighed and drawn; `ImportanceResampler` does that."""

    min_words: int
    chunk_words: int | None
    separate_targets: bool
    column: str | None
    n_jobs: int | None
    log_weights_: NDArray[np.float64]
    log_ratio_: NDArray[np.float64]
    n_tokens_: NDArray[np.int32]
    eligible_: NDArray[np.bool_]
    selected_: NDArray[np.int64]
    selected_for_: NDArray[np.int32]
    target_names_: tuple[str, ...]
    n_rows_: int
    _meta: Meta
    _pool: TextPool | None
    _features: Features
    _pieces: NDArray[np.int32]
    _target_counts: NDArray[np.int64]
    _raw_counts: NDArray[np.int64]

    def select(self) -> NDArray[np.int64]:
        """The pieces drawn, ascending; their documents are ``row_[select()]``."""
        check_is_fitted(self)
        return self.selected_.copy()

    def get_support(self, indices: bool = False) -> NDArray[Any]:
        """Which pieces are drawn: a mask of shape (n,), or their numbers."""
        chosen = self.select()
        mask = np.zeros(len(self.n_tokens_), np.bool_)
        mask[chosen] = True
        return chosen if indices else mask

    def selected_texts(self, raw: Any = None) -> Iterator[str]:
        """The texts of the pieces drawn, in their order, read from the pool once more.

        Parameters
        ----------
        raw : as in `fit`, optional
            The pool, where it was in memory and the estimator comes from a pickle.
        """
        check_is_fitted(self)
        yield from self._texts(self.selected_, raw)

    def explain(self, i: int, top: int = 10, *, target: int = 0, raw: Any = None) -> pl.DataFrame:
        """The n-grams of piece `i` that add most to its log weight, with their strings.

        Parameters
        ----------
        i : int
            Number of the piece; without chunks that of the document.
        top : int
        target : int
            Which one, where targets are separate.
        raw : as in `fit`, optional
            The pool, where it was in memory and the estimator comes from a pickle.

        Returns
        -------
        polars.DataFrame
            ``ngram``, ``count``, ``bucket``, ``log_ratio``, ``contribution``, largest first. N-grams that share a
            bucket share its ratio.

        Raises
        ------
        ValueError
            There is no such piece or target.
        """
        check_is_fitted(self)
        ratios = np.atleast_2d(self.log_ratio_)
        for name, number, n in (("piece", i, len(self.n_tokens_)), ("target", target, len(ratios))):
            if number not in range(n):
                raise ValueError(f"there is no {name} {number}; there are {n}, from 0 on")
        text = next(self._texts(np.array([i], np.int64), raw))
        return contributions(text, self._features, ratios[target], top)

    def kl_reduction(self, mask: Any = None, *, smoothing: float = 1.0, raw: Any = None) -> float:
        r"""How much nearer to the targets the n-grams of some pieces are than those of the pool, in nats.

        .. math:: \frac{1}{|T|} \sum_{p \in T} \mathrm{KL}(p \,\|\, q) - \mathrm{KL}(p \,\|\, s)

        Higher is better, a random selection is near 0 or below: small selections miss buckets. Compare
        selections of one size.

        Parameters
        ----------
        mask : array-like of bool, shape (n,), optional
            Pieces; by default those drawn.
        smoothing : float
            Added to every count of the pool and of the selection; with 0, 1e-8 is added to every share instead.
        raw : as in `fit`, optional
            The pool, where it was in memory and the estimator comes from a pickle.
        """
        kept = self.get_support() if mask is None else np.asarray(mask)
        check_is_fitted(self)
        if kept.dtype != np.bool_ or kept.shape != self.n_tokens_.shape or not kept.any():
            raise ValueError(
                f"mask must be a bool for each of the {len(self.n_tokens_)} pieces, at least one of them True; "
                f"got {kept.dtype} of shape {kept.shape}"
            )
        pool = self._pool_of(raw)
        counting = KeptPass(pool, self._features, kept, self._first_piece())
        threads = effective_n_jobs(self.n_jobs)
        counts = over(counting, pool.parts(), np.add, threads=threads, client=None, done=lambda rows: None)
        return kl_reduction(self._target_counts, self._raw_counts, counts, smoothing)

    @property
    def scores_(self) -> Scores:
        """One item per piece and, where they are separate, target."""
        check_is_fitted(self, "selected_")
        weights = self.log_weights_.reshape(len(self.n_tokens_), -1)
        cut = len(self.n_tokens_) > self.n_rows_
        kept = np.full(len(weights), -1, np.int32)
        kept[self.selected_] = self.selected_for_
        short = pl.when(pl.Series(self.n_tokens_ < self.min_words)).then(pl.lit("too_few"))
        flag = short.when(pl.Series(~self.eligible_)).then(pl.lit("unscored")).otherwise(None)
        frames = [
            pl.DataFrame({
                "row": self.row_,
                **({"piece": self.piece_} if cut else {}),
                **({"target": np.full(len(weights), t)} if self.separate_targets else {}),
                "value": np.where(self.eligible_, weights[:, t], np.nan),
                "tokens": self.n_tokens_,
                "kept": kept == t,
            }).with_columns(flag=flag)
            for t in range(weights.shape[1])
        ]  # fmt: skip
        if self.separate_targets:
            frames = [
                frame.with_columns(target=pl.lit(name))
                for frame, name in zip(frames, self.target_names_, strict=True)
            ]
        by = ("target",) if self.separate_targets else ()
        return Scores(
            pl.concat(frames), ("row", "piece") if cut else ("row",), by, item="row", meta=self._meta
        )

    @property
    def row_(self) -> NDArray[np.int64]:
        """The document of each piece."""
        return np.repeat(np.arange(self.n_rows_), self._pieces)

    @property
    def piece_(self) -> NDArray[np.int64]:
        """Which piece of its document each is."""
        return np.arange(len(self.n_tokens_)) - np.repeat(self._first_piece()[:-1], self._pieces)

    def _first_piece(self) -> NDArray[np.int64]:
        return np.concatenate([[0], np.cumsum(self._pieces, dtype=np.int64)])

    def _texts(self, pieces: NDArray[np.int64], raw: Any) -> Iterator[str]:
        first = self._first_piece()
        rows = np.searchsorted(first, pieces, side="right") - 1
        nth = pieces - first[rows]
        documents, which = np.unique(rows, return_inverse=True)
        place = 0
        for number, text in enumerate(self._pool_of(raw).take(documents.tolist())):
            cut = pieces_of(text, self.chunk_words)
            while place < len(pieces) and which[place] == number:
                yield cut[nth[place]]
                place += 1

    def _pool_of(self, raw: Any) -> TextPool:
        pool = self._pool if raw is None else TextPool(raw, "raw", self.column)
        if pool is None:
            raise ValueError(
                "the pool was in memory when this was pickled, and a pickle does not hold it; give raw="
            )
        if pool.rows != self.n_rows_:
            raise ValueError(f"this pool has {pool.rows} documents, the one that was fitted {self.n_rows_}")
        return pool

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        pool: TextPool | None = state.get("_pool")
        return {**state, "_pool": None} if pool is not None and pool.fleeting else state
