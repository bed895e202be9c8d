"""Who asks: queries that are given, rows as queries, and what is said of those that cannot be."""

import numpy as np
import pytest

from salience.vectors.iceberg.asking import check_k, given_queries, own_queries, warn_of_copies
from salience.vectors.iceberg.search import Answers
from salience.vectors.iceberg.tasks import HitTask, LabelTask

BASE = np.array([[1.0, 2.0], [0.0, 0.0], [3.0, 4.0], [1.0, 5.0]])


@pytest.mark.parametrize(("takes_out", "most"), [(False, 4), (True, 3)])
def test_as_many_answers_as_there_are_other_rows_can_be_asked_for(takes_out, most):
    check_k(most, 4, takes_out)
    with pytest.raises(ValueError, match=f"k={most + 1} answers of n_samples = 4 rows.* at most {most}"):
        check_k(most + 1, 4, takes_out)


def test_a_zero_row_is_a_query_unless_its_angle_is_asked_for():
    task, drawn = LabelTask([0, 0, 1, 1], 4), np.arange(4)
    assert len(own_queries(task, BASE, drawn, 2, ("l2", "ip")).queries) == 4
    with pytest.raises(ValueError, match="row 1 of X is zero"):
        own_queries(task, BASE, drawn, 2, ("l2", "cosine"))


def test_rows_of_a_label_are_no_answers_to_themselves_and_rows_that_are_looked_for_are():
    assert own_queries(LabelTask([0, 0, 1, 1], 4), BASE, np.array([0, 2]), 2, ("l2",)).without.tolist() == [
        0,
        2,
    ]
    assert own_queries(HitTask(None, 4), BASE, np.array([0, 2]), 2, ("l2",)).without is None


def test_of_many_labels_that_are_not_in_the_base_ten_are_named():
    task = LabelTask([0, 0, 1, 1], 4)
    with pytest.raises(
        ValueError, match=r"13 of 14 queries .* 50, 51, 52, 53, 54, 55, 56, 57, 58, 59 and 3 more;"
    ):
        given_queries(task, np.zeros((14, 2)), [0, *range(50, 63)], 2, "error")
    kept = given_queries(task, np.arange(28.0).reshape(14, 2), [*range(50, 63), 1], 2, "drop")
    assert (kept.queries.tolist(), kept.judge.codes.tolist()) == ([[26.0, 27.0]], [1])


def test_a_copy_of_a_row_is_one_in_every_number_and_by_any_metric():
    """Query 0 stands first by one metric, query 1 by the other; query 2 is like its answer in one number only."""
    queries = np.array([[1.0, 2.0], [3.0, 4.0], [1.0, 9.0]])
    exact = [
        Answers(metric, "exact", "{}", np.array([[a], [b], [3]]), 0.0)
        for metric, a, b in (("l2", 0, 1), ("ip", 3, 2))
    ]
    with pytest.warns(UserWarning, match="2 of 3 queries are rows of the base"):
        assert len(warn_of_copies(BASE, queries, exact)) == 1
    assert warn_of_copies(BASE, queries[2:], [Answers("l2", "exact", "{}", np.array([[3]]), 0.0)]) == ()
