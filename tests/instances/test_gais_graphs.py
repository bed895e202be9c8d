"""Graphs over rows: pieces that keep class shares, pairs that belong together, and no matrix of all pairs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from salience.instances.gais import graphs
from salience.instances.gais.batches import stratified_pieces
from salience.instances.gais.graphs import GRAPHS, GraphOptions, RowGraph
from salience.measures.signhash import SignHash

SMALL = GraphOptions(batch_size=32)


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    codes = np.repeat([0, 1, 2], [60, 30, 10])
    return rng.normal(size=(100, 5)) + 3.0 * np.eye(5)[codes], codes


def built(name, table, seed=0, options=SMALL):
    X, codes = table
    return GRAPHS[name](X, codes, np.random.default_rng(seed), options)


# ---- pieces ---------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 4), min_size=1, max_size=200), st.integers(1, 60), st.integers(0, 99))
def test_pieces_keep_class_shares_and_hold_each_row_once(codes, size, seed):
    codes = np.array(codes)
    pieces = stratified_pieces(np.arange(len(codes)), codes, size, np.random.default_rng(seed))
    assert sorted(np.concatenate(pieces).tolist()) == list(range(len(codes)))
    assert len(pieces) == -(-len(codes) // size)
    counts = np.array([np.bincount(codes[piece], minlength=5) for piece in pieces])
    assert np.ptp(counts, axis=0).max() <= 1
    assert np.ptp(counts.sum(axis=1)) <= 1
    assert counts.sum(axis=1).max() <= size


@pytest.mark.parametrize("name", sorted(GRAPHS))
def test_every_row_is_learned_from_once(name, table):
    graph = built(name, table)
    assert sorted(np.concatenate(graph.pieces).tolist()) == list(range(100))
    assert graph.covered.all()


# ---- edges ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(GRAPHS))
def test_edges_are_sorted_by_receiver_and_listed_once_without_loops(name, table):
    graph = built(name, table)
    assert len(graph.receiver)
    assert (np.diff(graph.receiver) >= 0).all()
    assert (graph.receiver != graph.sender).all()
    assert len(set(zip(graph.receiver.tolist(), graph.sender.tolist(), strict=True))) == len(graph.receiver)
    assert ((graph.weight > 0) & (graph.weight <= 1)).all()
    assert graph.degree().sum() == len(graph.sender)


@pytest.mark.parametrize("name", sorted(GRAPHS))
def test_the_seed_decides_the_graph(name, table):
    first, again = built(name, table), built(name, table)
    np.testing.assert_array_equal(first.sender, again.sender)
    np.testing.assert_array_equal(first.weight, again.weight)
    if name != "knn":
        other = built(name, table, seed=1)
        assert first.sender.tolist() != other.sender.tolist()


def test_minibatch_connects_the_most_similar_tenth_of_the_pairs_of_each_batch(table):
    X, _ = table
    graph = built("minibatch", table)
    edges = set(zip(graph.receiver.tolist(), graph.sender.tolist(), strict=True))
    for rows in graph.pieces:
        D = np.linalg.norm(X[rows][:, None] - X[rows], axis=2)
        inside = [(D[a, b], int(i), int(j)) for a, i in enumerate(rows) for b, j in enumerate(rows) if a < b]
        nearest = sorted(inside)[: round(0.1 * len(inside))]
        assert {(i, j) for _, i, j in nearest} | {(j, i) for _, i, j in nearest} == {
            edge for edge in edges if edge[0] in rows
        }


@pytest.mark.parametrize(("rows", "share", "pairs"), [(3, 0.1, 1), (5, 0.17, 2), (5, 1.0, 10)])
def test_the_share_of_the_pairs_is_rounded_and_one_pair_at_least(rows, share, pairs):
    X = np.array([[0.0], [1.0], [2.1], [3.3], [4.6]])[:rows]
    graph = built("minibatch", (X, np.zeros(rows, int)), options=GraphOptions(edge_share=share))
    assert len(graph.sender) == 2 * pairs
    assert {0, 1} <= set(graph.sender.tolist())


def test_of_equal_rows_all_pairs_tie():
    graph = built("minibatch", (np.ones((6, 2)), np.zeros(6, int)))
    assert graph.degree().tolist() == [5] * 6


def test_the_degree_counts_those_who_look():
    edges = np.array([0, 1]), np.array([2, 2]), np.ones(2)
    assert RowGraph.of([edges], [np.arange(3)], 3).degree().tolist() == [0, 0, 2]


def test_one_outlier_does_not_take_the_edges_from_the_others(table):
    X, codes = table
    far = X.copy()
    far[0] = 1e6  # max D is now that of this row, and all other similarities are nearly 1
    plain, outlying = (built("minibatch", (data, codes)) for data in (X, far))
    assert len(plain.sender) == len(outlying.sender)
    assert outlying.degree()[0] == 0


def test_some_batches_only_cover_their_rows(table):
    graph = built("minibatch", table, options=GraphOptions(batch_size=32, n_batches=2))
    assert len(graph.pieces) == 2
    assert graph.covered.sum() == sum(map(len, graph.pieces)) == 50
    assert not graph.degree()[~graph.covered].any()


def test_lsh_connects_rows_of_one_bucket_the_nearest_first(table):
    X = table[0]
    options = GraphOptions(batch_size=256, bits=3, max_degree=4, min_similarity=0.2)
    graph = built("lsh", table, options=options)
    bucket = SignHash.gaussian(5, 3, np.random.default_rng(0)).buckets(X)
    assert (bucket[graph.receiver] == bucket[graph.sender]).all()
    U = X / np.linalg.norm(X, axis=1, keepdims=True)
    for row in range(100):
        cosine = U @ U[row]
        mates = [j for j in np.flatnonzero(bucket == bucket[row]) if j != row and cosine[j] >= 0.2]
        best = sorted(mates, key=lambda j: -cosine[j])[:4]
        assert set(graph.sender[graph.receiver == row].tolist()) == set(best)


def test_levels_lie_within_each_other_and_their_weights_add_up(table):
    X = table[0]
    options = GraphOptions(batch_size=256, levels=(2, 4, 6), min_similarity=0.1, max_degree=100)
    graph = built("lsh-multilevel", table, options=options)
    bits = SignHash.gaussian(5, 6, np.random.default_rng(0)).bits(X)
    same = [(bits[graph.receiver, :b] == bits[graph.sender, :b]).all(1) for b in (2, 4, 6)]
    weight = (1 * same[0] + 2 * same[1] + 3 * same[2]) / 6
    np.testing.assert_allclose(graph.weight, weight, rtol=1e-6)
    assert set(np.round(graph.weight * 6)) <= {1, 3, 6}
    U = X / np.linalg.norm(X, axis=1, keepdims=True)
    assert (weight * (U[graph.receiver] * U[graph.sender]).sum(1) >= 0.1 - 1e-9).all()


@pytest.mark.parametrize("half", [False, True])
def test_a_pair_of_the_views_collides_in_half_of_them_at_least(table, half):
    options = GraphOptions(batch_size=256, bits=3, views=4, half_columns=half, max_degree=100)
    graph = built("lsh-multiview", table, options=options)
    rng, X = np.random.default_rng(0), table[0]
    views = []
    for _ in range(4):
        columns = rng.permutation(5)[:3] if half else None
        views.append(SignHash.gaussian(5, 3, rng, columns=columns).buckets(X))
    share = np.mean([view[graph.receiver] == view[graph.sender] for view in views], axis=0)
    np.testing.assert_allclose(graph.weight, share)
    assert set(share) == {0.5, 0.75, 1.0}


def test_knn_is_exact(table):
    X, _ = table
    graph = built("knn", table, options=GraphOptions(n_neighbors=3))
    D = np.linalg.norm(X[:, None] - X, axis=2)
    np.fill_diagonal(D, np.inf)
    for row in range(100):
        assert set(graph.sender[graph.receiver == row].tolist()) == set(np.argsort(D[row])[:3].tolist())


def test_more_neighbours_than_rows_are_all_the_others():
    X = np.random.default_rng(0).normal(size=(6, 2))
    graph = built("knn", (X, np.array([0, 1] * 3)), options=GraphOptions(n_neighbors=10))
    assert graph.degree().tolist() == [5] * 6


@pytest.mark.parametrize("name", ["lsh", "lsh-multilevel", "lsh-multiview"])
def test_a_bucket_of_all_rows_is_cut_so_that_pairs_grow_with_the_rows(name, monkeypatch):
    """Equal directions fall into one bucket: without cutting there would be all pairs."""
    sizes = []
    most_alike = graphs._most_alike

    def spy(U, rows, most):
        sizes.append(len(rows))
        return most_alike(U, rows, most)

    monkeypatch.setattr(graphs, "_most_alike", spy)
    X = np.outer(np.linspace(1.0, 2.0, 400), np.ones(3))
    graph = built(name, (X, np.arange(400) % 2), options=GraphOptions(batch_size=16))
    assert max(sizes) == 16
    assert np.bincount(graph.receiver, minlength=400).max() <= 32


@pytest.mark.parametrize("name", ["lsh", "lsh-multilevel", "lsh-multiview"])
def test_hashed_graphs_are_learned_from_along_their_buckets(name):
    """In pieces of four batches; by chance a sixth of the edges would lie inside one."""
    X = np.random.default_rng(0).normal(size=(384, 3))
    options = GraphOptions(batch_size=16, bits=4, levels=(2, 4, 6), max_degree=4)
    graph = built(name, (X, np.arange(384) % 2), options=options)
    assert {len(rows) for rows in graph.pieces} == {64}
    piece = np.empty(384, dtype=int)
    for place, rows in enumerate(graph.pieces):
        piece[rows] = place
    assert (piece[graph.receiver] == piece[graph.sender]).mean() > 0.5


def test_a_coarse_bucket_is_learned_from_in_one_stretch():
    X = np.random.default_rng(0).normal(size=(384, 3))
    graph = built(
        "lsh-multilevel", (X, np.arange(384) % 2), options=GraphOptions(batch_size=16, levels=(2, 4, 6))
    )
    coarse = SignHash.gaussian(3, 6, np.random.default_rng(0)).buckets(X) & 0b11
    along = coarse[np.concatenate(graph.pieces)]
    assert np.count_nonzero(np.diff(along)) == len(np.unique(coarse)) - 1 == 3


@pytest.mark.parametrize("name", ["lsh-multilevel", "lsh-multiview"])
def test_the_strongest_edges_of_a_row_stay(name, table):
    """Of the two most alike in each bucket that a row is in, the two of largest weight times cosine."""
    X = table[0]
    options = GraphOptions(
        batch_size=256, bits=3, views=4, levels=(2, 4, 6), max_degree=2, min_similarity=0.01
    )
    graph = built(name, table, options=options)
    rng = np.random.default_rng(0)
    if name == "lsh-multilevel":
        full = SignHash.gaussian(5, 6, rng).buckets(X)
        hashes, shares, least = [full & 0b11, full & 0b1111, full], np.array([1, 2, 3]) / 6, 0.0
    else:
        hashes, shares, least = (
            [SignHash.gaussian(5, 3, rng).buckets(X) for _ in range(4)],
            np.full(4, 0.25),
            0.5,
        )
    U = X / np.linalg.norm(X, axis=1, keepdims=True)
    for row in range(100):
        cosine = U @ U[row]
        same = np.array([buckets == buckets[row] for buckets in hashes])
        mates = [[j for j in np.argsort(-cosine) if there[j] and j != row][:2] for there in same]
        weight = shares @ same
        strength = {j: weight[j] * cosine[j] for some in mates for j in some if weight[j] >= least}
        if name == "lsh-multilevel":
            strength = {j: value for j, value in strength.items() if value >= 0.01}
        wanted = sorted(strength, key=lambda j: -strength[j])[:2]
        assert set(graph.sender[graph.receiver == row].tolist()) == set(wanted)


def test_the_order_of_levels_is_nothing(table):
    one, other = (
        built("lsh-multilevel", table, options=GraphOptions(levels=levels))
        for levels in ((2, 4, 6), (6, 2, 4))
    )
    np.testing.assert_array_equal(one.sender, other.sender)
    np.testing.assert_array_equal(one.weight, other.weight)


def test_a_cosine_of_the_least_similarity_is_enough():
    """Two directions at a right angle; some hash of one plane puts them into one bucket."""
    options = GraphOptions(bits=1, min_similarity=0.0)
    found = [built("lsh", (np.eye(2), np.arange(2)), seed, options).sender.tolist() for seed in range(20)]
    assert [1, 0] in found


def test_two_rows_of_a_bucket_look_at_each_other():
    X = np.array([[1.0, 2.0], [1.0, 2.0], [-1.0, -2.0], [-1.0, -2.0]])
    graph = built("lsh", (X, np.array([0, 1, 0, 1])))
    assert graph.sender.tolist() == [1, 0, 3, 2]


def test_of_equally_strong_edges_those_to_earlier_rows_stay():
    i, j = np.array([0, 0, 0, 1]), np.array([3, 1, 2, 0])
    receiver, sender, place = graphs._nearest_of_each(i, j, np.array([0.5, 0.5, 0.5, 0.1]), 2)
    assert (receiver.tolist(), sender.tolist(), place.tolist()) == ([0, 0, 1], [1, 2, 0], [1, 2, 3])


def test_no_more_candidates_of_a_row_are_held_than_it_may_look_at():
    U = np.random.default_rng(0).normal(size=(50, 3))
    i, j, _ = graphs._most_alike(U, np.arange(10, 40), 2)
    assert np.bincount(i, minlength=50).tolist() == [0] * 10 + [2] * 30 + [0] * 10
    assert (i != j).all()


def test_a_row_of_zeros_has_no_direction():
    with np.errstate(all="raise"):
        found = graphs._directions(np.array([[0.0, 0.0], [3.0, 4.0]]))
    np.testing.assert_allclose(found, [[0, 0], [0.6, 0.8]])


@pytest.mark.parametrize("name", sorted(GRAPHS))
def test_a_row_of_zeros_breaks_nothing(name, table):
    X, codes = table
    zero = X.copy()
    zero[5] = 0.0
    graph = built(name, (zero, codes))
    assert np.isfinite(graph.weight).all()


def test_rows_that_hash_alone_have_no_edge():
    X = np.vstack([np.eye(20), -np.eye(20)])
    graph = built("lsh", (X, np.arange(40) % 2), options=GraphOptions(bits=60))
    assert len(graph.sender) == 0
