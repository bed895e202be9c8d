"""Responsiveness: the exact vectors, brute force, controls, and what the authors' package gets wrong."""

from __future__ import annotations

import pickle
from itertools import product

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from salience.tabular import ActionSpace, Feature, ResponsivenessScorer
from salience.tabular.responsiveness import component
from salience.tabular.responsiveness.rules import (
    IfThen,
    Link,
    OneHot,
    Ordinal,
    Reachability,
    Switch,
    Thermometer,
)


def scored(space, X, f, **options):
    return ResponsivenessScorer(space, **options).score(np.atleast_2d(np.array(X, float)), f)


def above(j, value):
    return lambda X: (np.asarray(X)[:, j] > value).astype(int)


# ---- exact vectors -------------------------------------------------------------------------------------


def small(**first):
    return ActionSpace([Feature("x1", "int", 0, 5, **first), Feature("x2", "bool")])


def test_a_grid_counts_all_values_but_the_present_one():
    found = scored(small(), [[0, 0], [2, 1]], above(0, 2))
    assert_array_equal(found.scores, [[3 / 5, 0], [3 / 5, 0]])
    assert_array_equal(found.n_points, [[5, 1], [5, 1]])
    assert found.exact.all()
    assert_array_equal(found.ci[:, :, 0], found.scores)


def test_a_direction_leaves_only_values_on_that_side():
    found = scored(small(direction=+1), [[2, 1]], above(0, 2))
    assert_array_equal(found.scores, [[1, 0]])
    assert found.n_points[0, 0] == 3
    assert found.examples[0, 0] == 3
    assert np.isnan(found.examples[0, 1])


def test_with_nothing_actionable_all_is_zero_and_fixed():
    space = small().set(["x1", "x2"], actionable=False)
    scorer = ResponsivenessScorer(space)
    x = np.array([[0.0, 0.0]])
    found = scorer.score(x, above(0, 2))
    assert_array_equal(found.scores, [[0, 0]])
    assert found.fixed_1d.all()
    assert set(found.status.ravel()) == {"immutable"}
    assert scorer.is_fixed(x, above(0, 2)).status.tolist() == ["fixed"]
    assert scorer.explain([0, 0], above(0, 2)).verdict == "fixed"


LEVELS = [f"level_{k}" for k in range(1, 5)]


def levels(direction=0):
    return ActionSpace([Feature(name, "bool") for name in LEVELS], [Thermometer(LEVELS, direction)])


def third_off(X):
    return (np.asarray(X)[:, 2] == 0).astype(int)


@pytest.mark.parametrize(
    ("completion", "low", "high"),
    [
        ("alone_first", (1, 1 / 3, 0, 0), (1, 1, 1, 0)),
        ("all", (1 / 2, 1 / 3, 0, 0), (1, 1, 1, 3 / 4)),
    ],
)
def test_a_thermometer_completes_as_asked(completion, low, high):
    found = scored(levels(), [[0] * 4, [1] * 4], third_off, completion=completion)
    assert_array_equal(found.scores, [low, high])


def test_a_thermometer_at_its_lowest_cannot_fall():
    found = scored(levels(-1), [[0] * 4], third_off)
    assert_array_equal(found.scores, np.zeros((1, 4)))
    assert_array_equal(found.n_points, np.zeros((1, 4)))
    assert set(found.status.ravel()) == {"blocked"}


def at_least_seven(X):
    return (np.asarray(X)[:, 0] >= 7).astype(int)


def test_a_continuous_score_is_within_its_interval_for_99_percent_of_seeds():
    space = ActionSpace([Feature("x", "float", 0, 10)])
    inside, estimates = [], []
    for seed in range(200):
        found = scored(space, [[2.0]], at_least_seven, random_state=seed, alpha=0.01)
        inside.append(found.ci[0, 0, 0] <= 0.3 <= found.ci[0, 0, 1])
        estimates.append(found.scores[0, 0])
    assert not found.exact[0, 0]
    assert found.n_points[0, 0] == 500
    assert np.mean(inside) >= 0.985  # Clopper-Pearson covers at least 99 %
    assert np.mean(estimates) == pytest.approx(0.3, abs=0.01)


def test_the_same_as_an_integer_is_four_of_ten():
    assert scored(ActionSpace([Feature("x", "int", 0, 10)]), [[2]], at_least_seven).scores[0, 0] == 0.4


def test_a_link_moves_what_nobody_can_change():
    space = ActionSpace(
        [Feature("years", "int", 0, 30, step=(0, 1)), Feature("age", "int", 18, 90, actionable=False)],
        [Link("years", ["age"])],
    )
    found = scored(space, [[5, 32]], lambda X: (X[:, 1] >= 33).astype(int))
    assert_array_equal(found.scores, [[1, 0]])
    assert_array_equal(found.status, [["exact", "immutable"]])
    told = ResponsivenessScorer(space).explain([5, 32], lambda X: (X[:, 1] >= 33).astype(int))
    assert told.changes == {"years": {"years": 6.0, "age": 33.0}}
    assert "with it age = 33" in str(told)


JOBS = ["job_a", "job_b", "job_c"]


def jobs(*rules):
    return ActionSpace([Feature(name, "bool") for name in JOBS], rules or [OneHot(JOBS)])


def test_one_hot_turns_a_job_off_into_either_of_the_others():
    found = scored(jobs(), [[0, 1, 0]], lambda X: X[:, 0].astype(int))
    assert_array_equal(found.scores, [[1, 1 / 2, 0]])
    assert_array_equal(found.n_points, [[1, 2, 1]])


# ---- rules ---------------------------------------------------------------------------------------------


def test_one_hot_at_most_one_may_turn_all_off():
    found = scored(jobs(OneHot(JOBS, kind="max")), [[0, 1, 0]], lambda X: (X.sum(axis=1) == 0).astype(int))
    assert_array_equal(found.scores, [[0, 1, 0]])


def test_an_ordinal_that_rises_never_falls():
    found = scored(jobs(Ordinal(JOBS, +1)), [[0, 1, 0]], lambda X: X[:, 2].astype(int))
    assert_array_equal(found.n_points, [[0, 1, 1]])
    assert_array_equal(found.scores, [[0, 1, 1]])


