"""The published tree: its thresholds and leaves, and how near to them the answers are."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from salience import vectors
from salience.data.generators import cone_vectors
from salience.vectors import recommend_index, vector_meta_features
from salience.vectors.iceberg.meta import MetaFeatures
from salience.vectors.iceberg.search import metric_of


def recommended(dbi_e, dbi_c, cv, ra, rc):
    return recommend_index(MetaFeatures(dbi_e, dbi_c, cv, ra, rc, rows=100, groups="labels", duplicates=0))


LEAVES = [
    # dbi_e, dbi_c, cv, ra, rc
    ((2.0, 1.0, 0.1, 60.0, 2.0), "ip", "partition"),
    ((2.0, 2.0, 0.0, 59.9, 1.49), "ip", "partition"),
    ((2.0, 1.0, 0.05, 10.0, 1.5), "ip", "graph"),
    ((1.0, 2.0, 0.05, 80.0, 9.0), "l2", "partition"),
    ((2.0, 1.0, 0.11, 10.0, 1.5), "l2", "graph"),
]


@pytest.mark.parametrize(("values", "metric", "family"), LEAVES)
def test_the_published_thresholds(values, metric, family):
    said = recommended(*values)
    assert (said.metric, said.family) == (metric, family)


@pytest.mark.parametrize(
    ("values", "methods", "here"),
    [
        ((2.0, 1.0, 0.05, 80.0, 9.0), "ScaNN, Fargo", 'IvfPqIndex(metric="ip")'),
        ((2.0, 1.0, 0.05, 10.0, 9.0), "ip-NSW+, Mobius, MAG, NAPG", "HnswIpIndex()"),
        ((1.0, 2.0, 0.05, 80.0, 9.0), "RaBitQ, IVFPQ, DB-LSH", "RabitqIndex(), IvfPqIndex()"),
        ((1.0, 2.0, 0.05, 10.0, 9.0), "HNSW, NSG, Vamana", "HnswIndex()"),
    ],
)
def test_the_methods_of_a_leaf_are_those_of_the_paper_and_what_is_shipped_of_them_can_be_made(
    values, methods, here
):
    said = recommended(*values)
    assert (", ".join(said.methods), ", ".join(said.here)) == (methods, here)
    public = {name: getattr(vectors, name) for name in vectors.__all__ if name.endswith("Index")}
    for call in said.here:
        index = eval(call, public)
        assert metric_of(call, index) == said.metric


# ---- margins --------------------------------------------------------------------------------------------


def test_a_margin_is_above_nothing_on_the_side_of_yes():
    """Shares are of DBI_E, and of the thresholds of the others."""
    yes, no = recommended(2.0, 1.0, 0.05, 90.0, 1.2), recommended(1.0, 2.0, 0.15, 30.0, 1.8)
    for said, answer, margins in (
        (yes, True, (1.0, 0.05, 30.0, 0.3)),
        (no, False, (-1.0, -0.05, -30.0, -0.3)),
    ):
        assert [step.answer for step in said.path] == [answer] * 4
        assert [step.margin for step in said.path] == pytest.approx(margins)
    assert [step.share for step in yes.path] == pytest.approx([0.5, 0.5, 0.5, 0.2])
    assert [step.share for step in no.path] == pytest.approx([1.0, 0.5, 0.5, 0.2])
    assert "CV <= 0.1? no: 0.15 against 0.1, margin -0.05, 50.0%" in str(no)


@pytest.mark.parametrize(
    ("ra", "close"), [(60.0, True), (61.19, True), (58.81, True), (61.2, False), (58.8, False)]
)
def test_less_than_two_percent_is_too_close_to_call(ra, close):
    said = recommended(2.0, 1.0, 0.05, ra, 3.0)
    assert said.path[2].close == close
    assert said.certain != close
    assert ("too close to call" in str(said)) == close


def test_two_percent_itself_is_not_too_close_to_call():
    said = recommended(50.0, 49.0, 0.05, 10.0, 3.0).path[0]
    assert (said.share, said.close) == (0.02, False)


def test_groups_as_well_separated_as_can_be_both_ways_are_too_close_to_call():
    """Both indices are 0 when every group is one point."""
    assert (
        recommended(0.0, 0.0, 0.05, 10.0, 3.0).path[0].share,
        recommended(0.0, 0.0, 0.05, 10.0, 3.0).metric,
    ) == (0.0, "ip")
    assert recommended(0.0, 0.5, 0.05, 10.0, 3.0).path[0].share == 1.0


def test_margins_can_be_read():
    X, y = load_digits(return_X_y=True)
    said = recommend_index(vector_meta_features(X, y))
    first, second = said.path[:2]
    assert said.metric == "ip"
    assert first.close
    assert not second.close
    assert not said.certain
    assert first.share == pytest.approx(0.018, abs=0.001)
    assert "too close to call" in str(said)


def test_lengths_that_differ_lead_to_distance():
    X, y = cone_vectors(shift=0.0)
    lengths = np.random.default_rng(0).lognormal(sigma=0.3, size=(len(X), 1))
    meta = vector_meta_features(X * lengths, y)
    assert meta.cv == pytest.approx(0.30, abs=0.02)
    assert recommend_index(meta).metric == "l2"


@pytest.mark.parametrize("name", ["dbi_e", "dbi_c", "cv", "ra", "rc"])
def test_a_meta_feature_that_is_not_known_is_refused(name):
    known = {"dbi_e": 1.0, "dbi_c": 1.0, "cv": 0.1, "ra": 10.0, "rc": 2.0}
    with pytest.raises(ValueError, match=f"{name} is nan; the tree needs all five"):
        recommended(**{**known, name: float("nan")})
