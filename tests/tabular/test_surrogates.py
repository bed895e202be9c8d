import numpy as np
import pandas as pd
import polars as pl
import pytest

from salience.tabular.streaming.surrogates import SURROGATES, surrogate_scores


@pytest.fixture(scope="module")
def clicks():
    """Label from `city` and, together only, from the parity of `a` and `b`; `echo` repeats city."""
    rng = np.random.default_rng(0)
    n = 1500
    city, a, b = rng.integers(4, size=n), rng.integers(2, size=n), rng.integers(2, size=n)
    chance = np.where(city >= 2, 0.75, 0.25) + np.where(a ^ b, 0.2, -0.2)
    frame = pl.DataFrame({"city": city, "echo": 10 - city, "a": a, "b": b, "noise": rng.integers(30, size=n)})
    return frame, (rng.random(n) < chance).astype(int)


@pytest.mark.parametrize("heuristic", SURROGATES)
def test_without_a_reference_model_every_surrogate_finds_the_column_that_matters(clicks, heuristic):
    # in the package all of them raise "Expected 2D array" or silently score 0 here
    X, y = clicks
    scores = surrogate_scores(X.drop("echo"), y, heuristic=heuristic, rows=600)
    assert scores.top(1).items == ["city"]
    best = scores.frame.filter(pl.col("column") == "city").row(0, named=True)
    assert best["value"] == pytest.approx(1 - best["log_loss"])
    assert best["gain"] > 0.03


def test_beside_a_reference_a_copy_of_what_it_has_adds_nothing(clicks):
    X, y = clicks
    scores = surrogate_scores(X, y, reference=["city"], heuristic="surrogate-LR")
    gain = dict(scores.frame.select("column", "gain").iter_rows())
    assert "city" not in gain
    assert abs(gain["echo"]) < 0.005
    assert gain["noise"] < 0.005


def test_a_pair_adds_what_its_columns_alone_do_not(clicks):
    X, y = clicks
    scores = surrogate_scores(
        X, y, reference=["city"], candidates=["a", "b", ("a", "b")], heuristic="surrogate-LR"
    )
    gain = dict(scores.frame.select("column", "gain").iter_rows())
    assert gain["a AND b"] > 0.03
    assert max(gain["a"], gain["b"]) < 0.01
    assert scores.frame["members"].to_list() == [["a"], ["b"], ["a", "b"]]


def test_the_answer_depends_on_the_seed_and_not_on_the_run_or_the_kind_of_frame(clicks):
    X, y = clicks
    options = {"heuristic": "surrogate-SGD", "rows": 400, "candidates": ["city", "noise"]}
    first = surrogate_scores(X, y, **options).frame
    assert surrogate_scores(X, y, **options).frame.equals(first)
    assert surrogate_scores(X.to_pandas(), pd.Series(y), **options).frame.equals(first)
    assert surrogate_scores(X.with_columns(y=y), "y", **options).frame.equals(first)
    assert not surrogate_scores(X, y, seed=1, **options).frame.equals(first)


def test_progress_and_two_processes_change_nothing(clicks):
    X, y = clicks
    seen = []
    options = {"heuristic": "surrogate-LR", "rows": 300}
    one = surrogate_scores(X, y, progress=lambda done, total: seen.append((done, total)), **options)
    assert seen[-1] == (5, 5)
    assert surrogate_scores(X, y, n_jobs=2, **options).frame.equals(one.frame)


def test_missing_numbers_and_text_are_categories_like_others():
    y = [0, 1] * 100
    X = {"gap": [None, 1.0] * 100, "nan": [float("nan"), 2.0] * 100, "word": ["", "x"] * 100}
    scores = surrogate_scores(X, y, heuristic="surrogate-LR")
    assert (scores.frame["log_loss"] < 0.1).all()


def test_numbers_that_never_repeat_are_binned():
    rng = np.random.default_rng(1)
    x = rng.normal(size=2000)
    y = (x + 0.3 * rng.normal(size=2000) > 0).astype(int)
    scores = surrogate_scores({"x": x, "other": rng.normal(size=2000)}, y, heuristic="surrogate-LR")
    assert scores.frame["gain"][0] > 0.3
    assert scores.frame["gain"][1] < 0.01


def test_rows_without_a_label_are_left_out(clicks):
    X, y = clicks
    labels = pl.Series(y).set(pl.Series(np.arange(len(y)) % 3 == 0), None)
    scores = surrogate_scores(X.with_columns(y=labels), "y", heuristic="surrogate-LR")
    assert scores.meta.rows == len(y) - len(y) // 3
    assert len(scores.meta.params["reference"]) == 0


X2, Y2 = {"a": [1, 2, 3, 4], "b": [1, 1, 2, 2]}, [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: surrogate_scores(X2, Y2, heuristic="surrogate-XGB"), "surrogate-SGD-SVD, surrogate-LR"),
        (lambda: surrogate_scores(X2, [1, 1, 1, 1]), "1 distinct value"),
        (lambda: surrogate_scores(X2, [0, 1]), "X has 4 rows, y has 2"),
        (lambda: surrogate_scores(X2, "label"), "no label column 'label'"),
        (lambda: surrogate_scores(X2, Y2, candidates=["ghost"]), "ghost"),
        (lambda: surrogate_scores(X2, Y2, reference=["ghost"]), "ghost"),
        (lambda: surrogate_scores(X2, Y2, reference=["a", "b"]), "no candidate"),
        (lambda: surrogate_scores(X2, Y2, folds=3), "rarest class"),
        (lambda: surrogate_scores(X2, Y2, rows=1), "at least 2 rows"),
        (lambda: surrogate_scores({}, Y2), "empty"),
        (lambda: surrogate_scores({"a": [[1], [2], [3], [4]]}, Y2), "explode"),
        (lambda: surrogate_scores(np.zeros(4), Y2), r"shape \(n, d\)"),
    ],
)
def test_bad_input_says_what_was_wrong(call, says):
    with pytest.raises(ValueError, match=says):
        call()
