"""The side of reachml: scores of the same people, space and linear model, and the seconds they take.

Arguments: how many runs, and whether the one-hot columns are tied by a rule ("joint") or left out ("separable").
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
import pandas as pd
from reachml import ActionSet, ResponsivenessScorer
from reachml.constraints import OneHotEncoding
from sklearn.linear_model import LogisticRegression

runs, kind = int(sys.argv[2]), sys.argv[3]
with np.load(sys.argv[1]) as given:
    X, names = given["X"], [str(name) for name in given["names"]]
    coef, intercept, hot = given["coef"], given["intercept"], [str(name) for name in given["hot"]]
    low, high = given["low"], given["high"]

model = LogisticRegression()
model.coef_, model.intercept_, model.classes_ = coef[None], intercept, np.array([0, 1])

# Types and bounds are taken from data: two rows more hold the ends.
actions = ActionSet(pd.DataFrame(np.vstack([X, low, high]), columns=names).astype(int))
if kind == "joint":
    actions.constraints.add(OneHotEncoding(names=hot))

times = []
for _ in range(runs):
    scorer = ResponsivenessScorer(actions)  # a new one remembers nothing
    start = time.perf_counter()
    scores = scorer(X, model)
    times.append(time.perf_counter() - start)
print(json.dumps({"scores": scores.tolist(), "seconds": float(np.median(times))}))
