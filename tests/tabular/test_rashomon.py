"""The Rashomon explorer: masks in closed form, clouds of one model each, and nothing found where nothing is."""

import pickle
import warnings

import matplotlib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeRegressor
from sklearn.utils.estimator_checks import parametrize_with_checks

from salience.results import Scores
from salience.tabular import RashomonExplorer, fis
from salience.tabular.rashomon.plots import halo_points
from salience.tabular.rashomon.search import walk

matplotlib.use("agg")
pytestmark = pytest.mark.filterwarnings("ignore:.*of the joint models are outside:UserWarning")


@parametrize_with_checks([RashomonExplorer(Ridge(), shuffles=2)])
def test_it_passes_scikit_learns_checks(estimator, check):
    check(estimator)


def product(Z):
    return Z[:, 0] * Z[:, 1] + Z[:, 2]


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 4))
    return X, product(X) + 0.3 * rng.normal(size=400)


@pytest.fixture(scope="module")
def explored(rows):
    return RashomonExplorer(product, epsilon_rate=0.1, delta=0.25, shuffles=5, drop_unused=False).fit(*rows)


@pytest.fixture(scope="module")
def linear():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(900, 3)) * [1.0, 2.0, 0.5] + [0.0, 1.0, -2.0]
    y = X @ [1.0, -0.7, 0.4] + rng.normal(size=900)
    return LinearRegression().fit(X[:500], y[:500]), X[500:], y[500:]


# ---- the search ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("centre", ["zero", "mean"])
def test_masks_of_linear_regression_are_the_closed_form(linear, centre):
    model, X, y = linear
    found = RashomonExplorer(model, centre=centre, shuffles=1).fit(X, y)
    residual = y - model.predict(X)
    about = X - (X.mean(axis=0) if centre == "mean" else 0)
    for name, direction, allowed, m in found.samples_.select(
        "feature", "direction", "allowed", "m"
    ).iter_rows():
        x = about[:, int(name[1])]
        w = model.coef_[int(name[1])]
        # loss added: a (m - 1)^2 - 2 b (m - 1), the residual not being quite uncorrelated with x
        a, b = w**2 * np.mean(x**2), w * np.mean(residual * x)
        exact = 1 + (b + direction * np.sqrt(b**2 + a * allowed)) / a
        exact = max(exact, 1.0) if direction > 0 else min(exact, 1.0)
        assert m == pytest.approx(exact, abs=1e-4)


def test_no_mask_alone_leaves_the_set_and_all_move_outward(explored):
    samples = explored.samples_
    assert (samples["loss"] <= explored.reference_loss_ + samples["allowed"] + 1e-12).all()
    for (_, direction), own in samples.group_by("feature", "direction", maintain_order=True):
        assert (np.diff(own["m"].to_numpy() * direction) >= 0).all()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-3, 3), min_size=3, max_size=3), st.floats(1e-3, 5), st.sampled_from([1, -1]))
def test_whatever_the_curve_masks_stay_within_their_budgets_and_move_outward(shape, budget, direction):
    def loss(m):
        d = m - 1
        return 1 + 0.3 * d**2 + shape[0] * d + 0.2 * shape[1] * np.sin(5 * d) + shape[2] * (np.abs(d) > 0.7)

    budgets = budget * np.linspace(0, 1, 6)
    found = walk(loss, 1.0, budgets, direction)
    assert (found.losses <= 1 + budgets + 1e-12).all()
    assert np.allclose(loss(found.masks), found.losses)
    assert (np.diff(direction * found.masks) >= 0).all()
    assert (direction * (found.masks - 1) >= 0).all()


