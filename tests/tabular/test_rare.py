"""Rare values: exact where all values are counted, unbiased where sampled, and the ignore list works."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from salience.data.plan import plan
from salience.data.readers import open_source
from salience.data.scan import scan
from salience.measures.counting import CountState
from salience.tabular.rare import TextLookup, rare_values


def counted(frame, planned, source):
    names = [c.name for c in planned.columns]
    state = CountState([(n, "values") for n in names], "y", planned)
    scan(planned, {"counts": state}, source=source)
    return {name: table for (name, _), table in state.finalize().items()}


def looked_up(planned, source, wanted):
    state = TextLookup(wanted)
    scan(planned, {"texts": state}, source=source)
    return state.finalize()


FRAME = pl.DataFrame(
    {
        "town": ["Rome"] * 5 + ["Oslo", "Bonn", "Bonn", None, ""],
        "size": ["1", "1.0", "2", "3", "3", "3", "4.5", "4.5", "", "1"],
        "y": [0, 1] * 5,
    }
)
SOURCE = open_source(FRAME)
PLAN = plan(SOURCE, "y")
TABLES = counted(FRAME, PLAN, SOURCE)


def summary(**options):
    found = rare_values(TABLES, PLAN, **options).summary
    return {row["column"]: row for row in found.to_dicts()}


def test_counts_and_shares_are_exact_when_every_value_is_counted():
    town = summary()["town"]
    assert (town["distinct"], town["rare"], town["rare_share"], town["se"]) == (3, 1, pytest.approx(1 / 3), 0)
    assert (town["rare_rows"], town["rows_share"], town["complete"]) == (1, 0.1, True)
    assert summary(bound=2)["town"]["rare"] == 2


def test_the_missing_value_is_never_rare():
    assert summary(bound=2)["town"]["distinct"] == 3


def test_one_number_written_in_two_ways_is_one_value():
    size = summary()["size"]
    assert (size["distinct"], size["rare"]) == (4, 1)


def test_the_ignore_list_holds_a_value_in_its_own_column_only():
    found = summary(ignore=[("town", "Oslo"), ("size", "Bonn")])
    assert (found["town"]["rare"], found["town"]["ignored"]) == (0, 1)
    assert summary(ignore=[("size", "Oslo")])["town"]["rare"] == 1
    assert summary(ignore=[("size", "2.0")])["size"]["rare"] == 0


def test_texts_of_rare_values_come_back_with_their_counts():
    rare = rare_values(TABLES, PLAN, bound=2)
    scores = rare.scores(looked_up(PLAN, SOURCE, rare.wanted))
    assert set(scores.items) == {("town", "Oslo"), ("town", "Bonn"), ("size", "2"), ("size", "4.5")}
    assert scores.top(2).items[0] in {("town", "Oslo"), ("size", "2")}
    assert dict(zip(scores.items, scores.frame["value"], strict=True))["town", "Bonn"] == 2


def test_of_several_texts_of_one_identity_the_first_in_order_is_kept():
    rare = rare_values(TABLES, PLAN, bound=3)
    texts = looked_up(PLAN, SOURCE, rare.wanted).filter(pl.col("column") == "size")["text"].to_list()
    assert sorted(texts) == ["1", "2", "3", "4.5"]


def test_only_so_many_values_are_kept_but_all_are_counted():
    rare = rare_values(TABLES, PLAN, bound=5, most=1)
    assert rare.values.group_by("column").len()["len"].to_list() == [1, 1]
    assert rare.summary["rare"].sum() == 7


def test_the_share_of_a_sampled_column_is_within_its_error():
    rng = np.random.default_rng(0)
    ids = np.concatenate([np.arange(20_000), rng.integers(20_000, 30_000, 40_000)])
    frame = pl.DataFrame({"id": ids.astype(str), "y": rng.integers(0, 2, len(ids))})
    planned = plan(open_source(frame), "y", spec={"id": {"kind": "text", "cap": 1024}})
    (row,) = rare_values(counted(frame, planned, open_source(frame)), planned).summary.to_dicts()
    _, counts = np.unique(ids, return_counts=True)
    truth = np.mean(counts == 1)
    assert not row["complete"]
    assert 0 < row["se"] < 0.03
    assert row["rare_share"] == pytest.approx(truth, abs=4 * row["se"])


@given(st.integers(1, 9), st.randoms(use_true_random=False))
def test_a_lookup_does_not_depend_on_partition_and_merge(cut, random):
    wanted = rare_values(TABLES, PLAN, bound=5).wanted
    halves = [FRAME[:cut], FRAME[cut:]]
    random.shuffle(halves)
    merged = TextLookup(wanted)
    for half in halves:
        source = open_source(half)
        planned = plan(source, spec={"size": {"kind": "number"}, "town": {"kind": "text"}})
        part = TextLookup(wanted)
        scan(planned, {"texts": part}, source=source)
        again = part.empty()
        again.load_arrow(part.to_arrow())
        merged.merge(again)
    assert merged.finalize().equals(looked_up(PLAN, SOURCE, wanted))


def test_wrong_requests_are_errors_that_teach():
    with pytest.raises(ValueError, match="at least 1; got 0"):
        rare_values(TABLES, PLAN, bound=0)
    with pytest.raises(ValueError, match="did you mean 'town'"):
        rare_values(TABLES, PLAN, ignore=[("twn", "Oslo")])
