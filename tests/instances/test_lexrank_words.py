"""What words weigh in LexRank, by whose analyzer, and the edges of what a summary may hold."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from salience.instances import LexRank
from salience.instances.lexrank.sentences import _WINDOW, _in_windows, splitter
from salience.instances.lexrank.summary import Budget, combined, weights_of
from salience.instances.lexrank.words import Words, analyzed, inverse_frequency, words_of

pytestmark = pytest.mark.filterwarnings("ignore:.*(isolated|no structure)")

TEXTS = ["a b c", "b c", "c d", "d"]
WORDS = Words([["b", "new"], ["c"]])  # b, c, new


def idf(**given):
    options = {"idf": None, "background": None, "analyzer": words_of, "unseen": "rare"} | given
    return dict(zip(WORDS.names, inverse_frequency(WORDS, **options).tolist(), strict=True))


def vectorizer(**options):
    return TfidfVectorizer(token_pattern=r"\w+", **options).fit(TEXTS)


# ---- weights of words -----------------------------------------------------------------------------------


def test_a_word_that_a_mapping_lacks_weighs_as_much_as_the_rarest_it_has():
    assert idf(idf={"b": 1.0, "c": 0.5, "z": 4.0}) == {"b": 1.0, "c": 0.5, "new": 4.0}
    assert idf(idf={"b": 1.0, "c": 0.5, "z": 4.0}, unseen="skip")["new"] == 0.0


def test_a_word_that_a_background_lacks_is_rarer_than_all_it_has():
    found = idf(background=TEXTS)
    assert found == pytest.approx({"b": np.log(4 / 2), "c": np.log(4 / 3), "new": np.log(5)})


def test_without_any_the_sentences_are_the_documents():
    assert idf() == pytest.approx(dict.fromkeys(("b", "c", "new"), np.log(3 / 2) + 1))


def test_a_vectorizer_without_idf_weighs_its_words_alike():
    assert idf(idf=vectorizer(use_idf=False)) == {"b": 1.0, "c": 1.0, "new": 1.0}


@pytest.mark.parametrize(("max_df", "weighs"), [(1.0, True), (10, False), (1, False), (0.9, False)])
def test_a_vectorizer_that_leaves_out_common_words_gives_new_ones_no_weight(max_df, weighs):
    """1.0 is all documents; 1 is a single one."""
    made = vectorizer(max_df=max_df)
    assert idf(idf=made)["new"] == (made.idf_.max() if weighs else 0.0)


def test_the_analyzer_of_the_caller_goes_before_that_of_a_vectorizer():
    made = vectorizer(ngram_range=(2, 2))
    assert analyzed("word", made)("a b c") == ["a b", "b c"]
    assert analyzed(str.split, made)("a B") == ["a", "B"]
    assert analyzed("word", None)("a B") == ["a", "b"]
    model = LexRank(analyzer=lambda text: text.split("/")).fit([["one two/three", "three/four", "one/two"]])
    assert model.scores_.frame["words"].to_list() == [2, 2, 2]
    assert model.degree_.tolist() == [2, 2, 1]


def test_rows_that_are_ranked_are_those_that_the_scores_are_of():
    assert LexRank(min_words=2).fit([["a b", "a b c", "a", ""]]).scores_.meta.rows == 2


# ---- sentences ------------------------------------------------------------------------------------------


def test_a_line_of_blanks_ends_a_sentence():
    assert splitter(None, "en")("One line\n \t \nand another") == ["One line", "and another"]


def test_a_text_without_an_end_is_cut_after_four_windows():
    """Time grows with the square of what is split at once."""
    lengths = []

    def segment(window):
        lengths.append(len(window))
        return [window]

    found = _in_windows("x" * (9 * _WINDOW), segment)
    assert "".join(found) == "x" * (9 * _WINDOW)
    assert max(lengths) == 4 * _WINDOW


# ---- summaries ------------------------------------------------------------------------------------------


def test_a_budget_may_be_used_up():
    assert Budget(max_words=3).room_for("c", ["a b"])
    assert not Budget(max_words=2).room_for("c", ["a b"])
    assert Budget(k=1, max_bytes=1, max_words=1).room_for("a", [])


def test_a_sentence_of_just_enough_words_and_just_so_much_alike_is_taken(recwarn):
    """The cosine of the first two is 1/4."""
    idf = dict.fromkeys("abcdefghi", 1.0)
    model = LexRank(idf=idf).fit([["a b c d", "a e f g", "h i"]])
    chosen = model.summarize(2, redundancy=0.25, min_words=4)
    assert [one.index for one in chosen] == [0, 1]
    assert not [said for said in recwarn.list if "were taken" in str(said.message)]
    with pytest.warns(UserWarning, match="1 sentences were taken"):
        assert len(model.summarize(2, redundancy=0.24, min_words=4)) == 1


def test_a_limit_of_bytes_or_words_alone_is_no_limit_of_sentences():
    model = LexRank().fit([["a b", "c d", "e f", "g h", "i j"]])
    for limit in ({"max_bytes": 100}, {"max_words": 100}):
        assert len(model.summarize(**limit, min_words=1)) == 5
    assert len(model.summarize(min_words=1)) == 3


@pytest.mark.parametrize("weights", [(np.nan, 1.0), (1.0, np.inf), (-1e-9, 1.0), (1.0,)])
def test_weights_are_two_finite_numbers_from_zero_up(weights):
    with pytest.raises(ValueError, match="weights are two numbers from 0 up"):
        weights_of("lexrank", weights)
    assert weights_of("mead", (0.0, 2.0)) == (0.0, 2.0)
    assert (weights_of("lexrank", None), weights_of("mead", None)) == ((1.0, 0.0), (1.0, 1.0))


def test_position_falls_from_one_to_nothing_and_is_one_where_a_sentence_is_alone():
    found = combined(np.ones(4), np.array([0, 1, 2, 0]), np.array([3, 3, 3, 1]), (0.0, 2.0))
    assert found.tolist() == [2.0, 1.0, 0.0, 2.0]


def test_the_numbers_of_the_method():
    given = LexRank().get_params()
    wanted = {
        "method": "threshold", "threshold": 0.1, "follow": 0.85, "tol": 1e-8, "max_iter": 1000, "unseen": "rare",
        "self_links": True, "weak": True, "min_words": 1, "cutoff": 0.0, "similarity": "tfidf",
    }  # fmt: skip
    assert {name: given[name] for name in wanted} == wanted
    said = LexRank.summarize.__kwdefaults__
    assert {name: said[name] for name in ("redundancy", "preset", "min_words")} == {
        "redundancy": 0.5,
        "preset": "lexrank",
        "min_words": 9,
    }


# ---- the picture ----------------------------------------------------------------------------------------


def test_so_many_of_the_best_are_numbered():
    from matplotlib.figure import Figure

    model = LexRank().fit([["a b", "b c", "c d", "a d"]])
    texts = [text.get_text() for text in model.plot(Figure().subplots(), top=2).texts]
    assert [text for text in texts if text.isdigit()] == ["1", "2"]


def test_linked_points_lie_nearer_than_others():
    from salience.instances.lexrank.picture import layout

    weights = np.kron(np.eye(2), np.ones((4, 4)))[[0, 4, 1, 5, 2, 6, 3, 7]][:, [0, 4, 1, 5, 2, 6, 3, 7]]
    np.fill_diagonal(weights, 0.0)
    at = layout(weights)
    gap = np.linalg.norm(at[:, None] - at, axis=2)
    assert gap[weights > 0].mean() < 0.6 * gap[(weights == 0) & ~np.eye(8, dtype=bool)].mean()
