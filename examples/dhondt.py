"""
A prediction as a parliament
============================

A model says that a tumour is malignant. Which measurements spoke for that, which against it, and how far do their
shares add up to what the model said?
"""

import sys

import matplotlib.pyplot as plt
from PIL import Image
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.model_selection import train_test_split

from salience.data.datasets import LABELS, load
from salience.tabular import DhondtExplainer, Parliament

frame = load("breast_cancer")
label = LABELS["breast_cancer"]
X, y = frame.drop(label).to_pandas(), frame[label].to_numpy()
train, test, y_train, y_test = train_test_split(X, y, test_size=0.3, random_state=0, stratify=y)
model = GradientBoostingClassifier(random_state=0).fit(train, y_train)

# %%
# Logits add up better than probabilities. Values and residuals together are the difference between what the model
# says for the row and what it says on average.
explainer = DhondtExplainer(model, train, output="logit", target="malignant")
explanation = explainer.explain(test[:20], seats=100)
contested = int((explanation.elections["for_seats"] > 0).sum(axis=1).argmax())
print(explanation)
print(
    explanation.seats.filter(row=contested)
    .sort("seats", descending=True)["party", "seats", "quota", "value"]
    .head(5)
)

# %%
# On the left who spoke against, on the right who spoke for it. Below, the importances of the model itself as 600
# seats: 30 parties, of which the small ones stay outside.
figure, axes = plt.subplots(2, 1, figsize=(7.2, 7.4), layout="constrained")
explanation.plot(contested, ax=axes[0])
gain = Parliament(model, seats=600, threshold=0.01)
gain.plot(ax=axes[1])
# The picture of the documentation: python examples/dhondt.py docs/_static/dhondt.png
if len(sys.argv) > 1:
    figure.savefig(sys.argv[1], dpi=90)
    Image.open(sys.argv[1]).quantize(64).save(sys.argv[1], optimize=True)

# %%
# The seats of the gain beside the mean size of the local values: two questions, two answers.
print("agreement:", gain.consistency(dict(explanation.overall().frame.select("column", "value").iter_rows())))
