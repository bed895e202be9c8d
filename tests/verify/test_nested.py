import numpy as np
import polars as pl
import pytest
from sklearn.base import BaseEstimator

from salience.results.scores import Scores
from salience.verify import columns, fingerprint, verify
from salience.verify.nested import CONTROLS, THRESHOLDS

QUICK = {"splits": 3, "planted": (), "under": ()}


@pytest.mark.parametrize("seed", [0, 1])
def test_a_good_method_holds_and_every_control_beside_it_fails(seed, table, good_method):
    verdict = verify(good_method, table(n=600, d=20, good=5, seed=seed), seed=seed, **QUICK)
    assert verdict.overall == "holds", verdict
    for name in ("retention", "deletion"):
        assert verdict.named(name, "ranking").verdict == "holds"
        assert [verdict.named(name, control).verdict for control in CONTROLS] == ["fails"] * 3
    assert not verdict.unconvincing


def at_random(good_method, worthless_method):
    return worthless_method


def turned_round(good_method, worthless_method):
    return lambda frame, label: good_method(frame, label).replace(better="low")


def blinded(good_method, worthless_method):
    def method(frame, label, seed=0):
        order = np.random.default_rng(seed + 1).permutation(frame.height)
        return good_method(frame.with_columns(frame[label].gather(order)), label)

    return method


@pytest.mark.parametrize("kind", [at_random, turned_round, blinded])
def test_worthless_methods_fail(kind, table, good_method, worthless_method):
    verdict = verify(
        kind(good_method, worthless_method), table(n=600, d=20, good=5), **(QUICK | {"splits": 5})
    )
    assert verdict.overall == "fails"
    assert {"retention", "deletion"} <= {check.name for check in verdict.failed}, verdict


def test_the_ranking_is_made_from_training_rows_only(table, good_method):
    X, y = table(n=90, d=6)
    X = X.with_columns(row=pl.int_range(90).cast(pl.Float64))
    seen = []

    def watched(frame, label):
        seen.append(frozenset(frame["row"].to_list()))
        return good_method(frame, label)

    verify(watched, (X, y), **QUICK)
    for split in range(3):
        real, *permuted = seen[6 * split : 6 * split + 6]
        assert set(permuted) == {real}
        assert len(real) == 60
    held = [set(range(90)) - seen[6 * split] for split in range(3)]
    assert sorted(row for rows in held for row in rows) == list(range(90))


def test_selection_on_all_rows_would_have_passed_where_the_nested_form_does_not(good_method):
    """Pure noise, many columns: what is selected on the rows it is judged on looks good, and is not."""
    rng = np.random.default_rng(0)
    X = pl.DataFrame(rng.normal(size=(60, 30)), schema=[f"c{i:02d}" for i in range(30)])
    y = rng.integers(0, 2, 60)
    assert verify(good_method, (X, y), fractions=(0.1,), **QUICK).overall != "holds"


def test_every_question_has_a_row_and_every_row_a_reason(table, good_method):
    verdict = verify(good_method, table(n=200, d=8), splits=2)
    names = {check.name.partition(":")[0] for check in verdict}
    assert names == {
        *("retention", "deletion", "leak", "stability", "controls"),
        *("invariance", "nuisance", "agreement", "fidelity"),
    }
    assert all(check.why for check in verdict)
    assert {check.name for check in verdict if check.verdict == "not run"} >= {"agreement", "fidelity"}


def test_a_leaking_column_is_named(table, good_method):
    X, y = table(n=300, d=6)
    verdict = verify(good_method, (X.with_columns(paid=pl.Series(y * 2.0)), y), **QUICK)
    assert "leak" in [check.name for check in verdict.failed]
    assert "paid" in verdict.named("leak").why


class Correlation(BaseEstimator):
    """A good method as an estimator."""

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, X, y):
        values = [abs(np.corrcoef(X[name], y)[0, 1]) for name in X.columns]
        self.scores_ = Scores.from_values(values, list(X.columns))
        return self


