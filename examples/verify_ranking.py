"""
Does a ranking hold up?
=======================

``verify`` ranks anew inside each split and judges on the rows left out: does keeping the top keep the performance,
does deleting it hurt, is it stable, is it invariant under what should not matter. Random, reversed and
permuted-target rankings run beside it and have to fail.
"""

import numpy as np
import polars as pl

from salience import verify
from salience.tabular import StreamRanker

rng = np.random.default_rng(0)
columns = {f"f{i}": rng.integers(0, 5, 600) for i in range(8)}
strength = 1.6 * (columns["f5"] > 2) + 1.2 * (columns["f1"] == 0) + 0.8 * (columns["f3"] < 2)
columns["y"] = (strength + rng.logistic(size=600) > 1.5).astype(int)
frame = pl.DataFrame(columns)

verdict = verify.verify(StreamRanker(), (frame, "y"), splits=3, seed=0)
print(verdict)

# %%
# One check on its own: statistic, interval and the threshold that was fixed before the run. With 600 rows some
# intervals straddle their threshold: then the answer is "undecided", not "holds".
print(verdict.named("stability"))
print("overall:", verdict.overall)

# %%
# A ranking is not judged on the rows that made it.
scores = StreamRanker("y").fit(frame).scores_
bench = verify.columns("logistic", frame, "y")
try:
    verify.verify(scores, bench)
except ValueError as error:
    print("refused:", error)
