"""Damage to what salience itself wrote: refused, or the same answer; never another one."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest
from fuzzing import INPUTS, Worker, damaged, drawn, faults, left_behind
from test_fuzz_inputs import table

pytest_plugins = ["working"]  # the fixture `worker`

RANK = "rank t.csv -t y --name r --redundancy --audit --memory 600MB"
LOOKS = ("summary runs/r --json", "summary runs/r", "report runs/r -o r.html", "plot runs/r -o r.png")


@pytest.fixture(scope="module")
def made(worker: Worker, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, one that was stopped after its first block, and the counts of two parts."""
    folder = tmp_path_factory.mktemp("made")
    table(140_000).write_csv(folder / "t.csv")
    assert worker.call(RANK.split(), folder)["code"] == 0
    shutil.move(folder / "runs" / "r", folder / "whole")
    stopped = worker.call(f"{RANK} --checkpoint-every 0".split(), folder, stop=2)
    assert stopped["code"] == 130, stopped
    assert (folder / "runs" / "r.partial" / "checkpoint" / "scan.arrow").exists()
    for part in (0, 1):
        counted = worker.call(f"rank t.csv -t y --shards {part}/2 --state {part}.arrow".split(), folder)
        assert counted["code"] == 0, counted
    return folder


def scores(folder: Path) -> pl.DataFrame:
    return pl.read_parquet(folder / "scores.parquet")


def test_a_damaged_run(made: Path, worker: Worker, tmp_path: Path) -> None:
    files = sorted(
        path.name for path in (made / "whole").iterdir() if path.name not in ("log.txt", "report.html")
    )
    (tmp_path / "runs").mkdir()
    shutil.copytree(made / "whole", tmp_path / "runs" / "r")
    told = {}
    for look in LOOKS:
        answer = worker.call(look.split(), tmp_path)
        assert answer["code"] == 0, answer
        told[look] = answer["out"], (tmp_path / "r.html").read_bytes() if "report" in look else b""
    bad = []
    for number in range(INPUTS // 3):
        rng = drawn(number, 5)
        name, look = files[rng.integers(len(files))], LOOKS[rng.integers(len(LOOKS))]
        path = tmp_path / "runs" / "r" / name
        whole = path.read_bytes()
        done, content = damaged(whole, rng)
        path.write_bytes(content)
        answer = worker.call(look.split(), tmp_path)
        path.write_bytes(whole)
        found = faults(answer)
        if answer["code"] == 0 and content != whole:
            page = (tmp_path / "r.html").read_bytes() if "report" in look else b""
            found += ["gave another answer"] if (answer["out"], page) != told[look] else []
        found += [f"left {path}" for path in left_behind(tmp_path, {"runs", "r.html", "r.png"})]
        bad += [f"#{number} {name} {done}, {look!r} {fault}: {answer['err'][-300:]}" for fault in found]
    assert not bad, "\n".join(bad)


def test_a_damaged_run_is_not_judged(made: Path, worker: Worker, tmp_path: Path) -> None:
    shutil.copytree(made / "whole", tmp_path / "runs" / "r")
    bad = []
    for number in range(INPUTS // 20):
        rng = drawn(number, 9)
        path = tmp_path / "runs" / "r" / ("run.json", "plan.json", "scores.parquet")[rng.integers(3)]
        whole = path.read_bytes()
        done, content = damaged(whole, rng)
        path.write_bytes(content)
        answer = (
            worker.call(["verify", "runs/r"], tmp_path)
            if content != whole
            else {"code": 2, "out": "", "err": "-"}
        )
        path.write_bytes(whole)
        found = faults(answer) + ["was judged"] * (answer["code"] == 0)
        bad += [f"#{number} {path.name} {done} {fault}: {answer['err'][-300:]}" for fault in found]
    assert not bad, "\n".join(bad)


def test_a_damaged_checkpoint(made: Path, worker: Worker, tmp_path: Path) -> None:
    shutil.copy(made / "t.csv", tmp_path)
    template = made / "runs" / "r.partial"
    files = sorted(path.relative_to(template) for path in template.rglob("*") if path.is_file())
    bad = []
    for number in range(max(2, INPUTS // 24)):
        rng = drawn(number, 6)
        name = files[rng.integers(len(files))]
        shutil.rmtree(tmp_path / "runs", ignore_errors=True)
        shutil.copytree(template, tmp_path / "runs" / "r.partial")
        path = tmp_path / "runs" / "r.partial" / name
        done, content = damaged(path.read_bytes(), rng)
        path.write_bytes(content)
        answer = worker.call(f"{RANK} --resume".split(), tmp_path)
        found = faults(answer)
        if answer["code"] == 0:
            same = scores(tmp_path / "runs" / "r").equals(scores(made / "whole"))
            found += [] if same else ["gave other scores"]
        kept = "r" if answer["code"] == 0 else "r.partial"
        found += [f"left {left}" for left in left_behind(tmp_path / "runs", {kept})]
        bad += [f"#{number} {name} {done} {fault}: {answer['err'][-300:]}" for fault in found]
    assert not bad, "\n".join(bad)


def test_damaged_counts(made: Path, worker: Worker, tmp_path: Path) -> None:
    for part in (0, 1):
        shutil.copy(made / f"{part}.arrow", tmp_path)
    whole = (tmp_path / "1.arrow").read_bytes()
    bad = []
    for number in range(INPUTS // 6):
        done, content = damaged(whole, drawn(number, 7))
        (tmp_path / "1.arrow").write_bytes(content)
        answer = worker.call(["merge", "0.arrow", "1.arrow"], tmp_path)
        found = faults(answer)
        if answer["code"] == 0 and content != whole:
            found.append("was accepted")
        if content != whole:
            found += [f"left {left}" for left in left_behind(tmp_path, {"0.arrow", "1.arrow"})]
        bad += [f"#{number} {done} {fault}: {answer['err'][-300:]}" for fault in found]
    assert not bad, "\n".join(bad)
