"""What the commands do when all is well."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from salience.data.generators import RECIPES
from salience.plotting.drawing import ORANGE
from salience.results.checksums import with_room
from salience.results.storage import written_beside
from salience.runs import Run

pytest_plugins = ["calling"]  # the fixtures `call` and `clicks`

SALIENCE = [sys.executable, "-m", "salience"]
FILES = ["log.txt", "plan.json", "report.html", "run.json", "scores.parquet"]


def test_rank_finds_the_planted_column_and_writes_a_run(call, clicks: Path) -> None:
    result = call("rank", clicks, "-t", "click")
    assert result.exit_code == 0, result.stderr
    assert sorted(p.name for p in Path("runs/clicks").iterdir()) == FILES
    assert "1 of 5 columns tells something about click that chance does not: ad." in result.stdout
    run = Run.open("runs/clicks")
    of_data = run.scores.frame.filter(
        pl.col("kind") != "control"
    )  # one of twenty controls may be a false discovery
    assert of_data.filter(pl.col("verdict") == "signal")["column"].to_list() == ["ad"]
    assert run.options["target"] == ["click"]
    assert "What matters for" in Path("runs/clicks/report.html").read_text(encoding="utf-8")


def test_workers_in_another_folder_read_a_file_named_from_here(
    call, clicks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distributed = pytest.importorskip("distributed")
    arguments = ("-t", "click", "--no-report", "--json")
    here = call("rank", clicks, *arguments)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster:
        monkeypatch.chdir(clicks.parent)
        there = call("rank", clicks.name, *arguments, "--force", "--scheduler", cluster.scheduler_address)
    assert there.exit_code == 0, there.stderr
    assert json.loads(there.stdout) == json.loads(here.stdout)


def test_json_on_stdout_is_json_alone(call, clicks: Path) -> None:
    result = call("rank", clicks, "-t", "click", "--json", "--no-report", "--no-controls")
    rows = json.loads(result.stdout, parse_constant=pytest.fail)
    assert rows[0]["column"] == "ad"
    assert len(rows) == 5
    assert not Path("runs/clicks/report.html").exists()


def test_an_options_file_gives_defaults_and_the_command_line_wins(call, clicks: Path) -> None:
    Path("o.toml").write_text('target = ["click"]\nlabel-bins = 5\nseed = 3\n"3mr" = true\n')
    result = call("rank", clicks, "--options", "o.toml", "--seed", "4")
    assert result.exit_code == 0, result.stderr
    options = Run.open("runs/clicks").options
    assert (options["label_bins"], options["seed"], options["order_3mr"]) == (5, 4, True)


def test_pairs_redundancy_and_3mr_are_written(call, clicks: Path) -> None:
    result = call(
        "rank", clicks, "-t", "click", "--pairs", "--redundancy", "--3mr", "--exclude", "user,empty"
    )
    assert result.exit_code == 0, result.stderr
    run = Run.open("runs/clicks")
    assert None not in (run.pairs, run.redundancy, run.order_3mr)
    page = Path("runs/clicks/report.html").read_text(encoding="utf-8")
    assert all(f'<section id="{name}">' in page for name in ("redundancy", "order_3mr", "interactions"))


def test_what_was_found_beside_the_ranking_is_shown(call, clicks: Path) -> None:
    result = call("rank", clicks, "-t", "click", "--pairs", "--redundancy", "--exclude", "empty")
    titles = ("combinations", "columns over their combinations", "columns that say the same", "order by 3MR")
    again = call("summary", "runs/clicks")
    for shown in (result.stdout, again.stdout):
        assert all(title in shown for title in titles), shown
        assert "ad AND hour" in shown
    assert Run.open("runs/clicks").pair_columns.frame["partner"].null_count() == 0
    plain = call("rank", clicks, "-t", "click", "--name", "plain").stdout
    assert not any(title in plain for title in titles)


def test_pairs_that_say_more_together_come_first_everywhere_and_are_named_at_the_end(call, tmp_path) -> None:
    rng = np.random.default_rng(0)
    a, b, strong = rng.integers(2, size=3000), rng.integers(2, size=3000), rng.normal(size=3000)
    y = np.where(rng.random(3000) < 0.3, a ^ b, strong + rng.normal(size=3000) / 3 > 0).astype(int)
    copy = strong + rng.normal(size=3000) / 20
    pl.DataFrame({"strong": strong, "copy": copy, "a": a, "b": b, "y": y}).write_parquet(
        tmp_path / "t.parquet"
    )
    result = call("rank", tmp_path / "t.parquet", "-t", "y", "--pairs", "--tsv", "--no-controls")
    shown = result.stdout.split("combinations")[1].splitlines()
    assert [word in shown[1] for word in ("synergy", "interval", "interaction", "reading")] == [True] * 4
    first = Run.open("runs/t").pairs.frame["pair"][0]
    assert set(first.split(" AND ")) == {"a", "b"}
    assert shown[2].startswith(first)
    assert shown[2].rstrip().endswith("matters")
    assert pl.read_csv("runs/t/pairs.tsv", separator="\t")["pair"][0] == first
    together = re.search(
        r"Together they say more: (\w) and (\w) \(\+0\.0\d+ nats over the better of the two\)\.",
        result.stdout,
    )
    assert together
    assert set(together.groups()) == {"a", "b"}
    page = Path("runs/t/report.html").read_text(encoding="utf-8")
    assert "Together they say more: " in page
    row = page.split('<section id="interactions">')[1].split('<td class="name">')[1].split("</td>")[0]
    assert set(re.sub("<.*?>", "", row).split(" \u00d7 ")) == {"a", "b"}


def test_when_no_pair_says_more_than_its_columns_that_is_what_is_said(call, clicks: Path) -> None:
    result = call("rank", clicks, "-t", "click", "--pairs", "--no-controls")
    assert "No pair says more than its columns do." in result.stdout
    table = result.stdout.split("combinations")[1].split("columns over")[0]
    assert "matters" not in table
    assert "nothing found" in table


def test_tsv_is_written_beside_the_parquet(call, clicks: Path) -> None:
    result = call("rank", clicks, "-t", "click", "--pairs", "--tsv")
    assert result.exit_code == 0, result.stderr
    for name in ("scores", "pairs"):
        table = pl.read_csv(f"runs/clicks/{name}.tsv", separator="\t")
        assert len(table) == len(getattr(Run.open("runs/clicks"), name).frame)


def test_a_run_knows_its_stages_and_its_memory(call, clicks: Path) -> None:
    call("rank", clicks, "-t", "click", "--exclude", "user", "--audit")
    info = Run.open("runs/clicks").info
    assert list(info["timings"]) == ["open", "plan", "count", "score", "pairs", "audit", "report"]
    assert sum(info["timings"].values()) <= info["seconds"] + 1
    assert 20e6 < info["peak_memory_bytes"] < 50e9


def test_the_columns_of_a_model_can_be_the_focus(call, clicks: Path) -> None:
    Path("model.json").write_text('{"desc": {"features": ["ad", "coin,hour"], "fields": ["user"]}}')
    call("rank", clicks, "-t", "click", "--focus-reference", "model.json", "--no-controls")
    assert set(Run.open("runs/clicks").scores.frame["column"]) == {"ad", "coin", "hour"}


def test_a_ratio_is_for_the_package_only(call, clicks: Path) -> None:
    pl.concat([pl.read_csv(clicks, infer_schema=False)] * 5).write_csv("long.csv")
    assert call("rank", "long.csv", "-t", "click", "--preset", "outrank", "--ratio", "0.5").exit_code == 0
    result = call("rank", "long.csv", "-t", "click", "--ratio", "0.5")
    assert result.exit_code == 2
    assert "outrank" in result.stderr


def test_the_same_command_gives_the_same_scores(call, clicks: Path) -> None:
    for _ in range(2):
        call("rank", clicks, "-t", "click", "--threads", "1")
    a, b = (Run.open(f"runs/{name}").scores.frame for name in ("clicks", "clicks-2"))
    assert a.equals(b)


def test_gz_and_parquet_rank_as_the_csv(call, clicks: Path) -> None:
    Path("a.csv.gz").write_bytes(gzip.compress(clicks.read_bytes()))
    pl.read_csv(clicks, infer_schema=False).write_parquet("b.parquet")
    call("rank", clicks, "-t", "click", "--name", "plain")
    plain = Run.open("runs/plain").scores.frame
    for file, name in (("a.csv.gz", "a"), ("b.parquet", "b")):
        result = call("rank", file, "-t", "click")
        assert result.exit_code == 0, result.stderr
        found = Run.open(f"runs/{name}").scores.frame
        assert found.select("column", "value", "card").equals(plain.select("column", "value", "card"))


def test_an_empty_column_is_ranked_as_constant(call, clicks: Path) -> None:
    call("rank", clicks, "-t", "click")
    frame = Run.open("runs/clicks").scores.frame
    assert frame.filter(pl.col("column") == "empty")["verdict"].to_list() == ["constant"]


def test_an_empty_cell_is_missing_unless_said_otherwise(call, clicks: Path) -> None:
    call("rank", clicks, "-t", "click", "--name", "default")
    call("rank", clicks, "-t", "click", "--name", "other", "--missing", "NA")
    for name, coverage in (("default", 0.0), ("other", 1.0)):
        frame = Run.open(f"runs/{name}").scores.frame
        assert frame.filter(pl.col("column") == "empty")["coverage"].to_list() == [coverage]


def test_ragged_rows_are_counted_and_shown(call, clicks: Path) -> None:
    bad = clicks.read_text() + "".join(f"only,{i}\n" for i in range(7))
    Path("ragged.csv").write_text(bad)
    result = call("rank", "ragged.csv", "-t", "click")
    assert result.exit_code == 0, result.stderr
    note = next(line for line in result.stderr.splitlines() if "ragged" in line.lower())
    assert "7" in note
    assert all(str(line) in note for line in range(602, 607))
    assert Run.open("runs/ragged").notes


def test_duplicate_column_names_are_renamed_and_said(call, clicks: Path) -> None:
    header, *rows = clicks.read_text().splitlines()
    Path("twice.csv").write_text("\n".join([header.replace("coin", "ad"), *rows]))
    result = call("rank", "twice.csv", "-t", "click")
    assert result.exit_code in (0, 2)
    assert "ad" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("name", ["a AND b", "a-b", "a\nb", "a,b", "[red]x[/red]", "<b>", "x" * 60])
def test_odd_column_names_are_ranked_and_shown_as_they_are(call, clicks: Path, name: str) -> None:
    frame = pl.read_csv(clicks, infer_schema=False).rename({"ad": name})
    frame.write_csv("odd.csv")
    result = call("rank", "odd.csv", "-t", "click", "--pairs")
    assert result.exit_code == 0, result.stderr
    frame = Run.open("runs/odd").scores.frame
    assert frame.filter(pl.col("kind") != "control")["column"][0] == name
    assert name.replace("\n", "\\n") in result.stdout


def test_verify_judges_a_run_and_rewrites_its_report(call, clicks: Path) -> None:
    call("rank", clicks, "-t", "click", "--exclude", "user")
    result = call("verify", "runs/clicks", "--rows", "400")
    assert result.exit_code == 0, result.stderr
    verdict = Run.open("runs/clicks").verdict
    assert verdict.named("retention").verdict in ("holds", "undecided", "fails")
    assert '<section id="verification">' in Path("runs/clicks/report.html").read_text(encoding="utf-8")


def test_too_few_rows_to_judge_the_preset_on_are_said(call, clicks: Path) -> None:
    pl.concat([pl.read_csv(clicks, infer_schema=False)] * 3).write_csv("long.csv")
    result = call("rank", "long.csv", "-t", "click", "--preset", "outrank")
    assert result.exit_code == 0, result.stderr
    result = call("verify", "runs/long", "--rows", "800")
    assert result.exit_code == 2
    assert "--preset outrank" in result.stderr
    assert "--rows" in result.stderr


def test_the_demo_and_the_shipped_data_can_be_judged_again(call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("salience.cli.rank.judged", lambda *given: None)  # what takes most of the demo's time
    result = call("demo", "--top", "3")
    assert result.exit_code == 0, result.stderr
    result = call("verify", "runs/demo", "--rows", "300")
    assert result.exit_code == 0, result.stderr
    assert Run.open("runs/demo").verdict is not None


def test_rows_from_a_pipe_cannot_be_judged_again(call, clicks: Path) -> None:
    call("rank", clicks, "-t", "click")
    info = Run.open("runs/clicks").info
    info["options"]["source"] = "-"
    with written_beside("runs/clicks/run.json", sealed=True) as beside:
        beside.write_text(with_room(json.dumps(info)))
    result = call("verify", "runs/clicks")
    assert result.exit_code == 2
    assert "--source" in result.stderr


def test_numbers_stored_as_repeated_text_are_judged_as_numbers(call, clicks: Path) -> None:
    frame = pl.read_csv(clicks, infer_schema=False).drop("user", "empty")
    frame.write_parquet("text.parquet", use_pyarrow=True)
    assert call("rank", "text.parquet", "-t", "click").exit_code == 0
    result = call("verify", "runs/text", "--rows", "400")
    assert result.exit_code == 0, result.stderr


def test_strict_exits_with_1_when_the_verdict_does_not_hold(call, clicks: Path) -> None:
    frame = pl.read_csv(clicks).with_columns(click=pl.col("click").shuffle(seed=5))
    frame.write_csv("noise.csv")
    result = call("rank", "noise.csv", "-t", "click", "--verify", "--strict", "--exclude", "user,empty")
    assert result.exit_code == 1, result.stderr
    assert Run.open("runs/noise").verdict.overall != "holds"


def test_parts_counted_apart_and_merged_are_the_whole(call, clicks: Path) -> None:
    Path("parts").mkdir()
    frame = pl.read_csv(clicks, infer_schema=False)
    for i in range(4):
        frame[i * 150 : (i + 1) * 150].write_csv(f"parts/{i}.csv")
    for i in range(2):
        result = call("rank", "parts", "-t", "click", "--shards", f"{i}/2", "--state", f"{i}.arrow")
        assert result.exit_code == 0, result.stderr
    result = call("merge", "0.arrow", "1.arrow")
    assert result.exit_code == 0, result.stderr
    call("rank", "parts", "-t", "click")
    assert Run.open("runs/merged").scores.frame.equals(Run.open("runs/parts").scores.frame)
    result = call("verify", "runs/merged", "--rows", "400")
    assert result.exit_code == 0, result.stderr
    assert Run.open("runs/merged").verdict is not None


def test_several_labels_have_a_table_and_a_sentence_each(call, clicks: Path) -> None:
    result = call("rank", clicks, "-t", "click", "-t", "coin", "--exclude", "user,empty")
    assert result.exit_code == 0, result.stderr
    assert "for click" in result.stdout
    assert "tells something about click" in result.stdout
    assert "tells anything about coin" in result.stdout


def test_rank_with_audit_keeps_the_findings(call, clicks: Path) -> None:
    assert call("rank", clicks, "-t", "click", "--audit").exit_code == 0
    assert "empty" in Run.open("runs/clicks").audit["column"].to_list()


def test_transforms_and_rare_and_rows_show_tables(call, clicks: Path) -> None:
    for command, word in (("transforms", "hour"), ("rare", "user"), ("rows", "entropy")):
        result = call(command, clicks, "-t", "click")
        assert result.exit_code == 0, result.stderr
        assert word in result.stdout


def test_bins_for_the_label_have_edges_and_a_score(call) -> None:
    age = [20 + i % 60 for i in range(2400)]
    pl.DataFrame({"age": age, "town": ["a", "b"] * 1200, "old": [a >= 50 for a in age]}).write_csv("ages.csv")
    result = call("transforms", "ages.csv", "-t", "old", "--supervised", "--json")
    (row,) = json.loads(result.stdout)
    assert (row["column"], row["bins"], row["edges"]) == ("age", 2, [49.5])
    assert row["value"] > 0.6
    shown = call("transforms", "ages.csv", "-t", "old", "--supervised").stdout
    assert "49.5" in shown


def test_the_grid_of_transformations_is_written(call, clicks: Path) -> None:
    result = call("transforms", clicks, "--grid", "grid.json", "--focus", "hour,ad")
    assert result.exit_code == 0, result.stderr
    grid = json.loads(Path("grid.json").read_text())["random_grid_feature_transform"]
    assert {one["feature"] for one in grid} == {"hour", "ad"}
    assert call("transforms", clicks, "-t", "click", "--grid", "2.json", "--supervised").exit_code == 0
    assert Path("2.json").is_file()


def test_evolve_grows_a_model_and_rank_can_start_from_it(call, clicks: Path) -> None:
    result = call("evolve", clicks, "-t", "click", "--rounds", "2", "-o", "model.json")
    assert result.exit_code == 0, result.stderr
    assert any("ad" in feature for feature in json.loads(Path("model.json").read_text())["desc"]["features"])
    result = call("rank", clicks, "-t", "click", "--heuristic", "surrogate-SGD", "--reference", "model.json")
    assert result.exit_code == 0, result.stderr


def test_generate_writes_what_it_says(call) -> None:
    result = call("generate", "needle", "-o", "a.parquet", "--rows", "500", "--set", "columns=60")
    assert result.exit_code == 0, result.stderr
    assert pl.read_parquet("a.parquet").shape == (500, 61)
    assert "f30 x f50" in result.stdout
    assert call("generate", "needle", "-o", "a.parquet").exit_code == 2


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_is_named_in_the_help_and_can_be_written(call, recipe: str) -> None:
    assert recipe in call("generate", "--help").stdout.replace("\n", " ")
    result = call("generate", recipe, "-o", "a.csv", "--rows", "50")
    assert result.exit_code == 0, result.stderr
    assert len(pl.read_csv("a.csv")) == 50


@pytest.mark.parametrize("what", ["ranking", "bars", "redundancy", "dendrogram", "silhouette", "clusters"])
def test_every_picture_of_a_run_becomes_a_file(call, clicks: Path, what: str) -> None:
    call("rank", clicks, "-t", "click", "--redundancy", "--exclude", "empty")
    result = call("plot", "runs/clicks", "--what", what)
    assert result.exit_code == 0, result.stderr
    assert Path(f"runs/clicks/{what}.png").read_bytes().startswith(b"\x89PNG")


def test_bars_take_a_top_and_a_model_and_other_pictures_say_that_they_do_not(call, clicks: Path) -> None:
    Path("model.json").write_text('{"desc": {"features": ["ad"]}}')
    call("rank", clicks, "-t", "click", "-t", "coin", "--exclude", "empty")
    for top in ("10", "0"):
        given = ("plot", "runs/clicks", "--what", "bars", "--top", top, "--reference", "model.json")
        result = call(*given, "-o", f"{top}.svg")
        assert result.exit_code == 0, result.stderr
        assert ORANGE.lower() in Path(f"{top}.svg").read_text().lower()
    result = call("plot", "runs/clicks", "--what", "histogram", "--reference", "model.json")
    assert "--reference is not for" in result.stderr
    assert call("plot", "runs/clicks", "--what", "dendrogram").exit_code == 2


def test_compare_names_the_column_that_drifted(call, clicks: Path) -> None:
    frame = pl.read_csv(clicks, infer_schema=False)
    frame.with_columns(ad=pl.lit("ad0")).write_csv("later.csv")
    result = call("compare", clicks, "later.csv")
    assert result.exit_code == 0, result.stderr
    assert Run.open("runs/clicks-drift").scores.top(1).items == ["ad"]


def test_a_shortlist_finds_the_model_with_a_fraction_of_the_fits(call) -> None:
    size = ("--columns", "81", "--rows", "2000", "--singles", "5", "--pairs", "5", "--steps", "1")
    everything, short = json.loads(call("automl-demo", *size, "--json").stdout)
    assert (everything["fits"], short["fits"]) == (81 + 81 * 80 // 2, 10)
    assert short["log_loss"] < everything["log_loss"] + 0.05
    assert "log loss" in call("automl-demo", *size).stdout


def test_audit_names_the_constant_and_the_id(call, clicks: Path) -> None:
    result = call("audit", clicks, "-t", "click")
    assert result.exit_code == 0, result.stderr
    assert "empty" in result.stdout
    assert "user" in result.stdout


def test_methods_lists_what_there_is(call) -> None:
    assert "outrank" in call("methods").stdout
    listed = {row["name"]: row for row in json.loads(call("methods", "--json").stdout)}
    assert listed["outrank"]["arxiv"] == "2309.01552"
    assert listed["lexrank"]["import"] == "salience.instances.LexRank"
    assert "cramers-v" in call("methods", "--heuristics").stdout


def test_the_version_is_said(call) -> None:
    result = call("--version")
    assert result.exit_code == 0
    assert result.stdout.startswith("salience 0.")


@pytest.mark.parametrize("command", [["--help"], ["methods"], ["--version"]])
def test_light_commands_load_nothing_heavy(command: list[str]) -> None:
    code = f"import sys; from salience.cli.app import app; app({command!r}, standalone_mode=False); "
    code += (
        "print([m for m in ('numpy', 'polars', 'sklearn', 'numba', 'pyarrow', 'scipy') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert result.stdout.strip().splitlines()[-1] == "[]", result.stdout + result.stderr


COMMANDS = "rank merge demo transforms evolve verify report methods audit rare rows compare generate"


@pytest.mark.parametrize("command", COMMANDS.split())
def test_every_command_has_help(call, command: str) -> None:
    result = call(command, "--help")
    assert result.exit_code == 0
    assert command in result.stdout


def test_a_reader_that_has_enough_is_no_error(call) -> None:
    piped = subprocess.run(
        f"{' '.join(SALIENCE)} methods --json | head -1", shell=True, capture_output=True, text=True
    )
    assert piped.stderr == ""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_run_says_so_by_its_exit_code_and_can_be_resumed(
    call, clicks: Path, number: signal.Signals, code: int
) -> None:
    """A slowed scan, stopped by a real signal and resumed, gives the scores of a run in one go."""
    frame = pl.read_csv(clicks, infer_schema=False)
    pl.concat([frame] * 300).write_csv("long.csv")
    slow = "import time, salience.data.folding as s; old = s._update\n"
    slow += "def update(*a, **k): time.sleep(0.4); print('block', flush=True); return old(*a, **k)\n"
    slow += "s._update = update\nfrom salience.cli import main; main()"
    command = [sys.executable, "-c", slow, "rank", "long.csv", "-t", "click", "--memory", "600MB"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    while process.stdout.readline() != "block\n":
        assert process.poll() is None
    os.kill(process.pid, number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == code, said
    assert "Traceback" not in said
    assert "--resume" in said
    assert [p.name for p in Path("runs").iterdir()] == ["long.partial"]
    result = call("rank", "long.csv", "-t", "click", "--memory", "600MB", "--resume")
    assert result.exit_code == 0, result.stderr
    call("rank", "long.csv", "-t", "click", "--memory", "600MB", "--name", "once")
    assert Run.open("runs/long").scores.frame.equals(Run.open("runs/once").scores.frame)
