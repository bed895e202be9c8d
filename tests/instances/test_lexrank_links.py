"""LexRank's walk from a title, over vectors and over strong links only; who votes for a sentence; and which values tie."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from salience.instances import LexRank, lexrank_scores
from salience.instances.lexrank.centrality import Links, stationary
from salience.instances.lexrank.measures import level, places
from salience.instances.lexrank.similarity import unit_rows, vectors_alike, words_alike

pytestmark = pytest.mark.filterwarnings("ignore:.*(isolated|no structure|negative)")

VECTORS = np.array([[1.0, 0.1, 0.0], [0.8, 0.7, 0.1], [0.1, 2.0, 0.3], [0.2, 0.3, 1.5], [-1.0, 0.2, 0.9]])
TEXTS = [[f"s{i}" for i in range(5)]]
IDF = dict.fromkeys("abcdefg", 1.0) | {"rare": 3.0}


def cosines(rows):
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    S = np.maximum(unit @ unit.T, 0.0)
    np.fill_diagonal(S, 1.0)
    return S


def shares(A, home, follow=0.85):
    """The shares of the walk by a system of equations."""
    B = A / A.sum(axis=1, keepdims=True)
    return np.linalg.solve(np.eye(len(A)) - follow * B.T, (1 - follow) * home)


# ---- one step -------------------------------------------------------------------------------------------


def test_a_step_and_its_length_by_hand():
    """From equal shares, half of the readers follow: the middle of three gets 1/6 and 1/6 + 1/6 + 1/6."""
    chain = Links.of_pairs(
        csr_array(np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], float)), own=0.0, weighted=True
    )
    walk = stationary(chain, follow=0.5, tol=1e-9, max_iter=1)
    np.testing.assert_allclose(walk.shares, [1 / 4, 1 / 2, 1 / 4])
    assert walk.residual == pytest.approx(np.sqrt((1 / 12) ** 2 + (1 / 6) ** 2 + (1 / 12) ** 2))
    assert walk.steps == 1
    assert "max_iter=1 steps" in walk.warning


# ---- a graph that falls apart ---------------------------------------------------------------------------


def test_parts_of_a_graph_of_words_are_counted():
    """Two pairs that share a word each; then a sentence that joins them."""
    apart = [["a b", "a c", "d e", "d f"]]
    with pytest.raises(ValueError, match="falls into 2 parts"):
        LexRank("continuous", follow=1.0).fit(apart)
    joined = LexRank("continuous", follow=1.0).fit([[*apart[0], "a d"]])
    S = LexRank("continuous", threshold=0.0).fit([[*apart[0], "a d"]]).similarity_.toarray()
    np.testing.assert_allclose(joined.scores_.values, S.sum(axis=1) / S.sum(), atol=1e-6)


# ---- a title --------------------------------------------------------------------------------------------


def test_who_follows_no_link_goes_where_the_words_of_the_title_are():
    """By the cosine of tf * idf: a rare word of the title draws more than a common one, one that stands twice more."""
    sentences = ["a b", "a rare", "b c", "d e"]
    model = LexRank("continuous", idf=IDF, threshold=0.0, tol=1e-13)
    found = model.fit([sentences], about="a a rare unknown").scores_.values
    names = sorted(IDF)
    rows = np.array([[text.split().count(word) * IDF[word] for word in names] for text in sentences])
    title = np.array([["a", "a", "rare"].count(word) * IDF[word] for word in names])
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    home = unit @ title / (unit @ title).sum()
    np.testing.assert_allclose(found, shares(unit @ unit.T, home), atol=1e-10)


def test_a_title_of_vectors_draws_to_those_at_a_sharp_angle_only():
    about = np.array([3.0, 0.5, -2.0])

    def embed(texts):
        return about[None] if texts == ["the title"] else VECTORS

    model = LexRank("continuous", similarity="embedding", embed=embed, tol=1e-13)
    found = model.fit(TEXTS, about="the title").scores_.values
    unit = VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True)
    home = np.maximum(unit @ about, 0.0)
    assert 0 < (home == 0).sum() < 4
    np.testing.assert_allclose(found, shares(cosines(VECTORS), home / home.sum()), atol=1e-10)


@pytest.mark.parametrize(
    ("title", "message"),
    [
        ([[1.0, 2.0]], "vectors of 3 and of 2 numbers"),
        ([[1.0, np.nan, 0.0]], "not finite"),
        ([], "one row per sentence"),
    ],
)
def test_a_title_without_a_vector_like_the_others_is_refused(title, message):
    model = LexRank(similarity="embedding", embed=lambda texts: title if texts == ["the title"] else VECTORS)
    with pytest.raises(ValueError, match=message):
        model.fit(TEXTS, about="the title")


def test_vectors_have_no_background():
    with pytest.raises(ValueError, match="compares no words"):
        LexRank(similarity="embedding").fit(TEXTS, matrix=VECTORS, background=["a", "b"])


# ---- weak links -----------------------------------------------------------------------------------------


def test_over_vectors_the_continuous_walk_takes_weak_similarities_and_degrees_do_not():
    S = cosines(VECTORS)
    strong = np.where(S > 0.5, S, 0.0)
    home = np.full(5, 0.2)
    for weak, A in ((True, S), (False, strong)):
        model = LexRank("continuous", similarity="embedding", threshold=0.5, weak=weak, tol=1e-13)
        model.fit(TEXTS, matrix=VECTORS)
        np.testing.assert_allclose(model.scores_.values, shares(A, home), atol=1e-10)
        np.testing.assert_allclose(model.similarity_.toarray(), strong, atol=1e-12)
        assert model.degree_.tolist() == (strong > 0).sum(axis=1).tolist()


# ---- who votes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["threshold", "continuous"])
@pytest.mark.parametrize("weak", [True, False])
@pytest.mark.parametrize("similarity", ["embedding", "precomputed"])
def test_votes_are_the_links_that_were_walked_over(method, weak, similarity):
    matrix = VECTORS if similarity == "embedding" else cosines(VECTORS)
    model = LexRank(method, similarity=similarity, threshold=0.5, weak=weak, tol=1e-13).fit(
        TEXTS, matrix=matrix
    )
    S = cosines(VECTORS)
    A = S if method == "continuous" and weak else np.where(S > 0.5, S if method == "continuous" else 1.0, 0.0)
    B, p = A / A.sum(axis=1, keepdims=True), model.scores_.values
    for i in range(5):
        why = model.explain(i)
        of = np.array(why.items)
        assert set(of.tolist()) == set(np.flatnonzero(A[i]).tolist())
        np.testing.assert_allclose(why.values, 0.85 * B[of, i] * p[of] / p[i], rtol=1e-9)
        np.testing.assert_allclose(why.frame["similarity"], S[i, of], atol=1e-12)


def test_so_many_of_the_strongest_votes_are_given():
    model = LexRank("continuous", similarity="embedding").fit(TEXTS, matrix=VECTORS)
    assert model.explain(1, k=2).items == model.explain(1).items[:2]
    assert len(model.explain(1, k=2)) == 2 < len(model.explain(1))


def test_links_of_a_degree_count_alike_that_to_itself_only_where_it_counts():
    sentences = [["a b", "a c", "a d", "e"]]
    with_own = LexRank("degree", idf=IDF).fit(sentences).explain(0)
    assert (with_own.items, with_own.values.tolist()) == ([0, 1, 2], pytest.approx([1 / 3] * 3))
    without = LexRank("degree", idf=IDF, self_links=False).fit(sentences)
    assert (without.explain(0).items, without.explain(0).values.tolist()) == ([1, 2], [0.5, 0.5])
    assert len(without.explain(3)) == 0


def test_a_word_of_the_centre_counts_by_its_idf():
    """One document: `a` stands twice in it, `rare` once."""
    model = LexRank("centroid", idf=IDF).fit([["a b", "a rare"]])
    assert model.scores_.values.tolist() == [2.0 + 1.0, 2.0 + 3.0]


# ---- ties -----------------------------------------------------------------------------------------------


def test_values_tie_by_a_millionth_of_their_mean_and_by_no_more():
    few, many = np.array([1, 2]), np.array([2, 1])
    for unit in (1e-9, 1.0, 1e9):
        assert places(unit * np.array([1.0 + 4e-7, 1.0]), few).tolist() == [2, 1]  # a tie: more links first
        assert places(unit * np.array([1.0, 1.0 + 1e-5]), many).tolist() == [2, 1]
        assert level(unit * np.array([1.0 + 4e-7, 1.0]))
        assert not level(unit * np.array([1.0 + 1e-5, 1.0]))


def test_a_tie_does_not_grow_from_value_to_value():
    """Each is within a millionth of the next, the last not within one of the first."""
    values = 1.0 + np.array([1.6e-6, 0.8e-6, 0.0])
    assert places(values, np.array([1, 2, 3])).tolist() == [2, 1, 3]


def test_one_sentence_is_not_said_to_lack_structure(recwarn):
    assert LexRank().fit("Only this.").scores_.meta.warnings == ()
    assert not recwarn.list


# ---- rounding and size ----------------------------------------------------------------------------------


def test_vectors_of_any_size_get_the_length_of_one_and_a_row_of_zeros_stays_one():
    found = unit_rows([[0.0, 0.0], [3.0, 4.0], [3e200, 4e200], [-3e-200, 4e-200]], 4)
    np.testing.assert_allclose(found, [[0, 0], [0.6, 0.8], [0.6, 0.8], [-0.6, 0.8]])


def test_no_similarity_is_above_one():
    """The product of a row of length 1 with its copy may be 1.0000000000000002."""
    half = np.random.default_rng(0).random((200, 7))
    rows = unit_rows(np.concatenate([half, half]), 400)
    assert (rows * rows).sum(axis=1).max() > 1
    for alike in (vectors_alike(rows, 0.99), words_alike(csr_array(rows), 0.99)):
        assert alike.pairs.max() <= 1


def test_what_differs_by_rounding_only_is_symmetric_and_is_cut_alike_on_both_sides():
    S = np.eye(3)
    S[0, 1], S[1, 0] = 0.2, 0.2 + 1e-9
    assert LexRank("degree", similarity="precomputed", threshold=0.2).fit(S).degree_.tolist() == [2, 2, 1]
    large = np.diag([1.0, 1.0, 1.0])
    large[0, 1], large[1, 0] = 1e6, 1e6 + 0.1
    assert lexrank_scores(large).sum() == pytest.approx(1)
    half = np.eye(2, dtype=np.float16)
    half[0, 1], half[1, 0] = 0.5, np.nextafter(np.float16(0.5), np.float16(1))
    assert lexrank_scores(half).tolist() == [0.5, 0.5]


def test_what_differs_by_more_than_rounding_is_not():
    S = np.eye(3)
    S[0, 1], S[1, 0] = 0.5, 0.5001
    with pytest.raises(ValueError, match="symmetric, but"):
        lexrank_scores(S)
