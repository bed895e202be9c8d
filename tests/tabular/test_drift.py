"""Drift between two sources: what moved, and not what is merely new."""

import numpy as np
import polars as pl
import pytest

from salience.measures.contingency import Contingency
from salience.tabular.drift import compare, stability_index


def sample(seed, shift=0.0, rows=5000):
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "same": rng.integers(0, 20, rows),
            "number": rng.normal(shift, 1, rows),
            "id": [f"{seed}-{i}" for i in range(rows)],
            "gap": [
                None if gap else int(v)
                for gap, v in zip(
                    rng.random(rows) < 0.1 + 0.3 * (shift > 0), rng.integers(0, 3, rows), strict=True
                )
            ],
        }
    )


def test_a_shifted_number_and_new_gaps_have_drifted_and_new_ids_have_not():
    found = compare(sample(1), sample(2, shift=0.3)).frame
    verdicts = dict(zip(found["column"], found["verdict"], strict=True))
    assert verdicts == {"number": "signal", "gap": "signal", "same": "noise", "id": "id"}


def test_two_samples_of_one_source_show_no_drift():
    found = compare(sample(1), sample(2)).frame
    assert not {"signal", "leak"} & set(found["verdict"])
    assert found["psi"].drop_nans().filter(found["column"] != "id").max() < 0.1


def test_shares_of_missing_values_stand_beside_the_score():
    row = compare(sample(1), sample(2, shift=0.3)).frame.filter(pl.col("column") == "gap").row(0, named=True)
    assert row["missing_a"] == pytest.approx(0.1, abs=0.02)
    assert row["missing_b"] == pytest.approx(0.4, abs=0.02)


def test_files_of_different_formats_are_compared_by_value(tmp_path):
    sample(1).write_csv(tmp_path / "a.csv")
    sample(1).write_parquet(tmp_path / "b.parquet")
    found = compare(tmp_path / "a.csv", tmp_path / "b.parquet").frame
    assert found["mi"].abs().max() < 1e-12


def test_columns_of_one_side_are_named():
    scores = compare(sample(1), sample(2).drop("same").with_columns(new=pl.lit(1)))
    assert "only in the first source: same" in scores.meta.warnings
    assert "only in the second source: new" in scores.meta.warnings


def test_no_common_column_is_an_error_that_lists_both():
    with pytest.raises(ValueError, match=r"one has a.*the other b"):
        compare({"a": [1, 2]}, {"b": [1, 2]})


def test_the_stability_index_is_that_of_the_textbook():
    table = Contingency.from_counts([[60, 40], [40, 60]])
    assert stability_index(table) == pytest.approx(2 * 0.2 * np.log(0.6 / 0.4))
