import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression

from salience.results.scores import Scores
from salience.verify.bench import Bench, columns, configurations, hold_columns, parts, rows
from salience.verify.checks.performance import curve, retention
from salience.verify.fingerprints import fingerprint


def only(bench, *names):
    return np.array([[item in names for item in bench.items]])


def column_bench(table, seed):
    X, y = table(d=20, seed=seed)
    return columns("logistic", X, y, seed=seed), "g"


def held_column_bench(table, seed):
    X, y = table(n=900, d=20, seed=seed)
    model = LogisticRegression().fit(X[:400], y[:400])
    return hold_columns(model, X[400:], y[400:]), "g"


def row_bench(table, seed):
    X, y = table(n=1000, d=4, seed=seed)
    order = np.random.default_rng(seed).permutation(100)
    wrong = np.isin(np.arange(100), order[:30])  # these training rows have the wrong label
    bench = rows("logistic", (X[:100], np.where(wrong, 1 - y[:100], y[:100])), (X[100:], y[100:]))
    return bench, order[30:]


def part_bench(table, seed):
    rng = np.random.default_rng(seed)
    weights = np.r_[3.0, 2.0, 1.0, np.zeros(9)]
    return parts(lambda u: np.tanh(u @ weights / 3), 1 + 0.3 * rng.normal(size=(200, 12))), (0, 1, 2)


def configuration_bench(table, seed):
    rng = np.random.default_rng(seed)
    recall = np.r_[0.95, 0.9, 0.85, np.linspace(0.1, 0.5, 17)][:, None] + 0.05 * rng.normal(size=(20, 300))
    return configurations(recall), (0, 1, 2)


# The top three of twenty measured configurations are found by many random halves: only small tops tell.
# Of training rows a few good ones are no better than a few lucky ones: the wrong labels tell in large tops.
FRACTIONS = {configuration_bench: (0.05, 0.1), row_bench: (0.5, 0.7)}
BENCHES = [column_bench, held_column_bench, row_bench, part_bench, configuration_bench]


def best_first(bench, good):
    """A ranking that knows the planted truth."""
    if isinstance(good, str):
        value = [10.0 - int(item[1:]) if item.startswith(good) else 0.0 for item in bench.items]
    else:
        value = [10.0 - list(good).index(item) / len(good) if item in good else 0.0 for item in bench.items]
    kind = {"column": "column", "row": "row"}.get(bench.keys[0], "concept")
    return Scores.from_values(value, list(bench.items), keys=bench.keys, item=kind)


@pytest.mark.parametrize("make", BENCHES)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_planted_ranking_holds_and_the_reversed_fails(make, seed, table):
    bench, good = make(table, seed)
    assert isinstance(bench, Bench)
    real = best_first(bench, good)
    fractions = FRACTIONS.get(make, (0.1, 0.25, 0.5))
    check = retention(real, bench, fractions)
    assert check.verdict == "holds", check
    assert retention(real.replace(better="low"), bench, fractions).verdict == "fails"


@pytest.mark.parametrize("make", BENCHES)
def test_random_rankings_fail_but_for_the_lucky_few(make, table):
    bench, _ = make(table, 0)
    kind = best_first(bench, ())
    verdicts = []
    for seed in range(10):
        values = np.random.default_rng((seed, 99)).random(len(bench.items))
        verdicts.append(retention(kind.replace(frame=kind.frame.with_columns(value=values)), bench).verdict)
    assert verdicts.count("fails") >= 7
    assert verdicts.count("holds") <= 2


@pytest.mark.parametrize("make", [column_bench, held_column_bench, part_bench])
def test_deleting_the_planted_top_hurts_and_deleting_the_bottom_does_not(make, table):
    bench, good = make(table, 0)
    real = best_first(bench, good)
    assert curve(real, bench, "delete", steps=4).verdict == "holds"
    assert curve(real.replace(better="low"), bench, "delete", steps=4).verdict == "fails"


@pytest.mark.parametrize("make", BENCHES)
def test_values_come_per_subset_and_unit_whatever_the_batch(make, table):
    bench, _ = make(table, 0)
    rng = np.random.default_rng(0)
    keep = rng.random((3, len(bench.items))) < 0.5
    together = bench.values(keep)
    assert together.shape[0] == 3
    np.testing.assert_array_equal(together[1], bench.values(keep[1:2])[0])
    nothing = bench.values(np.zeros((1, len(bench.items)), dtype=bool))
    assert bench.floor == nothing.mean()
    with pytest.raises(ValueError, match=f"{len(bench.items)} columns"):
        bench.values(keep[:, 1:])


def test_threads_change_nothing(table):
    X, y = table()
    keep = np.eye(12, dtype=bool)
    np.testing.assert_array_equal(
        columns("logistic", X, y).values(keep), columns("logistic", X, y, n_jobs=2).values(keep)
    )