def walk_as_printed(loss, reference, budgets, direction, still=0.0):
    """The search of the paper with the stalls of generalized-rashomon-set 0.2.0: one loss at a time."""
    m, last, stalls, masks = 1.0, reference, 0, []
    for budget in budgets:
        step, fails = 0.1, 0
        while fails < 4 and stalls < 20:
            value = loss(np.array([m + direction * step]))[0]
            if value <= reference + budget + 1e-12:
                stalls = stalls + 1 if abs(value - last) <= still else 0
                m, last = m + direction * step, value
            else:
                step, fails = step * 0.1, fails + 1
        masks.append(m)
    return masks


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.02, 0.5), st.sampled_from([1, -1]))
def test_where_the_loss_moves_in_jumps_masks_are_those_of_the_paper_step_by_step(seed, budget, direction):
    rng = np.random.default_rng(seed)
    x, noise = rng.normal(size=60), rng.normal(size=60)

    def loss(m):
        return ((np.floor(3 * np.clip(m[:, None] * x, -2, 2)) / 3 - x - 0.2 * noise) ** 2).mean(axis=1)

    reference = loss(np.ones(1))[0]
    budgets = budget * np.linspace(0, 1, 5)
    assert walk(loss, reference, budgets, direction).masks.tolist() == walk_as_printed(
        loss, reference, budgets, direction
    )


@pytest.mark.parametrize("loss", [lambda m: (m - 1.3) ** 2, lambda m: np.log1p(np.exp(-2 * m)) + 0.02 * m**2])
@pytest.mark.parametrize("direction", [1, -1])
def test_where_the_loss_is_smooth_masks_are_those_of_the_paper_to_its_resolution(loss, direction):
    reference, budgets = loss(np.ones(1))[0], np.linspace(0, 0.4, 11)
    found = walk(loss, reference, budgets, direction)
    assert found.masks == pytest.approx(walk_as_printed(loss, reference, budgets, direction), abs=1.0001e-4)


def test_a_step_in_the_loss_is_found():
    found = walk(lambda m: (m > 1.32175).astype(float), 0.0, np.array([0.0, 0.5]), 1)
    assert found.masks == pytest.approx(1.3217, abs=1e-9)
    assert found.end == ""


def test_a_barrier_ends_the_walk_though_the_loss_falls_again_behind_it():
    found = walk(lambda m: 2.0 * ((m > 1.55) & (m < 1.75)) + 0.1 * (m - 1) ** 2, 0.0, np.array([0.0, 1.0]), 1)
    assert found.masks[1] == pytest.approx(1.55, abs=1e-4)


def test_a_feature_without_weight_is_insensitive_and_not_scaled_a_thousandfold(explored):
    own = explored.samples_.filter(pl.col("feature") == "x3")
    assert own["end"].unique().to_list() == ["insensitive"]
    assert np.allclose(own["m"], 1 + 2 * own["direction"].to_numpy()), "twenty steps of .1, and no farther"


def test_a_loss_that_stops_growing_ends_the_walk_where_it_stops():
    found = walk(lambda m: np.minimum(np.abs(m - 1), 3.0), 0.0, np.array([0.0, 1.0, 5.0]), 1)
    assert found.end == "plateau"
    assert found.masks[1] == pytest.approx(2.0, abs=1e-4)
    assert found.masks[2] == pytest.approx(6.0, abs=1e-3), "twenty steps of .1 after the loss stopped growing"


def test_a_loss_that_hardly_grows_ends_the_walk_at_its_bound():
    found = walk(lambda m: 1e-9 * np.abs(m - 1), 0.0, np.array([0.0, 1.0]), -1)
    assert (found.end, found.masks[1]) == ("bound", -1000.0)


# ---- the clouds ----------------------------------------------------------------------------------------


def test_every_row_of_the_cloud_is_one_model(explored, rows):
    """Loss, main and joint effects come from the jointly masked model, not mains from other models."""
    _, y = rows
    cloud = explored.interaction_cloud_
    assert cloud.height == 6 * 3 * 4
    gap = cloud["fis"] - (cloud["joint"] - cloud["main_a"] - cloud["main_b"])
    assert gap.abs().max() < 1e-12
    for row in cloud.sample(8, seed=0).iter_rows(named=True):
        said = explored.masked_predict({row["a"]: row["m_a"], row["b"]: row["m_b"]})
        assert row["loss"] == pytest.approx(np.mean((y - said) ** 2), rel=1e-10)
        assert row["in_set"] == (row["loss"] <= explored.reference_loss_ + explored.epsilon_ + 1e-12)
        assert row["budget_a"] + row["budget_b"] == pytest.approx(1)


def test_main_effects_are_measured_in_the_masked_models(explored):
    """A mask that shrinks a feature shrinks what shuffling it costs."""
    own = explored.attribution_cloud_.filter(pl.col("column") == "x2").sort("m")
    assert own["effect"].is_sorted()
    assert own["effect"][0] < explored.column_scores_.where(column="x2").values[0] < own["effect"][-1]


