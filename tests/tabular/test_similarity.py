import numpy as np
import polars as pl
import pytest
from sklearn.metrics import adjusted_mutual_info_score, mutual_info_score

from salience.data.plan import plan
from salience.data.readers import open_source
from salience.tabular.redundancy import rank_3mr
from salience.tabular.streaming.similarity import pairwise_redundancy


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    a = rng.integers(8, size=4000)
    columns = {
        "a": a, "renamed": (a * 5 + 3) % 8, "coarse": a // 2, "noise": rng.integers(50, size=4000),
        "id": rng.permutation(4000), "id2": rng.permutation(4000),
    }  # fmt: skip
    texts = {name: [f"v{v}" for v in values] for name, values in columns.items()}
    source = open_source(pl.DataFrame({**texts, "y": ["n", "p"] * 2000}))
    return columns, plan(source, "y"), source


@pytest.fixture(scope="module")
def measured(table):
    _, planned, source = table
    scores = pairwise_redundancy(planned, source=source)
    return scores, {
        (a, b): row for a, b, *row in scores.frame.select("a", "b", "value", "similarity").iter_rows()
    }


def test_values_are_corrected_mutual_information_and_similarity_is_adjusted_to_the_smaller_entropy(
    table, measured
):
    columns = table[0]
    for (a, b), (_, similarity) in measured[1].items():
        if not {a, b} & {"id", "id2"}:
            expected = adjusted_mutual_info_score(columns[a], columns[b], average_method="min")
            assert similarity == pytest.approx(expected, abs=1e-9)
    row = measured[0].frame.filter((pl.col("a") == "a") & (pl.col("b") == "noise"))
    assert row["mi"][0] == pytest.approx(mutual_info_score(columns["a"], columns["noise"]), abs=1e-10)


def test_a_renaming_is_the_same_column_a_coarsening_is_contained_and_noise_is_neither(measured):
    found = measured[1]
    assert found["a", "renamed"][1] == pytest.approx(1.0)
    assert found["a", "coarse"][1] == pytest.approx(1.0)
    assert found["a", "noise"][1] == pytest.approx(0.0, abs=0.01)


@pytest.mark.parametrize("other", ["id2", "a", "noise"])
def test_a_row_id_has_nothing_in_common_with_any_column_above_chance(measured, other):
    found = measured[1]
    assert found.get(("id", other), found.get((other, "id"))) == pytest.approx([0.0, 0.0], abs=1e-9)


def test_it_is_the_redundancy_that_3mr_reads(measured):
    relevance = {"a": 1.0, "renamed": 0.99, "coarse": 0.5, "noise": 0.4}
    ranked = rank_3mr(relevance, measured[0], {}, scale=True)
    assert ranked.frame["column"].to_list()[:2] == ["a", "noise"]


def test_a_small_budget_still_reaches_every_pair_with_enough_blocks(table):
    _, _, source = table
    planned = plan(source, "y", block_rows=500)
    scores = pairwise_redundancy(planned, source=source, pair_budget=5, blocks=1)
    assert scores.frame.height == 15
    assert not scores.meta.warnings
    few = pairwise_redundancy(plan(source, "y"), source=source, pair_budget=5, blocks=1)
    assert "10 pairs" in few.meta.warnings[0]


def test_a_missing_value_is_a_value(table):
    gaps = [None, "x"] * 1000
    source = open_source(
        pl.DataFrame({"a": gaps, "b": [None if g is None else "z" for g in gaps], "y": [0, 1] * 1000})
    )
    scores = pairwise_redundancy(plan(source, "y"), source=source)
    assert scores.frame["similarity"][0] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"columns": ["a"]}, "have no pairs"),
        ({"pair_budget": 0}, "must be 1 or more"),
        ({"blocks": 0}, "must be 1 or more"),
        ({"rows": 1}, "2 or more"),
    ],
)
def test_options_outside_their_range_are_refused(table, options, says):
    with pytest.raises(ValueError, match=says):
        pairwise_redundancy(table[1], source=table[2], **options)
