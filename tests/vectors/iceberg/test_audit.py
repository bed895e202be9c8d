"""The funnel: exact where it is exact, the paper's pitfalls on planted vectors, and what cannot be audited."""

import dataclasses
import pickle

import numpy as np
import polars as pl
import pytest
from scipy.stats import ortho_group
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import parametrize_with_checks

from salience import verify
from salience.data.generators import cone_vectors
from salience.results import Scores
from salience.vectors import FunnelAudit
from salience.vectors.iceberg.funnel import Worth


class Brute:
    """The smallest index there can be; `loses` of its answers are left out, or replaced by what `instead` says."""

    def __init__(self, metric="l2", loses=0, instead=None):
        self.metric, self.loses, self.instead = metric, loses, instead

    @property
    def params(self):
        return {"index": "brute", "metric": self.metric, "loses": self.loses}

    def build(self, X):
        self.X = np.asarray(X, dtype=np.float64)

    def search(self, Q, k):
        Q = np.asarray(Q, dtype=np.float64)
        far = ((Q[:, None] - self.X) ** 2).sum(axis=2) if self.metric == "l2" else -Q @ self.X.T
        ids = np.argsort(far, axis=1, kind="stable")[:, :k]
        if self.instead is not None:
            ids[:, k - self.loses :] = self.instead
            return ids
        return ids[:, : k - self.loses]


@pytest.fixture(scope="module")
def blobs():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, 460)
    X = rng.normal(size=(4, 8))[y] * 2 + rng.normal(size=(460, 8))
    return X[60:], y[60:], X[:60], y[:60]


@pytest.fixture(scope="module")
def cone():
    X, y = cone_vectors()
    return X[300:], y[300:], X[:300], y[:300]


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(X))
    X, y = X[order], y[order]
    return X[300:], y[300:], X[:300], y[:300]


def audited(data, **options):
    X, y, Q, yq = data
    return FunnelAudit(**{"k": 10, **options}).fit(X, y, queries=Q, query_labels=yq).report_


def worth(report):
    return dict(report.by_metric.select("metric", "value").rows())


def losses(report):
    return report.scores.frame.select("loss_embedding", "loss_metric", "loss_index").to_numpy()


