"""NestedClassifier: it forgets wrong labels and finds them, orders its features, and takes what people bring."""

import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits, make_blobs
from sklearn.metrics import roc_auc_score
from sklearn.utils.estimator_checks import parametrize_with_checks
from torch import nn

from salience.instances import NestedClassifier
from salience.instances.noisy_labels.coteaching import PAIRINGS, CoTeaching, forget_at, picked_among
from salience.instances.noisy_labels.design import Compression, Recipe
from salience.instances.noisy_labels.findings import carries_nothing
from salience.instances.noisy_labels.learning import Schedules
from salience.instances.noisy_labels.network import build, features_of
from salience.instances.noisy_labels.plots import plot_accuracy
from salience.networks.nested import keep_first, length_probabilities
from salience.results import Scores
from salience.verify import parts, retention, rows

SMALL = {"n_features": 16, "hidden": 32, "epochs": (8, 4), "forget_rate": 0.2, "random_state": 0}


pytestmark = pytest.mark.usefixtures("one_thread")


@parametrize_with_checks([NestedClassifier(**{**SMALL, "epochs": (6, 3), "forget_rate": 0.1})])
def test_it_passes_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def noisy():
    """Three groups of points; each fifth label is that of another group."""
    X, y = make_blobs(300, 6, centers=3, random_state=1)
    given = y.copy()
    wrong = np.arange(0, 300, 5)
    given[wrong] = (y[wrong] + 1) % 3
    return X, y, given


@pytest.fixture(scope="module")
def fitted(noisy):
    return NestedClassifier(**SMALL).fit(noisy[0], noisy[2])


@pytest.fixture(scope="module")
def digits():
    """The noise of the card: 1,000 rows, 40 % of the labels another one."""
    X, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    order = rng.permutation(len(X))
    train, test = order[:1000], order[1000:]
    given = y[train].copy()
    wrong = rng.choice(1000, 400, replace=False)
    given[wrong] = (given[wrong] + rng.integers(1, 10, 400)) % 10
    return X[train] / 16, y[train], given, X[test] / 16, y[test]


# ---- wrong labels -----------------------------------------------------------------------------------------


def test_it_learns_what_is_right_and_finds_what_is_wrong(digits):
    X, y, given, X_test, y_test = digits
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = NestedClassifier(scale=None, sigma=10, forget_rate=0.4, random_state=0).fit(X, given)
    plain = NestedClassifier(scale=None, compression="none", coteach=False, keep="last", random_state=0).fit(
        X, given
    )
    assert model.score(X_test, y_test) >= 0.88
    assert model.score(X_test, y_test) >= plain.score(X_test, y_test) + 0.2
    assert roc_auc_score(given != y, model.label_error_score_) >= 0.95
    picked = 1 - model.label_error_score_
    assert (picked * (given == y)).sum() / picked.sum() >= 0.85
    assert model.acc_curve_[9] >= 0.95 * model.acc_curve_.max()


def test_shuffled_labels_carry_nothing_and_it_says_so(noisy):
    X, _, given = noisy
    shuffled = np.random.default_rng(0).permutation(given)
    with pytest.warns(UserWarning, match="the labels carry nothing"):
        model = NestedClassifier(**SMALL).fit(X, shuffled)
    assert any("carry nothing" in note for note in model.scores_.meta.warnings)


def test_clean_labels_stay_learnable(noisy):
    X, y, _ = noisy
    assert NestedClassifier(**{**SMALL, "forget_rate": "auto"}).fit(X, y).score(X, y) >= 0.97


def test_rows_held_out_are_judged_too(noisy, fitted):
    _, y, given = noisy
    frame = fitted.label_errors_.frame
    held = frame["held_out"].to_numpy()
    assert held.sum() == 60
    assert roc_auc_score((given != y)[held], fitted.label_error_score_[held]) > 0.9


