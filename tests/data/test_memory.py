"""What a given memory is spent on, and that rows of any length are read within it."""

import os
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from table_source import TableSource

from salience.data import budget, pilot
from salience.data.budget import LIBRARIES, Budget
from salience.data.columnplan import ColumnPlan
from salience.data.pilot import Pilot
from salience.data.plan import Plan, plan
from salience.data.readers import coding, open_source, parquet
from salience.data.readers.pages import pages
from salience.data.readers.schema import rebatch, value_bytes
from salience.data.scan import scan
from salience.measures.counting import CountState

MB = 10**6


# --- the arithmetic ---
@settings(deadline=None)
@given(
    columns=st.integers(1, 3000),
    held=st.integers(0, 1 << 32),
    classes=st.lists(st.integers(2, 256), max_size=3),
    spare=st.integers(0, 1 << 34),
    row_bytes=st.floats(1, 1e6),
    distinct=st.integers(0, 10**9),
)
def test_what_is_accepted_adds_up_to_what_is_given(columns, held, classes, spare, row_bytes, distinct):
    memory = Budget(1 << 30, columns, held).needed(classes) + spare
    given = Budget(memory, columns, held)
    given.check(classes)
    many = [ColumnPlan("c", "text", distinct=distinct)] * min(columns, 50)
    cap = max(column.cap for column in Budget(memory, columns, held).caps(many, classes, {}))
    if columns <= 50:
        assert sum(c.cap for c in given.caps(many, classes, {})) == cap * columns
    counts = min(cap, max(given.work / 4 / columns / budget._value_bytes(classes), 1024)) * columns
    rows = given.rows_of_a_block(row_bytes)
    if rows > budget.FEWEST_BLOCK_ROWS:
        assert rows * (2 * row_bytes + 20 * columns) <= given.work / 8
    blocks = max(given.work / 8, budget.FEWEST_BLOCK_ROWS * 20 * columns)
    taken = 1.5 * counts * budget._value_bytes(classes) + blocks + 2 * given.bytes_of_a_block
    assert taken <= given.work
    assert LIBRARIES + held + given.work <= memory


@settings(deadline=None)
@given(columns=st.integers(1, 3000), held=st.integers(0, 1 << 32), less=st.integers(1, 1 << 29))
def test_less_than_is_needed_is_refused_with_what_is(columns, held, less):
    needed = Budget(1 << 30, columns, held).needed([2])
    with pytest.raises(ValueError, match=f"give at least {-(-needed // MB):,}MB"):
        Budget(needed - less, columns, held).check([2])


def test_a_plan_is_refused_before_the_rows_are_read():
    source = TableSource({"a": [1, 2], "y": [0, 1]})
    source.batches = None
    with pytest.raises(ValueError, match=r"256MB of memory .* give at least \d+MB"):
        plan(source, "y", memory="256MB")


def test_every_class_of_every_label_needs_room():
    assert (
        Budget(1 << 30, 10_000, rows=200).needed([2]) < 1 << 30
    )  # a column has no more values than there are rows
    assert Budget(1 << 30, 1000).needed([200, 2]) > Budget(1 << 30, 1000).needed([2])


# --- blocks by bytes ---
def lengths(batches):
    return [len(batch) for batch in batches]


def batch_of(sizes, coded=False):
    array = pa.array(["x" * size for size in sizes], pa.large_string())
    return pa.RecordBatch.from_pydict({"t": array.dictionary_encode() if coded else array, "n": sizes})


@settings(deadline=None)
@given(
    sizes=st.lists(st.integers(0, 40), max_size=60),
    cuts=st.lists(st.integers(0, 60), max_size=6),
    rows=st.integers(1, 20),
    most=st.integers(1, 100),
    coded=st.lists(st.booleans(), min_size=7, max_size=7),
)
def test_where_batches_are_cut_depends_on_the_values_alone(sizes, cuts, rows, most, coded):
    bounds = [0, *sorted(min(cut, len(sizes)) for cut in cuts), len(sizes)]
    pieces = [batch_of(sizes[a:b], c) for a, b, c in zip(bounds, bounds[1:], coded, strict=False)]
    found = list(rebatch(pieces, rows, most))
    assert lengths(found) == lengths(rebatch([batch_of(sizes)], rows, most))
    assert [n for batch in found for n in batch.column("n").to_pylist()] == sizes
    first = 0
    for batch in found:
        total = sum(batch.column("n").to_pylist())
        assert total <= most or len(batch) == 1
        assert first // rows == (first + len(batch) - 1) // rows  # never over the end of `rows` rows
        first += len(batch)
        fits = first < len(sizes) and first % rows and total + sizes[first] <= most
        assert not fits  # each is as long as it can be


