"""Predictions as parliaments: exact where the answer can be written down, complete always, honest about the rest."""

import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_iris
from sklearn.ensemble import GradientBoostingClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from salience.tabular import DhondtExplainer

RNG = np.random.default_rng(0)
Z, X = RNG.normal(size=(100, 6)), RNG.normal(size=(30, 6))
W = np.array([0.10, -0.20, 0.05, 0.0, 0.30, -0.02])
RESIDUALS = {"__excluded__", "__below_threshold__", "__projection_residual__"}


def linear(table):
    return np.asarray(table, dtype=float) @ W


def product(table):
    return table[:, 0] * table[:, 1]


def curved(table):
    table = np.asarray(table)
    return (
        np.tanh(table @ W) + table[:, 0] * table[:, 1] - 0.4 * table[:, 2] * table[:, 3] * (table[:, 4] > 0)
    )


def total(explanation):
    return explanation.values.sum(axis=1) + sum(explanation.residuals.values())


# ---- exact ----------------------------------------------------------------------------------------------


def test_a_linear_score_is_its_own_explanation():
    found = DhondtExplainer(linear, Z).explain(X)
    effects = W * (X - Z.mean(axis=0))
    assert np.abs(found.values - effects).max() < 5e-4
    assert found.diagnostics["ratio"].max() < 1e-12
    assert total(found) == pytest.approx(linear(X) - linear(Z).mean(), abs=1e-12)


def test_each_value_is_wrong_by_no_more_than_its_seats_are():
    """A seat too few at most; a large party among m can have up to m times its share too many, not only one."""
    seats = 500
    found = DhondtExplainer(linear, Z, budget="fast", n_background=100).explain(
        X, allocation_seats=seats, projection="residual"
    )
    effects = W * (X - Z.mean(axis=0))
    for sign in (1, -1):
        side = np.maximum(sign * effects, 0)
        whole, parties = side.sum(axis=1), (side > 1e-12).sum(axis=1)
        of_side = np.floor(seats * whole / np.abs(effects).sum(axis=1) + 0.5)
        seat = (whole / np.maximum(of_side, 1))[:, None]
        error = np.maximum(sign * found.values, 0) - side
        assert (error >= -seat - 1e-12).all()
        share = side / np.maximum(whole, 1e-300)[:, None]
        assert (error <= seat * np.maximum(1, parties[:, None] * share) + 1e-12)[of_side > 0].all()


def test_the_error_falls_about_as_one_over_the_seats():
    effects = W * (X - Z.mean(axis=0))
    explainer = DhondtExplainer(linear, Z)

    def error(seats):
        return np.abs(
            explainer.explain(X, seats=1, allocation_seats=seats, projection="residual").values - effects
        ).mean()

    assert error(20) / error(20_000) > 300


def test_a_product_needs_an_alliance():
    explainer = DhondtExplainer(product, Z)
    assert explainer.explain(X).diagnostics["ratio"].mean() > 0.4
    allied = explainer.explain(X, alliances=[["x0", "x1"]])
    assert allied.diagnostics["ratio"].max() < 1e-12
    assert allied.values.sum(axis=1) == pytest.approx(product(X) - product(Z).mean())


def test_automatic_alliances_find_the_product():
    found = DhondtExplainer(product, Z).explain(X, alliances="auto", rho=0.3, affinity="absolute")
    share = found.together()[0, 1]
    assert share > 0.7
    assert found.together()[2, 3] == 0


def test_a_column_without_an_effect_has_exactly_nothing():
    for rules in ({}, {"projection": "redistribute"}, {"threshold": 0.1, "redistribute": True}):
        found = DhondtExplainer(lambda T: np.sin(T[:, 0]) + T[:, 1] ** 2, Z).explain(X, **rules)
        assert (found.values[:, 2:] == 0).all()
        assert set(found.seats.filter(pl.col("party") == "x2")["side"]) == {"none"}


