"""CSV: exact counts, quotes, odd lines, encodings, compression, shards."""

import csv as stdlib_csv
import gzip
import io

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salience.data.readers import SourceError, csv, open_described, open_source, windows


def rows_of(source, columns=None, rows=3):
    columns = columns or source.columns
    batches = [batch for shard in source.shards() for batch in source.batches(shard, columns, rows)]
    found = [tuple(row.values()) for batch in batches for row in batch.to_pylist()]
    if columns == source.columns:
        assert len(found) == source.rows
    return found


@pytest.fixture
def write(tmp_path):
    def write(content, name="data.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


CELL = st.text(alphabet='ab,;"\n x|é😀', max_size=12)
TABLE = st.integers(2, 5).flatmap(lambda k: st.lists(st.lists(CELL, min_size=k, max_size=k), max_size=8))


@settings(max_examples=150, deadline=None)
@given(TABLE, st.sampled_from(["\n", "\r\n"]), st.booleans(), st.sampled_from([16, 64, 1 << 20]))
def test_what_the_standard_library_writes_is_read_back(tmp_path_factory, table, newline, quote_all, window):
    names = [f"c{i}" for i in range(len(table[0]) if table else 2)]
    buffer = io.StringIO(newline="")
    quoting = stdlib_csv.QUOTE_ALL if quote_all else stdlib_csv.QUOTE_MINIMAL
    writer = stdlib_csv.writer(buffer, lineterminator=newline, quoting=quoting)
    writer.writerow(names)
    writer.writerows(table)
    path = tmp_path_factory.mktemp("csv") / "data.csv"
    path.write_bytes(buffer.getvalue().encode())
    patch = pytest.MonkeyPatch()
    patch.setattr(windows, "_WINDOW", window)
    patch.setattr(csv, "_SHARD_BYTES", 30)
    try:
        source = open_source(path, delimiter=",")
        assert source.columns == tuple(names)
        assert rows_of(source) == [tuple(row) for row in table]
    finally:
        patch.undo()


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_and_can_be_given(write, delimiter):
    text = (
        "\n".join(delimiter.join(row) for row in (["a", "b", "c"], ["1", "x y", "2.5"], ["3", "", "4"]))
        + "\n"
    )
    assert rows_of(open_source(write(text))) == [("1", "x y", "2.5"), ("3", "", "4")]
    assert open_source(write(text), delimiter="~").columns == (delimiter.join("abc"),)


def test_a_tsv_is_split_at_tabs_only(write):
    source = open_source(write("a,x\tb\n1,2\t3\n", "data.tsv"))
    assert source.columns == ("a,x", "b")
    assert rows_of(source) == [("1,2", "3")]


def test_ragged_rows_are_left_out_counted_and_shown_by_line(write):
    source = open_source(write('a,b\n1,2\n3\n"4\n4",5\n6,7,8\n\n9,10\n'))
    assert rows_of(source) == [("1", "2"), ("4\n4", "5"), ("9", "10")]
    assert "2 ragged rows left out, not 2 fields: lines 3 (1), 6 (3)" in source.notes
    assert "1 blank line left out" in source.notes


def test_only_the_first_five_ragged_rows_are_shown(write):
    source = open_source(write("a,b\n" + "1\n" * 9 + "1,2\n"))
    assert source.rows == 1
    assert source.notes == (
        "9 ragged rows left out, not 2 fields: lines 2 (1), 3 (1), 4 (1), 5 (1), 6 (1), ...",
    )


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
@pytest.mark.parametrize("last", [b"", b"\n"])
def test_marks_and_line_ends_are_no_part_of_the_values(write, mark, ending, last):
    content = mark + ending.join([b"a,b", b'1,"x"', b'"2",y']) + last.replace(b"\n", ending)
    assert rows_of(open_source(write(content))) == [("1", "x"), ("2", "y")]


def test_a_quote_inside_a_field_is_text(write):
    assert rows_of(open_source(write('a,b\n5" pipe,x\n"un"quoted,y\n'))) == [
        ('5" pipe', "x"),
        ('"un"quoted', "y"),
    ]


def test_quotes_may_be_ordinary_or_another_character(write):
    assert rows_of(open_source(write('a,b\n"x,y"\n'), quote=None)) == [('"x', 'y"')]
    assert rows_of(open_source(write("a,b\n'x,''y',2\n"), quote="'", delimiter=",")) == [("x,'y", "2")]


def test_a_quote_that_never_closes_is_an_error_with_its_line(write):
    with pytest.raises(SourceError, match=r"opens a field at line 3 never closes.*quote=None"):
        open_source(write('a,b\n1,2\n"3,4\n5,6\n'))


def test_header_only_has_no_rows_and_its_columns(write):
    source = open_source(write("a,b"))
    assert (source.columns, source.rows, source.shards()) == (("a", "b"), 0, ())


@pytest.mark.parametrize("content", ["", "\n\n\n"])
def test_nothing_at_all_is_an_error(write, content):
    with pytest.raises(SourceError, match=r"empty|blank"):
        open_source(write(content))


def test_names_are_made_unique(write):
    source = open_source(write("a,a,,a_2\n1,2,3,4\n"))
    assert source.columns == ("a", "a_3", "column_3", "a_2")
    assert "'a' (column 2) is now 'a_3'" in source.notes[0]


def test_bytes_that_are_not_utf8_are_located_and_an_encoding_helps(write):
    path = write("a,b\n1,x\n2,café\n".encode("latin-1"))
    with pytest.raises(SourceError, match=r"byte 0xe9 at line 3 \(byte 13\).*encoding='latin-1'"):
        open_source(path)
    assert rows_of(open_source(path, encoding="latin-1")) == [("1", "x"), ("2", "café")]


def test_utf16_with_a_mark_is_read(write):
    path = write("a,b\n1,2\n".encode("utf-16"))
    assert rows_of(open_source(path)) == [("1", "2")]
    assert rows_of(open_source(path, encoding="utf-16")) == [("1", "2")]


def test_nul_bytes_are_kept_and_noted(write):
    source = open_source(write(b"a,b\n1\x00,2\n"))
    assert rows_of(source) == [("1\x00", "2")]
    assert source.notes == ("1 NUL bytes kept as part of the text",)


@pytest.mark.parametrize("suffix", [".gz", ".zst", ".bz2"])
def test_compressed_files_are_one_shard(tmp_path, suffix):
    path = tmp_path / f"data.csv{suffix}"
    kind = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2"}[suffix]
    with pa.CompressedOutputStream(str(path), kind) as file:
        file.write(b"a,b\n" + b"".join(b"%d,x%d\n" % (i, i) for i in range(5000)))
    source = open_source(path)
    assert len(source.shards()) == 1
    assert rows_of(source, rows=777) == [(str(i), f"x{i}") for i in range(5000)]


def test_a_truncated_gzip_is_an_error(write):
    whole = gzip.compress(b"a,b\n" + b"".join(b"%d,%d\n" % (i, i * i) for i in range(5000)))
    with pytest.raises(SourceError, match="truncated"):
        open_source(write(whole[: len(whole) // 2], "data.csv.gz"))


def test_shards_partition_the_rows_and_batches_are_exact(write, monkeypatch):
    monkeypatch.setattr(csv, "_SHARD_BYTES", 1000)
    monkeypatch.setattr(windows, "_WINDOW", 500)
    text = "a,b,c\n" + "".join(f'{i},"x\n{i}",{i % 3}\n' for i in range(1000))
    source = open_source(write(text))
    shards = source.shards()
    assert len(shards) > 5
    assert sum(shard.rows for shard in shards) == source.rows == 1000
    for shard in shards:
        lengths = [len(batch) for batch in source.batches(shard, ["b"], 7)]
        assert sum(lengths) == shard.rows
        assert set(lengths[:-1]) <= {7}
    assert rows_of(source, ["c", "a"], 64) == [(str(i % 3), str(i)) for i in range(1000)]
    again = open_described(source.describe())
    assert (again.shards(), again.columns, again.notes) == (shards, source.columns, source.notes)
    assert rows_of(again) == rows_of(source)


def test_a_column_may_turn_to_text_late(write):
    source = open_source(write("a,b\n" + "1,2\n" * 200_000 + "x,y\n"))
    assert source.types == {"a": "text", "b": "text"}
    *_, last = source.batches(source.shards()[-1], ["a"], 65536)
    assert last.column(0)[-1].as_py() == "x"


def test_one_column_and_one_row(write):
    assert rows_of(open_source(write("a\n1\n"))) == [("1",)]


def test_an_option_that_csv_lacks_is_named(write):
    with pytest.raises(TypeError, match=r"no option 'sep'.*delimiter"):
        open_source(write("a\n1\n"), sep=",")
    with pytest.raises(SourceError, match="one ASCII character"):
        open_source(write("a\n1\n"), delimiter="::")
    with pytest.raises(SourceError, match="is no encoding"):
        open_source(write("a\n1\n"), encoding="utf-99")


def test_names_can_be_given_to_a_file_without_a_header(write):
    assert rows_of(open_source(write("1,2\n3,4\n"), names=["a", "b"])) == [("1", "2"), ("3", "4")]
