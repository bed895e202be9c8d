import numpy as np
import polars as pl
import pytest
from sklearn.metrics import mutual_info_score
from sklearn.metrics.cluster import contingency_matrix, expected_mutual_information

from salience.data.plan import plan
from salience.data.readers import open_source
from salience.tabular.interactions import rank_combinations


def _planned(columns, y, **options):
    texts = {name: [f"v{value}" for value in values] for name, values in columns.items()}
    source = open_source(pl.DataFrame({**texts, "y": y.astype(str)}))
    return plan(source, "y", **options), source


@pytest.fixture(scope="module")
def xor():
    """The label is the exclusive or of f2 and f5, and f0 alone says a little."""
    rng = np.random.default_rng(0)
    columns = {f"f{i}": rng.integers([2, 3, 2, 40, 600, 2, 7][i], size=6000) for i in range(7)}
    y = columns["f2"] ^ columns["f5"]
    y = np.where(rng.random(6000) < 0.8, y, (columns["f0"] + (rng.random(6000) < 0.3)) % 2)
    return columns, y


def test_the_pair_is_found_and_its_synergy_is_what_neither_column_says(xor):
    planned, source = _planned(*xor)
    found = rank_combinations(planned, source=source)
    best = found.pairs.frame.row(0, named=True)
    assert (best["a"], best["b"]) == ("f2", "f5")
    assert best["synergy"] > 0.9 * best["value"]
    assert best["z"] > 50
    assert (found.n_combinations, found.n_evaluated) == (21, 21)
    others = found.pairs.frame.filter(pl.col("rank") > 1)
    assert (others["synergy"] < 0.01).all()


def test_scores_are_exact_when_everything_fits(xor):
    columns, y = xor
    planned, source = _planned(columns, y)
    found = rank_combinations(planned, source=source)
    assert found.pairs.frame["exact"].all()
    for row in found.pairs.frame.iter_rows(named=True):
        together = columns[row["a"]] * 1000 + columns[row["b"]]
        codes = np.unique(together, return_inverse=True)[1]
        mi = mutual_info_score(codes, y)
        null = expected_mutual_information(contingency_matrix(codes, y, sparse=True), len(y))
        assert row["mi"] == pytest.approx(mi, abs=1e-9)
        assert row["value"] == pytest.approx(mi - null, abs=1e-9)


def test_blocks_and_the_exact_count_agree_on_a_stream_of_one_block(xor):
    planned, source = _planned(*xor)
    exact = rank_combinations(planned, source=source).pairs.frame
    blocks = rank_combinations(planned, source=source, finalists=0).pairs.frame
    assert not blocks["exact"].any()
    joined = exact.join(blocks, on=["a", "b"])
    np.testing.assert_allclose(joined["value"], joined["value_right"], atol=1e-9)
    np.testing.assert_allclose(joined["synergy"], joined["synergy_right"], atol=1e-9)


def test_of_pairs_of_high_cardinality_noise_none_stands_out():
    rng = np.random.default_rng(1)
    columns = {f"n{c}": rng.integers(c, size=8000) for c in (2, 10, 100, 1000, 3000, 8000)}
    planned, source = _planned(columns, rng.integers(2, size=8000))
    found = rank_combinations(planned, source=source)
    assert (found.pairs.frame["z"].abs() < 4).all()
    assert (found.pairs.frame["mi"] > 0.5).any()  # which plain mutual information would have put first


def test_with_a_budget_every_block_takes_its_turn_and_counts_differ_by_one():
    rng = np.random.default_rng(2)
    columns = {f"f{i}": rng.integers(4, size=20000) for i in range(9)}
    y = (columns["f3"] + columns["f7"]) % 2
    planned, source = _planned(columns, y, block_rows=2000)
    found = rank_combinations(planned, source=source, pair_budget=10, rounds=1, work=200_000, finalists=5)
    counts = found.pairs.frame["n_batches"]
    assert found.n_evaluated == 36
    assert counts.max() - counts.min() <= 1
    assert found.pairs.frame.select("a", "b").row(0) == ("f3", "f7")
    assert found.pairs.frame["exact"].sum() == 5


def test_halving_spends_later_rounds_on_those_that_are_left():
    rng = np.random.default_rng(3)
    columns = {f"f{i}": rng.integers(3, size=30000) for i in range(16)}
    y = np.where(rng.random(30000) < 0.75, (columns["f1"] == columns["f9"]), rng.random(30000) < 0.5).astype(
        int
    )
    planned, source = _planned(columns, y, block_rows=2000)
    found = rank_combinations(planned, source=source, work=1_200_000, rounds=3, finalists=4, pair_budget=60)
    frame = found.pairs.frame
    assert frame.select("a", "b").row(0) == ("f1", "f9")
    assert frame["n_batches"][0] > frame["n_batches"].median()
    assert len(found.pairs.meta.extra["blocks"]) == 3