@pytest.mark.parametrize("estimator", ["logistic", "lightgbm"])
def test_estimators_and_pandas_frames_with_text_are_at_home(estimator, table):
    X, y = table(n=300, d=12)
    method = Correlation()
    verdict = verify(method, (X.to_pandas(), y), estimator=estimator, fractions=(0.25,), **QUICK)
    assert verdict.named("retention", "ranking").statistic > 0
    assert verdict.named("retention", "ranking").verdict != "fails"
    assert verdict.named("retention", "random").verdict == "fails"
    assert not hasattr(method, "scores_")


def test_text_columns_and_text_classes(table):
    rng = np.random.default_rng(0)
    X = pl.DataFrame({f"t{i}": rng.choice(["a", "b", "c"], 300) for i in range(12)})
    truth = ((X["t3"] == "a") | (X["t5"] == "b")).to_numpy()
    y = np.where(truth ^ (rng.random(300) < 0.1), "yes", "no")

    def purity(frame, label):
        names = [name for name in frame.columns if name != label]
        positive = pl.col(label) == "yes"
        return Scores.from_values(
            [frame.group_by(name).agg(positive.mean())[label].std() for name in names], names
        )

    verdict = verify(purity, (X, y), fractions=(0.17,), splits=2, planted=(), under=("relabel",))
    assert verdict.named("retention", "ranking").verdict == "holds"
    assert verdict.named("invariance: relabel").verdict == "holds"


def test_numbers_as_target(table):
    X, _ = table(n=200, d=8)
    y = X["g0"].to_numpy() * 2 + X["g1"].to_numpy() + 0.1 * np.random.default_rng(0).normal(size=200)

    def regression(frame, label):
        names = [name for name in frame.columns if name != label]
        return Scores.from_values(
            [abs(np.corrcoef(frame[name], frame[label])[0, 1]) for name in names], names
        )

    assert (
        verify(regression, (X, y), estimator="lightgbm", fractions=(0.25,), **QUICK)
        .named("retention", "ranking")
        .verdict
        == "holds"
    )


def test_no_signal_is_not_run_and_says_so(good_method):
    rng = np.random.default_rng(1)
    X = pl.DataFrame(rng.normal(size=(150, 8)), schema=[f"c{i}" for i in range(8)])
    verdict = verify(good_method, (X, rng.integers(0, 2, 150)), fractions=(0.25,), **QUICK)
    assert verdict.named("retention", "ranking").verdict == "not run"
    assert "not better than none" in verdict.named("retention", "ranking").why
    assert verdict.overall != "holds"


def test_the_same_seed_gives_the_same_verdict(table, good_method):
    data = table(n=100, d=8)
    one, two = (verify(good_method, data, seed=4, fractions=(0.25,), **QUICK).to_frame() for _ in range(2))
    assert one.equals(two, null_equal=True)


def test_thresholds_are_recorded_and_decide(table, good_method):
    verdict = verify(
        good_method, table(n=200, d=8), thresholds={"retention": 5.0}, fractions=(0.25,), **QUICK
    )
    assert verdict.named("retention", "ranking").verdict == "fails"
    assert verdict.settings["thresholds"] == THRESHOLDS | {"retention": 5.0}
    assert verdict.settings["estimator"] == "logistic"


def test_progress_is_told_to_its_end(table, good_method):
    told = []
    data = table(n=100, d=8)
    verify(good_method, data, progress=lambda *at: told.append(at), fractions=(0.25,), **QUICK)
    assert [done for done, _ in told] == list(range(1, len(told) + 1))
    assert told[-1][0] == told[-1][1]


def test_scores_are_judged_on_a_bench_they_were_not_made_from(table, good_method):
    X, y = table(n=600, d=20)
    fit = np.arange(400)
    scores = good_method(X[:400].with_columns(y=pl.Series(y[:400])), "y")
    scores = scores.replace(meta=scores.meta.replace(data=(fingerprint(X[:400], y[:400]),)))
    bench = columns("logistic", X, y, split=(fit, np.arange(400, 600)))
    verdict = verify(scores, bench, other=scores)
    assert verdict.overall == "holds", verdict
    assert verdict.named("agreement").verdict == "holds"
    assert "verify(method, data)" in verdict.named("controls").why


