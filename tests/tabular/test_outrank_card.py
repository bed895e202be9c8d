"""Every check and every known flaw of the original, line by line, through the interface that people use.

Line of the specification -> test; those without a file are here.

Exact
| two worked examples of the score; fast form = definition | measures/test_nulls |
| uncorrected = mutual_info_score, symmetric | test_without_a_null_the_score_is_plain_and_symmetric |
| mean of permutations -> MI - EMI | test_two_thousand_permutations_agree_with_the_exact_null |
| analytic = MI - EMI; scaled = AMI | test_the_exact_null_and_its_scale_are_those_of_scikit_learn |
| relabelling, row order, merging | test_ranking, ../test_traps |
| 3MR worked by hand | test_redundancy |
Behaviour
| noise of cardinality 2 ... 16000 | test_ranking |
| weak columns against 100 noise columns | test_a_weak_column_stands_above_all_noise_once_chance_is_taken_off |
| row id: plain H(label), corrected 0 | test_a_row_id_has_all_the_information_and_no_score |
| needles, exclusive or | test_a_needle_of_two_columns_is_found_among_thousands_of_pairs, test_ranking |
| AutoML and clicks, small | test_planted_columns_are_found_where_plain_information_finds_ids |
| hits@10 of a tenth of the rows | test_a_tenth_of_the_rows_finds_the_same_top |
Negative controls
| shuffled label | test_of_a_shuffled_label_nothing_is_left_in_columns_or_pairs |
| min-max says so | test_min_max_scaling_of_noise_says_so |
| sorted by the label | test_sorting_by_the_label_ruins_the_shift_of_the_package_and_nothing_here |
| equal sums; constant | test_columns_with_equal_sums_are_measured, test_ranking |
Flaws
| names that score 0, 3MR of zeros | test_every_name_of_the_package_scores_what_it_names |
| options without effect | test_an_option_that_would_be_ignored_is_refused, test_the_preset_says_what_it_leaves_out |
| surrogates need a reference; text and numbers | test_a_surrogate_finds_a_number_column, test_surrogates |
| max-value-coverage overflows | test_small_integer_codes_do_not_overflow |
| stratified ratio | test_outrank (subsample here: test_a_subsample_keeps_the_scale_of_the_score) |
| missing code wraps | test_a_missing_value_is_not_the_last_value, test_batches |
| small files are dropped | test_a_file_of_fifty_rows_is_ranked |
| csv has no number columns | test_numbers_of_a_csv_are_transformed |
| joined strings collide | ../test_traps, test_expand |
| statistics per batch; x = threshold | test_transforms |
| sketches of cardinality and counts | test_distinct_values_are_counted_or_estimated_with_an_error, test_profiling |
| rare values; rows by first character | test_rare, test_rows |
| names with "-" and AND | test_ranking |
| state leaks between calls | test_a_ranker_forgets_what_it_saw |
| the label is one of the rows | test_the_label_is_not_ranked |
| gaps counted as numbers | test_numbers_are_compared_with_numbers_and_gaps_are_left_out |
| a verdict for one column that is lost for all | test_a_constant_column_does_not_leave_the_others_unjudged |
| scores of an id taken for knowledge | test_a_row_id_is_no_leak_whatever_the_score |
| a ranking judged on its own rows | test_a_ranking_knows_what_it_was_made_from_whatever_the_score |
| views that grow with cardinality | test_a_number_is_judged_by_its_bins_where_the_statistic_grows_with_values |
| needle becomes the label | data/test_generators |
| quoted newlines, several files | test_ranking |
| t-SNE and heatmap abort | test_plotting |
Errors
| label absent, too few rows, unknown names | test_ranking |
| label constant, unknown preset of transforms | test_what_cannot_be_ranked_says_why |
"""

import numpy as np
import polars as pl
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import adjusted_mutual_info_score, mutual_info_score
from sklearn.metrics.cluster import contingency_matrix, expected_mutual_information

from salience import verify
from salience.data.budget import Budget
from salience.data.generators import AutoML, Clicks, Needle, generate
from salience.tabular import StreamRanker
from salience.tabular.outrank import outrank_batches
from salience.tabular.profiling import profile
from salience.tabular.streaming.heuristics import HEURISTICS, OUTRANK_NAMES


