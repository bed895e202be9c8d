"""How many rows are enough: every rate is tried on rows that it was not selected from."""

import numpy as np
import polars as pl
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_digits, make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Perceptron, RidgeClassifier, SGDClassifier
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC, NuSVC
from sklearn.tree import DecisionTreeClassifier

from salience.instances import GraphAttentionSelector
from salience.instances.gais.rates import Folds, checked_rates, is_margin_model, rate_table, smallest_rate
from salience.instances.gais.rounds import scored
from salience.instances.gais.table import table_of

QUICK = {"epochs": 20, "random_state": 0}


@pytest.fixture(scope="module")
def table():
    return make_classification(
        300, 6, n_informative=4, n_redundant=0, n_classes=3, class_sep=2.0, random_state=0
    )


# ---- accuracy by rate -----------------------------------------------------------------------------------

SEEN = []


class Reader(ClassifierMixin, BaseEstimator):
    """Reads the class off the first column, and remembers the rows (second column) that it was fitted on."""

    def fit(self, X, y):
        SEEN.append(set(np.asarray(X)[:, 1].astype(int).tolist()))
        return self

    def predict(self, X):
        return np.asarray(X)[:, 0].astype(int)


def read(wrong=(), folds=3, seed=0, rates=(0.5,), select=None, n=60):
    """The table of rates where the first column is the class but for some rows, and half of the rows are kept."""
    y = np.arange(n) % 2
    X = np.column_stack([y, np.arange(n)]).astype(float)
    X[list(wrong), 0] = 1 - X[list(wrong), 0]
    select = select or (lambda X, y, fold: lambda rate: np.arange(len(y)) < rate * len(y))
    SEEN.clear()
    return rate_table(X, table_of(X, y), Folds(Reader(), rates, folds, seed), select)


def folds_of(n, folds, seed):
    y = np.arange(n) % 2
    return list(StratifiedKFold(folds, shuffle=True, random_state=seed).split(y, y))


def test_accuracy_is_the_mean_over_folds_of_what_is_right_on_the_rows_held_out():
    wrong = [0, 1, 2, 5, 11, 12, 30]
    found = read(wrong)
    right = [1 - np.isin(held, wrong).mean() for _, held in folds_of(60, 3, 0)]
    assert len(set(right)) > 1
    assert found["accuracy"].to_list() == pytest.approx([np.mean(right)] * 2)
    assert found["se"].to_list() == pytest.approx([np.std(right, ddof=1) / np.sqrt(3)] * 2)
    assert found["loss"].to_list() == [0.0, 0.0]
    assert found["effectiveness"].to_list() == pytest.approx([np.mean(right) / 2, 0.0])


def test_a_model_learns_from_the_selected_training_rows_and_from_all_of_them():
    odd = read(select=lambda X, y, fold: lambda rate: X[:, 1] % 4 == 1)
    wanted = []
    for train, _ in folds_of(60, 3, 0):
        wanted += [{row for row in train.tolist() if row % 4 == 1}, set(train.tolist())]
    assert wanted == SEEN
    assert odd["kept"].to_list() == pytest.approx([0.25, 1.0], abs=0.03)


