"""compare_row_selectors: nested, beside random and all rows, with the labels that are given and the true ones."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import BaseEstimator
from sklearn.datasets import load_iris, make_blobs
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from salience.verify import compare_row_selectors

TREE = {"tree": DecisionTreeClassifier(random_state=0)}


class Keeps(BaseEstimator):
    """Keeps what a function of rows and labels says."""

    def __init__(self, chosen=None, rate=0.1):
        self.chosen, self.rate = chosen, rate

    def fit_resample(self, X, y):
        self.rows_ = self.chosen(X, y, self.rate)
        return X[self.rows_], y[self.rows_]

    def get_support(self, indices=False):
        return self.rows_


class OwnSize(BaseEstimator):
    """In the manner of imbalanced-learn, three rows of each class."""

    def fit_resample(self, X, y):
        self.sample_indices_ = np.concatenate([np.flatnonzero(y == c)[:3] for c in np.unique(y)])
        return X[self.sample_indices_], y[self.sample_indices_]

    def get_params(self, deep=True):
        return {}


def first(X, y, rate):
    return np.concatenate(
        [np.flatnonzero(y == c)[: int(np.ceil(rate * (y == c).sum()))] for c in np.unique(y)]
    )


@pytest.fixture
def iris():
    return load_iris(return_X_y=True)


def compared(data, chosen=first, **settings):
    """The table, and all that the selector saw."""
    seen = []

    def watched(X, y, rate):
        seen.append((rate, X, y))
        return chosen(X, y, rate)

    settings = {"estimators": TREE, "splits": 3, **settings}
    return compare_row_selectors({"ours": Keeps(watched)}, *data, **settings), seen


def row(frame, **where):
    return frame.filter(**where).row(0, named=True)


def test_random_and_all_rows_are_always_there(iris):
    found, _ = compared(iris, rates=(0.1, 0.3))
    assert found.select("selector", "kind", "rate").rows() == [
        ("ours", "selector", 0.1),
        ("ours", "selector", 0.3),
        ("random", "random", 0.1),
        ("random", "random", 0.3),
        ("all rows", "all rows", None),
    ]


def test_a_selector_of_its_own_size_stands_beside_as_many_random_rows(iris):
    found = compare_row_selectors({"own": OwnSize()}, *iris, estimators=TREE, splits=3)
    ours, random = row(found, selector="own"), row(found, selector="random as own")
    assert ours["reduction"] == random["reduction"] == pytest.approx(1 - 9 / 105)
    assert ours["rate"] is None
    assert ours["over_random"] == pytest.approx(ours["accuracy"] - random["accuracy"])


def test_effectiveness_is_accuracy_times_reduction(iris):
    found, _ = compared(iris)
    for one in found.iter_rows(named=True):
        assert one["effectiveness"] == pytest.approx(one["accuracy"] * one["reduction"], abs=1e-3)
    everything = row(found, selector="all rows")
    assert (everything["reduction"], everything["effectiveness"]) == (0.0, 0.0)


def test_the_error_is_that_of_nadeau_and_bengio():
    X = np.arange(40.0)[:, None]
    y = np.arange(40) % 2

    class Majority(BaseEstimator):
        def fit(self, X, y):
            return self

        def predict(self, X):
            return np.zeros(len(X), dtype=int)

    folds = [(np.arange(20), np.arange(20, 24)), (np.arange(20), np.array([20, 22, 24, 26]))]

    class Two:
        def split(self, X, y):
            return iter(folds)

    found = compare_row_selectors(
        {"ours": Keeps(first)}, X, y, estimators={"zero": Majority()}, splits=Two(), draws=1
    )
    everything = row(found, selector="all rows")
    assert everything["accuracy"] == 0.75  # 0.5 and 1
    assert everything["accuracy_se"] == pytest.approx(np.std([0.5, 1.0], ddof=1) * np.sqrt(1 / 2 + 4 / 20))


def test_selectors_never_see_the_rows_held_out(iris):
    X, y = iris
    marked = np.column_stack([X, np.arange(150.0)])
    found, seen = compared((marked, y), rates=(0.1,))
    assert len(seen) == 3
    for _, table, labels in seen:
        assert len(table) == len(labels) == 105
        assert abs(table.mean(0)).max() < 1e-9, "standardised by the training rows alone"
    assert found.height == 3


def test_a_leak_would_be_seen():
    """A selector that keeps one row per class cannot know which of them help rows it has not seen."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 3)), rng.integers(0, 2, 300)
    found, _ = compared((X, y), rates=(0.2,), splits=8)
    ours = row(found, selector="ours")
    assert abs(ours["over_random"]) < 3 * ours["over_random_se"] + 0.05


