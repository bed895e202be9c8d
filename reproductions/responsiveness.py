"""Feature responsiveness scores: model-agnostic explanations for recourse (arXiv 2410.22598, ICLR 2025).

Attributions of linear models are SHAP in closed form, coef * (x - mean); those of forests come from the package shap where it
is installed, and else are the effects of setting a column to its mean. HELOC and GiveMeCredit, the paper's other two sets, may
not be passed on; Taiwan credit takes their place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from reproductions.claims import Claim
from salience.data.datasets import LABELS, load
from salience.tabular import ActionSpace, Feature, ResponsivenessScorer
from salience.tabular.responsiveness.responses import Audit
from salience.tabular.responsiveness.rules import IfThen, Link, Thermometer

Floats = NDArray[np.float64]


class Case(NamedTuple):
    """A data set coded for recourse, and what people can change, from simple to complex."""

    frame: pl.DataFrame
    label: NDArray[np.int64]
    spaces: dict[str, ActionSpace]


# ------------------------------------------------------------------------------------------------- the data
def german_case(frozen: dict[str, Any]) -> Case:
    """German credit in the paper's manner: levels as thermometers, age, history and the loan not actionable."""
    raw = load("german_credit")
    any_of = pl.max_horizontal
    frame = raw.select(
        pl.col("age"),
        any_of("male_divorced", "male_single", "male_married").alias("male"),
        pl.col("is_foreign_worker").alias("foreign_worker"),
        pl.col("liable_persons"),
        pl.col("housing_is_owner").alias("house_owner"),
        pl.col("job_is_management").alias("management"),
        pl.col("credit_amt").alias("amount"),
        pl.col("duration"),
        pl.col("installment_rate").alias("rate"),
        pl.col("credit_history_delay_in_paying_credits").alias("late_payments"),
        pl.col("credit_history_critical_credit_history").alias("critical_history"),
        pl.col("residence_since").alias("residence"),
        pl.col("guarantor"),
        (1 - pl.col("has_none_installments")).alias("other_installments"),
        (1 - pl.col("no_checking_acct")).alias("checking_exists"),
        any_of("checking_acct_bt_0_200", "checking_acct_ge_200").alias("checking_positive"),
        (1 - pl.col("no_savings_acct")).alias("savings_exist"),
        any_of("savings_acct_bt_100_499", "savings_acct_bt_500_999", "savings_acct_ge_1000").alias(
            "savings_100"
        ),
        any_of("employed_bt_1_4_yr", "employed_bt_4_7_yr", "employed_geq_7_yr").alias("employed_1_year"),
    ).cast(pl.Float64)
    able = [
        "residence", "guarantor", "other_installments", "checking_exists", "checking_positive", "savings_exist",
        "savings_100", "employed_1_year",
    ]  # fmt: skip
    up = [
        "residence",
        "guarantor",
        "checking_exists",
        "checking_positive",
        "savings_exist",
        "savings_100",
        "employed_1_year",
    ]

    def simple() -> ActionSpace:
        space = ActionSpace.from_data(frame)
        space.set([name for name in frame.columns if name not in able], actionable=False)
        space["residence"].set(lb=0, ub=7, step=(-7, 2))
        return space

    directed = simple().set(up, direction=+1)
    joint = simple().set(up, direction=+1).add(
        Link("residence", ["age"]),
        Link("employed_1_year", ["age"]),
        Thermometer(["checking_exists", "checking_positive"], +1),
        Thermometer(["savings_exist", "savings_100"], +1),
    )  # fmt: skip
    spaces = {"simple 1-D": simple(), "complex 1-D": directed, "complex n-D": joint}
    return Case(frame, raw[LABELS["german_credit"]].to_numpy().astype(np.int64), spaces)


def taiwan_case(frozen: dict[str, Any]) -> Case:
    """Taiwan credit cards: age, marriage and the record of overdue payments not actionable."""
    raw = load("taiwan_credit").sample(frozen["audit"]["rows"], seed=0, shuffle=True)
    frame = raw.drop(LABELS["taiwan_credit"]).cast(pl.Float64)
    months = [f"MonthsWith{kind}OverLast6Months" for kind in ("ZeroBalance", "LowSpending", "HighSpending")]
    amounts = [
        "MaxBillAmountOverLast6Months", "MaxPaymentAmountOverLast6Months", "MostRecentBillAmount",
        "MostRecentPaymentAmount",
    ]  # fmt: skip
    able = [*months, *amounts, "EducationLevel"]

    def simple() -> ActionSpace:
        space = ActionSpace.from_data(frame).set(months, lb=0, ub=6)
        return space.set([name for name in frame.columns if name not in able], actionable=False)

    directed = simple().set(months, step=(-3, 3)).set("EducationLevel", direction=+1)
    # Amounts that may not move leave everything listed, so a fixed prediction can be certain.
    listed = (
        simple().set(months, step=(-3, 3)).set("EducationLevel", direction=+1).set(amounts, actionable=False)
    )
    listed.add(IfThen(f"{months[0]} == 6", f"{months[2]} == 0"))
    fits = np.setdiff1d(np.arange(len(frame)), listed.check(frame)["row"].to_numpy())
    spaces = {"simple 1-D": simple(), "complex 1-D": directed, "complex n-D": listed}
    return Case(frame[fits], raw[LABELS["taiwan_credit"]].to_numpy().astype(np.int64)[fits], spaces)