def found(frame, label="y", **options):
    """The scores by column."""
    rows = StreamRanker(label, **options).fit(frame).scores_.frame.iter_rows(named=True)
    return {row["column"]: row for row in rows}


def as_text(frame):
    """No column is a number, which would also be looked at in bins."""
    return frame.select(pl.format("v{}", pl.col(name)).alias(name) for name in frame.columns)


@pytest.fixture(scope="module")
def mixed():
    """Columns of every strength and cardinality, as text, and a label of three classes."""
    rng = np.random.default_rng(0)
    n = 1500
    y = rng.integers(0, 3, n)
    columns = {
        "strong": np.where(rng.random(n) < 0.8, y, rng.integers(0, 3, n)),
        "weak": np.where(rng.random(n) < 0.2, y, rng.integers(0, 40, n)),
        "zipf": np.minimum(rng.zipf(1.3, n), 10**6),
        "wide": rng.integers(0, 3000, n),
        "y": y,
    }
    return as_text(pl.DataFrame(columns))


# --- exact ------------------------------------------------------------------------------------------------------------


def test_without_a_null_the_score_is_plain_and_symmetric(mixed):
    forth = found(mixed, null="none")
    for name in ("strong", "weak", "zipf", "wide"):
        expected = mutual_info_score(mixed[name], mixed["y"])
        assert forth[name]["value"] == pytest.approx(expected, abs=1e-9)
        if mixed[name].n_unique() > 256:
            continue  # too many classes for a label
        back = found(mixed.select("y", name), name, null="none")
        assert back["y"]["value"] == pytest.approx(expected, abs=1e-9)


def test_the_exact_null_and_its_scale_are_those_of_scikit_learn(mixed):
    plain, scaled = found(mixed), found(mixed, normalize="ami")
    for name in ("strong", "weak", "zipf", "wide"):
        table = contingency_matrix(mixed[name], mixed["y"], sparse=True)
        null = expected_mutual_information(table, len(mixed))
        mi = mutual_info_score(None, None, contingency=table)
        assert plain[name]["null"] == pytest.approx(null, abs=1e-10)
        assert plain[name]["value"] == pytest.approx(mi - null, abs=1e-10)
        expected = adjusted_mutual_info_score(mixed[name], mixed["y"])
        assert scaled[name]["value"] == pytest.approx(expected, abs=1e-9)


def test_two_thousand_permutations_agree_with_the_exact_null(mixed):
    exact, drawn = found(mixed), found(mixed, null="permute", permutations=2000)
    for name, row in drawn.items():
        sd = abs(row["value"]) / abs(row["z"])
        assert abs(row["null"] - exact[name]["null"]) < 4 * sd / np.sqrt(2000)
        assert row["p"] >= 1 / 2001


# --- behaviour --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def weak_among_noise():
    """One batch: a balanced label, two columns that agree with it a little, 100 noise columns, a row id."""
    rng = np.random.default_rng(1)
    n = 16384
    y = rng.permutation(np.arange(n) % 2)
    sizes = np.geomspace(2, 16000, 100).astype(int)
    columns = {f"n{i}": rng.integers(0, size, n) for i, size in enumerate(sizes)}
    for share in (55, 60):
        columns[f"weak{share}"] = np.where(rng.permutation(n) < n * share / 100, y, 1 - y)
    frame = pl.DataFrame({**columns, "id": np.arange(n), "y": y})
    return as_text(frame), {f"n{i}": int(size) for i, size in enumerate(sizes)}


def test_a_weak_column_stands_above_all_noise_once_chance_is_taken_off(weak_among_noise):
    frame, sizes = weak_among_noise
    rows = found(frame)
    assert rows["weak55"]["mi"] == pytest.approx(0.0050, abs=0.0001)  # ln 2 - H(.55)
    assert rows["weak60"]["mi"] == pytest.approx(0.0201, abs=0.0001)
    plain_above = {name for name in sizes if rows[name]["mi"] > rows["weak60"]["mi"]}
    assert plain_above >= {name for name, size in sizes.items() if size >= 1000}
    assert rows["weak60"]["value"] > max(rows[name]["value"] for name in sizes)
    assert rows["weak55"]["z"] > 2 * max(rows[name]["z"] for name in sizes)
    assert [rows["weak55"]["verdict"], rows["weak60"]["verdict"]] == ["signal", "signal"]
    assert not {"signal", "leak"} & {rows[name]["verdict"] for name in sizes}


