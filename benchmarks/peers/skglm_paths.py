"""skglm: a path of SCAD, MCP or L1 by working sets and Anderson acceleration. Arguments: penalty, tolerance, runs."""

import json
import sys
import time

import numpy as np
from skglm.datafits import Quadratic
from skglm.penalties import L1, SCAD, MCPenalty
from skglm.solvers import AndersonCD
from skglm.utils.jit_compilation import compiled_clone

with np.load(sys.argv[1]) as given:
    X, y, lambdas = np.asfortranarray(given["X"]), given["y"], given["lambdas"]
penalty = {"l1": lambda: L1(1.0), "mcp": lambda: MCPenalty(1.0, 2.0), "scad": lambda: SCAD(1.0, 3.7)}[
    sys.argv[2]
]()
tol, runs = float(sys.argv[3]), int(sys.argv[4])


def path():
    solver = AndersonCD(tol=tol, fit_intercept=False, max_iter=200)
    return solver.path(X, y, compiled_clone(Quadratic()), compiled_clone(penalty), alphas=lambdas)[1:]


path()
times = []
for _ in range(runs):
    start = time.perf_counter()
    coef, gaps = path()
    times.append(time.perf_counter() - start)
print(
    json.dumps(
        {"coef": coef.T.tolist(), "gap": float(np.max(gaps)), "seconds": sorted(times)[len(times) // 2]}
    )
)
