"""Row ranking: the measures against their definition, the planted odd row on top, and exact merging."""

from collections import Counter

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salience.data.plan import plan
from salience.data.readers import open_source
from salience.data.scan import scan
from salience.tabular.rows import RowReference, RowState
from salience.tabular.streaming.rowtexts import LENGTHS, MEASURES, SCALE, measure_rows


def by_definition(cells):
    texts = ["" if c is None else c for c in cells]
    entropies = [
        -sum(n / len(b) * np.log2(n / len(b)) for n in Counter(b).values())
        for b in (t.encode() for t in texts)
        if b
    ]
    empty, braces, zero = (sum(t == symbol for t in texts) for symbol in ("", "{}", "0"))
    return [
        empty,
        braces,
        empty + braces,
        zero,
        sum(entropies),
        *(sum(len(t) > n for t in texts) for n in LENGTHS),
    ]


CELL = st.one_of(
    st.none(), st.sampled_from(["", "{}", "0", "00", "é" * 31]), st.text(max_size=40), st.just("ab" * 160)
)


@given(st.lists(st.lists(CELL, min_size=3, max_size=3), min_size=1, max_size=8), st.booleans())
def test_measures_are_their_definition(rows, dictionary):
    columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
    columns = [c.dictionary_encode() for c in columns] if dictionary else columns
    sums = measure_rows(columns, len(rows)).astype(float)
    sums[:, MEASURES.index("entropy")] /= SCALE
    np.testing.assert_allclose(sums, [by_definition(row) for row in rows], atol=1e-5)


@pytest.mark.parametrize(
    ("array", "texts"),
    [
        (pa.array([0, 17, None]), ["0", "17", ""]),
        (pa.array([0.0, 2.5, float("nan")]), ["0", "2.5", ""]),
        (pa.array([True, False, None]), ["true", "false", ""]),
        (pa.array([["a", "b"], [], None]), ["a,b", "", ""]),
        (pa.array([b"xy", b"", None]), ["xy", "", ""]),
        (pa.nulls(3), ["", "", ""]),
        (pa.chunked_array([["x", "long", "z", "q"]]).chunk(0).slice(1, 3), ["long", "z", "q"]),
    ],
)
def test_any_type_is_measured_by_its_text(array, texts):
    np.testing.assert_array_equal(measure_rows([array], 3), measure_rows([pa.array(texts)], 3))


def make(n=3000):
    rng = np.random.default_rng(4)
    frame = pl.DataFrame({f"c{i}": rng.integers(0, 90, n).astype(str) for i in range(8)})
    label = np.where(rng.random(n) < 0.5, "good", "bad")
    odd = pl.lit(pl.Series(np.arange(n) == 1234))
    frame = frame.with_columns(
        pl.when(odd).then(pl.lit("?x" * 120)).otherwise(pl.col(f"c{i}")).alias(f"c{i}") for i in range(5)
    )
    empty = pl.lit(pl.Series((label == "bad") & (np.arange(n) % 3 == 0)))
    return frame.with_columns(
        pl.when(empty).then(pl.lit("")).otherwise(pl.col("c7")).alias("c7"), pl.Series("y", label)
    )


FRAME = make()
SOURCE = open_source(FRAME)
PLAN = plan(SOURCE, "y", block_rows=500)
REFERENCE = RowReference.from_pilot(SOURCE, PLAN)


def scanned(threads=2, **options):
    state = RowState(PLAN, REFERENCE, **options)
    scan(PLAN, {"rows": state}, source=SOURCE, threads=threads)
    return state


@pytest.fixture(scope="module")
def ranking():
    return scanned(k=20).finalize()


def test_the_planted_odd_row_comes_first(ranking):
    assert ranking.scores.item == "row"
    assert ranking.scores.top(1).items == [1234]
    top = ranking.scores.frame.row(0, named=True)
    assert (top["row"], top["longer_200"], top["longer_300"]) == (1234, 5 / 8, 0.0)


