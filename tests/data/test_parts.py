"""A table in parts: whoever wrote them and however they store a column, the answer is that of one file."""

import datetime as dt
import uuid
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from salience.cli.app import app
from salience.data.hashing import as_text
from salience.data.plan import plan
from salience.data.readers import SourceError, open_source
from salience.tabular.streaming.passes import RankingPass

SIZES = (200, 5000, 150)


def rows():
    """A text with few values in the outer parts and thousands in the middle one, a category, a number, a label."""
    rng = np.random.default_rng(5)
    n = sum(SIZES)
    y = rng.integers(0, 2, n)
    many = np.array([f"{v:016x}" for v in rng.integers(0, 2**62, n)], object)  # over 65,536 bytes of values
    text = np.where(np.arange(n) % 3 > 0, many, np.array(["u", "v"], object)[y])
    text[: SIZES[0]] = np.array(["u", "v"], object)[y[: SIZES[0]]]
    text[-SIZES[2] :] = "w"
    town = np.array(["Rome", "Oslo", None, "Bonn"], object)[(y + rng.integers(0, 3, n)) % 4]
    return pa.table(
        {"text": text, "town": town, "n": y + rng.normal(size=n), "y": np.array(["no", "yes"])[y]}
    )


def recast(kind):
    def write(table, path, put):
        put(pa.table({f.name: _stored(table[f.name], kind(f.type)) for f in table.schema}), path)

    return write


def _stored(column, kind):
    if pa.types.is_dictionary(kind):
        column = column.combine_chunks().dictionary_encode()
    return column.cast(kind)


def text_as(kind):
    return recast(lambda own: kind if pa.types.is_string(own) else own)


def by_pandas(change=lambda frame: frame):
    return lambda table, path, put: _put_pandas(change(table.to_pandas()), path)


def _put_pandas(frame, path):
    (frame.to_parquet if path.suffix == ".parquet" else frame.to_feather)(path)


def by_polars(kind=pl.String):
    def write(table, path, put):
        frame = pl.from_arrow(table).with_columns(pl.col(pl.String).cast(kind))
        (frame.write_parquet if path.suffix == ".parquet" else frame.write_ipc)(path)

    return write


def enums(table, path, put):
    frame = pl.from_arrow(table)
    told = {name: pl.Enum(frame[name].drop_nulls().unique()) for name in ("text", "town", "y")}
    frame = frame.with_columns(pl.col(name).cast(kind) for name, kind in told.items())
    (frame.write_parquet if path.suffix == ".parquet" else frame.write_ipc)(path)


WRITERS = {
    "string": lambda table, path, put: put(table, path),
    "large_string": text_as(pa.large_string()),
    "view": text_as(pa.string_view()),
    "dictionary": text_as(pa.dictionary(pa.int16(), pa.string())),
    "bytes": text_as(pa.binary()),
    "pandas": by_pandas(),
    "pandas object": by_pandas(
        lambda frame: frame.astype(dict.fromkeys({"text", "town"} & {*frame}, object))
    ),
    "pandas category": by_pandas(lambda frame: frame.astype({"text": "category", "y": "category"})),
    "polars": by_polars(),
    "polars categorical": by_polars(pl.Categorical),
    "polars enum": enums,
}
PUT = {
    "parquet": pq.write_table,
    "plain.parquet": lambda table, path: pq.write_table(table, path, use_dictionary=False),
    "arrow": lambda table, path: feather.write_feather(table, str(path), compression="uncompressed"),
    "arrows": lambda table, path: _put_stream(table, path),
}


def _put_stream(table, path):
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=100)


def ranking(data):
    fitted = RankingPass("y", controls=False).fit(data)
    return fitted.scores_.frame.sort("column").drop("flag")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "whole.parquet"
    pq.write_table(rows(), path)
    return ranking(path)


def parts_of(table, sizes=SIZES):
    ends = np.cumsum(sizes)
    return [table.slice(end - size, size) for end, size in zip(ends, sizes, strict=True)]


UNLIKE = [name for name in WRITERS if name not in ("pandas object", "polars enum")]  # stored like another


@pytest.mark.parametrize("first", UNLIKE)
@pytest.mark.parametrize("then", UNLIKE)
def test_parts_of_any_writer_rank_like_one_file(tmp_path, whole, first, then):
    for i, (part, writer) in enumerate(zip(parts_of(rows()), (first, then, first), strict=True)):
        WRITERS[writer](part, tmp_path / f"{i}.parquet", pq.write_table)
    assert ranking(tmp_path).equals(whole)


