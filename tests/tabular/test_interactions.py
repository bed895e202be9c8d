from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import mutual_info_score
from sklearn.metrics.cluster import contingency_matrix, expected_mutual_information

from salience.data.plan import plan
from salience.data.readers import open_source
from salience.measures.contingency import Contingency
from salience.measures.information import NullTable, corrected
from salience.tabular import StreamRanker, rank_3mr
from salience.tabular.interactions import rank_combinations
from salience.tabular.streaming.cells import Cells


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
    assert best["value"] > 0.9 * best["joint"]
    assert best["z"] > 50
    assert (found.n_combinations, found.n_evaluated) == (21, 21)
    others = found.pairs.frame.filter(pl.col("rank") > 1)
    assert (others["value"] < 0.01).all()


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
        assert row["joint"] == pytest.approx(mi - null, abs=1e-9)


def test_blocks_and_the_exact_count_agree_on_a_stream_of_one_block(xor):
    planned, source = _planned(*xor)
    exact = rank_combinations(planned, source=source).pairs.frame
    blocks = rank_combinations(planned, source=source, finalists=0).pairs.frame
    assert not blocks["exact"].any()
    joined = exact.join(blocks, on=["a", "b"])
    np.testing.assert_allclose(joined["joint"], joined["joint_right"], atol=1e-9)
    np.testing.assert_allclose(joined["interaction"], joined["interaction_right"], atol=1e-9)
    assert set(blocks["verdict"]) == {"unjudged"}
    assert blocks["q"].is_nan().all()


def test_of_pairs_of_high_cardinality_noise_none_stands_out():
    rng = np.random.default_rng(1)
    columns = {f"n{c}": rng.integers(c, size=8000) for c in (2, 10, 100, 1000, 3000, 8000)}
    planned, source = _planned(columns, rng.integers(2, size=8000))
    found = rank_combinations(planned, source=source)
    assert (found.pairs.frame["z"].abs() < 4).all()
    assert set(found.pairs.frame["verdict"]) == {"noise"}
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


def test_only_noise_shows_a_pair_as_a_finding_no_more_often_than_stated():
    findings = 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        columns = {f"n{c}": rng.integers(c, size=1000) for c in (2, 3, 10, 30, 100, 400)}
        planned, source = _planned(columns, (rng.random(1000) < (0.1, 0.5)[seed % 2]).astype(int))
        findings += "signal" in rank_combinations(planned, source=source).pairs.frame["verdict"]
    assert findings <= 4  # 0.05 of 30 are 1.5; more than 4 have a chance of 1.6 %


@pytest.mark.parametrize("rare", [False, True])
def test_a_strong_number_and_noise_have_no_synergy_on_average(rare):
    found = {}
    for seed in range(25):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=3000)
        y = (rng.random(3000) < 1 / (1 + np.exp(3.0 * rare - 1.2 * x))).astype(int)
        noise = {f"n{c}": rng.integers(c, size=3000) for c in (2, 10, 60, 2001)}
        frame = pl.DataFrame({"x": x, **noise, "g": rng.normal(size=3000), "y": y})
        pairs = StreamRanker("y", order=2).fit(frame).pairs_.frame
        for row in pairs.filter((pl.col("a") == "x") | (pl.col("b") == "x")).iter_rows(named=True):
            found.setdefault(row["pair"].replace("x", "").replace(" AND ", ""), []).append(
                (row["value"], row["p"], row["verdict"] == "signal")
            )
    assert len(found) == 5
    for other, rows in found.items():
        value, p, signal = np.array(rows).T
        assert abs(value.mean()) < 3.5 * value.std() / np.sqrt(len(value)), other
        assert np.mean(p < 0.05) <= 0.2, other
        assert signal.sum() <= 1, other


def test_a_strong_column_and_its_copy_say_no_more_together_and_come_after_an_exclusive_or():
    rng = np.random.default_rng(9)
    a, b, strong = rng.integers(2, size=6000), rng.integers(2, size=6000), rng.integers(8, size=6000)
    y = np.where(rng.random(6000) < 0.2, a ^ b, strong > 3)
    copy = np.where(rng.random(6000) < 0.05, rng.integers(8, size=6000), strong)
    planned, source = _planned({"strong": strong, "copy": copy, "a": a, "b": b}, y.astype(int))
    frame = rank_combinations(planned, source=source).pairs.frame
    assert frame.select("a", "b").row(0) == ("a", "b")
    twins = frame.row(by_predicate=(pl.col("a") == "strong") & (pl.col("b") == "copy"), named=True)
    assert twins["verdict"] == "noise"
    assert twins["joint"] > 10 * frame["joint"][0] > 0
    assert twins["beyond"] == "strong"
    assert twins["interaction"] < -0.1


def test_strong_columns_and_noise_of_many_values_take_no_finalists_place_from_an_exclusive_or():
    rng = np.random.default_rng(10)
    bits, strong = rng.integers(2, size=(2, 8000)), rng.integers(8, size=8000)
    y = np.where(rng.random(8000) < 0.15, bits[0] ^ bits[1], strong > 3).astype(int)
    copies = {f"s{i}": np.where(rng.random(8000) < 0.1, rng.integers(8, size=8000), strong) for i in range(4)}
    many = {f"n{i}": rng.integers(1500, size=8000) for i in range(6)}
    planned, source = _planned(
        {"strong": strong, **copies, **many, "a": bits[0], "b": bits[1]}, y, block_rows=3000
    )
    found = rank_combinations(planned, source=source, finalists=1)
    assert found.pairs.frame.filter(pl.col("exact")).select("a", "b").rows() == [("a", "b")]


