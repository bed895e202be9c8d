"""scikit-dimension 0.5.0: pointwise maximum likelihood dimension of the rows of an .npz file. Arguments: k, runs, jobs."""

import json
import sys
import time

import numpy as np
import skdim

with np.load(sys.argv[1]) as given:
    X = given["X"]
k, runs, jobs = (int(text) for text in sys.argv[2:5])
seconds = []
for _ in range(runs):
    start = time.perf_counter()
    values = skdim.id.MLE().fit_transform_pw(X, n_neighbors=k, n_jobs=jobs)
    seconds.append(time.perf_counter() - start)
print(json.dumps({"values": np.asarray(values).tolist(), "seconds": sorted(seconds)[len(seconds) // 2]}))