def test_a_selector_of_right_labels_beats_random_rows_and_says_how_many_are_wrong():
    X, y = make_blobs(400, centers=[[0, 0], [4, 4]], random_state=0)
    rng = np.random.default_rng(0)
    given = np.where(rng.random(400) < 0.3, 1 - y, y)

    def central(X, labels, rate):
        """The rows nearest to the median of their class."""
        out = []
        for c in np.unique(labels):
            rows = np.flatnonzero(labels == c)
            far = np.linalg.norm(X[rows] - np.median(X[rows], axis=0), axis=1)
            out.append(rows[np.argsort(far)][: int(np.ceil(rate * len(rows)))])
        return np.concatenate(out)

    found, seen = compared((X, y), central, given=given, estimators={"1-NN": KNeighborsClassifier(1)})
    ours, random, everything = (row(found, selector=name) for name in ("ours", "random", "all rows"))
    assert set(np.unique(seen[0][2])) == {0, 1}
    assert ours["over_random"] > 0.1
    assert ours["wrong"] < 0.05
    assert random["wrong"] == pytest.approx(0.3, abs=0.1)
    assert everything["wrong"] == pytest.approx(np.mean(given != y), abs=0.05)
    assert everything["accuracy"] < ours["accuracy"]


def test_without_given_labels_nothing_is_wrong_or_right(iris):
    found, _ = compared(iris)
    assert found["wrong"].null_count() == found.height


def test_a_selector_that_keeps_one_class_predicts_it(iris):
    found, _ = compared(iris, lambda X, y, rate: np.flatnonzero(y == 1))
    assert row(found, selector="ours")["accuracy"] == pytest.approx(1 / 3)


def test_the_seed_decides(iris):
    first_run, again, other = (compared(iris, random_state=seed)[0].drop("seconds") for seed in (0, 0, 1))
    assert first_run.equals(again)
    assert not first_run.equals(other)


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame])
def test_frames_are_taken(iris, kind):
    X, y = iris
    frame = kind({f"c{i}": X[:, i] for i in range(4)})
    labels = np.array(["u", "v", "w"])[y]
    found, _ = compared((frame, labels))
    plain, _ = compared((X, labels))
    assert found.drop("seconds").equals(plain.drop("seconds"))


def test_selectors_stay_as_they_are_without_rates(iris):
    found, seen = compared(iris, rates=None)
    assert [rate for rate, *_ in seen] == [0.1] * 3
    assert found["selector"].to_list() == ["ours", "random as ours", "all rows"]


def test_progress_counts_selections(iris):
    told = []
    compared(iris, rates=(0.1, 0.2), splits=2, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"selectors": {}}, ValueError, "mapping of names"),
        ({"selectors": {"x": KNeighborsClassifier()}}, TypeError, "no fit_resample"),
        ({"selectors": {"x": OwnSize}}, TypeError, "no fit_resample"),
        ({"selectors": {"random": OwnSize()}}, ValueError, "is taken"),
        ({"rates": []}, ValueError, r"in \(0, 1\]"),
        ({"rates": [0.0]}, ValueError, r"in \(0, 1\]"),
        ({"rates": [1.1]}, ValueError, r"in \(0, 1\]"),
        ({"draws": 0}, ValueError, "draws=0"),
        ({"splits": 1}, ValueError, "at least 2"),
        ({"splits": "many"}, TypeError, "splits is a number"),
        ({"given": [0] * 20}, ValueError, "20 values|20 labels"),
        ({"X": np.full((150, 2), np.nan)}, ValueError, "NaN"),
        ({"X": pl.DataFrame({"a": ["u"] * 150})}, ValueError, "'a' hold no numbers"),
    ],
)
def test_what_cannot_be_compared_is_refused(iris, change, error, said):
    arguments = {"selectors": {"ours": Keeps(first)}, "X": iris[0], "y": iris[1], **change}
    with pytest.raises(error, match=said):
        compare_row_selectors(**arguments)


def test_a_selector_that_does_not_say_what_it_kept_is_refused(iris):
    class Silent(BaseEstimator):
        def fit_resample(self, X, y):
            return X[:9], y[:9]

    with pytest.raises(TypeError, match="does not say which rows it kept"):
        compare_row_selectors({"silent": Silent()}, *iris, splits=2)
