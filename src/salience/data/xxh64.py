"""The kernels of :mod:`salience.data.hashing`: xxh64 of the values of whole columns, without the GIL.

They write into ``out: uint64 (n,)``. ``bitmap`` is an Arrow validity bitmap (empty: nothing is null) whose
bit ``first`` belongs to row 0; ``missing: uint64 (k,)`` holds the identities that mean "no value".
"""

import numpy as np
from numba import njit

from salience.data.parsing import BIG, INT, LONG, NULL, REAL, classify_float
from salience.data.words import load32, load64

P1 = np.uint64(0x9E3779B185EBCA87)
P2 = np.uint64(0xC2B2AE3D27D4EB4F)
P3 = np.uint64(0x165667B19E3779F9)
P4 = np.uint64(0x85EBCA77C2B2AE63)
P5 = np.uint64(0x27D4EB2F165667C5)

#: Identity of a missing value: xxh64 of no bytes with seed 5, an ordinary point among the identities.
MISSING = np.uint64(0x4BE1D406981CFD3B)


@njit(nogil=True, cache=True, inline="always")
def _rotate(x, r):  # type: ignore[no-untyped-def]
    return (x << np.uint64(r)) | (x >> np.uint64(64 - r))


@njit(nogil=True, cache=True, inline="always")
def _round(lane, word):  # type: ignore[no-untyped-def]
    return _rotate(lane + word * P2, 31) * P1


@njit(nogil=True, cache=True, inline="always")
def _avalanche(h):  # type: ignore[no-untyped-def]
    h = (h ^ (h >> np.uint64(33))) * P2
    h = (h ^ (h >> np.uint64(29))) * P3
    return h ^ (h >> np.uint64(32))


@njit(nogil=True, cache=True, inline="always")
def _eat(h, word):  # type: ignore[no-untyped-def]
    return _rotate(h ^ _round(np.uint64(0), word), 27) * P1 + P4


@njit(nogil=True, cache=True, inline="always")
def hash_word(word, seed):  # type: ignore[no-untyped-def]
    """xxh64 of the eight little-endian bytes of a uint64."""
    return _avalanche(_eat(np.uint64(seed) + P5 + np.uint64(8), word))


@njit(nogil=True, cache=True)
def hash_bytes(data, a, b):  # type: ignore[no-untyped-def]
    """xxh64 (seed 0) of ``data[a:b]``."""
    length = b - a
    if length >= 32:
        v1, v2, v3, v4 = P1 + P2, P2, np.uint64(0), np.uint64(0) - P1
        while b - a >= 32:
            v1 = _round(v1, load64(data, a))
            v2 = _round(v2, load64(data, a + 8))
            v3 = _round(v3, load64(data, a + 16))
            v4 = _round(v4, load64(data, a + 24))
            a += 32
        h = _rotate(v1, 1) + _rotate(v2, 7) + _rotate(v3, 12) + _rotate(v4, 18)
        for v in (v1, v2, v3, v4):
            h = (h ^ _round(np.uint64(0), v)) * P1 + P4
    else:
        h = P5
    h += np.uint64(length)
    while b - a >= 8:
        h = _eat(h, load64(data, a))
        a += 8
    if b - a >= 4:
        h = _rotate(h ^ (load32(data, a) * P1), 23) * P2 + P3
        a += 4
    while a < b:
        h = _rotate(h ^ (np.uint64(data[a]) * P5), 11) * P1
        a += 1
    return _avalanche(h)


@njit(nogil=True, cache=True, inline="always")
def _unless(h, missing):  # type: ignore[no-untyped-def]
    for m in missing:
        if h == m:
            return MISSING
    return h


@njit(nogil=True, cache=True, inline="always")
def _valid(bitmap, i):  # type: ignore[no-untyped-def]
    return (bitmap[i >> 3] >> (i & 7)) & 1


