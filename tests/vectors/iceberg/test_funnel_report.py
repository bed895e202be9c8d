"""What a report makes of answers: planted ones, so that every number is known before anything is searched."""

import numpy as np
import polars as pl
import pytest

from salience.results.meta import Meta
from salience.vectors.iceberg.meta import MetaFeatures
from salience.vectors.iceberg.report import Measured
from salience.vectors.iceberg.search import Answers
from salience.vectors.iceberg.tasks import Judge
from salience.vectors.iceberg.tree import recommend_index

FEATURES = MetaFeatures(
    2.0, 1.0, 0.05, 10.0, 2.0, rows=100, groups="labels", duplicates=0
)  # the tree says ip
RIGHT, WRONG = 3, 1  # of ten rows, the one that every query looks for, and another
QUERIES = 40
HALF = np.arange(QUERIES) % 2


def answers(hits, metric="l2", index="exact", params="{}", seconds=0.0):
    """One answer for each query, the right row where it hits."""
    ids = np.where(np.asarray(hits)[:, None], RIGHT, WRONG).astype(np.int64)
    return Answers(metric, index, params, ids, seconds)


def reported(exact, searched=(), repaired=None, possible=None, **options):
    possible = np.ones(len(exact[0].ids)) if possible is None else possible
    judge = Judge(possible, np.arange(len(possible)), lambda q, ids: possible[q, None] * (ids == RIGHT))
    told = {"taken": False, "labels": None, "n_bootstrap": 200, "seed": 0, **options}
    seconds = {found.index: 1.0 for found in searched}
    measured = Measured(exact, searched, judge, rows=10, build_seconds=seconds, unit="hits@1", **told)
    return measured.report(
        Meta(method="iceberg"), FEATURES, recommend_index(FEATURES), repaired or {}, None, ()
    )


def of_metric(report, metric):
    return report.by_metric.filter(metric=metric).row(0, named=True)


# ---- behind the best metric -----------------------------------------------------------------------------


def test_behind_is_what_a_metric_lacks_to_the_best_one_wherever_that_stands():
    report = reported(
        [answers(HALF), answers(np.ones(QUERIES), "ip"), answers(np.arange(QUERIES) < 30, "cosine")]
    )
    assert report.by_metric["behind"].to_list() == [0.5, 0.0, 0.25]


def test_the_best_metric_is_that_of_exact_search_though_an_index_finds_more():
    report = reported([answers(HALF), answers(0 * HALF, "ip")], [answers(np.ones(QUERIES), index="lucky")])
    assert report.by_metric["behind"].to_list() == [0.0, 0.5]
    assert report.verdict.metric == "l2"


def test_a_metric_that_finds_the_same_is_behind_by_nothing_in_every_draw():
    """Each worth has an interval of .3; the difference has none, for both are drawn with the same queries."""
    report = reported([answers(HALF), answers(HALF, "ip")])
    row = of_metric(report, "ip")
    assert row["hi"] - row["lo"] > 0.2
    assert (row["behind"], row["behind_lo"], row["behind_hi"]) == (0.0, 0.0, 0.0)


def test_a_lead_of_every_other_query_is_behind_by_no_more_than_these_queries_say():
    """The difference is 1 at half of the queries and 0 at the others: its interval is that of a fair coin."""
    row = of_metric(reported([answers(np.ones(QUERIES)), answers(HALF, "ip")], n_bootstrap=4000), "ip")
    spread = 1.96 * np.sqrt(0.25 / QUERIES)
    assert row["behind"] == 0.5
    assert (row["behind_lo"], row["behind_hi"]) == pytest.approx((0.5 - spread, 0.5 + spread), abs=0.03)


def test_the_interval_goes_below_nothing_where_other_queries_would_have_made_the_other_metric_best():
    """21 queries are found by one metric and the 19 others by the other."""
    first = np.arange(QUERIES) < 21
    row = of_metric(reported([answers(first), answers(~first, "ip")]), "ip")
    assert row["behind"] == pytest.approx(0.05)
    assert row["behind_lo"] < -0.1 < 0.1 < row["behind_hi"]


def test_queries_that_could_find_more_weigh_more_in_what_is_behind():
    possible = np.where(np.arange(QUERIES) < 10, 3.0, 1.0)
    report = reported([answers(np.ones(QUERIES)), answers(np.arange(QUERIES) >= 10, "ip")], possible=possible)
    assert of_metric(report, "ip")["behind"] == pytest.approx(30 / 60)


# ---- losses ---------------------------------------------------------------------------------------------


