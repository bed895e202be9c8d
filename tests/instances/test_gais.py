"""GraphAttentionSelector: which rows it keeps, when it refuses, and scikit-learn's contract."""

import math
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from salience.instances import GraphAttentionSelector
from salience.instances.gais.graphs import GRAPHS
from salience.instances.gais.rounds import SCORES, Recipe
from salience.instances.gais.training import Reading
from salience.verify import rows, verify

QUICK = {"epochs": 20, "random_state": 0}
FEW_ROWS = "its table has fewer than the 20 rows that a selection needs"


@parametrize_with_checks(
    [GraphAttentionSelector(epochs=2)],
    expected_failed_checks=lambda estimator: {
        "check_n_features_in_after_fitting": FEW_ROWS,
        "check_estimators_nan_inf": FEW_ROWS,
        "check_fit2d_1feature": FEW_ROWS,
    },
)
@pytest.mark.filterwarnings("ignore")
def test_it_passes_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def table():
    return make_classification(
        300, 6, n_informative=4, n_redundant=0, n_classes=3, class_sep=2.0, random_state=0
    )


@pytest.fixture(scope="module")
def fitted(table):
    return GraphAttentionSelector(**QUICK).fit(*table)


def with_noise(y, share, seed=0):
    rng = np.random.default_rng(seed)
    classes = y.max() + 1
    wrong = rng.random(len(y)) < share
    given = y.copy()
    given[wrong] = (y[wrong] + rng.integers(1, classes, wrong.sum())) % classes
    return given, wrong


# ---- what is kept ---------------------------------------------------------------------------------------


def test_four_percent_of_each_class_are_kept(table, fitted):
    y = table[1]
    for c in range(3):
        assert fitted.support_[y == c].sum() == np.ceil(0.04 * (y == c).sum())
    assert fitted.rate_ == fitted.support_.mean()


def test_the_kept_rows_are_the_best_of_their_class(table, fitted):
    frame = fitted.scores_.frame
    for c in range(3):
        ours = frame.filter(pl.col("class") == c)
        kept = ours.filter(pl.col("kept"))["value"].min()
        assert kept >= ours.filter(~pl.col("kept"))["value"].max()
        assert (ours["value"].min(), ours["value"].max()) == (0.0, 1.0)


@pytest.mark.parametrize("name", sorted(SCORES))
def test_a_score_is_what_it_is_called(table, name):
    X, y = table
    selector = GraphAttentionSelector(score_by=name, **QUICK).fit(X, y)
    raw = SCORES[name](selector.attention_, selector.confidence_)
    here = y == 1
    wanted = (raw[here] - raw[here].min()) / np.ptp(raw[here])
    np.testing.assert_allclose(selector.scores_.values[here], wanted)


def test_a_level_takes_the_place_of_the_rate(table):
    selector = GraphAttentionSelector(threshold=0.5, **QUICK).fit(*table)
    np.testing.assert_array_equal(selector.support_, selector.scores_.values >= 0.5)


@pytest.mark.parametrize("graph", sorted(GRAPHS))
def test_every_graph_finds_rows_to_keep(table, graph):
    X, y = table
    selector = GraphAttentionSelector(graph, rate=0.1, **QUICK).fit(X, y)
    assert not selector.refused_
    assert np.bincount(y[selector.support_]).tolist() == np.ceil(0.1 * np.bincount(y)).tolist()
    model = RandomForestClassifier(random_state=0).fit(X[selector.support_], y[selector.support_])
    assert model.score(X, y) > 0.7


def test_the_same_seed_keeps_the_same_rows(table, fitted):
    again = GraphAttentionSelector(**QUICK).fit(*table)
    np.testing.assert_array_equal(again.scores_.values, fitted.scores_.values)
    other = GraphAttentionSelector(epochs=20, random_state=1).fit(*table)
    assert (other.scores_.values != fitted.scores_.values).any()


def test_rounds_are_averaged(table, fitted):
    selector = GraphAttentionSelector(n_rounds=3, **QUICK).fit(*table)
    assert selector.scores_.replicates.shape == (3, 300)
    assert selector.scores_.meta.replicate_of == "partition"
    ends = selector.scores_.frame.group_by("class").agg(low=pl.min("value"), high=pl.max("value"))
    assert set(ends["low"]) | set(ends["high"]) == {0.0, 1.0}, "what is averaged is scaled afterwards"
    assert (
        selector.degree_.sum()
        == fitted.degree_.sum()
        == 2 * sum(round(0.1 * math.comb(150, 2)) for _ in "12")
    )
    assert len(selector.neighbours(0)) > len(GraphAttentionSelector(**QUICK).fit(*table).neighbours(0))