# ---- exact ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 10, 100])
def test_the_three_losses_sum_to_what_is_missing(blobs, k):
    indexes = {"whole": Brute(), "half": Brute(loses=k // 2), "ip": Brute("ip", loses=k // 3)}
    report = audited(blobs, k=k, indexes=indexes)
    assert losses(report).sum(axis=1) == pytest.approx(1 - report.scores.values, abs=1e-12)
    by_layer = report.funnel.group_by("metric", "index", maintain_order=True).agg(pl.col("loss").sum())[
        "loss"
    ]
    assert by_layer.to_numpy() == pytest.approx(1 - report.scores.values, abs=1e-12)


def test_exact_search_has_recall_one_and_loses_nothing_to_the_index(blobs):
    report = audited(blobs, indexes={"brute": Brute()})
    exact = report.scores.frame.filter(index="exact")
    assert exact["recall"].to_list() == [1.0] * 3
    assert exact["loss_index"].to_list() == [0.0] * 3
    assert report.by_index["recall"].to_list() == [1.0]
    assert report.by_index["loss_index"].to_list() == [0.0]


def test_the_metric_loss_is_never_negative(blobs):
    assert (audited(blobs, indexes={"ip": Brute("ip")}).funnel.filter(layer="metric")["loss"] >= 0).all()


def test_metrics_agree_on_unit_vectors(blobs):
    X, y, Q, yq = blobs
    unit = tuple(rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (X, Q))
    report = audited((unit[0], y, unit[1], yq))
    assert losses(report)[:, 1] == pytest.approx(np.zeros(3), abs=1e-12)


def test_one_class_is_always_found(blobs):
    X, _, Q, _ = blobs
    report = audited((X, np.zeros(len(X)), Q, np.zeros(len(Q))))
    assert set(worth(report).values()) == {1.0}
    assert report.chance == 1.0


def test_a_move_leaves_distance_and_changes_the_inner_product(blobs):
    X, y, Q, yq = blobs
    before, after = audited(blobs), audited((X + 30, y, Q + 30, yq))
    assert worth(after)["l2"] == pytest.approx(worth(before)["l2"], abs=1e-3)
    assert worth(after)["ip"] < worth(before)["ip"] - 0.2


def test_missing_answers_are_misses_and_never_cut(blobs):
    report = audited(blobs, indexes={"short": Brute(loses=4), "padded": Brute(loses=4, instead=-1)})
    assert report.by_index["short"].to_list() == pytest.approx([0.4, 0.4])
    assert report.by_index["recall"].to_list() == pytest.approx([0.6, 0.6])
    assert report.by_index["value"].n_unique() == 1


def test_recall_cuts_the_truth_to_k(blobs):
    # the released evaluator takes 100 exact neighbours whatever k is, so ranks 11 to 15 would count as right
    class Later(Brute):
        def search(self, Q, k):
            return super().search(Q, k + 5)[:, 5:]

    assert audited(blobs, indexes={"later": Later()}).by_index["recall"].to_list() == pytest.approx([0.5])


def test_answers_beyond_the_first_k_do_not_count(blobs):
    class More(Brute):
        def search(self, Q, k):
            return super().search(Q, 3 * k)

    report = audited(blobs, indexes={"more": More()})
    assert report.by_index["value"].item() == worth(report)["l2"]
    assert report.by_index["recall"].item() == 1.0


def test_an_index_that_errs_can_help(blobs):
    _, y, _, yq = blobs

    class Oracle(Brute):
        def search(self, Q, k):
            return np.stack([np.flatnonzero(y == label)[:k] for label in yq])

    row = audited(blobs, indexes={"oracle": Oracle()}).by_index.row(0, named=True)
    assert row["value"] == 1.0
    assert row["loss_index"] < 0


# ---- intervals ------------------------------------------------------------------------------------------


def test_intervals_hold_the_estimates_and_narrow_with_queries(blobs):
    report = audited(blobs, indexes={"half": Brute(loses=5)})
    frame = report.scores.frame
    assert ((frame["lo"] <= frame["value"]) & (frame["value"] <= frame["hi"])).all()
    few = Worth.of(np.array([[1.0, 0, 1, 0]]), np.ones(4), 200, 0).replicates.std()
    many = Worth.of(np.tile([[1.0, 0, 1, 0]], (1, 100)), np.ones(400), 200, 0).replicates.std()
    assert many < few / 5


def test_replicates_draw_what_is_possible_with_what_is_found():
    possible = np.array([1.0, 50.0, 100.0])
    assert Worth.of(possible[None] / 2, possible, 50, 0).replicates == pytest.approx(0.5)


def test_replicates_add_up_too(blobs):
    from salience.vectors.iceberg.funnel import Funnel

    rng = np.random.default_rng(0)
    drawn = Worth.of(rng.random((5, 30)), np.ones(30), 50, 0)
    funnel = Funnel.of([0, 1, 2], [3, 4], [0, 2], drawn)
    assert funnel.replicates.sum(axis=1) == pytest.approx(1 - drawn.replicates[:, 3:], abs=1e-12)


# ---- the paper's pitfalls -------------------------------------------------------------------------------


def test_perfect_recall_by_the_wrong_metric_is_worth_little(cone):
    report = audited(cone)
    value = worth(report)
    assert value["ip"] < 0.2
    assert value["l2"] > 0.95
    ip = report.scores.frame.filter(metric="ip").row(0, named=True)
    assert ip["recall"] == 1.0
    assert ip["loss_metric"] > 0.75
    assert report.by_metric.filter(metric="ip")["crowd"].item() == 1.0
    assert report.hubs.top(1, metric="ip").values[0] == 300
    assert any("a hub" in words for words in report.verdict.words)


def test_the_tree_is_wrong_on_digits_and_the_report_says_so(digits):
    report = audited(digits, repair=["center", "normalize"])
    value = worth(report)
    assert value["l2"] - value["ip"] > 0.15
    assert report.recommendation.metric == report.verdict.tree == "ip"
    assert report.verdict.metric == "l2"
    assert not report.verdict.agrees
    assert "it is the measurement that counts" in str(report)
    after = {(row["repair"], row["metric"]): row for row in report.repairs.rows(named=True)}
    assert after["center", "ip"]["value"] > 0.9
    assert after["center", "ip"]["gain_lo"] > 0.1
    assert after["center", "l2"]["gain"] == pytest.approx(0, abs=1e-3)


def test_orders_by_recall_and_by_task_differ_on_the_cone(cone):
    indexes = {"ip": Brute("ip"), "l2, most": Brute(loses=1), "l2, half": Brute(loses=5)}
    shift = audited(cone, indexes=indexes).rank_shift
    assert shift.tau < 1
    assert {"ip (ip)"} == set(shift.inversions["first"].to_list())


# ---- negative controls ----------------------------------------------------------------------------------


def test_shuffled_labels_are_worth_the_prior_and_no_metric_wins(digits):
    X, y, Q, yq = digits
    report = audited((X, np.random.default_rng(1).permutation(y), Q, yq))
    assert np.array(list(worth(report).values())) == pytest.approx(report.chance, abs=0.02)
    assert report.chance == pytest.approx(0.1, abs=0.01)
    assert losses(report)[:, 0] == pytest.approx(1 - report.chance, abs=0.02)
    assert len(report.verdict.tied) == 2
    assert "cannot be told apart" in str(report.verdict)


def test_a_rotation_changes_nothing(blobs):
    X, y, Q, yq = blobs
    turn = ortho_group.rvs(8, random_state=0)
    before, after = worth(audited(blobs)), worth(audited((X @ turn, y, Q @ turn, yq)))
    assert list(after.values()) == pytest.approx(list(before.values()), abs=2e-3)


def test_rows_that_stand_twice_are_audited(blobs):
    X, y, Q, yq = blobs
    report = audited((np.concatenate([X, X[:80]]), np.concatenate([y, y[:80]]), Q, yq))
    assert np.isfinite(report.meta_features.rc)
    assert report.scores.frame.filter(index="exact")["recall"].to_list() == [1.0] * 3


# ---- tasks ----------------------------------------------------------------------------------------------


def test_without_queries_rows_are_taken_and_never_find_themselves(blobs):
    X, y, _, _ = blobs
    report = FunnelAudit(k=5, n_queries=100, indexes={"brute": Brute()}).fit(X, y).report_
    assert report.queries["query"].n_unique() == 100
    assert report.by_index["recall"].to_list() == [1.0]
    twice = (
        FunnelAudit(k=5, n_queries=100).fit(X, np.arange(len(X)) // 2).report_
    )  # pairs: not the row itself
    assert worth(twice)["l2"] < 0.5


def test_chance_of_rows_as_queries_counts_the_others():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 6)), np.arange(40) // 2  # the other row of the pair is one of 39
    report = FunnelAudit(k=3, n_queries=40).fit(X, y).report_
    assert report.chance == pytest.approx(3 / 39)


def test_rows_alone_in_their_class_are_no_queries(blobs):
    X, y, _, _ = blobs
    lonely = y.copy()
    lonely[3] = 99
    report = FunnelAudit(k=5, n_queries=len(X)).fit(X, lonely).report_
    assert report.queries["query"].n_unique() == len(X) - 1
    assert any("alone in their class" in note for note in report.notes)


def test_every_row_finds_itself_by_distance(blobs):
    X, _, _, _ = blobs
    report = FunnelAudit(k=1, task="hit").fit(X).report_
    assert worth(report)["l2"] == 1.0
    assert worth(report)["ip"] < 1.0
    assert report.chance == 1 / len(X)


def test_scores_of_relevant_rows(blobs):
    X, _, Q, _ = blobs
    relevant = [{int(row): 2.0} for row in np.argmin(((Q[:, None] - X) ** 2).sum(axis=2), axis=1)]
    audit = FunnelAudit(k=1, task="score").fit(X)
    assert not hasattr(audit, "report_")  # rows have nothing that is relevant to them
    assert worth(audit.evaluate(Q, relevant))["l2"] == 1.0
    assert audit.evaluate(Q, relevant).by_metric.filter(metric="l2")["sum"].item() == 120.0


def test_votes_are_beside(blobs):
    report = audited(blobs, k=10)
    assert {"vote_5", "vote_10"} <= set(report.by_metric.columns)
    assert "vote_50" not in report.by_metric.columns
    assert report.by_metric.filter(metric="l2")["vote_10"].item() > 0.9


def test_a_linear_probe_stands_beside_the_funnel(digits):
    report = audited(digits, probe=True)
    assert report.probe > 0.9
    assert losses(report).sum(axis=1) == pytest.approx(1 - report.scores.values, abs=1e-12)
    with pytest.raises(ValueError, match="probe=False"):
        FunnelAudit(k=1, task="hit", probe=True).fit(digits[0])


# ---- results --------------------------------------------------------------------------------------------


def test_results_are_scores(blobs, tmp_path):
    report = audited(blobs, indexes={"half": Brute(loses=5)}, sweep={"half": {"loses": [5, 2]}})
    scores = report.scores
    assert scores.keys == ("metric", "index", "params")
    assert scores.item == "index"
    assert scores.replicates.shape == (200, 5)
    assert scores.meta.method == "iceberg"
    assert scores.meta.unit == "label recall@10"
    assert report.by_index["params"].to_list() == ['{"loses": 5}', '{"loses": 2}']
    for what in (scores, report.hubs):
        what.save(tmp_path / "x.parquet")
        assert Scores.load(tmp_path / "x.parquet").top(2).items == what.top(2).items
    assert report.hubs.keys == ("row",)
    assert report.hubs.frame["value"].sum() == 3 * 60 * 10


def test_queries_tell_which_of_them_suffer(blobs):
    report = audited(blobs)
    by_metric = report.queries.group_by("metric", maintain_order=True).agg(
        pl.col("found").sum() / pl.col("possible").sum()
    )
    assert dict(zip(by_metric["metric"].cast(pl.String), by_metric["found"], strict=True)) == pytest.approx(
        worth(report)
    )


def test_configurations_can_be_verified(blobs):
    report = audited(blobs, indexes={"half": Brute(loses=5), "ip": Brute("ip", loses=8)})
    names = report.scores.items
    shares = report.queries["share"].to_numpy().reshape(len(names), -1)
    bench = verify.configurations(shares, items=names, keys=report.scores.keys)
    best = np.isin(np.arange(len(names)), report.scores.order()[:1])[None]
    assert bench.values(best).mean() == pytest.approx(shares.mean(axis=1).max(), abs=0.01)


def test_the_fastest_that_reach_a_level(blobs):
    report = audited(blobs, indexes={"a": Brute(), "b": Brute(loses=5)})
    assert report.fastest(recall=0.9)["index"].to_list() == ["a"]
    assert set(report.fastest(value=0.1)["index"]) == {"a", "b"}
    shift = report.shift_at(recall=0.9, value=0.1)
    assert shift.table["configuration"].to_list() == ["a (l2)", "b (l2)"]
    assert shift.table.row(1)[1] == float("-inf")
    with pytest.raises(ValueError, match="exactly one"):
        report.fastest()


def test_of_an_index_the_fastest_setting_counts(blobs):
    report = audited(blobs, indexes={"a": Brute()}, sweep={"a": {"loses": [0, 1, 9]}})
    timed = dataclasses.replace(
        report, by_index=report.by_index.with_columns(seconds=pl.Series([3.0, 2.0, 1.0]))
    )
    assert timed.fastest(recall=0.8)["params"].to_list() == ['{"loses": 1}']


def test_a_sweep_puts_the_index_back(blobs):
    X, y, Q, yq = blobs
    mine = Brute()
    audit = FunnelAudit(10, indexes={"b": mine}, sweep={"b": {"loses": [1, 2, 3]}}).fit(X, y)
    assert audit.indexes_["b"].loses == 0
    assert not hasattr(mine, "X")  # it was copied, not built in place
    assert audit.evaluate(Q, yq).by_index.height == 3


def test_frames_and_names_of_labels(blobs):
    X, y, Q, yq = blobs
    names = np.array(["ant", "bee", "cat", "dog"])
    pandas = pytest.importorskip("pandas")
    plain = worth(audited(blobs))
    assert (
        worth(audited((pandas.DataFrame(X), pandas.Series(names[y]), pandas.DataFrame(Q), names[yq])))
        == plain
    )
    assert (
        worth(audited((pl.DataFrame(X), pl.Series(names[y]), pl.DataFrame(Q), pl.Series(names[yq])))) == plain
    )


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int16])
def test_other_types_of_numbers(blobs, dtype):
    X, y, Q, yq = blobs
    X, Q = (100 * X).astype(dtype), (100 * Q).astype(dtype)
    value = worth(audited((X, y, Q, yq)))
    assert value == worth(audited((X.astype(np.float64), y, Q.astype(np.float64), yq)))


