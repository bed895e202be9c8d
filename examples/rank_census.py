"""
Rank the columns of the adult census
====================================

Which columns tell whether a person earned more than 50,000 dollars in 1994? A row id and a random column of
20,000 values are put beside the real ones. Plain mutual information would put both near the top.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np
import polars as pl

from salience.data.datasets import load
from salience.tabular import StreamRanker

rng = np.random.default_rng(0)
census = load("adult")
census = census.with_columns(
    row_id=pl.format("row {}", pl.int_range(pl.len())),
    random_20000=pl.format("user {}", pl.Series(rng.integers(0, 20_000, len(census)))),
)

# %%
# ``value`` is the mutual information above the noise level of the column, in nats; ``mi`` is the plain one and
# ``null`` the noise level that was taken off.
ranker = StreamRanker("income", controls=True).fit(census)
scores = ranker.scores_
with pl.Config(tbl_rows=-1, float_precision=4):
    print(scores.frame.select("column", "value", "mi", "null", "card", "verdict"))

# %%
# The noise level grows with the number of distinct values. Only what stands above it counts.
figure, axes = plt.subplots(figsize=(7.5, 4.2), layout="constrained")
scores.plot("cardinality", ax=axes)
# The picture of the documentation: python examples/rank_census.py docs/_static/census.png
if len(sys.argv) > 1:
    figure.savefig(sys.argv[1], dpi=90)

# %%
# What beats the noise, as names for the next step.
selected = scores.frame.filter((pl.col("verdict") == "signal") & (pl.col("kind") != "control"))
print("keep:", ", ".join(selected["column"]))
