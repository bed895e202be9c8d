"""Text files in any encoding, and what is none: read, or refused in one line that says what to do."""

import numpy as np
import pytest

from salience.data.readers import SourceError, open_source

ROWS = [f"ä{i % 3},{i % 5},{i % 2}" for i in range(50)]
TEXT = "\n".join(["town,b,y", *ROWS])


def read(path, **options):
    source = open_source(path, **options)
    return [
        row for s in source.shards() for b in source.batches(s, source.columns, 64) for row in b.to_pylist()
    ]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize(
    ("name", "text"),
    [("a.csv", TEXT), ("a.ndjson", '{"town": "ä", "y": 1}\n' * 3)],
)
def test_a_mark_at_the_start_tells_the_encoding(tmp_path, name, text, encoding):
    (tmp_path / name).write_text(text, encoding="utf-8")
    plain = read(tmp_path / name)
    (tmp_path / name).write_text(text, encoding=encoding)
    assert read(tmp_path / name) == plain


@pytest.mark.parametrize("encoding", ["zlib", "rot13", "hex", "base64", "undefined", "no such", "a\0b"])
@pytest.mark.parametrize("name", ["a.csv", "a.ndjson", "a.vw"])
def test_what_is_no_encoding_of_text_is_refused(tmp_path, name, encoding):
    (tmp_path / name).write_text(TEXT)
    with pytest.raises(SourceError, match=r"is no encoding of text .*try 'utf-8'"):
        open_source(tmp_path / name, encoding=encoding)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "punycode"])
def test_text_that_is_not_in_the_encoding_is_refused(tmp_path, encoding):
    (tmp_path / "a.csv").write_text(TEXT)
    with pytest.raises(SourceError, match=rf"a\.csv is not {encoding}: .*give the encoding it is written in"):
        open_source(tmp_path / "a.csv", encoding=encoding)


def test_wide_characters_without_a_mark_are_suspected(tmp_path):
    (tmp_path / "a.csv").write_text(TEXT, encoding="utf-16-le")
    with pytest.raises(SourceError, match="NUL bytes in its header: it may be UTF-16"):
        open_source(tmp_path / "a.csv")
    assert len(read(tmp_path / "a.csv", encoding="utf-16-le")) == len(ROWS)


def test_a_file_of_nothing_but_ragged_records_names_one(tmp_path):
    (tmp_path / "a.csv").write_text("a,b,y\n" + "1,2,3,4\n" * 9)
    with pytest.raises(
        SourceError, match=r"header has 3 fields .*\(line 2 has 4\); is ',' what separates them"
    ):
        open_source(tmp_path / "a.csv")


def test_thousands_of_equal_names_are_numbered_in_one_pass(tmp_path):
    """Counting up from 2 for each takes some 10**10 steps here."""
    n = 20_000
    (tmp_path / "a.csv").write_text(",".join(["x"] * n) + "\n" + ",".join(["1"] * n))
    source = open_source(tmp_path / "a.csv")
    assert source.columns[:3] == ("x", "x_2", "x_3")
    assert len(set(source.columns)) == n
    assert "19,979 more" in source.notes[0]
    assert np.char.str_len(source.notes[0]) < 2000
