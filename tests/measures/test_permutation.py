"""Permutation effects against their closed forms, and the four ways to the same predictions against each other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics
from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor

from salience.measures.sensitivity import permutation_effects
from salience.measures.sensitivity.losses import LOSSES, Loss, named_loss
from salience.measures.sensitivity.permutation import losses_under_masks
from salience.measures.sensitivity.perturbed import Linear, Perturbed
from salience.measures.sensitivity.shuffles import ConditionalShuffles, IndependentShuffles, PixelShuffles
from salience.tabular.rashomon.models import opened

MANY = 200_000


@pytest.fixture(scope="module")
def normal():
    return np.random.default_rng(0).normal(size=(MANY, 3))


def effects(f, X, subsets, y=None, **options):
    return permutation_effects(f, X, f(X) if y is None else y, subsets, **{"shuffles": 3, **options})


# ---- closed forms --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "phi", "joint", "interaction"),
    [
        (lambda Z: Z[:, 0] * Z[:, 1], (2, 2), 2, -2),
        (lambda Z: Z[:, 0] + Z[:, 1], (2, 2), 4, 0),
        (lambda Z: Z[:, 0] + Z[:, 1] + Z[:, 0] * Z[:, 1], (4, 4), 6, -2),
        (lambda Z: Z[:, 0] * Z[:, 1] * Z[:, 2], (2, 2), 2, -2),
    ],
    ids=["product", "sum", "both", "triple"],
)
def test_effects_of_independent_normals_are_twice_their_variances(normal, f, phi, joint, interaction):
    found = effects(f, normal, [(0,), (1,), (0, 1)])
    assert found.effect == pytest.approx([*phi, joint], rel=0.04)
    assert found.interaction[2] == pytest.approx(interaction, abs=0.08)


@pytest.mark.parametrize(("permutation", "expected"), [("independent", 1.6), ("joint", 3.2)])
def test_correlation_alone_gives_a_score_to_an_additive_pair(normal, permutation, expected):
    X = np.column_stack([normal[:, 0], 0.8 * normal[:, 0] + 0.6 * normal[:, 1]])
    found = effects(lambda Z: Z.sum(axis=1), X, [(0, 1)], permutation=permutation)
    assert found.interaction[0] == pytest.approx(expected, abs=0.06)


def test_interaction_is_minus_twice_the_total_interaction_variance_on_ishigami():
    a, b = 7.0, 0.1
    X = np.random.default_rng(1).uniform(-np.pi, np.pi, size=(MANY, 3))
    found = effects(
        lambda Z: np.sin(Z[:, 0]) + a * np.sin(Z[:, 1]) ** 2 + b * Z[:, 2] ** 4 * np.sin(Z[:, 0]),
        X, [(0, 1), (0, 2), (1, 2)],
    )  # fmt: skip
    v13 = 8 * b**2 * np.pi**8 / 225  # the only interaction of Ishigami's function
    assert found.interaction == pytest.approx([0, -2 * v13, 0], abs=0.2)


def test_a_conditional_shuffle_leaves_out_what_the_rest_already_says(normal):
    x = normal[:5000, 0]
    X = np.column_stack([x, x + 0.01 * normal[:5000, 1]])
    f = lambda Z: Z[:, 0]  # noqa: E731
    free, held = (effects(f, X, [(0,)], permutation=p).effect[0] for p in ("independent", "conditional"))
    assert free == pytest.approx(2, rel=0.1)
    assert held < 0.01


def test_neighbours_never_include_the_row_itself_however_many_are_equal():
    X = np.zeros((30, 2))
    X[:, 1] = np.arange(30) % 3
    donors = ConditionalShuffles(X, [np.array([0]), np.array([1])], 0, neighbors=9).donors((0,), 0, 0, 50)
    assert (donors != np.arange(30)).all()
    assert (X[donors, 1] == X[:, 1]).all()


# ---- identities ----------------------------------------------------------------------------------------


def test_the_empty_subset_has_no_effect_and_a_single_one_no_interaction(normal):
    found = effects(lambda Z: Z[:, 0] * Z[:, 1], normal[:100], [(), (0,)])
    assert found.effect[0] == 0
    assert not found.interaction.any()


@pytest.mark.parametrize("permutation", ["independent", "joint", "conditional"])
def test_the_joint_effect_of_one_column_is_its_main_effect(normal, permutation):
    found = effects(lambda Z: Z[:, 0] * Z[:, 1], normal[:200], [(0,), (0, 1)], permutation=permutation)
    assert found.effect[0] == found.alone[0][0]


def test_shuffling_a_subset_shuffles_every_column_of_it(normal):
    """The first public code shuffled only the last column of a pair, so that a joint effect was a main effect."""
    found = effects(lambda Z: Z[:, 0] + 3 * Z[:, 1], normal, [(0,), (1,), (0, 1)])
    assert found.effect[2] > found.effect[1] * 1.05
    assert found.interaction[2] == pytest.approx(0, abs=0.2)
    assert found.interaction[2] != pytest.approx(-found.effect[0], abs=0.5)


def test_the_result_does_not_depend_on_the_memory_it_may_take(normal):
    f, X = (lambda Z: Z[:, 0] * Z[:, 1] + Z[:, 2]), normal[:50]
    one, all_ = (effects(f, X, [(0, 1), (1, 2)], shuffles=7, memory=m) for m in (1, 1 << 24))
    assert np.allclose(one.interaction, all_.interaction, rtol=1e-12)
    assert np.allclose(one.se, all_.se, rtol=1e-9)


def test_the_same_seed_gives_the_same_and_another_seed_does_not(normal):
    f, X = (lambda Z: Z[:, 0] * Z[:, 1]), normal[:50]
    first, again, other = (effects(f, X, [(0, 1)], seed=seed).effect[0] for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_rows_that_stand_there_twice_change_nothing_in_expectation(normal):
    X, f = normal[:4000], (lambda Z: Z[:, 0] * Z[:, 1])
    once, twice = (effects(f, Z, [(0, 1)], shuffles=10) for Z in (X, np.tile(X, (2, 1))))
    assert once.interaction[0] == pytest.approx(twice.interaction[0], abs=2 * once.interaction_se[0])


# ---- errors that are honest ----------------------------------------------------------------------------


@pytest.mark.parametrize("permutation", ["independent", "joint"])
def test_standard_errors_are_about_the_spread_over_data_sets(permutation):
    def once(seed):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(300, 3))
        y = X[:, 0] * X[:, 1] + X[:, 2] + rng.normal(size=300)
        found = permutation_effects(lambda Z: Z[:, 0] * Z[:, 1] + Z[:, 2], X, y, [(0, 1), (2,)], shuffles=10,
                                    permutation=permutation, seed=seed)  # fmt: skip
        return found.interaction[0], found.effect[1], found.interaction_se[0], found.se[1]

    draws = np.array([once(seed) for seed in range(150)])
    ratio = draws[:, 2:].mean(axis=0) / draws[:, :2].std(axis=0)
    assert (ratio > 0.85).all()
    assert (ratio < 1.5).all(), "at ten shuffles they may be a fifth too large, not more"


def test_a_loss_that_is_no_mean_over_rows_has_the_error_of_its_shuffles(normal):
    X = normal[:200]
    found = permutation_effects(
        lambda Z: Z[:, 0], X, (X[:, 0] > 0).astype(int), [(0,)], loss="auc", shuffles=20
    )
    assert found.effect[0] == pytest.approx(0.5, abs=0.05)
    assert 0 < found.se[0] < 0.02


# ---- losses --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("mean_squared_error", metrics.mean_squared_error),
        ("mean_absolute_error", metrics.mean_absolute_error),
        ("root_mean_squared_error", metrics.root_mean_squared_error),
        ("r2", lambda y, p: 1 - metrics.r2_score(y, p)),
    ],
)
def test_losses_of_numbers_are_scikit_learns(name, theirs):
    y, p = np.random.default_rng(0).normal(size=(2, 50))
    assert LOSSES[name](y, p[None])[0] == pytest.approx(theirs(y, p), rel=1e-12)


def test_losses_of_classes_are_scikit_learns_of_probabilities_and_of_labels():
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 2, 60), rng.random(60).round(1)
    assert LOSSES["log_loss"](y, p[None])[0] == pytest.approx(metrics.log_loss(y, p), rel=1e-9)
    assert LOSSES["auc"](y, p[None])[0] == pytest.approx(1 - metrics.roc_auc_score(y, p), rel=1e-12)
    assert LOSSES["accuracy"](y, (p > 0.5)[None])[0] == pytest.approx(1 - metrics.accuracy_score(y, p > 0.5))
    three, many = rng.integers(0, 3, 60), rng.dirichlet(np.ones(3), 60)
    assert LOSSES["log_loss"](three, many[None])[0] == pytest.approx(metrics.log_loss(three, many), rel=1e-9)


def test_a_loss_of_ones_own_is_called_once_for_each_run():
    assert named_loss(lambda y, p: np.abs(y - p).max())(np.zeros(2), np.array([[1, 3], [2, 0]])).tolist() == [
        3,
        2,
    ]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: named_loss("gini"), "there is no loss 'gini'"),
        (lambda: Loss("x", "logits", rows=np.subtract), "not 'logits'"),
        (lambda: Loss("x", "value"), "either `rows` or `whole`"),
        (lambda: LOSSES["r2"](np.ones(3), np.ones((1, 3))), "constant target"),
        (lambda: LOSSES["auc"](np.ones(3), np.ones((1, 3))), "both classes"),
        (lambda: LOSSES["auc"](np.ones(3), np.ones((1, 3, 3))), "two classes"),
    ],
)
def test_a_wrong_loss_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"subsets": [(0, 0)]}, "twice"),
        ({"subsets": [(5,)]}, "the part 5; there are 2"),
        ({"shuffles": 0}, "at least one shuffle"),
        ({"permutation": "both"}, "use one of independent, joint, conditional"),
        ({"X": np.zeros((1, 2)), "y": np.zeros(1)}, "at least two rows"),
        ({"y": np.zeros(3)}, "X must be"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(options, message):
    given_ = {"X": np.zeros((4, 2)), "y": np.zeros(4), "subsets": [(0,)], **options}
    with pytest.raises(ValueError, match=message):
        permutation_effects(lambda Z: Z[:, 0], **given_)


# ---- four ways to the same predictions -----------------------------------------------------------------


def under_masks(box, X, y, subset, masks, shuffles=6):
    seen = IndependentShuffles(X, box.parts, 3)
    return losses_under_masks(box, seen, LOSSES["mean_squared_error"], y, subset, np.asarray(masks), shuffles)


def assert_same(one, other):
    for ours, theirs in zip(one, other, strict=True):
        assert np.allclose(ours, theirs, rtol=1e-10, atol=1e-12)


MASKS = [[1.0, 1.0], [0.3, -2.0], [1.7, 1.0]]


@pytest.mark.parametrize("links", [False, True])
@pytest.mark.parametrize("groups", [False, True])
def test_a_linear_model_is_computed_not_asked(links, groups):
    rng = np.random.default_rng(0)
    X, w = rng.normal(size=(40, 5)), rng.normal(size=5)
    parts = (
        [np.array([0, 4]), np.array([1]), np.array([2, 3])] if groups else [np.array([j]) for j in range(5)]
    )
    link = np.tanh if links else np.asarray
    plain = Perturbed(lambda Z: link(Z @ w + 0.5), X, parts, X.mean(axis=0))
    known = Perturbed(plain.predict, X, parts, X.mean(axis=0), linear=Linear(w, 0.5, link))
    y = rng.normal(size=40)
    assert_same(under_masks(known, X, y, (0, 2), MASKS), under_masks(plain, X, y, (0, 2), MASKS))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 3))
def test_columns_of_few_values_are_tabulated(seed, values):
    rng = np.random.default_rng(seed)
    X = rng.integers(0, values, size=(25, 3)).astype(float)
    calls = []

    def predict(Z):
        calls.append(len(Z))
        return np.sin(Z[:, 0] * 2 + Z[:, 1]) * Z[:, 2]

    parts = [np.array([j]) for j in range(3)]
    y, centre = rng.normal(size=25), X.mean(axis=0)
    tabulated = under_masks(Perturbed(predict, X, parts, centre), X, y, (0, 1), MASKS, shuffles=20)
    asked = sum(calls)
    stacked = _stacked_only(predict, X, parts, centre)
    assert_same(tabulated, under_masks(stacked, X, y, (0, 1), MASKS, shuffles=20))
    assert asked <= len(MASKS) * 25 * (values**2 + 1)


def _stacked_only(predict, X, parts, centre):
    """A box that finds no column to have few values, and so asks about every row."""
    box = Perturbed(predict, X, parts, centre)
    box._coded.update({part: (np.zeros((10**6, 1)), np.zeros(len(X), int)) for part in range(len(parts))})
    return box


@pytest.mark.parametrize(
    "kind", [GradientBoostingRegressor(n_estimators=5, max_depth=2), RandomForestRegressor(3, max_depth=3)]
)
def test_trees_are_asked_once_for_each_cell_between_their_thresholds(kind):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    y = X[:, 0] * X[:, 1] + X[:, 2]
    model = kind.set_params(random_state=0).fit(X, y)
    ready = opened(model, X, y, "auto")
    assert ready.thresholds is not None
    parts = [np.array([j]) for j in range(4)]
    cells = Perturbed(ready.predict, X, parts, X.mean(axis=0), thresholds=ready.thresholds)
    masks = [*MASKS, *np.random.default_rng(1).normal(1, 0.3, size=(30, 2)).tolist()]
    plain = _stacked_only(ready.predict, X, parts, X.mean(axis=0))
    assert_same(under_masks(cells, X, y, (0, 1), masks), under_masks(plain, X, y, (0, 1), masks))


def test_a_value_that_a_mask_puts_on_a_threshold_goes_left_as_in_the_tree():
    rng = np.random.default_rng(0)
    X = np.round(2 * rng.normal(size=(60, 2))) / 2  # cut at odd quarters, which half of a half is
    y = X[:, 0] * X[:, 1]
    model = RandomForestRegressor(5, random_state=0).fit(X, y)
    ready = opened(model, X, y, "auto")
    parts, masks = [np.array([0]), np.array([1])], [[0.5, 0.5], [1.5, 0.5], [0.5, -1.5]]
    cells = Perturbed(ready.predict, X, parts, np.zeros(2), thresholds=ready.thresholds)
    plain = _stacked_only(ready.predict, X, parts, np.zeros(2))
    assert_same(under_masks(cells, X, y, (0, 1), masks), under_masks(plain, X, y, (0, 1), masks))


def test_pixels_stay_in_their_segment_and_channels_with_their_pixel():
    X = np.arange(12.0).reshape(1, 12)  # 6 pixels of 2 channels
    shuffled = PixelShuffles(X, [np.arange(8), np.arange(8, 12)], 0, channels=2)
    values = shuffled.values((0,), 0, 0, 20)
    assert values.shape == (20, 1, 8)
    assert {tuple(sorted(row)) for row in values[:, 0]} == {tuple(range(8))}
    assert (values[..., 1::2] - values[..., ::2] == 1).all()
    with pytest.raises(ValueError, match="within their image"):
        shuffled.donors((0,), 0, 0, 1)