def test_identical_columns_that_are_used_alike_have_equal_values_up_to_one_seat():
    twice, rows = (np.column_stack([T, T[:, 0]]) for T in (Z, X))
    found = DhondtExplainer(lambda T: np.sin(T[:, 0]) + np.sin(T[:, 6]), twice).explain(rows)
    seat = np.abs(found.values).sum(axis=1) / 5000 * 2
    assert (np.abs(found.values[:, 0] - found.values[:, 6]) <= seat).all()


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["none", "auto", "hybrid", "user"]),
    st.sampled_from([None, 0.0, 0.1, 0.3, 5, 95]),
    st.booleans(),
    st.sampled_from([(), ("x5",), ("x0", "x3")]),
    st.sampled_from(["strict", "standard"]),
    st.sampled_from(["strict", "standard"]),
    st.sampled_from(["auto", "redistribute", "residual"]),
    st.sampled_from([0.0, 0.7]),
    st.sampled_from(["components", "complete"]),
    st.integers(1, 700),
)
def test_values_and_residuals_add_up_whatever_the_rules(
    alliances,
    threshold,
    redistribute,
    exclude,
    exclude_mode,
    threshold_mode,
    projection,
    weight,
    linkage,
    seats,
):
    groups = [["x1", "x2"]] if alliances in ("hybrid", "user") else ()
    found = DhondtExplainer(curved, Z, budget="fast").explain(
        X[:4], alliances=alliances, groups=groups, threshold=threshold, redistribute=redistribute, exclude=exclude,
        exclude_mode=exclude_mode, threshold_mode=threshold_mode, projection=projection, interaction_weight=weight,
        linkage=linkage, seats=seats, rho=0.2,
    )  # fmt: skip
    assert total(found) == pytest.approx(curved(X[:4]) - curved(Z).mean(), abs=1e-12)
    assert found.attributions.gap().max() < 1e-12
    assert set(found.residuals) <= RESIDUALS
    assert (found.values[:, [int(name[1]) for name in exclude]] == 0).all()
    assert (found.elections["for_seats"] + found.elections["against_seats"]).sum(axis=1).tolist() == [
        seats
    ] * 4


# ---- rules ----------------------------------------------------------------------------------------------


def test_a_threshold_above_every_share_elects_exactly_one():
    seats = DhondtExplainer(linear, Z).explain(X, threshold=0.99).seats
    assert set(seats.group_by("row").agg(pl.col("eligible").sum())["eligible"]) == {1}
    assert set(seats.group_by("row").agg((pl.col("seats") != 0).sum())["seats"]) == {1}


def test_votes_below_the_threshold_are_lost_or_move_and_come_back():
    explainer = DhondtExplainer(linear, Z)
    lost = explainer.explain(X, threshold=0.2)
    below = ~lost.elections["eligible"]
    assert (lost.values[below] == 0).all()
    assert (lost.elections["for_votes"][below] + lost.elections["against_votes"][below] == 0).all()
    assert np.abs(lost.residuals["__below_threshold__"]).max() > 0
    moved = explainer.explain(X, threshold=0.2, redistribute=True)
    assert "__below_threshold__" not in moved.residuals
    cast = moved.elections["for_votes"] + moved.elections["against_votes"]
    assert cast.sum(axis=1) == pytest.approx(moved.elections["votes"].sum(axis=1))
    assert np.abs(moved.values - W * (X - Z.mean(axis=0))).max() < 0.3  # back with those who gave them


def test_what_is_below_an_additive_threshold_is_its_own_effect():
    found = DhondtExplainer(linear, Z).explain(X, threshold=0.2)
    effects = W * (X - Z.mean(axis=0))
    gone = (effects * ~found.elections["eligible"]).sum(axis=1)
    assert found.residuals["__below_threshold__"] == pytest.approx(gone, abs=1e-12)


def test_strict_exclusion_takes_the_interactions_along():
    explainer = DhondtExplainer(product, Z)
    strict = explainer.explain(X, exclude=["x0"], projection="redistribute")
    # x0 is that of the background throughout, so x1 counts by its mean over the rows of the background
    own = Z[:, 0].mean() * X[:, 1] - product(Z).mean()
    assert strict.values[:, 1] == pytest.approx(own)
    assert strict.residuals["__excluded__"] == pytest.approx((X[:, 0] - Z[:, 0].mean()) * X[:, 1])
    standard = explainer.explain(X, exclude=["x0"], exclude_mode="standard", projection="redistribute")
    assert standard.values[:, 1] == pytest.approx(X[:, 0] * (X[:, 1] - Z[:, 1].mean()))