def test_with_validation_rows_of_ones_own_all_rows_are_learned_from(noisy):
    X, y, given = noisy
    model = NestedClassifier(**SMALL).fit(X[:240], given[:240], X[240:], y[240:])
    assert not model.label_errors_.frame["held_out"].any()
    assert len(model.label_error_score_) == 240


def test_label_errors_are_ranked_with_what_the_label_could_be(noisy, fitted):
    _, y, given = noisy
    scores = fitted.label_errors_
    assert isinstance(scores, Scores)
    assert (scores.item, scores.keys) == ("row", ("row",))
    frame = scores.frame
    assert frame["given"].to_list() == given.tolist()
    assert (frame["suggested"].to_numpy() == y).mean() > 0.97
    top = scores.top(50).items
    assert np.mean([given[row] != y[row] for row in top]) > 0.9
    assert frame["rank"].n_unique() == len(frame)
    first = frame.sort("rank")
    assert first["value"].is_sorted(descending=True)


def test_texts_are_labels_as_well(noisy):
    X, _, given = noisy
    names = np.array(["hare", "fox", "owl"], dtype=object)[given]
    model = NestedClassifier(**SMALL).fit(X, names)
    assert set(model.label_errors_.frame["suggested"]) <= {"hare", "fox", "owl"}
    assert set(model.predict(X)) <= {"hare", "fox", "owl"}


def test_a_class_that_is_hardly_picked_is_named():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 4))
    y = (X[:, 0] > 0).astype(int)
    y[:24] = 2  # a class that nothing tells apart
    with pytest.warns(UserWarning, match="rows of 2 were picked less than half as often"):
        model = NestedClassifier(**SMALL).fit(X, y)
    assert model.class_rates_[2] < model.class_rates_[:2].min()


def test_the_forget_rate_is_estimated_from_rows_that_were_not_learned_from():
    X, y = make_blobs(900, 6, centers=3, random_state=1)
    given = np.where(np.arange(900) % 5 == 0, (y + 1) % 3, y)
    model = NestedClassifier(**{**SMALL, "epochs": (20, 1), "forget_rate": "auto"}).fit(X, given)
    assert model.forget_rate_ == pytest.approx(0.2, abs=0.05)


def test_few_validation_rows_are_too_few_to_tell(noisy):
    X, y, _ = noisy
    with pytest.warns(UserWarning, match="4 validation rows are too few to tell"):
        NestedClassifier(**SMALL).fit(X[:20], y[:20])


@pytest.mark.parametrize("compression", ["dropout", "none"])
def test_the_other_compressors_have_no_order_and_use_all_features(noisy, compression):
    X, y, given = noisy
    model = NestedClassifier(**SMALL, compression=compression).fit(X, given)
    assert model.k_star_ == 16
    assert model.scores_.frame["flag"].is_null().all()
    assert model.scores_.frame["value"].n_unique() == 1
    assert model.score(X, y) > 0.95


# ---- the order of the neurons -----------------------------------------------------------------------------


def test_neurons_are_scored_by_the_chance_to_be_kept(fitted):
    scores = fitted.scores_
    assert (scores.item, scores.keys) == ("neuron", ("neuron",))
    tails = length_probabilities(16, fitted.networks_[0].compressors[-1].sigma)[::-1].cumsum()[::-1]
    assert scores.values == pytest.approx(tails)
    assert scores.top(3).items == [1, 2, 3]
    assert scores.frame["accuracy"].to_numpy() == pytest.approx(fitted.acc_curve_)
    assert scores.frame["used"].sum() == fitted.k_star_


def test_neurons_beyond_three_sigma_are_untrained_and_not_unimportant(noisy):
    X, _, given = noisy
    model = NestedClassifier(**SMALL, sigma=3.0, coteach=False).fit(X, given)
    assert model.scores_.frame["flag"].to_list() == [None] * 9 + ["untrained"] * 7


