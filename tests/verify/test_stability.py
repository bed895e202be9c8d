import numpy as np
import polars as pl
import pytest

from salience.results.scores import Scores
from salience.verify.checks.stability import nogueira, repeat, stability


def random_scores(n, items, seed):
    rng = np.random.default_rng(seed)
    return [Scores.from_values(rng.random(items)) for _ in range(n)]


@pytest.mark.parametrize("seed", range(5))
def test_random_rankings_are_not_stable(seed):
    check = stability(random_scores(8, 40, seed), k=10)
    assert check.verdict == "fails"
    assert abs(check.statistic) < 0.3


@pytest.mark.parametrize("vary", ["bootstrap", "fold"])
def test_a_planted_top_is_stable_and_chance_is_not(vary, table, good_method, worthless_method):
    data = table(n=400, d=16, good=4)
    assert stability(repeat(good_method, data, 6, vary), k=4).verdict == "holds"

    def restless(frame, label):
        return worthless_method(frame, label, seed=int(frame.to_numpy().sum() * 1e6) % 2**31)

    assert stability(repeat(restless, data, 6, vary), k=4).verdict == "fails"


def test_seeds_are_given_to_the_method(table, worthless_method):
    data = table(n=50)
    repeats = repeat(worthless_method, data, 4, "seed")
    assert len({tuple(scores.values) for scores in repeats}) == 4
    assert stability(repeats).verdict != "holds"


def test_whole_groups_are_drawn():
    groups = np.repeat([0, 1, 2, 3], 5)
    frame = pl.DataFrame({"g": groups, "h": np.arange(20)})

    def count(frame, label):
        sizes = frame["g"].value_counts()["count"].to_list()
        assert all(size % 5 == 0 for size in sizes)
        return Scores.from_values([1.0, 0.0], ["g", "h"])

    assert len(repeat(count, (frame, np.arange(20) % 2), 3, "group", groups=groups)) == 3


def test_nogueira_is_the_published_formula():
    top = np.random.default_rng(0).random((7, 12)) < 0.4
    often, d, repeats = top.mean(axis=0), 12, 7
    size = top.sum(axis=1).mean()
    expected = 1 - np.mean(repeats / (repeats - 1) * often * (1 - often)) / (size / d * (1 - size / d))
    value, se = nogueira(top)
    assert value == pytest.approx(expected)
    assert se > 0


def test_the_interval_covers_zero_for_random_tops():
    covered = 0
    for seed in range(60):
        value, se = nogueira(np.argsort(np.random.default_rng(seed).random((20, 30)), axis=1) < 8)
        covered += abs(value) < 1.96 * se
    assert covered >= 50


def test_replicates_of_one_scores_are_repeats():
    rng = np.random.default_rng(0)
    values = np.arange(20.0)
    kept = Scores.from_values(values, replicates=values + 0.1 * rng.normal(size=(5, 20)))
    assert stability(kept, k=5).verdict == "holds"
    lost = Scores.from_values(values, replicates=rng.normal(size=(5, 20)))
    assert stability(lost, k=5).verdict == "fails"


@pytest.mark.parametrize(
    ("scores", "k", "why"),
    [
        (Scores.from_values(np.arange(5.0)), None, "one ranking"),
        (random_scores(3, 4, 0), 4, "always the same"),
    ],
)
def test_what_cannot_be_judged_says_why(scores, k, why):
    check = stability(scores, k)
    assert check.verdict == "not run"
    assert why in check.why


def test_repeats_of_different_items_are_refused():
    with pytest.raises(ValueError, match="different items"):
        stability([Scores.from_values({"a": 1.0, "b": 2.0}), Scores.from_values({"a": 1.0, "c": 2.0})])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"vary": "weather"}, "seed, bootstrap, group, fold"),
        ({"n": 1}, "at least 2"),
        ({"vary": "seed"}, "takes no seed"),
        ({"vary": "group"}, "needs groups"),
        ({"vary": "group", "groups": [1, 2]}, "2 values for 600 rows"),
    ],
)
def test_repeats_that_cannot_be_made_are_refused(settings, message, table, good_method):
    with pytest.raises(ValueError, match=message):
        repeat(good_method, table(), **({"n": 3, "vary": "fold"} | settings))