def test_the_same_seed_gives_the_same_report(blobs):
    X, y, _, _ = blobs
    first, second = (FunnelAudit(5, n_queries=50, random_state=3).fit(X, y).report_ for _ in range(2))
    drop = "seconds"
    assert first.scores.frame.drop(drop).equals(second.scores.frame.drop(drop))
    assert first.meta_features == second.meta_features


def test_a_fitted_audit_can_be_pickled(blobs):
    X, y, Q, yq = blobs
    audit = pickle.loads(pickle.dumps(FunnelAudit(5, indexes={"b": Brute()}).fit(X, y)))
    assert audit.evaluate(Q, yq).by_index.height == 1
    assert clone(audit).get_params()["k"] == 5


def test_progress_runs_to_the_end(blobs):
    X, y, _, _ = blobs
    seen = []
    FunnelAudit(
        5, indexes={"b": Brute()}, repair="center", progress=lambda done, total: seen.append((done, total))
    ).fit(X, y)
    assert seen[-1] == (400, 400)  # a build, two searches and a repair
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_a_mapped_file_is_audited(blobs, tmp_path):
    X, y, Q, yq = blobs
    np.save(tmp_path / "x.npy", X.astype(np.float32))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert worth(audited((mapped, y, Q.astype(np.float32), yq), memory=1)) == worth(
        audited((X.astype(np.float32), y, Q, yq))
    )


