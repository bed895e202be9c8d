"""LexRank of a given matrix: the numbers of the paper, and what must be true of any graph."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from sklearn.exceptions import ConvergenceWarning

from salience.instances import LexRank, lexrank_scores
from salience.instances.lexrank.centrality import Links, stationary

pytestmark = pytest.mark.filterwarnings("ignore:.*(isolated|no structure)")

# Figure 1 of the paper: d1s1 d2s1 d2s2 d2s3 d3s1 d3s2 d3s3 d4s1 d5s1 d5s2 d5s3
FIGURE = """1 .45 .02 .17 .03 .22 .03 .28 .06 .06 .00
1 .16 .27 .03 .19 .03 .21 .03 .15 .00
1 .03 .00 .01 .03 .04 .00 .01 .00
1 .01 .16 .28 .17 .00 .09 .01
1 .29 .05 .15 .20 .04 .18
1 .05 .29 .04 .20 .03
1 .06 .00 .00 .01
1 .25 .20 .17
1 .26 .38
1 .12
1"""
DEGREES = {
    0.1: [5, 7, 2, 6, 5, 7, 2, 9, 5, 6, 5],
    0.2: [4, 4, 1, 3, 2, 5, 2, 6, 4, 4, 2],
    0.3: [2, 2, 1, 1, 1, 1, 1, 1, 2, 1, 2],
}
TABLE = {
    0.1: [0.6007, 0.8466, 0.3491, 0.7520, 0.5907, 0.7993, 0.3548, 1, 0.5921, 0.6910, 0.5921],
    0.2: [0.6944, 0.7317, 0.6773, 0.6550, 0.4344, 0.8718, 0.4993, 1, 0.7399, 0.6967, 0.4501],
    0.3: [1.0] * 11,
}


def figure(threshold: float = 0.1) -> np.ndarray:
    """The cosines as printed; at 0.2 two of them must lie above it, as the paper's own degrees say."""
    S = np.zeros((11, 11))
    for i, line in enumerate(FIGURE.splitlines()):
        S[i, i:] = [float(cell) for cell in line.split()]
    if threshold == 0.2:
        S[5, 9] = S[7, 9] = 0.204  # printed .20: rounded
    return np.maximum(S, S.T)


def random_graph(seed: int, n: int = 12, share: float = 0.4) -> np.ndarray:
    rng = np.random.default_rng(seed)
    S = np.triu(rng.random((n, n)) * (rng.random((n, n)) < share), 1)
    return S + S.T + np.eye(n)


def connected_graph(seed: int, n: int = 12) -> np.ndarray:
    S = random_graph(seed, n)
    ring = np.roll(np.eye(n), 1, axis=1) * 0.5
    return np.maximum(S, ring + ring.T)


# ---- the paper -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("threshold", [0.1, 0.2, 0.3])
def test_degrees_of_the_paper(threshold):
    model = LexRank("degree", similarity="precomputed", threshold=threshold).fit(figure(threshold))
    assert model.scores_.values.tolist() == DEGREES[threshold] == model.degree_.tolist()


@pytest.mark.parametrize(("threshold", "most"), [(0.1, 0.0006), (0.2, 0.0004), (0.3, 1e-9)])
def test_scores_of_the_paper(threshold, most):
    scores = lexrank_scores(figure(threshold), threshold)
    assert np.abs(scores / scores.max() - TABLE[threshold]).max() <= most
    model = LexRank(similarity="precomputed", threshold=threshold).fit(figure(threshold))
    np.testing.assert_allclose(model.scores_.values, scores, rtol=1e-12)


def test_the_damping_of_the_table_is_the_chance_to_follow_a_link():
    scores = lexrank_scores(figure(), follow=0.15)  # the formula as printed, with d = 0.85
    assert np.abs(scores / scores.max() - TABLE[0.1]).max() > 0.4


def test_the_threshold_is_strict():
    S = np.array([[1.0, 0.2, 0.5], [0.2, 1.0, 0.0], [0.5, 0.0, 1.0]])
    at = LexRank("degree", similarity="precomputed", threshold=0.2).fit(S)
    below = LexRank("degree", similarity="precomputed", threshold=0.19).fit(S)
    assert at.degree_.tolist() == [2, 1, 2]
    assert below.degree_.tolist() == [3, 2, 2]


