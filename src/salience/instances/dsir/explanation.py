"""What a person sees of a choice: the n-grams behind a weight, and the chosen texts in the form they came in."""

from __future__ import annotations

from collections import Counter
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from salience.instances.dsir.ngrams import Features, bucket, ngrams_of

__all__ = ["contributions", "same_kind"]


def contributions(text: str, features: Features, log_ratio: NDArray[np.float64], top: int) -> pl.DataFrame:
    """The n-grams of a text that add most to its log weight.

    Returns
    -------
    polars.DataFrame
        ``ngram``, ``count`` z, ``bucket``, ``log_ratio`` of the bucket, ``contribution``, largest first.
    """
    counts = Counter(ngrams_of(text, features.ngrams))
    frame = pl.DataFrame(
        {"ngram": list(counts), "count": list(counts.values())}, {"ngram": pl.String, "count": pl.Int64}
    )
    buckets = np.array([bucket(ngram, features.n_buckets, features.hash) for ngram in counts], np.int64)
    frame = frame.with_columns(bucket=pl.Series(buckets), log_ratio=pl.Series(log_ratio[buckets]))
    frame = frame.with_columns(contribution=pl.col("count") * pl.col("log_ratio"))
    return frame.sort("contribution", descending=True, maintain_order=True).head(top)


def same_kind(given: Any, rows: NDArray[np.int64], texts: list[str], column: str) -> Any:
    """Chosen texts as a frame, column, array or list like the given one; a polars Series for files."""
    if isinstance(given, list | tuple):
        return texts
    if isinstance(given, np.ndarray):
        return np.array(texts, dtype=object)
    if isinstance(given, pa.Array | pa.ChunkedArray):
        return pa.array(texts, pa.large_string())
    native = nw.from_native(given, eager_only=True, allow_series=True, pass_through=True)
    if isinstance(native, nw.DataFrame):
        kept = native[rows.tolist()]
        like = kept[column]
        return kept.with_columns(_series(like, texts)).to_native()
    if isinstance(native, nw.Series):
        return _series(native[rows.tolist()], texts).to_native()
    return pl.Series("text", texts, pl.String)


def _series(like: Any, texts: list[str]) -> Any:
    made = nw.new_series(like.name or "", texts, nw.String, backend=nw.get_native_namespace(like))
    made = (
        nw.maybe_set_index(made, index=nw.maybe_get_index(like))
        if nw.maybe_get_index(like) is not None
        else made
    )
    return made.alias(like.name)