def test_the_modes_of_the_projection():
    explainer = DhondtExplainer(curved, Z)
    kept = explainer.explain(X, projection="residual").residuals["__projection_residual__"]
    assert np.abs(kept).min() > 0
    assert "__projection_residual__" not in explainer.explain(X, projection="redistribute").residuals
    auto = explainer.explain(X, projection_threshold=0.2)
    apart = auto.residuals["__projection_residual__"] != 0
    assert apart.tolist() == (auto.diagnostics["ratio"] >= 0.2).tolist()


def test_without_any_evidence_the_difference_is_kept_apart():
    background = np.array([[0.0, 0.0], [1.0, 1.0]] * 5)

    def one_is_enough(table):
        return (table == 2).any(axis=1).astype(float)

    found = DhondtExplainer(one_is_enough, background).explain([[2.0, 2.0]], projection="redistribute")
    assert found.values.tolist() == [[0.0, 0.0]]
    assert found.residuals["__projection_residual__"].tolist() == [1.0]
    assert found.seats["seats"].to_list() == [0, 0]


def test_chains_make_components_but_not_complete_alliances():
    def chain(table):
        return np.maximum(table[:, 0], 0) * np.maximum(table[:, 1], 0) + np.maximum(
            table[:, 1], 0
        ) * np.maximum(table[:, 2], 0)

    explainer = DhondtExplainer(chain, np.zeros((3, 3)))
    rows = np.array([[1.0, 1.0, 1.0]])
    assert explainer.explain(rows, alliances="auto", rho=0.15).alliances.tolist() == [[0, 0, 0]]
    assert explainer.explain(rows, alliances="auto", rho=0.15, linkage="complete").alliances.max() == 1
    hybrid = explainer.explain(rows, alliances="hybrid", groups=[["x2", "x0"]], rho=0.15)
    assert hybrid.alliances.tolist() == [[0, 1, 0]]


def test_the_weight_of_interactions_adds_votes_to_their_alliance():
    explainer = DhondtExplainer(curved, Z)
    plain, weighted = (
        explainer.explain(X, alliances=[["x0", "x1"]], interaction_weight=w).elections["votes"][:, 0]
        for w in (0.0, 1.0)
    )
    assert (weighted > plain).all()


def test_values_do_not_depend_on_the_seats_that_are_shown():
    explainer = DhondtExplainer(curved, Z)
    assert np.array_equal(explainer.explain(X, seats=7).values, explainer.explain(X, seats=450).values)


def test_rows_are_explained_alike_alone_and_together():
    explainer = DhondtExplainer(curved, Z, budget="fast")
    together = explainer.explain(X, alliances="auto", rho=0.2)
    alone = explainer.explain(X[3], alliances="auto", rho=0.2)
    assert alone.values[0] == pytest.approx(together.values[3], abs=1e-12)


# ---- budgets --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("budget", "rows", "seats"),
    [("fast", 25, 1_000), ("balanced", 100, 5_000), ("accurate", 250, 10_000), ("research", 500, 20_000)],
)
def test_a_budget_is_the_one_that_was_named(budget, rows, seats):
    """The package's "auto" never takes "accurate", whatever there is to spend."""
    found = DhondtExplainer(linear, RNG.normal(size=(600, 6)), budget=budget).explain(X[:2])
    assert found.diagnostics["background_rows"] == rows
    assert found.diagnostics["allocation_seats"] == seats
    with pytest.raises(ValueError, match="'fast', 'balanced', 'accurate', 'research'"):
        DhondtExplainer(linear, Z, budget="auto")


def test_pairs_in_alliances_of_the_user_are_measured_without_a_weight():
    """The package skips them unless a weight is above 0."""
    found = DhondtExplainer(curved, Z).explain(X, alliances=[["x0", "x1", "x2"]])
    assert found.diagnostics["pairs"].tolist() == [3] * len(X)


def test_the_background_sample_is_one_for_all_rows():
    """The package draws anew for each row, so that equal rows get different values."""
    explainer = DhondtExplainer(curved, RNG.normal(size=(300, 6)), budget="fast")
    twice = explainer.explain(np.vstack([X[:1], X[:1]]))
    assert np.array_equal(twice.values[0], twice.values[1])