def test_the_first_features_matter_and_random_ones_do_not(digits):
    X, _, given, X_test, y_test = digits
    model = NestedClassifier(scale=None, sigma=10, coteach=False, random_state=0, epochs=(30, 1)).fit(
        X, given
    )
    net = model.networks_[0]
    features, W = features_of(net, model.scale_(X_test)), net.W.detach().numpy()
    rng = np.random.default_rng(0)
    some = rng.choice(64, 10, replace=False)
    assert ((features[:, :10] @ W[:10]).argmax(1) == y_test).mean() > 0.75
    assert ((features[:, some] @ W[some]).argmax(1) == y_test).mean() < 0.5


def test_transform_gives_the_first_features(noisy, fitted):
    X = noisy[0]
    assert fitted.transform(X).shape == (300, fitted.k_star_)
    assert len(fitted.get_feature_names_out()) == fitted.k_star_


def test_predictions_are_those_of_the_mean_logits_at_k_star(noisy, fitted):
    X = noisy[0]
    expected = 0.0
    for net in fitted.networks_:
        features = torch.from_numpy(features_of(net, fitted.scale_(X)))
        expected = expected + keep_first(features, fitted.k_star_) @ net.W
    assert fitted.decision_function(X) == pytest.approx((expected / 2).detach().numpy(), abs=1e-4)
    assert fitted.predict_proba(X).sum(1) == pytest.approx(np.ones(300))


def test_the_gain_of_all_neurons_is_what_the_first_k_bring(fitted):
    held = fitted.scores_.meta.extra["validation_rows"]
    total = fitted.feature_importance_[: fitted.k_star_].sum()
    below = fitted.acc_curve_[fitted.k_star_ - 1] - total
    assert below * held == pytest.approx(round(below * held))  # the share of the commonest class


def test_a_sigma_below_the_number_of_classes_is_said(noisy):
    X, _, given = noisy
    with pytest.warns(UserWarning, match="below the number of classes, 3"):
        NestedClassifier(**SMALL, sigma=1.5, coteach=False).fit(X, given)


def by_neurons(model, X, y):
    """Bench: how sure the first network is of the right class when only some of its neurons are there."""
    features = features_of(model.networks_[0], model.scale_(X))
    W = model.networks_[0].W.detach().numpy()

    def sureness(u):
        logits = u @ W
        return (logits.argmax(1) == y).astype(float)

    return parts(sureness, features, items=range(1, features.shape[1] + 1), keys=("neuron",))


@pytest.mark.parametrize(
    ("values", "verdict"),
    [(None, "holds"), (-1.0, "fails"), (0.0, "fails")],
    ids=["own", "reversed", "random"],
)
def test_the_order_of_the_neurons_is_judged_on_other_rows(digits, values, verdict):
    X, _, given, X_test, y_test = digits
    model = NestedClassifier(scale=None, sigma=10, coteach=False, random_state=0).fit(X, given)
    own = model.scores_.values
    judged = {None: own, -1.0: -own, 0.0: np.random.default_rng(0).permutation(own)}[values]
    scores = Scores.from_values(judged, range(1, 65), keys="neuron", item="neuron")
    check = retention(scores, by_neurons(model, X_test, y_test), (0.1, 0.2, 0.4))
    assert check.verdict == verdict


@pytest.mark.parametrize(("sign", "better"), [(1, True), (-1, False)], ids=["suspects out", "suspects kept"])
def test_without_its_suspects_a_set_teaches_more(digits, sign, better):
    X, _, given, X_test, y_test = digits
    model = NestedClassifier(scale=None, sigma=10, forget_rate=0.4, random_state=0).fit(X, given)
    bench = rows("logistic", (X, given.astype(str)), (X_test, y_test.astype(str)))
    order = model.label_errors_.order()[::-sign]  # the least suspicious first
    keep = np.zeros((2, 1000), dtype=bool)
    keep[0, order[:600]] = True
    keep[1, np.random.default_rng(0).permutation(1000)[:600]] = True
    own, random = bench.values(keep).mean(axis=1)
    assert (own < random) == better


