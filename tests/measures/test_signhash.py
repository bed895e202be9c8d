"""Sign hashing: the bits of random hyperplanes, and what they say about angles."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from salience.measures.signhash import SignHash, angle_from_bits, differing_bits


def pair_at(angle, d=20, seed=0):
    """Two vectors of different lengths at this angle."""
    first, second = np.linalg.qr(np.random.default_rng(seed).normal(size=(d, 2)))[0].T
    return np.array([3.0 * first, 0.2 * (np.cos(angle) * first + np.sin(angle) * second)])


@pytest.mark.parametrize("share", [0.0, 0.1, 0.25, 0.5, 0.8, 1.0])
def test_two_vectors_agree_in_a_bit_with_probability_one_minus_their_angle_over_pi(share):
    bits = SignHash.gaussian(20, 10_000, 1).bits(pair_at(share * np.pi))
    assert (bits[0] == bits[1]).mean() == pytest.approx(1 - share, abs=0.02)


def test_differing_bits_estimate_the_angle():
    hash = SignHash.gaussian(20, 10_000, 1)
    codes = hash.packed(pair_at(1.0))
    assert angle_from_bits(differing_bits(codes[0], codes[1]), 10_000) == pytest.approx(1.0, abs=0.06)


@given(st.integers(1, 62), st.integers(0, 30), st.integers(0, 2**32 - 1))
def test_bits_buckets_and_packed_codes_say_the_same(bits, rows, seed):
    X = np.random.default_rng(seed).normal(size=(rows, 5))
    hash = SignHash.gaussian(5, bits, seed)
    sides = hash.bits(X)
    assert hash.buckets(X).tolist() == [sum(int(bit) << b for b, bit in enumerate(row)) for row in sides]
    packed = hash.packed(X)
    np.testing.assert_array_equal(np.unpackbits(packed, axis=1, count=bits, bitorder="little"), sides)
    if rows:
        np.testing.assert_array_equal(differing_bits(packed, packed[0]), (sides != sides[0]).sum(1))


def test_blocks_change_nothing(monkeypatch):
    X = np.random.default_rng(0).normal(size=(50, 3))
    hash = SignHash.gaussian(3, 16, 0)
    whole = hash.bits(X), hash.buckets(X), hash.packed(X)
    monkeypatch.setattr("salience.measures.signhash.BLOCK", 40)
    for before, now in zip(whole, (hash.bits(X), hash.buckets(X), hash.packed(X)), strict=True):
        np.testing.assert_array_equal(before, now)


def test_length_plays_no_part():
    X = np.random.default_rng(0).normal(size=(30, 4))
    hash = SignHash.gaussian(4, 20, 0)
    np.testing.assert_array_equal(hash.buckets(X), hash.buckets(X * np.linspace(0.1, 9, 30)[:, None]))


def test_the_seed_decides_the_planes():
    first, again, other = (SignHash.gaussian(4, 6, seed).planes for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_a_hash_of_some_columns_does_not_see_the_others():
    X = np.random.default_rng(0).normal(size=(30, 4))
    hash = SignHash.gaussian(4, 8, 0, columns=[1, 3])
    other = X.copy()
    other[:, [0, 2]] = 100.0
    np.testing.assert_array_equal(hash.bits(X), hash.bits(other))


def test_no_rows_give_no_codes():
    hash = SignHash.gaussian(3, 9, 0)
    assert hash.bits(np.empty((0, 3))).shape == (0, 9)
    assert hash.buckets(np.empty((0, 3))).shape == (0,)
    assert hash.packed(np.empty((0, 3))).shape == (0, 2)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: SignHash.gaussian(3, 63, 0).buckets(np.ones((1, 3))), "room for 62"),
        (lambda: SignHash.gaussian(0, 8), "n_features=0"),
        (lambda: SignHash.gaussian(3, 0), "bits=0"),
        (lambda: SignHash.gaussian(3, 2, columns=[]), "columns is empty"),
        (lambda: SignHash(np.ones(3)), r"\(bits, d\)"),
        (lambda: SignHash(np.full((1, 2), np.nan)), "finite"),
        (lambda: SignHash(np.ones((1, 2))).bits(np.ones((2, 3))), r"\(n, 2\)"),
        (lambda: SignHash(np.ones((1, 2))).bits(np.ones(2)), r"\(n, 2\)"),
        (lambda: SignHash(np.ones((1, 2))).bits([["a", "b"]]), "real numbers"),
        (lambda: SignHash(np.ones((1, 2))).bits([[1.0, np.inf]]), "no side of a plane"),
        (lambda: differing_bits(np.ones(3), np.ones(3)), "uint8"),
        (lambda: differing_bits(np.ones(3, np.uint8), np.ones(2, np.uint8)), "equal length"),
    ],
)
def test_bad_input_is_refused(call, said):
    with pytest.raises(ValueError, match=said):
        call()
