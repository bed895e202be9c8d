"""
What could this person change?
==============================

A credit model turns somebody down. The columns that moved it most are of no use to them when they cannot be changed, or when
no change is enough. The score of a column here is the share of the allowed changes of it that turn the decision.
"""

import sys

import numpy as np
import polars as pl
from matplotlib import pyplot as plt
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from salience.data.datasets import load
from salience.tabular import ActionSpace, ResponsivenessScorer
from salience.tabular.responsiveness.rules import Link, Thermometer

raw = load("german_credit")
good = raw["is_credit_risk_good"].to_numpy()
people = raw.select(
    "age",
    pl.col("credit_history_critical_credit_history").alias("critical history"),
    pl.col("credit_amt").alias("amount"),
    "duration",
    pl.col("residence_since").alias("years at address"),
    "guarantor",
    (1 - pl.col("no_checking_acct")).alias("checking account"),
    pl.max_horizontal("checking_acct_bt_0_200", "checking_acct_ge_200").alias("checking > 0"),
    (1 - pl.col("no_savings_acct")).alias("savings account"),
    pl.max_horizontal("savings_acct_bt_100_499", "savings_acct_bt_500_999", "savings_acct_ge_1000").alias(
        "savings > 100"
    ),
).cast(pl.Float64)
model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced")).fit(
    people.to_pandas(), good
)

# %%
# What can be changed is knowledge about the world: data only suggests kinds and bounds. Years at the address bring
# age with them, and a checking account comes before money on it.
space = ActionSpace.from_data(people)
space.set(["age", "critical history"], actionable=False)
space["amount"].set(step=(-3000, 0))
space["duration"].set(step=(-12, 12))
space["years at address"].set(ub=7, step=(0, 2))
space.set(["guarantor", "checking account", "savings account"], direction=+1)
space.add(
    Link("years at address", ["age"]),
    Thermometer(["checking account", "checking > 0"], +1),
    Thermometer(["savings account", "savings > 100"], +1),
)
print(space)

# %%
scorer = ResponsivenessScorer(space, random_state=0)


def decide(table):
    return model.predict(table.to_pandas())


result = scorer.score(people, decide)
denied = np.flatnonzero(~result.approved)
print(f"denied: {len(denied)}; no single change helps {result.fixed_1d[denied].sum()} of them")

# %%
# One of them, and all of them.
several = denied[(result.responsive[denied].sum(axis=1) >= 4) & (result.n_points[denied, -1] > 0)]
person = several[np.argmin(np.abs(result.scores[several].max(axis=1) - 0.6))]
reasons = scorer.explain(people[int(person)], decide)
print(reasons)
figure = plt.figure(figsize=(8, 7.2), layout="constrained")
above, below = (part.subplots() for part in figure.subfigures(2, 1, height_ratios=(5, 6)))
reasons.plot(ax=above)
result.plot(ax=below)
# The picture of the documentation: python examples/responsiveness.py docs/_static/responsiveness.png
if len(sys.argv) > 1:
    figure.savefig(sys.argv[1], dpi=90)
    Image.open(sys.argv[1]).quantize(64).save(sys.argv[1], optimize=True)

# %%
# Would the four columns that pulled them down most have been good reasons?
pull = model[-1].coef_[0] * model[0].transform(people.to_pandas())
audit = scorer.audit(pull, people, decide, by="low")
print(f"given a reason that cannot help: {audit.some_unresponsive:.0%} of the denied")
print(f"given only such reasons: {audit.all_unresponsive:.0%}")
