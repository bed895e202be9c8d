"""The loops over bytes of :mod:`salience.instances.dsir.ngrams`, without the GIL."""

import numpy as np
from numba import njit

from salience.data.words import load32
from salience.data.xxh64 import hash_bytes

_MASK = np.uint64(0xFFFFFFFF)
_SPACE, _WORD = 0, 1
QUALITY_WORDS = (40, 500)  # of a piece, both excluded
QUALITY_REPEATED = (0.02, 0.2)  # share of its most frequent token
QUALITY_INFORMATIVE = (0.3, 0.7)  # share of tokens that are neither stop word nor punctuation
QUALITY_NO_DIGIT = 0.8  # share of tokens that are not a single digit


def _primes(n):  # type: ignore[no-untyped-def]
    found: list[int] = []
    number = 2
    while len(found) < n:
        if all(number % prime for prime in found):
            found.append(number)
        number += 1
    return found


def _root_bits(number, degree):  # type: ignore[no-untyped-def]
    """The first 32 bits behind the point of a root: what SHA-256 takes its constants from."""
    low, high = 0, number << 32
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**degree <= number << (32 * degree) else (low, middle - 1)
    return low & 0xFFFFFFFF


_ROUNDS = np.array([_root_bits(prime, 3) for prime in _primes(64)], np.uint64)
_START = np.array([_root_bits(prime, 2) for prime in _primes(8)], np.uint64)


@njit(nogil=True, cache=True)
def is_high(data, offsets):  # type: ignore[no-untyped-def]
    """Whether each text has a byte beyond ASCII."""
    out = np.zeros(len(offsets) - 1, np.bool_)
    for i in range(len(out)):
        for at in range(offsets[i], offsets[i + 1]):
            if data[at] >= 128:
                out[i] = True
                break
    return out


@njit(nogil=True, cache=True, inline="always")
def _point(data, at, stop):  # type: ignore[no-untyped-def]
    """The code point that starts at a byte, and how many bytes it takes; a broken one is U+FFFD."""
    lead = np.int64(data[at])
    if lead < 0x80:
        return lead, 1
    length = 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
    if lead < 0xC0 or at + length > stop:
        return 0xFFFD, 1
    point = lead & (0xFF >> (length + 1))
    for i in range(1, length):
        point = (point << 6) | (np.int64(data[at + i]) & 0x3F)
    return (point if point <= 0x10FFFF else 0xFFFD), length