def test_a_row_id_has_all_the_information_and_no_score(weak_among_noise):
    row = found(weak_among_noise[0], focus=["id"])["id"]
    assert row["mi"] == pytest.approx(np.log(2), abs=1e-9)
    assert row["value"] == pytest.approx(0, abs=1e-9)
    assert row["verdict"] == "id"


def test_a_needle_of_two_columns_is_found_among_thousands_of_pairs():
    frame = generate(Needle(), rows=10_000, seed=0).frame
    ranker = StreamRanker("label", order=2).fit(frame)
    assert set(ranker.ranking_[:2]) == {"f30", "f50"}
    assert ranker.pairs_.frame.height == 4950
    assert set(ranker.pairs_.top(1).items[0]) == {"f30", "f50"}
    first, second = ranker.pairs_.frame["value"][:2]
    assert first > 0.5 > 0.1 > second


def test_the_package_scores_the_needle_as_it_was_seen_to():
    frame = generate(Needle(), rows=10_000, seed=0).frame
    few = frame.select("f30", "f50", *(f"f{i}" for i in range(8)), "label")
    pairs = outrank_batches(few, "label", subsample=1, order=2).pairs.frame.sort("value", descending=True)
    values = dict(zip(pairs["a"], pairs["value"], strict=True))
    assert pairs["a"].to_list()[:4] == ["label", "f30 AND f50", "f30", "f50"]
    assert values["f30 AND f50"] == pytest.approx(0.673, abs=0.02)
    assert values["f30"] == pytest.approx(0.20, abs=0.02)
    assert pairs["value"][4] < 0.03


@pytest.mark.parametrize(
    ("recipe", "rows", "planted"),
    [(AutoML(), 20_000, {"c20", "c50", "c80"}), (Clicks(noise=40), 60_000, {"user", "ad", "hour", "device"})],
    ids=["automl", "clicks"],
)
def test_planted_columns_are_found_where_plain_information_finds_ids(recipe, rows, planted):
    frame = generate(recipe, rows=rows, seed=0).frame
    corrected = StreamRanker(recipe.label).fit(frame).scores_
    plain = StreamRanker(recipe.label, null="none").fit(frame).scores_
    top = len(planted) + (1 if len(planted) > 3 else 0)
    assert len(planted & set(corrected.top(top).items)) >= 0.9 * len(planted)
    assert len(planted & set(plain.top(top).items)) < 0.6 * len(planted)


def test_a_tenth_of_the_rows_finds_the_same_top():
    rng = np.random.default_rng(2)
    n = 100_000
    y = rng.integers(0, 2, n)
    columns = {}
    for i, size in enumerate(np.geomspace(2, 500, 20).astype(int)):
        values = rng.integers(0, size, n)
        tilted = rng.integers(0, size, n) // 2 + (size // 2) * y  # one half of the values for each class
        columns[f"s{i}"] = np.where(rng.random(n) < 0.5 - 0.02 * i, tilted % size, values)
    columns |= {f"n{i}": rng.integers(0, 10 ** rng.integers(1, 5), n) for i in range(40)}
    frame = as_text(pl.DataFrame({**columns, "y": y}))
    whole = StreamRanker("y").fit(frame).scores_.top(10).items
    tenth = StreamRanker("y", subsample=10).fit(frame).scores_.top(10).items
    assert len(set(whole) & set(tenth)) >= 8


# --- negative controls ------------------------------------------------------------------------------------------------


def test_of_a_shuffled_label_nothing_is_left_in_columns_or_pairs(mixed):
    shuffled = mixed.with_columns(pl.col("y").shuffle(seed=3))
    ranker = StreamRanker("y", order=2, controls=True).fit(shuffled)
    honest = ranker.scores_.frame.filter(pl.col("column") != "CONTROL-label")
    assert honest["z"].max() < 4
    assert not {"signal", "leak"} & set(honest["verdict"])
    assert ranker.pairs_.frame["z"].max() < 4


