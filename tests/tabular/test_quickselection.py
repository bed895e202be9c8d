"""QuickSelector: what it scores, what it must not find, and scikit-learn's contract."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits, make_classification
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from salience.tabular import QuickSelector
from salience.tabular.quickselection.selector import SCORES

SMALL = {"hidden": 40, "eps": 4, "epochs": 3, "random_state": 0}


@parametrize_with_checks(
    [QuickSelector(k=1, hidden=20, eps=1, epochs=2), QuickSelector(k=1, hidden=20, eps=1, epochs=2, n_runs=2)]
)
def test_it_passes_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(0)
    return rng.normal(size=(250, 12)) @ rng.normal(size=(12, 12)) + 3


@pytest.fixture(scope="module")
def fitted(X):
    return QuickSelector(5, n_runs=3, **SMALL).fit(X)


# ---- what it scores -------------------------------------------------------------------------------------


def test_the_score_is_the_strength_of_the_dense_copy(X):
    selector = QuickSelector(5, **SMALL).fit(X)
    dense = selector._runs[0].network.encoder.dense()
    np.testing.assert_allclose(selector.scores_.values, np.abs(dense).sum(1), rtol=1e-6)
    np.testing.assert_array_equal(selector.degree_, (dense != 0).sum(1))
    assert selector.density_ == pytest.approx((dense != 0).mean())


def test_the_k_best_are_kept(X, fitted):
    assert fitted.get_support(indices=True).tolist() == sorted(np.argsort(-fitted.scores_.values)[:5])
    np.testing.assert_array_equal(fitted.transform(X), X[:, fitted.get_support()])


def test_connections_stay_as_many_through_all_epochs(X):
    sizes = []
    selector = QuickSelector(5, **SMALL, progress=lambda done, total: sizes.append((done, total)))
    selector.fit(X)
    assert sizes == [(1, 3), (2, 3), (3, 3)]
    network = selector._runs[0].network
    for layer in (network.encoder, network.decoder):
        assert layer.size == layer.weight.size == len(set(zip(*layer.connections(), strict=True)))


def test_there_is_no_evolution_after_the_last_epoch(X):
    """Otherwise a fifth of the scored weights would be new and random."""
    selector = QuickSelector(5, **SMALL).fit(X)
    encoder = selector._runs[0].network.encoder
    assert (encoder.velocity[: encoder.size] != 0).all()
    assert QuickSelector(5, **{**SMALL, "epochs": 1}).fit(X)._runs[0].pruned is None


def test_strength_pruned_leaves_the_removed_share_out(X):
    plain, pruned = (
        QuickSelector(5, **SMALL, score_by=name).fit(X) for name in ("strength", "strength_pruned")
    )
    assert (pruned.scores_.values < plain.scores_.values).mean() > 0.5
    at_once = QuickSelector(5, **{**SMALL, "epochs": 1}, score_by="strength_pruned").fit(X)
    encoder = at_once._runs[0].network.encoder
    encoder.prune(0.2)
    np.testing.assert_allclose(at_once.scores_.values, encoder.strength()[0])


@pytest.mark.parametrize("name", sorted(SCORES))
def test_every_score_ranks_all_columns(X, name):
    scores = QuickSelector(5, **SMALL, score_by=name).fit(X).scores_
    assert (scores.item, scores.keys, scores.frame.height) == ("column", ("column",), 12)
    assert {"value", "degree", "out_strength", "flag"} <= set(scores.frame.columns)


@pytest.mark.parametrize("factor", [8.0, 10.0])
def test_the_unit_of_a_column_does_not_matter(X, factor):
    other = X.copy()
    other[:, 3] *= factor
    same = [QuickSelector(5, **SMALL, dtype="float64").fit(data).scores_.values for data in (X, other)]
    np.testing.assert_allclose(*same, rtol=1e-9)


@pytest.mark.parametrize("name", sorted(SCORES))
def test_a_constant_column_scores_0_and_is_said_to_be_one(X, name):
    data = np.column_stack([X, np.full(len(X), 0.1)])
    selector = QuickSelector(5, **SMALL, score_by=name).fit(data)
    assert selector.scores_.values[-1] == 0
    assert selector.scores_.frame["flag"].to_list() == [None] * 12 + ["constant"]
    assert "1 constant column(s): their score is 0" in selector.scores_.meta.warnings


def test_a_column_without_a_connection_is_dead():
    data = np.random.default_rng(0).normal(size=(50, 400))
    selector = QuickSelector(5, hidden=20, eps=1, epochs=2, random_state=0).fit(data)
    dead = selector.degree_ == 0
    assert dead.any()
    assert not selector.scores_.values[dead].any()
    assert (np.array(selector.scores_.frame["flag"].to_list()) == "dead").tolist() == dead.tolist()


def test_labels_are_never_read(X):
    alone = QuickSelector(5, **SMALL).fit(X).scores_.values
    np.testing.assert_array_equal(alone, QuickSelector(5, **SMALL).fit(X, np.arange(len(X))).scores_.values)
    np.testing.assert_array_equal(alone, QuickSelector(5, **SMALL).fit(X, ["no", "label"]).scores_.values)


# ---- several runs, early stop, options ------------------------------------------------------------------


def test_runs_are_averaged_and_their_agreement_is_said(fitted):
    runs = fitted.scores_.replicates
    assert runs.shape == (3, 12)
    np.testing.assert_allclose(runs.mean(0), fitted.scores_.values, rtol=1e-6)
    assert 0 <= fitted.stability_ <= 1
    assert fitted.scores_.meta.replicate_of == "seed"


def test_a_single_run_has_no_stability(X):
    assert np.isnan(QuickSelector(5, **SMALL).fit(X).stability_)


def test_threads_change_nothing(X, fitted):
    threaded = QuickSelector(5, n_runs=3, n_jobs=2, **SMALL).fit(X)
    np.testing.assert_array_equal(threaded.scores_.values, fitted.scores_.values)


def test_the_first_run_is_that_of_a_single_one(X, fitted):
    np.testing.assert_allclose(QuickSelector(5, **SMALL).fit(X).scores_.values, fitted.scores_.replicates[0])


def test_history_has_loss_strength_and_overlap_per_epoch(X):
    history = QuickSelector(5, **{**SMALL, "epochs": 8}).fit(X).history_
    assert {name: values.shape for name, values in history.items()} == {
        "loss": (8,),
        "strength": (8, 12),
        "overlap": (8,),
    }
    assert history["loss"][-1] < history["loss"][0]
    assert np.isnan(history["overlap"][0])
    assert ((history["overlap"][1:] >= 0) & (history["overlap"][1:] <= 1)).all()


def test_it_stops_when_the_best_columns_stay(X):
    selector = QuickSelector(5, **{**SMALL, "epochs": 50}, n_runs=2, patience=2, stable=0.4).fit(X)
    lengths = [len(run.epochs) for run in selector._runs]
    assert max(lengths) < 50
    assert selector.history_["loss"].shape == (max(lengths),)
    assert all(epoch.overlap >= 0.4 for epoch in selector._runs[0].epochs[-2:])


def test_growth_by_importance_is_another_topology(X):
    ways = [QuickSelector(5, **SMALL, grow=grow).fit(X).scores_.values for grow in ("random", "importance")]
    assert not np.allclose(*ways)


@pytest.mark.parametrize(
    "option",
    [
        {"scaling": "minmax"},
        {"output": "tanh"},
        {"fixed_noise": True},
        {"clip": 1.0},
        {"noise": 0},
        {"dropout": 0},
    ],
    ids=str,
)
def test_an_option_changes_the_scores_and_leaves_them_finite(X, option):
    plain, other = (QuickSelector(5, **{**SMALL, **more}).fit(X).scores_.values for more in ({}, option))
    assert np.isfinite(other).all()
    assert not np.allclose(plain, other)


def test_clipping_nothing_is_the_same_as_no_clip(X):
    wide, none = (QuickSelector(5, **SMALL, clip=clip).fit(X).scores_.values for clip in (1e9, None))
    np.testing.assert_array_equal(wide, none)


# ---- rows: few, left over, in parts ---------------------------------------------------------------------


@pytest.mark.parametrize("rows", [2, 99, 100, 101, 250])
def test_every_row_is_used(X, rows):
    """The official code drops the rows that do not fill a batch, and fails when none does."""
    selector = QuickSelector(5, **SMALL).fit(X[:rows])
    assert [epoch.rows for epoch in selector._runs[0].epochs] == [rows] * 3
    assert selector.scores_.meta.rows == rows


def test_sparse_rows_are_those_of_the_dense_copy_and_are_never_dense_as_a_whole():
    rng = np.random.default_rng(0)
    text = sparse.random_array((300, 60), density=0.1, format="csr", rng=rng)
    for scaling in ("standard", "minmax"):
        made = {**SMALL, "scaling": scaling, "dtype": "float64"}
        dense = QuickSelector(5, **made).fit(text.toarray()).scores_.values
        for kind in (text, sparse.csr_matrix(text), text.tocsc()):
            np.testing.assert_allclose(QuickSelector(5, **made).fit(kind).scores_.values, dense, rtol=1e-8)


def test_a_memory_map_is_read_batch_by_batch(X, tmp_path):
    np.save(tmp_path / "rows.npy", X)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    found = QuickSelector(5, **SMALL).fit(mapped).scores_
    np.testing.assert_array_equal(found.values, QuickSelector(5, **SMALL).fit(X).scores_.values)


def test_parts_and_epochs_add_up(X):
    whole = QuickSelector(5, **SMALL).fit(X)
    parts = QuickSelector(5, **SMALL)
    for epoch in range(3):
        parts.partial_fit(X, new_epoch=epoch > 0)
    np.testing.assert_array_equal(parts.scores_.values, whole.scores_.values)


def test_parts_of_an_epoch_evolve_nothing_and_share_one_scale(X):
    parts = QuickSelector(5, **SMALL).partial_fit(X[:100])
    parts.partial_fit(X[100:]).partial_fit(X[:1], new_epoch=True)
    run = parts._runs[0]
    assert [epoch.rows for epoch in run.epochs] == [250, 1]
    np.testing.assert_allclose(parts._scale.mean, X.mean(0))
    assert parts.scores_.meta.rows == 250


def test_the_same_seed_gives_the_same_scores_and_another_seed_does_not(X):
    one, same, other = (QuickSelector(5, **{**SMALL, "random_state": s}).fit(X) for s in (0, 0, 1))
    np.testing.assert_array_equal(one.scores_.values, same.scores_.values)
    assert not np.allclose(one.scores_.values, other.scores_.values)


# ---- the behaviour of the paper, small ------------------------------------------------------------------


def test_columns_of_common_structure_rank_above_noise():
    X, _ = make_classification(
        2000,
        500,
        n_informative=5,
        n_redundant=15,
        n_clusters_per_class=4,
        class_sep=1.5,
        shuffle=False,
        random_state=0,
    )
    selector = QuickSelector(20, hidden=200, output="tanh", random_state=0).fit(X)
    assert selector.get_support()[:20].sum() >= 10  # 0.8 by chance


def test_pixels_of_digits_tell_digits_apart_better_than_random_ones():
    X, y = load_digits(return_X_y=True)
    train, test = np.arange(1200), np.arange(1200, len(X))
    selector = QuickSelector(16, hidden=200, n_runs=3, random_state=0).fit(X[train])

    def accuracy(columns):
        model = ExtraTreesClassifier(50, random_state=0).fit(X[train][:, columns], y[train])
        return model.score(X[test][:, columns], y[test])

    rng = np.random.default_rng(0)
    at_random = np.mean([accuracy(rng.choice(64, 16, replace=False)) for _ in range(5)])
    assert accuracy(selector.get_support(indices=True)) >= at_random + 0.04


def test_noise_has_no_winners():
    X = np.random.default_rng(0).normal(size=(2000, 200))
    selector = QuickSelector(20, hidden=200, n_runs=3, random_state=0).fit(X)
    for strength in selector.scores_.replicates:
        assert strength.std() / strength.mean() < 0.35
    assert selector.stability_ < 0.15  # two random twenties of 200 share 2


# ---- the door -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"])
def test_tables_keep_their_names(X, make):
    names = [f"c{i}" for i in range(12)]
    frame = make(dict(zip(names, X.T, strict=True)))
    selector = QuickSelector(5, **SMALL).fit(frame)
    assert selector.scores_.items == names
    np.testing.assert_array_equal(selector.scores_.values, QuickSelector(5, **SMALL).fit(X).scores_.values)


def test_a_pipeline_in_a_grid_search_with_frames(X):
    search = GridSearchCV(
        make_pipeline(
            QuickSelector(**SMALL).set_output(transform="pandas"), ExtraTreesClassifier(5, random_state=0)
        ),
        {"quickselector__k": [2, 6]},
        cv=2,
    ).fit(pd.DataFrame(X), X[:, 0] > 3)
    assert list(search.cv_results_["param_quickselector__k"]) == [2, 6]


def test_it_can_be_cloned_and_pickled_and_goes_on_learning(X, fitted):
    assert clone(fitted).get_params() == fitted.get_params()
    copy = pickle.loads(pickle.dumps(fitted))
    assert copy.scores_.equals(fitted.scores_)
    copy.partial_fit(X, new_epoch=True)
    assert len(copy._runs[0].epochs) == 4


def test_the_data_and_the_parameters_are_on_record(X, fitted):
    meta = fitted.scores_.meta
    assert (meta.method, meta.seed, meta.rows) == ("quickselection", 0, 250)
    assert meta.params["hidden"] == 40
    assert len(meta.data) == 1
    assert meta.seconds > 0


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"k": 0}, "'k' parameter"),
        ({"k": 13}, "k=13 columns are to be kept, but X has 12"),
        ({"zeta": 0}, "'zeta' parameter"),
        ({"zeta": 1}, "'zeta' parameter"),
        ({"eps": 0.5}, "'eps' parameter"),
        ({"output": "relu"}, "'output' parameter"),
        ({"score_by": "size"}, "'score_by' parameter"),
        ({"scaling": "log"}, "'scaling' parameter"),
        ({"epochs": 0}, "'epochs' parameter"),
        ({"dropout": 1}, "'dropout' parameter"),
    ],
    ids=str,
)
def test_a_wrong_parameter_is_refused_with_what_is_allowed(X, params, message):
    with pytest.raises(ValueError, match=message):
        QuickSelector(**{"k": 5, **SMALL, **params}).fit(X)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.zeros((0, 3)), "0 sample"),
        (np.zeros((1, 3)), "1 sample"),
        (np.array([[1.0, np.nan], [0.0, 1.0]]), "NaN"),
        (np.array([[1.0, np.inf], [0.0, 1.0]]), "infinity"),
        (np.arange(3.0), "2D"),
        (np.array([["a", "b"], ["c", "d"]]), "string"),
    ],
    ids=["empty", "one row", "nan", "inf", "one dimension", "text"],
)
def test_bad_data_is_refused(data, message):
    with pytest.raises(ValueError, match=message):
        QuickSelector(1, **SMALL).fit(data)


def test_more_connections_than_cells_are_warned_of(X):
    with pytest.warns(UserWarning, match="asks for 2080 connections"):
        selector = QuickSelector(5, **{**SMALL, "eps": 40}).fit(X)
    assert selector.density_ == 1
    assert "the network is dense" in selector.scores_.meta.warnings[0]


def test_a_table_of_constants_has_no_scores_above_0_and_says_so():
    with pytest.warns(UserWarning, match="only 0 are not constant"):
        selector = QuickSelector(2, **SMALL).fit(np.ones((5, 4)))
    assert not selector.scores_.values.any()


def test_a_loss_that_runs_away_is_refused_or_warned_of(X):
    with pytest.raises(ValueError, match="not finite in the first epoch: give a smaller lr"):
        QuickSelector(5, **SMALL, lr=1e30).fit(X)
    with pytest.warns(UserWarning, match=r"became not finite in 1 of 1 run"):
        selector = QuickSelector(5, **SMALL, lr=1e6).fit(X)
    assert np.isfinite(selector.scores_.values).all()


def test_an_interrupted_fit_leaves_the_last_one_as_it_was(X):
    def interrupt(done, total):
        if done == 2:
            raise KeyboardInterrupt

    selector = QuickSelector(5, **SMALL).fit(X)
    before = selector.scores_
    with pytest.raises(KeyboardInterrupt):
        selector.set_params(progress=interrupt).fit(X)
    assert selector.scores_ is before
    assert selector.transform(X).shape == (250, 5)