def test_the_scores_hold_the_reference_the_range_and_the_members(explored, rows):
    scores = explored.scores_
    assert isinstance(scores, Scores)
    assert (scores.item, scores.keys, scores.better) == ("pair", ("a", "b"), "abs")
    assert scores.replicates.shape == (12, 6)
    frame = scores.frame
    assert (frame["lo"] <= frame["value"]).all()
    assert (frame["value"] <= frame["hi"]).all()
    members = np.vstack([scores.replicates, scores.values])
    assert np.allclose(np.ptp(members, axis=0), frame["range"], atol=1e-6)
    assert scores.top(1).items == [("x0", "x1")]
    assert explored.summary()["a"][0] == "x0"
    assert np.allclose(scores.values, fis(product, *rows, shuffles=5).values)
    assert explored.column_scores_.item == "column"


def test_all_budgets_signs_and_orders_are_there(rows):
    found = RashomonExplorer(product, delta=0.25, order=3, shuffles=1).fit(*rows)
    cloud = found.interaction_cloud_
    assert cloud.height == 3 * 8  # (2, 1, 1), (1, 2, 1), (1, 1, 2) quarters, in 8 directions
    assert found.scores_.keys == ("a", "b", "c")
    assert found.scores_.items == [("x0", "x1", "x2")]
    ten = RashomonExplorer(product, shuffles=1, subsets=[("x0", "x1")]).fit(*rows)
    assert ten.interaction_cloud_.height == 36


def test_smaller_radii_spend_less(rows):
    cloud = RashomonExplorer(product, delta=0.25, radii=(0.5, 1.0), shuffles=1).fit(*rows).interaction_cloud_
    spent = cloud.group_by("radius").agg(pl.col("budget_a").max()).sort("radius")
    assert spent["budget_a"].to_list() == [0.25, 0.75]


def test_only_members_of_the_set_count_when_asked_for(rows):
    options = {"delta": 0.25, "shuffles": 3}
    all_, inside = (
        RashomonExplorer(product, in_set_only=only, **options).fit(*rows) for only in (False, True)
    )
    assert all_.interaction_cloud_.equals(inside.interaction_cloud_)
    assert np.isnan(inside.scores_.replicates).any()
    assert (inside.scores_.frame["range"] <= all_.scores_.frame["range"] + 1e-12).all()
    assert np.allclose(inside.scores_.frame["lo"], all_.scores_.frame["in_set_lo"])


def test_the_number_of_threads_changes_nothing(rows, explored):
    again = RashomonExplorer(
        product, epsilon_rate=0.1, delta=0.25, shuffles=5, drop_unused=False, n_jobs=3
    ).fit(*rows)
    assert again.samples_.equals(explored.samples_)
    assert again.interaction_cloud_.equals(explored.interaction_cloud_)
    assert np.array_equal(again.scores_.values, explored.scores_.values)


def test_another_seed_shuffles_otherwise(rows, explored):
    other = RashomonExplorer(
        product, epsilon_rate=0.1, delta=0.25, shuffles=5, drop_unused=False, random_state=1
    )
    assert not np.array_equal(other.fit(*rows).scores_.values, explored.scores_.values)


def test_few_shuffles_screen_and_all_look_again_at_the_widest(rows):
    found = RashomonExplorer(product, delta=0.25, shuffles=20, screen_shuffles=2, top=1).fit(*rows)
    frame = found.scores_.frame
    assert frame.filter(pl.col("shuffles") == 20).select("a", "b").rows() == [("x0", "x1")]
    assert (frame["shuffles"] == 2).sum() == frame.height - 1


def test_unused_features_are_left_out_unless_asked_for(rows):
    found = RashomonExplorer(product, delta=0.5, shuffles=2).fit(*rows)
    assert found.dropped_ == ["x3"]
    assert all("x3" not in pair for pair in found.scores_.items)
    with pytest.raises(ValueError, match="dropped as unused"):
        found.halo(("x0", "x3"))


# ---- other members -------------------------------------------------------------------------------------


