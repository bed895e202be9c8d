"""Opening anything: what is found, what is united, what is refused and what the message says."""

import datetime as dt
import io
import pickle
import sys
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
import scipy.sparse

from salience.data.readers import Shard, Source, SourceError, open_described, open_source, parquet
from salience.tabular.streaming.passes import RankingPass


def table_of(source, columns=None, rows=4):
    columns = list(columns or source.columns)
    batches = [batch for shard in source.shards() for batch in source.batches(shard, columns, rows)]
    for shard in source.shards():
        lengths = [len(batch) for batch in source.batches(shard, columns, rows)]
        assert sum(lengths) == shard.rows
        assert set(lengths[:-1]) <= {rows}
    assert sum(map(len, batches)) == source.rows
    return {
        name: [v for batch in batches for v in batch.column(i).to_pylist()] for i, name in enumerate(columns)
    }


EVERYTHING = {
    "integer": pa.array([1, None, 3], pa.int16()),
    "boolean": pa.array([True, None, False]),
    "real": pa.array([0.5, None, -1.0], pa.float32()),
    "decimal": pa.array([Decimal("1.25"), None, Decimal("2.00")]),
    "text": pa.array(["x", None, "é"]),
    "category": pa.array(["u", None, "v"]).dictionary_encode(),
    "time": pa.array([dt.datetime(2024, 1, 2), None, dt.datetime(2025, 1, 2)], pa.timestamp("us")),
    "date": pa.array([dt.date(2024, 1, 2), None, dt.date(2025, 1, 2)]),
    "list": pa.array([["a", "b"], None, []]),
}
KINDS = ["integer", "boolean", "real", "real", "text", "text", "time", "time", "list"]
TYPES = dict(zip(EVERYTHING, KINDS, strict=True))


@pytest.fixture
def everything():
    return pa.table(EVERYTHING)


WRITERS = {
    "parquet": pq.write_table,
    "arrow": lambda table, path: feather.write_feather(table, path, compression="zstd"),
    "feather": feather.write_feather,
}


@pytest.mark.parametrize("extension", WRITERS)
def test_every_physical_type_comes_through_a_file(tmp_path, everything, extension):
    path = tmp_path / f"data.{extension}"
    WRITERS[extension](everything, str(path))
    source = open_source(path)
    assert isinstance(source, Source)
    assert source.types == TYPES
    assert table_of(source, rows=2) == everything.to_pydict()
    assert table_of(source, ["list", "integer"]) == everything.select(["list", "integer"]).to_pydict()
    assert table_of(open_described(source.describe())) == everything.to_pydict()


def test_an_arrow_stream_is_read(tmp_path, everything):
    path = tmp_path / "data.arrows"
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, everything.schema) as writer:
        writer.write_table(everything)
    assert (
        table_of(open_source(path), ["text", "integer"]) == everything.select(["text", "integer"]).to_pydict()
    )


def test_structs_and_maps_arrive_as_json_text(tmp_path):
    table = pa.table(
        {"s": [{"b": 1, "a": "x"}, None], "m": pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int8()))}
    )
    pq.write_table(table, tmp_path / "data.parquet")
    source = open_source(tmp_path / "data.parquet")
    assert source.types == {"s": "text", "m": "text"}
    assert table_of(source) == {"s": ['{"a": "x", "b": 1}', None], "m": ['{"k": 1}', None]}


def test_small_row_groups_share_a_shard_and_text_is_a_dictionary(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "_SHARD_ROWS", 25)
    table = pa.table({"a": range(100), "t": [f"v{i % 5}" for i in range(100)]})
    pq.write_table(table, tmp_path / "data.parquet", row_group_size=10)
    source = open_source(tmp_path / "data.parquet")
    assert [shard.part for shard in source.shards()] == [(0, 1), (2, 3), (4, 5), (6, 7), (8, 9)]
    assert table_of(source, rows=7) == table.to_pydict()
    for rows, coded in (
        (65536, True),
        (7, False),
    ):  # a dictionary larger than the batch would cost more than it saves
        batch = next(source.batches(source.shards()[0], ["t"], rows))
        assert pa.types.is_dictionary(batch.column(0).type) == coded


def test_a_shard_is_small_and_can_be_pickled():
    shard = Shard(0, "data.parquet", (0, 1), 10)
    assert pickle.loads(pickle.dumps(shard)) == shard


