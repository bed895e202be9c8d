"""The open-addressing kernels under `salience.measures.counting`.

A table is three arrays: ``keys`` uint64 ``(slots + 1,)``, ``counts`` int32 or int64 ``(slots + 1, classes)`` and
``state`` int64 ``(3,)``. ``slots`` is a power of two; an empty slot holds key 0, so the identity 0 lives
apart, in the last row, whose key is then 1. No kernel allocates a table or decides about its size: a kernel
that cannot go on returns the position where it stopped together with the reason, and `CountTable` makes room
and calls again.
"""

from __future__ import annotations

import numpy as np
from numba import njit

USED, LIGHT, CHECKSUM = 0, 1, 2
"""Positions in ``state``: slots in use, of which sampled (not heavy) values, wrapping sum of the identities
of all rows."""

SKIP, FULL, OVER = -1, -2, -3
"""Answers of `locate` that are no slot: above the threshold; no room left; one sampled value too many."""

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_ZERO = np.uint64(0)
_ONE = np.uint64(1)
_UNRESOLVED = -9
_ALL = np.uint64(2**64 - 1)  # the threshold while every value is kept
_AHEAD = 64


def sieve_of(heavy: np.ndarray) -> np.ndarray:
    """Build a bit map over the low bits of the heavy identities: most other identities miss it.

    Parameters
    ----------
    heavy : ndarray of uint64, shape (h,)

    Returns
    -------
    ndarray of uint8, shape (size,)
        ``size`` is a power of two; entry ``identity % size`` is 1 for every heavy identity.

    Examples
    --------
    >>> int(sieve_of(np.array([7], dtype=np.uint64))[7])
    1
    """
    size = 1 << max(8, int(32 * max(len(heavy), 1) - 1).bit_length())
    sieve = np.zeros(size, dtype=np.uint8)
    sieve[(heavy & np.uint64(size - 1)).astype(np.int64)] = 1
    return sieve


@njit(nogil=True, cache=True, inline="always")
def find(identity, keys, shift):  # type: ignore[no-untyped-def]
    """Return the slot of an identity, or the free slot that it would take."""
    last = keys.size - 1
    slot = last
    if identity != _ZERO:
        slot = np.int64((identity * _GOLDEN) >> shift)
        while keys[slot] != identity and keys[slot] != _ZERO:
            slot = (slot + 1) & (last - 1)
    return slot


@njit(nogil=True, cache=True)
def locate(identity, keys, shift, limit, heavy, sieve, cap, room, state):  # type: ignore[no-untyped-def]
    """Return the slot of an identity, taking a free one when it is new, or `SKIP`, `FULL` or `OVER`."""
    may_be_heavy = sieve[identity & np.uint64(sieve.size - 1)] != 0
    if identity > limit and not may_be_heavy:
        return SKIP
    slot = find(identity, keys, shift)
    if keys[slot] != _ZERO:
        return slot
    is_heavy = False
    if may_be_heavy:
        at = np.searchsorted(heavy, identity)
        is_heavy = at < heavy.size and heavy[at] == identity
    if not is_heavy:
        if identity > limit:
            return SKIP
        if state[LIGHT] >= cap:
            return OVER
    if state[USED] >= room:
        return FULL
    state[USED] += 1
    if not is_heavy:
        state[LIGHT] += 1
    keys[slot] = identity if identity != _ZERO else _ONE
    return slot


@njit(nogil=True, cache=True)
def add_hashes(  # type: ignore[no-untyped-def]
    hashes, labels, start, keys, counts, shift, limit, heavy, sieve, cap, room, state
):
    """Count rows given by identity; return ``(row, reason)`` where it stopped, ``(n, 0)`` when done."""
    if limit == _ALL:
        return _add_ahead(hashes, labels, start, keys, counts, shift, limit, heavy, sieve, cap, room, state)
    checksum = np.int64(0)
    low_bits = np.uint64(sieve.size - 1)
    for row in range(start, hashes.size):
        label = labels[row]
        if label < 0:
            continue
        identity = hashes[row]
        if identity > limit and sieve[identity & low_bits] == 0:
            checksum += np.int64(identity)
            continue
        # the common case here, in line: a call with eight arrays costs ten times a probe
        slot = find(identity, keys, shift)
        if keys[slot] == _ZERO:
            slot = locate(identity, keys, shift, limit, heavy, sieve, cap, room, state)
            if slot < SKIP:
                state[CHECKSUM] += checksum
                return row, slot
        checksum += np.int64(identity)
        if slot >= 0:
            counts[slot, label] += 1
    state[CHECKSUM] += checksum
    return hashes.size, 0


