import numpy as np
import polars as pl
import pytest
from sklearn.base import BaseEstimator

from salience.results.scores import Scores
from salience.verify.checks.invariance import invariance


def names_of(frame, label):
    return [name for name in frame.columns if name != label]


def values_by(f):
    def method(frame, label):
        names = names_of(frame, label)
        return Scores.from_values([f(frame, name, label, place) for place, name in enumerate(names)], names)

    return method


def correlation_of(frame, name, label, place):
    y = np.unique(frame[label].to_numpy(), return_inverse=True)[1]
    return abs(np.corrcoef(frame[name].to_numpy(), y)[0, 1])


BROKEN = {
    "row_order": values_by(lambda frame, name, label, place: frame[name][0]),
    "item_order": values_by(lambda frame, name, label, place: -place),
    "relabel": values_by(lambda frame, name, label, place: np.sin(37 * place) * frame[label][0]),
    "rescale": values_by(lambda frame, name, label, place: frame[name].std()),
}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_good_method_is_invariant(seed, table):
    checks = invariance(values_by(correlation_of), table(seed=seed), seed=seed)
    assert [check.verdict for check in checks] == ["holds"] * 4 + ["not run"]
    assert "number of workers" in checks[-1].why


@pytest.mark.parametrize("kind", BROKEN)
def test_each_broken_method_fails_its_change(kind, table):
    X, y = table(n=200)
    (check,) = invariance(BROKEN[kind], (X, 2 * y - 1), [kind])
    assert check.verdict == "fails", check
    assert "moves most" in check.why


def test_random_scores_without_a_fixed_seed_fail(table):
    rng = np.random.default_rng(0)
    checks = invariance(values_by(lambda *_: rng.random()), table(n=100, d=30), ["row_order", "item_order"])
    assert {check.verdict for check in checks} == {"fails"}


class Restless(BaseEstimator):
    """Good with one worker, worthless with more."""

    def __init__(self, n_jobs=1):
        self.n_jobs = n_jobs

    def fit(self, X, y):
        rng = np.random.default_rng(self.n_jobs)
        self.scores_ = Scores.from_values(rng.random(X.shape[1]), list(X.columns))
        return self


def test_the_number_of_workers_is_changed_where_there_is_one(table):
    (check,) = invariance(Restless(), table(d=30), ["n_jobs"])
    assert check.verdict == "fails"


def test_renaming_keeps_which_values_are_equal():
    seen = []

    def method(frame, label):
        seen.append(frame)
        return Scores.from_values([1.0, 2.0, 3.0], names_of(frame, label))

    X = pl.DataFrame({"t": ["a", "b", "a", None], "u": ["x", "y", "z", "z"], "n": [1, 2, 3, 4]})
    invariance(method, (X, ["p", "q", "p", "q"]), ["relabel"], n=1)
    before, after = seen
    assert after["t"].null_count() == 1
    assert after["t"][0] == after["t"][2] != after["t"][1]
    assert after["t"][0] not in ("a", "b")
    assert set(after.columns) == set(before.columns)
    assert after["n"].to_list() == [1, 2, 3, 4]
    assert after[before.columns[-1]].to_list() == ["q", "p", "q", "p"]


def test_what_cannot_change_is_not_run_and_says_why():
    numbers = pl.DataFrame(np.random.default_rng(0).normal(size=(30, 3)), schema=["a", "b", "c"])
    texts = pl.DataFrame({name: ["u", "v"] * 15 for name in "abc"})
    ones = values_by(lambda *_: 1.0)
    target = np.random.default_rng(1).normal(size=30)
    (relabel,) = invariance(ones, (numbers, target), ["relabel"])
    (rescale,) = invariance(ones, (texts, target), ["rescale"])
    (few,) = invariance(ones, (numbers.select("a", "b"), target), ["row_order"])
    assert [check.verdict for check in (relabel, rescale, few)] == ["not run"] * 3
    assert "nothing to rename" in relabel.why
    assert "no column is numeric" in rescale.why


def test_rounding_is_no_other_ranking(table):
    rng = np.random.default_rng(0)
    noisy = values_by(
        lambda frame, name, label, place: (
            correlation_of(frame, name, label, place) * (1 + 1e-13 * rng.normal())
        )
    )
    assert {check.verdict for check in invariance(noisy, table(), ["row_order", "rescale"])} == {"holds"}


def test_an_unknown_change_is_named(table):
    with pytest.raises(ValueError, match="'weather'"):
        invariance(values_by(correlation_of), table(), ["weather"])
