"""Transforms of numbers: the catalogue, what is fitted, what is dropped, supervised bins, the search grid."""

import json
import pickle
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from salience.data.blocks import Block
from salience.data.hashing import MISSING
from salience.data.plan import plan
from salience.data.readers import open_source
from salience.data.scan import scan
from salience.measures.counting import CountState
from salience.tabular.transforms import (
    PRESETS,
    ProfileState,
    Statistics,
    SupervisedBins,
    Transforms,
    find_transforms,
    mdlp_cuts,
    merge_cuts,
    pilot_statistics,
    supervised_bins,
    transformation_grid,
    transformation_json,
)

X = np.random.default_rng(0).normal(2.0, 8.0, 4000).round(1)
S = Statistics.from_values(X)


def apply(name, x, statistics=S):
    return find_transforms([name])[0](np.asarray(x, dtype=float), statistics)


# --------------------------------------------------------------------------- catalogue
@pytest.mark.parametrize(
    ("preset", "count"),
    [
        ("minimal", 4),
        ("default", 10),
        ("extended", 27),
        ("extended_rounded", 108),
        ("fw-transformers", 138),
        ("verbose", 232),
    ],
)
def test_presets_have_their_number_of_transforms(preset, count):
    assert len({t.name for t in PRESETS[preset]}) == count


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("sqrt", lambda x: np.sqrt(x)),
        ("log(x+1)", lambda x: np.log(x + 1)),
        ("div(x,abs(x))*log(abs(x))", lambda x: x / abs(x) * np.log(abs(x))),
        ("log(x+sqrt(pow(x,2)+1))", lambda x: np.log(x + np.sqrt(x**2 + 1))),
        ("log*100", lambda x: np.round(np.log(x + 1) * 100)),
        ("round(div(x,max))", lambda x: np.round(x / X.max())),
        ("z_score", lambda x: (x - X.mean()) / X.std()),
        ("min_max_scale", lambda x: (x - X.min()) / (X.max() - X.min())),
        ("shifted_sigmoid", lambda x: 1 / (1 + np.exp(-x - 0.5))),
        ("custom1", lambda x: x**2 + 2 * x + 1),
        ("log10*sqrt_squared", lambda x: np.log10(x**2 + 1) * abs(x)),
        ("min_max_scale_abs", lambda x: (abs(x) - abs(X).min()) / (abs(X).max() - abs(X).min())),
        ("fill_negative_with_max", lambda x: np.where(x < 0, X.max(), x)),
        ("threshold_minus_10_with_median", lambda x: np.where(x < -10, S.quantile(0.5), x)),
        ("mish", lambda x: x * np.tanh(np.log1p(np.exp(x)))),
        ("fw_sqrt_res_10_gt_2", lambda x: np.where(x <= 2, x, np.round(10 * np.sqrt(x - 2)))),
        ("sqrt_round2", lambda x: np.round(np.sqrt(x), 2)),
    ],
)
def test_a_transform_is_its_formula(name, formula):
    with np.errstate(all="ignore"):
        expected = formula(X)
    np.testing.assert_allclose(apply(name, X), expected, rtol=1e-9, atol=2e-3 if "_abs" in name else 1e-12)


@pytest.mark.parametrize("name", [t.name for t in PRESETS["fw-transformers"] if t.name.startswith("fw")])
def test_a_value_at_the_threshold_of_a_fw_transform_stays_itself(name):
    threshold = float(name.rpartition("_")[2])
    assert apply(name, [threshold])[0] == threshold


def test_a_missing_number_stays_missing_unless_it_is_filled():
    kept = {t.name for t in PRESETS["verbose"] if not np.isnan(t(np.array([np.nan, 1.0]), S)[0])}
    constants = {"mean", "median", "variance", "std_dev", "energy_distance"}
    for name in kept:
        assert name.startswith(("fill_nan", "is_", "percentile", "sort", "reverse", "argsort")) or (
            name.removesuffix("_squared") in constants
        ), name


def test_presets_add_up_and_single_transforms_can_be_named():
    assert find_transforms("fw") == find_transforms("fw-transformers")
    assert len(find_transforms("minimal,default")) == 10
    assert [t.name for t in find_transforms(["sqrt", "fw_log_res_1_gt_8"])] == ["sqrt", "fw_log_res_1_gt_8"]
    with pytest.raises(ValueError, match=r"unknown transform 'defualt'.*minimal, default"):
        find_transforms("defualt")