# ---- what must be true of any graph ----------------------------------------------------------------------


@settings(deadline=None)
@given(st.integers(0, 10**6), st.booleans(), st.booleans(), st.floats(0, 0.95))
def test_scores_are_the_stationary_shares_of_the_walk(seed, continuous, self_links, follow):
    S = random_graph(seed)
    p = lexrank_scores(S, 0.3, follow, continuous, self_links=self_links, tol=1e-13)
    A = S.copy() if continuous else (S > 0.3).astype(float)
    if not self_links:
        np.fill_diagonal(A, 0)
    A[A.sum(axis=1) == 0] = 1
    B = A / A.sum(axis=1, keepdims=True)
    assert p.sum() == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(p, (1 - follow) / 12 + follow * B.T @ p, atol=1e-10)


@pytest.mark.parametrize("continuous", [False, True])
def test_equal_to_pagerank_of_networkx(continuous):
    for seed in range(5):
        S = random_graph(seed, 30)
        graph = nx.from_numpy_array(S if continuous else (S > 0.2).astype(float))
        # an undirected self loop counts once in the weights of networkx, as here
        expected = nx.pagerank(graph.to_directed(), alpha=0.85, tol=1e-12)
        np.testing.assert_allclose(
            lexrank_scores(S, 0.2, continuous=continuous), [expected[i] for i in range(30)], atol=1e-6
        )


@pytest.mark.parametrize("seed", range(3))
def test_who_always_follows_is_found_by_degree(seed):
    """The chain is reversible: in a connected graph its shares are the sums of the rows."""
    S = connected_graph(seed)
    A = (S > 0.1).astype(float)
    settings = {"follow": 1.0, "tol": 1e-13, "max_iter": 100_000}
    np.testing.assert_allclose(lexrank_scores(S, **settings), A.sum(axis=1) / A.sum(), atol=1e-9)
    np.testing.assert_allclose(
        lexrank_scores(S, continuous=True, **settings), S.sum(axis=1) / S.sum(), atol=1e-9
    )


@pytest.mark.parametrize("follow", [0.3, 0.85, 0.99])
def test_a_part_has_the_share_of_its_sentences_and_an_isolated_one_exactly_its_own(follow):
    S = np.eye(10)
    S[:4, :4] = connected_graph(0, 4)
    S[4:9, 4:9] = connected_graph(1, 5)
    for continuous in (False, True):
        p = lexrank_scores(S, 0.1, follow, continuous, tol=1e-12, max_iter=10_000)
        assert p[:4].sum() == pytest.approx(0.4, abs=1e-9)
        assert p[4:9].sum() == pytest.approx(0.5, abs=1e-9)
        assert p[9] == pytest.approx(0.1, abs=1e-12)


def test_without_self_links_isolated_sentences_come_last_and_no_share_is_lost():
    S = np.eye(12)
    S[:9, :9] = connected_graph(3, 9)
    p = lexrank_scores(S, self_links=False)
    assert p.sum() == pytest.approx(1)
    assert set(np.argsort(p)[:3]) == {9, 10, 11}
    with_links = lexrank_scores(S)
    assert with_links[9] > with_links[:9].min()  # why the option is there


def test_who_has_no_link_goes_anywhere_and_who_follows_none_goes_home():
    S = np.zeros((4, 4))
    S[0, 1] = S[1, 0] = S[1, 2] = S[2, 1] = 1.0
    home = np.array([0.7, 0.1, 0.1, 0.1])
    links = Links.of_pairs(csr_array(S), own=0.0, weighted=True)
    p = stationary(links, follow=0.8, tol=1e-14, max_iter=1000, start=home).shares
    B = np.array([[0, 1, 0, 0], [0.5, 0, 0.5, 0], [0, 1, 0, 0], [0.25] * 4])
    np.testing.assert_allclose(p, 0.2 * home + 0.8 * B.T @ p, atol=1e-12)