# ---- what cannot be audited -----------------------------------------------------------------------------


def test_a_query_label_that_is_not_in_the_base_is_listed(blobs):
    X, y, Q, yq = blobs
    odd = yq.copy()
    odd[:2] = [77, 88]
    with pytest.raises(ValueError, match=r"2 of 60 queries .* 77, 88; .*on_missing='drop'"):
        audited((X, y, Q, odd))
    report = audited((X, y, Q, odd), on_missing="drop")
    assert report.queries["query"].n_unique() == 58
    assert any("2 queries were dropped" in note for note in report.notes)
    assert any("2 queries were dropped" in note for note in report.scores.meta.warnings)
    with pytest.raises(ValueError, match="nothing to evaluate"):
        audited((X, y, Q, np.full(60, 99)), on_missing="drop")


def test_queries_that_are_rows_are_warned_of(blobs):
    X, y, _, _ = blobs
    with pytest.warns(UserWarning, match="9 of 9 queries are rows of the base"):
        audited((X, y, X[:9], y[:9]))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda X, y, Q, yq: (X, None, Q, yq), "requires y"),
        (lambda X, y, Q, yq: (X, y[:-1], Q, yq), "shape"),
        (lambda X, y, Q, yq: (X, y, Q, None), "query_labels is missing"),
        (lambda X, y, Q, yq: (X, y, Q, yq[:-1]), "query_labels has the shape"),
        (lambda X, y, Q, yq: (X, y, Q[:, :5], yq), "features"),
        (lambda X, y, Q, yq: (np.where(X[3, 3] > X, np.nan, X), y, Q, yq), "NaN"),
        (lambda X, y, Q, yq: (X, y, np.where(Q[3, 3] > Q, np.inf, Q), yq), "infinity"),
        (
            lambda X, y, Q, yq: (np.where(np.arange(len(X))[:, None] == 5, 0, X), y, Q, yq),
            "row 5 of base is zero",
        ),
        (lambda X, y, Q, yq: (X[:8], y[:8], Q, yq), "k=10 answers of n_samples = 8"),
        (lambda X, y, Q, yq: (X[:0], y[:0], Q, yq), "0 sample"),
        (lambda X, y, Q, yq: (np.ones_like(X), y, Q, yq), "equal"),
    ],
)
def test_bad_data_is_refused(blobs, change, words):
    with pytest.raises(ValueError, match=words):
        audited(change(*blobs), on_missing="drop")


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
def test_the_row_that_holds_no_number_is_named(blobs, bad):
    X, y, Q, yq = blobs
    X, Q = X.copy(), Q.copy()
    Q[4, 2] = bad
    with pytest.raises(ValueError, match="row 4 of queries"):
        audited((X, y, Q, yq))
    X[9, 1] = bad
    with pytest.raises(ValueError, match="row 9 of X"):
        audited((X, y, Q, yq))