def test_a_ranking_of_the_house_is_refused_on_its_own_data_and_judged_on_others(table):
    from salience.tabular.ranking import rank

    X, y = table(n=600, d=20, good=4)
    frame = X.with_columns(y=pl.Series(y).cast(pl.String))
    bench = columns("logistic", frame, "y", split=(np.arange(400), np.arange(400, 600)))
    with pytest.raises(ValueError, match="made from the data"):
        verify(rank(frame, "y"), bench)
    assert verify(rank(frame[:400], "y"), bench).named("retention").verdict == "holds"


def test_scores_are_refused_on_the_data_that_made_them(table, good_method):
    X, y = table()
    scores = good_method(X.with_columns(y=pl.Series(y)), "y")
    shuffled = np.random.default_rng(0).permutation(len(y))
    made_from = scores.replace(meta=scores.meta.replace(data=(fingerprint(X.to_pandas(), y),)))
    with pytest.raises(ValueError, match="made from the data it is to be judged on"):
        verify(made_from, columns("logistic", X[shuffled], y[shuffled]))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"random": 3}, "at least 20"),
        ({"splits": 1}, "splits=1"),
        ({"thresholds": {"luck": 1.0}}, "no threshold for luck"),
        ({"fractions": (0.5, 1.0)}, "between 0 and 1"),
        ({"estimator": "oracle"}, "logistic, ridge, forest, lightgbm"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message, table, good_method):
    with pytest.raises(ValueError, match=message):
        verify(good_method, table(n=60), **(QUICK | settings))


def test_scores_without_a_bench_and_targets_of_one_class_are_refused(table, good_method):
    X, _ = table(n=60)
    with pytest.raises(TypeError, match="give the method"):
        verify(Scores.from_values([1.0]), (X, np.zeros(60)))
    with pytest.raises(ValueError, match="one class"):
        verify(good_method, (X, np.zeros(60, dtype=int)), **QUICK)


def test_one_column_has_no_top(good_method, table):
    X, y = table(n=60)
    verdict = verify(good_method, (X.select("g0"), y), **QUICK)
    assert verdict.named("retention").verdict == "not run"


def test_unknown_kinds_are_refused_before_anything_is_fitted(table):
    def unwanted(frame, label):
        raise AssertionError("fitted")

    for wrong in ({"planted": ["label cpoy"]}, {"under": ["row order"]}):
        with pytest.raises(ValueError, match="the kinds are"):
            verify(unwanted, table(n=60), **wrong)


def test_scores_are_judged_beside_repeats_a_permuted_target_and_covariates():
    from sklearn.datasets import make_classification

    from salience.results import Scores
    from salience.verify import rows, verify

    X, y = make_classification(240, 4, n_informative=4, n_redundant=0, flip_y=0, class_sep=3, random_state=0)
    wrong = np.arange(120) % 4 == 0
    given = np.where(wrong, 1 - y[:120], y[:120])
    bench = rows("logistic", (X[:120], given), (X[120:], y[120:]))
    right, blind = (Scores.from_values(worth * 1.0, keys=("row",), item="row") for worth in (~wrong, wrong))
    verdict = verify(
        right,
        bench,
        fractions=(0.5,),
        again=[right, right],
        null=blind,
        covariates={"place": np.arange(120)},
        leave_out=("deletion", "leak"),
    )
    assert verdict.named("retention").verdict == "holds"
    assert verdict.named("retention", "permuted target").verdict == "fails"
    assert verdict.named("stability").statistic == 1.0
    assert verdict.named("nuisance").verdict == "holds"
    assert not [check for check in verdict if check.name in ("deletion", "leak")]
    with pytest.raises(ValueError, match="deletion, leak"):
        verify(right, bench, leave_out=("retention",))
