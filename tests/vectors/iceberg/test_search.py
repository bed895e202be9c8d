"""Answers to compare: cut to k, without the query itself, checked, timed, and in every setting of a sweep."""

import numpy as np
import pytest

from salience.vectors.iceberg.search import Steps, check_indexes, exact_answers, index_answers, metric_of

ROWS = np.arange(6.0)[:, None]


class Told:
    """An index that answers what it was told to."""

    def __init__(self, ids=None, **params):
        self.ids, self.params, self.asked = ids, params, []
        self.a = self.b = 0

    def build(self, X):
        pass

    def search(self, Q, k):
        self.asked.append((self.a, self.b, k))
        return np.zeros((len(Q), k), dtype=np.int64) if self.ids is None else np.array(self.ids)


def answered(index, k=2, n=6, queries=1, without=None, sweep=None):
    steps = Steps(10, None)
    return list(index_answers({"told": index}, sweep or {}, np.zeros((queries, 1)), k, n, without, steps))


def test_the_query_is_taken_out_and_the_others_close_up():
    (found,) = answered(Told([[3, 0, 5]]), without=np.array([0]))
    assert found.ids.tolist() == [[3, 5]]
    (found,) = answered(Told([[0, 3, 5]]), without=np.array([1]))
    assert found.ids.tolist() == [[0, 3]]


def test_what_is_missing_once_the_query_is_out_is_no_answer():
    """The index gave two rows, one of them twice the query: what is left over must not count as another answer."""
    (found,) = answered(Told([[4, 4, 2]]), k=3, without=np.array([4]))
    assert found.ids.tolist() == [[2, -1, -1]]


def test_one_more_answer_is_asked_for_where_the_query_is_taken_out():
    for without, k in ((None, 2), (np.array([0]), 3)):
        index = Told()
        answered(index, without=without)
        assert index.asked == [(0, 0, k)]
    found = exact_answers(ROWS, ROWS[:2], 2, ("l2",), np.arange(2), 1 << 20, Steps(1, None))
    assert found[0].ids.tolist() == [[1, 2], [0, 2]] or found[0].ids.tolist() == [[1, 2], [2, 0]]


@pytest.mark.parametrize(
    ("ids", "words"),
    [
        ([[0, 6]], "ids from 0 to 6; rows are numbered 0 to 5"),
        ([[-2, 5]], "ids from -2 to 5"),
        ([[0.0, 1.0]], "float64 of shape"),
        ([0, 1], "a row for each of the 1 queries"),
        ([[0], [1]], "a row for each of the 1 queries"),
    ],
)
def test_answers_that_are_none_are_refused(ids, words):
    with pytest.raises(ValueError, match=words):
        answered(Told(ids))


def test_the_first_and_the_last_row_and_no_answer_are_answers():
    (found,) = answered(Told([[0, 5, -1]]), k=3)
    assert found.ids.tolist() == [[0, 5, -1]]


def test_every_combination_of_a_sweep_is_searched_and_put_back():
    index = Told()
    index.a = 7
    assert len(answered(index, sweep={"told": {"a": [1, 2], "b": [3, 4]}})) == 4
    assert [asked[:2] for asked in index.asked] == [(1, 3), (1, 4), (2, 3), (2, 4)]
    assert (index.a, index.b) == (7, 0)


def test_an_index_is_put_back_though_a_search_fails():
    index = Told([[99]])
    with pytest.raises(ValueError, match="ids from"):
        answered(index, sweep={"told": {"a": [1, 2]}})
    assert index.a == 0


def test_seconds_are_those_of_one_query(monkeypatch):
    clock = iter([10.0, 16.0])
    monkeypatch.setattr("salience.vectors.iceberg.search.time.perf_counter", lambda: next(clock))
    assert answered(Told(), queries=3)[0].seconds == 2.0


def test_an_index_measures_by_its_attribute_by_its_params_or_by_distance():
    assert metric_of("x", Told()) == "l2"
    assert metric_of("x", Told(metric="ip")) == "ip"
    index = Told(metric="ip")
    index.metric = "cosine"
    assert metric_of("x", index) == "cosine"
    check_indexes({"x": index}, {}, ("cosine",))
    with pytest.raises(ValueError, match="measures by 'cosine', which is not among"):
        check_indexes({"x": index}, {}, ("l2", "ip"))


def test_progress_is_told_within_a_stage_and_once_at_its_end():
    told = []
    steps = Steps(2, lambda done, total: told.append((done, total)))
    for done in (1, 2):
        steps.part(done, 2)
    steps.stage()
    steps.part(1, 4)
    steps.stage()
    assert told == [(50, 200), (100, 200), (125, 200), (200, 200)]
