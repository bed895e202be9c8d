"""The measures of a task, by hand; and the flaws of the released evaluator that ours does not have."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from salience.vectors.iceberg.tasks import VOTES, HitTask, LabelTask, ScoreTask, distinct, overlap, votes


def worth(judge, ids):
    return judge.found(np.asarray(ids)).sum() / judge.possible.sum()


# ---- labels ---------------------------------------------------------------------------------------------


def test_label_recall_by_hand():
    # three rows of a class and two answers: two are possible
    task = LabelTask(["a", "a", "a", "b", "b", "b"], 6)
    judge = task.judge(["a", "b"], 2, k=2)
    assert judge.possible.tolist() == [2, 2]
    assert judge.found(np.array([[0, 3], [5, 4]])).tolist() == [1, 2]
    assert worth(judge, [[0, 3], [5, 4]]) == 3 / 4


def test_what_is_possible_ends_at_the_size_of_the_class():
    judge = LabelTask([0, 0, 1, 1, 1, 1], 6).judge([0], 1, k=4)
    assert worth(judge, [[0, 1, 2, 3]]) == 1.0


def test_label_recall_is_one_with_one_class():
    judge = LabelTask(np.zeros(9), 9).judge(np.zeros(3), 3, k=5)
    assert (
        worth(judge, np.random.default_rng(0).permuted(np.tile(np.arange(9), (3, 1)), axis=1)[:, :5]) == 1.0
    )


def test_a_row_as_its_own_query_cannot_count_itself():
    task = LabelTask([0, 0, 0, 1], 4)
    assert task.own(np.array([0, 3]), 10).possible.tolist() == [2, 0]


def test_missing_and_repeated_answers_are_misses():
    judge = LabelTask([0, 0, 0], 3).judge([0], 1, k=3)
    assert judge.found(np.array([[1, -1, -1]])).tolist() == [1]
    assert judge.found(np.array([[1, 1, 1]])).tolist() == [1]


def test_a_label_that_is_not_in_the_base_finds_nothing():
    judge = LabelTask(["a", "c"], 2).judge(["b", "zz", "c"], 3, k=1)
    assert judge.possible.tolist() == [0, 0, 1]
    assert judge.found(np.array([[0], [1], [1]])).tolist() == [0, 0, 1]


def test_a_part_of_the_queries_finds_what_it_found_before():
    judge = LabelTask([0, 1, 2, 0], 4).judge([2, 0, 1], 3, k=2)
    ids = np.array([[2, 0], [0, 3], [3, 1]])
    some = np.array([2, 1])
    assert judge.part(some).found(ids[some]).tolist() == judge.found(ids)[some].tolist()


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (None, "requires y to be passed"),
        ([0, 1], r"shape \(2,\)"),
        ([0.0, np.nan, 1.0], "NaN"),
        (np.array(["a", None, "b"], dtype=object), "missing labels"),
        (np.zeros((3, 2)), r"shape \(3, 2\)"),
    ],
)
def test_labels_that_are_none_are_refused(y, words):
    with pytest.raises(ValueError, match=words):
        LabelTask(y, 3)


@pytest.mark.parametrize("kind", ["string", "Int64"])
def test_missing_labels_of_pandas_are_refused(kind):
    pandas = pytest.importorskip("pandas")
    with pytest.raises(ValueError, match=r"missing labels|NaN"):
        LabelTask(pandas.Series(["1", None, "2"]).astype(kind), 3)


def test_whole_numbers_that_pandas_holds_as_objects_are_numbers():
    pandas = pytest.importorskip("pandas")
    judge = LabelTask(np.array([3, 4]), 2).judge(pandas.Series([4], dtype="Int64").astype(object), 1, k=1)
    assert judge.found(np.array([[1]])).tolist() == [1]


def test_labels_may_stand_in_a_column_and_texts_among_numbers_make_them_texts():
    assert LabelTask(np.array([[3], [4]]), 2).classes.tolist() == [3, 4]
    assert LabelTask(np.array(["a", 7], dtype=object), 2).classes.tolist() == ["7", "a"]


@pytest.mark.parametrize(
    ("base", "asked"), [([0, 1], ["0"]), (["0", "1"], [0]), (["0", "1"], [0.0]), (["0", "1"], [True])]
)
def test_labels_of_another_type_are_refused(base, asked):
    with pytest.raises(TypeError, match="one type"):
        LabelTask(base, 2).judge(asked, 1, 1)


# ---- hits and scores ------------------------------------------------------------------------------------


def test_hits_by_hand():
    judge = HitTask(None, 5).judge([4, 0, 9], 3, k=2)
    assert judge.possible.tolist() == [1, 1, 0]
    assert judge.found(np.array([[3, 4], [1, 2], [0, 1]])).tolist() == [1, 0, 0]


def test_hits_of_a_named_id_count_once():
    judge = HitTask(["x", "x", "y"], 3).judge(["x"], 1, k=2)
    assert judge.found(np.array([[0, 1]])).tolist() == [1]


@pytest.mark.parametrize(
    "relevant",
    [
        [{0: 2.0, 2: 1.0}, {1: 4.0}],
        sparse.csr_matrix([[2.0, 0, 1.0, 0], [0, 4.0, 0, 0]]),
        sparse.coo_array([[2.0, 0, 1.0, 0], [0, 4.0, 0, 0]]),
    ],
)
def test_matching_score_is_a_share_of_all_weights(relevant):
    # the released evaluator prints the sum, 5, and not 5 of 7
    judge = ScoreTask(None, 4).judge(relevant, 2, k=2)
    assert judge.found(np.array([[3, 2], [1, 0]])).tolist() == [1, 4]
    assert worth(judge, [[3, 2], [1, 0]]) == 5 / 7


def test_weights_of_rows_serve_collections():
    judge = ScoreTask([1.0, 2.0, 3.0], 3).judge([{0, 2}, [1]], 2, k=1)
    assert judge.possible.tolist() == [4, 2]
    assert judge.found(np.array([[2], [0]])).tolist() == [3, 0]


def test_a_row_that_is_named_twice_is_relevant_once():
    judge = ScoreTask(None, 3).judge([[2, 0, 2]], 1, k=3)
    assert judge.possible.tolist() == [2]
    assert judge.found(np.array([[2, 1, 0]])).tolist() == [2]


@pytest.mark.parametrize(
    ("relevant", "words"),
    [
        ([{3: 1.0}], "row 3 is said to be relevant, but rows are numbered 0 to 2"),
        ([[-1]], "row -1 is said to be relevant"),
        ([{0: -1.0}], "0 or more"),
        ([{0: np.nan}], "finite"),
        ([], "each of the 1 queries"),
        (None, "each of the 1 queries"),
        (sparse.csr_matrix((2, 3)), "shape"),
    ],
)
def test_weights_that_are_none_are_refused(relevant, words):
    with pytest.raises(ValueError, match=words):
        ScoreTask(None, 3).judge(relevant, 1, k=1)


def test_a_relevant_row_may_weigh_nothing():
    judge = ScoreTask(None, 3).judge([{0: 0.0, 1: 2.0}], 1, k=2)
    assert (judge.possible.tolist(), judge.found(np.array([[0, 1]])).tolist()) == ([2], [2])


def test_negative_popularity_is_refused():
    with pytest.raises(ValueError, match="weight of each row"):
        ScoreTask([1.0, -2.0], 2)


# ---- votes and overlaps ---------------------------------------------------------------------------------


def test_votes_by_hand():
    labels = np.array([0, 0, 1, 1, 2])
    ids = np.array([[0, 2, 3], [4, 0, 2], [-1, -1, 2], [-1, -1, -1]])
    assert votes(labels, ids, np.array([1, 0, 1, 0]), 3).tolist() == [1, 1, 1, 0]
    assert votes(labels, ids, np.array([1, 0, 1, 0]), 1).tolist() == [0, 0, 0, 0]


def test_a_query_of_no_label_is_not_won_by_answers_that_are_missing():
    assert votes(np.array([0, 1]), np.array([[-1, -1]]), np.array([-1]), 2).tolist() == [0]


def test_missing_exact_neighbours_are_not_found():
    """A -1 of the second query would be the last row for the first."""
    assert overlap(np.array([[3], [0]]), np.array([[1], [-1]])).tolist() == [0, 0]


def test_five_ten_fifty_and_a_hundred_neighbours_vote():
    assert VOTES == (5, 10, 50, 100)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 12), st.integers(0, 10**6))
def test_votes_equal_counting(k, seed):
    rng = np.random.default_rng(seed)
    labels, ids, wanted = rng.integers(0, 4, 30), rng.integers(0, 30, (20, k)), rng.integers(0, 4, 20)
    expected = [
        float(np.bincount(labels[row], minlength=4).argmax() == want)
        for row, want in zip(ids, wanted, strict=True)
    ]
    assert votes(labels, ids, wanted, k).tolist() == expected


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 10**6))
def test_overlap_equals_sets(k, other, seed):
    rng = np.random.default_rng(seed)
    ids = rng.integers(-1, 12, (15, k))
    exact = np.stack([rng.permutation(12)[:other] for _ in range(15)])
    expected = [len((set(a) - {-1}) & set(b)) for a, b in zip(ids.tolist(), exact.tolist(), strict=True)]
    assert overlap(ids, exact).tolist() == expected


def test_the_first_of_equal_answers_counts():
    assert distinct(np.array([[7, 7, -1, 2, 7]])).tolist() == [[True, False, False, True, False]]