def test_reachability_goes_only_where_the_matrix_says():
    values, matrix = [[0, 0], [0, 1], [1, 1]], [[1, 1, 0], [0, 1, 1], [0, 0, 1]]
    space = ActionSpace(
        [Feature("a", "bool"), Feature("b", "bool")], [Reachability(["a", "b"], values, matrix)]
    )
    found = scored(space, [[0, 0], [0, 1], [1, 1]], lambda X: np.ones(len(X)))
    assert_array_equal(found.n_points, [[0, 1], [1, 0], [0, 0]])


def test_if_then_is_asked_of_the_person_too():
    space = ActionSpace([Feature("account", "bool"), Feature("balance", "int", 0, 3)])
    space.add(IfThen("account == 0", "balance == 0"))
    with pytest.raises(ValueError, match=r"account, balance = 0, 2 breaks IfThen"):
        scored(space, [[0, 2]], above(1, 0))
    found = scored(space, [[0, 0]], above(1, 0))
    # a balance needs an account: no lone move, one completion each
    assert_array_equal(found.n_points, [[1, 3]])
    assert_array_equal(found.scores, [[0, 1]])


@pytest.mark.parametrize(("force", "points"), [(False, [1, 2]), (True, [2, 2])])
def test_a_switch_holds_its_targets(force, points, capsys):
    space = ActionSpace([Feature("frozen", "bool"), Feature("limit", "int", 0, 2)])
    space.add(Switch("frozen", ["limit"], force_change=force))
    assert_array_equal(scored(space, [[1, 1]], above(1, 1)).n_points, [points])
    assert capsys.readouterr().out == ""


def test_a_link_keeps_bounds_only_when_asked():
    features = [Feature("a", "int", 0, 3), Feature("b", "int", 0, 1, actionable=False)]
    free = scored(ActionSpace(features, [Link("a", ["b"])]), [[0, 1]], above(1, 1))
    kept = scored(ActionSpace(features, [Link("a", ["b"], keep_bounds=True)]), [[0, 1]], above(1, 1))
    assert_array_equal(free.scores, [[1, 0]])
    assert_array_equal(kept.n_points, [[0, 0]])


def test_links_go_on_in_chains():
    space = ActionSpace(
        [Feature("c", "float", actionable=False), Feature("a", "int", 0, 1), Feature("b", "int", 0, 9)],
        [Link("b", ["c"], [10.0]), Link("a", ["b"], [2.0])],
    )
    found = scored(space, [[0, 0, 0]], lambda X: (X[:, 0] == 20).astype(int))
    assert_array_equal(found.scores[0, 1], 1.0)


# ---- brute force ---------------------------------------------------------------------------------------


@st.composite
def problems(draw):
    """A random space of at most four columns, rules that a person obeys, and a random model."""
    d = draw(st.integers(2, 4))
    kinds = draw(st.lists(st.sampled_from(["bool", "bool", "int"]), min_size=d, max_size=d))
    features = []
    for j, kind in enumerate(kinds):
        options = {
            "direction": draw(st.sampled_from([0, 0, 0, 1, -1])),
            "actionable": draw(st.sampled_from([True, True, True, False])),
        }
        if kind == "int":
            options["step"] = draw(st.sampled_from([(-9, 9), (-1, 2), (-2, 9)]))
            options["grid"] = draw(st.sampled_from([None, None, (0, 1, 3)]))
        features.append(Feature(f"x{j}", kind, 0, 1 if kind == "bool" else 3, **options))
    names = [feature.name for feature in features]
    bools = [feature.name for feature in features if feature.kind == "bool"]
    rules = []
    for _ in range(draw(st.integers(0, 3))):
        a, b = draw(st.permutations(names))[:2]
        kind = draw(st.sampled_from(["onehot", "thermo", "ordinal", "reach", "if", "switch", "link"]))
        sign = draw(st.sampled_from([-1, 0, 1]))
        if kind == "onehot" and len(bools) > 1:
            rules.append(OneHot(bools, draw(st.integers(1, 2)), draw(st.sampled_from(["equal", "max"]))))
        elif kind == "thermo" and len(bools) > 1:
            rules.append(Thermometer(bools, sign))
        elif kind == "ordinal" and len(bools) > 1:
            rules.append(Ordinal(bools, sign, draw(st.booleans())))
        elif kind == "reach":
            matrix = np.array(draw(st.lists(st.integers(0, 1), min_size=9, max_size=9))).reshape(3, 3)
            rules.append(
                Reachability([a, b], [[0, 0], [0, 1], [1, 1]], np.maximum(matrix, np.eye(3, dtype=int)))
            )
        elif kind == "if":
            rules.append(IfThen(f"{a} >= 1", f"{b} {draw(st.sampled_from(['>=', '==']))} 1"))
        elif kind == "switch" and bools:
            targets = [name for name in (a, b) if name != bools[0]]
            rules.append(Switch(bools[0], targets, draw(st.integers(0, 1)), draw(st.booleans())))
        elif kind == "link":
            rules.append(Link(a, [b], [draw(st.sampled_from([1.0, 2.0, -1.0]))], draw(st.booleans())))
    space = ActionSpace(features)
    for rule in rules:
        try:
            space.add(rule)
        except ValueError:  # a circle of links, or a link from a column that cannot move
            continue
    values = [feature.grid or np.arange(feature.lb, feature.ub + 1) for feature in features]
    people = np.array(list(product(*values)), float)
    fit = people[np.setdiff1d(np.arange(len(people)), space.check(people)["row"].to_numpy())]
    x = fit[draw(st.integers(0, len(fit) - 1))] if len(fit) else None
    return space, x, draw(st.integers(0, 2**20))


def every_point(space, x):
    """Own moves and points, by trying every combination of own values."""
    features = list(space)
    lists = []
    for feature, now in zip(features, x, strict=True):
        possible = feature.grid or np.arange(feature.lb, feature.ub + 1)
        lists.append(
            [
                v
                for v in possible
                if v == now
                or (
                    feature.actionable
                    and feature.step[0] <= v - now <= feature.step[1]
                    and (v - now) * feature.direction >= 0
                )
            ]
        )
    links = [rule for rule in space.rules if isinstance(rule, Link)]
    for own in product(*lists):
        change = {feature.name: v - now for feature, v, now in zip(features, own, x, strict=True)}
        moved = [name for name, a in change.items() if a]
        for _ in features:  # effects of effects
            total = {feature.name: v - now for feature, v, now in zip(features, own, x, strict=True)}
            for link in links:
                for target, scale in zip(link.targets, link.scales, strict=True):
                    total[target] += scale * change[link.source]
            change = total
        after = np.array([now + change[feature.name] for feature, now in zip(features, x, strict=True)])
        if all(
            _fits(space, feature, v, own_v, links)
            for feature, v, own_v in zip(features, after, own, strict=True)
        ) and all(_obeys(rule, space, x, after) for rule in space.rules):
            yield moved, after