def test_a_list_of_models_is_filtered_by_the_set(rows):
    X, y = rows
    good = [
        DecisionTreeRegressor(max_depth=8, min_samples_leaf=5, random_state=s, max_features=3).fit(X, y)
        for s in range(6)
    ]
    models = [*good, lambda Z: np.zeros(len(Z))]
    found = RashomonExplorer(models=models, epsilon_rate=0.5, shuffles=3).fit(X, y)
    assert found.reference_loss_ == pytest.approx(found.samples_["loss"].min())
    assert not found.samples_["in_set"][-1]
    inside = int(found.samples_["in_set"].sum())
    assert found.scores_.replicates.shape[0] == inside
    assert set(found.interaction_cloud_["model"]) == set(np.flatnonzero(found.samples_["in_set"]))
    with pytest.raises(ValueError, match="needs masked models"):
        found.halo(("x0", "x1"))


def test_a_list_without_a_member_is_an_error(rows):
    with pytest.raises(ValueError, match="none of 1 models"):
        RashomonExplorer(product, models=[lambda Z: np.zeros(len(Z))]).fit(*rows)


def test_columns_of_a_group_are_one_feature(rows):
    X, y = rows
    found = RashomonExplorer(product, groups={"both": ["x0", "x1"]}, delta=0.5, shuffles=3).fit(X, y)
    assert found.scores_.items == [("both", "x2")]
    m = found.samples_.filter(pl.col("feature") == "both")["m"].max()
    centre = X.mean(axis=0)
    moved = X.copy()
    moved[:, :2] = centre[:2] + m * (X[:, :2] - centre[:2])
    assert np.allclose(found.masked_predict({"both": m}), product(moved))


@pytest.mark.parametrize(
    "shape", [(4, 4), (4, 4, 3), (3, 4, 4)], ids=["grey", "channels last", "channels first"]
)
def test_segments_of_images_are_features(shape):
    rng = np.random.default_rng(0)
    images = rng.random((5, *shape))
    segments = np.repeat(np.repeat([[1, 1], [5, 9]], 2, axis=0), 2, axis=1)
    weights = rng.random(shape)

    def predict(given_):
        return (given_ * weights).reshape(len(given_), -1).sum(axis=1)

    y = predict(images) + 0.1 * rng.normal(size=5)
    found = RashomonExplorer(predict, segments=segments, delta=0.5, shuffles=4).fit(images, y)
    assert found.scores_.items[0] == ("segment 1", "segment 5")
    m = found.samples_.filter(pl.col("feature") == "segment 9")["m"].max()
    scaled = np.where(np.broadcast_to((segments == 9)[..., None] if len(shape) == 3 and shape[2] == 3 else segments == 9, shape),
                      images * m, images)  # fmt: skip
    assert np.allclose(found.masked_predict({"segment 9": m}), predict(scaled))


def test_an_unfitted_model_is_fitted_on_other_rows_than_it_is_explained_on(rows):
    found = RashomonExplorer(Ridge(), test_size=0.25, shuffles=2).fit(*rows)
    assert found.scores_.meta.rows == 100
    assert not hasattr(found.model, "coef_")


def test_torch_modules_are_asked_in_evaluation_mode():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Dropout(0.5), torch.nn.Linear(8, 2))
    X = np.random.default_rng(0).normal(size=(60, 3))
    y = np.random.default_rng(1).integers(0, 2, 60)
    found = RashomonExplorer(net, loss="log_loss", delta=0.5, shuffles=2).fit(X, y)
    assert found.scores_.meta.unit == "log_loss"
    assert net.training
    assert np.array_equal(found.masked_predict({}), found.masked_predict({}))


# ---- classes and losses --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def classes():
    X, y = make_classification(400, 5, n_informative=4, n_redundant=0, random_state=0)
    return X, np.array(["no", "yes"])[y]


@pytest.mark.parametrize("loss", ["auto", "accuracy", "auc"])
def test_scores_to_be_maximised_are_losses_here(classes, loss):
    X, y = classes
    model = LogisticRegression().fit(X[:200], y[:200])
    found = RashomonExplorer(model, loss=loss, delta=0.5, shuffles=3).fit(X[200:], y[200:])
    assert found.column_scores_.values.max() > 0, "shuffling what matters costs"
    assert (found.samples_["loss"] <= found.reference_loss_ + found.samples_["allowed"] + 1e-12).all()


