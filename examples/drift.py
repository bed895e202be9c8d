"""
Which columns have drifted between two files?
=============================================

The question is the same as in a ranking: which columns tell a row of the one file from a row of the other? Here the
second file has older people and a unit that changed; everything else is a fair split.
"""

import tempfile
from pathlib import Path

import polars as pl

from salience.data.datasets import load
from salience.tabular.drift import compare

census = load("adult").sample(fraction=1.0, shuffle=True, seed=0)
half = len(census) // 2
before, after = census.head(half), census.tail(half)
after = after.with_columns(pl.col("age") + 4, pl.col("hours-per-week") * 60)

with tempfile.TemporaryDirectory() as folder:
    before.write_parquet(Path(folder) / "before.parquet")
    after.write_parquet(Path(folder) / "after.parquet")
    scores = compare(Path(folder) / "before.parquet", Path(folder) / "after.parquet")

print(scores.frame.select("column", "value", "verdict").head(5))
drifted = scores.frame.filter(pl.col("verdict").is_in(["signal", "leak"]))["column"].to_list()
print("drifted:", ", ".join(drifted))
