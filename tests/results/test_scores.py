"""Scores: the door, the ordering rule, selection, and what a person reads."""

import copy
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from salience.results import Meta, Scores

REAL = st.floats(allow_nan=True, allow_infinity=True)
FINITE_OR_NAN = st.one_of(st.just(float("nan")), st.floats(-1e6, 1e6))


@pytest.fixture
def per_class():
    frame = pl.DataFrame(
        {
            "class": ["cat", "dog", "cat", "dog", "cat"],
            "column": ["a", "a", "b", "b", "c"],
            "value": [1.0, 5.0, 3.0, 4.0, None],
        }
    )
    return Scores(frame, keys=("column",), by=("class",))


@pytest.fixture
def heads():
    return Scores.from_matrix([[0.1, -0.9], [0.4, 0.2]], keys=("layer", "head"), item="head", better="abs")


# ---- the ordering rule --------------------------------------------------------------------------------


@given(st.lists(FINITE_OR_NAN, max_size=30), st.sampled_from(["high", "low", "abs"]))
def test_order_is_a_permutation_best_first_unscored_last(values, better):
    scores = Scores.from_values(values, better=better)
    order = scores.order()
    assert sorted(order) == list(range(len(values)))
    ordered = scores.values[order]
    scored = ordered[~np.isnan(ordered)]
    assert np.isnan(ordered[scored.size :]).all()
    size = {"high": -scored, "low": scored, "abs": -np.abs(scored)}[better]
    assert (np.diff(size) >= 0).all()


@given(st.lists(st.sampled_from([0.0, 1.0, -1.0, float("nan")]), max_size=20))
def test_ties_keep_the_order_of_the_frame(values):
    scores = Scores.from_values(values, better="abs")
    order = scores.order()
    sizes = np.abs(scores.values[order])
    for one, next_one, i, j in zip(sizes, sizes[1:], order, order[1:], strict=False):
        assert one != next_one or i < j


@given(st.lists(FINITE_OR_NAN, min_size=1, max_size=20))
def test_ranks_are_the_inverse_of_order(values):
    scores = Scores.from_values(values)
    ranks = scores.ranks()
    for place, row in enumerate(scores.order().tolist(), start=1):
        assert ranks[row] == (None if np.isnan(values[row]) else place)


def test_a_rank_column_decides_over_the_value():
    frame = pl.DataFrame({"column": ["a", "b"], "value": [9.0, 1.0], "rank": [2, 1]})
    assert Scores(frame, keys="column").top(2).items == ["b", "a"]


def test_the_flag_unscored_sends_an_item_to_the_end():
    scores = Scores.from_values([9.0, 1.0], ["a", "b"], flag=["unscored", None])
    assert scores.order().tolist() == [1, 0]
    assert scores.top(2).items == ["b"]


def test_infinite_values_are_ranked_not_dropped():
    assert Scores.from_values([1.0, np.inf, -np.inf]).order().tolist() == [1, 0, 2]


def test_each_context_is_a_ranking_of_its_own(per_class):
    assert per_class.ranks().to_list() == [2, 1, 1, 2, None]
    assert per_class.order(**{"class": "dog"}).tolist() == [1, 3]
    assert per_class.top(1).frame.select("class", "column").rows() == [("cat", "b"), ("dog", "a")]


def test_order_refuses_to_mix_contexts_and_says_how_to_name_one(per_class):
    with pytest.raises(ValueError, match=r"one ranking per class.*class='cat'"):
        per_class.order()


# ---- selection ----------------------------------------------------------------------------------------


@given(st.lists(FINITE_OR_NAN, min_size=1, max_size=30), st.integers(1, 40))
def test_select_k_keeps_the_head_of_the_order_and_nothing_unscored(values, k):
    scores = Scores.from_values(values)
    kept = scores.select(k=k)
    scored = int((~np.isnan(scores.values)).sum())
    assert len(kept) == min(k, scored)
    assert kept.items == [scores.items[i] for i in scores.order()[: len(kept)]]
    assert kept.indices.tolist() == sorted(scores.order()[: len(kept)].tolist())


@pytest.mark.parametrize(("share", "count"), [(0.07, 7), (0.071, 8), (1.0, 100), (1e-6, 1)])
def test_select_fraction_rounds_up_but_not_by_float_error(share, count):
    assert len(Scores.from_values(np.arange(100.0)).select(fraction=share)) == count


