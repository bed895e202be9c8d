"""Importances as seats, and the half circle they sit in."""

import pickle
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from sklearn.datasets import load_iris
from sklearn.tree import DecisionTreeClassifier

from salience.results import Scores
from salience.tabular import Parliament
from salience.tabular.dhondt.hemicycle import Party, hemicycle, hemicycle_svg, seat_places
from salience.tabular.dhondt.parliament import target_signs

VALUES = {"age": 100.0, "income": 80.0, "city": 30.0, "colour": 20.0}


def seats_of(parliament):
    return dict(parliament.frame.select("party", "seats").iter_rows())


def test_the_textbook_house_with_its_votes_and_quotas():
    parliament = Parliament(VALUES, seats=8, num_votes=2300)
    assert seats_of(parliament) == {"age": 4, "income": 3, "city": 1, "colour": 0}
    assert parliament.frame["votes"].to_list() == pytest.approx([1000, 800, 300, 200])
    assert parliament.frame["quota"].sum() == pytest.approx(8)
    assert parliament.scores.top(1).items == ["age"]
    assert parliament.scores.meta.unit == "seats"


def test_an_alliance_has_the_sum_of_its_members():
    parliament = Parliament(VALUES, seats=8, alliances=[["city", "colour"]])
    assert seats_of(parliament) == {"age": 4, "income": 3, "city + colour": 1}
    assert parliament.frame.filter(pl.col("party") == "city + colour")["share"].item() == pytest.approx(
        50 / 230
    )


@pytest.mark.parametrize("threshold", [0.1, 10])
def test_votes_below_the_threshold_are_lost(threshold):
    parliament = Parliament(VALUES, seats=20, threshold=threshold)
    assert seats_of(parliament)["colour"] == 0
    assert parliament.frame["eligible"].to_list() == [True, True, True, False]
    assert parliament.frame["votes"].to_list() == pytest.approx([v / 230 * 1e8 for v in VALUES.values()])


def test_a_threshold_above_every_share_elects_exactly_one():
    assert seats_of(Parliament(VALUES, threshold=0.9)) == {"age": 600, "income": 0, "city": 0, "colour": 0}


def test_excluded_columns_do_not_vote():
    assert seats_of(Parliament(VALUES, seats=8, exclude=["age"])) == {"income": 5, "city": 2, "colour": 1}


@settings(deadline=None)
@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=20), st.floats(1e-3, 1e12), st.integers(1, 700))
def test_seats_do_not_depend_on_the_number_of_votes(values, num_votes, seats):
    assert (
        Parliament(values, seats=seats, num_votes=num_votes)
        .frame["seats"]
        .equals(Parliament(values, seats=seats).frame["seats"])
    )


def test_no_importance_at_all_seats_nobody():
    assert Parliament([0.0, 0.0]).frame["seats"].to_list() == [0, 0]


def test_many_seats_are_the_importances_rounded():
    rng = np.random.default_rng(0)
    values = rng.random(30)
    share = Parliament(values, seats=10**6).frame["seats"].to_numpy() / 10**6
    assert share == pytest.approx(values / values.sum(), abs=1e-5)


def test_scores_of_every_kind_can_vote():
    signed = Parliament(Scores.from_values({"a": -3.0, "b": 1.0}, better="abs"), seats=4)
    assert seats_of(signed) == {"a": 3, "b": 1}
    assert signed.frame["sign"].to_list() == [-1, 1]
    net = Parliament(Scores.from_values({"a": 0.3, "b": -0.1, "c": float("nan")}), seats=4)
    assert seats_of(net) == {"a": 4, "b": 0, "c": 0}
    assert net.warnings == ("1 items without a score do not vote", "1 items with a score below 0 do not vote")
    pairs = Scores.from_matrix([[0.1, 0.9]], ["h"], ["u", "v"], keys=("layer", "head"), item="head")
    assert seats_of(Parliament(pairs, seats=10))["h · v"] == 9


def test_a_fitted_model_can_vote():
    X, y = load_iris(return_X_y=True, as_frame=True)
    model = DecisionTreeClassifier(max_depth=2, random_state=0).fit(X, y)
    parliament = Parliament(model, seats=50, signs=target_signs(X, y))
    assert parliament.frame["party"].to_list() == list(X.columns)
    assert parliament.frame.filter(pl.col("party") == "sepal width (cm)")["sign"].item() == -1
    assert "DecisionTreeClassifier" in parliament.scores.meta.params["of"]


def test_the_colour_of_an_alliance_is_that_of_its_first_member():
    parliament = Parliament(VALUES, alliances=[["city", "age"]], signs={"city": -0.2})
    assert dict(parliament.frame.select("party", "sign").iter_rows())["city + age"] == -1


def test_consistency_with_other_importances():
    same = Parliament(VALUES).consistency(VALUES)
    assert same.pearson > 0.999
    assert (same.spearman, same.kendall) == pytest.approx((1.0, 1.0))
    allied = Parliament(VALUES, alliances=[["city", "colour"]]).consistency([1.0, 2.0, 5.0, 5.0])
    assert allied.spearman == pytest.approx(-1.0)
    assert np.isnan(Parliament([0.0, 0.0]).consistency([1.0, 2.0]).pearson)
    with pytest.raises(ValueError, match="no value for 'income'"):
        Parliament(VALUES).consistency({"age": 1.0, "city": 1.0, "colour": 1.0})
    with pytest.raises(ValueError, match="one number per item"):
        Parliament(VALUES).consistency([1.0])


