"""The bench of texts."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from salience.results.meta import Meta
from salience.results.scores import Scores
from salience.verify import texts, verify
from salience.verify.fingerprints import fingerprint


def reports(seed: int, news: int = 12, other: int = 48) -> list[str]:
    """Sentences of one story, whose words they share, between sentences about anything; the story comes first."""
    rng = np.random.default_rng(seed)
    story = [f"story{i}" for i in range(20)]
    anything = [f"word{i}" for i in range(3000)]
    found = [" ".join([*rng.choice(story, 7, False), *rng.choice(anything, 5)]) for _ in range(news)]
    return found + [" ".join(rng.choice(anything, 12)) for _ in range(other)]


def scores_of(values, **meta) -> Scores:
    return Scores.from_values(values, keys="sentence", item="sentence", meta=Meta(**meta))


def test_cosine_recall_and_f1_by_hand():
    given, target = ["rain floods town", "rain rain dog"], ["Town: rain, rain!", "cat"]
    keep = [[True, True], [True, False], [False, False]]
    recall = texts(given, target, measure="recall").values(keep)
    np.testing.assert_allclose(recall, [[1, 0], [2 / 3, 0], [0, 0]])
    f1 = texts(given, target, measure="f1").values(keep)
    np.testing.assert_allclose(f1, [[2 * 3 / (6 + 3), 0], [2 * 2 / (3 + 3), 0], [0, 0]])
    rare = np.log(3 / 2) + 1  # of a word in one of two texts; in both: 1
    own, kept = np.array([2.0, rare]), np.array([1.0, rare, rare])  # rain, town; rain, town, floods
    expected = (2 + rare**2) / np.linalg.norm(own) / np.linalg.norm(kept)
    cosine = texts(given, target).values(keep)
    np.testing.assert_allclose(cosine[1:], [[expected, 0], [0, 0]])


def test_a_background_says_which_words_say_nothing():
    """Of two texts: "the" is in both and weighs nothing, "rain" in one, "dog" in none."""
    bench = texts(["the rain", "the dog"], ["the dog", "the rain"], background=["the rain", "the sun", "the"])
    rain, dog = np.log(4 / 2), np.log(4 / 1)
    both = np.hypot(rain, dog)
    expected = [[0, 1], [1, 0], [dog / both, rain / both]]
    np.testing.assert_allclose(bench.values([[True, False], [False, True], [True, True]]), expected)
    with pytest.raises(TypeError, match="background is a list of texts"):
        texts(["a"], ["a"], background="a")


def test_a_ranking_with_the_story_on_top_holds():
    given = reports(0)
    bench = texts(given, reports(1, other=0))
    verdict = verify(scores_of([float("story" in text) for text in given]), bench)
    assert verdict.named("retention").verdict == "holds"
    assert verdict.named("deletion").verdict == "holds"


@pytest.mark.parametrize("seed", range(3))
def test_a_random_ranking_fails_and_so_does_the_story_at_the_end(seed):
    given = reports(0)
    bench = texts(given, reports(1, other=0))
    wrong = {
        "random": np.random.default_rng(seed).random(len(given)),
        "reversed": [float("story" not in text) for text in given],
    }
    for values in wrong.values():
        verdict = verify(scores_of(values), bench)
        assert verdict.named("retention").verdict == "fails"
        assert verdict.named("deletion").verdict == "fails"


def test_a_ranking_made_from_the_targets_is_refused_and_one_made_from_the_texts_is_not():
    given, target = reports(0), reports(1, other=0)
    bench = texts(given, target)
    values = np.arange(len(given))
    for made_from in (target, given + target):
        with pytest.raises(ValueError, match="judged on"):
            verify(scores_of(values, data=(fingerprint(pl.DataFrame({"text": made_from})),)), bench)
    verify(scores_of(values, data=(fingerprint(pl.DataFrame({"text": given})),)), bench)


def test_targets_that_are_among_the_texts_are_no_targets_for_a_ranking_of_them():
    given = reports(0)
    made_from = scores_of(np.arange(len(given)), data=(fingerprint(pl.DataFrame({"text": given})),))
    with pytest.raises(ValueError, match="judged on"):
        verify(made_from, texts(given, given[:10]))


def test_items_are_called_as_the_scores_call_them():
    bench = texts(["a b", "c"], ["c d"], items=["x", "y"], keys=("row",))
    assert (bench.items, bench.keys, bench.how, bench.perfect) == (("x", "y"), ("row",), "hold", 1.0)
    assert bench.floor == 0


def test_words_may_be_cut_by_the_caller():
    bench = texts(["天气很好", "公园"], ["天气"], analyzer=list, measure="recall")
    np.testing.assert_allclose(bench.values(np.eye(2, dtype=bool)), [[1], [0]])


@pytest.mark.parametrize(
    ("given", "target", "more", "error", "message"),
    [
        ("one text", ["a"], {}, TypeError, "list of texts"),
        (["a"], "one text", {}, TypeError, "target is a list"),
        (["a", None], ["a"], {}, TypeError, "number 1 of texts is None"),
        ([], ["a"], {}, ValueError, "texts has no text"),
        (["a"], [], {}, ValueError, "target has no text"),
        (["!"], ["?"], {}, ValueError, "no word"),
        (["a"], ["a"], {"measure": "bleu"}, ValueError, "cosine, recall, f1"),
        (["a"], ["a"], {"items": [1, 2]}, ValueError, "2 items are named"),
    ],
)
def test_what_cannot_be_compared_is_refused(given, target, more, error, message):
    with pytest.raises(error, match=message):
        texts(given, target, **more)
