"""The KAN selector: its scores, what it says of itself, and scikit-learn's contract."""

import pickle
from contextlib import nullcontext

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from sklearn.datasets import load_diabetes, load_wine, make_friedman1
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks
from torch.nn import functional

from salience.networks import KAN
from salience.results import Scores
from salience.tabular import KANSelector, importance_from_kan
from salience.tabular.kan.fold import overlap, redundancy
from salience.tabular.kan.shares import SCORES, shares
from salience.tabular.kan.targets import target_of

QUICK = {"epochs": 15, "lr": 0.02, "cv": 2}


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def planted():
    """x0 and x1 decide, x2 to x4 are noise."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 5))
    return X, X[:, 0] + 2 * np.abs(X[:, 1])


FEW_ROWS = "10 rows of 3 classes: a class has 3 rows, and 2 folds need 2 on each side"


@parametrize_with_checks(
    [KANSelector(epochs=2, cv=2), KANSelector("ko", epochs=2, cv=2, keep=1)],
    expected_failed_checks=lambda selector: {"check_fit2d_1feature": FEW_ROWS},
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_it_passes_scikit_learns_checks(estimator, check):
    check(estimator)


# ---- the scores -----------------------------------------------------------------------------------------


def by_hand():
    """One layer, y = 2 silu(x0); x1 plays no part."""
    net = KAN([2, 1], grid=2, order=1)
    with torch.no_grad():
        net.first.coef[:], net.first.base[:] = 0.0, torch.tensor([[2.0, 0.0]])
    x = torch.randn(200, 2, generator=torch.Generator().manual_seed(0))
    return net, x.numpy(), functional.mse_loss


def test_the_hand_case_l1_is_the_mean_size_of_the_contribution():
    net, X, _ = by_hand()
    expected = np.abs(2 * functional.silu(torch.tensor(X[:, 0])).numpy()).mean()
    assert importance_from_kan(net, X, X[:, 0]).frame["raw"].to_list() == pytest.approx([expected, 0.0])


def test_the_hand_case_sensitivity_is_the_mean_size_of_the_derivative():
    net, X, _ = by_hand()
    x = torch.tensor(X[:, 0], requires_grad=True)
    functional.silu(x).sum().backward()
    raw = importance_from_kan(net, X, X[:, 0], importance="si").frame["raw"].to_list()
    assert raw == pytest.approx([2 * x.grad.abs().mean().item(), 0.0])


def test_the_hand_case_knocking_out_what_plays_no_part_costs_nothing():
    net, X, _ = by_hand()
    y = net(torch.tensor(X)).detach().numpy()
    raw = importance_from_kan(net, X, y, importance="ko").frame["raw"].to_list()
    assert raw == pytest.approx([(y**2).mean(), 0.0])


@pytest.mark.parametrize(("score", "kind"), [(score, kind) for score in SCORES for kind in SCORES[score]])
def test_a_column_with_zero_weights_scores_exactly_0(score, kind):
    net = KAN([4, 9, 3], grid=3, order=2)
    with torch.no_grad():
        for weight in (net.first.base, net.first.coef, net.first.scale):
            weight[:, 2] = 0
    X = np.random.default_rng(0).normal(size=(57, 4))
    y = np.arange(57) % 3
    scores = importance_from_kan(net, X, y, "cross_entropy", importance=score, kind=kind)
    assert scores.frame["raw"][2] == 0.0
    assert scores.values[2] == 0.0
    assert scores.values.sum() == pytest.approx(1.0) or score == "ko"


@pytest.mark.parametrize("reduce", ["abs", "jacobian"])
def test_sensitivity_equals_finite_differences(reduce):
    net = KAN([3, 7, 2], grid=5, order=3).double()
    X = np.random.default_rng(0).normal(size=(40, 3)) / 2
    x, step = torch.tensor(X), 1e-6
    found = importance_from_kan(net, X, X, importance="si", kind=reduce).frame["raw"].to_numpy()
    for i in range(3):
        ahead, behind = x.clone(), x.clone()
        ahead[:, i] += step
        behind[:, i] -= step
        with torch.no_grad():
            high, low = net(ahead), net(behind)
        if reduce == "abs":
            slope = ((high.abs().sum(1) - low.abs().sum(1)) / (2 * step)).abs()
        else:
            slope = ((high - low) / (2 * step)).abs().sum(1)
        assert found[i] == pytest.approx(slope.mean().item(), abs=1e-3)


def test_knocking_out_equals_a_full_forward_pass_without_the_column():
    net = KAN([4, 9, 3], grid=5, order=3)
    X = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    y = np.arange(50) % 3
    raw = importance_from_kan(net, X, y, "cross_entropy", importance="ko").frame["raw"]
    with torch.no_grad():
        full = functional.cross_entropy(net(torch.tensor(X)), torch.tensor(y))
        for i in range(4):
            with net.knockout(i):
                without = functional.cross_entropy(net(torch.tensor(X)), torch.tensor(y))
            assert raw[i] == pytest.approx((without - full).item(), abs=1e-6)


def test_coefficients_are_counted_as_a_product_with_their_scale():
    net = KAN([3, 4, 1])
    X = np.random.default_rng(0).normal(size=(20, 3))
    before = importance_from_kan(net, X, X[:, 0], kind="coef").frame["raw"].to_numpy()
    weights = (net.first.scale[:, :, None] * net.first.coef).detach().numpy()
    assert before == pytest.approx(np.abs(weights).sum((0, 2)), rel=1e-5)
    l2 = importance_from_kan(net, X, X[:, 0], importance="l2", kind="coef").frame["raw"].to_numpy()
    assert l2 == pytest.approx(np.sqrt((weights**2).sum((0, 2))), rel=1e-5)
    with torch.no_grad():
        net.first.scale.mul_(2.0)
        net.first.coef.div_(2.0)
    after = importance_from_kan(net, X, X[:, 0], kind="coef").frame["raw"].to_numpy()
    assert after == pytest.approx(before)


def test_coefficients_say_nothing_of_the_silu_and_contributions_do():
    net, X, _ = by_hand()
    assert importance_from_kan(net, X, X[:, 0], kind="coef").values.tolist() == [0.0, 0.0]
    assert importance_from_kan(net, X, X[:, 0], kind="contrib").values.tolist() == [1.0, 0.0]


def test_a_constant_contribution_counts_nothing_when_centred():
    net = KAN([2, 1], grid=2, order=1)
    with torch.no_grad():
        net.first.base[:] = 0
        net.first.coef[:] = torch.tensor([[[1.0, 1.0, 1.0], [0.0, 0.5, 1.0]]])  # x0: 1 everywhere
    X = np.random.default_rng(0).uniform(-1, 1, size=(30, 2))
    assert importance_from_kan(net, X, X[:, 0]).top(1).items == ["x0"]
    assert importance_from_kan(net, X, X[:, 0], kind="contrib_centred").values == pytest.approx(
        [0.0, 1.0], abs=1e-6
    )


def test_outputs_may_cancel_in_the_sensitivity_but_not_in_the_jacobian():
    net = KAN([1, 2], grid=2, order=1)
    with torch.no_grad():
        net.first.coef[:] = torch.tensor([[[1.0, 2.0, 3.0]], [[3.0, 2.0, 1.0]]])  # 2 + x and 2 - x
        net.first.base[:] = 0
    X = np.linspace(-0.9, 0.9, 20)[:, None]
    assert importance_from_kan(net, X, X, importance="si").frame["raw"][0] == pytest.approx(0.0, abs=1e-6)
    jacobian = importance_from_kan(net, X, X, importance="si", kind="jacobian")
    assert jacobian.frame["raw"][0] == pytest.approx(2.0)


def test_one_outlier_rules_l2_and_not_the_others():
    net = KAN([2, 1], grid=2, order=1)
    with torch.no_grad():
        net.first.coef[:], net.first.base[:] = 0.0, 1.0
    X = np.random.default_rng(0).uniform(1, 2, size=(200, 2))
    X[:, 0] = 0.0
    X[0, 0] = 60.0
    assert importance_from_kan(net, X, X[:, 0], importance="l1").top(1).items == ["x1"]
    assert importance_from_kan(net, X, X[:, 0], importance="l2").top(1).items == ["x0"]


def test_edges_add_up_to_columns_and_nodes_are_those_of_the_attribution():
    net = KAN([3, 4, 2])
    X = np.random.default_rng(0).normal(size=(30, 3))
    edges = importance_from_kan(net, X, X[:, 0], importance="attr", items="edges")
    columns = importance_from_kan(net, X, X[:, 0], importance="attr").frame["raw"].to_numpy()
    assert edges.matrix().values.sum(1) == pytest.approx(columns, rel=1e-6)
    nodes = importance_from_kan(net, X, X[:, 0], importance="attr", items="nodes")
    assert nodes.where(layer=2).values.tolist() == [1.0, 1.0]
    assert nodes.where(layer=0).values == pytest.approx(columns, rel=1e-6)


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=8))
def test_shares_are_not_negative_and_sum_to_1_or_are_all_0(values):
    found = shares(np.array(values))
    assert (found >= 0).all()
    assert found.sum() == pytest.approx(1.0) or (found == 0).all()


@settings(max_examples=10, deadline=None)
@given(st.permutations(range(4)), st.sampled_from(list(SCORES)))
def test_the_order_of_the_columns_does_not_matter_to_a_trained_network(order, score):
    net = KAN([4, 5, 1], generator=torch.Generator().manual_seed(1))
    X = np.random.default_rng(0).normal(size=(40, 4))
    other = KAN([4, 5, 1])
    other.load_state_dict(net.state_dict())
    with torch.no_grad():
        for name in ("base", "coef", "scale"):
            getattr(other.first, name)[:] = getattr(net.first, name)[:, list(order)]
    straight = importance_from_kan(net, X, X[:, 0], importance=score).frame["raw"].to_numpy()
    turned = importance_from_kan(other, X[:, list(order)], X[:, 0], importance=score).frame["raw"].to_numpy()
    assert turned == pytest.approx(straight[list(order)], abs=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"importance": "l3"}, "there are l1, l2"),
        ({"kind": "weights"}, "its kinds are contrib"),
        ({"loss": "hinge"}, "use mse or cross_entropy"),
        ({"items": "layers"}, "there are columns, edges, nodes"),
        ({"items": "edges", "importance": "si"}, "nothing of single edges"),
        ({"items": "nodes"}, "nothing of nodes"),
        ({"names": ["a"]}, "there are 1 names"),
        ({"X": np.zeros((5, 3))}, "takes 2 columns, X has 3"),
        ({"X": np.full((5, 2), np.nan)}, "no NaN"),
        ({"X": np.zeros((1, 2))}, "at least 2 rows"),
        ({"y": np.zeros(4)}, "X has 5 rows and y 4"),
        ({"y": np.array(list("abcde"))}, "y must be numbers"),
    ],
)
def test_what_does_not_fit_a_trained_network_is_refused(change, message):
    given = {"X": np.zeros((5, 2)), "y": np.zeros(5), **change}
    with pytest.raises(ValueError, match=message):
        importance_from_kan(KAN([2, 1]), given.pop("X"), given.pop("y"), **given)


# ---- the selector ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("score", list(SCORES))
def test_planted_columns_come_first(planted, score):
    selector = KANSelector(score, keep=2, **QUICK).fit(*planted)
    assert set(selector.scores_.top(2).items) == {"x0", "x1"}
    assert selector.get_support().tolist() == [True, True, False, False, False]


def test_what_it_learned_is_all_there(planted):
    X, y = planted
    selector = KANSelector(keep=0.4, **{**QUICK, "cv": 3}).fit(X, y)
    assert isinstance(selector.scores_, Scores)
    assert selector.fold_scores_.shape == (3, 5)
    assert selector.fold_scores_.sum(1) == pytest.approx(np.ones(3))
    assert selector.scores_.values == pytest.approx(selector.fold_scores_.mean(0))
    assert selector.scores_.replicates == pytest.approx(selector.fold_scores_, rel=1e-6)
    assert (selector.heldout_loss_ < selector.null_loss_).all()
    assert len(selector.models_) == 3
    assert selector.models_[0].sizes == (5, 11, 1)
    assert selector.stability_ == 1.0
    assert 0 <= selector.redundancy_.kept <= 1
    assert {"raw", "se", "coef", "contrib_centred"} <= set(selector.scores_.frame.columns)
    meta = selector.scores_.meta
    assert (meta.method, meta.rows, meta.seed, meta.unit, meta.replicate_of) == (
        "kan",
        300,
        0,
        "share",
        "fold",
    )
    assert meta.data
    assert meta.extra["heldout_loss"] == selector.heldout_loss_.tolist()


def test_scores_come_from_rows_that_the_network_was_not_trained_on(planted):
    X, y = planted
    selector = KANSelector("l1", **QUICK, random_state=3)
    seen = []

    class Splitter:
        def split(self, X, y=None, groups=None):
            seen.append(np.arange(200, 300))
            yield np.arange(200), np.arange(200, 300)

        def get_n_splits(self, *_):
            return 1

    selector.set_params(cv=Splitter()).fit(X, y)
    x = (X[seen[0]] - X[:200].mean(0)) / X[:200].std(0)
    again = importance_from_kan(selector.models_[0], x, y[seen[0]])
    assert again.frame["raw"].to_numpy() == pytest.approx(selector.scores_.frame["raw"].to_numpy(), rel=1e-5)


def test_the_same_seed_gives_the_same_scores_and_another_does_not(planted):
    one, two, other = (KANSelector(**QUICK, random_state=seed).fit(*planted) for seed in (1, 1, 2))
    assert np.array_equal(one.fold_scores_, two.fold_scores_)
    assert not np.array_equal(one.fold_scores_, other.fold_scores_)


def test_the_global_generator_of_torch_is_neither_used_nor_moved(planted):
    torch.manual_seed(0)
    first = KANSelector(**QUICK).fit(*planted).fold_scores_
    state = torch.get_rng_state()
    torch.manual_seed(9)
    assert np.array_equal(KANSelector(**QUICK).fit(*planted).fold_scores_, first)
    torch.manual_seed(0)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    "make", [pd.DataFrame, lambda X: pl.DataFrame(X.to_dict("list"))], ids=["pandas", "polars"]
)
def test_tables_keep_their_names_and_give_the_same_scores(planted, make):
    X, y = planted
    frame = pd.DataFrame(X, columns=list("abcde"))
    table = frame if make is pd.DataFrame else make(frame)
    selector = KANSelector(keep=2, **QUICK).fit(table, y)
    assert selector.scores_.items == list("abcde")
    assert selector.get_feature_names_out().tolist() == ["a", "b"]
    assert np.array_equal(selector.fold_scores_, KANSelector(keep=2, **QUICK).fit(X, y).fold_scores_)


def test_it_works_in_a_pipeline_inside_a_grid_search():
    X, y = load_wine(return_X_y=True, as_frame=True)
    pipe = make_pipeline(KANSelector(**QUICK), LogisticRegression(max_iter=2000))
    search = GridSearchCV(pipe, {"kanselector__keep": [2, 0.5]}, cv=3).fit(X, y)
    assert search.best_score_ > 0.85
    kept = search.best_estimator_[0].set_output(transform="pandas").transform(X)
    assert set(kept.columns) < set(X.columns)


def test_several_numbers_and_several_classes_at_once(planted):
    X, y = planted
    numbers = KANSelector(keep=3, **QUICK).fit(X, np.column_stack([y, X[:, 2]]))
    assert set(numbers.scores_.top(3).items) == {"x0", "x1", "x2"}
    labels = np.column_stack([X[:, 0] > 0, X[:, 3] > 0]).astype(int)
    classes = KANSelector(keep=2, **QUICK).fit(X, labels)
    assert set(classes.scores_.top(2).items) == {"x0", "x3"}
    assert classes.models_[0].sizes[-1] == 4


def test_names_of_classes_and_truth_values_are_classes(planted):
    X, _ = planted
    for y in (np.where(X[:, 0] > 0, "yes", "no"), X[:, 0] > 0):
        selector = KANSelector(keep=1, **QUICK).fit(X, y)
        assert selector.scores_.top(1).items == ["x0"]
        assert selector.null_loss_ == pytest.approx(np.log(2), abs=0.02)


@pytest.mark.parametrize(
    ("y", "kind"),
    [
        (load_diabetes().target, "Regression"),  # whole numbers, but 214 of them
        (np.repeat(np.arange(26), 40), "Classification"),
        (np.array(["a", "b"] * 5), "Classification"),
        (np.linspace(0, 1, 10), "Regression"),
        (np.linspace(0, 1, 10).reshape(5, 2), "Regression"),
        (np.eye(4, dtype=int), "Classification"),
    ],
)
def test_the_kind_of_target_is_found_out(y, kind):
    assert type(target_of(y, "auto")).__name__ == kind


def test_a_constant_column_scores_0_and_says_so(planted):
    X, y = planted
    scores = KANSelector(**QUICK).fit(np.column_stack([X, np.full(300, 7.3)]), y).scores_
    assert scores.values[5] == 0.0
    assert scores.frame["flag"][5] == "constant"


def test_groups_stay_together_when_the_folds_are_given(planted):
    X, y = planted
    groups = np.arange(300) // 50
    folds = list(GroupKFold(3).split(X, y, groups))
    assert KANSelector(**{**QUICK, "cv": folds}).fit(X, y).fold_scores_.shape == (3, 5)


def test_a_copy_that_was_pickled_transforms_alike(planted):
    selector = KANSelector(**QUICK).fit(*planted)
    again = pickle.loads(pickle.dumps(selector))
    assert np.array_equal(again.transform(planted[0]), selector.transform(planted[0]))


def test_progress_counts_the_epochs_of_all_folds(planted):
    told = []
    KANSelector(epochs=3, cv=2, progress=lambda done, total: told.append((done, total))).fit(*planted)
    assert told == [(i, 6) for i in range(1, 7)]


@pytest.mark.parametrize(("hidden", "threads"), [(3, 1), (50_000, 3)])
@pytest.mark.filterwarnings("ignore:the network learned nothing")
def test_small_steps_take_one_thread_and_all_come_back(planted, hidden, threads):
    before, during = torch.get_num_threads(), []
    torch.set_num_threads(3)
    try:
        for tell in (lambda *_: during.append(torch.get_num_threads()), lambda *_: 1 / 0):
            selector = KANSelector(hidden=hidden, epochs=1, cv=2, progress=tell)
            with pytest.raises(ZeroDivisionError) if during else nullcontext():
                selector.fit(planted[0][:80], planted[1][:80])
            assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert during == [threads, threads]


def test_an_interruption_is_passed_on_and_leaves_no_half_fit(planted):
    def stop(done, total):
        raise KeyboardInterrupt

    selector = KANSelector(**QUICK, progress=stop)
    with pytest.raises(KeyboardInterrupt):
        selector.fit(*planted)
    assert not hasattr(selector, "scores_")


# ---- what it says of itself -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def learned_nothing():
    X, y = make_friedman1(200, 8, random_state=0)
    shuffled = np.random.default_rng(0).permutation(y)
    with pytest.warns(UserWarning, match="learned nothing"):
        return KANSelector("ko", epochs=60, lr=0.02, cv=2).fit(X, shuffled)


def test_a_permuted_target_is_seen_from_the_held_out_loss(learned_nothing):
    assert learned_nothing.heldout_loss_.mean() > learned_nothing.null_loss_.mean()
    assert set(learned_nothing.scores_.frame["flag"]) == {"untrained"}
    assert any("learned nothing" in text for text in learned_nothing.scores_.meta.warnings)


def test_knocking_out_gives_no_shares_that_look_certain_when_nothing_was_learned(learned_nothing):
    scores = learned_nothing.scores_
    assert scores.meta.unit == "loss"
    assert (scores.values < 0).any()  # clipped at 0 the rest would look important
    assert scores.values == pytest.approx(scores.frame["raw"].to_numpy())


def test_values_beyond_the_knots_are_counted(planted):
    X, y = planted
    with pytest.warns(UserWarning, match="beyond the knots"):
        KANSelector(span=0.5, **QUICK).fit(X, y)


@pytest.fixture(scope="module")
def rarely_lit():
    """x0 to x3 decide; x4 to x7 are 0 but in four rows, where they stand 12 standard deviations out."""
    rng = np.random.default_rng(0)
    X = np.hstack([rng.normal(size=(600, 4)), np.zeros((600, 4))])
    for j in range(4, 8):
        X[rng.permutation(600)[:4], j] = rng.normal(1, 0.1, 4)
    return X, X[:, :4] @ [1.0, 0.9, 0.8, 0.7]


def test_the_cause_is_said_when_l1_and_l2_disagree(rarely_lit):
    with pytest.warns(UserWarning, match=r"rank correlation -0.* reaches \d+ standard deviations"):
        selector = KANSelector("l2", keep=4, epochs=30, lr=0.01, cv=2).fit(*rarely_lit)
    assert not selector.get_support()[:4].all()


@pytest.mark.filterwarnings("error::UserWarning")
def test_clipping_takes_the_power_of_outliers_over_l2(rarely_lit):
    selector = KANSelector("l2", keep=4, clip=True, epochs=30, lr=0.01, cv=2).fit(*rarely_lit)
    assert selector.get_support()[:4].all()


def test_stability_is_the_mean_overlap_of_the_folds():
    folds = np.array([[3.0, 2, 1, 0], [3, 2, 1, 0], [0, 1, 2, 3]])
    assert overlap(folds, 2) == pytest.approx((1 + 0 + 0) / 3)
    assert np.isnan(overlap(folds[:1], 2))


def test_redundancy_compares_the_kept_columns_with_all():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 4000))
    found = redundancy(np.column_stack([a, a, b, np.ones(4000)]), np.array([True, False, True, True]))
    assert found.kept == pytest.approx(0.0, abs=0.05)
    assert found.all == pytest.approx(1 / 3, abs=0.05)
    assert np.isnan(redundancy(np.ones((3, 2)), np.array([True, True])).all)


def test_the_curve_of_a_column_is_what_it_adds(planted):
    X, y = planted
    selector = KANSelector(keep=2, epochs=60, lr=0.02, cv=2).fit(X, y)
    ax = selector.plot_curves(ax=Figure().subplots())
    lines = {
        line.get_label(): line.get_xydata() for line in ax.get_lines() if line.get_label() in ("x0", "x1")
    }
    assert lines["x0"][-1, 1] > 0 > lines["x0"][0, 1]  # y grows with x0
    middle = np.argmin(np.abs(lines["x1"][:, 0]))
    assert lines["x1"][middle, 1] < min(lines["x1"][0, 1], lines["x1"][-1, 1])  # and with the size of x1
    with pytest.raises(ValueError, match="'x9' are not among"):
        selector.plot_curves(["x9"])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"keep": 6}, "keep=6 columns, but there are 5"),
        ({"keep": 0}, "keep"),
        ({"keep": 1.5}, "keep"),
        ({"importance": "l0"}, "importance"),
        ({"kind": "abs"}, "its kinds are contrib"),
        ({"epochs": 0}, "epochs"),
        ({"span": -1.0}, "span"),
        ({"task": "ranks"}, "task"),
        ({"order": 0}, "order"),
    ],
)
def test_a_wrong_parameter_is_refused(planted, params, message):
    with pytest.raises(ValueError, match=message):
        KANSelector(**{**QUICK, **params}).fit(*planted)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, y: (np.where(X > 2, np.nan, X), y), "NaN"),
        (lambda X, y: (np.where(X > 2, np.inf, X), y), "infinity"),
        (lambda X, y: (X, np.zeros(300)), "one class only"),
        (lambda X, y: (X, np.full(300, 0.5)), "one value only"),
        (lambda X, y: (X, np.r_[np.zeros(297), np.ones(3)].astype(int)), "class 1 has 1 row"),
        (lambda X, y: (X[:1], y[:1]), "minimum of 2 is required"),
        (lambda X, y: (X[:3], y[:3]), "each side needs 2"),
        (lambda X, y: (X[:, 0], y), "2D array"),
        (lambda X, y: (X[:, :0], y), "0 feature"),
        (lambda X, y: (np.full_like(X, "text", dtype=object), y), "could not convert"),
        (lambda X, y: (X, y[:-1]), "inconsistent"),
    ],
)
def test_bad_data_is_refused_at_the_door(planted, change, message):
    X, y = change(*planted)
    with pytest.raises(ValueError, match=message):
        KANSelector(**QUICK).fit(X, y)


def test_a_target_of_names_is_no_regression(planted):
    X, _ = planted
    with pytest.raises(ValueError, match='use task="classes"'):
        KANSelector(task="numbers", **QUICK).fit(X, np.array(["a", "b"] * 150))