def test_what_no_block_has_scored_is_counted_and_said():
    rng = np.random.default_rng(4)
    columns = {f"f{i}": rng.integers(3, size=1000) for i in range(12)}
    planned, source = _planned(columns, rng.integers(2, size=1000))
    found = rank_combinations(
        planned, source=source, order=3, pair_budget=50, work=1000, finalists=0, rounds=1
    )
    assert (found.n_combinations, found.n_evaluated) == (220, 50)
    assert "170 of 220" in found.pairs.meta.warnings[0]


def test_a_triple_is_found_by_order_three():
    rng = np.random.default_rng(5)
    columns = {f"f{i}": rng.integers(2, size=4000) for i in range(6)}
    planned, source = _planned(columns, columns["f0"] ^ columns["f2"] ^ columns["f4"])
    found = rank_combinations(planned, source=source, order=3)
    best = found.pairs.frame.row(0, named=True)
    assert (best["a"], best["b"], best["c"]) == ("f0", "f2", "f4")
    assert best["value"] == pytest.approx(np.log(2), abs=0.01)
    assert found.pairs.frame.height == 20


def test_each_column_gets_the_median_of_its_combinations_whatever_its_name(xor):
    columns, y = xor
    renamed = {f"{name} AND {name}": values for name, values in columns.items()}
    planned, source = _planned(renamed, y)
    found = rank_combinations(planned, source=source)
    frame = found.per_column.frame
    assert frame["column"].to_list() == list(renamed)
    assert (frame["n"] == 6).all()
    for row in frame.iter_rows(named=True):
        own = found.pairs.frame.filter((pl.col("a") == row["column"]) | (pl.col("b") == row["column"]))
        assert row["value"] == pytest.approx(own["value"].median())
        assert row["best"] == pytest.approx(own["value"].max())


def test_a_number_column_takes_part_as_its_bins():
    rng = np.random.default_rng(6)
    x, z = rng.normal(size=5000), rng.normal(size=5000)
    frame = pl.DataFrame({"x": x, "z": z, "w": rng.normal(size=5000), "y": ((x > 0) ^ (z > 0)).astype(int)})
    source = open_source(frame)
    found = rank_combinations(plan(source, "y"), source=source)
    assert found.pairs.frame.select("a", "b").row(0) == ("x", "z")
    assert found.pairs.frame["value"][0] > 0.4
    assert found.pairs.frame["exact"].all()


def test_the_view_of_a_number_is_the_given_one_else_bins_if_it_has_many_values():
    rng = np.random.default_rng(8)
    code, other = rng.integers(100, size=4000), rng.integers(2000, size=4000)
    y = (code % 2) ^ (rng.random(4000) < 0.1)
    source = open_source(pl.DataFrame({"code": code, "other": other, "y": y.astype(int)}))
    planned = plan(source, "y")
    assert rank_combinations(planned, source=source).singles.frame["value"][0] > 0.3
    binned = rank_combinations(planned, source=source, views={"code": "bins"})
    assert binned.singles.frame["value"][0] < 0.05
    with pytest.raises(ValueError, match="no view 'numbers'"):
        rank_combinations(planned, source=source, views={"code": "numbers"})


def test_the_answer_does_not_depend_on_the_number_of_threads(xor):
    planned, source = _planned(*xor, block_rows=1500)
    one, three = (rank_combinations(planned, source=source, threads=t) for t in (1, 3))
    assert one.pairs.frame.equals(three.pairs.frame)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"order": 1}, "at least 2 columns"),
        ({"order": 9}, "7 columns cannot be combined 9"),
        ({"columns": ["f0"]}, "cannot be combined"),
        ({"columns": ["f0", "ghost"]}, "ghost"),
        ({"finalists": 201}, "between 0 and 200"),
        ({"pair_budget": 0}, "must be positive"),
        ({"aggregate": "max"}, "median, mean"),
        ({"label": "ghost"}, "ghost"),
    ],
)
def test_options_outside_their_range_are_refused(xor, options, says):
    planned, source = _planned(*xor)
    with pytest.raises(ValueError, match=says):
        rank_combinations(planned, source=source, **options)


def test_a_file_sorted_by_its_label_is_an_error_that_says_so():
    y = np.repeat([0, 1], 3000)
    rng = np.random.default_rng(7)
    planned, source = _planned(
        {"a": rng.integers(2, size=6000), "b": rng.integers(2, size=6000)}, y, block_rows=1000
    )
    with pytest.raises(ValueError, match="sorted by it"):
        rank_combinations(planned, source=source)