# ---- co-teaching ------------------------------------------------------------------------------------------


def network(seed=0, **how):
    compression = Compression("nested", (4.0,), 0.0, how.pop("k_per", "batch"), 0.3, True)._replace(**how)
    return build("mlp", torch.zeros(2, 5), 8, 6, 3, compression, seed)


def a_step(pairing="same", forget=0.5, rows=40, **how):
    nets = [network(0, **how), network(1, **how)]
    optimizers = [torch.optim.SGD(net.parameters(), 0.1) for net in nets]
    return CoTeaching(
        nets, optimizers, pairing=pairing, forget_rate=forget, gradual=0, length=lambda: 3, rows=rows
    )


def a_batch(rows=40):
    torch.manual_seed(0)
    return torch.randn(rows, 5), torch.randint(0, 3, (rows,)), torch.arange(rows)


@pytest.mark.parametrize(("pairing", "occasions"), [("same", 2), ("halves", 1)])
def test_each_row_is_looked_at_by_whom_the_pairing_says(pairing, occasions):
    step = a_step(pairing)
    step(a_batch())
    assert (step.seen == occasions).all()
    assert step.kept.sum() == 20 * occasions


def test_each_network_learns_from_the_pick_of_the_other(monkeypatch):
    step = a_step("halves")
    x, y, rows = a_batch()
    learned = {}
    for i, net in enumerate(step.networks):
        forward = net.forward

        def recorded(data, lengths=None, i=i, net=net, forward=forward):
            if net.training:
                learned[i] = {tuple(row) for row in data.tolist()}
            return forward(data, lengths)

        monkeypatch.setattr(net, "forward", recorded)
    step((x, y, rows))
    first, second = ({tuple(row) for row in half.tolist()} for half in (x[:20], x[20:]))
    assert learned[0] <= second
    assert learned[1] <= first
    assert len(learned[0]) == len(learned[1]) == 10


def test_rows_are_picked_at_k_star_and_learned_under_one_common_length(monkeypatch):
    step, lengths = a_step(), {False: [], True: []}
    for net in step.networks:

        def recorded(data, given=None, net=net, forward=net.forward):
            lengths[net.training].append(given)
            return forward(data, given)

        monkeypatch.setattr(net, "forward", recorded)
    step(a_batch())
    assert lengths[False] == [(None, 3)] * 2
    (_, one), (_, two) = lengths[True]
    assert torch.equal(one, two)


def test_the_rows_of_smallest_loss_are_picked():
    assert picked_among(torch.tensor([3.0, 1.0, 2.0, 9.0]), 0.5).tolist() == [False, True, True, False]
    assert picked_among(torch.tensor([3.0, 1.0]), 0.99).sum() == 1


def test_what_is_kept_is_not_one_too_few_for_rounding():
    """int((1 - 0.3) * 10) is 7, int((1 - 0.9) * 10) is 0 in floating point."""
    assert picked_among(torch.arange(10.0), 0.9).sum() == 1
    assert picked_among(torch.arange(10.0), 0.3).sum() == 7


def test_a_last_batch_too_small_for_halves_is_whole_for_both():
    assert PAIRINGS["halves"](3) == (slice(0, 3), slice(0, 3))
    assert PAIRINGS["halves"](5) == (slice(0, 2), slice(2, 5))


def test_a_rate_that_grows_starts_at_0_and_ends_at_its_number():
    assert [forget_at(epoch, 0.2, 5) for epoch in range(7)] == pytest.approx(
        [0, 0.05, 0.1, 0.15, 0.2, 0.2, 0.2]
    )
    assert forget_at(0, 0.2, 0) == 0.2


def test_each_row_can_have_a_length_of_its_own_in_both_stages(noisy):
    X, y, given = noisy
    assert NestedClassifier(**SMALL, k_per="sample").fit(X, given).score(X, y) > 0.95


