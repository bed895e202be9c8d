"""
Compare selectors of columns
============================

Which of three well-known selectors keeps the right columns of the wine data, when thirty columns of noise stand beside the
thirteen real ones? Each ranks the columns on the training rows of a fold only, and is judged on the rows held out.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np
import polars as pl

from salience.data.datasets import load
from salience.verify import evaluate_selectors

rng = np.random.default_rng(0)
wine = load("wine")
wine = wine.with_columns(**{f"noise {j}": pl.Series(rng.normal(size=len(wine))) for j in range(30)})

found = evaluate_selectors(
    wine,
    "target",
    {"mutual information": "mutual information", "L1": "L1", "SVM-RFE": "SVM-RFE"},
    keep=(0.05, 0.1, 0.2, 0.4),
    predictors=["logistic"],
    permuted=["L1"],
)
at_ten = found.where(keep=0.1).frame.sort("value", descending=True)
with pl.Config(tbl_rows=-1, float_precision=3, tbl_width_chars=120, fmt_str_lengths=40):
    print(
        at_ten.select("selector", "value", "se", "over_random", "over_random_se", "stability", "redundancy")
    )

# %%
# A selector that learned from a permuted target is no better than a random selection: that is how it should be.
chance = at_ten.filter(pl.col("over_random") < 2 * pl.col("over_random_se"), pl.col("kind") != "random")
print("not told apart from random:", ", ".join(chance["selector"]))
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.8), layout="constrained", width_ratios=(1.15, 1))
found.plot(predictor="logistic", keep=0.1, ax=left)
left.set_title("10 % of the columns kept", loc="left", fontsize="medium")

colours = {"mutual information": "#0072B2", "L1": "#D55E00", "SVM-RFE": "#009E73", "random": "#999999"}
for offset, (name, colour) in enumerate(colours.items()):
    rows = found.where(selector=name).frame.sort("keep")
    share = 100 * rows["keep"].to_numpy() + 0.35 * (offset - 1.5)  # so that the bars do not cover each other
    right.errorbar(
        share, rows["value"], rows["se"], color=colour, marker="o", markersize=4, capsize=2, label=name
    )
whole = found.where(selector="all columns", keep=0.1).values[0]
right.axhline(whole, color="black", linewidth=0.8, linestyle="--", label="all columns")
right.set(xlabel="columns kept (%)", ylabel="macro-F1 on rows held out", xticks=[5, 10, 20, 40])
right.set_title("mean and standard error over five folds", loc="left", fontsize="medium")
right.spines[["top", "right"]].set_visible(False)
right.legend(frameon=False, loc="lower right", fontsize="small")
# The picture of the documentation: python examples/compare_selectors.py docs/_static/selectors.png
if len(sys.argv) > 1:
    figure.savefig(sys.argv[1], dpi=90)
