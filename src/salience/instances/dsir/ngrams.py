r"""Texts as hashed n-grams: lower case, tokens by ``\w+|[^\w\s]+``, tokens joined by one space, a bucket for each."""

from __future__ import annotations

import functools
import hashlib
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from salience.data.hashing import text_buffers
from salience.data.xxh64 import hash_bytes
from salience.instances.dsir.kernels import count_quality, hash_ngrams, is_high, split_tokens

__all__ = ["HASHES", "Block", "Features", "bucket", "ngrams_of", "pieces_of"]

TOKEN = re.compile(r"\w+|[^\w\s]+")
_SLICE_BYTES = 4 << 20  # of text that is turned into n-grams at once
_MEMO = 1 << 20  # n-grams whose SHA-256 bucket is remembered: 12 MiB
HASHES = ("murmur3", "sha256")


class Block(NamedTuple):
    """Pieces of neighbouring documents as buckets.

    Attributes
    ----------
    first : int
        Of the documents, the number in the array.
    documents : int
    buckets : ndarray of int32
        Of all n-grams, piece by piece.
    offsets : ndarray of int64, shape (pieces + 1,)
    document : ndarray of int64, shape (pieces,)
        Of each piece, counted from `first`.
    good : ndarray of bool, shape (pieces,)
        Whether it passes the filter of quality; all, without one.
    """

    first: int
    documents: int
    buckets: NDArray[np.int32]
    offsets: NDArray[np.int64]
    document: NDArray[np.int64]
    good: NDArray[np.bool_]


@dataclass(frozen=True)
class Features:
    """How a text becomes counts.

    Parameters
    ----------
    ngrams, n_buckets : int
    hash : {"murmur3", "sha256"}
    chunk_words : int or None
        Words of a piece; None leaves documents whole.
    quality : bool
        Judge each piece by the shares of its words.
    """

    ngrams: int
    n_buckets: int
    hash: str
    chunk_words: int | None
    quality: bool = False

    def memo(self) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
        """Room to remember buckets in, for one thread."""
        size = _MEMO if self.hash == "sha256" else 1
        return np.zeros(size, np.uint64), np.full(size, -1, np.int32)

    def blocks(self, texts: pa.Array, memo: tuple[NDArray[np.uint64], NDArray[np.int32]]) -> Iterator[Block]:
        """The n-grams of texts (large strings without nulls), some megabytes at a time."""
        first = 0
        for some in _slices(_lowered(texts)):
            data, offsets, _, _ = text_buffers(some)
            buffer, begins, wordy, ends, document = split_tokens(
                data, offsets, _classes(), self.chunk_words or 0
            )
            buckets, bounds = hash_ngrams(
                buffer, begins, ends, self.ngrams, self.n_buckets, self.hash == "sha256", *memo
            )
            good = (
                count_quality(buffer, begins, wordy, ends, _stop_words())
                if self.quality
                else np.ones(len(ends), np.bool_)
            )
            yield Block(first, len(some), buckets, bounds, document, good)
            first += len(some)


def _lowered(texts: pa.Array) -> pa.Array:
    """Texts with letters beyond ASCII in Python's lower case; those of ASCII are lowered by the kernel."""
    data, offsets, _, _ = text_buffers(texts)
    high = is_high(data, offsets)
    if not high.any():
        return texts
    mask = pa.array(high)
    lowered = [text.lower() for text in texts.filter(mask).to_pylist()]
    return pc.replace_with_mask(texts, mask, pa.array(lowered, pa.large_string()))


def _slices(texts: pa.Array) -> Iterator[pa.Array]:
    _, offsets, _, _ = text_buffers(texts)
    first = 0
    while first < len(texts):
        stop = int(np.searchsorted(offsets, offsets[first] + _SLICE_BYTES))
        stop = min(max(stop, first + 1), len(texts))
        yield texts.slice(first, stop - first)
        first = stop


def ngrams_of(text: str, n: int) -> list[str]:
    """All n-grams of 1 to `n` tokens, in order of their first token.

    Examples
    --------
    >>> ngrams_of("Alice went!", 2)
    ['alice', 'alice went', 'went', 'went !', '!']
    """
    tokens = TOKEN.findall(text.lower())
    return [
        " ".join(tokens[i : i + j])
        for i in range(len(tokens))
        for j in range(1, n + 1)
        if i + j <= len(tokens)
    ]


def pieces_of(text: str, chunk_words: int | None) -> list[str]:
    """A document cut after every so many words, what stands between them included.

    Examples
    --------
    >>> pieces_of("to be or  not to be", 4)
    ['to be or  not', 'to be']
    """
    if chunk_words is None:
        return [text]
    words = [match.span() for match in re.finditer(r"\S+", text)]
    starts = range(0, max(len(words), 1), chunk_words)
    return [
        text[words[i][0] : words[min(i + chunk_words, len(words)) - 1][1]] if words else "" for i in starts
    ]


def bucket(ngram: str, n_buckets: int, hash: str = "sha256") -> int:
    """The bucket of one n-gram, by the libraries whose hashes the kernels repeat.

    Examples
    --------
    >>> bucket("alice", 10_000), bucket("alice went", 10_000)
    (6720, 114)
    """
    data = ngram.encode()
    if hash == "sha256":
        return int(hashlib.sha256(data).hexdigest(), 16) % n_buckets
    from sklearn.utils import murmurhash3_32  # 100 MB that workers do without

    return abs(int(murmurhash3_32(data, seed=0))) % n_buckets


@functools.cache
def _classes() -> NDArray[np.uint8]:
    """Of every code point: 0 space, 1 part of a word, 2 other, as Python's `re` sees it."""
    table = np.full(sys.maxunicode + 1, 2, np.uint8)
    plain = "".join(map(chr, [*range(0xD800), *range(0xE000, sys.maxunicode + 1)]))
    places = np.delete(np.arange(sys.maxunicode + 1), np.s_[0xD800:0xE000])
    for pattern, number in ((r"\s+", 0), (r"\w+", 1)):
        for match in re.finditer(pattern, plain):
            table[places[match.start() : match.end()]] = number
    return table


@functools.cache
def _stop_words() -> NDArray[np.uint64]:
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    words = [np.frombuffer(word.encode(), np.uint8) for word in ENGLISH_STOP_WORDS]
    return np.sort(np.array([hash_bytes(word, 0, len(word)) for word in words], np.uint64))


def mixed(seed: int, numbers: NDArray[Any]) -> NDArray[np.uint64]:
    """Random bits of (seed, number), by the finalizer of splitmix64: equal wherever a row is looked at."""
    with np.errstate(over="ignore"):
        z = numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed)
        for _ in range(2):
            z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            z ^= z >> np.uint64(31)
    return z
