import json
import math
import os

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from salience.verify.check import Check, judge
from salience.verify.verdict import Verdict, report

finite = st.floats(-1e6, 1e6)


def made(verdict="holds", name="retention", **details):
    lo, hi = {"holds": (0.6, 0.8), "fails": (0.1, 0.2), "undecided": (0.4, 0.6)}[verdict]
    return Check.judged(name, statistic=(lo + hi) / 2, lo=lo, hi=hi, threshold=0.5, why="said why", **details)


@given(finite, finite, finite)
def test_an_interval_is_judged_the_same_from_both_sides(a, b, threshold):
    lo, hi = min(a, b), max(a, b)
    assert judge(lo, hi, threshold) == (
        "holds" if lo >= threshold else "fails" if hi < threshold else "undecided"
    )
    assert judge(lo, hi, threshold) == judge(-hi, -lo, -threshold, "low")


@pytest.mark.parametrize("numbers", [(math.nan, 1, 0), (0, math.nan, 0), (0, 1, math.nan)])
def test_what_is_not_a_number_is_undecided(numbers):
    assert judge(*numbers) == "undecided"


def test_a_check_without_a_reason_is_refused():
    with pytest.raises(ValueError, match="reason"):
        Check.not_run("fidelity", "")


def test_an_unknown_outcome_is_refused():
    with pytest.raises(ValueError, match="one of holds"):
        Check("fidelity", "perhaps", "why")


@pytest.mark.parametrize(
    ("verdicts", "overall"),
    [
        (["holds", "holds"], "holds"),
        (["holds", "undecided"], "undecided"),
        (["undecided", "fails"], "fails"),
        ([], "not run"),
    ],
)
def test_the_worst_check_decides(verdicts, overall):
    assert (
        report([made(v) for v in verdicts] + [Check.not_run("fidelity", "no attributions")]).overall
        == overall
    )


def test_a_control_that_fails_speaks_for_the_ranking():
    verdict = report([made("holds"), made("fails", subject="random")])
    assert verdict.overall == "holds"
    assert not verdict.failed


def test_a_control_that_holds_takes_the_power_from_its_check():
    verdict = report([made("holds"), made("holds", subject="random")])
    assert verdict.overall == "undecided"
    assert [check.subject for check in verdict.unconvincing] == ["random"]
    assert "decides nothing" in repr(verdict)


def test_an_undecided_control_will_do_below_the_ranking():
    below = Check.judged(
        "retention", statistic=0.4, lo=0.2, hi=0.55, threshold=0.5, why="why", subject="random"
    )
    assert not report([made("holds"), below]).unconvincing
    assert report([made("undecided"), below]).unconvincing


def test_the_reverse_of_a_ranking_that_fails_may_hold():
    assert not report([made("fails"), made("holds", subject="reversed")]).unconvincing


def test_failed_lists_the_checks_of_the_ranking_only():
    verdict = report([made("fails", "stability"), made("fails", subject="reversed")])
    assert [check.name for check in verdict.failed] == ["stability"]


def test_groups_of_checks_are_unrolled_and_strangers_refused():
    assert len(report([made(), (made(), made())])) == 3
    with pytest.raises(TypeError, match="Check"):
        report([("not a check",)])


def test_json_brings_everything_back(tmp_path):
    curve = pl.DataFrame({"size": [1, 2], "share": [0.5, math.nan], "who": ["a", None]})
    before = report(
        [
            made(
                "holds", curve=curve, how="refit", settings={"sizes": np.array([1, 2]), "seed": np.int64(3)}
            ),
            made("fails", subject="random"),
            Check.not_run("fidelity", "no attributions"),
        ],
        estimator="logistic",
    )
    text = before.to_json(tmp_path / "verdict.json")
    for after in (Verdict.from_json(text), Verdict.from_json(tmp_path / "verdict.json")):
        assert after.overall == before.overall
        assert after.to_frame().equals(before.to_frame(), null_equal=True)
        assert after.rows[0].curve.equals(curve)
        assert after.rows[0].settings == {"sizes": [1, 2], "seed": 3}
        assert after.settings == {"estimator": "logistic"}
    body = json.loads(text)
    assert [row["check"] for row in body["checks"]] == ["retention", "fidelity"]
    assert [row["subject"] for row in body["controls"]] == ["random"]


def test_a_verdict_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "verdict.json"
    report([made("holds")]).to_json(path)
    before = path.read_text()

    def broken(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", broken)
    with pytest.raises(OSError, match="disk full"):
        report([made("fails")]).to_json(path)
    assert path.read_text() == before
    assert [p.name for p in tmp_path.iterdir()] == ["verdict.json"]


def test_json_of_another_format_is_refused():
    with pytest.raises(ValueError, match="format 99, this one reads 2"):
        Verdict.from_json('{"format": 99}')


def test_the_table_says_everything_in_one_line_per_check():
    lines = repr(report([made("holds"), made("fails", subject="random"), Check.not_run("leak", "no bench")]))
    assert lines.splitlines()[0] == "Verdict: holds (1 holds, 1 not run)"
    assert all(word in lines for word in ("[0.600, 0.800]", ">= 0.5", "random", "no bench", "said why"))


def test_named_finds_the_check_of_the_ranking_before_its_controls():
    verdict = report([made("fails", subject="random"), made("holds")])
    assert verdict.named("retention").verdict == "holds"
    assert verdict.named("retention", "random").verdict == "fails"
    with pytest.raises(KeyError, match="there are"):
        verdict.named("stability")


def test_refitted_and_held_numbers_do_not_share_a_curve():
    curve = pl.DataFrame({"size": [1], "share": [0.5]})
    refit, held = made(curve=curve, how="refit"), made(curve=curve, how="hold", subject="random")
    assert report([refit, refit.about("random")]).curves("retention").height == 2
    with pytest.raises(ValueError, match="do not belong in one curve"):
        report([refit, held]).curves("retention")