def test_the_sign_of_the_correlation_with_the_target():
    X = np.array([[1.0, 9.0, 5.0], [2.0, 8.0, 5.0], [3.0, 1.0, 5.0]])
    assert target_signs(X, [10.0, 11.0, 12.0]).tolist() == [1.0, -1.0, 0.0]
    assert target_signs(X, ["no", "no", "yes"]).tolist() == [1.0, -1.0, 0.0]
    with pytest.raises(ValueError, match="3 classes, which have no order"):
        target_signs(X, ["a", "b", "c"])


def test_it_survives_a_pickle_and_says_who_leads():
    parliament = pickle.loads(pickle.dumps(Parliament(VALUES, seats=8)))
    assert repr(parliament) == "Parliament of 8 seats, 4 parties: age 4, income 3, city 1, ..."


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"importances": [1.0, -1.0]}, "that of 'x1' is -1.0; give sizes"),
        ({"importances": [1.0, np.nan]}, "finite and not negative"),
        ({"importances": [[1.0]]}, "one number per item"),
        ({"importances": []}, "one number per item"),
        ({"importances": [1.0], "names": ["a", "b"]}, "as many different names"),
        ({"importances": [1.0, 2.0], "names": ["a", "a"]}, "as many different names"),
        ({"seats": 0}, "seats must be a whole number from 1 up"),
        ({"threshold": 1.0}, "share in"),
        ({"threshold": 100}, "share in"),
        ({"alliances": [["age", "shoe"]]}, "names 'shoe'"),
        ({"alliances": [["age", "city"], ["city"]]}, "must not overlap: 'city'"),
        ({"alliances": ["age"]}, "a list of names"),
        ({"exclude": ["shoe"]}, "exclude must list"),
        ({"exclude": list(VALUES)}, "no item is left"),
        ({"signs": [1.0]}, "one number for each of 4 items"),
        ({"num_votes": 0}, "above 0"),
        ({"importances": Scores.from_order(["a", "b"])}, "order without numbers"),
        ({"importances": Scores.from_values([1.0], better="low")}, "turn them round"),
        (
            {
                "importances": Scores(
                    pl.DataFrame({"column": ["a"], "class": ["u"], "value": [1.0]}), ("column",), ("class",)
                )
            },
            "one ranking per class",
        ),
    ],
)
def test_what_cannot_vote_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        Parliament(**{"importances": VALUES, **given})


# ---- pictures -------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.integers(1, 900))
def test_seats_stand_in_a_half_circle_without_touching(seats):
    x, y, size = seat_places(seats)
    radius = np.hypot(x, y)
    assert len(x) == seats
    assert ((radius > 0.39) & (radius < 1 + 1e-9) & (y > -1e-9)).all()
    if seats > 1:
        from scipy.spatial import cKDTree

        assert cKDTree(np.column_stack([x, y])).query(np.column_stack([x, y]), k=2)[0][:, 1].min() > size


def test_parties_against_sit_on_the_left():
    ax = hemicycle([Party("for it", 30), Party("against it", 20, "against")], ax=Figure().subplots())
    where = {text.get_text(): text.get_position()[0] for text in ax.texts}
    assert where["against it 20"] < 0 < where["for it 30"]


def test_the_svg_is_well_formed_and_says_what_each_party_has():
    svg = hemicycle_svg(
        [Party('a<b> & "c"', 3), Party("d$x$", 2, "against", -0.5), Party("nobody", 0)], title="t&c"
    )
    root = ElementTree.fromstring(svg)
    assert len(root.findall(".//{*}circle")) == 5
    titles = [title.text for title in root.findall(".//{*}title")]
    assert titles == ["t&c", "d$x$: 2 seats against, value -0.5", 'a<b> & "c": 3 seats for']
    assert Parliament(VALUES, seats=50).to_svg().count("<circle") == 50


def test_an_empty_house_can_be_drawn():
    ElementTree.fromstring(hemicycle_svg([]))
    hemicycle([], ax=Figure().subplots())


@pytest.mark.parametrize("kind", ["parliament", "bars"])
def test_a_parliament_draws_itself_into_the_axes_it_is_given(kind):
    ax = Figure().subplots()
    assert Parliament(VALUES, seats=40, threshold=0.1).plot(kind, ax=ax) is ax


def test_an_unknown_picture_is_refused():
    with pytest.raises(ValueError, match="parliament, bars"):
        Parliament(VALUES).plot("pie")


def test_bars_name_only_so_many_and_say_how_many_are_left():
    ax = Figure().subplots()
    Parliament(np.arange(1.0, 41.0), seats=4000).plot("bars", ax=ax)
    assert len(ax.get_yticklabels()) == 20
    assert "20 more" in [text.get_text() for text in ax.texts]
