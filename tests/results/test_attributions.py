"""Attributions per instance."""

import pickle

import numpy as np
import pytest

from salience.results import Attributions, Meta


@pytest.fixture
def linear():
    """Exact attributions of a linear model with two outputs."""
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(5, 3)), rng.normal(size=(3, 2))
    return Attributions(
        x[:, :, None] * w[None],
        ["a", "b", "c"],
        base=[1.0, -1.0],
        residual={"interaction": np.full((5, 2), 0.25)},
        prediction=x @ w + [1.0, -1.0] + 0.25,
        outputs=["yes", "no"],
        data=x,
        meta=Meta(method="linear"),
    )


def test_what_adds_up_has_no_gap(linear):
    assert linear.gap().shape == (5, 2)
    np.testing.assert_allclose(linear.gap(), 0, atol=1e-12)


def test_the_gap_is_what_is_missing():
    assert Attributions([[1.0]], ["a"], prediction=[3.0]).gap().tolist() == [2.0]
    with pytest.raises(ValueError, match="prediction"):
        Attributions([[1.0]], ["a"]).gap()


def test_a_row_ranks_items_by_size_with_their_bounds():
    shares = Attributions(
        [[1.0, -2.0]], ["a", "b"], lo=[[0.0, -3.0]], hi=[[2.0, -1.0]], exact=[[True, False]]
    )
    row = shares.row(0)
    assert row.top(2).items == ["b", "a"]
    assert row.frame.columns == ["column", "value", "lo", "hi", "exact"]
    with pytest.raises(IndexError, match="1 instances"):
        shares.row(1)


def test_outputs_are_contexts(linear):
    assert linear.row(0).by == ("output",)
    np.testing.assert_array_equal(linear.row(2, "no").values, linear.values[2, :, 1])


@pytest.mark.parametrize(
    ("how", "expected", "better"),
    [
        ("mean_abs", [2.0, 1.0], "high"),
        ("mean", [-1.0, 1.0], "abs"),
        ("max_abs", [3.0, 1.0], "high"),
        ("rms", [5**0.5, 1.0], "high"),
        ("positive", [0.5, 1.0], "high"),
    ],
)
def test_aggregates(how, expected, better):
    shares = Attributions([[1.0, 1.0], [-3.0, np.nan]], ["a", "b"])
    scores = shares.aggregate(how)
    np.testing.assert_allclose(scores.values, expected)
    assert scores.better == better
    assert scores.frame["n"].to_list() == [2, 1]


def test_an_item_that_was_never_attributed_is_unscored():
    assert np.isnan(Attributions([[np.nan]], ["a"]).aggregate().values[0])


def test_groups_are_contexts(linear):
    scores = linear.aggregate(by=["p", "q", "p", "q", "p"])
    assert scores.by == ("group", "output")
    expected = np.abs(linear.values[[0, 2, 4], :, 0]).mean(axis=0)
    np.testing.assert_allclose(scores.where(group="p", output="yes").values, expected)


def test_items_may_have_several_keys():
    shares = Attributions([[1.0, 2.0]], [(0, 0), (0, 1)], keys=("layer", "head"), item="head")
    assert shares.aggregate().top(1).items == [(0, 1)]


def test_they_survive_a_pickle_and_are_read_only(linear):
    again = pickle.loads(pickle.dumps(linear))
    np.testing.assert_array_equal(np.asarray(again), linear.values)
    with pytest.raises(ValueError, match="read-only"):
        linear.values[0, 0, 0] = 1.0


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"values": [1.0], "items": ["a"]}, ValueError, r"\(n, items\)"),
        ({"values": [[1.0]], "items": ["a", "b"]}, ValueError, "1 items, but 2 names"),
        ({"values": [[1.0, 2.0]], "items": ["a", "a"]}, ValueError, "equal"),
        ({"values": [["x"]], "items": ["a"]}, TypeError, "real numbers"),
        ({"values": [[1.0]], "items": ["a"], "lo": [1.0]}, ValueError, "lo must have the shape"),
        ({"values": [[1.0]], "items": ["a"], "base": [1.0, 2.0]}, ValueError, "base must spread"),
        ({"values": [[1.0]], "items": ["a"], "outputs": ["y"]}, ValueError, "outputs names 1"),
        ({"values": [[1.0]], "items": ["a"], "residual": {"r": [1.0, 2.0]}}, ValueError, "residual"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        Attributions(**arguments)


def test_aggregating_in_an_unknown_way_or_over_nothing_is_refused():
    with pytest.raises(ValueError, match="mean_abs"):
        Attributions([[1.0]], ["a"]).aggregate("median")
    with pytest.raises(ValueError, match="no instance"):
        Attributions(np.empty((0, 1)), ["a"]).aggregate()
    with pytest.raises(ValueError, match="one group per instance"):
        Attributions([[1.0]], ["a"]).aggregate(by=["x", "y"])
