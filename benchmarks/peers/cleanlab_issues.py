"""cleanlab 2.9.0 on the arrays of an .npz file: quality of every label from probabilities, and which it finds wrong.

The probabilities are made here as its tutorials do: cross-validated, by scikit-learn's logistic regression or by a
perceptron of two hidden layers, the model that is compared with.
"""

import json
import sys
import time
import warnings

import numpy as np
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.neural_network import MLPClassifier

warnings.simplefilter("ignore")
with np.load(sys.argv[1]) as given:
    X, y = given["X"], given["y"]
models = {
    "logistic": LogisticRegression(max_iter=400),
    "perceptron": MLPClassifier((256, 64), batch_size=50, max_iter=30, random_state=0),
}
found = {}
for name, model in models.items():
    start = time.perf_counter()
    probabilities = cross_val_predict(model, X, y, cv=5, method="predict_proba")
    predicted = time.perf_counter()
    issues = find_label_issues(y, probabilities, return_indices_ranked_by="self_confidence", n_jobs=1)
    done = time.perf_counter()
    found[name] = {
        "quality": get_label_quality_scores(y, probabilities).tolist(),
        "issues": np.asarray(issues).tolist(),
        "seconds": done - start,
        "seconds_issues": done - predicted,
    }
print(json.dumps(found))