@pytest.mark.parametrize(
    ("options", "labels", "words"),
    [
        ({"k": 401}, None, "give a k of at most 400"),
        ({}, np.full(60, 99), "not in the base"),
        ({"task": "hit", "probe": True}, np.arange(60), "probe=False"),
    ],
)
def test_what_cannot_be_evaluated_is_refused_before_anything_is_built(blobs, options, labels, words):
    class Never(Brute):
        def build(self, X):
            raise AssertionError

    X, y, Q, yq = blobs
    with pytest.raises(ValueError, match=words):
        audited((X, y, Q, yq if labels is None else labels), indexes={"never": Never()}, **options)


def test_a_zero_row_that_is_a_query_is_named_by_its_row(blobs):
    X, y, _, _ = blobs
    X = X.copy()
    X[7] = 0
    with pytest.raises(ValueError, match="row 7 of X is zero"):
        FunnelAudit(5, n_queries=len(X)).fit(X, y)


def test_a_zero_vector_is_fine_without_the_cosine(blobs):
    X, y, Q, yq = blobs
    X = X.copy()
    X[5] = 0
    assert set(worth(audited((X, y, Q, yq), metrics=("l2", "ip")))) == {"l2", "ip"}


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"metrics": ("l2", "dot")}, ValueError, "'cosine'"),
        ({"metrics": ()}, ValueError, "'cosine'"),
        ({"indexes": {"x": object()}}, TypeError, "without build, search, params"),
        ({"indexes": {"x": Brute("ip")}, "metrics": ("l2",)}, ValueError, "add it"),
        ({"indexes": {"x": Brute("dot")}}, ValueError, "measures by 'dot'"),
        ({"sweep": {"x": {"ef": [1]}}}, ValueError, "the indexes are none"),
        (
            {"indexes": {"x": Brute()}, "sweep": {"x": {"ef": [1]}}},
            ValueError,
            "'ef', which Brute does not have",
        ),
        (
            {"indexes": {"x": Brute()}, "sweep": {"x": {"loses": []}}},
            ValueError,
            "a list of the values to try",
        ),
        (
            {"indexes": {"x": Brute()}, "sweep": {"x": {"loses": 3}}},
            ValueError,
            "a list of the values to try",
        ),
        ({"indexes": {"x": Brute(instead=10**6, loses=1)}}, ValueError, "rows are numbered"),
        ({"repair": ["centre"]}, ValueError, "'all-but-top'"),
        ({"k": 0}, ValueError, "k"),
        ({"task": "rank"}, ValueError, "task"),
    ],
)
def test_bad_options_are_refused(blobs, options, error, words):
    with pytest.raises(error, match=words):
        audited(blobs, **options)