def test_nearest_rows_count_equally_when_they_do_not_divide_the_background():
    """The package repeats them up to the size of the background, so that the first ones count more."""
    found = DhondtExplainer(lambda T: T[:, 0], Z, replacement="conditional_knn", neighbors=30).explain(X[:1])
    order = np.argsort((((Z[:, 1:] - X[0, 1:]) / Z[:, 1:].std(axis=0)) ** 2).sum(axis=1), kind="stable")[:30]
    assert found.elections["effects"][0, 0] == pytest.approx(X[0, 0] - Z[order, 0].mean())


def test_members_below_the_threshold_get_exactly_nothing():
    """In the package members of opposite signs in an alliance that failed still have values."""
    found = DhondtExplainer(linear, Z).explain(X, alliances=[["x2", "x5"]], threshold=0.3)
    failed = ~np.take_along_axis(found.elections["eligible"], found.alliances, axis=1)
    assert failed[:, 2].any()
    assert (found.values[failed] == 0).all()


def test_a_row_budget_gives_less_background_then_less_pairs_and_says_so():
    found = DhondtExplainer(curved, Z).explain(X[:3], alliances="auto", rho=0.2, max_model_rows=300)
    assert found.diagnostics["background_rows"] == 50
    assert found.diagnostics["pairs"].max() == 0
    assert any("50 background rows" in note for note in found.diagnostics["notes"])
    assert found.attributions.meta.warnings
    summed = DhondtExplainer(product, Z, n_background=10).explain(
        X, alliances=[["x0", "x1", "x2"]], max_model_rows=60
    )
    assert any("sum of their members" in note for note in summed.diagnostics["notes"])
    with pytest.raises(ValueError, match="less than one row for each of 6 columns"):
        DhondtExplainer(curved, Z).explain(X, max_model_rows=5)


def test_a_sampled_background_leaves_a_gap_that_the_sample_baseline_does_not():
    many = RNG.normal(size=(2000, 6))
    full = DhondtExplainer(linear, many, budget="fast").explain(X)
    sampled = DhondtExplainer(linear, many, budget="fast", baseline_mode="sample").explain(X)
    assert full.diagnostics["ratio"].mean() > 1e-3
    assert sampled.diagnostics["ratio"].max() < 1e-12
    assert full.diagnostics["sampling_gap"] == sampled.diagnostics["sampling_gap"] != 0
    assert sampled.base_values[0] - full.base_values[0] == pytest.approx(full.diagnostics["sampling_gap"])
    auto = DhondtExplainer(linear, many, budget="fast", baseline_mode="auto").explain(X)
    assert np.array_equal(auto.values, sampled.values)


def test_the_seed_decides():
    many = RNG.normal(size=(2000, 6))
    a, b, c = (
        DhondtExplainer(curved, many, budget="fast", random_state=s).explain(X).values for s in (1, 1, 2)
    )
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)


# ---- negative control -----------------------------------------------------------------------------------


def test_a_model_of_shuffled_labels_is_explained_by_little():
    rng = np.random.default_rng(0)
    y = (Z @ W > 0).astype(int)
    real = LogisticRegression().fit(Z, y)
    fake = LogisticRegression(C=0.1).fit(Z, rng.permutation(y))
    sizes = [
        np.abs(DhondtExplainer(m, Z, output="probability").explain(X).values).sum(axis=1).mean()
        for m in (real, fake)
    ]
    assert sizes[1] < 0.4 * sizes[0]


# ---- models and tables ----------------------------------------------------------------------------------

IRIS, SPECIES = load_iris(return_X_y=True)


def test_a_probability_a_logit_a_decision_and_a_prediction_are_explained():
    y = (SPECIES == 2).astype(int)
    model = LogisticRegression().fit(IRIS, y)
    p = model.predict_proba(IRIS)[:, 1]
    for output, expected in (
        ("auto", p), ("probability", p), ("logit", np.log(p / (1 - p))), ("decision", model.decision_function(IRIS)),
        ("prediction", model.predict(IRIS)),
    ):  # fmt: skip
        found = DhondtExplainer(model, IRIS, output=output).explain(IRIS[:3])
        assert found.attributions.prediction == pytest.approx(expected[:3])
        assert found.attributions.meta.unit == ("probability" if output == "auto" else output)
    assert DhondtExplainer(RidgeClassifier().fit(IRIS, y), IRIS).output.output == "decision"
    assert DhondtExplainer(LinearRegression().fit(IRIS, y), IRIS).output.output == "prediction"
    assert DhondtExplainer(lambda T: T[:, 0], IRIS).output.output == "function"