def _fits(space, feature, value, own, links):
    if value == own:
        return True
    kept = any(feature.name in link.targets and link.keep_bounds for link in links)
    bounded = not kept or (
        feature.lb <= value <= feature.ub and (feature.grid is None or value in feature.grid)
    )
    return bounded and (feature.kind != "bool" or value in (0, 1))


def _obeys(rule, space, x, after):
    place = [space.names.index(name) for name in rule.columns]
    v, now = after[place], x[place]
    if isinstance(rule, OneHot):
        return v.sum() == rule.limit if rule.kind == "equal" else v.sum() <= rule.limit
    if isinstance(rule, Thermometer):
        return list(v) == sorted(v, reverse=True) and (v.sum() - now.sum()) * rule.direction >= 0
    if isinstance(rule, Ordinal):
        level = lambda z: list(z).index(1) if 1 in z else -1  # noqa: E731
        count = v.sum() == 1 if rule.exhaustive else v.sum() <= 1
        return count and (level(v) - level(now)) * rule.direction >= 0
    if isinstance(rule, Reachability):
        place = {value: i for i, value in enumerate(rule.values)}
        return tuple(v) in place and bool(rule.matrix[place[tuple(now)]][place[tuple(v)]])
    if isinstance(rule, IfThen):
        return not v[0] >= 1 or (v[1] >= 1 if rule.consequence.compare == ">=" else v[1] == 1)
    if isinstance(rule, Switch):
        moved = any(v[1:] != now[1:])
        return not moved if v[0] == rule.on_value else moved or not rule.force_change or v[0] == now[0]
    return True


def by_brute_force(space, x, f, completion):
    points = list(every_point(space, x))
    groups = {j: g for g in _components(space) for j in g}
    n, score = np.zeros(len(space)), np.zeros(len(space))
    for j, feature in enumerate(space):
        if not feature.actionable:
            continue
        found = {}
        for moved, after in points:
            if after[j] != x[j] and all(after[k] == x[k] for k in range(len(x)) if k not in groups[j]):
                if any(space.names.index(name) not in groups[j] for name in moved):
                    continue
                alone = moved == [feature.name]
                found.setdefault(after[j], {}).setdefault(tuple(after), False)
                found[after[j]][tuple(after)] |= alone
        kept = set()
        for candidates in found.values():
            lone = [point for point, alone in candidates.items() if alone]
            kept |= set(lone) if lone and completion == "alone_first" else set(candidates)
        n[j] = len(kept)
        score[j] = f(np.array(sorted(kept))).mean() if kept else 0.0
    return n, score, np.unique(np.array([after for _, after in points] or [x]), axis=0)


def _components(space):
    groups = [{j} for j in range(len(space))]
    for rule in space.rules:
        mine = {space.names.index(name) for name in rule.columns}
        touching = [g for g in groups if g & mine]
        groups = [g for g in groups if not g & mine] + [set().union(*touching)]
    return groups


def _random_model(seed):
    rng = np.random.default_rng(seed)
    table = rng.random((9,) * 4) < 0.4

    def f(X):
        X = np.asarray(X).astype(int) % 9
        X = np.pad(X, ((0, 0), (0, 4 - X.shape[1])))
        return table[tuple(X.T)].astype(int)

    return f


@pytest.mark.parametrize("completion", ["alone_first", "all"])
@given(problem=problems())
@settings(max_examples=150, deadline=None)
def test_enumeration_equals_brute_force(completion, problem):
    space, x, seed = problem
    if x is None:
        return
    f = _random_model(seed)
    scorer = ResponsivenessScorer(space, completion=completion)
    found = scorer.score(x[None], f)
    n, score, everything = by_brute_force(space, x, f, completion)
    assert_array_equal(found.n_points[0], n)
    assert_allclose(found.scores[0], score, atol=1e-12)
    if not f(x[None])[0]:
        fixed = not f(everything).any()
        recourse = scorer.is_fixed(x[None], f)
        assert recourse.status[0] == ("fixed" if fixed else "recourse")
        if not fixed:
            assert any(np.array_equal(recourse.witness[0], point) for point in everything)
            assert f(recourse.witness)[0] == 1


@given(problem=problems())
@settings(max_examples=40, deadline=None)
def test_the_solver_finds_what_the_list_finds(problem):
    space, x, seed = problem
    if x is None:
        return
    f = _random_model(seed)
    listed = ResponsivenessScorer(space).score(x[None], f)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(component, "ROWS", 4)
        solved = ResponsivenessScorer(space).score(x[None], f)
    assert_array_equal(solved.n_points, listed.n_points)
    assert_allclose(solved.scores, listed.scores, atol=1e-12)
    assert solved.exact.all()


@given(st.integers(0, 5), st.lists(st.floats(0, 3), min_size=2, max_size=2), st.floats(0, 20))
@settings(deadline=None)
def test_upwards_with_a_monotone_model_scores_do_not_fall(x2, weights, bar):
    space = ActionSpace([Feature(name, "int", 0, 5, direction=+1) for name in ("x1", "x2")])
    X = np.column_stack([np.arange(5), np.full(5, x2)])  # at 5 there is nothing left to raise
    found = scored(space, X, lambda Z: (Z @ np.array(weights) >= bar).astype(int))
    assert np.all(np.diff(found.scores[:, 0]) >= 0)