@pytest.mark.parametrize("form", PUT)
@pytest.mark.parametrize("writer", WRITERS)
def test_parts_of_one_writer_and_another_layout_rank_like_one_file(tmp_path, whole, form, writer):
    for i, part in enumerate(parts_of(rows())):
        name = writer if i == 1 else "string"
        WRITERS[name](part, tmp_path / f"{i}.{form}", PUT[form])
    assert ranking(tmp_path).equals(whole)


@pytest.mark.parametrize("writer", WRITERS)
def test_one_file_whose_row_groups_differ_ranks_like_any_other(tmp_path, whole, writer):
    """Few values in one row group, many in the next: the reader codes what it reads by batch and by file."""
    path = tmp_path / "one.parquet"
    WRITERS[writer](rows(), path, lambda table, at: pq.write_table(table, at, row_group_size=1000))
    assert ranking(path).equals(whole)
    source = open_source(path)
    kind = source._schema.field("text").type
    for size in (100, 65536):
        for shard in source.shards():
            for batch in source.batches(shard, source.columns, size):
                text = batch.column("text").type
                assert getattr(text, "value_type", text) == kind


D, T = Decimal, dt.datetime
UTC = dt.UTC
BERLIN = pa.timestamp("us", tz="Europe/Berlin")
U1, U2 = uuid.UUID(int=7), uuid.UUID(int=8)
# how a column is stored in one part and in another, and as one file would have it; None: nothing but nulls
OTHERS = {
    "int, wider int": (pa.array([1, 2], pa.int8()), pa.array([2**40, 3]), [1, 2, 2**40, 3]),
    "int, real": (pa.array([1, 2]), pa.array([2.0, 0.5]), [1.0, 2.0, 2.0, 0.5]),
    "int, boolean": (pa.array([1, 0]), pa.array([True, False]), [1, 0, 1, 0]),
    "int, text": (pa.array([1, 2]), pa.array(["2", "x"]), ["1", "2", "2", "x"]),
    "int, text of numbers": (pa.array([1, 2]), pa.array(["2", "1"]), [1, 2, 2, 1]),
    "real, text": (pa.array([1.0, 2.5]), pa.array(["2.5", "x"]), ["1", "2.5", "2.5", "x"]),
    "real, half": (pa.array([1.5, 2.5]), pa.array([np.float16(1.5), np.float16(3)]), [1.5, 2.5, 1.5, 3]),
    "boolean, text": (pa.array([True, False]), pa.array(["true", "no"]), ["true", "false", "true", "no"]),
    "boolean, real": (pa.array([True, False]), pa.array([1.0, 0.5]), [1.0, 0.0, 1.0, 0.5]),
    "unsigned, signed": (
        pa.array([2**64 - 1, 1], pa.uint64()),
        pa.array([-1, 1]),
        pa.array([D(2**64 - 1), D(1), D(-1), D(1)]),
    ),
    "unsigned, boolean": (
        pa.array([2**64 - 1, 1], pa.uint64()),
        pa.array([True, False]),
        pa.array(["18446744073709551615", "1", "true", "false"]),
    ),
    "moments of other units": (
        pa.array([T(2024, 1, 1), T(2024, 1, 2, 3)], pa.timestamp("s")),
        pa.array([T(2024, 1, 2, 3), T(2024, 1, 3)], pa.timestamp("ns")),
        pa.array([T(2024, 1, 1), T(2024, 1, 2, 3), T(2024, 1, 2, 3), T(2024, 1, 3)]),
    ),
    "moments with and without a zone": (
        pa.array([T(2024, 1, 1, tzinfo=UTC), T(2024, 1, 2, tzinfo=UTC)], BERLIN),
        pa.array([T(2024, 1, 2), T(2024, 1, 3)], pa.timestamp("ms")),
        pa.array([T(2024, 1, 1), T(2024, 1, 2), T(2024, 1, 2), T(2024, 1, 3)]),
    ),
    "day, moment": (
        pa.array([dt.date(2024, 1, 1), dt.date(2024, 1, 2)]),
        pa.array([T(2024, 1, 2), T(2024, 1, 3)]),
        pa.array([T(2024, 1, 1), T(2024, 1, 2), T(2024, 1, 2), T(2024, 1, 3)]),
    ),
    "moment, text": (
        pa.array([T(2024, 1, 1), T(2024, 1, 2, 3, 4, 5, 600_000)]),
        pa.array(["2024-01-01 00:00:00", "x"]),
        ["2024-01-01 00:00:00", "2024-01-02 03:04:05.6", "2024-01-01 00:00:00", "x"],
    ),
    "times of day": (
        pa.array([dt.time(1), dt.time(2)], pa.time32("s")),
        pa.array([dt.time(2), dt.time(3)], pa.time64("us")),
        pa.array([dt.time(1), dt.time(2), dt.time(2), dt.time(3)]),
    ),
    "durations": (
        pa.array([1, 2], pa.duration("s")),
        pa.array([2000, 3000], pa.duration("ms")),
        pa.array([1, 2, 2, 3], pa.duration("s")),
    ),
    "decimals": (
        pa.array([D("1.50"), D("2.00")]),
        pa.array([D("1.50000000"), D("12345678901234567890.00000001")]),
        pa.array([D("1.5"), D("2"), D("1.5"), D("12345678901234567890.00000001")]),
    ),
    "decimal, int": (pa.array([D("1.50"), D("2.00")]), pa.array([2, 3]), pa.array([D("1.5"), D(2), D(2), D(3)])),
    "decimal, text": (pa.array([D("1.50"), D("2.00")]), pa.array(["2", "x"]), ["1.5", "2", "2", "x"]),
    "narrow decimals": (
        pa.array([D("1.50"), D("2.00")], pa.decimal32(5, 2)),
        pa.array([D("2.0"), D("3.0")], pa.decimal64(12, 1)),
        pa.array([D("1.5"), D(2), D(2), D(3)]),
    ),
    "bytes, text": (pa.array([b"u", b"v"]), pa.array(["v", "w"]), ["u", "v", "v", "w"]),
    "bytes of one length, text": (pa.array([b"u", b"v"], pa.binary(1)), pa.array(["v", "w"]), ["u", "v", "v", "w"]),
    "bytes that are no text": (
        pa.array([b"\xff", b"\xfe"]),
        pa.array([b"\xfe", b"u"], pa.large_binary()),
        ["\\xff", "\\xfe", "\\xfe", "u"],
    ),
    "codes of numbers, int": (pa.array([7, 8]).dictionary_encode(), pa.array([8, 9]), [7, 8, 8, 9]),
    "codes of numbers, text": (pa.array([7, 8]).dictionary_encode(), pa.array(["8", "x"]), ["7", "8", "8", "x"]),
    "codes with nulls, text": (
        pa.DictionaryArray.from_arrays(pa.array([1, 0], pa.uint8()), pa.array([None, "v"])),
        pa.array(["v", "w"]),
        ["v", None, "v", "w"],
    ),
    "nothing, text": (pa.nulls(2), pa.array(["v", "w"]), [None, None, "v", "w"]),
    "nothing, codes": (pa.nulls(2), pa.array(["v", "w"]).dictionary_encode(), [None, None, "v", "w"]),
    "nothing, number": (pa.nulls(2), pa.array([1.5, 2]), [None, None, 1.5, 2]),
    "nothing, list": (pa.nulls(2), pa.array([["a"], []]), [None, None, ["a"], []]),
    "nothing, nothing": (pa.nulls(2), pa.nulls(2), pa.nulls(4, pa.string())),
    "missing, text": (None, pa.array(["v", "w"]), [None, None, "v", "w"]),
    "missing, codes": (None, pa.array(["v", "w"]).dictionary_encode(), [None, None, "v", "w"]),
    "missing, number": (None, pa.array([1, 2]), [None, None, 1, 2]),
    "missing, moment": (None, pa.array([T(2024, 1, 1), T(2024, 1, 2)]), [None, None, T(2024, 1, 1), T(2024, 1, 2)]),
    "missing, struct": (None, pa.array([{"a": 1}, {"a": 2}]), [None, None, '{"a": 1}', '{"a": 2}']),
    "lists": (pa.array([[1], [1, 2]]), pa.array([[1.0], None]), [[1.0], [1.0, 2.0], [1.0], None]),
    "lists of text": (
        pa.array([["a"], ["b", None]]),
        pa.array([["a"], None], pa.list_(pa.dictionary(pa.int32(), pa.string()))),
        [["a"], ["b", None], ["a"], None],
    ),
    "lists of numbers, of text": (pa.array([[1], [2]]), pa.array([["1"], ["x"]]), [["1"], ["2"], ["1"], ["x"]]),
    "lists of one length": (
        pa.array([[1, 2], None], pa.list_(pa.int8(), 2)),
        pa.array([[1, 2], [3]]),
        [[1, 2], None, [1, 2], [3]],
    ),
    "list, text": (pa.array([[1], None]), pa.array(["[1]", "x"]), ["[1]", None, "[1]", "x"]),
    "structs of other fields": (
        pa.array([{"a": 1}, {"a": 2}]),
        pa.array([{"b": None, "a": 1.0}, {"b": "x", "a": 2.0}]),
        ['{"a": 1}', '{"a": 2}', '{"a": 1}', '{"a": 2, "b": "x"}'],
    ),
    "struct, text": (pa.array([{"a": 1}, None]), pa.array(['{"a": 1}', "x"]), ['{"a": 1}', None, '{"a": 1}', "x"]),
    "lists of structs": (
        pa.array([[{"a": 1}], []]),
        pa.array([[{"a": 1.0}], [{"a": 2.5}]]),
        [['{"a": 1}'], [], ['{"a": 1}'], ['{"a": 2.5}']],
    ),
}  # fmt: skip
ONLY_ARROW = {
    "runs": (
        pa.RunEndEncodedArray.from_arrays([1, 2], pa.array(["u", "v"])),
        pa.array(["v", "w"]),
        ["u", "v", "v", "w"],
    ),
    "runs of codes": (
        pa.RunEndEncodedArray.from_arrays([1, 2], pa.array(["u", "v"]).dictionary_encode()),
        pa.array(["v", "w"]),
        ["u", "v", "v", "w"],
    ),
    "views of bytes": (pa.array([b"u", b"v"], pa.binary_view()), pa.array(["v", "w"]), ["u", "v", "v", "w"]),
    "codes of views": (
        pa.array(["u", "v"], pa.large_string()).dictionary_encode().cast(pa.dictionary(pa.int8(), pa.large_string())),
        pa.DictionaryArray.from_arrays(pa.array([0, 1], pa.uint32()), pa.array(["v", "w"], pa.string_view())),
        ["u", "v", "v", "w"],
    ),
    "lists of views": (
        pa.array([["u"], None], pa.list_(pa.string_view())),
        pa.array([["u"], ["v"]]),
        [["u"], None, ["u"], ["v"]],
    ),
    "views of lists": (
        pa.array([["u"], None], pa.list_view(pa.string())),
        pa.array([["u"], ["v"]]),
        [["u"], None, ["u"], ["v"]],
    ),
    "intervals": (
        pa.array([(1, 2, 3), (1, 0, 0)], pa.month_day_nano_interval()),
        pa.array(["x", "x"]),
        [str(pa.MonthDayNano([1, 2, 3])), str(pa.MonthDayNano([1, 0, 0])), "x", "x"],
    ),
    "uuids": (
        pa.array([U1.bytes, U2.bytes], pa.uuid()),
        pa.array([str(U1), "x"]),
        [str(U1), str(U2), str(U1), "x"],
    ),
}  # fmt: skip