def test_a_truncated_parquet_file_is_an_error(tmp_path):
    path = tmp_path / "data.parquet"
    pq.write_table(pa.table({"a": range(1000)}), path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(SourceError, match=r"data.parquet.*truncated"):
        open_source(path)
    (tmp_path / "data.arrow").write_bytes(b"ARROW1\0\0rubbish")
    with pytest.raises(SourceError, match="Arrow IPC"):
        open_source(tmp_path / "data.arrow")


def test_a_directory_unites_the_columns_of_its_files(tmp_path):
    (tmp_path / "deep").mkdir()
    pq.write_table(pa.table({"a": [1, 2], "b": ["x", "y"]}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"c": [0.5], "a": [2.5]}), tmp_path / "deep" / "2.parquet")
    (tmp_path / "README.txt").write_text("about")
    (tmp_path / "_SUCCESS").write_text("")
    source = open_source(tmp_path)
    assert source.types == {"a": "real", "b": "text", "c": "real"}
    assert table_of(source) == {"a": [1, 2, 2.5], "b": ["x", "y", None], "c": [None, None, 0.5]}
    assert table_of(source, ["c"]) == {"c": [None, None, 0.5]}
    notes = "\n".join(source.notes)
    assert "README.txt" in notes
    assert "_SUCCESS" not in notes
    assert "column 'a' is integer in one file and real in another: read as real" in notes
    assert "column 'b' is missing in" in notes
    assert table_of(open_described(source.describe())) == table_of(source)


@pytest.mark.parametrize(
    ("one", "two", "kind", "values"),
    [
        (pa.array([1]), pa.array(["x"]), "text", ["1", "x"]),
        (pa.array([1.0, 2.5]), pa.array(["x"]), "text", ["1", "2.5", "x"]),
        (pa.array([True]), pa.array([7]), "integer", [1, 7]),
        (pa.array([1], pa.int8()), pa.array([2**40]), "integer", [1, 2**40]),
        (pa.array([[1]]), pa.array(["x"]), "text", ["[1]", "x"]),
        (pa.array([[1]]), pa.array([["x"]]), "list", [["1"], ["x"]]),
        (pa.nulls(1), pa.array([5]), "integer", [None, 5]),
        (pa.array(["a"]).dictionary_encode(), pa.array(["b"], pa.large_string()), "text", ["a", "b"]),
        (pa.array([dt.date(2024, 1, 1)]), pa.array([5]), "text", ["2024-01-01", "5"]),
    ],
)
def test_a_column_of_two_types_gets_one_that_holds_both(tmp_path, one, two, kind, values):
    pq.write_table(pa.table({"a": one}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"a": two}), tmp_path / "2.parquet")
    source = open_source([tmp_path / "1.parquet", tmp_path / "2.parquet"])
    assert source.types == {"a": kind}
    assert table_of(source) == {"a": values}


def test_globs_and_lists_are_read_in_order(tmp_path):
    for name in ("b.csv", "a.csv"):
        (tmp_path / name).write_text(f"x\n{name}\n")
    assert table_of(open_source(str(tmp_path / "*.csv"))) == {"x": ["a.csv", "b.csv"]}
    assert table_of(open_source([tmp_path / "b.csv", tmp_path / "a.csv"])) == {"x": ["b.csv", "a.csv"]}


def test_a_missing_file_names_its_likely_neighbours(tmp_path):
    (tmp_path / "clicks.csv").write_text("a\n1\n")
    with pytest.raises(SourceError, match=r"no file .*clcks.csv; did you mean clicks.csv\?"):
        open_source(tmp_path / "clcks.csv")
    with pytest.raises(SourceError, match="there is no folder"):
        open_source(tmp_path / "nowhere" / "x.csv")
    with pytest.raises(SourceError, match="no file matches"):
        open_source(str(tmp_path / "*.parquet"))


def test_an_unknown_extension_lists_the_formats_and_format_helps(tmp_path):
    path = tmp_path / "data.txt"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(SourceError, match=r"one of arrow, csv, ndjson, parquet"):
        open_source(path)
    assert table_of(open_source(path, format="csv")) == {"a": ["1"], "b": ["2"]}
    with pytest.raises(SourceError, match="did you mean 'parquet'"):
        open_source(path, format="parqet")


