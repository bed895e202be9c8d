"""Bad input: exit code 2, one line that teaches, no traceback, nothing written."""

from __future__ import annotations

import errno
import gzip
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest

pytest_plugins = ["calling"]  # the fixtures `call` and `clicks`

Make = Callable[[Path, Path], object]  # (the file to make, a good CSV) -> anything


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def rewrite(change: Callable[[list[str]], list[str]]) -> Make:
    return lambda bad, good: bad.write_text("\n".join(change(lines(good))) + "\n")


def truncated_parquet(bad: Path, good: Path) -> None:
    pl.read_csv(good).write_parquet(bad)
    bad.write_bytes(bad.read_bytes()[:-40])


BAD: dict[str, tuple[str, Make, list[str], list[str]]] = {
    # name: (file, how it is made, further arguments, what the one line must say)
    "missing file": ("no.csv", lambda bad, good: None, [], ["no.csv"]),
    "near file name": ("click.csv", lambda bad, good: None, [], ["click.csv"]),
    "empty file": ("a.csv", lambda bad, good: bad.write_text(""), [], ["a.csv", "empty"]),
    "header only": ("a.csv", rewrite(lambda rows: rows[:1]), [], ["row"]),
    "one row": ("a.csv", rewrite(lambda rows: rows[:2]), [], ["click"]),
    "no such label": ("a.csv", rewrite(lambda rows: rows), ["-t", "clik"], ["clik", "click"]),
    "no label": ("a.csv", rewrite(lambda rows: rows), [], ["--target"]),
    "constant label": (
        "a.csv",
        rewrite(lambda rows: rows[:1] + [row[: row.rfind(",")] + ",1" for row in rows[1:]]),
        [],
        ["click", "1"],
    ),
    "wrong delimiter": ("a.csv", rewrite(lambda rows: rows), ["--delimiter", ";"], ["click"]),
    "not UTF-8": (
        "a.csv",
        lambda bad, good: bad.write_bytes(good.read_bytes() + b"caf\xe9,u,1,2,,1\n"),
        [],
        ["UTF-8"],
    ),
    "truncated Parquet": ("a.parquet", truncated_parquet, [], ["a.parquet"]),
    "truncated gz": (
        "a.csv.gz",
        lambda bad, good: bad.write_bytes(gzip.compress(good.read_bytes())[:-20]),
        [],
        ["a.csv.gz"],
    ),
    "no gz": ("a.csv.gz", lambda bad, good: bad.write_bytes(good.read_bytes()), [], ["a.csv.gz"]),
    "unknown heuristic": ("a.csv", rewrite(lambda rows: rows), ["--heuristic", "cramers"], ["cramers-v"]),
    "unknown null": ("a.csv", rewrite(lambda rows: rows), ["--null", "permutation"], ["permute"]),
    "unknown format": ("a.csv", rewrite(lambda rows: rows), ["--format", "parket"], ["parquet"]),
    "unknown option": ("a.csv", rewrite(lambda rows: rows), ["--targte", "click"], ["--targte"]),
    "unknown focus": ("a.csv", rewrite(lambda rows: rows), ["--focus", "ads"], ["ad"]),
    "label left out": (
        "a.csv",
        rewrite(lambda rows: rows),
        ["--exclude", "ad,user,coin,hour,empty"],
        ["column"],
    ),
    "bad memory": ("a.csv", rewrite(lambda rows: rows), ["--memory", "lots"], ["lots"]),
    "order 4": ("a.csv", rewrite(lambda rows: rows), ["--order", "4"], ["order"]),
    "strict without verify": ("a.csv", rewrite(lambda rows: rows), ["--strict"], ["--verify"]),
    "shards without state": ("a.csv", rewrite(lambda rows: rows), ["--shards", "0/2"], ["--state"]),
    "name with a slash": ("a.csv", rewrite(lambda rows: rows), ["--name", "../x"], ["--name"]),
    "nothing to resume": ("a.csv", rewrite(lambda rows: rows), ["--resume"], ["nothing to resume"]),
    "bad scheduler": ("a.csv", rewrite(lambda rows: rows), ["--scheduler", "nowhere"], ["nowhere"]),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_leaves_nothing(case: str, call, clicks: Path) -> None:
    name, make, more, words = BAD[case]
    make(Path(name), clicks)
    before = sorted(Path().rglob("*"))
    target = [] if case == "no label" or "-t" in more else ["-t", "click"]
    result = call("rank", name, *target, *more)
    said = result.stderr.strip()
    assert result.exit_code == 2, said
    assert len(said.splitlines()) == 1, said
    assert "Traceback" not in said
    assert all(word.lower() in said.lower() for word in words), said
    assert result.stdout == ""
    assert sorted(Path().rglob("*")) == before


def test_debug_shows_where(call) -> None:
    result = call("rank", "no.csv", "-t", "y", "--debug")
    assert isinstance(result.exception, ValueError)


def test_a_directory_with_a_stray_file_is_explained_or_ranked(call, clicks: Path) -> None:
    folder = Path("parts")
    folder.mkdir()
    (folder / "a.csv").write_bytes(clicks.read_bytes())
    (folder / "notes.docx").write_bytes(b"PK")
    result = call("rank", folder, "-t", "click")
    assert result.exit_code in (0, 2)
    assert "notes.docx" in result.stderr
    assert "Traceback" not in result.stderr


def test_an_unwritable_folder_is_named_before_the_work_starts(call, clicks: Path) -> None:
    Path("file").write_text("in the way")
    result = call("rank", clicks, "-t", "click", "-o", "file/runs")
    assert result.exit_code == 2
    assert len(result.stderr.strip().splitlines()) == 1
    assert "--output" in result.stderr


def test_a_full_disk_is_one_line_and_leaves_nothing(
    call, clicks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", no_space)
    result = call("rank", clicks, "-t", "click")
    assert result.exit_code == 2
    assert "disk is full" in result.stderr
    assert "Traceback" not in result.stderr
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["verify", "nowhere"], ["no run"]),
        (["report", "nowhere"], ["no run"]),
        (["merge", "nowhere.arrow"], ["nowhere.arrow"]),
        (["generate", "hay", "-o", "a.parquet"], ["needle"]),
        (["generate", "needle", "-o", "a.xlsx"], ["parquet"]),
        (["generate", "needle", "-o", "a.csv", "--set", "columns=many"], ["columns"]),
        (["generate", "needle", "-o", "a.csv", "--set", "colums=3"], ["columns"]),
        (["generate", "needle", "-o", "no/folder/a.csv"], ["no/folder"]),
        (["rnak"], ["rank"]),
        (["audit", "no.csv"], ["no.csv"]),
        (["compare", "no.csv", "no2.csv"], ["no.csv"]),
        (["transforms", "no.csv", "-t", "y"], ["no.csv"]),
        (["transforms", "no.csv"], ["--target"]),
        (["evolve", "no.csv", "-t", "y"], ["no.csv"]),
        (["rows", "no.csv"], ["no.csv"]),
        (["rare", "no.csv", "-t", "y"], ["no.csv"]),
        (["rare", "no.csv"], ["no.csv"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_every_command_says_what_is_wrong(command: list[str], words: list[str], call) -> None:
    result = call(*command)
    assert result.exit_code == 2
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    assert all(word in result.stderr for word in words), result.stderr
    assert list(Path().iterdir()) == []


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk with 4 kB left; needs the right to mount."""
    disk = tmp_path / "disk"
    disk.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], capture_output=True)
    if made.returncode:
        pytest.skip("cannot mount a disk here")
    (disk / "fill").write_bytes(bytes(60_000))
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)  # a traceback may hold a file open


@pytest.mark.parametrize(
    "command",
    [
        "rank {data} -t click -o {disk}/runs",
        "rank {data} -t click -o {disk}/runs --checkpoint-every 0",
        "rank {data} -t click --shards 0/1 --state {disk}/part.arrow",
        "select {data} -t click -o {disk}/runs",
        "generate needle -o {disk}/g.csv",
        "generate needle -o {disk}/g.parquet",
        "plot runs/clicks -o {disk}/old.png",
        "report runs/clicks -o {disk}/old.png",
    ],
)
def test_a_disk_that_is_really_full_is_one_line_and_leaves_what_was_there(
    command: str, call, clicks: Path, full_disk: Path
) -> None:
    assert call("rank", clicks, "-t", "click", "--no-report").exit_code == 0
    (full_disk / "old.png").write_text("old")
    result = call(*command.format(data=clicks, disk=full_disk).split())
    assert result.exit_code == 2, result.stderr
    said = [line for line in result.stderr.splitlines() if not line.startswith("note")]
    assert len(said) == 1
    assert said[0].startswith(f"cannot write {full_disk}")
    assert "the disk is full; free some space or" in said[0]
    assert sorted(p.name for p in full_disk.rglob("*")) == ["fill", "old.png"]
    assert (full_disk / "old.png").read_text() == "old"


@pytest.mark.parametrize("command", ["methods --json", "--version", "methods"])
def test_an_output_that_cannot_be_written_is_one_line(command: str) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "salience", *command.split()],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 2
    assert done.stderr.startswith("cannot write the output")
    assert len(done.stderr.splitlines()) == 1
