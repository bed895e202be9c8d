"""Every method of the tabular family is judged by `verify`, beside something that must fail."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from salience.results.attributions import Attributions
from salience.results.scores import Scores
from salience.tabular import (
    ActionSpace,
    DhondtExplainer,
    Feature,
    MIScreener,
    Parliament,
    QuickSelector,
    RashomonExplorer,
    ResponsivenessScorer,
    SparseLinear,
    fis,
)
from salience.verify import fidelity, hold_columns, instances, pairs, verify

COLUMNS, GOOD = 20, 4


def table(n: int = 300, seed: int = 0) -> tuple[pl.DataFrame, np.ndarray]:
    """Four columns of twenty decide the label; their order says nothing."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, COLUMNS))
    names = [f"g{j}" if j < GOOD else f"c{j}" for j in range(COLUMNS)]
    y = (X[:, :GOOD].sum(axis=1) + 0.5 * rng.normal(size=n) > 0).astype(int)
    return pl.DataFrame(X, schema=names).select([names[j] for j in rng.permutation(COLUMNS)]), y


def wide_table(n: int = 500, seed: int = 0) -> tuple[pl.DataFrame, np.ndarray]:
    """Twenty columns of 120 are mixtures of three factors, which decide the label: to be found without it."""
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(n, 3))
    X = rng.normal(size=(n, 120))
    X[:, :20] = 1.5 * factors @ rng.normal(size=(3, 20)) + 0.3 * X[:, :20]
    names = [f"g{j}" if j < 20 else f"c{j}" for j in range(120)]
    frame = pl.DataFrame(X, schema=names).select([names[j] for j in rng.permutation(120)])
    return frame, (factors.sum(axis=1) > 0).astype(int)


def kan() -> Any:
    pytest.importorskip("torch")
    from salience.tabular import KANSelector

    return KANSelector(epochs=6, lr=0.02, cv=2, hidden=8)


SELECTORS = {
    "screening": lambda: MIScreener(k=4),
    "scad": lambda: SparseLinear(loss="logistic", path=10, cv=2),
    "quick": lambda: QuickSelector(k=20, hidden=100, epochs=20, batch_size=20),
    "kan": kan,
}
READS_NO_TARGET = {"quick"}


@cache
def judged(name: str) -> Any:
    data = wide_table() if name in READS_NO_TARGET else table()
    return verify(SELECTORS[name](), data, splits=3, under=(), planted=("permuted target", "label copy"))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", SELECTORS)
@pytest.mark.parametrize("check", ["retention", "deletion"])
def test_a_selector_beats_random_rankings_on_rows_it_has_not_seen(name, check):
    found = {row.subject: row.verdict for row in judged(name) if row.name == check}
    assert found["ranking"] == "holds"
    assert found["random"] == "fails"
    assert found["reversed"] == "fails"
    blind = found["permuted target"]
    assert blind == "not run" if name in READS_NO_TARGET else blind in ("fails", "undecided")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", SELECTORS)
def test_controls_about_the_target_are_left_out_where_no_target_is_read(name):
    verdicts = {row.name: row.verdict for row in judged(name)}
    ran = {verdicts[f"controls: {kind}"] != "not run" for kind in ("permuted target", "label copy")}
    assert ran == {name not in READS_NO_TARGET}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", sorted(set(SELECTORS) - READS_NO_TARGET))
def test_a_selector_that_learned_from_a_permuted_target_fails(name):
    def blinded(frame: pl.DataFrame, label: str) -> Scores:
        order = np.random.default_rng(5).permutation(len(frame))
        return SELECTORS[name]().fit(frame.drop(label), frame[label].gather(order).to_numpy()).scores_

    verdict = verify(blinded, table(), splits=3, under=(), planted=())
    assert verdict.named("retention").verdict in ("fails", "undecided")
    assert verdict.overall != "holds"


# ---- explanations of single rows --------------------------------------------------------------------------


def rolled(found: Attributions, seed: int = 0) -> Attributions:
    """The same values at the wrong columns."""
    rng = np.random.default_rng(seed)
    return Attributions(rng.permuted(np.asarray(found.values), axis=1), found.items)


@pytest.fixture(scope="module")
def forest() -> tuple[Any, np.ndarray, np.ndarray, np.ndarray]:
    frame, y = table(600)
    X = frame.to_numpy()
    return RandomForestClassifier(40, min_samples_leaf=5, random_state=0).fit(X[:400], y[:400]), X, y, X[400:]


