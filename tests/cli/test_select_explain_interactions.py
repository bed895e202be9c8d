"""``select``, ``explain`` and ``interactions``: on small files whose truth is planted."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from salience.cli.select import share_of
from salience.results import Scores
from salience.runs import Run
from salience.tabular.case import Case
from salience.tabular.selection import ColumnMethod, as_numbers, keep_best, without_rare
from salience.verify import Sample

pytest_plugins = ["calling"]  # the fixture `call`


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """500 rows: ``a`` and ``b`` decide together, ``town`` alone a little, ``n0`` to ``n2`` are noise."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 5))
    town = rng.integers(0, 3, 500)
    y = (x[:, 0] * 2 + x[:, 1] + (town == 0) + 0.3 * rng.normal(size=500)) > 0.5
    path = tmp_path_factory.mktemp("choose") / "table.csv"
    names = ["a", "b", "n0", "n1", "n2"]
    pl.DataFrame(
        {
            **{n: x[:, i] for i, n in enumerate(names)},
            "town": [f"t{t}" for t in town],
            "y": np.where(y, "yes", "no"),
        }
    ).write_csv(path)
    return path


@pytest.mark.parametrize("method", ["mi", "scad", "mcp", "l1"])
def test_select_keeps_the_planted_columns(call, table: Path, method: str) -> None:
    result = call("select", table, "-t", "y", "--method", method, "--keep", "2")
    assert result.exit_code == 0, result.stderr
    kept = Scores.load("runs/table/scores.parquet").frame.filter("kept")["column"].to_list()
    assert sorted(kept) == ["a", "b"]
    assert Path("runs/table/report.html").stat().st_size < 2_000_000


def test_select_writes_the_kept_columns(call, table: Path) -> None:
    assert call("select", table, "-t", "y", "-k", "2", "--kept", "kept.parquet").exit_code == 0
    assert set(pl.read_parquet("kept.parquet").columns) == {"a", "b", "y"}


def test_select_is_verified_inside_splits(call, table: Path) -> None:
    assert call("select", table, "-t", "y").exit_code == 0
    result = call("verify", "runs/table", "--rows", "400", "--json")
    assert result.exit_code == 0, result.stderr
    found = {row["check"]: row["verdict"] for row in json.loads(result.stdout)["checks"]}
    assert found["retention"] == "holds"


@pytest.mark.parametrize(("keep", "share"), [("40%", 0.4), ("0.4", 0.4), ("2", 0.2), ("100", 1.0)])
def test_keep_is_a_share_or_a_number(keep: str, share: float) -> None:
    assert share_of(keep, 10) == pytest.approx(share)


@pytest.mark.parametrize("keep", ["0", "0%", "1.5", "half", "-1", "nan", "inf", "nan%", "", "1e2"])
def test_a_keep_that_means_nothing_is_refused(keep: str) -> None:
    with pytest.raises(ValueError, match="--keep"):
        share_of(keep, 10)


def test_a_number_of_columns_is_that_number() -> None:
    scores = Scores.from_values(np.arange(25.0) + 1)
    assert keep_best(scores, share_of("7", 25)).frame["kept"].sum() == 7  # 7 / 25 * 25 is more than 7


def test_an_unknown_method_lists_those_there_are(call, table: Path) -> None:
    result = call("select", table, "-t", "y", "--method", "magic")
    assert result.exit_code == 2
    assert "mi, kan, quick, scad, mcp, l1" in result.stderr


def test_explain_names_the_columns_of_the_row(call, table: Path) -> None:
    result = call("explain", table, "-t", "y", "--row", "3", "--model", "logistic")
    assert result.exit_code == 0, result.stderr
    scores = Run.open("runs/table").scores
    row = pl.read_csv(table).row(3, named=True)
    here = dict(scores.frame.select("column", "here").rows())
    assert float(here["a"]) == pytest.approx(row["a"])
    assert here["town"] == row["town"]
    assert scores.better == "abs"
    assert Path("runs/table/parliament.svg").read_text().count("<svg") == 1


def test_explain_says_what_would_turn_the_prediction(call, table: Path) -> None:
    assert call("explain", table, "-t", "y", "--suggest-actions", "actions.toml").exit_code == 0
    rows = pl.read_csv(table)
    denied = int((rows["a"] * 2 + rows["b"]).arg_min())
    result = call(
        "explain", table, "-t", "y", "--row", str(denied), "--model", "logistic", "--actions", "actions.toml"
    )
    assert result.exit_code == 0, result.stderr
    assert "a: up from" in Path("runs/table/reasons.txt").read_text() or "together" in result.stdout
    assert Run.open("runs/table").read_scores("responsiveness") is not None