def test_some_batches_leave_rows_without_a_score(table):
    X, y = table
    selector = GraphAttentionSelector(batch_size=50, n_batches=2, **QUICK).fit(X, y)
    scored = ~np.isnan(selector.scores_.values)
    assert scored.sum() == 100
    assert not (selector.support_ & ~scored).any()
    assert selector.scores_.frame["flag"].to_list().count("unscored") == 200


def test_cover_learns_from_those_batches_and_scores_all(table):
    selector = GraphAttentionSelector(batch_size=50, n_batches=2, cover=True, **QUICK).fit(*table)
    assert np.isfinite(selector.scores_.values).all()
    assert Recipe.of(**selector.get_params()).learning.train_batches == 2


# ---- wrong labels ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("load", [load_breast_cancer, load_digits])
def test_wrong_labels_are_not_kept(load):
    X, y = load(return_X_y=True)
    given, wrong = with_noise(y, 0.2)
    kept = GraphAttentionSelector(random_state=0).fit(X, given).get_support()
    assert wrong.mean() > 0.15
    assert wrong[kept].mean() <= 0.05


def test_attention_alone_keeps_wrong_labels():
    """The control: what the neighbours look at says nothing about the label of a row."""
    X, y = load_digits(return_X_y=True)
    given, wrong = with_noise(y, 0.2)
    kept = GraphAttentionSelector(score_by="attention", random_state=0).fit(X, given).get_support()
    assert wrong[kept].mean() > 0.1


def test_labels_at_random_are_refused(table):
    X, _ = table
    y = np.random.default_rng(0).integers(0, 3, len(X))
    with pytest.warns(UserWarning, match="scores are refused"):
        selector = GraphAttentionSelector(n_rounds=3, **QUICK).fit(X, y)
    assert selector.refused_
    assert selector.val_accuracy_ < selector.chance_ + 0.1
    assert selector.support_.all(), "where nothing is known nothing is thrown away"
    assert np.isnan(selector.scores_.values).all()
    assert set(selector.scores_.frame["flag"]) == {"untrained"}
    assert any("refused" in note for note in selector.scores_.meta.warnings)


def test_guessing_the_larger_class_is_not_learning():
    """Recognising only the class of 95 % would be an accuracy of .95."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(400, 4)), (np.arange(400) < 20).astype(int)
    with pytest.warns(UserWarning, match="refused"):
        assert GraphAttentionSelector(n_rounds=2, **QUICK).fit(X, y).refused_


@pytest.mark.filterwarnings("ignore:nothing to select from")
def test_classes_of_one_row_do_not_make_guessing_look_like_learning():
    """They are not held out: among two classes that are, guessing names half of the rows right, not a twelfth."""
    rng = np.random.default_rng(0)
    y = np.array(["a", "b", *(f"only {i}" for i in range(10))])[np.r_[rng.integers(0, 2, 190), 2:12]]
    with pytest.warns(UserWarning, match="refused"):
        selector = GraphAttentionSelector(n_rounds=3, **QUICK).fit(rng.normal(size=(200, 4)), y)
    assert (selector.chance_, selector.refused_) == (0.5, True)


@pytest.mark.filterwarnings("ignore:nothing to select from")
def test_what_was_never_held_out_is_not_trusted(table):
    """A batch of eight rows of eight classes holds nobody out."""
    y = np.arange(300) % 60
    with pytest.warns(UserWarning, match="scores are refused"):
        selector = GraphAttentionSelector(batch_size=8, n_batches=1, epochs=2, random_state=0).fit(
            table[0], y
        )
    assert selector.val_accuracy_ == 0.0


@pytest.mark.filterwarnings("ignore:scores are refused", "error:loss was nan")
def test_a_batch_of_rows_held_out_is_not_learned_from(table):
    selector = GraphAttentionSelector(
        batch_size=8, held_out=0.98, train_batches=1, epochs=2, random_state=0
    ).fit(table[0], table[1])  # fmt: skip
    assert np.isfinite(selector.attention_).all()


def test_a_block_of_equal_rows_does_not_fill_the_budget():
    """By confidence it would: equal rows in the middle of their class are equally sure."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 200)
    X = rng.normal(size=(400, 3)) + 3.0 * y[:, None]
    X[:60] = -2.0
    plain, diverse = (
        GraphAttentionSelector(score_by="confidence", diverse=diverse, **QUICK).fit(X, y).get_support()
        for diverse in (False, True)
    )
    assert plain[:60].sum() == plain[:200].sum() == diverse[:200].sum() == 8
    assert diverse[:60].sum() == 1