def test_dhondt_values_say_what_removing_columns_does_and_shuffled_ones_do_not(forest):
    model, X, _, held = forest

    def score(Z: np.ndarray) -> np.ndarray:
        return np.asarray(model.predict_proba(Z)[:, 1])

    background = X[:25]
    found = DhondtExplainer(score, background).explain(held[:20]).attributions
    bench = instances(score, held[:20], background)
    assert fidelity(found, bench, subsets=16).verdict == "holds"
    assert fidelity(rolled(found), bench, subsets=16).verdict == "fails"


def test_a_ranking_of_mean_dhondt_values_holds_on_other_rows_and_its_reverse_fails(forest):
    model, X, y, held = forest
    explanation = DhondtExplainer(model, X[:25], output="probability").explain(X[100:130])
    names = [f"x{j}" for j in range(COLUMNS)]
    ranking = Scores.from_values(np.abs(explanation.values).mean(axis=0), names)
    frame = pl.DataFrame(held, schema=names)
    bench = hold_columns(_OnFrames(model), frame, y[400:])
    assert verify(ranking, bench).named("retention").verdict == "holds"
    assert verify(ranking.replace(better="low"), bench).named("retention").verdict == "fails"
    seats = Parliament(ranking, seats=100).scores
    assert verify(seats, bench).named("retention").verdict == "holds"


class _OnFrames:
    """A model that was fitted on an array, for frames of the same columns."""

    def __init__(self, model: Any) -> None:
        self.model, self.classes_ = model, model.classes_

    def predict(self, frame: pl.DataFrame) -> np.ndarray:
        return np.asarray(self.model.predict(frame.to_numpy()))

    def predict_proba(self, frame: pl.DataFrame) -> np.ndarray:
        return np.asarray(self.model.predict_proba(frame.to_numpy()))


def test_responsiveness_says_which_changes_turn_the_decision_and_shuffled_scores_do_not():
    rng = np.random.default_rng(0)
    space = ActionSpace([Feature(name, "int", 0, 9) for name in "abcdef"])
    weights = np.array([3, 2, 1, 1, 0, 0])

    def approve(X: np.ndarray) -> np.ndarray:
        return (np.asarray(X) @ weights > 36).astype(int)

    people = rng.integers(0, 10, (400, 6)).astype(float)
    denied = people[approve(people) == 0][:40]
    found = ResponsivenessScorer(space).score(denied, approve)
    # what is taken away from a person here is that a column stays as it is: it moves to any allowed value
    moves = rng.integers(0, 10, (200, 6)).astype(float)
    bench = instances(lambda X: 1.0 - approve(X), denied, moves)
    given = Attributions(found.scores, bench.items)
    own, shuffled = fidelity(given, bench), fidelity(rolled(given), bench)
    assert own.verdict == "holds"
    # moving more columns turns more decisions, so sums of any shares go with it to some degree
    assert shuffled.hi < own.lo
    assert own.reference < own.lo
    assert fidelity(Attributions(-given.values, bench.items), bench).verdict == "fails"


# ---- interactions -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def interacting() -> tuple[np.ndarray, np.ndarray]:
    X = np.random.default_rng(0).normal(size=(1600, 7))
    return X, X[:, 0] * X[:, 1] + X[:, 2] * X[:, 3] + X[:, 4]


def truth(Z: np.ndarray) -> np.ndarray:
    return np.asarray(Z[:, 0] * Z[:, 1] + Z[:, 2] * Z[:, 3] + Z[:, 4])


@pytest.mark.parametrize("method", ["fis", "rashomon"])
def test_pairs_with_large_interaction_scores_are_those_a_model_needs_and_small_ones_are_not(
    method, interacting
):
    X, y = interacting
    half = len(X) // 2
    if method == "fis":
        scores = fis(truth, X[:half], y[:half], shuffles=5)
    else:
        explorer = RashomonExplorer(truth, epsilon=0.1, shuffles=5, drop_unused=False)
        scores = explorer.fit(X[:half], y[:half] + np.random.default_rng(1).normal(size=half)).scores_
    bench = pairs(X[half:], y[half:], among=scores.items)
    assert set(scores.top(2).items) == {("x0", "x1"), ("x2", "x3")}
    assert verify(scores, bench).named("retention").verdict == "holds"
    turned = Scores.from_values(-np.abs(scores.values), scores.items, keys=("a", "b"), item="pair")
    assert verify(turned, bench).named("retention").verdict == "fails"


def test_interactions_of_a_model_that_has_none_do_not_hold(interacting):
    X, y = interacting
    half = len(X) // 2
    model = LogisticRegression().fit(X[:half], y[:half] > 0)
    scores = fis(lambda Z: model.decision_function(Z), X[:half], y[:half], shuffles=5)
    bench = pairs(X[half:], y[half:], among=scores.items)
    assert verify(scores, bench).named("retention").verdict != "holds"
