"""NestedClassifier, training: what a step, an epoch and the whole curriculum do, beside the same by hand."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from salience.instances import NestedClassifier
from salience.instances.noisy_labels.coteaching import PAIRINGS, CoTeaching, forget_at, picked_among
from salience.instances.noisy_labels.design import Compression, Recipe
from salience.instances.noisy_labels.learning import Validation, learn, mean_logits, teach_each_other
from salience.instances.noisy_labels.network import build
from salience.networks import TensorBatches
from salience.networks.evaluating import evaluating
from salience.networks.nested import best_length, keep_first, nested_accuracy

NESTED = Compression("nested", (4.0,), 0.0, "batch", 0.3, True)
RECIPE = Recipe(3, 0.1, (), 0.1, 0, 0.9, 0.01, 10, "last")
QUIET = pytest.mark.filterwarnings("ignore::UserWarning")


pytestmark = pytest.mark.usefixtures("one_thread")


def network(seed=0, backbone="mlp", **how):
    return build(backbone, torch.zeros(2, 5), 8, 6, 3, NESTED._replace(**how), seed)


@pytest.fixture
def data():
    random = torch.Generator().manual_seed(0)
    X = torch.randn(40, 5, generator=random)
    return X, X[:, :3].argmax(1)


@pytest.fixture
def held(data):
    return data[0][:20], data[1][:20].numpy()


def taught(networks, data, held, recipe=RECIPE, told=lambda: None, **how):
    how = {"pairing": "same", "forget_rate": 0.5, "gradual": 0, **how}
    return teach_each_other(networks, *data, Validation(networks, *held), recipe, 5, told, **how)


# ---- what is picked -------------------------------------------------------------------------------------


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


def test_a_share_that_is_no_whole_number_of_rows_is_rounded_up_and_rounding_errors_are_not():
    assert picked_among(torch.arange(10.0), 0.25).sum() == 8
    assert picked_among(torch.arange(10.0), 0.7).sum() == 3  # (1 - .7) * 10 is 3.0000000000000004
    assert picked_among(torch.arange(10.0), 1 - 1e-12).sum() == 1


def test_a_rate_that_grows_over_one_epoch_starts_at_0_all_the_same():
    assert [forget_at(epoch, 0.2, 1) for epoch in range(3)] == [0.0, 0.2, 0.2]
    assert [forget_at(epoch, 0.2, 2) for epoch in range(3)] == [0.0, 0.2, 0.2]


def test_four_rows_are_enough_for_halves():
    assert PAIRINGS["halves"](4) == (slice(0, 2), slice(2, 4))


# ---- one step of two networks ---------------------------------------------------------------------------


@pytest.mark.parametrize(("pairing", "cut"), [("same", None), ("halves", 20)])
@pytest.mark.parametrize("k_per", ["batch", "sample"])
def test_a_step_of_both_networks_is_that_of_each_by_hand(data, pairing, cut, k_per):
    X, y = data
    nets, ours = ([network(seed, k_per=k_per) for seed in (0, 1)] for _ in range(2))
    parts = [range(40), range(40)] if cut is None else [range(cut), range(cut, 40)]
    picks = []
    for net, part in zip(ours, parts, strict=True):
        net.eval()
        loss = cross_entropy(keep_first(net.features(X), 3) @ net.W, y, reduction="none").tolist()
        picks.append(sorted(part, key=loss.__getitem__)[: len(part) // 2])
    torch.manual_seed(3)
    (_, k) = ours[0].draw(40)
    losses = []
    for net, rows in zip(ours, picks[::-1], strict=True):  # each learns from what the other picks
        lengths = k if len(k) == 1 else k[rows]
        loss = cross_entropy(keep_first(net.features(X[rows]), lengths) @ net.W, y[rows])
        loss.backward()
        torch.optim.SGD(net.parameters(), 0.1).step()
        losses.append(loss.item())
    optimizers = [torch.optim.SGD(net.parameters(), 0.1) for net in nets]
    step = CoTeaching(
        nets, optimizers, pairing=pairing, forget_rate=0.5, gradual=0, length=lambda: 3, rows=40
    )
    for net in nets:
        cross_entropy(net.eval()(X), y).backward()  # gradients of before play no part
    torch.manual_seed(3)
    record = step((X, y, torch.arange(40)))
    assert record == pytest.approx(
        {"loss": np.mean(losses), "loss1": losses[0], "loss2": losses[1]}, rel=1e-5
    )
    for net, own in zip(nets, ours, strict=True):
        for a, b in zip(net.parameters(), own.parameters(), strict=True):
            assert torch.allclose(a, b, atol=1e-6)
    assert (step.seen == (2 if cut is None else 1)).all()
    assert step.kept.sum() == sum(map(len, picks))
    assert all(step.kept[row] == sum(row in pick for pick in picks) for row in range(40))


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


@pytest.mark.parametrize(("width", "sigma"), [(60, 10.0), (12, 3.0)])
def test_a_sigma_that_is_not_given_is_a_sixth_of_the_features_but_not_below_the_classes(width, sigma):
    net = build("mlp", torch.zeros(2, 5), 8, width, 3, NESTED._replace(sigmas=(None,)), 0)
    assert net.compressors[-1].sigma == sigma


def test_each_stage_is_compressed_as_was_asked_for():
    first, last = network(sigmas=(3.0, 5.0), mu=2.0, k_per="sample").compressors
    assert [(part.sigma, part.mu, part.k_per) for part in (first, last)] == [
        (3.0, 2.0, "sample"),
        (5.0, 2.0, "sample"),
    ]
    assert network(kind="dropout", sigmas=(None,), rate=0.2).compressors[-1].p == 0.2


def test_nothing_is_masked_in_evaluation_unless_a_length_is_given(data):
    net, X = network().eval(), data[0]
    for _ in range(5):  # a draw might keep all
        assert torch.equal(net(X), net.features(X) @ net.W)
    assert torch.equal(net(X, net.only(2)), keep_first(net.features(X), 2) @ net.W)


# ---- stage one ------------------------------------------------------------------------------------------


def by_hand(net, X, y, seed, momentum=0.9, weight_decay=0.01):
    """Three epochs of stage one; lengths and order are drawn by the seed."""
    sgd = torch.optim.SGD(net.parameters(), 0.1, momentum=momentum, weight_decay=weight_decay)
    torch.manual_seed(seed)
    order = torch.Generator().manual_seed(seed)
    for _ in range(3):
        for rows, labels in TensorBatches(X, y, size=10).epoch(order):
            net.train()
            sgd.zero_grad()
            cross_entropy(net(rows), labels).backward()
            sgd.step()
    return net.eval()


def test_stage_one_is_gradient_descent_with_momentum_and_decay_under_the_mask(data, held):
    one, two = network(), network()
    history = learn(one, *data, Validation([one], *held), RECIPE, 7, lambda: None)
    by_hand(two, *data, 7)
    assert torch.allclose(one(data[0]), two(data[0]), atol=1e-4)
    assert len(history) == 3


@pytest.mark.parametrize("keep", ["last", "best"])
def test_the_record_of_an_epoch_is_the_validation_of_its_weights(data, held, keep):
    net, seen = network(), []

    def look():
        features = net.features(held[0]).detach()
        accuracy = nested_accuracy(features, net.W, held[1])
        seen.append((accuracy, best_length(accuracy)))

    validation = Validation([net], *held)
    net.eval()
    history = learn(
        net, *data, validation, RECIPE._replace(epochs=6, keep=keep), 7, lambda: (net.eval(), look())
    )
    assert history["k_star"] == [k for _, k in seen]
    assert history["accuracy"] == pytest.approx([accuracy[k - 1] for accuracy, k in seen])
    costs = [accuracy[k - 1] - 1e-5 * k for accuracy, k in seen]
    accuracy, k_star = seen[-1 if keep == "last" else int(np.argmax(costs))]
    assert validation.k_star == k_star
    assert np.array_equal(validation.accuracy, accuracy)
    if keep == "best":
        assert history["validation"] == pytest.approx([1 - cost for cost in costs])


def test_without_an_order_all_features_are_validated(data, held):
    validation = Validation([network(kind="none", sigmas=(None,))], *held)
    assert (validation.k_star, validation.length()) == (6, None)
    nets = (network(seed, kind="none", sigmas=(None,)) for seed in range(20))
    validations = ((net, Validation([net], *held)) for net in nets)
    net, validation = next((n, v) for n, v in validations if v.accuracy.max() > v.accuracy[-1])
    history = learn(net, *data, validation, RECIPE._replace(lr=1e-9), 0, lambda: None)
    assert history["accuracy"] == pytest.approx([validation.accuracy[-1]] * 3)
    validation = Validation([network()], *held)
    assert validation.length() == validation.k_star == best_length(validation.accuracy)


def test_of_two_networks_the_mean_of_logits_is_validated_in_evaluation(data, held):
    nets = [network(seed, backbone=normalised()).train() for seed in (0, 1)]
    before = [net.stages[0][1].running_mean.clone() for net in nets]
    validation = Validation(nets, *held)
    logits = mean_logits(nets, data[0], 2)
    assert all(net.training and net.stages[0].training for net in nets)
    assert all(torch.equal(net.stages[0][1].running_mean, b) for net, b in zip(nets, before, strict=True))
    for net in nets:
        net.eval()
    both = [keep_first(net.features(data[0]), 2) @ net.W for net in nets]
    assert torch.allclose(logits, (both[0] + both[1]) / 2, atol=1e-6)
    joint = nested_accuracy([net.features(held[0]) for net in nets], [net.W for net in nets], held[1])
    assert np.array_equal(validation.accuracy, joint)


def normalised():
    """Features of a stage with batch normalisation."""
    return lambda: nn.Sequential(nn.Linear(5, 6), nn.BatchNorm1d(6), nn.ReLU())


@pytest.mark.parametrize(("rows", "steps"), [(21, 2), (22, 3), (20, 2), (1, 1)])
def test_only_a_last_batch_of_one_row_among_others_is_left_out(data, held, rows, steps):
    net, calls = network(), []
    net.register_forward_pre_hook(lambda module, given: calls.append(1) if module.training else None)
    X, y = data
    learn(net, X[:rows], y[:rows], Validation([net], *held), RECIPE._replace(epochs=1), 0, lambda: None)
    assert len(calls) == steps


# ---- stage two ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("gradual", "share"), [(0, 1 / 2), (2, 1 / 3), (3, (0 + 1 / 4 + 1 / 2) / 3)])
def test_rows_learned_and_held_out_are_left_as_often_as_the_rate_of_each_epoch_says(
    data, held, gradual, share
):
    found = taught([network(0), network(1)], data, held, RECIPE._replace(batch_size=20), gradual=gradual)
    assert found.not_picked.mean() == pytest.approx(share)
    assert found.held_not_picked.mean() == pytest.approx(share)


@pytest.mark.parametrize(
    "how", [{}, {"kind": "dropout", "sigmas": (None,), "rate": 0.5}], ids=["nested", "dropout"]
)
def test_rows_held_out_are_picked_by_the_whole_networks_of_each_epoch_at_its_length(data, held, how):
    nets, expected = [network(0, **how), network(1, **how)], []

    def look():
        with evaluating(*nets):
            features = [net.features(held[0]) for net in nets]
        k = best_length(nested_accuracy(features, [net.W for net in nets], held[1])) if not how else 6
        for net, own in zip(nets, features, strict=True):
            logits = keep_first(own, k) @ net.W
            value = cross_entropy(logits, torch.from_numpy(held[1]), reduction="none")
            expected.append(~picked_among(value.detach(), 0.5))

    found = taught(nets, data, held, told=look)
    assert np.array_equal(found.held_not_picked, np.mean(expected, axis=0))


@pytest.mark.filterwarnings("ignore:loss was")
def test_an_epoch_that_did_not_count_is_no_occasion(data, held):
    nets, epochs = [network(0), network(1)], []

    def spoil():
        epochs.append(1)
        if len(epochs) == 2:
            with torch.no_grad():
                nets[0].head.weight.fill_(torch.nan)

    found = taught(nets, data, held, told=spoil)
    assert found.history.stopped == "not finite"
    assert found.held_not_picked.mean() == pytest.approx(0.5)


def test_normalisation_is_frozen_while_networks_teach_each_other(data, held):
    nets = [network(seed, backbone=normalised()) for seed in (0, 1)]
    before = [{name: value.clone() for name, value in net.stages[0][1].state_dict().items()} for net in nets]
    taught(nets, data, held)
    for net, old in zip(nets, before, strict=True):
        assert all(torch.equal(old[name], value) for name, value in net.stages[0][1].state_dict().items())


def test_a_last_small_batch_is_taught_too(data, held):
    X, y = data
    found = taught([network(0), network(1)], (X[:31], y[:31]), held)
    assert np.isfinite(found.not_picked).all()


# ---- the curriculum -------------------------------------------------------------------------------------


def points(n=60):
    X = np.random.default_rng(0).normal(size=(n, 5))
    return X, X[:, :3].argmax(1)


def quick(**how):
    how = {"n_features": 6, "hidden": 8, "epochs": (2, 3), "random_state": 0, **how}
    return NestedClassifier(**how).fit(*points())


@QUIET
def test_without_teaching_one_network_is_trained_once_and_a_rate_is_only_noted():
    told = []
    model = quick(coteach=False, progress=lambda *at: told.append(at))
    assert told == [(1, 2), (2, 2)]
    assert (len(model.networks_), len(model.history_), model.forget_rate_) == (1, 1, 0.0)
    assert quick(coteach=False, forget_rate=0.3).forget_rate_ == 0.3


@QUIET
@pytest.mark.parametrize("folds", [2, 4])
def test_so_many_folds_are_trained_as_were_asked_for(folds):
    told = []
    quick(folds=folds, progress=lambda *at: told.append(at))
    total = 2 * (2 + folds) + 3
    assert told == [(i, total) for i in range(1, total + 1)]


@QUIET
def test_both_networks_and_their_teaching_have_a_history():
    model = quick(forget_rate=0.2)
    assert [len(history) for history in model.history_] == [2, 2, 3]
    one, two = model.history_[:2]
    assert one["loss"] != two["loss"]
    assert model.scores_.meta.params["forget_rate"] == 0.2


@QUIET
def test_a_rate_that_grows_reaches_the_teaching():
    full, grown = (quick(forget_rate=0.5, gradual=g, batch_size=12).label_error_score_.mean() for g in (0, 2))
    assert full == pytest.approx(1 / 2)
    assert grown == pytest.approx(1 / 3)


@QUIET
def test_networks_start_apart_and_k_star_is_that_of_both():
    model = quick(forget_rate=0.2, lr=(1e-9, 1e-9))
    first, second = (network.W for network in model.networks_)
    assert not torch.allclose(first, second, atol=1e-3)
    held = model.label_errors_.frame["held_out"].to_numpy()
    X, y = points()
    features = [n.eval().features(model.scale_(X[held])) for n in model.networks_]
    joint = nested_accuracy(features, [n.W for n in model.networks_], y[held])
    assert np.array_equal(model.acc_curve_, joint)
    assert model.k_star_ == best_length(joint)


@QUIET
def test_rows_learned_from_alone_set_the_scale():
    model = quick(coteach=True, forget_rate=0.2)
    held = model.label_errors_.frame["held_out"].to_numpy()
    assert model.scale_(points()[0][~held]).mean(0).numpy() == pytest.approx(0, abs=1e-5)


@QUIET
def test_features_are_those_of_the_first_network_and_predictions_use_as_many_as_k_star():
    model = quick(forget_rate=0.2)
    X = points()[0]
    rows = model.scale_(X)
    features = model.networks_[0].features(rows).detach().numpy()
    assert np.array_equal(model.transform(X), features[:, : model.k_star_])
    model.k_star_ = 2
    expected = mean_logits(model.networks_, rows, 2).numpy()
    assert model.decision_function(X) == pytest.approx(expected, abs=1e-6)
