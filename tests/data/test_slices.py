"""Rows out of the middle of a file are those that reading from its start gives."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from salience.data.kinds import decide_kind
from salience.data.pilot import value_counts
from salience.data.readers import SourceError, open_source

N, NUMBERS = 5000, [0, 7, 41, 49]
RNG = np.random.default_rng(0)
SOME = RNG.random(N) < 0.1


def with_nulls(values, kind=None):
    return pa.array([None if gone else value for value, gone in zip(values, SOME, strict=True)], kind)


DAY = dt.datetime(2024, 1, 1)
COLUMNS = {
    "small": with_nulls(RNG.integers(-9, 9, N).tolist(), pa.int8()),
    "large": with_nulls(RNG.integers(0, 2**63, N).tolist(), pa.uint64()),
    "real": with_nulls([float("nan") if x > 2 else x for x in RNG.normal(size=N).tolist()]),
    "single": with_nulls(RNG.normal(size=N).tolist(), pa.float32()),
    "truth": with_nulls((RNG.random(N) < 0.5).tolist()),
    "text": with_nulls([f"vé{i}" for i in RNG.integers(0, 3000, N)]),
    "few": with_nulls([f"v{i}" for i in RNG.integers(0, 3, N)], pa.large_string()),
    "day": with_nulls([(DAY + dt.timedelta(days=i)).date() for i in range(N)]),
    "moment": with_nulls([DAY + dt.timedelta(seconds=i) for i in range(N)], pa.timestamp("s")),
    "there": with_nulls(
        [DAY + dt.timedelta(seconds=i) for i in range(N)], pa.timestamp("ns", "Europe/Berlin")
    ),
    "price": with_nulls([Decimal(i) / 4 for i in range(N)], pa.decimal128(12, 2)),
    "tags": with_nulls([[i % 3, i % 5] for i in range(N)]),
    "coded": with_nulls([f"c{i % 7}" for i in range(N)]).dictionary_encode(),
    "bytes": with_nulls([b"a", b"\xff"] * (N // 2)),
    "empty": pa.nulls(N),
}


def same(piece, batch, source):
    assert piece.schema.names == batch.schema.names
    for name in piece.schema.names:
        one, other = piece.column(name), batch.column(name)
        assert [repr(v) for v in one.to_pylist()] == [repr(v) for v in other.to_pylist()], name
        kinds = [decide_kind(*value_counts(column), source.types[name], ("",)) for column in (one, other)]
        assert kinds[0] == kinds[1]


@pytest.mark.parametrize("compression", ["zstd", "none"])
@pytest.mark.parametrize("version", ["1.0", "2.0"], ids="pages {}".format)
def test_pieces_of_every_type_are_those_read_from_the_start(tmp_path, version, compression):
    path = tmp_path / "a[1].parquet"  # no pattern
    pq.write_table(
        pa.table(COLUMNS), path, row_group_size=1700, data_page_size=512, data_page_version=version,
        compression=compression,
    )  # fmt: skip
    source = open_source(path)
    (shard,) = source.shards()
    assert source.skips()
    batches = list(source.batches(shard, source.columns, 100))
    pieces = list(source.pieces(shard, source.columns, 100, NUMBERS))
    for piece, number in zip(pieces, NUMBERS, strict=True):
        same(piece, batches[number], source)


def test_pieces_of_a_later_shard_are_its_own(tmp_path):
    n = 2_500_000
    pq.write_table(pa.table({"x": np.arange(n)}), tmp_path / "x.parquet", row_group_size=500_000)
    source = open_source(tmp_path / "x.parquet")
    last = source.shards()[-1]
    (piece,) = source.pieces(last, ["x"], 1000, [400])
    assert piece.column(0).to_pylist() == list(range(n - last.rows + 400_000, n - last.rows + 401_000))


def test_files_that_lack_a_column_have_it_missing_in_their_pieces(tmp_path):
    pq.write_table(pa.table({"x": np.arange(3000), "z": np.arange(3000)}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"x": np.arange(3000.0)}), tmp_path / "2.parquet")
    source = open_source(tmp_path)
    for shard in source.shards():
        batches = list(source.batches(shard, ["z", "x"], 100))
        for number, piece in zip([5, 29], source.pieces(shard, ["z", "x"], 100, [5, 29]), strict=True):
            assert piece.equals(batches[number])


def test_text_that_is_not_utf8_is_refused_as_from_the_start(tmp_path):
    words = pa.array([b"w%d" % i for i in range(2000)] + [b"\xff\xfe"] * 1000)
    text = pa.StringArray.from_buffers(len(words), *words.buffers()[1:], words.buffers()[0])
    pq.write_table(pa.table({"text": text}), tmp_path / "odd.parquet", use_dictionary=False)
    source = open_source(tmp_path / "odd.parquet")
    (shard,) = source.shards()
    with pytest.raises(SourceError, match="the column 'text' holds bytes that are not UTF-8"):
        list(source.pieces(shard, ["text"], 100, [2, 25]))


def test_a_large_row_group_is_read_from_its_start(tmp_path, monkeypatch):
    """polars holds much of a row group that it skips in: 470 MB of one of 2 GB, beyond what memory was asked for."""
    pq.write_table(pa.table({"x": np.arange(3000)}), tmp_path / "a.parquet")
    source = open_source(tmp_path / "a.parquet")
    (shard,) = source.shards()
    assert source.skippable(shard, ["x"], 100) == ["x"]
    monkeypatch.setattr("salience.data.readers.parquet._SKIPPED", 100)
    assert source.skippable(shard, ["x"], 100) == []