def test_the_first_class_is_the_other_side_of_the_second():
    y = np.where(SPECIES == 2, "yes", "no")
    model = LogisticRegression().fit(IRIS, y)
    for output in ("probability", "logit", "decision"):
        yes, no = (
            DhondtExplainer(model, IRIS, output=output, target=c).explain(IRIS[:5]).values
            for c in ("yes", "no")
        )
        assert yes == pytest.approx(-no, abs=1e-9)


def test_more_than_two_classes_without_a_target_warn():
    model = LogisticRegression(max_iter=500).fit(IRIS, SPECIES)
    with pytest.warns(UserWarning, match="3 classes and no target was named: class 1 is explained"):
        DhondtExplainer(model, IRIS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = DhondtExplainer(model, IRIS, target=2).explain(IRIS[-2:])
    assert found.attributions.prediction == pytest.approx(model.predict_proba(IRIS[-2:])[:, 2])


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"])
@pytest.mark.parametrize("replacement", ["joint", "conditional_knn"])
def test_frames_with_categories_are_explained(make, replacement):
    rng = np.random.default_rng(0)
    colour, size = rng.choice(["red", "blue"], 80), rng.normal(size=80)
    frame = make({"colour": colour, "size": size})

    def score(table):
        return np.asarray(table["size"], dtype=float) + 3 * (np.asarray(table["colour"]).astype(str) == "red")

    found = DhondtExplainer(score, frame, replacement=replacement).explain(frame.head(6))
    assert found.names == ("colour", "size")
    assert found.attributions.gap().max() < 1e-12
    assert found.overall().top(1).items == ["colour"]


def test_categories_of_pandas_go_through_a_pipeline():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"c": pd.Categorical(rng.choice(list("uvw"), 60)), "d": pd.Categorical(rng.choice(list("ab"), 60))}
    )
    model = make_pipeline(OneHotEncoder(), LogisticRegression()).fit(frame, frame["c"] == "u")
    found = DhondtExplainer(model, frame, target=True).explain(frame[:4], alliances="auto")
    assert found.overall().top(1).items == ["c"]
    one = DhondtExplainer(model, frame, target=True).explain(frame.iloc[0])
    assert one.values == pytest.approx(found.values[:1], abs=1e-9)


def test_numpy_pandas_and_polars_give_the_same_values():
    names = [f"x{j}" for j in range(6)]
    expected = DhondtExplainer(linear, Z).explain(X).values
    for make in (pd.DataFrame, lambda T, columns: pl.DataFrame(T, schema=columns)):
        found = DhondtExplainer(linear, make(Z, columns=names)).explain(make(X, columns=names))
        assert found.values == pytest.approx(expected, abs=1e-12)


def test_trees_and_regressors():
    model = RandomForestRegressor(n_estimators=5, random_state=0).fit(Z, Z @ W)
    assert DhondtExplainer(model, Z).explain(X).attributions.gap().max() < 1e-12


# ---- what comes out -------------------------------------------------------------------------------------


def test_the_view_over_all_rows():
    found = DhondtExplainer(curved, Z).explain(X, threshold=0.1)
    overall = found.overall()
    frame = overall.frame
    assert overall.values == pytest.approx(np.abs(found.values).mean(axis=0))
    assert frame["mean"].to_numpy() == pytest.approx(
        frame["positive"].to_numpy() - frame["negative"].to_numpy()
    )
    assert frame["survival"].to_numpy() == pytest.approx(found.elections["eligible"].mean(axis=0))
    assert found.together() == pytest.approx(np.eye(6))
    without = DhondtExplainer(curved, Z).explain(X, exclude=["x2"])
    assert np.isnan(without.overall().values[2])
    assert without.together()[2, 2] == 0


def test_seats_say_who_votes_for_what_and_what_a_divided_house_would_be():
    found = DhondtExplainer(linear, Z).explain(X[:2], seats=100)
    rows = found.seats.filter(pl.col("row") == 1)
    assert rows["quota"].sum() == pytest.approx(100)
    assert rows["share"].sum() == pytest.approx(1)
    assert rows["value"].sum() + 0 == pytest.approx(total(found)[1])
    signs = np.sign(rows["seats"].to_numpy())
    assert set(zip(rows["side"], signs, strict=True)) <= {
        ("for", 1),
        ("against", -1),
        ("none", 0),
        ("for", 0),
        ("against", 0),
    }


