from collections import Counter
from math import log

import numpy as np
import polars as pl
import pytest

from salience.tabular.outrank import outrank_batches


def _entropy(values, total):
    return -sum(c / total * log(c / total) for c in Counter(values).values())


def _shift(feature, label):
    """The score as the card defines it, slowly."""
    n, score = len(label), 0.0
    for value, count in Counter(label).items():
        rows = [i for i in range(n) if label[i] == value]
        shifted = [feature[(i + count) % n] for i in rows]
        score += count / n * (_entropy(shifted, count) - _entropy([feature[i] for i in rows], count))
    return score


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    n = 1000
    y = rng.choice(["no", "yes"], size=n, p=[0.7, 0.3])
    return pl.DataFrame(
        {
            "weak": np.where(rng.random(n) < 0.7, np.where(y == "no", "a", "b"), "c"),
            "y": y,
            "many": [f"v{v}" for v in rng.integers(300, size=n)],
            "gap": ["" if u < 0.5 else "x" for u in rng.random(n)],
        }
    )


def _options(**changes):
    return {"subsample": 1, "batch_rows": 250, "min_rows": 2} | changes


def _value(run, a, b="y"):
    return run.pairs.frame.filter((pl.col("a") == a) & (pl.col("b") == b))["value"][0]


@pytest.mark.parametrize("column", ["weak", "many", "gap"])
def test_the_score_is_the_median_over_batches_of_the_shifted_score(table, column):
    run = outrank_batches(table, "y", **_options())
    by_hand = [
        _shift(table[column].to_list()[s : s + 250], table["y"].to_list()[s : s + 250])
        for s in range(0, 1000, 250)
    ]
    assert _value(run, column) == pytest.approx(np.median(by_hand), abs=1e-12)
    assert run.counts == {"rows": 1000, "batches": 4, "constant_label": 0, "rows_unscored": 0}


def test_the_label_with_itself_is_its_entropy(table):
    run = outrank_batches(table, "y", **_options(batch_rows=1000))
    assert _value(run, "y") == pytest.approx(_entropy(table["y"].to_list(), 1000), abs=1e-12)


def test_every_kth_row_is_kept_counted_from_one(table):
    run = outrank_batches(table, "y", **_options(subsample=4, batch_rows=250))
    kept = table[3::4]
    assert _value(run, "many") == pytest.approx(
        _shift(kept["many"].to_list(), kept["y"].to_list()), abs=1e-12
    )


def test_the_tail_is_dropped_and_said_or_joined_to_the_batch_before(table):
    dropped = outrank_batches(table, "y", **_options(batch_rows=400, min_rows=300))
    assert dropped.counts["rows_unscored"] == 200
    assert "200 rows" in dropped.pairs.meta.warnings[0]
    joined = outrank_batches(table, "y", **_options(batch_rows=400, min_rows=300, tail="merge"))
    assert joined.counts["rows_unscored"] == 0
    by_hand = [
        _shift(table["many"].to_list()[a:b], table["y"].to_list()[a:b]) for a, b in ((0, 400), (400, 1000))
    ]
    assert _value(joined, "many") == pytest.approx(np.median(by_hand), abs=1e-12)


def test_a_batch_with_one_label_is_counted_and_not_scored_zero(table):
    constant = table.with_columns(
        y=pl.when(pl.int_range(pl.len()) < 500).then(pl.lit("no")).otherwise(pl.col("y"))
    )
    run = outrank_batches(constant, "y", **_options())
    assert run.counts["constant_label"] == 2
    rest = outrank_batches(table[500:], "y", **_options())
    assert _value(run, "many") == _value(rest, "many")


def test_the_rule_of_equal_sums_misfires_as_in_the_package():
    # two columns whose codes have equal sums are taken for one, and the correction goes off
    y = np.array(["a", "b"] * 300)
    other = np.array(["p", "p", "q", "q"] * 150)
    run = outrank_batches(pl.DataFrame({"other": other, "y": y}), "y", **_options(batch_rows=600))
    assert _value(run, "other") == pytest.approx(0.0, abs=1e-12)  # which is the plain mutual information here
    shuffled = np.random.default_rng(0).permutation(other)
    run = outrank_batches(pl.DataFrame({"other": shuffled, "y": y}), "y", **_options(batch_rows=600))
    joint = _entropy([*zip(shuffled.tolist(), y.tolist(), strict=True)], 600)
    plain = 2 * log(2) - joint
    assert _value(run, "other") == pytest.approx(plain, abs=1e-12)