@njit(nogil=True, cache=True)
def hash_text(data, offsets, bitmap, first, missing, out):  # type: ignore[no-untyped-def]
    for i in range(len(out)):
        if len(bitmap) and not _valid(bitmap, first + i):
            out[i] = MISSING
        else:
            out[i] = _unless(hash_bytes(data, np.int64(offsets[i]), np.int64(offsets[i + 1])), missing)


@njit(nogil=True, cache=True)
def hash_integers(values, bitmap, first, missing, out):  # type: ignore[no-untyped-def]
    """`values` are uint64 bits of int64 numbers."""
    for i in range(len(out)):
        out[i] = hash_word(values[i], 1)
    _mask(bitmap, first, missing, out)


@njit(nogil=True, cache=True)
def hash_unsigned(values, bitmap, first, missing, out):  # type: ignore[no-untyped-def]
    for i in range(len(out)):
        out[i] = hash_word(values[i], 3 if values[i] >> np.uint64(63) else 1)
    _mask(bitmap, first, missing, out)


@njit(nogil=True, cache=True)
def hash_floats(values, bitmap, first, missing, out):  # type: ignore[no-untyped-def]
    for i in range(len(out)):
        if np.isnan(values[i]):
            out[i] = MISSING
        else:
            kind, bits = classify_float(values[i])
            out[i] = hash_word(bits, 1 if kind == INT else (2 if kind == REAL else 3))
    _mask(bitmap, first, missing, out)


@njit(nogil=True, cache=True)
def _mask(bitmap, first, missing, out):  # type: ignore[no-untyped-def]
    if len(bitmap):
        for i in range(len(out)):
            if not _valid(bitmap, first + i):
                out[i] = MISSING
    if len(missing):
        for i in range(len(out)):
            out[i] = _unless(out[i], missing)


@njit(nogil=True, cache=True)
def hash_parsed(classes, bits, data, offsets, missing, out):  # type: ignore[no-untyped-def]
    for i in range(len(out)):
        kind = classes[i]
        if kind == NULL:
            out[i] = MISSING
        elif kind == INT:
            out[i] = hash_word(bits[i], 1)
        elif kind == REAL:
            nan = (bits[i] & np.uint64(0x7FFFFFFFFFFFFFFF)) > np.uint64(0x7FF0000000000000)
            out[i] = MISSING if nan else hash_word(bits[i], 2)
        elif kind == BIG:
            out[i] = hash_word(bits[i], 3)
        else:
            out[i] = hash_bytes(data, np.int64(offsets[i]), np.int64(offsets[i + 1]))
        out[i] = _unless(out[i], missing)


@njit(nogil=True, cache=True)
def numbers_parsed(classes, bits):  # type: ignore[no-untyped-def]
    out = np.full(len(classes), np.nan)
    for i in range(len(classes)):
        kind = classes[i]
        if kind == INT:
            out[i] = np.float64(np.int64(bits[i]))
        elif kind == BIG:
            out[i] = np.float64(bits[i])
        elif kind in (REAL, LONG):
            out[i] = np.uint64(bits[i]).view(np.float64)
    return out


@njit(nogil=True, cache=True)
def combine_words(first, second, out):  # type: ignore[no-untyped-def]
    for i in range(len(out)):
        a, b = first[i], second[i]
        if a == MISSING and b == MISSING:
            out[i] = MISSING
        else:
            out[i] = _avalanche(_eat(_eat(np.uint64(4) + P5 + np.uint64(16), a), b))


@njit(nogil=True, cache=True)
def fold_lists(elements, offsets, bitmap, first, out):  # type: ignore[no-untyped-def]
    for i in range(len(out)):
        h = MISSING
        if not len(bitmap) or _valid(bitmap, first + i):
            for j in range(offsets[i], offsets[i + 1]):
                h = _avalanche(_eat(_eat(np.uint64(4) + P5 + np.uint64(16), h), elements[j]))
        out[i] = h