def test_it_says_where_it_comes_from_and_survives_a_pickle():
    found = DhondtExplainer(linear, Z, random_state=3).explain(X)
    meta = found.overall().meta
    assert (meta.method, meta.seed, meta.rows, len(meta.data)) == ("dhondt", 3, 30, 2)
    assert meta.params["background"] == 100
    assert np.array_equal(pickle.loads(pickle.dumps(found)).values, found.values)
    model = pickle.loads(pickle.dumps(DhondtExplainer(LinearRegression().fit(Z, Z @ W), Z)))
    assert model.explain(X).values.shape == (30, 6)


def test_a_large_ratio_is_said():
    assert any(
        "do not trust" in text for text in DhondtExplainer(product, Z).explain(X).attributions.meta.warnings
    )
    assert not DhondtExplainer(linear, Z).explain(X).attributions.meta.warnings


def test_an_explanation_for_shap_holds_the_residuals_as_columns(monkeypatch):
    class Shap:
        @staticmethod
        def Explanation(values, base_values, data, feature_names, output_names):
            return values, base_values, data, feature_names

    monkeypatch.setitem(__import__("sys").modules, "shap", Shap)
    values, base, data, names = DhondtExplainer(product, Z).explain(X, projection="residual").to_shap()
    assert names[-1] == "__projection_residual__"
    assert values.sum(axis=1) + base == pytest.approx(product(X))
    assert data.shape == values.shape


def test_progress_counts_to_the_end():
    told = []
    DhondtExplainer(linear, Z).explain(X, progress=lambda done, whole: told.append((done, whole)))
    assert told == [(30, 30)]
    many = RNG.normal(size=(1100, 6))
    explainer = DhondtExplainer(curved, Z, budget="fast")
    told.clear()
    found = explainer.explain(many, threshold=0.1, progress=lambda done, whole: told.append((done, whole)))
    assert told == [(1024, 1100), (1100, 1100)]
    again = explainer.explain(many[1050:], threshold=0.1).values
    assert found.values[1050:] == pytest.approx(again, abs=1e-12)


def test_pictures_of_one_prediction():
    from matplotlib.figure import Figure

    found = DhondtExplainer(curved, Z).explain(X[:2], threshold=0.1)
    for kind in ("parliament", "bars"):
        ax = Figure().subplots()
        assert found.plot(1, kind, ax=ax) is ax
    assert found.to_svg(1).count("<circle") == 100
    with pytest.raises(ValueError, match="parliament, bars"):
        found.plot(0, "pie")
    with pytest.raises(IndexError, match="2 predictions, 0 to 1; got 5"):
        found.to_svg(5)


# ---- what is refused ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"seats": 0}, "seats must be a whole number from 1 up"),
        ({"seats": 2.5}, "seats must be a whole number from 1 up"),
        ({"allocation_seats": 0}, "allocation_seats must be"),
        ({"threshold": 1}, "share in \\[0, 1\\) or a percentage"),
        ({"threshold": 100}, "share in \\[0, 1\\) or a percentage"),
        ({"threshold": -0.1}, "share in \\[0, 1\\) or a percentage"),
        ({"alliances": "some"}, "'none', 'user', 'auto', 'hybrid'"),
        ({"alliances": [["x0", "x9"]]}, "names 'x9', which is none of"),
        ({"alliances": [["x0", "x1"], ["x1", "x2"]]}, "must not overlap: 'x1'"),
        ({"alliances": [["x0", "x0"]]}, "'x0' is twice"),
        ({"alliances": [[]]}, "at least one"),
        ({"alliances": [["x0", "x1"]], "exclude": ["x1"]}, "'x1' is excluded"),
        ({"exclude": ["y"]}, "columns of the background"),
        ({"exclude": ["x0", "x0"]}, "each once"),
        ({"exclude": [f"x{j}" for j in range(6)]}, "no column is left"),
        ({"rho": 1.5}, "rho must lie between 0 and 1"),
        ({"beta": 0}, "beta must lie"),
        ({"interaction_weight": -1}, "interaction_weight must lie"),
        ({"projection": "none"}, "'auto', 'redistribute', 'residual'"),
        ({"linkage": "single"}, "'components', 'complete'"),
        ({"affinity": "loud"}, "'same_direction', 'absolute'"),
        ({"tie": "coin"}, "'stable', 'random'"),
        ({"exclude_mode": "soft"}, "'strict', 'standard'"),
        ({"threshold_mode": "soft"}, "'strict', 'standard'"),
    ],
)
def test_rules_that_make_no_sense_are_refused(rules, message):
    with pytest.raises(ValueError, match=message):
        DhondtExplainer(linear, Z).explain(X, **rules)


