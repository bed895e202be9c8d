"""Noise controls: what they are, and that they depend on seed and block alone."""

import pickle

import numpy as np
import pyarrow as pa
import pytest

from salience.data.blocks import Block
from salience.data.hashing import MISSING, hash_value
from salience.data.plan import plan
from salience.measures.information import corrected
from salience.measures.nulltable import NullTable
from salience.tabular import StreamRanker
from salience.tabular.streaming.controls import CONTROLS, DRAWN, Controls, drawn_tables, noise_level

N = 6000


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    label = pa.array(np.where(rng.random(N) < 0.3, "yes", "no"), mask=np.arange(N) % 50 == 0)
    return pa.table({"a": rng.integers(0, 9, N), "b": rng.integers(0, 3, N).astype(str), "y": label})


@pytest.fixture(scope="module")
def planned(table):
    return plan(table, "y", seed=5)


def block_of(table, planned, controls, first=0, rows=N):
    batch = table.slice(first, rows).combine_chunks().to_batches()[0]
    return Block(batch, planned, (0, first), dict.fromkeys(controls.names, controls))


@pytest.fixture(scope="module")
def columns(table, planned):
    controls = Controls(planned)
    block = block_of(table, planned, controls)
    return {name: block.column(name) for name in controls.names}


def test_there_are_eleven_controls(columns):
    assert list(columns) == list(CONTROLS)
    assert len(columns) == 11
    assert all(column.rows == N for column in columns.values())


def test_the_constant_has_one_value(columns):
    assert set(columns["CONTROL-constant"].row_hashes().tolist()) == {int(hash_value(0, "number"))}


@pytest.mark.parametrize(
    ("name", "mean", "sd"),
    [
        ("CONTROL-normal", 0, 1),
        ("CONTROL-uniform", 0.5, 12**-0.5),
        ("CONTROL-binary", 0.5, 0.5),
        ("CONTROL-card101", 50, 29.15),
    ],
)
def test_noise_has_its_distribution(columns, name, mean, sd):
    x = columns[name].numeric
    assert x.mean() == pytest.approx(mean, abs=5 * sd / np.sqrt(N))
    assert x.std() == pytest.approx(sd, rel=0.05)


@pytest.mark.parametrize(("name", "cardinality"), Controls.__init__.__globals__["_CARDINALITIES"].items())
def test_noise_of_a_cardinality_stays_below_it_and_fills_it(columns, name, cardinality):
    distinct = len(np.unique(columns[name].row_hashes()))
    expected = cardinality * -np.expm1(N * np.log1p(-1 / cardinality))
    assert distinct == pytest.approx(expected, rel=0.03)


def test_the_sequence_is_the_row_number_over_all_shards(planned):
    from dataclasses import replace

    second = replace(planned.shards[0], index=1)
    both = replace(planned, shards=(planned.shards[0], second))
    assert Controls(both).first_rows == {0: 0, 1: N}


def test_the_sequence_of_a_later_block_goes_on(table, planned):
    controls = Controls(planned)
    column = block_of(table, planned, controls, 4000, 500).column("CONTROL-sequence")
    np.testing.assert_array_equal(column.numeric, np.arange(4000, 4500))


def test_the_label_copy_is_the_label_and_missing_where_it_is(table, planned, columns):
    hashes = columns["CONTROL-label"].row_hashes()
    expected = [hash_value(v, "text") for v in table["y"].to_pylist()]
    np.testing.assert_array_equal(hashes, np.array(expected, dtype=np.uint64))
    assert (hashes == MISSING).sum() == N // 50


def test_the_copy_of_a_number_label_is_its_bins():
    target = np.where(np.arange(900) % 10 == 0, np.nan, np.arange(900.0))
    table = pa.table({"a": np.arange(900) % 7, "y": pa.array(target, from_pandas=True)})
    planned = plan(table, "y", label_bins=5)
    controls = Controls(planned, kinds=["CONTROL-label"])
    block = block_of(table, planned, controls, rows=900)
    hashes = block.column("CONTROL-label").row_hashes()
    assert ((hashes == MISSING) == np.isnan(target)).all()
    np.testing.assert_array_equal(hashes[1:10] == hashes[1], block.labels["y"][1:10] == block.labels["y"][1])
    assert len(np.unique(hashes)) == 6


def test_equal_rows_have_equal_row_hashes_and_others_differ(table, columns):
    rows = list(zip(table["a"].to_pylist(), table["b"].to_pylist(), strict=True))
    assert len(np.unique(columns["CONTROL-row-hash"].row_hashes())) == len(set(rows)) == 27


def test_a_control_is_a_function_of_seed_block_and_its_own_name(table, planned):
    def drawn(controls, first=0):
        return block_of(table, planned, controls, first, 1000).column("CONTROL-normal").numeric

    assert np.array_equal(drawn(Controls(planned)), drawn(Controls(planned, kinds=["CONTROL-normal"])))
    assert np.array_equal(drawn(Controls(planned)), drawn(pickle.loads(pickle.dumps(Controls(planned)))))
    assert not np.array_equal(drawn(Controls(planned)), drawn(Controls(planned, seed=6)))
    assert not np.array_equal(drawn(Controls(planned)), drawn(Controls(planned), first=1000))