@pytest.mark.parametrize("null", ["analytic", "shift"])
def test_min_max_scaling_of_noise_says_so(mixed, null):
    shuffled = mixed.with_columns(pl.col("y").shuffle(seed=3))
    ranker = StreamRanker("y", normalize="minmax", null=null).fit(shuffled)
    frame = ranker.scores_.frame
    assert (frame["value"].min(), frame["value"].max()) == (0, pytest.approx(1))
    plain = StreamRanker("y", null=null).fit(shuffled).scores_.frame["value"]
    chance = (0 - plain.min()) / (plain.max() - plain.min())
    assert frame["null"].to_list() == pytest.approx([chance] * 4)
    assert "even among noise" in ranker.scores_.meta.warnings[-1]
    assert "signal" not in frame["verdict"].to_list()


def test_sorting_by_the_label_ruins_the_shift_of_the_package_and_nothing_here():
    rng = np.random.default_rng(4)
    y = rng.integers(0, 2, 16384)
    noise = rng.integers(0, 9, 16384)
    frame = as_text(pl.DataFrame({"copy": 1 - y, "noise": noise, "y": y}))
    ordered = frame.sort("y")
    package = {"preset": "outrank"}
    assert found(frame, **package)["copy"]["value"] == pytest.approx(np.log(2), abs=0.01)
    assert found(ordered, **package)["copy"]["value"] < 0.05
    assert found(ordered)["copy"]["value"] == found(frame)["copy"]["value"]
    assert found(ordered, null="shift")["copy"]["value"] == pytest.approx(np.log(2), abs=0.01)


def test_columns_with_equal_sums_are_measured():
    rng = np.random.default_rng(5)
    y = np.arange(2000) % 2
    other = rng.permutation(y)  # the same histogram, the same sum, nothing to do with y
    for null in ("analytic", "permute", "shift"):
        assert abs(found(pl.DataFrame({"other": other, "y": y}), null=null)["other"]["value"]) < 0.005


# --- flaws of the original --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in OUTRANK_NAMES if name != "Constant"])
def test_every_name_of_the_package_scores_what_it_names(name):
    rng = np.random.default_rng(6)
    y = rng.integers(0, 2, 600)
    frame = pl.DataFrame({"noise": rng.integers(0, 2, 600), "strong": y ^ (rng.random(600) < 0.1), "y": y})
    rows = found(frame, heuristic=name)
    assert abs(rows["strong"]["value"]) > abs(rows["noise"]["value"])
    assert rows["strong"]["value"] != 0


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"heuristic": "chi2", "preset": "outrank"}, "leave out preset"),
        ({"null": "permute", "preset": "outrank"}, "leave out preset"),
        ({"normalize": "ami", "preset": "outrank"}, "'none', 'minmax'"),
        ({"normalize": "label_entropy", "null": "shift"}, "'none', 'minmax'"),
        ({"normalize": "minmax", "heuristic": "pearson"}, "'none'"),
        ({"normalize": "ami", "heuristic": "surrogate-lr"}, "'none', 'minmax'"),
        ({"reference": ["strong"]}, "surrogate"),
        ({"reference": ["strong"], "null": "shift"}, "surrogate"),
    ],
)
def test_an_option_that_would_be_ignored_is_refused(mixed, options, says):
    with pytest.raises(ValueError, match=says):
        StreamRanker("y", **options).fit(mixed.with_columns(number=pl.lit(1.5)))


def test_the_preset_says_what_it_leaves_out(mixed):
    ranker = StreamRanker("y", preset="outrank", controls=True).fit(mixed)
    assert set(ranker.ranking_) == {"strong", "weak", "zipf", "wide"}
    assert any("controls" in note and "left out" in note for note in ranker.notes_)


def test_a_surrogate_finds_a_number_column():
    rng = np.random.default_rng(7)
    y = rng.integers(0, 2, 2000)
    frame = pl.DataFrame({"noise": rng.normal(size=2000), "x": rng.normal(size=2000) + 2 * y, "y": y})
    ranker = StreamRanker("y", heuristic="surrogate-LR").fit(frame)
    assert ranker.ranking_[0] == "x"
    assert found(frame, heuristic="surrogate-LR")["x"]["gain"] > 0.2  # one-hot, 2000 numbers are an id


