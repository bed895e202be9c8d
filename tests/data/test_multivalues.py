"""Columns that look like lists: found by tokens that recur anywhere, and named with what to do about it."""

import itertools
import json
import random

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from salience.data.datasets import LABELS, load
from salience.data.multivalues import separator_of
from salience.data.plan import plan

GENRES = [
    "Action",
    "Adventure",
    "Comedy",
    "Crime",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Western",
]


def lists(tokens, separator, most=4, n=2000, ordered=False):
    r = random.Random(0)
    drawn = [r.sample(tokens, r.randint(1, min(most, len(tokens)))) for _ in range(n)]
    return [separator.join(sorted(one) if ordered else one) for one in drawn]


def made(make, n=2000):
    r = random.Random(0)
    return [make(r) for _ in range(n)]


WORDS = [f"w{i}" for i in range(5000)]


def prose(r):
    def clause():
        return " ".join(WORDS[min(4999, int(r.paretovariate(0.8)) - 1)] for _ in range(r.randint(2, 8)))

    return ", ".join(clause() for _ in range(r.randint(1, 5))) + "."


@pytest.mark.parametrize(
    ("texts", "separator"),
    [
        (lists(GENRES, "|", ordered=True), "|"),
        (lists([f"t{i}" for i in range(100)], ";"), ";"),
        (lists(["New York", "Rome", "Oslo", "Bled"], ", "), ","),
        (lists([str(i) for i in range(50)], ",", most=6), ","),
        (["a;b;c", "b;c", "a;b", "c;a"], ";"),
    ],
    ids=["genres", "tags", "towns", "ids", "few"],
)
def test_a_column_of_lists_is_noticed_with_its_separator(texts, separator):
    (note,) = plan({"tags": texts}).notes
    assert note.startswith("column 'tags' looks like lists, such as '")
    assert note.endswith(f"(--multivalue 'tags={separator}' ranks the tokens)")


NO_LISTS = {
    "prose": made(prose),
    "names": made(lambda r: f"L{r.randrange(200)}, F{r.randrange(60)}" + ", Jr." * (r.random() < 0.2)),
    "addresses": made(
        lambda r: (
            f"{r.randrange(999)} {r.choice(WORDS)} St, {r.choice(['Salem', 'Boston'])}"
            f", {r.choice(['IL', 'MA'])}" + ", USA" * (r.random() < 0.5)
        )
    ),
    "json": made(lambda r: json.dumps({k: r.randrange(3) for k in r.sample("abcdef", r.randint(1, 4))})),
    "dates": made(lambda r: f"{r.choice(['Jan', 'Feb'])} {r.randint(1, 28)}, {r.randint(2000, 2020)}"),
    "milliseconds": made(lambda r: f"10:{r.randint(10, 59)}:{r.randint(10, 59)},{r.randint(100, 999)}"),
    "decimal comma": made(lambda r: f"{r.randrange(99)}" + f",{r.randrange(99)}" * (r.random() < 0.8)),
    "thousands": made(lambda r: f"{int(10 ** r.uniform(2, 8)):,}"),
    "coordinates": made(lambda r: f"{r.randrange(20)},{r.randrange(20)}"),
    "agents": made(lambda r: f"Mozilla/5.0 (X11; x{r.randrange(9)}" + "; rv:109" * (r.random() < 0.5) + ")"),
    "paths": made(lambda r: "/".join(r.choice(WORDS) for _ in range(r.randint(2, 5)))),
    "records": made(lambda r: f"{r.choice('ab')}|{r.randrange(9)}|{r.choice('xy')}"),
}


@pytest.mark.parametrize("texts", NO_LISTS.values(), ids=NO_LISTS)
def test_texts_with_marks_in_them_are_no_lists(texts):
    assert separator_of(pa.array(texts)) is None


def test_no_column_of_the_shipped_data_is_taken_for_lists():
    for name in LABELS:
        frame = load(name)
        for column in frame.select(pl.col(pl.String)):
            assert separator_of(column.to_arrow()) is None, (name, column.name)


def test_a_named_column_is_split_at_the_separator_it_has():
    for separator in (";", "|", ",", "-"):
        texts = lists(list("abcde"), separator)
        found = plan({"tags": texts}, multivalue=["tags"])
        assert found.column("tags").separator == separator
        assert sorted(found.column("tags").vocabulary) == list("abcde")
        assert found.notes == ()


def test_a_separator_that_is_given_wins():
    found = plan({"tags": lists(list("abc"), ";")}, multivalue={"tags": ","})
    assert found.column("tags").separator == ","


def test_a_label_and_a_column_declared_text_are_not_suggested():
    texts = [";".join(one) for k in (1, 2, 3) for one in itertools.combinations("abc", k)] * 5
    data = {"x": np.arange(len(texts)), "tags": texts}
    assert len(plan(data).notes) == 1
    assert plan(data, "tags").notes == ()
    assert plan(data, spec={"tags": {"kind": "text"}}).notes == ()


def test_missing_symbols_are_not_looked_at():
    texts = [*lists(list("abc"), ";"), "{}", ""] * 3
    assert len(plan({"tags": texts}).notes) == 1
