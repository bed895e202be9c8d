"""Streaming moments: equal to numpy, equal in any arrangement of the blocks."""

from __future__ import annotations

import math
from dataclasses import asdict
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salience.measures.exactsum import exact, ratio
from salience.measures.moments import MomentState


def plan_of(kind="classes", classes=("no", "yes")):
    return SimpleNamespace(labels=(SimpleNamespace(name="y", kind=kind, classes=classes),))


def block_of(x, labels, y=None):
    columns = {"x": SimpleNamespace(numeric=np.asarray(x, float)), "t": SimpleNamespace(numeric=None)}
    columns["y"] = SimpleNamespace(numeric=None if y is None else np.asarray(y, float))
    return SimpleNamespace(column=columns.__getitem__, labels={"y": np.asarray(labels, dtype=np.int32)})


def scanned(blocks, kind="classes", classes=("no", "yes"), label="y", **options):
    state = MomentState(["x"], plan_of(kind, classes), label, **options)
    for block in blocks:
        for part in state.parts(block):
            part()
    return state


def test_moments_agree_with_numpy_over_the_labelled_finite_rows():
    rng = np.random.default_rng(0)
    x, labels = rng.normal(3, 2, 5000), rng.integers(-1, 2, 5000)
    x[::7], x[::501] = np.nan, np.inf
    state = scanned([block_of(x[i : i + 900], labels[i : i + 900]) for i in range(0, 5000, 900)])
    got = state.finalize()["x"]
    used = (labels >= 0) & np.isfinite(x)
    assert got.n == used.sum()
    assert got.missing == (np.isnan(x) & (labels >= 0)).sum()
    assert got.infinite == (np.isinf(x) & (labels >= 0)).sum()
    assert got.mean == pytest.approx(x[used].mean(), rel=1e-14)
    assert got.sd == pytest.approx(x[used].std(ddof=1), rel=1e-13)
    assert (got.minimum, got.maximum) == (x[used].min(), x[used].max())
    assert got.pearson == pytest.approx(np.corrcoef(x[used], labels[used])[0, 1], abs=1e-13)
    assert got.class_means[1] == pytest.approx(x[used & (labels == 1)].mean())
    assert got.quantiles[0.5] == pytest.approx(np.median(x[used]), abs=0.2)


def test_correlation_with_a_numeric_label():
    rng = np.random.default_rng(1)
    x = rng.normal(size=3000)
    y = 1e6 + 0.5 * x + rng.normal(size=3000)
    blocks = [
        block_of(x[i : i + 700], np.zeros(700)[: len(x[i : i + 700])], y[i : i + 700])
        for i in range(0, 3000, 700)
    ]
    got = scanned(blocks, "bins", ("all",)).finalize()["x"]
    assert got.pearson == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-9)


def test_more_than_two_classes_have_a_correlation_ratio():
    labels = np.repeat([0, 1, 2], 100)
    got = scanned([block_of(labels.astype(float), labels)], classes="abc").finalize()["x"]
    assert got.correlation_ratio == pytest.approx(1.0)
    assert math.isnan(got.pearson)


def test_a_large_mean_does_not_cost_digits_of_the_deviation():
    x = 1e12 + np.random.default_rng(0).integers(0, 2, 4000)
    state = scanned([block_of(x[i : i + 100], np.zeros(100)) for i in range(0, 4000, 100)])
    assert state.finalize()["x"].sd == pytest.approx((x - 1e12).std(ddof=1), rel=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    blocks=st.lists(
        st.lists(st.tuples(st.floats(allow_subnormal=True), st.integers(-1, 1)), max_size=8),
        min_size=1,
        max_size=8,
    ),
    seed=st.integers(0, 1000),
)
def test_any_arrangement_of_the_blocks_gives_the_same_bits(blocks, seed):
    made = [block_of([x for x, _ in rows], [y for _, y in rows]) for rows in blocks]
    whole = scanned(made, quantiles=False)
    rng = np.random.default_rng(seed)
    states = [scanned([made[i]], quantiles=False) for i in rng.permutation(len(made))]
    while len(states) > 1:
        mine = states.pop(rng.integers(len(states)))
        other = states[rng.integers(len(states))]
        copy = mine.empty()
        copy.load_arrow(mine.to_arrow())
        other.merge(copy)
    np.testing.assert_equal(asdict(whole.finalize()["x"]), asdict(states[0].finalize()["x"]))


def test_no_rows_give_nan_and_a_constant_gives_zero_correlation():
    nothing = scanned([block_of([], [])]).finalize()["x"]
    assert nothing.n == 0
    assert math.isnan(nothing.mean)
    constant = scanned([block_of([2.0, 2.0, 2.0], [0, 1, 1])]).finalize()["x"]
    assert (constant.sd, constant.pearson) == (0.0, 0.0)


def test_without_a_label_all_rows_count():
    got = scanned([block_of([1.0, 3.0], [-1, -1])], label=None).finalize()["x"]
    assert (got.n, got.mean) == (2, 2.0)
    assert math.isnan(got.correlation_ratio)


def test_sketches_survive_storage():
    state = scanned([block_of(np.arange(1000.0), np.zeros(1000))])
    copy = state.empty()
    copy.load_arrow(state.to_arrow())
    assert copy.finalize()["x"].quantiles == state.finalize()["x"].quantiles


def test_misuse_is_explained():
    with pytest.raises(ValueError, match="no label 'z'; it has 'y'"):
        MomentState(["x"], plan_of(), "z")
    state = MomentState(["t"], plan_of(), "y")
    with pytest.raises(ValueError, match="'t' has no numbers"):
        next(iter(state.parts(block_of([1.0], [0]))))()
    with pytest.raises(ValueError, match="states differ"):
        state.merge(MomentState(["x"], plan_of(), "y"))
    with pytest.raises(ValueError, match="did not write it"):
        state.load_arrow(state.to_arrow().replace_schema_metadata({}))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_is_a_whole_number_of_units(value):
    assert ratio(exact(value), 1) == value