def test_bytes_of_values_are_those_of_their_texts():
    texts = pa.array(["é", None, "abc", ""])
    for array in (texts, texts.cast(pa.large_string()), texts.dictionary_encode(), texts.cast(pa.binary())):
        assert value_bytes(array).tolist() == [2, 0, 3, 0]
        assert value_bytes(array[1:]).tolist() == [0, 3, 0]
    lists = pa.array([["ab", "c"], None, [], ["abcd"]])
    assert (
        value_bytes(lists).tolist()
        == value_bytes(lists.cast(pa.large_list(pa.string()))).tolist()
        == [3, 0, 0, 4]
    )
    assert value_bytes(lists[2:]).tolist() == [0, 4]


def long_table(rows=400):
    rng = np.random.default_rng(0)
    texts = [
        ("ab"[int(i)] * int(n))
        for i, n in zip(rng.integers(0, 2, rows), rng.choice([1, 2, 9000], rows), strict=True)
    ]
    return pa.table({"t": texts, "n": rng.integers(0, 5, rows), "y": rng.integers(0, 2, rows)})


def counts_of(planned, source):
    state = CountState([("t", "values"), ("n", "values")], "y", planned)
    scan(planned, {"counts": state}, source=source)
    return {item: (c.keys.tolist(), c.counts.tolist()) for item, c in state.finalize().items()}


@pytest.mark.parametrize("format", ["parquet", "csv", "frame"])
def test_counts_do_not_depend_on_where_blocks_are_cut(tmp_path, format):
    table = long_table()
    path = str(tmp_path / f"a.{format}")
    if format == "parquet":
        pq.write_table(table, path, row_group_size=150)
    elif format == "csv":
        table.to_pandas().to_csv(path, index=False)
    source = open_source(table if format == "frame" else path)
    whole = plan(source, "y")
    cut = Plan.from_json(
        whole.to_json().replace(f'"block_bytes": {whole.block_bytes}', '"block_bytes": 20000')
    )
    assert cut.block_bytes == 20000
    batches = [b for s in source.shards() for b in source.batches(s, ["t"], cut.block_rows, cut.block_bytes)]
    assert max(len(batch) for batch in batches) < 50
    assert counts_of(cut, source) == counts_of(whole, source)


# --- readers ---
def test_pages_of_parquet_are_told_by_their_headers(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"t": [str(i) * 50 for i in range(5000)]}), path, use_dictionary=False, data_page_size=10_000,
                   write_batch_size=100)  # fmt: skip
    chunk = pq.ParquetFile(path).metadata.row_group(0).column(0)
    with open(path, "rb") as file:
        found = list(pages(file, chunk.data_page_offset, chunk.total_compressed_size))
    assert len(found) > 20
    assert sum(page.values for page in found) == 5000
    assert max(page.unpacked for page in found) < 40_000
    with open(path, "rb") as file, pytest.raises(ValueError, match="page header"):
        list(pages(file, chunk.data_page_offset + 7, chunk.total_compressed_size))


def test_a_large_page_counts_itself(tmp_path):
    cells = pa.table({"t": [f"{i}" * (1 << 20) for i in range(10, 30)], "y": [0, 1] * 10})  # 2 MB each
    for name, rows in (("one", 20), ("many", 1)):
        pq.write_table(cells, tmp_path / f"{name}.parquet", row_group_size=rows, compression="none")
    one, many = (open_source(str(tmp_path / f"{name}.parquet")).held for name in ("one", "many"))
    assert one > 40 << 20
    assert many < 10 << 20