def long(array, label, times):
    """A table of a column (None: without it), each of its values `times` times, and a label."""
    if array is None:
        return pa.table({"y": label})
    chunks = pa.chunked_array([array] * times)
    return pa.table({"a": chunks, "y": label})


@pytest.mark.parametrize("form", ["parquet", "arrow", "arrows"])
@pytest.mark.parametrize("case", [*OTHERS, *ONLY_ARROW])
def test_a_column_stored_in_two_ways_ranks_like_one_file(tmp_path, case, form):
    one, two, both = (OTHERS | ONLY_ARROW)[case]
    if form == "parquet" and (case in ONLY_ARROW or case == "durations"):
        pytest.skip("Parquet does not store it")
    if case == "codes with nulls, text" and form != "arrows":
        pytest.skip("only streams store it")
    times = 40
    labels = np.array(["no", "yes", "no", "no"])
    first, second = (np.tile(labels[i : i + 2], times) for i in (0, 2))
    for name, array, label in (("1", one, first), ("2", two, second)):
        PUT[form](long(array, label, times), tmp_path / f"{name}.{form}")
    together = both if isinstance(both, pa.Array) else pa.array(both)
    together = pa.concat_arrays([together[:2]] * times + [together[2:]] * times)
    whole = pa.table({"a": together, "y": np.concatenate([first, second])})
    assert ranking(tmp_path).equals(ranking(whole))