def test_the_log_loss_is_that_of_probabilities_not_of_labels(classes):
    from sklearn.metrics import log_loss

    X, y = classes
    model = LogisticRegression().fit(X[:200], y[:200])
    found = RashomonExplorer(model, delta=0.5, shuffles=1).fit(X[200:], y[200:])
    assert found.reference_loss_ == pytest.approx(log_loss(y[200:], model.predict_proba(X[200:])), rel=1e-9)


def test_trees_linear_models_and_many_classes_agree_with_their_plain_predictions():
    X, y = make_classification(300, 5, n_informative=4, n_redundant=0, n_classes=3, random_state=0)
    for model in (LogisticRegression(), RandomForestClassifier(4, max_depth=3, random_state=0)):
        model.fit(X, y)
        hidden = RashomonExplorer(model.predict_proba, delta=0.5, shuffles=4).fit(X, y)
        known = RashomonExplorer(model, delta=0.5, shuffles=4).fit(X, y)
        assert known.scores_.meta.unit == hidden.scores_.meta.unit == "log_loss"
        assert np.allclose(known.scores_.values, hidden.scores_.values, atol=1e-10)
        assert np.allclose(known.interaction_cloud_["fis"], hidden.interaction_cloud_["fis"], atol=1e-6)


# ---- the halo ------------------------------------------------------------------------------------------


def test_without_interaction_and_correlation_the_halo_is_the_circle():
    rng = np.random.default_rng(0)
    Q, _ = np.linalg.qr(np.column_stack([np.ones(500), rng.normal(size=(500, 4))]))
    X, noise = Q[:, 1:4] * np.sqrt(500), Q[:, 4] * 5
    found = RashomonExplorer(lambda Z: Z @ [1.0, 2.0, 0.5], delta=0.2, shuffles=1).fit(
        X, X @ [1.0, 2.0, 0.5] + noise
    )
    points, circle, _ = halo_points(
        found.interaction_cloud_, ("x0", "x1"), found.reference_loss_, found.epsilon_
    )
    assert np.allclose(points, circle, rtol=1e-2)
    assert np.allclose(np.linalg.norm(circle, axis=1), found.epsilon_)


def test_halo_and_swarm_are_drawn_on_axes(explored, rows):
    from matplotlib.figure import Figure

    ax = Figure().subplots()
    assert explored.halo(("x0", "x1"), ax=ax) is ax
    assert explored.swarm(ax=Figure().subplots()).get_xlabel() == "interaction score (mean_squared_error)"
    assert (
        explored.swarm("effects", ax=Figure().subplots()).get_xlabel() == "main effect (mean_squared_error)"
    )
    triple = RashomonExplorer(product, delta=0.25, order=3, shuffles=1).fit(*rows)
    space = Figure().add_subplot(projection="3d")
    assert triple.halo(("x0", "x1", "x2"), ax=space) is space
    with pytest.raises(ValueError, match="3 features together, not 2"):
        triple.halo(("x0", "x1"))


# ---- nothing where nothing is --------------------------------------------------------------------------


def test_with_a_permuted_target_no_more_pairs_stand_out_than_chance_allows():
    rng = np.random.default_rng(0)
    beyond = []
    for seed in range(10):
        X = rng.normal(size=(300, 6))
        scores = fis(
            lambda Z: product(Z) + Z[:, 3] * Z[:, 4],
            X,
            rng.permutation(product(X)),
            shuffles=10,
            random_state=seed,
        )
        beyond += (np.abs(scores.values) > 2 * scores.frame["se"].to_numpy()).tolist()
    assert np.mean(beyond) <= 0.05


def test_ranges_collapse_with_the_tolerance_where_no_mask_improves_the_reference(rows):
    """Least squares on these very rows; masks of weight w go 1 +- sqrt(eps / (w^2 var x)), here 3e-5 of |FIS| a part."""
    X, y = rows
    model = LinearRegression().fit(X, y + X @ [1.0, -1.0, 1.0, 1.0])
    found = RashomonExplorer(model, epsilon=1e-9, delta=0.5, shuffles=3).fit(X, y + X @ [1.0, -1.0, 1.0, 1.0])
    assert (found.scores_.frame["range"] <= 5e-4 * np.abs(found.scores_.values)).all()
    assert (found.scores_.frame["range"] <= found.scores_.frame["se"] / 1000).all()