def test_changing_the_order_of_sentences_changes_the_order_of_scores():
    S, order = random_graph(0, 20), np.random.default_rng(0).permutation(20)
    np.testing.assert_allclose(lexrank_scores(S[order][:, order]), lexrank_scores(S)[order], atol=1e-12)


def test_follow_is_not_ignored():
    assert np.abs(lexrank_scores(figure(), follow=0.85) - lexrank_scores(figure(), follow=0.5)).max() > 0.01


def test_one_sentence_scores_one():
    assert lexrank_scores([[1.0]]).tolist() == [1.0]
    assert lexrank_scores([[0.0]], self_links=False).tolist() == [1.0]


def test_the_diagonal_is_one_whatever_it_holds():
    S = random_graph(1)
    other = S.copy()
    np.fill_diagonal(other, 0.0)
    for continuous in (False, True):
        np.testing.assert_array_equal(
            lexrank_scores(other, continuous=continuous), lexrank_scores(S, continuous=continuous)
        )


def test_sparse_and_dense_are_one():
    S = random_graph(2)
    np.testing.assert_array_equal(lexrank_scores(csr_array(S)), lexrank_scores(S))


def test_the_walk_goes_on_until_it_rests():
    """An implementation that stops at a step of 0.1 stays where it began: all scores equal."""
    model = LexRank(similarity="precomputed").fit(figure())
    assert model.n_iter_ > 8
    assert model.residual_ < 1e-8
    assert np.ptp(model.scores_.values) > 0.05


def test_a_walk_that_does_not_come_to_rest_says_so():
    with pytest.warns(ConvergenceWarning, match=r"max_iter=3 steps.* length 0\.0"):
        lexrank_scores(figure(), max_iter=3)
    with pytest.warns(ConvergenceWarning, match="raise max_iter"):
        model = LexRank(similarity="precomputed", max_iter=2).fit(figure())
    assert model.n_iter_ == 2
    assert any("come to rest" in note for note in model.scores_.meta.warnings)


def test_rounding_in_single_precision_is_no_asymmetry():
    S = random_graph(3).astype(np.float32)
    S[np.triu_indices(12, 1)] *= np.float32(1 + 2e-7)
    np.testing.assert_allclose(lexrank_scores(S.astype(float)), lexrank_scores(S), atol=1e-12)
    np.testing.assert_allclose(
        lexrank_scores(random_graph(3).astype(np.float16), continuous=True),
        lexrank_scores(random_graph(3), continuous=True), atol=1e-3,
    )  # fmt: skip


# ---- what is refused -------------------------------------------------------------------------------------


def changed(i: int, j: int, value: float) -> np.ndarray:
    S = figure()
    S[i, j] = value
    return S


@pytest.mark.parametrize(
    ("S", "settings", "message"),
    [
        (np.ones((2, 3)), {}, r"shape \(n, n\)"),
        (np.ones(4), {}, r"shape \(n, n\)"),
        (np.ones((0, 0)), {}, "at least one sentence"),
        (changed(2, 5, 0.5), {}, r"symmetric, but S\[2, 5\] = 0.5"),
        (-figure(), {}, "negative"),
        (changed(1, 4, np.nan), {}, "not finite, the first between sentences 1 and 4"),
        (changed(1, 4, np.inf), {}, "not finite"),
        (figure(), {"threshold": 1.0}, "threshold lies in"),
        (figure(), {"threshold": -0.1}, "threshold lies in"),
        (figure(), {"follow": 1.1}, "follow is a chance"),
        (np.eye(3), {"follow": 1.0}, "falls into 3 parts"),
        (np.eye(3), {"follow": 1.0, "continuous": True}, "falls into 3 parts"),
    ],
)
def test_a_wrong_matrix_or_parameter_is_refused(S, settings, message):
    with pytest.raises(ValueError, match=message):
        lexrank_scores(S, **settings)


def test_negative_similarities_end_in_an_error_not_in_an_endless_loop():
    S = figure()
    S[0, 1] = S[1, 0] = -0.3
    with pytest.raises(ValueError, match="Clip them"):
        lexrank_scores(S, continuous=True)