@pytest.mark.parametrize("missing", [0, 1, 2])
@pytest.mark.parametrize("writer", WRITERS)
def test_a_column_that_one_part_lacks_is_null_there(tmp_path, writer, missing):
    table = rows()
    there = np.repeat(np.arange(3) != missing, SIZES)
    for i, part in enumerate(parts_of(table)):
        own = part.drop_columns(["town"]) if i == missing else part
        name = writer if writer != "polars enum" else "polars categorical"
        WRITERS[name](own, tmp_path / f"{i}.parquet", pq.write_table)
    town = pc.if_else(pa.array(there), table["town"], None)
    assert ranking(tmp_path).equals(ranking(table.set_column(1, "town", town)))


@pytest.mark.parametrize(
    ("one", "two", "classes"),
    [
        (pa.array([0, 1]), pa.array(["0", "1"]), ("0", "1")),
        (pa.array([0, 1]), pa.array(["no", "yes"]), ("0", "1", "no", "yes")),
        (pa.array([False, True]), pa.array([0, 1]), ("0", "1")),
        (pa.array([0.0, 1.0]), pa.array([0, 1]), ("0", "1")),
        (pa.array(["a", "b"]).dictionary_encode(), pa.array(["a", "c"], pa.large_string()), ("a", "b", "c")),
        (pa.array([b"a", b"b"]), pa.array(["a", "c"]), ("a", "b", "c")),
        (pa.nulls(2), pa.array(["a", "b"]), ("a", "b")),
    ],
)
def test_a_label_of_two_types_has_one_class_for_one_value(tmp_path, one, two, classes):
    for name, array in (("1", one), ("2", two)):
        pq.write_table(
            pa.table({"a": ["u", "v"] * 20, "y": pa.chunked_array([array] * 20)}),
            tmp_path / f"{name}.parquet",
        )
    assert plan(open_source(tmp_path), "y").labels[0].classes == classes
    assert ranking(tmp_path)["n"].to_list() == [80 - 40 * pa.types.is_null(one.type)]