def test_parquet_gives_fewer_rows_where_texts_are_long(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "PIECE_BYTES", 1 << 18)
    path = str(tmp_path / "a.parquet")
    pq.write_table(long_table(), path, use_dictionary=False)
    member = parquet.ParquetMember.open(path)
    batches = list(member.read((0,), ["t", "n"], 65536))
    assert 2 < len(batches) < 20
    assert sum(map(len, batches)) == 400


def test_a_dictionary_of_long_texts_is_used_where_they_repeat(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "PIECE_BYTES", 1 << 20)
    one, few = ([f"{i % n}" * 10_000 for i in range(1000)] for n in (10, 1000))
    pq.write_table(
        pa.table({"few": one, "all": few}), tmp_path / "a.parquet", dictionary_pagesize_limit=1 << 30
    )
    member = parquet.ParquetMember.open(str(tmp_path / "a.parquet"))
    coded, plain = (next(member.read((0,), [name], 65536)) for name in ("few", "all"))
    assert pa.types.is_dictionary(coded.column(0).type)
    assert len(coded) == 1000
    assert not pa.types.is_dictionary(plain.column(0).type)
    assert plain.nbytes < 2 << 20


def test_csv_gives_fewer_rows_where_texts_are_long(tmp_path, monkeypatch):
    monkeypatch.setattr(coding, "PIECE_BYTES", 1 << 20)
    monkeypatch.setattr("salience.data.readers.windows._WINDOW", 1 << 17)
    path = tmp_path / "a.csv"
    rows = [f"{'x' * 8000}{i},{i}" for i in range(1000)]
    path.write_text("\n".join(["t,n", *rows]))
    source = open_source(str(path))
    member = source._owners[0]
    batches = list(member.read(source.shards()[0].part, ["t", "n"], 65536))
    assert max(batch.nbytes for batch in batches) < 2 << 20
    assert pa.Table.from_batches([b.select(["n"]) for b in batches])["n"].num_chunks == len(batches) > 1


# --- the pilot ---
def test_a_pilot_of_long_texts_is_spread_and_small():
    cells = [f"{i:05d}" * 2000 for i in range(1000)]
    source = TableSource({"t": cells, "n": list(range(1000))})
    values = dict(Pilot(source, ["t", "n"], 1 << 20, 0).columns())
    assert 0 < values["t"].values.nbytes < 1 << 19
    assert len(values["n"].values) == 1000
    found = sorted(int(text[:5]) for text in values["t"].values.to_pylist())
    assert found[-1] > 900


def test_a_pilot_reads_wide_rows_a_few_at_a_time(monkeypatch):
    monkeypatch.setattr(pilot, "_BATCH_VALUES", 1000)
    source = TableSource({f"c{i}": list(range(500)) for i in range(10)})
    assert {len(batch) for batch in Pilot(source, source.columns, 1 << 26, 0).batches(source.columns)} == {
        64,
        52,
    }


# --- the promise ---
@pytest.mark.skipif(sys.platform == "win32", reason="the peak of a process is asked of Unix")
def test_a_ranking_stays_within_its_memory(tmp_path):
    rng = np.random.default_rng(0)
    cells = [rng.integers(97, 123, 1 << 20, np.uint8).tobytes().decode() for _ in range(120)]
    table = pa.table({"t": cells, "n": rng.integers(0, 5, 120), "y": rng.integers(0, 2, 120)})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=20)
    asked = Budget(1 << 30, 3, open_source(str(tmp_path / "a.parquet")).held).needed([2]) // MB + 1
    measure = (
        "import os, subprocess, sys\n"
        "process = subprocess.Popen([sys.executable, '-m', 'salience', *sys.argv[1:]], stdout=subprocess.DEVNULL)\n"
        "_, status, usage = os.wait4(process.pid, 0)\n"
        "print(status, usage.ru_maxrss * (1 if sys.platform == 'darwin' else 1024))\n"
    )
    command = [sys.executable, "-c", measure, "rank", "a.parquet", "-t", "y", "--memory", f"{asked}MB"]
    done = subprocess.run(command, cwd=tmp_path, env=os.environ, capture_output=True, text=True, check=True)
    status, used = map(int, done.stdout.split())
    assert status == 0, done.stderr
    assert used <= asked * MB
