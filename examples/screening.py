"""
Which of 300 columns say anything about an outcome?
===================================================

Only the squares of six columns matter, so that no column is correlated with the outcome. Each column is scored on its
own by mutual information, and held against the scores that it gets when the outcome is shuffled.
"""

import matplotlib.pyplot as plt
import numpy as np

from salience.tabular import MIScreener

rng = np.random.default_rng(0)
X = rng.normal(size=(500, 300))
y = (X[:, :6] ** 2) @ [1.5, 1.4, 1.3, 1.2, 1.1, 1.0] + rng.normal(size=500)

screener = MIScreener(k=None, null_permutations=39).fit(X, y)
print("beyond chance:", ", ".join(screener.get_feature_names_out()))
r = [abs(np.corrcoef(x, y)[0, 1]) for x in X.T]
print("the six largest correlations are of", ", ".join(f"x{i}" for i in np.argsort(r)[:-7:-1]))

ax = screener.plot()
ax.set_title("300 columns, six of which matter by their squares", loc="left", fontsize="medium")
plt.show()