@pytest.mark.parametrize(
    ("better", "above", "kept"),
    [("high", 1.0, ["c"]), ("low", 1.0, ["b"]), ("abs", 1.5, ["b", "c"]), ("abs", 2.0, ["b"])],
)
def test_select_above_follows_what_is_better(better, above, kept):
    scores = Scores.from_values({"a": 1.0, "b": -3.0, "c": 2.0}, better=better)
    assert scores.select(above=above).items == kept


def test_beats_null_reads_the_strongest_evidence_there_is():
    both = Scores.from_values([1.0, 1.0], ["a", "b"], p=[0.01, 0.02], q=[0.04, 0.06])
    assert both.select(beats_null=True).items == ["a"]
    assert Scores.from_values([1.0, 1.0], ["a", "b"], p=[0.01, 0.2]).select(beats_null=0.1).items == ["a"]
    assert Scores.from_values([1.0, 1.0], ["a", "b"], z=[1.7, 1.6]).select(beats_null=0.05).items == ["a"]
    assert Scores.from_values([1.0, 3.0], ["a", "b"], null=[2.0, 2.0]).select(beats_null=True).items == ["b"]


def test_beats_null_knows_a_value_from_which_the_null_is_already_taken():
    scores = Scores.from_values([0.01, -0.01], ["a", "b"], mi=[0.51, 0.49], null=[0.5, 0.5])
    assert scores.select(beats_null=True).items == ["a"]


def test_beats_null_believes_meta_about_the_null():
    def scores(net):
        return Scores.from_values([1.0, 3.0], ["a", "b"], null=[2.0, 2.0], meta=Meta(net_of_null=net))

    assert scores(True).select(beats_null=True).items == ["b", "a"]
    assert scores(False).select(beats_null=True).items == ["b"]


def test_another_measure_called_mi_is_not_taken_for_the_raw_one():
    scores = Scores.from_values([9.0, 1.0], ["a", "b"], mi=[0.1, 0.2], null=[2.0, 2.0])
    assert scores.select(beats_null=True).items == ["a"]


def test_select_per_group_runs_the_rule_in_each(heads):
    assert heads.select(k=1, per="layer").items == [(0, 1), (1, 0)]


def test_select_goes_context_by_context(per_class):
    kept = per_class.select(k=1)
    assert kept.frame.select("class", "column").rows() == [("cat", "b"), ("dog", "a")]
    assert kept.mask.tolist() == [False, True, True, False, False]


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({}, "exactly one"),
        ({"k": 1, "above": 0.0}, "exactly one"),
        ({"k": 0}, "from 1 up"),
        ({"k": 1.5}, "whole number"),
        ({"fraction": 1.5}, r"\(0, 1\]"),
        ({"above": float("nan")}, "nan"),
        ({"beats_null": 2}, "level"),
        ({"beats_null": True}, "q, p or z"),
        ({"k": 1, "per": "colour"}, "not a column"),
    ],
)
def test_a_wrong_rule_is_refused(rule, message):
    with pytest.raises(ValueError, match=message):
        Scores.from_values([1.0, 2.0]).select(**rule)


# ---- the door -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "options", "error", "message"),
    [
        ({"column": ["a"]}, {}, ValueError, "'value' or 'rank'"),
        ({"name": ["a"], "value": [1.0]}, {}, ValueError, "the frame has the columns name, value"),
        ({"column": ["a", "a"], "value": [1.0, 2.0]}, {}, ValueError, "share a name"),
        ({"column": ["a", None], "value": [1.0, 2.0]}, {}, ValueError, r"1 of 2 rows have no 'column'"),
        ({"column": ["a"], "value": ["high"]}, {}, TypeError, "must hold numbers"),
        ({"column": ["a"], "rank": [0]}, {}, ValueError, "from 1"),
        ({"column": ["a"], "rank": [1.5]}, {}, ValueError, "whole numbers"),
        ({"column": ["a"], "value": [1.0], "p": [1.5]}, {}, ValueError, r"outside \[0, 1\]"),
        ({"column": ["a"], "value": [1.0], "se": [-1.0]}, {}, ValueError, "negative"),
        ({"column": ["a"], "value": [1.0], "lo": [2.0], "hi": [1.0]}, {}, ValueError, "above 'hi'"),
        ({"column": ["a"], "value": [1.0], "flag": ["odd"]}, {}, ValueError, "constant, dead"),
        ({"column": ["a"], "value": [1.0]}, {"item": "thing"}, ValueError, "registered kind"),
        ({"column": ["a"], "value": [1.0]}, {"better": "up"}, ValueError, "high, low, abs"),
        ({"column": ["a"], "value": [1.0]}, {"by": "column"}, ValueError, "one role only"),
        ({"column": ["a"], "value": [1.0]}, {"replicates": [[1.0, 2.0]]}, ValueError, r"\(R, 1\)"),
        ({"column": ["a"], "value": [1.0]}, {"meta": {}}, TypeError, "Meta"),
    ],
)
def test_a_frame_that_breaks_a_rule_is_refused_with_what_is_wrong(columns, options, error, message):
    with pytest.raises(error, match=message):
        Scores(pl.DataFrame(columns), **{"keys": "column", **options})


