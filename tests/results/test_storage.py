"""Scores on disk."""

import json

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salience.results import Meta, Scores
from salience.results.checksums import CHECKSUM, ROOM, seal
from salience.results.storage import written_beside

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False) | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
METAS = st.builds(
    Meta,
    method=NAMES.filter(bool),
    params=st.dictionaries(NAMES, JSON, max_size=3),
    seed=st.none() | st.integers(0, 2**63),
    data=st.lists(NAMES, max_size=2),
    rows=st.none() | st.integers(0, 2**50),
    unit=st.none() | NAMES,
    interval=st.none() | st.tuples(NAMES, st.floats(0.01, 1)),
    additive=st.booleans(),
    warnings=st.lists(NAMES, max_size=2),
    seconds=st.none() | st.floats(0, 1e6),
    extra=st.dictionaries(NAMES, JSON, max_size=2),
)


@st.composite
def scores(draw):
    names = draw(st.lists(NAMES, unique=True, max_size=8))
    n = len(names)
    values = draw(st.lists(st.floats(), min_size=n, max_size=n))
    replicates = draw(st.none() | st.integers(1, 3))
    rng = np.random.default_rng(n)
    frame = pl.DataFrame(
        {
            "task": pl.Series([i % 2 for i in range(n)], dtype=pl.Int8),
            "column": pl.Series(names, dtype=pl.String),
            "value": pl.Series(values, dtype=pl.Float64),
            "members": pl.Series([[name, "m"] for name in names], dtype=pl.List(pl.String)),
        }
    )
    return Scores(
        frame,
        keys="column",
        by="task",
        better=draw(st.sampled_from(["high", "low", "abs"])),
        replicates=None if replicates is None else rng.normal(size=(replicates, n)),
        meta=draw(METAS),
    )


@given(scores())
@settings(deadline=None, max_examples=50)
def test_what_is_saved_comes_back_the_same(tmp_path_factory, scores):
    path = tmp_path_factory.getbasetemp() / "scores.parquet"
    scores.save(path)
    assert Scores.load(path).equals(scores)


def test_a_saved_frame_is_plain_parquet_with_json_in_its_footer(tmp_path):
    Scores.from_values({"a": 1.0}).save(tmp_path / "s.parquet")
    assert pl.read_parquet(tmp_path / "s.parquet").columns == ["column", "value"]
    footer = json.loads(pq.read_schema(tmp_path / "s.parquet").metadata[b"salience"])
    assert footer["format"] == 2
    assert footer["roles"] == {"keys": ["column"], "by": [], "item": "column", "better": "high"}


def test_a_later_format_is_refused(tmp_path):
    path = tmp_path / "s.parquet"
    Scores.from_values({"a": 1.0}).save(path)
    table = pq.read_table(path)
    footer = {**json.loads(table.schema.metadata[b"salience"]), "format": 99}
    made = {b"salience": json.dumps(footer), CHECKSUM: ROOM}
    pq.write_table(table.replace_schema_metadata(made), path)
    seal(path)
    with pytest.raises(ValueError, match=r"format 99.*upgrade"):
        Scores.load(path)


def test_other_files_are_refused_by_name(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.parquet"):
        Scores.load(tmp_path / "none.parquet")
    (tmp_path / "text.parquet").write_text("not parquet")
    with pytest.raises(ValueError, match=r"text\.parquet.* no checksum"):
        Scores.load(tmp_path / "text.parquet")
    pl.DataFrame({"x": [1]}).write_parquet(tmp_path / "other.parquet")
    with pytest.raises(ValueError, match=r"other\.parquet.* no checksum.*read it yourself"):
        Scores.load(tmp_path / "other.parquet")


def test_a_failed_write_leaves_the_old_file_and_nothing_beside(tmp_path):
    path = tmp_path / "s.parquet"
    Scores.from_values({"a": 1.0}).save(path)
    with pytest.raises(UnicodeEncodeError), written_beside(path) as beside:
        beside.write_text("half of it, then \ud800", encoding="utf-8")
    assert Scores.load(path).items == ["a"]
    assert [p.name for p in tmp_path.iterdir()] == ["s.parquet"]


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist"):
        Scores.from_values({"a": 1.0}).save(tmp_path / "no" / "s.parquet")