def test_files_of_several_formats_are_refused(tmp_path):
    (tmp_path / "a.csv").write_text("a\n1\n")
    pq.write_table(pa.table({"a": [1]}), tmp_path / "b.parquet")
    with pytest.raises(SourceError, match="several formats"):
        open_source([tmp_path / "a.csv", tmp_path / "b.parquet"])


@pytest.mark.parametrize("empty", [[], "folder"])
def test_nothing_to_read_is_an_error(tmp_path, empty):
    with pytest.raises(SourceError, match="empty"):
        open_source(tmp_path if empty else [])


def test_standard_input_is_spooled(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a,b\n1,2\n")))
    assert table_of(open_source("-")) == {"a": ["1"], "b": ["2"]}
    buffer = io.BytesIO()
    pq.write_table(pa.table({"a": [1]}), buffer)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(buffer.getvalue())))
    assert open_source("-").format == "parquet"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    with pytest.raises(SourceError, match="standard input is empty"):
        open_source("-")


def test_an_unknown_column_and_a_foreign_shard_are_named():
    source = open_source({"click": [1], "user": ["u"]})
    shard = source.shards()[0]
    with pytest.raises(SourceError, match=r"no column 'clik'; did you mean 'click'"):
        source.batches(shard, ["clik"], 1)
    with pytest.raises(SourceError, match="at least one column"):
        source.batches(shard, [], 1)
    with pytest.raises(SourceError, match="not a shard of this source"):
        source.batches(Shard(0, "x", (), 1), ["click"], 1)


def test_a_file_that_changed_is_not_reopened(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a\n1\n")
    described = open_source(path).describe()
    path.write_text("a\n1\n2\n")
    with pytest.raises(SourceError, match="has changed"):
        open_described(described)
    path.unlink()
    with pytest.raises(SourceError, match="not on this machine"):
        open_described(described)


FRAMES = {
    "dict": lambda d: d,
    "pandas": pd.DataFrame,
    "polars": pl.DataFrame,
    "lazy": lambda d: pl.LazyFrame(d),
    "pyarrow": pa.table,
    "batch": pa.RecordBatch.from_pydict,
}


@pytest.mark.parametrize("kind", FRAMES)
def test_frames_of_any_library_are_equal(kind):
    data = {"i": [1, 2, 3], "f": [0.5, None, 2.0], "s": ["a", None, "c"], "b": [True, False, True]}
    source = open_source(FRAMES[kind](data))
    assert source.format == "frame"
    assert source.types == {"i": "integer", "f": "real", "s": "text", "b": "boolean"}
    assert table_of(source, rows=2) == data


def test_mixed_objects_become_text_value_by_value():
    frame = pd.DataFrame({"m": [1, "x", 2.0, None, 2.5, True, float("nan"), b"y", [1]]}, dtype=object)
    source = open_source(frame)
    assert table_of(source) == {"m": ["1", "x", "2", None, "2.5", "true", None, "y", "[1]"]}
    assert "mixed types read as text: 'm'" in source.notes[0]


def test_pandas_categories_and_times_keep_their_type():
    frame = pd.DataFrame(
        {"c": pd.Categorical(["x", None]), "t": pd.to_datetime(["2024-01-01", None])}, index=["p", "q"]
    )
    source = open_source(frame)
    assert source.types == {"c": "text", "t": "time"}
    assert table_of(source)["c"] == ["x", None]
    assert table_of(open_source(pl.DataFrame({"c": pl.Series(["x", "y"], dtype=pl.Categorical)}))) == {
        "c": ["x", "y"]
    }


@pytest.mark.parametrize("wrap", [np.asarray, scipy.sparse.csr_matrix, scipy.sparse.coo_array])
def test_matrices_have_numbered_columns_and_may_bring_a_label(wrap):
    matrix = np.array([[0, 1.5], [2, 0], [0, 0]])
    source = open_source(wrap(matrix), label=np.array(["n", "y", "n"]))
    assert source.columns == ("x0", "x1", "label")
    assert table_of(source, rows=2) == {"x0": [0, 2, 0], "x1": [1.5, 0, 0], "label": ["n", "y", "n"]}
    assert table_of(source, ["label", "x1"]) == {"label": ["n", "y", "n"], "x1": [1.5, 0, 0]}


def test_object_and_structured_arrays_are_tables():
    assert table_of(open_source(np.array([[1, "x"], [None, "y"]], object))) == {
        "x0": [1, None],
        "x1": ["x", "y"],
    }
    structured = np.array([(1, b"u")], dtype=[("a", "i4"), ("b", "S1")])
    assert open_source(structured).columns == ("a", "b")


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.zeros(3), "2-D array"),
        (7, "is no table"),
        ({"a": [1], "b": [1, 2]}, "different lengths"),
        ({"a": 1}, "give a list or an array"),
        ({}, "no columns"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "'a'"),
    ],
)
def test_data_that_is_no_table_is_refused(bad, message):
    with pytest.raises(SourceError, match=message):
        open_source(bad)


