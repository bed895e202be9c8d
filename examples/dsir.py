"""
Documents that look like the ones you want
==========================================

A pool of text from several sources, and a small sample of one. Every piece of the pool gets a log importance weight: how
much more likely its n-grams are in the sample than in the pool. The pool here is the documentation inside three
installed libraries; the sample is that of clustering.
"""

import ast
import sys
from importlib.util import find_spec
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from salience.instances import ImportanceResampler, plot_weights


# %%
# All docstrings of some folders, joined and cut after every hundred words.
def pieces(*folders):
    texts = []
    for folder in folders:
        package, _, inside = folder.partition("/")
        for file in sorted((Path(find_spec(package).origin).parent / inside).glob("*.py")):
            tree = ast.parse(file.read_text("utf-8"))
            nodes = (n for n in ast.walk(tree) if isinstance(n, ast.Module | ast.ClassDef | ast.FunctionDef))
            texts += [ast.get_docstring(node) or "" for node in nodes]
    words = " ".join(texts).split()
    return [" ".join(words[i : i + 100]) for i in range(0, len(words) - 99, 100)]


clustering = pieces("sklearn/cluster")
others = pieces(
    "sklearn/linear_model", "sklearn/utils", "scipy/stats", "scipy/optimize", "numpy/lib", "numpy/ma"
)
target, hidden = clustering[::2], clustering[1::2]
pool = [*hidden, *others]
print(f"{len(pool)} pieces, {len(hidden)} of them about clustering; {len(target)} more are the target")

# %%
# Half of the clustering pieces are hidden in the pool. Are they found? `signal_` says how far the weights are beyond noise.
chosen = ImportanceResampler(len(hidden), top_k=True, random_state=0).fit(pool, target)
found = int((chosen.select() < len(hidden)).sum())
print(f"found: {found / len(hidden):.0%} are about clustering, signal {chosen.signal_:.1f}")

# %%
# Why the first one was chosen: its n-grams.
print(chosen.explain(int(chosen.select()[0]), 5).select("ngram", "count", "contribution"))

# %%
# A target that is a random part of the pool itself: the weights are no wider than those of chance.
some = np.random.default_rng(0).choice(len(pool), len(target), replace=False)
null = ImportanceResampler(len(hidden), top_k=True, random_state=0).fit(pool, [pool[i] for i in some])
print(f"signal of a random target: {null.signal_:.1f}")

figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.4), layout="constrained")
plot_weights(chosen, left).set_title(
    f"clustering as target: signal {chosen.signal_:.1f}", loc="left", fontsize=10
)
plot_weights(null, right).set_title(f"a random target: signal {null.signal_:.1f}", loc="left", fontsize=10)
right.get_legend().remove()

# The picture of the documentation: python examples/dsir.py docs/_static/dsir.png
if len(sys.argv) > 1:
    figure.savefig(sys.argv[1], dpi=75, pil_kwargs={"optimize": True})