def test_a_ratio_below_one_keeps_the_scale_of_the_score(table):
    # the package falls from .193 to .0008 at .5, when it does not crash
    informative = table.with_columns(copy=pl.col("y"))
    whole = outrank_batches(informative, "y", **_options(batch_rows=1000))
    half = outrank_batches(informative, "y", **_options(batch_rows=1000, ratio=0.5))
    assert _value(half, "weak") == pytest.approx(_value(whole, "weak"), abs=0.05)
    assert _value(half, "copy") == pytest.approx(_value(whole, "copy"), abs=0.01)
    again = outrank_batches(informative, "y", **_options(batch_rows=1000, ratio=0.5))
    assert half.pairs.frame.equals(again.pairs.frame)


def test_a_summary_that_is_scaled_says_so(table):
    run = outrank_batches(table, "y", **_options())
    summary = run.summary()
    assert (summary.frame["value"].min(), summary.frame["value"].max()) == (0.0, 1.0)
    assert "min-max scaled" in summary.meta.warnings[-1]
    np.testing.assert_array_equal(summary.frame["nats"], run.summary("none").frame["value"])
    with pytest.raises(ValueError, match="minmax"):
        run.summary("ami")


def test_all_pairs_have_the_first_column_scored_in_the_groups_of_the_second(table):
    run = outrank_batches(table, "y", **_options(scope="all", batch_rows=1000))
    assert run.pairs.frame.height == 10
    got = _value(run, "weak", "many")
    assert got == pytest.approx(_shift(table["weak"].to_list(), table["many"].to_list()), abs=1e-12)


def test_with_a_cap_the_least_scored_pairs_go_first(table):
    run = outrank_batches(table, "y", **_options(pair_budget=3))
    assert sorted(run.pairs.frame["n_batches"].to_list()) == [3, 3, 3, 3]


def test_combinations_join_strings_and_each_column_gets_their_median_whatever_its_name(table):
    renamed = table.rename({"weak": "salt AND pepper"})
    run = outrank_batches(renamed, "y", **_options(order=2, batch_rows=1000))
    joined = [a + b for a, b in zip(table["weak"], table["many"], strict=True)]
    assert _value(run, "salt AND pepper AND many") == pytest.approx(
        _shift(joined, table["y"].to_list()), abs=1e-12
    )
    per_column = dict(run.aggregated().frame.select("column", "n").iter_rows())
    assert per_column == {"salt AND pepper": 2, "many": 2, "gap": 2}


def test_a_csv_file_and_a_frame_of_its_strings_give_the_same(table, tmp_path):
    path = tmp_path / "data.csv"
    table.write_csv(path)
    one, two = outrank_batches(path, "y", **_options()), outrank_batches(table, "y", **_options())
    np.testing.assert_allclose(one.pairs.frame["value"], two.pairs.frame["value"], atol=1e-12)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"ratio": 0.0}, r"\(0, 1\]"),
        ({"ratio": 1.5}, r"\(0, 1\]"),
        ({"scope": "some"}, "target, all"),
        ({"tail": "keep"}, "drop, merge"),
        ({"batch_rows": 1}, "batch_rows=1"),
        ({"subsample": 0}, "subsample=0"),
        ({"min_rows": 2000}, "fewer than min_rows=2000"),
        ({"columns": ["ghost"]}, "ghost"),
    ],
)
def test_options_outside_their_range_are_refused(table, options, says):
    with pytest.raises(ValueError, match=says):
        outrank_batches(table, "y", **_options(**options))


def test_a_sorted_file_and_an_absent_label_are_errors_that_say_so(table):
    with pytest.raises(ValueError, match="sorted by it"):
        outrank_batches(table.with_columns(y=pl.lit("one")), "y", **_options())
    with pytest.raises(ValueError, match="no column 'z'"):
        outrank_batches(table, "z", **_options())