def test_an_empty_frame_has_columns_and_no_shards():
    source = open_source(pd.DataFrame({"a": []}))
    assert (source.rows, source.columns, source.shards()) == (0, ("a",), ())


def test_memory_cannot_be_described_and_options_are_for_files():
    with pytest.raises(SourceError, match="write it to Parquet"):
        open_source({"a": [1]}).describe()
    with pytest.raises(TypeError, match="are for files"):
        open_source({"a": [1]}, delimiter=",")
    with pytest.raises(SourceError, match="one value per row"):
        open_source({"a": [1]}, label=np.array([1, 2]))


def test_an_iterator_of_batches_is_a_source_like_the_whole():
    frame = pl.DataFrame({"a": [1, None, 3, 4, 5, 6], "t": list("xyzxyz"), "y": [0, 1, 0, 1, 1, 0]})
    kinds = (
        lambda f: f,
        lambda f: f.to_pandas(),
        lambda f: f.to_arrow(),
        lambda f: f.to_dict(as_series=False),
    )
    for kind in kinds:
        source = open_source(kind(frame[i : i + 2]) for i in (0, 2, 4))
        assert (source.rows, source.columns) == (6, ("a", "t", "y"))
        rows = [
            row
            for shard in source.shards()
            for b in source.batches(shard, ["t", "y"], 4)
            for row in b.to_pylist()
        ]
        assert rows == frame.select("t", "y").to_dicts()
    numbers = np.arange(12).reshape(6, 2)
    assert open_source(iter([numbers[:4], numbers[4:]])).rows == 6


@pytest.mark.parametrize(
    "first",
    [{"a": [None]}, {"a": ["u"]}, pa.table({"a": pa.array(["u"], pa.string_view())})],
)
@pytest.mark.parametrize(
    "then",
    [
        {"a": ["v"]},
        {"a": pd.Categorical(["v"])},
        pa.table({"a": pa.array(["v"], pa.string_view())}),
        {"a": [b"v"]},
    ],
)
def test_batches_of_an_iterator_may_store_text_in_any_way(first, then):
    source = open_source(iter([first, then]))
    assert source.types == {"a": "text"}
    assert table_of(source)["a"][1] == "v"


@pytest.mark.parametrize(
    ("batches", "says"),
    [
        ([], "no batch"),
        ([{"a": [1]}, {"a": [1.5]}], "batch 1 .*as text"),
        ([{"a": [1]}, {"b": [1]}], "batch 1 .*: a, b"),
        ([{"a": [1]}, {"a": ["x"]}], "batch 1 .*as text"),
        (["line\n"], "batch 0 .*no table"),
    ],
)
def test_batches_that_do_not_go_together_are_refused(batches, says):
    with pytest.raises(SourceError, match=says):
        open_source(iter(batches))


def test_arrow_views_are_read_as_text(tmp_path):
    """polars writes its strings to Arrow IPC as views, which pyarrow can store and not take from."""
    frame = pl.DataFrame({"a": ["x", "a text of more than twelve bytes", None] * 20, "y": [0, 1, 0] * 20})
    frame = frame.with_columns(b=pl.col("a").cast(pl.Binary), c=pl.col("a").cast(pl.Categorical))
    frame.write_ipc(tmp_path / "file.arrow")
    frame.write_ipc_stream(tmp_path / "stream.arrow")
    views = pa.table({"a": frame["a"].to_arrow().cast(pa.string_view()), "y": frame["y"].to_arrow()})
    for given in (tmp_path / "file.arrow", tmp_path / "stream.arrow", views):
        source = open_source(given)
        table = pa.Table.from_batches(source.batches(source.shards()[0], ["a", "y"], 7))
        assert pa.string_view() not in table.schema.types
        assert table["a"].take([1]).to_pylist() == ["a text of more than twelve bytes"]
        assert RankingPass("y").fit(given).ranking_[0] in "abc"
