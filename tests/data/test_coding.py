"""Cells become codes and dictionaries, or plain text, with the same content."""

import csv

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salience.data.readers import open_source

cells = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), max_size=20)


def read(path, rows):
    found = []
    source = open_source(path)
    for shard in source.shards():
        for batch in source.batches(shard, source.columns, rows):
            found += zip(*(column.to_pylist() for column in batch.columns), strict=True)
    return found


@settings(max_examples=40, deadline=None)
@given(
    table=st.lists(st.tuples(cells, st.sampled_from(["a", "bb", "twelve bytes!", ""])), min_size=1),
    rows=st.integers(1, 9),
)
def test_what_was_written_is_read(tmp_path_factory, table, rows):
    path = tmp_path_factory.mktemp("coding") / "a.csv"
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("x", "y"), *table])
    assert read(path, rows) == table


@pytest.mark.parametrize("distinct", [3, 16_000, 17_000, 60_000])
def test_a_column_of_many_values_becomes_plain_text_in_the_middle_of_a_batch(tmp_path, distinct):
    values = [f"value {i % distinct}" for i in range(140_000)]
    path = tmp_path / "a.csv"
    path.write_text("x,y\n" + "".join(f"{v},{i % 2}\n" for i, v in enumerate(values)))
    assert read(path, 65_536) == [(v, str(i % 2)) for i, v in enumerate(values)]


def test_cells_of_equal_beginning_and_other_length_are_different(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("x,y\na,1\naa,1\n,1\naaaaaaaa,1\naaaaaaaaa,1\naaaaaaaab,1\n")
    assert [x for x, _ in read(path, 100)] == ["a", "aa", "", "aaaaaaaa", "aaaaaaaaa", "aaaaaaaab"]
