"""Well-known selectors as methods that `verify` can call."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from salience.verify.baselines import BASELINES


def planted(task: str, n: int = 240) -> tuple[pl.DataFrame, np.ndarray]:
    """The target depends on a, on b and on the text t; the rest is noise."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 6))
    text = rng.integers(0, 2, n)
    signal = 2 * X[:, 0] - 2 * X[:, 1] + 3 * text
    y = {"two": (signal > 1.5), "three": np.digitize(signal, [0, 3]), "numbers": signal}[task]
    frame = pl.DataFrame(X, schema=list("abcdef")).with_columns(t=pl.Series(["uv"[i] for i in text]))
    return frame, np.asarray(y)


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("task", ["two", "three", "numbers"])
def test_the_planted_columns_are_on_top(name, task):
    frame, y = planted(task)
    scores = BASELINES[name](frame.with_columns(y=pl.Series(y)), "y", seed=0)
    assert set(scores.top(3).items) == {"a", "b", "t"}
    assert scores.items == frame.columns


@pytest.mark.parametrize("name", BASELINES)
def test_gaps_and_constant_columns_are_no_obstacle_and_the_seed_decides(name):
    frame, y = planted("two")
    frame = frame.with_columns(
        pl.when(pl.int_range(len(y)) % 7 == 0).then(None).otherwise("c").alias("c"), constant=pl.lit(1.0), y=pl.Series(y)
    )  # fmt: skip
    first, again = (BASELINES[name](frame, "y", seed=3) for _ in range(2))
    assert first.equals(again.replace(meta=first.meta))
    assert "constant" not in first.top(3).items


def test_the_lasso_sets_noise_to_zero():
    frame, y = planted("numbers")
    scores = BASELINES["L1"](frame.with_columns(y=pl.Series(y)), "y")
    assert {item: v for item, v in zip(scores.items, scores.values, strict=True) if v > 0.1}.keys() == {
        "a",
        "b",
        "t",
    }


def test_elimination_ranks_every_column_by_the_round_that_dropped_it():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 30))
    frame = pl.DataFrame(X).with_columns(y=pl.Series(X[:, 4] > 0))
    values = BASELINES["SVM-RFE"](frame, "y").values
    assert values.max() == values[4]
    assert (values == values.max()).sum() == 1
    assert (values == 0).sum() == 3  # a tenth of thirty fall in the first round