def test_codes_of_few_bits_that_many_batches_share_are_joined(tmp_path):
    """Each batch of a stream may bring its own dictionary: together they need wider codes than int8."""
    batches = [
        pa.record_batch(
            {"a": pa.array([f"{k}-{i % 90}" for i in range(100)]).dictionary_encode(), "y": [0, 1] * 50}
        )
        for k in range(4)
    ]
    narrow = pa.schema({"a": pa.dictionary(pa.int8(), pa.string()), "y": pa.int64()})
    with pa.OSFile(str(tmp_path / "a.arrows"), "wb") as file, pa.ipc.new_stream(file, narrow) as writer:
        for batch in batches:
            writer.write_batch(batch.cast(narrow))
    table = pa.Table.from_batches([batch.cast(narrow) for batch in batches])
    plain = pa.table({"a": table["a"].cast(pa.string()), "y": table["y"]})
    assert ranking(tmp_path / "a.arrows").equals(ranking(plain))
    assert ranking(table).equals(ranking(plain))


@pytest.mark.parametrize("size", [10, 65536])
def test_a_batch_of_text_has_the_type_of_the_source(tmp_path, size):
    for i, (part, writer) in enumerate(
        zip(parts_of(rows()), ("pandas", "string", "polars enum"), strict=True)
    ):
        WRITERS[writer](part, tmp_path / f"{i}.parquet", pq.write_table)
    source = open_source(tmp_path)
    found = {
        column.type
        for shard in source.shards()
        for batch in source.batches(shard, ["text", "town"], size)
        for column in batch.columns
    }
    assert found <= {pa.large_string(), pa.dictionary(pa.int32(), pa.large_string())}