def test_kept_rows_of_a_class_are_no_neighbours_when_they_are_to_be_diverse(table):
    y = table[1]
    beside = []
    for diverse in (False, True):
        selector = GraphAttentionSelector("knn", n_neighbors=3, rate=0.1, diverse=diverse, **QUICK).fit(
            *table
        )
        kept = selector.get_support()
        near = [
            selector.neighbours(row).filter("same_class")["neighbour"].to_numpy()
            for row in np.flatnonzero(kept)
        ]
        beside.append(sum(int(kept[rows].sum()) for rows in near))
        assert kept.sum() == sum(np.ceil(0.1 * np.bincount(y)))
    assert beside[0] > 0
    assert beside[1] == 0


# ---- edges and explanations -----------------------------------------------------------------------------


def test_neighbours_explain_the_attention_of_a_row(table, fitted):
    y = table[1]
    for row in (0, 17, 299):
        edges = fitted.neighbours(row)
        assert edges["received"].sum() == pytest.approx(fitted.attention_[row], rel=1e-4)
        assert edges["received"].count() == fitted.degree_[row]
        assert row not in edges["neighbour"]
        np.testing.assert_array_equal(edges["class"], y[edges["neighbour"]])
        np.testing.assert_array_equal(edges["same_class"], y[edges["neighbour"]] == y[row])
        received = edges["received"].drop_nulls().to_numpy()
        assert (np.diff(received) <= 0).all()


@pytest.mark.parametrize("n_batches", [None, 3])
def test_over_several_rounds_what_is_received_still_sums_to_the_attention(table, n_batches):
    """An edge of one round of three counts a third, and of a row that was drawn twice a half."""
    selector = GraphAttentionSelector(n_rounds=3, batch_size=64, n_batches=n_batches, **QUICK).fit(*table)
    sums = [selector.neighbours(row)["received"].sum() for row in range(0, 300, 20)]
    assert max(sums) > 0.5
    np.testing.assert_allclose(sums, np.nan_to_num(selector.attention_[::20]), rtol=1e-4)


def test_a_directed_edge_is_seen_from_both_of_its_ends(table):
    selector = GraphAttentionSelector("knn", n_neighbors=3, **QUICK).fit(*table)
    edges = selector.neighbours(0)
    assert edges["paid"].count() == 3
    other = int(edges.filter(pl.col("paid").is_not_null())["neighbour"][0])
    back = selector.neighbours(other).filter(pl.col("neighbour") == 0)
    assert back["received"].item() == edges.filter(pl.col("neighbour") == other)["paid"].item()


def test_there_are_no_neighbours_of_a_row_that_is_not_there(fitted):
    with pytest.raises(ValueError, match="numbered from 0 to 299"):
        fitted.neighbours(300)


# ---- scores and verification ----------------------------------------------------------------------------


def test_scores_say_where_they_come_from(table, fitted):
    scores = fitted.scores_
    assert (scores.item, scores.keys, scores.items) == ("row", ("row",), list(range(300)))
    assert {"value", "class", "attention", "confidence", "degree", "kept", "flag"} <= set(
        scores.frame.columns
    )
    meta = scores.meta
    assert (meta.method, meta.seed, meta.rows, meta.params["graph"]) == ("gais", 0, 300, "minibatch")
    assert meta.data
    assert meta.seconds > 0


