"""Roll-ups: parts to wholes."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from salience.results import Meta, Scores
from salience.results.rollup import HOWS


@pytest.fixture
def heads():
    return Scores.from_matrix(
        [[0.1, -0.9], [0.4, np.nan], [np.nan, np.nan]],
        keys=("layer", "head"),
        item="head",
        better="abs",
        meta=Meta(additive=True),
    )


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("mean", [-0.4, 0.4]),
        ("mean_abs", [0.5, 0.4]),
        ("sum", [-0.8, 0.4]),
        ("median", [-0.4, 0.4]),
        ("max", [0.1, 0.4]),
        ("min", [-0.9, 0.4]),
        ("best", [-0.9, 0.4]),
    ],
)
def test_each_way_rolls_heads_up_to_layers(heads, how, expected):
    layers = heads.rollup("layer", how)
    np.testing.assert_allclose(layers.values, [*expected, np.nan])
    assert layers.frame["n"].to_list() == [2, 1, 0]
    assert (layers.keys, layers.item) == (("layer",), "layer")
    assert layers.better == ("high" if how == "mean_abs" else "abs")


@given(
    st.lists(st.tuples(st.integers(0, 3), st.floats(-1e3, 1e3)), min_size=1, max_size=20),
    st.sampled_from(sorted(HOWS)),
)
def test_a_rollup_is_numpy_over_each_group(parts, how):
    frame = pl.DataFrame(
        {"field": [f for f, _ in parts], "i": range(len(parts)), "value": [v for _, v in parts]}
    )
    scores = Scores(frame, keys=("field", "i"), item="value", meta=Meta(additive=True))
    plain = {
        "mean": np.mean,
        "mean_abs": lambda v: np.mean(np.abs(v)),
        "sum": np.sum,
        "median": np.median,
        "max": np.max,
        "min": np.min,
        "best": np.max,
    }
    found = scores.rollup("field", how)
    for name, value in zip(found.items, found.values, strict=True):
        np.testing.assert_allclose(
            value, plain[how]([v for f, v in parts if f == name]), rtol=1e-9, atol=1e-9
        )


def test_a_sum_is_refused_unless_additive():
    scores = Scores.from_matrix([[1.0, 2.0]], keys=("layer", "head"), item="head")
    with pytest.raises(ValueError, match="not additive"):
        scores.rollup("layer", "sum")


def test_contexts_stay_apart():
    frame = pl.DataFrame({"task": [0, 1, 0], "layer": [0, 0, 0], "head": [0, 0, 1], "value": [1.0, 2.0, 3.0]})
    layers = Scores(frame, keys=("layer", "head"), by="task", item="head").rollup("layer")
    assert layers.frame.select("task", "layer", "value").rows() == [(0, 0, 2.0), (1, 0, 2.0)]


def test_parents_group_their_items():
    scores = Scores.from_values({"a": 1.0, "b": 3.0, "c": 9.0}, parent=["p", "p", None])
    assert scores.rollup("parent").frame.select("group", "value").rows() == [("p", 2.0)]


def test_every_member_shares_in_its_groups():
    scores = Scores.from_values({"g": 1.0, "h": 3.0}, item="group", members=[["a", "b"], ["b"]])
    assert dict(scores.rollup("members").frame.select("member", "value").rows()) == {"a": 1.0, "b": 2.0}


def test_unordered_pairs_roll_up_to_both_their_columns():
    pairs = Scores.from_matrix([[0, 1, 2], [1, 0, 4], [2, 4, 0]], list("xyz"), meta=Meta(symmetric=True))
    columns = pairs.rollup("members", "max")
    assert (columns.keys, columns.item) == (("column",), "column")
    assert dict(columns.frame.select("column", "value").rows()) == {"x": 2.0, "y": 4.0, "z": 4.0}


def test_replicates_roll_up_with_the_values():
    scores = Scores.from_matrix([[1.0, 2.0]], keys=("layer", "head"), item="head")
    scores = scores.replace(replicates=[[1.0, 2.0], [3.0, 5.0]])
    np.testing.assert_array_equal(scores.rollup("layer", "mean").replicates, [[1.5], [4.0]])


def test_an_order_rolls_up_by_the_best_of_each():
    order = Scores.from_order([(1, 0), (0, 0), (0, 1)], keys=("layer", "head"), item="head")
    layers = order.rollup("layer", "best")
    assert layers.top(2).items == [1, 0]
    with pytest.raises(ValueError, match="how='best'"):
        order.rollup("layer", "mean")


@pytest.mark.parametrize(
    ("to", "how", "message"),
    [
        ("colour", "mean", "cannot roll up to 'colour'"),
        ("value", "mean", "cannot roll up to 'value'"),
        ("members", "mean", "cannot roll up to 'members'"),
        ((), "mean", "nothing"),
        ("layer", "mode", "how='mode' is not known"),
    ],
)
def test_a_wrong_rollup_is_refused(heads, to, how, message):
    with pytest.raises(ValueError, match=message):
        heads.rollup(to, how)
