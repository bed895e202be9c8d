"""Selectors compared: nested, beside random, all columns and permuted targets."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import BaseEstimator
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import f1_score, r2_score
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold

from salience.results.scores import Scores
from salience.verify import evaluate_selectors
from salience.verify.estimators import named_estimator


def table(
    n: int = 200, d: int = 10, classes: int = 3, seed: int = 0
) -> tuple[pl.DataFrame, np.ndarray, np.ndarray]:
    """The target is made of g0 and g1; the others are noise. As classes and as numbers."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    signal = X[:, 0] + X[:, 1]
    names = [f"g{j}" if j < 2 else f"c{j}" for j in range(d)]
    edges = np.quantile(signal, np.arange(1, classes) / classes)
    return pl.DataFrame(X, schema=names), np.digitize(signal, edges), signal + 0.1 * rng.normal(size=n)


def oracle(frame: Any, label: str) -> Scores:
    names = [name for name in frame.columns if name != label]
    return Scores.from_values([float(name.startswith("g")) for name in names], names)


def fool(frame: Any, label: str) -> Scores:
    names = [name for name in frame.columns if name != label]
    return Scores.from_values([float(not name.startswith("g")) for name in names], names)


def by_correlation(frame: Any, label: str) -> Scores:
    y = np.unique(frame[label].to_numpy(), return_inverse=True)[1]
    names = [name for name in frame.columns if name != label]
    return Scores.from_values([abs(np.corrcoef(frame[name].to_numpy(), y)[0, 1]) for name in names], names)


def row(scores: Scores, selector: str, **where: Any) -> dict[str, Any]:
    return scores.where(selector=selector, **where).frame.row(0, named=True)


class Recorder(BaseEstimator):
    """Ranks nothing, and writes down which rows it saw (the first column is their number)."""

    saw: ClassVar[list[tuple[set[int], list[Any]]]] = []

    def fit(self, X: Any, y: Any) -> Recorder:
        Recorder.saw.append((set(X[X.columns[0]].to_list()), list(y)))
        self.scores_ = Scores.from_values(np.zeros(len(X.columns)), list(X.columns))
        return self


# ---- what is known beforehand -----------------------------------------------------------------------------


@pytest.mark.parametrize("task", ["classes", "numbers"])
def test_the_true_columns_keep_what_all_columns_give_and_the_others_keep_nothing(task):
    frame, classes, numbers = table()
    y = {"classes": classes, "numbers": numbers}[task]
    linear = {"classes": "logistic", "numbers": "ridge"}[task]
    found = evaluate_selectors(frame, y, {"oracle": oracle, "fool": fool}, keep=[0.2], predictors=[linear])
    best, worst, chance, full = (row(found, name) for name in ("oracle", "fool", "random", "all columns"))
    assert best["value"] > 0.9
    assert best["value"] >= full["value"] - 0.001
    assert worst["value"] < {"classes": 0.5, "numbers": 0.1}[task]
    assert worst["value"] < chance["value"] < best["value"]
    assert best["over_random"] - 3 * best["over_random_se"] > 0
    assert found.meta.unit == {"classes": "macro-F1", "numbers": "R2"}[task]
    assert found.where(predictor=linear, keep=0.2).top(1).items in (["oracle"], ["all columns"])


def test_a_selector_with_a_permuted_target_is_no_better_than_random_and_must_not_stand_above():
    frame, y, _ = table()
    found = evaluate_selectors(frame, y, {"correlation": by_correlation}, keep=[0.2], predictors=["logistic"])
    own, blind = row(found, "correlation"), row(found, "correlation, permuted target")
    assert blind["kind"] == "permuted target"
    assert own["value"] - blind["value"] > 0.2
    assert blind["over_random"] - 2 * blind["over_random_se"] < 0


def test_values_are_those_of_refitting_by_hand():
    frame, y, numbers = table()
    found = evaluate_selectors(
        frame, y, {"oracle": oracle}, keep=[0.2], predictors=["forest"], permuted=(), random_state=4, draws=1
    )
    folds = StratifiedKFold(5, shuffle=True, random_state=4).split(frame, y)
    kept = frame.select("g0", "g1")
    by_hand = []
    for train, held in folds:
        model = named_estimator("forest", "classes", 4).fit(kept[train], y[train])
        by_hand.append(f1_score(y[held], model.predict(kept[held]), average="macro"))
    place = found.items.index("oracle")
    np.testing.assert_allclose(found.replicates[:, place], by_hand, rtol=1e-6)
    assert row(found, "oracle")["value"] == pytest.approx(np.mean(by_hand))
    own = evaluate_selectors(
        frame, numbers, {"oracle": oracle}, keep=[0.2], predictors=["ridge"], permuted=(), cv=KFold(3)
    )
    by_hand = [
        r2_score(
            numbers[held],
            named_estimator("ridge", "numbers").fit(kept[train], numbers[train]).predict(kept[held]),
        )
        for train, held in KFold(3).split(frame)
    ]
    assert row(own, "oracle")["value"] == pytest.approx(np.mean(by_hand))


