"""
Few columns, unshrunken effects
===============================

Six of 1,000 columns matter, and neighbours are correlated. The lasso shrinks the six effects, and keeps dozens of small
ones to make up for it. MCP lets them grow to their size and keeps hardly any other.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np

from salience.tabular import SparseLinear

rng = np.random.default_rng(0)
X = rng.normal(size=(200, 1000))
for j in range(1, 1000):
    X[:, j] = 0.5 * X[:, j - 1] + np.sqrt(0.75) * X[:, j]
effects = {100: 1.5, 250: -1.2, 400: 1.0, 550: -0.9, 700: 0.8, 850: -0.7}
y = X[:, list(effects)] @ list(effects.values()) + rng.normal(size=200)

# %%
# Both choose lambda by cross-validation.
models = {penalty: SparseLinear(penalty).fit(X, y) for penalty in ("l1", "mcp")}
for penalty, model in models.items():
    kept = np.flatnonzero(model.get_support())
    print(f"{penalty} keeps {len(kept)} columns, {len(set(kept) & set(effects))} of the six")
print(models["mcp"].scores_.top(6))

# %%
# The way of each coefficient as lambda falls. Where the background is grey the objective is not convex in the columns
# that are in, and other minima may exist.
figure, axes = plt.subplots(1, 2, figsize=(9.2, 3.9), sharey=True, layout="constrained")
for ax, (penalty, model) in zip(axes, models.items(), strict=True):
    model.plot_path(ax, top=6)
    for effect in effects.values():
        ax.axhline(effect, color="black", linewidth=0.5, linestyle=(0, (1, 4)), zorder=0)
    ax.set_title({"l1": "lasso: shrunken", "mcp": "MCP: at their size (dotted)"}[penalty], loc="left")
axes[0].get_legend().remove()
axes[1].set_ylabel("")
# The picture of the documentation: python examples/sparse_linear.py docs/_static/sparse-linear.png
if len(sys.argv) > 1:
    figure.savefig(sys.argv[1], dpi=72)
