"""``--as KIND:COLUMN``: what the person declares of a column holds in every command that plans a table."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from salience.cli import app, judging, options
from salience.data.readers import open_source

pytest_plugins = ["calling"]  # the fixture `call`


@pytest.fixture
def codes(tmp_path: Path) -> Path:
    """600 rows: the spelling of ``zip`` decides y, ``level`` is a number of two values, ``when`` a date."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 600)
    frame = pl.DataFrame(
        {
            "zip": np.where(y, "07", "7"),
            "level": rng.integers(1, 3, 600).astype(str),
            "when": [f"2020-01-{day:02d}" for day in rng.integers(1, 29, 600)],
            "size": [f" {x:.3f}" for x in rng.normal(size=600)],
            "y": y.astype(str),
        }
    )
    frame.write_csv(tmp_path / "codes.csv")
    return tmp_path / "codes.csv"


TABLE_COMMANDS = {
    "rank": ["--target", "y"],
    "select": ["--target", "y"],
    "interactions": ["--target", "y", "--model", "linear", "--shuffles", "2"],
    "explain": ["--target", "y", "--model", "logistic"],
    "labels": ["--target", "y", "--epochs", "2", "--no-verify"],
    "shrink": ["--target", "y", "--no-verify", "--rounds", "1"],
    "transforms": ["--target", "y"],
    "evolve": ["--target", "y", "--rounds", "1"],
    "audit": [],
    "profile": [],
    "rare": [],
    "rows": [],
    "compare": [],
}


@pytest.mark.parametrize("command", TABLE_COMMANDS)
def test_every_command_on_tables_knows_the_option_and_checks_it_first(
    call, codes: Path, command: str
) -> None:
    sources = [codes, codes] if command == "compare" else [codes]
    for given, said in {
        "text:zpi": "did you mean 'zip'?",
        "txet:zip": "did you mean 'text'?",
        "list:zip": "--multivalue",
        "zip": "KIND:COLUMN",
    }.items():
        result = call(command, *sources, *TABLE_COMMANDS[command], "--as", given)
        assert result.exit_code == 2, result.output
        assert f"--as {given}" in result.stderr
        assert said in result.stderr
        assert len(result.stderr.strip().splitlines()) == 1
    assert not list(Path.cwd().rglob("run.json"))


def test_no_other_command_takes_the_option() -> None:
    taking = {
        command.callback.__name__
        for command in app.app.registered_commands
        if "read_as" in inspect.signature(command.callback).parameters
    }
    assert taking == set(TABLE_COMMANDS)


def scores(folder: str) -> dict[str, float]:
    return dict(pl.read_parquet(Path("runs", folder, "scores.parquet")).select("column", "value").rows())


def test_rank_reads_a_column_as_declared_and_remembers_it(call, codes: Path) -> None:
    assert call("rank", codes, "-t", "y", "--name", "found").exit_code == 0
    result = call("rank", codes, "-t", "y", "--name", "said", "--as", "number:zip", "--as", "text:level")
    assert result.exit_code == 0, result.output
    assert scores("found")["zip"] > 0.6
    assert scores("said")["zip"] < 0.01
    plan = json.loads(Path("runs/said/plan.json").read_text())
    assert {c["name"]: c["kind"] for c in plan["columns"]}["level"] == "text"
    assert json.loads(Path("runs/said/run.json").read_text())["options"]["read_as"] == [
        "number:zip",
        "text:level",
    ]


def test_a_note_on_the_command_line_names_the_option(call, codes: Path) -> None:
    result = call("rank", codes, "-t", "y")
    assert "note: column 'zip' stays text" in result.stderr
    assert "--as number:zip" in result.stderr
    assert "spec" not in result.stderr


def test_an_options_file_declares_too(call, codes: Path) -> None:
    Path("with.toml").write_text('target = "y"\nas = "number:zip"\n')
    assert call("rank", codes, "--options", "with.toml", "--name", "said").exit_code == 0
    assert scores("said")["zip"] < 0.01


def test_a_run_is_judged_with_what_was_declared(call, codes: Path, monkeypatch) -> None:
    assert call("rank", codes, "-t", "y", "--name", "said", "--as", "number:zip").exit_code == 0
    seen: list[dict] = []

    def remembered(method, data, **how):
        seen.append({"spec": method.spec, "schema": data[0].schema})
        raise ValueError("enough")

    monkeypatch.setattr("salience.verify.verify", remembered)
    call("verify", "runs/said")
    assert seen[0]["spec"]["zip"] == {"kind": "number"}
    assert seen[0]["schema"]["zip"] == pl.Float64