def test_verify_tells_the_scores_from_their_reverse():
    """The ranking that must fail is the one that keeps what the neighbours contradict."""
    X, y = load_breast_cancer(return_X_y=True)
    given, _ = with_noise(y, 0.2)
    scores = GraphAttentionSelector(random_state=0).fit(X[::2], given[::2]).scores_
    bench = rows(
        make_pipeline(StandardScaler(), LogisticRegression()), (X[::2], given[::2]), (X[1::2], y[1::2])
    )
    kept, backwards = (
        verify(ranking, bench, fractions=(0.1, 0.2), random=8)
        for ranking in (scores, scores.replace(better="low"))
    )
    assert kept.named("retention", "ranking").verdict == "holds"
    assert backwards.named("retention", "ranking").verdict == "fails"


# ---- what it takes and gives back -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["numpy", "pandas", "polars", "lists"])
def test_rows_come_back_as_what_they_were(table, fitted, kind):
    X, y = table
    names = [f"c{i}" for i in range(6)]
    labels = np.array(["u", "v", "w"])[y]
    given = {
        "numpy": (X, labels),
        "pandas": (pd.DataFrame(X, columns=names, index=np.arange(300) + 7), pd.Series(labels, name="y")),
        "polars": (pl.DataFrame(X, schema=names), pl.Series("y", labels)),
        "lists": (X.tolist(), labels.tolist()),
    }[kind]
    selector = GraphAttentionSelector(**QUICK)
    X_kept, y_kept = selector.fit_resample(*given)
    np.testing.assert_array_equal(np.asarray(X_kept), X[fitted.support_])
    np.testing.assert_array_equal(np.asarray(y_kept), labels[fitted.support_])
    if kind in ("pandas", "polars"):
        assert (type(X_kept), type(y_kept)) == (type(given[0]), type(given[1]))
        assert list(X_kept.columns) == names
        assert selector.feature_names_in_.tolist() == names
    np.testing.assert_array_equal(selector.get_support(indices=True), np.flatnonzero(fitted.support_))


def test_it_is_cloned_and_pickled(table, fitted):
    again = pickle.loads(pickle.dumps(fitted))
    assert again.scores_.equals(fitted.scores_)
    assert again.neighbours(3).equals(fitted.neighbours(3))
    assert clone(fitted).get_params() == fitted.get_params()


def test_progress_counts_epochs(table):
    told = []
    GraphAttentionSelector(
        epochs=2, n_rounds=2, progress=lambda done, total: told.append((done, total)), random_state=0
    ).fit(*table)
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_an_interrupt_leaves_an_unfitted_selector(table):
    def interrupt(done, total):
        raise KeyboardInterrupt

    selector = GraphAttentionSelector(epochs=2, progress=interrupt)
    with pytest.raises(KeyboardInterrupt):
        selector.fit(*table)
    assert not hasattr(selector, "support_")


@pytest.mark.parametrize("unit", [2.0**10, 2.0**1000, 2.0**-1000])
def test_the_unit_of_a_column_does_not_matter(table, fitted, unit):
    """Nor when squares of the numbers are beyond those of a computer."""
    X, y = table
    other = GraphAttentionSelector(**QUICK).fit(X * unit, y)
    np.testing.assert_array_equal(other.scores_.values, fitted.scores_.values)


def test_classes_stay_numbers_in_an_array_of_objects(table, fitted):
    X, y = table
    other = GraphAttentionSelector(**QUICK).fit(X, y.astype(object))
    assert other.classes_.tolist() == [0, 1, 2]


# ---- what cannot be done --------------------------------------------------------------------------------


def test_a_class_of_one_row_is_kept_whole_with_a_note(table):
    X, y = table
    labels = y.astype(str).astype(object)
    labels[5] = "rare"
    with pytest.warns(UserWarning, match="nothing to select from in class.*rare"):
        selector = GraphAttentionSelector(**QUICK).fit(X, labels)
    assert selector.support_[5]
    assert selector.scores_.frame["flag"][5] == "too_few"


def test_a_class_that_was_not_drawn_is_kept_whole(table):
    X, y = table
    y = y.copy()
    y[[3, 7]] = 9
    with pytest.warns(UserWarning, match="class.* 9: kept whole"):
        selector = GraphAttentionSelector(batch_size=100, n_batches=1, random_state=6).fit(X, y)
    assert not selector.refused_
    assert selector.support_[[3, 7]].all()
    assert selector.support_.sum() < 20


def test_constant_columns_are_left_out_with_a_note(table, fitted):
    X, y = table
    selector = GraphAttentionSelector(**QUICK).fit(np.column_stack([X, np.full(300, 0.1)]), y)
    np.testing.assert_array_equal(selector.scores_.values, fitted.scores_.values)
    assert "1 constant column(s) were left out" in selector.scores_.meta.warnings


