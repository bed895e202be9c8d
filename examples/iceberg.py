"""
A perfect search that finds the wrong rows
==========================================

Vectors in a narrow cone: twenty clusters of directions, all moved far along one axis, as embeddings with a strong common
component are. Exact search by inner product has a recall of 1, and is worth nothing to whoever looks for rows of the same
cluster. The audit says which layer loses the task.
"""

import sys

import matplotlib.pyplot as plt

from salience.data.generators import cone_vectors
from salience.vectors import FlatIndex, FunnelAudit, HnswIndex, HnswIpIndex

X, y = cone_vectors(3000, seed=1)

# %%
# Two graphs, each searched with two breadths, and an exact index. Rows of `X` are the queries; none finds itself.
audit = FunnelAudit(
    k=10,
    indexes={
        "hnsw": HnswIndex(M=4, ef_construction=20),
        "hnsw-ip": HnswIpIndex(M=4, ef_construction=20),
        "flat": FlatIndex(metric="ip"),
    },
    sweep={name: {"ef_search": (12, 96)} for name in ("hnsw", "hnsw-ip")},
)
report = audit.fit(X, y).report_
print(report.verdict)

# %%
# The tree that was published for choosing a metric has been asked as well: the verdict says whether it was right.
print(report.recommendation)

# %%
# Who stands in all lists? The hub counts are scores of rows.
print(report.hubs.top(3, metric="ip"))

figure, (left, right) = plt.subplots(1, 2, figsize=(12, 3.9), layout="constrained", width_ratios=(1, 1.45))
report.plot(left)
report.rank_shift.plot(right)

# The picture of the documentation: python examples/iceberg.py docs/_static/iceberg.png
if len(sys.argv) > 1:
    figure.savefig(sys.argv[1], dpi=75, pil_kwargs={"optimize": True})
