import numpy as np
import polars as pl
import pytest

from salience.data.plan import plan
from salience.data.readers import open_source
from salience.data.scan import scan
from salience.measures.contingency import Contingency
from salience.measures.information import corrected
from salience.measures.nulltable import NullTable
from salience.tabular.streaming.batches import BATCH_NULLS, BatchState, batch_bounds


@pytest.fixture(scope="module")
def columns():
    rng = np.random.default_rng(0)
    n = 6000
    y = (rng.random(n) < 0.4).astype(int)
    return {
        "weak": np.where(rng.random(n) < 0.65, y, rng.integers(2, size=n)),
        "noise": rng.integers(400, size=n),
        "id": np.arange(n),
        "constant": np.zeros(n, dtype=int),
    }, y


def _scanned(columns, y, state_options=None, **options):
    frame = pl.DataFrame({name: [f"v{v}" for v in values] for name, values in columns.items()})
    source = open_source(frame.with_columns(y=pl.Series(y).cast(pl.String)))
    planned = plan(source, "y", **options)
    items = [(name, "values") for name in columns]
    state = BatchState(
        items, "y", len(planned.label("y").classes), **{"min_rows": 2, **(state_options or {})}
    )
    scan(planned, {"batches": state}, source=source)
    return state


def _values(state):
    return dict(state.finalize().frame.select("column", "value").iter_rows())


def test_the_analytic_score_is_the_median_over_batches_of_the_corrected_information(columns):
    data, y = columns
    state = _scanned(data, y, {"batch_rows": 1000}, block_rows=3000)
    for name, values in data.items():
        scores = []
        for start in range(0, 6000, 1000):
            table = Contingency.from_codes(values[start : start + 1000], y[start : start + 1000])
            scores.append(corrected(table, NullTable(table.label_counts)).score)
        assert _values(state)[name] == pytest.approx(np.median(scores), abs=1e-10)


@pytest.mark.parametrize("null", BATCH_NULLS)
def test_under_every_null_the_weak_column_stands_above_and_the_constant_is_exactly_zero(columns, null):
    found = _values(_scanned(*columns, {"batch_rows": 1500, "null": null}))
    assert found["constant"] == 0.0
    assert found["weak"] > 0.1
    if null == "none":  # plain information prefers the row id
        assert found["id"] > found["weak"]
    else:
        assert abs(found["id"]) < 0.01
        assert abs(found["noise"]) < 0.04


@pytest.mark.parametrize("null", BATCH_NULLS)
def test_a_state_merged_from_parts_or_read_back_gives_the_same_bits(columns, null):
    options = {"batch_rows": 500, "null": null}
    whole = _scanned(*columns, options, block_rows=1000)
    data, y = columns
    frame = pl.DataFrame({name: [f"v{v}" for v in values] for name, values in data.items()})
    source = open_source(frame.with_columns(y=pl.Series(y).cast(pl.String)))
    planned = plan(source, "y", block_rows=1000)
    halves = [whole.empty(), whole.empty()]
    from salience.data.blocks import Block

    for shard in source.shards():
        first = 0
        for number, batch in enumerate(source.batches(shard, source.columns, 1000)):
            for part in halves[number % 2].parts(Block(batch, planned, (shard.index, first))):
                part()
            first += batch.num_rows
    halves[1].merge(halves[0])
    back = whole.empty()
    back.load_arrow(halves[1].to_arrow())
    assert back.counts == whole.counts
    assert back.finalize().frame.equals(whole.finalize().frame)


def test_the_shift_of_a_file_sorted_by_a_feature_survives_because_rows_are_shuffled_first(columns):
    # the package's score of an informative column falls from .693 to .009 when rows come in runs of the label
    rng = np.random.default_rng(1)
    y = np.repeat(np.tile([0, 1], 20), 100)
    copy = {"copy": y, "noise": rng.integers(50, size=4000)}
    found = _values(_scanned(copy, y, {"null": "shift", "batch_rows": 4000}))
    assert found["copy"] == pytest.approx(np.log(2), abs=0.02)


def test_no_row_is_left_over_in_a_tail(columns):
    state = _scanned(*columns, {"batch_rows": 2500}, block_rows=4096)
    assert state.counts["rows"] == 6000
    assert state.counts["rows_unscored"] == 0


def test_batches_of_one_label_are_counted_and_not_scored_zero(columns):
    data, y = columns
    sorted_half = np.concatenate([np.zeros(3000, dtype=int), y[3000:]])
    state = _scanned(data, sorted_half, {"batch_rows": 1000}, block_rows=1000)
    rest = _scanned({k: v[3000:] for k, v in data.items()}, y[3000:], {"batch_rows": 1000}, block_rows=1000)
    assert (state.counts["batches"], state.counts["constant_label"]) == (3, 3)
    assert _values(state) == _values(rest)
    assert "3 batches have one label value" in state.finalize().meta.warnings[0]


def test_missing_is_a_value_and_not_the_last_one(columns):
    # code -1 of the package wraps to the last bin: a gap that says everything would lose its information
    y = np.array([0, 1] * 1000)
    frame = pl.DataFrame({"gap": [None if v else "x" for v in y], "y": y.astype(str)})
    source = open_source(frame)
    planned = plan(source, "y")
    state = BatchState([("gap", "values")], "y", 2, null="shift", batch_rows=2000)
    scan(planned, {"batches": state}, source=source)
    assert _values(state)["gap"] > 0.6


def test_rows_without_a_label_take_no_part():
    y = pl.Series(["a", "b", None] * 500)
    frame = pl.DataFrame({"x": ["u", "v", "w"] * 500, "y": y})
    source = open_source(frame)
    planned = plan(source, "y")
    state = BatchState([("x", "values")], "y", 2, batch_rows=1000, min_rows=2)
    scan(planned, {"batches": state}, source=source)
    assert state.counts["rows"] == 1000
    assert state.finalize().frame["mi"][0] == pytest.approx(np.log(2), abs=0.01)


def test_too_few_rows_and_a_sorted_file_are_errors_that_name_the_option(columns):
    data, y = columns
    with pytest.raises(ValueError, match="min_rows=9000"):
        _scanned(data, y, {"min_rows": 9000}).finalize()
    with pytest.raises(ValueError, match="sorted by it"):
        _scanned(data, np.repeat([0, 1], 3000), {"batch_rows": 1000}, block_rows=1000).finalize()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"null": "guess"}, "analytic, permute"),
        ({"aggregate": "sum"}, "median, mean"),
        ({"batch_rows": 1}, "batch_rows=1"),
    ],
)
def test_unknown_options_are_refused(options, says):
    with pytest.raises(ValueError, match=says):
        BatchState([("a", "values")], "y", 2, **options)


@pytest.mark.parametrize(("rows", "batch_rows"), [(0, 5), (1, 5), (7, 5), (8, 5), (100, 7), (65536, 16384)])
def test_bounds_cover_all_rows_in_nearly_equal_batches(rows, batch_rows):
    bounds = batch_bounds(rows, batch_rows)
    sizes = [stop - start for start, stop in bounds]
    assert sum(sizes) == rows
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= 1.5 * batch_rows