def test_the_best_metric_is_found_anew_in_every_draw():
    """Two metrics find 21 and 19 other queries; the embedding loses what the better of both lacks in the draw."""
    first = np.arange(QUERIES) < 21
    funnel = reported([answers(first), answers(~first, "ip")]).funnel
    l2 = {row["layer"]: row for row in funnel.filter(metric="l2").rows(named=True)}
    assert l2["embedding"]["loss"] == pytest.approx(19 / 40)
    assert l2["embedding"]["lo"] < 19 / 40 < l2["embedding"]["hi"] <= 0.5 + 1e-12
    assert l2["metric"]["loss"] == l2["metric"]["lo"] == 0.0 < l2["metric"]["hi"]


# ---- other columns --------------------------------------------------------------------------------------


def test_the_seed_draws_the_intervals():
    def intervals(seed):
        exact = [answers(np.ones(QUERIES)), answers(HALF, "ip")]
        frame = reported(exact, [answers(HALF, index="half")], seed=seed).scores.frame
        return frame.select("lo", "hi").rows(), frame.select("recall_lo", "recall_hi").rows()

    (worth, recall), again, (other, of_recall) = intervals(0), intervals(0), intervals(5)
    assert (worth, recall) == again
    assert worth != other
    assert recall != of_recall


def test_the_interval_of_the_recall_holds_it():
    row = reported([answers(np.ones(QUERIES))], [answers(HALF, index="half")]).by_index.row(0, named=True)
    assert row["recall_lo"] < row["recall"] == 0.5 < row["recall_hi"]


def test_exact_search_is_not_said_to_recall_itself():
    said = reported([answers(HALF)], [answers(HALF, index="half")])
    assert {"recall", "recall_lo", "recall_hi", "short"} <= set(said.by_index.columns)
    assert not {"recall", "recall_lo", "recall_hi", "short", "index"} & set(said.by_metric.columns)


def test_the_share_of_a_query_is_of_what_it_could_find():
    possible = np.array([4.0, 1.0, 2.0])
    queries = reported([answers([1, 0, 1])], possible=possible).queries
    assert queries.select("found", "possible", "share").rows() == [(4, 4, 1), (0, 1, 0), (2, 2, 1)]


def test_an_answer_that_came_twice_is_short_of_one():
    twice = Answers("l2", "twice", "{}", np.full((QUERIES, 2), RIGHT), 0.0)
    exact = Answers("l2", "exact", "{}", np.tile([RIGHT, WRONG], (QUERIES, 1)), 0.0)
    assert reported([exact], [twice]).by_index["short"].to_list() == [0.5]


def test_chance_is_the_share_of_rows_that_are_answers():
    three = Answers("l2", "exact", "{}", np.tile([5, 1, 2], (QUERIES, 1)), 0.0)
    assert reported([three]).chance == 3 / 10


def test_the_row_that_stands_in_most_lists_is_named():
    assert f"Row {RIGHT} stands in 75% of all lists" in str(
        reported([answers(np.arange(QUERIES) < 30)]).verdict
    )


def test_one_configuration_has_no_order():
    assert reported([answers(HALF)], [answers(HALF, index="one")]).rank_shift is None
    two = reported([answers(HALF)], [answers(HALF, index="one"), answers(0 * HALF, index="two")])
    assert two.rank_shift.table.height == 2


def test_a_repair_that_changes_no_answer_gains_nothing_in_every_draw():
    exact = [answers(HALF), answers(0 * HALF, "ip")]
    report = reported(
        exact, [answers(0 * HALF, index="bad")], {"center": [answers(HALF), answers(HALF, "ip")]}
    )
    same, better = report.repairs.rows(named=True)
    assert (same["gain"], same["gain_lo"], same["gain_hi"]) == (0.0, 0.0, 0.0)
    assert same["lo"] < same["value"] == 0.5 < same["hi"]
    assert (better["metric"], better["value"], better["gain"]) == ("ip", 0.5, 0.5)
    assert (better["lo"], better["hi"]) == (better["gain_lo"], better["gain_hi"])


# ---- speed ----------------------------------------------------------------------------------------------


@pytest.fixture
def timed():
    """The slow setting finds three quarters, the quick one a half, exactly."""
    return reported(
        [answers(np.ones(QUERIES))],
        [
            answers(np.arange(QUERIES) < 30, index="slow", seconds=2.0),
            answers(HALF, index="quick", seconds=1.0),
        ],
    )


def test_a_level_that_is_just_reached_is_reached(timed):
    assert timed.fastest(recall=0.75)["index"].to_list() == ["slow"]
    assert timed.fastest(value=0.5)["index"].to_list() == ["quick", "slow"]


def test_of_two_indexes_at_a_level_the_faster_ranks_first(timed):
    ranks = timed.shift_at(recall=0.5, value=0.75).table
    assert ranks["configuration"].to_list() == ["slow (l2)", "quick (l2)"]
    assert ranks.select(pl.col("^rank_.*$")).rows() == [(2, 1), (1, 2)]