def test_answers_of_another_shape_are_refused(blobs):
    class Flat(Brute):
        def search(self, Q, k):
            return super().search(Q, k).ravel()

    with pytest.raises(ValueError, match="a row for each of the 60 queries"):
        audited(blobs, indexes={"flat": Flat()})


def test_evaluating_before_fitting_is_refused(blobs):
    with pytest.raises(NotFittedError):
        FunnelAudit().evaluate(blobs[2], blobs[3])


# among the rows of the checks are zero vectors, which have no cosine
PLAIN = {"k": 1, "n_queries": 5, "metrics": ("l2", "ip")}


@parametrize_with_checks([FunnelAudit(**PLAIN), FunnelAudit(**PLAIN, task="hit")])
def test_it_is_a_scikit_learn_estimator(estimator, check):
    check(estimator)


# ---- pictures -------------------------------------------------------------------------------------------


def test_bars_of_the_funnel_reach_one(cone):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    report = audited(cone, indexes={"half": Brute(loses=5), "ip": Brute("ip")})
    ax = report.plot()
    ends = {}
    for bar in ax.patches:
        height = round(bar.get_y() + bar.get_height() / 2)
        ends[height] = max(ends.get(height, 0), bar.get_x() + bar.get_width())
    assert list(ends.values()) == pytest.approx([1.0] * 5)
    assert [text.get_text() for text in ax.get_yticklabels()][-2:] == ["half (l2)", "ip (ip)"]
    assert len(report.rank_shift.plot().lines) == 2
    matplotlib.pyplot.close("all")


def test_a_picture_is_drawn_into_given_axes(blobs):
    import matplotlib.pyplot as plt

    _, (left, right) = plt.subplots(1, 2)
    report = audited(blobs, indexes={"a": Brute(), "b": Brute(loses=3)})
    assert report.plot(left) is left
    assert report.rank_shift.plot(right) is right
    plt.close("all")
