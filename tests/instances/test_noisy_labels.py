"""NestedClassifier: it forgets wrong labels and finds them, orders its features, and takes what people bring."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits, make_blobs
from sklearn.metrics import roc_auc_score

from salience.instances import NestedClassifier
from salience.instances.noisy_labels.findings import carries_nothing
from salience.instances.noisy_labels.network import features_of
from salience.instances.noisy_labels.plots import plot_accuracy
from salience.networks.nested import keep_first, length_probabilities
from salience.results import Scores
from salience.verify import parts, retention, rows

SMALL = {"n_features": 16, "hidden": 32, "epochs": (8, 4), "forget_rate": 0.2, "random_state": 0}


pytestmark = pytest.mark.usefixtures("one_thread")


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
    assert model.scores_.meta.params["forget_rate"] == model.forget_rate_
    assert model.get_params()["forget_rate"] == "auto"


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


def test_each_row_can_have_a_length_of_its_own_in_both_stages(noisy):
    X, y, given = noisy
    assert NestedClassifier(**SMALL, k_per="sample").fit(X, given).score(X, y) > 0.95


def test_halves_and_a_rate_that_grows_find_the_wrong_labels_too(noisy):
    X, y, given = noisy
    model = NestedClassifier(**SMALL, pairing="halves", gradual=2).fit(X, given)
    assert roc_auc_score(given != y, model.label_error_score_) > 0.8


def test_two_masked_layers_learn(noisy):
    X, y, given = noisy
    model = NestedClassifier(**SMALL, sigma=(8.0, 4.0)).fit(X, given)
    assert model.score(X, y) > 0.9


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
