"""The laws of a scan: rows count once, whoever reads them, in whatever order, with whatever pauses."""

import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial

import cloudpickle
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import csv
from table_source import TableSource

from salience.data.plan import Plan, plan
from salience.data.readers import open_source
from salience.data.scan import Cursor, State, load_state, merge_states, save_state, scan
from salience.measures.counting import CountState
from salience.parallel import cluster

N = 5000
RNG = np.random.default_rng(1)
TABLE = {
    "id": RNG.integers(0, 3000, N),
    "town": RNG.choice(["Rome", "Oslo", "", "Bern"], N),
    "x": RNG.normal(size=N),
    "y": RNG.integers(0, 2, N),
}
ITEMS = [("id", "values"), ("id", "bins"), ("town", "values"), ("x", "bins")]


class Sums:
    """Per column: rows, and identities summed modulo 2**64. Any lost, repeated or changed row shows."""

    def __init__(self, columns):
        self.columns = tuple(columns)
        self.totals = np.zeros((len(self.columns), 2), np.uint64)
        self.blocks = []

    def parts(self, block):
        self.blocks.append(block.id)
        for i, name in enumerate(self.columns):
            part = partial(self._add, i, name, block)
            part.column = name
            yield part

    def _add(self, i, name, block):
        self.totals[i] += np.array([block.rows, block.column(name).row_hashes().sum()], np.uint64)

    def merge(self, other):
        self.totals += other.totals

    def empty(self):
        return type(self)(self.columns)

    def to_arrow(self):
        return pa.table({"rows": self.totals[:, 0], "sum": self.totals[:, 1]})

    def load_arrow(self, table):
        self.totals = np.stack([table["rows"].to_numpy(), table["sum"].to_numpy()], axis=1)

    def finalize(self):
        return self.totals.tolist()


def fresh(planned):
    return {"sums": Sums(["id", "town", "x"]), "counts": CountState(ITEMS, "y", planned)}


def outcome(states):
    tables = states["counts"].finalize()
    parts = [
        (t.keys.tobytes(), t.counts.tobytes(), t.weight.tobytes(), t.label_counts.tobytes())
        for t in tables.values()
    ]
    return states["sums"].finalize(), parts


def planned_source(cuts=(), **options):
    source = TableSource(TABLE, cuts=cuts)
    spec = {"id": {"cap": 1024}}  # so that values are sampled
    return source, plan(source, "y", spec=spec, **({"block_rows": 700} | options))


def whole():
    source, planned = planned_source()
    states = fresh(planned)
    scan(planned, states, source=source, threads=1)
    return outcome(states)


WHOLE = whole()


class Interruption:
    """A progress callback that presses Ctrl-C after some blocks."""

    def __init__(self, after):
        self.left = after

    def __call__(self, done, total):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


# --- the law ---


def test_a_state_is_a_state():
    assert isinstance(Sums(["id"]), State)
    assert isinstance(CountState(ITEMS, "y", planned_source()[1]), State)


@settings(deadline=None, max_examples=25)
@given(st.data())
def test_any_partition_order_and_merge_tree_gives_the_same_bits(data):
    cuts = tuple(sorted(data.draw(st.sets(st.integers(1, N - 1), max_size=5))))
    source, planned = planned_source(cuts, block_rows=data.draw(st.integers(300, N)))
    pieces = data.draw(st.permutations(range(len(planned.shards))))
    forest = []
    for shard in pieces:
        states = fresh(planned)
        scan(planned, states, source=source, shards=[shard], threads=data.draw(st.integers(1, 3)))
        forest.append(states)
    while len(forest) > 1:
        a = forest.pop(data.draw(st.integers(0, len(forest) - 1)))
        b = forest.pop(data.draw(st.integers(0, len(forest) - 1)))
        for name in a:
            a[name].merge(b[name])
        forest.append(a)
    assert outcome(forest[0]) == WHOLE


def test_blocks_have_the_rows_and_ids_of_the_plan():
    source, planned = planned_source((1500,), block_rows=1000)
    state = Sums(["id"])
    scan(planned, {"s": state}, source=source)
    assert state.blocks == [(0, 0), (0, 1000), (1, 0), (1, 1000), (1, 2000), (1, 3000)]


