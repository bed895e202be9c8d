"""What a profile says of the columns."""

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from salience.data.budget import Budget
from salience.tabular.profiling import profile


@pytest.fixture(scope="module")
def found():
    rng = np.random.default_rng(0)
    frame = pl.DataFrame(
        {
            "number": rng.normal(5, 2, 3000),
            "text": ["often"] * 2000 + ["some"] * 500 + [None] * 400 + [f"r{i}" for i in range(100)],
            "empty": pl.Series([None] * 3000, dtype=pl.String),
        }
    )
    return profile(frame).rows_by_key("column", named=True, unique=True), frame


def test_counts_are_exact_while_they_fit(found):
    rows, _ = found
    assert rows["text"]["distinct"] == 102
    assert rows["text"]["distinct_error"] == 0
    assert rows["text"]["coverage"] == pytest.approx(2600 / 3000)
    assert (rows["text"]["over_1"], rows["text"]["over_100"], rows["text"]["over_1000"]) == (2, 2, 1)
    assert (rows["text"]["top_value"], rows["text"]["top_share"]) == ("often", 2000 / 3000)


def test_numbers_have_exact_moments_and_near_quantiles(found):
    rows, frame = found
    row, values = rows["number"], frame["number"]
    assert (row["min"], row["max"]) == (values.min(), values.max())
    assert row["mean"] == pytest.approx(values.mean())
    assert row["sd"] == pytest.approx(values.std())
    assert row["q50"] == pytest.approx(values.median(), abs=0.1)


def test_an_empty_column_is_described_too(found):
    rows, _ = found
    assert (rows["empty"]["coverage"], rows["empty"]["distinct"], rows["empty"]["top_value"]) == (0, 0, None)


def test_a_column_of_many_values_is_estimated_with_its_error(monkeypatch):
    monkeypatch.setattr(Budget, "work", 2 << 20)
    monkeypatch.setattr(Budget, "check", lambda *_: None)
    rows = 300_000
    row = profile({"id": [f"u{i % 200_000}" for i in range(rows)]}).row(0, named=True)
    assert row["distinct_error"] > 0
    assert abs(row["distinct"] / 200_000 - 1) < 4 * row["distinct_error"]


@pytest.mark.parametrize("sliced", [False, True])
def test_bytes_per_value_are_those_of_the_values(sliced):
    """Not of offsets, of codes or of what a slice leaves out."""
    text = pa.array(["é", "abcd", None, "", "abcd"] * 20)
    table = pa.table(
        {
            "text": text,
            "coded": text.dictionary_encode(),
            "long": text.cast(pa.large_string()),
            "whole": pa.array([1, 2, None, 4, 5] * 20, pa.int64()),
            "small": pa.array([1, 2, None, 4, 5] * 20, pa.int8()),
            "flag": pa.array([True, False, None, True, True] * 20),
            "tags": pa.array([["a", "bc"], [], None, ["d"], ["efgh"]] * 20),
        }
    )
    if sliced:
        table = pa.concat_tables(
            [pa.table({c: pa.nulls(7, table[c].type) for c in table.column_names}), table]
        ).slice(7)
    found = dict(profile(table).select("column", "bytes_per_value").iter_rows())
    mean = (2 + 4 + 4) / 3
    expected = {
        "text": mean,
        "coded": mean,
        "long": mean,
        "whole": 8,
        "small": 1,
        "flag": 1,
        "tags": (3 + 1 + 4) / 3,
    }
    assert found == pytest.approx(expected)