def test_a_reserved_column_cannot_name_items():
    with pytest.raises(ValueError, match="reserved column 'rank'"):
        Scores(pl.DataFrame({"rank": [1]}), keys="rank")


def test_a_pandas_frame_is_refused_and_the_way_is_shown():
    with pytest.raises(TypeError, match="from_pandas"):
        Scores(pd.DataFrame({"column": ["a"], "value": [1.0]}), keys="column")


def test_an_unordered_pair_stands_once():
    frame = pl.DataFrame({"a": ["x", "y"], "b": ["y", "x"], "value": [1.0, 1.0]})
    Scores(frame, keys=("a", "b"), item="pair")
    with pytest.raises(ValueError, match="share a name"):
        Scores(frame, keys=("a", "b"), item="pair", meta=Meta(symmetric=True))


def test_nan_and_null_are_one_thing_and_keys_become_text():
    frame = pl.DataFrame({"column": pl.Series(["a"], dtype=pl.Categorical), "value": [float("nan")]})
    scores = Scores(frame, keys="column")
    assert scores.frame["value"].null_count() == 1
    assert scores.frame.schema["column"] == pl.String
    assert np.isnan(np.asarray(scores)).all()


@pytest.mark.parametrize("frame", [pl.DataFrame({"column": [], "value": []})])
def test_no_items_are_no_error(frame):
    scores = Scores(frame, keys="column")
    assert len(scores) == scores.order().size == len(scores.select(k=3)) == 0
    assert "0 columns" in repr(scores)


# ---- making and reading -------------------------------------------------------------------------------


def test_numpy_sees_the_values_in_frame_order():
    scores = Scores.from_values({"a": 1.0, "b": float("nan"), "c": 3.0})
    np.testing.assert_array_equal(np.asarray(scores), [1.0, np.nan, 3.0])
    assert np.asarray(scores, dtype=np.float32).dtype == np.float32


def test_numpy_cannot_have_the_values_without_a_copy():
    with pytest.raises(ValueError, match="copy"):
        np.array(Scores.from_values([1.0]), copy=False)


def test_a_pandas_series_names_its_items():
    assert Scores.from_values(pd.Series([1.0, 2.0], index=["a", "b"])).items == ["a", "b"]


def test_scores_survive_a_pickle_and_a_deep_copy():
    scores = Scores.from_values({"a": 1.0}, replicates=[[1.0]], meta=Meta(params={"k": [1]}))
    assert pickle.loads(pickle.dumps(scores)).equals(scores)
    assert copy.deepcopy(scores).equals(scores)


@pytest.mark.parametrize(("k", "items"), [(0, []), (1, ["b"]), (9, ["b", "a"])])
def test_top_gives_what_there_is(k, items):
    assert Scores.from_values({"a": 1.0, "b": 2.0, "c": float("nan")}).top(k).items == items


def test_top_of_a_fraction_is_refused():
    with pytest.raises(ValueError, match="from 0 up"):
        Scores.from_values([1.0]).top(-1)


