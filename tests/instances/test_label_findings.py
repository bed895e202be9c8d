"""NestedClassifier: how neurons and labels are scored, how R is estimated, what is said, and what settings become."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn

from salience.instances import NestedClassifier
from salience.instances.noisy_labels.design import compression_of, recipes_of
from salience.instances.noisy_labels.findings import (
    carries_nothing,
    class_rates,
    label_scores,
    neuron_scores,
    notes,
)
from salience.instances.noisy_labels.forgetting import disagreement, out_of_fold
from salience.instances.noisy_labels.reading import held_out_rows, learned_scale
from salience.networks.nested import length_probabilities
from salience.results.meta import Meta

META = Meta(method="nested-dropout")
HELD = np.array([0] * 6 + [1] * 4)


# ---- neurons --------------------------------------------------------------------------------------------


def test_the_first_neuron_gains_over_naming_the_commonest_class():
    scores = neuron_scores(np.array([0.7, 0.9, 0.8]), 2, HELD, (3.0, 0.0), 0.0, META)
    assert scores.frame["gain"].to_list() == pytest.approx([0.1, 0.2, -0.1])
    assert scores.frame["used"].to_list() == [True, True, False]


def test_an_order_with_a_mode_has_its_tail_and_its_untrained_neurons_behind_the_mode():
    scores = neuron_scores(np.full(8, 0.9), 1, HELD, (1.0, 3.0), 0.0, META)
    tail = length_probabilities(8, 1.0, 3.0)[::-1].cumsum()[::-1]
    assert scores.values == pytest.approx(tail)
    assert scores.values[0] <= 1
    assert scores.frame["flag"].to_list() == [None] * 6 + ["untrained"] * 2  # beyond 3 + 3


def test_without_an_order_each_neuron_is_kept_as_often_as_dropout_keeps_it():
    assert neuron_scores(np.full(4, 0.9), 4, HELD, None, 0.3, META).values == pytest.approx([0.7] * 4)


@pytest.mark.parametrize(("compression", "kept"), [("dropout", 0.8), ("none", 1.0)])
def test_the_rate_is_that_of_dropout_and_of_nothing_else(compression, kept):
    X, y = np.random.default_rng(0).normal(size=(60, 3)), np.arange(60) % 2
    model = NestedClassifier(
        compression=compression, rate=0.2, coteach=False, n_features=4, epochs=(1, 1), random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert model.fit(X, y).scores_.values == pytest.approx([kept] * 4)


# ---- labels ---------------------------------------------------------------------------------------------


def test_the_least_picked_comes_first_and_of_equal_ones_the_less_likely_label():
    probabilities = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.3, 0.7]])
    found = label_scores(
        np.array([0.0, 0.5, 0.5, 1.0]), probabilities, np.array([0, 0, 0, 1]), np.array(["no", "yes"]),
        np.array([False, True, False, False]), META,
    )  # fmt: skip
    assert found.frame["rank"].to_list() == [4, 3, 2, 1]
    assert found.top(4).items == [3, 2, 1, 0]
    assert found.frame["p_given"].to_list() == [0.9, 0.4, 0.2, 0.7]
    assert found.frame["given"].to_list() == ["no", "no", "no", "yes"]
    assert found.frame["suggested"].to_list() == ["no", "yes", "yes", "yes"]
    assert found.frame["held_out"].to_list() == [False, True, False, False]


def test_rates_of_classes_are_means_of_what_was_picked():
    assert class_rates(np.array([0.0, 0.5, 1.0, 0.25]), np.array([0, 0, 1, 1])).tolist() == [0.75, 0.375]


# ---- what is said ---------------------------------------------------------------------------------------


def said(accuracy=(0.9, 0.95), k_star=2, held=20, nested=None, rates=None, classes=2):
    """Notes on so many validation rows of two equal classes."""
    return list(notes(np.array(accuracy), k_star, np.arange(held) % 2, nested, rates, np.arange(classes)))


def test_of_what_is_in_order_nothing_is_said():
    assert said(nested=(2.0, 0.0), rates=np.array([0.8, 0.4])) == []


def test_a_sigma_of_as_many_as_there_are_classes_is_enough():
    assert said(nested=(3.0, 0.0), classes=3) == []
    (note,) = said(nested=(2.9, 0.0), classes=3)
    assert "sigma=2.9 is below the number of classes, 3" in note


def test_a_length_among_untrained_neurons_is_said():
    accuracy = np.linspace(0.9, 0.95, 9)
    assert said(accuracy, 6, nested=(2.0, 0.0)) == []
    (note,) = said(accuracy, 7, nested=(2.0, 0.0))
    assert "K*=7 lies beyond 3 sigma" in note
    assert said(accuracy, 7, nested=(2.0, 1.0)) == []


def test_a_class_is_starved_below_half_of_the_mean_and_five_are_named():
    assert said(rates=np.array([0.3, 0.9]), classes=2) == []  # exactly half of .6
    (note,) = said(rates=np.array([0.29, 0.9]), classes=2)
    assert note.startswith("rows of 0 were picked")
    (note,) = said(rates=np.array([0.1] * 7 + [1.0] * 7), classes=14)
    assert note.startswith("rows of 0, 1, 2, 3, 4 were picked")


def test_chance_is_corrected_for_as_many_lengths_as_were_looked_at():
    """15 or more of 20 throws of a coin are heads with probability .0207."""
    codes = np.arange(20) % 2
    assert not carries_nothing(np.full(2, 15 / 20), codes)
    assert carries_nothing(np.full(3, 15 / 20), codes)


def test_too_few_rows_are_told_from_labels_that_carry_nothing():
    (few,) = said(held=4)
    (nothing,) = said((0.5, 0.55), held=40)
    assert "4 validation rows are too few" in few
    assert "carry nothing that 40 validation rows would show: accuracy 0.55, and 0.50" in nothing


# ---- the rate to forget ---------------------------------------------------------------------------------


def test_disagreement_is_never_all():
    sure = np.array([[0.9, 0.1]] * 10)
    assert disagreement(sure, np.ones(10, dtype=int)) == 0.9
    assert disagreement(sure, np.array([1] * 8 + [0] * 2)) == 0.8
    assert disagreement(sure, np.zeros(10, dtype=int)) == 0.0


class Remembers(nn.Module):
    """Its logits are the rows; it notes which were learned, which are asked, and by how many features."""

    def __init__(self, learned):
        super().__init__()
        self.learned, self.asked, self.length = learned, [], None

    def only(self, k):
        return (k,)

    def forward(self, x, lengths):
        self.asked.extend(x[:, 0].long().tolist())
        self.length = lengths
        return x


class Length:
    def length(self):
        return 3


def asked(codes, folds, seed=0):
    """The networks of all folds, and the probabilities of rows (row number, 0)."""
    x = torch.stack([torch.arange(len(codes)).float(), torch.zeros(len(codes))], 1)
    networks = []

    def alone(rows):
        networks.append(Remembers(rows.tolist()))
        return networks[-1], Length(), None

    return networks, out_of_fold(alone, x, np.asarray(codes), folds, seed)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("codes", [[0, 1] * 15, [0] * 27 + [1] * 3, [0] * 28 + [1] * 2, [0] * 29 + [1]])
def test_each_row_is_judged_by_a_network_that_has_not_learned_from_it(codes):
    networks, probabilities = asked(codes, 3)
    assert len(networks) == 3
    for network in networks:
        assert not set(network.learned) & set(network.asked)
        assert sorted(network.learned + network.asked) == list(range(30))
        assert network.length == (3,)
        if min(codes.count(0), codes.count(1)) >= 3:
            assert sum(codes[row] for row in network.asked) == codes.count(1) / 3
    assert sorted(row for network in networks for row in network.asked) == list(range(30))
    assert probabilities[:, 0] == pytest.approx(1 / (1 + np.exp(-np.arange(30.0))))


def test_folds_are_drawn_by_the_seed():
    one, same, other = ([net.asked for net in asked([0, 1] * 15, 3, seed)[0]] for seed in (0, 0, 1))
    assert one == same != other
    assert one[0] != list(range(10))


def test_there_are_no_more_folds_than_rows():
    assert len(asked([0, 1, 0], 5)[0]) == 3


# ---- settings -------------------------------------------------------------------------------------------


def test_each_stage_is_trained_by_its_own_settings():
    one, two = recipes_of(
        NestedClassifier(
            epochs=(7, 3), lr=(0.2, 0.05), milestones=((2, 5), (1,)), gamma=0.3, warmup=9, momentum=0.8,
            weight_decay=0.02, batch_size=11, keep="last",
        )
    )  # fmt: skip
    assert one == (7, 0.2, (2, 5), 0.3, 9, 0.8, 0.02, 11, "last")
    assert two == (3, 0.05, (1,), 0.3, 0, 0.8, 0.02, 11, "last")


def test_settings_are_those_of_the_card_when_nothing_is_said():
    expected = {
        "backbone": "mlp", "n_features": 64, "sigma": None, "mu": 0.0, "compression": "nested", "k_per": "batch",
        "coteach": True, "forget_rate": "auto", "gradual": 0, "pairing": "same", "epochs": (60, 30), "lr": (0.1, 0.01),
        "momentum": 0.9, "weight_decay": 5e-4, "batch_size": 50, "val_fraction": 0.2, "alternate": True,
    }  # fmt: skip
    params = NestedClassifier().get_params()
    assert {name: params[name] for name in expected} == expected


@pytest.mark.parametrize("how", [{"lr": (0.0, 0.1)}, {"milestones": ((0,), ())}, {"epochs": (0, 1)}])
def test_nothing_at_all_of_a_setting_is_refused(how):
    with pytest.raises(ValueError, match=next(iter(how))):
        recipes_of(NestedClassifier(**how))


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"sigma": (3.0, 0)}, "sigma must be positive"),
        ({"sigma": ()}, "sigma must be positive"),
        ({"sigma": 3.0, "compression": "none"}, "of nested dropout, but compression='none'"),
    ],
)
def test_a_sigma_that_masks_nothing_is_refused(how, message):
    with pytest.raises(ValueError, match=message):
        compression_of(NestedClassifier(**how))


# ---- what is read ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "axes"),
    [((40, 3), 0), ((40, 3, 4, 5), (0, 2, 3)), ((40, 4, 5), (0, 1, 2))],
    ids=["columns", "channels", "grey images"],
)
def test_each_column_each_channel_or_all_of_grey_images_are_scaled(shape, axes):
    X = np.random.default_rng(0).normal(5, 3, shape)
    assert learned_scale(X, "standard").centre.size == (1 if len(shape) == 3 else 3)
    standard = learned_scale(X, "standard")(X).numpy()
    assert standard.mean(axis=axes) == pytest.approx(0, abs=1e-5)
    assert standard.std(axis=axes) == pytest.approx(1, abs=1e-5)
    unit = learned_scale(X, "minmax")(X).numpy()
    assert unit.min(axis=axes) == pytest.approx(0, abs=1e-6)
    assert unit.max(axis=axes) == pytest.approx(1, abs=1e-6)
    assert np.array_equal(learned_scale(X, None)(X).numpy(), X.astype(np.float32))


def test_rounding_is_no_spread():
    X = np.full((1000, 1), 0.1) * 3  # the mean of these is another number in the last bit
    X[::2] = np.nextafter(X[::2], 1)
    assert not learned_scale(X, "standard")(X).any()


@pytest.mark.parametrize(("share", "held"), [(0.2, 20), (0.248, 25), (0.001, 1)])
def test_so_many_rows_are_held_out_that_were_asked_for_and_of_each_class_its_share(share, held):
    codes = np.arange(100) % 2
    train, val = held_out_rows(codes, share, 0)
    assert len(val) == held
    assert sorted([*train, *val]) == list(range(100))
    assert (np.diff(train) > 0).all()
    assert (np.diff(val) > 0).all()
    assert abs(2 * codes[val].sum() - held) <= 1
    assert not np.array_equal(val, held_out_rows(codes, share, 1)[1])


@pytest.mark.parametrize("sizes", [(98, 2), (99, 1), (34, 33, 33)])
def test_no_class_is_held_out_whole(sizes):
    codes = np.repeat(np.arange(len(sizes)), sizes)
    for seed in range(20):
        train, val = held_out_rows(codes, 0.3, seed)
        assert set(codes[val]) <= set(codes[train]) == set(range(len(sizes)))
        assert sorted([*train, *val]) == list(range(100))


def test_of_a_class_of_two_rows_one_is_held_out_with_half_of_the_others():
    codes = np.repeat([0, 1], [98, 2])
    assert [codes[held_out_rows(codes, 0.5, seed)[1]].sum() for seed in range(9)] == [1] * 9


def test_a_part_that_would_be_empty_is_refused():
    with pytest.raises(ValueError, match="leaves 0 to learn from and 3 to validate on"):
        held_out_rows(np.array([0, 1, 0]), 0.9, 0)
