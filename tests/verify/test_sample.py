import numpy as np
import pandas as pd
import polars as pl
import pytest

from salience.verify.sample import Sample

X = {"a": [1, 2, 3, 4], "b": ["u", "v", "u", None]}


@pytest.mark.parametrize(
    "kind", [pl.DataFrame, pd.DataFrame, lambda columns: pl.DataFrame(columns).to_arrow()]
)
def test_the_kind_of_frame_is_kept(kind):
    sample = Sample.of(kind(X), [0, 1, 0, 1])
    for part in (
        sample.X,
        sample.take(np.array([3, 1])).X,
        sample.joined(),
        sample.with_columns({"c": [1.0] * 4}).X,
    ):
        assert type(part) is type(kind(X))


def test_rows_are_taken_in_the_order_asked_for_also_from_an_indexed_pandas_frame():
    frame = pd.DataFrame(X, index=[9, 9, 5, 1])
    sample = Sample.of(frame, np.array([0, 1, 2, 3])).take(np.array([3, 0]))
    assert sample.frame["a"].to_list() == [4, 1]
    assert sample.target.tolist() == [3, 0]
    assert sample.with_columns({"c": sample.take(np.array([1, 0])).frame["a"]}).frame["c"].to_list() == [1, 4]


def test_rows_without_a_target_are_left_out_and_counted():
    sample = Sample.of(pl.DataFrame(X), pl.Series([1.5, None, float("nan"), 2.5]))
    assert (len(sample), sample.dropped, sample.frame["a"].to_list()) == (2, 2, [1, 4])


@pytest.mark.parametrize(
    ("target", "task"),
    [
        (["x", "y", "x", "y"], "classes"),
        ([True, False, True, False], "classes"),
        ([0, 1, 1, 0], "classes"),
        ([0.0, 1.0, 1.0, 0.0], "classes"),
        ([0.1, 1.0, 1.0, 0.0], "numbers"),
    ],
)
def test_the_task_is_read_from_the_target(target, task):
    assert Sample.of(pl.DataFrame(X), target).task == task


def test_many_whole_numbers_are_numbers_unless_said_otherwise():
    frame = pl.DataFrame({"a": range(50)})
    assert Sample.of(frame, np.arange(50)).task == "numbers"
    assert Sample.of(frame, np.arange(50), task="classes").task == "classes"


def test_a_target_named_like_a_column_gets_a_name_of_its_own():
    sample = Sample.of(pl.DataFrame({"target": [1, 2]}), [0, 1])
    assert sample.label != "target"
    assert set(sample.joined().columns) == {"target", sample.label}


@pytest.mark.parametrize(
    ("data", "target", "error", "message"),
    [
        (pl.DataFrame(X), None, TypeError, "pair"),
        (pl.DataFrame(X), "nope", ValueError, "its columns are a, b"),
        (pl.DataFrame(X), [1, 2], ValueError, "2 values"),
        (pl.DataFrame(X), [[1], [2], [3], [4]], ValueError, "one value per row"),
        (pl.DataFrame(X), [None] * 4, ValueError, "none of the 4 rows"),
        (pl.DataFrame({"a": [1, 2]}), "a", ValueError, "nothing to rank"),
        (pl.DataFrame({"a": [1, 2], "y": [[1], [2]]}), "y", TypeError, "text, booleans or numbers"),
        (pd.DataFrame({0: [1, 2]}), [0, 1], TypeError, "named by text"),
        (np.zeros(3), [0, 1, 0], ValueError, "two dimensions"),
        (3, [0, 1], TypeError, "pandas, polars"),
    ],
)
def test_what_is_no_table_is_refused_with_a_reason(data, target, error, message):
    with pytest.raises(error, match=message):
        Sample.of(data, target)


def test_a_wrong_task_is_refused():
    with pytest.raises(ValueError, match="auto"):
        Sample.of(pl.DataFrame(X), [0, 1, 0, 1], task="ranking")