def test_more_subsets_than_are_remembered_are_all_answered():
    bench = parts(lambda u: u.sum(axis=1), np.ones((1, 10)))
    keep = np.array([[(i >> b) & 1 for b in range(10)] for i in range(600)], dtype=bool)
    np.testing.assert_array_equal(bench.values(keep)[:, 0], keep.sum(axis=1))


def test_nothing_kept_is_the_prior_of_the_rows_fitted_on(table):
    X, y = table()
    bench = columns("logistic", X, y, split=(np.arange(300), np.arange(300, 600)))
    share = y[:300].mean()
    assert bench.floor == pytest.approx(-np.log(np.where(y[300:] == 1, share, 1 - share)).mean())
    assert bench.floor > bench.values(np.ones((1, 12), dtype=bool)).mean()
    assert not bench.greater_is_better


def test_a_ranking_is_refused_on_its_own_rows_and_judged_on_held_out_ones(table):
    X, y = table()
    fit, held = np.arange(400), np.arange(400, 600)
    bench = columns("logistic", X, y, split=(fit, held))
    ranking = best_first(bench, "g")
    for rows_ in (slice(None), held):
        made_from = ranking.replace(meta=ranking.meta.replace(data=(fingerprint(X[rows_], y[rows_]),)))
        for check in (retention, curve):
            with pytest.raises(ValueError, match="made from the data"):
                check(made_from, bench)
    allowed = ranking.replace(meta=ranking.meta.replace(data=(fingerprint(X[:400], y[:400]),)))
    assert retention(allowed, bench).verdict == "holds"


@pytest.mark.parametrize("fill", ["typical", "shuffle", {"a": 0, "b": "u", "c": 0.5}])
@pytest.mark.parametrize("kind", [pl.DataFrame, pd.DataFrame])
def test_columns_are_overwritten_in_their_type(fill, kind):
    seen = []

    class Model:
        classes_ = np.array([0, 1])

        def predict_proba(self, X):
            seen.append(X)
            return np.full((len(X), 2), 0.5)

    X = kind({"a": [1, 2, 3, 10], "b": ["u", "v", "u", None], "c": [0.5, None, 2.5, 3.5]})
    bench = hold_columns(Model(), X, [0, 1, 0, 1], fill)
    bench.values([[False, False, False], [True, True, True]])
    filled, full = seen
    assert type(filled) is type(X)
    assert list(filled.columns) == list(full.columns) == ["a", "b", "c"]
    assert str(filled["a"].dtype).lower() == "int64"
    if fill == "shuffle":
        assert sorted(filled["a"]) == [1, 2, 3, 10]
    elif fill == "typical":
        assert set(filled["a"]) <= {2, 3}
        assert set(filled["b"]) == {"u"}


def test_a_fill_that_is_missing_or_unknown_is_named():
    X = pl.DataFrame({"a": [1], "b": [2]})
    with pytest.raises(ValueError, match="no value for b"):
        hold_columns(None, X, [0], {"a": 1})
    with pytest.raises(ValueError, match="'typical', 'shuffle'"):
        hold_columns(None, X, [0], "zero")


def test_numbers_are_judged_by_squared_error(table):
    X, _ = table()
    y = X["g0"].to_numpy() * 2 + X["g1"].to_numpy()
    bench = columns("lightgbm", X, y)
    both, one, other = (
        bench.values(only(bench, *names)).mean() for names in (("g0", "g1"), ("g0",), ("c05",))
    )
    assert both < one < bench.floor <= other * 1.1


def test_classes_with_few_rows_do_not_break_the_split():
    X = pl.DataFrame({"a": np.arange(40.0)})
    y = np.r_[np.zeros(20), np.ones(19), 2].astype(int)
    assert np.isfinite(columns("logistic", X, y).values([[True]])).all()


def test_training_rows_of_one_class_predict_that_class(table):
    X, y = table(n=60)
    bench = rows("logistic", (X[:30], y[:30]), (X[30:], y[30:]))
    assert np.isfinite(bench.values([y[:30] == 1])).all()


def test_a_target_of_one_class_is_refused():
    with pytest.raises(ValueError, match="one class"):
        columns("logistic", pl.DataFrame({"a": range(10)}), ["x"] * 10)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: parts(lambda u: u, np.ones(3)), "shape"),
        (lambda: parts(lambda u: u.sum(1), np.ones((2, 3)), items=["a"]), "1 items"),
        (lambda: parts(lambda u: u, np.ones((2, 3))).values(np.ones((1, 3))), "one number per input"),
        (lambda: configurations([[1.0, np.nan]]), "finite"),
        (lambda: columns("logistic", np.ones((10, 2)), [0, 1] * 5, test=1.5), "test=1.5"),
    ],
)
def test_what_makes_no_bench_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_parts_of_more_dimensions_are_switched_as_a_whole():
    bench = parts(lambda u: u.sum(axis=(1, 2)), np.ones((2, 3, 4)), keys=("head",))
    assert bench.values([[True, False, True]]).tolist() == [[8.0, 8.0]]
    assert bench.how == "hold"