def test_small_integer_codes_do_not_overflow():
    values = np.arange(30_000) % 50
    frame = pl.DataFrame({"v": values, "y": values % 2}).with_columns(pl.all().cast(pl.Int8))
    row = found(frame, heuristic="max-value-coverage", null="none")["v"]
    assert row["value"] == pytest.approx(1 / 50)


def test_a_subsample_keeps_the_scale_of_the_score():
    rng = np.random.default_rng(8)
    y = (rng.random(40_000) < 0.1).astype(int)
    frame = as_text(pl.DataFrame({"v": np.where(rng.random(40_000) < 0.8, y, 1 - y), "y": y}))
    whole, half = found(frame)["v"], found(frame, subsample=2)["v"]
    assert half["value"] == pytest.approx(whole["value"], abs=4 * half["se"])
    assert half["n"] == pytest.approx(20_000, abs=1)


def test_a_missing_value_is_not_the_last_value():
    y = np.arange(900) % 3
    gaps = pl.DataFrame({"v": [("a", "z", None)[k] for k in y], "y": y})
    named = gaps.with_columns(pl.col("v").fill_null("m"))
    for null in ("analytic", "shift"):
        a, b = found(gaps, null=null)["v"]["value"], found(named, null=null)["v"]["value"]
        assert a == pytest.approx(b, abs=1e-12)
        assert a > 1  # log 3: the three are told apart


def test_a_file_of_fifty_rows_is_ranked(tmp_path):
    path = tmp_path / "small.csv"
    pl.DataFrame({"v": ["a", "b"] * 25, "w": ["c"] * 50, "y": [0, 1] * 25}).write_csv(path)
    rows = found(path)
    assert (rows["v"]["verdict"], rows["w"]["verdict"]) == ("leak", "constant")
    assert rows["w"]["value"] == 0


def test_numbers_of_a_csv_are_transformed(tmp_path):
    rng = np.random.default_rng(9)
    x = rng.lognormal(size=2000)
    path = tmp_path / "numbers.csv"
    pl.DataFrame({"x": x, "y": (x > 1).astype(int)}).write_csv(path)
    kinds = [row["kind"] for row in found(path, transforms="default").values()]
    assert kinds.count("number") == 1
    assert kinds.count("transform") >= 5


def test_distinct_values_are_counted_or_estimated_with_an_error(monkeypatch):
    monkeypatch.setattr(Budget, "work", 2 << 20)
    monkeypatch.setattr(Budget, "check", lambda *_: None)
    values = np.arange(60_000) % 30_000
    frame = as_text(pl.DataFrame({"few": values % 7, "many": values}))
    few, many = profile(frame).iter_rows(named=True)
    assert (few["distinct"], few["distinct_error"]) == (7, 0)
    assert abs(many["distinct"] / 30_000 - 1) <= max(4 * many["distinct_error"], 1e-12)


def test_a_ranker_forgets_what_it_saw(mixed):
    ranker = StreamRanker("y", order=2, controls=True)
    ranker.fit(mixed.head(700))
    again = ranker.fit(mixed)
    fresh = StreamRanker("y", order=2, controls=True).fit(mixed)
    assert again.scores_.frame.equals(fresh.scores_.frame)
    assert again.pairs_.frame.equals(fresh.pairs_.frame)
    assert again.notes_ == fresh.notes_


def test_the_label_is_not_ranked(mixed):
    for options in ({}, {"null": "shift"}, {"preset": "outrank"}, {"normalize": "minmax"}):
        assert "y" not in found(mixed, **options)


def test_a_number_is_judged_by_its_bins_where_the_statistic_grows_with_values():
    rng = np.random.default_rng(10)
    y = rng.integers(0, 2, 3000)
    frame = pl.DataFrame({"x": rng.normal(size=3000) + y, "y": y})
    for heuristic in ("chi2", "cramers-v", "theils-u"):
        row = found(frame, heuristic=heuristic)["x"]
        assert (row["view"], row["verdict"]) == ("bins", "signal")