def test_a_sample_is_judged_in_the_kinds_of_the_whole(call, tmp_path: Path, monkeypatch) -> None:
    n = 5000
    codes = ["1.00" if i % 40 == 0 else "1" if i % 2 else "2" for i in range(n)]
    frame = pl.DataFrame({"code": codes, "y": np.random.default_rng(0).integers(0, 2, n)})
    frame.write_csv(tmp_path / "codes.csv")
    seen = []
    monkeypatch.setattr(
        "salience.verify.verify", lambda method, data, **how: seen.append(method.spec) or 1 / 0
    )
    call("rank", tmp_path / "codes.csv", "-t", "y", "--verify")
    assert seen[0]["code"] == {"kind": "text"}


@pytest.mark.parametrize("declared", [None, "number:zip", "text:level", "text:y", "time:when"])
def test_frames_hold_columns_as_they_are_planned(codes: Path, declared: str | None) -> None:
    source = open_source(codes)
    spec = options.declared([declared] if declared else None, source.columns)
    schema = judging.read_planned(source, "y", 1000, 0, spec).schema
    expected = {
        "zip": pl.String,
        "level": pl.Float64,
        "when": pl.Datetime("us"),
        "size": pl.Float64,
        "y": pl.String,
    }
    expected |= {
        "number:zip": {"zip": pl.Float64},
        "text:level": {"level": pl.String},
    }.get(declared or "", {})
    assert dict(schema) == expected


def test_numbers_with_blanks_are_no_gaps_in_a_frame(codes: Path) -> None:
    frame = judging.read_planned(open_source(codes), "y", 1000, 0)
    assert frame["size"].null_count() == 0
    assert frame["when"].dt.month().unique().to_list() == [1]


def test_a_stored_number_declared_text_is_text_in_a_frame(tmp_path: Path) -> None:
    pl.DataFrame({"code": [1, 2, 3] * 20, "y": [0, 1, 2] * 20}).write_parquet(tmp_path / "a.parquet")
    source = open_source(tmp_path / "a.parquet")
    spec = options.declared(["text:code", "text:y"], source.columns)
    frame = judging.read_planned(source, "y", 1000, 0, spec)
    assert frame.schema == {"code": pl.String, "y": pl.String}
    assert set(frame["code"]) == {"1", "2", "3"}


def test_select_keeps_a_code_that_is_told_by_its_spelling(call, codes: Path) -> None:
    assert call("select", codes, "-t", "y", "-k", "1", "--kept", "kept.csv").exit_code == 0
    assert set(pl.read_csv("kept.csv", infer_schema=False)["zip"]) == {"7", "07"}
    result = call("select", codes, "-t", "y", "-k", "1", "--as", "number:zip", "--name", "said")
    assert result.exit_code == 0, result.output
    assert abs(scores("said")["zip"]) < 0.01


@pytest.mark.parametrize("command", ["select", "explain", "interactions", "labels", "shrink", "evolve"])
def test_commands_on_rows_run_with_what_is_declared(call, codes: Path, command: str) -> None:
    result = call(command, codes, *TABLE_COMMANDS[command], "--as", "text:level", "--as", "time:when")
    assert result.exit_code == 0, result.output


def test_what_is_declared_holds_in_a_profile_and_between_two_sources(call, codes: Path) -> None:
    profiled = json.loads(call("profile", codes, "--as", "number:zip", "--json").stdout)
    assert {row["column"]: row["kind"] for row in profiled}["zip"] == "number"
    other = codes.with_name("other.csv")
    pl.read_csv(codes, infer_schema=False).with_columns(zip=pl.lit("07")).write_csv(other)
    for declared, drifted in ((["--as", "number:zip"], False), ([], True)):
        told = json.loads(call("compare", codes, other, *declared, "--force", "--json").stdout)
        assert ({row["column"]: row["value"] for row in told}["zip"] > 0.05) == drifted


def test_the_preset_that_compares_texts_refuses_kinds(call, codes: Path) -> None:
    result = call("rank", codes, "-t", "y", "--preset", "outrank", "--as", "number:zip")
    assert (result.exit_code, "--as" in result.stderr) == (2, True)