# ------------------------------------------------------------------------------------------------ the audit
def german(frozen: dict[str, Any]) -> list[Claim]:
    """Reasons of attributions against reasons of responsiveness on German credit."""
    return _audited("German credit", german_case(frozen), frozen)


def taiwan(frozen: dict[str, Any]) -> list[Claim]:
    """The same on Taiwan credit cards."""
    return _audited("Taiwan credit", taiwan_case(frozen), frozen)


def _audited(name: str, case: Case, frozen: dict[str, Any]) -> list[Claim]:
    wanted = frozen["audit"]
    claims, constant = [], []
    for kind, fit in MODELS.items():
        found: dict[tuple[str, str], list[Audit]] = {}
        missing = ""
        for seed in frozen["seeds"]:
            split = train_test_split(
                case.frame.to_numpy(), case.label, test_size=wanted["test"], random_state=seed
            )
            train, test, y, _ = split
            model, explain = fit(train, y, wanted, seed)
            people = test[np.flatnonzero(model.predict(test) != 1)[: wanted["denied"]]]
            frame = pl.DataFrame(people, schema=case.frame.columns)
            rankings = dict(explain(people))
            missing = rankings.pop("missing", missing)  # type: ignore[arg-type]
            for which, space in case.spaces.items():
                scorer = ResponsivenessScorer(
                    space, n_samples=wanted["samples"], max_points=wanted["max_points"], random_state=seed
                )
                predict = _Plain(model)
                judged = {
                    **rankings,
                    **{
                        f"{how}, actionable only": np.where(space.actionable, v, 0.0)
                        for how, v in rankings.items()
                    },
                    "responsiveness": scorer.score(frame, predict),
                }
                for how, audit in scorer.audits(judged, frame, predict, k=wanted["reasons"]).items():
                    found.setdefault((which, how), []).append(audit)
                constant.append(float(scorer.score(frame, lambda X: np.zeros(len(X))).scores.max()))
        claims += _claims(f"{name}, {kind}", found, wanted)
        if missing:
            claims.append(Claim(f"{name}, {kind}: SHAP", "", missing, "did not run"))
    said = "largest score under a model that always says no"
    return [
        *claims,
        Claim.check(f"{name}: {said}", "0", f"{max(constant):g}", max(constant) == 0, control=True),
    ]


def _claims(title: str, found: dict[tuple[str, str], list[Audit]], wanted: dict[str, Any]) -> Iterator[Claim]:
    told = [audit.with_reasons / audit.denied for (_, how), audits in found.items() if how == "responsiveness"
            for audit in audits]  # fmt: skip
    for (which, how), audits in found.items():
        if how == "responsiveness":
            continue
        unresponsive = [audit.some_unresponsive for audit in audits]
        least = wanted["restricted_least" if "actionable" in how else "unresponsive_least"]
        head = f"{title}, {which}, {how}: share of"
        claim = Claim.mean(f"{head} people with a reason that cannot help", unresponsive, least=least)
        useless = np.mean([audit.all_unresponsive for audit in audits])
        yield replace(claim, measured=f"{claim.measured}; {useless:.0%} have no other")
        without = [audit.reasons_without_recourse for audit in audits if audit.fixed]
        if len(without) > 1 and "actionable" not in how:
            people = sum(audit.fixed for audit in audits)
            yield Claim.mean(f"{head} people with a fixed prediction who get reasons ({people} people)", without,
                             least=wanted["fixed_least"])  # fmt: skip
    wrong = [audit.some_unresponsive for (_, how), audits in found.items() if how == "responsiveness"
             for audit in audits if audit.with_reasons]  # fmt: skip
    yield Claim.check(f"{title}, all three action sets, responsiveness: people with a reason that cannot help", "0 %",
                      f"{max(wrong):.0%}; reasons are given to {min(told):.0%} to {max(told):.0%} of the denied",
                      max(wrong) == 0)  # fmt: skip


