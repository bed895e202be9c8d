import builtins

import numpy as np
import polars as pl
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.svm import LinearSVC

from salience.verify.estimators import ESTIMATORS, named_estimator
from salience.verify.losses import prior_losses, row_losses
from salience.verify.sample import Sample


def mixed(n=400, seed=0, target="classes"):
    rng = np.random.default_rng(seed)
    x, group = rng.normal(size=n), rng.integers(0, 3, n)
    signal = x + np.array([-1.5, 0, 1.5])[group] + 0.3 * rng.normal(size=n)
    X = pl.DataFrame({"x": x, "group": [f"g{g}" for g in group], "id": [f"u{i}" for i in range(n)]})
    X = X.with_columns(x=pl.when(pl.int_range(n) % 17 == 0).then(None).otherwise("x"))
    y = {"classes": np.where(signal > 0, "yes", "no"), "numbers": signal}[target]
    return Sample.of(X.to_pandas() if seed % 2 else X, y)


@pytest.mark.parametrize("name", sorted(set(ESTIMATORS) - {"ridge"}))
@pytest.mark.parametrize("seed", [0, 1])
def test_each_estimator_learns_from_mixed_columns_with_gaps(name, seed):
    train, test = mixed(seed=seed), mixed(seed=seed + 2)
    model = named_estimator(name, "classes", 0).fit(train.X, train.target)
    assert row_losses(model, test).mean() < 0.75 * prior_losses(train, test).mean()


@pytest.mark.parametrize("name", ["ridge", "forest", "lightgbm"])
def test_all_but_logistic_regression_predict_numbers(name):
    train, test = mixed(target="numbers"), mixed(seed=2, target="numbers")
    model = named_estimator(name, "numbers", 0).fit(train.X, train.target)
    assert row_losses(model, test).mean() < 0.4 * prior_losses(train, test).mean()


def test_the_same_seed_gives_the_same_model():
    train = mixed()
    first, second = (
        row_losses(named_estimator("forest", seed=3).fit(train.X, train.target), train) for _ in range(2)
    )
    assert (first == second).all()


def test_an_estimator_of_the_user_is_cloned():
    own = DummyClassifier()
    assert named_estimator(own) is not own
    assert isinstance(named_estimator(own), DummyClassifier)


def test_a_classifier_without_probabilities_costs_one_per_error():
    train = Sample.of(np.random.default_rng(0).normal(size=(50, 2)), np.arange(50) % 2)
    model = LinearSVC().fit(train.X, train.target)
    assert set(row_losses(model, train)) <= {0.0, 1.0}
    assert prior_losses(train, train, model).mean() == 0.5


def test_a_class_that_was_never_seen_costs_the_most_and_no_more():
    train = Sample.of(np.zeros((4, 1)), np.array(["a", "a", "b", "b"]))
    test = Sample.of(np.zeros((2, 1)), np.array(["a", "c"]))
    losses = row_losses(DummyClassifier().fit(train.X, train.target), test)
    np.testing.assert_allclose(losses, [np.log(2), -np.log(1e-4)])
    np.testing.assert_allclose(losses, prior_losses(train, test))


def test_logistic_regression_of_a_number_says_what_to_use():
    with pytest.raises(ValueError, match="'ridge', 'forest'"):
        named_estimator("logistic", "numbers")


def test_ridge_regression_of_classes_says_what_to_use():
    with pytest.raises(ValueError, match="'logistic'"):
        named_estimator("ridge")


@pytest.mark.parametrize(("given", "error"), [("svm", ValueError), (3, TypeError), (object(), TypeError)])
def test_what_is_no_estimator_is_refused_with_the_names(given, error):
    with pytest.raises(error, match="logistic, ridge, forest, lightgbm"):
        named_estimator(given)


def test_without_lightgbm_the_extra_is_named(monkeypatch):
    real = builtins.__import__

    def blocked(name, *args, **kwargs):
        if name == "lightgbm":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", blocked)
    with pytest.raises(ImportError, match=r"salience\[trees\]"):
        named_estimator("lightgbm")