def test_an_explanation_is_verified_on_other_rows(call, table: Path) -> None:
    assert call("explain", table, "-t", "y", "--model", "logistic").exit_code == 0
    result = call("verify", "runs/table", "--json")
    assert result.exit_code == 0, result.stderr
    found = {row["check"]: row["verdict"] for row in json.loads(result.stdout)["checks"]}
    assert found["fidelity"] == "holds"


def test_a_row_that_is_not_there_is_named(call, table: Path) -> None:
    result = call("explain", table, "-t", "y", "--row", "500")
    assert result.exit_code == 2
    assert "no row 500" in result.stderr


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``y`` is the product of ``a`` and ``b``."""
    x = np.random.default_rng(0).normal(size=(600, 4))
    path = tmp_path_factory.mktemp("pairs") / "product.csv"
    pl.DataFrame({**{n: x[:, i] for i, n in enumerate("abcd")}, "y": x[:, 0] * x[:, 1]}).write_csv(path)
    return path


def test_interactions_find_the_pair_and_survive_their_controls(call, product: Path) -> None:
    result = call("interactions", product, "-t", "y", "--delta", "0.5", "--shuffles", "3")
    assert result.exit_code == 0, result.stderr
    run = Run.open("runs/product")
    assert run.scores.top(1).items == [("a", "b")]
    assert "a and b interact most, each works through the other" in result.stdout
    assert {p["file"] for p in run.info["pictures"]} == {"swarm.svg", "halo.svg"}
    judged = call("verify", "runs/product", "--json")
    assert judged.exit_code == 0, judged.stderr
    verdict = json.loads(judged.stdout)
    assert verdict["overall"] == "holds"
    assert [row["verdict"] for row in verdict["controls"]] == ["fails"]


# -- what select leaves behind ---------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "drawn"), [("mi", ["mi.svg"]), ("scad", ["scad.svg"]), ("quick", [])])
def test_select_shows_the_picture_that_its_method_has(
    call, table: Path, method: str, drawn: list[str]
) -> None:
    assert call("select", table, "-t", "y", "-m", method).exit_code == 0
    assert [picture["file"] for picture in Run.open("runs/table").info.get("pictures", [])] == drawn


def test_select_without_a_label_weighs_every_column(call, table: Path) -> None:
    assert call("select", table, "--method", "quick").exit_code == 0
    assert "y" in Run.open("runs/table").scores.items
    judged = call("verify", "runs/table")
    assert judged.exit_code == 2
    assert "without a label" in judged.stderr
    assert "--target" in call("select", table, "--method", "quick", "--verify").stderr
    assert "--target" in call("select", table, "--method", "mi").stderr


def test_a_text_column_keeps_the_null_of_its_best_value(table: Path) -> None:
    found = ColumnMethod("mi")(pl.read_csv(table), "y")
    town = found.where(column="town").frame.row(0, named=True)
    assert town["n"] == 3
    assert 0 < town["null"] < town["value"]
    assert town["p"] <= 0.03 + 1e-12  # three of the hundredth that one alone would have
    assert {"null", "q", "p"} <= set(found.frame.columns)


def test_made_columns_take_no_name_that_there_is() -> None:
    numbers, owner = as_numbers(pl.DataFrame({"a=u": [1.0, 2.0], "a": ["u", None], "b": ["missing", None]}))
    assert numbers.columns == ["a=u", "a=missing", "a=u'", "b=missing", "b=missing'"]
    assert owner["a=u"] == "a=u"
    assert owner["a=u'"] == "a"


def test_classes_of_a_few_rows_are_left_out_and_named(call, table: Path) -> None:
    rows = pl.read_csv(table)
    rows.with_columns(y=pl.when(pl.int_range(500) == 3).then(pl.lit("maybe")).otherwise("y")).write_csv(
        "rare.csv"
    )
    for command in (
        ("select",),
        ("explain", "--model", "logistic"),
        ("interactions", "--model", "linear", "--delta", "0.5"),
    ):
        result = call(command[0], "rare.csv", "-t", "y", *command[1:])
        assert result.exit_code == 0, result.stderr
        assert "fewer than 5 rows: maybe" in result.stderr
    with pytest.raises(ValueError, match="join classes"):
        without_rare(Sample.of(pl.DataFrame({"a": range(4), "y": list("uvwx")}), "y"))


def test_kept_columns_are_all_rows_as_they_stand(call, table: Path) -> None:
    rows = pl.read_csv(table)
    for name in ("kept.parquet", "kept.csv"):
        assert call("select", table, "-t", "y", "-k", "2", "--rows", "200", "--kept", name).exit_code == 0
        kept = pl.read_parquet(name) if name.endswith("parquet") else pl.read_csv(name)
        assert kept.width == 3
        assert kept.equals(rows.select(kept.columns))
    again = call("select", table, "-t", "y", "--kept", "kept.csv")
    assert again.exit_code == 2
    assert "--force" in again.stderr


@pytest.mark.parametrize("name", ["kept.xlsx", "nowhere/kept.csv"])
def test_where_nothing_can_be_kept_is_said_before_the_work(call, table: Path, name: str) -> None:
    assert call("select", table, "-t", "y", "--kept", name).exit_code == 2
    assert not Path("runs").exists()


@pytest.mark.parametrize("command", ["select TABLE -t y --method kan", "distil images.npz"])
def test_without_torch_a_command_says_what_to_install(call, table: Path, monkeypatch, command: str) -> None:
    of_torch = ("torch", "salience.tabular.kan", "salience.networks", "salience.instances.distillation")
    for name in [name for name in sys.modules if f"{name}.".startswith(tuple(f"{own}." for own in of_torch))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    result = call(*(table if word == "TABLE" else word for word in command.split()))
    assert result.exit_code == 2
    assert "pip install 'salience[torch]'" in result.stderr.replace('"', "'")
    assert not Path("runs").exists()


def test_what_stops_a_run_leaves_nothing(call, table: Path, monkeypatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("salience.cli.pictures.keep", stop)
    for command in (("select", "--kept", "kept.csv"), ("explain",)):
        assert call(command[0], table, "-t", "y", *command[1:]).exit_code == 130
        assert not list(Path().iterdir())


# -- what a stranger may bring ---------------------------------------------------------------------------

COMMANDS = {
    "select": (),
    "explain": ("--model", "logistic"),
    "interactions": ("--model", "linear", "--delta", "0.5", "--shuffles", "2"),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"y": pl.lit("yes")}, "constant"),
        ({"y": pl.lit(None, pl.String)}, "y"),
        ({"gone": pl.lit(None, pl.Float64), "nan": pl.lit(float("nan"))}, None),
        ({"a": pl.when(pl.int_range(500) == 0).then(float("inf")).otherwise("a")}, None),
        ({"y": pl.when(pl.int_range(500) % 3 > 0).then("y")}, None),
        ({"y": pl.col("a") + pl.col("b")}, None),
        ({"y": pl.when(pl.col("a") > 1).then(pl.lit("maybe")).otherwise("y")}, None),
        ({"__excluded__": "a", "a + b": "b", "c\nd, e": "n0"}, None),
    ],
)  # fmt: skip
def test_any_table_is_taken_or_refused_in_a_line(
    call, table: Path, command: str, change: dict, told: str | None
) -> None:
    pl.read_csv(table).with_columns(**change).write_parquet("odd.parquet")
    result = call(command, "odd.parquet", "-t", "y", *COMMANDS[command])
    assert result.exit_code == (0 if told is None else 2), result.stderr
    if told is not None:
        assert told in result.stderr
        assert len(result.stderr.splitlines()) == 1
    else:
        assert call("summary", "runs/odd").exit_code == 0
        assert call("plot", "runs/odd").exit_code == 0
        assert call("report", "runs/odd").exit_code == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_small_and_wrong_tables_are_refused_in_a_line(call, table: Path, command: str) -> None:
    rows = pl.read_csv(table)
    for name, frame in {
        "one": rows.head(1),
        "none": rows.head(0),
        "six": rows.head(6),
        "only": rows.select("y"),
    }.items():
        frame.write_parquet(f"{name}.parquet")
    bad = [(f"{name}.parquet", "-t", "y") for name in ("one", "none", "six", "only", "nothing")]
    for arguments in [*bad, (table,), (table, "-t", "z"), (table, "-t", "y", "-t", "a")]:
        result = call(command, *arguments, *COMMANDS[command])
        assert result.exit_code == 2, arguments
        assert len(result.stderr.splitlines()) == 1
        assert "internal" not in result.stderr
    assert not Path("runs").exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_json_is_all_there_is_on_stdout(call, table: Path, command: str) -> None:
    result = call(command, table, "-t", "y", "--json", *COMMANDS[command])
    assert result.exit_code == 0
    assert len(json.loads(result.stdout)) >= 6


@pytest.mark.parametrize("command", COMMANDS)
def test_options_may_stand_in_a_file(call, table: Path, command: str) -> None:
    Path("some.toml").write_text('target = "y"\nname = "filed"\n')
    assert call(command, table, "--options", "some.toml", *COMMANDS[command]).exit_code == 0
    assert Run.open("runs/filed").options["target"] == ["y"]
    Path("some.toml").write_text('targett = "y"\n')
    assert "near names: target" in call(command, table, "--options", "some.toml").stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_a_run_is_judged_on_data_that_moved(call, table: Path, command: str) -> None:
    pl.read_csv(table).write_parquet("before.parquet")
    assert call(command, "before.parquet", "-t", "y", *COMMANDS[command]).exit_code == 0
    Path("before.parquet").rename("after.parquet")
    assert "before.parquet" in call("verify", "runs/before", "--rows", "200").stderr
    result = call("verify", "runs/before", "--rows", "200", "--source", "after.parquet", "--strict", "--json")
    assert result.exit_code == (json.loads(result.stdout)["overall"] != "holds")


# -- what explain knows of changes -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[a", "not TOML"),
        ("feature = 3", "[[feature]]"),
        ("[[feature]]\nname = 'z'", "no feature 'z'"),
        ("[[feature]]\nname = 'a'\nactionabl = true", "no actionabl"),
        ("[[feature]]\nname = 'a'\nlb = 100.0\nub = 200.0", "bounds 100 to 200"),
        ("[[rule]]\nrule = 'OneHot'\nnames = ['a', 'z']", "'z'"),
        ("[[rule]]\nrule = 'OneHot'", "OneHot takes names"),
    ],
)
def test_a_wrong_actions_file_is_said_in_a_line(call, table: Path, text: str, told: str) -> None:
    Path("actions.toml").write_text(text)
    result = call("explain", table, "-t", "y", "--model", "logistic", "--actions", "actions.toml")
    assert result.exit_code == 2
    assert told in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not Path("runs").exists()


def test_suggestions_are_not_written_over_a_file(call, table: Path) -> None:
    Path("actions.toml").write_text("mine")
    assert call("explain", table, "-t", "y", "--suggest-actions", "actions.toml").exit_code == 2
    assert Path("actions.toml").read_text() == "mine"


def test_a_row_may_stand_at_the_end_of_a_range_and_lack_values(call, table: Path) -> None:
    rows = pl.read_csv(table)
    first = pl.int_range(500) == 0
    gone = pl.when(~first).then("b")
    rows.with_columns(a=pl.when(first).then(-9.0).otherwise("a"), b=gone, when=pl.date(2020, 1, 1)).write_csv(
        "gaps.csv"
    )
    assert call("explain", "gaps.csv", "-t", "y", "--suggest-actions", "actions.toml").exit_code == 0
    result = call("explain", "gaps.csv", "-t", "y", "--model", "logistic", "--actions", "actions.toml")
    assert result.exit_code == 0, result.stderr
    assert dict(Run.open("runs/gaps").scores.frame.select("column", "here").rows())["b"] == "missing"
    assert "a: up from -9" in result.stdout
    assert "b: " not in result.stdout


def test_what_is_wanted_of_classes_and_of_numbers(call, table: Path) -> None:
    Path("actions.toml").write_text("")
    wanted = ("--actions", "actions.toml", "--at-least", "1")
    assert "has classes" in call("explain", table, "-t", "y", *wanted).stderr
    assert "--at-least" in call("explain", table, "-t", "a", *wanted[:2]).stderr
    assert "--actions" in call("explain", table, "-t", "a", "--at-least", "1").stderr
    assert call("explain", table, "-t", "a", "--model", "ridge", *wanted).exit_code == 0


def test_names_that_mean_something_to_dhondt_are_the_persons_again() -> None:
    x = np.random.default_rng(0).normal(size=(200, 3))
    names = ["__a", "b + c", "b+c"]
    frame = pl.DataFrame({name: x[:, i] for i, name in enumerate(names)}).with_columns(
        y=pl.Series(x[:, 0] > 0)
    )
    case = Case(frame, "y", frame[0].drop("y"), model="logistic")
    scores = case.scores(case.explained())
    assert scores.items == names
    assert scores.top(1).items == ["__a"]
    assert case.verdict().overall