def test_where_every_file_has_one_type_nothing_is_cast(tmp_path):
    """The dictionary that Parquet decodes is passed on: it is the very same memory."""
    from salience.data.readers.conform import converted

    coded = pa.array(["u", "v", "u"]).dictionary_encode()
    assert converted(coded, pa.string()) is coded
    plain = pa.array(["u", "v"], pa.large_string())
    assert converted(plain, pa.large_string()) is plain
    large = converted(coded, pa.large_string())
    assert large.dictionary.buffers()[2].address == coded.dictionary.buffers()[2].address
    assert large.indices.buffers()[1].address == coded.indices.buffers()[1].address


def test_small_decimals_keep_their_zeros():
    small = pa.array([D("0.0000000001"), D("0.1"), D("0E-10"), D("12.30"), None], pa.decimal128(20, 10))
    assert as_text(small).to_pylist() == ["0.0000000001", "0.1", "0", "12.3", None]
    assert as_text(pa.array([D(1500)], pa.decimal128(5, -2))).to_pylist() == ["1500"]


def test_a_moment_has_one_text_whatever_its_unit_and_zone():
    moment = T(2024, 1, 2, 3, 4, 5, 600_000)
    texts = {
        str(as_text(pa.array([moment], kind))[0])
        for kind in (pa.timestamp("ms"), pa.timestamp("us"), pa.timestamp("ns"))
    }
    assert texts == {"2024-01-02 03:04:05.6"}
    aware = pa.array([dt.datetime(2024, 1, 2, tzinfo=UTC)], BERLIN)
    assert as_text(aware).to_pylist() == ["2024-01-02 00:00:00Z"]


def test_what_cannot_be_brought_to_the_type_is_said_with_its_file_and_column(tmp_path):
    twice = pa.StructArray.from_arrays([pa.array([1]), pa.array([2])], names=["k", "k"])
    feather.write_feather(pa.table({"s": twice}), str(tmp_path / "a.arrow"), compression="uncompressed")
    source = open_source(tmp_path / "a.arrow")
    with pytest.raises(SourceError, match=r"a\.arrow: column 's'"):
        list(source.batches(source.shards()[0], ["s"], 10))


@pytest.mark.parametrize(
    "command",
    [
        ["rank", "-t", "y", "--audit", "--no-controls", "--no-report", "--force"],
        ["audit", "-t", "y"],
        ["rare"],
        ["rows", "-t", "y"],
        ["select", "-t", "y", "--force"],
    ],
)
def test_a_command_says_the_same_of_parts_as_of_one_file(tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    table = rows()
    pq.write_table(table, "whole.parquet")
    Path("parts").mkdir()
    for i, (part, writer) in enumerate(zip(parts_of(table), ("pandas", "polars enum", "bytes"), strict=True)):
        WRITERS[writer](part, Path(f"parts/{i}.parquet"), pq.write_table)
    name, *options = command
    said = [CliRunner().invoke(app, [name, data, "--json", *options]) for data in ("parts", "whole.parquet")]
    assert [result.exit_code for result in said] == [0, 0], said[0].stderr
    assert said[0].stdout == said[1].stdout


@pytest.mark.parametrize("zone", ["+05:30", "Nowhere/Town"])
def test_moments_of_a_zone_that_cannot_be_shown_are_read_in_utc(tmp_path, zone):
    moments = pa.array([T(2024, 1, 2), None], pa.timestamp("us", zone))
    feather.write_feather(pa.table({"t": moments}), str(tmp_path / "a.arrow"))
    source = open_source(tmp_path / "a.arrow")
    (batch,) = source.batches(source.shards()[0], ["t"], 10)
    assert batch.column(0).to_pylist() == [dt.datetime(2024, 1, 2, tzinfo=UTC), None]


@pytest.mark.parametrize("kind", [pa.timestamp("s"), pa.timestamp("us", "UTC"), pa.date32(), pa.date64()])
def test_a_moment_outside_any_calendar_is_refused(tmp_path, kind):
    wild = pa.array([0, 2**30 if kind == pa.date32() else 10**10 * 86_400_000], pa.int64())
    wild = wild.cast(pa.int32() if kind == pa.date32() else pa.int64()).cast(kind)
    feather.write_feather(pa.table({"t": wild}), str(tmp_path / "a.arrow"))
    source = open_source(tmp_path / "a.arrow")
    with pytest.raises(SourceError, match=r"a\.arrow: column 't'.* outside the years 1 to 9999"):
        list(source.batches(source.shards()[0], ["t"], 10))
