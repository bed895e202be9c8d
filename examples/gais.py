"""
Rows worth keeping, where labels are wrong
==========================================

A fifth of the labels of a training set is wrong. A graph attention network learns to name the classes of rows; the rows that
similar rows look at, and whose label the network believes, are kept: four percent.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer

from salience.instances import GraphAttentionSelector, plot_kept
from salience.verify import compare_row_selectors

data = load_breast_cancer()
X, y = data.data, data.target_names[data.target]
rng = np.random.default_rng(0)
wrong = rng.random(len(y)) < 0.2
given = np.where(wrong, data.target_names[1 - data.target], y)

# %%
# What is kept, and why.
selector = GraphAttentionSelector(random_state=0).fit(X, given)
kept = selector.get_support()
print(
    f"kept {kept.sum()} of {len(y)} rows, {wrong[kept].sum()} of them with a wrong label ({wrong.sum()} of all)"
)
print(selector.scores_.top(3))
print(selector.neighbours(selector.scores_.top(1).items[0]).head(3))

# %%
# Is that worth anything? Beside as many random rows and all of them, judged by the true labels of rows held out.
found = compare_row_selectors({"attention": GraphAttentionSelector()}, X, y, given=given, random_state=0)
for row in found.filter(estimator="1-NN").iter_rows(named=True):
    print(f"{row['selector']:>10}: 1-NN {row['accuracy']:.2f}, wrong labels {row['wrong']:.2f}")

figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 4.0), layout="constrained", width_ratios=(1.5, 1))
plot_kept(selector, X, ax=left, wrong=wrong)

names = ["all rows", "random", "attention"]
for shift, (judge, colour) in zip((0.18, -0.18), (("1-NN", "#0072B2"), ("RBF-SVM", "#E69F00")), strict=True):
    rows = [found.filter(selector=name, estimator=judge).row(0, named=True) for name in names]
    right.barh(
        np.arange(3) + shift, [row["accuracy"] for row in rows], 0.32, color=colour, label=judge,
        xerr=[row["accuracy_se"] for row in rows], error_kw={"lw": 0.9},
    )  # fmt: skip
right.set_yticks(range(3), ["all rows", "random 4 %", "attention 4 %"])
right.set(xlim=(0.5, 1.0), xlabel="accuracy on rows held out")
right.legend(frameon=False, fontsize="small", ncols=2, loc="lower right", bbox_to_anchor=(1, 0.99))
right.spines[["top", "right"]].set_visible(False)

# The picture of the documentation: python examples/gais.py docs/_static/gais.png
if len(sys.argv) > 1:
    figure.savefig(sys.argv[1], dpi=80, pil_kwargs={"optimize": True})
