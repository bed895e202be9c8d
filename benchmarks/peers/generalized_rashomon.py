"""The side of generalized-rashomon-set: the whole pipeline of one model, and its search for masks alone.

Arguments: which model, epsilon_rate, delta, shuffles, runs.
"""

import json
import sys
import time

import numpy as np
from generalized_rashomon_set import RashomonExplainer
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor

MODELS = {
    "LogisticRegression": LogisticRegression(),
    "MLPRegressor": MLPRegressor(hidden_layer_sizes=(64, 64), max_iter=200, random_state=0),
    "MLPClassifier": MLPClassifier(hidden_layer_sizes=(32,), max_iter=60, random_state=0),
    "GradientBoostingRegressor": GradientBoostingRegressor(random_state=0),
}

with np.load(sys.argv[1]) as given:
    train, y_train, X, y = (given[name] for name in ("train", "y_train", "X", "y"))
name, epsilon_rate, delta, shuffles, runs = (
    sys.argv[2],
    float(sys.argv[3]),
    float(sys.argv[4]),
    int(sys.argv[5]),
    int(sys.argv[6]),
)
model = MODELS[name].fit(train, y_train)
whole, search = [], []
for _ in range(runs):
    explainer = RashomonExplainer(model, X, y, epsilon_rate=epsilon_rate, delta=delta, shuffle_times=shuffles)
    start = time.perf_counter()
    explainer.fit()
    whole.append(time.perf_counter() - start)
    reference = explainer.reference_
    start = time.perf_counter()
    explainer.sample_rashomon_set()  # forgets the interactions
    search.append(time.perf_counter() - start)
samples = explainer.samples_
print(
    json.dumps(
        {
            "seconds": sorted(whole)[len(whole) // 2],
            "search": sorted(search)[len(search) // 2],
            "masks": samples.masks[samples.features].tolist(),  # (features, budgets, directions)
            "features": [int(f) for f in samples.features],
            "reference": reference.fis.tolist(),
        }
    )
)