def test_a_rule_that_there_is_not_is_named_beside_those_there_are():
    with pytest.raises(TypeError, match="no rule 'treshold'; the rules are seats, threshold"):
        DhondtExplainer(linear, Z).explain(X, treshold=0.1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"output": "odds"}, "'probability', 'logit', 'decision', 'prediction'"),
        ({"budget": "huge"}, "'fast', 'balanced'"),
        ({"replacement": "mean"}, "'joint', 'conditional_knn'"),
        ({"baseline_mode": "half"}, "'full', 'sample', 'auto'"),
        ({"n_background": 0}, "n_background must be"),
        ({"neighbors": 0}, "neighbors must be"),
        ({"target": "blue"}, "position of an output"),
        ({"background": Z[:0]}, "at least one row"),
        ({"background": Z[0]}, "must have the shape"),
        ({"background": pd.DataFrame({"__a": [1.0]})}, "rename"),
        ({"background": pd.DataFrame([[1.0, 2.0]], columns=["a", "a"])}, "unique column names"),
        ({"model": object()}, "predict_proba, decision_function or predict"),
    ],
)
def test_explainers_that_make_no_sense_are_refused(options, message):
    given = {"model": linear, "background": Z, **options}
    with pytest.raises((TypeError, ValueError), match=message):
        DhondtExplainer(given.pop("model"), given.pop("background"), **given)


def test_models_that_do_not_fit_are_refused():
    classifier = GradientBoostingClassifier(n_estimators=2).fit(IRIS, SPECIES)
    with pytest.raises(ValueError, match=r"target=7 is no class of the model; it has \[0, 1, 2\]"):
        DhondtExplainer(classifier, IRIS, target=7)
    with pytest.raises(
        ValueError, match="needs predict_proba, which LinearRegression lacks; it has prediction"
    ):
        DhondtExplainer(LinearRegression().fit(Z, Z), Z, output="probability")
    with pytest.raises(ValueError, match="6 outputs per row; say which one is explained: target=0 to 5"):
        DhondtExplainer(LinearRegression().fit(Z, Z), Z).explain(X)
    with pytest.raises(ValueError, match=r"probabilities lie in \[0, 1\]"):
        DhondtExplainer(lambda T: T[:, 0], Z, output="logit").explain(X)
    with pytest.raises(ValueError, match="NaN or infinite"):
        DhondtExplainer(lambda T: np.full(len(T), np.nan), Z).explain(X)
    with pytest.raises(ValueError, match="X has no column 'b', which the background has"):
        DhondtExplainer(len, pd.DataFrame({"a": [1.0], "b": [2.0]})).explain(pd.DataFrame({"a": [1.0]}))


def test_a_strict_threshold_leaves_only_the_eligible_even_beside_standard_exclusion():
    found = DhondtExplainer(linear, Z).explain(X, exclude=["x1"], exclude_mode="standard", threshold=0.3)
    effects = W * (X - Z.mean(axis=0))
    elected = np.zeros(effects.shape, dtype=bool)
    kept = found.alliances[0] >= 0
    elected[:, kept] = np.take_along_axis(found.elections["eligible"], found.alliances[:, kept], axis=1)
    active = found.values.sum(axis=1) + found.residuals.get("__projection_residual__", 0.0)
    some = ~elected[:, kept].all(axis=1)
    assert active[some] == pytest.approx((effects * elected).sum(axis=1)[some], abs=1e-12)


def test_interactions_inside_an_alliance_count_once():
    found = DhondtExplainer(product, Z).explain(X, alliances=[["x0", "x1"]], interaction_weight=1.0)
    pair = product(X) - product(Z).mean()
    singles = (X[:, 0] - Z[:, 0].mean()) * X[:, 1] + X[:, 0] * (X[:, 1] - Z[:, 1].mean())
    assert found.elections["votes"][:, 0] == pytest.approx(np.abs(pair) + np.abs(pair - singles))
