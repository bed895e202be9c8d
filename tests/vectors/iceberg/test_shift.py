"""Two orders of the same things."""

import numpy as np
import pytest

from salience.vectors.iceberg.shift import RankShift


def shift(first, second):
    return RankShift.between([f"c{i}" for i in range(len(first))], first, second, by=("recall", "task"))


def test_the_same_order_has_tau_one_and_no_inversion():
    found = shift([0.9, 0.5, 0.1], [3.0, 2.0, 1.0])
    assert found.tau == pytest.approx(1)
    assert found.inversions.height == 0


def test_the_reverse_order_inverts_every_pair():
    found = shift([0.9, 0.5, 0.1], [1.0, 2.0, 3.0])
    assert found.tau == pytest.approx(-1)
    assert found.inversions.height == 3
    assert "beats c2 by recall" in str(found)


def test_an_inversion_says_what_each_measure_has_of_both():
    """c0 is better by recall, c2 by the task; c1 ties with c0 by recall and changes no place with it."""
    found = shift([0.9, 0.9, 0.1], [1.0, 2.0, 1.5])
    assert found.inversions.rows(named=True) == [
        {
            "first": "c0",
            "second": "c2",
            "recall_first": 0.9,
            "recall_second": 0.1,
            "task_first": 1.0,
            "task_second": 1.5,
        }
    ]
    assert "c0 beats c2 by recall (0.900 to 0.100), and loses by task (1.000 to 1.500)" in str(found)


@pytest.mark.parametrize(
    ("first", "second", "tau"), [([1, 1], [1, 2], 0.0), ([1, 2], [3, 3], 0.0), ([1, 1], [5, 5], 1.0)]
)
def test_an_order_that_orders_nothing(first, second, tau):
    assert shift(first, second).tau == tau
    assert shift(first, second).inversions.height == 0


def test_equal_values_share_a_rank():
    assert shift([0.5, 0.9, 0.5], [1.0, 1.0, 1.0]).table["rank_recall"].to_list() == [2, 1, 2]


def test_names_of_equal_configurations_stay_in_the_picture():
    matplotlib = pytest.importorskip("matplotlib")
    ax = shift(np.ones(12), np.ones(12)).plot()
    bottom, top = ax.get_ylim()
    heights = [text.xy[1] for text in ax.texts]
    assert top < min(heights) <= max(heights) < bottom
    assert len({round(height, 6) for height in heights}) == 12
    matplotlib.pyplot.close("all")


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="2 names"):
        RankShift.between(["a", "b"], np.zeros(3), np.zeros(2), by=("x", "y"))
