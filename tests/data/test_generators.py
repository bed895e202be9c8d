"""Planted data: the truth is really there, nothing else is, and every row is a function of the seed."""

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import mutual_info_score

from salience.data.generators import (
    RECIPES,
    AutoML,
    Categorical,
    CategoricalClassification,
    Clicks,
    NaiveNeedle,
    Needle,
    TripleNeedle,
    Xor,
    generate,
    write,
)
from salience.data.generators.drawing import blocks


def information(planted, *columns):
    frame = planted.frame
    joined = (
        frame.select(pl.struct(columns).rank("dense").alias("x"))["x"]
        if len(columns) > 1
        else frame[columns[0]]
    )
    return mutual_info_score(joined.to_numpy(), frame[planted.label].to_numpy())


def test_the_naive_needle_does_not_become_the_label():
    planted = generate(NaiveNeedle(), rows=5000)
    needle, label = planted.frame["f30"].to_numpy(), planted.frame["label"].to_numpy()
    assert len(np.unique(needle)) == 90
    assert not np.shares_memory(needle, label)
    np.testing.assert_array_equal(label, needle >= 40)


def test_the_needle_is_the_sum_of_its_columns_and_only_of_them():
    planted = generate(Needle(planted=("f20", "f30", "f50")), rows=2000)
    f = planted.frame
    assert (f["label"] == f["f20"] + f["f30"] + f["f50"]).all()
    assert planted.truth == (("f20", "f30", "f50"),)
    assert planted.frame.shape == (2000, 101)


def test_xor_bits_alone_carry_nothing_and_together_everything():
    planted = generate(Xor(), rows=20_000)
    assert information(planted, "f3", "f7") == pytest.approx(np.log(2), abs=1e-3)
    assert max(information(planted, c) for c in planted.features) < 1e-3


def test_flipped_labels_leave_the_binary_entropy():
    planted = generate(Xor(flip=0.1), rows=50_000)
    entropy = -(0.1 * np.log(0.1) + 0.9 * np.log(0.9))
    assert information(planted, "f3", "f7") == pytest.approx(np.log(2) - entropy, abs=0.01)


@pytest.mark.parametrize("recipe", [kind() for kind in RECIPES.values()], ids=list(RECIPES))
def test_a_recipe_draws_the_same_rows_for_the_same_seed_and_others_for_another(recipe):
    first, again, other = (generate(recipe, 300, seed=s).frame for s in (4, 4, 5))
    assert first.equals(again)
    assert not first.equals(other)
    assert all(name in first.columns for item in recipe.truth for name in item)


def test_a_block_does_not_depend_on_the_blocks_before_it():
    drawn = list(blocks(Clicks(noise=3), rows=250, seed=1, block_rows=100))
    assert [b.height for b in drawn] == [100, 100, 50]
    assert not drawn[0].equals(drawn[1])
    longer = list(blocks(Clicks(noise=3), rows=400, seed=1, block_rows=100))
    assert longer[1].equals(drawn[1])


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_a_written_file_holds_the_rows_that_generate_draws(tmp_path, suffix):
    recipe = Clicks(users=500, ads=50, noise=4)
    path = write(recipe, tmp_path / f"clicks.{suffix}", rows=700, seed=2, block_rows=256)
    read = pl.read_parquet(path) if suffix == "parquet" else pl.read_csv(path)
    expected = generate(recipe, 700, seed=2, block_rows=256).frame
    assert read.cast(expected.schema).equals(expected)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_an_unknown_format_names_the_known_ones(tmp_path):
    with pytest.raises(ValueError, match="csv, parquet"):
        write(Xor(), tmp_path / "x.xls", rows=10)


