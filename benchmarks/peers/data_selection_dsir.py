"""data-selection 1.0.3 on JSON Lines: fit, weights and resampling, in one process; prints seconds, weights and counts.

The package keeps its weights in a folder and draws with the global generator of NumPy.

::

    python data_selection_dsir.py PAYLOAD.npz RAW.jsonl TARGET.jsonl N_SELECT FOLDER
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
from data_selection import HashedNgramDSIR

_, raw, target, n_select, folder = sys.argv[1:]
start = time.perf_counter()
dsir = HashedNgramDSIR([raw], [target], cache_dir=f"{folder}/cache", num_proc=1, min_example_length=1)
dsir.fit_importance_estimator(num_tokens_to_fit="all")
dsir.compute_importance_weights()
dsir.resample(
    out_dir=f"{folder}/out", num_to_sample=int(n_select), cache_dir=f"{folder}/resampled", top_k=True
)
took = time.perf_counter() - start
weights = np.concatenate(
    [np.load(path) for path in sorted(Path(f"{folder}/cache/log_importance_weights").glob("*.npy"))]
)
np.save(f"{folder}/weights.npy", weights)
kept = [
    json.loads(line)["id"] for path in sorted(Path(f"{folder}/out").rglob("*.jsonl")) for line in path.open()
]
print(json.dumps({"seconds": took, "kept": kept}))
