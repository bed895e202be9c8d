"""Shipped data sets."""

import numpy as np
import polars as pl
import pytest

from salience.data.datasets import LABELS, TRUTH, load, names, source_note


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


@pytest.mark.parametrize(
    ("name", "shape", "shares"),
    [
        ("compas", (7214, 28), {0: 3743, 1: 3471}),
        ("taiwan_credit", (30_000, 18), {0: 6636, 1: 23_364}),
        ("german_credit", (1000, 62), {0: 300, 1: 700}),
        ("madelon", (2600, 501), {-1: 1300, 1: 1300}),
        ("arcene", (200, 10_001), {-1: 112, 1: 88}),
    ],
)
def test_sets_of_integers_are_whole(name, shape, shares):
    frame = load(name)
    assert frame.shape == shape
    assert all(kind in (pl.Int8, pl.Int16, pl.Int32) for kind in frame.dtypes)
    assert dict(frame[LABELS[name]].value_counts().iter_rows()) == shares
    assert not sum(frame.null_count().row(0))
    assert "Licence" in source_note(name)


def test_isolet_has_sixty_of_each_letter_and_four_decimals():
    frame = load("isolet")
    assert frame.shape == (1560, 618)
    assert dict(frame["target"].value_counts().iter_rows()) == {chr(65 + i): 60 for i in range(26)}
    X = frame.drop("target").to_numpy()
    assert X.min() == -1
    assert X.max() == 1
    np.testing.assert_allclose(X, X.round(4), rtol=0, atol=1e-15)


def test_every_true_column_of_madelon_is_a_mixture_of_the_others_and_no_other_is():
    frame = load("madelon").drop("target")
    X = frame.to_numpy().astype(float)
    # R2 of a column on all others, from the inverse of the correlations.
    explained = 1 - 1 / np.diag(np.linalg.inv(np.corrcoef(X, rowvar=False)))
    known = np.isin(frame.columns, TRUTH["madelon"])
    assert known.sum() == 20
    assert explained[known].min() >= 0.98
    assert explained[~known].max() <= 0.22


def test_the_shipped_files_stay_small():
    from importlib.resources import files

    sizes = [file.stat().st_size for file in (files("salience.data") / "files").iterdir()]
    assert sum(sizes) < 6_000_000