def test_clicks_have_the_share_of_positives_asked_for_and_zipf_identities():
    planted = generate(Clicks(), rows=60_000)
    assert planted.frame["click"].mean() == pytest.approx(0.03, abs=0.004)
    top = planted.frame["ad"].value_counts(sort=True)["count"]
    assert top[0] > 30 * top[100]
    assert len([c for c in planted.frame.columns if c.startswith("n")]) == 40
    assert list(Clicks().noise_cardinalities.values())[::39] == [2, 50_000]


def test_segment_and_category_act_together_more_than_alone():
    planted = generate(Clicks(users=2000, ads=200, noise=0, rate=0.3), rows=60_000)
    alone = information(planted, "segment") + information(planted, "category")
    assert information(planted, "segment", "category") > 3 * alone


def test_segment_is_a_function_of_the_user():
    frame = generate(Clicks(users=300, noise=0), rows=5000).frame
    assert (frame.group_by("user").agg(pl.col("segment").n_unique())["segment"] == 1).all()


def test_automl_plants_three_singles_and_a_pair_invisible_alone():
    planted = generate(AutoML(), rows=40_000)
    assert planted.frame.width == 121
    assert planted.interactions == (("c10", "c30"),)
    assert information(planted, "c20") > 0.01
    assert information(planted, "c10") + information(planted, "c30") < 0.002
    assert information(planted, "c10", "c30") > 0.03
    assert list(AutoML().cardinalities.values())[::119] == [2, 5000]


@pytest.mark.parametrize(
    "wrong", [lambda: Needle(columns=10), lambda: NaiveNeedle(columns=5), lambda: Xor(planted=("f1", "f1"))]
)
def test_planted_columns_must_exist_and_differ(wrong):
    with pytest.raises(ValueError, match="planted must name"):
        wrong()


def test_the_triple_is_three_columns_of_which_no_two_decide():
    planted = generate(TripleNeedle(columns=60), rows=2000)
    assert planted.truth == (("f20", "f30", "f50"),)
    f = planted.frame
    assert (f["label"] == f["f20"] + f["f30"] + f["f50"]).all()


@pytest.mark.parametrize("relation", ["linear", "nonlinear"])
def test_the_categorical_recipe_plants_the_same_relation_in_every_block(relation):
    recipe = Categorical(relation=relation, noise=0.0)
    planted = generate(recipe, rows=20_000, block_rows=500)
    decided = planted.frame.group_by(recipe.planted).agg(pl.col("label").n_unique())
    assert decided["label"].max() == 1
    assert 0.3 < planted.frame["label"].mean() < 0.7
    told = {name: information(planted, name) for name in planted.features}
    assert set(sorted(told, key=told.get)[-3:]) == set(recipe.planted)
    assert max(v for name, v in told.items() if name not in recipe.planted) < 1e-3


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"planted": ("f90",)}, "planted must name"),
        ({"relation": "tree"}, "linear"),
        ({"noise": 2.0}, "share"),
    ],
)
def test_a_categorical_recipe_says_what_is_wrong(options, said):
    with pytest.raises(ValueError, match=said):
        Categorical(**options)


# ------------------------------------------------------------------ categorical classification


def made(rows=2000, **options):
    made = CategoricalClassification(rows, random_state=3)
    made.columns(5, **options)
    return made


def test_structure_sets_cardinality_values_and_shares():
    made = CategoricalClassification(4000)
    names = made.columns(4, structure={0: 3, (1, 2): [7, 9], 3: ([1, 2], [0.9, 0.1])}, every_value=True)
    frame = pl.DataFrame({n: made.data[n] for n in names})
    assert frame["f0"].n_unique() == 3
    assert set(frame["f1"]) == set(frame["f2"]) == {7, 9}
    assert (frame["f3"] == 1).mean() == pytest.approx(0.9, abs=0.03)


def test_every_value_occurs_when_asked_for():
    names = (it := CategoricalClassification(300)).columns(3, cardinality=200, every_value=True)
    assert all(len(np.unique(it.data[n])) == 200 for n in names)


