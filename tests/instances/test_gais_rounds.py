"""Several partitions of the rows: what their graphs and readings say together, and what is trained before a refusal."""

import numpy as np
import pytest

from salience.instances import GraphAttentionSelector
from salience.instances.gais.graphs import RowGraph
from salience.instances.gais.rounds import Recipe, Scored
from salience.instances.gais.selection import Adjacency, kept_rate
from salience.instances.gais.table import table_of
from salience.instances.gais.training import Reading
from salience.results.meta import Meta

ROWS = 20


def table():
    return table_of(np.arange(2.0 * ROWS).reshape(ROWS, 2) ** 1.5, np.arange(ROWS) % 2)


def graph(*edges, outside=()):
    receiver, sender, weight = (np.array(column) for column in zip(*edges, strict=True))
    pieces = [np.setdiff1d(np.arange(ROWS), outside)]
    return RowGraph.of([(receiver, sender, weight)], pieces, ROWS)


def reading(graph, paid, accuracy=0.9):
    values = np.linspace(1.0, 0.0, ROWS)
    return Reading(values, values, np.array(paid, np.float32), accuracy, 0.5, [1.0])


def rounds(accuracy=0.9):
    """Row 2 looks at row 0 in both rounds, and row 4 in the second only; row 0 is drawn in both."""
    graphs = [graph((2, 0, 0.4)), graph((2, 0, 0.8), (4, 0, 1.0))]
    readings = [reading(graphs[0], [0.3], accuracy), reading(graphs[1], [0.1, 0.2], accuracy)]
    scaled = np.linspace(1.0, 0.0, ROWS)
    return Scored(graphs, readings, scaled, np.tile(scaled, (2, 1)))


def test_an_edge_has_the_mean_weight_of_the_rounds_that_have_it_and_its_attention_over_all():
    rows = rounds().edges().select("receiver", "sender", "weight", "attention").rows()
    assert [row[:2] for row in rows] == [(2, 0), (4, 0)]
    assert np.array([row[2:] for row in rows]) == pytest.approx(np.array([[0.6, 0.2], [1.0, 0.1]]))


def test_attention_counts_the_rounds_in_which_the_sender_was_drawn():
    once = graph((3, 1, 1.0), outside=[0])
    both = rounds()
    found = Scored(
        [both.graphs[0], once], [both.readings[0], reading(once, [0.5])], both.scaled, both.replicates
    )
    attention = {row[:2]: row[2] for row in found.edges().select("receiver", "sender", "attention").rows()}
    assert attention == pytest.approx({(2, 0): 0.3, (3, 1): 0.25})


def test_rows_that_stand_together_in_any_round_are_not_both_kept():
    kept = rounds().kept(table(), 0.2, diverse=True)
    assert np.flatnonzero(kept[::2]).tolist() == [0, 3]  # rows 2 and 4 are beside row 0
    assert np.flatnonzero(rounds().kept(table(), 0.2)[::2]).tolist() == [0, 1]


def test_refused_scores_have_no_replicates_either():
    kept = np.ones(ROWS, dtype=bool)
    assert rounds(0.55).scores(table(), kept, Meta(method="gais")).replicates is None
    assert rounds().scores(table(), kept, Meta(method="gais")).replicates.shape == (2, ROWS)


@pytest.mark.parametrize(("accuracy", "refused"), [(0.59, True), (0.6, False)])
def test_a_tenth_above_chance_is_learned(accuracy, refused):
    assert rounds(accuracy).refused == refused


def test_a_class_of_two_rows_is_selected_from():
    y = np.where(np.arange(ROWS) < 2, "pair", np.where(np.arange(ROWS) < 3, "alone", "many"))
    few = table_of(table().X, y)
    found = rounds()
    kept = found.kept(few, 0.1)
    assert np.flatnonzero(kept).tolist() == [0, 2, 3, 4]
    flags = found.scores(few, kept, Meta(method="gais")).frame["flag"].to_list()
    assert flags == [None, None, "too_few"] + [None] * 17


@pytest.mark.filterwarnings("ignore:scores are refused")
def test_networks_that_are_trained_before_a_refusal_belong_to_the_seed(monkeypatch):
    asked = []

    def read(X, codes, graph, how, seed, *rest):
        asked.append(seed)
        return Reading(*np.ones((2, len(X))), np.zeros(len(graph.receiver), np.float32), 0.5, 0.5, [1.0])

    monkeypatch.setattr("salience.instances.gais.rounds.read_rows", read)
    for state in (0, 0, 1):
        GraphAttentionSelector(random_state=state).fit(
            np.random.default_rng(0).normal(size=(30, 2)), np.arange(30) % 2
        )
    assert asked[:3] == asked[3:6]
    assert len(set(asked)) == 6


@pytest.mark.parametrize("levels", [(0, 4), (4, 63), (4.5,), ()])
def test_levels_are_numbers_of_bits(levels):
    with pytest.raises(ValueError, match="from 1 to 62"):
        Recipe.of(**{**GraphAttentionSelector().get_params(), "levels": levels})


# ---- what is missing, filled up -------------------------------------------------------------------------


def beside(row, others, twins):
    return Adjacency(np.full(len(others), row, np.int32), np.array(others, np.int32), np.array(twins))


def test_a_row_that_was_passed_over_comes_before_one_equal_to_a_kept_one():
    values = np.array([1.0, 0.9, 0.8])  # row 1 is row 0 again, row 2 stands beside it
    assert np.flatnonzero(kept_rate(values, np.zeros(3, int), 0.5, beside(0, [2], [0, 0, 1]))).tolist() == [
        0,
        2,
    ]


def test_of_equal_rows_that_were_passed_over_one_comes_before_the_others():
    values = np.array([1.0, 0.9, 0.8, 0.7])  # rows 1 and 2 are equal; all stand beside row 0
    apart = beside(0, [1, 2, 3], [0, 1, 1, 2])
    assert np.flatnonzero(kept_rate(values, np.zeros(4, int), 0.75, apart)).tolist() == [0, 1, 3]


def test_one_row_is_kept_whatever_the_rate():
    assert kept_rate(np.arange(5.0), np.zeros(5, int), 1e-12).tolist() == [False] * 4 + [True]