def test_halves_and_a_rate_that_grows_find_the_wrong_labels_too(noisy):
    X, y, given = noisy
    model = NestedClassifier(**SMALL, pairing="halves", gradual=2).fit(X, given)
    assert roc_auc_score(given != y, model.label_error_score_) > 0.8


def test_batch_normalisation_is_frozen_in_stage_two():
    def backbone():
        return nn.Sequential(nn.Linear(5, 6), nn.BatchNorm1d(6), nn.ReLU())

    net = build(
        backbone, torch.zeros(2, 5), 1, 1, 3, Compression("nested", (3.0,), 0.0, "batch", 0.0, True), 0
    )
    net.freeze_normalisation()
    before = net.stages[0][1].running_mean.clone()
    net.train()
    net(torch.randn(20, 5))
    assert torch.equal(net.stages[0][1].running_mean, before)
    assert not net.stages[0][1].weight.requires_grad
    assert net.stages[0][0].weight.requires_grad


# ---- two masked layers ------------------------------------------------------------------------------------


def test_of_two_masked_layers_one_runs_in_full_in_a_step():
    torch.manual_seed(0)
    compression = Compression("nested", (3.0, 3.0), 0.0, "batch", 0.0, True)
    net = build("mlp", torch.zeros(2, 5), 8, 6, 3, compression, 0)
    drawn = [net.draw(10) for _ in range(200)]
    full = [
        (a == 8 if isinstance(a, int) else False, b == 6 if isinstance(b, int) else False) for a, b in drawn
    ]
    assert set(full) == {(True, False), (False, True)}
    assert 60 < sum(first for first, _ in full) < 140


def test_without_alternation_both_are_masked_in_every_step():
    compression = Compression("nested", (3.0, 3.0), 0.0, "batch", 0.0, False)
    net = build("mlp", torch.zeros(2, 5), 8, 6, 3, compression, 0)
    assert all(isinstance(k, torch.Tensor) for k in net.draw(10))


def test_two_masked_layers_learn(noisy):
    X, y, given = noisy
    model = NestedClassifier(**SMALL, sigma=(8.0, 4.0)).fit(X, given)
    assert model.score(X, y) > 0.9


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


def test_the_network_that_was_given_is_left_as_it_was():
    X, y = small_images()
    backbone = convolutions()
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    NestedClassifier(backbone, epochs=(1, 1), forget_rate=0.1, random_state=0).fit(X, y)
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


# ---- chance, and the picture ------------------------------------------------------------------------------


def test_naming_the_commonest_class_is_chance():
    codes = np.array([0] * 70 + [1] * 30)
    assert carries_nothing(np.full(64, 0.72), codes)
    assert not carries_nothing(np.full(64, 0.9), codes)


def test_chance_is_the_tail_of_as_many_hits_or_more():
    """Of 20 throws of a coin 14 or more are heads with probability .058, 15 or more with .021."""
    codes = np.array([0, 1] * 10)
    assert carries_nothing(np.array([14 / 20]), codes)
    assert not carries_nothing(np.array([15 / 20]), codes)


def test_labels_without_meaning_are_hardly_ever_taken_for_meaningful():
    rng = np.random.default_rng(0)
    wrong = 0
    for _ in range(200):
        codes = rng.integers(0, 4, 100)
        found = np.array([(rng.integers(0, 4, 100) == codes).mean() for _ in range(32)])
        wrong += not carries_nothing(found, codes)
    assert wrong / 200 <= 0.05


def test_the_picture_marks_k_star(fitted):
    from matplotlib.figure import Figure

    ax = Figure().subplots()
    assert fitted.plot_accuracy(ax) is ax
    assert any(f"K* = {fitted.k_star_}" in text.get_text() for text in ax.texts)
    assert plot_accuracy({"one": fitted.scores_, "two": fitted.scores_}, ax).get_legend() is not None
    with pytest.raises(ValueError, match="from scores of neurons"):
        plot_accuracy(fitted.label_errors_)
    with pytest.raises(ValueError, match="no curve"):
        plot_accuracy({})