def test_an_order_without_numbers_has_ranks_and_no_values():
    scores = Scores.from_order(["b", "a"], unscored=["c"])
    assert scores.ranks().to_list() == [1, 2, None]
    with pytest.raises(ValueError, match="order without numbers"):
        np.asarray(scores)
    with pytest.raises(ValueError, match="order without numbers"):
        scores.select(above=1.0)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Scores.from_values([[1.0]]), ValueError, "one number per item"),
        (lambda: Scores.from_values([1.0], ["a", "b"]), ValueError, "1 values but 2 items"),
        (lambda: Scores.from_values(["x"]), TypeError, "real numbers"),
        (lambda: Scores.from_values([1.0, 2.0], "ab"), TypeError, "one string"),
        (lambda: Scores.from_values({"a": 1.0}, ["a"]), ValueError, "already names"),
        (lambda: Scores.from_values([1.0], [(1,)], keys=("a", "b")), ValueError, "tuple of 2"),
        (lambda: Scores.from_values([1.0], se=[1.0, 2.0]), ValueError, "'se' has 2 entries"),
        (lambda: Scores.from_matrix([1.0]), ValueError, "must be a matrix"),
        (lambda: Scores.from_matrix([[1.0]], ["a", "b"]), ValueError, "as many names"),
        (
            lambda: Scores.from_matrix([[0.0, 1.0], [2.0, 0.0]], meta=Meta(symmetric=True)),
            ValueError,
            "not symmetric",
        ),
    ],
)
def test_constructors_refuse_what_does_not_fit(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_where_filters_rows_and_replicates_alike():
    scores = Scores.from_values({"a": 1.0, "b": 2.0, "c": 3.0}, replicates=[[1, 2, 3], [4, 5, 6]])
    kept = scores.where(column=["c", "a"])
    assert kept.items == ["a", "c"]
    np.testing.assert_array_equal(kept.replicates, [[1, 3], [4, 6]])


@pytest.mark.parametrize(
    ("condition", "message"),
    [({"colour": 1}, "no column 'colour'"), ({"column": "z"}, "one of 'a', 'b'"), ({"column": 3}, "column")],
)
def test_where_without_a_match_says_what_there_is(condition, message):
    with pytest.raises(ValueError, match=message):
        Scores.from_values({"a": 1.0, "b": 2.0}).where(**condition)


@given(st.integers(1, 4), st.integers(1, 4), st.data())
def test_matrix_undoes_from_matrix(n, m, data):
    values = np.array(data.draw(st.lists(st.floats(-1e6, 1e6), min_size=n * m, max_size=n * m))).reshape(n, m)
    found = Scores.from_matrix(values, keys=("layer", "head"), item="head").matrix()
    np.testing.assert_array_equal(found.values, values)
    assert (found.rows, found.columns) == (list(range(n)), list(range(m)))


def test_matrix_lays_contexts_across(per_class):
    found = per_class.matrix()
    assert (found.rows, found.columns) == (["a", "b", "c"], ["cat", "dog"])
    np.testing.assert_array_equal(found.values, [[1.0, 5.0], [3.0, 4.0], [np.nan, np.nan]])


def test_matrix_of_unordered_pairs_fills_both_sides():
    values = np.array([[0.0, 1.0, 2.0], [1.0, 0.0, 3.0], [2.0, 3.0, 0.0]])
    found = Scores.from_matrix(values, list("xyz"), meta=Meta(symmetric=True)).matrix()
    assert found.rows == found.columns == ["x", "y", "z"]
    np.testing.assert_array_equal(np.nan_to_num(found.values), values)


def test_matrix_refuses_one_key():
    with pytest.raises(ValueError, match="two names per row"):
        Scores.from_values([1.0]).matrix()


def test_pandas_and_polars_get_the_frame():
    scores = Scores.from_values({"a": 1.0})
    assert scores.to_polars().equals(scores.frame)
    assert scores.to_pandas().columns.tolist() == ["column", "value"]


def test_the_text_is_bounded_and_short_lined():
    scores = Scores.from_values({f"{'long' * 20}_{i}": float(i) for i in range(1000)})
    lines = repr(scores).splitlines()
    assert len(lines) == 13
    assert max(map(len, lines)) < 80
    assert "…" in lines[2]
    assert lines[-1] == "… 990 more"


def test_the_html_escapes_names():
    page = Scores.from_values({"<script>alert(1)</script>": 1.0}, meta=Meta(method="<b>"))._repr_html_()
    assert "<script>" not in page
    assert "<b>" not in page
    assert "&lt;script&gt;" in page


def test_scores_are_read_only():
    scores = Scores.from_values([1.0], replicates=[[1.0]])
    with pytest.raises(AttributeError):
        scores.item = "row"
    with pytest.raises(ValueError, match="read-only"):
        scores.replicates[0, 0] = 2.0


@given(st.lists(REAL, max_size=10))
def test_equals_means_the_same_numbers(values):
    scores = Scores.from_values(values)
    assert scores.equals(Scores.from_values(values))
    assert not scores.equals(Scores.from_values([*values, 1.0]))
