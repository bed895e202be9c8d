"""
See how a column acts, not only how much
========================================

A Kolmogorov-Arnold network learns a function of one number on each of its edges. So it gives a ranking of the columns, and
for each column the curve by which it acts. Friedman's function has five columns that matter and, here, five of noise:
``10 sin(pi x0 x1) + 20 (x2 - 0.5)**2 + 10 x3 + 5 x4``, and noise of variance 1.
"""

import sys

import matplotlib.pyplot as plt
import polars as pl
from sklearn.datasets import make_friedman1

from salience.tabular import KANSelector

X, y = make_friedman1(1000, 10, noise=1.0, random_state=0)
table = pl.DataFrame(X, schema=[f"x{i}" for i in range(10)])
selector = KANSelector("l1", kind="contrib_centred", keep=0.5, grid=5, order=3, lr=3e-3, epochs=30).fit(
    table, y
)
print("kept:", ", ".join(selector.get_feature_names_out()))
print(
    f"held-out loss {selector.heldout_loss_.mean():.2f}, of the mean alone {selector.null_loss_.mean():.2f}"
)
print(f"stability of the selection over the folds: {selector.stability_:.2f}")

# %%
# Left the shares, with the standard error over the folds. Right the curves of the kept columns: the mean over five
# networks, and the band from the lowest to the highest. The parabola of ``x2`` is there, and the slope of ``x3`` is
# twice that of ``x4``.
figure, (left, right) = plt.subplots(
    1, 2, figsize=(10, 3.8), layout="constrained", gridspec_kw={"width_ratios": [1, 1.3]}
)
frame = selector.scores_.frame
shares = selector.scores_.replace(
    frame=frame.with_columns(lo=frame["value"] - frame["se"], hi=frame["value"] + frame["se"])
)
shares.plot("ranking", ax=left)
left.set_title("how large what a column adds is", fontsize="medium", loc="left")
selector.plot_curves(ax=right)
right.set_title("how it acts", fontsize="medium", loc="left")
# The picture of the documentation: python examples/kan_curves.py docs/_static/kan.png
if len(sys.argv) > 1:
    figure.savefig(sys.argv[1], dpi=80)
