"""Passes over a pool of texts: which rows are counted and weighed, whatever the slices and parts they come in."""

import numpy as np
import pytest

from salience.instances.dsir.ngrams import Features, bucket, mixed, ngrams_of, pieces_of
from salience.instances.dsir.passes import (
    CountPass,
    KeptPass,
    Tally,
    WeightPass,
    halves,
    in_one,
    joined,
    levels,
    over,
)
from salience.instances.dsir.pools import TextPool

M = 97
WORDS = ["apple", "pear", "tree", "juice", "stock", "bond", "rate"]
ROWS = 1500  # more than are read at once


@pytest.fixture(scope="module")
def documents():
    rng = np.random.default_rng(0)
    return [" ".join(rng.choice(WORDS, rng.integers(0, 13))) for _ in range(ROWS)]


@pytest.fixture(params=["whole", "sliced"])
def slices(request, monkeypatch):
    """A slice of 300 bytes holds some ten documents."""
    if request.param == "sliced":
        monkeypatch.setattr("salience.instances.dsir.ngrams._SLICE_BYTES", 300)


FEATURES = Features(2, M, "murmur3", 5)


def by_hand(documents):
    """Counts of each piece, and its document."""
    pieces = [(row, piece) for row, text in enumerate(documents) for piece in pieces_of(text, 5)]
    Z = np.zeros((len(pieces), M), dtype=np.int64)
    for place, (_, piece) in enumerate(pieces):
        for gram in ngrams_of(piece, 2):
            Z[place, bucket(gram, M, "murmur3")] += 1
    return Z, np.array([row for row, _ in pieces])


def folded(counting, merge):
    parts = counting.pool.parts()
    return over(counting, parts, merge, threads=2, client=None, done=lambda rows: None)


def test_a_level_has_half_of_the_rows_that_are_left():
    assert levels(np.array([1, 3, 2, 12, 1 << 14, 1 << 15, 1 << 40], np.uint64)).tolist() == [
        0,
        0,
        1,
        2,
        14,
        15,
        15,
    ]
    share = np.bincount(levels(mixed(0, np.arange(100_000)))) / 100_000
    assert share[:4] == pytest.approx([0.5, 0.25, 0.125, 0.0625], abs=0.01)


def test_random_bits_are_no_pattern_of_the_number_of_the_row():
    rows = np.arange(20_000)
    for seed in (0, 1):
        bits = (mixed(seed, rows)[:, None] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)
        assert np.abs(bits.mean(axis=0) - 0.5).max() < 0.02
        assert np.abs(np.corrcoef(bits[:-1].T, bits[1:].T)[:64, 64:]).max() < 0.05


@pytest.mark.usefixtures("slices")
def test_every_row_is_counted_in_its_half(documents):
    Z, document = by_hand(documents)
    found = folded(CountPass(TextPool(documents, "raw"), FEATURES, 3, 2, halves), Tally.merge)
    half = halves(mixed(3, np.arange(ROWS)))[document]
    assert 0.4 < half.mean() < 0.6
    np.testing.assert_array_equal(found.counts, [Z[half == 0].sum(axis=0), Z[half == 1].sum(axis=0)])


@pytest.mark.usefixtures("slices")
@pytest.mark.parametrize("budget", [None, 5000, 10**9])
def test_over_budget_the_rows_of_the_lowest_levels_are_left_out(documents, budget):
    Z, document = by_hand(documents)
    found = folded(CountPass(TextPool(documents, "raw"), FEATURES, 3, 16, levels, budget), Tally.merge)
    level = levels(mixed(3, np.arange(ROWS)))[document]
    sizes = [Z[level >= least].sum() for least in range(16)]
    least = next(place for place, size in enumerate(sizes) if not budget or size <= budget)
    assert (found.level, least > 0) == (least, budget == 5000)
    np.testing.assert_array_equal(found.counts.sum(axis=0), Z[level >= least].sum(axis=0))


def test_a_budget_that_is_just_kept_leaves_nothing_out():
    tally = Tally(np.array([[3, 1], [1, 0]] + [[0, 0]] * 14), 0, 5)
    tally.settle()
    assert tally.level == 0
    both = tally.merge(Tally(np.array([[0, 0], [1, 0]] + [[0, 0]] * 14), 0, 5))
    assert (both.level, both.counts.sum()) == (1, 2)
    assert (tally.level, tally.counts.sum()) == (0, 5)  # a cluster may merge it again


def test_the_fingerprint_of_a_pool_is_that_of_all_rows(documents):
    def of(texts, budget=None):
        return folded(
            CountPass(TextPool(texts, "raw"), FEATURES, 0, 16, levels, budget), Tally.merge
        ).checksum

    whole = of(documents)
    assert whole == of(documents, 1000) == of(documents[::-1])
    assert whole != of(documents[1:])
    parts = [Tally(np.zeros((1, 1), np.int64), checksum=some) for some in (2**64 - 1, 5)]
    assert parts[0].merge(parts[1]).checksum == 4


@pytest.mark.usefixtures("slices")
def test_only_pieces_that_are_kept_are_counted(documents):
    Z, document = by_hand(documents)
    kept = np.random.default_rng(1).random(len(Z)) < 0.2
    kept[: len(Z) // 3] = False
    kept[-1] = True
    first = np.searchsorted(document, np.arange(ROWS + 1))
    found = folded(KeptPass(TextPool(documents, "raw"), FEATURES, kept, first), np.add)
    np.testing.assert_array_equal(found, Z[kept].sum(axis=0))


@pytest.mark.usefixtures("slices")
def test_every_piece_is_weighed_by_every_target(documents):
    Z, document = by_hand(documents)
    rng = np.random.default_rng(2)
    ratios, null = rng.normal(size=(2, M)), rng.normal(size=(2, M))
    found = in_one(folded(WeightPass(TextPool(documents, "raw"), FEATURES, ratios, null), joined))
    np.testing.assert_allclose(found.log_weights, Z @ ratios.T, atol=1e-9)
    np.testing.assert_allclose(found.null, Z @ null.T, atol=1e-4)
    assert found.n_grams.tolist() == Z.sum(axis=1).tolist()
    assert found.pieces.tolist() == np.bincount(document).tolist()


@pytest.mark.usefixtures("slices")
def test_a_row_is_weighed_by_the_half_that_it_was_not_counted_in(documents):
    Z, document = by_hand(documents)
    ratios = np.random.default_rng(2).normal(size=(2, M))
    crossed = WeightPass(TextPool(documents, "raw"), FEATURES, ratios, ratios[:0], seed=3, crossed=True)
    found = in_one(folded(crossed, joined))
    other = 1 - halves(mixed(3, np.arange(ROWS)))[document]
    np.testing.assert_allclose(found.log_weights[:, 0], (Z * ratios[other]).sum(axis=1), atol=1e-9)
    assert found.null.shape == (len(Z), 0)


def test_parts_come_back_in_the_order_of_their_rows():
    def weighed(first):
        weights = np.full((2, 1), float(first))
        return WeightPass(TextPool(["a b", "c d"], "raw"), FEATURES, np.ones((1, M)), np.ones((1, M)))(
            TextPool(["a b", "c d"], "raw").parts()
        )[0]._replace(first=first, log_weights=weights)

    assert in_one(joined([weighed(4)], [weighed(0), weighed(2)])).log_weights.ravel().tolist() == [
        0,
        0,
        2,
        2,
        4,
        4,
    ]
