"""The pictures: bounded, honest about what is left out, and drawn where one asks."""

import itertools
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.text import Text

from salience import plotting
from salience.results import Meta, Scores


@pytest.fixture
def ax():
    return Figure(layout="constrained").subplots()


@pytest.fixture
def columns():
    """300 columns, three of which stand above the level of chance."""
    card = np.geomspace(2, 1e6, 300).astype(int)
    null = card / 1e6
    value = np.zeros(300)
    value[[10, 150, 290]] = 0.5, 0.7, 0.9
    names = [f"a_long_name_with_a_number_{i}" for i in range(300)]
    return Scores.from_values(
        value, names, lo=value - 0.1, hi=value + 0.1, null=null, mi=value + null, card=card,
        meta=Meta(method="outrank", unit="nats"),
    )  # fmt: skip


def pairs(n):
    values = np.abs(np.corrcoef(np.random.default_rng(0).normal(size=(n, 50))))
    return Scores.from_matrix(values, [f"c{i}" for i in range(n)], meta=Meta(symmetric=True))


def texts(ax):
    ax.figure.draw_without_rendering()
    return [text.get_text() for text in ax.texts]


def ticks(axis):
    return [tick.get_text() for tick in axis.get_ticklabels()]


def test_ranking_draws_the_best_thirty_and_counts_the_rest(columns, ax):
    assert plotting.ranking(columns, ax) is ax
    assert len(ticks(ax.yaxis)) == 30
    assert "270 columns more" in texts(ax)
    assert ticks(ax.yaxis)[0] == "a_long_name_wit…mber_290"
    assert ax.get_xlabel() == "value (nats)"


def test_ranking_draws_intervals_and_chance(columns, ax):
    plotting.ranking(columns, ax)
    chance = next(points for points in ax.collections if points.get_label() == "chance")
    # `value` has the null taken from `mi` already, so chance lies at 0
    np.testing.assert_allclose(chance.get_offsets()[:, 0], 0, atol=1e-12)
    lines = [c.get_segments() for c in ax.collections if isinstance(c, LineCollection)]
    np.testing.assert_allclose(lines[1][0][:, 0], [0.8, 1.0])


def test_the_best_stands_on_top(columns, ax):
    plotting.ranking(columns, ax)
    bottom, top = ax.get_ylim()
    assert bottom > top  # place 0 is drawn highest


def test_an_order_without_numbers_is_drawn_by_rank(ax):
    plotting.ranking(Scores.from_order(["b", "a"]), ax)
    assert ticks(ax.yaxis) == ["b", "a"]
    assert ax.get_xlabel() == "rank"


def test_ranking_of_several_contexts_asks_which(ax):
    frame = pl.DataFrame({"class": [0, 1], "column": ["a", "a"], "value": [1.0, 2.0]})
    scores = Scores(frame, keys="column", by="class")
    with pytest.raises(ValueError, match="one ranking per class"):
        scores.plot(ax=ax)
    assert scores.plot(ax=ax, **{"class": 1}).get_title(loc="left") == "given · class 1"


def test_cardinality_names_those_above_the_line_of_chance(columns, ax):
    plotting.score_against_cardinality(columns, ax, names=3)
    assert ax.get_xscale() == "log"
    ends = {"10", "150", "290"}
    assert {text.rpartition("_")[2] for text in texts(ax)} == ends
    chance = next(points for points in ax.collections if points.get_label() == "chance")
    np.testing.assert_allclose(chance.get_offsets()[:, 1], np.sort(columns.frame["null"].to_numpy()))


def test_cardinality_names_nothing_when_nothing_is_above(ax):
    scores = Scores.from_values([0.0, 0.0], null=[0.1, 0.2], card=[3, 5])
    plotting.score_against_cardinality(scores, ax)
    assert texts(ax) == []


def test_cardinality_shows_what_was_measured_before_the_null_was_taken_off(columns, ax):
    plotting.score_against_cardinality(columns, ax)
    points = next(c for c in ax.collections if len(c.get_offsets()) == 300 and c.get_label() != "chance")
    np.testing.assert_allclose(sorted(points.get_offsets()[:, 1]), np.sort(columns.frame["mi"].to_numpy()))
    assert ax.get_ylabel() == "value before the null is taken off (nats)"


def test_cardinality_names_by_z_where_there_is_one(ax):
    scores = Scores.from_values([0.5, 0.1], ["loud", "sure"], null=[0.0, 0.0], z=[1.0, 9.0], card=[3, 5])
    plotting.score_against_cardinality(scores, ax)
    assert texts(ax) == ["sure"]