def test_what_was_learned_by_heart_is_worth_nothing():
    """A tree knows its own rows of any labels."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(200, 3)), rng.integers(0, 2, 200)
    folds = Folds(DecisionTreeClassifier(random_state=0), [0.5], 3, 0)
    found = rate_table(X, table_of(X, y), folds, lambda X, y, fold: lambda rate: np.arange(len(y)) % 2 == 0)
    assert max(found["accuracy"]) < 0.65


def test_the_seed_deals_the_folds():
    parts = []
    for seed in (0, 1, 0):
        read(seed=seed)
        parts.append(list(SEEN))
    assert parts[0] == parts[2] != parts[1]


def test_rates_are_tried_from_the_smallest_on_and_all_rows_last():
    assert read(rates=(0.4, 0.1, 0.2))["rate"].to_list() == [0.1, 0.2, 0.4, 1.0]


def test_a_row_of_each_class_per_fold_is_enough():
    X, y = np.random.default_rng(0).normal(size=(40, 2)), (np.arange(40) < 3).astype(int)
    folds, keep = Folds(DecisionTreeClassifier(), [0.5], 3, 0), np.ones(40, bool)
    found = rate_table(X, table_of(X, y), folds, lambda X, y, fold: lambda rate: keep[: len(y)])
    assert found.height == 2
    y[0] = 0
    with pytest.raises(ValueError, match="needs 3 rows of each class, one per fold; the class 1 has 2"):
        rate_table(X, table_of(X, y), folds, lambda X, y, fold: lambda rate: keep[: len(y)])


def test_a_loss_of_just_the_tolerance_is_allowed():
    """.95 less .94 is .010000000000000009."""
    assert smallest_rate(pl.DataFrame({"rate": [0.1, 1.0], "loss": [0.95 - 0.94, 0.0]}), 0.01) == 0.1


@pytest.mark.parametrize("rates", [(0.0, 0.5), (0.5, 1.0), (), 0.5, (float("nan"),)])
def test_rates_are_shares_of_the_rows(rates):
    with pytest.raises(ValueError, match=r"shares of the rows in \(0, 1\)"):
        checked_rates(rates)


# ---- the rate that is enough ----------------------------------------------------------------------------


def test_the_smallest_rate_that_keeps_the_accuracy_is_found(table):
    X, y = table
    selector = GraphAttentionSelector(
        rate="auto",
        estimator=DecisionTreeClassifier(random_state=0),
        rates=(0.05, 0.3),
        tolerance=0.2,
        **QUICK,
    ).fit(X, y)
    tried = selector.rate_table_
    assert tried["rate"].to_list() == [0.05, 0.3, 1.0]
    enough = tried.filter(pl.col("loss") <= 0.2)["rate"].min()
    assert selector.support_.sum() == sum(np.ceil(enough * np.bincount(y)))
    np.testing.assert_allclose(tried["accuracy"][-1] - tried["accuracy"], tried["loss"], atol=1e-12)
    assert tried["effectiveness"][-1] == 0.0


def test_no_rate_is_enough_where_every_row_counts():
    rng = np.random.default_rng(0)
    X, y = load_digits(return_X_y=True)
    some = rng.permutation(len(X))[:400]
    selector = GraphAttentionSelector(
        rate="auto", estimator="logistic", rates=(0.05,), tolerance=0.0, cv=2, **QUICK
    )
    with pytest.warns(UserWarning, match="no rate of"):
        selector.fit(X[some], y[some])
    assert selector.support_.all()


def test_the_rate_is_tried_on_rows_that_were_not_selected_from(table):
    """Each fold is scored anew: the progress counts its epochs too."""
    told = []
    GraphAttentionSelector(
        tolerance=0.9, rate="auto", estimator="forest", rates=(0.2,), cv=2, epochs=3, random_state=0,
        progress=lambda done, total: told.append((done, total)),
    ).fit(*table)  # fmt: skip
    assert told == [(i, 9) for i in range(1, 10)]


def test_a_fold_selects_among_its_training_rows_only(table):
    seen = []

    def select(X, y, fold):
        seen.append({tuple(row) for row in X})
        return lambda rate: np.arange(len(y)) < rate * len(y)

    X, y = table
    found = rate_table(X, table_of(X, y), Folds(DecisionTreeClassifier(), [0.5], 3, 0), select)
    assert [len(rows) for rows in seen] == [200] * 3
    assert not set.intersection(*seen), "each row is held out once"
    assert found["kept"].to_list() == [0.5, 1.0]


@pytest.fixture
def asked(table, monkeypatch):
    """What a search for the rate asks of a fold: its folds and seeds, and the rows that are kept of it."""

    def ask(**options):
        found = {}

        def tried(part, recipe, seeds, tell):
            found.setdefault("seeds", seeds.tolist())
            return scored(part, recipe, seeds, tell)

        def tabulated(X, table, folds, select):
            found["folds"] = folds.seed
            found["kept"] = select(X, table.codes, 0)(0.1)
            return pl.DataFrame({"rate": [0.1, 1.0], "loss": [0.0, 0.0]})

        monkeypatch.setattr("salience.instances.gais.selector.scored", tried)
        monkeypatch.setattr("salience.instances.gais.selector.rate_table", tabulated)
        X, y = table
        X = np.concatenate([X, np.repeat(X[y == 0][:1], 40, axis=0)])
        y = np.concatenate([y, np.zeros(40, int)])
        options = {"epochs": 5, "random_state": 0, "score_by": "confidence", **options}
        GraphAttentionSelector(rate="auto", estimator="forest", **options).fit(X, y)
        return found

    return ask


def test_rates_are_tried_with_folds_and_networks_of_the_seed(asked):
    first, again, other = (asked(random_state=state, n_rounds=2) for state in (0, 0, 1))
    assert len(first["seeds"]) == 2
    assert (first["seeds"], first["folds"]) == (again["seeds"], again["folds"])
    assert first["seeds"] != other["seeds"]
    assert first["folds"] != other["folds"]


def test_rates_are_tried_with_rows_as_far_apart_as_those_that_will_be_kept(asked):
    plain, diverse = (asked(diverse=diverse)["kept"] for diverse in (False, True))
    assert plain.sum() == diverse.sum()
    assert (plain != diverse).any()


@pytest.mark.parametrize(
    ("model", "margin"),
    [
        (SVC(), True),
        (make_pipeline(StandardScaler(), LinearSVC()), True),
        (make_pipeline(SVC(), DecisionTreeClassifier()), False),
        (NuSVC(), True),
        (Perceptron(), True),
        (RidgeClassifier(), True),
        (SGDClassifier(), True),
        (SGDClassifier(loss="squared_hinge"), True),
        (SGDClassifier(loss="perceptron"), True),
        (SGDClassifier(loss="log_loss"), False),
        (LogisticRegression(), False),
        (RandomForestClassifier(), False),
    ],
)
def test_margin_models_are_known(model, margin):
    assert is_margin_model(model) == margin


def test_a_margin_model_is_warned_of(table):
    with pytest.warns(UserWarning, match="SVC puts its boundary"):
        GraphAttentionSelector(estimator=SVC(), **QUICK).fit(*table)
