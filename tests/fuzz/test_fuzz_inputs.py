"""Damaged, odd and hostile inputs: a line and exit code 2, or a result; nothing else, and nothing left behind."""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from fuzzing import INPUTS, Worker, damaged, drawn, faults, left_behind

pytest_plugins = ["working"]  # the fixture `worker`

TABLES = ("csv", "csv.gz", "tsv", "ndjson", "parquet", "arrow", "feather")
VECTORS = ("npy", "npz")
COMMANDS = (
    "rank {} -t y --no-report --name r", "rank {} -t y --no-report --name r --no-controls --preset outrank",
    "audit {} -t y", "profile {}", "rows {}",
)  # fmt: skip


def table(rows: int = 60) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    names = [None if i % 11 == 0 else f"käse {i % 7}" for i in range(rows)]
    return pl.DataFrame(
        {"n": rng.normal(size=rows), "k": rng.integers(0, 9, rows), "s": names, "y": ["a", "b"] * (rows // 2)}
    )


def written(kind: str) -> bytes:
    """A small whole file of a kind."""
    frame, out = table(), io.BytesIO()
    if kind == "npy":
        np.save(out, np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32))
    elif kind == "npz":
        np.savez_compressed(out, vectors=np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32))
    elif kind == "csv.gz":
        return gzip.compress(frame.write_csv().encode())
    elif kind in ("csv", "tsv"):
        return frame.write_csv(separator="\t" if kind == "tsv" else ",").encode()
    elif kind == "ndjson":
        return frame.write_ndjson().encode()
    elif kind == "parquet":
        frame.write_parquet(out, row_group_size=20)
    else:
        arrow = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
        with pa.ipc.new_file(out, arrow.schema) as writer:
            writer.write_table(arrow, max_chunksize=20)
    return out.getvalue()


def tried(worker: Worker, folder: Path, name: str, content: bytes, command: str) -> list[str]:
    """What a command on a file of this content did that it must not do."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / name).write_bytes(content)
    answer = worker.call(command.format(name).split(), folder)
    found = faults(answer)
    if answer["code"] not in (0, 2):  # what a process leaves that is killed is looked at elsewhere
        return [f"{command.format(name)!r} {fault}: {answer['err'].strip()[-300:]}" for fault in found]
    expected = {name, "runs"} if answer["code"] == 0 else {name}
    found += [f"left {path}" for path in left_behind(folder, expected)]
    if (folder / "runs").exists():
        found += [f"left runs/{path}" for path in left_behind(folder / "runs", {"r"})]
    found += [f"left {path} among the temporary files" for path in left_behind(worker.temporary, set())]
    return [f"{command.format(name)!r} {fault}: {answer['err'].strip()[-300:]}" for fault in found]


@pytest.mark.parametrize("kind", TABLES)
def test_damaged_tables(kind: str, worker: Worker, tmp_path: Path) -> None:
    whole, bad = written(kind), []
    assert not tried(worker, tmp_path / "whole", f"t.{kind}", whole, COMMANDS[0])
    for number in range(max(1, INPUTS // 2 // len(TABLES))):
        rng = drawn(number, 1, TABLES.index(kind))
        done, content = damaged(whole, rng)
        command = COMMANDS[rng.integers(len(COMMANDS))]
        bad += [
            f"#{number} {done}: {said}"
            for said in tried(worker, tmp_path / "bad", f"t.{kind}", content, command)
        ]
    assert not bad, "\n".join(bad)


@pytest.mark.parametrize("kind", VECTORS)
def test_damaged_vectors(kind: str, worker: Worker, tmp_path: Path) -> None:
    whole, bad = written(kind), []
    command = "index {} --name r --no-verify --no-report"
    for number in range(max(1, INPUTS // 24)):
        done, content = damaged(whole, drawn(number, 2, VECTORS.index(kind)))
        bad += [
            f"#{number} {done}: {said}"
            for said in tried(worker, tmp_path / "bad", f"v.{kind}", content, command)
        ]
    assert not bad, "\n".join(bad)


ENCODINGS = ("latin-1", "cp1252", "utf-16", "utf-16-le", "utf-32", "utf-8-sig", "shift_jis", "cp037")
SIGNS = ('"', '""', ",", "\n", "\r\n", "\r", "\x00", "\x1b[2J", "\u202e", "é", "\ud7ff", "\ufeff", "𝄞", "=1+1", "\t",
         "nan", "1e999", "-0", "9" * 40, " ", "", "a,b", "{}", "x" * 5000)  # fmt: skip


def test_odd_texts(worker: Worker, tmp_path: Path) -> None:
    """Tables of signs that mean something to some reader, in any encoding."""
    bad = []
    for number in range(INPUTS // 4):
        rng = drawn(number, 3)
        columns, rows = int(rng.integers(1, 5)), int(rng.integers(0, 30))
        cells = [[SIGNS[i] for i in rng.integers(len(SIGNS), size=columns)] for _ in range(rows + 1)]
        for row in cells:
            row.append("ab"[rng.integers(2)])
        cells[0][-1] = "y"
        text = "\n".join(",".join(row) for row in cells)
        encoding = ENCODINGS[rng.integers(len(ENCODINGS))] if rng.random() < 0.5 else "utf-8"
        content = text.encode(encoding, "replace")
        command = COMMANDS[rng.integers(len(COMMANDS))]
        bad += [
            f"#{number} {encoding}: {said}"
            for said in tried(worker, tmp_path / "bad", "t.csv", content, command)
        ]
    assert not bad, "\n".join(bad)


def test_odd_json_lines(worker: Worker, tmp_path: Path) -> None:
    values = [
        1,
        -1.5,
        10**30,
        "a",
        "\x1b[2J",
        "\ud800",
        None,
        True,
        [1, "a"],
        {"a": 1},
        [[]],
        "",
        float("nan"),
    ]
    bad = []
    for number in range(INPUTS // 8):
        rng = drawn(number, 4)
        lines = []
        for _ in range(rng.integers(0, 30)):
            names = [f"c{i}" for i in rng.integers(4, size=3)] + ["y"] * (rng.random() < 0.95)
            lines.append(json.dumps({name: values[rng.integers(len(values))] for name in names}))
        if lines and rng.random() < 0.3:
            lines[rng.integers(len(lines))] = ["[" * 5000, "{", '{"y": 1}{"y": 2}', "null", "\x00"][
                rng.integers(5)
            ]
        content = "\n".join(lines).encode()
        command = COMMANDS[rng.integers(len(COMMANDS))]
        bad += [
            f"#{number}: {said}" for said in tried(worker, tmp_path / "bad", "t.ndjson", content, command)
        ]
    assert not bad, "\n".join(bad)


@pytest.mark.parametrize("kind", ["csv", "ndjson", "parquet"])
def test_a_pipe_by_name_is_read_or_refused(kind: str, worker: Worker, tmp_path: Path) -> None:
    (tmp_path / "whole").write_bytes(written(kind))
    os.mkfifo(tmp_path / f"t.{kind}")
    with subprocess.Popen(f"exec timeout 20 cat whole > t.{kind}", shell=True, cwd=tmp_path) as feeding:
        answer = worker.call(COMMANDS[0].format(f"t.{kind}").split(), tmp_path)
        feeding.kill()
    assert not faults(answer), answer["err"]