@pytest.mark.parametrize("r", [-1.0, -0.3, 0.0, 0.8, 1.0])
def test_a_correlated_column_has_exactly_that_correlation(r):
    it = made()
    (name,) = it.correlated(["f1"], r)
    assert np.corrcoef(it.data["f1"], it.data[name])[0, 1] == pytest.approx(r, abs=1e-9)


def test_a_duplicate_is_equal_and_owns_its_memory():
    it = made()
    (name,) = it.duplicates(["f2"])
    np.testing.assert_array_equal(it.data[name], it.data["f2"])
    assert not np.shares_memory(it.data[name], it.data["f2"])


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("linear", lambda a, b: a + b),
        ("nonlinear", lambda a, b: np.sin(a + b)),
        ("xor", np.bitwise_xor),
        ("and", np.bitwise_and),
        ("or", np.bitwise_or),
        (lambda x: x[:, 0] * x[:, 1], lambda a, b: a * b),
    ],
)
def test_combinations(how, expected):
    it = made()
    name = it.combination(["f0", "f3"], how)
    np.testing.assert_allclose(it.data[name], expected(it.data["f0"], it.data["f3"]))


@pytest.mark.parametrize("relation", ["linear", "nonlinear"])
def test_class_shares_are_met_when_the_decision_has_few_ties(relation):
    it = made(rows=5000, cardinality=300, width=1)
    it.labels(3, shares=(0.5, 0.3, 0.2), relation=relation)
    shares = np.bincount(it.label) / it.rows
    np.testing.assert_allclose(shares, [0.5, 0.3, 0.2], atol=0.02)


def test_ties_of_the_decision_leave_no_class_empty():
    it = made()
    for column in it.data:
        it.labels(columns=[column])
        assert len(np.unique(it.label)) == 2


def test_balanced_clusters_have_exactly_their_shares():
    it = made(rows=1000)
    it.labels(3, shares=(0.6, 0.3, 0.1), relation="cluster", balance=True)
    assert np.bincount(it.label).tolist() == [600, 300, 100]


def test_missing_noise_becomes_null_and_leaves_the_label():
    it = made()
    it.labels(columns=["f0"])
    it.noise(0.25, "missing", columns=["f1"])
    frame = it.planted().frame
    assert frame["f1"].null_count() == 500
    assert frame.null_count().sum_horizontal().item() == 500


def test_categorical_noise_weakens_the_planted_column():
    it = made()
    it.labels(columns=["f0"])
    before = mutual_info_score(it.data["f0"], it.label)
    it.noise(0.3)
    assert mutual_info_score(it.data["f0"], it.label) < before / 2


def test_downsampling_balances_without_repeating_rows():
    it = made()
    it.data["row"] = np.arange(it.rows, dtype=np.int32)
    it.labels(shares=(0.8, 0.2), columns=["row"])
    it.downsample()
    assert np.bincount(it.label).tolist() == [400, 400]
    assert len(np.unique(it.data["row"])) == 800


def test_the_same_steps_give_the_same_frame():
    def build():
        it = made(width=2)
        it.correlated(["f0"])
        it.labels(relation="cluster")
        it.noise()
        return it.planted().frame

    assert build().equals(build())


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda it: it.combination(["f0", "nope"]), "no column named"),
        (lambda it: it.combination(["f0", "f1"], "nand"), "there are linear"),
        (lambda it: it.labels(shares=(0.5, 0.6)), "sum 1"),
        (lambda it: it.noise(), "call labels"),
        (lambda it: it.downsample(), "call labels"),
        (lambda it: it.columns(2, structure={5: 3}), "describes columns"),
        (lambda it: it.correlated(["f0"], 2), "from -1 to 1"),
        (lambda it: it.columns(1, cardinality=0), "cardinality"),
    ],
)
def test_errors_say_what_is_allowed(wrong, says):
    with pytest.raises(ValueError, match=says):
        wrong(made())
