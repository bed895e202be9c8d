"""A small text file held in memory is the same source."""

import numpy as np
import polars as pl
import pytest

from salience.data.readers import open_source
from salience.data.readers.held import HeldSource, hold


@pytest.fixture
def path(tmp_path):
    rng = np.random.default_rng(0)
    n = 70_000
    frame = pl.DataFrame(
        {
            "few": rng.choice(["a", "b", ""], n),
            "many": [f"v{i}" for i in rng.integers(0, n, n)],
            "number": rng.integers(0, 100, n),
        }
    )
    frame.write_csv(tmp_path / "a.csv")
    return tmp_path / "a.csv"


def rows_of(source, rows, columns=("few", "many", "number")):
    frames = []
    for shard in source.shards():
        for batch in source.batches(shard, list(columns), rows):
            frames.append(pl.DataFrame(batch).cast(pl.String))
    return frames


@pytest.mark.parametrize("rows", [1000, 65_536, 10**6])
def test_it_gives_the_same_batches(path, rows):
    opened = open_source(path)
    held = hold(opened, 2**30)
    assert isinstance(held, HeldSource)
    for mine, theirs in zip(rows_of(held, rows), rows_of(opened, rows), strict=True):
        assert mine.equals(theirs)


def test_it_has_the_same_shards_and_description(path):
    opened = open_source(path)
    held = hold(opened, 2**30)
    assert held.shards() == opened.shards()
    assert held.describe() == opened.describe()
    assert (held.rows, held.columns, held.types) == (opened.rows, opened.columns, opened.types)


def test_it_projects_columns(path):
    held = hold(open_source(path), 2**30)
    assert rows_of(held, 100, ["number", "few"])[0].columns == ["number", "few"]
    with pytest.raises(ValueError, match="no column 'nine'"):
        held.batches(held.shards()[0], ["nine"], 10)


def test_what_would_not_fit_is_read_from_the_file(path):
    opened = open_source(path)
    assert hold(opened, 2**20) is opened


def test_parquet_and_frames_are_left_as_they_are(path):
    frame = open_source(pl.read_csv(path))
    assert hold(frame, 2**30) is frame
