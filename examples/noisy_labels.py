"""
Labels that are wrong
=====================

Four of ten labels of 1,000 handwritten digits are changed. A plain network learns them by heart. One whose features
are in an order needs few of them, and two such networks, which pick rows for each other, say which labels they doubt.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score

from salience.instances import NestedClassifier
from salience.instances.noisy_labels.plots import plot_accuracy

X, y = load_digits(return_X_y=True)
rng = np.random.default_rng(0)
order = rng.permutation(len(X))
train, held, test = order[:1000], order[1000:1200], order[1200:]
given = y[train].copy()
wrong = rng.choice(1000, 400, replace=False)
given[wrong] = (given[wrong] + rng.integers(1, 10, 400)) % 10

# %%
# The same network, with its features in an order and without; 200 digits with right labels choose K*.
common = {"scale": "minmax", "keep": "last", "random_state": 0}
plain = NestedClassifier(compression="none", coteach=False, **common)
nested = NestedClassifier(sigma=10, forget_rate=0.4, **common)
for model in (plain, nested):
    model.fit(X[train], given, X[held], y[held])
print(
    f"right on other digits: plain {plain.score(X[test], y[test]):.2f}, nested {nested.score(X[test], y[test]):.2f}"
)

# %%
# The rows by how suspicious their labels are.
scores = nested.label_errors_
truth = given != y[train]
print(f"wrong labels found: AUC {roc_auc_score(truth, nested.label_error_score_):.2f}")
suspects = scores.top(12).items
print(f"{truth[list(suspects)].sum()} of the 12 most suspicious are wrong")

figure = plt.figure(figsize=(9.5, 3.5), layout="constrained")
left, middle, right = figure.subfigures(1, 3, width_ratios=(3.2, 2.6, 2.6))
ax = left.subplots()
plot_accuracy({"plain, all features": plain.scores_, "nested + co-teaching": nested.scores_}, ax)
ax.set_title("accuracy over kept features", loc="left", fontsize=10)

ax = middle.subplots()
bins = np.linspace(0, 1, 16)
doubt = nested.label_error_score_
ax.hist(
    [doubt[~truth], doubt[truth]], bins, stacked=True, color=["#0072B2", "#D55E00"], label=["right", "wrong"]
)
ax.set(xlabel="share of epochs not picked", ylabel="rows")
ax.legend(frameon=False, loc="upper center", title="given label")
ax.set_title("scores of labels", loc="left", fontsize=10)
ax.spines[["top", "right"]].set_visible(False)

right.suptitle("most suspicious: given → suggested", x=0.02, ha="left", fontsize=10)
suggested = scores.frame["suggested"].to_list()
for cell, row in zip(right.subplots(3, 4).flat, suspects, strict=True):
    cell.imshow(X[train][row].reshape(8, 8), cmap="gray_r")
    cell.set(xticks=[], yticks=[])
    cell.set_title(f"{given[row]} → {suggested[row]}", fontsize=8, pad=2)

# The picture of the documentation: python examples/noisy_labels.py docs/_static/noisy-labels.png
if len(sys.argv) > 1:
    figure.savefig(sys.argv[1], dpi=80, pil_kwargs={"optimize": True})