def test_a_reference_that_masks_improve_keeps_a_mirror_however_small_the_tolerance():
    """{f: L(f) <= L*} is more than f* unless f* is the best of its masks: it goes from 1 to 1 + 2 b / a."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 2))
    y = 0.9 * X[:, 0] + X[:, 1] + rng.normal(size=400)
    found = RashomonExplorer(lambda Z: Z.sum(axis=1), epsilon=1e-9, delta=0.5, shuffles=1, centre="zero").fit(
        X, y
    )
    own = found.samples_.filter((pl.col("feature") == "x0") & (pl.col("budget") == 0.0))["m"]
    b, a = np.mean((y - X.sum(axis=1)) * X[:, 0]), np.mean(X[:, 0] ** 2)
    assert sorted(own) == pytest.approx(sorted([1.0, 1 + 2 * b / a]), abs=1e-4)
    assert abs(b / a) > 0.05


@pytest.mark.parametrize("epsilon", [0.01, 0.5])
def test_an_additive_model_of_independent_columns_has_no_pair_beyond_noise(epsilon):
    """A mask scales score and error alike, so a member is as far from 0, in its own error, as the reference is."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 4))
    w = np.array([1.0, 0.5, -1.0, 0.25])
    found = RashomonExplorer(lambda Z: Z @ w, epsilon=epsilon, delta=0.5, shuffles=10).fit(
        X, X @ w + rng.normal(size=2000)
    )
    assert (np.abs(found.scores_.values) <= 3 * found.scores_.frame["se"].to_numpy()).all()
    cloud = found.interaction_cloud_.join(found.scores_.frame.select("a", "b", "value"), on=["a", "b"])
    assert np.allclose(cloud["fis"], cloud["m_a"] * cloud["m_b"] * cloud["value"], rtol=1e-6, atol=1e-12)


# ---- at the door ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epsilon": 0.0}, "must be positive: give an absolute one"),
        ({"epsilon_rate": -0.1}, "must be positive"),
        ({"delta": 0.3}, "must divide 1"),
        ({"delta": 0.5, "order": 3}, "smaller delta"),
        ({"radii": (0.55,)}, "cannot be split"),
        ({"subsets": [("x0", "x0")]}, "twice"),
        ({"subsets": [("x0", "nobody")]}, "no feature 'nobody'"),
        ({"subsets": [("x0", "x1", "x2")]}, "must have 2 features"),
        ({"subsets": ["x0"]}, "got the text"),
        ({"groups": {"g": []}}, "is empty"),
        ({"groups": {"g": ["x0"], "h": ["x0"]}}, "stands twice"),
        ({"groups": {"x2": ["x0"]}}, "has the name of a column"),
        ({"centre": [0.0, 1.0]}, "one finite number for each of 4"),
        ({"loss": "gini"}, "there is no loss"),
        ({"loss": "log_loss"}, "class codes"),
        ({"permutation": "none"}, "permutation"),
        ({"shuffles": 0}, "shuffles"),
        ({"model": None}, "give a fitted model"),
        ({"segments": [[0, 1]]}, "images of shape"),
    ],
)
def test_what_makes_no_sense_is_refused(rows, options, message):
    with pytest.raises(ValueError, match=message):
        RashomonExplorer(**{"model": product, **options}).fit(*rows)


def test_a_reference_without_loss_asks_for_an_absolute_tolerance(rows):
    X, _ = rows
    with pytest.raises(ValueError, match=r"reference loss 0.*absolute"):
        RashomonExplorer(product).fit(X, product(X))
    assert (
        RashomonExplorer(product, epsilon=0.1, delta=0.5, shuffles=1).fit(X, product(X)).reference_loss_ == 0
    )


