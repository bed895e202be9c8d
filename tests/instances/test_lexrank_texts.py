"""Texts to sentences, sentences to words, sentences to a summary."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salience.instances import LexRank
from salience.instances.lexrank.sentences import _MARK, _MARKS, _WINDOW, _in_windows, flattened, splitter
from salience.instances.lexrank.summary import Budget
from salience.instances.lexrank.words import words_of

pytestmark = pytest.mark.filterwarnings("ignore:.*(isolated|no structure|taken, not more)")

NEWS = [
    [
        "The storm reached the coast on Monday with winds of up to 140 kilometres an hour.",
        "Ferries to the islands stayed in the harbour because of the storm on the coast.",
        "A museum opened its new wing.",
    ],
    [
        "With winds of up to 140 kilometres an hour the storm reached the coast on Monday.",
        "Power failed in many villages of the coast when the storm reached it on Monday.",
    ],
    [
        "Ferries stayed in the harbour and power failed on the coast because of the storm.",
        "Tennis: the favourite lost.",
    ],
]


# ---- sentences -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "text", "sentences"),
    [
        ("en", "Dr. Smith paid 3.5 dollars. Why? Nobody knows.", ["Dr. Smith paid 3.5 dollars.", "Why?", "Nobody knows."]),
        ("de", "Das kostet z.B. viel Geld. Am 3. Mai kam er.", ["Das kostet z.B. viel Geld.", "Am 3. Mai kam er."]),
        ("zh", "今天天气很好。我们去公园。", ["今天天气很好。", "我们去公园。"]),
        ("ru", "Он пришёл. Она ушла!", ["Он пришёл.", "Она ушла!"]),
    ],
)  # fmt: skip
def test_sentences_end_as_the_language_has_it(language, text, sentences):
    assert splitter(None, language)(text) == sentences


def test_an_empty_line_ends_a_sentence_and_the_end_of_a_line_does_not():
    text = "A headline\n\nThe first sentence goes\non here. The second\r\none too.\n \nA new paragraph."
    assert splitter(None, "en")(text) == [
        "A headline", "The first sentence goes on here.", "The second one too.", "A new paragraph.",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["a) b) c) " * 3000, "Mr. Dr. e.g. i.e. " * 2000, "1. 22. 333. " * 3000])
def test_a_window_holds_few_abbreviations_and_numbers_of_items(text):
    """pysbd's time grows with their cube, so a window ends after so many."""
    marks = []

    def segment(window):
        marks.append(len(_MARK.findall(window)))
        return [window]

    assert " ".join(_in_windows(text.strip(), segment)).split() == text.split()
    assert max(marks) <= 3 * _MARKS


def test_a_book_in_one_line_is_split_in_windows_without_a_seam():
    sentences = [f"Sentence {i} of a book without any paragraph is here." for i in range(3000)]
    book, lengths = " ".join(sentences), []

    def segment(window):
        lengths.append(len(window))
        return re.findall(r"[^.]*\.?\s*", window)

    assert splitter(None, "en")(book) == sentences
    assert _in_windows(book, segment) == sentences
    assert len(book) > 5 * _WINDOW
    assert max(lengths) < 1.01 * _WINDOW  # time grows with the square of a window, not of the book


def test_a_text_without_an_end_of_a_sentence_is_one():
    text = " ".join(["word"] * 10_000)
    assert splitter(None, "en")(text) == [text]


@pytest.mark.parametrize("sign", "☉∯∮ȸ")
def test_a_sentence_with_a_sign_that_pysbd_uses_itself_is_not_lost(sign):
    text = f"The star has 2 M{sign} and more. It shines on all of us. Nobody knows {sign} yet!"
    found = splitter(None, "en")(text)
    assert "".join(found).replace(" ", "") == text.replace(" ", "")
    assert "It shines on all of us." in found


def test_the_caller_may_split():
    model = LexRank(split=lambda text: text.split(" / ")).fit("rain in town / rain in the town / the sun")
    assert model.sentences_ == ["rain in town", "rain in the town", "the sun"]


