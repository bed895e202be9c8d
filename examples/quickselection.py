"""
Columns without labels
======================

A sparse autoencoder learns to reconstruct the rows of a table. Its few connections move to the columns that can be
told from one another: their number and size is the score. No label is read.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle
from sklearn.datasets import load_digits, make_classification

from salience.tabular import QuickSelector

# %%
# Twenty columns that five causes explain, then 480 of noise. The topology evolves, and the strengths part.
X, _ = make_classification(
    2000,
    500,
    n_informative=5,
    n_redundant=15,
    n_clusters_per_class=4,
    class_sep=1.5,
    shuffle=False,
    random_state=0,
)
selector = QuickSelector(20, hidden=200, epochs=30, output="tanh", random_state=0).fit(X)
print(f"planted columns in the top 20: {selector.get_support()[:20].sum()}")
strength = selector.history_["strength"]  # (epochs, columns)

# %%
# The pixels of handwritten digits: 16 of 64. Pixels that never change score 0.
digits, _ = load_digits(return_X_y=True)
pixels = QuickSelector(16, hidden=200, n_runs=5, random_state=0).fit(digits)
print(f"Jaccard index of the pixels of two runs: {pixels.stability_:.2f}")

figure, (left, middle, right) = plt.subplots(
    1, 3, figsize=(9.5, 3.3), layout="constrained", width_ratios=(2, 1, 1)
)
epochs = np.arange(1, len(strength) + 1)
noise = strength[:, 20:]
left.fill_between(epochs, *np.quantile(noise, (0.0, 1.0), axis=1), color="#bbbbbb", alpha=0.4, lw=0)
left.fill_between(epochs, *np.quantile(noise, (0.05, 0.95), axis=1), color="#888888", alpha=0.5, lw=0)
left.plot(epochs, strength[:, :20], color="#d55e00", lw=0.9)
left.set(xlabel="epoch", ylabel="strength of the column", xlim=(1, len(strength)), ylim=(0, None))
left.set_title("20 planted columns, 480 of noise", loc="left", fontsize=10)
left.text(
    0.97,
    0.2,
    "noise: all, and 5 % to 95 %",
    transform=left.transAxes,
    ha="right",
    color="#222222",
    fontsize=9,
)
left.text(0.03, 0.92, "planted", transform=left.transAxes, color="#d55e00", fontsize=9)
left.spines[["top", "right"]].set_visible(False)

found = np.where(
    pixels.scores_.values > 0, pixels.scores_.values, np.nan
)  # a pixel that never changes stays white
for axes, picture, title in (
    (middle, digits.std(axis=0), "deviation of the pixels"),
    (right, found, "strength, and the best 16"),
):
    axes.imshow(picture.reshape(8, 8), cmap="cividis")
    axes.set(xticks=[], yticks=[])
    axes.set_title(title, loc="left", fontsize=10)
for pixel in pixels.get_support(indices=True):
    row, column = divmod(pixel, 8)
    right.add_patch(Rectangle((column - 0.46, row - 0.46), 0.92, 0.92, fill=False, ec="#d55e00", lw=1.6))

# The picture of the documentation: python examples/quickselection.py docs/_static/quickselection.png
if len(sys.argv) > 1:
    figure.savefig(sys.argv[1], dpi=75, pil_kwargs={"optimize": True})
