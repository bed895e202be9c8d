"""Which rows an audit asks with, learns from, looks at and warns of."""

import numpy as np
import pytest

from salience.vectors import FunnelAudit
from salience.vectors.iceberg import audit


@pytest.fixture(scope="module")
def blobs():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 200)
    return rng.normal(size=(3, 5))[y] * 3 + rng.normal(size=(200, 5)) + 4, y


@pytest.fixture
def asked(monkeypatch):
    """The rows that are queries."""
    rows, original = [], audit.own_queries
    monkeypatch.setattr(
        audit,
        "own_queries",
        lambda task, X, drawn, *rest: rows.append(drawn) or original(task, X, drawn, *rest),
    )
    return rows


def test_rows_are_drawn_by_the_seed_from_all_of_the_base_in_their_order(blobs, asked):
    for state in (0, 0, 1):
        FunnelAudit(5, n_queries=40, random_state=state).fit(*blobs)
    first, again, other = (rows.tolist() for rows in asked)
    assert first == again == sorted(set(first)) != other
    assert len(first) == 40
    assert first[-1] > 150


def test_of_rows_as_queries_one_answer_less_can_be_had(blobs):
    X, y = blobs
    assert FunnelAudit(199, n_queries=3).fit(X, y).report_.by_metric["value"].to_list() == [1.0] * 3
    with pytest.raises(ValueError, match=r"not its own answer\); give a k of at most 199"):
        FunnelAudit(200, n_queries=3).fit(X, y)
    assert FunnelAudit(200, task="hit", n_queries=3).fit(X).report_.by_metric["value"].to_list() == [1.0] * 3


def test_meta_features_are_of_the_sample_and_of_the_labels(blobs):
    found = FunnelAudit(5, n_queries=10, sample=50).fit(*blobs).meta_
    assert (found.rows, found.groups) == (50, "labels")
    assert FunnelAudit(5, n_queries=10, task="hit").fit(blobs[0]).meta_.groups == "k-means"


def test_a_probe_does_not_learn_from_its_queries():
    """Of labels at random a linear model in so many dimensions knows every row it has seen, and no other."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(200, 300)), rng.integers(0, 2, 200)
    assert FunnelAudit(3, n_queries=100, probe=True).fit(X, y).report_.probe < 0.7


def test_a_probe_wants_two_labels_among_the_other_rows(blobs):
    X, _ = blobs
    with pytest.raises(ValueError, match="two labels or more among the rows that are not queries"):
        FunnelAudit(5, probe=True).fit(X, np.zeros(200), queries=X[:3] + 0.1, query_labels=np.zeros(3))


def test_queries_that_look_for_themselves_are_no_cause_for_a_warning(blobs, recwarn):
    X, _ = blobs
    FunnelAudit(1, task="hit").fit(X, queries=X[:9], query_labels=np.arange(9))
    assert not [said for said in recwarn.list if "find themselves" in str(said.message)]


def test_the_scores_say_what_their_intervals_are(blobs):
    report = FunnelAudit(5, n_queries=40).fit(*blobs).report_
    interval = report.scores.meta.interval
    assert (interval.kind, interval.level) == ("bootstrap over queries", 0.95)
    row = report.scores.frame.row(0, named=True)
    drawn = report.scores.replicates[:, 0]
    assert (row["lo"], row["hi"]) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])), abs=1e-6)