def test_what_a_splitter_gives_has_to_be_text():
    with pytest.raises(TypeError, match="what split gave for document 0"):
        flattened(["a"], lambda text: [1])


# ---- words -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Snow, SNOW; 12 cm!", ["snow", "snow", "12", "cm"]),
        ("Füße über ÉTÉ", ["füße", "über", "été"]),
        ("e\u0301te\u0301", ["été"]),  # composed and decomposed letters are one
        ("हिन्दी में", ["हिन्दी", "में"]),  # marks belong to their word
        ("天气好", ["天气", "气好"]),
        ("我", ["我"]),
        ("2024年雨 ok", ["2024", "年雨", "ok"]),
        ("!?", []),
        ("", []),
    ],
)
def test_words_in_any_script(text, words):
    assert words_of(text) == words


@pytest.mark.parametrize(
    ("language", "text", "best"),
    [
        (
            "de",
            "Der Fluss stieg nach dem Regen. Der Regen und der Fluss trafen die Stadt. Die Stadt schläft.",
            1,
        ),
        ("zh", "暴雨淹没了老城。周一的暴雨淹没了老城和学校。学校周一停课。", 1),
        (
            "ar",
            "غمر النهر المدينة القديمة. غمر المطر المدينة القديمة وأغلقت المدارس. أغلقت المدارس بعد المطر.",
            1,
        ),
    ],
)
def test_other_languages_are_ranked(language, text, best):
    model = LexRank("continuous", language=language).fit(text)
    assert len(model.sentences_) == 3
    assert model.scores_.top(1).items == [best]


# ---- summaries -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def news() -> LexRank:
    return LexRank().fit(NEWS)


def test_a_summary_is_in_the_order_of_the_documents_and_each_sentence_with_its_score(news):
    chosen = news.summarize(3)
    assert len(chosen) == 3
    assert [one.index for one in chosen] == sorted(one.index for one in chosen)
    assert all(news.sentences_[index] == sentence and 0 <= score <= 1 for index, sentence, score in chosen)
    assert max(one.score for one in chosen) == pytest.approx(1)


def test_of_two_sentences_with_the_same_words_one_is_taken(news):
    indices = {one.index for one in news.summarize(4, redundancy=0.9)}
    assert len(indices & {0, 3}) == 1
    assert {0, 3} <= {one.index for one in news.summarize(5, redundancy=1.0)}


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.floats(0, 1), st.integers(1, 12))
def test_no_two_sentences_of_a_summary_are_more_alike_than_allowed(seed, redundancy, k):
    rng = np.random.default_rng(seed)
    words = list("abcdefghij")
    model = LexRank("continuous", threshold=0.0).fit([[" ".join(rng.choice(words, 4)) for _ in range(12)]])
    chosen = [one.index for one in model.summarize(k, redundancy=redundancy, min_words=1)]
    alike = model.similarity_.toarray()[np.ix_(chosen, chosen)]
    np.fill_diagonal(alike, 0)
    assert alike.max() <= redundancy
    assert 1 <= len(chosen) <= k


@pytest.mark.parametrize("limit", [{"max_bytes": 200}, {"max_words": 32}, {"k": 2, "max_bytes": 170}])
def test_a_summary_keeps_to_its_budget_and_cuts_no_sentence(news, limit):
    chosen = news.summarize(**limit, redundancy=1.0)
    whole = " ".join(one.sentence for one in chosen)
    assert chosen
    assert len(whole.encode()) <= limit.get("max_bytes", 10**9)
    assert len(whole.split()) <= limit.get("max_words", 10**9)
    assert len(chosen) <= limit.get("k", 10**9)


def test_bytes_are_those_of_utf8():
    assert Budget(max_bytes=6).room_for("äöü", [])
    assert not Budget(max_bytes=5).room_for("äöü", [])
    assert not Budget(max_bytes=8).room_for("ab", ["äöü"])  # and the space between them
    assert Budget(max_bytes=9).room_for("ab", ["äöü"])


def test_a_sentence_that_does_not_fit_is_passed_over():
    model = LexRank("degree").fit([["a b c d e f g h i j k l m n o p", "a b", "c d", "x y"]])
    assert model.scores_.top(1).items == [0]
    assert [one.index for one in model.summarize(max_bytes=8, min_words=1)] == [1, 2]