def test_the_standard_errors_are_paired_by_fold_and_wider_than_for_independent_folds():
    frame, y, _ = table()
    found = evaluate_selectors(frame, y, {"correlation": by_correlation}, keep=[0.4], predictors=["logistic"])
    folds = dict(zip(found.items, found.replicates.T.astype(float), strict=True))
    gap = folds["correlation"] - folds["random"]
    factor = np.sqrt(1 / 5 + 1 / 4)  # five folds, each holds a quarter as many rows as it fits on
    own = row(found, "correlation")
    assert own["over_random_se"] == pytest.approx(factor * gap.std(ddof=1), rel=1e-3)
    assert own["se"] == pytest.approx(factor * folds["correlation"].std(ddof=1), rel=1e-3)
    assert own["lo"] < own["value"] < own["hi"]
    assert own["null"] == row(found, "random")["value"]


# ---- no leak ----------------------------------------------------------------------------------------------


def test_a_selector_sees_the_training_rows_of_the_fold_and_no_other():
    n = 40
    frame = pl.DataFrame({"row": np.arange(n), "x": np.arange(n) % 5})
    Recorder.saw.clear()
    cv = KFold(4, shuffle=True, random_state=1)
    y = np.arange(n) % 2
    evaluate_selectors(frame, y, {"recorder": Recorder()}, keep=[0.5], predictors=["logistic"], cv=cv)
    seen, blind = Recorder.saw[::2], Recorder.saw[1::2]
    for (train, _), (rows, target), (same, shuffled) in zip(cv.split(frame), seen, blind, strict=True):
        assert rows == same == set(train.tolist())
        assert target == y[train].tolist()
        assert target != shuffled
        assert sorted(target) == sorted(shuffled)


def test_a_ranking_that_is_already_made_is_refused():
    frame, y, _ = table()
    with pytest.raises(TypeError, match="already made"):
        evaluate_selectors(frame, y, {"peeked": Scores.from_values(np.zeros(10))})


