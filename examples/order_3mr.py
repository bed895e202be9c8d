"""
Order columns by what they add
==============================

``education`` and ``education-num`` are the same fact under two names. A plain ranking keeps them side by side. The
3MR order (max relevance, min redundancy, max relation) asks at each step what a column adds to those before it.
"""

import matplotlib.pyplot as plt
import polars as pl

from salience.data.datasets import load
from salience.tabular import StreamRanker

ranker = StreamRanker("income", order=2, scope="all").fit(load("adult"))
print("by relevance:", ", ".join(ranker.ranking_[:8]))
print("by 3MR:      ", ", ".join(ranker.order_3mr_.frame["column"].head(8)))

# %%
# The three terms at the moment a column was chosen, each scaled to [0, 1].
with pl.Config(tbl_rows=-1, float_precision=3):
    print(ranker.order_3mr_.frame)

# %%
# What the columns know about each other.
figure, axes = plt.subplots(figsize=(6.5, 5.5), layout="constrained")
ranker.redundancy_.plot("redundancy", ax=axes)