def test_continuous_controls_have_bins_of_equal_weight(table, planned):
    controls = Controls(planned)
    for name in ("CONTROL-normal", "CONTROL-uniform"):
        codes = block_of(table, planned, controls).binned(name).codes
        assert np.bincount(codes, minlength=32)[:32] == pytest.approx(N / 32, rel=0.35)
    assert controls.edges("CONTROL-card101") is None


def test_a_plan_without_label_has_no_copy_of_it(table):
    unlabelled = plan(table.drop_columns(["y"]))
    assert "CONTROL-label" not in Controls(unlabelled).names
    with pytest.raises(ValueError, match="plan with label="):
        Controls(unlabelled, kinds=["CONTROL-label"])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"kinds": ["CONTROL-gauss"]}, "there are CONTROL-constant"),
        ({"label": "z"}, "names the column 'z'"),
        ({"columns": ["aa"]}, "did you mean 'a'"),
    ],
)
def test_wrong_names_are_errors_that_name_the_right_ones(planned, options, says):
    with pytest.raises(ValueError, match=says):
        Controls(planned, **options)


def test_a_column_with_the_name_of_a_control_is_an_error(table):
    named = plan(table.append_column("CONTROL-normal", table["a"]), "y")
    with pytest.raises(ValueError, match="already have a column named 'CONTROL-normal'"):
        Controls(named)


def test_the_noise_level_is_interpolated_and_stays_at_the_ends():
    level = {2: 0.0, 101: 0.01, 50_001: 0.2}
    assert noise_level(1, level) == 0.0
    assert noise_level(101, level) == pytest.approx(0.01)
    assert 0.01 < noise_level(2000, level) < 0.2
    assert noise_level(10**7, level) == 0.2
    with pytest.raises(ValueError, match="at least 1"):
        noise_level(5, {})


# --- controls whose counts are drawn ----------------------------------------------------------------------------------


@pytest.mark.parametrize("heuristic", ["mi", "chi2"])
def test_the_order_of_the_rows_changes_no_score_of_a_control(table, heuristic):
    rows = np.random.default_rng(1).permutation(N)
    options = {"controls": True, "heuristic": heuristic}
    first = StreamRanker("y", **options).fit(table).scores_.frame
    other = StreamRanker("y", **options).fit(table.take(rows)).scores_.frame
    assert first.equals(other)
    assert {name for name in first["column"] if name.startswith("CONTROL-")} == set(CONTROLS)


def test_another_seed_draws_other_controls():
    counts = np.array([4000, 2000])
    one, two = (drawn_tables(counts, seed)["CONTROL-card101", "values"].counts for seed in (0, 1))
    assert not np.array_equal(one, two)


@pytest.mark.parametrize("counts", [[700, 300], [500, 300, 190, 10], [999, 1], [1000, 0]])
def test_drawn_controls_have_the_rows_of_the_label(counts):
    for (name, view), drawn in drawn_tables(np.array(counts), 0).items():
        assert drawn.complete
        assert drawn.counts.sum(axis=0).tolist() == counts, (name, view)


def test_drawn_noise_scores_as_noise_that_is_dealt_out():
    counts = np.array([900, 500, 100])
    null = NullTable(counts)
    found = {}
    for seed in range(300):
        for item, drawn in drawn_tables(counts, seed).items():
            found.setdefault(item, []).append(corrected(drawn, null))
    for (name, view), scores in found.items():
        if name in ("CONTROL-constant", "CONTROL-sequence") or (name, view) in (
            ("CONTROL-normal", "values"),
            ("CONTROL-uniform", "values"),
        ):
            assert all(score.score == 0.0 and score.p == 1.0 for score in scores), name
            continue
        z = np.array([score.z for score in scores])
        assert abs(z.mean()) < 4 / np.sqrt(300), name
        assert z.std() == pytest.approx(1, abs=0.2), name
        assert np.mean([score.p < 0.05 for score in scores]) < 0.05 + 4 * np.sqrt(0.05 / 300)


def test_of_many_values_and_classes_a_sample_is_drawn():
    counts = np.random.default_rng(0).integers(100, 9000, 400)
    for (name, view), drawn in drawn_tables(counts, 0).items():
        assert drawn.counts.size <= 1 << 22
        if name not in ("CONTROL-sequence", "CONTROL-normal", "CONTROL-uniform"):
            continue
        if view == "values":
            assert drawn.distinct == pytest.approx(counts.sum())
            assert corrected(drawn, NullTable(counts)).score == 0.0


def test_nothing_is_drawn_where_rows_are_read(table):
    frame = StreamRanker("y", controls=True, null="shift", batch_size=2000).fit(table).scores_.frame
    assert set(DRAWN) < set(frame["column"])