def test_three_columns_of_which_one_adds_nothing_are_no_finding():
    rng = np.random.default_rng(11)
    columns = {f"f{i}": rng.integers(2 + i, size=4000) for i in range(5)}
    y = (columns["f0"] + columns["f1"]) % 2
    planned, source = _planned(columns, y)
    frame = rank_combinations(planned, source=source, order=3).pairs.frame
    assert (frame["joint"] > 0.2).any()
    assert set(frame["verdict"]) == {"noise"}


def _skewed(seed, rows=60_000):
    """Two columns with a few frequent values and many rare ones, and a label of both."""
    rng = np.random.default_rng(seed)
    share = 1 / np.arange(1, 1501) ** 1.1
    a, b = rng.choice(1500, size=(2, rows), p=share / share.sum())
    effect = rng.normal(size=(1500, 1500)) * 0.7
    y = (rng.random(rows) < 1 / (1 + np.exp(-effect[a, b]))).astype(int)
    codes = np.unique(a * 1500 + b, return_inverse=True)[1]
    table = Contingency.from_codes(codes, y)
    return a, b, y, corrected(table, NullTable(table.label_counts))


def test_exact_counts_every_value_of_a_pair():
    a, b, y, full = _skewed(0)
    frame = pl.DataFrame({"a": [f"a{v}" for v in a], "b": [f"b{v}" for v in b], "y": y})
    sampled, exact = (
        StreamRanker("y", order=2, exact=exact).fit(frame).pairs_.frame.row(0, named=True)
        for exact in (False, True)
    )
    assert exact["joint"] == pytest.approx(full.score, abs=1e-12)
    assert exact["joint_se"] == pytest.approx(full.se, abs=1e-12)
    assert (sampled["exact"], exact["exact"]) == (False, True)
    assert sampled["joint"] != exact["joint"]
    assert abs(sampled["value"] - exact["value"]) < 4 * sampled["se"]


def test_exact_takes_more_passes_where_not_all_values_fit_and_gives_the_same():
    rng = np.random.default_rng(12)
    columns = {f"f{i}": rng.integers(90, size=9000) for i in range(5)}
    planned, source = _planned(columns, (columns["f0"] + columns["f1"]) % 2)
    whole = rank_combinations(planned, source=source, exact=True)
    passes = []
    little = replace(planned, memory=1_500_000)
    apart = rank_combinations(
        little, source=source, exact=True, progress=lambda stage, done, rows: passes.append((stage, done))
    )
    assert passes.count(("finalists", 9000)) > 2
    assert apart.pairs.frame.equals(whole.pairs.frame)


def test_the_error_of_a_sample_of_values_covers_the_full_count_of_a_skewed_pair():
    far = []
    for seed in range(16):
        a, b, y, full = _skewed(seed)
        planned, source = _planned({"a": a, "b": b}, y)
        row = rank_combinations(planned, source=source).pairs.frame.row(0, named=True)
        assert not row["exact"]
        far.append((row["joint"] - full.score) / row["joint_se"])
    assert np.abs(far).max() < 3
    assert abs(np.mean(far)) < 3 / np.sqrt(16)


def test_the_values_frequent_in_the_first_block_are_always_kept():
    rng = np.random.default_rng(13)
    keys = rng.integers(1, 2**63, size=500, dtype=np.uint64) + np.uint64(
        2**63
    )  # the last a sample would keep
    often = keys[:3]
    cells = Cells(1, 2, cap=40)
    for block in (keys, np.concatenate([often, rng.integers(1, 2**63, size=400, dtype=np.uint64)])):
        counts = np.where(np.isin(block, often), 9, 1)[:, None] * [1, 0]
        cells.add(block, block[:, None], counts)
    table, members = cells.finalize()
    assert set(often.tolist()) <= set(table.keys.tolist())
    assert table.counts[np.isin(table.keys, often), 0].tolist() == [18, 18, 18]
    assert (table.weight[np.isin(table.keys, often)] == 1).all()
    assert len(table.keys) <= 40 + 3
    assert (members[:, 0] == table.keys).all()


def test_two_numbers_that_matter_only_together_take_part_as_bins_whatever_each_says_alone():
    for seed in range(6):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(4, 3000))
        frame = pl.DataFrame({f"x{i}": row for i, row in enumerate(x)} | {"y": (x[0] * x[1] > 0).astype(int)})
        best = StreamRanker("y", order=2).fit(frame).pairs_.frame.row(0, named=True)
        assert {best["a"], best["b"]} == {"x0", "x1"}
        assert best["value"] > 0.3


def test_a_code_of_many_numbers_takes_part_as_its_values():
    rng = np.random.default_rng(14)
    code, bit = rng.integers(600, size=12_000), rng.integers(2, size=12_000)
    y = np.where(rng.random(12_000) < 0.5, (code * 7919) % 2 ^ bit, (code * 104_729) % 3 > 0).astype(int)
    pairs = StreamRanker("y", order=2).fit(pl.DataFrame({"code": code, "bit": bit, "y": y})).pairs_.frame
    assert pairs["value"][0] > 0.05


def test_3mr_relates_columns_by_what_they_say_jointly():
    rng = np.random.default_rng(15)
    columns = {f"f{i}": rng.integers(3, size=3000) for i in range(5)}
    y = ((columns["f0"] + columns["f1"] + (rng.random(3000) < 0.2)) > 2).astype(int)
    frame = pl.DataFrame({name: [f"v{v}" for v in values] for name, values in columns.items()} | {"y": y})
    ranker = StreamRanker("y", order=2, scope="all").fit(frame)
    joint = {(a, b): v for a, b, v in ranker.pairs_.frame.select("a", "b", "joint").iter_rows()}
    relevance = dict(ranker.scores_.frame.select("column", "value").iter_rows())
    expected = rank_3mr(relevance, ranker.redundancy_, joint)
    assert ranker.order_3mr_.frame.equals(expected.frame)
