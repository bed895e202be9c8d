"""Rows and classes as GAIS wants them, and the numbers it takes when none are given."""

import inspect
from dataclasses import fields

import numpy as np
import pandas as pd
import pytest

from salience.instances import GraphAttentionSelector
from salience.instances.gais.explanation import row_edges
from salience.instances.gais.graphs import GraphOptions
from salience.instances.gais.notes import before_fitting
from salience.instances.gais.table import resampled, table_of
from salience.instances.gais.training import Learning


def test_every_column_is_standardised():
    X = np.random.default_rng(0).normal(size=(50, 3)) * [1.0, 100.0, 1e-3] + [0.0, 7.0, -3.0]
    table = table_of(X, np.arange(50) % 2)
    np.testing.assert_allclose(table.X, (X - X.mean(axis=0)) / X.std(axis=0), atol=1e-10)


def test_rounding_is_no_spread():
    X = np.column_stack([np.arange(30.0), np.full(30, 0.1)])
    X[::2, 1] = 0.3 - 0.2
    assert np.ptp(X[:, 1]) > 0
    assert table_of(X, np.arange(30) % 2).constant.tolist() == [False, True]


def test_twenty_rows_and_two_of_each_class_are_enough():
    table = table_of(np.arange(20.0)[:, None], np.arange(20) // 2)
    assert table.sizes.tolist() == [2] * 10
    with pytest.raises(ValueError, match="target of numbers"):
        table_of(np.arange(21.0)[:, None], np.arange(21) // 2)
    with pytest.raises(ValueError, match="19 rows are too few"):
        table_of(np.arange(19.0)[:, None], np.arange(19) % 2)


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_an_infinite_class_is_none(value):
    with pytest.raises(ValueError, match="y holds NaN, None or infinity"):
        table_of(np.arange(20.0)[:, None], np.where(np.arange(20) % 2, value, 1.0))


def test_kept_rows_of_a_frame_are_numbered_anew():
    frame = pd.DataFrame({"a": np.arange(5)}, index=list("vwxyz"))
    rows = np.array([1, 3])
    for given in (frame, frame["a"]):
        assert resampled(given, rows).index.tolist() == [0, 1]
    assert resampled(frame, rows)["a"].tolist() == [1, 3]


# ---- what is taken when nothing is said -----------------------------------------------------------------


def test_the_numbers_of_the_method():
    wanted = {
        "graph": "minibatch", "rate": 0.04, "threshold": None, "score_by": "attention*confidence", "batch_size": 256,
        "edge_share": 0.1, "n_batches": None, "cover": False, "bits": 8, "levels": (4, 8, 12), "views": 4,
        "n_neighbors": 10, "max_degree": 32, "heads": 4, "hidden": 16, "epochs": 60, "lr": 0.01, "weight_decay": 5e-4,
        "drop_edges": 0.2, "held_out": 0.1, "train_batches": 64, "n_rounds": 1, "diverse": False,
        "rates": (0.01, 0.02, 0.04, 0.08, 0.16, 0.32), "tolerance": 0.01,
    }  # fmt: skip
    given = GraphAttentionSelector().get_params()
    assert {name: given[name] for name in wanted} == wanted


@pytest.mark.parametrize("part", [GraphOptions, Learning])
def test_the_parts_take_the_same_numbers(part):
    said = inspect.signature(GraphAttentionSelector).parameters
    assert {field.name: field.default for field in fields(part)} == {
        field.name: said[field.name].default for field in fields(part)
    }


# ---- what is said ---------------------------------------------------------------------------------------


def test_nothing_is_said_of_an_estimator_that_is_not_there():
    assert list(before_fitting(None)) == []


def test_edges_of_equal_attention_are_listed_by_their_row_and_have_the_weight_of_either_direction():
    import polars as pl

    edges = pl.DataFrame(
        {
            "receiver": [4, 1, 3, 0],
            "sender": [0, 0, 0, 2],
            "weight": [0.1, 0.2, 0.3, 0.4],
            "attention": [0.5, 0.5, 0.7, 0.6],
        }
    )
    found = row_edges(edges, np.array(["a", "b", "a", "b", "a"]), 0)
    assert found["neighbour"].to_list() == [3, 1, 4, 2]
    assert found["weight"].to_list() == [0.3, 0.2, 0.1, 0.4]
    for row in (-1, 5):
        with pytest.raises(ValueError, match="rows are numbered from 0 to 4"):
            row_edges(edges, np.array(list("ababa")), row)
