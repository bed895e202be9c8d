"""Neighbours of rows among themselves: equal to those of the plain search, ties and all."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salience.measures import mutual
from salience.measures.mutual import mutual_distances, mutual_fits, mutual_neighbors
from salience.measures.neighbors import nearest
from salience.measures.vectors import VectorError


@pytest.fixture
def small(monkeypatch):
    """Blocks and samples so small that a few hundred rows fill many."""
    monkeypatch.setattr(mutual, "SAMPLE", 24)
    monkeypatch.setattr(mutual, "BLOCK", 32)


def by_definition(rows, k):
    """In float64, ties by the lower row."""
    exact = np.asarray(rows, dtype=np.float32).astype(np.float64)
    far = ((exact[:, None] - exact[None]) ** 2).sum(axis=2)
    np.fill_diagonal(far, np.inf)
    return np.argsort(far, axis=1, kind="stable")[:, :k]


def same(rows, k):
    indices, distances = nearest(rows, None, k)
    found, unordered = mutual_neighbors(rows, k), mutual_distances(rows, k)
    pairs = [(found[0], indices), (found[1], distances), (np.sort(unordered, axis=1), distances)]
    return all(np.array_equal(a, b) for a, b in [*pairs, (unordered[:, -1], distances[:, -1])])


@settings(max_examples=40, deadline=None)
@given(n=st.integers(48, 300), d=st.integers(1, 6), high=st.integers(2, 40), seed=st.integers(0, 10**6))
def test_equals_the_definition_with_ties(n, d, high, seed):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mutual, "SAMPLE", 24)
        patch.setattr(mutual, "BLOCK", 32)
        rng = np.random.default_rng(seed)
        rows, k = rng.integers(0, high, (n, d)).astype(float), int(rng.integers(1, n // 3))
        assert (mutual_neighbors(rows, k)[0] == by_definition(rows, k)).all()


@pytest.mark.parametrize("k", [1, 10, 100, 700])
def test_equals_the_plain_search(k):
    rows = np.random.default_rng(k).normal(size=(2500, 17)).astype(np.float32)
    assert mutual_fits(rows, k, 2**28)
    assert same(rows, k)


def test_thousands_of_copies_and_rows_in_the_order_of_their_clusters():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(3000, 8)) + np.repeat(np.arange(30), 100)[:, None] * 50
    rows[400:2400] = rows[7]
    rows[2500:2520] = rows[2499]
    assert same(rows.astype(np.float32), 60)


def test_rows_far_from_the_origin():
    rows = 1000.0 + np.random.default_rng(1).normal(size=(1200, 16))
    assert same(rows, 20)
    rows[5] *= 1e6  # one giant row blinds none of the others
    assert same(rows, 20)


def test_a_guess_that_was_too_high_is_found_out(small, monkeypatch):
    rows = np.random.default_rng(2).normal(size=(400, 5))
    again = []
    monkeypatch.setattr(mutual, "CAUTION", -3.0)
    monkeypatch.setattr(mutual, "nearest", lambda *given: again.append(len(given[1])) or nearest(*given))
    assert same(rows, 20)
    assert again[0] > 20
    # unless one does not look
    monkeypatch.setattr(mutual, "floors_of", lambda kinds, keys, *_: np.full(keys.shape[:2], np.inf))
    assert not same(rows, 20)


def test_a_bound_that_is_too_narrow_would_be_seen(monkeypatch):
    rows = 1000.0 + np.random.default_rng(14).normal(size=(1500, 16))
    monkeypatch.setattr(mutual.Block, "slack", lambda self, kinds, norms: np.zeros((len(norms), 1)))
    found = mutual_neighbors(rows, 10)[0]
    monkeypatch.undo()
    assert (found != nearest(rows, None, 10)[0]).any()


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_number_of_threads_changes_nothing(small, monkeypatch, threads):
    rows = np.random.default_rng(3).normal(size=(500, 4)).round(1)
    monkeypatch.setattr(mutual, "blas_threads", lambda: threads)
    assert same(rows, 12)


@pytest.mark.parametrize("threads", [1, 2, 64])
def test_every_pair_of_blocks_meets_once_and_no_block_twice_in_a_round(threads):
    blocks = mutual._blocks(10_007, threads)
    assert (blocks[0].start, blocks[-1].stop) == (0, 10_007)
    assert 250 < blocks[0].stop <= 1024  # many threads do not make them tiny
    met = []
    for pairs in mutual._rounds(blocks):
        inside = [
            block.start for one, other in pairs for block in {one.start: one, other.start: other}.values()
        ]
        assert len(inside) == len(set(inside))
        met += [frozenset((one.start, other.start)) for one, other in pairs]
    assert len(met) == len(set(met)) == len(blocks) * (len(blocks) + 1) // 2


def test_too_little_memory_or_too_few_rows_go_the_plain_way():
    rows = np.random.default_rng(4).normal(size=(1500, 6)).astype(np.float32)
    assert mutual_fits(rows, 10, 2**28)
    assert not mutual_fits(rows, 10, 2**16)
    assert not mutual_fits(rows[:100], 10, 2**28)
    assert not mutual_fits(rows, 1490, 2**28)
    assert np.array_equal(mutual_neighbors(rows, 10)[0], mutual_neighbors(rows, 10, memory=2**16)[0])
    assert same(rows, 1490)


def test_other_types_and_mapped_files(tmp_path):
    rows = np.random.default_rng(5).normal(size=(1300, 6)).astype(np.float16)
    np.save(tmp_path / "rows.npy", rows)
    before = rows.copy()
    assert same(rows, 5)
    assert same(rows.astype(np.float64)[::-1], 5)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    assert np.array_equal(mutual_neighbors(mapped, 5)[0], mutual_neighbors(rows, 5)[0])
    assert np.array_equal(rows, before)


def test_progress_ends_at_all_pairs():
    seen = []
    rows = np.random.default_rng(6).normal(size=(1500, 3))
    mutual_neighbors(rows, 3, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (1500**2, 1500**2)
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})


@pytest.mark.parametrize(
    ("spoil", "k", "words"),
    [
        (lambda rows: rows.__setitem__((3, 1), np.nan), 5, "row 3 of base holds NaN"),
        (lambda rows: rows.__setitem__((3, 1), 1e30), 5, "too long"),
        (lambda rows: None, 1500, "not its own neighbour"),
        (lambda rows: None, 0, "from 1 to 1499"),
    ],
)
def test_what_cannot_be_searched_is_refused(spoil, k, words):
    rows = np.random.default_rng(7).normal(size=(1500, 3))
    spoil(rows)
    with pytest.raises(VectorError, match=words):
        mutual_neighbors(rows, k)
