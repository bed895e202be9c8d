"""nonconvexAG 1.1.6: one SCAD or MCP fit by accelerated gradient from zero. Arguments: penalty, lambda, tolerance, runs."""

import json
import sys
import time

import numpy as np
from nonconvexAG import UAG_LM_SCAD_MCP

with np.load(sys.argv[1]) as given:
    X, y = np.ascontiguousarray(given["X"]), given["y"]
penalty, lam, tol, runs = sys.argv[2].upper(), float(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5])


def fit():
    # 1.1 means "find the Lipschitz constant"; the intercept is a column of its own
    return UAG_LM_SCAD_MCP(
        np.column_stack([np.ones(len(X)), X]), y, beta_0=np.append(0.0, np.zeros(X.shape[1])), tol=tol,
        maxit=500, _lambda=lam, penalty=penalty, add_intercept_column=False,
    )  # fmt: skip


fit()
times = []
for _ in range(runs):
    start = time.perf_counter()
    iterations, coef = fit()[:2]
    times.append(time.perf_counter() - start)
print(json.dumps({
    "coef": coef[1:].tolist(), "iterations": int(iterations), "seconds": sorted(times)[len(times) // 2],
}))  # fmt: skip
