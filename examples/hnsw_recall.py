"""
What dimension and order do to an index
=======================================

An HNSW graph finds less among vectors of many intrinsic dimensions, and the same vectors inserted in another order are
another graph. The audit measures both on the vectors that one has.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np

from salience.data.generators import clustered_vectors, subspace_vectors
from salience.vectors import HNSW_PRESETS, HnswRecallAudit

# %%
# Vectors of 128 numbers that lie in subspaces of 4 to 128 dimensions; the recall of one graph of each, at two
# breadths of the search.
ranks = (4, 8, 16, 32, 64, 128)
recalls = {10: [], 40: []}
for rank in ranks:
    X = subspace_vectors(3200, 128, rank)
    lid = np.ones(3000)  # not needed for random orders
    for ef_search, found in recalls.items():
        settings = {**HNSW_PRESETS["paper"], "ef_search": ef_search}
        audit = HnswRecallAudit(**settings, orders=("random",), seeds=1, reach_rows=0, backend="faiss")
        found.append(audit.fit(X[:3000], queries=X[3000:], lid=lid).table_["recall"][0])
print(f"recall at rank 4 and 128: {recalls[40][0]:.2f} and {recalls[40][-1]:.2f}")

# %%
# Thirty clusters that lie far apart. Sorted by cluster or by dimension, whole clusters are stranded.
X, groups = clustered_vectors(3300, 64, 30, separation=4.0)
audit = HnswRecallAudit(
    6, 40, 20, orders=("random", "lid_desc", "lid_asc", "category"), reach_rows=0, backend="faiss"
)
audit.fit(X[:3000], queries=X[3000:], groups=groups[:3000])
print(audit.table_.select("order", "recall", "lo", "hi", "verdict"))
print(f"best order: {audit.table_['order'][0]}; the worst costs {audit.spread_:.0%} of recall")

figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.4), layout="constrained")
for (ef_search, found), colour in zip(recalls.items(), ("#E69F00", "#0072B2"), strict=True):
    left.plot(ranks, found, color=colour, lw=2, marker="o", ms=4.5)
    left.annotate(
        f"ef_search {ef_search}",
        (ranks[3], found[3]),
        xytext=(6, 5),
        textcoords="offset points",
        color=colour,
    )
left.set_xscale("log", base=2)
left.set_xticks(ranks, [str(rank) for rank in ranks])
left.set(
    xlabel="intrinsic dimension of 3,000 vectors of 128 numbers",
    ylabel="recall of the 10 nearest",
    ylim=(0, 1.03),
)
left.set_title("dimension", loc="left", fontsize="medium")
left.spines[["top", "right"]].set_visible(False)
audit.plot("orders", ax=right)

# The picture of the documentation: python examples/hnsw_recall.py docs/_static/hnsw-recall.png
if len(sys.argv) > 1:
    figure.savefig(sys.argv[1], dpi=75, pil_kwargs={"optimize": True})