def test_the_score_is_the_surprise_of_its_bins(ranking):
    shares = (REFERENCE.counts + 1) / (REFERENCE.counts.sum(axis=1, keepdims=True) + 100)
    top = ranking.scores.frame.row(0, named=True)
    limit = {"entropy": 8.0}
    expected = -sum(
        np.log(shares[i, min(int(top[m] / limit.get(m, 1.0) * 100), 99)])
        for i, m in enumerate(MEASURES)
        if m != "blank"
    )
    assert top["value"] == pytest.approx(expected)


def test_the_summary_shows_which_class_has_the_empty_fields(ranking):
    empty = ranking.summary.filter(pl.col("measure") == "empty")
    means = dict(empty.select("label", "mean").iter_rows())
    blank = FRAME.group_by("y").agg((pl.col("c7") == "").mean() / 8)
    assert means == pytest.approx(dict(blank.iter_rows()))
    assert ranking.summary.filter(pl.col("measure") == "zero")["rows"].sum() == FRAME.height


def test_histograms_hold_every_row_of_every_label(ranking):
    rows = ranking.histograms.group_by("label", "measure").agg(pl.col("rows").sum())
    sizes = dict(FRAME["y"].value_counts().iter_rows())
    assert all(n == sizes[label] for label, _, n in rows.iter_rows())
    assert (ranking.histograms["high"] > ranking.histograms["low"]).all()


def test_shuffled_labels_leave_the_scores_alone(ranking):
    shuffled = FRAME.with_columns(pl.col("y").shuffle(seed=1))
    source = open_source(shuffled)
    planned = plan(source, "y", block_rows=500)
    state = RowState(planned, RowReference.from_pilot(source, planned), k=20)
    scan(planned, {"rows": state}, source=source)
    found = state.finalize().scores.frame
    assert found.select("row", "value").equals(ranking.scores.frame.select("row", "value"))


def content(state):
    made = state.finalize()
    return made.scores.frame, made.summary, made.histograms


@settings(max_examples=15)
@given(st.permutations(range(6)), st.integers(1, 5), st.booleans())
def test_any_order_partition_and_merge_gives_the_same_bits(order, cut, stored):
    from salience.data.blocks import Block

    batch = SOURCE.batches(PLAN.shards[0], list(FRAME.columns), 500)
    blocks = [Block(b, PLAN, (0, 500 * i)) for i, b in enumerate(batch)]
    halves = []
    for part in (order[:cut], order[cut:]):
        state = RowState(PLAN, REFERENCE, k=10)
        for i in part:
            for piece in state.parts(blocks[i]):
                piece()
        if stored:
            again = state.empty()
            again.load_arrow(state.to_arrow())
            state = again
        halves.append(state)
    halves[0].merge(halves[1])
    for mine, whole in zip(content(halves[0]), content(scanned(threads=1, k=10)), strict=True):
        assert mine.equals(whole)


def test_rows_without_a_label_are_a_class_of_their_own():
    frame = FRAME.head(100).with_columns(
        pl.when(pl.int_range(100) < 10).then(None).otherwise(pl.col("y")).alias("y")
    )
    source = open_source(frame)
    planned = plan(source, "y")
    state = RowState(planned, RowReference.from_pilot(source, planned), k=5)
    scan(planned, {"rows": state}, source=source)
    summary = state.finalize().summary
    assert summary.filter(pl.col("label").is_null())["rows"].unique().to_list() == [10]


def test_a_plan_without_label_has_one_class():
    source = open_source(FRAME.drop("y").head(50))
    planned = plan(source)
    state = RowState(planned, RowReference.from_pilot(source, planned), k=500)
    scan(planned, {"rows": state}, source=source)
    found = state.finalize()
    assert found.scores.frame.height == 50
    assert found.summary["label"].is_null().all()


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: RowState(PLAN, REFERENCE, k=0), "at least 1; got 0"),
        (lambda: RowState(PLAN, REFERENCE, label="yy"), "did you mean 'y'"),
        (lambda: RowReference.from_pilot(SOURCE, PLAN, ["c77"]), "did you mean 'c7'"),
        (lambda: RowReference.from_pilot(SOURCE, PLAN, []), "at least one column"),
        (lambda: scanned(k=3).merge(scanned(k=4)), "only be merged"),
    ],
)
def test_wrong_requests_are_errors_that_teach(call, says):
    with pytest.raises(ValueError, match=says):
        call()
