"""Plain text, a document a line: whatever stands in the file comes out once, in order, in any batches."""

import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salience.data.readers import SourceError, lines, open_described, open_source


def texts_of(source, rows=3):
    found = []
    for shard in source.shards():
        for batch in source.batches(shard, ["text"], rows):
            assert batch.num_rows <= rows
            found += batch.column(0).to_pylist()
    return found


def opened(path, **how):
    return open_source(path, format="lines", **how)


@settings(max_examples=50, deadline=None)
@given(
    documents=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n\r")), max_size=30),
    shard_bytes=st.integers(1, 200),
    ending=st.sampled_from(["\n", "\r\n"]),
)
def test_every_line_that_holds_something_is_a_row_however_the_file_is_cut(
    tmp_path_factory, documents, shard_bytes, ending
):
    path = tmp_path_factory.mktemp("lines") / "pool.txt"
    path.write_bytes(ending.join(documents).encode())
    expected = [text for text in ending.join(documents).removeprefix("\ufeff").split(ending) if text.strip()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "_SHARD_BYTES", shard_bytes)
        if not expected:
            with pytest.raises(SourceError, match="holds no text"):
                opened(path)
            return
        source = opened(path)
        assert source.rows == len(expected)
        assert texts_of(source) == expected


def test_a_byte_order_mark_is_one_at_the_start_of_the_file_only(tmp_path, monkeypatch):
    path = tmp_path / "pool.txt"
    path.write_text("\ufeffone\n\ufefftwo\n\ufeff\n")
    monkeypatch.setattr(lines, "_SHARD_BYTES", 1)
    monkeypatch.setattr(lines, "_BLOCK_BYTES", 8)  # a block ends before each mark
    assert texts_of(opened(path)) == ["one", "\ufefftwo", "\ufeff"]


def test_packed_marked_and_foreign_files_are_read(tmp_path):
    packed = tmp_path / "pool.txt.gz"
    packed.write_bytes(gzip.compress("﻿erste Zeile\n\nzweite\n".encode()))
    assert texts_of(opened(packed)) == ["erste Zeile", "zweite"]
    latin = tmp_path / "latin.txt"
    latin.write_bytes("Straße\nÜber".encode("latin-1"))
    assert texts_of(opened(latin, encoding="latin-1")) == ["Straße", "Über"]
    with pytest.raises(SourceError, match=r"not UTF-8: byte 0xdf at line 1"):
        opened(latin)


def test_it_is_reopened_from_its_description(tmp_path):
    path = tmp_path / "pool.txt"
    path.write_text("one\ntwo\n")
    assert texts_of(open_described(opened(path).describe())) == ["one", "two"]