def test_a_sorted_file_gives_the_same_as_a_shuffled_one():
    order = np.argsort(TABLE["y"], kind="stable")
    source = TableSource({name: np.asarray(values)[order] for name, values in TABLE.items()}, cuts=(N // 2,))
    planned = plan(source, "y", spec={"id": {"cap": 1024}}, block_rows=700)
    states = fresh(planned)
    scan(planned, states, source=source)
    assert outcome(states) == WHOLE


def test_a_number_column_that_turns_to_text_at_a_later_row_is_counted():
    n = 3000
    code = [str(i % 40) for i in range(n)]
    code[2990] = "unknown"
    source = TableSource({"code": code, "y": [str(i % 2) for i in range(n)]}, cuts=(2000,))
    planned = plan(source, "y", block_rows=500)
    assert planned.column("code").kind == "number"
    state = CountState([("code", "values")], "y", planned)
    scan(planned, {"c": state}, source=source)
    table = state.finalize()["code", "values"]
    assert sorted(table.counts.sum(axis=1).tolist())[0] == 1
    assert table.counts.sum() == n


def test_two_labels_are_counted_in_one_pass_and_rows_without_one_are_left_out():
    y = np.tile([0.0, 1.0], N // 2)
    y[::10] = np.nan
    y[5] = 2.0
    data = TABLE | {"y": y, "z": RNG.normal(size=N)}
    source = TableSource(data)
    planned = plan(source, ["y", "z"], label_bins=5, block_rows=700)
    states = {name: CountState([("town", "values")], name, planned) for name in ("y", "z")}
    scan(planned, states, source=source)
    by_y, by_z = (states[name].finalize()["town", "values"] for name in ("y", "z"))
    assert by_y.label_counts.tolist() == planned.label("y").counts.tolist() == [2000, 2499, 1]
    assert by_z.label_counts.tolist() == planned.label("z").counts.tolist()
    assert by_z.counts.shape[1] == 5


def test_a_subsample_is_the_same_for_any_blocks():
    totals = []
    for cuts, rows in (((), 700), ((), 5000), ((), 333)):
        source, planned = planned_source(cuts, block_rows=rows, subsample=7)
        state = Sums(["id"])
        scan(planned, {"s": state}, source=source)
        totals.append(state.finalize())
    assert totals[0] == totals[1] == totals[2]
    assert totals[0][0][0] == pytest.approx(N / 7, abs=1)


def test_only_the_columns_asked_for_are_read():
    source, planned = planned_source()
    read = []
    batches = source.batches
    source.batches = lambda shard, columns, *how: read.append(list(columns)) or batches(shard, columns, *how)
    scan(planned, {"s": Sums(["id"])}, source=source, columns=["id"])
    assert read == [["id", "y"]]
    with pytest.raises(ValueError, match="did you mean 'town'"):
        scan(planned, {}, source=source, columns=["twon"])


# --- errors ---


def test_an_unseen_label_value_is_named_with_its_shard():
    _source, planned = planned_source((2000,))
    changed = TableSource(TABLE | {"y": np.where(np.arange(N) == 4000, 9, TABLE["y"])}, cuts=(2000,))
    with pytest.raises(ValueError, match=r"value 9 in row 2000 of shard 1"):
        scan(planned, fresh(planned), source=changed)


def test_a_source_that_is_not_the_planned_one_is_refused():
    _, planned = planned_source()
    with pytest.raises(ValueError, match="not the one that was planned"):
        scan(planned, fresh(planned), source=TableSource({"id": [1], "y": [0]}))


def test_a_derived_column_must_not_hide_another():
    source, planned = planned_source()
    slow = Slow()
    slow.names = ("id",)
    for derive in ([slow], [Slow(), Slow()]):
        with pytest.raises(ValueError, match="already; choose another name"):
            scan(planned, {}, source=source, derive=derive)


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_in_a_part_comes_out(threads):
    class Broken(Sums):
        def _add(self, i, name, block):
            raise ArithmeticError(name)

    source, planned = planned_source()
    with pytest.raises(ArithmeticError):
        scan(planned, {"s": Broken(["id"])}, source=source, threads=threads)


# --- parts of a scan, on several machines ---


def test_parts_saved_by_several_machines_merge_to_the_whole(tmp_path):
    source, planned = planned_source((1000, 2000, 3000, 4000))
    for i in range(3):
        states = fresh(planned)
        part = f"{i}/3"
        scan(planned, states, source=source, shards=part)
        save_state(tmp_path / f"{i}.arrow", states, planned, shards=part)
    states = fresh(planned)
    assert merge_states([tmp_path / f"{i}.arrow" for i in (2, 0, 1)], states, planned) == (0, 1, 2, 3, 4)
    assert outcome(states) == WHOLE


def test_overlapping_and_absent_parts_are_refused(tmp_path):
    _source, planned = planned_source((1000, 2000))
    for i, shards in enumerate(([0], [0, 1])):
        save_state(tmp_path / f"{i}.arrow", fresh(planned), planned, shards=shards)
    with pytest.raises(ValueError, match="both hold shard 0"):
        merge_states([tmp_path / "0.arrow", tmp_path / "1.arrow"], fresh(planned), planned)
    with pytest.raises(ValueError, match="2 of 3 shards are in none"):
        merge_states([tmp_path / "0.arrow"], fresh(planned), planned)
    assert merge_states([tmp_path / "0.arrow"], fresh(planned), planned, partial=True) == (0,)


@pytest.mark.parametrize("part", ["4/4", "1", "a/2", "-1/2", "1/0"])
def test_a_part_that_does_not_exist_is_refused(part):
    source, planned = planned_source((1000,))
    with pytest.raises(ValueError, match="'0/4' for the first of four"):
        scan(planned, fresh(planned), source=source, shards=part)


def test_states_of_another_plan_class_or_name_are_refused(tmp_path):
    _source, planned = planned_source()
    path = tmp_path / "s.arrow"
    save_state(path, {"s": Sums(["id"])}, planned, shards=[0])
    _, other = planned_source(seed=9)
    with pytest.raises(ValueError, match="another plan"):
        load_state(path, {"s": Sums(["id"])}, other)
    with pytest.raises(ValueError, match="a Sums, but a CountState"):
        load_state(path, {"s": CountState(ITEMS, "y", planned)}, planned)
    with pytest.raises(ValueError, match=r"holds the states \['s'\]"):
        load_state(path, {"t": Sums(["id"])}, planned)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="is damaged"):
        load_state(path, {"s": Sums(["id"])}, planned)


# --- checkpoints ---


def test_damaged_states_are_refused(tmp_path):
    """Some flipped bits changed counts, and nobody noticed; others crashed Arrow."""
    source, planned = planned_source((900,))
    states = {"s": CountState(ITEMS, "y", planned)}
    scan(planned, states, source=source, checkpoint=tmp_path)
    path = tmp_path / "scan.arrow"
    whole = path.read_bytes()
    for place in range(0, len(whole), max(1, len(whole) // 100)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 8]) + whole[place + 1 :])
        with pytest.raises(ValueError, match=r"scan\.arrow .*; remove it and start again"):
            scan(planned, fresh(planned), source=source, checkpoint=tmp_path, resume=True)
    with pytest.raises(ValueError, match=r"scan\.arrow .*; count that part again"):
        load_state(path, fresh(planned), planned)


def test_states_of_an_older_format_are_to_be_made_again(tmp_path):
    _source, planned = planned_source((900,))
    path = tmp_path / "s.arrow"
    with pa.ipc.new_file(str(path), pa.schema([], metadata={"salience": '{"format": "salience-states-1"}'})):
        pass
    with pytest.raises(ValueError, match=r"an older version .*; count that part again"):
        load_state(path, fresh(planned), planned)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("after", [1, 3, 7])
def test_an_interrupted_scan_resumes_to_the_same_bits(tmp_path, after, threads):
    source, planned = planned_source((2500,))
    options = {"source": source, "checkpoint": tmp_path, "threads": threads}
    with pytest.raises(KeyboardInterrupt):
        scan(planned, fresh(planned), progress=Interruption(after), **options)
    seen = []
    states = fresh(planned)
    scan(planned, states, resume=True, progress=lambda *p: seen.append(p), **options)
    assert outcome(states) == WHOLE
    assert len(seen) == 8 - after
    assert seen[-1] == (N, N)


def test_a_finished_scan_resumes_at_once(tmp_path):
    source, planned = planned_source()
    scan(planned, fresh(planned), source=source, checkpoint=tmp_path)
    states = fresh(planned)
    scan(planned, states, source=source, checkpoint=tmp_path, resume=True, progress=Interruption(1))
    assert outcome(states) == WHOLE


def test_without_resume_a_checkpoint_is_not_used(tmp_path):
    source, planned = planned_source()
    for _ in range(2):
        states = fresh(planned)
        scan(planned, states, source=source, checkpoint=tmp_path)
    assert outcome(states) == WHOLE


def test_a_checkpoint_of_another_plan_or_part_is_refused(tmp_path):
    source, planned = planned_source((2500,))
    scan(planned, fresh(planned), source=source, checkpoint=tmp_path, shards="0/2")
    with pytest.raises(ValueError, match="no checkpoint of this scan"):
        scan(planned, fresh(planned), source=source, checkpoint=tmp_path, resume=True)
    other = planned_source((2500,), seed=1)[1]
    with pytest.raises(ValueError, match="another plan"):
        scan(other, fresh(other), source=source, checkpoint=tmp_path, resume=True)


def test_ctrl_c_lets_the_block_finish_and_saves(tmp_path):
    source, planned = planned_source()

    class Pressed(Sums):
        def _add(self, i, name, block):
            if block.id == (0, 1400) and name == "town":
                os.kill(os.getpid(), signal.SIGINT)
            super()._add(i, name, block)

    states = {"s": Pressed(["id", "town", "x"])}
    with pytest.raises(KeyboardInterrupt):
        scan(planned, states, source=source, checkpoint=tmp_path, threads=1)
    loaded = {"s": Pressed(["id", "town", "x"])}
    _, cursor = load_state(tmp_path / "scan.arrow", loaded, planned)
    assert cursor == Cursor(0, 2100, 2100)
    assert [row[0] for row in loaded["s"].finalize()] == [2100] * 3
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interruption_in_the_middle_of_a_block_leaves_the_last_good_checkpoint(tmp_path):
    source, planned = planned_source()

    class Cut(Sums):
        def _add(self, i, name, block):
            if block.id == (0, 2100) and name == "town":
                raise KeyboardInterrupt
            super()._add(i, name, block)

    with pytest.raises(KeyboardInterrupt):
        scan(planned, {"s": Cut(["id", "town"])}, source=source, checkpoint=tmp_path, every=0.0, threads=1)
    loaded = Cut(["id", "town"])
    _, cursor = load_state(tmp_path / "scan.arrow", {"s": loaded}, planned)
    assert cursor.done == 2100
    assert [row[0] for row in loaded.finalize()] == [2100] * 2


KILLED = """
import os, sys, threading, time
sys.path[:0] = {paths!r}
from test_scan import fresh, planned_source
from salience.data.scan import scan
source, planned = planned_source((2500,))
def progress(done, total):
    print(done, flush=True)
    time.sleep(0.02)
scan(planned, fresh(planned), source=source, checkpoint={folder!r}, every=0.0, progress=progress)
"""


@pytest.mark.parametrize("blocks", [2, 5])
def test_kill_9_at_any_moment_leaves_a_checkpoint_to_resume_from(tmp_path, blocks):
    paths = [os.path.dirname(__file__), *filter(None, sys.path)]
    script = KILLED.format(paths=paths, folder=str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        for _ in range(blocks):
            process.stdout.readline()
        process.kill()
    source, planned = planned_source((2500,))
    states, seen = fresh(planned), []
    scan(planned, states, source=source, checkpoint=tmp_path, resume=True, progress=lambda *p: seen.append(p))
    assert outcome(states) == WHOLE
    assert 0 < len(seen) < 8


def test_a_failed_write_leaves_the_former_checkpoint(tmp_path):
    _source, planned = planned_source()
    path = tmp_path / "s.arrow"
    good = Sums(["id"])
    save_state(path, {"s": good}, planned, shards=[0])

    class Broken(Sums):
        def to_arrow(self):
            raise OSError("disk full")

    before = path.read_bytes()
    with pytest.raises(OSError, match="disk full"):
        save_state(path, {"a": good, "s": Broken(["id"])}, planned, shards=[0])
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["s.arrow"]


# --- threads ---


def test_parts_of_one_column_run_in_one_thread():
    where = {}

    class Noted(Sums):
        def _add(self, i, name, block):
            where.setdefault((block.id, name), set()).add(threading.get_ident())
            super()._add(i, name, block)

    source, planned = planned_source()
    scan(planned, {"a": Noted(["id", "town"]), "b": Noted(["town", "x", "id"])}, source=source, threads=2)
    assert all(len(threads) == 1 for threads in where.values())


# --- a cluster ---


class Slow:
    """A derived column that takes its time, so that a worker dies while others work."""

    names = ("slow",)

    def derive(self, block, name):
        time.sleep(0.03)
        return block.column("id")


@pytest.fixture(scope="module")
def client():
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    with cluster(2) as client:
        yield client
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def slow_scan(planned, states, source, **options):
    everything = states | {"slow": Sums(["slow"])}
    scan(planned, everything, source=source, derive=[Slow()], **options)
    return outcome(states), everything["slow"].finalize()


def test_a_cluster_that_loses_a_worker_gives_the_same_bits_as_one_process(client):
    source, planned = planned_source(tuple(range(250, N, 250)))
    alone = slow_scan(planned, fresh(planned), source)
    victim, _ = client.run(os.getpid).values()
    killed = []

    def kill(done, total):
        if not killed:
            killed.append((done, total))
            os.kill(victim, signal.SIGKILL)

    together = slow_scan(planned, fresh(planned), source, client=client, progress=kill)
    assert killed[0][0] < N
    assert together == alone
    assert alone[0] == WHOLE
    assert victim not in client.run(os.getpid).values()


def test_a_cluster_names_the_unseen_label_value(client):
    _, planned = planned_source((2000,))
    changed = TableSource(TABLE | {"y": np.where(np.arange(N) == 4000, 9, TABLE["y"])}, cuts=(2000,))
    with pytest.raises(ValueError, match="value 9 in row 2000 of shard 1"):
        scan(planned, fresh(planned), source=changed, client=client)


def test_a_cluster_scans_a_part(client):
    source, planned = planned_source((2000, 3000))
    here, there = fresh(planned), fresh(planned)
    scan(planned, here, source=source, shards="1/2")
    scan(planned, there, source=source, shards="1/2", client=client)
    assert outcome(here) == outcome(there)


def test_a_cluster_takes_no_checkpoint(tmp_path):
    source, planned = planned_source()
    with pytest.raises(ValueError, match="does not go with client"):
        scan(planned, fresh(planned), source=source, client=object(), checkpoint=tmp_path)


# --- files ---


def written(path, format):
    table = pa.table(TABLE)
    if format == "parquet":
        pq.write_table(table, path, row_group_size=1000)
    else:
        csv.write_csv(table, path)
    return path


@pytest.mark.parametrize("format", ["parquet", "csv"])
def test_files_of_any_format_give_the_same_counts(tmp_path, format, client):
    path = written(tmp_path / f"data.{format}", format)
    planned = plan(path, "y", spec={"id": {"cap": 1024}}, block_rows=700)
    again = Plan.from_json(planned.to_json())
    here, there = fresh(again), fresh(again)
    scan(again, here)
    scan(again, there, client=client)
    assert outcome(here) == outcome(there) == WHOLE


def test_a_copy_under_another_path_may_be_scanned_with_the_same_plan(tmp_path):
    path = written(tmp_path / "data.parquet", "parquet")
    planned = plan(path, "y", spec={"id": {"cap": 1024}}, block_rows=700)
    path.rename(tmp_path / "moved.parquet")
    states = fresh(planned)
    scan(planned, states, source=open_source(tmp_path / "moved.parquet"))
    assert outcome(states) == WHOLE


def test_data_in_memory_must_be_given_again():
    _, planned = planned_source()
    with pytest.raises(ValueError, match="give it as source="):
        scan(planned, fresh(planned))
