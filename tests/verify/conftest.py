"""Data with a planted truth, and methods that are known to be good or worthless."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest

from salience.results.scores import Scores


def make_table(n: int = 600, d: int = 12, good: int = 3, seed: int = 0) -> tuple[pl.DataFrame, np.ndarray]:
    """Columns c00, c01, ... in an order that says nothing; the informative ones are called g0, g1, ..."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    logit = X[:, :good] @ np.linspace(2.0, 1.0, good)
    y = (rng.random(n) < 1 / (1 + np.exp(-logit))).astype(int)
    names = [f"g{i}" if i < good else f"c{i:02d}" for i in range(d)]
    return pl.DataFrame(X, schema=names).select([names[i] for i in rng.permutation(d)]), y


def correlation(frame: pl.DataFrame, label: str) -> Scores:
    """A good method: the absolute correlation of each numeric column with the target."""
    y = np.unique(frame[label].to_numpy(), return_inverse=True)[1]
    names = [name for name in frame.columns if name != label]
    return Scores.from_values([abs(np.corrcoef(frame[name].to_numpy(), y)[0, 1]) for name in names], names)


def by_chance(frame: pl.DataFrame, label: str, seed: int = 0) -> Scores:
    """A worthless method: random numbers."""
    names = [name for name in frame.columns if name != label]
    return Scores.from_values(np.random.default_rng(seed).random(len(names)), names)


@pytest.fixture
def table() -> Callable[..., tuple[pl.DataFrame, np.ndarray]]:
    return make_table


@pytest.fixture
def good_method() -> Any:
    return correlation


@pytest.fixture
def worthless_method() -> Any:
    return by_chance
