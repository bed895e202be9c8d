"""Columns that are encoded once give what the whole pipeline gives, to the bit."""

from typing import ClassVar

import numpy as np
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from salience.verify.encoding import DenseColumns, SparseColumns
from salience.verify.estimators import named_estimator
from salience.verify.losses import row_losses
from salience.verify.refitting import refitted
from salience.verify.sample import Sample

NAMES = ["few", "number", "id", "other id", "flag"]


def halves(classes=2, task="auto", n=240):
    rng = np.random.default_rng(1)
    frame = pl.DataFrame(
        {
            "few": rng.choice(["a", "b", None], n),
            "number": np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n)),
            "id": [f"u{i}" for i in rng.integers(0, 150, n)],
            "other id": [f"v{i}" for i in rng.integers(0, 150, n)],
            "flag": rng.random(n) < 0.5,
        }
    )
    target = (
        rng.normal(size=n) if task == "numbers" else np.array([f"k{i}" for i in rng.integers(0, classes, n)])
    )
    sample = Sample.of(frame, target, task=task)
    return sample.take(np.arange(0, n, 2)), sample.take(np.arange(1, n, 2))


def small_slots():  # so few that the two hashed columns share some
    return make_pipeline(SparseColumns(one_hot=10, slots=64), LogisticRegression())


ESTIMATORS = {
    "one-hot and hashed": (small_slots(), 2, "auto"),
    "three classes": (named_estimator("logistic"), 3, "auto"),
    "target codes": (make_pipeline(DenseColumns(), LogisticRegression()), 2, "auto"),
    "target codes per class": (make_pipeline(DenseColumns(), LogisticRegression()), 3, "auto"),
    "counted codes": (make_pipeline(DenseColumns(most_classes=2), LogisticRegression()), 3, "auto"),
    "numbers": (
        named_estimator("forest", "numbers").set_params(randomforestregressor__n_estimators=3),
        0,
        "numbers",
    ),
}


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.filterwarnings("ignore")
def test_some_columns_of_the_encoded_rows_are_the_encoding_of_some_columns(name):
    estimator, classes, task = ESTIMATORS[name]
    train, held = halves(classes, task)
    train, held = (
        part.with_columns({"number": part.frame["number"].fill_nan(0.0)})
        if isinstance(estimator[0], DenseColumns) and task == "auto"
        else part
        for part in (train, held)
    )
    losses = refitted(estimator, train, held)
    for kept in (
        NAMES,
        NAMES[:1],
        ["id"],
        ["id", "other id"],
        ["number", "flag"],
        ["few", "other id", "flag"],
    ):
        whole = clone(estimator).fit(train.select(kept).X, train.target)
        np.testing.assert_array_equal(losses(kept), row_losses(whole, held.select(kept)))


def test_an_estimator_of_the_user_gets_a_frame_of_the_kept_columns():
    class Recorder(LogisticRegression):
        seen: ClassVar = []

        def fit(self, X, y):
            self.seen.append(X.columns)
            return super().fit(X, y)

    train, held = halves()
    refitted(Recorder(), train, held)(["flag"])
    assert Recorder.seen == [["flag"]]