@njit(nogil=True, cache=True)
def _add_ahead(  # type: ignore[no-untyped-def]
    hashes, labels, start, keys, counts, shift, limit, heavy, sieve, cap, room, state
):
    """`add_hashes` while every value is kept: the first probes of many rows wait for memory together."""
    checksum = np.int64(0)
    low_bits = np.uint64(sieve.size - 1)
    slots = np.empty(_AHEAD, np.int64)
    firsts = np.empty(_AHEAD, np.uint64)
    for begin in range(start, hashes.size, _AHEAD):
        size = min(_AHEAD, hashes.size - begin)
        for i in range(size):
            slot = np.int64((hashes[begin + i] * _GOLDEN) >> shift)
            slots[i] = slot
            firsts[i] = keys[slot]
        for i in range(size):
            row = begin + i
            label = labels[row]
            if label < 0:
                continue
            identity = hashes[row]
            slot = slots[i]
            if firsts[i] != identity or identity == _ZERO:
                slot = find(identity, keys, shift)
                if keys[slot] == _ZERO:
                    easy = sieve[identity & low_bits] == 0 and identity != _ZERO
                    if easy and state[LIGHT] < cap and state[USED] < room:  # as `locate` would
                        keys[slot] = identity
                        state[USED] += 1
                        state[LIGHT] += 1
                    else:
                        slot = locate(identity, keys, shift, limit, heavy, sieve, cap, room, state)
                        if slot < SKIP:
                            state[CHECKSUM] += checksum
                            return row, slot
            checksum += np.int64(identity)
            counts[slot, label] += 1
    state[CHECKSUM] += checksum
    return hashes.size, 0


@njit(nogil=True, cache=True)
def add_codes(  # type: ignore[no-untyped-def]
    codes, hashes, labels, start, keys, counts, shift, limit, heavy, sieve, cap, room, state
):
    """As `add_hashes` for coded rows: each code is looked up once, at the first labelled row that has it."""
    slot_of = np.full(hashes.size, _UNRESOLVED, dtype=np.int64)
    checksum = np.int64(0)
    for row in range(start, codes.size):
        label = labels[row]
        if label < 0:
            continue
        code = codes[row]
        slot = slot_of[code]
        if slot == _UNRESOLVED:
            slot = locate(hashes[code], keys, shift, limit, heavy, sieve, cap, room, state)
            if slot < SKIP:
                state[CHECKSUM] += checksum
                return row, slot
            slot_of[code] = slot
        checksum += np.int64(hashes[code])
        if slot >= 0:
            counts[slot, label] += 1
    state[CHECKSUM] += checksum
    return codes.size, 0


@njit(nogil=True, cache=True)
def class_counts(labels, n_classes):  # type: ignore[no-untyped-def]
    """Rows of each class; rows without a class are left out."""
    found = np.zeros(n_classes + 1, dtype=np.int64)
    for row in range(labels.size):
        found[labels[row] + 1] += 1
    return found[1:]


@njit(nogil=True, cache=True)
def tally(codes, labels, n_codes, n_classes):  # type: ignore[no-untyped-def]
    """Count (code, label) pairs; column 0 of the ``(n_codes, n_classes + 1)`` result holds the unlabelled
    rows."""
    width = n_classes + 1
    local = np.zeros(n_codes * width, dtype=np.int64)
    for row in range(codes.size):
        local[np.int64(codes[row]) * width + labels[row] + 1] += 1
    return local.reshape(n_codes, width)


@njit(nogil=True, cache=True)
def add_counts(identities, rows, start, keys, counts, shift, limit, heavy, sieve, cap, room, state):  # type: ignore[no-untyped-def]
    """Add rows of counts that belong to identities (all-zero rows are no values); return as `add_hashes`."""
    classes = rows.shape[1]
    for i in range(start, identities.size):
        total = np.int64(0)
        for label in range(classes):
            total += rows[i, label]
        if total == 0:
            continue
        slot = locate(identities[i], keys, shift, limit, heavy, sieve, cap, room, state)
        if slot < SKIP:
            return i, slot
        if slot >= 0:
            for label in range(classes):
                counts[slot, label] += rows[i, label]
    return identities.size, 0
