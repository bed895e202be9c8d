"""fastHDMI 1.25.26 on the array of an .npz file: mutual information of each column with y, its own processes."""

import json
import sys
import time

import numpy as np
from fastHDMI import continuous_screening_array_parallel

with np.load(sys.argv[1]) as given:
    X, y = given["X"], given["y"]
runs, processes, points = (int(text) for text in sys.argv[2:5])
seconds = []
for _ in range(runs):
    start = time.perf_counter()
    values = continuous_screening_array_parallel(X, y, a_N=points, b_N=points, core_num=processes, verbose=0)
    seconds.append(time.perf_counter() - start)
print(json.dumps({"values": np.asarray(values).tolist(), "seconds": sorted(seconds)[len(seconds) // 2]}))
