"""NestedClassifier: tables, images, networks of one's own, seeds and files; and what is refused."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks
from torch import nn

from salience.instances import NestedClassifier
from salience.instances.noisy_labels.design import Recipe
from salience.instances.noisy_labels.learning import Schedules

SMALL = {"n_features": 16, "hidden": 32, "epochs": (8, 4), "forget_rate": 0.2, "random_state": 0}


pytestmark = pytest.mark.usefixtures("one_thread")


@parametrize_with_checks([NestedClassifier(**{**SMALL, "epochs": (6, 3), "forget_rate": 0.1})])
def test_it_passes_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def fitted(noisy):
    return NestedClassifier(**SMALL).fit(noisy[0], noisy[2])


# ---- images and modules -----------------------------------------------------------------------------------


def small_images():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 200)
    X = rng.normal(size=(200, 1, 8, 8))
    X[y == 1, :, 2:6, 2:6] += 1.5
    return X, y


def convolutions():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 12), nn.ReLU()
    )


@pytest.mark.parametrize("backbone", [convolutions, convolutions(), [convolutions()[:3], convolutions()[3:]]])
def test_images_go_through_a_network_of_ones_own(backbone):
    X, y = small_images()
    given = np.where(np.arange(200) % 10 == 0, 1 - y, y)
    model = NestedClassifier(backbone, epochs=(8, 4), forget_rate=0.1, random_state=0).fit(X, given)
    assert model.score(X, y) > 0.85
    assert model.scores_.frame.height == 12


@pytest.mark.filterwarnings("ignore:the labels carry nothing")
@pytest.mark.parametrize("cut", [False, True], ids=["module", "stages"])
def test_the_network_that_was_given_is_left_as_it_was(cut):
    X, y = small_images()
    backbone = convolutions()
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    given = [backbone[:3], backbone[3:]] if cut else backbone
    NestedClassifier(given, epochs=(1, 1), forget_rate=0.1, random_state=0).fit(X, y)
    assert all(torch.equal(before[name], value) for name, value in backbone.state_dict().items())
    assert backbone.training


def test_a_last_batch_of_one_row_does_not_stop_batch_normalisation():
    X, y = small_images()
    NestedClassifier(convolutions, epochs=(1, 1), batch_size=20, forget_rate=0.1).fit(
        X[:161], y[:161], X[161:], y[161:]
    )


# ---- tables, seeds, files ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"])
def test_frames_give_what_arrays_give(noisy, fitted, kind):
    X, _, given = noisy
    frame = (
        kind(X, [f"x{j}" for j in range(6)])
        if kind is pl.DataFrame
        else kind(X, columns=[f"x{j}" for j in range(6)])
    )
    model = NestedClassifier(**SMALL).fit(frame, given)
    assert np.array_equal(model.label_error_score_, fitted.label_error_score_)
    assert model.feature_names_in_.tolist() == [f"x{j}" for j in range(6)]
    assert model.scores_.meta.data == fitted.scores_.meta.data


def test_the_same_seed_gives_the_same_and_the_generator_of_others_is_left_alone(noisy, fitted):
    X, _, given = noisy
    torch.manual_seed(123)
    expected = torch.rand(3)
    torch.manual_seed(123)
    again = NestedClassifier(**SMALL).fit(X, given)
    assert torch.equal(torch.rand(3), expected)
    assert np.array_equal(again.label_error_score_, fitted.label_error_score_)
    assert np.array_equal(again.acc_curve_, fitted.acc_curve_)
    assert not np.array_equal(
        NestedClassifier(**{**SMALL, "random_state": 1}).fit(X, given).label_error_score_,
        fitted.label_error_score_,
    )


def test_it_can_be_cloned_and_pickled(noisy, fitted):
    X = noisy[0]
    assert clone(fitted).get_params() == fitted.get_params()
    assert np.array_equal(pickle.loads(pickle.dumps(fitted)).predict(X), fitted.predict(X))


def test_a_constant_column_does_no_harm(noisy):
    X, y, given = noisy
    model = NestedClassifier(**SMALL).fit(np.column_stack([X, np.full(300, 7.0)]), given)
    assert np.isfinite(model.decision_function(np.column_stack([X, np.full(300, 8.0)]))).all()
    assert model.score(np.column_stack([X, np.full(300, 7.0)]), y) > 0.95


def test_progress_counts_all_epochs_to_the_end(noisy):
    X, _, given = noisy
    told = []
    NestedClassifier(
        **{**SMALL, "forget_rate": "auto", "epochs": (2, 3)}, progress=lambda *pair: told.append(pair)
    ).fit(X, given)
    assert told == [(i, 13) for i in range(1, 14)]  # three folds and two networks of 2 epochs, then 3


def test_an_interruption_stops_all_and_leaves_nothing(noisy):
    X, _, given = noisy

    def interrupt(done, total):
        if done == 3:
            raise KeyboardInterrupt

    model = NestedClassifier(**SMALL, progress=interrupt)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, given)
    assert not hasattr(model, "scores_")


@pytest.mark.filterwarnings("ignore:loss was")
@pytest.mark.parametrize("lr", [(1e6, 0.01), (0.1, 1e8)], ids=["stage one", "stage two"])
def test_a_training_that_learns_nothing_is_an_error_and_no_score(noisy, lr):
    X, _, given = noisy
    with pytest.raises(ValueError, match="not finite in the first epoch at lr=1e"):
        NestedClassifier(**SMALL, lr=lr).fit(X, given)


def test_epochs_can_be_kept_last_or_best(noisy):
    X, _, given = noisy
    best = NestedClassifier(**SMALL, coteach=False).fit(X, given)
    (history,) = best.history_
    assert best.acc_curve_[best.k_star_ - 1] == pytest.approx(max(history["accuracy"]), abs=1e-3)
    last = NestedClassifier(**SMALL, coteach=False, keep="last").fit(X, given)
    assert last.acc_curve_[last.k_star_ - 1] == pytest.approx(last.history_[0]["accuracy"][-1])


@pytest.mark.parametrize("how", [{"warmup": 20}, {"milestones": ((2,), ())}, {"lr": (0.05, 0.01)}])
def test_warm_up_and_milestones_change_the_learning_rate(noisy, how):
    X, _, given = noisy
    plain, other = (NestedClassifier(**SMALL, coteach=False, **more).fit(X, given) for more in ({}, how))
    assert not np.array_equal(other.history_[0]["loss"], plain.history_[0]["loss"])


def test_the_learning_rate_rises_in_a_line_and_falls_at_milestones():
    recipe = Recipe(9, 0.4, (1, 2), 0.5, 4, 0.9, 0.0, 10, "last")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 1.0)
    schedules, rates = Schedules([optimizer], recipe), []
    for _ in range(3):
        for _ in range(2):
            schedules.before_step()
            rates.append(optimizer.param_groups[0]["lr"])
        schedules.step()
    assert rates == pytest.approx([0.1, 0.2, 0.15, 0.2, 0.1, 0.1])


# ---- what is refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"sigma": 0}, "sigma"),
        ({"sigma": (3.0, -1.0)}, "one positive number for each stage"),
        ({"sigma": (3.0, 3.0, 3.0)}, "3 sigmas and 2 stage"),
        ({"n_features": 1}, "n_features"),
        ({"forget_rate": 1.0}, "forget_rate"),
        ({"forget_rate": -0.1}, "forget_rate"),
        ({"compression": "dropout", "sigma": 5.0}, "choose one of them"),
        ({"pairing": "halves", "batch_size": 3}, "at least 4 rows"),
        ({"epochs": (3,)}, "each of the two stages"),
        ({"epochs": (3, 0)}, "whole numbers from 1 up"),
        ({"lr": (0.1, -1)}, "lr has positive"),
        ({"milestones": (1, 2)}, "two lists of epochs"),
        ({"milestones": ((1,), ("a",))}, "two lists of epochs"),
        ({"backbone": "resnet"}, "backbone"),
        ({"backbone": lambda: 3}, "makes one; got int"),
        ({"backbone": lambda: nn.Linear(6, 1)}, "D of at least 2"),
        ({"backbone": lambda: nn.Unflatten(1, (2, 3))}, r"must end in features \(n, D\)"),
        ({"val_fraction": 0.0}, "val_fraction"),
        ({"scale": "loud"}, "scale"),
    ],
)
def test_a_wrong_parameter_is_refused_with_what_is_allowed(noisy, params, message):
    X, _, given = noisy
    with pytest.raises((ValueError, TypeError), match=message):
        NestedClassifier(**{**SMALL, **params}).fit(X, given)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, y: (X[:0], y[:0]), "minimum of 2 is required"),
        (lambda X, y: (X[:1], y[:1]), "minimum of 2 is required"),
        (lambda X, y: (X, np.zeros(300)), "one class only"),
        (lambda X, y: (np.where(X > 3, np.nan, X), y), "NaN"),
        (lambda X, y: (np.where(X > 3, np.inf, X), y), "infinity"),
        (lambda X, y: (X, y[:10]), "inconsistent numbers"),
        (lambda X, y: (X, y + 0.5 * X[:, 0]), "continuous"),
        (lambda X, y: (X[:2], np.array([0, 1])), "no class of 2 rows"),
        (lambda X, y: (X, y, X[:0], y[:0]), "minimum of 1 is required"),
        (lambda X, y: (X, y, X[:5]), "come together"),
        (lambda X, y: (X, y, X[:5], y[:5] + 9), "which y has not"),
        (lambda X, y: (X, y, X[:5, :3], y[:5]), "3 features"),
        (lambda X, y: (X.reshape(300, 2, 3), y), "give a torch module"),
    ],
)  # fmt: skip
def test_wrong_data_are_refused_with_what_to_do(noisy, change, message):
    with pytest.raises(ValueError, match=message):
        NestedClassifier(**SMALL).fit(*change(noisy[0], noisy[2]))


def test_a_class_of_one_row_is_learned_and_not_held_out(noisy):
    X, _, given = noisy
    y = given.copy()
    y[0] = 7
    model = NestedClassifier(**SMALL).fit(X, y)
    assert 7 in model.classes_
    assert not model.label_errors_.frame["held_out"][0]


def test_without_a_stage_two_there_are_no_scores_of_labels(noisy):
    X, _, given = noisy
    assert not hasattr(NestedClassifier(**SMALL, coteach=False).fit(X, given), "label_errors_")