def test_names_beside_points_do_not_overlap(ax):
    scores = Scores.from_values(np.full(8, 0.5), null=np.zeros(8), card=np.arange(8) + 10)
    plotting.score_against_cardinality(scores, ax)
    ax.figure.draw_without_rendering()
    boxes = sorted((Text.get_window_extent(text) for text in ax.texts), key=lambda box: box.y0)
    assert len(boxes) == 8
    assert all(low.y0 + 0.8 * low.height < high.y0 for low, high in itertools.pairwise(boxes))


def test_cardinality_needs_its_column(ax):
    with pytest.raises(ValueError, match="no column 'card'"):
        plotting.score_against_cardinality(Scores.from_values([1.0]), ax)


def test_redundancy_is_bounded_and_counts_the_rest(ax):
    plotting.redundancy(pairs(70), ax)
    assert ax.images[0].get_array().shape == (60, 60)
    assert "10 columns more" in texts(ax)


def test_redundancy_puts_similar_columns_side_by_side(ax):
    block = np.kron(np.eye(3), np.ones((4, 4)))
    mixed = np.arange(12).reshape(3, 4).T.ravel()  # members of a block stand apart
    scores = Scores.from_matrix(block[np.ix_(mixed, mixed)], list(mixed), meta=Meta(symmetric=True))
    plotting.redundancy(scores, ax)
    groups = [int(name) // 4 for name in ticks(ax.yaxis)]
    assert sum(a != b for a, b in itertools.pairwise(groups)) == 2


def test_redundancy_refuses_what_is_not_unordered_pairs(ax):
    with pytest.raises(ValueError, match="unordered pairs"):
        plotting.redundancy(Scores.from_values([1.0]), ax)


@pytest.mark.parametrize(
    ("values", "palette"),
    [([[1.0, -2.0]], "PuOr"), ([[1.0, 2.0]], "cividis"), ([[np.nan, np.nan]], "cividis")],
)
def test_matrix_colours_follow_the_sign_and_zero_is_in_the_middle(values, palette, ax):
    plotting.matrix(Scores.from_matrix(values, keys=("layer", "head"), item="head"), ax)
    image = ax.images[0]
    assert image.get_cmap().name == palette
    if palette == "PuOr":
        assert image.get_clim() == (-2.0, 2.0)
    assert (ax.get_ylabel(), ax.get_xlabel()) == ("layer", "head")


def test_histogram_counts_what_it_cannot_show(ax):
    plotting.histogram(Scores.from_values([1.0, 2.0, np.nan, np.inf]), ax)
    assert sum(bar.get_height() for bar in ax.patches) == 2
    assert texts(ax) == ["2 columns without a finite value"]


def test_curves_draw_the_random_band_once(ax):
    frame = pl.DataFrame(
        {
            "size": [5, 1],
            "share": [1.0, 0.5],
            "random": [0.5, 0.1],
            "random_lo": [0.4, 0.0],
            "random_hi": [0.6, 0.2],
        }
    )
    plotting.curves({"a": frame, "b": frame}, ax)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["random rankings", "a", "b"]
    assert ax.lines[1].get_xdata().tolist() == [1, 5]
    assert len(ax.collections) == 1


@pytest.mark.parametrize(
    ("given", "message"), [({}, "no curve"), (pl.DataFrame({"size": [1]}), "share or value")]
)
def test_curves_say_what_they_need(given, message, ax):
    with pytest.raises(ValueError, match=message):
        plotting.curves(given, ax)


def test_agreement_places_common_items_and_names_those_that_moved(ax):
    a = Scores.from_values({"x": 3.0, "y": 2.0, "z": 1.0, "only_a": 9.0})
    b = Scores.from_values({"x": 1.0, "y": 2.0, "z": 3.0, "only_b": 9.0})
    plotting.agreement(a, b, ax, k=2)
    np.testing.assert_array_equal(ax.collections[0].get_offsets(), [[1, 3], [2, 2], [3, 1]])
    assert sorted(texts(ax)) == ["x", "z"]
    assert "overlap 0.50" in ax.get_title(loc="left")


@pytest.mark.parametrize("kind", sorted(plotting.PICTURES))
def test_plot_dispatches_by_name(kind, ax):
    scores = {
        "matrix": Scores.from_matrix([[1.0, 2.0]], keys=("layer", "head"), item="head"),
        **dict.fromkeys(("redundancy", "dendrogram", "silhouette", "clusters"), pairs(5)),
    }.get(kind, Scores.from_values([1.0, 2.0], card=[2, 3]))
    assert scores.plot(kind, ax) is ax


def test_plot_without_a_kind_chooses_the_picture_that_suits(ax):
    assert pairs(5).plot(ax=ax).images
    assert not Scores.from_values([1.0]).plot(ax=Figure().subplots()).images


def test_an_unknown_picture_is_refused():
    with pytest.raises(ValueError, match="the pictures are ranking, bars, histogram"):
        Scores.from_values([1.0]).plot("pie")


def test_dollars_in_names_are_not_formulas(ax):
    plotting.ranking(Scores.from_values({"$_broken^": 1.0, "a$b$c": 2.0}), ax)
    ax.figure.draw_without_rendering()


def test_no_items_make_an_empty_picture(ax):
    plotting.ranking(Scores.from_values([], []), ax)
    ax.figure.draw_without_rendering()


def test_pyplot_is_left_alone_when_axes_are_given():
    code = (
        "import sys; from matplotlib.figure import Figure; from salience.results import Scores; "
        "Scores.from_values([1.0, 2.0]).plot(ax=Figure().subplots()); "
        "print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_without_axes_a_figure_is_made():
    import matplotlib.pyplot as plt

    with plt.rc_context({"backend": "agg"}):
        ax = Scores.from_values([1.0]).plot()
        plt.close(ax.figure)


def blocks_of(sizes, seed=0):
    """Pairs of columns that are alike within groups of these sizes and unlike between them."""
    group = np.repeat(np.arange(len(sizes)), sizes)
    noise = np.random.default_rng(seed).uniform(0, 0.1, size=(len(group), len(group)))
    values = np.where(group[:, None] == group, 0.9, 0.0) + (noise + noise.T) / 2
    return Scores.from_matrix(values, [f"c{i}" for i in range(len(group))], meta=Meta(symmetric=True))


def test_the_best_cut_finds_the_groups(ax):
    plotting.silhouette(blocks_of([4, 3, 5]), ax)
    assert next(text for text in texts(ax) if "clusters" in text).startswith("3 clusters")


def test_a_dendrogram_puts_alike_columns_side_by_side_and_is_bounded(ax):
    plotting.dendrogram(blocks_of([3, 3]), ax)
    order = ticks(ax.yaxis)
    assert {frozenset(order[:3]), frozenset(order[3:])} == {
        frozenset(["c0", "c1", "c2"]),
        frozenset(["c3", "c4", "c5"]),
    }
    few = Figure(layout="constrained").subplots()
    plotting.dendrogram(blocks_of([50, 30]), few)
    assert len(ticks(few.yaxis)) == 60
    assert "20 columns more" in texts(few)


def test_a_map_has_every_column_and_the_same_places_again(ax):
    scores = blocks_of([4, 4])
    again = Figure(layout="constrained").subplots()
    places = []
    for axes in (plotting.clusters(scores, ax), plotting.clusters(scores, again)):
        places.append(np.concatenate([c.get_offsets() for c in axes.collections]))
    assert places[0].shape == (8, 2)
    np.testing.assert_array_equal(places[0], places[1])
    assert "2 clusters" in ax.get_xlabel()


@pytest.mark.parametrize("picture", [plotting.dendrogram, plotting.silhouette, plotting.clusters])
@pytest.mark.parametrize("columns", [2, 3])
def test_two_or_three_columns_are_drawn_too(picture, columns, ax):
    assert picture(pairs(columns), ax) is ax


def test_pictures_of_clusters_refuse_what_has_no_pairs(ax):
    with pytest.raises(ValueError, match="two keys"):
        plotting.dendrogram(Scores.from_values([1.0, 2.0]), ax)


@pytest.mark.parametrize(("top", "bars"), [(10, 10), (25, 25), (None, 300)])
def test_bars_are_as_many_as_asked_and_the_models_stand_out(columns, ax, top, bars):
    best = columns.top(1).items
    plotting.bars(columns, ax, top=top, reference=best)
    drawn = {container.get_label(): len(container) for container in ax.containers}
    assert drawn == {"other columns": bars - 1, "in the reference model": 1}


def test_bars_leave_planted_controls_out(ax):
    scores = Scores.from_values([3.0, 2.0, 1.0], ["CONTROL", "a", "b"], kind=["control", "text", None])
    plotting.bars(scores, ax)
    assert ticks(ax.yaxis) == ["a", "b"]
