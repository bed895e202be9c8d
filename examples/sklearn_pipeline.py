"""
A step of a scikit-learn pipeline
=================================

``CardinalityAwareSelector`` keeps the columns that beat the noise level of their own cardinality. It is an ordinary
selector: it clones, pickles, and takes part in a grid search.
"""

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from salience.tabular import CardinalityAwareSelector

X, y = load_breast_cancer(return_X_y=True, as_frame=True)
rng = np.random.default_rng(0)
X = X.assign(**{f"noise{i}": rng.normal(size=len(X)) for i in range(10)})

selector = CardinalityAwareSelector().set_output(transform="pandas").fit(X, y)
kept = selector.transform(X).columns
print(f"kept {len(kept)} of {X.shape[1]}; noise among them: {[n for n in kept if n.startswith('noise')]}")

# %%
# Inside cross-validation the columns are chosen on the training folds only.
model = make_pipeline(CardinalityAwareSelector(), StandardScaler(), LogisticRegression())
search = GridSearchCV(model, {"cardinalityawareselector__k": [4, 12]}, cv=3).fit(X, y)
print(f"best: {search.best_params_}, accuracy {search.best_score_:.3f}")
