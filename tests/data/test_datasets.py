"""Shipped data sets."""

import polars as pl
import pytest

from salience.data.datasets import LABELS, load, names, source_note


@pytest.fixture(scope="module")
def adult():
    return load("adult")


def test_adult_has_every_person_and_names_its_label_income(adult):
    assert adult.shape == (48_842, 15)
    assert dict(adult["income"].cast(pl.String).value_counts().iter_rows()) == {
        "<=50K": 37_155,
        ">50K": 11_687,
    }


def test_missing_values_of_adult_are_null_not_a_question_mark(adult):
    nulls = {c: n for c, n in adult.null_count().row(0, named=True).items() if n}
    assert nulls == {"workclass": 2799, "occupation": 2809, "native-country": 857}
    texts = adult.select(pl.col(pl.Categorical).cast(pl.String))
    assert not any((texts[c] == "?").any() for c in texts.columns)


def test_integers_of_adult_stay_integers(adult):
    assert all(
        adult.schema[c].is_integer()
        for c in ("age", "fnlwgt", "capital-gain", "capital-loss", "education-num")
    )


@pytest.mark.parametrize("name", names())
def test_every_name_loads_with_its_label(name):
    frame = load(name)
    assert LABELS[name] in frame.columns
    assert frame.height > 100
    assert len(set(frame.columns)) == frame.width


def test_unknown_name_lists_the_names_and_the_nearest():
    with pytest.raises(ValueError, match=r"adult.*breast_cancer.*Did you mean 'adult'"):
        load("adlut")


def test_the_note_names_author_and_licence():
    assert "Kohavi" in source_note("adult")
    assert "CC BY 4.0" in source_note("adult")
    with pytest.raises(ValueError, match="does not ship"):
        source_note("wine")
