"""The ranker and the selector keep scikit-learn's contract."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from salience.tabular import CardinalityAwareSelector, StreamRanker


@parametrize_with_checks([StreamRanker(), CardinalityAwareSelector(), CardinalityAwareSelector(k=2)])
def test_it_passes_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def planted():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 2000)
    columns = {
        "strong": np.where(rng.random(2000) < 0.9, y, 1 - y),
        "weak": np.where(rng.random(2000) < 0.65, y, 1 - y),
        "id": np.arange(2000),
        "noise": rng.integers(0, 500, 2000),
    }
    return columns, y


@pytest.mark.parametrize(
    "make",
    [pd.DataFrame, pl.DataFrame, pa.table, lambda c: np.column_stack(list(c.values()))],
    ids=["pandas", "polars", "pyarrow", "numpy"],
)
def test_every_kind_of_table_gives_the_same_scores(planted, make):
    columns, y = planted
    expected = StreamRanker().fit(pl.DataFrame(columns), y).scores_
    found = StreamRanker().fit(make(columns), y).scores_
    assert np.array_equal(np.asarray(found), np.asarray(expected))


def test_the_selector_keeps_what_beats_the_noise_of_its_cardinality(planted):
    columns, y = planted
    selector = CardinalityAwareSelector().fit(pl.DataFrame(columns), y)
    assert selector.get_support().tolist() == [True, True, False, False]
    assert selector.get_feature_names_out().tolist() == ["strong", "weak"]


def test_the_selector_keeps_frames_and_names_with_set_output(planted):
    columns, y = planted
    frame = pd.DataFrame(columns)
    kept = CardinalityAwareSelector(k=1).set_output(transform="pandas").fit_transform(frame, y)
    assert list(kept.columns) == ["strong"]


def test_the_selector_works_in_a_pipeline_inside_a_grid_search(planted):
    columns, y = planted
    X = pd.DataFrame(columns)
    search = GridSearchCV(
        make_pipeline(CardinalityAwareSelector(), LogisticRegression(max_iter=200)),
        {"cardinalityawareselector__k": [1, 2, 4]},
        cv=3,
    ).fit(X, y)
    assert search.best_score_ > 0.85


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"k": 0}, "k must be at least 1"),
        ({"threshold": "loud"}, "threshold must be"),
        ({"heuristic": "chi3"}, "Did you mean 'chi2'"),
        ({"null": "none such"}, "null='none such' is unknown"),
    ],
)
def test_a_wrong_parameter_is_refused_with_what_is_allowed(planted, params, message):
    columns, y = planted
    with pytest.raises(ValueError, match=message):
        CardinalityAwareSelector(**params).fit(pl.DataFrame(columns), y)