# ---- negative controls ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def credit():
    """A fitted model on planted data, with a space of all kinds of columns."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "age": rng.integers(20, 70, 300),
            "income": rng.uniform(0, 50, 300).round(2),
            "cards": rng.integers(0, 6, 300),
            "owner": rng.integers(0, 2, 300),
            "ignored": rng.integers(0, 4, 300),
        }
    ).astype(float)
    y = (X["income"] / 10 + X["owner"] - X["cards"] / 2 + rng.normal(size=300) > 2).astype(int)
    model = LogisticRegression(max_iter=1000).fit(X, y)
    model.coef_[0, 4] = 0.0
    space = ActionSpace.from_data(X)
    space["age"].set(actionable=False)
    return X, model, space


def test_a_constant_model_at_the_bad_class_is_fixed_for_all(credit):
    X, _, space = credit
    space = ActionSpace.from_dict(space.to_dict())
    space["income"].set(kind="int", grid=range(51), lb=0, ub=50)
    X = X.assign(income=X["income"].round())
    scorer = ResponsivenessScorer(space)
    found = scorer.score(X[:20], lambda Z: np.zeros(len(Z)))
    assert not found.scores.any()
    assert found.fixed_1d.all()
    assert (scorer.is_fixed(X[:20], lambda Z: np.zeros(len(Z))).status == "fixed").all()


def test_a_constant_model_at_the_good_class_scores_one_wherever_something_is_within_reach(credit):
    X, _, space = credit
    found = ResponsivenessScorer(space).score(X[:20], lambda Z: np.ones(len(Z)))
    assert_array_equal(found.scores, (found.n_points > 0).astype(float))
    assert found.approved.all()
    assert "already" in found.meta.warnings[0]


def test_a_feature_the_model_ignores_scores_zero_for_all_who_are_denied(credit):
    X, model, space = credit
    found = ResponsivenessScorer(space).score(X, model)
    assert 0 < (~found.approved).sum() < len(X)
    assert not found.scores[~found.approved, 4].any()
    assert found.scores[~found.approved, 1].any()


def test_a_monotone_transformation_of_the_probability_changes_nothing(credit):
    X, model, space = credit

    def cubed(Z):
        return model.predict_proba(Z)[:, 1] ** 3

    plain = ResponsivenessScorer(space, threshold=0.6).score(X, model)
    other = ResponsivenessScorer(space, threshold=0.6**3).score(X, cubed)
    assert_array_equal(plain.scores, other.scores)
    assert_array_equal(plain.approved, model.predict_proba(X)[:, 1] >= 0.6)


def test_permuted_columns_permute_the_scores(credit):
    X, model, space = credit
    order = ["owner", "ignored", "age", "income", "cards"]
    shuffled = ActionSpace([space[name] for name in order])
    one = ResponsivenessScorer(space).score(X, model)
    # the model gets its columns in the order of X, whatever the order of the space
    two = ResponsivenessScorer(shuffled).score(X, model)
    listed = [name for name in order if name != "income"]  # drawn columns have other draws
    for name in listed:
        assert_array_equal(one.scores[:, one.items.index(name)], two.scores[:, two.items.index(name)])
    drawn = [r.ci[:, r.items.index("income")] for r in (one, two)]
    assert (
        np.mean(np.maximum(drawn[0][:, 0], drawn[1][:, 0]) <= np.minimum(drawn[0][:, 1], drawn[1][:, 1]))
        > 0.98
    )


def test_two_seeds_of_sampling_agree_within_their_intervals(credit):
    X, model, space = credit
    one, two = (ResponsivenessScorer(space, random_state=seed).score(X, model) for seed in (0, 1))
    assert not np.array_equal(one.scores, two.scores)
    overlap = np.maximum(one.lo, two.lo) <= np.minimum(one.hi, two.hi)
    assert overlap.mean() > 0.99


# ---- what the authors' package gets wrong --------------------------------------------------------------


def test_a_chain_of_rules_is_one_component():
    space = ActionSpace([Feature(name, "bool") for name in "abcdef"])
    space.add(OneHot(["b", "e"]), OneHot(["c", "f"]), OneHot(["e", "f"]))
    assert sorted(map(sorted, space.components())) == [[0], [1, 2, 4, 5], [3]]
    # b=1, e=0, f=1, c=0: turning b off turns e on, f off, c on
    found = scored(space, [[0, 1, 0, 0, 0, 1]], lambda X: X[:, 2].astype(int))
    assert_array_equal(found.scores[0], [0, 1, 1, 0, 1, 1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"step": (1, 2)}, "change down is <= 0"),
        ({"step": (-2, -1)}, "change up >= 0"),
        ({"lb": 3, "ub": 1}, "above ub"),
        ({"lb": float("nan")}, "nor NaN"),
        ({"grid": [9]}, "between 0 and 2"),
        ({"actionable": "no"}, "true or false"),
        ({"direction": 1, "step": (-2, 0)}, "contradicts"),
        ({"direction": 2}, "direction=2"),
        ({"kind": "text"}, "kind='text'"),
        ({"kind": "int", "grid": [0.5]}, "grid must be"),
        ({"lb": "low"}, "are numbers"),
    ],
)
def test_settings_that_contradict_each_other_are_refused_and_change_nothing(options, message):
    feature = Feature("x", "float", 0, 2)
    with pytest.raises(ValueError, match=message):
        feature.set(**options)
    assert feature == Feature("x", "float", 0, 2)


def test_drawing_ends_where_nothing_is_feasible():
    space = ActionSpace([Feature("a", "float", 0, 1), Feature("b", "bool", actionable=False)])
    space.add(IfThen("a > 0", "b == 1"))
    found = scored(space, [[0.0, 0]], above(0, 0))
    assert found.status[0, 0] == "blocked"
    assert found.scores[0, 0] == 0
    assert not found.exact[0, 0]  # nothing was found, which is no proof


def test_drawing_counts_exactly_the_draws_asked_for():
    space = ActionSpace([Feature("a", "float", 0, 1), Feature("b", "bool", actionable=False)])
    space.add(IfThen("a > 0.3", "b == 1"))
    found = scored(space, [[0.0, 0]], above(0, 0.15))
    assert found.n_points[0, 0] == 500
    assert found.ci[0, 0, 0] < 0.5 < found.ci[0, 0, 1]


def test_one_float_column_leaves_the_others_exact():
    space = ActionSpace([Feature("a", "float", 0, 1), Feature("b", "int", 0, 4), Feature("c", "bool")])
    space.add(IfThen("a >= 2", "b >= 0"))
    found = scored(space, [[0.5, 0, 0]], above(1, 2))
    assert_array_equal(found.exact, [[False, True, True]])
    assert found.scores[0, 1] == 0.5


@pytest.mark.parametrize(("completion", "of_a"), [("alone_first", 0.3), ("all", 0.3 * 3 / (0.5 + 0.5 * 3))])
def test_a_list_and_an_interval_tied_by_a_rule(completion, of_a):
    space = ActionSpace([Feature("a", "float", 0, 1), Feature("b", "int", 0, 2)])
    space.add(IfThen("b >= 1", "a >= 0.5"))

    def score(f):
        return scored(space, [[0.2, 0]], f, completion=completion, n_samples=4000, alpha=1e-3)

    found = score(above(0, 0.7))
    assert found.lo[0, 0] < of_a < found.hi[0, 0]
    assert found.hi[0, 0] - found.lo[0, 0] < 0.08
    # b needs a: each of its two values counts alike, however many draws it took
    found = score(above(1, 1))
    assert found.status[0, 1] == "sampled"
    assert found.scores[0, 1] == pytest.approx(0.5)
    assert scored(space, [[0.8, 0]], above(1, 1), completion=completion).exact[0, 1] == (
        completion == "alone_first"
    )


def test_a_whole_number_column_with_a_wide_range_is_no_grid_of_its_range():
    space = ActionSpace.from_data(np.array([[0, 1, 1], [90_000, 0, 7]]))
    assert [feature.kind for feature in space] == ["float", "bool", "int"]
    assert "suggested" in repr(space)


def test_a_person_outside_the_data_is_told_what_to_do():
    space = ActionSpace.from_data(np.array([[0, 1], [5, 0]]))
    with pytest.raises(ValueError, match=r"row 1: x0 = 9 breaks bounds 0 to 5.*set\(lb="):
        scored(space, [[1, 1], [9, 1]], above(0, 2))
    assert space["x0"].set(ub=10).ub == 10
    assert scored(space, [[9, 1]], above(0, 2)).approved.all()


def test_the_product_of_components_is_not_laid_out():
    space = ActionSpace([Feature(f"x{j}", "int", 0, 9) for j in range(30)])  # 10 ** 30 points
    weights = np.linspace(1, 2, 30)
    scorer = ResponsivenessScorer(space)
    zero = np.zeros((1, 30))
    best = (9 * weights).sum()
    found = scorer.is_fixed(zero, lambda X: (X @ weights >= best - 1e-9).astype(int))
    assert found.status[0] == "unknown"  # labels only: the one good point is not among those tried
    assert found.tried[0] == 100_000
    numbers = ResponsivenessScorer(space, threshold=best - 1e-9)
    found = numbers.is_fixed(zero, lambda X: X @ weights)
    assert found.status[0] == "recourse"
    assert_array_equal(found.witness[0], np.full(30, 9.0))


def test_a_threshold_is_taken(credit):
    X, model, space = credit
    strict, loose = (ResponsivenessScorer(space, threshold=t).score(X, model) for t in (0.9, 0.1))
    assert strict.approved.sum() < loose.approved.sum()
    assert np.all(strict.scores <= loose.scores)


# ---- pairs, weights, sampling ---------------------------------------------------------------------------


def test_two_that_help_only_together_score_zero_alone_and_one_as_a_pair():
    space = ActionSpace([Feature("a", "bool"), Feature("b", "bool"), Feature("c", "bool")])
    scorer = ResponsivenessScorer(space)

    def both(X):
        return (X[:, 0] * X[:, 1]).astype(int)

    x = np.zeros((1, 3))
    assert not scorer.score(x, both).scores.any()
    pairs = scorer.score(x, both, k=2)
    assert pairs.items == (("a", "b"), ("a", "c"), ("b", "c"))
    assert_array_equal(pairs.scores, [[1, 0, 0]])
    assert_array_equal(pairs.examples[0, 0], [1, 1])
    with pytest.raises(ValueError, match="k=2"):
        scorer.score(x, both, pairs=[("a", "b")])
    with pytest.raises(ValueError, match="two different actionable"):
        scorer.score(x, both, k=2, pairs=[("a", "a")])
    assert scorer.explain([0, 0, 0], both).verdict == "recourse"
    assert scorer.explain([0, 0, 0], both).witness == {"a": 1.0, "b": 1.0}
    assert_array_equal(scorer.score(x, both, k=2, pairs=[("c", "b")]).scores, [[0]])


def test_pairs_in_one_component_keep_its_rules():
    found = ResponsivenessScorer(jobs()).score(np.array([[0.0, 1, 0]]), lambda X: X[:, 0].astype(int), k=2)
    assert_array_equal(
        found.n_points, [[1, 0, 1]]
    )  # a on and b off; a and c cannot both change; b off and c on
    assert_array_equal(found.scores, [[1, 0, 0]])


def test_pairs_of_drawn_columns_are_drawn():
    space = ActionSpace([Feature("a", "float", 0, 1), Feature("b", "float", 0, 1)])
    found = ResponsivenessScorer(space).score(
        np.zeros((1, 2)), lambda X: (X.sum(axis=1) > 1).astype(int), k=2
    )
    assert found.status[0, 0] == "sampled"
    assert found.lo[0, 0] < 0.5 < found.hi[0, 0]


def test_weights_make_hard_changes_count_less():
    space = ActionSpace([Feature("x", "int", 0, 4)])
    found = scored(space, [[0]], above(0, 2), weights=lambda a: 1 / np.abs(a))
    assert found.scores[0, 0] == pytest.approx((1 / 3 + 1 / 4) / (1 + 1 / 2 + 1 / 3 + 1 / 4))
    with pytest.raises(ValueError, match="weights must give"):
        scored(space, [[0]], above(0, 2), weights=lambda a: -np.abs(a))


def test_without_a_hit_the_test_says_below_eps_from_29_draws_on():
    space = ActionSpace([Feature("x", "float", 0, 1)])
    for n, certain in ((28, False), (29, True)):
        found = scored(space, [[0.5]], lambda X: np.zeros(len(X)), n_samples=n)
        assert (found.p_unresponsive[0, 0] <= 0.05) == certain
        assert (found.upper[0, 0] <= 0.1) == certain
        assert bool(found.meta.warnings) == (not certain)


def test_a_list_longer_than_max_points_is_drawn():
    space = ActionSpace([Feature("x", "int", 0, 10_000)])
    found = scored(space, [[0]], above(0, 5000), max_points=1000)
    assert found.status[0, 0] == "sampled"
    assert found.lo[0, 0] < 0.5 < found.hi[0, 0]
    assert scored(space, [[0]], above(0, 5000)).exact.all()


def test_too_many_points_for_the_solver_are_marked(monkeypatch):
    names = [f"b{j}" for j in range(10)]
    space = ActionSpace([Feature(name, "bool") for name in names], [OneHot(names, 5)])
    monkeypatch.setattr(component, "ROWS", 8)
    found = scored(space, [[1] * 5 + [0] * 5], above(0, 0), max_points=7)
    assert set(found.status.ravel()) == {"incomplete"}
    assert not found.exact.any()
    assert_array_equal(found.ci[0, 0], [0, 1])
    assert "solver" in found.meta.warnings[-1]


# ---- draws, memory of what was listed, and determinism ------------------------------------------------------


def test_scores_do_not_depend_on_the_other_people_or_on_what_is_remembered(credit):
    X, model, space = credit
    scorer = ResponsivenessScorer(space)
    whole = scorer.score(X, model)
    again = scorer.score(X, model)
    part = ResponsivenessScorer(space).score(X[100:130], model)
    assert_array_equal(whole.scores, again.scores)
    assert_array_equal(whole.scores[100:130], part.scores)


def test_a_changed_space_is_not_answered_from_memory():
    space = small()
    scorer = ResponsivenessScorer(space)
    x = np.array([[0.0, 0.0]])
    assert scorer.score(x, above(0, 2)).n_points[0, 0] == 5
    space["x1"].set(ub=3)
    assert scorer.score(x, above(0, 2)).n_points[0, 0] == 3


def test_people_who_are_alike_are_listed_once(monkeypatch):
    space = jobs()
    calls = []
    original = component.Component.expand
    monkeypatch.setattr(
        component.Component, "expand", lambda self, *given: calls.append(1) or original(self, *given)
    )
    scorer = ResponsivenessScorer(space)
    scorer.score(np.tile([0.0, 1, 0], (50, 1)), above(0, 0))
    scorer.score(np.tile([0.0, 1, 0], (50, 1)), above(1, 0))  # another model
    assert len(calls) == 1


def test_few_calls_of_the_model(credit):
    X, model, space = credit
    calls = []

    def counted(Z):
        calls.append(len(Z))
        return model.predict(Z)

    ResponsivenessScorer(space, n_samples=50).score(X, counted)
    assert len(calls) == 2  # all interventions of 300 people, and the people themselves
    assert max(calls) <= 100_000


def test_calls_are_bounded_by_rows():
    space = ActionSpace([Feature("x", "int", 0, 60_000), Feature("y", "int", 0, 60_000)])
    calls = []

    def counted(Z):
        calls.append(len(Z))
        return (Z[:, 0] > 30_000).astype(int)

    found = ResponsivenessScorer(space).score(np.zeros((4, 2)), counted)
    assert max(calls) <= 100_000
    assert_allclose(found.scores[:, 0], 0.5, atol=1e-9)


def test_progress_ends_at_all_of_it(credit):
    X, model, space = credit
    seen = []
    ResponsivenessScorer(space).score(X, model, progress=lambda done, of: seen.append((done, of)))
    assert seen[-1] == (1500, 1500)


# ---- audit ------------------------------------------------------------------------------------------------


def test_an_audit_counts_reasons_that_cannot_help():
    space = ActionSpace(
        [Feature("immutable", "bool", actionable=False), Feature("a", "bool"), Feature("b", "bool")]
    )

    def f(X):
        return ((X[:, 0] + X[:, 1] > 1) | (X[:, 0] * 0 + X[:, 2] > 9)).astype(int)

    X = np.array([[1.0, 0, 0], [1, 0, 1], [0, 0, 0], [1, 1, 0]])  # helped by a, by a; fixed; approved
    scorer = ResponsivenessScorer(space)
    ranking = np.array([[3.0, 1, 0], [3, 0, 0], [1, 0, 0], [1, 1, 1]])
    found = scorer.audit(ranking, X, f, k=2)
    assert (found.denied, found.with_reasons, found.fixed, found.undecided) == (3, 3, 1, 0)
    assert found.all_unresponsive == pytest.approx(2 / 3)
    assert found.some_unresponsive == 1
    assert found.some_responsive == pytest.approx(1 / 3)
    assert found.all_responsive == 0
    assert found.mean_reasons == pytest.approx(4 / 3)
    assert found.reasons_without_recourse == 1
    own = scorer.audit(scorer.score(X, f), X, f)
    assert (own.all_responsive, own.some_unresponsive, own.reasons_without_recourse) == (1, 0, 0)


def test_an_audit_takes_signs_as_asked():
    space = small()
    scorer = ResponsivenessScorer(space)
    X = np.array([[0.0, 0.0]])
    assert scorer.audit([[-1.0, 2.0]], X, above(0, 2), k=1, by="low").all_responsive == 1
    assert scorer.audit([[-1.0, 2.0]], X, above(0, 2), k=1, by="high").all_unresponsive == 1
    assert np.isnan(scorer.audit([[-1.0, np.nan]], X, above(0, 2), by="high").mean_reasons)
    with pytest.raises(ValueError, match="by='size'"):
        scorer.audit([[1.0, 2.0]], X, above(0, 2), by="size")
    with pytest.raises(ValueError, match=r"shape \(1, 2\)"):
        scorer.audit([[1.0]], X, above(0, 2))


# ---- doors ------------------------------------------------------------------------------------------------


def test_pandas_polars_and_numpy_give_equal_scores(credit):
    X, model, space = credit
    by_names = ResponsivenessScorer(space).score(X[:30], model)
    by_position = ResponsivenessScorer(
        ActionSpace([Feature(**{**one.to_dict(), "name": f"x{j}"}) for j, one in enumerate(space)])
    ).score(X[:30].to_numpy(), lambda Z: model.predict(pd.DataFrame(Z, columns=X.columns)))
    in_polars = ResponsivenessScorer(space).score(
        pl.from_pandas(X[:30]), lambda Z: model.predict(Z.to_pandas())
    )
    assert_array_equal(by_names.scores, by_position.scores)
    assert_array_equal(by_names.scores, in_polars.scores)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([[0.0, np.nan]], r"x2 = nan breaks a finite number"),
        ([[0.0, np.inf]], r"x2 = inf breaks a finite number"),
        ([[2.5, 0.0]], r"x1 = 2.5 breaks kind int"),
        ([[9.0, 0.0]], r"x1 = 9 breaks bounds 0 to 5"),
        ([[0.0]], r"X has 1 columns, but 2"),
        (np.empty((0, 2)), "no rows"),
        ([["a", "b"]], "must be numbers"),
        (np.zeros(2), "two dimensions"),
    ],
)
def test_people_who_do_not_fit_are_refused(X, message):
    with pytest.raises((TypeError, ValueError), match=message):
        ResponsivenessScorer(small()).score(X, above(0, 2))


def test_a_value_off_the_grid_is_named():
    space = ActionSpace([Feature("x", "float", 0, 9, grid=(0, 2.5, 9))])
    with pytest.raises(ValueError, match="x = 3 breaks grid of 3 values"):
        scored(space, [[3.0]], above(0, 2))


def test_a_range_without_end_is_refused_where_values_are_drawn():
    space = ActionSpace([Feature("x", "float", lb=0)])
    with pytest.raises(ValueError, match="range has no end"):
        scored(space, [[3.0]], above(0, 2))
    space["x"].set(step=(-1, 1))
    assert scored(space, [[3.0]], above(0, 3)).status[0, 0] == "sampled"


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (OneHot(["x1", "x2"]), "takes bool columns"),
        (OneHot(["x2", "zz"]), "'zz', which is no feature"),
        (Switch("x1", ["x2"]), "needs a bool column"),
        (Link("x2", ["x1"], [0.5]), "Use a whole scale"),
        (Reachability(["x1"], [[0], [9]]), "widen the bounds"),
    ],
)
def test_rules_that_do_not_fit_the_space_are_refused(rule, message):
    space = small()
    with pytest.raises(ValueError, match=message):
        space.add(rule)
    assert space.rules == ()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: OneHot(["a"]), "at least 2 columns"),
        (lambda: OneHot("ab"), "takes a list"),
        (lambda: OneHot(["a", "b"], kind="most"), "kind='most'"),
        (lambda: OneHot(["a", "b"], 3), "limit=3"),
        (lambda: Thermometer(["a", "b"], 2), "direction=2"),
        (lambda: Reachability(["a"], [[0], [0]]), "distinct"),
        (lambda: Reachability(["a"], [[0], [1]], [[0, 1], [1, 1]]), "ones on its diagonal"),
        (lambda: Reachability(["a"], [0, 1]), "must have the shape"),
        (lambda: Link("a", ["a"]), "none of them"),
        (lambda: Link("a", ["b"], [0.0]), "scale other than 0"),
        (lambda: IfThen("a is 1", "b == 1"), "not a condition"),
        (lambda: IfThen("a == 1", "a == 1"), "two columns"),
        (lambda: Switch("a", ["b"], on_value=2), "on_value=2"),
        (lambda: Switch("a", []), "needs targets"),
    ],
)
def test_rules_that_make_no_sense_are_refused(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make()


def test_links_in_a_circle_are_refused():
    space = ActionSpace(
        [Feature(name, "float", 0, 1) for name in "abc"], [Link("a", ["b"]), Link("b", ["c"])]
    )
    with pytest.raises(ValueError, match="circle"):
        space.add(Link("c", ["a"]))
    assert len(space.rules) == 2


def test_a_rule_that_no_longer_fits_is_refused_at_the_door():
    space = jobs()
    space["job_a"].set(kind="int")
    with pytest.raises(ValueError, match="bool columns"):
        scored(space, [[0, 1, 0]], above(0, 0))


def test_a_target_the_model_does_not_know_is_refused(credit):
    X, model, space = credit
    with pytest.raises(ValueError, match="target='good' is no class"):
        ResponsivenessScorer(space, target="good").score(X, model)


def test_numbers_instead_of_labels_ask_for_a_threshold(credit):
    X, model, space = credit
    with pytest.raises(ValueError, match="threshold="):
        ResponsivenessScorer(space).score(X, lambda Z: model.predict_proba(Z)[:, 1])
    with pytest.raises(ValueError, match="one label per row"):
        ResponsivenessScorer(space).score(X, model.predict_proba)
    with pytest.raises(TypeError, match="fitted model or a function"):
        ResponsivenessScorer(space).score(X, 3)


@pytest.mark.parametrize(
    "options",
    [{"completion": "some"}, {"alpha": 1.0}, {"eps": 0}, {"n_samples": 0}, {"max_points": 0}, {"weights": 3}],
)
def test_parameters_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        scored(small(), [[0, 0]], above(0, 2), **options)


def test_text_columns_are_named():
    space = ActionSpace([Feature("x1", "int", 0, 5), Feature("city")])
    with pytest.raises(TypeError, match="'city' is String, not numbers"):
        ResponsivenessScorer(space).score(pl.DataFrame({"x1": [1], "city": ["u"]}), above(0, 2))
    with pytest.raises(ValueError, match=r"lacks \['city'\] and has \['town'\]"):
        ResponsivenessScorer(space).score(pl.DataFrame({"x1": [1], "town": [1]}), above(0, 2))


@pytest.mark.parametrize("dtype", [str, object])
def test_an_array_of_texts_is_no_array_of_numbers(dtype):
    with pytest.raises(TypeError, match="X must be numbers"):
        ActionSpace.from_data(np.array([["07"], ["7"]], dtype=dtype))


# ---- the scorer and its results -------------------------------------------------------------------------


def test_the_scorer_is_cloned_and_pickled_with_its_space(credit):
    X, model, space = credit
    scorer = ResponsivenessScorer(space, threshold=0.7)
    first = scorer.score(X[:5], model)
    assert clone(scorer).get_params()["threshold"] == 0.7
    assert_array_equal(pickle.loads(pickle.dumps(scorer)).score(X[:5], model).scores, first.scores)
    assert scorer.result_ is first


def test_a_person_is_told_the_nearest_change_and_its_range():
    told = ResponsivenessScorer(small()).explain(
        pd.Series({"x1": 0, "x2": 0}, dtype=object), lambda Z: (Z["x1"] > 2).astype(int)
    )
    row = told.scores.frame.row(0, named=True)
    assert (row["column"], row["value"], row["example"], row["low"], row["high"], row["n"]) == (
        "x1",
        0.6,
        3,
        1,
        5,
        5,
    )
    assert row["direction"] == "up"
    assert "x1: up from 0 to 3 (60% of 5 changes between 1 and 5)" in str(told)
    with pytest.raises(ValueError, match="at least one reason"):
        ResponsivenessScorer(small()).explain([0, 0], above(0, 2), k=0)
    with pytest.raises(ValueError, match="about one person"):
        ResponsivenessScorer(small()).explain(np.zeros((2, 2)), above(0, 2))


def test_the_example_is_the_nearest_value_that_works_on_either_side():
    space = ActionSpace([Feature("x", "int", 0, 9)])
    found = scored(space, [[4], [8]], lambda X: ((X[:, 0] < 3) | (X[:, 0] == 9)).astype(int))
    assert_array_equal(found.examples[:, 0], [2, 9])
    assert_array_equal(found.low[:, 0], [0, 0])
    assert_array_equal(found.high[:, 0], [9, 9])


def test_drawn_columns_find_a_witness_at_the_end_of_a_range_but_never_certify():
    space = ActionSpace([Feature("a", "float", 0, 1), Feature("b", "float", 0, 1)])
    scorer = ResponsivenessScorer(space)
    x = np.zeros((1, 2))
    # only both at their ends reach it: no draw of one of them would
    found = scorer.is_fixed(x, lambda X: (X.sum(axis=1) >= 2).astype(int))
    assert found.status[0] == "recourse"
    assert_array_equal(found.witness, [[1, 1]])
    assert scorer.is_fixed(x, lambda X: np.zeros(len(X))).status[0] == "unknown"


def test_k_bounds_the_reasons_and_the_best_come_first(credit):
    X, model, space = credit
    scorer = ResponsivenessScorer(space)
    i = int(np.flatnonzero(scorer.score(X, model).responsive.sum(axis=1) >= 3)[0])
    told = scorer.explain(X[i : i + 1], model, k=2)
    assert len(told.scores) == 2
    assert told.scores.values[0] >= told.scores.values[1] > 0


def test_a_person_with_the_target_is_flagged():
    assert ResponsivenessScorer(small()).explain([5, 0], above(0, 2)).verdict == "approved"
    assert ResponsivenessScorer(small()).is_fixed(np.array([[5, 0]]), above(0, 2)).status[0] == "approved"


def test_over_the_denied_there_are_scores(credit):
    X, model, space = credit
    found = ResponsivenessScorer(space).score(X, model)
    scores = found.denied()
    rows = ~found.approved
    assert_allclose(scores.values, found.scores[rows].mean(axis=0))
    assert_allclose(scores.frame["responsive"], found.responsive[rows].mean(axis=0))
    assert scores.meta.method == "responsiveness"
    assert found.row(0).frame.height == 5
    with pytest.raises(ValueError, match="nobody is denied"):
        scored(small(), [[5, 0]], above(0, 2)).denied()


def test_the_report_says_what_scores_do_not_say(credit):
    X, model, space = credit
    scorer = ResponsivenessScorer(space)
    with pytest.raises(ValueError, match="call score"):
        scorer.report()
    scorer.score(X, model)
    report = scorer.report()
    assert report["denied"] + report["approved"] == 300
    assert any("true outcome" in line for line in report["does_not_say"])
    assert any("please the model" in line for line in report["does_not_say"])
    assert any("hard or dear" in line for line in report["does_not_say"])


def test_pictures_have_a_bar_per_movable_feature(credit):
    from matplotlib.figure import Figure

    X, model, space = credit
    scorer = ResponsivenessScorer(space)
    found = scorer.score(X, model)
    ax = Figure().subplots()
    assert found.plot(0, ax=ax) is ax
    assert [tick.get_text() for tick in ax.get_yticklabels()].count("age") == 0
    assert found.plot(ax=Figure().subplots()).get_legend() is not None
    assert scorer.explain(X[:1], model).plot(ax=Figure().subplots()).get_title(loc="left")


# ---- the space as a file ----------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".toml", ".json"])
def test_a_space_survives_its_file(tmp_path, suffix):
    space = ActionSpace(
        [
            *(Feature(name, "bool") for name in JOBS),
            Feature('odd "name"', "int", 0, 9, step=(-2, float("inf")), direction=1),
            Feature("grid", "float", grid=(0, 0.5)),
            Feature("age", actionable=False),
        ],
        [
            OneHot(JOBS), Link("grid", ["age"], [2.0]), IfThen("grid >= 0.5", "age >= 18"),
            Switch("job_a", ["grid"]), Ordinal(["job_b", "job_c"], exhaustive=False),
            Reachability(["job_b"], [[0], [1]], [[1, 1], [0, 1]]), Thermometer(["job_c", "job_a"], -1),
        ],
    )  # fmt: skip
    space.save(tmp_path / f"space{suffix}")
    again = ActionSpace.load(tmp_path / f"space{suffix}")
    assert again.to_dict() == space.to_dict()
    assert again.digest() == space.digest()
    assert repr(again) == repr(space)


def test_a_file_may_say_only_what_differs_from_the_data(tmp_path):
    (tmp_path / "mine.toml").write_text('[[feature]]\nname = "x0"\nactionable = false\n')
    space = ActionSpace.load(tmp_path / "mine.toml", np.array([[1.0, 0.5], [7.0, 0.25]]))
    assert not space["x0"].actionable
    assert (space["x1"].lb, space["x1"].ub) == (0.25, 0.5)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.yaml", "", r"\.toml or a \.json"),
        ("a.json", "{", "is not JSON"),
        ("a.toml", "x = 1", "not x"),
        ("a.toml", "[[feature]]\nkind = 'int'", "needs a name"),
        ("a.toml", "[[feature]]\nname = 'a'\nsize = 3", "no size"),
        ("a.toml", "feature = 3", "not feature"),
        ("a.json", "[1, 2]", "not list"),
        ("a.toml", "[[feature]]\nname = 'a'\n[[rule]]\nrule = 'Nope'", "is not known"),
        ("a.toml", "[[feature]]\nname = 'a'\n[[rule]]\nrule = 'OneHot'", "OneHot takes names"),
        ("a.toml", "[[feature]]\nname = 'a'\n[[rule]]\nrule = 'OneHot'\nnamen = []", "has no namen"),
    ],
)
def test_a_file_that_is_no_space_is_refused(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises((TypeError, ValueError), match=message):
        ActionSpace.load(tmp_path / name)


def test_check_lists_every_violation():
    space = jobs()
    table = space.check(np.array([[0, 1, 0], [1, 1, 0], [0, 2, 0]]))
    assert table["row"].to_list() == [1, 2, 2]
    assert "OneHot" in table["rule"][0]
    assert space.check(np.array([[0, 1, 0]])).is_empty()


def test_a_model_that_answers_nan_is_refused():
    scorer = ResponsivenessScorer(ActionSpace([Feature("a", "int", 0, 3)]), threshold=0.5)
    with pytest.raises(ValueError, match="gives NaN"):
        scorer.score(np.array([[1.0]]), lambda X: np.full(len(X), np.nan))