def bad(change, table):
    X, y = table[0].copy(), table[1].copy()
    return change(X, y)


def put(value):
    def change(X, y):
        X[3, 2] = value
        return X, y

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (put(np.nan), "NaN"),
        (put(np.inf), "infinity"),
        (lambda X, y: (X, X[:, 0]), "target of numbers"),
        (lambda X, y: (X, np.arange(300)), "target of numbers"),
        (lambda X, y: (X, np.where(y == 0, np.nan, 1.0)), "y holds NaN"),
        (lambda X, y: (X, [None, *y[1:]]), "None"),
        (lambda X, y: (X, pd.Series([None, *y[1:].astype(str)], dtype="str")), "y holds NaN"),
        (lambda X, y: (X, pd.Series([pd.NA, *y[1:].astype(str)], dtype="string")), "y holds NaN"),
        (lambda X, y: (X, pl.Series([None, *y[1:].astype(str)])), "y holds NaN"),
        (lambda X, y: (X, np.zeros(300, int)), "one class only, 0"),
        (lambda X, y: (X[:19], np.arange(19) % 2), "19 rows are too few"),
        (lambda X, y: (np.ones((300, 3)), y), "all 3 columns of X are constant"),
        (lambda X, y: (X[:0], y[:0]), "minimum of 2|0 sample"),
        (lambda X, y: (X[:, 0], y), "2D array"),
        (lambda X, y: (X, y[:-1]), "inconsistent"),
        (lambda X, y: (X.astype(str) + "a", y), "could not convert"),
        (lambda X, y: (X, np.column_stack([y, y])), "1d array"),
        (lambda X, y: (X, None), "requires y"),
    ],
)
def test_bad_data_is_refused(table, change, said):
    with pytest.raises(ValueError, match=said):
        GraphAttentionSelector(**QUICK).fit(*bad(change, table))


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"rate": 0.0}, "rate"),
        ({"rate": 1.5}, "rate"),
        ({"rate": "some"}, "rate"),
        ({"bits": 63}, "bits"),
        ({"levels": (4, 63)}, "levels are numbers of bits from 1 to 62"),
        ({"levels": ()}, "levels"),
        ({"graph": "full"}, "graph"),
        ({"score_by": "degree"}, "score_by"),
        ({"threshold": 1.1}, "threshold"),
        ({"rate": "auto"}, "give it as estimator="),
        ({"rate": "auto", "estimator": "forest", "rates": (0.1, 1.0)}, r"in \(0, 1\)"),
        ({"rate": "auto", "estimator": "forest", "threshold": 0.5}, "give one of them"),
        ({"rate": "auto", "estimator": "forest", "cv": 200}, "rows of each class"),
        ({"rate": "auto", "estimator": "no such"}, "no estimator"),
    ],
)
def test_bad_parameters_are_refused(table, params, said):
    with pytest.raises(ValueError, match=said):
        GraphAttentionSelector(**params, epochs=2).fit(*table)


def test_it_has_to_be_fitted_first():
    with pytest.raises(ValueError, match="not fitted"):
        GraphAttentionSelector().get_support()
    with pytest.raises(ValueError, match="not fitted"):
        GraphAttentionSelector().neighbours(0)


# ---- looking again before refusing ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accuracies", "refused"), [([0.5, 0.9, 0.9], False), ([0.5, 0.6, 0.6], True), ([0.9], False)]
)
@pytest.mark.filterwarnings("ignore:scores are refused")
def test_three_networks_have_to_fail_before_scores_are_refused(table, monkeypatch, accuracies, refused):
    X, y = table[0], table[1] % 2  # chance is a half
    answers = iter(accuracies)

    def read(X, codes, graph, *rest):
        values = np.random.default_rng(0).random((2, len(X)))
        return Reading(*values, np.zeros(len(graph.receiver), np.float32), next(answers), 0.5, [1.0])

    monkeypatch.setattr("salience.instances.gais.rounds.read_rows", read)
    selector = GraphAttentionSelector(**QUICK).fit(X, y)
    assert selector.refused_ == refused
    assert selector.val_accuracy_ == pytest.approx(np.mean(accuracies))
    assert next(answers, None) is None, "no more and no fewer are trained"
