"""The scores of a fitted model: one row per sentence."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from salience.instances.lexrank.measures import places
from salience.results import Scores
from salience.results.meta import Meta
from salience.verify.fingerprints import fingerprint

__all__ = ["scored"]


def scored(
    model: Any, words: NDArray[np.int64], why_not: NDArray[np.str_], notes: list[str], started: float
) -> Scores:
    """All sentences of a fitted model with their values, places and what is known of them.

    Parameters
    ----------
    model : LexRank
    words : ndarray of shape (n,)
        Words of each sentence.
    why_not : ndarray of str, shape (n,)
        The flag of a sentence, if it was not ranked.
    notes : list of str
        What the reader should know.
    started : float
        When the work began, by `time.perf_counter`.
    """
    n, rows, values = len(words), model._ranked, model._measured.values
    frame = pl.DataFrame(
        {
            "sentence": np.arange(n),
            "value": _widened(values, rows, n),
            "rank": _widened(places(values, model.degree_[rows]), rows, n),
            "doc": model.doc_,
            "position": model.position_,
            "degree": model.degree_,
            "words": words,
            "text": model.sentences_,
            "flag": why_not,
        }
    )
    scored = pl.col("value").is_not_nan()
    frame = frame.with_columns(flag=pl.when(scored).then(None).otherwise("flag"))
    idf = f"{len(model.idf)} words" if isinstance(model.idf, dict) else model.idf
    meta = Meta(
        method="lexrank",
        params={**model.get_params(deep=False), "idf": idf},
        data=tuple(fingerprint(pl.DataFrame({"text": texts})) for texts in model._found.given),
        rows=len(rows),
        unit=model._measured.unit,
        additive=True,
        warnings=tuple(notes),
        seconds=time.perf_counter() - started,
    )
    return Scores(frame, ("sentence",), item="sentence", meta=meta)


def _widened(values: NDArray[Any], rows: NDArray[np.intp], n: int) -> NDArray[np.float64]:
    wide = np.full(n, np.nan)
    wide[rows] = values
    return wide
