"""The sentences: true to the counts, right in number, and never more certain than the ranking."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from salience.report.words import PILES, headline, number, read_ranking
from salience.verify.check import Check
from salience.verify.verdict import report


def frame(**columns: list[Any]) -> pl.DataFrame:
    return pl.DataFrame({"column": [f"c{i}" for i in range(len(columns["value"]))], **columns})


def test_cardinality_in_disguise_is_told_from_nothing() -> None:
    ranking = frame(value=[0.1, 0.0, 0.0], mi=[0.1, 0.6, 0.01], q=[0.0, 0.9, 0.9])
    piles = read_ranking(ranking).piles
    assert (piles["matters"], piles["looks"], piles["silent"]) == (["c0"], ["c1"], ["c2"])


def test_the_ranking_has_the_last_word_on_its_columns() -> None:
    words = {"signal": "matters", "leak": "leak", "near-leak": "near", "unsure": "unsure", "id": "silent",
             "noise": "silent", "constant": "unusable", "unjudged": "untested"}  # fmt: skip
    ranking = frame(value=[1.0] * 8, q=[0.5] * 8, verdict=list(words))
    assert list(read_ranking(ranking).of.values()) == list(words.values())


def test_a_near_leak_is_named_in_a_sentence() -> None:
    found = frame(value=[0.6, 0.1], q=[0.0, 0.0], verdict=["near-leak", "signal"])
    assert "c0 tells most of it alone" in " ".join(headline(found, "y"))


def test_controls_are_not_counted_among_the_columns() -> None:
    ranking = frame(value=[1.0, 0.1], q=[0.0, 0.0], kind=["control", "text"])
    assert read_ranking(ranking).real == 1
    assert headline(ranking, "y")[0].startswith("1 of 1 column tells")


@given(
    st.lists(
        st.tuples(
            st.floats(-1, 1),
            st.floats(0, 1),
            st.none() | st.floats(0, 1),
            st.sampled_from(["text", "control"]),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_every_column_is_in_exactly_one_pile(rows: list[tuple[float, float, float | None, str]]) -> None:
    values, mi, q, kind = (list(part) for part in zip(*rows, strict=True))
    ranking = frame(value=values, mi=mi, q=q, kind=kind)
    piles = read_ranking(ranking).piles
    assert set(piles) == set(PILES)
    assert sorted(name for pile in piles.values() for name in pile) == sorted(ranking["column"])
    assert headline(ranking, "y")


def test_nothing_found_is_said_as_such() -> None:
    assert headline(frame(value=[0.1, 0.2], q=[0.9, 0.8]), "y")[:2] == [
        "None of 2 columns tells anything about y that chance does not.",
        "Nothing was found in 2 columns.",
    ]


def test_of_many_names_it_is_said_that_they_are_not_all() -> None:
    ranking = frame(value=[0.1] * 5 + [0.0] * 5, mi=[0.1] * 5 + [0.6] * 5, q=[0.0] * 5 + [0.9] * 5)
    assert headline(ranking, "y")[0].endswith("above all c0, c1 and c2.")
    assert headline(ranking, "y")[1].startswith("5 columns only look as if: above all c5, c6 and c7;")


def test_without_a_null_nothing_is_called_important() -> None:
    said = headline(frame(value=[0.2, 0.1]), "y")
    assert "nothing here says what is chance" in said[0]
    assert not any("matter" in sentence for sentence in said)


def test_a_leak_is_a_warning() -> None:
    said = " ".join(headline(frame(value=[0.6, 0.1], q=[0.0, 0.0], verdict=["leak", "signal"]), "y"))
    assert "c0 tells nearly all there is to know" in said


def check(name: str, state: str, subject: str = "ranking") -> Check:
    return Check(name, state, "because", subject=subject)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("checks", "said"),
    [
        ([check("a", "holds"), check("b", "holds")], "holds up: all 2 checks hold"),
        ([check("a", "holds"), check("b", "fails")], "does not fully hold up: b fails; 1 of 2 checks hold"),
        ([check("a", "holds"), check("b", "undecided")], "undecided: 1 of 2 checks hold"),
        ([check("a", "holds"), check("a", "holds", "random")], "a worthless ranking passes as well (a)"),
        ([check("a", "not run")], "No verification was run"),
        ([check("a", "holds"), check("b", "not run")], "the one check holds"),
    ],
)
def test_the_verdict_in_words(checks: list[Check], said: str) -> None:
    assert said in headline(frame(value=[0.1], q=[0.0]), "y", report(checks))[-1]


@given(st.none() | st.floats(allow_nan=True, allow_infinity=False) | st.integers(-(10**9), 10**9))
def test_any_number_can_be_shown(value: float | None) -> None:
    text = number(value)
    assert len(text) < 24
    if value is not None and value == value and abs(value) < 1e15:
        assert abs(float(text.replace(",", "")) - value) <= 0.06 * abs(value) + 1e-12
