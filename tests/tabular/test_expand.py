"""Sub-features and tokens: exact against their definition, and safe under odd names."""

import pickle

import numpy as np
import pyarrow as pa
import pytest

from salience.data.blocks import Block
from salience.data.hashing import MISSING
from salience.data.plan import plan
from salience.data.readers import open_source
from salience.tabular.streaming.expand import (
    Explode,
    SubFeatures,
    parse_subfeatures,
    pilot_values,
)


def block_of(table, planned, *derivations):
    named = {name: d for d in derivations for name in d.names}
    return Block(table.combine_chunks().to_batches()[0], planned, (0, 0), named)


def partition(values):
    """Which rows have equal values: for comparing a column of identities with tuples."""
    seen = {}
    return [seen.setdefault(v, len(seen)) for v in values]


TABLE = pa.table(
    {
        "a": ["a", "ab", "a", "ab", None, None, "a"],
        "b": ["bc", "c", "bc", "c", "c", None, None],
        "n": [1, 2, 1, 3, 2, None, 1],
        "tags": ["x,y", "y", "", None, "z, x", "y,y", "x"],
        "y": [0, 1, 0, 1, 0, 1, 0],
    }
)
PLAN = plan(TABLE, "y", multivalue={"tags": ","})


# ----------------------------------------------------------------------- sub-features
def test_values_of_the_pilot_come_most_frequent_first():
    found = pilot_values(open_source(TABLE), PLAN, ["a", "n"])
    assert found == {"a": ("a", "ab"), "n": ("1", "2", "3")}
    assert pilot_values(open_source(TABLE), PLAN, ["b"], missing=True) == {"b": ("c", "", "bc")}


def test_a_one_sided_sub_feature_is_the_column_where_the_other_has_the_value():
    made = SubFeatures(PLAN, "a->n", {"n": ["1", "2"]})
    assert made.names == ("a->n=1", "a->n=2")
    block = block_of(TABLE, PLAN, made)
    for value in (1, 2):
        hashes = block.column(f"a->n={value}").row_hashes()
        inside = np.array(TABLE["n"].to_pylist(), dtype=object) == value
        assert ((hashes == MISSING) == ~inside).all()
        own = [a for a, i in zip(TABLE["a"].to_pylist(), inside, strict=True) if i]
        assert partition(hashes[inside].tolist()) == partition(own)


def test_a_two_sided_sub_feature_is_a_flag_for_each_pair():
    made = SubFeatures(PLAN, [("a", "<->", "n")], {"a": ["a", "ab"], "n": ["1", "2", "3"]})
    assert len(made.names) == 6
    block = block_of(TABLE, PLAN, made)
    rows = list(zip(TABLE["a"].to_pylist(), TABLE["n"].to_pylist(), strict=True))
    for name, (_, _, _, a, n) in made.items.items():
        assert block.column(name).numeric.tolist() == [float(r == (a, int(n))) for r in rows]


def test_the_identity_of_a_value_does_not_depend_on_how_a_number_is_written():
    made = SubFeatures(PLAN, "a->n", {"n": ["1.0"]})
    assert (block_of(TABLE, PLAN, made).column("a->n=1.0").row_hashes() != MISSING).sum() == 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a->b", [("a", "->", "b")]),
        (" a <-> b ; n->a;", [("a", "<->", "b"), ("n", "->", "a")]),
        ("x->y->a", [("x->y", "->", "a")]),
        ("x<->y<->x->y", [("x<->y", "<->", "x->y")]),
    ],
)
def test_sub_features_are_read(text, expected):
    assert parse_subfeatures(text, ["a", "b", "n", "x->y", "x<->y"]) == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a->tagss", "'tagss', which does not exist; did you mean 'tags'"),
        ("aa<->b", "did you mean 'a'"),
        ("a,b", "has no arrow"),
    ],
)
def test_a_wrong_sub_feature_is_an_error_that_teaches(text, says):
    with pytest.raises(ValueError, match=says):
        SubFeatures(PLAN, text, {})


def test_sub_features_without_values_or_with_too_many_are_errors():
    with pytest.raises(ValueError, match=r"values of 'b' are not given.*pilot_values"):
        SubFeatures(PLAN, "a->b", {})
    with pytest.raises(ValueError, match="more than 3"):
        SubFeatures(PLAN, "a->b", {"b": list("abcd")}, most=3)


# --------------------------------------------------------------------------- tokens
def test_each_token_is_a_flag_and_missing_tokens_are_none():
    made = Explode(PLAN)
    assert made.names == ("MULTIEX-tags-y", "MULTIEX-tags-x", "MULTIEX-tags-z")
    block = block_of(TABLE, PLAN, made)
    cells = [{t.strip() for t in (cell or "").split(",")} for cell in TABLE["tags"].to_pylist()]
    for name, (_, token) in made.items.items():
        assert block.column(name).numeric.tolist() == [float(token in cell) for cell in cells]


def test_only_the_most_frequent_tokens_are_exploded_when_asked_for():
    assert Explode(PLAN, ["tags"], most=1).items == {"MULTIEX-tags-y": ("tags", "y")}


def test_exploding_a_plain_column_says_how_to_plan_it():
    with pytest.raises(ValueError, match=r"multivalue=\['a'\]"):
        Explode(PLAN, ["a"])


@pytest.mark.parametrize("derivation", [Explode(PLAN), SubFeatures(PLAN, "a->n", {"n": ["1"]})])
def test_derivations_travel_to_another_process(derivation):
    block_of(TABLE, PLAN, derivation).column(derivation.names[0])
    again = pickle.loads(pickle.dumps(derivation))
    assert again.names == derivation.names
    name = derivation.names[0]
    here, there = (block_of(TABLE, PLAN, d).column(name).row_hashes() for d in (derivation, again))
    np.testing.assert_array_equal(here, there)


def test_an_unknown_derived_name_is_an_error():
    with pytest.raises(ValueError, match="did you mean 'a->n=1'"):
        SubFeatures(PLAN, "a->n", {"n": ["1"]}).derive(block_of(TABLE, PLAN), "a->n")
