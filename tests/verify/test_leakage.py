import numpy as np
import polars as pl
import pytest

from salience.results.scores import Scores
from salience.verify.bench import columns, parts
from salience.verify.checks.leakage import leak
from salience.verify.fingerprints import fingerprint


@pytest.mark.parametrize("estimator", ["logistic", "forest"])
def test_a_copy_of_the_target_under_another_name_is_found(estimator, table, good_method):
    X, y = table()
    bench = columns(estimator, X.with_columns(paid=pl.Series(np.where(y, "yes", "no"))), y)
    value = {name: float(name.startswith("g")) for name in X.columns} | {"paid": 2.0}
    check = leak(Scores.from_values(value), bench)
    assert check.verdict == "fails"
    assert "paid" in check.why


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_honest_columns_are_no_leak(seed, table, good_method):
    X, y = table(seed=seed)
    scores = good_method(X.with_columns(y=pl.Series(y)), "y")
    assert leak(scores, columns("logistic", X, y, seed=seed)).verdict == "holds"


def test_a_score_at_the_level_of_the_label_copy_is_a_leak():
    scores = Scores.from_values({"paid": 0.69, "age": 0.1})
    assert leak(scores, label_copy=0.693).verdict == "fails"
    assert leak(scores.where(column="age"), label_copy=0.693).verdict == "holds"


def test_without_anything_to_compare_with_it_is_not_run():
    scores = Scores.from_values([1.0, 0.0], [0, 1], keys="part", item="concept")
    for check in (
        leak(scores),
        leak(scores, label_copy=0.0),
        leak(scores, parts(lambda u: u[:, 0], np.ones((3, 2)))),
    ):
        assert check.verdict == "not run"
        assert check.why


def test_a_bench_on_the_same_data_is_refused(table, good_method):
    X, y = table()
    scores = good_method(X.with_columns(y=pl.Series(y)), "y")
    made_from = scores.replace(meta=scores.meta.replace(data=(fingerprint(X, y),)))
    with pytest.raises(ValueError, match="made from the data"):
        leak(made_from, columns("logistic", X, y))
