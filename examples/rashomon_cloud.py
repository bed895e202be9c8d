"""
How strongly could features interact, in any model as good as this one?
=======================================================================

Two of six columns interact. One network says how strongly; the cloud says how strongly they could in any model that
predicts about as well, and a pair that no such model needs stays where it is.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
from sklearn.neural_network import MLPRegressor

from salience.tabular import RashomonExplorer

rng = np.random.default_rng(0)
X = rng.normal(size=(1600, 6))
y = X[:, 0] * X[:, 1] + X[:, 2] + 0.3 * rng.normal(size=1600)
names = ["price", "demand", "season", "region", "weekday", "rebate"]
model = MLPRegressor(hidden_layer_sizes=(32,), max_iter=300, random_state=0).fit(X[:1200], y[:1200])

# %%
# Half of the models that take two masks together leave the set; the explorer says so, and marks them.
warnings.filterwarnings("ignore", message=".*outside the Rashomon set")

held_out = pl.DataFrame(X[1200:], schema=names)
explorer = RashomonExplorer(model, epsilon_rate=0.1, delta=0.1, shuffles=5).fit(held_out, y[1200:])
print(explorer.summary().select("a", "b", "reference", "se", "lo", "hi", "in_set").head(3))
widest = explorer.summary().row(0, named=True)
print("widest cloud:", widest["a"], "and", widest["b"])

# %%
# Each dot is a model, each diamond the reference.
explorer.swarm(top=6)
plt.show()

# %%
# If what two masks cost added up, the models would lie on the circle.
fig, (left, right) = plt.subplots(1, 2, figsize=(10.6, 5.4), layout="constrained")
explorer.halo(("price", "demand"), ax=left)
explorer.halo(("price", "season"), ax=right)
plt.show()

# %%
# The same of three features.
triple = RashomonExplorer(
    model, epsilon_rate=0.1, delta=0.1, order=3, subsets=[("price", "demand", "season")], shuffles=1
)
triple.fit(held_out, y[1200:]).halo(("price", "demand", "season"))
plt.show()
