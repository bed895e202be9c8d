"""The bench of pairs of columns."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import Ridge

from salience.results.scores import Scores
from salience.verify import pairs, verify
from salience.verify.bench import held_out
from salience.verify.sample import Sample


def xor(n: int = 600, d: int = 6) -> tuple[pl.DataFrame, np.ndarray]:
    """A label that two columns decide together; alone they say nothing."""
    X = np.random.default_rng(0).normal(size=(n, d))
    return pl.DataFrame(X, schema=list("abcdef")[:d]), X[:, 0] * X[:, 1] > 0


def test_the_planted_pair_is_worth_most():
    bench = pairs(*xor())
    losses = bench.values(np.eye(15, dtype=bool)).mean(axis=1)
    assert bench.items[int(losses.argmin())] == ("a", "b")
    assert losses.min() < 0.4 < 0.65 < np.sort(losses)[1]
    assert bench.keys == ("a", "b")


def test_a_ranking_with_the_planted_pairs_on_top_holds_and_its_reverse_fails():
    X = np.random.default_rng(0).normal(size=(900, 8))
    bench = pairs(X, X[:, 0] * X[:, 1] + X[:, 2] * X[:, 3] > 0)
    true = [{"x0", "x1"}, {"x2", "x3"}]
    right = Scores.from_values(
        [float(set(pair) in true) for pair in bench.items], list(bench.items), keys=("a", "b"), item="pair"
    )
    assert verify(right, bench).named("retention").verdict == "holds"
    assert verify(right.replace(better="low"), bench).named("retention").verdict == "fails"


def test_no_pair_is_the_model_of_the_columns_alone_and_a_product_is_of_standardised_columns():
    rng = np.random.default_rng(1)
    frame = pl.DataFrame({"a": rng.normal(50, 3, 200), "b": rng.normal(-9, 2, 200)})
    y = frame["a"].to_numpy() + rng.normal(size=200)
    train, held = held_out(Sample.of(frame, y), 0.3, 0)
    standard = (frame.to_numpy() - frame[train].to_numpy().mean(axis=0)) / frame[train].to_numpy().std(axis=0)
    product = standard[:, 0] * standard[:, 1]
    wide = np.column_stack([standard, (product - product[train].mean()) / product[train].std()])
    bench = pairs(frame, y)
    for columns, mask in ((2, [[False]]), (3, [[True]])):
        model = Ridge().fit(wide[train, :columns], y[train])
        expected = (model.predict(wide[held, :columns]) - y[held]) ** 2
        np.testing.assert_allclose(bench.values(mask)[0], expected)


def test_pairs_may_be_named_in_the_order_of_the_scores():
    frame, y = xor()
    bench = pairs(frame, y, among=[("b", "a"), ("c", "a")])
    assert bench.items == (("b", "a"), ("c", "a"))
    assert bench.values([[True, False]]).mean() < bench.values([[False, True]]).mean()


@pytest.mark.parametrize("among", [[], [("a", "nobody")], [("a", "text")], [("a", "b", "c")]])
def test_what_is_no_pair_of_numbers_is_refused(among):
    frame, y = xor()
    with pytest.raises(ValueError, match="two number columns"):
        pairs(frame.with_columns(text=pl.lit("u")), y, among=among)
