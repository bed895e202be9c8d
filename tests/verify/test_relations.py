import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.stats import spearmanr

from salience.results.scores import Scores
from salience.verify.checks.relations import (
    agreement,
    covariates_of,
    fisher_interval,
    nuisance,
    rank_correlation,
)
from salience.verify.sample import Sample


def scores_of(values, **settings):
    return Scores.from_values(np.asarray(values, dtype=float), **settings)


@pytest.mark.parametrize("seed", range(4))
def test_a_ranking_by_cardinality_fails_and_one_without_holds(seed):
    rng = np.random.default_rng(seed)
    cardinality = rng.integers(2, 1000, 60).astype(float)
    covariates = {"cardinality": cardinality, "missing": rng.random(60)}
    disguised = nuisance(scores_of(np.log(cardinality) + 0.2 * rng.normal(size=60)), covariates)
    assert disguised.verdict == "fails"
    assert "cardinality" in disguised.why
    assert nuisance(scores_of(rng.random(60)), covariates).verdict == "holds"


def test_going_against_the_covariate_is_as_bad():
    assert nuisance(scores_of(-np.arange(50.0)), {"variance": np.arange(50.0)}).verdict == "fails"


def test_known_worth_explains_a_correlation_away():
    rng = np.random.default_rng(0)
    worth = rng.random(200)
    cardinality = worth + 0.2 * rng.normal(size=200)
    scores = scores_of(worth + 0.1 * rng.normal(size=200))
    assert nuisance(scores, {"cardinality": cardinality}, threshold=0.5).verdict == "fails"
    assert nuisance(scores, {"cardinality": cardinality}, threshold=0.5, given=worth).verdict == "holds"


def test_few_items_leave_it_undecided():
    assert (
        nuisance(scores_of(np.arange(6.0)), {"position": np.array([0, 2, 1, 3, 5, 4.0])}).verdict
        == "undecided"
    )


def test_covariates_are_joined_by_name():
    scores = Scores.from_values({f"c{i}": float(i) for i in range(30)})
    shuffled = np.random.default_rng(0).permutation(30)
    frame = pl.DataFrame({"column": [f"c{i}" for i in shuffled], "cardinality": shuffled.astype(float)})
    assert nuisance(scores, frame).curve["correlation"].to_list() == [1.0]


def test_constant_covariates_are_left_out_and_none_is_no_check():
    check = nuisance(scores_of(np.arange(5.0)), {"missing": np.zeros(5)})
    assert check.verdict == "not run"
    assert "varies" in check.why


def test_a_covariate_of_the_wrong_length_is_named():
    with pytest.raises(ValueError, match=r"'size' has shape \(3,\)"):
        nuisance(scores_of(np.arange(5.0)), {"size": np.zeros(3)})


@pytest.mark.parametrize("seed", range(4))
def test_a_noisy_copy_agrees_and_random_or_reversed_do_not(seed):
    rng = np.random.default_rng(seed)
    values = rng.random(50)
    real = scores_of(values)
    assert agreement(real, scores_of(values + 0.05 * rng.normal(size=50))).verdict == "holds"
    assert agreement(real, scores_of(rng.random(50))).verdict == "fails"
    assert agreement(real, scores_of(-values)).verdict == "fails"
    assert agreement(real, scores_of(-values, better="low")).statistic == 1.0


def test_items_of_one_ranking_only_are_counted():
    a = Scores.from_values({f"c{i}": float(i) for i in range(20)})
    b = Scores.from_values({f"c{i}": float(i) for i in range(5, 30)})
    check = agreement(a, b, k=3)
    assert "15 common items" in check.why
    assert "15 items are in one ranking only" in check.why
    assert agreement(a, Scores.from_values({"x": 1.0})).verdict == "not run"


def test_rankings_of_other_items_are_refused():
    heads = Scores.from_matrix(np.eye(3), keys=("layer", "head"), item="head")
    with pytest.raises(ValueError, match="roll one of them up"):
        agreement(heads, scores_of(np.arange(3.0)))


def test_the_correlation_is_spearmans_and_skips_what_is_missing():
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 5, 30).astype(float), rng.random(30)
    assert rank_correlation(x, y) == pytest.approx(spearmanr(x, y).statistic)
    assert rank_correlation(np.r_[x, np.nan], np.r_[y, 0]) == pytest.approx(spearmanr(x, y).statistic)
    assert rank_correlation(np.zeros(30), y) == 0.0


def test_fishers_interval_covers():
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(200):
        x = rng.normal(size=40)
        y = 0.6 * x + 0.8 * rng.normal(size=40)
        lo, hi = fisher_interval(rank_correlation(x, y), 40, 0.95)
        inside += lo < 0.582 < hi  # Spearman of a normal pair: 6 / pi * asin(rho / 2)
    assert inside >= 182


@pytest.mark.parametrize("kind", [pl.DataFrame, pd.DataFrame])
def test_covariates_of_columns_are_counted(kind):
    X = kind({"id": ["a", "b", "c", "d"], "flag": ["x", "x", None, "y"]})
    found = covariates_of(Sample.of(X, [0, 1, 0, 1]))
    assert found["cardinality"].to_list() == [4.0, 2.0]
    assert found["top_share"].to_list() == [0.25, 0.5]
    assert found["missing"].to_list() == [0.0, 0.25]
    assert found["position"].to_list() == [0.0, 1.0]