def test_numbers_are_compared_with_numbers_and_gaps_are_left_out():
    rng = np.random.default_rng(11)
    x = rng.normal(size=4000)
    y = x + rng.normal(size=4000)
    stars = np.digitize(y, [-1.0, 0.0, 1.0]) + 1
    gaps = np.where(y > 0, np.where(rng.random(4000) < 0.5, np.nan, x), x)  # more often there where y is low
    frame = pl.DataFrame({"x": x, "gaps": gaps, "y": y, "stars": stars}).with_columns(
        pl.col("gaps").fill_nan(None)
    )
    there = np.isfinite(gaps)
    for label, values in (("y", y), ("stars", stars)):
        other = {"y": "stars", "stars": "y"}[label]
        rows = found(frame, label, heuristic="spearman", exclude=[other])
        assert rows["x"]["value"] == pytest.approx(spearmanr(x, values).statistic, abs=1e-12)
        expected = spearmanr(x[there], values[there]).statistic
        assert rows["gaps"]["value"] == pytest.approx(expected, abs=1e-12)
        assert found(frame, label, heuristic="mi-numeric", exclude=[other])["x"]["value"] > 0.2


@pytest.mark.parametrize("heuristic", [name for name, h in HEURISTICS.items() if h.reads == "counts"])
@pytest.mark.parametrize("null", ["permute", "none"])
def test_a_row_id_is_no_leak_whatever_the_score(mixed, heuristic, null):
    frame = mixed.with_columns(id=pl.format("r{}", pl.int_range(pl.len())), copy=pl.col("y"))
    rows = found(frame, heuristic=heuristic, null=null)
    assert rows["id"]["verdict"] in ("id", "unjudged")
    assert rows["copy"]["verdict"] == "leak"


@pytest.mark.parametrize("heuristic", ["pearson", "spearman", "mi-numeric", "surrogate-lr"])
def test_a_constant_column_does_not_leave_the_others_unjudged(heuristic):
    rng = np.random.default_rng(12)
    y = rng.integers(0, 2, 1500)
    x, gone = rng.normal(size=1500) + 2 * y, pl.Series([None] * 1500, dtype=pl.Float64)
    rows = found(pl.DataFrame({"one": [1.5] * 1500, "gone": gone, "x": x, "y": y}), heuristic=heuristic)
    assert rows["x"]["verdict"] == "signal"
    assert not {"signal", "leak"} & {rows["one"]["verdict"], rows["gone"]["verdict"]}


def test_the_preset_takes_lists_as_their_text():
    y = np.arange(2000) % 2
    frame = pl.DataFrame({"tags": [[int(v), 7] for v in y], "y": y})
    assert found(frame, preset="outrank")["tags"]["value"] == pytest.approx(np.log(2), abs=1e-3)


@pytest.mark.parametrize(
    "options",
    [{"null": "shift"}, {"heuristic": "spearman"}, {"heuristic": "surrogate-lr"}, {"preset": "outrank"}, {}],
    ids=str,
)
def test_a_ranking_knows_what_it_was_made_from_whatever_the_score(options):
    rng = np.random.default_rng(13)
    y = rng.integers(0, 2, 1500)
    frame = pl.DataFrame({"a": y ^ (rng.random(1500) < 0.1), "b": rng.integers(0, 9, 1500), "y": y})
    expected = (verify.fingerprint(frame, "y"),)
    assert StreamRanker("y", **options).fit(frame).scores_.meta.data == expected
    if "preset" not in options:
        halves = StreamRanker("y", **options).partial_fit(frame[:750]).partial_fit(frame[750:])
        assert halves.scores_.meta.data == expected


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "options", "says"),
    [
        ({"v": [1, 2, 3], "y": [1, 1, 1]}, {}, "y"),
        ({"v": [1.5, 2.5, 3.5], "y": [0, 1, 0]}, {"transforms": "defualt"}, "default"),
        ({"v": [1, 2, 3], "y": [0, 1, 0]}, {"preset": "outrnak"}, "outrank"),
        ({"v": [1, 2, 3], "y": [0, 1, 0]}, {"heuristic": "MI-nimba-3mr"}, "MI-numba-3mr"),
    ],
)
def test_what_cannot_be_ranked_says_why(frame, options, says):
    with pytest.raises(ValueError, match=says):
        StreamRanker("y", **options).fit(pl.DataFrame(frame))
