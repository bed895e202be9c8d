"""Explainable AI through a Democratic Lens: DhondtXAI (arXiv 2411.05196).

The paper's models are CatBoost and XGBoost; here it is the gradient boosting of scikit-learn. Shapley values are computed
here from random orders of the columns, with the same background, so that nothing but scikit-learn is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import GradientBoostingClassifier

from reproductions.carriers import pima
from reproductions.claims import Claim
from salience.measures.apportion import dhondt
from salience.measures.sensitivity import removal_effects
from salience.tabular import DhondtExplainer, Parliament

Floats = NDArray[np.float64]


def cancer(frozen: dict[str, Any]) -> list[Claim]:
    """Breast cancer: local and global seats beside Shapley values."""
    data = load_breast_cancer()
    return _beside_shapley("breast cancer", data.data, 1 - data.target, frozen["cancer"], frozen["seeds"])


def diabetes(frozen: dict[str, Any]) -> list[Claim]:
    """Diabetes of the Pima women, the same."""
    frame = pima()
    X, y = frame.drop("target").to_numpy().astype(np.float64), frame["target"].to_numpy()
    return _beside_shapley("Pima diabetes", X, y, frozen["diabetes"], frozen["seeds"])


def _beside_shapley(
    name: str, X: Floats, y: NDArray[Any], wanted: dict[str, Any], seeds: list[int]
) -> list[Claim]:
    found = np.array([_one_split(X, y, wanted, seed) for seed in seeds]).T
    local, gain, gain_itself, seated, ratio, gap, top, at_random = found
    return [
        Claim.mean(f"{name}: mean |value| against mean |Shapley value|, Spearman", local, least=wanted["local_spearman"]),
        Claim.mean(f"{name}: {wanted['seats']} seats from the gain against mean |Shapley value|, Spearman", gain,
                   least=wanted["gain_spearman"], why=f"the gain itself has {gain_itself.mean():.3f}"),
        Claim.mean(f"{name}: columns with a seat", seated, least=wanted["seated_least"], form=".1f"),
        Claim.mean(f"{name}: mean correction over the size of the explanation", ratio, most=wanted["ratio_most"]),
        Claim.check(f"{name}: values and residuals add up", "to 1e-9", f"to {gap.max():.1g}", bool(gap.max() < 1e-9)),
        Claim.mean(f"{name}: change of the score without the {wanted['deleted']} columns of most seats less that without "
                   f"{wanted['deleted']} random ones", top - at_random, least=0.0),
    ]  # fmt: skip


def _one_split(X: Floats, y: NDArray[Any], wanted: dict[str, Any], seed: int) -> tuple[float, ...]:
    rows, background, model = _model(X, y, wanted, seed)
    found = DhondtExplainer(model, background, output="decision").explain(rows)
    rng = np.random.default_rng([seed, 1])
    shapley = np.abs(_shapley(model.decision_function, rows, background, wanted["permutations"], rng)).mean(
        axis=0
    )
    parliament = Parliament(model, seats=wanted["seats"])
    seats = found.elections["for_seats"] + found.elections["against_seats"]
    k, d = wanted["deleted"], X.shape[1]
    best = np.argsort(-seats, axis=1, kind="stable")[:, :k]
    drawn = np.array([[rng.choice(d, k, replace=False) for _ in rows] for _ in range(wanted["random_draws"])])
    change = [_change(model, rows, background, columns) for columns in (best, *drawn)]
    return (
        float(spearmanr(np.abs(found.values).mean(axis=0), shapley).statistic),
        parliament.consistency(shapley).spearman,
        float(spearmanr(model.feature_importances_, shapley).statistic),
        float((parliament.frame["seats"] > 0).sum()),
        float(found.diagnostics["ratio"].mean()),
        float(found.attributions.gap().max()),
        change[0],
        float(np.mean(change[1:])),
    )


def _model(
    X: Floats, y: NDArray[Any], wanted: dict[str, Any], seed: int
) -> tuple[Floats, Floats, GradientBoostingClassifier]:
    """Rows to explain, background rows from those of the fit, and the model."""
    order = np.random.default_rng(seed).permutation(len(X))
    test, train = order[: wanted["explained"]], order[wanted["explained"] :]
    model = GradientBoostingClassifier(random_state=seed).fit(X[train], y[train])
    return X[test], X[train[: wanted["background"]]], model


def _change(model: Any, rows: Floats, background: Floats, columns: NDArray[np.int64]) -> float:
    """Mean size of the change of the score when each row loses its own set of columns."""
    sets, which = np.unique(np.sort(columns, axis=1), axis=0, return_inverse=True)
    where = which.ravel()[:, None] == np.arange(len(sets))
    effects = removal_effects(model.decision_function, rows, background, sets.tolist(), where=where)
    return float(np.abs(effects[where]).mean())


def _shapley(
    score: Callable[[Floats], Floats],
    rows: Floats,
    background: Floats,
    permutations: int,
    rng: np.random.Generator,
) -> Floats:
    """Shapley values from random orders and their mirrors: columns of the row enter one after the other."""
    d, m = rows.shape[1], len(background)
    values = np.zeros(rows.shape)
    drawn = [rng.permutation(d) for _ in range(permutations // 2)]
    for i, row in enumerate(rows):
        for order in (*drawn, *(order[::-1] for order in drawn)):
            steps = np.repeat(background[None], d + 1, axis=0)  # (d + 1, m, d)
            for place, column in enumerate(order):
                steps[place + 1 :, :, column] = row[column]
            means = score(steps.reshape(-1, d)).reshape(d + 1, m).mean(axis=1)
            values[i, order] += np.diff(means) / (2 * len(drawn))
    return values


def additive(frozen: dict[str, Any]) -> list[Claim]:
    """A linear score: the true order, and values as exact as the house is large."""
    wanted = frozen["additive"]
    right, largest, slopes = [], [], []
    for seed in frozen["seeds"]:
        rng = np.random.default_rng(seed)
        w = rng.normal(size=wanted["columns"])
        Z, X = (rng.normal(size=(wanted[n], len(w))) for n in ("background", "explained"))
        effects = w * (X - Z.mean(axis=0))
        explainer = DhondtExplainer(lambda T, w=w: T @ w, Z)
        values = explainer.explain(X).values
        order = np.argsort(np.abs(effects).mean(axis=0))
        right.append(np.array_equal(np.argsort(np.abs(values).mean(axis=0)), order))
        largest.append(float(np.abs(values - effects).max() / np.abs(effects).max()))
        errors = [
            np.abs(
                explainer.explain(X, seats=1, allocation_seats=s, projection="residual").values - effects
            ).mean()
            for s in wanted["houses"]
        ]
        slopes.append(float(np.polyfit(np.log(wanted["houses"]), np.log(errors), 1)[0]))
    low, high = wanted["slope"]
    return [
        Claim.check("additive: the true order of the columns", "in every seed", f"in {np.mean(right):.0%}", all(right)),
        Claim.mean("additive: largest error of a value, as a share of the largest effect", largest,
                   most=wanted["value_error"], form=".5f"),
        Claim.mean("additive: slope of log error against log seats, 20 to 20,000", slopes, least=low, most=high, form=".2f"),
    ]  # fmt: skip


def product(frozen: dict[str, Any]) -> list[Claim]:
    """A product of two columns: single removals do not add up, the alliance does."""
    wanted = frozen["product"]
    alone, allied = [], []
    for seed in frozen["seeds"]:
        rng = np.random.default_rng(seed)
        Z, X = (rng.normal(size=(wanted[n], wanted["columns"])) for n in ("background", "explained"))
        explainer = DhondtExplainer(lambda T: T[:, 0] * T[:, 1], Z)
        alone.append(float(explainer.explain(X).diagnostics["ratio"].mean()))
        allied.append(float(explainer.explain(X, alliances=[["x0", "x1"]]).diagnostics["ratio"].mean()))
    return [
        Claim.mean("product: correction without an alliance", alone, least=wanted["alone_least"]),
        Claim.mean("product: correction with the alliance", allied, most=wanted["allied_most"], form=".5f"),
    ]


def control(frozen: dict[str, Any]) -> list[Claim]:
    """What must come to nothing."""
    wanted = frozen["control"]
    data = load_breast_cancer()
    shares, elected, same = [], [], []
    for seed in frozen["seeds"]:
        rng = np.random.default_rng([seed, 2])
        sizes = []
        for y in (data.target, rng.permutation(data.target)):
            rows, background, model = _model(data.data, y, wanted, seed)
            explainer = DhondtExplainer(model, background, output="decision")
            sizes.append(float(np.abs(explainer.explain(rows).values).sum(axis=1).mean()))
        shares.append(sizes[1] / sizes[0])
        last = explainer.explain(rows, threshold=0.99)
        elected.append(bool((last.elections["eligible"].sum(axis=1) == 1).all()))
        gain = model.feature_importances_
        houses = [Parliament(gain, num_votes=votes).frame["seats"].to_list() for votes in (1.0, 1e8)]
        same.append(houses[0] == houses[1])
    votes = np.array([4.0, 2.0, 2.0, 4.0, 1.0])
    order = np.array([3, 1, 4, 0, 2])
    plain, moved = (
        np.mean([dhondt(v, 4, tie="random", random_state=s) for s in range(wanted["orders"])], axis=0)
        for v in (votes, votes[order])
    )
    off = float(np.abs(plain[order] - moved).max())
    return [
        Claim.mean("size of the values of a model of shuffled labels, as a share of the real one", shares,
                   most=wanted["shuffled_most"], control=True),
        Claim.check("a threshold above every share elects exactly one", "in every seed", f"in {np.mean(elected):.0%}",
                    all(elected), control=True),
        Claim.check("seats do not depend on the number of votes", "in every seed", f"in {np.mean(same):.0%}", all(same),
                    control=True),
        Claim.check("another order of the columns changes no expected seats", f"by {wanted['tie_error']} at most",
                    f"by {off:.3f} at most", off <= wanted["tie_error"], control=True),
    ]  # fmt: skip


PARTS: dict[str, Callable[[dict[str, Any]], list[Claim]]] = {
    "cancer": cancer,
    "diabetes": diabetes,
    "additive": additive,
    "product": product,
    "control": control,
}
