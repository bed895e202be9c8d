"""Methods that rank sentences, judged by sentences that did not make the ranking."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import BaseEstimator

from salience.results.meta import Meta
from salience.results.scores import Scores
from salience.verify import verify


def stories(documents: int = 8, seed: int = 0) -> list[list[str]]:
    """Documents of ten sentences, of which the third and the eighth are about a story that all tell."""
    rng = np.random.default_rng(seed)
    story = [f"story{i}" for i in range(20)]
    anything = [f"word{i}" for i in range(3000)]
    return [
        [" ".join([*rng.choice(story, 7, False), *rng.choice(anything, 5)]) if place in (2, 7)
         else " ".join(rng.choice(anything, 12)) for place in range(10)]
        for _ in range(documents)
    ]  # fmt: skip


def scores_of(documents, value) -> Scores:
    """Scores of each sentence, by a function of it."""
    rows = [(doc, place, text) for doc, one in enumerate(documents) for place, text in enumerate(one)]
    frame = pl.DataFrame(rows, schema=["doc", "position", "text"], orient="row").with_row_index("sentence")
    frame = frame.with_columns(value=pl.Series([float(value(text)) for text in frame["text"]]))
    return Scores(frame, ("sentence",), item="sentence", meta=Meta(method="planted"))


class Story(BaseEstimator):
    """Sentences by their words of the story; texts are split at full stops."""

    def fit(self, documents):
        split = [one.split(". ") if isinstance(one, str) else one for one in documents]
        self.scores_ = scores_of(split, lambda text: text.count("story"))
        return self


def test_a_good_method_holds_and_the_rankings_beside_it_fail():
    verdict = verify(Story(), stories(30))
    assert verdict.named("retention").verdict == "holds"
    assert [verdict.named("retention", name).verdict for name in ("random", "reversed")] == ["fails"] * 2
    assert verdict.overall == "holds", verdict
    assert verdict.settings["sentences"] == 300


def test_a_good_method_turned_round_fails():
    verdict = verify(lambda given: scores_of(given, lambda text: -text.count("story")), stories())
    assert verdict.named("retention").verdict == "fails"


@pytest.mark.parametrize("seed", range(6))
def test_a_method_that_knows_nothing_does_not_hold(seed):
    rng = np.random.default_rng(seed)
    verdict = verify(lambda given: scores_of(given, lambda text: rng.random()), stories(16))
    assert verdict.named("retention").verdict in ("fails", "undecided")
    assert verdict.named("retention").statistic < 0


@pytest.mark.parametrize("kind", [list, tuple, pl.Series, pd.Series])
def test_texts_are_split_by_the_method_and_the_same_comes_of_it(kind):
    documents = stories()
    whole = verify(Story(), kind([". ".join(one) for one in documents]))
    assert whole.named("retention").statistic == verify(Story(), documents).named("retention").statistic


@pytest.mark.parametrize(("documents", "splits"), [(8, 2), (9, 3), (3, 2)])
def test_each_ranking_is_made_without_what_judges_it_and_all_is_held_out_once(documents, splits):
    given, seen, told = stories(documents), [], []

    def watched(parts):
        seen.append([text for one in parts for text in one])
        return scores_of(parts, lambda text: text.count("story"))

    verify(watched, given, splits=splits, progress=lambda done, total: told.append((done, total)))
    whole, *kept = seen
    assert told == [(number + 1, splits) for number in range(splits)]
    assert whole == [text for one in given for text in one]
    held = [set(whole) - set(part) for part in kept]
    assert sorted(text for one in held for text in one) == sorted(whole)
    for one in held:
        of_a_document = [len(one & set(document)) for document in given]
        assert (
            set(of_a_document) <= {0, 10} or documents < 2 * splits
        )  # whole documents, where there are enough


def test_halves_are_drawn_by_the_seed():
    def halves(seed):
        seen = []

        def watched(parts):
            seen.append(parts)
            return scores_of(parts, len)

        verify(watched, stories(), seed=seed)
        return seen[1:]

    assert halves(0) == halves(0) != halves(1)


def test_a_ranking_by_length_is_found_out():
    documents = [[f"{text} {'longer ' * place}" for place, text in enumerate(one)] for one in stories()]
    verdict = verify(lambda given: scores_of(given, len), documents)
    assert verdict.named("nuisance").verdict == "fails"
    assert "length" in verdict.named("nuisance").why


def test_another_method_may_agree():
    assert verify(Story(), stories(), other=Story()).named("agreement").verdict == "holds"


def test_words_may_be_cut_by_the_caller():
    """Without spaces every sentence is one word, and nothing is common."""
    documents = [["".join(text.split()) for text in one] for one in stories()]
    assert verify(Story(), documents).named("retention").verdict == "not run"
    pairs = verify(Story(), documents, analyzer=lambda text: [text[i : i + 7] for i in range(len(text))])
    assert pairs.named("retention").verdict == "holds"


def test_a_ranking_by_words_that_are_everywhere_holds_only_without_a_background():
    """Sentences full of what all texts are full of are like all others, but tell nothing."""
    rng = np.random.default_rng(0)
    common, rare = [f"the{i}" for i in range(8)], [f"word{i}" for i in range(3000)]
    documents = [
        [" ".join([*rng.choice(common, 9 - 4 * (place % 2)), *rng.choice(rare, 3 + 4 * (place % 2))]) for place in range(10)]
        for _ in range(12)
    ]  # fmt: skip
    background = [" ".join([*common, *rng.choice(rare, 20)]) for _ in range(50)]

    def by_common(given):
        return scores_of(given, lambda text: text.count("the"))

    assert verify(by_common, documents).named("retention").verdict == "holds"
    assert verify(by_common, documents, background=background).named("retention").verdict != "holds"


@pytest.mark.parametrize(
    ("documents", "why"),
    [
        ([["one a", "two b", "three c"]], "3 sentences are too few"),
        ([["one a", "two b", "three c"], [" ", ""], ["four d"]], "6 sentences are too few"),
        ([["story a b"] * 20], "word for word"),
    ],
)
def test_where_nothing_can_be_said_it_says_why(documents, why):
    check = verify(Story(), documents).named("retention")
    assert (check.verdict, why in check.why) == ("not run", True)


def test_sentences_without_a_score_are_not_counted_as_ranked():
    def few(given):
        found = scores_of(given, lambda text: text.count("story"))
        return found.replace(
            frame=found.frame.with_columns(value=pl.when(pl.col("sentence") < 3).then("value"))
        )

    assert "too few" in verify(few, stories()).named("retention").why


@pytest.mark.parametrize(
    ("method", "more", "error", "message"),
    [
        (Story, {}, TypeError, "a method is a callable"),
        (lambda given: [1.0], {}, TypeError, "columns doc, position, text, got"),
        (lambda given: Scores.from_values([1.0]), {}, TypeError, "columns doc, position, text"),
        (lambda given: scores_of(stories(), len), {}, ValueError, "does not score each sentence"),
        (Story(), {"random": 5}, ValueError, "20 random rankings"),
        (Story(), {"splits": 1}, ValueError, "at least 2 splits"),
        (Story(), {"thresholds": {"leak": 1.0}}, ValueError, "leak"),
    ],
)  # fmt: skip
def test_what_cannot_be_judged_is_refused(method, more, error, message):
    with pytest.raises(error, match=message):
        verify(method, stories(), **more)