def test_selection_on_all_rows_would_look_better_than_it_is():
    """On pure noise with many columns a ranking of all rows predicts; one made inside the folds does not."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 400)), np.arange(60) % 2
    frame = pl.DataFrame(X)
    peeked = by_correlation(frame.with_columns(y=pl.Series(y)), "y")
    settings: dict[str, Any] = {"keep": [0.02], "predictors": ["logistic"], "permuted": ()}
    found = evaluate_selectors(
        frame, y, {"nested": by_correlation, "peeked": lambda f, label: peeked}, **settings
    )
    assert row(found, "peeked")["value"] > 0.75
    assert row(found, "nested")["lo"] < 0.5


# ---- stability, redundancy, time --------------------------------------------------------------------------


def test_stability_is_one_for_the_same_selection_and_at_chance_for_a_random_one():
    frame, y, _ = table(d=20)
    found = evaluate_selectors(
        frame, y, {"oracle": oracle}, keep=[0.1, 0.5, 1.0], predictors=["logistic"], permuted=(), draws=40
    )
    assert all(row(found, "oracle", keep=share)["stability"] == 1.0 for share in (0.1, 0.5, 1.0))
    # two random halves of many columns share a third of their union
    assert row(found, "random", keep=0.5)["stability"] == pytest.approx(1 / 3, abs=0.05)
    assert row(found, "random", keep=1.0)["stability"] == 1.0
    assert row(found, "all columns", keep=0.1)["kept"] == 20


def test_redundancy_is_the_mean_correlation_among_the_kept():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 300))
    frame = pl.DataFrame(
        {"g0": a, "g1": -2 * a, "b": b, "text": ["u", "v", "w"] * 100, "still": np.ones(300)}
    )
    found = evaluate_selectors(
        frame, a > 0, {"oracle": oracle}, keep=[0.4], predictors=["logistic"], permuted=()
    )
    assert row(found, "oracle")["redundancy"] == pytest.approx(1.0)
    r = abs(np.corrcoef(a, b)[0, 1])
    assert row(found, "all columns")["redundancy"] == pytest.approx((1 + 2 * r) / 3, abs=0.02)


def test_one_kept_column_has_no_redundancy():
    frame, y, _ = table()
    found = evaluate_selectors(frame, y, {"oracle": oracle}, keep=[0.1], predictors=["logistic"], permuted=())
    assert row(found, "oracle")["redundancy"] is None or np.isnan(row(found, "oracle")["redundancy"])
    assert row(found, "oracle")["seconds"] > 0
    assert row(found, "random")["seconds"] == 0


# ---- the result and its door ------------------------------------------------------------------------------


def test_the_result_is_scores_with_a_ranking_per_predictor_and_share(tmp_path):
    frame, y, _ = table()
    steps: list[tuple[int, int]] = []
    found = evaluate_selectors(
        frame.to_pandas(), pd.Series(y), {"correlation": by_correlation, "mi": "mutual information"},
        predictors={"logistic": "logistic", "boosting": HistGradientBoostingClassifier(max_iter=5)},
        keep=(0.2, 0.6), cv=3, progress=lambda *step: steps.append(step),
    )  # fmt: skip
    assert (found.keys, found.by, found.item) == (("selector",), ("predictor", "keep"), "selector")
    assert set(found.items) == {
        *(
            "correlation",
            "mi",
            "correlation, permuted target",
            "mi, permuted target",
            "random",
            "all columns",
        ),
    }
    assert len(found) == 6 * 2 * 2
    assert found.replicates.shape == (3, 24)
    assert found.meta.replicate_of == "fold"
    assert found.meta.rows == 200
    assert steps[0] == (1, 12)
    assert steps[-1] == (12, 12)
    found.save(tmp_path / "found.parquet")
    assert Scores.load(tmp_path / "found.parquet").equals(found)
    assert found.plot(predictor="boosting", keep=0.2).get_xlabel() == "value (macro-F1)"


def test_the_same_seed_gives_the_same_result_in_one_thread_and_in_two():
    frame, y, _ = table()
    runs = [
        evaluate_selectors(
            frame,
            y,
            {"mi": "mutual information"},
            keep=[0.3],
            cv=2,
            draws=2,
            random_state=s,
            n_jobs=j,
        ).frame.drop("seconds")
        for s, j in ((0, 1), (0, 2), (1, 1))
    ]
    assert runs[0].equals(runs[1])
    assert not runs[0].equals(runs[2])


def test_a_splitter_with_its_own_idea_of_folds_is_followed():
    frame, y, _ = table(60)
    Recorder.saw.clear()
    groups = np.arange(60) // 20

    class Groups(GroupKFold):
        def split(self, X: Any, y: Any = None, groups_: Any = None) -> Any:
            return super().split(X, y, groups)

    numbered = frame.with_columns(g0=pl.Series(np.arange(60.0)))
    evaluate_selectors(
        numbered, y, {"r": Recorder()}, keep=[0.5], predictors=["logistic"], permuted=(), cv=Groups(3)
    )
    assert sorted(min(rows) for rows, _ in Recorder.saw) == [0.0, 0.0, 20.0]


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"selectors": {}}, ValueError, "at least one"),
        ({"selectors": {"random": oracle}}, ValueError, "taken"),
        ({"selectors": {"o": "relief"}}, ValueError, "mutual information, forest permutation"),
        ({"selectors": {"o": 3}}, TypeError, "callable"),
        ({"keep": [0.0]}, ValueError, r"\(0, 1\]"),
        ({"keep": []}, ValueError, r"\(0, 1\]"),
        ({"keep": [1.2]}, ValueError, r"\(0, 1\]"),
        ({"draws": 0}, ValueError, "draws=0"),
        ({"permuted": ["who"]}, ValueError, "'who'"),
        ({"predictors": ["svm"]}, ValueError, "'svm'"),
        ({"predictors": []}, ValueError, "at least one predictor"),
        ({"predictors": ["ridge"]}, ValueError, "'logistic'"),
        ({"cv": 1}, ValueError, "at least 2"),
        ({"cv": "five"}, TypeError, "split"),
        ({"y": np.zeros(200, dtype=int)}, ValueError, "one class"),
        ({"y": np.zeros(3)}, ValueError, "one value per row"),
    ],
)
def test_what_cannot_be_is_said_at_the_door(change, error, match):
    frame, y, _ = table()
    given: dict[str, Any] = {
        "y": y,
        "selectors": {"o": oracle},
        "keep": [0.5],
        "predictors": ["logistic"],
    } | change
    with pytest.raises(error, match=match):
        evaluate_selectors(frame, given.pop("y"), given.pop("selectors"), **given)