@pytest.mark.parametrize("preset", list(PRESETS))
def test_transforms_travel_to_another_process(preset):
    for transform in PRESETS[preset]:
        assert pickle.loads(pickle.dumps(transform)) is transform


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=30))
def test_every_transform_takes_any_float_and_keeps_the_shape(values):
    x = np.array(values)
    statistics = Statistics.from_values(x)
    for transform in PRESETS["extended"] + PRESETS["fw-transformers"][10:20]:
        assert transform(x, statistics).shape == x.shape


# -------------------------------------------------------------------------- statistics
def test_statistics_of_absolute_and_square_follow_from_those_of_the_number():
    for derived, values in ((S.absolute, np.abs(X)), (S.square, X**2)):
        assert derived.maximum == values.max()
        assert derived.mean == pytest.approx(values.mean(), rel=2e-3)
        assert derived.quantile(0.5) == pytest.approx(np.median(values), rel=0.02)


def test_statistics_survive_json():
    again = Statistics.from_dict(json.loads(json.dumps(S.to_dict())))
    assert again.mean == S.mean
    np.testing.assert_array_equal(again.grid, S.grid)


def test_statistics_of_nothing_are_nan():
    empty = Statistics.from_values([np.nan, np.inf])
    assert (empty.count, empty.missing) == (0, 2)
    assert np.isnan([empty.mean, empty.quantile(0.5), empty.square.maximum, empty.absolute.mean]).all()


# ----------------------------------------------------------------------- the scan state
class FakeBlock:
    def __init__(self, shard, first, values):
        self.id, self.rows = (shard, first), len(values)
        self.positions = first + np.arange(len(values))
        self.values = values

    def column(self, name):
        return SimpleNamespace(numeric=self.values)


def profile_of(blocks, size=200):
    state = ProfileState(["x"], size=size, seed=3)
    for block in blocks:
        for part in state.parts(block):
            part()
    return state


def pieces(lengths):
    starts = np.cumsum([0, *lengths])
    return [FakeBlock(0, int(a), X[a:b]) for a, b in pairwise(starts)]


@given(st.permutations(range(6)), st.integers(1, 5))
def test_a_profile_does_not_depend_on_order_partition_or_merge(order, cut):
    blocks = pieces([100, 7, 400, 50, 333, 110])
    expected = profile_of(blocks).finalize()["x"].to_dict()
    left, right = (profile_of([blocks[i] for i in part]) for part in (order[:cut], order[cut:]))
    reloaded = left.empty()
    reloaded.load_arrow(left.to_arrow())
    reloaded.merge(right)
    assert reloaded.finalize()["x"].to_dict() == expected


def test_bounds_and_counts_of_a_profile_are_exact_and_its_quantiles_close():
    x = np.where(np.arange(4000) % 10 == 0, np.nan, X)
    made = profile_of([FakeBlock(0, 0, x)], size=2000).finalize()["x"]
    assert (made.count, made.missing) == (3600, 400)
    assert (made.minimum, made.maximum) == (np.nanmin(x), np.nanmax(x))
    assert made.quantile(0.5) == pytest.approx(np.nanmedian(x), abs=0.6)


def test_a_profile_of_a_text_column_says_so():
    block = (
        FakeBlock(0, 0, None)
        if False
        else SimpleNamespace(
            id=(0, 0), positions=np.arange(3), column=lambda name: SimpleNamespace(numeric=None)
        )
    )
    with pytest.raises(ValueError, match="'x' holds no numbers"):
        [part() for part in ProfileState(["x"]).parts(block)]


# ----------------------------------------------------------------------- supervised bins
def test_mdlp_finds_the_planted_cut_and_leaves_noise_alone():
    rng = np.random.default_rng(1)
    label = rng.integers(0, 2, 4000)
    x = np.where(label == 1, rng.integers(12, 32, 4000), rng.integers(0, 20, 4000))
    counts = np.zeros((32, 2), dtype=int)
    np.add.at(counts, (x, label), 1)
    assert set(mdlp_cuts(counts)) == {12, 20}
    np.add.at(noise := np.zeros((32, 2), dtype=int), (rng.integers(0, 32, 4000), label), 1)
    assert len(mdlp_cuts(noise)) == 0


