"""
Rows in groups, some of which are wild
======================================

Twenty-five patients with ten visits each. Two patients were measured with a broken instrument, and one reacts the other
way round. A Gaussian mixed model believes all of them; the t model finds them and leaves them aside.
"""

import matplotlib.pyplot as plt
import numpy as np

from salience.tabular import RobustMixedModel

rng = np.random.default_rng(1)
patients = np.repeat([f"patient {i:02d}" for i in range(25)], 10)
number = np.repeat(np.arange(25), 10)
X = rng.normal(size=(250, 3))
y = X @ [1.0, -0.5, 0.0] + rng.normal(size=25)[number] + rng.normal(size=250)
y[number < 2] += 15 * rng.normal(size=20)
y[number == 7] += X[number == 7] @ [-8.0, 4.0, 0.0]

robust = RobustMixedModel().fit(X, y, groups=patients)
gaussian = RobustMixedModel(nu=1e6).fit(X, y, groups=patients)
print(
    "slopes:   robust", robust.coef_.round(2), " Gaussian", gaussian.coef_.round(2), " truth [1.0, -0.5, 0.0]"
)
outliers = robust.group_scores_.select(beats_null=True).items
print("outliers:", ", ".join(sorted(outliers)))

ax = robust.plot_groups()
ax.set_title("25 patients, three of whom do not fit", loc="left", fontsize="medium")
plt.show()
