"""The side of imbalanced-learn: the rows that a selector keeps of each class, and its seconds.

Argument: "cnn", "enn", "hardness" or "nearmiss".
"""

import json
import sys
import time

import numpy as np
from imblearn.under_sampling import (
    CondensedNearestNeighbour,
    EditedNearestNeighbours,
    InstanceHardnessThreshold,
    NearMiss,
)

with np.load(sys.argv[1]) as given:
    X, y = given["X"], given["y"]
made = {
    "cnn": lambda: CondensedNearestNeighbour(sampling_strategy="all", random_state=0),
    "enn": lambda: EditedNearestNeighbours(sampling_strategy="all"),
    "nearmiss": lambda: NearMiss(),
    "hardness": lambda: InstanceHardnessThreshold(sampling_strategy="all", random_state=0),
}
selector = made[sys.argv[2]]()
start = time.perf_counter()
selector.fit_resample(X, y)
seconds = time.perf_counter() - start
print(json.dumps({"rows": selector.sample_indices_.tolist(), "seconds": seconds}))
