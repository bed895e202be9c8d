import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import mutual_info_score

from salience.tabular.streaming.jointcounts import joint_counts, pair_information


def _block(n, cards, n_classes, seed):
    rng = np.random.default_rng(seed)
    codes = np.stack([rng.integers(c, size=n) for c in cards]).astype(np.int32)
    return codes, np.array(cards), rng.integers(n_classes, size=n).astype(np.int32)


def _joined(codes, combination):
    return np.unique(codes[list(combination)], axis=1, return_inverse=True)[1].ravel()


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(2, 300),
    cards=st.lists(st.sampled_from([1, 2, 7, 60, 300]), min_size=3, max_size=5),
    n_classes=st.integers(1, 4),
    order=st.integers(1, 3),
    seed=st.integers(0, 9),
)
def test_information_and_histogram_equal_a_plain_count_for_any_order(n, cards, n_classes, order, seed):
    codes, card_of, labels = _block(n, cards, n_classes, seed)
    rng = np.random.default_rng(seed)
    combos = np.stack([np.sort(rng.permutation(len(cards))[:order]) for _ in range(9)]).astype(np.int32)
    joint = joint_counts(codes, card_of, labels, n_classes, combos)
    for i, combination in enumerate(combos):
        values = _joined(codes, combination)
        assert joint.mi[i] == pytest.approx(mutual_info_score(values, labels), abs=1e-10)
        counts, multiplicity = np.unique(np.bincount(values), return_counts=True)
        used = joint.counts[i] > 0
        got = dict(zip(joint.counts[i, used].tolist(), joint.multiplicity[i, used].tolist(), strict=True))
        assert got == dict(zip(counts.tolist(), multiplicity.tolist(), strict=True))


def test_pair_information_equals_scikit_learn_on_small_and_large_tables():
    codes, cards, _ = _block(2000, [3, 11, 400, 1900], 2, seed=1)
    pairs = np.array([[0, 1], [0, 3], [2, 3], [1, 1]], dtype=np.int32)
    expected = [mutual_info_score(codes[a], codes[b]) for a, b in pairs]
    np.testing.assert_allclose(pair_information(codes, cards, pairs), expected, atol=1e-10)


def test_the_number_of_threads_does_not_change_a_bit():
    codes, cards, labels = _block(1000, [4, 50, 900] * 10, 2, seed=3)
    combos = np.array([(a, b) for a in range(30) for b in range(a + 1, 30)], dtype=np.int32)
    one, four = (joint_counts(codes, cards, labels, 2, combos, threads=t) for t in (1, 4))
    np.testing.assert_array_equal(one.mi, four.mi)
    np.testing.assert_array_equal(one.multiplicity, four.multiplicity)


def test_no_combination_and_no_row_give_empty_answers():
    codes, cards, labels = _block(5, [2, 2], 2, seed=0)
    assert joint_counts(codes, cards, labels, 2, np.zeros((0, 2), dtype=np.int32)).mi.shape == (0,)
    none = joint_counts(codes[:, :0], cards, labels[:0], 2, np.array([[0, 1]], dtype=np.int32))
    assert none.mi.tolist() == [0.0]


def test_the_null_is_the_sum_over_values():
    codes = np.array([[0, 0, 1, 2]], dtype=np.int32)
    joint = joint_counts(codes, np.array([3]), np.array([0, 1, 0, 1], dtype=np.int32), 2, np.array([[0]]))
    assert joint.null(np.array([0.0, 1.0, 10.0, 100.0, 1000.0])).tolist() == [12.0]
