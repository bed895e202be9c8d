"""The run folder: whole or absent, never overwritten, resumable, and refused when it is not one."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from salience.results import Scores
from salience.runs import Run, RunWriter, read_options
from salience.verify.check import Check
from salience.verify.verdict import report

SCORES = Scores.from_values({"age": 0.2, "city": 0.7})
OPTIONS = {"target": ["y"], "seed": 0}


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_a_run_comes_back_as_it_was_written(tmp_path: Path) -> None:
    with RunWriter(tmp_path / "a", "rank", OPTIONS, argv=["salience", "rank", "my file.csv"]) as run:
        run.write_scores("scores", SCORES)
        run.write_frame("audit", pl.DataFrame({"column": ["age"]}))
        run.write_json("plan", '{"rows": 3}')
        run.note("2 ragged rows left out")
    back = Run.open(tmp_path / "a")
    assert back.scores.top(1).items == ["city"]
    assert back.audit["column"].to_list() == ["age"]
    assert back.plan == {"rows": 3}
    assert (back.pairs, back.verdict) == (None, None)
    assert back.options["target"] == ["y"]
    assert back.seed == 0
    assert back.notes == ["2 ragged rows left out"]
    assert back.info["command_line"] == "salience rank 'my file.csv'"
    assert back.info["status"] == "complete"
    assert "2 ragged rows" in (tmp_path / "a" / "log.txt").read_text()


def test_the_folder_has_its_name_only_when_complete(tmp_path: Path) -> None:
    with RunWriter(tmp_path / "a", "rank", OPTIONS) as run:
        run.write_json("plan", {})
        assert names(tmp_path) == ["a.partial"]
        assert not any(name.startswith(".") for name in names(run.partial))
    assert names(tmp_path) == ["a"]
    assert names(tmp_path / "a") == ["log.txt", "plan.json", "run.json"]


def test_an_existing_run_is_never_overwritten(tmp_path: Path) -> None:
    for value in range(3):
        with RunWriter(tmp_path / "a", "rank", {"seed": value}):
            pass
    assert names(tmp_path) == ["a", "a-2", "a-3"]
    assert Run.open(tmp_path / "a").seed == 0


def test_force_replaces_a_run(tmp_path: Path) -> None:
    for value in range(2):
        with RunWriter(tmp_path / "a", "rank", {"seed": value}, force=True):
            pass
    assert names(tmp_path) == ["a"]
    assert Run.open(tmp_path / "a").seed == 1


def test_force_keeps_the_old_run_when_the_new_one_fails(tmp_path: Path) -> None:
    with RunWriter(tmp_path / "a", "rank", {"seed": 0}):
        pass
    with pytest.raises(ValueError, match="bad"), RunWriter(tmp_path / "a", "rank", {"seed": 1}, force=True):
        raise ValueError("bad")
    assert Run.open(tmp_path / "a").seed == 0


def test_force_does_not_delete_what_is_not_a_run(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "thesis.tex").write_text("years of work")
    with pytest.raises(ValueError, match="not one"), RunWriter(tmp_path / "a", "rank", OPTIONS, force=True):
        pass
    assert names(tmp_path / "a") == ["thesis.tex"]


@pytest.mark.parametrize("error", [ValueError("no such label"), RuntimeError("fault"), KeyboardInterrupt()])
def test_nothing_is_left_of_a_run_that_failed_without_a_checkpoint(
    tmp_path: Path, error: BaseException
) -> None:
    with pytest.raises(type(error)), RunWriter(tmp_path / "runs" / "deep" / "a", "rank", OPTIONS):
        raise error
    assert names(tmp_path) == []


def fail_half_way(path: Path, error: BaseException, options: dict = OPTIONS) -> None:
    with RunWriter(path, "rank", options) as run:
        run.checkpoint.mkdir()
        (run.checkpoint / "scan.arrow").write_bytes(b"half of the counts")
        raise error


def interrupt(path: Path, options: dict = OPTIONS) -> KeyboardInterrupt:
    with pytest.raises(KeyboardInterrupt) as caught:
        fail_half_way(path, KeyboardInterrupt(), options)
    return caught.value


def test_an_interrupted_run_with_a_checkpoint_is_resumed(tmp_path: Path) -> None:
    error = interrupt(tmp_path / "a")
    assert names(tmp_path) == ["a.partial"]
    assert "--resume" in error.__notes__[0]
    with RunWriter(tmp_path / "a", "rank", OPTIONS, resume=True) as run:
        assert (run.checkpoint / "scan.arrow").read_bytes() == b"half of the counts"
    assert names(tmp_path) == ["a"]
    assert names(tmp_path / "a") == ["log.txt", "run.json"]
    assert "interrupted" in (tmp_path / "a" / "log.txt").read_text()


def killed(path: Path, options: dict = OPTIONS) -> Path:
    """What kill -9 leaves: an open run, of which only the lock goes with the process."""
    run = RunWriter(path, "rank", options).__enter__()
    run.write_json("plan", {})
    (run.partial / ".scores.parquet.x1.partial").write_text("half")
    run._log.close()
    return run.partial


@pytest.mark.parametrize("again", [{}, {"force": True}, {"resume": True}])
def test_a_run_killed_before_its_first_checkpoint_is_taken_up_from_the_start(
    tmp_path: Path, again: dict[str, bool]
) -> None:
    killed(tmp_path / "a")
    with RunWriter(tmp_path / "a", "rank", OPTIONS, **again) as run:
        assert not run.checkpoint.exists()
        run.write_json("plan", {"rows": 3})
    assert names(tmp_path) == ["a"]
    assert names(tmp_path / "a") == ["log.txt", "plan.json", "run.json"]
    assert Run.open(tmp_path / "a").plan == {"rows": 3}


def test_a_run_killed_before_it_wrote_anything_is_taken_up(tmp_path: Path) -> None:
    (tmp_path / "a.partial").mkdir()
    with RunWriter(tmp_path / "a", "rank", OPTIONS, resume=True):
        pass
    assert names(tmp_path) == ["a"]


def test_a_second_interruption_does_not_lose_the_hint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = RunWriter.log

    def pressed_again(self: RunWriter, line: str) -> None:
        if line.startswith("interrupted"):
            signal.raise_signal(signal.SIGINT)
        log(self, line)

    monkeypatch.setattr(RunWriter, "log", pressed_again)
    error = interrupt(tmp_path / "a")
    assert "--resume" in error.__notes__[0]
    assert names(tmp_path) == ["a.partial"]


def test_an_interruption_does_not_lose_a_run_that_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = RunWriter.log

    def pressed(self: RunWriter, line: str) -> None:
        if line.startswith("complete"):
            signal.raise_signal(signal.SIGINT)
        log(self, line)

    monkeypatch.setattr(RunWriter, "log", pressed)
    with RunWriter(tmp_path / "a", "rank", OPTIONS):
        pass
    assert names(tmp_path) == ["a"]


def test_escape_codes_do_not_reach_the_log(tmp_path: Path) -> None:
    with RunWriter(tmp_path / "a", "rank", OPTIONS) as run:
        run.note("column 'x\x1b]0;owned\x07\u202e' is odd")
    log = (tmp_path / "a" / "log.txt").read_text()
    assert "x\\x1b]0;owned\\x07\\u202e" in log
    assert log.replace("\n", "").isprintable()


FILES = {
    "run.json": lambda run: run.info,
    "plan.json": lambda run: run.plan,
    "scores.parquet": lambda run: run.scores,
    "audit.parquet": lambda run: run.audit,
    "verdict.json": lambda run: run.verdict,
    "picture.svg": lambda run: run.checked("picture.svg"),
}


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    check = Check.not_run("fidelity", "no attributions")
    with RunWriter(folder / "a", "rank", OPTIONS) as run:
        run.write_scores("scores", SCORES)
        run.write_frame("audit", pl.DataFrame({"column": ["age"]}))
        run.write_json("plan", '{"rows": 3}')
        run.write_json("verdict", report([check]).to_json())
        run.write_picture("picture", "<svg></svg>")
    return folder / "a"


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_of_a_run_is_refused(whole_run: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(whole_run, tmp_path / "a")
    assert FILES[name](Run.open(tmp_path / "a")) is not None
    path = tmp_path / "a" / name
    content = path.read_bytes()
    for place in range(0, len(content), max(1, len(content) // 40)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 2]) + content[place + 1 :])
        with pytest.raises(ValueError, match=rf"{name}.*; (make the run again|remove it)"):
            FILES[name](Run.open(tmp_path / "a"))


def test_a_run_of_an_older_format_is_to_be_made_again(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "run.json").write_text('{"salience_run": 1}')
    with pytest.raises(ValueError, match=r"older salience.*make the run again"):
        Run.open(tmp_path / "a")


def test_a_damaged_record_of_an_interrupted_run_says_how_to_start_again(tmp_path: Path) -> None:
    interrupt(tmp_path / "a")
    (tmp_path / "a.partial" / "run.json").write_text("{")
    with (
        pytest.raises(ValueError, match=r"run\.json is damaged.*--force"),
        RunWriter(tmp_path / "a", "rank", OPTIONS, resume=True),
    ):
        pass
    with RunWriter(tmp_path / "a", "rank", OPTIONS, force=True):
        pass
    assert names(tmp_path) == ["a"]


def test_bad_input_leaves_no_checkpoint_to_resume(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unseen label"):
        fail_half_way(tmp_path / "a", ValueError("unseen label"))
    assert names(tmp_path) == []


def test_resuming_with_other_options_is_refused_and_harmless(tmp_path: Path) -> None:
    interrupt(tmp_path / "a")
    with (
        pytest.raises(ValueError, match="seed was 0, is now 1"),
        RunWriter(tmp_path / "a", "rank", OPTIONS | {"seed": 1}, resume=True),
    ):
        pass
    assert (tmp_path / "a.partial" / "checkpoint" / "scan.arrow").exists()


@pytest.mark.parametrize("change", [{"threads": 8}, {"checkpoint_every": 3.0}])
def test_what_changes_no_number_may_change_on_resume(tmp_path: Path, change: dict[str, float]) -> None:
    interrupt(tmp_path / "a", OPTIONS | {"threads": 1})
    with RunWriter(tmp_path / "a", "rank", OPTIONS | change, resume=True):
        pass
    assert names(tmp_path) == ["a"]


def test_an_interrupted_run_is_not_taken_for_a_free_name(tmp_path: Path) -> None:
    interrupt(tmp_path / "a")
    with RunWriter(tmp_path / "a", "rank", OPTIONS):
        pass
    assert names(tmp_path) == ["a-2", "a.partial"]
    (note,) = Run.open(tmp_path / "a-2").notes
    assert "--resume" in note
    assert "--force" in note


def test_resume_without_anything_to_resume_says_what_there_is(tmp_path: Path) -> None:
    interrupt(tmp_path / "b")
    with (
        pytest.raises(ValueError, match=r"nothing to resume.*b\.partial"),
        RunWriter(tmp_path / "a", "rank", OPTIONS, resume=True),
    ):
        pass


def test_two_writers_of_one_name_do_not_meet(tmp_path: Path) -> None:
    with RunWriter(tmp_path / "a", "rank", OPTIONS), RunWriter(tmp_path / "a", "rank", OPTIONS, force=True):
        assert names(tmp_path) == ["a-2.partial", "a.partial"]
    assert names(tmp_path) == ["a", "a-2"]


@pytest.mark.parametrize(
    ("number", "said"), [(errno.ENOSPC, "disk is full"), (errno.EACCES, "may not be written")]
)
def test_a_disk_that_fails_leaves_nothing_and_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, said: str
) -> None:
    def no_space(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    def write() -> None:
        with RunWriter(tmp_path / "a", "rank", OPTIONS) as run:
            monkeypatch.setattr(os, "fsync", no_space)
            run.write_json("plan", {})

    with pytest.raises(OSError, match=f"plan.json.*{said}.*--output"):
        write()
    assert names(tmp_path) == []


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 kB; needs the right to mount."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("cannot mount a disk here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("what", ["text", "frame", "scores"])
def test_a_disk_that_is_really_full(tiny_disk: Path, what: str) -> None:
    big = [os.urandom(20).hex() for _ in range(20_000)]  # nothing that compresses
    writes = {
        "text": lambda run: run.write_text("report.html", "".join(big)),
        "frame": lambda run: run.write_frame("audit", pl.DataFrame({"column": big})),
        "scores": lambda run: run.write_scores("scores", Scores.from_values(range(len(big)), big)),
    }
    with pytest.raises(OSError, match="disk is full"), RunWriter(tiny_disk / "a", "rank", OPTIONS) as run:
        writes[what](run)
    assert names(tiny_disk) == []


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("not a folder")
    with pytest.raises(OSError, match=r"runs.*--output"), RunWriter(tmp_path / "runs" / "a", "rank", OPTIONS):
        pass


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda p: None, "there is no run"),
        (lambda p: p.mkdir(), "no run.json"),
        (lambda p: (p.mkdir(), (p / "run.json").write_text("{")), "damaged"),
        (lambda p: (p.mkdir(), (p / "run.json").write_text("[]")), "damaged"),
        (lambda p: (p.mkdir(), (p / "run.json").write_text("{}")), "not written by salience"),
        (lambda p: (p.mkdir(), (p / "run.json").write_text('{"salience_run": 99}')), "newer salience"),
        (lambda p: p.with_name("a.partial").mkdir(), "unfinished"),
    ],
)
def test_what_is_not_a_run_is_refused(tmp_path: Path, make, said: str) -> None:
    make(tmp_path / "a")
    with pytest.raises(ValueError, match=said):
        Run.open(tmp_path / "a")


@given(
    st.dictionaries(st.text(max_size=5), st.none() | st.booleans() | st.integers() | st.text() | st.floats())
)
def test_any_options_can_be_recorded(tmp_path_factory: pytest.TempPathFactory, options: dict) -> None:
    folder = tmp_path_factory.mktemp("any")
    with RunWriter(folder / "a", "rank", options):
        pass
    text = (folder / "a" / "run.json").read_text()
    assert set(json.loads(text, parse_constant=pytest.fail)["options"]) == set(options)


def test_an_options_file_names_its_mistakes(tmp_path: Path) -> None:
    file = tmp_path / "o.toml"
    file.write_text("labelbins = 5")
    with pytest.raises(ValueError, match="label_bins"):
        read_options(file, ["label_bins", "seed"])
    file.write_text("seed: 5")
    with pytest.raises(ValueError, match="not TOML"):
        read_options(file, ["seed"])
    with pytest.raises(ValueError, match="cannot be read"):
        read_options(tmp_path / "none.toml", ["seed"])
