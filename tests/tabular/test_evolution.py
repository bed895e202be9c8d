import numpy as np
import polars as pl
import pytest

from salience.tabular.evolution import additions, evolve
from salience.tabular.streaming.reference import Reference


@pytest.fixture(scope="module")
def planted():
    """Label from `main` and from the exclusive or of `a` and `b`; eight columns of noise."""
    rng = np.random.default_rng(0)
    n = 2400
    X = {name: rng.integers(2, size=n) for name in ("a", "b")} | {"main": rng.integers(5, size=n)}
    X |= {f"noise{c}": rng.integers(c, size=n) for c in (2, 3, 5, 10, 50, 200, 900)}
    chance = 0.5 + 0.2 * np.where(X["a"] ^ X["b"], 1, -1) + 0.12 * (X["main"] - 2)
    return X, (rng.random(n) < chance).astype(int)


@pytest.fixture(scope="module")
def grown(planted):
    return evolve(*planted, heuristic="surrogate-LR", seed=0)


def test_it_finds_the_single_and_the_pair_and_then_stops(grown):
    assert set(grown.reference.features) == {("main",), ("a", "b")}
    assert grown.stopped == "nothing adds"
    assert grown.scores.frame["rank"].to_list() == [1, 2]
    assert (grown.scores.frame["value"] > 2 * grown.scores.frame["se"]).all()


def test_the_grown_model_is_written_in_the_form_it_is_read(grown, tmp_path):
    path = tmp_path / "model.json"
    path.write_text(grown.reference.to_json())
    assert Reference.read(path) == grown.reference


def test_starting_from_a_model_it_appends_only_what_that_model_lacks(planted):
    grown = evolve(*planted, reference=["main"], heuristic="surrogate-LR")
    assert [r.added for r in grown.rounds] == [("a", "b")]
    assert grown.reference.features == (("main",), ("a", "b"))


def test_noise_is_never_appended():
    rng = np.random.default_rng(3)
    X = {f"n{i}": rng.integers(c, size=2000) for i, c in enumerate([2, 4, 20, 100, 1500])}
    for seed in range(3):
        grown = evolve(X, rng.integers(2, size=2000), heuristic="surrogate-LR", seed=seed)
        assert not grown.rounds
        assert grown.scores.frame.height == 0


def test_rounds_are_told_as_they_come_and_can_be_limited(planted):
    told = []
    grown = evolve(*planted, heuristic="surrogate-LR", rounds=1, progress=told.append)
    assert told == list(grown.rounds)
    assert grown.stopped == "all rounds done"
    # 10 singles and 45 pairs were looked at, 30 fitted
    assert (told[0].considered, told[0].fitted) == (55, 30)


def test_a_small_pair_budget_comes_round_to_every_pair(planted):
    X, y = planted
    grown = evolve(
        {k: X[k] for k in ("a", "b", "main", "noise2")}, y, heuristic="surrogate-LR", pair_budget=6
    )
    assert ("a", "b") in grown.reference.features


def test_additions_answers_what_the_model_lacks(planted):
    X, y = planted
    scores = additions(X, y, ["main"], heuristic="surrogate-LR", shortlist=10)
    assert scores.top(1).items == ["a AND b"]
    assert scores.frame.height == 10
    assert scores.frame.filter(pl.col("column") == "a AND b")["gain"][0] > 0.05


def test_a_column_whose_name_holds_the_word_and_is_not_taken_apart(planted):
    X, y = planted
    renamed = {"salt AND pepper" if name == "main" else name: column for name, column in X.items()}
    grown = evolve(renamed, y, heuristic="surrogate-LR", rounds=1, order=1)
    assert grown.rounds[0].added == ("salt AND pepper",)
    assert grown.scores.frame["members"].to_list() == [["salt AND pepper"]]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"order": 0}, "order=0"),
        ({"rounds": 0}, "rounds=0"),
        ({"tries": 0}, "tries=0"),
        ({"pair_budget": 0}, "pair_budget=0"),
        ({"held_out": 1.0}, "held_out=1.0"),
        ({"alpha": 0.0}, "alpha=0.0"),
        ({"heuristic": "MI"}, "surrogates are"),
        ({"reference": ["ghost"]}, "ghost"),
    ],
)
def test_options_outside_their_range_are_refused(planted, options, says):
    with pytest.raises(ValueError, match=says):
        evolve(*planted, **options)
