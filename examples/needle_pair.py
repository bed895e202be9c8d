"""
Find two columns that say nothing alone
=======================================

The label is the exclusive or of two fair coins among twelve columns. Each coin alone tells nothing, so no ranking
of single columns finds them; ``order=2`` ranks pairs.
"""

from salience.data.generators import Xor, generate
from salience.tabular import StreamRanker

recipe = Xor(columns=12)
planted = generate(recipe, 20_000, seed=0)
print("planted:", planted.truth)

# %%
ranker = StreamRanker(planted.label, order=2).fit(planted.frame)
print(ranker.scores_.frame.select("column", "value", "verdict").head(3))

# %%
# ``value`` is the synergy, what a pair says beyond its better half; ``joint`` is what it says in all.
print(ranker.pairs_.frame.select("a", "b", "value", "joint", "verdict").head(3))
best = ranker.pairs_.frame.row(0, named=True)
print("found:", " and ".join(sorted([best["a"], best["b"]])))