def test_short_sentences_are_left_out_unless_one_asks_for_them(news):
    with pytest.warns(UserWarning, match=r"of 7 sentences 5 have at least min_words=9 words"):
        assert not {2, 6} & {one.index for one in news.summarize(7, redundancy=1.0)}
    assert len(news.summarize(7, redundancy=1.0, min_words=1)) == 7


def test_three_sentences_are_taken_that_are_at_most_half_alike_unless_one_asks():
    """The cosine of the first two is 0.55."""
    idf = dict.fromkeys("abcdefghijklmnopqrstuvwxyz", 1.0)
    sentences = ["a b c d e f g h i j k", "a b c d e f l m n o p", "q r s t u v w x y", "z", "z q", "z r"]
    model = LexRank(idf=idf).fit([sentences])
    assert model.similarity_[0, 1] == pytest.approx(6 / 11)
    assert len({0, 1} & {one.index for one in model.summarize(6)}) == 1
    assert len(model.summarize(redundancy=1.0, min_words=1)) == 3


def test_more_sentences_than_there_are_give_all_with_a_warning(news):
    with pytest.warns(UserWarning, match="7 sentences were taken, not more"):
        assert len(news.summarize(100, redundancy=1.0, min_words=1)) == 7


def test_a_budget_that_nothing_fits_gives_nothing_with_a_warning(news):
    with pytest.warns(UserWarning, match="0 sentences were taken.* do not fit"):
        assert news.summarize(max_bytes=5) == []


def test_the_preset_of_mead_counts_position_as_much_as_centrality(news):
    scores = {one.index: one.score for one in news.summarize(7, preset="mead", redundancy=1.0, min_words=1)}
    values = news.scores_.values
    central = (values - values.min()) / np.ptp(values)
    position = [1, 0.5, 0, 1, 0, 1, 0]
    np.testing.assert_allclose([scores[i] for i in range(7)], central + position)
    assert [one.index for one in news.summarize(3, weights=(0, 1), min_words=1, redundancy=1.0)] == [0, 3, 5]


def test_sentences_that_are_all_as_central_are_taken_from_the_start():
    model = LexRank().fit([["a b", "c d", "e f", "g h"]])
    chosen = model.summarize(2, min_words=1)
    assert [(one.index, one.score) for one in chosen] == [(0, 1.0), (1, 1.0)]


def test_values_that_differ_by_rounding_count_as_one_in_a_summary():
    """Parts whose sentences are all linked: 1/n each, but for the last bit, which must not become 0 and 1."""
    sizes = [2, 3, 5, 7]
    S = np.kron(np.eye(4), np.ones((7, 7)))[
        np.ix_(*[np.concatenate([7 * i + np.arange(m) for i, m in enumerate(sizes)])] * 2)
    ]
    model = LexRank(similarity="precomputed").fit([[f"s{i}" for i in range(17)]], matrix=S)
    assert np.ptp(model.scores_.values) > 0
    chosen = model.summarize(17, redundancy=1.0, min_words=1)
    assert [one.score for one in chosen] == [1.0] * 17
    assert model.summarize(1, min_words=1)[0].index == 10  # the first of those with most links
    both = model.summarize(17, preset="mead", redundancy=1.0, min_words=1)
    np.testing.assert_allclose([one.score for one in both], 2 - np.arange(17) / 16)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"k": 0}, "k is a whole number from 1 up, got 0"),
        ({"k": 2.5}, "k is a whole number"),
        ({"max_bytes": -1}, "max_bytes is a whole"),
        ({"max_words": True}, "max_words is a whole"),
        ({"redundancy": 1.5}, "redundancy is a similarity"),
        ({"preset": "first"}, "preset is one of lexrank, mead"),
        ({"weights": (1, -1)}, "weights are two numbers"),
        ({"weights": (1, 2, 3)}, "weights are two numbers"),
    ],
)
def test_what_is_no_summary_is_refused(news, more, message):
    with pytest.raises(ValueError, match=message):
        news.summarize(**more)