@pytest.mark.parametrize(
    "counts", [np.zeros((0, 2), int), np.zeros((5, 3), int), np.array([[4, 0]]), np.array([[1, 0], [0, 0]])]
)
def test_mdlp_of_nothing_to_cut_is_empty(counts):
    assert len(mdlp_cuts(counts)) == 0


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=20), st.integers(1, 8)
)
def test_merging_keeps_at_most_the_wanted_bins_and_every_row(rows, wanted):
    counts = np.array(rows)
    cuts = merge_cuts(counts, wanted)
    assert len(cuts) == min(wanted, len(counts)) - 1
    merged = [part.sum(axis=0) for part in np.split(counts, cuts)]
    np.testing.assert_array_equal(np.sum(merged, axis=0), counts.sum(axis=0))


# ------------------------------------------------------------------------------- grid
def test_the_grid_has_fifteen_thresholds_eight_resolutions_and_ratios_of_all_pairs():
    fitted = {f"x{i}": Statistics.from_values(np.linspace(0, 10 + i, 50)) for i in range(4)}
    grid = transformation_grid(fitted, columns=["city"])
    single = next(g for g in grid if g["feature"] == "x0" and "n" in g)
    assert (len(single["n"]), len(single["resolutions"])) == (15, 8)
    assert single["n"][:2] == [0.0, 0.67]
    assert sum("Ratio" in g["feature"] for g in grid) == 12
    assert sum("weights" in g for g in grid) == 5


def test_the_grid_is_json_even_for_columns_without_a_number():
    fitted = {"none": Statistics.from_values([]), "one": Statistics.from_values([3.0, 3.0])}
    loaded = json.loads(transformation_json(fitted))
    assert [g["transformations"] for g in loaded["random_grid_feature_transform"]] == [["Weight"], ["Weight"]]
    assert loaded["random_grid_epochs"] == 512


# ------------------------------------------------------- derivations, on a real plan and real blocks
@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(2)
    age = np.where(rng.random(3000) < 0.1, np.nan, rng.integers(18, 90, 3000) + rng.random(3000).round(1))
    clicks = np.where(rng.random(3000) < 0.95, 0, 7)
    label = (np.nan_to_num(age, nan=40.0) > 50).astype(int)
    return pa.table(
        {"age": pa.array(age, from_pandas=True), "clicks": clicks, "town": ["Rome"] * 3000, "y": label}
    )


@pytest.fixture(scope="module")
def planned(table):
    return plan(table, "y")


@pytest.fixture(scope="module")
def fitted(table, planned):
    return pilot_statistics(open_source(table), planned)


def block_of(table, planned, *derivations):
    named = {name: d for d in derivations for name in d.names}
    return Block(table.combine_chunks().to_batches()[0], planned, (0, 0), named)


def test_a_derived_column_holds_the_numbers_and_their_identities(table, planned, fitted):
    made = Transforms(planned, "default", ["age"], fitted)
    column = block_of(table, planned, made).column("log*100(age)")
    age = np.array(table["age"].to_pylist(), dtype=float)
    np.testing.assert_array_equal(column.numeric, np.round(100 * np.log1p(age)))
    assert ((column.row_hashes() == MISSING) == np.isnan(age)).all()
    assert len(np.unique(column.row_hashes())) == len(np.unique(column.numeric[~np.isnan(age)])) + 1


def test_constant_lopsided_and_empty_results_are_dropped_with_the_reason(planned, fitted):
    made = Transforms(planned, ["nonzero", "sqrt", "mean", "arccosh", "arctanh", "sort"], fitted=fitted)
    assert made.items == {"sqrt(age)": ("age", "sqrt"), "arccosh(age)": ("age", "arccosh")}
    assert made.dropped["clicks", "sqrt"] == "one value takes 95% of the rows"
    assert made.dropped["age", "nonzero"] == "one value takes 91% of the rows"
    assert made.dropped["age", "arctanh"] == "no result for 100% of the rows"
    assert made.dropped["age", "sort"] == "depends on the order of the rows"
    assert made.dropped["clicks", "mean"] == "constant"