def test_classifiers_without_probabilities_and_unknown_labels_are_refused(classes):
    X, y = classes
    with pytest.raises(ValueError, match="without predict_proba"):
        RashomonExplorer(LinearSVC().fit(X, y), loss="log_loss").fit(X, y)
    assert (
        RashomonExplorer(LinearSVC().fit(X, y), delta=0.5, shuffles=1).fit(X, y).scores_.meta.unit
        == "zero_one_loss"
    )
    with pytest.raises(ValueError, match=r"labels that the model does not know: \['maybe'\]"):
        RashomonExplorer(LogisticRegression().fit(X, y)).fit(X, np.where(y == "no", "maybe", y))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_cells_that_are_no_numbers_are_refused(rows, bad):
    X, y = rows
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        RashomonExplorer(product).fit(np.where(X[0, 0] == X, bad, X), y)
    with pytest.raises(ValueError, match="finite"):
        fis(product, np.where(X[0, 0] == X, bad, X), y)
    with pytest.raises(TypeError, match="do not: city"):
        RashomonExplorer(product).fit(pl.DataFrame({"age": [1.0, 2.0], "city": ["u", "v"]}), [0.0, 1.0])
    with pytest.raises(TypeError, match="dtype object"):
        RashomonExplorer(product).fit(np.array([["a", 1], ["b", 2]], dtype=object), [0.0, 1.0])


def test_it_warns_of_constant_columns_training_rows_and_models_outside(rows):
    X, y = rows
    still = X.copy()
    still[:, 3] = 7
    with pytest.warns(UserWarning, match="constant on these rows.*x3"):
        found = RashomonExplorer(product, delta=0.5, shuffles=1).fit(still, y)
    assert any("constant" in note for note in found.scores_.meta.warnings)
    with pytest.warns(UserWarning, match="trained on these rows"):
        RashomonExplorer(product, delta=0.5, shuffles=1).fit(X, y, seen=X[::-1])
    with pytest.warns(UserWarning, match="outside the Rashomon set"):
        RashomonExplorer(product, delta=0.5, shuffles=1).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        fis(product, X, y, shuffles=1)


# ---- the user's own things -----------------------------------------------------------------------------


@pytest.mark.parametrize("make", [pd.DataFrame, lambda d: pl.DataFrame(d)], ids=["pandas", "polars"])
def test_frames_keep_their_names_and_models_get_them_back(rows, make):
    X, y = rows
    frame = make({name: X[:, j] for j, name in enumerate("pqrs")})
    model = LinearRegression().fit(frame, y)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*feature names.*")
        found = RashomonExplorer(model, delta=0.5, shuffles=2).fit(frame, y)
    assert found.feature_names_in_.tolist() == list("pqrs")
    plain = RashomonExplorer(LinearRegression().fit(X, y), delta=0.5, shuffles=2).fit(X, y)
    assert np.allclose(found.scores_.values, plain.scores_.values)
    assert fis(model, frame, y, [("p", "q")], shuffles=2).items == [("p", "q")]


def test_it_can_be_pickled_and_saved(rows, tmp_path):
    X, y = rows
    found = RashomonExplorer(LinearRegression().fit(X, y), delta=0.5, shuffles=2).fit(X, y)
    again = pickle.loads(pickle.dumps(found))
    assert again.scores_.equals(found.scores_)
    found.scores_.save(tmp_path / "scores.parquet")
    assert Scores.load(tmp_path / "scores.parquet").equals(found.scores_)


def test_its_parameters_can_be_searched_over(rows):
    search = GridSearchCV(
        make_pipeline(RashomonExplorer(Ridge(), delta=0.5, shuffles=1)),
        {"rashomonexplorer__epsilon_rate": [0.05, 0.1]},
        scoring=lambda estimator, X, y: estimator[-1].epsilon_, cv=2,
    )  # fmt: skip
    assert search.fit(*rows).best_params_ == {"rashomonexplorer__epsilon_rate": 0.1}


def test_progress_is_told_of_each_stage(rows):
    told = []
    RashomonExplorer(product, delta=0.5, shuffles=1, progress=lambda *p: told.append(p)).fit(*rows)
    assert told[-1][0] == told[-1][1]


def test_single_features_are_scored_by_their_main_effect(rows):
    found = fis(product, *rows, subsets=[("x2",), ("x3",)], shuffles=3)
    assert found.item == "column"
    assert found.values[1] == 0
    with pytest.raises(ValueError, match="subsets of one size"):
        fis(product, *rows, subsets=[("x2",), ("x0", "x1")])
