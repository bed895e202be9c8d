"""What a ranking says of a column, and where that puts it."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from sklearn import datasets

from salience.data.datasets import LABELS, load
from salience.measures.contingency import Contingency
from salience.tabular import StreamRanker
from salience.tabular.auditing import audit
from salience.tabular.streaming.heuristics import heuristic
from salience.tabular.streaming.scoring import STANDING, in_order, score_columns

TOLD = {"signal", "near-leak", "leak"}


def verdicts(frame, label="y", **options):
    found = StreamRanker(label, **options).fit(frame).scores_.frame
    return dict(zip(found["column"], found["verdict"], strict=True))


def weak_among_noise(rows=20_000, noise=60):
    """A relation of some 2e-4 nats, and columns of noise whose scores vary by more than that."""
    rng = np.random.default_rng(5)
    y = rng.integers(0, 2, rows)
    weak = {f"weak{i}": np.where(rng.random(rows) < 0.52, y, 1 - y) for i in range(3)}
    return pl.DataFrame(
        weak | {f"noise{i}": rng.integers(0, 8000, rows).astype(str) for i in range(noise)} | {"y": y}
    )


@pytest.mark.parametrize("options", [{}, {"normalize": "minmax"}, {"heuristic": "chi2"}, {"null": "permute"}])
def test_what_is_not_told_from_chance_never_stands_above_what_is(options):
    found = StreamRanker("y", controls=True, **options).fit(weak_among_noise()).scores_
    places = [STANDING[word] for word in found.frame[list(found.order())]["verdict"]]
    assert places == sorted(places)
    assert len(set(places)) > 1


def test_a_weak_column_stands_above_noise_of_a_higher_score():
    found = StreamRanker("y").fit(weak_among_noise()).scores_.frame
    noise = found.filter(pl.col("verdict") == "noise")
    assert found["column"][:3].to_list() == ["weak0", "weak1", "weak2"]
    assert noise["value"].max() > found["value"][:3].max()
    for word in ("signal", "noise"):
        own = found.filter(pl.col("verdict") == word)["value"].to_list()
        assert own == sorted(own, reverse=True)


def test_every_label_has_that_order():
    frame = weak_among_noise().with_columns(other=pl.col("y").shuffle(seed=1))
    found = StreamRanker(["y", "other"]).fit(frame)
    for label in ("y", "other"):
        own = found.scores_.frame.filter(pl.col("label") == label)
        places = [STANDING[word] for word in own["verdict"]]
        assert places == sorted(places)
        assert own["rank"].to_list() == list(range(1, len(own) + 1))


def test_correlations_of_the_wrong_sign_are_ordered_by_size_within_what_was_found():
    frame = pl.DataFrame(
        {
            "column": list("abcd"),
            "value": [0.2, -0.5, 0.9, -0.8],
            "q": [0.01, 0.01, 0.5, 0.6],
            "verdict": ["signal", "signal", "noise", "noise"],
        }
    )
    assert in_order(frame, "abs")["column"].to_list() == ["b", "a", "c", "d"]


def test_without_a_test_the_score_alone_decides():
    found = StreamRanker("y", null="none").fit(weak_among_noise()).scores_.frame
    assert found["value"].to_list() == sorted(found["value"], reverse=True)


def test_the_package_s_scale_does_not_make_noise_a_finding():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 9000)
    frame = {f"noise{i}": rng.integers(0, 9, 9000).astype(str) for i in range(12)} | {"y": y}
    options = {"preset": "outrank", "normalize": "minmax", "batch_size": 1500, "subsample": 1}
    found = StreamRanker("y", **options).fit(pl.DataFrame(frame)).scores_.frame
    assert found["value"].to_list() == sorted(found["value"], reverse=True)
    assert (found["verdict"] == "signal").sum() <= 2


def test_a_significant_view_counts_though_the_other_has_a_higher_score():
    rng = np.random.default_rng(0)
    rows, wrong = 40_000, 0
    for _ in range(10):
        x = rng.normal(size=rows).round(4)
        y = (rng.random(rows) < 0.5 + 0.015 * np.sign(x)).astype(int)
        wrong += verdicts(pl.DataFrame({"x": x, "y": y}))["x"] not in TOLD
    assert wrong <= 2


# --- naming the row ---------------------------------------------------------------------------------------------------


def kinds_of_unique_columns(rows=4000):
    rng = np.random.default_rng(0)
    start = datetime(2024, 1, 1)
    numbers = rng.permutation(rows)
    return pl.DataFrame(
        {
            "number": numbers,
            "text": [f"u{i}" for i in numbers],
            "a few twice": np.where(numbers < 20, numbers + 1000, numbers),
            "amount": rng.permutation(rows) * 0.37 + 12.5,
            "moment": [start + timedelta(seconds=37 * int(i)) for i in rng.permutation(rows)],
            "nine in ten": np.where(np.arange(rows) < rows // 10, 7, numbers + rows),
            "half missing": [int(i) if i % 2 else None for i in numbers],
            "y": rng.integers(0, 2, rows),
        }
    )


def test_an_id_is_a_text_or_a_whole_number_that_hardly_any_two_rows_share():
    found = verdicts(kinds_of_unique_columns())
    assert {name for name, word in found.items() if word == "id"} == {"number", "text", "a few twice"}
    assert {word for word in found.values() if word != "id"} == {"noise"}


def test_the_audit_takes_the_same_columns_for_ids():
    found = audit(kinds_of_unique_columns(), "y").filter(pl.col("finding") == "id-like")["column"]
    assert set(found) == {"number", "text", "a few twice", "half missing"}  # of the rows that have a value


def test_amounts_and_moments_are_not_recodings_of_each_other():
    assert "recoded" not in audit(kinds_of_unique_columns(), "y")["finding"].to_list()


def test_an_id_is_known_from_a_sample_of_its_values():
    rng = np.random.default_rng(0)
    rows = 60_000
    frame = pl.DataFrame(
        {"id": rng.permutation(rows), "twice": rng.permutation(rows) // 2, "y": rng.integers(0, 2, rows)}
    )
    spec = {name: {"kind": "text", "cap": 1024} for name in ("id", "twice")}
    assert verdicts(frame, spec=spec) == {"id": "id", "twice": "noise"}


# --- nearly everything ------------------------------------------------------------------------------------------------


def loans(rows=12_000, noise=0.02):
    """An interest rate that follows from the grade of a loan, but for a little."""
    rng = np.random.default_rng(0)
    grade = rng.integers(0, 35, rows)
    rate = 5.0 + 0.7 * grade + rng.normal(0, noise, rows)
    return pl.DataFrame(
        {
            "sub_grade": [f"{'ABCDEFG'[g // 5]}{g % 5 + 1}" for g in grade],
            "amount": rng.integers(1_000, 40_000, rows),
            "income": rng.lognormal(11, 0.5, rows).round(2),
            "age": np.clip(70 - grade + rng.normal(0, 12, rows), 18, 90).round(),
            "rate": rate,
        }
    )


@pytest.mark.parametrize("noise", [0.02, 1.0])
def test_a_grade_that_sets_the_rate_is_called_a_near_leak(noise):
    found = verdicts(loans(noise=noise), "rate")
    assert (found["sub_grade"], found["age"]) == ("near-leak", "signal")
    assert found["amount"] in ("noise", "unsure")
    assert audit(loans(), "rate").filter(pl.col("column") == "sub_grade")["finding"].to_list() == [
        "nearly leaking"
    ]


def test_most_of_the_entropy_of_a_class_is_a_near_leak_too():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, 8000)
    frame = pl.DataFrame({"nearly": np.where(rng.random(8000) < 0.04, rng.integers(0, 4, 8000), y), "y": y})
    frame = frame.with_columns(strong=np.where(rng.random(8000) < 0.2, rng.integers(0, 4, 8000), y))
    assert verdicts(frame) == {"nearly": "near-leak", "strong": "signal"}


@pytest.mark.parametrize(
    "name", ["adult", "german_credit", "compas", "breast_cancer", "wine", "diabetes", "iris", "digits"]
)
def test_no_honest_column_of_these_data_is_called_one(name):
    if name in LABELS:
        frame, label = load(name), LABELS[name]
    else:
        frame = pl.from_pandas(getattr(datasets, f"load_{name}")(as_frame=True).frame)
        label = "target"
    assert not {"near-leak", "leak"} & set(verdicts(frame, label).values())


def test_noise_of_many_values_is_no_near_leak():
    rng = np.random.default_rng(0)
    table = Contingency.from_codes(rng.integers(0, 3000, 4000), rng.integers(0, 10, 4000))
    found = score_columns({("x", "values"): table}, {}, heuristic("mi"), null="none", ordered=True)
    assert found["verdict"].to_list() == ["unjudged"]
