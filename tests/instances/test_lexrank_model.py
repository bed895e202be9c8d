"""LexRank of texts: similarity, idf, methods, planted clusters, controls, what cannot be had."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import roc_auc_score
from sklearn.utils._param_validation import InvalidParameterError

from salience.instances import LexRank
from salience.instances.lexrank import similarity as blocks
from salience.results.scores import Scores
from salience.verify import texts, verify

# What is said of planted data is looked at in tests of its own.
pytestmark = pytest.mark.filterwarnings("ignore:.*(isolated|no structure|taken, not more|negative)")

REPORTS = [
    "The river flooded the old town on Sunday. Nobody was hurt, said the mayor of the town.",
    "Heavy rain flooded the old town. Schools will stay closed until Friday, the mayor said.",
    "After heavy rain the river rose by two metres. Trains to the coast run late.",
]
SENTENCES = [["a b c", "a b d", "x"], ["a c d", "y z"], ["b c d e"]]


def planted(seed: int, documents: int = 10, zipf: bool = False) -> tuple[list[list[str]], np.ndarray]:
    """Documents of 5 sentences, two of which have 8 words of a topic of 15; filler from 2,000 words."""
    rng = np.random.default_rng(seed)
    topic = [f"topic{i}" for i in range(15)]
    filler = [f"word{i}" for i in range(2000)]
    weights = 1 / np.arange(1, 2001) if zipf else np.ones(2000)
    found, truth = [], []
    for _ in range(documents):
        own = rng.permutation(5) < 2
        sentences = []
        for about in own:
            words = list(rng.choice(filler, 6 if about else 14, p=weights / weights.sum()))
            sentences.append(" ".join(words + (list(rng.choice(topic, 8, False)) if about else [])))
        found.append(sentences)
        truth += own.tolist()
    return found, np.array(truth)


# ---- similarity ------------------------------------------------------------------------------------------


def test_similarity_by_hand():
    """A background of four documents: a in 1, b in 2, c in 4 of them; d is new."""
    background = ["a b c", "b c", "c", "c"]
    model = LexRank(threshold=0.0).fit([["a a b c", "a b", "b d", "c"]], background=background)
    a, b, d = np.log(4), np.log(2), np.log(5)
    vectors = np.array([[2 * a, b, 0], [a, b, 0], [0, b, d], [0, 0, 0]])
    lengths = np.linalg.norm(vectors, axis=1)
    expected = vectors @ vectors.T / np.outer(np.where(lengths, lengths, 1), np.where(lengths, lengths, 1))
    np.fill_diagonal(expected, 1)  # also of the sentence whose only word is everywhere
    np.testing.assert_allclose(model.similarity_.toarray(), expected, atol=1e-12)


def test_a_similarity_at_the_threshold_is_no_link():
    sentences = [["a b c d", "a e f g", "a b h i"]]  # the cosines are 1/4, 1/2 and 1/4, to the last bit
    idf = dict.fromkeys("abcdefghi", 1.0)
    rows = np.array([[1, 1, 1, 1, 0, 0, 0, 0, 0], [1, 0, 0, 0, 1, 1, 1, 0, 0], [1, 1, 0, 0, 0, 0, 0, 1, 1]])
    for model, more in ((LexRank(idf=idf), {}), (LexRank(similarity="embedding"), {"matrix": rows})):
        assert model.set_params(threshold=0.25).fit(sentences, **more).degree_.tolist() == [2, 1, 2]
        assert model.set_params(threshold=0.2499).fit(sentences, **more).degree_.tolist() == [3, 3, 3]


def test_a_new_word_may_weigh_nothing():
    background = ["a b c", "b c", "c", "c"]
    model = LexRank(threshold=0.0, unseen="skip").fit([["b d", "b", "a d"]], background=background)
    assert model.similarity_[0, 1] == pytest.approx(1)
    assert model.similarity_[0, 2] == 0


def test_without_a_background_every_sentence_is_a_document_and_no_word_weighs_nothing():
    model = LexRank(threshold=0.0).fit([["a b", "a c", "a b d"]])
    a, b, d = 1.0, np.log(4 / 3) + 1, np.log(4 / 2) + 1
    expected = (a + b**2) / np.sqrt(a + b**2) / np.sqrt(a + b**2 + d**2)
    assert model.similarity_[0, 2] == pytest.approx(expected)
    assert model.similarity_[0, 1] > 0  # by the word of every sentence; ln(n / n_w) would be 0


def test_idf_may_be_a_mapping_or_a_fitted_vectorizer_and_its_scale_is_nothing():
    idf = {"a": 1.0, "b": 2.0, "c": 0.5}
    one = LexRank("continuous", idf=idf).fit(SENTENCES)
    scaled = LexRank("continuous", idf={word: 7 * value for word, value in idf.items()}).fit(SENTENCES)
    np.testing.assert_allclose(one.scores_.values, scaled.scores_.values, rtol=1e-9)
    assert one.scores_.meta.params["idf"] == "3 words"
    vectorizer = TfidfVectorizer(stop_words="english").fit(REPORTS)
    model = LexRank(idf=vectorizer).fit(REPORTS)
    rows = vectorizer.transform(model.sentences_)
    np.testing.assert_allclose(
        model.similarity_.toarray(), np.where((S := (rows @ rows.T).toarray()) > 0.1, S, 0), atol=1e-12
    )


@pytest.mark.parametrize("made", [{"max_df": 0.5}, {"vocabulary": ["river", "rain"]}])
def test_what_a_vectorizer_leaves_out_on_purpose_is_not_rare(made):
    """A word of two of three reports is above max_df = 0.5, and weighs nothing, like one outside the vocabulary."""
    vectorizer = TfidfVectorizer(**made).fit(REPORTS)
    model = LexRank(threshold=0.0, idf=vectorizer, min_words=0).fit(REPORTS)
    rows = vectorizer.transform(model.sentences_)
    expected = (rows @ rows.T).toarray()
    np.fill_diagonal(expected, 1)
    np.testing.assert_allclose(model.similarity_.toarray(), expected, atol=1e-12)


def test_a_frozen_vectorizer_stays_fitted_in_a_clone():
    vectorizer = TfidfVectorizer().fit(REPORTS)
    with pytest.raises(NotFittedError):
        clone(LexRank(idf=vectorizer)).fit(REPORTS)
    kept = clone(LexRank(idf=FrozenEstimator(vectorizer))).fit(REPORTS)
    assert kept.scores_.frame.equals(LexRank(idf=vectorizer).fit(REPORTS).scores_.frame)
    with pytest.raises(TypeError, match="the frozen one is PCA"):
        LexRank(idf=FrozenEstimator(PCA())).fit(REPORTS)


def test_blocks_do_not_change_the_similarities(monkeypatch):
    whole = LexRank().fit(planted(0)[0]).similarity_
    monkeypatch.setattr(blocks, "CELLS", 40)
    told = []
    parts = LexRank().fit(planted(0)[0], progress=lambda done, total: told.append((done, total)))
    np.testing.assert_array_equal(parts.similarity_.toarray(), whole.toarray())
    assert len(told) > 5
    assert told[-1] == (50, 50)
    assert (parts.similarity_ != parts.similarity_.T).nnz == 0


def test_the_continuous_form_never_writes_the_similarities_down_and_is_the_same():
    documents = planted(1)[0]
    for self_links in (True, False):
        model = LexRank("continuous", threshold=0.0, self_links=self_links, tol=1e-13).fit(documents)
        given_them = LexRank("continuous", similarity="precomputed", self_links=self_links, tol=1e-13)
        given_them.fit(model.similarity_)
        np.testing.assert_allclose(model.scores_.values, given_them.scores_.values, rtol=1e-9)


def test_weak_similarities_may_be_left_out_of_the_continuous_form():
    documents = planted(1)[0]
    strong = LexRank("continuous", weak=False).fit(documents)
    by_hand = LexRank("continuous", similarity="precomputed").fit(strong.similarity_)
    np.testing.assert_allclose(strong.scores_.values, by_hand.scores_.values, rtol=1e-9)
    assert np.abs(strong.scores_.values - LexRank("continuous").fit(documents).scores_.values).max() > 1e-4


# ---- methods ---------------------------------------------------------------------------------------------


def test_centroid_by_hand():
    """Two documents; the idf is 1, so the centre is the mean count."""
    idf = dict.fromkeys("abc", 1.0)
    model = LexRank("centroid", idf=idf).fit([["a a b", "c"], ["a"]])
    assert model.scores_.values.tolist() == [1.5 + 1.5 + 0.5, 0.5, 1.5]
    with_an_empty_one = LexRank("centroid", idf=idf).fit([["a a b", "c"], [], ["a"]])
    np.testing.assert_allclose(with_an_empty_one.scores_.values, model.scores_.values * 2 / 3)
    cut = LexRank("centroid", idf=idf, cutoff=0.5).fit([["a a b", "c"], ["a"]])
    assert cut.scores_.values.tolist() == [3.0, 0.0, 1.5]
    assert dict(zip(model.explain(0).items, model.explain(0).values, strict=True)) == pytest.approx(
        {"a": 6 / 7, "b": 1 / 7}
    )


def test_degree_counts_links_that_to_itself_too():
    idf = dict.fromkeys("abcdexyz", 1.0)
    model = LexRank("degree", idf=idf).fit(SENTENCES)
    assert model.scores_.values.tolist() == [4, 4, 1, 4, 1, 4]
    assert LexRank("degree", idf=idf, self_links=False).fit(SENTENCES).scores_.values[2] == 0
    assert model.explain(0).items == [0, 1, 3, 5]


@pytest.mark.parametrize("method", ["threshold", "continuous"])
@pytest.mark.parametrize("self_links", [True, False])
def test_an_explanation_adds_up_to_the_score(method, self_links):
    model = LexRank(method, self_links=self_links, tol=1e-13).fit(REPORTS)
    n = len(model.sentences_)
    for i, value in enumerate(model.scores_.values):
        why = model.explain(i)
        isolated = float((model.degree_ == 1).sum() and not self_links and method == "threshold")
        if isolated:
            continue  # those without a link vote for everybody
        assert why.values.sum() * value + 0.15 / n == pytest.approx(value, rel=1e-9)
        assert (i in why.items) == self_links
        assert why.frame["text"].to_list() == [model.sentences_[j] for j in why.items]
    assert len(model.explain(0, k=2)) <= 2


def test_a_title_draws_the_walk():
    plain = LexRank("continuous").fit(REPORTS).scores_
    about = LexRank("continuous").fit(REPORTS, about="When do trains run again?").scores_
    trains = next(i for i, text in enumerate(plain.frame["text"]) if "Trains" in text)
    assert about.values[trains] > 1.5 * plain.values[trains]
    assert about.values.sum() == pytest.approx(1)
    with pytest.warns(UserWarning, match="no sentence is like about"):
        LexRank("continuous").fit(REPORTS, about="Quantum")
    with pytest.raises(ValueError, match="about= steers a walk"):
        LexRank("degree").fit(REPORTS, about="trains")


def test_a_sentence_that_nobody_comes_to_has_no_votes():
    """Who follows no link and goes to sentences like the title is never at the last one."""
    model = LexRank("continuous", follow=0.0).fit([["a b", "a c", "x y"]], about="a")
    assert model.scores_.values[2] == 0
    with np.errstate(all="raise"):
        assert model.explain(2).values.tolist() == [0.0]


# ---- planted clusters ------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["degree", "continuous"])
def test_sentences_about_the_topic_are_found(method):
    aucs = []
    for seed in range(6):
        documents, truth = planted(seed)
        aucs.append(roc_auc_score(truth, LexRank(method).fit(documents).scores_.values))
    assert min(aucs) >= 0.98


def test_the_top_ten_of_the_threshold_form_are_about_the_topic():
    hits = []
    for seed in range(6):
        documents, truth = planted(seed)
        hits.append(truth[LexRank().fit(documents).scores_.top(10).items].mean())
    assert np.mean(hits) >= 0.8


def test_documents_about_something_else_change_little():
    for seed in range(6):
        documents, truth = planted(seed)
        rng = np.random.default_rng(seed + 100)
        other = [
            [" ".join(rng.choice([f"word{i}" for i in range(2000)], 14)) for _ in range(5)] for _ in range(2)
        ]
        alone = roc_auc_score(truth, LexRank("continuous").fit(documents).scores_.values)
        mixed = LexRank("continuous").fit(documents + other).scores_.values
        assert abs(alone - roc_auc_score(np.append(truth, [False] * 10), mixed)) < 0.02


def test_function_words_hide_the_topic_until_a_background_says_that_they_are_common():
    gains = []
    for seed in range(6):
        documents, truth = planted(seed, zipf=True)
        rng = np.random.default_rng(seed + 50)
        weights = 1 / np.arange(1, 2001)
        words = [f"word{i}" for i in range(2000)]
        background = [" ".join(rng.choice(words, 70, p=weights / weights.sum())) for _ in range(200)]
        without = roc_auc_score(truth, LexRank("continuous").fit(documents).scores_.values)
        told = LexRank("continuous").fit(documents, background=background)
        gains.append(roc_auc_score(truth, told.scores_.values) - without)
    assert np.mean(gains) > 0.02


# ---- controls --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["threshold", "continuous", "degree"])
@pytest.mark.parametrize("self_links", [True, False])
def test_sentences_without_a_common_word_get_no_ranking(method, self_links):
    model = LexRank(method, self_links=self_links)
    with pytest.warns(
        UserWarning, match="no structure: all 5 sentences score the same, because no two are linked"
    ):
        model.fit([["a b", "c d"], ["e f", "g", "h i j"]])
    scores = model.scores_.values
    assert np.ptp(scores) == 0
    if method != "degree":
        np.testing.assert_allclose(scores, 0.2)
    assert any("no structure" in note for note in model.scores_.meta.warnings)


def test_of_words_it_is_not_said_that_they_are_links():
    with pytest.warns(UserWarning, match="all 6 sentences score the same; their order"):
        LexRank("centroid", cutoff=100.0).fit(REPORTS)


def test_most_sentences_being_isolated_is_said():
    with pytest.warns(UserWarning, match="3 of 5 sentences are isolated"):
        LexRank().fit([["a b", "a b c", "d", "e", "f"]])
    assert (
        not LexRank().fit([["a b", "b c", "c d", "e", "f", "g"]]).scores_.meta.warnings
    )  # half are not most


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10**6))
def test_the_order_of_words_is_nothing(seed):
    rng = np.random.default_rng(seed)
    documents = planted(3)[0]
    shuffled = [[" ".join(rng.permutation(text.split())) for text in document] for document in documents]
    np.testing.assert_allclose(
        LexRank("continuous").fit(shuffled).scores_.values, LexRank("continuous").fit(documents).scores_.values,
        rtol=1e-9,
    )  # fmt: skip


def test_a_long_sentence_does_not_win_by_its_length():
    documents, _ = planted(0)
    rng = np.random.default_rng(0)
    documents[0][0] = " ".join(rng.choice([f"word{i}" for i in range(2000)], 200, False))
    for method in ("threshold", "continuous"):
        model = LexRank(method).fit(documents)
        assert 0 not in model.scores_.top(10).items
    assert 0 in LexRank("centroid").fit(documents).scores_.top(1).items  # as the baseline lets it


def test_copies_tie_and_the_earlier_one_is_named_first():
    documents = planted(2)[0]
    model = LexRank().fit([*documents, documents[0], documents[3]])
    scores, ranks = model.scores_.values, model.scores_.ranks().to_numpy()
    for i in range(5):
        assert scores[i] == pytest.approx(scores[50 + i], rel=1e-12)
        assert ranks[i] < ranks[50 + i]


def test_changing_the_order_of_sentences_changes_the_order_of_scores():
    flat = [text for document in planted(4)[0] for text in document]
    order = np.random.default_rng(0).permutation(len(flat))
    one = LexRank().fit([flat]).scores_.values
    other = LexRank().fit([[flat[i] for i in order]]).scores_.values
    np.testing.assert_allclose(other, one[order], rtol=1e-9)


def test_a_tie_is_broken_by_links_before_position():
    """A pair and a triangle have the same share each; the triangle has more links."""
    S = np.eye(5)
    S[0, 1] = S[1, 0] = 0.5
    S[2:, 2:] = 0.5
    with pytest.warns(UserWarning, match="all are linked alike"):
        model = LexRank(similarity="precomputed").fit(S)
    assert model.scores_.top(3).items == [2, 3, 4]


def test_judged_on_sentences_it_has_not_seen_it_holds_and_its_reverse_fails():
    documents, truth = planted(0, documents=12)
    held = [
        text for text, about in zip(np.concatenate(documents[6:]).tolist(), truth[30:], strict=True) if about
    ]
    model = LexRank("continuous").fit(documents[:6])
    bench = texts(model.sentences_, held)
    assert verify(model.scores_, bench).named("retention").verdict == "holds"
    assert (
        verify(model.scores_.replace(frame=model.scores_.frame.drop("rank"), better="low"), bench)
        .named("retention")
        .verdict
        == "fails"
    )
    with pytest.raises(ValueError, match="judged on"):
        verify(model.scores_, texts(model.sentences_, model.sentences_))


# ---- vectors and matrices --------------------------------------------------------------------------------


def embed(sentences: list[str]) -> np.ndarray:
    """Counts of letters, less their mean: some cosines are negative."""
    counts = np.array(
        [[text.count(letter) for letter in "abcdefghijklmnopqrstuvwxyz"] for text in sentences], float
    )
    return counts - counts.mean(axis=1, keepdims=True)


@pytest.mark.parametrize("method", ["threshold", "continuous"])
def test_vectors_given_and_vectors_made_are_one_and_negative_similarities_count_as_nothing(method):
    sentences = ["zzz yyy", "abba baab", "aabb ab", "qqq xx", "ab zz"]
    rows = embed(sentences)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    S = unit @ unit.T
    np.fill_diagonal(S, 1)
    with pytest.warns(
        UserWarning, match=f"{(S < 0).sum() // 2} of 10 similarities are negative and count as 0"
    ):
        made = LexRank(method, similarity="embedding", embed=embed).fit([sentences])
    one = LexRank(method, similarity="embedding").fit([sentences], matrix=rows)
    other = LexRank(method, similarity="precomputed").fit(np.clip(S, 0, None))
    np.testing.assert_allclose(made.scores_.values, one.scores_.values)
    np.testing.assert_allclose(one.scores_.values, other.scores_.values, atol=1e-7)
    assert made.explain(1).frame["similarity"].min() >= 0


def test_vectors_in_blocks_are_the_same(monkeypatch):
    rows = np.random.default_rng(0).normal(size=(30, 5)) + 1
    documents = [[f"s{i}" for i in range(30)]]
    whole = LexRank(similarity="embedding").fit(documents, matrix=rows).similarity_.toarray()
    monkeypatch.setattr(blocks, "CELLS", 70)
    parts = LexRank(similarity="embedding").fit(documents, matrix=rows).similarity_.toarray()
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    np.testing.assert_allclose(parts, whole, atol=1e-15)
    np.testing.assert_allclose(whole, np.where(unit @ unit.T > 0.1, unit @ unit.T, 0), atol=1e-12)


@pytest.mark.parametrize("self_links", [True, False])
@pytest.mark.parametrize("method", ["threshold", "continuous"])
def test_vectors_at_right_angles_have_no_structure_whatever_the_rounding(method, self_links, recwarn):
    rows = np.linalg.qr(np.random.default_rng(0).normal(size=(8, 8)))[0]
    model = LexRank(method, similarity="embedding", self_links=self_links)
    model.fit([[f"s{i}" for i in range(8)]], matrix=rows)
    np.testing.assert_array_equal(model.scores_.values, 1 / 8)
    assert ["no two are linked" in str(warning.message) for warning in recwarn] == [True]


def test_similarities_may_come_with_sentences():
    S = np.array([[1, 0.5, 0.4], [0.5, 1, 0], [0.4, 0, 1.0]])
    model = LexRank(similarity="precomputed").fit([["one a", "two b", "three c"]], matrix=csr_array(S))
    assert [chosen.sentence for chosen in model.summarize(1, min_words=1)] == ["one a"]
    with pytest.raises(ValueError, match="have no text"):
        LexRank(similarity="precomputed").fit(S).summarize(1)


def test_left_out_sentences_are_left_out_of_the_matrix():
    S = np.array([[1, 0.9, 0.9, 0.4], [0.9, 1, 0.9, 0], [0.9, 0.9, 1, 0], [0.4, 0, 0, 1.0]])
    model = LexRank(similarity="precomputed").fit([["one", "two"], ["", "four"]], matrix=S)
    assert model.scores_.frame["flag"].to_list() == [None, None, "unscored", None]
    assert np.isnan(model.scores_.values).tolist() == [False, False, True, False]
    np.testing.assert_allclose(model.similarity_.toarray()[2], 0)
    assert model.degree_.tolist() == [3, 2, 0, 2]
    rows = np.array([[1.0, 0.0], [1.0, 0.2], [0.0, 1.0], [1.0, 0.4]])  # the empty one is like nobody
    vectors = LexRank(similarity="embedding").fit([["one", "two"], ["", "four"]], matrix=rows)
    assert vectors.degree_.tolist() == [3, 3, 0, 3]


# ---- the estimator ---------------------------------------------------------------------------------------


def test_scores_have_what_one_asks_for():
    model = LexRank().fit(REPORTS)
    scores = model.scores_
    assert isinstance(scores, Scores)
    assert (scores.keys, scores.item, scores.meta.method) == (("sentence",), "sentence", "lexrank")
    assert np.asarray(scores).sum() == pytest.approx(1)
    assert {"doc", "position", "degree", "words", "text", "flag"} <= set(scores.frame.columns)
    assert model.doc_.tolist() == [0, 0, 1, 1, 2, 2]
    assert model.position_.tolist() == [0, 1, 0, 1, 0, 1]
    assert scores.meta.rows == 6
    assert len(scores.meta.data) == 2  # the sentences, and the texts they are from
    assert scores.rollup("doc", "sum").values.sum() == pytest.approx(1)


@pytest.mark.parametrize(
    "kind",
    [tuple, pd.Series, pl.Series, lambda given: np.array(given, dtype=object), iter],
    ids=["tuple", "pandas", "polars", "numpy", "iterator"],
)
def test_texts_may_come_in_any_row_of_texts(kind):
    assert LexRank().fit(kind(REPORTS)).scores_.frame.equals(LexRank().fit(REPORTS).scores_.frame)


def test_it_can_be_cloned_pickled_and_asked_for_its_parameters():
    model = clone(LexRank("continuous", threshold=0.2, idf={"a": 1.0}))
    assert model.get_params()["threshold"] == 0.2
    model.set_params(idf=None).fit(REPORTS)
    again = pickle.loads(pickle.dumps(model))
    assert again.scores_.equals(model.scores_)
    assert again.summarize(2, min_words=1) == model.summarize(2, min_words=1)
    assert again.explain(0).equals(model.explain(0))


def test_the_same_texts_give_the_same_scores():
    assert LexRank().fit(REPORTS).scores_.frame.equals(LexRank().fit(REPORTS).scores_.frame)


@pytest.mark.parametrize("call", [lambda m: m.summarize(), lambda m: m.explain(0), lambda m: m.plot()])
def test_nothing_can_be_had_before_it_is_fitted(call):
    with pytest.raises(NotFittedError):
        call(LexRank())


def test_one_sentence_scores_one():
    assert LexRank().fit("Only this.").scores_.values.tolist() == [1.0]


def test_sentences_that_are_empty_or_too_short_keep_their_numbers_and_get_no_score():
    model = LexRank(min_words=2).fit([["a b c", "", "a"], [], ["a b d", "  "]])
    assert model.scores_.frame["flag"].to_list() == [None, "unscored", "too_few", None, "unscored"]
    assert model.scores_.values[[0, 3]].tolist() == [0.5, 0.5]
    assert "1 documents have no sentence: [1]" in model.scores_.meta.warnings[-1]
    with pytest.raises(ValueError, match="sentence 1 was not ranked"):
        model.explain(1)


def test_a_sentence_without_a_known_word_has_its_link_to_itself_only():
    model = LexRank(min_words=0).fit([["a b", "a c", "!?", "a b"]])
    assert model.degree_.tolist() == [4 - 1, 4 - 1, 1, 4 - 1]
    assert model.scores_.values[2] == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("documents", "error", "message"),
    [
        ([], ValueError, "no sentence in the 0 documents"),
        (["", "  "], ValueError, "no sentence in the 2 documents"),
        ([["", " "]], ValueError, "no sentence"),
        (["a", None], TypeError, "document 1 is None"),
        (["a", float("nan")], TypeError, "document 1 is nan"),
        (["a", 3], TypeError, "document 1 is 3"),
        (["a", b"b"], TypeError, "document 1"),
        ([["a", 5]], TypeError, "sentence 1 of document 0 is 5"),
        (7, TypeError, "texts or lists of sentences, got int"),
        (b"text", TypeError, "got bytes"),
        ({"a": "One.", "b": "Two."}, TypeError, r"got dict; .* list\(d.values\(\)\)"),
        ({"One.", "Two."}, TypeError, "got set"),
        (pd.DataFrame({"text": ["One."]}), TypeError, "got DataFrame; .* one column"),
        (pl.DataFrame({"text": ["One."]}), TypeError, "got DataFrame"),
        ([{"a": "One."}], TypeError, "document 0 is"),
    ],
)
def test_what_is_no_text_is_refused(documents, error, message):
    with pytest.raises(error, match=message):
        LexRank().fit(documents)


@pytest.mark.parametrize(
    ("made", "more", "message"),
    [
        ({"language": "xx"}, {}, "no rules to split language='xx'; there are am, ar"),
        ({"min_words": 50}, {}, "none of the 6 sentences has min_words=50 words; the longest has"),
        ({"follow": 1.0}, {}, "falls into"),
        ({"similarity": "precomputed"}, {}, "wants an array of similarities"),
        ({"similarity": "precomputed"}, {"matrix": np.eye(3)}, r"shape \(6, 6\); got \(3, 3\)"),
        ({"similarity": "precomputed"}, {"matrix": np.eye(6), "about": "a"}, "only similarities"),
        ({"similarity": "embedding"}, {}, "wants vectors"),
        ({"similarity": "embedding", "embed": embed}, {"matrix": np.ones((6, 2))}, "not both"),
        ({"similarity": "embedding"}, {"matrix": np.ones((5, 2))}, r"shape \(6, d\); got \(5, 2\)"),
        ({"similarity": "embedding"}, {"matrix": np.full((6, 2), np.nan)}, "6 vectors are not finite"),
        ({"similarity": "embedding"}, {"matrix": np.ones((6, 2)), "about": "a"}, "needs LexRank"),
        ({"similarity": "embedding", "idf": {"a": 1.0}}, {"matrix": np.ones((6, 2))}, "compares no words"),
        ({"method": "centroid", "similarity": "embedding"}, {"matrix": np.ones((6, 2))}, "adds up words"),
        ({}, {"matrix": np.eye(6)}, "takes no matrix"),
        ({"idf": {"a": -1.0}}, {}, "finite numbers from 0 up"),
        ({"idf": {}}, {}, "not an empty one"),
        ({"idf": {"a": 1.0}}, {"background": ["a"]}, "give one"),
        ({}, {"background": ["!", "?"]}, "has no words"),
        ({}, {"background": ["All of it in one."]}, "the background is one document"),
    ],
)
def test_what_does_not_fit_together_is_refused(made, more, message):
    with pytest.raises(ValueError, match=message):
        LexRank(**made).fit(REPORTS, **more)


@pytest.mark.parametrize(
    ("background", "message"), [("one text", "not one text"), (["a", None], "document 1 of")]
)
def test_a_background_is_a_list_of_texts(background, message):
    with pytest.raises(TypeError, match=message):
        LexRank().fit(REPORTS, background=background)


@pytest.mark.parametrize(
    "made",
    [{"method": "pagerank"}, {"threshold": 1.0}, {"threshold": -0.1}, {"follow": 1.2}, {"similarity": "bm25"},
     {"tol": 0}, {"max_iter": 0}, {"unseen": "zero"}, {"min_words": -1}, {"idf": 3}],
)  # fmt: skip
def test_parameters_are_checked(made):
    with pytest.raises(InvalidParameterError):
        LexRank(**made).fit(REPORTS)


def test_the_picture_shows_a_bounded_number_of_sentences():
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    ax = LexRank().fit(planted(0)[0]).plot(most=20)
    assert "30 sentences more" in [text.get_text() for text in ax.texts]
    one = LexRank().fit("Only this.").plot()
    assert one.texts[0].get_text() == "1"
    plt.close("all")


def test_more_links_than_memory_holds_are_refused_while_they_are_made():
    same = ["The river flooded the old town."] * 300
    with pytest.raises(ValueError, match=r"of 300 sentences have .* raise the threshold, give fewer texts"):
        LexRank(memory=96 * 20_000).fit([same])
    assert len(LexRank(memory=96 * 60_000).fit([same]).scores_) == 300