@njit(nogil=True, cache=True)
def split_tokens(data, offsets, classes, chunk_words):  # type: ignore[no-untyped-def]
    """Tokens of texts, joined by single spaces, so that an n-gram is a run of bytes.

    Returns
    -------
    buffer : uint8
        Token i is ``buffer[begins[i] : begins[i + 1] - 1]``.
    begins : int64 (tokens + 1,)
    wordy : bool (tokens,)
    ends : int64 (pieces,)
        Tokens up to the end of each piece; a text has at least one piece.
    document : int64 (pieces,)
    """
    size = np.int64(offsets[-1]) - np.int64(offsets[0])
    n = len(offsets) - 1
    buffer = np.empty(2 * size + 1, np.uint8)
    begins = np.empty(size + 1, np.int64)
    wordy = np.empty(size, np.bool_)
    most = n + (size // (2 * chunk_words) + n if chunk_words else 0)
    ends = np.empty(most, np.int64)
    document = np.empty(most, np.int64)
    tokens = filled = pieces = 0
    begins[0] = 0
    for i in range(n):
        at, stop = np.int64(offsets[i]), np.int64(offsets[i + 1])
        before, words = _SPACE, 0
        while at < stop:
            point, length = _point(data, at, stop)
            kind = classes[point]
            if kind != _SPACE:
                if before == _SPACE:
                    if chunk_words and words == chunk_words:
                        ends[pieces] = tokens
                        document[pieces] = i
                        pieces += 1
                        words = 0
                    words += 1
                if kind != before:
                    if before != _SPACE:
                        buffer[filled] = 32
                        filled += 1
                        begins[tokens] = filled
                    wordy[tokens] = kind == _WORD
                    tokens += 1
                if length == 1:
                    byte = data[at]
                    buffer[filled] = byte + np.uint8(32) if 65 <= byte <= 90 else byte
                    filled += 1
                else:
                    for j in range(length):
                        buffer[filled] = data[at + j]
                        filled += 1
            elif before != _SPACE:
                buffer[filled] = 32
                filled += 1
                begins[tokens] = filled
            before = kind
            at += length
        if before != _SPACE:
            buffer[filled] = 32
            filled += 1
            begins[tokens] = filled
        ends[pieces] = tokens
        document[pieces] = i
        pieces += 1
    return (
        buffer[:filled],
        begins[: tokens + 1],
        wordy[:tokens],
        ends[:pieces].copy(),
        document[:pieces].copy(),
    )


@njit(nogil=True, cache=True)
def hash_ngrams(buffer, begins, ends, n, n_buckets, sha, keys, values):  # type: ignore[no-untyped-def]
    """Buckets of the n-grams of 1 to n tokens of each piece, and where each piece begins.

    With `sha` the arrays `keys` and `values` remember buckets by the xxh64 of the n-gram.
    """
    offsets = np.zeros(len(ends) + 1, np.int64)
    first = 0
    for p in range(len(ends)):
        here = ends[p] - first
        offsets[p + 1] = offsets[p]
        for j in range(1, n + 1):
            offsets[p + 1] += max(here - j + 1, 0)
        first = ends[p]
    out = np.empty(offsets[-1], np.int32)
    m = np.uint64(n_buckets)
    schedule = np.empty(64, np.uint64)
    first = at = 0
    for p in range(len(ends)):
        for i in range(first, ends[p]):
            for j in range(i + 1, min(i + n, ends[p]) + 1):
                a, b = begins[i], begins[j] - 1
                if sha:
                    key = hash_bytes(buffer, a, b)
                    slot = np.int64(key & np.uint64(len(keys) - 1))
                    if keys[slot] != key or values[slot] < 0:
                        keys[slot] = key
                        values[slot] = np.int32(_sha256_bucket(buffer, a, b, m, schedule))
                    out[at] = values[slot]
                else:
                    out[at] = np.int32(_murmur3_bucket(buffer, a, b, m))
                at += 1
        first = ends[p]
    return out, offsets


@njit(nogil=True, cache=True, inline="always")
def _turned(x, r):  # type: ignore[no-untyped-def]
    """A 32-bit word turned to the left."""
    return ((x << np.uint64(r)) | (x >> np.uint64(32 - r))) & _MASK


@njit(nogil=True, cache=True, inline="always")
def _scrambled(word):  # type: ignore[no-untyped-def]
    word = (word * np.uint64(0xCC9E2D51)) & _MASK
    return (_turned(word, 15) * np.uint64(0x1B873593)) & _MASK


@njit(nogil=True, cache=True)
def _murmur3_bucket(data, a, b, m):  # type: ignore[no-untyped-def]
    """|signed MurmurHash3 (x86, 32 bits, seed 0)| mod m, as scikit-learn's HashingVectorizer has it."""
    h = np.uint64(0)
    length = np.uint64(b - a)
    while b - a >= 4:
        h = (_turned(h ^ _scrambled(load32(data, a)), 13) * np.uint64(5) + np.uint64(0xE6546B64)) & _MASK
        a += 4
    if a < b:
        word = np.uint64(0)
        for i in range(b - 1, a - 1, -1):
            word = (word << np.uint64(8)) | np.uint64(data[i])
        h ^= _scrambled(word)
    h ^= length
    h = ((h ^ (h >> np.uint64(16))) * np.uint64(0x85EBCA6B)) & _MASK
    h = ((h ^ (h >> np.uint64(13))) * np.uint64(0xC2B2AE35)) & _MASK
    h ^= h >> np.uint64(16)
    return (h if h < np.uint64(1 << 31) else np.uint64(1 << 32) - h) % m


@njit(nogil=True, cache=True, inline="always")
def _right(x, r):  # type: ignore[no-untyped-def]
    return ((x >> np.uint64(r)) | (x << np.uint64(32 - r))) & _MASK


@njit(nogil=True, cache=True)
def _sha256_bucket(data, a, b, m, w):  # type: ignore[no-untyped-def]
    """SHA-256 of ``data[a:b]``, read as one number of 256 bits, mod m."""
    state = _START.copy()
    length = b - a
    for block in range((length + 8) // 64 + 1):
        for t in range(16):
            word = np.uint64(0)
            for i in range(4):
                at = block * 64 + t * 4 + i
                byte = np.uint64(data[a + at]) if at < length else np.uint64(128 if at == length else 0)
                word = (word << np.uint64(8)) | byte
            w[t] = word
        if block == (length + 8) // 64:
            w[14] = np.uint64(length) >> np.uint64(29)
            w[15] = (np.uint64(length) << np.uint64(3)) & _MASK
        for t in range(16, 64):
            x, y = w[t - 15], w[t - 2]
            s0 = _right(x, 7) ^ _right(x, 18) ^ (x >> np.uint64(3))
            s1 = _right(y, 17) ^ _right(y, 19) ^ (y >> np.uint64(10))
            w[t] = (w[t - 16] + s0 + w[t - 7] + s1) & _MASK
        a0, b0, c0, d0, e0, f0, g0, h0 = state
        for t in range(64):
            s1 = _right(e0, 6) ^ _right(e0, 11) ^ _right(e0, 25)
            choose = (e0 & f0) ^ ((e0 ^ _MASK) & g0)
            one = (h0 + s1 + choose + _ROUNDS[t] + w[t]) & _MASK
            s0 = _right(a0, 2) ^ _right(a0, 13) ^ _right(a0, 22)
            two = s0 + ((a0 & b0) ^ (a0 & c0) ^ (b0 & c0))
            h0, g0, f0, e0 = g0, f0, e0, (d0 + one) & _MASK
            d0, c0, b0, a0 = c0, b0, a0, (one + two) & _MASK
        for i, word in enumerate((a0, b0, c0, d0, e0, f0, g0, h0)):
            state[i] = (state[i] + word) & _MASK
    rest = np.uint64(0)
    for i in range(8):
        rest = ((rest << np.uint64(32)) | state[i]) % m
    return rest


@njit(nogil=True, cache=True)
def count_quality(buffer, begins, wordy, ends, stop_words):  # type: ignore[no-untyped-def]
    """Whether the shares of the tokens of each piece are those of prose."""
    good = np.zeros(len(ends), np.bool_)
    identity = np.empty(QUALITY_WORDS[1], np.uint64)
    first = 0
    for p in range(len(ends)):
        here = ends[p] - first
        if QUALITY_WORDS[0] < here < QUALITY_WORDS[1]:
            informative = digits = 0
            for i in range(here):
                a, b = begins[first + i], begins[first + i + 1] - 1
                identity[i] = hash_bytes(buffer, a, b)
                slot = np.searchsorted(stop_words, identity[i])
                stop = slot < len(stop_words) and stop_words[slot] == identity[i]
                informative += wordy[first + i] and not stop
                digits += b - a == 1 and 48 <= buffer[a] <= 57
            ordered = np.sort(identity[:here])
            most = run = 1
            for i in range(1, here):
                run = run + 1 if ordered[i] == ordered[i - 1] else 1
                most = max(most, run)
            repeated, share = most / here, informative / here
            good[p] = (
                QUALITY_REPEATED[0] < repeated < QUALITY_REPEATED[1]
                and QUALITY_INFORMATIVE[0] < share < QUALITY_INFORMATIVE[1]
                and 1 - digits / here > QUALITY_NO_DIGIT
            )
        first = ends[p]
    return good


@njit(nogil=True, cache=True)
def add_counts(buckets, offsets, group, counts):  # type: ignore[no-untyped-def]
    """Count the buckets of each piece into the row of its group."""
    for p in range(len(group)):
        for i in range(offsets[p], offsets[p + 1]):
            counts[group[p], buckets[i]] += 1


@njit(nogil=True, cache=True)
def sum_ratios(buckets, offsets, ratios, row):  # type: ignore[no-untyped-def]
    """Of each piece, the sum of ``ratios[row[p], bucket]``."""
    out = np.empty(len(offsets) - 1)
    for p in range(len(out)):
        total = 0.0
        for i in range(offsets[p], offsets[p + 1]):
            total += ratios[row[p], buckets[i]]
        out[p] = total
    return out
