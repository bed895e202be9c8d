"""What an audit finds, and what it leaves in peace."""

import numpy as np
import polars as pl
import pytest

from salience.data.datasets import load
from salience.tabular.auditing import audit


@pytest.fixture
def healthy():
    rng = np.random.default_rng(0)
    n = 4000
    return pl.DataFrame({"a": rng.integers(0, 5, n), "b": rng.normal(size=n), "y": rng.integers(0, 2, n)})


def findings(frame, label="y", **options):
    return set(audit(frame, label, **options).select("column", "finding").iter_rows())


def test_healthy_columns_are_left_in_peace(healthy):
    # a float with as many values as rows names the row: that is all there is to say about it
    assert findings(healthy) <= {("b", "id-like"), ("b", "rare")}


@pytest.mark.parametrize(
    ("column", "finding"),
    [
        (pl.lit("x"), "constant"),
        (pl.lit(None, dtype=pl.String), "constant"),
        (pl.col("a"), "duplicate"),
        (pl.col("a").replace_strict({0: "u", 1: "v", 2: "w", 3: "x", 4: "z"}), "recoded"),
        (pl.int_range(pl.len()).cast(pl.String) + "k", "id-like"),
        (pl.when(pl.int_range(pl.len()) % 3 == 0).then(pl.col("a")), "missing"),
        (pl.int_range(pl.len()) // 500, "drifting"),
        (pl.col("y").replace_strict({0: "no", 1: "yes"}), "leaking"),
    ],
)
def test_each_oddity_is_found(healthy, column, finding):
    assert ("odd", finding) in findings(healthy.with_columns(odd=column))


def test_two_columns_of_one_distribution_are_no_duplicates(healthy):
    assert findings(healthy.with_columns(odd=pl.col("a").shuffle(seed=1))) <= {
        ("b", "id-like"),
        ("b", "rare"),
    }


def test_without_a_label_there_is_no_leak(healthy):
    found = findings(healthy.with_columns(odd=pl.col("y")), label=None)
    assert ("odd", "leaking") not in found
    assert ("odd", "duplicate") in found


def test_education_is_recorded_twice_in_the_census():
    assert findings(load("adult"), "income") == {("education-num", "recoded")}


def test_blocks_and_threads_do_not_change_the_findings(healthy, tmp_path):
    frame = healthy.with_columns(again=pl.col("b"))
    for i in range(4):
        frame[i * 1000 : (i + 1) * 1000].write_parquet(tmp_path / f"{i}.parquet")
    assert findings(tmp_path, n_jobs=2) == findings(frame, n_jobs=1)