class _Plain:
    """A model that was fitted on arrays, asked with tables."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.classes_ = model.classes_

    def predict(self, X: pl.DataFrame) -> NDArray[Any]:
        return np.asarray(self._model.predict(X.to_numpy()))

    def predict_proba(self, X: pl.DataFrame) -> NDArray[Any]:
        return np.asarray(self._model.predict_proba(X.to_numpy()))


def _logistic(X: Floats, y: NDArray[np.int64], wanted: dict[str, Any], seed: int) -> tuple[Any, Any]:
    scale = StandardScaler().fit(X)
    model = make_pipeline(scale, LogisticRegression(max_iter=2000, class_weight="balanced")).fit(X, y)
    coef = model[-1].coef_[0]
    return model, lambda people: [("SHAP", coef * scale.transform(people))]


def _forest(X: Floats, y: NDArray[np.int64], wanted: dict[str, Any], seed: int) -> tuple[Any, Any]:
    model = RandomForestClassifier(
        wanted["trees"], min_samples_leaf=wanted["leaf"], class_weight="balanced", random_state=seed
    ).fit(X, y)

    def explain(people: Floats) -> Iterator[tuple[str, Any]]:
        try:
            import shap
        except ModuleNotFoundError:
            yield (
                "missing",
                "the package shap is not installed (pip install shap==0.51.0): effects of removal in its place",
            )
            yield "removal", _removal(model, people, X.mean(axis=0))
            return
        rng = np.random.default_rng(seed)
        background = X[rng.choice(len(X), wanted["background"], replace=False)]
        values = np.asarray(shap.TreeExplainer(model, background).shap_values(people, check_additivity=False))
        yield "SHAP", values[:, :, 1] if values.ndim == 3 else values

    return model, explain


MODELS: dict[str, Callable[..., tuple[Any, Any]]] = {
    "logistic regression": _logistic,
    "random forest": _forest,
}


def _removal(model: Any, people: Floats, mean: Floats) -> Floats:
    """How the probability changes when a column is set to its mean."""
    now = model.predict_proba(people)[:, 1]
    effects = np.empty(people.shape)
    for j in range(people.shape[1]):
        without = people.copy()
        without[:, j] = mean[j]
        effects[:, j] = now - model.predict_proba(without)[:, 1]
    return effects


# ---------------------------------------------------------------------------------------------- the planted
def planted(frozen: dict[str, Any]) -> list[Claim]:
    """A column nobody can change dominates; who is fixed is known."""
    wanted = frozen["planted"]
    weights = np.array(wanted["weights"])
    grid = np.arange(-8, 8 + wanted["step"], wanted["step"])
    first, first_of_all, agree, immutable, pair = [], [], [], [], []
    for seed in frozen["seeds"]:
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(wanted["rows"], 3))
        X[:, 1] = np.round(X[:, 1] / wanted["step"]) * wanted["step"]
        features = [
            Feature("immutable", actionable=False),
            Feature("z1", grid=grid, lb=-8, ub=8, step=(-1, 1)),
            Feature("z2", actionable=False),
        ]
        scorer = ResponsivenessScorer(ActionSpace(features), threshold=0.5)

        def model(Z: Floats) -> Floats:
            return np.asarray(1 / (1 + np.exp(-Z @ weights)))

        shap = np.abs(weights * (X - X.mean(axis=0)))
        first.append(float(np.mean(shap.argmax(axis=1) == 0)))
        first_of_all.append(int(shap.mean(axis=0).argmax()) == 0)
        denied = X[X @ weights < 0]
        bound = -weights[1] * (denied[:, 1] + 1) - weights[2] * denied[:, 2]
        status = scorer.is_fixed(denied, model).status
        agree.append(float(np.mean((status == "fixed") == (weights[0] * denied[:, 0] < bound))))
        immutable.append(float(scorer.score(X, model).scores[:, [0, 2]].max()))
        pair.append(float(np.mean(status == "unknown")))
    return [
        Claim.mean("planted: share of rows in which the immutable column is first by SHAP", first,
                   least=wanted["first_least"],
                   why="for normal columns it is 0.83 by calculation: P(|3a| > |.8b|) alone is 1 - 2 atan(.8/3) / pi"),
        Claim.check("planted: the immutable column is first by mean |SHAP|", "in every seed", f"in {np.mean(first_of_all):.0%}",
                    all(first_of_all)),
        Claim.check("planted: largest responsiveness of what cannot be changed", "0", f"{max(immutable):g}", max(immutable) == 0),
        Claim.check("planted: fixed are all those below the analytic bound, and nobody else", "100 % of the denied",
                    f"{min(agree):.2%} (undecided: {max(pair):.0%})", min(agree) == 1.0),
    ]  # fmt: skip


PARTS: dict[str, Callable[[dict[str, Any]], list[Claim]]] = {
    "german": german,
    "taiwan": taiwan,
    "planted": planted,
}