def test_bins_of_a_transformed_column_have_nearly_equal_weight(table, planned, fitted):
    made = Transforms(planned, ["log(x+1)", "round(div(x,median))"], ["age"], fitted)
    codes = block_of(table, planned, made).binned("log(x+1)(age)").codes
    counts = np.bincount(codes, minlength=33)
    assert counts[32] == table["age"].null_count
    assert counts[:32].min() > 50
    assert made.edges("round(div(x,median))(age)") is None


def test_a_name_that_is_taken_gets_a_number(table, fitted):
    clash = plan(table.append_column("sqrt(age)", table["town"]), "y")
    assert Transforms(clash, ["sqrt"], ["age"], fitted).names == ("sqrt(age) (2)",)


def test_transforms_travel_with_their_statistics(table, planned, fitted):
    made = Transforms(planned, "verbose", ["age"], fitted)
    again = pickle.loads(pickle.dumps(made))
    name = "z_score(age)"
    here, there = (block_of(table, planned, d).column(name).row_hashes() for d in (made, again))
    np.testing.assert_array_equal(here, there)


def test_the_profile_of_a_scan_agrees_with_the_pilot_when_the_pilot_saw_everything(table, planned, fitted):
    state = ProfileState(["age"], size=5000)
    scan(planned, {"profile": state}, source=open_source(table))
    found, expected = state.finalize()["age"], fitted["age"]
    assert (found.count, found.missing, found.maximum) == (expected.count, expected.missing, expected.maximum)
    assert found.mean == pytest.approx(expected.mean)
    np.testing.assert_array_equal(found.grid, expected.grid)


def test_supervised_bins_find_the_edge_that_decides_the_label(table, planned):
    state = CountState([("age", "bins")], "y", planned)
    scan(planned, {"counts": state}, source=open_source(table))
    tables = {name: found for (name, _), found in state.finalize().items()}
    bins = SupervisedBins.fit(planned, tables)
    assert bins.names == ("bins(age)",)
    assert 1 <= len(bins.cuts["age"]) <= 2
    assert np.abs(bins.cuts["age"] - 50).max() < 3
    column = block_of(table, planned, bins).column("bins(age)")
    assert (column.row_hashes() == MISSING).sum() == table["age"].null_count
    assert len(SupervisedBins.fit(planned, tables, "merge", max_bins=4).cuts["age"]) == 3


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda p, f: Transforms(p, "default", ["town"], f), "'town' is planned as 'text'"),
        (lambda p, f: Transforms(p, "default", ["agee"], f), "did you mean 'age'"),
        (lambda p, f: Transforms(p, "default", ["age"]), r"no statistics for \['age'\]"),
        (lambda p, f: SupervisedBins.fit(p, {}, "tree"), "there are mdlp, merge"),
        (lambda p, f: SupervisedBins({"age": np.array([2.0, 1.0])}), "ascend strictly"),
    ],
)
def test_wrong_requests_are_errors_that_teach(planned, fitted, call, says):
    with pytest.raises(ValueError, match=says):
        call(planned, fitted)


def test_supervised_bins_score_noise_with_nothing_and_a_threshold_with_all():
    rng = np.random.default_rng(0)
    x = rng.normal(size=6000)
    frame = pl.DataFrame(
        {"x": x, "noise": rng.normal(size=6000), "few": (x > 1).astype(float), "y": (x > 0.5).astype(int)}
    )
    found = {row["column"]: row for row in supervised_bins(frame, "y").to_dicts()}
    assert found["noise"]["edges"] == []
    assert abs(found["noise"]["value"]) < 1e-9
    assert min(abs(edge - 0.5) for edge in found["x"]["edges"]) < 0.05
    assert found["x"]["value"] > 0.9 * 0.617  # the entropy of the label, less an edge that is not quite it
    assert found["few"]["edges"] == [0.5]
    assert list(found) == ["x", "few", "noise"]


def test_supervised_bins_merge_to_as_many_as_asked_and_refuse_what_is_no_number():
    frame = pl.DataFrame({"x": list(range(300)), "t": ["a"] * 300, "y": [0, 1, 1] * 100})
    (row,) = supervised_bins(frame, "y", method="merge", max_bins=4).to_dicts()
    assert (row["bins"], len(row["edges"])) == (4, 3)
    with pytest.raises(ValueError, match="'t'"):
        supervised_bins(frame, "y", columns=["t"])
