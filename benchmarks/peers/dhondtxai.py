"""The side of dhondtxai: explain rows of a model, with the whole background, which every row then shares.

Arguments: which model, how many runs. A script of this name must not import itself: see `run_peer`.
"""

import json
import sys
import time

import numpy as np
import pandas as pd
from sklearn.ensemble import GradientBoostingClassifier

from dhondtxai import DhondtXAI

with np.load(sys.argv[1]) as given:
    X, background, train, y, W, v = (given[name] for name in ("X", "background", "train", "y", "W", "v"))
names = [f"x{j}" for j in range(X.shape[1])]
rows, ordinary = pd.DataFrame(X, columns=names), pd.DataFrame(background, columns=names)


def network(table):
    return np.tanh(np.asarray(table) @ W) @ v


if sys.argv[2] == "network":
    explainer = DhondtXAI(score_fn=network, background_data=ordinary)
else:
    model = GradientBoostingClassifier(random_state=0).fit(pd.DataFrame(train, columns=names), y)
    explainer = DhondtXAI(model, ordinary, output_type="decision", target=1)

settings = {"alliance_mode": sys.argv[3], "rho": 0.1, "reuse_background_sample": True}
times = []
for _ in range(int(sys.argv[4])):
    start = time.perf_counter()
    found = explainer.values(rows, **settings)
    times.append(time.perf_counter() - start)
keys = [*names, "__projection_residual__"]
values = [[one.feature_attributions.get(key, 0.0) for key in keys] for one in found.explanations]
print(json.dumps({"values": values, "seconds": sorted(times)[len(times) // 2]}))
